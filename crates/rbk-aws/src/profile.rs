//! Credentials of a profile that was asked for by name.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use thiserror::Error;

/// The profile's own credentials or none: the SDK's usual chain would prefer environment variables to it, and would
/// end at other credentials where the profile is misspelt.
#[derive(Debug)]
pub(crate) struct NamedProfile {
    name: String,
    provider: ProfileFileCredentialsProvider,
}

#[derive(Debug, Error)]
#[error("there is no profile `{name}` with credentials in AWS's configuration files")]
struct NoSuchProfile {
    name: String,
}

impl NamedProfile {
    pub(crate) fn new(name: &str, region: &Region, http: &SharedHttpClient) -> Self {
        let config = ProviderConfig::without_region()
            .with_region(Some(region.clone()))
            .with_http_client(http.clone())
            .with_behavior_version(Some(BehaviorVersion::latest()));
        Self {
            name: name.to_owned(),
            provider: ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(name)
                .build(),
        }
    }

    async fn credentials(&self) -> Result {
        self.provider
            .provide_credentials()
            .await
            .map_err(|error| match error {
                CredentialsError::CredentialsNotLoaded(_) => {
                    CredentialsError::invalid_configuration(NoSuchProfile {
                        name: self.name.clone(),
                    })
                }
                other => other,
            })
    }
}

impl ProvideCredentials for NamedProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}
