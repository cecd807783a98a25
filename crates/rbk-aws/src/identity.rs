//! The `Identity` port over STS.

use crate::call::{Call, Service};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::Client;
use rbk_core::ports::{Caller, Identity, PortError};

/// STS in one region.
pub(crate) struct Sts {
    client: Client,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
}

impl Sts {
    pub(crate) fn new(config: &SdkConfig, region: String) -> Self {
        Self {
            client: Client::new(config),
            credentials: config.credentials_provider(),
            region,
        }
    }
}

#[async_trait]
impl Identity for Sts {
    async fn caller(&self) -> Result<Caller, PortError> {
        let call = Call::new(
            Service::Sts,
            "GetCallerIdentity",
            "asking AWS whose credentials these are",
        );
        let sending = self.client.get_caller_identity().customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Caller {
                account,
                arn,
                region: self.region.clone(),
            }),
            _ => Err(call.nonsense("the answer names no account or no principal")),
        }
    }

    async fn expires_at(&self) -> Option<jiff::Timestamp> {
        let provider = self.credentials.as_ref()?;
        let credentials = provider.provide_credentials().await.ok()?;
        jiff::Timestamp::try_from(credentials.expiry()?).ok()
    }
}
