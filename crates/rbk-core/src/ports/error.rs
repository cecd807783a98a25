//! One error for all ports: what we were doing, what kind of failure it is, and whether it may have had an effect.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A failed call of a port. Adapters make sure that its texts hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{doing}: {message}")]
pub struct PortError {
    /// What kind of failure; decides what the run does next.
    pub kind: PortErrorKind,
    /// Whether the request may have been applied.
    pub sent: Sent,
    /// What we were doing: ``describing instance `statistagptdb` ``.
    pub doing: String,
    /// What went wrong, in words; the service's own where they help.
    pub message: String,
    /// The service's code: `DBInstanceNotFound`, `28P01`.
    pub code: Option<String>,
    /// For a support case.
    pub request_id: Option<String>,
}

impl PortError {
    /// An error without a service's code; `sent` is [`Sent::No`].
    pub fn new(kind: PortErrorKind, doing: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            sent: Sent::No,
            doing: doing.into(),
            message: message.into(),
            code: None,
            request_id: None,
        }
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortErrorKind {
    /// There is no such thing.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// It is in a state that doesn't allow it; may pass by itself.
    InvalidState,
    /// It is already the way it should become: "no modifications were requested", "already being deleted".
    AlreadySo,
    /// The compare-and-swap found something else.
    Conflict,
    /// The request is wrong and will stay wrong.
    InvalidRequest,
    /// A quota or capacity is exhausted.
    Quota,
    /// Too many requests; passes by itself. Such a request was not applied.
    Throttled,
    /// The service or network failed: 5xx, cut connection, no route, name not found, time-out.
    Unreachable,
    /// The credentials are good but may not do this.
    AccessDenied,
    /// The credentials are expired, missing or invalid.
    Credentials,
    /// A database login was refused: wrong password, no such role, NOLOGIN.
    LoginRefused,
    /// The other side's certificate isn't trusted or is for another name.
    Tls,
    /// A statement failed in the database.
    Statement,
    /// The answer makes no sense.
    Protocol,
}

/// Whether a request may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Certainly not: never sent, or refused.
    No,
    /// It left this machine and no answer came back, or the answer was a 5xx.
    Maybe,
}
