//! Furnishing: groups, instances, secrets.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Sandbox, dms};
use crate::{
    cluster::{Cluster, front::Admission, scram_verifier},
    error::SandboxError,
    model::{
        EventSource, Instance, InstanceId, InstanceStatus, ParameterGroup,
        ParameterGroupMembership, SubnetGroup, default_parameter_group, default_security_group,
        family,
    },
    options::{
        DEFAULT_VPC, InstanceAddress, InstanceBlueprint, ParameterGroupBlueprint,
        SecurityGroupBlueprint, SubnetGroupBlueprint,
    },
    rds::{
        RdsError,
        restore::{
            active_groups, check_parameter_group, check_retention, check_security_groups,
            default_option_group, new_resource_id, random_window,
        },
    },
    secrets::{CURRENT, SecretsError, VersionId, new_arn, new_secret},
    world::{Running, World},
};

/// What each account has: a default VPC with its groups.
pub(super) fn defaults(world: &World) {
    let version = &world.installation.version;
    world.change(|model| {
        model.subnet_groups.insert(
            "default".into(),
            SubnetGroup {
                name: "default".into(),
                vpc: DEFAULT_VPC.into(),
            },
        );
        model
            .security_groups
            .insert(default_security_group(DEFAULT_VPC), Default::default());
        dms::defaults(world, model);
        let name = default_parameter_group(version);
        model.parameter_groups.insert(
            name.clone(),
            ParameterGroup {
                name,
                family: family(version),
                force_ssl: true,
            },
        );
    });
}

impl Sandbox {
    /// Declares a subnet group; its VPC gets a default security group, which admits nobody.
    pub fn declare_subnet_group(&self, group: SubnetGroupBlueprint) {
        let name = group.name.to_ascii_lowercase();
        self.world.change(|model| {
            model
                .security_groups
                .entry(default_security_group(&group.vpc))
                .or_default();
            let group = SubnetGroup {
                name: name.clone(),
                vpc: group.vpc,
            };
            model.subnet_groups.insert(name, group);
        });
    }

    /// Declares a parameter group.
    pub fn declare_parameter_group(&self, group: ParameterGroupBlueprint) {
        let name = group.name.to_ascii_lowercase();
        self.world.change(|model| {
            let group = ParameterGroup {
                name: name.clone(),
                family: group.family,
                force_ssl: group.force_ssl,
            };
            model.parameter_groups.insert(name, group);
        });
    }

    /// The family of parameter groups that fit, as in `postgres16`.
    pub fn parameter_group_family(&self) -> String {
        family(&self.world.installation.version)
    }

    /// Declares a security group, or changes whom it admits.
    pub fn declare_security_group(&self, group: SecurityGroupBlueprint) {
        let admissions: Vec<(String, Admission)> = self.world.change(|model| {
            model
                .security_groups
                .insert(group.id, group.admits.into_iter().collect());
            model
                .instances
                .values()
                .map(|instance| (instance.resource_id.clone(), model.admission(instance)))
                .collect()
        });
        for (resource_id, admission) in admissions {
            if let Some(running) = self.world.running(&resource_id) {
                running.admit(admission);
            }
        }
    }

    /// Makes an instance; it is `available` when this returns.
    pub async fn create_instance(
        &self,
        blueprint: InstanceBlueprint,
    ) -> Result<InstanceAddress, SandboxError> {
        let world = &self.world;
        let instance = plan(world, &blueprint)?;
        let resource_id = instance.resource_id.clone();
        let id = instance.id.clone();
        world.change(|model| {
            if model.instances.contains_key(&id) {
                return Err(RdsError::InstanceAlreadyExists);
            }
            model.instances.insert(id.clone(), instance);
            Ok(())
        })?;
        match self.bring_up(&resource_id, &blueprint).await {
            Ok(running) => {
                let port = world.change(|model| model.by_resource_id(&resource_id)?.port);
                Ok(address(&running.cluster, port.unwrap_or_default()))
            }
            Err(error) => {
                world.change(|model| model.instances.remove(&id));
                if let Some(running) = world.forget_running(&resource_id) {
                    running.cluster.stop().await;
                }
                Err(error)
            }
        }
    }

    async fn bring_up(
        &self,
        resource_id: &str,
        blueprint: &InstanceBlueprint,
    ) -> Result<Arc<Running>, SandboxError> {
        let world = &self.world;
        let template: PathBuf = world.template.clone();
        let running = world.raise(resource_id, &template, None).await?;
        let master = &blueprint.master_username;
        let verifier = scram_verifier(&blueprint.master_password);
        running.cluster.make_master(master, &verifier).await?;
        running
            .cluster
            .make_database(&blueprint.database, master, &blueprint.extensions)
            .await?;
        let admission = world
            .change(|model| {
                let instance = model.by_resource_id(resource_id)?.clone();
                Some(model.admission(&instance))
            })
            .unwrap_or_default();
        let port = world
            .open_front(&running, blueprint.port, admission)
            .await?;
        world.change(|model| {
            let instance = model.by_resource_id(resource_id)?;
            instance.port = Some(port);
            instance.created_at = Some(Timestamp::now());
            instance.status = InstanceStatus::Available;
            let id = instance.id.clone();
            model.event(
                EventSource::Instance,
                id,
                "DB instance created",
                &["creation"],
            );
            Some(())
        });
        Ok(running)
    }

