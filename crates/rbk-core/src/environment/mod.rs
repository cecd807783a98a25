//! What a runbook's names stand for: accounts, databases, applications and how to reach them.
//!
//! [`Environment`] is the resolved form: `like` is applied, defaults are filled in, every reference holds.
//! It is stored in each plan, so it holds no secret and no path of one machine that a resume would need elsewhere.

mod access;
mod applications;
mod commands;
mod databases;
mod dms;
mod drill;
mod error;
mod forms;
mod like;
mod load;
mod lock;
mod migrations;
mod places;
mod project;
mod reader;
mod schema;
mod secrets;
mod stack;
mod table;
#[cfg(test)]
mod tests;
mod told;

pub use error::{CODES, EnvironmentError, Insert};
pub use forms::Form;
pub use load::{Loaded, load};
pub use lock::{LOCK_VERSION, Lock, LockError, LockSource};
pub use places::Places;
pub use project::{
    ENVIRONMENTS, EnvironmentFile, LookupError, PROJECT_FILE, Project, Surroundings,
    environment_name, find,
};

pub use schema::schema;

use crate::ids::{ApplicationName, DatabaseName, InstanceId, RoleName, SecretName};
use crate::value::Type;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A resolved environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The file's stem, for instance `prod`.
    pub name: String,
    /// `eu-central-1`.
    pub region: String,
    /// Twelve digits; proven through STS before anything else.
    pub account: String,
    /// How this machine reaches the databases.
    pub access: Access,
    /// By name.
    pub databases: BTreeMap<DatabaseName, Database>,
    /// By name.
    pub applications: BTreeMap<ApplicationName, Application>,
    /// What runbooks' parameters are here unless `--set` says otherwise, as it would be written in a runbook:
    /// a team's own names for `source`, `target` and `app`.
    pub parameters: BTreeMap<String, String>,
    /// The tool that brings schemas up; absent where `migrate` can't be said.
    #[serde(default)]
    pub migrations: Option<Migrations>,
    /// Where DMS runs; absent where `replicate … with dms` can't be said.
    #[serde(default)]
    pub dms: Option<DmsPlace>,
    /// The settings of the deployed stack that a recovery changes; absent where nothing is said of them.
    #[serde(default)]
    pub stack: Option<Stack>,
    /// What `run NAME` runs, by name.
    #[serde(default)]
    pub commands: BTreeMap<String, Command>,
    /// Who must say yes.
    pub approvals: Approvals,
    /// Where journals are kept.
    pub journal: Journal,
    /// What a drill puts into the sandbox; absent where the environment can't be drilled.
    pub drill: Option<Drill>,
}

impl Environment {
    /// The database of that name.
    pub fn database(&self, name: &DatabaseName) -> Option<&Database> {
        self.databases.get(name)
    }

    /// The application of that name.
    pub fn application(&self, name: &ApplicationName) -> Option<&Application> {
        self.applications.get(name)
    }
}

/// How this machine reaches the databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// A command that forwards a local port, with `{host}`, `{port}` and `{local_port}` in it; absent: directly.
    pub tunnel: Option<Vec<String>>,
    /// PEM file of the certificate authorities to trust; absent: the system's.
    pub ca: Option<PathBuf>,
    /// How long one connection attempt may take, in seconds.
    pub connect_timeout: u64,
}

/// A database: an instance that exists or that a restore would create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// The database that it is like: what the lock file says of that one holds for it, too.
    #[serde(default)]
    pub like: Option<DatabaseName>,
    /// The RDS instance.
    pub instance: InstanceId,
    /// The database in it.
    pub database: String,
    /// `db.r6g.large`.
    pub class: String,
    /// A DB subnet group.
    pub subnet_group: String,
    /// At least one.
    pub security_groups: Vec<String>,
    /// A custom or default DB parameter group.
    pub parameter_group: String,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// Whether it has a public address.
    pub publicly_accessible: bool,
    /// `gp3`, `io1`, …; absent: as the source had it.
    pub storage_type: Option<String>,
    /// Whether IAM logins are on.
    pub iam_authentication: bool,
    /// How long automated backups are kept, in days; at least 1.
    pub retention_days: u32,
    /// Refused by destructive statements; sets RDS's deletion protection.
    pub protect: bool,
    /// What `destroy … by its removal policy` does.
    pub removal_policy: RemovalPolicy,
    /// Credentials of the master user; absent where the application logs in as the master user.
    pub admin_secret: Option<SecretName>,
    /// Credentials that the application uses.
    pub secret: SecretName,
    /// What must hold for its data to be believed.
    pub checks: Checks,
    /// Tags that a created instance gets besides rbk's own.
    pub tags: BTreeMap<String, String>,
}

