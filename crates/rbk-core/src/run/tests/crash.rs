//! Killed at every point, also inside a resume: nothing happens twice, nothing is forgotten.

use super::bench::{Bench, Crash, Mortal, until_death};
use super::scenario::{incident, quick_recovery};
use super::undisturbed::LEDGER;
use crate::run::{Ending, EndingKind, Refusal};

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
    for first in (1..).step_by(5) {
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
    assert!(deaths > 300, "{deaths}");
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
    assert_eq!((undisturbed.kind, undisturbed.exit_code), (EndingKind::Failed, 3));
    let ledger = bench.ledger();
    assert_eq!(ledger[LEDGER.len()..], ["back active", "thaw db-original"]);
    for n in 1.. {
        let mut bench = Bench::new(spoilt());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&quick_recovery())).await.is_some() {
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
        if until_death(&mortal, runner.start(&quick_recovery())).await.is_some() {
            break;
        }
        let ending = go_on(&mut bench, &format!("killed at {n}")).await;
        assert_whole(&bench, ending, &format!("killed at {n}"));
    }
}
