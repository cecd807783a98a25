//! `if … { … } else if … { … } else { … }`.

use super::error::SyntaxError;
use super::grammar::Rule;
use super::items::Reader;
use super::scan::{Chunk, Level, MAX_DEPTH, Piece};
use super::{diagnose, words};
use crate::ast::{Expr, ExprKind, Otherwise, Statement, StatementKind};
use crate::span::Span;

impl Reader<'_, '_> {
    /// The statement whose head is a chunk that begins with `if`, or with an `else` that has no place here.
    pub(super) fn branch(&mut self, chunk: &Chunk) -> Statement {
        self.quiet.continuation = false;
        if words::first_word(self.written(chunk)) == "if" {
            return self.if_block(chunk, Rule::if_block, 0);
        }
        let span = self.chunk_span(chunk);
        let word = self.span(chunk.start, chunk.start + "else".len());
        self.problems.add(|| SyntaxError::ElseWithoutIf.at(word));
        self.skip_block(chunk);
        Statement {
            kind: StatementKind::Error,
            span,
        }
    }

    /// `if … { … }` and what belongs to it, from its `if` on, which stands `skipped` bytes behind the start of the chunk.
    fn if_block(&mut self, chunk: &Chunk, rule: Rule, skipped: usize) -> Statement {
        let start = chunk.start + skipped;
        let keyword = self.span(start, start + "if".len());
        let head = self.span(start, chunk.end);
        if self.depth >= MAX_DEPTH {
            self.problems.add(|| SyntaxError::BlocksTooDeep.at(keyword));
            self.skip_block(chunk);
            self.skip_else();
            return Statement {
                kind: StatementKind::Error,
                span: head,
            };
        }
        self.depth += 1;
        let read = self.read(chunk, rule, |converter, pair| {
            converter.head_condition(pair)
        });
        let was_read = read.is_some();
        let condition = read.unwrap_or(Expr {
            kind: ExprKind::Error,
            span: head,
        });
        self.quiet.continuation = false;
        let outer = std::mem::replace(&mut self.has_else, true);
        let (then, mut end) = self.block(chunk, was_read);
        self.has_else = outer;
        let otherwise = self.otherwise();
        if let Some((_, behind)) = &otherwise {
            end = *behind;
        }
        self.depth -= 1;
        Statement {
            kind: StatementKind::If {
                condition,
                then,
                otherwise: otherwise.map(|(otherwise, _)| otherwise),
                keyword,
            },
            span: Span { end, ..head },
        }
    }

    /// `else { … }` or `else if … { … }`, if one comes next, and where it ends.
    fn otherwise(&mut self) -> Option<(Otherwise, u32)> {
        let chunk = self.next_else()?;
        let keyword = self.span(chunk.start, chunk.start + "else".len());
        let written = self.written(&chunk);
        let behind = written.get("else".len()..).unwrap_or("");
        let rest = behind.trim_start();
        if words::first_word(rest) == "if" {
            let statement = self.if_block(&chunk, Rule::else_if_block, written.len() - rest.len());
            let end = statement.span.end;
            let body = vec![statement];
            return Some((Otherwise { body, keyword }, end));
        }
        if chunk.opens.is_none() && chunk.fault.is_none() && !rest.is_empty() {
            let start = chunk.end - rest.len();
            let place = self.span(start, start);
            let error = SyntaxError::Unexpected {
                expected: "`{`".into(),
                found: diagnose::found(rest),
                help: Some("what is done otherwise stands in `else { … }`".into()),
            };
            self.problems.add(|| error.at(place));
            return None;
        }
        let read = self.read(&chunk, Rule::else_block, |_, _| ());
        self.quiet.continuation = false;
        let outer = std::mem::replace(&mut self.has_else, false);
        let (body, end) = self.block(&chunk, read.is_some());
        self.has_else = outer;
        Some((Otherwise { body, keyword }, end))
    }

    /// The chunk that comes next, if it begins with `else`.
    fn next_else(&mut self) -> Option<Chunk> {
        let next = self.text.get(self.scanner.peek()..).unwrap_or("");
        if words::first_word(next) != "else" {
            return None;
        }
        match self.scanner.next(Level::Block) {
            Piece::Chunk(chunk) => Some(chunk),
            Piece::Doc { .. } | Piece::Close { .. } | Piece::End => None,
        }
    }

    /// Passes the other ways of an `if` without a word.
    fn skip_else(&mut self) {
        while let Some(chunk) = self.next_else() {
            self.skip_block(&chunk);
        }
    }
}
