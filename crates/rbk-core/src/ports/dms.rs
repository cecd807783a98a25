//! DMS serverless: endpoints, replication configs, and how a load fares.

use super::PortError;
use crate::environment::DmsTls;
use crate::ids::SecretName;
use crate::plan::Side;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// DMS serverless.
#[async_trait]
pub trait Dms: Send + Sync {
    /// The endpoint of that identifier with its tags, or `None`. Source: `DescribeEndpoints`, `ListTagsForResource`.
    async fn endpoint(&self, id: &str) -> Result<Option<DmsEndpoint>, PortError>;

    /// Creates an endpoint. Source: `CreateEndpoint`.
    async fn create_endpoint(&self, request: &EndpointRequest) -> Result<DmsEndpoint, PortError>;

    /// Deletes an endpoint; returns when DMS has accepted it. `InvalidState` while a replication uses it. Source: `DeleteEndpoint`.
    async fn delete_endpoint(&self, arn: &str) -> Result<(), PortError>;

    /// The replication of that config identifier with the config's tags, or `None`. Source: `DescribeReplicationConfigs`,
    /// `DescribeReplications`, `ListTagsForResource`.
    async fn replication(&self, id: &str) -> Result<Option<Replication>, PortError>;

    /// Creates a replication config. Source: `CreateReplicationConfig`.
    async fn create_replication(&self, request: &ReplicationRequest) -> Result<(), PortError>;

    /// Starts a replication for the first time; `InvalidState` where it is active, modifying or deprovisioning. Source:
    /// `StartReplication` with `start-replication`.
    async fn start_replication(&self, arn: &str) -> Result<(), PortError>;

    /// Stops a replication; its capacity stays. Source: `StopReplication`.
    async fn stop_replication(&self, arn: &str) -> Result<(), PortError>;

    /// Deletes the config and with it capacity and statistics; `InvalidState` while it runs. Source: `DeleteReplicationConfig`.
    async fn delete_replication(&self, arn: &str) -> Result<(), PortError>;

    /// How each table fares, of all pages. Empty where DMS has (or has any more) nothing to tell. Source:
    /// `DescribeReplicationTableStatistics`.
    async fn table_statistics(&self, arn: &str) -> Result<Vec<TableStatistics>, PortError>;

    /// Whether there is a replication subnet group of that name. Source: `DescribeReplicationSubnetGroups`.
    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError>;

    /// All endpoints and replication configs that carry the tag `rbk:run`. Source: `DescribeEndpoints`,
    /// `DescribeReplicationConfigs`, `ListTagsForResource`.
    async fn leftovers(&self) -> Result<Vec<DmsLeftover>, PortError>;
}

/// An endpoint as DMS describes it; never its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmsEndpoint {
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// `active`, `deleting`, …: a free string in the API.
    pub status: String,
    /// All of them.
    pub tags: BTreeMap<String, String>,
}

/// What an endpoint is created with.
#[derive(Debug, Clone)]
pub struct EndpointRequest {
    /// Its identifier.
    pub id: String,
    /// The end of its ARN, at most 31 characters.
    pub resource: String,
    /// Source or target.
    pub side: Side,
    /// The database in the instance.
    pub database: String,
    /// How DMS logs in.
    pub credentials: EndpointCredentials,
    /// TLS towards the database.
    pub tls: DmsTls,
    /// The ARN of a certificate in DMS.
    pub certificate: Option<String>,
    /// SQL that each session of DMS begins with. Source: `PostgreSQLSettings.AfterConnectScript`.
    pub after_connect: Option<String>,
    /// All tags, rbk's own included.
    pub tags: BTreeMap<String, String>,
}

/// How DMS logs in to a database.
#[derive(Clone)]
pub enum EndpointCredentials {
    /// It reads a secret itself.
    Secret {
        /// The secret: its name or ARN.
        secret: SecretName,
        /// The role that may read it.
        role: String,
    },
    /// They are given.
    Given {
        /// The real host name.
        host: String,
        /// The real port.
        port: u16,
        /// The role.
        username: String,
        /// Its password.
        password: SecretString,
    },
}

impl std::fmt::Debug for EndpointCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EndpointCredentials::Secret { secret, role } => {
                write!(f, "secret {secret} through {role}")
            }
            EndpointCredentials::Given {
                host,
                port,
                username,
                ..
            } => write!(f, "{username} at {host}:{port}"),
        }
    }
}

/// What a replication config is created with.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicationRequest {
    /// Its identifier.
    pub id: String,
    /// The end of its ARN, at most 31 characters.
    pub resource: String,
    /// ARN of the source endpoint.
    pub source: String,
    /// ARN of the target endpoint.
    pub target: String,
    /// `MaxCapacityUnits`.
    pub capacity: u32,
    /// Whether a second zone stands by.
    pub multi_az: bool,
    /// The DMS replication subnet group.
    pub subnet_group: String,
    /// Security groups of the replication.
    pub security_groups: Vec<String>,
    /// `TableMappings`.
    pub mappings: serde_json::Value,
    /// `ReplicationSettings`.
    pub settings: serde_json::Value,
    /// All tags, rbk's own included.
    pub tags: BTreeMap<String, String>,
}

/// A replication as DMS describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replication {
    /// The config's identifier.
    pub id: String,
    /// The config's ARN.
    pub arn: String,
    /// In lower case with underscores: `created`, `provisioning_capacity`, `running`, `stopped`, …: a free string in the API.
    pub status: String,
    /// `FULL_LOAD_ONLY_FINISHED`, without DMS's `Stop Reason ` before it.
    pub stop_reason: Option<String>,
    /// What DMS says of a failure.
    pub failure_messages: Vec<String>,
    /// `provisioned`, `deprovisioning`, …: a free string in the API.
    pub provision_state: Option<String>,
    /// Capacity units that are provisioned (and billed) now.
    pub provisioned_units: Option<i32>,
    /// When DMS gives capacity and statistics up by itself.
    pub deprovision_at: Option<jiff::Timestamp>,
    /// How far it says that it is, in percent.
    pub percent: Option<i32>,
    /// Tables loaded, loading, queued and failed, as DMS counts them.
    pub tables: Option<TableCounts>,
    /// When it was started.
    pub started_at: Option<jiff::Timestamp>,
    /// When it stopped.
    pub stopped_at: Option<jiff::Timestamp>,
    /// The config's tags.
    pub tags: BTreeMap<String, String>,
}

/// Tables as a replication counts them. Source: `ReplicationStats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableCounts {
    /// `TablesLoaded`
    pub loaded: i32,
    /// `TablesLoading`
    pub loading: i32,
    /// `TablesQueued`
    pub queued: i32,
    /// `TablesErrored`
    pub errored: i32,
}

/// How a table fares. Source: `TableStatistics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableStatistics {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// `Table completed`, `Table error`, …: a free string in the API.
    pub state: String,
    /// `FullLoadRows`
    pub rows: u64,
    /// `FullLoadErrorRows`: a 0 proves nothing.
    pub error_rows: u64,
    /// `FullLoadStartTime`
    pub started_at: Option<jiff::Timestamp>,
    /// `FullLoadEndTime`
    pub ended_at: Option<jiff::Timestamp>,
}

/// Something of DMS that carries rbk's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmsLeftover {
    /// `endpoint` or `replication config`.
    pub kind: &'static str,
    /// Its identifier.
    pub id: String,
    /// Its status.
    pub status: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}
