//! The protocol around everything that changes the world: probe, intent, send, probe, outcome.
//!
//! What an effect is (how it is recognised, what is sent) stands in `action`; when it may be sent, and what becomes of
//! it, is decided here alone.

use super::failure::{Class, Failure};
use super::performer::{Performer, Scene};
use crate::ids::{StepPath, VersionId};
use crate::journal::{Decision, Event, How, Intent, Observation, Outcome, Proof};
use crate::plan::PlannedAction;
use crate::ports::{PortError, PortErrorKind, Sent};
use crate::run::Point;
use crate::value::Value;
use async_trait::async_trait;
use std::time::Duration;

/// A call that changes something.
#[async_trait]
pub(crate) trait Effect: Send {
    /// The service's own name of it.
    fn call(&self) -> &'static str;

    /// On what.
    fn target(&self) -> String;

    /// What it does, for messages: ``setting the master password of `x` ``.
    fn doing(&self) -> String;

    /// Where a person should look if its outcome can't be decided.
    fn look_at(&self) -> String;

    /// Whether its only identity is a name, of which nothing existed before.
    fn is_known_by_name(&self) -> bool {
        false
    }

    /// Its request token, where the service has one. The same for all attempts that follow an intent that names it.
    fn token(&self, _scene: &Scene<'_>) -> Option<VersionId> {
        None
    }

    /// What was chosen for it, so that a later attempt chooses the same.
    fn choice(&self) -> Option<Value> {
        None
    }

    /// For how long after an intent its effect may still come to be seen.
    fn grace(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Whether it is done.
    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure>;

    /// Reads what the call needs. Changes nothing.
    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure>;

    /// Sends the one call.
    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError>;

    /// What was read before the call that is worth keeping, whatever becomes of it; taken once, after [`Effect::prepare`].
    fn observations(&mut self) -> Vec<Observation> {
        Vec::new()
    }

    /// For how long a state that doesn't allow the call is sat out.
    fn patience(&self) -> Duration {
        INVALID_STATE
    }

    /// What it means that the call was refused.
    fn explain(&mut self, error: PortError) -> Failure {
        error.into()
    }

    /// What it means that an accepted call has no effect after the plan's upper bound; absent: nobody can tell.
    fn overdue(&mut self, _waited: Duration, _seen: &str) -> Option<Failure> {
        None
    }
}

/// What is known to have been sent when something is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nothing.
    Nothing,
    /// A call may have been sent, at that time.
    Intent(jiff::Timestamp),
    /// A call was accepted.
    Accepted,
}

/// What a probe found.
#[derive(Debug)]
pub(crate) enum Probe {
    /// It is done.
    Done {
        detail: String,
        proof: Option<Proof>,
    },
    /// It isn't.
    Undone(String),
    /// Something is under way: it will be one or the other.
    Pending(String),
    /// Somebody else's doing stands in the way.
    Foreign(Failure),
    /// It may be left out.
    Skip(String),
    /// It can't be seen: a person must say what they found.
    Unseen(String),
}

enum Settled {
    Done(String, Option<Proof>),
    Undone,
    Failed(Failure),
    Skip(String),
    Undecided(String),
    /// It can't be seen, however long one looks.
    Unseen(String),
}

/// What a send came to.
enum Answer {
    Accepted,
    /// It may have been applied, or something of its name is there already.
    Unclear(PortError),
}

/// For how long an action is waited for of which the plan says nothing.
const UNBOUNDED: Duration = Duration::from_secs(900);
/// How often one call of the run sends the same effect, counting only those that may have been lost.
const ATTEMPTS: u32 = 3;
/// For how long throttling is sat out.
const THROTTLED: Duration = Duration::from_secs(180);
/// For how long a state that doesn't allow the call is sat out.
const INVALID_STATE: Duration = Duration::from_secs(600);

