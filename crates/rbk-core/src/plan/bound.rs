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
    /// Of actions that are done one after the other.
    pub fn of<'a>(actions: impl IntoIterator<Item = &'a PlannedAction>) -> Self {
        actions
            .into_iter()
            .fold(Self::default(), |sum, planned| match planned.upper_bound {
                Some(seconds) => Self {
                    seconds: sum.seconds.saturating_add(seconds),
                    ..sum
                },
                None => Self {
                    people: sum.people + 1,
                    ..sum
                },
            })
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
            .fold(Self::default(), |sum, group| Self {
                seconds: sum.seconds.saturating_add(group.seconds),
                people: sum.people + group.people,
            })
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
