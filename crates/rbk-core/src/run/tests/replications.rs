//! Loads by DMS: undisturbed, killed at every point, every call failing, and each way in which DMS calls something finished that isn't.

use super::bench::{Bench, Crash, Mortal, Watcher, until_death};
use super::dms::{self, End, endpoint_of_others};
use super::repair::{migrated, table};
use super::replicate::*;
use super::scenario::step;
use super::world::{Fake, Fault};
use crate::journal::{Event, Observation, Outcome, Proof};
use crate::plan::{Action, Expr, Figure, Plan, ReplicationMeans, Side};
use crate::ports::PortErrorKind::{self, *};
use crate::run::{Ending, EndingKind, Failure, Refusal};
use crate::value::Value;
use std::sync::{Arc, Mutex};

/// What a failed load leaves at DMS and in the journal's last word.
fn assert_clean(bench: &Bench, context: &str) {
    let inner = bench.fake.lock();
    assert!(inner.dms.configs.is_empty(), "{context}: a config is left");
    assert!(
        inner.dms.endpoints.is_empty(),
        "{context}: an endpoint is left"
    );
}

/// Runs it to a decided failure; nothing may be left.
async fn failure(spoil: impl FnOnce(&mut super::dms::FakeDms)) -> (Bench, Failure) {
    let fake = migrated();
    spoil(&mut fake.lock().dms);
    let bench = Bench::new(fake);
    let ending = bench.start(&load()).await;
    assert_eq!(ending.kind, EndingKind::Failed, "{ending:?}");
    assert_eq!(ending.second, None, "{ending:?}");
    assert_clean(&bench, "failed");
    let failure = ending.first.unwrap().failure;
    assert_eq!(ending.exit_code, failure.exit_code());
    assert!(!failure.help().is_empty() && !failure.doing().is_empty());
    (bench, failure)
}

fn code(failure: &Failure) -> &'static str {
    failure.code()
}

#[tokio::test]
async fn a_load_runs_to_its_end_and_leaves_nothing() {
    let bench = Bench::new(migrated());
    let ending = bench.start(&load()).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Done, 0),
        "{ending:?}"
    );
    assert_eq!(bench.ledger(), LEDGER);
    assert_clean(&bench, "done");
    let proofs: Vec<Proof> = bench
        .events()
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::Outcome(Outcome::Done { proof, .. }) => proof,
            _ => None,
        })
        .collect();
    let [Proof::Replicated { replication, facts }] = proofs.as_slice() else {
        panic!("{proofs:?}");
    };
    assert_eq!(
        (replication.as_str(), facts.proven, facts.elapsed),
        ("load", true, 3600)
    );
    let rows: Vec<(&str, u64)> = facts
        .tables
        .iter()
        .map(|it| (it.table.as_str(), it.rows))
        .collect();
    assert_eq!(rows, [("public.documents", 3), ("public.embeddings", 2)]);
    let history = bench.history().await;
    assert!(
        !history.state.actions.contains_key(&"cleanup#1".into()),
        "cleaned up after a success"
    );
    // It was given the password, and nobody else was.
    let run = bench.store.only_run().unwrap();
    let journal = String::from_utf8(bench.store.journal(&run)).unwrap();
    for secret in ["original-master", "of long ago"] {
        assert!(!journal.contains(secret), "a secret is journaled");
    }
}

#[tokio::test]
async fn what_a_load_looks_like_is_told_while_it_is_awaited() {
    let mut bench = Bench::new(migrated());
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    bench.watched(Watcher::tick(move |tick| {
        let mut told = seen.lock().unwrap();
        let line = (tick.seen.clone(), tick.done);
        if tick.action.as_str() == "Prove#1" && told.last() != Some(&line) {
            told.push(line);
        }
    }));
    bench.start(&load()).await;
    let told = told.lock().unwrap().clone();
    let words: Vec<&str> = told.iter().map(|(seen, _)| seen.as_str()).take(8).collect();
    assert_eq!(
        words[..7],
        [
            "initializing",
            "preparing what it reads metadata with (15 to 20 minutes)",
            "testing the connections to both databases",
            "fetching metadata",
            "calculating the capacity that it needs",
            "provisioning capacity (15 to 20 minutes)",
            "starting",
        ]
    );
    assert!(words[7].starts_with("running, "), "{words:?}");
    assert!(
        words[7].ends_with(
            " %: 0 of 2 tables loaded, public.documents 3 rows, public.embeddings 2 rows"
        ),
        "{words:?}"
    );
    assert_eq!(told[7].1, Some((0, 2)));
}

