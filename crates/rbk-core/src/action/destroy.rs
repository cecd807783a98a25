//! The end of an instance: its protection is taken off, then it is deleted, with or without a final snapshot. It must be the very
//! instance that the run means, and nobody's active database, at the moment that the call is sent.

use super::rds::unprepared;
use crate::ids::{DatabaseName, InstanceId, ResourceId, SnapshotId};
use crate::journal::Proof;
use crate::plan::{Action, FinalSnapshot};
use crate::ports::{Instance, PortError, PortErrorKind};
use crate::run::{Effect, Failure, Probe, RemovalFailure, Scene, Since, points_at};
use crate::value::Snapshot;
use async_trait::async_trait;
use std::time::Duration;

/// The instance's immutable identity, as this run knows it: seen at preflight, or made by itself.
fn meant<'s>(scene: &Scene<'s>, database: &DatabaseName) -> Result<&'s ResourceId, Failure> {
    let facts = scene.facts;
    let known = facts.created.get(database);
    let known = known.or_else(|| facts.instances.get(database));
    known.ok_or_else(|| {
        RemovalFailure::Appeared {
            database: database.clone(),
        }
        .into()
    })
}

/// Why an instance isn't the one that is meant.
fn replaced(instance: &Instance, meant: &ResourceId) -> Option<Failure> {
    (instance.resource != *meant).then(|| {
        RemovalFailure::Replaced {
            instance: instance.id.clone(),
            expected: meant.clone(),
            found: instance.resource.clone(),
        }
        .into()
    })
}

/// `ModifyDBInstance`: deletion protection off.
pub(super) struct LiftProtection<'a> {
    database: &'a DatabaseName,
    instance: &'a InstanceId,
}

impl<'a> LiftProtection<'a> {
    pub fn new(database: &'a DatabaseName, instance: &'a InstanceId) -> Self {
        Self { database, instance }
    }
}

#[async_trait]
impl Effect for LiftProtection<'_> {
    fn call(&self) -> &'static str {
        "ModifyDBInstance"
    }

    fn target(&self) -> String {
        format!("instance {}", self.instance)
    }

    fn doing(&self) -> String {
        format!("lifting the deletion protection of `{}`", self.instance)
    }

    fn look_at(&self) -> String {
        format!(
            "look whether deletion protection of `{}` is on; then say so with `rbk resolve`",
            self.instance
        )
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let Some(is) = scene.world.rds.instance(self.instance).await? else {
            return Ok(Probe::Foreign(Failure::Vanished {
                instance: self.instance.clone(),
            }));
        };
        if let Some(failure) = replaced(&is, meant(scene, self.database)?) {
            return Ok(Probe::Foreign(failure));
        }
        Ok(if is.settings.deletion_protection {
            Probe::Undone("deletion protection is on".to_owned())
        } else {
            Probe::Done {
                detail: "deletion protection is off".to_owned(),
                proof: None,
            }
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        refuse_protected(scene, self.database, self.instance)?;
        refuse_active(scene, self.instance).await
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let rds = &scene.world.rds;
        rds.set_deletion_protection(self.instance, false).await?;
        Ok(())
    }
}

/// `DeleteDBInstance`. Done when the final snapshot is available and the instance is gone, in this order.
pub(super) struct Destroy<'a> {
    database: &'a DatabaseName,
    instance: &'a InstanceId,
    snapshot: &'a FinalSnapshot,
    /// What was seen of the final snapshot last.
    missing: Option<String>,
    /// Whether the call was sent before.
    is_sent: bool,
    /// Who has come to use it since.
    in_use: Option<Failure>,
}

impl<'a> Destroy<'a> {
    pub fn new(
        database: &'a DatabaseName,
        instance: &'a InstanceId,
        snapshot: &'a FinalSnapshot,
    ) -> Self {
        Self {
            database,
            instance,
            snapshot,
            missing: None,
            is_sent: false,
            in_use: None,
        }
    }

    /// The name of the snapshot that is left: the same in each attempt.
    fn name(&self, scene: &Scene<'_>) -> Option<SnapshotId> {
        match self.snapshot {
            FinalSnapshot::None => None,
            FinalSnapshot::Generated => {
                let (instance, run) = (self.instance, scene.run.short());
                // Another instance of that name may have been destroyed by this run before.
                Some(SnapshotId::new(match self.earlier(scene) {
                    0 => format!("rbk-final-{instance}-{run}"),
                    earlier => format!("rbk-final-{instance}-{run}-{}", earlier + 1),
                }))
            }
            FinalSnapshot::Named { id } => Some(id.clone()),
        }
    }

