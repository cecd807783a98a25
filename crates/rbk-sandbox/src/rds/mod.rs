//! RDS: the operations, one file a family.

mod account;
pub(crate) mod archiving;
mod delete;
mod describe;
mod errors;
pub(crate) mod lifecycle;
mod modify;
mod point_in_time;
pub(crate) mod query;
mod render;
pub(crate) mod restore;
pub(crate) mod snapshots;
mod tags;
pub(crate) mod xml;

use std::sync::Arc;

pub(crate) use account::MOST_INSTANCES;
pub use errors::RdsError;
use query::Params;
use xml::Xml;

use crate::world::{Call, World};

pub(crate) const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";
pub(crate) const API_VERSION: &str = "2014-10-31";

/// Answers an operation; `None` is an answer without a result element.
pub(crate) fn handle(
    world: &Arc<World>,
    call: &Call,
    params: Params,
) -> Result<Option<Xml>, RdsError> {
    match call.operation.as_str() {
        "AddTagsToResource" => tags::add(world, call, params).map(|()| None),
        "RemoveTagsFromResource" => tags::remove(world, call, params).map(|()| None),
        "ListTagsForResource" => tags::list(world, call, params).map(Some),
        "DescribeDBInstances" => describe::instances(world, call, params).map(Some),
        "DescribeDBInstanceAutomatedBackups" => {
            describe::automated_backups(world, call, params).map(Some)
        }
        "DescribeEvents" => describe::events(world, call, params).map(Some),
        "DescribeDBSubnetGroups" => describe::subnet_groups(world, call, params).map(Some),
        "DescribeDBParameterGroups" => describe::parameter_groups(world, call, params).map(Some),
        "DescribeDBSnapshots" => snapshots::describe(world, call, params).map(Some),
        "CreateDBSnapshot" => snapshots::create(world, call, params).map(Some),
        "DeleteDBSnapshot" => snapshots::delete(world, call, params).map(Some),
        "DescribeAccountAttributes" => account::attributes(world, call, params).map(Some),
        "RestoreDBInstanceToPointInTime" => {
            point_in_time::to_point_in_time(world, call, params).map(Some)
        }
        "RestoreDBInstanceFromDBSnapshot" => restore::from_snapshot(world, call, params).map(Some),
        "ModifyDBInstance" => modify::modify(world, call, params).map(Some),
        "RebootDBInstance" => modify::reboot(world, call, params).map(Some),
        "DeleteDBInstance" => delete::delete(world, call, params).map(Some),
        other => Err(RdsError::InvalidAction {
            action: other.to_owned(),
            version: API_VERSION.to_owned(),
        }),
    }
}
