//! Diagnostics for people (through miette) and for programs (one JSON document).

use super::colour::{Paint, Screen, printable};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceSpan};
use rbk_syntax::{Diagnostic, Fix, Label, Severity, Source, Sources, Span};
use serde::Serialize;
use std::collections::HashMap;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// How many diagnostics are drawn for people; a hundred of them help nobody.
const DRAWN: usize = 30;

/// Lines longer than this are cut around the place, so that a file of one line can't flood the screen.
const LONGEST_LINE: usize = 240;

/// The diagnostics of one text and what they point into.
pub struct Finding<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// What is told about them.
    pub diagnostics: &'a [Diagnostic],
}

/// How many there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Hints.
    pub hints: usize,
}

impl Counts {
    /// Counts.
    pub fn of(findings: &[Finding<'_>]) -> Self {
        let mut counts = Self::default();
        for diagnostic in findings.iter().flat_map(|finding| finding.diagnostics) {
            match diagnostic.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Hint => counts.hints += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.hints, "hint"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
        f.write_str(&parts.join(", "))
    }
}

/// Draws diagnostics on stderr, if there are any.
pub fn tell(screen: Screen, findings: &[Finding<'_>]) {
    let text = human(findings, screen.err, screen.live, screen.width());
    if !text.is_empty() {
        screen.say(text.trim_end());
    }
}

/// Draws diagnostics with their lines, errors first as they were found, and a summary line.
pub fn human(findings: &[Finding<'_>], paint: Paint, terminal: bool, width: usize) -> String {
    let theme = match (paint.is_on(), terminal) {
        (true, _) => GraphicalTheme::unicode(),
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_links(false)
        .with_context_lines(1);
    let mut out = String::new();
    let mut left = DRAWN;
    for finding in findings {
        for diagnostic in finding.diagnostics {
            if left == 0 {
                break;
            }
            left -= 1;
            // Writing to a String can't fail.
            let _ = handler.render_report(&mut out, &Drawn::new(diagnostic, finding.sources));
            out.push('\n');
        }
    }
    let counts = Counts::of(findings);
    let total = counts.errors + counts.warnings + counts.hints;
    if total > DRAWN {
        out.push_str(&format!("… and {} more\n", total - DRAWN));
    }
    if total > 0 {
        out.push_str(&format!("{counts}\n"));
    }
    out
}

/// A diagnostic as miette wants it: labels in the primary's text, and what stands elsewhere as related reports.
#[derive(Debug)]
struct Drawn {
    code: String,
    severity: Severity,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Drawn>,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
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

/// A text as it is drawn: control characters made harmless, long lines cut down to what is near a place.
struct Window {
    name: String,
    text: String,
    /// Pieces that were kept: where each begins in the file, where in `text`, and its length. Empty: all was kept.
    kept: Vec<(usize, usize, usize)>,
}

impl Window {
    /// Prepares the text. Most texts have neither long lines nor control characters and are taken as they are.
    fn around(source: &Source, primary: Span, related: &[&Label]) -> Self {
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
    fn label(&self, label: &Label, primary: bool) -> Option<LabeledSpan> {
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

    fn source(self) -> NamedSource<String> {
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

/// The JSON document.
#[derive(Serialize)]
struct Document {
    version: u32,
    diagnostics: Vec<Entry>,
    summary: Counts,
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
    super::json_text(&Document {
        version: VERSION,
        diagnostics,
        summary: Counts::of(findings),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use rbk_syntax::Code;

    fn sources() -> (Sources, Span, Span, Span) {
        let mut sources = Sources::default();
        let text = "step \"Restore\" {\n  restore target form snap\n  keep target\n}\n";
        let runbook = sources.add("quick.rbk", text);
        let environment = sources.add("prod.toml", "[databases.original]\nprotect = true\n");
        let at = |id, text: &str, word: &str| {
            let start = text.find(word).unwrap();
            Span::new(id, start, start + word.len())
        };
        (
            sources,
            at(runbook, text, "form"),
            at(runbook, text, "keep"),
            Span::new(environment, 21, 35),
        )
    }

    fn diagnostic() -> (Sources, Diagnostic) {
        let (sources, form, keep, protect) = sources();
        let diagnostic = Diagnostic::error(
            Code("RBK1001"),
            "expected `from`",
            form,
            "not a word of `restore`",
        )
        .relate(keep, "also here")
        .relate(protect, "declared here")
        .help("write `from`")
        .fix(form, "from");
        (sources, diagnostic)
    }

    #[test]
    fn a_diagnostic_is_drawn_with_all_its_places() {
        let (sources, diagnostic) = diagnostic();
        let findings = [Finding {
            sources: &sources,
            diagnostics: std::slice::from_ref(&diagnostic),
        }];
        insta::assert_snapshot!(human(&findings, Paint::PLAIN, false, 80));
    }

    #[test]
    fn the_json_document_has_every_place_as_line_and_column() {
        let (sources, diagnostic) = diagnostic();
        let findings = [Finding {
            sources: &sources,
            diagnostics: std::slice::from_ref(&diagnostic),
        }];
        insta::assert_snapshot!(json(&findings));
    }

    #[test]
    fn a_huge_line_and_control_characters_stay_off_the_screen() {
        let mut sources = Sources::default();
        let text = format!(
            "{}\u{1b}[2J wrong {}\n",
            "x".repeat(50_000),
            "y".repeat(50_000)
        );
        let id = sources.add("long.rbk", text.clone());
        let start = text.find("wrong").unwrap();
        let diagnostics = [Diagnostic::error(
            Code("RBK1001"),
            "no",
            Span::new(id, start, start + 5),
            "here",
        )];
        let drawn = human(
            &[Finding {
                sources: &sources,
                diagnostics: &diagnostics,
            }],
            Paint::PLAIN,
            false,
            80,
        );
        assert!(drawn.contains("wrong"));
        assert!(!drawn.contains('\u{1b}'));
        assert!(drawn.matches('x').count() < 200 && drawn.matches('y').count() < 200);
    }

    #[test]
    fn many_diagnostics_are_counted_not_drawn() {
        let (sources, diagnostic) = diagnostic();
        let diagnostics = vec![diagnostic; 100];
        let drawn = human(
            &[Finding {
                sources: &sources,
                diagnostics: &diagnostics,
            }],
            Paint::PLAIN,
            false,
            80,
        );
        assert!(drawn.ends_with("… and 70 more\n100 errors\n"));
    }
}
