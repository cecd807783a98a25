//! What the checker believes of the world while it reads a runbook: an abstract interpretation.
//!
//! Each fact of an entity is the set of its possible values. Everything starts unknown; a `require` (proven at
//! preflight), an `await` and an `assert` narrow it, statements change it, and where ways join the sets are united.
//! What is only *maybe* so counts as not so at its first use.

mod branch;
mod carriage;
mod destruction;
mod dms;
mod error;
mod facet;
mod flow;
mod flow_error;
mod load;
mod proof;
mod replication;
mod replication_error;
mod reshape;
mod schema;
mod schema_error;
mod snapshots;
#[cfg(test)]
mod tests;
mod together;

pub(crate) use dms::{Chosen, DmsLoad, LobMode, OnError, Prepare};
pub use error::CODES;
pub(crate) use error::StateError;
pub(crate) use facet::{Bit, Facet};
pub(crate) use flow::{Flow, active_at_preflight, analyse};
use replication::Replication;
pub(crate) use schema::SchemaState;

use crate::environment::Environment;
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The state of all entities at one point of a runbook.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) databases: BTreeMap<DatabaseName, DatabaseState>,
    pub(crate) applications: BTreeMap<ApplicationName, ApplicationState>,
    /// By database and schema; those that no statement has touched are missing, and as the lock file says.
    pub(crate) schemas: BTreeMap<(DatabaseName, String), SchemaState>,
    /// Those by DMS that were started, by name.
    pub(crate) replications: BTreeMap<String, Replication>,
    /// Tables that were seen to hold the same rows, by a database that was and is frozen and the other one.
    pub(crate) matches: BTreeMap<(DatabaseName, DatabaseName), BTreeMap<TableName, Span>>,
    /// Names of snapshots that this runbook has given, as it writes them, each with the statement that did.
    pub(crate) snapshots: BTreeMap<String, Span>,
    /// Whether a way of an `if` is read that can't be gone by what is known before it: nothing that it leaves holds behind the `if`.
    pub(crate) impossible: bool,
}

/// What is believed of a database.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DatabaseState {
    pub(crate) existence: Facet<Existence>,
    pub(crate) login: Facet<Login>,
    pub(crate) writes: Facet<Writes>,
    /// Where this runbook created it, until it is destroyed or kept.
    pub(crate) created: Option<Span>,
    /// Where this runbook restored it.
    pub(crate) restored: Option<Span>,
    /// Whether any data of it was read since it was restored.
    pub(crate) looked_at: bool,
    /// Where this runbook stopped its writes, until it lets them again.
    pub(crate) frozen: Option<Span>,
    /// Where the runbook took a snapshot of it last.
    pub(crate) snapshot: Option<Span>,
    /// Where it took one with everything that was written to it, until its writes are let again.
    pub(crate) saved: Option<Span>,
    /// Where an application was switched away from it, until it was seen to have left.
    pub(crate) unleft: Option<Span>,
    /// Where it was said that its writes stay stopped, on purpose.
    pub(crate) kept_frozen: Option<Span>,
    /// Where an application was switched away from it with everything that was written to it, until its writes are let again.
    pub(crate) carried: Option<Span>,
    /// Whether this runbook has switched an application to it.
    pub(crate) served: bool,
    /// Where this runbook destroyed it.
    pub(crate) destroyed: Option<Span>,
    /// Where the migration tool last ran on it: its own tables are there.
    pub(crate) migrated: Option<Span>,
    /// Where the runbook's own SQL may have changed the objects of any schema, until `no drift` is proven.
    pub(crate) unchecked: Option<Span>,
}

/// Whether an instance is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    Absent,
    /// A restore was accepted; nothing has been awaited.
    Creating,
    Available,
    /// There, in some other state: stopped, failed, being modified.
    Otherwise,
}

impl Bit for Existence {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    /// Only this runbook's own restores make something `Creating`.
    const UNKNOWN: u8 = 1 << Existence::Absent as u8
        | 1 << Existence::Available as u8
        | 1 << Existence::Otherwise as u8;
}

/// Whether rbk's administrative login works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// The secret's password may or may not be the database's.
    Untried,
    /// The database has the password of its snapshot.
    Stale,
    /// A login was made.
    Works,
}

impl Bit for Login {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Login::Untried as u8;
}

/// Whether applications can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Open,
    Frozen,
    /// Frozen if it could be reached, by `if reachable`.
    FrozenIfReachable,
}

