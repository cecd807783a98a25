//! `let NAME = EXPRESSION`: in a step, a value read on arrival, journaled, and reused on resume.
//!
//! ```rbk
//! let rows = count(recovery.public.documents)
//! ```

use super::Meaning;
use crate::check::{Checker, Typed};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Observe {
    name: String,
    value: Typed,
}

impl Observe {
    pub(super) fn check(name: &ast::Name, value: &ast::Expr, checker: &mut Checker<'_>) -> Option<Self> {
        let value = checker.define(name, value)?;
        Some(Self { name: checker.binding(name), value })
    }
}

impl Meaning for Observe {
    fn flow(&self, flow: &mut Flow<'_>, _: Span) {
        flow.demand_reads(&self.value);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        lowering.relies_on_compared(&self.value.expr);
        let summary = format!("read `{}`: {}", self.name, lowering.describe(&self.value.expr));
        let action = Action::Observe { name: self.name.clone(), expr: self.value.expr.clone(), ty: self.value.ty };
        lowering.action(Risk::Reads, 30 * MINUTE, summary, action);
    }
}
