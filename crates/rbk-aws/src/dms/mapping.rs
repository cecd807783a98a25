//! From DMS's descriptions to ours. The error is the name of a member that is missing and must not be.

use crate::time::timestamp;
use aws_sdk_databasemigration::types::{self, Tag};
use rbk_core::environment::DmsTls;
use rbk_core::plan::Side;
use rbk_core::ports::{DmsEndpoint, Replication, TableCounts, TableStatistics};
use std::collections::BTreeMap;

/// The status of something that DMS lists and says nothing more of.
pub(super) const UNKNOWN: &str = "unknown";

/// Translates an endpoint, without tags: those are asked for separately. Source: the type `Endpoint`.
pub(super) fn endpoint(endpoint: &types::Endpoint) -> Result<DmsEndpoint, &'static str> {
    Ok(DmsEndpoint {
        id: required(endpoint.endpoint_identifier(), "EndpointIdentifier")?,
        arn: required(endpoint.endpoint_arn(), "EndpointArn")?,
        status: status(endpoint.status()),
        tags: BTreeMap::new(),
    })
}

/// Translates a replication, without tags. Source: the type `Replication`.
pub(super) fn replication(replication: &types::Replication) -> Result<Replication, &'static str> {
    let stats = replication.replication_stats();
    let provision = replication.provision_data();
    Ok(Replication {
        id: required(
            replication.replication_config_identifier(),
            "ReplicationConfigIdentifier",
        )?,
        arn: required(replication.replication_config_arn(), "ReplicationConfigArn")?,
        status: status(replication.status()),
        stop_reason: stop_reason(replication.stop_reason()),
        failure_messages: replication
            .failure_messages()
            .iter()
            .map(|message| message.trim().to_owned())
            .filter(|message| !message.is_empty())
            .collect(),
        provision_state: provision
            .and_then(|provision| provision.provision_state())
            .map(normal)
            .filter(|state| !state.is_empty()),
        provisioned_units: provision.map(|provision| provision.provisioned_capacity_units()),
        deprovision_at: replication
            .replication_deprovision_time()
            .and_then(timestamp),
        percent: stats.map(|stats| stats.full_load_progress_percent()),
        tables: stats.map(|stats| TableCounts {
            loaded: stats.tables_loaded(),
            loading: stats.tables_loading(),
            queued: stats.tables_queued(),
            errored: stats.tables_errored(),
        }),
        // `FreshStartDate` is of this start, `StartDate` may be of a resumption.
        started_at: stats
            .and_then(|stats| stats.fresh_start_date().or(stats.start_date()))
            .and_then(timestamp),
        stopped_at: stats
            .and_then(|stats| stats.stop_date())
            .or(replication.replication_last_stop_time())
            .and_then(timestamp),
        tags: BTreeMap::new(),
    })
}

/// Translates a table's statistics. Source: the type `TableStatistics`.
pub(super) fn table(table: &types::TableStatistics) -> Result<TableStatistics, &'static str> {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(TableStatistics {
        schema: required(table.schema_name(), "SchemaName")?,
        table: required(table.table_name(), "TableName")?,
        state: table.table_state().unwrap_or_default().trim().to_owned(),
        rows: count(table.full_load_rows()),
        error_rows: count(table.full_load_error_rows()),
        started_at: table.full_load_start_time().and_then(timestamp),
        ended_at: table.full_load_end_time().and_then(timestamp),
    })
}

/// Tags as they are sent.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

pub(super) fn side(side: Side) -> types::ReplicationEndpointTypeValue {
    match side {
        Side::Source => types::ReplicationEndpointTypeValue::Source,
        Side::Target => types::ReplicationEndpointTypeValue::Target,
    }
}

pub(super) fn tls(tls: DmsTls) -> types::DmsSslModeValue {
    match tls {
        DmsTls::None => types::DmsSslModeValue::None,
        DmsTls::Require => types::DmsSslModeValue::Require,
        DmsTls::VerifyCa => types::DmsSslModeValue::VerifyCa,
        DmsTls::VerifyFull => types::DmsSslModeValue::VerifyFull,
    }
}

