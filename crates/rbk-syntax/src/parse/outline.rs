//! How a text is put together, for the formatter: the pieces that the parser went through, and what the grammar
//! says of signs that could mean several things. Noted while parsing, so that there is no second opinion.

use super::grammar::Rule;
use super::words;
use pest::iterators::Pair;

/// What was noted of one text. Offsets are bytes.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// In the order of the text.
    pub(crate) parts: Vec<Part>,
    /// By where they begin.
    pub(crate) marks: Vec<Mark>,
    /// Comments, `##` lines between pieces excepted.
    pub(crate) comments: Vec<(usize, usize)>,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Consecutive `##` lines.
    Doc { start: usize, end: usize },
    /// An item up to its `{`, or a statement.
    Chunk {
        start: usize,
        end: usize,
        /// Where the `{` stands that opens its block.
        opens: Option<usize>,
    },
    /// The `}` of a block.
    Close { at: usize },
}

/// What the grammar says of a place in a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    start: u32,
    end: u32,
    pub(crate) role: Role,
}

impl Mark {
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Characters that belong together whatever they are: a text, a time, `public.*`, an operator between two values.
    Whole,
    /// An operator before a value.
    Prefix,
    /// A bracket that belongs to the word before it.
    Attached,
    /// An entry of a block of options.
    Entry,
    /// Words that begin a clause: a line may begin with them.
    Clause,
    /// `and`, `or`: so it may with one of these, where there is no better place.
    Joint,
}

impl Outline {
    /// Whether a text has a `runbook "…"`.
    pub(crate) fn has_title(&self, text: &str) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Chunk { start, end, .. } => {
                words::first_word(text.get(*start..*end).unwrap_or("")) == "runbook"
            }
            Part::Doc { .. } | Part::Close { .. } => false,
        })
    }

    /// Notes what the grammar says of a piece that begins at `base`.
    pub(super) fn note(&mut self, base: usize, pair: Pair<'_, Rule>) {
        // What stands in a text is its own.
        let mut text_end = 0;
        for pair in pair.into_inner().flatten() {
            let span = pair.as_span();
            if span.start() < text_end {
                continue;
            }
            let rule = pair.as_rule();
            if rule == Rule::text {
                text_end = span.end();
            }
            let begins_line = words::continues(span.as_str());
            let mut mark = |role| {
                self.marks.push(Mark {
                    start: u32::try_from(base + span.start()).unwrap_or(u32::MAX),
                    end: u32::try_from(base + span.end()).unwrap_or(u32::MAX),
                    role,
                });
            };
            match rule {
                Rule::text | Rule::time | Rule::pattern | Rule::amount => mark(Role::Whole),
                Rule::operator => {
                    mark(Role::Whole);
                    if begins_line {
                        mark(Role::Joint);
                    }
                }
                Rule::prefix => mark(Role::Prefix),
                Rule::arguments | Rule::parameters | Rule::modifier | Rule::dimension => {
                    mark(Role::Attached);
                }
                Rule::entry => mark(Role::Entry),
                Rule::kw_from
                | Rule::kw_to
                | Rule::kw_with
                | Rule::using
                | Rule::otherwise
                | Rule::because
                | Rule::bounds
                | Rule::as_of
                | Rule::label
                | Rule::within
                | Rule::every
                | Rule::bounds
                | Rule::as_of
                | Rule::accepting_loss
                | Rule::if_reachable
                | Rule::by_policy
                | Rule::final_snapshot
                | Rule::without_final_snapshot
                    if begins_line =>
                {
                    mark(Role::Clause);
                }
                // Words, names, numbers and brackets are what they look like.
                _ => {}
            }
        }
    }
}
