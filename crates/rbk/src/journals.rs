//! Where journals are, how a command line names them, and finding runs in them.

use crate::exit::{Exit, Failure};
use rbk_core::environment::Environment;
use rbk_core::ids::RunId;
use rbk_core::journal::{self, LocalStore, Store};
use rbk_core::plan::Plan;
use rbk_core::run::Refusal;
use rbk_core::shell::shell_word;
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
        let mut text = text.to_owned();
        for verb in ["resume", "abort", "status", "resolve"] {
            text = text.replace(&format!("rbk {verb} RUN"), &format!("rbk {verb} {run}"));
        }
        self.name(&text)
    }

    /// A run that wasn't begun or gone on with, with its help as it must be typed here.
    pub fn refused(&self, refusal: &Refusal) -> Failure {
        let exit = Exit::from_code(refusal.exit_code());
        let failure = Failure::new(exit, refusal.to_string()).help(self.name(&refusal.help()));
        match refusal {
            Refusal::PlanUsed { .. } => failure.code(refusal.code()),
            _ => failure,
        }
    }

    /// Adds what names these journals to each command in a text.
    fn name(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for verb in ["resume", "abort", "status", "resolve", "runs"] {
            let command = format!("rbk {verb}");
            let mut pieces = text.split(command.as_str());
            let mut named = pieces.next().unwrap_or("").to_owned();
            for piece in pieces {
                let argument = piece.strip_prefix(' ').filter(|_| verb != "runs");
                let word =
                    argument.map_or(0, |rest| rest.find([' ', '`']).unwrap_or(rest.len()) + 1);
                let (word, rest) = piece.split_at_checked(word).unwrap_or((piece, ""));
                named.push_str(&format!("{command}{word} {}{rest}", self.named_by));
            }
            text = named;
        }
        text
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
            // An empty name would fit every run: a variable that isn't set must not give one up.
            .filter(|_| !wanted.is_empty())
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

/// Where the journals of an environment are: as `--store` says, else as the environment does.
pub fn journals_of(
    store: Option<&Path>,
    env: Option<&str>,
    environment: &Environment,
) -> Result<Journals, Failure> {
    if let Some(directory) = store {
        return Ok(in_directory(directory));
    }
    let named_by = env.map_or_else(
        || format!("--env {}", shell_word(&environment.name)),
        |env| format!("--env {}", shell_word(env)),
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
        named_by: format!("--store {}", shell_word(&directory.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_a_help_can_be_typed_as_they_stand() {
        let journals = in_directory(Path::new("/var/lib/my runs"));
        let run = RunId::from("20261122t091500-1f3a9c02");
        let complete = |text| journals.complete(text, &run);
        assert_eq!(
            complete("mend it, then `rbk resume RUN --approve \"A\"`"),
            "mend it, then `rbk resume 20261122t091500-1f3a9c02 --store \"/var/lib/my runs\" --approve \"A\"`"
        );
        assert_eq!(
            complete("run `other-1` has it: `rbk status other-1`, `rbk runs`"),
            "run `other-1` has it: `rbk status other-1 --store \"/var/lib/my runs\"`, `rbk runs --store \"/var/lib/my runs\"`"
        );
        assert_eq!(complete("the RUNNERS rest"), "the RUNNERS rest");
    }
}
