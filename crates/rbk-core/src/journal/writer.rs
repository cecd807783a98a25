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

pub(crate) struct Journal {
    pub run: RunId,
    pub state: State,
    pub facts: Facts,
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
        Self {
            run,
            state: State::default(),
            facts: Facts::default(),
            log,
            seq: 0,
            prev: no_hash(),
            broken: None,
            clock: around.clock,
            observer: around.observer,
            hooks: around.hooks,
        }
    }

    pub fn go_on(history: &History, log: Box<dyn Log>, around: Around) -> Self {
        Self {
            state: history.state.clone(),
            facts: history.facts.clone(),
            seq: history.records.len() as u64,
            prev: history.last_hash.clone(),
            ..Self::begin(history.run.clone(), log, around)
        }
    }

    /// Writes a record; returns when it is as durable as its event must be.
    pub async fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
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
        Ok(())
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
