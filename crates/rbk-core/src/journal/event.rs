//! The records of a journal, as typed data.

use crate::ids::{
    ActionId, ApplicationName, DatabaseName, InstanceId, ResourceId, RunId, SecretName, SnapshotId,
    StepPath, VersionId,
};
use crate::plan::IndexFacts;
use crate::run::{EndingKind, Failure};
use crate::value::{Snapshot, Value};
use serde::{Deserialize, Serialize};

/// The version of the journal format that this build writes; newer ones are refused.
pub const JOURNAL_VERSION: u32 = 1;

/// A record: an entry, and its place in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The format's version.
    pub v: u32,
    /// From 0, without a gap.
    pub seq: u64,
    /// How many times the run was begun or resumed when it was written; 0 in the header.
    pub epoch: u64,
    /// The run.
    pub run: RunId,
    /// When.
    pub at: jiff::Timestamp,
    /// What.
    pub entry: Entry,
    /// SHA-256 of the line before, in hex.
    pub prev: String,
}

/// What a record says, and of which action.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The step; absent outside of steps and in `on failure`.
    pub step: Option<StepPath>,
    /// The action.
    pub action: Option<ActionId>,
    /// Which attempt of the action, from 1; 0 before its first intent.
    pub attempt: u32,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// An entry about the run as a whole.
    pub fn of_run(event: Event) -> Self {
        Self {
            step: None,
            action: None,
            attempt: 0,
            event,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum Event {
    /// The first record of each journal.
    Header(Header),
    /// Somebody took the lease: the run begins or is resumed.
    Lease(LeaseFacts),
    /// Something was read, or proven.
    Observed {
        /// Which entry of the plan's preflight, from 0; absent within an action.
        preflight: Option<usize>,
        /// What was seen.
        observation: Observation,
    },
    /// Preflight passed.
    Ready,
    /// These steps are done together from here on, each with an action of its own under way; until they are all over or the run
    /// turns to `on failure`.
    Together {
        /// Which.
        steps: Vec<StepPath>,
    },
    /// An action begins, or is gone on with after a resume.
    Started,
    /// A call is about to be sent.
    Intent(Intent),
    /// An action is over.
    Outcome(Outcome),
    /// Nobody can tell whether a call had its effect.
    Unknown {
        /// Why not, and where to look.
        failure: Failure,
    },
    /// A person said what became of an unknown outcome.
    Resolved {
        /// What they found.
        decision: Decision,
        /// Who.
        by: String,
        /// Why they are sure.
        reason: String,
    },
    /// A person said yes; the action is over.
    Approved {
        /// Who.
        by: String,
        /// To what.
        prompt: String,
    },
    /// An action was left out, as the runbook allows; the action is over.
    Skipped {
        /// Why.
        reason: String,
    },
    /// A person gave an await more time.
    Extended {
        /// How much.
        seconds: u64,
        /// Who.
        by: String,
    },
    /// The run stops here and can be resumed.
    Suspended {
        /// Why.
        failure: Failure,
        /// How long the action had been waited for, in milliseconds of attended time.
        attended: u64,
    },
    /// A person gave the run up; `on failure` follows.
    Aborted {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// `on failure` is over: what the run made for its own use is removed now.
    CleaningUp,
    /// The last record of a run that is over.
    End {
        /// How it ended.
        kind: EndingKind,
        /// What `rbk run` returned.
        exit_code: u8,
        /// What stopped it.
        first: Option<Failed>,
        /// What went wrong first in `on failure` or while cleaning up.
        second: Option<Failed>,
        /// What else went wrong there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<Failed>,
    },
}

impl Event {
    /// Its `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Header(_) => "header",
            Event::Lease(_) => "lease",
            Event::Observed { .. } => "observed",
            Event::Ready => "ready",
            Event::Together { .. } => "together",
            Event::Started => "started",
            Event::Intent(_) => "intent",
            Event::Outcome(_) => "outcome",
            Event::Unknown { .. } => "unknown",
            Event::Resolved { .. } => "resolved",
            Event::Approved { .. } => "approved",
            Event::Skipped { .. } => "skipped",
            Event::Extended { .. } => "extended",
            Event::Suspended { .. } => "suspended",
            Event::Aborted { .. } => "aborted",
            Event::CleaningUp => "cleaning_up",
            Event::End { .. } => "end",
        }
    }

    /// Whether nothing may happen before it is on the disk. What isn't is carried there by the next one that is:
    /// so every observation is durable before the first intent that follows it.
    pub fn is_durable(&self) -> bool {
        !matches!(self, Event::Observed { .. } | Event::Started | Event::Ready)
    }
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// SHA-256 of the stored plan, in hex.
    pub plan: String,
    /// The version of the plan's format.
    pub plan_version: u32,
    /// The version of rbk that began it.
    pub rbk: String,
    /// The runbook's title.
    pub title: String,
    /// The environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Who began it.
    pub operator: String,
    /// Whether the lease was taken in a store that others may not see.
    pub alone: bool,
    /// The saved plan that it was begun from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<SavedUse>,
}

/// The saved plan that a run was begun from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedUse {
    /// Its id.
    pub id: String,
    /// Its hash; the run's own plan is that one with its holes filled.
    pub sha256: String,
    /// When it was saved.
    pub saved_at: jiff::Timestamp,
    /// What it was made from and nobody compared, since it wasn't there: `--without-inputs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// Who took the lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseFacts {
    /// Who.
    pub operator: String,
    /// Which process.
    pub pid: u32,
    /// Of which boot of the machine, where that is known.
    pub boot: Option<String>,
    /// The version of rbk.
    pub rbk: String,
    /// What the lease covers.
    pub entities: Vec<String>,
}

