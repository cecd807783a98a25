//! A file from its pieces: items and their documentation.

use super::convert::Converter;
use super::diagnose;
use super::error::SyntaxError;
use super::grammar::{Grammar, Rule};
use super::outline::Outline;
use super::scan::{Chunk, Level, Piece, Scanner};
use super::{Problems, words};
use crate::ast::{Doc, Item, OnFailure, Param, Procedure, Runbook, Step};
use crate::similar::Near;
use crate::span::{SourceId, Span, Spanned};
use pest::Parser;
use pest::iterators::Pair;

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Has a title.
    Runbook,
    /// Is used by a runbook, and has none.
    Used,
}

/// Reads a whole file; the second result is its comments, the third what was noted of it, if that was asked for.
pub(super) fn file(
    kind: Kind,
    source: SourceId,
    text: &str,
    problems: &mut Problems,
    outline: Option<Outline>,
) -> (Runbook, Vec<Span>, Option<Outline>) {
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut reader = Reader {
        kind,
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
        suspect: None,
        depth: 0,
        has_else: false,
    };
    reader.scanner.outline = outline;
    reader.items();
    let outline = reader.scanner.outline.take().map(|outline| Outline {
        comments: reader.scanner.comments.clone(),
        ..outline
    });
    let (runbook, trivia) = reader.finish();
    (runbook, trivia, outline)
}

/// What needs no word any more, because one was said that explains it.
#[derive(Default)]
pub(super) struct Quiet {
    /// Statements between items: the first one is told of.
    pub(super) misplaced: bool,
    /// The next `}` that closes nothing: a block was said to be open too long.
    pub(super) brace: bool,
    /// Blocks that are never closed, up to the next item: the innermost was told of.
    pub(super) unclosed: bool,
    /// The next line, if it begins nothing: the one before broke off.
    pub(super) continuation: bool,
}

