//! `assert CONDITION [else "…"]`: fails the step unless the condition holds.

use super::Meaning;
use super::replicate::complete;
use crate::check::{Checker, Typed};
use crate::lower::{Lowering, MINUTE, completed_by};
use crate::plan::{Action, Risk, Template};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Assert {
    condition: Typed,
    otherwise: Option<Template>,
}

impl Assert {
    pub(super) fn check(condition: &ast::Expr, otherwise: Option<&ast::Text>, checker: &mut Checker<'_>) -> Option<Self> {
        let condition = checker.condition(condition);
        let otherwise = otherwise.map(|text| checker.template(text));
        Some(Self { condition: condition?, otherwise })
    }
}

impl Meaning for Assert {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.demand_reads(&self.condition);
        flow.narrow(&self.condition.expr, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        lowering.relies_on_compared(&self.condition.expr);
        let summary = format!("prove that {}", lowering.describe(&self.condition.expr));
        let action = Action::Assert { condition: self.condition.expr.clone(), otherwise: self.otherwise.clone() };
        // The first full scan of a restored volume fetches its blocks lazily: it may take long.
        lowering.action(Risk::Reads, 30 * MINUTE, summary, action);
        for replication in completed_by(&self.condition.expr) {
            complete(replication, lowering);
        }
    }
}