fn status(status: Option<&str>) -> String {
    let status = normal(status.unwrap_or_default());
    if status.is_empty() {
        UNKNOWN.to_owned()
    } else {
        status
    }
}

/// In lower case with underscores: the API's own documents, consoles and clients spell states as they like.
fn normal(state: &str) -> String {
    state.trim().to_lowercase().replace(['-', ' '], "_")
}

/// Without DMS's `Stop Reason ` before it. What may stand behind the reason (`Error Level FATAL`) stays.
fn stop_reason(reason: Option<&str>) -> Option<String> {
    const PREFIX: &str = "Stop Reason ";
    let reason = reason?.trim();
    let reason = match reason.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest.trim_start(),
        _ => reason,
    };
    Some(reason.to_owned()).filter(|reason| !reason.is_empty())
}

fn required(member: Option<&str>, name: &'static str) -> Result<String, &'static str> {
    member
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or(name)
}

#[cfg(test)]
mod tests {
    use super::{normal, replication, status, stop_reason, table};
    use aws_sdk_databasemigration::types::{Replication, ReplicationStats, TableStatistics};
    use aws_smithy_types::DateTime;

    #[test]
    fn states_are_told_in_one_spelling() {
        for text in [
            "PROVISIONING_CAPACITY",
            "provisioning-capacity",
            " Provisioning Capacity ",
        ] {
            assert_eq!(normal(text), "provisioning_capacity");
        }
        assert_eq!(status(None), "unknown");
        assert_eq!(status(Some("never_heard_of")), "never_heard_of");
    }

    #[test]
    fn a_stop_reason_has_no_heading() {
        for text in [
            "Stop Reason FULL_LOAD_ONLY_FINISHED",
            "FULL_LOAD_ONLY_FINISHED",
            "STOP REASON  FULL_LOAD_ONLY_FINISHED",
        ] {
            let reason = stop_reason(Some(text));
            assert_eq!(reason.as_deref(), Some("FULL_LOAD_ONLY_FINISHED"), "{text}");
        }
        let fatal = stop_reason(Some("Stop Reason FATAL_ERROR Error Level FATAL"));
        assert_eq!(fatal.as_deref(), Some("FATAL_ERROR Error Level FATAL"));
        assert_eq!(
            stop_reason(Some("Stop Reäson")).as_deref(),
            Some("Stop Reäson")
        );
        assert_eq!(stop_reason(Some(" ")), None);
        assert_eq!(stop_reason(None), None);
    }

    #[test]
    fn a_replication_that_never_ran_has_no_figures() {
        let config = Replication::builder()
            .replication_config_identifier("rbk-1")
            .replication_config_arn("arn")
            .status("created")
            .build();
        let told = replication(&config).expect("translated");
        assert_eq!(told.status, "created");
        assert_eq!((told.percent, told.tables), (None, None));
        assert_eq!((told.provision_state, told.provisioned_units), (None, None));
        assert_eq!((told.started_at, told.stopped_at), (None, None));
    }

    #[test]
    fn the_last_stop_is_told_where_the_figures_do_not() {
        let config = Replication::builder()
            .replication_config_identifier("rbk-1")
            .replication_config_arn("arn")
            .replication_stats(ReplicationStats::builder().build())
            .replication_last_stop_time(DateTime::from_secs(7))
            .build();
        let told = replication(&config).expect("translated");
        assert_eq!(told.stopped_at, jiff::Timestamp::from_second(7).ok());
    }

    #[test]
    fn what_has_no_name_is_named_as_missing() {
        let nameless = Replication::builder().status("created").build();
        assert_eq!(
            replication(&nameless).err(),
            Some("ReplicationConfigIdentifier")
        );
        let nameless = TableStatistics::builder().schema_name("public").build();
        assert_eq!(table(&nameless).err(), Some("TableName"));
    }
}
