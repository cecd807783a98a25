//! Recognising a saved plan by what is in the file, and reading it.

use super::{FORMAT_KEY, SAVED_PLAN_VERSION, SavedPlan, SavedPlanError, digest_of_document};
use crate::plan::PLAN_VERSION;
use serde_json::Value;

/// Whether somebody who names this file can only mean a saved plan: what no runbook begins with. It may still be another tool's.
pub fn is_meant_as_saved_plan(bytes: &[u8]) -> bool {
    begins_json(bytes) || archive(bytes).is_some()
}

/// Whether the file names our own format in its first key, whole or not.
pub fn is_saved_plan(bytes: &[u8]) -> bool {
    let key = format!("\"{FORMAT_KEY}\"");
    let rest = trimmed(bytes);
    rest.strip_prefix(b"{")
        .is_some_and(|rest| trimmed(rest).starts_with(key.as_bytes()))
}

/// Reads a saved plan, and proves that it is as it was saved.
///
/// # Errors
/// [`SavedPlanError`]: everything but what has to do with the world outside of the file.
pub fn read(bytes: &[u8]) -> Result<SavedPlan, SavedPlanError> {
    if let Some(what) = archive(bytes) {
        return Err(foreign(what));
    }
    if !begins_json(bytes) {
        return Err(foreign("a text"));
    }
    let mut document: Value = match serde_json::from_slice(trimmed(bytes)) {
        Ok(document) => document,
        Err(error) if is_saved_plan(bytes) => {
            let reason = if error.is_eof() {
                format!("it ends in the middle, at line {}", error.line())
            } else {
                error.to_string()
            };
            return Err(SavedPlanError::CutOff { reason });
        }
        Err(_) => return Err(foreign("broken JSON of something else")),
    };
    let Some(version) = document.get(FORMAT_KEY) else {
        return Err(foreign(kind_of(&document)));
    };
    let newer = |found: &Value| SavedPlanError::Newer {
        found: found.to_string(),
    };
    let Some(number) = version.as_u64() else {
        return Err(edited(format!("its version is {version}")));
    };
    if number > u64::from(SAVED_PLAN_VERSION) {
        return Err(newer(version));
    }
    // What another rbk has meant by the rest is nothing that this one can judge, but for the hash.
    let said = document.get("sha256").and_then(Value::as_str);
    let said = said.unwrap_or_default().to_owned();
    let whole = document.clone();
    if digest_of_document(&mut document) != said {
        return Err(edited("its hash isn't that of what it says".to_owned()));
    }
    let saved_by = document.get("rbk").and_then(Value::as_str);
    let saved_by = saved_by.unwrap_or_default().to_owned();
    let plan_version = document.pointer("/plan/version");
    if let Some(found) = plan_version
        && found
            .as_u64()
            .is_some_and(|found| found > u64::from(PLAN_VERSION))
    {
        return Err(newer(found));
    }
    serde_json::from_value(whole).map_err(|error| {
        let running = env!("CARGO_PKG_VERSION");
        if saved_by == running {
            edited(error.to_string())
        } else {
            SavedPlanError::OtherRbk {
                saved: saved_by,
                running: running.to_owned(),
            }
        }
    })
}

fn foreign(what: &str) -> SavedPlanError {
    SavedPlanError::Foreign {
        what: what.to_owned(),
    }
}

fn edited(reason: String) -> SavedPlanError {
    SavedPlanError::Edited { reason }
}

/// Behind a byte order mark and space.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start()
}

fn begins_json(bytes: &[u8]) -> bool {
    matches!(trimmed(bytes).first(), Some(b'{' | b'['))
}

/// What begins so is no text.
fn archive(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 4] = [
        (b"PK\x03\x04", "a zip archive, as Terraform saves its plans"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\x7fELF", "a program"),
    ];
    BEGINNINGS
        .into_iter()
        .find(|(beginning, _)| bytes.starts_with(beginning))
        .map(|(_, what)| what)
}

/// Whose JSON it is, as far as its keys tell.
fn kind_of(document: &Value) -> &'static str {
    let has = |keys: &[&str]| keys.iter().all(|key| document.get(key).is_some());
    if has(&["terraform_version", "format_version"]) {
        "the JSON of a Terraform plan"
    } else if has(&["runbook", "environment", "steps", "preflight"]) {
        "what `rbk plan --format json` prints, which is for reading"
    } else if has(&["plan", "online"]) {
        "what `rbk plan --online --format json` prints, which is for reading"
    } else if has(&["diagnostics", "summary"]) {
        "what `rbk check --format json` prints"
    } else if has(&["v", "seq", "run"]) {
        "a journal of rbk"
    } else if has(&["Changes", "ChangeSetName"]) {
        "a change set of CloudFormation"
    } else {
        "JSON of something else"
    }
}
