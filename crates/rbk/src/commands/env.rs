//! `rbk env check`, `rbk env schema`

use super::new::TO_FILL_IN;
use super::unwritten;
use crate::cli::{EnvironmentCheckArgs, Format};
use crate::exit::{Exit, Failure};
use crate::load::{EnvironmentFile, Near, load_environment};
use crate::render::colour::Screen;
use crate::render::{diagnostics, json_text};
use rbk_core::environment::{Environment, LockSource};
use rbk_syntax::has_errors;

/// Validates an environment file.
pub fn check(screen: Screen, args: &EnvironmentCheckArgs) -> Result<Exit, Failure> {
    let mut loaded = load_environment(screen, Near::Here, args.environment.env.as_deref())?;
    if let (Some(lock), Some(environment)) = (&loaded.lock, &loaded.environment) {
        lock.lock();
        let wrong = lock.diagnostic(&environment.name, &mut loaded.sources)?;
        loaded.diagnostics.extend(wrong);
    }
    match args.format.format {
        Format::Json => screen
            .data(&diagnostics::json(&[loaded.finding()]))
            .map_err(unwritten)?,
        Format::Human => diagnostics::tell(screen, &[loaded.finding()]),
    }
    let Some(environment) = &loaded.environment else {
        return Ok(Exit::Wrong);
    };
    if has_errors(&loaded.diagnostics) {
        return Ok(Exit::Wrong);
    }
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
        screen.say(format_args!("  {}", about_lock(&loaded, environment)));
        let text = std::fs::read_to_string(&loaded.file).unwrap_or_default();
        let open = text.lines().filter(|line| line.contains(TO_FILL_IN));
        let open = open.count();
        if open > 0 {
            screen.warn(format_args!(
                "{open} line{} still marked `{TO_FILL_IN}`: {} an example, and not yours",
                if open == 1 { " is" } else { "s are" },
                if open == 1 { "it holds" } else { "each holds" },
            ));
        }
    }
    Ok(Exit::Done)
}

/// Whether there is a lock file, and which databases it is about.
fn about_lock(loaded: &EnvironmentFile, environment: &Environment) -> String {
    let Some(file) = &loaded.lock else {
        return format!(
            "no lock file: statements on schema objects need one, from `rbk env pull --env {}`",
            environment.name
        );
    };
    let lock = file.lock().cloned().unwrap_or_default();
    let (known, unknown): (Vec<_>, Vec<_>) = environment
        .databases
        .keys()
        .partition(|name| lock.catalog(environment, name).is_some());
    let without = match unknown.as_slice() {
        [] => String::new(),
        names => format!("; nothing about {}", list(names.iter())),
    };
    format!(
        "{} knows the schemas of {}{without}",
        file.path().display(),
        list(known.iter())
    )
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
