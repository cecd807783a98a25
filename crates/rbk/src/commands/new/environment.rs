//! `rbk new environment NAME`: an environment file, with what the account says of an instance.

use super::create;
use crate::cli::NewEnvironmentArgs;
use crate::exit::{Exit, Failure};
use crate::render::colour::{Screen, printable};
use rbk_core::environment::{ENVIRONMENTS, PROJECT_FILE};
use rbk_core::ids::InstanceId;
use rbk_core::ports::Instance;
use rbk_core::shell::shell_word;
use rbk_core::value::duration_text;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Stands where nothing is known; no account has this number, so nothing can be done with it by mistake.
const NO_ACCOUNT: &str = "000000000000";

const DAY: u64 = 24 * 60 * 60;

/// Writes it, and says what is left to fill in.
pub async fn environment(screen: Screen, args: NewEnvironmentArgs) -> Result<Exit, Failure> {
    if !is_name(&args.name) {
        return Err(Failure::usage(format!(
            "`{}` is no name of an environment",
            printable(&args.name)
        ))
        .help("letters, digits, `-` and `_`, for instance `prod`"));
    }
    if !is_word(&args.application) {
        return Err(Failure::usage(format!(
            "`{}` is no name that a runbook could use",
            printable(&args.application)
        ))
        .help("letters, digits and `_`, for instance `shop`"));
    }
    let folder = folder();
    let path = folder
        .join(ENVIRONMENTS)
        .join(format!("{}.toml", args.name));
    if path.exists() {
        return Err(
            Failure::usage(format!("{} is there already", path.display()))
                .help("choose another name: nothing is written over"),
        );
    }
    let found = match &args.instance {
        Some(instance) => Some(read(screen, &args, &InstanceId::new(instance.as_str())).await?),
        None => None,
    };
    let text = text(&args, found.as_ref());
    create(&path, &text)?;
    let tick = screen.err.green("✓");
    screen.say(format_args!("{tick} {} is written", path.display()));
    let project = folder.join(PROJECT_FILE);
    if !project.exists() {
        let name = &args.name;
        create(
            &project,
            &format!(
                "# The environment that is meant where `--env` doesn't say: {ENVIRONMENTS}/{name}.toml.\nenvironment = \"{name}\"\n"
            ),
        )?;
        screen.say(format_args!(
            "{tick} {} makes it the default",
            project.display()
        ));
    }
    let left = text
        .lines()
        .filter(|line| line.contains(TO_FILL_IN))
        .count();
    screen.say(format_args!(
        "next: fill in {left} line{} marked `{TO_FILL_IN}`, then `rbk env check --env {}` and `rbk env pull --env {1}`",
        if left == 1 { "" } else { "s" },
        shell_word(&args.name)
    ));
    Ok(Exit::Done)
}

/// What marks a line whose value is made up.
pub const TO_FILL_IN: &str = "to fill in";

/// What the account says.
struct Found {
    account: String,
    region: String,
    instance: Instance,
}

/// Describes the instance; nothing is changed.
async fn read(
    screen: Screen,
    args: &NewEnvironmentArgs,
    id: &InstanceId,
) -> Result<Found, Failure> {
    let region = args
        .region
        .clone()
        .or_else(region_of_variables)
        .ok_or_else(|| {
            Failure::usage("no region is known to look for the instance in")
                .help("add `--region eu-central-1`, or set AWS_REGION")
        })?;
    let options = rbk_aws::Options {
        region: region.clone(),
        ..rbk_aws::Options::default()
    };
    let aws = rbk_aws::connect(options)
        .await
        .map_err(|error| Failure::wrong(error.to_string()))?;
    let caller = aws.identity.caller().await.map_err(Failure::from)?;
    let instance = aws.rds.instance(id).await.map_err(Failure::from)?;
    let instance = instance.ok_or_else(|| {
        Failure::outside(format!(
            "account {} has no instance `{id}` in {region}",
            caller.account
        ))
        .help("name another one with --instance, or another region with --region")
    })?;
    screen.say(format_args!(
        "read instance `{id}` of account {}, region {region}",
        caller.account
    ));
    Ok(Found {
        account: caller.account,
        region,
        instance,
    })
}

fn region_of_variables() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|region| !region.is_empty())
}

