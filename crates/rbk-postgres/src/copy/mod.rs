//! Copies tables from one database to another with `COPY`.
//!
//! The source is read in one transaction, so that all tables of an attempt are of one instant. On the target each table
//! has a transaction of its own, and its marker in it: an attempt that breaks off leaves whole tables, and the next one
//! goes on with those that are left. Everything that can be found wrong without reading a row is found first, of all
//! tables (`fit`).
//!
//! Rows pass through as they come (`rows` finds where each ends). What waits for the slower side is a few buffers of
//! fixed size, or a single row where that is larger.

mod fit;
mod inlet;
mod rows;

use crate::connect::Connector;
use crate::error::Failure;
use crate::holders::{Locks, of_tables};
use crate::marker::{self, Turn};
use crate::relations::{begin_reading, find};
use crate::session::GRACE;
use crate::worker::{Words, Worker};
use fit::{Fit, fit};
use futures_util::StreamExt;
use inlet::Inlet;
use rbk_core::environment::TableName;
use rbk_core::plan::CopiedTable;
use rbk_core::ports::{CopyFacts, Login, Marker, PortError, PortErrorKind, Progress};
use rows::Rows;
use std::pin::pin;
use std::time::Duration;
use tokio_postgres::{Client, Transaction};

pub(crate) async fn copy(
    connector: &Connector,
    from: &Login,
    to: &Login,
    tables: &[CopiedTable],
    marker: &Marker,
    progress: &dyn Progress,
) -> Result<CopyFacts, PortError> {
    let limit = connector.limits().statement;
    let (source, mut target) = tokio::try_join!(connector.worker(from), connector.worker(to))?;
    let (client, words) = target.split();
    let work = async {
        marker::ensure(client).await?;
        marker::parts(client, marker).await
    };
    let copied = words
        .change("looking which tables were copied before", limit, work)
        .await?;
    let (left, done): (Vec<&CopiedTable>, Vec<&CopiedTable>) = tables
        .iter()
        .partition(|table| !copied.contains(&table.table.to_string()));

    let mut meter = Meter {
        progress,
        total: tables.iter().map(|table| table.bytes).sum(),
        before: done.iter().map(|table| table.bytes).sum(),
    };
    let mut facts = CopyFacts {
        tables: tables.len() as u64,
        ..CopyFacts::default()
    };
    if !left.is_empty() {
        let fits = look_first(&source, &target, &left, limit).await?;
        for (table, fit) in left.into_iter().zip(&fits) {
            let marker = Marker {
                part: Some(table.table.to_string()),
                ..marker.clone()
            };
            let job = Job {
                table,
                fit,
                marker: &marker,
                limit,
            };
            let poured = job.run(&source, &mut target, &meter).await?;
            facts.rows += poured.rows;
            facts.bytes += poured.bytes;
            meter.before += table.bytes;
        }
    }
    source.leave();
    target.leave();
    Ok(facts)
}

/// Begins to read, and finds out whether every table can be copied before the first one is.
async fn look_first(
    source: &Worker,
    target: &Worker,
    tables: &[&CopiedTable],
    limit: Duration,
) -> Result<Vec<Fit>, PortError> {
    let names: Vec<TableName> = tables.iter().map(|table| table.table.clone()).collect();
    let looking = format!("looking {} tables up", tables.len());
    let work = async {
        let found = begin_reading(source.client(), &names).await?;
        let casts = fit::casts(source.client(), tables).await?;
        Ok((found, casts))
    };
    let (here, casts) = source.words().read(&looking, limit, work).await?;
    let work = find(target.client(), &names);
    let there = target.words().read(&looking, limit, work).await?;

    let mut wrong = Vec::new();
    let mut fits = Vec::new();
    for ((table, here), there) in tables.iter().zip(&here).zip(&there) {
        match fit(table, here.as_ref(), there.as_ref(), &casts) {
            Ok(fit) => fits.push(fit),
            Err(reasons) => wrong.extend(reasons),
        }
    }
    let refuse = |wrong: Vec<String>, mend: &str| {
        Err(PortError::new(
            PortErrorKind::InvalidRequest,
            format!(
                "copying {} tables from `{}` to `{}`",
                tables.len(),
                place(source),
                place(target)
            ),
            format!("{}{mend}", listed(&wrong)),
        ))
    };
    if !wrong.is_empty() {
        return refuse(wrong, "; nothing was copied");
    }

    let work = async {
        may_silence_triggers(target.client()).await?;
        holding_rows(target.client(), tables, &fits).await
    };
    let full = target
        .words()
        .read("looking whether all tables are empty", limit, work)
        .await?;
    if !full.is_empty() {
        let full = full
            .iter()
            .map(|table| format!("`{table}` holds rows"))
            .collect();
        return refuse(
            full,
            " that this run did not copy, and copying would add to them; nothing was copied: empty or recreate what is to \
             be copied into",
        );
    }
    Ok(fits)
}

