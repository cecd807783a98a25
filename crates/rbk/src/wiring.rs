//! Builds the world that a run touches, out of an environment: AWS, Postgres, health checks, a person, time.

use crate::adapters::{HttpHealth, Liquibase, Processes, SystemClock};
use crate::exit::Failure;
use crate::render::colour::Screen;
use rbk_core::environment::Environment;
use rbk_core::ports::{Person, World};
use std::path::PathBuf;
use std::sync::Arc;

/// Connects the ports. Nothing is sent yet.
pub async fn world(
    environment: &Environment,
    aws: rbk_aws::Options,
    person: Arc<dyn Person>,
) -> Result<World, Failure> {
    let commands = Processes::new(&aws);
    let aws = rbk_aws::connect(aws)
        .await
        .map_err(|error| Failure::wrong(error.to_string()))?;
    let postgres = rbk_postgres::Connector::new(&environment.access)
        .map_err(|error| Failure::outside(error.to_string()))?;
    Ok(World {
        identity: aws.identity,
        rds: aws.rds,
        dms: aws.dms,
        roles: aws.roles,
        secrets: aws.secrets,
        postgres: Arc::new(postgres.clone()),
        health: Arc::new(HttpHealth::default()),
        migrations: Arc::new(Liquibase::new(postgres)),
        commands: Arc::new(commands),
        person,
        clock: Arc::new(SystemClock::new()),
    })
}

/// The AWS of an environment: its region, and whatever the machine's own configuration says.
pub fn aws_of(environment: &Environment) -> rbk_aws::Options {
    rbk_aws::Options {
        region: environment.region.clone(),
        ..rbk_aws::Options::default()
    }
}

/// Where rbk keeps what outlives a command: `$XDG_STATE_HOME/rbk`, else `~/.local/state/rbk`.
pub fn state_directory() -> Result<PathBuf, Failure> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local").join("state")))
        .map(|state| state.join("rbk"))
        .ok_or_else(|| {
            Failure::outside(
                "there is no place for journals: neither XDG_STATE_HOME nor HOME is set",
            )
            .help("name one with --store DIR")
        })
}

/// Where an environment's journals are, unless `--store` says otherwise.
pub fn store_directory(environment: &Environment) -> Result<PathBuf, Failure> {
    match &environment.journal.directory {
        Some(directory) => Ok(directory.clone()),
        None => Ok(state_directory()?
            .join(&environment.account)
            .join(&environment.region)),
    }
}

/// The variables that Postgres clients follow which are set and name something else. rbk follows none of them.
pub fn ambient_addresses(environment: &Environment) -> Vec<&'static str> {
    const VARIABLES: &[&str] = &[
        "DATABASE_URL",
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGSERVICE",
    ];
    let ours = |name: &str, value: &std::ffi::OsStr| {
        name == "PGDATABASE"
            && environment
                .databases
                .values()
                .any(|database| value == database.database.as_str())
    };
    VARIABLES
        .iter()
        .copied()
        .filter(|name| {
            let value = std::env::var_os(name).unwrap_or_default();
            !value.is_empty() && !ours(name, &value)
        })
        .collect()
}

/// Says so.
pub fn warn_of_ambient_addresses(screen: Screen, environment: &Environment) {
    let others = ambient_addresses(environment);
    if !others.is_empty() {
        screen.warn(format_args!(
            "{} {} set and ignored: databases are those of environment {}",
            others.join(", "),
            if others.len() == 1 { "is" } else { "are" },
            environment.name
        ));
    }
}
