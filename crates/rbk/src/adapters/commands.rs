//! An environment's commands, as child processes.
//!
//! A command runs without a shell, where rbk was started, and gets what [`super::child`] says: of rbk's environment the usual, and
//! the secrets that are declared for it. Its calls to AWS go where rbk's own go: in a drill that is the sandbox.

use super::child::{Ended, Program, inherited};
use async_trait::async_trait;
use rbk_core::ports::{CommandFacts, CommandRequest, Commands, PortError, PortErrorKind, Sent};
use rbk_core::value::duration_text;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Runs commands on this machine.
pub struct Processes {
    variables: BTreeMap<String, OsString>,
}

impl Processes {
    /// Commands whose calls to AWS go where these options lead.
    pub fn new(aws: &rbk_aws::Options) -> Self {
        let mut variables = inherited();
        let mut set = |name: &str, value: &str| {
            variables.insert(name.to_owned(), value.into());
        };
        set("AWS_REGION", &aws.region);
        set("AWS_DEFAULT_REGION", &aws.region);
        if let Some(profile) = &aws.profile {
            set("AWS_PROFILE", profile);
        }
        if let Some(url) = &aws.endpoint_url {
            set("AWS_ENDPOINT_URL", url);
        }
        if let Some(key) = &aws.key {
            // Keys that open nothing but a sandbox, and stand in its manual.
            set("AWS_ACCESS_KEY_ID", &key.id);
            set("AWS_SECRET_ACCESS_KEY", key.secret.expose_secret());
            for other in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"] {
                variables.remove(other);
            }
            // An address of one service would outrank the sandbox's.
            variables.retain(|name, _| !name.starts_with("AWS_ENDPOINT_URL_"));
            variables.remove("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        }
        Self { variables }
    }
}

#[async_trait]
impl Commands for Processes {
    async fn run(&self, request: &CommandRequest<'_>) -> Result<CommandFacts, PortError> {
        let doing = || format!("running command `{}`", request.name);
        let program = Program {
            words: request.program,
            directory: None,
            variables: self.variables.clone(),
            secrets: request.secrets,
            within: request.within,
        };
        let name = request.program.first().map_or("", String::as_str);
        let ended = program
            .run(|line| request.progress.tell(line, 0, 0))
            .await
            .map_err(|error| {
                PortError::new(
                    PortErrorKind::InvalidRequest,
                    doing(),
                    format!(
                        "`{name}` can't be started: {error}; install it, or mend [commands.{}] of the environment",
                        request.name
                    ),
                )
            })?;
        if ended.is_success() {
            return Ok(CommandFacts {
                last_line: ended.said.last().cloned().unwrap_or_default(),
            });
        }
        let said = if ended.said.is_empty() {
            "it said nothing".to_owned()
        } else {
            format!("it said: {}", ended.said.join(" / "))
        };
        let (message, sent) = match &ended {
            Ended { status: None, .. } => (
                format!(
                    "`{name}` was not done within {} and was ended; {said}",
                    duration_text(request.within.as_secs())
                ),
                Sent::Maybe,
            ),
            Ended {
                status: Some(status),
                ..
            } => (
                format!("`{name}` ended with {status}; {said}"),
                // A status is its own word for what became of it; a signal is somebody else's.
                if status.code().is_some() {
                    Sent::No
                } else {
                    Sent::Maybe
                },
            ),
        };
        Err(PortError {
            sent,
            ..PortError::new(PortErrorKind::InvalidRequest, doing(), message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::tests::Told;
    use secrecy::SecretString;
    use std::time::Duration;

    fn processes() -> Processes {
        Processes::new(&rbk_aws::Options {
            region: "eu-central-1".to_owned(),
            endpoint_url: Some("http://127.0.0.1:4600".to_owned()),
            key: Some(rbk_aws::AccessKey {
                id: "id".to_owned(),
                secret: SecretString::from("key"),
            }),
            ..rbk_aws::Options::default()
        })
    }

    async fn run(program: &[&str], secrets: &[(&str, &str)]) -> Result<CommandFacts, PortError> {
        let program: Vec<String> = program.iter().map(|word| (*word).to_owned()).collect();
        let secrets = secrets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
            .collect();
        processes()
            .run(&CommandRequest {
                name: "deploy",
                program: &program,
                secrets: &secrets,
                within: Duration::from_secs(20),
                progress: &Told::default(),
            })
            .await
    }

    #[tokio::test]
    async fn its_last_line_is_what_it_found() {
        let facts = run(
            &["sh", "-c", "echo one; echo \"key is $KEY\""],
            &[("KEY", "wonderland")],
        )
        .await
        .unwrap();
        assert_eq!(facts.last_line, "key is ***");
    }

    #[tokio::test]
    async fn no_shell_reads_its_words() {
        let facts = run(&["echo", "$HOME; `id` && *"], &[]).await.unwrap();
        assert_eq!(facts.last_line, "$HOME; `id` && *");
    }

    #[tokio::test]
    async fn a_status_is_decided_and_a_signal_is_not() {
        let error = run(
            &["sh", "-c", "echo no such stack >&2; exit 7"],
            &[("KEY", "no such")],
        )
        .await
        .unwrap_err();
        assert_eq!(error.sent, Sent::No);
        assert!(error.message.contains("exit status: 7"), "{error}");
        assert!(error.message.contains("it said: *** stack"), "{error}");
        let error = run(&["sh", "-c", "kill -9 $$"], &[]).await.unwrap_err();
        assert_eq!(error.sent, Sent::Maybe);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let error = run(&["no-such-program"], &[]).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::InvalidRequest);
        assert_eq!(error.sent, Sent::No);
        assert!(error.message.contains("[commands.deploy]"), "{error}");
    }

    #[tokio::test]
    async fn its_calls_to_aws_go_where_rbks_own_go() {
        let facts = run(
            &[
                "sh",
                "-c",
                "echo $AWS_REGION $AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_PROFILE",
            ],
            &[],
        )
        .await
        .unwrap();
        assert_eq!(facts.last_line, "eu-central-1 http://127.0.0.1:4600 id");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_and_not_decided() {
        let error = processes()
            .run(&CommandRequest {
                name: "deploy",
                program: &["sleep".to_owned(), "600".to_owned()],
                secrets: &BTreeMap::new(),
                within: Duration::from_millis(200),
                progress: &Told::default(),
            })
            .await
            .unwrap_err();
        assert_eq!(error.sent, Sent::Maybe);
        assert!(error.message.contains("not done within"), "{error}");
    }
}
