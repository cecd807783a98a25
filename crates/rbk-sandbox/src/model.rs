//! The account's state as plain data: instances, snapshots, groups, events, secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::PathBuf,
};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use crate::{
    cluster::front::Admission,
    dms::Dms,
    options::{DEFAULT_SECURITY_GROUP, DEFAULT_VPC},
    rds::{MOST_INSTANCES, RdsError},
    secrets::Secret,
};

/// Everything that requests can see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) snapshots: BTreeMap<SnapshotId, Snapshot>,
    /// Automated backups that outlive their instance.
    pub(crate) retained_backups: Vec<Instance>,
    /// Until when the transaction logs of an instance are kept, by its resource id.
    pub(crate) archived: BTreeMap<String, Archived>,
    pub(crate) security_groups: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Which loopback address stands for the members of a security group.
    pub(crate) source_addresses: BTreeMap<String, IpAddr>,
    pub(crate) parameter_groups: BTreeMap<String, ParameterGroup>,
    pub(crate) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(crate) events: Vec<Event>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) dms: Dms,
    /// How many instances the account may have, if that isn't RDS's default.
    pub(crate) instance_quota: Option<usize>,
}

/// An instance's identifier: valid, and in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstanceId(String);

impl InstanceId {
    /// `parameter` is named in the error.
    pub(crate) fn parse(parameter: &str, text: &str) -> Result<InstanceId, RdsError> {
        check_identifier(parameter, text, 63).map(InstanceId)
    }

    #[cfg(test)]
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A snapshot's identifier. Only new manual ones have to be valid: automated ones contain a colon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SnapshotId(String);

impl SnapshotId {
    pub(crate) fn parse_new(parameter: &str, text: &str) -> Result<SnapshotId, RdsError> {
        check_identifier(parameter, text, 255).map(SnapshotId)
    }

    /// The name of a snapshot that exists, or might.
    pub(crate) fn existing(text: &str) -> SnapshotId {
        SnapshotId(text.to_ascii_lowercase())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_identifier(parameter: &str, text: &str, longest: usize) -> Result<String, RdsError> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--")
        && text.len() <= longest;
    if valid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(RdsError::InvalidParameterValue(format!(
        "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceStatus {
    Creating,
    Available,
    BackingUp,
    Modifying,
    ResettingMasterCredentials,
    Rebooting,
    Renaming,
    Deleting,
    /// A state from which it doesn't come back by itself.
    Lost(&'static str),
}

impl InstanceStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            InstanceStatus::Creating => "creating",
            InstanceStatus::Available => "available",
            InstanceStatus::BackingUp => "backing-up",
            InstanceStatus::Modifying => "modifying",
            InstanceStatus::ResettingMasterCredentials => "resetting-master-credentials",
            InstanceStatus::Rebooting => "rebooting",
            InstanceStatus::Renaming => "renaming",
            InstanceStatus::Deleting => "deleting",
            InstanceStatus::Lost(status) => status,
        }
    }

    /// Whether modifications are taken.
    pub(crate) fn takes_modifications(self) -> bool {
        matches!(
            self,
            InstanceStatus::Available
                | InstanceStatus::BackingUp
                | InstanceStatus::Lost("storage-full" | "incompatible-parameters")
        )
    }

    /// Whether a final snapshot can be made; if not, only `SkipFinalSnapshot` is possible.
    pub(crate) fn has_data(self) -> bool {
        !matches!(
            self,
            InstanceStatus::Creating
                | InstanceStatus::Lost(
                    "failed" | "restore-error" | "incompatible-restore" | "incompatible-network"
                )
        )
    }
}

/// A database instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    /// `db-…`: the same for the instance's whole life.
    pub(crate) resource_id: String,
    pub(crate) status: InstanceStatus,
    /// Absent while creating.
    pub(crate) port: Option<u16>,
    pub(crate) class: String,
    pub(crate) engine_version: String,
    pub(crate) database: Option<String>,
    pub(crate) master_username: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) allocated_storage: u32,
    pub(crate) storage_type: String,
    pub(crate) iops: Option<u32>,
    pub(crate) storage_throughput: Option<u32>,
    pub(crate) multi_az: bool,
    pub(crate) availability_zone: String,
    pub(crate) publicly_accessible: bool,
    pub(crate) deletion_protection: bool,
    pub(crate) iam_authentication: bool,
    pub(crate) copy_tags_to_snapshot: bool,
    pub(crate) auto_minor_version_upgrade: bool,
    pub(crate) ca_certificate: String,
    pub(crate) log_exports: Vec<String>,
    pub(crate) security_groups: Vec<SecurityGroupMembership>,
    pub(crate) parameter_group: ParameterGroupMembership,
    pub(crate) option_group: String,
    pub(crate) subnet_group: String,
    pub(crate) backup_retention_days: u32,
    pub(crate) backup_window: String,
    pub(crate) maintenance_window: String,
    pub(crate) pending: PendingModifications,
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecurityGroupMembership {
    pub(crate) id: String,
    pub(crate) status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParameterGroupMembership {
    pub(crate) name: String,
    pub(crate) status: &'static str,
}

/// What was accepted and isn't in effect yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PendingModifications {
    pub(crate) master_password: bool,
    pub(crate) id: Option<InstanceId>,
    pub(crate) class: Option<String>,
    pub(crate) allocated_storage: Option<u32>,
    pub(crate) multi_az: Option<bool>,
    pub(crate) iam_authentication: Option<bool>,
    pub(crate) backup_retention_days: Option<u32>,
}

/// How far an instance's transaction logs reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Archived {
    pub(crate) until: Timestamp,
    /// They are stuck there.
    pub(crate) stalled: bool,
}

/// How a snapshot came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotKind {
    Automated,
    Manual,
}

