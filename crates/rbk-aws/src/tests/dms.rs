//! DMS over the wire: what is sent, whose an answer is, all pages, mutations sent once.

use super::*;
use rbk_core::environment::DmsTls;
use rbk_core::ids::SecretName;
use rbk_core::plan::Side;
use rbk_core::ports::{
    DmsEndpoint, DmsLeftover, EndpointCredentials, EndpointRequest, PortErrorKind,
    ReplicationRequest, Sent, TableCounts,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PASSWORD: &str = "correct-horse&battery";
const CONFIG: &str = "arn:aws:dms:eu-central-1:123456789012:replication-config:rbk-1-load";
const ENDPOINT: &str = "arn:aws:dms:eu-central-1:123456789012:endpoint:rbk-1-source";

fn fault(code: &str, message: &str) -> Answer {
    Answer::json_error(400, code, message)
}

fn none() -> Answer {
    fault(
        "ResourceNotFoundFault",
        "Nothing found matching provided filters",
    )
}

fn throttled() -> Answer {
    fault("ThrottlingException", "Rate exceeded")
}

fn tag(key: &str, value: &str) -> Value {
    json!({ "Key": key, "Value": value })
}

fn tag_of(arn: &str, key: &str, value: &str) -> Value {
    json!({ "ResourceArn": arn, "Key": key, "Value": value })
}

fn tags(list: &[Value]) -> Answer {
    Answer::json(json!({ "TagList": list }))
}

fn endpoint(id: &str, arn: &str) -> Value {
    json!({ "EndpointIdentifier": id, "EndpointArn": arn, "EndpointType": "SOURCE", "Status": "active" })
}

fn endpoints(list: &[Value]) -> Answer {
    Answer::json(json!({ "Endpoints": list }))
}

fn replication(id: &str, arn: &str, status: &str) -> Value {
    json!({ "ReplicationConfigIdentifier": id, "ReplicationConfigArn": arn, "Status": status })
}

fn replications(list: &[Value]) -> Answer {
    Answer::json(json!({ "Replications": list }))
}

fn configs(list: &[Value]) -> Answer {
    Answer::json(json!({ "ReplicationConfigs": list }))
}

fn of_run() -> BTreeMap<String, String> {
    BTreeMap::from([("rbk:run".to_owned(), "r1".to_owned())])
}

fn endpoint_request(side: Side, credentials: EndpointCredentials) -> EndpointRequest {
    EndpointRequest {
        id: "rbk-1-load-source".to_owned(),
        resource: "rbk-1-source".to_owned(),
        side,
        database: "shop".to_owned(),
        credentials,
        tls: DmsTls::Require,
        certificate: None,
        after_connect: None,
        tags: of_run(),
    }
}

fn given() -> EndpointCredentials {
    EndpointCredentials::Given {
        host: "db.example".to_owned(),
        port: 5432,
        username: "postgres".to_owned(),
        password: SecretString::from(PASSWORD),
    }
}

fn replication_request() -> ReplicationRequest {
    ReplicationRequest {
        id: "rbk-1-load".to_owned(),
        resource: "rbk-1-load".to_owned(),
        source: "arn:source".to_owned(),
        target: "arn:target".to_owned(),
        capacity: 4,
        multi_az: false,
        subnet_group: "g".to_owned(),
        security_groups: vec!["sg-1".to_owned()],
        mappings: json!({ "rules": [] }),
        settings: json!({ "Logging": { "EnableLogging": true } }),
        tags: of_run(),
    }
}

fn operations(server: &Server) -> Vec<String> {
    let short = |request: &server::Request| {
        let operation = request.operation();
        operation
            .strip_prefix("AmazonDMSv20160101.")
            .expect("an operation of DMS")
            .to_owned()
    };
    server.requests().iter().map(short).collect()
}

#[tokio::test]
async fn an_endpoint_of_given_credentials_is_created() {
    let made = Answer::json(json!({ "Endpoint": endpoint("rbk-1-load-source", ENDPOINT) }));
    let (aws, server) = clients([made]).await;
    let request = endpoint_request(Side::Source, given());
    let made = aws.dms.create_endpoint(&request).await.expect("accepted");
    assert_eq!(
        made,
        DmsEndpoint {
            id: "rbk-1-load-source".to_owned(),
            arn: ENDPOINT.to_owned(),
            status: "active".to_owned(),
            tags: of_run(),
        }
    );
    let request = server.only_request();
    assert_eq!(request.operation(), "AmazonDMSv20160101.CreateEndpoint");
    assert_eq!(
        request.json(),
        json!({
            "EndpointIdentifier": "rbk-1-load-source",
            "ResourceIdentifier": "rbk-1-source",
            "EndpointType": "source",
            "EngineName": "postgres",
            "DatabaseName": "shop",
            "ServerName": "db.example",
            "Port": 5432,
            "Username": "postgres",
            "Password": PASSWORD,
            "SslMode": "require",
            "PostgreSQLSettings": { "CaptureDdls": false, "MapBooleanAsBoolean": true },
            "Tags": [{ "Key": "rbk:run", "Value": "r1" }],
        })
    );
}

#[tokio::test]
async fn an_endpoint_of_a_secret_is_created_without_a_password() {
    let made = Answer::json(json!({ "Endpoint": endpoint("rbk-1-load-source", ENDPOINT) }));
    let (aws, server) = clients([made]).await;
    let by_secret = EndpointCredentials::Secret {
        secret: SecretName::from("rds/shop"),
        role: "arn:aws:iam::123456789012:role/dms".to_owned(),
    };
    let mut request = endpoint_request(Side::Target, by_secret);
    request.tls = DmsTls::VerifyFull;
    request.certificate = Some("arn:cert".to_owned());
    request.after_connect = Some("SET session_replication_role = 'replica'".to_owned());
    aws.dms.create_endpoint(&request).await.expect("accepted");
    assert_eq!(
        server.only_request().json(),
        json!({
            "EndpointIdentifier": "rbk-1-load-source",
            "ResourceIdentifier": "rbk-1-source",
            "EndpointType": "target",
            "EngineName": "postgres",
            "DatabaseName": "shop",
            "SslMode": "verify-full",
            "CertificateArn": "arn:cert",
            "PostgreSQLSettings": {
                "AfterConnectScript": "SET session_replication_role = 'replica'",
                "DatabaseName": "shop",
                "MapBooleanAsBoolean": true,
                "SecretsManagerAccessRoleArn": "arn:aws:iam::123456789012:role/dms",
                "SecretsManagerSecretId": "rds/shop",
            },
            "Tags": [{ "Key": "rbk:run", "Value": "r1" }],
        })
    );
}

#[tokio::test]
async fn each_mode_of_tls_is_sent_as_dms_spells_it() {
    for tls in [
        DmsTls::None,
        DmsTls::Require,
        DmsTls::VerifyCa,
        DmsTls::VerifyFull,
    ] {
        let made = Answer::json(json!({ "Endpoint": endpoint("rbk-1-load-source", ENDPOINT) }));
        let (aws, server) = clients([made]).await;
        let mut request = endpoint_request(Side::Source, given());
        request.tls = tls;
        aws.dms.create_endpoint(&request).await.expect("accepted");
        assert_eq!(server.only_request().json()["SslMode"], tls.name());
    }
}

#[tokio::test]
async fn an_error_does_not_repeat_the_password() {
    let refusal = fault(
        "InvalidParameterValueException",
        "The password correct-horse&battery has characters that aren't supported",
    );
    let (aws, _server) = clients([refusal]).await;
    let request = endpoint_request(Side::Source, given());
    let error = aws
        .dms
        .create_endpoint(&request)
        .await
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "creating the source endpoint `rbk-1-load-source`: The password [hidden] has characters that aren't supported"
    );
    assert!(!format!("{error:?} {request:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_config_is_created_with_its_documents_as_texts() {
    let made = json!({ "ReplicationConfig": { "ReplicationConfigArn": CONFIG } });
    let (aws, server) = clients([Answer::json(made)]).await;
    let request = replication_request();
    aws.dms
        .create_replication(&request)
        .await
        .expect("accepted");
    let sent = server.only_request();
    assert_eq!(
        sent.operation(),
        "AmazonDMSv20160101.CreateReplicationConfig"
    );
    assert_eq!(
        sent.json(),
        json!({
            "ReplicationConfigIdentifier": "rbk-1-load",
            "ResourceIdentifier": "rbk-1-load",
            "SourceEndpointArn": "arn:source",
            "TargetEndpointArn": "arn:target",
            "ComputeConfig": {
                "MaxCapacityUnits": 4,
                "MultiAZ": false,
                "ReplicationSubnetGroupId": "g",
                "VpcSecurityGroupIds": ["sg-1"],
            },
            "ReplicationType": "full-load",
            "TableMappings": r#"{"rules":[]}"#,
            "ReplicationSettings": r#"{"Logging":{"EnableLogging":true}}"#,
            "Tags": [{ "Key": "rbk:run", "Value": "r1" }],
        })
    );
}

#[tokio::test]
async fn what_acts_on_a_replication_names_it_by_its_arn() {
    let (aws, server) = clients(vec![Answer::json(json!({})); 4]).await;
    aws.dms.start_replication(CONFIG).await.expect("started");
    aws.dms.stop_replication(CONFIG).await.expect("stopped");
    aws.dms.delete_replication(CONFIG).await.expect("deleted");
    aws.dms.delete_endpoint(ENDPOINT).await.expect("deleted");
    assert_eq!(
        operations(&server),
        [
            "StartReplication",
            "StopReplication",
            "DeleteReplicationConfig",
            "DeleteEndpoint"
        ]
    );
    let bodies: Vec<Value> = server.requests().iter().map(|one| one.json()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "ReplicationConfigArn": CONFIG, "StartReplicationType": "start-replication" }),
            json!({ "ReplicationConfigArn": CONFIG }),
            json!({ "ReplicationConfigArn": CONFIG }),
            json!({ "EndpointArn": ENDPOINT }),
        ]
    );
}

