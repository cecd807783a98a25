//! The template cluster: made once per server version, kept in the cache, copied for instances.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{ClusterError, SUPERUSER};
use crate::{
    options::Progress,
    postgres::{Cache, Installation, PostgresError, programs::run},
};

/// Counts up when the template's content changes.
const FORMAT: u32 = 1;

/// Everything here is thrown away, so nothing is flushed; a crash of the server alone loses nothing.
const SETTINGS: &str = "
# The sandbox's settings
fsync = off
wal_level = replica
max_wal_senders = 6
max_connections = 100
shared_buffers = 16MB
min_wal_size = 4MB
max_wal_size = 64MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
password_encryption = 'scram-sha-256'
logging_collector = off
log_statement = none
log_min_error_statement = panic
cluster_name = 'rbk-sandbox'
";

/// Gives the template's data directory; makes it where the cache doesn't have it yet.
pub(crate) async fn template(
    installation: &Installation,
    cache: &Cache,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<PathBuf, TemplateError> {
    let template = cache.directory.join(name(installation));
    let _lock = cache.lock("template").await?;
    if template.is_dir() {
        return Ok(template);
    }
    progress(Progress::MakingTemplate {
        version: installation.version.clone(),
    });
    let staging = cache.staging(".template-")?;
    if let Some(account) = installation.account {
        chown(staging.path(), Some(account.uid), Some(account.gid))
            .map_err(ClusterError::files(staging.path()))?;
    }
    let data = staging.path().join("data");
    init(installation, &data).await?;
    append_settings(&data)?;
    fs::rename(&data, &template).map_err(ClusterError::files(&template))?;
    Ok(template)
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The cache can't be used.
    #[error(transparent)]
    Cache(#[from] PostgresError),
    /// The cluster can't be made.
    #[error("the template cluster can't be made: {0}")]
    Cluster(#[from] ClusterError),
}

fn name(installation: &Installation) -> String {
    let mut hash = Sha256::new();
    hash.update(installation.bin.as_os_str().as_encoded_bytes());
    hash.update(SETTINGS);
    let build = hex::encode(hash.finalize());
    let build = build.get(..8).unwrap_or_default();
    format!("template-{}-{FORMAT}-{build}", installation.version)
}

/// `C.UTF-8` isn't everywhere, so plain `C` is the second choice.
async fn init(installation: &Installation, data: &Path) -> Result<(), ClusterError> {
    let mut result = Ok(());
    for locale in ["C.UTF-8", "C"] {
        let made = run(installation
            .command("initdb")
            .arg("-D")
            .arg(data)
            .args(["-U", SUPERUSER, "--encoding=UTF8", "--auth=reject"])
            .args(["--wal-segsize=1", "--no-sync", "--no-instructions"])
            .arg(format!("--locale={locale}")))
        .await;
        match made {
            Ok(_) => return Ok(()),
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

fn append_settings(data: &Path) -> Result<(), ClusterError> {
    let path = data.join("postgresql.conf");
    let mut text = fs::read_to_string(&path).map_err(ClusterError::files(&path))?;
    text.push_str(SETTINGS);
    // Written in place, so that the file stays the servers' user's own.
    fs::write(&path, text).map_err(ClusterError::files(&path))
}
