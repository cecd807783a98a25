//! The sandbox's account as the environment describes it: groups, the instance that exists before the disaster, roles,
//! everybody's secrets, the stand-ins for applications.

use super::rehearsal::{ACCESS_KEY, SECRET_KEY};
use super::seed::StandIn;
use super::{application, sandbox_failed, sql_failed};
use crate::adapters::{HttpHealth, Processes};
use crate::exit::Failure;
use crate::render::colour::Screen;
use rbk_core::environment::{
    Active, Application, Database, DmsPlace, Drill, Environment, Health as HealthQuestion,
};
use rbk_core::ids::{ApplicationName, DatabaseName, RoleName};
use rbk_core::ports::{CommandRequest, Commands, Health, Progress};
use rbk_sandbox::tokio_postgres::Client;
use rbk_sandbox::{
    ActiveSecret, ApplicationBlueprint, DmsSubnetGroupBlueprint, InstanceAddress,
    InstanceBlueprint, ParameterGroupBlueprint, Sandbox, SecurityGroupBlueprint,
    SubnetGroupBlueprint, ToldSecret,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// The master user of the sandbox's instances, as RDS calls it by default.
pub const MASTER: &str = "postgres";

/// Where rbk and the person's own tools come from, and where applications come from.
const CLIENTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
];

/// Where everything is.
const VPC: &str = "vpc-0rbkdrill";

/// Where the sandbox's DMS comes from.
const DMS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// How often a stand-in asks what its stack names.
const STACK_LOOK: Duration = Duration::from_millis(300);

/// How long the stand-in may take until it is well.
const APPLICATION_START: Duration = Duration::from_secs(20);

/// Declares every group that the environment names, so that a restore finds what it asks for.
pub(super) fn declare_groups(sandbox: &Sandbox, environment: &Environment) {
    let databases = || environment.databases.values();
    let subnet_groups: BTreeSet<&String> =
        databases().map(|database| &database.subnet_group).collect();
    for name in subnet_groups {
        sandbox.declare_subnet_group(SubnetGroupBlueprint {
            name: name.clone(),
            vpc: VPC.to_owned(),
        });
    }
    let parameter_groups: BTreeSet<&String> = databases()
        .map(|database| &database.parameter_group)
        .collect();
    for name in parameter_groups
        .into_iter()
        .filter(|name| !name.starts_with("default."))
    {
        sandbox.declare_parameter_group(ParameterGroupBlueprint {
            name: name.clone(),
            family: sandbox.parameter_group_family(),
            force_ssl: true,
        });
    }
    let security_groups: BTreeSet<&String> = databases()
        .flat_map(|database| &database.security_groups)
        .collect();
    let mut admitted = CLIENTS.to_vec();
    if let Some(place) = &environment.dms {
        // What the databases' groups admit in AWS can't be read off the environment; here it is what a replication needs.
        admitted.push(DMS);
        declare_dms(sandbox, place);
    }
    for id in security_groups {
        sandbox.declare_security_group(SecurityGroupBlueprint {
            id: id.clone(),
            admits: admitted.clone(),
        });
    }
}

/// Where replications run, the role that reads the databases' secrets for them, and the certificate that they verify with.
fn declare_dms(sandbox: &Sandbox, place: &DmsPlace) {
    let group = DmsSubnetGroupBlueprint {
        vpc: VPC.to_owned(),
        ..DmsSubnetGroupBlueprint::new(&place.subnet_group, sandbox.region())
    };
    sandbox.declare_dms_subnet_group(group);
    for id in &place.security_groups {
        sandbox.declare_source_address(id, DMS);
    }
    if let Some(role) = &place.secret_access_role {
        // `arn:aws:iam::ACCOUNT:role/PATH/NAME`
        let name = role.rsplit('/').next().unwrap_or(role);
        sandbox.declare_role(name);
    }
    if let Some(arn) = &place.certificate {
        sandbox.declare_dms_certificate(arn);
    }
}

/// The passwords of the world before the disaster.
pub(super) struct Passwords {
    master: SecretString,
    application: SecretString,
    /// Of databases that don't exist yet: `set credentials` replaces it.
    placeholder: SecretString,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            master: password(),
            application: password(),
            placeholder: password(),
        }
    }
}

/// Thirty-two letters and digits.
fn password() -> SecretString {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0_u8; 32];
    rbk_core::ports::Clock::random(&crate::adapters::SystemClock::new(), &mut bytes);
    let text: String = bytes
        .iter()
        .filter_map(|byte| {
            LETTERS
                .get(usize::from(byte % 64))
                .map(|letter| char::from(*letter))
        })
        .collect();
    SecretString::from(text)
}

pub(super) struct Furnisher<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) environment: &'a Environment,
    pub(super) drill: &'a Drill,
    /// The one that exists before the disaster.
    pub(super) database: &'a Database,
}