#[tokio::test]
async fn a_mutation_is_sent_once_whatever_comes_back() {
    use PortErrorKind::*;
    let unavailable = Answer::json_error(503, "ServiceUnavailableException", "Try later");
    for (answer, kind, sent) in [
        (throttled(), Throttled, Sent::No),
        (
            fault("ResourceAlreadyExistsFault", "taken"),
            AlreadyExists,
            Sent::No,
        ),
        (fault("ResourceNotFoundFault", "gone"), NotFound, Sent::No),
        (
            fault("InvalidResourceStateFault", "running"),
            InvalidState,
            Sent::No,
        ),
        (
            fault("ResourceQuotaExceededFault", "too many"),
            Quota,
            Sent::No,
        ),
        (fault("AccessDeniedFault", "no"), AccessDenied, Sent::No),
        (
            fault("KMSKeyNotAccessibleFault", "no key"),
            AccessDenied,
            Sent::No,
        ),
        (
            fault("ReplicationSubnetGroupDoesNotCoverEnoughAZs", "one"),
            InvalidRequest,
            Sent::No,
        ),
        (fault("InvalidSubnet", "none"), InvalidRequest, Sent::No),
        (unavailable, Unreachable, Sent::Maybe),
        (Answer::Cut, Unreachable, Sent::Maybe),
        (Answer::Torn, Unreachable, Sent::Maybe),
        (Answer::Silence, Unreachable, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 6]).await;
        let dms = &aws.dms;
        let tried = [
            dms.create_replication(&replication_request()).await,
            dms.start_replication(CONFIG).await,
            dms.stop_replication(CONFIG).await,
            dms.delete_replication(CONFIG).await,
            dms.delete_endpoint(ENDPOINT).await,
            dms.create_endpoint(&endpoint_request(Side::Source, given()))
                .await
                .map(drop),
        ];
        for error in tried.map(|tried| tried.expect_err("trouble")) {
            let told = (error.kind, error.sent);
            assert_eq!(told, (kind, sent), "{answer:?}: {error}");
        }
        assert_eq!(server.requests().len(), 6, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_about_another_endpoint_is_not_believed() {
    let other = Answer::json(json!({ "Endpoint": endpoint("other", ENDPOINT) }));
    for answer in [other, Answer::json(json!({}))] {
        let (aws, _server) = clients([answer]).await;
        let request = endpoint_request(Side::Source, given());
        let error = aws.dms.create_endpoint(&request).await.expect_err("other");
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::Protocol, Sent::Maybe)
        );
    }
    let (aws, _server) = clients([endpoints(&[endpoint("other", ENDPOINT)])]).await;
    let error = aws.dms.endpoint("mine").await.expect_err("other");
    assert_eq!(error.kind, PortErrorKind::Protocol);
    let two = [endpoint("mine", ENDPOINT), endpoint("mine", "arn:2")];
    let (aws, _server) = clients([endpoints(&two)]).await;
    let error = aws.dms.endpoint("mine").await.expect_err("two");
    assert_eq!(error.kind, PortErrorKind::Protocol);
}

