//! Performs a plan from where its journal stands to where it ends.

use super::effect::Backoff;
use super::ending::{Ending, EndingKind};
use super::failure::{Class, Failure};
use super::guard;
use super::look::Look;
use super::options::{Hooks, Interrupt, Observer, Tick};
use super::ticker::Ticker;
use crate::action::{self, Kind};
use crate::ids::{ActionId, ApplicationName, DatabaseName, RunId, StepPath};
use crate::journal::{Entry, Event, Facts, Failed, Journal, JournalError, Outcome, Phase};
use crate::lease::Lease;
use crate::plan::{Action, Plan, PlannedAction, Step};
use crate::ports::{Marker, World};
use crate::status;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Performer<'a> {
    pub world: &'a World,
    pub plan: &'a Plan,
    pub plan_hash: String,
    pub journal: Journal,
    pub interrupt: Interrupt,
    pub observer: Arc<dyn Observer>,
    pub hooks: Arc<dyn Hooks>,
    pub operator: String,
    /// Seconds, given to the first await that is performed.
    pub extend: Option<u64>,
    /// Whether an earlier epoch has proven who we are: the credentials may be others now.
    pub is_resumed: bool,
    /// When the action that is performed was begun, on the clock that never goes back.
    pub began: Duration,
    /// Held for as long as this lives; absent for one of several steps that are done together.
    pub _lease: Option<Box<dyn Lease>>,
}

/// What stopped a run on its way, and at which action.
pub(crate) struct Stop {
    pub action: Option<ActionId>,
    pub failure: Failure,
}

/// What an action sees.
pub(crate) struct Scene<'s> {
    pub world: &'s World,
    pub plan: &'s Plan,
    pub plan_hash: &'s str,
    pub facts: &'s Facts,
    pub run: &'s RunId,
    /// How many times the run was begun or resumed.
    pub epoch: u64,
    pub planned: &'s PlannedAction,
    pub ticker: Ticker<'s>,
}

impl<'s> Scene<'s> {
    pub fn look(&self) -> Look<'s> {
        Look::new(self.world, self.plan, self.facts).told(self.ticker.clone())
    }

    /// The identity of what the action changes in a database.
    pub fn marker(&self, part: Option<String>) -> Marker {
        Marker {
            run: self.run.clone(),
            action: self.planned.id.clone(),
            part,
            epoch: self.epoch,
        }
    }
}

