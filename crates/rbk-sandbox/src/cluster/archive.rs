//! Transaction logs: kept from an instance's first base backup on, and recovered from up to an instant.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tokio::time::Instant;

use super::{ARCHIVE_DEADLINE, Cluster, ClusterError, private_directory};
use crate::postgres::Installation;

/// Where an instance's transaction logs are kept. They are thrown away until the directory is there, so that an instance that
/// nobody restores pays nothing.
#[derive(Debug, Clone)]
pub(crate) struct Archive(PathBuf);

impl Archive {
    pub(crate) fn at(directory: PathBuf) -> Archive {
        Archive(directory)
    }

    /// Keeps what is written from now on.
    pub(crate) fn open(&self, installation: &Installation) -> Result<(), ClusterError> {
        private_directory(installation, &self.0)
    }

    /// Removes everything, and keeps nothing more until it is opened again.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "there were no transaction logs to be removed");
        }
    }

    /// For `archive_command`. A segment that was switched early is nearly all zeros, so holes are made where `cp` can.
    pub(super) fn command(&self) -> String {
        let directory = quoted(&self.0);
        format!(
            "test ! -d {directory} || cp --sparse=always '%p' {directory}/'%f' 2>/dev/null || cp '%p' {directory}/'%f'"
        )
    }

    /// For `restore_command`.
    fn restore_command(&self) -> String {
        format!("cp {}/'%f' '%p' 2>/dev/null", quoted(&self.0))
    }
}

/// For the shell, and with PostgreSQL's own placeholders made harmless.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("'{}'", text.replace('%', "%%").replace('\'', "'\\''"))
}

/// An instant for a setting: on the command line PostgreSQL doesn't know what `Z` means yet.
fn literal(time: Timestamp) -> String {
    format!("{time:.6}").replace('Z', "+00")
}

/// How far a copy of a base backup is recovered.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    /// The source's transaction logs.
    pub(crate) archive: Archive,
    /// What was committed later isn't there.
    pub(crate) until: Timestamp,
}

impl Cluster {
    /// Starts the server on a base backup, and waits until it has recovered up to the instant and takes sessions.
    pub(crate) async fn start_recovering(&self, recovery: &Recovery) -> Result<(), ClusterError> {
        let signal = self.data().join("recovery.signal");
        fs::write(&signal, "").map_err(ClusterError::files(&signal))?;
        self.own(&signal)?;
        self.start_with(vec![
            ("restore_command", recovery.archive.restore_command()),
            ("recovery_target_time", literal(recovery.until)),
            ("recovery_target_action", "promote".to_owned()),
            // Sessions are the proof that it is up, so there must be none before the end.
            ("hot_standby", "off".to_owned()),
        ])
        .await
    }

    fn own(&self, path: &Path) -> Result<(), ClusterError> {
        use std::os::unix::fs::chown;
        match self.installation.account {
            Some(account) => {
                chown(path, Some(account.uid), Some(account.gid)).map_err(ClusterError::files(path))
            }
            None => Ok(()),
        }
    }

    /// Keeps what was committed until now; the returned instant, a whole millisecond, can be recovered to.
    ///
    /// PostgreSQL refuses an instant behind the last commit, so there is one of the sandbox's own behind it.
    pub(crate) async fn archive_now(&self) -> Result<Timestamp, ClusterError> {
        let client = self.superuser("postgres").await?;
        let until = end_of_millisecond();
        while Timestamp::now() <= until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        client.batch_execute("SELECT pg_current_xact_id()").await?;
        let row = client
            .query_one("SELECT pg_walfile_name(pg_switch_wal())", &[])
            .await?;
        let segment: String = row.get(0);
        self.until_archived(&segment).await?;
        Ok(until)
    }

    async fn until_archived(&self, segment: &str) -> Result<(), ClusterError> {
        let ready = self
            .data()
            .join(format!("pg_wal/archive_status/{segment}.ready"));
        let kept = self.archive.0.join(segment);
        let deadline = Instant::now() + ARCHIVE_DEADLINE;
        // The archiver takes the mark away after its command has succeeded.
        while ready.exists() || !kept.exists() {
            if Instant::now() > deadline {
                return Err(ClusterError::NotArchived {
                    segment: segment.to_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

/// Clients see milliseconds, and what was acknowledged before must lie before what they see.
fn end_of_millisecond() -> Timestamp {
    let now = Timestamp::now();
    let up = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(RoundMode::Ceil);
    now.round(up).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_says_more_to_the_shell_than_its_name() {
        let archive = Archive::at("/tmp/it's 100% $(mine)".into());
        assert_eq!(
            archive.restore_command(),
            r"cp '/tmp/it'\''s 100%% $(mine)'/'%f' '%p' 2>/dev/null"
        );
    }
}
