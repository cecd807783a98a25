//! A plan in a file: reviewed today, performed exactly so later, or refused.
//!
//! Pure: bytes to a [`SavedPlan`] and back. Who reads files and compares what a plan was made from is the command line.

mod compare;
mod error;
mod read;
#[cfg(test)]
mod tests;

pub use compare::{action_changes, catalog_changes, changes};
pub use error::{Changed, SavedPlanError};
pub use read::{is_meant_as_saved_plan, is_saved_plan, read};

use super::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The version of the format that this build writes; newer ones are refused.
pub const SAVED_PLAN_VERSION: u32 = 1;

/// The first key of the document: it names the format, and its value is the version.
pub const FORMAT_KEY: &str = "rbk_plan";

/// A plan, and what is needed to perform exactly it. Holds no secret: a [`Plan`] can't.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// The format's version.
    pub rbk_plan: u32,
    /// 32 random hex digits: a plan of an id is performed once.
    pub id: String,
    /// When it was saved.
    #[schemars(with = "String")]
    pub saved_at: jiff::Timestamp,
    /// The version of rbk that saved it; no other one performs it.
    pub rbk: String,
    /// What it was made from.
    pub inputs: Vec<Input>,
    /// What was given with `--set`, as it was typed.
    pub given: BTreeMap<String, String>,
    /// What is performed.
    pub plan: Plan,
    /// SHA-256 in hex over the canonical form of all the rest: see [`digest`].
    pub sha256: String,
}

/// A file that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it is to the plan.
    pub input: InputKind,
    /// As it was found when planning, from the folder that rbk was started in.
    pub path: String,
    /// SHA-256 in hex, see [`text_hash`] and [`digest`]: of the text of a runbook, a used file or a lock file; of an environment, of what
    /// the plan knows of it, so that comments and layout don't count.
    pub sha256: String,
}

/// What a file is to a plan.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// The runbook.
    Runbook,
    /// A file whose procedures the runbook does.
    Use,
    /// The environment file.
    Environment,
    /// The environment's lock file.
    Lock,
}

impl std::fmt::Display for InputKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            InputKind::Runbook => "the runbook",
            InputKind::Use => "a used file",
            InputKind::Environment => "the environment",
            InputKind::Lock => "the lock file",
        })
    }
}

impl SavedPlan {
    /// A plan that is to be saved.
    ///
    /// # Errors
    /// Where it can't be written as JSON.
    pub fn new(
        id: String,
        saved_at: jiff::Timestamp,
        inputs: Vec<Input>,
        given: BTreeMap<String, String>,
        plan: Plan,
    ) -> Result<Self, serde_json::Error> {
        let mut saved = Self {
            rbk_plan: SAVED_PLAN_VERSION,
            id,
            saved_at,
            rbk: plan.rbk.clone(),
            inputs,
            given,
            plan,
            sha256: String::new(),
        };
        let mut document = serde_json::to_value(&saved)?;
        saved.sha256 = digest_of_document(&mut document);
        Ok(saved)
    }

    /// The file's text: JSON for eyes and for `git diff`.
    ///
    /// # Errors
    /// Where it can't be written as JSON.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// The input of that kind, where there is one; of used files the first.
    pub fn input(&self, kind: InputKind) -> Option<&Input> {
        self.inputs.iter().find(|input| input.input == kind)
    }
}

/// SHA-256 in hex of a text, whatever its lines end with: Git may have given it others.
pub fn text_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.replace("\r\n", "\n").as_bytes()))
}

/// SHA-256 in hex of a value's canonical form: JSON with sorted keys and no space, so that a file that was formatted otherwise says
/// the same.
///
/// # Errors
/// Where it can't be written as JSON.
pub fn digest(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(hash(&serde_json::to_value(value)?))
}

/// The hash of a whole document, its own hash left out.
fn digest_of_document(document: &mut serde_json::Value) -> String {
    if let Some(map) = document.as_object_mut() {
        map.remove("sha256");
    }
    hash(document)
}

fn hash(value: &serde_json::Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

fn write_canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: BTreeMap<&String, &serde_json::Value> = map.iter().collect();
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
