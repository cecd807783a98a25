//! What a look ahead of a run found: each precondition with what was seen, then what else, then what could not be seen.

use super::colour::{Paint, printable};
use rbk_core::plan::Plan;
use rbk_core::run::{Online, Verdict, Weight};
use serde::Serialize;
use std::fmt::Write;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// The JSON document: the plan as it would be saved, and what was seen.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The format's version.
    pub version: u32,
    /// The plan: nothing that was seen is in it.
    pub plan: &'a Plan,
    /// What was seen.
    pub online: &'a Online,
}

impl<'a> Document<'a> {
    /// A document in today's format.
    pub fn new(plan: &'a Plan, online: &'a Online) -> Self {
        Self {
            version: VERSION,
            plan,
            online,
        }
    }
}

/// For reading.
pub fn human(online: &Online, paint: Paint) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{text}");
    };
    line(paint.bold(format_args!(
        "What is there at {:.0}; nothing was changed",
        online.at
    )));
    line(String::new());
    for check in &online.checks {
        let mark = match check.verdict {
            Verdict::Holds => paint.green("✓"),
            Verdict::Fails => paint.red("✗"),
            Verdict::Unseen => paint.yellow("?"),
        };
        let seen = match (check.verdict, &check.code) {
            (Verdict::Unseen, _) => format!("not seen: {}", printable(&check.seen)),
            (_, Some(code)) => format!("{code} {}", printable(&check.seen)),
            (_, None) => printable(&check.seen),
        };
        line(format!("  {mark} {}", printable(&check.asks)));
        line(format!("      {seen}"));
        if let Some(help) = &check.help {
            line(format!("      {} {}", paint.cyan("help:"), printable(help)));
        }
    }
    if !online.findings.is_empty() {
        line(String::new());
        line(paint.bold("Found besides"));
    }
    for finding in &online.findings {
        let mark = match finding.weight {
            Weight::Stops => paint.red("✗"),
            Weight::Hinders => paint.yellow("!"),
        };
        let code = finding
            .code
            .as_ref()
            .map_or(String::new(), |code| format!("{code} "));
        line(format!("  {mark} {code}{}", printable(&finding.what)));
        line(format!(
            "      {} {}",
            paint.cyan("help:"),
            printable(&finding.help)
        ));
    }
    if !online.unseen.is_empty() {
        line(String::new());
        line(paint.bold("Not seen"));
    }
    for unseen in &online.unseen {
        line(format!(
            "  {} {}, because: {}",
            paint.yellow("?"),
            printable(&unseen.what),
            printable(&unseen.why)
        ));
    }
    line(String::new());
    line(if online.stops() {
        paint.red("A run would stop: see ✗ above.")
    } else if online.is_blind() {
        paint.yellow("Nobody can tell whether a run would begin: see ? above.")
    } else if online.unseen.is_empty() {
        paint.green("Nothing was found that would stop a run.")
    } else {
        paint.green("Nothing was found that would stop a run, as far as it could be seen.")
    });
    out
}
