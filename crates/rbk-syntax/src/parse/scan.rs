//! Cuts a text into items and statements, in one linear pass and without recursion.
//!
//! The scanner knows brackets, texts, comments and line ends; what stands in a piece is the grammar's
//! business. It guards the grammar, whose parser recurses: no piece that it hands on nests deeper than
//! [`MAX_DEPTH`] or is longer than [`MAX_STATEMENT`].

use super::outline::{Outline, Part};
use super::words;
use std::borrow::Cow;
use std::ops::Range;

/// How deep brackets, texts and expressions nest.
pub(super) const MAX_DEPTH: usize = 64;

/// The longest item or statement, in bytes.
pub(super) const MAX_STATEMENT: usize = 64 * 1024;

/// Where the scanner stands: what ends a piece depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Between items; `{` opens a block.
    File,
    /// In a block; `}` ends it.
    Block,
}

/// The next thing in a text. Offsets are bytes.
#[derive(Debug)]
pub(super) enum Piece {
    /// Consecutive `##` lines.
    Doc { start: usize, end: usize },
    /// An item up to its `{`, or a statement.
    Chunk(Chunk),
    /// A `}`.
    Close { at: usize },
    /// Nothing more.
    End,
}

/// An item up to its `{`, or a statement, without the blanks and comments around it.
#[derive(Debug)]
pub(super) struct Chunk {
    pub start: usize,
    pub end: usize,
    /// Where the `{` stands that ended it. The scanner is behind it.
    pub opens: Option<usize>,
    /// Which of the scanner's comments stand inside.
    pub comments: Range<usize>,
    /// Which of the scanner's line ends stand inside: those that end an entry of a block of options.
    pub line_ends: Range<usize>,
    /// The first thing that is wrong with its brackets or texts.
    pub fault: Option<Fault>,
    /// Whether the rest of the enclosing block was skipped to get out of it.
    pub lost: bool,
}

/// What the scanner finds wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A text that doesn't end on its line, or not at all.
    UnterminatedText {
        start: usize,
        end: usize,
        long: bool,
    },
    /// A `{` in a text that isn't closed on its line.
    UnclosedInterpolation { at: usize },
    /// A `(` that isn't closed.
    UnclosedParenthesis { at: usize },
    /// A `{` in a statement that isn't closed.
    UnclosedBrace { at: usize },
    /// `'…'`
    SingleQuotes { start: usize, end: usize },
    /// Deeper than [`MAX_DEPTH`].
    TooDeep { at: usize },
    /// Longer than [`MAX_STATEMENT`].
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Parenthesis,
    Brace,
    Interpolation,
    Text,
    LongText,
}

/// Walks over a text. The text holds no control characters but tabs and line ends.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    open: Vec<(Open, usize)>,
    /// Comments passed so far, `##` lines excepted.
    pub comments: Vec<(usize, usize)>,
    /// Line ends that end an entry of a block of options, so far.
    line_ends: Vec<usize>,
    /// What the formatter wants to know, if it asks.
    pub outline: Option<Outline>,
}

