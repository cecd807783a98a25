//! Repairs: undisturbed, killed at every point of every effect, every call failing, and each of the troubles that databases have.

use super::bench::{Bench, Crash, Mortal, Watcher, until_death};
use super::repair::*;
use super::scenario::{freeze, original, plan_of, recovery, sgpt};
use super::world::{Fake, Fault, error};
use crate::catalog::Schema;
use crate::ids::RunId;
use crate::journal::{Decision, Event, How, Observation, Outcome};
use crate::plan::{Action, CatalogScope, Change, Expr, Plan, Preflight};
use crate::ports::PortErrorKind::{self, *};
use crate::ports::{MigrationLock, Orphans, Sent};
use crate::run::{Ending, EndingKind, Failure, Refusal, look_ahead};
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What changes something in the repair, as the world's ports call it.
const MUTATIONS: &[&str] = &["change", "migrate", "copy", "set_sequences", "run"];

/// How each action was done, with what was seen.
async fn outcomes(bench: &Bench) -> Vec<(How, String)> {
    let done = |event| match event {
        Event::Outcome(Outcome::Done { how, detail, .. }) => Some((how, detail)),
        _ => None,
    };
    bench.events().await.into_iter().filter_map(done).collect()
}

async fn last_outcome(bench: &Bench) -> (How, String) {
    outcomes(bench).await.pop().unwrap()
}

/// The failure of a run that ended so.
#[track_caller]
fn failure(ending: &Ending, kind: EndingKind, exit_code: u8) -> &Failure {
    assert_eq!(
        (ending.kind, ending.exit_code),
        (kind, exit_code),
        "{ending:?}"
    );
    let first = ending.first.as_ref().unwrap();
    assert!(!first.failure.help().is_empty());
    &first.failure
}

#[tokio::test]
async fn a_repair_runs_to_its_end() {
    let bench = Bench::new(damaged());
    let ending = bench.start(&repair()).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Done, 0),
        "{ending:?}"
    );
    assert_eq!(bench.ledger(), LEDGER);
    let outcomes = outcomes(&bench).await;
    assert!(outcomes.iter().all(|(how, _)| *how == How::Done));
    let details: Vec<String> = outcomes.into_iter().map(|(_, detail)| detail).collect();
    insta::assert_snapshot!(details.join("\n"));
    {
        let inner = bench.fake.lock();
        assert_eq!(
            inner.commands,
            [(
                ["warm", "--rows=3", "original"].map(str::to_owned).to_vec(),
                vec!["WARM_PASSWORD=original-app".to_owned()]
            )]
        );
    }
    let mut inner = bench.fake.lock();
    assert_eq!(
        inner.server("db-original").db.sequences["documents_id_seq"],
        7
    );
    drop(inner);
    let run = bench.store.only_run().unwrap();
    let journal = String::from_utf8(bench.store.journal(&run)).unwrap();
    assert!(!journal.contains("original-app"), "a secret is journaled");
}

#[tokio::test]
async fn what_takes_its_time_says_how_far_it_is() {
    let mut bench = Bench::new(damaged());
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let into = seen.clone();
    bench.watched(Watcher::tick(move |tick| {
        if let Some(done) = tick.done {
            let mut seen = into.lock().unwrap();
            seen.insert(tick.action.to_string(), (tick.seen.clone(), done));
        }
    }));
    bench.start(&repair()).await;
    let seen = seen.lock().unwrap();
    let of = |action: &str| seen.get(action).cloned();
    assert_eq!(
        of("Make ready and load#3"),
        Some(("copying".to_owned(), (0, 2)))
    );
    assert_eq!(
        of("Prove#1"),
        Some((
            "`embeddings_document_id_fkey` of public.embeddings".to_owned(),
            (0, 1)
        ))
    );
    assert_eq!(
        of("Prove#2"),
        Some(("public.embeddings".to_owned(), (2, 2)))
    );
}

#[tokio::test]
async fn indexes_are_journaled_before_they_are_dropped() {
    let bench = Bench::new(damaged());
    bench.start(&repair()).await;
    let events = bench.events().await;
    let kept = events.iter().position(|event| {
        matches!(
            event,
            Event::Observed { observation: Observation::Indexes { indexes, .. }, .. }
                if indexes.len() == 1 && indexes[0].definition.contains("vector_cosine_ops")
        )
    });
    let sent = events
        .iter()
        .position(|event| matches!(event, Event::Intent(intent) if intent.call == "drop indexes"));
    assert!(kept.unwrap() < sent.unwrap());
}

async fn go_on(bench: &mut Bench, context: &str) -> Option<Ending> {
    let run = bench.store.only_run();
    let runner = bench.again();
    let resumed = match &run {
        Some(run) => runner.resume(run).await,
        None => runner.start(&repair()).await,
    };
    match resumed {
        Ok(ending) => Some(ending),
        Err(Refusal::NeverBegan { .. }) => Some(bench.start(&repair()).await),
        Err(Refusal::Ended { .. }) => None,
        Err(refusal) => panic!("{context}: {refusal}"),
    }
}

