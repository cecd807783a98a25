//! Secrets Manager over the wire: versions, labels as compare-and-swap, nothing repeated in an error.

use super::*;
use rbk_core::ids::{SecretName, StageLabel, VersionId};
use rbk_core::ports::{PortErrorKind, SecretFacts, Sent, Which};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeMap;

const ONE: &str = "11111111-1111-1111-1111-111111111111";
const TWO: &str = "22222222-2222-2222-2222-222222222222";

fn name() -> SecretName {
    SecretName::from("rds/recovery")
}

fn version(text: &str) -> VersionId {
    VersionId::from(text)
}

fn label(text: &str) -> StageLabel {
    StageLabel::from(text)
}

fn missing() -> Answer {
    Answer::json_error(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

#[tokio::test]
async fn a_secret_is_described_without_its_value() {
    let (aws, server) = clients([Answer::json(json!({
        "Name": "rds/recovery",
        "VersionIdsToStages": { ONE: ["AWSCURRENT", "X"], TWO: ["AWSPREVIOUS"] },
        "RotationEnabled": true,
        "OwningService": "rds",
        "DeletedDate": 1790000000.25,
        "KmsKeyId": null,
    }))])
    .await;
    let facts = aws.secrets.describe(&name()).await;
    assert_eq!(
        facts,
        Ok(Some(SecretFacts {
            versions: BTreeMap::from([
                (version(ONE), vec![label("AWSCURRENT"), label("X")]),
                (version(TWO), vec![label("AWSPREVIOUS")]),
            ]),
            rotation_enabled: true,
            owning_service: Some("rds".to_owned()),
            deleted: true,
        }))
    );
    let request = server.only_request();
    assert_eq!(request.operation(), "secretsmanager.DescribeSecret");
    assert_eq!(request.json(), json!({ "SecretId": "rds/recovery" }));
}

#[tokio::test]
async fn a_missing_secret_is_none_to_describe_and_an_error_to_read() {
    let (aws, _server) = clients([missing(), missing()]).await;
    assert_eq!(aws.secrets.describe(&name()).await, Ok(None));
    let error = aws.secrets.value(&name(), &Which::current()).await.err();
    let error = error.expect("missing");
    assert_eq!(error.kind, PortErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "reading the version labelled `AWSCURRENT` of secret `rds/recovery`: \
         Secrets Manager can't find the specified secret."
    );
}

#[tokio::test]
async fn a_value_is_read_by_label_or_by_version() {
    let answer = Answer::json(json!({ "VersionId": ONE, "SecretString": "{}" }));
    let (aws, server) = clients([answer.clone(), answer]).await;
    for which in [Which::current(), Which::Version(version(ONE))] {
        let value = aws.secrets.value(&name(), &which).await.ok();
        let value = value.expect("a value");
        assert_eq!(value.version, version(ONE));
        assert_eq!(value.value.expose_secret(), "{}");
    }
    let bodies: Vec<_> = server.requests().iter().map(|one| one.json()).collect();
    assert_eq!(
        bodies,
        [
            json!({ "SecretId": "rds/recovery", "VersionStage": "AWSCURRENT" }),
            json!({ "SecretId": "rds/recovery", "VersionId": ONE }),
        ]
    );
}

#[tokio::test]
async fn a_binary_value_is_refused() {
    let (aws, _server) = clients([Answer::json(
        json!({ "VersionId": ONE, "SecretBinary": "AAAA" }),
    )])
    .await;
    let error = aws.secrets.value(&name(), &Which::current()).await.err();
    assert_eq!(error.map(|error| error.kind), Some(PortErrorKind::Protocol));
}

#[tokio::test]
async fn a_version_is_put_under_its_own_label_only() {
    let (aws, server) = clients([Answer::json(
        json!({ "VersionId": ONE, "VersionStages": ["RBK-1"] }),
    )])
    .await;
    let value = SecretString::from(r#"{"password":"p"}"#);
    aws.secrets
        .put(&name(), &version(ONE), &value, &label("RBK-1"))
        .await
        .expect("put");
    let request = server.only_request();
    assert_eq!(request.operation(), "secretsmanager.PutSecretValue");
    assert_eq!(
        request.json(),
        json!({
            "SecretId": "rds/recovery",
            "ClientRequestToken": ONE,
            "SecretString": r#"{"password":"p"}"#,
            "VersionStages": ["RBK-1"],
        })
    );
}

#[tokio::test]
async fn a_token_that_was_used_for_another_value_is_a_conflict() {
    let (aws, _server) = clients([Answer::json_error(
        400,
        "ResourceExistsException",
        "You can't use ClientRequestToken because that value is already in use for a version of secret",
    )])
    .await;
    let error = aws
        .secrets
        .put(
            &name(),
            &version(ONE),
            &SecretString::from("v"),
            &label("RBK-1"),
        )
        .await
        .expect_err("used");
    assert_eq!(error.kind, PortErrorKind::Conflict);
    assert_eq!(error.sent, Sent::No);
}

#[tokio::test]
async fn a_put_is_sent_once_whatever_comes_back() {
    use PortErrorKind::*;
    let throttled = Answer::json_error(400, "ThrottlingException", "Rate exceeded");
    let limit = Answer::json_error(400, "LimitExceededException", "too many versions");
    let broken = Answer::json_error(500, "InternalServiceError", "An error occurred");
    let elsewhere = Answer::json(json!({ "VersionId": TWO }));
    for (answer, kind, sent) in [
        (throttled, Throttled, Sent::No),
        (limit, Quota, Sent::No),
        (broken, Unreachable, Sent::Maybe),
        (Answer::Cut, Unreachable, Sent::Maybe),
        (Answer::Torn, Unreachable, Sent::Maybe),
        (Answer::Silence, Unreachable, Sent::Maybe),
        (elsewhere, Protocol, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let value = SecretString::from(r#"{"password":"hunter2hunter2"}"#);
        let error = aws
            .secrets
            .put(&name(), &version(ONE), &value, &label("RBK-1"))
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
async fn an_error_does_not_repeat_the_value() {
    let (aws, _server) = clients([Answer::json_error(
        400,
        "ValidationException",
        r#"Invalid value {"password":"hunter2hunter2"} or hunter2hunter2"#,
    )])
    .await;
    let value = SecretString::from(r#"{"password":"hunter2hunter2"}"#);
    let error = aws
        .secrets
        .put(&name(), &version(ONE), &value, &label("RBK-1"))
        .await
        .expect_err("invalid");
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert_eq!(error.message, "Invalid value [hidden] or [hidden]");
}

#[tokio::test]
async fn a_label_is_moved_by_compare_and_swap() {
    let moved = Answer::json(json!({ "Name": "rds/recovery" }));
    let (aws, server) = clients([moved.clone(), moved]).await;
    let current = label("AWSCURRENT");
    for from in [Some(version(ONE)), None] {
        aws.secrets
            .move_label(&name(), &current, from.as_ref(), &version(TWO))
            .await
            .expect("moved");
    }
    let bodies: Vec<_> = server.requests().iter().map(|one| one.json()).collect();
    assert_eq!(
        bodies,
        [
            json!({
                "SecretId": "rds/recovery",
                "VersionStage": "AWSCURRENT",
                "RemoveFromVersionId": ONE,
                "MoveToVersionId": TWO,
            }),
            json!({
                "SecretId": "rds/recovery",
                "VersionStage": "AWSCURRENT",
                "MoveToVersionId": TWO,
            }),
        ]
    );
}

#[tokio::test]
async fn a_label_that_is_elsewhere_is_a_conflict() {
    for message in [
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version 3, \
         so you must explicitly reference that version in RemoveFromVersionId.",
        "Staging label AWSCURRENT is currently attached to version 3",
        "The staging label AWSCURRENT is not attached to version 1",
    ] {
        let answer = Answer::json_error(400, "InvalidParameterException", message);
        let (aws, server) = clients(vec![answer; 3]).await;
        let error = aws
            .secrets
            .move_label(
                &name(),
                &label("AWSCURRENT"),
                Some(&version(ONE)),
                &version(TWO),
            )
            .await
            .expect_err("elsewhere");
        assert_eq!(error.kind, PortErrorKind::Conflict, "{message}");
        assert_eq!(error.sent, Sent::No);
        assert_eq!(error.code.as_deref(), Some("InvalidParameterException"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_move_is_sent_once_whatever_comes_back() {
    let throttled = Answer::json_error(400, "ThrottlingException", "Rate exceeded");
    let broken = Answer::json_error(500, "InternalServiceError", "An error occurred");
    for (answer, sent) in [
        (throttled, Sent::No),
        (broken, Sent::Maybe),
        (Answer::Cut, Sent::Maybe),
    ] {
        let (aws, server) = clients(vec![answer.clone(); 3]).await;
        let error = aws
            .secrets
            .move_label(
                &name(),
                &label("AWSCURRENT"),
                Some(&version(ONE)),
                &version(TWO),
            )
            .await
            .expect_err("trouble");
        assert_eq!(error.sent, sent, "{answer:?}: {error}");
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn another_invalid_parameter_is_no_conflict() {
    let answer = Answer::json_error(
        400,
        "InvalidParameterException",
        "The staging label must have 1 to 256 characters",
    );
    let (aws, _server) = clients([answer]).await;
    let error = aws
        .secrets
        .move_label(&name(), &label(""), None, &version(TWO))
        .await
        .expect_err("invalid");
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_secret_that_awaits_its_deletion_is_told_as_such() {
    let text = "You can't perform this operation on the secret because it was marked for deletion.";
    let (aws, _server) = clients([Answer::json_error(400, "InvalidRequestException", text)]).await;
    let error = aws.secrets.value(&name(), &Which::current()).await.err();
    let error = error.expect("deleted");
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert_eq!(error.message, text);
}
