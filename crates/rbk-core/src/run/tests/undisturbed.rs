//! Runs that nothing disturbs, and what preflight finds.

use super::bench::Bench;
use super::scenario::*;
use super::world::Secret;
use crate::environment::Active;
use crate::ids::SecretName;
use crate::journal::{Event, Observation};
use crate::plan::{Action, SecretContent};
use crate::run::{EndingKind, Failure, look_ahead};
use crate::status::{self, RunPhase, Word};

/// What the quick recovery changes, each thing once.
pub const LEDGER: &[&str] = &[
    "restore db-recovery from newest",
    "version of recovery_admin",
    "master password of db-recovery",
    "switch recovery_admin",
    "thaw db-recovery",
    "version of recovery",
    "password of sgpt_app on db-recovery",
    "switch recovery",
    "freeze db-original",
    "version of active",
    "switch active",
];

#[tokio::test]
async fn the_quick_recovery_runs_to_its_end() {
    let bench = Bench::new(incident());
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Done, 0),
        "{ending:?}"
    );
    assert_eq!(bench.ledger(), LEDGER);
    let states: Vec<String> = ending
        .entities
        .iter()
        .map(|entity| format!("{}: {}", entity.entity, entity.state))
        .collect();
    assert_eq!(
        states,
        [
            "database original (instance `db-original`): writes are FROZEN",
            "database recovery (instance `db-recovery`): created by this run; its secret holds its new password; writes are open; stays on purpose",
            "application sgpt: uses recovery (before: original)",
        ]
    );
    assert!(ending.by_hand.is_empty());
}

#[tokio::test]
async fn the_new_secrets_keep_what_others_put_there_and_have_a_password_that_needs_no_quoting() {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    let mut inner = bench.fake.lock();
    let admin: serde_json::Value =
        serde_json::from_str(&inner.secret("recovery_admin").current_value()).unwrap();
    assert_eq!(admin["host"], "db-recovery.example");
    assert_eq!(admin["port"], "5432", "a port that was text stays text");
    assert_eq!(admin["username"], "master");
    assert_eq!(admin["extra"], "kept");
    let app: serde_json::Value =
        serde_json::from_str(&inner.secret("recovery").current_value()).unwrap();
    assert_eq!(app["port"], 5432);
    assert_eq!(app["username"], "sgpt_app");
    let password = app["password"].as_str().unwrap();
    assert_eq!(password.len(), 32);
    assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
    assert_ne!(app["password"], admin["password"]);
    let active = inner.secret("active").current_value();
    assert_eq!(active, r#"{"key":"recovery","note":"kept"}"#);
}

#[tokio::test]
async fn no_secret_gets_into_the_journal_or_the_plan() {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    let run = bench.store.only_run().unwrap();
    let journal = String::from_utf8(bench.store.journal(&run)).unwrap();
    let inner = bench.fake.lock();
    let mut passwords = vec!["original-master".to_owned(), "of the snapshot".to_owned()];
    for (value, _) in inner
        .secrets
        .values()
        .flat_map(|secret| secret.versions.values())
    {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        passwords.extend(value["password"].as_str().map(str::to_owned));
    }
    assert!(passwords.len() > 6);
    for password in passwords {
        assert!(!journal.contains(&password));
    }
}

#[tokio::test]
async fn few_calls_are_made() {
    let bench = Bench::new(incident());
    bench.fake.lock().restore_takes = 0;
    bench.start(&quick_recovery()).await;
    let calls = bench.fake.lock().calls.clone();
    insta::assert_debug_snapshot!(calls);
}

#[tokio::test]
async fn the_journal_tells_the_status() {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    assert_eq!(status.phase, RunPhase::Ended);
    assert_eq!(status.exit_code, Some(0));
    assert_eq!(
        (status.epochs, status.next, status.current),
        (1, None, None)
    );
    let words: Vec<Word> = status.steps.iter().map(|step| step.state).collect();
    assert_eq!(words, [Word::Done; 3]);
    let waited = &status.steps[0].actions[1];
    assert_eq!(waited.limit, Some(3600));
    assert!(
        (600.0..640.0).contains(&waited.seconds),
        "{}",
        waited.seconds
    );
    assert!(status.seconds >= status.steps[0].seconds);
    assert!(
        status
            .on_failure
            .iter()
            .all(|action| action.state == Word::Pending)
    );

    let half = &history.records[..history.records.len() / 2];
    let status = status::fold(&history.plan, half);
    assert_eq!(status.phase, RunPhase::Running);
    assert!(status.next.is_some() && status.current.is_some());
    assert!(!status.entities.is_empty() && status.by_hand.is_empty());
}

#[tokio::test]
async fn a_copy_is_used_if_it_says_the_same_as_the_databases_secret() {
    let fake = incident();
    let copied = fake.lock().secret("original").current_value();
    let secret = Secret::of("v0-active", &copied);
    fake.lock()
        .secrets
        .insert(SecretName::from("active"), secret);
    let mut plan = quick_recovery();
    let application = plan.environment.applications.get_mut(&sgpt()).unwrap();
    application.active = Active::Copy {
        secret: SecretName::from("active"),
    };
    for planned in &mut plan.steps[2].actions {
        match &mut planned.action {
            Action::StageSecret { content, .. } => {
                *content = SecretContent::CopyOf {
                    database: recovery(),
                    from: SecretName::from("recovery"),
                };
            }
            Action::ProveLogin { through, .. } => *through = None,
            _ => {}
        }
    }
    let bench = Bench::new(fake);
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let mut inner = bench.fake.lock();
    assert_eq!(
        inner.secret("active").current_value(),
        inner.secret("recovery").current_value()
    );
}

#[tokio::test]
async fn an_unmet_precondition_ends_the_run_before_anything_is_changed() {
    let bench = Bench::new(incident());
    bench.fake.lock().snapshots.remove(1);
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    let first = ending.first.unwrap();
    assert_eq!(
        first.failure.to_string(),
        "the newest snapshot is 1d6h15m old (`require age(snap) <= 1d`: 1d6h15m <= 1d)"
    );
    assert!(bench.ledger().is_empty());
    let run = bench.store.only_run().unwrap();
    let refused = bench.runner().resume(&run).await.unwrap_err();
    assert_eq!((refused.exit_code(), refused.code()), (64, "RBK4076"));
}

#[tokio::test]
async fn another_account_or_region_is_found_before_anything_else() {
    let bench = Bench::new(incident());
    bench.fake.lock().caller.account = "999999999999".to_owned();
    let ending = bench.start(&quick_recovery()).await;
    assert!(matches!(
        ending.first.unwrap().failure,
        Failure::WrongAccount { .. }
    ));
    assert_eq!(bench.fake.lock().calls.len(), 1, "only STS was asked");

    let bench = Bench::new(incident());
    bench.fake.lock().caller.region = "us-east-1".to_owned();
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4002");
}

#[tokio::test]
async fn a_second_incident_is_told_whose_recovery_is_there() {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    let first = bench.store.only_run().unwrap();
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.exit_code, 3);
    let failure = ending.first.unwrap().failure;
    assert_eq!(failure.code(), "RBK4004");
    assert!(failure.to_string().contains(first.as_str()), "{failure}");
    assert!(failure.help().contains(&format!("rbk status {first}")));
}

