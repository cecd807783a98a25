//! The deployed stack: its setting names an application's active database. It is deployed by a command or by a person, and proven by
//! what another command reads.

use super::command::fill;
use super::gone::is_begun;
use super::rds::unprepared;
use super::{Once, Performed};
use crate::ids::{ApplicationName, DatabaseName};
use crate::journal::{Event, How};
use crate::plan::NamedCommand;
use crate::ports::{Approval, CommandRequest, PortError, Question};
use crate::run::{
    Effect, Failure, Probe, RemovalFailure, Scene, Since, command_secrets, read_stack,
};
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;

/// What must be deployed.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub application: &'a ApplicationName,
    pub database: &'a DatabaseName,
    pub value: &'a str,
    pub read: &'a NamedCommand,
}

impl Wanted<'_> {
    async fn read(&self, scene: &Scene<'_>) -> Result<String, Failure> {
        let NamedCommand { name, declared } = self.read;
        read_stack(scene.world, name, declared, &scene.ticker).await
    }

    /// Why it is left out, if it is: brought back by `on failure`, the stack would name an instance that is being deleted.
    fn left_out(&self, scene: &Scene<'_>) -> Option<String> {
        let mut undoing = scene.plan.on_failure.iter();
        let is_undoing = undoing.any(|planned| planned.id == scene.planned.id);
        (is_undoing && is_begun(scene.plan, scene.facts, self.database)).then(|| {
            format!(
                "`{}` is destroyed by this run: the stack stays as it is",
                self.database
            )
        })
    }

    fn done(&self) -> String {
        format!(
            "the stack says `{}`: {} uses {}",
            self.value, self.application, self.database
        )
    }
}

/// Deploys by the environment's command, which gets the value as its argument `value`.
pub(super) struct Apply<'a> {
    wanted: Wanted<'a>,
    command: &'a NamedCommand,
    secrets: BTreeMap<String, SecretString>,
    found: String,
}

impl<'a> Apply<'a> {
    pub fn new(wanted: Wanted<'a>, command: &'a NamedCommand) -> Self {
        Self {
            wanted,
            command,
            secrets: BTreeMap::new(),
            found: String::new(),
        }
    }
}

#[async_trait]
impl Effect for Apply<'_> {
    fn call(&self) -> &'static str {
        "deploy the stack"
    }

    fn target(&self) -> String {
        format!("application {}", self.wanted.application)
    }

    fn doing(&self) -> String {
        format!(
            "deploying the stack with command `{}`, so that it says `{}` for {}",
            self.command.name, self.wanted.value, self.wanted.application
        )
    }

    fn look_at(&self) -> String {
        format!(
            "find out what `{}` did before it was cut off (a deployment may go on without it); then say so with `rbk resolve`: `done`, or `not-done` to run it again",
            self.command.name
        )
    }

    fn grace(&self) -> Duration {
        // The command has ended, or was cut off: it is as it is.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        if let Some(reason) = self.wanted.left_out(scene) {
            return Ok(Probe::Skip(reason));
        }
        let found = self.wanted.read(scene).await?;
        if found == self.wanted.value {
            return Ok(Probe::Done {
                detail: self.wanted.done(),
                proof: None,
            });
        }
        let seen = format!("the stack says `{found}`");
        self.found = found;
        Ok(match since {
            Since::Nothing | Since::Accepted => Probe::Undone(seen),
            Since::Intent(_) if self.command.declared.repeatable => Probe::Undone(seen),
            Since::Intent(at) => Probe::Unseen(format!(
                "{seen}; `{}` was begun at {at} and cut off, and must not simply be run again (`repeatable` is false)",
                self.command.name
            )),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        self.secrets = command_secrets(scene.world, &self.command.declared).await?;
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let NamedCommand { name, declared } = self.command;
        let values = BTreeMap::from([("value", self.wanted.value.to_owned())]);
        let words = declared.program.iter();
        let program: Vec<String> = words.map(|word| fill(word, &values)).collect();
        if program.is_empty() {
            return Err(unprepared(&self.doing()));
        }
        let request = CommandRequest {
            name,
            program: &program,
            secrets: &self.secrets,
            within: Duration::from_secs(declared.within),
            progress: &scene.ticker,
        };
        let ended = scene.world.commands.run(&request).await;
        self.secrets.clear();
        ended.map(drop)
    }

    fn explain(&mut self, error: PortError) -> Failure {
        Failure::CommandFailed {
            command: self.command.name.clone(),
            reason: error.message,
        }
    }

    fn overdue(&mut self, _waited: Duration, _seen: &str) -> Option<Failure> {
        Some(
            RemovalFailure::StackDiffers {
                application: self.wanted.application.clone(),
                expected: self.wanted.value.to_owned(),
                found: std::mem::take(&mut self.found),
                command: self.command.name.clone(),
            }
            .into(),
        )
    }
}

/// Tells a person what to deploy, and proves it.
pub(super) struct Tell<'a> {
    pub wanted: Wanted<'a>,
}

#[async_trait]
impl Once for Tell<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let wanted = &self.wanted;
        if let Some(reason) = wanted.left_out(scene) {
            return Ok(Performed {
                observations: Vec::new(),
                last: Event::Skipped { reason },
            });
        }
        if wanted.read(scene).await? == wanted.value {
            return Ok(Performed::how(How::AlreadySo, wanted.done()));
        }
        let prompt = format!(
            "Deploy the stack so that its setting for {} says `{}`. Is it deployed?",
            wanted.application, wanted.value
        );
        let question = Question {
            step: super::human::step_of(scene),
            prompt: prompt.clone(),
            consequences: vec![format!(
                "command `{}` reads what is deployed; the run goes on only if it is `{}`",
                wanted.read.name, wanted.value
            )],
            typed: None,
        };
        match scene.world.person.approve(&question).await? {
            Approval::Given { .. } => {}
            Approval::Refused { by } => return Err(Failure::Refused { prompt, by }),
            Approval::Unanswerable => {
                return Err(Failure::Unanswerable {
                    step: question.step,
                    prompt,
                });
            }
        }
        let found = wanted.read(scene).await?;
        if found == wanted.value {
            return Ok(Performed::how(How::ByHand, wanted.done()));
        }
        Err(RemovalFailure::StackNotDeployed {
            application: wanted.application.clone(),
            expected: wanted.value.to_owned(),
            found,
        }
        .into())
    }
}
