//! Steps that are done together: killed anywhere, failing, suspended, interrupted and given up, in one of them and in several.

use super::backups::careful;
use super::bench::{Bench, Crash, Mortal, Watcher, until_death};
use super::scenario::{brisk_incident as incident, *};
use super::world::{Fake, Fault};
use crate::ids::{ActionId, SecretName};
use crate::journal::{Decision, Event, Outcome, Phase, load};
use crate::plan::{Action, Expr, Plan, SecretContent};
use crate::ports::PortErrorKind;
use crate::run::{Ending, EndingKind, Failure, Refusal};
use crate::status::{self, RunPhase, Word};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Three steps at once, between one before and one behind them.
pub fn abreast() -> Plan {
    let mut plan = careful();
    let rebuild = plan.steps.remove(1);
    let point = step(
        "Point",
        vec![
            Action::StageSecret {
                secret: SecretName::from("active"),
                content: SecretContent::Pointer {
                    database: recovery(),
                    to: SecretName::from("recovery"),
                    field: Some("key".to_owned()),
                },
            },
            Action::PromoteSecret {
                secret: SecretName::from("active"),
            },
            Action::Await {
                condition: Expr::Healthy {
                    application: sgpt(),
                },
                within: 600,
                every: 15,
            },
        ],
    );
    let freeze = step(
        "Freeze",
        vec![
            Action::FreezeWrites {
                database: original(),
                freeze: freeze(),
                if_reachable: false,
            },
            Action::Await {
                condition: Expr::HasLeft {
                    application: sgpt(),
                    database: original(),
                },
                within: 600,
                every: 15,
            },
        ],
    );
    let behind = step(
        "Behind",
        vec![Action::Assert {
            condition: Expr::Exists {
                database: recovery(),
            },
            otherwise: None,
        }],
    );
    for mut step in [rebuild, point, freeze] {
        step.parallel = Some(1);
        plan.steps.push(step);
    }
    plan.steps.push(behind);
    plan.on_failure = actions(
        "on failure",
        vec![
            Action::RevertSecret {
                secret: SecretName::from("active"),
            },
            Action::ThawWrites {
                database: original(),
                freeze: super::scenario::freeze(),
                if_reachable: true,
            },
        ],
    );
    plan.preflight.push(crate::plan::Preflight::SecretVersion {
        secret: SecretName::from("active"),
    });
    plan
}

/// What it changes, in no order.
const LEDGER: &[&str] = &[
    "freeze db-original",
    "restore db-recovery to an instant of db-original",
    "snapshot db-original",
    "snapshot db-original",
    "switch active",
    "version of active",
];

fn sorted(bench: &Bench) -> Vec<String> {
    let mut ledger = bench.ledger();
    ledger.sort();
    ledger
}

async fn go_on(bench: &mut Bench, plan: &Plan, context: &str) -> Option<Ending> {
    let run = bench.store.only_run();
    let runner = bench.again();
    let resumed = match &run {
        Some(run) => runner.resume(run).await,
        None => runner.start(plan).await,
    };
    match resumed {
        Ok(ending) => Some(ending),
        Err(Refusal::NeverBegan { .. }) => Some(bench.start(plan).await),
        Err(Refusal::Ended { .. }) => None,
        Err(refusal) => panic!("{context}: {refusal}"),
    }
}

#[track_caller]
fn assert_done(bench: &Bench, ending: Option<Ending>, context: &str) {
    if let Some(ending) = ending {
        assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
    }
    assert_eq!(sorted(bench), LEDGER, "{context}");
}

