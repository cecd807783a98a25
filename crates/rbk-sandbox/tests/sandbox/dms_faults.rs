//! Replications that are disturbed, and the states in which DMS refuses.

use serde_json::{Value, json};

use crate::{
    client::{dms_text, wait_until},
    dms::{
        config, done, furnished, refused, replication, rows, start, statistics, two_databases,
        until,
    },
};

/// Plants a fault.
fn plant(sandbox: &rbk_sandbox::Sandbox, fault: &str) {
    sandbox.inject(fault.parse().unwrap()).unwrap();
}

#[tokio::test]
async fn a_replication_fails_in_the_phase_and_with_the_words_that_were_planted() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    let mut kind = "start-replication";
    for phase in rbk_sandbox::ReplicationPhase::ALL {
        let fault = format!(
            "StartReplication:1:fails={}(Last Error: {phase:?})",
            phase.status()
        );
        plant(&sandbox, &fault);
        start(&sandbox, &arn, kind).await;
        kind = "reload-target";
        let ended = until(&sandbox, &arn, "failed").await;
        assert_eq!(
            ended["FailureMessages"],
            json!([format!("Last Error: {phase:?}")])
        );
        let running = phase == rbk_sandbox::ReplicationPhase::Running;
        assert_eq!(ended.get("StopReason").is_some(), running, "{ended}");
        // Only what failed behind the provisioning is billed.
        let late = running || phase == rbk_sandbox::ReplicationPhase::ReplicationStarting;
        assert_eq!(
            sandbox.provisioned_capacity().len(),
            usize::from(late),
            "{ended}"
        );
        sandbox.clear_faults();
    }
    // A load that failed has moved its rows.
    assert_eq!(rows(&sandbox, "orders", "item").await, "500");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn there_may_be_no_capacity() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    plant(&sandbox, "StartReplication:1:no-capacity");
    start(&sandbox, &arn, "start-replication").await;
    let ended = until(&sandbox, &arn, "failed").await;
    let message = ended["FailureMessages"][0].as_str().unwrap();
    assert!(
        message.contains("insufficient resource capacity"),
        "{message}"
    );
    assert_eq!(ended["ProvisionData"]["ProvisionState"], "failed_provision");
    assert!(sandbox.provisioned_capacity().is_empty());
    start(&sandbox, &arn, "reload-target").await;
    until(&sandbox, &arn, "stopped").await;
    assert_eq!(sandbox.provisioned_capacity().len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_finished_replication_can_lack_a_table() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    plant(&sandbox, "StartReplication:1:suspends=public.item");
    start(&sandbox, &arn, "start-replication").await;
    let ended = until(&sandbox, &arn, "stopped").await;
    assert_eq!(ended["StopReason"], "Stop Reason FULL_LOAD_ONLY_FINISHED");
    assert_eq!(ended["ReplicationStats"]["TablesErrored"], 1);
    let states = |tables: &[Value]| -> Vec<(String, String)> {
        let text = |table: &Value, name: &str| table[name].as_str().unwrap().to_owned();
        let each = tables.iter();
        each.map(|it| (text(it, "TableName"), text(it, "TableState")))
            .collect()
    };
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    assert_eq!(
        states(&statistics(&sandbox, &arn).await),
        [
            pair("customer", "Table completed"),
            pair("item", "Table error")
        ]
    );
    assert_eq!(rows(&sandbox, "orders", "item").await, "0");

    plant(&sandbox, "StartReplication:1:loses=public.customer");
    start(&sandbox, &arn, "reload-target").await;
    let ended = until(&sandbox, &arn, "stopped").await;
    assert_eq!(ended["ReplicationStats"]["TablesErrored"], 0);
    assert_eq!(
        states(&statistics(&sandbox, &arn).await),
        [pair("item", "Table completed")]
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn statistics_are_gone_with_the_capacity_and_meanwhile_nothing_starts() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    plant(&sandbox, "StartReplication:1:deprovisions");
    plant(&sandbox, "StartReplication:1:during:hold=deprovisioning");
    start(&sandbox, &arn, "start-replication").await;
    sandbox.wait_until_held("deprovisioning").await;
    let ended = replication(&sandbox, &arn).await;
    assert_eq!(ended["Status"], "stopped");
    assert_eq!(ended["ProvisionData"]["ProvisionState"], "deprovisioning");
    assert_eq!(statistics(&sandbox, &arn).await.len(), 2);
    let again = json!({ "ReplicationConfigArn": arn, "StartReplicationType": "reload-target" });
    let (code, message) = refused(&sandbox, "StartReplication", again).await;
    assert_eq!(code, "InvalidResourceStateFault");
    assert!(message.contains("DEPROVISIONING"), "{message}");
    sandbox.release_hold("deprovisioning");
    wait_until("it is deprovisioned", async || {
        replication(&sandbox, &arn).await["ProvisionData"]["ProvisionState"] == "deprovisioned"
    })
    .await;
    let named = json!({ "ReplicationConfigArn": arn });
    let (code, _) = refused(&sandbox, "DescribeReplicationTableStatistics", named).await;
    assert_eq!(code, "InvalidResourceStateFault");
    assert!(sandbox.provisioned_capacity().is_empty());

    // The same when time passes.
    start(&sandbox, &arn, "reload-target").await;
    until(&sandbox, &arn, "stopped").await;
    sandbox.deprovision_replication("load").await.unwrap();
    assert!(sandbox.provisioned_capacity().is_empty());
    assert!(sandbox.deprovision_replication("nope").await.is_err());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_replication_is_stopped_in_any_phase_and_then_started_again() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    let named = json!({ "ReplicationConfigArn": arn });
    let mut kind = "start-replication";
    for phase in [
        "preparing_metadata_resources",
        "replication_starting",
        "running",
    ] {
        plant(&sandbox, &format!("StartReplication:1:during:hold={phase}"));
        start(&sandbox, &arn, kind).await;
        kind = "reload-target";
        sandbox.wait_until_held(phase).await;
        assert_eq!(replication(&sandbox, &arn).await["Status"], phase);
        let again = json!({ "ReplicationConfigArn": arn, "StartReplicationType": kind });
        let (code, _) = refused(&sandbox, "StartReplication", again).await;
        assert_eq!(code, "InvalidResourceStateFault");
        let (code, _) = refused(&sandbox, "DeleteReplicationConfig", named.clone()).await;
        assert_eq!(code, "InvalidResourceStateFault");
        let stopping = done(&sandbox, "StopReplication", named.clone()).await;
        assert_eq!(stopping["Replication"]["Status"], "stopping");
        let (code, _) = refused(&sandbox, "StopReplication", named.clone()).await;
        assert_eq!(code, "InvalidResourceStateFault");
        let ended = until(&sandbox, &arn, "stopped").await;
        assert_eq!(ended["StopReason"], "Stop Reason NORMAL");
        sandbox.release_hold(phase);
        assert_eq!(rows(&sandbox, "orders", "item").await, "0");
    }
    // A stop doesn't deprovision.
    assert_eq!(sandbox.provisioned_capacity().len(), 1);
    start(&sandbox, &arn, "reload-target").await;
    until(&sandbox, &arn, "stopped").await;
    assert_eq!(rows(&sandbox, "orders", "item").await, "500");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_is_being_modified_doesnt_start() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    plant(&sandbox, "ModifyReplicationConfig:1:during:hold=modifying");
    let modify = json!({
        "ReplicationConfigArn": arn,
        "ComputeConfig": { "MaxCapacityUnits": 8 },
        "TableMappings": crate::dms::mappings("cust%"),
    });
    let modified = done(&sandbox, "ModifyReplicationConfig", modify.clone()).await;
    let compute = &modified["ReplicationConfig"]["ComputeConfig"];
    assert_eq!(
        (&compute["MaxCapacityUnits"], &compute["MinCapacityUnits"]),
        (&json!(8), &json!(2))
    );
    sandbox.wait_until_held("modifying").await;
    assert_eq!(replication(&sandbox, &arn).await["Status"], "modifying");
    let body = json!({ "ReplicationConfigArn": arn, "StartReplicationType": "start-replication" });
    let (code, message) = refused(&sandbox, "StartReplication", body).await;
    assert_eq!(code, "InvalidResourceStateFault");
    assert_eq!(
        message,
        "Replication for Replication Config: load is in MODIFYING state and cannot start."
    );
    sandbox.release_hold("modifying");
    until(&sandbox, &arn, "created").await;
    start(&sandbox, &arn, "start-replication").await;
    until(&sandbox, &arn, "stopped").await;
    assert_eq!(rows(&sandbox, "orders", "customer").await, "50");
    assert_eq!(rows(&sandbox, "orders", "item").await, "0");
    let (code, _) = refused(&sandbox, "ModifyReplicationConfig", modify).await;
    assert_eq!(code, "InvalidResourceStateFault");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_loses_no_effect_and_errors_have_dmss_words() {
    let (sandbox, source, target) = two_databases().await;
    let arn = furnished(&sandbox, source, target).await;
    plant(&sandbox, "StartReplication:1:after:cut");
    let body = json!({ "ReplicationConfigArn": arn, "StartReplicationType": "start-replication" });
    assert!(
        dms_text(&sandbox, "StartReplication", &body.to_string())
            .await
            .is_err()
    );
    until(&sandbox, &arn, "stopped").await;
    let starts = sandbox.ledger();
    let starts = starts
        .iter()
        .filter(|it| it.operation == "StartReplication");
    assert_eq!(starts.count(), 1);
    plant(&sandbox, "CreateReplicationConfig:1:before:cut");
    let shown = replication(&sandbox, &arn).await;
    let side = |name: &str| shown[name].as_str().unwrap().to_owned();
    let (from, to) = (side("SourceEndpointArn"), side("TargetEndpointArn"));
    let body = config("other", &from, &to);
    assert!(
        dms_text(&sandbox, "CreateReplicationConfig", &body.to_string())
            .await
            .is_err()
    );
    let all = done(&sandbox, "DescribeReplicationConfigs", json!({})).await;
    assert_eq!(all["ReplicationConfigs"].as_array().unwrap().len(), 1);
    for (fault, code) in [
        ("throttle", "ThrottlingException"),
        ("denied", "AccessDeniedException"),
        ("expired", "ExpiredTokenException"),
        ("500", "InternalFailure"),
        ("503", "ServiceUnavailableException"),
    ] {
        sandbox.clear_faults();
        plant(&sandbox, &format!("DescribeReplications:1:{fault}"));
        let (found, message) = refused(&sandbox, "DescribeReplications", json!({})).await;
        assert_eq!(found, code, "{message}");
    }
    plant(&sandbox, "DescribeReplications:1:stale");
    start(&sandbox, &arn, "reload-target").await;
    assert_eq!(replication(&sandbox, &arn).await["Status"], "stopped");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_new_config_may_be_busy_for_a_while() {
    let (sandbox, source, target) = two_databases().await;
    plant(&sandbox, "CreateReplicationConfig:1:during:hold=busy");
    let arn = furnished(&sandbox, source, target).await;
    sandbox.wait_until_held("busy").await;
    assert_eq!(replication(&sandbox, &arn).await["Status"], "modifying");
    let body = json!({ "ReplicationConfigArn": arn, "StartReplicationType": "start-replication" });
    let (code, _) = refused(&sandbox, "StartReplication", body).await;
    assert_eq!(code, "InvalidResourceStateFault");
    sandbox.release_hold("busy");
    until(&sandbox, &arn, "created").await;
    start(&sandbox, &arn, "start-replication").await;
    until(&sandbox, &arn, "stopped").await;
    sandbox.shutdown().await;
}
