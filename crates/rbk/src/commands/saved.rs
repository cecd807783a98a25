//! Saved plans: writing one, telling one from a runbook, and proving that what it was made from is what it was.

use crate::adapters::SystemClock;
use crate::cli::PlanArgs;
use crate::exit::{Exit, Failure};
use crate::load::{Given, Loaded, Near, load, load_environment};
use crate::render::colour::Screen;
use crate::runbooks::replace;
use rbk_core::environment;
use rbk_core::journal::SavedUse;
use rbk_core::plan::saved::{
    self, Changed, Input, InputKind, SavedPlan, SavedPlanError, action_changes, catalog_changes,
    changes, digest, text_hash,
};
use rbk_core::plan::{BindError, Plan};
use rbk_core::ports::Clock;
use rbk_core::shell::shell_word;
use rbk_syntax::{SourceId, Sources};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The most bytes of a saved plan that are read: some 100,000 actions.
const MOST: u64 = 256 << 20;

/// How the files are called; only for hints: what a file is, its content says.
const EXTENSION: &str = "rbkplan";

/// A saved plan, if that is what the file is. A file that can't be opened is left to whoever reads runbooks.
pub fn recognise(file: &Path) -> Result<Option<SavedPlan>, Failure> {
    let Ok(mut opened) = std::fs::File::open(file) else {
        return Ok(None);
    };
    if opened.metadata().is_ok_and(|about| !about.is_file()) {
        return Ok(None);
    }
    let unreadable =
        |error: std::io::Error| Failure::outside(format!("reading `{}`: {error}", file.display()));
    let mut bytes = Vec::new();
    (&mut opened)
        .take(4096)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let is_named_so = file.extension().is_some_and(|it| it == EXTENSION);
    if bytes.trim_ascii().is_empty() && is_named_so {
        let reason = "it is empty".to_owned();
        return Err(refused(file, &SavedPlanError::CutOff { reason }));
    }
    if !saved::is_meant_as_saved_plan(&bytes) {
        return Ok(None);
    }
    opened
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    saved::read(&bytes)
        .map(Some)
        .map_err(|error| refused(file, &error))
}

fn refused(file: &Path, error: &SavedPlanError) -> Failure {
    Failure::wrong(format!("`{}`: {error}", file.display()))
        .code(error.code())
        .help(error.help())
}

/// What is wrong with values for holes.
pub fn unbound(errors: &[BindError]) -> Failure {
    let Some(first) = errors.first() else {
        return Failure::said(Exit::Usage);
    };
    let (message, help) = match errors {
        [one] => (one.to_string(), one.help()),
        all => {
            let message: String = all.iter().map(|error| format!("\n  {error}")).collect();
            let mut helps: Vec<String> = all.iter().map(BindError::help).collect();
            helps.dedup();
            let about = if all
                .iter()
                .all(|error| matches!(error, BindError::Missing { .. }))
            {
                "holes without a value"
            } else {
                "values that can't be taken"
            };
            (format!("{} {about}:{message}", all.len()), helps.join("; "))
        }
    };
    Failure::usage(message).code(first.code()).help(help)
}

/// Refuses a plan with holes, before anything is begun.
pub fn no_holes(plan: &Plan) -> Result<(), Failure> {
    match plan.unbound().as_slice() {
        [] => Ok(()),
        errors => Err(unbound(errors)),
    }
}

/// Saves a plan. Returns what is to be told of that.
pub fn save(
    screen: Screen,
    loaded: &Loaded,
    args: &PlanArgs,
    out: &Path,
) -> Result<Vec<String>, Failure> {
    let Some(plan) = &loaded.plan else {
        return Ok(Vec::new());
    };
    may_be_replaced(out)?;
    let unfit =
        |error: serde_json::Error| Failure::wrong(format!("the plan can't be saved: {error}"));
    let clock = SystemClock::new();
    let mut id = [0_u8; 16];
    clock.random(&mut id);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let given: BTreeMap<String, String> = args.set.set.iter().cloned().collect();
    let inputs = inputs(loaded, plan).map_err(unfit)?;
    // A second is as exactly as anybody reads it.
    let now = clock.now();
    let now = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    let saved = SavedPlan::new(id, now, inputs, given, plan.clone()).map_err(unfit)?;
    let text = saved.to_text().map_err(unfit)?;
    // Whoever runs it reads it back: better to know now that it can be.
    match saved::read(text.as_bytes()) {
        Ok(read_back) if read_back == saved => {}
        Ok(_) => return Err(unread("it is another plan when it is read back")),
        Err(error) => return Err(unread(&error.to_string())),
    }
    replace(out, &text)
        .map_err(|error| Failure::outside(format!("writing `{}`: {error}", out.display())))?;
    let holes: String = plan
        .holes()
        .map(|hole| format!(" --set {}=…", hole.name))
        .collect();
    Ok(vec![
        format!(
            "{} saved to {} as plan {}",
            screen.err.green("✓"),
            out.display(),
            saved.id
        ),
        format!(
            "next, once it is reviewed: `rbk run {}{holes}`",
            shell_word(&out.display().to_string())
        ),
    ])
}