#[tokio::test]
async fn a_repair_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    for crash in [Crash::Keep, Crash::Lose, Crash::Tear] {
        let mut deaths = 0;
        for n in 1.. {
            let mut bench = Bench::new(damaged());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&repair()))
                .await
                .is_some()
            {
                break;
            }
            deaths += 1;
            let point = mortal.last.lock().unwrap().unwrap();
            let context = format!("killed at {n} ({point:?}), {crash:?}");
            bench.store.crash(crash);
            if let Some(ending) = go_on(&mut bench, &context).await {
                assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            }
            // A command that may be run again is; everything else is seen to be done.
            let mut ledger = bench.ledger();
            ledger.dedup_by(|a, b| a == b && a == "command warm");
            assert_eq!(ledger, LEDGER, "{context}");
        }
        // Nine effects: each has two points at its intent, two at its send, two at its outcome.
        assert!(deaths > 9 * 6, "{deaths}");
    }
}

#[tokio::test]
async fn a_resumed_repair_that_is_killed_anywhere_is_resumed_too() {
    let mut deaths = 0;
    for first in (1..).step_by(11) {
        let mut is_over = true;
        for second in 1.. {
            let mut bench = Bench::new(damaged());
            let mortal = Mortal::at(first);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&repair()))
                .await
                .is_some()
            {
                break;
            }
            is_over = false;
            bench.store.crash(Crash::Lose);
            let run = bench.store.only_run().unwrap();
            let mortal = Mortal::at(second);
            let runner = bench.dying_at(&mortal);
            match until_death(&mortal, runner.resume(&run)).await {
                None => {}
                Some(Err(Refusal::NeverBegan { .. }) | Ok(_)) => break,
                Some(Err(refusal)) => panic!("{first}, {second}: {refusal}"),
            }
            deaths += 1;
            bench.store.crash(Crash::Tear);
            let context = format!("killed at {first}, then at {second} of the resume");
            if let Some(ending) = go_on(&mut bench, &context).await {
                assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            }
            let mut ledger = bench.ledger();
            ledger.dedup_by(|a, b| a == b && a == "command warm");
            assert_eq!(ledger, LEDGER, "{context}");
        }
        if is_over {
            break;
        }
    }
    assert!(deaths > 100, "{deaths}");
}

async fn calls() -> BTreeMap<&'static str, usize> {
    let bench = Bench::new(damaged());
    bench.start(&repair()).await;
    bench.fake.lock().calls.clone()
}

#[tokio::test]
async fn an_effect_whose_answer_is_lost_is_found_and_not_repeated() {
    let calls = calls().await;
    for operation in MUTATIONS {
        for nth in 1..=calls[operation] {
            let bench = Bench::new(damaged());
            let fault = Fault::new(operation, nth, Unreachable).applied();
            bench.fake.lock().faults.push(fault);
            let ending = bench.start(&repair()).await;
            assert_eq!(ending.kind, EndingKind::Done, "{fault:?}: {ending:?}");
            let mut ledger = bench.ledger();
            ledger.dedup_by(|a, b| a == b && a == "command warm");
            assert_eq!(ledger, LEDGER, "{fault:?}");
        }
    }
}

/// What a call of that name can't say.
fn may_say(operation: &str, kind: PortErrorKind) -> bool {
    match kind {
        AlreadyExists | Conflict => MUTATIONS.contains(&operation) && operation != "run",
        LoginRefused => operation == "connect",
        _ => true,
    }
}

#[tokio::test]
async fn every_call_of_a_repair_fails_once_in_every_way() {
    const KINDS: &[PortErrorKind] = &[
        NotFound,
        AlreadyExists,
        InvalidState,
        Conflict,
        Quota,
        Throttled,
        Unreachable,
        AccessDenied,
        LoginRefused,
        Tls,
        Statement,
    ];
    for (operation, count) in calls().await {
        for nth in 1..=count {
            for kind in KINDS {
                if may_say(operation, *kind) {
                    suffer(Fault::new(operation, nth, *kind)).await;
                }
            }
        }
    }
}

async fn suffer(fault: Fault) {
    let context = format!("{fault:?}");
    let mut bench = Bench::new(damaged());
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&repair()).await;
    match ending.kind {
        EndingKind::Done => {}
        EndingKind::Failed => {
            assert!(matches!(ending.exit_code, 3 | 4), "{context}: {ending:?}");
            let is_command = fault.operation == "run";
            assert!(
                is_command || !matches!(fault.kind, AccessDenied | Tls),
                "{context}: what can be mended outside was given up"
            );
            let all: BTreeSet<&str> = LEDGER.iter().copied().collect();
            let ledger = bench.ledger();
            assert!(ledger.iter().all(|line| all.contains(line.as_str())));
            assert_eq!(ledger, LEDGER[..ledger.len()], "{context}");
            return;
        }
        EndingKind::Suspended => {
            assert_eq!(ending.exit_code, 4, "{context}");
            assert!(!ending.by_hand.is_empty(), "{context}");
            bench.fake.lock().faults.clear();
            let ending = bench.resume().await;
            assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
        }
        kind => panic!("{context}: {kind:?}: {ending:?}"),
    }
    assert_eq!(bench.ledger(), LEDGER, "{context}");
}

