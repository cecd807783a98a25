//! What a run is told from outside: who runs it, who watches, and when to stop.

use crate::ids::ActionId;
use crate::journal::{Record, SavedUse};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How a run is run.
#[derive(Clone)]
pub struct Options {
    /// Who runs it; journaled.
    pub operator: String,
    /// Whether a lease that only this machine sees is taken as enough; journaled.
    pub alone: bool,
    /// The saved plan that it is begun from, which is used up by it; journaled.
    pub saved: Option<SavedUse>,
    /// Stops the run.
    pub interrupt: Interrupt,
    /// More time for the await that the run had stopped in.
    pub extend: Option<Duration>,
    /// Sees what happens.
    pub observer: Arc<dyn Observer>,
    /// Stands at every sync and send.
    pub hooks: Arc<dyn Hooks>,
}

impl Options {
    /// Nobody watches, nobody stops it.
    pub fn new(operator: impl Into<String>) -> Self {
        Self {
            operator: operator.into(),
            alone: false,
            saved: None,
            interrupt: Interrupt::new(),
            extend: None,
            observer: Arc::new(Silent),
            hooks: Arc::new(Silent),
        }
    }
}

/// Ctrl-C, counted.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<watch::Sender<u8>>);

impl Interrupt {
    /// Not pressed yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Once: stop at the next boundary between actions, or between two looks of a wait that no effect hangs on.
    /// Twice: stop waiting now; `resume` finds out what became of the effect that is under way.
    pub fn press(&self) {
        self.0.send_modify(|level| *level = level.saturating_add(1));
    }

    /// How often it was pressed.
    pub fn level(&self) -> u8 {
        *self.0.borrow()
    }

    /// Returns when it was pressed that often. May be dropped at any time.
    pub(crate) async fn reached(&self, level: u8) {
        let mut pressed = self.0.subscribe();
        if pressed.wait_for(|now| *now >= level).await.is_err() {
            // Can't be: this very value keeps the sender alive.
            std::future::pending::<()>().await;
        }
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}

/// Watches a run. Its calls must be quick: the run waits for them.
pub trait Observer: Send + Sync {
    /// A record was written, and is as durable as it must be.
    fn record(&self, record: &Record) {
        let _ = record;
    }

    /// Something was looked at that isn't worth a record.
    fn tick(&self, tick: &Tick) {
        let _ = tick;
    }
}

/// What a wait sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// Which action waits.
    pub action: ActionId,
    /// What was seen.
    pub seen: String,
    /// For how long it has waited: attended time.
    pub elapsed: Duration,
    /// For how long it may wait, where that is known.
    pub limit: Option<Duration>,
    /// How far it is, and of how much, in bytes, rows or parts; absent where there is nothing to count.
    pub done: Option<(u64, u64)>,
}

/// Stands at the points where a crash is most instructive. A test's hook that never returns is a process that died there.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// The run is at that point.
    async fn reached(&self, point: Point) {
        let _ = point;
    }
}

/// A point where a crash is most instructive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// A record of that type is written, and may be lost yet.
    BeforeSync(&'static str),
    /// It is durable.
    AfterSync(&'static str),
    /// A call that changes something is about to be sent.
    BeforeSend(&'static str),
    /// Its answer is here, and nothing has been recorded of it.
    AfterSend(&'static str),
}

struct Silent;

impl Observer for Silent {}

impl Hooks for Silent {}
