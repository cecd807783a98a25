//! A world in memory that keeps state: instances pass through their states on a virtual clock, secrets have labels,
//! databases have roles, passwords and sessions. It keeps a ledger of applied effects and fails where it is told to.

use super::database::Db;
use super::dms::FakeDms;
use crate::catalog::Catalog;
use crate::environment::{Checks, Health as HealthQuestion, TableName};
use crate::ids::{InstanceId, ResourceId, RoleName, SecretName, SnapshotId, StageLabel, VersionId};
use crate::plan::{CopiedTable, ForeignKeyFacts, Freeze, IndexFacts, SequenceFacts, TablePair};
use crate::ports::{
    Approval, Caller, ChangeRequest, ChangeSets, CheckFinding, Clock, CommandFacts, CommandRequest,
    Commands, CopyFacts, Endpoint, FreezeState, Health, HealthAnswer, Identity, Instance, Login,
    Marker, MigrateRequest, MigrationError, MigrationLock, MigrationRunner, Orphans, Person,
    PortError, PortErrorKind, Postgres, Progress, Question, Rds, RestoreRequest, SecretFacts,
    SecretValue, Secrets, Sent, SequenceState, Session, SessionFacts, TableFinding, Which, World,
};
use crate::value::{Snapshot, Type, Value};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
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

#[derive(Default)]
pub struct Secret {
    pub versions: BTreeMap<VersionId, (String, Vec<StageLabel>)>,
    pub owning_service: Option<String>,
    pub is_deleted: bool,
}

impl Secret {
    pub fn of(version: &str, value: &str) -> Self {
        let labels = vec![StageLabel::from("AWSCURRENT")];
        Self {
            versions: [(VersionId::from(version), (value.to_owned(), labels))].into(),
            ..Self::default()
        }
    }

    fn labelled(&self, label: &StageLabel) -> Option<VersionId> {
        let found = self
            .versions
            .iter()
            .find(|(_, (_, labels))| labels.contains(label));
        found.map(|(version, _)| version.clone())
    }

    /// Another operator makes another version current, which says the same.
    pub fn take_over(&mut self) {
        self.take_over_with(self.current_value());
    }

    /// The same, with another value.
    pub fn take_over_with(&mut self, value: String) {
        let current = StageLabel::from("AWSCURRENT");
        for (_, labels) in self.versions.values_mut() {
            labels.retain(|label| *label != current);
        }
        self.versions
            .insert(VersionId::from("somebody-elses"), (value, vec![current]));
    }

    pub fn current_value(&self) -> String {
        let current = self.labelled(&StageLabel::from("AWSCURRENT"));
        current.map_or(String::new(), |current| self.versions[&current].0.clone())
    }
}

pub struct Inner {
    /// Virtual milliseconds since the start.
    pub now: u64,
    random: u64,
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
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<Inner>>);

pub const START: &str = "2026-11-22T09:15:00Z";

impl Fake {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: 0,
            random: 0,
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
impl crate::ports::Roles for Fake {
    async fn has_role(&self, _: &str) -> Result<bool, PortError> {
        unimplemented!("contract: engine")
    }
}

#[async_trait]
impl Rds for Fake {
    async fn restore_to_point_in_time(
        &self,
        _: &crate::ports::PointInTimeRequest,
    ) -> Result<Instance, PortError> {
        unimplemented!("contract: engine")
    }

    async fn create_snapshot(
        &self,
        _: &crate::ports::SnapshotRequest,
    ) -> Result<Snapshot, PortError> {
        unimplemented!("contract: engine")
    }

    async fn restore_window(
        &self,
        _: &InstanceId,
    ) -> Result<Option<crate::ports::RestoreWindow>, PortError> {
        unimplemented!("contract: engine")
    }

    async fn has_subnet_group(&self, _: &str) -> Result<bool, PortError> {
        unimplemented!("contract: engine")
    }

    async fn has_parameter_group(&self, _: &str) -> Result<bool, PortError> {
        unimplemented!("contract: engine")
    }

    async fn quotas(&self) -> Result<Vec<crate::ports::Quota>, PortError> {
        unimplemented!("contract: engine")
    }

