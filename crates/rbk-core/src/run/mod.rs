//! Performing a plan: the journal is written as it goes, so that a run that died anywhere can be gone on with.
//!
//! Invariants: nothing is sent before its intent is durable; nothing is sent twice without looking in between; a
//! failure that may be mended outside undoes nothing; a decided one runs `on failure`.

mod active;
mod backup;
mod codes;
mod compare;
mod compute;
mod credentials;
mod effect;
mod ending;
mod evaluate;
mod failure;
mod guard;
mod look;
mod online;
mod options;
mod performer;
mod preflight;
mod reading;
mod replication;
mod stop;
mod survey;
mod ticker;
mod together;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::quick_recovery as tests_plan;

pub use crate::journal::{Decision, Failed, Observation};
pub use active::stack_values;
pub use codes::CODES;
pub use ending::{Ending, EndingKind, Refusal};
pub use failure::{
    BackupFailure, Class, CountedTable, FailedTable, Failure, OrphanedKey, RemovalFailure,
    ReplicationFailure,
};
pub use online::{Bound, Check, NotSeen, Online, OnlineFinding, Verdict, Weight, look_further};
pub use options::{Hooks, Interrupt, Observer, Options, Point, Tick};
pub use preflight::{Finding, look_ahead};
pub use reading::{Unread, prove_identity, read_catalog};
pub use survey::survey;

pub(crate) use active::points_at;
pub(crate) use backup::restorable_to;
pub(crate) use compare::{may_be_copied, may_be_dropped};
pub(crate) use credentials::{Content, pointed_at};
pub(crate) use effect::{Effect, Probe, Since};
pub(crate) use evaluate::{Hope, evaluate, render};
pub(crate) use guard::is_other_way;
pub(crate) use look::{Unreached, command_secrets, read_stack};
pub(crate) use performer::{Performer, Scene};
pub(crate) use preflight::{foreign, owner};
pub(crate) use replication::{Life, Standing, is_loaded, planned as planned_replication, spaced};

use crate::action::{self, Kind};
use crate::ids::{ActionId, RunId};
use crate::journal::{
    ActionState, Around, Claim, Entry, Event, Header, History, Journal, LeaseFacts, Outcome, Phase,
    SavedUse, Store, load, plan_bytes, plan_hash,
};
use crate::lease::{Holder, Lease, Request, boot_id, entities};
use crate::plan::{Action, PLAN_VERSION, Plan, PlannedAction};
use crate::ports::World;
use std::sync::Arc;

/// Runs plans.
#[derive(Clone)]
pub struct Runner {
    /// What they touch.
    pub world: World,
    /// Where they are journaled.
    pub store: Arc<dyn Store>,
    /// How.
    pub options: Options,
}

impl Runner {
    /// Takes the lease, begins a journal, proves the preflight and performs the steps.
    pub async fn start(&self, plan: &Plan) -> Result<Ending, Refusal> {
        let parameters: Vec<String> = plan.holes().map(|hole| hole.name.clone()).collect();
        if !parameters.is_empty() {
            return Err(Refusal::Holes { parameters });
        }
        let unfit = |reason: String| Refusal::PlanUnfit { reason };
        let bytes = plan_bytes(plan).map_err(|error| unfit(error.to_string()))?;
        // Whoever resumes reads it back: better to know now that it can be.
        let read_back: Plan =
            serde_json::from_slice(&bytes).map_err(|error| unfit(error.to_string()))?;
        if read_back != *plan {
            return Err(unfit("it is another plan when it is read back".to_owned()));
        }
        let run = self.new_run_id();
        let lease = self.take_lease(plan, &run).await?;
        // Held until the run has begun, so that of two at once one only takes the plan.
        let claim = match &self.options.saved {
            Some(saved) => Some(self.claim(saved, &run).await?),
            None => None,
        };
        let log = self.store.create(&run, &bytes).await?;
        let mut journal = Journal::begin(run, log, self.around());
        let hash = plan_hash(&bytes);
        let environment = &plan.environment;
        let header = Event::Header(Header {
            plan: hash.clone(),
            plan_version: PLAN_VERSION,
            rbk: env!("CARGO_PKG_VERSION").to_owned(),
            title: plan.runbook.title.clone(),
            environment: environment.name.clone(),
            account: environment.account.clone(),
            region: environment.region.clone(),
            operator: self.options.operator.clone(),
            alone: self.options.alone,
            saved: self.options.saved.clone(),
        });
        let lease_facts = self.lease_facts(lease.as_ref());
        for event in [header, Event::Lease(lease_facts)] {
            journal.record(Entry::of_run(event)).await?;
        }
        drop(claim);
        let performer = self.performer(plan, hash, journal, lease, false);
        Ok(performer.perform().await)
    }