impl Performer<'_> {
    /// Performs an effect up to its last record, which is returned.
    pub(crate) async fn effect(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        mut effect: Box<dyn Effect + '_>,
    ) -> Result<Event, Failure> {
        let known = self.journal.facts.action(&planned.id).cloned();
        let known = known.unwrap_or_default();
        let decision = known.resolved;
        if let Some((Decision::Failed, by, reason)) = decision {
            return Err(Failure::DecidedByHand { by, reason });
        }
        let said = decision.as_ref();
        let said = said.map_or(String::new(), |(_, by, reason)| format!("{by}: {reason}"));
        let decision = decision.map(|(decision, ..)| decision);
        let mut since = match known.intent {
            Some((_, at)) => Since::Intent(at),
            None => Since::Nothing,
        };
        let mut last: Option<PortError> = None;
        for _ in 0..ATTEMPTS {
            // Where a person has looked it needs no more time to be seen.
            let grace = match decision {
                Some(_) if last.is_none() => Duration::ZERO,
                _ => effect.grace(),
            };
            let found = self.settle(planned, effect.as_mut(), since, grace).await?;
            let by_hand = last.is_none() && decision == Some(Decision::Done);
            match found {
                Settled::Done(detail, proof) => {
                    let how = match since {
                        _ if by_hand => How::ByHand,
                        Since::Nothing => How::AlreadySo,
                        Since::Intent(_) => How::Adopted,
                        Since::Accepted => How::Done,
                    };
                    return Ok(Event::Outcome(Outcome::Done { how, detail, proof }));
                }
                Settled::Skip(reason) => return Ok(Event::Skipped { reason }),
                Settled::Failed(failure) => return Err(failure),
                Settled::Undecided(seen) => return Err(undecidable(effect.as_ref(), &seen)),
                // Nobody but the person could see it, so their word is taken.
                Settled::Unseen(_) if by_hand => {
                    return Ok(Event::Outcome(Outcome::Done {
                        how: How::ByHand,
                        detail: said,
                        proof: None,
                    }));
                }
                Settled::Unseen(_) if last.is_none() && decision == Some(Decision::NotDone) => {}
                Settled::Unseen(seen) => return Err(undecidable(effect.as_ref(), &seen)),
                Settled::Undone if by_hand => {
                    return Err(undecidable(
                        effect.as_ref(),
                        "it was said to be done by hand, and it isn't so",
                    ));
                }
                Settled::Undone => {}
            }
            if let Some(error) = &last
                && matches!(
                    error.kind,
                    PortErrorKind::AlreadyExists | PortErrorKind::Conflict
                )
            {
                return Err(effect.explain(error.clone()));
            }
            let interrupt = self.interrupt.clone();
            interrupt
                .unless(1, false, effect.prepare(&self.scene(planned)))
                .await?;
            for observation in effect.observations() {
                let event = Event::Observed {
                    preflight: None,
                    observation,
                };
                self.record(step, planned, event).await?;
            }
            since = match self.send(step, planned, effect.as_mut()).await? {
                Answer::Accepted => {
                    last = None;
                    Since::Accepted
                }
                Answer::Unclear(error) => {
                    last = Some(error);
                    Since::Intent(self.world.clock.now())
                }
            };
            if since == Since::Accepted {
                return match self.settle(planned, effect.as_mut(), since, grace).await? {
                    Settled::Done(detail, proof) => Ok(Event::Outcome(Outcome::Done {
                        how: How::Done,
                        detail,
                        proof,
                    })),
                    Settled::Skip(reason) => Ok(Event::Skipped { reason }),
                    Settled::Failed(failure) => Err(failure),
                    Settled::Undecided(seen) | Settled::Unseen(seen) => {
                        Err(undecidable(effect.as_ref(), &seen))
                    }
                    Settled::Undone => Err(undecidable(effect.as_ref(), "it isn't so")),
                };
            }
        }
        // Lost again and again, and each time seen not to have been applied.
        Err(match last {
            Some(error) => effect.explain(error),
            None => Failure::Bug {
                message: format!("{} was never sent", effect.call()),
            },
        })
    }

    /// Probes until it is decided, or until it should have been.
    async fn settle(
        &mut self,
        planned: &PlannedAction,
        effect: &mut (dyn Effect + '_),
        since: Since,
        grace: Duration,
    ) -> Result<Settled, Failure> {
        // Before anything was sent the first press is enough; after it, only the second stops waiting.
        let (level, in_flight) = match since {
            Since::Nothing => (1, false),
            Since::Intent(_) | Since::Accepted => (2, true),
        };
        let bound = bound(planned);
        let began = self.world.clock.monotonic();
        let mut backoff = Backoff::new(Duration::from_secs(15));
        loop {
            let interrupt = self.interrupt.clone();
            let probe = interrupt
                .unless(level, in_flight, effect.probe(&self.scene(planned), since))
                .await?;
            let waited = self.world.clock.monotonic().saturating_sub(began);
            let seen = match probe {
                Probe::Done { detail, proof } => return Ok(Settled::Done(detail, proof)),
                Probe::Foreign(failure) => return Ok(Settled::Failed(failure)),
                Probe::Skip(reason) => return Ok(Settled::Skip(reason)),
                Probe::Unseen(seen) => return Ok(Settled::Unseen(seen)),
                Probe::Undone(seen) => {
                    let decided = match since {
                        Since::Nothing => true,
                        // One look right after an intent proves nothing.
                        Since::Intent(at) => self.age(at) >= grace,
                        Since::Accepted => false,
                    };
                    if decided {
                        return Ok(Settled::Undone);
                    }
                    seen
                }
                Probe::Pending(seen) => seen,
            };
            if waited >= bound {
                return Ok(match effect.overdue(waited, &seen) {
                    Some(failure) => Settled::Failed(failure),
                    None if in_flight => Settled::Undecided(seen),
                    None => Settled::Failed(Failure::Overdue {
                        doing: effect.doing(),
                        waited: waited.as_secs(),
                        seen,
                    }),
                });
            }
            self.tick(planned, seen, waited, Some(bound), None);
            let wait = backoff.next();
            self.interrupt
                .unless(level, in_flight, async {
                    self.world.clock.sleep(wait).await;
                    Ok(())
                })
                .await?;
        }
    }

    /// Journals the intent and sends, again only where the service said that it did nothing.
    async fn send(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        effect: &mut (dyn Effect + '_),
    ) -> Result<Answer, Failure> {
        if self.interrupt.level() >= 1 {
            return Err(Failure::Interrupted { in_flight: false });
        }
        let intent = Intent {
            call: effect.call().to_owned(),
            target: effect.target(),
            existed_before: effect.is_known_by_name().then_some(false),
            token: effect.token(&self.scene(planned)),
            choice: effect.choice(),
        };
        self.record(step, planned, Event::Intent(intent)).await?;
        let mut refused_since: Option<Duration> = None;
        let mut backoff = Backoff::new(Duration::from_secs(20));
        loop {
            let call = effect.call();
            self.hooks.reached(Point::BeforeSend(call)).await;
            // Dropped only by the second press; the intent is journaled, so `resume` finds out.
            let interrupt = self.interrupt.clone();
            let scene = self.scene(planned);
            let answer = interrupt
                .unless(2, true, async { Ok(effect.send(&scene).await) })
                .await?;
            self.hooks.reached(Point::AfterSend(call)).await;
            let error = match answer {
                Ok(()) => return Ok(Answer::Accepted),
                Err(error) => error,
            };
            // Not since it was sent: what is refused now may have worked for an hour.
            let now = self.world.clock.monotonic();
            let waited = now.saturating_sub(*refused_since.get_or_insert(now));
            let patience = match error.kind {
                PortErrorKind::AlreadySo => return Ok(Answer::Accepted),
                PortErrorKind::Throttled => THROTTLED,
                _ if error.sent == Sent::Maybe => return Ok(Answer::Unclear(error)),
                PortErrorKind::AlreadyExists | PortErrorKind::Conflict => {
                    return Ok(Answer::Unclear(error));
                }
                PortErrorKind::InvalidState => effect.patience(),
                _ => return Err(effect.explain(error)),
            };
            let patience = patience.min(bound(planned));
            if waited >= patience {
                return Err(effect.explain(error));
            }
            self.tick(planned, error.message.clone(), waited, Some(patience), None);
            let wait = self.jittered(backoff.next());
            // Nothing is in flight here: the first press is enough.
            self.interrupt
                .unless(1, false, async {
                    self.world.clock.sleep(wait).await;
                    Ok(())
                })
                .await?;
        }
    }

    /// For `abort`: what became of an effect that was under way, without sending anything.
    pub(crate) async fn decide(
        &mut self,
        planned: &PlannedAction,
        mut effect: Box<dyn Effect + '_>,
        otherwise: Failure,
    ) -> Result<Event, Failure> {
        let known = self.journal.facts.action(&planned.id);
        let Some((_, at)) = known.and_then(|known| known.intent.clone()) else {
            return Err(otherwise);
        };
        let grace = effect.grace();
        let settled = self
            .settle(planned, effect.as_mut(), Since::Intent(at), grace)
            .await;
        let settled = match settled {
            // A database that nobody reaches any more must not keep `on failure` from what it does elsewhere: a person may
            // say what became of it.
            Err(failure @ Failure::Port(_)) if failure.class() == Class::Suspends => {
                return Err(undecidable(effect.as_ref(), &failure.to_string()));
            }
            settled => settled?,
        };
        match settled {
            Settled::Done(detail, proof) => Ok(Event::Outcome(Outcome::Done {
                how: How::Adopted,
                detail,
                proof,
            })),
            Settled::Skip(reason) => Ok(Event::Skipped { reason }),
            Settled::Undone => Err(otherwise),
            Settled::Failed(failure) => Err(failure),
            Settled::Undecided(seen) | Settled::Unseen(seen) => {
                Err(undecidable(effect.as_ref(), &seen))
            }
        }
    }
}

/// How long an action may take to be in force: what the plan said to whoever reviewed it.
fn bound(planned: &PlannedAction) -> Duration {
    planned.upper_bound.map_or(UNBOUNDED, Duration::from_secs)
}

fn undecidable(effect: &(dyn Effect + '_), seen: &str) -> Failure {
    Failure::Undecidable {
        doing: effect.doing(),
        seen: seen.to_owned(),
        look_at: effect.look_at(),
    }
}

/// 50 ms, doubling up to a steady interval.
pub(crate) struct Backoff {
    next: Duration,
    steady: Duration,
}

impl Backoff {
    pub fn new(steady: Duration) -> Self {
        Self {
            next: Duration::from_millis(50).min(steady),
            steady,
        }
    }

    pub fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.next.saturating_mul(2).min(self.steady);
        wait
    }
}
