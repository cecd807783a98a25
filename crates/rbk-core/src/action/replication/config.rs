//! Replication configs: created, started once, stopped.

use super::{LAG, Subject, gone, is_made_here, is_of_run, refused, tags, taken};
use crate::action::rds::unprepared;
use crate::plan::Side;
use crate::ports::{PortError, PortErrorKind, Replication, ReplicationRequest};
use crate::run::{Effect, Failure, Life, Probe, Scene, Since};
use crate::value::Value;
use async_trait::async_trait;
use std::time::Duration;

/// `CreateReplicationConfig`. Known by its name and by the tags that are sent with it.
pub(in crate::action) struct CreateReplication<'a> {
    replication: &'a str,
    request: Option<ReplicationRequest>,
}

impl<'a> CreateReplication<'a> {
    pub fn new(replication: &'a str) -> Self {
        Self {
            replication,
            request: None,
        }
    }
}

#[async_trait]
impl Effect for CreateReplication<'_> {
    fn call(&self) -> &'static str {
        "CreateReplicationConfig"
    }

    fn target(&self) -> String {
        format!("replication {}", self.replication)
    }

    fn doing(&self) -> String {
        format!("creating replication {}", self.replication)
    }

    fn look_at(&self) -> String {
        look_at()
    }

    fn is_known_by_name(&self) -> bool {
        true
    }

    fn grace(&self) -> Duration {
        LAG
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let id = Subject::of(scene, self.replication)?.names.base;
        let Some(is) = scene.world.dms.replication(&id).await? else {
            return Ok(Probe::Undone(format!(
                "there is no replication config `{id}`"
            )));
        };
        if !is_made_here(scene, &is.tags) {
            return Ok(Probe::Foreign(taken("replication config", &id, &is.tags)));
        }
        Ok(Probe::Done {
            detail: format!("replication config `{id}` is `{}`", is.status),
            proof: None,
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let Subject { dms, names, .. } = Subject::of(scene, self.replication)?;
        let mut arns = Vec::new();
        for side in [Side::Source, Side::Target] {
            let id = names.endpoint(side);
            let endpoint = scene.world.dms.endpoint(&id).await?;
            let endpoint = endpoint.ok_or_else(|| gone(self.replication, "endpoint", &id))?;
            if !is_of_run(scene, &endpoint.tags) {
                return Err(taken("endpoint", &id, &endpoint.tags));
            }
            arns.push(endpoint.arn);
        }
        let [source, target] = <[String; 2]>::try_from(arns).map_err(|_| Failure::Bug {
            message: "a replication has two endpoints".to_owned(),
        })?;
        self.request = Some(ReplicationRequest {
            id: names.base,
            resource: names.resource,
            source,
            target,
            capacity: dms.capacity,
            multi_az: dms.multi_az,
            subnet_group: dms.subnet_group.clone(),
            security_groups: dms.security_groups.clone(),
            mappings: dms.mappings.clone(),
            settings: dms.settings.clone(),
            tags: tags(scene),
        });
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let request = self.request.as_ref();
        let request = request.ok_or_else(|| unprepared(&self.doing()))?;
        scene.world.dms.create_replication(request).await
    }

    fn explain(&mut self, error: PortError) -> Failure {
        refused(self.doing(), error)
    }
}

/// `StartReplication`, for the first and only time: what was started is known by its status, which never is `created` again.
pub(in crate::action) struct StartReplication<'a> {
    replication: &'a str,
    before: Option<Replication>,
}

impl<'a> StartReplication<'a> {
    pub fn new(replication: &'a str) -> Self {
        Self {
            replication,
            before: None,
        }
    }

    async fn read(&self, scene: &Scene<'_>) -> Result<(String, Option<Replication>), Failure> {
        let id = Subject::of(scene, self.replication)?.names.base;
        let is = scene.world.dms.replication(&id).await?;
        Ok((id, is))
    }
}

