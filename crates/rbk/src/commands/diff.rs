//! `rbk env diff`: what environment file, lock file, stack and reality disagree about. Changes nothing.

use super::pull::world;
use super::unwritten;
use crate::cli::{EnvironmentDiffArgs, Format};
use crate::exit::{Exit, Failure};
use crate::load::{EnvironmentFile, Near, load_environment};
use crate::render::colour::Screen;
use crate::render::{diagnostics, diff, json_text};
use crate::stack;
use rbk_core::environment::{Environment, LockSource};
use rbk_core::run;
use std::collections::BTreeMap;

/// Compares, tells, and says by the exit code whether anything differs.
pub async fn diff(screen: Screen, args: EnvironmentDiffArgs) -> Result<Exit, Failure> {
    let mut loaded = load_environment(screen, Near::Here, args.environment.env.as_deref())?;
    let catalogs = match &loaded.environment {
        Some(environment) => catalogs(&loaded, environment),
        None => BTreeMap::new(),
    };
    if let (Some(lock), Some(environment)) = (&loaded.lock, &loaded.environment) {
        let wrong = lock.diagnostic(&environment.name, &mut loaded.sources)?;
        loaded.diagnostics.extend(wrong);
    }
    diagnostics::tell(screen, &[loaded.finding()]);
    let Some(environment) = &loaded.environment else {
        return Ok(Exit::Wrong);
    };
    if rbk_syntax::has_errors(&loaded.diagnostics) {
        return Ok(Exit::Wrong);
    }
    let values = stack::values(environment, &loaded.places);
    let (world, environment) = world(screen, environment).await?;
    let report = run::survey(&world, &environment, catalogs).await;
    let settings = stack::settings(&world, &environment, &values).await;
    let document = diff::Document::new(&environment, report, settings);
    match args.format.format {
        Format::Json => screen.data(&json_text(&document)).map_err(unwritten)?,
        Format::Human => screen
            .data(&diff::human(&document, screen.out))
            .map_err(unwritten)?,
    }
    Ok(match (document.drift, document.blind) {
        (true, _) => Exit::Wrong,
        (false, true) => Exit::Outside,
        (false, false) => Exit::Done,
    })
}

/// What the lock file says of each database, `like` applied.
fn catalogs(
    loaded: &EnvironmentFile,
    environment: &Environment,
) -> BTreeMap<rbk_core::ids::DatabaseName, rbk_core::catalog::Catalog> {
    let Some(lock) = loaded.lock.as_ref().and_then(LockSource::lock) else {
        return BTreeMap::new();
    };
    environment
        .databases
        .keys()
        .filter_map(|name| Some((name.clone(), lock.catalog(environment, name)?.clone())))
        .collect()
}
