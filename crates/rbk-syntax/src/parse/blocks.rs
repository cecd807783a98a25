//! Blocks and their statements, and how reading goes on behind a brace that is missing or too many.

use super::diagnose;
use super::error::SyntaxError;
use super::grammar::Rule;
use super::items::Reader;
use super::scan::{Chunk, Level, Piece};
use super::words;
use crate::ast::{Let, Statement, StatementKind};

impl Reader<'_, '_> {
    /// The block behind the head of an item: its statements, and where it ends. `may_complain`: nothing was
    /// said of its head yet.
    pub(super) fn block(&mut self, chunk: &Chunk, may_complain: bool) -> (Vec<Statement>, u32) {
        let mut body = Vec::new();
        let head_end = self.chunk_span(chunk).end;
        if chunk.lost {
            return (body, head_end);
        }
        let Some(opened) = chunk.opens else {
            if may_complain {
                self.missing_block(chunk, "what it does stands in `{ … }`");
            }
            // Whatever is read for it, the braces around it don't match any more.
            self.quiet.unclosed = true;
            let next = self.text.get(self.scanner.peek()..).unwrap_or("");
            let word = words::first_word(next);
            if word == "let" || words::statement(word).is_none() {
                self.quiet.brace = true;
                return (body, head_end);
            }
            return self.statements(None, body);
        };
        body.reserve(4);
        self.statements(Some(opened), body)
    }

    /// Says that a `{` is missing behind a head.
    pub(super) fn missing_block(&mut self, chunk: &Chunk, help: &str) {
        let place = self.span(chunk.end, chunk.end);
        let error = SyntaxError::Unexpected {
            expected: "`{`".into(),
            found: diagnose::found(self.text.get(chunk.end..).unwrap_or("")),
            help: Some(help.into()),
        };
        self.problems.add(|| error.at(place).fix(place, " {"));
    }

    /// Statements up to the `}` of their block, whose `{` stands at `opened`.
    pub(super) fn statements(
        &mut self,
        opened: Option<usize>,
        mut body: Vec<Statement>,
    ) -> (Vec<Statement>, u32) {
        let mut end = opened.map_or(self.scanner.position(), |at| at + 1);
        loop {
            let next = self.scanner.peek();
            if words::begins_block(self.text.get(next..).unwrap_or(""))
                && !self.is_nested(opened, next)
            {
                self.unclosed_block(opened, end, next);
                return (body, self.span(end, end).end);
            }
            if self.has_else && words::begins_else(self.text.get(next..).unwrap_or("")) {
                self.unclosed_block(opened, end, next);
                return (body, self.span(end, end).end);
            }
            match self.scanner.next(Level::Block) {
                Piece::Doc { start, end } => self.loose_docs.push(self.span(start, end)),
                Piece::Close { at } => {
                    self.quiet.continuation = false;
                    self.suspect_of(opened, at);
                    return (body, self.span(at, at + 1).end);
                }
                Piece::End => {
                    self.unclosed_block(opened, end, self.text.len());
                    return (body, self.span(end, end).end);
                }
                Piece::Chunk(chunk) if words::opens_block(self.written(&chunk)) => {
                    let statement = self.branch(&chunk);
                    end = statement.span.end as usize;
                    body.push(statement);
                    if chunk.lost {
                        // Its block was left with it, and those around it.
                        self.quiet.unclosed = true;
                        return (body, self.span(end, end).end);
                    }
                }
                Piece::Chunk(chunk) => {
                    end = chunk.end;
                    let kind = self.statement(&chunk);
                    body.push(Statement {
                        kind,
                        span: self.chunk_span(&chunk),
                    });
                    if chunk.lost {
                        // Its block was left with it, and those around it.
                        self.quiet.unclosed = true;
                        return (body, self.span(end, end).end);
                    }
                }
            }
        }
    }

