//! What a condition proves of schemas and rows, what can't hold, and what must be whole before an application comes back.

use super::Flow;
use super::reshape::named;
use super::schema::{Departure, Keys, Origin, SchemaState, Sequences, Unproven};
use super::schema_error::{Place, SchemaError, SchemaName};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::{Expr, Operator};
use crate::value::Value;
use rbk_syntax::Span;
use std::collections::BTreeMap;

impl Flow<'_> {
    /// Reports a condition, or a part of it that must hold, that can't.
    pub(super) fn demand_possible(&mut self, condition: &Expr, span: Span) {
        match condition {
            Expr::Binary {
                operator: Operator::And,
                left,
                right,
            } => {
                self.demand_possible(left, span);
                self.demand_possible(right, span);
            }
            Expr::NoDrift {
                database: Some(database),
            } => self.demand_no_drift(database, span),
            Expr::Complete { replication } => self.demand_awaited(replication, span),
            Expr::Matches {
                left,
                right,
                left_path,
                right_path,
                tables,
            } => {
                for (database, of_left) in [(left, true), (right, false)] {
                    let mut schemas: Vec<&str> = tables
                        .iter()
                        .map(|pair| if of_left { &pair.left } else { &pair.right })
                        .map(|table| table.schema.as_str())
                        .collect();
                    schemas.dedup();
                    for schema in schemas {
                        self.demand_loaded(database, Some(schema), span);
                    }
                }
                let claim = format!("{left_path} matches {right_path}");
                let lefts = tables.iter().map(|pair| &pair.left);
                let rights = tables.iter().map(|pair| &pair.right);
                let empty = self
                    .all_empty(left, lefts)
                    .or_else(|| self.all_empty(right, rights));
                if let Some((path, since)) = empty {
                    self.schema_error(SchemaError::CantHold {
                        span,
                        claim,
                        why: format!("`{path}` is empty"),
                        since: since
                            .map(|since| (since, "recreated here, and nothing was loaded since")),
                        help: format!(
                            "before it: `replicate … to {} with copy {{ … }}`",
                            path.database
                        ),
                    });
                }
            }
            Expr::ChecksPass { database } => {
                self.demand_loaded(database, None, span);
                let not_empty = self
                    .environment
                    .databases
                    .get(database)
                    .map_or(&[][..], |facts| &facts.checks.not_empty);
                let empty = self.all_empty(database, not_empty.iter());
                if let Some((path, since)) = empty {
                    self.schema_error(SchemaError::CantHold {
                        span,
                        claim: format!("checks of {database} pass"),
                        why: format!("`{path}` is empty"),
                        since: since
                            .map(|since| (since, "recreated here, and nothing was loaded since")),
                        help: format!("before it: `replicate … to {database} with copy {{ … }}`"),
                    });
                }
            }
            Expr::Binary { left, right, .. } => {
                for side in [left, right] {
                    self.demand_counted(side, span);
                }
            }
            _ => {}
        }
    }

    /// The schema of tables none of which has a row, as far as this runbook goes.
    fn all_empty<'t>(
        &self,
        database: &DatabaseName,
        tables: impl Iterator<Item = &'t TableName>,
    ) -> Option<(SchemaName, Option<Span>)> {
        let mut found = None;
        for table in tables {
            let state = self.schema(database, &table.schema);
            if state.unchecked.is_some()
                || !state.is_empty(table)
                || state.empty.contains_key(table)
            {
                return None;
            }
            found.get_or_insert((named(database, &table.schema), state.recreated));
        }
        found
    }

    /// Reports what a condition can't even be asked of.
    pub(super) fn demand_countable(&mut self, condition: &Expr, span: Span) {
        match condition {
            Expr::Not(inner) => self.demand_countable(inner, span),
            Expr::Binary { left, right, .. } => {
                for side in [left, right] {
                    self.demand_countable(side, span);
                    self.demand_counted(side, span);
                }
            }
            _ => {}
        }
    }

    /// A table can only be counted where it is.
    fn demand_counted(&mut self, side: &Expr, span: Span) {
        let Expr::Count { database, table } = side else {
            return;
        };
        self.demand_origin(database, &table.schema, span);
    }

    /// What this runbook has changed and not restored is drift.
    fn demand_no_drift(&mut self, database: &DatabaseName, span: Span) {
        let changed = self.touched(database).into_iter().find_map(|schema| {
            let state = self.schema(database, &schema);
            if state.unchecked.is_some() {
                return None;
            }
            let name = named(database, &schema);
            first_departure(state, &name)
        });
        if let Some((why, since, line)) = changed {
            self.schema_error(SchemaError::CantHold {
                span,
                claim: format!("no drift in {database}"),
                why,
                since: Some((since, "changed here")),
                help: format!("before it: `{line}`"),
            });
        }
    }

    /// A database's catalog has been seen to be what the lock file says; what couldn't be has been reported.
    pub(super) fn no_drift(&mut self, database: &DatabaseName) {
        for schema in self.touched(database) {
            let state = self.schema_mut(database, &schema);
            state.columns.clear();
            state.indexes.clear();
            state.nullable.clear();
            state.unchecked = None;
            state.unproven = None;
        }
        self.change(database, |state| state.unchecked = None);
    }

    /// `count(…) == 0`
    pub(super) fn counted(&mut self, operator: Operator, left: &Expr, right: &Expr, span: Span) {
        let (count, number) = match (left, right) {
            (Expr::Count { .. }, number) => (left, number),
            (number, count) => (count, number),
        };
        let Expr::Count { database, table } = count else {
            return;
        };
        let is_left = matches!(left, Expr::Count { .. });
        let none = match (operator, number) {
            (Operator::Equal | Operator::LessOrEqual, Expr::Value(Value::Integer(0))) => {
                operator == Operator::Equal || is_left
            }
            (Operator::Less, Expr::Value(Value::Integer(1))) => is_left,
            _ => false,
        };
        if none {
            let state = self.schema_mut(database, &table.schema);
            state.loads.remove(table);
            state.empty.insert(table.clone(), span);
        }
    }

    /// Before an application is switched to a database, what this runbook has changed there must be whole again.
    pub(crate) fn demand_whole(
        &mut self,
        database: &DatabaseName,
        application: &ApplicationName,
        span: Span,
    ) {
        self.demand_loaded(database, None, span);
        let place = Place::Switch {
            span,
            application: application.clone(),
        };
        self.whole(database, &place);
    }

    /// At the end, too, and of every database: what is left different would be found in the next incident.
    pub(super) fn all_whole(&mut self) {
        let mut databases: Vec<DatabaseName> = self
            .state
            .schemas
            .keys()
            .map(|(database, _)| database.clone())
            .collect();
        databases.dedup();
        for database in databases {
            self.whole(&database, &Place::End);
        }
    }

    fn whole(&mut self, database: &DatabaseName, place: &Place) {
        let mut errors = Vec::new();
        for schema in self.touched(database) {
            let state = self.schema(database, &schema);
            objects_whole(state, database, &schema, place, &mut errors);
            rows_whole(state, database, &schema, place, &mut errors);
        }
        for (what, since, error) in errors {
            // What was said at the switch isn't said again at the end.
            if self.told.insert((what, since)) {
                self.schema_error(error);
            }
        }
    }
}

