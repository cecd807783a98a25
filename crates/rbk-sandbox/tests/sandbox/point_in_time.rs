//! Restores to a point in time: which rows are there, and which instants are refused.

use std::time::Duration;

use jiff::Timestamp;
use rbk_sandbox::{InstanceBlueprint, Loss, Options, Pace, Sandbox};

use crate::client::{
    Answer, Login, PASSWORD, iam, login, orders, query, sandbox, sandbox_with_orders, value,
    wait_for_status, wait_until,
};

const GROUP: &str = "VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-db";

/// Writes, and says when all of it had been acknowledged.
async fn write(sandbox: &Sandbox, id: &str, sql: &str) -> Timestamp {
    let superuser = sandbox.superuser(id, "shop").await.unwrap();
    superuser
        .batch_execute(&format!("SET ROLE postgres; {sql}"))
        .await
        .unwrap();
    Timestamp::now()
}

async fn restore(sandbox: &Sandbox, source: &str, target: &str, at: &str) -> Answer {
    let body = format!(
        "RestoreDBInstanceToPointInTime&SourceDBInstanceIdentifier={source}&TargetDBInstanceIdentifier={target}&{GROUP}&{at}"
    );
    query(sandbox, &body).await.unwrap()
}

fn at(time: Timestamp) -> String {
    format!("RestoreTime={time:.6}")
}

/// What a client finds in the restored instance.
async fn seen(sandbox: &Sandbox, id: &str, sql: &str) -> String {
    wait_for_status(sandbox, id, "available").await;
    let port = sandbox.instance_address(id).unwrap().port;
    let master = login(sandbox, port, Login::master()).await.unwrap();
    value(&master, sql).await
}

const ITEMS: &str = "SELECT string_agg(id::text, ',' ORDER BY id) FROM item";