#[tokio::test]
async fn a_transaction_whose_client_is_gone_is_waited_for_and_decides() {
    let mut bench = Bench::new(damaged());
    bench.fake.lock().commits_late = Some(120_000);
    // Killed right after the first change was sent: the server runs it for two more minutes.
    let mortal = Mortal::at(after_first_send(&repair()).await);
    let runner = bench.dying_at(&mortal);
    assert!(
        until_death(&mortal, runner.start(&repair()))
            .await
            .is_none()
    );
    assert!(bench.ledger().is_empty());
    let ending = bench.resume().await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), LEDGER);
    assert_eq!(outcomes(&bench).await[0].0, How::Adopted);
    let calls = bench.fake.lock().calls["change"];
    // Five changes and the note of the migration, each sent once.
    assert_eq!(calls, 6, "sent again while it was open");
}

/// The number of the point right after the first call was sent.
async fn after_first_send(plan: &Plan) -> usize {
    for n in 1.. {
        let bench = Bench::new(damaged());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        assert!(until_death(&mortal, runner.start(plan)).await.is_none());
        let point = *mortal.last.lock().unwrap();
        if matches!(point, Some(crate::run::Point::AfterSend(_))) {
            return n;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_commit_whose_answer_comes_late_is_decided_by_its_marker() {
    let bench = Bench::new(damaged());
    bench.fake.lock().commits_late = Some(30_000);
    let ending = bench.start(&repair()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), LEDGER);
}

#[tokio::test]
async fn an_abort_waits_for_a_transaction_whose_client_is_gone() {
    let bench = Bench::new(damaged());
    bench.fake.lock().commits_late = Some(60_000);
    let mortal = Mortal::at(after_first_send(&repair()).await);
    let runner = bench.dying_at(&mortal);
    assert!(
        until_death(&mortal, runner.start(&repair()))
            .await
            .is_none()
    );
    let run = bench.store.only_run().unwrap();
    let ending = bench.runner().abort(&run, "enough").await.unwrap();
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Aborted, 0));
    assert_eq!(bench.ledger(), ["recreate db-original"]);
    assert_eq!(outcomes(&bench).await[0].0, How::Adopted);
}

#[tokio::test]
async fn an_abort_isnt_kept_from_its_on_failure_by_a_database_that_is_gone() {
    let plan = plan_with(vec![copy()]);
    let mut bench = Bench::new(migrated());
    bench.fake.lock().copy_is_cut = Some(1);
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Intent(_)) {
            fake.lock().server("db-original").is_reachable = false;
        }
    }));
    let ending = bench.start(&plan).await;
    assert_eq!(failure(&ending, EndingKind::Suspended, 4).code(), "RBK4033");
    let run = ending.run;
    // Nobody can look whether the tables are copied, and the source is frozen for as long as nobody says so.
    let ending = bench.runner().abort(&run, "enough").await.unwrap();
    let undecided = failure(&ending, EndingKind::Undecided, 7);
    assert!(undecided.help().contains("rbk.markers"), "{undecided}");
    let action = ending.first.unwrap().action.unwrap();
    let runner = bench.again();
    runner
        .resolve(&run, &action, Decision::Failed, "its instance burns")
        .await
        .unwrap();
    let ending = bench.resume().await;
    assert_eq!(failure(&ending, EndingKind::Failed, 4).code(), "RBK4022");
    let noted = bench.history().await.facts;
    let noted = noted.action(&"on failure#1".into()).unwrap();
    assert!(noted.over.is_some(), "`on failure` has run");
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for_and_then_its_holder_is_named() {
    let plan = plan_with(vec![drop_indexes()]);
    let bench = Bench::new(damaged());
    bench.fake.lock().server("db-original").db.locked_until = 120_000;
    assert_eq!(bench.start(&plan).await.kind, EndingKind::Done);
    assert_eq!(bench.ledger(), ["drop indexes db-original"]);

    let bench = Bench::new(damaged());
    bench.fake.lock().server("db-original").db.locked_until = u64::MAX;
    let ending = bench.start(&plan).await;
    let failure = failure(&ending, EndingKind::Failed, 4);
    assert_eq!(failure.code(), "RBK4027");
    assert!(failure.to_string().contains("`report`, psql"), "{failure}");
    assert!(failure.help().contains("pg_terminate_backend"));
    let waited = bench.fake.lock().now;
    assert!((600_000..700_000).contains(&waited), "{waited}");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_login_that_loses_its_permission_suspends_and_is_resumed() {
    let mut bench = Bench::new(damaged());
    let fault = Fault::new("change", 3, AccessDenied).times(10);
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&repair()).await;
    assert_eq!(failure(&ending, EndingKind::Suspended, 4).code(), "RBK4031");
    bench.fake.lock().faults.clear();
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    assert_eq!(bench.ledger(), LEDGER);
}

