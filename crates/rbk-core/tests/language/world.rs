//! Environments of this repository, and checks against them.

use rbk_core::check::{Input, Uses, check};
use rbk_core::environment::{Environment, Lock, LockSource, Places, load};
use rbk_syntax::{Diagnostic, SourceId, Sources, parse};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// An environment with its lock file.
pub struct World {
    environment: Environment,
    places: Places,
    lock: Option<Lock>,
}

impl World {
    /// `tests/lang/team` of `tests/lang/team.toml`; absent where it has errors, or its lock file can't be read.
    pub fn of(path: &str) -> Option<Self> {
        let text = read(&format!("{path}.toml"));
        let source = Sources::default().add("environment", &text);
        let name = path.rsplit('/').next()?;
        let loaded = load(name, source, &text, &root().join(path).join(".."));
        let lock = root().join(format!("{path}.lock.toml"));
        let lock = match std::fs::read_to_string(lock) {
            Ok(text) => Some(Lock::read(&text).ok()?),
            Err(_) => None,
        };
        Some(Self {
            environment: loaded.environment?,
            places: loaded.places,
            lock,
        })
    }

    /// How spans name the runbook that is checked.
    pub fn runbook() -> SourceId {
        let mut sources = Sources::default();
        sources.add("environment", "");
        sources.add("runbook.rbk", "")
    }

    /// What is said of a runbook that uses no other file.
    pub fn check(&self, text: &str) -> Vec<Diagnostic> {
        let mut sources = Sources::default();
        // The environment's own text comes first, as it does in the program.
        sources.add("environment", "");
        let id = sources.add("runbook.rbk", text);
        let parsed = parse(id, text);
        let mut diagnostics = parsed.diagnostics;
        if let Some(runbook) = &parsed.runbook {
            let input = Input {
                runbook,
                environment: &self.environment,
                places: &self.places,
                lock: self.lock.as_ref().map(|lock| lock as &dyn LockSource),
                given: &BTreeMap::new(),
                uses: &Uses::default(),
            };
            diagnostics.extend(check(&input, &mut sources).diagnostics);
        }
        diagnostics
    }
}

/// `RBK1001: …`, a line each.
pub fn told(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics
        .iter()
        .map(|diagnostic| format!("    {}: {}\n", diagnostic.code, diagnostic.message));
    lines.collect()
}
