//! From RDS's descriptions to ours. The error is the name of a member that is missing and must not be.

use crate::time::timestamp;
use aws_sdk_rds::types::{DbInstance, DbSnapshot, PendingModifiedValues, Tag};
use rbk_core::ids::{InstanceId, ResourceId, SnapshotId};
use rbk_core::plan::InstanceSettings;
use rbk_core::ports::{Endpoint, Instance};
use rbk_core::value::Snapshot;
use std::collections::BTreeMap;

/// Tags by their keys.
pub(super) fn tags(list: &[Tag]) -> BTreeMap<String, String> {
    let pairs = list.iter().filter_map(|tag| {
        let value = tag.value().unwrap_or_default();
        Some((tag.key()?.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Translates an instance. Source: the type `DBInstance`.
pub(super) fn instance(db: &DbInstance) -> Result<Instance, &'static str> {
    let id = InstanceId::new(required(
        db.db_instance_identifier(),
        "DBInstanceIdentifier",
    )?);
    let tags = tags(db.tag_list());
    Ok(Instance {
        resource: ResourceId::new(required(db.dbi_resource_id(), "DbiResourceId")?),
        status: required(db.db_instance_status(), "DBInstanceStatus")?,
        endpoint: endpoint(db)?,
        engine: text(db.engine()),
        engine_version: text(db.engine_version()),
        master_username: text(db.master_username()),
        created_at: db.instance_create_time().and_then(timestamp),
        settings: settings(db, id.clone(), tags.clone()),
        pending: db
            .pending_modified_values()
            .map(pending)
            .unwrap_or_default(),
        unsettled: unsettled(db),
        latest_restorable_time: db.latest_restorable_time().and_then(timestamp),
        managed_master_secret: db.master_user_secret().is_some(),
        tags,
        id,
    })
}

/// Whether an instance has that name. RDS keeps names in lower case.
pub(super) fn is_named(name: Option<&str>, wanted: &InstanceId) -> bool {
    name.is_some_and(|name| name.eq_ignore_ascii_case(wanted.as_str()))
}

/// Translates a snapshot. Source: the type `DBSnapshot`.
pub(super) fn snapshot(snapshot: &DbSnapshot) -> Result<Snapshot, &'static str> {
    Ok(Snapshot {
        id: SnapshotId::new(required(
            snapshot.db_snapshot_identifier(),
            "DBSnapshotIdentifier",
        )?),
        instance: InstanceId::new(required(
            snapshot.db_instance_identifier(),
            "DBInstanceIdentifier",
        )?),
        resource: snapshot.dbi_resource_id().map(ResourceId::new),
        created_at: snapshot.snapshot_create_time().and_then(timestamp),
        data_as_of: snapshot.snapshot_database_time().and_then(timestamp),
        kind: text(snapshot.snapshot_type()),
        status: required(snapshot.status(), "Status")?,
        engine: text(snapshot.engine()),
        engine_version: text(snapshot.engine_version()),
        allocated_storage: snapshot.allocated_storage(),
        master_username: snapshot.master_username().map(str::to_owned),
    })
}

/// Absent while the instance is being created; RDS may then already tell the port alone.
fn endpoint(db: &DbInstance) -> Result<Option<Endpoint>, &'static str> {
    let Some((endpoint, host)) = db
        .endpoint()
        .and_then(|endpoint| Some((endpoint, endpoint.address()?)))
    else {
        return Ok(None);
    };
    let port = endpoint
        .port()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or("valid Endpoint.Port")?;
    Ok(Some(Endpoint {
        host: host.to_owned(),
        port,
    }))
}

fn settings(
    db: &DbInstance,
    instance: InstanceId,
    tags: BTreeMap<String, String>,
) -> InstanceSettings {
    InstanceSettings {
        instance,
        class: text(db.db_instance_class()),
        subnet_group: text(
            db.db_subnet_group()
                .and_then(|group| group.db_subnet_group_name()),
        ),
        security_groups: db
            .vpc_security_groups()
            .iter()
            .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
            .collect(),
        parameter_group: text(
            db.db_parameter_groups()
                .first()
                .and_then(|group| group.db_parameter_group_name()),
        ),
        multi_az: db.multi_az().unwrap_or(false),
        publicly_accessible: db.publicly_accessible().unwrap_or(false),
        storage_type: db.storage_type().map(str::to_owned),
        iam_authentication: db.iam_database_authentication_enabled().unwrap_or(false),
        retention_days: db
            .backup_retention_period()
            .and_then(|days| u32::try_from(days).ok())
            .unwrap_or(0),
        deletion_protection: db.deletion_protection().unwrap_or(false),
        tags,
    }
}

/// The names of what is pending, never the values. Source: the type `PendingModifiedValues`.
fn pending(values: &PendingModifiedValues) -> Vec<String> {
    [
        ("DBInstanceClass", values.db_instance_class().is_some()),
        ("AllocatedStorage", values.allocated_storage().is_some()),
        (
            "MasterUserPassword",
            values.master_user_password().is_some(),
        ),
        ("Port", values.port().is_some()),
        (
            "BackupRetentionPeriod",
            values.backup_retention_period().is_some(),
        ),
        ("MultiAZ", values.multi_az().is_some()),
        ("EngineVersion", values.engine_version().is_some()),
        ("LicenseModel", values.license_model().is_some()),
        ("Iops", values.iops().is_some()),
        ("StorageThroughput", values.storage_throughput().is_some()),
        (
            "DBInstanceIdentifier",
            values.db_instance_identifier().is_some(),
        ),
        ("StorageType", values.storage_type().is_some()),
        (
            "CACertificateIdentifier",
            values.ca_certificate_identifier().is_some(),
        ),
        ("DBSubnetGroupName", values.db_subnet_group_name().is_some()),
        (
            "PendingCloudwatchLogsExports",
            values
                .pending_cloudwatch_logs_exports()
                .is_some_and(|logs| {
                    !logs.log_types_to_enable().is_empty()
                        || !logs.log_types_to_disable().is_empty()
                }),
        ),
        ("ProcessorFeatures", !values.processor_features().is_empty()),
        ("AutomationMode", values.automation_mode().is_some()),
        (
            "ResumeFullAutomationModeTime",
            values.resume_full_automation_mode_time().is_some(),
        ),
        ("MultiTenant", values.multi_tenant().is_some()),
        (
            "IAMDatabaseAuthenticationEnabled",
            values.iam_database_authentication_enabled().is_some(),
        ),
        (
            "DedicatedLogVolume",
            values.dedicated_log_volume().is_some(),
        ),
        ("Engine", values.engine().is_some()),
        (
            "AdditionalStorageVolumes",
            !values.additional_storage_volumes().is_empty(),
        ),
        (
            "DBCapacityReservationIdentifier",
            values.db_capacity_reservation_identifier().is_some(),
        ),
    ]
    .into_iter()
    .filter(|(_, is_pending)| *is_pending)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// What CloudFormation's RDS provider waits for besides status and pending values, a line each.
fn unsettled(db: &DbInstance) -> Vec<String> {
    let mut unsettled = Vec::new();
    for group in db.db_parameter_groups() {
        let name = group.db_parameter_group_name().unwrap_or_default();
        match group.parameter_apply_status() {
            Some("in-sync") | None => {}
            Some("pending-reboot") => unsettled.push(format!(
                "parameter group {name} is pending-reboot: some of its parameters take effect only after a reboot"
            )),
            Some(status) => unsettled.push(format!("parameter group {name} is {status}")),
        }
    }
    for group in db.vpc_security_groups() {
        let name = group.vpc_security_group_id().unwrap_or_default();
        if let Some(status) = group.status().filter(|status| *status != "active") {
            unsettled.push(format!("security group {name} is {status}"));
        }
    }
    for group in db.option_group_memberships() {
        let name = group.option_group_name().unwrap_or_default();
        if let Some(status) = group.status().filter(|status| *status != "in-sync") {
            unsettled.push(format!("option group {name} is {status}"));
        }
    }
    let secret_status = db
        .master_user_secret()
        .and_then(|secret| secret.secret_status());
    if let Some(status) = secret_status.filter(|status| *status != "active") {
        unsettled.push(format!("the managed master secret is {status}"));
    }
    unsettled
}

fn required(member: Option<&str>, name: &'static str) -> Result<String, &'static str> {
    member
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or(name)
}

fn text(member: Option<&str>) -> String {
    member.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
