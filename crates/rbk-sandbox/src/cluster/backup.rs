//! Base backups, and copies of data directories.

use std::path::Path;

use jiff::Timestamp;

use super::{Cluster, ClusterError, SOCKET_NUMBER, SUPERUSER};
use crate::postgres::{
    Installation,
    programs::{command, run},
};

/// A backup that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// Everything that was committed before is in it.
    pub(crate) contains: Timestamp,
    /// The oldest instant that it can be recovered to; absent where transaction logs don't continue it.
    pub(crate) recoverable_from: Option<Timestamp>,
}

impl Cluster {
    /// Takes a base backup into `target`, which must not exist.
    pub(crate) async fn base_backup(&self, target: &Path) -> Result<Taken, ClusterError> {
        let contains = Timestamp::now();
        run(self
            .installation
            .command("pg_basebackup")
            .arg("-h")
            .arg(self.socket_directory())
            .args(["-p", &SOCKET_NUMBER.to_string(), "-U", SUPERUSER])
            .arg("-D")
            .arg(target)
            .args(["--format=plain", "--wal-method=stream"])
            .args(["--checkpoint=fast", "--no-sync", "--no-manifest"]))
        .await?;
        Ok(Taken {
            contains,
            // Before its end it isn't consistent.
            recoverable_from: Some(Timestamp::now()),
        })
    }

    /// Copies the data of a server that doesn't run.
    pub(crate) async fn copy_stopped(&self, target: &Path) -> Result<Taken, ClusterError> {
        copy(&self.installation, &self.data(), target).await?;
        Ok(Taken {
            contains: Timestamp::now(),
            recoverable_from: None,
        })
    }
}

/// Copies a data directory, sharing blocks where the file system can.
pub(crate) async fn copy(
    installation: &Installation,
    source: &Path,
    target: &Path,
) -> Result<(), ClusterError> {
    let mut command = command("cp", installation.account);
    if cfg!(target_os = "linux") {
        command.args(["-a", "--reflink=auto"]);
    } else {
        command.args(["-Rpc"]);
    }
    run(command.arg(source).arg(target)).await?;
    Ok(())
}
