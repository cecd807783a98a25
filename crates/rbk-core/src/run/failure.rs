//! What stops a run: typed, with a code, what was being done and what to do now.
//!
//! A failure is journaled as it is, so that a report of last year says the same as the screen did.

mod backup;
mod removal;
mod replication;

pub use backup::BackupFailure;
pub use removal::RemovalFailure;
pub use replication::{CountedTable, FailedTable, ReplicationFailure};

use crate::environment::TableName;
use crate::ids::{DatabaseName, InstanceId, RunId, SecretName, SnapshotId, VersionId};
use crate::listing::first_few;
use crate::plan::IndexFacts;
use crate::ports::{PortError, PortErrorKind};
use crate::shell::shell_word;
use crate::value::duration_text;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the run does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It is decided: `on failure` runs, and the run ends.
    Decided,
    /// It may be mended outside: everything stays as it is, `resume` goes on.
    Suspends,
    /// A person stopped it; `resume` goes on.
    Interrupted,
    /// Nobody can tell whether an effect happened: a person must look.
    Undecidable,
    /// A bug in rbk: everything stays as it is.
    Bug,
}

/// A failure of a run.
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    #[error(
        "the credentials belong to account {found} (`{arn}`), and the environment is account {expected}"
    )]
    WrongAccount {
        expected: String,
        found: String,
        arn: String,
    },
    #[error("the clients are set to region `{found}`, and the environment is in `{expected}`")]
    WrongRegion { expected: String, found: String },
    #[error("{}", said(message, "the precondition does not hold", statement, seen))]
    Precondition {
        statement: String,
        message: Option<String>,
        seen: String,
    },
    #[error(
        "instance `{instance}` of database `{database}` exists already: {status}, {}",
        owner_text(owner)
    )]
    TargetExists {
        database: DatabaseName,
        instance: InstanceId,
        status: String,
        owner: Option<RunId>,
    },
    #[error("there is no secret `{secret}`")]
    SecretMissing { secret: SecretName },
    #[error("secret `{secret}` can't be used: {reason}")]
    SecretUnusable { secret: SecretName, reason: String },
    #[error("{}", no_snapshot(instance, wanted))]
    NoSnapshot {
        instance: InstanceId,
        wanted: Option<SnapshotId>,
    },
    #[error(
        "database {database} isn't as its lock file says: {}",
        first_few(differences, NAMED, "; ")
    )]
    Drift {
        database: DatabaseName,
        differences: Vec<String>,
    },
    #[error(
        "what is outside of {} in {database} would go with it: {}",
        schemas_text(schemas),
        first_few(dependents, NAMED, "; ")
    )]
    Dependents {
        database: DatabaseName,
        schemas: Vec<String>,
        dependents: Vec<String>,
    },
    #[error("{}", said(message, "the assertion does not hold", statement, seen))]
    Assertion {
        statement: String,
        message: Option<String>,
        seen: String,
    },
    #[error("`{statement}` did not come true within {}; last seen: {seen}", duration_text(*within))]
    Deadline {
        statement: String,
        within: u64,
        seen: String,
    },
    #[error("instance `{instance}` is `{status}`, and no waiting mends that")]
    Terminal {
        instance: InstanceId,
        status: String,
    },
    #[error("instance `{instance}` is gone")]
    Vanished { instance: InstanceId },
    #[error(
        "instance `{instance}` was made by somebody else meanwhile, {}",
        owner_text(owner)
    )]
    Foreign {
        instance: InstanceId,
        owner: Option<RunId>,
    },
    #[error("instance `{instance}` isn't as it was asked for: {}", differences.join("; "))]
    SettingsDiffer {
        instance: InstanceId,
        differences: Vec<String>,
    },
    #[error(
        "secret `{secret}` was moved by somebody else: the current version is {}, and this run expected {}",
        version_text(found),
        version_text(expected)
    )]
    SecretMoved {
        secret: SecretName,
        expected: Option<VersionId>,
        found: Option<VersionId>,
    },
    #[error(
        "index `{}` of {} in {database} isn't as the lock file says: it should be `{}`, and {}",
        index.name,
        index.table,
        index.definition,
        index_text(found)
    )]
    IndexDiffers {
        database: DatabaseName,
        index: Box<IndexFacts>,
        found: Option<String>,
    },
    #[error("foreign keys of {database} don't hold: {}", orphans_text(keys))]
    Orphans {
        database: DatabaseName,
        keys: Vec<OrphanedKey>,
    },
    #[error("command `{command}` failed: {reason}")]
    CommandFailed { command: String, reason: String },
    #[error(
        "{by} holds the migration tool's lock on {database}{}",
        since_text(since)
    )]
    MigrationLocked {
        database: DatabaseName,
        by: String,
        since: Option<String>,
    },
    #[error("{doing}: a lock wasn't given: {reason}")]
    LockNotGiven { doing: String, reason: String },
    #[error("{}", migration_text(database, change_set, reason))]
    MigrationFailed {
        database: DatabaseName,
        change_set: Option<String>,
        reason: String,
    },
    #[error("{by} said no to: {prompt}")]
    Refused { prompt: String, by: String },
    #[error("nobody could be asked: {prompt}")]
    Unanswerable { step: String, prompt: String },
    #[error("the staged version of secret `{secret}` proves nothing: {reason}")]
    ProofFailed { secret: SecretName, reason: String },
    #[error("{doing}: {reason}")]
    Evaluation { doing: String, reason: String },
    #[error(transparent)]
    Replication(Box<ReplicationFailure>),
    #[error(transparent)]
    Removal(Box<RemovalFailure>),
    #[error(transparent)]
    Backup(Box<BackupFailure>),
    #[error(transparent)]
    Port(Box<PortError>),
    #[error("{doing}: accepted, but not in force after {}: {seen}", duration_text(*waited))]
    Overdue {
        doing: String,
        waited: u64,
        seen: String,
    },
    #[error("{doing}: the outcome could not be decided: {seen}")]
    Undecidable {
        doing: String,
        seen: String,
        look_at: String,
    },
    #[error("stopped by a person{}", if *in_flight { ", while an effect was under way" } else { "" })]
    Interrupted { in_flight: bool },
    #[error("the journal can't be written: {message}")]
    Journal { message: String },
    #[error("aborted by {by}: {reason}")]
    Aborted { by: String, reason: String },
    #[error("{by} decided that it failed: {reason}")]
    DecidedByHand { by: String, reason: String },
    #[error("a bug in rbk: {message}")]
    Bug { message: String },
}

