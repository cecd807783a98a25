//! Restores, and the snapshots that the runbook takes.

use super::flow_error::FlowError;
use super::{Existence, Flow, Login, StateError, Writes};
use crate::check::Typed;
use crate::ids::DatabaseName;
use crate::plan::{Expr, SnapshotName, Template, TemplatePart, Wording};
use rbk_syntax::Span;

impl Flow<'_> {
    /// `snapshot DB [as "…"]`
    pub(crate) fn take_snapshot(&mut self, database: &DatabaseName, id: &SnapshotName, span: Span) {
        self.demand_available(database, span);
        if let SnapshotName::Given { id } = id
            && let Some(name) = same_each_time(id)
        {
            self.demand_new_name(name, span);
        }
        // It would hold some of the rows.
        self.demand_loaded(database, None, span);
        let state = self.database(database);
        let is_whole = state.writes.is(Writes::Frozen);
        self.change(database, |state| {
            state.snapshot = Some(span);
            if is_whole {
                state.saved = Some(span);
            }
        });
    }

    /// Snapshots of all databases have one space of names, and nothing of rbk's deletes one.
    pub(super) fn demand_new_name(&mut self, name: String, span: Span) {
        match self.state.snapshots.get(&name) {
            // In `on failure`, too, another name mends it.
            Some(&since) => {
                let error = FlowError::SnapshotTwice { span, name, since };
                self.diagnostics.push(error.into());
            }
            None => {
                self.state.snapshots.insert(name, span);
            }
        }
    }

    /// `restore DB from SNAPSHOT`
    pub(crate) fn restore_snapshot(
        &mut self,
        database: &DatabaseName,
        snapshot: &Typed,
        span: Span,
    ) {
        self.demand_room_for(database, span);
        self.demand_reads(snapshot);
        self.restored(database, span);
    }

    /// `restore DB from SOURCE as of …`; `at` is absent for `latest`.
    pub(crate) fn restore_as_of(
        &mut self,
        database: &DatabaseName,
        source: &DatabaseName,
        at: Option<&Typed>,
        span: Span,
    ) {
        if database == source {
            let of = source.clone();
            self.schema_error(FlowError::OwnPast { span, of });
        } else {
            self.demand_room_for(database, span);
            self.demand_past(source, span);
        }
        if let Some(at) = at {
            self.demand_reads(at);
        }
        self.restored(database, span);
    }

    /// A restore makes a new instance: there must be none.
    fn demand_room_for(&mut self, database: &DatabaseName, span: Span) {
        let existence = self.database(database).existence;
        if let Some((application, since)) = self.users(database) {
            self.error(StateError::RestoreOntoActive {
                span,
                database: database.clone(),
                application,
                since,
            });
            return;
        }
        let parted = self.parted(database, |state| {
            (
                !state.existence.may_be(Existence::Absent),
                state.existence.since(),
            )
        });
        // Where it is on one way of an `if` only, the other one can't be restored onto either.
        if !existence.may_be(Existence::Absent) || parted.is_some() {
            self.error(StateError::Exists {
                span,
                database: database.clone(),
                since: match &parted {
                    Some(_) => None,
                    None => existence.since(),
                },
            });
            self.tell_parted(parted, "it is there");
        }
    }

    /// An instance's past goes with it, and begins with it: preflight proves that there is one.
    fn demand_past(&mut self, source: &DatabaseName, span: Span) {
        let state = self.database(source);
        if self.demand_not_destroyed(source, span) {
            return;
        }
        if state.existence.is(Existence::Absent) {
            self.schema_error(FlowError::NoSource {
                span,
                of: source.clone(),
                since: state.existence.since(),
            });
        } else if let Some(since) = state.restored {
            self.schema_error(FlowError::NoPast {
                span,
                of: source.clone(),
                since,
            });
        } else {
            self.change(source, |state| {
                let there = [Existence::Available, Existence::Otherwise];
                state.existence.narrow(&there, span);
            });
        }
    }

    /// A restore was accepted.
    fn restored(&mut self, database: &DatabaseName, span: Span) {
        self.change(database, |state| {
            state.existence.set(Existence::Creating, span);
            state.login.set(Login::Stale, span);
            // A freeze lives in the catalog, and the backup carries it.
            state.writes.set_any(&[Writes::Open, Writes::Frozen], span);
            state.created = Some(span);
            state.restored = Some(span);
            state.looked_at = false;
            state.snapshot = None;
        });
    }
}

/// A name as the runbook writes it, where it is the same whenever it is evaluated.
fn same_each_time(id: &Template) -> Option<String> {
    let parts = id.0.iter().map(|part| match part {
        TemplatePart::Text(text) => Some(text.clone()),
        TemplatePart::Expr(expr @ Expr::Parameter { .. }) => {
            Some(format!("{{{}}}", Wording::by_names().expr(expr)))
        }
        TemplatePart::Expr(_) => None,
    });
    parts.collect()
}
