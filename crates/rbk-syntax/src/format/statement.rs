//! The lines of one item or statement.

use super::LINE;
use super::tokens::{Kind, Token};

/// How far the lines of a block stand further in than the line that opens it.
pub(super) const STEP: usize = 2;

/// What stands before a comment that shares its line.
pub(super) const BEFORE_COMMENT: &str = "  ";

/// What comes between a token and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    None,
    Line,
    /// A blank line, and the line's own end.
    Blank,
}

/// Writes an item or statement, without a line end behind it. `opens`: a `{` follows on its last line.
pub(super) fn write(out: &mut String, tokens: Vec<Token<'_>>, indentation: usize, opens: bool) {
    let tokens = without_separators(braces_first(tokens));
    let lines = Lines {
        breaks: breaks(&tokens, indentation),
        depths: depths(&tokens),
        tokens: &tokens,
        indentation,
        opens,
    };
    lines.open_lists().write(out);
}

/// Moves a `{` before the comments that stand between it and what it belongs to.
fn braces_first(mut tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let brace = tokens
        .iter()
        .position(|token| token.kind == Kind::OpenBrace);
    if let Some(brace) = brace {
        let before = tokens.get(..brace).unwrap_or(&[]);
        let comments = before
            .iter()
            .rev()
            .take_while(|token| token.kind == Kind::Comment)
            .count();
        if let Some(moved) = tokens.get_mut(brace - comments..=brace) {
            moved.rotate_right(1);
        }
    }
    tokens
}

/// Leaves out the commas between entries: lines part them.
fn without_separators(mut tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let Some(brace) = tokens
        .iter()
        .position(|token| token.kind == Kind::OpenBrace)
    else {
        return tokens;
    };
    let separates = |index: usize| {
        let behind = tokens.get(index + 1..).unwrap_or(&[]);
        let next = behind.iter().find(|token| token.kind != Kind::Comment);
        next.is_some_and(|token| token.is_entry || token.kind == Kind::CloseBrace)
    };
    let is_separator: Vec<bool> = tokens
        .iter()
        .enumerate()
        .map(|(index, token)| index > brace && token.kind == Kind::Comma && separates(index))
        .collect();
    let mut is_separator = is_separator.into_iter();
    tokens.retain(|_| !is_separator.next().unwrap_or(false));
    tokens
}

/// In how many brackets each token stands; a bracket stands in those around it.
fn depths(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut depth: usize = 0;
    tokens
        .iter()
        .map(|token| {
            if matches!(token.kind, Kind::Close | Kind::CloseBrace) {
                depth = depth.saturating_sub(1);
            }
            let here = depth;
            if matches!(token.kind, Kind::Open | Kind::OpenBrace) {
                depth += 1;
            }
            here
        })
        .collect()
}

/// Where lines end: where they were ended, where one must, and nowhere in the middle of what belongs together.
fn breaks(tokens: &[Token<'_>], indentation: usize) -> Vec<Break> {
    let is_broken = breaks_options(tokens, indentation);
    let mut round = 0_usize;
    let mut is_in_options = false;
    let mut before: Option<&Token<'_>> = None;
    let mut all = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.kind == Kind::Close {
            round = round.saturating_sub(1);
        }
        let is_inside = round > 0 || is_in_options;
        let Some(last) = before.replace(token) else {
            all.push(Break::None);
            round += usize::from(token.kind == Kind::Open);
            continue;
        };
        let begins = matches!(last.kind, Kind::Open | Kind::OpenBrace);
        let ends = matches!(token.kind, Kind::Close | Kind::CloseBrace);
        let belongs = token.is_attached
            || last.kind == Kind::Minus
            || matches!(token.kind, Kind::Comma | Kind::Colon | Kind::OpenBrace);
        let is_wanted = match token.kind {
            Kind::CloseBrace => is_broken,
            _ if token.is_entry => is_broken,
            _ => token.line_ends > 0 && !belongs,
        };
        let is_apart = token.line_ends > 1 && is_inside && !begins && !ends;
        all.push(if !is_wanted && last.kind != Kind::Comment {
            Break::None
        } else if is_apart {
            Break::Blank
        } else {
            Break::Line
        });
        match token.kind {
            Kind::Open => round += 1,
            Kind::OpenBrace => is_in_options = true,
            Kind::CloseBrace => is_in_options = false,
            Kind::Plain | Kind::Minus | Kind::Close | Kind::Comma | Kind::Colon | Kind::Comment => {
            }
        }
    }
    all
}

