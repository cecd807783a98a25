//! RDS over the wire: pages, retries of reads, mutations sent once, every parameter of a restore.

use super::*;
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::plan::InstanceSettings;
use rbk_core::ports::{PortErrorKind, RestoreRequest, Sent};
use secrecy::SecretString;
use std::collections::BTreeMap;

const PASSWORD: &str = "correct-horse&battery";

fn instance_xml(id: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DbiResourceId>db-ABC</DbiResourceId>\
         <DBInstanceStatus>creating</DBInstanceStatus><Engine>postgres</Engine></DBInstance>"
    )
}

fn described(id: &str) -> Answer {
    let list = format!("<DBInstances>{}</DBInstances>", instance_xml(id));
    Answer::xml("DescribeDBInstances", &list)
}

fn page(ids: &[&str], marker: Option<&str>) -> Answer {
    let snapshots: String = ids
        .iter()
        .map(|id| {
            format!(
                "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier>\
                 <DBInstanceIdentifier>source</DBInstanceIdentifier><Status>available</Status></DBSnapshot>"
            )
        })
        .collect();
    let marker = marker.map_or(String::new(), |marker| format!("<Marker>{marker}</Marker>"));
    Answer::xml(
        "DescribeDBSnapshots",
        &format!("{marker}<DBSnapshots>{snapshots}</DBSnapshots>"),
    )
}

fn throttled() -> Answer {
    Answer::xml_error(400, "Throttling", "Rate exceeded")
}

fn unavailable() -> Answer {
    Answer::xml_error(503, "ServiceUnavailable", "Try later")
}

fn id(text: &str) -> InstanceId {
    InstanceId::from(text)
}

fn request() -> RestoreRequest {
    RestoreRequest {
        snapshot: SnapshotId::from("rds:source-2026-11-22-03-00"),
        settings: InstanceSettings {
            instance: id("recovery"),
            class: "db.r6g.large".to_owned(),
            subnet_group: "subnets".to_owned(),
            security_groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
            parameter_group: "pg16-custom".to_owned(),
            multi_az: true,
            publicly_accessible: false,
            storage_type: Some("gp3".to_owned()),
            iam_authentication: true,
            retention_days: 7,
            deletion_protection: true,
            tags: BTreeMap::new(),
        },
        tags: BTreeMap::from([
            ("cost".to_owned(), "a b".to_owned()),
            ("rbk:run".to_owned(), "r1".to_owned()),
        ]),
    }
}

#[tokio::test]
async fn an_instance_is_described_by_name() {
    let (aws, server) = clients([described("source")]).await;
    let instance = aws.rds.instance(&id("source")).await.expect("an answer");
    let instance = instance.expect("an instance");
    assert_eq!(instance.id, id("source"));
    assert_eq!(instance.resource.as_str(), "db-ABC");
    assert_eq!(instance.endpoint, None, "absent while creating");
    let form = server.only_request().form();
    assert_eq!(form["Action"], "DescribeDBInstances");
    assert_eq!(form["DBInstanceIdentifier"], "source");
}

#[tokio::test]
async fn a_missing_instance_is_none_in_every_spelling_of_it() {
    for code in ["DBInstanceNotFound", "DBInstanceNotFoundFault"] {
        let answer = Answer::xml_error(404, code, "DBInstance source not found.");
        let (aws, _server) = clients([answer]).await;
        assert_eq!(aws.rds.instance(&id("source")).await, Ok(None), "{code}");
    }
    let (aws, _server) = clients([Answer::xml("DescribeDBInstances", "<DBInstances/>")]).await;
    assert_eq!(aws.rds.instance(&id("source")).await, Ok(None));
}

