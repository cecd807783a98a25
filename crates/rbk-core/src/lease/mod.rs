//! Leases: two runs never change the same thing at the same time.
//!
//! A lease covers what a plan touches (account, region, the sorted entities), not the runbook's name. Each time it is
//! taken, the run's epoch goes up by one; every record carries its epoch.

mod entities;
mod local;

pub use entities::entities;
pub(crate) use entities::{Entity, Touched};
pub use local::LocalLease;

use crate::ids::RunId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A lease that is held. Given back when dropped.
pub trait Lease: Send + Sync {
    /// What it covers.
    fn entities(&self) -> &[String];
}

/// What a lease is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// What is touched, sorted: `instance statistagptdb`, `secret rds/statistagptdb`.
    pub entities: Vec<String>,
    /// Who wants it.
    pub holder: Holder,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// Who runs it.
    pub operator: String,
    /// In which process.
    pub pid: u32,
    /// Of which boot of the machine, where that is known.
    pub boot: Option<String>,
    /// Since when.
    pub since: jiff::Timestamp,
}

/// Somebody else has the lease.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", held_text(entity, holder))]
pub struct Held {
    /// What both want.
    pub entity: String,
    /// Who has it; absent where they didn't say (yet).
    pub holder: Option<Box<Holder>>,
}

fn held_text(entity: &str, holder: &Option<Box<Holder>>) -> String {
    match holder {
        Some(holder) => format!(
            "`{entity}` is held by run `{}` of {} (process {}), since {}",
            holder.run, holder.operator, holder.pid, holder.since
        ),
        None => format!("`{entity}` is held by another run"),
    }
}

/// A local lease that wasn't taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AcquireFailure {
    /// Somebody has it.
    #[error(transparent)]
    Held(#[from] Held),
    /// The disk failed.
    #[error("{doing}: {message}")]
    Io {
        /// What was being done.
        doing: String,
        /// What went wrong.
        message: String,
    },
}

/// This boot of this machine, where the operating system names it. Source: Linux `random(4)`.
pub fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|text| text.trim().to_owned())
}
