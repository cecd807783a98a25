//! What is believed of a database's schema: its origin, its rows, and what differs from the lock file for now.

use super::{Bit, Facet, Flow};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::plan::{ColumnChange, IndexFacts};
use rbk_syntax::Span;
use std::collections::BTreeMap;

/// What is believed of one schema of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaState {
    /// Where its objects come from.
    pub(crate) origin: Facet<Origin>,
    /// Whether its tables hold rows.
    pub(crate) rows: Facet<Rows>,
    /// Columns whose type isn't the lock file's now: their type, and where they got it.
    pub(crate) columns: BTreeMap<ColumnName, (String, Span)>,
    /// Indexes of the lock file that are dropped now, and where.
    pub(crate) indexes: BTreeMap<String, Span>,
    /// Columns that may hold NULL now, though the lock file says otherwise, and where that was said.
    pub(crate) nullable: BTreeMap<ColumnName, Span>,
    /// Where it was last loaded, and from which database.
    pub(crate) loaded: Option<(DatabaseName, Span)>,
    /// Whether its foreign keys hold for its rows.
    pub(crate) keys: Facet<Keys>,
    /// Whether its sequences are past its rows.
    pub(crate) sequences: Facet<Sequences>,
    /// Where its rows were last seen to equal those that they were loaded from.
    pub(crate) matched: Option<Span>,
    /// Whether the planner's statistics are those of its rows.
    pub(crate) analyzed: bool,
}

/// Where a schema's objects come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// They were there before.
    Before,
    /// It was recreated and is empty.
    Recreated,
    /// It was recreated, and the migration tool made them.
    Migrated,
}

impl Bit for Origin {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Origin::Before as u8;
}

/// Whether a schema's tables hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// They may.
    Some,
    /// They were all made anew.
    None,
}

impl Bit for Rows {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Rows::Some as u8;
}

/// Whether foreign keys hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Postgres or an anti-join has seen to it.
    Proven,
    /// Rows were loaded past them.
    Unproven,
}

impl Bit for Keys {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Keys::Proven as u8;
}

/// Whether sequences are past the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequences {
    /// They are.
    InStep,
    /// Rows were loaded that no sequence knows of.
    Behind,
}

impl Bit for Sequences {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Sequences::InStep as u8;
}

impl SchemaState {
    /// Either state: what holds in both.
    pub(crate) fn join(&mut self, other: &SchemaState) {
        self.origin.join(other.origin);
        self.rows.join(other.rows);
        self.keys.join(other.keys);
        self.sequences.join(other.sequences);
        for (column, change) in &other.columns {
            self.columns
                .entry(column.clone())
                .or_insert_with(|| change.clone());
        }
        for (index, span) in &other.indexes {
            self.indexes.entry(index.clone()).or_insert(*span);
        }
        for (column, span) in &other.nullable {
            self.nullable.entry(column.clone()).or_insert(*span);
        }
        self.loaded = self.loaded.take().or_else(|| other.loaded.clone());
        self.matched = self.matched.and(other.matched);
        self.analyzed &= other.analyzed;
    }
}

/// What statements on schema objects need and leave behind: each checks its pre-state, reports what is missing, then changes the
/// state.
#[expect(unused_variables, dead_code, reason = "contract")]
impl Flow<'_> {
    /// `recreate schema`
    pub(crate) fn recreate_schema(&mut self, database: &DatabaseName, schema: &str, span: Span) {}

    /// `migrate`
    pub(crate) fn migrate(&mut self, database: &DatabaseName, span: Span) {}

    /// `drop index`, `drop indexes on`
    pub(crate) fn drop_indexes(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[IndexFacts],
        span: Span,
    ) {
    }

    /// `restore indexes on`
    pub(crate) fn restore_indexes(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[IndexFacts],
        span: Span,
    ) {
    }

    /// `alter column`, `alter columns`
    pub(crate) fn alter_columns(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnChange],
        span: Span,
    ) {
    }

    /// `restore column types in`
    pub(crate) fn restore_column_types(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        span: Span,
    ) {
    }

    /// `relax not null on`
    pub(crate) fn relax_not_null(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnName],
        span: Span,
    ) {
    }

    /// `restore not null on`
    pub(crate) fn restore_not_null(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnName],
        span: Span,
    ) {
    }

    /// `replicate … with copy`: these tables, of these schemas; `excepted` are those that the statement leaves out.
    pub(crate) fn replicate(
        &mut self,
        from: &DatabaseName,
        to: &DatabaseName,
        tables: &[TableName],
        excepted: &[TableName],
        span: Span,
    ) {
    }

    /// `sync sequences of … from …`
    pub(crate) fn sync_sequences(&mut self, of: &DatabaseName, from: &DatabaseName, span: Span) {}

    /// `validate constraints of`
    pub(crate) fn validate_constraints(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        span: Span,
    ) {
    }

    /// `analyze`
    pub(crate) fn analyze(&mut self, database: &DatabaseName, span: Span) {}

    /// `sql on`: whatever it does, nothing is believed of the database's schemas any more than that they are there.
    pub(crate) fn unchecked_sql(&mut self, database: &DatabaseName, span: Span) {}
}
