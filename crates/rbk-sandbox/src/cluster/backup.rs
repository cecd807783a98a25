//! Base backups, and copies of data directories.

use std::path::Path;

use jiff::Timestamp;

use super::{Cluster, ClusterError, SOCKET_NUMBER, SUPERUSER};
use crate::postgres::{
    Installation,
    programs::{command, run},
};

impl Cluster {
    /// Takes a base backup into `target`, which must not exist.
    ///
    /// Everything that was committed before the returned instant is in it.
    pub(crate) async fn base_backup(&self, target: &Path) -> Result<Timestamp, ClusterError> {
        let contained = Timestamp::now();
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
        Ok(contained)
    }

    /// Copies the data of a server that doesn't run.
    pub(crate) async fn copy_stopped(&self, target: &Path) -> Result<Timestamp, ClusterError> {
        copy(&self.installation, &self.data(), target).await?;
        Ok(Timestamp::now())
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