fn place(worker: &Worker) -> &str {
    worker.words().place().trim_start_matches("in ")
}

/// The first of them, and how many more there are.
fn listed(all: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    let mut text = shown.join("; ");
    if all.len() > SHOWN {
        text.push_str(&format!("; and {} more", all.len() - SHOWN));
    }
    text
}

/// Keeps triggers, and the foreign keys that are made of them, from firing until the transaction ends.
const SILENCE: &str = "SET LOCAL session_replication_role = replica";

/// Asked before anything is copied, and nothing is left of it.
async fn may_silence_triggers(client: &Client) -> Result<(), Failure> {
    let silenced = client
        .batch_execute(&format!("BEGIN; {SILENCE}; ROLLBACK"))
        .await;
    let Err(error) = silenced else {
        return Ok(());
    };
    let denied = error.code().is_some_and(|code| code.code() == "42501");
    if !error.is_closed() {
        client.batch_execute("ROLLBACK").await?;
    }
    Err(match denied {
        true => Failure::Refused(
            PortErrorKind::AccessDenied,
            "the role may not set `session_replication_role`, without which foreign keys would refuse rows whose table comes \
             later: copy as a role that may. On RDS the members of `rds_superuser` may; elsewhere superusers, and since \
             version 15 whoever was given `GRANT SET ON PARAMETER session_replication_role TO …`"
                .to_owned(),
        ),
        false => error.into(),
    })
}

async fn holding_rows<'a>(
    client: &Client,
    tables: &[&'a CopiedTable],
    fits: &[Fit],
) -> Result<Vec<&'a TableName>, Failure> {
    let asked: Vec<String> = fits.iter().map(Fit::holds_rows).collect();
    let sql = format!("SELECT ARRAY[{}]", asked.join(", "));
    let full: Vec<bool> = client.query_one(&sql, &[]).await?.try_get(0)?;
    let full = tables.iter().zip(full).filter(|(_, full)| *full);
    Ok(full.map(|(table, _)| &table.table).collect())
}

/// Tells how much has been copied.
struct Meter<'a> {
    progress: &'a dyn Progress,
    total: u64,
    /// The tables that are done.
    before: u64,
}

impl Meter<'_> {
    /// What has come of a table, which was of a certain size when it was looked at.
    fn tell(&self, table: &CopiedTable, poured: Poured) {
        let done = self.before + poured.bytes.min(table.bytes);
        let seen = format!("copying {}, {} rows", table.table, poured.rows);
        self.progress.tell(&seen, done, self.total);
    }
}

/// How much went from one side to the other.
#[derive(Debug, Clone, Copy, Default)]
struct Poured {
    rows: u64,
    bytes: u64,
}

/// One table.
struct Job<'a> {
    table: &'a CopiedTable,
    fit: &'a Fit,
    marker: &'a Marker,
    limit: Duration,
}

