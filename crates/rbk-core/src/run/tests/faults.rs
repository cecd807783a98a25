//! Every call failing in every way: the right exit code, and a journal that is over or can be gone on with.

use super::bench::Bench;
use super::scenario::{brisk_incident as incident, quick_recovery};
use super::undisturbed::LEDGER;
use super::world::{Fault, MUTATIONS};
use crate::journal::{Decision, Phase, load};
use crate::ports::PortErrorKind::{self, *};
use crate::run::{EndingKind, Failure, Refusal};
use std::collections::BTreeMap;

const KINDS: &[PortErrorKind] = &[
    NotFound,
    AlreadyExists,
    InvalidState,
    Conflict,
    InvalidRequest,
    Quota,
    Throttled,
    Unreachable,
    AccessDenied,
    Credentials,
    LoginRefused,
    Tls,
    Statement,
    Protocol,
];

async fn calls() -> BTreeMap<&'static str, usize> {
    let bench = Bench::new(incident());
    bench.start(&quick_recovery()).await;
    bench.fake.lock().calls.clone()
}

/// The ledger of a run that was gone on with: every effect once.
#[track_caller]
fn assert_once(bench: &Bench, context: &str) {
    assert_eq!(bench.ledger(), LEDGER, "{context}");
}

async fn suffer(fault: Fault) {
    let context = format!("{fault:?}");
    let mut bench = Bench::new(incident());
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&quick_recovery()).await;
    let history = load(&bench.store, &ending.run).await.unwrap();
    match ending.kind {
        EndingKind::Done => {
            assert_eq!(ending.exit_code, 0, "{context}");
            if ending_has_no_skip(&history) {
                assert_once(&bench, &context);
            }
        }
        EndingKind::Failed => {
            assert!(matches!(ending.exit_code, 3 | 4), "{context}: {ending:?}");
            assert!(
                !matches!(fault.kind, AccessDenied | Credentials | Tls),
                "{context}: what can be mended outside was given up"
            );
            assert_eq!(history.state.phase, Phase::Ended, "{context}");
            let mut inner = bench.fake.lock();
            assert!(
                inner.secret("active").current_value().contains("original"),
                "{context}: the application was not brought back"
            );
            let is_open = inner.server("db-original").roles["sgpt_app"].1;
            let is_told = ending.by_hand.iter().any(|line| line.contains("frozen"));
            assert!(is_open || is_told, "{context}: {ending:?}");
        }
        EndingKind::Suspended => {
            assert_eq!(ending.exit_code, 4, "{context}");
            assert!(
                matches!(
                    fault.kind,
                    AccessDenied | Credentials | Tls | Unreachable | Throttled
                ),
                "{context}: {ending:?}"
            );
            assert!(!ending.by_hand.is_empty(), "{context}");
            bench.fake.lock().faults.clear();
            let skipped = !ending_has_no_skip(&history);
            let ending = bench.resume().await;
            if skipped {
                // The application kept on writing: seen, and given up.
                assert_eq!(ending.kind, EndingKind::Failed, "{context}: {ending:?}");
            } else {
                assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
                assert_once(&bench, &context);
            }
        }
        // A secret that says that it has a version, and doesn't show it.
        EndingKind::Undecided => {
            assert_eq!(
                (fault.operation, fault.kind),
                ("put", Conflict),
                "{context}"
            );
            assert_eq!(ending.exit_code, 7);
            let action = ending.first.unwrap().action.unwrap();
            let run = ending.run;
            let runner = bench.again();
            let refused = runner.resume(&run).await.unwrap_err();
            assert!(matches!(refused, Refusal::NeedsDecision { .. }));
            let resolved = runner
                .resolve(&run, &action, Decision::NotDone, "looked")
                .await;
            resolved.unwrap();
            let ending = bench.resume().await;
            assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            assert_once(&bench, &context);
        }
        kind => panic!("{context}: {kind:?}: {ending:?}"),
    }
}

fn ending_has_no_skip(history: &crate::journal::History) -> bool {
    let mut events = history.records.iter().map(|record| &record.entry.event);
    !events.any(|event| matches!(event, crate::journal::Event::Skipped { .. }))
}

