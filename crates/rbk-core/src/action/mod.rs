//! The primitive actions, one file a family: how each is recognised as done, and what it sends or reads.
//!
//! A new action is one file here, one port method, one adapter method.

mod command;
mod data;
mod decide;
mod destroy;
mod frozen;
mod gone;
mod human;
mod migrate;
mod rds;
mod replication;
mod schema;
mod secret;
mod session;
mod snapshot;
mod sql;
mod stack;
mod wait;

pub(crate) use wait::Wait;

use crate::journal::{Event, How, Observation, Outcome};
use crate::plan::Action;
use crate::run::{Effect, Failure, Scene};
use async_trait::async_trait;

/// How an action is performed.
pub(crate) enum Kind<'a> {
    /// It changes something: probe, intent, send, probe, outcome.
    Effect(Box<dyn Effect + 'a>),
    /// It looks until it sees.
    Wait(Wait<'a>),
    /// It reads, or asks, once.
    Once(Box<dyn Once + 'a>),
}

/// Something that is read, or asked, once. It may be dropped and begun again.
#[async_trait]
pub(crate) trait Once: Send + Sync {
    /// Does it.
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure>;
}

/// What came of it.
pub(crate) struct Performed {
    pub observations: Vec<Observation>,
    pub last: Event,
}

impl Performed {
    fn done(detail: impl Into<String>) -> Self {
        Self::how(How::Done, detail)
    }

    fn how(how: How, detail: impl Into<String>) -> Self {
        Self {
            observations: Vec::new(),
            last: Event::Outcome(Outcome::Done {
                how,
                detail: detail.into(),
                proof: None,
            }),
        }
    }
}

/// How an action is performed.
pub(crate) fn kind(action: &Action) -> Kind<'_> {
    match action {
        Action::RestoreFromSnapshot {
            database,
            snapshot,
            settings,
        } => Kind::Effect(Box::new(rds::Restore::new(
            database,
            rds::From::Snapshot(snapshot),
            settings,
        ))),
        Action::RestoreToPointInTime {
            database,
            source,
            at,
            settings,
        } => Kind::Effect(Box::new(rds::Restore::new(
            database,
            rds::From::PointInTime { source, at },
            settings,
        ))),
        Action::CreateSnapshot {
            database,
            instance,
            id,
            binding,
        } => Kind::Effect(Box::new(snapshot::CreateSnapshot::new(
            database,
            instance,
            id,
            binding.as_deref(),
        ))),
        Action::Decide { condition } => Kind::Once(Box::new(decide::Decide { condition })),
        Action::SetMasterPassword {
            database,
            instance,
            secret,
        } => Kind::Effect(Box::new(rds::MasterPassword::new(
            database, instance, secret,
        ))),
        Action::StageSecret { secret, content } => {
            Kind::Effect(Box::new(secret::Stage::new(secret, content)))
        }
        Action::PromoteSecret { secret } => Kind::Effect(Box::new(secret::Promote::new(secret))),
        Action::RevertSecret { secret } => Kind::Effect(Box::new(secret::Revert::new(secret))),
        Action::ProveLogin {
            database,
            secret,
            through,
        } => Kind::Once(Box::new(secret::ProveLogin {
            database,
            secret,
            through: through.as_ref(),
        })),
        Action::SetRolePassword {
            database,
            role,
            secret,
            administration,
        } => Kind::Effect(Box::new(sql::RolePassword::new(
            database,
            role,
            secret,
            administration,
        ))),
        Action::FreezeWrites {
            database,
            freeze,
            if_reachable,
        } => Kind::Effect(Box::new(sql::Writes::freeze(
            database,
            freeze,
            *if_reachable,
        ))),
        Action::ThawWrites {
            database,
            freeze,
            if_reachable,
        } => Kind::Effect(Box::new(sql::Writes::thaw(database, freeze, *if_reachable))),
        Action::Await {
            condition,
            within,
            every,
        } => Kind::Wait(Wait {
            condition,
            within: *within,
            every: *every,
        }),
        Action::Assert {
            condition,
            otherwise,
        } => Kind::Once(Box::new(wait::Assert {
            condition,
            otherwise: otherwise.as_ref(),
        })),
        Action::Observe { name, expr, .. } => Kind::Once(Box::new(wait::Observe { name, expr })),
        Action::Approve { prompt, typed } => Kind::Once(Box::new(human::Approve {
            prompt,
            typed: typed.as_deref(),
        })),
        Action::Note { text } => Kind::Once(Box::new(human::Note { text })),
        Action::ChangeSchema {
            database,
            change,
            statements,
            settings,
            lock_timeout,
        } => Kind::Effect(Box::new(schema::ChangeSchema::new(
            database,
            change,
            statements,
            settings,
            *lock_timeout,
        ))),
        Action::Migrate {
            database,
            migrations,
        } => Kind::Effect(Box::new(migrate::Migrate::new(database, migrations))),
        Action::Copy {
            replication,
            from,
            to,
            tables,
        } => Kind::Effect(Box::new(data::Copy::new(
            replication.as_deref(),
            from,
            to,
            tables,
        ))),
        Action::SyncSequences {
            from,
            to,
            sequences,
        } => Kind::Effect(Box::new(data::SyncSequences::new(from, to, sequences))),
        Action::ProveForeignKeys { database, keys } => {
            Kind::Once(Box::new(data::ProveForeignKeys { database, keys }))
        }
        Action::RunCommand {
            command,
            declared,
            arguments,
        } => Kind::Effect(Box::new(command::RunCommand::new(
            command, declared, arguments,
        ))),
        Action::ProveFrozen { database, freeze } => Kind::Once(Box::new(frozen::ProveFrozen {
            database,
            freeze,
            because: None,
        })),
        Action::KeepFrozen {
            database,
            freeze,
            because,
        } => Kind::Once(Box::new(frozen::ProveFrozen {
            database,
            freeze,
            because: Some(because),
        })),
        Action::LiftProtection { database, instance } => {
            Kind::Effect(Box::new(destroy::LiftProtection::new(database, instance)))
        }
        Action::DestroyInstance {
            database,
            instance,
            final_snapshot,
        } => Kind::Effect(Box::new(destroy::Destroy::new(
            database,
            instance,
            final_snapshot,
        ))),
        Action::ApplyStack {
            application,
            database,
            value,
            apply,
            read,
        } => {
            let wanted = stack::Wanted {
                application,
                database,
                value,
                read,
            };
            match apply {
                Some(apply) => Kind::Effect(Box::new(stack::Apply::new(wanted, apply))),
                None => Kind::Once(Box::new(stack::Tell { wanted })),
            }
        }
        Action::CreateEndpoint { replication, side } => Kind::Effect(Box::new(
            replication::CreateEndpoint::new(replication, *side),
        )),
        Action::CreateReplication { replication } => {
            Kind::Effect(Box::new(replication::CreateReplication::new(replication)))
        }
        Action::StartReplication { replication } => {
            Kind::Effect(Box::new(replication::StartReplication::new(replication)))
        }
        Action::ProveReplication { replication } => {
            Kind::Once(Box::new(replication::ProveReplication { replication }))
        }
        Action::StopReplication { replication } => {
            Kind::Effect(Box::new(replication::StopReplication::new(replication)))
        }
        Action::DeleteReplication { replication } => {
            Kind::Effect(Box::new(replication::DeleteReplication::new(replication)))
        }
        Action::DeleteEndpoint { replication, side } => Kind::Effect(Box::new(
            replication::DeleteEndpoint::new(replication, *side),
        )),
        Action::Keep { database, because } => {
            Kind::Once(Box::new(human::Keep { database, because }))
        }
    }
}
