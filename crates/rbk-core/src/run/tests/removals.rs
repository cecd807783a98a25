//! The end of an instance, of a freeze, and the stack: proven at the last moment, killed at every point, and each way of being refused.

use super::bench::{Bench, Crash, Mortal, Watcher, until_death};
use super::repair::damaged;
use super::scenario::*;
use super::world::{Fake, Fault, Server};
use crate::environment::{Active, Command};
use crate::ids::{ActionId, InstanceId, ResourceId, SecretName, SnapshotId};
use crate::journal::{Event, How, Outcome, Proof};
use crate::plan::{
    Action, Expr, FinalSnapshot, Guard, NamedCommand, Plan, Preflight, SecretContent,
};
use crate::ports::{Approval, PortErrorKind};
use crate::run::{Ending, EndingKind, Failure, Refusal};
use crate::status::{self, Word};
use crate::value::{Type, Value};
use std::collections::BTreeMap;

const LEDGER: &[&str] = &["protection of db-recovery: false", "delete db-recovery"];

/// The recovery is protected by RDS, and nobody uses it any more.
fn returned() -> Fake {
    let fake = damaged();
    let mut inner = fake.lock();
    let active = r#"{"key":"original"}"#.to_owned();
    inner.secret("active").take_over_with(active);
    let server = inner.server("db-recovery");
    server.instance.settings.deletion_protection = true;
    inner.delete_takes = 3_000;
    drop(inner);
    fake
}

fn destroy(final_snapshot: FinalSnapshot) -> Plan {
    let instance = InstanceId::from("db-recovery");
    let known = Preflight::Instance {
        database: recovery(),
        instance: instance.clone(),
        if_there: false,
    };
    let remove = step(
        "Remove",
        vec![
            Action::Approve {
                prompt: text("Destroy the recovery?"),
                typed: Some("db-recovery".to_owned()),
            },
            Action::LiftProtection {
                database: recovery(),
                instance: instance.clone(),
            },
            Action::DestroyInstance {
                database: recovery(),
                instance,
                final_snapshot,
            },
        ],
    );
    plan_of(vec![known], vec![remove], Vec::new())
}

/// Does something when an action is over.
fn after(bench: &mut Bench, action: &'static str, what: impl Fn(&Fake) + Send + Sync + 'static) {
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        let is_over = matches!(
            record.entry.event,
            Event::Outcome(_) | Event::Approved { .. }
        );
        if is_over && record.entry.action == Some(ActionId::from(action)) {
            what(&fake);
        }
    }));
}

#[track_caller]
fn refused(ending: &Ending) -> &Failure {
    assert_eq!(ending.kind, EndingKind::Failed, "{ending:?}");
    let failure = &ending.first.as_ref().unwrap().failure;
    assert!(!failure.help().is_empty() && !failure.doing().is_empty());
    failure
}

async fn destroyed(bench: &Bench) -> Option<SnapshotId> {
    let events = bench.events().await.into_iter();
    let mut found = events.filter_map(|event| match event {
        Event::Outcome(Outcome::Done {
            proof: Some(Proof::Destroyed { final_snapshot, .. }),
            ..
        }) => Some(final_snapshot),
        _ => None,
    });
    found.next().unwrap()
}

#[tokio::test]
async fn an_instance_is_gone_only_when_its_final_snapshot_is_there() {
    let bench = Bench::new(returned());
    let ending = bench.start(&destroy(FinalSnapshot::Generated)).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), LEDGER);
    let name = destroyed(&bench).await.unwrap();
    let expected = format!("rbk-final-db-recovery-{}", ending.run.short());
    assert_eq!(name.as_str(), expected);
    let state = &ending.entities[0];
    assert_eq!(
        state.state,
        format!("destroyed by this run; its final snapshot is `{expected}`")
    );

    let bench = Bench::new(returned());
    let id = SnapshotId::from("last-of-recovery");
    let named = FinalSnapshot::Named { id: id.clone() };
    assert_eq!(bench.start(&destroy(named)).await.kind, EndingKind::Done);
    assert_eq!(destroyed(&bench).await, Some(id));

    let bench = Bench::new(returned());
    assert_eq!(
        bench.start(&destroy(FinalSnapshot::None)).await.kind,
        EndingKind::Done
    );
    assert_eq!(destroyed(&bench).await, None);
}

