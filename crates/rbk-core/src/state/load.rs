//! Statements that bring rows and see to them: each checks its pre-state, reports what is missing, then changes the state.

use super::reshape::droppable;
use super::schema::{Keys, Load, Rows, SchemaState, Sequences};
use super::schema_error::SchemaError;
use super::{Flow, Writes};
use crate::catalog::{Catalog, ColumnName, ConstraintKind};
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::TablePair;
use rbk_syntax::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of indexes into which each row is inserted by a search of its own.
const SLOW: [&str; 2] = ["hnsw", "ivfflat"];

/// An application that uses a database, or may.
pub(crate) struct User {
    pub(crate) application: ApplicationName,
    /// Where that was last changed or proven.
    pub(crate) since: Option<Span>,
    pub(crate) certain: bool,
    /// Another database that it may use.
    pub(crate) other: Option<DatabaseName>,
}

impl Flow<'_> {
    /// The application that uses a database, or else one that may.
    pub(crate) fn possible_user(&self, database: &DatabaseName) -> Option<User> {
        let users = self
            .state
            .applications
            .iter()
            .filter(|(_, state)| state.active.contains(database))
            .map(|(application, state)| User {
                application: application.clone(),
                since: state.since,
                certain: state.since.is_some() && state.active() == Some(database),
                other: state
                    .active
                    .iter()
                    .find(|other| *other != database)
                    .cloned(),
            });
        users.max_by_key(|user| user.certain)
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
        let tables = self.copied(to, tables, excepted, span);
        self.demand_ready(from, to, &tables, span);
        self.demand_all_room(to, &tables, span);
        self.loaded(from, to, &tables, span);
    }

    /// What any load needs of both sides, besides room.
    pub(super) fn demand_ready(
        &mut self,
        from: &DatabaseName,
        to: &DatabaseName,
        tables: &[TableName],
        span: Span,
    ) {
        let schemas = by_schema(tables);
        for database in [from, to] {
            for schema in schemas.keys() {
                self.demand_login(database, span);
                self.demand_origin(database, schema, span);
            }
        }
        self.demand_loaded(from, None, span);
        for (schema, tables) in &schemas {
            self.demand_no_slow_indexes(to, schema, tables, span);
        }
        self.demand_still(from, to, span);
    }

    /// A load adds to what is there: the tables must be empty.
    pub(super) fn demand_all_room(&mut self, to: &DatabaseName, tables: &[TableName], span: Span) {
        for (schema, tables) in by_schema(tables) {
            self.demand_room(to, schema, &tables, span);
        }
    }

    /// Rows have come into tables, or are on their way.
    pub(super) fn loaded(
        &mut self,
        from: &DatabaseName,
        to: &DatabaseName,
        tables: &[TableName],
        span: Span,
    ) {
        for (schema, tables) in by_schema(tables) {
            let catalog = self.catalogs.get(to);
            let (keys, sequences) = catalog.map_or((true, true), |catalog| needs(catalog, schema));
            let stale = catalog.map_or(Vec::new(), |catalog| shown_by(catalog, &tables));
            let state = self.schema_mut(to, schema);
            for table in tables {
                let load = Load {
                    from: from.clone(),
                    span,
                    matched: None,
                    outdated: None,
                };
                state.empty.remove(table);
                state.loads.insert(table.clone(), load);
            }
            if keys {
                state.keys.set(Keys::Unproven, span);
            }
            if sequences {
                state.sequences.set(Sequences::Behind, span);
            }
            state.unanalyzed = Some(span);
            if !stale.is_empty() {
                state.stale = Some((stale, span));
            }
        }
        self.source_changed(to, Some(span));
    }

    /// What is copied must stand still, and what is copied to must not be in use.
    fn demand_still(&mut self, from: &DatabaseName, to: &DatabaseName, span: Span) {
        if let Some(user) = self.possible_user(to) {
            self.schema_error(SchemaError::LoadedInUse {
                span,
                database: to.clone(),
                application: user.application,
                since: user.since,
                certain: user.certain,
                other: user.other,
            });
        }
        let writes = self.database(from).writes;
        if !writes.is(Writes::Frozen) {
            let parted = self.parted_by(from, |state| state.writes, Writes::Frozen);
            self.schema_error(SchemaError::SourceOpen {
                span,
                from: from.clone(),
                if_reachable: writes.is(Writes::FrozenIfReachable),
                since: match &parted {
                    Some(parted) => parted.elsewhere,
                    None => writes.since(),
                },
            });
            self.tell_parted(parted, "frozen");
        }
        let state = self.database(to);
        let parted = self.parted_by(to, |state| state.writes, Writes::Frozen);
        if state.writes.is(Writes::Frozen) || parted.is_some() {
            self.schema_error(SchemaError::TargetFrozen {
                span,
                to: to.clone(),
                since: state.frozen.or(state.writes.since()),
            });
            self.tell_parted(parted, "frozen");
        }
    }

    fn demand_room(&mut self, to: &DatabaseName, schema: &str, tables: &[&TableName], span: Span) {
        let state = self.schema(to, schema);
        if state.has_no_tables() {
            return;
        }
        let loaded = |table: &&&TableName| state.loads.contains_key(**table);
        let twice: Vec<TableName> = tables
            .iter()
            .filter(loaded)
            .map(|table| (**table).clone())
            .collect();
        let full: Vec<TableName> = tables
            .iter()
            .filter(|table| !loaded(table) && !state.is_empty(table))
            .map(|table| (**table).clone())
            .collect();
        let unchecked = state.unchecked.filter(|_| state.rows.may_be(Rows::None));
        let since = twice
            .first()
            .and_then(|table| state.loads.get(table))
            .map(|load| load.span);
        if let Some(since) = since {
            self.schema_error(SchemaError::LoadedTwice {
                span,
                tables: twice,
                since,
            });
        }
        if !full.is_empty() {
            self.schema_error(SchemaError::NotEmpty {
                span,
                to: to.clone(),
                tables: full,
                unchecked,
            });
        }
    }

    /// Some kinds of indexes cost so much for each row that it is quicker to build them after the load.
    fn demand_no_slow_indexes(
        &mut self,
        to: &DatabaseName,
        schema: &str,
        tables: &[&TableName],
        span: Span,
    ) {
        let state = self.schema(to, schema);
        if state.unchecked.is_some() || state.has_no_tables() {
            return;
        }
        let mut indexes = Vec::new();
        let mut columns = Vec::new();
        for name in tables {
            let Some(table) = self.table(to, name) else {
                continue;
            };
            for (index, facts) in droppable(table) {
                let slow = SLOW.contains(&facts.method.as_str());
                if slow && !state.indexes.contains_key(index) {
                    indexes.push(index.clone());
                    columns.extend(facts.columns.first().map(|column| ColumnName {
                        table: (*name).clone(),
                        column: column.clone(),
                    }));
                }
            }
        }
        if let Some(first) = indexes.first() {
            let since = state.remade.get(first).copied();
            let on = self.all_of(to, schema, columns);
            self.schema_error(SchemaError::IndexSlowsLoad {
                span,
                indexes,
                on,
                since,
            });
        }
    }

    /// The tables that are copied: those that the statement names but the migration tool's own. Says so where those are named.
    pub(super) fn copied(
        &mut self,
        to: &DatabaseName,
        tables: &[TableName],
        excepted: &[TableName],
        span: Span,
    ) -> Vec<TableName> {
        let own = self.own_tables();
        let copied = |table: &&TableName| !own.contains(table);
        let copied: Vec<TableName> = tables.iter().filter(copied).cloned().collect();
        let named = |own: &TableName| tables.contains(own) && !excepted.contains(own);
        let named: Vec<TableName> = own.into_iter().filter(named).collect();
        if !named.is_empty() {
            self.schema_error(SchemaError::ToolTables {
                span,
                tables: named,
                migrated: self.database(to).migrated,
            });
        }
        copied
    }

    /// The migration tool's own tables, where the environment has one.
    pub(super) fn own_tables(&self) -> Vec<TableName> {
        self.environment
            .migrations
            .as_ref()
            .map_or_else(Vec::new, |tool| tool.own_tables())
    }

    /// What a database holds may have changed: what was loaded from it may be less than it has.
    pub(super) fn source_changed(&mut self, from: &DatabaseName, span: Option<Span>) {
        self.forget_matches(from);
        self.outdate(from, span);
    }

    /// A database can be written to again. What it was seen to have besides others' rows it still has, unless it is in use.
    pub(super) fn opened(&mut self, database: &DatabaseName, span: Option<Span>) {
        if self.possible_user(database).is_some() {
            self.forget_matches(database);
        } else {
            self.state
                .matches
                .retain(|(frozen, _), _| frozen != database);
        }
        self.outdate(database, span);
    }

    fn outdate(&mut self, from: &DatabaseName, span: Option<Span>) {
        let loaded: Vec<_> = self
            .state
            .schemas
            .iter()
            .filter(|(_, state)| state.loads.values().any(|load| load.from == *from))
            .map(|(key, _)| key.clone())
            .collect();
        for (database, schema) in loaded {
            let state = self.schema_mut(&database, &schema);
            for load in state.loads.values_mut() {
                if load.from == *from {
                    load.outdated = load.outdated.or(span);
                }
            }
        }
    }

    /// `sync sequences of … from …`
    pub(crate) fn sync_sequences(&mut self, of: &DatabaseName, from: &DatabaseName, span: Span) {
        self.demand_login(from, span);
        self.demand_login(of, span);
        self.demand_loaded(of, None, span);
        let mut other = None;
        for schema in self.touched(of) {
            let state = self.schema_mut(of, &schema);
            if let Some(load) = state.loads.values().find(|load| load.from != *from) {
                other.get_or_insert((load.from.clone(), load.span));
            } else if !state.loads.is_empty() {
                state.sequences.set(Sequences::InStep, span);
            }
        }
        if let Some((loaded_from, since)) = other {
            self.schema_error(SchemaError::OtherSource {
                span,
                of: of.clone(),
                from: from.clone(),
                loaded_from,
                since,
            });
        }
    }

    /// `validate constraints of`
    pub(crate) fn validate_constraints(
        &mut self,
        database: &DatabaseName,
        schema: &str,
        span: Span,
    ) {
        self.demand_tables(database, schema, span);
        self.schema_mut(database, schema)
            .keys
            .set(Keys::Proven, span);
    }

    /// `analyze`
    pub(crate) fn analyze(&mut self, database: &DatabaseName, span: Span) {
        self.demand_login(database, span);
        self.demand_loaded(database, None, span);
        for schema in self.touched(database) {
            self.schema_mut(database, &schema).unanalyzed = None;
        }
    }

    /// Tables have been seen to hold the same rows.
    pub(super) fn matched(
        &mut self,
        left: &DatabaseName,
        right: &DatabaseName,
        tables: &[TablePair],
        span: Span,
    ) {
        let sides = [(left, right, true), (right, left, false)];
        for (loaded, from, is_left) in sides {
            self.matched_frozen(from, loaded, tables, span);
            let mut seen: BTreeMap<&str, Vec<&TableName>> = BTreeMap::new();
            for pair in tables.iter().filter(|pair| pair.left == pair.right) {
                let table = if is_left { &pair.left } else { &pair.right };
                seen.entry(&table.schema).or_default().push(table);
            }
            let mut compared_open = false;
            for (schema, tables) in seen {
                if self.schema(loaded, schema).loads.is_empty() {
                    continue;
                }
                let open = self.database(from).writes.may_be(Writes::Open);
                for table in tables {
                    if let Some(load) = self.schema_mut(loaded, schema).loads.get_mut(table)
                        && load.from == *from
                    {
                        load.matched = Some(span);
                        compared_open |= open;
                    }
                }
            }
            if compared_open {
                self.schema_error(SchemaError::ComparedOpen {
                    span,
                    from: from.clone(),
                    since: self.database(from).writes.since(),
                });
            }
        }
    }

    /// Whether everything that was written to a database is in another one: all its tables were copied while it was
    /// frozen, they matched afterwards, and it has stayed frozen. `None` where nothing was copied at all.
    pub(crate) fn carried(
        &self,
        from: &DatabaseName,
        to: &DatabaseName,
    ) -> Option<Result<(), NotCarried>> {
        let own: BTreeSet<TableName> = self.own_tables().into_iter().collect();
        let tables = self.tables_with_rows(from);
        let unseen = self.unseen(from, to, tables.as_ref(), &own);
        if unseen == Some(None) {
            return Some(Ok(()));
        }
        let loaded = self.state.schemas.iter().filter(|((of, _), _)| of == to);
        let first = loaded
            .flat_map(|(_, state)| state.loads.values())
            .find(|load| load.from == *from);
        let not = |why: String, since: Option<Span>| {
            Some(Err(NotCarried {
                loaded: first.map(|first| first.span),
                why,
                since,
            }))
        };
        let prove = |table: &TableName| {
            let schema = &table.schema;
            format!("prove it: `assert {from}.{schema} matches {to}.{schema}`")
        };
        if first.is_none() {
            let table = unseen??;
            return not(prove(table), None);
        }
        let Some(tables) = &tables else {
            return not("copy all of its tables".to_owned(), None);
        };
        for table in tables.difference(&own) {
            let state: &SchemaState = self.schema(to, &table.schema);
            let Some(load) = state.loads.get(table).filter(|load| load.from == *from) else {
                return not(format!("copy `{table}`, too"), None);
            };
            if load.outdated.is_some() {
                return not(
                    format!("keep `{from}` frozen from the load on"),
                    load.outdated,
                );
            }
            if load.matched.is_none() {
                return not(prove(table), None);
            }
        }
        Some(Ok(()))
    }

    /// The first table of a frozen database that wasn't seen to be the same in another one since it was frozen; the inner
    /// `None`: all of them were. `None`: nothing was compared.
    #[allow(
        clippy::option_option,
        reason = "nothing was compared; all is the same; this isn't"
    )]
    fn unseen<'t>(
        &self,
        from: &DatabaseName,
        to: &DatabaseName,
        tables: Option<&'t BTreeSet<TableName>>,
        own: &'t BTreeSet<TableName>,
    ) -> Option<Option<&'t TableName>> {
        let seen = self.state.matches.get(&(from.clone(), to.clone()))?;
        let mut needed = tables?.difference(own);
        // What this runbook has emptied and not loaded again can hardly be the same.
        Some(needed.find(|table| {
            !seen.contains_key(*table) || self.schema(to, &table.schema).is_empty(table)
        }))
    }

    /// Tables of a frozen database were seen to be the same in another one: they stay so until either is written to.
    fn matched_frozen(
        &mut self,
        frozen: &DatabaseName,
        other: &DatabaseName,
        tables: &[TablePair],
        span: Span,
    ) {
        if !self.is_frozen(frozen) {
            return;
        }
        let pair = (frozen.clone(), other.clone());
        let seen = self.state.matches.entry(pair).or_default();
        for pair in tables.iter().filter(|pair| pair.left == pair.right) {
            seen.insert(pair.left.clone(), span);
        }
    }

    /// What was seen to be the same in a database and another one may not be so any more.
    pub(crate) fn forget_matches(&mut self, changed: &DatabaseName) {
        self.state
            .matches
            .retain(|(one, other), _| one != changed && other != changed);
    }

    /// Reports a switch that would leave rows behind, though some were copied.
    pub(crate) fn not_carried(
        &mut self,
        from: &DatabaseName,
        to: &DatabaseName,
        not: NotCarried,
        span: Span,
    ) {
        // Said here already.
        if let Some(loaded) = not.loaded {
            self.told.insert(("matched", loaded));
        }
        self.schema_error(SchemaError::NotCarried {
            span,
            from: from.clone(),
            to: to.clone(),
            loaded: not.loaded,
            why: not.why,
            since: not.since,
        });
    }

    /// The tables of a database that rows can be in; partitions are meant with what they are partitions of.
    fn tables_with_rows(&self, database: &DatabaseName) -> Option<BTreeSet<TableName>> {
        let catalog = self.catalogs.get(database)?;
        let tables = catalog.schemas.iter().flat_map(|(schema, objects)| {
            let whole = objects
                .tables
                .iter()
                .filter(|(_, table)| table.partition.is_none());
            whole.map(move |(table, _)| TableName {
                schema: schema.clone(),
                table: table.clone(),
            })
        });
        Some(tables.collect())
    }
}

