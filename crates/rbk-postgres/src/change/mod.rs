//! Changes of a schema: statements and their marker in one transaction, and an explanation where one fails.

mod explain;
mod obstacles;
mod rows;

use crate::catalog::{PINNED, definitions};
use crate::error::Failure;
use crate::marker::{self, Turn};
use rbk_core::environment::TableName;
use rbk_core::plan::{Change, ColumnChange, IndexFacts};
use rbk_core::ports::{ChangeRequest, Marker, PortErrorKind};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, GenericClient, Transaction};

/// How long an explanation may take at most, all its looks together.
pub(crate) const EXPLANATION: Duration = Duration::from_secs(60);

/// Runs the statements and commits them with the marker. An error of a statement has undone all of it; of a session that
/// was lost only the marker knows.
pub(crate) async fn change(
    client: &mut Client,
    request: &ChangeRequest<'_>,
    marker: &Marker,
) -> Result<(), Failure> {
    if request.statements.iter().any(|text| text.contains('\0')) {
        return Err(Failure::invalid("a statement holds a zero byte"));
    }
    let until = Instant::now() + request.deadline;
    marker::ensure(client).await?;
    // Lets the server notice within seconds that rbk is gone, and end a statement that nobody will commit. It isn't worth
    // failing for: not every platform can do it.
    let _ = client
        .batch_execute("SET client_connection_check_interval = '5s'")
        .await;
    let applied = apply(client, request, marker, until).await;
    if matches!(request.change, Change::Unchecked) && !client.is_closed() {
        // What the text has set must not reach what is done next. Where this fails, the session has ended.
        let _ = client
            .batch_execute("RESET SESSION AUTHORIZATION; RESET ALL")
            .await;
    }
    match applied {
        Ok(()) => Ok(()),
        Err(Stopped { failure, at }) => Err(explain::explain(client, request, failure, at).await),
    }
}

/// Why a change was not made, and at which of its statements it ended.
struct Stopped {
    failure: Failure,
    at: Option<usize>,
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(failure: E) -> Self {
        Stopped {
            failure: failure.into(),
            at: None,
        }
    }
}

async fn apply(
    client: &mut Client,
    request: &ChangeRequest<'_>,
    marker: &Marker,
    until: Instant,
) -> Result<(), Stopped> {
    let transaction = client.transaction().await?;
    prepare(&transaction, request).await?;
    match marker::write(&transaction, marker).await? {
        Turn::Ours => {}
        Turn::Made => {
            return Err(Failure::Refused(
                PortErrorKind::AlreadySo,
                "it was committed before: its marker is in rbk.markers".to_owned(),
            )
            .into());
        }
    }
    is_as_planned(&transaction, request.change).await?;
    let ours: String = transaction
        .query_one("SELECT pg_current_xact_id()::text", &[])
        .await?
        .try_get(0)?;
    for (at, statement) in request.statements.iter().enumerate() {
        run(&transaction, request, statement, until)
            .await
            .map_err(|failure| Stopped {
                failure,
                at: Some(at),
            })?;
    }
    let now: Option<String> = transaction
        .query_one("SELECT pg_current_xact_id_if_assigned()::text", &[])
        .await?
        .try_get(0)?;
    if now != Some(ours) {
        return Err(Failure::Unfinished(
            PortErrorKind::Protocol,
            "the transaction isn't the one that was begun: something in it has ended it".to_owned(),
        )
        .into());
    }
    Ok(transaction.commit().await?)
}

/// The transaction's settings: names as the catalog is read with, then the request's own.
async fn prepare(
    transaction: &Transaction<'_>,
    request: &ChangeRequest<'_>,
) -> Result<(), Failure> {
    transaction.batch_execute(PINNED).await?;
    let lock_timeout = milliseconds(request.lock_timeout);
    let settings = request
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("lock_timeout", lock_timeout.as_str())]);
    for (name, value) in settings {
        transaction
            .execute("SELECT set_config($1, $2, true)", &[&name, &value])
            .await
            .map_err(|error| explain::of_setting(error, name, value))?;
    }
    Ok(())
}

/// Never 0, which would be no limit at all.
fn milliseconds(duration: Duration) -> String {
    duration.as_millis().clamp(1, i32::MAX as u128).to_string()
}

/// One statement, within what is left of the time.
async fn run(
    transaction: &Transaction<'_>,
    request: &ChangeRequest<'_>,
    statement: &str,
    until: Instant,
) -> Result<(), Failure> {
    let left = milliseconds(until.saturating_duration_since(Instant::now()));
    transaction
        .execute("SELECT set_config('statement_timeout', $1, true)", &[&left])
        .await?;
    match request.change {
        Change::Unchecked => Ok(transaction.batch_execute(&fenced(statement)).await?),
        // The extended protocol takes a single statement only, so nothing in the text can end the transaction and go on.
        _ => {
            transaction.execute(statement, &[]).await?;
            Ok(())
        }
    }
}

