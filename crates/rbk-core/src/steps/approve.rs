//! `approve "…"`: a person says yes.
//!
//! ```rbk
//! approve "Everything in {broken}.public will be dropped"
//! ```

use super::Meaning;
use crate::check::Checker;
use crate::lower::Lowering;
use crate::plan::{Action, Risk, Template};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Approve {
    prompt: Template,
}

impl Approve {
    pub(super) fn check(prompt: &ast::Text, checker: &mut Checker<'_>) -> Self {
        Self { prompt: checker.template(prompt) }
    }
}

impl Meaning for Approve {
    fn flow(&self, flow: &mut Flow<'_>, _: Span) {
        flow.approved = true;
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let summary = format!("ask a person: {}", lowering.template(&self.prompt));
        // What must be typed depends on what follows: the block that it stands in names it when all of it is lowered.
        lowering.open_ended(Risk::Reads, summary, Action::Approve { prompt: self.prompt.clone(), typed: None });
    }
}
