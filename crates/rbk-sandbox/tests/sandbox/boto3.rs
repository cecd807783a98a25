//! The same through boto3: a client that nobody here wrote.

use std::{process::Output, time::Duration};

use rbk_sandbox::Sandbox;
use tokio::process::Command;

use crate::{
    client::{PASSWORD, sandbox_with_orders},
    dms::{rows, two_databases},
};

const MISSING: &str = "python3 has no boto3, the independent client of these tests; install it with `python3 -m pip install boto3`";

#[tokio::test]
async fn boto3_agrees() {
    require_boto3().await;
    let (sandbox, _) = sandbox_with_orders().await;
    let snapshot = sandbox.take_automated_snapshot("orders").await.unwrap();
    for number in 0..130 {
        let age = Duration::from_secs(3600 * (number + 1));
        sandbox
            .add_snapshot_entry(rbk_sandbox::SnapshotEntry {
                id: format!("rds:orders-old-{number}"),
                data_of: snapshot.id.clone(),
                created_at: (number != 7).then(|| snapshot.created_at - age),
            })
            .unwrap();
    }
    let output = suite(&sandbox, "boto3_suite.py")
        .env("SANDBOX_LATEST", &snapshot.id)
        .output()
        .await
        .unwrap();
    sandbox.shutdown().await;
    check(&output);
}

/// The operations that the sandbox's DMS answers; the suite has to call each.
const DMS: [&str; 18] = [
    "AddTagsToResource",
    "CreateEndpoint",
    "CreateReplicationConfig",
    "CreateReplicationSubnetGroup",
    "DeleteEndpoint",
    "DeleteReplicationConfig",
    "DescribeEndpoints",
    "DescribeReplicationConfigs",
    "DescribeReplicationSubnetGroups",
    "DescribeReplicationTableStatistics",
    "DescribeReplications",
    "ListTagsForResource",
    "ModifyReplicationConfig",
    "ReloadReplicationTables",
    "RemoveTagsFromResource",
    "StartReplication",
    "StopReplication",
    "TestConnection",
];

#[tokio::test]
async fn boto3_and_dms_agree() {
    require_boto3().await;
    let (sandbox, source, target) = two_databases().await;
    let output = suite(&sandbox, "dms_suite.py")
        .env("SANDBOX_SOURCE", source.to_string())
        .env("SANDBOX_TARGET", target.to_string())
        .env("SANDBOX_OPERATIONS", DMS.join(" "))
        .output()
        .await
        .unwrap();
    let moved = rows(&sandbox, "orders", "item").await;
    sandbox.shutdown().await;
    check(&output);
    assert_eq!(moved, "500");
}

async fn require_boto3() {
    let found = Command::new("python3")
        .args(["-c", "import boto3"])
        .output()
        .await
        .expect("python3 runs boto3's tests; install it");
    assert!(found.status.success(), "{MISSING}");
}

/// A suite in Python, with what it has to know of the sandbox.
fn suite(sandbox: &Sandbox, file: &str) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR")))
        .env("AWS_ENDPOINT_URL", sandbox.endpoint_url())
        .env("AWS_REGION", sandbox.region())
        .env("AWS_DEFAULT_REGION", sandbox.region())
        .env("AWS_ACCESS_KEY_ID", "AKIASANDBOX")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SANDBOX_CA", sandbox.ca_pem_path())
        .env("SANDBOX_BIN", sandbox.postgres_bin())
        .env("SANDBOX_ACCOUNT", sandbox.account())
        .env("SANDBOX_PASSWORD", PASSWORD);
    command
}

fn check(output: &Output) {
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
