//! Whole databases as lists of tables and digests, so that two of them can be compared.
//!
//! Works on any client: rbk's own sessions as well as a superuser's over a Unix socket.

use crate::error::{Doing, Effect, Failure};
use crate::session::{self, quoted};
use postgres_protocol::escape::escape_identifier;
use rbk_core::environment::TableName;
use rbk_core::ports::{PortError, PortErrorKind, TableDigest};
use std::collections::BTreeMap;
use tokio_postgres::{Client, GenericClient, SimpleQueryMessage, Transaction};

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
pub async fn digest_tables(
    client: &mut Client,
) -> Result<BTreeMap<TableName, TableDigest>, PortError> {
    digest_all(client, None)
        .await
        .map_err(|failure| failure.while_doing(&doing("digesting tables")))
}

/// The same without the rows of one table for which a condition holds. The table may be partitioned.
pub async fn digest_tables_without(
    client: &mut Client,
    table: &TableName,
    condition: &str,
) -> Result<BTreeMap<TableName, TableDigest>, PortError> {
    digest_all(client, Some((table, condition)))
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

async fn digest_all(
    client: &mut Client,
    without: Option<(&TableName, &str)>,
) -> Result<BTreeMap<TableName, TableDigest>, Failure> {
    let transaction = session::instant(client).await?;
    transaction.batch_execute(PINNED).await?;
    let mut digests = BTreeMap::new();
    let partitions = match without {
        Some((table, _)) => partitions(&transaction, table).await?,
        None => Vec::new(),
    };
    for table in list(&transaction).await? {
        let columns = columns(&transaction, &table).await?;
        let part = match without {
            Some((_, condition)) if partitions.contains(&table) => Part::Without(condition),
            _ => Part::All,
        };
        let sums = sums(&transaction, &table, &columns, part).await?;
        digests.insert(table, sums.digest());
    }
    transaction.rollback().await?;
    Ok(digests)
}

/// A table and what it is divided into; nothing where there is no such table.
async fn partitions(
    transaction: &Transaction<'_>,
    table: &TableName,
) -> Result<Vec<TableName>, tokio_postgres::Error> {
    let rows = transaction
        .query(
            "SELECT n.nspname::text, c.relname::text \
             FROM (SELECT to_regclass($1) AS root) AS r, \
               LATERAL (SELECT root AS relid UNION SELECT relid FROM pg_partition_tree(root)) AS p \
             JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace",
            &[&quoted(table)],
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

async fn columns(
    transaction: &Transaction<'_>,
    table: &TableName,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = transaction
        .query(
            "SELECT attname::text FROM pg_attribute \
             WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped \
             ORDER BY attname COLLATE \"C\"",
            &[&quoted(table)],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// All that the text of a value depends on, and policies that would hide rows.
pub(crate) const PINNED: &str = "\
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL row_security = off; \
    SET LOCAL extra_float_digits = 3; \
    SET LOCAL \"DateStyle\" = 'ISO, YMD'; \
    SET LOCAL \"TimeZone\" = 'UTC'; \
    SET LOCAL \"IntervalStyle\" = 'postgres'; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL lc_monetary = 'C'; \
    SET LOCAL xmloption = content; \
    SET LOCAL quote_all_identifiers = off";

/// Rows and two sums of hashes of them, of a table or of a part of one. Those of parts add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    rows: u64,
    hashes: [i128; 2],
}

impl Sums {
    pub fn add(&mut self, other: Sums) {
        self.rows += other.rows;
        // 2^64 rows would be needed to come near the end of an i128.
        for (sum, more) in self.hashes.iter_mut().zip(other.hashes) {
            *sum = sum.wrapping_add(more);
        }
    }

    pub fn digest(self) -> TableDigest {
        let [one, other] = self.hashes;
        TableDigest {
            rows: self.rows,
            checksum: format!("{one}/{other}"),
        }
    }
}

/// Blocks of a table: from one to before another, or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub from: u64,
    pub to: Option<u64>,
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    All,
    Blocks(Blocks),
    /// Those for which a condition doesn't hold.
    Without(&'a str),
}

impl From<Option<Blocks>> for Part<'_> {
    fn from(blocks: Option<Blocks>) -> Self {
        blocks.map_or(Part::All, Part::Blocks)
    }
}

/// Sums up a table's own rows, or a part of them.
pub(crate) async fn sums(
    client: &impl GenericClient,
    table: &TableName,
    columns: &[String],
    part: Part<'_>,
) -> Result<Sums, Failure> {
    // In one round trip, and the sums come as text, which `numeric` has no better form than.
    let answer = client.simple_query(&sum_up(table, columns, part)).await?;
    let sums = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(Sums {
            rows: row.try_get(0).ok()??.parse().ok()?,
            hashes: [
                row.try_get(1).ok()??.parse().ok()?,
                row.try_get(2).ok()??.parse().ok()?,
            ],
        }),
        _ => None,
    });
    sums.ok_or_else(|| {
        Failure::Refused(
            PortErrorKind::Protocol,
            "the sums aren't the numbers that were asked for".to_owned(),
        )
    })
}

/// The statement that gives the number of rows and the two sums.
pub(crate) fn sum_up(table: &TableName, columns: &[String], part: Part<'_>) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("t.{}", escape_identifier(column)))
        .collect();
    let part = match part {
        Part::All => String::new(),
        Part::Blocks(Blocks { from, to: None }) => format!(" WHERE t.ctid >= '({from},0)'"),
        Part::Blocks(Blocks { from, to: Some(to) }) => {
            format!(" WHERE t.ctid >= '({from},0)' AND t.ctid < '({to},0)'")
        }
        Part::Without(condition) => format!(" WHERE ({condition}) IS NOT TRUE"),
    };
    // `ONLY`: what inherits from a table is a table by itself. `OFFSET 0`: the text is made once, not once a hash.
    format!(
        "SELECT count(*), coalesce(sum(hashtextextended(line, 0)), 0), \
           coalesce(sum(hashtextextended(line, 7046029254386353131)), 0) \
         FROM (SELECT ROW({})::text COLLATE \"C\" AS line FROM ONLY {} AS t{part} OFFSET 0) AS lines",
        columns.join(", "),
        quoted(table),
    )
}