impl SnapshotKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SnapshotKind::Automated => "automated",
            SnapshotKind::Manual => "manual",
        }
    }
}

/// What a snapshot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotStatus {
    Creating,
    Available,
    Deleting,
    Failed,
}

impl SnapshotStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SnapshotStatus::Creating => "creating",
            SnapshotStatus::Available => "available",
            SnapshotStatus::Deleting => "deleting",
            SnapshotStatus::Failed => "failed",
        }
    }
}

/// A snapshot: a base backup, and what RDS remembers of the instance.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: SnapshotId,
    pub(crate) kind: SnapshotKind,
    pub(crate) status: SnapshotStatus,
    /// The instance as it was.
    pub(crate) source: Instance,
    /// Absent while creating.
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) database_time: Option<Timestamp>,
    /// The oldest instant that can be recovered to from here; absent where transaction logs don't continue it.
    pub(crate) recoverable_from: Option<Timestamp>,
    /// The base backup's directory.
    pub(crate) data: PathBuf,
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(crate) struct ParameterGroup {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) force_ssl: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct SubnetGroup {
    pub(crate) name: String,
    pub(crate) vpc: String,
}

/// Whom an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventSource {
    Instance,
    Snapshot,
}

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) source: EventSource,
    pub(crate) source_id: String,
    pub(crate) message: String,
    pub(crate) categories: &'static [&'static str],
    pub(crate) at: Timestamp,
}

impl Model {
    pub(crate) fn instance(&self, id: &InstanceId) -> Result<&Instance, RdsError> {
        self.instances
            .get(id)
            .ok_or_else(|| RdsError::InstanceNotFound(id.to_string()))
    }

    pub(crate) fn instance_mut(&mut self, id: &InstanceId) -> Result<&mut Instance, RdsError> {
        self.instances
            .get_mut(id)
            .ok_or_else(|| RdsError::InstanceNotFound(id.to_string()))
    }

    /// Finds an instance by what never changes.
    pub(crate) fn by_resource_id(&mut self, resource_id: &str) -> Option<&mut Instance> {
        self.instances
            .values_mut()
            .find(|instance| instance.resource_id == resource_id)
    }

    pub(crate) fn snapshot(&self, id: &SnapshotId) -> Result<&Snapshot, RdsError> {
        self.snapshots
            .get(id)
            .ok_or_else(|| RdsError::SnapshotNotFound(id.to_string()))
    }

