//! Diagnostics for programs.

use super::{Counts, Finding};
use crate::mend::Mended;
use rbk_syntax::{Diagnostic, Fix, Label, Safety, Severity, Sources, Span};
use serde::Serialize;
use std::collections::HashMap;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// The JSON document.
#[derive(Serialize)]
struct Document {
    version: u32,
    diagnostics: Vec<Entry>,
    summary: Counts,
    /// What was mended before, by `check --fix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<Vec<Mend>>,
}

/// The places are those of the text in which it was mended.
#[derive(Serialize)]
struct Mend {
    code: String,
    message: String,
    file: String,
    line: usize,
    column: usize,
    written: String,
    replacement: String,
}

#[derive(Serialize)]
struct Entry {
    code: String,
    severity: Severity,
    message: String,
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    label: String,
    related: Vec<Related>,
    help: Option<String>,
    fix: Option<Edit>,
}

#[derive(Serialize)]
struct Related {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    label: String,
}

#[derive(Serialize)]
struct Edit {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    replacement: String,
    /// Whether `rbk check --fix` applies it.
    safe: bool,
}

/// One-based lines and columns (in characters); the end is behind the last character.
struct Place {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

/// Writes all diagnostics as one JSON document.
pub fn json(findings: &[Finding<'_>]) -> String {
    json_mended(findings, None)
}

/// The same, and what was mended before, where that was asked for.
pub fn json_mended(findings: &[Finding<'_>], mended: Option<&[Mended]>) -> String {
    let mut diagnostics = Vec::new();
    for finding in findings {
        let mut places = Places::new(finding.sources);
        diagnostics.extend(
            finding
                .diagnostics
                .iter()
                .map(|diagnostic| places.entry(diagnostic)),
        );
    }
    crate::render::json_text(&Document {
        version: VERSION,
        diagnostics,
        summary: Counts::of(findings),
        mended: mended.map(|mended| mended.iter().map(mend).collect()),
    })
}

fn mend(mended: &Mended) -> Mend {
    Mend {
        code: mended.code.to_string(),
        message: mended.message.clone(),
        file: mended.file.clone(),
        line: mended.line,
        column: mended.column,
        written: mended.written.clone(),
        replacement: mended.replacement.clone(),
    }
}

/// Finds lines and columns, with each text's line starts looked up once.
struct Places<'a> {
    sources: &'a Sources,
    starts: HashMap<rbk_syntax::SourceId, Vec<usize>>,
}

impl<'a> Places<'a> {
    fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            starts: HashMap::new(),
        }
    }

    fn entry(&mut self, diagnostic: &Diagnostic) -> Entry {
        let Place {
            file,
            line,
            column,
            end_line,
            end_column,
        } = self.place(diagnostic.primary.span);
        Entry {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            file,
            line,
            column,
            end_line,
            end_column,
            label: diagnostic.primary.text.clone(),
            related: diagnostic
                .related
                .iter()
                .map(|label| self.related(label))
                .collect(),
            help: diagnostic.help.clone(),
            fix: diagnostic.fix.as_ref().map(|fix| self.edit(fix)),
        }
    }

    fn related(&mut self, label: &Label) -> Related {
        let Place {
            file,
            line,
            column,
            end_line,
            end_column,
        } = self.place(label.span);
        Related {
            file,
            line,
            column,
            end_line,
            end_column,
            label: label.text.clone(),
        }
    }

    fn edit(&mut self, fix: &Fix) -> Edit {
        let Place {
            file,
            line,
            column,
            end_line,
            end_column,
        } = self.place(fix.span);
        Edit {
            file,
            line,
            column,
            end_line,
            end_column,
            replacement: fix.replacement.clone(),
            safe: fix.safety == Safety::Safe,
        }
    }

    fn place(&mut self, span: Span) -> Place {
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
