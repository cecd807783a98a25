//! Performs a plan in front of somebody: live progress, Ctrl-C, and what is said at the end. Shared by `run`, `resume`,
//! `abort` and `drill`.

use crate::adapters::person::operator;
use crate::exit::{Exit, Failure};
use crate::render::colour::Screen;
use crate::render::progress::Progress;
use crate::render::summary;
use crate::signals::stop_signal;
use rbk_core::ids::RunId;
use rbk_core::journal::{self, LocalStore, Store};
use rbk_core::plan::Plan;
use rbk_core::ports::World;
use rbk_core::run::{Ending, Interrupt, Options, Refusal, Runner};
use rbk_core::status::{self, Status};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of journals, and how a command line names it.
#[derive(Debug, Clone)]
pub struct Journals {
    /// The directory.
    pub directory: PathBuf,
    /// What to add to `rbk resume RUN` so that it finds the run again: `--env prod`.
    pub named_by: String,
}

impl Journals {
    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(LocalStore::new(self.directory.clone()))
    }

    /// A command about a run, as it must be typed.
    pub fn command(&self, verb: &str, run: &RunId) -> String {
        format!("rbk {verb} {run} {}", self.named_by)
            .trim_end()
            .to_owned()
    }

    /// Completes the commands in a text about a run, so that they can be typed as they stand.
    pub fn complete(&self, text: &str, run: &RunId) -> String {
        let mut text = text.replace(" RUN", &format!(" {run}"));
        if !self.named_by.is_empty() {
            text = text.replace(run.as_str(), &format!("{run} {}", self.named_by));
            // Only commands want it: elsewhere the run's name stands alone.
            text = text.replace(
                &format!("run `{run} {}`", self.named_by),
                &format!("run `{run}`"),
            );
        }
        text
    }

    /// A run that wasn't begun or gone on with, with its help as it must be typed here.
    pub fn refused(&self, refusal: &Refusal) -> Failure {
        let mut help = refusal.help();
        if let Some(run) = run_of(refusal) {
            help = self.complete(&help, run);
        }
        for command in ["`rbk runs`", "`rbk status`"] {
            let complete = command.trim_matches('`');
            help = help.replace(command, &format!("`{complete} {}`", self.named_by));
        }
        Failure::new(Exit::from_code(refusal.exit_code()), refusal.to_string()).help(help)
    }

    /// Where one run's journal is.
    pub fn of_run(&self, run: &RunId) -> PathBuf {
        self.directory.join(run.as_str())
    }

    /// Finds a run by its name, or by the beginning or end of it, if that fits one only.
    pub async fn find(&self, wanted: &str) -> Result<RunId, Failure> {
        let store = self.store();
        let runs = store
            .list()
            .await
            .map_err(|error| Failure::outside(error.to_string()))?;
        let fitting: Vec<&RunId> = runs
            .iter()
            .filter(|run| run.as_str().starts_with(wanted) || run.as_str().ends_with(wanted))
            .collect();
        let list = format!("`rbk runs {}` lists them", self.named_by);
        match fitting.as_slice() {
            [run] => Ok((*run).clone()),
            [] => Err(Failure::usage(format!(
                "there is no run `{wanted}` in {}",
                self.directory.display()
            ))
            .help(list)),
            several => {
                Err(Failure::usage(format!("{} runs fit `{wanted}`", several.len())).help(list))
            }
        }
    }

    /// Where a run stands, from its journal.
    pub async fn status(&self, run: &RunId) -> Result<(Plan, Status), Failure> {
        let history = journal::load(self.store().as_ref(), run)
            .await
            .map_err(|refusal| self.refused(&refusal))?;
        let status = status::fold(&history.plan, &history.records);
        Ok((history.plan, status))
    }
}

/// The run that a refusal's help speaks of.
fn run_of(refusal: &Refusal) -> Option<&RunId> {
    match refusal {
        Refusal::Held(held) => held.holder.as_ref().map(|holder| &holder.run),
        Refusal::Damaged { run, .. }
        | Refusal::NewerJournal { run, .. }
        | Refusal::NewerPlan { run, .. }
        | Refusal::PlanChanged { run, .. }
        | Refusal::NoSuchRun { run }
        | Refusal::NeverBegan { run }
        | Refusal::Ended { run }
        | Refusal::NeedsDecision { run, .. }
        | Refusal::NothingToExtend { run } => Some(run),
        Refusal::Store(_)
        | Refusal::PlanUnfit { .. }
        | Refusal::NotUnknown { .. }
        | Refusal::Bug(_) => None,
    }
}

/// What is done with a plan.
pub enum Task<'a> {
    /// It is begun.
    Start,
    /// It is gone on with.
    Resume(&'a RunId),
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
) -> Result<Ending, Failure> {
    let interrupt = Interrupt::new();
    let progress = Arc::new(Progress::new(screen, plan));
    let listening = tokio::spawn(listen(Arc::clone(&progress), interrupt.clone()));
    let runner = Runner {
        world,
        store: journals.store(),
        options: Options {
            alone,
            interrupt,
            observer: progress,
            ..Options::new(operator())
        },
    };
    let ending = match task {
        Task::Start => runner.start(plan).await,
        Task::Resume(run) => runner.resume(run).await,
        Task::Abort(run, reason) => runner.abort(run, reason).await,
    };
    listening.abort();
    ending.map_err(|refusal| journals.refused(&refusal))
}

/// Presses the interrupt at every Ctrl-C, and at a polite request of the system to end.
async fn listen(progress: Arc<Progress>, interrupt: Interrupt) {
    loop {
        stop_signal().await;
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

/// Prints how a run ended, what state everything is in, and what to type next.
pub async fn conclude(screen: Screen, journals: &Journals, ending: &Ending) -> Exit {
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
    exit_of(ending)
}

/// How the process ends after a run.
pub fn exit_of(ending: &Ending) -> Exit {
    Exit::from_code(ending.exit_code)
}

/// Where the journals of an environment are: as `--store` says, else as the environment does.
pub fn journals_of(
    store: Option<&Path>,
    env: Option<&str>,
    environment: &rbk_core::environment::Environment,
) -> Result<Journals, Failure> {
    if let Some(directory) = store {
        return Ok(in_directory(directory));
    }
    let named_by = env.map_or_else(
        || format!("--env {}", environment.name),
        |env| format!("--env {env}"),
    );
    Ok(Journals {
        directory: crate::wiring::store_directory(environment)?,
        named_by,
    })
}

/// The journals of a directory.
pub fn in_directory(directory: &Path) -> Journals {
    Journals {
        directory: directory.to_owned(),
        named_by: format!("--store {}", directory.display()),
    }
}
