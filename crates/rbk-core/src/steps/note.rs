//! `note "…"`: an instruction for a person, shown and recorded.
//!
//! ```rbk
//! note "Tell the support team that answers may be a day old"
//! ```

use super::Meaning;
use crate::check::Checker;
use crate::lower::Lowering;
use crate::plan::{Action, Risk, Template};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Note {
    text: Template,
}

impl Note {
    pub(super) fn check(text: &ast::Text, checker: &mut Checker<'_>) -> Self {
        Self { text: checker.template(text) }
    }
}

impl Meaning for Note {
    fn flow(&self, _: &mut Flow<'_>, _: Span) {}

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let summary = format!("show: {}", lowering.template(&self.text));
        lowering.action(Risk::Reads, 0, summary, Action::Note { text: self.text.clone() });
    }
}
