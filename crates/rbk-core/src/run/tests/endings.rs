//! The ways in which a run ends: failures, other people, Ctrl-C, approvals, aborts, decisions.

use super::bench::{Bench, Mortal, Watcher, until_death};
use super::scenario::*;
use super::undisturbed::LEDGER;
use super::world::{Fault, endpoint_of};
use crate::ids::{ActionId, InstanceId};
use crate::journal::{Decision, Event, How, Outcome};
use crate::plan::Action;
use crate::ports::{Approval, Instance, PortErrorKind};
use crate::run::{EndingKind, Failure, Interrupt, Options, Refusal};
use crate::status::{self, RunPhase, Word};
use std::collections::BTreeMap;
use std::sync::Arc;

#[tokio::test]
async fn a_failed_assertion_runs_on_failure_and_keeps_its_exit_code() {
    let bench = Bench::new(incident());
    let fake = bench.fake.clone();
    let mut bench = bench;
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Ready) {
            fake.lock().server("db-original").rows = 0;
        }
    }));
    let mut plan = quick_recovery();
    plan.steps[1] = step(
        "Look at the data",
        vec![Action::Assert {
            condition: crate::plan::Expr::ChecksPass {
                database: original(),
            },
            otherwise: Some(text("the data is gone")),
        }],
    );
    let ending = bench.start(&plan).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    let first = ending.first.unwrap();
    assert_eq!(first.failure.code(), "RBK4010");
    assert_eq!(
        first.failure.to_string(),
        "the data is gone (`assert`: public.documents is not empty: 0 rows)"
    );
    assert_eq!(first.action, Some(ActionId::from("Look at the data#1")));
    assert_eq!(ending.second, None);
    // Nothing was switched and nothing was frozen: there was nothing to undo.
    assert!(!bench.ledger().iter().any(|line| line.starts_with("back")));
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = status
        .on_failure
        .iter()
        .map(|action| action.state)
        .collect();
    assert_eq!(words, [Word::AlreadySo, Word::AlreadySo]);
    assert_eq!(status.steps[1].state, Word::Failed);
    assert_eq!(status.steps[2].state, Word::Pending);
}

#[tokio::test]
async fn a_second_failure_stands_beside_the_first() {
    let bench = Bench::new(incident());
    bench.fake.lock().is_healthy = false;
    let fault = Fault::new("thaw", 2, PortErrorKind::Statement);
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4011");
    assert_eq!(ending.second.unwrap().failure.code(), "RBK4038");
    let frozen = "writes on original are still frozen: thaw them".to_owned();
    assert!(ending.by_hand.contains(&frozen), "{:?}", ending.by_hand);
}

#[tokio::test]
async fn on_failure_that_is_suspended_is_gone_on_with() {
    let mut bench = Bench::new(incident());
    bench.fake.lock().is_healthy = false;
    let fault = Fault::new("thaw", 2, PortErrorKind::AccessDenied);
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4011");
    assert_eq!(ending.second.unwrap().failure.code(), "RBK4031");
    let ending = bench.resume().await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(ending.second, None);
    assert_eq!(bench.ledger().last().unwrap(), "thaw db-original");
}

fn somebody_elses(id: &str) -> Instance {
    let id = InstanceId::from(id);
    Instance {
        endpoint: Some(endpoint_of(&id)),
        resource: "db-ELSE".into(),
        status: "available".to_owned(),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        master_username: "master".to_owned(),
        created_at: None,
        settings: settings(),
        pending: Vec::new(),
        unsettled: Vec::new(),
        latest_restorable_time: None,
        managed_master_secret: false,
        tags: BTreeMap::new(),
        id,
    }
}

#[tokio::test]
async fn an_instance_that_somebody_made_meanwhile_is_left_alone() {
    // Before the intent, and between the intent and its answer.
    for point in ["ready", "intent"] {
        let mut bench = Bench::new(incident());
        let fake = bench.fake.clone();
        bench.watched(Watcher::record(move |record| {
            if record.entry.event.name() == point && record.seq < 16 {
                fake.add_server(somebody_elses("db-recovery"), "theirs");
            }
        }));
        let ending = bench.start(&quick_recovery()).await;
        assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
        let failure = ending.first.unwrap().failure;
        assert_eq!(failure.code(), "RBK4014", "{failure}");
        assert!(bench.ledger().is_empty());
    }
}