#[tokio::test]
async fn secrets_that_may_not_be_written_are_found_at_preflight() {
    for spoil in [
        (|secret| secret.is_deleted = true) as fn(&mut Secret),
        |secret| secret.owning_service = Some("rds".to_owned()),
        |secret| {
            let labels = vec!["AWSPENDING".into()];
            secret.versions.insert("p".into(), (String::new(), labels));
        },
    ] {
        let bench = Bench::new(incident());
        spoil(bench.fake.lock().secret("recovery"));
        let ending = bench.start(&quick_recovery()).await;
        assert_eq!(ending.first.unwrap().failure.code(), "RBK4006");
        assert!(bench.ledger().is_empty());
    }
    let bench = Bench::new(incident());
    let name = SecretName::from("recovery");
    bench.fake.lock().secrets.remove(&name);
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4005");
}

#[tokio::test]
async fn a_label_that_stayed_after_a_rotation_is_no_rotation() {
    let bench = Bench::new(incident());
    for (_, labels) in bench.fake.lock().secret("recovery").versions.values_mut() {
        labels.push("AWSPENDING".into());
    }
    assert_eq!(bench.start(&quick_recovery()).await.kind, EndingKind::Done);
}

#[tokio::test]
async fn preflight_can_be_looked_at_without_a_run() {
    let bench = Bench::new(incident());
    bench.fake.lock().snapshots.remove(1);
    let plan = quick_recovery();
    let findings = look_ahead(&bench.fake.world(), &plan).await;
    assert_eq!(findings.len(), plan.preflight.len());
    let (last, others) = findings.split_last().unwrap();
    assert!(others.iter().all(|finding| finding.result.is_ok()));
    assert_eq!(last.result.as_ref().unwrap_err().code(), "RBK4003");
    assert!(bench.store.only_run().is_none());
}

#[tokio::test]
async fn observations_of_preflight_are_journaled_in_order() {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    let mut seen = Vec::new();
    for event in bench.events().await {
        if let Event::Observed {
            preflight: Some(index),
            observation,
        } = event
        {
            seen.push((index, observation));
        }
    }
    let indices: Vec<usize> = seen.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, (0..9).collect::<Vec<_>>());
    assert!(matches!(
        &seen[5].1,
        Observation::ActiveDatabase { database: Some(database), .. } if *database == original()
    ));
}
