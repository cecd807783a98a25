//! What a restore needs of the account: groups, and room.

use super::Rds;
use crate::call::{Call, Service};
use crate::error::has_code;
use rbk_core::ports::{PortError, Quota};

impl Rds {
    pub(super) async fn subnet_group_exists(&self, name: &str) -> Result<bool, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeDBSubnetGroups",
            format!("looking for the DB subnet group `{name}`"),
        );
        let sending = self
            .client
            .describe_db_subnet_groups()
            .db_subnet_group_name(name)
            .customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await;
        found(
            answer.map(|answer| !answer.db_subnet_groups().is_empty()),
            "DBSubnetGroupNotFound",
        )
    }

    pub(super) async fn parameter_group_exists(&self, name: &str) -> Result<bool, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeDBParameterGroups",
            format!("looking for the DB parameter group `{name}`"),
        );
        let sending = self
            .client
            .describe_db_parameter_groups()
            .db_parameter_group_name(name)
            .customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await;
        found(
            answer.map(|answer| !answer.db_parameter_groups().is_empty()),
            "DBParameterGroupNotFound",
        )
    }

    /// What is told without numbers is left out. Source: the type `AccountQuota`.
    pub(super) async fn account_quotas(&self) -> Result<Vec<Quota>, PortError> {
        let call = Call::new(
            Service::Rds,
            "DescribeAccountAttributes",
            "asking how many instances and snapshots the account may have",
        );
        let sending = self.client.describe_account_attributes().customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        Ok(answer
            .account_quotas()
            .iter()
            .filter_map(|quota| {
                Some(Quota {
                    name: quota.account_quota_name()?.to_owned(),
                    used: quota.used()?,
                    max: quota.max()?,
                })
            })
            .collect())
    }
}

/// An error that means that there is none is an answer.
fn found(answer: Result<bool, PortError>, not_found: &str) -> Result<bool, PortError> {
    match answer {
        Err(error) if has_code(&error, not_found) => Ok(false),
        answer => answer,
    }
}