impl Database {
    /// The secret that rbk administrates with.
    pub fn administration(&self) -> &SecretName {
        self.admin_secret.as_ref().unwrap_or(&self.secret)
    }
}

/// What becomes of a database that is destroyed by its removal policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemovalPolicy {
    /// A final snapshot, then deletion.
    Snapshot,
    /// Deletion.
    Destroy,
    /// It stays.
    Retain,
}

/// What must hold for a database's data to be believed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checks {
    /// Tables that must hold at least one row.
    pub not_empty: Vec<TableName>,
    /// A column of times whose newest must not be older.
    pub fresh: Option<Fresh>,
}

impl Checks {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.not_empty.is_empty() && self.fresh.is_none()
    }
}

/// A table by schema and name.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct TableName {
    /// `public`.
    pub schema: String,
    /// `documents`.
    pub table: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A column of times and how old its newest may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fresh {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub column: String,
    /// Seconds.
    pub within: u64,
}

/// An application: who uses the databases, and where its active one is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// The databases that it may use.
    pub databases: Vec<DatabaseName>,
    /// The role that it logs in with, if it has one of its own.
    pub role: Option<RoleName>,
    /// Where its active database is named.
    pub active: Active,
    /// How to ask it whether it is well.
    pub health: Option<Health>,
}

/// Where an application's active database is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Active {
    /// A secret whose value is the name of the active database's secret.
    Pointer {
        /// That secret.
        secret: SecretName,
        /// The key that holds the name where the value is a JSON object; absent: the value is the name.
        field: Option<String>,
    },
    /// A secret that holds a copy of the active database's credentials.
    Copy {
        /// That secret.
        secret: SecretName,
    },
    /// A setting of the deployed stack, which names the active database's secret.
    Stack {
        /// The command that deploys it: its argument `value` is what the setting must say; absent: a person does.
        apply: Option<String>,
        /// The command that says in its last line what is deployed.
        read: String,
    },
}

impl Active {
    /// The secret that a switch changes, if it is one.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Active::Pointer { secret, .. } | Active::Copy { secret } => Some(secret),
            Active::Stack { .. } => None,
        }
    }
}

/// Where DMS runs, and how it logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DmsPlace {
    /// A DMS replication subnet group: not one of RDS.
    pub subnet_group: String,
    /// At least one; the databases' groups must let them in.
    pub security_groups: Vec<String>,
    /// The role by which DMS reads the databases' secrets itself; absent: rbk gives address and credentials in the call.
    pub secret_access_role: Option<String>,
    /// TLS towards the databases.
    pub tls: DmsTls,
    /// The ARN of a certificate in DMS; needed by `verify-ca` and `verify-full`.
    pub certificate: Option<String>,
}

/// TLS of a DMS endpoint. Source: `CreateEndpoint.SslMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmsTls {
    /// Plain.
    None,
    /// Encrypted, whoever answers.
    Require,
    /// By the certificate authority.
    VerifyCa,
    /// And by the name.
    VerifyFull,
}

impl DmsTls {
    /// As DMS and the environment file say it.
    pub fn name(self) -> &'static str {
        match self {
            DmsTls::None => "none",
            DmsTls::Require => "require",
            DmsTls::VerifyCa => "verify-ca",
            DmsTls::VerifyFull => "verify-full",
        }
    }
}

/// The settings of the deployed stack that a recovery changes, so that the next deployment doesn't undo it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// The Python file that holds them as literals; read, never executed.
    pub file: Option<PathBuf>,
    /// The keys that lead to them in it: a variable, then keys of nested dictionaries.
    pub section: Vec<String>,
    /// In the file's order.
    pub settings: Vec<StackSetting>,
}

