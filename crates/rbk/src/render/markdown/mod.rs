//! Plans, what a change does to them, and what is wrong with a runbook, as the comment of a pull request.
//!
//! What is written is Markdown that consists of HTML blocks only; `html` says why. It always fits a comment; `page` says how.

mod diff;
mod html;
mod page;
mod plan;
#[cfg(test)]
mod tests;

pub use diff::diff;
pub use plan::plan;

use crate::render::diagnostics::{Counts, Finding};
use html::{clipped, code};
use page::{Item, Section, assemble};
use rbk_core::plan::{Action, PlannedAction, Risk};
use rbk_core::shell::shell_word;
use rbk_syntax::Severity;
use std::path::Path;

/// How much of a line is shown where nothing else bounds it, in characters.
const LINE: usize = 600;

/// What an action does to the world, with its mark.
fn mark(planned: &PlannedAction) -> &'static str {
    match (&planned.action, planned.risk) {
        (Action::Approve { .. } | Action::Note { .. }, _) => "🔵 a person",
        (_, Risk::Reads) => "⚪ reads",
        (_, Risk::Creates) => "🟢 creates",
        (_, Risk::Changes) => "🟡 changes",
        (_, Risk::Destroys) => "🔴 destroys",
    }
}

/// The command that shows all of it.
fn command(file: &str, environment: &str, more: &str) -> String {
    code(&format!(
        "rbk plan {} --env {}{more}",
        shell_word(file),
        shell_word(environment)
    ))
}

/// Where the page comes from.
fn foot(elsewhere: &str) -> String {
    format!(
        "<p><sub>rbk {}. {elsewhere}</sub></p>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// What is wrong with a runbook that can't be planned.
pub fn wrong(file: &Path, finding: &Finding<'_>) -> String {
    let file = file.display().to_string();
    let counts = Counts::of(std::slice::from_ref(finding));
    let head = format!("<h2>❌ {} can't be planned: {counts}</h2>\n\n", code(&file));
    let items = finding.diagnostics.iter().map(|diagnostic| {
        let place = finding.sources.line_column(diagnostic.primary.span);
        let name = finding.sources.get(diagnostic.primary.span.source);
        let at = match (name, place) {
            (Some(source), Some((line, column))) => format!("{}:{line}:{column}", source.name),
            (Some(source), None) => source.name.clone(),
            (None, _) => file.clone(),
        };
        let word = match diagnostic.severity {
            Severity::Error => "🔴 error",
            Severity::Warning => "🟡 warning",
            Severity::Hint => "⚪ hint",
        };
        let brief = format!(
            "{word} {} {}: {}",
            diagnostic.code,
            clipped(&at, LINE),
            clipped(&diagnostic.message, LINE)
        );
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| {
            format!("<br>help: {}", clipped(help, LINE))
        });
        Item {
            first: diagnostic.severity == Severity::Error,
            full: format!("<li>{brief}{help}</li>\n"),
            brief: format!("<li>{brief}</li>\n"),
        }
    });
    let section = Section {
        open: "<ul>\n".to_owned(),
        items: items.collect(),
        close: "</ul>\n\n".to_owned(),
        names: ("diagnostic", "diagnostics"),
    };
    let elsewhere = code(&format!("rbk check {}", shell_word(&file)));
    assemble(&head, &[section], &foot(""), &elsewhere)
}
