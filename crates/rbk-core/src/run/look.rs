//! One look at the world: what is read once is known for the rest of the action, and forgotten after it.

use super::credentials::Content;
use super::failure::Failure;
use super::ticker::{Ticker, Unwatched};
use crate::drift;
use crate::environment::{Active, Application, Command, Database, Environment};
use crate::ids::{ApplicationName, DatabaseName, SecretName};
use crate::journal::Facts;
use crate::plan::{InstanceSettings, Plan};
use crate::ports::{
    CommandRequest, Endpoint, Instance, Login, PortError, PortErrorKind, Progress, SecretFacts,
    SecretValue, Session, Which, World,
};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) struct Look<'a> {
    pub world: &'a World,
    pub plan: &'a Plan,
    pub facts: &'a Facts,
    known: Known,
    ticker: Option<Ticker<'a>>,
}

/// What was read.
#[derive(Default)]
pub(crate) struct Known {
    instances: BTreeMap<DatabaseName, Option<Instance>>,
    values: BTreeMap<SecretName, SecretValue>,
    secrets: BTreeMap<SecretName, Option<SecretFacts>>,
    sessions: BTreeMap<DatabaseName, Box<dyn Session>>,
    stacks: BTreeMap<ApplicationName, String>,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum Unreached {
    /// There is nothing to reach: no instance, no address yet, or a state that it doesn't come back from.
    Nothing(String),
    /// It can't be reached.
    Unreachable(PortError),
    /// Something else.
    Failed(Failure),
}

impl Unreached {
    /// What it means to whoever needs the database.
    pub fn into_failure(self, database: &DatabaseName) -> Failure {
        match self {
            Unreached::Nothing(reason) => Failure::Evaluation {
                doing: format!("logging in to {database}"),
                reason,
            },
            Unreached::Unreachable(error) => error.into(),
            Unreached::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for Unreached {
    fn from(failure: Failure) -> Self {
        Unreached::Failed(failure)
    }
}

impl<'a> Look<'a> {
    pub fn new(world: &'a World, plan: &'a Plan, facts: &'a Facts) -> Self {
        Self::knowing(world, plan, facts, Known::default())
    }

    /// A look that goes on from another one of the same moment.
    pub fn knowing(world: &'a World, plan: &'a Plan, facts: &'a Facts, known: Known) -> Self {
        Self {
            world,
            plan,
            facts,
            known,
            ticker: None,
        }
    }

    /// The same, and somebody is told how far what takes its time is.
    pub fn told(self, ticker: Ticker<'a>) -> Self {
        Self {
            ticker: Some(ticker),
            ..self
        }
    }

    pub fn progress(&self) -> &dyn Progress {
        match &self.ticker {
            Some(ticker) => ticker,
            None => &Unwatched,
        }
    }

    pub fn into_known(self) -> Known {
        self.known
    }

    pub fn environment(&self) -> &'a Environment {
        &self.plan.environment
    }

    pub fn database(&self, name: &DatabaseName) -> Result<&'a Database, Failure> {
        self.environment()
            .database(name)
            .ok_or_else(|| Failure::Bug {
                message: format!("the plan names database `{name}`, and its environment does not"),
            })
    }

    pub fn application(&self, name: &ApplicationName) -> Result<&'a Application, Failure> {
        self.environment()
            .application(name)
            .ok_or_else(|| Failure::Bug {
                message: format!(
                    "the plan names application `{name}`, and its environment does not"
                ),
            })
    }

    pub async fn instance(&mut self, name: &DatabaseName) -> Result<Option<Instance>, Failure> {
        if let Some(known) = self.known.instances.get(name) {
            return Ok(known.clone());
        }
        let instance = self
            .world
            .rds
            .instance(&self.database(name)?.instance)
            .await?;
        self.known.instances.insert(name.clone(), instance.clone());
        Ok(instance)
    }

    /// Host and port, of an instance that has them.
    pub async fn endpoint(&mut self, name: &DatabaseName) -> Result<Endpoint, Failure> {
        let id = &self.database(name)?.instance;
        let instance = self
            .instance(name)
            .await?
            .ok_or_else(|| Failure::Vanished {
                instance: id.clone(),
            })?;
        instance.endpoint.ok_or_else(|| Failure::Evaluation {
            doing: format!("looking for the address of `{id}`"),
            reason: format!("it has none while it is `{}`", instance.status),
        })
    }

    pub async fn secret(&mut self, name: &SecretName) -> Result<Option<SecretFacts>, Failure> {
        if let Some(known) = self.known.secrets.get(name) {
            return Ok(known.clone());
        }
        let facts = self.world.secrets.describe(name).await?;
        self.known.secrets.insert(name.clone(), facts.clone());
        Ok(facts)
    }

    /// The current version's value.
    pub async fn current(&mut self, name: &SecretName) -> Result<SecretValue, Failure> {
        if let Some(known) = self.known.values.get(name) {
            return Ok(known.clone());
        }
        let value = self.world.secrets.value(name, &Which::current()).await?;
        self.known.values.insert(name.clone(), value.clone());
        Ok(value)
    }

