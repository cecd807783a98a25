//! Statements that change what a schema is made of: each checks its pre-state, reports what is missing, then changes the state.

use super::schema::{Departure, Keys, Origin, Rows, SchemaState, Sequences, Unproven};
use super::schema_error::{SchemaError, SchemaName};
use super::{Flow, Login, StateError, Writes};
use crate::catalog::{ColumnName, Index, Table};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::lower::freeze;
use crate::plan::{ColumnChange, Freeze, IndexFacts};
use rbk_syntax::Span;
use std::collections::BTreeSet;

/// Kinds of indexes that Postgres makes anew by itself when a column's type changes, for any type that can be ordered.
const REBUILT: [&str; 3] = ["btree", "hash", "brin"];

impl<'p> Flow<'p> {
    /// What is believed of a schema.
    pub(super) fn schema(&self, database: &DatabaseName, schema: &str) -> &SchemaState {
        self.state
            .schemas
            .get(&(database.clone(), schema.to_owned()))
            .unwrap_or(&self.untouched)
    }

    /// What is believed of a schema, to be changed.
    pub(super) fn schema_mut(&mut self, database: &DatabaseName, schema: &str) -> &mut SchemaState {
        self.changes += 1;
        let unchecked = self.database(database).unchecked;
        let state = self
            .state
            .schemas
            .entry((database.clone(), schema.to_owned()))
            .or_insert_with(|| SchemaState {
                unchecked,
                ..SchemaState::default()
            });
        state.touch(self.changes);
        state
    }

    /// The names of those schemas of a database that are believed to be anything but untouched.
    pub(super) fn touched(&self, database: &DatabaseName) -> Vec<String> {
        self.state
            .schemas
            .keys()
            .filter(|(of, _)| of == database)
            .map(|(_, schema)| schema.clone())
            .collect()
    }

    /// Demands that an administrative login works; it has worked once the statement is done.
    pub(super) fn demand_login(&mut self, database: &DatabaseName, span: Span) {
        let state = self.database(database);
        if state.login.may_be(Login::Stale) {
            self.stale(database, span);
        } else if self.demand_available(database, span) {
            self.change(database, |state| state.login.set(Login::Works, span));
        }
    }

    /// Demands a login and a schema that has tables.
    pub(super) fn demand_tables(&mut self, database: &DatabaseName, schema: &str, span: Span) {
        self.demand_login(database, span);
        self.demand_origin(database, schema, span);
        self.demand_loaded(database, Some(schema), span);
    }

    /// Demands that a schema has tables. Said once: what follows is read as if they were there.
    pub(super) fn demand_origin(&mut self, database: &DatabaseName, schema: &str, span: Span) {
        let state = self.schema_mut(database, schema);
        if state.has_no_tables() {
            let since = state.recreated;
            state.origin.set(Origin::Migrated, span);
            self.schema_error(SchemaError::NoTables {
                span,
                schema: named(database, schema),
                since,
            });
        }
    }

    /// `recreate schema`
    pub(crate) fn recreate_schema(&mut self, database: &DatabaseName, schema: &str, span: Span) {
        self.demand_login(database, span);
        self.demand_loaded(database, Some(schema), span);
        self.demand_not_copied(database, span);
        if let Some(user) = self.possible_user(database) {
            self.schema_error(SchemaError::DroppedInUse {
                span,
                schema: named(database, schema),
                application: user.application,
                since: user.since,
                certain: user.certain,
                other: user.other,
            });
        }
        if !self.approved {
            self.schema_error(SchemaError::NotApproved {
                span,
                schema: named(database, schema),
            });
        }
        let state = self.schema(database, schema);
        if !state.origin.may_be(Origin::Before) {
            self.schema_error(SchemaError::RecreatedTwice {
                span,
                schema: named(database, schema),
                since: state.recreated,
            });
        }
        let state = self.schema_mut(database, schema);
        *state = SchemaState::default();
        state.origin.set(Origin::Recreated, span);
        state.recreated = Some(span);
        state.rows.set(Rows::None, span);
        state.keys.set(Keys::Proven, span);
        state.sequences.set(Sequences::InStep, span);
        // The number of the change went with the rest.
        self.schema_mut(database, schema);
        let own = self
            .environment
            .migrations
            .as_ref()
            .map(|tool| &tool.schema);
        if own.is_some_and(|own| own == schema) {
            self.change(database, |state| state.migrated = None);
        }
        self.source_changed(database, Some(span));
    }