#[tokio::test]
async fn steps_go_on_beside_each_other_and_the_time_is_that_of_the_longest() {
    let bench = Bench::new(incident());
    bench.fake.lock().restore_takes = 300_000;
    let ending = bench.start(&abreast()).await;
    assert_done(&bench, Some(ending), "undisturbed");
    let history = bench.history().await;
    let entries: Vec<_> = history.records.iter().map(|it| &it.entry).collect();
    let at = |of: &dyn Fn(&crate::journal::Entry) -> bool| {
        entries.iter().position(|entry| of(entry)).unwrap()
    };
    let is = |entry: &crate::journal::Entry, id: &str| {
        entry
            .action
            .as_ref()
            .is_some_and(|action| action.as_str() == id)
    };
    let opened = at(&|entry| matches!(&entry.event, Event::Together { steps } if steps.len() == 3));
    let switched = at(&|entry| is(entry, "Point#3") && matches!(entry.event, Event::Outcome(_)));
    let restored = at(&|entry| is(entry, "Rebuild#2") && matches!(entry.event, Event::Outcome(_)));
    let behind = at(&|entry| is(entry, "Behind#1"));
    assert!(opened < switched && switched < restored && restored < behind);
    // Two snapshots of two minutes each, one after the other, then a restore of five beside the rest.
    let spent = bench.fake.lock().now / 1000;
    assert!((540..600).contains(&spent), "{spent}");
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    let plan = abreast();
    for crash in [Crash::Keep, Crash::Lose, Crash::Tear] {
        let mut deaths = 0;
        for n in 1.. {
            let mut bench = Bench::new(incident());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if let Some(ended) = until_death(&mortal, runner.start(&plan)).await {
                assert_done(&bench, Some(ended.unwrap()), "undisturbed");
                break;
            }
            deaths += 1;
            let context = format!("killed at {n} ({:?}), {crash:?}", mortal.last);
            bench.store.crash(crash);
            let ending = go_on(&mut bench, &plan, &context).await;
            assert_done(&bench, ending, &context);
            one_choice(&bench, &context).await;
        }
        assert!(deaths > 6 * 6, "{deaths}");
    }
}

/// Each action of the last run chose once, whatever became of its attempts.
async fn one_choice(bench: &Bench, context: &str) {
    let run = bench.store.only_run().unwrap();
    let Ok(history) = load(&bench.store, &run).await else {
        // It died before its first record, and another one was begun.
        return;
    };
    let mut chosen = BTreeMap::new();
    for record in &history.records {
        if let (Some(action), Event::Intent(intent)) = (&record.entry.action, &record.entry.event) {
            let first = chosen
                .entry(action.clone())
                .or_insert_with(|| intent.choice.clone());
            assert_eq!(*first, intent.choice, "{context}: {action}");
        }
    }
}

#[tokio::test]
async fn a_resume_that_is_killed_anywhere_is_resumed_too() {
    let plan = abreast();
    let mut deaths = 0;
    for first in (1..).step_by(17) {
        let mut is_over = true;
        for second in 1.. {
            let mut bench = Bench::new(incident());
            let mortal = Mortal::at(first);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&plan)).await.is_some() {
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
            let ending = go_on(&mut bench, &plan, &context).await;
            assert_done(&bench, ending, &context);
        }
        if is_over {
            break;
        }
    }
    assert!(deaths > 60, "{deaths}");
}

/// The application doesn't answer: its step fails at its deadline, and long after that the restore is there.
fn sick() -> Fake {
    let fake = incident();
    let mut inner = fake.lock();
    inner.is_healthy = false;
    inner.restore_takes = 1_200_000;
    drop(inner);
    fake
}

#[tokio::test]
async fn a_failure_lets_the_others_finish_what_they_are_at_and_no_more() {
    let mut plan = abreast();
    // One more behind what is under way.
    let note = Action::Note {
        text: text("not to be said"),
    };
    plan.steps[1]
        .actions
        .extend(actions("Rebuild more", vec![note]));
    let bench = Bench::new(sick());
    let ending = bench.start(&plan).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    let first = ending.first.unwrap();
    assert_eq!(first.failure.code(), "RBK4011");
    assert_eq!(ending.second, None);
    let history = bench.history().await;
    let told = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = told.steps[1].actions.iter().map(|it| it.state).collect();
    assert_eq!(words, [Word::Done, Word::Done, Word::Pending]);
    assert_eq!(told.steps[4].state, Word::Pending);
    let ledger = bench.ledger();
    assert_eq!(ledger[LEDGER.len()..], ["back active", "thaw db-original"]);
    // Nothing of it before the restore was there.
    let position = |wanted: &dyn Fn(&crate::journal::Entry) -> bool| {
        let mut records = history.records.iter();
        records.position(|record| wanted(&record.entry)).unwrap()
    };
    let restored = position(&|entry| {
        entry.action == Some(ActionId::from("Rebuild#2"))
            && matches!(entry.event, Event::Outcome(_))
    });
    let undone = position(&|entry| entry.action == Some(ActionId::from("on failure#1")));
    assert!(restored < undone);
}

