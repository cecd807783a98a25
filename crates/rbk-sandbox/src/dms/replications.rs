//! Replications: describing, starting, stopping.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::{
    configs::matching,
    errors::DmsError,
    lifecycle::{self, Start},
    load::{Board, TableState},
    request::{Listing, Members, members, seconds},
    state::{Config, ProvisionState, Run, Status},
    statistics,
};
use crate::world::{Call, World};

pub(super) fn describe(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let listing: Listing = members(body, &[])?;
    listing.check(&["replication-config-arn", "replication-config-id"])?;
    world.view(call, |model| {
        let configs = matching(&model.dms, &listing, "Replications")?;
        let shown = configs.into_iter().map(render).collect();
        listing.page("Replications", shown, 100)
    })
}

fn render(config: &Config) -> Value {
    let replication = &config.replication;
    let mut shown = Members::new();
    shown
        .set("ReplicationConfigIdentifier", config.id.as_str())
        .set("ReplicationConfigArn", config.arn.as_str())
        .set("SourceEndpointArn", config.source_arn.as_str())
        .set("TargetEndpointArn", config.target_arn.as_str())
        .set("ReplicationType", "full-load")
        .set("Status", replication.status.as_str())
        .set("ReplicationCreateTime", seconds(config.created_at))
        .set("ReplicationUpdateTime", seconds(replication.updated_at))
        .set("IsReadOnly", false)
        .maybe("StopReason", replication.stop_reason.clone())
        .maybe("StartReplicationType", replication.start_type.clone())
        .time("ReplicationLastStopTime", replication.stopped_at)
        .time("ReplicationDeprovisionTime", replication.deprovision_at);
    if !replication.failures.is_empty() {
        shown.set("FailureMessages", replication.failures.clone());
    }
    if let Some(provision) = &replication.provision {
        let mut data = Members::new();
        data.set("ProvisionState", provision.state.as_str())
            .set("IsNewProvisioningAvailable", false);
        if provision.state != ProvisionState::Failed {
            data.set("ProvisionedCapacityUnits", provision.units)
                .set("DateProvisioned", seconds(provision.at));
        }
        shown.set("ProvisionData", data.done());
    }
    if replication.runs > 0 {
        shown.set("ReplicationStats", stats(config));
    }
    shown.done()
}

