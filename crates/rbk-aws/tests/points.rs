//! Points in time, snapshots and the account's room through the SDK, against the sandbox.

// A test ends at the first surprise, also in what the tests share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rbk_aws::{AccessKey, Aws, Options, connect};
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::plan::InstanceSettings;
use rbk_core::ports::{PointInTimeRequest, PortErrorKind, SnapshotRequest};
use rbk_sandbox::{InstanceBlueprint, Sandbox, SecurityGroupBlueprint};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn account() -> (Sandbox, Aws) {
    let sandbox = Sandbox::start(rbk_sandbox::Options::default(), |_| {})
        .await
        .unwrap();
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec!["127.0.0.1".parse().unwrap()],
    });
    let mut blueprint =
        InstanceBlueprint::new("original", "shop", "postgres", "first-Password1".into());
    blueprint.security_groups = vec!["sg-db".into()];
    sandbox.create_instance(blueprint).await.unwrap();
    let aws = connect(Options {
        region: sandbox.region().to_owned(),
        endpoint_url: Some(sandbox.endpoint_url()),
        profile: None,
        key: Some(AccessKey {
            id: "AKIAOPERATOR".to_owned(),
            secret: SecretString::from("sandbox"),
        }),
    })
    .await
    .unwrap();
    (sandbox, aws)
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn settings(aws: &Aws, named: &str) -> InstanceSettings {
    let original = aws.rds.instance(&InstanceId::from("original")).await;
    InstanceSettings {
        instance: InstanceId::from(named),
        ..original.unwrap().unwrap().settings
    }
}

#[tokio::test]
async fn an_instance_is_restored_to_an_instant_within_its_window() {
    let (sandbox, aws) = account().await;
    let original = InstanceId::from("original");
    assert_eq!(aws.rds.restore_window(&original).await, Ok(None));
    let superuser = sandbox.superuser("original", "shop").await.unwrap();
    let write = async |sql: &str| superuser.batch_execute(sql).await.unwrap();
    write("CREATE TABLE item (id int)").await;
    sandbox.take_automated_snapshot("original").await.unwrap();
    write("INSERT INTO item VALUES (1)").await;
    let at = jiff::Timestamp::now();
    write("INSERT INTO item VALUES (2)").await;
    until("the window has come that far", async || {
        let window = aws.rds.restore_window(&original).await.unwrap().unwrap();
        assert!(window.earliest < at);
        window.latest.unwrap() >= at
    })
    .await;
    let mut request = PointInTimeRequest {
        source: original,
        at: at - Duration::from_secs(3600),
        settings: settings(&aws, "recovery").await,
        tags: BTreeMap::from([("rbk:run".to_owned(), "r1".to_owned())]),
    };
    let refused = aws.rds.restore_to_point_in_time(&request).await;
    assert_eq!(refused.unwrap_err().kind, PortErrorKind::InvalidRequest);
    request.at = at;
    let begun = aws.rds.restore_to_point_in_time(&request).await.unwrap();
    assert_eq!(begun.status, "creating");
    let again = aws.rds.restore_to_point_in_time(&request).await;
    assert_eq!(again.unwrap_err().kind, PortErrorKind::AlreadyExists);
    until("the restore is available", async || {
        sandbox.instance_status("recovery").as_deref() == Some("available")
    })
    .await;
    let restored = sandbox.superuser("recovery", "shop").await.unwrap();
    let rows = restored.query("SELECT id FROM item", &[]).await.unwrap();
    let rows: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, [1]);
    assert_eq!(aws.rds.created_by_rbk().await.unwrap().len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_snapshot_becomes_available() {
    let (sandbox, aws) = account().await;
    let id = SnapshotId::from("before-the-repair");
    let mut request = SnapshotRequest {
        id: id.clone(),
        instance: InstanceId::from("original"),
        tags: BTreeMap::from([("rbk:run".to_owned(), "r1".to_owned())]),
    };
    let begun = aws.rds.create_snapshot(&request).await.unwrap();
    assert_eq!(
        (begun.status.as_str(), begun.kind.as_str()),
        ("creating", "manual")
    );
    until("the snapshot is available", async || {
        let snapshot = aws.rds.snapshot(&id).await.unwrap().unwrap();
        snapshot.status == "available"
    })
    .await;
    let again = aws.rds.create_snapshot(&request).await;
    assert_eq!(again.unwrap_err().kind, PortErrorKind::AlreadyExists);
    request.instance = InstanceId::from("nobody");
    request.id = SnapshotId::from("other");
    let missing = aws.rds.create_snapshot(&request).await;
    assert_eq!(missing.unwrap_err().kind, PortErrorKind::NotFound);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_a_plan_asks_the_account_is_told() {
    let (sandbox, aws) = account().await;
    assert_eq!(aws.rds.has_subnet_group("default").await, Ok(true));
    assert_eq!(aws.rds.has_subnet_group("other").await, Ok(false));
    let group = settings(&aws, "x").await.parameter_group;
    assert_eq!(aws.rds.has_parameter_group(&group).await, Ok(true));
    assert_eq!(aws.rds.has_parameter_group("other").await, Ok(false));
    let quotas = aws.rds.quotas().await.unwrap();
    let instances = quotas.iter().find(|quota| quota.name == "DBInstances");
    assert_eq!(
        instances.map(|quota| (quota.used, quota.max)),
        Some((1, 40))
    );
    assert_eq!(aws.roles.has_role("dms-vpc-role").await, Ok(true));
    assert_eq!(aws.roles.has_role("other").await, Ok(false));
    sandbox.inject("GetRole:1:denied".parse().unwrap()).unwrap();
    let denied = aws.roles.has_role("dms-vpc-role").await;
    assert_eq!(denied.unwrap_err().kind, PortErrorKind::AccessDenied);
    sandbox.shutdown().await;
}
