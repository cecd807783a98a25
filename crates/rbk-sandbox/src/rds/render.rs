//! How instances and snapshots look in answers.

use super::xml::Xml;
use crate::{
    model::{Instance, Model, Snapshot, SubnetGroup},
    options::DEFAULT_VPC,
    world::World,
};

/// A `DBInstance`.
pub(super) fn instance(world: &World, model: &Model, instance: &Instance, xml: &mut Xml) {
    xml.text("DBInstanceIdentifier", &instance.id)
        .text("DBInstanceClass", &instance.class)
        .text("Engine", "postgres")
        .text("DBInstanceStatus", instance.status.as_str())
        .text("MasterUsername", &instance.master_username)
        .optional("DBName", instance.database.as_ref());
    if let Some(port) = instance.port {
        xml.element("Endpoint", |xml| {
            xml.text("Address", "127.0.0.1")
                .text("Port", port)
                .text("HostedZoneId", "Z1RLNUO7B9Q6NB");
        });
    }
    xml.text("AllocatedStorage", instance.allocated_storage);
    if let Some(created_at) = instance.created_at {
        xml.time("InstanceCreateTime", created_at);
    }
    xml.text("PreferredBackupWindow", &instance.backup_window)
        .text("BackupRetentionPeriod", instance.backup_retention_days)
        .list("DBSecurityGroups", "DBSecurityGroup", [(); 0], |_, ()| {})
        .list(
            "VpcSecurityGroups",
            "VpcSecurityGroupMembership",
            &instance.security_groups,
            |xml, group| {
                xml.text("VpcSecurityGroupId", &group.id)
                    .text("Status", group.status);
            },
        )
        .element("DBParameterGroups", |xml| {
            xml.element("DBParameterGroup", |xml| {
                xml.text("DBParameterGroupName", &instance.parameter_group.name)
                    .text("ParameterApplyStatus", instance.parameter_group.status);
            });
        });
    if instance.port.is_some() {
        xml.text("AvailabilityZone", &instance.availability_zone);
    }
    let subnets = model.subnet_groups.get(&instance.subnet_group);
    xml.element("DBSubnetGroup", |xml| {
        if let Some(group) = subnets {
            subnet_group(world, group, xml);
        }
    });
    xml.text("PreferredMaintenanceWindow", &instance.maintenance_window)
        .element("PendingModifiedValues", |xml| pending(instance, xml));
    if let Some(time) = model.restorable_until(instance) {
        xml.time("LatestRestorableTime", time);
    }
    xml.text("MultiAZ", instance.multi_az)
        .text("EngineVersion", &instance.engine_version)
        .text(
            "AutoMinorVersionUpgrade",
            instance.auto_minor_version_upgrade,
        )
        .list(
            "ReadReplicaDBInstanceIdentifiers",
            "ReadReplicaDBInstanceIdentifier",
            [(); 0],
            |_, ()| {},
        )
        .text("LicenseModel", "postgresql-license")
        .optional("Iops", instance.iops)
        .optional("StorageThroughput", instance.storage_throughput)
        .element("OptionGroupMemberships", |xml| {
            xml.element("OptionGroupMembership", |xml| {
                xml.text("OptionGroupName", &instance.option_group)
                    .text("Status", "in-sync");
            });
        })
        .text("PubliclyAccessible", instance.publicly_accessible)
        .text("StorageType", &instance.storage_type)
        .text("DbInstancePort", 0)
        .text("StorageEncrypted", true)
        .text(
            "KmsKeyId",
            world.arn("kms", "key/00000000-0000-4000-8000-000000000000"),
        )
        .text("DbiResourceId", &instance.resource_id)
        .text("CACertificateIdentifier", &instance.ca_certificate)
        .text("CopyTagsToSnapshot", instance.copy_tags_to_snapshot)
        .text("MonitoringInterval", 0)
        .text("DBInstanceArn", world.instance_arn(instance))
        .text(
            "IAMDatabaseAuthenticationEnabled",
            instance.iam_authentication,
        )
        .text("PerformanceInsightsEnabled", false)
        .text("DeletionProtection", instance.deletion_protection)
        .element("TagList", |xml| tags(&instance.tags, xml))
        .text("CustomerOwnedIpEnabled", false)
        .text("BackupTarget", "region")
        .text("NetworkType", "IPV4");
    if !instance.log_exports.is_empty() {
        xml.element("EnabledCloudwatchLogsExports", |xml| {
            for export in &instance.log_exports {
                xml.text("member", export);
            }
        });
    }
}

