//! One rehearsal, from the disaster to the comparison. The runbook is run by the very path of `rbk run`.

use super::compare::{ComparedTable, active_database, compare, digest};
use super::report::{Outcome, Report, StepTime, VERSION};
use super::seed::Stage;
use super::{disaster, seed};
use crate::adapters::person::DrillApprover;
use crate::cli::DrillArgs;
use crate::exit::{Exit, Failure};
use crate::journals::{Journals, in_directory};
use crate::load::{Given, load};
use crate::perform::{Task, exit_of, perform};
use crate::render::colour::Screen;
use crate::render::summary::step_word;
use crate::signals::Stop;
use crate::wiring;
use rbk_core::environment::{Database, Environment};
use rbk_core::ids::DatabaseName;
use rbk_core::plan::{Action, Plan};
use rbk_core::run::{Ending, EndingKind};
use rbk_core::status::Status;
use rbk_core::value::Value;
use secrecy::SecretString;
use std::sync::Arc;

/// The keys that calls to a sandbox are signed with: it takes any, and these open nothing anywhere else.
pub const ACCESS_KEY: &str = "AKIARBKSANDBOXEXAMPLE";
/// The secret that goes with it.
pub const SECRET_KEY: &str = "rbk-sandbox-secret-key";

/// Stages the disaster, runs the runbook, and compares.
pub async fn rehearse(
    screen: Screen,
    args: &DrillArgs,
    given: &Given,
    stage: &Stage,
    environment: &Environment,
    stop: &mut Stop,
) -> Result<(Report, Exit), Failure> {
    let ran = run(screen, args, given, stage, environment, stop).await?;
    stop.answered();
    // Comparing reads only: it can be dropped.
    let found = tokio::select! {
        found = look(screen, args, stage, environment, &ran) => found?,
        () = stop.asked() => return Err(Failure::new(Exit::Suspended, "stopped before the data was compared")),
    };
    let outcome = match ran.ending.kind {
        EndingKind::Done
            if !found.tables.is_empty() && found.tables.iter().all(ComparedTable::is_equal) =>
        {
            Outcome::Recovered
        }
        EndingKind::Done => Outcome::DataDiffers,
        EndingKind::Failed | EndingKind::Aborted => Outcome::Failed,
        EndingKind::Suspended | EndingKind::Interrupted | EndingKind::Undecided => Outcome::Stopped,
    };
    let exit = match outcome {
        Outcome::Recovered => Exit::Done,
        Outcome::DataDiffers => Exit::Failed,
        Outcome::Failed | Outcome::Stopped => exit_of(&ran.ending),
    };
    let recovered = outcome == Outcome::Recovered;
    let data_time = restored_data_time(&ran.status).unwrap_or(stage.snapshot.database_time);
    let report = Report {
        version: VERSION,
        outcome,
        runbook: ran.plan.runbook.title.clone(),
        file: ran.plan.runbook.file.clone(),
        environment: environment.name.clone(),
        run: ran.ending.run.to_string(),
        journal: ran.journals.of_run(&ran.ending.run),
        rto_seconds: recovered.then(|| seconds_between(ran.struck, ran.ended)),
        rpo_seconds: recovered.then(|| seconds_between(data_time, ran.struck)),
        rows_lost: stage.rows_behind_snapshot(),
        database: found.database.map(|name| name.to_string()),
        steps: steps(&ran.status),
        tables: found.tables,
        problem: problem(&ran.ending, &ran.journals, args.keep),
        disaster: ran.disaster,
    };
    Ok((report, exit))
}

/// A run against the sandbox, and what led to it.
struct Ran {
    disaster: String,
    struck: jiff::Timestamp,
    ended: jiff::Timestamp,
    plan: Plan,
    ending: Ending,
    status: Status,
    journals: Journals,
}

