//! The RDS, DMS, Secrets Manager, STS and IAM ports of `rbk` over the AWS SDK.
//!
//! [`connect`] is the way in; it returns one `Arc<dyn …>` for each port of [`rbk_core::ports`].
//!
//! - `identity`, `rds`, `dms`, `secrets`, `roles`: one module for each port; every method is one operation (or all pages of one), but where
//!   DMS keeps tags and replications apart from what they belong to.
//! - `pages`: lists in pages, to their end.
//! - `call`: how an operation is sent, watched and logged.
//! - `error`: what the SDK's errors mean for a run.
//! - `redact`: keeps secrets out of error texts.
//! - `profile`: the credentials of a profile that was asked for by name.
//! - `transport`: one HTTP client for everything; TLS, proxies, and no plain HTTP beyond this machine.
//!
//! Reads are retried by the SDK, with jitter and within [`READ_TIMEOUT`]. A mutation is sent exactly once, and ends
//! within [`MUTATION_TIMEOUT`]. Nothing that the SDK itself logs is let through: at its finest level it prints bodies,
//! and so passwords.

mod call;
mod dms;
mod error;
mod identity;
mod pages;
mod profile;
mod rds;
mod redact;
mod roles;
mod secrets;
#[cfg(test)]
mod tests;
mod time;
mod transport;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rbk_core::ports;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// A read ends within this time, with all its attempts and the waiting in between (of one page, where there are pages).
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A mutation ends within this time. A lease must outlast it.
pub const MUTATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Where to connect, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The region of all calls: `eu-central-1`.
    pub region: String,
    /// An address to use instead of AWS's, for all services. Absent: what `AWS_ENDPOINT_URL`, its service-specific
    /// variants or the profile say, else AWS's own. Plain HTTP is for this machine only.
    pub endpoint_url: Option<String>,
    /// The profile whose credentials are used, before any in environment variables. Absent: the SDK's usual chain
    /// (variables, `AWS_PROFILE`, SSO, web identity, container, EC2 instance).
    pub profile: Option<String>,
    /// An access key that is used instead of anything the machine is set up with: a sandbox's.
    pub key: Option<AccessKey>,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// The ports.
#[derive(Clone)]
pub struct Aws {
    /// STS.
    pub identity: Arc<dyn ports::Identity>,
    /// RDS.
    pub rds: Arc<dyn ports::Rds>,
    /// DMS.
    pub dms: Arc<dyn ports::Dms>,
    /// Secrets Manager.
    pub secrets: Arc<dyn ports::Secrets>,
    /// IAM.
    pub roles: Arc<dyn ports::Roles>,
}

/// Why there are no clients.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// The region isn't one.
    #[error("`{region}` is no AWS region")]
    InvalidRegion {
        /// As it was given.
        region: String,
    },
    /// The endpoint isn't an address.
    #[error("the endpoint `{url}` is no `http://` or `https://` address")]
    InvalidEndpoint {
        /// As it was given.
        url: String,
    },
    /// Passwords would cross a network in the clear.
    #[error(
        "the endpoint `{url}` is plain HTTP and not on this machine: secrets would be sent in the clear"
    )]
    InsecureEndpoint {
        /// As it was given.
        url: String,
    },
}

/// Makes the clients. Reads variables and files, but sends nothing: credentials are looked for with the first call.
pub async fn connect(options: Options) -> Result<Aws, ConnectError> {
    let given = options.key.as_ref().map(|key| {
        let secret = key.secret.expose_secret();
        SharedCredentialsProvider::new(Credentials::new(&*key.id, secret, None, None, "given"))
    });
    connect_at(options, Pace::default(), given).await
}

/// How patient the clients are.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    connect: Duration,
    read_attempt: Duration,
    read: Duration,
    mutation: Duration,
    read_attempts: u32,
    first_backoff: Duration,
    longest_backoff: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read_attempt: Duration::from_secs(20),
            read: READ_TIMEOUT,
            mutation: MUTATION_TIMEOUT,
            read_attempts: 5,
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(8),
        }
    }
}

impl Pace {
    fn reads(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.read_attempt)
            .operation_timeout(self.read)
            .build()
    }

    /// The time-outs of mutations, which go with [`RetryConfig::disabled`].
    fn mutations(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .disable_operation_attempt_timeout()
            .operation_timeout(self.mutation)
            .build()
    }

    fn retries(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.read_attempts)
            .with_initial_backoff(self.first_backoff)
            .with_max_backoff(self.longest_backoff)
    }
}

pub(crate) async fn connect_at(
    options: Options,
    pace: Pace,
    credentials: Option<SharedCredentialsProvider>,
) -> Result<Aws, ConnectError> {
    if let Some(url) = &options.endpoint_url {
        transport::check_endpoint(url)?;
    }
    let region = region(&options.region)?;
    let http = transport::client();

    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http.clone())
        .retry_config(pace.retries())
        .timeout_config(pace.reads());
    if let Some(url) = options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = options.profile {
        loader = loader
            .credentials_provider(profile::NamedProfile::new(&profile, &region, &http))
            .profile_name(profile);
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials);
    }
    // At its finest level the reading of profiles logs what they say, keys included.
    let config = loader.load().with_subscriber(NoSubscriber::default()).await;

    Ok(Aws {
        identity: Arc::new(identity::Sts::new(&config, region.to_string())),
        rds: Arc::new(rds::Rds::new(&config, &pace)),
        dms: Arc::new(dms::DatabaseMigration::new(&config, &pace)),
        roles: Arc::new(roles::Iam::new(&config)),
        secrets: Arc::new(secrets::SecretsManager::new(&config, &pace)),
    })
}

/// A region becomes part of a host name, so it must look like one.
fn region(text: &str) -> Result<Region, ConnectError> {
    let plausible = !text.is_empty()
        && text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if plausible {
        Ok(Region::new(text.to_owned()))
    } else {
        Err(ConnectError::InvalidRegion {
            region: text.to_owned(),
        })
    }
}
