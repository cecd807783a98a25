//! How long a plan may take at most.

use super::{PlannedAction, Step};
use crate::value::duration_text;

/// Upper bounds of actions, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Seconds of what is bounded.
    pub seconds: u64,
    /// How many actions wait for a person, for as long as that takes.
    pub people: usize,
}

impl Bound {
    /// Of actions that are done one after the other; of the ways of an `if`, the longest counts.
    pub fn of<'a>(actions: impl IntoIterator<Item = &'a PlannedAction>) -> Self {
        let actions: Vec<_> = actions.into_iter().collect();
        Self::at_depth(&actions, 0)
    }

    /// Of actions that share their first `depth` guards.
    fn at_depth(actions: &[&PlannedAction], depth: usize) -> Self {
        let guard = |planned: &PlannedAction| planned.only_if.get(depth).cloned();
        let decision = |planned: &PlannedAction| guard(planned).map(|guard| guard.decision);
        let together = |left: &&PlannedAction, right: &&PlannedAction| {
            decision(left).is_some() && decision(left) == decision(right)
        };
        let mut sum = Self::default();
        // What is done in an `if` stands together.
        for group in actions.chunk_by(together) {
            let Some(first) = group.first() else { continue };
            if decision(first).is_none() {
                sum = sum.and(Self::of_one(first));
                continue;
            }
            let [then, otherwise] = [true, false].map(|holds| {
                let way = group.iter().copied();
                let way: Vec<_> = way
                    .filter(|planned| guard(planned).is_some_and(|guard| guard.holds == holds))
                    .collect();
                Self::at_depth(&way, depth + 1)
            });
            sum = sum.and(Self {
                seconds: then.seconds.max(otherwise.seconds),
                people: then.people.max(otherwise.people),
            });
        }
        sum
    }

    fn of_one(planned: &PlannedAction) -> Self {
        match planned.upper_bound {
            Some(seconds) => Self { seconds, people: 0 },
            None => Self {
                seconds: 0,
                people: 1,
            },
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.saturating_add(other.seconds),
            people: self.people + other.people,
        }
    }

    /// Of steps: those that are done together take as long as the longest of them.
    pub fn of_steps(steps: &[Step]) -> Self {
        let together =
            |left: &Step, right: &Step| left.parallel.is_some() && left.parallel == right.parallel;
        steps
            .chunk_by(together)
            .map(|group| {
                let each = group.iter().map(|step| Self::of(&step.actions));
                each.fold(Self::default(), |longest, step| Self {
                    seconds: longest.seconds.max(step.seconds),
                    people: longest.people + step.people,
                })
            })
            .fold(Self::default(), Self::and)
    }
}

impl std::fmt::Display for Bound {
    /// `at most 1h47m and as long as a person takes`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.seconds, self.people) {
            (0, 0) => f.write_str("at once"),
            (0, _) => f.write_str("as long as a person takes"),
            (seconds, 0) => write!(f, "at most {}", duration_text(seconds)),
            (seconds, _) => write!(
                f,
                "at most {} and as long as a person takes",
                duration_text(seconds)
            ),
        }
    }
}
