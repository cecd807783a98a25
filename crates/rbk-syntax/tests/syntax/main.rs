//! What texts are read as, and what is told about those that can't be read.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod errors;
mod files;
mod fixes;
mod limits;
mod mutations;
mod render;
mod values;

use rbk_syntax::{SourceId, parse, parse_expression};

/// The quick recovery of the language's own page.
const QUICK_RECOVERY: &str = include_str!("../texts/quick-recovery.rbk");

/// Everything that a rebuilt schema needs.
const REBUILD: &str = include_str!("../texts/rebuild.rbk");

/// Branches, steps that are done together, points in time, and names like their words.
const BRANCHES: &str = include_str!("../texts/branches.rbk");

/// Reads a file and returns it with its tree and everything that is told about it.
#[track_caller]
fn file(text: &str) -> String {
    let parsed = parse(SourceId::default(), text);
    let mut out = format!("{}\n", render::visible(text));
    if let Some(runbook) = &parsed.runbook {
        out.push_str(&render::runbook(runbook, text));
    }
    for span in &parsed.trivia {
        out.push_str(&format!("trivia {}\n", render::covered(text, *span)));
    }
    out.push_str(&render::diagnostics(&parsed.diagnostics, text));
    out
}

/// Reads statements of a step, and returns only what is told about them.
#[track_caller]
fn told(statements: &str) -> String {
    let text = format!("runbook \"R\"\nstep \"S\" {{\n{statements}\n}}\n");
    told_of_file(&text)
}

/// Reads a file and returns only what is told about it.
#[track_caller]
fn told_of_file(text: &str) -> String {
    let parsed = parse(SourceId::default(), text);
    assert!(
        !parsed.diagnostics.is_empty(),
        "nothing is told of:\n{text}"
    );
    render::diagnostics(&parsed.diagnostics, text)
}

/// Reads an expression and returns its tree, or what is told about it.
#[track_caller]
fn value(text: &str) -> String {
    match parse_expression(SourceId::default(), text) {
        Ok(expression) => render::expression(&expression, text),
        Err(diagnostics) => render::diagnostics(&diagnostics, text),
    }
}
