//! Expressions as a plan holds them: names resolved, types checked, constants folded.

use super::replication::Figure;
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use crate::value::{Type, Value};
use rbk_syntax::ast::Operator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An expression. What isn't `Value` is evaluated against the world, at the time its action says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// Known when the plan was made.
    Value(Value),
    /// A `let` that was observed before: at preflight or earlier in the run.
    Binding {
        /// Its name.
        name: String,
        /// Its type.
        ty: Type,
    },
    /// A parameter that is a hole in this plan: what [`crate::plan::Parameter::value`] says by the time it is asked.
    Parameter {
        /// Its name.
        name: String,
        /// Its type.
        ty: Type,
    },
    /// The oldest instant that a database's instance can be restored to. Source: `RestoreWindow.EarliestTime`.
    RestorableFrom {
        /// The database.
        database: DatabaseName,
    },
    /// The newest. Source: `LatestRestorableTime`.
    RestorableUntil {
        /// The database.
        database: DatabaseName,
    },
    /// How long automated backups are kept, as RDS says. Source: `BackupRetentionPeriod`.
    Retention {
        /// The database.
        database: DatabaseName,
    },
    /// The longest time without an available snapshot: between two neighbours, and from the newest until now.
    SnapshotGap {
        /// The database.
        database: DatabaseName,
    },
    /// The available snapshot with the oldest creation time.
    OldestSnapshot {
        /// The database.
        database: DatabaseName,
    },
    /// The instant of evaluation.
    Now,
    /// How long ago: of a time, or of a snapshot's data.
    Age(Box<Expr>),
    /// Rows of a table, counted exactly.
    Count {
        /// Where.
        database: DatabaseName,
        /// Which table.
        table: TableName,
    },
    /// One value out of one read-only statement.
    Query {
        /// Where.
        database: DatabaseName,
        /// The statement.
        sql: String,
        /// The type of the value.
        ty: Type,
    },
    /// The available snapshot of a database's instance with the newest creation time, of all pages.
    LatestSnapshot {
        /// The database.
        database: DatabaseName,
    },
    /// The snapshot of that identifier.
    Snapshot {
        /// Its identifier.
        id: Template,
        /// The database that it must be of.
        database: DatabaseName,
    },
    /// The instance exists.
    Exists {
        /// The database.
        database: DatabaseName,
    },
    /// The instance is available and settled.
    Available {
        /// The database.
        database: DatabaseName,
    },
    /// A login works and a query answers.
    AcceptsConnections {
        /// The database.
        database: DatabaseName,
    },
    /// The environment's checks of the database hold.
    ChecksPass {
        /// The database.
        database: DatabaseName,
    },
    /// The health check gives the expected answer.
    Healthy {
        /// The application.
        application: ApplicationName,
    },
    /// The application's active database is this one.
    Uses {
        /// The application.
        application: ApplicationName,
        /// The database.
        database: DatabaseName,
    },
    /// No session of the application is left on the database; also true where the instance is gone.
    HasLeft {
        /// The application.
        application: ApplicationName,
        /// The database.
        database: DatabaseName,
    },
    /// The tables hold the same rows on both sides: equal counts, equal order-independent checksums.
    Matches {
        /// The left database.
        left: DatabaseName,
        /// The right database.
        right: DatabaseName,
        /// The left side as it is said: `recovery.public`.
        left_path: String,
        /// The right side as it is said.
        right_path: String,
        /// In the order that they are compared.
        tables: Vec<TablePair>,
    },
    /// Reality is what file and lock file say ([`crate::plan::Plan::catalogs`] holds the plan's own copy of it): an instance's
    /// settings, its secrets, its schema.
    NoDrift {
        /// The database; absent: every one that is there, and nothing that rbk made is left over.
        database: Option<DatabaseName>,
    },
    /// A database's schema is what the lock file says; nothing else of it is looked at.
    AsLocked {
        /// The database.
        database: DatabaseName,
    },
    /// The replication is complete. What DMS can't mend any more is an error.
    Complete {
        /// Its name in [`crate::plan::Plan::replications`].
        replication: String,
    },
    /// A figure of a replication.
    Figure {
        /// Its name in [`crate::plan::Plan::replications`].
        replication: String,
        /// Which.
        figure: Figure,
    },
    /// The name of the secret that the application's active database is known by.
    ActiveSecret {
        /// The application.
        application: ApplicationName,
    },
    /// The snapshot that an instance was restored from by rbk: its tag `rbk:source-snapshot`. Empty where there is none.
    SourceSnapshot {
        /// The database.
        database: DatabaseName,
    },
    /// Bytes on disk: of a table with its indexes, or of the whole database.
    Size {
        /// Where.
        database: DatabaseName,
        /// Which table; absent: all of it.
        table: Option<TableName>,
    },
    /// Negation of a condition.
    Not(Box<Expr>),
    /// Negation of a number.
    Negate(Box<Expr>),
    /// Two sides.
    Binary {
        /// The operator; `and` and `or` evaluate their right side only if needed.
        #[schemars(with = "String")]
        operator: Operator,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
}

/// Two tables that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TablePair {
    /// On the left side.
    pub left: TableName,
    /// On the right side.
    pub right: TableName,
    /// Columns of both, by name.
    pub columns: Vec<String>,
}

/// Text whose `{…}` parts are evaluated when it is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a template.
#[allow(clippy::large_enum_variant, reason = "templates are few and short")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplatePart {
    /// As it is.
    Text(String),
    /// Evaluated, then written as the language writes values.
    Expr(Expr),
}
