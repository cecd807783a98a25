//! The repair of the original by DMS and the return to it, end to end: killed around each effect, and with what goes wrong in DMS.

use crate::account::{
    Account, ORIGINAL as ORIGINAL_INSTANCE, PATIENCE, POINTER, PROD, RECOVERY as RECOVERY_INSTANCE,
    Running, assert_exit, assert_says, in_parallel,
};
use crate::process::{finish, root, said};
use crate::recovered::{
    ORIGINAL, RECOVERY, ROWS, assert_same, newest, recovered, resume, run, text,
};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;

const REPAIR: &str = "runbooks/repair-original.rbk";
const RETURN: &str = "runbooks/return-to-original.rbk";

/// The original holds what the recovery holds, is made as the migration makes it, and nobody writes to the recovery.
#[track_caller]
fn assert_repaired(account: &Account) {
    assert_same(account);
    assert!(
        !account.opens("rds/statistagptdb_recovery"),
        "writes are frozen"
    );
    assert_nothing_is_left_of_dms(account);
    let control = "SELECT count(*)::text FROM pg_tables WHERE tablename LIKE 'awsdms%'";
    assert_eq!(text(account, ORIGINAL, control), "0");
}

/// Nothing is billed, and nothing of it exists: the sandbox itself says so.
#[track_caller]
fn assert_nothing_is_left_of_dms(account: &Account) {
    assert_eq!(account.control("GET", "/_sandbox/capacity", ""), "[]");
    let mut there: BTreeMap<String, i64> = BTreeMap::new();
    for effect in account.ledger() {
        let (operation, service) = (
            effect["operation"].as_str().expect("text"),
            effect["service"].as_str().expect("text"),
        );
        let change = match operation {
            "CreateEndpoint" | "CreateReplicationConfig" => 1,
            "DeleteEndpoint" | "DeleteReplicationConfig" => -1,
            _ => continue,
        };
        assert_eq!(service, "dms");
        *there
            .entry(operation.replace("Create", "").replace("Delete", ""))
            .or_default() += change;
    }
    assert!(there.values().all(|count| *count == 0), "{there:?}");
}

/// How often each operation of DMS had an effect.
fn dms_effects(account: &Account) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for effect in account.ledger() {
        if effect["service"] == "dms" {
            let operation = effect["operation"].as_str().expect("text");
            *effects.entry(operation.to_owned()).or_default() += 1;
        }
    }
    effects
}

/// Each once, and both endpoints.
#[track_caller]
fn assert_replicated_once(account: &Account) {
    let once = |name: &str, times| (name.to_owned(), times);
    let expected: BTreeMap<String, usize> = [
        once("CreateEndpoint", 2),
        once("CreateReplicationConfig", 1),
        once("StartReplication", 1),
        once("DeleteReplicationConfig", 1),
        once("DeleteEndpoint", 2),
    ]
    .into();
    assert_eq!(dms_effects(account), expected);
}

/// No journal, plan or output of any run holds a password that ever opened anything.
#[track_caller]
fn assert_no_secret_is_kept(account: &Account) {
    let mut passwords = BTreeSet::new();
    for secret in [
        "rds/statistagptdb",
        ORIGINAL,
        "rds/statistagptdb_recovery",
        RECOVERY,
    ] {
        for value in account.all_values(secret) {
            let content: Value = serde_json::from_str(&value).expect("JSON");
            passwords.insert(content["password"].as_str().expect("text").to_owned());
        }
    }
    for run in account.runs() {
        for entry in std::fs::read_dir(account.store().join(run)).expect("a folder") {
            let text = std::fs::read(entry.expect("readable").path()).expect("readable");
            let text = String::from_utf8_lossy(&text);
            assert!(!passwords.iter().any(|password| text.contains(password)));
        }
    }
    assert!(passwords.len() >= 4);
}

#[test]
fn a_repair_and_a_return_that_are_killed_around_each_effect_end_like_undisturbed_ones() {
    let account = recovered();
    for runbook in [REPAIR, RETURN] {
        let kills = run_with_kills(&account, runbook);
        let path = account.store().join(newest(&account)).join("journal.jsonl");
        let journal = std::fs::read_to_string(path).expect("a journal");
        let records: Vec<Value> = journal
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let effects: BTreeSet<String> = records
            .iter()
            .filter(|record| record["type"] == "intent")
            .map(|record| record["action"].to_string())
            .collect();
        assert!(kills >= effects.len(), "{kills} kills of {effects:?}");
        assert_eq!(records.last().expect("a record")["body"]["kind"], "done");
        assert_no_secret_is_kept(&account);
        if runbook == REPAIR {
            assert_repaired(&account);
        }
    }
    assert_replicated_once(&account);
    assert_returned(&account);
}

