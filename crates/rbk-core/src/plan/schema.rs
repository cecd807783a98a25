//! What a plan says of schema objects: enough to do it, to prove it and to explain what went wrong.

use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::listing::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the statements of a [`super::Action::ChangeSchema`] are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A schema is dropped with all that is in it, created again, and what went with it besides tables is put back.
    RecreateSchema {
        /// Its name.
        schema: String,
    },
    /// What roles may do on a recreated schema's tables, views and sequences is put back, once they are there again, and who
    /// owns its tables.
    RestoreGrants {
        /// The schema.
        schema: String,
    },
    /// Indexes are dropped; each must be what the plan says, and its definition is journaled first.
    DropIndexes {
        /// Which.
        indexes: Vec<IndexFacts>,
    },
    /// Indexes are created.
    CreateIndexes {
        /// Which.
        indexes: Vec<IndexFacts>,
    },
    /// Columns get another type.
    AlterColumns {
        /// Which.
        columns: Vec<ColumnChange>,
    },
    /// Columns may hold NULL.
    RelaxNotNull {
        /// Which.
        columns: Vec<ColumnName>,
    },
    /// Columns may not hold NULL any more.
    RestoreNotNull {
        /// Which.
        columns: Vec<ColumnName>,
    },
    /// The planner's statistics are made anew.
    Analyze {
        /// Of which tables.
        tables: Vec<TableName>,
    },
    /// The schema that rbk and DMS keep their own tables in is made, if it isn't there.
    MakeControlSchema,
    /// What DMS left in it is dropped.
    DropControlTables {
        /// Which.
        tables: Vec<TableName>,
    },
    /// Whatever the runbook's own SQL does.
    Unchecked,
}

impl Change {
    /// What it does, for messages: `dropping 2 indexes`.
    pub fn doing(&self) -> String {
        match self {
            Change::RecreateSchema { schema } => format!("recreating schema `{schema}`"),
            Change::RestoreGrants { schema } => {
                format!("restoring privileges and owners of what is in schema `{schema}`")
            }
            Change::DropIndexes { indexes } => {
                format!("dropping {}", counted(indexes.len(), "index", "indexes"))
            }
            Change::CreateIndexes { indexes } => {
                format!("creating {}", counted(indexes.len(), "index", "indexes"))
            }
            Change::AlterColumns { columns } => format!(
                "changing the type of {}",
                counted(columns.len(), "column", "columns")
            ),
            Change::RelaxNotNull { columns } => format!(
                "relaxing NOT NULL of {}",
                counted(columns.len(), "column", "columns")
            ),
            Change::RestoreNotNull { columns } => format!(
                "restoring NOT NULL of {}",
                counted(columns.len(), "column", "columns")
            ),
            Change::Analyze { tables } => {
                format!("analyzing {}", counted(tables.len(), "table", "tables"))
            }
            Change::MakeControlSchema => "making the schema of DMS's control tables".to_owned(),
            Change::DropControlTables { tables } => format!(
                "dropping {}",
                counted(
                    tables.len(),
                    "control table of DMS",
                    "control tables of DMS"
                )
            ),
            Change::Unchecked => "running SQL".to_owned(),
        }
    }
}

/// An index, and how it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexFacts {
    /// Its name; it is in its table's schema.
    pub name: String,
    /// Its table.
    pub table: TableName,
    /// The whole `CREATE INDEX`. Source: `pg_get_indexdef`.
    pub definition: String,
}

/// A column that gets another type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnChange {
    /// Which.
    pub column: ColumnName,
    /// The type that it must have. Source: `format_type`.
    pub from: String,
    /// The type that it gets.
    pub to: String,
    /// The expression that makes the new value of the old one; absent: Postgres's own cast.
    pub using: Option<String>,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SequenceFacts {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The column whose values it makes; absent: it stands alone.
    pub owner: Option<ColumnName>,
    /// What it goes up (or down) by.
    pub increment: i64,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignKeyFacts {
    /// The constraint.
    pub name: String,
    /// The table that refers.
    pub table: TableName,
    /// Its columns, in the order of the key.
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub references: TableName,
    /// Its columns, in the same order.
    pub referenced: Vec<String>,
    /// `MATCH FULL`: all columns are NULL or none. Otherwise a row with any NULL refers to nothing.
    pub match_full: bool,
}

/// A table that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopiedTable {
    /// Which; the root where it is partitioned.
    pub table: TableName,
    /// Whether other tables inherit from it that are no partitions: then only its own rows are meant.
    pub only: bool,
    /// Without generated ones.
    pub columns: Vec<CopiedColumn>,
    /// How large it was when the lock file was written, for the progress.
    pub bytes: u64,
}

/// A column that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopiedColumn {
    /// Its name.
    pub name: String,
    /// The type that the target has where it isn't the source's: the source casts to it, since `COPY`'s binary form is
    /// the type's own.
    pub cast: Option<String>,
}
