//! The `Rds` port.

mod mapping;

use crate::Pace;
use crate::call::{Call, Service};
use crate::error::has_code;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::Tag;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rbk_core::ids::{InstanceId, SnapshotId};
use rbk_core::ports::{self, Instance, PortError, PortErrorKind, RestoreRequest};
use rbk_core::value::Snapshot;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

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

    /// What makes an operation be sent once only.
    fn once(&self) -> aws_sdk_rds::config::Builder {
        aws_sdk_rds::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.mutations.clone())
    }
}

#[async_trait]
impl ports::Rds for Rds {
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
        let mut marker = None;
        let mut seen = BTreeSet::new();
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
                .set_marker(marker)
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if seen.is_empty() && no_such_snapshots(&error) => return Ok(snapshots),
                Err(error) => return Err(error),
            };
            for snapshot in page.db_snapshots() {
                let snapshot = mapping::snapshot(snapshot)
                    .map_err(|missing| call.nonsense(format!("a snapshot has no {missing}")))?;
                snapshots.push(snapshot);
            }
            match page.marker.filter(|marker| !marker.is_empty()) {
                None => return Ok(snapshots),
                // The SDK's own paginator would stop here, as if that had been all of them.
                Some(again) if !seen.insert(again.clone()) => {
                    return Err(call.nonsense("the pages go in a circle"));
                }
                next => marker = next,
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
        let retention = i32::try_from(settings.retention_days).map_err(|_| {
            PortError::new(
                PortErrorKind::InvalidRequest,
                &call.doing,
                format!(
                    "a backup retention of {} days is too long",
                    settings.retention_days
                ),
            )
        })?;
        let tags = request
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
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
            .set_tags(Some(tags))
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
        _id: &InstanceId,
        _on: bool,
    ) -> Result<Instance, PortError> {
        unimplemented!("contract")
    }

    async fn delete_instance(
        &self,
        _id: &InstanceId,
        _final_snapshot: Option<&SnapshotId>,
    ) -> Result<(), PortError> {
        unimplemented!("contract")
    }

    async fn snapshot(&self, _id: &SnapshotId) -> Result<Option<Snapshot>, PortError> {
        unimplemented!("contract")
    }

    async fn created_by_rbk(&self) -> Result<Vec<Instance>, PortError> {
        unimplemented!("contract")
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
    if instance.id.as_str().eq_ignore_ascii_case(asked.as_str()) {
        Ok(instance)
    } else {
        Err(call.nonsense(format!(
            "the answer describes another instance, `{}`",
            instance.id
        )))
    }
}
