//! Actions of two plans: which is which, and what differs of each.

use super::align::{EQUAL, Pair, align};
use super::values::{ValueChange, compare, document};
use crate::ids::ActionId;
use crate::plan::{Action, PlannedAction, Preflight, Risk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// An action that differs.
#[allow(clippy::large_enum_variant, reason = "differences are few")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum ActionChange {
    /// It is new.
    Added {
        /// The action.
        action: PlannedAction,
    },
    /// It is gone.
    Removed {
        /// The action.
        action: PlannedAction,
    },
    /// It is the same, at another place: in another step, or before what it stood behind.
    Moved {
        /// Where it stood.
        from: ActionId,
        /// The action, where it stands.
        action: PlannedAction,
        /// What differs of it all the same.
        changes: Vec<ValueChange>,
    },
    /// It does something else now.
    Changed {
        /// Its identity in the old plan.
        was: ActionId,
        /// What it did, in a line.
        summary_was: String,
        /// What differs.
        changes: Vec<ValueChange>,
        /// The action, as it is now.
        action: PlannedAction,
    },
}

/// Something that differs of what is read and proven before the first effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum PreflightChange {
    /// It is new.
    Added {
        /// What is read or proven.
        preflight: Preflight,
    },
    /// It is gone.
    Removed {
        /// What was read or proven.
        preflight: Preflight,
    },
    /// It is another one now.
    Changed {
        /// What differs.
        changes: Vec<ValueChange>,
        /// As it is now.
        preflight: Preflight,
    },
}

/// An action in its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aligned<'p> {
    Old(&'p PlannedAction),
    New(&'p PlannedAction),
    Both(&'p PlannedAction, &'p PlannedAction),
}

/// An action and what it is done to.
struct Targeted<'p> {
    planned: &'p PlannedAction,
    target: String,
}

/// Aligns actions of two steps.
pub(super) fn aligned<'p>(old: &'p [PlannedAction], new: &'p [PlannedAction]) -> Vec<Aligned<'p>> {
    let targeted = |actions: &'p [PlannedAction]| -> Vec<Targeted<'p>> {
        let targeted = |planned: &'p PlannedAction| Targeted {
            planned,
            target: target(&document(&planned.action)),
        };
        actions.iter().map(targeted).collect()
    };
    let (left, right) = (targeted(old), targeted(new));
    align(&left, &right, alike)
        .into_iter()
        .filter_map(|pair| {
            Some(match pair {
                Pair::Old(at) => Aligned::Old(old.get(at)?),
                Pair::New(at) => Aligned::New(new.get(at)?),
                Pair::Both(left, right) => Aligned::Both(old.get(left)?, new.get(right)?),
            })
        })
        .collect()
}

/// How much two actions are the same thing. Kind and target must be the same; who looks for the same condition is more alike.
pub(super) fn alike(left: &Targeted<'_>, right: &Targeted<'_>) -> u32 {
    let (old, new) = (left.planned, right.planned);
    if left.target != right.target
        || std::mem::discriminant(&old.action) != std::mem::discriminant(&new.action)
    {
        return 0;
    }
    if old.action == new.action {
        return EQUAL;
    }
    let is_close = match (&old.action, &new.action) {
        (
            Action::Await { condition: old, .. } | Action::Assert { condition: old, .. },
            Action::Await { condition: new, .. } | Action::Assert { condition: new, .. },
        ) => old == new,
        (Action::Observe { name: old, .. }, Action::Observe { name: new, .. }) => old == new,
        _ => true,
    };
    1 + u32::from(is_close) * 2 + u32::from(old.statement == new.statement)
}