#[tokio::test]
async fn a_load_that_is_over_before_the_first_look_is_complete() {
    let bench = Bench::new(brisk());
    bench.fake.lock().dms.provisioning = 1;
    bench.fake.lock().dms.loading = 1;
    let ending = bench.start(&load()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_waited_out() {
    let bench = Bench::new(brisk());
    bench.fake.lock().dms.odd_status = true;
    let ending = bench.start(&load()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
}

/// It would never be started, and be waited for until the deadline.
#[tokio::test]
async fn a_config_whose_status_is_not_told_yet_is_no_started_one() {
    let bench = Bench::new(brisk());
    bench.fake.lock().dms.config_only_for = 20_000;
    let ending = bench.start(&load()).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
}

#[tokio::test]
async fn each_way_of_not_being_complete_is_told_and_nothing_is_left() {
    let broken = failure(|dms| {
        dms.broken.insert(table("embeddings"), "Table error");
        dms.control_error =
            "null value in column \"text\" of relation \"embeddings\" violates not-null constraint";
    })
    .await
    .1;
    let silent = failure(|dms| {
        dms.silent.insert(table("embeddings"));
    })
    .await
    .1;
    let leaky = failure(|dms| {
        dms.leaky.insert(table("documents"));
    })
    .await
    .1;
    let too_many = failure(|dms| dms.extra.push(table("databasechangelog")))
        .await
        .1;
    let failed = failure(|dms| {
        dms.end = End::Failed("Test connection failed for endpoint 'rbk-load-target'");
    })
    .await
    .1;
    let stopped = failure(|dms| dms.end = End::Stopped("STOPPED_DUE_TO_LOW_MEMORY"))
        .await
        .1;
    let all = [broken, silent, leaky, too_many, failed, stopped];
    let text: Vec<String> = all
        .iter()
        .map(|it| format!("{} {it}\n  {}\n  {}", it.code(), it.doing(), it.help()))
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[tokio::test]
async fn what_dms_has_forgotten_proves_nothing() {
    let mut bench = Bench::new(brisk());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        let is_over = matches!(record.entry.event, Event::Outcome(_));
        if is_over && record.entry.action == Some("Prove#1".into()) {
            for config in fake.lock().dms.configs.values_mut() {
                config.is.provision_state = Some("deprovisioned".to_owned());
            }
        }
    }));
    let ending = bench.start(&load()).await;
    assert_eq!(code(&ending.first.unwrap().failure), "RBK4059");
    assert_clean(&bench, "forgotten");
}

#[tokio::test]
async fn statistics_are_journaled_before_they_are_gone_also_where_it_failed() {
    let (bench, _) = failure(|dms| dms.end = End::Stopped("NORMAL")).await;
    let told = bench
        .events()
        .await
        .into_iter()
        .find_map(|event| match event {
            Event::Observed {
                observation: Observation::Replication { facts, .. },
                ..
            } => Some(facts),
            _ => None,
        });
    let told = told.unwrap();
    assert_eq!((told.tables.len(), told.proven), (2, false));
    assert_eq!(told.stop_reason.as_deref(), Some("NORMAL"));
}

#[tokio::test]
async fn a_missing_subnet_group_is_found_before_anything_is_made() {
    let bench = Bench::new(migrated());
    bench.fake.lock().dms.subnet_groups.clear();
    let ending = bench.start(&load()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 3));
    assert_eq!(code(&ending.first.unwrap().failure), "RBK4051");
    assert!(bench.ledger().is_empty());
    // One that goes away meanwhile is a clear refusal, and the endpoints go, too.
    let mut plan = load();
    plan.preflight.pop();
    let bench = Bench::new(migrated());
    bench.fake.lock().dms.subnet_groups.clear();
    let ending = bench.start(&plan).await;
    let first = ending.first.unwrap().failure;
    assert_eq!(code(&first), "RBK4053", "{first}");
    assert_clean(&bench, "refused");
}

