//! Snapshots that a run takes, points in time that it goes back to, and the ways of an `if`.

use super::bench::{Bench, Crash, Mortal, until_death};
use super::scenario::{brisk_incident as incident, *};
use super::world::{Fake, Fault};
use crate::ids::{ActionId, InstanceId, SnapshotId};
use crate::journal::{Event, How, Outcome, Proof};
use crate::plan::{
    Action, AsOf, Expr, Guard, Operator, Origin, Parameter, Plan, Preflight, SnapshotName,
};
use crate::ports::PortErrorKind;
use crate::run::{EndingKind, Failure, Refusal, look_ahead};
use crate::status::{self, Word};
use crate::value::{Type, Value};
use jiff::{SignedDuration, Timestamp};

pub fn gap_exceeds(seconds: u64) -> Expr {
    Expr::Binary {
        operator: Operator::Greater,
        left: Box::new(Expr::SnapshotGap {
            database: original(),
        }),
        right: Box::new(Expr::Value(Value::Duration(seconds))),
    }
}

fn take(id: SnapshotName, binding: Option<&str>) -> Action {
    Action::CreateSnapshot {
        database: original(),
        instance: InstanceId::from("db-original"),
        id,
        binding: binding.map(str::to_owned),
    }
}

fn go_back(at: AsOf) -> Action {
    Action::RestoreToPointInTime {
        database: recovery(),
        source: original(),
        at,
        settings: settings(),
    }
}

fn at(time: &str) -> AsOf {
    AsOf::Time {
        at: Expr::Value(Value::Time(time.parse().unwrap())),
    }
}

/// Snapshots first, another one if there were few, then the instance as it is by now.
pub fn careful() -> Plan {
    let given = SnapshotName::Given { id: text("Extra") };
    let mut save = step(
        "Save",
        vec![
            take(SnapshotName::Generated, Some("before")),
            Action::Decide {
                condition: gap_exceeds(43_200),
            },
            take(given, None),
            Action::Note {
                text: text("there are enough"),
            },
            Action::Decide {
                condition: gap_exceeds(1),
            },
            Action::Note {
                text: text("there are some"),
            },
        ],
    );
    let guard = |decision: &str, holds| Guard {
        decision: ActionId::from(decision),
        holds,
    };
    save.actions[2].only_if = vec![guard("Save#2", true)];
    save.actions[3].only_if = vec![guard("Save#2", false)];
    save.actions[4].only_if = vec![guard("Save#2", false)];
    save.actions[5].only_if = vec![guard("Save#2", false), guard("Save#5", true)];
    let rebuild = step(
        "Rebuild",
        vec![
            go_back(AsOf::Latest),
            Action::Await {
                condition: Expr::Available {
                    database: recovery(),
                },
                within: 3600,
                every: 15,
            },
        ],
    );
    let preflight = vec![
        Preflight::Absent {
            database: recovery(),
            instance: InstanceId::from("db-recovery"),
        },
        Preflight::RestoreWindow {
            database: original(),
            instance: InstanceId::from("db-original"),
            at: AsOf::Latest,
        },
        Preflight::SnapshotAbsent { id: text("Extra") },
    ];
    plan_of(preflight, vec![save, rebuild], Vec::new())
}

const LEDGER: &[&str] = &[
    "snapshot db-original",
    "snapshot db-original",
    "restore db-recovery to an instant of db-original",
];

/// A plan of one step and no preflight but what is given.
fn plan(preflight: Vec<Preflight>, actions: Vec<Action>) -> Plan {
    plan_of(preflight, vec![step("Step", actions)], Vec::new())
}