/// What an action is done to. Another one makes it another action.
fn target(action: &Value) -> String {
    const NAMES: [&str; 8] = [
        "database",
        "secret",
        "role",
        "application",
        "replication",
        "side",
        "command",
        "from",
    ];
    let parts = NAMES.iter().filter_map(|name| {
        let part = action.get(name)?.as_str()?;
        Some(format!("{name}={part}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// What differs of a pair, if anything does. `renamed` tells the new identity of an old action, `gone` that of one that was moved away,
/// `came` the old one of an action that was moved here.
pub(super) fn told(
    pair: &Aligned<'_>,
    renamed: &HashMap<ActionId, ActionId>,
    gone: &HashMap<ActionId, ActionId>,
    came: &HashMap<&ActionId, &ActionId>,
) -> Option<ActionChange> {
    match *pair {
        // It is told where it stands now.
        Aligned::Old(old) if gone.contains_key(&old.id) => None,
        Aligned::Old(old) => Some(ActionChange::Removed {
            action: old.clone(),
        }),
        Aligned::New(new) => Some(match came.get(&new.id) {
            Some(from) => ActionChange::Moved {
                from: (*from).clone(),
                action: new.clone(),
                changes: Vec::new(),
            },
            None => ActionChange::Added {
                action: new.clone(),
            },
        }),
        Aligned::Both(old, new) => {
            let changes = differences(old, new, renamed);
            (!changes.is_empty()).then(|| ActionChange::Changed {
                was: old.id.clone(),
                summary_was: old.summary.clone(),
                changes,
                action: new.clone(),
            })
        }
    }
}

/// What differs of an action: everything but its place and its words.
pub(super) fn differences(
    old: &PlannedAction,
    new: &PlannedAction,
    renamed: &HashMap<ActionId, ActionId>,
) -> Vec<ValueChange> {
    let parts = |planned: &PlannedAction| {
        let mut whole = document(planned);
        let Value::Object(members) = &mut whole else {
            return (Value::Null, Value::Null);
        };
        for words in ["id", "statement", "summary"] {
            members.remove(words);
        }
        let mut action = members.remove("action").unwrap_or_default();
        // How large tables were is for the progress alone.
        if let (Action::Copy { .. }, Some(Value::Array(tables))) =
            (&planned.action, action.get_mut("tables"))
        {
            for table in tables.iter_mut().filter_map(Value::as_object_mut) {
                table.remove("bytes");
            }
        }
        (action, whole)
    };
    let (mut action, mut rest) = parts(old);
    let (new_action, new_rest) = parts(new);
    // Whoever names another action by its identity names the same one, whatever was put in before it.
    called_as_now(&mut action, renamed);
    called_as_now(&mut rest, renamed);
    let mut changes = compare("", &action, &new_action);
    changes.extend(compare("", &rest, &new_rest));
    changes
}

/// Gives the new identity wherever a document names another action as a decision.
fn called_as_now(document: &mut Value, renamed: &HashMap<ActionId, ActionId>) {
    match document {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(id) if name == "decision" => {
                        if let Some(new) = renamed.get(&ActionId::from(id.as_str())) {
                            *id = new.to_string();
                        }
                    }
                    other => called_as_now(other, renamed),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                called_as_now(item, renamed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What differs of what is read and proven before the first effect.
pub(super) fn preflight(old: &[Preflight], new: &[Preflight]) -> Vec<PreflightChange> {
    let bare = |items: &[Preflight]| -> Vec<Value> {
        let bare = |item| {
            let mut document = document(item);
            if let Value::Object(members) = &mut document {
                members.remove("statement");
            }
            document
        };
        items.iter().map(bare).collect()
    };
    let (left, right) = (bare(old), bare(new));
    let alike = |left: &Value, right: &Value| {
        if left == right {
            return EQUAL;
        }
        let is_same = |name: &str| left.get(name) == right.get(name);
        let names = ["preflight", "database", "secret", "application", "instance"];
        if !names.into_iter().all(is_same) {
            return 0;
        }
        1 + u32::from(is_same("name")) * 2 + u32::from(is_same("condition")) * 2
    };
    let mut changes = Vec::new();
    for pair in align(&left, &right, alike) {
        match pair {
            Pair::Old(at) => changes.extend(old.get(at).map(|it| PreflightChange::Removed {
                preflight: it.clone(),
            })),
            Pair::New(at) => changes.extend(new.get(at).map(|it| PreflightChange::Added {
                preflight: it.clone(),
            })),
            Pair::Both(before, after) => {
                let (Some(before), Some(bare), Some(after)) =
                    (left.get(before), right.get(after), new.get(after))
                else {
                    continue;
                };
                let differing = compare("", before, bare);
                if !differing.is_empty() {
                    changes.push(PreflightChange::Changed {
                        changes: differing,
                        preflight: after.clone(),
                    });
                }
            }
        }
    }
    changes
}

/// Whether an action proves or asks something before others go on.
pub(super) fn is_proof(planned: &PlannedAction) -> bool {
    planned.risk == Risk::Reads
        && !matches!(
            planned.action,
            Action::Note { .. }
                | Action::Observe { .. }
                | Action::Keep { .. }
                | Action::Approve { .. }
        )
}
