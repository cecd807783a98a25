//! What rbk needs of the world, as traits: AWS, Postgres, applications, people and time.
//!
//! Adapters stand in `rbk-aws`, `rbk-postgres` and `rbk`; unit tests use fakes. Reads retry inside their adapter
//! (throttling, 5xx, cut connections); a mutation is sent exactly once, and its error says whether it
//! may have been applied.

mod dms;
mod error;

pub use dms::{
    Dms, DmsEndpoint, DmsLeftover, EndpointCredentials, EndpointRequest, Replication,
    ReplicationRequest, TableCounts, TableStatistics,
};
pub use error::{PortError, PortErrorKind, Sent};

use crate::catalog::Catalog;
use crate::environment::{Checks, TableName};
use crate::ids::{
    ActionId, InstanceId, ResourceId, RoleName, RunId, SecretName, SnapshotId, StageLabel,
    VersionId,
};
use crate::plan::{
    Change, CopiedTable, ForeignKeyFacts, Freeze, IndexFacts, InstanceSettings, SequenceFacts,
    TablePair,
};
use crate::value::{Snapshot, Type, Value};
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a run touches.
#[derive(Clone)]
pub struct World {
    /// Who we are.
    pub identity: Arc<dyn Identity>,
    /// Instances and snapshots.
    pub rds: Arc<dyn Rds>,
    /// Replications.
    pub dms: Arc<dyn Dms>,
    /// Roles.
    pub roles: Arc<dyn Roles>,
    /// Secrets Manager.
    pub secrets: Arc<dyn Secrets>,
    /// Logins.
    pub postgres: Arc<dyn Postgres>,
    /// Applications' health.
    pub health: Arc<dyn Health>,
    /// The migration tool.
    pub migrations: Arc<dyn MigrationRunner>,
    /// The environment's commands.
    pub commands: Arc<dyn Commands>,
    /// The person in front of the screen, or what stands in for one.
    pub person: Arc<dyn Person>,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
}

/// STS.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Who signs the calls, and for which region. Source: `GetCallerIdentity`.
    async fn caller(&self) -> Result<Caller, PortError>;

    /// When the credentials expire, where that is known; those of a user don't.
    async fn expires_at(&self) -> Option<jiff::Timestamp> {
        None
    }
}

/// Who signs the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The principal.
    pub arn: String,
    /// The region that the clients are set to.
    pub region: String,
}

/// RDS.
#[async_trait]
pub trait Rds: Send + Sync {
    /// The instance, or `None` where there is none of that name. Source: `DescribeDBInstances`.
    async fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, PortError>;

    /// All automated and manual snapshots of an instance, of all pages, in no order. Source: `DescribeDBSnapshots`.
    async fn snapshots(&self, of: &InstanceId) -> Result<Vec<Snapshot>, PortError>;

    /// Creates an instance from a snapshot; returns when RDS has accepted it. Source: `RestoreDBInstanceFromDBSnapshot`.
    async fn restore_from_snapshot(&self, request: &RestoreRequest) -> Result<Instance, PortError>;

    /// Creates an instance from another one's past; returns when RDS has accepted it. Source: `RestoreDBInstanceToPointInTime`.
    async fn restore_to_point_in_time(
        &self,
        request: &PointInTimeRequest,
    ) -> Result<Instance, PortError>;

    /// Begins a manual snapshot; returns when RDS has accepted it. Source: `CreateDBSnapshot`.
    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot, PortError>;

    /// The instants that an instance can be restored to, or `None` where it keeps no automated backups.
    /// Source: `DescribeDBInstanceAutomatedBackups`.
    async fn restore_window(&self, of: &InstanceId) -> Result<Option<RestoreWindow>, PortError>;

    /// Whether there is a DB subnet group of that name. Source: `DescribeDBSubnetGroups`.
    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError>;

    /// Whether there is a DB parameter group of that name. Source: `DescribeDBParameterGroups`.
    async fn has_parameter_group(&self, name: &str) -> Result<bool, PortError>;

    /// What the account may have, and has. Source: `DescribeAccountAttributes`.
    async fn quotas(&self) -> Result<Vec<Quota>, PortError>;

