//! Looking ahead of a run: what is found, what could not be seen, and that nothing is changed.

use super::bench::Bench;
use super::repair::{damaged, repair};
use super::replicate::load;
use super::scenario::{incident, quick_recovery};
use super::world::{Fake, Fault};
use crate::plan::{Expr, Operator, Origin, Parameter, Plan, Preflight};
use crate::ports::{LongTransaction, MigrationLock, PortErrorKind, Quota};
use crate::run::{Online, Verdict, Weight, look_further};
use crate::value::{Type, Value};

/// The account of the quick recovery, with all that it needs.
fn furnished(fake: Fake) -> Fake {
    {
        let mut inner = fake.lock();
        inner.backups.subnet_groups.insert("subnets".to_owned());
        inner.backups.parameter_groups.insert("pg16".to_owned());
        inner.backups.roles.insert("dms-vpc-role".to_owned());
        inner.backups.quotas = vec![Quota {
            name: "DBInstances".to_owned(),
            used: 2,
            max: 40,
        }];
    }
    fake
}

async fn look(fake: &Fake, plan: &Plan) -> Online {
    let online = look_further(&fake.world(), plan).await;
    assert!(fake.lock().ledger.is_empty(), "something was changed");
    online
}

/// The findings as they are told.
fn told(online: &Online) -> Vec<String> {
    online
        .findings
        .iter()
        .map(|finding| {
            let weight = match finding.weight {
                Weight::Stops => "stops",
                Weight::Hinders => "hinders",
            };
            format!(
                "{} {weight}: {}",
                finding.code.as_deref().unwrap_or("-"),
                finding.what
            )
        })
        .collect()
}

#[tokio::test]
async fn where_all_is_well_each_precondition_is_told_with_what_was_seen() {
    let fake = furnished(incident());
    let plan = quick_recovery();
    let online = look(&fake, &plan).await;
    assert_eq!(online.checks.len(), plan.preflight.len());
    for check in &online.checks {
        assert_eq!(check.verdict, Verdict::Holds, "{check:?}");
        assert!(!check.seen.is_empty(), "{check:?}");
    }
    assert_eq!(told(&online), Vec::<String>::new());
    assert_eq!(online.unseen, []);
    assert!(!online.stops() && !online.is_blind());
    let bound: Vec<&str> = online.bound().map(|bound| bound.text.as_str()).collect();
    assert_eq!(bound.len(), 1);
    assert!(bound[0].contains(" of 2026-11-22T"), "{bound:?}");
}

#[tokio::test]
async fn what_a_restore_needs_and_the_account_lacks_is_found() {
    let fake = furnished(incident());
    {
        let mut inner = fake.lock();
        inner.backups.subnet_groups.clear();
        inner.backups.parameter_groups.clear();
        inner.backups.quotas[0].used = 40;
        inner.snapshots.remove(1);
    }
    let online = look(&fake, &quick_recovery()).await;
    assert_eq!(
        told(&online),
        [
            "RBK4116 stops: there is no DB subnet group `subnets`, which recovery is made with",
            "RBK4116 stops: there is no DB parameter group `pg16`, which recovery is made with",
            "RBK4037 stops: the quota of DB instances is 40, 40 are there, and the plan makes 1 more",
        ]
    );
    let failed: Vec<&str> = online
        .checks
        .iter()
        .filter_map(|check| check.code.as_deref())
        .collect();
    assert_eq!(failed, ["RBK4003"], "the snapshot is too old");
    assert!(online.stops());
}

#[tokio::test]
async fn what_may_not_be_seen_is_said_and_is_neither_right_nor_wrong() {
    let fake = furnished(incident());
    let denied = |operation| Fault::new(operation, 1, PortErrorKind::AccessDenied).times(100);
    fake.lock().faults.extend([
        denied("has_parameter_group"),
        denied("quotas"),
        denied("snapshots"),
    ]);
    let online = look(&fake, &quick_recovery()).await;
    let unseen: Vec<(&str, bool)> = online
        .unseen
        .iter()
        .map(|unseen| (unseen.what.as_str(), unseen.needed))
        .collect();
    assert_eq!(unseen.len(), 4, "{unseen:?}");
    assert!(unseen[0].1 && unseen[1].1, "{unseen:?}");
    assert_eq!(
        unseen[2..],
        [
            ("whether there is a DB parameter group `pg16`", false),
            ("the account's quotas", false)
        ]
    );
    assert!(online.unseen[1].why.contains("could not be read"));
    assert_eq!(told(&online), Vec::<String>::new());
    assert!(!online.stops() && online.is_blind());
}

