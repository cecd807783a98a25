//! DMS and the removal of an instance through the SDK, against the sandbox: real rows between real clusters.

// A test ends at the first surprise, also in what the tests share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rbk_aws::{AccessKey, Aws, Options, connect};
use rbk_core::environment::DmsTls;
use rbk_core::ids::{InstanceId, RunId, SecretName, SnapshotId};
use rbk_core::plan::{ReplicationNames, Side};
use rbk_core::ports::{
    Dms, EndpointCredentials, EndpointRequest, PortErrorKind, Replication, ReplicationRequest,
};
use rbk_sandbox::{InstanceBlueprint, Sandbox, SecurityGroupBlueprint};
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PASSWORD: &str = "first-Password1";
const TABLES: &str = "SET ROLE postgres;
    CREATE SCHEMA rbk;
    CREATE TABLE customer (id int PRIMARY KEY, name varchar(40), active boolean);
    CREATE TABLE item (id int PRIMARY KEY, customer int REFERENCES customer, note text);";
const ROWS: &str =
    "INSERT INTO customer SELECT n, 'customer ' || n, n % 2 = 0 FROM generate_series(1, 50) n;
    INSERT INTO item SELECT n, 1 + n % 50, repeat('note ', n % 100) FROM generate_series(1, 500) n";

/// An account with `recovery`, which has rows, and `original`, which has the same tables; and clients of it.
async fn account() -> (Sandbox, Aws, BTreeMap<&'static str, u16>) {
    let sandbox = Sandbox::start(rbk_sandbox::Options::default(), |_| {})
        .await
        .unwrap();
    // DMS comes from 127.0.0.3.
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: ["127.0.0.1", "127.0.0.3"]
            .map(|it| it.parse().unwrap())
            .into(),
    });
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-dms".into(),
        admits: vec![],
    });
    let mut ports = BTreeMap::new();
    for id in ["recovery", "original"] {
        let mut blueprint = InstanceBlueprint::new(id, "shop", "postgres", PASSWORD.into());
        blueprint.security_groups = vec!["sg-db".into()];
        blueprint.deletion_protection = true;
        blueprint.tags = [("rbk:run".to_owned(), id.to_owned())].into();
        ports.insert(id, sandbox.create_instance(blueprint).await.unwrap().port);
        let superuser = sandbox.superuser(id, "shop").await.unwrap();
        superuser.batch_execute(TABLES).await.unwrap();
        if id == "recovery" {
            superuser.batch_execute(ROWS).await.unwrap();
        }
    }
    let options = Options {
        region: sandbox.region().to_owned(),
        endpoint_url: Some(sandbox.endpoint_url()),
        profile: None,
        key: Some(AccessKey {
            id: "AKIAOPERATOR".to_owned(),
            secret: SecretString::from("sandbox"),
        }),
    };
    let aws = connect(options).await.unwrap();
    (sandbox, aws, ports)
}

fn names() -> ReplicationNames {
    ReplicationNames::new(&RunId::from("20261122t091500-1f3a9c02"), "load")
}

fn tags() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("rbk:run".to_owned(), "20261122t091500-1f3a9c02".to_owned()),
        ("rbk:plan".to_owned(), "p1".to_owned()),
    ])
}

fn endpoint(side: Side, credentials: EndpointCredentials) -> EndpointRequest {
    EndpointRequest {
        id: names().endpoint(side),
        resource: names().endpoint_resource(side),
        side,
        database: "shop".to_owned(),
        credentials,
        tls: DmsTls::Require,
        certificate: None,
        after_connect: (side == Side::Target)
            .then(|| "SET session_replication_role = 'replica'".to_owned()),
        tags: tags(),
    }
}

fn given(port: u16) -> EndpointCredentials {
    EndpointCredentials::Given {
        host: "127.0.0.1".to_owned(),
        port,
        username: "postgres".to_owned(),
        password: SecretString::from(PASSWORD),
    }
}

fn config(source: String, target: String) -> ReplicationRequest {
    ReplicationRequest {
        id: names().base,
        resource: names().resource,
        source,
        target,
        capacity: 4,
        multi_az: false,
        subnet_group: "default".to_owned(),
        security_groups: vec!["sg-dms".to_owned()],
        mappings: json!({ "rules": [{
            "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
            "object-locator": { "schema-name": "public", "table-name": "%" }, "filters": [],
        }] }),
        settings: json!({
            "TargetMetadata": { "FullLobMode": true, "LimitedSizeLobMode": false, "LobChunkSize": 64 },
            "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
            "ControlTablesSettings": { "ControlSchema": "rbk" },
            "Logging": { "EnableLogging": true },
        }),
        tags: tags(),
    }
}

