//! Reads of instances, automated backups, events and groups.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    RdsError,
    query::{Filter, Params},
    render,
    xml::Xml,
};
use crate::{
    model::{Event, EventSource, Instance, InstanceId, Model},
    world::{Call, World},
};

pub(super) fn instances(world: &World, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let named = params.text("DBInstanceIdentifier");
    let filters = params.filters(&[
        "db-cluster-id",
        "db-instance-id",
        "dbi-resource-id",
        "domain",
        "engine",
    ])?;
    let page = params.page()?;
    params.finish()?;
    world.view(call, |model| {
        let found: Vec<&Instance> = match named {
            Some(name) => vec![model.instance(&named_instance(&name)?)?],
            None => model.instances.values().collect(),
        };
        let found = found
            .into_iter()
            .filter(|instance| filters.iter().all(|filter| matches(filter, instance)))
            .collect();
        let (found, marker) = page.of(found);
        let mut xml = Xml::default();
        xml.optional("Marker", marker)
            .list("DBInstances", "DBInstance", found, |xml, instance| {
                render::instance(world, model, instance, xml);
            });
        Ok(xml)
    })
}

/// A name or an ARN.
pub(super) fn named_instance(text: &str) -> Result<InstanceId, RdsError> {
    let name = match text.strip_prefix("arn:") {
        Some(arn) => arn.rsplit(':').next().unwrap_or_default(),
        None => text,
    };
    InstanceId::parse("DBInstanceIdentifier", name)
}

fn matches(filter: &Filter, instance: &Instance) -> bool {
    filter
        .values
        .iter()
        .any(|value| match filter.name.as_str() {
            "db-instance-id" => named_instance(value).is_ok_and(|id| id == instance.id),
            "dbi-resource-id" => *value == instance.resource_id,
            "engine" => value == "postgres",
            // Clusters and directory domains don't exist here.
            _ => false,
        })
}

pub(super) fn automated_backups(
    world: &World,
    call: &Call,
    mut params: Params,
) -> Result<Xml, RdsError> {
    let mut filters = params.filters(&["status", "db-instance-id", "dbi-resource-id"])?;
    for (parameter, filter) in [
        ("DbiResourceId", "dbi-resource-id"),
        ("DBInstanceIdentifier", "db-instance-id"),
    ] {
        if let Some(value) = params.text(parameter) {
            filters.push(Filter {
                name: filter.to_owned(),
                values: vec![value],
            });
        }
    }
    let page = params.page()?;
    params.finish()?;
    world.view(call, |model| {
        let active = model
            .instances
            .values()
            .filter(|instance| instance.backup_retention_days > 0)
            .map(|instance| (instance, backup_status(model, instance)));
        let retained = model
            .retained_backups
            .iter()
            .map(|backup| (backup, "retained"));
        let found = active
            .chain(retained)
            .filter(|(instance, status)| {
                filters.iter().all(|filter| match filter.name.as_str() {
                    "status" => filter.values.iter().any(|value| value == status),
                    _ => matches(filter, instance),
                })
            })
            .collect();
        let (found, marker) = page.of(found);
        let mut xml = Xml::default();
        xml.optional("Marker", marker).list(
            "DBInstanceAutomatedBackups",
            "DBInstanceAutomatedBackup",
            found,
            |xml, (instance, status)| automated_backup(world, model, instance, status, xml),
        );
        Ok(xml)
    })
}

fn backup_status(model: &Model, instance: &Instance) -> &'static str {
    match model.restorable_since(instance) {
        Some(_) => "active",
        None => "creating",
    }
}

