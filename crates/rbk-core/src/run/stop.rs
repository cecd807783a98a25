//! How a run comes to its end, or to a stop on its way: what is written last, and what it returns.

use super::ending::EndingKind;
use super::failure::{Class, Failure};
use super::performer::{Performer, Stop};
use crate::journal::{Entry, Event, Failed};

impl Performer<'_> {
    /// The end of a run that nothing stopped: all is done, or `on failure` and the cleanup are.
    pub(super) async fn end(&mut self) -> (EndingKind, u8, Vec<Failed>) {
        let facts = &self.journal.facts;
        let (kind, exit_code) = match &facts.first {
            None => (EndingKind::Done, 0),
            Some(Failed {
                failure: Failure::Aborted { .. },
                ..
            }) => {
                let second = facts.second.as_ref();
                let code = second.map_or(0, |second| second.failure.exit_code());
                (EndingKind::Aborted, code)
            }
            Some(first) => (EndingKind::Failed, first.failure.exit_code()),
        };
        let end = Event::End {
            kind,
            exit_code,
            first: facts.first.clone(),
            second: facts.second.clone(),
            more: facts.more.clone(),
        };
        match self.record_of_run(end).await {
            Ok(()) => (kind, exit_code, Vec::new()),
            // All is done, but the journal doesn't say so: resume will.
            Err(failure) => {
                let code = failure.exit_code();
                let stop = self.stop_at(failure);
                (EndingKind::Suspended, code, vec![self.failed(stop)])
            }
        }
    }

    /// The end, or suspension, of a run that was stopped on its way; where steps are done together, by one failure each.
    pub(super) async fn stop(
        &mut self,
        mut stops: Vec<Stop>,
        as_kind: Option<EndingKind>,
    ) -> (EndingKind, u8, Vec<Failed>) {
        // The gravest decides what kind of stop it is, and is told first.
        stops.sort_by_key(|stop| gravity(stop.failure.class()));
        let Some(first) = stops.first() else {
            return self.end().await;
        };
        let exit_code = first.failure.exit_code();
        let kind = match first.failure.class() {
            Class::Interrupted => EndingKind::Interrupted,
            class => as_kind.unwrap_or(match class {
                // Only preflight gets here with one: a failed action is an outcome, and `on failure` follows it.
                Class::Decided => EndingKind::Failed,
                Class::Suspends | Class::Bug => EndingKind::Suspended,
                Class::Interrupted => EndingKind::Interrupted,
                Class::Undecidable => EndingKind::Undecided,
            }),
        };
        // A step that stopped between two actions has nothing to say where another one stopped within one.
        let is_within = stops.iter().any(|stop| stop.action.is_some());
        let stops: Vec<Stop> = stops
            .into_iter()
            .enumerate()
            .filter(|(index, stop)| *index == 0 || stop.action.is_some() == is_within)
            .map(|(_, stop)| stop)
            .collect();
        let mut all = Vec::with_capacity(stops.len());
        for stop in stops {
            self.tell(&stop, kind, exit_code, is_within).await;
            let failed = self.failed(stop);
            if !all.contains(&failed) {
                all.push(failed);
            }
        }
        (kind, exit_code, all)
    }

    /// Writes down where it stopped, and why.
    async fn tell(&mut self, stop: &Stop, kind: EndingKind, exit_code: u8, is_within: bool) {
        let failed = self.failed(Stop {
            action: stop.action.clone(),
            failure: stop.failure.clone(),
        });
        let failure = failed.failure.clone();
        let event = match (kind, failure.class()) {
            (EndingKind::Failed, _) => Event::End {
                kind,
                exit_code,
                first: Some(failed.clone()),
                second: None,
                more: Vec::new(),
            },
            (_, Class::Undecidable) => Event::Unknown { failure },
            _ if is_within && stop.action.is_none() => return,
            _ => {
                let id = failed.action.as_ref();
                let known = id.and_then(|id| self.journal.facts.action(id));
                let attended = known.map_or(0, |known| known.attended);
                Event::Suspended { failure, attended }
            }
        };
        let attempt = failed
            .action
            .as_ref()
            .and_then(|id| self.journal.state.actions.get(id))
            .map_or(0, |state| state.attempt());
        let entry = Entry {
            step: failed.step,
            action: failed.action,
            attempt,
            event,
        };
        // Where it was the journal that failed there is nothing left to write to; the records that are there are enough.
        if let Err(error) = self.journal.record(entry).await {
            tracing::warn!(%error, "the journal doesn't say how the run stopped");
        }
    }

    /// A failure, at the action that is under way.
    pub(super) fn stop_at(&self, failure: Failure) -> Stop {
        let current = self.journal.state.current.first();
        Stop {
            action: current.map(|current| current.action.clone()),
            failure,
        }
    }

    pub(super) fn failed(&self, stop: Stop) -> Failed {
        let step = stop.action.as_ref().and_then(|id| self.step_of(id));
        Failed {
            step,
            action: stop.action,
            failure: stop.failure,
        }
    }
}

/// The gravest first.
fn gravity(class: Class) -> u8 {
    match class {
        Class::Bug => 0,
        Class::Undecidable => 1,
        Class::Decided => 2,
        Class::Suspends => 3,
        Class::Interrupted => 4,
    }
}