#[tokio::test]
async fn a_removal_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    for snapshot in [FinalSnapshot::Generated, FinalSnapshot::None] {
        for n in 1.. {
            let plan = destroy(snapshot.clone());
            let mut bench = Bench::new(returned());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&plan)).await.is_some() {
                break;
            }
            let context = format!("killed at {n}, {snapshot:?}");
            bench.store.crash(Crash::Lose);
            // Meanwhile it may have come to its end.
            if n % 2 == 0 {
                bench.fake.lock().now += 10_000;
            }
            let run = bench.store.only_run();
            let runner = bench.again();
            let resumed = match &run {
                Some(run) => runner.resume(run).await,
                None => runner.start(&plan).await,
            };
            let ending = match resumed {
                Ok(ending) => Some(ending),
                Err(Refusal::NeverBegan { .. }) => Some(bench.start(&plan).await),
                Err(Refusal::Ended { .. }) => None,
                Err(refusal) => panic!("{context}: {refusal}"),
            };
            if let Some(ending) = ending {
                assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            }
            assert_eq!(bench.ledger(), LEDGER, "{context}");
        }
    }
}

#[tokio::test]
async fn a_call_that_fails_or_whose_answer_is_lost_deletes_once() {
    use PortErrorKind::{AccessDenied, InvalidState, Throttled, Unreachable};
    for operation in ["set_deletion_protection", "delete_instance"] {
        for (kind, applied) in [
            (Unreachable, true),
            (Unreachable, false),
            (Throttled, false),
            (InvalidState, false),
            (AccessDenied, false),
        ] {
            let fault = Fault::new(operation, 1, kind);
            let fault = if applied { fault.applied() } else { fault };
            let mut bench = Bench::new(returned());
            bench.fake.lock().faults.push(fault);
            let context = format!("{operation}, {kind:?}, {applied}");
            let mut ending = bench.start(&destroy(FinalSnapshot::Generated)).await;
            if ending.is_resumable() {
                ending = bench.resume().await;
            }
            assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            assert_eq!(bench.ledger(), LEDGER, "{context}");
        }
    }
}

