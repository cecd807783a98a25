//! What is in a database of the world in memory: a catalog, rows, sequences, markers, and the migration tool's tables.

use super::world::error;
use crate::catalog::{Catalog, Column, Index, Schema, Sequence, Table};
use crate::environment::TableName;
use crate::plan::{Change, CopiedTable, ForeignKeyFacts, IndexFacts, SequenceFacts, TablePair};
use crate::ports::{
    ChangeSets, LongTransaction, Marker, MigrationLock, Orphans, PortError, PortErrorKind, Sent,
    SequenceState, TableDigest,
};
use std::collections::{BTreeMap, BTreeSet};

/// A marker's key.
type Key = (String, String, Option<String>);

#[derive(Default)]
pub struct Db {
    pub catalog: Catalog,
    pub rows: BTreeMap<TableName, Vec<String>>,
    /// The next values; the furthest ones are the numbers of rows.
    pub sequences: BTreeMap<String, i64>,
    pub markers: BTreeSet<Key>,
    /// A transaction of a process that is gone, until it is committed, in virtual milliseconds.
    pub open: Option<(u64, Key, Change)>,
    /// Somebody else holds a lock on every table until then.
    pub locked_until: u64,
    pub dependents: Vec<String>,
    pub orphans: BTreeMap<String, Orphans>,
    pub migration_lock: Option<MigrationLock>,
    pub change_sets: Vec<String>,
    pub long: Vec<LongTransaction>,
}

fn key(marker: &Marker) -> Key {
    let Marker {
        run, action, part, ..
    } = marker;
    (run.to_string(), action.to_string(), part.clone())
}

