//! `[drill]`: what a drill puts into the sandbox, and what goes wrong there.

use super::applications::{self, Written as Application};
use super::databases::{Written as Database, table_name};
use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Disaster, Drill, DrillTraffic};
use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::Spanned;
use std::collections::BTreeMap;
use std::path::Path;

/// How many rows are written where neither the file nor `--rows` says.
pub(super) const DEFAULT_ROWS: u64 = 1_000;

/// The most rows that a drill writes.
pub(super) const MOST_ROWS: u64 = 100_000_000;

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
    databases: &BTreeMap<DatabaseName, Database>,
    applications: &BTreeMap<ApplicationName, Application>,
    base: &Path,
) -> Option<Drill> {
    let mut table = reader.table("drill", entry)?;
    let header = Header::from(&table);

    let database = reader.text(table.take("database"));
    let application = reader.text(table.take("application"));
    let extensions = reader.list(table.take("extensions"), &forms::EXTENSION);
    let schema = reader.full_list(table.take("schema"), &forms::PATH);
    let rows = reader.formed(table.take("rows"), &forms::PATH);
    let default_rows = reader.number(table.take("default_rows"), 1..=MOST_ROWS);
    let disaster = match table.take("disaster") {
        Some(entry) => read_disaster(reader, entry),
        None => {
            reader.missing(&header, "disaster", "disaster = \"lose_instance\"");
            Given::Bad
        }
    };
    for (key, absent, line) in [
        ("database", database.is_absent(), "database = \"original\""),
        (
            "schema",
            schema.is_absent(),
            "schema = [\"../drill/schema.sql\"]",
        ),
        ("rows", rows.is_absent(), "rows = \"../drill/rows.sql\""),
    ] {
        if absent {
            reader.missing(&header, key, line);
        }
    }
    let traffic = match table.take("traffic") {
        Some(entry) => read_traffic(reader, entry),
        None => None,
    };
    reader.finish(table);

    check_names(reader, &database, &application, databases, applications);
    Some(Drill {
        database: database.into_inner().map(DatabaseName::new)?,
        application: application.into_inner().map(ApplicationName::new),
        extensions: values(extensions.into_inner().unwrap_or_default()),
        schema: values(schema.into_inner()?)
            .into_iter()
            .map(|path| base.join(path))
            .collect(),
        rows: base.join(rows.into_inner()?),
        default_rows: default_rows.into_inner().unwrap_or(DEFAULT_ROWS),
        disaster: disaster.into_inner()?,
        traffic,
    })
}

/// `[drill.traffic]`: all of it or nothing.
fn read_traffic<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Option<DrillTraffic> {
    let mut section = reader.table("drill.traffic", Some(entry))?;
    let header = Header::from(&section);
    let table = reader.formed(section.take("table"), &forms::TABLE);
    let write = reader.formed(section.take("write"), &forms::NUMBERED_WRITE);
    let rows = reader.formed(section.take("rows"), &forms::SQL_EXPRESSION);
    let number = reader.formed(section.take("number"), &forms::SQL_EXPRESSION);
    for (key, given, line) in [
        ("table", &table, "table = \"public.events\""),
        (
            "write",
            &write,
            "write = \"INSERT INTO public.events (origin, number) VALUES ('drill', :number)\"",
        ),
        ("rows", &rows, "rows = \"origin = 'drill'\""),
        ("number", &number, "number = \"number\""),
    ] {
        if given.is_absent() {
            reader.missing(&header, key, line);
        }
    }
    reader.finish(section);
    Some(DrillTraffic {
        table: table_name(&table.into_inner()?)?,
        write: write.into_inner()?,
        rows: rows.into_inner()?,
        number: number.into_inner()?,
    })
}

/// `"lose_instance"`, or `{ drop_table = "…" }`, or `{ delete_rows = "…" }`.
fn read_disaster<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Given<Disaster> {
    if entry.is_text() {
        return reader
            .choice(Some(entry), &[("lose_instance", ())])
            .map(|()| Disaster::LoseInstance);
    }
    if !entry.is_table() {
        reader.wrong_type(&entry, "`\"lose_instance\"` or a table");
        return Given::Bad;
    }
    let Some(mut table) = reader.table("drill.disaster", Some(entry)) else {
        return Given::Bad;
    };
    let dropped = read_table(reader, &mut table, "drop_table");
    let emptied = read_table(reader, &mut table, "delete_rows");
    let disaster = match (dropped, emptied) {
        (Given::Value(_), Given::Value(second)) => {
            reader
                .errors
                .push(EnvironmentError::TwoDisasters { span: second.span });
            Given::Bad
        }
        (Given::Absent, Given::Absent) => {
            reader.missing(
                &Header::from(&table),
                "drop_table",
                "drop_table = \"public.documents\"",
            );
            Given::Bad
        }
        (Given::Bad, _) | (_, Given::Bad) => Given::Bad,
        (dropped, Given::Absent) => dropped,
        (Given::Absent, emptied) => emptied,
    };
    reader.finish(table);
    disaster
}

fn read_table<'t>(
    reader: &mut Reader<'t>,
    table: &mut Table<'t>,
    key: &'static str,
) -> Given<Disaster> {
    match reader.formed(table.take(key), &forms::TABLE) {
        Given::Value(Spanned { value, span }) => match table_name(&value) {
            Some(name) => Given::Value(Spanned {
                value: if key == "drop_table" {
                    Disaster::DropTable(name)
                } else {
                    Disaster::DeleteRows(name)
                },
                span,
            }),
            None => Given::Bad,
        },
        Given::Absent => Given::Absent,
        Given::Bad => Given::Bad,
    }
}

fn check_names(
    reader: &mut Reader<'_>,
    database: &Given<String>,
    application: &Given<String>,
    databases: &BTreeMap<DatabaseName, Database>,
    applications: &BTreeMap<ApplicationName, Application>,
) {
    if let Some(name) = database.value()
        && !reader.has_database(&name.value)
    {
        reader.errors.push(EnvironmentError::UnknownName {
            kind: "database",
            name: name.value.clone(),
            span: name.span,
            known: databases.keys().map(ToString::to_string).collect(),
        });
        return;
    }
    let Some(name) = application.value() else {
        return;
    };
    let Some(user) = applications.get(&ApplicationName::new(name.value.clone())) else {
        if !reader.has_application(&name.value) {
            reader.errors.push(EnvironmentError::UnknownName {
                kind: "application",
                name: name.value.clone(),
                span: name.span,
                known: applications.keys().map(ToString::to_string).collect(),
            });
        }
        return;
    };
    if let Some(database) = database.value()
        && let Given::Value(list) = &user.databases
        && !list.value.iter().any(|used| used.value == database.value)
    {
        reader.errors.push(EnvironmentError::DrillApart {
            application: name.value.clone(),
            span: name.span,
            database: database.value.clone(),
            list: applications::list_place(user),
        });
    }
}

fn values(items: Vec<Spanned<String>>) -> Vec<String> {
    items.into_iter().map(|item| item.value).collect()
}
