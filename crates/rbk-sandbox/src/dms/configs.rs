//! Replication configs: creating, describing, modifying, deleting.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    endpoints::default_key,
    errors::DmsError,
    groups::check_vpc_role,
    mappings,
    request::{
        Listing, Members, Tag, check_identifier, members, missing, resource_name, seconds, tags,
    },
    settings,
    state::{Compute, Config, Dms, EndpointRole, Replication, Status},
};
use crate::{
    fault::Moment,
    model::Model,
    world::{Call, World},
};

/// The sizes that DMS has, in capacity units.
const UNITS: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    replication_config_identifier: String,
    source_endpoint_arn: String,
    target_endpoint_arn: String,
    compute_config: ComputeConfig,
    replication_type: String,
    table_mappings: String,
    replication_settings: Option<String>,
    supplemental_settings: Option<String>,
    resource_identifier: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ComputeConfig {
    availability_zone: Option<String>,
    dns_name_servers: Option<String>,
    kms_key_id: Option<String>,
    max_capacity_units: Option<u32>,
    min_capacity_units: Option<u32>,
    #[serde(rename = "MultiAZ")]
    multi_az: Option<bool>,
    preferred_maintenance_window: Option<String>,
    replication_subnet_group_id: Option<String>,
    vpc_security_group_ids: Option<Vec<String>>,
}

pub(super) fn create(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let required = [
        "ReplicationConfigIdentifier",
        "SourceEndpointArn",
        "TargetEndpointArn",
        "ComputeConfig",
        "ReplicationType",
        "TableMappings",
    ];
    let request: Create = members(body, &required)?;
    let id = request.replication_config_identifier;
    check_identifier("ReplicationConfigIdentifier", &id, 255)?;
    check_type(&request.replication_type)?;
    mappings::check(&request.table_mappings)?;
    let settings = settings::expand(request.replication_settings.as_deref())?;
    check_supplemental(request.supplemental_settings.as_deref())?;
    let resource = resource_name(world, request.resource_identifier.as_deref())?;
    let arn = world.arn("dms", &format!("replication-config:{resource}"));
    let tags = tags(request.tags)?;
    // A new config may be busy for a while; here it is if a fault says so.
    let busy = call.drawn.at(Moment::During).next().is_some();
    let answer = world.apply(|model| {
        check_vpc_role(world, &model.dms)?;
        let same = |config: &&Config| config.id.eq_ignore_ascii_case(&id) || config.arn == arn;
        if let Some(present) = model.dms.configs.values().find(same) {
            return Err(DmsError::AlreadyExists(format!(
                "Replication Config already exists: {}",
                present.id
            )));
        }
        check_endpoint(
            &model.dms,
            &request.source_endpoint_arn,
            EndpointRole::Source,
        )?;
        check_endpoint(
            &model.dms,
            &request.target_endpoint_arn,
            EndpointRole::Target,
        )?;
        let compute = compute(world, model, request.compute_config)?;
        let now = Timestamp::now();
        let mut config = Config {
            id: id.clone(),
            arn: arn.clone(),
            resource,
            source_arn: request.source_endpoint_arn,
            target_arn: request.target_endpoint_arn,
            compute,
            mappings: request.table_mappings,
            settings,
            supplemental: request.supplemental_settings,
            created_at: now,
            updated_at: now,
            tags,
            replication: Replication::new(now),
        };
        if busy {
            config.replication.status = Status::Modifying;
        }
        let entry = call
            .entry(&id)
            .with("ReplicationConfigArn", &arn)
            .with("SourceEndpointArn", &config.source_arn)
            .with("TargetEndpointArn", &config.target_arn);
        let answer = json!({ "ReplicationConfig": render(&config) });
        model.dms.configs.insert(arn.clone(), config);
        Ok((answer, Some(entry)))
    })?;
    if busy {
        settle(world, call, arn, Status::Created);
    }
    Ok(answer)
}