#[async_trait]
impl Effect for StartReplication<'_> {
    fn call(&self) -> &'static str {
        "StartReplication"
    }

    fn target(&self) -> String {
        format!("replication {}", self.replication)
    }

    fn doing(&self) -> String {
        format!("starting replication {}", self.replication)
    }

    fn look_at(&self) -> String {
        look_at()
    }

    /// How it stood before: evidence beside what it becomes.
    fn choice(&self) -> Option<Value> {
        let before = self.before.as_ref()?;
        let started = before.started_at;
        let started = started.map_or("never started".to_owned(), |at| format!("started {at}"));
        Some(Value::Text(format!("{}, {started}", before.status)))
    }

    fn grace(&self) -> Duration {
        LAG
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let (id, is) = self.read(scene).await?;
        let Some(is) = is else {
            return Ok(Probe::Foreign(gone(
                self.replication,
                "replication config",
                &id,
            )));
        };
        if !is_of_run(scene, &is.tags) {
            return Ok(Probe::Foreign(taken("replication config", &id, &is.tags)));
        }
        let seen = format!("replication config `{id}` is `{}`", is.status);
        if is.started_at.is_none() && is_deprovisioning(&is) {
            return Ok(Probe::Pending(format!("{seen}, its capacity is given up")));
        }
        Ok(match Life::of(&is) {
            Life::Modifying => Probe::Pending(seen),
            // Only its config is described yet, which says nothing of a start.
            Life::Unknown if is.started_at.is_none() && since == Since::Nothing => {
                Probe::Pending(seen)
            }
            Life::Created if is.started_at.is_none() => {
                self.before = Some(is);
                Probe::Undone(seen)
            }
            Life::Deleting => Probe::Foreign(gone(self.replication, "replication config", &id)),
            // What became of it is the question of who awaits it.
            Life::Created
            | Life::Preparing
            | Life::Running
            | Life::Stopping
            | Life::Finished
            | Life::Stopped
            | Life::Failed
            | Life::Unknown => Probe::Done {
                detail: seen,
                proof: None,
            },
        })
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(before) = &self.before else {
            return Err(unprepared(&self.doing()));
        };
        let dms = &scene.world.dms;
        let error = match dms.start_replication(&before.arn).await {
            Err(error) if error.kind == PortErrorKind::InvalidState => error,
            answer => return answer,
        };
        // Refused because it runs already, or because it can't run yet?
        match dms.replication(&before.id).await? {
            Some(is) if !matches!(Life::of(&is), Life::Created | Life::Modifying) => Ok(()),
            _ => Err(error),
        }
    }

    fn explain(&mut self, error: PortError) -> Failure {
        refused(self.doing(), error)
    }
}

/// `StopReplication`, if it runs. What it holds besides rows (capacity) stays until the config is deleted.
pub(in crate::action) struct StopReplication<'a> {
    replication: &'a str,
    arn: Option<String>,
    id: String,
}

impl<'a> StopReplication<'a> {
    pub fn new(replication: &'a str) -> Self {
        Self {
            replication,
            arn: None,
            id: String::new(),
        }
    }
}

#[async_trait]
impl Effect for StopReplication<'_> {
    fn call(&self) -> &'static str {
        "StopReplication"
    }

    fn target(&self) -> String {
        format!("replication {}", self.replication)
    }

    fn doing(&self) -> String {
        format!("stopping replication {}", self.replication)
    }

    fn look_at(&self) -> String {
        look_at()
    }

    fn grace(&self) -> Duration {
        // Stopping it again changes nothing.
        Duration::ZERO
    }

    /// DMS may not stop what is on its way to running: all of that is some 40 minutes.
    fn patience(&self) -> Duration {
        super::remove::PATIENCE
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let id = Subject::of(scene, self.replication)?.names.base;
        let is = match super::remove::find_config(scene, self.replication, &id).await? {
            Ok(is) => is,
            Err(probe) => return Ok(probe),
        };
        let seen = format!("replication config `{id}` is `{}`", is.status);
        Ok(match Life::of(&is) {
            Life::Created | Life::Finished | Life::Stopped | Life::Failed | Life::Deleting => {
                Probe::Done {
                    detail: seen,
                    proof: None,
                }
            }
            Life::Stopping | Life::Modifying => Probe::Pending(seen),
            Life::Preparing | Life::Running | Life::Unknown => {
                self.arn = Some(is.arn);
                self.id = id;
                Probe::Undone(seen)
            }
        })
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(arn) = &self.arn else {
            return Err(unprepared(&self.doing()));
        };
        let dms = &scene.world.dms;
        let error = match dms.stop_replication(arn).await {
            Err(error) if error.kind == PortErrorKind::InvalidState => error,
            answer => return answer,
        };
        // Refused because it has stopped by itself?
        match dms.replication(&self.id).await? {
            None => Ok(()),
            Some(is) if Life::of(&is).is_over() || Life::of(&is) == Life::Deleting => Ok(()),
            Some(_) => Err(error),
        }
    }
}

/// Whether DMS is taking its capacity away: it can't be started then. Source: `ProvisionData.ProvisionState`.
fn is_deprovisioning(is: &Replication) -> bool {
    let state = is.provision_state.as_deref();
    state.is_some_and(|state| state.eq_ignore_ascii_case("deprovisioning"))
}

fn look_at() -> String {
    "look at DMS's serverless replications whose tag `rbk:run` names this run: their status and when they were started; then say what you found with `rbk resolve`"
        .to_owned()
}
