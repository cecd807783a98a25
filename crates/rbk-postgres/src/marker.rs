//! Markers: rows in `rbk.markers`, each written in the transaction of the change that it stands for. After a crash, or
//! a commit whose answer was lost, the marker decides.
//!
//! A change holds an advisory lock of its marker's name until it ends, and whoever asks for the marker takes that lock
//! first. So "it isn't there" is never said of a change that a session left behind is still about to commit.

use crate::error::Failure;
use crate::holders;
use rbk_core::ports::{Marker, PortErrorKind};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, GenericClient, Transaction};

/// The tables' advisory lock: two runs that meet an untouched database make its schema one after the other.
const MAKING: i64 = 0x0072_626b_6d61_726b;

/// Makes schema `rbk` and its table where they aren't there, committed. Nobody but their owner may use them.
pub(crate) async fn ensure(client: &mut Client) -> Result<(), Failure> {
    if is_made(client).await? {
        return may_write(client).await;
    }
    let role: String = client
        .query_one("SELECT current_user::text", &[])
        .await?
        .try_get(0)?;
    make(client).await.map_err(|failure| match failure.code() {
        Some("42501") => Failure::Refused(
            PortErrorKind::AccessDenied,
            format!(
                "rbk is `{role}` here and may not make schema `rbk`, in which it marks what it changes: grant it CREATE on the \
                 database, or name another login in `admin_secret`"
            ),
        ),
        _ => failure,
    })
}

/// Asked first, so that a role without the right is told who could give it.
async fn may_write(client: &Client) -> Result<(), Failure> {
    let row = client
        .query_opt(
            "SELECT current_user::text, pg_get_userbyid(c.relowner)::text FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'rbk' AND c.relname = 'markers' \
               AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
                        AND has_table_privilege(c.oid, 'INSERT'))",
            &[],
        )
        .await?;
    let Some(row) = row else {
        return Ok(());
    };
    let (role, owner): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Err(Failure::Refused(
        PortErrorKind::AccessDenied,
        format!(
            "rbk is `{role}` here, and may not read and write its own table rbk.markers, which belongs to `{owner}`: \
             `GRANT {owner} TO {role}`, or name that role's login in `admin_secret`"
        ),
    ))
}

async fn make(client: &mut Client) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING])
        .await?;
    transaction
        .batch_execute(
            "CREATE SCHEMA IF NOT EXISTS rbk; \
             REVOKE ALL ON SCHEMA rbk FROM PUBLIC; \
             CREATE TABLE IF NOT EXISTS rbk.markers ( \
               run text NOT NULL, action text NOT NULL, part text NOT NULL, epoch bigint NOT NULL, \
               role text NOT NULL DEFAULT session_user, at timestamptz NOT NULL DEFAULT clock_timestamp(), \
               PRIMARY KEY (run, action, part)); \
             REVOKE ALL ON TABLE rbk.markers FROM PUBLIC; \
             COMMENT ON SCHEMA rbk IS 'What rbk has changed here, a row each. Not needed once its runs have ended.'",
        )
        .await?;
    Ok(transaction.commit().await?)
}

/// Asked of the catalog: naming the table would fail for a role that may not use the schema.
async fn is_made(client: &impl GenericClient) -> Result<bool, Failure> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'rbk' AND c.relname = 'markers')",
            &[],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Whether the change was committed. Waits for one that is still under way, no longer than for any lock.
pub(crate) async fn is_there(client: &mut Client, marker: &Marker) -> Result<bool, Failure> {
    if !is_made(client).await? {
        return Ok(false);
    }
    may_write(client).await?;
    let transaction = client.transaction().await?;
    hold(&transaction, marker).await?;
    written(&transaction, marker).await
}

/// The parts of an action that were committed, whatever part this marker is of.
pub(crate) async fn parts(client: &Client, marker: &Marker) -> Result<BTreeSet<String>, Failure> {
    if !is_made(client).await? {
        return Ok(BTreeSet::new());
    }
    let rows = client
        .query(
            "SELECT part FROM rbk.markers WHERE run = $1 AND action = $2",
            &[&marker.run.as_str(), &marker.action.as_str()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?)
}

/// Whether a transaction has to make its change, or finds it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The marker is written; what is done now is committed with it or not at all.
    Ours,
    /// The change was committed before.
    Made,
}

/// Writes the marker, first thing in the change's transaction. Refuses where a later epoch of the run was here.
pub(crate) async fn write(transaction: &Transaction<'_>, marker: &Marker) -> Result<Turn, Failure> {
    hold(transaction, marker).await?;
    if written(transaction, marker).await? {
        return Ok(Turn::Made);
    }
    let epoch = i64::try_from(marker.epoch).unwrap_or(i64::MAX);
    let later: Option<i64> = transaction
        .query_one(
            "SELECT max(epoch) FROM rbk.markers WHERE run = $1 AND epoch > $2",
            &[&marker.run.as_str(), &epoch],
        )
        .await?
        .try_get(0)?;
    if let Some(later) = later {
        return Err(Failure::Refused(
            PortErrorKind::Conflict,
            format!(
                "the run was taken over: it has changed this database in its epoch {later}, and this process is of epoch \
                 {epoch}; look at `rbk status` for who goes on with it"
            ),
        ));
    }
    transaction
        .execute(
            "INSERT INTO rbk.markers (run, action, part, epoch) VALUES ($1, $2, $3, $4)",
            &[
                &marker.run.as_str(),
                &marker.action.as_str(),
                &marker.part.as_deref().unwrap_or_default(),
                &epoch,
            ],
        )
        .await?;
    Ok(Turn::Ours)
}

async fn written(client: &impl GenericClient, marker: &Marker) -> Result<bool, Failure> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM rbk.markers WHERE run = $1 AND action = $2 AND part = $3)",
            &[
                &marker.run.as_str(),
                &marker.action.as_str(),
                &marker.part.as_deref().unwrap_or_default(),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// How long another session's work is waited for where `lock_timeout` says nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until no other session is at work on the same change, and keeps others out until the transaction ends. Tried
/// again and again instead of waited for, so that the transaction is still good for asking who it is.
async fn hold(transaction: &Transaction<'_>, marker: &Marker) -> Result<(), Failure> {
    let name = format!(
        "rbk\u{1f}{}\u{1f}{}\u{1f}{}",
        marker.run,
        marker.action,
        marker.part.as_deref().unwrap_or_default()
    );
    let begun = Instant::now();
    loop {
        let row = transaction
            .query_one(
                "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)), \
                   (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout')",
                &[&name],
            )
            .await?;
        if row.try_get(0)? {
            return Ok(());
        }
        let patience = match row.try_get::<_, i64>(1)?.unsigned_abs() {
            0 => PATIENCE,
            milliseconds => Duration::from_millis(milliseconds),
        };
        if begun.elapsed() >= patience {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let who = holders::of_advisory_lock(transaction, &name).await?;
    Err(Failure::Refused(
        PortErrorKind::InvalidState,
        format!(
            "an earlier session of this run is still at work on the same change, and whether it is made is known once that \
             session has ended: {who}"
        ),
    ))
}
