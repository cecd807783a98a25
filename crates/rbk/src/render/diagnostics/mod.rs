//! Diagnostics for people (through miette) and for programs (one JSON document).

mod drawn;
mod json;
mod lines;
mod places;
mod sarif;
mod window;

pub use json::{Document, json, json_mended};
pub use lines::{compact, github};
pub use sarif::sarif;

use super::colour::{Paint, Screen};
use drawn::Drawn;
use miette::{GraphicalReportHandler, GraphicalTheme};
use rbk_syntax::{Diagnostic, Severity, Sources};
use schemars::JsonSchema;
use serde::Serialize;

/// How many diagnostics are drawn for people; a hundred of them help nobody.
const DRAWN: usize = 30;

/// How many codes the last line names; nobody reads more pages at once.
const EXPLAINED: usize = 5;

/// The diagnostics of one text and what they point into.
pub struct Finding<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// What is told about them.
    pub diagnostics: &'a [Diagnostic],
}

/// How many there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
        // For whoever reads it as it happens; a log is full enough, and the codes stand in it.
        if terminal {
            out.push_str(&explained(findings, paint));
        }
    }
    out
}

/// One line that says how to read more about what was drawn.
fn explained(findings: &[Finding<'_>], paint: Paint) -> String {
    let mut codes: Vec<&str> = Vec::new();
    let diagnostics = findings.iter().flat_map(|finding| finding.diagnostics);
    for diagnostic in diagnostics.take(DRAWN) {
        if !codes.contains(&diagnostic.code.0) {
            codes.push(diagnostic.code.0);
        }
    }
    codes.truncate(EXPLAINED);
    format!(
        "{} rbk explain {}\n",
        paint.dim("explain:"),
        codes.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbk_syntax::{Code, Span};

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
        insta::assert_snapshot!(human(&findings, Paint::new(false), false, 80));
    }

    #[test]
    fn a_terminal_is_told_once_how_to_read_more() {
        let (sources, one) = diagnostic();
        let mut other = one.clone();
        other.code = Code("RBK2004");
        let diagnostics = [one.clone(), other, one];
        let findings = [Finding {
            sources: &sources,
            diagnostics: &diagnostics,
        }];
        let end = "3 errors\nexplain: rbk explain RBK1001 RBK2004\n";
        assert!(human(&findings, Paint::new(false), true, 80).ends_with(end));
        assert!(!human(&findings, Paint::new(false), false, 80).contains("explain"));
        assert_eq!(human(&[], Paint::new(false), true, 80), "");
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
            Paint::new(false),
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
            Paint::new(false),
            false,
            80,
        );
        assert!(drawn.ends_with("… and 70 more\n100 errors\n"));
    }
}
