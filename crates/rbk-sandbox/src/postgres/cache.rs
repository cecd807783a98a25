//! The cache directory: fetched servers and template clusters, shared by all sandboxes of a user.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{CACHE_VARIABLE, PostgresError};

/// The unprivileged user that runs server programs when the sandbox runs as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerAccount {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A directory that the user who runs the servers can reach.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    pub(crate) directory: PathBuf,
    pub(crate) account: Option<ServerAccount>,
}

impl Cache {
    /// Opens the cache, and makes it where it is missing.
    pub(crate) fn open() -> Result<Cache, PostgresError> {
        let root = rustix::process::geteuid().is_root();
        let account = if root { Some(server_account()?) } else { None };
        let chosen = std::env::var_os(CACHE_VARIABLE).map(PathBuf::from);
        let candidates = if let Some(directory) = chosen {
            vec![directory]
        } else if root {
            vec![
                PathBuf::from("/var/cache/rbk"),
                PathBuf::from("/var/tmp/rbk-cache"),
            ]
        } else {
            vec![users_cache()]
        };
        let mut last = None;
        for directory in candidates {
            match prepare(&directory) {
                Ok(()) => return Ok(Cache { directory, account }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(PostgresError::NoServerAccount))
    }

    /// Waits for the lock `name`, which other processes share; it ends with the returned file.
    pub(crate) async fn lock(&self, name: &str) -> Result<File, PostgresError> {
        let path = self.directory.join(format!("{name}.lock"));
        let error_path = path.clone();
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        locked.map_err(|source| PostgresError::Cache {
            path: error_path,
            source,
        })
    }

    /// Makes a directory for something unfinished. What a killed process left under this prefix is
    /// removed first, so the caller must hold the lock that goes with the prefix.
    pub(crate) fn staging(&self, prefix: &str) -> Result<tempfile::TempDir, PostgresError> {
        let fail = Cache::error(&self.directory);
        let make = || {
            for entry in fs::read_dir(&self.directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(prefix) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
            tempfile::Builder::new()
                .prefix(prefix)
                .tempdir_in(&self.directory)
        };
        make().map_err(fail)
    }

    pub(crate) fn error(path: &Path) -> impl FnOnce(io::Error) -> PostgresError + use<> {
        let path = path.to_path_buf();
        move |source| PostgresError::Cache { path, source }
    }
}

fn prepare(directory: &Path) -> Result<(), PostgresError> {
    let fail = |source| PostgresError::Cache {
        path: directory.to_path_buf(),
        source,
    };
    fs::create_dir_all(directory).map_err(fail)?;
    let metadata = fs::symlink_metadata(directory).map_err(fail)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || !metadata.is_dir() {
        return Err(PostgresError::ForeignCache {
            path: directory.to_path_buf(),
        });
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).map_err(fail)?;
    tempfile::tempfile_in(directory).map_err(fail)?;
    Ok(())
}

fn users_cache() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_else(std::env::temp_dir);
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| home().join(".cache"))
        .join("rbk")
}

fn server_account() -> Result<ServerAccount, PostgresError> {
    let path = Path::new("/etc/passwd");
    let users = fs::read_to_string(path).map_err(Cache::error(path))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| account_of(&users, name))
        .ok_or(PostgresError::NoServerAccount)
}

fn account_of(passwd: &str, name: &str) -> Option<ServerAccount> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(ServerAccount { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_unfinished_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            directory: directory.path().to_owned(),
            account: None,
        };
        for name in [".fetch-old/unpacked", "kept", ".template-other"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let staging = cache.staging(".fetch-").unwrap();
        assert!(staging.path().is_dir());
        assert!(!directory.path().join(".fetch-old").exists());
        assert!(directory.path().join("kept").exists());
        assert!(directory.path().join(".template-other").exists());
    }

    #[test]
    fn the_server_account_is_read_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresql:x:1:1::/:/bin/sh\npostgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(
            account_of(passwd, "postgres"),
            Some(ServerAccount { uid: 101, gid: 104 })
        );
        assert_eq!(account_of(passwd, "nobody"), None);
    }
}