fn automated_backup(
    world: &World,
    model: &Model,
    instance: &Instance,
    status: &str,
    xml: &mut Xml,
) {
    xml.text("DBInstanceArn", world.instance_arn(instance))
        .text("DbiResourceId", &instance.resource_id)
        .text("Region", &world.options.region)
        .text("DBInstanceIdentifier", &instance.id)
        .element("RestoreWindow", |xml| {
            if let Some(time) = model.restorable_since(instance) {
                xml.time("EarliestTime", time);
            }
            if let Some(time) = model.restorable_until(instance) {
                xml.time("LatestTime", time);
            }
        })
        .text("AllocatedStorage", instance.allocated_storage)
        .text("Status", status)
        .text("Port", 5432)
        .text("AvailabilityZone", &instance.availability_zone)
        .optional(
            "VpcId",
            model
                .subnet_groups
                .get(&instance.subnet_group)
                .map(|group| &group.vpc),
        );
    if let Some(time) = instance.created_at {
        xml.time("InstanceCreateTime", time);
    }
    xml.text("MasterUsername", &instance.master_username)
        .text("Engine", "postgres")
        .text("EngineVersion", &instance.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("OptionGroupName", &instance.option_group)
        .text("Encrypted", true)
        .text("StorageType", &instance.storage_type)
        .text(
            "IAMDatabaseAuthenticationEnabled",
            instance.iam_authentication,
        )
        .text("BackupRetentionPeriod", instance.backup_retention_days)
        .text(
            "DBInstanceAutomatedBackupsArn",
            world.arn("rds", &format!("auto-backup:{}", backup_name(instance))),
        );
}

pub(super) fn backup_name(instance: &Instance) -> String {
    instance
        .resource_id
        .replace("db-", "ab-")
        .to_ascii_lowercase()
}

/// Events are kept for fourteen days; without times, the last hour is shown.
pub(super) fn events(world: &World, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let source_type = params.text("SourceType");
    let source_id = params.text("SourceIdentifier");
    let start = params.timestamp("StartTime")?;
    let end = params.timestamp("EndTime")?;
    let minutes = params.number("Duration")?.unwrap_or(60);
    let categories = params
        .list("EventCategories", "EventCategory")
        .unwrap_or_default();
    let page = params.page()?;
    params.finish()?;
    if source_id.is_some() && source_type.is_none() {
        return Err(RdsError::InvalidParameterCombination(
            "The parameter SourceIdentifier must be used together with SourceType".into(),
        ));
    }
    let start = start.unwrap_or_else(|| {
        let window = Duration::from_secs(u64::from(minutes) * 60);
        end.unwrap_or_else(Timestamp::now) - window
    });
    let wanted = |event: &&Event| {
        event.at >= start
            && end.is_none_or(|end| event.at <= end)
            && source_type
                .as_deref()
                .is_none_or(|kind| kind == source_name(event.source))
            && source_id
                .as_deref()
                .is_none_or(|id| id.eq_ignore_ascii_case(&event.source_id))
            && (categories.is_empty()
                || event
                    .categories
                    .iter()
                    .any(|one| categories.iter().any(|c| c == one)))
    };
    world.view(call, |model| {
        let (found, marker) = page.of(model.events.iter().filter(wanted).collect());
        let mut xml = Xml::default();
        xml.optional("Marker", marker)
            .list("Events", "Event", found, |xml, event| {
                render_event(world, event, xml)
            });
        Ok(xml)
    })
}

fn source_name(source: EventSource) -> &'static str {
    match source {
        EventSource::Instance => "db-instance",
        EventSource::Snapshot => "db-snapshot",
    }
}

fn render_event(world: &World, event: &Event, xml: &mut Xml) {
    let kind = match event.source {
        EventSource::Instance => "db",
        EventSource::Snapshot => "snapshot",
    };
    xml.text("SourceIdentifier", &event.source_id)
        .text("SourceType", source_name(event.source))
        .text("Message", &event.message)
        .element("EventCategories", |xml| {
            for category in event.categories {
                xml.text("EventCategory", category);
            }
        })
        .time("Date", event.at)
        .text(
            "SourceArn",
            world.arn("rds", &format!("{kind}:{}", event.source_id)),
        );
}

pub(super) fn subnet_groups(
    world: &World,
    call: &Call,
    mut params: Params,
) -> Result<Xml, RdsError> {
    let named = params.text("DBSubnetGroupName");
    params.filters(&[])?;
    let page = params.page()?;
    params.finish()?;
    world.view(call, |model| {
        let found = match named {
            None => model.subnet_groups.values().collect(),
            Some(name) => vec![
                model
                    .subnet_groups
                    .get(&name.to_ascii_lowercase())
                    .ok_or(RdsError::SubnetGroupNotFound(name))?,
            ],
        };
        let (found, marker) = page.of(found);
        let mut xml = Xml::default();
        xml.optional("Marker", marker).list(
            "DBSubnetGroups",
            "DBSubnetGroup",
            found,
            |xml, group| {
                render::subnet_group(world, group, xml);
            },
        );
        Ok(xml)
    })
}

pub(super) fn parameter_groups(
    world: &World,
    call: &Call,
    mut params: Params,
) -> Result<Xml, RdsError> {
    let named = params.text("DBParameterGroupName");
    params.filters(&[])?;
    let page = params.page()?;
    params.finish()?;
    world.view(call, |model| {
        let found = match named {
            None => model.parameter_groups.values().collect(),
            Some(name) => vec![
                model
                    .parameter_groups
                    .get(&name.to_ascii_lowercase())
                    .ok_or(RdsError::ParameterGroupNotFound(name))?,
            ],
        };
        let (found, marker) = page.of(found);
        let mut xml = Xml::default();
        xml.optional("Marker", marker).list(
            "DBParameterGroups",
            "DBParameterGroup",
            found,
            |xml, group| {
                xml.text("DBParameterGroupName", &group.name)
                    .text("DBParameterGroupFamily", &group.family)
                    .text("Description", &group.name)
                    .text(
                        "DBParameterGroupArn",
                        world.arn("rds", &format!("pg:{}", group.name)),
                    );
            },
        );
        Ok(xml)
    })
}