/// The folder that has `rbk.toml` or `environments`, or `runbooks`, which is made.
fn folder() -> PathBuf {
    let is_project =
        |folder: &Path| folder.join(PROJECT_FILE).exists() || folder.join(ENVIRONMENTS).is_dir();
    let here = PathBuf::new();
    if is_project(&here) {
        here
    } else {
        PathBuf::from("runbooks")
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
}

fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A text as TOML writes it: its escapes are JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value, marked where it is made up.
fn line(out: &mut String, key: &str, value: &str, known: bool, comment: &str) {
    let comment = match (known, comment) {
        (true, "") => String::new(),
        (true, comment) => format!("  # {comment}"),
        (false, "") => format!("  # {TO_FILL_IN}"),
        (false, comment) => format!("  # {TO_FILL_IN}: {comment}"),
    };
    // Writing to a String can't fail.
    let _ = writeln!(out, "{key} = {value}{comment}");
}

fn text(args: &NewEnvironmentArgs, found: Option<&Found>) -> String {
    let mut out = String::new();
    let known = found.is_some();
    let name = &args.name;
    let _ = writeln!(
        out,
        "# What the names in a runbook stand for in {name}. No secret stands here, only names of secrets.\n# `rbk env check --env {name}` tells every mistake at once; `rbk env schema` prints a schema for editors.\n"
    );
    let region = found
        .map(|found| found.region.as_str())
        .or(args.region.as_deref());
    line(
        &mut out,
        "region",
        &quoted(region.unwrap_or("eu-central-1")),
        region.is_some(),
        "",
    );
    let account = found.map_or(NO_ACCOUNT, |found| &found.account);
    line(
        &mut out,
        "account",
        &quoted(account),
        known,
        "twelve digits; proven before anything else",
    );

    let settings = found.map(|found| &found.instance.settings);
    let set = |value: Option<String>| value.filter(|value| !value.is_empty());
    out.push_str(
        "\n# A restored instance would get the VPC's defaults, so both must be said.\n[network]\n",
    );
    let subnet_group = set(settings.map(|settings| settings.subnet_group.clone()));
    line(
        &mut out,
        "subnet_group",
        &quoted(subnet_group.as_deref().unwrap_or("database-subnets")),
        subnet_group.is_some(),
        "",
    );
    let groups = settings
        .map(|settings| settings.security_groups.clone())
        .filter(|groups| !groups.is_empty());
    let listed: Vec<String> = groups
        .clone()
        .unwrap_or_else(|| vec!["sg-00000000000000000".to_owned()])
        .iter()
        .map(|group| quoted(group))
        .collect();
    line(
        &mut out,
        "security_groups",
        &format!("[{}]", listed.join(", ")),
        groups.is_some(),
        "",
    );

    out.push_str("\n# How this machine reaches the databases; leave it out where it reaches them directly.\n# [access]\n# tunnel = [\"ssh\", \"-N\", \"-L\", \"{local_port}:{host}:{port}\", \"bastion\"]\n");

    out.push_str("\n[databases.original]\n");
    let instance = found.map(|found| found.instance.id.as_str());
    let id = instance.unwrap_or("shop-db");
    line(
        &mut out,
        "instance",
        &quoted(id),
        instance.is_some(),
        "its identifier in RDS",
    );
    line(
        &mut out,
        "database",
        &quoted(args.database.as_deref().unwrap_or("postgres")),
        args.database.is_some(),
        "its name in Postgres",
    );
    let class = set(settings.map(|settings| settings.class.clone()));
    line(
        &mut out,
        "class",
        &quoted(class.as_deref().unwrap_or("db.r6g.large")),
        class.is_some(),
        "",
    );
    let group = set(settings.map(|settings| settings.parameter_group.clone()));
    line(
        &mut out,
        "parameter_group",
        &quoted(group.as_deref().unwrap_or("default.postgres16")),
        group.is_some(),
        "",
    );
    if let Some(settings) = settings {
        for (key, on) in [
            ("multi_az", settings.multi_az),
            ("publicly_accessible", settings.publicly_accessible),
            ("iam_authentication", settings.iam_authentication),
        ] {
            if on {
                line(&mut out, key, "true", true, "");
            }
        }
        if let Some(storage) = &settings.storage_type {
            line(&mut out, "storage_type", &quoted(storage), true, "");
        }
    }
    let secret = args.secret.clone();
    line(
        &mut out,
        "secret",
        &quoted(secret.as_deref().unwrap_or("shop/database")),
        secret.is_some(),
        "what the application logs in with",
    );
    out.push_str("# admin_secret = \"shop/database_admin\"   # the master user, where that is another one; then the application has a `role`\n");
    let retention = settings.map_or(7, |settings| u64::from(settings.retention_days));
    line(
        &mut out,
        "retention",
        &quoted(&duration_text(retention * DAY)),
        known,
        "how long automated backups are kept",
    );
    line(
        &mut out,
        "protect",
        "true",
        true,
        "no statement may destroy it",
    );
    line(&mut out, "removal_policy", "\"retain\"", true, "");

    out.push_str("\n# What must hold before anybody believes its data, also after a restore.\n[databases.original.checks]\n");
    line(
        &mut out,
        "not_empty",
        "[\"public.orders\"]",
        false,
        "tables that are never empty",
    );

    out.push_str("\n# The database that a recovery creates. It need not exist now.\n[databases.recovery]\nlike = \"original\"\n");
    line(
        &mut out,
        "instance",
        &quoted(&format!("{id}-recovery")),
        instance.is_some(),
        "",
    );
    let recovery = format!("{}_recovery", secret.as_deref().unwrap_or("shop/database"));
    line(
        &mut out,
        "secret",
        &quoted(&recovery),
        false,
        "a secret of its own; make it before the first incident",
    );
    line(&mut out, "protect", "false", true, "");
    line(&mut out, "removal_policy", "\"snapshot\"", true, "");

    let application = &args.application;
    let _ = writeln!(
        out,
        "\n[applications.{application}]\ndatabases = [\"original\", \"recovery\"]"
    );
    line(
        &mut out,
        "active",
        &format!(
            "{{ pointer = {} }}",
            quoted(&format!("{application}/active_database"))
        ),
        false,
        "the secret that names the active database's secret; or `{ copy = \"…\" }`",
    );
    line(
        &mut out,
        "health",
        &format!(
            "{{ http = {}, expect = 200 }}",
            quoted(&format!("https://{application}.internal/health"))
        ),
        false,
        "asked behind each switch; leave it out where there is none",
    );
    if application != "sgpt" {
        let _ = writeln!(
            out,
            "\n# What the parameters of the shipped runbooks are here.\n[parameters]\napp = {}",
            quoted(application)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_the_folder_is_none() {
        assert!(is_name("prod-eu"));
        for wrong in ["", "../prod", "a/b", ".hidden", "-x", "a b"] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
