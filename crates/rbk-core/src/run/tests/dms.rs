//! DMS serverless in memory: endpoints, configs that pass through their phases on the virtual clock, rows that arrive at the end, and
//! the ways in which that goes wrong.

use super::world::{Fake, Inner, error};
use crate::environment::TableName;
use crate::ids::InstanceId;
use crate::plan::Side;
use crate::ports::{
    Dms, DmsEndpoint, DmsLeftover, EndpointCredentials, EndpointRequest, PortError, PortErrorKind,
    Replication, ReplicationRequest, TableCounts, TableStatistics,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// What changes something at DMS.
pub const MUTATIONS: &[&str] = &[
    "create_endpoint",
    "create_replication",
    "start_replication",
    "stop_replication",
    "delete_replication",
    "delete_endpoint",
];

/// How a load ends.
#[derive(Debug, Clone)]
pub enum End {
    Finished,
    Stopped(&'static str),
    Failed(&'static str),
}

pub struct FakeDms {
    pub endpoints: BTreeMap<String, FakeEndpoint>,
    pub configs: BTreeMap<String, Config>,
    /// In virtual milliseconds: from start to running, and from running to its end.
    pub provisioning: u64,
    pub loading: u64,
    pub end: End,
    /// Tables that it doesn't load, with the state that they are left in.
    pub broken: BTreeMap<TableName, &'static str>,
    /// Tables that lose a row on their way.
    pub leaky: BTreeSet<TableName>,
    /// What it tells of besides.
    pub extra: Vec<TableName>,
    /// Tables that it says nothing of.
    pub silent: BTreeSet<TableName>,
    /// What it wrote into its control tables.
    pub control_error: &'static str,
    pub subnet_groups: BTreeSet<String>,
    /// For how long what was created isn't seen.
    pub hidden_for: u64,
    /// For how long only the config is described of what was created, not its status.
    pub config_only_for: u64,
    /// It is told of in a status that nobody knows while it runs.
    pub odd_status: bool,
}

pub struct FakeEndpoint {
    pub is: DmsEndpoint,
    pub request: EndpointRequest,
    created: u64,
    gone_at: Option<u64>,
}

pub struct Config {
    pub is: Replication,
    pub request: ReplicationRequest,
    created: u64,
    started: Option<u64>,
    stops_at: Option<u64>,
    gone_at: Option<u64>,
}

impl Default for FakeDms {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            configs: BTreeMap::new(),
            provisioning: 40 * 60_000,
            loading: 20 * 60_000,
            end: End::Finished,
            broken: BTreeMap::new(),
            leaky: BTreeSet::new(),
            extra: Vec::new(),
            silent: BTreeSet::new(),
            control_error: "",
            subnet_groups: BTreeSet::from(["dms-subnets".to_owned()]),
            hidden_for: 0,
            config_only_for: 0,
            odd_status: false,
        }
    }
}

const PHASES: [&str; 7] = [
    "initializing",
    "preparing_metadata_resources",
    "testing_connection",
    "fetching_metadata",
    "calculating_capacity",
    "provisioning_capacity",
    "replication_starting",
];

fn at(millis: u64) -> jiff::Timestamp {
    let start: jiff::Timestamp = super::world::START.parse().unwrap();
    start + std::time::Duration::from_millis(millis)
}

fn over(status: &str) -> bool {
    ["created", "stopped", "failed"].contains(&status)
}

impl Inner {
    /// What happens at DMS by itself.
    pub fn settle_dms(&mut self) {
        let now = self.now;
        let gone = |at: &Option<u64>| at.is_some_and(|at| now >= at);
        self.dms.endpoints.retain(|_, it| !gone(&it.gone_at));
        self.dms.configs.retain(|_, it| !gone(&it.gone_at));
        let ids: Vec<String> = self.dms.configs.keys().cloned().collect();
        for id in ids {
            self.settle_config(&id);
        }
    }

    fn settle_config(&mut self, id: &str) {
        let now = self.now;
        let (provisioning, loading) = (self.dms.provisioning, self.dms.loading);
        let odd = self.dms.odd_status;
        let end = self.dms.end.clone();
        let config = self.dms.configs.get_mut(id).unwrap();
        let Some(started) = config.started else {
            return;
        };
        if over(&config.is.status) || config.is.status == "deleting" {
            return;
        }
        if let Some(stops) = config.stops_at {
            if now >= stops {
                config.is.status = "stopped".to_owned();
                config.is.stop_reason = Some("NORMAL".to_owned());
                config.is.stopped_at = Some(at(stops));
            }
            return;
        }
        let passed = now - started;
        if passed < provisioning {
            let phase = usize::try_from(passed * PHASES.len() as u64 / provisioning).unwrap();
            config.is.status = PHASES[phase].to_owned();
            return;
        }
        config.is.provision_state = Some("provisioned".to_owned());
        config.is.provisioned_units = Some(2);
        if passed < provisioning + loading {
            let status = if odd { "optimizing-quantum" } else { "running" };
            config.is.status = status.to_owned();
            let percent = (passed - provisioning) * 100 / loading;
            config.is.percent = Some(i32::try_from(percent).unwrap());
            return;
        }
        config.is.stopped_at = Some(at(started + provisioning + loading));
        match end {
            End::Failed(message) => {
                config.is.status = "failed".to_owned();
                config.is.failure_messages = vec![message.to_owned()];
            }
            End::Stopped(reason) => {
                config.is.status = "stopped".to_owned();
                config.is.stop_reason = Some(reason.to_owned());
            }
            End::Finished => {
                config.is.status = "stopped".to_owned();
                config.is.stop_reason = Some("FULL_LOAD_ONLY_FINISHED".to_owned());
                config.is.percent = Some(100);
                self.move_rows(id);
            }
        }
    }

    fn instance_of(&self, arn: &str) -> InstanceId {
        let endpoints = self.dms.endpoints.values();
        let found = endpoints.into_iter().find(|it| it.is.arn == arn).unwrap();
        match &found.request.credentials {
            EndpointCredentials::Given { host, .. } => {
                InstanceId::new(host.trim_end_matches(".example"))
            }
            EndpointCredentials::Secret { secret, .. } => {
                let name = secret.as_str().trim_end_matches("_admin");
                InstanceId::new(format!("db-{name}"))
            }
        }
    }

    fn move_rows(&mut self, id: &str) {
        let request = self.dms.configs[id].request.clone();
        let source = self.instance_of(&request.source);
        let target = self.instance_of(&request.target);
        let rows = self.servers[&source].db.rows.clone();
        for (table, mut rows) in rows {
            if self.dms.broken.contains_key(&table) {
                continue;
            }
            if self.dms.leaky.contains(&table) {
                rows.pop();
            }
            let target = &mut self.servers.get_mut(&target).unwrap().db;
            target.rows.entry(table).or_default().extend(rows);
        }
    }

    fn statistics(&self, arn: &str) -> Vec<TableStatistics> {
        let mut configs = self.dms.configs.values();
        let config = configs.find(|it| it.is.arn == arn).unwrap();
        let is_given_up = config.is.provision_state.as_deref() == Some("deprovisioned");
        if is_given_up || config.is.provision_state.is_none() {
            return Vec::new();
        }
        let source = self.instance_of(&config.request.source);
        let rows = &self.servers[&source].db.rows;
        let is_over = over(&config.is.status);
        let told = rows.iter().filter(|(it, _)| !self.dms.silent.contains(it));
        let tables = told.map(|(table, rows)| {
            let broken = self.dms.broken.get(table).copied();
            let state = match broken {
                Some(state) => state,
                None if is_over => "Table completed",
                None => "Full load",
            };
            TableStatistics {
                schema: table.schema.clone(),
                table: table.table.clone(),
                state: state.to_owned(),
                rows: if broken.is_some() {
                    0
                } else {
                    rows.len() as u64
                },
                ..TableStatistics::default()
            }
        });
        let extra = self.dms.extra.iter().map(|table| TableStatistics {
            schema: table.schema.clone(),
            table: table.table.clone(),
            state: "Table completed".to_owned(),
            rows: 1,
            ..TableStatistics::default()
        });
        tables.chain(extra).collect()
    }
}

#[async_trait]
impl Dms for Fake {
    async fn endpoint(&self, id: &str) -> Result<Option<DmsEndpoint>, PortError> {
        self.call("endpoint", |inner| {
            let seen = inner.now.saturating_sub(inner.dms.hidden_for);
            let found = inner.dms.endpoints.get(id);
            Ok(found
                .filter(|it| it.created <= seen)
                .map(|it| it.is.clone()))
        })
    }

    async fn create_endpoint(&self, request: &EndpointRequest) -> Result<DmsEndpoint, PortError> {
        self.call("create_endpoint", |inner| {
            if inner.dms.endpoints.contains_key(&request.id) {
                return Err(error(PortErrorKind::AlreadyExists, "creating an endpoint"));
            }
            let is = DmsEndpoint {
                id: request.id.clone(),
                arn: format!("arn:aws:dms:::endpoint:{}", request.resource),
                status: "active".to_owned(),
                tags: request.tags.clone(),
            };
            let made = FakeEndpoint {
                is: is.clone(),
                request: request.clone(),
                created: inner.now,
                gone_at: None,
            };
            inner.dms.endpoints.insert(request.id.clone(), made);
            let line = format!("create {} endpoint", request.side.name());
            inner.ledger.push(line);
            Ok(is)
        })
    }

    async fn delete_endpoint(&self, arn: &str) -> Result<(), PortError> {
        self.call("delete_endpoint", |inner| {
            let now = inner.now;
            let mut configs = inner.dms.configs.values();
            if configs.any(|it| it.request.source == arn || it.request.target == arn) {
                return Err(error(PortErrorKind::InvalidState, "deleting an endpoint"));
            }
            let mut endpoints = inner.dms.endpoints.values_mut();
            let Some(found) = endpoints.find(|it| it.is.arn == arn) else {
                return Err(error(PortErrorKind::NotFound, "deleting an endpoint"));
            };
            if found.gone_at.is_some() {
                return Err(error(PortErrorKind::InvalidState, "deleting an endpoint"));
            }
            found.is.status = "deleting".to_owned();
            found.gone_at = Some(now + 500);
            let line = format!("delete {} endpoint", found.request.side.name());
            inner.ledger.push(line);
            Ok(())
        })
    }

    async fn replication(&self, id: &str) -> Result<Option<Replication>, PortError> {
        self.call("replication", |inner| {
            let seen = inner.now.saturating_sub(inner.dms.hidden_for);
            let found = inner.dms.configs.get(id);
            let found = found.filter(|it| it.created <= seen);
            let broken = i32::try_from(inner.dms.broken.len()).unwrap();
            Ok(found.map(|it| {
                let mut is = it.is.clone();
                if inner.now < it.created + inner.dms.config_only_for {
                    is.status = "unknown".to_owned();
                }
                is.tables = (is.status == "stopped").then_some(TableCounts {
                    errored: broken,
                    ..TableCounts::default()
                });
                is
            }))
        })
    }

    async fn create_replication(&self, request: &ReplicationRequest) -> Result<(), PortError> {
        self.call("create_replication", |inner| {
            if inner.dms.configs.contains_key(&request.id) {
                return Err(error(PortErrorKind::AlreadyExists, "creating a config"));
            }
            if !inner.dms.subnet_groups.contains(&request.subnet_group) {
                return Err(error(PortErrorKind::NotFound, "creating a config"));
            }
            let made = Config {
                is: Replication {
                    id: request.id.clone(),
                    arn: format!("arn:aws:dms:::replication-config:{}", request.resource),
                    status: "created".to_owned(),
                    tags: request.tags.clone(),
                    ..Replication::default()
                },
                request: request.clone(),
                created: inner.now,
                started: None,
                stops_at: None,
                gone_at: None,
            };
            inner.dms.configs.insert(request.id.clone(), made);
            inner.ledger.push("create replication".to_owned());
            Ok(())
        })
    }

    async fn start_replication(&self, arn: &str) -> Result<(), PortError> {
        self.call("start_replication", |inner| {
            let now = inner.now;
            let config = config(inner, arn)?;
            if config.is.status != "created" {
                return Err(error(PortErrorKind::InvalidState, "starting"));
            }
            config.started = Some(now);
            config.is.started_at = Some(at(now));
            config.is.status = "initializing".to_owned();
            inner.ledger.push("start replication".to_owned());
            Ok(())
        })
    }

    async fn stop_replication(&self, arn: &str) -> Result<(), PortError> {
        self.call("stop_replication", |inner| {
            let now = inner.now;
            let config = config(inner, arn)?;
            if config.is.status != "running" || config.stops_at.is_some() {
                return Err(error(PortErrorKind::InvalidState, "stopping"));
            }
            config.stops_at = Some(now + 300);
            config.is.status = "stopping".to_owned();
            inner.ledger.push("stop replication".to_owned());
            Ok(())
        })
    }

    async fn delete_replication(&self, arn: &str) -> Result<(), PortError> {
        self.call("delete_replication", |inner| {
            let now = inner.now;
            let config = config(inner, arn)?;
            if !over(&config.is.status) {
                return Err(error(PortErrorKind::InvalidState, "deleting a config"));
            }
            config.is.status = "deleting".to_owned();
            config.gone_at = Some(now + 700);
            inner.ledger.push("delete replication".to_owned());
            Ok(())
        })
    }

    async fn table_statistics(&self, arn: &str) -> Result<Vec<TableStatistics>, PortError> {
        self.call("table_statistics", |inner| Ok(inner.statistics(arn)))
    }

    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError> {
        self.call("has_subnet_group", |inner| {
            Ok(inner.dms.subnet_groups.contains(name))
        })
    }

    async fn leftovers(&self) -> Result<Vec<DmsLeftover>, PortError> {
        self.call("leftovers", |inner| {
            let endpoints = inner.dms.endpoints.values().map(|it| DmsLeftover {
                kind: "endpoint",
                id: it.is.id.clone(),
                status: it.is.status.clone(),
                tags: it.is.tags.clone(),
            });
            let configs = inner.dms.configs.values().map(|it| DmsLeftover {
                kind: "replication config",
                id: it.is.id.clone(),
                status: it.is.status.clone(),
                tags: it.is.tags.clone(),
            });
            Ok(endpoints.chain(configs).collect())
        })
    }
}

fn config<'i>(inner: &'i mut Inner, arn: &str) -> Result<&'i mut Config, PortError> {
    let mut configs = inner.dms.configs.values_mut();
    let found = configs.find(|it| it.is.arn == arn && it.gone_at.is_none());
    found.ok_or_else(|| error(PortErrorKind::NotFound, "looking for a config"))
}

/// Somebody else's endpoint.
pub fn endpoint_of_others(id: &str, side: Side) -> FakeEndpoint {
    let tags = BTreeMap::from([("rbk:run".to_owned(), "somebody-elses".to_owned())]);
    FakeEndpoint {
        is: DmsEndpoint {
            id: id.to_owned(),
            arn: format!("arn:aws:dms:::endpoint:of-others-{}", side.name()),
            status: "active".to_owned(),
            tags: tags.clone(),
        },
        request: EndpointRequest {
            id: id.to_owned(),
            resource: "of-others".to_owned(),
            side,
            database: "statistagpt".to_owned(),
            credentials: EndpointCredentials::Secret {
                secret: "original".into(),
                role: "role".to_owned(),
            },
            tls: crate::environment::DmsTls::Require,
            certificate: None,
            after_connect: None,
            tags,
        },
        created: 0,
        gone_at: None,
    }
}