#[tokio::test]
async fn each_reason_not_to_destroy_is_told() {
    let mut told = Vec::new();
    // Replaced by a namesake between the proof and the call.
    let mut bench = Bench::new(returned());
    after(&mut bench, "Remove#2", |fake| {
        let mut inner = fake.lock();
        inner.server("db-recovery").instance.resource = ResourceId::from("db-NAMESAKE");
    });
    let ending = bench.start(&destroy(FinalSnapshot::None)).await;
    told.push(refused(&ending).clone());
    assert_eq!(bench.ledger(), LEDGER[..1]);

    // Switched to, while a person was asked.
    let mut bench = Bench::new(returned());
    after(&mut bench, "Remove#1", |fake| {
        let active = r#"{"key":"recovery"}"#.to_owned();
        let mut inner = fake.lock();
        inner.secret("active").versions.clear();
        *inner.secret("active") = super::world::Secret::of("v9", &active);
    });
    let ending = bench.start(&destroy(FinalSnapshot::Generated)).await;
    told.push(refused(&ending).clone());
    assert!(bench.ledger().is_empty());

    // Used by somebody whose active secret is a copy of none of the databases' own, but names its address.
    let bench = Bench::new(returned());
    let other = r#"{"host":"db-recovery.example","port":5432,"username":"reports","password":"x"}"#;
    *bench.fake.lock().secret("active") = super::world::Secret::of("v9", other);
    let mut plan = destroy(FinalSnapshot::Generated);
    let applications = &mut plan.environment.applications;
    applications.get_mut(&sgpt()).unwrap().active = Active::Copy {
        secret: SecretName::from("active"),
    };
    let ending = bench.start(&plan).await;
    assert_eq!(refused(&ending), told.last().unwrap());
    assert!(bench.ledger().is_empty());
    // Or that belongs to an application which the environment gives other databases to.
    let bench = Bench::new(returned());
    let active = r#"{"key":"recovery"}"#;
    *bench.fake.lock().secret("active") = super::world::Secret::of("v9", active);
    let mut plan = destroy(FinalSnapshot::Generated);
    let applications = &mut plan.environment.applications;
    applications.get_mut(&sgpt()).unwrap().databases = vec![original()];
    let ending = bench.start(&plan).await;
    assert_eq!(refused(&ending), told.last().unwrap());
    assert!(bench.ledger().is_empty());

    // Protected again, and protected by the environment.
    let mut bench = Bench::new(returned());
    after(&mut bench, "Remove#2", |fake| {
        let mut inner = fake.lock();
        inner
            .server("db-recovery")
            .instance
            .settings
            .deletion_protection = true;
    });
    let ending = bench.start(&destroy(FinalSnapshot::Generated)).await;
    told.push(refused(&ending).clone());
    let mut plan = destroy(FinalSnapshot::Generated);
    let databases = &mut plan.environment.databases;
    databases.get_mut(&recovery()).unwrap().protect = true;
    let bench = Bench::new(returned());
    let ending = bench.start(&plan).await;
    told.push(refused(&ending).clone());
    assert!(bench.ledger().is_empty());

    // The name of the final snapshot is taken.
    let bench = Bench::new(returned());
    let id = SnapshotId::from("newest");
    let ending = bench.start(&destroy(FinalSnapshot::Named { id })).await;
    told.push(refused(&ending).clone());
    assert_eq!(bench.ledger(), LEDGER[..1]);

    // It is gone, and the final snapshot has failed.
    let bench = Bench::new(returned());
    bench.fake.lock().final_snapshot_ends = "failed";
    let ending = bench.start(&destroy(FinalSnapshot::Generated)).await;
    told.push(refused(&ending).clone());

    let text: Vec<String> = told
        .iter()
        .map(|it| format!("{} {it}\n  {}\n  {}", it.code(), it.doing(), it.help()))
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[tokio::test]
async fn a_namesake_is_not_deleted_by_a_call_that_is_sent_again() {
    let bench = Bench::new(returned());
    // Throttled once; meanwhile somebody puts another one in its place.
    let fault = Fault::new("delete_instance", 1, PortErrorKind::Throttled);
    bench.fake.lock().faults.push(fault);
    let mut bench = bench;
    let fake = bench.fake.clone();
    bench.watched(Watcher::tick(move |tick| {
        if tick.action.as_str() == "Remove#3" {
            let mut inner = fake.lock();
            inner.server("db-recovery").instance.resource = ResourceId::from("db-NAMESAKE");
        }
    }));
    let ending = bench.start(&destroy(FinalSnapshot::None)).await;
    assert_eq!(refused(&ending).code(), "RBK4082");
    assert_eq!(bench.ledger(), LEDGER[..1]);
}

#[tokio::test]
async fn what_came_to_be_used_meanwhile_is_not_deleted_by_a_call_that_is_sent_again() {
    let mut bench = Bench::new(returned());
    let fault = Fault::new("delete_instance", 1, PortErrorKind::Throttled);
    bench.fake.lock().faults.push(fault);
    let fake = bench.fake.clone();
    bench.watched(Watcher::tick(move |tick| {
        if tick.action.as_str() == "Remove#3" {
            let active = r#"{"key":"recovery"}"#;
            *fake.lock().secret("active") = super::world::Secret::of("v9", active);
        }
    }));
    let ending = bench.start(&destroy(FinalSnapshot::None)).await;
    let failure = refused(&ending);
    assert!(failure.to_string().contains("sgpt"), "{failure}");
    assert_eq!(bench.ledger(), LEDGER[..1]);
}

/// `if recovery exists { approve … destroy … }`
fn destroy_if_there() -> Plan {
    let mut plan = destroy(FinalSnapshot::None);
    for preflight in &mut plan.preflight {
        if let Preflight::Instance { if_there, .. } = preflight {
            *if_there = true;
        }
    }
    let decide = Action::Decide {
        condition: Expr::Exists {
            database: recovery(),
        },
    };
    let remove = &mut plan.steps[0];
    let destroying = remove.actions.drain(..).map(|planned| planned.action);
    let actions = std::iter::once(decide).chain(destroying).collect();
    *remove = step("Remove", actions);
    for planned in remove.actions.iter_mut().skip(1) {
        planned.only_if = vec![Guard {
            decision: ActionId::from("Remove#1"),
            holds: true,
        }];
    }
    plan
}

#[tokio::test]
async fn a_name_that_is_destroyed_twice_leaves_two_final_snapshots() {
    let mut plan = destroy(FinalSnapshot::Generated);
    let again = plan.steps[0].actions.iter();
    let again: Vec<Action> = again.map(|planned| planned.action.clone()).collect();
    let restore = vec![
        Action::RestoreFromSnapshot {
            database: recovery(),
            snapshot: Expr::LatestSnapshot {
                database: original(),
            },
            settings: settings(),
        },
        Action::Await {
            condition: Expr::Available {
                database: recovery(),
            },
            within: 3600,
            every: 15,
        },
    ];
    plan.steps.push(step("Restore", restore));
    plan.steps.push(step("Remove again", again));
    let bench = Bench::new(returned());
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let left = bench.events().await.into_iter();
    let left: Vec<String> = left
        .filter_map(|event| match event {
            Event::Outcome(Outcome::Done {
                proof: Some(Proof::Destroyed { final_snapshot, .. }),
                ..
            }) => final_snapshot.map(|name| name.to_string()),
            _ => None,
        })
        .collect();
    let first = format!("rbk-final-db-recovery-{}", ending.run.short());
    assert_eq!(left, [first.clone(), format!("{first}-2")]);
}

fn take_away(fake: &Fake) -> Server {
    let id = InstanceId::from("db-recovery");
    fake.lock().servers.remove(&id).unwrap()
}

#[tokio::test]
async fn what_is_destroyed_under_a_guard_is_the_instance_that_was_there_before() {
    let bench = Bench::new(returned());
    let ending = bench.start(&destroy_if_there()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), LEDGER);

    // There is none: nobody is asked, and nothing is done.
    let bench = Bench::new(returned());
    take_away(&bench.fake);
    let ending = bench.start(&destroy_if_there()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert!(bench.ledger().is_empty());
    let events = bench.events().await;
    let skipped = events
        .iter()
        .filter(|event| matches!(event, Event::Skipped { .. }));
    assert_eq!(skipped.count(), 3);
}

#[tokio::test]
async fn what_came_after_preflight_is_not_destroyed_under_a_guard() {
    // There was none, and somebody makes one before it is looked whether there is.
    let mut bench = Bench::new(returned());
    let server = std::sync::Mutex::new(Some(take_away(&bench.fake)));
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        if record.entry.event == Event::Ready
            && let Some(server) = server.lock().unwrap().take()
        {
            let id = InstanceId::from("db-recovery");
            fake.lock().servers.insert(id, server);
        }
    }));
    let ending = bench.start(&destroy_if_there()).await;
    assert_eq!(refused(&ending).code(), "RBK4082");
    assert!(bench.ledger().is_empty());

    // There was one, and another is in its place when it is looked.
    let mut bench = Bench::new(returned());
    after(&mut bench, "Remove#1", |fake| {
        let mut inner = fake.lock();
        inner.server("db-recovery").instance.resource = ResourceId::from("db-NAMESAKE");
    });
    let ending = bench.start(&destroy_if_there()).await;
    assert_eq!(refused(&ending).code(), "RBK4082");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_freeze_that_is_throttled_is_sent_again() {
    for operation in ["freeze", "thaw"] {
        let freeze = Action::FreezeWrites {
            database: original(),
            freeze: freeze(),
            if_reachable: false,
        };
        let thaw = Action::ThawWrites {
            database: original(),
            freeze: super::scenario::freeze(),
            if_reachable: false,
        };
        let bench = Bench::new(incident());
        let fault = Fault::new(operation, 1, PortErrorKind::Throttled).times(3);
        bench.fake.lock().faults.push(fault);
        let ending = bench.start(&frozen(vec![freeze, thaw])).await;
        assert_eq!(ending.kind, EndingKind::Done, "{operation}: {ending:?}");
    }
}

