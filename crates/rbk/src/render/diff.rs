//! What `rbk env diff` found, for people and as JSON.

use super::colour::{Paint, printable};
use super::stack;
use rbk_core::drift::{Difference, OfDatabase, Report, Unseen};
use rbk_core::environment::Environment;
use rbk_core::stack::Settings;
use serde::Serialize;
use std::fmt::Write;

/// The most differences of one thing that are shown.
const SHOWN: usize = 40;

/// The JSON document. Keys are added, never changed.
#[derive(Debug, Serialize)]
pub struct Document {
    /// Of this form.
    pub version: u32,
    /// The environment's name.
    pub environment: String,
    /// Twelve digits.
    pub account: String,
    /// `eu-central-1`
    pub region: String,
    /// Whether anything differs or is left over, the stack's file included.
    pub drift: bool,
    /// Whether something could not be seen.
    pub blind: bool,
    /// What was compared.
    #[serde(flatten)]
    pub report: Report,
    /// The stack's settings; absent where the environment has none.
    pub stack: Option<Settings>,
}

impl Document {
    /// Out of what was found.
    pub fn new(environment: &Environment, report: Report, stack: Option<Settings>) -> Self {
        let differs = stack.as_ref().is_some_and(Settings::differ);
        let unread = stack.as_ref().is_some_and(|stack| stack.unread.is_some());
        Self {
            version: 1,
            environment: environment.name.clone(),
            account: environment.account.clone(),
            region: environment.region.clone(),
            drift: differs || !report.is_empty(),
            blind: unread || report.is_blind(),
            report,
            stack,
        }
    }
}

/// For reading.
pub fn human(document: &Document, paint: Paint) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{text}");
    };
    line(format!(
        "{}: account {}, region {}",
        paint.bold(&document.environment),
        document.account,
        document.region
    ));
    for (name, of) in &document.report.databases {
        line(format!(
            "\n{}  {}",
            paint.bold(name),
            printable(&whereabouts(of))
        ));
        if of.differences.is_empty() && of.status.is_some() {
            let compared = of
                .compared
                .as_ref()
                .map_or_else(String::new, |compared| format!(", schema ({compared})"));
            line(format!(
                "  {} as file and lock file say: settings, secrets{}",
                paint.green("✓"),
                printable(&compared)
            ));
        }
        differences(&of.differences, paint, &mut line);
        unseen(&of.unseen, paint, &mut line);
    }
    for (name, of) in &document.report.applications {
        let uses = match (&of.active, &of.active_secret) {
            (Some(database), Some(secret)) => format!("uses {database}, by `{secret}`"),
            (None, Some(secret)) => {
                format!("is to use `{secret}`, which is of none of its databases")
            }
            (_, None) => "its active database isn't known".to_owned(),
        };
        line(format!("\n{}  {}", paint.bold(name), printable(&uses)));
        differences(&of.differences, paint, &mut line);
        unseen(&of.unseen, paint, &mut line);
    }
    let report = &document.report;
    if !report.leftovers.is_empty() || !report.unseen.is_empty() {
        line(format!("\n{}", paint.bold("Left over from runs")));
        for left in &report.leftovers {
            line(format!(
                "  {} {}",
                paint.yellow("!"),
                printable(&left.to_string())
            ));
        }
        unseen(&report.unseen, paint, &mut line);
    }
    if let Some(settings) = &document.stack {
        line(format!("\n{}", stack::block(paint, settings).trim_end()));
    }
    let last = match (document.drift, document.blind) {
        (true, false) => paint.yellow("\nThere is drift."),
        (true, true) => paint.yellow("\nThere is drift, and not everything could be seen."),
        (false, true) => paint.yellow("\nNo drift in what could be seen; not everything could be."),
        (false, false) => paint.green("\nNo drift."),
    };
    line(last);
    out
}

