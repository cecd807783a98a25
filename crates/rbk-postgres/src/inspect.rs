//! Whole databases as lists of tables and digests, so that two of them can be compared.
//!
//! Works on any client: rbk's own sessions as well as a superuser's over a Unix socket.

use crate::error::{Doing, Effect, Failure};
use crate::session::quoted;
use postgres_protocol::escape::escape_identifier;
use rbk_core::environment::TableName;
use rbk_core::ports::PortError;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Transaction};

/// A table's rows in short. Equal digests: equal rows, in whatever order, each as often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// The table.
    pub name: TableName,
    /// How many rows.
    pub rows: u64,
    /// Two sums of 64-bit hashes of each row's text, with different seeds. A sum, unlike an XOR, tells a row that is
    /// there twice from one that isn't there.
    pub checksum: String,
}

/// Lists the tables that hold rows themselves: ordinary ones and the leaves of partitioned ones, of all schemas but the
/// system's and rbk's own, by name.
pub async fn tables(client: &impl GenericClient) -> Result<Vec<TableName>, PortError> {
    list(client)
        .await
        .map_err(|failure| failure.while_doing(&doing("listing tables")))
}

/// Digests every table of the database, all as of one instant, by name.
///
/// Rows are compared as text, with their columns by name, so that neither the order of rows nor that of columns matters,
/// and `vector` equals the `text` that it was copied from. Both sides must have the same encoding and byte order.
pub async fn digest_tables(client: &mut Client) -> Result<Vec<TableDigest>, PortError> {
    digest_all(client)
        .await
        .map_err(|failure| failure.while_doing(&doing("digesting tables")))
}

fn doing(what: &str) -> Doing {
    Doing {
        what: what.to_owned(),
        effect: Effect::Reads,
    }
}

async fn list(client: &impl GenericClient) -> Result<Vec<TableName>, Failure> {
    let rows = client
        .query(
            "SELECT n.nspname::text, c.relname::text \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname <> 'rbk' \
               AND n.nspname NOT LIKE 'pg\\_%' \
             ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(TableName {
                schema: row.try_get(0)?,
                table: row.try_get(1)?,
            })
        })
        .collect()
}

async fn digest_all(client: &mut Client) -> Result<Vec<TableDigest>, Failure> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    transaction.batch_execute(PINNED).await?;
    let mut digests = Vec::new();
    for table in list(&transaction).await? {
        digests.push(digest(&transaction, table).await?);
    }
    transaction.rollback().await?;
    Ok(digests)
}

/// All that the text of a value depends on, and policies that would hide rows.
const PINNED: &str = "\
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL row_security = off; \
    SET LOCAL extra_float_digits = 3; \
    SET LOCAL \"DateStyle\" = 'ISO, YMD'; \
    SET LOCAL \"TimeZone\" = 'UTC'; \
    SET LOCAL \"IntervalStyle\" = 'postgres'; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL lc_monetary = 'C'; \
    SET LOCAL quote_all_identifiers = off";

async fn digest(transaction: &Transaction<'_>, table: TableName) -> Result<TableDigest, Failure> {
    let name = quoted(&table);
    let columns: Vec<String> = transaction
        .query(
            "SELECT attname::text FROM pg_attribute \
             WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped \
             ORDER BY attname COLLATE \"C\"",
            &[&name],
        )
        .await?
        .iter()
        .map(|row| {
            let column: String = row.try_get(0)?;
            Ok(format!("t.{}", escape_identifier(&column)))
        })
        .collect::<Result<_, tokio_postgres::Error>>()?;
    // `ONLY`: what inherits from a table is listed by itself. `OFFSET 0`: the text is made once, not once a hash.
    let sql = format!(
        "SELECT count(*), \
           coalesce(sum(hashtextextended(line, 0)), 0)::text || '/' || \
           coalesce(sum(hashtextextended(line, 7046029254386353131)), 0)::text \
         FROM (SELECT ROW({})::text COLLATE \"C\" AS line FROM ONLY {name} AS t OFFSET 0) AS lines",
        columns.join(", ")
    );
    let row = transaction.query_one(&sql, &[]).await?;
    let rows: i64 = row.try_get(0)?;
    Ok(TableDigest {
        name: table,
        rows: rows.unsigned_abs(),
        checksum: row.try_get(1)?,
    })
}
