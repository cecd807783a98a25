//! Which record may follow which: one table, used by the live run and by replay.

use super::event::{Decision, Entry, Event, Outcome};
use crate::ids::ActionId;
use std::collections::BTreeMap;
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
    /// The action that isn't over.
    pub current: Option<ActionId>,
    /// All actions that were begun.
    pub actions: BTreeMap<ActionId, ActionState>,
    /// How many actions failed, an abort included.
    pub failures: u8,
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
        let is_current = action.is_some() && self.current.as_ref() == action;
        let mut after = self.clone();
        let mut set = |state: ActionState| {
            if let Some(id) = action {
                after.current = (!matches!(state, Over { .. })).then(|| id.clone());
                after.actions.insert(id.clone(), state);
            }
        };

        match (self.phase, &entry.event) {
            (Empty, Event::Header(_)) => after.phase = Preflight,
            (Preflight | Running | Failing | CleaningUp, Event::Lease(_)) => {
                after.epoch += 1;
                after.open = true;
            }
            // All others need an open epoch.
            _ if !self.open => return Err(illegal()),
            (Preflight, Event::Observed { preflight, .. }) if preflight.is_some() => {}
            (Preflight, Event::Ready) => after.phase = Running,
            (Running | Failing | CleaningUp, event) if action.is_some() => match (event, before) {
                // Also after a failure in `on failure`: what stands behind it is done all the same.
                (Event::Started, None) if self.current.is_none() => set(Started),
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
                (Event::Suspended { .. }, _) => after.open = false,
                (Event::Intent(_), Some(Started | Intended { .. } | Resolved { .. })) => {
                    let attempt = before.map_or(0, ActionState::attempt) + 1;
                    if entry.attempt != attempt {
                        return Err(illegal());
                    }
                    set(Intended { attempt });
                }
                (Event::Unknown { .. }, Some(Intended { attempt } | Resolved { attempt, .. })) => {
                    after.open = false;
                    after
                        .actions
                        .extend(action.map(|id| (id.clone(), Unknown { attempt })));
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
                if self.current.is_none() =>
            {
                after.open = false;
            }
            (Failing, Event::CleaningUp) if self.current.is_none() => after.phase = CleaningUp,
            (Preflight | Running, Event::Aborted { .. }) if self.current.is_none() => {
                after.phase = Failing;
                after.failures = after.failures.saturating_add(1);
            }
            (Preflight | Running | Failing | CleaningUp, Event::End { .. })
                if self.current.is_none() =>
            {
                after.phase = Ended;
                after.open = false;
            }
            _ => return Err(illegal()),
        }
        Ok(after)
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
