//! `rbk run` and what follows it, against a sandbox that is left running.

use crate::process::{rbk, root, said};
use crate::sandbox::Up;

const RUNBOOK: &str = "runbooks/quick-recovery.rbk";

#[test]
fn a_run_waits_for_its_approval_and_goes_on_with_it() {
    let up = Up::start(&[
        "--env",
        "prod",
        "--rows",
        "50",
        "--disaster",
        "drop-table:public.embeddings",
    ]);
    let first = up.with_store(&["run", RUNBOOK, "--env", "prod"]);
    assert_eq!(first.status.code(), Some(4), "{}", said(&first));
    let runs = up.runs();
    let [run] = runs.as_slice() else {
        panic!("{runs:?}")
    };
    let text = said(&first);
    assert!(
        text.contains("with these changes to the environment"),
        "{text}"
    );
    assert!(text.contains("writes are FROZEN"), "{text}");
    let resume = format!(
        "rbk resume {run} --store {} --approve \"Switch the application\"",
        up.store().display()
    );
    assert!(text.contains(&resume), "{text}");

    // A run that stands still is no reason to refuse to look at it.
    let short = run.rsplit('-').next().expect("eight digits");
    let status = up.with_store(&["status", short]);
    assert!(
        said(&status).contains("Quick recovery in prod: suspended"),
        "{}",
        said(&status)
    );
    let listed = up.with_store(&["runs"]);
    assert!(said(&listed).contains("suspended"), "{}", said(&listed));

    let wrong = up.with_store(&["resume", short, "--approve", "Switch"]);
    assert_eq!(wrong.status.code(), Some(64), "{}", said(&wrong));
    let resumed = up.with_store(&["resume", short, "--approve", "Switch the application"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));
    assert!(
        said(&resumed).contains("uses recovery (before: original)"),
        "{}",
        said(&resumed)
    );
    let status = up.with_store(&["status", short, "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(document["phase"], "ended", "{document}");
    assert_eq!(document["ending"], "done", "{document}");

    // Over is over.
    let again = up.with_store(&["resume", short, "--approve", "all"]);
    assert_eq!(again.status.code(), Some(64), "{}", said(&again));
    // A second incident finds the first one's instance, and says whose it is.
    let second = up.with_store(&["run", RUNBOOK, "--env", "prod", "--approve", "all"]);
    assert_eq!(second.status.code(), Some(3), "{}", said(&second));
    assert!(said(&second).contains(run), "{}", said(&second));

    let restores = up
        .ledger()
        .into_iter()
        .filter(|(operation, _)| operation == "RestoreDBInstanceFromDBSnapshot");
    assert_eq!(restores.count(), 1);
}

#[test]
fn a_run_that_is_given_up_is_undone() {
    let up = Up::start(&["--env", "prod", "--rows", "50"]);
    let first = up.with_store(&["run", RUNBOOK, "--env", "prod"]);
    assert_eq!(first.status.code(), Some(4), "{}", said(&first));
    let runs = up.runs();
    let [run] = runs.as_slice() else {
        panic!("{runs:?}")
    };
    let aborted = up.with_store(&["abort", run, "--because", "a test"]);
    assert_eq!(aborted.status.code(), Some(0), "{}", said(&aborted));
    let text = said(&aborted);
    assert!(text.contains("Given up"), "{text}");
    assert!(text.contains("writes are open"), "{text}");
    assert!(text.contains("application sgpt: uses original"), "{text}");
}

#[test]
fn ambient_addresses_are_ignored_with_a_warning() {
    let up = Up::start(&["--env", "prod", "--rows", "50"]);
    let output = up
        .rbk(&["run", RUNBOOK, "--env", "prod", "--store"])
        .arg(up.store())
        .args(["--approve", "all"])
        .env("PGHOST", "192.0.2.1")
        .env("DATABASE_URL", "postgres://elsewhere/db")
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("warning: DATABASE_URL, PGHOST are set and ignored"),
        "{}",
        said(&output)
    );
}

#[test]
fn another_account_is_refused_before_anything_is_touched() {
    let up = Up::start(&["--env", "prod", "--rows", "50"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.toml");
    let prod =
        std::fs::read_to_string(root().join("runbooks/environments/prod.toml")).expect("prod.toml");
    std::fs::write(&file, prod.replace("123456789012", "999999999999")).expect("written");
    let environment = file.to_str().expect("UTF-8");
    let output = up.with_store(&["run", RUNBOOK, "--env", environment, "--approve", "all"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("belong to account 123456789012"),
        "{}",
        said(&output)
    );
    assert!(up.ledger().is_empty(), "{:?}", up.ledger());
}

#[test]
fn a_local_lock_is_not_enough_for_a_real_account() {
    let store = tempfile::tempdir().expect("a folder");
    let output = rbk(&["run", RUNBOOK, "--env", "prod", "--store"])
        .arg(store.path())
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("--alone"), "{}", said(&output));
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
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        assert!(
            said(&output).contains("there is no run `1f3a9c02`"),
            "{}",
            said(&output)
        );
    }
    let listed = rbk(&["runs", "--store", store])
        .output()
        .expect("rbk starts");
    assert_eq!(listed.status.code(), Some(0), "{}", said(&listed));
}

#[test]
fn a_port_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = rbk(&["sandbox", "up", "--env", "prod", "--port", &port])
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains(&format!("port {port}")),
        "{}",
        said(&output)
    );
}
