//! `restore column types in DB.SCHEMA`: what earlier statements altered there gets the lock file's types again.
//!
//! ```rbk
//! restore column types in original.public
//! ```

use super::Meaning;
use super::alter_columns::alter;
use crate::check::Checker;
use crate::ids::DatabaseName;
use crate::lower::Lowering;
use crate::plan::ColumnChange;
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct RestoreColumnTypes {
    database: DatabaseName,
    schema: String,
}

impl RestoreColumnTypes {
    pub(super) fn check(schema: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, schema) = checker.schema(schema)?;
        Some(Self { database, schema })
    }
}

impl Meaning for RestoreColumnTypes {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.restore_column_types(&self.database, &self.schema, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        let altered = lowering.ledger.altered(&self.database, &self.schema);
        let changes = altered
            .into_iter()
            .filter_map(|(column, from)| {
                let to = catalog.column(&column)?.ty.clone();
                Some(ColumnChange { column, from, to, using: None })
            })
            .collect();
        alter(lowering, &self.database, &self.schema, changes);
    }
}
