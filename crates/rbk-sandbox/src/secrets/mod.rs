//! Secrets Manager: versions, labels, and the rules by which labels move.

mod errors;
mod operations;
mod store;

pub use errors::SecretsError;
pub(crate) use operations::{handle, new_arn};
pub(crate) use store::{CURRENT, Secret, VersionId, new_secret};
