//! `validate constraints of DB.SCHEMA`: proves each foreign key by an anti-join.
//!
//! Rows that were loaded under the replica role were never checked, and Postgres's own `VALIDATE CONSTRAINT` skips what is
//! already marked as valid.
//!
//! ```rbk
//! validate constraints of original.public
//! ```

use super::Meaning;
use super::alter_columns::whole_size;
use crate::check::{Checker, SchemaError};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, by_size};
use crate::plan::{Action, ForeignKeyFacts, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct ValidateConstraints {
    database: DatabaseName,
    schema: String,
    keys: Vec<ForeignKeyFacts>,
}

impl ValidateConstraints {
    pub(super) fn check(of: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, schema) = checker.schema(of)?;
        let keys = checker.catalog(&database, of.span)?.foreign_keys(&schema);
        if keys.is_empty() {
            let why = format!("`{schema}` has no foreign key in the lock file");
            checker.report(SchemaError::NothingToDo { span: of.span, why });
        }
        Some(Self { database, schema, keys })
    }
}

impl Meaning for ValidateConstraints {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.validate_constraints(&self.database, &self.schema, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        if self.keys.is_empty() {
            return;
        }
        let schemas: BTreeSet<&str> =
            self.keys.iter().flat_map(|key| [key.table.schema.as_str(), key.references.schema.as_str()]).collect();
        lowering.relies_on_lock(&self.database, schemas.into_iter());
        let bytes = self
            .keys
            .iter()
            .flat_map(|key| [whole_size(catalog, &key.table), whole_size(catalog, &key.references)])
            .fold(0, u64::saturating_add);
        lowering.action(
            Risk::Reads,
            by_size(bytes, 10),
            format!(
                "prove {} foreign key{} of `{}.{}`: no row refers to nothing",
                self.keys.len(),
                if self.keys.len() == 1 { "" } else { "s" },
                self.database,
                self.schema
            ),
            Action::ProveForeignKeys { database: self.database.clone(), keys: self.keys.clone() },
        );
    }
}
