//! `replicate DB to DB with copy { … }`: the rows of tables, in binary form, done when the statement is done.
//!
//! | option | type | default |
//! | --- | --- | --- |
//! | `tables` | `schema.*`, `schema.table`, or a list of them | all tables of the source but the migration tool's own |
//! | `except` | the same, or a table's name alone: in whichever schema it is | none |
//! | `within` | a duration between 1m and 7d: the deadline | `12h` |
//!
//! Partitions are copied through their parent; generated columns are computed by the target. Where an earlier statement
//! gave a column of the target another type, the source casts. Small tables come first: what is wrong with one shows soon.

use super::Meaning;
use crate::catalog::{Catalog, ColumnName};
use crate::check::{Checker, SchemaError};
use crate::environment::{Migrations, TableName};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, CopiedColumn, CopiedTable, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) struct Replicate {
    from: DatabaseName,
    to: DatabaseName,
    /// In the order that they are copied.
    tables: Vec<TableName>,
    /// Those that the runbook leaves out by name.
    excepted: Vec<TableName>,
    within: u64,
}

const STATEMENT: &str = "`replicate … with copy`";

/// How long a copy may take where the runbook doesn't say, in seconds.
const WITHIN: u64 = 12 * 60 * MINUTE;

/// The longest deadline, in seconds.
const LONGEST: u64 = 7 * 24 * 60 * MINUTE;

impl Replicate {
    pub(super) fn check(
        (from, to): (&ast::Path, &ast::Path),
        with: &ast::Name,
        options: &[ast::Entry],
        span: Span,
        checker: &mut Checker<'_>,
    ) -> Option<Self> {
        let (source, target) = (checker.database(from), checker.database(to));
        match with.value.as_str() {
            "copy" => {}
            "dms" => {
                checker.report(SchemaError::DmsNotYet { span: with.span });
                return None;
            }
            name => {
                checker.report(SchemaError::UnknownMethod { span: with.span, name: name.to_owned() });
                return None;
            }
        }
        let options = options_by_name(options, checker);
        let within = match options.get("within") {
            None => Some(WITHIN),
            Some(entry) => within(entry, checker),
        };
        let (source, target) = (source?, target?);
        let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
        // Nothing can be picked out of a catalog that isn't there; that was reported.
        checker.catalog(&source, from.span)?;
        checker.catalog(&target, to.span)?;
        let tables = match options.get("tables") {
            Some(entry) => picked(&entry.value, &source, &own, checker),
            None => Some(
                roots(checker.catalog(&source, from.span)?)
                    .into_iter()
                    .filter(|table| !own.contains(table))
                    .collect(),
            ),
        };
        let excepted = match options.get("except") {
            Some(entry) => picked(&entry.value, &source, &own, checker),
            None => Some(BTreeSet::new()),
        };
        let (tables, excepted, within) = (tables?, excepted?, within?);
        let tables: Vec<TableName> = tables.difference(&excepted).cloned().collect();
        if tables.is_empty() {
            checker.report(SchemaError::NothingToDo { span, why: "no table is left to copy".to_owned() });
        }
        // Named by the runbook: the state pass says what is wrong with them, and they have no columns to copy.
        if let Some(entry) = options.get("tables").filter(|_| own.iter().any(|own| tables.contains(own))) {
            let why = "the migration tool's own tables are never copied".to_owned();
            checker.report(SchemaError::NothingToDo { span: entry.value.span(), why });
        }
        let (here, there) = (checker.catalog(&source, from.span)?.clone(), checker.catalog(&target, to.span)?);
        let missing: Vec<String> = tables.iter().filter(|table| !own.contains(table)).filter_map(|table| missing(table, &here, there)).collect();
        let any_missing = !missing.is_empty();
        for what in missing {
            checker.report(SchemaError::MissingThere { span: to.span, what, database: target.clone() });
        }
        if any_missing {
            return None;
        }
        let mut tables = tables;
        tables.sort_by_key(|table| (here.table(table).map_or(0, |table| table.bytes), table.clone()));
        Some(Self { from: source, to: target, tables, excepted: excepted.into_iter().collect(), within })
    }
}

fn options_by_name<'a>(options: &'a [ast::Entry], checker: &mut Checker<'_>) -> BTreeMap<&'a str, &'a ast::Entry> {
    const NAMES: [&str; 3] = ["except", "tables", "within"];
    let mut found: BTreeMap<&str, &ast::Entry> = BTreeMap::new();
    for entry in options {
        let name = entry.name.value.as_str();
        if !NAMES.contains(&name) {
            checker.report(SchemaError::UnknownOption {
                span: entry.name.span,
                statement: STATEMENT.to_owned(),
                name: name.to_owned(),
                candidates: NAMES.iter().map(|&name| name.to_owned()).collect(),
            });
        } else {
            found.insert(name, entry);
        }
    }
    found
}

