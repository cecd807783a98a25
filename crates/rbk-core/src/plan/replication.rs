//! What a plan says of a replication: everything that is sent to DMS, in full, and what must come of it.

use crate::environment::{DmsTls, TableName};
use crate::ids::{DatabaseName, RunId, SecretName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A replication. The actions that make, start, prove and remove it refer to it by its name in [`super::Plan::replications`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedReplication {
    /// Where the rows come from.
    pub from: DatabaseName,
    /// Where they go.
    pub to: DatabaseName,
    /// The tables that must arrive, in the order of their names: no more and no less. Partitions under `dms`, roots under `copy`.
    pub tables: Vec<TableName>,
    /// How.
    pub with: ReplicationMeans,
}

/// How rows are moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "with", rename_all = "snake_case")]
pub enum ReplicationMeans {
    /// Binary `COPY`, by rbk itself: complete when its action is done.
    Copy,
    /// DMS serverless.
    Dms(Box<DmsReplication>),
}

/// What DMS serverless is told. Source: `CreateEndpoint`, `CreateReplicationConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DmsReplication {
    /// The endpoint of the source.
    pub source: EndpointSettings,
    /// The endpoint of the target.
    pub target: EndpointSettings,
    /// `MaxCapacityUnits`: one of 1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384.
    pub capacity: u32,
    /// Whether a second zone stands by.
    pub multi_az: bool,
    /// The DMS replication subnet group.
    pub subnet_group: String,
    /// Security groups of the replication; must be let in by the databases'.
    pub security_groups: Vec<String>,
    /// `TableMappings`, the whole document.
    #[schemars(with = "serde_json::Value")]
    pub mappings: serde_json::Value,
    /// `ReplicationSettings`, as sent: DMS fills in the rest.
    #[schemars(with = "serde_json::Value")]
    pub settings: serde_json::Value,
}

/// An endpoint, but for the address and the credentials, which are read when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointSettings {
    /// The database in the instance.
    pub database: String,
    /// The secret with the administrator's credentials.
    pub secret: SecretName,
    /// The role by which DMS reads that secret itself; absent: rbk gives address and credentials in the call.
    pub secret_access_role: Option<String>,
    /// TLS towards the database.
    pub tls: DmsTls,
    /// The ARN of the certificate in DMS; needed by `verify-ca` and `verify-full`.
    pub certificate: Option<String>,
    /// SQL that each session of DMS begins with.
    pub after_connect: Option<String>,
}

/// Which endpoint.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Rows are read from it.
    Source,
    /// Rows are written to it.
    Target,
}

impl Side {
    /// `source`, `target`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Target => "target",
        }
    }
}

/// What a runbook may ask of a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Tables that are to be loaded.
    Tables,
    /// Tables that are loaded.
    TablesLoaded,
    /// Tables with an error, suspended or missing.
    TablesFailed,
    /// Rows that were loaded.
    Rows,
    /// From the start of the replication to its end, or until now.
    Elapsed,
}

impl Figure {
    /// All of them.
    pub const ALL: [Figure; 5] = [
        Figure::Tables,
        Figure::TablesLoaded,
        Figure::TablesFailed,
        Figure::Rows,
        Figure::Elapsed,
    ];

    /// As it is written: `load.tables_failed`.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Tables => "tables",
            Figure::TablesLoaded => "tables_loaded",
            Figure::TablesFailed => "tables_failed",
            Figure::Rows => "rows",
            Figure::Elapsed => "elapsed",
        }
    }
}

/// How a run's replication is called at AWS: the same name in each attempt, so that what an earlier one made is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationNames {
    /// `rbk-1f3a9c02-load`; for an endpoint with `-source` or `-target` behind it.
    pub base: String,
    /// At most 31 characters: the end of the ARN.
    pub resource: String,
}

impl ReplicationNames {
    /// The names of a replication of a run. DMS wants letters, digits and single hyphens; what else a name holds is told apart by
    /// six hex digits of its hash.
    pub fn new(run: &RunId, name: &str) -> Self {
        let hash = hex::encode(Sha256::digest(name.as_bytes()));
        let hash = hash.get(..6).unwrap_or_default();
        let is_plain =
            name.len() <= 40 && name.chars().all(|letter| letter.is_ascii_alphanumeric());
        let word = if is_plain { name } else { hash };
        Self {
            base: format!("rbk-{}-{word}", run.short()),
            resource: format!("rbk-{}-{hash}", run.short()),
        }
    }

    /// The name of an endpoint.
    pub fn endpoint(&self, side: Side) -> String {
        format!("{}-{}", self.base, side.name())
    }

    /// The end of an endpoint's ARN: at most 31 characters.
    pub fn endpoint_resource(&self, side: Side) -> String {
        format!("{}-{}", self.resource, side.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplicationNames, Side};
    use crate::ids::RunId;

    #[test]
    fn names_are_fit_for_dms_and_differ_where_the_runbook_differs() {
        let run = RunId::from("20261122t091500-1f3a9c02");
        let plain = ReplicationNames::new(&run, "load");
        assert_eq!(plain.endpoint(Side::Source), "rbk-1f3a9c02-load-source");
        let one = ReplicationNames::new(&run, "the_load");
        let other = ReplicationNames::new(&run, "the__load");
        assert_ne!(one.base, other.base);
        for names in [plain, one, other] {
            assert!(names.endpoint_resource(Side::Target).len() <= 31);
            assert!(!names.endpoint(Side::Target).contains("--"));
        }
    }
}
