//! The last good instant before the disaster: what a runbook that restores to a point in time is given, and what must be there then.

use super::seed::{Stage, own_tables};
use super::{application, compare, sandbox_failed};
use crate::exit::Failure;
use crate::load::Given;
use jiff::Timestamp;
use rbk_core::environment::{Database, Environment, TableName};
use rbk_core::plan::{Action, Plan};
use rbk_core::ports::TableDigest;
use rbk_core::value::Type;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was there when.
pub struct Instant {
    /// A whole second, as a person would say it. What was acknowledged before is there; what was sent later is not.
    pub at: Timestamp,
    /// Every table then, but for what the stand-ins write.
    pub tables: BTreeMap<TableName, TableDigest>,
}

/// Whether a plan restores to an instant that somebody must say.
pub fn restores_to_it(plan: &Plan) -> bool {
    plan.actions()
        .any(|planned| matches!(planned.action, Action::RestoreToPointInTime { .. }))
}

impl Instant {
    /// Notes what is there, lets the second pass, and returns when each stand-in has written behind it.
    pub async fn note(
        stage: &Stage,
        environment: &Environment,
        database: &Database,
    ) -> Result<Instant, Failure> {
        let mut superuser = stage
            .sandbox
            .superuser(database.instance.as_str(), &database.database)
            .await
            .map_err(sandbox_failed)?;
        let traffic = environment
            .drill
            .as_ref()
            .and_then(|drill| drill.traffic.as_ref());
        let tables = compare::digest(&mut superuser, &own_tables(environment), traffic).await?;
        let at = next_second();
        while Timestamp::now() <= at {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for stand_in in stage.stand_ins.values() {
            if let Some(traffic) = &stand_in.traffic {
                // The first one may have been on its way already.
                for _ in 0..2 {
                    let last = traffic.last_write().unwrap_or(at).max(at);
                    application::await_write(traffic, last).await;
                }
            }
        }
        Ok(Instant { at, tables })
    }

    /// Lets the restorable window reach beyond it, as it does in AWS within minutes.
    pub async fn make_restorable(&self, stage: &Stage, database: &Database) -> Result<(), Failure> {
        stage
            .sandbox
            .keep_transaction_logs(database.instance.as_str())
            .await
            .map_err(sandbox_failed)?;
        Ok(())
    }

    /// What is given to a runbook, and the instant for each time that it still asks for.
    pub fn given(&self, plan: &Plan, given: &Given) -> Given {
        let times = plan.holes().filter(|hole| hole.ty == Type::Time);
        times.fold(given.clone(), |given, hole| {
            given.with(&hole.name, &self.at.to_string())
        })
    }
}

fn next_second() -> Timestamp {
    let second = Timestamp::now().as_second() + 1;
    Timestamp::from_second(second).unwrap_or_else(|_| Timestamp::now())
}
