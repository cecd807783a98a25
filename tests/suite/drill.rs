//! `rbk drill`, end to end: real Postgres, a staged disaster, the runbook, the data compared.

use crate::process::{rbk, said};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

fn drill(state: &Path, arguments: &[&str]) -> Output {
    drill_of(&["runbooks/quick-recovery.rbk"], state, arguments)
}

fn drill_of(runbooks: &[&str], state: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["drill", "--format", "json"];
    all.extend(runbooks);
    all.extend(arguments);
    rbk(&all)
        .env("XDG_STATE_HOME", state)
        .output()
        .expect("rbk starts")
}

#[track_caller]
fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// The tables of a database in which everything is as it was in the snapshot.
#[track_caller]
fn proven<'r>(database: &'r Value, name: &str, role: &str) -> &'r Vec<Value> {
    assert_eq!(database["name"], name);
    assert_eq!(database["role"], role);
    let proof = &database["proof"];
    assert_eq!(proof["drift"], serde_json::json!([]), "{proof}");
    for kind in ["next_inserts", "foreign_keys", "nearest_neighbours"] {
        let findings = proof[kind].as_array().expect("findings");
        assert!(!findings.is_empty(), "{kind}: {proof}");
        for finding in findings {
            assert_eq!(finding["holds"], true, "{finding}");
        }
    }
    let tables = database["tables"].as_array().expect("tables");
    assert!(tables.len() >= 7, "{database}");
    for table in tables {
        assert_eq!(table["rows_expected"], table["rows_found"], "{table}");
        assert_eq!(table["checksum_equal"], true, "{table}");
    }
    tables
}

const STORY: [&str; 2] = ["runbooks/quick-recovery.rbk", "runbooks/rebuild-schema.rbk"];

#[test]
fn the_original_is_rebuilt_beside_the_recovery_that_serves() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill_of(&STORY, state.path(), &["--rows", "200"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = document(&output);
    assert_eq!(report["outcome"], "recovered");
    assert_eq!(report["database"], "recovery");
    let runs = report["runs"].as_array().expect("runs");
    let endings: Vec<&Value> = runs.iter().map(|run| &run["ending"]).collect();
    assert_eq!(endings, ["done", "done"]);
    let databases = report["databases"].as_array().expect("databases");
    assert_eq!(databases.len(), 2, "{report}");
    let used = proven(&databases[0], "recovery", "in_use");
    let rebuilt = proven(&databases[1], "original", "rebuilt");
    assert_eq!(used, rebuilt);
    let said = said(&output);
    assert!(said.contains("6 change sets are applied"), "{said}");
    assert!(!said.contains("PASSWORD"), "{said}");
}

/// What a drill from the disaster back to the original must have found.
#[track_caller]
fn assert_back_on_the_original(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    let report = document(output);
    assert_eq!(report["outcome"], "recovered", "{report}");
    assert_eq!(report["database"], "original");
    let [back] = report["databases"]
        .as_array()
        .expect("databases")
        .as_slice()
    else {
        panic!("{report}");
    };
    proven(back, "original", "rebuilt");
    let account = report["account"].as_array().expect("findings");
    assert_eq!(
        account.len(),
        3,
        "DMS, the instance and its snapshot: {account:?}"
    );
    assert!(
        account.iter().all(|finding| finding["holds"] == true),
        "{account:?}"
    );
    let application = &report["applications"][0];
    assert_eq!(application["name"], "sgpt");
    let writes = &application["writes"];
    let count = |when: &str, key: &str| writes[when][key].as_u64().expect("a number");
    // What was written behind the snapshot is lost, as the runbook accepts; what was promised later is there, to the last row.
    assert!(count("before_disaster", "writes") >= 5, "{writes}");
    assert_eq!(count("before_disaster", "there"), 0, "{writes}");
    assert!(count("after_recovery", "writes") > 10, "{writes}");
    assert_eq!(
        count("after_recovery", "writes"),
        count("after_recovery", "there")
    );
    assert_eq!(writes["missing"], serde_json::json!([]));
    let gaps = application["no_writes"]["gaps"].as_array().expect("gaps");
    assert!(
        gaps.len() >= 2 && gaps.iter().all(|gap| gap["over"] == true),
        "{application}"
    );
    assert!(
        !gaps[0]["steps"].as_array().expect("steps").is_empty(),
        "{application}"
    );
    report
}

#[test]
fn the_full_recovery_leads_back_to_the_original_with_every_promised_row() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill_of(
        &["runbooks/full-recovery.rbk"],
        state.path(),
        &["--rows", "200"],
    );
    assert_back_on_the_original(&output);
    let said = said(&output);
    assert!(said.contains("recovery_enabled"), "{said}");
    assert!(!said.contains("PASSWORD"), "{said}");
}