    /// How many actions before this one destroy an instance of the name, and leave a snapshot under a made-up one.
    fn earlier(&self, scene: &Scene<'_>) -> usize {
        let before = scene.plan.actions();
        let before = before.take_while(|planned| planned.id != scene.planned.id);
        before
            .filter(|planned| {
                matches!(
                    &planned.action,
                    Action::DestroyInstance { instance, final_snapshot: FinalSnapshot::Generated, .. }
                        if instance == self.instance
                )
            })
            .count()
    }

    /// The final snapshot, if it is there and of the instance that is meant.
    async fn ours(
        &self,
        scene: &Scene<'_>,
        name: &SnapshotId,
    ) -> Result<Option<Snapshot>, Failure> {
        let meant = meant(scene, self.database)?;
        let found = scene.world.rds.snapshot(name).await?;
        Ok(found.filter(|snapshot| snapshot.resource.as_ref() == Some(meant)))
    }

    fn done(&self, name: Option<SnapshotId>) -> Probe {
        let left = match &name {
            Some(name) => format!("snapshot `{name}` is available"),
            None => "nothing is left of it, as was said".to_owned(),
        };
        Probe::Done {
            detail: format!("instance `{}` is gone; {left}", self.instance),
            proof: Some(Proof::Destroyed {
                database: self.database.clone(),
                final_snapshot: name,
            }),
        }
    }

    /// The instance isn't there: whether what must be left of it is.
    async fn gone(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let Some(name) = self.name(scene) else {
            return Ok(self.done(None));
        };
        let seen = match self.ours(scene, &name).await? {
            Some(snapshot) if snapshot.status == "available" => {
                return Ok(self.done(Some(name)));
            }
            Some(snapshot) => format!("`{}`", snapshot.status),
            None => "not there".to_owned(),
        };
        if since == Since::Nothing {
            // Somebody else deleted it, and left nothing that this run would have.
            return Ok(Probe::Foreign(Failure::Vanished {
                instance: self.instance.clone(),
            }));
        }
        if seen == "`failed`" {
            return Ok(Probe::Foreign(self.no_snapshot(name, seen)));
        }
        self.missing = Some(seen.clone());
        Ok(Probe::Pending(format!(
            "instance `{}` is gone; snapshot `{name}` is {seen}",
            self.instance
        )))
    }

    fn no_snapshot(&self, snapshot: SnapshotId, seen: String) -> Failure {
        RemovalFailure::NoFinalSnapshot {
            instance: self.instance.clone(),
            snapshot,
            seen,
        }
        .into()
    }
}