#[tokio::test]
async fn between_two_writes_exactly_the_first_is_there() {
    let (sandbox, _) = sandbox_with_orders().await;
    write(
        &sandbox,
        "orders",
        "CREATE TABLE numbered (id bigserial PRIMARY KEY)",
    )
    .await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let between = write(
        &sandbox,
        "orders",
        "INSERT INTO item VALUES (3); INSERT INTO numbered DEFAULT VALUES",
    )
    .await;
    let later = write(
        &sandbox,
        "orders",
        "INSERT INTO item VALUES (4); DELETE FROM item WHERE id = 1",
    )
    .await;
    for (target, time, items) in [("first", between, "1,2,3"), ("second", later, "2,3,4")] {
        let answer = restore(&sandbox, "orders", target, &at(time)).await;
        assert_eq!(
            answer.element("DBInstanceStatus"),
            Some("creating"),
            "{answer}"
        );
        assert_eq!(seen(&sandbox, target, ITEMS).await, items);
    }
    // A sequence never hands out a number again; PostgreSQL logs some ahead.
    let next = seen(&sandbox, "first", "SELECT nextval('numbered_id_seq')").await;
    assert!((2..=34).contains(&next.parse::<i64>().unwrap()), "{next}");
    // It takes writes, and its own past can be restored in turn.
    sandbox.take_automated_snapshot("first").await.unwrap();
    let own = write(&sandbox, "first", "INSERT INTO item VALUES (50)").await;
    write(&sandbox, "first", "INSERT INTO item VALUES (51)").await;
    restore(&sandbox, "first", "third", &at(own)).await;
    assert_eq!(seen(&sandbox, "third", ITEMS).await, "1,2,3,50");
    let effects = sandbox.ledger();
    assert_eq!(effects[0].operation, "RestoreDBInstanceToPointInTime");
    assert_eq!(
        effects[0].parameters["SourceDBInstanceIdentifier"],
        "orders"
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_newest_base_backup_before_the_instant_is_recovered_from() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let early = write(&sandbox, "orders", "INSERT INTO item VALUES (3)").await;
    write(&sandbox, "orders", "INSERT INTO item VALUES (4)").await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let late = write(&sandbox, "orders", "INSERT INTO item VALUES (5)").await;
    restore(&sandbox, "orders", "early", &at(early)).await;
    restore(&sandbox, "orders", "late", &at(late)).await;
    assert_eq!(seen(&sandbox, "early", ITEMS).await, "1,2,3");
    assert_eq!(seen(&sandbox, "late", ITEMS).await, "1,2,3,4,5");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_newest_restorable_time_holds_what_was_acknowledged_before_the_instance_was_lost() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let written = write(&sandbox, "orders", "INSERT INTO item VALUES (3)").await;
    sandbox.lose_instance("orders", Loss::Failed).await.unwrap();
    let shown = query(&sandbox, "DescribeDBInstances").await.unwrap();
    let latest: Timestamp = shown
        .element("LatestRestorableTime")
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        latest >= written - Duration::from_millis(1),
        "{latest} {written}"
    );
    restore(&sandbox, "orders", "rec", "UseLatestRestorableTime=true").await;
    assert_eq!(seen(&sandbox, "rec", ITEMS).await, "1,2,3");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_isnt_passed_becomes_the_default() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let body = "RestoreDBInstanceToPointInTime&SourceDBInstanceIdentifier=orders&TargetDBInstanceIdentifier=rec&UseLatestRestorableTime=true";
    let answer = query(&sandbox, body).await.unwrap();
    for (name, default) in [
        ("VpcSecurityGroupId", "sg-0defa017"),
        ("MultiAZ", "false"),
        ("DeletionProtection", "false"),
        ("BackupRetentionPeriod", "7"),
        ("DBSubnetGroupName", "default"),
        ("Key", "team"),
    ] {
        assert_eq!(answer.element(name), Some(default), "{name} in {answer}");
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_cant_be_restored_is_refused_before_anything_happens() {
    let (sandbox, _) = sandbox_with_orders().await;
    let mut unkept = InstanceBlueprint {
        id: "unkept".into(),
        backup_retention_days: 0,
        ..orders()
    };
    unkept.deletion_protection = false;
    sandbox.create_instance(unkept).await.unwrap();
    let code = async |source: &str, target: &str, at: &str| {
        let answer = restore(&sandbox, source, target, at).await;
        (
            answer.status,
            answer.element("Code").unwrap_or_default().to_owned(),
        )
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let latest = "UseLatestRestorableTime=true";
    assert_eq!(
        code("orders", "rec", latest).await,
        refused(400, "InvalidParameterValue"),
        "there is no base backup yet"
    );
    let before = Timestamp::now();
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let hour = Duration::from_secs(3600);
    for outside in [before, before - hour, Timestamp::now() + hour] {
        assert_eq!(
            code("orders", "rec", &at(outside)).await,
            refused(400, "InvalidParameterValue"),
            "{outside}"
        );
    }
    for (source, target, time, status, expected) in [
        ("unkept", "rec", latest, 400, "PointInTimeRestoreNotEnabled"),
        ("nobody", "rec", latest, 404, "DBInstanceNotFound"),
        ("orders", "unkept", latest, 400, "DBInstanceAlreadyExists"),
        ("orders", "rec", "", 400, "InvalidParameterCombination"),
        (
            "orders",
            "rec",
            "RestoreTime=yesterday",
            400,
            "InvalidParameterValue",
        ),
        (
            "orders",
            "rec",
            "UseLatestRestorableTime=true&Restoretime=x",
            400,
            "ValidationError",
        ),
    ] {
        assert_eq!(
            code(source, target, time).await,
            refused(status, expected),
            "{time}"
        );
    }
    let both = format!("{latest}&{}", at(Timestamp::now()));
    assert_eq!(
        code("orders", "rec", &both).await,
        refused(400, "InvalidParameterCombination")
    );
    assert_eq!(
        code(
            "orders",
            "rec",
            &format!("{latest}&SourceDbiResourceId=db-x")
        )
        .await,
        refused(400, "InvalidParameterCombination")
    );
    sandbox.limit_instances(2);
    assert_eq!(
        code("orders", "rec", latest).await,
        refused(400, "InstanceQuotaExceeded")
    );
    assert!(sandbox.ledger().is_empty());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_window_that_is_stuck_says_so() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    write(&sandbox, "orders", "INSERT INTO item VALUES (3)").await;
    let kept = sandbox.keep_transaction_logs("orders").await.unwrap();
    let since = kept.unwrap();
    sandbox.stall_transaction_logs("orders", since).unwrap();
    let later = write(&sandbox, "orders", "INSERT INTO item VALUES (4)").await;
    let shown = query(&sandbox, "DescribeDBInstanceAutomatedBackups")
        .await
        .unwrap();
    assert_eq!(
        shown.element("LatestTime"),
        Some(format!("{since:.3}").as_str())
    );
    let refused = restore(&sandbox, "orders", "rec", &at(later)).await;
    assert_eq!(refused.element("Code"), Some("InvalidParameterValue"));
    restore(&sandbox, "orders", "rec", "UseLatestRestorableTime=true").await;
    assert_eq!(
        seen(&sandbox, "rec", "SELECT max(id) FROM item WHERE id < 4").await,
        "3"
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_past_of_a_deleted_instance_is_there_if_its_backups_were_retained() {
    let (sandbox, _) = sandbox_with_orders().await;
    let shown = query(&sandbox, "DescribeDBInstances").await.unwrap();
    let resource_id = shown.element("DbiResourceId").unwrap().to_owned();
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let between = write(&sandbox, "orders", "INSERT INTO item VALUES (3)").await;
    write(&sandbox, "orders", "DROP TABLE item").await;
    let unprotect = "ModifyDBInstance&DBInstanceIdentifier=orders&DeletionProtection=false";
    query(&sandbox, unprotect).await.unwrap();
    let delete = "DeleteDBInstance&DBInstanceIdentifier=orders&SkipFinalSnapshot=true&DeleteAutomatedBackups=false";
    query(&sandbox, delete).await.unwrap();
    wait_until("the instance is gone", async || {
        sandbox.instance_status("orders").is_none()
    })
    .await;
    let body = format!(
        "RestoreDBInstanceToPointInTime&SourceDbiResourceId={resource_id}&TargetDBInstanceIdentifier=rec&{GROUP}&{}",
        at(between)
    );
    assert_eq!(query(&sandbox, &body).await.unwrap().status, 200);
    assert_eq!(seen(&sandbox, "rec", ITEMS).await, "1,2,3");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn without_its_automated_snapshots_an_instance_has_no_past() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    sandbox.expire_snapshots("orders").await.unwrap();
    let backups = query(&sandbox, "DescribeDBInstanceAutomatedBackups")
        .await
        .unwrap();
    assert_eq!(backups.element("Status"), Some("creating"));
    assert_eq!(backups.element("EarliestTime"), None);
    let archives = std::fs::read_dir(sandbox.directory().join("w")).unwrap();
    assert_eq!(archives.count(), 0);
    sandbox.take_automated_snapshot("orders").await.unwrap();
    restore(&sandbox, "orders", "rec", "UseLatestRestorableTime=true").await;
    assert_eq!(seen(&sandbox, "rec", ITEMS).await, "1,2");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_fault_strikes_a_restore_to_a_point_in_time_as_any_other() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let fault = "RestoreDBInstanceToPointInTime:1:ends=incompatible-network";
    sandbox.inject(fault.parse().unwrap()).unwrap();
    restore(&sandbox, "orders", "rec", "UseLatestRestorableTime=true").await;
    wait_for_status(&sandbox, "rec", "incompatible-network").await;
    let fault = "RestoreDBInstanceToPointInTime:1:after:cut";
    sandbox.inject(fault.parse().unwrap()).unwrap();
    let body = "RestoreDBInstanceToPointInTime&SourceDBInstanceIdentifier=orders&TargetDBInstanceIdentifier=cut&UseLatestRestorableTime=true";
    assert!(query(&sandbox, body).await.is_err());
    wait_for_status(&sandbox, "cut", "available").await;
    sandbox.shutdown().await;
}

#[tokio::test]
async fn an_instance_that_nobody_restores_keeps_no_transaction_logs() {
    let (sandbox, _) = sandbox_with_orders().await;
    query(&sandbox, "DescribeDBInstances").await.unwrap();
    let archives = std::fs::read_dir(sandbox.directory().join("w")).unwrap();
    assert_eq!(archives.count(), 0);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn at_real_pace_the_window_lags_behind() {
    let options = Options {
        pace: Pace::Real,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, |_| {}).await.unwrap();
    let blueprint = InstanceBlueprint::new("orders", "shop", "postgres", PASSWORD.into());
    sandbox.create_instance(blueprint).await.unwrap();
    sandbox.take_automated_snapshot("orders").await.unwrap();
    let latest = async || {
        let shown = query(&sandbox, "DescribeDBInstances").await.unwrap();
        shown.element("LatestRestorableTime").unwrap().to_owned()
    };
    let first = latest().await;
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    superuser
        .batch_execute("CREATE TABLE item (id int)")
        .await
        .unwrap();
    assert_eq!(latest().await, first);
    sandbox.keep_transaction_logs("orders").await.unwrap();
    assert_ne!(latest().await, first);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn quotas_and_roles_are_told() {
    let sandbox = sandbox().await;
    sandbox.limit_instances(3);
    let quotas = query(&sandbox, "DescribeAccountAttributes").await.unwrap();
    let instances = "<AccountQuotaName>DBInstances</AccountQuotaName><Used>0</Used><Max>3</Max>";
    assert!(quotas.body.contains(instances), "{quotas}");
    let role = iam(&sandbox, "GetRole&RoleName=dms-vpc-role").await;
    assert_eq!(role.element("RoleName"), Some("dms-vpc-role"), "{role}");
    sandbox.remove_role("dms-vpc-role");
    let gone = iam(&sandbox, "GetRole&RoleName=dms-vpc-role").await;
    assert_eq!(
        (gone.status, gone.element("Code")),
        (404, Some("NoSuchEntity"))
    );
    sandbox.inject("GetRole:1:denied".parse().unwrap()).unwrap();
    let denied = iam(&sandbox, "GetRole&RoleName=dms-vpc-role").await;
    assert_eq!(denied.element("Code"), Some("AccessDenied"));
    assert_eq!(
        iam(&sandbox, "ListRoles").await.element("Code"),
        Some("InvalidAction")
    );
    sandbox.shutdown().await;
}