#[tokio::test]
async fn an_endpoint_is_described_with_its_tags() {
    let (aws, server) = clients([
        throttled(),
        endpoints(&[endpoint("mine", ENDPOINT)]),
        tags(&[tag("rbk:run", "r1"), json!({ "Key": "bare" })]),
    ])
    .await;
    let found = aws.dms.endpoint("mine").await.expect("an answer");
    let found = found.expect("an endpoint");
    assert_eq!(found.status, "active");
    assert_eq!(found.tags["rbk:run"], "r1");
    assert_eq!(found.tags["bare"], "");
    let bodies: Vec<Value> = server.requests().iter().map(|one| one.json()).collect();
    let filter = json!({ "Filters": [{ "Name": "endpoint-id", "Values": ["mine"] }] });
    assert_eq!(
        bodies,
        [filter.clone(), filter, json!({ "ResourceArn": ENDPOINT })]
    );
}

#[tokio::test]
async fn what_is_missing_is_none_by_a_fault_or_by_an_empty_list() {
    for answer in [none(), endpoints(&[])] {
        let (aws, _server) = clients([answer]).await;
        assert_eq!(aws.dms.endpoint("mine").await, Ok(None));
    }
    for (first, second) in [
        (none(), none()),
        (replications(&[]), configs(&[])),
        (replications(&[]), none()),
    ] {
        let (aws, server) = clients([first, second]).await;
        assert_eq!(aws.dms.replication("mine").await, Ok(None));
        assert_eq!(
            operations(&server),
            ["DescribeReplications", "DescribeReplicationConfigs"]
        );
    }
    for answer in [
        none(),
        Answer::json(json!({ "ReplicationSubnetGroups": [] })),
    ] {
        let (aws, _server) = clients([answer]).await;
        assert_eq!(aws.dms.has_subnet_group("g").await, Ok(false));
    }
}

