//! Faults: calls that fail in every way around a run, and a world that changes under its feet.

use crate::account::{
    Account, End, ORIGINAL, POINTER, PROD, RECOVERY, RUNBOOK, Running, assert_exit, assert_says,
    in_parallel,
};
use crate::process::said;
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::ports::RestoreRequest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The operations that change something.
const MUTATIONS: [&str; 4] = [
    "RestoreDBInstanceFromDBSnapshot",
    "PutSecretValue",
    "ModifyDBInstance",
    "UpdateSecretVersionStage",
];

/// What an undisturbed run does.
const EFFECTS: [(&str, &str); 8] = [
    ("RestoreDBInstanceFromDBSnapshot", RECOVERY),
    ("PutSecretValue", "rds/statistagptdb_recovery_admin"),
    ("ModifyDBInstance", RECOVERY),
    (
        "UpdateSecretVersionStage",
        "rds/statistagptdb_recovery_admin",
    ),
    ("PutSecretValue", "rds/statistagptdb_recovery"),
    ("UpdateSecretVersionStage", "rds/statistagptdb_recovery"),
    ("PutSecretValue", POINTER),
    ("UpdateSecretVersionStage", POINTER),
];

#[track_caller]
fn assert_done_once(account: &Account) -> End {
    let ledger = account.ledger();
    let effects: Vec<(&str, &str)> = ledger
        .iter()
        .map(|effect| {
            let word = |key: &str| effect[key].as_str().expect("text");
            (word("operation"), word("target"))
        })
        .collect();
    assert_eq!(effects, EFFECTS);
    let end = account.end();
    end.assert_recovered();
    end
}

#[test]
fn what_is_answered_badly_for_a_while_is_survived() {
    let account = Account::start();
    account.plant(
        "GetCallerIdentity:1-2:throttle\n\
         DescribeDBInstances:1-3:throttle\n\
         DescribeDBInstances:6-7:503\n\
         DescribeDBInstances:9:cut\n\
         DescribeSecret:2-3:throttle\n\
         DescribeSecret:5:500\n\
         GetSecretValue:2:cut\n\
         GetSecretValue:4-5:throttle\n\
         RestoreDBInstanceFromDBSnapshot:1-3:throttle\n\
         RestoreDBInstanceFromDBSnapshot:4:flap\n\
         ModifyDBInstance:1-2:throttle\n\
         PutSecretValue:1-2:throttle\n\
         PutSecretValue:4:500\n\
         UpdateSecretVersionStage:1-2:throttle",
    );
    assert_exit(&account.run(), 0);
    assert_done_once(&account);
}

#[test]
fn an_answer_that_is_lost_behind_the_effect_makes_nothing_twice() {
    in_parallel(&["500", "503", "cut"], |kind| {
        let account = Account::start();
        let faults: Vec<String> = MUTATIONS
            .iter()
            .map(|operation| format!("{operation}:*:after:{kind}"))
            .collect();
        account.plant(&faults.join("\n"));
        let output = account.run();
        assert_exit(&output, 0);
        assert_done_once(&account);
        // They were found, and that is what the journal says.
        let journal = account.journal();
        let adopted = |call: &str| {
            let mut intents = journal.iter();
            let intent = intents.find(|record| record["body"]["call"] == call);
            let action = &intent.expect("an intent")["action"];
            let mut outcomes = journal.iter();
            let outcome =
                outcomes.find(|record| record["type"] == "outcome" && record["action"] == *action);
            outcome.expect("an outcome")["body"]["how"] == "adopted"
        };
        for operation in MUTATIONS {
            assert!(adopted(operation), "{operation}: {}", said(&output));
        }
    });
}

#[test]
fn reads_that_lag_behind_make_nothing_twice() {
    let account = Account::start();
    account.plant(
        "DescribeDBInstances:2-5:stale\n\
         DescribeDBInstances:7-8:stale\n\
         DescribeSecret:4-9:stale",
    );
    assert_exit(&account.run(), 0);
    assert_done_once(&account);
}