fn frozen(of: Vec<Action>) -> Plan {
    plan_of(Vec::new(), vec![step("Freeze", of)], Vec::new())
}

#[tokio::test]
async fn a_freeze_that_was_undone_meanwhile_stops_a_switch() {
    let freeze_original = || Action::FreezeWrites {
        database: original(),
        freeze: freeze(),
        if_reachable: false,
    };
    let prove = || Action::ProveFrozen {
        database: original(),
        freeze: freeze(),
    };
    let keep = Action::KeepFrozen {
        database: original(),
        freeze: freeze(),
        because: text("the return goes on from here"),
    };
    let plan = frozen(vec![freeze_original(), prove(), keep]);
    let bench = Bench::new(incident());
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        ending.entities[0].state,
        "writes are FROZEN; its writes stay frozen on purpose"
    );
    for (sessions, seen) in [(0, "they are open"), (2, "a role can log in again")] {
        let mut bench = Bench::new(incident());
        after(&mut bench, "Freeze#1", move |fake| {
            let mut inner = fake.lock();
            let server = inner.server("db-original");
            server.roles.get_mut("sgpt_app").unwrap().1 = sessions == 0;
            server.sessions = sessions;
        });
        let ending = bench.start(&frozen(vec![freeze_original(), prove()])).await;
        let failure = refused(&ending);
        assert_eq!((failure.code(), ending.exit_code), ("RBK4087", 3));
        assert!(failure.to_string().contains(seen), "{failure}");
    }
}

