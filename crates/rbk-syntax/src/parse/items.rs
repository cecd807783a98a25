//! A file from its pieces: items, blocks, documentation, and how reading goes on behind a mistake.

use super::convert::Converter;
use super::diagnose;
use super::error::SyntaxError;
use super::grammar::{Grammar, Rule};
use super::scan::{Chunk, Level, Piece, Scanner};
use super::{Problems, words};
use crate::ast::{
    Doc, Expr, ExprKind, Item, Let, OnFailure, Param, Runbook, Statement, StatementKind, Step,
};
use crate::diagnostic::{Diagnostic, Label};
use crate::span::{SourceId, Span, Spanned};
use pest::Parser;
use pest::iterators::Pair;

/// Reads a whole file; the second result is its comments.
pub(super) fn file(source: SourceId, text: &str, problems: &mut Problems) -> (Runbook, Vec<Span>) {
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut reader = Reader {
        source,
        text,
        scanner: Scanner::new(text, start),
        problems,
        title: None,
        doc: None,
        pending_doc: None,
        loose_docs: Vec::new(),
        items: Vec::new(),
        quiet: Quiet::default(),
    };
    reader.items();
    reader.finish()
}

/// Reads a text that is one expression.
pub(super) fn single_expression(
    source: SourceId,
    text: &str,
    problems: &mut Problems,
) -> Option<Expr> {
    let mut scanner = Scanner::new(text, 0);
    let end = text.len();
    let chunk = match scanner.next(Level::Block) {
        Piece::Chunk(chunk) => chunk,
        piece => {
            let at = if let Piece::Close { at } = piece {
                at
            } else {
                text.len().min(end)
            };
            let error = SyntaxError::Unexpected {
                expected: "a value".into(),
                found: diagnose::found(text.get(at..).unwrap_or("")),
                help: None,
            };
            problems.add(|| error.at(Span::new(source, at, at)));
            return None;
        }
    };
    if let Some(fault) = chunk.fault {
        problems.add(|| diagnose::fault(source, text, &chunk, fault));
        return None;
    }
    if chunk.end < end && scanner.peek() < text.len() {
        let at = scanner.peek();
        let error = SyntaxError::Unexpected {
            expected: "the end of the value".into(),
            found: diagnose::found(text.get(at..).unwrap_or("")),
            help: None,
        };
        problems.add(|| error.at(Span::new(source, at, at)));
        return None;
    }
    let written = text.get(chunk.start..chunk.end).unwrap_or("");
    match Grammar::parse(Rule::single_expression, written) {
        Ok(mut pairs) => {
            let mut converter = Converter::new(problems, chunk.start);
            pairs
                .next()
                .map(|pair| converter.value(&mut converter.parts(pair)))
        }
        Err(error) => {
            problems.add(|| {
                let told = diagnose::refusal(source, text, &chunk, &error);
                let of_value = |words: String| {
                    words.replace("the end of the statement", "the end of the value")
                };
                let primary = Label {
                    text: of_value(told.primary.text),
                    ..told.primary
                };
                Diagnostic {
                    message: of_value(told.message),
                    primary,
                    ..told
                }
            });
            None
        }
    }
}

/// What needs no word any more, because one was said that explains it.
#[derive(Default)]
struct Quiet {
    /// Statements between items: the first one is told of.
    misplaced: bool,
    /// The next `}` that closes nothing: a block was said to be open too long.
    brace: bool,
    /// The next line, if it begins nothing: the one before broke off.
    continuation: bool,
}

struct Reader<'t, 'p> {
    source: SourceId,
    text: &'t str,
    scanner: Scanner<'t>,
    problems: &'p mut Problems,
    title: Option<Spanned<String>>,
    doc: Option<Doc>,
    /// `##` lines whose item has yet to come.
    pending_doc: Option<Doc>,
    /// `##` lines that document nothing.
    loose_docs: Vec<Span>,
    items: Vec<Item>,
    quiet: Quiet,
}