#[tokio::test]
async fn an_index_that_is_not_as_the_lock_file_says_is_not_dropped() {
    let plan = plan_with(vec![drop_indexes()]);
    for is_there in [true, false] {
        let bench = Bench::new(damaged());
        {
            let mut inner = bench.fake.lock();
            let catalog = &mut inner.server("db-original").db.catalog;
            let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
            let indexes = &mut public.tables.get_mut("embeddings").unwrap().indexes;
            if is_there {
                indexes.insert("embeddings_hnsw".to_owned(), index("CREATE INDEX other"));
            } else {
                indexes.clear();
            }
        }
        let ending = bench.start(&plan).await;
        let failure = failure(&ending, EndingKind::Failed, 3);
        assert_eq!(failure.code(), "RBK4023");
        let found = if is_there {
            "is `CREATE INDEX other`"
        } else {
            "isn't there"
        };
        assert!(failure.to_string().ends_with(found), "{failure}");
        assert!(bench.ledger().is_empty());
    }
}

fn foreign_lock() -> MigrationLock {
    MigrationLock {
        by: "ci-runner-7 (10.0.0.9)".to_owned(),
        since: Some("2026-11-22 08:00:00".to_owned()),
    }
}

#[tokio::test]
async fn a_migration_lock_of_somebody_else_is_waited_for_and_never_released() {
    let mut plan = plan_with(vec![migrate()]);
    plan.steps[0].actions[0].upper_bound = Some(1800);
    let bench = Bench::new(damaged());
    let held = Some(foreign_lock());
    bench.fake.lock().server("db-original").db.migration_lock = held.clone();
    let ending = bench.start(&plan).await;
    let failure = failure(&ending, EndingKind::Failed, 4);
    assert_eq!(failure.code(), "RBK4026");
    let text = failure.to_string();
    assert!(
        text.contains("ci-runner-7 (10.0.0.9)") && text.contains("since 2026-11-22 08:00:00"),
        "{text}"
    );
    assert!(failure.help().contains("liquibase release-locks"));
    let mut inner = bench.fake.lock();
    assert_eq!(inner.server("db-original").db.migration_lock, held);
    assert!((1_800_000..1_830_000).contains(&inner.now), "{}", inner.now);
    assert!(!inner.calls.contains_key("release_migration_lock"));
    assert!(!inner.calls.contains_key("migrate"));
}

#[tokio::test]
async fn a_migration_lock_that_is_released_meanwhile_is_no_failure() {
    let plan = plan_with(vec![migrate()]);
    let mut bench = Bench::new(damaged());
    bench.fake.lock().server("db-original").db.migration_lock = Some(foreign_lock());
    let fake = bench.fake.clone();
    bench.watched(Watcher::tick(move |tick| {
        assert!(tick.seen.contains("ci-runner-7"), "{}", tick.seen);
        fake.lock().server("db-original").db.migration_lock = None;
    }));
    assert_eq!(bench.start(&plan).await.kind, EndingKind::Done);
}

/// An empty schema: nothing is migrated yet.
fn empty() -> Fake {
    let fake = damaged();
    {
        let mut inner = fake.lock();
        let db = &mut inner.server("db-original").db;
        db.change_sets.clear();
        let public: &mut Schema = db.catalog.schemas.get_mut("public").unwrap();
        public.tables.clear();
        public.sequences.clear();
    }
    fake
}

#[tokio::test]
async fn a_tool_that_was_killed_with_its_lock_held_is_started_again() {
    let plan = plan_with(vec![migrate()]);
    let bench = Bench::new(empty());
    bench.fake.lock().tool_is_killed = true;
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        bench.ledger(),
        [
            "v1::documents on db-original",
            "v2::embeddings on db-original"
        ]
    );
    {
        let inner = bench.fake.lock();
        assert_eq!(inner.calls["release_migration_lock"], 1);
    }
    let (_, detail) = last_outcome(&bench).await;
    assert_eq!(
        detail,
        "2 change sets are applied, the last one `v2::embeddings`"
    );
}

