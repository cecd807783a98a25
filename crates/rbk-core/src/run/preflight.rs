//! What is read and proven before the first effect, in the plan's order: identity first.

use super::backup::observe_window;
use super::compare::catalog;
use super::evaluate::{active_database, evaluate, render};
use super::failure::{BackupFailure, Failure, ReplicationFailure};
use super::look::{Known, Look};
use super::performer::Performer;
use crate::ids::{InstanceId, RunId, SecretName, SnapshotId, StageLabel};
use crate::journal::{Event, Facts, Observation};
use crate::plan::{Plan, Preflight};
use crate::ports::{Instance, SecretFacts, World};

/// One entry of a plan's preflight, and what was found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was asked.
    pub preflight: Preflight,
    /// What was found.
    pub result: Result<Observation, Failure>,
}

/// Runs a plan's preflight without a journal and without a lease. Goes on after what doesn't hold,
/// as far as nothing later depends on it; stops at once where the account or region is another.
pub async fn look_ahead(world: &World, plan: &Plan) -> Vec<Finding> {
    let mut facts = Facts::default();
    let mut findings = Vec::new();
    let mut known = Known::default();
    for preflight in &plan.preflight {
        let mut look = Look::knowing(world, plan, &facts, known);
        let result = observe(&mut look, preflight).await;
        known = look.into_known();
        if let Ok(Observation::Binding { name, value }) = &result {
            facts.bindings.insert(name.clone(), value.clone());
        }
        let is_over = result.is_err()
            && matches!(
                preflight,
                Preflight::Identity { .. } | Preflight::Observe { .. }
            );
        findings.push(Finding {
            preflight: preflight.clone(),
            result,
        });
        if is_over {
            break;
        }
    }
    findings
}

impl Performer<'_> {
    /// Proves who we are, each time that the run begins or is resumed: the credentials may be others now.
    pub(crate) async fn prove_identity(&self) -> Result<Observation, Failure> {
        let environment = &self.plan.environment;
        identity(self.world, &environment.account, &environment.region).await
    }

    /// Goes through all of it, also where an earlier epoch had come half-way: days may lie between, and nothing was changed
    /// yet.
    pub(crate) async fn preflight(&mut self) -> Result<(), Failure> {
        let plan = self.plan;
        // Preflight is one moment: what one entry has read, the next one needn't.
        let mut known = Known::default();
        for (index, preflight) in plan.preflight.iter().enumerate() {
            let mut look = Look::knowing(self.world, plan, &self.journal.facts, known);
            let observation = self
                .interrupt
                .unless(1, false, observe(&mut look, preflight))
                .await?;
            known = look.into_known();
            self.record_of_run(Event::Observed {
                preflight: Some(index),
                observation,
            })
            .await?;
        }
        Ok(())
    }
}