fn check_type(kind: &str) -> Result<(), DmsError> {
    match kind {
        "full-load" => Ok(()),
        "cdc" | "full-load-and-cdc" => Err(DmsError::InvalidValue(format!(
            "The sandbox has no change data capture ({kind}); its ReplicationType is full-load."
        ))),
        other => Err(DmsError::InvalidValue(format!(
            "Invalid ReplicationType: {other}. Valid values: full-load | cdc | full-load-and-cdc"
        ))),
    }
}

fn check_supplemental(text: Option<&str>) -> Result<(), DmsError> {
    match text.map(serde_json::from_str::<Value>) {
        None | Some(Ok(Value::Object(_))) => Ok(()),
        Some(_) => Err(DmsError::InvalidValue(
            "SupplementalSettings must be a JSON object.".into(),
        )),
    }
}

fn check_endpoint(dms: &Dms, arn: &str, role: EndpointRole) -> Result<(), DmsError> {
    let endpoint = dms.endpoint(arn)?;
    if endpoint.deleting {
        return Err(DmsError::InvalidState(format!(
            "Endpoint {} is being deleted.",
            endpoint.id
        )));
    }
    if endpoint.role != role {
        return Err(DmsError::InvalidCombination(format!(
            "Endpoint {} is a {}, not a {}.",
            endpoint.id,
            endpoint.role.as_str(),
            role.as_str()
        )));
    }
    Ok(())
}

fn compute(world: &World, model: &Model, given: ComputeConfig) -> Result<Compute, DmsError> {
    let invalid = |text: String| Err(DmsError::InvalidValue(text));
    let max_units = given
        .max_capacity_units
        .ok_or_else(|| missing("MaxCapacityUnits"))?;
    let min_units = given.min_capacity_units.unwrap_or(1);
    for (name, units) in [
        ("MaxCapacityUnits", max_units),
        ("MinCapacityUnits", min_units),
    ] {
        if !UNITS.contains(&units) {
            return invalid(format!(
                "Invalid {name}: {units}. Valid values: {}",
                UNITS.map(|units| units.to_string()).join(", ")
            ));
        }
    }
    if min_units > max_units {
        return invalid(format!(
            "MinCapacityUnits ({min_units}) must not be greater than MaxCapacityUnits ({max_units})."
        ));
    }
    let multi_az = given.multi_az.unwrap_or(false);
    if let (true, Some(zone)) = (multi_az, &given.availability_zone) {
        return Err(DmsError::InvalidCombination(format!(
            "AvailabilityZone ({zone}) can't be set if MultiAZ is true."
        )));
    }
    let subnet_group = given
        .replication_subnet_group_id
        .unwrap_or_else(|| "default".into())
        .to_ascii_lowercase();
    let Some(group) = model.dms.subnet_groups.get(&subnet_group) else {
        return Err(DmsError::NotFound(format!(
            "Replication Subnet Group {subnet_group} not found."
        )));
    };
    if let Some(zone) = &given.availability_zone
        && !group.subnets.iter().any(|subnet| subnet.zone == *zone)
    {
        return invalid(format!(
            "AvailabilityZone {zone} is not covered by subnet group {subnet_group}."
        ));
    }
    let security_groups = match given.vpc_security_group_ids {
        Some(groups) if !groups.is_empty() => groups,
        Some(_) | None => vec![crate::model::default_security_group(&group.vpc)],
    };
    let missing = |id: &&String| !model.security_groups.contains_key(*id);
    if let Some(id) = security_groups.iter().find(missing) {
        return invalid(format!("Invalid security group: {id} does not exist."));
    }
    Ok(Compute {
        max_units,
        min_units,
        multi_az,
        availability_zone: given.availability_zone,
        subnet_group,
        security_groups,
        kms_key: given.kms_key_id.unwrap_or_else(|| default_key(world)),
        dns_servers: given.dns_name_servers,
        maintenance_window: given
            .preferred_maintenance_window
            .unwrap_or_else(|| "sun:05:12-sun:05:42".into()),
    })
}

