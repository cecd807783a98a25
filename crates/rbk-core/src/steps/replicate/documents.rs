//! The two documents that DMS is sent: which tables, and how. Both stand in the plan in full.
//!
//! Names and values of keys: AWS's "Task settings" and "Specifying table selection and transformations rules".

use super::options::Lob;
use crate::catalog::Catalog;
use crate::environment::TableName;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The schema that DMS keeps its control tables in. An empty one would mean `public`: there they would be drift.
pub(super) const CONTROL_SCHEMA: &str = "rbk";

/// The tables that DMS makes in it, whether it was asked to or not. Source: "Control table task settings".
pub(super) const CONTROL_TABLES: [&str; 7] = [
    "awsdms_apply_exceptions",
    "awsdms_full_load_exceptions",
    "awsdms_history",
    "awsdms_status",
    "awsdms_suspended_tables",
    "awsdms_txn_state",
    "awsdms_validation_failures_v1",
];

/// What isn't the same for every replication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) prepare: &'static str,
    pub(super) lob: Lob,
    pub(super) logging: &'static str,
    pub(super) on_error: &'static str,
}

/// What DMS logs about, and whether the chosen severity is for it: AWS advises to leave the others as they are.
const COMPONENTS: [(&str, bool); 19] = [
    ("SOURCE_UNLOAD", true),
    ("SOURCE_CAPTURE", true),
    ("TARGET_LOAD", true),
    ("TARGET_APPLY", true),
    ("TASK_MANAGER", true),
    ("TABLES_MANAGER", true),
    ("METADATA_MANAGER", true),
    ("TRANSFORMATION", true),
    ("SORTER", true),
    ("IO", true),
    ("PERFORMANCE", true),
    ("REST_SERVER", true),
    ("VALIDATOR_EXT", true),
    ("FILE_FACTORY", false),
    ("COMMON", false),
    ("ADDONS", false),
    ("DATA_STRUCTURE", false),
    ("COMMUNICATION", false),
    ("FILE_TRANSFER", false),
];

/// `ReplicationSettings`: what is set; DMS completes the rest.
pub(super) fn settings(chosen: Settings) -> Value {
    json!({
        "TargetMetadata": lob(chosen.lob),
        "FullLoadSettings": {
            "TargetTablePrepMode": match chosen.prepare {
                "truncate" => "TRUNCATE_BEFORE_LOAD",
                "drop_and_create" => "DROP_AND_CREATE",
                _ => "DO_NOTHING",
            },
            "CreatePkAfterFullLoad": false,
            "StopTaskCachedChangesApplied": false,
            "StopTaskCachedChangesNotApplied": false,
            "MaxFullLoadSubTasks": 8,
            "TransactionConsistencyTimeout": 600,
            "CommitRate": 10000,
        },
        "Logging": logging(chosen.logging),
        "ControlTablesSettings": {
            "ControlSchema": CONTROL_SCHEMA,
            "HistoryTimeslotInMinutes": 5,
            "HistoryTableEnabled": false,
            "SuspendedTablesTableEnabled": false,
            "StatusTableEnabled": false,
            // What is wrong with a row is found there, not only in a log.
            "FullLoadExceptionTableEnabled": true,
        },
        "ErrorBehavior": errors(chosen.on_error),
        // rbk counts and compares rows itself.
        "ValidationSettings": { "EnableValidation": false },
    })
}

fn lob(lob: Lob) -> Value {
    let (chunk, max) = match lob {
        Lob::Full { chunk } => (chunk, 0),
        Lob::Limited { max } => (0, max),
        Lob::None => (0, 0),
    };
    json!({
        "TargetSchema": "",
        "SupportLobs": lob != Lob::None,
        "FullLobMode": matches!(lob, Lob::Full { .. }),
        "LobChunkSize": chunk,
        "LimitedSizeLobMode": matches!(lob, Lob::Limited { .. }),
        "LobMaxSize": max,
        "InlineLobMaxSize": 0,
        "LoadMaxFileSize": 0,
        "ParallelLoadThreads": 0,
        "ParallelLoadBufferSize": 0,
        "BatchApplyEnabled": false,
        "TaskRecoveryTableEnabled": false,
    })
}