#[tokio::test]
async fn a_secret_that_somebody_moved_is_never_overwritten() {
    // Before it is staged, and between staging and switching.
    for action in ["Switch the application#2", "Switch the application#4"] {
        let mut bench = Bench::new(incident());
        let fake = bench.fake.clone();
        bench.watched(Watcher::record(move |record| {
            let is_over = matches!(
                record.entry.event,
                Event::Outcome(_) | Event::Approved { .. }
            );
            if is_over && record.entry.action == Some(ActionId::from(action)) {
                let switched = r#"{"key":"recovery"}"#.to_owned();
                fake.lock().secret("active").take_over_with(switched);
            }
        }));
        let ending = bench.start(&quick_recovery()).await;
        assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
        assert_eq!(ending.first.unwrap().failure.code(), "RBK4016");
        // Bringing it back would overwrite it, too.
        assert_eq!(ending.second.unwrap().failure.code(), "RBK4016");
        let mut inner = bench.fake.lock();
        let secret = inner.secret("active");
        let (_, labels) = &secret.versions[&"somebody-elses".into()];
        assert_eq!(labels, &["AWSCURRENT".into()]);
    }
}

#[tokio::test]
async fn a_secret_that_somebody_brought_back_is_no_second_failure() {
    let mut bench = Bench::new(incident());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        let is_over = matches!(record.entry.event, Event::Outcome(_));
        if is_over && record.entry.action == Some("Switch the application#4".into()) {
            fake.lock().secret("active").take_over();
        }
    }));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4016");
    // Nothing is left to bring back, so the freeze is undone.
    assert_eq!(ending.second, None);
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = status
        .on_failure
        .iter()
        .map(|action| action.state)
        .collect();
    assert_eq!(words, [Word::AlreadySo, Word::Done]);
}

#[tokio::test]
async fn a_swap_that_is_lost_to_somebody_in_the_same_moment_is_seen() {
    let mut bench = Bench::new(incident());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        let is_intent = matches!(record.entry.event, Event::Intent(_));
        if is_intent && record.entry.action == Some("Switch the application#5".into()) {
            fake.lock().secret("active").take_over();
        }
    }));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4016");
}

#[tokio::test]
async fn an_unreachable_original_is_skipped_and_said_so() {
    let bench = Bench::new(incident());
    {
        let mut inner = bench.fake.lock();
        let server = inner.server("db-original");
        server.is_reachable = false;
        server.instance.status = "failed".to_owned();
        server.sessions = 0;
    }
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    assert_eq!(status.steps[2].actions[0].state, Word::Skipped);
    assert_eq!(status.steps[2].state, Word::Skipped);
    assert_eq!(
        status.steps[2].actions[0].detail.as_deref(),
        Some("instance `db-original` is `failed` and can't be reached")
    );
    let state = &ending.entities[0].state;
    assert_eq!(state, "writes were NOT frozen: it could not be reached");
}

#[tokio::test]
async fn a_restore_that_fails_or_comes_out_otherwise_is_not_built_upon() {
    let bench = Bench::new(incident());
    bench.fake.lock().restore_ends = "incompatible-restore";
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 4));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4012");
    let waited = bench.fake.lock().now;
    assert!(
        waited < 640_000,
        "failed at once, not at the deadline: {waited}"
    );

    let mut bench = Bench::new(incident());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        let is_over = matches!(record.entry.event, Event::Outcome(_));
        if is_over && record.entry.action == Some("Restore#1".into()) {
            let mut inner = fake.lock();
            let settings = &mut inner.server("db-recovery").instance.settings;
            settings.security_groups = vec!["sg-default".to_owned()];
        }
    }));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    let failure = ending.first.unwrap().failure;
    assert_eq!(failure.code(), "RBK4015");
    assert!(failure.to_string().contains("sg-default"), "{failure}");
}

#[tokio::test]
async fn two_runs_at_once_exclude_each_other() {
    let mut bench = Bench::new(incident());
    let mortal = Mortal::at(20);
    let mut runner = bench.runner();
    runner.options.hooks = mortal.clone();
    let plan = quick_recovery();
    let mut first = Box::pin(runner.start(&plan));
    // The first one stands still in the middle, alive.
    tokio::select! {
        biased;
        _ = until_death(&mortal, std::future::pending::<Result<(), Refusal>>()) => {}
        _ = &mut first => panic!("it ended"),
    }
    let refusal = bench.again().start(&plan).await.unwrap_err();
    assert_eq!((refusal.exit_code(), refusal.code()), (6, "RBK4060"));
    assert!(refusal.to_string().contains("of ana"), "{refusal}");
    let run = bench.store.only_run().unwrap();
    let refusal = bench.again().resume(&run).await.unwrap_err();
    assert_eq!(refusal.exit_code(), 6, "neither may it be resumed");
    drop(first);
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    assert_eq!(bench.ledger(), LEDGER);
}

