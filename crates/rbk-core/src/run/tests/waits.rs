//! Waiting: attended time, deadlines across resumes, extensions, and what is recorded of it.

use super::bench::{Bench, Watcher};
use super::scenario::*;
use crate::journal::{Event, Observation};
use crate::plan::{Action, Expr, Plan};
use crate::ports::PortErrorKind;
use crate::run::tests::world::Fault;
use crate::run::{EndingKind, Refusal};
use std::time::Duration;

/// Waits up to ten minutes for something that never comes.
fn waiting() -> Plan {
    let wait = Action::Await {
        condition: Expr::Healthy {
            application: sgpt(),
        },
        within: 600,
        every: 30,
    };
    plan_of(Vec::new(), vec![step("Wait", vec![wait])], Vec::new())
}

fn sick() -> Bench {
    let bench = Bench::new(incident());
    bench.fake.lock().is_healthy = false;
    bench
}

async fn conditions(bench: &Bench) -> Vec<(bool, String, u64)> {
    let mut seen = Vec::new();
    for event in bench.events().await {
        if let Event::Observed {
            observation:
                Observation::Condition {
                    holds,
                    seen: text,
                    attended,
                    ..
                },
            ..
        } = event
        {
            seen.push((holds, text, attended / 1000));
        }
    }
    seen
}

#[tokio::test]
async fn a_deadline_is_a_decided_failure_and_the_last_look_is_at_it() {
    let bench = sick();
    let ending = bench.start(&waiting()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(
        ending.first.unwrap().failure.to_string(),
        "`await` did not come true within 10m; last seen: it answers 503"
    );
    let waited = bench.fake.lock().now;
    assert!((600_000..601_000).contains(&waited), "{waited}");
    let looks = bench.fake.lock().calls["ask"];
    assert!(
        (25..40).contains(&looks),
        "backed off to the interval: {looks}"
    );
    let seen = conditions(&bench).await;
    assert!(
        seen.len() < 15,
        "not every look is recorded: {}",
        seen.len()
    );
    assert_eq!(seen[0], (false, "it answers 503".to_owned(), 0));
    assert_eq!(seen.last().unwrap().2, 600);
}

#[tokio::test]
async fn a_change_and_the_end_of_a_wait_are_recorded() {
    let mut bench = sick();
    let fake = bench.fake.clone();
    bench.watched(Watcher::tick(move |tick| {
        fake.lock().is_healthy = tick.elapsed >= Duration::from_secs(100);
    }));
    assert_eq!(bench.start(&waiting()).await.kind, EndingKind::Done);
    let seen = conditions(&bench).await;
    let last = seen.last().unwrap();
    assert_eq!((last.0, last.1.as_str()), (true, "it answers 200"));
}

/// Waits for `seconds`, then stops, as by Ctrl-C.
async fn attend(bench: &mut Bench, seconds: u64, is_first: bool) -> EndingKind {
    bench.again();
    let interrupt = bench.options.interrupt.clone();
    let (fake, begin) = (bench.fake.clone(), bench.fake.lock().now);
    bench.watched(Watcher::tick(move |_| {
        if fake.lock().now >= begin + seconds * 1000 {
            interrupt.press();
        }
    }));
    let ending = if is_first {
        bench.start(&waiting()).await
    } else {
        let run = bench.store.only_run().unwrap();
        bench.runner().resume(&run).await.unwrap()
    };
    ending.kind
}

#[tokio::test]
async fn only_attended_time_counts_and_it_counts_across_resumes() {
    let mut bench = sick();
    assert_eq!(attend(&mut bench, 280, true).await, EndingKind::Interrupted);
    bench.fake.lock().now += 7_200_000; // Two hours in which nobody attended.
    assert_eq!(
        attend(&mut bench, 200, false).await,
        EndingKind::Interrupted
    );
    let begin = bench.fake.lock().now;
    let ending = bench.resume().await;
    assert_eq!(ending.kind, EndingKind::Failed);
    let waited = (bench.fake.lock().now - begin) / 1000;
    assert!((80..=120).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_crash_gives_back_a_minute_of_attended_time_at_most() {
    let mut bench = sick();
    assert_eq!(attend(&mut bench, 280, true).await, EndingKind::Interrupted);
    // As a crash leaves it: without the records of the stop.
    let run = bench.store.only_run().unwrap();
    let journal = bench.store.journal(&run);
    let lines: Vec<&[u8]> = journal.split_inclusive(|byte| *byte == b'\n').collect();
    let cut = lines[..lines.len() - 2].concat();
    bench.store.set_journal(&run, cut);
    let begin = bench.fake.lock().now;
    assert_eq!(bench.resume().await.kind, EndingKind::Failed);
    let waited = (bench.fake.lock().now - begin) / 1000;
    assert!((300..=400).contains(&waited), "{waited}");
}

#[tokio::test]
async fn an_extension_is_journaled_and_counts() {
    let mut bench = sick();
    attend(&mut bench, 280, true).await;
    let begin = bench.fake.lock().now;
    let run = bench.store.only_run().unwrap();
    let mut runner = bench.again();
    runner.options.extend = Some(Duration::from_secs(300));
    let ending = runner.resume(&run).await.unwrap();
    assert_eq!(ending.kind, EndingKind::Failed);
    let waited = (bench.fake.lock().now - begin) / 1000;
    assert!((580..=625).contains(&waited), "{waited}");
    let extended = Event::Extended {
        seconds: 300,
        by: "ben".to_owned(),
    };
    assert!(bench.events().await.contains(&extended));
}

#[tokio::test]
async fn there_is_nothing_to_extend_outside_of_a_wait() {
    let bench = sick();
    bench.options.interrupt.press();
    let ending = bench.start(&waiting()).await;
    assert_eq!(ending.kind, EndingKind::Interrupted);
    let mut runner = bench.runner();
    runner.options.extend = Some(Duration::from_secs(300));
    let refusal = runner.resume(&ending.run).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NothingToExtend { .. }));
}

#[tokio::test]
async fn a_network_that_stays_away_suspends_a_wait_and_its_time_is_kept() {
    let mut bench = sick();
    let fault = Fault::new("ask", 12, PortErrorKind::Unreachable);
    bench.fake.lock().faults.push(fault.times(1000));
    let ending = bench.start(&waiting()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    let attended = bench.fake.lock().now;
    assert!(attended < 300_000, "{attended}");
    bench.fake.lock().faults.clear();
    assert_eq!(bench.resume().await.kind, EndingKind::Failed);
    let all = bench.fake.lock().now;
    assert!((600_000..602_000).contains(&all), "{all}");
}

#[tokio::test]
async fn an_instance_that_is_gone_is_not_waited_for_until_the_deadline() {
    let available = Action::Await {
        condition: Expr::Available {
            database: recovery(),
        },
        within: 3600,
        every: 15,
    };
    let plan = plan_of(Vec::new(), vec![step("Wait", vec![available])], Vec::new());
    let bench = Bench::new(incident());
    let ending = bench.start(&plan).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4013");
    let waited = bench.fake.lock().now;
    assert!((60_000..90_000).contains(&waited), "{waited}");
}
