//! A snapshot that a runbook takes: made under a name that each attempt finds again, done when RDS says that it is available.

use super::rds::{own_tags, tag_value, unprepared};
use crate::ids::{ActionId, DatabaseName, InstanceId, RunId, SnapshotId};
use crate::journal::Proof;
use crate::plan::SnapshotName;
use crate::ports::{PortError, PortErrorKind, SnapshotRequest};
use crate::run::{BackupFailure, Effect, Failure, Probe, Scene, Since, render};
use crate::value::Value;
use async_trait::async_trait;
use sha2::{Digest, Sha256};

/// `CreateDBSnapshot`. Known by its name and by the tags that are sent with it.
pub(super) struct CreateSnapshot<'a> {
    database: &'a DatabaseName,
    instance: &'a InstanceId,
    name: &'a SnapshotName,
    binding: Option<&'a str>,
    /// How it is called: the same in each attempt, since it is journaled with the first one.
    id: Option<SnapshotId>,
    request: Option<SnapshotRequest>,
}

impl<'a> CreateSnapshot<'a> {
    pub fn new(
        database: &'a DatabaseName,
        instance: &'a InstanceId,
        name: &'a SnapshotName,
        binding: Option<&'a str>,
    ) -> Self {
        Self {
            database,
            instance,
            name,
            binding,
            id: None,
            request: None,
        }
    }

    async fn id(&mut self, scene: &Scene<'_>) -> Result<SnapshotId, Failure> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let known = scene.facts.action(&scene.planned.id);
        let intent = known.and_then(|known| known.intent.as_ref());
        let id = match intent.and_then(|(intent, _)| intent.choice.clone()) {
            Some(Value::Text(id)) => SnapshotId::new(id),
            _ => match self.name {
                SnapshotName::Generated => generated(self.instance, scene.run, &scene.planned.id),
                // RDS keeps names in lower case.
                SnapshotName::Given { id } => {
                    let id = render(&mut scene.look(), id).await?;
                    SnapshotId::new(id.to_ascii_lowercase())
                }
            },
        };
        self.id = Some(id.clone());
        Ok(id)
    }

    fn named(&self) -> String {
        match &self.id {
            Some(id) => format!("snapshot `{id}` of instance `{}`", self.instance),
            None => format!("a snapshot of instance `{}`", self.instance),
        }
    }
}

/// The instance's name, and eight hex digits that no other action of any run has. Instances' names have at most 63 characters,
/// snapshots' 255.
pub(super) fn generated(instance: &InstanceId, run: &RunId, action: &ActionId) -> SnapshotId {
    let hash = hex::encode(Sha256::digest(format!("{run}\n{action}")));
    SnapshotId::new(format!("{instance}-{}", hash.get(..8).unwrap_or(&hash)))
}

#[async_trait]
impl Effect for CreateSnapshot<'_> {
    fn call(&self) -> &'static str {
        "CreateDBSnapshot"
    }

    fn target(&self) -> String {
        self.named()
    }

    fn doing(&self) -> String {
        format!("taking {}", self.named())
    }

    fn look_at(&self) -> String {
        format!(
            "look whether {} exists, and at its tags `rbk:run` and `rbk:action`; then say so with `rbk resolve`",
            self.named()
        )
    }

    fn is_known_by_name(&self) -> bool {
        true
    }

    fn choice(&self) -> Option<Value> {
        let id = self.id.as_ref();
        id.map(|id| Value::Text(id.to_string()))
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let id = self.id(scene).await?;
        let rds = &scene.world.rds;
        let Some(snapshot) = rds.snapshot(&id).await? else {
            return Ok(Probe::Undone(format!("there is no snapshot `{id}`")));
        };
        let Some(tags) = rds.snapshot_tags(&id).await? else {
            return Ok(Probe::Undone(format!("snapshot `{id}` is gone")));
        };
        let is_ours = tags.get("rbk:run").map(String::as_str) == Some(scene.run.as_str())
            && tags.get("rbk:action") == Some(&tag_value(&scene.planned.id));
        if !is_ours {
            let exists = BackupFailure::SnapshotExists {
                snapshot: id,
                owner: tags.get("rbk:run").map(RunId::new),
            };
            return Ok(Probe::Foreign(exists.into()));
        }
        let seen = format!("snapshot `{id}` is `{}`", snapshot.status);
        // Source: RDS user guide, "Viewing DB snapshot status": a snapshot that failed stays so.
        Ok(match snapshot.status.as_str() {
            "available" => Probe::Done {
                detail: match snapshot.data_time() {
                    Some(time) => format!("{seen}, with the data of {time}"),
                    None => seen,
                },
                proof: Some(Proof::Taken {
                    database: self.database.clone(),
                    snapshot: Box::new(snapshot),
                    binding: self.binding.map(str::to_owned),
                }),
            },
            "failed" | "deleting" => {
                let failed = BackupFailure::SnapshotFailed {
                    snapshot: id,
                    instance: self.instance.clone(),
                    status: snapshot.status,
                };
                Probe::Foreign(failed.into())
            }
            _ => Probe::Pending(seen),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let id = self.id(scene).await?;
        let tags = scene.look().database(self.database)?.tags.clone();
        self.request = Some(SnapshotRequest {
            id,
            instance: self.instance.clone(),
            tags: own_tags(scene, tags),
        });
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let request = self
            .request
            .as_ref()
            .ok_or_else(|| unprepared(&self.doing()))?;
        scene.world.rds.create_snapshot(request).await?;
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        match (error.kind, &self.id) {
            // Its tags weren't seen: it was there for a moment only.
            (PortErrorKind::AlreadyExists, Some(id)) => BackupFailure::SnapshotExists {
                snapshot: id.clone(),
                owner: None,
            }
            .into(),
            (PortErrorKind::NotFound, _) => Failure::Vanished {
                instance: self.instance.clone(),
            },
            _ => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::generated;
    use crate::ids::{ActionId, InstanceId, RunId};

    #[test]
    fn each_action_of_each_run_has_a_name_of_its_own_that_rds_takes() {
        let id = InstanceId::from("db-original");
        let name = |run: &str, action: &str| {
            generated(&id, &RunId::from(run), &ActionId::from(action)).to_string()
        };
        let one = name("20261122t091500-1f3a9c02", "Save#1");
        assert_eq!(one, name("20261122t091500-1f3a9c02", "Save#1"));
        assert_ne!(one, name("20261122t091500-1f3a9c02", "Save#2"));
        assert_ne!(one, name("20261122t091501-1f3a9c02", "Save#1"));
        assert!(one.starts_with("db-original-") && !one.contains("--") && !one.ends_with('-'));
    }
}