#[test]
fn the_three_parts_lead_back_to_the_original_one_after_the_other() {
    let state = tempfile::tempdir().expect("a folder");
    let parts = [
        "runbooks/quick-recovery.rbk",
        "runbooks/repair-original.rbk",
        "runbooks/return-to-original.rbk",
    ];
    let output = drill_of(&parts, state.path(), &["--rows", "100"]);
    let report = assert_back_on_the_original(&output);
    let runs = report["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 3);
    // The repair leaves the writes frozen: the application can't write until the return has switched it.
    for run in &runs[1..] {
        assert!(
            run["application"]["no_writes_seconds"]
                .as_f64()
                .expect("seconds")
                > 0.0
        );
    }
}

#[test]
fn a_promised_write_that_is_gone_fails_the_drill_by_its_number() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill(
        state.path(),
        &["--rows", "50", "--tamper", "public.usage_events"],
    );
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let report = document(&output);
    let writes = &report["applications"][0]["writes"];
    assert_eq!(writes["after_recovery"]["there"], 0, "{writes}");
    assert!(!writes["missing"].as_array().expect("numbers").is_empty());
}

#[test]
fn a_rebuilt_table_that_was_emptied_is_noticed() {
    let state = tempfile::tempdir().expect("a folder");
    let arguments = ["--rows", "50", "--tamper", "public.documents"];
    let output = drill_of(&STORY, state.path(), &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let report = document(&output);
    assert_eq!(report["outcome"], "data_differs");
    let [used, rebuilt] = report["databases"]
        .as_array()
        .expect("databases")
        .as_slice()
    else {
        panic!("{report}");
    };
    proven(used, "recovery", "in_use");
    let keys = rebuilt["proof"]["foreign_keys"].as_array().expect("keys");
    let broken: Vec<&Value> = keys.iter().filter(|key| key["holds"] == false).collect();
    assert!(
        broken
            .iter()
            .any(|key| key["what"] == "embeddings_document_id_fkey of public.embeddings"),
        "{rebuilt}"
    );
}

#[test]
fn a_runbook_that_follows_another_one_says_which() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill_of(&STORY[1..], state.path(), &["--rows", "50"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let report = document(&output);
    let problem = report["problem"].as_str().expect("a problem");
    assert!(
        problem.contains("rbk drill runbooks/quick-recovery.rbk runbooks/rebuild-schema.rbk"),
        "{problem}"
    );
    assert_eq!(report["databases"], serde_json::json!([]));
}

#[test]
fn the_quick_recovery_brings_back_every_row_of_the_snapshot() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill(state.path(), &["--rows", "200"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = document(&output);
    assert_eq!(report["outcome"], "recovered");
    assert_eq!(report["database"], "recovery");
    assert!(
        report["rto_seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0 && seconds < 60.0),
        "{report}"
    );
    assert!(
        report["rpo_seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0 && seconds < 60.0),
        "{report}"
    );
    assert!(
        report["rows_lost"].as_u64().is_some_and(|rows| rows > 20),
        "{report}"
    );
    let steps: Vec<&Value> = report["runs"][0]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| &step["outcome"])
        .collect();
    assert_eq!(steps, ["done", "done", "done"]);
    let databases = report["databases"].as_array().expect("databases");
    assert_eq!(databases.len(), 1, "{report}");
    let tables = proven(&databases[0], "recovery", "in_use");
    let embeddings = tables
        .iter()
        .find(|table| table["name"] == "public.embeddings")
        .expect("the dropped table");
    assert_eq!(embeddings["rows_found"], 200);

    // Its journal outlives the sandbox.
    let journal = Path::new(report["runs"][0]["journal"].as_str().expect("a path"));
    assert!(
        journal.starts_with(state.path().join("rbk/drills")),
        "{}",
        journal.display()
    );
    let store = journal.parent().and_then(Path::to_str).expect("UTF-8");
    let status = rbk(&[
        "status",
        report["runs"][0]["run"].as_str().expect("a run"),
        "--store",
        store,
    ])
    .output()
    .expect("rbk starts");
    assert!(
        said(&status).contains("Quick recovery in prod: done"),
        "{}",
        said(&status)
    );
}

#[test]
fn another_team_drills_the_same_runbook() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill(state.path(), &["--env", "parcels", "--rows", "300"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = document(&output);
    assert_eq!(report["outcome"], "recovered");
    assert_eq!(report["database"], "orders_standby");
    // The instance is lost: its writes could not be frozen, and that is said.
    let steps = &report["runs"][0]["steps"];
    assert_eq!(steps[2]["outcome"], "done, partly skipped");
}

#[test]
fn a_table_that_was_emptied_is_noticed() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill(
        state.path(),
        &["--rows", "50", "--tamper", "public.documents"],
    );
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let report = document(&output);
    assert_eq!(report["outcome"], "data_differs");
    assert_eq!(report["rto_seconds"], Value::Null);
    for table in report["databases"][0]["tables"].as_array().expect("tables") {
        let tampered = table["name"] == "public.documents";
        assert_eq!(table["checksum_equal"], !tampered, "{table}");
    }
}

#[test]
fn a_run_that_fails_is_told_with_its_own_exit_code() {
    let state = tempfile::tempdir().expect("a folder");
    let fault = "RestoreDBInstanceFromDBSnapshot:1:during:ends=incompatible-restore";
    let output = drill(state.path(), &["--rows", "50", "--fault", fault]);
    let report = document(&output);
    assert_eq!(report["outcome"], "failed", "{report}");
    assert_eq!(report["database"], "original");
    assert!(
        report["problem"]
            .as_str()
            .is_some_and(|problem| problem.contains("incompatible-restore")),
        "{report}"
    );
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
}

#[test]
fn faults_and_environments_that_are_none_are_told_before_anything_starts() {
    let state = tempfile::tempdir().expect("a folder");
    let output = drill(state.path(), &["--fault", "DescribeDBInstance:1:throttle"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(
        said(&output).contains("DescribeDBInstances"),
        "{}",
        said(&output)
    );
}

#[test]
fn ctrl_c_leaves_no_server_behind() {
    let state = tempfile::tempdir().expect("a folder");
    let mut child = rbk(&["drill", "runbooks/quick-recovery.rbk", "--rows", "50"])
        .env("XDG_STATE_HOME", state.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rbk starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines();
    let mut directory = None;
    for line in stderr.by_ref() {
        let line = line.expect("UTF-8");
        if let Some((_, ca)) = line.split_once("ca is the sandbox's own, ") {
            directory = Path::new(ca).parent().map(Path::to_owned);
        }
        if line.contains("Step 1 of 3") {
            break;
        }
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let rest: Vec<String> = stderr.map(|line| line.expect("UTF-8")).collect();
    let status = child.wait().expect("rbk ends");
    assert_eq!(status.code(), Some(5), "{rest:?}");
    let directory = directory.expect("the sandbox's directory was told");
    assert!(
        !directory.exists(),
        "{} is still there",
        directory.display()
    );
}
