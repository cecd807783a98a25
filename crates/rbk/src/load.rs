//! From files to a checked plan: shared by `check`, `plan`, `run` and `drill`. Opens files, and nothing else.

use crate::exit::{Exit, Failure};
use crate::files::Files;
use crate::lock::LockFile;
use crate::overlay::Overlay;
use crate::render::colour::Screen;
use crate::render::diagnostics::{self, Finding};
use crate::uses;
use rbk_core::check::{self, Input};
use rbk_core::environment::{
    self, ENVIRONMENTS, Environment, LockSource, LookupError, PROJECT_FILE, Places,
};
use rbk_core::plan::Plan;
use rbk_syntax::ast::Item;
use rbk_syntax::{Diagnostic, MAX_TEXT, SourceId, Sources, Span, has_errors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A runbook, checked against its environment.
pub struct Loaded {
    /// The runbook's file as it was given.
    pub file: PathBuf,
    /// All texts that diagnostics point into.
    pub sources: Sources,
    /// Everything there is to say about them.
    pub diagnostics: Vec<Diagnostic>,
    /// The plan; absent where there are errors.
    pub plan: Option<Plan>,
    /// What an overlay changed about the environment, a line each.
    pub overlaid: Vec<String>,
    /// The environment's file.
    pub environment_file: PathBuf,
    /// The environment's lock file, if there is one.
    pub lock: Option<LockFile>,
}

impl Loaded {
    /// The diagnostics and what they point into.
    pub fn finding(&self) -> Finding<'_> {
        Finding {
            sources: &self.sources,
            diagnostics: &self.diagnostics,
        }
    }

    /// One line about a runbook without errors.
    pub fn about(&self) -> String {
        let name = self.file.display();
        match &self.plan {
            Some(plan) => {
                let steps = plan.steps.len();
                let actions: usize = plan.steps.iter().map(|step| step.actions.len()).sum();
                format!(
                    "{name}: \"{}\" is right for {}: {steps} step{}, {actions} action{}",
                    plan.runbook.title,
                    plan.environment.name,
                    if steps == 1 { "" } else { "s" },
                    if actions == 1 { "" } else { "s" },
                )
            }
            None => name.to_string(),
        }
    }
}

