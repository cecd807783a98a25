//! The part of a text that is drawn.

use crate::render::colour::printable;
use miette::{LabeledSpan, NamedSource, SourceSpan};
use rbk_syntax::{Label, Source, Span};

/// Lines longer than this are cut around the place, so that a file of one line can't flood the screen.
const LONGEST_LINE: usize = 240;

/// A text as it is drawn: control characters made harmless, long lines cut down to what is near a place.
pub(super) struct Window {
    name: String,
    text: String,
    /// Pieces that were kept: where each begins in the file, where in `text`, and its length. Empty: all was kept.
    kept: Vec<(usize, usize, usize)>,
}

impl Window {
    /// Prepares the text. Most texts have neither long lines nor control characters and are taken as they are.
    pub(super) fn around(source: &Source, primary: Span, related: &[&Label]) -> Self {
        let hostile = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        let long = source
            .text
            .split('\n')
            .any(|line| line.len() > LONGEST_LINE);
        let name = source.name.clone();
        if !long && !source.text.chars().any(hostile) {
            return Self {
                name,
                text: source.text.clone(),
                kept: Vec::new(),
            };
        }
        let places: Vec<Span> = std::iter::once(primary)
            .chain(related.iter().map(|label| label.span))
            .collect();
        let (text, kept) = cut(&source.text, &places);
        Self { name, text, kept }
    }

    /// A label in it; places outside the text are left out rather than drawn wrong.
    pub(super) fn label(&self, label: &Label, primary: bool) -> Option<LabeledSpan> {
        let (start, end) = (
            self.offset(label.span.start as usize),
            self.offset(label.span.end as usize),
        );
        self.text.get(start..end)?;
        let text = (!label.text.is_empty()).then(|| printable(&label.text));
        let span = SourceSpan::new(start.into(), end - start);
        Some(if primary {
            LabeledSpan::new_primary_with_span(text, span)
        } else {
            LabeledSpan::new_with_span(text, span)
        })
    }

    /// Where a byte of the file is drawn.
    fn offset(&self, offset: usize) -> usize {
        let behind = self.kept.partition_point(|(old, ..)| *old <= offset);
        match behind.checked_sub(1).and_then(|index| self.kept.get(index)) {
            Some((old, new, length)) => new + (offset - old).min(*length),
            None => offset,
        }
    }

    pub(super) fn source(self) -> NamedSource<String> {
        NamedSource::new(printable(&self.name), self.text)
    }
}

/// Cuts long lines down to what is near a place, and replaces control characters. Returns the text and the pieces of
/// the original that are in it.
fn cut(text: &str, places: &[Span]) -> (String, Vec<(usize, usize, usize)>) {
    const MARGIN: usize = LONGEST_LINE / 4;
    let near = |offset: usize| {
        places.iter().any(|place| {
            let (start, end) = (place.start as usize, place.end as usize);
            offset + MARGIN >= start && offset <= end.min(start + MARGIN) + MARGIN
        })
    };
    let mut out = String::new();
    let mut kept: Vec<(usize, usize, usize)> = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let long = line.len() > LONGEST_LINE;
        let mut dropping = false;
        for c in line.chars() {
            let drop = long && c != '\n' && !near(offset);
            if drop && !dropping {
                out.push('…');
            }
            if !drop {
                let shown = if c.is_control() && !matches!(c, '\n' | '\t') {
                    ' '
                } else {
                    c
                };
                match kept.last_mut() {
                    Some((old, new, length))
                        if *old + *length == offset
                            && *new + *length == out.len()
                            && shown == c =>
                    {
                        *length += c.len_utf8();
                    }
                    _ => kept.push((offset, out.len(), shown.len_utf8())),
                }
                out.push(shown);
            }
            dropping = drop;
            offset += c.len_utf8();
        }
    }
    (out, kept)
}