type Unwhole = (&'static str, Span, SchemaError);

fn objects_whole(
    state: &SchemaState,
    database: &DatabaseName,
    schema: &str,
    place: &Place,
    errors: &mut Vec<Unwhole>,
) {
    let name = || named(database, schema);
    let place = || place.clone();
    if state.has_no_tables()
        && let Some(since) = state.recreated
    {
        let error = SchemaError::TablesLeft {
            place: place(),
            schema: name(),
            since,
        };
        errors.push(("tables", since, error));
        return;
    }
    let types = by_statement(&state.columns);
    for (since, columns) in types {
        let ty = columns
            .first()
            .map_or_else(String::new, |(_, ty)| (*ty).clone());
        let error = SchemaError::TypesLeft {
            place: place(),
            schema: name(),
            columns: columns
                .into_iter()
                .map(|(column, _)| column.clone())
                .collect(),
            ty,
            since,
        };
        errors.push(("types", since, error));
    }
    for (since, indexes) in by_statement(&state.indexes) {
        let error = SchemaError::IndexesLeft {
            place: place(),
            schema: name(),
            indexes: indexes
                .into_iter()
                .map(|(index, _)| index.clone())
                .collect(),
            since,
        };
        errors.push(("indexes", since, error));
    }
    for (since, columns) in by_statement(&state.nullable) {
        let error = SchemaError::NullsLeft {
            place: place(),
            schema: name(),
            columns: columns
                .into_iter()
                .map(|(column, ())| column.clone())
                .collect::<Vec<ColumnName>>(),
            since,
        };
        errors.push(("nulls", since, error));
    }
    if let Some(Unproven { since, migrated }) = state.unproven {
        let error = SchemaError::Unproven {
            place: place(),
            schema: name(),
            migrated,
            since,
        };
        errors.push(("unproven", since, error));
    }
}

fn rows_whole(
    state: &SchemaState,
    database: &DatabaseName,
    schema: &str,
    place: &Place,
    errors: &mut Vec<Unwhole>,
) {
    let Some(load) = state.loads.values().next() else {
        return;
    };
    let name = || named(database, schema);
    let place = || place.clone();
    if state.sequences.may_be(Sequences::Behind)
        && let Some(since) = state.sequences.since()
    {
        let error = SchemaError::SequencesBehind {
            place: place(),
            schema: name(),
            from: load.from.clone(),
            certain: state.sequences.is(Sequences::Behind),
            since,
        };
        errors.push(("sequences", since, error));
    }
    if state.keys.may_be(Keys::Unproven)
        && let Some(since) = state.keys.since()
    {
        let error = SchemaError::KeysUnproven {
            place: place(),
            schema: name(),
            since,
        };
        errors.push(("keys", since, error));
    }
    if let Some(since) = state.unanalyzed {
        let error = SchemaError::NotAnalyzed {
            place: place(),
            schema: name(),
            since,
        };
        errors.push(("statistics", since, error));
    }
    if let Some((views, since)) = &state.stale {
        let error = SchemaError::StaleViews {
            place: place(),
            database: database.clone(),
            views: views.clone(),
            since: *since,
        };
        errors.push(("views", *since, error));
    }
    let unmatched: Vec<TableName> = state
        .loads
        .iter()
        .filter(|(_, load)| load.matched.is_none())
        .map(|(table, _)| table.clone())
        .collect();
    if let Some(load) = unmatched.first().and_then(|table| state.loads.get(table)) {
        let error = SchemaError::NeverMatched {
            place: place(),
            database: database.clone(),
            schema: schema.to_owned(),
            tables: unmatched,
            from: load.from.clone(),
            since: load.span,
        };
        errors.push(("matched", load.span, error));
    }
}

/// Departures by the statement that made them, in the order of the text.
fn by_statement<K, T>(departures: &BTreeMap<K, Departure<T>>) -> BTreeMap<Span, Vec<(&K, &T)>> {
    let mut grouped: BTreeMap<Span, Vec<(&K, &T)>> = BTreeMap::new();
    for (key, departure) in departures {
        grouped
            .entry(departure.since)
            .or_default()
            .push((key, &departure.to));
    }
    grouped
}

/// Something that a statement has made different from the lock file: what, where, and the line that undoes it.
fn first_departure(state: &SchemaState, name: &SchemaName) -> Option<(String, Span, String)> {
    if state.origin.is(Origin::Recreated) {
        let why = format!("`{name}` has no tables");
        return Some((
            why,
            state.origin.since()?,
            format!("migrate {}", name.database),
        ));
    }
    let types = state.columns.iter().next().map(|(column, now)| {
        let why = format!("column `{column}` is `{}`", now.to);
        (why, now.since, format!("restore column types in {name}"))
    });
    let indexes = || {
        let (index, now) = state.indexes.iter().next()?;
        let why = format!("index `{index}` is dropped");
        Some((why, now.since, format!("restore indexes on {name}")))
    };
    let nulls = || {
        let (column, now) = state.nullable.iter().next()?;
        let why = format!("column `{column}` may hold NULL");
        Some((why, now.since, format!("restore not null on {name}")))
    };
    types.or_else(indexes).or_else(nulls)
}
