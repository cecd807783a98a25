//! Snapshots: listing, making and deleting them.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    RdsError,
    account::{MOST_MANUAL_SNAPSHOTS, manual_snapshots},
    describe::named_instance,
    lifecycle,
    query::{Filter, Params},
    render,
    xml::Xml,
};
use crate::{
    cluster::backup::Taken,
    model::{
        EventSource, Instance, InstanceStatus, Model, Snapshot, SnapshotId, SnapshotKind,
        SnapshotStatus,
    },
    world::{Call, World},
};

pub(super) fn describe(world: &World, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let mut filters = params.filters(&[
        "db-instance-id",
        "db-snapshot-id",
        "dbi-resource-id",
        "snapshot-type",
        "engine",
    ])?;
    let named = params.text("DBSnapshotIdentifier");
    for (parameter, filter) in [
        ("DBInstanceIdentifier", "db-instance-id"),
        ("DbiResourceId", "dbi-resource-id"),
        ("SnapshotType", "snapshot-type"),
    ] {
        if let Some(value) = params.text(parameter) {
            check_kind(parameter, &value)?;
            filters.push(Filter {
                name: filter.to_owned(),
                values: vec![value],
            });
        }
    }
    // Nothing is shared with this account, so these change nothing.
    params.flag("IncludeShared")?;
    params.flag("IncludePublic")?;
    let page = params.page()?;
    params.finish()?;
    let typed = filters.iter().any(|filter| filter.name == "snapshot-type");
    world.view(call, |model| {
        let mut found: Vec<&Snapshot> = match named {
            Some(name) => vec![look_up(model, &name, typed)?],
            None => model.snapshots.values().collect(),
        };
        found.retain(|snapshot| filters.iter().all(|filter| matches(filter, snapshot)));
        // There is no order that a client could rely on.
        found.sort_by_cached_key(|snapshot| shuffled(world, snapshot));
        let (found, marker) = page.of(found);
        let mut xml = Xml::default();
        xml.optional("Marker", marker)
            .list("DBSnapshots", "DBSnapshot", found, |xml, snapshot| {
                render::snapshot(world, model, snapshot, xml);
            });
        Ok(xml)
    })
}

fn check_kind(parameter: &str, value: &str) -> Result<(), RdsError> {
    let kinds = ["automated", "manual", "shared", "public", "awsbackup"];
    if parameter == "SnapshotType" && !kinds.contains(&value) {
        return Err(RdsError::InvalidParameterValue(format!(
            "Invalid snapshot type: {value}"
        )));
    }
    Ok(())
}

/// An automated snapshot is found by its name only together with its type.
fn look_up<'a>(model: &'a Model, name: &str, typed: bool) -> Result<&'a Snapshot, RdsError> {
    let snapshot = model.snapshot(&named_snapshot(name))?;
    if snapshot.kind == SnapshotKind::Automated && !typed {
        return Err(RdsError::SnapshotNotFound(name.to_owned()));
    }
    Ok(snapshot)
}

/// A name, which may contain a colon, or an ARN.
pub(super) fn named_snapshot(text: &str) -> SnapshotId {
    let name = match text.strip_prefix("arn:") {
        Some(arn) => arn.splitn(6, ':').nth(5).unwrap_or_default(),
        None => text,
    };
    SnapshotId::existing(name)
}

fn matches(filter: &Filter, snapshot: &Snapshot) -> bool {
    filter
        .values
        .iter()
        .any(|value| match filter.name.as_str() {
            "db-instance-id" => named_instance(value).is_ok_and(|id| id == snapshot.source.id),
            "db-snapshot-id" => named_snapshot(value) == snapshot.id,
            "dbi-resource-id" => *value == snapshot.source.resource_id,
            "snapshot-type" => value == snapshot.kind.as_str(),
            "engine" => value == "postgres",
            _ => false,
        })
}

fn shuffled(world: &World, snapshot: &Snapshot) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(world.options.seed.to_be_bytes());
    hash.update(snapshot.id.as_str());
    hash.finalize().into()
}