/// A foreign key with rows that refer to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanedKey {
    /// The table that refers.
    pub table: TableName,
    /// The constraint.
    pub key: String,
    /// The table that is referred to.
    pub references: TableName,
    /// How many rows refer to nothing.
    pub rows: u64,
    /// One of them: `document_id = 17`.
    pub example: Option<String>,
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Failure::Port(Box::new(error))
    }
}

impl From<ReplicationFailure> for Failure {
    fn from(failure: ReplicationFailure) -> Self {
        Failure::Replication(Box::new(failure))
    }
}

impl From<BackupFailure> for Failure {
    fn from(failure: BackupFailure) -> Self {
        Failure::Backup(Box::new(failure))
    }
}

impl From<RemovalFailure> for Failure {
    fn from(failure: RemovalFailure) -> Self {
        Failure::Removal(Box::new(failure))
    }
}

impl Failure {
    /// What the run does about it.
    pub fn class(&self) -> Class {
        match self {
            Failure::Port(error) => match error.kind {
                PortErrorKind::AccessDenied
                | PortErrorKind::Credentials
                | PortErrorKind::Unreachable
                | PortErrorKind::Throttled
                | PortErrorKind::Tls => Class::Suspends,
                _ => Class::Decided,
            },
            Failure::Unanswerable { .. }
            | Failure::Journal { .. }
            | Failure::MigrationFailed { .. } => Class::Suspends,
            // Whoever deploys it goes on from here.
            Failure::Removal(failure)
                if matches!(**failure, RemovalFailure::StackNotDeployed { .. }) =>
            {
                Class::Suspends
            }
            Failure::Interrupted { .. } => Class::Interrupted,
            Failure::Undecidable { .. } => Class::Undecidable,
            Failure::Bug { .. } => Class::Bug,
            _ => Class::Decided,
        }
    }

