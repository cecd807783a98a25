//! What differs, in words that the terminal and a comment share.

use rbk_core::plan::diff::{
    ActionChange, Compared, PlanDiff, PreflightChange, StepChange, StepFate,
};
use rbk_core::plan::{Bound, PlannedAction, Preflight};
use rbk_core::value::duration_text;
use serde_json::Value;

/// Paths that end so hold seconds.
const SECONDS: [&str; 5] = [
    "within",
    "every",
    "upper_bound",
    "lock_timeout",
    "connect_timeout",
];

/// A path as a reader reads it.
pub fn path_words(path: &str) -> &str {
    match path {
        "upper_bound" => "takes at most",
        "lock_timeout" => "waits for locks at most",
        "only_if" => "only if",
        other => other,
    }
}

/// A value as a reader reads it: texts without quotes, lengths of time in their units, the rest as JSON.
pub fn value_words(path: &str, value: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or_default();
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if SECONDS.contains(&name) => number
            .as_u64()
            .map_or_else(|| number.to_string(), duration_text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<String> = items.iter().map(|item| value_words("", item)).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

/// What is compared with what.
pub fn origin_words(diff: &PlanDiff) -> String {
    let place = |side: &Compared| {
        format!(
            "{}, account {}, region {}",
            side.environment, side.account, side.region
        )
    };
    let head = &diff.head;
    match &diff.base {
        None => format!("{}, new, for {}", head.file, place(head)),
        Some(base) if place(base) == place(head) => format!("{} for {}", head.file, place(head)),
        Some(base) => format!(
            "{} for {}; before for {}",
            head.file,
            place(head),
            place(base)
        ),
    }
}

/// What is said where nothing differs.
pub fn nothing(diff: &PlanDiff) -> &'static str {
    if diff.text_differs {
        "Nothing changes in what is done: only comments, titles or layout differ."
    } else {
        "Nothing changes: neither text nor actions differ."
    }
}

/// `3 actions added, 1 removed. 23 actions, before 21. Takes at most 2h, before at most 1h.`
pub fn total(diff: &PlanDiff) -> String {
    let lists = diff.steps.iter().map(|step| &step.actions);
    let all: Vec<&ActionChange> = lists
        .chain([&diff.on_failure, &diff.cleanup])
        .flatten()
        .collect();
    let count = |is: fn(&ActionChange) -> bool| all.iter().filter(|change| is(change)).count();
    let parts: Vec<String> = [
        (
            count(|change| matches!(change, ActionChange::Added { .. })),
            "added",
        ),
        (
            count(|change| matches!(change, ActionChange::Removed { .. })),
            "removed",
        ),
        (
            count(|change| matches!(change, ActionChange::Changed { .. })),
            "changed",
        ),
        (
            count(|change| matches!(change, ActionChange::Moved { .. })),
            "moved",
        ),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    let differing = if parts.is_empty() {
        "No action differs".to_owned()
    } else {
        format!("Actions: {}", parts.join(", "))
    };
    let bound = |side: &Compared| Bound {
        seconds: side.upper_bound,
        people: side.people,
    };
    let (head, base) = (&diff.head, &diff.base);
    let before = |now: String, then: Option<String>| match then {
        Some(then) if then != now => format!("{now}, before {then}"),
        _ => now,
    };
    let number = before(
        head.actions.to_string(),
        base.as_ref().map(|base| base.actions.to_string()),
    );
    let time = before(
        bound(head).to_string(),
        base.as_ref().map(|base| bound(base).to_string()),
    );
    format!("{differing}. The steps have {number}. Takes {time}.")
}

/// A line about an action that differs.
pub fn change_words(change: &ActionChange) -> String {
    match change {
        ActionChange::Added { action } | ActionChange::Removed { action } => action.summary.clone(),
        ActionChange::Moved { from, action, .. } => format!("{} (stood at {from})", action.summary),
        ActionChange::Changed { action, .. } => action.summary.clone(),
    }
}

/// The action that a change is about.
pub fn planned(change: &ActionChange) -> &PlannedAction {
    match change {
        ActionChange::Added { action }
        | ActionChange::Removed { action }
        | ActionChange::Moved { action, .. }
        | ActionChange::Changed { action, .. } => action,
    }
}

/// A step's heading.
pub fn step_words(step: &StepChange) -> String {
    let mut text = match step.step {
        StepFate::Added => format!("New step \"{}\"", step.path),
        StepFate::Removed => format!("Step \"{}\" is gone", step.path),
        StepFate::Kept => format!("Step \"{}\"", step.path),
    };
    if let Some(old) = &step.renamed_from {
        text.push_str(&format!(", before \"{old}\""));
    }
    if let Some(moved) = step.moved {
        text.push_str(&format!(
            ", now step {}, before step {}",
            moved.new, moved.old
        ));
    }
    text
}

/// A line about what is read and proven first.
pub fn preflight_words(change: &PreflightChange) -> String {
    let (PreflightChange::Added { preflight }
    | PreflightChange::Removed { preflight }
    | PreflightChange::Changed { preflight, .. }) = change;
    match preflight {
        Preflight::Identity { account, region } => {
            format!("the credentials are of account {account}, the region is {region}")
        }
        Preflight::Absent { database, instance } => {
            format!("there is no instance {instance} yet ({database})")
        }
        Preflight::SecretVersion { secret } => {
            format!("the secret {secret} exists and isn't being rotated")
        }
        Preflight::ActiveDatabase { application } => format!("which database {application} uses"),
        Preflight::Instance {
            database,
            instance,
            if_there: false,
        } => format!("instance {instance} ({database}) is there"),
        Preflight::Instance {
            database,
            instance,
            if_there: true,
        } => format!("whether instance {instance} ({database}) is there"),
        Preflight::RestoreWindow {
            database, instance, ..
        } => format!("instance {instance} ({database}) can be restored to the point in time"),
        Preflight::SnapshotAbsent { .. } => "there is no snapshot of that name yet".to_owned(),
        Preflight::ReplicationSubnetGroup { name } => {
            format!("the DMS replication subnet group {name} is there")
        }
        Preflight::Catalog { database, .. } => {
            format!("the schemas of {database} are as the lock file says")
        }
        Preflight::Observe { statement, .. } | Preflight::Require { statement, .. } => {
            statement.clone()
        }
    }
}
