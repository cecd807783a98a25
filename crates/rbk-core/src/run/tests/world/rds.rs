//! Instances and snapshots, on the virtual clock.

use super::super::database::Db;
use super::{Fake, Inner, Server, error};
use crate::ids::{InstanceId, ResourceId, SnapshotId};
use crate::plan::InstanceSettings;
use crate::ports::{
    Instance, PointInTimeRequest, PortError, PortErrorKind, Quota, Rds, RestoreRequest,
    RestoreWindow, Roles, SnapshotRequest,
};
use crate::value::Snapshot;
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

#[async_trait]
impl Rds for Fake {
    async fn restore_to_point_in_time(
        &self,
        request: &PointInTimeRequest,
    ) -> Result<Instance, PortError> {
        self.call("restore_to_point_in_time", |inner| {
            let id = request.settings.instance.clone();
            if inner.servers.contains_key(&id) {
                return Err(error(PortErrorKind::AlreadyExists, "restoring"));
            }
            if !inner.servers.contains_key(&request.source) {
                return Err(error(PortErrorKind::NotFound, "restoring"));
            }
            let window = inner.window(&request.source);
            let is_within = window.is_some_and(|window| {
                window.earliest <= request.at && Some(request.at) <= window.latest
            });
            if !is_within {
                return Err(error(PortErrorKind::InvalidRequest, "restoring"));
            }
            let line = format!("restore {id} to an instant of {}", request.source);
            inner.backups.restored_to.push(request.at);
            let instance = inner.create(&request.settings, request.tags.clone(), "16.4");
            inner.ledger.push(line);
            Ok(instance)
        })
    }

    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot, PortError> {
        self.call("create_snapshot", |inner| {
            let now = inner.now;
            if inner.snapshots.iter().any(|it| it.id == request.id) {
                return Err(error(PortErrorKind::AlreadyExists, "taking a snapshot"));
            }
            let Some(server) = inner.servers.get(&request.instance) else {
                return Err(error(PortErrorKind::NotFound, "taking a snapshot"));
            };
            let snapshot = creating(&request.id, &server.instance);
            inner.snapshots.push(snapshot.clone());
            let backups = &mut inner.backups;
            backups
                .tags
                .insert(request.id.clone(), request.tags.clone());
            let at = now + backups.snapshot_takes;
            backups.under_way.insert(request.id.clone(), at);
            inner.ledger.push(format!("snapshot {}", request.instance));
            Ok(snapshot)
        })
    }

    async fn snapshot_tags(
        &self,
        id: &SnapshotId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError> {
        self.call("snapshot_tags", |inner| {
            let is_there = inner.snapshots.iter().any(|it| it.id == *id);
            let tags = inner.backups.tags.get(id).cloned();
            Ok(is_there.then(|| tags.unwrap_or_default()))
        })
    }

    async fn restore_window(&self, of: &InstanceId) -> Result<Option<RestoreWindow>, PortError> {
        self.call("restore_window", |inner| Ok(inner.window(of)))
    }

    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError> {
        self.call("has_subnet_group", |inner| {
            Ok(inner.backups.subnet_groups.contains(name))
        })
    }

    async fn has_parameter_group(&self, name: &str) -> Result<bool, PortError> {
        self.call("has_parameter_group", |inner| {
            Ok(inner.backups.parameter_groups.contains(name))
        })
    }

    async fn quotas(&self) -> Result<Vec<Quota>, PortError> {
        self.call("quotas", |inner| Ok(inner.backups.quotas.clone()))
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
            let version = snapshot.engine_version.clone();
            let instance = inner.create(&request.settings, request.tags.clone(), &version);
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
                let snapshot = creating(name, &server.instance);
                inner.snapshots.push(snapshot);
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

/// A snapshot that was begun.
fn creating(id: &SnapshotId, of: &Instance) -> Snapshot {
    Snapshot {
        id: id.clone(),
        instance: of.id.clone(),
        resource: Some(of.resource.clone()),
        created_at: None,
        data_as_of: None,
        kind: "manual".to_owned(),
        status: "creating".to_owned(),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        allocated_storage: None,
        master_username: None,
    }
}

impl Inner {
    /// An instance that comes to be.
    fn create(
        &mut self,
        settings: &InstanceSettings,
        tags: BTreeMap<String, String>,
        version: &str,
    ) -> Instance {
        let id = settings.instance.clone();
        let instance = Instance {
            id: id.clone(),
            resource: ResourceId::new(format!("db-{}", self.ledger.len())),
            status: "creating".to_owned(),
            endpoint: None,
            engine: "postgres".to_owned(),
            engine_version: version.to_owned(),
            master_username: "master".to_owned(),
            created_at: None,
            settings: settings.clone(),
            pending: Vec::new(),
            unsettled: Vec::new(),
            latest_restorable_time: None,
            managed_master_secret: false,
            tags,
        };
        // A snapshot carries its roles, and a freeze that was in force.
        let roles = [("sgpt_app".to_owned(), ("of the snapshot".to_owned(), false))];
        let server = Server {
            instance: instance.clone(),
            available_at: self.now + self.restore_takes,
            master_password: "of the snapshot".to_owned(),
            next_password: None,
            deleted: None,
            roles: roles.into(),
            sessions: 0,
            is_reachable: true,
            rows: 2000,
            db: Db::default(),
        };
        self.servers.insert(id, server);
        instance
    }
}

#[async_trait]
impl Roles for Fake {
    async fn has_role(&self, name: &str) -> Result<bool, PortError> {
        self.call("has_role", |inner| Ok(inner.backups.roles.contains(name)))
    }
}
