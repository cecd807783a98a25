//! Finds Liquibase on this machine, or fetches it through `npm`, pinned by version and hash, once into the cache.
//!
//! The package holds the program with the PostgreSQL driver; Java isn't in it and must be there.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use sha2::{Digest, Sha512};
use tokio::process::Command;

use crate::{
    options::Progress,
    postgres::{Cache, PostgresError, programs::tail},
};

/// The package that carries the program.
const PACKAGE: &str = "liquibase";
/// The package's version; the program in it is Liquibase 4.28.0.
pub const LIQUIBASE_VERSION: &str = "4.28.1";
/// Of the package's file. Source: `npm view liquibase@4.28.1 dist.integrity`, in hex.
const SHA512: &str = "519091037c1661de7b9adfdf5a46190a980e1ab3d65ff0ba50631de2e0c22b15\
                      80e3a63ad7bd17abf6160f331f7cd4ca07ad5a30d9070b1bd7af1fcfb395c836";
/// Where the program is within the package.
const PROGRAM: &str = "dist/liquibase/liquibase";

const ELSE: &str =
    "or put a `liquibase` of your own on the PATH, or name one in [migrations] program";
const JAVA: &str = "install Java 17 or newer (Debian: `apt-get install openjdk-17-jre-headless`, macOS: `brew install openjdk@17`), \
                    or set JAVA_HOME";

/// Why there is no Liquibase to work with, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiquibaseError {
    /// Java can't be started.
    #[error("Liquibase needs Java, but `{program}` can't be started ({reason}); {JAVA}")]
    NoJava {
        /// What was tried.
        program: String,
        /// Why it failed.
        reason: String,
    },
    /// `npm` can't be started.
    #[error(
        "Liquibase is fetched with `npm pack`, but npm can't be started ({source}); install npm, {ELSE}"
    )]
    NoNpm {
        /// What the operating system said.
        source: io::Error,
    },
    /// The registry can't be reached.
    #[error(
        "`{PACKAGE}@{LIQUIBASE_VERSION}` can't be fetched: the registry can't be reached or doesn't have it ({detail}); check the \
         network and npm's configuration, {ELSE}"
    )]
    NoNetwork {
        /// The end of npm's complaint.
        detail: String,
    },
    /// The package isn't the one that was pinned.
    #[error(
        "`{PACKAGE}@{LIQUIBASE_VERSION}` from the registry isn't the pinned file (its SHA-512 differs), so it wasn't used; check \
         npm's registry, {ELSE}"
    )]
    HashMismatch,
    /// The package can't be unpacked, or lacks what it should hold.
    #[error("`{PACKAGE}@{LIQUIBASE_VERSION}` can't be unpacked: {detail}; {ELSE}")]
    Unpack {
        /// What went wrong.
        detail: String,
    },
    /// The cache can't be used.
    #[error(transparent)]
    Cache(#[from] PostgresError),
}

/// Gives the path of the program: the one on the `PATH`, else the one in the cache, which is fetched where it is missing. Java is
/// there when this succeeds.
pub async fn liquibase(progress: impl Fn(Progress) + Sync) -> Result<PathBuf, LiquibaseError> {
    java().await?;
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|directory| directory.join("liquibase"))
        .find(|program| program.is_file());
    match found {
        Some(program) => Ok(program),
        None => bring(&Cache::open()?, "npm", &progress).await,
    }
}