#[tokio::test]
async fn several_failures_are_told_in_their_order() {
    let bench = Bench::new(sick());
    {
        let mut inner = bench.fake.lock();
        inner.restore_ends = "failed";
        inner.restore_takes = 30_000;
    }
    let ending = bench.start(&abreast()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 4));
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4012");
    assert_eq!(ending.second.unwrap().failure.code(), "RBK4011");
    assert!(ending.more.is_empty());
}

#[tokio::test]
async fn a_failure_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    let plan = abreast();
    let spoilt = || {
        let fake = incident();
        fake.lock().is_healthy = false;
        fake
    };
    let bench = Bench::new(spoilt());
    bench.start(&plan).await;
    let ledger = sorted(&bench);
    for n in 1.. {
        let mut bench = Bench::new(spoilt());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        let ended = until_death(&mortal, runner.start(&plan)).await;
        if ended.is_some() {
            break;
        }
        bench.store.crash(Crash::Lose);
        let context = format!("killed at {n} ({:?})", mortal.last);
        if let Some(ending) = go_on(&mut bench, &plan, &context).await {
            assert_eq!(
                (ending.kind, ending.exit_code),
                (EndingKind::Failed, 3),
                "{context}: {ending:?}"
            );
        }
        assert_eq!(sorted(&bench), ledger, "{context}");
    }
}

