//! `relax not null on …`: columns may hold NULL, as a load needs that inserts rows before their large values.
//!
//! Of a schema or table: all columns but those of primary keys, identity and generated ones, and the migration tool's own
//! tables. Partitions follow their parents.
//!
//! ```rbk
//! relax not null on original.public
//! ```

use super::Meaning;
use crate::catalog::ColumnName;
use crate::check::{Checker, Object, SchemaError};
use crate::environment::{Migrations, TableName};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Change, Risk};
use crate::sql::{quote_identifier, quote_table};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct RelaxNotNull {
    database: DatabaseName,
    schema: String,
    /// As the runbook says it, without the database.
    on: String,
    columns: Vec<ColumnName>,
}

impl RelaxNotNull {
    pub(super) fn check(on: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, object) = checker.schema_object(on)?;
        let columns = columns(&database, &object, on.span, checker)?;
        Some(Self { database, schema: object.place().schema().to_owned(), on: object.to_string(), columns })
    }
}

/// The columns of an object whose NOT NULL can come and go.
pub(super) fn columns(database: &DatabaseName, object: &Object, span: Span, checker: &mut Checker<'_>) -> Option<Vec<ColumnName>> {
    match object {
        Object::Schema(_) => {}
        Object::Table(table) | Object::Column(ColumnName { table, .. }) => checker.no_partition(database, table, span)?,
    }
    if let Object::Column(column) = object {
        let catalog = checker.catalog(database, span)?;
        let (table, facts) = (catalog.table(&column.table)?, catalog.column(column)?);
        let why = if table.primary_key().contains(&column.column) {
            Some("a column of the primary key")
        } else {
            facts.identity.map(|_| "an identity column")
        };
        let (not_null, column) = (facts.not_null, column.clone());
        match why {
            Some(why) => checker.report(SchemaError::NeverNull { span, column, why }),
            None if !not_null => checker.report(SchemaError::NullableAnyway { span, column }),
            None => return Some(vec![column]),
        }
        return None;
    }
    let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
    let columns = checker.catalog(database, span)?.relaxable(&object.place(), &own);
    if columns.is_empty() {
        let why = "the lock file has no NOT NULL there but those of primary keys, identity and generated columns".to_owned();
        checker.report(SchemaError::NothingToDo { span, why });
    }
    Some(columns)
}

/// `ALTER TABLE`s that do the same to columns, one a table.
pub(super) fn by_table(columns: &[ColumnName], clause: &str) -> Vec<String> {
    let mut tables: BTreeMap<&TableName, Vec<String>> = BTreeMap::new();
    for column in columns {
        let part = format!("ALTER COLUMN {} {clause}", quote_identifier(&column.column));
        tables.entry(&column.table).or_default().push(part);
    }
    tables.into_iter().map(|(table, parts)| format!("ALTER TABLE {} {}", quote_table(table), parts.join(", "))).collect()
}

/// `` 3 columns of `broken.public` ``, or the only one by name.
pub(super) fn counted(columns: &[ColumnName], database: &DatabaseName, on: &str) -> String {
    match columns {
        [column] => format!("`{database}.{column}`"),
        _ => format!("{} columns of `{database}.{on}`", columns.len()),
    }
}

impl Meaning for RelaxNotNull {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.relax_not_null(&self.database, &self.schema, &self.columns, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let ledger = &lowering.ledger;
        let columns: Vec<ColumnName> = self.columns.iter().filter(|column| !ledger.is_relaxed(&self.database, column)).cloned().collect();
        if columns.is_empty() {
            return;
        }
        lowering.relies_on_lock(&self.database, [self.schema.as_str()].into_iter());
        for column in &columns {
            lowering.ledger.relax(&self.database, column);
        }
        let summary = format!("let {} hold NULL", counted(&columns, &self.database, &self.on));
        let statements = by_table(&columns, "DROP NOT NULL");
        lowering.change_schema(Risk::Changes, 10 * MINUTE, summary, &self.database, (Change::RelaxNotNull { columns }, statements));
    }
}