fn command(words: &[&str], repeatable: bool) -> Command {
    Command {
        program: words.iter().map(ToString::to_string).collect(),
        arguments: BTreeMap::new(),
        secrets: BTreeMap::new(),
        within: 600,
        repeatable,
    }
}

/// An application that is told its database by the deployed stack.
fn stack(apply: bool, repeatable: bool) -> Plan {
    let read = command(&["read"], true);
    let deploy = command(&["deploy", "{value}"], repeatable);
    let named = |name: &str, declared: &Command| NamedCommand {
        name: name.to_owned(),
        declared: declared.clone(),
    };
    let active_secret = Expr::ActiveSecret {
        application: sgpt(),
    };
    let mut plan = plan_of(
        vec![Preflight::ActiveDatabase {
            application: sgpt(),
        }],
        vec![step(
            "Switch",
            vec![
                Action::ApplyStack {
                    application: sgpt(),
                    database: recovery(),
                    value: "recovery".to_owned(),
                    apply: apply.then(|| named("deploy", &deploy)),
                    read: named("read", &read),
                },
                Action::Await {
                    condition: Expr::Uses {
                        application: sgpt(),
                        database: recovery(),
                    },
                    within: 60,
                    every: 10,
                },
                Action::Observe {
                    name: "secret".to_owned(),
                    expr: active_secret,
                    ty: Type::Text,
                },
            ],
        )],
        Vec::new(),
    );
    plan.environment.commands =
        BTreeMap::from([("deploy".to_owned(), deploy), ("read".to_owned(), read)]);
    let application = plan.environment.applications.get_mut(&sgpt()).unwrap();
    application.active = Active::Stack {
        apply: apply.then(|| "deploy".to_owned()),
        read: "read".to_owned(),
    };
    plan
}

