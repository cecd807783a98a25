//! Starts the server's programs: with a clean environment, and never as root.

use std::{ffi::OsStr, path::Path, process::Stdio};

use tokio::process::Command;

use super::{Installation, ServerAccount};

/// A program that couldn't be started, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program can't be started.
    #[error(
        "`{program}` can't be started ({source}); check that it is installed and executable for the user that runs the servers"
    )]
    NotStarted {
        /// The program's name.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The program ended with an error.
    #[error("`{program}` failed ({status}): {detail}")]
    Failed {
        /// The program's name.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it wrote.
        detail: String,
    },
}

impl Installation {
    /// A command for one of the server's programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        command(self.program(program), self.account)
    }
}

/// A command that runs as the servers' user.
///
/// Nothing of the caller's `PG*` variables reaches it, and a Ctrl-C on the terminal doesn't either.
pub(crate) fn command(program: impl AsRef<OsStr>, account: Option<ServerAccount>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> Result<String, ProgramError> {
    let program = name(command);
    let output = command
        .output()
        .await
        .map_err(|source| ProgramError::NotStarted {
            program: program.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ProgramError::Failed {
        program,
        status: output.status,
        detail: tail(&String::from_utf8_lossy(&output.stderr)),
    })
}

/// The last lines of what a program wrote.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let start = lines.len().saturating_sub(5);
    lines.get(start..).unwrap_or_default().join(" | ")
}

fn name(command: &Command) -> String {
    Path::new(command.as_std().get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