impl Furnisher<'_> {
    pub(super) async fn create_instance(
        &self,
        passwords: &Passwords,
    ) -> Result<InstanceAddress, Failure> {
        let database = self.database;
        let mut blueprint = InstanceBlueprint::new(
            database.instance.as_str(),
            &database.database,
            MASTER,
            passwords.master.clone(),
        );
        blueprint.class.clone_from(&database.class);
        blueprint.subnet_group.clone_from(&database.subnet_group);
        blueprint
            .security_groups
            .clone_from(&database.security_groups);
        let group = &database.parameter_group;
        blueprint.parameter_group = (!group.starts_with("default.")).then(|| group.clone());
        blueprint.backup_retention_days = database.retention_days;
        blueprint.deletion_protection = database.protect;
        blueprint.multi_az = database.multi_az;
        blueprint.tags.clone_from(&database.tags);
        blueprint.extensions.clone_from(&self.drill.extensions);
        self.sandbox
            .create_instance(blueprint)
            .await
            .map_err(sandbox_failed)
    }

    pub(super) async fn superuser(&self) -> Result<Client, Failure> {
        let id = self.database.instance.as_str();
        self.sandbox
            .superuser(id, &self.database.database)
            .await
            .map_err(sandbox_failed)
    }

    /// A session as the master user, to whom everything belongs that the drill creates.
    pub(super) async fn master(&self) -> Result<Client, Failure> {
        let client = self.superuser().await?;
        client
            .batch_execute(&format!("SET ROLE {MASTER}"))
            .await
            .map_err(sql_failed("becoming the master user"))?;
        Ok(client)
    }

    /// The role that the applications of a database log in with, if they have one of their own.
    fn role(&self, name: &DatabaseName) -> Option<&RoleName> {
        self.environment
            .applications
            .values()
            .filter(|application| application.databases.contains(name))
            .find_map(|application| application.role.as_ref())
    }

    pub(super) async fn create_roles(&self, passwords: &Passwords) -> Result<(), Failure> {
        let client = self.master().await?;
        let roles: BTreeSet<&RoleName> = self
            .environment
            .applications
            .values()
            .filter_map(|application| application.role.as_ref())
            .collect();
        for role in roles {
            // The password has no quote in it, and a quoted name's quotes are doubled.
            let sql = format!(
                "CREATE ROLE \"{}\" LOGIN PASSWORD '{}'",
                role.as_str().replace('"', "\"\""),
                passwords.application.expose_secret()
            );
            client
                .batch_execute(&sql)
                .await
                .map_err(sql_failed(format_args!("creating role {role}")))?;
        }
        Ok(())
    }

    /// The secrets of all declared databases and applications. Those of databases that don't exist yet have a
    /// password that opens nothing and the address of the one that does.
    pub(super) fn create_secrets(
        &self,
        address: &InstanceAddress,
        passwords: &Passwords,
    ) -> Result<(), Failure> {
        let mut secrets: BTreeMap<&str, SecretString> = BTreeMap::new();
        for (name, database) in &self.environment.databases {
            let exists = *name == self.drill.database;
            let credentials = |username: &str, password: &SecretString| {
                let password = if exists {
                    password
                } else {
                    &passwords.placeholder
                };
                credentials(database, address, username, password)
            };
            let master = || credentials(MASTER, &passwords.master);
            if let Some(secret) = &database.admin_secret {
                secrets.insert(secret.as_str(), master());
            }
            let own = match self.role(name) {
                Some(role) => credentials(role.as_str(), &passwords.application),
                None => master(),
            };
            secrets.insert(database.secret.as_str(), own);
        }
        for application in self.environment.applications.values() {
            let value = self.active_value(application, &secrets);
            if let (Some(value), Some(secret)) = (value, application.active.secret()) {
                secrets.insert(secret.as_str(), value);
            }
        }
        for (name, value) in secrets {
            self.sandbox
                .create_secret(name, value)
                .map_err(sandbox_failed)?;
        }
        Ok(())
    }

    /// What names the active database of an application: the one that exists, if it may use it.
    fn active_value(
        &self,
        application: &Application,
        secrets: &BTreeMap<&str, SecretString>,
    ) -> Option<SecretString> {
        let uses = application.databases.contains(&self.drill.database);
        let name = if uses {
            Some(&self.drill.database)
        } else {
            application.databases.first()
        };
        let secret = &self.environment.database(name?)?.secret;
        match &application.active {
            Active::Pointer { field: None, .. } => Some(SecretString::from(secret.as_str())),
            Active::Pointer {
                field: Some(field), ..
            } => Some(SecretString::from(
                json!({ field: secret.as_str() }).to_string(),
            )),
            Active::Copy { .. } => secrets.get(secret.as_str()).cloned(),
            Active::Stack { .. } => None,
        }
    }

    /// Starts a stand-in for every application that uses the drilled database, and waits until each is well.
    ///
    /// One whose active database is named by its stack follows what the stack's `read` command says; without leave to run
    /// commands it has none.
    pub(super) async fn start_applications(
        &self,
        screen: Screen,
        run_commands: bool,
    ) -> Result<BTreeMap<ApplicationName, StandIn>, Failure> {
        let mut stand_ins = BTreeMap::new();
        for (name, application) in &self.environment.applications {
            if !application.databases.contains(&self.drill.database) {
                continue;
            }
            let mut told = None;
            let active = match &application.active {
                Active::Pointer { secret, field } => ActiveSecret::Pointer {
                    secret: secret.to_string(),
                    field: field.clone(),
                },
                Active::Copy { secret } => ActiveSecret::Copy {
                    secret: secret.to_string(),
                },
                Active::Stack { read, .. } if run_commands => {
                    let secret = ToldSecret::default();
                    told = Some(self.follow(read, secret.clone())?);
                    ActiveSecret::Told(secret)
                }
                Active::Stack { read, .. } => {
                    screen.warn(format_args!(
                        "application {name} has no stand-in: what its stack names is said by command `{read}`, and no command is \
                         run without --run-commands"
                    ));
                    continue;
                }
            };
            let mut blueprint = ApplicationBlueprint::new(name.as_str(), active);
            if self
                .drill
                .application
                .as_ref()
                .is_none_or(|drilled| drilled == name)
            {
                blueprint.traffic = self.drill.traffic.as_ref().map(application::traffic);
            }
            let traffic = blueprint.traffic.clone();
            let started = self
                .sandbox
                .start_application(blueprint)
                .await
                .map_err(sandbox_failed)?;
            await_health(&started.health_url).await.map_err(|seen| {
                Failure::outside(format!(
                    "the stand-in for application {name} is not well: {seen}"
                ))
            })?;
            screen.say(format_args!(
                "  a stand-in for application {name} is well: {}",
                started.health_url
            ));
            stand_ins.insert(
                name.clone(),
                StandIn {
                    name: name.clone(),
                    health_url: started.health_url,
                    traffic,
                    follows: told,
                },
            );
        }
        Ok(stand_ins)
    }

    /// Asks the stack's `read` command again and again, and tells the stand-in what it says.
    fn follow(&self, read: &str, told: ToldSecret) -> Result<Follows, Failure> {
        let command = self.environment.commands.get(read).ok_or_else(|| {
            Failure::wrong(format!("the environment declares no command `{read}`"))
        })?;
        if !command.secrets.is_empty() {
            return Err(Failure::wrong(format!(
                "command `{read}` is given secrets, and a sandbox's stand-in has none for it"
            )));
        }
        let (name, command) = (read.to_owned(), command.clone());
        let options = sandbox_options(self.sandbox, self.environment);
        let teller = told.clone();
        let task = tokio::spawn(async move {
            let processes = Processes::new(&options);
            loop {
                let facts = processes
                    .run(&CommandRequest {
                        name: &name,
                        program: &command.program,
                        secrets: &BTreeMap::new(),
                        within: Duration::from_secs(command.within),
                        progress: &Silent,
                    })
                    .await;
                // What can't be read now is what it was: an application keeps what it was deployed with.
                if let Ok(facts) = facts {
                    let line = facts.last_line.trim();
                    teller.tell((!line.is_empty()).then(|| line.to_owned()));
                }
                tokio::time::sleep(STACK_LOOK).await;
            }
        });
        Ok(Follows { told, task })
    }
}