    /// Takes a saved plan for this run. A run before that changed nothing and is over doesn't count.
    async fn claim(&self, saved: &SavedUse, run: &RunId) -> Result<Box<dyn Claim>, Refusal> {
        let mut claim = self.store.claim(&saved.id).await?;
        if let Some(before) = claim.used_by().cloned() {
            let used = |is_over: bool| Refusal::PlanUsed {
                run: before.clone(),
                is_over,
            };
            match load(self.store.as_ref(), &before).await {
                Ok(history) if history.state.phase != Phase::Ended => return Err(used(false)),
                Ok(history) if has_sent(&history) => return Err(used(true)),
                Ok(_) | Err(Refusal::NoSuchRun { .. } | Refusal::NeverBegan { .. }) => {}
                // What can't be read may have changed anything.
                Err(_) => return Err(used(true)),
            }
        }
        claim.take(run).await?;
        Ok(claim)
    }

    /// Goes on where the journal ends, with the stored plan.
    pub async fn resume(&self, run: &RunId) -> Result<Ending, Refusal> {
        let (history, journal, lease) = self.reopen(run).await?;
        if let Some(action) = undecided(&history).next() {
            return Err(Refusal::NeedsDecision {
                run: run.clone(),
                action,
            });
        }
        if self.options.extend.is_some() && !stopped_in_await(&history) {
            return Err(Refusal::NothingToExtend { run: run.clone() });
        }
        let hash = header_hash(&history);
        let performer = self.performer(&history.plan, hash, journal, lease, true);
        Ok(performer.perform().await)
    }

    /// Finds out what became of an effect that was under way, runs `on failure`, and ends.
    pub async fn abort(&self, run: &RunId, reason: &str) -> Result<Ending, Refusal> {
        let (history, journal, lease) = self.reopen(run).await?;
        if let Some(action) = undecided(&history).next() {
            return Err(Refusal::NeedsDecision {
                run: run.clone(),
                action,
            });
        }
        let hash = header_hash(&history);
        let performer = self.performer(&history.plan, hash, journal, lease, true);
        Ok(performer.abort(reason).await)
    }

    /// Journals what a person found out about an unknown outcome; `resume` goes on with it.
    pub async fn resolve(
        &self,
        run: &RunId,
        action: &ActionId,
        decision: Decision,
        reason: &str,
    ) -> Result<(), Refusal> {
        let (history, mut journal, _lease) = self.reopen(run).await?;
        if !undecided(&history).any(|unknown| unknown == *action) {
            return Err(Refusal::NotUnknown {
                action: action.clone(),
            });
        }
        let attempt = history.state.actions.get(action);
        let entry = Entry {
            step: None,
            action: Some(action.clone()),
            attempt: attempt.map_or(0, |state| state.attempt()),
            event: Event::Resolved {
                decision,
                by: self.options.operator.clone(),
                reason: reason.to_owned(),
            },
        };
        Ok(journal.record(entry).await?)
    }

    /// Reads a run, takes its lease, reads it again (somebody may have gone on with it meanwhile) and begins an epoch.
    async fn reopen(&self, run: &RunId) -> Result<(History, Journal, Box<dyn Lease>), Refusal> {
        let plan = load(self.store.as_ref(), run).await?.plan;
        let lease = self.take_lease(&plan, run).await?;
        let mut history = load(self.store.as_ref(), run).await?;
        if history.state.phase == Phase::Ended {
            return Err(Refusal::Ended { run: run.clone() });
        }
        let log = self.store.open(run, history.length).await?;
        let mut journal = Journal::go_on(&history, log, self.around());
        let lease_facts = Event::Lease(self.lease_facts(lease.as_ref()));
        journal.record(Entry::of_run(lease_facts)).await?;
        history.state = journal.state.clone();
        Ok((history, journal, lease))
    }

    async fn take_lease(&self, plan: &Plan, run: &RunId) -> Result<Box<dyn Lease>, Refusal> {
        let request = Request {
            account: plan.environment.account.clone(),
            region: plan.environment.region.clone(),
            entities: entities(plan, run),
            holder: Holder {
                run: run.clone(),
                operator: self.options.operator.clone(),
                pid: std::process::id(),
                boot: boot_id(),
                since: self.world.clock.now(),
            },
        };
        Ok(self.store.acquire(&request).await?)
    }

