//! DMS's part of the account as plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{errors::DmsError, load::Board};

/// The role without which DMS makes nothing in a VPC.
pub(crate) const VPC_ROLE: &str = "dms-vpc-role";

/// Everything that DMS's requests can see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dms {
    /// By ARN.
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
    /// By ARN.
    pub(crate) configs: BTreeMap<String, Config>,
    /// By name.
    pub(crate) subnet_groups: BTreeMap<String, SubnetGroup>,
    /// ARNs of certificates, which all stand for the sandbox's authority.
    pub(crate) certificates: BTreeSet<String>,
    /// Names of IAM roles.
    pub(crate) roles: BTreeSet<String>,
}

/// A source or a target.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) role: EndpointRole,
    pub(crate) engine: Engine,
    pub(crate) deleting: bool,
    pub(crate) ssl_mode: String,
    pub(crate) certificate_arn: Option<String>,
    pub(crate) kms_key: String,
    pub(crate) extra_attributes: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) login: Login,
    /// Set through `PostgreSQLSettings` or the attributes.
    pub(crate) after_connect: Option<String>,
    /// `PostgreSQLSettings`, as they are echoed: without the password.
    pub(crate) settings: Map<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointRole {
    Source,
    Target,
}

impl EndpointRole {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EndpointRole::Source => "source",
            EndpointRole::Target => "target",
        }
    }
}

/// `EngineName`; both mean a PostgreSQL server to the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    AuroraPostgres,
}

impl Engine {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Engine::Postgres => "postgres",
            Engine::AuroraPostgres => "aurora-postgresql",
        }
    }

    pub(crate) fn display_name(self) -> &'static str {
        match self {
            Engine::Postgres => "PostgreSQL",
            Engine::AuroraPostgres => "Amazon Aurora PostgreSQL",
        }
    }
}

/// How an endpoint logs in.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// With what the endpoint itself was given.
    Plain {
        server: String,
        port: u16,
        username: String,
        password: SecretString,
    },
    /// With the current version of a secret.
    Secret { role_arn: String, secret_id: String },
}

/// A replication config, and its replication.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) id: String,
    pub(crate) arn: String,
    /// The last part of the ARN.
    pub(crate) resource: String,
    pub(crate) source_arn: String,
    pub(crate) target_arn: String,
    pub(crate) compute: Compute,
    /// As it was sent.
    pub(crate) mappings: String,
    /// The whole document, all defaults filled in.
    pub(crate) settings: Value,
    pub(crate) supplemental: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) replication: Replication,
}

/// `ComputeConfig`
#[derive(Debug, Clone, Default)]
pub(crate) struct Compute {
    pub(crate) max_units: u32,
    pub(crate) min_units: u32,
    pub(crate) multi_az: bool,
    pub(crate) availability_zone: Option<String>,
    pub(crate) subnet_group: String,
    pub(crate) security_groups: Vec<String>,
    pub(crate) kms_key: String,
    pub(crate) dns_servers: Option<String>,
    pub(crate) maintenance_window: String,
}

/// `Status`, in the order in which a replication goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Created,
    Modifying,
    Initializing,
    PreparingMetadata,
    TestingConnection,
    FetchingMetadata,
    CalculatingCapacity,
    ProvisioningCapacity,
    Starting,
    Running,
    Stopping,
    Stopped,
    Failed,
    Deleting,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Modifying => "modifying",
            Status::Initializing => "initializing",
            Status::PreparingMetadata => "preparing_metadata_resources",
            Status::TestingConnection => "testing_connection",
            Status::FetchingMetadata => "fetching_metadata",
            Status::CalculatingCapacity => "calculating_capacity",
            Status::ProvisioningCapacity => "provisioning_capacity",
            Status::Starting => "replication_starting",
            Status::Running => "running",
            Status::Stopping => "stopping",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
            Status::Deleting => "deleting",
        }
    }

    /// Whether a run is under way.
    pub(crate) fn is_active(self) -> bool {
        match self {
            Status::Initializing
            | Status::PreparingMetadata
            | Status::TestingConnection
            | Status::FetchingMetadata
            | Status::CalculatingCapacity
            | Status::ProvisioningCapacity
            | Status::Starting
            | Status::Running
            | Status::Stopping => true,
            Status::Created
            | Status::Modifying
            | Status::Stopped
            | Status::Failed
            | Status::Deleting => false,
        }
    }
}

