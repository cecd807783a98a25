//! One HTTP client for all services and for the credential chain: rustls with ring, the system's root certificates
//! (read only when a TLS connection is needed), proxies from the usual variables, and no plain HTTP beyond this machine.

use crate::ConnectError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector as Hyper, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// How long an idle connection is kept. Shorter than AWS keeps it: a request on a connection that the other side is
/// just closing ends without an answer, and a mutation is then in doubt for no good reason.
const IDLE: Duration = Duration::from_secs(10);

/// Makes the client.
pub(crate) fn client() -> SharedHttpClient {
    SharedHttpClient::new(Client::default())
}

/// Refuses what is no address, and plain HTTP to another machine.
pub(crate) fn check_endpoint(url: &str) -> Result<(), ConnectError> {
    let invalid = || ConnectError::InvalidEndpoint {
        url: url.to_owned(),
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let host = host_of(rest);
    if host.is_empty() || url.contains(char::is_whitespace) {
        return Err(invalid());
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        "http" => Err(ConnectError::InsecureEndpoint {
            url: url.to_owned(),
        }),
        _ => Err(invalid()),
    }
}

/// Plain HTTP to another machine was asked for.
#[derive(Debug, Error)]
#[error("`{url}` is plain HTTP and not on this machine: secrets would be sent in the clear")]
pub(crate) struct Insecure {
    url: String,
}

/// Connectors by their time-outs, as the SDK asks for them; all clients share them.
#[derive(Debug, Default)]
struct Client {
    connectors: Mutex<HashMap<[Option<Duration>; 2], SharedHttpConnector>>,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let mut connectors = self
            .connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connectors
            .entry([settings.connect_timeout(), settings.read_timeout()])
            .or_insert_with(|| {
                let mut builder = Hyper::builder()
                    .connector_settings(settings.clone())
                    .pool_idle_timeout(IDLE);
                builder.set_sleep_impl(components.sleep_impl());
                SharedHttpConnector::new(Connector {
                    builder,
                    plain: OnceLock::new(),
                    tls: OnceLock::new(),
                })
            })
            .clone()
    }
}

/// Chooses by the request's scheme; each half is made when it is first needed.
#[derive(Debug)]
struct Connector {
    builder: ConnectorBuilder,
    plain: OnceLock<Hyper>,
    tls: OnceLock<Hyper>,
}

impl Connector {
    /// Never speaks TLS, so it needs no root certificates; reading the system's takes longer than a call.
    fn plain(&self) -> &Hyper {
        self.plain.get_or_init(|| {
            let builder = self
                .builder
                .clone()
                .tls_provider(Provider::rustls(CryptoMode::Ring));
            let no_roots = TlsContext::builder().with_trust_store(TrustStore::empty());
            match no_roots.build() {
                Ok(context) => builder.tls_context(context).build(),
                Err(_) => builder.build(),
            }
        })
    }

    /// With the system's root certificates and the proxy of the usual variables.
    fn tls(&self) -> &Hyper {
        self.tls.get_or_init(|| {
            self.builder
                .clone()
                .proxy_config(ProxyConfig::from_env())
                .tls_provider(Provider::rustls(CryptoMode::Ring))
                .build()
        })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match request.uri().split_once("://") {
            Some(("http", rest)) if may_be_plain(host_of(rest)) => self.plain().call(request),
            Some(("http", _)) => HttpConnectorFuture::ready(Err(ConnectorError::user(
                Insecure {
                    url: request.uri().to_owned(),
                }
                .into(),
            ))),
            _ => self.tls().call(request),
        }
    }
}

/// The host in what follows `://`.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match host_and_port.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

/// Loopback, and the link-local addresses at which EC2 and ECS hand out credentials.
fn may_be_plain(host: &str) -> bool {
    is_loopback(host)
        || match host.parse() {
            Ok(IpAddr::V4(address)) => address.is_link_local(),
            Ok(IpAddr::V6(address)) => {
                address.is_unicast_link_local() || address.segments().starts_with(&[0xfd00, 0x0ec2])
            }
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in [
            "http://127.0.0.1:4566",
            "http://localhost:4566/",
            "http://rds.localhost",
            "http://[::1]:80/x",
            "https://rds.eu-central-1.amazonaws.com",
        ] {
            assert_eq!(check_endpoint(url), Ok(()), "{url}");
        }
        for url in [
            "http://rds.eu-central-1.amazonaws.com",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "http://localhost@evil.example/",
            "http://169.254.169.254",
        ] {
            let url = url.to_owned();
            assert_eq!(
                check_endpoint(&url),
                Err(ConnectError::InsecureEndpoint { url: url.clone() })
            );
        }
        for url in [
            "",
            "localhost:4566",
            "ftp://localhost",
            "http://",
            "http:// x",
        ] {
            let url = url.to_owned();
            assert_eq!(
                check_endpoint(&url),
                Err(ConnectError::InvalidEndpoint { url: url.clone() })
            );
        }
    }

    #[test]
    fn credentials_of_machines_and_containers_may_come_over_plain_http() {
        for host in [
            "169.254.169.254",
            "169.254.170.2",
            "fd00:ec2::254",
            "localhost",
        ] {
            assert!(may_be_plain(host), "{host}");
        }
        assert!(!may_be_plain("10.0.0.1"));
        assert!(!may_be_plain("fd00::1"));
    }
}
