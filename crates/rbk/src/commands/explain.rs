//! `rbk explain [CODE…]`

use super::unwritten;
use crate::cli::{ExplainArgs, ExplainFormat};
use crate::exit::{Exit, Failure};
use crate::pages::{self, Entry, KINDS};
use crate::render::colour::{Paint, Screen};
use crate::render::{json_text, page};
use rbk_core::codes;
use serde::Serialize;

/// The version of the JSON document.
const VERSION: u32 = 1;

/// The JSON document: what the codes mean, with their pages where some were named.
#[derive(Serialize)]
struct Document {
    version: u32,
    explanations: Vec<Explanation>,
}

#[derive(Serialize)]
struct Explanation {
    code: String,
    kind: &'static str,
    title: &'static str,
    /// Markdown; absent in the list of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'static str>,
}

/// Shows the pages of the diagnostics that are named, or lists all.
pub fn explain(screen: Screen, args: &ExplainArgs) -> Result<Exit, Failure> {
    let named = args
        .codes
        .iter()
        .map(|written| pages::find(written).map_err(|near| unknown(written, &near)))
        .collect::<Result<Vec<Entry>, Failure>>()?;
    let text = match args.format {
        ExplainFormat::Json => json(&named),
        ExplainFormat::Markdown if named.is_empty() => markdown_list(),
        ExplainFormat::Markdown => texts(&named)?.join("\n"),
        ExplainFormat::Human if named.is_empty() => list(screen.out),
        ExplainFormat::Human => texts(&named)?
            .iter()
            .map(|text| page::draw(text, screen.out, screen.width()))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(Exit::Done)
}

/// The Markdown of each. A code without a page can't be released: a test asks for it.
fn texts(named: &[Entry]) -> Result<Vec<&'static str>, Failure> {
    named
        .iter()
        .map(|(code, title)| {
            pages::page(*code)
                .ok_or_else(|| Failure::new(Exit::Bug, format!("`{code}`, {title}, has no page")))
        })
        .collect()
}

fn unknown(written: &str, near: &[Entry]) -> Failure {
    let failure = Failure::usage(format!("there is no diagnostic `{written}`"));
    if near.is_empty() {
        return failure.help("`rbk explain` lists all of them");
    }
    let lines: Vec<String> = near
        .iter()
        .map(|(code, title)| format!("\n  {code}  {title}"))
        .collect();
    failure.help(format!("the nearest are{}", lines.concat()))
}

fn json(named: &[Entry]) -> String {
    let explanation = |(code, title): Entry, page| Explanation {
        code: code.to_string(),
        kind: pages::kind(code),
        title,
        page,
    };
    let explanations = if named.is_empty() {
        codes::all().map(|entry| explanation(entry, None)).collect()
    } else {
        named
            .iter()
            .map(|entry| explanation(*entry, pages::page(entry.0)))
            .collect()
    };
    json_text(&Document {
        version: VERSION,
        explanations,
    })
}

/// Every code with its title, below what it is about.
fn grouped() -> impl Iterator<Item = (&'static str, Vec<Entry>)> {
    KINDS.into_iter().map(|(_, kind)| {
        let entries = codes::all()
            .filter(|(code, _)| pages::kind(*code) == kind)
            .collect();
        (kind, entries)
    })
}

fn list(paint: Paint) -> String {
    let mut out = String::new();
    for (kind, entries) in grouped() {
        out.push_str(&format!("{}\n", paint.bold(kind)));
        for (code, title) in entries {
            out.push_str(&format!("  {}  {title}\n", paint.cyan(code)));
        }
        out.push('\n');
    }
    out.push_str("`rbk explain CODE` shows the page of one.\n");
    out
}

fn markdown_list() -> String {
    let mut out = String::from("# What rbk can say\n");
    for (kind, entries) in grouped() {
        out.push_str(&format!("\n## {kind}\n\n"));
        for (code, title) in entries {
            out.push_str(&format!("- {code}: {title}\n"));
        }
    }
    out
}
