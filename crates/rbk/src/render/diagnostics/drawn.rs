//! A diagnostic in miette's shape.

use super::window::Window;
use crate::render::colour::printable;
use miette::{LabeledSpan, NamedSource};
use rbk_syntax::{Diagnostic, Label, Severity, Sources};

/// A diagnostic as miette wants it: labels in the primary's text, and what stands elsewhere as related reports.
#[derive(Debug)]
pub(super) struct Drawn {
    code: String,
    severity: Severity,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Drawn>,
}

impl Drawn {
    pub(super) fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let primary = &diagnostic.primary;
        let (here, there): (Vec<&Label>, Vec<&Label>) = diagnostic
            .related
            .iter()
            .partition(|label| label.span.source == primary.span.source);
        let window = sources
            .get(primary.span.source)
            .map(|source| Window::around(source, primary.span, &here));
        let mut labels = Vec::new();
        if let Some(window) = &window {
            labels.extend(window.label(primary, true));
            labels.extend(here.iter().filter_map(|label| window.label(label, false)));
        }
        Self {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            message: printable(&diagnostic.message),
            help: diagnostic.help.as_deref().map(printable),
            source: window.map(Window::source),
            labels,
            elsewhere: there
                .into_iter()
                .filter_map(|label| Self::elsewhere(label, sources))
                .collect(),
        }
    }

    fn elsewhere(label: &Label, sources: &Sources) -> Option<Self> {
        let window = Window::around(sources.get(label.span.source)?, label.span, &[]);
        Some(Self {
            code: String::new(),
            severity: Severity::Hint,
            message: printable(&label.text),
            help: None,
            labels: window
                .label(
                    &Label {
                        span: label.span,
                        text: String::new(),
                    },
                    true,
                )
                .into_iter()
                .collect(),
            source: Some(window.source()),
            elsewhere: Vec::new(),
        })
    }
}

impl std::fmt::Display for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Drawn {}

impl miette::Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        (!self.code.is_empty()).then(|| Box::new(&self.code) as Box<dyn std::fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Hint => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source
            .as_ref()
            .map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        (!self.elsewhere.is_empty()).then(|| {
            Box::new(
                self.elsewhere
                    .iter()
                    .map(|drawn| drawn as &dyn miette::Diagnostic),
            ) as Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>
        })
    }
}
