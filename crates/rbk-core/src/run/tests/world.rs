//! A world in memory that keeps state: instances pass through their states on a virtual clock, secrets have labels,
//! databases have roles, passwords and sessions. It keeps a ledger of applied effects and fails where it is told to.

mod backups;
mod rds;
mod secrets;
mod session;
mod tools;

pub use backups::Backups;
pub use secrets::Secret;

use super::database::Db;
use super::dms::FakeDms;
use crate::catalog::Catalog;
use crate::environment::Health as HealthQuestion;
use crate::ids::{InstanceId, SecretName, SnapshotId};
use crate::ports::{
    Approval, Caller, Clock, Endpoint, Health, HealthAnswer, Identity, Instance, Login, Person,
    PortError, PortErrorKind, Question, Sent, World,
};
use crate::value::Snapshot;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// An error that is injected.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub operation: &'static str,
    /// From 1.
    pub nth: usize,
    pub kind: PortErrorKind,
    /// Whether the effect is applied nevertheless, and the answer is lost.
    pub applied: bool,
    /// How many calls in a row fail.
    pub times: usize,
}

impl Fault {
    pub fn new(operation: &'static str, nth: usize, kind: PortErrorKind) -> Self {
        Self {
            operation,
            nth,
            kind,
            applied: false,
            times: 1,
        }
    }

