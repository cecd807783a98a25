//! No log at any level holds a secret.

use super::*;
use rbk_core::ids::{InstanceId, SecretName, StageLabel, VersionId};
use rbk_core::ports::Which;
use secrecy::SecretString;
use serde_json::json;
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// All levels of all crates, in the whole process: the HTTP client works in tasks of its own.
#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");

    let (aws, _server) = clients([
        Answer::json(json!({ "VersionId": "v", "SecretString": "READSECRET" })),
        Answer::json(json!({ "VersionId": "t" })),
        Answer::json_error(400, "ValidationException", "no PUTSECRET please"),
        Answer::xml_error(400, "InvalidParameterValue", "no SETSECRET please"),
        Answer::Cut,
    ])
    .await;
    let name = SecretName::from("s");
    let id = InstanceId::from("i");
    let password = SecretString::from("SETSECRET");
    assert!(aws.secrets.value(&name, &Which::current()).await.is_ok());
    for _ in 0..2 {
        let token = VersionId::from("t");
        let label = StageLabel::from("RBK-1");
        let value = SecretString::from("PUTSECRET");
        aws.secrets.put(&name, &token, &value, &label).await.ok();
    }
    for _ in 0..2 {
        let result = aws.rds.set_master_password(&id, &password).await;
        assert!(result.is_err());
    }

    let text = String::from_utf8(log.0.lock().expect("log").clone()).expect("text");
    for secret in [
        "READSECRET",
        "PUTSECRET",
        "SETSECRET",
        "SECRETTEST",
        "SESSIONTOKENTEST",
    ] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    for operation in [
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "rds:ModifyDBInstance",
    ] {
        assert!(text.contains(operation), "{operation} not in\n{text}");
    }
}