fn render(config: &Config) -> Value {
    let compute = &config.compute;
    let mut sizes = Members::new();
    sizes
        .set("MaxCapacityUnits", compute.max_units)
        .set("MinCapacityUnits", compute.min_units)
        .set("MultiAZ", compute.multi_az)
        .set("KmsKeyId", compute.kms_key.as_str())
        .set(
            "PreferredMaintenanceWindow",
            compute.maintenance_window.as_str(),
        )
        .set("ReplicationSubnetGroupId", compute.subnet_group.as_str())
        .set("VpcSecurityGroupIds", compute.security_groups.clone())
        .maybe("AvailabilityZone", compute.availability_zone.clone())
        .maybe("DnsNameServers", compute.dns_servers.clone());
    let mut shown = Members::new();
    shown
        .set("ReplicationConfigIdentifier", config.id.as_str())
        .set("ReplicationConfigArn", config.arn.as_str())
        .set("SourceEndpointArn", config.source_arn.as_str())
        .set("TargetEndpointArn", config.target_arn.as_str())
        .set("ReplicationType", "full-load")
        .set("ComputeConfig", sizes.done())
        .set("ReplicationSettings", config.settings.to_string())
        .set("TableMappings", config.mappings.as_str())
        .set("ReplicationConfigCreateTime", seconds(config.created_at))
        .set("ReplicationConfigUpdateTime", seconds(config.updated_at))
        .set("IsReadOnly", false)
        .maybe("SupplementalSettings", config.supplemental.clone());
    shown.done()
}

pub(super) fn describe(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let listing: Listing = members(body, &[])?;
    listing.check(&["replication-config-arn", "replication-config-id"])?;
    world.view(call, |model| {
        let configs = matching(&model.dms, &listing, "Replication Configs")?;
        let shown = configs.into_iter().map(render).collect();
        listing.page("ReplicationConfigs", shown, 100)
    })
}

/// The configs that pass the filters; none is an error if there are filters.
pub(super) fn matching<'a>(
    dms: &'a Dms,
    listing: &Listing,
    what: &str,
) -> Result<Vec<&'a Config>, DmsError> {
    let found: Vec<&Config> = dms
        .configs
        .values()
        .filter(|config| {
            listing.admits(|name| match name {
                "replication-config-arn" => Some(&config.arn),
                _ => Some(&config.id),
            })
        })
        .collect();
    if listing.is_filtered() && found.is_empty() {
        return Err(DmsError::NotFound(format!(
            "No {what} found matching provided filters"
        )));
    }
    Ok(found)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Modify {
    replication_config_arn: String,
    replication_config_identifier: Option<String>,
    replication_type: Option<String>,
    table_mappings: Option<String>,
    replication_settings: Option<String>,
    supplemental_settings: Option<String>,
    compute_config: Option<ComputeConfig>,
    source_endpoint_arn: Option<String>,
    target_endpoint_arn: Option<String>,
}

/// Only before the first start, or after a failure: AWS's documents disagree about `stopped`, and the stricter one
/// counts here.
pub(super) fn modify(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: Modify = members(body, &["ReplicationConfigArn"])?;
    let arn = request.replication_config_arn;
    if let Some(kind) = &request.replication_type {
        check_type(kind)?;
    }
    if let Some(text) = &request.table_mappings {
        mappings::check(text)?;
    }
    check_supplemental(request.supplemental_settings.as_deref())?;
    let settings = match &request.replication_settings {
        Some(text) => Some(settings::expand(Some(text))?),
        None => None,
    };
    let (answer, back) = world.apply(|model| {
        let mut config = model.dms.config(&arn)?.clone();
        let back = config.replication.status;
        if !matches!(back, Status::Created | Status::Failed) {
            return Err(DmsError::InvalidState(format!(
                "Replication for Replication Config: {} is in {} state and cannot be modified.",
                config.id,
                back.as_str().to_ascii_uppercase()
            )));
        }
        if let Some(id) = request.replication_config_identifier {
            check_identifier("ReplicationConfigIdentifier", &id, 255)?;
            let mut others = model.dms.configs.values().filter(|other| other.arn != arn);
            if others.any(|other| other.id.eq_ignore_ascii_case(&id)) {
                return Err(DmsError::AlreadyExists(format!(
                    "Replication Config already exists: {id}"
                )));
            }
            config.id = id;
        }
        if let Some(source) = request.source_endpoint_arn {
            check_endpoint(&model.dms, &source, EndpointRole::Source)?;
            config.source_arn = source;
        }
        if let Some(target) = request.target_endpoint_arn {
            check_endpoint(&model.dms, &target, EndpointRole::Target)?;
            config.target_arn = target;
        }
        if let Some(given) = request.compute_config {
            config.compute = compute(world, model, keep(given, &config.compute))?;
        }
        if let Some(mappings) = request.table_mappings {
            config.mappings = mappings;
        }
        if let Some(settings) = settings {
            config.settings = settings;
        }
        if request.supplemental_settings.is_some() {
            config.supplemental = request.supplemental_settings;
        }
        config.updated_at = Timestamp::now();
        config.replication.status = Status::Modifying;
        config.replication.updated_at = config.updated_at;
        let entry = call.entry(&config.id).with("ReplicationConfigArn", &arn);
        let answer = json!({ "ReplicationConfig": render(&config) });
        model.dms.configs.insert(arn.clone(), config);
        Ok(((answer, back), Some(entry)))
    })?;
    settle(world, call, arn, back);
    Ok(answer)
}

