//! What backups there are of a database: its snapshots, and the instants that it can be restored to.

use super::evaluate::{Seen, evaluate, seen_snapshot};
use super::failure::{BackupFailure, Failure};
use super::look::Look;
use crate::ids::DatabaseName;
use crate::journal::Observation;
use crate::plan::{Action, AsOf, Expr};
use crate::ports::RestoreWindow;
use crate::value::{Snapshot, Value};
use jiff::Timestamp;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What a database's instance can be restored to.
async fn window(look: &mut Look<'_>, database: &DatabaseName) -> Result<RestoreWindow, Failure> {
    let instance = look.database(database)?.instance.clone();
    if let Some(window) = look.world.rds.restore_window(&instance).await? {
        return Ok(window);
    }
    // An instance that isn't there has no window either.
    Err(match look.instance(database).await? {
        None => Failure::Vanished { instance },
        Some(is) if is.settings.retention_days == 0 => {
            BackupFailure::BackupsOff { instance }.into()
        }
        Some(_) => BackupFailure::NothingYet { instance }.into(),
    })
}

/// The newest instant of a window.
fn newest(
    look: &Look<'_>,
    database: &DatabaseName,
    window: RestoreWindow,
) -> Result<Timestamp, Failure> {
    let instance = &look.database(database)?.instance;
    window.latest.ok_or_else(|| {
        BackupFailure::NothingYet {
            instance: instance.clone(),
        }
        .into()
    })
}

/// The instant that a restore would go back to, which lies within the window. RDS knows seconds, so it is cut to them.
pub(crate) async fn restorable_to(
    look: &mut Look<'_>,
    database: &DatabaseName,
    at: &AsOf,
) -> Result<Timestamp, Failure> {
    let wanted = match at {
        AsOf::Latest => None,
        AsOf::Time { at } => Some(instant(look, at).await?),
    };
    let window = window(look, database).await?;
    let latest = newest(look, database, window)?;
    let wanted = wanted.unwrap_or(latest);
    within(look, database, window, wanted)?;
    seconds(wanted)
}

/// Refuses an instant outside of a window.
fn within(
    look: &Look<'_>,
    database: &DatabaseName,
    window: RestoreWindow,
    wanted: Timestamp,
) -> Result<(), Failure> {
    let latest = newest(look, database, window)?;
    if (window.earliest..=latest).contains(&wanted) {
        return Ok(());
    }
    Err(BackupFailure::OutsideWindow {
        instance: look.database(database)?.instance.clone(),
        wanted,
        earliest: window.earliest,
        latest,
    }
    .into())
}

async fn instant(look: &mut Look<'_>, at: &Expr) -> Result<Timestamp, Failure> {
    match evaluate(look, at).await?.value {
        Value::Time(time) => Ok(time),
        other => Err(Failure::Bug {
            message: format!("a restore as of a {}", other.ty()),
        }),
    }
}

fn seconds(time: Timestamp) -> Result<Timestamp, Failure> {
    Timestamp::from_second(time.as_second()).map_err(|error| Failure::Bug {
        message: error.to_string(),
    })
}

/// Preflight's look: the window, and whether the instant lies within, where it can be known by now.
pub(super) async fn observe_window(
    look: &mut Look<'_>,
    database: &DatabaseName,
    at: &AsOf,
) -> Result<Observation, Failure> {
    let window = window(look, database).await?;
    newest(look, database, window)?;
    let wanted = match at {
        AsOf::Time { at } if is_known_before(look, at) => Some(instant(look, at).await?),
        AsOf::Time { .. } | AsOf::Latest => None,
    };
    if let Some(wanted) = wanted {
        within(look, database, window, wanted)?;
    }
    Ok(Observation::RestoreWindow {
        database: database.clone(),
        earliest: window.earliest,
        latest: window.latest,
        wanted,
    })
}

