//! What a database's catalog says of its schemas: one type for what a lock file holds, what a live database is read
//! into, and what statements on schema objects lower from.
//!
//! Everything that is compared is text as Postgres itself writes it (`format_type`, `pg_get_indexdef`,
//! `pg_get_constraintdef`, …), so equal means equal to Postgres. Figures (rows, bytes) are for people and estimates; they are
//! never compared.

mod compare;
mod select;
#[cfg(test)]
mod tests;

pub(crate) use compare::unforeseen;
pub use compare::{Difference, around, differences};
pub(crate) use select::{Place, SelectedIndex, dependents_of_type};

use crate::environment::TableName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The schemas of a database: all but Postgres's own and `rbk`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// `16.4`. Only the major version is compared.
    pub server_version: String,
    /// Bytes that the server keeps for its cache; on RDS a quarter of the instance's memory. A figure.
    #[serde(default)]
    pub shared_buffers: u64,
    /// Bytes of the whole database. A figure.
    #[serde(default)]
    pub bytes: u64,
    /// By name, without `plpgsql`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Extension>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, Schema>,
}

/// An extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Its version.
    pub version: String,
    /// The schema that its objects are in.
    pub schema: String,
}

/// What each role may do: the role (`PUBLIC` for everybody) and its privileges (`SELECT`; with `*` behind it where it may
/// grant it on; `UPDATE (title)` where it is of a column).
pub type Grants = BTreeMap<String, BTreeSet<String>>;

/// A schema. What belongs to an extension isn't listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The role that owns it.
    pub owner: String,
    /// Its `COMMENT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// On the schema itself, without its owner's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: Grants,
    /// `ALTER DEFAULT PRIVILEGES … IN SCHEMA`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_privileges: Vec<DefaultPrivileges>,
    /// Enums, domains, composite and range types by name: `ENUM ('placed', 'paid')`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// Functions and procedures by signature (`f(integer, text)`): SHA-256 of their definition, in hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, String>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sequences: BTreeMap<String, Sequence>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Table>,
    /// Views and materialized views, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, View>,
}

/// What roles may do on objects that a role will create.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultPrivileges {
    /// The role that creates.
    pub creator: String,
    /// `TABLES`, `SEQUENCES`, `FUNCTIONS`, `TYPES`.
    pub objects: String,
    /// Who may do what.
    pub grants: Grants,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The role that owns it.
    pub owner: String,
    /// Rows as the planner estimates them. A figure.
    #[serde(default)]
    pub rows: u64,
    /// Bytes with its indexes and what is stored apart; of a partitioned one, of all partitions. A figure.
    #[serde(default)]
    pub bytes: u64,
    /// How it is partitioned: `HASH (user_key)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioned: Option<String>,
    /// Whose partition it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// The tables that it inherits from, where it is no partition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<TableName>,
    /// In their order.
    pub columns: Vec<Column>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, Constraint>,
    /// All of them by name, also those that stand behind a constraint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, Index>,
    /// By name: `pg_get_triggerdef`, and a comment behind it where it doesn't fire as usual (`/* disabled */`). Without
    /// those that stand behind a foreign key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, String>,
    /// Row-level security policies by name; whether it is on stands under `(row level security)` (`ENABLED`, `FORCED`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, String>,
    /// Without its owner's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: Grants,
}

impl Table {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns of its primary key; empty where it has none.
    pub fn primary_key(&self) -> &[String] {
        self.constraints
            .values()
            .find(|constraint| constraint.kind == ConstraintKind::PrimaryKey)
            .map_or(&[], |constraint| &constraint.columns)
    }
}

/// A table as a part of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The table that it is a part of; itself possibly a partition.
    pub of: TableName,
    /// `FOR VALUES WITH (modulus 4, remainder 0)`, `DEFAULT`.
    pub bound: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `vector(1536)`. Source: `format_type`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it is never NULL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// `now()`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression that it is always computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// Whether it is an identity column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Where it isn't its type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

/// What an identity column does with a value that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// `GENERATED ALWAYS`
    Always,
    /// `GENERATED BY DEFAULT`
    ByDefault,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Of which kind.
    pub kind: ConstraintKind,
    /// `FOREIGN KEY (document_id) REFERENCES public.documents(id) ON DELETE CASCADE`. Source: `pg_get_constraintdef`.
    pub definition: String,
    /// The table's own columns, in the order of the constraint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Of a foreign key: what it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<References>,
}