/// A text of any number of statements, put so that Postgres itself refuses whatever would end the transaction
/// (`COMMIT`, `ROLLBACK`) or can't run in one, wherever in the text it stands.
fn fenced(text: &str) -> String {
    let inner = delimiter(text);
    let block = format!("BEGIN EXECUTE {inner}{text}{inner}; END");
    let outer = delimiter(&block);
    format!("DO {outer}{block}{outer}")
}

/// What begins and ends a literal that the text stands in as it is. The text holds not even its beginning, so that its
/// own end can't be taken for one.
fn delimiter(text: &str) -> String {
    (0_u64..)
        .map(|number| format!("$rbk{number}$"))
        .find(|delimiter| !text.contains(delimiter.trim_end_matches('$')))
        .unwrap_or_default()
}

/// Looks once more, inside of the transaction, whether what is dropped or altered is what was planned.
async fn is_as_planned(transaction: &Transaction<'_>, change: &Change) -> Result<(), Failure> {
    match change {
        Change::DropIndexes { indexes } => are_those(transaction, indexes).await,
        Change::AlterColumns { columns } => have_types(transaction, columns).await,
        Change::Analyze { tables } => may_analyze(transaction, tables).await,
        _ => Ok(()),
    }
}

async fn are_those(client: &impl GenericClient, indexes: &[IndexFacts]) -> Result<(), Failure> {
    let found = definitions(client, indexes).await?;
    for (planned, found) in indexes.iter().zip(found) {
        match found {
            Some(found) if found == planned.definition => {}
            Some(found) => {
                return Err(Failure::Refused(
                    PortErrorKind::Conflict,
                    format!(
                        "index `{}.{}` isn't the one that was planned: it is `{found}`, and `{}` was planned",
                        planned.table.schema, planned.name, planned.definition
                    ),
                ));
            }
            None => {
                return Err(Failure::Refused(
                    PortErrorKind::NotFound,
                    format!(
                        "there is no index `{}.{}`",
                        planned.table.schema, planned.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// A column that has its new type already is let through, since the statement changes nothing then; but not where its values
/// would be computed from those that were computed before.
async fn have_types(client: &impl GenericClient, columns: &[ColumnChange]) -> Result<(), Failure> {
    for change in columns {
        let name = &change.column;
        let found = client
            .query_opt(
                "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
                 JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped",
                &[&name.table.schema, &name.table.table, &name.column],
            )
            .await?;
        let Some(found) = found else {
            return Err(Failure::Refused(
                PortErrorKind::NotFound,
                format!("there is no column `{name}`"),
            ));
        };
        let found: String = found.try_get(0)?;
        let changes_nothing = found == change.to && change.using.is_none();
        if found != change.from && !changes_nothing {
            return Err(Failure::Refused(
                PortErrorKind::Conflict,
                format!(
                    "column `{name}` isn't as it was planned: it is of type `{found}`, and `{}` was expected",
                    change.from
                ),
            ));
        }
    }
    Ok(())
}

/// `ANALYZE` leaves out tables that it may not analyze, with a mere warning.
async fn may_analyze(client: &impl GenericClient, tables: &[TableName]) -> Result<(), Failure> {
    let schemas: Vec<&str> = tables.iter().map(|t| t.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|t| t.table.as_str()).collect();
    let barred = client
        .query_opt(
            "SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner)::text, current_user::text \
             FROM unnest($1::text[], $2::text[]) AS wanted(nsp, name) \
             JOIN pg_namespace n ON n.nspname = wanted.nsp \
             JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name \
             WHERE NOT pg_has_role(c.relowner, 'USAGE') \
               AND NOT pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') \
               AND NOT CASE WHEN current_setting('server_version_num')::int >= 170000 \
                            THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END \
             LIMIT 1",
            &[&schemas, &names],
        )
        .await?;
    let Some(row) = barred else {
        return Ok(());
    };
    let (table, owner, role): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Err(Failure::Refused(
        PortErrorKind::AccessDenied,
        format!(
            "rbk is `{role}` here, and ANALYZE would leave out `{table}`, which belongs to `{owner}`: `GRANT {owner} TO \
             {role}`, or name that role's login in `admin_secret`"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::fenced;

    #[test]
    fn a_text_stays_in_its_fence() {
        assert_eq!(
            fenced("SELECT 1"),
            "DO $rbk1$BEGIN EXECUTE $rbk0$SELECT 1$rbk0$; END$rbk1$"
        );
        assert_eq!(
            fenced("$rbk0$; COMMIT; --$rbk1"),
            "DO $rbk3$BEGIN EXECUTE $rbk2$$rbk0$; COMMIT; --$rbk1$rbk2$; END$rbk3$"
        );
    }
}
