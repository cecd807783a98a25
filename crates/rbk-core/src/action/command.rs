//! A command of the environment. Nothing tells afterwards what it did, so one that must not run twice is a person's to judge.

use crate::environment::Command;
use crate::plan::Expr;
use crate::ports::{CommandRequest, PortError};
use crate::run::{Effect, Failure, Probe, Scene, Since, command_secrets, evaluate};
use crate::value::Value;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;

/// Runs a command to its end.
pub(super) struct RunCommand<'a> {
    name: &'a str,
    declared: &'a Command,
    arguments: &'a BTreeMap<String, Expr>,
    program: Option<Vec<String>>,
    secrets: BTreeMap<String, SecretString>,
    last_line: String,
}

impl<'a> RunCommand<'a> {
    pub fn new(
        name: &'a str,
        declared: &'a Command,
        arguments: &'a BTreeMap<String, Expr>,
    ) -> Self {
        Self {
            name,
            declared,
            arguments,
            program: None,
            secrets: BTreeMap::new(),
            last_line: String::new(),
        }
    }

    /// The program with its holes filled: as an earlier attempt filled them, if there was one.
    async fn filled(&self, scene: &Scene<'_>) -> Result<Vec<String>, Failure> {
        let known = scene.facts.action(&scene.planned.id);
        let chosen = known.and_then(|known| known.intent.as_ref()?.0.choice.clone());
        if let Some(Value::Text(text)) = chosen {
            return serde_json::from_str(&text).map_err(|error| Failure::Bug {
                message: format!("the journaled command can't be read: {error}"),
            });
        }
        let mut look = scene.look();
        let mut values = BTreeMap::new();
        for (argument, expr) in self.arguments {
            let value = evaluate(&mut look, expr).await?.value;
            values.insert(argument.as_str(), value.to_string());
        }
        let words = self.declared.program.iter();
        Ok(words.map(|word| fill(word, &values)).collect())
    }
}

#[async_trait]
impl Effect for RunCommand<'_> {
    fn call(&self) -> &'static str {
        "run command"
    }

    fn target(&self) -> String {
        format!("command {}", self.name)
    }

    fn doing(&self) -> String {
        format!("running command `{}`", self.name)
    }

    fn look_at(&self) -> String {
        format!(
            "find out what `{}` did before it was cut off; then say so with `rbk resolve`: `done`, or `not-done` to run it again",
            self.name
        )
    }

    fn choice(&self) -> Option<Value> {
        let program = self.program.as_ref()?;
        serde_json::to_string(program).ok().map(Value::Text)
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }

    async fn probe(&mut self, _scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        Ok(match since {
            Since::Nothing => Probe::Undone("it wasn't run".to_owned()),
            Since::Accepted => Probe::Done {
                detail: match self.last_line.as_str() {
                    "" => "it ended with status 0".to_owned(),
                    last_line => format!("it ended with status 0: {last_line}"),
                },
                proof: None,
            },
            Since::Intent(_) if self.declared.repeatable => {
                Probe::Undone("it was cut off, and may be run again".to_owned())
            }
            Since::Intent(at) => Probe::Unseen(format!(
                "it was begun at {at} and cut off, and must not simply be run again (`repeatable` is false)"
            )),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        if self.program.is_none() {
            self.program = Some(self.filled(scene).await?);
        }
        // Before the intent: what fails here was certainly not run.
        self.secrets = command_secrets(scene.world, self.declared).await?;
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(program) = &self.program else {
            return Err(super::rds::unprepared(&self.doing()));
        };
        let request = CommandRequest {
            name: self.name,
            program,
            secrets: &self.secrets,
            within: Duration::from_secs(self.declared.within),
            progress: &scene.ticker,
        };
        let ended = scene.world.commands.run(&request).await;
        self.secrets.clear();
        self.last_line = ended?.last_line;
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        Failure::CommandFailed {
            command: self.name.to_owned(),
            reason: error.message,
        }
    }
}

/// A word with `{name}` replaced by values. What they say is not looked at again.
pub(super) fn fill(word: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let hole = after.split_once('}');
        let value = hole.and_then(|(name, behind)| Some((values.get(name)?, behind)));
        rest = match value {
            Some((value, behind)) => {
                filled.push_str(value);
                behind
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;
    use std::collections::BTreeMap;

    #[test]
    fn holes_are_filled_once_and_what_is_none_stays() {
        let values = BTreeMap::from([("a", "{b}".to_owned()), ("b", "2".to_owned())]);
        assert_eq!(fill("--x={a}/{b}", &values), "--x={b}/2");
        assert_eq!(fill("{{a}} {c} {", &values), "{{b}} {c} {");
        assert_eq!(fill("$(rm -rf {b})", &values), "$(rm -rf 2)");
    }
}
