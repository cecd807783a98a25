//! What a reviewer looks at first: what is destroyed, whether somebody is asked, what is proven, and where all of it happens.

use super::Sides;
use super::actions::{self, Aligned, PreflightChange, is_proof};
use crate::ids::ActionId;
use crate::plan::{Action, FinalSnapshot, Freeze, Plan, PlannedAction, Preflight, Risk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What kind of thing a reviewer looks at first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RiskKind {
    /// Another account or region.
    Place,
    /// Something is destroyed, or isn't any more.
    Destroys,
    /// What a destroyed instance leaves.
    FinalSnapshot,
    /// What an action does to the world.
    Risk,
    /// Whether a person is asked.
    Approval,
    /// Whether writes are stopped before data is read or moved.
    Freeze,
    /// RDS's protection from deletion.
    Protection,
    /// What is proven before or between.
    Proof,
}

/// Something a reviewer looks at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RiskChange {
    /// What it is about.
    pub kind: RiskKind,
    /// Whether the new plan is the more dangerous one.
    pub worse: bool,
    /// The action that it is about, by its identity in the plan that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// In a line: `now destroys: delete instance statistagptdb`.
    pub text: String,
}

/// Everything of that kind, what is more dangerous first.
pub(super) fn risks(base: Option<&Plan>, head: &Plan, sides: &Sides<'_>) -> Vec<RiskChange> {
    let mut found = Vec::new();
    if let Some(base) = base {
        place(base, head, &mut found);
        preflight(base, head, &mut found);
        asked(base, head, sides, &mut found);
    }
    for pair in sides.pairs() {
        match *pair {
            Aligned::Old(old) if sides.moved.contains_key(&old.id) => {}
            Aligned::Old(old) => alone(old, false, &mut found),
            Aligned::New(new) if sides.moved.values().any(|moved| *moved == new.id) => {}
            Aligned::New(new) => alone(new, true, &mut found),
            Aligned::Both(old, new) => both(old, new, &mut found),
        }
    }
    // A new runbook takes nothing away that was proven or asked before.
    found.sort_by_key(|change| (!change.worse, change.kind));
    found
}

fn tell(
    found: &mut Vec<RiskChange>,
    kind: RiskKind,
    worse: bool,
    action: Option<&PlannedAction>,
    text: String,
) {
    found.push(RiskChange {
        kind,
        worse,
        action: action.map(|planned| planned.id.clone()),
        text,
    });
}

fn place(base: &Plan, head: &Plan, found: &mut Vec<RiskChange>) {
    let (old, new) = (&base.environment, &head.environment);
    for (what, old, new) in [
        ("account", &old.account, &new.account),
        ("region", &old.region, &new.region),
    ] {
        if old != new {
            let text = format!("now in {what} {new}, not {old}");
            tell(found, RiskKind::Place, true, None, text);
        }
    }
    for (name, after) in &new.databases {
        let Some(before) = old.databases.get(name) else {
            continue;
        };
        if before.protect != after.protect {
            let text = if after.protect {
                format!("{name} is protected now: nothing may destroy it")
            } else {
                format!("{name} isn't protected any more: what destroys it is allowed")
            };
            tell(found, RiskKind::Protection, !after.protect, None, text);
        }
        if before.instance != after.instance {
            let text = format!(
                "{name} is instance {} now, not {}",
                after.instance, before.instance
            );
            tell(found, RiskKind::Place, true, None, text);
        }
        if !before.publicly_accessible && after.publicly_accessible {
            let text = format!("{name} gets a public address");
            tell(found, RiskKind::Protection, true, None, text);
        }
    }
}

/// Preconditions that are gone, new or other ones.
fn preflight(base: &Plan, head: &Plan, found: &mut Vec<RiskChange>) {
    for change in actions::preflight(&base.preflight, &head.preflight) {
        let (worse, words, preflight) = match &change {
            PreflightChange::Removed { preflight } => {
                (true, "no longer proven before the first effect", preflight)
            }
            PreflightChange::Added { preflight } => {
                (false, "now proven before the first effect", preflight)
            }
            // Whether the new condition asks for less is for the reviewer to see.
            PreflightChange::Changed { preflight, .. } => (
                true,
                "something else is proven before the first effect",
                preflight,
            ),
        };
        if let Preflight::Require { statement, .. } = preflight {
            let text = format!("{words}: {statement}");
            tell(found, RiskKind::Proof, worse, None, text);
        }
    }
}

/// What is destroyed without anybody having been asked in the step, where somebody was.
fn asked(base: &Plan, head: &Plan, sides: &Sides<'_>, found: &mut Vec<RiskChange>) {
    let was_asked = asked_before(base);
    let is_asked = asked_before(head);
    for pair in sides.of_steps() {
        let (old, new) = match *pair {
            Aligned::Both(old, new) => (&old.id, new),
            Aligned::New(new) => match sides.moved.iter().find(|(_, to)| **to == new.id) {
                Some((from, _)) => (from, new),
                None => continue,
            },
            Aligned::Old(_) => continue,
        };
        if new.risk == Risk::Destroys && was_asked.contains(old) != is_asked.contains(&new.id) {
            let worse = was_asked.contains(old);
            let text = if worse {
                format!("nobody is asked before it any more: {}", new.summary)
            } else {
                format!("a person is asked before it now: {}", new.summary)
            };
            tell(found, RiskKind::Approval, worse, Some(new), text);
        }
    }
}