impl Performer<'_> {
    /// Performs what is left, writes the last record, and says how it ended.
    pub async fn perform(mut self) -> Ending {
        let (kind, exit_code, stopped) = match self.prove_identity_again().await {
            // With other credentials the run isn't over, it just can't go on.
            Err(failure) => {
                let stops = vec![self.stop_at(failure)];
                self.stop(stops, Some(EndingKind::Suspended)).await
            }
            Ok(()) => match self.phases().await {
                Ok(()) => self.end().await,
                Err(stops) => self.stop(stops, None).await,
            },
        };
        self.ending(kind, exit_code, stopped)
    }

    /// The ending of a run that a failure stops before anything was performed.
    pub async fn stopped(mut self, failure: Failure) -> Ending {
        let kind = match failure.class() {
            Class::Decided => Some(EndingKind::Suspended),
            _ => None,
        };
        let stops = vec![self.stop_at(failure)];
        let (kind, exit_code, stopped) = self.stop(stops, kind).await;
        self.ending(kind, exit_code, stopped)
    }

    /// What failed for good, in the order in which it did; then what only stopped the run, if that is something else.
    fn ending(&self, kind: EndingKind, exit_code: u8, stopped: Vec<Failed>) -> Ending {
        let facts = &self.journal.facts;
        let decided = [facts.first.clone(), facts.second.clone()];
        let mut all: Vec<Failed> = decided.into_iter().flatten().collect();
        all.extend(facts.more.iter().cloned());
        for stopped in stopped {
            if !all.contains(&stopped) {
                all.push(stopped);
            }
        }
        let mut all = all.into_iter();
        let (first, second) = (all.next(), all.next());
        let situation = status::situation(self.plan, &self.journal.facts, &self.journal.run, kind);
        Ending {
            run: self.journal.run.clone(),
            kind,
            exit_code,
            first,
            second,
            more: all.collect(),
            entities: situation.entities,
            by_hand: situation.by_hand,
        }
    }

    async fn prove_identity_again(&self) -> Result<(), Failure> {
        if self.is_resumed {
            let proof = self.prove_identity();
            self.interrupt.unless(1, false, proof).await?;
        }
        Ok(())
    }

    async fn phases(&mut self) -> Result<(), Vec<Stop>> {
        if self.journal.state.phase == Phase::Preflight {
            let ready = self.make_ready().await;
            ready.map_err(|failure| vec![self.stop_at(failure)])?;
        }
        let plan = self.plan;
        for steps in plan.steps.chunk_by(Step::is_beside) {
            match steps {
                [step] => {
                    let done = self.step(step).await;
                    done.map_err(|failure| vec![self.stop_at(failure)])?;
                }
                steps => self.together(steps).await?,
            }
        }
        let undone = self.undo().await;
        undone.map_err(|failure| vec![self.stop_at(failure)])
    }

    async fn make_ready(&mut self) -> Result<(), Failure> {
        self.preflight().await?;
        self.record_of_run(Event::Ready).await
    }

    /// Performs what is left of a step: after a failure beside it only the action that is under way.
    pub(crate) async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        for planned in &step.actions {
            let state = &self.journal.state;
            if state.phase == Phase::Running || state.is_current(&planned.id) {
                self.action(Some(&step.path), planned).await?;
            }
        }
        Ok(())
    }

    /// `on failure` and the cleanup, where something failed.
    async fn undo(&mut self) -> Result<(), Failure> {
        let plan = self.plan;
        // Where no action was begun there is nothing to undo.
        let is_begun = !self.journal.state.actions.is_empty();
        if self.journal.state.phase == Phase::Failing && is_begun {
            for planned in &plan.on_failure {
                match self.left_out(planned) {
                    None => self.action(None, planned).await?,
                    Some(reason) => self.leave_out(None, planned, reason).await?,
                }
            }
            if !plan.cleanup.is_empty() {
                self.record_of_run(Event::CleaningUp).await?;
            }
        }
        if self.journal.state.phase == Phase::CleaningUp {
            // Each by itself: that one thing can't be removed is no reason to let the next one be billed.
            for planned in &plan.cleanup {
                self.action(None, planned).await?;
            }
        }
        Ok(())
    }

    /// Why an action of `on failure` is left out, if it is.
    ///
    /// Once a statement of `on failure` has failed nobody can tell any more what those behind it build upon, so only what puts
    /// back what this run changed is still done: it is right wherever the run stands. It would be wrong to stop at once: a
    /// notification that fails would leave an application without a database that it can write to. After a person's no,
    /// nothing is done. And writes stay frozen on a database that an application could not be brought back to: opened, there
    /// might be two that are written to.
    fn left_out(&self, planned: &PlannedAction) -> Option<String> {
        let failed: Vec<(&PlannedAction, &Failure)> = self
            .plan
            .on_failure
            .iter()
            .take_while(|before| before.id != planned.id)
            .filter_map(
                |before| match &self.journal.facts.action(&before.id)?.over {
                    Some(Event::Outcome(Outcome::Failed { failure })) => Some((before, failure)),
                    _ => None,
                },
            )
            .collect();
        let (first, _) = failed.first()?;
        if failed
            .iter()
            .any(|(_, failure)| matches!(failure, Failure::Refused { .. }))
        {
            return Some(format!("a person said no to `{}`", first.statement));
        }
        match &planned.action {
            Action::ThawWrites { database, .. } => {
                let application = failed
                    .iter()
                    .find_map(|(before, _)| self.application_of(&before.action, database))?;
                Some(format!(
                    "{application} could not be brought back to {database}: opened, two databases might be written to"
                ))
            }
            Action::RevertSecret { .. } | Action::Note { .. } | Action::Keep { .. } => None,
            // Looking is harmless, and what is put back may stand behind it.
            Action::Decide { .. } => None,
            _ => Some(format!("`{}` failed before it", first.statement)),
        }
    }

    /// The application that an action would have moved, if that database is one of its own.
    fn application_of(&self, action: &Action, database: &DatabaseName) -> Option<&ApplicationName> {
        let mut applications = self.plan.environment.applications.iter();
        let found = applications.find(|(name, application)| {
            let is_moved = match action {
                Action::RevertSecret { secret }
                | Action::StageSecret { secret, .. }
                | Action::ProveLogin { secret, .. }
                | Action::PromoteSecret { secret } => application.active.secret() == Some(secret),
                Action::ApplyStack {
                    application: moved, ..
                } => moved == *name,
                _ => false,
            };
            is_moved && application.databases.contains(database)
        });
        found.map(|(name, _)| name)
    }

    async fn leave_out(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        reason: String,
    ) -> Result<(), Failure> {
        let known = self.journal.facts.action(&planned.id);
        if known.is_some_and(|known| known.over.is_some()) {
            return Ok(());
        }
        if !self.start(step, planned).await? {
            return Ok(());
        }
        self.record(step, planned, Event::Skipped { reason }).await
    }

    /// Performs one action up to its last record. An error is one that stops the run here.
    async fn action(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
    ) -> Result<(), Failure> {
        let known = self.journal.facts.action(&planned.id);
        if known.is_some_and(|known| known.over.is_some()) {
            return Ok(());
        }
        if self.interrupt.level() >= 1 {
            return Err(Failure::Interrupted { in_flight: false });
        }
        if let Some(reason) = guard::not_taken(self.plan, &self.journal.facts, planned) {
            return self.leave_out(step, planned, reason).await;
        }
        self.began = self.world.clock.monotonic();
        if !self.start(step, planned).await? {
            return Ok(());
        }
        let last = match action::kind(&planned.action) {
            Kind::Effect(effect) => self.effect(step, planned, effect).await,
            Kind::Wait(wait) => self.wait(step, planned, wait).await,
            Kind::Once(once) => {
                let interrupt = self.interrupt.clone();
                let answer = interrupt
                    .unless(1, false, once.perform(&self.scene(planned)))
                    .await;
                match answer {
                    Ok(performed) => {
                        for observation in performed.observations {
                            let event = Event::Observed {
                                preflight: None,
                                observation,
                            };
                            self.record(step, planned, event).await?;
                        }
                        Ok(performed.last)
                    }
                    Err(failure) => Err(failure),
                }
            }
        };
        let last = match last {
            Ok(event) => event,
            Err(failure) if failure.class() == Class::Decided => {
                Event::Outcome(Outcome::Failed { failure })
            }
            Err(failure) => return Err(failure),
        };
        self.record(step, planned, last).await
    }

    /// The step that an action stands in; none in `on failure`.
    pub fn step_of(&self, action: &ActionId) -> Option<StepPath> {
        let mut steps = self.plan.steps.iter();
        let step = steps.find(|step| step.actions.iter().any(|planned| planned.id == *action));
        step.map(|step| step.path.clone())
    }

    pub fn scene<'s>(&'s self, planned: &'s PlannedAction) -> Scene<'s> {
        Scene {
            world: self.world,
            plan: self.plan,
            plan_hash: &self.plan_hash,
            facts: &self.journal.facts,
            run: &self.journal.run,
            epoch: self.journal.state.epoch,
            planned,
            ticker: Ticker::new(
                self.observer.as_ref(),
                self.world.clock.as_ref(),
                planned,
                self.began,
            ),
        }
    }

    pub async fn record(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
        event: Event,
    ) -> Result<(), Failure> {
        let known = self.journal.facts.action(&planned.id);
        let attempts = known.map_or(0, |known| known.attempts);
        let attempt = attempts + u32::from(matches!(event, Event::Intent(_)));
        let entry = Entry {
            step: step.cloned(),
            action: Some(planned.id.clone()),
            attempt,
            event,
        };
        Ok(self.journal.record(entry).await?)
    }

    /// Begins an action, or goes on with it; not if a step beside it has failed or stops.
    async fn start(
        &mut self,
        step: Option<&StepPath>,
        planned: &PlannedAction,
    ) -> Result<bool, Failure> {
        let known = self.journal.facts.action(&planned.id);
        let entry = Entry {
            step: step.cloned(),
            action: Some(planned.id.clone()),
            attempt: known.map_or(0, |known| known.attempts),
            event: Event::Started,
        };
        Ok(self.journal.start(entry).await?)
    }

    pub async fn record_of_run(&mut self, event: Event) -> Result<(), Failure> {
        Ok(self.journal.record(Entry::of_run(event)).await?)
    }

    pub fn tick(
        &self,
        planned: &PlannedAction,
        seen: String,
        elapsed: Duration,
        limit: Option<Duration>,
        done: Option<(u64, u64)>,
    ) {
        self.observer.tick(&Tick {
            action: planned.id.clone(),
            seen,
            elapsed,
            limit,
            done,
        });
    }

    /// How long ago that was; nothing if the clock went back.
    pub fn age(&self, then: jiff::Timestamp) -> Duration {
        Duration::try_from(self.world.clock.now().duration_since(then)).unwrap_or_default()
    }

    /// Between half of it and all of it.
    pub fn jittered(&self, wait: Duration) -> Duration {
        let mut byte = [0_u8];
        self.world.clock.random(&mut byte);
        let [byte] = byte;
        wait / 2 + wait.mul_f64(f64::from(byte) / 512.0)
    }

    pub fn backoff(steady: Duration) -> Backoff {
        Backoff::new(steady)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Store(error) => Failure::Journal {
                message: error.to_string(),
            },
            JournalError::Illegal(illegal) => Failure::Bug {
                message: illegal.to_string(),
            },
            JournalError::Encode(error) => Failure::Bug {
                message: format!("a record can't be written as JSON: {error}"),
            },
        }
    }
}

impl Interrupt {
    /// The future's result, unless it is interrupted first. The future is dropped then, which is why everything that
    /// changes something stands behind a journaled intent.
    pub(crate) async fn unless<T>(
        &self,
        level: u8,
        in_flight: bool,
        future: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.reached(level) => Err(Failure::Interrupted { in_flight }),
            result = future => result,
        }
    }
}
