//! The parameters of actions on schema objects: every statement of SQL in full, every table, column, key and sequence.

use crate::render::colour::printable;
use rbk_core::environment::{Command, MigrationTool, Migrations};
use rbk_core::ids::DatabaseName;
use rbk_core::plan::{CatalogScope, Change, CopiedTable, ForeignKeyFacts, SequenceFacts};
use rbk_core::value::duration_text;
use std::collections::BTreeMap;

type Rows = Vec<(&'static str, String)>;

/// What preflight proves of a catalog.
pub(super) fn catalog_words(database: &DatabaseName, scope: &CatalogScope) -> String {
    match scope {
        CatalogScope::Whole => {
            format!("the schemas of {database} are as the lock file says, to the last index")
        }
        CatalogScope::Around { schemas } => {
            let schemas: Vec<String> = schemas
                .iter()
                .map(|schema| format!("{database}.{}", printable(schema)))
                .collect();
            format!(
                "nothing goes with {} that isn't put back as the lock file says (extensions, comment, grants, default \
                 privileges), and nothing outside depends on what is in there",
                schemas.join(" and ")
            )
        }
    }
}

/// A list under one name, a line each.
pub(super) fn rows(name: &'static str, items: impl IntoIterator<Item = String>) -> Rows {
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| (if index == 0 { name } else { "" }, item))
        .collect()
}

pub(super) fn change_parameters(
    database: &DatabaseName,
    change: &Change,
    statements: &[String],
    settings: &BTreeMap<String, String>,
    lock_timeout: u64,
) -> Rows {
    let mut parameters = vec![("database", database.to_string())];
    if *change == Change::Unchecked {
        parameters.push((
            "unchecked",
            "rbk doesn't know what this does, and believes nothing of it".to_owned(),
        ));
    }
    if let Change::DropIndexes { indexes } = change {
        let definitions = indexes.iter().map(|index| printable(&index.definition));
        parameters.extend(rows("must be", definitions));
    }
    parameters.extend(rows(
        "settings",
        settings
            .iter()
            .map(|(name, value)| format!("{} = {}", printable(name), printable(value))),
    ));
    parameters.push((
        "waits for locks",
        format!("{} at most for each statement", duration_text(lock_timeout)),
    ));
    // A runbook's own SQL may be of several lines.
    let lines = statements
        .iter()
        .flat_map(|statement| statement.trim_end().lines())
        .map(printable);
    parameters.extend(rows("in one transaction", lines));
    parameters
}

pub(super) fn migrate_parameters(database: &DatabaseName, migrations: &Migrations) -> Rows {
    let tool = match migrations.tool {
        MigrationTool::Liquibase => "liquibase",
    };
    let program = migrations
        .program
        .as_ref()
        .map_or_else(|| tool.to_owned(), |program| program.join(" "));
    let mut parameters = vec![
        ("database", database.to_string()),
        ("tool", tool.to_owned()),
        ("program", printable(&program)),
        (
            "changelog",
            printable(&migrations.changelog.display().to_string()),
        ),
        (
            "search path",
            printable(&migrations.search_path.display().to_string()),
        ),
    ];
    if !migrations.contexts.is_empty() {
        parameters.push(("contexts", printable(&migrations.contexts.join(", "))));
    }
    let own: Vec<String> = migrations
        .own_tables()
        .iter()
        .map(|table| printable(&table.to_string()))
        .collect();
    parameters.push(("its own tables", own.join(", ")));
    parameters.push((
        "credentials",
        "‹the current ones of administration, through its environment›".to_owned(),
    ));
    parameters
}

pub(super) fn sequence_parameters(
    from: &DatabaseName,
    to: &DatabaseName,
    sequences: &[SequenceFacts],
) -> Rows {
    let mut parameters = vec![
        ("reads", from.to_string()),
        ("moves those of", to.to_string()),
    ];
    let sequences = sequences.iter().map(|sequence| {
        let name = format!("{}.{}", sequence.schema, sequence.name);
        printable(&match &sequence.owner {
            Some(owner) => format!("{name}, past {owner}"),
            None => format!("{name}, of no column"),
        })
    });
    parameters.extend(rows("sequences", sequences));
    parameters
}

pub(super) fn key_parameters(database: &DatabaseName, keys: &[ForeignKeyFacts]) -> Rows {
    let mut parameters = vec![("database", database.to_string())];
    let keys = keys.iter().map(|key| {
        let full = if key.match_full { ", MATCH FULL" } else { "" };
        printable(&format!(
            "{}: {} ({}) in {} ({}){full}",
            key.name,
            key.table,
            key.columns.join(", "),
            key.references,
            key.referenced.join(", "),
        ))
    });
    parameters.extend(rows("keys", keys));
    parameters
}

pub(super) fn copy_parameters(
    from: &DatabaseName,
    to: &DatabaseName,
    tables: &[CopiedTable],
) -> Rows {
    let mut parameters = vec![
        ("from", from.to_string()),
        ("to", to.to_string()),
        (
            "how",
            "binary COPY, a transaction a table, under the replica role: foreign keys and triggers don't fire".to_owned(),
        ),
    ];
    let tables = tables.iter().map(|table| {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| match &column.cast {
                Some(ty) => format!("{}::{ty}", column.name),
                None => column.name.clone(),
            })
            .collect();
        let only = if table.only { "only " } else { "" };
        printable(&format!("{only}{} ({})", table.table, columns.join(", ")))
    });
    parameters.extend(rows("tables", tables));
    parameters
}

pub(super) fn command_parameters(command: &str, declared: &Command) -> Rows {
    let mut parameters = vec![
        ("command", printable(command)),
        ("program", printable(&declared.program.join(" "))),
    ];
    let secrets = declared.secrets.iter().map(|(variable, field)| {
        let secret = &field.secret;
        printable(&match &field.field {
            Some(key) => format!("{variable}: `{key}` of {secret}"),
            None => format!("{variable}: {secret}"),
        })
    });
    parameters.extend(rows("secrets", secrets));
    let again = if declared.repeatable {
        "yes: it may be run again when it was cut off"
    } else {
        "no: a person says what became of it when it was cut off"
    };
    parameters.push(("repeatable", again.to_owned()));
    parameters
}