pub(super) async fn observe(
    look: &mut Look<'_>,
    preflight: &Preflight,
) -> Result<Observation, Failure> {
    match preflight {
        Preflight::Identity { account, region } => identity(look.world, account, region).await,
        Preflight::Absent { database, instance } => {
            match look.world.rds.instance(instance).await? {
                None => Ok(Observation::Absent {
                    database: database.clone(),
                    instance: instance.clone(),
                }),
                Some(found) => Err(Failure::TargetExists {
                    database: database.clone(),
                    instance: instance.clone(),
                    owner: owner(&found),
                    status: format!("`{}`", found.status),
                }),
            }
        }
        Preflight::SecretVersion { secret } => secret_version(look, secret).await,
        Preflight::ActiveDatabase { application } => Ok(Observation::ActiveDatabase {
            application: application.clone(),
            database: active_database(look, application).await?,
        }),
        Preflight::Instance {
            database,
            instance,
            if_there,
        } => match look.world.rds.instance(instance).await? {
            Some(found) => Ok(Observation::Instance {
                database: database.clone(),
                resource: found.resource,
            }),
            None if *if_there => Ok(Observation::Absent {
                database: database.clone(),
                instance: instance.clone(),
            }),
            None => Err(Failure::Vanished {
                instance: instance.clone(),
            }),
        },
        Preflight::ReplicationSubnetGroup { name } => {
            if !look.world.dms.has_subnet_group(name).await? {
                return Err(ReplicationFailure::NoSubnetGroup { name: name.clone() }.into());
            }
            Ok(Observation::ReplicationSubnetGroup { name: name.clone() })
        }
        Preflight::RestoreWindow { database, at, .. } => observe_window(look, database, at).await,
        Preflight::SnapshotAbsent { id } => {
            // RDS keeps names in lower case.
            let id = SnapshotId::new(render(look, id).await?.to_ascii_lowercase());
            match look.world.rds.snapshot_tags(&id).await? {
                None => Ok(Observation::SnapshotAbsent { id }),
                Some(tags) => Err(BackupFailure::SnapshotExists {
                    snapshot: id,
                    owner: tags.get("rbk:run").map(RunId::new),
                }
                .into()),
            }
        }
        Preflight::Catalog { database, scope } => catalog(look, database, scope).await,
        Preflight::Observe { name, expr, .. } => Ok(Observation::Binding {
            name: name.clone(),
            value: evaluate(look, expr).await?.value,
        }),
        Preflight::Require {
            condition,
            otherwise,
            statement,
        } => {
            let seen = evaluate(look, condition).await?;
            if seen.holds()? {
                return Ok(Observation::Required {
                    statement: statement.clone(),
                    seen: seen.text,
                });
            }
            let message = match otherwise {
                Some(template) => Some(render(look, template).await?),
                None => None,
            };
            Err(Failure::Precondition {
                statement: statement.clone(),
                message,
                seen: seen.text,
            })
        }
    }
}

pub(super) async fn identity(
    world: &World,
    account: &str,
    region: &str,
) -> Result<Observation, Failure> {
    let caller = world.identity.caller().await?;
    if caller.account != account {
        return Err(Failure::WrongAccount {
            expected: account.to_owned(),
            found: caller.account,
            arn: caller.arn,
        });
    }
    if caller.region != region {
        return Err(Failure::WrongRegion {
            expected: region.to_owned(),
            found: caller.region,
        });
    }
    Ok(Observation::Identity {
        account: caller.account,
        arn: caller.arn,
        region: caller.region,
    })
}

async fn secret_version(look: &mut Look<'_>, secret: &SecretName) -> Result<Observation, Failure> {
    let facts = look
        .secret(secret)
        .await?
        .ok_or_else(|| Failure::SecretMissing {
            secret: secret.clone(),
        })?;
    if let Some(reason) = unusable(&facts) {
        return Err(Failure::SecretUnusable {
            secret: secret.clone(),
            reason,
        });
    }
    Ok(Observation::SecretVersion {
        secret: secret.clone(),
        version: facts.current().cloned(),
    })
}

fn unusable(facts: &SecretFacts) -> Option<String> {
    if facts.deleted {
        return Some("it is scheduled for deletion".to_owned());
    }
    if let Some(service) = &facts.owning_service {
        return Some(format!("`{service}` owns it, and nobody else may write it"));
    }
    // After a rotation the label may stay on what is current now.
    let pending = facts.version_with(&StageLabel::from("AWSPENDING"));
    (pending.is_some() && pending != facts.current())
        .then(|| "a rotation is in flight: it has a version labelled AWSPENDING".to_owned())
}

/// The run that an instance's tags name.
pub(crate) fn owner(instance: &Instance) -> Option<RunId> {
    instance.tags.get("rbk:run").map(RunId::new)
}

/// An instance that stands where this run's own would stand.
pub(crate) fn foreign(id: &InstanceId, instance: &Instance) -> Failure {
    Failure::Foreign {
        instance: id.clone(),
        owner: owner(instance),
    }
}
