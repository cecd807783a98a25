//! `alter column COLUMN to TYPE [using "…"]`, `alter columns of type TYPE in DB.SCHEMA to TYPE`: columns get another type.
//!
//! Which columns have a type is what the lock file says, whatever they are for now. Partitions follow their parents. One
//! action a table, since the table is written anew; its columns are changed together, so that this happens once.
//!
//! ```rbk
//! alter columns of type vector in original.public to text
//! alter column original.public.orders.note to varchar(200) using "left(note, 200)"
//! ```

use super::Meaning;
use crate::catalog::{Catalog, ColumnName, Table, dependents_of_type};
use crate::check::{Checker, SchemaError, SqlType};
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, by_size};
use crate::plan::{Change, ColumnChange, Risk};
use crate::sql::{quote_identifier, quote_table, stays_within_parentheses};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct AlterColumns {
    database: DatabaseName,
    schema: String,
    /// From the lock file's types.
    columns: Vec<ColumnChange>,
}

impl AlterColumns {
    /// `alter column COLUMN to TYPE [using "…"]`
    pub(super) fn check_one(path: &ast::Path, to: &ast::ColumnType, using: Option<&ast::Text>, checker: &mut Checker<'_>) -> Option<Self> {
        let found = checker.column(path);
        let using = match using {
            None => None,
            Some(text) => {
                let expression = checker.constant_text(text)?;
                if !stays_within_parentheses(&expression) {
                    checker.report(SchemaError::NotAnExpression { span: text.span });
                    return None;
                }
                Some(expression)
            }
        };
        let (database, column) = found?;
        checker.no_partition(&database, &column.table, path.span)?;
        let ty = checker.column_type(to, &database)?;
        let change = change(&column, &ty, using, (path.span, to.span), &database, checker)?;
        Some(Self { database, schema: column.table.schema, columns: vec![change] })
    }

    /// `alter columns of type TYPE in DB.SCHEMA to TYPE`
    pub(super) fn check(of: &ast::ColumnType, schema: &ast::Path, to: &ast::ColumnType, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, schema, columns) = checker.columns_of_type(of, schema)?;
        let ty = checker.column_type(to, &database)?;
        let changes: Vec<_> = columns
            .iter()
            .map(|column| change(column, &ty, None, (of.span, to.span), &database, checker))
            .collect();
        Some(Self { database, schema, columns: changes.into_iter().collect::<Option<_>>()? })
    }
}

/// A column's change from the lock file's type; `spans` are where the column and its new type are said.
fn change(
    column: &ColumnName,
    to: &SqlType,
    using: Option<String>,
    spans: (Span, Span),
    database: &DatabaseName,
    checker: &mut Checker<'_>,
) -> Option<ColumnChange> {
    let catalog = checker.catalog(database, spans.0)?;
    let locked = catalog.column(column)?.ty.clone();
    let from = SqlType::parse(&locked);
    let same_base = from.as_ref().is_some_and(|from| from.base == to.base && from.array == to.array);
    let other_modifier = same_base && from.as_ref().is_some_and(|from| from.modifier != to.modifier);
    let same = same_base && !other_modifier;
    let between_integers = to.is_integer() && from.as_ref().is_some_and(SqlType::is_integer);
    if let Some(by) = dependents_of_type(catalog, column, between_integers) {
        checker.report(SchemaError::InUse { span: spans.0, column: column.clone(), by });
        return None;
    }
    if other_modifier {
        checker.report(SchemaError::OtherModifier {
            span: spans.1,
            column: column.clone(),
            wanted: to.to_string(),
            locked: SqlType::parse(&locked).map_or_else(|| locked.clone(), |ty| ty.to_string()),
            exact: to.has_exact_modifier(),
        });
    }
    // As Postgres writes it where it is the lock file's, so that it is compared as equal.
    let to = if same { locked.clone() } else { to.qualified() };
    Some(ColumnChange { column: column.clone(), from: locked, to, using })
}

impl Meaning for AlterColumns {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.alter_columns(&self.database, &self.schema, &self.columns, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        alter(lowering, &self.database, &self.schema, self.columns.clone());
    }
}

