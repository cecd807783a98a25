//! DMS serverless: endpoints, replication configs, their life-cycle, and loads that really move rows.
//!
//! - `state.rs` is DMS's part of the account as plain data.
//! - `endpoints.rs` (with `endpoint_settings.rs`), `configs.rs`, `replications.rs`, `statistics.rs`, `groups.rs` and `tags.rs` answer operations;
//!   `request.rs` is what they share of the wire.
//! - `settings.rs` and `mappings.rs` check the two documents of a replication.
//! - `lifecycle.rs` lets a started replication go through its states; `credentials.rs` finds out who it logs in as;
//!   `load/` moves the rows.

mod configs;
mod credentials;
mod endpoint_settings;
mod endpoints;
mod errors;
mod groups;
mod lifecycle;
pub(crate) mod load;
mod mappings;
mod replications;
mod request;
mod settings;
mod state;
mod statistics;
mod tags;

use std::sync::Arc;

use serde_json::Value;

use crate::world::{Call, World};

pub use errors::DmsError;
pub(crate) use lifecycle::deprovision;
pub use state::ProvisionedCapacity;
pub(crate) use state::{Dms, Subnet, SubnetGroup, VPC_ROLE};

/// The prefix of DMS's `X-Amz-Target`.
pub(crate) const TARGET: &str = "AmazonDMSv20160101.";

/// Answers an operation.
pub(crate) fn handle(world: &Arc<World>, call: &Call, body: &[u8]) -> Result<Value, DmsError> {
    let body = request::object(body)?;
    match call.operation.as_str() {
        "AddTagsToResource" => tags::add(world, call, body),
        "CreateEndpoint" => endpoints::create(world, call, body),
        "CreateReplicationConfig" => configs::create(world, call, body),
        "CreateReplicationSubnetGroup" => groups::create(world, call, body),
        "DeleteEndpoint" => endpoints::delete(world, call, body),
        "DeleteReplicationConfig" => configs::delete(world, call, body),
        "DescribeEndpoints" => endpoints::describe(world, call, body),
        "DescribeReplicationConfigs" => configs::describe(world, call, body),
        "DescribeReplicationSubnetGroups" => groups::describe(world, call, body),
        "DescribeReplicationTableStatistics" => statistics::describe(world, call, body),
        "DescribeReplications" => replications::describe(world, call, body),
        "ListTagsForResource" => tags::list(world, call, body),
        "ModifyReplicationConfig" => configs::modify(world, call, body),
        "ReloadReplicationTables" => statistics::reload(world, call, body),
        "RemoveTagsFromResource" => tags::remove(world, call, body),
        "StartReplication" => replications::start(world, call, body),
        "StopReplication" => replications::stop(world, call, body),
        "TestConnection" => replications::test_connection(body),
        other => Err(DmsError::UnknownOperation(other.to_owned())),
    }
}
