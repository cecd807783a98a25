//! The plan: every action in order with its exact parameters, as plain data.
//!
//! `plan` prints it, `run` performs it, the journal records it. There is no second interpretation.

mod arithmetic;
mod bind;
mod bound;
pub mod diff;
mod expression;
mod replication;
pub mod saved;
mod schema;
mod wording;

pub use arithmetic::{ArithmeticError, combine};
pub use bind::BindError;
pub use bound::Bound;
pub use expression::{Expr, TablePair, Template, TemplatePart};
pub use rbk_syntax::ast::Operator;
pub use replication::{
    DmsReplication, EndpointSettings, Figure, PlannedReplication, ReplicationMeans,
    ReplicationNames, Side,
};
pub use schema::{
    Change, ColumnChange, CopiedColumn, CopiedTable, ForeignKeyFacts, IndexFacts, SequenceFacts,
};
pub use wording::{Dress, Undressed, Wording};

use crate::catalog::Catalog;
use crate::environment::{Command, Database, Environment, Migrations};
use crate::ids::{
    ActionId, ApplicationName, DatabaseName, InstanceId, RoleName, SecretName, SnapshotId, StepPath,
};
use crate::value::{Type, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The version of the plan format that this build writes; newer ones are refused.
pub const PLAN_VERSION: u32 = 1;

/// A lowered runbook, bound to one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The format's version.
    pub version: u32,
    /// The version of rbk that wrote it.
    pub rbk: String,
    /// Where it came from.
    pub runbook: RunbookFacts,
    /// What its names stand for.
    pub environment: Environment,
    /// Its parameters, in order, with their values.
    pub parameters: Vec<Parameter>,
    /// What the lock file says of the databases whose schema objects the plan names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub catalogs: BTreeMap<DatabaseName, Catalog>,
    /// What the plan's replications are, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replications: BTreeMap<String, PlannedReplication>,
    /// What is read and proven before the first effect, in order.
    pub preflight: Vec<Preflight>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is done when a step fails.
    pub on_failure: Vec<PlannedAction>,
    /// What is removed at the end of a run that failed, behind `on failure` and whatever became of it: nothing that the run made for
    /// its own use stays billed. What was never made is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<PlannedAction>,
    /// What the deployed stack's settings should say, in the environment's order; told at the end of a run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackValue>,
}

impl Plan {
    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }

    /// The parameters that whoever runs the plan must give.
    pub fn holes(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.value.is_none())
    }

    /// All actions: of the steps, of `on failure`, of the cleanup.
    pub fn actions(&self) -> impl Iterator<Item = &PlannedAction> {
        self.steps
            .iter()
            .flat_map(|step| &step.actions)
            .chain(&self.on_failure)
            .chain(&self.cleanup)
    }
}

/// A setting of the deployed stack, and what it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackValue {
    /// `recovery_enabled`
    pub setting: String,
    /// What it must be, evaluated against the world.
    pub expr: Expr,
    /// Its type.
    pub ty: Type,
    /// As the environment says it.
    pub text: String,
}

/// Where a plan came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunbookFacts {
    /// `Quick recovery`.
    pub title: String,
    /// Its documentation.
    pub doc: Option<String>,
    /// The file, as it was given.
    pub file: String,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// The files that it uses, itself or through another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<UsedFile>,
}

impl RunbookFacts {
    /// Which of its files don't say any more what was planned, by what they say now; `None`: nobody can tell, and it isn't told.
    pub fn changed(&self, says: impl Fn(&str) -> Option<String>) -> Vec<&str> {
        let own = (self.file.as_str(), self.sha256.as_str());
        let used = self.uses.iter();
        let used = used.map(|used| (used.file.as_str(), used.sha256.as_str()));
        std::iter::once(own)
            .chain(used)
            .filter(|(file, sha256)| {
                says(file)
                    .is_some_and(|text| hex::encode(Sha256::digest(text.as_bytes())) != *sha256)
            })
            .map(|(file, _)| file)
            .collect()
    }
}

/// A file whose procedures a runbook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsedFile {
    /// The file, as it was found from the one that uses it.
    pub file: String,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
}

