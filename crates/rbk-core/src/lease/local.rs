//! Leases of this machine: one locked file an entity. The operating system gives a lock back when its process ends, however
//! it ends.

use super::{AcquireFailure, Held, Holder, Lease, Request};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Locked files, in the order of their entities.
#[derive(Debug)]
pub struct LocalLease {
    entities: Vec<String>,
    locks: Vec<Lock>,
}

/// A locked file, and the file beside it that says who has it (a locked file can't be read by others everywhere).
#[derive(Debug)]
struct Lock {
    /// Holds the lock while it is open.
    _file: File,
    note: PathBuf,
}

impl LocalLease {
    /// Takes all locks, in sorted order, or none.
    pub fn acquire(folder: &Path, request: &Request) -> Result<Self, AcquireFailure> {
        let failed = |path: &Path, error: &std::io::Error| AcquireFailure::Io {
            doing: format!("locking `{}`", path.display()),
            message: error.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let note = serde_json::to_vec(&request.holder).map_err(|error| AcquireFailure::Io {
            doing: "writing who holds a lock".to_owned(),
            message: error.to_string(),
        })?;
        let mut lease = Self {
            entities: request.entities.clone(),
            locks: Vec::new(),
        };
        lease.entities.sort();
        lease.entities.dedup();
        for entity in &lease.entities {
            let path = folder.join(file_name(request, entity));
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path.with_extension("lock"))
                .map_err(|error| failed(&path, &error))?;
            let note_path = path.with_extension("json");
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(AcquireFailure::Held(Held {
                        entity: entity.clone(),
                        holder: read_note(&note_path).map(Box::new),
                    }));
                }
                Err(TryLockError::Error(error)) => return Err(failed(&path, &error)),
            }
            std::fs::write(&note_path, &note).map_err(|error| failed(&note_path, &error))?;
            lease.locks.push(Lock {
                _file: file,
                note: note_path,
            });
        }
        Ok(lease)
    }
}

impl Lease for LocalLease {
    fn entities(&self) -> &[String] {
        &self.entities
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is still held. The locked file itself stays: were it removed, two could lock two files of one name.
        let _ = std::fs::remove_file(&self.note);
    }
}

fn read_note(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// A name that any file system takes, readable as far as that goes.
fn file_name(request: &Request, entity: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&request.account, &request.region, entity] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: String = hex::encode(hash.finalize()).chars().take(16).collect();
    let readable: String = entity
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("{readable}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RunId;

    fn request(run: &str, account: &str, entities: &[&str]) -> Request {
        Request {
            account: account.to_owned(),
            region: "eu-central-1".to_owned(),
            entities: entities.iter().map(|entity| (*entity).to_owned()).collect(),
            holder: Holder {
                run: RunId::from(run),
                operator: "ana".to_owned(),
                pid: 7,
                boot: None,
                since: jiff::Timestamp::UNIX_EPOCH,
            },
        }
    }

    #[test]
    fn two_that_share_one_entity_exclude_each_other_and_the_second_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let first = LocalLease::acquire(folder.path(), &request("a", "1", &["x", "y"])).unwrap();
        let refused = LocalLease::acquire(folder.path(), &request("b", "1", &["y", "z"]));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "`y` is held by run `a` of ana (process 7), since 1970-01-01T00:00:00Z"
        );
        drop(first);
        LocalLease::acquire(folder.path(), &request("b", "1", &["y", "z"])).unwrap();
    }

    #[test]
    fn a_refused_one_keeps_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let _first = LocalLease::acquire(folder.path(), &request("a", "1", &["y"])).unwrap();
        LocalLease::acquire(folder.path(), &request("b", "1", &["x", "y"])).unwrap_err();
        LocalLease::acquire(folder.path(), &request("c", "1", &["x"])).unwrap();
    }

    #[test]
    fn other_accounts_and_names_that_look_alike_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let _first = LocalLease::acquire(folder.path(), &request("a", "1", &["a/b"])).unwrap();
        LocalLease::acquire(folder.path(), &request("b", "2", &["a/b"])).unwrap();
        LocalLease::acquire(folder.path(), &request("b", "1", &["a-b"])).unwrap();
    }
}
