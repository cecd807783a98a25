//! Points in time, manual snapshots, and what a plan asks the account: over the wire.

use super::*;
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::plan::InstanceSettings;
use rbk_core::ports::{
    PointInTimeRequest, PortErrorKind, Quota, RestoreWindow, Sent, SnapshotRequest,
};
use std::collections::BTreeMap;

fn id(text: &str) -> InstanceId {
    InstanceId::from(text)
}

fn tags() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("cost".to_owned(), "a b".to_owned()),
        ("rbk:run".to_owned(), "r1".to_owned()),
    ])
}

fn time(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

fn request(at: &str) -> PointInTimeRequest {
    PointInTimeRequest {
        source: id("source"),
        at: time(at),
        settings: InstanceSettings {
            instance: id("recovery"),
            class: "db.r6g.large".to_owned(),
            subnet_group: "subnets".to_owned(),
            security_groups: vec!["sg-1".to_owned()],
            parameter_group: "pg16-custom".to_owned(),
            multi_az: false,
            publicly_accessible: false,
            storage_type: Some("gp3".to_owned()),
            iam_authentication: false,
            retention_days: 7,
            deletion_protection: true,
            tags: BTreeMap::new(),
        },
        tags: tags(),
    }
}

fn snapshot_request() -> SnapshotRequest {
    SnapshotRequest {
        id: SnapshotId::from("before-the-repair"),
        instance: id("source"),
        tags: tags(),
    }
}

fn instance_xml() -> &'static str {
    "<DBInstance><DBInstanceIdentifier>recovery</DBInstanceIdentifier><DbiResourceId>db-ABC</DbiResourceId>\
     <DBInstanceStatus>creating</DBInstanceStatus></DBInstance>"
}

fn snapshot_xml(id: &str) -> String {
    format!(
        "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier>\
         <DBInstanceIdentifier>source</DBInstanceIdentifier><Status>creating</Status></DBSnapshot>"
    )
}

