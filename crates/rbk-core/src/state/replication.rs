//! Replications by DMS: what they need, what they leave behind, and from where on their rows are there.

use super::carriage::{Carriage, between, carriage, is_cut, is_made_there, keys};
use super::dms::{LobMode, OnError, Prepare};
use super::replication_error::ReplicationError;
use super::{DmsLoad, Flow, Writes};
use crate::catalog::{Catalog, ColumnName, ConstraintKind, Table};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::plan::{Expr, Operator};
use rbk_syntax::Span;
use std::collections::BTreeSet;

/// Chunks above this can fail the task, in kilobytes. Source: the DMS user guide, *LOB support*.
const SAFE_CHUNK: u64 = 64;

/// How long DMS serverless may take to provide capacity before it loads the first row, in seconds.
const PROVISIONING: u64 = 60 * 60;

/// What is believed of a replication by DMS.
#[derive(Debug, Clone)]
pub(crate) struct Replication {
    pub(crate) from: DatabaseName,
    pub(crate) to: DatabaseName,
    /// The schemas that its tables are in.
    pub(crate) schemas: BTreeSet<String>,
    /// Where it was started.
    pub(crate) span: Span,
    /// Where it was seen to be complete.
    pub(crate) complete: Option<Span>,
}

/// What is wrong with columns of the tables of a load, by what is wrong with them.
#[derive(Default)]
struct Columns {
    /// DMS sends a string, and the target's type takes none.
    refused: Vec<ColumnName>,
    /// DMS doesn't carry their types.
    never: Vec<ColumnName>,
    /// DMS cuts them after six digits.
    cut: Vec<ColumnName>,
    /// Postgres makes their values itself.
    made_there: Vec<ColumnName>,
    /// Large values that come behind their row, where the target wants them at once.
    not_null: Vec<ColumnName>,
    /// Large values in primary keys.
    in_keys: Vec<ColumnName>,
    /// Large values that are cut, or left out.
    short: Vec<ColumnName>,
    /// Tables whose large values find no row.
    without_key: Vec<TableName>,
}

