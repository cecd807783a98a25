//! `keep DB because "…"`: what was created stays, on purpose.
//!
//! ```rbk
//! keep recovery because "it serves until the original is repaired"
//! ```

use super::Meaning;
use crate::check::{CheckError, Checker};
use crate::ids::DatabaseName;
use crate::lower::Lowering;
use crate::plan::{Action, Risk, Template};
use crate::state::{Flow, StateError};
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Keep {
    database: DatabaseName,
    because: Template,
}

impl Keep {
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

impl Meaning for Keep {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        let parted = flow.parted(&self.database, |state| (state.created.is_some(), state.created));
        if flow.database(&self.database).created.is_none() || parted.is_some() {
            flow.error(StateError::KeptNotCreated { span, database: self.database.clone(), maybe: parted.is_some() });
            flow.tell_parted(parted, "created");
        }
        flow.change(&self.database, |state| state.created = None);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let action = Action::Keep { database: self.database.clone(), because: self.because.clone() };
        lowering.action(Risk::Reads, 0, format!("`{}` stays: {}", self.database, lowering.template(&self.because)), action);
    }
}