fn within(entry: &ast::Entry, checker: &mut Checker<'_>) -> Option<u64> {
    let wrong = SchemaError::OptionValue { span: entry.span, name: "within".to_owned(), wanted: "a duration between 1m and 7d", example: "within: 12h" };
    let ast::EntryValue::Expr(expr) = &entry.value else {
        checker.report(wrong);
        return None;
    };
    let seconds = checker.duration(expr)?;
    if !(MINUTE..=LONGEST).contains(&seconds) {
        checker.report(wrong);
        return None;
    }
    Some(seconds)
}

/// All tables but partitions.
fn roots(catalog: &Catalog) -> Vec<TableName> {
    let schemas = catalog.schemas.keys();
    schemas.flat_map(|schema| catalog.roots(schema)).map(|(table, _)| table).collect()
}

/// The tables that patterns name. `also` are known without the lock file, and named for nothing.
fn picked(value: &ast::EntryValue, database: &DatabaseName, also: &[TableName], checker: &mut Checker<'_>) -> Option<BTreeSet<TableName>> {
    let wrong = |span| SchemaError::OptionValue {
        span,
        name: "tables".to_owned(),
        wanted: "a table, all tables of a schema, or a list of both",
        example: "tables: [public.*, audit.entries]",
    };
    match value {
        ast::EntryValue::List { items, .. } => {
            let all: Vec<_> = items.iter().map(|item| picked(item, database, also, checker)).collect();
            let all: Option<Vec<_>> = all.into_iter().collect();
            Some(all?.into_iter().flatten().collect())
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
            Some(catalog.roots(&schema.value).map(|(table, _)| table).collect())
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
            named(schema, table, database, also, checker)
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
fn missing(table: &TableName, here: &Catalog, there: &Catalog) -> Option<String> {
    let Some(target) = there.table(table) else {
        return Some(format!("table `{table}`"));
    };
    let columns = here.table(table)?.columns.iter().filter(|column| column.generated.is_none());
    let mut missing = columns.filter(|column| target.column(&column.name).is_none());
    missing.next().map(|column| format!("column `{table}.{}`", column.name))
}

impl Meaning for Replicate {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.replicate(&self.from, &self.to, &self.tables, &self.excepted, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let (Some(here), Some(there)) = (lowering.catalog(&self.from), lowering.catalog(&self.to)) else {
            return;
        };
        if self.tables.is_empty() {
            return;
        }
        let schemas: BTreeSet<&str> = self.tables.iter().map(|table| table.schema.as_str()).collect();
        for database in [&self.from, &self.to] {
            lowering.relies_on_lock(database, schemas.iter().copied());
        }
        let type_of = |database: &DatabaseName, catalog: &Catalog, column: &ColumnName| {
            let altered = lowering.ledger.type_of(database, column).map(str::to_owned);
            altered.or_else(|| Some(catalog.column(column)?.ty.clone()))
        };
        let copied = |table: &TableName| {
            let (source, target) = (here.table(table)?, there.table(table)?);
            let columns = source.columns.iter().filter_map(|column| {
                let generated = target.column(&column.name)?.generated.is_some() || column.generated.is_some();
                if generated {
                    return None;
                }
                let name = ColumnName { table: table.clone(), column: column.name.clone() };
                let (from, to) = (type_of(&self.from, here, &name), type_of(&self.to, there, &name));
                Some(CopiedColumn { name: name.column, cast: to.filter(|to| from.as_ref() != Some(to)) })
            });
            Some(CopiedTable {
                table: table.clone(),
                only: here.is_inherited_from(table),
                columns: columns.collect(),
                bytes: source.bytes,
            })
        };
        let own = lowering.own_tables();
        let tables: Vec<CopiedTable> = self.tables.iter().filter(|table| !own.contains(table)).filter_map(copied).collect();
        if tables.is_empty() {
            return;
        }
        let bytes = tables.iter().map(|table| table.bytes).fold(0, u64::saturating_add);
        lowering.action(
            Risk::Changes,
            self.within,
            format!(
                "copy {} table{} from `{}` to `{}`, {} with indexes when the lock file was written",
                tables.len(),
                if tables.len() == 1 { "" } else { "s" },
                self.from,
                self.to,
                size(bytes)
            ),
            Action::Copy { replication: None, from: self.from.clone(), to: self.to.clone(), tables },
        );
    }
}

/// A number of bytes for people: `21.3 GB`.
fn size(bytes: u64) -> String {
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
