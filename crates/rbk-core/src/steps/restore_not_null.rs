//! `restore not null on …`: what earlier statements relaxed there may not hold NULL any more; where they relaxed nothing,
//! all that the lock file says. Postgres reads each table to prove it; setting it again changes nothing.
//!
//! ```rbk
//! restore not null on original.public
//! ```

use super::Meaning;
use super::alter_columns::whole_size;
use super::relax_not_null::{by_table, columns, counted};
use crate::catalog::ColumnName;
use crate::check::Checker;
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, by_size};
use crate::plan::{Change, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct RestoreNotNull {
    database: DatabaseName,
    schema: String,
    /// As the runbook says it, without the database.
    on: String,
    columns: Vec<ColumnName>,
}

impl RestoreNotNull {
    pub(super) fn check(on: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, object) = checker.schema_object(on)?;
        let columns = columns(&database, &object, on.span, checker)?;
        Some(Self { database, schema: object.place().schema().to_owned(), on: object.to_string(), columns })
    }
}

impl Meaning for RestoreNotNull {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.restore_not_null(&self.database, &self.schema, &self.columns, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        let ledger = &lowering.ledger;
        let relaxed: Vec<ColumnName> = self.columns.iter().filter(|column| ledger.is_relaxed(&self.database, column)).cloned().collect();
        let columns = if relaxed.is_empty() { self.columns.clone() } else { relaxed };
        if columns.is_empty() {
            return;
        }
        lowering.relies_on_lock(&self.database, [self.schema.as_str()].into_iter());
        for column in &columns {
            lowering.ledger.tighten(&self.database, column);
        }
        let tables: BTreeSet<&TableName> = columns.iter().map(|column| &column.table).collect();
        let bytes = tables.into_iter().map(|table| whole_size(catalog, table)).fold(0, u64::saturating_add);
        let what = counted(&columns, &self.database, &self.on);
        let holds = if columns.len() == 1 { "holds" } else { "hold" };
        let summary = format!("prove that {what} {holds} no NULL, and keep it so");
        let statements = by_table(&columns, "SET NOT NULL");
        lowering.change_schema(Risk::Changes, by_size(bytes, 5), summary, &self.database, (Change::RestoreNotNull { columns }, statements));
    }
}
