//! What a look ahead tells, as plain data.

use crate::run::Failure;
use crate::value::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the account and its databases say about a plan. Read only: nothing was changed, taken or journaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Online {
    /// When it was read. What was seen then may be otherwise when the plan is run.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// The plan's preflight, in its order.
    pub checks: Vec<Check>,
    /// What else would stop or hinder a run.
    pub findings: Vec<OnlineFinding>,
    /// What could not be seen: about these, nothing is known.
    pub unseen: Vec<NotSeen>,
}

/// One entry of a plan's preflight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What is asked: `require age(snap) <= max_loss`.
    pub asks: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, or why nothing was.
    pub seen: String,
    /// The `let` that it is the value of, for display: the run reads it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binds: Option<Bound>,
    /// Where it doesn't hold: its code, for `rbk explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where it doesn't hold: what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A `let`, and what it would be now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// In words: `rds:statistagptdb-2026-11-22-03-00 of 2026-11-22T03:00:00Z`.
    pub text: String,
}

/// What came of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is so.
    Holds,
    /// It is not: a run would stop here.
    Fails,
    /// Nobody knows.
    Unseen,
}

/// Something besides the preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnlineFinding {
    /// For `rbk explain`; absent where nothing fails.
    pub code: Option<String>,
    /// What it means to a run.
    pub weight: Weight,
    /// What was found.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// What a finding means to a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It would stop it.
    Stops,
    /// It may: look at it.
    Hinders,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSeen {
    /// `how many instances the account may have`
    pub what: String,
    /// Why not.
    pub why: String,
    /// Whether a run would ask the same before anything else, so that nobody knows whether it would begin.
    pub needed: bool,
}

impl Online {
    /// Whether something was found that would stop a run.
    pub fn stops(&self) -> bool {
        let mut findings = self.findings.iter();
        self.checks
            .iter()
            .any(|check| check.verdict == Verdict::Fails)
            || findings.any(|finding| finding.weight == Weight::Stops)
    }

    /// Whether something that a run asks before anything else could not be seen.
    pub fn is_blind(&self) -> bool {
        self.unseen.iter().any(|unseen| unseen.needed)
    }

    /// What the plan's `let`s would be now, in words, by name.
    pub fn bound(&self) -> impl Iterator<Item = &Bound> {
        self.checks.iter().filter_map(|check| check.binds.as_ref())
    }

    pub(super) fn found(&mut self, found: Found) {
        self.findings.push(OnlineFinding {
            code: Some(found.code().to_owned()),
            weight: found.weight(),
            what: found.to_string(),
            help: found.help(),
        });
    }

    pub(super) fn not_seen(&mut self, what: impl Into<String>, why: impl std::fmt::Display) {
        self.unseen.push(NotSeen {
            what: what.into(),
            why: why.to_string(),
            needed: false,
        });
    }
}

/// What can be found.
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Found {
    #[error("there is no DB {kind} group `{name}`, which {} is made with", of.join(" and "))]
    NoGroup {
        kind: &'static str,
        name: String,
        of: Vec<String>,
    },
    #[error("the quota of {what} is {max}, {used} are there, and the plan makes {makes} more")]
    Quota {
        what: &'static str,
        used: i64,
        max: i64,
        makes: usize,
    },
    #[error("there is no role `{role}`, {why}")]
    NoRole { role: String, why: String },
    #[error(
        "a transaction on {database} has been open for {open}: {who}; the plan changes {database}'s schema, and waits at most {patience} for a lock"
    )]
    LongTransaction {
        database: String,
        open: String,
        who: String,
        pid: i32,
        patience: String,
    },
    #[error("{0}")]
    WouldFail(Failure),
    #[error("{kind} `{id}` is left over{}", by.as_ref().map_or(String::new(), |run| format!(" of run `{run}`")))]
    Leftover {
        kind: String,
        id: String,
        by: Option<String>,
    },
    #[error("the credentials expire at {at}, and the plan may take until {until}")]
    Expires { at: String, until: String },
}

impl Found {
    fn code(&self) -> &'static str {
        match self {
            Found::NoGroup { .. } => "RBK4116",
            Found::Quota { .. } => "RBK4037",
            Found::NoRole { .. } => "RBK4117",
            Found::LongTransaction { .. } => "RBK4118",
            Found::WouldFail(failure) => failure.code(),
            Found::Leftover { .. } => "RBK4052",
            Found::Expires { .. } => "RBK4032",
        }
    }

    fn weight(&self) -> Weight {
        match self {
            Found::NoGroup { .. }
            | Found::Quota { .. }
            | Found::NoRole { .. }
            | Found::WouldFail(_) => Weight::Stops,
            Found::LongTransaction { .. } | Found::Leftover { .. } | Found::Expires { .. } => {
                Weight::Hinders
            }
        }
    }

    fn help(&self) -> String {
        match self {
            Found::NoGroup { .. } => {
                "create it, or correct its name in the environment".to_owned()
            }
            Found::Quota { .. } => "raise the quota, or delete what isn't needed".to_owned(),
            Found::NoRole { .. } => "create it, or correct its name in the environment".to_owned(),
            Found::LongTransaction { pid: 0, .. } => {
                "it stays until somebody says COMMIT PREPARED or ROLLBACK PREPARED".to_owned()
            }
            Found::LongTransaction { pid, .. } => format!(
                "find out whether it ends by itself; otherwise `select pg_terminate_backend({pid})`"
            ),
            Found::WouldFail(failure) => failure.help(),
            Found::Leftover { by: Some(run), .. } => {
                format!("it stays billed; `rbk status {run}` tells what became of that run")
            }
            Found::Leftover { by: None, .. } => "find out who needs it; it stays billed".to_owned(),
            Found::Expires { .. } => "sign in again before the run; a run whose credentials expire waits for `rbk resume`".to_owned(),
        }
    }
}
