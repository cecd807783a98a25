//! How far the restorable window reaches: which instances' transaction logs are kept, and when.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    cluster::ClusterError,
    model::{Archived, Model},
    options::Pace,
    world::World,
};

/// RDS keeps logs every five minutes.
const REAL_INTERVAL: Duration = Duration::from_secs(300);

/// At pace *fast* the window ends at the last look that asked for it, and looks come in crowds.
const FAST_INTERVAL: Duration = Duration::from_millis(250);

/// At pace *fast*: moves the ends of windows close to now, if the operation's answer depends on that. At pace *real* time does it.
pub(crate) async fn look(world: &World, operation: &str) {
    let interval = match (world.options.pace, operation) {
        (Pace::Fast, "DescribeDBInstances" | "DescribeDBInstanceAutomatedBackups") => FAST_INTERVAL,
        (Pace::Fast, "RestoreDBInstanceToPointInTime") => Duration::ZERO,
        (Pace::Fast | Pace::Real, _) => return,
    };
    for resource_id in due(world, interval) {
        keep_or_warn(world, &resource_id).await;
    }
}

/// At pace *real*: keeps logs as often as RDS does, for as long as the sandbox lives.
pub(crate) fn begin(world: &Arc<World>) {
    if world.options.pace == Pace::Fast {
        return;
    }
    let archiving = Arc::clone(world);
    world.spawn(async move {
        loop {
            tokio::time::sleep(REAL_INTERVAL).await;
            for resource_id in due(&archiving, Duration::ZERO) {
                keep_or_warn(&archiving, &resource_id).await;
            }
        }
    });
}

/// The instances that have something to begin a recovery from, and whose logs weren't kept lately.
fn due(world: &World, interval: Duration) -> Vec<String> {
    let now = Timestamp::now();
    world.read(|model| {
        let due = |id: &str| match model.archived.get(id) {
            None => true,
            Some(archived) => {
                !archived.stalled && now.duration_since(archived.until).unsigned_abs() >= interval
            }
        };
        model
            .instances
            .values()
            .filter(|instance| model.restorable_since(instance).is_some())
            .map(|instance| instance.resource_id.clone())
            .filter(|id| due(id))
            .collect()
    })
}

async fn keep_or_warn(world: &World, resource_id: &str) {
    if let Err(error) = keep(world, resource_id).await {
        tracing::warn!(%error, resource_id, "transaction logs weren't kept");
    }
}

/// Keeps what an instance's server has committed until now. Nothing happens where none runs.
pub(crate) async fn keep(world: &World, resource_id: &str) -> Result<(), ClusterError> {
    let Some(running) = world.running(resource_id) else {
        return Ok(());
    };
    if !running.cluster.is_up().await {
        return Ok(());
    }
    let until = running.cluster.archive_now().await?;
    world.change(|model| reached(model, resource_id, until));
    Ok(())
}

/// An instance is about to be lost: at pace *fast*, as if its logs had just been kept.
pub(crate) async fn last_look(world: &World, resource_id: &str) {
    if world.options.pace == Pace::Fast {
        keep_or_warn(world, resource_id).await;
    }
}

impl World {
    /// Removes the transaction logs of an instance that has no automated snapshots any more.
    pub(crate) fn forget_archive(&self, resource_id: &str) {
        self.change(|model| model.archived.remove(resource_id));
        self.archive(resource_id).remove();
    }
}

fn reached(model: &mut Model, resource_id: &str, until: Timestamp) {
    let archived = model
        .archived
        .entry(resource_id.to_owned())
        .or_insert(Archived {
            until,
            stalled: false,
        });
    if !archived.stalled {
        archived.until = archived.until.max(until);
    }
}
