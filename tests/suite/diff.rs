//! `rbk env diff` against sandboxes: nothing differs, a recovery, and what somebody changed by hand.

use crate::account::{Account, ORIGINAL, POINTER, PROD, RECOVERY, assert_exit, assert_says};
use crate::process::{root, said};
use rbk_core::environment::DmsTls;
use rbk_core::ids::InstanceId;
use rbk_core::plan::Side;
use rbk_core::ports::{EndpointCredentials, EndpointRequest};
use serde_json::Value;
use std::process::Output;

/// The secret with which the original is administrated in `prod`.
const ADMIN: &str = "rds/statistagptdb_admin";

/// A stack's file as it is before any recovery, like the one that rbk began with.
const CONFIG: &str = "\
from aws_cdk import RemovalPolicy

CONFIG = {
    'prod': {
        'recovery_enabled': False,
        'keep_original_db': True,
        'active_sgpt_secret_key': 'rds/statistagptdb',
        'recovery_removal_policy': RemovalPolicy.SNAPSHOT,
        'recovery_snapshot_id': None,
        'recovery_secret_name': 'rds/statistagptdb_recovery',
    },
}
";

/// `prod` with a stack's file, and the lock file beside it.
fn environment(account: &Account) -> String {
    let home = account.home();
    std::fs::write(home.join("config.py"), CONFIG).expect("written");
    let text = std::fs::read_to_string(root().join(PROD)).expect("prod.toml");
    let text = text
        .replace(
            "# file = \"../../stacks/config.py\"",
            "file = \"config.py\"",
        )
        .replace("# section = [", "section = [")
        .replace("\"../", &format!("\"{}/runbooks/", root().display()));
    assert!(text.contains("\nfile = \"config.py\""), "{text}");
    let file = home.join("prod.toml");
    std::fs::write(&file, text).expect("written");
    let lock = root().join(PROD).with_extension("lock.toml");
    std::fs::copy(lock, home.join("prod.lock.toml")).expect("copied");
    file.to_str().expect("UTF-8").to_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// The settings that the stack must have: name, value, whether the file says something else.
fn wanted(document: &Value) -> Vec<(String, String, bool)> {
    let settings = document["stack"]["settings"].as_array().expect("settings");
    settings
        .iter()
        .map(|setting| {
            (
                setting["name"].as_str().expect("a name").to_owned(),
                setting["wanted"].as_str().unwrap_or("nothing").to_owned(),
                setting["differs"] == true,
            )
        })
        .collect()
}

#[test]
fn a_recovery_is_told_with_what_the_stack_must_say() {
    let account = Account::start();
    let environment = environment(&account);
    let diff =
        |format: &str| account.finish(&["env", "diff", "--env", &environment, "--format", format]);

    let before = diff("human");
    assert_exit(&before, 0);
    assert_says(
        &before,
        "instance statistagptdb-recovery isn't there, and need not be",
    );
    assert_says(&before, "sgpt  uses original, by `rds/statistagptdb`");
    assert_says(&before, "No drift.");

    let run = account.finish(&[
        "run",
        "runbooks/quick-recovery.rbk",
        "--env",
        &environment,
        "--approve",
        "all",
    ]);
    assert_exit(&run, 0);
    assert_says(&run, "What the stack must say now");
    for line in [
        "'recovery_enabled': True,",
        "# now False, line 5",
        "'active_sgpt_secret_key': 'rds/statistagptdb_recovery',",
        "# now 'rds/statistagptdb', line 7",
        "'recovery_removal_policy': RemovalPolicy.SNAPSHOT,",
    ] {
        assert_says(&run, line);
    }

    let after = diff("json");
    assert_exit(&after, 1);
    let document = json(&after);
    assert_eq!(
        document["databases"]["recovery"]["differences"],
        serde_json::json!([]),
        "{document:#}"
    );
    assert_eq!(
        document["databases"]["original"]["differences"],
        serde_json::json!([]),
        "{document:#}"
    );
    assert_eq!(document["applications"]["sgpt"]["active"], "recovery");
    assert_eq!(document["leftovers"], serde_json::json!([]), "{document:#}");
    assert_eq!(document["blind"], false, "{document:#}");
    let settings = wanted(&document);
    let snapshot = settings[4].1.clone();
    assert!(snapshot.starts_with("'rds:statistagptdb-"), "{snapshot}");
    let expected = [
        ("recovery_enabled", "True", true),
        ("keep_original_db", "True", false),
        (
            "active_sgpt_secret_key",
            "'rds/statistagptdb_recovery'",
            true,
        ),
        ("recovery_removal_policy", "RemovalPolicy.SNAPSHOT", false),
        ("recovery_snapshot_id", &snapshot, true),
        (
            "recovery_secret_name",
            "'rds/statistagptdb_recovery'",
            false,
        ),
    ];
    let expected =
        expected.map(|(name, value, differs)| (name.to_owned(), value.to_owned(), differs));
    assert_eq!(settings, expected);

    // What is pasted is what there is then.
    let pasted = CONFIG
        .replace("'recovery_enabled': False", "'recovery_enabled': True")
        .replace(
            "'active_sgpt_secret_key': 'rds/statistagptdb'",
            "'active_sgpt_secret_key': 'rds/statistagptdb_recovery'",
        )
        .replace(
            "'recovery_snapshot_id': None",
            &format!("'recovery_snapshot_id': {snapshot}"),
        );
    std::fs::write(account.home().join("config.py"), pasted).expect("written");
    assert_exit(&diff("human"), 0);
    let all = format!("{}{}", said(&after), said(&run));
    for name in [ADMIN, "rds/statistagptdb", "rds/statistagptdb_recovery"] {
        for value in account.all_values(name) {
            let value: Value = serde_json::from_str(&value).expect("a secret is JSON");
            let password = value["password"].as_str().expect("a password");
            assert!(!all.contains(password), "the password of {name} is shown");
        }
    }
}

#[test]
fn what_was_changed_by_hand_is_told() {
    let account = Account::start();
    let environment = environment(&account);
    let diff = || account.finish(&["env", "diff", "--env", &environment]);
    account
        .execute(ADMIN, "DROP INDEX public.embeddings_embedding_vector_idx")
        .expect("dropped");
    account.aws(async |aws| {
        aws.rds
            .set_deletion_protection(&InstanceId::from(ORIGINAL), false)
            .await
            .expect("switched");
        let tags = [
            ("rbk:run", "20261122T091500Z-1f3a9c02"),
            ("rbk:action", "x"),
        ];
        let request = EndpointRequest {
            id: "rbk-1f3a9c02-load-source".to_owned(),
            resource: "rbk-1f3a9c02-load-source".to_owned(),
            side: Side::Source,
            database: "statistagpt".to_owned(),
            credentials: EndpointCredentials::Given {
                host: "db.example".to_owned(),
                port: 5432,
                username: "postgres".to_owned(),
                password: "hunter2".to_owned().into(),
            },
            tls: DmsTls::Require,
            certificate: None,
            after_connect: None,
            tags: tags
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        aws.dms.create_endpoint(&request).await.expect("created");
    });
    account.meddle_with(POINTER, "rds/somebody_elses");
    let found = diff();
    assert_exit(&found, 1);
    for line in [
        "~ deletion protection: true is wanted, false is there",
        "- index public.embeddings_embedding_vector_idx is missing",
        "endpoint `rbk-1f3a9c02-load-source` is left over from run 20261122T091500Z-1f3a9c02",
        "active secret `sgpt/active_secret_key`: the secret of original or recovery is wanted, rds/somebody_elses is there",
        "There is drift.",
    ] {
        assert_says(&found, line);
    }
    assert!(!said(&found).contains("hunter2"));
    assert_eq!(account.status(RECOVERY), None);

    // Who can't log in is told that the schema wasn't looked at, and the rest is still compared.
    account.meddle_with(
        ADMIN,
        "{\"username\": \"postgres\", \"password\": \"an old one\"}",
    );
    let blind = diff();
    assert_exit(&blind, 1);
    assert_says(&blind, "? schema not compared:");
    assert_says(&blind, "deletion protection");
    assert!(!said(&blind).contains("an old one"));
}