    /// `migrate`: makes the tables of all recreated schemas, and may change rows.
    pub(crate) fn migrate(&mut self, database: &DatabaseName, span: Span) {
        self.demand_login(database, span);
        self.demand_loaded(database, None, span);
        self.demand_not_copied(database, span);
        let writes = self.database(database).writes;
        let parted = self.parted_by(database, |state| state.writes, Writes::Frozen);
        // rbk's own sessions say that they write; the tool's don't.
        if (writes.is(Writes::Frozen) || parted.is_some())
            && matches!(freeze(self.environment, database), Freeze::ReadOnly)
        {
            self.schema_error(SchemaError::ToolFrozen {
                span,
                database: database.clone(),
                since: self.database(database).frozen,
            });
            self.tell_parted(parted, "frozen");
        }
        self.demand_own_log(database, span);
        for schema in self.touched(database) {
            let state = self.schema_mut(database, &schema);
            if state.origin.may_be(Origin::Recreated) {
                state.origin.set(Origin::Migrated, span);
                state.unproven = Some(Unproven {
                    since: span,
                    migrated: true,
                });
            }
            for load in state.loads.values_mut() {
                load.matched = None;
            }
        }
        self.change(database, |state| state.migrated = Some(span));
        self.source_changed(database, Some(span));
    }

    /// What the migration tool has noted as done it doesn't do again: its notes must have gone with the schema.
    fn demand_own_log(&mut self, database: &DatabaseName, span: Span) {
        let Some(tool) = &self.environment.migrations else {
            return;
        };
        let own = self.schema(database, &tool.schema);
        if own.recreated.is_some() || self.database(database).unchecked.is_some() {
            return;
        }
        let recreated = self.touched(database).into_iter().find_map(|schema| {
            let state = self.schema(database, &schema);
            let is_new = state.origin.may_be(Origin::Recreated) && state.unchecked.is_none();
            is_new.then(|| (named(database, &schema), state.recreated))
        });
        if let Some((schema, since)) = recreated {
            self.schema_error(SchemaError::LogStays {
                span,
                schema,
                own: tool.schema.clone(),
                since,
            });
        }
    }

    /// `drop index`, `drop indexes on`
    pub(crate) fn drop_indexes(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[IndexFacts],
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        let state = self.schema(database, schema);
        let dropped = indexes
            .iter()
            .map(|index| state.indexes.get(&index.name))
            .collect::<Option<Vec<_>>>()
            .and_then(|dropped| {
                let certain = dropped.iter().all(|departure| departure.certain);
                Some((dropped.first()?.since, certain))
            });
        // Those of a selection that are dropped already are passed over, as long as some are left.
        if let Some((since, certain)) = dropped
            && state.unchecked.is_none()
        {
            self.schema_error(SchemaError::DroppedTwice {
                span,
                since,
                certain,
                indexes: indexes.iter().map(|index| index.name.clone()).collect(),
            });
        }
        let state = self.schema_mut(database, schema);
        for index in indexes {
            state.remade.remove(&index.name);
            state
                .indexes
                .entry(index.name.clone())
                .and_modify(|departure| departure.certain = true)
                .or_insert(Departure {
                    to: (),
                    since: span,
                    certain: true,
                });
        }
    }

    /// `restore indexes on`
    pub(crate) fn restore_indexes(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[IndexFacts],
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        let state = self.schema(database, schema);
        let dropped = |index: &&IndexFacts| state.indexes.contains_key(&index.name);
        let dropped: Vec<&IndexFacts> = indexes.iter().filter(dropped).collect();
        // Where none of a selection is dropped, the lock file says which should be there.
        let made = if dropped.is_empty() {
            indexes.iter().collect()
        } else {
            dropped
        };
        self.demand_missing(database, schema, &made, span);
        self.demand_own_types(database, schema, &made, span);
        let state = self.schema_mut(database, schema);
        for index in made {
            state.indexes.remove(&index.name);
            state.remade.insert(index.name.clone(), span);
        }
    }

