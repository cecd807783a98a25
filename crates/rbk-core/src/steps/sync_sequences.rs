//! `sync sequences of DB from DB`: after a load, sequences go past the source's and past the data.
//!
//! ```rbk
//! sync sequences of original from recovery
//! ```

use super::Meaning;
use crate::check::{Checker, SchemaError};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk, SequenceFacts};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct SyncSequences {
    of: DatabaseName,
    from: DatabaseName,
    sequences: Vec<SequenceFacts>,
}

impl SyncSequences {
    pub(super) fn check(of: &ast::Path, from: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (target, source) = (checker.database(of), checker.database(from));
        let (target, source) = (target?, source?);
        let sequences = checker.catalog(&target, of.span)?.sequences();
        let there = checker.catalog(&source, from.span)?;
        let missing = sequences.iter().find(|sequence| {
            let schema = there.schemas.get(&sequence.schema);
            !schema.is_some_and(|schema| schema.sequences.contains_key(&sequence.name))
        });
        if let Some(missing) = missing {
            let what = format!("sequence `{}.{}`", missing.schema, missing.name);
            checker.report(SchemaError::MissingThere { span: from.span, what, database: source });
            return None;
        }
        if sequences.is_empty() {
            let why = format!("`{target}` has no sequence in the lock file");
            checker.report(SchemaError::NothingToDo { span: of.span, why });
        }
        Some(Self { of: target, from: source, sequences })
    }
}

impl Meaning for SyncSequences {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.sync_sequences(&self.of, &self.from, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        if self.sequences.is_empty() {
            return;
        }
        for database in [&self.from, &self.of] {
            lowering.relies_on_lock(database, self.sequences.iter().map(|sequence| sequence.schema.as_str()));
        }
        lowering.action(
            Risk::Changes,
            // An owner's column is read by its index; without one, its table is read.
            30 * MINUTE,
            format!(
                "move {} sequence{} of `{}` past those of `{}` and past the data",
                self.sequences.len(),
                if self.sequences.len() == 1 { "" } else { "s" },
                self.of,
                self.from
            ),
            Action::SyncSequences { from: self.from.clone(), to: self.of.clone(), sequences: self.sequences.clone() },
        );
    }
}