fn pending(instance: &Instance, xml: &mut Xml) {
    let pending = &instance.pending;
    xml.optional("DBInstanceClass", pending.class.as_ref())
        .optional("AllocatedStorage", pending.allocated_storage)
        .optional(
            "MasterUserPassword",
            pending.master_password.then_some("****"),
        )
        .optional("BackupRetentionPeriod", pending.backup_retention_days)
        .optional("MultiAZ", pending.multi_az)
        .optional("DBInstanceIdentifier", pending.id.as_ref())
        .optional(
            "IAMDatabaseAuthenticationEnabled",
            pending.iam_authentication,
        );
}

/// A `DBSnapshot`.
pub(super) fn snapshot(world: &World, model: &Model, snapshot: &Snapshot, xml: &mut Xml) {
    let source = &snapshot.source;
    let done = snapshot.created_at.is_some();
    xml.text("DBSnapshotIdentifier", &snapshot.id)
        .text("DBInstanceIdentifier", &source.id);
    if let Some(time) = snapshot.created_at {
        xml.time("SnapshotCreateTime", time)
            .time("OriginalSnapshotCreateTime", time);
    }
    if let Some(time) = snapshot.database_time {
        xml.time("SnapshotDatabaseTime", time);
    }
    xml.text("Engine", "postgres")
        .text("AllocatedStorage", source.allocated_storage)
        .text("Status", snapshot.status.as_str())
        .text("Port", 5432)
        .text("AvailabilityZone", &source.availability_zone)
        .optional(
            "VpcId",
            model
                .subnet_groups
                .get(&source.subnet_group)
                .map(|group| &group.vpc),
        );
    if let Some(time) = source.created_at {
        xml.time("InstanceCreateTime", time);
    }
    xml.text("MasterUsername", &source.master_username)
        .text("EngineVersion", &source.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("SnapshotType", snapshot.kind.as_str())
        .optional("Iops", source.iops)
        .text("OptionGroupName", &source.option_group)
        .text("PercentProgress", if done { 100 } else { 0 })
        .text("StorageType", &source.storage_type)
        .text("Encrypted", true)
        .text(
            "KmsKeyId",
            world.arn("kms", "key/00000000-0000-4000-8000-000000000000"),
        )
        .text(
            "DBSnapshotArn",
            world.arn("rds", &format!("snapshot:{}", snapshot.id)),
        )
        .text(
            "IAMDatabaseAuthenticationEnabled",
            source.iam_authentication,
        )
        .element("ProcessorFeatures", |_| {})
        .text("DbiResourceId", &source.resource_id)
        .element("TagList", |xml| tags(&snapshot.tags, xml))
        .text("SnapshotTarget", "region")
        .text("BackupRetentionPeriod", source.backup_retention_days)
        .text("PreferredBackupWindow", &source.backup_window);
}

/// The content of a `DBSubnetGroup`.
pub(super) fn subnet_group(world: &World, group: &SubnetGroup, xml: &mut Xml) {
    let region = &world.options.region;
    let suffix = if group.vpc == DEFAULT_VPC {
        "default"
    } else {
        group.vpc.trim_start_matches("vpc-")
    };
    xml.text("DBSubnetGroupName", &group.name)
        .text("DBSubnetGroupDescription", &group.name)
        .text("VpcId", &group.vpc)
        .text("SubnetGroupStatus", "Complete")
        .list("Subnets", "Subnet", ["a", "b"], |xml, zone| {
            xml.text("SubnetIdentifier", format!("subnet-{suffix}-{zone}"))
                .element("SubnetAvailabilityZone", |xml| {
                    xml.text("Name", format!("{region}{zone}"));
                })
                .text("SubnetStatus", "Active");
        })
        .text(
            "DBSubnetGroupArn",
            world.arn("rds", &format!("subgrp:{}", group.name)),
        );
}

/// The content of a `TagList`.
pub(super) fn tags(tags: &std::collections::BTreeMap<String, String>, xml: &mut Xml) {
    for (key, value) in tags {
        xml.element("Tag", |xml| {
            xml.text("Key", key).text("Value", value);
        });
    }
}