/// No read is told that something exists already, and no service speaks like a database.
fn may_say(operation: &str, kind: PortErrorKind) -> bool {
    const SQL: &[&str] = &[
        "connect",
        "whoami",
        "checks",
        "sessions",
        "set_role_password",
        "freeze_state",
        "freeze",
        "thaw",
    ];
    match kind {
        AlreadyExists | Conflict | Quota => MUTATIONS.contains(&operation),
        LoginRefused | Statement => SQL.contains(&operation),
        AccessDenied | Credentials | Throttled => !SQL.contains(&operation),
        _ => true,
    }
}

#[tokio::test]
async fn every_call_fails_once_in_every_way() {
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

#[tokio::test]
async fn every_call_fails_for_good_in_every_way() {
    for (operation, count) in calls().await {
        for nth in 1..=count {
            for kind in [AccessDenied, Throttled, Unreachable, Tls] {
                suffer(Fault::new(operation, nth, kind).times(usize::MAX / 2)).await;
            }
        }
    }
}

#[tokio::test]
async fn an_effect_whose_answer_is_lost_is_found_and_not_repeated() {
    let calls = calls().await;
    for operation in MUTATIONS {
        for nth in 1..=calls[operation] {
            let bench = Bench::new(incident());
            let fault = Fault::new(operation, nth, Unreachable).applied();
            bench.fake.lock().faults.push(fault);
            let ending = bench.start(&quick_recovery()).await;
            assert_eq!(ending.kind, EndingKind::Done, "{fault:?}: {ending:?}");
            assert_once(&bench, &format!("{fault:?}"));
        }
    }
}

#[tokio::test]
async fn throttling_for_a_while_is_sat_out_and_for_good_suspends() {
    let bench = Bench::new(incident());
    let fault = Fault::new("restore", 1, Throttled);
    bench.fake.lock().faults.push(fault.times(5));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.kind, EndingKind::Done);
    assert_once(&bench, "five times");

    let bench = Bench::new(incident());
    bench.fake.lock().faults.push(fault.times(1_000_000));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4034");
    let waited = bench.fake.lock().now;
    assert!((180_000..260_000).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_state_that_does_not_allow_it_yet_is_sat_out_and_then_fails() {
    let bench = Bench::new(incident());
    let fault = Fault::new("set_master_password", 1, InvalidState);
    bench.fake.lock().faults.push(fault.times(4));
    assert_eq!(bench.start(&quick_recovery()).await.kind, EndingKind::Done);
    assert_once(&bench, "four times");

    let bench = Bench::new(incident());
    bench.fake.lock().faults.push(fault.times(1_000_000));
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 4));
}

#[tokio::test]
async fn a_blip_of_the_network_does_not_end_a_wait() {
    let bench = Bench::new(incident());
    let fault = Fault::new("instance", 8, Unreachable).times(2);
    bench.fake.lock().faults.push(fault);
    assert_eq!(bench.start(&quick_recovery()).await.kind, EndingKind::Done);
    assert_once(&bench, "a blip");
}

#[tokio::test]
async fn a_full_disk_or_a_failing_sync_suspends_at_once_and_is_resumed() {
    for is_sync in [false, true] {
        for nth in 1.. {
            let mut bench = Bench::new(incident());
            if is_sync {
                bench.store.fail_sync(nth);
            } else {
                bench.store.fail_write(nth);
            }
            let context = format!("sync: {is_sync}, {nth}");
            let ending = match bench.runner().start(&quick_recovery()).await {
                Ok(ending) => ending,
                Err(refusal) => {
                    assert!(nth <= 2, "{context}");
                    assert!(matches!(refusal, Refusal::Store(_)), "{context}");
                    assert_eq!(refusal.exit_code(), 4);
                    assert!(bench.ledger().is_empty());
                    continue;
                }
            };
            if ending.kind == EndingKind::Done {
                assert!(nth > 30, "{context}");
                break;
            }
            assert_eq!(
                (ending.kind, ending.exit_code),
                (EndingKind::Suspended, 4),
                "{context}"
            );
            let first = ending.first.unwrap();
            assert!(
                matches!(first.failure, Failure::Journal { .. }),
                "{context}"
            );
            bench.store.mend();
            let run = bench.store.only_run().unwrap();
            match bench.again().resume(&run).await {
                Ok(ending) => assert_eq!(ending.kind, EndingKind::Done, "{context}"),
                // Only the end was unsynced, and was there.
                Err(Refusal::Ended { .. }) => {}
                Err(refusal) => panic!("{context}: {refusal}"),
            }
            assert_once(&bench, &context);
        }
    }
}