/// A parameter and its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub doc: Option<String>,
    /// Its type.
    pub ty: Type,
    /// What it is in this plan; absent: it is a hole, and whoever runs the plan gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Who gave it.
    pub origin: Origin,
    /// What must hold of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

/// What must hold of a parameter's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// The condition; the parameter itself and those before it are [`Expr::Parameter`] in it as far as they are holes. What of it is
    /// known without the world is judged as soon as the value is given, the rest at preflight.
    pub condition: Expr,
    /// As the runbook says it, without `where`.
    pub text: String,
}

/// Who gave a parameter's value; the first that did wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `--set` on the command line.
    Given,
    /// `[parameters]` of the environment.
    Environment,
    /// The runbook's default.
    Default,
    /// Nobody yet: it is a hole.
    Open,
}

/// Something read or proven before the first effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "preflight", rename_all = "snake_case")]
pub enum Preflight {
    /// STS must answer with this account; the client's region must be this one.
    Identity {
        /// Twelve digits.
        account: String,
        /// `eu-central-1`.
        region: String,
    },
    /// No instance of this name may exist, since the plan creates it.
    Absent {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
    },
    /// The secret must exist, be writable by us and not be rotating; its current version is kept, to be compared when it is changed.
    SecretVersion {
        /// The secret.
        secret: SecretName,
    },
    /// Reads the application's active database, so that `on failure` can bring it back.
    ActiveDatabase {
        /// The application.
        application: ApplicationName,
    },
    /// The instance must be there; its immutable identity is kept, to be compared before it is destroyed.
    Instance {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
        /// It needn't be there: what is done to it depends on how things are when the run gets there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        if_there: bool,
    },
    /// The instance must have a restorable window; where the time is known by then, it must lie within.
    RestoreWindow {
        /// The database whose past is restored.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
        /// Which instant.
        at: AsOf,
    },
    /// No snapshot of this name may exist, since the plan creates it.
    SnapshotAbsent {
        /// How it is called.
        id: Template,
    },
    /// The replication subnet group must be there.
    ReplicationSubnetGroup {
        /// Its name.
        name: String,
    },
    /// The database's catalog must say what the lock file says.
    Catalog {
        /// The database.
        database: DatabaseName,
        /// How much of it.
        scope: CatalogScope,
    },
    /// Observes a `let`.
    Observe {
        /// Its name.
        name: String,
        /// What is read.
        expr: Expr,
        /// Its type.
        ty: Type,
        /// As the runbook says it.
        statement: String,
    },
    /// A precondition.
    Require {
        /// What must hold.
        condition: Expr,
        /// What is said when it doesn't.
        otherwise: Option<Template>,
        /// As the runbook says it.
        statement: String,
    },
}

/// How much of a catalog must be as the lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum CatalogScope {
    /// All of it.
    Whole,
    /// That nothing is around these schemas that would go with them and isn't put back (extensions, comment, grants, default
    /// privileges), and that nothing outside of them depends on what is in them.
    Around {
        /// The schemas that are dropped.
        schemas: Vec<String>,
    },
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its identity.
    pub path: StepPath,
    /// Its documentation.
    pub doc: Option<String>,
    /// Neighbouring steps of the same number are done together; absent: it is done by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Its actions, in order.
    pub actions: Vec<PlannedAction>,
}

impl Step {
    /// Whether two neighbours are done together.
    pub fn is_beside(&self, next: &Step) -> bool {
        self.parallel.is_some() && self.parallel == next.parallel
    }
}

/// An action and what is told about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedAction {
    /// Its identity.
    pub id: ActionId,
    /// The statement that it came from, as the runbook says it.
    pub statement: String,
    /// One line for people: what this action does.
    pub summary: String,
    /// What it does to the world.
    pub risk: Risk,
    /// How long it may take at most, in seconds; absent where nobody can say (a person's answer).
    pub upper_bound: Option<u64>,
    /// It is done only if all of these decisions were taken so; outermost first. Otherwise it is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_if: Vec<Guard>,
    /// What is performed.
    pub action: Action,
}

/// What an action depends on: which way an `if` went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// The [`Action::Decide`] of that `if`.
    pub decision: ActionId,
    /// Whether its condition must have held, or must not.
    pub holds: bool,
}

