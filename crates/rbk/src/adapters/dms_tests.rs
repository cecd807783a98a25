//! rbk's own client of DMS against the sandbox: the port from the endpoint to the end, by AWS's SDK for Rust.

use rbk_core::environment::DmsTls;
use rbk_core::ids::SecretName;
use rbk_core::plan::Side;
use rbk_core::ports::{
    Dms, EndpointCredentials, EndpointRequest, PortErrorKind, Replication, ReplicationRequest,
};
use rbk_sandbox::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PASSWORD: &str = "first-Password1";

/// A source with rows, a target without, and the port.
async fn furnished() -> (Sandbox, Arc<dyn Dms>) {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec!["127.0.0.3".parse().unwrap()],
    });
    sandbox.declare_source_address("sg-dms", "127.0.0.3".parse().unwrap());
    sandbox.declare_role("reader");
    for id in ["rec", "orders"] {
        let address = sandbox
            .create_instance(InstanceBlueprint {
                security_groups: vec!["sg-db".into()],
                ..InstanceBlueprint::new(id, "shop", "postgres", PASSWORD.into())
            })
            .await
            .unwrap();
        let superuser = sandbox.superuser(id, "shop").await.unwrap();
        superuser
            .batch_execute("SET ROLE postgres; CREATE SCHEMA rbk; CREATE TABLE item (id int PRIMARY KEY, paid boolean, note text)")
            .await
            .unwrap();
        let secret = json!({
            "host": address.host, "port": address.port, "username": "postgres", "password": PASSWORD,
        });
        sandbox
            .create_secret(&format!("rds/{id}"), secret.to_string().into())
            .unwrap();
    }
    let source = sandbox.superuser("rec", "shop").await.unwrap();
    source
        .batch_execute(
            "INSERT INTO item SELECT n, n % 2 = 0, 'note ' || n FROM generate_series(1, 70) n",
        )
        .await
        .unwrap();
    let aws = rbk_aws::connect(rbk_aws::Options {
        region: sandbox.region().to_owned(),
        endpoint_url: Some(sandbox.endpoint_url()),
        profile: None,
        key: Some(rbk_aws::AccessKey {
            id: "AKIARBK".into(),
            secret: "any".to_owned().into(),
        }),
    })
    .await
    .unwrap();
    (sandbox, aws.dms)
}

fn tags() -> BTreeMap<String, String> {
    [("rbk:run".to_owned(), "r1".to_owned())].into()
}

fn endpoint(side: Side, secret: &str) -> EndpointRequest {
    let id = format!("rbk-r1-load-{}", side.name());
    EndpointRequest {
        resource: id.clone(),
        id,
        side,
        database: "shop".into(),
        credentials: EndpointCredentials::Secret {
            secret: SecretName::new(secret),
            role: "arn:aws:iam::123456789012:role/reader".into(),
        },
        tls: DmsTls::Require,
        certificate: None,
        after_connect: Some("SET session_replication_role='replica'".into()),
        tags: tags(),
    }
}

fn replication(source: &str, target: &str) -> ReplicationRequest {
    ReplicationRequest {
        id: "rbk-r1-load".into(),
        resource: "rbk-r1-load".into(),
        source: source.into(),
        target: target.into(),
        capacity: 4,
        multi_az: false,
        subnet_group: "default".into(),
        security_groups: vec!["sg-dms".into()],
        mappings: json!({ "rules": [{
            "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
            "object-locator": { "schema-name": "public", "table-name": "%" }, "filters": [],
        }]}),
        settings: json!({
            "TargetMetadata": { "SupportLobs": true, "FullLobMode": true, "LimitedSizeLobMode": false, "LobChunkSize": 64 },
            "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
            "ControlTablesSettings": { "ControlSchema": "rbk" },
        }),
        tags: tags(),
    }
}

