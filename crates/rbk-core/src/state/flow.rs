//! The state pass: through the preconditions, the steps, then `on failure` from wherever a step may have failed.

use super::branch::Decision;
use super::error::FROM_ANYWHERE;
use super::replication_error::ReplicationError;
use super::{DatabaseState, Existence, Login, SchemaState, State, StateError, Writes, together};
use crate::catalog::Catalog;
use crate::check::{Block, Need, Precondition, Program, Typed, Via};
use crate::environment::Environment;
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::{Expr, Operator};
use rbk_syntax::{Diagnostic, Span, ast};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where the pass stands.
pub(crate) struct Flow<'p> {
    pub(crate) environment: &'p Environment,
    /// What the lock file says of the databases that statements on schema objects name.
    pub(super) catalogs: &'p BTreeMap<DatabaseName, Catalog>,
    pub(crate) state: State,
    /// Each application's active database as preflight proves it, where a `require` says so.
    pub(crate) active_at_preflight: BTreeMap<ApplicationName, DatabaseName>,
    /// Whether the statements of `on failure` are being read.
    pub(crate) in_failure: bool,
    /// Whether somebody has been asked in this step.
    pub(crate) approved: bool,
    /// Whether the condition that is read was awaited, and not asked for once.
    pub(super) waiting: bool,
    /// How often a schema's state was changed.
    pub(super) changes: u64,
    /// A schema that no statement has touched.
    pub(super) untouched: SchemaState,
    /// What was said to be left undone, and of which statement.
    pub(super) told: BTreeSet<(&'static str, Span)>,
    /// The states in which a statement of the steps may fail, those inside of `if`s included; absent in `on failure`.
    pub(super) anywhere: Option<State>,
    /// The `if`s that were read, of the steps or of `on failure`.
    pub(super) decisions: Vec<Decision>,
    /// The call that the statement came through that is read.
    via: Option<Arc<Via>>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Follows the states through a program.
pub(crate) fn analyse(program: &Program, runbook: &ast::Runbook) -> Vec<Diagnostic> {
    let mut flow = behind_preflight(program);

    flow.anywhere = Some(flow.state.clone());
    // Steps that are done together are read one behind the other: nothing that one of them changes is changed or read by
    // another. A state holds what is believed of each entity by itself, and is joined so: what is gathered while one step is read
    // and what is gathered while the next is read hold each mixture of how far both may have come. The only facts about two
    // entities, which rows are the same in both, hold in a join only if they hold in all that was joined.
    flow.diagnostics.extend(together::conflicts(program));
    for step in &program.steps {
        flow.approved = false;
        flow.block(&step.block);
    }
    let before = flow.diagnostics.len();
    flow.at_the_end();
    for diagnostic in flow.diagnostics.iter_mut().skip(before) {
        if let Some(via) = program.via(diagnostic.primary.span) {
            via.relate(diagnostic);
        }
    }
    // What hasn't even a title has been told of.
    if program.steps.is_empty() && !program.title.is_empty() {
        flow.error(StateError::NoSteps {
            span: runbook.title.span,
        });
    }

    if let Some(anywhere) = flow.anywhere.take() {
        flow.state = anywhere;
    }
    flow.decisions.clear();
    flow.in_failure = true;
    flow.approved = false;
    if let Some(block) = &program.on_failure {
        flow.block(block);
    }
    flow.frozen_on_failure();
    flow.diagnostics
}

/// Each application's active database as far as the `require`s of a program say it.
pub(crate) fn active_at_preflight(program: &Program) -> BTreeMap<ApplicationName, DatabaseName> {
    behind_preflight(program).active_at_preflight
}

/// What the `require`s prove before the first step.
fn behind_preflight(program: &Program) -> Flow<'_> {
    let mut flow = Flow {
        environment: &program.environment,
        catalogs: &program.catalogs,
        state: State::unknown(&program.environment),
        active_at_preflight: BTreeMap::new(),
        in_failure: false,
        approved: false,
        waiting: false,
        changes: 0,
        untouched: SchemaState::default(),
        told: BTreeSet::new(),
        anywhere: None,
        decisions: Vec::new(),
        via: None,
        diagnostics: Vec::new(),
    };
    for precondition in &program.preflight {
        if let Precondition::Require { condition, .. } = precondition {
            flow.narrow(&condition.expr, condition.span);
        }
    }
    flow.active_at_preflight = known_active(&flow.state);
    flow
}

