//! `keep writes frozen on DB because "…"`: a runbook may end with frozen writes, on purpose.
//!
//! ```rbk
//! keep writes frozen on recovery because "return-to-original.rbk goes on"
//! ```

use super::Meaning;
use crate::check::{CheckError, Checker};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk, Template};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct KeepFrozen {
    database: DatabaseName,
    because: Template,
}

impl KeepFrozen {
    pub(super) fn check(database: &ast::Path, because: &ast::Text, checker: &mut Checker<'_>) -> Option<Self> {
        let database = checker.database(database);
        // One that isn't there at all has been told.
        let is_there = because.span.start < because.span.end;
        if is_there && because.as_literal().is_some_and(|text| text.trim().is_empty()) {
            checker.report(CheckError::EmptyReason { span: because.span });
        }
        let because = checker.template(because);
        Some(Self { database: database?, because })
    }
}

impl Meaning for KeepFrozen {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.keep_frozen(&self.database, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let freeze = lowering.freeze(&self.database);
        lowering.action(
            Risk::Reads,
            3 * MINUTE,
            format!("writes on `{}` stay frozen, which is proven: {}", self.database, lowering.template(&self.because)),
            Action::KeepFrozen { database: self.database.clone(), freeze, because: self.because.clone() },
        );
    }
}