/// Following a stack; ends when dropped.
pub struct Follows {
    told: ToldSecret,
    task: tokio::task::JoinHandle<()>,
}

impl Follows {
    /// What it said last.
    pub fn told(&self) -> Option<String> {
        self.told.get()
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Nobody is told how far it is.
struct Silent;

impl Progress for Silent {
    fn tell(&self, _seen: &str, _done: u64, _total: u64) {}
}

/// How calls reach the sandbox, and nothing else.
pub fn sandbox_options(sandbox: &Sandbox, environment: &Environment) -> rbk_aws::Options {
    rbk_aws::Options {
        endpoint_url: Some(sandbox.endpoint_url()),
        key: Some(rbk_aws::AccessKey {
            id: ACCESS_KEY.to_owned(),
            secret: SecretString::from(SECRET_KEY),
        }),
        ..crate::wiring::aws_of(environment)
    }
}

/// Credentials as RDS lays them out in a secret.
fn credentials(
    database: &Database,
    address: &InstanceAddress,
    username: &str,
    password: &SecretString,
) -> SecretString {
    SecretString::from(
        json!({
            "engine": "postgres",
            "host": address.host,
            "port": address.port,
            "username": username,
            "password": password.expose_secret(),
            "dbname": database.database,
            "dbInstanceIdentifier": database.instance.as_str(),
        })
        .to_string(),
    )
}

/// Waits until a health address answers 200; otherwise says what was last seen.
async fn await_health(address: &str) -> Result<(), String> {
    let question = HealthQuestion {
        http: address.to_owned(),
        expect: 200,
    };
    let begun = Instant::now();
    let asker = HttpHealth::default();
    loop {
        let answer = asker
            .ask(&question)
            .await
            .map_err(|error| error.to_string())?;
        if answer.healthy {
            return Ok(());
        }
        if begun.elapsed() > APPLICATION_START {
            return Err(answer.seen);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
