//! The sessions of a database that aren't rbk's: which there are, and how they are ended.

use crate::connect::APPLICATION_NAME;
use crate::error::Failure;
use postgres_protocol::escape::escape_literal;
use rbk_core::ids::RoleName;
use rbk_core::ports::{LongTransaction, PortErrorKind};
use std::time::{Duration, SystemTime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// Client sessions on this database other than rbk's, and which of them.
pub(crate) enum Other<'a> {
    /// All of them.
    Any,
    /// Those of some roles.
    Of(&'a [RoleName]),
    /// Those that had begun at an instant of the server's clock.
    BegunBy(SystemTime),
}

/// A session that isn't rbk's.
pub(crate) struct OtherSession {
    /// ``4711 of `app` (`pool`) from 192.0.2.1, idle``.
    pub description: String,
    /// Whether it has written something that isn't committed yet.
    pub writing: bool,
}

/// The client sessions of this database that aren't rbk's, nor of RDS's own role.
///
/// What a role without `pg_read_all_stats` may not see comes as NULL, and counts: better one too many.
pub(crate) async fn others(
    client: &Client,
    which: &Other<'_>,
) -> Result<Vec<OtherSession>, Failure> {
    let rows = select_others(
        client,
        "pid, usename::text, application_name, host(client_addr), state, backend_xid IS NOT NULL",
        which,
    )
    .await?;
    rows.iter().map(OtherSession::read).collect()
}

/// Ends those sessions: asks each to go, and does not wait.
pub(crate) async fn end(client: &Client, which: &Other<'_>) -> Result<(), Failure> {
    select_others(client, "pg_terminate_backend(pid)", which)
        .await
        .map_err(|failure| match failure.code() {
            Some("42501") => Failure::Unfinished(
                PortErrorKind::AccessDenied,
                "this role may not end the sessions of others: grant it pg_signal_backend, or membership in their role"
                    .to_owned(),
            ),
            _ => failure,
        })?;
    Ok(())
}

/// How long a session that was asked to go is waited for.
const LEAVING: Duration = Duration::from_secs(10);

/// Ends the sessions of one application name on this database, and waits until they are gone.
pub(crate) async fn end_named(client: &Client, name: &str) -> Result<(), Failure> {
    let patience = i64::try_from(LEAVING.as_millis()).unwrap_or(i64::MAX);
    // Asked in the list and not in the condition, whose parts Postgres may judge in any order.
    let rows = client
        .query(
            "SELECT pid, pg_terminate_backend(pid, $2) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = $1",
            &[&name, &patience],
        )
        .await?;
    let mut asked: Vec<i32> = Vec::new();
    for row in &rows {
        if !row.try_get::<_, bool>(1)? {
            asked.push(row.try_get(0)?);
        }
    }
    // The view shows one moment: who had gone by itself is no hindrance.
    let left = client
        .query(
            "SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1) AND application_name = $2",
            &[&asked, &name],
        )
        .await?;
    match left.first() {
        None => Ok(()),
        Some(row) => Err(Failure::Refused(
            PortErrorKind::InvalidState,
            format!(
                "session {} was asked to end, and goes on",
                row.try_get::<_, i32>(0)?
            ),
        )),
    }
}

/// Transactions of this database's other sessions that have been open for longer, the oldest first; prepared ones, too, which no
/// session holds.
///
/// Without `pg_read_all_stats` a role sees of other roles' sessions that they are there, and no more: then it isn't known whether one
/// has a transaction open, which is said as [`PortErrorKind::AccessDenied`].
pub(crate) async fn long_transactions(
    client: &Client,
    longer_than: Duration,
) -> Result<Vec<LongTransaction>, Failure> {
    let seconds = longer_than.as_secs_f64();
    let rows = client
        .query(
            "SELECT pid, usename::text, coalesce(application_name, ''), coalesce(state, ''), \
               extract(epoch FROM clock_timestamp() - xact_start)::bigint AS seconds, \
               coalesce(query, '') = '<insufficient privilege>' \
             FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL \
               AND coalesce(backend_type, 'client backend') = 'client backend' AND usename <> 'rdsadmin' \
               AND (query = '<insufficient privilege>' \
                 OR xact_start < clock_timestamp() - make_interval(secs => $1)) \
             UNION ALL \
             SELECT 0, owner::text, 'prepared transaction ' || gid, 'prepared', \
               extract(epoch FROM clock_timestamp() - prepared)::bigint, false \
             FROM pg_prepared_xacts \
             WHERE database = current_database() AND prepared < clock_timestamp() - make_interval(secs => $1) \
             ORDER BY seconds DESC NULLS LAST, 1",
            &[&seconds],
        )
        .await?;
    let mut found = Vec::new();
    let mut hidden = 0_usize;
    for row in &rows {
        if row.try_get(5)? {
            hidden += 1;
            continue;
        }
        let seconds: i64 = row.try_get(4)?;
        found.push(LongTransaction {
            pid: row.try_get(0)?,
            role: row.try_get(1)?,
            application: row.try_get(2)?,
            state: row.try_get(3)?,
            seconds: seconds.unsigned_abs(),
        });
    }
    if hidden > 0 {
        return Err(Failure::Unfinished(
            PortErrorKind::AccessDenied,
            format!(
                "this role may not see what {hidden} {} of other roles do: grant it pg_read_all_stats",
                if hidden == 1 { "session" } else { "sessions" }
            ),
        ));
    }
    Ok(found)
}

/// One statement finds sessions and does what is to be done with each, so that no process id is used when it is stale.
async fn select_others(
    client: &Client,
    what: &str,
    which: &Other<'_>,
) -> Result<Vec<Row>, Failure> {
    let (condition, parameter): (&str, Option<Box<dyn ToSql + Sync + Send>>) = match which {
        Other::Any => ("true", None),
        Other::Of(roles) => {
            let names: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
            ("usename::text = ANY ($1)", Some(Box::new(names)))
        }
        Other::BegunBy(instant) => (
            "coalesce(backend_start <= $1, true)",
            Some(Box::new(*instant)),
        ),
    };
    let sql = format!(
        "SELECT {what} FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL \
           AND coalesce(backend_type, 'client backend') = 'client backend' \
           AND coalesce(application_name, '') <> {} AND usename <> 'rdsadmin' AND {condition}",
        escape_literal(APPLICATION_NAME)
    );
    let parameters: Vec<&(dyn ToSql + Sync)> = parameter
        .iter()
        .map(|value| {
            let value: &(dyn ToSql + Sync) = value.as_ref();
            value
        })
        .collect();
    Ok(client.query(&sql, &parameters).await?)
}

impl OtherSession {
    fn read(row: &Row) -> Result<Self, Failure> {
        let pid: i32 = row.try_get(0)?;
        let role: String = row.try_get(1)?;
        let application: Option<String> = row.try_get(2)?;
        let address: Option<String> = row.try_get(3)?;
        let state: Option<String> = row.try_get(4)?;
        let mut description = format!("{pid} of `{role}`");
        if let Some(application) = application.filter(|name| !name.is_empty()) {
            description.push_str(&format!(" (`{application}`)"));
        }
        if let Some(address) = address {
            description.push_str(&format!(" from {address}"));
        }
        if let Some(state) = state {
            description.push_str(&format!(", {state}"));
        }
        Ok(Self {
            description,
            writing: row.try_get(5)?,
        })
    }
}