    /// What the deployed stack says for an application that is told its database by it: the last line of the command that
    /// reads it.
    pub async fn stack(&mut self, name: &ApplicationName) -> Result<String, Failure> {
        if let Some(known) = self.known.stacks.get(name) {
            return Ok(known.clone());
        }
        let Active::Stack { read, .. } = &self.application(name)?.active else {
            return Err(Failure::Bug {
                message: format!("no stack says which database {name} uses"),
            });
        };
        let commands = &self.environment().commands;
        let declared = commands.get(read).ok_or_else(|| Failure::Bug {
            message: format!("the environment has no command `{read}`"),
        })?;
        let said = read_stack(self.world, read, declared, self.progress()).await?;
        self.known.stacks.insert(name.clone(), said.clone());
        Ok(said)
    }

    /// A session as the database's administrator, at the address that RDS names.
    pub async fn session(&mut self, name: &DatabaseName) -> Result<&dyn Session, Unreached> {
        if !self.known.sessions.contains_key(name) {
            let session = self.log_in(name).await?;
            self.known.sessions.insert(name.clone(), session);
        }
        self.known
            .sessions
            .get(name)
            .map(AsRef::as_ref)
            .ok_or_else(|| bug("a session was lost"))
    }

    /// The same, to be kept.
    pub async fn into_session(
        mut self,
        name: &DatabaseName,
    ) -> Result<Box<dyn Session>, Unreached> {
        self.log_in(name).await
    }

    /// Where and as whom the database's administrator logs in, at the address that RDS names.
    pub async fn login(&mut self, name: &DatabaseName) -> Result<Login, Unreached> {
        let database = self.database(name)?;
        let id = &database.instance;
        let Some(instance) = self.instance(name).await? else {
            return Err(Unreached::Nothing(format!("there is no instance `{id}`")));
        };
        let Some(endpoint) = instance.endpoint.clone() else {
            return Err(Unreached::Nothing(format!(
                "instance `{id}` is `{}` and has no address",
                instance.status
            )));
        };
        let secret = database.administration();
        let value = self.current(secret).await?;
        let content = Content::parse(secret, &value)?;
        Ok(Login {
            host: endpoint.host,
            port: endpoint.port,
            database: database.database.clone(),
            username: content.need(secret, "username")?.to_owned(),
            password: content.password(secret)?,
        })
    }

    async fn log_in(&mut self, name: &DatabaseName) -> Result<Box<dyn Session>, Unreached> {
        let login = self.login(name).await?;
        let error = match self.world.postgres.connect(&login).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        if error.kind != PortErrorKind::Unreachable {
            return Err(Unreached::Failed(error.into()));
        }
        let instance = self.instance(name).await?;
        let terminal = instance.as_ref().and_then(Instance::terminal_status);
        Err(match (terminal, &instance) {
            (Some(status), Some(instance)) => Unreached::Nothing(format!(
                "instance `{}` is `{status}` and can't be reached",
                instance.id
            )),
            _ => Unreached::Unreachable(error),
        })
    }
}

/// The last line of a command that takes no argument and says what is deployed.
pub(crate) async fn read_stack(
    world: &World,
    name: &str,
    declared: &Command,
    progress: &dyn Progress,
) -> Result<String, Failure> {
    let secrets = command_secrets(world, declared).await?;
    let request = CommandRequest {
        name,
        program: &declared.program,
        secrets: &secrets,
        within: Duration::from_secs(declared.within),
        progress,
    };
    match world.commands.run(&request).await {
        Ok(facts) => Ok(facts.last_line.trim().to_owned()),
        Err(error) => Err(Failure::CommandFailed {
            command: name.to_owned(),
            reason: error.message,
        }),
    }
}

/// The variables with secrets that a command gets.
pub(crate) async fn command_secrets(
    world: &World,
    declared: &Command,
) -> Result<BTreeMap<String, SecretString>, Failure> {
    let mut secrets = BTreeMap::new();
    for (variable, wanted) in &declared.secrets {
        let current = Which::current();
        let value = world.secrets.value(&wanted.secret, &current).await?;
        let value = match &wanted.field {
            None => value.value,
            Some(field) => {
                let content = Content::parse(&wanted.secret, &value)?;
                SecretString::from(content.need(&wanted.secret, field)?)
            }
        };
        secrets.insert(variable.clone(), value);
    }
    Ok(secrets)
}

fn bug(message: &str) -> Unreached {
    Unreached::Failed(Failure::Bug {
        message: message.to_owned(),
    })
}

/// What RDS made otherwise than it was asked to.
pub(crate) fn differences(asked: &InstanceSettings, is: &Instance) -> Vec<String> {
    let differences = drift::instance(asked, is);
    differences.iter().map(ToString::to_string).collect()
}
