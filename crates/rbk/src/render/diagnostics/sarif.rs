//! Diagnostics as SARIF 2.1.0, for code scanning and editors. Source: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0",
//! OASIS.

use super::Finding;
use super::json::{Edit, Entry, Related, each_once};
use crate::pages;
use crate::render::colour::printable;
use rbk_syntax::{Code, Severity};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Where SARIF's own schema is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What paths of this document are relative to: where rbk was started, which in a pipeline is the repository's root.
const ROOT: &str = "%SRCROOT%";

/// Writes all diagnostics as one SARIF document. Columns count characters, as everywhere in rbk, and the document says so.
pub fn sarif(findings: &[Finding<'_>]) -> String {
    let entries = each_once(findings);
    let used: BTreeSet<&str> = entries.iter().map(|entry| entry.code.as_str()).collect();
    let rules: Vec<Value> = rbk_core::codes::all()
        .filter(|(code, _)| used.contains(code.0))
        .map(|(code, title)| rule(code, title))
        .collect();
    let indexes: BTreeMap<String, usize> = rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| Some((rule.get("id")?.as_str()?.to_owned(), index)))
        .collect();
    let results: Vec<Value> = entries
        .iter()
        .map(|entry| result(entry, &indexes))
        .collect();
    crate::render::json_text(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rbk",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: { "description": { "text": "the directory that rbk was started in" } } },
            "results": results,
        }],
    }))
}

/// A rule; its page is the one of `rbk explain`.
fn rule(code: Code, title: &str) -> Value {
    let text = format!("{title}. `rbk explain {code}` tells what goes wrong and how it is mended.");
    let page = pages::page(code).unwrap_or(&text);
    json!({
        "id": code,
        "shortDescription": { "text": title },
        "help": { "text": text, "markdown": page },
    })
}

fn result(entry: &Entry, rules: &BTreeMap<String, usize>) -> Value {
    let level = match entry.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    };
    let mut message = entry.message.clone();
    if !entry.label.is_empty() {
        message.push_str(&format!(": {}", entry.label));
    }
    if let Some(help) = &entry.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let mut result = Map::new();
    let mut set = |name: &str, value: Value| {
        result.insert(name.to_owned(), value);
    };
    set("ruleId", json!(entry.code));
    if let Some(index) = rules.get(&entry.code) {
        set("ruleIndex", json!(index));
    }
    set("level", json!(level));
    set("message", json!({ "text": plain(&message) }));
    set(
        "locations",
        json!([{ "physicalLocation": {
            "artifactLocation": artifact(&entry.file),
            "region": region(entry.line, entry.column, entry.end_line, entry.end_column),
        } }]),
    );
    if !entry.related.is_empty() {
        let related = entry.related.iter().enumerate();
        let related: Vec<Value> = related.map(|(id, it)| related_location(id, it)).collect();
        set("relatedLocations", json!(related));
    }
    if let Some(edit) = &entry.fix {
        set("fixes", json!([fix(edit, entry)]));
    }
    Value::Object(result)
}

fn related_location(id: usize, related: &Related) -> Value {
    json!({
        "id": id,
        "message": { "text": plain(&related.label) },
        "physicalLocation": {
            "artifactLocation": artifact(&related.file),
            "region": region(related.line, related.column, related.end_line, related.end_column),
        },
    })
}

fn fix(edit: &Edit, entry: &Entry) -> Value {
    let description = entry.help.as_deref().unwrap_or("write this");
    json!({
        "description": { "text": plain(description) },
        "artifactChanges": [{
            "artifactLocation": artifact(&edit.file),
            "replacements": [{
                "deletedRegion": region(edit.line, edit.column, edit.end_line, edit.end_column),
                "insertedContent": { "text": edit.replacement },
            }],
        }],
    })
}

/// A message; SARIF reads `[…](…)` in it as a link, and rbk means none.
fn plain(text: &str) -> String {
    let text = printable(text).replace('\\', "\\\\");
    text.replace('[', "\\[").replace(']', "\\]")
}

fn region(line: usize, column: usize, end_line: usize, end_column: usize) -> Value {
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// A file, relative to where rbk was started if it is within.
fn artifact(file: &str) -> Value {
    let here = std::env::current_dir().unwrap_or_default();
    let path = without_dots(&here.join(file));
    match path.strip_prefix(&here) {
        Ok(inside) => json!({ "uri": uri(inside), "uriBaseId": ROOT }),
        Err(_) => json!({ "uri": format!("file://{}", uri(&path)) }),
    }
}

fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A path with what a URI can't hold written in percents. Source: RFC 3986, 2.3.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