    /// Makes a secret with a current version.
    pub fn create_secret(&self, name: &str, value: SecretString) -> Result<(), SandboxError> {
        self.add_secret(name, value, None)
    }

    /// Makes a secret that another service owns, like `rds`: clients may read it, but not write it.
    pub fn create_managed_secret(
        &self,
        name: &str,
        value: SecretString,
        owner: &str,
    ) -> Result<(), SandboxError> {
        self.add_secret(name, value, Some(owner.to_owned()))
    }

    fn add_secret(
        &self,
        name: &str,
        value: SecretString,
        owner: Option<String>,
    ) -> Result<(), SandboxError> {
        let arn = new_arn(&self.world, name);
        let id = VersionId::parse(&uuid::Uuid::new_v4().to_string())?;
        self.world.change(|model| {
            if model.secrets.contains_key(name) {
                let message =
                    format!("The operation failed because the secret {name} already exists.");
                return Err(SecretsError::Exists(message).into());
            }
            let mut secret = new_secret(name, arn)?;
            secret.put(id, value, &[CURRENT.to_owned()])?;
            secret.owner = owner;
            model.secrets.insert(name.to_owned(), secret);
            Ok(())
        })
    }

    /// The current value of a secret.
    pub fn secret(&self, name: &str) -> Result<SecretString, SandboxError> {
        self.world.read(|model| {
            let secret = model.secret(name)?;
            let value = secret.current().ok_or(SecretsError::NotFound)?;
            Ok(value.clone())
        })
    }

    /// Where an instance is reached.
    pub fn instance_address(&self, id: &str) -> Result<InstanceAddress, SandboxError> {
        let (instance, running) = self.find(id)?;
        let not_running = || SandboxError::NotRunning {
            id: id.to_owned(),
            status: instance.status.as_str().to_owned(),
        };
        let running = running.ok_or_else(not_running)?;
        let port = instance.port.ok_or_else(not_running)?;
        Ok(address(&running.cluster, port))
    }

    /// `DBInstanceStatus`; `None` if there is no such instance.
    pub fn instance_status(&self, id: &str) -> Option<String> {
        let (instance, _) = self.find(id).ok()?;
        Some(instance.status.as_str().to_owned())
    }

    pub(super) fn find(&self, id: &str) -> Result<(Instance, Option<Arc<Running>>), SandboxError> {
        let id = InstanceId::parse("DBInstanceIdentifier", id)?;
        let instance = self.world.read(|model| model.instance(&id).cloned())?;
        let running = self.world.running(&instance.resource_id);
        Ok((instance, running))
    }
}

fn address(cluster: &Cluster, port: u16) -> InstanceAddress {
    InstanceAddress {
        host: "127.0.0.1".into(),
        port,
        socket_directory: cluster.socket_directory(),
    }
}

fn plan(world: &World, blueprint: &InstanceBlueprint) -> Result<Instance, SandboxError> {
    let id = InstanceId::parse("DBInstanceIdentifier", &blueprint.id)?;
    let version = world.installation.version.clone();
    check_retention(blueprint.backup_retention_days)?;
    let subnet_group = blueprint.subnet_group.to_ascii_lowercase();
    let parameter_group = match &blueprint.parameter_group {
        Some(name) => name.to_ascii_lowercase(),
        None => default_parameter_group(&version),
    };
    let groups = world.read(|model| {
        let vpc = model
            .subnet_groups
            .get(&subnet_group)
            .map(|group| group.vpc.clone())
            .ok_or_else(|| RdsError::SubnetGroupNotFound(subnet_group.clone()))?;
        check_parameter_group(model, &parameter_group, &version)?;
        check_security_groups(model, &blueprint.security_groups)?;
        if blueprint.security_groups.is_empty() {
            return Ok::<_, RdsError>(vec![default_security_group(&vpc)]);
        }
        Ok(blueprint.security_groups.clone())
    })?;
    Ok(Instance {
        id,
        resource_id: new_resource_id(world),
        status: InstanceStatus::Creating,
        port: None,
        class: blueprint.class.clone(),
        option_group: default_option_group(&version),
        engine_version: version,
        database: Some(blueprint.database.clone()),
        master_username: blueprint.master_username.clone(),
        created_at: None,
        allocated_storage: blueprint.allocated_storage,
        storage_type: "gp3".into(),
        iops: None,
        storage_throughput: None,
        multi_az: blueprint.multi_az,
        availability_zone: format!("{}a", world.options.region),
        publicly_accessible: false,
        deletion_protection: blueprint.deletion_protection,
        iam_authentication: false,
        copy_tags_to_snapshot: true,
        auto_minor_version_upgrade: true,
        ca_certificate: "rds-ca-rsa2048-g1".into(),
        log_exports: Vec::new(),
        security_groups: active_groups(groups),
        parameter_group: ParameterGroupMembership {
            name: parameter_group,
            status: "in-sync",
        },
        subnet_group,
        backup_retention_days: blueprint.backup_retention_days,
        backup_window: random_window(world),
        maintenance_window: "sun:05:12-sun:05:42".into(),
        pending: Default::default(),
        tags: BTreeMap::clone(&blueprint.tags),
    })
}