/// Presses Ctrl-C at the n-th record.
fn pressing(bench: &mut Bench, n: u64, times: u8) -> Interrupt {
    let interrupt = bench.options.interrupt.clone();
    let pressed = interrupt.clone();
    bench.options.observer = Arc::new(Watcher::record(move |record| {
        if record.seq == n {
            (0..times).for_each(|_| pressed.press());
        }
    }));
    interrupt
}

#[tokio::test]
async fn what_was_read_before_the_first_effect_is_used_by_a_resumed_run() {
    // Behind the last entry of preflight; and in its middle, where all of it is read again.
    for (entry, expected) in [(8, "newest"), (5, "newer")] {
        let mut bench = Bench::new(brisk_incident());
        let pressed = bench.options.interrupt.clone();
        bench.options.observer = Arc::new(Watcher::record(move |record| {
            let event = &record.entry.event;
            if matches!(event, Event::Observed { preflight: Some(index), .. } if *index == entry) {
                pressed.press();
            }
        }));
        let ending = bench.start(&quick_recovery()).await;
        assert_eq!(ending.kind, EndingKind::Interrupted);
        assert!(bench.ledger().is_empty());
        let newer = snapshot("newer", "2026-11-22T03:30:00Z");
        bench.fake.lock().snapshots.push(newer);
        assert_eq!(bench.resume().await.kind, EndingKind::Done);
        let restored = format!("restore db-recovery from {expected}");
        assert_eq!(bench.ledger().first(), Some(&restored));
    }
}

#[tokio::test]
async fn ctrl_c_at_any_record_stops_at_a_boundary_and_is_resumed() {
    for times in [1, 2] {
        for n in 0.. {
            let mut bench = Bench::new(brisk_incident());
            let interrupt = pressing(&mut bench, n, times);
            let ending = bench.start(&quick_recovery()).await;
            if interrupt.level() == 0 {
                break;
            }
            let context = format!("{times} at {n}");
            if ending.kind == EndingKind::Done {
                continue; // It was pressed at the end.
            }
            assert_eq!(
                (ending.kind, ending.exit_code),
                (EndingKind::Interrupted, 5),
                "{context}"
            );
            let history = bench.history().await;
            if times == 1 {
                let in_flight = history
                    .state
                    .actions
                    .values()
                    .any(|state| state.attempt() > 0);
                assert!(!in_flight, "{context}: stopped within an effect");
            }
            let status = status::fold(&history.plan, &history.records);
            assert_eq!(status.phase, RunPhase::Interrupted, "{context}");
            let ending = bench.resume().await;
            assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            assert_eq!(bench.ledger(), LEDGER, "{context}");
        }
    }
}

#[tokio::test]
async fn ctrl_c_ends_a_wait_at_once() {
    let mut bench = Bench::new(incident());
    let interrupt = bench.options.interrupt.clone();
    bench.watched(Watcher::tick(move |tick| {
        if tick.elapsed.as_secs() > 100 {
            interrupt.press();
        }
    }));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.kind, EndingKind::Interrupted);
    assert!(bench.fake.lock().now < 150_000);
}

#[tokio::test]
async fn an_approval_that_nobody_can_give_suspends_and_says_how_to_give_it() {
    let mut bench = Bench::new(incident());
    bench.fake.lock().approval = Approval::Unanswerable;
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    let failure = ending.first.unwrap().failure;
    assert_eq!(failure.code(), "RBK4040");
    assert!(
        failure
            .help()
            .contains("--approve \"Switch the application\"")
    );
    let question = bench.fake.lock().questions[0].clone();
    assert_eq!(question.prompt, "Point sgpt at recovery?");
    assert_eq!(question.consequences.len(), 6);
    bench.fake.lock().approval = Approval::Given {
        by: "--approve".to_owned(),
    };
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    assert_eq!(bench.ledger(), LEDGER);
}

#[tokio::test]
async fn a_no_is_a_decided_failure() {
    let bench = Bench::new(incident());
    bench.fake.lock().approval = Approval::Refused {
        by: "ana".to_owned(),
    };
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4017");
    assert_eq!(bench.ledger().last().unwrap(), "thaw db-original");
}