fn deployed() -> Fake {
    let fake = incident();
    fake.lock()
        .says
        .insert("read".to_owned(), "original".to_owned());
    fake
}

async fn how(bench: &Bench) -> How {
    let mut outcomes = bench
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Outcome(Outcome::Done { how, .. }) => Some(how),
            _ => None,
        });
    outcomes.next().unwrap()
}

#[tokio::test]
async fn a_stack_is_deployed_by_its_command_and_read_back() {
    let bench = Bench::new(deployed());
    let ending = bench.start(&stack(true, false)).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(bench.ledger(), ["command deploy"]);
    let states: Vec<&str> = ending.entities.iter().map(|it| it.state.as_str()).collect();
    assert_eq!(states, ["uses recovery, as the stack says"]);
    let facts = bench.history().await.facts;
    assert_eq!(facts.active[&sgpt()], Some(original()));
    assert_eq!(facts.bindings["secret"], Value::Text("recovery".to_owned()));
    // Deployed already: nothing is done.
    let bench = Bench::new(deployed());
    bench
        .fake
        .lock()
        .says
        .insert("read".to_owned(), "recovery".to_owned());
    assert_eq!(
        bench.start(&stack(true, false)).await.kind,
        EndingKind::Done
    );
    assert_eq!(how(&bench).await, How::AlreadySo);
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn a_deployment_that_was_cut_off_is_read_first_and_never_simply_repeated() {
    let mut undecided = 0;
    for (repeatable, crash) in [
        (false, Crash::Keep),
        (true, Crash::Keep),
        (true, Crash::Lose),
    ] {
        for n in 1.. {
            let plan = stack(true, repeatable);
            let mut bench = Bench::new(deployed());
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&plan)).await.is_some() {
                break;
            }
            bench.store.crash(crash);
            let Some(run) = bench.store.only_run() else {
                continue;
            };
            match bench.again().resume(&run).await {
                Ok(ending) if ending.kind == EndingKind::Undecided && !repeatable => {
                    undecided += 1;
                    assert!(bench.ledger().is_empty(), "killed at {n}");
                }
                Ok(ending) => {
                    assert_eq!(ending.kind, EndingKind::Done, "killed at {n}: {ending:?}");
                    assert_eq!(bench.ledger(), ["command deploy"], "killed at {n}");
                }
                Err(Refusal::NeverBegan { .. } | Refusal::Ended { .. }) => {}
                Err(refusal) => panic!("killed at {n}: {refusal}"),
            }
        }
    }
    assert!(undecided > 0);
}

#[tokio::test]
async fn without_a_command_a_person_is_told_and_what_they_did_is_read() {
    let mut bench = Bench::new(deployed());
    // They say yes, and haven't deployed it.
    let ending = bench.start(&stack(false, false)).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Suspended, 4));
    let failure = ending.first.unwrap().failure;
    assert_eq!(failure.code(), "RBK4089");
    assert_eq!(
        failure.to_string(),
        "the stack says `original` for sgpt; it must say `recovery`"
    );
    assert!(failure.help().contains("rbk resume RUN"));
    assert_eq!(
        bench.fake.lock().questions[0].prompt,
        "Deploy the stack so that its setting for sgpt says `recovery`. Is it deployed?"
    );
    bench
        .fake
        .lock()
        .says
        .insert("read".to_owned(), "recovery".to_owned());
    assert_eq!(bench.resume().await.kind, EndingKind::Done);
}

#[tokio::test]
async fn a_deployment_that_says_something_else_is_a_failure() {
    let bench = Bench::new(deployed());
    let mut plan = stack(true, false);
    if let Action::ApplyStack {
        apply: Some(apply), ..
    } = &mut plan.steps[0].actions[0].action
    {
        apply.declared.program = vec!["deploy".to_owned(), "elsewhere".to_owned()];
    }
    let ending = bench.start(&plan).await;
    let failure = refused(&ending);
    assert_eq!((failure.code(), ending.exit_code), ("RBK4088", 4));
    assert!(failure.to_string().contains("`elsewhere`"), "{failure}");
}

