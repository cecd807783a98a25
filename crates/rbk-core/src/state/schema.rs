//! What is believed of a database's schema: its origin, its rows, and what differs from the lock file for now.

use super::{Bit, Facet};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::DatabaseName;
use rbk_syntax::Span;
use std::collections::BTreeMap;

/// What is believed of one schema of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaState {
    /// Where its objects come from.
    pub(crate) origin: Facet<Origin>,
    /// Where it was recreated.
    pub(crate) recreated: Option<Span>,
    /// Whether its tables hold rows besides those that this runbook loaded.
    pub(crate) rows: Facet<Rows>,
    /// Tables that were counted and had no rows.
    pub(crate) empty: BTreeMap<TableName, Span>,
    /// Columns whose type isn't the lock file's now.
    pub(crate) columns: BTreeMap<ColumnName, Departure<String>>,
    /// Indexes of the lock file that are dropped now.
    pub(crate) indexes: BTreeMap<String, Departure<()>>,
    /// Indexes that this runbook has made again, and where.
    pub(crate) remade: BTreeMap<String, Span>,
    /// Columns that may hold NULL now, though the lock file says otherwise.
    pub(crate) nullable: BTreeMap<ColumnName, Departure<()>>,
    /// Tables that this runbook loaded.
    pub(crate) loads: BTreeMap<TableName, Load>,
    /// Whether its foreign keys hold for its rows.
    pub(crate) keys: Facet<Keys>,
    /// Whether its sequences are past its rows.
    pub(crate) sequences: Facet<Sequences>,
    /// Since when the planner's statistics aren't those of its rows.
    pub(crate) unanalyzed: Option<Span>,
    /// Materialized views that don't show the rows that were loaded, and where these were.
    pub(crate) stale: Option<(Vec<String>, Span)>,
    /// Where the runbook's own SQL may have changed its objects, until `no drift` is proven: what is believed of them may
    /// not be so any more.
    pub(crate) unchecked: Option<Span>,
    /// Where the migration tool or the runbook's own SQL has made or changed its objects, until `no drift` is proven.
    pub(crate) unproven: Option<Unproven>,
    /// Another number at each change, no two alike in one pass.
    pub(super) version: u64,
    /// The version that was joined last: a runbook's statements are many, and few of them change a schema.
    pub(super) joined: Option<u64>,
}

/// Something that only `no drift` can prove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unproven {
    pub(crate) since: Span,
    /// Whether the migration tool has done it.
    pub(crate) migrated: bool,
}

/// Something that isn't as the lock file says.
#[derive(Debug, Clone)]
pub(crate) struct Departure<T> {
    /// How it is instead.
    pub(crate) to: T,
    /// Where it became so.
    pub(crate) since: Span,
    /// Whether it is so on every way that leads here.
    pub(crate) certain: bool,
}

/// Rows that came from another database.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Where they came from.
    pub(crate) from: DatabaseName,
    /// Where they were loaded.
    pub(crate) span: Span,
    /// Where they were last seen to equal what they came from.
    pub(crate) matched: Option<Span>,
    /// Where what they came from could be changed since.
    pub(crate) outdated: Option<Span>,
}

/// What of a schema the two ways of an `if` leave different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlike {
    /// All of it: one way has recreated or migrated it.
    Tables,
    /// Types of columns.
    Types,
    Indexes,
    /// NOT NULLs.
    Nulls,
}

impl Unlike {
    /// As what is told of what a runbook leaves behind is called.
    pub(super) fn told(self) -> &'static str {
        match self {
            Unlike::Tables => "tables",
            Unlike::Types => "types",
            Unlike::Indexes => "indexes",
            Unlike::Nulls => "nulls",
        }
    }
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