fn expected(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_restore_to_a_point_in_time_sends_the_instant_and_every_setting() {
    for at in ["2026-11-22T09:15:00Z", "2026-11-22T09:15:00.123Z"] {
        let answer = Answer::xml("RestoreDBInstanceToPointInTime", instance_xml());
        let (aws, server) = clients([answer]).await;
        let instance = aws.rds.restore_to_point_in_time(&request(at)).await;
        assert_eq!(instance.expect("accepted").status, "creating");
        let fields = [
            ("Action", "RestoreDBInstanceToPointInTime"),
            ("Version", "2014-10-31"),
            ("SourceDBInstanceIdentifier", "source"),
            ("TargetDBInstanceIdentifier", "recovery"),
            ("RestoreTime", at),
            ("DBInstanceClass", "db.r6g.large"),
            ("DBSubnetGroupName", "subnets"),
            ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-1"),
            ("DBParameterGroupName", "pg16-custom"),
            ("MultiAZ", "false"),
            ("PubliclyAccessible", "false"),
            ("DeletionProtection", "true"),
            ("EnableIAMDatabaseAuthentication", "false"),
            ("BackupRetentionPeriod", "7"),
            ("StorageType", "gp3"),
            ("CopyTagsToSnapshot", "true"),
            ("Tags.Tag.1.Key", "cost"),
            ("Tags.Tag.1.Value", "a b"),
            ("Tags.Tag.2.Key", "rbk:run"),
            ("Tags.Tag.2.Value", "r1"),
        ];
        assert_eq!(server.only_request().form(), expected(&fields));
    }
}

#[tokio::test]
async fn a_snapshot_sends_its_name_and_its_tags() {
    let answer = Answer::xml("CreateDBSnapshot", &snapshot_xml("before-the-repair"));
    let (aws, server) = clients([answer]).await;
    let snapshot = aws.rds.create_snapshot(&snapshot_request()).await;
    assert_eq!(snapshot.expect("accepted").status, "creating");
    let fields = [
        ("Action", "CreateDBSnapshot"),
        ("Version", "2014-10-31"),
        ("DBSnapshotIdentifier", "before-the-repair"),
        ("DBInstanceIdentifier", "source"),
        ("Tags.Tag.1.Key", "cost"),
        ("Tags.Tag.1.Value", "a b"),
        ("Tags.Tag.2.Key", "rbk:run"),
        ("Tags.Tag.2.Value", "r1"),
    ];
    assert_eq!(server.only_request().form(), expected(&fields));
    let answer = Answer::xml("CreateDBSnapshot", &snapshot_xml("another"));
    let (aws, _server) = clients([answer]).await;
    let error = aws.rds.create_snapshot(&snapshot_request()).await;
    assert_eq!(error.expect_err("another").kind, PortErrorKind::Protocol);
}

#[tokio::test]
async fn both_are_sent_once_whatever_comes_back() {
    use PortErrorKind::*;
    let not_enabled = Answer::xml_error(400, "PointInTimeRestoreNotEnabled", "retention is 0");
    let outside = Answer::xml_error(400, "InvalidParameterValue", "cannot be restored");
    let quota = Answer::xml_error(400, "SnapshotQuotaExceeded", "more than 100");
    let taken = Answer::xml_error(400, "DBSnapshotAlreadyExists", "already exists");
    let busy = Answer::xml_error(400, "InvalidDBInstanceState", "not available");
    let throttled = Answer::xml_error(400, "Throttling", "Rate exceeded");
    let unavailable = Answer::xml_error(503, "ServiceUnavailable", "Try later");
    for (answer, kind, sent) in [
        (not_enabled, InvalidRequest, Sent::No),
        (outside, InvalidRequest, Sent::No),
        (quota, Quota, Sent::No),
        (taken, AlreadyExists, Sent::No),
        (busy, InvalidState, Sent::No),
        (throttled, Throttled, Sent::No),
        (unavailable, Unreachable, Sent::Maybe),
        (Answer::Cut, Unreachable, Sent::Maybe),
        (Answer::Torn, Unreachable, Sent::Maybe),
        (Answer::Silence, Unreachable, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws
            .rds
            .restore_to_point_in_time(&request("2026-11-22T09:15:00Z"))
            .await
            .expect_err("trouble");
        assert_eq!((error.kind, error.sent), (kind, sent), "{answer:?}");
        assert_eq!(server.requests().len(), 1, "{answer:?}");
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws.rds.create_snapshot(&snapshot_request()).await;
        let error = error.expect_err("trouble");
        assert_eq!((error.kind, error.sent), (kind, sent), "{answer:?}");
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    }
}

fn backup(status: &str, window: &str) -> String {
    format!(
        "<DBInstanceAutomatedBackup><DBInstanceIdentifier>Source</DBInstanceIdentifier>\
         <RestoreWindow>{window}</RestoreWindow><Status>{status}</Status></DBInstanceAutomatedBackup>"
    )
}

fn backups(list: &str, marker: &str) -> Answer {
    Answer::xml(
        "DescribeDBInstanceAutomatedBackups",
        &format!("{marker}<DBInstanceAutomatedBackups>{list}</DBInstanceAutomatedBackups>"),
    )
}

#[tokio::test]
async fn the_window_is_that_of_the_instance_that_there_is() {
    let earliest = "<EarliestTime>2026-11-15T03:00:00.5Z</EarliestTime>";
    let latest = "<LatestTime>2026-11-22T09:10:00Z</LatestTime>";
    let retained = backup("retained", &format!("{earliest}{latest}"));
    let open = Some(RestoreWindow {
        earliest: time("2026-11-15T03:00:00.5Z"),
        latest: None,
    });
    let whole = open.map(|open| RestoreWindow {
        latest: Some(time("2026-11-22T09:10:00Z")),
        ..open
    });
    let both = format!(
        "{retained}{}",
        backup("active", &format!("{earliest}{latest}"))
    );
    for (script, window) in [
        (vec![backups(&both, "")], whole),
        (
            vec![
                backups(&retained, "<Marker>m</Marker>"),
                backups(&backup("active", earliest), ""),
            ],
            open,
        ),
        (vec![backups(&backup("creating", ""), "")], None),
        (vec![backups(&retained, "")], None),
        (vec![backups("", "")], None),
        (
            vec![Answer::xml_error(
                404,
                "DBInstanceAutomatedBackupNotFound",
                "none",
            )],
            None,
        ),
    ] {
        let (aws, _server) = clients(script.clone()).await;
        assert_eq!(
            aws.rds.restore_window(&id("source")).await,
            Ok(window),
            "{script:?}"
        );
    }
}

#[tokio::test]
async fn a_group_that_isnt_there_is_an_answer_and_a_refusal_is_not() {
    let (aws, server) = clients([
        Answer::xml(
            "DescribeDBSubnetGroups",
            "<DBSubnetGroups><DBSubnetGroup><DBSubnetGroupName>subnets</DBSubnetGroupName></DBSubnetGroup></DBSubnetGroups>",
        ),
        Answer::xml_error(404, "DBSubnetGroupNotFoundFault", "no group"),
        Answer::xml(
            "DescribeDBParameterGroups",
            "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>pg16</DBParameterGroupName></DBParameterGroup></DBParameterGroups>",
        ),
        Answer::xml_error(404, "DBParameterGroupNotFound", "no group"),
        Answer::xml_error(403, "AccessDenied", "not authorized"),
    ])
    .await;
    assert_eq!(aws.rds.has_subnet_group("subnets").await, Ok(true));
    assert_eq!(aws.rds.has_subnet_group("other").await, Ok(false));
    assert_eq!(aws.rds.has_parameter_group("pg16").await, Ok(true));
    assert_eq!(aws.rds.has_parameter_group("other").await, Ok(false));
    let error = aws.rds.has_subnet_group("subnets").await;
    assert_eq!(
        error.expect_err("refused").kind,
        PortErrorKind::AccessDenied
    );
    let requests = server.requests();
    assert_eq!(requests[1].form()["DBSubnetGroupName"], "other");
    assert_eq!(requests[2].form()["DBParameterGroupName"], "pg16");
}

#[tokio::test]
async fn quotas_come_with_their_numbers() {
    let answer = Answer::xml(
        "DescribeAccountAttributes",
        "<AccountQuotas><AccountQuota><AccountQuotaName>DBInstances</AccountQuotaName><Used>39</Used><Max>40</Max></AccountQuota>\
         <AccountQuota><AccountQuotaName>Unnumbered</AccountQuotaName></AccountQuota></AccountQuotas>",
    );
    let (aws, _server) = clients([answer]).await;
    let expected = Quota {
        name: "DBInstances".to_owned(),
        used: 39,
        max: 40,
    };
    assert_eq!(aws.rds.quotas().await, Ok(vec![expected]));
}

#[tokio::test]
async fn a_role_that_isnt_there_is_an_answer_and_a_refusal_is_not() {
    let role = "<Role><Path>/</Path><RoleName>dms-vpc-role</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::1:role/dms-vpc-role</Arn>\
                <CreateDate>2026-01-02T03:04:05Z</CreateDate></Role>";
    let (aws, server) = clients([
        Answer::xml("GetRole", role),
        Answer::xml_error(404, "NoSuchEntity", "The role cannot be found."),
        Answer::xml_error(403, "AccessDenied", "not authorized"),
    ])
    .await;
    assert_eq!(aws.roles.has_role("dms-vpc-role").await, Ok(true));
    assert_eq!(aws.roles.has_role("dms-vpc-role").await, Ok(false));
    let error = aws.roles.has_role("dms-vpc-role").await;
    let error = error.expect_err("refused");
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
    assert!(error.to_string().contains("iam:GetRole"), "{error}");
    let request = &server.requests()[0];
    assert_eq!(request.form()["RoleName"], "dms-vpc-role");
    assert!(request.headers["authorization"].contains("/iam/aws4_request"));
}