impl Flow<'_> {
    /// `let NAME = replicate … with dms`: as [`Flow::replicate`], and what DMS needs besides. Nothing is loaded for certain before it
    /// is seen to be complete.
    pub(crate) fn replicate_by_dms(&mut self, load: &DmsLoad, span: Span) {
        let tables = self.whole_tables(&load.to, &load.tables);
        let tables = self.copied(&load.to, &tables, &load.excepted, span);
        self.demand_ready(&load.from, &load.to, &tables, span);
        if load.prepare.value == Prepare::Nothing {
            self.demand_all_room(&load.to, &tables, span);
        } else {
            self.demand_prepared(load, &tables, span);
        }
        self.demand_carried(load, &tables, span);
        self.demand_replica_role(load, &tables, span);
        self.demand_careful(load, span);
        self.loaded(&load.from, &load.to, &tables, span);
        let replication = Replication {
            from: load.from.clone(),
            to: load.to.clone(),
            schemas: tables.into_iter().map(|table| table.schema).collect(),
            span,
            complete: None,
        };
        self.state
            .replications
            .insert(load.name.clone(), replication);
    }

    /// Tables, for partitions those that they are partitions of.
    fn whole_tables(&self, database: &DatabaseName, tables: &[TableName]) -> Vec<TableName> {
        let catalog = self.catalogs.get(database);
        let root = |table: &TableName| {
            catalog.map_or_else(|| table.clone(), |catalog| catalog.root_of(table))
        };
        let whole: BTreeSet<TableName> = tables.iter().map(root).collect();
        whole.into_iter().collect()
    }

    /// What DMS does to the target's tables first must leave what the migration has made.
    fn demand_prepared(&mut self, load: &DmsLoad, tables: &[TableName], span: Span) {
        let place = load.prepare.span.unwrap_or(span);
        let drops = load.prepare.value == Prepare::DropAndCreate;
        let referenced = self.catalogs.get(&load.to).and_then(|catalog| {
            tables
                .iter()
                .find(|table| is_referenced(catalog, table))
                .cloned()
        });
        if drops {
            self.schema_error(ReplicationError::Recreates {
                span: place,
                to: load.to.clone(),
                migrated: self.database(&load.to).migrated,
            });
        } else if let Some(table) = referenced {
            self.schema_error(ReplicationError::Truncates { span: place, table });
        } else if !self.approved {
            let full = tables
                .iter()
                .find(|table| !self.schema(&load.to, &table.schema).is_empty(table));
            if let Some(table) = full.cloned() {
                let to = load.to.clone();
                self.schema_error(ReplicationError::TruncatesUnasked {
                    span,
                    place,
                    to,
                    table,
                });
            }
        }
    }

    /// Each column must travel, and be taken as it comes.
    fn demand_carried(&mut self, load: &DmsLoad, tables: &[TableName], span: Span) {
        let Some(found) = self.columns_of(load, tables) else {
            return;
        };
        let (from, to) = (&load.from, &load.to);
        let lob = load.lob.span.unwrap_or(span);
        let mut errors = Vec::new();
        if let Some(first) = found.refused.first() {
            let indexes = self.standing_on(to, &found.refused);
            errors.push(ReplicationError::Refused {
                span,
                ty: self.shown_type(to, first),
                since: self.retyped_at(to, first),
                on: self.all_of(to, &first.table.schema, found.refused.clone()),
                drop_first: indexes,
                columns: found.refused,
            });
        }
        if let Some(first) = found.never.first() {
            errors.push(ReplicationError::NotCarried {
                span,
                from: from.clone(),
                to: to.clone(),
                ty: self.shown_type(from, first),
                columns: found.never,
            });
        }
        if !found.made_there.is_empty() {
            errors.push(ReplicationError::MadeThere {
                span,
                from: from.clone(),
                to: to.clone(),
                columns: found.made_there,
            });
        }
        if !found.cut.is_empty() {
            errors.push(ReplicationError::Rounded {
                span,
                columns: found.cut,
            });
        }
        if !found.in_keys.is_empty() {
            errors.push(ReplicationError::LargeKey {
                span,
                from: from.clone(),
                to: to.clone(),
                columns: found.in_keys,
            });
        }
        if !found.without_key.is_empty() {
            errors.push(ReplicationError::NoKey {
                span,
                from: from.clone(),
                to: to.clone(),
                tables: found.without_key,
            });
        }
        if let Some(first) = found.not_null.first() {
            let on = match found.not_null.as_slice() {
                [column] => format!("{to}.{column}"),
                _ => format!("{to}.{}", first.table.schema),
            };
            errors.push(ReplicationError::LargeNotNull {
                span,
                on,
                columns: found.not_null,
            });
        }
        match load.lob.value {
            LobMode::Limited { max: size } if !found.short.is_empty() => {
                errors.push(ReplicationError::Shortened {
                    span: lob,
                    size,
                    columns: found.short,
                });
            }
            LobMode::Without if !found.short.is_empty() => {
                errors.push(ReplicationError::LeftOut {
                    span: lob,
                    columns: found.short,
                });
            }
            LobMode::Limited { .. } | LobMode::Without | LobMode::Full { .. } => {}
        }
        for error in errors {
            self.schema_error(error);
        }
    }

    /// What is wrong with which columns. `None`: the lock file doesn't say.
    fn columns_of(&self, load: &DmsLoad, tables: &[TableName]) -> Option<Columns> {
        let (here, there) = (self.catalogs.get(&load.from)?, self.catalogs.get(&load.to)?);
        let own = self.own_tables();
        let mut found = Columns::default();
        for name in tables.iter().filter(|name| !own.contains(name)) {
            let state = self.schema(&load.to, &name.schema);
            let (Some(source), Some(target)) = (here.table(name), there.table(name)) else {
                continue;
            };
            let mut large = Vec::new();
            let mut arrays = false;
            for column in &source.columns {
                let Some(taken) = target.column(&column.name) else {
                    continue;
                };
                let name = ColumnName {
                    table: name.clone(),
                    column: column.name.clone(),
                };
                if is_made_there(taken) {
                    found.made_there.push(name);
                    continue;
                }
                let comes = self.type_now(&load.from, &name)?;
                let goes = self.type_now(&load.to, &name)?;
                match between(&comes, &goes, (here, there)) {
                    Carriage::Never => found.never.push(name),
                    Carriage::AsString if carriage(&goes, there) == Carriage::AsString => {
                        // The runbook's own SQL may have made another type of it.
                        if state.unchecked.is_none() {
                            found.refused.push(name);
                        }
                    }
                    Carriage::AsString => {}
                    Carriage::Plain if is_cut(&comes) => found.cut.push(name),
                    Carriage::Plain => {}
                    Carriage::Large => {
                        arrays |= comes.ends_with("[]");
                        let relaxed = state.nullable.get(&name).is_some_and(|now| now.certain);
                        let wanted = taken.not_null && !relaxed && state.unchecked.is_none();
                        large.push((name, wanted));
                    }
                }
            }
            let keyed = self.is_keyed(load, name, (source, target), &large);
            let in_key =
                |(column, _): &(ColumnName, bool)| target.primary_key().contains(&column.column);
            match load.lob.value {
                LobMode::Full { .. } if large.iter().any(in_key) => {
                    let columns = large.into_iter().filter(in_key);
                    found.in_keys.extend(columns.map(|(column, _)| column));
                }
                LobMode::Full { .. } if !large.is_empty() && !keyed => {
                    found.without_key.push(name.clone());
                }
                LobMode::Full { .. } => {
                    let columns = large.into_iter().filter(|(_, wanted)| *wanted);
                    found.not_null.extend(columns.map(|(column, _)| column));
                }
                LobMode::Limited { .. } | LobMode::Without => {
                    if arrays && source.primary_key().is_empty() {
                        found.without_key.push(name.clone());
                    }
                    found
                        .short
                        .extend(large.into_iter().map(|(column, _)| column));
                }
            }
        }
        Some(found)
    }

    /// Whether both sides can tell a row by the same columns, none of them large or NULL.
    fn is_keyed(
        &self,
        load: &DmsLoad,
        name: &TableName,
        (source, target): (&Table, &Table),
        large: &[(ColumnName, bool)],
    ) -> bool {
        let state = self.schema(&load.to, &name.schema);
        let there = keys(target);
        keys(source).iter().any(|key| {
            there.contains(key)
                && key.iter().all(|column| {
                    let never_null =
                        |table: &Table| table.column(column).is_some_and(|column| column.not_null);
                    let is_large = large.iter().any(|(large, _)| large.column == *column);
                    let named = ColumnName {
                        table: name.clone(),
                        column: column.clone(),
                    };
                    never_null(source)
                        && never_null(target)
                        && !is_large
                        && !state.nullable.contains_key(&named)
                })
        })
    }

    /// A column's type as it is believed to be now.
    fn type_now(&self, database: &DatabaseName, column: &ColumnName) -> Option<String> {
        let state = self.schema(database, &column.table.schema);
        if let Some(departure) = state.columns.get(column) {
            return Some(departure.to.clone());
        }
        let facts = self.catalogs.get(database)?.column(column)?;
        Some(facts.ty.clone())
    }

    fn shown_type(&self, database: &DatabaseName, column: &ColumnName) -> String {
        let ty = self.type_now(database, column).unwrap_or_default();
        super::reshape::bare(&ty).to_owned()
    }

    /// Where this runbook has brought back a schema's own types.
    fn retyped_at(&self, database: &DatabaseName, column: &ColumnName) -> Option<Span> {
        let state = self.schema(database, &column.table.schema);
        state.origin.since()
    }

    /// Whether indexes stand on columns that would stand in the way of another type.
    fn standing_on(&self, database: &DatabaseName, columns: &[ColumnName]) -> bool {
        columns.iter().any(|column| {
            let state = self.schema(database, &column.table.schema);
            self.table(database, &column.table).is_some_and(|table| {
                super::reshape::droppable(table).any(|(name, index)| {
                    index.columns.contains(&column.column) && !state.indexes.contains_key(name)
                })
            })
        })
    }

    /// Tables are loaded in any order: a foreign key would fail where its row comes before what it refers to.
    fn demand_replica_role(&mut self, load: &DmsLoad, tables: &[TableName], span: Span) {
        if sets_replica_role(&load.after_connect.value) {
            return;
        }
        let Some(catalog) = self.catalogs.get(&load.to) else {
            return;
        };
        let keys = tables.iter().filter_map(|name| {
            let table = catalog.table(name)?;
            table.constraints.iter().find_map(|(key, constraint)| {
                let refers = constraint.references.as_ref()?;
                let is_key = constraint.kind == ConstraintKind::ForeignKey;
                (is_key && tables.contains(&refers.table)).then(|| key.clone())
            })
        });
        let keys: Vec<String> = keys.collect();
        if !keys.is_empty() {
            self.schema_error(ReplicationError::KeysInTheWay {
                span: load.after_connect.span.unwrap_or(span),
                said: load.after_connect.span.is_some(),
                keys,
            });
        }
    }

    /// What DMS may be told, and what costs.
    fn demand_careful(&mut self, load: &DmsLoad, span: Span) {
        if let LobMode::Full { chunk } = load.lob.value
            && chunk > SAFE_CHUNK
        {
            self.schema_error(ReplicationError::BigChunk {
                span: load.lob.span.unwrap_or(span),
                chunk,
            });
        }
        let place = load.on_error.span.unwrap_or(span);
        match load.on_error.value {
            OnError::Stop => {}
            OnError::SuspendTable => self.schema_error(ReplicationError::GoesOn {
                span: place,
                what: "a table with a bad row is left half loaded, and the load goes on",
            }),
            OnError::SkipRow => self.schema_error(ReplicationError::GoesOn {
                span: place,
                what: "rows that can't be written are left out, and the load goes on",
            }),
        }
    }

    /// What is known once a condition was awaited, for at most so many seconds.
    pub(crate) fn narrow_by_waiting(&mut self, condition: &Expr, within: u64, span: Span) {
        self.demand_time(condition, within, span);
        self.waiting = true;
        self.narrow(condition, span);
        self.waiting = false;
    }

    /// DMS needs the better part of an hour before it loads the first row.
    fn demand_time(&mut self, condition: &Expr, within: u64, span: Span) {
        match condition {
            Expr::Complete { replication } => {
                let Some(started) = self.state.replications.get(replication) else {
                    return;
                };
                if within < PROVISIONING && started.complete.is_none() {
                    let error = ReplicationError::TooSoon {
                        span,
                        name: replication.clone(),
                        since: started.span,
                        from: started.from.clone(),
                        to: started.to.clone(),
                    };
                    self.schema_error(error);
                }
            }
            Expr::Binary {
                operator: Operator::And,
                left,
                right,
            } => {
                self.demand_time(left, within, span);
                self.demand_time(right, within, span);
            }
            _ => {}
        }
    }

    /// Nothing is complete a moment after it was started: only waiting for it is of use.
    pub(super) fn demand_awaited(&mut self, name: &str, span: Span) {
        let Some(replication) = self.state.replications.get(name) else {
            return;
        };
        if !self.waiting && replication.complete.is_none() {
            let error = ReplicationError::Asserted {
                span,
                name: name.to_owned(),
                since: replication.span,
            };
            self.schema_error(error);
        }
    }

    /// A replication has been waited for until it was complete. One `with copy` is complete when its statement is done.
    pub(super) fn completed(&mut self, name: &str, span: Span) {
        let waiting = self.waiting;
        let running = self.state.replications.get_mut(name);
        let Some(replication) = running.filter(|_| waiting) else {
            return;
        };
        match replication.complete {
            None => replication.complete = Some(span),
            Some(since) => self.schema_error(ReplicationError::AwaitedTwice {
                span,
                name: name.to_owned(),
                since,
            }),
        }
    }

    /// Demands that the rows of a database's schema, or of all of its schemas, are there. Said once of each load.
    pub(super) fn demand_loaded(
        &mut self,
        database: &DatabaseName,
        schema: Option<&str>,
        span: Span,
    ) {
        let running = self.state.replications.iter().find(|(_, running)| {
            running.complete.is_none()
                && running.to == *database
                && schema.is_none_or(|schema| running.schemas.contains(schema))
        });
        let Some((name, running)) = running else {
            return;
        };
        let (name, since) = (name.clone(), running.span);
        if self.told.insert((self.loading(), since)) {
            self.schema_error(ReplicationError::StillLoading {
                span,
                database: database.clone(),
                name: name.clone(),
                since,
                in_failure: self.in_failure,
            });
            self.tell_awaited(&name);
        }
    }

    /// Says of the last diagnostic on which way of an `if` a replication was awaited.
    fn tell_awaited(&mut self, name: &str) {
        let parted = self.parted_in(|state| {
            let complete = state
                .replications
                .get(name)
                .and_then(|running| running.complete);
            (complete.is_some(), complete)
        });
        self.tell_parted(parted, "awaited");
    }

    /// Demands that nothing is being copied from a database. What is stopped in `on failure` isn't finished anyway.
    pub(crate) fn demand_not_copied(&mut self, database: &DatabaseName, span: Span) {
        let running = self
            .state
            .replications
            .iter()
            .find(|(_, running)| running.complete.is_none() && running.from == *database);
        let Some((name, running)) = running.filter(|_| !self.in_failure) else {
            return;
        };
        let (name, since) = (name.clone(), running.span);
        if self.told.insert((self.loading(), since)) {
            self.schema_error(ReplicationError::StillCopied {
                span,
                database: database.clone(),
                name: name.clone(),
                since,
            });
            self.tell_awaited(&name);
        }
    }

    fn loading(&self) -> &'static str {
        if self.in_failure {
            "loading on failure"
        } else {
            "loading"
        }
    }

    /// Replications that were started and that nobody has awaited.
    pub(super) fn all_awaited(&mut self) {
        let left = self.state.replications.iter();
        let left = left.filter(|(_, running)| running.complete.is_none());
        let left: Vec<_> = left
            .map(|(name, running)| (name.clone(), running.span))
            .collect();
        for (name, span) in left {
            if self.told.insert(("loading", span)) {
                let told = name.clone();
                self.schema_error(ReplicationError::NeverAwaited { span, name });
                self.tell_awaited(&told);
            }
        }
    }

    /// Whether writes on a database are certainly stopped.
    pub(super) fn is_frozen(&self, database: &DatabaseName) -> bool {
        self.database(database).writes.is(Writes::Frozen)
    }
}

