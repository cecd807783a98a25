//! What a journal says of a run, for people and reports: a pure fold, the same for a live run and for one of last year.

mod schema;
mod situation;

pub use situation::{EntityState, Situation, situation};

use crate::ids::{ActionId, RunId, StepPath};
use crate::journal::{
    ActionFacts, Entry, Event, Facts, Failed, How, Outcome, Phase, Record, State,
};
use crate::plan::{Action, Plan, PlannedAction};
use crate::run::{EndingKind, Failure, is_other_way};
use crate::value::Value;
use serde::Serialize;
use std::collections::BTreeMap;

/// A run, as far as its journal goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The run.
    pub run: RunId,
    /// The runbook's title.
    pub title: String,
    /// The environment.
    pub environment: String,
    /// Who began it.
    pub operator: String,
    /// Whether the lease was one that others may not have seen.
    pub alone: bool,
    /// When it began.
    pub started_at: Option<jiff::Timestamp>,
    /// The last record.
    pub last_at: Option<jiff::Timestamp>,
    /// How often it was begun or resumed.
    pub epochs: u64,
    /// Where it stands.
    pub phase: RunPhase,
    /// How it ended.
    pub ending: Option<EndingKind>,
    /// What `rbk run` returned.
    pub exit_code: Option<u8>,
    /// What preflight saw, a line each.
    pub observed: Vec<String>,
    /// The observed `let`s.
    pub bindings: BTreeMap<String, Value>,
    /// The steps.
    pub steps: Vec<StepStatus>,
    /// What is done when a step fails.
    pub on_failure: Vec<ActionStatus>,
    /// What is removed behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<ActionStatus>,
    /// The action that isn't over.
    pub current: Option<ActionId>,
    /// The others that aren't over, of steps that are done together with its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ActionId>,
    /// The one after it.
    pub next: Option<ActionId>,
    /// What stopped it.
    pub first: Option<Failed>,
    /// What went wrong first in `on failure` or while cleaning up, or what stopped it there.
    pub second: Option<Failed>,
    /// What else went wrong there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Failed>,
    /// Seconds in which somebody attended it.
    pub seconds: f64,
    /// What state everything is in.
    pub entities: Vec<EntityState>,
    /// What may be done by hand now, and what to type next.
    pub by_hand: Vec<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Nothing was changed yet.
    Preflight,
    /// In the steps.
    Running,
    /// In `on failure`.
    Failing,
    /// Behind it: what the run made for its own use is removed.
    CleaningUp,
    /// Something outside must be mended.
    Suspended,
    /// A person stopped it.
    Interrupted,
    /// An outcome could not be decided.
    Undecided,
    /// Over.
    Ended,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepStatus {
    /// Its identity.
    pub path: StepPath,
    /// The word for all of it: of what is open or failed, else of what was skipped or done by hand, else `done`.
    pub state: Word,
    /// Attended seconds.
    pub seconds: f64,
    /// Its actions.
    pub actions: Vec<ActionStatus>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionStatus {
    /// Its identity.
    pub id: ActionId,
    /// As the runbook says it.
    pub statement: String,
    /// One line for people.
    pub summary: String,
    /// The word for it.
    pub state: Word,
    /// When it began.
    pub started_at: Option<jiff::Timestamp>,
    /// Attended seconds.
    pub seconds: f64,
    /// The deadline of an await in seconds, extensions included.
    pub limit: Option<u64>,
    /// How many calls were sent for it, as far as is known.
    pub attempts: u32,
    /// What was seen last.
    pub detail: Option<String>,
}

/// How an action stands. Never "success" for what was left out or done by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Begun; the run is stopped.
    Stopped,
    /// This run did it.
    Done,
    /// An earlier attempt had done it, and it was found.
    Adopted,
    /// It was so before.
    AlreadySo,
    /// A person did it.
    ByHand,
    /// A person said yes.
    Approved,
    /// Left out, as the runbook allows.
    Skipped,
    /// It stands on the way of an `if` that wasn't taken.
    NotTaken,
    /// Failed.
    Failed,
    /// Nobody can tell.
    Unknown,
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Word::Pending => "pending",
            Word::Running => "running",
            Word::Stopped => "stopped",
            Word::Done => "done",
            Word::Adopted => "adopted",
            Word::AlreadySo => "already so",
            Word::ByHand => "by hand",
            Word::Approved => "approved",
            Word::Skipped => "skipped",
            Word::NotTaken => "not taken",
            Word::Failed => "failed",
            Word::Unknown => "unknown",
        })
    }
}