/// The actions with an `approve` before them in their step.
fn asked_before(plan: &Plan) -> HashSet<ActionId> {
    let mut found = HashSet::new();
    for step in &plan.steps {
        let mut asked = false;
        for planned in &step.actions {
            if asked {
                found.insert(planned.id.clone());
            }
            asked |= matches!(planned.action, Action::Approve { .. });
        }
    }
    found
}

/// An action that only one of the plans has.
fn alone(planned: &PlannedAction, is_new: bool, found: &mut Vec<RiskChange>) {
    let summary = &planned.summary;
    let said = |now: &str, gone: &str| {
        let words = if is_new { now } else { gone };
        format!("{words}: {summary}")
    };
    match &planned.action {
        Action::Approve { .. } => {
            let text = said("now asks", "no longer asks");
            tell(found, RiskKind::Approval, !is_new, Some(planned), text);
        }
        Action::FreezeWrites { .. } | Action::ProveFrozen { .. } | Action::KeepFrozen { .. } => {
            let text = said("now", "no longer");
            tell(found, RiskKind::Freeze, !is_new, Some(planned), text);
        }
        _ if planned.risk == Risk::Destroys => {
            let text = said("now destroys", "no longer destroys");
            tell(found, RiskKind::Destroys, is_new, Some(planned), text);
        }
        _ if is_proof(planned) && !is_new => {
            let text = said("", "no longer proven");
            tell(found, RiskKind::Proof, true, Some(planned), text);
        }
        _ => {}
    }
}

/// An action that both plans have.
fn both(old: &PlannedAction, new: &PlannedAction, found: &mut Vec<RiskChange>) {
    if old.risk != new.risk {
        let text = format!(
            "now {}, before {}: {}",
            word(new.risk),
            word(old.risk),
            new.summary
        );
        let kind = if old.risk.max(new.risk) == Risk::Destroys {
            RiskKind::Destroys
        } else {
            RiskKind::Risk
        };
        tell(found, kind, new.risk > old.risk, Some(new), text);
    }
    match (&old.action, &new.action) {
        (
            Action::DestroyInstance {
                instance: was,
                final_snapshot: before,
                ..
            },
            Action::DestroyInstance {
                instance,
                final_snapshot: after,
                ..
            },
        ) => {
            if was != instance {
                let text = format!("now destroys instance {instance}, not {was}");
                tell(found, RiskKind::Destroys, true, Some(new), text);
            }
            let (before, after) = (
                *before == FinalSnapshot::None,
                *after == FinalSnapshot::None,
            );
            if before != after {
                let text = if after {
                    format!("leaves no final snapshot of {instance} any more")
                } else {
                    format!("leaves a final snapshot of {instance} now")
                };
                tell(found, RiskKind::FinalSnapshot, after, Some(new), text);
            }
        }
        (Action::Approve { typed: before, .. }, Action::Approve { typed: after, .. })
            if before != after =>
        {
            let text = match after {
                Some(name) => format!("`{name}` must be typed to agree now: {}", new.summary),
                None => format!("no name must be typed to agree any more: {}", new.summary),
            };
            tell(found, RiskKind::Approval, after.is_none(), Some(new), text);
        }
        (
            Action::FreezeWrites {
                freeze: was,
                if_reachable: before,
                ..
            },
            Action::FreezeWrites {
                freeze,
                if_reachable: after,
                ..
            },
        ) => {
            if before != after {
                let text = if *after {
                    format!(
                        "is skipped where the database can't be reached now: {}",
                        new.summary
                    )
                } else {
                    format!(
                        "fails where the database can't be reached now: {}",
                        new.summary
                    )
                };
                tell(found, RiskKind::Freeze, *after, Some(new), text);
            }
            let weaker = |freeze: &Freeze| *freeze == Freeze::ReadOnly;
            if weaker(was) != weaker(freeze) {
                let text = format!("writes are stopped in another way now: {}", new.summary);
                tell(found, RiskKind::Freeze, weaker(freeze), Some(new), text);
            }
        }
        (
            Action::RestoreFromSnapshot {
                settings: before, ..
            }
            | Action::RestoreToPointInTime {
                settings: before, ..
            },
            Action::RestoreFromSnapshot {
                settings: after, ..
            }
            | Action::RestoreToPointInTime {
                settings: after, ..
            },
        ) if before.deletion_protection != after.deletion_protection => {
            let text = if after.deletion_protection {
                format!("{} is made with deletion protection now", after.instance)
            } else {
                format!("{} is made without deletion protection now", after.instance)
            };
            let worse = !after.deletion_protection;
            tell(found, RiskKind::Protection, worse, Some(new), text);
        }
        _ => {}
    }
}

fn word(risk: Risk) -> &'static str {
    match risk {
        Risk::Reads => "reads",
        Risk::Creates => "creates",
        Risk::Changes => "changes",
        Risk::Destroys => "destroys",
    }
}