/// What `DescribeReplications` shows.
#[derive(Debug, Clone)]
pub(crate) struct Replication {
    pub(crate) status: Status,
    pub(crate) provision: Option<Provision>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) failures: Vec<String>,
    pub(crate) start_type: Option<String>,
    pub(crate) updated_at: Timestamp,
    pub(crate) stopped_at: Option<Timestamp>,
    pub(crate) deprovision_at: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) load_started: Option<Timestamp>,
    pub(crate) load_finished: Option<Timestamp>,
    /// Counts runs; work of an earlier run changes nothing.
    pub(crate) runs: u32,
    /// The last run, until it is deprovisioned.
    pub(crate) run: Option<Run>,
}

impl Replication {
    pub(crate) fn new(now: Timestamp) -> Replication {
        Replication {
            status: Status::Created,
            provision: None,
            stop_reason: None,
            failures: Vec::new(),
            start_type: None,
            updated_at: now,
            stopped_at: None,
            deprovision_at: None,
            started_at: None,
            load_started: None,
            load_finished: None,
            runs: 0,
            run: None,
        }
    }

    /// Whether capacity is there, and so is billed.
    pub(crate) fn billed(&self) -> Option<&Provision> {
        self.provision
            .as_ref()
            .filter(|provision| provision.state != ProvisionState::Deprovisioned)
    }
}

/// `ProvisionData`
#[derive(Debug, Clone)]
pub(crate) struct Provision {
    pub(crate) state: ProvisionState,
    pub(crate) units: u32,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProvisionState {
    Provisioned,
    Deprovisioning,
    Deprovisioned,
    Failed,
}

impl ProvisionState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ProvisionState::Provisioned => "provisioned",
            ProvisionState::Deprovisioning => "deprovisioning",
            ProvisionState::Deprovisioned => "deprovisioned",
            ProvisionState::Failed => "failed_provision",
        }
    }
}

/// What the world sees of a run, and how it is told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) board: Arc<Board>,
    pub(crate) stop: Arc<watch::Sender<bool>>,
    /// Tables that a fault suspended: shown as errors, never loaded.
    pub(crate) suspended: Vec<(String, String)>,
}

/// A replication subnet group.
#[derive(Debug, Clone)]
pub(crate) struct SubnetGroup {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) zone: String,
}

/// Capacity of a replication that is billed until its config is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvisionedCapacity {
    /// The replication config's identifier.
    pub replication: String,
    /// The replication config's ARN.
    pub arn: String,
    /// In DMS capacity units.
    pub units: u32,
    /// Since when.
    pub since: Timestamp,
    /// The replication's status, as in `stopped`.
    pub status: String,
}

impl Dms {
    pub(crate) fn endpoint(&self, arn: &str) -> Result<&Endpoint, DmsError> {
        self.endpoints
            .get(arn)
            .ok_or_else(|| DmsError::NotFound(format!("Endpoint {arn} not found.")))
    }

    pub(crate) fn config(&self, arn: &str) -> Result<&Config, DmsError> {
        self.configs.get(arn).ok_or_else(|| no_config(arn))
    }

    pub(crate) fn config_mut(&mut self, arn: &str) -> Result<&mut Config, DmsError> {
        self.configs.get_mut(arn).ok_or_else(|| no_config(arn))
    }

    /// What is billed.
    pub(crate) fn capacity(&self) -> Vec<ProvisionedCapacity> {
        self.configs
            .values()
            .filter_map(|config| {
                let provision = config.replication.billed()?;
                (provision.state != ProvisionState::Failed).then(|| ProvisionedCapacity {
                    replication: config.id.clone(),
                    arn: config.arn.clone(),
                    units: provision.units,
                    since: provision.at,
                    status: config.replication.status.as_str().to_owned(),
                })
            })
            .collect()
    }
}

fn no_config(arn: &str) -> DmsError {
    DmsError::NotFound(format!("Replication Config {arn} not found."))
}