    /// Sets the master user's password; takes effect later (`PendingModifiedValues`). Source: `ModifyDBInstance`.
    async fn set_master_password(
        &self,
        id: &InstanceId,
        password: &SecretString,
    ) -> Result<Instance, PortError>;

    /// Switches RDS's deletion protection; takes effect at once. Source: `ModifyDBInstance`.
    async fn set_deletion_protection(
        &self,
        id: &InstanceId,
        on: bool,
    ) -> Result<Instance, PortError>;

    /// Deletes an instance, its automated backups with it; returns when RDS has accepted it. One that is being deleted already
    /// is `AlreadySo`. Source: `DeleteDBInstance`.
    async fn delete_instance(
        &self,
        id: &InstanceId,
        final_snapshot: Option<&SnapshotId>,
    ) -> Result<(), PortError>;

    /// The snapshot of that identifier, or `None`. Source: `DescribeDBSnapshots`.
    async fn snapshot(&self, id: &SnapshotId) -> Result<Option<Snapshot>, PortError>;

    /// The tags of a snapshot, or `None` where there is no such snapshot. Source: `DescribeDBSnapshots`, `TagList`.
    async fn snapshot_tags(
        &self,
        id: &SnapshotId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError>;

    /// All instances that carry the tag `rbk:run`, of all pages. Source: `DescribeDBInstances`.
    async fn created_by_rbk(&self) -> Result<Vec<Instance>, PortError>;
}

/// What an instance is restored with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// From what.
    pub snapshot: SnapshotId,
    /// The environment's settings.
    pub settings: InstanceSettings,
    /// All tags, rbk's own included.
    pub tags: BTreeMap<String, String>,
}

/// What an instance is restored with to a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointInTimeRequest {
    /// The instance whose past it gets.
    pub source: InstanceId,
    /// Which instant; RDS knows seconds.
    pub at: jiff::Timestamp,
    /// The environment's settings.
    pub settings: InstanceSettings,
    /// All tags, rbk's own included.
    pub tags: BTreeMap<String, String>,
}

/// What a snapshot is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// Its identifier.
    pub id: SnapshotId,
    /// Of what.
    pub instance: InstanceId,
    /// All tags, rbk's own included.
    pub tags: BTreeMap<String, String>,
}

/// The instants that an instance can be restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreWindow {
    /// The oldest.
    pub earliest: jiff::Timestamp,
    /// The newest; absent while there is none yet.
    pub latest: Option<jiff::Timestamp>,
}

/// How much of something an account may have, and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// `DBInstances`, `ManualSnapshots`, …: a free string in the API.
    pub name: String,
    /// How much there is.
    pub used: i64,
    /// How much there may be.
    pub max: i64,
}

/// IAM, as far as a plan asks it.
#[async_trait]
pub trait Roles: Send + Sync {
    /// Whether there is a role of that name. Source: `GetRole`.
    async fn has_role(&self, name: &str) -> Result<bool, PortError>;
}

/// A transaction that has been open for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongTransaction {
    /// The backend's process id.
    pub pid: i32,
    /// Its role; absent where Postgres doesn't tell.
    pub role: Option<String>,
    /// Its `application_name`.
    pub application: String,
    /// `active`, `idle in transaction`, …
    pub state: String,
    /// Seconds since it began.
    pub seconds: u64,
}

