//! Why there is no way back to an instant, why a snapshot isn't taken.

use crate::ids::{InstanceId, RunId, SnapshotId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What stands in the way of a backup, or of going back to one.
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum BackupFailure {
    #[error("instance `{instance}` keeps no automated backups: its retention is 0 days")]
    BackupsOff { instance: InstanceId },
    #[error(
        "instance `{instance}` can't be restored to any instant yet: its first backup isn't finished"
    )]
    NothingYet { instance: InstanceId },
    #[error(
        "instance `{instance}` can't be restored to {wanted}: it can be from {earliest} until {latest}"
    )]
    OutsideWindow {
        instance: InstanceId,
        wanted: jiff::Timestamp,
        earliest: jiff::Timestamp,
        latest: jiff::Timestamp,
    },
    #[error(
        "there is a snapshot `{snapshot}` already, {}",
        super::owner_text(owner)
    )]
    SnapshotExists {
        snapshot: SnapshotId,
        owner: Option<RunId>,
    },
    #[error(
        "snapshot `{snapshot}` of instance `{instance}` is `{status}`, and no waiting mends that"
    )]
    SnapshotFailed {
        snapshot: SnapshotId,
        instance: InstanceId,
        status: String,
    },
}

impl BackupFailure {
    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            BackupFailure::BackupsOff { .. } => "RBK4091",
            BackupFailure::NothingYet { .. } => "RBK4092",
            BackupFailure::OutsideWindow { .. } => "RBK4093",
            BackupFailure::SnapshotExists { .. } => "RBK4094",
            BackupFailure::SnapshotFailed { .. } => "RBK4095",
        }
    }

    /// What the process returns.
    pub fn exit_code(&self) -> u8 {
        match self {
            BackupFailure::SnapshotFailed { .. } => 4,
            BackupFailure::BackupsOff { .. }
            | BackupFailure::NothingYet { .. }
            | BackupFailure::OutsideWindow { .. }
            | BackupFailure::SnapshotExists { .. } => 3,
        }
    }

    /// What was being done when it happened.
    pub fn doing(&self) -> String {
        match self {
            BackupFailure::BackupsOff { instance }
            | BackupFailure::NothingYet { instance }
            | BackupFailure::OutsideWindow { instance, .. } => {
                format!("looking what `{instance}` can be restored to")
            }
            BackupFailure::SnapshotExists { snapshot, .. } => {
                format!("looking whether the name `{snapshot}` is free")
            }
            BackupFailure::SnapshotFailed { instance, .. } => {
                format!("taking a snapshot of `{instance}`")
            }
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            BackupFailure::BackupsOff { .. } => {
                "restore from a snapshot instead; for next time, give the instance a retention of at least a day".to_owned()
            }
            BackupFailure::NothingYet { .. } => {
                "wait for its first automated backup, or restore from a snapshot; then run again".to_owned()
            }
            BackupFailure::OutsideWindow { wanted, latest, .. } if wanted > latest => {
                "RDS is about five minutes behind, more under load: wait until it has come there, or take an earlier time; if it doesn't get on, look for long transactions".to_owned()
            }
            BackupFailure::OutsideWindow { .. } => {
                "take a later time, or restore from a snapshot that is older".to_owned()
            }
            BackupFailure::SnapshotExists { owner: Some(run), .. } => format!(
                "look at that run with `rbk status {run}`; take another name (`as \"…\"`), or delete the snapshot if nobody needs it; then run again"
            ),
            BackupFailure::SnapshotExists { .. } => {
                "rbk leaves it alone: take another name (`as \"…\"`), or delete it if nobody needs it; then run again".to_owned()
            }
            BackupFailure::SnapshotFailed { snapshot, instance, .. } => format!(
                "look at the events of `{instance}`; delete `{snapshot}`, then run again"
            ),
        }
    }
}