/// Which instant a restore goes back to.
#[expect(
    clippy::large_enum_variant,
    reason = "a plan has few; boxing the expression would show in every use"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "as_of", rename_all = "snake_case")]
pub enum AsOf {
    /// The newest that can be restored when the action begins: read then, journaled, and sent as a time.
    Latest,
    /// A time.
    Time {
        /// An expression of type time.
        at: Expr,
    },
}

/// How a snapshot is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "snapshot_id", rename_all = "snake_case")]
pub enum SnapshotName {
    /// Made of the instance's name, the run and the action.
    Generated,
    /// This.
    Given {
        /// The identifier.
        id: Template,
    },
}

/// What an action does to the world, mildest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing.
    Reads,
    /// Something new comes to be.
    Creates,
    /// Something is changed, and can be changed back.
    Changes,
    /// Something is gone.
    Destroys,
}

/// The primitive actions. Each is probed, journaled, performed and probed again by `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// `RestoreDBInstanceFromDBSnapshot`, with everything the environment says of the database.
    RestoreFromSnapshot {
        /// The database that comes into being.
        database: DatabaseName,
        /// An expression of type snapshot.
        snapshot: Expr,
        /// What the instance is created with.
        settings: InstanceSettings,
    },
    /// `RestoreDBInstanceToPointInTime`, with everything the environment says of the database.
    RestoreToPointInTime {
        /// The database that comes into being.
        database: DatabaseName,
        /// The database whose past it gets.
        source: DatabaseName,
        /// Which instant.
        at: AsOf,
        /// What the instance is created with.
        settings: InstanceSettings,
    },
    /// `CreateDBSnapshot`; done when the snapshot is available.
    CreateSnapshot {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
        /// How the snapshot is called.
        id: SnapshotName,
        /// The `let` that it becomes the value of.
        binding: Option<String>,
    },
    /// Observes once which way an `if` goes; what is in it stands behind this, each with a [`Guard`].
    Decide {
        /// The condition.
        condition: Expr,
    },
    /// Puts a new version into a secret under the run's own label; nobody reads it yet.
    StageSecret {
        /// The secret.
        secret: SecretName,
        /// What the new version says.
        content: SecretContent,
    },
    /// `ModifyDBInstance` with the password of the version staged in `secret`; waits until it is settled.
    SetMasterPassword {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
        /// The secret whose staged version holds the password.
        secret: SecretName,
    },
    /// `ALTER ROLE` with a SCRAM verifier of the password in the version staged in `secret`.
    SetRolePassword {
        /// The database.
        database: DatabaseName,
        /// The application's role.
        role: RoleName,
        /// The secret whose staged version holds the password.
        secret: SecretName,
        /// The secret to log in with to do it: its current version.
        administration: SecretName,
    },
    /// Logs in with what a staged version says, in application mode through what it points to.
    ProveLogin {
        /// The database that must be reached.
        database: DatabaseName,
        /// The secret whose staged version is tried.
        secret: SecretName,
        /// Where the staged version only points to another secret: that one, its current version.
        through: Option<SecretName>,
    },
    /// Moves `AWSCURRENT` to the staged version, as a compare-and-swap against the version seen at preflight.
    PromoteSecret {
        /// The secret.
        secret: SecretName,
    },
    /// Moves `AWSCURRENT` back to the version seen at preflight, if this run had moved it; never over somebody else's change.
    RevertSecret {
        /// The secret.
        secret: SecretName,
    },
    /// No application can write: NOLOGIN for its roles and their sessions ended, or read-only for the database.
    FreezeWrites {
        /// The database.
        database: DatabaseName,
        /// How.
        freeze: Freeze,
        /// Whether an unreachable database is skipped (and reported so) instead of failing.
        if_reachable: bool,
    },
    /// The reverse of `FreezeWrites`.
    ThawWrites {
        /// The database.
        database: DatabaseName,
        /// How it is frozen, if it is.
        freeze: Freeze,
        /// Whether an unreachable database is skipped (and reported so) instead of failing.
        if_reachable: bool,
    },
    /// Records that what was created stays.
    Keep {
        /// The database.
        database: DatabaseName,
        /// Why.
        because: Template,
    },
    /// Observes until a condition holds.
    Await {
        /// The condition.
        condition: Expr,
        /// The deadline in seconds of attended time.
        within: u64,
        /// The steady interval in seconds.
        every: u64,
    },
    /// Observes once; fails unless the condition holds.
    Assert {
        /// The condition.
        condition: Expr,
        /// What is said when it doesn't hold.
        otherwise: Option<Template>,
    },
    /// A person says yes.
    Approve {
        /// The question.
        prompt: Template,
        /// The entity whose name must be typed, where what follows destroys it.
        typed: Option<String>,
    },
    /// An instruction for a person, shown and recorded.
    Note {
        /// The text.
        text: Template,
    },
    /// Observes a `let` on arrival.
    Observe {
        /// Its name.
        name: String,
        /// What is read.
        expr: Expr,
        /// Its type.
        ty: Type,
    },
    /// SQL in one transaction, together with the run's marker; the marker is the proof.
    ChangeSchema {
        /// The database.
        database: DatabaseName,
        /// What the statements are for.
        change: Change,
        /// In order, exactly as they are sent.
        statements: Vec<String>,
        /// Settings of the transaction, for instance `maintenance_work_mem`.
        settings: BTreeMap<String, String>,
        /// How long a statement may wait for a lock, in seconds: longer, and everybody behind it would wait, too.
        lock_timeout: u64,
    },
    /// The environment's migration tool brings the schema up.
    Migrate {
        /// The database.
        database: DatabaseName,
        /// The tool and its changelog.
        migrations: Migrations,
    },
    /// Moves sequences past the source's and past the data.
    SyncSequences {
        /// Whose are read.
        from: DatabaseName,
        /// Whose are moved.
        to: DatabaseName,
        /// Which.
        sequences: Vec<SequenceFacts>,
    },
    /// Proves each foreign key: no row without the one that it refers to.
    ProveForeignKeys {
        /// The database.
        database: DatabaseName,
        /// Which.
        keys: Vec<ForeignKeyFacts>,
    },
    /// Proves that a database's writes are frozen, still.
    ProveFrozen {
        /// The database.
        database: DatabaseName,
        /// How it is frozen.
        freeze: Freeze,
    },
    /// Records that writes stay frozen on purpose; proves that they are.
    KeepFrozen {
        /// The database.
        database: DatabaseName,
        /// How it is frozen.
        freeze: Freeze,
        /// Why.
        because: Template,
    },
    /// `ModifyDBInstance`: RDS's deletion protection is switched off.
    LiftProtection {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
    },
    /// `DeleteDBInstance`, automated backups included; done when the final snapshot, if there is one, is available and then the
    /// instance is gone.
    DestroyInstance {
        /// The database.
        database: DatabaseName,
        /// Its instance.
        instance: InstanceId,
        /// The snapshot that is left.
        final_snapshot: FinalSnapshot,
    },
    /// Deploys the stack so that the application uses another database, and proves it.
    ApplyStack {
        /// The application.
        application: ApplicationName,
        /// The database that becomes its active one.
        database: DatabaseName,
        /// What the stack's setting must say: the name of the database's secret.
        value: String,
        /// The command that deploys it; absent: a person is told to.
        apply: Option<NamedCommand>,
        /// The command whose last line is what the deployed setting says.
        read: NamedCommand,
    },
    /// `CreateEndpoint`.
    CreateEndpoint {
        /// Of which replication.
        replication: String,
        /// Which of the two.
        side: Side,
    },
    /// `CreateReplicationConfig`.
    CreateReplication {
        /// Which.
        replication: String,
    },
    /// `StartReplication`.
    StartReplication {
        /// Which.
        replication: String,
    },
    /// Proves that a full load is complete and right, and journals its statistics: stopped because it was finished, every table
    /// that was expected and no other, each completed, none with errors, and as many rows on both sides.
    ProveReplication {
        /// Which.
        replication: String,
    },
    /// `StopReplication`, if it runs.
    StopReplication {
        /// Which.
        replication: String,
    },
    /// `DeleteReplicationConfig`: capacity and statistics go with it; statistics that are there are journaled first.
    DeleteReplication {
        /// Which.
        replication: String,
    },
    /// `DeleteEndpoint`.
    DeleteEndpoint {
        /// Of which replication.
        replication: String,
        /// Which of the two.
        side: Side,
    },
    /// Binary `COPY` of tables, each in a transaction of its own with a marker, under the replica role.
    Copy {
        /// The name of the replication that it is, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replication: Option<String>,
        /// Where the rows come from.
        from: DatabaseName,
        /// Where they go.
        to: DatabaseName,
        /// In the order that they are copied.
        tables: Vec<CopiedTable>,
    },
    /// A command of the environment.
    RunCommand {
        /// Its name in the environment.
        command: String,
        /// What the environment says of it.
        declared: Command,
        /// Its arguments, each an expression.
        arguments: BTreeMap<String, Expr>,
    },
}