#[tokio::test]
async fn a_change_set_that_fails_suspends_and_what_was_applied_stays() {
    let plan = plan_with(vec![migrate()]);
    let mut bench = Bench::new(empty());
    bench.fake.lock().broken_change_set = Some("v2::embeddings");
    for _ in 0..2 {
        let ending = match bench.store.only_run() {
            None => bench.start(&plan).await,
            Some(_) => bench.resume().await,
        };
        let failure = failure(&ending, EndingKind::Suspended, 4);
        assert_eq!(failure.code(), "RBK4043");
        assert!(
            failure.to_string().contains("`v2::embeddings`"),
            "{failure}"
        );
        assert!(failure.help().contains("rbk resume"), "{}", failure.help());
        assert_eq!(bench.ledger(), ["v1::documents on db-original"]);
        let states: Vec<&str> = ending.entities.iter().map(|it| it.state.as_str()).collect();
        assert!(
            states
                .iter()
                .any(|state| state.contains("only partly migrated")),
            "{states:?}"
        );
    }
    bench.fake.lock().broken_change_set = None;
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    assert_eq!(bench.ledger().len(), 2);
}

#[tokio::test]
async fn a_migration_that_was_seen_to_succeed_is_not_started_again_by_a_resume() {
    for n in 1.. {
        let mut bench = Bench::new(empty());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        let plan = plan_with(vec![migrate()]);
        assert!(until_death(&mortal, runner.start(&plan)).await.is_none());
        let point = *mortal.last.lock().unwrap();
        if point == Some(crate::run::Point::AfterSend("migrate")) {
            assert_eq!(bench.resume().await.kind, EndingKind::Done);
            assert_eq!(bench.fake.lock().calls["migrate"], 1);
            break;
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_cut_goes_on_with_the_tables_that_are_left() {
    let plan = plan_with(vec![copy()]);
    let bench = Bench::new(migrated());
    bench.fake.lock().copy_is_cut = Some(1);
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        bench.ledger(),
        [
            "copy public.documents to db-original",
            "copy public.embeddings to db-original"
        ]
    );
    let mut inner = bench.fake.lock();
    assert_eq!(
        inner.server("db-original").db.rows[&table("documents")].len(),
        3
    );
}

#[tokio::test]
async fn a_source_that_somebody_thawed_in_the_night_is_not_copied() {
    let frozen = Action::FreezeWrites {
        database: recovery(),
        freeze: freeze(),
        if_reachable: false,
    };
    let plan = plan_with(vec![frozen, copy()]);
    assert_eq!(Bench::new(migrated()).start(&plan).await.exit_code, 0);
    let mut bench = Bench::new(migrated());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Outcome(_)) {
            let mut inner = fake.lock();
            let roles = &mut inner.server("db-recovery").roles;
            roles.get_mut("sgpt_app").unwrap().1 = true;
        }
    }));
    let ending = bench.start(&plan).await;
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4010");
    assert!(failure.to_string().contains("recovery"), "{failure}");
    assert_eq!(bench.ledger(), ["freeze db-recovery"]);
}

#[tokio::test]
async fn rows_that_nobody_would_copy_or_compare_are_no_part_of_a_source() {
    for new in ["public.notes", "public.documents.title"] {
        let (bench, ending) = repaired_after_a_night(move |fake| {
            let mut inner = fake.lock();
            let catalog = &mut inner.server("db-recovery").db.catalog;
            let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
            let documents = public.tables.get_mut("documents").unwrap();
            let mut column = documents.columns[0].clone();
            "title".clone_into(&mut column.name);
            if new == "public.notes" {
                let notes = documents.clone();
                public.tables.insert("notes".to_owned(), notes);
            } else {
                documents.columns.push(column);
            }
        })
        .await;
        let failure = failure(&ending, EndingKind::Failed, 3);
        assert_eq!(failure.code(), "RBK4008");
        assert!(failure.to_string().contains(new), "{failure}");
        assert!(!bench.ledger().iter().any(|line| line.starts_with("copy")));
    }
}

#[tokio::test]
async fn a_copy_that_comes_to_no_end_is_given_up_at_its_deadline() {
    let mut plan = plan_with(vec![copy()]);
    plan.steps[0].actions[0].upper_bound = Some(12 * 3600);
    let bench = Bench::new(migrated());
    bench.fake.lock().copy_hangs = true;
    let ending = tokio::time::timeout(std::time::Duration::from_secs(10), bench.start(&plan))
        .await
        .expect("`within` is a deadline");
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4011");
    assert!(failure.to_string().contains("within 12h"), "{failure}");
}

