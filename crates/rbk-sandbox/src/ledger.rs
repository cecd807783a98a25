//! What was done: an append-only list of applied effects, and counters of calls.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;

/// An effect that was applied, whether or not its answer reached the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Counts from 1, without gaps.
    pub sequence: u64,
    /// When it was applied.
    pub at: Timestamp,
    /// `rds`, `dms` or `secretsmanager`.
    pub service: &'static str,
    /// The operation's name.
    pub operation: String,
    /// What it was applied to: an identifier or a secret's name.
    pub target: String,
    /// The id that the client gave its request (`amz-sdk-invocation-id`), if any.
    pub client_request: Option<String>,
    /// The parameters that matter; never a secret's value.
    pub parameters: BTreeMap<String, String>,
}

/// How often an operation was called, and how long the sandbox worked on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OperationStats {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that were answered with an error, injected ones included.
    pub errors: u64,
    /// Time spent on the answers, injected waits excluded.
    pub busy: Duration,
}

/// The account's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By operation.
    pub operations: BTreeMap<String, OperationStats>,
    /// Time spent on answers and on clusters; it tells the sandbox's own cost from a run's.
    pub busy: Duration,
}

/// The list and the counters.
#[derive(Debug)]
pub(crate) struct Ledger {
    written: Mutex<Written>,
    stats: Mutex<Stats>,
}

#[derive(Debug)]
struct Written {
    effects: Vec<Effect>,
    file: File,
}

/// An effect before it has a place in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) target: String,
    pub(crate) client_request: Option<String>,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> std::io::Result<Ledger> {
        Ok(Ledger {
            written: Mutex::new(Written {
                effects: Vec::new(),
                file: File::options().create(true).append(true).open(path)?,
            }),
            stats: Mutex::default(),
        })
    }

    pub(crate) fn append(&self, entry: Entry) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let effect = Effect {
            sequence: written.effects.len() as u64 + 1,
            at: Timestamp::now(),
            service: entry.service,
            operation: entry.operation,
            target: entry.target,
            client_request: entry.client_request,
            parameters: entry.parameters,
        };
        let line = serde_json::to_string(&effect).unwrap_or_default();
        if let Err(error) = writeln!(written.file, "{line}") {
            tracing::warn!(%error, "the ledger's file can't be written");
        }
        written.effects.push(effect);
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.effects.clone()
    }

    pub(crate) fn count(&self, operation: &str, busy: Duration, failed: Outcome) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.busy += busy;
        let entry = stats.operations.entry(operation.to_owned()).or_default();
        entry.calls += 1;
        entry.busy += busy;
        if failed == Outcome::Error {
            entry.errors += 1;
        }
    }

    /// Work that isn't part of an answer.
    pub(crate) fn worked(&self, busy: Duration) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.busy += busy;
    }

    pub(crate) fn stats(&self) -> Stats {
        let stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.clone()
    }
}

/// Whether a call was answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer,
    Error,
}
