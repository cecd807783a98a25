//! Where a diagnostic is, as lines and columns.

use rbk_syntax::{SourceId, Sources, Span};
use std::collections::HashMap;

/// One-based lines and columns (in characters); the end is behind the last character.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

/// Finds lines and columns, with each text's line starts looked up once.
pub(super) struct Places<'a> {
    sources: &'a Sources,
    starts: HashMap<SourceId, Vec<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            starts: HashMap::new(),
        }
    }

    pub(super) fn place(&mut self, span: Span) -> Place {
        let (line, column) = self.line_column(span, span.start as usize);
        let (end_line, end_column) = self.line_column(span, span.end as usize);
        Place {
            file: self
                .sources
                .get(span.source)
                .map_or_else(String::new, |source| source.name.clone()),
            line,
            column,
            end_line,
            end_column,
        }
    }

    fn line_column(&mut self, span: Span, offset: usize) -> (usize, usize) {
        let Some(source) = self.sources.get(span.source) else {
            return (1, 1);
        };
        let starts = self.starts.entry(span.source).or_insert_with(|| {
            std::iter::once(0)
                .chain(source.text.match_indices('\n').map(|(index, _)| index + 1))
                .collect()
        });
        let line = starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|index| starts.get(index))
            .copied()
            .unwrap_or(0);
        let column = source
            .text
            .get(start..offset)
            .map_or(0, |text| text.chars().count())
            + 1;
        (line, column)
    }
}
