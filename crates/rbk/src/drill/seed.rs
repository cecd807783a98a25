//! Fills a sandbox: the schema and rows of an environment's drill section, the automated snapshot, and what is written after it.

use super::account::{Follows, Furnisher, Passwords, declare_groups};
use super::{proof, sandbox_failed, sql_failed};
use crate::cli::{Pace, SandboxArgs};
use crate::exit::Failure;
use crate::overlay::Overlay;
use crate::render::colour::Screen;
use crate::render::time::short;
use rbk_core::environment::{Drill, Environment, MigrationTool, Migrations, TableName};
use rbk_core::ids::{ApplicationName, DatabaseName};
use rbk_core::ports::TableDigest;
use rbk_postgres::inspect;
use rbk_sandbox::tokio_postgres::Client;
use rbk_sandbox::{Fault, Options, Sandbox, SnapshotInfo, Traffic};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A furnished sandbox.
pub struct Stage {
    /// The sandbox; gone when dropped.
    pub sandbox: Sandbox,
    /// What it changes about the environment.
    pub overlay: Overlay,
    /// The database that everything happened to.
    pub database: DatabaseName,
    /// The automated snapshot.
    pub snapshot: SnapshotInfo,
    /// Every table as the snapshot has it.
    pub saved: BTreeMap<TableName, TableDigest>,
    /// The schema that the snapshot has, a line each thing.
    pub schema: BTreeSet<String>,
    /// Rows of each table after more were written behind the snapshot.
    pub written: BTreeMap<TableName, u64>,
    /// What stands in for each application that uses the database.
    pub stand_ins: BTreeMap<ApplicationName, StandIn>,
}

/// What stands in for an application.
pub struct StandIn {
    /// The application.
    pub name: ApplicationName,
    /// Where its health is asked for.
    pub health_url: String,
    /// What it writes and reads; it has not begun.
    pub traffic: Option<Traffic>,
    /// Finds out what its stack names.
    pub(super) follows: Option<Follows>,
}

impl StandIn {
    /// The secret that its stack names, if a stack does.
    pub fn told(&self) -> Option<String> {
        self.follows.as_ref()?.told()
    }
}

impl Stage {
    /// How many rows were written after the snapshot.
    pub fn rows_behind_snapshot(&self) -> u64 {
        let saved: u64 = self.saved.values().map(|digest| digest.rows).sum();
        self.written.values().sum::<u64>().saturating_sub(saved)
    }
}

/// The drill section, or how to write one.
pub fn drill_of(environment: &Environment) -> Result<&Drill, Failure> {
    environment.drill.as_ref().ok_or_else(|| {
        Failure::wrong(format!(
            "environment {} says nothing about drills",
            environment.name
        ))
        .help(
            "add a [drill] section: the database, the SQL files of its schema and rows, a disaster",
        )
    })
}

