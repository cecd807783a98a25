//! Looking at conditions: once, or until they hold, for as long as somebody attends.

use super::{Once, Performed};
use crate::ids::StepPath;
use crate::journal::{Event, How, Observation, Outcome};
use crate::plan::{Expr, PlannedAction, Template};
use crate::run::{Class, Failure, Hope, Performer, Scene, evaluate, render};
use async_trait::async_trait;
use std::time::Duration;

/// Fails unless a condition holds.
pub(super) struct Assert<'a> {
    pub condition: &'a Expr,
    pub otherwise: Option<&'a Template>,
}

#[async_trait]
impl Once for Assert<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let mut look = scene.look();
        let seen = evaluate(&mut look, self.condition).await?;
        if seen.holds()? {
            return Ok(Performed::done(seen.text));
        }
        let message = match self.otherwise {
            Some(template) => Some(render(&mut look, template).await?),
            None => None,
        };
        Err(Failure::Assertion {
            statement: scene.planned.statement.clone(),
            message,
            seen: seen.text,
        })
    }
}

/// Reads a `let` on arrival.
pub(super) struct Observe<'a> {
    pub name: &'a str,
    pub expr: &'a Expr,
}

#[async_trait]
impl Once for Observe<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let seen = evaluate(&mut scene.look(), self.expr).await?;
        let mut performed = Performed::done(format!("{} = {}", self.name, seen.value));
        performed.observations.push(Observation::Binding {
            name: self.name.to_owned(),
            value: seen.value,
        });
        Ok(performed)
    }
}

/// Looks until a condition holds.
pub(crate) struct Wait<'a> {
    pub condition: &'a Expr,
    /// Seconds of attended time.
    pub within: u64,
    /// Seconds.
    pub every: u64,
}

/// For how long a failing look, or a state that bodes ill, is sat out before it is taken as final.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often unchanged observations are journaled at most: what a crash may give back of the attended time.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// What a look found.
enum Looked {
    Holds(String),
    NotYet(String, Option<(u64, u64)>),
    /// It won't, if it stays like this.
    Doubtful(String, Failure),
    Over(Failure),
}

impl Performer<'_> {
    /// Awaits a condition up to the action's last record, which is returned. Time counts only while this runs: what
    /// was attended before a suspension is in the journal.
    pub(crate) async fn wait(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        wait: Wait<'_>,
    ) -> Result<Event, Failure> {
        if let Some(seconds) = self.extend.take() {
            let by = self.operator.clone();
            self.record(step, planned, Event::Extended { seconds, by })
                .await?;
        }
        let known = self.journal.facts.action(&planned.id).cloned();
        let known = known.unwrap_or_default();
        let within = wait.within.saturating_add(known.extended);
        let mut watch = Watch {
            attended_before: Duration::from_millis(known.attended),
            began: self.world.clock.monotonic(),
            limit: Duration::from_secs(within),
            looks: 0,
            journaled: None,
            doubtful_since: None,
        };
        let mut backoff = Self::backoff(Duration::from_secs(wait.every.max(1)));
        loop {
            let looked = match self
                .interrupt
                .unless(1, false, self.look(planned, wait.condition))
                .await
            {
                Ok(looked) => looked,
                Err(failure) => return self.leave(step, planned, &mut watch, failure).await,
            };
            watch.looks = watch.looks.saturating_add(1);
            let attended = watch.attended(self.world.clock.monotonic());
            let (seen, done, doubt) = match looked {
                Looked::Holds(seen) => {
                    let detail = seen.clone();
                    self.see(step, planned, &mut watch, true, seen, true)
                        .await?;
                    return Ok(Event::Outcome(Outcome::Done {
                        how: How::Done,
                        detail,
                        proof: None,
                    }));
                }
                Looked::Over(failure) => {
                    return self.leave(step, planned, &mut watch, failure).await;
                }
                Looked::NotYet(seen, done) => (seen, done, None),
                Looked::Doubtful(seen, failure) => (seen, None, Some(failure)),
            };
            self.see(step, planned, &mut watch, false, seen.clone(), false)
                .await?;
            if let Some(failure) = watch.doubt(doubt, attended) {
                return self.leave(step, planned, &mut watch, failure).await;
            }
            if attended >= watch.limit {
                let failure = Failure::Deadline {
                    statement: planned.statement.clone(),
                    within,
                    seen,
                };
                return self.leave(step, planned, &mut watch, failure).await;
            }
            self.tick(planned, seen, attended, Some(watch.limit), done);
            // The last look is at the deadline, not after it.
            let pause = backoff.next().min(watch.limit.saturating_sub(attended));
            let slept = self
                .interrupt
                .unless(1, false, async {
                    self.world.clock.sleep(pause).await;
                    Ok(())
                })
                .await;
            if let Err(failure) = slept {
                return self.leave(step, planned, &mut watch, failure).await;
            }
        }
    }

    async fn look(&self, planned: &PlannedAction, condition: &Expr) -> Result<Looked, Failure> {
        let scene = self.scene(planned);
        let seen = match evaluate(&mut scene.look(), condition).await {
            Ok(seen) => seen,
            // A network or service that comes back is worth a moment; expired credentials are not.
            Err(failure) if failure.is_passing() => {
                return Ok(Looked::Doubtful(failure.to_string(), failure));
            }
            Err(failure) => return Ok(Looked::Over(failure)),
        };
        if seen.holds()? {
            return Ok(Looked::Holds(seen.text));
        }
        Ok(match seen.hope {
            Hope::Open => Looked::NotYet(seen.text, seen.done),
            Hope::Doubtful(failure) => Looked::Doubtful(seen.text, failure),
            Hope::Gone(failure) => Looked::Over(failure),
        })
    }

    /// Journals what was seen: first, when it changed, last, and from time to time.
    async fn see(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        watch: &mut Watch,
        holds: bool,
        seen: String,
        is_last: bool,
    ) -> Result<(), Failure> {
        let attended = watch.attended(self.world.clock.monotonic());
        let is_worth_it = match &watch.journaled {
            None => true,
            Some((before, at)) => {
                is_last || *before != seen || attended.saturating_sub(*at) >= CHECKPOINT
            }
        };
        if !is_worth_it {
            return Ok(());
        }
        watch.journaled = Some((seen.clone(), attended));
        let observation = Observation::Condition {
            holds,
            seen,
            attended: millis(attended),
            looks: watch.looks,
        };
        let event = Event::Observed {
            preflight: None,
            observation,
        };
        self.record(step, planned, event).await
    }

    /// Journals the attended time before the wait is left without its condition.
    async fn leave(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        watch: &mut Watch,
        failure: Failure,
    ) -> Result<Event, Failure> {
        if failure.class() != Class::Bug {
            let seen = match watch.journaled.take() {
                Some((seen, _)) => seen,
                None => failure.to_string(),
            };
            self.see(step, planned, watch, false, seen, true).await?;
        }
        Err(failure)
    }
}

struct Watch {
    attended_before: Duration,
    began: Duration,
    limit: Duration,
    looks: u32,
    journaled: Option<(String, Duration)>,
    doubtful_since: Option<Duration>,
}

impl Watch {
    fn attended(&self, now: Duration) -> Duration {
        self.attended_before
            .saturating_add(now.saturating_sub(self.began))
    }

    /// The doubt, if it has lasted.
    fn doubt(&mut self, doubt: Option<Failure>, attended: Duration) -> Option<Failure> {
        let Some(failure) = doubt else {
            self.doubtful_since = None;
            return None;
        };
        let since = *self.doubtful_since.get_or_insert(attended);
        (attended.saturating_sub(since) >= PATIENCE).then_some(failure)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