#[tokio::test]
async fn a_refusal_is_no_missing_thing() {
    let denied = fault(
        "AccessDeniedException",
        "User: u is not authorized to perform: dms:DescribeEndpoints",
    );
    let (aws, _server) = clients([denied]).await;
    let error = aws.dms.endpoint("mine").await.expect_err("denied");
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_fault_of_dms_own_rights_says_whose_they_are() {
    let role =
        "The IAM Role arn:aws:iam::123456789012:role/dms-vpc-role is not configured properly.";
    let (aws, _server) = clients([fault("AccessDeniedFault", role)]).await;
    let error = aws
        .dms
        .create_replication(&replication_request())
        .await
        .expect_err("denied");
    assert_eq!(
        error.to_string(),
        format!(
            "creating the replication config `rbk-1-load`: {role} (DMS needs roles of precisely these names in the account: \
             `dms-vpc-role`, `dms-cloudwatch-logs-role`)"
        )
    );
}

#[tokio::test]
async fn a_replication_is_described_in_every_figure() {
    let told = json!({
        "ReplicationConfigIdentifier": "rbk-1-load",
        "ReplicationConfigArn": CONFIG,
        "Status": "Stopped",
        "StopReason": "Stop Reason FULL_LOAD_ONLY_FINISHED",
        "FailureMessages": ["Test connection failed", " "],
        "ProvisionData": { "ProvisionState": "PROVISIONED", "ProvisionedCapacityUnits": 2 },
        "ReplicationStats": {
            "FullLoadProgressPercent": 100, "TablesLoaded": 5, "TablesLoading": 1,
            "TablesQueued": 2, "TablesErrored": 3,
            "FreshStartDate": 1790000000.0, "StopDate": 1790000060.5,
        },
        "ReplicationDeprovisionTime": 1790172860.0,
    });
    let (aws, server) = clients([replications(&[told]), tags(&[tag("rbk:run", "r1")])]).await;
    let found = aws.dms.replication("rbk-1-load").await.expect("an answer");
    let found = found.expect("a replication");
    assert_eq!(found.status, "stopped");
    assert_eq!(
        found.stop_reason.as_deref(),
        Some("FULL_LOAD_ONLY_FINISHED")
    );
    assert_eq!(found.failure_messages, ["Test connection failed"]);
    assert_eq!(found.provision_state.as_deref(), Some("provisioned"));
    assert_eq!(
        (found.provisioned_units, found.percent),
        (Some(2), Some(100))
    );
    assert_eq!(
        found.tables,
        Some(TableCounts {
            loaded: 5,
            loading: 1,
            queued: 2,
            errored: 3
        })
    );
    let second = |second| jiff::Timestamp::from_second(second).ok();
    assert_eq!(found.started_at, second(1_790_000_000));
    assert_eq!(
        found.stopped_at,
        jiff::Timestamp::from_millisecond(1_790_000_060_500).ok()
    );
    assert_eq!(found.deprovision_at, second(1_790_172_860));
    assert_eq!(found.tags, of_run());
    assert_eq!(
        server.requests()[0].json(),
        json!({ "Filters": [{ "Name": "replication-config-id", "Values": ["rbk-1-load"] }] })
    );
}

#[tokio::test]
async fn a_config_without_a_replication_is_there_and_not_known_further() {
    let config =
        json!({ "ReplicationConfigIdentifier": "rbk-1-load", "ReplicationConfigArn": CONFIG });
    let (aws, _server) = clients([none(), configs(&[config]), tags(&[tag("rbk:run", "r1")])]).await;
    let found = aws.dms.replication("rbk-1-load").await.expect("an answer");
    let found = found.expect("a config");
    assert_eq!((found.status.as_str(), &found.tags), ("unknown", &of_run()));
}

#[tokio::test]
async fn tags_that_are_gone_are_gone_with_what_was_being_deleted_only() {
    let deleting = replication("mine", CONFIG, "deleting");
    let (aws, _server) = clients([replications(&[deleting]), none()]).await;
    assert_eq!(aws.dms.replication("mine").await, Ok(None));
    // Without its tags it would look like somebody else's.
    let created = replication("mine", CONFIG, "created");
    let (aws, _server) = clients([replications(&[created]), none()]).await;
    let error = aws.dms.replication("mine").await.expect_err("no tags");
    assert_eq!(error.kind, PortErrorKind::Unreachable);
}

#[tokio::test]
async fn statistics_come_from_all_pages() {
    let table = |name: &str, rows: i64| {
        json!({
            "SchemaName": "public", "TableName": name, "TableState": "Table completed", "FullLoadRows": rows,
            "FullLoadErrorRows": 0, "FullLoadStartTime": 1790000000.0, "FullLoadEndTime": 1790000002.0,
        })
    };
    let page = |list: &[Value], marker: Option<&str>| {
        let mut page =
            json!({ "ReplicationConfigArn": CONFIG, "ReplicationTableStatistics": list });
        if let Some(marker) = marker {
            page["Marker"] = json!(marker);
        }
        Answer::json(page)
    };
    let (aws, server) = clients([
        page(&[table("a", 1)], Some("m1")),
        throttled(),
        page(&[], Some("m2")),
        page(&[table("b", 2)], None),
    ])
    .await;
    let found = aws.dms.table_statistics(CONFIG).await.expect("statistics");
    let told: Vec<(&str, u64, &str)> = found
        .iter()
        .map(|one| (one.table.as_str(), one.rows, one.state.as_str()))
        .collect();
    assert_eq!(
        told,
        [("a", 1, "Table completed"), ("b", 2, "Table completed")]
    );
    assert!(found.iter().all(|one| one.started_at < one.ended_at));
    assert_eq!(
        server.requests()[1].json(),
        json!({ "ReplicationConfigArn": CONFIG, "MaxRecords": 500, "Marker": "m1" })
    );
    let circle = [page(&[], Some("m")), page(&[], Some("m"))];
    let (aws, _server) = clients(circle).await;
    let error = aws.dms.table_statistics(CONFIG).await.expect_err("circle");
    assert_eq!(error.kind, PortErrorKind::Protocol);
    let (aws, _server) = clients([page(&[table("a", 1)], Some("m")), none()]).await;
    let error = aws.dms.table_statistics(CONFIG).await.expect_err("page 2");
    assert_eq!(error.kind, PortErrorKind::NotFound);
}

#[tokio::test]
async fn before_the_start_and_when_capacity_is_gone_there_are_no_statistics() {
    for answer in [
        none(),
        fault("InvalidResourceStateFault", "not provisioned"),
        Answer::json(json!({ "ReplicationConfigArn": CONFIG })),
    ] {
        let (aws, _server) = clients([answer]).await;
        assert_eq!(aws.dms.table_statistics(CONFIG).await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn a_subnet_group_is_looked_for_by_name() {
    let group = json!({ "ReplicationSubnetGroups": [{ "ReplicationSubnetGroupIdentifier": "g" }] });
    let (aws, server) = clients([Answer::json(group)]).await;
    assert_eq!(aws.dms.has_subnet_group("G").await, Ok(true));
    assert_eq!(
        server.only_request().json(),
        json!({ "Filters": [{ "Name": "replication-subnet-group-id", "Values": ["G"] }] })
    );
}

#[tokio::test]
async fn leftovers_are_what_carries_the_tag_of_a_run_whatever_its_name() {
    let config = json!({ "ReplicationConfigIdentifier": "c-3", "ReplicationConfigArn": "arn:c-3" });
    let paged = Answer::json(json!({ "Endpoints": [endpoint("e-1", "arn:e-1")], "Marker": "m" }));
    let (aws, server) = clients([
        paged,
        endpoints(&[endpoint("e-2", "arn:e-2")]),
        replications(&[replication("c-1", "arn:c-1", "running")]),
        configs(&[
            json!({ "ReplicationConfigIdentifier": "c-1", "ReplicationConfigArn": "arn:c-1" }),
            config,
        ]),
        tags(&[
            tag_of("arn:e-2", "rbk:run", "r1"),
            tag_of("arn:e-1", "team", "shop"),
            tag_of("arn:c-1", "rbk:run", "r1"),
            tag_of("arn:c-1", "rbk:plan", "p1"),
            tag_of("arn:c-3", "rbk:run", "r2"),
        ]),
    ])
    .await;
    let found = aws.dms.leftovers().await.expect("leftovers");
    let told: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|one| (one.kind, one.id.as_str(), one.status.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("endpoint", "e-2", "active"),
            ("replication config", "c-1", "running"),
            ("replication config", "c-3", "unknown"),
        ]
    );
    assert_eq!(found[1].tags["rbk:plan"], "p1");
    let last = server.requests().last().expect("a request").json();
    assert_eq!(
        last,
        json!({ "ResourceArnList": ["arn:e-1", "arn:e-2", "arn:c-1", "arn:c-3"] })
    );
}

#[tokio::test]
async fn a_leftover_that_goes_meanwhile_does_not_hide_the_others() {
    let (aws, _server) = clients([
        endpoints(&[endpoint("e-1", "arn:e-1"), endpoint("e-2", "arn:e-2")]),
        none(),
        none(),
        none(),
        none(),
        tags(&[tag("rbk:run", "r1")]),
    ])
    .await;
    let found = aws.dms.leftovers().await.expect("leftovers");
    assert_eq!(
        found,
        [DmsLeftover {
            kind: "endpoint",
            id: "e-2".to_owned(),
            status: "active".to_owned(),
            tags: of_run(),
        }]
    );
}

#[tokio::test]
async fn where_there_is_nothing_no_tags_are_asked_for() {
    let (aws, server) = clients([none(), none(), none()]).await;
    assert_eq!(aws.dms.leftovers().await, Ok(Vec::new()));
    assert_eq!(server.requests().len(), 3);
}