#[tokio::test]
async fn where_nobody_can_tell_who_we_are_nothing_is_believed() {
    let fake = furnished(incident());
    fake.lock()
        .faults
        .push(Fault::new("caller", 1, PortErrorKind::Credentials).times(100));
    let plan = quick_recovery();
    let online = look(&fake, &plan).await;
    assert_eq!(online.checks.len(), 1);
    assert_eq!(online.unseen.len(), plan.preflight.len() + 1);
    assert!(!online.stops() && online.is_blind());

    let fake = furnished(incident());
    fake.lock().caller.account = "210987654321".to_owned();
    let online = look(&fake, &plan).await;
    assert_eq!(online.checks[0].code.as_deref(), Some("RBK4001"));
    assert!(online.stops());
}

#[tokio::test]
async fn a_recovery_that_is_there_is_told_with_its_owner_and_the_mend() {
    let bench = Bench::new(furnished(incident()));
    bench.start(&quick_recovery()).await;
    bench.fake.lock().ledger.clear();
    let online = look(&bench.fake, &quick_recovery()).await;
    let taken = online
        .checks
        .iter()
        .find(|check| check.code.as_deref() == Some("RBK4004"))
        .unwrap();
    let run = bench.store.only_run().unwrap();
    assert!(taken.seen.contains(run.as_str()), "{taken:?}");
    assert!(taken.help.as_ref().unwrap().contains("rbk status"));
}

#[tokio::test]
async fn who_would_be_in_the_way_of_a_change_is_found() {
    let fake = furnished(damaged());
    {
        let mut inner = fake.lock();
        let original = &mut inner.server("db-original").db;
        original.long = vec![LongTransaction {
            pid: 4711,
            role: Some("report".to_owned()),
            application: "nightly".to_owned(),
            state: "idle in transaction".to_owned(),
            seconds: 2520,
        }];
        original.migration_lock = Some(MigrationLock {
            by: "ana-laptop".to_owned(),
            since: None,
        });
    }
    let online = look(&fake, &repair()).await;
    let found = told(&online);
    assert_eq!(found.len(), 1, "with the schema, the lock goes: {found:?}");
    assert!(
        found[0].starts_with(
            "RBK4118 hinders: a transaction on original has been open for 42m: role `report` in `nightly`, `idle in transaction`, process 4711; "
        ),
        "{found:?}"
    );
    assert!(
        online.findings[0]
            .help
            .contains("pg_terminate_backend(4711)")
    );

    // Where the schema isn't recreated, the lock stays.
    let mut plan = repair();
    plan.steps[0].actions.remove(0);
    let found = told(&look(&fake, &plan).await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("RBK4026 stops: "), "{found:?}");
}

#[tokio::test]
async fn a_role_that_dms_needs_is_found_missing_or_not_seen() {
    let fake = furnished(damaged());
    let missing = |online: &Online| told(online).into_iter().find(|it| it.contains("role"));
    assert_eq!(missing(&look(&fake, &load()).await), None);
    fake.lock().backups.roles.clear();
    let found = missing(&look(&fake, &load()).await).unwrap();
    assert!(
        found.starts_with("RBK4117 stops: there is no role `dms-vpc-role`, without which DMS"),
        "{found}"
    );
    fake.lock()
        .faults
        .push(Fault::new("has_role", 1, PortErrorKind::AccessDenied).times(100));
    let online = look(&fake, &load()).await;
    assert_eq!(missing(&online), None);
    let mut unseen = online.unseen.iter();
    assert!(unseen.any(|it| it.what == "whether there is a role `dms-vpc-role`"));
}

#[tokio::test]
async fn what_depends_on_a_hole_is_not_judged() {
    let fake = furnished(incident());
    let mut plan = quick_recovery();
    plan.parameters.push(Parameter {
        name: "max_loss".to_owned(),
        doc: None,
        ty: Type::Duration,
        value: None,
        origin: Origin::Open,
        bounds: None,
    });
    plan.preflight.push(Preflight::Require {
        condition: Expr::Binary {
            operator: Operator::Less,
            left: Box::new(Expr::Value(Value::Duration(1))),
            right: Box::new(Expr::Parameter {
                name: "max_loss".to_owned(),
                ty: Type::Duration,
            }),
        },
        otherwise: None,
        statement: "require 1s < max_loss".to_owned(),
    });
    let online = look(&fake, &plan).await;
    let last = online.checks.last().unwrap();
    assert_eq!(last.verdict, Verdict::Unseen);
    assert!(last.seen.contains("--set max_loss=…"), "{last:?}");
    assert!(!online.stops() && online.is_blind());
    let mut given = std::collections::BTreeMap::new();
    given.insert("max_loss".to_owned(), "1h".to_owned());
    let online = look(&fake, &plan.bind(&given).unwrap()).await;
    assert!(online.checks.iter().all(|it| it.verdict == Verdict::Holds));
}