    /// Whether it may pass by itself within moments.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Failure::Port(error) if matches!(
            error.kind,
            PortErrorKind::Unreachable | PortErrorKind::Throttled
        ))
    }

    /// The exit code of a run that it stopped.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Port(_)
            | Failure::Terminal { .. }
            | Failure::Vanished { .. }
            | Failure::Overdue { .. }
            | Failure::CommandFailed { .. }
            | Failure::MigrationLocked { .. }
            | Failure::LockNotGiven { .. }
            | Failure::MigrationFailed { .. }
            | Failure::Unanswerable { .. }
            | Failure::Journal { .. }
            | Failure::DecidedByHand { .. } => 4,
            Failure::Replication(failure) => failure.exit_code(),
            Failure::Removal(failure) => failure.exit_code(),
            Failure::Backup(failure) => failure.exit_code(),
            Failure::Interrupted { .. } => 5,
            Failure::Undecidable { .. } => 7,
            Failure::Aborted { .. } => 0,
            Failure::Bug { .. } => 70,
            _ => 3,
        }
    }

    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::WrongAccount { .. } => "RBK4001",
            Failure::WrongRegion { .. } => "RBK4002",
            Failure::Precondition { .. } => "RBK4003",
            Failure::TargetExists { .. } => "RBK4004",
            Failure::SecretMissing { .. } => "RBK4005",
            Failure::SecretUnusable { .. } => "RBK4006",
            Failure::NoSnapshot { .. } => "RBK4007",
            Failure::Drift { .. } => "RBK4008",
            Failure::Dependents { .. } => "RBK4009",
            Failure::Assertion { .. } => "RBK4010",
            Failure::Deadline { .. } => "RBK4011",
            Failure::Terminal { .. } => "RBK4012",
            Failure::Vanished { .. } => "RBK4013",
            Failure::Foreign { .. } => "RBK4014",
            Failure::SettingsDiffer { .. } => "RBK4015",
            Failure::SecretMoved { .. } => "RBK4016",
            Failure::Refused { .. } => "RBK4017",
            Failure::ProofFailed { .. } => "RBK4018",
            Failure::Evaluation { .. } => "RBK4019",
            Failure::Overdue { .. } => "RBK4020",
            Failure::Aborted { .. } => "RBK4021",
            Failure::DecidedByHand { .. } => "RBK4022",
            Failure::IndexDiffers { .. } => "RBK4023",
            Failure::Orphans { .. } => "RBK4024",
            Failure::CommandFailed { .. } => "RBK4025",
            Failure::MigrationLocked { .. } => "RBK4026",
            Failure::LockNotGiven { .. } => "RBK4027",
            Failure::Replication(failure) => failure.code(),
            Failure::Removal(failure) => failure.code(),
            Failure::Backup(failure) => failure.code(),
            Failure::Port(error) => match error.kind {
                PortErrorKind::AccessDenied => "RBK4031",
                PortErrorKind::Credentials => "RBK4032",
                PortErrorKind::Unreachable => "RBK4033",
                PortErrorKind::Throttled => "RBK4034",
                PortErrorKind::Tls => "RBK4035",
                PortErrorKind::LoginRefused => "RBK4036",
                PortErrorKind::Quota => "RBK4037",
                PortErrorKind::Statement => "RBK4038",
                _ => "RBK4030",
            },
            Failure::Unanswerable { .. } => "RBK4040",
            Failure::Interrupted { .. } => "RBK4041",
            Failure::Journal { .. } => "RBK4042",
            Failure::MigrationFailed { .. } => "RBK4043",
            Failure::Undecidable { .. } => "RBK4050",
            Failure::Bug { .. } => "RBK4090",
        }
    }

    /// What was being done when it happened.
    pub fn doing(&self) -> String {
        match self {
            Failure::WrongAccount { .. } | Failure::WrongRegion { .. } => {
                "proving the account and region".to_owned()
            }
            Failure::Precondition { statement, .. }
            | Failure::Assertion { statement, .. }
            | Failure::Deadline { statement, .. } => format!("`{statement}`"),
            Failure::TargetExists { instance, .. }
            | Failure::Terminal { instance, .. }
            | Failure::Vanished { instance }
            | Failure::Foreign { instance, .. }
            | Failure::SettingsDiffer { instance, .. } => {
                format!("looking at instance `{instance}`")
            }
            Failure::SecretMissing { secret }
            | Failure::SecretUnusable { secret, .. }
            | Failure::SecretMoved { secret, .. }
            | Failure::ProofFailed { secret, .. } => format!("looking at secret `{secret}`"),
            Failure::NoSnapshot { instance, .. } => {
                format!("looking for a snapshot of `{instance}`")
            }
            Failure::Refused { .. } | Failure::Unanswerable { .. } => {
                "asking for an approval".to_owned()
            }
            Failure::Drift { database, .. } => {
                format!("comparing {database} with its lock file")
            }
            Failure::Dependents { database, .. } => {
                format!("looking for what depends on schemas of {database}")
            }
            Failure::IndexDiffers {
                database, index, ..
            } => format!("looking at index `{}` of {database}", index.name),
            Failure::Orphans { database, .. } => {
                format!("proving the foreign keys of {database}")
            }
            Failure::CommandFailed { command, .. } => format!("running command `{command}`"),
            Failure::MigrationLocked { database, .. }
            | Failure::MigrationFailed { database, .. } => {
                format!("migrating the schema of {database}")
            }
            Failure::Evaluation { doing, .. }
            | Failure::LockNotGiven { doing, .. }
            | Failure::Overdue { doing, .. }
            | Failure::Undecidable { doing, .. } => doing.clone(),
            Failure::Replication(failure) => failure.doing(),
            Failure::Removal(failure) => failure.doing(),
            Failure::Backup(failure) => failure.doing(),
            Failure::Port(error) => error.doing.clone(),
            Failure::Interrupted { .. } => "running".to_owned(),
            Failure::Journal { .. } => "writing the journal".to_owned(),
            Failure::Aborted { .. } => "aborting".to_owned(),
            Failure::DecidedByHand { .. } => "resolving an outcome".to_owned(),
            Failure::Bug { .. } => "running".to_owned(),
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            Failure::WrongAccount { expected, .. } => {
                format!(
                    "take credentials of account {expected} (AWS_PROFILE, SSO), or another environment"
                )
            }
            Failure::WrongRegion { expected, .. } => {
                format!("set the region to `{expected}`, or take another environment")
            }
            Failure::Precondition { .. } => {
                "nothing was changed; take another runbook, or mend what it asks for".to_owned()
            }
            Failure::TargetExists {
                owner: Some(run), ..
            } => format!(
                "it is the recovery of run `{run}`: look at it with `rbk status {run}`; if it isn't needed any more, destroy it, then run again"
            ),
            Failure::TargetExists { instance, .. } => format!(
                "no run of rbk is named in its tags: find out who needs it; destroy or rename `{instance}`, then run again"
            ),
            Failure::SecretMissing { secret } => {
                format!("create `{secret}`, or correct its name in the environment; then run again")
            }
            Failure::SecretUnusable { .. } => "mend the secret, then run again".to_owned(),
            Failure::NoSnapshot { .. } => {
                "look at the snapshots of the instance; a point-in-time restore may reach further"
                    .to_owned()
            }
            Failure::Assertion { .. } => "look at what was seen".to_owned(),
            Failure::Deadline { .. } => {
                "look at why it takes so long; run again with a longer `within` when it is mended"
                    .to_owned()
            }
            Failure::Terminal { instance, .. } => format!(
                "look at the events of `{instance}`; it can be deleted without a final snapshot, then run again"
            ),
            Failure::Vanished { .. } => "find out who deleted it, then run again".to_owned(),
            Failure::Foreign { instance, .. } => {
                format!("rbk leaves `{instance}` alone: find out who made it, then run again")
            }
            Failure::SettingsDiffer { .. } => {
                "correct the instance or the environment; nothing was switched to it".to_owned()
            }
            Failure::SecretMoved { .. } => {
                "rbk overwrites no change of another: find out who moved it, then run again"
                    .to_owned()
            }
            Failure::Refused { .. } => {
                "run again when it may be done".to_owned()
            }
            Failure::Unanswerable { step, .. } => format!(
                "say yes with `rbk resume RUN --approve {}`, or resume on a terminal",
                shell_word(step)
            ),
            Failure::Drift { .. } => "look at what is different; if the database is right, write the lock file anew with `rbk env pull`, look at its changes, then run again".to_owned(),
            Failure::Dependents { .. } => {
                "nothing was changed; move them into the schema, or drop them now and make them again afterwards, then run again".to_owned()
            }
            Failure::IndexDiffers { .. } => {
                "nothing was dropped here; if the database is right, write the lock file anew with `rbk env pull`, look at its changes, then run again".to_owned()
            }
            Failure::Orphans { .. } => {
                "compare these tables with where their rows come from (`assert A matches B`): rows are missing, or were never there".to_owned()
            }
            Failure::CommandFailed { .. } => {
                "look at what it wrote".to_owned()
            }
            Failure::MigrationLocked { .. } => {
                "find out whether that still runs; if it doesn't, release its lock with `liquibase release-locks`, then run again".to_owned()
            }
            Failure::LockNotGiven { .. } => {
                "wait until what is named there has ended, or end it with `select pg_terminate_backend(PID)`, then run again".to_owned()
            }
            Failure::MigrationFailed { change_set: Some(_), .. } => {
                "mend the change set, or the data that it fails on, then `rbk resume RUN`: those before it stay applied and are left out; nothing was undone".to_owned()
            }
            Failure::MigrationFailed { change_set: None, .. } => {
                "mend what the tool complains about, then `rbk resume RUN`; nothing was undone".to_owned()
            }
            Failure::ProofFailed { .. } => "nothing was switched; look at the secret".to_owned(),
            Failure::Evaluation { .. } => "correct the runbook or what it reads".to_owned(),
            Failure::Replication(failure) => failure.help(),
            Failure::Removal(failure) => failure.help(),
            Failure::Backup(failure) => failure.help(),
            Failure::Port(error) => port_help(error),
            Failure::Overdue { .. } => "look at the instance and its events".to_owned(),
            Failure::Undecidable { look_at, .. } => look_at.clone(),
            Failure::Interrupted { .. } => {
                "go on with `rbk resume RUN`, or undo with `rbk abort RUN`".to_owned()
            }
            Failure::Journal { .. } => {
                "make room or mend the disk, then `rbk resume RUN`".to_owned()
            }
            Failure::Aborted { .. } | Failure::DecidedByHand { .. } => {
                "`on failure` has run".to_owned()
            }
            Failure::Bug { .. } => {
                "nothing was undone; report it with the journal, and look at `rbk status RUN`"
                    .to_owned()
            }
        }
    }
}

