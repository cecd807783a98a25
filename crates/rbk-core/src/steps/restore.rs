//! `restore DB from SNAPSHOT`: a new instance as the environment describes it.
//!
//! It has no endpoint and no known password yet: `await … is available` and `set credentials` follow.
//!
//! ```rbk
//! restore recovery from latest snapshot of original
//! restore recovery from snapshot "before-the-migration" of original
//! ```

use super::Meaning;
use crate::check::{Checker, Typed};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk};
use crate::state::Flow;
use crate::value::Type;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Restore {
    database: DatabaseName,
    snapshot: Typed,
}

impl Restore {
    pub(super) fn check(database: &ast::Path, from: &ast::Expr, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, snapshot) = (checker.database(database), checker.expression_of(from, Type::Snapshot));
        Some(Self { database: database?, snapshot: snapshot? })
    }
}

impl Meaning for Restore {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.restore_snapshot(&self.database, &self.snapshot, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(facts) = lowering.environment.database(&self.database) else { return };
        let settings = lowering.settings(facts);
        let summary = format!("create instance `{}` from {}", facts.instance, lowering.describe(&self.snapshot.expr));
        lowering.must_be_absent(&self.database);
        lowering.action(
            Risk::Creates,
            5 * MINUTE,
            summary,
            Action::RestoreFromSnapshot { database: self.database.clone(), snapshot: self.snapshot.expr.clone(), settings },
        );
    }
}