/// Whether an expression says the same at preflight as when it is used: it needs no `let` that is observed later, asks no
/// database for its content, and asks nothing of an instance that the plan makes.
fn is_known_before(look: &Look<'_>, expr: &Expr) -> bool {
    let is_there = |name: &DatabaseName| {
        !look.plan.actions().any(|planned| match &planned.action {
            Action::RestoreFromSnapshot { database, .. }
            | Action::RestoreToPointInTime { database, .. } => database == name,
            _ => false,
        })
    };
    match expr {
        Expr::Value(_) | Expr::Parameter { .. } | Expr::Now => true,
        Expr::Binding { name, .. } => look.facts.bindings.contains_key(name),
        Expr::Age(inner) | Expr::Not(inner) | Expr::Negate(inner) => is_known_before(look, inner),
        Expr::Binary { left, right, .. } => {
            is_known_before(look, left) && is_known_before(look, right)
        }
        Expr::RestorableFrom { database }
        | Expr::RestorableUntil { database }
        | Expr::Retention { database }
        | Expr::SnapshotGap { database }
        | Expr::OldestSnapshot { database }
        | Expr::LatestSnapshot { database } => is_there(database),
        Expr::Snapshot { .. }
        | Expr::Count { .. }
        | Expr::Query { .. }
        | Expr::Size { .. }
        | Expr::Matches { .. }
        | Expr::NoDrift { .. }
        | Expr::AsLocked { .. }
        | Expr::ActiveSecret { .. }
        | Expr::SourceSnapshot { .. }
        | Expr::Complete { .. }
        | Expr::Figure { .. }
        | Expr::Exists { .. }
        | Expr::Available { .. }
        | Expr::AcceptsConnections { .. }
        | Expr::ChecksPass { .. }
        | Expr::Healthy { .. }
        | Expr::Uses { .. }
        | Expr::HasLeft { .. } => false,
    }
}

/// `restorable_from(DB)`
pub(super) async fn restorable_from(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let window = window(look, database).await?;
    Ok(Seen::of(Value::Time(window.earliest)))
}

/// `restorable_until(DB)`
pub(super) async fn restorable_until(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let window = window(look, database).await?;
    let latest = newest(look, database, window)?;
    Ok(Seen::of(Value::Time(latest)))
}

/// `retention(DB)`: what RDS says, which may not be what the environment wants.
pub(super) async fn retention(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let instance = look.database(database)?.instance.clone();
    let is = look.instance(database).await?;
    let is = is.ok_or(Failure::Vanished { instance })?;
    let days = u64::from(is.settings.retention_days);
    Ok(Seen::of(Value::Duration(days.saturating_mul(DAY))))
}

/// A database's available snapshots, oldest first.
async fn snapshots(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Vec<(Timestamp, Snapshot)>, Failure> {
    let instance = &look.database(database)?.instance;
    let all = look.world.rds.snapshots(instance).await?.into_iter();
    let mut available: Vec<(Timestamp, Snapshot)> = all
        .filter(|snapshot| snapshot.status == "available")
        .filter_map(|snapshot| Some((snapshot.created_at?, snapshot)))
        .collect();
    available.sort_by_key(|(created, _)| *created);
    if available.is_empty() {
        return Err(Failure::NoSnapshot {
            instance: instance.clone(),
            wanted: None,
        });
    }
    Ok(available)
}

/// One of a database's snapshots.
fn one(found: Option<(Timestamp, Snapshot)>) -> Result<Seen, Failure> {
    let found = found.map(|(_, snapshot)| seen_snapshot(snapshot));
    found.ok_or_else(|| Failure::Bug {
        message: "a snapshot of no snapshots".to_owned(),
    })
}

/// `latest snapshot of DB`
pub(super) async fn newest_snapshot(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    one(snapshots(look, database).await?.into_iter().next_back())
}

/// `oldest snapshot of DB`
pub(super) async fn oldest_snapshot(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    one(snapshots(look, database).await?.into_iter().next())
}

/// `snapshot_gap(DB)`: the longest time without an available snapshot, until now.
pub(super) async fn snapshot_gap(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let all = snapshots(look, database).await?;
    let ends = all.iter().skip(1).map(|(created, _)| *created);
    let ends = ends.chain([look.world.clock.now()]);
    let gap = all
        .iter()
        .zip(ends)
        .map(|((from, snapshot), until)| {
            let seconds = u64::try_from(until.duration_since(*from).as_secs()).unwrap_or(0);
            (seconds, snapshot)
        })
        .max_by_key(|(seconds, _)| *seconds);
    let Some((seconds, behind)) = gap else {
        return Ok(Seen::of(Value::Duration(0)));
    };
    let mut seen = Seen::of(Value::Duration(seconds));
    seen.text = format!("{} behind `{}`", seen.text, behind.id);
    Ok(seen)
}