#[tokio::test]
async fn a_snapshot_that_an_instance_was_restored_from_is_read_from_its_tag() {
    let source = |database| Expr::SourceSnapshot { database };
    let observe = |name: &str, expr| Action::Observe {
        name: name.to_owned(),
        expr,
        ty: Type::Text,
    };
    let plan = frozen(vec![
        observe("of_recovery", source(recovery())),
        observe("of_original", source(original())),
    ]);
    let fake = damaged();
    let tag = ("rbk:source-snapshot".to_owned(), "newest".to_owned());
    fake.lock()
        .server("db-recovery")
        .instance
        .tags
        .extend([tag]);
    let bench = Bench::new(fake);
    bench.start(&plan).await;
    let bindings = bench.history().await.facts.bindings;
    assert_eq!(bindings["of_recovery"], Value::Text("newest".to_owned()));
    assert_eq!(bindings["of_original"], Value::Text(String::new()));
}

/// `on failure` of the quick recovery, with a command before and behind what thaws.
async fn on_failure(before: Action, spoil: impl FnOnce(&Fake)) -> (Ending, Vec<Word>) {
    let fake = brisk_incident();
    fake.lock().is_healthy = false;
    spoil(&fake);
    let mut plan = quick_recovery();
    let mut of = vec![before];
    of.extend(plan.on_failure.iter().map(|planned| planned.action.clone()));
    of.push(super::repair::warm(true));
    plan.on_failure = actions("on failure", of);
    let bench = Bench::new(fake);
    let ending = bench.start(&plan).await;
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    assert_eq!(status.more, ending.more);
    let words = status.on_failure.iter().map(|action| action.state);
    (ending, words.collect())
}

#[tokio::test]
async fn a_statement_of_on_failure_that_fails_does_not_keep_writes_frozen() {
    use Word::{Done, Failed, Skipped};
    let refuse = |fake: &Fake| {
        let failed = super::world::error(PortErrorKind::Statement, "running");
        fake.lock().command_fails = Some(failed);
    };
    let (ending, words) = on_failure(super::repair::warm(true), refuse).await;
    // What puts back is done; what isn't known to be right any more is left out.
    assert_eq!(words, [Failed, Done, Done, Skipped]);
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(ending.second.unwrap().failure.code(), "RBK4025");
}

#[tokio::test]
async fn all_failures_of_on_failure_are_told() {
    use Word::{Failed, Skipped};
    let (ending, words) = on_failure(super::repair::warm(true), |fake| {
        let failed = super::world::error(PortErrorKind::Statement, "running");
        let mut inner = fake.lock();
        inner.command_fails = Some(failed);
        inner
            .faults
            .push(Fault::new("thaw", 2, PortErrorKind::Statement));
    })
    .await;
    assert_eq!(words, [Failed, Word::Done, Failed, Skipped]);
    assert_eq!(ending.second.unwrap().failure.code(), "RBK4025");
    let more: Vec<&str> = ending.more.iter().map(|it| it.failure.code()).collect();
    assert_eq!(more, ["RBK4038"]);
}

#[tokio::test]
async fn writes_stay_frozen_where_the_application_could_not_be_brought_back() {
    use Word::{Done, Failed, Skipped};
    // A swap that Secrets Manager refuses for good: the application stays where it is.
    let (ending, words) = on_failure(
        Action::Note {
            text: text("undoing"),
        },
        |fake| {
            fake.lock()
                .faults
                .push(Fault::new("move_label", 4, PortErrorKind::Protocol));
        },
    )
    .await;
    assert_eq!(words, [Done, Failed, Skipped, Skipped]);
    let frozen = "writes on original are still frozen: thaw them".to_owned();
    assert!(ending.by_hand.contains(&frozen), "{:?}", ending.by_hand);
}

