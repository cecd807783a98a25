//! What a sandbox is started with, and what its account is furnished with.

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The only region that is answered.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// How fast states pass.
    pub pace: Pace,
    /// The listener's port; `None` takes a free one.
    pub port: Option<u16>,
    /// An empty or missing directory for everything; `None` makes a temporary one: in `TMPDIR` if
    /// that is set, else in `/dev/shm` if 4 GiB are free there, else in `/tmp`. It must be short:
    /// socket paths are limited to about a hundred bytes.
    pub directory: Option<PathBuf>,
    /// Decides what AWS leaves open, like the order of snapshots and generated names.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            region: "eu-central-1".into(),
            account: "123456789012".into(),
            pace: Pace::Fast,
            port: None,
            directory: None,
            seed: 1,
        }
    }
}

/// How fast states pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// In milliseconds, for tests and drills.
    #[default]
    Fast,
    /// With durations like AWS's, for training: a restore takes about twelve minutes, a replication
    /// about 45 before its first row.
    Real,
}

/// How long states last, beyond the work that they stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    /// After a modification was accepted, before the status shows it.
    pub(crate) lag: Duration,
    pub(crate) creating: Duration,
    pub(crate) backing_up: Duration,
    pub(crate) resetting_credentials: Duration,
    pub(crate) modifying: Duration,
    pub(crate) rebooting: Duration,
    pub(crate) deleting: Duration,
    pub(crate) snapshot: Duration,
    pub(crate) dms_initializing: Duration,
    pub(crate) dms_preparing_metadata: Duration,
    pub(crate) dms_testing_connection: Duration,
    pub(crate) dms_fetching_metadata: Duration,
    pub(crate) dms_calculating_capacity: Duration,
    pub(crate) dms_provisioning_capacity: Duration,
    pub(crate) dms_starting: Duration,
    pub(crate) dms_stopping: Duration,
    pub(crate) dms_modifying: Duration,
    pub(crate) dms_deleting_endpoint: Duration,
    pub(crate) dms_deleting_config: Duration,
    pub(crate) dms_deprovisioning: Duration,
}

impl Pace {
    pub(crate) fn durations(self) -> Durations {
        let seconds = Duration::from_secs;
        match self {
            Pace::Fast => {
                let moment = Duration::from_millis(30);
                Durations {
                    lag: moment,
                    creating: moment,
                    backing_up: moment,
                    resetting_credentials: moment,
                    modifying: moment,
                    rebooting: moment,
                    deleting: moment,
                    snapshot: moment,
                    dms_initializing: moment,
                    dms_preparing_metadata: moment,
                    dms_testing_connection: moment,
                    dms_fetching_metadata: moment,
                    dms_calculating_capacity: moment,
                    dms_provisioning_capacity: moment,
                    dms_starting: moment,
                    dms_stopping: moment,
                    dms_modifying: moment,
                    dms_deleting_endpoint: moment,
                    dms_deleting_config: moment,
                    dms_deprovisioning: moment,
                }
            }
            Pace::Real => Durations {
                lag: seconds(12),
                creating: seconds(720),
                backing_up: seconds(75),
                resetting_credentials: seconds(45),
                modifying: seconds(120),
                rebooting: seconds(40),
                deleting: seconds(300),
                snapshot: seconds(180),
                // Together about 45 minutes before the first row.
                dms_initializing: seconds(180),
                dms_preparing_metadata: seconds(1050),
                dms_testing_connection: seconds(180),
                dms_fetching_metadata: seconds(180),
                dms_calculating_capacity: seconds(90),
                dms_provisioning_capacity: seconds(1050),
                dms_starting: seconds(90),
                dms_stopping: seconds(60),
                dms_modifying: seconds(60),
                dms_deleting_endpoint: seconds(30),
                dms_deleting_config: seconds(300),
                dms_deprovisioning: seconds(900),
            },
        }
    }
}

/// What a sandbox is doing while it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// No usable server is on the machine, so one is fetched, once.
    BringingPostgres,
    /// No Liquibase is on the machine, so one is fetched, once.
    BringingLiquibase,
    /// The template cluster is made, once per server version.
    MakingTemplate {
        /// The server's version.
        version: String,
    },
    /// Requests are answered.
    Ready {
        /// Where.
        endpoint_url: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::BringingPostgres => write!(f, "fetching PostgreSQL 16 with pgvector"),
            Progress::BringingLiquibase => write!(f, "fetching Liquibase 4.28"),
            Progress::MakingTemplate { version } => {
                write!(f, "making a PostgreSQL {version} template cluster")
            }
            Progress::Ready { endpoint_url } => write!(f, "the sandbox answers at {endpoint_url}"),
        }
    }
}

