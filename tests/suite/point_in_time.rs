//! `runbooks/point-in-time.rbk`: which rows are there, and which instants are refused before anything happens.

use crate::account::{Account, ORIGINAL, RECOVERY, assert_exit, query};
use crate::process::{rbk, said};
use crate::recovered::{self, recovered};
use serde_json::Value;
use std::process::Output;

const RUNBOOK: &str = "runbooks/point-in-time.rbk";

fn run_at(account: &Account, at: &str) -> Output {
    let at = format!("at={at}");
    account.finish(&[
        "run",
        RUNBOOK,
        "--env",
        "prod",
        "--approve",
        "all",
        "--set",
        &at,
    ])
}

fn in_an_hour() -> String {
    let hour = jiff::SignedDuration::from_hours(1);
    (jiff::Timestamp::now() + hour).to_string()
}

#[test]
fn a_drill_goes_back_to_the_last_good_instant_and_proves_which_rows_are_there() {
    let state = tempfile::tempdir().expect("a folder");
    let output = rbk(&["drill", RUNBOOK, "--rows", "100", "--format", "json"])
        .env("XDG_STATE_HOME", state.path())
        .output()
        .expect("rbk starts");
    assert_exit(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(report["outcome"], "recovered", "{report}");
    assert_eq!(report["database"], "recovery");
    let tables = report["databases"][0]["tables"].as_array().expect("tables");
    // Also the tenth part that was written behind the snapshot.
    let rows = |name: &str| {
        let table = tables.iter().find(|table| table["name"] == name);
        table.map(|table| (&table["rows_found"], &table["checksum_equal"]))
    };
    assert_eq!(
        rows("public.documents"),
        Some((&Value::from(110), &Value::from(true))),
        "{report}"
    );
    let writes = &report["applications"][0]["writes"];
    let count = |when: &str, key: &str| writes[when][key].as_u64().expect("a number");
    assert!(count("before_instant", "writes") >= 5, "{writes}");
    assert_eq!(
        count("before_instant", "there"),
        count("before_instant", "writes")
    );
    assert!(count("before_disaster", "writes") >= 2, "{writes}");
    // One may have been committed before the instant and acknowledged behind it.
    assert!(count("before_disaster", "there") <= 1, "{writes}");
    assert_eq!(count("until_recovery", "there"), 0, "{writes}");
    assert_eq!(
        count("after_recovery", "there"),
        count("after_recovery", "writes")
    );
    let as_of = report["as_of"].as_str().expect("an instant");
    assert!(said(&output).contains(&format!("the last good instant is {as_of}")));
}

#[test]
fn an_instant_that_cant_be_restored_is_refused_before_anything_happens() {
    let account = Account::start();
    for at in ["2020-01-01T00:00:00Z".to_owned(), in_an_hour()] {
        let output = run_at(&account, &at);
        assert_exit(&output, 3);
        let said = said(&output);
        assert!(
            said.contains("restorable_from(") && said.contains(&at[..10]),
            "{said}"
        );
    }
    for (at, reason) in [
        ("2026-11-22T09:15:00", "offset"),
        ("yesterday", "yesterday"),
    ] {
        let output = run_at(&account, at);
        assert_ne!(output.status.code(), Some(0));
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    let without = account.finish(&["run", RUNBOOK, "--env", "prod", "--approve", "all"]);
    assert_ne!(without.status.code(), Some(0));
    assert!(said(&without).contains("--set at="), "{}", said(&without));
    assert_eq!(account.ledger(), Vec::<Value>::new());
}

#[test]
fn where_no_backups_are_kept_there_is_no_instant() {
    let account = Account::start();
    query(
        &account,
        &format!(
            "ModifyDBInstance&DBInstanceIdentifier={ORIGINAL}&BackupRetentionPeriod=0&ApplyImmediately=true"
        ),
    );
    crate::account::eventually("no backups are kept", || {
        let shown = query(&account, "DescribeDBInstances");
        shown
            .contains("<BackupRetentionPeriod>0</BackupRetentionPeriod>")
            .then_some(())
    });
    let before = account.ledger();
    let output = run_at(&account, &jiff::Timestamp::now().to_string());
    assert_exit(&output, 3);
    let told = said(&output);
    assert!(
        told.contains("RBK4091") && told.contains("its retention is 0 days"),
        "{told}"
    );
    assert_eq!(account.ledger(), before);
}

/// The shipped runbook, but as of the newest instant.
fn latest(account: &Account) -> String {
    let text = std::fs::read_to_string(crate::process::root().join(RUNBOOK)).expect("the runbook");
    let text: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with("param at") && !line.starts_with("## The last instant"))
        .map(|line| {
            line.replace("as of at", "as of latest")
                .replace(", which is {source} as of {at}", "")
        })
        .collect();
    let path = account.home().join("latest.rbk");
    std::fs::write(&path, text.join("\n")).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_newest_instant_is_restored_once_though_its_answer_was_lost() {
    let account = Account::start();
    // RDS restores to whole seconds: the window of a young account may not have one yet.
    crate::account::eventually("a whole second can be restored", || {
        let shown = query(&account, "DescribeDBInstanceAutomatedBackups");
        let time = |name: &str| -> Option<jiff::Timestamp> {
            let (_, rest) = shown.split_once(&format!("<{name}>"))?;
            rest.split_once('<')?.0.parse().ok()
        };
        let whole = jiff::Timestamp::from_second(time("LatestTime")?.as_second()).ok()?;
        (time("EarliestTime")? <= whole).then_some(())
    });
    account.plant("RestoreDBInstanceToPointInTime:1:after:cut");
    let runbook = latest(&account);
    let arguments = [
        "run",
        runbook.as_str(),
        "--env",
        crate::account::PROD,
        "--approve",
        "all",
    ];
    assert_exit(&account.finish(&arguments), 0);
    let restores = |effect: &&String| effect.starts_with("RestoreDBInstanceToPointInTime");
    let effects = account.effects();
    assert_eq!(effects.iter().filter(restores).count(), 1, "{effects:?}");
    let lost = "SELECT count(*)::text FROM public.documents";
    // What was written behind the snapshot is there, too.
    assert_eq!(recovered::text(&account, recovered::RECOVERY, lost), "22");
    assert_eq!(
        account.application(),
        (200, "rds/statistagptdb_recovery".to_owned())
    );
}

#[test]
fn a_snapshot_a_decision_and_steps_together_go_from_end_to_end() {
    let account = recovered();
    let runbook = account.home().join("together.rbk");
    std::fs::write(
        &runbook,
        r#"runbook "Together"
param source: database = original
param target: database = recovery

require target is available

step "Decide" {
  if retention(source) >= 5d {
    note "kept for long"
  } else {
    note "kept for a short time"
  }
}

parallel {
  step "Keep" {
    let kept = snapshot target as "before-the-change"
    assert age(kept) <= 1h
  }
  step "Look" {
    assert source exists
    assert retention(source) >= 1d
  }
}
"#,
    )
    .expect("written");
    let path = runbook.to_str().expect("UTF-8");
    let output = account.finish(&["run", path, "--env", crate::account::PROD]);
    assert_exit(&output, 0);
    let told = said(&output);
    assert!(
        told.contains("kept for long") && !told.contains("done 0.0s: kept for a short time"),
        "{told}"
    );
    let snapshots = query(
        &account,
        "DescribeDBSnapshots&DBSnapshotIdentifier=before-the-change",
    );
    assert!(
        snapshots.contains("<Status>available</Status>"),
        "{snapshots}"
    );
    assert!(snapshots.contains(RECOVERY), "{snapshots}");
}
