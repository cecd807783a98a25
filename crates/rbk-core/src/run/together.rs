//! Steps that are done together: each goes its own way with an action of its own under way, and all write to one journal.
//!
//! When one of them fails, stops or is interrupted, the others finish the action that they are at and begin no other one.

use super::failure::Failure;
use super::performer::{Performer, Stop};
use crate::journal::{Event, Phase};
use crate::plan::{Action, Step};
use futures_util::future::join_all;

impl Performer<'_> {
    /// Performs what is left of steps that are done together. The error says where each of those stopped that did.
    pub(super) async fn together(&mut self, steps: &[Step]) -> Result<(), Vec<Stop>> {
        if !self.is_anything_left(steps) {
            return Ok(());
        }
        let paths: Vec<_> = steps.iter().map(|step| step.path.clone()).collect();
        if self.journal.state.together != paths && self.journal.state.phase == Phase::Running {
            // A press that came before them stops the run as it would before any action.
            let opened = if self.interrupt.level() >= 1 {
                Err(Failure::Interrupted { in_flight: false })
            } else {
                self.record_of_run(Event::Together { steps: paths }).await
            };
            opened.map_err(|failure| vec![self.stop_at(failure)])?;
        }
        let extend = self.extend.take();
        let lanes = steps.iter().map(|step| {
            let mut lane = self.lane();
            // The time that a person gives is for what the run had stopped in.
            lane.extend = extend.filter(|_| lane.awaits(step));
            async move { lane.go(step).await }
        });
        let stops: Vec<Stop> = join_all(lanes).await.into_iter().flatten().collect();
        self.journal.catch_up().await;
        if stops.is_empty() { Ok(()) } else { Err(stops) }
    }

    /// Whether there is something to do in them: all that isn't over while nothing has failed, then what is under way.
    fn is_anything_left(&self, steps: &[Step]) -> bool {
        let state = &self.journal.state;
        let mut actions = steps.iter().flat_map(|step| &step.actions);
        actions.any(|planned| {
            let known = self.journal.facts.action(&planned.id);
            let is_over = known.is_some_and(|known| known.over.is_some());
            !is_over && (state.phase == Phase::Running || state.is_current(&planned.id))
        })
    }

    /// Whether the run had stopped in an `await` of a step.
    fn awaits(&self, step: &Step) -> bool {
        let current = self.journal.state.current_of(&step.path);
        step.actions.iter().any(|planned| {
            Some(&planned.id) == current && matches!(planned.action, Action::Await { .. })
        })
    }

    /// Another one who performs, with a hand of their own on the journal.
    fn lane(&self) -> Performer<'_> {
        Performer {
            world: self.world,
            plan: self.plan,
            plan_hash: self.plan_hash.clone(),
            journal: self.journal.share(),
            interrupt: self.interrupt.clone(),
            observer: self.observer.clone(),
            hooks: self.hooks.clone(),
            operator: self.operator.clone(),
            extend: None,
            is_resumed: self.is_resumed,
            began: self.began,
            _lease: None,
        }
    }

    /// Performs one of them; says where it stopped, if it did.
    async fn go(&mut self, step: &Step) -> Option<Stop> {
        let failure = self.step(step).await.err()?;
        self.journal.halt().await;
        Some(Stop {
            action: self.journal.state.current_of(&step.path).cloned(),
            failure,
        })
    }
}