#[tokio::test]
async fn sequences_that_are_beyond_already_are_left_alone() {
    let bench = Bench::new(migrated());
    {
        let mut inner = bench.fake.lock();
        let db = &mut inner.server("db-original").db;
        db.sequences.insert("documents_id_seq".to_owned(), 100);
    }
    bench.start(&plan_with(vec![sync_sequences()])).await;
    assert_eq!(last_outcome(&bench).await.0, How::AlreadySo);
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn an_orphan_fails_the_proof_and_is_shown() {
    let bench = Bench::new(damaged());
    let orphans = Orphans {
        rows: 1,
        example: Some("document_id = 17".to_owned()),
    };
    let key = "embeddings_document_id_fkey".to_owned();
    bench.fake.lock().server("db-original").db.orphans = BTreeMap::from([(key, orphans)]);
    let ending = bench.start(&plan_with(vec![prove_keys()])).await;
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4024");
    assert_eq!(
        failure.to_string(),
        "foreign keys of original don't hold: `embeddings_document_id_fkey`: 1 row of public.embeddings without theirs in public.documents, for instance document_id = 17"
    );
}

#[tokio::test]
async fn the_proof_of_a_key_may_take_as_long_as_the_plan_says() {
    let bench = Bench::new(damaged());
    let mut plan = plan_with(vec![prove_keys()]);
    plan.steps[0].actions[0].upper_bound = Some(6 * 3600);
    bench.start(&plan).await;
    let taken = bench.fake.lock().proof_may_take.clone();
    let [within] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    assert!(within.as_secs().abs_diff(6 * 3600) < 5, "{within:?}");
}

async fn seen_of_assertion(fake: Fake, action: Action) -> String {
    let bench = Bench::new(fake);
    let ending = bench.start(&plan_with(vec![action])).await;
    match failure(&ending, EndingKind::Failed, 3) {
        Failure::Assertion { seen, .. } => seen.clone(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn rows_that_differ_are_told_by_table_and_side() {
    let seen = seen_of_assertion(damaged(), matches()).await;
    assert_eq!(
        seen,
        "2 of 2 tables differ: public.documents: 3 rows in recovery.public, 1 in original.public; public.embeddings: 2 rows in recovery.public, 0 in original.public"
    );
    let fake = damaged();
    {
        let mut inner = fake.lock();
        let rows = inner.server("db-recovery").db.rows.clone();
        let target = &mut inner.server("db-original").db;
        target.rows = rows;
        target.rows.get_mut(&table("documents")).unwrap()[0] = "9".to_owned();
        let public: &mut Schema = target.catalog.schemas.get_mut("public").unwrap();
        public.tables.remove("embeddings");
    }
    assert_eq!(
        seen_of_assertion(fake, matches()).await,
        "2 of 2 tables differ: public.documents: 3 rows on both sides, other values; public.embeddings or a column of it is missing in original.public"
    );
}

#[tokio::test]
async fn drift_is_told_and_the_tools_own_tables_are_none() {
    let fake = damaged();
    {
        let mut inner = fake.lock();
        let catalog = &mut inner.server("db-original").db.catalog;
        let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
        let own = public.tables["documents"].clone();
        public.tables.insert("databasechangelog".to_owned(), own);
    }
    let bench = Bench::new(fake.clone());
    let ending = bench.start(&plan_with(vec![no_drift()])).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        last_outcome(&bench).await.1,
        "as the lock file says: 2 tables, 1 index, 1 sequence"
    );

    {
        let mut inner = fake.lock();
        let catalog = &mut inner.server("db-original").db.catalog;
        let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
        let embeddings = public.tables.get_mut("embeddings").unwrap();
        embeddings.columns[1].ty = "text".to_owned();
    }
    let seen = seen_of_assertion(fake, no_drift()).await;
    assert_eq!(
        seen,
        "1 thing differs from the lock file: column public.embeddings.vector is text, not vector(3)"
    );
}

#[tokio::test]
async fn drift_at_preflight_changes_nothing_and_says_how_to_get_a_lock_file() {
    let bench = Bench::new(damaged());
    {
        let mut inner = bench.fake.lock();
        let catalog = &mut inner.server("db-recovery").db.catalog;
        let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
        public.tables.get_mut("embeddings").unwrap().indexes.clear();
    }
    let ending = bench.start(&repair()).await;
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4008");
    assert!(failure.to_string().contains("embeddings_hnsw"), "{failure}");
    assert!(
        failure.help().contains("rbk env pull"),
        "{}",
        failure.help()
    );
    assert!(bench.ledger().is_empty());
    let findings = look_ahead(&bench.fake.world(), &repair()).await;
    let refused: Vec<bool> = findings.iter().map(|it| it.result.is_err()).collect();
    assert_eq!(refused, [false, false, true]);
}

#[tokio::test]
async fn what_would_go_with_a_schema_is_found_at_preflight() {
    let bench = Bench::new(damaged());
    let dependents = vec!["view reports.totals reads public.documents".to_owned()];
    bench.fake.lock().server("db-original").db.dependents = dependents;
    let ending = bench.start(&repair()).await;
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4009");
    assert!(failure.to_string().contains("reports.totals"), "{failure}");
    assert!(bench.ledger().is_empty());

    // A plan without the lock file can't have been made.
    let mut plan = plan_of(
        vec![Preflight::Catalog {
            database: original(),
            scope: CatalogScope::Whole,
        }],
        Vec::new(),
        Vec::new(),
    );
    plan.catalogs.clear();
    assert_eq!(Bench::new(damaged()).start(&plan).await.exit_code, 70);
}

/// Runs the repair, whose preflight all holds, and lets something happen in the night before its first action.
async fn repaired_after_a_night(night: impl Fn(&Fake) + Send + Sync + 'static) -> (Bench, Ending) {
    let mut bench = Bench::new(damaged());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Ready) {
            night(&fake);
        }
    }));
    let ending = bench.start(&repair()).await;
    (bench, ending)
}

