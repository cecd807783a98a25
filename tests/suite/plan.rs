//! `rbk plan`: what a reviewer reads.

use crate::process::{rbk, root, said};
use rbk_core::plan::{Action, PLAN_VERSION, Plan};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[track_caller]
fn output(arguments: &[&str]) -> std::process::Output {
    let mut all = vec!["plan", "runbooks/quick-recovery.rbk"];
    all.extend(arguments);
    rbk(&all).output().expect("rbk starts")
}

/// Without the hash of the runbook, which changes with each word of it.
fn stable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let cut = line.find("(sha256 ").map_or(line.len(), |at| at);
        out.push_str(line.get(..cut).unwrap_or(line).trim_end());
        out.push('\n');
    }
    out
}

#[test]
fn every_action_is_shown_with_its_exact_parameters() {
    for environment in ["prod", "parcels"] {
        let output = output(&["--env", environment]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        insta::assert_snapshot!(environment, stable(&said(&output)));
    }
}

#[test]
fn every_statement_on_schema_objects_is_shown_in_full() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/lang/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, environment) in [
        ("rebuild", "team.toml"),
        ("schema_statements", "team.toml"),
        ("restored", "team.toml"),
        ("hostile", "plans/hostile.toml"),
        ("procedures", "team.toml"),
        ("repair", "team.toml"),
        ("return", "plans/return.toml"),
        ("branches", "team.toml"),
        ("typed", "plans/typed.toml"),
        ("latest", "team.toml"),
    ] {
        let file = format!("tests/lang/plans/{name}.rbk");
        let environment = format!("tests/lang/{environment}");
        let output = rbk(&["plan", &file, "--env", &environment])
            .output()
            .expect("rbk starts");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let plan = stable(&String::from_utf8_lossy(&output.stdout));
        settings.bind(|| insta::assert_snapshot!(format!("plan_{name}"), plan));
    }
}

#[test]
fn the_json_document_is_the_plan_that_would_run() {
    let output = output(&["--env", "prod", "--format", "json"]);
    let plan: Plan = serde_json::from_slice(&output.stdout).expect("a plan");
    assert_eq!(plan.version, PLAN_VERSION);
    assert_eq!(plan.steps.len(), 3);
    assert!(output.stderr.is_empty(), "{}", said(&output));
}

#[test]
fn each_call_of_a_procedure_has_actions_and_values_of_its_own() {
    let file = "tests/lang/plans/procedures.rbk";
    let output = rbk(&[
        "plan",
        file,
        "--env",
        "tests/lang/team.toml",
        "--format",
        "json",
    ])
    .output()
    .expect("rbk starts");
    let plan: Plan = serde_json::from_slice(&output.stdout).expect("a plan");
    let actions = || {
        let steps = plan.steps.iter().flat_map(|step| &step.actions);
        steps.chain(&plan.on_failure)
    };
    let ids: BTreeSet<&str> = actions().map(|action| action.id.as_str()).collect();
    assert_eq!(ids.len(), actions().count());
    for id in [
        "Restore/bring#1",
        "Restore/bring/log_in#2",
        "Restore#1",
        "Restore/count_rows#1",
        "Restore/compare#2",
        "Renew/count_rows#1",
        "on failure/count_rows#2",
    ] {
        assert!(ids.contains(id), "no {id} among {ids:?}");
    }
    let values: Vec<&str> = actions()
        .filter_map(|action| match &action.action {
            Action::Observe { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        values,
        [
            "count_rows.rows",
            "compare.rows",
            "Renew/count_rows.rows",
            "on failure/count_rows.rows"
        ]
    );
    let used: Vec<_> = plan
        .runbook
        .uses
        .iter()
        .map(|used| (used.file.as_str(), used.sha256.clone()))
        .collect();
    let file = |name: &str| {
        let bytes = std::fs::read(root().join(name)).expect("it is there");
        hex::encode(Sha256::digest(bytes))
    };
    assert_eq!(used.len(), 2);
    for (name, sha256) in used {
        assert_eq!(sha256, file(name));
    }
}

#[test]
fn a_plan_that_changes_something_can_be_told_by_its_exit_code() {
    assert_eq!(output(&["--detailed-exitcode"]).status.code(), Some(2));
    assert_eq!(output(&[]).status.code(), Some(0));
}

#[test]
fn a_given_parameter_is_shown_as_given() {
    let output = output(&["--set", "max_loss=90m"]);
    assert!(
        said(&output).contains("max_loss  duration     1h30m"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("given with --set"),
        "{}",
        said(&output)
    );
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let output = output(&["--set", "max_loss=4", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["summary"]["errors"], 1, "{document}");
}
