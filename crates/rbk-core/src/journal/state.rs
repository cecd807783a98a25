//! Which record may follow which: one table, used by the live run and by replay.

use super::event::{Decision, Entry, Event, Outcome};
use crate::ids::{ActionId, StepPath};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Where a run is, as far as legality is concerned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// The phase.
    pub phase: Phase,
    /// How many times the lease was taken.
    pub epoch: u64,
    /// Whether the last epoch is still open: nothing said that it stopped.
    pub open: bool,
    /// The actions that aren't over, in the order in which they were begun: one, or one of each step that is done together.
    pub current: Vec<Current>,
    /// The steps that are done together.
    pub together: Vec<StepPath>,
    /// The actions at which this epoch stopped.
    pub stopped: Vec<ActionId>,
    /// All actions that were begun.
    pub actions: BTreeMap<ActionId, ActionState>,
    /// How many actions failed, an abort included.
    pub failures: u8,
}

/// An action that isn't over, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The step; absent in `on failure` and the cleanup.
    pub step: Option<StepPath>,
    /// The action.
    pub action: ActionId,
}

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// No record yet.
    #[default]
    Empty,
    /// Nothing may be changed yet.
    Preflight,
    /// In the steps.
    Running,
    /// In `on failure`.
    Failing,
    /// Behind `on failure`: what the run made for its own use is removed.
    CleaningUp,
    /// Over.
    Ended,
}

/// Where an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionState {
    /// Begun; no call was sent yet.
    Started,
    /// A call may have been sent.
    Intended {
        /// From 1.
        attempt: u32,
    },
    /// A call was sent, and nobody can tell what became of it.
    Unknown {
        /// From 1.
        attempt: u32,
    },
    /// A person said what became of it.
    Resolved {
        /// From 1.
        attempt: u32,
        /// What they said.
        decision: Decision,
    },
    /// Over.
    Over {
        /// Whether it failed.
        failed: bool,
    },
}

impl ActionState {
    /// How many intents there were.
    pub fn attempt(self) -> u32 {
        match self {
            ActionState::Started | ActionState::Over { .. } => 0,
            ActionState::Intended { attempt }
            | ActionState::Unknown { attempt }
            | ActionState::Resolved { attempt, .. } => attempt,
        }
    }
}

/// A record that may not stand where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{event}` can't follow {place}")]
pub struct Illegal {
    /// The record's type.
    pub event: &'static str,
    /// Where the run is.
    pub place: String,
}