#[tokio::test]
async fn what_is_suspended_in_one_step_suspends_the_run_when_the_others_are_done_with_theirs() {
    let mut bench = Bench::new(incident());
    bench.fake.lock().restore_takes = 600_000;
    let denied = Fault::new("freeze", 1, PortErrorKind::AccessDenied);
    bench.fake.lock().faults.push(denied);
    let ending = bench.start(&abreast()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    assert_eq!(
        ending.first.unwrap().action,
        Some(ActionId::from("Freeze#1"))
    );
    let history = bench.history().await;
    assert_eq!(history.state.current.len(), 1);
    // The restore was waited for, and nothing behind it was begun.
    let known = |id: &str| history.facts.action(&ActionId::from(id));
    assert!(known("Rebuild#2").unwrap().over.is_some());
    assert!(known("Behind#1").is_none());
    bench.fake.lock().faults.clear();
    let ending = bench.resume().await;
    assert_done(&bench, Some(ending), "resumed");
    let together = bench.events().await.into_iter();
    let together = together.filter(|event| matches!(event, Event::Together { .. }));
    assert_eq!(together.count(), 1);
}

#[tokio::test]
async fn a_press_stops_all_of_them_at_their_boundaries_and_two_drop_their_waits() {
    for presses in [1, 2] {
        let mut bench = Bench::new(incident());
        bench.fake.lock().restore_takes = 600_000;
        let seen = Arc::new(AtomicUsize::new(0));
        let handle = Arc::new(std::sync::Mutex::new(None::<crate::run::Interrupt>));
        let (count, pressing) = (seen.clone(), handle.clone());
        let interrupt = bench.watched(Watcher::record(move |record| {
            let is_it = matches!(record.entry.event, Event::Intent(_))
                && record
                    .entry
                    .step
                    .as_ref()
                    .is_some_and(|it| it.as_str() != "Save");
            if is_it && count.fetch_add(1, Ordering::SeqCst) == 1 {
                for _ in 0..presses {
                    pressing.lock().unwrap().as_ref().unwrap().press();
                }
            }
        }));
        *handle.lock().unwrap() = Some(interrupt);
        let ending = bench.start(&abreast()).await;
        assert_eq!(
            (ending.kind, ending.exit_code),
            (EndingKind::Interrupted, 5)
        );
        let history = bench.history().await;
        let told = status::fold(&history.plan, &history.records);
        assert_eq!(told.phase, RunPhase::Interrupted);
        let ending = bench.resume().await;
        assert_done(&bench, Some(ending), &format!("{presses} presses"));
    }
}

/// A press while two of them wait: each stops within an action of its own.
async fn two_stopped() -> Bench {
    let mut bench = Bench::new(sick());
    let handle = Arc::new(std::sync::Mutex::new(None::<crate::run::Interrupt>));
    let pressing = handle.clone();
    let interrupt = bench.watched(Watcher::tick(move |tick| {
        let is_late = tick.elapsed.as_secs() > 60;
        if is_late && tick.action.as_str() == "Rebuild#2" {
            pressing.lock().unwrap().as_ref().unwrap().press();
        }
    }));
    *handle.lock().unwrap() = Some(interrupt);
    let ending = bench.start(&abreast()).await;
    assert_eq!(ending.kind, EndingKind::Interrupted, "{ending:?}");
    let history = bench.history().await;
    assert_eq!(history.state.current.len(), 2, "{:?}", history.state);
    assert_eq!(history.state.stopped.len(), 2);
    let told = status::fold(&history.plan, &history.records);
    assert!(told.current.is_some() && told.also.len() == 1);
    let words: Vec<Word> = told.steps.iter().map(|it| it.state).collect();
    let [stopped, done, pending] = [Word::Stopped, Word::Done, Word::Pending];
    assert_eq!(words, [done, stopped, stopped, done, pending]);
    bench.again();
    bench
}

#[tokio::test]
async fn two_steps_that_stopped_are_both_gone_on_with() {
    let mut bench = two_stopped().await;
    bench.fake.lock().is_healthy = true;
    let ending = bench.resume().await;
    assert_done(&bench, Some(ending), "resumed");
}

#[tokio::test]
async fn more_time_is_given_to_each_that_had_stopped() {
    let mut bench = two_stopped().await;
    bench.again();
    bench.options.extend = Some(std::time::Duration::from_secs(30));
    let run = bench.store.only_run().unwrap();
    bench.fake.lock().is_healthy = true;
    let ending = bench.runner().resume(&run).await.unwrap();
    assert_done(&bench, Some(ending), "extended");
    let history = bench.history().await;
    let extended = history
        .records
        .iter()
        .filter_map(|record| match &record.entry {
            entry if matches!(entry.event, Event::Extended { .. }) => entry.action.clone(),
            _ => None,
        });
    let extended: Vec<String> = extended.map(|id| id.to_string()).collect();
    assert_eq!(extended, ["Rebuild#2", "Point#3"]);
}

#[tokio::test]
async fn an_abort_settles_what_is_under_way_in_each_of_them() {
    let mut bench = two_stopped().await;
    let run = bench.store.only_run().unwrap();
    let ending = bench.again().abort(&run, "enough").await.unwrap();
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Aborted, 0),
        "{ending:?}"
    );
    assert_eq!((ending.second, ending.more), (None, Vec::new()));
    let history = bench.history().await;
    assert_eq!(history.state.phase, Phase::Ended);
    assert!(history.state.current.is_empty());
    let active = bench.fake.lock().secret("active").current_value();
    assert!(active.contains("original"), "{active}");
}

#[tokio::test]
async fn what_was_killed_anywhere_can_be_given_up() {
    let plan = abreast();
    for n in 1.. {
        let mut bench = Bench::new(incident());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&plan)).await.is_some() {
            break;
        }
        bench.store.crash(Crash::Lose);
        let context = format!("killed at {n} ({:?})", mortal.last);
        let Some(run) = bench.store.only_run() else {
            continue;
        };
        let ending = match bench.again().abort(&run, "enough").await {
            Ok(ending) => ending,
            Err(Refusal::NeverBegan { .. } | Refusal::Ended { .. }) => continue,
            Err(refusal) => panic!("{context}: {refusal}"),
        };
        assert_eq!(
            (ending.kind, ending.exit_code),
            (EndingKind::Aborted, 0),
            "{context}: {ending:?}"
        );
        let mut inner = bench.fake.lock();
        assert!(
            inner.secret("active").current_value().contains("original"),
            "{context}"
        );
        assert!(inner.server("db-original").roles["sgpt_app"].1, "{context}");
    }
}

