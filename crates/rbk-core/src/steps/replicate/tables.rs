//! The tables that the options of a replication name, as the lock file of its source knows them.

use crate::catalog::Catalog;
use crate::check::{Checker, SchemaError};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use rbk_syntax::ast;
use std::collections::BTreeSet;

/// What `tables` or `except` names.
#[derive(Debug, Clone, Default)]
pub(super) struct Picked {
    /// Tables, none of them a partition.
    pub(super) tables: BTreeSet<TableName>,
    /// The schemas of which all tables are named.
    pub(super) schemas: BTreeSet<String>,
}

impl Picked {
    /// All tables of all schemas, but `own`.
    pub(super) fn all(catalog: &Catalog, own: &[TableName]) -> Self {
        let tables: BTreeSet<TableName> = roots(catalog).into_iter().filter(|table| !own.contains(table)).collect();
        let schemas = tables.iter().map(|table| table.schema.clone()).collect();
        Self { tables, schemas }
    }
}

/// All tables but partitions.
fn roots(catalog: &Catalog) -> Vec<TableName> {
    let schemas = catalog.schemas.keys();
    schemas.flat_map(|schema| catalog.roots(schema)).map(|(table, _)| table).collect()
}

/// The tables that patterns name. `also` are known without the lock file, and named for nothing.
pub(super) fn picked(
    name: &str,
    value: &ast::EntryValue,
    database: &DatabaseName,
    also: &[TableName],
    checker: &mut Checker<'_>,
) -> Option<Picked> {
    let wrong = |span| SchemaError::OptionValue {
        span,
        name: name.to_owned(),
        wanted: "a table, all tables of a schema, or a list of both",
        example: "tables: [public.*, audit.entries]",
    };
    match value {
        ast::EntryValue::List { items, .. } => {
            let all: Vec<_> = items.iter().map(|item| picked(name, item, database, also, checker)).collect();
            let all: Option<Vec<_>> = all.into_iter().collect();
            let mut together = Picked::default();
            for picked in all? {
                together.tables.extend(picked.tables);
                together.schemas.extend(picked.schemas);
            }
            Some(together)
        }
        ast::EntryValue::Pattern { of, span } => {
            let Some(schema) = of.single() else {
                checker.report(wrong(*span));
                return None;
            };
            let catalog = checker.catalog(database, schema.span)?;
            if !catalog.schemas.contains_key(&schema.value) {
                let candidates = catalog.schemas.keys().cloned().collect();
                let error = SchemaError::UnknownSchema { span: schema.span, name: schema.value.clone(), database: database.clone(), candidates };
                checker.report(error);
                return None;
            }
            Some(Picked {
                tables: catalog.roots(&schema.value).map(|(table, _)| table).collect(),
                schemas: [schema.value.clone()].into(),
            })
        }
        ast::EntryValue::Expr(ast::Expr { kind: ast::ExprKind::Path(path), span }) => {
            let (schema, table) = match path.names.as_slice() {
                [table] => (None, table),
                [schema, table] => (Some(schema), table),
                _ => {
                    checker.report(wrong(*span));
                    return None;
                }
            };
            Some(Picked { tables: named(schema, table, database, also, checker)?, ..Picked::default() })
        }
        ast::EntryValue::Qualified { span, .. } => {
            checker.report(wrong(*span));
            None
        }
        ast::EntryValue::Expr(expr) => {
            checker.report(wrong(expr.span));
            None
        }
    }
}

/// The table of that name, or those of that name in whichever schema.
fn named(
    schema: Option<&ast::Name>,
    table: &ast::Name,
    database: &DatabaseName,
    also: &[TableName],
    checker: &mut Checker<'_>,
) -> Option<BTreeSet<TableName>> {
    let catalog = checker.catalog(database, table.span)?;
    let fits = |name: &TableName| name.table == table.value && schema.is_none_or(|schema| schema.value == name.schema);
    let all = catalog.schemas.iter().flat_map(|(schema, facts)| {
        facts.tables.keys().map(|table| TableName { schema: schema.clone(), table: table.clone() })
    });
    let all: Vec<TableName> = all.collect();
    let found: BTreeSet<TableName> = all.iter().chain(also).filter(|name| fits(name)).cloned().collect();
    if let Some(partition) = found.iter().find(|name| catalog.root_of(name) != **name) {
        let error = SchemaError::Partition { span: table.span, table: partition.clone(), root: catalog.root_of(partition) };
        checker.report(error);
        return None;
    }
    if !found.is_empty() {
        return Some(found);
    }
    let nearby = all.iter().filter(|name| schema.is_none_or(|schema| schema.value == name.schema));
    let candidates: Vec<String> = nearby.map(|name| name.table.clone()).collect();
    let error = match schema {
        Some(schema) if !catalog.schemas.contains_key(&schema.value) => SchemaError::UnknownSchema {
            span: schema.span,
            name: schema.value.clone(),
            database: database.clone(),
            candidates: catalog.schemas.keys().cloned().collect(),
        },
        Some(schema) => SchemaError::UnknownTable {
            span: table.span,
            name: table.value.clone(),
            schema: schema.value.clone(),
            database: database.clone(),
            candidates,
        },
        None => SchemaError::UnknownTableAnywhere { span: table.span, name: table.value.clone(), database: database.clone(), candidates },
    };
    checker.report(error);
    None
}

/// What the target lacks of a table that the source has.
pub(super) fn missing(table: &TableName, here: &Catalog, there: &Catalog) -> Option<String> {
    let Some(target) = there.table(table) else {
        return Some(format!("table `{table}`"));
    };
    let columns = here.table(table)?.columns.iter().filter(|column| column.generated.is_none());
    let mut missing = columns.filter(|column| target.column(&column.name).is_none());
    missing.next().map(|column| format!("column `{table}.{}`", column.name))
}

/// A number of bytes for people: `21.3 GB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut scaled = bytes as f64;
    let mut unit = 0;
    while scaled >= 1000.0 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && scaled < 100.0);
    format!("{scaled:.digits$} {}", units.get(unit).copied().unwrap_or_default())
}
