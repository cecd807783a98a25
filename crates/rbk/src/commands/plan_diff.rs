//! `rbk plan FILE --diff BASE`: what a change does to the actions.

use crate::cli::PlanArgs;
use crate::exit::Failure;
use crate::files::{Files, Revision};
use crate::load::{Given, load_from};
use crate::render::colour::Screen;
use rbk_core::environment::LookupError;
use rbk_core::plan::diff::PlanDiff;
use rbk_core::plan::{PLAN_VERSION, Plan};
use rbk_syntax::Severity;
use std::path::Path;

/// The most bytes of a saved plan that are read.
const MOST: u64 = 256 << 20;

/// Compares a plan with what `--diff` names: a saved plan, or the same runbook in a revision of its repository.
pub fn compare(
    screen: Screen,
    args: &PlanArgs,
    given: &Given,
    base: &str,
    head: &Plan,
) -> Result<PlanDiff, Failure> {
    let base = if Path::new(base).is_file() {
        Some(saved(Path::new(base))?)
    } else {
        committed(screen, args, given, base)?
    };
    Ok(PlanDiff::of(base.as_ref(), head))
}

/// A plan that `--format json` or `--out` wrote.
fn saved(file: &Path) -> Result<Plan, Failure> {
    let name = file.display();
    let what_to_do = "write one with `rbk plan FILE --format json > base.json`";
    let bytes = Files::Disk
        .bytes(file, MOST)
        .map_err(|error| Failure::wrong(format!("reading the plan `{name}`: {error}")))?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::wrong(format!("`{name}` is no saved plan: {error}")).help(what_to_do)
    })?;
    // A saved plan for `rbk run` holds the plan among what it was made of.
    let plan = document.get("plan").unwrap_or(&document);
    let version = plan.get("version").and_then(serde_json::Value::as_u64);
    match version {
        Some(version) if version > u64::from(PLAN_VERSION) => {
            return Err(Failure::wrong(format!(
                "the plan `{name}` is of version {version}, and this rbk knows {PLAN_VERSION}"
            ))
            .help("compare with the rbk that wrote it, or a newer one"));
        }
        Some(_) => {}
        None => {
            return Err(
                Failure::wrong(format!("`{name}` is no saved plan: it has no version"))
                    .help(what_to_do),
            );
        }
    }
    serde_json::from_value(plan.clone()).map_err(|error| {
        Failure::wrong(format!("`{name}` is no saved plan: {error}")).help(what_to_do)
    })
}

/// The plan as of a revision; nothing where the runbook or its environment wasn't there yet.
fn committed(
    screen: Screen,
    args: &PlanArgs,
    given: &Given,
    base: &str,
) -> Result<Option<Plan>, Failure> {
    let revision = Revision::of(&args.file, base)
        .map_err(|error| Failure::wrong(error.to_string()).help(error.help()))?;
    let commit = revision.commit().get(..12).unwrap_or_default().to_owned();
    let called = if commit.starts_with(base) {
        commit
    } else {
        format!("{base} ({commit})")
    };
    let files = Files::Revision(revision);
    if files.is_absent(&args.file) {
        screen.say(format_args!(
            "{} isn't in {called}: everything is new",
            args.file.display()
        ));
        return Ok(None);
    }
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let env = args.environment.env.as_deref();
    if environment_is_new(&files, env, folder) {
        screen.say(format_args!(
            "its environment isn't in {called}: everything is new"
        ));
        return Ok(None);
    }
    let loaded = load_from(&files, screen, &args.file, env, given, None)?;
    match loaded.plan {
        Some(plan) => Ok(Some(plan)),
        None => {
            let errors = loaded.diagnostics.iter();
            let first = errors
                .clone()
                .find(|diagnostic| diagnostic.severity == Severity::Error)
                .map_or_else(String::new, |first| {
                    format!(": {} {}", first.code, first.message)
                });
            Err(Failure::wrong(format!(
                "the runbook as of {called} isn't right, so there is nothing to compare with{first}"
            ))
            .help(
                "review the whole plan, without `--diff`, or name a revision in which it was right",
            ))
        }
    }
}

/// Whether the environment is there now and wasn't in the revision.
fn environment_is_new(files: &Files, env: Option<&str>, folder: &Path) -> bool {
    match files.environment(env, folder) {
        Ok(environment) => files.is_absent(&environment.path),
        Err(LookupError::NoSuchEnvironment { .. } | LookupError::NoDefault { .. }) => {
            Files::Disk.environment(env, folder).is_ok()
        }
        Err(LookupError::WrongProject { .. } | LookupError::Unreadable { .. }) => false,
    }
}
