//! One rehearsal, from the disaster to the proof. Each runbook is run by the very path of `rbk run`.

use super::account::sandbox_options;
use super::application::{self, ApplicationReport, Moments, Span, StepSpan};
use super::compare::{active_database, compare, digest};
use super::instant::{Instant, restores_to_it};
use super::proof::prove;
use super::report::{DatabaseReport, Outcome, Report, Role, RunReport, StepTime, VERSION};
use super::seed::{Stage, StandIn};
use super::{disaster, leftovers, sandbox_failed, seed};
use crate::adapters::person::DrillApprover;
use crate::cli::DrillArgs;
use crate::commands::saved::no_holes;
use crate::exit::{Exit, Failure};
use crate::journals::{Journals, in_directory};
use crate::load::{Given, load};
use crate::perform::{Task, exit_of, perform, tell_stack};
use crate::render::colour::Screen;
use crate::render::summary::step_word;
use crate::signals::Stop;
use crate::wiring;
use rbk_core::environment::{Database, Environment};
use rbk_core::ids::DatabaseName;
use rbk_core::plan::{Action, Plan};
use rbk_core::run::{self, Ending, EndingKind};
use rbk_core::shell::shell_word;
use rbk_core::status::Status;
use rbk_core::value::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The keys that calls to a sandbox are signed with: it takes any, and these open nothing anywhere else.
pub const ACCESS_KEY: &str = "AKIARBKSANDBOXEXAMPLE";
/// The secret that goes with it.
pub const SECRET_KEY: &str = "rbk-sandbox-secret-key";

/// How much a stand-in is promised before the disaster, at least.
const WRITES_BEFORE_DISASTER: usize = 5;

/// What is rehearsed.
pub struct Rehearsal<'a> {
    /// Where it is told.
    pub screen: Screen,
    /// The command line.
    pub args: &'a DrillArgs,
    /// The runbooks' parameters, in the order of the files.
    pub given: &'a [Given],
    /// The sandbox.
    pub stage: &'a Stage,
    /// The environment as its file has it.
    pub environment: &'a Environment,
    /// The runbooks' plans as they were checked before the sandbox was there.
    pub plans: &'a [Plan],
}