#[tokio::test]
async fn something_else_that_is_not_found_is_no_missing_instance() {
    let not_rds = Answer::Status(404, "<html>no such page</html>".to_owned());
    let (aws, _server) = clients([not_rds]).await;
    let error = aws.rds.instance(&id("source")).await.expect_err("no RDS");
    assert_eq!(error.kind, PortErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn another_instance_is_not_taken_for_the_one_that_was_asked_for() {
    let (aws, _server) = clients([described("other")]).await;
    let error = aws.rds.instance(&id("source")).await.expect_err("another");
    assert_eq!(error.kind, PortErrorKind::Protocol);
    let (aws, _server) = clients([described("source")]).await;
    let found = aws.rds.instance(&id("SOURCE")).await;
    assert!(
        matches!(found, Ok(Some(_))),
        "RDS keeps names in lower case"
    );
}

#[tokio::test]
async fn reads_outlast_throttling_server_errors_and_cut_connections() {
    for trouble in [throttled(), unavailable(), Answer::Cut, Answer::Torn] {
        let script = [trouble.clone(), trouble.clone(), described("source")];
        let (aws, server) = clients(script).await;
        let found = aws.rds.instance(&id("source")).await;
        assert!(matches!(found, Ok(Some(_))), "{trouble:?}: {found:?}");
        assert_eq!(server.requests().len(), 3, "{trouble:?}");
    }
}

#[tokio::test]
async fn reads_give_up_in_the_end() {
    for (trouble, kind) in [
        (throttled(), PortErrorKind::Throttled),
        (unavailable(), PortErrorKind::Unreachable),
        (Answer::Cut, PortErrorKind::Unreachable),
        (Answer::Torn, PortErrorKind::Unreachable),
    ] {
        let (aws, server) = clients(vec![trouble.clone(); 9]).await;
        let error = aws.rds.instance(&id("source")).await.expect_err("trouble");
        assert_eq!(error.kind, kind, "{trouble:?}: {error}");
        assert_eq!(server.requests().len(), 3, "{trouble:?}");
    }
}

#[tokio::test]
async fn refusals_are_not_repeated() {
    let denied = Answer::xml_error(403, "AccessDenied", "User: u is not authorized");
    let (aws, server) = clients([denied]).await;
    let error = aws.rds.instance(&id("source")).await.expect_err("denied");
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
    assert_eq!(error.sent, Sent::No);
    assert_eq!(
        error.to_string(),
        "describing instance `source`: not allowed to perform rds:DescribeDBInstances: User: u is not authorized"
    );
    assert_eq!(error.code.as_deref(), Some("AccessDenied"));
    assert_eq!(error.request_id.as_deref(), Some("request-of-the-header"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn snapshots_come_from_all_pages() {
    let (aws, server) = clients([
        page(&["rds:a", "b"], Some("m1")),
        throttled(),
        page(&[], Some("m2")),
        page(&["c"], None),
    ])
    .await;
    let snapshots = aws.rds.snapshots(&id("source")).await.expect("snapshots");
    let names: Vec<&str> = snapshots.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(names, ["rds:a", "b", "c"]);
    let markers: Vec<Option<String>> = server
        .requests()
        .iter()
        .map(|request| request.form().get("Marker").cloned())
        .collect();
    let marker = |text: &str| Some(text.to_owned());
    assert_eq!(markers, [None, marker("m1"), marker("m1"), marker("m2")]);
    for request in server.requests() {
        let form = request.form();
        assert_eq!(form["DBInstanceIdentifier"], "source");
        assert!(
            !form.contains_key("SnapshotType"),
            "automated and manual ones"
        );
    }
}

#[tokio::test]
async fn pages_in_a_circle_are_an_error_not_an_incomplete_list() {
    let (aws, _server) = clients([page(&["a"], Some("m")), page(&["b"], Some("m"))]).await;
    let error = aws.rds.snapshots(&id("source")).await.expect_err("circle");
    assert_eq!(error.kind, PortErrorKind::Protocol);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list() {
    let gone = Answer::xml_error(404, "DBSnapshotNotFound", "gone");
    let (aws, _server) = clients([page(&["a"], Some("m")), gone.clone()]).await;
    let error = aws.rds.snapshots(&id("source")).await.expect_err("page 2");
    assert_eq!(error.kind, PortErrorKind::NotFound);
    let (aws, _server) = clients([gone]).await;
    assert_eq!(aws.rds.snapshots(&id("source")).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_restore_sends_every_setting() {
    let answer = Answer::xml("RestoreDBInstanceFromDBSnapshot", &instance_xml("recovery"));
    let (aws, server) = clients([answer]).await;
    let instance = aws
        .rds
        .restore_from_snapshot(&request())
        .await
        .expect("accepted");
    assert_eq!(instance.status, "creating");
    let expected = BTreeMap::from(
        [
            ("Action", "RestoreDBInstanceFromDBSnapshot"),
            ("Version", "2014-10-31"),
            ("DBInstanceIdentifier", "recovery"),
            ("DBSnapshotIdentifier", "rds:source-2026-11-22-03-00"),
            ("DBInstanceClass", "db.r6g.large"),
            ("DBSubnetGroupName", "subnets"),
            ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-1"),
            ("VpcSecurityGroupIds.VpcSecurityGroupId.2", "sg-2"),
            ("DBParameterGroupName", "pg16-custom"),
            ("MultiAZ", "true"),
            ("PubliclyAccessible", "false"),
            ("DeletionProtection", "true"),
            ("EnableIAMDatabaseAuthentication", "true"),
            ("BackupRetentionPeriod", "7"),
            ("StorageType", "gp3"),
            ("CopyTagsToSnapshot", "true"),
            ("Tags.Tag.1.Key", "cost"),
            ("Tags.Tag.1.Value", "a b"),
            ("Tags.Tag.2.Key", "rbk:run"),
            ("Tags.Tag.2.Value", "r1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(server.only_request().form(), expected);
}

#[tokio::test]
async fn a_restore_without_a_storage_type_leaves_it_to_rds() {
    let answer = Answer::xml("RestoreDBInstanceFromDBSnapshot", &instance_xml("recovery"));
    let (aws, server) = clients([answer]).await;
    let mut request = request();
    request.settings.storage_type = None;
    aws.rds
        .restore_from_snapshot(&request)
        .await
        .expect("accepted");
    assert!(!server.only_request().form().contains_key("StorageType"));
}

#[tokio::test]
async fn a_mutation_is_sent_once_whatever_comes_back() {
    use PortErrorKind::*;
    let taken = Answer::xml_error(400, "DBInstanceAlreadyExists", "DB instance already exists");
    let no_room = Answer::xml_error(400, "InsufficientDBInstanceCapacity", "none in the zone");
    let no_sense = Answer::Status(200, "<html/>".to_owned());
    let half_sense = Answer::xml("RestoreDBInstanceFromDBSnapshot", "");
    let proxy = Answer::Status(502, "<html>bad gateway</html>".to_owned());
    for (answer, kind, sent) in [
        (throttled(), Throttled, Sent::No),
        (taken, AlreadyExists, Sent::No),
        (no_room, Quota, Sent::No),
        (unavailable(), Unreachable, Sent::Maybe),
        (proxy, Unreachable, Sent::Maybe),
        (Answer::Cut, Unreachable, Sent::Maybe),
        (Answer::Torn, Unreachable, Sent::Maybe),
        (Answer::Silence, Unreachable, Sent::Maybe),
        (no_sense, Protocol, Sent::Maybe),
        (half_sense, Protocol, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws
            .rds
            .restore_from_snapshot(&request())
            .await
            .expect_err("trouble");
        assert_eq!(
            (error.kind, error.sent),
            (kind, sent),
            "{answer:?}: {error}"
        );
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_mutation_on_a_connection_that_has_died_is_sent_once_at_most() {
    // The connection of the read is kept and then cut within the mutation's answer.
    let (aws, server) = clients([described("recovery"), Answer::Cut]).await;
    aws.rds.instance(&id("recovery")).await.expect("a read");
    let error = aws
        .rds
        .restore_from_snapshot(&request())
        .await
        .expect_err("cut");
    assert_eq!(error.sent, Sent::Maybe);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_mutation_that_found_no_server_was_not_sent() {
    let (aws, server) = clients([]).await;
    drop(server);
    tokio::task::yield_now().await;
    let error = aws
        .rds
        .restore_from_snapshot(&request())
        .await
        .expect_err("no server");
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert_eq!(error.sent, Sent::No, "{error}");
}

#[tokio::test]
async fn a_password_is_set_without_applying_what_else_is_pending() {
    let pending = instance_xml("recovery").replace(
        "</DBInstance>",
        "<PendingModifiedValues><MasterUserPassword>****</MasterUserPassword></PendingModifiedValues></DBInstance>",
    );
    let (aws, server) = clients([Answer::xml("ModifyDBInstance", &pending)]).await;
    let instance = aws
        .rds
        .set_master_password(&id("recovery"), &SecretString::from(PASSWORD))
        .await
        .expect("accepted");
    assert_eq!(instance.pending, ["MasterUserPassword"]);
    let expected = BTreeMap::from(
        [
            ("Action", "ModifyDBInstance"),
            ("Version", "2014-10-31"),
            ("DBInstanceIdentifier", "recovery"),
            ("MasterUserPassword", PASSWORD),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(server.only_request().form(), expected);
}

#[tokio::test]
async fn a_password_is_sent_once_whatever_comes_back() {
    for (answer, sent) in [
        (throttled(), Sent::No),
        (unavailable(), Sent::Maybe),
        (Answer::Cut, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws
            .rds
            .set_master_password(&id("recovery"), &SecretString::from(PASSWORD))
            .await
            .expect_err("trouble");
        assert_eq!(error.sent, sent, "{answer:?}: {error}");
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn an_error_does_not_repeat_the_password() {
    let refusal = Answer::xml_error(
        400,
        "InvalidParameterValue",
        "The parameter MasterUserPassword (correct-horse&amp;battery) is not a valid password",
    );
    let (aws, _server) = clients([refusal]).await;
    let error = aws
        .rds
        .set_master_password(&id("recovery"), &SecretString::from(PASSWORD))
        .await
        .expect_err("refused");
    assert_eq!(
        error.message,
        "The parameter MasterUserPassword ([hidden]) is not a valid password"
    );
    assert!(!format!("{error:?}").contains(PASSWORD));
}

#[tokio::test]
async fn nothing_to_modify_is_already_so() {
    let nothing = Answer::xml_error(
        400,
        "InvalidParameterCombination",
        "No modifications were requested",
    );
    let (aws, _server) = clients([nothing]).await;
    let error = aws
        .rds
        .set_master_password(&id("recovery"), &SecretString::from(PASSWORD))
        .await
        .expect_err("refused");
    assert_eq!(error.kind, PortErrorKind::AlreadySo);
    assert_eq!(error.sent, Sent::No);
}

fn form_of(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn protection_is_switched_without_applying_what_else_is_pending() {
    for (on, value) in [(false, "false"), (true, "true")] {
        let answer = Answer::xml("ModifyDBInstance", &instance_xml("recovery"));
        let (aws, server) = clients([answer]).await;
        let switched = aws.rds.set_deletion_protection(&id("recovery"), on).await;
        assert_eq!(switched.expect("accepted").id, id("recovery"));
        let expected = form_of(&[
            ("Action", "ModifyDBInstance"),
            ("Version", "2014-10-31"),
            ("DBInstanceIdentifier", "recovery"),
            ("DeletionProtection", value),
        ]);
        assert_eq!(server.only_request().form(), expected);
    }
}

#[tokio::test]
async fn a_deletion_sends_its_final_snapshot_or_that_there_is_none() {
    let answer = || Answer::xml("DeleteDBInstance", &instance_xml("recovery"));
    let (aws, server) = clients([answer(), answer()]).await;
    let last = SnapshotId::from("fin-recovery-r1");
    for snapshot in [Some(&last), None] {
        aws.rds
            .delete_instance(&id("recovery"), snapshot)
            .await
            .expect("accepted");
    }
    let common = [
        ("Action", "DeleteDBInstance"),
        ("Version", "2014-10-31"),
        ("DBInstanceIdentifier", "recovery"),
    ];
    let mut with = form_of(&common);
    with.extend(form_of(&[
        ("SkipFinalSnapshot", "false"),
        ("FinalDBSnapshotIdentifier", "fin-recovery-r1"),
    ]));
    let mut without = form_of(&common);
    without.extend(form_of(&[("SkipFinalSnapshot", "true")]));
    let sent: Vec<_> = server.requests().iter().map(|one| one.form()).collect();
    assert_eq!(sent, [with, without]);
}

#[tokio::test]
async fn a_deletion_is_sent_once_and_says_what_was_in_its_way() {
    use PortErrorKind::*;
    let error = |code: &str, message: &str| Answer::xml_error(400, code, message);
    for (answer, kind, sent) in [
        (
            error(
                "InvalidDBInstanceState",
                "Instance recovery is already being deleted.",
            ),
            AlreadySo,
            Sent::No,
        ),
        (
            error("InvalidDBInstanceState", "is modifying"),
            InvalidState,
            Sent::No,
        ),
        (
            error("DBSnapshotAlreadyExists", "taken"),
            AlreadyExists,
            Sent::No,
        ),
        (error("SnapshotQuotaExceeded", "too many"), Quota, Sent::No),
        (
            error(
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            ),
            InvalidRequest,
            Sent::No,
        ),
        (
            Answer::xml_error(404, "DBInstanceNotFound", "gone"),
            NotFound,
            Sent::No,
        ),
        (throttled(), Throttled, Sent::No),
        (unavailable(), Unreachable, Sent::Maybe),
        (Answer::Cut, Unreachable, Sent::Maybe),
        (Answer::Torn, Unreachable, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws
            .rds
            .delete_instance(&id("recovery"), None)
            .await
            .expect_err("trouble");
        assert_eq!(
            (error.kind, error.sent),
            (kind, sent),
            "{answer:?}: {error}"
        );
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_snapshot_is_described_by_name_and_by_its_type_where_rds_wants_it() {
    for (name, kind) in [
        ("fin-recovery-r1", None),
        ("rds:source-2026-11-22-03-00", Some("automated")),
        ("awsbackup:job-1", Some("awsbackup")),
    ] {
        let (aws, server) = clients([page(&[name], None)]).await;
        let found = aws.rds.snapshot(&SnapshotId::from(name)).await;
        let found = found.expect("an answer").expect("a snapshot");
        assert_eq!(
            (found.id.as_str(), found.status.as_str()),
            (name, "available")
        );
        let form = server.only_request().form();
        assert_eq!(form["DBSnapshotIdentifier"], name);
        assert_eq!(form.get("SnapshotType").map(String::as_str), kind);
    }
}

#[tokio::test]
async fn a_missing_snapshot_is_none_and_another_one_is_not_believed() {
    let gone = Answer::xml_error(404, "DBSnapshotNotFound", "gone");
    let last = SnapshotId::from("fin-recovery-r1");
    for answer in [gone, page(&[], None)] {
        let (aws, _server) = clients([answer]).await;
        assert_eq!(aws.rds.snapshot(&last).await, Ok(None));
    }
    for answer in [
        page(&["other"], None),
        page(&["fin-recovery-r1", "b"], None),
    ] {
        let (aws, _server) = clients([answer]).await;
        let error = aws.rds.snapshot(&last).await.expect_err("other");
        assert_eq!(error.kind, PortErrorKind::Protocol);
    }
}

#[tokio::test]
async fn instances_of_rbk_are_found_on_every_page_by_their_tag() {
    let tagged = |id: &str, key: &str| {
        let tags =
            format!("<TagList><Tag><Key>{key}</Key><Value>r1</Value></Tag></TagList></DBInstance>");
        instance_xml(id).replace("</DBInstance>", &tags)
    };
    let page = |marker: &str, instances: &str| {
        let list = format!("{marker}<DBInstances>{instances}</DBInstances>");
        Answer::xml("DescribeDBInstances", &list)
    };
    // Of what isn't rbk's nothing need be well-formed.
    let odd = "<DBInstance><DBInstanceIdentifier>odd</DBInstanceIdentifier></DBInstance>";
    let first = format!(
        "{}{}{odd}",
        tagged("theirs", "team"),
        tagged("one", "rbk:run")
    );
    let (aws, server) = clients([
        page("<Marker>m1</Marker>", &first),
        throttled(),
        page("", &tagged("two", "rbk:run")),
    ])
    .await;
    let found = aws.rds.created_by_rbk().await.expect("instances");
    let names: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    let markers: Vec<_> = server
        .requests()
        .iter()
        .map(|one| one.form().get("Marker").cloned())
        .collect();
    let second = Some("m1".to_owned());
    assert_eq!(markers, [None, second.clone(), second]);
}
