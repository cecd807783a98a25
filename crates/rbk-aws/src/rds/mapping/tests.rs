//! RDS's answers, and what becomes of them.

use super::*;
use aws_sdk_rds::types::{
    DbParameterGroupStatus, DbSubnetGroup, MasterUserSecret, OptionGroupMembership, Tag,
    VpcSecurityGroupMembership,
};
use aws_smithy_types::DateTime;

fn least() -> aws_sdk_rds::types::builders::DbInstanceBuilder {
    DbInstance::builder()
        .db_instance_identifier("recovery")
        .dbi_resource_id("db-ABC")
        .db_instance_status("available")
}

fn parameter_group(status: &str) -> DbParameterGroupStatus {
    DbParameterGroupStatus::builder()
        .db_parameter_group_name("pg16")
        .parameter_apply_status(status)
        .build()
}

fn security_group(status: &str) -> VpcSecurityGroupMembership {
    VpcSecurityGroupMembership::builder()
        .vpc_security_group_id("sg-1")
        .status(status)
        .build()
}

#[test]
fn an_instance_is_mapped_whole() {
    let db = least()
        .engine("postgres")
        .engine_version("16.4")
        .master_username("admin")
        .endpoint(
            aws_sdk_rds::types::Endpoint::builder()
                .address("db.example")
                .port(5432)
                .build(),
        )
        .instance_create_time(DateTime::from_secs_and_nanos(1_790_000_000, 250_000_000))
        .latest_restorable_time(DateTime::from_secs(1_790_000_300))
        .db_instance_class("db.r6g.large")
        .db_subnet_group(
            DbSubnetGroup::builder()
                .db_subnet_group_name("subnets")
                .build(),
        )
        .vpc_security_groups(security_group("active"))
        .db_parameter_groups(parameter_group("in-sync"))
        .multi_az(true)
        .publicly_accessible(false)
        .storage_type("gp3")
        .iam_database_authentication_enabled(true)
        .backup_retention_period(7)
        .deletion_protection(true)
        .tag_list(Tag::builder().key("rbk:run").value("r1").build())
        .tag_list(Tag::builder().key("bare").build())
        .build();
    let tags = BTreeMap::from([
        ("bare".to_owned(), String::new()),
        ("rbk:run".to_owned(), "r1".to_owned()),
    ]);
    let expected = Instance {
        id: InstanceId::from("recovery"),
        resource: ResourceId::from("db-ABC"),
        status: "available".to_owned(),
        endpoint: Some(Endpoint {
            host: "db.example".to_owned(),
            port: 5432,
        }),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        master_username: "admin".to_owned(),
        created_at: Some("2026-09-21T14:13:20.25Z".parse().expect("a time")),
        settings: InstanceSettings {
            instance: InstanceId::from("recovery"),
            class: "db.r6g.large".to_owned(),
            subnet_group: "subnets".to_owned(),
            security_groups: vec!["sg-1".to_owned()],
            parameter_group: "pg16".to_owned(),
            multi_az: true,
            publicly_accessible: false,
            storage_type: Some("gp3".to_owned()),
            iam_authentication: true,
            retention_days: 7,
            deletion_protection: true,
            tags: tags.clone(),
        },
        pending: Vec::new(),
        unsettled: Vec::new(),
        latest_restorable_time: Some("2026-09-21T14:18:20Z".parse().expect("a time")),
        managed_master_secret: false,
        tags,
    };
    assert_eq!(instance(&db), Ok(expected.clone()));
    assert!(expected.is_settled());
}

#[test]
fn an_instance_in_creation_has_little_yet() {
    let half = aws_sdk_rds::types::Endpoint::builder().port(5432).build();
    let db = least()
        .db_instance_status("creating")
        .endpoint(half)
        .build();
    let instance = instance(&db).expect("an instance");
    assert_eq!(instance.endpoint, None);
    assert_eq!(instance.created_at, None);
    assert_eq!(instance.settings.parameter_group, "");
}

