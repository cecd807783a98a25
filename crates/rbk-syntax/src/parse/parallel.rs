//! `parallel { step "…" { … } step "…" { … } }`.

use super::error::SyntaxError;
use super::grammar::Rule;
use super::items::Reader;
use super::scan::{Chunk, Level, Piece};
use super::{diagnose, words};
use crate::ast::{Item, Parallel};
use crate::span::Span;

impl Reader<'_, '_> {
    pub(super) fn parallel(&mut self, chunk: &Chunk) {
        let span = self.chunk_span(chunk);
        let keyword = self.span(chunk.start, chunk.start + "parallel".len());
        self.doc_is_loose();
        let read = self.read(chunk, Rule::parallel, |_, _| ());
        let (steps, end) = match chunk.opens {
            Some(opened) => self.steps(opened),
            None => {
                if read.is_some() {
                    self.missing_block(chunk, "the steps that are done together stand in `{ … }`");
                }
                self.quiet.brace = true;
                (Vec::new(), span.end)
            }
        };
        self.items.push(Item::Parallel(Parallel {
            steps,
            keyword,
            span: Span { end, ..span },
        }));
    }

    /// The steps up to the `}` that belongs to the `{` at `opened`, and where it ends.
    fn steps(&mut self, opened: usize) -> (Vec<crate::ast::Step>, u32) {
        let mut steps = Vec::new();
        let mut end = opened + 1;
        let mut misplaced = false;
        loop {
            let next = self.scanner.peek();
            let rest = self.text.get(next..).unwrap_or("");
            let word = words::first_word(rest);
            // A step at the left edge may still be one of these; nothing else can.
            if words::begins_item(rest) && word != "step" && !self.is_nested(Some(opened), next) {
                self.unclosed_block(Some(opened), end, next);
                return (steps, self.span(end, end).end);
            }
            match self.scanner.next(Level::File) {
                Piece::Doc { start, end } => {
                    self.doc_is_loose();
                    self.pending_doc = Some(self.make_doc(start, end));
                }
                Piece::Close { at } => {
                    self.doc_is_loose();
                    self.suspect_of(Some(opened), at);
                    return (steps, self.span(at, at + 1).end);
                }
                Piece::End => {
                    self.unclosed_block(Some(opened), end, self.text.len());
                    return (steps, self.span(end, end).end);
                }
                Piece::Chunk(chunk) => {
                    if words::first_word(self.written(&chunk)) == "step" {
                        let step = self.step(&chunk);
                        end = step.span.end as usize;
                        steps.push(step);
                    } else {
                        end = chunk.end;
                        self.no_step(&chunk, &mut misplaced);
                    }
                    if chunk.lost {
                        return (steps, self.span(end, end).end);
                    }
                }
            }
        }
    }

    /// What stands between the steps and is none. Of several, the first is told of.
    fn no_step(&mut self, chunk: &Chunk, misplaced: &mut bool) {
        let written = self.written(chunk);
        let word = words::first_word(written);
        let (shown, place) = diagnose::shown_word(self.source, chunk, written, word);
        let is_told = std::mem::replace(misplaced, true);
        let near = self.similar(word, ["step"].into_iter());
        if !is_told {
            let is_known = words::is_item(word) || words::statement(word).is_some();
            self.problems.add(|| match near {
                Some(near) => SyntaxError::UnknownItem {
                    word: shown,
                    similar: Some(near.word),
                }
                .at(place)
                .fix_spelling(place, near),
                None => {
                    let help = match word {
                        "parallel" => "its steps are done together already: put them all into one",
                        "if" | "else" => "steps are not guarded: put the `if` into a step",
                        _ if is_known => {
                            "nothing but steps stands in `parallel { … }`: put it into one, or outside"
                        }
                        _ => "nothing but steps stands in `parallel { … }`",
                    };
                    SyntaxError::Misplaced { what: shown, help }.at(place)
                }
            });
        }
        self.items.push(Item::Error(self.chunk_span(chunk)));
        self.skip_block(chunk);
    }
}