impl Rehearsal<'_> {
    /// Stages the disaster, runs the runbooks one after the other until one is not done, and looks at what is there then.
    pub async fn rehearse(&self, stop: &mut Stop) -> Result<(Report, Exit), Failure> {
        let drill = seed::drill_of(self.environment)?;
        let staged = self
            .args
            .sandbox
            .disaster
            .as_ref()
            .unwrap_or(&drill.disaster);
        self.begin_traffic(stop).await?;
        let original = self.database(&drill.database)?;
        let instant = self.instant(original, stop).await?;
        let (disaster, struck) = if self.looks_only() {
            (
                "none: nothing here changes anything".to_owned(),
                jiff::Timestamp::now(),
            )
        } else {
            let disaster = disaster::describe(staged, drill.database.as_str());
            let struck = disaster::strike(self.stage, original, staged).await?;
            self.screen
                .say(self.screen.err.red(format_args!("Disaster: {disaster}")));
            (disaster, struck)
        };
        if let Some(instant) = &instant {
            instant.make_restorable(self.stage, original).await?;
        }

        let journals = self.journals()?;
        let mut ran: Vec<Ran> = Vec::new();
        for (file, given) in self.args.files.iter().zip(self.given) {
            let next = self
                .run(file, given, instant.as_ref(), &journals, stop)
                .await?;
            let done = next.ending.kind == EndingKind::Done;
            ran.push(next);
            if !done {
                break;
            }
        }
        stop.answered();
        let Some(last) = ran.last() else {
            return Err(Failure::usage("no runbook is named"));
        };
        let used = self.recovered_database(&ran)?;
        let restored_to_instant = ran.iter().any(|ran| restores_to_it(&ran.plan));
        // Looking can be dropped: what it tries is rolled back.
        let looking = async {
            let end = self.end_traffic(last).await;
            let databases = self.look(&ran, used.as_ref(), instant.as_ref()).await?;
            let moments = Moments {
                instant: instant
                    .as_ref()
                    .filter(|_| restored_to_instant)
                    .map(|it| it.at),
                disaster: struck,
                end,
            };
            let applications = self.applications(&ran, used.as_ref(), moments).await?;
            Ok::<_, Failure>((databases, applications, end))
        };
        let (databases, applications, end) = tokio::select! {
            looked = looking => looked?,
            () = stop.asked() => return Err(Failure::new(Exit::Suspended, "stopped before the data was compared")),
        };
        let frozen = keeps_frozen(&last.plan);
        let plans: Vec<&Plan> = ran.iter().map(|ran| &ran.plan).collect();
        let done = last.ending.kind == EndingKind::Done;
        let account = leftovers::account(self.stage, &plans, done);
        let mut outcome = outcome(last.ending.kind, &databases, &applications, frozen);
        if outcome == Outcome::Recovered && self.looks_only() {
            outcome = Outcome::Unchanged;
        }
        if outcome == Outcome::Recovered && account.iter().any(|finding| !finding.holds) {
            outcome = Outcome::Unproven;
        }
        let exit = match outcome {
            Outcome::Recovered | Outcome::Unchanged => Exit::Done,
            Outcome::DataDiffers | Outcome::Unproven | Outcome::WritesLost | Outcome::CutOff => {
                Exit::Failed
            }
            Outcome::Failed | Outcome::Stopped => exit_of(&last.ending),
        };
        let recovered = outcome == Outcome::Recovered;
        let as_of = instant
            .as_ref()
            .filter(|_| restored_to_instant)
            .map(|it| it.at);
        let data_time = as_of
            .or_else(|| ran.iter().find_map(|ran| restored_data_time(&ran.status)))
            .unwrap_or(self.stage.snapshot.database_time);
        let report = Report {
            version: VERSION,
            outcome,
            environment: self.environment.name.clone(),
            disaster,
            // Where nothing writes, the application is well when the runbook is done that switched it, and that is the first.
            rto_seconds: applications
                .iter()
                .filter_map(|it| it.recovered_at)
                .max()
                .or_else(|| ran.first().map(|first| first.ended))
                .filter(|_| recovered)
                .map(|well| seconds_between(struck, well)),
            rpo_seconds: recovered.then(|| seconds_between(data_time, struck)),
            rows_lost: match (as_of, self.looks_only()) {
                (None, false) => self.stage.rows_behind_snapshot(),
                (Some(_), _) | (None, true) => 0,
            },
            as_of,
            database: used.map(|name| name.to_string()),
            problem: self.problem(last, &journals, ran.len()),
            runs: ran
                .iter()
                .map(|ran| ran.told(&journals, self.traffic_during(ran, end)))
                .collect(),
            databases,
            applications,
            account,
        };
        Ok((report, exit))
    }

    /// Runs a runbook against the sandbox.
    async fn run(
        &self,
        file: &Path,
        given: &Given,
        instant: Option<&Instant>,
        journals: &Journals,
        stop: &Stop,
    ) -> Result<Ran, Failure> {
        let screen = self.screen;
        let env = self.args.sandbox.environment.env.as_deref();
        let changed = || {
            Failure::wrong(format!(
                "`{}` was changed while the sandbox started",
                file.display()
            ))
        };
        let mut loaded = load(screen, file, env, given, Some(&self.stage.overlay))?;
        if let (Some(plan), Some(instant)) = (&loaded.plan, instant)
            && plan.holes().next().is_some()
        {
            let given = instant.given(plan, given);
            loaded = load(screen, file, env, &given, Some(&self.stage.overlay))?;
        }
        let plan = loaded.plan.ok_or_else(changed)?;
        no_holes(&plan)?;
        if self.args.files.first().map(PathBuf::as_path) == Some(file) {
            screen.say("The environment is rehearsed with these changes:");
            for change in &loaded.overlaid {
                screen.say(format_args!("  {change}"));
            }
        }
        let aws = sandbox_options(&self.stage.sandbox, &plan.environment);
        let world =
            wiring::world(&plan.environment, aws, Arc::new(DrillApprover { screen })).await?;
        let begun = jiff::Timestamp::now();
        let ending = perform(
            screen,
            &plan,
            world.clone(),
            journals,
            false,
            Task::Start,
            stop,
        )
        .await?;
        let ended = jiff::Timestamp::now();
        tell_stack(screen, &plan, &world, &ending).await;
        let (_, status) = journals.status(&ending.run).await?;
        Ok(Ran {
            begun,
            ended,
            plan,
            ending,
            status,
        })
    }

    /// Whether none of the runbooks changes anything: then there is nothing to recover from.
    fn looks_only(&self) -> bool {
        self.plans.iter().all(Plan::changes_nothing)
    }

    /// The last good instant, where a runbook restores to one, or where all must be as it was.
    async fn instant(&self, database: &Database, stop: &Stop) -> Result<Option<Instant>, Failure> {
        if !self.looks_only() && !self.plans.iter().any(restores_to_it) {
            return Ok(None);
        }
        let noted = Instant::note(self.stage, self.environment, database);
        let mut stop = stop.clone();
        tokio::select! {
            noted = noted => {
                let noted = noted?;
                if !self.looks_only() {
                    self.screen.say(format_args!("  the last good instant is {}", noted.at));
                }
                Ok(Some(noted))
            }
            () = stop.asked() => Err(Failure::new(Exit::Suspended, "stopped before anything was rehearsed")),
        }
    }

    /// Lets the stand-ins write and read, and waits until each was promised something.
    async fn begin_traffic(&self, stop: &mut Stop) -> Result<(), Failure> {
        for stand_in in self.stage.stand_ins.values() {
            let Some(traffic) = &stand_in.traffic else {
                continue;
            };
            let began = jiff::Timestamp::now();
            traffic.begin();
            let some = async {
                let mut last = began;
                for _ in 0..WRITES_BEFORE_DISASTER {
                    if !application::await_write(traffic, last).await {
                        return false;
                    }
                    last = traffic.last_write().unwrap_or(last);
                }
                true
            };
            let wrote = tokio::select! {
                wrote = some => wrote,
                () = stop.asked() => return Err(Failure::new(Exit::Suspended, "stopped before anything was rehearsed")),
            };
            if !wrote {
                let reason = traffic
                    .log()
                    .no_writes
                    .first()
                    .map_or_else(String::new, |one| format!(": {}", one.reason));
                return Err(Failure::wrong(format!(
                    "the stand-in for application {} can't write{reason}",
                    stand_in.name
                ))
                .help("mend `write` of the environment's [drill.traffic]"));
            }
        }
        Ok(())
    }

    /// Lets the stand-ins write once more where the runs are done and left that possible, and ends it. Returns when it was over.
    async fn end_traffic(&self, last: &Ran) -> jiff::Timestamp {
        let expected = last.ending.kind == EndingKind::Done && !keeps_frozen(&last.plan);
        for stand_in in self.stage.stand_ins.values() {
            let Some(traffic) = &stand_in.traffic else {
                continue;
            };
            if expected {
                // Whoever could not is told by the gap that has no end.
                application::await_write(traffic, last.ended).await;
            }
            traffic.end().await;
        }
        jiff::Timestamp::now()
    }

    /// What the stand-ins lived through, held against the database that they end on.
    async fn applications(
        &self,
        ran: &[Ran],
        used: Option<&DatabaseName>,
        moments: Moments,
    ) -> Result<Vec<ApplicationReport>, Failure> {
        let drill = seed::drill_of(self.environment)?;
        let (Some(said), Some(used)) = (&drill.traffic, used) else {
            return Ok(Vec::new());
        };
        let database = self.database(used)?;
        let superuser = self
            .stage
            .sandbox
            .superuser(database.instance.as_str(), &database.database)
            .await;
        let there = match superuser {
            Ok(superuser) => application::numbers_there(&superuser, said).await?,
            // Nothing is left on a server that is lost.
            Err(rbk_sandbox::SandboxError::NotRunning { .. }) => std::collections::BTreeMap::new(),
            Err(error) => return Err(sandbox_failed(error)),
        };
        let steps: Vec<StepSpan> = ran.iter().flat_map(Ran::step_spans).collect();
        Ok(self
            .stage
            .stand_ins
            .values()
            .filter_map(|stand_in| {
                let log = stand_in.traffic.as_ref()?.log();
                Some(application::report(stand_in, &log, moments, &there, &steps))
            })
            .collect())
    }

    /// What the drilled application could do during a run.
    fn traffic_during(&self, ran: &Ran, end: jiff::Timestamp) -> Option<application::RunTraffic> {
        let stand_in = |it: &&StandIn| it.traffic.is_some();
        let traffic = self
            .stage
            .stand_ins
            .values()
            .find(stand_in)?
            .traffic
            .as_ref()?;
        Some(application::during(&traffic.log(), ran.span(), end))
    }

    /// Looks at the database that the application uses now, and at each that rows were copied to.
    async fn look(
        &self,
        ran: &[Ran],
        used: Option<&DatabaseName>,
        instant: Option<&Instant>,
    ) -> Result<Vec<DatabaseReport>, Failure> {
        let done = ran
            .last()
            .is_some_and(|last| last.ending.kind == EndingKind::Done);
        if !done {
            return Ok(Vec::new());
        }
        let mut looked_at: Vec<(DatabaseName, Role)> = copied_to(ran)
            .into_iter()
            .map(|name| (name.clone(), Role::Rebuilt))
            .collect();
        let destroyed = destroyed(ran);
        looked_at.retain(|(name, _)| !destroyed.contains(name));
        if let Some(used) = used
            && looked_at.iter().all(|(name, _)| name != used)
        {
            looked_at.insert(0, (used.clone(), Role::InUse));
        }
        let own_tables = seed::own_tables(self.environment);
        let traffic = seed::drill_of(self.environment)?.traffic.as_ref();
        let mut reports = Vec::new();
        // What a repair has rebuilt is the more interesting to be caught at.
        let tampered = looked_at.len().saturating_sub(1);
        for (index, (name, role)) in looked_at.into_iter().enumerate() {
            let database = self.database(&name)?;
            if let Some(table) = self.args.tamper.as_ref().filter(|_| index == tampered) {
                disaster::empty(self.stage, database, table).await?;
                self.screen.warn(format_args!(
                    "--tamper: {table} of {name} was emptied behind the runbook's back"
                ));
            }
            let mut superuser = self
                .stage
                .sandbox
                .superuser(database.instance.as_str(), &database.database)
                .await
                .map_err(sandbox_failed)?;
            let found = digest(&mut superuser, &own_tables, traffic).await?;
            reports.push(DatabaseReport {
                name: name.to_string(),
                role,
                tables: compare(instant.map_or(&self.stage.saved, |it| &it.tables), &found),
                proof: prove(&mut superuser, &self.stage.schema, &own_tables).await?,
            });
        }
        Ok(reports)
    }

    fn database(&self, name: &DatabaseName) -> Result<&Database, Failure> {
        self.environment
            .database(name)
            .ok_or_else(|| Failure::wrong(format!("the environment has no database {name}")))
    }

    /// Each drill has a directory of its own, so that two at once don't lock each other out.
    fn journals(&self) -> Result<Journals, Failure> {
        let name = format!(
            "{}-{}-{}",
            self.environment.name,
            jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S"),
            std::process::id()
        );
        Ok(in_directory(
            &wiring::state_directory()?.join("drills").join(name),
        ))
    }

    /// The database whose data counts: what the application uses now; without an application, what a runbook restored.
    fn recovered_database(&self, ran: &[Ran]) -> Result<Option<DatabaseName>, Failure> {
        let drill = seed::drill_of(self.environment)?;
        let uses = |name: &&_| {
            self.environment
                .application(name)
                .is_some_and(|it| it.databases.contains(&drill.database))
        };
        let application = drill
            .application
            .as_ref()
            .or_else(|| self.environment.applications.keys().find(uses));
        if let Some(name) = application
            && let Some(application) = self.environment.application(name)
        {
            return active_database(self.stage, self.environment, name, application);
        }
        let restored = actions(ran).rev().find_map(|action| match action {
            Action::RestoreFromSnapshot { database, .. }
            | Action::RestoreToPointInTime { database, .. } => Some(database.clone()),
            _ => None,
        });
        Ok(Some(restored.unwrap_or_else(|| drill.database.clone())))
    }

    /// What stopped the last run, in a line, with what to do. Nothing goes on in a sandbox that is gone.
    fn problem(&self, last: &Ran, journals: &Journals, runs: usize) -> Option<String> {
        let first = last.ending.first.as_ref()?;
        let help = if runs == 1 && matches!(first.failure, run::Failure::Precondition { .. }) {
            format!(
                "a drill begins right after the disaster; if this runbook follows another one, name that first: `rbk drill {} {}`",
                before(&last.plan.runbook.file),
                shell_word(&last.plan.runbook.file)
            )
        } else if last.ending.is_resumable() && !self.args.keep {
            "the sandbox goes with the drill; --keep leaves it, and then `rbk resume` goes on"
                .to_owned()
        } else {
            journals.complete(&first.failure.help(), &last.ending.run)
        };
        let second = last
            .ending
            .second
            .as_ref()
            .map_or_else(String::new, |second| format!("; then: {}", second.failure));
        Some(format!(
            "{} {}{second} ({help})",
            first.failure.code(),
            first.failure
        ))
    }
}