/// Something that was read, or proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "observation", rename_all = "snake_case")]
pub enum Observation {
    /// Who signs the calls.
    Identity {
        /// The account.
        account: String,
        /// The principal.
        arn: String,
        /// The region.
        region: String,
    },
    /// There is no instance of that name.
    Absent {
        /// The database.
        database: DatabaseName,
        /// The instance.
        instance: InstanceId,
    },
    /// The current version of a secret.
    SecretVersion {
        /// The secret.
        secret: SecretName,
        /// Its current version; absent while it has none.
        version: Option<VersionId>,
    },
    /// The active database of an application.
    ActiveDatabase {
        /// The application.
        application: ApplicationName,
        /// Its database; absent where its secret names none of those that it may use.
        database: Option<DatabaseName>,
    },
    /// The value of a `let`.
    Binding {
        /// Its name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// A precondition holds.
    Required {
        /// As the runbook says it.
        statement: String,
        /// What was seen.
        seen: String,
    },
    /// A database's catalog is as the lock file says.
    Catalog {
        /// The database.
        database: DatabaseName,
        /// What was compared: `34 tables, 51 indexes`.
        seen: String,
    },
    /// Indexes that are about to be dropped, as they are.
    Indexes {
        /// The database.
        database: DatabaseName,
        /// Which, and how they are made.
        indexes: Vec<IndexFacts>,
    },
    /// An instance as it is, before anything is done to it.
    Instance {
        /// The database.
        database: DatabaseName,
        /// Its immutable identity.
        resource: ResourceId,
    },
    /// What an instance can be restored to.
    RestoreWindow {
        /// The database.
        database: DatabaseName,
        /// The oldest instant.
        earliest: jiff::Timestamp,
        /// The newest.
        latest: Option<jiff::Timestamp>,
        /// The one that is wanted, where it is known.
        wanted: Option<jiff::Timestamp>,
    },
    /// There is no snapshot of that name.
    SnapshotAbsent {
        /// Its identifier.
        id: SnapshotId,
    },
    /// A replication subnet group is there.
    ReplicationSubnetGroup {
        /// Its name.
        name: String,
    },
    /// How a replication stands: journaled when it is complete, and before its statistics vanish with it.
    Replication {
        /// Its name in the plan.
        replication: String,
        /// How it stands.
        facts: ReplicationFacts,
    },
    /// What a condition looked like while it was awaited: first, when it changed, and last.
    Condition {
        /// Whether it holds.
        holds: bool,
        /// What was seen.
        seen: String,
        /// Attended time so far, in milliseconds.
        attended: u64,
        /// How often it was looked at in this epoch.
        looks: u32,
    },
}

/// How a replication stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicationFacts {
    /// DMS's status, or `done` of a copy by rbk.
    pub status: String,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// What DMS says of a failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// From start to end, or until it was looked at, in seconds.
    pub elapsed: u64,
    /// By table, in the order of their names; those that were expected and that DMS doesn't tell of are missing.
    pub tables: Vec<TableFacts>,
    /// Whether it was proven to be complete and right.
    pub proven: bool,
}

/// How a table of a replication stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableFacts {
    /// `public.documents`
    pub table: String,
    /// DMS's state of it: `Table completed`.
    pub state: String,
    /// Rows that were loaded.
    pub rows: u64,
    /// Seconds that its load took, where that is known.
    pub seconds: Option<u64>,
}

