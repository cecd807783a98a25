//! `if CONDITION { … } else if CONDITION { … } else { … }`: what is done depends on how things are.
//!
//! A condition that is known when the plan is made (`removal_policy(recovery) == "retain"`) is decided then, and only that way is
//! planned. Any other is read once, when the run gets there, journaled, and not read again: a resumed run goes the way that it went.
//! What a `let` reads in a block is known in that block only. Behind the `if`, what both ways have in common is known.
//!
//! ```rbk
//! if recovery exists {
//!   note "An instance of that name is left over: look whether somebody needs it"
//! } else {
//!   snapshot original
//! }
//! ```

use super::Meaning;
use super::replicate::complete;
use crate::check::{Block, Need, Typed};
use crate::lower::{Lowering, MINUTE, completed_by};
use crate::plan::Expr;
use crate::state::Flow;
use crate::value::Value;
use rbk_syntax::Span;

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    condition: Typed,
    then: Block,
    otherwise: Option<Block>,
    keyword: Span,
}

impl Branch {
    pub(crate) fn new(condition: Typed, then: Block, otherwise: Option<Block>, keyword: Span) -> Self {
        Self { condition, then, otherwise, keyword }
    }

    /// The blocks of it that can be gone.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        let (then, otherwise) = match self.known() {
            Some(true) => (Some(&self.then), None),
            Some(false) => (None, self.otherwise.as_ref()),
            None => (Some(&self.then), self.otherwise.as_ref()),
        };
        then.into_iter().chain(otherwise)
    }

    /// Whether its condition holds, where that is known already.
    fn known(&self) -> Option<bool> {
        match self.condition.expr {
            Expr::Value(Value::Boolean(holds)) => Some(holds),
            _ => None,
        }
    }
}

impl Meaning for Branch {
    fn flow(&self, flow: &mut Flow<'_>, _: Span) {
        match (self.known(), &self.otherwise) {
            (Some(true), _) => flow.decided(&self.then),
            (Some(false), Some(otherwise)) => flow.decided(otherwise),
            (Some(false), None) => {}
            (None, otherwise) => flow.decide(&self.condition, &self.then, otherwise.as_ref(), self.keyword),
        }
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        match (self.known(), &self.otherwise) {
            (Some(true), _) => return lowering.statements(&self.then),
            (Some(false), Some(otherwise)) => return lowering.statements(otherwise),
            (Some(false), None) => return,
            (None, _) => {}
        }
        let condition = &self.condition.expr;
        lowering.relies_on_compared(condition);
        let reads_data = self.condition.reads.iter().any(|read| read.need == Need::Login);
        lowering.either(
            // Rows may have to be counted or compared.
            if reads_data { 30 * MINUTE } else { 5 * MINUTE },
            condition,
            |lowering| {
                for replication in completed_by(condition) {
                    complete(replication, lowering);
                }
                lowering.statements(&self.then);
            },
            |lowering| {
                if let Some(otherwise) = &self.otherwise {
                    lowering.statements(otherwise);
                }
            },
        );
    }
}