impl Bit for Writes {
    fn bit(self) -> u8 {
        1 << self as u8
    }
    const UNKNOWN: u8 = 1 << Writes::Open as u8 | 1 << Writes::Frozen as u8;
}

/// What is believed of an application.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApplicationState {
    /// Which databases may be its active one.
    pub(crate) active: BTreeSet<DatabaseName>,
    /// Where that was last changed or proven.
    pub(crate) since: Option<Span>,
    /// Where it was switched, until its health was awaited.
    pub(crate) unseen_switch: Option<Span>,
}

impl ApplicationState {
    /// The active database, if it is known.
    pub(crate) fn active(&self) -> Option<&DatabaseName> {
        match self.active.len() {
            1 => self.active.first(),
            _ => None,
        }
    }
}

impl State {
    /// Nothing is known.
    pub(crate) fn unknown(environment: &Environment) -> Self {
        Self {
            databases: environment
                .databases
                .keys()
                .map(|name| (name.clone(), DatabaseState::default()))
                .collect(),
            schemas: BTreeMap::new(),
            replications: BTreeMap::new(),
            matches: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            impossible: false,
            applications: environment
                .applications
                .iter()
                .map(|(name, application)| {
                    let active = application.databases.iter().cloned().collect();
                    (
                        name.clone(),
                        ApplicationState {
                            active,
                            ..ApplicationState::default()
                        },
                    )
                })
                .collect(),
        }
    }

    /// Either state: what holds in both. One that can't be says nothing.
    pub(crate) fn join(&mut self, other: &State) {
        if other.impossible {
            return;
        }
        if self.impossible {
            self.clone_from(other);
            return;
        }
        for (mine, theirs) in self.databases.values_mut().zip(other.databases.values()) {
            mine.existence.join(theirs.existence);
            mine.login.join(theirs.login);
            mine.writes.join(theirs.writes);
            mine.created = mine.created.or(theirs.created);
            mine.restored = mine.restored.or(theirs.restored);
            mine.looked_at &= theirs.looked_at;
            // Where it isn't frozen there is nothing to keep.
            mine.kept_frozen = match (mine.frozen, theirs.frozen) {
                (Some(_), None) => mine.kept_frozen,
                (None, Some(_)) => theirs.kept_frozen,
                _ => mine.kept_frozen.and(theirs.kept_frozen),
            };
            mine.frozen = mine.frozen.or(theirs.frozen);
            mine.snapshot = mine.snapshot.or(theirs.snapshot);
            mine.saved = mine.saved.and(theirs.saved);
            mine.unleft = mine.unleft.or(theirs.unleft);
            mine.carried = mine.carried.and(theirs.carried);
            mine.served |= theirs.served;
            mine.destroyed = mine.destroyed.or(theirs.destroyed);
            mine.migrated = mine.migrated.or(theirs.migrated);
            mine.unchecked = mine.unchecked.or(theirs.unchecked);
        }
        self.join_replications(other);
        for (name, since) in &other.snapshots {
            self.snapshots.entry(name.clone()).or_insert(*since);
        }
        for (key, theirs) in &other.schemas {
            match self.schemas.get_mut(key) {
                Some(mine) => mine.join(theirs),
                None => {
                    let mut mine = SchemaState::default();
                    mine.join(theirs);
                    self.schemas.insert(key.clone(), mine);
                }
            }
        }
        for (key, mine) in &mut self.schemas {
            if !other.schemas.contains_key(key) {
                mine.join(&SchemaState::default());
            }
        }
        for (mine, theirs) in self
            .applications
            .values_mut()
            .zip(other.applications.values())
        {
            if mine.active != theirs.active {
                mine.active.extend(theirs.active.iter().cloned());
                mine.since = theirs.since.or(mine.since);
            } else {
                mine.since = mine.since.and(theirs.since);
            }
            mine.unseen_switch = mine.unseen_switch.or(theirs.unseen_switch);
        }
    }

    /// What runs on one way may be running; what only one way has proven isn't.
    fn join_replications(&mut self, other: &State) {
        for (name, theirs) in &other.replications {
            match self.replications.get_mut(name) {
                None => {
                    self.replications.insert(name.clone(), theirs.clone());
                }
                Some(mine) if mine.complete.is_some() && theirs.complete.is_none() => {
                    mine.clone_from(theirs);
                }
                Some(_) => {}
            }
        }
        self.matches.retain(|pair, mine| {
            let theirs = other.matches.get(pair);
            mine.retain(|table, _| theirs.is_some_and(|theirs| theirs.contains_key(table)));
            !mine.is_empty()
        });
    }
}
