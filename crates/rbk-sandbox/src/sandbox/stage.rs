//! Staging: backups, disasters, faults, and what was seen of them.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use tokio_postgres::Client;

use super::Sandbox;
use crate::{
    application::{self, ApplicationAddress, ApplicationBlueprint},
    error::SandboxError,
    fault::{Fault, OperationFault},
    ledger::{Effect, Stats},
    model::{
        Archived, EventSource, Instance, InstanceStatus, Snapshot, SnapshotId, SnapshotKind,
        SnapshotStatus,
    },
    options::{Loss, SnapshotEntry, SnapshotInfo},
    rds::{
        RdsError, archiving, lifecycle,
        snapshots::{self, New},
    },
};

impl Sandbox {
    /// Takes a snapshot as the daily backup does, at once. It is named
    /// `rds:<instance>-YYYY-MM-DD-HH-MM`, with a letter behind it if that minute has one already.
    pub async fn take_automated_snapshot(&self, id: &str) -> Result<SnapshotInfo, SandboxError> {
        let (instance, _) = self.find(id)?;
        let world = &self.world;
        let lock = world.work_lock(&instance.resource_id);
        let _alone = lock.lock().await;
        let snapshot = world.change(|model| {
            let new = New {
                id: automated_name(&instance, |id| model.snapshots.contains_key(id)),
                kind: SnapshotKind::Automated,
                tags: instance.tags.clone(),
            };
            snapshots::begin(model, new, instance.clone(), world.backup_directory())
        })?;
        // What is written from now on is kept: recoveries to an instant begin from this snapshot.
        world
            .archive(&instance.resource_id)
            .open(&world.installation)?;
        let taken = lifecycle::back_up(world, &instance.resource_id, &snapshot.data).await;
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                world.change(|model| model.snapshots.remove(&snapshot.id));
                return Err(error.into());
            }
        };
        let created_at = world.change(|model| {
            snapshots::complete(model, &snapshot.id, taken);
            model
                .snapshots
                .get(&snapshot.id)
                .and_then(|entry| entry.created_at)
        });
        archiving::keep(world, &instance.resource_id).await?;
        Ok(SnapshotInfo {
            id: snapshot.id.to_string(),
            created_at: created_at.unwrap_or_else(Timestamp::now),
            database_time: taken.contains,
        })
    }

    /// Adds an entry to the snapshots' catalogue that shares the data of an existing snapshot: for
    /// long lists, old ones, and ones that aren't finished.
    pub fn add_snapshot_entry(&self, entry: SnapshotEntry) -> Result<(), SandboxError> {
        self.world.change(|model| {
            let like = model
                .snapshot(&SnapshotId::existing(&entry.data_of))?
                .clone();
            let id = SnapshotId::existing(&entry.id);
            if model.snapshots.contains_key(&id) {
                return Err(RdsError::SnapshotAlreadyExists(entry.id).into());
            }
            let automated = entry.id.starts_with("rds:");
            let snapshot = Snapshot {
                id: id.clone(),
                kind: if automated {
                    SnapshotKind::Automated
                } else {
                    SnapshotKind::Manual
                },
                status: match entry.created_at {
                    Some(_) => SnapshotStatus::Available,
                    None => SnapshotStatus::Creating,
                },
                created_at: entry.created_at,
                database_time: entry.created_at,
                ..like
            };
            model.snapshots.insert(id, snapshot);
            Ok(())
        })
    }

    /// Moves the end of an instance's restorable window to now, whatever the pace; `None` where it has none.
    pub async fn keep_transaction_logs(&self, id: &str) -> Result<Option<Timestamp>, SandboxError> {
        let (instance, _) = self.find(id)?;
        let world = &self.world;
        if world.read(|model| model.restorable_since(&instance).is_some()) {
            archiving::keep(world, &instance.resource_id).await?;
        }
        Ok(world.read(|model| model.restorable_until(&instance)))
    }

    /// Lets the archiving of an instance's transaction logs be stuck since that instant: the restorable window ends there, and
    /// doesn't move any more.
    pub fn stall_transaction_logs(&self, id: &str, since: Timestamp) -> Result<(), SandboxError> {
        let (instance, _) = self.find(id)?;
        self.world.change(|model| {
            let archived = Archived {
                until: since,
                stalled: true,
            };
            model.archived.insert(instance.resource_id, archived)
        });
        Ok(())
    }

    /// How many instances the account may have; 40 to begin with.
    pub fn limit_instances(&self, most: usize) {
        self.world.change(|model| model.instance_quota = Some(most));
    }

    /// The manual snapshots of an instance, which need not exist any more, with the status of each.
    pub fn manual_snapshots(&self, id: &str) -> Vec<(String, String)> {
        self.world.read(|model| {
            let of_it = |snapshot: &&Snapshot| {
                snapshot.kind == SnapshotKind::Manual && snapshot.source.id.to_string() == id
            };
            model
                .snapshots
                .values()
                .filter(of_it)
                .map(|it| (it.id.to_string(), it.status.as_str().to_owned()))
                .collect()
        })
    }

    /// Lets all automated snapshots of an instance expire.
    pub async fn expire_snapshots(&self, id: &str) -> Result<(), SandboxError> {
        let (instance, _) = self.find(id)?;
        let gone: Vec<Snapshot> = self.world.change(|model| {
            let expired = |snapshot: &Snapshot| {
                snapshot.kind == SnapshotKind::Automated
                    && snapshot.source.resource_id == instance.resource_id
            };
            let gone = model
                .snapshots
                .values()
                .filter(|one| expired(one))
                .cloned()
                .collect();
            model.snapshots.retain(|_, snapshot| !expired(snapshot));
            gone
        });
        for snapshot in gone {
            self.world.discard_backup(&snapshot.data);
        }
        self.world.forget_archive(&instance.resource_id);
        Ok(())
    }

    /// A disaster: the instance's server stops, and the instance doesn't come back.
    pub async fn lose_instance(&self, id: &str, loss: Loss) -> Result<(), SandboxError> {
        let (instance, running) = self.find(id)?;
        let lock = self.world.work_lock(&instance.resource_id);
        let _alone = lock.lock().await;
        if self
            .world
            .read(|model| model.restorable_since(&instance).is_some())
        {
            // What a client sees next is how far the window reached then.
            archiving::last_look(&self.world, &instance.resource_id).await;
        }
        if let Some(running) = running {
            running.close_front();
            running.cluster.stop().await;
        }
        self.world.change(|model| {
            let instance = model.by_resource_id(&instance.resource_id)?;
            instance.status = InstanceStatus::Lost(loss.status());
            let id = instance.id.clone();
            let message = "The DB instance has failed due to an incompatible configuration or an underlying storage issue. Begin a point-in-time-restore for the DB instance.";
            model.event(EventSource::Instance, id, message, &["failure"]);
            Some(())
        });
        Ok(())
    }

    /// A superuser's session on the private socket: for seeding, comparing and staging disasters.
    ///
    /// Objects that a client could have made are better made as the master user, which `SET ROLE`
    /// does: then the master user may alter what it owns, and the roles that it made.
    pub async fn superuser(&self, id: &str, database: &str) -> Result<Client, SandboxError> {
        let (instance, running) = self.find(id)?;
        match running {
            Some(running) if running.cluster.is_up().await => {
                Ok(running.cluster.superuser(database).await?)
            }
            _ => Err(SandboxError::NotRunning {
                id: id.to_owned(),
                status: instance.status.as_str().to_owned(),
            }),
        }
    }

    /// Plants a fault.
    pub fn inject(&self, fault: Fault) -> Result<(), SandboxError> {
        Ok(self.world.faults.plant(fault)?)
    }

    /// Plants a fault from its parts.
    pub fn inject_operation(&self, fault: OperationFault) -> Result<(), SandboxError> {
        self.inject(Fault::Operation(fault))
    }

    /// Removes all faults, and lets every held call go on.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Waits until a call waits under this name.
    pub async fn wait_until_held(&self, name: &str) {
        self.world.faults.until_held(name).await;
    }

    /// Lets the calls go on that wait under this name; later ones don't wait.
    pub fn release_hold(&self, name: &str) {
        self.world.faults.release(name);
    }

    /// The effects that were applied, in their order.
    pub fn ledger(&self) -> Vec<Effect> {
        self.world.ledger.effects()
    }

    /// How often operations were called, and how long the sandbox itself was busy.
    pub fn stats(&self) -> Stats {
        self.world.ledger.stats()
    }

    /// Starts a stand-in for the team's service, which follows its active secret.
    pub async fn start_application(
        &self,
        blueprint: ApplicationBlueprint,
    ) -> Result<ApplicationAddress, SandboxError> {
        application::start(&self.world, blueprint).await
    }
}

fn automated_name(instance: &Instance, taken: impl Fn(&SnapshotId) -> bool) -> SnapshotId {
    let now = Zoned::new(Timestamp::now(), TimeZone::UTC);
    let name = format!("rds:{}-{}", instance.id, now.strftime("%Y-%m-%d-%H-%M"));
    std::iter::once(String::new())
        .chain(('b'..='z').map(String::from))
        .map(|end| SnapshotId::existing(&format!("{name}{end}")))
        .find(|id| !taken(id))
        .unwrap_or_else(|| SnapshotId::existing(&format!("{name}-{}", uuid::Uuid::new_v4())))
}
