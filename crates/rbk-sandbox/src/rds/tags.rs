//! Tags of instances and snapshots.

use std::collections::BTreeMap;

use super::{RdsError, query::Params, render, xml::Xml};
use crate::{
    model::{InstanceId, Model, SnapshotId},
    world::{Call, World},
};

type Tags = BTreeMap<String, String>;

/// The tags of the resource that an ARN names.
fn tags_of<'a>(world: &World, model: &'a mut Model, arn: &str) -> Result<&'a mut Tags, RdsError> {
    let invalid = || RdsError::InvalidParameterValue(format!("Invalid resource name: {arn}"));
    let resource = arn
        .strip_prefix(&world.arn("rds", ""))
        .ok_or_else(invalid)?;
    match resource.split_once(':') {
        Some(("db", name)) => {
            let id = InstanceId::parse("ResourceName", name)?;
            Ok(&mut model.instance_mut(&id)?.tags)
        }
        Some(("snapshot", name)) => {
            let id = SnapshotId::existing(name);
            let snapshot = model.snapshots.get_mut(&id);
            snapshot
                .map(|snapshot| &mut snapshot.tags)
                .ok_or_else(|| RdsError::SnapshotNotFound(name.to_owned()))
        }
        _ => Err(invalid()),
    }
}

pub(super) fn list(world: &World, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let arn = params.required("ResourceName")?;
    params.filters(&[])?;
    params.finish()?;
    let tags = world.view(call, |model| {
        tags_of(world, &mut model.clone(), &arn).cloned()
    })?;
    let mut xml = Xml::default();
    xml.element("TagList", |xml| render::tags(&tags, xml));
    Ok(xml)
}

pub(super) fn add(world: &World, call: &Call, mut params: Params) -> Result<(), RdsError> {
    let arn = params.required("ResourceName")?;
    let tags = params
        .tags()?
        .ok_or_else(|| RdsError::MissingParameter("Tags".into()))?;
    params.finish()?;
    world.apply(|model| {
        let names: Vec<&str> = tags.keys().map(String::as_str).collect();
        let entry = call.entry(&arn).with("Tags", names.join(","));
        tags_of(world, model, &arn)?.extend(tags.clone());
        Ok(((), Some(entry)))
    })
}

pub(super) fn remove(world: &World, call: &Call, mut params: Params) -> Result<(), RdsError> {
    let arn = params.required("ResourceName")?;
    let keys = params
        .list("TagKeys", "member")
        .ok_or_else(|| RdsError::MissingParameter("TagKeys".into()))?;
    params.finish()?;
    world.apply(|model| {
        let entry = call.entry(&arn).with("TagKeys", keys.join(","));
        tags_of(world, model, &arn)?.retain(|key, _| !keys.contains(key));
        Ok(((), Some(entry)))
    })
}
