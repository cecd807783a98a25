//! The two ways of an `if`: each from the state before it, narrowed by its condition; behind it what holds on both.

use super::Flow;
use crate::check::{Block, Typed};
use rbk_syntax::Span;

impl Flow<'_> {
    /// Reads both ways of an `if` whose condition isn't known when checking, and joins them. `span` is the word `if`.
    pub(crate) fn decide(
        &mut self,
        condition: &Typed,
        then: &Block,
        otherwise: Option<&Block>,
        span: Span,
    ) {
        let _ = (condition, then, otherwise, span);
        unimplemented!("contract: state")
    }

    /// Reads the only way that an `if` goes whose condition is known when checking.
    pub(crate) fn decided(&mut self, taken: &Block) {
        let _ = taken;
        unimplemented!("contract: state")
    }
}