fn port_help(error: &PortError) -> String {
    match error.kind {
        PortErrorKind::AccessDenied => "get the permission, then `rbk resume RUN`; nothing was undone",
        PortErrorKind::Credentials => "log in again, then `rbk resume RUN`; nothing was undone",
        PortErrorKind::Unreachable => "mend the network, then `rbk resume RUN`; nothing was undone",
        PortErrorKind::Throttled => "wait a little, then `rbk resume RUN`; nothing was undone",
        PortErrorKind::Tls => {
            "check `access.ca` and the host's certificate, then `rbk resume RUN`; nothing was undone"
        }
        PortErrorKind::LoginRefused => "look at the secret and the role",
        PortErrorKind::Quota => "raise the quota or free what isn't needed, then run again",
        PortErrorKind::Statement => "look at the statement and the server's log",
        _ => "look at the message",
    }
    .to_owned()
}

/// What a condition says that doesn't hold: the runbook's own words, where it has some, and then the statement without them.
fn said(message: &Option<String>, what: &str, statement: &str, seen: &str) -> String {
    match message {
        Some(message) => {
            let asked = statement.rsplit_once("else \"");
            let asked = asked.map_or(statement, |(asked, _)| asked.trim_end());
            format!("{message} (`{asked}`: {seen})")
        }
        None => format!("{what}: `{statement}`: {seen}"),
    }
}

