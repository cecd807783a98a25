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
        // Otherwise a row that is there already, or that changes nothing, is passed over in silence.
        "FullLoadIgnoreConflicts": on_error != "stop",
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::{Lob, Settings, mappings, settings};
    use crate::catalog::Catalog;
    use crate::environment::TableName;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn table(schema: &str, table: &str) -> TableName {
        TableName { schema: schema.to_owned(), table: table.to_owned() }
    }

    fn source() -> Catalog {
        let table = || json!({ "owner": "o", "columns": [] });
        let part = json!({ "owner": "o", "columns": [], "partition": { "of": { "schema": "public", "table": "user_events" }, "bound": "DEFAULT" } });
        serde_json::from_value(json!({
            "server_version": "16.4",
            "schemas": {
                "public": { "owner": "o", "tables": {
                    "items": table(), "user_events": { "owner": "o", "columns": [], "partitioned": "HASH (id)" }, "user_events_1": part, "100%_[x]": table()
                } },
                "parts": { "owner": "o", "tables": { "user_events_2": part } },
            }
        }))
        .unwrap()
    }

    /// `+public.items`
    fn rules(mappings: &Value) -> Vec<String> {
        let rules = mappings["rules"].as_array().unwrap();
        for (rule, number) in rules.iter().zip(1..) {
            assert_eq!(rule["rule-id"], json!(format!("{number}")));
            assert_eq!(rule["rule-name"], rule["rule-id"]);
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let sign = |rule: &Value| if rule["rule-action"] == json!("include") { "+" } else { "-" };
        rules.iter().map(|rule| format!("{}{}.{}", sign(rule), text(&rule["object-locator"]["schema-name"]), text(&rule["object-locator"]["table-name"]))).collect()
    }

    #[test]
    fn a_pattern_takes_no_table_that_is_not_expected_and_misses_none_that_is() {
        let expected = [table("parts", "user_events_2"), table("public", "items"), table("public", "user_events_1")];
        let own = [table("public", "databasechangelog"), table("tool", "databasechangeloglock")];
        let patterns = BTreeSet::from(["public".to_owned()]);
        assert_eq!(
            rules(&mappings(&expected, &patterns, &source(), &own)),
            ["+public.%", "+parts.user[_]events[_]2", "-public.100[%][_][[]x]", "-public.databasechangelog", "-public.user[_]events"]
        );
    }

    #[test]
    fn tables_that_are_named_are_taken_by_their_names_alone() {
        let expected = [table("public", "items"), table("public", "user_events_1")];
        assert_eq!(rules(&mappings(&expected, &BTreeSet::new(), &source(), &[])), ["+public.items", "+public.user[_]events[_]1"]);
    }

    #[test]
    fn each_option_is_where_dms_looks_for_it() {
        let chosen = Settings { prepare: "truncate", lob: Lob::Limited { max: 32 }, logging: "off", on_error: "skip" };
        let document = settings(chosen);
        assert_eq!(document["FullLoadSettings"]["TargetTablePrepMode"], "TRUNCATE_BEFORE_LOAD");
        assert_eq!(document["TargetMetadata"]["LimitedSizeLobMode"], true);
        assert_eq!(document["TargetMetadata"]["LobMaxSize"], 32);
        assert_eq!(document["TargetMetadata"]["FullLobMode"], false);
        assert_eq!(document["Logging"], json!({ "EnableLogging": false }));
        assert_eq!(document["ErrorBehavior"]["DataErrorPolicy"], "LOG_ERROR");
        assert_eq!(document["ErrorBehavior"]["TableErrorPolicy"], "SUSPEND_TABLE");

        let chosen = Settings { prepare: "drop_and_create", lob: Lob::None, logging: "detailed_debug", on_error: "suspend_table" };
        let document = settings(chosen);
        assert_eq!(document["FullLoadSettings"]["TargetTablePrepMode"], "DROP_AND_CREATE");
        assert_eq!(document["TargetMetadata"]["SupportLobs"], false);
        assert_eq!(document["Logging"]["LogComponents"][0]["Severity"], "LOGGER_SEVERITY_DETAILED_DEBUG");
        assert_eq!(document["Logging"]["LogComponents"][14]["Severity"], "LOGGER_SEVERITY_DEFAULT");
        assert_eq!(document["ErrorBehavior"]["DataErrorPolicy"], "SUSPEND_TABLE");

        let chosen = Settings { prepare: "nothing", lob: Lob::Full { chunk: 64 }, logging: "debug", on_error: "stop" };
        let document = settings(chosen);
        assert_eq!(document["FullLoadSettings"]["TargetTablePrepMode"], "DO_NOTHING");
        assert_eq!(document["TargetMetadata"]["FullLobMode"], true);
        assert_eq!(document["TargetMetadata"]["LobChunkSize"], 64);
        assert_eq!(document["ControlTablesSettings"]["ControlSchema"], "rbk");
        for policy in ["DataErrorPolicy", "DataTruncationErrorPolicy", "TableErrorPolicy"] {
            assert_eq!(document["ErrorBehavior"][policy], "STOP_TASK");
        }
        assert_eq!(document["ErrorBehavior"]["RecoverableErrorCount"], 3);
    }
}
