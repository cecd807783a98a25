//! Removing what a replication was made of. What was never made is left out; what isn't this run's is left alone; what DMS knows
//! of each table is journaled before it is gone.

use super::{Asked, Subject, asked, is_of_run};
use crate::action::rds::unprepared;
use crate::journal::Observation;
use crate::plan::{Action, Side};
use crate::ports::{PortError, PortErrorKind, Replication};
use crate::run::{Effect, Failure, Life, Probe, Scene, Since, Standing};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long it is waited until something may be removed: for a replication on its way to running, or stopping.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

/// The run's own config; otherwise what not finding it means.
pub(super) async fn find_config(
    scene: &Scene<'_>,
    replication: &str,
    id: &str,
) -> Result<Result<Replication, Probe>, Failure> {
    let asked = asked(
        scene,
        |action| matches!(action, Action::CreateReplication { replication: of } if of == replication),
    );
    if let Asked::Never = asked {
        return Ok(Err(never_made("replication config", id)));
    }
    let found = scene.world.dms.replication(id).await?;
    let Some(is) = found else {
        return Ok(Err(unseen("replication config", id, &asked)));
    };
    Ok(match foreign(scene, "replication config", id, &is.tags) {
        Some(probe) => Err(probe),
        None => Ok(is),
    })
}

fn never_made(kind: &str, id: &str) -> Probe {
    Probe::Skip(format!("{kind} `{id}` was never made"))
}

fn unseen(kind: &str, id: &str, asked: &Asked) -> Probe {
    match asked {
        Asked::Never => never_made(kind, id),
        Asked::Lately => Probe::Pending(format!("{kind} `{id}` may be seen yet")),
        Asked::LongAgo => Probe::Skip(format!("there is no {kind} `{id}`")),
    }
}

fn foreign(
    scene: &Scene<'_>,
    kind: &str,
    id: &str,
    tags: &BTreeMap<String, String>,
) -> Option<Probe> {
    if is_of_run(scene, tags) {
        return None;
    }
    let whose = match tags.get("rbk:run") {
        Some(run) => format!("of run `{run}`"),
        None => "somebody else's".to_owned(),
    };
    Some(Probe::Skip(format!(
        "{kind} `{id}` is {whose}: it is left alone"
    )))
}

/// `DeleteReplicationConfig`: ends what is billed.
pub(in crate::action) struct DeleteReplication<'a> {
    replication: &'a str,
    arn: Option<String>,
    id: String,
    seen: Option<Observation>,
}

impl<'a> DeleteReplication<'a> {
    pub fn new(replication: &'a str) -> Self {
        Self {
            replication,
            arn: None,
            id: String::new(),
            seen: None,
        }
    }
}