/// Whether a schema's tables hold rows that this runbook didn't load.
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
    /// Whether there may be no tables, and nothing but this runbook's statements has been at it.
    pub(crate) fn has_no_tables(&self) -> bool {
        self.unchecked.is_none() && self.origin.may_be(Origin::Recreated)
    }

    /// Whether a table certainly holds no row.
    pub(crate) fn is_empty(&self, table: &TableName) -> bool {
        !self.loads.contains_key(table)
            && (self.rows.is(Rows::None) || self.empty.contains_key(table))
    }

    /// It has been changed: `version` must be new.
    pub(super) fn touch(&mut self, version: u64) {
        self.version = version;
        self.joined = None;
    }

    /// Either state: what holds in both.
    pub(super) fn join(&mut self, other: &SchemaState) {
        let same = self.version == other.version && self.joined.is_none();
        if other.joined.is_none() && (same || self.joined == Some(other.version)) {
            return;
        }
        self.origin.join(other.origin);
        self.recreated = self.recreated.or(other.recreated);
        self.rows.join(other.rows);
        self.keys.join(other.keys);
        self.sequences.join(other.sequences);
        self.empty
            .retain(|table, _| other.empty.contains_key(table));
        self.remade
            .retain(|index, _| other.remade.contains_key(index));
        join_departures(&mut self.columns, &other.columns);
        join_departures(&mut self.indexes, &other.indexes);
        join_departures(&mut self.nullable, &other.nullable);
        self.join_loads(&other.loads);
        self.unanalyzed = self.unanalyzed.or(other.unanalyzed);
        if self.stale.is_none() {
            self.stale.clone_from(&other.stale);
        }
        self.unchecked = self.unchecked.or(other.unchecked);
        self.unproven = self.unproven.or(other.unproven);
        self.joined = Some(other.version);
    }

    /// What of its objects isn't as in another state, and where it was changed.
    pub(super) fn unlike(&self, other: &SchemaState) -> Vec<(Unlike, Span)> {
        // Tables that were made anew are as the lock file says once that is proven.
        let is_proven = |state: &SchemaState| !state.has_no_tables() && state.unproven.is_none();
        let is_alike = self.origin.same(other.origin) || is_proven(self) && is_proven(other);
        if !is_alike {
            let since = self.recreated.or(other.recreated);
            return since
                .map(|since| (Unlike::Tables, since))
                .into_iter()
                .collect();
        }
        let types = differing(&self.columns, &other.columns);
        let indexes = differing(&self.indexes, &other.indexes);
        let nulls = differing(&self.nullable, &other.nullable);
        let types = types.into_iter().map(|since| (Unlike::Types, since));
        let indexes = indexes.into_iter().map(|since| (Unlike::Indexes, since));
        let nulls = nulls.into_iter().map(|since| (Unlike::Nulls, since));
        types.chain(indexes).chain(nulls).collect()
    }

    /// What only one way has loaded hasn't been matched on the other.
    fn join_loads(&mut self, others: &BTreeMap<TableName, Load>) {
        for (table, mine) in &mut self.loads {
            let theirs = others.get(table).filter(|theirs| theirs.from == mine.from);
            mine.matched = mine.matched.and(theirs.and_then(|theirs| theirs.matched));
            mine.outdated = mine.outdated.or(theirs.and_then(|theirs| theirs.outdated));
        }
        for (table, theirs) in others {
            if !self.loads.contains_key(table) {
                let load = Load {
                    matched: None,
                    ..theirs.clone()
                };
                self.loads.insert(table.clone(), load);
            }
        }
    }
}

/// Where what isn't the same on both ways was changed.
fn differing<K: Ord, T: PartialEq>(
    mine: &BTreeMap<K, Departure<T>>,
    others: &BTreeMap<K, Departure<T>>,
) -> Vec<Span> {
    let missing = |one: &BTreeMap<K, Departure<T>>, other: &BTreeMap<K, Departure<T>>| {
        let unlike = one.iter().filter(|(key, departure)| {
            other
                .get(key)
                .is_none_or(|theirs| theirs.to != departure.to)
        });
        unlike
            .map(|(_, departure)| departure.since)
            .collect::<Vec<_>>()
    };
    let mut spans = missing(mine, others);
    spans.extend(missing(others, mine));
    spans.sort();
    spans.dedup();
    spans
}

/// What only one way has changed may be so or not.
fn join_departures<K: Ord + Clone, T: Clone>(
    mine: &mut BTreeMap<K, Departure<T>>,
    others: &BTreeMap<K, Departure<T>>,
) {
    for (key, departure) in mine.iter_mut() {
        departure.certain &= others.get(key).is_some_and(|theirs| theirs.certain);
    }
    for (key, theirs) in others {
        if !mine.contains_key(key) {
            let departure = Departure {
                certain: false,
                ..theirs.clone()
            };
            mine.insert(key.clone(), departure);
        }
    }
}
