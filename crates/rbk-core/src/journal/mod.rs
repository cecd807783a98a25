//! The journal: what a run did, intended and saw, one record a line, hash-chained.
//!
//! Invariants: there is one writer (the lease's holder); a record is legal by [`State::next`], live and in replay;
//! an `Intent` is durable before its call is sent, an `Outcome` before the next action; no record holds a secret,
//! since no type in it can.

mod encode;
mod event;
mod facts;
mod local;
mod recover;
mod state;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use encode::{Damage, plan_bytes, plan_hash};
pub use event::{
    Decision, Entry, Event, Failed, Header, How, Intent, JOURNAL_VERSION, LeaseFacts, Observation,
    Outcome, Proof, Record, ReplicationFacts, SavedUse, TableFacts,
};
pub use facts::{ActionFacts, Facts};
pub use local::LocalStore;
pub use recover::{History, load};
pub use state::{ActionState, Current, Illegal, Phase, State};
pub use store::{AcquireError, Claim, Log, Store, StoreError, Stored};

pub(crate) use writer::{Around, Journal, JournalError};