/// An application that may use one database only isn't proven to use it: `since` tells.
fn known_active(state: &State) -> BTreeMap<ApplicationName, DatabaseName> {
    state
        .applications
        .iter()
        .filter(|(_, application)| application.since.is_some())
        .filter_map(|(name, application)| Some((name.clone(), application.active()?.clone())))
        .collect()
}

impl Flow<'_> {
    pub(crate) fn error(&mut self, error: StateError) {
        self.diagnostics.push(error.into());
    }

    /// In `on failure` a line before a statement mends nothing: the states before it are many.
    pub(crate) fn schema_error(&mut self, error: impl Into<Diagnostic>) {
        let mut diagnostic = error.into();
        if self.in_failure {
            diagnostic.help = Some(FROM_ANYWHERE.to_owned());
            diagnostic.fix = None;
        }
        self.diagnostics.push(diagnostic);
    }

    /// The state of a database that the check has resolved.
    pub(crate) fn database(&self, name: &DatabaseName) -> DatabaseState {
        self.state.databases.get(name).copied().unwrap_or_default()
    }

    /// Changes the state of a database.
    pub(crate) fn change(&mut self, name: &DatabaseName, change: impl FnOnce(&mut DatabaseState)) {
        let Some(state) = self.state.databases.get_mut(name) else {
            return;
        };
        let before = *state;
        change(state);
        let (writes, existence) = (state.writes, state.existence);
        if writes.is(Writes::Open) {
            state.frozen = None;
        } else if !writes.may_be(Writes::Open) {
            state.frozen = writes.since();
        }
        let opens = !writes.same(before.writes) || writes.since() != before.writes.since();
        if writes.may_be(Writes::Open) && opens {
            state.kept_frozen = None;
            state.carried = None;
            state.saved = None;
        }
        if !existence.may_be(Existence::Absent) {
            state.destroyed = None;
        }
        if writes.may_be(Writes::Open) && !before.writes.may_be(Writes::Open) {
            self.opened(name, writes.since());
        }
        if existence.is(Existence::Creating) && !before.existence.is(Existence::Creating) {
            // It is another instance: whatever was done to the schemas of the one before is gone.
            self.state.schemas.retain(|(of, _), _| of != name);
        }
    }

    /// The applications that certainly use a database now.
    pub(crate) fn users(&self, database: &DatabaseName) -> Option<(ApplicationName, Option<Span>)> {
        self.state
            .applications
            .iter()
            .find(|(_, application)| {
                application.since.is_some() && application.active() == Some(database)
            })
            .map(|(name, application)| (name.clone(), application.since))
    }

    /// Demands that an instance is available; says what is missing if it isn't certain.
    pub(crate) fn demand_available(&mut self, database: &DatabaseName, span: Span) -> bool {
        let existence = self.database(database).existence;
        if existence.is(Existence::Available) {
            return true;
        }
        if self.demand_not_destroyed(database, span) {
            return false;
        }
        let parted = self.parted_by(database, |state| state.existence, Existence::Available);
        self.error(if existence.may_be(Existence::Creating) {
            self.still_creating(database, span)
        } else {
            StateError::NotKnown {
                span,
                database: database.clone(),
                in_failure: self.in_failure,
            }
        });
        self.tell_parted_use(parted, "available");
        // Said once: what follows is read as if it were. In `on failure` each statement stands for itself.
        if !self.in_failure {
            self.change(database, |state| {
                state.existence.set(Existence::Available, span);
            });
        }
        false
    }

    /// Reports a database that was destroyed, or may have been; tells whether it was.
    pub(crate) fn demand_not_destroyed(&mut self, database: &DatabaseName, span: Span) -> bool {
        let state = self.database(database);
        let Some(since) = state
            .destroyed
            .filter(|_| state.existence.may_be(Existence::Absent))
        else {
            return false;
        };
        self.schema_error(ReplicationError::Destroyed {
            span,
            database: database.clone(),
            certain: state.existence.is(Existence::Absent),
            since,
        });
        let parted = self.parted(database, |state| {
            (state.existence.is(Existence::Absent), state.destroyed)
        });
        self.tell_parted(parted, "destroyed");
        true
    }

    pub(super) fn still_creating(&self, database: &DatabaseName, span: Span) -> StateError {
        let since = self.database(database).restored;
        StateError::StillCreating {
            span,
            database: database.clone(),
            since,
            in_failure: self.in_failure,
        }
    }

    /// Demands what evaluating an expression needs.
    pub(crate) fn demand_reads(&mut self, typed: &Typed) {
        for read in &typed.reads {
            let state = self.database(&read.database);
            let stale = state.login.may_be(Login::Stale);
            match read.need {
                Need::Description => {}
                Need::Login | Need::LoginTried if stale => {
                    self.stale(&read.database, read.span);
                }
                Need::Login => {
                    if self.demand_available(&read.database, read.span) {
                        self.change(&read.database, |state| state.looked_at = true);
                    }
                }
                Need::LoginTried => {}
            }
        }
    }

    /// What is known once a condition has been seen to hold. Reports what can't be seen to hold.
    pub(crate) fn narrow(&mut self, condition: &Expr, span: Span) {
        self.demand_possible(condition, span);
        // What is awaited or asserted is so from now on, whatever was known before.
        let is_impossible = self.state.impossible;
        self.learn(condition, span);
        self.state.impossible = is_impossible;
    }

    pub(super) fn learn(&mut self, condition: &Expr, span: Span) {
        match condition {
            Expr::Binary {
                operator: Operator::And,
                left,
                right,
            } => {
                self.learn(left, span);
                self.learn(right, span);
            }
            Expr::Binary {
                operator: Operator::Or,
                left,
                right,
            } => {
                let before = self.state.clone();
                self.learn(left, span);
                let either = std::mem::replace(&mut self.state, before);
                self.learn(right, span);
                self.state.join(&either);
            }
            Expr::Not(inner) => self.learn_not(inner, span),
            Expr::Exists { database } => {
                self.contradicted_by_absence(database);
                self.change(database, |state| {
                    let there = [
                        Existence::Available,
                        Existence::Otherwise,
                        Existence::Creating,
                    ];
                    state.existence.narrow(&there, span);
                });
            }
            Expr::Available { database } => {
                self.contradicted_by_absence(database);
                self.change(database, |state| {
                    state.existence.set(Existence::Available, span)
                });
            }
            Expr::AcceptsConnections { database } => {
                self.contradicted_by_absence(database);
                self.change(database, |state| {
                    state.existence.set(Existence::Available, span);
                    state.login.set(Login::Works, span);
                });
            }
            Expr::ChecksPass { database }
            | Expr::Count { database, .. }
            | Expr::Query { database, .. }
            | Expr::Size { database, .. } => self.read(database, span),
            Expr::Binary {
                operator,
                left,
                right,
            } => {
                // `count(target.public.documents) > 0` logs in to know.
                for side in [left, right] {
                    if matches!(
                        side.as_ref(),
                        Expr::Count { .. } | Expr::Query { .. } | Expr::Size { .. }
                    ) {
                        self.learn(side, span);
                    }
                }
                self.counted(*operator, left, right, span);
            }
            Expr::Matches {
                left,
                right,
                tables,
                ..
            } => {
                self.read(left, span);
                self.read(right, span);
                self.matched(left, right, tables, span);
            }
            // Without a name it is of all that are there, of which nothing more is learned.
            Expr::NoDrift {
                database: Some(database),
            } => {
                self.read(database, span);
                self.no_drift(database);
            }
            Expr::Complete { replication } => self.completed(replication, span),
            Expr::Uses {
                application,
                database,
            } => {
                if let Some(state) = self.state.applications.get_mut(application) {
                    self.state.impossible |=
                        state.since.is_some() && !state.active.contains(database);
                    state.active = [database.clone()].into();
                    state.since = Some(span);
                }
            }
            Expr::Healthy { application } => {
                if let Some(state) = self.state.applications.get_mut(application) {
                    state.unseen_switch = None;
                }
            }
            Expr::HasLeft { database, .. } => self.change(database, |state| state.unleft = None),
            _ => {}
        }
    }

    /// A condition holds only of an instance that is there.
    fn contradicted_by_absence(&mut self, database: &DatabaseName) {
        self.state.impossible |= self.database(database).existence.is(Existence::Absent);
    }

    /// A login was made, and something was read.
    pub(super) fn read(&mut self, database: &DatabaseName, span: Span) {
        self.change(database, |state| {
            state.existence.set(Existence::Available, span);
            state.login.set(Login::Works, span);
            state.looked_at = true;
        });
    }

    /// Reads statements in order.
    pub(super) fn block(&mut self, block: &Block) {
        for located in &block.statements {
            let before = self.diagnostics.len();
            let outer = std::mem::replace(&mut self.via, located.via.clone());
            located.statement.flow(self, located.span);
            self.via = outer;
            // What is inside of an `if` came through the call that the `if` came through: that is said once.
            let is_same = |via: &Arc<Via>| {
                let outer = self.via.as_ref();
                outer.is_some_and(|outer| Arc::ptr_eq(outer, via))
            };
            if let Some(via) = located.via.as_ref().filter(|via| !is_same(via)) {
                let told = self.diagnostics.iter_mut().skip(before);
                told.for_each(|diagnostic| via.relate(diagnostic));
            }
            self.gather();
        }
    }

    /// A statement may fail in this state.
    pub(super) fn gather(&mut self) {
        if let Some(anywhere) = &mut self.anywhere {
            anywhere.join(&self.state);
        }
    }

    /// Whatever has failed, nobody meant an application to stay unable to write.
    fn frozen_on_failure(&mut self) {
        let mut errors = Vec::new();
        for (name, state) in &self.state.applications {
            for database in state.active.iter().filter(|_| state.since.is_some()) {
                // What stays frozen anyway has been said.
                if let Some(span) = self.database(database).frozen
                    && !self.told.contains(&("frozen", span))
                {
                    errors.push(StateError::LeftFrozenOnFailure {
                        span,
                        database: database.clone(),
                        application: name.clone(),
                    });
                }
            }
        }
        for error in errors {
            self.error(error);
        }
    }

    fn at_the_end(&mut self) {
        let mut errors = Vec::new();
        for (name, state) in &self.state.databases {
            if let Some(span) = state.created {
                let error = StateError::NotKept {
                    span,
                    database: name.clone(),
                };
                // Where it is created on one way only, it isn't kept on any.
                let parted = self
                    .parted(name, |state| (state.created.is_none(), state.created))
                    .filter(|parted| parted.was(span));
                errors.push((error, parted, "kept or destroyed"));
            }
            if let Some(span) = state.restored
                && !state.looked_at
                && self.users(name).is_some()
            {
                let error = StateError::NeverLookedAt {
                    span,
                    database: name.clone(),
                };
                errors.push((error, None, ""));
            }
        }
        for (name, state) in &self.state.applications {
            let Some(active) = state.active() else {
                continue;
            };
            let database = self.database(active);
            let parted = self.parted_by(active, |state| state.writes, Writes::Frozen);
            if let Some(span) = database.frozen
                && (database.writes.is(Writes::Frozen) || parted.is_some())
                && database.kept_frozen.is_none()
                && state.since.is_some()
            {
                self.told.insert(("frozen", span));
                let error = StateError::LeftFrozen {
                    span,
                    database: active.clone(),
                    application: name.clone(),
                    maybe: parted.is_some(),
                };
                errors.push((error, parted, "still frozen"));
            }
            if let Some(span) = state.unseen_switch {
                let health = self
                    .environment
                    .applications
                    .get(name)
                    .is_some_and(|application| application.health.is_some());
                if health {
                    let error = StateError::HealthNotAwaited {
                        span,
                        application: name.clone(),
                    };
                    errors.push((error, None, ""));
                }
            }
        }
        for (error, parted, what) in errors {
            self.error(error);
            self.tell_parted(parted, what);
        }
        self.all_awaited();
        self.all_whole();
    }
}