/// A command of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedCommand {
    /// Its name in the environment.
    pub name: String,
    /// What the environment says of it.
    pub declared: Command,
}

/// The snapshot that a destroyed instance leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "final_snapshot", rename_all = "snake_case")]
pub enum FinalSnapshot {
    /// None: its data is gone.
    None,
    /// One whose name is made of the instance's and the run's.
    Generated,
    /// One of this identifier.
    Named {
        /// The identifier.
        id: SnapshotId,
    },
}

/// How writes are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "freeze", rename_all = "snake_case")]
pub enum Freeze {
    /// The applications' own roles can't log in; their sessions are ended.
    NoLogin {
        /// The roles.
        roles: Vec<RoleName>,
    },
    /// `default_transaction_read_only` on the database; other sessions are ended. Weaker: a session can override it.
    ReadOnly,
}

/// What a new version of a secret says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "content", rename_all = "snake_case")]
pub enum SecretContent {
    /// The current content with a newly made password, and with the address and database name that the database has now.
    NewPassword {
        /// The database whose address it gets.
        database: DatabaseName,
        /// The user name it must hold: the application's own role; absent: the instance's master user.
        username: Option<RoleName>,
    },
    /// The name of a database's secret.
    Pointer {
        /// The database.
        database: DatabaseName,
        /// The secret that is named.
        to: SecretName,
        /// The JSON key that holds the name; absent: the value is the name.
        field: Option<String>,
    },
    /// A copy of the current version of a database's secret.
    CopyOf {
        /// The database.
        database: DatabaseName,
        /// The secret that is copied.
        from: SecretName,
    },
}

