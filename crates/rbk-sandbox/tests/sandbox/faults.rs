//! Faults, and the ledger against which effects are counted.

use rbk_sandbox::{Loss, TerminalState};

use crate::client::{
    query, request, sandbox, sandbox_with_orders, signature, wait_for_status, wait_until,
};

const RESTORE: &str =
    "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec&DBSnapshotIdentifier";

#[tokio::test]
async fn a_cut_after_the_effect_loses_the_answer_but_not_the_effect() {
    let (sandbox, _) = sandbox_with_orders().await;
    let id = sandbox.take_automated_snapshot("orders").await.unwrap().id;
    for fault in [
        "RestoreDBInstanceFromDBSnapshot:1:before:cut",
        "RestoreDBInstanceFromDBSnapshot:2:after:cut",
    ] {
        sandbox.inject(fault.parse().unwrap()).unwrap();
    }
    let restore = format!("{RESTORE}={id}");
    assert!(query(&sandbox, &restore).await.is_err());
    assert_eq!(sandbox.instance_status("rec"), None);
    assert!(sandbox.ledger().is_empty());
    assert!(query(&sandbox, &restore).await.is_err());
    assert!(sandbox.instance_status("rec").is_some());
    let again = query(&sandbox, &restore).await.unwrap();
    assert_eq!(again.element("Code"), Some("DBInstanceAlreadyExists"));
    let ledger = sandbox.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!((ledger[0].sequence, ledger[0].target.as_str()), (1, "rec"));
    assert_eq!(ledger[0].parameters["DBSnapshotIdentifier"], id);
    let stats = sandbox.stats();
    let restores = &stats.operations["RestoreDBInstanceFromDBSnapshot"];
    assert_eq!(restores.calls, 3);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_restore_ends_in_each_terminal_state_that_was_asked_for() {
    let (sandbox, _) = sandbox_with_orders().await;
    let id = sandbox.take_automated_snapshot("orders").await.unwrap().id;
    for (number, state) in TerminalState::ALL.into_iter().enumerate() {
        let fault = format!("RestoreDBInstanceFromDBSnapshot:1:ends={}", state.status());
        sandbox.inject(fault.parse().unwrap()).unwrap();
        let body = format!(
            "RestoreDBInstanceFromDBSnapshot&DBInstanceIdentifier=rec{number}&DBSnapshotIdentifier={id}"
        );
        query(&sandbox, &body).await.unwrap();
        wait_for_status(&sandbox, &format!("rec{number}"), state.status()).await;
        sandbox.clear_faults();
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_snapshot_can_fail() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox
        .inject("CreateDBSnapshot:1:ends=failed".parse().unwrap())
        .unwrap();
    let create = "CreateDBSnapshot&DBInstanceIdentifier=orders&DBSnapshotIdentifier=mine";
    query(&sandbox, create).await.unwrap();
    wait_until("the snapshot has failed", async || {
        let shown = query(&sandbox, "DescribeDBSnapshots").await.unwrap();
        shown.element("Status") == Some("failed")
    })
    .await;
    wait_for_status(&sandbox, "orders", "available").await;
    let refused = query(&sandbox, &format!("{RESTORE}=mine")).await.unwrap();
    assert_eq!(refused.element("Code"), Some("InvalidDBSnapshotState"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_stale_read_answers_as_before_the_last_mutation() {
    let (sandbox, _) = sandbox_with_orders().await;
    let id = sandbox.take_automated_snapshot("orders").await.unwrap().id;
    sandbox
        .inject("DescribeDBInstances:1:stale".parse().unwrap())
        .unwrap();
    query(&sandbox, &format!("{RESTORE}={id}")).await.unwrap();
    let describe = "DescribeDBInstances&DBInstanceIdentifier=rec";
    assert_eq!(query(&sandbox, describe).await.unwrap().status, 404);
    assert_eq!(query(&sandbox, describe).await.unwrap().status, 200);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn each_service_has_its_own_words_for_the_same_fault() {
    let sandbox = sandbox().await;
    for (fault, status, rds, secrets) in [
        ("throttle", 400, "Throttling", "ThrottlingException"),
        ("500", 500, "InternalFailure", "InternalServiceError"),
        (
            "503",
            503,
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ),
    ] {
        sandbox
            .inject(format!("*:1-2:{fault}").parse().unwrap())
            .unwrap();
        let answer = query(&sandbox, "DescribeDBInstances").await.unwrap();
        assert_eq!((answer.status, answer.element("Code")), (status, Some(rds)));
        let answer = crate::client::secrets(&sandbox, "ListSecrets", "{}").await;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(&format!("\"{secrets}\"")), "{answer}");
        sandbox.clear_faults();
    }
    sandbox
        .inject("DescribeDBInstances:1:denied".parse().unwrap())
        .unwrap();
    let answer = query(&sandbox, "DescribeDBInstances").await.unwrap();
    assert_eq!(
        (answer.status, answer.element("Code")),
        (403, Some("AccessDenied"))
    );
    assert!(
        answer
            .body
            .contains("is not authorized to perform: rds:DescribeDBInstances")
    );
    sandbox
        .inject(
            "RestoreDBInstanceFromDBSnapshot:1:no-capacity"
                .parse()
                .unwrap(),
        )
        .unwrap();
    let answer = query(&sandbox, &format!("{RESTORE}=none")).await.unwrap();
    assert_eq!(
        answer.element("Code"),
        Some("InsufficientDBInstanceCapacity")
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn credentials_that_expired_or_are_for_another_region_are_refused() {
    let sandbox = sandbox().await;
    sandbox
        .inject("key=AKIAOLD:expired".parse().unwrap())
        .unwrap();
    let body = "Version=2014-10-31&Action=DescribeDBInstances";
    for (header, status, code) in [
        (signature("eu-central-1", "rds", "AKIANEW"), 200, None),
        (
            signature("eu-central-1", "rds", "AKIAOLD"),
            403,
            Some("ExpiredToken"),
        ),
        (
            signature("us-west-2", "rds", "AKIANEW"),
            403,
            Some("SignatureDoesNotMatch"),
        ),
        (
            signature("eu-central-1", "dms", "AKIANEW"),
            403,
            Some("SignatureDoesNotMatch"),
        ),
        (
            "X-Nothing: signed".to_owned(),
            403,
            Some("MissingAuthenticationToken"),
        ),
    ] {
        let answer = request(&sandbox, "POST", "/", &[&header], body)
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.element("Code")),
            (status, code),
            "{header}"
        );
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_control_endpoint_plants_lists_and_clears_faults() {
    let sandbox = sandbox().await;
    let faults = "/_sandbox/faults";
    let wrong = request(&sandbox, "POST", faults, &[], "DescribeDBInstances:1:boom")
        .await
        .unwrap();
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("the kinds are"), "{wrong}");
    let lines = "DescribeDBInstances:1:throttle\nGetSecretValue:*:hold\n";
    let planted = request(&sandbox, "POST", faults, &[], lines).await.unwrap();
    assert_eq!(planted.body, r#"{"planted":2}"#);
    let listed = request(&sandbox, "GET", faults, &[], "").await.unwrap();
    assert_eq!(
        listed.body,
        r#"["DescribeDBInstances:1:throttle","GetSecretValue:*:hold=GetSecretValue"]"#
    );
    assert_eq!(
        query(&sandbox, "DescribeDBInstances").await.unwrap().status,
        400
    );
    request(&sandbox, "DELETE", faults, &[], "").await.unwrap();
    let listed = request(&sandbox, "GET", faults, &[], "").await.unwrap();
    assert_eq!(listed.body, "[]");
    let stats = request(&sandbox, "GET", "/_sandbox/stats", &[], "")
        .await
        .unwrap();
    assert!(stats.body.contains(r#""DescribeDBInstances":{"#), "{stats}");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_client_that_goes_away_doesnt_undo_its_request() {
    let (sandbox, _) = sandbox_with_orders().await;
    sandbox
        .inject("CreateDBSnapshot:1:before:hold=gate".parse().unwrap())
        .unwrap();
    let create = "CreateDBSnapshot&DBInstanceIdentifier=orders&DBSnapshotIdentifier=mine";
    tokio::select! {
        _ = query(&sandbox, create) => panic!("the call wasn't held"),
        () = sandbox.wait_until_held("gate") => {}
    }
    sandbox.release_hold("gate");
    wait_until("the snapshot is available", async || {
        let shown = query(&sandbox, "DescribeDBSnapshots").await.unwrap();
        shown.element("Status") == Some("available")
    })
    .await;
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_lost_instance_is_shown_and_cant_be_reached() {
    let (sandbox, address) = sandbox_with_orders().await;
    sandbox.lose_instance("orders", Loss::Failed).await.unwrap();
    assert_eq!(sandbox.instance_status("orders").as_deref(), Some("failed"));
    let connected = tokio::net::TcpStream::connect(("127.0.0.1", address.port)).await;
    assert!(connected.is_err());
    assert!(sandbox.superuser("orders", "shop").await.is_err());
    let events = query(
        &sandbox,
        "DescribeEvents&SourceType=db-instance&SourceIdentifier=orders",
    )
    .await
    .unwrap();
    assert!(
        events.body.contains("Begin a point-in-time-restore"),
        "{events}"
    );
    let modify = "ModifyDBInstance&DBInstanceIdentifier=orders&MasterUserPassword=second-Password2";
    let refused = query(&sandbox, modify).await.unwrap();
    assert_eq!(refused.element("Code"), Some("InvalidDBInstanceState"));
    sandbox.shutdown().await;
}