pub(super) fn create(world: &Arc<World>, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let id = SnapshotId::parse_new(
        "DBSnapshotIdentifier",
        &params.required("DBSnapshotIdentifier")?,
    )?;
    let instance = params.instance_id("DBInstanceIdentifier")?;
    let tags = params.tags()?;
    params.finish()?;
    let snapshot = world.apply(|model| {
        if manual_snapshots(model) >= MOST_MANUAL_SNAPSHOTS {
            return Err(RdsError::SnapshotQuotaExceeded(MOST_MANUAL_SNAPSHOTS));
        }
        let source = model.instance_mut(&instance)?;
        if source.status != InstanceStatus::Available {
            return Err(RdsError::InvalidInstanceState(format!(
                "Cannot create a snapshot because the database instance {instance} is not currently in the available state."
            )));
        }
        source.status = InstanceStatus::BackingUp;
        let source = source.clone();
        let tags = tags.clone().unwrap_or_else(|| inherited_tags(&source));
        let new = New { id: id.clone(), kind: SnapshotKind::Manual, tags };
        let snapshot = begin(model, new, source, world.backup_directory())?;
        let entry = call.entry(&id).with("DBInstanceIdentifier", &instance);
        Ok((snapshot, Some(entry)))
    })?;
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBSnapshot", |xml| {
            render::snapshot(world, model, &snapshot, xml)
        });
    });
    let work = Arc::clone(world);
    let drawn = call.drawn.clone();
    world.spawn(async move {
        lifecycle::take_snapshot(&work, &snapshot, &drawn).await;
    });
    Ok(xml)
}

fn inherited_tags(source: &Instance) -> std::collections::BTreeMap<String, String> {
    if source.copy_tags_to_snapshot {
        source.tags.clone()
    } else {
        Default::default()
    }
}

/// A snapshot that is about to be made.
pub(crate) struct New {
    pub(crate) id: SnapshotId,
    pub(crate) kind: SnapshotKind,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
}

/// Enters a snapshot in state `creating`.
pub(crate) fn begin(
    model: &mut Model,
    new: New,
    source: Instance,
    data: PathBuf,
) -> Result<Snapshot, RdsError> {
    if model.snapshots.contains_key(&new.id) {
        return Err(RdsError::SnapshotAlreadyExists(new.id.to_string()));
    }
    let message = match new.kind {
        SnapshotKind::Automated => "Creating automated snapshot",
        SnapshotKind::Manual => "Creating manual snapshot",
    };
    model.event(EventSource::Snapshot, &new.id, message, &["creation"]);
    let snapshot = Snapshot {
        id: new.id.clone(),
        kind: new.kind,
        status: SnapshotStatus::Creating,
        source,
        created_at: None,
        database_time: None,
        recoverable_from: None,
        data,
        tags: new.tags,
    };
    model.snapshots.insert(new.id, snapshot.clone());
    Ok(snapshot)
}

/// Makes a snapshot available.
pub(crate) fn complete(model: &mut Model, id: &SnapshotId, taken: Taken) {
    let Some(snapshot) = model.snapshots.get_mut(id) else {
        return;
    };
    snapshot.status = SnapshotStatus::Available;
    snapshot.created_at = Some(Timestamp::now());
    snapshot.database_time = Some(taken.contains);
    snapshot.recoverable_from = taken.recoverable_from;
    let message = match snapshot.kind {
        SnapshotKind::Automated => "Automated snapshot created",
        SnapshotKind::Manual => "Manual snapshot created",
    };
    model.event(EventSource::Snapshot, id, message, &["creation"]);
}

pub(super) fn delete(world: &Arc<World>, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let id = named_snapshot(&params.required("DBSnapshotIdentifier")?);
    params.finish()?;
    let snapshot = world.apply(|model| {
        let snapshot = model.snapshot(&id)?.clone();
        if snapshot.kind != SnapshotKind::Manual {
            return Err(RdsError::InvalidSnapshotState(
                "Only manual snapshots may be deleted.".into(),
            ));
        }
        if snapshot.status != SnapshotStatus::Available {
            return Err(RdsError::InvalidSnapshotState(format!(
                "Cannot delete the snapshot because it is not currently in the available state (it is {}).",
                snapshot.status.as_str()
            )));
        }
        model.snapshots.remove(&id);
        model.event(EventSource::Snapshot, &id, "Deleted manual snapshot", &["deletion"]);
        Ok((snapshot, Some(call.entry(&id))))
    })?;
    world.discard_backup(&snapshot.data);
    let gone = Snapshot {
        status: SnapshotStatus::Deleting,
        ..snapshot
    };
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBSnapshot", |xml| {
            render::snapshot(world, model, &gone, xml)
        });
    });
    Ok(xml)
}
