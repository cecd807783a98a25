//! What the account may have, and has.

use super::{RdsError, query::Params, xml::Xml};
use crate::{
    model::{Model, SnapshotKind},
    world::{Call, World},
};

/// RDS's default quota of instances in a region.
pub(crate) const MOST_INSTANCES: usize = 40;

/// RDS's default quota of manual snapshots in a region.
pub(crate) const MOST_MANUAL_SNAPSHOTS: usize = 100;

pub(super) fn attributes(world: &World, call: &Call, params: Params) -> Result<Xml, RdsError> {
    params.finish()?;
    world.view(call, |model| {
        let mut xml = Xml::default();
        xml.list(
            "AccountQuotas",
            "AccountQuota",
            quotas(model),
            |xml, quota| {
                let (name, used, most) = quota;
                xml.text("AccountQuotaName", name)
                    .text("Used", used)
                    .text("Max", most);
            },
        );
        Ok(xml)
    })
}

fn quotas(model: &Model) -> [(&'static str, usize, usize); 5] {
    let storage: u32 = model
        .instances
        .values()
        .map(|instance| instance.allocated_storage)
        .sum();
    [
        ("DBInstances", model.instances.len(), model.most_instances()),
        ("AllocatedStorage", storage as usize, 100_000),
        ("DBParameterGroups", model.parameter_groups.len(), 50),
        (
            "ManualSnapshots",
            manual_snapshots(model),
            MOST_MANUAL_SNAPSHOTS,
        ),
        ("DBSubnetGroups", model.subnet_groups.len(), 50),
    ]
}

pub(super) fn manual_snapshots(model: &Model) -> usize {
    model
        .snapshots
        .values()
        .filter(|snapshot| snapshot.kind == SnapshotKind::Manual)
        .count()
}