/// A run against the sandbox.
struct Ran {
    begun: jiff::Timestamp,
    ended: jiff::Timestamp,
    plan: Plan,
    ending: Ending,
    status: Status,
}

impl Ran {
    fn span(&self) -> Span {
        Span {
            from: self.begun,
            to: self.ended,
        }
    }

    /// When its steps were under way: each until the next one begins.
    fn step_spans(&self) -> Vec<StepSpan> {
        let began = |step: &rbk_core::status::StepStatus| {
            step.actions
                .iter()
                .filter_map(|action| action.started_at)
                .min()
        };
        let starts: Vec<(String, jiff::Timestamp)> = self
            .status
            .steps
            .iter()
            .filter_map(|step| Some((step.path.to_string(), began(step)?)))
            .collect();
        let ends = starts.iter().skip(1).map(|(_, at)| *at).chain([self.ended]);
        starts
            .iter()
            .zip(ends)
            .map(|((step, from), to)| StepSpan {
                runbook: self.plan.runbook.title.clone(),
                step: step.clone(),
                span: Span { from: *from, to },
            })
            .collect()
    }

    fn told(&self, journals: &Journals, application: Option<application::RunTraffic>) -> RunReport {
        RunReport {
            runbook: self.plan.runbook.title.clone(),
            file: self.plan.runbook.file.clone(),
            run: self.ending.run.to_string(),
            journal: journals.of_run(&self.ending.run),
            ending: self.ending.kind,
            seconds: seconds_between(self.begun, self.ended),
            steps: steps(&self.status),
            application,
        }
    }
}

