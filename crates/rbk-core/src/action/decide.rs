//! Which way an `if` goes: looked at once, journaled, and never looked at again.

use super::{Once, Performed};
use crate::journal::{Event, How, Outcome, Proof};
use crate::plan::Expr;
use crate::run::{Failure, Scene, evaluate};
use async_trait::async_trait;

/// Looks whether a condition holds. That it doesn't is no failure.
pub(super) struct Decide<'a> {
    pub condition: &'a Expr,
}

#[async_trait]
impl Once for Decide<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let seen = evaluate(&mut scene.look(), self.condition).await?;
        let holds = seen.holds()?;
        Ok(Performed {
            observations: Vec::new(),
            last: Event::Outcome(Outcome::Done {
                how: How::Done,
                detail: seen.text,
                proof: Some(Proof::Decided { holds }),
            }),
        })
    }
}
