//! Diagnostics for programs: the JSON document, and the entries that the other forms are made of.

use super::places::{Place, Places};
use super::{Counts, Finding};
use crate::mend::Mended;
use rbk_syntax::{Diagnostic, Fix, Label, Safety, Severity};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// What `rbk check --format json` writes. Keys are added, never changed.
#[derive(Serialize, JsonSchema)]
pub struct Document {
    /// The document's version.
    version: u32,
    /// In the order of files and places. What belongs to an environment is told once for each runbook that is checked.
    diagnostics: Vec<Entry>,
    /// How many there are of each kind.
    summary: Counts,
    /// What was mended before, by `check --fix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<Vec<Mend>>,
}

/// What `check --fix` has mended; the places are those of the text in which it was.
#[derive(Serialize, JsonSchema)]
struct Mend {
    /// The number of what was wrong.
    code: String,
    /// What was wrong.
    message: String,
    /// The file, as it was given.
    file: String,
    /// Where it began.
    line: usize,
    /// Where it began.
    column: usize,
    /// What was written.
    written: String,
    /// What is written now.
    replacement: String,
}

/// One thing told about a text. Lines and columns count from 1, columns in characters; the end is behind the last character.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Entry {
    /// Its number: `RBK2004`.
    pub code: String,
    /// How much it matters.
    #[schemars(with = "SeverityName")]
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The text that it is about, as it was given.
    pub file: String,
    /// Where it begins.
    pub line: usize,
    /// Where it begins.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// Where it ends.
    pub end_column: usize,
    /// What is there, in a few words.
    pub label: String,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// What to do now.
    pub help: Option<String>,
    /// The same as an edit, where one edit does it.
    pub fix: Option<Edit>,
}

/// A place that belongs to a diagnostic.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Related {
    /// The text, as it was given.
    pub file: String,
    /// Where it begins.
    pub line: usize,
    /// Where it begins.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// Where it ends.
    pub end_column: usize,
    /// What is there, in a few words.
    pub label: String,
}

/// A change of a text that mends a diagnostic.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Edit {
    /// The text, as it was given.
    pub file: String,
    /// Where what is replaced begins.
    pub line: usize,
    /// Where what is replaced begins.
    pub column: usize,
    /// Where it ends; where it begins, something is inserted.
    pub end_line: usize,
    /// Where it ends.
    pub end_column: usize,
    /// The new text.
    pub replacement: String,
    /// Whether `rbk check --fix` applies it.
    pub safe: bool,
}

/// How much a diagnostic matters, for the schema.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the names are described, never built")]
enum SeverityName {
    /// Worth knowing; nothing is wrong.
    Hint,
    /// Probably a mistake; the runbook can still be planned.
    Warning,
    /// Nothing is planned from a runbook that has one.
    Error,
}

/// Writes all diagnostics as one JSON document.
pub fn json(findings: &[Finding<'_>]) -> String {
    json_mended(findings, None)
}

/// The same, and what was mended before, where that was asked for.
pub fn json_mended(findings: &[Finding<'_>], mended: Option<&[Mended]>) -> String {
    crate::render::json_text(&Document {
        version: VERSION,
        diagnostics: entries(findings).collect(),
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

/// All diagnostics with their places, in order.
fn entries(findings: &[Finding<'_>]) -> impl Iterator<Item = Entry> {
    findings.iter().flat_map(|finding| {
        let mut places = Places::new(finding.sources);
        finding
            .diagnostics
            .iter()
            .map(move |diagnostic| entry(&mut places, diagnostic))
    })
}

/// The same, each once: what belongs to an environment is found with each runbook that is checked against it.
pub(super) fn each_once(findings: &[Finding<'_>]) -> Vec<Entry> {
    let mut told = HashSet::new();
    entries(findings)
        .filter(|entry| told.insert(entry.clone()))
        .collect()
}

fn entry(places: &mut Places<'_>, diagnostic: &Diagnostic) -> Entry {
    let Place {
        file,
        line,
        column,
        end_line,
        end_column,
    } = places.place(diagnostic.primary.span);
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
            .map(|label| related(places, label))
            .collect(),
        help: diagnostic.help.clone(),
        fix: diagnostic.fix.as_ref().map(|fix| edit(places, fix)),
    }
}

fn related(places: &mut Places<'_>, label: &Label) -> Related {
    let Place {
        file,
        line,
        column,
        end_line,
        end_column,
    } = places.place(label.span);
    Related {
        file,
        line,
        column,
        end_line,
        end_column,
        label: label.text.clone(),
    }
}

fn edit(places: &mut Places<'_>, fix: &Fix) -> Edit {
    let Place {
        file,
        line,
        column,
        end_line,
        end_column,
    } = places.place(fix.span);
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