impl State {
    /// The state after a record, or why it may not follow.
    pub fn next(&self, entry: &Entry) -> Result<State, Illegal> {
        use ActionState::{Intended, Over, Resolved, Started, Unknown};
        use Phase::{CleaningUp, Empty, Ended, Failing, Preflight, Running};

        let illegal = || Illegal {
            event: entry.event.name(),
            place: self.describe(entry),
        };
        let action = entry.action.as_ref();
        let before = action.and_then(|id| self.actions.get(id)).copied();
        let is_current = action.is_some_and(|id| self.is_current(id));
        let mut after = self.clone();
        let mut set = |state: ActionState| {
            let Some(id) = action else { return };
            if matches!(state, Over { .. }) {
                after.current.retain(|current| current.action != *id);
            } else if !self.is_current(id) {
                after.current.push(Current {
                    step: entry.step.clone(),
                    action: id.clone(),
                });
            }
            after.actions.insert(id.clone(), state);
        };

        match (self.phase, &entry.event) {
            (Empty, Event::Header(_)) => after.phase = Preflight,
            (Preflight | Running | Failing | CleaningUp, Event::Lease(_)) => {
                after.epoch += 1;
                after.open = true;
                after.stopped.clear();
            }
            // All others need an open epoch; but steps that are done together stop one by one.
            _ if !self.open && !self.stops_too(entry) => return Err(illegal()),
            (Preflight, Event::Observed { preflight, .. }) if preflight.is_some() => {}
            (Preflight, Event::Ready) => after.phase = Running,
            (Running, Event::Together { steps })
                if action.is_none() && self.current.is_empty() && are_several(steps) =>
            {
                after.together.clone_from(steps);
            }
            (Running | Failing | CleaningUp, event) if action.is_some() => match (event, before) {
                // Also after a failure in `on failure`: what stands behind it is done all the same.
                (Event::Started, None) if self.current.is_empty() => {
                    let is_together = |step| self.together.contains(step);
                    set(Started);
                    // Whatever else is begun, what was done together is over.
                    if self.phase != Running || !entry.step.as_ref().is_some_and(is_together) {
                        after.together.clear();
                    }
                }
                // Another of the steps that are done together.
                (Event::Started, None) if self.phase == Running && self.may_join(entry) => {
                    set(Started);
                }
                // Gone on with after a resume.
                (Event::Started, Some(state)) if is_current => set(state),
                _ if !is_current => return Err(illegal()),
                (
                    Event::Observed {
                        preflight: None, ..
                    }
                    | Event::Extended { .. },
                    _,
                ) => {}
                (Event::Suspended { .. }, _) => {
                    after.open = false;
                    after.stopped.extend(action.cloned());
                }
                (Event::Intent(_), Some(Started | Intended { .. } | Resolved { .. })) => {
                    let attempt = before.map_or(0, ActionState::attempt) + 1;
                    if entry.attempt != attempt {
                        return Err(illegal());
                    }
                    set(Intended { attempt });
                }
                (Event::Unknown { .. }, Some(Intended { attempt } | Resolved { attempt, .. })) => {
                    set(Unknown { attempt });
                    after.open = false;
                    after.stopped.extend(action.cloned());
                }
                (Event::Resolved { decision, .. }, Some(Unknown { attempt })) => set(Resolved {
                    attempt,
                    decision: *decision,
                }),
                (
                    Event::Outcome(Outcome::Failed { .. }),
                    Some(Started | Intended { .. } | Resolved { .. }),
                ) => {
                    set(Over { failed: true });
                    if self.phase == Running {
                        after.phase = Failing;
                    }
                    after.failures = after.failures.saturating_add(1);
                }
                (
                    Event::Outcome(Outcome::Done { .. }),
                    Some(Started | Intended { .. } | Resolved { .. }),
                )
                | (Event::Skipped { .. }, Some(Started | Intended { .. } | Resolved { .. }))
                | (Event::Approved { .. }, Some(Started)) => set(Over { failed: false }),
                _ => return Err(illegal()),
            },
            (Preflight | Running | Failing | CleaningUp, Event::Suspended { .. })
                if self.current.is_empty() =>
            {
                after.open = false;
            }
            (Failing, Event::CleaningUp) if self.current.is_empty() => after.phase = CleaningUp,
            (Preflight | Running, Event::Aborted { .. }) if self.current.is_empty() => {
                after.phase = Failing;
                after.failures = after.failures.saturating_add(1);
            }
            (Preflight | Running | Failing | CleaningUp, Event::End { .. })
                if self.current.is_empty() =>
            {
                after.phase = Ended;
                after.open = false;
            }
            _ => return Err(illegal()),
        }
        Ok(after)
    }

    /// Whether an action isn't over.
    pub fn is_current(&self, action: &ActionId) -> bool {
        self.current.iter().any(|current| current.action == *action)
    }

    /// The action of a step that isn't over.
    pub fn current_of(&self, step: &StepPath) -> Option<&ActionId> {
        let mut all = self.current.iter();
        let found = all.find(|current| current.step.as_ref() == Some(step));
        found.map(|current| &current.action)
    }

    /// Whether an action of one more of the steps that are done together is begun.
    fn may_join(&self, entry: &Entry) -> bool {
        let is_together = |step: &StepPath| self.together.contains(step);
        let are_all = self
            .current
            .iter()
            .all(|current| current.step.as_ref().is_some_and(is_together));
        are_all
            && entry
                .step
                .as_ref()
                .is_some_and(|step| is_together(step) && self.current_of(step).is_none())
    }

    /// Whether one more of the steps that are done together stops, where another one has stopped the epoch.
    fn stops_too(&self, entry: &Entry) -> bool {
        let is_stop = matches!(entry.event, Event::Suspended { .. } | Event::Unknown { .. });
        let is_new = |id: &ActionId| self.is_current(id) && !self.stopped.contains(id);
        is_stop
            && !self.together.is_empty()
            && !self.stopped.is_empty()
            && entry.action.as_ref().is_some_and(is_new)
    }

    fn describe(&self, entry: &Entry) -> String {
        let phase = match self.phase {
            Phase::Empty => "an empty journal",
            Phase::Ended => "the end",
            _ if !self.open => "a suspension",
            Phase::Preflight => "preflight",
            Phase::Running => "a step",
            Phase::Failing => "`on failure`",
            Phase::CleaningUp => "the cleanup",
        };
        match &entry.action {
            Some(action) => match self.actions.get(action) {
                Some(state) => format!("{phase}, where action `{action}` is {state:?}"),
                None => format!("{phase}, where action `{action}` was not begun"),
            },
            None => phase.to_owned(),
        }
    }
}

/// Whether they are at least two, and all different.
fn are_several(steps: &[StepPath]) -> bool {
    let different: BTreeSet<&StepPath> = steps.iter().collect();
    steps.len() >= 2 && different.len() == steps.len()
}
