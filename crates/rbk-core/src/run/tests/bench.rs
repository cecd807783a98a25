//! What tests run runs with: a store that loses what wasn't synced, hooks that stop everything, observers that press Ctrl-C.

use super::world::Fake;
use crate::ids::RunId;
use crate::journal::{
    AcquireError, Claim, Event, History, Log, Record, Store, StoreError, Stored, load,
};
use crate::lease::{Held, Holder, Lease, Request};
use crate::plan::Plan;
use crate::run::{Ending, Hooks, Interrupt, Observer, Options, Point, Refusal, Runner, Tick};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// A store in memory. What was appended and not synced is lost, or torn, when the machine dies.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    runs: BTreeMap<RunId, Run>,
    held: BTreeMap<String, Holder>,
    claims: BTreeMap<String, RunId>,
    writes: usize,
    syncs: usize,
    fail_write: Option<usize>,
    fail_sync: Option<usize>,
}

#[derive(Default)]
struct Run {
    plan: Vec<u8>,
    journal: Vec<u8>,
    synced: usize,
}

/// What a dying machine leaves of what wasn't synced.
#[derive(Debug, Clone, Copy)]
pub enum Crash {
    Keep,
    Lose,
    Tear,
}

impl MemoryStore {
    pub fn crash(&self, crash: Crash) {
        for run in self.0.lock().unwrap().runs.values_mut() {
            let unsynced = run.journal.len() - run.synced;
            let kept = match crash {
                Crash::Keep => unsynced,
                Crash::Lose => 0,
                Crash::Tear => unsynced / 2,
            };
            run.journal.truncate(run.synced + kept);
        }
    }

    /// How many bytes of the newest run a dying machine would lose.
    pub fn unsynced(&self) -> usize {
        let kept = self.0.lock().unwrap();
        let newest = kept.runs.values().next_back();
        newest.map_or(0, |run| run.journal.len() - run.synced)
    }

    /// The n-th write from now is cut off half-way, as on a full disk.
    pub fn fail_write(&self, nth: usize) {
        let mut kept = self.0.lock().unwrap();
        kept.fail_write = Some(kept.writes + nth);
    }

    /// The n-th sync from now fails.
    pub fn fail_sync(&self, nth: usize) {
        let mut kept = self.0.lock().unwrap();
        kept.fail_sync = Some(kept.syncs + nth);
    }

    pub fn mend(&self) {
        let mut kept = self.0.lock().unwrap();
        kept.fail_write = None;
        kept.fail_sync = None;
    }

    pub fn only_run(&self) -> Option<RunId> {
        self.0.lock().unwrap().runs.keys().next_back().cloned()
    }

    pub fn journal(&self, run: &RunId) -> Vec<u8> {
        self.0.lock().unwrap().runs[run].journal.clone()
    }

    pub fn set_journal(&self, run: &RunId, journal: Vec<u8>) {
        let mut kept = self.0.lock().unwrap();
        let run = kept.runs.get_mut(run).unwrap();
        run.synced = journal.len();
        run.journal = journal;
    }

    pub fn set_plan(&self, run: &RunId, plan: Vec<u8>) {
        self.0.lock().unwrap().runs.get_mut(run).unwrap().plan = plan;
    }
}

struct MemoryLog {
    store: MemoryStore,
    run: RunId,
    next: Option<u64>,
    is_broken: bool,
}

fn full(doing: &str) -> StoreError {
    StoreError {
        doing: doing.to_owned(),
        message: "no space left on device".to_owned(),
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(&mut self, seq: u64, line: &[u8]) -> Result<(), StoreError> {
        assert!(!self.is_broken, "written after it failed");
        let mut kept = self.store.0.lock().unwrap();
        kept.writes += 1;
        let fails = kept.fail_write == Some(kept.writes);
        let run = kept.runs.get_mut(&self.run).unwrap();
        let next = *self.next.get_or_insert_with(|| {
            run.journal.iter().filter(|byte| **byte == b'\n').count() as u64
        });
        assert_eq!(next, seq);
        self.next = Some(seq + 1);
        if fails {
            self.is_broken = true;
            run.journal.extend_from_slice(&line[..line.len() / 2]);
            return Err(full("writing"));
        }
        run.journal.extend_from_slice(line);
        run.journal.push(b'\n');
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), StoreError> {
        assert!(!self.is_broken, "synced again after it failed");
        let mut kept = self.store.0.lock().unwrap();
        kept.syncs += 1;
        if kept.fail_sync == Some(kept.syncs) {
            self.is_broken = true;
            return Err(full("syncing"));
        }
        let run = kept.runs.get_mut(&self.run).unwrap();
        run.synced = run.journal.len();
        Ok(())
    }
}

struct MemoryClaim {
    store: MemoryStore,
    plan: String,
    used_by: Option<RunId>,
}

#[async_trait]
impl Claim for MemoryClaim {
    fn used_by(&self) -> Option<&RunId> {
        self.used_by.as_ref()
    }

    async fn take(&mut self, run: &RunId) -> Result<(), StoreError> {
        let mut kept = self.store.0.lock().unwrap();
        kept.claims.insert(self.plan.clone(), run.clone());
        Ok(())
    }
}

struct MemoryLease {
    store: MemoryStore,
    entities: Vec<String>,
}

impl Lease for MemoryLease {
    fn entities(&self) -> &[String] {
        &self.entities
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut kept = self.store.0.lock().unwrap();
        for entity in &self.entities {
            kept.held.remove(entity);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<Box<dyn Log>, StoreError> {
        let mut kept = self.0.lock().unwrap();
        let fresh = Run {
            plan: plan.to_vec(),
            ..Run::default()
        };
        assert!(kept.runs.insert(run.clone(), fresh).is_none());
        Ok(Box::new(MemoryLog {
            store: self.clone(),
            run: run.clone(),
            next: None,
            is_broken: false,
        }))
    }

    async fn open(&self, run: &RunId, length: u64) -> Result<Box<dyn Log>, StoreError> {
        let mut kept = self.0.lock().unwrap();
        let length = usize::try_from(length).unwrap();
        let of = kept.runs.get_mut(run).unwrap();
        of.journal.truncate(length);
        of.synced = length;
        Ok(Box::new(MemoryLog {
            store: self.clone(),
            run: run.clone(),
            next: None,
            is_broken: false,
        }))
    }

    async fn read(&self, run: &RunId) -> Result<Option<Stored>, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.runs.get(run).map(|run| Stored {
            plan: run.plan.clone(),
            journal: run.journal.clone(),
        }))
    }

    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        Ok(self.0.lock().unwrap().runs.keys().rev().cloned().collect())
    }

    async fn claim(&self, plan: &str) -> Result<Box<dyn Claim>, StoreError> {
        Ok(Box::new(MemoryClaim {
            store: self.clone(),
            plan: plan.to_owned(),
            used_by: self.0.lock().unwrap().claims.get(plan).cloned(),
        }))
    }

    async fn acquire(&self, request: &Request) -> Result<Box<dyn Lease>, AcquireError> {
        let mut kept = self.0.lock().unwrap();
        for entity in &request.entities {
            if let Some(holder) = kept.held.get(entity) {
                return Err(AcquireError::Held(Held {
                    entity: entity.clone(),
                    holder: Some(Box::new(holder.clone())),
                }));
            }
        }
        for entity in &request.entities {
            kept.held.insert(entity.clone(), request.holder.clone());
        }
        Ok(Box::new(MemoryLease {
            store: self.clone(),
            entities: request.entities.clone(),
        }))
    }
}

