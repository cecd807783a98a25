//! The `Rds` port.

mod account;
mod mapping;
mod point_in_time;

use crate::Pace;
use crate::call::{Call, Service};
use crate::error::has_code;
use crate::pages::Pages;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbSnapshot, Tag};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::plan::InstanceSettings;
use rbk_core::ports::{self, Instance, PortError, PortErrorKind, RestoreRequest};
use rbk_core::value::Snapshot;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// RDS in one region.
pub(crate) struct Rds {
    client: Client,
    mutations: TimeoutConfig,
}

impl Rds {
    pub(crate) fn new(config: &SdkConfig, pace: &Pace) -> Self {
        Self {
            client: Client::new(config),
            mutations: pace.mutations(),
        }
    }

    /// The one snapshot of that identifier.
    async fn find_snapshot(
        &self,
        call: &Call,
        id: &SnapshotId,
    ) -> Result<Option<DbSnapshot>, PortError> {
        let sending = self
            .client
            .describe_db_snapshots()
            .db_snapshot_identifier(id.as_str())
            .set_snapshot_type(snapshot_type(id).map(str::to_owned))
            .customize();
        let answer = match call.run(sending.interceptor(call.watch()).send()).await {
            Ok(answer) => answer,
            Err(error) if has_code(&error, "DBSnapshotNotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = answer.db_snapshots.unwrap_or_default();
        match found.len() {
            0 | 1 => Ok(found.pop()),
            many => Err(call.nonsense(format!("{many} snapshots were described"))),
        }
    }

    /// What makes an operation be sent once only.
    fn once(&self) -> aws_sdk_rds::config::Builder {
        aws_sdk_rds::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.mutations.clone())
    }
}

#[async_trait]
impl ports::Rds for Rds {
    async fn restore_to_point_in_time(
        &self,
        request: &ports::PointInTimeRequest,
    ) -> Result<Instance, PortError> {
        self.restore_as_of(request).await
    }

    async fn create_snapshot(
        &self,
        request: &ports::SnapshotRequest,
    ) -> Result<Snapshot, PortError> {
        let call = Call::new(
            Service::Rds,
            "CreateDBSnapshot",
            format!(
                "making the snapshot `{}` of instance `{}`",
                request.id, request.instance
            ),
        );
        let sending = self
            .client
            .create_db_snapshot()
            .db_snapshot_identifier(request.id.as_str())
            .db_instance_identifier(request.instance.as_str())
            .set_tags(Some(tags(&request.tags)))
            .customize()
            .config_override(self.once());
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        let answer = answer
            .db_snapshot()
            .ok_or_else(|| call.nonsense("the answer describes no snapshot"))?;
        described_snapshot(&call, &request.id, answer)
    }

    async fn restore_window(
        &self,
        of: &InstanceId,
    ) -> Result<Option<ports::RestoreWindow>, PortError> {
        self.window(of).await
    }

    async fn has_subnet_group(&self, name: &str) -> Result<bool, PortError> {
        self.subnet_group_exists(name).await
    }

    async fn has_parameter_group(&self, name: &str) -> Result<bool, PortError> {
        self.parameter_group_exists(name).await
    }

    async fn quotas(&self) -> Result<Vec<ports::Quota>, PortError> {
        self.account_quotas().await
    }

