//! How far something is that takes its time, told to whoever watches, and not more often than an eye can follow.

use super::options::{Observer, Tick};
use crate::plan::PlannedAction;
use crate::ports::{Clock, Progress};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often it is passed on at most.
const EVERY: Duration = Duration::from_millis(200);

/// Passes on what one action tells.
pub(crate) struct Ticker<'a> {
    observer: &'a dyn Observer,
    clock: &'a dyn Clock,
    planned: &'a PlannedAction,
    began: Duration,
    told: Mutex<Option<Duration>>,
}

impl<'a> Ticker<'a> {
    pub fn new(
        observer: &'a dyn Observer,
        clock: &'a dyn Clock,
        planned: &'a PlannedAction,
        began: Duration,
    ) -> Self {
        Self {
            observer,
            clock,
            planned,
            began,
            told: Mutex::new(None),
        }
    }

    /// Whether it is worth telling; then it counts as told.
    fn is_due(&self, now: Duration, is_last: bool) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = is_last || told.is_none_or(|told| now.saturating_sub(told) >= EVERY);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

impl Clone for Ticker<'_> {
    fn clone(&self) -> Self {
        Self::new(self.observer, self.clock, self.planned, self.began)
    }
}

impl Progress for Ticker<'_> {
    fn tell(&self, seen: &str, done: u64, total: u64) {
        let now = self.clock.monotonic();
        if self.is_due(now, total > 0 && done >= total) {
            self.observer.tick(&Tick {
                action: self.planned.id.clone(),
                seen: seen.to_owned(),
                elapsed: now.saturating_sub(self.began),
                limit: self.planned.upper_bound.map(Duration::from_secs),
                done: (total > 0).then_some((done, total)),
            });
        }
    }
}

/// Nobody watches: preflight, and looks without a run.
pub(crate) struct Unwatched;

impl Progress for Unwatched {
    fn tell(&self, _seen: &str, _done: u64, _total: u64) {}
}
