//! What can still be known of an item or statement that could not be read: its name.

use super::items::Reader;
use super::scan::Chunk;
use super::words;
use crate::ast::{Expr, ExprKind, Let, Param};
use crate::span::Spanned;

impl Reader<'_, '_> {
    /// The name of a `let` that could not be read, so that its uses are not unknown as well.
    pub(super) fn broken_let(&self, chunk: &Chunk) -> Option<Let> {
        let (name, behind) = self.name_behind(chunk, "let", chunk.start)?;
        let end = behind.max(chunk.end);
        let value = Expr {
            kind: ExprKind::Error,
            span: self.span(behind, end),
        };
        Some(Let {
            name,
            value,
            span: self.chunk_span(chunk),
        })
    }

    /// The name and type of a `param` whose default could not be read.
    pub(super) fn broken_param(&self, chunk: &Chunk) -> Option<Param> {
        let (name, behind) = self.name_behind(chunk, "param", chunk.start)?;
        let (ty, behind) = self.name_behind(chunk, ":", behind)?;
        let default = Some(Expr {
            kind: ExprKind::Error,
            span: self.span(behind, behind.max(chunk.end)),
        });
        Some(Param {
            doc: None,
            name,
            ty,
            default,
            bounds: None,
            span: self.chunk_span(chunk),
        })
    }

    /// What can be known of the title of a step whose head could not be read.
    pub(super) fn broken_title(&self, chunk: &Chunk) -> Spanned<String> {
        let written = self.written(chunk);
        let word = words::first_word(written).len();
        let quotes = ['"', '\'', '“', '”', '{', ' ', '\t'];
        let value = written
            .get(word..)
            .unwrap_or("")
            .trim_matches(quotes)
            .to_owned();
        Spanned {
            value,
            span: self.span(chunk.start + word, chunk.end),
        }
    }

    /// The name behind a word or sign at `at`, and where it ends.
    fn name_behind(
        &self,
        chunk: &Chunk,
        sign: &str,
        at: usize,
    ) -> Option<(Spanned<String>, usize)> {
        let rest = self.text.get(at..chunk.end)?;
        let behind = rest.trim_start().strip_prefix(sign)?.trim_start();
        let value = words::first_word(behind);
        let start = at + rest.len() - behind.len();
        let end = start + value.len();
        value
            .starts_with(|first: char| !first.is_ascii_digit())
            .then(|| {
                (
                    Spanned {
                        value: value.to_owned(),
                        span: self.span(start, end),
                    },
                    end,
                )
            })
    }
}
