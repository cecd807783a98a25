//! `rbk plan --online`: what is found in an account, and that it was only read.

use crate::account::{Account, ORIGINAL, PROD, RECOVERY, RUNBOOK};
use crate::process::{root, said};
use serde_json::Value;
use std::process::Output;

/// Looks ahead, as JSON; nothing may come of it.
#[track_caller]
fn look(account: &Account, runbook: &str, env: &str, more: &[&str]) -> (Output, Value) {
    let before = account.effects();
    let mut all = vec![
        "plan", runbook, "--env", env, "--online", "--format", "json",
    ];
    all.extend(more);
    let output = account.finish(&all);
    assert_eq!(account.effects(), before, "{}", said(&output));
    let document = serde_json::from_slice(&output.stdout);
    let document: Value = document.unwrap_or_else(|_| panic!("{}", said(&output)));
    (output, document)
}

/// Codes of what failed or was found.
fn codes(document: &Value) -> Vec<String> {
    let online = &document["online"];
    let both = ["checks", "findings"].map(|key| online[key].as_array().unwrap());
    both.into_iter()
        .flatten()
        .filter_map(|one| one["code"].as_str().map(str::to_owned))
        .collect()
}

/// What could not be seen.
fn unseen(document: &Value) -> Vec<String> {
    let unseen = document["online"]["unseen"].as_array().unwrap();
    let what = |one: &Value| one["what"].as_str().unwrap().to_owned();
    unseen.iter().map(what).collect()
}

#[test]
fn an_account_is_read_and_what_a_run_would_find_is_told() {
    let account = Account::start();
    let runs = account.runs();

    // All is well.
    let (output, document) = look(&account, RUNBOOK, "prod", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(codes(&document), Vec::<String>::new());
    assert_eq!(unseen(&document), Vec::<String>::new());
    let (output, _) = look(&account, RUNBOOK, "prod", &["--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(2));
    let human = account.finish(&["plan", RUNBOOK, "--env", "prod", "--online"]);
    let text = said(&human);
    assert!(
        text.contains(&format!("latest snapshot of original = rds:{ORIGINAL}-")),
        "{text}"
    );
    let asked = text.matches("require age(snap) <= max_loss").count();
    assert!(
        asked == 2 && text.contains("\n      sgpt uses original\n"),
        "once in the plan, once before what was seen: {text}"
    );
    let comment = [
        "plan", RUNBOOK, "--env", "prod", "--online", "--format", "markdown",
    ];
    let comment = said(&account.finish(&comment));
    assert!(
        comment.contains("Nothing was found that would stop a run"),
        "{comment}"
    );

    // A precondition that doesn't hold.
    let ancient = account.runbook_with(
        "require age(snap) <= max_loss",
        "require age(snap) > max_loss",
    );
    let (output, document) = look(&account, &ancient, PROD, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(codes(&document), ["RBK4003"]);

    // Groups that aren't there.
    let environment = account.environment_with(
        "parameter_group = \"statistagpt-pg16\"",
        "parameter_group = \"statistagpt-pg61\"",
    );
    let (output, document) = look(&account, RUNBOOK, &environment, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        codes(&document).contains(&"RBK4116".to_owned()),
        "{document}"
    );

    // Another account.
    let environment =
        account.environment_with("account = \"123456789012\"", "account = \"210987654321\"");
    let (output, document) = look(&account, RUNBOOK, &environment, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(codes(&document), ["RBK4001"]);

    // What may not be seen: a finding's is listed, a precondition's leaves the question open.
    account.plant("DescribeDBParameterGroups:*:denied\nDescribeAccountAttributes:*:denied");
    let (output, document) = look(&account, RUNBOOK, "prod", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let group = "whether there is a DB parameter group `statistagpt-pg16`";
    assert_eq!(unseen(&document), [group, "the account's quotas"]);
    account.clear();
    account.plant("DescribeDBSnapshots:*:denied");
    let (output, document) = look(&account, RUNBOOK, "prod", &[]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert_eq!(codes(&document), Vec::<String>::new());
    account.clear();
    account.plant("GetCallerIdentity:*:expired");
    let (output, document) = look(&account, RUNBOOK, "prod", &[]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(unseen(&document).len() > 5, "{document}");
    account.clear();

    // A saved plan holds nothing of what was seen, and can be looked at itself.
    let plan = account.home().join("a.rbkplan");
    let plan = plan.to_str().unwrap();
    let (output, document) = look(&account, RUNBOOK, "prod", &["--out", plan]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let saved = std::fs::read_to_string(plan).unwrap();
    let bound = document["online"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|check| check["binds"]["value"]["value"]["id"].as_str());
    assert!(!saved.contains(bound.unwrap()), "{bound:?}");
    let (output, again) = look(&account, plan, "prod", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(again["plan"], document["plan"]);
    assert_eq!(account.runs(), runs, "nothing was begun");

    // A second incident: the recovery is there, of that run, and what to do about it is said.
    let done = account.run();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let (output, document) = look(&account, RUNBOOK, "prod", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        codes(&document).contains(&"RBK4004".to_owned()),
        "{document}"
    );
    let text = document["online"]["checks"].to_string();
    assert!(
        text.contains(&account.only_run()) && text.contains(RECOVERY),
        "{text}"
    );
}

#[test]
fn what_dms_needs_is_looked_at() {
    let account = Account::of("prod", &[]);
    let runbook = "runbooks/repair-original.rbk";
    let text = std::fs::read_to_string(root().join(PROD)).unwrap();
    assert!(text.contains("[dms]"));
    let (_, document) = look(&account, runbook, "prod", &[]);
    let found = |document: &Value| codes(document).contains(&"RBK4117".to_owned());
    assert!(!found(&document), "{document}");
    account.control("DELETE", "/_sandbox/roles/dms-vpc-role", "");
    let (output, document) = look(&account, runbook, "prod", &[]);
    assert!(found(&document), "{document}");
    assert_eq!(output.status.code(), Some(3));
    account.plant("GetRole:*:denied");
    let (_, document) = look(&account, runbook, "prod", &[]);
    assert!(!found(&document), "{document}");
    let unseen = unseen(&document);
    assert!(
        unseen.contains(&"whether there is a role `dms-vpc-role`".to_owned()),
        "{unseen:?}"
    );
}