fn unread(reason: &str) -> Failure {
    Failure::wrong(format!("the plan can't be saved: {reason}"))
        .code("RBK4073")
        .help("make the runbook's conditions shallower")
}

/// Only a saved plan is ever replaced by one: `--out` with the name of a runbook, an environment or a Terraform plan is a slip, and no
/// option makes it a good idea.
fn may_be_replaced(out: &Path) -> Result<(), Failure> {
    let mut beginning = Vec::new();
    match std::fs::File::open(out) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Failure::outside(format!(
                "looking at `{}`: {error}",
                out.display()
            )));
        }
        Ok(file) => {
            let read = file.take(4096).read_to_end(&mut beginning);
            if read.is_ok() && (beginning.is_empty() || saved::is_saved_plan(&beginning)) {
                return Ok(());
            }
        }
    }
    Err(Failure::usage(format!(
        "`{}` is there, and is no saved plan: it isn't overwritten",
        out.display()
    ))
    .help("name another file, or remove this one first"))
}

/// What a plan was made from, by the very texts that it was made from.
fn inputs(loaded: &Loaded, plan: &Plan) -> Result<Vec<Input>, serde_json::Error> {
    let of_text = |input: InputKind, path: &str| {
        text_of(&loaded.sources, path).map(|text| Input {
            input,
            path: path.to_owned(),
            sha256: text_hash(text),
        })
    };
    let mut inputs: Vec<Input> = of_text(InputKind::Runbook, &plan.runbook.file)
        .into_iter()
        .collect();
    for used in &plan.runbook.uses {
        inputs.extend(of_text(InputKind::Use, &used.file));
    }
    inputs.push(Input {
        input: InputKind::Environment,
        path: loaded.environment_file.display().to_string(),
        sha256: digest(&plan.environment)?,
    });
    // A lock file that nothing of the plan was read from isn't one of its inputs.
    if let Some(lock) = loaded.lock.as_ref().filter(|_| !plan.catalogs.is_empty())
        && let Some(text) = lock.text()
    {
        inputs.push(Input {
            input: InputKind::Lock,
            path: lock.path().display().to_string(),
            sha256: text_hash(text),
        });
    }
    Ok(inputs)
}

fn text_of<'s>(sources: &'s Sources, name: &str) -> Option<&'s str> {
    (0..)
        .map_while(|index| sources.get(SourceId(index)))
        .find(|source| source.name == name)
        .map(|source| source.text.as_str())
}

/// What a comparison of a saved plan with its inputs found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// What isn't as it was.
    pub changed: Vec<Changed>,
    /// What isn't here.
    pub missing: Vec<Changed>,
}

/// Compares what a plan was made from with what is there now.
pub fn compare(screen: Screen, saved: &SavedPlan) -> Result<Comparison, Failure> {
    let mut found = Comparison::default();
    let environment_path = saved
        .input(InputKind::Environment)
        .map(|it| it.path.as_str());
    let (mut other_texts, mut other_lock) = (Vec::new(), None);
    for input in &saved.inputs {
        let path = Path::new(&input.path);
        let tell = |said: Vec<String>| Changed {
            input: input.input,
            path: input.path.clone(),
            said,
        };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                found.missing.push(tell(Vec::new()));
                continue;
            }
            Err(error) => {
                found.missing.push(tell(vec![error.to_string()]));
                continue;
            }
        };
        let is_same = || text_hash(&String::from_utf8_lossy(&bytes)) == input.sha256;
        match input.input {
            InputKind::Runbook | InputKind::Use if is_same() => {}
            InputKind::Runbook | InputKind::Use => {
                other_texts.push(tell(vec!["its text is another".to_owned()]));
            }
            InputKind::Lock if is_same() => {}
            InputKind::Lock => other_lock = Some(tell(Vec::new())),
            InputKind::Environment => {
                let loaded = load_environment(screen, Near::Here, Some(&as_path(&input.path)))?;
                let said = match &loaded.environment {
                    None => vec!["it is wrong now: `rbk env check` tells what".to_owned()],
                    Some(now) => changes(&saved.plan.environment, now),
                };
                if !said.is_empty() {
                    found.changed.push(tell(said));
                }
            }
        }
    }
    if other_texts.is_empty() && other_lock.is_none() {
        return Ok(found);
    }
    // What that does to the plan can be told only where all of it is here.
    let again = match environment_path {
        Some(environment) if found.missing.is_empty() => {
            let file = Path::new(&saved.plan.runbook.file);
            let given: Vec<(String, String)> = saved.given.clone().into_iter().collect();
            let env = as_path(environment);
            load(screen, file, Some(&env), &Given::new(&given)?, None)?.plan
        }
        _ => None,
    };
    if let Some(mut lock) = other_lock {
        match &again {
            // Nothing that the plan has of it.
            Some(again) if again.catalogs == saved.plan.catalogs => {}
            Some(again) => {
                lock.said = catalog_changes(&saved.plan.catalogs, &again.catalogs);
                found.changed.push(lock);
            }
            None => {
                lock.said.push("its text is another".to_owned());
                found.changed.push(lock);
            }
        }
    }
    // What would be done otherwise is told once, and only where nothing else explains it.
    let mut is_explained = !found.changed.is_empty() || !found.missing.is_empty();
    for mut text in other_texts {
        if !is_explained {
            is_explained = true;
            match &again {
                Some(again) => text.said.extend(action_changes(&saved.plan, again)),
                None => text.said.push("`rbk check` finds errors in it".to_owned()),
            }
        }
        found.changed.push(text);
    }
    found.changed.sort_by_key(|changed| changed.input);
    Ok(found)
}

