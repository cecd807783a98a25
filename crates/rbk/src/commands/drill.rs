//! `rbk drill FILE`

use super::{sandbox, unwritten};
use crate::cli::{DrillArgs, Format};
use crate::drill::{rehearsal, report, seed};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{diagnostics, json_text};
use crate::signals::Stop;

/// Rehearses a runbook in a throw-away sandbox, and compares the data in the end.
pub async fn drill(screen: Screen, args: DrillArgs) -> Result<Exit, Failure> {
    let given = Given::new(&args.set.set)?;
    let env = args.sandbox.environment.env.as_deref();
    let loaded = load(screen, &args.file, env, &given, None)?;
    diagnostics::tell(screen, &[loaded.finding()]);
    let Some(plan) = loaded.plan else {
        return Ok(Exit::Wrong);
    };
    let environment = plan.environment;
    seed::drill_of(&environment)?;
    screen.say(screen.err.bold(format_args!(
        "Drill of \"{}\" in a sandbox of {}",
        plan.runbook.title, environment.name
    )));
    let mut stop = Stop::listen();
    // Dropping a sandbox that is being furnished removes it.
    let stage = tokio::select! {
        stage = seed::furnish(screen, &environment, &args.sandbox, None) => stage?,
        () = stop.asked() => return Err(Failure::new(Exit::Suspended, "stopped before anything was rehearsed")),
    };
    let rehearsed =
        rehearsal::rehearse(screen, &args, &given, &stage, &environment, &mut stop).await;
    let result = match rehearsed {
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
        sandbox::keep(screen, &stage, &environment, &mut stop).await
    } else {
        Ok(())
    };
    stage.sandbox.shutdown().await;
    let exit = result?;
    kept.map(|()| exit)
}
