//! Replications with real rows: the story from endpoint to deletion.

use rbk_sandbox::{InstanceBlueprint, Sandbox, SecurityGroupBlueprint};
use serde_json::{Value, json};

use crate::client::{PASSWORD, dms, operator, sandbox, value, wait_until};

const TABLES: &str = "SET ROLE postgres;
    CREATE TABLE customer (id int PRIMARY KEY, name varchar(40));
    CREATE TABLE item (id int PRIMARY KEY, customer int REFERENCES customer, note text);";

/// A source with rows, and a target that has the tables but no rows. DMS comes from 127.0.0.3.
pub async fn two_databases() -> (Sandbox, u16, u16) {
    let sandbox = sandbox().await;
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator(), "127.0.0.3".parse().unwrap()],
    });
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-dms".into(),
        admits: vec![],
    });
    let mut ports = Vec::new();
    for id in ["rec", "orders"] {
        let mut blueprint = InstanceBlueprint::new(id, "shop", "postgres", PASSWORD.into());
        blueprint.security_groups = vec!["sg-db".into()];
        let address = sandbox.create_instance(blueprint).await.unwrap();
        let superuser = sandbox.superuser(id, "shop").await.unwrap();
        superuser.batch_execute(TABLES).await.unwrap();
        superuser
            .batch_execute("SET ROLE postgres; CREATE SCHEMA rbk")
            .await
            .unwrap();
        ports.push(address.port);
    }
    let source = sandbox.superuser("rec", "shop").await.unwrap();
    source
        .batch_execute(
            "INSERT INTO customer SELECT n, 'customer ' || n FROM generate_series(1, 50) n;
             INSERT INTO item SELECT n, 1 + n % 50, repeat('note ', n % 100) FROM generate_series(1, 500) n",
        )
        .await
        .unwrap();
    (sandbox, ports[0], ports[1])
}

/// What must work: its answer.
pub async fn done(sandbox: &Sandbox, operation: &str, body: Value) -> Value {
    let (status, answer) = dms(sandbox, operation, &body).await;
    assert_eq!(status, 200, "{operation} {body}: {answer}");
    answer
}