#[tokio::test]
async fn snapshots_are_taken_and_an_instance_goes_back() {
    let bench = Bench::new(incident());
    let ending = bench.start(&careful()).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Done, 0),
        "{ending:?}"
    );
    assert_eq!(bench.ledger(), LEDGER);
    let history = bench.history().await;
    let told = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = told.steps[0].actions.iter().map(|it| it.state).collect();
    assert_eq!(
        words,
        [
            Word::Done,
            Word::Done,
            Word::Done,
            Word::NotTaken,
            Word::NotTaken,
            Word::NotTaken
        ]
    );
    assert_eq!(told.steps[0].state, Word::Done);
    let reasons: Vec<_> = told.steps[0]
        .actions
        .iter()
        .map(|it| it.detail.clone().unwrap())
        .collect();
    insta::assert_snapshot!(reasons[1..].join("\n"));
    let Value::Snapshot(before) = &told.bindings["before"] else {
        panic!("{:?}", told.bindings);
    };
    assert_eq!(before.status, "available");
    assert!(before.id.as_str().starts_with("db-original-"));
    let mut inner = bench.fake.lock();
    let names: Vec<_> = inner.snapshots.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(names, ["older", "newest", before.id.as_str(), "extra"]);
    let tags = inner.backups.tags[&SnapshotId::from("extra")].clone();
    assert_eq!(tags["rbk:run"], history.run.as_str());
    assert_eq!(
        (tags["team"].as_str(), tags["rbk:environment"].as_str()),
        ("search", "test")
    );
    let to = inner.backups.restored_to[0];
    let tag = inner.server("db-recovery").instance.tags["rbk:restored-to"].clone();
    assert_eq!(tag, format!("db-original@{to}"));
    assert_eq!(to.subsec_nanosecond(), 0);
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    for crash in [Crash::Keep, Crash::Lose, Crash::Tear] {
        for n in 1.. {
            let mut bench = Bench::new(incident());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&careful()))
                .await
                .is_some()
            {
                assert!(n > 3 * 6, "{n}");
                break;
            }
            bench.store.crash(crash);
            let context = format!("killed at {n} ({:?}), {crash:?}", mortal.last);
            let run = bench.store.only_run();
            let resumed = match &run {
                Some(run) => bench.again().resume(run).await,
                None => bench.again().start(&careful()).await,
            };
            match resumed {
                Ok(ending) => assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}"),
                Err(Refusal::NeverBegan { .. }) => {
                    bench.start(&careful()).await;
                    assert_eq!(bench.ledger(), LEDGER, "{context}");
                    continue;
                }
                Err(Refusal::Ended { .. }) => {}
                Err(refusal) => panic!("{context}: {refusal}"),
            }
            assert_eq!(bench.ledger(), LEDGER, "{context}");
            let history = bench.history().await;
            let intents = history
                .records
                .iter()
                .filter_map(|record| match &record.entry.event {
                    Event::Intent(intent) if intent.call == "RestoreDBInstanceToPointInTime" => {
                        intent.choice.clone()
                    }
                    _ => None,
                });
            let sent = Value::Time(bench.fake.lock().backups.restored_to[0]);
            assert!(
                intents.into_iter().all(|choice| choice == sent),
                "{context}"
            );
        }
    }
}

#[tokio::test]
async fn a_plan_with_holes_is_not_begun() {
    let mut plan = careful();
    plan.parameters.push(Parameter {
        name: "when".to_owned(),
        doc: None,
        ty: Type::Time,
        value: None,
        origin: Origin::Open,
        bounds: None,
    });
    plan.steps[1].actions[0].action = go_back(AsOf::Time {
        at: Expr::Parameter {
            name: "when".to_owned(),
            ty: Type::Time,
        },
    });
    let bench = Bench::new(incident());
    let refusal = bench.runner().start(&plan).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.exit_code()), ("RBK4096", 1));
    assert_eq!(
        format!("{refusal}; {}", refusal.help()),
        "parameter `when` has no value; nothing was begun: say it with `--set when=…`"
    );
    assert!(bench.store.only_run().is_none());
    let when: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
    plan.parameters[0].value = Some(Value::Time(when));
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.fake.lock().backups.restored_to, [when]);
}

/// What preflight says of a window.
async fn looked(fake: &Fake, wanted: AsOf) -> Result<String, Failure> {
    let preflight = Preflight::RestoreWindow {
        database: original(),
        instance: InstanceId::from("db-original"),
        at: wanted,
    };
    let plan = plan(vec![preflight], vec![go_back(AsOf::Latest)]);
    let mut found = look_ahead(&fake.world(), &plan).await;
    found.remove(1).result.map(|seen| seen.to_string())
}

