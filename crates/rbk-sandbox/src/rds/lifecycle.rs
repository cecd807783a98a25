//! The work behind states: what goes on after a request was answered.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::snapshots;
use crate::{
    cluster::{ClusterError, Recovery, backup::Taken},
    fault::{Drawn, FaultKind, Moment, TerminalState},
    model::{EventSource, Instance, InstanceStatus, Model, Snapshot, SnapshotStatus},
    options::Pace,
    world::World,
};

/// A flap is there to be seen by whoever polls.
const SHORTEST_FLAP: Duration = Duration::from_millis(200);

/// Takes the base backup of a snapshot in state `creating`.
pub(crate) async fn take_snapshot(world: &World, snapshot: &Snapshot, drawn: &Drawn) {
    let lock = world.work_lock(&snapshot.source.resource_id);
    let _alone = lock.lock().await;
    world.faults.wait(drawn, Moment::During).await;
    tokio::time::sleep(world.durations.snapshot).await;
    let outcome = match terminal_state(drawn) {
        None => back_up(world, &snapshot.source.resource_id, &snapshot.data).await,
        Some(state) => Err(ClusterError::Staged(state.status())),
    };
    world.change(|model| {
        conclude_snapshot(model, snapshot, outcome);
        if let Some(instance) = model.by_resource_id(&snapshot.source.resource_id)
            && instance.status == InstanceStatus::BackingUp
        {
            instance.status = InstanceStatus::Available;
        }
    });
}

/// Enters how the base backup went.
pub(crate) fn conclude_snapshot(
    model: &mut Model,
    snapshot: &Snapshot,
    outcome: Result<Taken, ClusterError>,
) {
    match outcome {
        Ok(taken) => snapshots::complete(model, &snapshot.id, taken),
        Err(error) => {
            tracing::warn!(%error, snapshot = %snapshot.id, "a snapshot failed");
            if let Some(entry) = model.snapshots.get_mut(&snapshot.id) {
                entry.status = SnapshotStatus::Failed;
            }
            let message = format!("Snapshot failed: {error}");
            model.event(EventSource::Snapshot, &snapshot.id, message, &["failure"]);
        }
    }
}

/// Takes a base backup of an instance. If its server is stopped, its data are copied as they are:
/// a server comes up on them like after a crash.
pub(crate) async fn back_up(
    world: &World,
    resource_id: &str,
    target: &std::path::Path,
) -> Result<Taken, ClusterError> {
    let Some(running) = world.running(resource_id) else {
        return Err(ClusterError::NotUp {
            log: "the instance has no server".into(),
        });
    };
    let started = Instant::now();
    let taken = if running.cluster.is_up().await {
        running.cluster.base_backup(target).await
    } else {
        running.cluster.copy_stopped(target).await
    };
    world.ledger.worked(started.elapsed());
    taken
}

/// A restore that was accepted.
pub(crate) struct Restore {
    pub(crate) resource_id: String,
    /// The base backup.
    pub(crate) data: PathBuf,
    /// How far it is recovered; absent: not at all.
    pub(crate) recovery: Option<Recovery>,
    /// For the event.
    pub(crate) origin: String,
    pub(crate) port: Option<u16>,
    pub(crate) drawn: Drawn,
}

/// Makes a restored instance available, or fails it, in the background.
pub(crate) fn begin_restore(world: &Arc<World>, restore: Restore) {
    let work = Arc::clone(world);
    world.spawn(async move {
        let lock = work.work_lock(&restore.resource_id);
        let _alone = lock.lock().await;
        work.faults.wait(&restore.drawn, Moment::During).await;
        tokio::time::sleep(work.durations.creating).await;
        if !is_creating(&work, &restore.resource_id) {
            return;
        }
        if let Some(state) = terminal_state(&restore.drawn) {
            return fail(&work, &restore, state.status(), "Restore failed");
        }
        match raise(&work, &restore).await {
            Ok(port) => finish_restore(&work, &restore, port).await,
            Err(error) => {
                tracing::warn!(%error, origin = restore.origin, "a restore failed");
                let message = format!("Restore failed: {error}");
                fail(
                    &work,
                    &restore,
                    TerminalState::RestoreError.status(),
                    &message,
                );
            }
        }
    });
}

fn is_creating(world: &World, resource_id: &str) -> bool {
    world
        .change(|model| Some(model.by_resource_id(resource_id)?.status))
        .is_some_and(|status| status == InstanceStatus::Creating)
}

fn terminal_state(drawn: &Drawn) -> Option<TerminalState> {
    drawn.at(Moment::During).find_map(|kind| match kind {
        FaultKind::EndsAs(state) => Some(*state),
        _ => None,
    })
}

fn fail(world: &World, restore: &Restore, status: &'static str, message: &str) {
    world.change(|model| {
        let Some(instance) = model.by_resource_id(&restore.resource_id) else {
            return;
        };
        instance.status = InstanceStatus::Lost(status);
        let id = instance.id.clone();
        model.event(EventSource::Instance, id, message, &["failure"]);
    });
}

async fn raise(world: &World, restore: &Restore) -> Result<u16, ClusterError> {
    let running = world
        .raise(
            &restore.resource_id,
            &restore.data,
            restore.recovery.as_ref(),
        )
        .await?;
    let admission = world
        .change(|model| {
            let instance = model.by_resource_id(&restore.resource_id)?.clone();
            Some(model.admission(&instance))
        })
        .unwrap_or_default();
    world.open_front(&running, restore.port, admission).await
}

async fn finish_restore(world: &World, restore: &Restore, port: u16) {
    let flaps = world.options.pace == Pace::Real
        || restore
            .drawn
            .at(Moment::During)
            .any(|kind| *kind == FaultKind::Flap);
    let became_available = world.change(|model| {
        let instance = model.by_resource_id(&restore.resource_id)?;
        instance.port = Some(port);
        instance.created_at = Some(Timestamp::now());
        let id = instance.id.clone();
        let available = instance.status == InstanceStatus::Creating;
        if available {
            instance.status = InstanceStatus::Available;
        }
        let message = format!("Restored from {}", restore.origin);
        model.event(EventSource::Instance, id, message, &["restoration"]);
        Some(available)
    });
    if flaps && became_available == Some(true) {
        use InstanceStatus::{Available, BackingUp};
        tokio::time::sleep(world.durations.lag.max(SHORTEST_FLAP)).await;
        pass(world, &restore.resource_id, Available, BackingUp);
        tokio::time::sleep(world.durations.backing_up.max(SHORTEST_FLAP)).await;
        pass(world, &restore.resource_id, BackingUp, Available);
    }
}

/// Goes from one state to another, unless something else happened in between.
pub(crate) fn pass(world: &World, resource_id: &str, from: InstanceStatus, to: InstanceStatus) {
    world.change(|model| {
        if let Some(instance) = model.by_resource_id(resource_id)
            && instance.status == from
        {
            instance.status = to;
        }
    });
}

/// Changes an instance if it still exists, and is usable.
pub(crate) fn update(world: &World, resource_id: &str, change: impl FnOnce(&mut Instance)) {
    world.change(|model| {
        if let Some(instance) = model.by_resource_id(resource_id) {
            change(instance);
        }
    });
}

impl World {
    /// Removes a base backup that no snapshot refers to any more.
    pub(crate) fn discard_backup(&self, data: &std::path::Path) {
        let used = self.read(|model| {
            model
                .snapshots
                .values()
                .any(|snapshot| snapshot.data == data)
        });
        if !used && let Err(error) = std::fs::remove_dir_all(data) {
            tracing::debug!(%error, "a base backup wasn't there to be removed");
        }
    }
}
