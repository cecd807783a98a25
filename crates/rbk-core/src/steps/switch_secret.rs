//! `switch secret of APP to DB [accepting loss]`: makes DB the application's active database, as a compare-and-swap.
//!
//! ```rbk
//! switch secret of sgpt to recovery accepting loss
//! ```

use super::Meaning;
use crate::check::Checker;
use crate::environment::Active;
use crate::ids::{ApplicationName, DatabaseName};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, NamedCommand, Risk, SecretContent};
use crate::state::{Existence, Flow, Login, StateError, Writes};
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct SwitchSecret {
    application: ApplicationName,
    database: DatabaseName,
    accepting_loss: bool,
}

impl SwitchSecret {
    pub(super) fn check(application: &ast::Path, database: &ast::Path, accepting_loss: bool, checker: &mut Checker<'_>) -> Option<Self> {
        let span = database.span;
        let (application, database) = (checker.application(application), checker.database(database));
        let (application, database) = (application?, database?);
        checker.may_use(&application, &database, span)?;
        Some(Self { application, database, accepting_loss })
    }

    /// Whether it brings back what preflight saw: legal in any state, and undone without a login.
    fn is_revert(&self, in_failure: bool, active: Option<&DatabaseName>) -> bool {
        in_failure && active == Some(&self.database)
    }

    /// Where the active database is a setting of the deployed stack: a command deploys it or a person does, and a command proves it.
    fn apply_stack(&self, apply: Option<&str>, read: &str, frozen: Option<&DatabaseName>, lowering: &mut Lowering<'_>) {
        let environment = lowering.environment;
        let command = |name: &str| Some(NamedCommand { name: name.to_owned(), declared: environment.commands.get(name)?.clone() });
        let (Some(database), Some(read)) = (environment.database(&self.database), command(read)) else {
            return;
        };
        let apply = apply.and_then(command);
        if let Some(source) = frozen {
            prove_frozen(source, lowering);
        }
        let value = database.secret.to_string();
        let is_revert = self.is_revert(lowering.in_failure, lowering.active_at_preflight(&self.application));
        let unless = if is_revert { ", unless it does already" } else { "" };
        let proof = format!("prove with command `{}` that the stack says `{value}`", read.name);
        let reads_within = read.declared.within;
        let deploys_within = apply.as_ref().map(|apply| apply.declared.within);
        let summary = match &apply {
            Some(apply) => format!("deploy with command `{}` that `{}` uses `{}`{unless}, and {proof}", apply.name, self.application, self.database),
            None => format!("tell a person to deploy that `{}` uses `{}`{unless}, and {proof}", self.application, self.database),
        };
        let action = Action::ApplyStack { application: self.application.clone(), database: self.database.clone(), value, apply, read };
        match deploys_within {
            Some(within) => lowering.action(Risk::Changes, within.saturating_add(reads_within.saturating_mul(2)), summary, action),
            None => lowering.open_ended(Risk::Changes, summary, action),
        }
    }

    fn demand_awaited(&self, flow: &mut Flow<'_>, span: Span) {
        let target = flow.database(&self.database);
        let available = target.existence.is(Existence::Available);
        let login = target.login.is(Login::Works);
        if available && login {
            return;
        }
        if flow.demand_not_destroyed(&self.database, span) {
            return;
        }
        let name = &self.database;
        let mut lines = Vec::new();
        if !available {
            lines.push(format!("  await {name} is available within 60m every 15s"));
        }
        if target.login.may_be(Login::Stale) {
            lines.push(format!("  set credentials of {name}"));
        }
        lines.push(format!("  await {name} accepts connections within 5m"));
        let missing = match (available, target.login.may_be(Login::Stale)) {
            (false, _) => "it is known to be available",
            (true, true) => "it has credentials that work",
            (true, false) => "a login to it has been made",
        };
        let parted = flow.parted(name, |state| {
            let ready = state.existence.is(Existence::Available) && state.login.is(Login::Works);
            (ready, state.existence.since().max(state.login.since()))
        });
        flow.error(StateError::SwitchTooEarly {
            span,
            application: self.application.clone(),
            database: name.clone(),
            missing,
            lines,
            since: parted.as_ref().map_or(target.existence.since().max(target.login.since()), |parted| parted.elsewhere),
        });
        flow.tell_parted_use(parted, "it is so");
    }

