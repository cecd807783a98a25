//! The library's face: starts a sandbox, furnishes it, stages disasters, shuts it down.

mod dms;
mod furnish;
mod stage;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    cluster::{Cluster, SUPERUSER, private_directory, template::template, tls::Identity},
    error::SandboxError,
    ledger::Ledger,
    options::{Options, Progress},
    postgres::{Cache, Installation},
    rds::archiving,
    server,
    watchdog::Watchdog,
    world::{Parts, World},
};

/// How much memory has to be free for files, in bytes; an instance takes about 50 MiB.
const LARGE_MEMORY: u64 = 4 << 30;

/// A running sandbox.
///
/// [`Sandbox::shutdown`] stops all servers and removes the directory, and says when that is done.
/// Dropping the sandbox, or the death of its process, has the same effect a moment later.
pub struct Sandbox {
    world: Arc<World>,
    address: SocketAddr,
    listener: JoinHandle<()>,
    ca_pem: PathBuf,
    watchdog: Option<Watchdog>,
}

impl Sandbox {
    /// Starts an empty account. `progress` is told what takes long.
    pub async fn start(
        options: Options,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Sandbox, SandboxError> {
        check(&options)?;
        let cache = Cache::open()?;
        let installation = Installation::find_or_bring(&cache, &progress).await?;
        let template = template(&installation, &cache, &progress).await?;
        let directory = make_directory(&options, &installation)?;
        let watchdog =
            Watchdog::start(&directory).map_err(|source| SandboxError::Watchdog { source })?;
        for part in ["c", "b", "w"] {
            private_directory(&installation, &directory.join(part))?;
        }
        let hba_file = write_hba(&directory)?;
        let identity = Identity::make()?;
        let ca_pem = directory.join("ca.pem");
        fs::write(&ca_pem, &identity.ca_pem).map_err(SandboxError::files(&ca_pem))?;
        let ledger_file = directory.join("ledger.jsonl");
        let ledger = Ledger::create(&ledger_file).map_err(SandboxError::files(&ledger_file))?;
        let port = options.port.unwrap_or(0);
        let failed = |source| SandboxError::Port { port, source };
        let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let world = Arc::new(World::new(Parts {
            options,
            installation,
            template,
            directory,
            hba_file,
            identity,
            ledger,
        }));
        furnish::defaults(&world);
        archiving::begin(&world);
        let listener = tokio::spawn(server::serve(socket, Arc::clone(&world)));
        let sandbox = Sandbox {
            world,
            address,
            listener,
            ca_pem,
            watchdog: Some(watchdog),
        };
        progress(Progress::Ready {
            endpoint_url: sandbox.endpoint_url(),
        });
        Ok(sandbox)
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        server::url(self.address)
    }

    /// For `AWS_REGION`.
    pub fn region(&self) -> &str {
        &self.world.options.region
    }

    /// The account's id.
    pub fn account(&self) -> &str {
        &self.world.options.account
    }

    /// The certificate that clients of instances verify servers with (`sslrootcert`).
    pub fn ca_pem_path(&self) -> &Path {
        &self.ca_pem
    }

    /// The directory with everything; it is gone after [`Sandbox::shutdown`].
    pub fn directory(&self) -> &Path {
        &self.world.directory
    }

    /// The directory of the server's programs, for `psql` or `pg_dump` if they are there.
    pub fn postgres_bin(&self) -> &Path {
        &self.world.installation.bin
    }

    /// The servers' version, as in `16.14`.
    pub fn postgres_version(&self) -> &str {
        &self.world.installation.version
    }

    /// Stops all servers and removes the directory.
    pub async fn shutdown(mut self) {
        self.listener.abort();
        self.world.take_tasks().shutdown().await;
        for running in self.world.drain_running() {
            running.close_front();
            running.cluster.stop().await;
        }
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.finish().await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.listener.abort();
        self.world.take_tasks().abort_all();
        for running in self.world.drain_running() {
            running.close_front();
        }
    }
}

fn check(options: &Options) -> Result<(), SandboxError> {
    let Options {
        region, account, ..
    } = options;
    let invalid = |value: &str, what| {
        Err(SandboxError::Invalid {
            value: value.to_owned(),
            what,
        })
    };
    let region_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.is_empty() || !region.chars().all(region_letter) {
        return invalid(region, "a region, as in `eu-central-1`");
    }
    if account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()) {
        return invalid(account, "an account id of twelve digits");
    }
    Ok(())
}

fn make_directory(options: &Options, installation: &Installation) -> Result<PathBuf, SandboxError> {
    let path = match &options.directory {
        None => tempfile::Builder::new()
            .prefix("rbk-sandbox-")
            .tempdir_in(temporary_place())
            .map_err(SandboxError::files(&temporary_place()))?
            .keep(),
        Some(path) => {
            fs::create_dir_all(path).map_err(SandboxError::files(path))?;
            let mut entries = fs::read_dir(path).map_err(SandboxError::files(path))?;
            if entries.next().is_some() {
                return Err(SandboxError::DirectoryInUse { path: path.clone() });
            }
            path.clone()
        }
    };
    let path = path.canonicalize().map_err(SandboxError::files(&path))?;
    Cluster::check_socket_path(&path.join("c/9999"))?;
    check_way(&path, installation)?;
    // The servers' user must be able to pass; what is private has its own directories.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(SandboxError::files(&path))?;
    Ok(path)
}

/// Memory is several times faster than a disk for files that are thrown away, so a large enough
/// `/dev/shm` is preferred, unless `TMPDIR` says otherwise.
fn temporary_place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let large = rustix::fs::statvfs(memory)
        .is_ok_and(|it| it.f_bavail.saturating_mul(it.f_frsize) >= LARGE_MEMORY);
    if cfg!(target_os = "linux") && std::env::var_os("TMPDIR").is_none() && large {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// The servers' user must be able to enter each directory on the way.
fn check_way(path: &Path, installation: &Installation) -> Result<(), SandboxError> {
    let Some(account) = installation.account else {
        return Ok(());
    };
    for ancestor in path.ancestors().skip(1) {
        let metadata = fs::metadata(ancestor).map_err(SandboxError::files(ancestor))?;
        let owned = metadata.uid() == account.uid && metadata.mode() & 0o100 != 0;
        if metadata.mode() & 0o001 == 0 && !owned {
            return Err(SandboxError::Unreachable {
                path: path.to_path_buf(),
                ancestor: ancestor.to_path_buf(),
            });
        }
    }
    Ok(())
}

/// The private socket is the only way in. Over it the front's clients need their password; the
/// front lets nobody pass as the superuser.
fn write_hba(directory: &Path) -> Result<PathBuf, SandboxError> {
    let path = directory.join("hba.conf");
    let rules = format!(
        "local all         {SUPERUSER} trust\n\
         local replication {SUPERUSER} trust\n\
         local all         all      scram-sha-256\n"
    );
    fs::write(&path, rules).map_err(SandboxError::files(&path))?;
    Ok(path)
}
