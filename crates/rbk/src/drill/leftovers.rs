//! What runs have left in the account: asked of the sandbox itself, not of its interfaces and not of the runs.

use super::proof::Finding;
use super::seed::Stage;
use rbk_core::plan::{Action, FinalSnapshot, Plan};

/// What must hold of the account once these runs are over. `done`: none of them has failed.
pub fn account(stage: &Stage, plans: &[&Plan], done: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if plans.iter().any(|plan| !plan.replications.is_empty()) {
        findings.push(replications(stage));
    }
    if !done {
        return findings;
    }
    let actions = plans.iter().flat_map(|plan| &plan.steps);
    for planned in actions.flat_map(|step| &step.actions) {
        if let Action::DestroyInstance {
            instance,
            final_snapshot,
            ..
        } = &planned.action
        {
            findings.extend(destroyed(stage, instance.as_str(), final_snapshot));
        }
    }
    findings
}

/// What DMS costs is billed until its config is gone.
fn replications(stage: &Stage) -> Finding {
    let billed = stage.sandbox.provisioned_capacity();
    let mut left = stage.sandbox.dms_resources();
    left.extend(billed.iter().map(|capacity| {
        format!(
            "{} capacity units of {} ({})",
            capacity.units, capacity.replication, capacity.status
        )
    }));
    Finding {
        what: "DMS".to_owned(),
        holds: left.is_empty(),
        seen: if left.is_empty() {
            "no endpoint, no replication config, no capacity that is billed".to_owned()
        } else {
            format!("left behind: {}", left.join(", "))
        },
    }
}

fn destroyed(stage: &Stage, instance: &str, wanted: &FinalSnapshot) -> Vec<Finding> {
    let status = stage.sandbox.instance_status(instance);
    let gone = Finding {
        what: format!("instance {instance}"),
        holds: status.is_none(),
        seen: status.map_or_else(|| "it is gone".to_owned(), |it| format!("it is {it}")),
    };
    let snapshots = stage.sandbox.manual_snapshots(instance);
    let available: Vec<&str> = snapshots
        .iter()
        .filter(|(_, status)| status == "available")
        .map(|(id, _)| id.as_str())
        .collect();
    let named = |id: &str| available.contains(&id);
    let holds = match wanted {
        FinalSnapshot::None => return vec![gone],
        FinalSnapshot::Generated => !available.is_empty(),
        FinalSnapshot::Named { id } => named(id.as_str()),
    };
    let seen = if snapshots.is_empty() {
        "there is none".to_owned()
    } else {
        let words: Vec<String> = snapshots
            .iter()
            .map(|(id, status)| format!("{id} is {status}"))
            .collect();
        words.join(", ")
    };
    vec![
        gone,
        Finding {
            what: format!("final snapshot of {instance}"),
            holds,
            seen,
        },
    ]
}