/// An instance as RDS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub id: InstanceId,
    /// Its immutable identity.
    pub resource: ResourceId,
    /// `available`, `creating`, …: a free string in the API.
    pub status: String,
    /// Host and port; absent while it is being created.
    pub endpoint: Option<Endpoint>,
    /// `postgres`.
    pub engine: String,
    /// `16.4`.
    pub engine_version: String,
    /// The master user.
    pub master_username: String,
    /// When it was created.
    pub created_at: Option<jiff::Timestamp>,
    /// What it was created with, as far as RDS tells.
    pub settings: InstanceSettings,
    /// Names of values that are still pending (`PendingModifiedValues`), for instance `MasterUserPassword`.
    pub pending: Vec<String>,
    /// What keeps it from being settled besides status and pending values: `parameter group default.postgres16 is applying`.
    pub unsettled: Vec<String>,
    /// How far back a point in time can go at the latest.
    pub latest_restorable_time: Option<jiff::Timestamp>,
    /// Whether RDS manages the master password itself, in a secret of its own.
    pub managed_master_secret: bool,
    /// All of them.
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// Available, nothing pending, groups in sync: the state that may be built upon. Source: the predicate that
    /// CloudFormation's own RDS provider waits for.
    pub fn is_settled(&self) -> bool {
        self.status == "available" && self.pending.is_empty() && self.unsettled.is_empty()
    }

    /// A status that no waiting mends, after a restore. Source: RDS's list of instance statuses.
    pub fn terminal_status(&self) -> Option<&str> {
        const TERMINAL: &[&str] = &[
            "failed",
            "restore-error",
            "incompatible-restore",
            "incompatible-network",
            "incompatible-parameters",
            "incompatible-option-group",
            "incompatible-create",
            "incompatible-credentials",
            "insufficient-capacity",
            "inaccessible-encryption-credentials",
            "inaccessible-encryption-credentials-recoverable",
            "storage-full",
            "deleting",
        ];
        TERMINAL
            .contains(&self.status.as_str())
            .then_some(self.status.as_str())
    }
}

/// Host and port of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A DNS name (or an address, in the sandbox).
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Secrets Manager.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Which versions there are and what they are labelled; never their values. `None`: no such secret. Source: `DescribeSecret`.
    async fn describe(&self, name: &SecretName) -> Result<Option<SecretFacts>, PortError>;

    /// A version's value. Source: `GetSecretValue`.
    async fn value(&self, name: &SecretName, which: &Which) -> Result<SecretValue, PortError>;

    /// Puts a version under a label; the token becomes the version's id. The same token with the same value is no error;
    /// with another value it is `Conflict`. Source: `PutSecretValue`.
    async fn put(
        &self,
        name: &SecretName,
        token: &VersionId,
        value: &SecretString,
        label: &StageLabel,
    ) -> Result<(), PortError>;

    /// Moves a label from one version to another, as a compare-and-swap: `Conflict` where `from` no longer has it. Source: `UpdateSecretVersionStage`.
    async fn move_label(
        &self,
        name: &SecretName,
        label: &StageLabel,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), PortError>;
}

/// Which version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one labelled so.
    Label(StageLabel),
    /// The one of that id.
    Version(VersionId),
}

impl Which {
    /// The version labelled `AWSCURRENT`.
    pub fn current() -> Self {
        Which::Label(StageLabel::from("AWSCURRENT"))
    }
}

/// A secret's versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// Labels by version.
    pub versions: BTreeMap<VersionId, Vec<StageLabel>>,
    /// Whether Secrets Manager rotates it.
    pub rotation_enabled: bool,
    /// The service that owns it, for instance `rds`; then nobody else may write it.
    pub owning_service: Option<String>,
    /// Whether it is scheduled for deletion.
    pub deleted: bool,
}

impl SecretFacts {
    /// The version that carries a label.
    pub fn version_with(&self, label: &StageLabel) -> Option<&VersionId> {
        self.versions
            .iter()
            .find(|(_, labels)| labels.contains(label))
            .map(|(version, _)| version)
    }

    /// The version labelled `AWSCURRENT`.
    pub fn current(&self) -> Option<&VersionId> {
        self.version_with(&StageLabel::from("AWSCURRENT"))
    }
}

/// A version's id and value.
#[derive(Clone)]
pub struct SecretValue {
    /// The version.
    pub version: VersionId,
    /// Its value.
    pub value: SecretString,
}

/// Logins to databases.
#[async_trait]
pub trait Postgres: Send + Sync {
    /// Logs in. TLS is verify-full against the real host name, through the declared tunnel if there is one.
    async fn connect(&self, to: &Login) -> Result<Box<dyn Session>, PortError>;

    /// Compares tables by count and order-independent checksum, several at a time, each side in sessions of its own that see
    /// one instant. One finding each, in the order given; a table that is missing on a side is a finding, not an error.
    async fn compare(
        &self,
        left: &Login,
        right: &Login,
        tables: &[TablePair],
        progress: &dyn Progress,
    ) -> Result<Vec<TableFinding>, PortError>;

