//! Replications by DMS: two endpoints and a config, made under names of the run's own, started, proven, removed.

mod config;
mod endpoint;
mod proof;
mod remove;

pub(super) use config::{CreateReplication, StartReplication, StopReplication};
pub(super) use endpoint::CreateEndpoint;
pub(super) use proof::ProveReplication;
pub(super) use remove::{DeleteEndpoint, DeleteReplication};

use super::rds::tag_value;
use crate::drift::ENVIRONMENT_TAG;
use crate::ids::{DatabaseName, RunId};
use crate::plan::{
    Action, DmsReplication, EndpointSettings, PlannedAction, PlannedReplication, ReplicationMeans,
    ReplicationNames, Side,
};
use crate::ports::{PortError, PortErrorKind};
use crate::run::{Failure, ReplicationFailure, Scene, planned_replication};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long after it was sent something may be made and not seen yet: describing lags some seconds behind. To send it again then
/// is safe, since DMS takes each of these names and the first start once only: of two calls the later one is refused, whichever it
/// is. And what comes later than a removal is refused, too, or is an endpoint that costs nothing.
const LAG: Duration = Duration::from_secs(20);

/// A replication as its actions see it.
struct Subject<'s> {
    planned: &'s PlannedReplication,
    dms: &'s DmsReplication,
    names: ReplicationNames,
}

impl<'s> Subject<'s> {
    fn of(scene: &Scene<'s>, name: &str) -> Result<Self, Failure> {
        let planned = planned_replication(scene.plan, name)?;
        let ReplicationMeans::Dms(dms) = &planned.with else {
            return Err(Failure::Bug {
                message: format!("`{name}` is no replication by DMS"),
            });
        };
        Ok(Self {
            planned,
            dms,
            names: ReplicationNames::new(scene.run, name),
        })
    }

    fn endpoint(&self, side: Side) -> &'s EndpointSettings {
        match side {
            Side::Source => &self.dms.source,
            Side::Target => &self.dms.target,
        }
    }

    fn database(&self, side: Side) -> &'s DatabaseName {
        match side {
            Side::Source => &self.planned.from,
            Side::Target => &self.planned.to,
        }
    }
}

/// What everything that a run makes carries, so that it is found again.
fn tags(scene: &Scene<'_>) -> BTreeMap<String, String> {
    let action = tag_value(&scene.planned.id);
    [
        ("rbk:run", scene.run.as_str()),
        ("rbk:action", &action),
        ("rbk:plan", scene.plan_hash),
        (ENVIRONMENT_TAG, &scene.plan.environment.name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Whether it was this very action that made it.
fn is_made_here(scene: &Scene<'_>, tags: &BTreeMap<String, String>) -> bool {
    is_of_run(scene, tags) && tags.get("rbk:action") == Some(&tag_value(&scene.planned.id))
}

/// Whether this run made it.
fn is_of_run(scene: &Scene<'_>, tags: &BTreeMap<String, String>) -> bool {
    tags.get("rbk:run").map(String::as_str) == Some(scene.run.as_str())
}

/// Something that stands where the run's own would stand.
fn taken(kind: &str, id: &str, tags: &BTreeMap<String, String>) -> Failure {
    ReplicationFailure::NameTaken {
        kind: kind.to_owned(),
        id: id.to_owned(),
        owner: tags.get("rbk:run").map(RunId::new),
    }
    .into()
}

fn gone(replication: &str, kind: &str, id: &str) -> Failure {
    ReplicationFailure::Gone {
        replication: replication.to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
    }
    .into()
}

/// What DMS says no to stays a no: missing roles and subnet groups, unknown capacities, quotas. What this run's own
/// credentials may not do is somebody's to permit, and suspends it.
fn refused(doing: String, error: PortError) -> Failure {
    let is_about_a_role = error.message.contains("role")
        && !error
            .message
            .to_ascii_lowercase()
            .contains("not authorized");
    match error.kind {
        PortErrorKind::InvalidRequest | PortErrorKind::NotFound | PortErrorKind::Quota => {}
        PortErrorKind::InvalidState => {}
        PortErrorKind::AccessDenied if is_about_a_role => {}
        _ => return error.into(),
    }
    ReplicationFailure::Refused {
        doing,
        reason: error.message,
    }
    .into()
}

/// Whether what an action makes was ever asked for, and how long ago that may have been at least.
enum Asked {
    Never,
    /// So recently that not seeing it proves nothing.
    Lately,
    LongAgo,
}

fn asked(scene: &Scene<'_>, makes: impl Fn(&Action) -> bool) -> Asked {
    let made: Vec<&PlannedAction> = scene
        .plan
        .actions()
        .filter(|planned| makes(&planned.action))
        .collect();
    let intents = made.iter().filter_map(|planned| {
        let known = scene.facts.action(&planned.id)?;
        known.intent.as_ref().map(|(_, at)| *at)
    });
    let Some(last) = intents.max() else {
        return Asked::Never;
    };
    let age = scene.world.clock.now().duration_since(last);
    match Duration::try_from(age) {
        Ok(age) if age >= LAG => Asked::LongAgo,
        _ => Asked::Lately,
    }
}
