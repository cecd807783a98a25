//! Reading one table's rows from the source and handing them to the writer, batch by batch.

use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, types::ToSql};

use super::{
    batch::{Batch, Truncation},
    plan::TablePlan,
    session::Trouble,
    settings::{LoadSettings, Policy},
    write::{Broken, Writer},
};

/// Moves all rows of a table; `seen` is told of each written batch, with the log's new lines.
pub(crate) async fn transfer(
    source: &Client,
    plan: &TablePlan,
    settings: &LoadSettings,
    writer: &mut Writer<'_>,
    mut seen: impl FnMut(&mut Writer<'_>),
) -> Result<(), Broken> {
    let parameters: [&(dyn ToSql + Sync); 0] = [];
    let rows = source
        .query_raw(&plan.select(), parameters)
        .await
        .map_err(|error| Broken::of(error.into()))?;
    let mut rows = pin!(rows);
    let mut batch = Batch::new(plan);
    loop {
        let row = rows.try_next().await;
        let row = row.map_err(|error| Broken::of(error.into()))?;
        let ended = row.is_none();
        if let Some(row) = row {
            let cut = batch.push(plan, &row).map_err(table)?;
            for truncation in cut {
                judge(plan, settings.errors.truncation, &truncation, writer)?;
            }
        }
        if ended || batch.is_full(settings.commit_rate) {
            let written = writer.write(&batch).await;
            seen(writer);
            written?;
            batch.clear();
        }
        if ended {
            return Ok(());
        }
    }
}

/// A value that can't be read as text is no lost connection.
fn table(trouble: Trouble) -> Broken {
    Broken::Table(trouble.to_string())
}

fn judge(
    plan: &TablePlan,
    policy: Policy,
    truncation: &Truncation,
    writer: &mut Writer<'_>,
) -> Result<(), Broken> {
    let name = plan
        .columns
        .get(truncation.column)
        .map_or("", |column| column.name.as_str());
    let words = format!(
        "a value of LOB column '{name}' of table {} was truncated to {} bytes",
        plan.source, truncation.longest
    );
    match policy {
        Policy::IgnoreRecord => Ok(()),
        Policy::LogError => {
            writer.log.push(format!("[SOURCE_UNLOAD   ]W: {words}"));
            Ok(())
        }
        Policy::SuspendTable => Err(Broken::Suspended(words)),
        Policy::StopTask => Err(Broken::Stopped(words)),
    }
}