#[tokio::test]
async fn what_is_made_says_whose_it_is_and_who_logs_in() {
    let mut bench = Bench::new(brisk());
    let fake = bench.fake.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    bench.watched(Watcher::record(move |record| {
        let is_over = matches!(record.entry.event, Event::Outcome(_));
        if is_over && record.entry.action == Some("Load#4".into()) {
            let inner = fake.lock();
            let endpoints = inner.dms.endpoints.values();
            let credentials = endpoints
                .clone()
                .map(|it| format!("{:?}", it.request.credentials));
            kept.lock().unwrap().extend(credentials);
            let tags = endpoints.map(|it| it.is.tags.clone());
            let configs = inner.dms.configs.values().map(|it| it.is.tags.clone());
            for tags in tags.chain(configs) {
                let keys: Vec<&str> = tags.keys().map(String::as_str).collect();
                assert_eq!(
                    keys,
                    ["rbk:action", "rbk:environment", "rbk:plan", "rbk:run"]
                );
            }
        }
    }));
    let mut plan = load();
    if let Some(ReplicationMeans::Dms(dms)) = plan
        .replications
        .get_mut("load")
        .map(|planned| &mut planned.with)
    {
        dms.target.secret_access_role = Some("arn:aws:iam::123456789012:role/dms".to_owned());
    }
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "master at db-recovery.example:5432",
            "secret original_admin through arn:aws:iam::123456789012:role/dms"
        ]
    );
    // A secret that leads DMS elsewhere is found before half an hour is lost.
    if let Some(ReplicationMeans::Dms(dms)) = plan
        .replications
        .get_mut("load")
        .map(|planned| &mut planned.with)
    {
        dms.source.secret_access_role = Some("arn:aws:iam::123456789012:role/dms".to_owned());
    }
    let bench = Bench::new(brisk());
    let ending = bench.start(&plan).await;
    let first = ending.first.unwrap().failure;
    assert_eq!(code(&first), "RBK4006", "{first}");
    assert!(bench.ledger().is_empty());
}

#[tokio::test]
async fn what_stands_under_our_name_is_left_alone_and_its_owner_named() {
    let mut bench = Bench::new(migrated());
    let fake = bench.fake.clone();
    bench.watched(Watcher::record(move |record| {
        if matches!(record.entry.event, Event::Ready) {
            let id = format!("rbk-{}-load-target", record.run.short());
            let theirs = endpoint_of_others(&id, Side::Target);
            fake.lock().dms.endpoints.insert(id, theirs);
        }
    }));
    let ending = bench.start(&load()).await;
    let first = ending.first.unwrap().failure;
    assert_eq!(code(&first), "RBK4052");
    assert!(
        first
            .to_string()
            .ends_with("is there already, made by run `somebody-elses`"),
        "{first}"
    );
    assert_eq!(ending.second, None);
    assert_eq!(
        bench.ledger(),
        ["create source endpoint", "delete source endpoint"]
    );
    assert_eq!(bench.fake.lock().dms.endpoints.len(), 1);
}

/// Goes on with what a death left.
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

#[tokio::test]
async fn a_load_that_is_killed_anywhere_is_resumed_to_the_same_end() {
    for crash in [Crash::Lose, Crash::Keep] {
        for n in 1.. {
            let mut bench = Bench::new(brisk());
            bench.fake.lock().dms.hidden_for = if n % 2 == 0 { 20_000 } else { 0 };
            let mortal = Mortal::at(n);
            let runner = bench.dying_at(&mortal);
            if until_death(&mortal, runner.start(&load())).await.is_some() {
                assert!(n > 7 * 6, "{n}");
                break;
            }
            let context = format!("killed at {n}, {crash:?}");
            bench.store.crash(crash);
            if let Some(ending) = go_on(&mut bench, &load(), &context).await {
                assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            }
            assert_eq!(bench.ledger(), LEDGER, "{context}");
            assert_clean(&bench, &context);
        }
    }
}

#[tokio::test]
async fn a_failed_load_that_is_killed_anywhere_is_cleaned_up_all_the_same() {
    let spoilt = || {
        let fake = brisk();
        fake.lock().dms.end = End::Failed("no route");
        fake
    };
    for n in 1.. {
        let mut bench = Bench::new(spoilt());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&load())).await.is_some() {
            break;
        }
        let context = format!("killed at {n}");
        bench.store.crash(Crash::Lose);
        if let Some(ending) = go_on(&mut bench, &load(), &context).await {
            assert_eq!(
                (ending.kind, ending.exit_code),
                (EndingKind::Failed, 4),
                "{context}"
            );
        }
        assert_eq!(bench.ledger(), LEDGER, "{context}");
        assert_clean(&bench, &context);
    }
}