    fn lease_facts(&self, lease: &dyn Lease) -> LeaseFacts {
        LeaseFacts {
            operator: self.options.operator.clone(),
            pid: std::process::id(),
            boot: boot_id(),
            rbk: env!("CARGO_PKG_VERSION").to_owned(),
            entities: lease.entities().to_vec(),
        }
    }

    fn performer<'a>(
        &'a self,
        plan: &'a Plan,
        plan_hash: String,
        journal: Journal,
        lease: Box<dyn Lease>,
        is_resumed: bool,
    ) -> Performer<'a> {
        Performer {
            world: &self.world,
            plan,
            plan_hash,
            journal,
            interrupt: self.options.interrupt.clone(),
            observer: self.options.observer.clone(),
            hooks: self.options.hooks.clone(),
            operator: self.options.operator.clone(),
            extend: self.options.extend.map(|extend| extend.as_secs()),
            is_resumed,
            began: self.world.clock.monotonic(),
            _lease: Some(lease),
        }
    }

    fn around(&self) -> Around {
        Around {
            clock: self.world.clock.clone(),
            observer: self.options.observer.clone(),
            hooks: self.options.hooks.clone(),
        }
    }

    fn new_run_id(&self) -> RunId {
        let now = self.world.clock.now().strftime("%Y%m%dt%H%M%S").to_string();
        let mut bytes = [0_u8; 4];
        self.world.clock.random(&mut bytes);
        RunId::new(format!("{now}-{}", hex::encode(bytes)))
    }
}

impl Performer<'_> {
    async fn abort(mut self, reason: &str) -> Ending {
        let aborted = Failure::Aborted {
            by: self.operator.clone(),
            reason: reason.to_owned(),
        };
        match self.give_up(aborted).await {
            Ok(()) => self.perform().await,
            Err(failure) => self.stopped(failure).await,
        }
    }

    /// Settles what is under way and journals the abort, so that only `on failure` is left to perform.
    async fn give_up(&mut self, aborted: Failure) -> Result<(), Failure> {
        let plan = self.plan;
        let current = self.journal.state.current.clone();
        if !current.is_empty() {
            self.prove_identity().await?;
        }
        for current in current {
            let planned = plan.actions().find(|planned| planned.id == current.action);
            if let Some(planned) = planned {
                self.give_up_action(planned, aborted.clone()).await?;
            }
        }
        if matches!(self.journal.state.phase, Phase::Preflight | Phase::Running)
            && let Failure::Aborted { by, reason } = aborted
        {
            self.record_of_run(Event::Aborted { by, reason }).await?;
        }
        Ok(())
    }

    async fn give_up_action(
        &mut self,
        planned: &PlannedAction,
        aborted: Failure,
    ) -> Result<(), Failure> {
        let step = self.step_of(&planned.id);
        let last = match action::kind(&planned.action) {
            // What `on failure` began is gone on with, not given up.
            _ if step.is_none() => return Ok(()),
            Kind::Effect(effect) => self.decide(planned, effect, aborted).await,
            Kind::Wait(_) | Kind::Once(_) => Err(aborted),
        };
        let last = match last {
            Ok(event) => event,
            Err(failure @ Failure::Aborted { .. }) => Event::Outcome(Outcome::Failed { failure }),
            Err(failure) if failure.class() == Class::Decided => {
                Event::Outcome(Outcome::Failed { failure })
            }
            Err(failure) => return Err(failure),
        };
        self.record(step.as_ref(), planned, last).await
    }
}

/// Whether a call that changes something may have been sent.
fn has_sent(history: &History) -> bool {
    let mut records = history.records.iter();
    records.any(|record| matches!(record.entry.event, Event::Intent(_)))
}

fn header_hash(history: &History) -> String {
    let header = history.facts.header.as_ref();
    header.map(|header| header.plan.clone()).unwrap_or_default()
}

/// The actions of which nobody knows what became.
fn undecided(history: &History) -> impl Iterator<Item = ActionId> {
    let state = &history.state;
    let is_unknown = |id: &ActionId| {
        let state = state.actions.get(id);
        matches!(state, Some(ActionState::Unknown { .. }))
    };
    let current = state.current.iter().map(|current| &current.action);
    current.filter(move |id| is_unknown(id)).cloned()
}

fn stopped_in_await(history: &History) -> bool {
    history.plan.actions().any(|planned| {
        history.state.is_current(&planned.id) && matches!(planned.action, Action::Await { .. })
    })
}
