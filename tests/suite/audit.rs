//! `runbooks/backup-audit.rbk`: it finds what is wrong with backups, changes nothing, and asks nobody.

use crate::account::{Account, ORIGINAL, assert_exit, eventually};
use crate::process::{rbk, said};
use serde_json::Value;
use std::process::Output;

const RUNBOOK: &str = "runbooks/backup-audit.rbk";

fn audit(account: &Account, set: &[&str]) -> Output {
    let mut arguments = vec!["run", RUNBOOK, "--env", "prod"];
    for one in set {
        arguments.extend(["--set", one]);
    }
    account.finish(&arguments)
}

#[test]
fn good_backups_are_told_as_such_and_nothing_is_changed() {
    let account = Account::start();
    let output = audit(&account, &[]);
    assert_exit(&output, 0);
    let told = said(&output);
    for seen in ["7d >= 7d", "<= 1d1h", "<= 15m"] {
        assert!(told.contains(seen), "{seen}: {told}");
    }
    assert!(!told.contains("stack must say"), "{told}");
    assert_eq!(account.ledger(), Vec::<Value>::new());
    let journal = account.journal();
    let leases: Vec<&Value> = journal
        .iter()
        .filter(|record| record["type"] == "lease")
        .map(|record| &record["body"]["entities"])
        .collect();
    // It keeps others from this run only, and from no instance.
    let own = serde_json::json!([format!("run {}", account.only_run())]);
    assert_eq!(leases, [&own]);
}

#[test]
fn each_finding_has_its_words_and_the_exit_code_3() {
    let account = Account::start();
    let output = audit(&account, &["keep_for=30d"]);
    assert_exit(&output, 3);
    let told = said(&output);
    assert!(
        told.contains(
            "kept for 7d, and not for 30d (`assert retention(source) >= keep_for`: 7d >= 30d)"
        ),
        "{told}"
    );
    // There is no `on failure` that could have run.
    assert!(!told.contains("`on failure`"), "{told}");

    // A second passes, and so there was none in it.
    let gap = eventually("there was no snapshot for a second", || {
        let output = audit(&account, &["max_gap=1s"]);
        said(&output)
            .contains("original had no snapshot for")
            .then_some(output)
    });
    assert_exit(&gap, 3);

    account.control("PUT", &format!("/_sandbox/stalls/{ORIGINAL}"), "");
    let stale = eventually("the newest instant is a second old", || {
        let output = audit(&account, &["max_lag=1s"]);
        (output.status.code() != Some(0)).then_some(output)
    });
    assert_exit(&stale, 3);
    let told = said(&stale);
    assert!(
        told.contains("the newest restorable instant of original is"),
        "{told}"
    );
    assert_eq!(account.ledger(), Vec::<Value>::new());
}

#[test]
fn all_findings_are_told_at_once() {
    let account = Account::start();
    account.control("PUT", &format!("/_sandbox/stalls/{ORIGINAL}"), "");
    let output = eventually("both are found", || {
        let output = audit(&account, &["keep_for=30d", "max_lag=1s"]);
        said(&output)
            .contains("the newest restorable instant")
            .then_some(output)
    });
    assert_exit(&output, 3);
    assert!(
        said(&output).contains("and not for 30d"),
        "{}",
        said(&output)
    );
}

#[test]
fn it_needs_nobody_to_say_that_nothing_else_runs() {
    let run = |runbook: &str| {
        rbk(&[
            "run",
            runbook,
            "--env",
            "prod",
            "--set",
            "at=2026-11-22T09:15:00Z",
        ])
        // Not this machine, and refused before a byte is sent: it isn't TLS.
        .env("AWS_ENDPOINT_URL", "http://192.0.2.1:1")
        .output()
        .expect("rbk starts")
    };
    let other = run("runbooks/point-in-time.rbk");
    assert_exit(&other, 64);
    assert!(said(&other).contains("--alone"), "{}", said(&other));
    let output = rbk(&["run", RUNBOOK, "--env", "prod"])
        .env("AWS_ENDPOINT_URL", "http://192.0.2.1:1")
        .output()
        .expect("rbk starts");
    assert!(!said(&output).contains("--alone"), "{}", said(&output));
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn a_drill_of_it_leaves_everything_as_it_was() {
    let state = tempfile::tempdir().expect("a folder");
    let output = rbk(&["drill", RUNBOOK, "--rows", "50", "--format", "json"])
        .env("XDG_STATE_HOME", state.path())
        .output()
        .expect("rbk starts");
    assert_exit(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(report["outcome"], "unchanged", "{report}");
    assert_eq!(report["database"], "original");
}
