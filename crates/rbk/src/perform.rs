//! Performs a plan in front of somebody: live progress, Ctrl-C, and what is said at the end. Shared by `run`, `resume`,
//! `abort` and `drill`.

use crate::adapters::person::operator;
use crate::exit::{Exit, Failure};
use crate::journals::Journals;
use crate::kill_point;
use crate::overlay;
use crate::render::progress::Progress;
use crate::render::summary;
use crate::render::{self, colour::Screen};
use crate::signals::Stop;
use crate::stack;
use rbk_core::ids::RunId;
use rbk_core::journal::SavedUse;
use rbk_core::plan::Plan;
use rbk_core::ports::World;
use rbk_core::run::{Ending, Hooks, Interrupt, Options, Runner};
use std::sync::Arc;
use std::time::Duration;

/// What is done with a plan.
pub enum Task<'a> {
    /// It is begun.
    Start,
    /// It is begun, and a saved plan used up by it.
    StartSaved(SavedUse),
    /// It is gone on with, with that much more time for the `await` that it had stopped in.
    Resume(&'a RunId, Option<Duration>),
    /// It is given up.
    Abort(&'a RunId, &'a str),
}

/// Performs it, shows how it goes, and returns how it ended.
pub async fn perform(
    screen: Screen,
    plan: &Plan,
    world: World,
    journals: &Journals,
    alone: bool,
    task: Task<'_>,
    stop: &Stop,
) -> Result<Ending, Failure> {
    let interrupt = Interrupt::new();
    let progress = Arc::new(Progress::new(screen, plan));
    let listening = tokio::spawn(listen(
        Arc::clone(&progress),
        interrupt.clone(),
        stop.clone(),
    ));
    let mut options = Options {
        alone,
        interrupt,
        observer: progress,
        ..Options::new(operator())
    };
    if let Some(hooks) = kill_point(screen)? {
        options.hooks = hooks;
    }
    match &task {
        Task::StartSaved(saved) => options.saved = Some(saved.clone()),
        Task::Resume(_, extend) => options.extend = *extend,
        Task::Start | Task::Abort(..) => {}
    }
    let runner = Runner {
        world,
        store: journals.store(),
        options,
    };
    let ending = match task {
        Task::Start | Task::StartSaved(_) => runner.start(plan).await,
        Task::Resume(run, _) => runner.resume(run).await,
        Task::Abort(run, reason) => runner.abort(run, reason).await,
    };
    listening.abort();
    ending.map_err(|refusal| journals.refused(&refusal))
}

/// The kill point, which counts only where the calls go to a sandbox.
fn kill_point(screen: Screen) -> Result<Option<Arc<dyn Hooks>>, Failure> {
    let point = kill_point::from_variables()?;
    if point.is_some() && !overlay::is_local_endpoint() {
        screen.warn(format_args!(
            "{} is set and ignored: it holds for sandboxes only",
            kill_point::VARIABLE
        ));
        return Ok(None);
    }
    Ok(point)
}

/// Presses the interrupt at every Ctrl-C, and at a polite request of the system to end.
async fn listen(progress: Arc<Progress>, interrupt: Interrupt, mut stop: Stop) {
    loop {
        stop.asked().await;
        interrupt.press();
        match interrupt.level() {
            1 => progress.say("\nstopping after this action; Ctrl-C once more stops waiting now"),
            2 => progress
                .say("\nnot waiting any longer; `rbk resume` finds out what became of the action"),
            _ => {
                progress.say("\nleft at once; `rbk resume` finds out what became of the action");
                std::process::exit(i32::from(Exit::Suspended.code()));
            }
        }
    }
}

/// Prints how a run ended, what state everything is in, and what to type next; and, where it is over, what the deployed stack
/// must say now. What can't be found out about that is told, and changes nothing about how the run ended.
pub async fn conclude(
    screen: Screen,
    journals: &Journals,
    ending: &Ending,
    plan: &Plan,
    world: &World,
) -> Exit {
    let status = journals
        .status(&ending.run)
        .await
        .ok()
        .map(|(_, status)| status);
    screen.say(summary::ending(
        screen.err,
        journals,
        ending,
        status.as_ref(),
    ));
    tell_stack(screen, plan, world, ending).await;
    exit_of(ending)
}

/// Says what the deployed stack must say now, where a run is over: nobody should deploy in the middle of one, nor does one that changed nothing matter to it.
pub async fn tell_stack(screen: Screen, plan: &Plan, world: &World, ending: &Ending) {
    if ending.is_resumable() || plan.changes_nothing() {
        return;
    }
    if let Some(settings) = stack::settings(world, &plan.environment, &plan.stack).await {
        let block = render::stack::block(screen.err, &settings);
        screen.say(format_args!("\n{}", block.trim_end()));
    }
}

/// How the process ends after a run.
pub fn exit_of(ending: &Ending) -> Exit {
    Exit::from_code(ending.exit_code)
}
