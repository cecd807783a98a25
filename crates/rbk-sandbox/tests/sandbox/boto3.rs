//! The same through boto3: a client that nobody here wrote.

use std::time::Duration;

use tokio::process::Command;

use crate::client::{PASSWORD, sandbox_with_orders};

const MISSING: &str = "python3 has no boto3, the independent client of these tests; install it with `python3 -m pip install boto3`";

#[tokio::test]
async fn boto3_agrees() {
    let found = Command::new("python3")
        .args(["-c", "import boto3"])
        .output()
        .await
        .expect("python3 runs boto3's tests; install it");
    assert!(found.status.success(), "{MISSING}");
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
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3_suite.py");
    let output = Command::new("python3")
        .arg(suite)
        .env("AWS_ENDPOINT_URL", sandbox.endpoint_url())
        .env("AWS_REGION", sandbox.region())
        .env("AWS_DEFAULT_REGION", sandbox.region())
        .env("AWS_ACCESS_KEY_ID", "AKIASANDBOX")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SANDBOX_CA", sandbox.ca_pem_path())
        .env("SANDBOX_BIN", sandbox.postgres_bin())
        .env("SANDBOX_ACCOUNT", sandbox.account())
        .env("SANDBOX_LATEST", &snapshot.id)
        .env("SANDBOX_PASSWORD", PASSWORD)
        .output()
        .await
        .unwrap();
    sandbox.shutdown().await;
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
