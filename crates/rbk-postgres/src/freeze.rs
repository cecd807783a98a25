//! Stopping writes, proving that they have stopped, and letting them go on.
//!
//! `NoLogin` is the strong kind: the applications' roles can't log in and their sessions are ended. What it does not stop
//! is another role, which may log in and `SET ROLE`, and it holds for all databases of the instance, because roles do.
//! `ReadOnly` is the weak kind: new sessions of the database can't write *by default*, and a session that wants to
//! (`SET default_transaction_read_only = off`) still can. Applications may reconnect and go on reading.
//!
//! Both live in the catalog, so that a snapshot carries them and they can be proven without a note of our own. Neither
//! is believed for that alone: the write counters must stand still too.

use crate::connect::Limits;
use crate::error::Failure;
use crate::others::{Other, OtherSession, end, others};
use postgres_protocol::escape::escape_identifier;
use rbk_core::ids::RoleName;
use rbk_core::plan::Freeze;
use rbk_core::ports::{FreezeState, PortErrorKind};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tokio_postgres::Client;

/// Time between two readings of the counters.
const PAUSE: Duration = Duration::from_millis(250);
/// How many sessions and tables an error names.
const NAMED: usize = 8;

/// When databases were frozen read-only, by their own clocks, for as long as this process lives.
///
/// A session that began later has the default and may stay; one that began before must be ended. Nothing in the
/// catalog says when the default was set, so to another process each session counts as one from before.
#[derive(Default)]
pub(crate) struct FreezeTimes(Mutex<BTreeMap<String, SystemTime>>);

impl FreezeTimes {
    pub fn of(&self, database: &str) -> Option<SystemTime> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(database).copied()
    }

    pub fn remember(&self, database: &str, instant: SystemTime) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.insert(database.to_owned(), instant);
    }

    pub fn forget(&self, database: &str) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.remove(database);
    }
}

/// Whether writes are frozen that way. `since`: when this process froze the database, if it did.
pub(crate) async fn state(
    client: &Client,
    freeze: &Freeze,
    since: Option<SystemTime>,
) -> Result<FreezeState, Failure> {
    let (in_force, which) = match freeze {
        Freeze::NoLogin { roles } => {
            let barred = login_barred(client, roles).await?;
            if barred.values().all(|barred| !barred) {
                return Ok(FreezeState::Open);
            }
            (barred.values().all(|barred| *barred), Other::Of(roles))
        }
        Freeze::ReadOnly => {
            let default = ReadOnlyDefault::read(client).await?;
            if !default.set {
                return Ok(FreezeState::Open);
            }
            let which = since.map_or(Other::Any, Other::BegunBy);
            (default.overridden_by.is_empty(), which)
        }
    };
    if in_force && others(client, &which).await?.is_empty() {
        Ok(FreezeState::Frozen)
    } else {
        Ok(FreezeState::Partly)
    }
}

/// Freezes, ends sessions until none is left that could write, and watches the write counters until they stand still.
/// Frozen already, it does the same once more.
pub(crate) async fn freeze(
    client: &mut Client,
    freeze: &Freeze,
    limits: &Limits,
    remember: impl FnOnce(SystemTime) + Send,
) -> Result<(), Failure> {
    let until = Instant::now() + limits.freeze;
    match freeze {
        Freeze::NoLogin { roles } => {
            login_barred(client, roles).await?;
            refuse_own_role(client, roles).await?;
            alter_roles(client, roles, "NOLOGIN").await?;
            still(client, &Other::Of(roles), limits, until).await
        }
        Freeze::ReadOnly => {
            let default = ReadOnlyDefault::read(client).await?;
            if !default.overridden_by.is_empty() {
                return Err(Failure::Refused(
                    PortErrorKind::InvalidState,
                    format!(
                        "{} has `default_transaction_read_only` set to off, which outranks the database's: reset it, or \
                         name the application's role in the environment, so that its login is barred instead",
                        default.overridden_by.join(", ")
                    ),
                ));
            }
            alter_database(client, "SET default_transaction_read_only = on").await?;
            let begun_by: SystemTime = client
                .query_one("SELECT clock_timestamp()", &[])
                .await?
                .try_get(0)?;
            remember(begun_by);
            still(client, &Other::BegunBy(begun_by), limits, until).await
        }
    }
}

