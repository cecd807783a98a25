//! What a look ahead of a run found: each precondition with what was seen, then what else, then what could not be seen.

use super::colour::{Paint, printable};
use rbk_core::plan::Plan;
use rbk_core::run::{Check, Online, Verdict, Weight};
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
            (_, None) => printable(only_seen(check)),
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
    // What stands among the checks has been told.
    let is_told = |what: &str| online.checks.iter().any(|check| check.asks == what);
    let mut unseen = online
        .unseen
        .iter()
        .filter(|unseen| !is_told(&unseen.what))
        .peekable();
    if unseen.peek().is_some() {
        line(String::new());
        line(paint.bold("Not seen"));
    }
    for unseen in unseen {
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

/// What was seen, without what was asked, which stands before it already.
fn only_seen(check: &Check) -> &str {
    let behind = check.seen.strip_prefix(check.asks.as_str());
    behind
        .and_then(|behind| behind.strip_prefix(": "))
        .unwrap_or(&check.seen)
}

/// The most lines of a kind in a comment.
const SHOWN: usize = 20;

/// For a comment, behind the plan: what doesn't hold, what was found, what could not be seen.
pub fn markdown(online: &Online) -> String {
    let mut out = format!("### What is there at {:.0}\n\n", online.at);
    out.push_str(if online.stops() {
        "**A run would stop.**"
    } else if online.is_blind() {
        "**Nobody can tell whether a run would begin.**"
    } else {
        "Nothing was found that would stop a run, as far as it could be seen."
    });
    out.push_str(" Only read, nothing was changed.\n\n");
    let fails = online
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fails)
        .map(|check| {
            let code = check.code.as_deref().unwrap_or_default();
            format!("❌ {code} {}: {}", plain(&check.asks), plain(&check.seen))
        });
    let found = online.findings.iter().map(|finding| {
        let mark = match finding.weight {
            Weight::Stops => "❌",
            Weight::Hinders => "⚠️",
        };
        let code = finding.code.as_deref().unwrap_or_default();
        format!("{mark} {code} {}", plain(&finding.what))
    });
    list(&mut out, fails.chain(found).collect());
    let unseen = online.unseen.iter();
    list(
        &mut out,
        unseen
            .map(|unseen| {
                format!(
                    "❔ not seen: {}, because: {}",
                    plain(&unseen.what),
                    plain(&unseen.why)
                )
            })
            .collect(),
    );
    let holds = online
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Holds)
        .map(|check| format!("✅ {}: {}", plain(&check.asks), plain(only_seen(check))));
    list(&mut out, holds.collect());
    out
}

fn list(out: &mut String, lines: Vec<String>) {
    for line in lines.iter().take(SHOWN) {
        let _ = writeln!(out, "- {line}");
    }
    if lines.len() > SHOWN {
        let _ = writeln!(out, "- and {} more: see the log", lines.len() - SHOWN);
    }
    if !lines.is_empty() {
        out.push('\n');
    }
}

/// Text from outside that neither begins markup nor another line, and isn't too long.
fn plain(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut out = String::new();
    for letter in printable(text).chars().take(LONGEST) {
        match letter {
            '\n' | '\r' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    out
}
