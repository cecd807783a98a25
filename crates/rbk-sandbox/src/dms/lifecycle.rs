//! A started replication on its way through its states, up to the load and behind it.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, ToSpan};
use tokio::sync::watch;

use super::{
    credentials::party,
    load::{self, Board, LoadEnd, LoadTask, Trust},
    mappings,
    state::{Config, Provision, ProvisionState, Replication, Status},
};
use crate::{
    fault::{Drawn, FaultKind, Moment, ReplicationPhase},
    model::Model,
    world::World,
};

/// How long unused capacity stays, and is billed.
const KEPT_HOURS: i64 = 48;

/// Where DMS's sessions come from, unless a security group says otherwise.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A run that was accepted.
pub(super) struct Start {
    pub(super) arn: String,
    pub(super) run: u32,
    pub(super) drawn: Drawn,
    pub(super) board: Arc<Board>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) tables: StruckTables,
    /// Whether the capacity of an earlier run is still there.
    pub(super) provisioned: bool,
}

/// Tables that a planted fault keeps from being loaded.
#[derive(Debug, Clone, Default)]
pub(super) struct StruckTables {
    pub(super) suspended: Vec<(String, String)>,
    pub(super) lost: Vec<(String, String)>,
}

pub(super) fn struck_tables(drawn: &Drawn) -> StruckTables {
    let mut tables = StruckTables::default();
    for kind in drawn.at(Moment::During) {
        match kind {
            FaultKind::SuspendsTable { schema, table } => {
                tables.suspended.push((schema.clone(), table.clone()));
            }
            FaultKind::LosesTable { schema, table } => {
                tables.lost.push((schema.clone(), table.clone()));
            }
            _ => {}
        }
    }
    tables
}

/// How a run ended, and in which phase.
struct End {
    load: LoadEnd,
    running: bool,
}

/// Lets a run go on in the background.
pub(super) fn begin(world: &Arc<World>, start: Start) {
    let work = Arc::clone(world);
    world.spawn(async move {
        let mut start = start;
        let end = start.go(&work).await.unwrap_or_else(|end| end);
        start.conclude(&work, end).await;
    });
}

impl Start {
    /// Goes through the phases; an error is an end before the load.
    async fn go(&mut self, world: &Arc<World>) -> Result<End, End> {
        self.phase(world, ReplicationPhase::Initializing).await?;
        self.phase(world, ReplicationPhase::PreparingMetadataResources)
            .await?;
        self.phase(world, ReplicationPhase::TestingConnection)
            .await?;
        let task = self.task(world).map_err(|message| failed(vec![message]))?;
        self.work(world, load::test_connections(&task)).await?;
        self.phase(world, ReplicationPhase::FetchingMetadata)
            .await?;
        let board = Arc::clone(&self.board);
        self.work(world, load::fetch_metadata(&task, &board))
            .await?;
        self.phase(world, ReplicationPhase::CalculatingCapacity)
            .await?;
        self.phase(world, ReplicationPhase::ProvisioningCapacity)
            .await?;
        self.provision(world);
        self.phase(world, ReplicationPhase::ReplicationStarting)
            .await?;
        self.phase(world, ReplicationPhase::Running).await?;
        Ok(self.load(world, &task).await)
    }

    /// Enters a phase, and lasts as long as it does.
    async fn phase(&mut self, world: &World, phase: ReplicationPhase) -> Result<(), End> {
        self.change(world, |config| {
            let replication = &mut config.replication;
            if replication.status.is_active() && replication.status != Status::Stopping {
                replication.status = status(phase);
                replication.updated_at = Timestamp::now();
            }
            if phase == ReplicationPhase::Running {
                replication.load_started = Some(Timestamp::now());
            }
        });
        let lasts = duration(world, phase, self.provisioned);
        let drawn = self.drawn.clone();
        self.unless_stopped(async {
            wait(world, &drawn, phase).await;
            tokio::time::sleep(lasts).await;
        })
        .await?;
        if phase == ReplicationPhase::ProvisioningCapacity
            && drawn
                .at(Moment::During)
                .any(|kind| *kind == FaultKind::InsufficientCapacity)
        {
            self.change(world, |config| {
                config.replication.provision = Some(Provision {
                    state: ProvisionState::Failed,
                    units: 0,
                    at: Timestamp::now(),
                });
            });
            return Err(failed(vec![
                "Failed to provision capacity: insufficient resource capacity is available in the Availability Zones of the replication subnet group.".into(),
            ]));
        }
        // A load that fails has moved its rows.
        match self.planted(phase) {
            Some(messages) if phase != ReplicationPhase::Running => Err(failed(messages)),
            _ => Ok(()),
        }
    }

    fn planted(&self, phase: ReplicationPhase) -> Option<Vec<String>> {
        self.drawn.at(Moment::During).find_map(|kind| match kind {
            FaultKind::FailsIn {
                phase: planted,
                message,
            } if *planted == phase => Some(vec![
                message
                    .clone()
                    .unwrap_or_else(|| usual_message(phase).into()),
            ]),
            _ => None,
        })
    }

