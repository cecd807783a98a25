//! The DMS port over aws-sdk-databasemigration.

use async_trait::async_trait;
use rbk_core::ports::{
    Dms, DmsEndpoint, DmsLeftover, EndpointRequest, PortError, Replication, ReplicationRequest,
    TableStatistics,
};

/// DMS.
pub(crate) struct DatabaseMigration;

#[async_trait]
impl Dms for DatabaseMigration {
    async fn endpoint(&self, _id: &str) -> Result<Option<DmsEndpoint>, PortError> {
        unimplemented!("contract")
    }
    async fn create_endpoint(&self, _request: &EndpointRequest) -> Result<DmsEndpoint, PortError> {
        unimplemented!("contract")
    }
    async fn delete_endpoint(&self, _arn: &str) -> Result<(), PortError> {
        unimplemented!("contract")
    }
    async fn replication(&self, _id: &str) -> Result<Option<Replication>, PortError> {
        unimplemented!("contract")
    }
    async fn create_replication(&self, _request: &ReplicationRequest) -> Result<(), PortError> {
        unimplemented!("contract")
    }
    async fn start_replication(&self, _arn: &str) -> Result<(), PortError> {
        unimplemented!("contract")
    }
    async fn stop_replication(&self, _arn: &str) -> Result<(), PortError> {
        unimplemented!("contract")
    }
    async fn delete_replication(&self, _arn: &str) -> Result<(), PortError> {
        unimplemented!("contract")
    }
    async fn table_statistics(&self, _arn: &str) -> Result<Vec<TableStatistics>, PortError> {
        unimplemented!("contract")
    }
    async fn has_subnet_group(&self, _name: &str) -> Result<bool, PortError> {
        unimplemented!("contract")
    }
    async fn leftovers(&self) -> Result<Vec<DmsLeftover>, PortError> {
        unimplemented!("contract")
    }
}
