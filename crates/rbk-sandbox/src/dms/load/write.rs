//! Writing rows: in bulk as long as all are good, one by one around those that aren't.

use std::ops::Range;

use futures_util::future::join_all;
use tokio_postgres::{Client, Statement, types::ToSql};

use super::{
    batch::Batch,
    plan::TablePlan,
    session::Trouble,
    settings::{LoadSettings, Policy},
    target::{Exception, keep_exceptions},
};

/// Below so many rows they are written one by one when a bulk failed.
const FEW: usize = 64;

/// How a table's load ended before its last row.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The session is gone.
    Lost(Trouble),
    /// The table can't be loaded; the policy for tables decides.
    Table(String),
    /// A policy for rows suspends the table.
    Suspended(String),
    /// A policy stops the task.
    Stopped(String),
}

impl Broken {
    /// What an error that isn't a row's own means.
    pub(crate) fn of(trouble: Trouble) -> Broken {
        if trouble.lost_connection() {
            Broken::Lost(trouble)
        } else {
            Broken::Table(trouble.to_string())
        }
    }
}

/// Writes one table's rows.
pub(crate) struct Writer<'a> {
    client: &'a Client,
    plan: &'a TablePlan,
    settings: &'a LoadSettings,
    task: &'a str,
    insert: Statement,
    update: Option<Statement>,
    update_columns: Vec<usize>,
    pub(crate) rows: u64,
    pub(crate) error_rows: u64,
    /// Lines for the task's log.
    pub(crate) log: Vec<String>,
}

/// What is wrong with a row.
struct BadRow {
    statement: &'static str,
    trouble: Trouble,
    /// The row is there, but without its LOBs.
    inserted: bool,
}

