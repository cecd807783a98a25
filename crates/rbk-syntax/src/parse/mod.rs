//! From text to tree.
//!
//! [`scan`] cuts the text into items and statements, [`items`] and [`blocks`] put the file together from
//! them, [`statements`], [`options`], [`expressions`], [`texts`] and [`literals`] turn what the grammar matched into the tree,
//! and [`diagnose`] finds words for what it didn't,
//! and [`broken`] saves a name from it.
//!
//! pest's call limit is not used: it is one number for the whole process, which no library should
//! set. The same is had by what the scanner lets through (length and depth of a statement are bounded) and
//! by a grammar that never reads an expression twice at the same place.

mod blocks;
mod branches;
mod broken;
mod convert;
mod diagnose;
mod error;
mod expressions;
mod grammar;
mod items;
mod literals;
mod options;
mod outline;
mod parallel;
mod scan;
mod single;
mod statements;
mod texts;
mod words;

pub use error::{CODES, DecodeError, SyntaxError};
pub(crate) use items::Kind;
pub(crate) use outline::{Mark, Outline, Part, Role};
pub(crate) use words::{begins_block, first_word};

use crate::ast::{Expr, Runbook};
use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};

/// The longest text that is parsed, in bytes.
pub const MAX_TEXT: usize = 8 * 1024 * 1024;

/// How many errors are told before the rest is only counted.
pub const MAX_ERRORS: usize = 100;

/// What a text was read as.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The tree, with error nodes where something could not be read; none if the text is no text at all.
    pub runbook: Option<Runbook>,
    /// Everything that is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The comments, in the order of the text; `##` lines that are part of the tree are not among them.
    pub trivia: Vec<Span>,
}

/// Reads a runbook. Never fails as a whole: what could not be read is an error node and a diagnostic.
pub fn parse(source: SourceId, text: &str) -> Parsed {
    parse_as(Kind::Runbook, source, text)
}

/// Reads a file that a runbook uses: it has no title, and nothing stands in it but `use` and `procedure`.
pub fn parse_used(source: SourceId, text: &str) -> Parsed {
    parse_as(Kind::Used, source, text)
}

/// Reads a file as what it is.
pub(crate) fn parse_as(kind: Kind, source: SourceId, text: &str) -> Parsed {
    parse_noting(kind, source, text, None).0
}

/// Reads a file, and notes how it is put together.
pub(crate) fn parse_outlined(kind: Kind, source: SourceId, text: &str) -> (Parsed, Outline) {
    let (parsed, outline) = parse_noting(kind, source, text, Some(Outline::default()));
    (parsed, outline.unwrap_or_default())
}

fn parse_noting(
    kind: Kind,
    source: SourceId,
    text: &str,
    outline: Option<Outline>,
) -> (Parsed, Option<Outline>) {
    let mut problems = Problems::new(source);
    if !is_acceptable(text, &mut problems) {
        let parsed = Parsed {
            runbook: None,
            diagnostics: problems.finish(),
            trivia: Vec::new(),
        };
        return (parsed, None);
    }
    let (runbook, trivia, outline) = items::file(kind, source, text, &mut problems, outline);
    let parsed = Parsed {
        runbook: Some(runbook),
        diagnostics: problems.finish(),
        trivia,
    };
    (parsed, outline)
}

/// Reads one expression, for instance what is given for a parameter.
pub fn parse_expression(source: SourceId, text: &str) -> Result<Expr, Vec<Diagnostic>> {
    let mut problems = Problems::new(source);
    if is_acceptable(text, &mut problems)
        && let Some(expression) = single::expression(source, text, &mut problems)
        && problems.is_empty()
    {
        return Ok(expression);
    }
    Err(problems.finish())
}

/// Reads bytes as UTF-8, and says where they are not.
pub fn decode(bytes: &[u8]) -> Result<String, DecodeError> {
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(bytes.get(..offset).unwrap_or(&[])).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        DecodeError {
            line,
            column,
            offset,
        }
    })
}

/// Whether the text is one at all: not too large, and nothing in it that can't be seen.
fn is_acceptable(text: &str, problems: &mut Problems) -> bool {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let span = problems.span(end, end);
        problems.add(|| SyntaxError::TooLarge.at(span));
        return false;
    }
    // Most texts have nothing to look at twice.
    if text
        .bytes()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
    {
        return true;
    }
    let Some((at, character)) = text
        .char_indices()
        .find(|(at, character)| is_invisible(text, *at, *character))
    else {
        return true;
    };
    let end = at + character.len_utf8();
    let more = text
        .char_indices()
        .skip_while(|(other, _)| *other < end)
        .filter(|(at, character)| is_invisible(text, *at, *character))
        .count();
    let what = match character {
        '\0' => "a NUL character: is it a text file?".to_owned(),
        '\r' => "a carriage return without a line feed".to_owned(),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            format!(
                "the character U+{:04X}, which changes the direction of writing",
                u32::from(character)
            )
        }
        _ => format!("the control character U+{:04X}", u32::from(character)),
    };
    let span = problems.span(at, end);
    problems.add(|| SyntaxError::ControlCharacter { what, more }.at(span));
    false
}

/// Control characters, and those that make a text look different from what it is.
fn is_invisible(text: &str, at: usize, character: char) -> bool {
    match character {
        '\t' | '\n' | ' '..='~' => false,
        '\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
        '\u{feff}' => at > 0,
        '\u{200b}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

/// Collects what is wrong, up to [`MAX_ERRORS`].
struct Problems {
    source: SourceId,
    told: Vec<Diagnostic>,
    more: usize,
}

impl Problems {
    fn new(source: SourceId) -> Self {
        Self {
            source,
            told: Vec::new(),
            more: 0,
        }
    }

    /// A range of the text.
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    /// Adds a diagnostic, which is only made if it will be told.
    fn add(&mut self, make: impl FnOnce() -> Diagnostic) {
        if self.told.len() < MAX_ERRORS {
            self.told.push(make());
        } else {
            self.more += 1;
        }
    }

    /// Whether what is added now is only counted.
    fn is_full(&self) -> bool {
        self.told.len() >= MAX_ERRORS
    }

    fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// All that is told, in the order of the text.
    fn finish(mut self) -> Vec<Diagnostic> {
        self.told
            .sort_by_key(|diagnostic| diagnostic.primary.span.start);
        if self.more > 0
            && let Some(last) = self.told.last()
        {
            let more = SyntaxError::TooManyErrors { more: self.more }.at(last.primary.span);
            self.told.push(more);
        }
        self.told
    }
}