#[test]
fn what_a_person_must_mend_suspends_the_run_and_undoes_nothing() {
    let account = Account::start();
    account.plant(
        "PutSecretValue:1:denied\n\
         PutSecretValue:3:expired\n\
         PutSecretValue:5:denied",
    );
    let first = account.run();
    assert_exit(&first, 4);
    assert_says(&first, "get the permission, then `rbk resume");
    assert_eq!(account.ledger().len(), 1);

    // What it waits for is told by whoever looks.
    let run = account.only_run();
    let status = account.finish(&["status", &run, "--env", "prod"]);
    assert_says(&status, "suspended");
    assert_says(&status, "RBK4031");

    let second = account.resume();
    assert_exit(&second, 4);
    assert_says(&second, "log in again, then `rbk resume");
    assert_eq!(account.ledger().len(), 4);

    let third = account.resume();
    assert_exit(&third, 4);
    assert_says(&third, "s; nothing was undone");
    assert_says(&third, "writes are FROZEN");
    assert_eq!(account.status(RECOVERY).as_deref(), Some("available"));
    assert_eq!(account.secret(POINTER), "rds/statistagptdb");

    assert_exit(&account.resume(), 0);
    assert_done_once(&account);
}

#[test]
fn a_key_that_expires_suspends_and_another_one_goes_on() {
    let account = Account::start();
    account.plant("key=AKIARBKSANDBOXEXAMPLE:expired");
    let first = account.run();
    assert_exit(&first, 4);
    assert_says(&first, "log in again");
    assert_says(&first, "RBK4032");
    // Nothing was proven and nothing was begun: it is a run all the same, and can be gone on with.
    let run = account.only_run();
    let again = ["resume", &run, "--env", "prod", "--approve", "all"];
    let mut command = account.rbk(&again);
    command.env("AWS_ACCESS_KEY_ID", "AKIANEWONE");
    let resumed = crate::process::finish(&mut command, crate::account::PATIENCE);
    assert_exit(&resumed, 0);
    assert_done_once(&account);
}

#[test]
fn a_restore_that_ends_badly_fails_at_once() {
    in_parallel(
        &["incompatible-restore", "storage-full", "failed"],
        |state| {
            let account = Account::start();
            account.plant(&format!("RestoreDBInstanceFromDBSnapshot:1:ends={state}"));
            let begun = Instant::now();
            let output = account.run();
            assert_exit(&output, 4);
            assert_says(&output, &format!("is `{state}`, and no waiting mends that"));
            assert_says(&output, "s; `on failure` has run");
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{}",
                said(&output)
            );
            account.assert_untouched();
        },
    );
}

#[test]
fn a_region_without_capacity_fails_the_run_and_leaves_nothing() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:no-capacity");
    let output = account.run();
    assert_exit(&output, 4);
    assert_says(&output, "RBK4037");
    assert!(account.ledger().is_empty());
    assert_eq!(account.status(RECOVERY), None);
    account.assert_untouched();
}

#[test]
fn a_secret_that_a_colleague_moved_meanwhile_is_not_overwritten() {
    let account = Account::start();
    account.plant("PutSecretValue:3:before:hold=put");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("put");
    // To the same database, under a version of their own: there is nothing left to undo but the freeze.
    account.meddle_with(POINTER, "rds/statistagptdb");
    let theirs = account.versions(POINTER).current().cloned();
    account.release("put");
    let output = run.end();
    assert_exit(&output, 3);
    assert_says(&output, "was moved by somebody else");
    assert_says(
        &output,
        "database original (instance `statistagptdb`): writes are open",
    );
    assert_eq!(account.versions(POINTER).current().cloned(), theirs);
    account.assert_untouched();
}

#[test]
fn a_secret_that_moves_between_the_last_look_and_the_swap_is_not_overwritten() {
    let account = Account::start();
    account.plant("UpdateSecretVersionStage:3:before:hold=swap");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("swap");
    // The colleague has switched the application already.
    account.meddle_with(POINTER, "rds/statistagptdb_recovery");
    let theirs = account.versions(POINTER).current().cloned();
    account.release("swap");
    let output = run.end();
    assert_exit(&output, 3);
    assert_says(&output, "was moved by somebody else");
    assert_says(&output, "then, in `on failure`: ");
    assert_eq!(account.versions(POINTER).current().cloned(), theirs);
    // Two databases that are written to at once would be worse than one that waits for a person.
    assert_says(&output, "writes on original are still frozen: thaw them");
    assert!(!account.opens("rds/statistagptdb"));
}