/// As Liquibase itself looks for it.
async fn java() -> Result<(), LiquibaseError> {
    let program = match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let missing = |reason: String| LiquibaseError::NoJava {
        program: program.display().to_string(),
        reason,
    };
    let output = output(Command::new(&program).arg("-version"))
        .await
        .map_err(|error| missing(error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(missing(tail(&String::from_utf8_lossy(&output.stderr))))
    }
}

async fn bring(
    cache: &Cache,
    npm: &str,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<PathBuf, LiquibaseError> {
    let home = cache
        .directory
        .join(format!("{PACKAGE}-{LIQUIBASE_VERSION}"));
    let _lock = cache.lock(PACKAGE).await?;
    if home.is_dir() {
        return Ok(home.join(PROGRAM));
    }
    progress(Progress::BringingLiquibase);
    let staging = cache.staging(".liquibase-")?;
    let file = download(npm, staging.path()).await?;
    let unpacked = unpack(&file, staging.path()).await?;
    fs::rename(&unpacked, &home).map_err(Cache::error(&home))?;
    Ok(home.join(PROGRAM))
}

/// Fetches the package's file, and makes sure that it is the pinned one. Nothing of the package is run.
async fn download(npm: &str, into: &Path) -> Result<PathBuf, LiquibaseError> {
    let output = output(
        Command::new(npm)
            .args([
                "pack",
                "--ignore-scripts",
                "--no-update-notifier",
                "--no-audit",
                "--no-fund",
            ])
            .arg("--pack-destination")
            .arg(into)
            .arg("--cache")
            .arg(into.join("npm"))
            .arg(format!("{PACKAGE}@{LIQUIBASE_VERSION}"))
            .current_dir(into),
    )
    .await
    .map_err(|source| LiquibaseError::NoNpm { source })?;
    if !output.status.success() {
        return Err(LiquibaseError::NoNetwork {
            detail: complaint(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    let file = into.join(format!("{PACKAGE}-{LIQUIBASE_VERSION}.tgz"));
    let mut bytes = fs::File::open(&file).map_err(Cache::error(&file))?;
    let mut hash = Sha512::new();
    io::copy(&mut bytes, &mut hash).map_err(Cache::error(&file))?;
    if hex::encode(hash.finalize()) != SHA512 {
        return Err(LiquibaseError::HashMismatch);
    }
    Ok(file)
}

async fn unpack(file: &Path, staging: &Path) -> Result<PathBuf, LiquibaseError> {
    let failed = |detail: String| LiquibaseError::Unpack { detail };
    let output = output(
        Command::new("tar")
            .arg("-xzf")
            .arg(file)
            .arg("-C")
            .arg(staging)
            .arg("--no-same-owner"),
    )
    .await
    .map_err(|error| failed(format!("tar: {error}")))?;
    if !output.status.success() {
        return Err(failed(tail(&String::from_utf8_lossy(&output.stderr))));
    }
    // npm's files have their content in a folder of this name.
    let unpacked = staging.join("package");
    if !unpacked.join(PROGRAM).is_file() {
        return Err(failed(format!("there is no `{PROGRAM}` in it")));
    }
    Ok(unpacked)
}

/// npm's own words for what went wrong, without the lines about its log files.
fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("npm error "))
        .filter(|line| !line.starts_with("A complete log") && !line.contains("_logs"))
        .take(3)
        .collect();
    if lines.is_empty() {
        tail(stderr)
    } else {
        lines.join("; ")
    }
}

async fn output(command: &mut Command) -> io::Result<Output> {
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What happens with an npm that does this.
    async fn with_npm(script: &str) -> (Result<PathBuf, LiquibaseError>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            directory: directory.path().join("cache"),
            account: None,
        };
        fs::create_dir(&cache.directory).unwrap();
        let npm = directory.path().join("npm");
        fs::write(&npm, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
        let brought = bring(&cache, npm.to_str().unwrap(), &|_| {}).await;
        let left = fs::read_dir(&cache.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        (brought, left)
    }

    #[tokio::test]
    async fn a_failed_fetch_says_what_to_do_and_leaves_nothing() {
        let (network, left) = with_npm(
            "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network no route' >&2; exit 1",
        )
        .await;
        let error = network.unwrap_err().to_string();
        assert!(error.contains("ENOTFOUND; network no route"), "{error}");
        assert!(error.contains("[migrations] program"), "{error}");
        assert_eq!(left, Vec::<String>::new());
    }

    #[tokio::test]
    async fn another_file_than_the_pinned_one_is_not_used() {
        let (brought, left) = with_npm("echo something else > liquibase-4.28.1.tgz").await;
        assert!(matches!(brought, Err(LiquibaseError::HashMismatch)));
        assert_eq!(left, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_missing_npm_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            directory: directory.path().to_owned(),
            account: None,
        };
        let error = bring(&cache, "/nowhere/npm", &|_| {}).await.unwrap_err();
        assert!(matches!(error, LiquibaseError::NoNpm { .. }), "{error}");
    }
}
