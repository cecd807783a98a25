//! Liquibase's own tables, as its version 4.28 makes them: `databasechangeloglock` with one row, and
//! `databasechangelog` with a row for each change set that was applied.

use crate::error::Failure;
use crate::session::{quoted, read_only};
use rbk_core::environment::TableName;
use rbk_core::ports::{ChangeSets, MigrationLock, PortErrorKind};
use tokio_postgres::{Client, GenericClient};

/// The lock, where it is held.
pub(crate) async fn lock(
    client: &mut Client,
    schema: &str,
) -> Result<Option<MigrationLock>, Failure> {
    let transaction = read_only(client).await?;
    let Some(table) = find(&transaction, schema, "databasechangeloglock").await? else {
        return Ok(None);
    };
    held(&transaction, &table).await
}

/// Releases it, if it is still that one.
pub(crate) async fn release(
    client: &mut Client,
    schema: &str,
    lock: &MigrationLock,
) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    let Some(table) = find(&transaction, schema, "databasechangeloglock").await? else {
        return Err(Failure::Refused(
            PortErrorKind::NotFound,
            format!("schema `{schema}` has no table of Liquibase's lock"),
        ));
    };
    let sql = format!(
        "UPDATE {table} SET locked = false, lockgranted = NULL, lockedby = NULL \
         WHERE id = 1 AND locked AND coalesce(lockedby, '') = $1 AND lockgranted::text IS NOT DISTINCT FROM $2"
    );
    if transaction.execute(&sql, &[&lock.by, &lock.since]).await? == 1 {
        return Ok(transaction.commit().await?);
    }
    let now = match held(&transaction, &table).await? {
        None => "it is free by now".to_owned(),
        Some(MigrationLock { by, since }) => format!(
            "`{by}` holds it{}",
            since
                .map(|since| format!(" since {since}"))
                .unwrap_or_default()
        ),
    };
    Err(Failure::Refused(
        PortErrorKind::Conflict,
        format!("Liquibase's lock isn't `{}`'s any more: {now}", lock.by),
    ))
}

/// What was applied.
pub(crate) async fn change_sets(client: &mut Client, schema: &str) -> Result<ChangeSets, Failure> {
    let transaction = read_only(client).await?;
    let Some(table) = find(&transaction, schema, "databasechangelog").await? else {
        return Ok(ChangeSets::default());
    };
    let sql = format!(
        "SELECT count(*), (SELECT filename || '::' || id || '::' || author FROM {table} \
                           ORDER BY orderexecuted DESC, dateexecuted DESC LIMIT 1) FROM {table}"
    );
    let row = transaction.query_one(&sql, &[]).await?;
    let count: i64 = row.try_get(0)?;
    Ok(ChangeSets {
        count: count.unsigned_abs(),
        last: row.try_get(1)?,
    })
}

/// The table's quoted name, where it is there.
async fn find(
    client: &impl GenericClient,
    schema: &str,
    table: &str,
) -> Result<Option<String>, Failure> {
    let row = client
        .query_opt(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'",
            &[&schema, &table],
        )
        .await?;
    Ok(row.map(|_| {
        quoted(&TableName {
            schema: schema.to_owned(),
            table: table.to_owned(),
        })
    }))
}

async fn held(client: &impl GenericClient, table: &str) -> Result<Option<MigrationLock>, Failure> {
    let sql = format!(
        "SELECT coalesce(lockedby, ''), lockgranted::text FROM {table} WHERE id = 1 AND locked"
    );
    let row = client.query_opt(&sql, &[]).await?;
    row.map(|row| {
        Ok(MigrationLock {
            by: row.try_get(0)?,
            since: row.try_get(1)?,
        })
    })
    .transpose()
}