    async fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, PortError> {
        self.call("instance", |inner| {
            let (now, hidden_for) = (inner.now, inner.hidden_for);
            let takes = inner.restore_takes;
            let server = inner.servers.get(id);
            let seen = server.filter(|server| {
                let created = server.available_at.saturating_sub(takes);
                server.available_at == 0 || now >= created + hidden_for
            });
            Ok(seen.map(|server| server.instance.clone()))
        })
    }

    async fn snapshots(&self, of: &InstanceId) -> Result<Vec<Snapshot>, PortError> {
        self.call("snapshots", |inner| {
            let all = inner.snapshots.iter();
            Ok(all.filter(|it| it.instance == *of).cloned().collect())
        })
    }

    async fn restore_from_snapshot(&self, request: &RestoreRequest) -> Result<Instance, PortError> {
        self.call("restore", |inner| {
            let id = request.settings.instance.clone();
            if inner.servers.contains_key(&id) {
                return Err(error(PortErrorKind::AlreadyExists, "restoring"));
            }
            let snapshots = &inner.snapshots;
            let Some(snapshot) = snapshots.iter().find(|it| it.id == request.snapshot) else {
                return Err(error(PortErrorKind::NotFound, "restoring"));
            };
            let instance = Instance {
                id: id.clone(),
                resource: ResourceId::new(format!("db-{}", inner.ledger.len())),
                status: "creating".to_owned(),
                endpoint: None,
                engine: "postgres".to_owned(),
                engine_version: snapshot.engine_version.clone(),
                master_username: "master".to_owned(),
                created_at: None,
                settings: request.settings.clone(),
                pending: Vec::new(),
                unsettled: Vec::new(),
                latest_restorable_time: None,
                managed_master_secret: false,
                tags: request.tags.clone(),
            };
            // A snapshot carries its roles, and a freeze that was in force.
            let roles = [("sgpt_app".to_owned(), ("of the snapshot".to_owned(), false))];
            let server = Server {
                instance: instance.clone(),
                available_at: inner.now + inner.restore_takes,
                master_password: "of the snapshot".to_owned(),
                next_password: None,
                deleted: None,
                roles: roles.into(),
                sessions: 0,
                is_reachable: true,
                rows: 2000,
                db: Db::default(),
            };
            inner.servers.insert(id.clone(), server);
            inner
                .ledger
                .push(format!("restore {id} from {}", request.snapshot));
            Ok(instance)
        })
    }

    async fn set_master_password(
        &self,
        id: &InstanceId,
        password: &SecretString,
    ) -> Result<Instance, PortError> {
        self.call("set_master_password", |inner| {
            let at = inner.now + 20_000;
            let Some(server) = inner.servers.get_mut(id) else {
                return Err(error(PortErrorKind::NotFound, "modifying"));
            };
            server.next_password = Some((at, password.expose_secret().to_owned()));
            server.instance.pending = vec!["MasterUserPassword".to_owned()];
            let instance = server.instance.clone();
            inner.ledger.push(format!("master password of {id}"));
            Ok(instance)
        })
    }

    async fn set_deletion_protection(
        &self,
        id: &InstanceId,
        on: bool,
    ) -> Result<Instance, PortError> {
        self.call("set_deletion_protection", |inner| {
            let Some(server) = inner.servers.get_mut(id) else {
                return Err(error(PortErrorKind::NotFound, "modifying"));
            };
            server.instance.settings.deletion_protection = on;
            let instance = server.instance.clone();
            inner.ledger.push(format!("protection of {id}: {on}"));
            Ok(instance)
        })
    }

    async fn delete_instance(
        &self,
        id: &InstanceId,
        final_snapshot: Option<&SnapshotId>,
    ) -> Result<(), PortError> {
        self.call("delete_instance", |inner| {
            let now = inner.now;
            let Some(server) = inner.servers.get_mut(id) else {
                return Err(error(PortErrorKind::NotFound, "deleting"));
            };
            if server.deleted.is_some() {
                return Err(error(PortErrorKind::AlreadySo, "deleting"));
            }
            if server.instance.settings.deletion_protection {
                return Err(error(
                    PortErrorKind::InvalidRequest,
                    "deleting a protected one",
                ));
            }
            if let Some(name) = final_snapshot {
                if inner.snapshots.iter().any(|it| it.id == *name) {
                    return Err(error(PortErrorKind::AlreadyExists, "deleting"));
                }
                inner.snapshots.push(Snapshot {
                    id: name.clone(),
                    instance: id.clone(),
                    resource: Some(server.instance.resource.clone()),
                    created_at: None,
                    data_as_of: None,
                    kind: "manual".to_owned(),
                    status: "creating".to_owned(),
                    engine: "postgres".to_owned(),
                    engine_version: "16.4".to_owned(),
                    allocated_storage: None,
                    master_username: None,
                });
            }
            server.deleted = Some((now, final_snapshot.cloned()));
            server.instance.status = "deleting".to_owned();
            inner.ledger.push(format!("delete {id}"));
            Ok(())
        })
    }