    async fn instance(&self, id: &InstanceId) -> Result<Option<Instance>, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeDBInstances",
            format!("describing instance `{id}`"),
        );
        let sending = self
            .client
            .describe_db_instances()
            .db_instance_identifier(id.as_str())
            .customize();
        let answer = match call.run(sending.interceptor(call.watch()).send()).await {
            Ok(answer) => answer,
            Err(error) if has_code(&error, "DBInstanceNotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
        match answer.db_instances() {
            [] => Ok(None),
            [one] => described(&call, id, Some(one)).map(Some),
            many => Err(call.nonsense(format!("{} instances were described", many.len()))),
        }
    }

    async fn snapshots(&self, of: &InstanceId) -> Result<Vec<Snapshot>, PortError> {
        let mut snapshots = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(
                Service::Rds,
                "DescribeDBSnapshots",
                format!("listing the snapshots of `{of}`"),
            );
            // No `SnapshotType`: that gives the automated and the manual ones.
            let sending = self
                .client
                .describe_db_snapshots()
                .db_instance_identifier(of.as_str())
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if pages.at_first() && no_such_snapshots(&error) => {
                    return Ok(snapshots);
                }
                Err(error) => return Err(error),
            };
            for snapshot in page.db_snapshots() {
                let snapshot = mapping::snapshot(snapshot)
                    .map_err(|missing| call.nonsense(format!("a snapshot has no {missing}")))?;
                snapshots.push(snapshot);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(snapshots);
            }
        }
    }

    async fn restore_from_snapshot(&self, request: &RestoreRequest) -> Result<Instance, PortError> {
        let settings = &request.settings;
        let id = &settings.instance;
        let call = Call::new(
            Service::Rds,
            "RestoreDBInstanceFromDBSnapshot",
            format!(
                "restoring instance `{id}` from snapshot `{}`",
                request.snapshot
            ),
        );
        let retention = retention(&call, settings)?;
        // All of it: what isn't sent becomes RDS's default, not what the source had.
        let sending = self
            .client
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(id.as_str())
            .db_snapshot_identifier(request.snapshot.as_str())
            .db_instance_class(&settings.class)
            .db_subnet_group_name(&settings.subnet_group)
            .set_vpc_security_group_ids(Some(settings.security_groups.clone()))
            .db_parameter_group_name(&settings.parameter_group)
            .multi_az(settings.multi_az)
            .publicly_accessible(settings.publicly_accessible)
            .deletion_protection(settings.deletion_protection)
            .enable_iam_database_authentication(settings.iam_authentication)
            .backup_retention_period(retention)
            .set_storage_type(settings.storage_type.clone())
            .copy_tags_to_snapshot(true)
            .set_tags(Some(tags(&request.tags)))
            .customize()
            .config_override(self.once());
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        described(&call, id, answer.db_instance())
    }

    async fn set_master_password(
        &self,
        id: &InstanceId,
        password: &SecretString,
    ) -> Result<Instance, PortError> {
        let call = Call::new(
            Service::Rds,
            "ModifyDBInstance",
            format!("setting the master password of instance `{id}`"),
        )
        .hiding(password);
        // Without `ApplyImmediately`: a password doesn't need it, and it would apply everything else that is pending.
        let sending = self
            .client
            .modify_db_instance()
            .db_instance_identifier(id.as_str())
            .master_user_password(password.expose_secret())
            .customize()
            .config_override(self.once());
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        described(&call, id, answer.db_instance())
    }

    async fn set_deletion_protection(
        &self,
        id: &InstanceId,
        on: bool,
    ) -> Result<Instance, PortError> {
        let switching = if on { "on" } else { "off" };
        let call = Call::new(
            Service::Rds,
            "ModifyDBInstance",
            format!("switching the deletion protection of instance `{id}` {switching}"),
        );
        // Without `ApplyImmediately`: protection doesn't need it, and it would apply everything else that is pending.
        let sending = self
            .client
            .modify_db_instance()
            .db_instance_identifier(id.as_str())
            .deletion_protection(on)
            .customize()
            .config_override(self.once());
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        described(&call, id, answer.db_instance())
    }

    async fn delete_instance(
        &self,
        id: &InstanceId,
        final_snapshot: Option<&SnapshotId>,
    ) -> Result<(), PortError> {
        let left = match final_snapshot {
            Some(snapshot) => format!("with the final snapshot `{snapshot}`"),
            None => "without a final snapshot".to_owned(),
        };
        let call = Call::new(
            Service::Rds,
            "DeleteDBInstance",
            format!("deleting instance `{id}` {left}"),
        );
        // Without `DeleteAutomatedBackups`: its default is true, so automated backups and the point in time go with the instance.
        // That is what a stack's removal does, and what the plan says.
        let sending = self
            .client
            .delete_db_instance()
            .db_instance_identifier(id.as_str())
            .skip_final_snapshot(final_snapshot.is_none())
            .set_final_db_snapshot_identifier(
                final_snapshot.map(|snapshot| snapshot.as_str().to_owned()),
            )
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(())
    }

    async fn snapshot(&self, id: &SnapshotId) -> Result<Option<Snapshot>, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeDBSnapshots",
            format!("describing snapshot `{id}`"),
        );
        match self.find_snapshot(&call, id).await? {
            Some(found) => described_snapshot(&call, id, &found).map(Some),
            None => Ok(None),
        }
    }

    async fn snapshot_tags(
        &self,
        id: &SnapshotId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeDBSnapshots",
            format!("reading the tags of snapshot `{id}`"),
        );
        let found = self.find_snapshot(&call, id).await?;
        Ok(found.map(|found| mapping::tags(found.tag_list())))
    }

    async fn created_by_rbk(&self) -> Result<Vec<Instance>, PortError> {
        let mut instances = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(
                Service::Rds,
                "DescribeDBInstances",
                "looking for instances that rbk made",
            );
            let sending = self
                .client
                .describe_db_instances()
                .set_marker(pages.marker())
                .customize();
            let page = call.run(sending.interceptor(call.watch()).send()).await?;
            let of_rbk = page
                .db_instances()
                .iter()
                .filter(|instance| instance.tag_list().iter().any(is_run_tag));
            for instance in of_rbk {
                let instance = mapping::instance(instance)
                    .map_err(|missing| call.nonsense(format!("an instance has no {missing}")))?;
                instances.push(instance);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(instances);
            }
        }
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