/// Kinds of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// `PRIMARY KEY`
    PrimaryKey,
    /// `UNIQUE`
    Unique,
    /// `FOREIGN KEY`
    ForeignKey,
    /// `CHECK`
    Check,
    /// `EXCLUDE`
    Exclusion,
}

/// What a foreign key refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The table.
    pub table: TableName,
    /// Its columns, in the order of the key.
    pub columns: Vec<String>,
    /// `MATCH FULL`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_full: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The whole statement. Source: `pg_get_indexdef`. Of a partitioned index it says `ON ONLY`: run, it makes an index
    /// without its parts, which are then attached.
    pub definition: String,
    /// The table's columns that it reads: as keys, in expressions, in its predicate, included.
    pub columns: Vec<String>,
    /// `btree`, `hnsw`, …
    pub method: String,
    /// Whether it is unique.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// The constraint that it stands behind: it comes and goes with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// The index of the partitioned table that it is a part of: it comes and goes with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// Whether it may not be used, left so by a cancelled concurrent build.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
    /// A figure.
    #[serde(default)]
    pub bytes: u64,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// `bigint`
    #[serde(rename = "type")]
    pub ty: String,
    /// Where it begins.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub start: i64,
    /// What it goes up (or down) by.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub increment: i64,
    /// Its smallest value.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub min: i64,
    /// Its largest value.
    #[serde(default = "largest", skip_serializing_if = "is_largest")]
    pub max: i64,
    /// Whether it begins again after the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cycle: bool,
    /// The column that it belongs to, by `serial`, `OWNED BY` or identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<ColumnName>,
    /// Without its owner's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: Grants,
}

const fn one() -> i64 {
    1
}

const fn is_one(value: &i64) -> bool {
    *value == 1
}

const fn largest() -> i64 {
    i64::MAX
}

const fn is_largest(value: &i64) -> bool {
    *value == i64::MAX
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Whether it is materialized.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub materialized: bool,
    /// `pg_get_viewdef`
    pub definition: String,
    /// The columns of tables that it reads, of other schemas' too: their types can't be changed under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ColumnName>,
    /// Of a materialized one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, Index>,
    /// Without its owner's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: Grants,
}

/// A column by schema, table and name.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(from = "ColumnPath", into = "ColumnPath")]
#[schemars(with = "ColumnPath")]
pub struct ColumnName {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub column: String,
}

/// A column as plans and lock files hold it: in one table with its schema and table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ColumnName")]
struct ColumnPath {
    /// `public`.
    schema: String,
    /// `documents`.
    table: String,
    /// `created_at`.
    column: String,
}

impl From<ColumnPath> for ColumnName {
    fn from(path: ColumnPath) -> Self {
        Self {
            table: TableName {
                schema: path.schema,
                table: path.table,
            },
            column: path.column,
        }
    }
}

impl From<ColumnName> for ColumnPath {
    fn from(name: ColumnName) -> Self {
        Self {
            schema: name.table.schema,
            table: name.table.table,
            column: name.column,
        }
    }
}

impl std::fmt::Display for ColumnName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

impl Catalog {
    /// The table of that name.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.schemas.get(&name.schema)?.tables.get(&name.table)
    }

    /// Takes out tables and what is theirs: a migration tool's own, which no statement is about.
    pub fn remove_tables(&mut self, tables: &[TableName]) {
        for (name, schema) in &mut self.schemas {
            let ours = |table: &str| {
                tables
                    .iter()
                    .any(|own| own.schema == *name && own.table == table)
            };
            schema.tables.retain(|table, _| !ours(table));
            schema.sequences.retain(|_, sequence| {
                sequence
                    .owner
                    .as_ref()
                    .is_none_or(|owner| !tables.contains(&owner.table))
            });
        }
    }

    /// The server's major version: `16` of `16.4`, `17` of `17beta1`.
    pub fn major(&self) -> &str {
        let version = self.server_version.as_str();
        let end = version
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(version.len());
        version.get(..end).unwrap_or(version)
    }
}