    pub fn applied(self) -> Self {
        Self {
            applied: true,
            ..self
        }
    }

    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

/// What changes something.
pub const MUTATIONS: &[&str] = &[
    "restore",
    "set_master_password",
    "put",
    "move_label",
    "set_role_password",
    "freeze",
    "thaw",
];

pub struct Server {
    pub instance: Instance,
    /// When it becomes available, in virtual milliseconds.
    pub available_at: u64,
    pub master_password: String,
    pub next_password: Option<(u64, String)>,
    /// When its deletion was accepted, in virtual milliseconds, and the final snapshot.
    pub deleted: Option<(u64, Option<SnapshotId>)>,
    /// Password, and whether it may log in.
    pub roles: BTreeMap<String, (String, bool)>,
    pub sessions: u64,
    pub is_reachable: bool,
    pub rows: u64,
    pub db: Db,
}

pub struct Inner {
    /// Virtual milliseconds since the start.
    pub now: u64,
    random: u64,
    /// Goes up with whatever is done, so that it is seen when nobody does anything.
    activity: u64,
    /// Until when somebody sleeps.
    sleepers: BTreeMap<u64, u64>,
    pub caller: Caller,
    pub servers: BTreeMap<InstanceId, Server>,
    pub snapshots: Vec<Snapshot>,
    pub secrets: BTreeMap<SecretName, Secret>,
    pub approval: Approval,
    pub questions: Vec<Question>,
    pub is_healthy: bool,
    pub ledger: Vec<String>,
    pub calls: BTreeMap<&'static str, usize>,
    pub faults: Vec<Fault>,
    /// How long a restore takes, and the state that it ends in.
    pub restore_takes: u64,
    pub restore_ends: &'static str,
    /// For how long a new instance isn't seen, in virtual milliseconds.
    pub hidden_for: u64,
    /// The next change is committed so much later, by a transaction whose client is gone.
    pub commits_late: Option<u64>,
    /// The migration tool's change sets, with the table that each makes, and what they make them from.
    pub changelog: Vec<(&'static str, &'static str)>,
    pub lock: Catalog,
    /// The change set that fails.
    pub broken_change_set: Option<&'static str>,
    /// The tool is killed after its first change set, with its lock held.
    pub tool_is_killed: bool,
    /// The connection is cut after so many tables.
    pub copy_is_cut: Option<usize>,
    /// How long each proof of a foreign key was let take.
    pub proof_may_take: Vec<Duration>,
    /// Copying comes to no end.
    pub copy_hangs: bool,
    /// What a command ends with, if not well.
    pub command_fails: Option<PortError>,
    /// The programs that were run, and the variables with secrets that they got.
    pub commands: Vec<(Vec<String>, Vec<String>)>,
    /// The last line of commands, by name.
    pub says: BTreeMap<String, String>,
    pub dms: FakeDms,
    /// How long an instance takes to be deleted, in virtual milliseconds; its final snapshot is available half-way.
    pub delete_takes: u64,
    /// What becomes of a final snapshot.
    pub final_snapshot_ends: &'static str,
    pub backups: Backups,
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<Inner>>);

pub const START: &str = "2026-11-22T09:15:00Z";

impl Fake {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: 0,
            random: 0,
            activity: 0,
            sleepers: BTreeMap::new(),
            caller: Caller {
                account: "123456789012".to_owned(),
                arn: "arn:aws:iam::123456789012:user/ana".to_owned(),
                region: "eu-central-1".to_owned(),
            },
            servers: BTreeMap::new(),
            snapshots: Vec::new(),
            secrets: BTreeMap::new(),
            approval: Approval::Given {
                by: "ana".to_owned(),
            },
            questions: Vec::new(),
            is_healthy: true,
            ledger: Vec::new(),
            calls: BTreeMap::new(),
            faults: Vec::new(),
            restore_takes: 600_000,
            restore_ends: "available",
            hidden_for: 0,
            commits_late: None,
            changelog: Vec::new(),
            lock: Catalog::default(),
            broken_change_set: None,
            tool_is_killed: false,
            copy_is_cut: None,
            proof_may_take: Vec::new(),
            copy_hangs: false,
            command_fails: None,
            commands: Vec::new(),
            says: BTreeMap::new(),
            dms: FakeDms::default(),
            delete_takes: 300_000,
            final_snapshot_ends: "available",
            backups: Backups::default(),
        })))
    }

    pub fn world(&self) -> World {
        World {
            identity: Arc::new(self.clone()),
            rds: Arc::new(self.clone()),
            dms: Arc::new(self.clone()),
            roles: Arc::new(self.clone()),
            secrets: Arc::new(self.clone()),
            postgres: Arc::new(self.clone()),
            health: Arc::new(self.clone()),
            migrations: Arc::new(self.clone()),
            commands: Arc::new(self.clone()),
            person: Arc::new(self.clone()),
            clock: Arc::new(self.clone()),
        }
    }

    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn add_server(&self, instance: Instance, master_password: &str) {
        let server = Server {
            available_at: 0,
            master_password: master_password.to_owned(),
            next_password: None,
            deleted: None,
            roles: BTreeMap::new(),
            sessions: 0,
            is_reachable: true,
            rows: 2000,
            db: Db::default(),
            instance: instance.clone(),
        };
        self.lock().servers.insert(instance.id, server);
    }

    pub fn call<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Inner) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let mut inner = self.lock();
        inner.now += 1;
        inner.activity += 1;
        inner.settle();
        let count = inner.calls.entry(operation).or_default();
        *count += 1;
        let count = *count;
        let fault = inner.faults.iter().copied().find(|fault| {
            fault.operation == operation && (fault.nth..fault.nth + fault.times).contains(&count)
        });
        match fault {
            Some(fault) if fault.applied => {
                work(&mut inner)?;
                let mut lost = error(fault.kind, operation);
                lost.sent = Sent::Maybe;
                Err(lost)
            }
            Some(fault) => Err(error(fault.kind, operation)),
            None => work(&mut inner),
        }
    }
}

impl Inner {
    fn settle(&mut self) {
        self.settle_deletions();
        self.settle_snapshots();
        self.settle_dms();
        let (now, ends) = (self.now, self.restore_ends);
        for server in self.servers.values_mut() {
            if server.instance.status == "creating" && now >= server.available_at {
                ends.clone_into(&mut server.instance.status);
                server.instance.endpoint = Some(endpoint_of(&server.instance.id));
            }
            if let Some((at, password)) = server.next_password.clone()
                && now >= at
            {
                server.master_password = password;
                server.next_password = None;
                server.instance.pending.clear();
                server.instance.status = "available".to_owned();
            }
            if let Some(what) = server.db.settle(now) {
                self.ledger.push(format!("{what} {}", server.instance.id));
            }
        }
    }

