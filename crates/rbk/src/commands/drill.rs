//! `rbk drill FILE…`

use super::saved::no_holes;
use super::{sandbox, unwritten};
use crate::cli::{DrillArgs, Format};
use crate::drill::rehearsal::Rehearsal;
use crate::drill::{report, seed};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{diagnostics, json_text};
use crate::signals::Stop;
use rbk_core::plan::{Action, Plan};
use rbk_core::value::Type;

/// Rehearses runbooks in a throw-away sandbox, one after the other, and compares the data in the end.
pub async fn drill(screen: Screen, args: DrillArgs) -> Result<Exit, Failure> {
    let given = Given::of_each(&args.set.set, &args.files)?;
    let Some(plans) = plans(screen, &args, &given)? else {
        return Ok(Exit::Wrong);
    };
    let Some(first) = plans.first() else {
        return Err(Failure::usage("no runbook is named"));
    };
    let environment = &first.environment;
    if let Some(other) = plans.iter().find(|plan| plan.environment != *environment) {
        return Err(Failure::usage(format!(
            "`{}` is of environment {}, and `{}` of {}",
            first.runbook.file, environment.name, other.runbook.file, other.environment.name
        ))
        .help("name one for all of them with --env"));
    }
    seed::drill_of(environment)?;
    refuse_commands(&args, &plans)?;
    let titles: Vec<String> = plans
        .iter()
        .map(|plan| format!("\"{}\"", plan.runbook.title))
        .collect();
    screen.say(screen.err.bold(format_args!(
        "Drill of {} in a sandbox of {}",
        titles.join(" and "),
        environment.name
    )));
    let mut stop = Stop::listen();
    // Dropping a sandbox that is being furnished removes it.
    let stage = tokio::select! {
        stage = furnish(screen, &args, &plans) => stage?,
        () = stop.asked() => return Err(Failure::new(Exit::Suspended, "stopped before anything was rehearsed")),
    };
    let rehearsal = Rehearsal {
        screen,
        args: &args,
        given: &given,
        stage: &stage,
        environment,
        plans: &plans,
    };
    let result = match rehearsal.rehearse(&mut stop).await {
        Ok((report, exit)) => {
            let written = match args.format.format {
                Format::Json => screen.data(&json_text(&report)),
                Format::Human => screen.data(&format!("\n{}", report::human(&report, screen.out))),
            };
            written.map(|()| exit).map_err(unwritten)
        }
        Err(failure) => Err(failure),
    };
    let kept = if args.keep {
        sandbox::keep(screen, &stage, environment, &mut stop).await
    } else {
        Ok(())
    };
    stage.sandbox.shutdown().await;
    let exit = result?;
    kept.map(|()| exit)
}

/// The plans of all runbooks, or nothing where one is wrong, which is told.
fn plans(screen: Screen, args: &DrillArgs, given: &[Given]) -> Result<Option<Vec<Plan>>, Failure> {
    let env = args.sandbox.environment.env.as_deref();
    let mut plans = Vec::new();
    for (file, given) in args.files.iter().zip(given) {
        let loaded = load(screen, file, env, given, None)?;
        diagnostics::tell(screen, &[loaded.finding()]);
        // Where a time is asked for, the drill gives the last good instant.
        if let Some(plan) = &loaded.plan
            && plan.holes().any(|hole| hole.ty != Type::Time)
        {
            no_holes(plan)?;
        }
        plans.push(loaded.plan);
    }
    Ok(plans.into_iter().collect())
}

/// A command does what it does, also in a drill: it may reach beyond the sandbox.
fn refuse_commands(args: &DrillArgs, plans: &[Plan]) -> Result<(), Failure> {
    let commands: Vec<String> = plans
        .iter()
        .flat_map(Plan::actions)
        .flat_map(|planned| match &planned.action {
            Action::RunCommand { command, .. } => vec![command],
            Action::ApplyStack { apply, read, .. } => {
                apply.iter().chain([read]).map(|it| &it.name).collect()
            }
            _ => Vec::new(),
        })
        .map(|command| format!("`{command}`"))
        .collect();
    if commands.is_empty() || args.sandbox.run_commands {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the drill would run {} for real, and what a command does isn't held back by the sandbox",
        commands.join(", ")
    ))
    .help("where that does no harm, say so with --run-commands; calls to AWS go to the sandbox"))
}

/// The sandbox, and the migration tool where a runbook migrates.
async fn furnish(screen: Screen, args: &DrillArgs, plans: &[Plan]) -> Result<seed::Stage, Failure> {
    let Some(environment) = plans.first().map(|plan| &plan.environment) else {
        return Err(Failure::usage("no runbook is named"));
    };
    let migrates = plans
        .iter()
        .flat_map(Plan::actions)
        .any(|planned| matches!(planned.action, Action::Migrate { .. }));
    // Before the sandbox: who lacks Java should not wait for it.
    let liquibase = if migrates {
        seed::migration_tool(screen, environment).await?
    } else {
        None
    };
    let mut stage = seed::furnish(screen, environment, &args.sandbox, None).await?;
    stage.overlay.liquibase = liquibase;
    Ok(stage)
}