impl Db {
    /// What happens by itself.
    pub fn settle(&mut self, now: u64) -> Option<&'static str> {
        let (_, key, change) = self.open.take_if(|(until, ..)| now >= *until)?;
        self.markers.insert(key);
        Some(self.apply(&change))
    }

    pub fn has_marker(&self, marker: &Marker) -> Result<bool, PortError> {
        match &self.open {
            Some((_, open, _)) if *open == key(marker) => Err(PortError::new(
                PortErrorKind::InvalidState,
                "looking for a marker",
                "pid 4711 has it open since 09:14:00",
            )),
            _ => Ok(self.markers.contains(&key(marker))),
        }
    }

    /// Commits a change, unless its marker is there or somebody stands in the way. Says what it did.
    pub fn change(
        &mut self,
        now: u64,
        change: &Change,
        marker: &Marker,
    ) -> Result<&'static str, PortError> {
        let waits = self.open.is_some() || now < self.locked_until;
        if waits {
            return Err(PortError::new(
                PortErrorKind::InvalidState,
                "changing",
                "pid 4711 (`report`, psql) holds it since 09:14:00",
            ));
        }
        if !self.markers.insert(key(marker)) {
            return Err(error(PortErrorKind::AlreadySo, "changing"));
        }
        Ok(self.apply(change))
    }

    /// Begins a change and loses whoever wanted it.
    pub fn change_late(&mut self, until: u64, change: &Change, marker: &Marker) -> PortError {
        self.open = Some((until, key(marker), change.clone()));
        let mut lost = error(PortErrorKind::Unreachable, "changing");
        lost.sent = Sent::Maybe;
        lost
    }

    fn apply(&mut self, change: &Change) -> &'static str {
        match change {
            Change::RecreateSchema { schema } => {
                self.catalog.schemas.get_mut(schema).unwrap().tables.clear();
                self.catalog.schemas.get_mut(schema).unwrap().sequences = BTreeMap::new();
                self.rows.retain(|table, _| table.schema != *schema);
                self.sequences.clear();
                self.change_sets.clear();
                "recreate"
            }
            Change::DropIndexes { indexes } => {
                for index in indexes {
                    let table = self.table(&index.table);
                    assert!(table.indexes.remove(&index.name).is_some(), "no such index");
                }
                "drop indexes"
            }
            Change::CreateIndexes { indexes } => {
                for index in indexes {
                    let made = super::repair::index(&index.definition);
                    let before = self.table(&index.table);
                    let before = before.indexes.insert(index.name.clone(), made);
                    assert!(before.is_none(), "there is such an index");
                }
                "create indexes"
            }
            Change::AlterColumns { columns } => {
                for change in columns {
                    let name = &change.column;
                    let mut columns = self.table(&name.table).columns.iter_mut();
                    let column: &mut Column =
                        columns.find(|column| column.name == name.column).unwrap();
                    assert_eq!(column.ty, change.from);
                    column.ty.clone_from(&change.to);
                }
                "alter columns"
            }
            Change::Unchecked => "",
            other => panic!("this world has no {other:?}"),
        }
    }

    fn table(&mut self, name: &TableName) -> &mut Table {
        let schema: &mut Schema = self.catalog.schemas.get_mut(&name.schema).unwrap();
        schema.tables.get_mut(&name.table).unwrap()
    }

    pub fn indexes(&self, wanted: &[IndexFacts]) -> Vec<Option<String>> {
        let found = wanted.iter().map(|wanted| {
            let table = self.catalog.table(&wanted.table)?;
            let index: &Index = table.indexes.get(&wanted.name)?;
            Some(index.definition.clone())
        });
        found.collect()
    }

    pub fn orphans(&self, key: &ForeignKeyFacts) -> Orphans {
        self.orphans.get(&key.name).cloned().unwrap_or_default()
    }

    pub fn sequence_states(&self, wanted: &[SequenceFacts]) -> Vec<SequenceState> {
        let states = wanted.iter().map(|sequence| {
            let owner = sequence.owner.as_ref().unwrap();
            let rows = self.rows.get(&owner.table).map_or(0, Vec::len);
            SequenceState {
                next: self.sequences[&sequence.name],
                furthest: i64::try_from(rows).ok().filter(|rows| *rows > 0),
            }
        });
        states.collect()
    }

    pub fn set_sequences(&mut self, next: &[(SequenceFacts, i64)]) {
        for (sequence, next) in next {
            self.sequences.insert(sequence.name.clone(), *next);
        }
    }

    pub fn digest(&self, table: &TableName, columns: &[String]) -> Option<TableDigest> {
        let found = self.catalog.table(table)?;
        let has = |column: &String| found.column(column).is_some();
        if !columns.iter().all(has) {
            return None;
        }
        let mut rows = self.rows.get(table).cloned().unwrap_or_default();
        rows.sort();
        Some(TableDigest {
            rows: rows.len() as u64,
            checksum: rows.join("|"),
        })
    }

    /// Takes a table's rows over, unless its marker is there.
    pub fn take_over(&mut self, table: &CopiedTable, rows: Vec<String>, marker: &Marker) -> bool {
        let marker = Marker {
            part: Some(table.table.to_string()),
            ..marker.clone()
        };
        if !self.markers.insert(key(&marker)) {
            return false;
        }
        self.rows
            .entry(table.table.clone())
            .or_default()
            .extend(rows);
        true
    }

    pub fn pair(&self, other: &Db, pair: &TablePair) -> [Option<TableDigest>; 2] {
        [
            self.digest(&pair.left, &pair.columns),
            other.digest(&pair.right, &pair.columns),
        ]
    }

    pub fn applied(&self) -> ChangeSets {
        ChangeSets {
            count: self.change_sets.len() as u64,
            last: self.change_sets.last().cloned(),
        }
    }

    /// Applies one change set: it makes a table of the lock file, and its sequence.
    pub fn apply_change_set(&mut self, id: &str, table: &str, lock: &Catalog) {
        let schema = self.catalog.schemas.get_mut("public").unwrap();
        let made = lock.schemas["public"].tables[table].clone();
        assert!(schema.tables.insert(table.to_owned(), made).is_none());
        let name = format!("{table}_id_seq");
        let sequence: Option<&Sequence> = lock.schemas["public"].sequences.get(&name);
        if let Some(sequence) = sequence {
            schema.sequences.insert(name.clone(), sequence.clone());
            self.sequences.insert(name, 1);
        }
        self.change_sets.push(id.to_owned());
    }
}