/// Folds a journal that [`crate::journal::load`] has proven, or the beginning of one.
pub fn fold(plan: &Plan, records: &[Record]) -> Status {
    let mut progress = Progress::new(plan.clone());
    for record in records {
        progress.apply(record);
    }
    progress.status()
}

/// The same fold, record by record: what a live screen holds.
#[derive(Debug, Clone)]
pub struct Progress {
    plan: Plan,
    run: Option<RunId>,
    facts: Facts,
    state: State,
    observed: Vec<String>,
    started_at: Option<jiff::Timestamp>,
    last_at: Option<jiff::Timestamp>,
    epoch_began: Option<jiff::Timestamp>,
    seconds: f64,
    spent: BTreeMap<ActionId, f64>,
    running_since: BTreeMap<ActionId, jiff::Timestamp>,
    /// Where the last epoch stopped without an end, and why: at one action, or at one of each step that is done together.
    stopped: Vec<(RunPhase, Failed)>,
    end: Option<(EndingKind, u8)>,
}

impl Progress {
    /// Before the first record.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            run: None,
            facts: Facts::default(),
            state: State::default(),
            observed: Vec::new(),
            started_at: None,
            last_at: None,
            epoch_began: None,
            seconds: 0.0,
            spent: BTreeMap::new(),
            running_since: BTreeMap::new(),
            stopped: Vec::new(),
            end: None,
        }
    }

    /// Takes one more record in.
    pub fn apply(&mut self, record: &Record) {
        let event = &record.entry.event;
        if matches!(event, Event::Lease(_)) {
            // A crash leaves no record: the epoch before went as far as its last one.
            self.close_epoch();
            self.epoch_began = Some(record.at);
            self.stopped.clear();
            if matches!(self.state.phase, Phase::Empty | Phase::Preflight) {
                // It is gone through from the beginning.
                self.observed.clear();
            }
        }
        self.run.get_or_insert_with(|| record.run.clone());
        self.started_at.get_or_insert(record.at);
        self.last_at = Some(record.at);
        self.facts.apply(record);
        if let Ok(state) = self.state.next(&record.entry) {
            self.state = state;
        }
        match event {
            Event::Observed {
                preflight: Some(_),
                observation,
            } => self.observed.push(observation.to_string()),
            Event::Started => {
                let begun = record.entry.action.clone().map(|id| (id, record.at));
                self.running_since.extend(begun);
            }
            Event::Outcome(_) | Event::Approved { .. } | Event::Skipped { .. } => {
                if let Some(id) = &record.entry.action {
                    self.close_action(id);
                }
            }
            Event::Suspended { failure, .. } => {
                let phase = match failure {
                    Failure::Interrupted { .. } => RunPhase::Interrupted,
                    _ => RunPhase::Suspended,
                };
                self.stopped.push((phase, failed(&record.entry, failure)));
                self.close_epoch();
            }
            Event::Unknown { failure } => {
                let failed = failed(&record.entry, failure);
                self.stopped.push((RunPhase::Undecided, failed));
                self.close_epoch();
            }
            Event::End {
                kind, exit_code, ..
            } => {
                self.end = Some((*kind, *exit_code));
                self.close_epoch();
            }
            _ => {}
        }
    }

    /// What is known now.
    pub fn status(&self) -> Status {
        let header = self.facts.header.as_ref();
        let text = |of: fn(&crate::journal::Header) -> &String| {
            header.map(of).cloned().unwrap_or_default()
        };
        let run = self.run.clone().unwrap_or_else(|| RunId::from(""));
        let phase = self.phase();
        let kind = match (self.end, phase) {
            (Some((kind, _)), _) => kind,
            (None, RunPhase::Undecided) => EndingKind::Undecided,
            (None, RunPhase::Interrupted) => EndingKind::Interrupted,
            (None, _) => EndingKind::Suspended,
        };
        let situation = situation(&self.plan, &self.facts, &run, kind);
        let mut failures = self.failures().into_iter();
        let current = self.state.current.iter();
        let mut current = current.map(|current| current.action.clone());
        let actions = |actions: &[PlannedAction]| -> Vec<ActionStatus> {
            actions.iter().map(|planned| self.action(planned)).collect()
        };
        let steps = self.plan.steps.iter().map(|step| {
            let actions = actions(&step.actions);
            StepStatus {
                path: step.path.clone(),
                state: step_word(&actions),
                seconds: actions.iter().map(|action| action.seconds).sum(),
                actions,
            }
        });
        Status {
            run,
            title: text(|header| &header.title),
            environment: text(|header| &header.environment),
            operator: text(|header| &header.operator),
            alone: header.is_some_and(|header| header.alone),
            started_at: self.started_at,
            last_at: self.last_at,
            epochs: self.state.epoch,
            phase,
            ending: self.end.map(|(kind, _)| kind),
            exit_code: self.end.map(|(_, code)| code),
            observed: self.observed.clone(),
            bindings: self.facts.bindings.clone(),
            steps: steps.collect(),
            on_failure: actions(&self.plan.on_failure),
            cleanup: actions(&self.plan.cleanup),
            current: current.next(),
            also: current.collect(),
            next: self.next(),
            first: failures.next(),
            second: failures.next(),
            more: failures.collect(),
            seconds: self.seconds + self.open_seconds(self.epoch_began),
            entities: situation.entities,
            by_hand: if matches!(
                phase,
                RunPhase::Preflight | RunPhase::Running | RunPhase::Failing | RunPhase::CleaningUp
            ) {
                Vec::new()
            } else {
                situation.by_hand
            },
        }
    }

    /// What failed for good; then what only stopped the run, if it stands still.
    fn failures(&self) -> Vec<Failed> {
        let stopped = self.stopped.iter().map(|(_, failed)| failed.clone());
        let decided = [self.facts.first.clone(), self.facts.second.clone()];
        let mut all: Vec<Failed> = decided.into_iter().flatten().collect();
        all.extend(self.facts.more.iter().cloned());
        all.extend(stopped);
        all
    }

    fn phase(&self) -> RunPhase {
        // The gravest of them is written first.
        match (self.state.phase, self.stopped.first()) {
            (Phase::Ended, _) => RunPhase::Ended,
            (_, Some((stopped, _))) => *stopped,
            (Phase::Empty | Phase::Preflight, None) => RunPhase::Preflight,
            (Phase::Running, None) => RunPhase::Running,
            (Phase::Failing, None) => RunPhase::Failing,
            (Phase::CleaningUp, None) => RunPhase::CleaningUp,
        }
    }

    fn action(&self, planned: &PlannedAction) -> ActionStatus {
        let known = self.facts.action(&planned.id);
        let mut seconds = self.spent.get(&planned.id).copied().unwrap_or_default();
        if let Some(since) = self.running_since.get(&planned.id) {
            seconds += self.open_seconds(Some(*since));
        }
        let limit = match &planned.action {
            Action::Await { within, .. } => {
                Some(within.saturating_add(known.map_or(0, |known| known.extended)))
            }
            _ => None,
        };
        ActionStatus {
            id: planned.id.clone(),
            statement: planned.statement.clone(),
            summary: planned.summary.clone(),
            state: known.map_or(Word::Pending, |known| self.word(planned, known)),
            started_at: known.and_then(|known| known.began),
            seconds,
            limit,
            attempts: known.map_or(0, |known| known.attempts),
            detail: known.and_then(detail),
        }
    }

    fn word(&self, planned: &PlannedAction, known: &ActionFacts) -> Word {
        match &known.over {
            Some(Event::Outcome(Outcome::Done { how, .. })) => match how {
                How::Done => Word::Done,
                How::Adopted => Word::Adopted,
                How::AlreadySo => Word::AlreadySo,
                How::ByHand => Word::ByHand,
            },
            Some(Event::Approved { .. }) => Word::Approved,
            Some(Event::Skipped { .. }) if is_other_way(&self.facts, planned) => Word::NotTaken,
            Some(Event::Skipped { .. }) => Word::Skipped,
            Some(_) => Word::Failed,
            None if known.unknown.is_some() => Word::Unknown,
            None if !self.stopped.is_empty() => Word::Stopped,
            None => Word::Running,
        }
    }

    fn next(&self) -> Option<ActionId> {
        let is_open = |planned: &&PlannedAction| self.facts.action(&planned.id).is_none();
        let next = match self.state.phase {
            Phase::Ended => None,
            Phase::Failing => {
                let mut left = self.plan.on_failure.iter().chain(&self.plan.cleanup);
                left.find(is_open)
            }
            Phase::CleaningUp => self.plan.cleanup.iter().find(is_open),
            Phase::Empty | Phase::Preflight | Phase::Running => self
                .plan
                .steps
                .iter()
                .flat_map(|step| &step.actions)
                .find(is_open),
        };
        next.map(|planned| planned.id.clone())
    }

    fn close_action(&mut self, id: &ActionId) {
        if let Some(since) = self.running_since.remove(id) {
            let seconds = self.open_seconds(Some(since));
            *self.spent.entry(id.clone()).or_default() += seconds;
        }
    }

    fn close_epoch(&mut self) {
        let open: Vec<ActionId> = self.running_since.keys().cloned().collect();
        for id in &open {
            self.close_action(id);
        }
        self.seconds += self.open_seconds(self.epoch_began);
        self.epoch_began = None;
    }

    /// From then to the last record.
    fn open_seconds(&self, since: Option<jiff::Timestamp>) -> f64 {
        match (since, self.last_at) {
            (Some(since), Some(last)) => last.duration_since(since).as_secs_f64().max(0.0),
            _ => 0.0,
        }
    }
}