    /// Copies tables in binary form, in the order given, each in a transaction of its own on the target together with its
    /// marker: `marker` with the table as its part (`public.documents`). Tables whose marker is there are left out. Foreign
    /// keys and triggers don't fire. Memory does not grow with the tables.
    ///
    /// What [`Session::change`] says of markers and of kinds of errors holds for each table.
    async fn copy(
        &self,
        from: &Login,
        to: &Login,
        tables: &[CopiedTable],
        marker: &Marker,
        progress: &dyn Progress,
    ) -> Result<CopyFacts, PortError>;
}

/// Told how far something is that takes its time, as often as it likes. Returns at once.
pub trait Progress: Send + Sync {
    /// `done` of `total`, in bytes, rows or parts; `seen` says it in words: ``copying public.embeddings, 1200 rows``.
    fn tell(&self, seen: &str, done: u64, total: u64);
}

/// The identity of a change in a database: a row in `rbk.markers`, written in the same transaction. Run, action and part
/// are its key, so that no change can be committed twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// The run.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// Which part of it, where it is done in several transactions.
    pub part: Option<String>,
    /// How many times the run was begun or resumed; a marker of a later epoch refuses an earlier one.
    pub epoch: u64,
}

/// What a comparison of two tables found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFinding {
    /// What was compared.
    pub pair: TablePair,
    /// The left side; `None`: there is no such table, or it lacks a column.
    pub left: Option<TableDigest>,
    /// The right side.
    pub right: Option<TableDigest>,
}

impl TableFinding {
    /// Whether both sides are there and hold the same rows.
    pub fn is_equal(&self) -> bool {
        self.left.is_some() && self.left == self.right
    }
}

/// A table's rows in short. Equal digests: equal rows, in whatever order, each as often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// How many rows.
    pub rows: u64,
    /// Two sums of 64-bit hashes of each row's text, with different seeds. A sum, unlike an XOR, tells a row that is
    /// there twice from one that isn't there.
    pub checksum: String,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyFacts {
    /// Tables, those that an earlier attempt had copied included.
    pub tables: u64,
    /// Rows that this attempt copied.
    pub rows: u64,
    /// Bytes that this attempt copied.
    pub bytes: u64,
}

/// Statements for one transaction.
#[derive(Debug, Clone)]
pub struct ChangeRequest<'a> {
    /// What they are for; decides how a failure is explained (which row, which view, who holds the lock).
    pub change: &'a Change,
    /// In order.
    pub statements: &'a [String],
    /// Settings of the transaction.
    pub settings: &'a BTreeMap<String, String>,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long all of it may take.
    pub deadline: Duration,
}

/// What a proof of a foreign key found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Rows that refer to nothing.
    pub rows: u64,
    /// One of them: its key's columns and values, as `document_id = 17`.
    pub example: Option<String>,
}

/// How a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceState {
    /// The value that the next `nextval` gives.
    pub next: i64,
    /// The largest value of its owner column (smallest where it goes down); absent: no owner, or no row.
    pub furthest: Option<i64>,
}

/// Liquibase's lock, where it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationLock {
    /// `LOCKEDBY`, as the tool wrote it.
    pub by: String,
    /// `LOCKGRANTED`.
    pub since: Option<String>,
}

/// What the migration tool's own table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSets {
    /// How many were applied.
    pub count: u64,
    /// The last one: `db.changelog.xml::3::anna`.
    pub last: Option<String>,
}

/// The migration tool.
#[async_trait]
pub trait MigrationRunner: Send + Sync {
    /// Brings the schema up. Change sets that were applied before are left out, so it may be said again. Its lock carries the run's id.
    /// Credentials go through the child's environment, never its arguments.
    async fn migrate(&self, request: &MigrateRequest<'_>) -> Result<(), MigrationError>;
}

/// What is migrated.
pub struct MigrateRequest<'a> {
    /// The tool and its changelog.
    pub migrations: &'a crate::environment::Migrations,
    /// As whom and where.
    pub login: &'a Login,
    /// The run, by which its lock is known: `rbk-<run>`.
    pub run: &'a RunId,
    /// Told what the tool says.
    pub progress: &'a dyn Progress,
}