    /// Final snapshots become available, then instances vanish.
    fn settle_deletions(&mut self) {
        let (now, takes) = (self.now, self.delete_takes);
        let mut gone = Vec::new();
        for (id, server) in &self.servers {
            let Some((at, snapshot)) = &server.deleted else {
                continue;
            };
            if let Some(name) = snapshot
                && now >= at + takes / 2
            {
                let mut snapshots = self.snapshots.iter_mut();
                if let Some(snapshot) = snapshots.find(|it| it.id == *name) {
                    self.final_snapshot_ends.clone_into(&mut snapshot.status);
                }
            }
            if now >= at + takes {
                gone.push(id.clone());
            }
        }
        for id in gone {
            self.servers.remove(&id);
        }
    }

    /// The database that a login leads to.
    fn database_of(&mut self, login: &Login) -> &mut Server {
        let mut servers = self.servers.values_mut();
        let found = servers.find(|server| {
            let endpoint = server.instance.endpoint.as_ref();
            endpoint.is_some_and(|it| it.host == login.host)
        });
        found.unwrap()
    }

    pub fn server(&mut self, id: &str) -> &mut Server {
        self.servers.get_mut(&InstanceId::from(id)).unwrap()
    }

    pub fn secret(&mut self, name: &str) -> &mut Secret {
        self.secrets.get_mut(&SecretName::from(name)).unwrap()
    }
}

pub fn endpoint_of(id: &InstanceId) -> Endpoint {
    Endpoint {
        host: format!("{id}.example"),
        port: 5432,
    }
}

pub fn error(kind: PortErrorKind, doing: &str) -> PortError {
    PortError::new(kind, doing, format!("injected {kind:?}"))
}

#[async_trait]
impl Identity for Fake {
    async fn caller(&self) -> Result<Caller, PortError> {
        self.call("caller", |inner| Ok(inner.caller.clone()))
    }
}

#[async_trait]
impl Health for Fake {
    async fn ask(&self, _health: &HealthQuestion) -> Result<HealthAnswer, PortError> {
        self.call("ask", |inner| {
            Ok(HealthAnswer {
                healthy: inner.is_healthy,
                seen: if inner.is_healthy { "200" } else { "503" }.to_owned(),
            })
        })
    }
}

#[async_trait]
impl Person for Fake {
    async fn approve(&self, question: &Question) -> Result<Approval, PortError> {
        self.call("approve", |inner| {
            inner.questions.push(question.clone());
            Ok(inner.approval.clone())
        })
    }
}

/// Somebody who sleeps; dropped, they don't any more.
struct Sleeper<'a> {
    fake: &'a Fake,
    number: u64,
    until: u64,
}

impl<'a> Sleeper<'a> {
    fn new(fake: &'a Fake, millis: u64) -> Self {
        let mut inner = fake.lock();
        inner.activity += 1;
        let (number, until) = (inner.activity, inner.now + millis);
        inner.sleepers.insert(number, until);
        Self {
            fake,
            number,
            until,
        }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.fake.lock().sleepers.remove(&self.number);
    }
}

#[async_trait]
impl Clock for Fake {
    fn now(&self) -> jiff::Timestamp {
        let start: jiff::Timestamp = START.parse().unwrap();
        start + Duration::from_millis(self.lock().now)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.lock().now)
    }

    /// Time goes on when nobody does anything but sleep: to when the first one wakes.
    async fn sleep(&self, duration: Duration) {
        let sleeper = Sleeper::new(self, u64::try_from(duration.as_millis()).unwrap());
        loop {
            let before = self.lock().activity;
            tokio::task::yield_now().await;
            let mut inner = self.lock();
            if inner.activity == before
                && let Some(first) = inner.sleepers.values().min().copied()
            {
                inner.now = inner.now.max(first);
            }
            if inner.now >= sleeper.until {
                inner.activity += 1;
                return;
            }
        }
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut inner = self.lock();
        for byte in bytes {
            // A linear congruential generator: the same in each test.
            inner.random = inner
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (inner.random >> 33) as u8;
        }
    }
}
