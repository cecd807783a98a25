//! What all requests share: the model, the clusters, the work that goes on in the background.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::{
    cluster::{
        Archive, Cluster, ClusterError, Recovery,
        front::{Admission, Front, FrontSettings, Refusal},
        tls::Identity,
    },
    fault::{Drawn, FaultKind, Faults, Moment},
    ledger::{Entry, Ledger},
    model::{Instance, Model},
    operations::Service,
    options::{Durations, Options, Pace},
    postgres::Installation,
};

/// The account.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) durations: Durations,
    pub(crate) installation: Installation,
    pub(crate) template: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) hba_file: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    book: Mutex<Book>,
    running: Mutex<HashMap<String, Arc<Running>>>,
    work: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    tasks: Mutex<JoinSet<()>>,
    counter: AtomicU64,
}

#[derive(Default)]
struct Book {
    now: Model,
    /// As it was before the last mutation, for stale reads.
    before: Model,
}

/// An instance's cluster, and the listener in front of it.
pub(crate) struct Running {
    pub(crate) cluster: Cluster,
    front: Mutex<Option<Front>>,
}

/// One request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// The id that the sandbox gives the request.
    pub(crate) request_id: String,
    /// The id that the client gave it.
    pub(crate) client_request: Option<String>,
    pub(crate) drawn: Drawn,
}

impl Call {
    /// A ledger entry for the effect of this call.
    pub(crate) fn entry(&self, target: impl ToString) -> Entry {
        Entry {
            service: self.service.signing_name(),
            operation: self.operation.clone(),
            target: target.to_string(),
            client_request: self.client_request.clone(),
            parameters: BTreeMap::new(),
        }
    }

    pub(crate) fn struck_by(&self, moment: Moment, kind: &FaultKind) -> bool {
        self.drawn.at(moment).any(|drawn| drawn == kind)
    }
}

impl Entry {
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Entry {
        self.parameters.insert(name.to_owned(), value.to_string());
        self
    }
}

/// What [`World`] is made of.
pub(crate) struct Parts {
    pub(crate) options: Options,
    pub(crate) installation: Installation,
    pub(crate) template: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) hba_file: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) ledger: Ledger,
}

impl World {
    pub(crate) fn new(parts: Parts) -> World {
        World {
            durations: parts.options.pace.durations(),
            options: parts.options,
            installation: parts.installation,
            template: parts.template,
            directory: parts.directory,
            hba_file: parts.hba_file,
            identity: parts.identity,
            ledger: parts.ledger,
            faults: Faults::default(),
            book: Mutex::default(),
            running: Mutex::default(),
            work: Mutex::default(),
            tasks: Mutex::default(),
            counter: AtomicU64::new(0),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model as it is.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Model) -> T) -> T {
        look(&self.book().now)
    }

    /// The model as this call sees it.
    pub(crate) fn view<T>(&self, call: &Call, look: impl FnOnce(&Model) -> T) -> T {
        let book = self.book();
        if call.struck_by(Moment::Before, &FaultKind::StaleRead) {
            look(&book.before)
        } else {
            look(&book.now)
        }
    }

    /// Lets time pass, or furnishes the account: no client asked for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.book().now)
    }

    /// Applies the effect of a call: all of it or, on an error, nothing.
    pub(crate) fn apply<T, E>(
        &self,
        effect: impl FnOnce(&mut Model) -> Result<(T, Option<Entry>), E>,
    ) -> Result<T, E> {
        let mut book = self.book();
        let mut next = book.now.clone();
        let (value, entry) = effect(&mut next)?;
        if let Some(entry) = entry {
            book.before = std::mem::replace(&mut book.now, next);
            self.ledger.append(entry);
        }
        Ok(value)
    }

    /// Starts work that outlasts its request; it ends with the sandbox.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    pub(crate) fn take_tasks(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One instance does one thing after the other.
    pub(crate) fn work_lock(&self, resource_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(work.entry(resource_id.to_owned()).or_default())
    }

    pub(crate) fn running(&self, resource_id: &str) -> Option<Arc<Running>> {
        self.all_running().get(resource_id).cloned()
    }

    pub(crate) fn forget_running(&self, resource_id: &str) -> Option<Arc<Running>> {
        self.all_running().remove(resource_id)
    }

    pub(crate) fn drain_running(&self) -> Vec<Arc<Running>> {
        self.all_running()
            .drain()
            .map(|(_, running)| running)
            .collect()
    }

    fn all_running(&self) -> MutexGuard<'_, HashMap<String, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies a data directory and starts a server on it, which first recovers if it shall.
    pub(crate) async fn raise(
        &self,
        resource_id: &str,
        source: &std::path::Path,
        recovery: Option<&Recovery>,
    ) -> Result<Arc<Running>, ClusterError> {
        let started = Instant::now();
        let directory = self.directory.join("c").join(self.next().to_string());
        let archive = self.archive(resource_id);
        let cluster = Cluster::copy(
            &self.installation,
            &directory,
            &self.hba_file,
            archive,
            source,
        )
        .await?;
        let running = Arc::new(Running {
            cluster,
            front: Mutex::new(None),
        });
        self.all_running()
            .insert(resource_id.to_owned(), Arc::clone(&running));
        match recovery {
            Some(recovery) => running.cluster.start_recovering(recovery).await?,
            None => running.cluster.start().await?,
        }
        self.ledger.worked(started.elapsed());
        Ok(running)
    }

    /// Opens an instance's port.
    pub(crate) async fn open_front(
        &self,
        running: &Running,
        port: Option<u16>,
        admission: Admission,
    ) -> Result<u16, ClusterError> {
        let settings = FrontSettings {
            port,
            acceptor: self.identity.acceptor.clone(),
            socket: running.cluster.socket_file(),
            refusal: match self.options.pace {
                Pace::Fast => Refusal::Reset,
                Pace::Real => Refusal::Silence,
            },
        };
        let front = Front::open(settings, admission).await?;
        let port = front.port;
        *running.front() = Some(front);
        Ok(port)
    }

    /// Where the transaction logs of an instance are kept.
    pub(crate) fn archive(&self, resource_id: &str) -> Archive {
        Archive::at(self.directory.join("w").join(resource_id))
    }

    /// A new directory for a base backup.
    pub(crate) fn backup_directory(&self) -> PathBuf {
        self.directory.join("b").join(self.next().to_string())
    }

    fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A generated name, the same in each sandbox of the same seed and history.
    pub(crate) fn generated(&self, alphabet: &[u8], length: usize) -> String {
        let mut hash = Sha256::new();
        hash.update(self.options.seed.to_be_bytes());
        hash.update(self.next().to_be_bytes());
        hash.finalize()
            .iter()
            .cycle()
            .take(length)
            .filter_map(|byte| alphabet.get(usize::from(*byte) % alphabet.len()))
            .map(|letter| char::from(*letter))
            .collect()
    }

    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        let Options {
            region, account, ..
        } = &self.options;
        format!("arn:aws:{service}:{region}:{account}:{resource}")
    }

    pub(crate) fn instance_arn(&self, instance: &Instance) -> String {
        self.arn("rds", &format!("db:{}", instance.id))
    }
}

impl Running {
    fn front(&self) -> MutexGuard<'_, Option<Front>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn admit(&self, admission: Admission) {
        if let Some(front) = self.front().as_ref() {
            front.admit(admission);
        }
    }

    /// Closes the port, and ends its sessions.
    pub(crate) fn close_front(&self) {
        self.front().take();
    }
}
