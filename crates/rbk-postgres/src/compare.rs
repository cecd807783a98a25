//! Compares tables of two databases by sums that each database computes of its own rows.
//!
//! Each side has a few sessions that share one snapshot, and so see one instant. What is to be read is cut into pieces of
//! about the same size, by tables and by ranges of blocks of large ones; the sessions of a side take one after the other.
//! Sums of pieces add up, so the sides may be cut, and partitioned, differently.

use crate::connect::Connector;
use crate::inspect::{Blocks, PINNED, Sums, sums};
use crate::relations::{Relation, begin_reading};
use crate::worker::Worker;
use futures_util::future::try_join_all;
use postgres_protocol::escape::escape_literal;
use rbk_core::environment::TableName;
use rbk_core::plan::TablePair;
use rbk_core::ports::{Login, PortError, PortErrorKind, Progress, TableFinding};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Sessions of a side at most. Each keeps a core of its server busy.
const SESSIONS: u64 = 4;

/// Bytes of a piece, about: a second's work or two.
const PIECE: u64 = 64 << 20;

/// Bytes below which a login takes longer than it saves; so it is with some dozens of small tables.
const WORTH_A_SESSION: u64 = 8 << 20;

/// One finding for each pair, in the order given.
pub(crate) async fn compare(
    connector: &Connector,
    left: &Login,
    right: &Login,
    tables: &[TablePair],
    progress: &dyn Progress,
) -> Result<Vec<TableFinding>, PortError> {
    let columns: Vec<&[String]> = tables.iter().map(|pair| pair.columns.as_slice()).collect();
    let names = |name: fn(&TablePair) -> &TableName| -> Vec<TableName> {
        tables.iter().map(|pair| name(pair).clone()).collect()
    };
    let (mut left, mut right) = tokio::try_join!(
        Side::begin(connector, left, names(|pair| &pair.left), &columns),
        Side::begin(connector, right, names(|pair| &pair.right), &columns),
    )?;
    if left.sample != right.sample {
        return Err(PortError::new(
            PortErrorKind::InvalidRequest,
            format!(
                "comparing {} tables {} with those {}",
                tables.len(),
                left.worker.words().place(),
                right.worker.words().place()
            ),
            format!(
                "the servers make different sums of the same text ({} and {}), so sums say nothing: do they differ in \
                 encoding or in byte order? Count rows, or compare dumps",
                left.sample, right.sample
            ),
        ));
    }
    let meter = Meter {
        progress,
        done: AtomicU64::new(0),
        total: left.bytes() + right.bytes(),
    };
    let (left, right) = tokio::try_join!(
        left.sum_up(connector, &columns, &meter),
        right.sum_up(connector, &columns, &meter),
    )?;
    let found = tables.iter().zip(left.into_iter().zip(right));
    Ok(found
        .map(|(pair, (left, right))| TableFinding {
            pair: pair.clone(),
            left: left.map(Sums::digest),
            right: right.map(Sums::digest),
        })
        .collect())
}

/// Tells how many bytes both sides have read.
struct Meter<'a> {
    progress: &'a dyn Progress,
    done: AtomicU64,
    total: u64,
}

impl Meter<'_> {
    fn read(&self, table: &TableName, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.progress
            .tell(&format!("comparing {table}"), done, self.total);
    }
}

/// One of the two databases.
struct Side<'a> {
    login: &'a Login,
    /// The session whose transaction has chosen the instant.
    worker: Worker,
    /// By which other sessions come to the same instant.
    snapshot: String,
    /// What the server makes of a text that is the same everywhere.
    sample: String,
    tables: Vec<TableName>,
    /// Of each table: its sums so far. `None`: it isn't there, or lacks a column.
    sums: Vec<Option<Sums>>,
    pieces: Vec<Piece>,
}

/// A part of a table, read by one statement.
struct Piece {
    /// Which of the tables.
    table: usize,
    /// What holds the rows.
    relation: TableName,
    blocks: Option<Blocks>,
    bytes: u64,
}