    /// Lets the transaction logs of an instance be stuck where they are, or not any more; false where it has none.
    pub(crate) fn stall(&mut self, instance: &str, stalled: bool) -> bool {
        let archived = InstanceId::parse("DBInstanceIdentifier", instance)
            .ok()
            .and_then(|id| self.instances.get(&id))
            .and_then(|instance| self.archived.get_mut(&instance.resource_id));
        archived.is_some_and(|archived| {
            archived.stalled = stalled;
            true
        })
    }

    /// How many instances the account may have.
    pub(crate) fn most_instances(&self) -> usize {
        self.instance_quota.unwrap_or(MOST_INSTANCES)
    }

    /// Whom the instance's groups let in.
    pub(crate) fn admission(&self, instance: &Instance) -> Admission {
        let admits = instance
            .security_groups
            .iter()
            .filter_map(|membership| self.security_groups.get(&membership.id))
            .flatten()
            .copied()
            .collect();
        let force_ssl = self
            .parameter_groups
            .get(&instance.parameter_group.name)
            .is_none_or(|group| group.force_ssl);
        Admission { admits, force_ssl }
    }

    pub(crate) fn event(
        &mut self,
        source: EventSource,
        source_id: impl fmt::Display,
        message: impl Into<String>,
        categories: &'static [&'static str],
    ) {
        self.events.push(Event {
            source,
            source_id: source_id.to_string(),
            message: message.into(),
            categories,
            at: Timestamp::now(),
        });
    }

    /// The oldest automated snapshot begins the restorable window; what isn't a whole millisecond is left out, since that is what
    /// clients see.
    pub(crate) fn restorable_since(&self, instance: &Instance) -> Option<Timestamp> {
        let oldest = self
            .bases(instance)
            .filter_map(|snapshot| snapshot.recoverable_from)
            .min()?;
        round(oldest, RoundMode::Ceil)
    }

    /// The window ends with the newest transaction log that is kept.
    pub(crate) fn restorable_until(&self, instance: &Instance) -> Option<Timestamp> {
        let since = self.restorable_since(instance)?;
        let until = self.archived.get(&instance.resource_id)?.until;
        round(until, RoundMode::Floor).filter(|until| since <= *until)
    }

    /// What a recovery up to this instant begins from: the newest automated snapshot before it.
    pub(crate) fn base(&self, instance: &Instance, at: Timestamp) -> Option<&Snapshot> {
        self.bases(instance)
            .filter(|snapshot| snapshot.recoverable_from.is_some_and(|from| from <= at))
            .max_by_key(|snapshot| snapshot.recoverable_from)
    }

    fn bases(&self, instance: &Instance) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.values().filter(|snapshot| {
            snapshot.kind == SnapshotKind::Automated
                && snapshot.status == SnapshotStatus::Available
                && snapshot.source.resource_id == instance.resource_id
                && instance.backup_retention_days > 0
        })
    }
}

fn round(time: Timestamp, mode: RoundMode) -> Option<Timestamp> {
    let round = TimestampRound::new().smallest(Unit::Millisecond).mode(mode);
    time.round(round).ok()
}

/// The default security group of a VPC.
pub(crate) fn default_security_group(vpc: &str) -> String {
    if vpc == DEFAULT_VPC {
        DEFAULT_SECURITY_GROUP.to_owned()
    } else {
        format!("sg-default-{}", vpc.trim_start_matches("vpc-"))
    }
}

/// The default parameter group of a major version.
pub(crate) fn default_parameter_group(engine_version: &str) -> String {
    format!("default.{}", family(engine_version))
}

/// As in `postgres16`.
pub(crate) fn family(engine_version: &str) -> String {
    let major: String = engine_version
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    format!("postgres{major}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_checked_and_lowered() {
        let parse = |text| InstanceId::parse("DBInstanceIdentifier", text);
        assert_eq!(parse("Rec-Db1").unwrap().as_str(), "rec-db1");
        for bad in ["", "1db", "a--b", "a-", "a_b", &"a".repeat(64)] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(
                error.contains("is not a valid identifier"),
                "{bad}: {error}"
            );
        }
        assert!(SnapshotId::parse_new("DBSnapshotIdentifier", "rds:x").is_err());
    }
}
