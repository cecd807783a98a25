//! DMS's own tags: of endpoints, replication configs and subnet groups, by ARN.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    errors::DmsError,
    request::{Tag, members, missing, tags},
    state::Dms,
};
use crate::world::{Call, World};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Add {
    resource_arn: String,
    tags: Vec<Tag>,
}

pub(super) fn add(world: &World, call: &Call, body: Map<String, Value>) -> Result<Value, DmsError> {
    let request: Add = members(body, &["ResourceArn", "Tags"])?;
    let added = tags(request.tags)?;
    world.apply(|model| {
        let present = tags_mut(&mut model.dms, &request.resource_arn)?;
        let entry = call
            .entry(&request.resource_arn)
            .with("Keys", added.keys().cloned().collect::<Vec<_>>().join(","));
        present.extend(added);
        if present.len() > 50 {
            return Err(DmsError::QuotaExceeded(
                "A resource can't have more than 50 tags.".into(),
            ));
        }
        Ok((json!({}), Some(entry)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Remove {
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) fn remove(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: Remove = members(body, &["ResourceArn", "TagKeys"])?;
    world.apply(|model| {
        let present = tags_mut(&mut model.dms, &request.resource_arn)?;
        for key in &request.tag_keys {
            present.remove(key);
        }
        let entry = call
            .entry(&request.resource_arn)
            .with("Keys", request.tag_keys.join(","));
        Ok((json!({}), Some(entry)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    resource_arn: Option<String>,
    resource_arn_list: Option<Vec<String>>,
}

/// Each tag names its resource if a list of resources was asked for.
pub(super) fn list(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: List = members(body, &[])?;
    let (arns, named) = match (request.resource_arn, request.resource_arn_list) {
        (Some(arn), None) => (vec![arn], false),
        (None, Some(arns)) => (arns, true),
        (None, None) => return Err(missing("ResourceArn")),
        (Some(_), Some(_)) => {
            return Err(DmsError::InvalidCombination(
                "Specify either ResourceArn or ResourceArnList, not both.".into(),
            ));
        }
    };
    world.view(call, |model| {
        let mut list = Vec::new();
        for arn in &arns {
            for (key, value) in tags_of(&model.dms, arn)? {
                let mut tag = json!({ "Key": key, "Value": value });
                if let (true, Some(members)) = (named, tag.as_object_mut()) {
                    members.insert("ResourceArn".into(), json!(arn));
                }
                list.push(tag);
            }
        }
        Ok(json!({ "TagList": list }))
    })
}

fn not_found(arn: &str) -> DmsError {
    DmsError::NotFound(format!("Resource {arn} not found."))
}

fn tags_of<'a>(dms: &'a Dms, arn: &str) -> Result<&'a BTreeMap<String, String>, DmsError> {
    if let Some(endpoint) = dms.endpoints.get(arn) {
        return Ok(&endpoint.tags);
    }
    if let Some(config) = dms.configs.get(arn) {
        return Ok(&config.tags);
    }
    let (_, name) = arn.split_once(":subgrp:").ok_or_else(|| not_found(arn))?;
    let group = dms.subnet_groups.get(name).ok_or_else(|| not_found(arn))?;
    Ok(&group.tags)
}

fn tags_mut<'a>(dms: &'a mut Dms, arn: &str) -> Result<&'a mut BTreeMap<String, String>, DmsError> {
    if let Some(endpoint) = dms.endpoints.get_mut(arn) {
        return Ok(&mut endpoint.tags);
    }
    if let Some(config) = dms.configs.get_mut(arn) {
        return Ok(&mut config.tags);
    }
    let (_, name) = arn.split_once(":subgrp:").ok_or_else(|| not_found(arn))?;
    let group = dms
        .subnet_groups
        .get_mut(name)
        .ok_or_else(|| not_found(arn))?;
    Ok(&mut group.tags)
}