/// What must not: its code and its message.
pub async fn refused(sandbox: &Sandbox, operation: &str, body: Value) -> (String, String) {
    let (status, answer) = dms(sandbox, operation, &body).await;
    assert_ne!(status, 200, "{operation} {body}: {answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

pub fn endpoint(id: &str, kind: &str, port: u16) -> Value {
    json!({
        "EndpointIdentifier": id, "EndpointType": kind, "EngineName": "postgres",
        "SslMode": "require", "ResourceIdentifier": id,
        "PostgreSQLSettings": {
            "ServerName": "127.0.0.1", "Port": port, "DatabaseName": "shop",
            "Username": "postgres", "Password": PASSWORD,
            "AfterConnectScript": "SET session_replication_role='replica'",
        },
        "Tags": [{ "Key": "rbk:run", "Value": "r1" }],
    })
}

pub fn mappings(table: &str) -> String {
    json!({ "rules": [{
        "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
        "object-locator": { "schema-name": "public", "table-name": table }, "filters": [],
    }]})
    .to_string()
}

pub fn settings() -> String {
    json!({
        "TargetMetadata": { "FullLobMode": true, "LimitedSizeLobMode": false, "LobChunkSize": 64 },
        "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
        "ControlTablesSettings": { "ControlSchema": "rbk" },
        "Logging": { "EnableLogging": true },
    })
    .to_string()
}

pub fn config(id: &str, source: &str, target: &str) -> Value {
    json!({
        "ReplicationConfigIdentifier": id, "ResourceIdentifier": id,
        "SourceEndpointArn": source, "TargetEndpointArn": target,
        "ReplicationType": "full-load",
        "ComputeConfig": {
            "MaxCapacityUnits": 4, "MinCapacityUnits": 2, "MultiAZ": false,
            "ReplicationSubnetGroupId": "default", "VpcSecurityGroupIds": ["sg-dms"],
        },
        "TableMappings": mappings("%"), "ReplicationSettings": settings(),
        "Tags": [{ "Key": "rbk:run", "Value": "r1" }],
    })
}

/// Both endpoints, and a config between them: its ARN.
pub async fn furnished(sandbox: &Sandbox, source: u16, target: u16) -> String {
    let mut arns = Vec::new();
    for (id, kind, port) in [("src", "source", source), ("tgt", "target", target)] {
        let made = done(sandbox, "CreateEndpoint", endpoint(id, kind, port)).await;
        arns.push(made["Endpoint"]["EndpointArn"].as_str().unwrap().to_owned());
    }
    let made = done(
        sandbox,
        "CreateReplicationConfig",
        config("load", &arns[0], &arns[1]),
    )
    .await;
    let arn = &made["ReplicationConfig"]["ReplicationConfigArn"];
    arn.as_str().unwrap().to_owned()
}

pub async fn start(sandbox: &Sandbox, arn: &str, kind: &str) -> Value {
    let body = json!({ "ReplicationConfigArn": arn, "StartReplicationType": kind });
    done(sandbox, "StartReplication", body).await
}

pub async fn replication(sandbox: &Sandbox, arn: &str) -> Value {
    let filters = json!({ "Filters": [{ "Name": "replication-config-arn", "Values": [arn] }] });
    let answer = done(sandbox, "DescribeReplications", filters).await;
    answer["Replications"][0].clone()
}

/// The replication as it is when it has that status; one that never comes ends the test.
pub async fn until(sandbox: &Sandbox, arn: &str, status: &str) -> Value {
    let mut seen = Value::Null;
    wait_until(&format!("the replication is {status}"), async || {
        seen = replication(sandbox, arn).await;
        seen["Status"] == status
    })
    .await;
    seen
}

pub async fn statistics(sandbox: &Sandbox, arn: &str) -> Vec<Value> {
    let body = json!({ "ReplicationConfigArn": arn });
    let answer = done(sandbox, "DescribeReplicationTableStatistics", body).await;
    assert_eq!(answer["ReplicationConfigArn"], arn);
    let tables = &answer["ReplicationTableStatistics"];
    tables.as_array().unwrap().clone()
}

pub async fn rows(sandbox: &Sandbox, id: &str, table: &str) -> String {
    let superuser = sandbox.superuser(id, "shop").await.unwrap();
    value(&superuser, &format!("SELECT count(*) FROM {table}")).await
}

#[tokio::test]
async fn a_replication_moves_rows_and_is_billed_until_its_config_is_gone() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    assert_eq!(
        arn,
        "arn:aws:dms:eu-central-1:123456789012:replication-config:load"
    );
    let created = replication(&sandbox, &arn).await;
    assert_eq!(created["Status"], "created");
    assert_eq!(created.get("ReplicationStats"), None);
    assert!(sandbox.provisioned_capacity().is_empty());

    let started = start(&sandbox, &arn, "start-replication").await;
    assert_eq!(started["Replication"]["Status"], "initializing");
    let ended = until(&sandbox, &arn, "stopped").await;
    assert_eq!(ended["StopReason"], "Stop Reason FULL_LOAD_ONLY_FINISHED");
    let stats = &ended["ReplicationStats"];
    assert_eq!(
        (&stats["TablesLoaded"], &stats["TablesErrored"]),
        (&json!(2), &json!(0)),
        "{ended}"
    );
    assert_eq!(stats["FullLoadProgressPercent"], 100);
    assert_eq!(ended["ProvisionData"]["ProvisionState"], "provisioned");
    assert_eq!(ended["ProvisionData"]["ProvisionedCapacityUnits"], 2);
    let kept = ended["ReplicationDeprovisionTime"].as_f64().unwrap()
        - ended["ReplicationLastStopTime"].as_f64().unwrap();
    assert_eq!(kept.round(), 48.0 * 3600.0);
    let tables = statistics(&sandbox, &arn).await;
    let shown: Vec<_> = tables
        .iter()
        .map(|it| {
            (
                it["TableName"].as_str().unwrap(),
                &it["TableState"],
                &it["FullLoadRows"],
            )
        })
        .collect();
    let completed = json!("Table completed");
    assert_eq!(
        shown,
        [
            ("customer", &completed, &json!(50)),
            ("item", &completed, &json!(500))
        ]
    );
    for table in ["customer", "item"] {
        let sql = format!("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM {table} t");
        let mut sums = Vec::new();
        for id in ["rec", "orders"] {
            let superuser = sandbox.superuser(id, "shop").await.unwrap();
            sums.push(value(&superuser, &sql).await);
        }
        assert_eq!(sums[0], sums[1], "{table}");
    }

    let billed = sandbox.provisioned_capacity();
    assert_eq!((billed.len(), billed[0].units), (1, 2));
    assert_eq!(
        (billed[0].replication.as_str(), billed[0].status.as_str()),
        ("load", "stopped")
    );
    let endpoint = json!({ "EndpointArn": ended["SourceEndpointArn"] });
    let (code, _) = refused(&sandbox, "DeleteEndpoint", endpoint.clone()).await;
    assert_eq!(code, "InvalidResourceStateFault");
    let named = json!({ "ReplicationConfigArn": arn });
    done(&sandbox, "DeleteReplicationConfig", named.clone()).await;
    wait_until("the config is gone", async || {
        let filters = json!({ "Filters": [{ "Name": "replication-config-arn", "Values": [arn] }] });
        let (status, answer) = dms(&sandbox, "DescribeReplicationConfigs", &filters).await;
        status == 400 && answer["__type"] == "ResourceNotFoundFault"
    })
    .await;
    assert!(sandbox.provisioned_capacity().is_empty());
    let (code, _) = refused(&sandbox, "DescribeReplicationTableStatistics", named).await;
    assert_eq!(code, "ResourceNotFoundFault");
    let deleted = done(&sandbox, "DeleteEndpoint", endpoint.clone()).await;
    assert_eq!(deleted["Endpoint"]["Status"], "deleting");
    wait_until("the endpoint is gone", async || {
        let (_, answer) = dms(&sandbox, "DeleteEndpoint", &endpoint).await;
        answer["__type"] == "ResourceNotFoundFault"
    })
    .await;

    let ledger = sandbox.ledger();
    let effects: Vec<_> = ledger
        .iter()
        .map(|effect| (effect.operation.as_str(), effect.target.as_str()))
        .collect();
    assert_eq!(
        effects,
        [
            ("CreateEndpoint", "src"),
            ("CreateEndpoint", "tgt"),
            ("CreateReplicationConfig", "load"),
            ("StartReplication", "load"),
            ("DeleteReplicationConfig", "load"),
            ("DeleteEndpoint", "src"),
        ]
    );
    assert!(ledger.iter().all(
        |effect| effect.service == "dms" && effect.client_request.as_deref() == Some("call-1")
    ));
    assert!(!format!("{ledger:?}").contains(PASSWORD));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_second_run_appends_and_hides_the_rows_that_were_refused() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    let begin = |kind: &str| json!({ "ReplicationConfigArn": arn, "StartReplicationType": kind });
    for kind in ["reload-target", "resume-processing"] {
        let (code, message) = refused(&sandbox, "StartReplication", begin(kind)).await;
        assert_eq!(code, "InvalidParameterCombinationException", "{message}");
    }
    start(&sandbox, &arn, "start-replication").await;
    until(&sandbox, &arn, "stopped").await;
    let (code, message) = refused(&sandbox, "StartReplication", begin("start-replication")).await;
    assert_eq!(code, "InvalidParameterCombinationException");
    assert!(message.contains("running for the first time"), "{message}");
    // The rows are there already, and DO_NOTHING appends.
    start(&sandbox, &arn, "reload-target").await;
    let ended = until(&sandbox, &arn, "stopped").await;
    assert_eq!(ended["StartReplicationType"], "reload-target");
    assert_eq!(rows(&sandbox, "orders", "item").await, "500");
    for table in statistics(&sandbox, &arn).await {
        assert_eq!(table["TableState"], "Table completed");
        assert_eq!(
            (&table["FullLoadRows"], &table["FullLoadErrorRows"]),
            (&json!(0), &json!(0))
        );
    }
    let reload = json!({
        "ReplicationConfigArn": arn,
        "TablesToReload": [{ "SchemaName": "public", "TableName": "item" }],
    });
    let (code, _) = refused(&sandbox, "ReloadReplicationTables", reload).await;
    assert_eq!(code, "InvalidResourceStateFault");
    let (code, _) = refused(
        &sandbox,
        "StopReplication",
        json!({ "ReplicationConfigArn": arn }),
    )
    .await;
    assert_eq!(code, "InvalidResourceStateFault");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_security_group_that_isnt_let_in_fails_the_connection_test() {
    let (sandbox, source, target) = two_databases().await;
    sandbox.declare_source_address("sg-dms", "127.0.0.4".parse().unwrap());
    let arn = furnished(&sandbox, source, target).await;
    start(&sandbox, &arn, "start-replication").await;
    let ended = until(&sandbox, &arn, "failed").await;
    let message = ended["FailureMessages"][0].as_str().unwrap();
    assert!(
        message.contains("Test connection failed for endpoint 'src'"),
        "{message}"
    );
    assert_eq!(ended.get("ProvisionData"), None);
    assert!(sandbox.provisioned_capacity().is_empty());
    // A connection that is let in works with the same config.
    sandbox.declare_source_address("sg-dms", "127.0.0.3".parse().unwrap());
    start(&sandbox, &arn, "reload-target").await;
    let ended = until(&sandbox, &arn, "stopped").await;
    assert_eq!(ended["ReplicationStats"]["TablesLoaded"], 2);
    assert_eq!(ended.get("FailureMessages"), None);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn credentials_come_from_the_current_version_of_a_secret() {
    let (sandbox, source, target) = two_databases().await;
    sandbox.declare_role("dms-reads-secrets");
    let by_secret = |id: &str, kind: &str, secret: &str| {
        json!({
            "EndpointIdentifier": id, "EndpointType": kind, "EngineName": "postgres",
            "SslMode": "verify-full", "CertificateArn": sandbox.dms_certificate_arn(),
            "DatabaseName": "shop",
            "ExtraConnectionAttributes": "afterConnectScript=SET session_replication_role='replica'",
            "PostgreSQLSettings": {
                "SecretsManagerAccessRoleArn": "arn:aws:iam::123456789012:role/dms-reads-secrets",
                "SecretsManagerSecretId": secret,
            },
        })
    };
    let content = |port: u16, password: &str| {
        json!({ "engine": "postgres", "host": "127.0.0.1", "port": port.to_string(),
                "username": "postgres", "password": password })
        .to_string()
    };
    sandbox
        .create_secret("rds/source", content(source, PASSWORD).into())
        .unwrap();
    let mut arns = Vec::new();
    for (id, kind, secret) in [
        ("src", "source", "rds/source"),
        ("tgt", "target", "rds/target"),
    ] {
        let made = done(&sandbox, "CreateEndpoint", by_secret(id, kind, secret)).await;
        assert!(made["Endpoint"].get("ServerName").is_none(), "{made}");
        arns.push(made["Endpoint"]["EndpointArn"].as_str().unwrap().to_owned());
    }
    let made = done(
        &sandbox,
        "CreateReplicationConfig",
        config("load", &arns[0], &arns[1]),
    )
    .await;
    let arn = made["ReplicationConfig"]["ReplicationConfigArn"]
        .as_str()
        .unwrap();
    let mut kind = "start-replication";
    for (secret, why) in [
        (None, "can't find the specified secret"),
        (Some("not a document".to_owned()), "isn't a JSON document"),
        (
            Some(json!({ "username": "postgres", "password": PASSWORD }).to_string()),
            "no host",
        ),
        (
            Some(content(target, "wrong-Password9")),
            "password authentication failed",
        ),
    ] {
        if let Some(secret) = secret {
            if kind == "reload-target" && sandbox.secret("rds/target").is_ok() {
                let body = json!({ "SecretId": "rds/target", "SecretString": secret }).to_string();
                crate::client::secrets(&sandbox, "PutSecretValue", &body).await;
            } else {
                sandbox.create_secret("rds/target", secret.into()).unwrap();
            }
        }
        start(&sandbox, arn, kind).await;
        kind = "reload-target";
        let ended = until(&sandbox, arn, "failed").await;
        let message = ended["FailureMessages"][0].as_str().unwrap();
        assert!(
            message.contains("endpoint 'tgt'") && message.contains(why),
            "{why}: {message}"
        );
        assert!(
            !message.contains(PASSWORD) && !message.contains("wrong-Password9"),
            "{message}"
        );
    }
    let body = json!({ "SecretId": "rds/target", "SecretString": content(target, PASSWORD) });
    crate::client::secrets(&sandbox, "PutSecretValue", &body.to_string()).await;
    start(&sandbox, arn, "reload-target").await;
    until(&sandbox, arn, "stopped").await;
    assert_eq!(rows(&sandbox, "orders", "item").await, "500");
    sandbox.shutdown().await;
}