#[tokio::test]
async fn an_instant_that_can_not_be_reached_is_refused_before_anything_happens() {
    let fake = incident();
    let mut said = Vec::new();
    let times = [
        "2026-11-22T08:00:00Z",
        "2026-11-22T09:14:00Z",
        "2026-11-21T09:00:00Z",
    ];
    for wanted in times.map(at).into_iter().chain([AsOf::Latest]) {
        said.push(match looked(&fake, wanted).await {
            Ok(seen) => seen,
            Err(failure) => format!("{} {failure}\n  {}", failure.code(), failure.help()),
        });
    }
    // A backup that isn't finished, and none at all.
    fake.lock().backups.reach = Some((SignedDuration::from_hours(1), None));
    let failure = looked(&fake, AsOf::Latest).await.unwrap_err();
    said.push(format!(
        "{} {failure}\n  {}",
        failure.code(),
        failure.help()
    ));
    fake.lock().backups.reach = None;
    let failure = looked(&fake, AsOf::Latest).await.unwrap_err();
    said.push(format!("{} {failure}", failure.code()));
    fake.lock()
        .server("db-original")
        .instance
        .settings
        .retention_days = 0;
    let failure = looked(&fake, AsOf::Latest).await.unwrap_err();
    said.push(format!(
        "{} {failure}\n  {}",
        failure.code(),
        failure.help()
    ));
    fake.lock().servers.clear();
    let failure = looked(&fake, AsOf::Latest).await.unwrap_err();
    said.push(format!("{} {failure}", failure.code()));
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn an_instant_that_is_known_later_is_looked_at_later() {
    let later = AsOf::Time {
        at: Expr::Binding {
            name: "when".to_owned(),
            ty: Type::Time,
        },
    };
    let preflight = Preflight::RestoreWindow {
        database: original(),
        instance: InstanceId::from("db-original"),
        at: later.clone(),
    };
    let observe = |expr| Action::Observe {
        name: "when".to_owned(),
        expr,
        ty: Type::Time,
    };
    let until = Expr::RestorableUntil {
        database: original(),
    };
    let actions = vec![observe(until), go_back(later.clone())];
    let bench = Bench::new(incident());
    let ending = bench.start(&plan(vec![preflight.clone()], actions)).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    // Now isn't restorable yet: seen when it is asked for, and nothing is sent.
    let bench = Bench::new(incident());
    let actions = vec![observe(Expr::Now), go_back(later)];
    let ending = bench.start(&plan(vec![preflight], actions)).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4093");
    assert!(bench.ledger().is_empty());
    assert!(
        !bench
            .events()
            .await
            .iter()
            .any(|event| matches!(event, Event::Intent(_)))
    );
}

#[tokio::test]
async fn a_window_that_moves_on_between_the_look_and_the_call_is_told_as_such() {
    // Its beginning passes the wanted instant while the call is throttled.
    let bench = Bench::new(incident());
    let earliest: Timestamp = "2026-11-21T09:15:20Z".parse().unwrap();
    let fault = Fault::new("restore_to_point_in_time", 1, PortErrorKind::Throttled).times(12);
    bench.fake.lock().faults.push(fault);
    let wanted = AsOf::Time {
        at: Expr::Value(Value::Time(earliest)),
    };
    let ending = bench.start(&plan(Vec::new(), vec![go_back(wanted)])).await;
    assert_eq!(ending.kind, EndingKind::Failed, "{ending:?}");
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4093");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn what_backups_there_are_can_be_asked() {
    let fake = incident();
    let of = |expr: fn(crate::ids::DatabaseName) -> Expr| expr(original());
    let asked = [
        of(|database| Expr::RestorableFrom { database }),
        of(|database| Expr::RestorableUntil { database }),
        of(|database| Expr::Retention { database }),
        of(|database| Expr::SnapshotGap { database }),
        of(|database| Expr::OldestSnapshot { database }),
        of(|database| Expr::LatestSnapshot { database }),
    ];
    let actions = asked.into_iter().map(|expr| Action::Observe {
        name: "it".to_owned(),
        expr,
        ty: Type::Time,
    });
    // What is being made doesn't count.
    {
        let mut inner = fake.lock();
        let mut newer = snapshot("newer", "2026-11-22T09:00:00Z");
        newer.status = "creating".to_owned();
        inner.snapshots.push(newer);
    }
    let bench = Bench::new(fake);
    let ending = bench.start(&plan(Vec::new(), actions.collect())).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let said: Vec<String> = bench
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Outcome(Outcome::Done { detail, .. }) => Some(detail),
            _ => None,
        })
        .collect();
    let [from, until, rest @ ..] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(from.starts_with("it = 2026-11-21T09:15:00"), "{from}");
    assert!(until.starts_with("it = 2026-11-22T09:10:00"), "{until}");
    assert_eq!(rest, ["it = 7d", "it = 1d", "it = older", "it = newest"]);
    let fake = incident();
    fake.lock().snapshots.clear();
    let bench = Bench::new(fake);
    let decide = Action::Decide {
        condition: gap_exceeds(1),
    };
    let ending = bench.start(&plan(Vec::new(), vec![decide])).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4007");
}