#[tokio::test]
async fn other_credentials_suspend_a_resume_and_do_not_end_the_run() {
    let mut bench = Bench::new(incident());
    pressing(&mut bench, 20, 1);
    bench.start(&quick_recovery()).await;
    bench.fake.lock().caller.account = "999999999999".to_owned();
    let ending = bench.resume().await;
    assert_eq!(ending.kind, EndingKind::Suspended);
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4001");
    bench.fake.lock().caller.account = "123456789012".to_owned();
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
    assert_eq!(bench.ledger(), LEDGER);
}

#[tokio::test]
async fn an_abort_anywhere_finds_out_what_was_under_way_runs_on_failure_and_ends() {
    for n in 1.. {
        let mut bench = Bench::new(brisk_incident());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&quick_recovery()))
            .await
            .is_some()
        {
            break;
        }
        let context = format!("killed at {n}");
        let run = bench.store.only_run();
        let Some(run) = run else { continue };
        let ending = match bench.again().abort(&run, "a false alarm").await {
            Ok(ending) => ending,
            Err(Refusal::Ended { .. }) => break,
            Err(refusal) => panic!("{context}: {refusal}"),
        };
        assert_eq!(
            (ending.kind, ending.exit_code),
            (EndingKind::Aborted, 0),
            "{context}: {ending:?}"
        );
        let ledger = bench.ledger();
        let is_switched = ledger.iter().any(|line| line == "switch active");
        let is_back = ledger.iter().any(|line| line == "back active");
        assert_eq!(is_switched, is_back, "{context}");
        let mut inner = bench.fake.lock();
        assert!(inner.secret("active").current_value().contains("original"));
        assert!(inner.server("db-original").roles["sgpt_app"].1, "{context}");
    }
}

/// A restore that RDS took, and that is never seen.
async fn undecided() -> Bench {
    let bench = Bench::new(incident());
    bench.fake.lock().hidden_for = 10_000_000;
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Undecided, 7));
    let failure = ending.first.unwrap().failure;
    assert_eq!(failure.code(), "RBK4050");
    assert!(failure.help().contains("db-recovery"));
    bench
}

#[tokio::test]
async fn what_can_not_be_decided_waits_for_a_person() {
    let mut bench = undecided().await;
    let run = bench.store.only_run().unwrap();
    let action = ActionId::from("Restore#1");
    let runner = bench.again();
    let refusal = runner.resume(&run).await.unwrap_err();
    assert_eq!(refusal.exit_code(), 7, "{refusal}");
    let refusal = runner.abort(&run, "").await.unwrap_err();
    assert!(matches!(refusal, Refusal::NeedsDecision { .. }));
    let other = ActionId::from("Restore#2");
    let refusal = runner.resolve(&run, &other, Decision::Done, "").await;
    assert!(matches!(refusal.unwrap_err(), Refusal::NotUnknown { .. }));

    // "Done" is taken only where the action's own probe agrees.
    let resolved = runner
        .resolve(&run, &action, Decision::Done, "I saw it")
        .await;
    resolved.unwrap();
    let ending = runner.resume(&run).await.unwrap();
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Undecided, 7));
    bench.fake.lock().hidden_for = 0;
    let resolved = runner
        .resolve(&run, &action, Decision::Done, "I see it")
        .await;
    resolved.unwrap();
    let ending = runner.resume(&run).await.unwrap();
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), LEDGER);
    let by_hand = bench.events().await.into_iter().any(|event| {
        matches!(
            event,
            Event::Outcome(Outcome::Done {
                how: How::ByHand,
                ..
            })
        )
    });
    assert!(by_hand);
}

#[tokio::test]
async fn what_a_person_calls_failed_runs_on_failure() {
    let mut bench = undecided().await;
    let run = bench.store.only_run().unwrap();
    let runner = bench.again();
    let action = ActionId::from("Restore#1");
    let resolved = runner
        .resolve(&run, &action, Decision::Failed, "gone")
        .await;
    resolved.unwrap();
    let ending = runner.resume(&run).await.unwrap();
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 4));
    assert!(matches!(
        ending.first.unwrap().failure,
        Failure::DecidedByHand { .. }
    ));
}

#[tokio::test]
async fn a_store_that_only_this_machine_sees_is_said_so() {
    let mut bench = Bench::new(incident());
    bench.options = Options {
        alone: true,
        ..Options::new("ana")
    };
    bench.start(&quick_recovery()).await;
    let history = bench.history().await;
    assert!(status::fold(&history.plan, &history.records).alone);
}