#[tokio::test]
async fn what_is_unknown_in_one_step_is_resolved_by_its_name_and_all_go_on() {
    let mut bench = Bench::new(incident());
    let plan = abreast();
    bench.fake.lock().restore_takes = 900_000;
    // The tool of a command can't be looked at: nobody knows what became of it.
    let mut plan = plan;
    plan.steps[2].actions.insert(0, unseen());
    let mut lost = Fault::new("run", 1, PortErrorKind::Unreachable);
    lost.applied = true;
    bench.fake.lock().faults.push(lost);
    let ending = bench.start(&plan).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Undecided, 7),
        "{ending:?}"
    );
    let run = ending.run.clone();
    let action = ending.first.unwrap().action.unwrap();
    assert_eq!(action, ActionId::from("Unseen#1"));
    let runner = bench.again();
    let refused = runner.resume(&run).await.unwrap_err();
    assert!(matches!(refused, Refusal::NeedsDecision { action: it, .. } if it == action));
    let other = ActionId::from("Rebuild#1");
    let refused = runner.resolve(&run, &other, Decision::Done, "x").await;
    assert!(matches!(refused, Err(Refusal::NotUnknown { .. })));
    let resolved = runner
        .resolve(&run, &action, Decision::Done, "it ran")
        .await;
    resolved.unwrap();
    let ending = bench.resume().await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let commands = bench.ledger().into_iter();
    let commands = commands.filter(|line| line.starts_with("command"));
    assert_eq!(commands.count(), 1);
}

fn unseen() -> crate::plan::PlannedAction {
    let declared = crate::environment::Command {
        program: vec!["warm".to_owned()],
        arguments: BTreeMap::new(),
        secrets: BTreeMap::new(),
        within: 60,
        repeatable: false,
    };
    let action = Action::RunCommand {
        command: "warm".to_owned(),
        declared,
        arguments: BTreeMap::new(),
    };
    actions("Unseen", vec![action]).swap_remove(0)
}

#[tokio::test]
async fn a_full_disk_stops_all_of_them_and_nothing_is_sent_behind_it() {
    let plan = abreast();
    let bench = Bench::new(incident());
    bench.start(&plan).await;
    let writes = bench.history().await.records.len();
    for nth in 8..writes {
        let mut bench = Bench::new(incident());
        bench.store.fail_write(nth);
        let Ok(ending) = bench.runner().start(&plan).await else {
            continue;
        };
        assert_eq!(
            (ending.kind, ending.exit_code),
            (EndingKind::Suspended, 4),
            "{nth}"
        );
        assert!(matches!(
            ending.first.unwrap().failure,
            Failure::Journal { .. }
        ));
        bench.store.mend();
        let ending = bench.resume().await;
        assert_done(&bench, Some(ending), &format!("write {nth} failed"));
    }
}

#[tokio::test]
async fn every_call_fails_once_and_nothing_happens_twice() {
    let plan = abreast();
    let bench = Bench::new(incident());
    bench.start(&plan).await;
    let calls = bench.fake.lock().calls.clone();
    for (operation, times) in calls {
        for nth in 1..=times {
            for (kind, applied) in [
                (PortErrorKind::Unreachable, false),
                (PortErrorKind::Unreachable, true),
                (PortErrorKind::AccessDenied, false),
            ] {
                let context = format!("{operation} {nth} {kind:?} {applied}");
                let mut bench = Bench::new(incident());
                let mut fault = Fault::new(operation, nth, kind);
                fault.applied = applied;
                bench.fake.lock().faults.push(fault);
                let mut ending = bench.start(&plan).await;
                if ending.kind == EndingKind::Suspended {
                    assert_eq!(ending.exit_code, 4, "{context}");
                    bench.fake.lock().faults.clear();
                    ending = bench.resume().await;
                }
                if ending.kind == EndingKind::Failed {
                    // A preflight that can't look: nothing was begun.
                    assert!(bench.ledger().is_empty(), "{context}: {ending:?}");
                    continue;
                }
                assert_done(&bench, Some(ending), &context);
            }
        }
    }
}

#[tokio::test]
async fn an_outcome_is_durable_before_it_is_shown() {
    let mut bench = Bench::new(incident());
    let store = bench.store.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(
            record.entry.event,
            Event::Outcome(Outcome::Done { .. }) | Event::End { .. }
        ) {
            assert_eq!(store.unsynced(), 0, "shown before it was durable");
        }
    }));
    let ending = bench.start(&abreast()).await;
    assert_done(&bench, Some(ending), "watched");
}
