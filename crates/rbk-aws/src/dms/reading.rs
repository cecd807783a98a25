//! What DMS describes: all pages of it, and by its tags whose it is.

use super::{DatabaseMigration, mapping};
use crate::call::{Call, Service};
use crate::error::has_code;
use crate::pages::Pages;
use aws_sdk_databasemigration::types::Filter;
use rbk_core::ports::{
    DmsEndpoint, DmsLeftover, PortError, PortErrorKind, Replication, TableStatistics,
};
use std::collections::BTreeMap;

/// A page of table statistics. Source: `DescribeReplicationTableStatistics.MaxRecords`.
const STATISTICS_A_PAGE: i32 = 500;

/// Resources whose tags are asked for in one call.
const RESOURCES_A_CALL: usize = 20;

/// The tag that all of rbk's own resources carry.
const RUN_TAG: &str = "rbk:run";

/// Tags of one resource.
type Tags = BTreeMap<String, String>;

/// What a list is narrowed to: a filter's name and its value.
type Narrowed<'a> = Option<(&'static str, &'a str)>;

impl DatabaseMigration {
    pub(super) async fn endpoint_and_tags(
        &self,
        id: &str,
    ) -> Result<Option<DmsEndpoint>, PortError> {
        let doing = format!("describing endpoint `{id}`");
        let found = self.endpoints(&doing, Some(("endpoint-id", id))).await?;
        let Some(endpoint) = only("DescribeEndpoints", &doing, id, found, |one| &one.id)? else {
            return Ok(None);
        };
        let tags = self
            .tags_of(&doing, &endpoint.arn, &endpoint.status)
            .await?;
        Ok(tags.map(|tags| DmsEndpoint { tags, ..endpoint }))
    }

    pub(super) async fn replication_and_tags(
        &self,
        id: &str,
    ) -> Result<Option<Replication>, PortError> {
        let doing = format!("describing replication `{id}`");
        let narrowed = Some(("replication-config-id", id));
        let mut found = self.replications(&doing, narrowed).await?;
        if found.is_empty() {
            // It is gone when its config is, too.
            found = self.configs(&doing, narrowed).await?;
        }
        let operation = "DescribeReplications";
        let Some(replication) = only(operation, &doing, id, found, |one| &one.id)? else {
            return Ok(None);
        };
        let tags = self
            .tags_of(&doing, &replication.arn, &replication.status)
            .await?;
        Ok(tags.map(|tags| Replication {
            tags,
            ..replication
        }))
    }