    /// An index is made where it may be missing.
    fn demand_missing(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[&IndexFacts],
        span: Span,
    ) {
        let state = self.schema(database, schema);
        let Some(first) = indexes.first() else {
            return;
        };
        if state.unchecked.is_some() || state.indexes.contains_key(&first.name) {
            return;
        }
        let names = indexes.iter().map(|index| index.name.clone()).collect();
        let remade = indexes
            .iter()
            .find_map(|index| state.remade.get(&index.name).copied());
        self.schema_error(
            if remade.is_none() && state.origin.may_be(Origin::Migrated) {
                SchemaError::MayStand {
                    span,
                    since: state.origin.since(),
                    indexes: names,
                }
            } else {
                SchemaError::StandsAlready {
                    span,
                    since: remade,
                    indexes: names,
                }
            },
        );
    }

    /// An index's definition is made for the lock file's types.
    fn demand_own_types(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        indexes: &[&IndexFacts],
        span: Span,
    ) {
        let state = self.schema(database, schema);
        if state.columns.is_empty() {
            return;
        }
        let mut early: Option<(ColumnName, String, Span)> = None;
        let mut names = Vec::new();
        for index in indexes {
            let facts = self
                .table(database, &index.table)
                .and_then(|table| table.indexes.get(&index.name));
            let mut read = facts.map_or(&[][..], |facts| &facts.columns).iter();
            let changed = read.find_map(|column| {
                let column = ColumnName {
                    table: index.table.clone(),
                    column: column.clone(),
                };
                let departure = state.columns.get(&column)?;
                Some((column, departure.to.clone(), departure.since))
            });
            if let Some(changed) = changed {
                names.push(index.name.clone());
                early.get_or_insert(changed);
            }
        }
        if let Some((column, ty, since)) = early {
            self.schema_error(SchemaError::IndexTooEarly {
                span,
                schema: named(database, schema),
                indexes: names,
                column,
                ty,
                since,
            });
        }
    }