impl<'a> Side<'a> {
    async fn begin(
        connector: &Connector,
        login: &'a Login,
        tables: Vec<TableName>,
        columns: &[&[String]],
    ) -> Result<Self, PortError> {
        let worker = connector.worker(login).await?;
        let client = worker.client();
        let work = async {
            let found = begin_reading(client, &tables).await?;
            let row = client
                .query_one(
                    "SELECT pg_export_snapshot(), \
                       getdatabaseencoding() || ' ' || hashtextextended('as long as it has to be' COLLATE \"C\", 7046029254386353131)",
                    &[],
                )
                .await?;
            Ok((found, row.try_get(0)?, row.try_get(1)?))
        };
        let what = format!("looking {} tables up", tables.len());
        let limit = connector.limits().statement;
        let (found, snapshot, sample) = worker.words().read(&what, limit, work).await?;
        let there: Vec<Option<&Relation>> = found
            .iter()
            .zip(columns)
            .map(|(relation, columns)| {
                relation.as_ref().filter(|relation| {
                    let mut columns = columns.iter();
                    columns.all(|column| relation.columns.contains_key(column))
                })
            })
            .collect();
        Ok(Self {
            login,
            sums: there
                .iter()
                .map(|relation| relation.map(|_| Sums::default()))
                .collect(),
            pieces: pieces(&there),
            worker,
            snapshot,
            sample,
            tables,
        })
    }

    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// Reads all pieces, and gives the sums of each table.
    async fn sum_up(
        &mut self,
        connector: &Connector,
        columns: &[&[String]],
        meter: &Meter<'_>,
    ) -> Result<Vec<Option<Sums>>, PortError> {
        // The largest are begun first, lest one of them is left over for a single session in the end.
        self.pieces.sort_by_key(|piece| piece.bytes);
        let worth = 1 + self.bytes() / WORTH_A_SESSION + self.pieces.len() as u64 / 32;
        let sessions = worth.min(self.pieces.len() as u64).clamp(1, SESSIONS);
        let others = (1..sessions).map(|_| self.join(connector));
        let others: Vec<Worker> = try_join_all(others).await?.into_iter().flatten().collect();

        let limit = connector.limits().statement;
        let left = Mutex::new(std::mem::take(&mut self.pieces));
        let sums = Mutex::new(std::mem::take(&mut self.sums));
        let workers = std::iter::once(&self.worker)
            .chain(&others)
            .map(async |worker| {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(piece) = next else {
                        return Ok::<_, PortError>(());
                    };
                    let (Some(table), Some(columns)) =
                        (self.tables.get(piece.table), columns.get(piece.table))
                    else {
                        continue;
                    };
                    let read = read(worker, &piece, table, columns, limit).await?;
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(Some(sums)) = sums.get_mut(piece.table) {
                        sums.add(read);
                    }
                    drop(sums);
                    meter.read(table, piece.bytes);
                }
            });
        try_join_all(workers).await?;
        others.into_iter().for_each(Worker::leave);
        Ok(sums.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another session that sees the same instant; none where the server has no connection to spare.
    async fn join(&self, connector: &Connector) -> Result<Option<Worker>, PortError> {
        let worker = match connector.worker(self.login).await {
            Ok(worker) => worker,
            Err(error) if error.code.as_deref() == Some("53300") => return Ok(None),
            Err(error) => return Err(error),
        };
        let client = worker.client();
        let work = async {
            client
                .batch_execute(&format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT {}; {PINNED}",
                    escape_literal(&self.snapshot)
                ))
                .await?;
            Ok(())
        };
        let limit = connector.limits().statement;
        worker
            .words()
            .read("coming to the instant of another session", limit, work)
            .await?;
        Ok(Some(worker))
    }
}

/// Reads one piece. A piece that is larger than usual, since it can't be cut, gets more time.
async fn read(
    worker: &Worker,
    piece: &Piece,
    table: &TableName,
    columns: &[String],
    limit: Duration,
) -> Result<Sums, PortError> {
    let times = u32::try_from(1 + piece.bytes / PIECE / 2).unwrap_or(u32::MAX);
    let limit = limit.saturating_mul(times);
    let work = async {
        if times > 1 {
            let timeout = limit.as_millis().min(i32::MAX as u128);
            let sql = format!("SET LOCAL statement_timeout = {timeout}");
            worker.client().batch_execute(&sql).await?;
        }
        sums(
            worker.client(),
            &piece.relation,
            columns,
            piece.blocks.into(),
        )
        .await
    };
    worker
        .words()
        .read(&format!("comparing `{table}`"), limit, work)
        .await
        .map_err(|mut error| {
            if piece.relation != *table {
                error.message = format!("its partition `{}`: {}", piece.relation, error.message);
            }
            error
        })
}

/// Cuts tables into pieces.
fn pieces(tables: &[Option<&Relation>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (table, relation) in tables.iter().enumerate() {
        for leaf in relation.iter().flat_map(|relation| &relation.leaves) {
            let blocks = leaf.blocks.unwrap_or(0);
            // What is stored apart counts too: few blocks may lead to many bytes.
            let parts = leaf.bytes.div_ceil(PIECE).clamp(1, blocks.max(1));
            for part in 0..parts {
                pieces.push(Piece {
                    table,
                    relation: leaf.name.clone(),
                    // The last goes to the end, wherever that is by now.
                    blocks: (parts > 1).then(|| Blocks {
                        from: share(blocks, part, parts),
                        to: (part + 1 < parts).then(|| share(blocks, part + 1, parts)),
                    }),
                    bytes: share(leaf.bytes, part + 1, parts) - share(leaf.bytes, part, parts),
                });
            }
        }
    }
    pieces
}

/// Where a part begins.
fn share(whole: u64, part: u64, parts: u64) -> u64 {
    let begin = u128::from(whole) * u128::from(part) / u128::from(parts);
    u64::try_from(begin).unwrap_or(whole)
}