/// Whether a runbook ends with frozen writes on purpose.
fn keeps_frozen(plan: &Plan) -> bool {
    plan.actions()
        .any(|planned| matches!(planned.action, Action::KeepFrozen { .. }))
}

fn outcome(
    last: EndingKind,
    databases: &[DatabaseReport],
    applications: &[ApplicationReport],
    frozen: bool,
) -> Outcome {
    let broken = |it: &ApplicationReport| !it.broken_promises().is_empty();
    match last {
        EndingKind::Done if databases.is_empty() => Outcome::DataDiffers,
        EndingKind::Done if !databases.iter().all(DatabaseReport::is_equal) => Outcome::DataDiffers,
        EndingKind::Done if databases.iter().any(|it| !it.proof.failures().is_empty()) => {
            Outcome::Unproven
        }
        EndingKind::Done if applications.iter().any(broken) => Outcome::WritesLost,
        EndingKind::Done if !frozen && applications.iter().any(|it| it.is_cut_off().is_some()) => {
            Outcome::CutOff
        }
        EndingKind::Done => Outcome::Recovered,
        EndingKind::Failed | EndingKind::Aborted => Outcome::Failed,
        EndingKind::Suspended | EndingKind::Interrupted | EndingKind::Undecided => Outcome::Stopped,
    }
}