/// The environment file of a saved plan, as `--env` takes it, where it is here.
pub fn environment_file(saved: &SavedPlan) -> Option<String> {
    let input = saved.input(InputKind::Environment)?;
    Path::new(&input.path)
        .exists()
        .then(|| as_path(&input.path))
}

/// A path that `--env` takes for one, and not for a name.
fn as_path(path: &str) -> String {
    // Not changed without need: paths in an environment are relative to its own.
    if path.contains(['/', std::path::MAIN_SEPARATOR]) || path.ends_with(".toml") {
        path.to_owned()
    } else {
        format!("./{path}")
    }
}

/// Refuses `--env` that names another environment than a saved plan's own.
pub fn agree(saved: &SavedPlan, env: Option<&str>) -> Result<(), Failure> {
    let Some(env) = env else {
        return Ok(());
    };
    let own = saved.input(InputKind::Environment);
    let near = Path::new(&saved.plan.runbook.file).parent();
    let named = environment::find(Some(env), near.unwrap_or(Path::new("")));
    let identity = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let agrees = match (&named, own) {
        (Ok(named), Some(own)) => identity(&named.path) == identity(Path::new(&own.path)),
        _ => env == saved.plan.environment.name,
    };
    if agrees {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the plan was saved for environment {} (`{}`), and `--env` says `{env}`",
        saved.plan.environment.name,
        own.map_or("", |own| &own.path)
    ))
    .help("leave out --env: a saved plan has its environment in it; for another one, plan the runbook there"))
}

/// A saved plan that is to be performed now: proven to be of this rbk and of what is here, its holes filled.
pub fn to_run(
    screen: Screen,
    file: &Path,
    saved: &SavedPlan,
    set: &[(String, String)],
    without_inputs: bool,
) -> Result<(Plan, SavedUse), Failure> {
    let running = env!("CARGO_PKG_VERSION");
    if saved.rbk != running {
        let error = SavedPlanError::OtherRbk {
            saved: saved.rbk.clone(),
            running: running.to_owned(),
        };
        return Err(refused(file, &error));
    }
    let Comparison { changed, missing } = compare(screen, saved)?;
    if !changed.is_empty() {
        return Err(refused(file, &SavedPlanError::InputsChanged { changed }));
    }
    let unseen: Vec<String> = missing.iter().map(ToString::to_string).collect();
    if !missing.is_empty() {
        if !without_inputs {
            return Err(refused(file, &SavedPlanError::InputsMissing { missing }));
        }
        screen.warn(format_args!(
            "--without-inputs: nobody can tell whether these have changed since the plan was saved: {}",
            unseen.join(", ")
        ));
    }
    let plan = bind(&saved.plan, set)?;
    no_holes(&plan)?;
    screen.say(format_args!(
        "plan {}, saved at {}, as it was reviewed",
        saved.id, saved.saved_at
    ));
    let used = SavedUse {
        id: saved.id.clone(),
        sha256: saved.sha256.clone(),
        saved_at: saved.saved_at,
        unseen,
    };
    Ok((plan, used))
}

/// Fills holes with what was given.
pub fn bind(plan: &Plan, set: &[(String, String)]) -> Result<Plan, Failure> {
    // Refuses what is given twice.
    Given::new(set)?;
    plan.bind(&set.iter().cloned().collect())
        .map_err(|errors| unbound(&errors))
}

/// Tells of a saved plan that is shown what would become of it if it were run now; nothing of it is an error yet.
pub fn tell(screen: Screen, saved: &SavedPlan) -> Result<(), Failure> {
    screen.say(format_args!(
        "plan {}, saved at {} by rbk {}",
        saved.id, saved.saved_at, saved.rbk
    ));
    let Comparison { changed, missing } = compare(screen, saved)?;
    let running = env!("CARGO_PKG_VERSION");
    if saved.rbk != running {
        screen.warn(format_args!(
            "this is rbk {running}, which would refuse to run it"
        ));
    }
    if !changed.is_empty() {
        screen.warn(SavedPlanError::InputsChanged { changed });
    }
    if !missing.is_empty() {
        screen.warn(SavedPlanError::InputsMissing { missing });
    }
    Ok(())
}
