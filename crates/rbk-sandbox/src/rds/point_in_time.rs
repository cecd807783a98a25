//! Restores to a point in time: a base backup from before it, and the transaction logs up to it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    RdsError,
    describe::{backup_name, named_instance},
    lifecycle::{self, Restore},
    query::Params,
    render,
    restore::{self, Inherited},
    xml::{Xml, format_time},
};
use crate::{
    cluster::Recovery,
    model::{Instance, InstanceStatus, Model, Snapshot},
    world::{Call, World},
};

/// Whose past is restored.
enum Source {
    Instance(String),
    /// Also of an instance that is gone, where its automated backups were retained.
    ResourceId(String),
    AutomatedBackups(String),
}

/// Which instant.
#[derive(Clone, Copy)]
enum Wanted {
    At(Timestamp),
    Latest,
}

pub(super) fn to_point_in_time(
    world: &Arc<World>,
    call: &Call,
    mut params: Params,
) -> Result<Xml, RdsError> {
    let source = take_source(&mut params)?;
    let at = take_time(&mut params)?;
    let wanted = restore::take(&mut params, "TargetDBInstanceIdentifier")?;
    params.finish()?;
    let port = wanted.port();
    let (instance, base, until, origin) = world.apply(|model| {
        restore::check_free(model, &wanted)?;
        let source = find(model, &source)?.clone();
        if source.status == InstanceStatus::Creating {
            return Err(RdsError::InvalidInstanceState(format!(
                "DB Instance {} is not in a state from which it can be restored.",
                source.id
            )));
        }
        let (base, until) = reach(model, &source, at)?;
        let inherited = Inherited {
            source: &source,
            tags: &source.tags,
        };
        let instance = restore::resolve(world, model, wanted, inherited)?;
        model
            .instances
            .insert(instance.id.clone(), instance.clone());
        let entry = call
            .entry(&instance.id)
            .with("SourceDBInstanceIdentifier", &source.id)
            .with("RestoreTime", format_time(until))
            .with("DbiResourceId", &instance.resource_id);
        let origin = format!("DB instance {} as of {}", source.id, format_time(until));
        let archive = world.archive(&source.resource_id);
        Ok((
            (instance, base, Recovery { archive, until }, origin),
            Some(entry),
        ))
    })?;
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBInstance", |xml| {
            render::instance(world, model, &instance, xml)
        });
    });
    let restore = Restore {
        resource_id: instance.resource_id,
        data: base.data,
        recovery: Some(until),
        origin,
        port,
        drawn: call.drawn.clone(),
    };
    lifecycle::begin_restore(world, restore);
    Ok(xml)
}

fn take_source(params: &mut Params) -> Result<Source, RdsError> {
    let named = params.text("SourceDBInstanceIdentifier");
    let resource_id = params.text("SourceDbiResourceId");
    let backups = params.text("SourceDBInstanceAutomatedBackupsArn");
    match (named, resource_id, backups) {
        (Some(name), None, None) => Ok(Source::Instance(name)),
        (None, Some(id), None) => Ok(Source::ResourceId(id)),
        (None, None, Some(arn)) => Ok(Source::AutomatedBackups(arn)),
        _ => Err(RdsError::InvalidParameterCombination(
            "Exactly one of SourceDBInstanceIdentifier, SourceDbiResourceId and SourceDBInstanceAutomatedBackupsArn must be specified.".into(),
        )),
    }
}

fn take_time(params: &mut Params) -> Result<Wanted, RdsError> {
    let latest = params.flag("UseLatestRestorableTime")?.unwrap_or(false);
    match (params.timestamp("RestoreTime")?, latest) {
        (Some(at), false) => Ok(Wanted::At(at)),
        (None, true) => Ok(Wanted::Latest),
        (Some(_), true) => Err(RdsError::InvalidParameterCombination(
            "RestoreTime cannot be specified when UseLatestRestorableTime is true.".into(),
        )),
        (None, false) => Err(RdsError::InvalidParameterCombination(
            "Either RestoreTime or UseLatestRestorableTime must be specified.".into(),
        )),
    }
}

fn find<'a>(model: &'a Model, source: &Source) -> Result<&'a Instance, RdsError> {
    let among = |is: &dyn Fn(&Instance) -> bool, name: &str| {
        model
            .instances
            .values()
            .chain(&model.retained_backups)
            .find(|instance| is(instance))
            .ok_or_else(|| RdsError::AutomatedBackupNotFound(name.to_owned()))
    };
    match source {
        Source::Instance(name) => model.instance(&named_instance(name)?),
        Source::ResourceId(id) => among(&|instance| instance.resource_id == *id, id),
        Source::AutomatedBackups(arn) => {
            among(&|instance| arn.ends_with(&backup_name(instance)), arn)
        }
    }
}

/// What the recovery begins from, and up to where it goes.
fn reach(model: &Model, source: &Instance, at: Wanted) -> Result<(Snapshot, Timestamp), RdsError> {
    if source.backup_retention_days == 0 {
        return Err(RdsError::PointInTimeRestoreNotEnabled(
            source.id.to_string(),
        ));
    }
    let (Some(since), Some(until)) = (
        model.restorable_since(source),
        model.restorable_until(source),
    ) else {
        return Err(RdsError::InvalidParameterValue(format!(
            "DB Instance {} has no restorable time yet.",
            source.id
        )));
    };
    let at = match at {
        Wanted::At(at) => at,
        Wanted::Latest => until,
    };
    if at < since || at > until {
        return Err(RdsError::InvalidParameterValue(format!(
            "The specified instance cannot be restored to a time earlier than {} or later than {}.",
            format_time(since),
            format_time(until)
        )));
    }
    let base = model
        .base(source, at)
        .cloned()
        .ok_or(RdsError::InternalFailure)?;
    Ok((base, at))
}
