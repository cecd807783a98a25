//! Table statistics, and what DMS lets one do with single tables.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    errors::DmsError,
    load::{TableProgress, TableState},
    request::{Listing, Members, members, seconds},
    state::{Run, Status},
};
use crate::world::{Call, World};

/// How DMS writes a table's state.
fn word(state: TableState) -> &'static str {
    match state {
        TableState::DoesNotExist => "Table does not exist",
        TableState::BeforeLoad => "Before load",
        TableState::FullLoad => "Full load",
        TableState::Completed => "Table completed",
        TableState::Cancelled => "Table cancelled",
        TableState::Error => "Table error",
    }
}

/// The tables of a run: what the load wrote down, and what a fault suspended.
pub(super) fn tables(run: &Run) -> Vec<TableProgress> {
    let board = run.board.tables.lock();
    let mut tables = board
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    for (schema, table) in &run.suspended {
        // Before the metadata are there, nothing is shown.
        if !tables.is_empty() {
            tables.push(TableProgress {
                schema: schema.clone(),
                table: table.clone(),
                state: TableState::Error,
                rows: 0,
                error_rows: 0,
                started_at: None,
                ended_at: None,
            });
        }
    }
    tables
}

pub(super) fn describe(
    world: &World,
    call: &Call,
    mut body: Map<String, Value>,
) -> Result<Value, DmsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Named {
        replication_config_arn: String,
    }
    let mut named = Map::new();
    if let Some(arn) = body.remove("ReplicationConfigArn") {
        named.insert("ReplicationConfigArn".into(), arn);
    }
    let named: Named = members(named, &["ReplicationConfigArn"])?;
    let listing: Listing = members(body, &[])?;
    listing.check(&["schema-name", "table-name", "table-state"])?;
    world.view(call, |model| {
        let config = model.dms.config(&named.replication_config_arn)?;
        let Some(run) = &config.replication.run else {
            return Err(DmsError::InvalidState(format!(
                "Replication for Replication Config: {} is not provisioned: it has no table statistics.",
                config.id
            )));
        };
        let shown = tables(run)
            .iter()
            .filter(|table| {
                listing.admits(|name| match name {
                    "schema-name" => Some(&table.schema),
                    "table-name" => Some(&table.table),
                    _ => Some(word(table.state)),
                })
            })
            .map(render)
            .collect();
        let mut answer = listing.page("ReplicationTableStatistics", shown, 500)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("ReplicationConfigArn".into(), json!(config.arn));
        }
        Ok(answer)
    })
}

fn render(table: &TableProgress) -> Value {
    let mut shown = Members::new();
    shown
        .set("SchemaName", table.schema.as_str())
        .set("TableName", table.table.as_str());
    for counter in [
        "Inserts",
        "Deletes",
        "Updates",
        "Ddls",
        "AppliedInserts",
        "AppliedDeletes",
        "AppliedUpdates",
        "AppliedDdls",
        "FullLoadCondtnlChkFailedRows",
        // Counted for DynamoDB targets only, says the API's reference: a 0 proves nothing.
        "FullLoadErrorRows",
        "ValidationPendingRecords",
        "ValidationFailedRecords",
        "ValidationSuspendedRecords",
    ] {
        shown.set(counter, 0);
    }
    shown
        .set("FullLoadRows", table.rows)
        .set("FullLoadReloaded", false)
        .set("TableState", word(table.state))
        .set("ValidationState", "Not enabled")
        .time("FullLoadStartTime", table.started_at)
        .time("FullLoadEndTime", table.ended_at)
        .maybe(
            "LastUpdateTime",
            table.ended_at.or(table.started_at).map(seconds),
        );
    shown.done()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Reload {
    replication_config_arn: String,
    tables_to_reload: Vec<TableToReload>,
    reload_option: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TableToReload {
    #[serde(rename = "SchemaName")]
    _schema_name: String,
    #[serde(rename = "TableName")]
    _table_name: String,
}

/// Only while it runs, which is never useful for a full load alone. The sandbox doesn't reload while it runs either,
/// and says so.
pub(super) fn reload(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: Reload = members(body, &["ReplicationConfigArn", "TablesToReload"])?;
    if let Some(option) = &request.reload_option
        && !["data-reload", "validate-only"].contains(&option.as_str())
    {
        return Err(DmsError::InvalidValue(format!(
            "Invalid ReloadOption: {option}. Valid values: data-reload | validate-only"
        )));
    }
    if request.tables_to_reload.is_empty() {
        return Err(DmsError::InvalidValue(
            "TablesToReload must not be empty.".into(),
        ));
    }
    world.view(call, |model| {
        let config = model.dms.config(&request.replication_config_arn)?;
        let why = match config.replication.status {
            Status::Running => "the sandbox doesn't reload single tables",
            _ => "tables can be reloaded only in the RUNNING state",
        };
        Err(DmsError::InvalidState(format!(
            "Replication for Replication Config: {} is in {} state: {why}.",
            config.id,
            config.replication.status.as_str().to_ascii_uppercase()
        )))
    })
}