fn whereabouts(of: &OfDatabase) -> String {
    match (&of.status, of.needed) {
        (Some(status), _) => format!("instance {}, {status}", of.instance),
        (None, true) => format!("instance {} isn't there", of.instance),
        (None, false) if of.unseen.is_empty() => {
            format!("instance {} isn't there, and need not be", of.instance)
        }
        (None, false) => format!("instance {}", of.instance),
    }
}

fn differences(found: &[Difference], paint: Paint, line: &mut impl FnMut(String)) {
    for Difference {
        object,
        expected,
        found,
    } in found.iter().take(SHOWN)
    {
        let object = printable(object);
        line(match (expected, found) {
            (Some(expected), Some(found)) => format!(
                "  {} {object}: {} is wanted, {} is there",
                paint.yellow("~"),
                printable(expected),
                printable(found)
            ),
            (None, _) => format!(
                "  {} {object} is there, and not expected",
                paint.yellow("+")
            ),
            (Some(_), None) => format!("  {} {object} is missing", paint.red("-")),
        });
    }
    if found.len() > SHOWN {
        line(format!("  and {} more", found.len() - SHOWN));
    }
}

fn unseen(unseen: &[Unseen], paint: Paint, line: &mut impl FnMut(String)) {
    for Unseen { what, why } in unseen {
        line(format!(
            "  {} {} not compared: {}",
            paint.cyan("?"),
            printable(what),
            printable(why)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbk_core::drift::{Leftover, OfApplication};
    use rbk_core::stack::Setting;

    fn document() -> Document {
        let of = |status: Option<&str>, needed| OfDatabase {
            instance: "db".into(),
            status: status.map(str::to_owned),
            needed,
            compared: Some("34 tables".to_owned()),
            differences: Vec::new(),
            unseen: Vec::new(),
        };
        let differs = |object: &str, expected: Option<&str>, found: Option<&str>| Difference {
            object: object.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
        };
        let blind = |what: &str| Unseen {
            what: what.to_owned(),
            why: "no permission\u{1b}[2J".to_owned(),
        };
        let mut original = of(Some("available"), true);
        original.differences = vec![
            differs("the class", Some("db.r6g.large"), Some("db.r6g.xlarge")),
            differs("index public.a_idx", Some("btree"), None),
            differs("table public.new", None, Some("")),
        ];
        let mut blinded = of(Some("available"), false);
        blinded.unseen = vec![blind("schema")];
        Document {
            version: 1,
            environment: "prod".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            drift: true,
            blind: true,
            report: Report {
                databases: [
                    ("original".into(), original),
                    ("recovery".into(), of(None, false)),
                    ("stage".into(), blinded),
                    ("twin".into(), of(Some("available"), false)),
                    ("lost".into(), of(None, true)),
                ]
                .into(),
                applications: [
                    (
                        "sgpt".into(),
                        OfApplication {
                            active_secret: Some("rds/original".to_owned()),
                            active: Some("original".into()),
                            ..OfApplication::default()
                        },
                    ),
                    ("other".into(), OfApplication::default()),
                ]
                .into(),
                leftovers: vec![Leftover {
                    kind: "endpoint".to_owned(),
                    id: "rbk-1f3a9c02-load-source".to_owned(),
                    status: Some("active".to_owned()),
                    run: Some("20261122T091500Z-1f3a9c02".to_owned()),
                }],
                unseen: vec![blind("what rbk made in DMS")],
            },
            stack: Some(Settings {
                file: Some("stacks/config.py".into()),
                section: vec!["CONFIG".to_owned()],
                unread: None,
                settings: vec![Setting {
                    name: "recovery_enabled".to_owned(),
                    expression: "recovery exists".to_owned(),
                    wanted: Some("False".to_owned()),
                    why: None,
                    found: Some("True".to_owned()),
                    line: Some(12),
                    differs: Some(true),
                }],
            }),
        }
    }

    #[test]
    fn everything_is_told() {
        insta::assert_snapshot!("diff_human", human(&document(), Paint::new(false)));
    }

    #[test]
    fn the_json_document_keeps_its_keys() {
        insta::assert_snapshot!("diff_json", crate::render::json_text(&document()));
    }
}