impl std::fmt::Display for Observation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Observation::Identity {
                account,
                arn,
                region,
            } => write!(f, "account {account}, region {region}, as `{arn}`"),
            Observation::Absent { database, instance } => {
                write!(f, "{database}: there is no instance `{instance}`")
            }
            Observation::SecretVersion {
                secret,
                version: Some(version),
            } => write!(f, "secret `{secret}` is at version `{version}`"),
            Observation::SecretVersion {
                secret,
                version: None,
            } => write!(f, "secret `{secret}` has no version yet"),
            Observation::ActiveDatabase {
                application,
                database: Some(database),
            } => write!(f, "{application} uses {database}"),
            Observation::ActiveDatabase {
                application,
                database: None,
            } => write!(f, "{application} uses no database of the environment"),
            Observation::Binding { name, value } => write!(f, "{name} = {value}"),
            Observation::Required { statement, seen } => write!(f, "{statement}: {seen}"),
            Observation::Catalog { database, seen } => {
                write!(f, "{database} is as its lock file says: {seen}")
            }
            Observation::Indexes { database, indexes } => {
                let names: Vec<&str> = indexes.iter().map(|index| index.name.as_str()).collect();
                write!(f, "indexes of {database} as they are: {}", names.join(", "))
            }
            Observation::Instance { database, resource } => {
                write!(f, "the instance of {database} is `{resource}`")
            }
            Observation::RestoreWindow {
                database,
                earliest,
                latest,
                wanted,
            } => {
                write!(f, "{database} can be restored from {earliest} ")?;
                match latest {
                    Some(latest) => write!(f, "until {latest}")?,
                    None => f.write_str("on, not yet until any instant")?,
                }
                match wanted {
                    Some(wanted) => write!(f, "; {wanted} lies within"),
                    None => Ok(()),
                }
            }
            Observation::SnapshotAbsent { id } => write!(f, "there is no snapshot `{id}`"),
            Observation::ReplicationSubnetGroup { name } => {
                write!(f, "there is a replication subnet group `{name}`")
            }
            Observation::Replication { replication, facts } => {
                let rows: u64 = facts.tables.iter().map(|table| table.rows).sum();
                write!(
                    f,
                    "{replication}: {}, {} tables, {rows} rows",
                    facts.stop_reason.as_deref().unwrap_or(&facts.status),
                    facts.tables.len()
                )
            }
            Observation::Condition { seen, .. } => f.write_str(seen),
        }
    }
}

/// A call that is about to be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// `RestoreDBInstanceFromDBSnapshot`.
    pub call: String,
    /// On what.
    pub target: String,
    /// Whether something of that name existed before, where a name is the only identity.
    pub existed_before: Option<bool>,
    /// The request token, where the service has one.
    pub token: Option<VersionId>,
    /// What was chosen, for instance the snapshot; a later attempt takes the same.
    pub choice: Option<Value>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// What it is for is so, and was seen to be so.
    Done {
        /// By whose doing.
        how: How,
        /// What was seen.
        detail: String,
        /// What later actions build on.
        proof: Option<Proof>,
    },
    /// It failed, and that is decided.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// By whose doing an action's purpose is fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// This run did it.
    Done,
    /// An earlier attempt of this run had done it, and it was found.
    Adopted,
    /// It was so before this run did anything.
    AlreadySo,
    /// A person did it, and the action's own probe agrees.
    ByHand,
}

/// What later actions build on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum Proof {
    /// An instance that this run created.
    Instance {
        /// The database.
        database: DatabaseName,
        /// Its name.
        instance: InstanceId,
        /// Its immutable identity.
        resource: ResourceId,
    },
    /// A replication that is complete.
    Replicated {
        /// Its name in the plan.
        replication: String,
        /// How it ended.
        facts: ReplicationFacts,
    },
    /// A snapshot that this run made.
    Taken {
        /// The database.
        database: DatabaseName,
        /// The snapshot, available.
        snapshot: Box<Snapshot>,
        /// The `let` that it is the value of.
        binding: Option<String>,
    },
    /// Which way an `if` went.
    Decided {
        /// Whether its condition held.
        holds: bool,
    },
    /// An instance that this run destroyed.
    Destroyed {
        /// The database.
        database: DatabaseName,
        /// The snapshot that is left of it.
        final_snapshot: Option<SnapshotId>,
    },
    /// A version that nobody reads yet.
    Staged {
        /// The secret.
        secret: SecretName,
        /// The version.
        version: VersionId,
    },
    /// A version that is current now.
    Promoted {
        /// The secret.
        secret: SecretName,
        /// The version.
        version: VersionId,
    },
}

/// What a person says became of an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is done; taken only where the action's own probe agrees.
    Done,
    /// It is not done, and may be sent again.
    NotDone,
    /// It failed: `on failure` follows.
    Failed,
}

/// A failure, and where it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The step; absent in preflight and in `on failure`.
    pub step: Option<StepPath>,
    /// The action; absent in preflight.
    pub action: Option<ActionId>,
    /// What happened.
    pub failure: Failure,
}