    /// Real work of a phase before the load.
    async fn work(
        &mut self,
        world: &World,
        work: impl Future<Output = Result<(), String>>,
    ) -> Result<(), End> {
        let started = Instant::now();
        let done = self.unless_stopped(work).await?;
        world.ledger.worked(started.elapsed());
        done.map_err(|message| failed(vec![message]))
    }

    async fn load(&mut self, world: &World, task: &LoadTask) -> End {
        let started = Instant::now();
        let end = load::load(task, &self.board, &self.stopped).await;
        world.ledger.worked(started.elapsed());
        let load = match (end, self.planted(ReplicationPhase::Running)) {
            (LoadEnd::Finished, Some(messages)) => LoadEnd::Failed { messages },
            (end, _) => end,
        };
        End {
            load,
            running: true,
        }
    }

    /// Whom the run logs in as, with what it was given when it tests its connections.
    fn task(&self, world: &World) -> Result<LoadTask, String> {
        world.read(|model| {
            let config = model
                .dms
                .config(&self.arn)
                .map_err(|error| error.to_string())?;
            let side = |arn: &str| {
                let endpoint = model.dms.endpoint(arn).map_err(|error| error.to_string())?;
                party(model, endpoint, &config.resource)
            };
            let document = mappings::check(&config.mappings).map_err(|error| error.to_string())?;
            let struck = self.tables.suspended.iter().chain(&self.tables.lost);
            Ok(LoadTask {
                replication: config.resource.clone(),
                trust: Trust::new(world.identity.connector.clone()),
                source: side(&config.source_arn)?,
                target: side(&config.target_arn)?,
                mappings: mappings::without(&document, struck),
                settings: config.settings.clone(),
                client_address: source_address(model, config),
            })
        })
    }

    fn provision(&mut self, world: &World) {
        if self.provisioned {
            return;
        }
        self.provisioned = true;
        self.change(world, |config| {
            config.replication.provision = Some(Provision {
                state: ProvisionState::Provisioned,
                units: config.compute.min_units,
                at: Timestamp::now(),
            });
        });
    }

    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::select! {
            biased;
            // An error means that the replication is gone, which is a stop as well.
            _ = self.stopped.wait_for(|stopped| *stopped) => Err(End {
                load: LoadEnd::Stopped,
                running: false,
            }),
            done = work => Ok(done),
        }
    }

    async fn conclude(self, world: &Arc<World>, end: End) {
        if end.load == LoadEnd::Stopped {
            self.change(world, |config| {
                config.replication.status = Status::Stopping;
            });
            tokio::time::sleep(world.durations.dms_stopping).await;
        }
        let at_once = self
            .drawn
            .at(Moment::During)
            .any(|kind| *kind == FaultKind::Deprovisions);
        let held = self.drawn.at(Moment::During).any(
            |kind| matches!(kind, FaultKind::Hold(name) if name == ProvisionState::Deprovisioning.as_str()),
        );
        self.change(world, |config| {
            enter_end(&mut config.replication, &end);
            // In one moment: nobody sees the end with its statistics.
            if at_once
                && !held
                && let Some(provision) = config.replication.provision.as_mut()
            {
                provision.state = ProvisionState::Deprovisioned;
                config.replication.run = None;
            }
        });
        if !self.provisioned || (at_once && !held) {
            return;
        }
        if !at_once {
            let kept = Duration::from_secs(KEPT_HOURS.unsigned_abs() * 3600);
            tokio::time::sleep(kept).await;
        }
        deprovision(world, &self.arn, self.run, held).await;
    }

    /// Changes the config, if it is still this run's.
    fn change(&self, world: &World, change: impl FnOnce(&mut Config)) {
        world.change(|model| {
            if let Some(config) = model.dms.configs.get_mut(&self.arn)
                && config.replication.runs == self.run
            {
                change(config);
            }
        });
    }
}

fn failed(messages: Vec<String>) -> End {
    End {
        load: LoadEnd::Failed { messages },
        running: false,
    }
}

fn enter_end(replication: &mut Replication, end: &End) {
    let now = Timestamp::now();
    replication.updated_at = now;
    replication.stopped_at = Some(now);
    if replication.billed().is_some() {
        replication.deprovision_at = now.checked_add(KEPT_HOURS.hours()).ok();
    }
    match &end.load {
        LoadEnd::Finished => {
            replication.status = Status::Stopped;
            replication.stop_reason = Some("Stop Reason FULL_LOAD_ONLY_FINISHED".into());
            replication.load_finished = Some(now);
        }
        LoadEnd::Stopped => {
            replication.status = Status::Stopped;
            replication.stop_reason = Some("Stop Reason NORMAL".into());
        }
        LoadEnd::Failed { messages } => {
            replication.status = Status::Failed;
            replication.failures = messages.clone();
            if end.running {
                replication.stop_reason = Some("Stop Reason FATAL_ERROR".into());
            }
        }
    }
}