    fn statement(&mut self, chunk: &Chunk) -> StatementKind {
        let written = self.written(chunk);
        let word = words::first_word(written);
        let continuation = std::mem::take(&mut self.quiet.continuation);
        let span = self.chunk_span(chunk);
        if let Some(rule) = words::rule(word, written) {
            let kind = self.read(chunk, rule, |converter, pair| {
                converter.statement(pair, span)
            });
            return kind.unwrap_or_else(|| match self.broken_let(chunk) {
                Some(Let { name, value, .. }) if matches!(rule, Rule::let_value | Rule::named) => {
                    StatementKind::Let { name, value }
                }
                _ => StatementKind::Error,
            });
        }
        if continuation {
            return StatementKind::Error;
        }
        let word_span = self.span(chunk.start, chunk.start + word.len());
        let what = word.to_owned();
        match word {
            "require" => {
                let help = "preconditions stand before the steps; in a step, write `assert`";
                self.problems.add(|| {
                    SyntaxError::Misplaced { what, help }
                        .at(word_span)
                        .fix(word_span, "assert")
                });
            }
            "param" | "runbook" | "use" => {
                let help = "it stands at the top of the file, outside of all blocks";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            "parallel" => {
                let help = "steps are done together, and no statements: `parallel { … }` stands outside of steps, and has steps in it";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            _ if words::continues(written) => {
                let help = "it continues a statement, and none comes before it";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            "step" | "on" | "procedure" => {
                let help = "blocks are not put into one another: close the one before with `}`";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            _ => {
                let statements = words::STATEMENTS.iter().map(|(word, ..)| *word);
                let near = words::other_way(word)
                    .or_else(|| self.similar(word, statements.chain(words::clauses())));
                let is_other = words::of_another_language(written).is_some();
                let similar = near.map(|near| near.word).filter(|_| !is_other);
                let (shown, place) = diagnose::shown_word(self.source, chunk, written, word);
                self.problems.add(|| {
                    let error = SyntaxError::UnknownStatement {
                        word: shown,
                        similar,
                    };
                    let help = words::of_another_language(written);
                    match (near, help) {
                        (Some(near), None) => error.at(place).fix_spelling(place, near),
                        (_, Some(help)) => error.at(place).help(help),
                        (None, None) => error.at(place),
                    }
                });
            }
        }
        StatementKind::Error
    }

    /// Whether a step at `next` is indented more deeply than the one whose `{` stands at `opened`: then it was
    /// put into that one on purpose, and no `}` is missing.
    pub(super) fn is_nested(&self, opened: Option<usize>, next: usize) -> bool {
        opened.is_some_and(|opened| self.indentation(next) > self.indentation(opened))
    }

    /// How far the line is indented that a place is in.
    fn indentation(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or("");
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(line..).unwrap_or("");
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }

    /// A `}` at `at` that begins its line, less indented than the line of its `{`: if one is missing in the end, it
    /// is this one's.
    pub(super) fn suspect_of(&mut self, opened: Option<usize>, at: usize) {
        let before = self.text.get(..at).unwrap_or("");
        let is_first = before
            .rsplit('\n')
            .next()
            .is_some_and(|line| line.trim().is_empty());
        if let Some(opened) = opened
            && is_first
            && self.indentation(at) < self.indentation(opened)
        {
            self.suspect.get_or_insert(opened);
        }
    }

    /// A `{` behind an item that has no block.
    pub(super) fn refuse_block(&mut self, chunk: &Chunk) {
        if let (Some(at), None) = (chunk.opens, chunk.fault) {
            let place = self.span(at, at + 1);
            let error = SyntaxError::Unexpected {
                expected: "the end of the statement".into(),
                found: "`{`".into(),
                help: Some("only `step`, `parallel`, `on failure`, `procedure`, `if` and `else` have blocks".into()),
            };
            self.problems.add(|| error.at(place));
        }
        self.skip_block(chunk);
    }

    /// Passes a block without a word.
    pub(super) fn skip_block(&mut self, chunk: &Chunk) {
        if chunk.opens.is_none() || chunk.lost {
            return;
        }
        let mut inner = 0_usize;
        loop {
            let next = self.scanner.peek();
            if words::begins_block(self.text.get(next..).unwrap_or(""))
                && !self.is_nested(chunk.opens, next)
            {
                self.quiet.brace = true;
                return;
            }
            match self.scanner.next(Level::Block) {
                Piece::Doc { start, end } => self.loose_docs.push(self.span(start, end)),
                Piece::Chunk(chunk) if chunk.lost => return,
                Piece::Chunk(chunk) if chunk.opens.is_some() => inner += 1,
                Piece::Chunk(_) => {}
                Piece::Close { .. } if inner > 0 => inner -= 1,
                Piece::Close { .. } | Piece::End => return,
            }
        }
    }

    pub(super) fn unclosed_block(&mut self, opened: Option<usize>, end: usize, next: usize) {
        self.quiet.brace = true;
        let Some(opened) = opened else { return };
        if std::mem::replace(&mut self.quiet.unclosed, true) {
            return;
        }
        let suspect = self.suspect.take();
        let opened = suspect.unwrap_or(opened);
        let place = self.span(opened, opened + 1);
        let ends = self.span(end, end);
        let next = self.span(next, next);
        self.problems.add(|| {
            let error = SyntaxError::UnclosedBlock.at(place);
            // Where the missing one belongs is not known then.
            let error = match suspect {
                Some(_) => error,
                None => error.fix(ends, "\n}"),
            };
            if next.start as usize >= self.text.len() {
                error
            } else {
                error.relate(next, "the next block begins here")
            }
        });
    }

    pub(super) fn stray_brace(&mut self, at: usize) {
        if std::mem::take(&mut self.quiet).brace {
            return;
        }
        let place = self.span(at, at + 1);
        self.problems
            .add(|| SyntaxError::StrayBrace.at(place).fix(place, ""));
    }
}
