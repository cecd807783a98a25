//! Texts: escapes, interpolations, and the indentation of long ones.

use super::convert::{Converter, Parts};
use super::error::SyntaxError;
use super::expressions::is_fixed;
use super::grammar::Rule;
use crate::ast::{Text, TextPart};
use crate::span::{Span, Spanned};
use pest::iterators::Pair;

/// A piece of a text as it is written.
enum Piece<'i> {
    /// Characters of the file.
    Written(&'i str),
    /// A character that was escaped.
    Escaped(char),
    Part(TextPart),
}

impl Converter<'_> {
    /// The next part as a text.
    pub(super) fn required_text(&mut self, parts: &mut Parts<'_>) -> Text {
        match parts.take(Rule::text) {
            Some(pair) => self.text(pair),
            None => Text {
                parts: Vec::new(),
                span: parts.end(),
            },
        }
    }

    /// The text behind a keyword, which is asked for if it is missing.
    pub(super) fn text_after(
        &mut self,
        parts: &mut Parts<'_>,
        keyword: &'static str,
        place: Span,
    ) -> Text {
        match parts.take_if(Rule::text) {
            Some(pair) => self.text(pair),
            None => {
                self.add(&SyntaxError::MissingText { keyword }, place);
                Text {
                    parts: Vec::new(),
                    span: place,
                }
            }
        }
    }

    /// A text that names something: nothing in it can be computed.
    pub(super) fn title_after(
        &mut self,
        parts: &mut Parts<'_>,
        keyword: &'static str,
        place: Span,
    ) -> Spanned<String> {
        let text = self.text_after(parts, keyword, place);
        let span = text.span;
        if !is_fixed(&text.parts) {
            let what = match keyword {
                "use" => "file",
                _ => "title",
            };
            self.add(&SyntaxError::InterpolatedTitle { what }, span);
        }
        let value = text
            .parts
            .into_iter()
            .map(|part| match part {
                TextPart::Literal(literal) => literal,
                TextPart::Expr(_) => "…".to_owned(),
            })
            .collect();
        Spanned { value, span }
    }

    /// A text in its quotes.
    pub(super) fn text(&mut self, pair: Pair<'_, Rule>) -> Text {
        debug_assert_eq!(pair.as_rule(), Rule::text);
        let span = self.span(&pair);
        let is_long = pair.as_str().starts_with("\"\"\"");
        let mut pieces = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::characters | Rule::long_characters => {
                    self.refuse_braces(&part);
                    pieces.push(Piece::Written(part.as_str()));
                }
                Rule::escape => pieces.extend(self.escape(&part).map(Piece::Escaped)),
                Rule::interpolation => {
                    let value = self.value(&mut self.parts(part));
                    pieces.push(Piece::Part(TextPart::Expr(value)));
                }
                other => debug_assert!(false, "a text with the rule {other:?}"),
            }
        }
        Text {
            parts: if is_long {
                long_parts(pieces)
            } else {
                short_parts(pieces)
            },
            span,
        }
    }

    /// A `}` that no `{` belongs to.
    fn refuse_braces(&mut self, pair: &Pair<'_, Rule>) {
        let start = self.base + pair.as_span().start();
        for (at, _) in pair.as_str().match_indices('}') {
            let place = self.problems.span(start + at, start + at + 1);
            self.add_with(&SyntaxError::StrayBraceInText, place, |it| {
                it.fix(place, "\\}")
            });
        }
    }

    fn escape(&mut self, pair: &Pair<'_, Rule>) -> Option<char> {
        let written = pair.as_str();
        match written.chars().nth(1) {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some(character @ ('"' | '\\' | '{' | '}')) => Some(character),
            _ => {
                let place = self.span(pair);
                let escape = written.trim_end().to_owned();
                let fixed = format!("\\{written}");
                self.add_with(&SyntaxError::UnknownEscape { escape }, place, |it| {
                    it.fix(place, fixed)
                });
                None
            }
        }
    }
}

fn short_parts(pieces: Vec<Piece<'_>>) -> Vec<TextPart> {
    let mut parts = Parting::default();
    for piece in pieces {
        match piece {
            Piece::Written(written) => parts.literal.push_str(written),
            Piece::Escaped(character) => parts.literal.push(character),
            Piece::Part(part) => parts.push(part),
        }
    }
    parts.finish()
}

/// Takes off the first and last line break and the indentation that all lines share.
fn long_parts(pieces: Vec<Piece<'_>>) -> Vec<TextPart> {
    let indentation = shared_indentation(&pieces);
    let last = pieces.len().saturating_sub(1);
    let mut parts = Parting::default();
    for (index, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Written(written) => {
                for (line_index, line) in written.split('\n').enumerate() {
                    let is_first_break = index == 0 && line_index == 1 && parts.is_blank();
                    if line_index == 0 {
                        parts.literal.push_str(line.trim_end_matches('\r'));
                        continue;
                    }
                    if is_first_break {
                        parts.literal.clear();
                    } else {
                        parts.literal.push('\n');
                    }
                    parts.literal.push_str(without_indentation(
                        line.trim_end_matches('\r'),
                        indentation,
                    ));
                }
                // The line of the closing quotes.
                if index == last
                    && let Some(at) = written.rfind('\n')
                    && written.get(at..).is_some_and(|line| line.trim().is_empty())
                    && let Some(end) = parts.literal.rfind('\n')
                    && parts
                        .literal
                        .get(end..)
                        .is_some_and(|line| line.trim().is_empty())
                {
                    parts.literal.truncate(end);
                } else if index == last
                    && index == 0
                    && parts.literal.trim().is_empty()
                    && written.contains('\n')
                {
                    parts.literal.clear();
                }
            }
            Piece::Escaped(character) => parts.literal.push(character),
            Piece::Part(part) => parts.push(part),
        }
    }
    parts.finish()
}

/// The least indentation of all lines but the first; blank lines don't count, but the last line does.
fn shared_indentation(pieces: &[Piece<'_>]) -> usize {
    let last = pieces.len().saturating_sub(1);
    let mut least = usize::MAX;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Written(written) = piece else {
            continue;
        };
        let mut lines = written.split('\n').skip(1).peekable();
        while let Some(line) = lines.next() {
            let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
            let is_end_of_piece = lines.peek().is_none();
            let is_blank = line.trim().is_empty() && !is_end_of_piece;
            let is_closing = line.trim().is_empty() && is_end_of_piece && index == last;
            if !is_blank || is_closing {
                least = least.min(indentation);
            }
        }
    }
    if least == usize::MAX { 0 } else { least }
}

fn without_indentation(line: &str, indentation: usize) -> &str {
    line.get(indentation..)
        .unwrap_or_else(|| line.trim_start_matches([' ', '\t']))
}

/// Gathers parts so that neighbours are never both literal.
#[derive(Default)]
struct Parting {
    parts: Vec<TextPart>,
    literal: String,
}

impl Parting {
    fn push(&mut self, part: TextPart) {
        if !self.literal.is_empty() {
            self.parts
                .push(TextPart::Literal(std::mem::take(&mut self.literal)));
        }
        self.parts.push(part);
    }

    fn is_blank(&self) -> bool {
        self.parts.is_empty() && self.literal.trim().is_empty()
    }

    fn finish(mut self) -> Vec<TextPart> {
        if !self.literal.is_empty() {
            self.parts.push(TextPart::Literal(self.literal));
        }
        self.parts
    }
}
