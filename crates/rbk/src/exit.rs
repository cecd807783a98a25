//! How `rbk` ends: the exit codes, and the failure that carries one.

use rbk_core::ports::{PortError, PortErrorKind};

/// The exit codes. They are part of the command line's contract: scripts and pipelines branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; of `plan`: there is nothing to do, or `--detailed-exitcode` wasn't asked for.
    Done = 0,
    /// The runbook or the environment is wrong.
    Wrong = 1,
    /// The plan holds actions (`plan --detailed-exitcode`).
    HoldsActions = 2,
    /// An assertion, a precondition or a deadline failed; of `drill`: the data is not what was saved.
    Failed = 3,
    /// AWS, Postgres, a command or this machine failed.
    Outside = 4,
    /// Interrupted or waiting for a person; can be resumed.
    Suspended = 5,
    /// Somebody else holds the lock.
    Held = 6,
    /// An outcome could not be decided: a person must look.
    Undecided = 7,
    /// Wrong usage of the command line.
    Usage = 64,
    /// A bug in rbk.
    Bug = 70,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The ending that a run's own exit code stands for; a number that isn't among them would be a bug.
    pub fn from_code(code: u8) -> Self {
        const ALL: [Exit; 10] = [
            Exit::Done,
            Exit::Wrong,
            Exit::HoldsActions,
            Exit::Failed,
            Exit::Outside,
            Exit::Suspended,
            Exit::Held,
            Exit::Undecided,
            Exit::Usage,
            Exit::Bug,
        ];
        ALL.into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Exit::Bug)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong: lower case, no full stop, the user's words in backticks. Empty: all has been said.
    pub message: String,
    /// What to do now.
    pub help: Option<String>,
    /// Its code, for `rbk explain`, where it has one.
    pub code: Option<&'static str>,
}

impl Failure {
    /// A failure that is still to be printed.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
            code: None,
        }
    }

    /// A failure about which everything has been printed already.
    pub fn said(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Wrong usage of the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The runbook or the environment is wrong.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(Exit::Wrong, message)
    }

    /// AWS, Postgres, a command or this machine failed.
    pub fn outside(message: impl Into<String>) -> Self {
        Self::new(Exit::Outside, message)
    }

    /// Says by which code `rbk explain` knows it.
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Says what to do now.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let failure = Failure::outside(error.to_string());
        match error.kind {
            PortErrorKind::Credentials => failure
                .help("sign in again, for instance with `aws sso login`, and repeat the command"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_codes_are_those_of_the_manual() {
        let codes = [
            (Exit::Done, 0),
            (Exit::Wrong, 1),
            (Exit::HoldsActions, 2),
            (Exit::Failed, 3),
            (Exit::Outside, 4),
            (Exit::Suspended, 5),
            (Exit::Held, 6),
            (Exit::Undecided, 7),
            (Exit::Usage, 64),
            (Exit::Bug, 70),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code);
            assert_eq!(Exit::from_code(code), exit);
        }
    }
}