/// What an instance is created with: everything that a restore would otherwise take from RDS's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceSettings {
    /// Its identifier.
    pub instance: InstanceId,
    /// `db.r6g.large`.
    pub class: String,
    /// The DB subnet group.
    pub subnet_group: String,
    /// At least one.
    pub security_groups: Vec<String>,
    /// The DB parameter group.
    pub parameter_group: String,
    /// Standby in another zone.
    pub multi_az: bool,
    /// Public address.
    pub publicly_accessible: bool,
    /// Absent: as the source had it.
    pub storage_type: Option<String>,
    /// IAM logins.
    pub iam_authentication: bool,
    /// Days.
    pub retention_days: u32,
    /// RDS's own protection.
    pub deletion_protection: bool,
    /// The environment's; rbk adds `rbk:run`, `rbk:environment`, `rbk:action`, `rbk:plan` and `rbk:source-snapshot` when it runs.
    pub tags: BTreeMap<String, String>,
}

impl InstanceSettings {
    /// What the environment says of a database's instance.
    pub fn of(database: &Database) -> Self {
        InstanceSettings {
            instance: database.instance.clone(),
            class: database.class.clone(),
            subnet_group: database.subnet_group.clone(),
            security_groups: database.security_groups.clone(),
            parameter_group: database.parameter_group.clone(),
            multi_az: database.multi_az,
            publicly_accessible: database.publicly_accessible,
            storage_type: database.storage_type.clone(),
            iam_authentication: database.iam_authentication,
            retention_days: database.retention_days,
            deletion_protection: database.protect,
            tags: database.tags.clone(),
        }
    }
}
