//! Killed at every point, also inside a resume: nothing happens twice, nothing is forgotten.

use super::bench::{Bench, Crash, MemoryStore, Mortal, Watcher, until_death};
use super::scenario::{brisk_incident as incident, quick_recovery};
use super::undisturbed::LEDGER;
use crate::journal::{Event, LocalStore, Store, load, plan_bytes};
use crate::run::{Ending, EndingKind, Hooks, Point, Refusal};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CRASHES: [Crash; 3] = [Crash::Keep, Crash::Lose, Crash::Tear];

/// Goes on with what a death left: the run that is there, or a new one if it died before its first record. Nothing, if
/// only the sync of its end was missing.
async fn go_on(bench: &mut Bench, context: &str) -> Option<Ending> {
    let run = bench.store.only_run();
    let runner = bench.again();
    let resumed = match &run {
        Some(run) => runner.resume(run).await,
        None => runner.start(&quick_recovery()).await,
    };
    match resumed {
        Ok(ending) => Some(ending),
        Err(Refusal::NeverBegan { .. }) => Some(bench.start(&quick_recovery()).await),
        Err(Refusal::Ended { .. }) => None,
        Err(refusal) => panic!("{context}: {refusal}"),
    }
}

#[track_caller]
fn assert_whole(bench: &Bench, ending: Option<Ending>, context: &str) {
    if let Some(ending) = ending {
        assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
    }
    assert_eq!(bench.ledger(), LEDGER, "{context}");
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    for crash in CRASHES {
        let mut deaths = Vec::new();
        for n in 1.. {
            let mut bench = Bench::new(incident());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if let Some(ended) = until_death(&mortal, runner.start(&quick_recovery())).await {
                assert_whole(&bench, Some(ended.unwrap()), "undisturbed");
                break;
            }
            let point = mortal.last.lock().unwrap().unwrap();
            let context = format!("killed at {n} ({point:?}), {crash:?}");
            deaths.push(point);
            bench.store.crash(crash);
            let ending = go_on(&mut bench, &context).await;
            assert_whole(&bench, ending, &context);
        }
        // Eleven effects: each has two points at its intent, two at its send, two at its outcome.
        assert!(deaths.len() > 11 * 6, "{}", deaths.len());
    }
}

#[tokio::test]
async fn a_resume_that_is_killed_anywhere_is_resumed_too() {
    let mut deaths = 0;
    for first in (1..).step_by(13) {
        let mut is_over = true;
        for second in 1.. {
            let mut bench = Bench::new(incident());
            let mortal = Mortal::at(first);
            let runner = bench.dying_at(&mortal);
            let ended = until_death(&mortal, runner.start(&quick_recovery())).await;
            if ended.is_some() {
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
            let ending = go_on(&mut bench, &context).await;
            assert_whole(&bench, ending, &context);
        }
        if is_over {
            break;
        }
    }
    assert!(deaths > 100, "{deaths}");
}

#[tokio::test]
async fn a_failure_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    let spoilt = || {
        let fake = incident();
        fake.lock().is_healthy = false;
        fake
    };
    let bench = Bench::new(spoilt());
    let undisturbed = bench.start(&quick_recovery()).await;
    assert_eq!(
        (undisturbed.kind, undisturbed.exit_code),
        (EndingKind::Failed, 3)
    );
    let ledger = bench.ledger();
    assert_eq!(ledger[LEDGER.len()..], ["back active", "thaw db-original"]);
    for n in 1.. {
        let mut bench = Bench::new(spoilt());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&quick_recovery()))
            .await
            .is_some()
        {
            break;
        }
        bench.store.crash(Crash::Lose);
        if let Some(ending) = go_on(&mut bench, &format!("killed at {n}")).await {
            assert_eq!(
                (ending.kind, ending.exit_code),
                (EndingKind::Failed, 3),
                "killed at {n}: {ending:?}"
            );
        }
        assert_eq!(bench.ledger(), ledger, "killed at {n}");
    }
}

#[tokio::test]
async fn an_instance_that_is_not_seen_at_once_after_a_crash_is_waited_for() {
    for n in 1..40 {
        let mut bench = Bench::new(incident());
        bench.fake.lock().hidden_for = 30_000;
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&quick_recovery()))
            .await
            .is_some()
        {
            break;
        }
        let ending = go_on(&mut bench, &format!("killed at {n}")).await;
        assert_whole(&bench, ending, &format!("killed at {n}"));
    }
}