    async fn snapshot(&self, id: &SnapshotId) -> Result<Option<Snapshot>, PortError> {
        self.call("snapshot", |inner| {
            let mut snapshots = inner.snapshots.iter();
            Ok(snapshots.find(|it| it.id == *id).cloned())
        })
    }

    async fn created_by_rbk(&self) -> Result<Vec<Instance>, PortError> {
        self.call("created_by_rbk", |inner| {
            let servers = inner.servers.values().map(|it| it.instance.clone());
            Ok(servers
                .filter(|it| it.tags.contains_key("rbk:run"))
                .collect())
        })
    }
}

#[async_trait]
impl Secrets for Fake {
    async fn describe(&self, name: &SecretName) -> Result<Option<SecretFacts>, PortError> {
        self.call("describe", |inner| {
            Ok(inner.secrets.get(name).map(|secret| {
                let versions = secret.versions.iter();
                SecretFacts {
                    versions: versions
                        .map(|(version, (_, labels))| (version.clone(), labels.clone()))
                        .collect(),
                    rotation_enabled: false,
                    owning_service: secret.owning_service.clone(),
                    deleted: secret.is_deleted,
                }
            }))
        })
    }

    async fn value(&self, name: &SecretName, which: &Which) -> Result<SecretValue, PortError> {
        self.call("value", |inner| {
            let secret = inner.secrets.get(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "reading"))?;
            let version = match which {
                Which::Label(label) => secret.labelled(label),
                Which::Version(version) => Some(version.clone()),
            };
            let found = version.and_then(|version| {
                let (value, _) = secret.versions.get(&version)?;
                Some(SecretValue {
                    version,
                    value: SecretString::from(value.as_str()),
                })
            });
            found.ok_or_else(|| error(PortErrorKind::NotFound, "reading"))
        })
    }

    async fn put(
        &self,
        name: &SecretName,
        token: &VersionId,
        value: &SecretString,
        label: &StageLabel,
    ) -> Result<(), PortError> {
        self.call("put", |inner| {
            let secret = inner.secrets.get_mut(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "putting"))?;
            let value = value.expose_secret().to_owned();
            if let Some((before, _)) = secret.versions.get(token) {
                return if *before == value {
                    Ok(())
                } else {
                    Err(error(PortErrorKind::Conflict, "putting"))
                };
            }
            for (_, labels) in secret.versions.values_mut() {
                labels.retain(|it| it != label);
            }
            secret
                .versions
                .insert(token.clone(), (value, vec![label.clone()]));
            inner.ledger.push(format!("version of {name}"));
            Ok(())
        })
    }

    async fn move_label(
        &self,
        name: &SecretName,
        label: &StageLabel,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), PortError> {
        self.call("move_label", |inner| {
            let secret = inner.secrets.get_mut(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "moving"))?;
            if secret.labelled(label).as_ref() != from {
                return Err(error(PortErrorKind::Conflict, "moving"));
            }
            for (_, labels) in secret.versions.values_mut() {
                labels.retain(|it| it != label);
            }
            let (_, labels) = secret.versions.get_mut(to).unwrap();
            labels.push(label.clone());
            let is_back = to.as_str().starts_with("v0");
            let what = if is_back { "back" } else { "switch" };
            inner.ledger.push(format!("{what} {name}"));
            Ok(())
        })
    }
}

struct FakeSession {
    world: Fake,
    instance: InstanceId,
    role: String,
}

