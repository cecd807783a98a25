//! `drop index DB.SCHEMA.INDEX`, `drop indexes on …`: drops indexes; their definitions are journaled first.
//!
//! Never one behind a constraint, nor a part of a partitioned table's index: those come and go with what they belong to.
//!
//! ```rbk
//! drop indexes on columns of type vector in original.public
//! drop index original.public.documents_title_idx
//! ```

use super::Meaning;
use crate::catalog::{Place, SelectedIndex};
use crate::check::{Checker, SchemaError};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Change, IndexFacts, Risk};
use crate::sql::quote_name;
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct DropIndexes {
    database: DatabaseName,
    schema: String,
    indexes: Vec<SelectedIndex>,
}

impl DropIndexes {
    /// `drop index DB.SCHEMA.INDEX`
    pub(super) fn check_one(path: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, schema, name) = checker.index(path)?;
        let span = path.span;
        let catalog = checker.catalog(&database, span)?;
        let (table, index) = catalog.index(&schema, &name)?;
        let error = match (&index.constraint, &index.part_of) {
            (Some(constraint), _) => SchemaError::BehindConstraint { span, index: name, constraint: constraint.clone(), table },
            (None, Some(of)) => SchemaError::PartOfIndex { span, index: name, of: of.clone() },
            (None, None) => {
                let indexes = vec![catalog.selected(table, &name, index)];
                return Some(Self { database, schema, indexes });
            }
        };
        checker.report(error);
        None
    }

    /// `drop indexes on …`
    pub(super) fn check(on: &ast::Target, span: Span, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, place) = checker.target(on)?;
        let indexes = indexes(&database, &place, span, checker)?;
        Some(Self { database, schema: place.schema().to_owned(), indexes })
    }
}

/// The indexes of a place; says where there is none.
pub(super) fn indexes(database: &DatabaseName, place: &Place, span: Span, checker: &mut Checker<'_>) -> Option<Vec<SelectedIndex>> {
    let indexes = checker.catalog(database, span)?.indexes_on(place);
    if indexes.is_empty() {
        let why = "the lock file has no index there that can be dropped by itself".to_owned();
        checker.report(SchemaError::NothingToDo { span, why });
    }
    Some(indexes)
}

/// Indexes without their parts.
pub(super) fn roots(indexes: &[SelectedIndex]) -> Vec<IndexFacts> {
    indexes.iter().map(|index| index.facts.clone()).collect()
}

/// Indexes with their parts.
pub(super) fn with_parts<'i>(indexes: impl IntoIterator<Item = &'i SelectedIndex>) -> Vec<IndexFacts> {
    indexes
        .into_iter()
        .flat_map(|index| std::iter::once(&index.facts).chain(&index.parts))
        .cloned()
        .collect()
}

impl Meaning for DropIndexes {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.drop_indexes(&self.database, &self.schema, &roots(&self.indexes), span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let already = lowering.ledger.dropped(&self.database, &self.schema);
        let indexes: Vec<&SelectedIndex> = self.indexes.iter().filter(|index| !already.contains(&index.facts.name)).collect();
        if indexes.is_empty() {
            return;
        }
        lowering.relies_on_lock(&self.database, [self.schema.as_str()].into_iter());
        for index in &indexes {
            lowering.ledger.drop_index(&self.database, &self.schema, &index.facts.name);
        }
        let summary = match indexes.as_slice() {
            [index] => format!("drop index `{}` of `{}.{}`, its definition kept in the journal", index.facts.name, self.database, index.facts.table),
            _ => format!("drop {} indexes of `{}.{}`, their definitions kept in the journal", indexes.len(), self.database, self.schema),
        };
        let statements = indexes.iter().map(|index| format!("DROP INDEX {}", quote_name(&self.schema, &index.facts.name))).collect();
        let change = Change::DropIndexes { indexes: with_parts(indexes) };
        lowering.change_schema(Risk::Changes, 10 * MINUTE, summary, &self.database, (change, statements));
    }
}