/// A database instance to begin with.
///
/// [`InstanceBlueprint::new`] fills in what most drills don't care about.
#[derive(Debug, Clone)]
pub struct InstanceBlueprint {
    /// The instance's identifier.
    pub id: String,
    /// The instance class, as in `db.t4g.medium`.
    pub class: String,
    /// The database that is made with it.
    pub database: String,
    /// The master user's name.
    pub master_username: String,
    /// The master user's password.
    pub master_password: SecretString,
    /// A declared subnet group, or `default`.
    pub subnet_group: String,
    /// Ids of declared security groups; none means the VPC's default group.
    pub security_groups: Vec<String>,
    /// A declared parameter group; `None` means the engine's default group.
    pub parameter_group: Option<String>,
    /// For how many days automated snapshots are kept; 0 turns backups off.
    pub backup_retention_days: u32,
    /// Whether a deletion is refused.
    pub deletion_protection: bool,
    /// Whether a stand-by is pretended.
    pub multi_az: bool,
    /// In GiB; pretended.
    pub allocated_storage: u32,
    /// The instance's tags.
    pub tags: BTreeMap<String, String>,
    /// Extensions that are made in the database, like `vector`.
    pub extensions: Vec<String>,
    /// The port on loopback; `None` takes a free one.
    pub port: Option<u16>,
}

impl InstanceBlueprint {
    /// An instance in the default groups, with backups kept for seven days.
    pub fn new(
        id: impl Into<String>,
        database: impl Into<String>,
        master_username: impl Into<String>,
        master_password: SecretString,
    ) -> InstanceBlueprint {
        InstanceBlueprint {
            id: id.into(),
            class: "db.t4g.medium".into(),
            database: database.into(),
            master_username: master_username.into(),
            master_password,
            subnet_group: "default".into(),
            security_groups: Vec::new(),
            parameter_group: None,
            backup_retention_days: 7,
            deletion_protection: false,
            multi_az: false,
            allocated_storage: 20,
            tags: BTreeMap::new(),
            extensions: Vec::new(),
            port: None,
        }
    }
}

/// A security group: who may connect.
#[derive(Debug, Clone)]
pub struct SecurityGroupBlueprint {
    /// As in `sg-0a1b2c3d`.
    pub id: String,
    /// The loopback source addresses that it admits.
    pub admits: Vec<IpAddr>,
}

/// A parameter group.
#[derive(Debug, Clone)]
pub struct ParameterGroupBlueprint {
    /// The group's name.
    pub name: String,
    /// The family, as in `postgres16`.
    pub family: String,
    /// Whether sessions without TLS are refused (`rds.force_ssl`).
    pub force_ssl: bool,
}

/// A subnet group.
#[derive(Debug, Clone)]
pub struct SubnetGroupBlueprint {
    /// The group's name.
    pub name: String,
    /// Its VPC; the default VPC is [`DEFAULT_VPC`].
    pub vpc: String,
}

/// A replication subnet group of DMS.
#[derive(Debug, Clone)]
pub struct DmsSubnetGroupBlueprint {
    /// The group's name.
    pub name: String,
    /// Its VPC; the default VPC is [`DEFAULT_VPC`].
    pub vpc: String,
    /// Its subnets; DMS asks for two zones.
    pub subnets: Vec<SubnetBlueprint>,
}

impl DmsSubnetGroupBlueprint {
    /// A group with two subnets in two zones of the region, in the default VPC.
    pub fn new(name: impl Into<String>, region: &str) -> DmsSubnetGroupBlueprint {
        let name = name.into();
        let subnet = |zone: char| SubnetBlueprint {
            id: format!("subnet-{name}-{zone}"),
            availability_zone: format!("{region}{zone}"),
        };
        DmsSubnetGroupBlueprint {
            vpc: DEFAULT_VPC.into(),
            subnets: vec![subnet('a'), subnet('b')],
            name,
        }
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetBlueprint {
    /// As in `subnet-0a1b2c3d`.
    pub id: String,
    /// As in `eu-central-1a`.
    pub availability_zone: String,
}

/// The id of the account's default VPC.
pub const DEFAULT_VPC: &str = "vpc-0defa017";

/// The id of the default VPC's default security group, which admits nobody.
pub const DEFAULT_SECURITY_GROUP: &str = "sg-0defa017";

/// Where an instance is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAddress {
    /// `127.0.0.1`; TLS with the sandbox's CA is expected.
    pub host: String,
    /// The instance's own port.
    pub port: u16,
    /// The private socket's directory: only the superuser `rdsadmin` logs in there without a
    /// password.
    pub socket_directory: PathBuf,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The snapshot's identifier.
    pub id: String,
    /// `SnapshotCreateTime`.
    pub created_at: jiff::Timestamp,
    /// `SnapshotDatabaseTime`: everything that was committed before is contained.
    pub database_time: jiff::Timestamp,
}

/// An entry of the snapshots' catalogue that shares the data of an existing snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotEntry {
    /// The entry's identifier.
    pub id: String,
    /// The existing snapshot whose data it shares.
    pub data_of: String,
    /// `None` is a snapshot that is still being made.
    pub created_at: Option<jiff::Timestamp>,
}

/// How an instance is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// The instance fails: status `failed`, nobody can connect.
    Failed,
    /// The storage is full: status `storage-full`, nobody can connect.
    StorageFull,
    /// The key can't be reached: status `inaccessible-encryption-credentials`, nobody can connect.
    InaccessibleKey,
    /// The network fails: status `incompatible-network`, nobody can connect.
    IncompatibleNetwork,
}

impl Loss {
    pub(crate) fn status(self) -> &'static str {
        match self {
            Loss::Failed => "failed",
            Loss::StorageFull => "storage-full",
            Loss::InaccessibleKey => "inaccessible-encryption-credentials",
            Loss::IncompatibleNetwork => "incompatible-network",
        }
    }
}
