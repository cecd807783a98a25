//! Finding the row that a cast fails on.
//!
//! Postgres doesn't say which it was. The cast is tried on ranges of the table, halved until one row is left, each try
//! behind a savepoint. All tries together read about twice what the failed change had read.

use super::explain::limit;
use crate::catalog::PINNED;
use crate::error::Failure;
use crate::session::{quoted, read_only};
use postgres_protocol::escape::escape_identifier;
use rbk_core::environment::TableName;
use rbk_core::plan::ColumnChange;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, GenericClient, Transaction};

/// How long it is looked for.
const LOOKING: Duration = Duration::from_secs(45);
/// More rows than a block of the largest size can hold.
const ROWS_OF_A_BLOCK: u64 = 8192;
/// How many characters of a key's value are told.
const SHOWN: i32 = 40;

/// A row by its key and its place.
pub(super) struct Row {
    table: TableName,
    /// `id = 17`; empty: the table has no primary key.
    key: String,
    /// `(0,3)`
    place: String,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.is_empty() {
            true => write!(
                f,
                "the row at ctid {} of `{}`, which has no primary key",
                self.place, self.table
            ),
            false => write!(
                f,
                "the row {} (ctid {} of `{}`)",
                self.key, self.place, self.table
            ),
        }
    }
}

impl Row {
    /// Reads the key of the row at a place; `None`: it is gone.
    pub(super) async fn read(
        transaction: &Transaction<'_>,
        table: TableName,
        place: String,
        keys: &[String],
    ) -> Result<Option<Self>, Failure> {
        let columns: Vec<String> = keys
            .iter()
            .map(|key| format!("left({}::text, {SHOWN})", escape_identifier(key)))
            .collect();
        let sql = format!(
            "SELECT ARRAY[{}]::text[] FROM ONLY {} WHERE ctid = $1::text::tid",
            columns.join(", "),
            quoted(&table)
        );
        let Some(row) = transaction.query_opt(&sql, &[&place]).await? else {
            return Ok(None);
        };
        let values: Vec<Option<String>> = row.try_get(0)?;
        let key: Vec<String> = keys
            .iter()
            .zip(values)
            .map(|(key, value)| format!("{key} = {}", value.unwrap_or_default()))
            .collect();
        Ok(Some(Self {
            table,
            key: key.join(", "),
            place,
        }))
    }
}

/// The columns of a table's primary key, in its order.
pub(super) async fn key_columns(
    client: &impl GenericClient,
    table: &TableName,
) -> Result<Vec<String>, Failure> {
    let rows = client
        .query(
            "SELECT a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, position) \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number \
             WHERE n.nspname = $1 AND c.relname = $2 AND i.indisprimary AND u.position <= i.indnkeyatts \
             ORDER BY u.position",
            &[&table.schema, &table.table],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?)
}

/// The first row whose value can't become one of the new type; `None`: there is none any more, or it isn't found in time.
pub(super) async fn unfit(
    client: &mut Client,
    change: &ColumnChange,
    settings: &BTreeMap<String, String>,
) -> Result<Option<Row>, Failure> {
    let until = Instant::now() + LOOKING;
    let mut transaction = read_only(client).await?;
    transaction.batch_execute(PINNED).await?;
    if let Some(path) = settings.get("search_path") {
        transaction
            .execute("SELECT set_config('search_path', $1, true)", &[path])
            .await?;
    }
    let value = match &change.using {
        Some(using) => format!("({using})"),
        None => format!(
            "{}::{}",
            escape_identifier(&change.column.column),
            change.to
        ),
    };
    for (table, blocks) in leaves(&transaction, &change.column.table).await? {
        let search = Search {
            from: format!("FROM ONLY {}", quoted(&table)),
            value: &value,
            until,
        };
        let Some(place) = search.find(&mut transaction, blocks).await? else {
            continue;
        };
        let keys = key_columns(&transaction, &table).await?;
        return Row::read(&transaction, table, place, &keys).await;
    }
    Ok(None)
}

/// The tables whose rows are a table's, each with its number of blocks.
async fn leaves(
    client: &impl GenericClient,
    table: &TableName,
) -> Result<Vec<(TableName, u64)>, Failure> {
    let rows = client
        .query(
            "WITH RECURSIVE parts(oid) AS ( \
               SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2 \
               UNION SELECT i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid) \
             SELECT n.nspname::text, c.relname::text, \
               pg_relation_size(c.oid) / current_setting('block_size')::bigint \
             FROM parts p JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' ORDER BY 1, 2",
            &[&table.schema, &table.table],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let name = TableName {
                schema: row.try_get(0)?,
                table: row.try_get(1)?,
            };
            let blocks: i64 = row.try_get(2)?;
            Ok((name, blocks.unsigned_abs()))
        })
        .collect()
}

struct Search<'a> {
    from: String,
    value: &'a str,
    until: Instant,
}

impl Search<'_> {
    /// The place of the first row that fails.
    async fn find(
        &self,
        transaction: &mut Transaction<'_>,
        blocks: u64,
    ) -> Result<Option<String>, Failure> {
        let block = |number: u64| format!("({number},0)");
        let Some(found) = self.halve(transaction, 0..blocks, block).await? else {
            return Ok(None);
        };
        let row = |number: u64| format!("({found},{number})");
        let row = self.halve(transaction, 1..ROWS_OF_A_BLOCK, row).await?;
        Ok(row.map(|row| format!("({found},{row})")))
    }

    /// The first number of a range at which the cast fails.
    async fn halve(
        &self,
        transaction: &mut Transaction<'_>,
        range: std::ops::Range<u64>,
        place: impl Fn(u64) -> String,
    ) -> Result<Option<u64>, Failure> {
        let (mut from, mut to) = (range.start, range.end);
        if !self.fails(transaction, &place(from), &place(to)).await? {
            return Ok(None);
        }
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            if self
                .fails(transaction, &place(from), &place(middle))
                .await?
            {
                to = middle;
            } else {
                from = middle;
            }
        }
        Ok(Some(from))
    }

    /// Whether the cast fails on a row from one place up to another.
    async fn fails(
        &self,
        transaction: &mut Transaction<'_>,
        from: &str,
        to: &str,
    ) -> Result<bool, Failure> {
        let left = self.until.saturating_duration_since(Instant::now());
        let savepoint = transaction.savepoint("attempt").await?;
        savepoint.batch_execute(&limit(left)).await?;
        let sql = format!(
            "SELECT count({}) {} WHERE ctid >= '{from}'::tid AND ctid < '{to}'::tid",
            self.value, self.from
        );
        let tried = savepoint.query_one(&sql, &[]).await.map_err(Failure::from);
        savepoint.rollback().await?;
        match tried {
            Ok(_) => Ok(false),
            Err(failure) => match failure.code() {
                Some(code) if code.starts_with("22") || code == "23514" => Ok(true),
                _ => Err(failure),
            },
        }
    }
}
