//! STS over the wire, and which settings a client takes.

use super::*;
use crate::{ConnectError, connect};
use rbk_core::ports::{Caller, PortErrorKind, Sent};
use tokio::io::AsyncWriteExt;

const WHO: &str = "<Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>AIDA</UserId><Account>123456789012</Account>";

#[tokio::test]
async fn the_caller_is_told_with_the_region() {
    let (aws, server) = clients([Answer::xml("GetCallerIdentity", WHO)]).await;
    assert_eq!(
        aws.identity.caller().await,
        Ok(Caller {
            account: "123456789012".to_owned(),
            arn: "arn:aws:iam::123456789012:user/a".to_owned(),
            region: "eu-central-1".to_owned(),
        })
    );
    let authorization = &server.only_request().headers["authorization"];
    assert!(authorization.contains("AKIDTEST"), "{authorization}");
    assert!(
        authorization.contains("/eu-central-1/sts/"),
        "{authorization}"
    );
}

#[tokio::test]
async fn expired_credentials_say_what_to_do() {
    let expired = Answer::xml_error(
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    );
    let (aws, server) = clients([expired]).await;
    let error = aws.identity.caller().await.expect_err("expired");
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert_eq!(error.sent, Sent::No);
    assert_eq!(
        error.to_string(),
        "asking AWS whose credentials these are: The security token included in the request is expired \
         (the credentials have expired: sign in again, with SSO by `aws sso login`)"
    );
    assert_eq!(
        server.requests().len(),
        1,
        "new credentials won't come by themselves"
    );
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_a_matter_of_credentials() {
    let server = Server::start([]).await;
    let aws = connect(Options {
        region: "eu-central-1".to_owned(),
        endpoint_url: Some(server.url()),
        profile: Some("rbk-test-no-such-profile".to_owned()),
        key: None,
    })
    .await
    .expect("clients");
    let error = aws.identity.caller().await.expect_err("no such profile");
    assert_eq!(error.kind, PortErrorKind::Credentials);
    assert_eq!(error.sent, Sent::No);
    assert!(
        error.message.contains("rbk-test-no-such-profile"),
        "{error}"
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn nothing_is_made_for_a_region_or_an_endpoint_that_is_none() {
    for region in ["", "eu central", "eu-central-1.evil.example/", "EU"] {
        let refused = connect(Options {
            region: region.to_owned(),
            ..Options::default()
        })
        .await
        .err();
        let region = region.to_owned();
        assert_eq!(refused, Some(ConnectError::InvalidRegion { region }));
    }
    let refused = connect(Options {
        region: "eu-central-1".to_owned(),
        endpoint_url: Some("http://10.1.2.3:4566".to_owned()),
        profile: None,
        key: None,
    })
    .await
    .err();
    let url = "http://10.1.2.3:4566".to_owned();
    assert_eq!(refused, Some(ConnectError::InsecureEndpoint { url }));
}

#[tokio::test]
async fn an_address_without_a_server_can_not_have_received_anything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let aws = clients_of(url.clone()).await;
    let error = aws.identity.caller().await.expect_err("refused");
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert_eq!(error.sent, Sent::No);
    assert!(
        error
            .message
            .starts_with(&format!("`{url}` can't be reached: ")),
        "{error}"
    );
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_can_not_have_received_anything() {
    let aws = clients_of("https://rbk-test.invalid".to_owned()).await;
    let error = aws.identity.caller().await.expect_err("no such host");
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert_eq!(error.sent, Sent::No);
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            stream.write_all(text).await.ok();
            stream.shutdown().await.ok();
        }
    });
    let aws = clients_of(format!("https://{address}")).await;
    let error = aws.identity.caller().await.expect_err("no TLS");
    assert_eq!(error.kind, PortErrorKind::Tls, "{error}");
    assert_eq!(error.sent, Sent::No);
}