/// What was given with `--set`.
#[derive(Debug, Clone, Default)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    /// Refuses a parameter that is given twice.
    pub fn new(assignments: &[(String, String)]) -> Result<Self, Failure> {
        let mut given = BTreeMap::new();
        for (name, value) in assignments {
            if given.insert(name.clone(), value.clone()).is_some() {
                return Err(Failure::usage(format!("`--set {name}=…` is given twice"))
                    .help("give each parameter once"));
            }
        }
        Ok(Self(given))
    }

    /// The same and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What of it a runbook has a parameter for.
    fn declared(&self, items: &[Item]) -> Self {
        let names = names(items);
        let own = self.0.iter().filter(|(name, _)| names.contains(*name));
        Self(
            own.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// What is given to each of several runbooks: the parameters that it has. One that none of them has goes to all, to be
    /// refused where it is looked at.
    pub fn of_each(
        assignments: &[(String, String)],
        files: &[PathBuf],
    ) -> Result<Vec<Self>, Failure> {
        let Self(given) = Self::new(assignments)?;
        let declared: Vec<BTreeSet<String>> = files
            .iter()
            .map(|file| parameters(file))
            .collect::<Result<_, _>>()?;
        let is_declared = |name: &String| declared.iter().any(|names| names.contains(name));
        Ok(declared
            .iter()
            .map(|names| {
                let own = given
                    .iter()
                    .filter(|(name, _)| names.contains(*name) || !is_declared(name));
                Self(
                    own.map(|(name, value)| (name.clone(), value.clone()))
                        .collect(),
                )
            })
            .collect())
    }
}

/// The names of a runbook's parameters, as far as it can be read.
fn parameters(file: &Path) -> Result<BTreeSet<String>, Failure> {
    let bytes = read(&Files::Disk, file, "the runbook")?;
    let (id, text, _) = add(&mut Sources::default(), file, &bytes);
    let items = rbk_syntax::parse(id, &text)
        .runbook
        .map(|runbook| runbook.items)
        .unwrap_or_default();
    Ok(names(&items))
}

/// The names of the parameters among a runbook's items.
fn names(items: &[Item]) -> BTreeSet<String> {
    let names = items.iter().filter_map(|item| match item {
        Item::Param(param) => Some(param.name.value.clone()),
        _ => None,
    });
    names.collect()
}

/// Where runbooks usually are, seen from a project's own folder.
const RUNBOOKS: &str = "runbooks";

/// Reads, parses, checks and plans a runbook, with what a sandbox changes about its environment.
pub fn load(
    screen: Screen,
    file: &Path,
    env: Option<&str>,
    given: &Given,
    overlay: Option<&Overlay>,
) -> Result<Loaded, Failure> {
    load_from(&Files::Disk, screen, file, env, given, overlay)
}

/// The same with files that are read from elsewhere. Of a past revision, only parameters that it has are given.
pub fn load_from(
    files: &Files,
    screen: Screen,
    file: &Path,
    env: Option<&str>,
    given: &Given,
    overlay: Option<&Overlay>,
) -> Result<Loaded, Failure> {
    let bytes = read(files, file, "the runbook")?;
    let EnvironmentFile {
        mut sources,
        mut diagnostics,
        places,
        mut environment,
        lock,
        file: environment_file,
    } = load_environment_from(files, screen, Near::Runbook(file), env)?;
    let mut overlaid = Vec::new();
    if let (Some(environment), Some(overlay)) = (&mut environment, overlay) {
        overlaid = overlay.apply(environment);
    }
    let (id, text, undecodable) = add(&mut sources, file, &bytes);
    let mut plan = None;
    if let Some(diagnostic) = undecodable {
        diagnostics.push(diagnostic);
    } else {
        let parsed = rbk_syntax::parse(id, &text);
        diagnostics.extend(parsed.diagnostics);
        // The tree is checked also if some of it could not be read, so that all errors show at once.
        if let (Some(runbook), Some(environment)) = (&parsed.runbook, &environment) {
            let uses = uses::read(files, file, runbook, &mut sources, &mut diagnostics);
            let given = match files {
                Files::Disk => given.clone(),
                Files::Revision(_) => given.declared(&runbook.items),
            };
            let input = Input {
                runbook,
                environment,
                places: &places,
                lock: lock.as_ref().map(|lock| lock as &dyn LockSource),
                given: &given.0,
                uses: &uses,
            };
            let checked = check::check(&input, &mut sources);
            diagnostics.extend(checked.diagnostics);
            if let Some(lock) = &lock {
                diagnostics.extend(lock.diagnostic(&environment.name, &mut sources)?);
            }
            plan = checked
                .program
                .filter(|_| !has_errors(&diagnostics))
                .map(|program| rbk_core::lower::plan(&program, &file.display().to_string(), &text));
        }
    }
    // Passes find things in their own order; people read from top to bottom.
    diagnostics.sort_by_key(|diagnostic| {
        (
            diagnostic.primary.span.source,
            diagnostic.primary.span.start,
        )
    });
    Ok(Loaded {
        file: file.to_owned(),
        sources,
        diagnostics,
        plan,
        overlaid,
        environment_file,
        lock,
    })
}

/// An environment file, read.
pub struct EnvironmentFile {
    /// Its path.
    pub file: PathBuf,
    /// Its text.
    pub sources: Sources,
    /// Everything there is to say about it.
    pub diagnostics: Vec<Diagnostic>,
    /// Where its parts stand.
    pub places: Places,
    /// The environment; absent where there are errors.
    pub environment: Option<Environment>,
    /// Its lock file, if there is one; not read yet.
    pub lock: Option<LockFile>,
}

impl EnvironmentFile {
    /// The diagnostics and what they point into.
    pub fn finding(&self) -> Finding<'_> {
        Finding {
            sources: &self.sources,
            diagnostics: &self.diagnostics,
        }
    }
}

/// Where an environment is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Near<'a> {
    /// Beside a runbook.
    Runbook(&'a Path),
    /// In the current directory and its `runbooks`.
    Here,
}

