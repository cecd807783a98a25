//! `rbk run` and what follows it, against a sandbox that is left running: approvals, looking, giving up, interrupting,
//! and everything that keeps a run from beginning.

use crate::account::{
    Account, POINTER, PROD, RECOVERY, RUNBOOK, Running, assert_exit, assert_says,
};
use crate::process::{rbk, said};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Output;

#[track_caller]
fn json(output: &Output) -> Value {
    assert_exit(output, 0);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

#[test]
fn a_run_waits_for_its_approval_and_goes_on_with_it() {
    let account = Account::start();
    let first = account.finish(&["run", RUNBOOK, "--env", "prod"]);
    assert_exit(&first, 4);
    let run = account.only_run();
    assert_says(&first, "with these changes to the environment");
    assert_says(&first, "writes are FROZEN");
    assert_says(
        &first,
        &format!("rbk resume {run} --env prod --approve \"Switch the application\""),
    );

    // A run that stands still is no reason to refuse to look at it, nor is a part of its name.
    let short = run.rsplit('-').next().expect("eight digits");
    let status = account.finish(&["status", short, "--env", "prod"]);
    assert_exit(&status, 0);
    assert_says(&status, "Quick recovery in prod: suspended");
    assert_says(&status, &format!("rbk resume {run} --env prod"));
    let document = json(&account.finish(&["status", short, "--env", "prod", "--format", "json"]));
    assert_eq!(document["phase"], "suspended", "{document}");
    assert_eq!(
        document["first"]["failure"]["failure"], "unanswerable",
        "{document}"
    );
    assert_says(&account.finish(&["runs", "--env", "prod"]), "suspended");

    // Going on without an answer stops at the same place, and does nothing meanwhile.
    let before = account.ledger().len();
    let again = account.finish(&["resume", short, "--env", "prod"]);
    assert_exit(&again, 4);
    let wrong = account.finish(&["resume", short, "--env", "prod", "--approve", "Switch"]);
    assert_exit(&wrong, 64);
    assert_says(&wrong, "its steps are `Restore`");
    assert_eq!(account.ledger().len(), before);

    let step = "Switch the application";
    let resumed = account.finish(&["resume", short, "--env", "prod", "--approve", step]);
    assert_exit(&resumed, 0);
    assert_says(&resumed, "uses recovery (before: original)");
    account.end().assert_recovered();
    let document = json(&account.finish(&["status", short, "--env", "prod", "--format", "json"]));
    assert_eq!(document["phase"], "ended", "{document}");
    assert_eq!(document["ending"], "done", "{document}");
    let listed = json(&account.finish(&["runs", "--env", "prod", "--format", "json"]));
    assert_eq!(listed[0]["run"], run.as_str(), "{listed}");
    assert_eq!(listed[0]["status"]["ending"], "done", "{listed}");

    // Over is over.
    for verb in ["resume", "abort"] {
        let after = account.finish(&[verb, short, "--env", "prod", "--approve", "all"]);
        assert_exit(&after, 64);
        assert_says(&after, &format!("run `{run}` is over"));
    }

    // A second incident finds the first one's instance, says whose it is, and touches nothing.
    let before = account.ledger().len();
    let second = account.run();
    assert_exit(&second, 3);
    assert_says(
        &second,
        "instance `statistagptdb-recovery` of database `recovery` exists already",
    );
    assert_says(&second, &format!("rbk status {run}"));
    assert_eq!(account.ledger().len(), before);
    account.end().assert_recovered();
}

#[test]
fn an_approval_given_beforehand_needs_nobody() {
    let account = Account::start();
    let step = "Switch the application";
    let mut command = account.rbk(&["run", RUNBOOK, "--env", "prod", "--approve", step]);
    // What other clients of Postgres would follow is not followed, and that is said.
    command
        .env("PGHOST", "192.0.2.1")
        .env("DATABASE_URL", "postgres://elsewhere/db");
    let output = crate::process::finish(&mut command, crate::account::PATIENCE);
    assert_exit(&output, 0);
    assert_says(&output, "with --approve Switch the application");
    assert_says(&output, "warning: DATABASE_URL, PGHOST are set and ignored");
    account.end().assert_recovered();
}

#[test]
fn a_suspended_run_that_is_given_up_is_undone() {
    let account = Account::start();
    let first = account.finish(&["run", RUNBOOK, "--env", "prod"]);
    assert_exit(&first, 4);
    assert!(!account.opens("rds/statistagptdb"), "it isn't frozen");
    let run = account.only_run();
    let aborted = account.finish(&["abort", &run, "--env", "prod", "--because", "false alarm"]);
    assert_exit(&aborted, 0);
    assert_says(&aborted, "Given up");
    assert_says(&aborted, "writes are open");
    assert_says(&aborted, "application sgpt: uses original");
    account.assert_untouched();
    let status = account.finish(&["status", &run, "--env", "prod"]);
    assert_says(&status, "given up");
    assert_says(&status, "false alarm");
}

#[test]
fn a_switched_secret_is_brought_back_when_the_run_is_given_up() {
    let account = Account::start();
    // The call that makes the pointer's new version current is applied, and its answer lost with the process.
    let mut command = account.rbk(&["run", RUNBOOK, "--env", "prod", "--approve", "all"]);
    command.env("RBK_KILL_AT", "after-send:10");
    crate::process::finish(&mut command, crate::account::PATIENCE);
    assert_eq!(account.secret(POINTER), "rds/statistagptdb_recovery");
    let run = account.only_run();
    let status = account.finish(&["status", &run, "--env", "prod"]);
    assert_says(
        &status,
        "may have been switched to recovery (before: original)",
    );

    let aborted = account.finish(&["abort", &run, "--env", "prod"]);
    assert_exit(&aborted, 0);
    account.assert_untouched();
    let effects = account.effects();
    let [.., there, back] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let version = |effect: &str, key: &str| {
        let word = effect.split(' ').find_map(|word| word.strip_prefix(key));
        word.unwrap_or_else(|| panic!("{effect}")).to_owned()
    };
    assert!(back.contains(POINTER), "{back}");
    assert_eq!(
        version(there, "MoveToVersionId="),
        version(back, "RemoveFromVersionId=")
    );
    assert_eq!(
        version(there, "RemoveFromVersionId="),
        version(back, "MoveToVersionId=")
    );
}

#[test]
fn two_operators_exclude_each_other_and_ctrl_c_stops_at_a_boundary() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:after:hold=restore");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let first = Running::start(account.rbk(&arguments));
    account.until_held("restore");
    let run = account.only_run();

    let status = account.finish(&["status", &run, "--env", "prod"]);
    assert_says(&status, "Quick recovery in prod: running");
    assert_says(&account.finish(&["runs", "--env", "prod"]), "running");
    for arguments in [
        arguments.as_slice(),
        &["resume", &run, "--env", "prod"],
        &["abort", &run, "--env", "prod"],
    ] {
        let second = account.finish(arguments);
        assert_exit(&second, 6);
        assert_says(&second, &format!("is held by run `{run}`"));
    }
    assert_eq!(account.runs(), [run.as_str()]);

    first.signal(Signal::INT);
    account.release("restore");
    let output = first.end();
    assert_exit(&output, 5);
    assert_says(&output, "stopping after this action");
    assert_says(&output, &format!("rbk resume {run} --env prod"));
    let journal = account.journal();
    let outcomes = journal.iter().filter(|record| record["type"] == "outcome");
    assert_eq!(
        outcomes.count(),
        1,
        "it stopped elsewhere: {}",
        said(&output)
    );
    let status = account.finish(&["status", &run, "--env", "prod"]);
    assert_says(&status, "Quick recovery in prod: interrupted");

    assert_exit(&account.resume(), 0);
    account.end().assert_recovered();
    let restores = account.ledger().into_iter();
    let restores = restores.filter(|effect| effect["target"] == RECOVERY);
    // The restore and its new master password.
    assert_eq!(restores.count(), 2);
}

