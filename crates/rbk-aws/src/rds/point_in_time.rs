//! Points in time: which ones can be restored, and a restore to one.

use super::{Rds, described, mapping, retention, tags};
use crate::call::{Call, Service};
use crate::error::has_code;
use crate::pages::Pages;
use crate::time::{date_time, timestamp};
use aws_sdk_rds::types::DbInstanceAutomatedBackup;
use rbk_core::ids::InstanceId;
use rbk_core::ports::{Instance, PointInTimeRequest, PortError, RestoreWindow};

impl Rds {
    pub(super) async fn restore_as_of(
        &self,
        request: &PointInTimeRequest,
    ) -> Result<Instance, PortError> {
        let settings = &request.settings;
        let id = &settings.instance;
        let call = Call::new(
            Service::Rds,
            "RestoreDBInstanceToPointInTime",
            format!(
                "restoring instance `{id}` from `{}` as of {}",
                request.source, request.at
            ),
        );
        let retention = retention(&call, settings)?;
        // All of it: what isn't sent becomes RDS's default, not what the source has. Never `UseLatestRestorableTime`: sent twice, it
        // would mean two instants.
        let sending = self
            .client
            .restore_db_instance_to_point_in_time()
            .source_db_instance_identifier(request.source.as_str())
            .target_db_instance_identifier(id.as_str())
            .restore_time(date_time(request.at))
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

    /// Of the instance that there is: retained backups of one that had its name before are left out.
    pub(super) async fn window(&self, of: &InstanceId) -> Result<Option<RestoreWindow>, PortError> {
        let mut pages = Pages::default();
        loop {
            let call = Call::new(
                Service::Rds,
                "DescribeDBInstanceAutomatedBackups",
                format!("asking which points in time of instance `{of}` can be restored"),
            );
            let sending = self
                .client
                .describe_db_instance_automated_backups()
                .db_instance_identifier(of.as_str())
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error)
                    if pages.at_first()
                        && has_code(&error, "DBInstanceAutomatedBackupNotFound") =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let of_it = |backup: &&DbInstanceAutomatedBackup| {
                backup.status() != Some("retained")
                    && mapping::is_named(backup.db_instance_identifier(), of)
            };
            if let Some(backup) = page.db_instance_automated_backups().iter().find(of_it) {
                return Ok(restorable(backup));
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(None);
            }
        }
    }
}

/// Absent until the first automated snapshot has been made. Source: `RestoreWindow` of the type `DBInstanceAutomatedBackup`.
fn restorable(backup: &DbInstanceAutomatedBackup) -> Option<RestoreWindow> {
    let window = backup.restore_window()?;
    Some(RestoreWindow {
        earliest: window.earliest_time().and_then(timestamp)?,
        latest: window.latest_time().and_then(timestamp),
    })
}
