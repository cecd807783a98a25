//! What is told about a text: one shape for syntax, names, types, state and environment files.
//!
//! Each pass has its own error enum; it turns into a [`Diagnostic`] at the end of the pass, so that
//! rendering, JSON and editors know one type only.

use crate::similar::Near;
use crate::span::Span;
use serde::Serialize;

/// A diagnostic's number, for instance `RBK2004`. The registry of all of them is `rbk_core::codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Hint,
    /// Probably a mistake; the runbook can still be planned.
    Warning,
    /// Nothing is planned from a runbook that has one.
    Error,
}

/// A place with its own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there, a few words.
    pub text: String,
}

/// A change of the text that mends the diagnostic.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    /// What is replaced; an empty span inserts.
    pub span: Span,
    /// The new text.
    pub replacement: String,
    /// Who may apply it.
    pub safety: Safety,
}

/// Who may apply a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// It writes down what can only have been meant: `rbk check --fix` applies it. Nothing is done to a database that was
    /// not written already.
    Safe,
    /// Somebody has to decide: it adds a statement, guesses a value, or one of several is meant. It is only shown.
    Shown,
}

/// One thing told about a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Its number.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, the user's words in backticks.
    pub message: String,
    /// Where.
    pub primary: Label,
    /// Other places that belong to it.
    pub related: Vec<Label>,
    /// What to do now; often the line to add.
    pub help: Option<String>,
    /// The same as an edit, where one edit does it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label {
                span,
                text: label.into(),
            },
            related: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// The same as a warning.
    pub fn warning(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, span, label)
        }
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a related place.
    pub fn relate(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds the edit that mends it, for somebody to decide on.
    pub fn fix(self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix_with(span, replacement, Safety::Shown)
    }

    /// Adds the edit that mends it and can only have been meant.
    pub fn safe_fix(self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix_with(span, replacement, Safety::Safe)
    }

    /// Puts the word that was meant in the place of a misspelt one; safe where it is the only one that is near.
    pub fn fix_spelling(self, span: Span, near: Near<'_>) -> Self {
        let safety = if near.is_only {
            Safety::Safe
        } else {
            Safety::Shown
        };
        self.fix_with(span, near.word, safety)
    }

    /// Adds the edit that mends it.
    pub fn fix_with(mut self, span: Span, replacement: impl Into<String>, safety: Safety) -> Self {
        self.fix = Some(Fix {
            span,
            replacement: replacement.into(),
            safety,
        });
        self
    }
}

/// Whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
