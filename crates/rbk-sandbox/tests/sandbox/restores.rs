//! Restores: data and password of the backup, and RDS's defaults for the rest.

use std::time::Duration;

use rbk_sandbox::{InstanceBlueprint, Options, Pace, ParameterGroupBlueprint, Sandbox};
use tokio_postgres::config::SslMode;

use crate::client::{
    Login, PASSWORD, login, query, sandbox_with_orders, value, wait_for_status, wait_until,
};

const RESTORE: &str = "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec";

#[tokio::test]
async fn a_restore_without_groups_lets_nobody_in_until_one_is_attached() {
    let (sandbox, _) = sandbox_with_orders().await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    superuser
        .batch_execute(
            "INSERT INTO item VALUES (3); ALTER ROLE postgres PASSWORD 'later-Password1'",
        )
        .await
        .unwrap();
    let body = format!("{RESTORE}&DBSnapshotIdentifier={}", snapshot.id);
    let answer = query(&sandbox, &body).await.unwrap();
    assert_eq!(
        answer.element("DBInstanceStatus"),
        Some("creating"),
        "{answer}"
    );
    assert_eq!(answer.element("Endpoint"), None);
    wait_for_status(&sandbox, "rec", "available").await;

    let shown = query(&sandbox, "DescribeDBInstances&DBInstanceIdentifier=rec")
        .await
        .unwrap();
    for (name, default) in [
        ("VpcSecurityGroupId", "sg-0defa017"),
        ("MultiAZ", "false"),
        ("DeletionProtection", "false"),
        ("BackupRetentionPeriod", "7"),
        ("DBSubnetGroupName", "default"),
        // No tags were passed, so the source's are inherited.
        ("Key", "team"),
    ] {
        assert_eq!(shown.element(name), Some(default), "{name} in {shown}");
    }
    let port = sandbox.instance_address("rec").unwrap().port;
    let refused = login(&sandbox, port, Login::master()).await.err().unwrap();
    assert!(refused.as_db_error().is_none(), "{refused:?}");

    let attach =
        "ModifyDBInstance&DBInstanceIdentifier=rec&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-db";
    assert_eq!(query(&sandbox, attach).await.unwrap().status, 200);
    wait_until("the group is attached", async || {
        login(&sandbox, port, Login::master()).await.is_ok()
    })
    .await;
    let master = login(&sandbox, port, Login::master()).await.unwrap();
    assert_eq!(value(&master, "SELECT count(*) FROM item").await, "2");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_new_password_takes_effect_after_a_lag() {
    let (sandbox, address) = sandbox_with_orders().await;
    sandbox
        .inject("ModifyDBInstance:1:during:hold=reset".parse().unwrap())
        .unwrap();
    let modify = "ModifyDBInstance&DBInstanceIdentifier=orders&MasterUserPassword=second-Password2";
    let answer = query(&sandbox, modify).await.unwrap();
    assert_eq!(answer.element("DBInstanceStatus"), Some("available"));
    assert_eq!(answer.element("MasterUserPassword"), Some("****"));
    sandbox.wait_until_held("reset").await;
    login(&sandbox, address.port, Login::master())
        .await
        .unwrap();
    sandbox.release_hold("reset");
    wait_until("nothing is pending", async || {
        let shown = query(&sandbox, "DescribeDBInstances").await.unwrap();
        shown.element("MasterUserPassword").is_none()
    })
    .await;
    let renewed = Login {
        password: "second-Password2",
        ..Login::master()
    };
    login(&sandbox, address.port, renewed).await.unwrap();
    assert!(
        login(&sandbox, address.port, Login::master())
            .await
            .is_err()
    );
    let written = std::fs::read_to_string(sandbox.directory().join("ledger.jsonl")).unwrap();
    assert!(written.contains("MasterUserPassword") && !written.contains("second-Password2"));
    for log in ["second-Password2", PASSWORD] {
        for entry in std::fs::read_dir(sandbox.directory().join("c")).unwrap() {
            let log_file = entry.unwrap().path().join("server.log");
            assert!(!std::fs::read_to_string(log_file).unwrap().contains(log));
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_final_snapshot_holds_the_last_state_of_a_deleted_instance() {
    let (sandbox, _) = sandbox_with_orders().await;
    let protected = "DeleteDBInstance&DBInstanceIdentifier=orders&FinalDBSnapshotIdentifier=fin";
    let refused = query(&sandbox, protected).await.unwrap();
    assert_eq!(refused.element("Code"), Some("InvalidParameterCombination"));
    let unprotect = "ModifyDBInstance&DBInstanceIdentifier=orders&DeletionProtection=false";
    query(&sandbox, unprotect).await.unwrap();
    let directory = sandbox.instance_address("orders").unwrap().socket_directory;
    let answer = query(&sandbox, protected).await.unwrap();
    assert_eq!(
        answer.element("DBInstanceStatus"),
        Some("deleting"),
        "{answer}"
    );
    wait_until("the instance is gone", async || {
        sandbox.instance_status("orders").is_none()
    })
    .await;
    assert!(!directory.exists());
    let body = format!(
        "{RESTORE}&DBSnapshotIdentifier=fin&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-db"
    );
    query(&sandbox, &body).await.unwrap();
    wait_for_status(&sandbox, "rec", "available").await;
    let port = sandbox.instance_address("rec").unwrap().port;
    let master = login(&sandbox, port, Login::master()).await.unwrap();
    assert_eq!(value(&master, "SELECT count(*) FROM item").await, "2");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_restore_that_is_deleted_while_creating_leaves_nothing() {
    let (sandbox, _) = sandbox_with_orders().await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let hold = "RestoreDBInstanceFromDBSnapshot:1:during:hold=restore";
    sandbox.inject(hold.parse().unwrap()).unwrap();
    let body = format!("{RESTORE}&DBSnapshotIdentifier={}", snapshot.id);
    query(&sandbox, &body).await.unwrap();
    sandbox.wait_until_held("restore").await;
    let named = "DeleteDBInstance&DBInstanceIdentifier=rec&FinalDBSnapshotIdentifier=fin";
    let refused = query(&sandbox, named).await.unwrap();
    assert_eq!(
        refused.element("Code"),
        Some("InvalidDBInstanceState"),
        "{refused}"
    );
    let skip = "DeleteDBInstance&DBInstanceIdentifier=rec&SkipFinalSnapshot=true";
    assert_eq!(query(&sandbox, skip).await.unwrap().status, 200);
    let again = query(&sandbox, skip).await.unwrap();
    assert!(again.body.contains("is already being deleted"), "{again}");
    sandbox.release_hold("restore");
    wait_until("the instance is gone", async || {
        sandbox.instance_status("rec").is_none()
    })
    .await;
    let clusters = std::fs::read_dir(sandbox.directory().join("c"))
        .unwrap()
        .count();
    assert_eq!(clusters, 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_restored_instance_flaps_if_it_shall() {
    let (sandbox, _) = sandbox_with_orders().await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let flap = "RestoreDBInstanceFromDBSnapshot:1:flap";
    sandbox.inject(flap.parse().unwrap()).unwrap();
    let body = format!("{RESTORE}&DBSnapshotIdentifier={}", snapshot.id);
    query(&sandbox, &body).await.unwrap();
    let mut seen = vec!["creating".to_owned()];
    wait_until("it has flapped", async || {
        let status = sandbox.instance_status("rec").unwrap();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        seen.len() == 4
    })
    .await;
    assert_eq!(seen, ["creating", "available", "backing-up", "available"]);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn at_real_pace_a_restore_takes_its_time_and_strangers_meet_silence() {
    let options = Options {
        pace: Pace::Real,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, |_| {}).await.unwrap();
    let blueprint = InstanceBlueprint::new("orders", "shop", "postgres", PASSWORD.into());
    let address = sandbox.create_instance(blueprint).await.unwrap();
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let body = format!("{RESTORE}&DBSnapshotIdentifier={}", snapshot.id);
    query(&sandbox, &body).await.unwrap();
    // The default security group admits nobody, and a network says nothing about that.
    let attempt = login(&sandbox, address.port, Login::master());
    let silence = tokio::time::timeout(Duration::from_millis(500), attempt).await;
    assert!(silence.is_err());
    assert_eq!(sandbox.instance_status("rec").as_deref(), Some("creating"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn expired_snapshots_cant_be_restored() {
    let (sandbox, _) = sandbox_with_orders().await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    sandbox.expire_snapshots("orders").await.unwrap();
    let body = format!("{RESTORE}&DBSnapshotIdentifier={}", snapshot.id);
    let refused = query(&sandbox, &body).await.unwrap();
    assert_eq!(refused.element("Code"), Some("DBSnapshotNotFound"));
    let backups = std::fs::read_dir(sandbox.directory().join("b")).unwrap();
    assert_eq!(backups.count(), 0);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn automated_backups_outlive_their_instance_only_if_they_are_kept() {
    for (keep, left) in [(true, 1), (false, 0)] {
        let (sandbox, _) = sandbox_with_orders().await;
        sandbox.take_automated_snapshot("orders").await.unwrap();
        let unprotect = "ModifyDBInstance&DBInstanceIdentifier=orders&DeletionProtection=false";
        query(&sandbox, unprotect).await.unwrap();
        let delete = format!(
            "DeleteDBInstance&DBInstanceIdentifier=orders&SkipFinalSnapshot=true&DeleteAutomatedBackups={}",
            !keep
        );
        query(&sandbox, &delete).await.unwrap();
        wait_until("the instance is gone", async || {
            sandbox.instance_status("orders").is_none()
        })
        .await;
        let snapshots = query(&sandbox, "DescribeDBSnapshots").await.unwrap();
        assert_eq!(snapshots.body.matches("<DBSnapshot>").count(), left);
        let backups = query(&sandbox, "DescribeDBInstanceAutomatedBackups")
            .await
            .unwrap();
        assert_eq!(
            backups.body.matches("<Status>retained</Status>").count(),
            left
        );
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn a_parameter_group_must_fit_and_decides_about_tls() {
    let (sandbox, _) = sandbox_with_orders().await;
    for (name, family) in [
        ("lax", sandbox.parameter_group_family()),
        ("old", "postgres11".into()),
    ] {
        sandbox.declare_parameter_group(ParameterGroupBlueprint {
            name: name.into(),
            family,
            force_ssl: false,
        });
    }
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let body = format!(
        "{RESTORE}&DBSnapshotIdentifier={}&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-db&DBParameterGroupName",
        snapshot.id
    );
    let refused = query(&sandbox, &format!("{body}=old")).await.unwrap();
    assert_eq!(refused.element("Code"), Some("InvalidParameterCombination"));
    query(&sandbox, &format!("{body}=lax")).await.unwrap();
    wait_for_status(&sandbox, "rec", "available").await;
    let port = sandbox.instance_address("rec").unwrap().port;
    let plain = Login {
        ssl: SslMode::Disable,
        ..Login::master()
    };
    login(&sandbox, port, plain).await.unwrap();
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_renamed_instance_keeps_its_resource_id_and_its_data() {
    let (sandbox, _) = sandbox_with_orders().await;
    let shown = query(&sandbox, "DescribeDBInstances").await.unwrap();
    let resource_id = shown.element("DbiResourceId").unwrap().to_owned();
    let rename = "ModifyDBInstance&DBInstanceIdentifier=orders&NewDBInstanceIdentifier=Old-Orders&ApplyImmediately=true";
    query(&sandbox, rename).await.unwrap();
    wait_for_status(&sandbox, "old-orders", "available").await;
    let filter = format!(
        "DescribeDBInstances&Filters.Filter.1.Name=dbi-resource-id&Filters.Filter.1.Values.Value.1={resource_id}"
    );
    let shown = query(&sandbox, &filter).await.unwrap();
    assert_eq!(shown.element("DBInstanceIdentifier"), Some("old-orders"));
    let gone = query(&sandbox, "DescribeDBInstances&DBInstanceIdentifier=orders")
        .await
        .unwrap();
    assert_eq!(
        (gone.status, gone.element("Code")),
        (404, Some("DBInstanceNotFound"))
    );
    let port = sandbox.instance_address("old-orders").unwrap().port;
    login(&sandbox, port, Login::master()).await.unwrap();
    sandbox.shutdown().await;
}