/// How many are named at most.
const NAMED: usize = 5;

fn schemas_text(schemas: &[String]) -> String {
    let names: Vec<String> = schemas.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [name] => format!("schema {name}"),
        names => format!("schemas {}", names.join(", ")),
    }
}

fn index_text(found: &Option<String>) -> String {
    match found {
        Some(found) => format!("is `{found}`"),
        None => "isn't there".to_owned(),
    }
}

fn since_text(since: &Option<String>) -> String {
    let since = since.as_ref();
    since.map_or(String::new(), |since| format!(", since {since}"))
}

fn orphans_text(keys: &[OrphanedKey]) -> String {
    let lines: Vec<String> = keys
        .iter()
        .map(|found| {
            let OrphanedKey {
                table,
                key,
                references,
                rows,
                example,
            } = found;
            let are = if *rows == 1 { "row of" } else { "rows of" };
            let example = example.as_ref();
            let example = example.map_or(String::new(), |row| format!(", for instance {row}"));
            format!("`{key}`: {rows} {are} {table} without theirs in {references}{example}")
        })
        .collect();
    first_few(&lines, NAMED, "; ")
}

fn migration_text(database: &DatabaseName, change_set: &Option<String>, reason: &str) -> String {
    match change_set {
        Some(change_set) => format!("change set `{change_set}` failed on {database}: {reason}"),
        None => format!("the migration of {database} failed: {reason}"),
    }
}

fn owner_text(owner: &Option<RunId>) -> String {
    match owner {
        Some(run) => format!("made by run `{run}`"),
        None => "without a tag of rbk".to_owned(),
    }
}

fn version_text(version: &Option<VersionId>) -> String {
    match version {
        Some(version) => format!("`{version}`"),
        None => "none".to_owned(),
    }
}

fn no_snapshot(instance: &InstanceId, wanted: &Option<SnapshotId>) -> String {
    match wanted {
        Some(wanted) => format!("instance `{instance}` has no snapshot `{wanted}`"),
        None => format!("instance `{instance}` has no available snapshot"),
    }
}
