//! `rbk run`, `rbk resume`, `rbk abort`, `rbk resolve`

use super::saved;
use crate::adapters::person::{Approver, operator};
use crate::cli::{AbortArgs, Found, ResolveArgs, ResumeArgs, RunArgs};
use crate::exit::{Exit, Failure};
use crate::journals::{Journals, journals_of};
use crate::load::{Given, load};
use crate::overlay;
use crate::perform::{Task, conclude, perform};
use crate::render::colour::Screen;
use crate::render::diagnostics;
use crate::signals::Stop;
use crate::wiring;
use rbk_core::ids::{ActionId, RunId};
use rbk_core::journal::Decision;
use rbk_core::plan::Plan;
use rbk_core::ports::World;
use rbk_core::run::{Options, Runner};
use std::sync::Arc;

/// Runs a runbook, or performs a saved plan.
pub async fn run(screen: Screen, args: RunArgs) -> Result<Exit, Failure> {
    let env = args.environment.env.as_deref();
    let overlay = overlay::from_variables(screen)?;
    let set = &args.set.set;
    let saved = saved::recognise(&args.file)?;
    // What is told to be typed next must find the run's journal from here.
    let own = saved.as_ref().and_then(saved::environment_file);
    let (plan, overlaid, task) = match saved {
        Some(saved) => {
            saved::agree(&saved, env)?;
            let (mut plan, used) =
                saved::to_run(screen, &args.file, &saved, set, args.without_inputs)?;
            let overlaid = overlay.map(|overlay| overlay.apply_to_plan(&mut plan));
            (plan, overlaid.unwrap_or_default(), Task::StartSaved(used))
        }
        None if args.without_inputs => {
            return Err(Failure::usage("`--without-inputs` is for saved plans")
                .help("leave it out: a runbook is read where it is"));
        }
        None => {
            let given = Given::new(set)?;
            let loaded = load(screen, &args.file, env, &given, overlay.as_ref())?;
            diagnostics::tell(screen, &[loaded.finding()]);
            let Some(plan) = loaded.plan else {
                return Ok(Exit::Wrong);
            };
            saved::no_holes(&plan)?;
            (plan, loaded.overlaid, Task::Start)
        }
    };
    let plan = &plan;
    let env = env.or(own.as_deref());
    let journals = journals_of(args.store.store.as_deref(), env, &plan.environment)?;
    known_steps(plan, &args.approve.approve)?;
    lock_is_enough(screen, args.alone.alone, plan, &journals)?;
    tell_overlay(screen, &overlaid);
    let world = world(screen, plan, args.approve.approve).await?;
    let stop = Stop::listen();
    let alone = args.alone.alone;
    let ending = perform(screen, plan, world.clone(), &journals, alone, task, &stop).await?;
    Ok(conclude(screen, &journals, &ending, plan, &world).await)
}

/// Goes on with a run.
pub async fn resume(screen: Screen, args: ResumeArgs) -> Result<Exit, Failure> {
    let journals = super::runs::journals(screen, &args.environment, &args.store)?;
    let run = journals.find(&args.run).await?;
    let (plan, _) = journals.status(&run).await?;
    known_steps(&plan, &args.approve.approve)?;
    lock_is_enough(screen, args.alone.alone, &plan, &journals)?;
    note_changes(screen, &plan);
    let world = world(screen, &plan, args.approve.approve).await?;
    let ending = perform(
        screen,
        &plan,
        world.clone(),
        &journals,
        args.alone.alone,
        Task::Resume(&run, args.extend),
        &Stop::listen(),
    )
    .await?;
    Ok(conclude(screen, &journals, &ending, &plan, &world).await)
}

/// Says where a runbook isn't what it was any more: a run performs the plan that it began with, whatever the file says now.
fn note_changes(screen: Screen, plan: &Plan) {
    let says = |file: &str| rbk_syntax::decode(&std::fs::read(file).ok()?).ok();
    for file in plan.runbook.changed(says) {
        screen.say(format_args!(
            "note: `{file}` has changed since the run began; what was planned then is performed"
        ));
    }
}

