//! A file from its pieces: how far in each line stands, blank lines, and comments between statements.

use super::statement::{self, BEFORE_COMMENT, STEP};
use super::tokens::Tokens;
use crate::parse::{Outline, Part, begins_block, first_word};
use crate::span::Span;

/// Lays out a text without errors. `doc` is where the documentation of the whole runbook stands.
pub(super) fn lay_out(text: &str, outline: &Outline, doc: Option<Span>) -> String {
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut layout = Layout {
        text,
        tokens: Tokens::new(text, outline),
        out: String::with_capacity(text.len() + text.len() / 16),
        end: start,
        last: Last::Nothing,
        remarks: Remarks::None,
        is_commented: false,
        blocks: Vec::new(),
    };
    for part in &outline.parts {
        match *part {
            Part::Doc { start, end } => {
                layout.comments_before(start);
                let is_of_runbook = doc.is_some_and(|doc| doc.start as usize == start);
                layout.doc(start, end, is_of_runbook);
            }
            Part::Chunk { start, end, opens } => {
                layout.comments_before(start);
                layout.chunk(start, end, opens);
            }
            Part::Close { at } => {
                layout.comments_before(at);
                layout.close(at);
            }
        }
    }
    layout.comments_before(text.len());
    if !layout.out.is_empty() {
        layout.out.push('\n');
    }
    layout.out
}

/// What was written last; comments at the end of its line don't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// The title, or the runbook's documentation.
    Head,
    /// The `{` of a block.
    Open,
    /// The `}` of a step, of `on failure`, of a procedure.
    BlockEnd,
    /// The `}` of a block among statements.
    InnerEnd,
    /// Anything else.
    Line,
}

/// What is written next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A comment or documentation on lines of its own.
    Remark,
    /// The runbook's documentation.
    HeadDoc,
    /// An item that has a block.
    Block,
    /// Any other item, or a statement.
    Line,
    Close,
}

/// The lines of comments and documentation right above what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remarks {
    None,
    /// A blank line is before them, or the start of a block.
    Apart,
    /// They follow something; here a blank line would part them from it.
    From(usize),
}

struct Layout<'t, 'o> {
    text: &'t str,
    tokens: Tokens<'t, 'o>,
    /// The result, whose last line is still without its end.
    out: String,
    /// Up to where the text was taken.
    end: usize,
    last: Last,
    remarks: Remarks,
    /// Whether a comment ends the last line.
    is_commented: bool,
    /// The open blocks: whether each is an item's.
    blocks: Vec<bool>,
}

impl Layout<'_, '_> {
    /// Begins a line for what stands at `start` in the text.
    fn begin(&mut self, start: usize, next: Next) {
        let is_first = matches!(self.last, Last::Nothing | Last::Open);
        let mut is_apart = match (self.last, next) {
            (Last::Nothing | Last::Open, _) | (_, Next::Close) | (Last::Head, Next::HeadDoc) => {
                false
            }
            (Last::Head, Next::Line | Next::Block) | (Last::BlockEnd, _) => true,
            _ => self.line_ends_before(start) > 1,
        };
        // A block stands apart, together with what is said of it right above.
        if next == Next::Block && !is_apart && !is_first {
            match self.remarks {
                Remarks::None => is_apart = true,
                Remarks::Apart => {}
                Remarks::From(line) => self.out.insert(line, '\n'),
            }
        }
        if self.last != Last::Nothing {
            self.out.push('\n');
        }
        self.remarks = match (next, self.remarks) {
            (Next::Remark, _) if is_apart || is_first => Remarks::Apart,
            (Next::Remark, Remarks::None) => Remarks::From(self.out.len()),
            (Next::Remark, remarks) => remarks,
            (Next::HeadDoc | Next::Block | Next::Line | Next::Close, _) => Remarks::None,
        };
        if is_apart {
            self.out.push('\n');
        }
        self.indent();
        self.is_commented = false;
    }