/// Why a migration failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// A change set of the changelog failed. Those before it are applied.
    #[error("change set `{change_set}` failed: {reason}")]
    ChangeSet {
        /// `db.changelog.xml::3::anna`
        change_set: String,
        /// What the database said.
        reason: String,
    },
    /// The tool could not be started, could not read its changelog, or ended otherwise.
    #[error("{0}")]
    Tool(PortError),
}

/// The environment's commands.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs one to its end. A status other than 0 is an error whose message ends with the last lines that it wrote, secrets
    /// taken out. [`Sent::No`] means that it never began or ended by itself; one that was stopped (deadline, signal) is
    /// [`Sent::Maybe`].
    async fn run(&self, request: &CommandRequest<'_>) -> Result<CommandFacts, PortError>;
}

/// What is run.
pub struct CommandRequest<'a> {
    /// Its name in the environment.
    pub name: &'a str,
    /// The program and its arguments, holes filled.
    pub program: &'a [String],
    /// Variables with secrets in them, and nothing else of rbk's.
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// How long it may take.
    pub within: Duration,
    /// Told what it says.
    pub progress: &'a dyn Progress,
}

/// What came of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandFacts {
    /// The last line that it wrote, secrets taken out.
    pub last_line: String,
}

/// Where to log in and as whom.
#[derive(Clone)]
pub struct Login {
    /// The real host name.
    pub host: String,
    /// The real port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// A session of rbk's own on a database. Ended when dropped.
#[async_trait]
pub trait Session: Send + Sync {
    /// Server version and role, from a query that really ran.
    async fn whoami(&self) -> Result<SessionFacts, PortError>;

    /// Rows of a table, counted exactly.
    async fn count(&self, table: &TableName) -> Result<u64, PortError>;

    /// One value out of one statement in a read-only transaction.
    async fn query(&self, sql: &str, ty: Type) -> Result<Value, PortError>;

    /// Transactions that have been open for longer than that, the oldest first, our own left out. Source: `pg_stat_activity`.
    async fn long_transactions(
        &self,
        longer_than: Duration,
    ) -> Result<Vec<LongTransaction>, PortError>;

    /// Evaluates the environment's checks, all of them, one finding each.
    async fn checks(&self, checks: &Checks) -> Result<Vec<CheckFinding>, PortError>;

    /// How many sessions other than rbk's there are: of the given role, or of any role if `None`.
    async fn sessions(&self, role: Option<&RoleName>) -> Result<u64, PortError>;

    /// Sets a role's password; only a SCRAM verifier is sent. Also gives the role LOGIN.
    async fn set_role_password(
        &self,
        role: &RoleName,
        password: &SecretString,
    ) -> Result<(), PortError>;

    /// Whether writes are frozen that way, and still.
    async fn freeze_state(&self, freeze: &Freeze) -> Result<FreezeState, PortError>;

    /// Freezes, ends the other sessions, and watches the write counters until they stand still.
    async fn freeze(&self, freeze: &Freeze) -> Result<(), PortError>;

    /// Thaws.
    async fn thaw(&self, freeze: &Freeze) -> Result<(), PortError>;

    /// Reads the catalog of all schemas but Postgres's own and `rbk`.
    async fn catalog(&self) -> Result<Catalog, PortError>;

    /// What stands outside of these schemas and would go with them: `view reports.totals reads public.orders`.
    async fn dependents(&self, schemas: &[String]) -> Result<Vec<String>, PortError>;

    /// Whether a change was committed. [`PortErrorKind::InvalidState`] while a transaction that carries the marker is
    /// still open: the server may not have noticed yet that who began it is gone, and it may still be committed.
    async fn has_marker(&self, marker: &Marker) -> Result<bool, PortError>;

