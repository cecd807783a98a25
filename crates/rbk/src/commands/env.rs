//! `rbk env check`, `rbk env schema`

use super::unwritten;
use crate::cli::{EnvironmentCheckArgs, Format};
use crate::exit::{Exit, Failure};
use crate::load::{Near, load_environment};
use crate::render::colour::Screen;
use crate::render::{diagnostics, json_text};

/// Validates an environment file.
pub fn check(screen: Screen, args: &EnvironmentCheckArgs) -> Result<Exit, Failure> {
    let loaded = load_environment(screen, Near::Here, args.environment.env.as_deref())?;
    match args.format.format {
        Format::Json => screen
            .data(&diagnostics::json(&[loaded.finding()]))
            .map_err(unwritten)?,
        Format::Human => diagnostics::tell(screen, &[loaded.finding()]),
    }
    let Some(environment) = &loaded.environment else {
        return Ok(Exit::Wrong);
    };
    if args.format.format == Format::Human {
        screen.say(format_args!(
            "{} {}: account {}, region {}, databases {}, applications {}",
            screen.err.green("✓"),
            loaded.file.display(),
            environment.account,
            environment.region,
            list(environment.databases.keys()),
            list(environment.applications.keys()),
        ));
    }
    Ok(Exit::Done)
}

/// Prints the JSON Schema of environment files.
pub fn schema(screen: Screen) -> Result<Exit, Failure> {
    let schema = rbk_core::environment::schema();
    screen.data(&json_text(&schema)).map_err(unwritten)?;
    Ok(Exit::Done)
}

fn list(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