#[test]
fn an_instance_that_somebody_else_makes_meanwhile_is_left_alone() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:before:hold=restore");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("restore");
    account.aws(async |aws| {
        let original = InstanceId::from(ORIGINAL);
        let like = aws.rds.instance(&original).await.expect("an answer");
        let mut settings = like.expect("it is there").settings;
        settings.instance = InstanceId::from(RECOVERY);
        let snapshots = aws.rds.snapshots(&original).await.expect("an answer");
        let request = RestoreRequest {
            snapshot: SnapshotId::from(snapshots.first().expect("one").id.as_str()),
            settings,
            tags: BTreeMap::from([("owner".to_owned(), "a colleague".to_owned())]),
        };
        aws.rds.restore_from_snapshot(&request).await.expect("made");
    });
    account.release("restore");
    let output = run.end();
    assert_exit(&output, 3);
    assert_says(
        &output,
        "was made by somebody else meanwhile, without a tag of rbk",
    );
    // Theirs, and nothing else.
    assert_eq!(account.ledger().len(), 1);
    account.assert_untouched();
}

#[test]
fn a_lost_network_suspends_and_can_be_looked_at_without_one() {
    let mut account = Account::start();
    account.plant("ModifyDBInstance:1:before:hold=modify");
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("modify");
    account.stop();
    let output = run.end();
    assert_exit(&output, 4);
    assert_says(&output, "mend the network, then `rbk resume");
    let status = account.finish(&["status", &account.only_run(), "--env", PROD]);
    assert_exit(&status, 0);
    assert_says(&status, "suspended");
}

/// These take a minute each, nearly all of it waiting.
#[test]
fn what_never_gets_better_ends_in_time() {
    let cases: [(&str, fn()); 4] = [
        ("throttled for ever", throttled_for_ever),
        ("a database that can't be reached", never_reached),
        ("a call that never answers", never_answered),
        ("what may not be done at first", not_allowed_at_first),
    ];
    in_parallel(&cases, |(_, case)| case());
}

fn throttled_for_ever() {
    let account = Account::start();
    account.plant("DescribeSecret:*:throttle");
    let output = account.run();
    assert_exit(&output, 4);
    assert_says(&output, "wait a little, then `rbk resume");
    assert!(account.ledger().is_empty());
    account.clear();
    assert_exit(&account.resume(), 0);
    assert_done_once(&account);
}

fn never_reached() {
    let account = Account::start();
    // The VPC's default group, which admits nobody.
    let group = format!(
        "protect = false\nsecurity_groups = [\"{}\"]",
        rbk_sandbox::DEFAULT_SECURITY_GROUP
    );
    let environment = account.environment_with("protect = false", &group);
    let begun = Instant::now();
    let output = account.finish(&["run", RUNBOOK, "--env", &environment, "--approve", "all"]);
    assert_exit(&output, 4);
    assert_says(&output, "mend the network, then `rbk resume");
    assert!(
        begun.elapsed() < Duration::from_secs(150),
        "{}",
        said(&output)
    );
    assert_eq!(account.secret(POINTER), "rds/statistagptdb");
}

fn not_allowed_at_first() {
    let account = Account::start();
    account.plant("RestoreDBInstanceFromDBSnapshot:1:denied");
    assert_exit(&account.run(), 4);
    assert!(account.ledger().is_empty());
    // A call that may have been sent is given its time to be seen before it is sent again.
    assert_exit(&account.resume(), 0);
    assert_done_once(&account);
}

fn never_answered() {
    let account = Account::start();
    account.plant("PutSecretValue:1:before:hold=put");
    let begun = Instant::now();
    let output = account.run();
    // The held call is given up after its time, seen not to have been applied, and sent again.
    assert_exit(&output, 0);
    assert!(
        begun.elapsed() < Duration::from_secs(120),
        "{}",
        said(&output)
    );
    account.release("put");
    assert_done_once(&account);
}
