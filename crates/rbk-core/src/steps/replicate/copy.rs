//! `replicate DB to DB with copy { … }`: the rows of tables, in binary form, done when the statement is done.
//!
//! | option besides those of both | type | default |
//! | --- | --- | --- |
//! | `within` | a duration between 1m and 7d: the deadline | `12h` |
//!
//! Partitions are copied through their parent; generated columns are computed by the target. Where an earlier statement
//! gave a column of the target another type, the source casts. Small tables come first: what is wrong with one shows soon.
//!
//! ```rbk
//! replicate recovery to original with copy {
//!   tables: public.*
//!   except: [databasechangelog, databasechangeloglock]
//!   within: 4h
//! }
//! ```

use super::options::{COMMON, Options};
use super::tables::size;
use super::{Route, Said};
use crate::catalog::{Catalog, ColumnName};
use crate::check::{Checker, SchemaError};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, CopiedColumn, CopiedTable, PlannedReplication, ReplicationMeans, Risk};
use crate::state::Flow;
use crate::steps::Meaning;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct ByCopy {
    /// As the plan calls it, if it has a name.
    name: Option<String>,
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

impl ByCopy {
    pub(super) fn check(said: Said<'_>, name: Option<String>, checker: &mut Checker<'_>) -> Option<Self> {
        let options = Options::of(STATEMENT, &[COMMON, &["within"]].concat(), said.options, checker);
        let within = match options.get("within") {
            None => Some(WITHIN),
            Some(entry) => within(entry, checker),
        };
        let route = Route::check(said, &options, checker);
        let (route, within) = (route?, within?);
        route.demand_there(&route.tables, said.to, checker)?;
        let here = checker.catalog(&route.from, said.from.span)?;
        let mut tables = route.tables;
        tables.sort_by_key(|table| (here.table(table).map_or(0, |table| table.bytes), table.clone()));
        Some(Self { name, from: route.from, to: route.to, tables, excepted: route.excepted, within })
    }
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

impl Meaning for ByCopy {
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
        if let Some(name) = &self.name {
            let mut names: Vec<TableName> = tables.iter().map(|copied| copied.table.clone()).collect();
            names.sort();
            let replication = PlannedReplication { from: self.from.clone(), to: self.to.clone(), tables: names, with: ReplicationMeans::Copy };
            lowering.replication(name, replication);
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
            Action::Copy { replication: self.name.clone(), from: self.from.clone(), to: self.to.clone(), tables },
        );
    }
}