#[tokio::test]
async fn after_a_no_nothing_is_undone() {
    use Word::{Failed, Skipped};
    let ask = Action::Approve {
        prompt: text("Undo it?"),
        typed: None,
    };
    let fake = brisk_incident();
    fake.lock().approval = Approval::Refused {
        by: "ana".to_owned(),
    };
    let mut plan = quick_recovery();
    let mut of = vec![ask];
    of.extend(plan.on_failure.iter().map(|planned| planned.action.clone()));
    plan.on_failure = actions("on failure", of);
    let bench = Bench::new(fake);
    bench.start(&plan).await;
    let history = bench.history().await;
    let status = status::fold(&history.plan, &history.records);
    let words: Vec<Word> = status.on_failure.iter().map(|it| it.state).collect();
    assert_eq!(words, [Failed, Skipped, Skipped]);
}

/// The application has returned, the recovery is deleted, and something behind that fails: bringing the secret back would
/// point the application at nothing.
#[tokio::test]
async fn nothing_is_pointed_back_at_what_this_run_has_begun_to_destroy() {
    let active = || SecretName::from("active");
    let switch = step(
        "Switch",
        vec![
            Action::StageSecret {
                secret: active(),
                content: SecretContent::Pointer {
                    database: original(),
                    to: SecretName::from("original"),
                    field: Some("key".to_owned()),
                },
            },
            Action::PromoteSecret { secret: active() },
        ],
    );
    let fails = step(
        "Look",
        vec![Action::Assert {
            condition: Expr::Value(Value::Boolean(false)),
            otherwise: None,
        }],
    );
    let mut of = destroy(FinalSnapshot::None);
    let removal = of.steps.remove(0);
    let known = of.preflight.into_iter().chain([
        Preflight::SecretVersion { secret: active() },
        Preflight::ActiveDatabase {
            application: sgpt(),
        },
    ]);
    let known: Vec<Preflight> = known.collect();
    let revert = || vec![Action::RevertSecret { secret: active() }];
    for (steps, expected) in [
        (
            vec![switch.clone(), removal, fails.clone()],
            ("original", Word::Skipped),
        ),
        (vec![switch, fails], ("recovery", Word::Done)),
    ] {
        let fake = damaged();
        let bench = Bench::new(fake);
        let ending = bench.start(&plan_of(known.clone(), steps, revert())).await;
        assert_eq!(ending.kind, EndingKind::Failed, "{ending:?}");
        let history = bench.history().await;
        let status = status::fold(&history.plan, &history.records);
        let names = bench.fake.lock().secret("active").current_value();
        assert_eq!(names, format!(r#"{{"key":"{}"}}"#, expected.0));
        assert_eq!(status.on_failure[0].state, expected.1);
    }
}

/// The same where the deployed stack names the database: neither a command nor a person may deploy what is gone.
#[tokio::test]
async fn no_stack_is_deployed_back_to_what_this_run_has_begun_to_destroy() {
    for by_command in [true, false] {
        let mut plan = stack(by_command, true);
        let back = plan.steps.remove(0).actions.remove(0).action;
        let fails = step(
            "Look",
            vec![Action::Assert {
                condition: Expr::Value(Value::Boolean(false)),
                otherwise: None,
            }],
        );
        let of = destroy(FinalSnapshot::None);
        plan.preflight = of.preflight;
        plan.steps = of.steps.into_iter().chain([fails]).collect();
        plan.on_failure = actions("on failure", vec![back]);
        let fake = returned();
        let says = "original".to_owned();
        fake.lock().says.insert("read".to_owned(), says);
        let bench = Bench::new(fake);
        let ending = bench.start(&plan).await;
        assert_eq!(ending.kind, EndingKind::Failed, "{ending:?}");
        let history = bench.history().await;
        let status = status::fold(&history.plan, &history.records);
        assert_eq!(status.on_failure[0].state, Word::Skipped);
        assert_eq!(bench.ledger(), LEDGER);
    }
}