#[test]
fn what_must_be_there_is_named_when_it_is_not() {
    let missing = |db: DbInstance| instance(&db).expect_err("something is missing");
    assert_eq!(
        missing(DbInstance::builder().build()),
        "DBInstanceIdentifier"
    );
    assert_eq!(
        missing(least().dbi_resource_id("").build()),
        "DbiResourceId"
    );
    assert_eq!(
        missing(least().set_db_instance_status(None).build()),
        "DBInstanceStatus"
    );
    let endpoint = aws_sdk_rds::types::Endpoint::builder()
        .address("db.example")
        .port(70_000)
        .build();
    assert_eq!(
        missing(least().endpoint(endpoint).build()),
        "valid Endpoint.Port"
    );
}

#[test]
fn pending_values_are_named_never_told() {
    let values = PendingModifiedValues::builder()
        .master_user_password("****")
        .multi_az(false)
        .backup_retention_period(0)
        .build();
    let db = least().pending_modified_values(values).build();
    let mapped = instance(&db).expect("an instance");
    assert_eq!(
        mapped.pending,
        ["MasterUserPassword", "BackupRetentionPeriod", "MultiAZ"]
    );
    assert!(!mapped.is_settled());

    let none = PendingModifiedValues::builder().build();
    let db = least().pending_modified_values(none).build();
    assert!(instance(&db).expect("an instance").is_settled());
}

#[test]
fn what_is_not_in_force_yet_keeps_an_instance_unsettled() {
    let option_group = OptionGroupMembership::builder()
        .option_group_name("default:postgres-16")
        .status("pending-apply")
        .build();
    let secret = MasterUserSecret::builder()
        .secret_status("rotating")
        .build();
    let db = least()
        .db_parameter_groups(parameter_group("applying"))
        .vpc_security_groups(security_group("adding"))
        .option_group_memberships(option_group)
        .master_user_secret(secret)
        .build();
    let mapped = instance(&db).expect("an instance");
    assert_eq!(
        mapped.unsettled,
        [
            "parameter group pg16 is applying",
            "security group sg-1 is adding",
            "option group default:postgres-16 is pending-apply",
            "the managed master secret is rotating",
        ]
    );
    assert!(mapped.managed_master_secret);
    assert!(!mapped.is_settled());

    let db = least()
        .db_parameter_groups(parameter_group("pending-reboot"))
        .build();
    assert_eq!(
        instance(&db).expect("an instance").unsettled,
        [
            "parameter group pg16 is pending-reboot: some of its parameters take effect only after a reboot"
        ]
    );
}

#[test]
fn a_snapshot_is_mapped_whole() {
    let db = DbSnapshot::builder()
        .db_snapshot_identifier("rds:source-2026-11-22-03-00")
        .db_instance_identifier("source")
        .dbi_resource_id("db-ABC")
        .snapshot_create_time(DateTime::from_secs(1_790_000_000))
        .snapshot_database_time(DateTime::from_secs(1_789_999_000))
        .snapshot_type("automated")
        .status("available")
        .engine("postgres")
        .engine_version("16.4")
        .allocated_storage(20)
        .master_username("admin")
        .build();
    let expected = Snapshot {
        id: SnapshotId::from("rds:source-2026-11-22-03-00"),
        instance: InstanceId::from("source"),
        resource: Some(ResourceId::from("db-ABC")),
        created_at: Some("2026-09-21T14:13:20Z".parse().expect("a time")),
        data_as_of: Some("2026-09-21T13:56:40Z".parse().expect("a time")),
        kind: "automated".to_owned(),
        status: "available".to_owned(),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        allocated_storage: Some(20),
        master_username: Some("admin".to_owned()),
    };
    assert_eq!(snapshot(&db), Ok(expected));
}

#[test]
fn a_snapshot_in_the_making_has_no_time_yet() {
    let db = DbSnapshot::builder()
        .db_snapshot_identifier("new")
        .db_instance_identifier("source")
        .status("creating")
        .build();
    let mapped = snapshot(&db).expect("a snapshot");
    assert_eq!(mapped.created_at, None);
    assert_eq!(mapped.data_time(), None);
    assert_eq!(
        snapshot(&DbSnapshot::builder().build()),
        Err("DBSnapshotIdentifier")
    );
}