/// Kills it behind each sending and before each outcome, and resumes it, until it is done.
fn run_with_kills(account: &Account, runbook: &str) -> usize {
    let mut begun: Option<String> = None;
    let mut kills = 0;
    for point in ["after-send:1", "before-outcome:1"].into_iter().cycle() {
        let [command, what] = match &begun {
            None => ["run", runbook],
            Some(run) => ["resume", run.as_str()],
        };
        let mut command = account.rbk(&[command, what, "--env", "prod", "--approve", "all"]);
        command.env("RBK_KILL_AT", point);
        let output = finish(&mut command, PATIENCE);
        if output.status.signal() != Some(9) {
            assert_exit(&output, 0);
            break;
        }
        kills += 1;
        assert!(kills < 200, "it goes round in circles: {}", said(&output));
        begun = Some(newest(account));
    }
    kills
}

/// A killed run doesn't know whether its call was sent, and looks for it for a while: so two accounts share the intents, and wait
/// side by side.
#[test]
fn a_repair_that_is_killed_behind_an_intent_of_dms_does_it_once() {
    let undisturbed = recovered();
    assert_exit(&run(&undisturbed, REPAIR), 0);
    let of_dms: Vec<usize> = (1..)
        .zip(intents(&undisturbed))
        .filter(|(_, call)| call.contains("Endpoint") || call.contains("Replication"))
        .map(|(nth, _)| nth)
        .collect();
    assert_eq!(of_dms.len(), 7, "{:?}", intents(&undisturbed));
    let halves = [0, 1].map(|first| {
        let every_other = of_dms.iter().skip(first).step_by(2);
        every_other.copied().collect::<Vec<usize>>()
    });
    in_parallel(&halves, |points| {
        let account = recovered();
        let mut begun: Option<(String, usize)> = None;
        for nth in points {
            let (command, what, point) = match &begun {
                None => ("run", REPAIR.to_owned(), *nth),
                // The one that it was killed behind is a resume's first.
                Some((run, last)) => ("resume", run.clone(), nth - last + 1),
            };
            let mut command = account.rbk(&[command, &what, "--env", "prod", "--approve", "all"]);
            command.env("RBK_KILL_AT", format!("after-intent:{point}"));
            let output = finish(&mut command, PATIENCE);
            assert_eq!(output.status.signal(), Some(9), "{nth}: {}", said(&output));
            let last = intents(&account).pop().expect("an intent");
            assert!(
                last.contains("Endpoint") || last.contains("Replication"),
                "{last}"
            );
            begun = Some((newest(&account), *nth));
        }
        assert_exit(&resume(&account), 0);
        assert_repaired(&account);
        assert_replicated_once(&account);
    });
}

/// This takes a minute, nearly all of it waiting for what the lost call might still come to.
#[test]
fn a_return_that_is_killed_behind_the_intent_to_delete_deletes_once() {
    let account = recovered();
    assert_exit(&run(&account, REPAIR), 0);
    let mut command = account.rbk(&["run", RETURN, "--env", "prod", "--approve", "all"]);
    // Behind the thaw of the original and the two of the secret.
    let output = finish(command.env("RBK_KILL_AT", "after-intent:4"), PATIENCE);
    assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
    let last = intents(&account).pop();
    assert_eq!(last.as_deref(), Some("DeleteDBInstance"));
    assert_eq!(
        account.status(RECOVERY_INSTANCE).as_deref(),
        Some("available")
    );
    assert_exit(&resume(&account), 0);
    assert_returned(&account);
}

/// The calls that the newest run was about to make, in order.
fn intents(account: &Account) -> Vec<String> {
    let path = account.store().join(newest(account)).join("journal.jsonl");
    let journal = std::fs::read_to_string(path).expect("a journal");
    journal
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|record| record["type"] == "intent")
        .map(|record| record["body"]["call"].as_str().expect("text").to_owned())
        .collect()
}

/// The application is back and writes, the recovery is gone, and what is left of it is its final snapshot.
#[track_caller]
fn assert_returned(account: &Account) {
    assert_eq!(account.secret(POINTER), "rds/statistagptdb");
    assert!(account.writes("rds/statistagptdb"));
    assert_eq!(account.status(RECOVERY_INSTANCE), None);
    assert_eq!(
        account.status(ORIGINAL_INSTANCE).as_deref(),
        Some("available")
    );
    let deleted: Vec<Value> = account
        .ledger()
        .into_iter()
        .filter(|effect| effect["operation"] == "DeleteDBInstance")
        .collect();
    let [deleted] = deleted.as_slice() else {
        panic!("{deleted:?}");
    };
    assert_eq!(deleted["target"], RECOVERY_INSTANCE);
    let instance = rbk_core::ids::InstanceId::from(RECOVERY_INSTANCE);
    let snapshots = account.aws(async |aws| aws.rds.snapshots(&instance).await.expect("a list"));
    assert!(
        snapshots.iter().any(|one| one.status == "available"),
        "{snapshots:?}"
    );
}