/// Why what was written to a database may not be in another one.
pub(crate) struct NotCarried {
    /// Where rows were copied, if any were.
    pub(crate) loaded: Option<Span>,
    /// What would prove it.
    pub(crate) why: String,
    /// Where the source could be changed since.
    pub(crate) since: Option<Span>,
}

/// Tables by their schemas.
fn by_schema(tables: &[TableName]) -> BTreeMap<&str, Vec<&TableName>> {
    let mut schemas: BTreeMap<&str, Vec<&TableName>> = BTreeMap::new();
    for table in tables {
        schemas.entry(&table.schema).or_default().push(table);
    }
    schemas
}

/// The materialized views that show rows of these tables; and those of which the lock file doesn't tell, since they read other
/// views.
fn shown_by(catalog: &Catalog, tables: &[&TableName]) -> Vec<String> {
    let views = catalog.schemas.iter().flat_map(|(schema, objects)| {
        let views = objects.views.iter();
        views.map(move |(name, view)| (format!("{schema}.{name}"), view))
    });
    views
        .filter(|(_, view)| view.materialized)
        .filter(|(_, view)| {
            let mut reads = view.reads.iter();
            view.reads.is_empty() || reads.any(|column| tables.contains(&&column.table))
        })
        .map(|(name, _)| name)
        .collect()
}

/// Whether a schema has foreign keys, and whether sequences that tables take values from.
fn needs(catalog: &Catalog, schema: &str) -> (bool, bool) {
    let Some(schema) = catalog.schemas.get(schema) else {
        return (true, true);
    };
    let keys = schema
        .tables
        .values()
        .flat_map(|table| table.constraints.values())
        .any(|constraint| constraint.kind == ConstraintKind::ForeignKey);
    (keys, !schema.sequences.is_empty())
}
