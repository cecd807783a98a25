//! Journals in a local directory: `<root>/<run>/plan.json`, `<root>/<run>/journal.jsonl`, `<root>/locks/`, and `<root>/plans/<id>`
//! with the run that used a saved plan.

use super::store::{AcquireError, Claim, Log, Store, StoreError, Stored};
use crate::ids::RunId;
use crate::lease::{Lease, LocalLease, Request};
use async_trait::async_trait;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A directory of journals. Its calls block for as long as the disk does: there is one writer, and nothing else to do meanwhile.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Makes nothing until a run begins.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self, run: &RunId) -> Result<PathBuf, StoreError> {
        let plain = run
            .as_str()
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-');
        if run.as_str().is_empty() || !plain {
            return Err(StoreError {
                doing: format!("looking for run `{run}`"),
                message: "a run's name has only letters, digits and hyphens".to_owned(),
            });
        }
        Ok(self.root.join(run.as_str()))
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<Box<dyn Log>, StoreError> {
        let folder = self.folder(run)?;
        let doing = || format!("making `{}`", folder.display());
        make_folder(&self.root).map_err(|error| StoreError::io(doing(), &error))?;
        std::fs::create_dir(&folder).map_err(|error| StoreError::io(doing(), &error))?;
        let file = begin(&folder, plan).map_err(|error| StoreError::io(doing(), &error))?;
        sync_folder(&self.root).map_err(|error| StoreError::io(doing(), &error))?;
        Ok(Box::new(LocalLog { file, folder }))
    }

    async fn open(&self, run: &RunId, length: u64) -> Result<Box<dyn Log>, StoreError> {
        let folder = self.folder(run)?;
        let path = folder.join("journal.jsonl");
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            if file.metadata()?.len() > length {
                file.set_len(length)?;
                file.sync_all()?;
            }
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|error: std::io::Error| {
            StoreError::io(format!("opening `{}`", path.display()), &error)
        })?;
        Ok(Box::new(LocalLog { file, folder }))
    }

    async fn read(&self, run: &RunId) -> Result<Option<Stored>, StoreError> {
        let folder = self.folder(run)?;
        let read = |name: &str| match std::fs::read(folder.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(
                format!("reading `{}`", folder.join(name).display()),
                &error,
            )),
        };
        if !folder.is_dir() {
            return Ok(None);
        }
        Ok(Some(Stored {
            plan: read("plan.json")?.unwrap_or_default(),
            journal: read("journal.jsonl")?.unwrap_or_default(),
        }))
    }

    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        let failed = |error| StoreError::io(format!("listing `{}`", self.root.display()), &error);
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.path().join("journal.jsonl").is_file()
                && let Some(name) = entry.file_name().to_str()
            {
                runs.push(RunId::from(name));
            }
        }
        runs.sort();
        runs.reverse();
        Ok(runs)
    }

    async fn claim(&self, plan: &str) -> Result<Box<dyn Claim>, StoreError> {
        let failed = |message: String| StoreError {
            doing: format!("taking saved plan `{plan}`"),
            message,
        };
        if plan.is_empty() || !plan.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(failed("an id has only letters and digits".to_owned()));
        }
        let folder = self.root.join("plans");
        let open = || {
            make_folder(&folder)?;
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(folder.join(plan))?;
            sync_folder(&folder)?;
            Ok(file)
        };
        let mut file = open().map_err(|error: std::io::Error| failed(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(failed("somebody begins a run of it just now".to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| failed(error.to_string()))?;
        // A line that was cut short by a crash names a run that never began.
        let used_by = text.strip_suffix('\n').map(RunId::from);
        Ok(Box::new(LocalClaim { file, used_by }))
    }

    async fn acquire(&self, request: &Request) -> Result<Box<dyn Lease>, AcquireError> {
        let lease = LocalLease::acquire(&self.root.join("locks"), request)?;
        Ok(Box::new(lease))
    }
}

/// A file that is locked while it is open, with the name of a run in it.
struct LocalClaim {
    file: File,
    used_by: Option<RunId>,
}

#[async_trait]
impl Claim for LocalClaim {
    fn used_by(&self) -> Option<&RunId> {
        self.used_by.as_ref()
    }

    async fn take(&mut self, run: &RunId) -> Result<(), StoreError> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(format!("{run}\n").as_bytes())?;
            self.file.sync_all()
        };
        write().map_err(|error: std::io::Error| {
            StoreError::io(format!("taking a saved plan for run `{run}`"), &error)
        })?;
        self.used_by = Some(run.clone());
        Ok(())
    }
}

/// Makes the folder and those above it; each new name is made durable in the folder that holds it.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    parent.map_or(Ok(()), sync_folder)
}

fn begin(folder: &Path, plan: &[u8]) -> std::io::Result<File> {
    let mut file = File::create_new(folder.join("plan.json"))?;
    file.write_all(plan)?;
    file.sync_all()?;
    let journal = File::create_new(folder.join("journal.jsonl"))?;
    sync_folder(folder)?;
    Ok(journal)
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

struct LocalLog {
    file: File,
    folder: PathBuf,
}

#[async_trait]
impl Log for LocalLog {
    async fn append(&mut self, seq: u64, line: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(|error| {
            StoreError::io(
                format!("writing record {seq} in `{}`", self.folder.display()),
                &error,
            )
        })
    }

    async fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| {
            StoreError::io(
                format!("making the journal in `{}` durable", self.folder.display()),
                &error,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_two_that_begin_a_saved_plan_at_once_one_only_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path());
        let (id, run) = ("ab".repeat(16), RunId::from("20261122t091500-1f3a9c02"));
        let mut first = store.claim(&id).await.unwrap();
        assert_eq!(first.used_by(), None);
        let second = store.claim(&id).await.err().unwrap();
        assert!(second.message.contains("just now"), "{second}");
        first.take(&run).await.unwrap();
        drop(first);
        let later = store.claim(&id).await.unwrap();
        assert_eq!(later.used_by(), Some(&run));
        assert!(store.list().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_id_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::new(folder.path());
        for id in ["", "../locks", "a/b", "a.b"] {
            assert!(store.claim(id).await.is_err(), "{id}");
        }
    }
}
