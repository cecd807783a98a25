//! `analyze DB`: the planner's statistics of all tables. Those of a partitioned table are never made by autovacuum.
//!
//! ```rbk
//! analyze original
//! ```

use super::Meaning;
use super::alter_columns::whole_size;
use crate::check::{Checker, SchemaError};
use crate::environment::{Migrations, TableName};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, by_size};
use crate::plan::{Change, Risk};
use crate::sql::quote_table;
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct Analyze {
    database: DatabaseName,
    /// Partitions with their parents.
    tables: Vec<TableName>,
}

impl Analyze {
    pub(super) fn check(path: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let database = checker.database(path)?;
        let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
        let catalog = checker.catalog(&database, path.span)?;
        let tables: Vec<TableName> = catalog
            .schemas
            .keys()
            .flat_map(|schema| catalog.roots(schema))
            .map(|(table, _)| table)
            .filter(|table| !own.contains(table))
            .collect();
        if tables.is_empty() {
            let why = format!("`{database}` has no table in the lock file");
            checker.report(SchemaError::NothingToDo { span: path.span, why });
        }
        Some(Self { database, tables })
    }
}

impl Meaning for Analyze {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.analyze(&self.database, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        if self.tables.is_empty() {
            return;
        }
        let schemas: BTreeSet<&str> = self.tables.iter().map(|table| table.schema.as_str()).collect();
        lowering.relies_on_lock(&self.database, schemas.into_iter());
        let bytes = self.tables.iter().map(|table| whole_size(catalog, table)).fold(0, u64::saturating_add);
        let statements = self.tables.iter().map(|table| format!("ANALYZE {}", quote_table(table))).collect();
        let number = self.tables.len();
        lowering.change_schema(
            Risk::Changes,
            by_size(bytes, 2),
            format!("make the planner's statistics of {number} table{} of `{}`", if number == 1 { "" } else { "s" }, self.database),
            &self.database,
            (Change::Analyze { tables: self.tables.clone() }, statements),
        );
    }
}