/// Asks again until there is an answer; what never comes ends the test.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn ended(dms: &dyn Dms) -> Replication {
    until("the replication ended", async || {
        let found = dms.replication(&names().base).await.unwrap().unwrap();
        ["stopped", "failed"]
            .contains(&found.status.as_str())
            .then_some(found)
    })
    .await
}

#[tokio::test]
async fn the_story_of_a_replication_goes_from_endpoints_to_nothing_left() {
    let (sandbox, aws, ports) = account().await;
    let dms = &*aws.dms;
    assert_eq!(dms.has_subnet_group("default").await, Ok(true));
    assert_eq!(dms.has_subnet_group("nowhere").await, Ok(false));
    assert_eq!(dms.leftovers().await, Ok(Vec::new()));

    sandbox.declare_role("rbk-dms");
    let secret = json!({
        "username": "postgres", "password": PASSWORD, "host": "127.0.0.1", "port": ports["original"],
    });
    sandbox
        .create_secret("rds/original", SecretString::from(secret.to_string()))
        .unwrap();
    let by_secret = EndpointCredentials::Secret {
        secret: SecretName::from("rds/original"),
        role: format!("arn:aws:iam::{}:role/rbk-dms", sandbox.account()),
    };
    let mut arns = Vec::new();
    for (side, credentials) in [
        (Side::Source, given(ports["recovery"])),
        (Side::Target, by_secret),
    ] {
        let request = endpoint(side, credentials);
        assert_eq!(dms.endpoint(&request.id).await, Ok(None));
        let made = dms.create_endpoint(&request).await.unwrap();
        let found = dms.endpoint(&request.id).await.unwrap().unwrap();
        assert_eq!(found, made, "with its tags");
        let again = dms.create_endpoint(&request).await.unwrap_err();
        assert_eq!(again.kind, PortErrorKind::AlreadyExists);
        arns.push(made.arn);
    }

    let request = config(arns[0].clone(), arns[1].clone());
    assert_eq!(dms.replication(&request.id).await, Ok(None));
    dms.create_replication(&request).await.unwrap();
    let again = dms.create_replication(&request).await.unwrap_err();
    assert_eq!(again.kind, PortErrorKind::AlreadyExists);
    let created = dms.replication(&request.id).await.unwrap().unwrap();
    assert_eq!(
        (created.status.as_str(), &created.tags),
        ("created", &tags())
    );
    assert_eq!(dms.table_statistics(&created.arn).await, Ok(Vec::new()));
    let used = dms.delete_endpoint(&arns[0]).await.unwrap_err();
    assert_eq!(used.kind, PortErrorKind::InvalidState);

    dms.start_replication(&created.arn).await.unwrap();
    let again = dms.start_replication(&created.arn).await.unwrap_err();
    assert_eq!(again.kind, PortErrorKind::InvalidState);
    let stopped = ended(dms).await;
    assert_eq!(stopped.status, "stopped", "{stopped:?}");
    assert_eq!(
        stopped.stop_reason.as_deref(),
        Some("FULL_LOAD_ONLY_FINISHED")
    );
    let counts = stopped.tables.unwrap();
    assert_eq!((counts.loaded, counts.errored), (2, 0));
    assert_eq!(stopped.provision_state.as_deref(), Some("provisioned"));
    assert!(stopped.provisioned_units > Some(0), "{stopped:?}");
    assert!(stopped.started_at <= stopped.stopped_at && stopped.started_at.is_some());
    let mut tables = dms.table_statistics(&stopped.arn).await.unwrap();
    tables.sort_by(|one, other| one.table.cmp(&other.table));
    let told: Vec<(&str, &str, u64)> = tables
        .iter()
        .map(|one| (one.table.as_str(), one.state.as_str(), one.rows))
        .collect();
    assert_eq!(
        told,
        [
            ("customer", "Table completed", 50),
            ("item", "Table completed", 500)
        ]
    );
    let target = sandbox.superuser("original", "shop").await.unwrap();
    let arrived = target
        .query_one(
            "SELECT (SELECT count(*) FROM customer WHERE active), (SELECT sum(length(note)) FROM item)",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        (arrived.get::<_, i64>(0), arrived.get::<_, i64>(1)),
        (25, 5 * 5 * 4950)
    );

    let left = dms.leftovers().await.unwrap();
    let mut kinds: Vec<&str> = left.iter().map(|one| one.kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["endpoint", "endpoint", "replication config"]);
    assert!(left.iter().all(|one| one.tags == tags()));

    dms.delete_replication(&stopped.arn).await.unwrap();
    until("the config is gone", async || {
        dms.replication(&request.id)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    assert!(sandbox.provisioned_capacity().is_empty());
    let gone = dms.delete_replication(&stopped.arn).await.unwrap_err();
    assert_eq!(gone.kind, PortErrorKind::NotFound);
    for (side, arn) in [(Side::Source, &arns[0]), (Side::Target, &arns[1])] {
        dms.delete_endpoint(arn).await.unwrap();
        until("the endpoint is gone", async || {
            let found = dms.endpoint(&names().endpoint(side)).await.unwrap();
            found.is_none().then_some(())
        })
        .await;
    }
    assert_eq!(dms.leftovers().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_load_that_fails_says_why_and_a_missing_role_says_what_to_make() {
    let (sandbox, aws, ports) = account().await;
    let dms = &*aws.dms;
    let mut arns = Vec::new();
    for (side, instance) in [(Side::Source, "recovery"), (Side::Target, "original")] {
        let mut credentials = given(ports[instance]);
        if let (Side::Target, EndpointCredentials::Given { password, .. }) =
            (side, &mut credentials)
        {
            *password = SecretString::from("wrong-Password1");
        }
        let made = dms.create_endpoint(&endpoint(side, credentials)).await;
        arns.push(made.unwrap().arn);
    }
    let request = config(arns[0].clone(), arns[1].clone());
    sandbox.remove_role("dms-vpc-role");
    let error = dms.create_replication(&request).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
    assert!(error.message.contains("DMS needs roles"), "{error}");
    sandbox.declare_role("dms-vpc-role");
    let mut odd = request.clone();
    odd.capacity = 3;
    let error = dms.create_replication(&odd).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);

    dms.create_replication(&request).await.unwrap();
    let created = dms.replication(&request.id).await.unwrap().unwrap();
    dms.start_replication(&created.arn).await.unwrap();
    let failed = ended(dms).await;
    assert_eq!(failed.status, "failed");
    assert!(!failed.failure_messages.is_empty(), "{failed:?}");
    assert!(!format!("{failed:?}").contains("wrong-Password1"));
    dms.delete_replication(&failed.arn).await.unwrap();
}

#[tokio::test]
async fn an_instance_is_removed_when_its_final_snapshot_is_there() {
    let (sandbox, aws, _) = account().await;
    let rds = &*aws.rds;
    let id = InstanceId::from("recovery");
    let last = SnapshotId::from("fin-recovery-1f3a9c02");
    let mut of_rbk: Vec<String> = rds
        .created_by_rbk()
        .await
        .unwrap()
        .iter()
        .map(|one| one.id.to_string())
        .collect();
    of_rbk.sort();
    assert_eq!(of_rbk, ["original", "recovery"]);

    let refused = rds.delete_instance(&id, Some(&last)).await.unwrap_err();
    assert_eq!(refused.kind, PortErrorKind::InvalidRequest);
    rds.set_deletion_protection(&id, false).await.unwrap();
    until("the protection is off", async || {
        let found = rds.instance(&id).await.unwrap().unwrap();
        (!found.settings.deletion_protection && found.status == "available").then_some(())
    })
    .await;
    assert_eq!(rds.snapshot(&last).await, Ok(None));
    let resource = rds.instance(&id).await.unwrap().unwrap().resource;
    rds.delete_instance(&id, Some(&last)).await.unwrap();
    let again = rds.delete_instance(&id, Some(&last)).await;
    let again = again.unwrap_err();
    assert!(
        [PortErrorKind::AlreadySo, PortErrorKind::NotFound].contains(&again.kind),
        "{again:?}"
    );
    until("the instance is gone", async || {
        rds.instance(&id).await.unwrap().is_none().then_some(())
    })
    .await;
    let left = rds.snapshot(&last).await.unwrap().unwrap();
    assert_eq!(
        (left.status.as_str(), left.kind.as_str()),
        ("available", "manual")
    );
    assert_eq!(left.resource, Some(resource));
    assert_eq!(sandbox.instance_status("recovery"), None);
}
