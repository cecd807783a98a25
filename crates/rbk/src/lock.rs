//! The lock file beside an environment file: read when something asks for what is in it.

use crate::exit::Failure;
use crate::files::Files;
use rbk_core::environment::{Lock, LockError, LockSource};
use rbk_syntax::{Diagnostic, Sources};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// The most bytes of a lock file that are read: some 20,000 tables.
const MOST: u64 = 64 << 20;

/// A lock file, whether it was read already or not.
pub struct LockFile {
    files: Files,
    path: PathBuf,
    content: OnceCell<Content>,
}

struct Content {
    text: String,
    lock: Result<Lock, Problem>,
}

enum Problem {
    /// In the operating system's words.
    Unreadable(String),
    /// It was read, and is wrong.
    Wrong(LockError),
}

impl LockFile {
    /// The lock file of an environment file, if there is one.
    pub fn beside(files: &Files, environment: &Path) -> Option<Self> {
        let path = Lock::path(environment);
        (!files.is_absent(&path)).then(|| Self {
            files: files.clone(),
            path,
            content: OnceCell::new(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text, if it was read so far.
    pub fn text(&self) -> Option<&str> {
        self.content.get().map(|content| content.text.as_str())
    }

    /// What is wrong with it, if it was read so far.
    pub fn error(&self) -> Option<&LockError> {
        match &self.content.get()?.lock {
            Err(Problem::Wrong(error)) => Some(error),
            _ => None,
        }
    }

    /// What was found wrong with it, if it was read so far; its text is added to the sources.
    pub fn diagnostic(
        &self,
        environment: &str,
        sources: &mut Sources,
    ) -> Result<Option<Diagnostic>, Failure> {
        let Some(content) = self.content.get() else {
            return Ok(None);
        };
        match &content.lock {
            Ok(_) => Ok(None),
            Err(Problem::Unreadable(reason)) => Err(Failure::wrong(format!(
                "reading the lock file `{}`: {reason}",
                self.path.display()
            ))),
            Err(Problem::Wrong(error)) => {
                let source = sources.add(self.path.display().to_string(), content.text.clone());
                Ok(Some(error.clone().into_diagnostic(source, environment)))
            }
        }
    }

    fn content(&self) -> &Content {
        self.content
            .get_or_init(|| match read(&self.files, &self.path) {
                Ok(text) => Content {
                    lock: Lock::read(&text).map_err(Problem::Wrong),
                    text,
                },
                Err(reason) => Content {
                    text: String::new(),
                    lock: Err(Problem::Unreadable(reason)),
                },
            })
    }
}

impl LockSource for LockFile {
    fn lock(&self) -> Option<&Lock> {
        self.content().lock.as_ref().ok()
    }
}

fn read(files: &Files, path: &Path) -> Result<String, String> {
    let bytes = files.bytes(path, MOST).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST {
        return Err(format!("it is larger than {} MB", MOST >> 20));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
