//! Where journals are kept, as traits: a local directory now, an object store later.

use crate::ids::RunId;
use crate::lease::{AcquireFailure, Held, Lease, Request};
use async_trait::async_trait;
use thiserror::Error;

/// Keeps the plans and journals of many runs, and the leases over what they touch.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a run: keeps its plan, durably. Fails where the run exists.
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<Box<dyn Log>, StoreError>;

    /// Goes on with a run's journal behind its first `length` bytes; what follows them is a torn record, and is cut off.
    async fn open(&self, run: &RunId, length: u64) -> Result<Box<dyn Log>, StoreError>;

    /// What is kept of a run, as it is. `None`: no such run.
    async fn read(&self, run: &RunId) -> Result<Option<Stored>, StoreError>;

    /// All runs, newest first.
    async fn list(&self) -> Result<Vec<RunId>, StoreError>;

    /// Lays hold of a saved plan by its id, so that nobody else begins a run of it meanwhile. An error where somebody does just now.
    async fn claim(&self, plan: &str) -> Result<Box<dyn Claim>, StoreError>;

    /// Takes the lease over what a run touches, or says who has it.
    async fn acquire(&self, request: &Request) -> Result<Box<dyn Lease>, AcquireError>;
}

/// A saved plan that is laid hold of, until it is dropped.
#[async_trait]
pub trait Claim: Send + Sync {
    /// The run that took it last.
    fn used_by(&self) -> Option<&RunId>;

    /// Writes down, durably, that this run takes it.
    async fn take(&mut self, run: &RunId) -> Result<(), StoreError>;
}

/// The journal of one run, to be written by one writer.
#[async_trait]
pub trait Log: Send + Sync {
    /// Writes the record of that number, only if there is none of that number yet. `line` has no newline in it.
    async fn append(&mut self, seq: u64, line: &[u8]) -> Result<(), StoreError>;

    /// Returns when all that was appended is durable. Is not called again after it failed.
    async fn sync(&mut self) -> Result<(), StoreError>;
}

/// What is kept of a run.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The plan.
    pub plan: Vec<u8>,
    /// The journal: lines that end in a newline, the last one possibly torn.
    pub journal: Vec<u8>,
}

/// A store that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{doing}: {message}")]
pub struct StoreError {
    /// What was being done.
    pub doing: String,
    /// What went wrong.
    pub message: String,
}

impl StoreError {
    /// From an error of the operating system.
    pub fn io(doing: impl Into<String>, error: &std::io::Error) -> Self {
        Self {
            doing: doing.into(),
            message: error.to_string(),
        }
    }
}

/// A lease that wasn't taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AcquireError {
    /// Somebody has it.
    #[error(transparent)]
    Held(#[from] Held),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AcquireFailure> for AcquireError {
    fn from(failure: AcquireFailure) -> Self {
        match failure {
            AcquireFailure::Held(held) => AcquireError::Held(held),
            AcquireFailure::Io { doing, message } => {
                AcquireError::Store(StoreError { doing, message })
            }
        }
    }
}