/// The databases that rows were copied to, each once.
fn copied_to(ran: &[Ran]) -> BTreeSet<&DatabaseName> {
    actions(ran)
        .filter_map(|action| match action {
            Action::Copy { to, .. } => Some(to),
            _ => None,
        })
        .chain(
            ran.iter()
                .flat_map(|ran| ran.plan.replications.values())
                .map(|it| &it.to),
        )
        .collect()
}

/// The databases that are gone on purpose.
fn destroyed(ran: &[Ran]) -> BTreeSet<&DatabaseName> {
    actions(ran)
        .filter_map(|action| match action {
            Action::DestroyInstance { database, .. } => Some(database),
            _ => None,
        })
        .collect()
}

/// What the runs did in their steps.
fn actions(ran: &[Ran]) -> impl DoubleEndedIterator<Item = &Action> {
    ran.iter()
        .flat_map(|ran| &ran.plan.steps)
        .flat_map(|step| &step.actions)
        .map(|planned| &planned.action)
}

/// The runbook that usually comes before: the quick recovery of the same folder.
fn before(file: &str) -> String {
    let quick = Path::new(file).with_file_name("quick-recovery.rbk");
    if quick.is_file() && quick != Path::new(file) {
        shell_word(&quick.display().to_string())
    } else {
        "FIRST.rbk".to_owned()
    }
}

/// What the run itself restored from, which need not be the newest snapshot.
fn restored_data_time(status: &Status) -> Option<jiff::Timestamp> {
    status.bindings.values().find_map(|value| match value {
        Value::Snapshot(snapshot) => snapshot.data_time(),
        _ => None,
    })
}

fn seconds_between(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    let milliseconds = (to.as_millisecond() - from.as_millisecond()).max(0);
    // Drills last minutes: far from where an f64 loses milliseconds.
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let seconds = milliseconds as f64 / 1000.0;
    seconds
}

fn steps(status: &Status) -> Vec<StepTime> {
    status
        .steps
        .iter()
        .map(|step| StepTime {
            name: step.path.to_string(),
            seconds: (step.seconds * 1000.0).round() / 1000.0,
            outcome: step_word(step).to_owned(),
        })
        .collect()
}
