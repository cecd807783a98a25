//! `if` in a plan: flat, each action with the decisions that it depends on. And what preflight can prove of what is done only
//! perhaps.

use super::{Ledger, Lowering};
use crate::check::Block;
use crate::ids::{ApplicationName, DatabaseName, InstanceId};
use crate::plan::{
    Action, AsOf, Expr, Guard, PlannedAction, Preflight, Risk, Template, TemplatePart,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the statements so far leave for those behind them.
#[derive(Clone)]
struct Standing {
    ledger: Ledger,
    active_now: BTreeMap<ApplicationName, DatabaseName>,
    completed: BTreeSet<String>,
}

impl Lowering<'_> {
    /// Lowers the statements of a block, of a step or of an `if` in it.
    pub(crate) fn statements(&mut self, block: &Block) {
        for located in &block.statements {
            match &located.via {
                Some(via) => {
                    self.path.clone_from(&via.path);
                    self.statement = format!("{}: {}", via.text, located.text);
                }
                None => {
                    self.path.clone_from(&self.step);
                    self.statement.clone_from(&located.text);
                }
            }
            self.place = Some(located.span);
            located.statement.lower(self);
        }
    }

    /// Lowers both ways of a decision that takes at most `upper_bound` seconds, each from where it was taken, and goes on with what holds behind both.
    pub(crate) fn either(
        &mut self,
        upper_bound: u64,
        condition: &Expr,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        let summary = format!("see whether {}", self.describe(condition));
        let action = Action::Decide {
            condition: condition.clone(),
        };
        self.action(Risk::Reads, upper_bound, summary, action);
        let Some(decision) = self.actions.last().map(|planned| planned.id.clone()) else {
            return;
        };
        let before = self.standing();
        self.guards.push(Guard {
            decision,
            holds: true,
        });
        then(self);
        let behind_then = self.standing();
        self.stand(before);
        if let Some(guard) = self.guards.last_mut() {
            guard.holds = false;
        }
        otherwise(self);
        self.guards.pop();
        self.join(&behind_then);
    }

    fn standing(&self) -> Standing {
        Standing {
            ledger: self.ledger.clone(),
            active_now: self.active_now.clone(),
            completed: self.completed.clone(),
        }
    }

    fn stand(&mut self, standing: Standing) {
        self.ledger = standing.ledger;
        self.active_now = standing.active_now;
        self.completed = standing.completed;
    }

    fn join(&mut self, other: &Standing) {
        self.ledger.join(&other.ledger);
        self.active_now
            .retain(|application, database| other.active_now.get(application) == Some(database));
        self.completed.retain(|name| other.completed.contains(name));
    }

    /// Whether the statement that is lowered is done only perhaps. What it alone needs of the world isn't proven at preflight then:
    /// a run must not be refused for the sake of a way that it doesn't go.
    pub(crate) fn is_guarded(&self) -> bool {
        !self.guards.is_empty()
    }

    /// A database's past is restored: preflight proves that it can be, and that the instant can, where it is known by then.
    pub(crate) fn must_be_restorable(
        &mut self,
        source: &DatabaseName,
        instance: &InstanceId,
        at: &AsOf,
    ) {
        let is_replaced = self.is_created_here(source) || self.destroyed.contains(source);
        if self.is_guarded() || is_replaced {
            return;
        }
        let at = match at {
            AsOf::Time { at } if self.is_known_at_preflight(at) => AsOf::Time { at: at.clone() },
            AsOf::Time { .. } | AsOf::Latest => AsOf::Latest,
        };
        self.prove_behind(Preflight::RestoreWindow {
            database: source.clone(),
            instance: instance.clone(),
            at,
        });
    }

    /// A snapshot is made under a name: preflight proves that none has it, where the name is known by then.
    pub(crate) fn no_such_snapshot(&mut self, id: &Template) {
        let is_known = id.0.iter().all(|part| match part {
            TemplatePart::Text(_) => true,
            TemplatePart::Expr(expr) => self.is_known_at_preflight(expr),
        });
        if is_known && !self.is_guarded() {
            self.prove_behind(Preflight::SnapshotAbsent { id: id.clone() });
        }
    }

    fn prove_behind(&mut self, preflight: Preflight) {
        if !self.behind.contains(&preflight) {
            self.behind.push(preflight);
        }
    }

    /// Whether an expression has the same value at preflight as when the run gets to it: it is made of literals, parameters and the
    /// `let`s at the top.
    fn is_known_at_preflight(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Value(_) | Expr::Parameter { .. } => true,
            Expr::Binding { name, .. } => self.observed_first.contains(name),
            Expr::Not(inner) | Expr::Negate(inner) => self.is_known_at_preflight(inner),
            Expr::Binary { left, right, .. } => {
                self.is_known_at_preflight(left) && self.is_known_at_preflight(right)
            }
            _ => false,
        }
    }
}

/// Whoever approves a destruction types the name of the database that it strikes: the first one before the next approval. Where that
/// depends on decisions that aren't taken by then, all that may be struck are named.
pub(super) fn name_what_must_be_typed(actions: &mut [PlannedAction]) {
    let named: Vec<Option<String>> = actions
        .iter()
        .enumerate()
        .map(|(index, planned)| {
            let behind = actions.get(index + 1..).unwrap_or_default();
            matches!(planned.action, Action::Approve { .. })
                .then(|| struck_behind(planned, behind))
                .flatten()
        })
        .collect();
    for (planned, name) in actions.iter_mut().zip(named) {
        if let Action::Approve { typed, .. } = &mut planned.action {
            *typed = name;
        }
    }
}

fn struck_behind(approval: &PlannedAction, behind: &[PlannedAction]) -> Option<String> {
    // What is certainly done before another action, on whatever way that is.
    let mut before: Vec<&[Guard]> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for planned in behind {
        let guards = planned.only_if.as_slice();
        let contradicts = |guard: &Guard| {
            approval
                .only_if
                .iter()
                .any(|other| other.decision == guard.decision && other.holds != guard.holds)
        };
        let is_settled = before.iter().any(|earlier| {
            let certain =
                |guard: &Guard| guards.contains(guard) || approval.only_if.contains(guard);
            earlier.iter().all(certain)
        });
        if is_settled || guards.iter().any(contradicts) {
            continue;
        }
        match &planned.action {
            Action::Approve { .. } => before.push(guards),
            Action::ChangeSchema { database, .. } | Action::DestroyInstance { database, .. }
                if planned.risk == Risk::Destroys =>
            {
                before.push(guards);
                let name = database.to_string();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            _ => {}
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}
