//! What a run leaves of a database's schemas, as far as its journal tells: so that nobody takes half a repair for a whole one.

use super::situation::Got;
use crate::catalog::ColumnName;
use crate::ids::DatabaseName;
use crate::listing::first_few;
use crate::plan::{Action, Change, PlannedAction, PlannedReplication};
use std::collections::{BTreeMap, BTreeSet};

/// How many things of one kind are named.
const NAMED: usize = 4;

/// How far something came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Came {
    #[default]
    Nowhere,
    /// Begun: some of it may be there.
    Partly,
    Done,
}

/// What a run made of one schema.
#[derive(Default)]
struct Tale {
    recreated: Came,
    migrated: Came,
    loaded: Came,
    source: Option<DatabaseName>,
    /// Indexes that are dropped for now, and how they are made.
    dropped: BTreeMap<String, String>,
    /// Columns whose type is another one for now: what it was, and what it is.
    altered: BTreeMap<ColumnName, (String, String)>,
    /// Columns that may hold NULL for now.
    nullable: BTreeSet<ColumnName>,
    sequences_moved: bool,
    keys_proven: bool,
    /// What may have happened.
    doubts: Vec<String>,
}

/// What a run made of the schemas of one database.
pub(super) struct Schemas {
    tales: BTreeMap<String, Tale>,
    /// The migration tool ran where no schema was recreated before.
    migrated: Came,
}

impl Schemas {
    /// Folds the actions that were begun, in their order; `attempted` says whether a call was sent for one.
    pub fn of<'p>(
        database: &DatabaseName,
        replications: &BTreeMap<String, PlannedReplication>,
        begun: impl Iterator<Item = (&'p PlannedAction, Got, bool)>,
    ) -> Self {
        let mut schemas = Self {
            tales: BTreeMap::new(),
            migrated: Came::Nowhere,
        };
        for (planned, got, attempted) in begun {
            let came = match got {
                Got::Done => Came::Done,
                _ if attempted => Came::Partly,
                _ => Came::Nowhere,
            };
            match &planned.action {
                // Whatever became of the load itself: before it is proven, nobody knows which rows are there.
                Action::StartReplication { replication } if came != Came::Nowhere => {
                    schemas.loaded(database, replications.get(replication), Came::Partly);
                }
                Action::ProveReplication { replication } if came == Came::Done => {
                    schemas.loaded(database, replications.get(replication), Came::Done);
                }
                action => {
                    schemas.take_in(database, action, came, matches!(got, Got::InFlight));
                }
            }
        }
        schemas
    }

    fn take_in(&mut self, name: &DatabaseName, action: &Action, came: Came, is_in_flight: bool) {
        match action {
            Action::ChangeSchema {
                database, change, ..
            } if database == name => match came {
                Came::Done => self.changed(change),
                Came::Partly if is_in_flight => self.doubted(change),
                _ => {}
            },
            Action::Migrate { database, .. } if database == name => {
                let mut is_of_one = false;
                for tale in self.tales.values_mut() {
                    if tale.recreated != Came::Nowhere {
                        tale.migrated = came;
                        is_of_one = true;
                    }
                }
                if !is_of_one {
                    self.migrated = came;
                }
            }
            Action::Copy {
                from, to, tables, ..
            } if to == name => {
                for copied in tables {
                    let tale = self.tale(&copied.table.schema);
                    tale.loaded = came;
                    tale.source = Some(from.clone());
                }
            }
            Action::SyncSequences { to, sequences, .. } if to == name => {
                for sequence in sequences {
                    self.tale(&sequence.schema).sequences_moved = came == Came::Done;
                }
            }
            Action::ProveForeignKeys { database, keys } if database == name => {
                for key in keys {
                    self.tale(&key.table.schema).keys_proven = came == Came::Done;
                }
            }
            _ => {}
        }
    }

    /// A replication, if its rows go to this database, came so far.
    fn loaded(&mut self, name: &DatabaseName, planned: Option<&PlannedReplication>, came: Came) {
        let Some(planned) = planned.filter(|planned| planned.to == *name) else {
            return;
        };
        for table in &planned.tables {
            let tale = self.tale(&table.schema);
            tale.loaded = came;
            tale.source = Some(planned.from.clone());
        }
    }

    fn tale(&mut self, schema: &str) -> &mut Tale {
        self.tales.entry(schema.to_owned()).or_default()
    }

    fn changed(&mut self, change: &Change) {
        match change {
            Change::RecreateSchema { schema } => {
                let fresh = Tale {
                    recreated: Came::Done,
                    ..Tale::default()
                };
                self.tales.insert(schema.clone(), fresh);
            }
            Change::DropIndexes { indexes } => {
                for index in indexes {
                    let dropped = &mut self.tale(&index.table.schema).dropped;
                    dropped.insert(index.name.clone(), index.definition.clone());
                }
            }
            Change::CreateIndexes { indexes } => {
                for index in indexes {
                    self.tale(&index.table.schema).dropped.remove(&index.name);
                }
            }
            Change::AlterColumns { columns } => {
                for it in columns {
                    let altered = &mut self.tale(&it.column.table.schema).altered;
                    let before = altered.remove(&it.column);
                    let before = before.map_or(it.from.clone(), |(before, _)| before);
                    if before != it.to {
                        altered.insert(it.column.clone(), (before, it.to.clone()));
                    }
                }
            }
            Change::RelaxNotNull { columns } => {
                for column in columns {
                    let tale = self.tale(&column.table.schema);
                    tale.nullable.insert(column.clone());
                }
            }
            Change::RestoreNotNull { columns } => {
                for column in columns {
                    self.tale(&column.table.schema).nullable.remove(column);
                }
            }
            _ => {}
        }
    }

