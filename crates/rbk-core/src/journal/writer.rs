//! The one writer of a journal: legality, line, durability, then the observer.

use super::encode::{encode, line_hash, no_hash};
use super::event::{Entry, Event, JOURNAL_VERSION, Record};
use super::facts::Facts;
use super::recover::History;
use super::state::{Illegal, State};
use super::store::{Log, StoreError};
use crate::ids::RunId;
use crate::ports::Clock;
use crate::run::{Hooks, Observer, Point};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// A hand on the journal: what it sees of it, and the one writer that it shares with the other hands.
///
/// Steps that are done together have one each. What one sees is the journal as it was when it took its hand, and what it wrote
/// itself; the checker has proven that the others write nothing that it builds upon.
pub(crate) struct Journal {
    pub run: RunId,
    pub state: State,
    pub facts: Facts,
    writer: Arc<Mutex<Writer>>,
}

struct Writer {
    run: RunId,
    state: State,
    facts: Facts,
    /// Somebody stops: nobody begins anything more.
    is_halted: bool,
    log: Box<dyn Log>,
    seq: u64,
    prev: String,
    /// Set by the first write or sync that failed: nothing is written behind it.
    broken: Option<StoreError>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    hooks: Arc<dyn Hooks>,
}

#[derive(Debug, Error)]
pub(crate) enum JournalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Illegal(#[from] Illegal),
    #[error("a record can't be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Who listens to a journal, and what tells it the time.
pub(crate) struct Around {
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    pub hooks: Arc<dyn Hooks>,
}

impl Journal {
    pub fn begin(run: RunId, log: Box<dyn Log>, around: Around) -> Self {
        Self::of(Writer {
            run,
            state: State::default(),
            facts: Facts::default(),
            is_halted: false,
            log,
            seq: 0,
            prev: no_hash(),
            broken: None,
            clock: around.clock,
            observer: around.observer,
            hooks: around.hooks,
        })
    }

    pub fn go_on(history: &History, log: Box<dyn Log>, around: Around) -> Self {
        Self::of(Writer {
            run: history.run.clone(),
            state: history.state.clone(),
            facts: history.facts.clone(),
            is_halted: false,
            log,
            seq: history.records.len() as u64,
            prev: history.last_hash.clone(),
            broken: None,
            clock: around.clock,
            observer: around.observer,
            hooks: around.hooks,
        })
    }

    fn of(writer: Writer) -> Self {
        Self {
            run: writer.run.clone(),
            state: writer.state.clone(),
            facts: writer.facts.clone(),
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    /// Another hand on the same journal.
    pub fn share(&self) -> Self {
        Self {
            run: self.run.clone(),
            state: self.state.clone(),
            facts: self.facts.clone(),
            writer: self.writer.clone(),
        }
    }

    /// Sees what the other hands wrote.
    pub async fn catch_up(&mut self) {
        let writer = self.writer.lock().await;
        self.state.clone_from(&writer.state);
        self.facts.clone_from(&writer.facts);
    }

    /// Nobody begins anything more: one of the hands stops.
    pub async fn halt(&self) {
        self.writer.lock().await.is_halted = true;
    }

    /// Writes a record; returns when it is as durable as its event must be.
    pub async fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
        let writer = self.writer.clone();
        let mut writer = writer.lock().await;
        self.write(&mut writer, entry).await
    }

    /// Begins an action, unless another hand has failed or stops: then it isn't begun, and that is said.
    pub async fn start(&mut self, entry: Entry) -> Result<bool, JournalError> {
        let writer = self.writer.clone();
        let mut writer = writer.lock().await;
        let is_under_way = entry
            .action
            .as_ref()
            .is_some_and(|action| writer.state.is_current(action));
        if !is_under_way && (writer.is_halted || writer.state.phase != self.state.phase) {
            return Ok(false);
        }
        self.write(&mut writer, entry).await?;
        Ok(true)
    }

    async fn write(&mut self, writer: &mut Writer, entry: Entry) -> Result<(), JournalError> {
        let record = writer.record(entry).await?;
        self.state.clone_from(&writer.state);
        self.facts.apply(&record);
        Ok(())
    }
}

impl Writer {
    async fn record(&mut self, entry: Entry) -> Result<Record, JournalError> {
        if let Some(error) = &self.broken {
            return Err(error.clone().into());
        }
        let state = self.state.next(&entry)?;
        let record = Record {
            v: JOURNAL_VERSION,
            seq: self.seq,
            epoch: state.epoch,
            run: self.run.clone(),
            at: self.clock.now(),
            entry,
            prev: self.prev.clone(),
        };
        let line = encode(&record)?;
        if let Err(error) = self.write(&record.entry.event, &line).await {
            self.broken = Some(error.clone());
            return Err(error.into());
        }
        self.state = state;
        self.facts.apply(&record);
        self.seq += 1;
        self.prev = line_hash(&line);
        self.observer.record(&record);
        Ok(record)
    }

    async fn write(&mut self, event: &Event, line: &[u8]) -> Result<(), StoreError> {
        self.log.append(self.seq, line).await?;
        if event.is_durable() {
            let name = event.name();
            self.hooks.reached(Point::BeforeSync(name)).await;
            self.log.sync().await?;
            self.hooks.reached(Point::AfterSync(name)).await;
        }
        Ok(())
    }
}
