//! Rules of the wire protocols that an SDK would hide.

use rbk_sandbox::{Options, Sandbox, SandboxError};

use crate::client::{query, request, sandbox, sandbox_with_orders, secrets};

const TOKEN: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn unknown_operations_and_parameters_are_errors() {
    let sandbox = sandbox().await;
    for (body, code) in [
        ("CreateDBInstanceReadReplica", "InvalidAction"),
        ("StartDBInstance", "InvalidAction"),
        (
            "DescribeDBInstances&DBInstanceIdentifer=x",
            "ValidationError",
        ),
        (
            "DescribeDBInstances&Filters.Filter.1.Name=nope&Filters.Filter.1.Values.Value.1=x",
            "InvalidParameterValue",
        ),
        ("DescribeDBInstances&MaxRecords=5", "InvalidParameterValue"),
        (
            "DescribeDBSnapshots&SnapshotType=weekly",
            "InvalidParameterValue",
        ),
        (
            "CreateDBSnapshot&DBInstanceIdentifier=x",
            "MissingParameter",
        ),
        (
            "CreateDBSnapshot&DBInstanceIdentifier=x&DBSnapshotIdentifier=rds:x",
            "InvalidParameterValue",
        ),
        (
            "DeleteDBInstance&DBInstanceIdentifier=x",
            "InvalidParameterCombination",
        ),
        (
            "DescribeEvents&SourceIdentifier=x",
            "InvalidParameterCombination",
        ),
        (
            "ListTagsForResource&ResourceName=arn:aws:rds:us-west-2:1:db:x",
            "InvalidParameterValue",
        ),
    ] {
        let answer = query(&sandbox, body).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {answer}");
        assert_eq!(answer.element("Code"), Some(code), "{body}: {answer}");
        assert!(answer.body.contains("<Type>Sender</Type>"));
        assert!(
            answer.head.contains("x-amzn-requestid: "),
            "{}",
            answer.head
        );
    }
    let dynamo = ["X-Amz-Target: DynamoDB_20120810.ListTables"];
    let answer = request(&sandbox, "POST", "/", &dynamo, "{}").await.unwrap();
    assert!(
        answer.body.contains("UnknownOperationException"),
        "{answer}"
    );
    let answer = secrets(&sandbox, "RotateSecret", "{}").await;
    assert!(
        answer.body.contains("UnknownOperationException"),
        "{answer}"
    );
    let answer = secrets(
        &sandbox,
        "DescribeSecret",
        r#"{"SecretId":"x","SecretKey":"y"}"#,
    )
    .await;
    assert!(answer.body.contains("SerializationException"), "{answer}");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn not_found_has_the_codes_of_the_wire() {
    let (sandbox, _) = sandbox_with_orders().await;
    let id = sandbox.take_automated_snapshot("orders").await.unwrap().id;
    for (body, status, code) in [
        (
            "DescribeDBInstances&DBInstanceIdentifier=nope".to_owned(),
            404,
            "DBInstanceNotFound",
        ),
        (
            "DescribeDBSnapshots&DBSnapshotIdentifier=nope".to_owned(),
            404,
            "DBSnapshotNotFound",
        ),
        // An automated snapshot is found by name only together with its type.
        (
            format!("DescribeDBSnapshots&DBSnapshotIdentifier={id}"),
            404,
            "DBSnapshotNotFound",
        ),
        (
            format!("DeleteDBSnapshot&DBSnapshotIdentifier={id}"),
            400,
            "InvalidDBSnapshotState",
        ),
        (
            "DescribeDBSubnetGroups&DBSubnetGroupName=nope".to_owned(),
            404,
            "DBSubnetGroupNotFoundFault",
        ),
        (
            "DescribeDBParameterGroups&DBParameterGroupName=nope".to_owned(),
            404,
            "DBParameterGroupNotFound",
        ),
        (
            format!(
                "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=orders&DBSnapshotIdentifier={id}"
            ),
            400,
            "DBInstanceAlreadyExists",
        ),
        (
            format!(
                "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier={id}&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-nope"
            ),
            400,
            "InvalidParameterValue",
        ),
        (
            format!(
                "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier={id}&DBSubnetGroupName=nope"
            ),
            404,
            "DBSubnetGroupNotFoundFault",
        ),
        (
            format!(
                "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier={id}&AllocatedStorage=5"
            ),
            400,
            "InvalidParameterValue",
        ),
        (
            format!(
                "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier={id}&ManageMasterUserPassword=true"
            ),
            400,
            "InvalidParameterCombination",
        ),
        (
            "ModifyDBInstance&DBInstanceIdentifier=orders&MasterUserPassword=short".to_owned(),
            400,
            "InvalidParameterValue",
        ),
        (
            "ModifyDBInstance&DBInstanceIdentifier=orders&MasterUserPassword=with%40at-sign"
                .to_owned(),
            400,
            "InvalidParameterValue",
        ),
        (
            "ModifyDBInstance&DBInstanceIdentifier=orders&ApplyImmediately=true".to_owned(),
            400,
            "InvalidParameterCombination",
        ),
        (
            "RebootDBInstance&DBInstanceIdentifier=nope".to_owned(),
            404,
            "DBInstanceNotFound",
        ),
    ] {
        let answer = query(&sandbox, &body).await.unwrap();
        assert_eq!(
            (answer.status, answer.element("Code")),
            (status, Some(code)),
            "{body}: {answer}"
        );
    }
    assert!(
        sandbox.ledger().is_empty(),
        "a refused request had an effect"
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn secrets_answer_with_400_and_without_empty_members() {
    let sandbox = sandbox().await;
    sandbox
        .create_managed_secret("rds!db-1", "{}".into(), "rds")
        .unwrap();
    let missing = secrets(&sandbox, "GetSecretValue", r#"{"SecretId":"nope"}"#).await;
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("ResourceNotFoundException"));
    let put =
        format!(r#"{{"SecretId":"rds!db-1","ClientRequestToken":"{TOKEN}","SecretString":"x"}}"#);
    let refused = secrets(&sandbox, "PutSecretValue", &put).await;
    assert!(
        refused.body.contains("InvalidRequestException"),
        "{refused}"
    );
    assert!(
        refused.body.contains("managed by another service"),
        "{refused}"
    );
    let described = secrets(&sandbox, "DescribeSecret", r#"{"SecretId":"rds!db-1"}"#).await;
    assert!(!described.body.contains("null"), "{described}");
    assert!(!described.body.contains("SecretString"), "{described}");
    assert!(
        described.body.contains(r#""OwningService":"rds""#),
        "{described}"
    );
    assert!(sandbox.ledger().is_empty());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_directory_that_holds_something_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    let options = Options {
        directory: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let refused = Sandbox::start(options, |_| {}).await.err().unwrap();
    assert!(
        matches!(refused, SandboxError::DirectoryInUse { .. }),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), "data");
}

#[tokio::test]
async fn a_directory_whose_sockets_would_have_too_long_names_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let options = Options {
        directory: Some(parent.path().join("d".repeat(90))),
        ..Options::default()
    };
    let refused = Sandbox::start(options, |_| {}).await.err().unwrap();
    assert!(
        refused.to_string().contains("a shorter directory"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_account_or_a_region_that_isnt_one_is_refused() {
    for (region, account) in [("Frankfurt", "123456789012"), ("eu-central-1", "1234")] {
        let options = Options {
            region: region.into(),
            account: account.into(),
            ..Options::default()
        };
        let refused = Sandbox::start(options, |_| {}).await.err().unwrap();
        assert!(matches!(refused, SandboxError::Invalid { .. }), "{refused}");
    }
}