/// Starts and furnishes a sandbox.
pub async fn furnish(
    screen: Screen,
    environment: &Environment,
    args: &SandboxArgs,
    port: Option<u16>,
) -> Result<Stage, Failure> {
    let drill = drill_of(environment)?;
    let files = Files::read(drill)?;
    let faults = args
        .faults
        .iter()
        .map(|text| {
            text.parse::<Fault>()
                .map_err(|error| Failure::usage(format!("--fault: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let sandbox = start(screen, environment, args.pace, port).await?;
    declare_groups(&sandbox, environment);

    let database = environment.database(&drill.database).ok_or_else(|| {
        Failure::wrong(format!(
            "[drill] names no database of the environment: {}",
            drill.database
        ))
    })?;
    let furnisher = Furnisher {
        sandbox: &sandbox,
        environment,
        drill,
        database,
    };
    let passwords = Passwords::new();
    let address = furnisher.create_instance(&passwords).await?;
    furnisher.create_secrets(&address, &passwords)?;
    let client = furnisher.master().await?;
    furnisher.create_roles(&passwords).await?;

    let rows = args.rows.unwrap_or(drill.default_rows);
    for (path, sql) in &files.schema {
        client.batch_execute(sql).await.map_err(sql_failed(path))?;
    }
    files.write_rows(&client, 1, rows).await?;
    client
        .batch_execute("ANALYZE")
        .await
        .map_err(sql_failed("ANALYZE"))?;
    screen.say(format_args!(
        "  {} has its schema and {rows} rows to begin with ({})",
        drill.database,
        short(begun.elapsed())
    ));

    let stand_ins = furnisher
        .start_applications(screen, args.run_commands)
        .await?;
    let snapshot = sandbox
        .take_automated_snapshot(database.instance.as_str())
        .await
        .map_err(sandbox_failed)?;
    // The master user sees no other role's tables; what was saved is compared as the superuser.
    let mut superuser = furnisher.superuser().await?;
    let saved = inspect::digest_tables(&mut superuser).await?;
    let schema = proof::schema(&superuser, &own_tables(environment)).await?;
    screen.say(format_args!(
        "  automated snapshot {}, {} tables with {} rows in it",
        snapshot.id,
        saved.len(),
        saved.values().map(|digest| digest.rows).sum::<u64>()
    ));

    files
        .write_rows(&client, rows + 1, rows + (rows / 10).max(1))
        .await?;
    let written = count_all(&superuser, &saved).await?;
    drop(client);
    for fault in faults {
        sandbox.inject(fault).map_err(sandbox_failed)?;
    }
    let overlay = Overlay {
        ca: sandbox.ca_pem_path().to_owned(),
        health: stand_ins
            .iter()
            .map(|(name, it)| (name.clone(), it.health_url.clone()))
            .collect(),
        liquibase: None,
    };
    let stage = Stage {
        overlay,
        database: drill.database.clone(),
        snapshot,
        saved,
        schema,
        written,
        stand_ins,
        sandbox,
    };
    screen.say(format_args!(
        "  {} more rows written after it",
        stage.rows_behind_snapshot()
    ));
    Ok(stage)
}

/// The migration tool's own tables: they are no data, and no schema of the application's.
pub fn own_tables(environment: &Environment) -> Vec<TableName> {
    environment
        .migrations
        .as_ref()
        .map(Migrations::own_tables)
        .unwrap_or_default()
}

/// The program that the environment's migrations need and don't name: the one of this machine, else one that is brought.
pub async fn migration_tool(
    screen: Screen,
    environment: &Environment,
) -> Result<Option<PathBuf>, Failure> {
    match &environment.migrations {
        Some(Migrations {
            tool: MigrationTool::Liquibase,
            program: None,
            ..
        }) => rbk_sandbox::liquibase(|progress| screen.say(format_args!("  {progress}")))
            .await
            .map(Some)
            .map_err(|error| Failure::outside(error.to_string())),
        _ => Ok(None),
    }
}

async fn start(
    screen: Screen,
    environment: &Environment,
    pace: Pace,
    port: Option<u16>,
) -> Result<Sandbox, Failure> {
    let options = Options {
        region: environment.region.clone(),
        account: environment.account.clone(),
        pace: match pace {
            Pace::Fast => rbk_sandbox::Pace::Fast,
            Pace::Real => rbk_sandbox::Pace::Real,
        },
        port,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options, |progress| screen.say(format_args!("  {progress}")))
        .await
        .map_err(sandbox_failed)?;
    screen.say(format_args!("  PostgreSQL {}", sandbox.postgres_version()));
    Ok(sandbox)
}

/// The SQL of a drill section.
struct Files {
    schema: Vec<(String, String)>,
    rows: (String, String),
}

impl Files {
    fn read(drill: &Drill) -> Result<Self, Failure> {
        let read = |path: &Path| {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => Ok((name, text)),
                Err(error) => Err(Failure::wrong(format!(
                    "reading `{name}`, which [drill] names: {error}"
                ))),
            }
        };
        Ok(Self {
            schema: drill
                .schema
                .iter()
                .map(|path| read(path))
                .collect::<Result<_, _>>()?,
            rows: read(&drill.rows)?,
        })
    }

    async fn write_rows(&self, client: &Client, from: u64, to: u64) -> Result<(), Failure> {
        let (path, text) = &self.rows;
        let sql = text
            .replace(":from", &from.to_string())
            .replace(":to", &to.to_string());
        client
            .batch_execute(&sql)
            .await
            .map_err(sql_failed(format_args!("{path} for rows {from} to {to}")))
    }
}

/// Rows of each of these tables.
async fn count_all(
    client: &Client,
    tables: &BTreeMap<TableName, TableDigest>,
) -> Result<BTreeMap<TableName, u64>, Failure> {
    let mut counts = BTreeMap::new();
    for name in tables.keys() {
        let sql = format!("SELECT count(*) FROM {}", quoted(name));
        let row = client
            .query_one(&sql, &[])
            .await
            .map_err(sql_failed(format_args!("counting {name}")))?;
        let count: i64 = row.get(0);
        counts.insert(name.clone(), u64::try_from(count).unwrap_or(0));
    }
    Ok(counts)
}

/// A table's name as SQL.
pub fn quoted(table: &TableName) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quote(&table.schema), quote(&table.table))
}