/// Stages the disaster and runs the runbook.
async fn run(
    screen: Screen,
    args: &DrillArgs,
    given: &Given,
    stage: &Stage,
    environment: &Environment,
    stop: &Stop,
) -> Result<Ran, Failure> {
    let drill = seed::drill_of(environment)?;
    let staged = args.sandbox.disaster.as_ref().unwrap_or(&drill.disaster);
    let disaster = disaster::describe(staged, drill.database.as_str());
    let struck = disaster::strike(stage, database(environment, &drill.database)?, staged).await?;
    screen.say(screen.err.red(format_args!("Disaster: {disaster}")));

    let env = args.sandbox.environment.env.as_deref();
    let loaded = load(screen, &args.file, env, given, Some(&stage.overlay))?;
    let plan = loaded
        .plan
        .ok_or_else(|| Failure::wrong("the runbook was changed while the sandbox started"))?;
    screen.say("The environment is rehearsed with these changes:");
    for change in &loaded.overlaid {
        screen.say(format_args!("  {change}"));
    }

    let journals = journals(&plan)?;
    let aws = rbk_aws::Options {
        endpoint_url: Some(stage.sandbox.endpoint_url()),
        key: Some(rbk_aws::AccessKey {
            id: ACCESS_KEY.to_owned(),
            secret: SecretString::from(SECRET_KEY),
        }),
        ..wiring::aws_of(&plan.environment)
    };
    let world = wiring::world(&plan.environment, aws, Arc::new(DrillApprover { screen })).await?;
    let ending = perform(screen, &plan, world, &journals, false, Task::Start, stop).await?;
    let ended = jiff::Timestamp::now();
    let (_, status) = journals.status(&ending.run).await?;
    Ok(Ran {
        disaster,
        struck,
        ended,
        plan,
        ending,
        status,
        journals,
    })
}

/// What the application has now.
struct Found {
    database: Option<DatabaseName>,
    tables: Vec<ComparedTable>,
}

/// Looks at the database that the application uses now, and compares it with what was saved.
async fn look(
    screen: Screen,
    args: &DrillArgs,
    stage: &Stage,
    environment: &Environment,
    ran: &Ran,
) -> Result<Found, Failure> {
    let used = recovered_database(stage, environment, &ran.plan)?;
    let (Some(name), EndingKind::Done) = (&used, ran.ending.kind) else {
        return Ok(Found {
            database: used,
            tables: Vec::new(),
        });
    };
    let database = database(environment, name)?;
    if let Some(table) = &args.tamper {
        disaster::empty(stage, database, table).await?;
        screen.warn(format_args!(
            "--tamper: {table} of {name} was emptied behind the runbook's back"
        ));
    }
    let tables = compare(&stage.saved, &digest(stage, database).await?);
    Ok(Found {
        database: used,
        tables,
    })
}

/// Each drill has a directory of its own, so that two at once don't lock each other out.
fn journals(plan: &Plan) -> Result<Journals, Failure> {
    let name = format!(
        "{}-{}-{}",
        plan.environment.name,
        jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S"),
        std::process::id()
    );
    Ok(in_directory(
        &wiring::state_directory()?.join("drills").join(name),
    ))
}

/// The database whose data counts: what the application uses now; without an application, what the runbook restored.
fn recovered_database(
    stage: &Stage,
    environment: &Environment,
    plan: &Plan,
) -> Result<Option<DatabaseName>, Failure> {
    let drill = seed::drill_of(environment)?;
    let uses = |name: &&_| {
        environment
            .application(name)
            .is_some_and(|it| it.databases.contains(&drill.database))
    };
    let application = drill
        .application
        .as_ref()
        .or_else(|| environment.applications.keys().find(uses));
    if let Some(application) = application.and_then(|name| environment.application(name)) {
        return active_database(stage, environment, application);
    }
    let restored = plan
        .steps
        .iter()
        .flat_map(|step| &step.actions)
        .rev()
        .find_map(|planned| match &planned.action {
            Action::RestoreFromSnapshot { database, .. } => Some(database.clone()),
            _ => None,
        });
    Ok(Some(restored.unwrap_or_else(|| drill.database.clone())))
}

fn database<'a>(
    environment: &'a Environment,
    name: &DatabaseName,
) -> Result<&'a Database, Failure> {
    environment
        .database(name)
        .ok_or_else(|| Failure::wrong(format!("the environment has no database {name}")))
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

/// What stopped the run, in a line, with what to do. Nothing goes on in a sandbox that is gone.
fn problem(ending: &Ending, journals: &Journals, kept: bool) -> Option<String> {
    let first = ending.first.as_ref()?;
    let help = if ending.is_resumable() && !kept {
        "the sandbox goes with the drill; --keep leaves it, and then `rbk resume` goes on"
            .to_owned()
    } else {
        journals.complete(&first.failure.help(), &ending.run)
    };
    let second = ending
        .second
        .as_ref()
        .map_or_else(String::new, |second| format!("; then: {}", second.failure));
    Some(format!(
        "{} {}{second} ({help})",
        first.failure.code(),
        first.failure
    ))
}