#[tokio::test]
async fn a_gap_reaches_until_now() {
    let fake = incident();
    fake.lock().now = 48 * 3_600_000;
    let bench = Bench::new(fake);
    let decide = |seconds| Action::Decide {
        condition: gap_exceeds(seconds),
    };
    let hour = 3600;
    let actions = vec![decide(54 * hour), decide(55 * hour)];
    bench.start(&plan(Vec::new(), actions)).await;
    let history = bench.history().await;
    let taken: Vec<bool> = history.facts.decisions.values().copied().collect();
    assert_eq!(taken, [true, false]);
}

#[tokio::test]
async fn a_name_that_is_taken_stops_before_anything_happens_and_also_later() {
    let fake = incident();
    fake.lock()
        .snapshots
        .push(snapshot("extra", "2026-11-22T03:00:00Z"));
    let bench = Bench::new(fake);
    let ending = bench.start(&careful()).await;
    let failure = ending.first.unwrap().failure;
    assert_eq!((failure.code(), ending.exit_code), ("RBK4094", 3));
    assert_eq!(
        failure.to_string(),
        "there is a snapshot `extra` already, without a tag of rbk"
    );
    assert!(bench.ledger().is_empty());

    // Somebody takes the name meanwhile.
    let bench = Bench::new(incident());
    let mut lost = Fault::new("create_snapshot", 1, PortErrorKind::AlreadyExists);
    lost.applied = false;
    bench.fake.lock().faults.push(lost);
    let ending = bench
        .start(&plan(Vec::new(), vec![take(SnapshotName::Generated, None)]))
        .await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4094");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_snapshot_whose_answer_is_lost_is_found_and_one_that_fails_is_told() {
    let bench = Bench::new(incident());
    let lost = Fault::new("create_snapshot", 1, PortErrorKind::Unreachable).applied();
    bench.fake.lock().faults.push(lost);
    let of = vec![take(SnapshotName::Generated, None)];
    let ending = bench.start(&plan(Vec::new(), of.clone())).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), ["snapshot db-original"]);
    let events = bench.events().await;
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Outcome(Outcome::Done {
            how: How::Adopted,
            proof: Some(Proof::Taken { .. }),
            ..
        })
    )));

    let bench = Bench::new(incident());
    bench.fake.lock().backups.snapshot_ends = "failed";
    let ending = bench.start(&plan(Vec::new(), of)).await;
    let failure = ending.first.unwrap().failure;
    assert_eq!((failure.code(), ending.exit_code), ("RBK4095", 4));
}

#[tokio::test]
async fn a_restore_whose_answer_is_lost_is_found_and_a_foreign_one_stops() {
    let bench = Bench::new(incident());
    let lost = Fault::new("restore_to_point_in_time", 1, PortErrorKind::Unreachable).applied();
    bench.fake.lock().faults.push(lost);
    let of = vec![go_back(AsOf::Latest)];
    let ending = bench.start(&plan(Vec::new(), of.clone())).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        bench.ledger(),
        ["restore db-recovery to an instant of db-original"]
    );

    let bench = Bench::new(incident());
    bench.start(&plan(Vec::new(), of.clone())).await;
    let ending = bench.start(&plan(Vec::new(), of)).await;
    assert_eq!(ending.first.unwrap().failure.code(), "RBK4014");
    assert_eq!(bench.ledger().len(), 1);
}

#[tokio::test]
async fn on_failure_goes_the_right_way_also_where_something_failed_in_it() {
    let broken = Action::Assert {
        condition: Expr::Value(Value::Boolean(false)),
        otherwise: None,
    };
    let mut of = plan(Vec::new(), vec![broken.clone()]);
    of.on_failure = actions(
        "on failure",
        vec![
            broken,
            Action::Decide {
                condition: gap_exceeds(1),
            },
            Action::Note { text: text("one") },
            Action::Note {
                text: text("other"),
            },
        ],
    );
    for (index, holds) in [(2, true), (3, false)] {
        of.on_failure[index].only_if = vec![Guard {
            decision: ActionId::from("on failure#2"),
            holds,
        }];
    }
    let bench = Bench::new(incident());
    bench.start(&of).await;
    let history = bench.history().await;
    let told = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = told.on_failure.iter().map(|it| it.state).collect();
    assert_eq!(
        words,
        [Word::Failed, Word::Done, Word::Done, Word::NotTaken]
    );
}