/// Dies at the n-th point, from 1: the hook never returns, and the run's future is dropped.
pub struct Mortal {
    at: usize,
    seen: AtomicUsize,
    died: Notify,
    pub last: Mutex<Option<Point>>,
}

impl Mortal {
    pub fn at(n: usize) -> Arc<Self> {
        Arc::new(Self {
            at: n,
            seen: AtomicUsize::new(0),
            died: Notify::new(),
            last: Mutex::new(None),
        })
    }
}

#[async_trait]
impl Hooks for Mortal {
    async fn reached(&self, point: Point) {
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            *self.last.lock().unwrap() = Some(point);
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Runs `run` until it ends or dies.
pub async fn until_death<T>(
    mortal: &Mortal,
    run: impl Future<Output = Result<T, Refusal>>,
) -> Option<Result<T, Refusal>> {
    tokio::select! {
        biased;
        () = mortal.died.notified() => None,
        result = run => Some(result),
    }
}

type OnRecord = Box<dyn Fn(&Record) + Send + Sync>;
type OnTick = Box<dyn Fn(&Tick) + Send + Sync>;

/// Does something when something is seen.
#[derive(Default)]
pub struct Watcher {
    record: Option<OnRecord>,
    tick: Option<OnTick>,
}

impl Watcher {
    pub fn record(on: impl Fn(&Record) + Send + Sync + 'static) -> Self {
        Self {
            record: Some(Box::new(on)),
            tick: None,
        }
    }

    pub fn tick(on: impl Fn(&Tick) + Send + Sync + 'static) -> Self {
        Self {
            record: None,
            tick: Some(Box::new(on)),
        }
    }
}

impl Observer for Watcher {
    fn record(&self, record: &Record) {
        if let Some(on) = &self.record {
            on(record);
        }
    }

    fn tick(&self, tick: &Tick) {
        if let Some(on) = &self.tick {
            on(tick);
        }
    }
}

/// A world, a store, and who runs.
pub struct Bench {
    pub fake: Fake,
    pub store: MemoryStore,
    pub options: Options,
}

impl Bench {
    pub fn new(fake: Fake) -> Self {
        Self {
            fake,
            store: MemoryStore::default(),
            options: Options::new("ana"),
        }
    }

    pub fn runner(&self) -> Runner {
        Runner {
            world: self.fake.world(),
            store: Arc::new(self.store.clone()),
            options: self.options.clone(),
        }
    }

    /// Another process of the same people: nothing pressed, nothing hooked.
    pub fn again(&mut self) -> Runner {
        self.options = Options::new("ben");
        self.runner()
    }

    pub fn dying_at(&self, mortal: &Arc<Mortal>) -> Runner {
        let mut runner = self.runner();
        runner.options.hooks = mortal.clone();
        runner
    }

    pub fn watched(&mut self, watcher: Watcher) -> Interrupt {
        self.options.observer = Arc::new(watcher);
        self.options.interrupt.clone()
    }

    pub async fn start(&self, plan: &Plan) -> Ending {
        self.runner().start(plan).await.unwrap()
    }

    pub async fn resume(&mut self) -> Ending {
        let run = self.store.only_run().unwrap();
        self.again().resume(&run).await.unwrap()
    }

    pub async fn history(&self) -> History {
        let run = self.store.only_run().unwrap();
        load(&self.store, &run).await.unwrap()
    }

    /// The types of the journal's records, with how actions ended.
    pub async fn events(&self) -> Vec<Event> {
        let history = self.history().await;
        let records = history.records.into_iter();
        records.map(|record| record.entry.event).collect()
    }

    pub fn ledger(&self) -> Vec<String> {
        self.fake.lock().ledger.clone()
    }
}