    fn indent(&mut self) {
        let indentation = self.indentation();
        self.out.extend(std::iter::repeat_n(' ', indentation));
    }

    fn indentation(&self) -> usize {
        self.blocks.len() * STEP
    }

    /// How many lines end between what was taken last and a place; 2 stands for more as well.
    fn line_ends_before(&self, start: usize) -> usize {
        let between = self.text.get(self.end..start).unwrap_or("");
        between
            .bytes()
            .filter(|byte| *byte == b'\n')
            .take(2)
            .count()
    }

    /// Writes the comments that stand before a place and were not written with a statement.
    fn comments_before(&mut self, end: usize) {
        while let Some((start, end)) = self.tokens.comment_before(end) {
            let comment = self.text.get(start..end).unwrap_or("");
            let shares_line = self.line_ends_before(start) == 0
                && self.last != Last::Nothing
                && !self.is_commented;
            self.comment(comment, start, shares_line);
            self.end = end;
        }
    }

    /// Writes a comment, behind what was written last or on a line of its own.
    fn comment(&mut self, comment: &str, start: usize, shares_line: bool) {
        if shares_line {
            self.out.push_str(BEFORE_COMMENT);
        } else {
            self.begin(start, Next::Remark);
            self.last = Last::Line;
        }
        self.out.push_str(comment);
        self.is_commented = true;
    }

    /// Writes consecutive `##` lines. Wherever they stood, they get lines of their own.
    fn doc(&mut self, start: usize, end: usize, is_of_runbook: bool) {
        let (next, last) = if is_of_runbook {
            (Next::HeadDoc, Last::Head)
        } else {
            (Next::Remark, Last::Line)
        };
        self.begin(start, next);
        let lines = self.text.get(start..end).unwrap_or("").lines();
        for (index, line) in lines.enumerate() {
            if index > 0 {
                self.out.push('\n');
                self.indent();
            }
            self.out.push_str(line.trim());
        }
        self.last = last;
        self.end = end;
    }

    fn chunk(&mut self, start: usize, end: usize, opens: Option<usize>) {
        let written = self.text.get(start..end).unwrap_or("");
        let word = first_word(written);
        let is_block = opens.is_some() && (begins_block(written) || word == "parallel");
        if word == "else" && self.last == Last::InnerEnd && !self.is_commented {
            self.out.push(' ');
        } else {
            let next = if is_block { Next::Block } else { Next::Line };
            self.begin(start, next);
        }
        let tokens = self.tokens.piece(start, end);
        let indentation = self.indentation();
        statement::write(&mut self.out, tokens, indentation, opens.is_some());
        self.end = end;
        self.remarks = Remarks::None;
        self.is_commented = false;
        self.last = if word == "runbook" && self.blocks.is_empty() {
            Last::Head
        } else {
            Last::Line
        };
        if let Some(at) = opens {
            self.out.push_str(" {");
            self.last = Last::Open;
            self.blocks.push(is_block);
            self.comments_before_brace(at);
            self.end = at + 1;
        }
    }

    /// Comments between the head of a block and its `{` come behind the `{`.
    fn comments_before_brace(&mut self, at: usize) {
        while let Some((start, end)) = self.tokens.comment_before(at) {
            let comment = self.text.get(start..end).unwrap_or("");
            // There, `##` at the end of the line would count as documentation, which gets a line of its own.
            let is_doc = comment.starts_with("##") && !comment.starts_with("###");
            let shares_line = self.line_ends_before(start) == 0 && !is_doc && !self.is_commented;
            self.comment(comment, start, shares_line);
            self.end = end;
        }
    }

    fn close(&mut self, at: usize) {
        let is_block = self.blocks.pop().unwrap_or(false);
        self.begin(at, Next::Close);
        self.out.push('}');
        self.last = if is_block {
            Last::BlockEnd
        } else {
            Last::InnerEnd
        };
        self.end = at + 1;
    }
}
