//! Why an instance isn't destroyed, why writes aren't as they should be, why the stack isn't.

use crate::ids::{ApplicationName, DatabaseName, InstanceId, ResourceId, SnapshotId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What stands in the way of an end: of an instance, of a switch.
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum RemovalFailure {
    #[error(
        "instance `{instance}` isn't the one that this run means: it is `{found}`, and `{expected}` was meant"
    )]
    Replaced {
        instance: InstanceId,
        expected: ResourceId,
        found: ResourceId,
    },
    #[error("the instance of {database} wasn't there when this run began, and it didn't make it")]
    Appeared { database: DatabaseName },
    #[error("instance `{instance}` is the active database of {application}")]
    StillActive {
        instance: InstanceId,
        application: ApplicationName,
    },
    #[error("instance `{instance}` is protected: {by}")]
    Protected { instance: InstanceId, by: String },
    #[error("there is a snapshot `{snapshot}` already")]
    SnapshotTaken { snapshot: SnapshotId },
    #[error("instance `{instance}` is gone, and its final snapshot `{snapshot}` is {seen}")]
    NoFinalSnapshot {
        instance: InstanceId,
        snapshot: SnapshotId,
        seen: String,
    },
    #[error("writes on {database} aren't frozen: {seen}")]
    NotFrozen {
        database: DatabaseName,
        seen: String,
    },
    #[error(
        "the stack says `{found}` for {application}, and not `{expected}`, though `{command}` ended well"
    )]
    StackDiffers {
        application: ApplicationName,
        expected: String,
        found: String,
        command: String,
    },
    #[error("the stack says `{found}` for {application}; it must say `{expected}`")]
    StackNotDeployed {
        application: ApplicationName,
        expected: String,
        found: String,
    },
}

impl RemovalFailure {
    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            RemovalFailure::Replaced { .. } | RemovalFailure::Appeared { .. } => "RBK4082",
            RemovalFailure::StillActive { .. } => "RBK4083",
            RemovalFailure::Protected { .. } => "RBK4084",
            RemovalFailure::SnapshotTaken { .. } => "RBK4085",
            RemovalFailure::NoFinalSnapshot { .. } => "RBK4086",
            RemovalFailure::NotFrozen { .. } => "RBK4087",
            RemovalFailure::StackDiffers { .. } => "RBK4088",
            RemovalFailure::StackNotDeployed { .. } => "RBK4089",
        }
    }

    /// What the process returns.
    pub fn exit_code(&self) -> u8 {
        match self {
            RemovalFailure::NoFinalSnapshot { .. }
            | RemovalFailure::StackDiffers { .. }
            | RemovalFailure::StackNotDeployed { .. } => 4,
            RemovalFailure::Replaced { .. }
            | RemovalFailure::Appeared { .. }
            | RemovalFailure::StillActive { .. }
            | RemovalFailure::Protected { .. }
            | RemovalFailure::SnapshotTaken { .. }
            | RemovalFailure::NotFrozen { .. } => 3,
        }
    }

    /// What was being done when it happened.
    pub fn doing(&self) -> String {
        match self {
            RemovalFailure::Replaced { instance, .. }
            | RemovalFailure::StillActive { instance, .. }
            | RemovalFailure::Protected { instance, .. }
            | RemovalFailure::NoFinalSnapshot { instance, .. } => {
                format!("destroying instance `{instance}`")
            }
            RemovalFailure::Appeared { database } => {
                format!("destroying the instance of {database}")
            }
            RemovalFailure::SnapshotTaken { snapshot } => {
                format!("looking whether the name `{snapshot}` is free")
            }
            RemovalFailure::NotFrozen { database, .. } => {
                format!("proving that writes on {database} are frozen")
            }
            RemovalFailure::StackDiffers { application, .. }
            | RemovalFailure::StackNotDeployed { application, .. } => {
                format!("proving what the stack says for {application}")
            }
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            RemovalFailure::Appeared { .. } => {
                "nothing was deleted: find out who made the instance, then run again if it is to go".to_owned()
            }
            RemovalFailure::Replaced { .. } => {
                "nothing was deleted: find out who replaced the instance, then run again if the new one is to go".to_owned()
            }
            RemovalFailure::StillActive { application, .. } => format!(
                "nothing was deleted: switch {application} to another database first, then run again"
            ),
            RemovalFailure::Protected { .. } => {
                "nothing was deleted: rbk doesn't go around a protection; take it off where it was put on, if the instance really is to go".to_owned()
            }
            RemovalFailure::SnapshotTaken { .. } => {
                "nothing was deleted: name another one (`with final snapshot as \"…\"`), or delete that one if nobody needs it; then run again".to_owned()
            }
            RemovalFailure::NoFinalSnapshot { instance, .. } => format!(
                "look at the snapshots and events of `{instance}` at once; RDS's support may still have its backups"
            ),
            RemovalFailure::NotFrozen { .. } => {
                "nothing was switched: what was written meanwhile isn't in the other database; look at the data, freeze again, then run again".to_owned()
            }
            RemovalFailure::StackDiffers { .. } => {
                "look at what the deployment did".to_owned()
            }
            RemovalFailure::StackNotDeployed { expected, .. } => format!(
                "deploy the stack so that it says `{expected}`, then `rbk resume RUN`; nothing was undone"
            ),
        }
    }
}