#[async_trait]
impl Postgres for Fake {
    async fn connect(&self, to: &Login) -> Result<Box<dyn Session>, PortError> {
        self.call("connect", |inner| {
            let server = inner.servers.values().find(|server| {
                let endpoint = server.instance.endpoint.as_ref();
                endpoint.is_some_and(|it| it.host == to.host && it.port == to.port)
            });
            let Some(server) = server.filter(|server| server.is_reachable) else {
                return Err(error(PortErrorKind::Unreachable, "logging in"));
            };
            let password = to.password.expose_secret();
            let may = if to.username == server.instance.master_username {
                password == server.master_password
            } else {
                server
                    .roles
                    .get(&to.username)
                    .is_some_and(|(right, may_log_in)| password == right && *may_log_in)
            };
            if !may {
                return Err(error(PortErrorKind::LoginRefused, "logging in"));
            }
            Ok(Box::new(FakeSession {
                world: self.clone(),
                instance: server.instance.id.clone(),
                role: to.username.clone(),
            }) as Box<dyn Session>)
        })
    }

    async fn compare(
        &self,
        left: &Login,
        right: &Login,
        tables: &[TablePair],
        progress: &dyn Progress,
    ) -> Result<Vec<TableFinding>, PortError> {
        let found = self.call("compare", |inner| {
            let left = inner.database_of(left).instance.id.clone();
            let right = inner.database_of(right).instance.id.clone();
            let (left, right) = (&inner.servers[&left].db, &inner.servers[&right].db);
            let pairs = tables.iter().map(|pair| {
                let [left, right] = left.pair(right, pair);
                TableFinding {
                    pair: pair.clone(),
                    left,
                    right,
                }
            });
            Ok(pairs.collect())
        })?;
        for (done, pair) in (1_u64..).zip(tables) {
            progress.tell(&format!("{}", pair.left), done, tables.len() as u64);
        }
        Ok(found)
    }

    async fn copy(
        &self,
        from: &Login,
        to: &Login,
        tables: &[CopiedTable],
        marker: &Marker,
        progress: &dyn Progress,
    ) -> Result<CopyFacts, PortError> {
        progress.tell("copying", 0, tables.len() as u64);
        if self.lock().copy_hangs {
            std::future::pending::<()>().await;
        }
        self.call("copy", |inner| {
            let cut = inner.copy_is_cut.take();
            let mut facts = CopyFacts::default();
            for (index, table) in tables.iter().enumerate() {
                if cut == Some(index) {
                    let mut cut = error(PortErrorKind::Unreachable, "copying");
                    cut.sent = Sent::Maybe;
                    return Err(cut);
                }
                let source = &inner.database_of(from).db;
                let rows = source.rows.get(&table.table).cloned().unwrap_or_default();
                let target = inner.database_of(to);
                let count = rows.len() as u64;
                let line = format!("copy {} to {}", table.table, target.instance.id);
                facts.tables += 1;
                if target.db.take_over(table, rows, marker) {
                    facts.rows += count;
                    facts.bytes += count * 100;
                    inner.ledger.push(line);
                }
            }
            Ok(facts)
        })
    }
}

#[async_trait]
impl Session for FakeSession {
    async fn long_transactions(
        &self,
        _: Duration,
    ) -> Result<Vec<crate::ports::LongTransaction>, PortError> {
        unimplemented!("contract: engine")
    }

    async fn whoami(&self) -> Result<SessionFacts, PortError> {
        self.world.call("whoami", |_| {
            Ok(SessionFacts {
                server_version: "16.4".to_owned(),
                role: self.role.clone(),
                in_recovery: false,
            })
        })
    }

    async fn count(&self, table: &TableName) -> Result<u64, PortError> {
        self.world.call("count", |inner| {
            let server = &inner.servers[&self.instance];
            let rows = server.db.rows.get(table);
            Ok(rows.map_or(server.rows, |rows| rows.len() as u64))
        })
    }

    async fn query(&self, sql: &str, _ty: Type) -> Result<Value, PortError> {
        self.world.call("query", |inner| {
            Ok(if sql.contains("awsdms_") {
                Value::Text(inner.dms.control_error.to_owned())
            } else {
                Value::Integer(1)
            })
        })
    }

    async fn checks(&self, checks: &Checks) -> Result<Vec<CheckFinding>, PortError> {
        self.world.call("checks", |inner| {
            let rows = inner.servers[&self.instance].rows;
            let tables = checks.not_empty.iter();
            Ok(tables
                .map(|table| CheckFinding {
                    check: format!("{table} is not empty"),
                    holds: rows > 0,
                    seen: format!("{rows} rows"),
                })
                .collect())
        })
    }