/// Performs a suspended run's `on failure`, and ends it.
pub async fn abort(screen: Screen, args: AbortArgs) -> Result<Exit, Failure> {
    let journals = super::runs::journals(screen, &args.environment, &args.store)?;
    let run = journals.find(&args.run).await?;
    let (plan, _) = journals.status(&run).await?;
    known_steps(&plan, &args.approve.approve)?;
    lock_is_enough(screen, args.alone.alone, &plan, &journals)?;
    note_changes(screen, &plan);
    let world = world(screen, &plan, args.approve.approve).await?;
    let reason = args.because.as_deref().unwrap_or("given up with rbk abort");
    let task = Task::Abort(&run, reason);
    let ending = perform(
        screen,
        &plan,
        world.clone(),
        &journals,
        args.alone.alone,
        task,
        &Stop::listen(),
    )
    .await?;
    Ok(conclude(screen, &journals, &ending, &plan, &world).await)
}

/// Journals what a person found out about an action.
pub async fn resolve(screen: Screen, args: ResolveArgs) -> Result<Exit, Failure> {
    if args.because.trim().is_empty() {
        return Err(Failure::usage("`--because` is empty")
            .help("say how it was found out; the journal keeps it"));
    }
    let journals = super::runs::journals(screen, &args.environment, &args.store)?;
    let run = journals.find(&args.run).await?;
    let (plan, _) = journals.status(&run).await?;
    let action = find_action(&plan, &run, &journals, &args.action)?;
    let runner = Runner {
        world: world(screen, &plan, Vec::new()).await?,
        store: journals.store(),
        options: Options::new(operator()),
    };
    let decision = match args.found {
        Found::Done => Decision::Done,
        Found::NotDone => Decision::NotDone,
        Found::Failed => Decision::Failed,
    };
    runner
        .resolve(&run, &action, decision, &args.because)
        .await
        .map_err(|refusal| journals.refused(&refusal))?;
    screen.say(format_args!(
        "recorded; go on with `{}`",
        journals.command("resume", &run)
    ));
    Ok(Exit::Done)
}

fn find_action(
    plan: &Plan,
    run: &RunId,
    journals: &Journals,
    wanted: &str,
) -> Result<ActionId, Failure> {
    plan.actions()
        .map(|planned| &planned.id)
        .find(|id| id.as_str() == wanted)
        .cloned()
        .ok_or_else(|| {
            Failure::usage(format!("run {run} has no action `{wanted}`"))
                .help(format!("`{}` lists them", journals.command("status", run)))
        })
}

/// The world of a plan, with the person at this terminal.
async fn world(screen: Screen, plan: &Plan, approve: Vec<String>) -> Result<World, Failure> {
    let environment = &plan.environment;
    wiring::warn_of_ambient_addresses(screen, environment);
    let person = Approver::new(
        screen,
        approve,
        environment.approvals.unattended,
        environment.name.clone(),
    );
    wiring::world(environment, wiring::aws_of(environment), Arc::new(person)).await
}

/// Refuses `--approve` of a step that isn't there: it would approve nothing, and be noticed in the middle of the night.
fn known_steps(plan: &Plan, approve: &[String]) -> Result<(), Failure> {
    let known = |wanted: &str| {
        wanted == "all" || plan.steps.iter().any(|step| step.path.as_str() == wanted)
    };
    match approve.iter().find(|wanted| !known(wanted)) {
        None => Ok(()),
        Some(unknown) => {
            let steps: Vec<String> = plan
                .steps
                .iter()
                .map(|step| format!("`{}`", step.path))
                .collect();
            Err(Failure::usage(format!(
                "`--approve {unknown}`: the runbook has no such step"
            ))
            .help(format!(
                "its steps are {}; or say `--approve all`",
                steps.join(", ")
            )))
        }
    }
}

/// A lock on this machine excludes nobody else: against a real account that must be said to be enough, unless nothing is changed.
fn lock_is_enough(
    screen: Screen,
    alone: bool,
    plan: &Plan,
    journals: &Journals,
) -> Result<(), Failure> {
    if plan.changes_nothing() || overlay::is_local_endpoint() {
        return Ok(());
    }
    if alone {
        screen.warn("--alone: the lock excludes other runs on this machine only");
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the journals are in {}, and a lock there excludes other runs on this machine only",
        journals.directory.display()
    ))
    .help("make sure that nobody else is running a recovery of these databases, then add --alone; the journal says so"))
}

fn tell_overlay(screen: Screen, overlaid: &[String]) {
    if !overlaid.is_empty() {
        screen.say(
            screen
                .err
                .yellow("against a sandbox (RBK_SANDBOX), with these changes to the environment:"),
        );
        for change in overlaid {
            screen.say(format_args!("  {change}"));
        }
    }
}
