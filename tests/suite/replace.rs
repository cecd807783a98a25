//! `runbooks/replace-original.rbk`: the application goes on with a snapshot, and the original goes; but never a protected one.

use crate::account::assert_exit;
use crate::process::{rbk, said};
use serde_json::Value;
use std::process::Output;

const RUNBOOK: &str = "runbooks/replace-original.rbk";

fn drill(arguments: &[&str]) -> (Output, Value) {
    let state = tempfile::tempdir().expect("a folder");
    let output = rbk(&[
        "drill", RUNBOOK, "--env", "stage", "--rows", "50", "--format", "json",
    ])
    .args(arguments)
    .env("XDG_STATE_HOME", state.path())
    .output()
    .expect("rbk starts");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (output, report)
}

#[test]
fn the_original_goes_once_the_application_has_left_it() {
    let (output, report) = drill(&[]);
    assert_exit(&output, 0);
    assert_eq!(report["outcome"], "recovered", "{report}");
    assert_eq!(report["database"], "recovery");
    let account = report["account"].as_array().expect("findings");
    assert_eq!(
        account.len(),
        2,
        "the instance and its snapshot: {account:?}"
    );
    assert!(
        account.iter().all(|finding| finding["holds"] == true),
        "{account:?}"
    );
    let steps = report["runs"][0]["steps"].as_array().expect("steps");
    assert_eq!(steps.last().expect("a step")["name"], "Remove the original");
}

#[test]
fn the_application_stays_where_it_works_when_the_original_cant_be_removed() {
    let (output, report) = drill(&["--fault", "DeleteDBInstance:1:denied"]);
    assert_exit(&output, 4);
    assert_eq!(report["database"], "recovery", "{report}");
    let after = &report["applications"][0]["writes"]["after_recovery"];
    assert_eq!(after["writes"], after["there"], "{report}");
}

#[test]
fn a_protected_original_is_refused_by_the_check() {
    let output = rbk(&["check", RUNBOOK, "--env", "prod"])
        .output()
        .expect("rbk starts");
    assert_exit(&output, 1);
    let said = said(&output);
    assert!(
        said.contains("RBK1057") && said.contains("`original` is protected by the environment"),
        "{said}"
    );
    let stage = rbk(&["check", RUNBOOK, "--env", "stage"])
        .output()
        .expect("rbk starts");
    assert_exit(&stage, 0);
}