    /// Writes the marker, then runs the statements (none: just the marker), all in one transaction. Makes schema `rbk`
    /// where it isn't there, in a transaction before.
    ///
    /// The marker comes first: where an earlier transaction of the same marker is still open, this one waits at it, and
    /// fails with [`PortErrorKind::AlreadySo`] when that one is committed. So it may be sent again at any time.
    ///
    /// A lock that isn't given within `lock_timeout` is [`PortErrorKind::InvalidState`], and the message says who holds it
    /// and since when: it is tried again. A missing privilege is [`PortErrorKind::AccessDenied`]. A connection that is lost,
    /// at whatever point, is [`PortErrorKind::Unreachable`] and [`Sent::Maybe`].
    async fn change(&self, request: &ChangeRequest<'_>, marker: &Marker) -> Result<(), PortError>;

    /// Definitions of indexes by name, as `pg_get_indexdef` gives them; `None` where there is none of that name.
    async fn indexes(&self, indexes: &[IndexFacts]) -> Result<Vec<Option<String>>, PortError>;

    /// Rows of a foreign key that refer to nothing, by an anti-join of both tables, which may take as long as `within`.
    async fn orphans(&self, key: &ForeignKeyFacts, within: Duration) -> Result<Orphans, PortError>;

    /// How sequences stand, in the order given.
    async fn sequences(&self, sequences: &[SequenceFacts])
    -> Result<Vec<SequenceState>, PortError>;

    /// Lets each sequence's next value be this one. Values survive a rollback; saying it again changes nothing.
    async fn set_sequences(&self, next: &[(SequenceFacts, i64)]) -> Result<(), PortError>;

    /// Bytes on disk: of a table with its indexes, or of the whole database.
    async fn size(&self, table: Option<&TableName>) -> Result<u64, PortError>;

    /// Liquibase's lock, where its table is there and it is held.
    async fn migration_lock(&self, schema: &str) -> Result<Option<MigrationLock>, PortError>;

    /// Releases it if it is still that one: `Conflict` otherwise.
    async fn release_migration_lock(
        &self,
        schema: &str,
        lock: &MigrationLock,
    ) -> Result<(), PortError>;

    /// Ends the sessions of that application name, and waits until they are gone: a killed tool's session may still be at
    /// work on what it was sent. `InvalidState` where one doesn't go.
    async fn end_sessions(&self, application_name: &str) -> Result<(), PortError>;

    /// What Liquibase's table says; nothing where it isn't there.
    async fn change_sets(&self, schema: &str) -> Result<ChangeSets, PortError>;
}

/// What a session found out about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// `16.4`.
    pub server_version: String,
    /// The role that we are.
    pub role: String,
    /// Whether the server is still replaying.
    pub in_recovery: bool,
}

/// Whether writes are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeState {
    /// All of it is in force and no other session is left.
    Frozen,
    /// None of it.
    Open,
    /// Some of it: for instance one of two roles, or sessions that are still there.
    Partly,
}

/// What one check of an environment found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// `public.documents is not empty`.
    pub check: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen: `2000 rows`, `newest is 2026-11-22T03:00:00Z, 6h old`.
    pub seen: String,
}

/// Applications' health.
#[async_trait]
pub trait Health: Send + Sync {
    /// Asks once. A refused or cut connection is an answer, not an error.
    async fn ask(&self, health: &crate::environment::Health) -> Result<HealthAnswer, PortError>;
}

/// What an application answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthAnswer {
    /// Whether it was the expected answer.
    pub healthy: bool,
    /// What was seen: `200`, `503`, `connection refused`.
    pub seen: String,
}

/// The person in front of the screen, or what stands in for one.
#[async_trait]
pub trait Person: Send + Sync {
    /// Asks for a yes. Never assumes one.
    async fn approve(&self, question: &Question) -> Result<Approval, PortError>;
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The step that it stands in, for `--approve STEP`.
    pub step: String,
    /// The question.
    pub prompt: String,
    /// What happens after a yes, up to the next approval, a line each.
    pub consequences: Vec<String>,
    /// The name that must be typed, where something is destroyed.
    pub typed: Option<String>,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Yes.
    Given {
        /// Who: the operating system's user, or `--approve`, or the environment's policy.
        by: String,
    },
    /// No.
    Refused {
        /// Who.
        by: String,
    },
    /// Nobody can be asked here: no terminal, and neither option nor policy covers the step.
    Unanswerable,
}

/// Time and randomness; both are journaled, so that a resumed run decides as the first one did.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The instant.
    fn now(&self) -> jiff::Timestamp;

    /// A reading that never goes back, for deadlines.
    fn monotonic(&self) -> Duration;

    /// Waits. May be dropped at any time.
    async fn sleep(&self, duration: Duration);

    /// Random bytes from the operating system.
    fn random(&self, bytes: &mut [u8]);
}
