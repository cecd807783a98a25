//! Deletions, with their final snapshots and their refusals.

use std::sync::Arc;

use super::{
    RdsError, archiving, lifecycle,
    query::Params,
    render,
    snapshots::{self, New},
    xml::Xml,
};
use crate::{
    fault::{Drawn, Moment},
    model::{
        EventSource, Instance, InstanceId, InstanceStatus, Model, Snapshot, SnapshotId,
        SnapshotKind,
    },
    world::{Call, World},
};

/// What a deletion leaves behind.
struct Wanted {
    id: InstanceId,
    final_snapshot: Option<SnapshotId>,
    keep_automated_backups: bool,
}

pub(super) fn delete(world: &Arc<World>, call: &Call, mut params: Params) -> Result<Xml, RdsError> {
    let wanted = take(&mut params)?;
    params.finish()?;
    let (instance, snapshot) = world.apply(|model| {
        let mut entry = call
            .entry(&wanted.id)
            .with("DeleteAutomatedBackups", !wanted.keep_automated_backups);
        let (instance, snapshot) = begin(world, model, &wanted)?;
        entry = entry.with("DbiResourceId", &instance.resource_id);
        if let Some(snapshot) = &snapshot {
            entry = entry.with("FinalDBSnapshotIdentifier", &snapshot.id);
        }
        Ok(((instance, snapshot), Some(entry)))
    })?;
    let mut xml = Xml::default();
    world.read(|model| {
        xml.element("DBInstance", |xml| {
            render::instance(world, model, &instance, xml)
        });
    });
    let deletion = Deletion {
        instance,
        snapshot,
        keep_automated_backups: wanted.keep_automated_backups,
        drawn: call.drawn.clone(),
    };
    let background = Arc::clone(world);
    world.spawn(async move { deletion.carry_out(&background).await });
    Ok(xml)
}

fn take(params: &mut Params) -> Result<Wanted, RdsError> {
    let id = params.instance_id("DBInstanceIdentifier")?;
    let skip = params.flag("SkipFinalSnapshot")?.unwrap_or(false);
    let named = params.text("FinalDBSnapshotIdentifier");
    let delete_backups = params.flag("DeleteAutomatedBackups")?.unwrap_or(true);
    let final_snapshot = match (skip, named) {
        (true, None) => None,
        (false, Some(name)) => Some(SnapshotId::parse_new("FinalDBSnapshotIdentifier", &name)?),
        (true, Some(_)) => {
            return Err(RdsError::InvalidParameterCombination(
                "FinalDBSnapshotIdentifier can not be specified when deleting an instance with SkipFinalSnapshot".into(),
            ));
        }
        (false, None) => {
            return Err(RdsError::InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
                    .into(),
            ));
        }
    };
    Ok(Wanted {
        id,
        final_snapshot,
        keep_automated_backups: !delete_backups,
    })
}

fn begin(
    world: &World,
    model: &mut Model,
    wanted: &Wanted,
) -> Result<(Instance, Option<Snapshot>), RdsError> {
    let instance = model.instance(&wanted.id)?.clone();
    if instance.status == InstanceStatus::Deleting {
        return Err(RdsError::InvalidInstanceState(format!(
            "Instance {} is already being deleted.",
            wanted.id
        )));
    }
    if instance.deletion_protection {
        return Err(RdsError::InvalidParameterCombination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.".into(),
        ));
    }
    let has_data = instance.status.has_data() && world.running(&instance.resource_id).is_some();
    if wanted.final_snapshot.is_some() && !has_data {
        return Err(RdsError::InvalidInstanceState(format!(
            "Cannot create a final snapshot because the instance {} is in the state {}; only SkipFinalSnapshot is possible.",
            wanted.id,
            instance.status.as_str()
        )));
    }
    let snapshot = match &wanted.final_snapshot {
        None => None,
        Some(id) => {
            let new = New {
                id: id.clone(),
                kind: SnapshotKind::Manual,
                tags: if instance.copy_tags_to_snapshot {
                    instance.tags.clone()
                } else {
                    Default::default()
                },
            };
            Some(snapshots::begin(
                model,
                new,
                instance.clone(),
                world.backup_directory(),
            )?)
        }
    };
    let instance = model.instance_mut(&wanted.id)?;
    instance.status = InstanceStatus::Deleting;
    Ok((instance.clone(), snapshot))
}

/// A deletion that was accepted.
struct Deletion {
    instance: Instance,
    snapshot: Option<Snapshot>,
    keep_automated_backups: bool,
    drawn: Drawn,
}

impl Deletion {
    async fn carry_out(self, world: &World) {
        let resource_id = &self.instance.resource_id;
        let lock = world.work_lock(resource_id);
        let _alone = lock.lock().await;
        world.faults.wait(&self.drawn, Moment::During).await;
        if let Some(snapshot) = &self.snapshot {
            let outcome = lifecycle::back_up(world, resource_id, &snapshot.data).await;
            let failed = outcome.is_err();
            world.change(|model| lifecycle::conclude_snapshot(model, snapshot, outcome));
            if failed {
                // Without its final snapshot the instance stays.
                return lifecycle::update(world, resource_id, |instance| {
                    instance.status = snapshot.source.status;
                });
            }
        }
        tokio::time::sleep(world.durations.deleting).await;
        if self.keep_automated_backups {
            archiving::last_look(world, resource_id).await;
        }
        if let Some(running) = world.forget_running(resource_id) {
            running.close_front();
            running.cluster.stop().await;
            if let Err(error) = running.cluster.remove() {
                tracing::warn!(%error, "a deleted cluster wasn't removed");
            }
        }
        let gone = world.change(|model| self.forget(model));
        if !self.keep_automated_backups {
            world.forget_archive(resource_id);
        }
        for snapshot in gone {
            world.discard_backup(&snapshot.data);
        }
    }

    /// Takes the instance and its automated backups out of the account.
    fn forget(&self, model: &mut Model) -> Vec<Snapshot> {
        let id = &self.instance.id;
        model
            .instances
            .retain(|_, instance| instance.resource_id != self.instance.resource_id);
        model.event(
            EventSource::Instance,
            id,
            "DB instance deleted",
            &["deletion"],
        );
        if self.keep_automated_backups {
            model.retained_backups.push(self.instance.clone());
            return Vec::new();
        }
        let of_instance = |snapshot: &Snapshot| {
            snapshot.kind == SnapshotKind::Automated
                && snapshot.source.resource_id == self.instance.resource_id
        };
        let (gone, kept) = std::mem::take(&mut model.snapshots)
            .into_iter()
            .partition(|(_, snapshot)| of_instance(snapshot));
        model.snapshots = kept;
        let gone: std::collections::BTreeMap<_, Snapshot> = gone;
        gone.into_values().collect()
    }
}