/// Lowers changes of columns of one schema, whose `from` is put right by what earlier statements did.
pub(super) fn alter(lowering: &mut Lowering<'_>, database: &DatabaseName, schema: &str, columns: Vec<ColumnChange>) {
    let Some(catalog) = lowering.catalog(database) else {
        return;
    };
    let mut tables: BTreeMap<TableName, Vec<ColumnChange>> = BTreeMap::new();
    for mut change in columns {
        if let Some(ty) = lowering.ledger.type_of(database, &change.column) {
            ty.clone_into(&mut change.from);
        }
        // Whether a statement of a failed step had been reached nobody knows: in `on failure` it is said again.
        if change.from != change.to || change.using.is_some() || lowering.in_failure {
            tables.entry(change.column.table.clone()).or_default().push(change);
        }
    }
    if tables.is_empty() {
        return;
    }
    lowering.relies_on_lock(database, [schema].into_iter());
    for (table, changes) in tables {
        let Some(facts) = catalog.table(&table) else {
            continue;
        };
        for change in &changes {
            let locked = facts.column(&change.column.column).is_some_and(|column| column.ty == change.to);
            lowering.ledger.alter(database, &change.column, (!locked).then_some(change.to.as_str()));
        }
        let words: Vec<String> = changes
            .iter()
            .map(|change| format!("`{}` from {} to {}", change.column.column, short(&change.from), short(&change.to)))
            .collect();
        let summary = format!("write `{database}.{table}` anew with {}", words.join(", "));
        let statement = statement(&table, facts, &changes);
        let bound = by_size(whole_size(catalog, &table), 15);
        // What a runbook says itself is read as a person would say it; everything else names its schemas.
        let own_words = changes.iter().any(|change| change.using.is_some());
        let settings = if own_words { plain_names() } else { BTreeMap::new() };
        let change = (Change::AlterColumns { columns: changes }, vec![statement]);
        lowering.change_schema_with(Risk::Changes, bound, summary, database, change, settings);
    }
}

/// A type as a person writes it.
fn short(ty: &str) -> String {
    SqlType::parse(ty).map_or_else(|| ty.to_owned(), |ty| ty.to_string())
}

/// Bytes of a table with its indexes and partitions when the lock file was written.
pub(super) fn whole_size(catalog: &Catalog, table: &TableName) -> u64 {
    catalog.table(table).map_or(0, |table| table.bytes)
}

/// Lets SQL out of a runbook name what is in `public` without saying so, as everywhere else.
pub(super) fn plain_names() -> BTreeMap<String, String> {
    BTreeMap::from([("search_path".to_owned(), "public".to_owned())])
}

/// One statement for all columns of a table. A default is taken away before its column is changed and set again afterwards:
/// Postgres casts few of them by itself. A collation that isn't its type's own would be lost, so it is said again.
fn statement(table: &TableName, facts: &Table, changes: &[ColumnChange]) -> String {
    let mut parts = Vec::new();
    for change in changes {
        let column = quote_identifier(&change.column.column);
        let locked = facts.column(&change.column.column);
        let default = locked.and_then(|column| column.default.as_deref());
        let integers = [&change.from, &change.to].into_iter().all(|ty| SqlType::parse(ty).is_some_and(|ty| ty.is_integer()));
        let default = default.filter(|_| !integers);
        let using = match &change.using {
            Some(expression) => format!("({expression})"),
            None => {
                let cast = SqlType::parse(&change.to).map_or_else(|| change.to.clone(), |ty| ty.cast());
                format!("{column}::{cast}")
            }
        };
        let is_locked = locked.is_some_and(|column| column.ty == change.to);
        let collation = locked.and_then(|column| column.collation.as_deref()).filter(|_| is_locked);
        let collation = collation.map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
        if default.is_some() {
            parts.push(format!("ALTER COLUMN {column} DROP DEFAULT"));
        }
        parts.push(format!("ALTER COLUMN {column} TYPE {}{collation} USING {using}", change.to));
        if let Some(default) = default {
            let value = if is_locked { default.to_owned() } else { format!("({default})::{}", change.to) };
            parts.push(format!("ALTER COLUMN {column} SET DEFAULT {value}"));
        }
    }
    format!("ALTER TABLE {} {}", quote_table(table), parts.join(", "))
}