    /// A change that was sent, and of which nothing is known yet.
    fn doubted(&mut self, change: &Change) {
        let (schema, doubt) = match change {
            Change::RecreateSchema { schema } => {
                self.tale(schema).recreated = Came::Partly;
                return;
            }
            Change::DropIndexes { indexes } => (
                indexes.first().map(|index| &index.table.schema),
                "indexes may have been dropped",
            ),
            Change::CreateIndexes { indexes } => (
                indexes.first().map(|index| &index.table.schema),
                "indexes may have been created",
            ),
            Change::AlterColumns { columns } => (
                columns.first().map(|it| &it.column.table.schema),
                "types of columns may have been changed",
            ),
            Change::RelaxNotNull { columns } | Change::RestoreNotNull { columns } => (
                columns.first().map(|column| &column.table.schema),
                "NOT NULL of columns may have been changed",
            ),
            _ => (None, ""),
        };
        if let Some(schema) = schema {
            self.tale(schema).doubts.push(doubt.to_owned());
        }
    }

    /// What state they are in.
    pub fn states(&self) -> Vec<String> {
        let mut states = Vec::new();
        match self.migrated {
            Came::Nowhere => {}
            Came::Partly => states.push("may be only partly migrated".to_owned()),
            Came::Done => states.push("migrated".to_owned()),
        }
        for (name, tale) in &self.tales {
            let parts = tale.parts();
            if !parts.is_empty() {
                states.push(format!("schema `{name}` {}", parts.join(", ")));
            }
        }
        states
    }

    /// Whether something in them was changed, or may have been.
    pub fn are_touched(&self) -> bool {
        !self.states().is_empty()
    }

    /// The schemas that no application should use as they are.
    pub fn unfinished(&self) -> Vec<&str> {
        let unfinished = self.tales.iter().filter(|(_, tale)| tale.is_unfinished());
        unfinished.map(|(name, _)| name.as_str()).collect()
    }

    /// The statements that make what is dropped for now.
    pub fn dropped(&self) -> impl Iterator<Item = &str> {
        let tales = self.tales.values();
        tales.flat_map(|tale| tale.dropped.values().map(String::as_str))
    }
}

impl Tale {
    fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        match self.recreated {
            Came::Nowhere => {}
            Came::Partly => parts.push("may have been recreated, and be EMPTY".to_owned()),
            Came::Done => parts.push("was recreated".to_owned()),
        }
        match self.migrated {
            Came::Done => parts.push("migrated".to_owned()),
            Came::Partly => parts.push("only partly migrated".to_owned()),
            Came::Nowhere if self.recreated == Came::Done => parts.push("is EMPTY".to_owned()),
            Came::Nowhere => {}
        }
        let source = self.source.as_ref();
        let source = source.map_or(String::new(), |source| format!(" from {source}"));
        match self.loaded {
            Came::Done => parts.push(format!("loaded{source}")),
            Came::Partly => parts.push(format!("only partly loaded{source}")),
            Came::Nowhere if self.migrated == Came::Done => parts.push("NOT loaded".to_owned()),
            Came::Nowhere => {}
        }
        let list = |all: Vec<String>| first_few(&all, NAMED, ", ");
        if !self.dropped.is_empty() {
            let names = list(self.dropped.keys().cloned().collect());
            parts.push(format!("without its indexes {names}"));
        }
        if !self.altered.is_empty() {
            let columns = self.altered.iter();
            let columns = columns.map(|(column, (_, now))| format!("{column} is {now}"));
            parts.push(format!(
                "with other types for now: {}",
                list(columns.collect())
            ));
        }
        if !self.nullable.is_empty() {
            let columns = self.nullable.iter().map(ToString::to_string);
            parts.push(format!(
                "without NOT NULL for now: {}",
                list(columns.collect())
            ));
        }
        if self.loaded == Came::Done && !self.sequences_moved {
            parts.push("its sequences not moved past its rows".to_owned());
        }
        if self.loaded == Came::Done && !self.keys_proven {
            parts.push("its foreign keys not proven".to_owned());
        }
        parts.extend(self.doubts.iter().cloned());
        parts
    }

    fn is_unfinished(&self) -> bool {
        let is_bare = self.recreated != Came::Nowhere && self.loaded != Came::Done;
        is_bare
            || self.loaded == Came::Partly
            || (self.loaded == Came::Done && !self.sequences_moved)
            || !self.dropped.is_empty()
            || !self.altered.is_empty()
            || !self.nullable.is_empty()
            || !self.doubts.is_empty()
    }
}