#[async_trait]
impl Effect for Destroy<'_> {
    fn call(&self) -> &'static str {
        "DeleteDBInstance"
    }

    fn target(&self) -> String {
        format!("instance {}", self.instance)
    }

    fn doing(&self) -> String {
        format!("destroying instance `{}`", self.instance)
    }

    fn look_at(&self) -> String {
        format!(
            "look whether instance `{}` is being deleted or gone, and at its snapshots; then say so with `rbk resolve`",
            self.instance
        )
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let Some(is) = scene.world.rds.instance(self.instance).await? else {
            return self.gone(scene, since).await;
        };
        if let Some(failure) = replaced(&is, meant(scene, self.database)?) {
            return Ok(Probe::Foreign(failure));
        }
        let seen = format!("instance `{}` is `{}`", is.id, is.status);
        let Some(name) = self.name(scene) else {
            return Ok(if is.status == "deleting" {
                Probe::Pending(seen)
            } else {
                Probe::Undone(seen)
            });
        };
        let is_deleting = is.status == "deleting";
        if !is_deleting && since == Since::Nothing {
            return Ok(Probe::Undone(seen));
        }
        let snapshot = self.ours(scene, &name).await?;
        Ok(match snapshot {
            Some(snapshot) => Probe::Pending(format!(
                "{seen}, final snapshot `{name}` is `{}`",
                snapshot.status
            )),
            // Somebody else deletes it, and what is left may be nothing.
            None if is_deleting && since == Since::Nothing => Probe::Foreign(Failure::Terminal {
                instance: is.id,
                status: is.status,
            }),
            None if is_deleting => {
                Probe::Pending(format!("{seen}, final snapshot `{name}` isn't there yet"))
            }
            None => Probe::Undone(seen),
        })
    }

    /// Everything that must be so is looked at again, right before.
    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        refuse_protected(scene, self.database, self.instance)?;
        refuse_active(scene, self.instance).await?;
        let name = self.name(scene);
        if let Some(name) = &name
            && scene.world.rds.snapshot(name).await?.is_some()
        {
            return Err(RemovalFailure::SnapshotTaken {
                snapshot: name.clone(),
            }
            .into());
        }
        let is = scene.world.rds.instance(self.instance).await?;
        let is = is.ok_or_else(|| Failure::Vanished {
            instance: self.instance.clone(),
        })?;
        if let Some(failure) = replaced(&is, meant(scene, self.database)?) {
            return Err(failure);
        }
        if is.settings.deletion_protection {
            return Err(protected(self.instance, "RDS's deletion protection is on"));
        }
        // RDS can make no final snapshot of what is broken.
        if name.is_some()
            && let Some(status) = is.terminal_status()
        {
            return Err(Failure::Terminal {
                instance: self.instance.clone(),
                status: status.to_owned(),
            });
        }
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        // It may be sent again after minutes of throttling: a namesake isn't deleted for that, nor what is used by now.
        let Ok(meant) = meant(scene, self.database) else {
            return Err(unprepared(&self.doing()));
        };
        let rds = &scene.world.rds;
        if let Some(is) = rds.instance(self.instance).await?
            && is.resource != *meant
        {
            let message = format!("it is `{}` now", is.resource);
            return Err(PortError::new(
                PortErrorKind::Conflict,
                self.doing(),
                message,
            ));
        }
        if std::mem::replace(&mut self.is_sent, true)
            && let Err(failure) = refuse_active(scene, self.instance).await
        {
            return Err(match failure {
                Failure::Port(error) => *error,
                failure => {
                    let message = failure.to_string();
                    self.in_use = Some(failure);
                    PortError::new(PortErrorKind::Conflict, self.doing(), message)
                }
            });
        }
        let name = self.name(scene);
        match rds.delete_instance(self.instance, name.as_ref()).await {
            // It is what was asked for; the probe looks at what is left.
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(()),
            answer => answer,
        }
    }

    fn explain(&mut self, error: PortError) -> Failure {
        if let Some(failure) = self.in_use.take() {
            return failure;
        }
        match (error.kind, self.snapshot) {
            (PortErrorKind::AlreadyExists, FinalSnapshot::Named { id }) => {
                RemovalFailure::SnapshotTaken {
                    snapshot: id.clone(),
                }
                .into()
            }
            (PortErrorKind::InvalidRequest, _) if error.message.contains("protect") => {
                protected(self.instance, &error.message)
            }
            _ => error.into(),
        }
    }

    fn overdue(&mut self, _waited: Duration, _seen: &str) -> Option<Failure> {
        let seen = self.missing.take()?;
        let snapshot = match self.snapshot {
            FinalSnapshot::Named { id } => id.clone(),
            FinalSnapshot::Generated | FinalSnapshot::None => {
                SnapshotId::new(format!("rbk-final-{}-…", self.instance))
            }
        };
        Some(self.no_snapshot(snapshot, seen))
    }
}

fn protected(instance: &InstanceId, by: &str) -> Failure {
    RemovalFailure::Protected {
        instance: instance.clone(),
        by: by.to_owned(),
    }
    .into()
}

/// The environment says that nothing may destroy it. The checker says so, too; a plan may be older than that.
fn refuse_protected(
    scene: &Scene<'_>,
    database: &DatabaseName,
    instance: &InstanceId,
) -> Result<(), Failure> {
    if scene.look().database(database)?.protect {
        return Err(protected(instance, "the environment says `protect = true`"));
    }
    Ok(())
}

/// No application may use it, as it is named at this moment.
async fn refuse_active(scene: &Scene<'_>, instance: &InstanceId) -> Result<(), Failure> {
    let mut look = scene.look();
    for application in scene.plan.environment.applications.keys() {
        if points_at(&mut look, application, instance).await? {
            return Err(RemovalFailure::StillActive {
                instance: instance.clone(),
                application: application.clone(),
            }
            .into());
        }
    }
    Ok(())
}