/// Lets the time of a modification pass.
fn settle(world: &Arc<World>, call: &Call, arn: String, back: Status) {
    let (work, drawn) = (Arc::clone(world), call.drawn.clone());
    world.spawn(async move {
        work.faults.wait(&drawn, Moment::During).await;
        tokio::time::sleep(work.durations.dms_modifying).await;
        work.change(|model| {
            if let Some(config) = model.dms.configs.get_mut(&arn)
                && config.replication.status == Status::Modifying
            {
                config.replication.status = back;
            }
        });
    });
}

/// What a modification doesn't name stays.
fn keep(given: ComputeConfig, present: &Compute) -> ComputeConfig {
    let zone = given.availability_zone.or_else(|| {
        let kept = given.multi_az != Some(true);
        present.availability_zone.clone().filter(|_| kept)
    });
    ComputeConfig {
        availability_zone: zone,
        dns_name_servers: given
            .dns_name_servers
            .or_else(|| present.dns_servers.clone()),
        kms_key_id: given.kms_key_id.or_else(|| Some(present.kms_key.clone())),
        max_capacity_units: given.max_capacity_units.or(Some(present.max_units)),
        min_capacity_units: given.min_capacity_units.or(Some(present.min_units)),
        multi_az: given.multi_az.or(Some(present.multi_az)),
        preferred_maintenance_window: given
            .preferred_maintenance_window
            .or_else(|| Some(present.maintenance_window.clone())),
        replication_subnet_group_id: given
            .replication_subnet_group_id
            .or_else(|| Some(present.subnet_group.clone())),
        vpc_security_group_ids: given
            .vpc_security_group_ids
            .or_else(|| Some(present.security_groups.clone())),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    replication_config_arn: String,
}

/// Releases the capacity and the statistics.
pub(super) fn delete(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: Delete = members(body, &["ReplicationConfigArn"])?;
    let arn = request.replication_config_arn;
    let answer = world.apply(|model| {
        let config = model.dms.config_mut(&arn)?;
        let status = config.replication.status;
        let deletable = matches!(status, Status::Created | Status::Stopped | Status::Failed);
        if !deletable {
            return Err(DmsError::InvalidState(format!(
                "Replication for Replication Config: {} is in {} state and cannot be deleted.",
                config.id,
                status.as_str().to_ascii_uppercase()
            )));
        }
        config.replication.status = Status::Deleting;
        config.replication.run = None;
        let entry = call.entry(&config.id).with("ReplicationConfigArn", &arn);
        Ok((json!({ "ReplicationConfig": render(config) }), Some(entry)))
    })?;
    let (work, drawn) = (Arc::clone(world), call.drawn.clone());
    world.spawn(async move {
        work.faults.wait(&drawn, Moment::During).await;
        tokio::time::sleep(work.durations.dms_deleting_config).await;
        work.change(|model| model.dms.configs.remove(&arn));
    });
    Ok(answer)
}