/// What a record says has failed, with the record's place.
fn failed(entry: &Entry, failure: &Failure) -> Failed {
    Failed {
        step: entry.step.clone(),
        action: entry.action.clone(),
        failure: failure.clone(),
    }
}

fn step_word(actions: &[ActionStatus]) -> Word {
    let mut words = actions.iter().map(|action| action.state);
    // What a reader of the report must not take for a plain success.
    let notable = |word: &Word| matches!(word, Word::Skipped | Word::ByHand);
    let open = [Word::Failed, Word::Unknown, Word::Running, Word::Stopped];
    if let Some(word) = words.clone().find(|word| open.contains(word)) {
        return word;
    }
    if words.clone().all(|word| word == Word::Pending) {
        return Word::Pending;
    }
    if words.clone().any(|word| word == Word::Pending) {
        return Word::Running;
    }
    if !actions.is_empty() && words.clone().all(|word| word == Word::NotTaken) {
        return Word::NotTaken;
    }
    words.find(notable).unwrap_or(Word::Done)
}

fn detail(known: &ActionFacts) -> Option<String> {
    match &known.over {
        Some(Event::Outcome(Outcome::Done { detail, .. })) => Some(detail.clone()),
        Some(Event::Outcome(Outcome::Failed { failure })) => Some(failure.to_string()),
        Some(Event::Approved { by, prompt }) => Some(format!("{by} said yes to: {prompt}")),
        Some(Event::Skipped { reason }) => Some(reason.clone()),
        _ => known
            .unknown
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| known.seen.as_ref().map(|(_, seen)| seen.clone())),
    }
}