fn logging(level: &str) -> Value {
    if level == "off" {
        return json!({ "EnableLogging": false });
    }
    let severity = format!("LOGGER_SEVERITY_{}", level.to_ascii_uppercase());
    let component = |(id, is_chosen): (&str, bool)| {
        let severity = if is_chosen { severity.as_str() } else { "LOGGER_SEVERITY_DEFAULT" };
        json!({ "Id": id, "Severity": severity })
    };
    let components: Vec<Value> = COMPONENTS.into_iter().map(component).collect();
    json!({ "EnableLogging": true, "EnableLogContext": false, "LogComponents": components })
}

/// With DMS's own policies a replication ends well although a table was suspended, and a row that was refused is only logged.
/// `stop` ends it at the first of either.
fn errors(on_error: &str) -> Value {
    let (row, table, escalated) = match on_error {
        "skip" => ("LOG_ERROR", "SUSPEND_TABLE", "SUSPEND_TABLE"),
        "suspend_table" => ("SUSPEND_TABLE", "SUSPEND_TABLE", "SUSPEND_TABLE"),
        _ => ("STOP_TASK", "STOP_TASK", "STOP_TASK"),
    };
    json!({
        "DataErrorPolicy": row,
        "DataTruncationErrorPolicy": row,
        "DataErrorEscalationPolicy": escalated,
        "DataErrorEscalationCount": 0,
        "EventErrorPolicy": "IGNORE",
        "TableErrorPolicy": table,
        "TableErrorEscalationPolicy": "STOP_TASK",
        "TableErrorEscalationCount": 0,
        // DMS's default tries for ever.
        "RecoverableErrorCount": 3,
        "RecoverableErrorInterval": 5,
        "RecoverableErrorThrottling": true,
        "RecoverableErrorThrottlingMax": 1800,
        "RecoverableErrorStopRetryAfterThrottlingMax": true,
        "ApplyErrorDeletePolicy": if on_error == "stop" { "STOP_TASK" } else { "IGNORE_RECORD" },
        "ApplyErrorInsertPolicy": if on_error == "stop" { "STOP_TASK" } else { "LOG_ERROR" },
        "ApplyErrorUpdatePolicy": if on_error == "stop" { "STOP_TASK" } else { "LOG_ERROR" },
        "ApplyErrorEscalationPolicy": if on_error == "stop" { "STOP_TASK" } else { "LOG_ERROR" },
        "ApplyErrorEscalationCount": 0,
        "ApplyErrorFailOnTruncationDdl": false,
        "FullLoadIgnoreConflicts": true,
        "FailOnNoTablesCaptured": true,
        "FailOnTransactionConsistencyBreached": false,
    })
}

/// `TableMappings`: rules that select just these tables among all that the lock file and the migration tool know. Of `schemas`
/// all tables are included by a pattern, and what isn't meant of them is excluded by name.
pub(super) fn mappings(expected: &[TableName], schemas: &BTreeSet<String>, source: &Catalog, own: &[TableName]) -> Value {
    let expected: BTreeSet<&TableName> = expected.iter().collect();
    let known = source.schemas.iter().flat_map(|(schema, found)| {
        found.tables.keys().map(|table| TableName { schema: schema.clone(), table: table.clone() })
    });
    let known: BTreeSet<TableName> = known.chain(own.iter().cloned()).collect();
    let by_pattern = schemas.iter().map(|schema| (literal(schema), "%".to_owned(), "include"));
    let by_name = expected
        .iter()
        .filter(|table| !schemas.contains(&table.schema))
        .map(|table| (literal(&table.schema), literal(&table.table), "include"));
    let excluded = known
        .iter()
        .filter(|table| schemas.contains(&table.schema) && !expected.contains(table))
        .map(|table| (literal(&table.schema), literal(&table.table), "exclude"));
    let rules = by_pattern.chain(by_name).chain(excluded).zip(1_usize..).map(|((schema, table, action), number)| {
        json!({
            "rule-type": "selection",
            "rule-id": number.to_string(),
            "rule-name": number.to_string(),
            "object-locator": { "schema-name": schema, "table-name": table },
            "rule-action": action,
            "filters": [],
        })
    });
    json!({ "rules": rules.collect::<Vec<_>>() })
}

/// A name that stands for itself alone: `_` and `%` would stand for any character, `[` would begin a set.
fn literal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '_' | '%' | '[' => out.extend(['[', letter, ']']),
            _ => out.push(letter),
        }
    }
    out
}