/// Takes the capacity of a run away; its statistics go with it. If it is `held`, it waits in between for the
/// release of the hold `deprovisioning`.
pub(crate) async fn deprovision(world: &World, arn: &str, run: u32, held: bool) {
    let mine = |model: &mut Model, next: ProvisionState| {
        let config = model.dms.configs.get_mut(arn)?;
        let replication = &mut config.replication;
        if replication.runs != run || replication.status.is_active() {
            return None;
        }
        replication.provision.as_mut()?.state = next;
        replication.updated_at = Timestamp::now();
        if next == ProvisionState::Deprovisioned {
            replication.run = None;
        }
        Some(())
    };
    if world
        .change(|model| mine(model, ProvisionState::Deprovisioning))
        .is_none()
    {
        return;
    }
    if held {
        let name = ProvisionState::Deprovisioning.as_str();
        world.faults.hold(name).await;
    }
    tokio::time::sleep(world.durations.dms_deprovisioning).await;
    world.change(|model| mine(model, ProvisionState::Deprovisioned));
}

/// The first of its security groups that has an address; else the address of DMS.
fn source_address(model: &Model, config: &Config) -> IpAddr {
    config
        .compute
        .security_groups
        .iter()
        .find_map(|group| model.source_addresses.get(group))
        .copied()
        .unwrap_or(SOURCE)
}

/// A hold that has a phase's name waits there; any other one, and a delay, when the rows are about to be moved
/// (`deprovisioning` comes later).
async fn wait(world: &World, drawn: &Drawn, phase: ReplicationPhase) {
    for kind in drawn.at(Moment::During) {
        match kind {
            FaultKind::Hold(name) if name != ProvisionState::Deprovisioning.as_str() => {
                let place = ReplicationPhase::of(name).unwrap_or(ReplicationPhase::Running);
                if place == phase {
                    world.faults.hold(name).await;
                }
            }
            FaultKind::Delay(time) if phase == ReplicationPhase::Running => {
                tokio::time::sleep(*time).await;
            }
            _ => {}
        }
    }
}

fn status(phase: ReplicationPhase) -> Status {
    match phase {
        ReplicationPhase::Initializing => Status::Initializing,
        ReplicationPhase::PreparingMetadataResources => Status::PreparingMetadata,
        ReplicationPhase::TestingConnection => Status::TestingConnection,
        ReplicationPhase::FetchingMetadata => Status::FetchingMetadata,
        ReplicationPhase::CalculatingCapacity => Status::CalculatingCapacity,
        ReplicationPhase::ProvisioningCapacity => Status::ProvisioningCapacity,
        ReplicationPhase::ReplicationStarting => Status::Starting,
        ReplicationPhase::Running => Status::Running,
    }
}

/// With capacity that is still there, nothing is prepared or provisioned again.
fn duration(world: &World, phase: ReplicationPhase, provisioned: bool) -> Duration {
    let durations = &world.durations;
    match phase {
        ReplicationPhase::PreparingMetadataResources
        | ReplicationPhase::CalculatingCapacity
        | ReplicationPhase::ProvisioningCapacity
            if provisioned =>
        {
            Duration::ZERO
        }
        ReplicationPhase::Initializing => durations.dms_initializing,
        ReplicationPhase::PreparingMetadataResources => durations.dms_preparing_metadata,
        ReplicationPhase::TestingConnection => durations.dms_testing_connection,
        ReplicationPhase::FetchingMetadata => durations.dms_fetching_metadata,
        ReplicationPhase::CalculatingCapacity => durations.dms_calculating_capacity,
        ReplicationPhase::ProvisioningCapacity => durations.dms_provisioning_capacity,
        ReplicationPhase::ReplicationStarting => durations.dms_starting,
        // The load takes as long as it takes.
        ReplicationPhase::Running => Duration::ZERO,
    }
}

fn usual_message(phase: ReplicationPhase) -> &'static str {
    match phase {
        ReplicationPhase::Initializing => "Failed to initialize the replication.",
        ReplicationPhase::PreparingMetadataResources => {
            "Failed to prepare the resources that read the metadata."
        }
        ReplicationPhase::TestingConnection => {
            "Test connection failed for endpoint: Application-Status: 1020912, Application-Message: Cannot connect to ODBC provider Network error has occurred"
        }
        ReplicationPhase::FetchingMetadata => "Failed to fetch the metadata of the source.",
        ReplicationPhase::CalculatingCapacity => "Failed to calculate the capacity.",
        ReplicationPhase::ProvisioningCapacity => "Failed to provision the capacity.",
        ReplicationPhase::ReplicationStarting => "Failed to start the replication.",
        ReplicationPhase::Running => {
            "Last Error Task error notification received from subtask 0, thread 0: Fatal error has occurred. Stop Reason FATAL_ERROR Error Level FATAL"
        }
    }
}
