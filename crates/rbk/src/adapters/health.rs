//! Asks applications over HTTP whether they are well.

use async_trait::async_trait;
use rbk_core::environment::Health as Question;
use rbk_core::ports::{Health, HealthAnswer, PortError, PortErrorKind};
use reqwest::Url;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

/// How long one question may take.
const TIME_OUT: Duration = Duration::from_secs(10);

/// Health checks over HTTP and HTTPS. A client is made with the first question to an address, since reading the
/// system's certificates takes longer than most commands do.
#[derive(Default)]
pub struct HttpHealth {
    clients: Mutex<BTreeMap<String, reqwest::Client>>,
}

#[async_trait]
impl Health for HttpHealth {
    async fn ask(&self, health: &Question) -> Result<HealthAnswer, PortError> {
        let doing = || format!("asking `{}`", health.http);
        let wrong =
            |message: String| PortError::new(PortErrorKind::InvalidRequest, doing(), message);
        let url = Url::parse(&health.http).map_err(|error| wrong(error.to_string()))?;
        let client = self.client(&url).map_err(wrong)?;
        match client.get(url).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                Ok(HealthAnswer {
                    healthy: status == health.expect,
                    seen: status.to_string(),
                })
            }
            Err(error) if error.is_builder() => Err(wrong(innermost(&error))),
            Err(error) => Ok(HealthAnswer {
                healthy: false,
                seen: if error.is_timeout() {
                    format!("no answer within {} s", TIME_OUT.as_secs())
                } else {
                    innermost(&error)
                },
            }),
        }
    }
}

impl HttpHealth {
    fn client(&self, url: &Url) -> Result<reqwest::Client, String> {
        let key = format!("{}://{}", url.scheme(), url.host_str().unwrap_or(""));
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = new_client(url)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// The body of an address that answers 200.
pub async fn get(url: &Url, within: Duration) -> Result<String, String> {
    let request = new_client(url)?.get(url.clone()).timeout(within);
    let response = request.send().await.map_err(|error| innermost(&error))?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(format!("the answer is {status}"));
    }
    response.text().await.map_err(|error| innermost(&error))
}

/// A client that follows no redirects: the expected status is that of the address itself.
fn new_client(url: &Url) -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    if url.scheme() == "https" {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIME_OUT);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| innermost(&error))
}

/// Whether an address is of this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The cause at the bottom; what lies above repeats the address.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn question(http: String) -> Question {
        Question { http, expect: 200 }
    }

    #[tokio::test]
    async fn the_expected_status_is_health_and_any_other_is_not() {
        for (status, healthy) in [(200, true), (503, false), (302, false)] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let _ = socket.read(&mut request).await.unwrap();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
            });
            let answer = HttpHealth::default()
                .ask(&question(format!("http://{address}/health")))
                .await
                .unwrap();
            server.await.unwrap();
            assert_eq!((answer.healthy, answer.seen), (healthy, status.to_string()));
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let answer = HttpHealth::default()
            .ask(&question(format!("http://{address}/")))
            .await
            .unwrap();
        assert!(!answer.healthy);
        assert!(answer.seen.contains("refused"), "{}", answer.seen);
    }

    #[tokio::test]
    async fn an_impossible_address_is_an_error() {
        let error = HttpHealth::default()
            .ask(&question("sgpt.internal".to_owned()))
            .await
            .unwrap_err();
        assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    }
}