    async fn sessions(&self, _role: Option<&RoleName>) -> Result<u64, PortError> {
        self.world.call("sessions", |inner| {
            Ok(inner.servers[&self.instance].sessions)
        })
    }

    async fn set_role_password(
        &self,
        role: &RoleName,
        password: &SecretString,
    ) -> Result<(), PortError> {
        self.world.call("set_role_password", |inner| {
            let id = &self.instance;
            let server = inner.servers.get_mut(id).unwrap();
            let entry = (password.expose_secret().to_owned(), true);
            server.roles.insert(role.to_string(), entry);
            inner.ledger.push(format!("password of {role} on {id}"));
            Ok(())
        })
    }

    async fn freeze_state(&self, freeze: &Freeze) -> Result<FreezeState, PortError> {
        let Freeze::NoLogin { roles } = freeze else {
            panic!("this world freezes roles");
        };
        self.world.call("freeze_state", |inner| {
            let server = &inner.servers[&self.instance];
            let frozen = roles.iter().filter(|role| !server.roles[role.as_str()].1);
            Ok(match frozen.count() {
                0 => FreezeState::Open,
                all if all == roles.len() && server.sessions == 0 => FreezeState::Frozen,
                _ => FreezeState::Partly,
            })
        })
    }

    async fn freeze(&self, freeze: &Freeze) -> Result<(), PortError> {
        self.world
            .call("freeze", |inner| self.set_login(inner, freeze, false))
    }

    async fn thaw(&self, freeze: &Freeze) -> Result<(), PortError> {
        self.world
            .call("thaw", |inner| self.set_login(inner, freeze, true))
    }

    async fn catalog(&self) -> Result<Catalog, PortError> {
        self.ask("catalog", |db| Ok(db.catalog.clone()))
    }

    async fn dependents(&self, _schemas: &[String]) -> Result<Vec<String>, PortError> {
        self.ask("dependents", |db| Ok(db.dependents.clone()))
    }

    async fn has_marker(&self, marker: &Marker) -> Result<bool, PortError> {
        self.ask("has_marker", |db| db.has_marker(marker))
    }

    async fn change(&self, request: &ChangeRequest<'_>, marker: &Marker) -> Result<(), PortError> {
        self.world.call("change", |inner| {
            let (now, id) = (inner.now, &self.instance);
            let late = inner.commits_late.take();
            let db = &mut inner.servers.get_mut(id).unwrap().db;
            if let Some(late) = late {
                return Err(db.change_late(now + late, request.change, marker));
            }
            let what = db.change(now, request.change, marker)?;
            if !what.is_empty() {
                inner.ledger.push(format!("{what} {id}"));
            }
            Ok(())
        })
    }

    async fn indexes(&self, indexes: &[IndexFacts]) -> Result<Vec<Option<String>>, PortError> {
        self.ask("indexes", |db| Ok(db.indexes(indexes)))
    }

    async fn orphans(&self, key: &ForeignKeyFacts, within: Duration) -> Result<Orphans, PortError> {
        self.world.lock().proof_may_take.push(within);
        self.ask("orphans", |db| Ok(db.orphans(key)))
    }

    async fn sequences(
        &self,
        sequences: &[SequenceFacts],
    ) -> Result<Vec<SequenceState>, PortError> {
        self.ask("sequences", |db| Ok(db.sequence_states(sequences)))
    }

    async fn set_sequences(&self, next: &[(SequenceFacts, i64)]) -> Result<(), PortError> {
        self.world.call("set_sequences", |inner| {
            let server = inner.servers.get_mut(&self.instance).unwrap();
            server.db.set_sequences(next);
            inner.ledger.push(format!("sequences {}", self.instance));
            Ok(())
        })
    }

    async fn size(&self, _table: Option<&TableName>) -> Result<u64, PortError> {
        self.ask("size", |_| Ok(3 << 30))
    }

    async fn migration_lock(&self, _schema: &str) -> Result<Option<MigrationLock>, PortError> {
        self.ask("migration_lock", |db| Ok(db.migration_lock.clone()))
    }

