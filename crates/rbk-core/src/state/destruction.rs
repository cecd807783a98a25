//! What ends a database's life, and what leaves it frozen on purpose.

use super::flow_error::FlowError;
use super::replication_error::ReplicationError;
use super::{DatabaseState, Existence, Facet, Flow, Login, Writes};
use crate::ids::DatabaseName;
use crate::plan::FinalSnapshot;
use rbk_syntax::Span;

impl Flow<'_> {
    /// `destroy DB …`
    pub(crate) fn destroy(
        &mut self,
        database: &DatabaseName,
        final_snapshot: &FinalSnapshot,
        span: Span,
    ) {
        let before = self.database(database);
        // What fails or is still being made can be deleted, too, but nothing can be kept of it.
        let deletable = *final_snapshot == FinalSnapshot::None
            && !before.existence.may_be(Existence::Absent)
            && before.destroyed.is_none();
        if !deletable {
            self.demand_available(database, span);
        }
        if let Some(user) = self.possible_user(database) {
            self.schema_error(ReplicationError::DestroyedInUse {
                span,
                database: database.clone(),
                application: user.application,
                since: user.since,
                certain: user.certain,
                other: user.other,
            });
        }
        if !self.approved {
            self.schema_error(ReplicationError::DestructionNotApproved {
                span,
                database: database.clone(),
            });
        }
        self.demand_left(database, span);
        self.demand_not_copied(database, span);
        self.demand_loaded(database, None, span);
        if *final_snapshot == FinalSnapshot::None && may_be_missed(&before) {
            let database = database.clone();
            match before.snapshot {
                Some(since) => self.schema_error(FlowError::WrittenSinceSnapshot {
                    span,
                    database,
                    since,
                }),
                None => self.schema_error(ReplicationError::NothingLeft { span, database }),
            }
        }
        if let FinalSnapshot::Named { id } = final_snapshot {
            self.demand_new_name(id.to_string(), span);
        }
        self.gone(database, span);
    }

    /// What an application was switched away from it may still be working on. A freeze has ended its sessions.
    fn demand_left(&mut self, database: &DatabaseName, span: Span) {
        let state = self.database(database);
        let Some(since) = state.unleft.filter(|_| !state.writes.is(Writes::Frozen)) else {
            return;
        };
        // What would leave it unable to work at all has been said.
        if self.possible_user(database).is_some() {
            return;
        }
        let users = self.environment.applications.iter();
        let user = users
            .filter(|(_, application)| application.databases.contains(database))
            .map(|(name, _)| name.clone())
            .next();
        let Some(application) = user else { return };
        let error = FlowError::NotLeft {
            span,
            database: database.clone(),
            application,
            since,
        };
        // In `on failure`, too, a line before it mends it.
        self.diagnostics.push(error.into());
        let parted = self.parted(database, |state| (state.unleft.is_none(), state.unleft));
        self.tell_parted(parted, "seen to have left");
    }

    fn gone(&mut self, database: &DatabaseName, span: Span) {
        self.change(database, |state| {
            *state = DatabaseState {
                destroyed: Some(span),
                ..DatabaseState::default()
            };
            state.existence.set(Existence::Absent, span);
            state.login = Facet::<Login>::default();
            state.writes.set(Writes::Open, span);
        });
        self.state.schemas.retain(|(of, _), _| of != database);
        self.forget_matches(database);
    }

    /// `keep writes frozen on DB because "…"`
    pub(crate) fn keep_frozen(&mut self, database: &DatabaseName, span: Span) {
        let state = self.database(database);
        if !state.writes.is(Writes::Frozen) {
            let parted = self.parted_by(database, |state| state.writes, Writes::Frozen);
            self.schema_error(ReplicationError::KeptOpen {
                span,
                database: database.clone(),
                if_reachable: state.writes.is(Writes::FrozenIfReachable),
                since: match &parted {
                    Some(parted) => parted.elsewhere,
                    None => state.writes.since(),
                },
            });
            self.tell_parted(parted, "frozen");
        }
        self.change(database, |state| state.kept_frozen = Some(span));
    }
}

/// Whether a database may hold what no other has: an application may have written to it, nothing has proven that another one
/// has it all, and no snapshot does.
fn may_be_missed(state: &DatabaseState) -> bool {
    state.carried.is_none() && state.saved.is_none() && (state.created.is_none() || state.served)
}
