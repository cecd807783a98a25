//! A saved plan is performed once.

use super::bench::Bench;
use super::scenario::{incident, quick_recovery};
use super::world::Fault;
use crate::journal::SavedUse;
use crate::ports::PortErrorKind;
use crate::run::{EndingKind, Refusal};

fn saved() -> SavedUse {
    SavedUse {
        id: "ab".repeat(16),
        sha256: "cd".repeat(32),
        saved_at: "2026-11-22T08:00:00Z".parse().unwrap(),
        unseen: Vec::new(),
    }
}

fn bench() -> Bench {
    let mut bench = Bench::new(incident());
    bench.options.saved = Some(saved());
    bench
}

#[tokio::test]
async fn a_plan_that_was_performed_is_refused_and_its_run_is_named() {
    let bench = bench();
    assert_eq!(bench.start(&quick_recovery()).await.kind, EndingKind::Done);
    let run = bench.store.only_run().unwrap();
    let header = bench.history().await.facts.header.unwrap();
    assert_eq!(header.saved, Some(saved()));
    let effects = bench.ledger();
    let refused = bench.runner().start(&quick_recovery()).await.unwrap_err();
    assert_eq!(
        refused,
        Refusal::PlanUsed {
            run: run.clone(),
            is_over: true
        }
    );
    assert_eq!(refused.code(), "RBK4112");
    assert_eq!(bench.store.only_run(), Some(run));
    assert_eq!(bench.ledger(), effects);
}

#[tokio::test]
async fn a_run_that_changed_nothing_and_is_over_does_not_count() {
    let bench = bench();
    bench.fake.lock().snapshots.clear();
    let ending = bench.start(&quick_recovery()).await;
    assert_eq!(ending.kind, EndingKind::Failed);
    assert!(bench.ledger().is_empty());
    // Refused for the same reason again, and not because it was used.
    assert_eq!(
        bench.start(&quick_recovery()).await.kind,
        EndingKind::Failed
    );
}

#[tokio::test]
async fn a_run_that_waits_to_be_gone_on_with_keeps_its_plan() {
    let bench = bench();
    let lost = Fault::new("caller", 1, PortErrorKind::Credentials);
    bench.fake.lock().faults.push(lost);
    assert_eq!(
        bench.start(&quick_recovery()).await.kind,
        EndingKind::Suspended
    );
    let run = bench.store.only_run().unwrap();
    let refused = bench.runner().start(&quick_recovery()).await.unwrap_err();
    assert_eq!(
        refused,
        Refusal::PlanUsed {
            run: run.clone(),
            is_over: false
        }
    );
    assert!(refused.help().contains(&format!("rbk resume {run}")));
}