#[test]
fn ctrl_c_twice_waits_no_longer_and_resume_finds_what_became_of_it() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:after:hold=restore");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("restore");
    run.signal(Signal::INT);
    // A signal that comes before the first one was seen would be the same one.
    run.until_says("stopping after this action");
    run.signal(Signal::INT);
    let output = run.end();
    assert_exit(&output, 5);
    account.release("restore");
    assert_exit(&account.resume(), 0);
    account.end().assert_recovered();
}

#[test]
fn a_precondition_that_does_not_hold_stops_before_anything_is_touched() {
    let account = Account::start();
    let runbook = account.runbook_with(
        "require age(snap) <= max_loss",
        "require age(snap) > max_loss",
    );
    let output = account.finish(&["run", &runbook, "--env", PROD, "--approve", "all"]);
    assert_exit(&output, 3);
    assert_says(
        &output,
        "old: restore to a point in time instead (`require age(snap) > max_loss",
    );
    assert_says(&output, ", before the first effect: nothing was changed");
    assert!(account.ledger().is_empty(), "{:?}", account.ledger());

    let elsewhere = account.environment_with("123456789012", "999999999999");
    let output = account.finish(&["run", RUNBOOK, "--env", &elsewhere, "--approve", "all"]);
    assert_exit(&output, 3);
    assert_says(&output, "the credentials belong to account 123456789012");
    assert_says(&output, "the environment is account 999999999999");
    assert!(account.ledger().is_empty(), "{:?}", account.ledger());
    account.assert_untouched();
}

