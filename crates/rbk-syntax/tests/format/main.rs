//! How texts are laid out: the layout itself, what must never change, and all of it over every runbook there is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod corpus;
mod generated;
mod layout;
mod mangled;

use rbk_syntax::ast::Runbook;
use rbk_syntax::{FormatError, Parsed, SourceId, format, has_errors, parse, parse_used};

/// Lays out a text that is right, and proves what holds of every result.
#[track_caller]
fn formatted(text: &str) -> String {
    let formatted = match format(SourceId::default(), text) {
        Ok(formatted) => formatted,
        Err(error) => panic!("{error:?}\n{text}"),
    };
    let before = read(text);
    let after = read(&formatted);
    assert_eq!(
        without_places(&before),
        without_places(&after),
        "the tree of\n{text}\nis another in\n{formatted}"
    );
    assert_eq!(
        comments(&before, text),
        comments(&after, &formatted),
        "{formatted}"
    );
    let again = format(SourceId::default(), &formatted);
    assert_eq!(again.as_deref(), Ok(formatted.as_str()), "not stable");
    let ends_well = formatted.ends_with('\n') && !formatted.ends_with("\n\n");
    assert!(formatted.is_empty() || ends_well, "{formatted:?}");
    formatted
}

/// Reads a runbook, or a file of procedures.
fn read(text: &str) -> Parsed {
    let parsed = parse(SourceId::default(), text);
    if has_errors(&parsed.diagnostics) {
        return parse_used(SourceId::default(), text);
    }
    parsed
}

/// A tree by everything in it but where it stands.
fn without_places(parsed: &Parsed) -> Vec<String> {
    let Runbook {
        title,
        doc,
        items,
        span: _,
    } = parsed.runbook.as_ref().unwrap();
    let head = [format!("{title:-?}"), format!("{doc:-?}")];
    let items = items.iter().map(|item| format!("{item:-?}"));
    head.into_iter().chain(items).collect()
}

/// The comments in their order, line by line.
fn comments(parsed: &Parsed, text: &str) -> Vec<String> {
    let spans = parsed.trivia.iter();
    let comments = spans.map(|span| &text[span.start as usize..span.end as usize]);
    comments
        .flat_map(str::lines)
        .map(|line| line.trim().to_owned())
        .collect()
}

/// What is told of a text that can't be laid out.
#[track_caller]
fn refused(text: &str) -> Vec<&'static str> {
    match format(SourceId::default(), text) {
        Err(FormatError::Syntax(diagnostics)) => diagnostics
            .iter()
            .map(|diagnostic| diagnostic.code.0)
            .collect(),
        other => panic!("{other:?}"),
    }
}