impl Job<'_> {
    async fn run(
        &self,
        source: &Worker,
        target: &mut Worker,
        meter: &Meter<'_>,
    ) -> Result<Poured, PortError> {
        let what = format!("copying `{}`", self.table.table);
        let (client, words) = target.split();
        let Some(transaction) = words.read(&what, self.limit, self.begin(client)).await? else {
            return Ok(Poured::default());
        };
        match self.pour(source, &transaction, words, meter).await {
            Ok(poured) => {
                let work = async { Ok(transaction.commit().await?) };
                let what = format!("committing the copy of `{}`", self.table.table);
                words.change(&what, self.limit, work).await?;
                Ok(poured)
            }
            Err(error) => {
                // So that its locks are gone before somebody tries again. Where it fails, the session ends.
                let _ = tokio::time::timeout(GRACE, transaction.rollback()).await;
                Err(error)
            }
        }
    }

    /// A transaction in which nobody else writes the table; `None` where the table was copied meanwhile.
    async fn begin<'c>(&self, client: &'c mut Client) -> Result<Option<Transaction<'c>>, Failure> {
        let transaction = client.transaction().await?;
        if marker::write(&transaction, self.marker).await? == Turn::Made {
            return Ok(None);
        }
        // A large table takes as long as it takes; that bytes keep coming is watched instead.
        let sql = format!(
            "{SILENCE}; SET LOCAL statement_timeout = 0; SAVEPOINT locking; \
             LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
            self.fit.target()
        );
        if let Err(error) = transaction.batch_execute(&sql).await {
            return Err(self.held(&transaction, error).await);
        }
        let sql = format!("SELECT {}", self.fit.holds_rows());
        let holds_rows: bool = transaction.query_one(&sql, &[]).await?.try_get(0)?;
        if holds_rows {
            return Err(Failure::invalid(
                "somebody has written to it since this copy began, and copying would add to what is there; nothing of this \
                 table was copied",
            ));
        }
        Ok(Some(transaction))
    }

    /// Why the lock wasn't given: who holds it.
    async fn held(&self, transaction: &Transaction<'_>, error: tokio_postgres::Error) -> Failure {
        let failure = Failure::from(error);
        if failure.code() != Some("55P03") {
            return failure;
        }
        let work = async {
            transaction
                .batch_execute("ROLLBACK TO SAVEPOINT locking")
                .await?;
            let tables = [self.table.table.clone()];
            of_tables(transaction, &Locks::ByWriters(&tables)).await
        };
        let holders = match work.await {
            Ok(Some(holders)) => holders,
            Ok(None) => "they are gone by now".to_owned(),
            Err(_) => return failure,
        };
        Failure::Explained {
            kind: PortErrorKind::InvalidState,
            message: format!(
                "others write it, or are about to, and nobody may while it is copied; nothing of this table was copied: \
                 {holders}"
            ),
            code: Some("55P03".to_owned()),
        }
    }

    /// Lets all rows through. What has arrived is what was sent, or it is an error.
    async fn pour(
        &self,
        source: &Worker,
        transaction: &Transaction<'_>,
        words: &Words,
        meter: &Meter<'_>,
    ) -> Result<Poured, PortError> {
        let from = source.words();
        let reading = format!("reading `{}`", self.table.table);
        let out = self.fit.copy_out(&self.table.columns);
        let work = async {
            let client = source.client();
            client
                .batch_execute("SET LOCAL statement_timeout = 0")
                .await?;
            Ok(client.copy_out(&out).await?)
        };
        let mut stream = pin!(from.read(&reading, self.limit, work).await?);
        let mut rows = Rows::new(self.fit.format);
        let mut inlet = Inlet::open(self, transaction, words).await?;
        let mut poured = Poured::default();
        loop {
            let next = async { Ok(stream.next().await.transpose()?) };
            let Some(bytes) = from.read(&reading, self.limit, next).await? else {
                break;
            };
            let broken = |what| async { Err(Failure::Refused(PortErrorKind::Protocol, what)) };
            let seen = match rows.read(&bytes) {
                Ok(seen) => seen,
                Err(what) => return from.read(&reading, self.limit, broken(what)).await,
            };
            poured.rows += seen.rows;
            poured.bytes += bytes.len() as u64;
            if inlet.push(bytes, seen).await? {
                meter.tell(self.table, poured);
            }
        }
        if let Err(what) = rows.finish() {
            let broken = async { Err(Failure::Refused(PortErrorKind::Protocol, what)) };
            return from.read(&reading, self.limit, broken).await;
        }
        let arrived = inlet.finish().await?;
        if arrived != poured.rows {
            let fewer = async {
                Err(Failure::Refused(
                    PortErrorKind::Statement,
                    format!(
                        "{} rows were sent and {arrived} arrived; nothing of this table was copied: is there a trigger that \
                         fires even for replicas (`ENABLE ALWAYS`) and leaves rows out?",
                        poured.rows
                    ),
                ))
            };
            let what = format!("copying `{}`", self.table.table);
            return words.read(&what, self.limit, fewer).await;
        }
        meter.tell(self.table, poured);
        Ok(poured)
    }
}