/// Whether a table is referred to by a foreign key: Postgres then refuses to empty it by itself.
fn is_referenced(catalog: &Catalog, table: &TableName) -> bool {
    let tables = catalog
        .schemas
        .values()
        .flat_map(|schema| schema.tables.values());
    let mut keys = tables.flat_map(|table| table.constraints.values());
    keys.any(|key| {
        key.references
            .as_ref()
            .is_some_and(|refers| refers.table == *table)
    })
}

/// Whether SQL sets the session's replication role to `replica`.
fn sets_replica_role(sql: &str) -> bool {
    let plain: String = sql
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '"'))
        .collect();
    ["=", "to"].iter().any(|sign| {
        ["set", "setsession"]
            .iter()
            .any(|set| plain.contains(&format!("{set}session_replication_role{sign}replica")))
    })
}

#[cfg(test)]
mod tests {
    use super::sets_replica_role;

    #[test]
    fn the_replica_role_is_known_however_it_is_said() {
        for sql in [
            "SET session_replication_role = 'replica'",
            "set session session_replication_role to replica;",
            "SET lock_timeout = 0; SET session_replication_role='replica'",
        ] {
            assert!(sets_replica_role(sql), "{sql}");
        }
        for sql in [
            "",
            "SET session_replication_role = 'origin'",
            "SET LOCAL session_replication_role = 'replica'",
            "RESET session_replication_role",
        ] {
            assert!(!sets_replica_role(sql), "{sql}");
        }
    }
}
