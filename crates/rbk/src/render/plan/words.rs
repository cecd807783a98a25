//! What a plan says of itself besides its actions, in words that the terminal and a comment share.

use super::schema;
use crate::render::colour::{Paint, printable};
use rbk_core::plan::{
    Action, AsOf, Dress, Expr, Origin, Parameter, Plan, PlannedAction, Preflight, Risk, Step,
    Wording,
};
use rbk_core::value::Value;

/// A parameter's value, with the instance behind a database's name.
pub fn value(plan: &Plan, wording: &Wording<'_, Paint>, value: &Value) -> String {
    let text = wording.literal(value);
    match value {
        Value::Database(name) => match plan.environment.database(name) {
            Some(database) => format!("{text} (instance {})", database.instance),
            None => text,
        },
        _ => text,
    }
}

/// What a parameter is in this plan: its value, or that it is a hole.
pub fn parameter(
    plan: &Plan,
    wording: &Wording<'_, Paint>,
    paint: Paint,
    parameter: &Parameter,
) -> String {
    match &parameter.value {
        Some(known) => value(plan, wording, known),
        None => paint.hole("given when it is run"),
    }
}

/// Who gave a parameter's value.
pub fn origin(origin: Origin, environment: &str) -> String {
    match origin {
        Origin::Given => "given with --set".to_owned(),
        Origin::Environment => format!("from environment {}", printable(environment)),
        Origin::Default => "the runbook's default".to_owned(),
        Origin::Open => "a hole".to_owned(),
    }
}

/// What is read or proven before the first effect.
pub fn preflight(wording: &Wording<'_, Paint>, preflight: &Preflight) -> String {
    match preflight {
        Preflight::Identity { account, region } => {
            format!("the credentials are of account {account}, the region is {region}")
        }
        Preflight::Absent { database, instance } => {
            format!("there is no instance {instance} yet ({database})")
        }
        Preflight::SecretVersion { secret } => format!(
            "the secret {secret} exists and isn't being rotated; its current version is remembered"
        ),
        Preflight::ActiveDatabase { application } => {
            format!("which database {application} uses; remembered for `on failure`")
        }
        Preflight::Instance {
            database,
            instance,
            if_there: false,
        } => format!("instance {instance} ({database}) is there; its identity is remembered"),
        Preflight::Instance {
            database,
            instance,
            if_there: true,
        } => {
            format!("whether instance {instance} ({database}) is there; its identity is remembered")
        }
        Preflight::RestoreWindow {
            database,
            instance,
            at,
        } => match at {
            AsOf::Latest => {
                format!("instance {instance} ({database}) can be restored to a point in time")
            }
            AsOf::Time { at } => format!(
                "instance {instance} ({database}) can be restored to {}",
                wording.expr(at)
            ),
        },
        Preflight::SnapshotAbsent { id } => {
            format!("there is no snapshot {} yet", wording.template(id))
        }
        Preflight::ReplicationSubnetGroup { name } => {
            format!("the DMS replication subnet group {name} is there")
        }
        Preflight::Catalog { database, scope } => schema::catalog_words(database, scope),
        Preflight::Observe { statement, .. } | Preflight::Require { statement, .. } => {
            printable(statement)
        }
    }
}

/// What an action depends on: `if sgpt uses original (decided by Switch#2)`; nothing where it is done in any case.
pub fn guards(
    plan: &Plan,
    wording: &Wording<'_, Paint>,
    planned: &PlannedAction,
) -> Option<String> {
    let guards: Vec<String> = planned
        .only_if
        .iter()
        .map(|guard| {
            let decided = plan.actions().find(|other| other.id == guard.decision);
            let condition = match decided.map(|other| &other.action) {
                Some(Action::Decide { condition }) if guard.holds => wording.expr(condition),
                Some(Action::Decide { condition }) => {
                    wording.expr(&Expr::Not(Box::new(condition.clone())))
                }
                // A plan from a file may have been edited by hand.
                Some(_) | None => "something holds that the plan doesn't say".to_owned(),
            };
            let by = printable(guard.decision.as_str());
            format!("{condition} (decided by {by})")
        })
        .collect();
    (!guards.is_empty()).then(|| format!("only if {}", guards.join(", and ")))
}

/// The other steps that a step is done together with.
pub fn together<'p>(plan: &'p Plan, step: &Step) -> Vec<&'p Step> {
    if step.parallel.is_none() {
        return Vec::new();
    }
    let others = plan.steps.iter();
    others
        .filter(|other| other.parallel == step.parallel && other.path != step.path)
        .collect()
}

/// `, together with "A" and "B"`; nothing for a step that is done by itself.
pub fn together_words(plan: &Plan, step: &Step) -> String {
    let names: Vec<String> = together(plan, step)
        .iter()
        .map(|other| format!("\"{}\"", printable(other.path.as_str())))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", together with {}", names.join(" and "))
    }
}

/// `20 actions: 9 read, 1 creates, 10 change`
pub fn count(plan: &Plan) -> String {
    let actions = || plan.steps.iter().flat_map(|step| &step.actions);
    let parts: Vec<String> = [
        (Risk::Reads, "read"),
        (Risk::Creates, "create"),
        (Risk::Changes, "change"),
        (Risk::Destroys, "destroy"),
    ]
    .into_iter()
    .filter_map(|(risk, word)| {
        let count = actions().filter(|planned| planned.risk == risk).count();
        (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "s" } else { "" }))
    })
    .collect();
    let number = actions().count();
    format!(
        "{number} action{}: {}",
        if number == 1 { "" } else { "s" },
        if parts.is_empty() {
            "nothing to do".to_owned()
        } else {
            parts.join(", ")
        },
    )
}