    pub(super) async fn all_table_statistics(
        &self,
        arn: &str,
    ) -> Result<Vec<TableStatistics>, PortError> {
        let mut tables = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(
                Service::Dms,
                "DescribeReplicationTableStatistics",
                format!("reading the table statistics of `{arn}`"),
            );
            let sending = self
                .client
                .describe_replication_table_statistics()
                .replication_config_arn(arn)
                .max_records(STATISTICS_A_PAGE)
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                // Before its first start, and when its capacity is gone: there is nothing to tell.
                Err(error) if pages.at_first() && has_none(&error) => return Ok(tables),
                Err(error) => return Err(error),
            };
            for table in page.replication_table_statistics() {
                let table = mapping::table(table)
                    .map_err(|missing| call.nonsense(format!("a table has no {missing}")))?;
                tables.push(table);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(tables);
            }
        }
    }

    pub(super) async fn subnet_group_is_there(&self, name: &str) -> Result<bool, PortError> {
        let mut pages = Pages::default();
        loop {
            let call = Call::new(
                Service::Dms,
                "DescribeReplicationSubnetGroups",
                format!("describing the replication subnet group `{name}`"),
            );
            let sending = self
                .client
                .describe_replication_subnet_groups()
                .set_filters(Some(vec![filter(
                    &call,
                    "replication-subnet-group-id",
                    name,
                )?]))
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if pages.at_first() && is_missing(&error) => return Ok(false),
                Err(error) => return Err(error),
            };
            let is_there = page
                .replication_subnet_groups()
                .iter()
                .filter_map(|group| group.replication_subnet_group_identifier())
                .any(|group| group.eq_ignore_ascii_case(name));
            if is_there {
                return Ok(true);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(false);
            }
        }
    }

    pub(super) async fn tagged_by_rbk(&self) -> Result<Vec<DmsLeftover>, PortError> {
        let doing = "looking for what rbk left in DMS";
        let endpoints = self.endpoints(doing, None).await?;
        let mut replications = self.replications(doing, None).await?;
        for config in self.configs(doing, None).await? {
            if !replications.iter().any(|known| known.arn == config.arn) {
                replications.push(config);
            }
        }
        let arns: Vec<&str> = endpoints
            .iter()
            .map(|endpoint| endpoint.arn.as_str())
            .chain(
                replications
                    .iter()
                    .map(|replication| replication.arn.as_str()),
            )
            .collect();
        let mut tags = self.tags_of_each(doing, &arns).await?;
        let mut of_rbk = |arn: &str| tags.remove(arn).filter(|tags| tags.contains_key(RUN_TAG));
        let mut leftovers = Vec::new();
        for endpoint in endpoints {
            leftovers.extend(of_rbk(&endpoint.arn).map(|tags| DmsLeftover {
                kind: "endpoint",
                id: endpoint.id,
                status: endpoint.status,
                tags,
            }));
        }
        for replication in replications {
            leftovers.extend(of_rbk(&replication.arn).map(|tags| DmsLeftover {
                kind: "replication config",
                id: replication.id,
                status: replication.status,
                tags,
            }));
        }
        Ok(leftovers)
    }

    /// Endpoints, without their tags.
    async fn endpoints(
        &self,
        doing: &str,
        narrowed: Narrowed<'_>,
    ) -> Result<Vec<DmsEndpoint>, PortError> {
        let mut endpoints = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(Service::Dms, "DescribeEndpoints", doing);
            let sending = self
                .client
                .describe_endpoints()
                .set_filters(filters(&call, narrowed)?)
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if pages.at_first() && is_missing(&error) => return Ok(endpoints),
                Err(error) => return Err(error),
            };
            for endpoint in page.endpoints() {
                let endpoint = mapping::endpoint(endpoint)
                    .map_err(|missing| call.nonsense(format!("an endpoint has no {missing}")))?;
                endpoints.push(endpoint);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(endpoints);
            }
        }
    }

    /// Replications, without their configs' tags.
    async fn replications(
        &self,
        doing: &str,
        narrowed: Narrowed<'_>,
    ) -> Result<Vec<Replication>, PortError> {
        let mut replications = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(Service::Dms, "DescribeReplications", doing);
            let sending = self
                .client
                .describe_replications()
                .set_filters(filters(&call, narrowed)?)
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if pages.at_first() && is_missing(&error) => return Ok(replications),
                Err(error) => return Err(error),
            };
            for replication in page.replications() {
                let replication = mapping::replication(replication)
                    .map_err(|missing| call.nonsense(format!("a replication has no {missing}")))?;
                replications.push(replication);
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(replications);
            }
        }
    }

    /// Configs of replications, as replications of which nothing more is known.
    async fn configs(
        &self,
        doing: &str,
        narrowed: Narrowed<'_>,
    ) -> Result<Vec<Replication>, PortError> {
        let mut configs = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::new(Service::Dms, "DescribeReplicationConfigs", doing);
            let sending = self
                .client
                .describe_replication_configs()
                .set_filters(filters(&call, narrowed)?)
                .set_marker(pages.marker())
                .customize();
            let page = match call.run(sending.interceptor(call.watch()).send()).await {
                Ok(page) => page,
                Err(error) if pages.at_first() && is_missing(&error) => return Ok(configs),
                Err(error) => return Err(error),
            };
            for config in page.replication_configs() {
                let missing = |name| call.nonsense(format!("a replication config has no {name}"));
                configs.push(Replication {
                    id: config
                        .replication_config_identifier()
                        .ok_or_else(|| missing("ReplicationConfigIdentifier"))?
                        .to_owned(),
                    arn: config
                        .replication_config_arn()
                        .ok_or_else(|| missing("ReplicationConfigArn"))?
                        .to_owned(),
                    status: mapping::UNKNOWN.to_owned(),
                    ..Replication::default()
                });
            }
            if !pages.turn(&call, page.marker)? {
                return Ok(configs);
            }
        }
    }

    /// The tags of something that was just described; `None` where it was being deleted and is gone by now.
    async fn tags_of(
        &self,
        doing: &str,
        arn: &str,
        status: &str,
    ) -> Result<Option<Tags>, PortError> {
        match self.tags_in_one_call(doing, &[arn]).await {
            Ok(mut tags) => Ok(Some(tags.remove(arn).unwrap_or_default())),
            Err(error) if is_missing(&error) && status == "deleting" => Ok(None),
            // Described, but not known where tags are kept: DMS hasn't told itself yet. Whose it is can't be said, and it passes.
            Err(error) if is_missing(&error) => Err(PortError {
                kind: PortErrorKind::Unreachable,
                ..error
            }),
            Err(error) => Err(error),
        }
    }

    /// The tags of many. What is gone by now is left out.
    async fn tags_of_each(
        &self,
        doing: &str,
        arns: &[&str],
    ) -> Result<BTreeMap<String, Tags>, PortError> {
        let mut all = BTreeMap::new();
        for some in arns.chunks(RESOURCES_A_CALL) {
            match self.tags_in_one_call(doing, some).await {
                Ok(tags) => all.extend(tags),
                // One of them is gone: which isn't said.
                Err(error) if is_missing(&error) => {
                    for arn in some {
                        match self.tags_in_one_call(doing, &[arn]).await {
                            Ok(tags) => all.extend(tags),
                            Err(error) if is_missing(&error) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    async fn tags_in_one_call(
        &self,
        doing: &str,
        arns: &[&str],
    ) -> Result<BTreeMap<String, Tags>, PortError> {
        let call = Call::new(Service::Dms, "ListTagsForResource", doing);
        let asked = self.client.list_tags_for_resource();
        // A list's answers name the resource of each tag; a single one's needn't.
        let (asked, single) = match arns {
            [one] => (asked.resource_arn(*one), Some(*one)),
            many => {
                let many = many.iter().map(|arn| (*arn).to_owned()).collect();
                (asked.set_resource_arn_list(Some(many)), None)
            }
        };
        let sending = asked.customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
        for tag in answer.tag_list() {
            let arn = single
                .or(tag.resource_arn())
                .ok_or_else(|| call.nonsense("a tag doesn't say of which resource it is"))?;
            if let Some(key) = tag.key() {
                let value = tag.value().unwrap_or_default();
                tags.entry(arn.to_owned())
                    .or_default()
                    .insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(tags)
    }
}

/// The one that was asked for, which must be the only one.
fn only<T>(
    operation: &'static str,
    doing: &str,
    asked: &str,
    found: Vec<T>,
    id: impl Fn(&T) -> &String,
) -> Result<Option<T>, PortError> {
    let nonsense = |message: String| Call::new(Service::Dms, operation, doing).nonsense(message);
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(one), None) if id(&one).eq_ignore_ascii_case(asked) => Ok(Some(one)),
        (Some(other), None) => Err(nonsense(format!(
            "the answer describes another one, `{}`",
            id(&other)
        ))),
        (Some(_), Some(_)) => Err(nonsense("several were described".to_owned())),
    }
}

/// DMS says that nothing fits a filter by an error, other services by an empty list; both occur.
fn is_missing(error: &PortError) -> bool {
    has_code(error, "ResourceNotFound")
}

fn has_none(error: &PortError) -> bool {
    is_missing(error) || has_code(error, "InvalidResourceState")
}

fn filters(call: &Call, narrowed: Narrowed<'_>) -> Result<Option<Vec<Filter>>, PortError> {
    narrowed
        .map(|(name, value)| Ok(vec![filter(call, name, value)?]))
        .transpose()
}

fn filter(call: &Call, name: &str, value: &str) -> Result<Filter, PortError> {
    Filter::builder()
        .name(name)
        .values(value)
        .build()
        .map_err(|error| {
            PortError::new(
                PortErrorKind::InvalidRequest,
                &call.doing,
                error.to_string(),
            )
        })
}