impl<'a> Writer<'a> {
    /// Prepares the statements; what PostgreSQL refuses to prepare can't be loaded.
    pub(crate) async fn prepare(
        client: &'a Client,
        plan: &'a TablePlan,
        settings: &'a LoadSettings,
        task: &'a str,
    ) -> Result<Writer<'a>, Broken> {
        let prepare = async |sql: String| {
            let prepared = client.prepare(&sql).await;
            prepared.map_err(|error| Broken::of(error.into()))
        };
        Ok(Writer {
            client,
            plan,
            settings,
            task,
            insert: prepare(plan.insert()).await?,
            update: match plan.has_lobs_after() {
                true => Some(prepare(plan.update()).await?),
                false => None,
            },
            update_columns: plan.update_columns(),
            rows: 0,
            error_rows: 0,
            log: Vec::new(),
        })
    }

    /// Writes a batch; its bad rows are dealt with by the policy.
    pub(crate) async fn write(&mut self, batch: &Batch) -> Result<(), Broken> {
        let mut left = Vec::from([(0, batch.rows)]);
        while let Some((first, end)) = left.pop() {
            let rows = first..end;
            if rows.is_empty() {
                continue;
            }
            let error = match self.bulk(batch, rows.clone()).await {
                Ok(()) => {
                    self.rows += rows.len() as u64;
                    continue;
                }
                Err(error) => error,
            };
            if !self.is_a_rows_own(&error) {
                return Err(Broken::of(error));
            }
            if rows.len() <= FEW {
                self.one_by_one(batch, rows).await?;
            } else {
                let middle = first + rows.len() / 2;
                left.push((middle, end));
                left.push((first, middle));
            }
        }
        Ok(())
    }

    /// All of the rows and their LOBs, or nothing.
    async fn bulk(&self, batch: &Batch, rows: Range<usize>) -> Result<(), Trouble> {
        let Some(update) = &self.update else {
            self.execute(&self.insert, batch.inserted(self.plan, rows))
                .await?;
            return Ok(());
        };
        self.client.batch_execute("BEGIN").await?;
        let written = async {
            self.execute(&self.insert, batch.inserted(self.plan, rows.clone()))
                .await?;
            let lobs = batch.updated(self.plan, &self.update_columns, rows);
            if lobs.first().is_some_and(|column| !column.is_empty()) {
                self.execute(update, lobs).await?;
            }
            Ok(())
        };
        let written = written.await;
        let end = if written.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.client.batch_execute(end).await?;
        written
    }

    async fn execute(
        &self,
        statement: &Statement,
        columns: Vec<Vec<Option<&str>>>,
    ) -> Result<u64, Trouble> {
        let parameters: Vec<&(dyn ToSql + Sync)> = columns
            .iter()
            .map(|column| column as &(dyn ToSql + Sync))
            .collect();
        Ok(self.client.execute(statement, &parameters).await?)
    }

    async fn one_by_one(&mut self, batch: &Batch, rows: Range<usize>) -> Result<(), Broken> {
        let goes_on = match self.settings.errors.data {
            Policy::IgnoreRecord | Policy::LogError => {
                self.settings.errors.data_escalation.after.is_none()
            }
            Policy::SuspendTable | Policy::StopTask => false,
        };
        if goes_on {
            let results = join_all(rows.map(|row| self.single(batch, row))).await;
            self.settle(results).await
        } else {
            // Nothing may follow the row that ends it.
            for row in rows {
                let result = self.single(batch, row).await;
                self.settle(vec![result]).await?;
            }
            Ok(())
        }
    }

    /// One row, then its LOBs, each for itself.
    async fn single(&self, batch: &Batch, row: usize) -> Result<(), BadRow> {
        let rows = row..row + 1;
        let bad = |statement, inserted| {
            move |trouble| BadRow {
                statement,
                trouble,
                inserted,
            }
        };
        self.execute(&self.insert, batch.inserted(self.plan, rows.clone()))
            .await
            .map_err(bad("INSERT", false))?;
        if let Some(update) = &self.update {
            let lobs = batch.updated(self.plan, &self.update_columns, rows);
            if lobs.first().is_some_and(|column| !column.is_empty()) {
                self.execute(update, lobs)
                    .await
                    .map_err(bad("UPDATE", true))?;
            }
        }
        Ok(())
    }

    /// Counts rows, and does with the bad ones what the policy says.
    async fn settle(&mut self, results: Vec<Result<(), BadRow>>) -> Result<(), Broken> {
        let mut exceptions = Vec::new();
        let mut broken = None;
        for result in results {
            let bad = match result {
                Ok(()) => {
                    self.rows += 1;
                    continue;
                }
                Err(bad) => bad,
            };
            if !self.is_a_rows_own(&bad.trouble) {
                broken = Some(Broken::of(bad.trouble));
                break;
            }
            self.rows += u64::from(bad.inserted);
            self.error_rows += 1;
            let error = bad.trouble.to_string();
            broken = self.judge(bad.statement, &error);
            exceptions.push(Exception {
                statement: bad.statement,
                error,
            });
            if broken.is_some() {
                break;
            }
        }
        let kept = keep_exceptions(
            self.client,
            self.settings,
            self.task,
            &self.plan.target,
            &exceptions,
        );
        kept.await.map_err(Broken::of)?;
        broken.map_or(Ok(()), Err)
    }

    fn judge(&mut self, statement: &str, error: &str) -> Option<Broken> {
        let errors = &self.settings.errors;
        let target = &self.plan.target;
        let line =
            format!("[TARGET_LOAD     ]W: {statement} of a row of table {target} failed: {error}");
        let escalated = errors
            .data_escalation
            .after
            .is_some_and(|after| self.error_rows >= after);
        let policy = match errors.data {
            Policy::IgnoreRecord => Policy::IgnoreRecord,
            Policy::LogError if escalated => errors.data_escalation.policy,
            other => other,
        };
        match policy {
            Policy::IgnoreRecord => None,
            Policy::LogError => {
                self.log.push(line);
                None
            }
            Policy::SuspendTable => Some(Broken::Suspended(format!(
                "{statement} of a row failed: {error}"
            ))),
            Policy::StopTask => Some(Broken::Stopped(format!(
                "{statement} of a row of table {target} failed: {error}"
            ))),
        }
    }

    /// Whether an error concerns the row, so that another one may be good.
    ///
    /// What the way itself causes would hit each row: foreign keys, because tables come in any
    /// order, and columns that can't be null, because LOBs follow their rows.
    fn is_a_rows_own(&self, trouble: &Trouble) -> bool {
        let Some(error) = trouble.db() else {
            return false;
        };
        match error.code().code() {
            "23503" => false,
            "23502" => !error.column().is_none_or(|name| self.plan.withholds(name)),
            code => ["22", "23", "P0"]
                .iter()
                .any(|class| code.starts_with(class)),
        }
    }
}