/// Whether a block of options has a line for each entry: unless it has but one, was written on one line and fits there.
fn breaks_options(tokens: &[Token<'_>], indentation: usize) -> bool {
    let begin = tokens
        .iter()
        .position(|token| token.kind == Kind::OpenBrace);
    let end = tokens
        .iter()
        .rposition(|token| token.kind == Kind::CloseBrace);
    let (Some(begin), Some(end)) = (begin, end) else {
        return false;
    };
    let inside = tokens.get(begin + 1..=end).unwrap_or(&[]);
    let entries = inside.iter().filter(|token| token.is_entry).count();
    let spans_lines = inside.iter().any(|token| {
        token.line_ends > 0 && token.kind != Kind::CloseBrace
            || token.kind == Kind::Comment
            || token.text.contains('\n')
    });
    // Nothing in braces is `{}`, however far they are apart.
    let is_closed_below = tokens.get(end).is_some_and(|token| token.line_ends > 0) && entries > 0;
    let first = tokens
        .get(..=begin)
        .unwrap_or(&[])
        .iter()
        .rposition(|token| token.line_ends > 0);
    let line = tokens.get(first.unwrap_or(0)..=end).unwrap_or(&[]);
    let further = if first.is_some() { STEP } else { 0 };
    entries > 1 || spans_lines || is_closed_below || indentation + further + width(line) > LINE
}

/// How wide tokens are on one line.
fn width(tokens: &[Token<'_>]) -> usize {
    let mut before = None;
    tokens
        .iter()
        .map(|token| {
            let gap = before
                .replace(token)
                .is_some_and(|before| is_apart(before, token));
            token.text.chars().count() + usize::from(gap)
        })
        .sum()
}

/// Whether a blank stands between two tokens of a line.
fn is_apart(before: &Token<'_>, token: &Token<'_>) -> bool {
    let is_tight = before.kind == Kind::Open
        || before.kind == Kind::Minus
        || token.is_attached
        || before.kind == Kind::OpenBrace && token.kind == Kind::CloseBrace
        || matches!(token.kind, Kind::Close | Kind::Comma | Kind::Colon);
    !is_tight
}

struct Lines<'a, 't> {
    tokens: &'a [Token<'t>],
    breaks: Vec<Break>,
    depths: Vec<usize>,
    indentation: usize,
    opens: bool,
}

impl Lines<'_, '_> {
    /// Gives each value of several in brackets a line of its own, if one of them has.
    fn open_lists(mut self) -> Self {
        let mut opened = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => opened.push(index),
                Kind::Close => {
                    if let Some(open) = opened.pop() {
                        let between = self.between(open, index);
                        let is_broken = between.iter().any(|place| {
                            self.breaks
                                .get(*place)
                                .is_some_and(|place| *place != Break::None)
                        });
                        if between.len() > 2 && is_broken {
                            self.break_between(&between);
                        }
                    }
                }
                Kind::Plain
                | Kind::Minus
                | Kind::OpenBrace
                | Kind::CloseBrace
                | Kind::Comma
                | Kind::Colon
                | Kind::Comment => {}
            }
        }
        self
    }

    /// The places between the values in brackets, where lines may begin: behind the opening one, behind the commas and
    /// before the closing one.
    fn between(&self, open: usize, close: usize) -> Vec<usize> {
        let depth = self.depths.get(open).map_or(0, |depth| depth + 1);
        let is_comma = |index: usize| {
            self.tokens
                .get(index)
                .is_some_and(|token| token.kind == Kind::Comma)
                && self.depths.get(index) == Some(&depth)
        };
        // A comment behind a comma stays there.
        let behind = |index: usize| {
            let next = self.tokens.get(index + 1);
            let is_comment =
                next.is_some_and(|next| next.kind == Kind::Comment && next.line_ends == 0);
            index + 1 + usize::from(is_comment)
        };
        let commas = (open + 1..close).filter(|index| is_comma(*index));
        let mut places: Vec<usize> = std::iter::once(open).chain(commas).map(behind).collect();
        places.push(close);
        places.dedup();
        places
    }

    fn break_between(&mut self, places: &[usize]) {
        for index in places {
            if let Some(place @ Break::None) = self.breaks.get_mut(*index) {
                *place = Break::Line;
            }
        }
    }

    fn write(mut self, out: &mut String) {
        // How far in the lines stand in which the open brackets were opened.
        let mut opened: Vec<usize> = Vec::new();
        let mut start = 0;
        while let Some(first) = self.tokens.get(start) {
            let indentation = match (opened.last(), first.kind) {
                (Some(line), Kind::Close | Kind::CloseBrace) => *line,
                (Some(line), _) => line + STEP,
                (None, _) if start == 0 => self.indentation,
                (None, _) => self.indentation + STEP,
            };
            let end = self.line(start, indentation);
            if start > 0 {
                out.push('\n');
                if self.breaks.get(start) == Some(&Break::Blank) {
                    out.push('\n');
                }
                out.extend(std::iter::repeat_n(' ', indentation));
            }
            let line = self.tokens.get(start..end).unwrap_or(&[]);
            write_line(out, line);
            for token in line {
                match token.kind {
                    Kind::Open | Kind::OpenBrace => opened.push(indentation),
                    Kind::Close | Kind::CloseBrace => {
                        opened.pop();
                    }
                    Kind::Plain | Kind::Minus | Kind::Comma | Kind::Colon | Kind::Comment => {}
                }
            }
            start = end;
        }
    }

    /// Where the line that begins with a token ends. One that is too long is broken: before the last clause that lets
    /// what is before it fit, else before such an `and` or `or`, else before the first of these, else in its first list.
    fn line(&mut self, start: usize, indentation: usize) -> usize {
        let end = self.line_end(start);
        let Some(over) = self.too_long(start, end, indentation) else {
            return end;
        };
        let is = |index: &usize, what: fn(&Token<'_>) -> bool| {
            self.tokens.get(*index).is_some_and(what) && self.depths.get(*index) == Some(&0)
        };
        let is_clause = |index: &usize| is(index, |token| token.is_clause);
        let is_joint = |index: &usize| is(index, |token| token.is_joint);
        let fitting = || (start + 1..=over).rev();
        let clause = None
            .or_else(|| fitting().find(is_clause))
            .or_else(|| fitting().find(is_joint))
            .or_else(|| (over + 1..end).find(|index| is_clause(index) || is_joint(index)));
        if let Some(clause) = clause {
            self.break_between(&[clause]);
            return clause;
        }
        if let Some((open, close)) = self.list(start, end) {
            self.break_between(&self.between(open, close));
            return open + 1;
        }
        end
    }

    fn line_end(&self, start: usize) -> usize {
        let behind = self.breaks.iter().skip(start + 1);
        let length = behind.take_while(|place| **place == Break::None).count();
        start + 1 + length
    }

    /// The first token that goes past the end of the line. A comment at its end may do so.
    fn too_long(&self, start: usize, end: usize, indentation: usize) -> Option<usize> {
        let line = self.tokens.get(start..end)?;
        let mut column = indentation;
        let mut before: Option<&Token<'_>> = None;
        for (index, token) in line.iter().enumerate() {
            if token.kind == Kind::Comment {
                return None;
            }
            column += usize::from(
                before
                    .replace(token)
                    .is_some_and(|before| is_apart(before, token)),
            );
            let mut lines = token.text.split('\n');
            column += lines
                .next()
                .map_or(0, |line| line.trim_end().chars().count());
            let is_last = start + index + 1 == self.tokens.len();
            let brace = if is_last && self.opens { " {".len() } else { 0 };
            if column + brace > LINE {
                return Some(start + index);
            }
            if let Some(last) = lines.next_back() {
                column = last.chars().count();
            }
        }
        None
    }

    /// The first `[` of a line that holds several values, and its `]`.
    fn list(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        (start..end).find_map(|open| {
            let depth = *self.depths.get(open)?;
            let is_open = self.tokens.get(open).is_some_and(|token| token.text == "[");
            let behind = || (open + 1..end).zip(self.depths.iter().skip(open + 1));
            let (close, _) = behind().find(|(_, other)| **other == depth)?;
            let mut inside = (open + 1..close).zip(self.depths.iter().skip(open + 1));
            let has_several = inside.any(|(index, other)| {
                *other == depth + 1
                    && self
                        .tokens
                        .get(index)
                        .is_some_and(|token| token.kind == Kind::Comma)
            });
            (is_open && has_several).then_some((open, close))
        })
    }
}

/// Writes the tokens of one line.
fn write_line(out: &mut String, line: &[Token<'_>]) {
    let mut before: Option<&Token<'_>> = None;
    for token in line {
        if let Some(before) = before.replace(token) {
            if token.kind == Kind::Comment {
                out.push_str(BEFORE_COMMENT);
            } else if is_apart(before, token) {
                out.push(' ');
            }
        }
        push_lines(out, token.text);
    }
}

/// Writes a token. Of a long text, the ends of its lines are no part: they are one sign in all of the file.
fn push_lines(out: &mut String, text: &str) {
    for (index, line) in text.split("\r\n").enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(line);
    }
}