/// Finds and reads an environment file: the one that `--env` names, or else the default of `rbk.toml`.
pub fn load_environment(
    screen: Screen,
    near: Near<'_>,
    env: Option<&str>,
) -> Result<EnvironmentFile, Failure> {
    load_environment_from(&Files::Disk, screen, near, env)
}

fn load_environment_from(
    files: &Files,
    screen: Screen,
    near: Near<'_>,
    env: Option<&str>,
) -> Result<EnvironmentFile, Failure> {
    let environment::EnvironmentFile { name, path: file } = files
        .environment(env, &project_directory(near))
        .map_err(|error| lookup_failure(screen, &error))?;
    let bytes = read(files, &file, "the environment")?;
    let mut sources = Sources::default();
    let (id, text, undecodable) = add(&mut sources, &file, &bytes);
    if let Some(diagnostic) = undecodable {
        let (diagnostics, places) = (vec![diagnostic], Places::default());
        return Ok(EnvironmentFile {
            file,
            sources,
            diagnostics,
            places,
            environment: None,
            lock: None,
        });
    }
    let base = file.parent().unwrap_or(Path::new(""));
    let environment::Loaded {
        environment,
        places,
        diagnostics,
    } = environment::load(&name, id, &text, base);
    let lock = LockFile::beside(files, &file);
    Ok(EnvironmentFile {
        lock,
        file,
        sources,
        diagnostics,
        places,
        environment,
    })
}

/// The environment, for commands that do nothing without one; its diagnostics are printed here.
pub fn environment_or_tell(screen: Screen, env: Option<&str>) -> Result<Environment, Failure> {
    let loaded = load_environment(screen, Near::Here, env)?;
    diagnostics::tell(screen, &[loaded.finding()]);
    loaded.environment.ok_or_else(|| Failure::said(Exit::Wrong))
}

/// Reads a file, but not much more of it than would be taken.
fn read(files: &Files, file: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    bytes(files, file)
        .map_err(|error| Failure::wrong(format!("reading {what} `{}`: {error}", file.display())))
}

/// A file's bytes, but not much more of them than would be taken.
pub fn bytes(files: &Files, file: &Path) -> std::io::Result<Vec<u8>> {
    files.bytes(file, MAX_TEXT as u64)
}

/// Adds a text to the sources; where it isn't UTF-8, with a diagnostic at the first byte that is not.
pub fn add(
    sources: &mut Sources,
    file: &Path,
    bytes: &[u8],
) -> (SourceId, String, Option<Diagnostic>) {
    let name = file.display().to_string();
    let error = match rbk_syntax::decode(bytes) {
        Ok(text) => return (sources.add(name, text.clone()), text, None),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(bytes).into_owned();
    // A text that is cut for its length may be cut within a character; its length is what is wrong with it.
    if bytes.len() > MAX_TEXT {
        return (sources.add(name, text.clone()), text, None);
    }
    let id = sources.add(name, text.clone());
    let replacement = char::REPLACEMENT_CHARACTER.len_utf8();
    let span = Span::new(id, error.offset, error.offset + replacement);
    let diagnostic = Diagnostic::error(
        error.code(),
        error.to_string(),
        span,
        "this is no character",
    )
    .help(error.help());
    (id, text, Some(diagnostic))
}

/// The folder in which `environments/` and `rbk.toml` are looked for.
fn project_directory(near: Near<'_>) -> PathBuf {
    let here = Path::new("");
    match near {
        Near::Runbook(file) => file.parent().unwrap_or(here).to_owned(),
        Near::Here => [here, Path::new(RUNBOOKS)]
            .into_iter()
            .find(|folder| folder.join(PROJECT_FILE).exists() || folder.join(ENVIRONMENTS).is_dir())
            .unwrap_or(here)
            .to_owned(),
    }
}

/// What a lookup failed for; mistakes in `rbk.toml` are drawn at once.
fn lookup_failure(screen: Screen, error: &LookupError) -> Failure {
    if let LookupError::WrongProject { file, diagnostics } = error {
        let mut sources = Sources::default();
        sources.add(file.name.clone(), file.text.clone());
        diagnostics::tell(
            screen,
            &[Finding {
                sources: &sources,
                diagnostics,
            }],
        );
    }
    Failure::wrong(error.to_string()).help(error.help())
}
