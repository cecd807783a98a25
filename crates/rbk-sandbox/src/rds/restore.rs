//! Restores. What isn't passed gets RDS's default, not the source's value.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    RdsError,
    lifecycle::{self, Restore},
    query::Params,
    render,
    snapshots::named_snapshot,
    xml::Xml,
};
use crate::{
    model::{
        Instance, InstanceId, InstanceStatus, Model, ParameterGroupMembership,
        SecurityGroupMembership, SnapshotStatus, default_parameter_group, default_security_group,
        family,
    },
    world::{Call, World},
};

/// What a restore may set. Absent members mean RDS's default.
pub(super) struct Wanted {
    id: InstanceId,
    class: Option<String>,
    port: Option<u16>,
    availability_zone: Option<String>,
    subnet_group: Option<String>,
    security_groups: Option<Vec<String>>,
    parameter_group: Option<String>,
    option_group: Option<String>,
    multi_az: bool,
    publicly_accessible: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    storage_type: Option<String>,
    iops: Option<u32>,
    storage_throughput: Option<u32>,
    allocated_storage: Option<u32>,
    copy_tags_to_snapshot: bool,
    iam_authentication: bool,
    deletion_protection: bool,
    backup_retention_days: Option<u32>,
    backup_window: Option<String>,
    ca_certificate: Option<String>,
    log_exports: Vec<String>,
    tags: Option<BTreeMap<String, String>>,
}

pub(super) fn from_snapshot(
    world: &Arc<World>,
    call: &Call,
    mut params: Params,
) -> Result<Xml, RdsError> {
    let snapshot_id = named_snapshot(&params.required("DBSnapshotIdentifier")?);
    let wanted = take(&mut params, "DBInstanceIdentifier")?;
    params.finish()?;
    let port = wanted.port;
    let (instance, snapshot) = world.apply(|model| {
        check_free(model, &wanted)?;
        let snapshot = model.snapshot(&snapshot_id)?.clone();
        if snapshot.status != SnapshotStatus::Available {
            return Err(RdsError::InvalidSnapshotState(format!(
                "Cannot restore from the snapshot {snapshot_id} because it is not in the available state."
            )));
        }
        let inherited = Inherited { source: &snapshot.source, tags: &snapshot.tags };
        let instance = resolve(world, model, wanted, inherited)?;
        model.instances.insert(instance.id.clone(), instance.clone());
        let entry = call
            .entry(&instance.id)
            .with("DBSnapshotIdentifier", &snapshot_id)
            .with("DbiResourceId", &instance.resource_id);
        Ok(((instance, snapshot), Some(entry)))
    })?;
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBInstance", |xml| {
            render::instance(world, model, &instance, xml)
        });
    });
    let restore = Restore {
        resource_id: instance.resource_id,
        data: snapshot.data,
        recovery: None,
        origin: format!("snapshot {snapshot_id}"),
        port,
        drawn: call.drawn.clone(),
    };
    lifecycle::begin_restore(world, restore);
    Ok(xml)
}

impl Wanted {
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }
}

/// There is no instance of that name yet, and room for one more.
pub(super) fn check_free(model: &Model, wanted: &Wanted) -> Result<(), RdsError> {
    if model.instances.contains_key(&wanted.id) {
        return Err(RdsError::InstanceAlreadyExists);
    }
    let most = model.most_instances();
    if model.instances.len() >= most {
        return Err(RdsError::InstanceQuotaExceeded(most));
    }
    Ok(())
}