fn retention(call: &Call, settings: &InstanceSettings) -> Result<i32, PortError> {
    let days = settings.retention_days;
    i32::try_from(days).map_err(|_| {
        PortError::new(
            PortErrorKind::InvalidRequest,
            &call.doing,
            format!("a backup retention of {days} days is too long"),
        )
    })
}

fn is_run_tag(tag: &Tag) -> bool {
    tag.key() == Some("rbk:run")
}

/// What has to be said of a snapshot that RDS or AWS Backup made, to find it by its name. Source: `DescribeDBSnapshots`.
fn snapshot_type(id: &SnapshotId) -> Option<&'static str> {
    match id.as_str().split_once(':') {
        Some(("rds", _)) => Some("automated"),
        Some(("awsbackup", _)) => Some("awsbackup"),
        _ => None,
    }
}

/// There is nothing of that name, neither snapshots nor an instance. RDS usually answers with an empty list then.
fn no_such_snapshots(error: &PortError) -> bool {
    has_code(error, "DBSnapshotNotFound") || has_code(error, "DBInstanceNotFound")
}

/// The instance in an answer, which must be the one that was asked for. RDS keeps names in lower case.
fn described(
    call: &Call,
    asked: &InstanceId,
    answer: Option<&aws_sdk_rds::types::DbInstance>,
) -> Result<Instance, PortError> {
    let answer = answer.ok_or_else(|| call.nonsense("the answer describes no instance"))?;
    let instance = mapping::instance(answer)
        .map_err(|missing| call.nonsense(format!("the instance has no {missing}")))?;
    if mapping::is_named(Some(instance.id.as_str()), asked) {
        Ok(instance)
    } else {
        Err(call.nonsense(format!(
            "the answer describes another instance, `{}`",
            instance.id
        )))
    }
}

/// The snapshot in an answer, which must be the one that was asked for. RDS keeps names in lower case.
fn described_snapshot(
    call: &Call,
    asked: &SnapshotId,
    answer: &DbSnapshot,
) -> Result<Snapshot, PortError> {
    let snapshot = mapping::snapshot(answer)
        .map_err(|missing| call.nonsense(format!("the snapshot has no {missing}")))?;
    if snapshot.id.as_str().eq_ignore_ascii_case(asked.as_str()) {
        Ok(snapshot)
    } else {
        Err(call.nonsense(format!(
            "the answer describes another snapshot, `{}`",
            snapshot.id
        )))
    }
}
