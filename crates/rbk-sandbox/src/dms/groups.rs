//! Replication subnet groups.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    errors::DmsError,
    request::{Listing, Tag, members, tags},
    state::{Dms, Subnet, SubnetGroup, VPC_ROLE},
};
use crate::world::{Call, World};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    replication_subnet_group_identifier: String,
    replication_subnet_group_description: String,
    subnet_ids: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// DMS makes nothing in a VPC without its role.
pub(super) fn check_vpc_role(world: &World, dms: &Dms) -> Result<(), DmsError> {
    if dms.roles.contains(VPC_ROLE) {
        return Ok(());
    }
    Err(DmsError::RoleMissing(format!(
        "The IAM Role arn:aws:iam::{}:role/{VPC_ROLE} is not configured properly.",
        world.options.account
    )))
}

pub(super) fn create(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let required = [
        "ReplicationSubnetGroupIdentifier",
        "ReplicationSubnetGroupDescription",
        "SubnetIds",
    ];
    let request: Create = members(body, &required)?;
    let name = request
        .replication_subnet_group_identifier
        .to_ascii_lowercase();
    let letter = |c: char| c.is_ascii_alphanumeric() || " ._-".contains(c);
    if name.is_empty() || name.len() > 255 || !name.chars().all(letter) || name == "default" {
        return Err(DmsError::InvalidValue(format!(
            "ReplicationSubnetGroupIdentifier must contain no more than 255 alphanumeric characters, periods, underscores or hyphens, and must not be \"default\": {name}"
        )));
    }
    let tags = tags(request.tags)?;
    world.apply(|model| {
        let dms = &mut model.dms;
        check_vpc_role(world, dms)?;
        if dms.subnet_groups.contains_key(&name) {
            return Err(DmsError::AlreadyExists(format!(
                "Replication Subnet Group {name} already exists."
            )));
        }
        let (vpc, subnets) = find_subnets(dms, &request.subnet_ids)?;
        let group = SubnetGroup {
            name: name.clone(),
            description: request.replication_subnet_group_description,
            vpc,
            subnets,
            tags,
        };
        let entry = call
            .entry(&name)
            .with("SubnetIds", request.subnet_ids.join(","));
        let answer = json!({ "ReplicationSubnetGroup": render(&group) });
        dms.subnet_groups.insert(name.clone(), group);
        Ok((answer, Some(entry)))
    })
}

/// Subnets are those of the groups that were declared; they have to be of one VPC and of two zones.
fn find_subnets(dms: &Dms, ids: &[String]) -> Result<(String, Vec<Subnet>), DmsError> {
    let mut vpcs = BTreeSet::new();
    let mut zones = BTreeSet::new();
    let mut subnets = Vec::new();
    for id in ids {
        let groups = dms.subnet_groups.values();
        let found = groups
            .flat_map(|group| group.subnets.iter().map(move |subnet| (&group.vpc, subnet)))
            .find(|(_, subnet)| subnet.id == *id);
        let Some((vpc, subnet)) = found else {
            return Err(DmsError::InvalidSubnet(format!(
                "The subnet {id} is not valid: there is no such subnet."
            )));
        };
        vpcs.insert(vpc.clone());
        zones.insert(subnet.zone.clone());
        subnets.push(subnet.clone());
    }
    if zones.len() < 2 {
        return Err(DmsError::TooFewZones(
            "The replication subnet group doesn't meet Availability Zone (AZ) coverage requirement. Please add subnets to cover at least 2 AZs.".into(),
        ));
    }
    let mut vpcs = vpcs.into_iter();
    match (vpcs.next(), vpcs.next()) {
        (Some(vpc), None) => Ok((vpc, subnets)),
        _ => Err(DmsError::InvalidSubnet(
            "The subnets are not all in the same VPC.".into(),
        )),
    }
}

fn render(group: &SubnetGroup) -> Value {
    let subnets: Vec<Value> = group
        .subnets
        .iter()
        .map(|subnet| {
            json!({
                "SubnetIdentifier": subnet.id,
                "SubnetAvailabilityZone": { "Name": subnet.zone },
                "SubnetStatus": "Active",
            })
        })
        .collect();
    json!({
        "ReplicationSubnetGroupIdentifier": group.name,
        "ReplicationSubnetGroupDescription": group.description,
        "VpcId": group.vpc,
        "SubnetGroupStatus": "Complete",
        "Subnets": subnets,
        "SupportedNetworkTypes": ["IPV4"],
        "IsReadOnly": false,
    })
}

pub(super) fn describe(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let listing: Listing = members(body, &[])?;
    listing.check(&["replication-subnet-group-id"])?;
    world.view(call, |model| {
        let groups: Vec<Value> = model
            .dms
            .subnet_groups
            .values()
            .filter(|group| listing.admits(|_| Some(&group.name)))
            .map(render)
            .collect();
        if listing.is_filtered() && groups.is_empty() {
            return Err(DmsError::NotFound(
                "No Replication Subnet Groups found matching provided filters".into(),
            ));
        }
        listing.page("ReplicationSubnetGroups", groups, 100)
    })
}