    /// `alter column`, `alter columns`
    pub(crate) fn alter_columns(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnChange],
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        self.demand_other_type(database, schema, columns, span);
        self.demand_free(database, schema, columns, span);
        for change in columns {
            let own = self
                .own_type(database, &change.column)
                .unwrap_or(&change.from);
            let back = bare(own) == bare(&change.to);
            let state = self.schema_mut(database, schema);
            if back {
                state.columns.remove(&change.column);
            } else {
                let departure = Departure {
                    to: bare(&change.to).to_owned(),
                    since: span,
                    certain: true,
                };
                state.columns.insert(change.column.clone(), departure);
            }
        }
        self.retyped(database, schema, span);
    }

    /// Something must change.
    fn demand_other_type(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnChange],
        span: Span,
    ) {
        let Some(first) = columns.first() else {
            return;
        };
        let state = self.schema(database, schema);
        if state.unchecked.is_some() {
            return;
        }
        let all_alike = columns.iter().all(|change| {
            let now = state.columns.get(&change.column);
            let now = now.map(|departure| departure.to.as_str());
            let now = now.or_else(|| self.own_type(database, &change.column));
            bare(now.unwrap_or(&change.from)) == bare(&change.to)
        });
        let since = state.columns.get(&first.column).map(|now| now.since);
        if all_alike {
            self.schema_error(SchemaError::SameType {
                span,
                columns: columns.iter().map(|change| change.column.clone()).collect(),
                ty: bare(&first.to).to_owned(),
                since,
            });
        }
    }

    /// Nothing that Postgres would refuse to change may be made of a column whose type changes.
    fn demand_free(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnChange],
        span: Span,
    ) {
        let state = self.schema(database, schema);
        let Some(catalog) = self.catalogs.get(database) else {
            return;
        };
        if state.unchecked.is_some() {
            return;
        }
        let mut refused = Standing::default();
        let mut rebuilt = Standing::default();
        for change in columns {
            let column = &change.column;
            let Some(table) = catalog.table(&column.table) else {
                continue;
            };
            let now = state
                .columns
                .get(column)
                .map_or(change.from.as_str(), |departure| &departure.to);
            let reads = |index: &Index| index.columns.contains(&column.column);
            for (name, index) in droppable(table).filter(|(_, index)| reads(index)) {
                if state
                    .indexes
                    .get(name)
                    .is_some_and(|dropped| dropped.certain)
                {
                    continue;
                }
                let survives =
                    base(now) == base(&change.to) || REBUILT.contains(&index.method.as_str());
                if !survives {
                    refused.add(name, column);
                } else if !state.is_empty(&column.table) {
                    rebuilt.add(name, column);
                }
            }
        }
        let since = refused
            .indexes
            .first()
            .and_then(|index| state.remade.get(index).copied());
        if !refused.indexes.is_empty() {
            self.schema_error(SchemaError::IndexInTheWay {
                span,
                indexes: refused.indexes,
                on: self.all_of(database, schema, refused.columns),
                since,
            });
        }
        if !rebuilt.indexes.is_empty() {
            self.schema_error(SchemaError::IndexRebuilt {
                span,
                indexes: rebuilt.indexes,
                on: self.all_of(database, schema, rebuilt.columns.clone()),
                columns: rebuilt.columns,
            });
        }
    }

    /// Columns as a runbook says which indexes it means: the one, those of their type, or else the schema's.
    pub(super) fn all_of(
        &self,
        database: &DatabaseName,
        schema: &str,
        mut columns: Vec<ColumnName>,
    ) -> String {
        columns.sort();
        columns.dedup();
        if let [column] = columns.as_slice() {
            return format!("{database}.{column}");
        }
        let types: BTreeSet<&str> = columns
            .iter()
            .filter_map(|column| self.own_type(database, column).map(base))
            .collect();
        match types.first() {
            Some(ty) if types.len() == 1 => format!("columns of type {ty} in {database}.{schema}"),
            _ => format!("{database}.{schema}"),
        }
    }

    /// `restore column types in`
    pub(crate) fn restore_column_types(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        let state = self.schema(database, schema);
        let changed = !state.columns.is_empty();
        if !changed && state.unchecked.is_none() {
            self.schema_error(SchemaError::Nothing {
                span,
                schema: named(database, schema),
                what: "changed column type",
                verb: "restore",
                since: None,
            });
        }
        self.schema_mut(database, schema).columns.clear();
        self.retyped(database, schema, span);
    }

    /// Postgres forgets the statistics of a column whose type changes.
    fn retyped(&mut self, database: &DatabaseName, schema: &str, span: Span) {
        let state = self.schema_mut(database, schema);
        if !state.loads.is_empty() {
            state.unanalyzed = Some(span);
        }
    }

    /// `relax not null on`
    pub(crate) fn relax_not_null(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnName],
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        let state = self.schema_mut(database, schema);
        let relaxed = columns
            .iter()
            .map(|column| state.nullable.get(column))
            .collect::<Option<Vec<_>>>()
            .and_then(|departures| departures.first().map(|first| first.since));
        if let Some(since) = relaxed
            && state.unchecked.is_none()
        {
            self.schema_error(SchemaError::Nothing {
                span,
                schema: named(database, schema),
                what: "NOT NULL",
                verb: "relax",
                since: Some(since),
            });
        }
        let state = self.schema_mut(database, schema);
        for column in columns {
            state
                .nullable
                .entry(column.clone())
                .and_modify(|departure| departure.certain = true)
                .or_insert(Departure {
                    to: (),
                    since: span,
                    certain: true,
                });
        }
    }

    /// `restore not null on`
    pub(crate) fn restore_not_null(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        columns: &[ColumnName],
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        let state = self.schema(database, schema);
        let found = columns
            .iter()
            .any(|column| state.nullable.contains_key(column));
        if !found && state.unchecked.is_none() {
            self.schema_error(SchemaError::Nothing {
                span,
                schema: named(database, schema),
                what: "relaxed NOT NULL",
                verb: "restore",
                since: None,
            });
        }
        let state = self.schema_mut(database, schema);
        for column in columns {
            state.nullable.remove(column);
        }
    }

    /// `sql on`: whatever it does, nothing is believed of the database's schemas any more than that they are there.
    pub(crate) fn unchecked_sql(&mut self, database: &DatabaseName, span: Span) {
        self.demand_login(database, span);
        for schema in self.touched(database) {
            let state = self.schema_mut(database, &schema);
            state.unchecked = Some(span);
            state.unproven = Some(Unproven {
                since: span,
                migrated: false,
            });
            state.empty.clear();
            state.remade.clear();
            // It may have refreshed them.
            state.stale = None;
            if state.rows.is(Rows::None) {
                state.rows.set_any(&[Rows::Some, Rows::None], span);
            }
            if !state.loads.is_empty() {
                state.keys.set_any(&[Keys::Proven, Keys::Unproven], span);
                if state.sequences.is(Sequences::InStep) {
                    let values = [Sequences::InStep, Sequences::Behind];
                    state.sequences.set_any(&values, span);
                }
            }
            for load in state.loads.values_mut() {
                load.matched = None;
            }
        }
        self.change(database, |state| state.unchecked = Some(span));
        self.source_changed(database, Some(span));
    }

    /// `run COMMAND`: it may make the tables of a schema that was recreated; what else it does is the command's business.
    pub(crate) fn unchecked_command(&mut self, span: Span) {
        let recreated: Vec<_> = self
            .state
            .schemas
            .iter()
            .filter(|(_, state)| state.has_no_tables())
            .map(|(key, _)| key.clone())
            .collect();
        for (database, schema) in recreated {
            let state = self.schema_mut(&database, &schema);
            state.unchecked = Some(span);
            state.unproven = Some(Unproven {
                since: span,
                migrated: false,
            });
            state.rows.set_any(&[Rows::Some, Rows::None], span);
        }
    }

    /// A table as the lock file has it.
    pub(super) fn table(&self, database: &DatabaseName, table: &TableName) -> Option<&'p Table> {
        self.catalogs.get(database)?.table(table)
    }

    /// A column's type as the lock file has it.
    fn own_type(&self, database: &DatabaseName, column: &ColumnName) -> Option<&'p str> {
        let column = self
            .table(database, &column.table)?
            .column(&column.column)?;
        Some(&column.ty)
    }

    /// Reports a database that may have the password of its backup.
    pub(super) fn stale(&mut self, database: &DatabaseName, span: Span) {
        let state = self.database(database);
        let parted = self.parted(database, |state| {
            (!state.login.may_be(Login::Stale), state.login.since())
        });
        let since = parted
            .as_ref()
            .map_or(state.login.since(), |parted| parted.elsewhere);
        let error = match state.existence.may_be(super::Existence::Creating) {
            true => self.still_creating(database, span),
            false => StateError::StaleCredentials {
                span,
                database: database.clone(),
                since,
            },
        };
        self.error(error);
        self.tell_parted_use(parted, "credentials that work");
    }
}

