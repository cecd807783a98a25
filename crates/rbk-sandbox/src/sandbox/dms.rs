//! Furnishing and watching DMS.

use std::net::IpAddr;

use super::Sandbox;
use crate::{
    dms::{self, ProvisionedCapacity, Subnet, SubnetGroup, VPC_ROLE},
    error::SandboxError,
    model::{Model, default_security_group},
    options::DmsSubnetGroupBlueprint,
    world::World,
};

/// What each account has: the group that the console makes, and DMS's roles.
pub(super) fn defaults(world: &World, model: &mut Model) {
    let region = &world.options.region;
    declare(model, DmsSubnetGroupBlueprint::new("default", region));
    model.dms.certificates.insert(certificate_arn(world));
    for role in [VPC_ROLE, "dms-cloudwatch-logs-role"] {
        model.dms.roles.insert(role.to_owned());
    }
}

/// The sandbox's authority, as DMS would have it imported.
fn certificate_arn(world: &World) -> String {
    world.arn("dms", "cert:sandbox-ca")
}

fn declare(model: &mut Model, group: DmsSubnetGroupBlueprint) {
    let name = group.name.to_ascii_lowercase();
    model
        .security_groups
        .entry(default_security_group(&group.vpc))
        .or_default();
    let subnets = group.subnets.into_iter().map(|subnet| Subnet {
        id: subnet.id,
        zone: subnet.availability_zone,
    });
    let group = SubnetGroup {
        name: name.clone(),
        description: "declared".to_owned(),
        vpc: group.vpc,
        subnets: subnets.collect(),
        tags: Default::default(),
    };
    model.dms.subnet_groups.insert(name, group);
}

impl Sandbox {
    /// Declares a replication subnet group; there is a `default` one from the beginning.
    pub fn declare_dms_subnet_group(&self, group: DmsSubnetGroupBlueprint) {
        self.world.change(|model| declare(model, group));
    }

    /// Says from which loopback address the members of a security group come: DMS's sessions come
    /// from the address of their replication's first group that has one, else from 127.0.0.3.
    pub fn declare_source_address(&self, security_group: &str, address: IpAddr) {
        self.world.change(|model| {
            let group = security_group.to_owned();
            model.security_groups.entry(group.clone()).or_default();
            model.source_addresses.insert(group, address);
        });
    }

    /// Declares an IAM role that DMS may assume, like the one that reads secrets. `dms-vpc-role` and
    /// `dms-cloudwatch-logs-role` are there from the beginning.
    pub fn declare_role(&self, name: &str) {
        self.world
            .change(|model| model.dms.roles.insert(name.to_owned()));
    }

    /// Removes an IAM role: without `dms-vpc-role`, DMS makes no replication config.
    pub fn remove_role(&self, name: &str) {
        self.world.change(|model| model.dms.roles.remove(name));
    }

    /// Declares a certificate in DMS under an ARN of one's own: it is the sandbox's authority, too.
    pub fn declare_dms_certificate(&self, arn: &str) {
        self.world
            .change(|model| model.dms.certificates.insert(arn.to_owned()));
    }

    /// For `CertificateArn`: the sandbox's own authority, as if it had been imported into DMS.
    pub fn dms_certificate_arn(&self) -> String {
        certificate_arn(&self.world)
    }

    /// The capacity of replications that is provisioned, and so is billed until their configs are
    /// deleted.
    pub fn provisioned_capacity(&self) -> Vec<ProvisionedCapacity> {
        self.world.read(|model| model.dms.capacity())
    }

    /// Endpoints and replication configs that there are, as `endpoint NAME` and `replication config NAME`.
    pub fn dms_resources(&self) -> Vec<String> {
        self.world.read(|model| {
            let endpoints = model.dms.endpoints.values();
            let configs = model.dms.configs.values();
            endpoints
                .map(|it| format!("endpoint {}", it.id))
                .chain(configs.map(|it| format!("replication config {}", it.id)))
                .collect()
        })
    }

    /// Takes an ended replication's capacity away, as DMS does by itself after 48 hours: its table
    /// statistics are gone when this returns.
    pub async fn deprovision_replication(&self, identifier: &str) -> Result<(), SandboxError> {
        let (arn, run) = self.world.read(|model| {
            let mut configs = model.dms.configs.values();
            configs
                .find(|config| config.id == identifier)
                .map(|config| (config.arn.clone(), config.replication.runs))
                .ok_or_else(|| {
                    dms::DmsError::NotFound(format!("Replication Config {identifier} not found."))
                })
        })?;
        dms::deprovision(&self.world, &arn, run, false).await;
        Ok(())
    }
}
