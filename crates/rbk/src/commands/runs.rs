//! `rbk runs`, and how commands find journals without a runbook.

use super::unwritten;
use crate::cli::{EnvironmentArg, Format, RunsArgs, StoreArg};
use crate::exit::{Exit, Failure};
use crate::journals::{Journals, in_directory, journals_of};
use crate::load::environment_or_tell;
use crate::render::colour::Screen;
use crate::render::summary::phase_word;
use crate::render::{json_text, time};
use rbk_core::ids::RunId;
use rbk_core::status::Status;
use serde::Serialize;

/// Lists runs, newest first.
pub async fn runs(screen: Screen, args: RunsArgs) -> Result<Exit, Failure> {
    let journals = journals(screen, &args.environment, &args.store)?;
    let listed = journals
        .store()
        .list()
        .await
        .map_err(|error| Failure::outside(error.to_string()))?;
    let mut lines = Vec::new();
    for run in listed {
        let status = journals.status(&run).await;
        lines.push(Line {
            run,
            status: status
                .map(|(_, status)| status)
                .map_err(|failure| failure.message),
        });
    }
    let text = match args.format.format {
        Format::Json => json_text(&lines.iter().map(Line::entry).collect::<Vec<_>>()),
        Format::Human => lines.iter().map(|line| line.human(screen)).collect(),
    };
    screen.data(&text).map_err(unwritten)?;
    if lines.is_empty() {
        screen.say(format_args!("no runs in {}", journals.directory.display()));
    }
    Ok(Exit::Done)
}

/// The journals that `--store` or `--env` name.
pub fn journals(
    screen: Screen,
    env: &EnvironmentArg,
    store: &StoreArg,
) -> Result<Journals, Failure> {
    if let Some(directory) = &store.store {
        return Ok(in_directory(directory));
    }
    let environment = environment_or_tell(screen, env.env.as_deref())?;
    journals_of(None, env.env.as_deref(), &environment)
}

struct Line {
    run: RunId,
    status: Result<Status, String>,
}

/// A line of the JSON document.
#[derive(Serialize)]
struct Entry<'a> {
    run: &'a RunId,
    status: Option<&'a Status>,
    problem: Option<&'a str>,
}

impl Line {
    fn entry(&self) -> Entry<'_> {
        Entry {
            run: &self.run,
            status: self.status.as_ref().ok(),
            problem: self.status.as_ref().err().map(String::as_str),
        }
    }

    fn human(&self, screen: Screen) -> String {
        match &self.status {
            Ok(status) => format!(
                "{}  {:<12} {:>8}  {}  {}\n",
                self.run,
                phase_word(status, screen.out),
                time::seconds(status.seconds),
                status.environment,
                status.title,
            ),
            Err(problem) => format!("{}  {}\n", self.run, screen.out.red(problem)),
        }
    }
}