/// What the grammar sees in place of a line end that ends an entry: the rule `line_end`. No text holds it.
const LINE_END: &str = "\u{1}";

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        Self {
            text,
            at,
            open: Vec::new(),
            comments: Vec::new(),
            line_ends: Vec::new(),
            outline: None,
        }
    }

    /// Where the next piece is looked for.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next piece.
    pub(super) fn next(&mut self, level: Level) -> Piece {
        let piece = self.next_piece(level);
        if let Some(outline) = &mut self.outline {
            outline.parts.extend(match &piece {
                Piece::Doc { start, end } => Some(Part::Doc {
                    start: *start,
                    end: *end,
                }),
                Piece::Chunk(chunk) => Some(Part::Chunk {
                    start: chunk.start,
                    end: chunk.end,
                    opens: chunk.opens,
                }),
                Piece::Close { at } => Some(Part::Close { at: *at }),
                Piece::End => None,
            });
        }
        piece
    }

    fn next_piece(&mut self, level: Level) -> Piece {
        loop {
            match self.byte(self.at) {
                0 => return Piece::End,
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' if self.is_doc(self.at) => return self.doc(),
                b'#' => self.comment(),
                b'}' => {
                    let at = self.at;
                    self.at += 1;
                    return Piece::Close { at };
                }
                _ => return Piece::Chunk(self.chunk(level)),
            }
        }
    }

    /// The text of a chunk for the grammar: comments inside are blanked out and the ends of entries are marked,
    /// so that offsets stay what they are.
    pub(super) fn code(&self, chunk: &Chunk) -> Cow<'t, str> {
        let text = self.text.get(chunk.start..chunk.end).unwrap_or("");
        let comments = self.comments.get(chunk.comments.clone()).unwrap_or(&[]);
        let mut code = Cow::Borrowed(text);
        for (start, end) in comments.iter().filter(|(start, _)| *start < chunk.end) {
            let range = start - chunk.start..end - chunk.start;
            let blanks = " ".repeat(range.len());
            code.to_mut().replace_range(range, &blanks);
        }
        let line_ends = self.line_ends.get(chunk.line_ends.clone()).unwrap_or(&[]);
        for at in line_ends.iter().filter(|at| **at < chunk.end) {
            let at = at - chunk.start;
            code.to_mut().replace_range(at..at + 1, LINE_END);
        }
        code
    }

    /// Where the next character stands that is neither blank nor in a comment; `##` lines count as none.
    pub(super) fn peek(&self) -> usize {
        let mut at = self.at;
        loop {
            match self.byte(at) {
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                b'#' if !self.is_doc(at) => at = self.line_end(at),
                _ => return at,
            }
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or("")
    }

    fn line_end(&self, at: usize) -> usize {
        self.rest(at)
            .find('\n')
            .map_or(self.text.len(), |length| at + length)
    }

    fn is_doc(&self, at: usize) -> bool {
        self.byte(at + 1) == b'#' && self.byte(at + 2) != b'#'
    }

    /// Passes a comment up to its line end.
    fn comment(&mut self) {
        let end = self.line_end(self.at);
        let length = self
            .text
            .get(self.at..end)
            .map_or(0, |comment| comment.trim_end().len());
        self.comments.push((self.at, self.at + length));
        self.at = end;
    }

    /// Passes consecutive `##` lines.
    fn doc(&mut self) -> Piece {
        let start = self.at;
        let mut end = start;
        while self.byte(self.at) == b'#' && self.is_doc(self.at) {
            let line_end = self.line_end(self.at);
            end = self.at
                + self
                    .text
                    .get(self.at..line_end)
                    .map_or(0, |line| line.trim_end().len());
            self.at = line_end;
            let mut next = line_end + 1;
            while matches!(self.byte(next), b' ' | b'\t') {
                next += 1;
            }
            if self.byte(next) == b'#' && self.is_doc(next) {
                self.at = next;
            }
        }
        Piece::Doc { start, end }
    }

    fn chunk(&mut self, level: Level) -> Chunk {
        let start = self.at;
        self.open.clear();
        let mut chunk = Chunk {
            start,
            end: start,
            opens: None,
            comments: self.comments.len()..self.comments.len(),
            line_ends: self.line_ends.len()..self.line_ends.len(),
            fault: None,
            lost: false,
        };
        loop {
            let inside = self.open.last().map(|(open, _)| *open);
            let done = match inside {
                Some(Open::Text | Open::LongText) => self.text_byte(&mut chunk),
                _ => self.code_byte(level, &mut chunk),
            };
            if done {
                break;
            }
        }
        self.check_bounds(&mut chunk);
        chunk.comments.end = self.comments.len();
        chunk.line_ends.end = self.line_ends.len();
        chunk
    }

    /// Takes what comes next outside of texts; `true` ends the chunk.
    fn code_byte(&mut self, level: Level, chunk: &mut Chunk) -> bool {
        let at = self.at;
        match self.byte(at) {
            0 => {
                self.close_all(chunk);
                return true;
            }
            b' ' | b'\t' | b'\r' => {
                self.at += 1;
                return false;
            }
            b'\n' => return self.line_break(level, chunk),
            b'#' if !self.is_open(Open::Interpolation) => {
                self.comment();
                return false;
            }
            b'"' => {
                let long = self.rest(at).starts_with("\"\"\"");
                self.at += if long { 3 } else { 1 };
                if self.push(if long { Open::LongText } else { Open::Text }, at, chunk) {
                    return true;
                }
            }
            b'\'' => self.single_quotes(chunk),
            b'(' | b'[' => {
                self.at += 1;
                if self.push(Open::Parenthesis, at, chunk) {
                    return true;
                }
            }
            b')' | b']' => {
                self.at += 1;
                if matches!(self.open.last(), Some((Open::Parenthesis, _))) {
                    self.open.pop();
                }
            }
            b'{' if self.open.is_empty()
                && (level == Level::File || words::opens_block(self.rest(chunk.start))) =>
            {
                chunk.opens = Some(at);
                self.at += 1;
                return true;
            }
            b'{' => {
                self.at += 1;
                if self.push(Open::Brace, at, chunk) {
                    return true;
                }
            }
            b'}' => {
                let matching = self
                    .open
                    .iter()
                    .rposition(|(open, _)| matches!(open, Open::Brace | Open::Interpolation));
                self.close_parentheses(matching.map_or(0, |index| index + 1), chunk);
                if matching.is_none() {
                    return true;
                }
                self.open.pop();
                self.at += 1;
            }
            _ => self.at += 1,
        }
        chunk.end = self.at;
        false
    }

    /// Takes what comes next inside a text; `true` ends the chunk.
    fn text_byte(&mut self, chunk: &mut Chunk) -> bool {
        let Some((open, start)) = self.open.last().copied() else {
            return false;
        };
        let long = open == Open::LongText;
        let at = self.at;
        match self.byte(at) {
            0 => {
                self.close_all(chunk);
                chunk.end = at;
                return true;
            }
            b'\\' => {
                self.at += if matches!(self.byte(at + 1), b'\n' | b'\r' | 0) {
                    1
                } else {
                    2
                }
            }
            b'"' if !long => {
                self.at += 1;
                self.open.pop();
            }
            b'"' if self.rest(at).starts_with("\"\"\"") => {
                self.at += 3;
                self.open.pop();
            }
            b'{' => {
                self.at += 1;
                if self.push(Open::Interpolation, at, chunk) {
                    return true;
                }
            }
            b'\n' if !long => {
                // The line ends the text, and with it everything that it stands in.
                if !self.end_interpolations(chunk) {
                    let end = self
                        .text
                        .get(start..at)
                        .map_or(at, |text| start + text.trim_end().len());
                    note(chunk, Fault::UnterminatedText { start, end, long });
                    self.open.pop();
                }
                chunk.end = self
                    .text
                    .get(chunk.start..at)
                    .map_or(at, |text| chunk.start + text.trim_end().len());
                return false;
            }
            _ => self.at += 1,
        }
        chunk.end = self.at;
        false
    }

    /// Takes a line end outside of texts: ends the chunk, unless it goes on behind it.
    fn line_break(&mut self, level: Level, chunk: &mut Chunk) -> bool {
        if self.end_interpolations(chunk) {
            return false;
        }
        let next = self.peek();
        match self.open.last() {
            None => {
                let goes_on = match self.byte(next) {
                    b'{' => {
                        chunk.fault.is_none()
                            && (level == Level::File
                                || words::opens_block(self.rest(chunk.start))
                                || words::takes_options(self.rest(chunk.start)))
                    }
                    byte => byte.is_ascii_lowercase() && words::continues(self.rest(next)),
                };
                if !goes_on {
                    self.open_despite_fault(level, chunk);
                    return true;
                }
                self.pass_to(next);
                false
            }
            Some((Open::Brace, at))
                if self.is_line_start(next) && words::begins_block(self.rest(next)) =>
            {
                note(chunk, Fault::UnclosedBrace { at: *at });
                chunk.lost = true;
                true
            }
            Some((Open::Brace, at))
                if level == Level::Block
                    && words::takes_options(self.rest(chunk.start))
                    && words::begins_statement(self.rest(next)) =>
            {
                note(chunk, Fault::UnclosedBrace { at: *at });
                true
            }
            Some((Open::Parenthesis, _)) if words::begins_any(self.rest(next)) => {
                let index = self
                    .open
                    .iter()
                    .rposition(|(open, _)| *open == Open::Brace)
                    .map_or(0, |index| index + 1);
                self.close_parentheses(index, chunk);
                false
            }
            open => {
                if matches!(open, Some((Open::Brace, _))) {
                    self.line_ends.push(self.at);
                }
                self.pass_to(next);
                false
            }
        }
    }

    /// Passes blanks and comments.
    fn pass_to(&mut self, next: usize) {
        while self.at < next {
            if self.byte(self.at) == b'#' {
                self.comment();
            } else {
                self.at += 1;
            }
        }
    }

    /// A `'` outside of texts: passes up to its partner, so that what is between can't confuse.
    fn single_quotes(&mut self, chunk: &mut Chunk) {
        let start = self.at;
        let behind = self.rest(start + 1);
        let length = behind.find(['\'', '\n']).unwrap_or(behind.len());
        let has_partner = self.byte(start + 1 + length) == b'\'';
        self.at = start + 1 + if has_partner { length + 1 } else { 0 };
        note(
            chunk,
            Fault::SingleQuotes {
                start,
                end: self.at,
            },
        );
    }

    /// Opens a bracket or text; `true` if that is one too many and the chunk ends.
    fn push(&mut self, open: Open, at: usize, chunk: &mut Chunk) -> bool {
        if self.open.len() < MAX_DEPTH {
            self.open.push((open, at));
            return false;
        }
        note(chunk, Fault::TooDeep { at });
        chunk.end = self.at;
        if self.is_open(Open::Brace) || self.is_open(Open::LongText) {
            self.skip_to_item();
            chunk.lost = true;
        } else {
            self.at = self.line_end(self.at);
        }
        true
    }

    fn is_open(&self, open: Open) -> bool {
        self.open.iter().any(|(other, _)| *other == open)
    }

    /// At a line end: interpolations don't go past it. Leaves the outermost one; `false` if there is none.
    fn end_interpolations(&mut self, chunk: &mut Chunk) -> bool {
        let Some(index) = self
            .open
            .iter()
            .position(|(open, _)| *open == Open::Interpolation)
        else {
            return false;
        };
        if let Some((_, at)) = self.open.get(index) {
            note(chunk, Fault::UnclosedInterpolation { at: *at });
        }
        self.open.truncate(index);
        if matches!(self.open.last(), Some((Open::Text, _))) {
            self.open.pop();
        }
        true
    }

    /// Drops the parentheses from `index` on.
    fn close_parentheses(&mut self, index: usize, chunk: &mut Chunk) {
        if let Some((_, at)) = self.open.get(index) {
            note(chunk, Fault::UnclosedParenthesis { at: *at });
        }
        self.open.truncate(index);
    }

    /// At the end of the text: whatever is open stays so.
    fn close_all(&mut self, chunk: &mut Chunk) {
        let find = |wanted: &[Open]| {
            self.open
                .iter()
                .find(|(open, _)| wanted.contains(open))
                .copied()
        };
        if let Some((_, start)) = find(&[Open::LongText]) {
            // It has swallowed everything: what seemed wrong inside is not.
            let end = self.at;
            chunk.fault = Some(Fault::UnterminatedText {
                start,
                end,
                long: true,
            });
        } else if let Some((_, at)) = find(&[Open::Interpolation]) {
            note(chunk, Fault::UnclosedInterpolation { at });
        } else if let Some((_, start)) = find(&[Open::Text]) {
            let end = self.at;
            note(
                chunk,
                Fault::UnterminatedText {
                    start,
                    end,
                    long: false,
                },
            );
        } else if let Some((_, at)) = find(&[Open::Brace]) {
            note(chunk, Fault::UnclosedBrace { at });
        } else if let Some((_, at)) = find(&[Open::Parenthesis]) {
            note(chunk, Fault::UnclosedParenthesis { at });
        }
        chunk.lost = !self.open.is_empty();
        self.open.clear();
    }

    /// `step "Restore {`: the text has swallowed the brace, but a block begins all the same.
    fn open_despite_fault(&mut self, level: Level, chunk: &mut Chunk) {
        let swallows = matches!(
            chunk.fault,
            Some(
                Fault::UnterminatedText { .. }
                    | Fault::UnclosedInterpolation { .. }
                    | Fault::SingleQuotes { .. }
                    | Fault::UnclosedParenthesis { .. }
            )
        );
        let text = self.text.get(chunk.start..chunk.end).unwrap_or("");
        let has_block = level == Level::File || words::opens_block(text);
        if has_block && swallows && text.ends_with('{') {
            chunk.opens = Some(chunk.end - 1);
        }
    }

    fn check_bounds(&mut self, chunk: &mut Chunk) {
        if chunk.end - chunk.start > MAX_STATEMENT && chunk.fault.is_none() {
            chunk.fault = Some(Fault::TooLong);
        }
    }

    fn is_line_start(&self, at: usize) -> bool {
        at == 0 || self.byte(at - 1) == b'\n'
    }

    /// Passes everything up to the next line that begins with an item, unindented.
    fn skip_to_item(&mut self) {
        loop {
            self.at = self.line_end(self.at);
            if self.byte(self.at) == 0 {
                return;
            }
            self.at += 1;
            if words::begins_item(self.rest(self.at)) {
                return;
            }
        }
    }
}

/// Keeps the first fault of a chunk.
fn note(chunk: &mut Chunk, fault: Fault) {
    chunk.fault.get_or_insert(fault);
}
