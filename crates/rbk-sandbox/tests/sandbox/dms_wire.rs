//! What DMS refuses, and how it says so.

use rbk_sandbox::DmsSubnetGroupBlueprint;
use serde_json::{Value, json};

use crate::{
    client::{dms_text, sandbox},
    dms::{config, done, endpoint, refused, settings},
};

/// A body with some members replaced; `null` removes one. A dot leads into a structure.
fn with(mut body: Value, changes: Value) -> Value {
    for (path, value) in changes.as_object().unwrap() {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut place = &mut body;
        for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
            place = &mut place[parent];
        }
        let members = place.as_object_mut().unwrap();
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value.clone()),
        };
    }
    body
}

#[tokio::test]
async fn unknown_operations_and_members_are_errors() {
    let sandbox = sandbox().await;
    for (operation, body, code) in [
        ("CreateReplicationTask", "{}", "UnknownOperationException"),
        (
            "DescribeEndpoints",
            r#"{"Filter":[]}"#,
            "SerializationException",
        ),
        (
            "DescribeEndpoints",
            r#"{"MaxRecords":"many"}"#,
            "SerializationException",
        ),
        ("DescribeEndpoints", "[]", "SerializationException"),
        ("DescribeEndpoints", "{", "SerializationException"),
        (
            "DescribeEndpoints",
            r#"{"MaxRecords":7}"#,
            "InvalidParameterValueException",
        ),
        (
            "DescribeEndpoints",
            r#"{"Marker":"x"}"#,
            "InvalidParameterValueException",
        ),
        (
            "DescribeEndpoints",
            r#"{"Filters":[{"Name":"name","Values":["x"]}]}"#,
            "InvalidParameterValueException",
        ),
        (
            "DescribeEndpoints",
            r#"{"Filters":[{"Name":"endpoint-id","Values":["x"]}]}"#,
            "ResourceNotFoundFault",
        ),
        ("DeleteEndpoint", "{}", "ValidationException"),
        (
            "DeleteEndpoint",
            r#"{"EndpointArn":"arn"}"#,
            "ResourceNotFoundFault",
        ),
        (
            "StartReplication",
            r#"{"ReplicationConfigArn":"arn"}"#,
            "ValidationException",
        ),
        (
            "StopReplication",
            r#"{"ReplicationConfigArn":"arn"}"#,
            "ResourceNotFoundFault",
        ),
        (
            "TestConnection",
            r#"{"EndpointArn":"arn"}"#,
            "ValidationException",
        ),
        (
            "TestConnection",
            r#"{"EndpointArn":"arn","ReplicationInstanceArn":"arn"}"#,
            "ResourceNotFoundFault",
        ),
        ("ListTagsForResource", "{}", "ValidationException"),
        (
            "ListTagsForResource",
            r#"{"ResourceArn":"arn"}"#,
            "ResourceNotFoundFault",
        ),
    ] {
        let answer = dms_text(&sandbox, operation, body).await.unwrap();
        assert_eq!(answer.status, 400, "{operation} {body}: {answer}");
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(document["__type"], code, "{operation} {body}: {answer}");
        assert!(
            answer.head.contains(&format!("x-amzn-errortype: {code}")),
            "{}",
            answer.head
        );
        assert!(
            answer.head.contains("x-amzn-requestid: "),
            "{}",
            answer.head
        );
    }
    assert_eq!(
        done(&sandbox, "DescribeReplications", json!({})).await,
        json!({ "Replications": [] })
    );
    assert!(sandbox.ledger().is_empty());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn endpoints_are_checked() {
    const VALUE: &str = "InvalidParameterValueException";
    const COMBINATION: &str = "InvalidParameterCombinationException";
    let sandbox = sandbox().await;
    let role = "arn:aws:iam::123456789012:role/nobody";
    let plain = "PostgreSQLSettings";
    for (changes, code) in [
        (json!({ "EndpointIdentifier": null }), "ValidationException"),
        (json!({ "EngineName": null }), "ValidationException"),
        (json!({ "EndpointIdentifier": "1st" }), VALUE),
        (json!({ "EndpointIdentifier": "a--b" }), VALUE),
        (json!({ "EndpointType": "both" }), VALUE),
        (json!({ "EngineName": "mysql" }), VALUE),
        (json!({ "SslMode": "prefer" }), VALUE),
        (json!({ "SslMode": "verify-full" }), COMBINATION),
        (
            json!({ "SslMode": "verify-ca", "CertificateArn": "arn" }),
            "ResourceNotFoundFault",
        ),
        (json!({ "ResourceIdentifier": "r".repeat(32) }), VALUE),
        (json!({ "ResourceIdentifier": "r_1" }), VALUE),
        (json!({ "Port": "5432" }), "SerializationException"),
        (json!({ "Prt": 5432 }), "SerializationException"),
        (json!({ "Port": 1 }), COMBINATION),
        (json!({ "Password": "twice" }), COMBINATION),
        (json!({ "S3Settings": {} }), COMBINATION),
        (
            json!({ "PostgreSQLSettings.Password": null }),
            "ValidationException",
        ),
        (
            json!({ "PostgreSQLSettings.DatabaseName": null }),
            "ValidationException",
        ),
        (json!({ "PostgreSQLSettings.PluginName": "own" }), VALUE),
        (
            json!({ "PostgreSQLSettings.SecretsManagerSecretId": "x" }),
            COMBINATION,
        ),
        (
            json!({ "PostgreSQLSettings.SecretsManagerSecretId": "x", "PostgreSQLSettings.SecretsManagerAccessRoleArn": role }),
            COMBINATION,
        ),
        (
            json!({ (plain): { "DatabaseName": "shop", "SecretsManagerSecretId": "x", "SecretsManagerAccessRoleArn": role } }),
            "AccessDeniedFault",
        ),
        (
            json!({ "ExtraConnectionAttributes": "afterConnectScript" }),
            VALUE,
        ),
        (
            json!({ "ExtraConnectionAttributes": "afterConectScript=x" }),
            VALUE,
        ),
        (
            json!({ "ExtraConnectionAttributes": "afterConnectScript=other" }),
            COMBINATION,
        ),
        (json!({ "Tags": [{ "Key": "aws:x", "Value": "y" }] }), VALUE),
        (
            json!({ "Tags": [{ "Key": "a", "Value": "y" }, { "Key": "a", "Value": "z" }] }),
            VALUE,
        ),
    ] {
        let body = with(endpoint("src", "source", 5432), changes.clone());
        let (found, message) = refused(&sandbox, "CreateEndpoint", body).await;
        assert_eq!(found, code, "{changes}: {message}");
        assert!(!message.contains(crate::client::PASSWORD), "{message}");
    }
    assert!(sandbox.ledger().is_empty());
    let own = "arn:aws:dms:eu-central-1:123456789012:cert:OWN";
    sandbox.declare_dms_certificate(own);
    let verified = json!({ "SslMode": "verify-full", "CertificateArn": own });
    let body = with(endpoint("verified", "target", 5432), verified);
    let made = done(&sandbox, "CreateEndpoint", body).await;
    assert_eq!(made["Endpoint"]["CertificateArn"], own);
    let made = done(&sandbox, "CreateEndpoint", endpoint("src", "source", 5432)).await;
    let made = &made["Endpoint"];
    assert_eq!(
        (&made["Status"], &made["EndpointType"]),
        (&json!("active"), &json!("SOURCE"))
    );
    assert!(
        !made.to_string().contains(crate::client::PASSWORD),
        "{made}"
    );
    let again = endpoint("SRC", "source", 5432);
    let (code, _) = refused(&sandbox, "CreateEndpoint", again).await;
    assert_eq!(code, "ResourceAlreadyExistsFault");
    let same_arn = with(
        endpoint("second", "source", 5432),
        json!({ "ResourceIdentifier": "src" }),
    );
    let (code, _) = refused(&sandbox, "CreateEndpoint", same_arn).await;
    assert_eq!(code, "ResourceAlreadyExistsFault");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn replication_configs_are_checked() {
    const VALUE: &str = "InvalidParameterValueException";
    const COMBINATION: &str = "InvalidParameterCombinationException";
    let sandbox = sandbox().await;
    sandbox.declare_source_address("sg-dms", "127.0.0.3".parse().unwrap());
    let mut arns = Vec::new();
    for (id, kind) in [("src", "source"), ("tgt", "target")] {
        let made = done(&sandbox, "CreateEndpoint", endpoint(id, kind, 5432)).await;
        arns.push(made["Endpoint"]["EndpointArn"].as_str().unwrap().to_owned());
    }
    let sound = || config("load", &arns[0], &arns[1]);
    let log_group = with(
        serde_json::from_str(&settings()).unwrap(),
        json!({ "Logging.CloudWatchLogGroup": "mine" }),
    );
    for (changes, code) in [
        (json!({ "ComputeConfig": null }), "ValidationException"),
        (json!({ "TableMappings": null }), "ValidationException"),
        (
            json!({ "ComputeConfig.MaxCapacityUnits": null }),
            "ValidationException",
        ),
        (json!({ "ComputeConfig.MaxCapacityUnits": 3 }), VALUE),
        (json!({ "ComputeConfig.MinCapacityUnits": 8 }), VALUE),
        (
            json!({ "ComputeConfig.MaxCapacityUnits": "4" }),
            "SerializationException",
        ),
        (
            json!({ "ComputeConfig.MultiAz": true }),
            "SerializationException",
        ),
        (
            json!({ "ComputeConfig.MultiAZ": true, "ComputeConfig.AvailabilityZone": "eu-central-1a" }),
            COMBINATION,
        ),
        (
            json!({ "ComputeConfig.AvailabilityZone": "eu-central-1z" }),
            VALUE,
        ),
        (
            json!({ "ComputeConfig.ReplicationSubnetGroupId": "nope" }),
            "ResourceNotFoundFault",
        ),
        (
            json!({ "ComputeConfig.VpcSecurityGroupIds": ["sg-nope"] }),
            VALUE,
        ),
        (
            json!({ "SourceEndpointArn": "arn" }),
            "ResourceNotFoundFault",
        ),
        (json!({ "SourceEndpointArn": arns[1] }), COMBINATION),
        (json!({ "ReplicationType": "everything" }), VALUE),
        (json!({ "ReplicationType": "cdc" }), VALUE),
        (json!({ "TableMappings": "{" }), VALUE),
        (json!({ "TableMappings": r#"{"rules":[]}"# }), VALUE),
        (json!({ "ReplicationSettings": "{" }), VALUE),
        (
            json!({ "ReplicationSettings": r#"{"FullLoadSetting":{}}"# }),
            VALUE,
        ),
        (
            json!({ "ReplicationSettings": log_group.to_string() }),
            VALUE,
        ),
        (json!({ "SupplementalSettings": "x" }), VALUE),
        (json!({ "ReplicationConfigIdentifier": "-" }), VALUE),
        (json!({ "ResourceIdentifier": "r".repeat(32) }), VALUE),
    ] {
        let body = with(sound(), changes.clone());
        let (found, message) = refused(&sandbox, "CreateReplicationConfig", body).await;
        assert_eq!(found, code, "{changes}: {message}");
    }
    sandbox.remove_role("dms-vpc-role");
    let (code, message) = refused(&sandbox, "CreateReplicationConfig", sound()).await;
    assert_eq!(code, "AccessDeniedFault");
    assert!(
        message.contains("role/dms-vpc-role is not configured properly"),
        "{message}"
    );
    sandbox.declare_role("dms-vpc-role");
    assert_eq!(sandbox.ledger().len(), 2);
    let made = done(&sandbox, "CreateReplicationConfig", sound()).await;
    let echoed = made["ReplicationConfig"]["ReplicationSettings"]
        .as_str()
        .unwrap();
    let echoed: Value = serde_json::from_str(echoed).unwrap();
    assert_eq!(echoed["FullLoadSettings"]["MaxFullLoadSubTasks"], 8);
    assert_eq!(echoed["TargetMetadata"]["FullLobMode"], true);
    let (code, _) = refused(&sandbox, "CreateReplicationConfig", sound()).await;
    assert_eq!(code, "ResourceAlreadyExistsFault");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn subnet_groups_need_two_zones_and_the_role() {
    let sandbox = sandbox().await;
    let mut group = DmsSubnetGroupBlueprint::new("Private", sandbox.region());
    group.vpc = "vpc-2".into();
    sandbox.declare_dms_subnet_group(group);
    let create = |name: &str, subnets: &[&str]| {
        json!({
            "ReplicationSubnetGroupIdentifier": name,
            "ReplicationSubnetGroupDescription": "for the repair",
            "SubnetIds": subnets,
        })
    };
    let both = ["subnet-Private-a", "subnet-Private-b"];
    for (body, code) in [
        (
            create("one", &both[..1]),
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
        ),
        (create("one", &["subnet-nope", both[0]]), "InvalidSubnet"),
        (
            create("one", &["subnet-default-b", both[0]]),
            "InvalidSubnet",
        ),
        (create("private", &both), "ResourceAlreadyExistsFault"),
        (create("default", &both), "InvalidParameterValueException"),
    ] {
        let (found, message) = refused(&sandbox, "CreateReplicationSubnetGroup", body).await;
        assert_eq!(found, code, "{message}");
    }
    sandbox.remove_role("dms-vpc-role");
    let (code, _) = refused(
        &sandbox,
        "CreateReplicationSubnetGroup",
        create("one", &both),
    )
    .await;
    assert_eq!(code, "AccessDeniedFault");
    sandbox.declare_role("dms-vpc-role");
    done(
        &sandbox,
        "CreateReplicationSubnetGroup",
        create("one", &both),
    )
    .await;
    let all = done(&sandbox, "DescribeReplicationSubnetGroups", json!({})).await;
    let names: Vec<_> = all["ReplicationSubnetGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["ReplicationSubnetGroupIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["default", "one", "private"]);
    sandbox.shutdown().await;
}
