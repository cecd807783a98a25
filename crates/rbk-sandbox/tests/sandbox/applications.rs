//! The stand-in for the team's service.

use rbk_sandbox::{ActiveSecret, ApplicationBlueprint, Sandbox, SecurityGroupBlueprint};

use crate::client::{
    http, operator, query, sandbox_with_orders, secrets, value, wait_for_status, wait_until,
};

fn credentials(port: u16, password: &str) -> String {
    format!(
        r#"{{"engine":"postgres","host":"127.0.0.1","port":{port},"username":"app","password":"{password}","dbname":"shop"}}"#
    )
}

async fn admit_application(sandbox: &Sandbox) {
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator(), "127.0.0.2".parse().unwrap()],
    });
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    superuser
        .batch_execute("SET ROLE postgres; CREATE ROLE app LOGIN PASSWORD 'application-1'")
        .await
        .unwrap();
}

async fn health(url: &str) -> (u16, String) {
    let base = url.trim_end_matches("/health");
    let answer = http(base, "GET", "/health", &[], "").await.unwrap();
    (answer.status, answer.body)
}

#[tokio::test]
async fn an_application_follows_its_pointer_to_another_database() {
    let (sandbox, address) = sandbox_with_orders().await;
    admit_application(&sandbox).await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    let restore = format!(
        "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier={}&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-db",
        snapshot.id
    );
    query(&sandbox, &restore).await.unwrap();
    sandbox
        .create_secret("rds/db", credentials(address.port, "application-1").into())
        .unwrap();
    sandbox
        .create_secret("active", r#"{"secret":"rds/db"}"#.into())
        .unwrap();
    let active = ActiveSecret::Pointer {
        secret: "active".into(),
        field: Some("secret".into()),
    };
    let application = sandbox
        .start_application(ApplicationBlueprint::new("shop-api", active))
        .await
        .unwrap();
    wait_until("the application is well", async || {
        health(&application.health_url).await.0 == 200
    })
    .await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shop-api'";
    let original = sandbox.superuser("orders", "shop").await.unwrap();
    assert_eq!(value(&original, sessions).await, "2");

    wait_for_status(&sandbox, "rec", "available").await;
    let port = sandbox.instance_address("rec").unwrap().port;
    sandbox
        .create_secret("rds/db_recovery", credentials(port, "application-1").into())
        .unwrap();
    let put = r#"{"SecretId":"active","ClientRequestToken":"11111111-2222-4333-8444-555555555555","SecretString":"{\"secret\":\"rds/db_recovery\"}"}"#;
    assert_eq!(secrets(&sandbox, "PutSecretValue", put).await.status, 200);
    wait_until("the application has moved", async || {
        let (status, body) = health(&application.health_url).await;
        status == 200 && body.contains(&port.to_string())
    })
    .await;
    wait_until("the old sessions have ended", async || {
        value(&original, sessions).await == "0"
    })
    .await;
    let recovered = sandbox.superuser("rec", "shop").await.unwrap();
    assert_eq!(value(&recovered, sessions).await, "2");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn an_application_says_why_it_is_ill_and_recovers() {
    let (sandbox, address) = sandbox_with_orders().await;
    admit_application(&sandbox).await;
    sandbox
        .create_secret("rds/db", credentials(address.port, "application-1").into())
        .unwrap();
    let active = ActiveSecret::Copy {
        secret: "rds/db".into(),
    };
    let application = sandbox
        .start_application(ApplicationBlueprint::new("shop-api", active))
        .await
        .unwrap();
    let url = &application.health_url;
    wait_until("the application is well", async || {
        health(url).await.0 == 200
    })
    .await;
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    superuser
        .batch_execute("ALTER ROLE app NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        .await
        .unwrap();
    wait_until("the application says why", async || {
        let (status, body) = health(url).await;
        status == 503 && body.contains("not permitted to log in") && !body.contains("application-1")
    })
    .await;
    superuser
        .batch_execute("ALTER ROLE app LOGIN")
        .await
        .unwrap();
    wait_until("the application is well again", async || {
        health(url).await.0 == 200
    })
    .await;
    sandbox.shutdown().await;
}

/// RBK2062, RBK2064, RBK2065: what the checker refuses or warns of before a database is destroyed.
#[tokio::test]
async fn a_database_that_is_destroyed_takes_its_application_and_its_rows_along() {
    let (sandbox, address) = sandbox_with_orders().await;
    admit_application(&sandbox).await;
    sandbox
        .create_secret("rds/db", credentials(address.port, "application-1").into())
        .unwrap();
    let active = ActiveSecret::Copy {
        secret: "rds/db".into(),
    };
    let application = sandbox
        .start_application(ApplicationBlueprint::new("shop-api", active))
        .await
        .unwrap();
    let url = &application.health_url;
    wait_until("the application is well", async || {
        health(url).await.0 == 200
    })
    .await;
    let unprotect = "ModifyDBInstance&DBInstanceIdentifier=orders&DeletionProtection=false";
    query(&sandbox, unprotect).await.unwrap();
    let delete = "DeleteDBInstance&DBInstanceIdentifier=orders&SkipFinalSnapshot=true";
    query(&sandbox, delete).await.unwrap();
    wait_until("the application has no database", async || {
        health(url).await.0 == 503
    })
    .await;
    wait_until("the instance is gone", async || {
        sandbox.instance_status("orders").is_none()
    })
    .await;
    // Nobody can use it any more, and nothing is left to restore.
    let described = query(&sandbox, "DescribeDBInstances&DBInstanceIdentifier=orders")
        .await
        .unwrap();
    assert_eq!(described.element("Code"), Some("DBInstanceNotFound"));
    let snapshots = query(&sandbox, "DescribeDBSnapshots").await.unwrap();
    assert!(!snapshots.body.contains("<DBSnapshot>"), "{snapshots}");
    sandbox.shutdown().await;
}
