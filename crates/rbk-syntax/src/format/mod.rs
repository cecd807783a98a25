//! One layout for all runbooks.
//!
//! The formatter moves the text's own tokens and comments and prints nothing from the tree, so nothing can be lost:
//! [`tokens`] cuts a piece of the text into them, [`statement`] lays out the lines of one item or statement, [`file`]
//! puts these together. Which pieces there are and what a sign means is noted by the parser itself while it reads.
//!
//! The layout: two blanks a block; one statement a line; one entry of options a line, unless a block of them has but
//! one and was written on one line; a line that was broken stays broken, two blanks further in; a line longer than
//! [`LINE`] is broken before a clause or, failing that, inside a list; at most one blank line, none where a block begins or
//! ends, always one around steps and behind the title. The inside of texts and comments is nobody's business.

mod file;
mod statement;
mod tokens;

use crate::ast::Item;
use crate::diagnostic::{Diagnostic, has_errors};
use crate::parse::{Kind, Outline, Parsed, parse_as, parse_outlined};
use crate::span::SourceId;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};

/// How long a line may be before it is broken where it can be, in characters.
const LINE: usize = 100;

/// Why a text was not laid out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The text has errors of syntax: what is wrong can't be laid out.
    #[error("it has errors of syntax")]
    Syntax(Vec<Diagnostic>),
    /// The result would not say the same as the text: a mistake in the formatter.
    #[error("laying it out would change what it says; this is a mistake in rbk")]
    Unfaithful,
}

/// Lays out a runbook, or a file of procedures that runbooks use. Line ends become `\n`; a byte order mark is left out.
///
/// The result is read once more before it is given back: it has the same tree and the same comments in the same order.
pub fn format(source: SourceId, text: &str) -> Result<String, FormatError> {
    let (kind, parsed, outline) = read(source, text);
    if has_errors(&parsed.diagnostics) {
        return Err(FormatError::Syntax(parsed.diagnostics));
    }
    let doc = parsed
        .runbook
        .as_ref()
        .and_then(|runbook| runbook.doc.as_ref());
    let formatted = file::lay_out(text, &outline, doc.map(|doc| doc.span));
    drop(outline);
    let meant = Meaning::of(&parsed, text);
    drop(parsed);
    let again = parse_as(kind, source, &formatted);
    if meant != Meaning::of(&again, &formatted) {
        return Err(FormatError::Unfaithful);
    }
    Ok(formatted)
}

/// Reads a text as what it is: a runbook, or a file that one uses, which has no title and holds `use` and `procedure`.
fn read(source: SourceId, text: &str) -> (Kind, Parsed, Outline) {
    let (parsed, outline) = parse_outlined(Kind::Runbook, source, text);
    let items = parsed
        .runbook
        .as_ref()
        .map_or(&[][..], |runbook| &runbook.items);
    let is_used = !parsed.diagnostics.is_empty()
        && items
            .iter()
            .any(|item| matches!(item, Item::Use(_) | Item::Procedure(_)))
        && items
            .iter()
            .all(|item| matches!(item, Item::Use(_) | Item::Procedure(_) | Item::Error(_)))
        && !outline.has_title(text);
    if is_used {
        let (parsed, outline) = parse_outlined(Kind::Used, source, text);
        return (Kind::Used, parsed, outline);
    }
    (Kind::Runbook, parsed, outline)
}

/// What a text says, without where it says it.
#[derive(PartialEq)]
struct Meaning {
    tree: u64,
    comments: u64,
    is_right: bool,
}

impl Meaning {
    fn of(parsed: &Parsed, text: &str) -> Self {
        let mut tree = Digest::default();
        // Places are left out: see `Span`. A digest can't fail.
        let _ = write!(tree, "{:-?}", parsed.runbook);
        let mut comments = Digest::default();
        for span in &parsed.trivia {
            let comment = text.get(span.start as usize..span.end as usize);
            for line in comment.unwrap_or("").lines() {
                let _ = writeln!(comments, "{}", line.trim());
            }
        }
        Self {
            tree: tree.finish(),
            comments: comments.finish(),
            is_right: !has_errors(&parsed.diagnostics),
        }
    }
}

/// Takes in what is written, and keeps nothing but a number.
#[derive(Default)]
struct Digest {
    hasher: DefaultHasher,
    /// Trees are written in very small pieces, which would be slow to take in one by one.
    pieces: String,
}

/// How many bytes of pieces are gathered.
const GATHERED: usize = 16 * 1024;

impl Digest {
    fn finish(mut self) -> u64 {
        self.hasher.write(self.pieces.as_bytes());
        self.hasher.finish()
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.pieces.push_str(text);
        if self.pieces.len() > GATHERED {
            self.hasher.write(self.pieces.as_bytes());
            self.pieces.clear();
        }
        Ok(())
    }
}