#[tokio::test]
async fn an_abort_anywhere_leaves_nothing_that_is_billed() {
    for n in 1.. {
        let mut bench = Bench::new(brisk());
        let mortal = Mortal::at(n);
        let runner = bench.dying_at(&mortal);
        if until_death(&mortal, runner.start(&load())).await.is_some() {
            break;
        }
        let context = format!("killed at {n}");
        let Some(run) = bench.store.only_run() else {
            continue;
        };
        match bench.again().abort(&run, "a false alarm").await {
            Ok(ending) => assert_eq!(ending.kind, EndingKind::Aborted, "{context}: {ending:?}"),
            Err(Refusal::Ended { .. }) => break,
            Err(refusal) => panic!("{context}: {refusal}"),
        }
        assert_clean(&bench, &context);
    }
}

#[tokio::test]
async fn every_call_to_dms_fails_once_and_nothing_happens_twice() {
    for operation in dms::MUTATIONS {
        for (kind, applied) in [
            (Unreachable, false),
            (Unreachable, true),
            (Throttled, false),
            (AccessDenied, false),
            (InvalidState, false),
        ] {
            let fault = Fault::new(operation, 1, kind);
            let fault = if applied { fault.applied() } else { fault };
            let mut bench = Bench::new(brisk());
            bench.fake.lock().faults.push(fault);
            let context = format!("{operation}, {kind:?}, {applied}");
            let mut ending = bench.start(&load()).await;
            if ending.is_resumable() {
                assert!(
                    matches!(kind, AccessDenied | Unreachable),
                    "{context}: {ending:?}"
                );
                ending = bench.resume().await;
            }
            assert_eq!(ending.kind, EndingKind::Done, "{context}: {ending:?}");
            assert_eq!(bench.ledger(), LEDGER, "{context}");
            assert_clean(&bench, &context);
        }
    }
}

/// What is told of a database at the end.
fn told(ending: &Ending, database: &str) -> String {
    let entity = format!("database {database} ");
    let mut all = ending.entities.iter();
    let found = all.find(|it| it.entity.starts_with(&entity));
    found.map_or(String::new(), |it| it.state.clone())
}

#[tokio::test]
async fn rows_count_as_loaded_when_the_load_is_proven() {
    let bench = Bench::new(migrated());
    let done = bench.start(&load()).await;
    let target = planned().to;
    let state = told(&done, target.as_str());
    assert!(state.contains("`public` loaded from"), "{state}");

    let fake = migrated();
    fake.lock().dms.end = End::Stopped("NORMAL");
    let failed = Bench::new(fake).start(&load()).await;
    assert_eq!(failed.kind, EndingKind::Failed, "{failed:?}");
    let state = told(&failed, target.as_str());
    assert!(
        state.contains("`public` only partly loaded from"),
        "{state}"
    );
}

#[tokio::test]
async fn a_suspended_load_names_what_is_billed_and_how_to_remove_it() {
    let mut bench = Bench::new(migrated());
    let fault = Fault::new("replication", 12, PortErrorKind::Credentials);
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&load()).await;
    assert_eq!(ending.kind, EndingKind::Suspended, "{ending:?}");
    let run = ending.run.clone();
    let text = |ending: &Ending| {
        let states = ending
            .entities
            .iter()
            .map(|it| format!("{}: {}", it.entity, it.state));
        let lines: Vec<String> = states.chain(ending.by_hand.clone()).collect();
        lines
            .join("\n")
            .replace(run.as_str(), "RUN")
            .replace(run.short(), "12345678")
    };
    insta::assert_snapshot!(text(&ending));
    let ending = bench.again().abort(&run, "too dear").await.unwrap();
    assert_eq!(ending.kind, EndingKind::Aborted, "{ending:?}");
    assert_clean(&bench, "aborted");
    assert!(!text(&ending).contains("BILLED"), "{}", text(&ending));
}

#[tokio::test]
async fn a_cleanup_that_fails_is_told_beside_the_first_failure_and_the_rest_is_removed() {
    let bench = Bench::new(brisk());
    bench.fake.lock().dms.end = End::Failed("no route");
    let fault = Fault::new("delete_endpoint", 1, PortErrorKind::Protocol);
    bench.fake.lock().faults.push(fault);
    let ending = bench.start(&load()).await;
    assert_eq!((ending.kind, ending.exit_code), (EndingKind::Failed, 4));
    assert_eq!(code(&ending.first.unwrap().failure), "RBK4054");
    assert_eq!(code(&ending.second.unwrap().failure), "RBK4030");
    let inner = bench.fake.lock();
    assert!(inner.dms.configs.is_empty());
    assert_eq!(inner.dms.endpoints.len(), 1);
    assert!(
        ending.by_hand.iter().any(|line| line.starts_with(
            "delete what is left of replication load in DMS, in this order: endpoint `rbk-"
        )),
        "{:?}",
        ending.by_hand
    );
}