fn stats(config: &Config) -> Value {
    let replication = &config.replication;
    let tables = replication.run.as_ref().map(statistics::tables);
    let tables = tables.unwrap_or_default();
    let count = |wanted: &[TableState]| {
        let states = tables.iter().map(|table| table.state);
        states.filter(|state| wanted.contains(state)).count()
    };
    let loaded = count(&[TableState::Completed]);
    let percent = match tables.len() {
        0 => 0,
        all => loaded * 100 / all,
    };
    let end = replication.stopped_at.unwrap_or_else(Timestamp::now);
    let elapsed = replication
        .started_at
        .map_or(0, |start| end.as_millisecond() - start.as_millisecond());
    let mut shown = Members::new();
    shown
        .set("FullLoadProgressPercent", percent)
        .set("ElapsedTimeMillis", elapsed.max(0))
        .set("TablesLoaded", loaded)
        .set("TablesLoading", count(&[TableState::FullLoad]))
        .set("TablesQueued", count(&[TableState::BeforeLoad]))
        .set(
            "TablesErrored",
            count(&[TableState::Error, TableState::DoesNotExist]),
        )
        .time("FreshStartDate", replication.started_at)
        .time("StartDate", replication.started_at)
        .time("StopDate", replication.stopped_at)
        .time("FullLoadStartDate", replication.load_started)
        .time("FullLoadFinishDate", replication.load_finished);
    shown.done()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StartRequest {
    replication_config_arn: String,
    start_replication_type: String,
    premigration_assessment_settings: Option<String>,
    cdc_start_time: Option<f64>,
    cdc_start_position: Option<String>,
    cdc_stop_position: Option<String>,
}

pub(super) fn start(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let required = ["ReplicationConfigArn", "StartReplicationType"];
    let request: StartRequest = members(body, &required)?;
    let kind = request.start_replication_type.as_str();
    if !["start-replication", "reload-target", "resume-processing"].contains(&kind) {
        return Err(DmsError::InvalidValue(format!(
            "Invalid StartReplicationType: {kind}. Valid values: start-replication | resume-processing | reload-target"
        )));
    }
    if request.cdc_start_time.is_some()
        || request.cdc_start_position.is_some()
        || request.cdc_stop_position.is_some()
    {
        return Err(DmsError::InvalidCombination(
            "CdcStartTime, CdcStartPosition and CdcStopPosition don't go with a full load.".into(),
        ));
    }
    if request.premigration_assessment_settings.is_some() {
        return Err(DmsError::InvalidValue(
            "The sandbox has no premigration assessments.".into(),
        ));
    }
    let drawn = call.drawn.clone();
    let (answer, start) = world.apply(|model| {
        let config = model.dms.config_mut(&request.replication_config_arn)?;
        check_start(config, kind)?;
        let start = begin(config, kind, drawn);
        let entry = call
            .entry(&config.id)
            .with("ReplicationConfigArn", &config.arn)
            .with("StartReplicationType", kind);
        let answer = json!({ "Replication": render(config) });
        Ok(((answer, start), Some(entry)))
    })?;
    lifecycle::begin(world, start);
    Ok(answer)
}

fn check_start(config: &Config, kind: &str) -> Result<(), DmsError> {
    let replication = &config.replication;
    let refused = |state: &str| {
        Err(DmsError::InvalidState(format!(
            "Replication for Replication Config: {} is in {} state and cannot start.",
            config.id,
            state.to_ascii_uppercase()
        )))
    };
    match replication.status {
        Status::Created | Status::Stopped | Status::Failed => {}
        other => return refused(other.as_str()),
    }
    let state = replication.provision.as_ref().map(|data| data.state);
    if state == Some(ProvisionState::Deprovisioning) {
        return refused("deprovisioning");
    }
    let first = replication.runs == 0;
    let why = match kind {
        "start-replication" if !first => {
            "START_REPLICATION, valid only for replications running for the first time"
        }
        "reload-target" if first => "RELOAD_TARGET, valid only for replications that ran before",
        "resume-processing" => "RESUME_PROCESSING, not valid for full-load replications",
        _ => return Ok(()),
    };
    Err(DmsError::InvalidCombination(format!("Start Type : {why}")))
}

/// Enters a new run.
fn begin(config: &mut Config, kind: &str, drawn: crate::fault::Drawn) -> Start {
    let now = Timestamp::now();
    let (stop, stopped) = watch::channel(false);
    let board = Arc::new(Board::default());
    let tables = lifecycle::struck_tables(&drawn);
    let replication = &mut config.replication;
    let provisioned = replication
        .provision
        .as_ref()
        .is_some_and(|data| data.state == ProvisionState::Provisioned);
    if !provisioned {
        replication.provision = None;
    }
    replication.status = Status::Initializing;
    replication.runs += 1;
    replication.start_type = Some(kind.to_owned());
    replication.stop_reason = None;
    replication.failures = Vec::new();
    replication.updated_at = now;
    replication.started_at = Some(now);
    replication.stopped_at = None;
    replication.deprovision_at = None;
    replication.load_started = None;
    replication.load_finished = None;
    replication.run = Some(Run {
        board: Arc::clone(&board),
        stop: Arc::new(stop),
        suspended: tables.suspended.clone(),
    });
    let run = replication.runs;
    name_logs(config);
    Start {
        arn: config.arn.clone(),
        run,
        drawn,
        board,
        stopped,
        tables,
        provisioned,
    }
}

/// The first run makes the log group, if there are logs.
fn name_logs(config: &mut Config) {
    let Some(logging) = config.settings.get_mut("Logging") else {
        return;
    };
    if logging.get("EnableLogging") != Some(&json!(true)) {
        return;
    }
    if let Some(logging) = logging.as_object_mut() {
        let resource = &config.resource;
        let name = format!("dms-serverless-replication-{resource}");
        logging.insert("CloudWatchLogGroup".into(), json!(name));
        logging.insert("CloudWatchLogStream".into(), json!(name));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StopRequest {
    replication_config_arn: String,
}

/// The capacity stays.
pub(super) fn stop(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: StopRequest = members(body, &["ReplicationConfigArn"])?;
    world.apply(|model| {
        let config = model.dms.config_mut(&request.replication_config_arn)?;
        let replication = &mut config.replication;
        let status = replication.status;
        if !status.is_active() || status == Status::Stopping {
            return Err(DmsError::InvalidState(format!(
                "Replication for Replication Config: {} is in {} state and cannot be stopped.",
                config.id,
                status.as_str().to_ascii_uppercase()
            )));
        }
        replication.status = Status::Stopping;
        replication.updated_at = Timestamp::now();
        if let Some(run) = &replication.run {
            run.stop.send_replace(true);
        }
        let entry = call
            .entry(&config.id)
            .with("ReplicationConfigArn", &config.arn);
        Ok((json!({ "Replication": render(config) }), Some(entry)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TestRequest {
    replication_instance_arn: String,
    #[serde(rename = "EndpointArn")]
    _endpoint_arn: String,
}

/// It needs a replication instance, which serverless doesn't have.
pub(super) fn test_connection(body: Map<String, Value>) -> Result<Value, DmsError> {
    let request: TestRequest = members(body, &["ReplicationInstanceArn", "EndpointArn"])?;
    Err(DmsError::NotFound(format!(
        "Replication instance {} not found: the sandbox has DMS serverless only, which tests connections in a replication's phase testing_connection.",
        request.replication_instance_arn
    )))
}
