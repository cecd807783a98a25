//! The lock file: what a checker can't see offline of an environment's databases. Written by `rbk env pull`, committed.

mod figures;
mod write;

use super::Environment;
use crate::catalog::Catalog;
use crate::ids::DatabaseName;
use rbk_syntax::{Code, Diagnostic, SourceId, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The version of the format that this build writes; newer ones are refused.
pub const LOCK_VERSION: u32 = 1;

/// What a lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// By the database that they were read from.
    pub databases: BTreeMap<DatabaseName, Catalog>,
}

/// Whatever holds a lock file, or reads it once somebody asks.
pub trait LockSource {
    /// What it says; absent where it could not be read, which is told by whoever reads it.
    fn lock(&self) -> Option<&Lock>;
}

impl LockSource for Lock {
    fn lock(&self) -> Option<&Lock> {
        Some(self)
    }
}

/// A lock file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    databases: BTreeMap<DatabaseName, Catalog>,
}

impl Lock {
    /// The lock file that belongs to an environment file: `prod.lock.toml` beside `prod.toml`.
    pub fn path(environment: &Path) -> PathBuf {
        environment.with_extension("lock.toml")
    }

    /// Reads the text of a lock file.
    pub fn read(text: &str) -> Result<Self, LockError> {
        let document = DeTable::parse(text).map_err(|error| LockError::syntax(&error, text))?;
        // First of all: what a newer version means by its keys is nothing that this build can judge.
        let version = document.get_ref().get("version");
        if let Some(version) = version
            && let DeValue::Integer(number) = version.get_ref()
            && u64::from_str_radix(number.as_str(), number.radix())
                .is_ok_and(|number| number > u64::from(LOCK_VERSION))
        {
            return Err(LockError::Newer {
                version: number.to_string(),
                at: version.span(),
            });
        }
        let Form { databases, .. } = Form::deserialize(toml::Deserializer::from(document))
            .map_err(|error| LockError::shape(&error, text))?;
        Ok(Self { databases })
    }

    /// What is said of a database: of itself, or of the one that it is like.
    pub fn catalog<'l>(
        &'l self,
        environment: &Environment,
        database: &DatabaseName,
    ) -> Option<&'l Catalog> {
        let mut name = database;
        // A chain of `like` is finite: the environment was refused otherwise.
        for _ in 0..=environment.databases.len() {
            if let Some(catalog) = self.databases.get(name) {
                return Some(catalog);
            }
            name = environment
                .databases
                .get(name)
                .and_then(|database| database.like.as_ref())?;
        }
        None
    }
}

/// What is wrong with a lock file. Places are in bytes of its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It isn't TOML.
    #[error("the lock file is not TOML: {problem}")]
    Syntax {
        /// In the parser's words.
        problem: String,
        /// Where.
        at: Range<usize>,
        /// Whether a merge has left its marks there.
        merge: bool,
    },
    /// A newer rbk wrote it.
    #[error("the lock file is of version {version}, and this rbk knows {LOCK_VERSION}")]
    Newer {
        /// Its version, as written.
        version: String,
        /// Where that stands.
        at: Range<usize>,
    },
    /// Something in it isn't what rbk writes.
    #[error("the lock file says something else than rbk writes: {problem}")]
    Shape {
        /// In the parser's words.
        problem: String,
        /// Where.
        at: Range<usize>,
    },
}

impl LockError {
    /// As it is shown. `source` is the lock file's text, `environment` the name of its environment.
    pub fn into_diagnostic(self, source: SourceId, environment: &str) -> Diagnostic {
        let written_again = format!(
            "it is written by rbk alone: take it back to how it was committed, or write it again: `rbk env pull --env {environment}`"
        );
        let (code, at, label, help) = match &self {
            Self::Syntax {
                at, merge: true, ..
            } => (
                "RBK3035",
                at,
                "a merge left this",
                format!(
                    "take either side as it is, then read the databases again: `rbk env pull --env {environment}`"
                ),
            ),
            Self::Syntax { at, .. } => ("RBK3035", at, "here", written_again),
            Self::Newer { at, .. } => (
                "RBK3036",
                at,
                "newer than this rbk",
                "install the rbk that wrote it, rather than writing it again with this one"
                    .to_owned(),
            ),
            Self::Shape { at, .. } => ("RBK3037", at, "here", written_again),
        };
        let span = Span::new(source, at.start, at.end);
        Diagnostic::error(Code(code), self.to_string(), span, label).help(help)
    }

    fn syntax(error: &toml::de::Error, text: &str) -> Self {
        let at = place(error, text);
        let line = text
            .get(..at.start)
            .and_then(|before| text.get(before.rfind('\n').map_or(0, |newline| newline + 1)..))
            .unwrap_or("");
        let merge = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"]
            .iter()
            .any(|mark| line.starts_with(mark));
        Self::Syntax {
            problem: error.message().lines().collect::<Vec<_>>().join(", "),
            at,
            merge,
        }
    }

    fn shape(error: &toml::de::Error, text: &str) -> Self {
        Self::Shape {
            problem: error.message().lines().collect::<Vec<_>>().join(", "),
            at: place(error, text),
        }
    }
}

fn place(error: &toml::de::Error, text: &str) -> Range<usize> {
    let at = error.span().unwrap_or(text.len()..text.len());
    // What a whole table is said to be wrong about stands in its first line.
    let line = text
        .get(at.start..at.end)
        .and_then(|part| part.find('\n'))
        .map_or(at.end, |newline| at.start + newline);
    at.start..line
}