#[tokio::test]
async fn a_schema_is_not_dropped_under_an_application_that_came_back_to_it() {
    let (bench, ending) = repaired_after_a_night(|fake| {
        let active = r#"{"key":"original"}"#.to_owned();
        fake.lock().secret("active").take_over_with(active);
    })
    .await;
    let failure = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failure.code(), "RBK4010");
    assert!(
        failure.to_string().contains("sgpt uses original"),
        "{failure}"
    );
    assert!(bench.ledger().is_empty(), "{:?}", bench.ledger());
}

#[tokio::test]
async fn what_came_to_depend_on_a_schema_since_preflight_is_not_dropped_with_it() {
    let (bench, ending) = repaired_after_a_night(|fake| {
        let dependents = vec!["view reports.totals reads public.documents".to_owned()];
        fake.lock().server("db-original").db.dependents = dependents;
    })
    .await;
    assert_eq!(failure(&ending, EndingKind::Failed, 3).code(), "RBK4009");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn privileges_that_were_given_since_preflight_are_not_dropped_with_a_schema() {
    let (bench, ending) = repaired_after_a_night(|fake| {
        let mut inner = fake.lock();
        let catalog = &mut inner.server("db-original").db.catalog;
        let public: &mut Schema = catalog.schemas.get_mut("public").unwrap();
        let usage = BTreeSet::from(["USAGE".to_owned()]);
        public.grants.insert("reports".to_owned(), usage);
    })
    .await;
    assert_eq!(failure(&ending, EndingKind::Failed, 3).code(), "RBK4008");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn what_was_required_days_ago_is_required_again() {
    let mut plan = repair();
    let required = Preflight::Require {
        condition: Expr::Uses {
            application: sgpt(),
            database: recovery(),
        },
        otherwise: None,
        statement: "require sgpt uses recovery".to_owned(),
    };
    plan.preflight.insert(1, required);
    let mut bench = Bench::new(damaged());
    let fault = Fault::new("connect", 1, AccessDenied);
    bench.fake.lock().faults.push(fault);
    assert_eq!(bench.start(&plan).await.kind, EndingKind::Suspended);
    // Days later, before anything was done.
    let active = r#"{"key":"original"}"#.to_owned();
    bench.fake.lock().secret("active").take_over_with(active);
    let ending = bench.resume().await;
    assert_eq!(failure(&ending, EndingKind::Failed, 3).code(), "RBK4003");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_schema_that_the_disaster_took_is_recreated() {
    let bench = Bench::new(damaged());
    {
        let mut inner = bench.fake.lock();
        let catalog = &mut inner.server("db-original").db.catalog;
        catalog.schemas.clear();
        catalog.extensions.clear();
    }
    let findings = look_ahead(&bench.fake.world(), &repair()).await;
    let refused: Vec<String> = findings
        .into_iter()
        .filter_map(|finding| Some(finding.result.err()?.to_string()))
        .collect();
    assert_eq!(refused, [""; 0]);
}

#[tokio::test]
async fn a_command_that_was_cut_off_is_a_persons_to_judge_unless_it_may_be_repeated() {
    for (decision, runs) in [(Decision::Done, 0), (Decision::NotDone, 1)] {
        let plan = plan_with(vec![warm(false)]);
        let mut bench = Bench::new(damaged());
        let mortal = Mortal::at(after_intent(&plan).await);
        let runner = bench.dying_at(&mortal);
        assert!(until_death(&mortal, runner.start(&plan)).await.is_none());
        let ending = bench.resume().await;
        let failure = failure(&ending, EndingKind::Undecided, 7);
        assert!(failure.help().contains("rbk resolve"), "{}", failure.help());
        assert!(bench.ledger().is_empty());
        let run: RunId = ending.run.clone();
        let action = ending.first.unwrap().action.unwrap();
        let runner = bench.again();
        runner
            .resolve(&run, &action, decision, "its log says so")
            .await
            .unwrap();
        let ending = bench.resume().await;
        assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
        assert_eq!(bench.ledger().len(), runs);
        let (how, detail) = last_outcome(&bench).await;
        match decision {
            Decision::Done => {
                assert_eq!(how, How::ByHand);
                assert_eq!(detail, "ben: its log says so");
            }
            _ => assert_eq!(how, How::Done),
        }
    }
}

async fn after_intent(plan: &Plan) -> usize {
    for n in 1.. {
        let bench = Bench::new(damaged());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        assert!(until_death(&mortal, runner.start(plan)).await.is_none());
        if *mortal.last.lock().unwrap() == Some(crate::run::Point::AfterSync("intent")) {
            return n;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_command_that_is_run_again_gets_what_it_got_before() {
    let now = Expr::Now;
    let mut action = warm(true);
    if let Action::RunCommand { arguments, .. } = &mut action {
        arguments.insert("where".to_owned(), now);
    }
    let plan = plan_with(vec![action]);
    let mut bench = Bench::new(damaged());
    let mortal = Mortal::at(after_first_send(&plan).await);
    let runner = bench.dying_at(&mortal);
    assert!(until_death(&mortal, runner.start(&plan)).await.is_none());
    bench.fake.lock().now += 3_600_000;
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    let inner = bench.fake.lock();
    assert_eq!(inner.commands.len(), 2);
    assert_eq!(inner.commands[0], inner.commands[1]);
}

#[tokio::test]
async fn a_command_that_fails_is_decided_and_one_that_was_stopped_is_not() {
    let plan = plan_with(vec![warm(false)]);
    let bench = Bench::new(damaged());
    let mut ended = error(InvalidRequest, "running");
    ended.message = "status 3: no such table".to_owned();
    bench.fake.lock().command_fails = Some(ended);
    let ending = bench.start(&plan).await;
    let failed = failure(&ending, EndingKind::Failed, 4);
    assert_eq!(failed.code(), "RBK4025");
    assert!(failed.to_string().ends_with("no such table"), "{failed}");

    let bench = Bench::new(damaged());
    let mut stopped = error(Unreachable, "running");
    stopped.sent = Sent::Maybe;
    bench.fake.lock().command_fails = Some(stopped);
    let ending = bench.start(&plan).await;
    failure(&ending, EndingKind::Undecided, 7);
    assert_eq!(bench.fake.lock().calls["run"], 1);
}

#[tokio::test]
async fn a_size_is_read_in_bytes() {
    let size = Expr::Size {
        database: original(),
        table: Some(table("documents")),
    };
    let action = Action::Observe {
        name: "size".to_owned(),
        expr: size,
        ty: crate::value::Type::Size,
    };
    let bench = Bench::new(damaged());
    bench.start(&plan_with(vec![action])).await;
    let history = bench.history().await;
    assert_eq!(history.facts.bindings["size"], Value::Size(3 << 30));
}

#[tokio::test]
async fn what_a_stopped_repair_leaves_is_told_with_what_may_be_done_by_hand() {
    // Stopped at each of its effects in turn.
    let mut told = Vec::new();
    let calls = calls().await;
    for operation in ["change", "migrate", "copy", "set_sequences"] {
        for nth in 1..=calls[operation] {
            let bench = Bench::new(damaged());
            let fault = Fault::new(operation, nth, AccessDenied).times(100);
            bench.fake.lock().faults.push(fault);
            let ending = bench.start(&repair()).await;
            if ending.kind != EndingKind::Suspended {
                continue;
            }
            told.push(format!("{operation} {nth}"));
            for entity in ending.entities {
                told.push(format!("  {}: {}", entity.entity, entity.state));
            }
            let run = ending.run.to_string();
            for line in ending.by_hand {
                told.push(format!("  * {}", line.replace(&run, "RUN")));
            }
        }
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_change_that_is_none_of_these_is_committed_with_its_marker_too() {
    let json = serde_json::to_value(change(Change::Unchecked)).unwrap();
    assert_eq!(json["change"]["change"], "unchecked");
}

#[tokio::test]
async fn a_repair_that_failed_says_what_is_unfinished_and_how_to_finish_it() {
    let mut plan = repair();
    plan.steps[1].actions.truncate(3);
    let compare = plan.steps[2].actions[1].clone();
    plan.steps[1].actions.push(compare);
    plan.steps.truncate(2);
    let mut bench = Bench::new(damaged());
    let key = table("documents");
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        // Somebody writes into what was just loaded.
        if matches!(&record.entry.event, Event::Intent(intent) if intent.call == "copy") {
            let mut inner = fake.lock();
            let rows = &mut inner.server("db-original").db.rows;
            rows.entry(key.clone()).or_default().push("9".to_owned());
        }
    }));
    let ending = bench.start(&plan).await;
    let failed = failure(&ending, EndingKind::Failed, 3);
    assert_eq!(failed.code(), "RBK4010");
    let told: Vec<&str> = ending.by_hand.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "keep applications away from original.public: it is unfinished; run a runbook that rebuilds it, or finish it by hand",
            "an index of original is dropped: `CREATE INDEX embeddings_hnsw ON public.embeddings USING hnsw (vector vector_cosine_ops)`",
        ]
    );
}