async fn until(dms: &Arc<dyn Dms>, status: &str) -> Replication {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = dms.replication("rbk-r1-load").await.unwrap().unwrap();
        if found.status == status {
            return found;
        }
        assert!(Instant::now() < deadline, "never {status}: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_replication_goes_from_endpoint_to_deletion() {
    let (sandbox, dms) = furnished().await;
    assert!(dms.has_subnet_group("default").await.unwrap());
    assert!(!dms.has_subnet_group("nope").await.unwrap());
    assert_eq!(dms.endpoint("rbk-r1-load-source").await.unwrap(), None);
    assert!(dms.replication("rbk-r1-load").await.unwrap().is_none());

    let source = endpoint(Side::Source, "rds/rec");
    let source_arn = dms.create_endpoint(&source).await.unwrap().arn;
    let target_arn = dms
        .create_endpoint(&endpoint(Side::Target, "rds/orders"))
        .await
        .unwrap()
        .arn;
    let found = dms.endpoint(&source.id).await.unwrap().unwrap();
    assert_eq!((found.status.as_str(), found.tags), ("active", tags()));
    let again = dms.create_endpoint(&source).await.unwrap_err();
    assert_eq!(again.kind, PortErrorKind::AlreadyExists, "{again}");

    dms.create_replication(&replication(&source_arn, &target_arn))
        .await
        .unwrap();
    let created = dms.replication("rbk-r1-load").await.unwrap().unwrap();
    assert_eq!((created.status.as_str(), created.tags), ("created", tags()));
    assert!(dms.table_statistics(&created.arn).await.unwrap().is_empty());

    dms.start_replication(&created.arn).await.unwrap();
    let ended = until(&dms, "stopped").await;
    assert_eq!(
        ended.stop_reason.as_deref(),
        Some("FULL_LOAD_ONLY_FINISHED")
    );
    assert_eq!(ended.provision_state.as_deref(), Some("provisioned"));
    assert_eq!(
        ended.tables.map(|tables| (tables.loaded, tables.errored)),
        Some((1, 0))
    );
    assert!(ended.started_at <= ended.stopped_at && ended.deprovision_at > ended.stopped_at);
    let tables = dms.table_statistics(&created.arn).await.unwrap();
    let shown: Vec<_> = tables
        .iter()
        .map(|it| (it.table.as_str(), it.state.as_str(), it.rows))
        .collect();
    assert_eq!(shown, [("item", "Table completed", 70)]);
    let target = sandbox.superuser("orders", "shop").await.unwrap();
    let paid = target
        .query_one("SELECT count(*) FROM item WHERE paid", &[])
        .await
        .unwrap();
    assert_eq!(paid.get::<_, i64>(0), 35);

    assert_eq!(dms.leftovers().await.unwrap().len(), 3);
    let in_use = dms.delete_endpoint(&source_arn).await.unwrap_err();
    assert_eq!(in_use.kind, PortErrorKind::InvalidState, "{in_use}");
    dms.delete_replication(&created.arn).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while dms.replication("rbk-r1-load").await.unwrap().is_some() {
        assert!(Instant::now() < deadline, "never deleted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for arn in [source_arn, target_arn] {
        dms.delete_endpoint(&arn).await.unwrap();
    }
    while !dms.leftovers().await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "something is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(sandbox.provisioned_capacity().is_empty());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_dms_refuses_has_its_kind() {
    let (sandbox, dms) = furnished().await;
    let source = dms
        .create_endpoint(&endpoint(Side::Source, "rds/rec"))
        .await
        .unwrap();
    let target = dms
        .create_endpoint(&endpoint(Side::Target, "rds/nope"))
        .await
        .unwrap();
    let request = replication(&source.arn, &target.arn);
    sandbox.remove_role("dms-vpc-role");
    let refused = dms.create_replication(&request).await.unwrap_err();
    assert_eq!(refused.kind, PortErrorKind::AccessDenied, "{refused}");
    sandbox.declare_role("dms-vpc-role");
    let mut odd = request.clone();
    odd.capacity = 3;
    let refused = dms.create_replication(&odd).await.unwrap_err();
    assert_eq!(refused.kind, PortErrorKind::InvalidRequest, "{refused}");
    sandbox
        .inject(
            "CreateReplicationConfig:1:during:hold=busy"
                .parse()
                .unwrap(),
        )
        .unwrap();
    dms.create_replication(&request).await.unwrap();
    sandbox.wait_until_held("busy").await;
    let busy = dms.replication("rbk-r1-load").await.unwrap().unwrap();
    assert_eq!(busy.status, "modifying");
    let refused = dms.start_replication(&busy.arn).await.unwrap_err();
    assert_eq!(refused.kind, PortErrorKind::InvalidState, "{refused}");
    sandbox.release_hold("busy");
    until(&dms, "created").await;
    // The target's secret isn't there: the connection test says so.
    dms.start_replication(&busy.arn).await.unwrap();
    let failed = until(&dms, "failed").await;
    assert!(
        failed.failure_messages[0].contains("Unable to use secret rds/nope"),
        "{failed:?}"
    );
    let refused = dms.stop_replication(&busy.arn).await.unwrap_err();
    assert_eq!(refused.kind, PortErrorKind::InvalidState, "{refused}");
    sandbox.shutdown().await;
}
