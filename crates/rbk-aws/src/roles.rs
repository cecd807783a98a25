//! The `Roles` port over IAM.

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
    async fn has_role(&self, _: &str) -> Result<bool, PortError> {
        let _ = &self.client;
        unimplemented!("contract: pitr")
    }
}