/// A setting of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackSetting {
    /// `recovery_enabled`
    pub name: String,
    /// What it must be, as an expression of the runbook language: `recovery exists`.
    pub expression: String,
}

/// An HTTP question whose answer says whether an application is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// An `http:` or `https:` address.
    pub http: String,
    /// The status that means yes.
    pub expect: u16,
}

/// The tool that brings schemas up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Migrations {
    /// Which one.
    pub tool: MigrationTool,
    /// Its main file.
    pub changelog: PathBuf,
    /// The folder that paths within the changelog are relative to, and by which change sets are known: the changelog is
    /// named relative to it.
    pub search_path: PathBuf,
    /// The program and arguments that come before rbk's own; absent: `liquibase` of the `PATH`.
    pub program: Option<Vec<String>>,
    /// Liquibase's contexts, for instance to leave out what seeds data.
    pub contexts: Vec<String>,
    /// The schema that the tool keeps its own tables in.
    pub schema: String,
    /// How long it may take, in seconds.
    pub within: u64,
}

impl Migrations {
    /// The tool's own tables: never copied, never compared, no drift.
    pub fn own_tables(&self) -> Vec<TableName> {
        match self.tool {
            MigrationTool::Liquibase => ["databasechangelog", "databasechangeloglock"],
        }
        .into_iter()
        .map(|table| TableName {
            schema: self.schema.clone(),
            table: table.to_owned(),
        })
        .collect()
    }
}

/// The migration tools that rbk knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigrationTool {
    /// Liquibase, the program.
    Liquibase,
}

/// A command that a runbook may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// The program and its arguments, with `{name}` for what it is given. No shell reads it.
    pub program: Vec<String>,
    /// The types of what it is given, by name.
    pub arguments: BTreeMap<String, Type>,
    /// Variables that hold a secret's value, by name.
    pub secrets: BTreeMap<String, SecretField>,
    /// How long it may take, in seconds.
    pub within: u64,
    /// Whether running it twice does no harm. Otherwise a person must say what became of one that was cut off.
    pub repeatable: bool,
}

/// A secret's value, or one key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretField {
    /// The secret; its current version.
    pub secret: SecretName,
    /// The JSON key; absent: the whole value.
    pub field: Option<String>,
}

/// Who must say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approvals {
    /// Whether a run without a terminal may take every approval as given. Fit for stages, not for production.
    pub unattended: bool,
}

/// Where journals are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Journal {
    /// A local directory; absent: the user's state directory, by account and region.
    pub directory: Option<PathBuf>,
}

/// What a drill puts into the sandbox: SQL files, never code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    /// The database that is created with data; it must exist before the disaster.
    pub database: DatabaseName,
    /// The application that uses it, if there is one.
    pub application: Option<ApplicationName>,
    /// Extensions that the instance offers, for instance `vector`.
    pub extensions: Vec<String>,
    /// SQL files that make the schema, run once by the master user, in order.
    pub schema: Vec<PathBuf>,
    /// A SQL file that writes rows, with `:from` and `:to` in it: the first and the last number of a batch.
    pub rows: PathBuf,
    /// How many rows are written before the snapshot unless `--rows` says otherwise.
    pub default_rows: u64,
    /// What happens to the database.
    pub disaster: Disaster,
    /// What the application does meanwhile; absent: nothing but looking whether its database answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<DrillTraffic>,
}

/// What an application's stand-in writes and reads while a drill goes on. Each of its writes has a number, so that the rows that it
/// was promised can be looked for in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrillTraffic {
    /// The table that it writes to; a partitioned one by its parent.
    pub table: TableName,
    /// One statement that writes one row, with `:number` in it: the write's number, from 1.
    pub write: String,
    /// A condition on the table's columns that picks the stand-in's rows out of all.
    pub rows: String,
    /// An expression over the table's columns that is such a row's number.
    pub number: String,
}

/// A staged disaster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disaster {
    /// A table is dropped, with all that depends on it.
    DropTable(TableName),
    /// All rows of a table are deleted.
    DeleteRows(TableName),
    /// The instance fails for good.
    LoseInstance,
}