    fn demand_source_given_up(&self, flow: &mut Flow<'_>, from: &DatabaseName, since: Option<Span>, span: Span) {
        let writes = flow.database(from).writes;
        match flow.carried(from, &self.database) {
            Some(Ok(())) => flow.change(from, |state| state.carried = Some(span)),
            Some(Err(not)) if !self.accepting_loss => flow.not_carried(from, &self.database, not, span),
            None if !self.accepting_loss => {
                let frozen = writes.is(Writes::Frozen);
                flow.error(StateError::LossNotSaid { span, from: from.clone(), to: self.database.clone(), frozen, since });
            }
            Some(Err(_)) | None => {}
        }
        if writes.may_be(Writes::Open) {
            let parted = flow.parted(from, |state| (!state.writes.may_be(Writes::Open), state.writes.since()));
            let error = StateError::NotFrozen {
                span,
                application: self.application.clone(),
                from: from.clone(),
                since: parted.as_ref().map_or(writes.since(), |parted| parted.elsewhere),
            };
            flow.error(error);
            flow.tell_parted(parted, "frozen");
        }
    }
}

impl Meaning for SwitchSecret {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        let (application, database) = (self.application.clone(), self.database.clone());
        let before = flow.state.applications.get(&application).cloned().unwrap_or_default();
        if !self.is_revert(flow.in_failure, flow.active_at_preflight.get(&application)) {
            match before.active() {
                Some(active) if before.since.is_some() && *active == database => {
                    flow.error(StateError::SwitchToSame { span, application: application.clone(), database: database.clone(), since: before.since });
                }
                Some(active) if before.since.is_some() => {
                    self.demand_awaited(flow, span);
                    self.demand_source_given_up(flow, active, before.since, span);
                }
                _ => {
                    let candidate = before.active.iter().find(|name| **name != database).cloned();
                    flow.error(StateError::ActiveNotKnown { span, application: application.clone(), candidate });
                    flow.tell_active(&application);
                    self.demand_awaited(flow, span);
                }
            }
            let target = flow.database(&database);
            let parted = flow.parted_by(&database, |state| state.writes, Writes::Frozen);
            if target.writes.is(Writes::Frozen) || parted.is_some() {
                let since = target.frozen.or(target.writes.since());
                flow.error(StateError::SwitchToFrozen { span, application: application.clone(), database: database.clone(), since });
                flow.tell_parted(parted, "frozen");
            }
            flow.demand_whole(&database, &application, span);
        }
        // It is written to from now on.
        flow.forget_matches(&database);
        flow.change(&database, |state| {
            state.served = true;
            state.unleft = None;
        });
        for left in before.active.iter().filter(|left| **left != database && before.since.is_some()) {
            flow.change(left, |state| state.unleft = Some(span));
        }
        if let Some(state) = flow.state.applications.get_mut(&application) {
            state.active = [database].into();
            state.since = Some(span);
            state.unseen_switch = Some(span);
        }
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let environment = lowering.environment;
        let (Some(application), Some(database)) = (environment.application(&self.application), environment.database(&self.database)) else {
            return;
        };
        lowering.reads_active(&self.application);
        let source = lowering.active_now(&self.application).filter(|source| **source != self.database).cloned();
        lowering.switches(&self.application, &self.database);
        // What was proven of the source's rows holds only as long as nobody writes to it.
        let proves_frozen = source.filter(|_| !self.accepting_loss && !lowering.in_failure);
        let secret = match &application.active {
            Active::Pointer { secret, .. } | Active::Copy { secret } => secret.clone(),
            Active::Stack { apply, read } => return self.apply_stack(apply.as_deref(), read, proves_frozen.as_ref(), lowering),
        };
        if self.is_revert(lowering.in_failure, lowering.active_at_preflight(&self.application)) {
            let summary = format!("bring secret `{secret}` back to the version seen at preflight (`{}`), if this run has moved it", self.database);
            lowering.uses_secret(&secret);
            lowering.action(Risk::Changes, MINUTE, summary, Action::RevertSecret { secret });
            return;
        }
        let (content, through, words) = match &application.active {
            Active::Pointer { field, .. } => (
                SecretContent::Pointer { database: self.database.clone(), to: database.secret.clone(), field: field.clone() },
                Some(database.secret.clone()),
                format!("put the name `{}` into secret `{secret}`, not current yet", database.secret),
            ),
            Active::Stack { .. } => return,
            Active::Copy { .. } => (
                SecretContent::CopyOf { database: self.database.clone(), from: database.secret.clone() },
                None,
                format!("put a copy of secret `{}` into secret `{secret}`, not current yet", database.secret),
            ),
        };
        lowering.stage(secret.clone(), content, words);
        lowering.prove_login(&self.database, secret.clone(), through);
        if let Some(source) = &proves_frozen {
            prove_frozen(source, lowering);
        }
        lowering.promote(secret);
    }
}

/// Proves right before a switch that nobody has written since the rows were compared.
fn prove_frozen(source: &DatabaseName, lowering: &mut Lowering<'_>) {
    let freeze = lowering.freeze(source);
    lowering.action(
        Risk::Reads,
        3 * MINUTE,
        format!("prove that writes on `{source}` are frozen, still: none is lost by the switch"),
        Action::ProveFrozen { database: source.clone(), freeze },
    );
}