/// What goes wrong in DMS: the fault, and what is said.
const FAILING: [(&str, &str); 5] = [
    (
        "StartReplication:1:fails=running(Last Error The source endpoint went away)",
        "The source endpoint went away",
    ),
    (
        "StartReplication:1:suspends=public.documents",
        "public.documents",
    ),
    (
        "StartReplication:1:loses=public.messages",
        "public.messages",
    ),
    ("StartReplication:1:deprovisions", "statistics"),
    ("StartReplication:1:no-capacity", "capacity"),
];

#[test]
fn what_goes_wrong_in_dms_fails_clearly_and_leaves_nothing_billed() {
    let account = recovered();
    for (fault, words) in FAILING {
        account.plant(fault);
        let output = run(&account, REPAIR);
        let said = said(&output);
        assert!(said.contains("s; `on failure` has run"), "{fault}: {said}");
        assert!(said.contains(words), "{fault}: {said}");
        account.clear();
        assert_nothing_is_left_of_dms(&account);
        // The application goes on where it was, with all of its rows.
        assert_eq!(account.secret(POINTER), "rds/statistagptdb_recovery");
        assert!(account.writes("rds/statistagptdb_recovery"), "{fault}");
    }
    // Whatever they left in the original: the same runbook begins with a clean schema.
    assert_exit(&run(&account, REPAIR), 0);
    assert_repaired(&account);
}

#[test]
fn calls_that_fail_for_a_while_are_survived() {
    let account = recovered();
    account.plant(
        "CreateEndpoint:1-2:throttle\n\
         CreateEndpoint:4:after:cut\n\
         CreateReplicationConfig:1:throttle\n\
         CreateReplicationConfig:2:after:500\n\
         StartReplication:1-2:throttle\n\
         StartReplication:3:after:cut\n\
         DescribeReplications:1-3:throttle\n\
         DescribeReplicationTableStatistics:1:throttle\n\
         DeleteReplicationConfig:1:throttle\n\
         DeleteReplicationConfig:2:after:cut\n\
         DeleteEndpoint:1:throttle\n\
         DeleteEndpoint:2:after:500",
    );
    assert_exit(&run(&account, REPAIR), 0);
    assert_repaired(&account);
    assert_replicated_once(&account);
    account.plant("DeleteDBInstance:1-2:throttle\nDeleteDBInstance:3:after:cut");
    assert_exit(&run(&account, RETURN), 0);
    assert_returned(&account);
}

#[test]
fn a_load_that_is_over_before_anybody_looks_is_complete() {
    let account = recovered();
    account.plant("StartReplication:1:after:hold=started");
    let going = Running::start(account.rbk(&["run", REPAIR, "--env", "prod", "--approve", "all"]));
    account.until_held("started");
    // The answer comes late: the rows are there by then.
    crate::account::eventually("the rows are there", || {
        let stopped = account.control("GET", "/_sandbox/capacity", "");
        stopped.contains("stopped").then_some(())
    });
    account.release("started");
    assert_exit(&going.end(), 0);
    assert_repaired(&account);
    assert_replicated_once(&account);
}

