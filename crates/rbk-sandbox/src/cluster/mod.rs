//! One PostgreSQL cluster: its data directory, its server process, its private socket.

mod archive;
pub(crate) mod backup;
pub(crate) mod front;
mod sql;
pub(crate) mod template;
pub(crate) mod tls;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{process::Child, time::Instant};

pub(crate) use archive::{Archive, Recovery};
pub(crate) use sql::{Scram, scram_verifier};

use crate::postgres::{
    Installation, ProgramError,
    programs::{command, tail},
};

/// The superuser, as in RDS; it logs in over the private socket only.
pub(crate) const SUPERUSER: &str = "rdsadmin";

/// The number in the socket's file name; the front's port is another one.
const SOCKET_NUMBER: u16 = 5432;

/// Within the cluster's directory; short, because of the limit below.
const SOCKET_DIRECTORY: &str = "s";

/// Longest path of a Unix socket (104 bytes on macOS, 108 on Linux, with the final zero).
const LONGEST_SOCKET_PATH: usize = 103;

/// How long a server may take to come up; a recovery after a base backup takes about a second.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How long the archiver may take for a segment; usually some milliseconds.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(20);

/// Why a cluster doesn't do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// A program failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The server ended while it was coming up.
    #[error("the server didn't come up: {log}")]
    NotUp {
        /// The end of the server's log.
        log: String,
    },
    /// A file operation failed.
    #[error("`{path}`: {source}; check the free space and the directory's permissions")]
    Files {
        /// The path concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The socket's path is too long.
    #[error(
        "the socket `{path}` has a path of more than {LONGEST_SOCKET_PATH} bytes; start the sandbox in a shorter directory"
    )]
    LongSocketPath {
        /// The path concerned.
        path: PathBuf,
    },
    /// A statement failed.
    #[error("a statement of the sandbox failed: {0}")]
    Sql(#[from] tokio_postgres::Error),
    /// A transaction log isn't kept in time.
    #[error(
        "the transaction log `{segment}` wasn't archived within {ARCHIVE_DEADLINE:?}; see `server.log` in the cluster's directory"
    )]
    NotArchived {
        /// The segment's name.
        segment: String,
    },
    /// A fault asked for it.
    #[error("a planted fault ended it as {0}")]
    Staged(&'static str),
    /// The loopback port can't be opened.
    #[error("port {port} of 127.0.0.1 can't be opened ({source}); choose another one")]
    Port {
        /// The port concerned.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ClusterError {
    pub(crate) fn files(path: &Path) -> impl FnOnce(io::Error) -> ClusterError + use<> {
        let path = path.to_path_buf();
        move |source| ClusterError::Files { path, source }
    }
}

/// A cluster's places; the server may run or not.
#[derive(Debug)]
pub(crate) struct Cluster {
    installation: Installation,
    directory: PathBuf,
    hba_file: PathBuf,
    archive: Archive,
    /// The running server.
    server: tokio::sync::Mutex<Option<Child>>,
}

impl Cluster {
    /// A cluster in `directory`, whose data are copied from `source`: the template, or a snapshot.
    pub(crate) async fn copy(
        installation: &Installation,
        directory: &Path,
        hba_file: &Path,
        archive: Archive,
        source: &Path,
    ) -> Result<Cluster, ClusterError> {
        let cluster = Cluster {
            installation: installation.clone(),
            directory: directory.to_path_buf(),
            hba_file: hba_file.to_path_buf(),
            archive,
            server: tokio::sync::Mutex::new(None),
        };
        Cluster::check_socket_path(directory)?;
        private_directory(installation, directory)?;
        private_directory(installation, &cluster.socket_directory())?;
        backup::copy(installation, source, &cluster.data()).await?;
        Ok(cluster)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn socket_directory(&self) -> PathBuf {
        self.directory.join(SOCKET_DIRECTORY)
    }

    pub(crate) fn socket_file(&self) -> PathBuf {
        socket_file(&self.directory)
    }

    /// Whether a cluster in this directory could have a socket.
    pub(crate) fn check_socket_path(directory: &Path) -> Result<(), ClusterError> {
        let path = socket_file(directory);
        if path.as_os_str().len() > LONGEST_SOCKET_PATH {
            return Err(ClusterError::LongSocketPath { path });
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// Starts the server, and waits until it takes sessions.
    pub(crate) async fn start(&self) -> Result<(), ClusterError> {
        self.start_with(Vec::new()).await
    }

    async fn start_with(&self, more: Vec<(&'static str, String)>) -> Result<(), ClusterError> {
        let mut server = self.server.lock().await;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(ClusterError::files(&self.log()))?;
        let mut command = command(
            self.installation.program("postgres"),
            self.installation.account,
        );
        command.arg("-D").arg(self.data());
        for (name, value) in self.settings().into_iter().chain(more) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|source| ProgramError::NotStarted {
                program: "postgres".into(),
                source,
            })?;
        self.wait_until_up(&mut child).await?;
        *server = Some(child);
        Ok(())
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![
            ("listen_addresses", String::new()),
            ("port", SOCKET_NUMBER.to_string()),
            ("unix_socket_directories", path(self.socket_directory())),
            ("hba_file", path(self.hba_file.clone())),
            // In the data directory, and not in /dev/shm, where a server that is killed leaves it behind.
            ("dynamic_shared_memory_type", "mmap".to_owned()),
            ("archive_mode", "on".to_owned()),
            ("archive_command", self.archive.command()),
        ]
    }

    /// Sessions are the proof, so one is tried until it works or the server has ended.
    async fn wait_until_up(&self, child: &mut Child) -> Result<(), ClusterError> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Ok(client) = self.superuser("postgres").await {
                client.simple_query("SELECT 1").await?;
                return Ok(());
            }
            let ended = !matches!(child.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                return Err(ClusterError::NotUp { log: tail(&log) });
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Stops the server at once; its data stay restartable.
    pub(crate) async fn stop(&self) {
        self.end(Signal::QUIT).await;
    }

    /// Stops the server after its sessions were ended and its data written.
    pub(crate) async fn stop_cleanly(&self) {
        self.end(Signal::INT).await;
    }

    async fn end(&self, signal: Signal) {
        let Some(mut child) = self.server.lock().await.take() else {
            return;
        };
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = rustix::process::kill_process(pid, signal)
        {
            tracing::debug!(%error, "the server had ended already");
        }
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "the server's end wasn't seen");
        }
    }

    /// Whether the server runs.
    pub(crate) async fn is_up(&self) -> bool {
        match self.server.lock().await.as_mut() {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => false,
        }
    }

    /// Removes everything of the cluster; the server must have been stopped.
    pub(crate) fn remove(&self) -> Result<(), ClusterError> {
        fs::remove_dir_all(&self.directory).map_err(ClusterError::files(&self.directory))
    }
}

fn socket_file(directory: &Path) -> PathBuf {
    directory
        .join(SOCKET_DIRECTORY)
        .join(format!(".s.PGSQL.{SOCKET_NUMBER}"))
}

/// Makes a directory that only the servers' user (and root) may enter.
pub(crate) fn private_directory(
    installation: &Installation,
    path: &Path,
) -> Result<(), ClusterError> {
    use std::os::unix::fs::{DirBuilderExt, chown};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(ClusterError::files(path))?;
    if let Some(account) = installation.account {
        chown(path, Some(account.uid), Some(account.gid)).map_err(ClusterError::files(path))?;
    }
    Ok(())
}