/// Indexes that stand, and the columns that they stand on.
#[derive(Default)]
struct Standing {
    indexes: Vec<String>,
    columns: Vec<ColumnName>,
}

impl Standing {
    fn add(&mut self, index: &str, column: &ColumnName) {
        if !self.indexes.iter().any(|known| known == index) {
            self.indexes.push(index.to_owned());
        }
        if !self.columns.contains(column) {
            self.columns.push(column.clone());
        }
    }
}

/// The indexes of a table that can be dropped by themselves.
pub(super) fn droppable(table: &Table) -> impl Iterator<Item = (&String, &Index)> {
    table
        .indexes
        .iter()
        .filter(|(_, index)| index.constraint.is_none() && index.part_of.is_none())
}

/// A type without the schema that it is in: `vector(1536)` of `public.vector(1536)`.
pub(super) fn bare(ty: &str) -> &str {
    let head = ty.split('(').next().unwrap_or(ty);
    head.rfind('.')
        .and_then(|dot| ty.get(dot + 1..))
        .unwrap_or(ty)
}

/// A type without its schema and its modifier.
fn base(ty: &str) -> &str {
    let ty = bare(ty);
    ty.split('(').next().unwrap_or(ty)
}

pub(super) fn named(database: &DatabaseName, schema: &str) -> SchemaName {
    SchemaName {
        database: database.clone(),
        schema: schema.to_owned(),
    }
}