impl<'t> Reader<'t, '_> {
    fn items(&mut self) {
        loop {
            match self.scanner.next(Level::File) {
                Piece::Doc { start, end } => self.file_doc(start, end),
                Piece::Chunk(chunk) => self.item(&chunk),
                Piece::Close { at } => self.stray_brace(at),
                Piece::End => return,
            }
        }
    }

    fn finish(mut self) -> (Runbook, Vec<Span>) {
        self.doc_is_loose();
        let span = self.span(0, self.text.len());
        let title = self.title.take().unwrap_or_else(|| {
            let at = self
                .items
                .first()
                .map_or(0, |item| item_span(item).start as usize);
            let place = self.span(at, at);
            self.problems.add(|| {
                SyntaxError::MissingTitle
                    .at(place)
                    .fix(place, "runbook \"…\"\n\n")
            });
            Spanned {
                value: String::new(),
                span: place,
            }
        });
        let source = self.source;
        let comments = self
            .scanner
            .comments
            .iter()
            .map(|(start, end)| Span::new(source, *start, *end));
        let mut trivia: Vec<Span> = comments.chain(self.loose_docs).collect();
        trivia.sort_by_key(|span| span.start);
        (
            Runbook {
                title,
                doc: self.doc,
                items: self.items,
                span,
            },
            trivia,
        )
    }

    fn item(&mut self, chunk: &Chunk) {
        let word = words::first_word(self.written(chunk));
        let quiet = std::mem::take(&mut self.quiet);
        self.quiet.brace = quiet.brace;
        self.quiet.misplaced = quiet.misplaced && word == "let";
        match word {
            "runbook" => self.runbook(chunk),
            "param" => self.param(chunk),
            "let" => self.let_value(chunk),
            "require" => self.require(chunk),
            "step" => self.step(chunk),
            "on" => self.on_failure(chunk),
            _ if quiet.continuation => {}
            _ if words::statement(word).is_some() => {
                self.quiet.misplaced = true;
                if !quiet.misplaced {
                    self.misplaced_statement(chunk, word);
                }
                self.skip_block(chunk);
            }
            _ => self.unknown_item(chunk, word),
        }
        if !matches!(word, "param" | "step" | "runbook") {
            self.doc_is_loose();
        }
    }

    fn runbook(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        if self.title.is_some() || !self.items.is_empty() {
            let what = "runbook".to_owned();
            let help = "a file is one runbook, and says so before anything else";
            self.problems
                .add(|| SyntaxError::Misplaced { what, help }.at(span));
            self.title.get_or_insert_with(|| Spanned {
                value: String::new(),
                span,
            });
        } else {
            let title = self.read(chunk, Rule::runbook, |converter, pair| {
                converter.title(pair, "runbook", span)
            });
            self.title = Some(title.unwrap_or(Spanned {
                value: String::new(),
                span,
            }));
            self.doc = self.doc.take().or(self.pending_doc.take());
        }
        self.refuse_block(chunk);
    }

    fn param(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let doc = self.pending_doc.take();
        let param = self.read(chunk, Rule::param, |converter, pair| {
            converter.param(pair, span)
        });
        let item = match param.or_else(|| self.broken_param(chunk)) {
            Some(param) => Item::Param(Param { doc, ..param }),
            None => Item::Error(span),
        };
        self.items.push(item);
        self.refuse_block(chunk);
    }

    fn let_value(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let value = self.read(chunk, Rule::let_value, |converter, pair| {
            converter.let_value(pair, span)
        });
        let item = value
            .or_else(|| self.broken_let(chunk))
            .map_or(Item::Error(span), Item::Let);
        self.items.push(item);
        self.refuse_block(chunk);
    }

    fn require(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let require = self.read(chunk, Rule::require, |converter, pair| {
            converter.require(pair, span)
        });
        self.items
            .push(require.map_or(Item::Error(span), Item::Require));
        self.refuse_block(chunk);
    }

    fn step(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let doc = self.pending_doc.take();
        let title = self.read(chunk, Rule::step, |converter, pair| {
            converter.title(pair, "step", span)
        });
        let was_read = title.is_some();
        let title = title.unwrap_or_else(|| self.broken_title(chunk));
        let (body, end) = self.block(chunk, was_read);
        self.items.push(Item::Step(Step {
            doc,
            title,
            body,
            span: Span { end, ..span },
        }));
    }

    fn on_failure(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let read = self.read(chunk, Rule::on_failure, |_, _| ());
        let (body, end) = self.block(chunk, read.is_some());
        self.items.push(Item::OnFailure(OnFailure {
            body,
            keyword: span,
            span: Span { end, ..span },
        }));
    }

    fn misplaced_statement(&mut self, chunk: &Chunk, word: &str) {
        let span = self.chunk_span(chunk);
        let word_span = self.span(chunk.start, chunk.start + word.len());
        let what = word.to_owned();
        let help = "what is done stands in a block: put `step \"…\" {` before it and `}` behind it";
        self.problems
            .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
        self.items.push(Item::Error(span));
    }

    fn unknown_item(&mut self, chunk: &Chunk, word: &str) {
        let span = self.chunk_span(chunk);
        let written = self.written(chunk);
        let similar = self.similar(word, words::ITEMS.iter().map(|(word, _)| *word));
        let (shown, place) = diagnose::shown_word(self.source, chunk, written, word);
        self.problems.add(|| {
            let error = SyntaxError::UnknownItem {
                word: shown,
                similar,
            };
            match similar {
                Some(similar) => error.at(place).fix(place, similar),
                None => error.at(place),
            }
        });
        if similar == Some("step") && chunk.opens.is_some() {
            let title = self.broken_title(chunk);
            let (body, end) = self.block(chunk, false);
            self.items.push(Item::Step(Step {
                doc: None,
                title,
                body,
                span: Span { end, ..span },
            }));
        } else {
            if similar == Some("runbook") && self.title.is_none() {
                self.title = Some(self.broken_title(chunk));
            }
            self.items.push(Item::Error(span));
            self.skip_block(chunk);
        }
    }

    /// The candidate that was probably meant; nobody asks when it won't be told.
    fn similar(
        &self,
        word: &str,
        candidates: impl Iterator<Item = &'static str>,
    ) -> Option<&'static str> {
        if self.problems.is_full() {
            None
        } else {
            diagnose::similar(word, candidates)
        }
    }

    /// Whether a step at `next` is indented more deeply than the one whose `{` stands at `opened`: then it was
    /// put into that one on purpose, and no `}` is missing.
    fn is_nested(&self, opened: Option<usize>, next: usize) -> bool {
        let Some(opened) = opened else { return false };
        let indentation = |at| {
            let before = self.text.get(..at).unwrap_or("");
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            let line = self.text.get(line..).unwrap_or("");
            line.len() - line.trim_start_matches([' ', '\t']).len()
        };
        indentation(next) > indentation(opened)
    }

    /// The block behind the head of an item: its statements, and where it ends. `may_complain`: nothing was
    /// said of its head yet.
    fn block(&mut self, chunk: &Chunk, may_complain: bool) -> (Vec<Statement>, u32) {
        let mut body = Vec::new();
        let head_end = self.chunk_span(chunk).end;
        if chunk.lost {
            return (body, head_end);
        }
        let Some(opened) = chunk.opens else {
            if may_complain {
                let place = self.span(chunk.end, chunk.end);
                let error = SyntaxError::Unexpected {
                    expected: "`{`".into(),
                    found: diagnose::found(self.text.get(chunk.end..).unwrap_or("")),
                    help: Some("what it does stands in `{ … }`".into()),
                };
                self.problems.add(|| error.at(place).fix(place, " {"));
            }
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

    /// Statements up to the `}` of their block, whose `{` stands at `opened`.
    fn statements(
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
            match self.scanner.next(Level::Block) {
                Piece::Doc { start, end } => self.loose_docs.push(self.span(start, end)),
                Piece::Close { at } => {
                    self.quiet.continuation = false;
                    return (body, self.span(at, at + 1).end);
                }
                Piece::End => {
                    self.unclosed_block(opened, end, self.text.len());
                    return (body, self.span(end, end).end);
                }
                Piece::Chunk(chunk) => {
                    end = chunk.end;
                    let kind = self.statement(&chunk);
                    body.push(Statement {
                        kind,
                        span: self.chunk_span(&chunk),
                    });
                    if chunk.lost {
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
        if let Some(rule) = words::statement(word) {
            let kind = self.read(chunk, rule, |converter, pair| {
                converter.statement(pair, span)
            });
            return kind.unwrap_or_else(|| match self.broken_let(chunk) {
                Some(Let { name, value, .. }) if rule == Rule::let_value => {
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
            "param" | "runbook" => {
                let help = "it stands at the top of the file, outside of all blocks";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            _ if words::continues(written) => {
                let help = "it continues a statement, and none comes before it";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            "step" | "on" => {
                let help = "blocks are not put into one another: close the one before with `}`";
                self.problems
                    .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
            }
            _ => {
                let similar = self.similar(word, words::STATEMENTS.iter().map(|(word, ..)| *word));
                let (shown, place) = diagnose::shown_word(self.source, chunk, written, word);
                self.problems.add(|| {
                    let error = SyntaxError::UnknownStatement {
                        word: shown,
                        similar,
                    };
                    match similar {
                        Some(similar) => error.at(place).fix(place, similar),
                        None => error.at(place),
                    }
                });
            }
        }
        StatementKind::Error
    }

    /// Lets the grammar read a chunk, or says why it can't.
    fn read<T>(
        &mut self,
        chunk: &Chunk,
        rule: Rule,
        convert: impl FnOnce(&mut Converter<'_>, Pair<'_, Rule>) -> T,
    ) -> Option<T> {
        let source = self.source;
        if let Some(fault) = chunk.fault {
            let text = self.text;
            self.problems
                .add(|| diagnose::fault(source, text, chunk, fault));
            return None;
        }
        match Grammar::parse(rule, self.written(chunk)) {
            Ok(mut pairs) => {
                let pair = pairs.next()?;
                Some(convert(
                    &mut Converter::new(self.problems, chunk.start),
                    pair,
                ))
            }
            Err(error) => {
                self.quiet.continuation = diagnose::breaks_off(self.written(chunk), &error);
                let text = self.text;
                self.problems
                    .add(|| diagnose::refusal(source, text, chunk, &error));
                None
            }
        }
    }

    /// The name of a `let` that could not be read, so that its uses are not unknown as well.
    fn broken_let(&self, chunk: &Chunk) -> Option<Let> {
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
    fn broken_param(&self, chunk: &Chunk) -> Option<Param> {
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
            span: self.chunk_span(chunk),
        })
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

    /// What can be known of the title of a step whose head could not be read.
    fn broken_title(&self, chunk: &Chunk) -> Spanned<String> {
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

    /// A `{` behind an item that has no block.
    fn refuse_block(&mut self, chunk: &Chunk) {
        if let (Some(at), None) = (chunk.opens, chunk.fault) {
            let place = self.span(at, at + 1);
            let error = SyntaxError::Unexpected {
                expected: "the end of the statement".into(),
                found: "`{`".into(),
                help: Some("only `step` and `on failure` have blocks".into()),
            };
            self.problems.add(|| error.at(place));
        }
        self.skip_block(chunk);
    }

    /// Passes a block without a word.
    fn skip_block(&mut self, chunk: &Chunk) {
        if chunk.opens.is_none() || chunk.lost {
            return;
        }
        loop {
            if words::begins_block(self.text.get(self.scanner.peek()..).unwrap_or("")) {
                self.quiet.brace = true;
                return;
            }
            match self.scanner.next(Level::Block) {
                Piece::Doc { start, end } => self.loose_docs.push(self.span(start, end)),
                Piece::Chunk(chunk) if chunk.lost => return,
                Piece::Chunk(_) => {}
                Piece::Close { .. } | Piece::End => return,
            }
        }
    }

    fn unclosed_block(&mut self, opened: Option<usize>, end: usize, next: usize) {
        self.quiet.brace = true;
        let Some(opened) = opened else { return };
        let place = self.span(opened, opened + 1);
        let ends = self.span(end, end);
        let next = self.span(next, next);
        self.problems.add(|| {
            let error = SyntaxError::UnclosedBlock.at(place).fix(ends, "\n}");
            if next.start as usize >= self.text.len() {
                error
            } else {
                error.relate(next, "the next block begins here")
            }
        });
    }

    fn stray_brace(&mut self, at: usize) {
        if std::mem::take(&mut self.quiet).brace {
            return;
        }
        let place = self.span(at, at + 1);
        self.problems
            .add(|| SyntaxError::StrayBrace.at(place).fix(place, ""));
    }

    /// `##` lines between items: the runbook's right below its title, otherwise the next item's.
    fn file_doc(&mut self, start: usize, end: usize) {
        let doc = self.make_doc(start, end);
        let is_below_title = self.items.is_empty()
            && self.doc.is_none()
            && self.title.as_ref().is_some_and(|title| {
                let between = self.text.get(title.span.end as usize..start).unwrap_or("");
                between.bytes().filter(|byte| *byte == b'\n').count() == 1 || self.is_apart(end)
            });
        if is_below_title {
            self.doc = Some(doc);
        } else {
            self.doc_is_loose();
            self.pending_doc = Some(doc);
        }
    }

    /// Whether a blank line follows, and not what could be documented.
    fn is_apart(&self, end: usize) -> bool {
        let next = self.scanner.peek();
        let between = self.text.get(end..next).unwrap_or("");
        between.bytes().filter(|byte| *byte == b'\n').count() > 1
    }

    fn doc_is_loose(&mut self) {
        if let Some(doc) = self.pending_doc.take() {
            self.loose_docs.push(doc.span);
        }
    }

    fn make_doc(&self, start: usize, end: usize) -> Doc {
        let mut text = String::new();
        for line in self.text.get(start..end).unwrap_or("").lines() {
            let line = line.trim().trim_start_matches("##");
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line.strip_prefix(' ').unwrap_or(line));
        }
        Doc {
            text,
            span: self.span(start, end),
        }
    }

    fn written(&self, chunk: &Chunk) -> &'t str {
        self.text.get(chunk.start..chunk.end).unwrap_or("")
    }

    fn chunk_span(&self, chunk: &Chunk) -> Span {
        self.span(chunk.start, chunk.end)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }
}

fn item_span(item: &Item) -> Span {
    match item {
        Item::Param(param) => param.span,
        Item::Let(value) => value.span,
        Item::Require(require) => require.span,
        Item::Step(step) => step.span,
        Item::OnFailure(on_failure) => on_failure.span,
        Item::Error(span) => *span,
    }
}