/// Reads a file piece by piece.
pub(super) struct Reader<'t, 'p> {
    kind: Kind,
    pub(super) source: SourceId,
    pub(super) text: &'t str,
    pub(super) scanner: Scanner<'t>,
    pub(super) problems: &'p mut Problems,
    pub(super) title: Option<Spanned<String>>,
    pub(super) doc: Option<Doc>,
    /// `##` lines whose item has yet to come.
    pub(super) pending_doc: Option<Doc>,
    /// `##` lines that document nothing.
    pub(super) loose_docs: Vec<Span>,
    pub(super) items: Vec<Item>,
    pub(super) quiet: Quiet,
    /// The `{` whose `}` is indented like that of a block around it: it was probably left out.
    pub(super) suspect: Option<usize>,
    /// How many blocks of `if` are open.
    pub(super) depth: usize,
    /// Whether an `else` may follow the block that is read.
    pub(super) has_else: bool,
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
            let has_only_procedures = !self.items.is_empty()
                && self
                    .items
                    .iter()
                    .all(|item| matches!(item, Item::Use(_) | Item::Procedure(_)));
            if self.kind == Kind::Runbook {
                self.problems.add(|| {
                    SyntaxError::MissingTitle {
                        has_only_procedures,
                    }
                    .at(place)
                    .fix(place, "runbook \"…\"\n\n")
                });
            }
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
        self.suspect = None;
        self.quiet.brace = quiet.brace;
        self.quiet.misplaced = quiet.misplaced && word == "let";
        match word {
            "runbook" | "param" | "let" | "require" | "step" | "parallel" | "on"
                if self.kind == Kind::Used =>
            {
                self.not_in_used(chunk, word);
            }
            "runbook" => self.runbook(chunk),
            "param" => self.param(chunk),
            "let" if words::named(self.written(chunk)).is_some() => self.named(chunk),
            "let" => self.let_value(chunk),
            "require" => self.require(chunk),
            "use" => self.use_file(chunk),
            "procedure" => self.procedure(chunk),
            "step" => {
                let step = self.step(chunk);
                self.items.push(Item::Step(step));
            }
            "parallel" => self.parallel(chunk),
            "on" => self.on_failure(chunk),
            "else" => {
                self.quiet.misplaced = quiet.misplaced;
                if !quiet.misplaced {
                    let place = self.span(chunk.start, chunk.start + word.len());
                    self.problems.add(|| SyntaxError::ElseWithoutIf.at(place));
                }
                self.skip_block(chunk);
            }
            _ if quiet.continuation => {}
            _ if words::statement(word).is_some() => {
                self.quiet.misplaced = true;
                // If it stood in the block before, that was closed too soon.
                self.quiet.brace = true;
                if !quiet.misplaced {
                    self.misplaced_statement(chunk, word);
                }
                self.skip_block(chunk);
            }
            _ => self.unknown_item(chunk, word),
        }
        if !matches!(
            word,
            "param" | "step" | "parallel" | "procedure" | "runbook"
        ) {
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

    fn use_file(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let item = self.read(chunk, Rule::use_file, |converter, pair| {
            converter.use_file(pair, span)
        });
        self.items.push(item.map_or(Item::Error(span), Item::Use));
        self.refuse_block(chunk);
    }

    fn procedure(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let doc = self.pending_doc.take();
        let head = self.read(chunk, Rule::procedure, |converter, pair| {
            converter.procedure(pair, span)
        });
        let (body, end) = self.block(chunk, head.is_some());
        let span = Span { end, ..span };
        self.items.push(match head {
            Some(head) => Item::Procedure(Procedure {
                doc,
                body,
                span,
                ..head
            }),
            None => Item::Error(span),
        });
    }

    pub(super) fn step(&mut self, chunk: &Chunk) -> Step {
        let span = self.chunk_span(chunk);
        let doc = self.pending_doc.take();
        let title = self.read(chunk, Rule::step, |converter, pair| {
            converter.title(pair, "step", span)
        });
        let was_read = title.is_some();
        let title = title.unwrap_or_else(|| self.broken_title(chunk));
        let (body, end) = self.block(chunk, was_read);
        Step {
            doc,
            title,
            body,
            span: Span { end, ..span },
        }
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

    /// What only a runbook holds, in a file that one uses.
    fn not_in_used(&mut self, chunk: &Chunk, word: &str) {
        let span = self.chunk_span(chunk);
        let word_span = self.span(chunk.start, chunk.start + word.len());
        let what = word.to_owned();
        let help = "a file that is used holds nothing but `use` and `procedure`: put procedures into a file of their own";
        self.problems
            .add(|| SyntaxError::Misplaced { what, help }.at(word_span));
        self.items.push(Item::Error(span));
        self.skip_block(chunk);
    }

    /// `let load = replicate …` between items: its uses are not unknown as well.
    fn named(&mut self, chunk: &Chunk) {
        let word = words::named(self.written(chunk)).unwrap_or_default();
        let at = self.written(chunk).find('=').map_or(0, |at| at + 1);
        let behind = self.written(chunk).get(at..).unwrap_or("");
        let start = chunk.end - behind.trim_start().len();
        let place = self.span(start, start + word.len());
        let what = word.to_owned();
        let help = "what is done stands in a block: put `step \"…\" {` before it and `}` behind it";
        self.problems
            .add(|| SyntaxError::Misplaced { what, help }.at(place));
        let span = self.chunk_span(chunk);
        let item = self.broken_let(chunk).map_or(Item::Error(span), Item::Let);
        self.items.push(item);
        self.skip_block(chunk);
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
        let items = words::ITEMS.iter().map(|(word, _)| *word);
        let near = self.similar(word, items.chain(words::clauses()));
        let similar = near.map(|near| near.word);
        let (shown, place) = diagnose::shown_word(self.source, chunk, written, word);
        self.problems.add(|| {
            let error = SyntaxError::UnknownItem {
                word: shown,
                similar,
            };
            match near {
                Some(near) => error.at(place).fix_spelling(place, near),
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
    pub(super) fn similar(
        &self,
        word: &str,
        candidates: impl Iterator<Item = &'static str>,
    ) -> Option<Near<'static>> {
        if self.problems.is_full() {
            None
        } else {
            crate::near(word, candidates)
        }
    }

    /// Lets the grammar read a chunk, or says why it can't.
    pub(super) fn read<T>(
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
        let code = self.scanner.code(chunk);
        match Grammar::parse(rule, &code) {
            Ok(mut pairs) => {
                let pair = pairs.next()?;
                if let Some(outline) = &mut self.scanner.outline {
                    outline.note(chunk.start, pair.clone());
                }
                Some(convert(
                    &mut Converter::new(self.problems, chunk.start),
                    pair,
                ))
            }
            Err(error) => {
                self.quiet.continuation = diagnose::breaks_off(&code, &error);
                let text = self.text;
                self.problems
                    .add(|| diagnose::refusal(source, text, chunk, &error));
                None
            }
        }
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

    pub(super) fn doc_is_loose(&mut self) {
        if let Some(doc) = self.pending_doc.take() {
            self.loose_docs.push(doc.span);
        }
    }

    pub(super) fn make_doc(&self, start: usize, end: usize) -> Doc {
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

    pub(super) fn written(&self, chunk: &Chunk) -> &'t str {
        self.text.get(chunk.start..chunk.end).unwrap_or("")
    }

    pub(super) fn chunk_span(&self, chunk: &Chunk) -> Span {
        self.span(chunk.start, chunk.end)
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }
}

fn item_span(item: &Item) -> Span {
    match item {
        Item::Param(param) => param.span,
        Item::Let(value) => value.span,
        Item::Require(require) => require.span,
        Item::Step(step) => step.span,
        Item::Parallel(parallel) => parallel.span,
        Item::OnFailure(on_failure) => on_failure.span,
        Item::Use(item) => item.span,
        Item::Procedure(procedure) => procedure.span,
        Item::Error(span) => *span,
    }
}
