//! The `Roles` port over IAM.

use crate::call::{Call, Service};
use crate::error::has_code;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use rbk_core::ports::{PortError, Roles};

/// IAM, which is the same in all regions of a partition.
pub(crate) struct Iam {
    client: Client,
}

impl Iam {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }
}

#[async_trait]
impl Roles for Iam {
    async fn has_role(&self, name: &str) -> Result<bool, PortError> {
        let call = Call::new(
            Service::Iam,
            "GetRole",
            format!("looking for the role `{name}`"),
        );
        let sending = self.client.get_role().role_name(name).customize();
        match call.run(sending.interceptor(call.watch()).send()).await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "NoSuchEntity") => Ok(false),
            Err(error) => Err(error),
        }
    }
}