/// The path of an environment that is `prod` with one text in place of another, with its own lock file.
fn environment(account: &Account, old: &str, new: &str) -> String {
    let shipped = root().join("runbooks");
    let read = |name: &str| {
        std::fs::read_to_string(shipped.join("environments").join(name)).expect("it is shipped")
    };
    let text = read("prod.toml").replace("\"../", &format!("\"{}/", shipped.display()));
    assert!(text.contains(old), "`{old}` isn't in it");
    let path = account.home().join("elsewhere.toml");
    std::fs::write(&path, text.replace(old, new)).expect("written");
    let lock = account.home().join("elsewhere.lock.toml");
    std::fs::write(lock, read("prod.lock.toml")).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_is_missing_for_dms_is_told_before_anything_happens() {
    let account = recovered();
    let before = account.ledger().len();
    let environment = environment(&account, "\"statistagpt-dms\"", "\"no-such-group\"");
    let output = account.finish(&["run", REPAIR, "--env", &environment, "--approve", "all"]);
    assert!(!output.status.success());
    assert_says(&output, "no-such-group");
    assert_eq!(account.ledger().len(), before);
    assert!(account.writes("rds/statistagptdb_recovery"));
}

/// What no look beforehand tells, since roles can't be seen by who uses DMS.
#[test]
fn a_role_that_is_missing_is_named_and_nothing_stays() {
    let account = recovered();
    let other = environment(&account, "dms-reads-database-secrets", "no-such-role");
    let cases = [
        (other.as_str(), None, "no-such-role"),
        ("prod", Some("dms-vpc-role"), "dms-cloudwatch-logs-role"),
    ];
    for (environment, removed, words) in cases {
        if let Some(role) = removed {
            account.control("DELETE", &format!("/_sandbox/roles/{role}"), "");
        }
        let output = account.finish(&["run", REPAIR, "--env", environment, "--approve", "all"]);
        assert_exit(&output, 4);
        assert_says(&output, words);
        assert_says(&output, "RBK4053");
        assert_says(&output, "s; `on failure` has run");
        assert_nothing_is_left_of_dms(&account);
        assert_eq!(account.secret(POINTER), "rds/statistagptdb_recovery");
        assert!(account.writes("rds/statistagptdb_recovery"));
        if let Some(role) = removed {
            account.control("PUT", &format!("/_sandbox/roles/{role}"), "");
        }
    }
    assert_exit(&run(&account, REPAIR), 0);
    assert_repaired(&account);
}

#[test]
fn a_replication_that_cannot_start_yet_is_waited_for_and_can_be_gone_on_with() {
    let account = recovered();
    account.plant("CreateReplicationConfig:1:during:hold=modifying");
    let going = Running::start(account.rbk(&["run", REPAIR, "--env", "prod", "--approve", "all"]));
    account.until_held("modifying");
    going.signal(Signal::INT);
    let output = going.end();
    assert_exit(&output, 5);
    assert_says(&output, "rbk resume");
    // It is there, and whoever looks is told so.
    let status = account.finish(&["status", &newest(&account), "--env", "prod"]);
    assert_says(&status, "billed");
    assert_says(&status, "load");
    let run = newest(&account);
    let going = Running::start(account.rbk(&["resume", &run, "--env", "prod", "--approve", "all"]));
    going.until_says("modifying");
    account.release("modifying");
    assert_exit(&going.end(), 0);
    assert_repaired(&account);
    assert_replicated_once(&account);
}

/// Colleagues who switch the application themselves, at two moments; then nobody does.
#[test]
fn an_active_secret_that_somebody_else_moves_stays_where_they_put_it() {
    let account = recovered();
    assert_exit(&run(&account, REPAIR), 0);
    for (fault, to) in [
        (
            "PutSecretValue:1:before:hold=theirs",
            "rds/statistagptdb_recovery",
        ),
        (
            "UpdateSecretVersionStage:1:before:hold=theirs",
            "rds/statistagptdb_recovery",
        ),
        (
            "UpdateSecretVersionStage:1:before:hold=theirs",
            "rds/statistagptdb",
        ),
    ] {
        account.plant(fault);
        let going =
            Running::start(account.rbk(&["run", RETURN, "--env", "prod", "--approve", "all"]));
        account.until_held("theirs");
        account.meddle_with(POINTER, to);
        let theirs = account.versions(POINTER).current().cloned();
        account.release("theirs");
        let output = going.end();
        account.clear();
        assert_exit(&output, 3);
        assert_says(&output, "was moved by somebody else");
        assert_eq!(account.versions(POINTER).current().cloned(), theirs);
        assert_eq!(account.secret(POINTER), to);
        // Nothing is lost: both are there, and hold the same.
        assert_eq!(
            account.status(RECOVERY_INSTANCE).as_deref(),
            Some("available")
        );
        assert_eq!(
            text(&account, ORIGINAL, ROWS),
            text(&account, RECOVERY, ROWS)
        );
    }
}

/// A session of the application that came in again holds a table of the schema that is to be dropped.
#[test]
fn an_application_that_is_still_in_the_original_is_told_and_keeps_its_rows() {
    let account = recovered();
    let count = "SELECT count(*)::text FROM public.documents";
    let before = text(&account, ORIGINAL, count);
    account
        .execute(ORIGINAL, "ALTER ROLE sgpt_app LOGIN")
        .expect("the master may");
    let stays = account.client("rds/statistagptdb");
    stays.execute("BEGIN; SELECT count(*) FROM public.documents");
    let going = Running::start(account.rbk(&["run", REPAIR, "--env", "prod", "--approve", "all"]));
    going.until_says("of `sgpt_app`");
    going.signal(Signal::INT);
    let output = going.end();
    assert_exit(&output, 5);
    assert_says(&output, "rbk resume");
    assert_eq!(text(&account, ORIGINAL, count), before);
    assert!(account.writes("rds/statistagptdb_recovery"));
    drop(stays);
    assert_exit(&resume(&account), 0);
    assert_repaired(&account);
}

#[test]
fn units_that_do_not_exist_are_told_without_a_run() {
    let account = Account::start();
    let runbook = account.runbook_of(REPAIR, "capacity: 4", "capacity: 3");
    let output = account.finish(&["check", &runbook, "--env", PROD]);
    assert_exit(&output, 1);
    assert_says(&output, "capacity");
}