/// `id` is the parameter that names the new instance.
pub(super) fn take(params: &mut Params, id: &str) -> Result<Wanted, RdsError> {
    let id = params.instance_id(id)?;
    for (parameter, only) in [
        ("Engine", "postgres"),
        ("LicenseModel", "postgresql-license"),
        ("NetworkType", "IPV4"),
        ("BackupTarget", "region"),
    ] {
        if let Some(value) = params.text(parameter)
            && value != only
        {
            return Err(RdsError::InvalidParameterValue(format!(
                "Invalid {parameter}: {value}; the sandbox has {only} only"
            )));
        }
    }
    for parameter in ["ManageMasterUserPassword", "MasterUserSecretKmsKeyId"] {
        if params.text(parameter).is_some_and(|value| value != "false") {
            return Err(RdsError::InvalidParameterCombination(format!(
                "{parameter} isn't supported in a restore for the engine postgres."
            )));
        }
    }
    let port = params.number("Port")?;
    let port = port.map(check_port).transpose()?;
    Ok(Wanted {
        id,
        class: params.text("DBInstanceClass"),
        port,
        availability_zone: params.text("AvailabilityZone"),
        subnet_group: params.text("DBSubnetGroupName"),
        security_groups: params.list("VpcSecurityGroupIds", "VpcSecurityGroupId"),
        parameter_group: params.text("DBParameterGroupName"),
        option_group: params.text("OptionGroupName"),
        multi_az: params.flag("MultiAZ")?.unwrap_or(false),
        publicly_accessible: params.flag("PubliclyAccessible")?,
        auto_minor_version_upgrade: params.flag("AutoMinorVersionUpgrade")?,
        storage_type: params.text("StorageType"),
        iops: params.number("Iops")?,
        storage_throughput: params.number("StorageThroughput")?,
        allocated_storage: params.number("AllocatedStorage")?,
        copy_tags_to_snapshot: params.flag("CopyTagsToSnapshot")?.unwrap_or(false),
        iam_authentication: params
            .flag("EnableIAMDatabaseAuthentication")?
            .unwrap_or(false),
        deletion_protection: params.flag("DeletionProtection")?.unwrap_or(false),
        backup_retention_days: params.number("BackupRetentionPeriod")?,
        backup_window: params.text("PreferredBackupWindow"),
        ca_certificate: params.text("CACertificateIdentifier"),
        log_exports: params
            .list("EnableCloudwatchLogsExports", "member")
            .unwrap_or_default(),
        tags: params.tags()?,
    })
}

fn check_port(port: u32) -> Result<u16, RdsError> {
    u16::try_from(port)
        .ok()
        .filter(|port| *port >= 1150)
        .ok_or_else(|| {
            RdsError::InvalidParameterValue(format!(
                "Invalid value {port} for Port. Must be between 1150 and 65535"
            ))
        })
}