    async fn release_migration_lock(
        &self,
        _schema: &str,
        lock: &MigrationLock,
    ) -> Result<(), PortError> {
        self.ask("release_migration_lock", |db| {
            match db.migration_lock.take_if(|held| held == lock) {
                Some(_) => Ok(()),
                None => Err(error(PortErrorKind::Conflict, "releasing")),
            }
        })
    }

    async fn end_sessions(&self, _application_name: &str) -> Result<(), PortError> {
        self.ask("end_sessions", |_| Ok(()))
    }

    async fn change_sets(&self, _schema: &str) -> Result<ChangeSets, PortError> {
        self.ask("change_sets", |db| Ok(db.applied()))
    }
}

impl FakeSession {
    fn ask<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Db) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.world.call(operation, |inner| {
            work(&mut inner.servers.get_mut(&self.instance).unwrap().db)
        })
    }

    fn set_login(&self, inner: &mut Inner, freeze: &Freeze, may: bool) -> Result<(), PortError> {
        let Freeze::NoLogin { roles } = freeze else {
            panic!("this world freezes roles");
        };
        let server = inner.servers.get_mut(&self.instance).unwrap();
        for role in roles {
            server.roles.get_mut(role.as_str()).unwrap().1 = may;
        }
        if !may {
            server.sessions = 0;
        }
        let what = if may { "thaw" } else { "freeze" };
        inner.ledger.push(format!("{what} {}", self.instance));
        Ok(())
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

#[async_trait]
impl Clock for Fake {
    fn now(&self) -> jiff::Timestamp {
        let start: jiff::Timestamp = START.parse().unwrap();
        start + Duration::from_millis(self.lock().now)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.lock().now)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::task::yield_now().await;
        self.lock().now += u64::try_from(duration.as_millis()).unwrap();
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

#[async_trait]
impl MigrationRunner for Fake {
    async fn migrate(&self, request: &MigrateRequest<'_>) -> Result<(), MigrationError> {
        let mut failed = None;
        let done = self.call("migrate", |inner| {
            let lock = inner.lock.clone();
            let (broken, killed) = (inner.broken_change_set, inner.tool_is_killed);
            inner.tool_is_killed = false;
            for (id, table) in inner.changelog.clone() {
                let server = inner.database_of(request.login);
                if server.db.migration_lock.is_some() {
                    return Err(error(PortErrorKind::InvalidState, "migrating"));
                }
                if server.db.change_sets.iter().any(|applied| applied == id) {
                    continue;
                }
                if broken == Some(id) {
                    failed = Some(id);
                    return Ok(());
                }
                server.db.apply_change_set(id, table, &lock);
                let line = format!("{id} on {}", server.instance.id);
                if killed {
                    server.db.migration_lock = Some(MigrationLock {
                        by: format!("host#rbk-{} (10.0.0.1)", request.run),
                        since: Some("2026-11-22 09:16:00".to_owned()),
                    });
                }
                inner.ledger.push(line);
                if killed {
                    let mut lost = error(PortErrorKind::Unreachable, "migrating");
                    lost.sent = Sent::Maybe;
                    return Err(lost);
                }
            }
            Ok(())
        });
        done.map_err(MigrationError::Tool)?;
        match failed {
            None => Ok(()),
            Some(id) => Err(MigrationError::ChangeSet {
                change_set: id.to_owned(),
                reason: "relation \"documents\" already exists".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Commands for Fake {
    async fn run(&self, request: &CommandRequest<'_>) -> Result<CommandFacts, PortError> {
        self.call("run", |inner| {
            let secrets = request.secrets.iter();
            let secrets = secrets
                .map(|(name, value)| format!("{name}={}", value.expose_secret()))
                .collect();
            inner.commands.push((request.program.to_vec(), secrets));
            if let Some(error) = inner.command_fails.clone() {
                return Err(error);
            }
            if let Some(said) = inner.says.get(request.name) {
                return Ok(CommandFacts {
                    last_line: said.clone(),
                });
            }
            inner.ledger.push(format!("command {}", request.name));
            if let [program, value] = request.program
                && program == "deploy"
            {
                inner.says.insert("read".to_owned(), value.clone());
            }
            Ok(CommandFacts {
                last_line: "warmed 3 tables".to_owned(),
            })
        })
    }
}