#[test]
fn an_assertion_that_fails_undoes_what_was_done() {
    let account = Account::start();
    let runbook = account.runbook_with(
        "await app is healthy within 10m",
        "await app is healthy within 10m\n  assert app uses source\n    else \"{app} has left {source}\"",
    );
    let output = account.finish(&["run", &runbook, "--env", PROD, "--approve", "all"]);
    assert_exit(&output, 3);
    assert_says(&output, "sgpt has left original");
    assert_says(&output, "s; `on failure` has run");
    assert_says(
        &output,
        "instance `statistagptdb-recovery` stays and is billed",
    );
    account.assert_untouched();
    let run = account.only_run();
    let status = account.finish(&["status", &run, "--env", PROD]);
    assert_says(&status, "failed");
}

#[test]
fn a_deadline_that_passes_fails_the_run() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:during:hold=copying");
    let runbook = account.runbook_with("within 60m every 15s", "within 1s every 1s");
    let output = account.finish(&["run", &runbook, "--env", PROD, "--approve", "all"]);
    assert_exit(&output, 3);
    assert_says(
        &output,
        "did not come true within 1s; last seen: status `creating`",
    );
    account.assert_untouched();
}

#[test]
fn more_time_for_a_wait_is_given_by_a_person_and_journaled() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:during:hold=copying");
    let runbook = account.runbook_with("within 60m every 15s", "within 60m every 1s");
    let waiting = Running::start(account.rbk(&["run", &runbook, "--env", PROD]));
    account.until_held("copying");
    waiting.until_says("status `creating`");
    waiting.signal(Signal::INT);
    assert_exit(&waiting.end(), 5);
    let run = account.only_run();

    for wrong in ["0s", "30", "later", "30m 5"] {
        let output = account.finish(&["resume", &run, "--env", PROD, "--extend", wrong]);
        assert_exit(&output, 64);
        assert_says(&output, "for instance `90s`, `30m` or `1h30m`");
    }
    account.release("copying");
    // What the file says by now counts for the next run only.
    let text = std::fs::read_to_string(&runbook).expect("the runbook");
    std::fs::write(&runbook, text.replace("within 60m every 1s", "within 1s")).expect("written");
    // It goes on to its approval, which nobody is here to give.
    let output = account.finish(&["resume", &run, "--env", PROD, "--extend", "1h30m"]);
    assert_exit(&output, 4);
    assert_says(&output, "changed.rbk` has changed since the run began");
    let extended = account.journal();
    let extended = extended.iter().find(|record| record["type"] == "extended");
    assert_eq!(extended.expect("journaled")["body"]["seconds"], 5400);

    let output = account.finish(&["resume", &run, "--env", PROD, "--extend", "30m"]);
    assert_exit(&output, 64);
    assert_says(&output, "there is nothing to extend");
    assert_exit(&account.resume(), 0);
    account.end().assert_recovered();
}

#[test]
fn a_local_lock_is_not_enough_for_a_real_account() {
    let store = tempfile::tempdir().expect("a folder");
    // An address that is reserved for documentation: whatever were sent would get lost, and take its time.
    let output = rbk(&[
        "run",
        RUNBOOK,
        "--env",
        "prod",
        "--approve",
        "all",
        "--store",
    ])
    .arg(store.path())
    .env("AWS_ENDPOINT_URL", "https://192.0.2.1")
    .env("AWS_ACCESS_KEY_ID", "any")
    .env("AWS_SECRET_ACCESS_KEY", "any")
    .output()
    .expect("rbk starts");
    assert_exit(&output, 64);
    assert_says(&output, "then add --alone; the journal says so");
    let left = std::fs::read_dir(store.path()).expect("readable").count();
    assert_eq!(left, 0);
}

#[test]
fn runs_that_are_not_there_are_told() {
    let store = tempfile::tempdir().expect("a folder");
    let store = store.path().to_str().expect("UTF-8");
    for arguments in [
        ["status", "1f3a9c02", "--store", store].as_slice(),
        &["resume", "1f3a9c02", "--store", store, "--alone"],
        &["abort", "1f3a9c02", "--store", store, "--alone"],
    ] {
        let output = rbk(arguments).output().expect("rbk starts");
        assert_exit(&output, 64);
        assert_says(&output, "there is no run `1f3a9c02`");
    }
    let listed = rbk(&["runs", "--store", store])
        .output()
        .expect("rbk starts");
    assert_exit(&listed, 0);
}

#[test]
fn a_sandbox_leaves_nothing_behind() {
    let account = Account::start();
    let directory = account.directory();
    let sandbox = account.sandbox().id();
    assert!(directory.join("ca.pem").is_file());
    drop(account);
    assert!(
        !directory.exists(),
        "{} is still there",
        directory.display()
    );
    let named = |process: &std::path::Path| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(directory.to_str().expect("UTF-8"))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let left: Vec<_> = processes
        .map(|entry| entry.expect("readable").path())
        .filter(|process| named(process) || process.ends_with(sandbox.to_string()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