#[async_trait]
impl Effect for DeleteReplication<'_> {
    fn call(&self) -> &'static str {
        "DeleteReplicationConfig"
    }

    fn target(&self) -> String {
        format!("replication {}", self.replication)
    }

    fn doing(&self) -> String {
        format!(
            "deleting the config of replication {} (and its capacity with it)",
            self.replication
        )
    }

    fn look_at(&self) -> String {
        "look whether DMS still has serverless replications whose tag `rbk:run` names this run; then say what you found with `rbk resolve`"
            .to_owned()
    }

    fn grace(&self) -> Duration {
        // Deleting it again changes nothing.
        Duration::ZERO
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let id = Subject::of(scene, self.replication)?.names.base;
        let found = find_config(scene, self.replication, &id).await?;
        let is = match (found, since) {
            (Ok(is), _) => is,
            (Err(probe), Since::Nothing) => return Ok(probe),
            (Err(_), Since::Intent(_) | Since::Accepted) => {
                return Ok(Probe::Done {
                    detail: format!("there is no replication config `{id}` any more"),
                    proof: None,
                });
            }
        };
        let seen = format!("replication config `{id}` is `{}`", is.status);
        Ok(match Life::of(&is) {
            Life::Deleting | Life::Stopping => Probe::Pending(seen),
            Life::Created
            | Life::Preparing
            | Life::Running
            | Life::Finished
            | Life::Stopped
            | Life::Failed
            | Life::Modifying
            | Life::Unknown => {
                self.arn = Some(is.arn);
                self.id = id;
                Probe::Undone(seen)
            }
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let known = scene.facts.replications.get(self.replication);
        if known.is_some_and(|known| known.proven) {
            return Ok(());
        }
        let id = Subject::of(scene, self.replication)?.names.base;
        // What DMS doesn't tell any more must not keep it from being removed.
        let standing = match Standing::read(scene.world.dms.as_ref(), &id).await {
            Ok(standing) => standing,
            Err(failure) if failure.is_passing() => return Err(failure),
            Err(_) => None,
        };
        self.seen = standing.map(|standing| Observation::Replication {
            replication: self.replication.to_owned(),
            facts: standing.facts(scene.world.clock.now()),
        });
        Ok(())
    }

    fn observations(&mut self) -> Vec<Observation> {
        self.seen.take().into_iter().collect()
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(arn) = &self.arn else {
            return Err(unprepared(&self.doing()));
        };
        let dms = &scene.world.dms;
        let error = match dms.delete_replication(arn).await {
            Err(error) if error.kind == PortErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind == PortErrorKind::InvalidState => error,
            answer => return answer,
        };
        // What came to run only now, or could not be stopped before, is stopped here: otherwise it would be billed to its end.
        if let Some(is) = dms.replication(&self.id).await?
            && matches!(Life::of(&is), Life::Running | Life::Preparing)
        {
            let stopped = dms.stop_replication(arn).await;
            tracing::debug!(?stopped, "a replication that is to be deleted runs");
        }
        Err(error)
    }
}

/// `DeleteEndpoint`; DMS refuses it for as long as the config is going.
pub(in crate::action) struct DeleteEndpoint<'a> {
    replication: &'a str,
    side: Side,
    arn: Option<String>,
}

impl<'a> DeleteEndpoint<'a> {
    pub fn new(replication: &'a str, side: Side) -> Self {
        Self {
            replication,
            side,
            arn: None,
        }
    }
}

#[async_trait]
impl Effect for DeleteEndpoint<'_> {
    fn call(&self) -> &'static str {
        "DeleteEndpoint"
    }

    fn target(&self) -> String {
        format!("{} endpoint of {}", self.side.name(), self.replication)
    }

    fn doing(&self) -> String {
        format!(
            "deleting the {} endpoint of {}",
            self.side.name(),
            self.replication
        )
    }

    fn look_at(&self) -> String {
        "look whether DMS still has endpoints whose tag `rbk:run` names this run; then say what you found with `rbk resolve`"
            .to_owned()
    }

    fn grace(&self) -> Duration {
        // Deleting it again changes nothing.
        Duration::ZERO
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let id = Subject::of(scene, self.replication)?
            .names
            .endpoint(self.side);
        let asked = asked(scene, |action| {
            matches!(
                action,
                Action::CreateEndpoint { replication, side }
                    if replication == self.replication && *side == self.side
            )
        });
        if let Asked::Never = asked {
            return Ok(never_made("endpoint", &id));
        }
        let Some(is) = scene.world.dms.endpoint(&id).await? else {
            return Ok(match since {
                Since::Nothing => unseen("endpoint", &id, &asked),
                Since::Intent(_) | Since::Accepted => Probe::Done {
                    detail: format!("there is no endpoint `{id}` any more"),
                    proof: None,
                },
            });
        };
        if let Some(probe) = foreign(scene, "endpoint", &id, &is.tags) {
            return Ok(probe);
        }
        let seen = format!("endpoint `{id}` is `{}`", is.status);
        if is.status.eq_ignore_ascii_case("deleting") {
            return Ok(Probe::Pending(seen));
        }
        self.arn = Some(is.arn);
        Ok(Probe::Undone(seen))
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(arn) = &self.arn else {
            return Err(unprepared(&self.doing()));
        };
        match scene.world.dms.delete_endpoint(arn).await {
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(()),
            answer => answer,
        }
    }
}