/// Lets writes go on. Sessions that began while a database was read-only would stay so, and are ended, so that their
/// applications connect anew.
pub(crate) async fn thaw(client: &mut Client, freeze: &Freeze) -> Result<(), Failure> {
    match freeze {
        Freeze::NoLogin { roles } => {
            login_barred(client, roles).await?;
            alter_roles(client, roles, "LOGIN").await
        }
        Freeze::ReadOnly => {
            let default = ReadOnlyDefault::read(client).await?;
            alter_database(client, "RESET default_transaction_read_only").await?;
            if default.set {
                end(client, &Other::Any).await?;
            }
            Ok(())
        }
    }
}

/// Ends sessions and reads the counters until, for a while, there was no such session and no counter moved.
async fn still(
    client: &Client,
    which: &Other<'_>,
    limits: &Limits,
    until: Instant,
) -> Result<(), Failure> {
    let mut counters = WriteCounters::read(client).await?;
    let mut since = Instant::now();
    let mut moved = Vec::new();
    loop {
        let left = others(client, which).await?;
        if !left.is_empty() {
            end(client, which).await?;
        }
        let now = WriteCounters::read(client).await?;
        let difference = now.differing(&counters);
        counters = now;
        if !left.is_empty() || !difference.is_empty() {
            since = Instant::now();
        } else if since.elapsed() >= limits.still {
            return Ok(());
        }
        if !difference.is_empty() {
            moved = difference;
        }
        if Instant::now() >= until {
            return Err(still_writing(client, left, moved).await?);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The error that names who is still there.
async fn still_writing(
    client: &Client,
    left: Vec<OtherSession>,
    moved: Vec<String>,
) -> Result<Failure, Failure> {
    if !left.is_empty() {
        return Ok(Failure::Unfinished(
            PortErrorKind::InvalidState,
            format!(
                "sessions don't end: {}",
                named(left.iter().map(|s| &s.description))
            ),
        ));
    }
    if moved.is_empty() {
        return Ok(Failure::Unfinished(
            PortErrorKind::InvalidState,
            "sessions kept coming until the time was up: is something still logged in, or logging in?".to_owned(),
        ));
    }
    let sessions = others(client, &Other::Any).await?;
    let caught: Vec<&OtherSession> = sessions.iter().filter(|s| s.writing).collect();
    let suspects = if caught.is_empty() {
        sessions.iter().collect()
    } else {
        caught
    };
    let who = if suspects.is_empty() {
        "no session shows that could do it: look for changes that are replicated in, and for scheduled jobs".to_owned()
    } else {
        format!(
            "these sessions could do it: {}",
            named(suspects.iter().map(|s| &s.description))
        )
    };
    Ok(Failure::Unfinished(
        PortErrorKind::InvalidState,
        format!("there are still writes to {}; {who}", named(moved.iter())),
    ))
}

fn named<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// How many rows were ever written, by table.
struct WriteCounters(BTreeMap<String, i64>);

impl WriteCounters {
    /// Reads them anew, also inside a transaction. Temporary tables and rbk's own don't count.
    async fn read(client: &Client) -> Result<Self, Failure> {
        client
            .execute("SELECT pg_stat_clear_snapshot()", &[])
            .await?;
        let rows = client
            .query(
                "SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del \
                 FROM pg_stat_user_tables WHERE schemaname <> 'rbk' AND schemaname NOT LIKE 'pg\\_temp\\_%'",
                &[],
            )
            .await?;
        let mut counters = BTreeMap::new();
        for row in rows {
            counters.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(Self(counters))
    }

    /// Tables whose counters are others than before, or that have come or gone.
    fn differing(&self, before: &Self) -> Vec<String> {
        let came_or_moved = self
            .0
            .iter()
            .filter(|(table, count)| before.0.get(*table) != Some(count));
        let went = before
            .0
            .iter()
            .filter(|(table, _)| !self.0.contains_key(*table));
        came_or_moved
            .chain(went)
            .map(|(table, _)| format!("`{table}`"))
            .collect()
    }
}

/// What the catalog says about the database's default.
struct ReadOnlyDefault {
    set: bool,
    /// Roles whose own setting outranks it: ``role `app` ``.
    overridden_by: Vec<String>,
}

impl ReadOnlyDefault {
    async fn read(client: &Client) -> Result<Self, Failure> {
        let rows = client
            .query(
                "SELECT r.rolname::text, substring(c.setting from '=(.*)$')::boolean \
                 FROM pg_db_role_setting s \
                 CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting) \
                 LEFT JOIN pg_roles r ON r.oid = s.setrole \
                 LEFT JOIN pg_database d ON d.oid = s.setdatabase \
                 WHERE c.setting LIKE 'default\\_transaction\\_read\\_only=%' \
                   AND (d.datname = current_database() OR (s.setdatabase = 0 AND s.setrole <> 0))",
                &[],
            )
            .await?;
        let mut default = Self {
            set: false,
            overridden_by: Vec::new(),
        };
        for row in rows {
            let role: Option<String> = row.try_get(0)?;
            let on: bool = row.try_get(1)?;
            match role {
                None => default.set = on,
                Some(role) if !on => default.overridden_by.push(format!("role `{role}`")),
                Some(_) => {}
            }
        }
        Ok(default)
    }
}

/// Which of the roles can't log in. A role that isn't there is an error.
async fn login_barred(
    client: &Client,
    roles: &[RoleName],
) -> Result<BTreeMap<String, bool>, Failure> {
    if roles.is_empty() {
        return Err(Failure::invalid(
            "no role is named whose login could be barred",
        ));
    }
    let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    let rows = client
        .query(
            "SELECT rolname::text, NOT rolcanlogin FROM pg_roles WHERE rolname::text = ANY ($1)",
            &[&names],
        )
        .await?;
    let mut barred = BTreeMap::new();
    for row in rows {
        barred.insert(row.try_get(0)?, row.try_get(1)?);
    }
    match names.iter().find(|name| !barred.contains_key(**name)) {
        None => Ok(barred),
        Some(missing) => Err(no_such_role(missing)),
    }
}

async fn refuse_own_role(client: &Client, roles: &[RoleName]) -> Result<(), Failure> {
    let own: String = client
        .query_one("SELECT session_user::text", &[])
        .await?
        .try_get(0)?;
    if roles.iter().any(|role| role.as_str() == own) {
        return Err(Failure::invalid(format!(
            "`{own}` is the role that rbk itself logs in with; barring it would lock rbk out too: give the application a \
             role of its own, or an `admin_secret` to the database"
        )));
    }
    Ok(())
}

/// All roles or none.
async fn alter_roles(client: &mut Client, roles: &[RoleName], to: &str) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    for role in roles {
        let sql = format!("ALTER ROLE {} {to}", escape_identifier(role.as_str()));
        transaction
            .batch_execute(&sql)
            .await
            .map_err(|error| of_role(error, role))?;
    }
    Ok(transaction.commit().await?)
}

async fn alter_database(client: &Client, how: &str) -> Result<(), Failure> {
    let name: String = client
        .query_one("SELECT current_database()::text", &[])
        .await?
        .try_get(0)?;
    let sql = format!("ALTER DATABASE {} {how}", escape_identifier(&name));
    Ok(client.batch_execute(&sql).await?)
}

/// An error of `ALTER ROLE`, in which a missing object is the role.
pub(crate) fn of_role(error: tokio_postgres::Error, role: &RoleName) -> Failure {
    match error.code().map(|state| state.code()) {
        Some("42704") => no_such_role(role.as_str()),
        _ => error.into(),
    }
}

fn no_such_role(role: &str) -> Failure {
    Failure::Refused(
        PortErrorKind::NotFound,
        format!("there is no role `{role}`"),
    )
}