/// What a restored instance takes over.
pub(super) struct Inherited<'a> {
    pub(super) source: &'a Instance,
    /// Of the snapshot; the source's of today for a point in time.
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// Fills in RDS's defaults, and checks what was passed against the account.
pub(super) fn resolve(
    world: &World,
    model: &Model,
    wanted: Wanted,
    inherited: Inherited<'_>,
) -> Result<Instance, RdsError> {
    let source = inherited.source;
    if wanted.multi_az && wanted.availability_zone.is_some() {
        return Err(RdsError::InvalidParameterCombination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances.".into(),
        ));
    }
    let allocated_storage = wanted.allocated_storage.unwrap_or(source.allocated_storage);
    if allocated_storage < source.allocated_storage {
        return Err(RdsError::InvalidParameterValue(
            "The allocated storage size can't be less than the source snapshot or backup size."
                .into(),
        ));
    }
    let backup_retention_days = wanted
        .backup_retention_days
        .unwrap_or(source.backup_retention_days);
    check_retention(backup_retention_days)?;
    let subnet_group = wanted
        .subnet_group
        .map_or_else(|| "default".into(), |name| name.to_ascii_lowercase());
    let vpc = model
        .subnet_groups
        .get(&subnet_group)
        .map(|group| group.vpc.clone())
        .ok_or_else(|| RdsError::SubnetGroupNotFound(subnet_group.clone()))?;
    let security_groups = wanted
        .security_groups
        .filter(|groups| !groups.is_empty())
        .unwrap_or_else(|| vec![default_security_group(&vpc)]);
    check_security_groups(model, &security_groups)?;
    let parameter_group = wanted.parameter_group.map_or_else(
        || default_parameter_group(&source.engine_version),
        |name| name.to_ascii_lowercase(),
    );
    check_parameter_group(model, &parameter_group, &source.engine_version)?;
    Ok(Instance {
        id: wanted.id,
        resource_id: new_resource_id(world),
        status: InstanceStatus::Creating,
        port: None,
        class: wanted.class.unwrap_or_else(|| source.class.clone()),
        engine_version: source.engine_version.clone(),
        database: source.database.clone(),
        master_username: source.master_username.clone(),
        created_at: None,
        allocated_storage,
        storage_type: wanted.storage_type.unwrap_or_else(|| {
            let default = if wanted.iops.is_some() { "io1" } else { "gp3" };
            default.to_owned()
        }),
        iops: wanted.iops,
        storage_throughput: wanted.storage_throughput,
        multi_az: wanted.multi_az,
        availability_zone: wanted
            .availability_zone
            .unwrap_or_else(|| format!("{}a", world.options.region)),
        publicly_accessible: wanted
            .publicly_accessible
            .unwrap_or(subnet_group == "default"),
        deletion_protection: wanted.deletion_protection,
        iam_authentication: wanted.iam_authentication,
        copy_tags_to_snapshot: wanted.copy_tags_to_snapshot,
        auto_minor_version_upgrade: wanted
            .auto_minor_version_upgrade
            .unwrap_or(source.auto_minor_version_upgrade),
        ca_certificate: wanted
            .ca_certificate
            .unwrap_or_else(|| "rds-ca-rsa2048-g1".into()),
        log_exports: wanted.log_exports,
        security_groups: active_groups(security_groups),
        parameter_group: ParameterGroupMembership {
            name: parameter_group,
            status: "in-sync",
        },
        option_group: wanted
            .option_group
            .unwrap_or_else(|| default_option_group(&source.engine_version)),
        subnet_group,
        backup_retention_days,
        backup_window: wanted.backup_window.unwrap_or_else(|| random_window(world)),
        maintenance_window: source.maintenance_window.clone(),
        pending: Default::default(),
        tags: wanted.tags.unwrap_or_else(|| inherited.tags.clone()),
    })
}

/// An id as RDS generates it.
pub(crate) fn new_resource_id(world: &World) -> String {
    format!(
        "db-{}",
        world.generated(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26)
    )
}

pub(crate) fn default_option_group(engine_version: &str) -> String {
    format!(
        "default:{}",
        family(engine_version).replace("postgres", "postgres-")
    )
}

/// Half an hour at a random time.
pub(crate) fn random_window(world: &World) -> String {
    let hour = world.generated(b"0123456789", 1);
    format!("0{hour}:14-0{hour}:44")
}

pub(crate) fn active_groups(ids: Vec<String>) -> Vec<SecurityGroupMembership> {
    ids.into_iter()
        .map(|id| SecurityGroupMembership {
            id,
            status: "active",
        })
        .collect()
}

pub(crate) fn check_retention(days: u32) -> Result<(), RdsError> {
    if days <= 35 {
        return Ok(());
    }
    Err(RdsError::InvalidParameterValue(format!(
        "Invalid backup retention period: {days}. Must be between 0 and 35"
    )))
}

pub(crate) fn check_security_groups(model: &Model, ids: &[String]) -> Result<(), RdsError> {
    match ids
        .iter()
        .find(|id| !model.security_groups.contains_key(*id))
    {
        None => Ok(()),
        Some(id) => Err(RdsError::InvalidParameterValue(format!(
            "Invalid security group , groupId= {id}, groupName=."
        ))),
    }
}

pub(crate) fn check_parameter_group(
    model: &Model,
    name: &str,
    engine_version: &str,
) -> Result<(), RdsError> {
    let group = model
        .parameter_groups
        .get(name)
        .ok_or_else(|| RdsError::ParameterGroupNotFound(name.to_owned()))?;
    let family = family(engine_version);
    if group.family == family {
        return Ok(());
    }
    Err(RdsError::InvalidParameterCombination(format!(
        "The parameter group {name} with DBParameterGroupFamily {} cannot be used for this instance. Please use a parameter group with DBParameterGroupFamily {family}",
        group.family
    )))
}
