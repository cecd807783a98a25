//! `rbk sandbox up`, `rbk sandbox ledger`

use super::unwritten;
use crate::adapters::is_loopback;
use crate::cli::{LedgerArgs, UpArgs};
use crate::drill::rehearsal::{ACCESS_KEY, SECRET_KEY};
use crate::drill::{account, disaster, seed};
use crate::exit::{Exit, Failure};
use crate::load::environment_or_tell;
use crate::overlay::{self, Manifest};
use crate::render::colour::Screen;
use crate::signals::Stop;
use rbk_core::environment::Environment;
use rbk_core::shell::shell_word;
use reqwest::Url;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Starts a sandbox and leaves it running until Ctrl-C.
pub async fn up(screen: Screen, args: UpArgs) -> Result<Exit, Failure> {
    let mut stop = Stop::listen();
    let environment = environment_or_tell(screen, args.sandbox.environment.env.as_deref())?;
    screen.say(
        screen
            .err
            .bold(format_args!("Sandbox of {}", environment.name)),
    );
    let mut stage = tokio::select! {
        stage = seed::furnish(screen, &environment, &args.sandbox, args.port) => stage?,
        () = stop.asked() => return Ok(Exit::Suspended),
    };
    tokio::select! {
        // Much can be tried without it.
        tool = seed::migration_tool(screen, &environment) => match tool {
            Ok(tool) => stage.overlay.liquibase = tool,
            Err(failure) => screen.warn(format_args!("`migrate` will not work here: {}", failure.message)),
        },
        () = stop.asked() => {
            stage.sandbox.shutdown().await;
            return Ok(Exit::Suspended);
        }
    }
    if let (Some(disaster), Some(database)) = (
        &args.sandbox.disaster,
        environment.database(&stage.database),
    ) {
        disaster::strike(&stage, database, disaster).await?;
        screen.say(format_args!(
            "  {}",
            disaster::describe(disaster, stage.database.as_str())
        ));
    }
    let manifest = write_manifest(&stage, &environment)?;
    screen
        .data(&exports(&stage, &environment, &manifest))
        .map_err(unwritten)?;
    screen.say("ready; Ctrl-C ends it and removes everything");
    stop.asked().await;
    stage.sandbox.shutdown().await;
    screen.say("the sandbox is gone");
    Ok(Exit::Done)
}

/// Waits for Ctrl-C with the lines on the screen that `sandbox up` prints, after a drill with `--keep`.
pub async fn keep(
    screen: Screen,
    stage: &seed::Stage,
    environment: &Environment,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let manifest = write_manifest(stage, environment)?;
    screen.say(exports(stage, environment, &manifest));
    screen.say("the sandbox is kept (--keep); Ctrl-C ends it and removes everything");
    stop.asked().await;
    Ok(())
}

/// Writes the manifest into the sandbox's own directory, with which it goes.
fn write_manifest(stage: &seed::Stage, environment: &Environment) -> Result<PathBuf, Failure> {
    let path = stage.sandbox.directory().join("rbk-sandbox.json");
    let manifest = Manifest::new(
        stage.sandbox.endpoint_url(),
        environment,
        stage.overlay.clone(),
    );
    let text = crate::render::json_text(&manifest);
    match std::fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(error) => Err(Failure::outside(format!(
            "writing {}: {error}",
            path.display()
        ))),
    }
}

/// The lines for a shell. No password among them: the last line says how to fetch it.
fn exports(stage: &seed::Stage, environment: &Environment, manifest: &Path) -> String {
    let sandbox = &stage.sandbox;
    let mut lines = vec![
        format!("export AWS_ENDPOINT_URL={}", sandbox.endpoint_url()),
        format!("export AWS_REGION={}", sandbox.region()),
        format!("export AWS_DEFAULT_REGION={}", sandbox.region()),
        format!("export AWS_ACCESS_KEY_ID={ACCESS_KEY}"),
        format!("export AWS_SECRET_ACCESS_KEY={SECRET_KEY}"),
        format!(
            "export {}={}",
            overlay::VARIABLE,
            shell_word(&manifest.display().to_string())
        ),
    ];
    if let Some(database) = environment.database(&stage.database)
        && let Ok(address) = sandbox.instance_address(database.instance.as_str())
    {
        lines.push(format!(
            "# PGPASSWORD=$(aws secretsmanager get-secret-value --secret-id {} --query SecretString --output text | \
             python3 -c 'import json,sys; print(json.load(sys.stdin)[\"password\"])') \
             psql \"host={} port={} dbname={} user={} sslmode=verify-full sslrootcert={}\"",
            database.administration(),
            address.host,
            address.port,
            database.database,
            account::MASTER,
            sandbox.ca_pem_path().display(),
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Prints the effects that a running sandbox has applied.
pub async fn ledger(screen: Screen, args: LedgerArgs) -> Result<Exit, Failure> {
    let up = "start one with `rbk sandbox up`, and copy its `export` lines or give its address with --endpoint";
    let endpoint = args
        .endpoint
        .or_else(|| std::env::var("AWS_ENDPOINT_URL").ok())
        .ok_or_else(|| Failure::usage("which sandbox? AWS_ENDPOINT_URL is not set").help(up))?;
    let url = Url::parse(&endpoint)
        .and_then(|url| url.join("/_sandbox/ledger"))
        .map_err(|error| Failure::usage(format!("`{endpoint}` is no address: {error}")).help(up))?;
    if !is_loopback(&url) {
        return Err(Failure::usage(format!(
            "`{endpoint}` is not on this machine, and so no sandbox"
        ))
        .help(up));
    }
    let answer = crate::adapters::get(&url, Duration::from_secs(10))
        .await
        .map_err(|error| {
            Failure::outside(format!("no sandbox answers at {endpoint}: {error}")).help(up)
        })?;
    let effects: Vec<serde_json::Value> = serde_json::from_str(&answer).map_err(|error| {
        Failure::outside(format!("no sandbox answers at {endpoint}: {error}")).help(up)
    })?;
    let lines: String = effects.iter().map(|effect| format!("{effect}\n")).collect();
    screen.data(&lines).map_err(unwritten)?;
    Ok(Exit::Done)
}