#[tokio::test]
async fn figures_are_live_first_and_then_from_the_journal() {
    let figure = |figure| Expr::Figure {
        replication: "load".to_owned(),
        figure,
    };
    let observe = |name: &str, wanted: Figure| Action::Observe {
        name: name.to_owned(),
        expr: figure(wanted),
        ty: crate::value::Type::Integer,
    };
    let mut plan = load();
    let before = Figure::ALL
        .map(|it| observe(&format!("early_{}", it.name()), it))
        .to_vec();
    let after = Figure::ALL
        .map(|it| observe(&format!("late_{}", it.name()), it))
        .to_vec();
    plan.steps.insert(1, step("Early", before));
    plan.steps.push(step("Late", after));
    let bench = Bench::new(migrated());
    bench.fake.lock().dms.provisioning = 1;
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let bindings = bench.history().await.facts.bindings;
    let number = |name: &str| match bindings[name] {
        Value::Integer(number) => number,
        Value::Duration(seconds) => i64::try_from(seconds).unwrap(),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(number("early_tables"), 2);
    assert_eq!(number("early_tables_loaded"), 0);
    assert_eq!(number("early_tables_failed"), 0);
    assert_eq!(number("late_tables_loaded"), 2);
    assert_eq!(number("late_rows"), 5);
    assert_eq!(number("late_elapsed"), 1200);
}

#[tokio::test]
async fn a_named_copy_is_complete_when_it_is_done() {
    let Action::Copy {
        from, to, tables, ..
    } = super::repair::copy()
    else {
        panic!("a copy");
    };
    let mut plan = super::repair::plan_with(vec![
        Action::Copy {
            replication: Some("load".to_owned()),
            from,
            to,
            tables,
        },
        complete(),
    ]);
    let mut planned = planned();
    planned.with = ReplicationMeans::Copy;
    plan.replications = [("load".to_owned(), planned)].into();
    let bench = Bench::new(migrated());
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let facts = bench.history().await.facts.replications["load"].clone();
    assert!(facts.proven);
    assert_eq!(facts.tables.iter().map(|it| it.rows).sum::<u64>(), 5);
}

/// How many calls an hour of waiting for a load costs, by operation: what the benchmark reports.
pub async fn polling_of_an_hour(every: u64) -> std::collections::BTreeMap<&'static str, usize> {
    let fake: Fake = migrated();
    fake.lock().dms.provisioning = 40 * 60_000;
    fake.lock().dms.loading = 20 * 60_000;
    let bench = Bench::new(fake);
    let mut plan = load();
    if let Action::Await {
        every: interval, ..
    } = &mut plan.steps[1].actions[0].action
    {
        *interval = every;
    }
    let before = Arc::new(Mutex::new(None));
    let fake = bench.fake.clone();
    let mut bench = bench;
    let noted = before.clone();
    let counted = Arc::new(Mutex::new(None));
    let result = counted.clone();
    bench.watched(Watcher::record(move |record| {
        if record.entry.action == Some("Prove#1".into()) {
            let calls = fake.lock().calls.clone();
            match record.entry.event {
                Event::Started => *noted.lock().unwrap() = Some(calls),
                Event::Outcome(_) => *result.lock().unwrap() = Some(calls),
                _ => {}
            }
        }
    }));
    let ending = bench.start(&plan).await;
    assert_eq!(ending.kind, EndingKind::Done, "{ending:?}");
    let before = before.lock().unwrap().take().unwrap();
    let after = counted.lock().unwrap().take().unwrap();
    let spent = after
        .into_iter()
        .map(|(call, count)| (call, count - before.get(call).copied().unwrap_or_default()));
    spent.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn an_hour_of_waiting_costs_few_calls() {
    for every in [15, 30, 60] {
        let calls = polling_of_an_hour(every).await;
        println!("an hour of waiting, every {every} s: {calls:?}");
        let total: usize = calls.values().sum();
        // One look each interval (two calls once rows are moved), and a handful in the first moments.
        let looks = usize::try_from(3600 / every).unwrap();
        assert!(calls["replication"] <= looks + 16, "{calls:?}");
        assert!(total <= looks + looks / 3 + 24, "{calls:?}");
    }
}