#[tokio::test]
async fn runs_in_a_directory_survive_too() {
    for n in (1..).step_by(9) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path());
        let mut bench = Bench::new(incident());
        let mortal = Mortal::at(n);
        let mut runner = bench.dying_at(&mortal);
        runner.store = Arc::new(store.clone());
        let plan = quick_recovery();
        let ended = until_death(&mortal, runner.start(&plan)).await;
        let run = store.list().await.unwrap().swap_remove(0);
        if let Some(ended) = ended {
            assert_whole(&bench, Some(ended.unwrap()), "undisturbed");
            let notes = std::fs::read_dir(folder.path().join("locks")).unwrap();
            let is_note = |entry: std::io::Result<std::fs::DirEntry>| {
                entry.unwrap().path().extension().unwrap() == "json"
            };
            assert_eq!(notes.map(is_note).filter(|is_note| *is_note).count(), 0);
            break;
        }
        // The last record is torn, as far as it may be.
        let path = folder.path().join(run.as_str()).join("journal.jsonl");
        let mut journal = std::fs::read(&path).unwrap();
        journal.extend_from_slice(b"{\"v\":1,\"seq\"");
        std::fs::write(&path, journal).unwrap();
        let mut runner = bench.again();
        runner.store = Arc::new(store.clone());
        let ending = runner.resume(&run).await.unwrap();
        assert_whole(&bench, Some(ending), &format!("killed at {n}"));
        load(&store, &run).await.unwrap();
    }
}

#[tokio::test]
async fn another_plan_than_the_one_that_was_begun_is_refused() {
    let bench = Bench::new(incident());
    let mortal = Mortal::at(40);
    let runner = bench.dying_at(&mortal);
    until_death(&mortal, runner.start(&quick_recovery())).await;
    let run = bench.store.only_run().unwrap();
    let mut plan = quick_recovery();
    plan.on_failure.clear();
    bench.store.set_plan(&run, plan_bytes(&plan).unwrap());
    let refusal = bench.runner().resume(&run).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.exit_code()), ("RBK4072", 7));
}

#[tokio::test]
async fn a_damaged_journal_is_not_gone_on_with() {
    let bench = Bench::new(incident());
    let mortal = Mortal::at(40);
    let runner = bench.dying_at(&mortal);
    until_death(&mortal, runner.start(&quick_recovery())).await;
    let run = bench.store.only_run().unwrap();
    let mut journal = bench.store.journal(&run);
    let middle = journal.len() / 2;
    journal[middle] ^= 4;
    bench.store.set_journal(&run, journal);
    let before = bench.ledger();
    let refusal = bench.runner().resume(&run).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.exit_code()), ("RBK4070", 7));
    assert!(refusal.help().contains("by hand"), "{}", refusal.help());
    assert_eq!(bench.ledger(), before);
}

/// Counts the sends, and what wasn't durable when they were.
struct Ledgers {
    store: MemoryStore,
    sends: AtomicUsize,
    unsynced: AtomicUsize,
}

#[async_trait]
impl Hooks for Ledgers {
    async fn reached(&self, point: Point) {
        if matches!(point, Point::BeforeSend(_)) {
            self.sends.fetch_add(1, Ordering::SeqCst);
            self.unsynced
                .fetch_add(self.store.unsynced(), Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_before_all_that_was_recorded_is_durable() {
    let mut bench = Bench::new(incident());
    let hooks = Arc::new(Ledgers {
        store: bench.store.clone(),
        sends: AtomicUsize::new(0),
        unsynced: AtomicUsize::new(0),
    });
    bench.options.hooks = hooks.clone();
    bench.start(&quick_recovery()).await;
    assert_eq!(hooks.sends.load(Ordering::SeqCst), LEDGER.len());
    assert_eq!(hooks.unsynced.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_outcome_is_durable_before_the_next_action_begins() {
    let mut bench = Bench::new(incident());
    let store = bench.store.clone();
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = begun.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Outcome(_) | Event::End { .. }) {
            assert_eq!(store.unsynced(), 0, "shown before it was durable");
            seen.fetch_add(1, Ordering::SeqCst);
        }
    }));
    bench.start(&quick_recovery()).await;
    assert!(begun.load(Ordering::SeqCst) > 15);
}
