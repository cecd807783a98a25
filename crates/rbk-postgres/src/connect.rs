//! Logging in: the way to the server, TLS, and a session whose settings don't depend on the server's.

use crate::error::{Doing, Effect, SetupError, explain};
use crate::freeze::FreezeTimes;
use crate::session::{Ended, PgSession};
use crate::tls::Tls;
use crate::tunnel::Tunnels;
use crate::worker::Worker;
use crate::{compare, copy};
use async_trait::async_trait;
use rbk_core::environment::Access;
use rbk_core::plan::{CopiedTable, TablePair};
use rbk_core::ports::{
    CopyFacts, Login, Marker, PortError, PortErrorKind, Postgres, Progress, Session, TableFinding,
};
use rustls_pki_types::ServerName;
use secrecy::ExposeSecret;
use socket2::{SockRef, TcpKeepalive};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};

/// The `application_name` of rbk's sessions; sessions of this name are never counted and never ended.
pub const APPLICATION_NAME: &str = "rbk";

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One statement; the server ends it then. Long enough for a count right after a restore, while blocks are still
    /// being loaded.
    pub statement: Duration,
    /// Waiting for a lock.
    pub lock: Duration,
    /// A freeze, from its first statement until the write counters stand still.
    pub freeze: Duration,
    /// How long the write counters have to stand still. Postgres tells them up to a second late.
    pub still: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(30 * 60),
            lock: Duration::from_secs(10),
            freeze: Duration::from_secs(60),
            still: Duration::from_secs(3),
        }
    }
}

/// A login that succeeded.
pub(crate) struct Connected {
    pub client: Client,
    pub ended: Ended,
    /// The task that moves its bytes; it ends by itself once the client is dropped and every answer is in.
    pub task: AbortHandle,
}

/// Logs in to databases as an environment's `access` says. Dropping it ends the tunnels it has opened; a clone shares them, and
/// so does an open bridge.
#[derive(Clone)]
pub struct Connector {
    pub(crate) tls: Tls,
    tunnels: Option<Arc<Tunnels>>,
    pub(crate) connect_timeout: Duration,
    limits: Limits,
    freezes: Arc<FreezeTimes>,
}

impl Connector {
    /// Reads the certificate authorities; opens nothing yet.
    pub fn new(access: &Access) -> Result<Self, SetupError> {
        Ok(Self {
            tls: Tls::new(access.ca.as_deref())?,
            tunnels: access
                .tunnel
                .as_deref()
                .map(Tunnels::new)
                .transpose()?
                .map(Arc::new),
            connect_timeout: Duration::from_secs(access.connect_timeout.max(1)),
            limits: Limits::default(),
            freezes: Arc::default(),
        })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn log_in(&self, to: &Login, doing: &Doing) -> Result<Connected, PortError> {
        let refused =
            |message: &str| PortError::new(PortErrorKind::InvalidRequest, &doing.what, message);
        if ServerName::try_from(to.host.as_str()).is_err() {
            return Err(refused("the host is neither a name nor an address"));
        }
        if [&to.database, &to.username]
            .iter()
            .any(|name| name.is_empty() || name.contains('\0'))
        {
            return Err(refused(
                "the database's or the role's name is empty or holds a zero byte",
            ));
        }

        let deadline = Instant::now() + self.connect_timeout;
        let config = self.config(to);
        // A tunnel that is just ending may still let somebody in. The next one finds it ended, and opens another.
        let mut tries = if self.tunnels.is_some() { 2 } else { 1 };
        let (client, mut connection) = loop {
            tries -= 1;
            let stream = self.stream(to, doing, deadline).await?;
            let logging_in = config.connect_raw(stream, self.tls.to(&to.host));
            match timeout_at(deadline, logging_in).await {
                Ok(Ok(connected)) => break connected,
                Ok(Err(error)) => {
                    let explained = explain(&error, doing);
                    let lost =
                        explained.kind == PortErrorKind::Unreachable && explained.code.is_none();
                    match (lost, tries) {
                        (false, _) => return Err(explained),
                        (true, 0) => return Err(self.unreachable(to, doing, explained.message)),
                        (true, _) => {}
                    }
                }
                Err(_) => {
                    let message = format!(
                        "connected, but the login wasn't answered within {}",
                        seconds(self.connect_timeout)
                    );
                    return Err(self.unreachable(to, doing, message));
                }
            }
        };

        let ended = Ended::default();
        let tell = ended.clone();
        let task = tokio::spawn(async move {
            // Told before the connection is dropped, and so before a statement can fail for it.
            if let Err(error) = (&mut connection).await {
                let _ = tell.set(error);
            }
        });
        Ok(Connected {
            client,
            ended,
            task: task.abort_handle(),
        })
    }

    /// A session of the adapter's own, for work that takes several of them.
    pub(crate) async fn worker(&self, to: &Login) -> Result<Worker, PortError> {
        let connected = self.log_in(to, &logging_in(to)).await?;
        // Known since version 14: a long statement ends once nobody waits for it any more. Without it, it ends later.
        let _ = connected
            .client
            .batch_execute("SET client_connection_check_interval = '2s'")
            .await;
        Ok(Worker::new(connected, to))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A connection to the server, or to the tunnel that leads to it.
    pub(crate) async fn stream(
        &self,
        to: &Login,
        doing: &Doing,
        deadline: Instant,
    ) -> Result<TcpStream, PortError> {
        let stream = match &self.tunnels {
            Some(tunnels) => tunnels
                .connect(&to.host, to.port, deadline)
                .await
                .map_err(|error| PortError::new(error.kind, &doing.what, error.to_string()))?,
            None => self.direct(to, doing, deadline).await?,
        };
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(10));
        // Without them a session still works; it only notices a dead network later.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        Ok(stream)
    }

    /// Tries the host's addresses one after the other, each with its share of the time.
    async fn direct(
        &self,
        to: &Login,
        doing: &Doing,
        deadline: Instant,
    ) -> Result<TcpStream, PortError> {
        let lookup = tokio::net::lookup_host((to.host.as_str(), to.port));
        let addresses: Vec<_> = match timeout_at(deadline, lookup).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                let message = format!("the host's name isn't known here: {error}");
                return Err(self.unreachable(to, doing, message));
            }
            Err(_) => {
                let message = "the host's name wasn't resolved in time".to_owned();
                return Err(self.unreachable(to, doing, message));
            }
        };
        let mut last = "the host's name has no address".to_owned();
        for (left, address) in (1..=addresses.len() as u32).rev().zip(addresses) {
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / left;
            last = match timeout_at(now + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => format!("{address}: {error}"),
                Err(_) => format!(
                    "{address} did not answer within {}: can this machine reach it (network, security group), or does \
                     `access` need a tunnel?",
                    seconds(self.connect_timeout)
                ),
            };
        }
        Err(self.unreachable(to, doing, last))
    }

    /// An error of the way, with what the tunnel said if there is one.
    fn unreachable(&self, to: &Login, doing: &Doing, message: String) -> PortError {
        let said = match &self.tunnels {
            Some(tunnels) => tunnels.last_words(&to.host, to.port),
            None => Vec::new(),
        };
        let message = if said.is_empty() {
            message
        } else {
            format!("{message}; the tunnel said: {}", said.join(" / "))
        };
        PortError::new(PortErrorKind::Unreachable, &doing.what, message)
    }

    /// The login. Settings go with the start-up packet, where they outrank what a role or a database has been given:
    /// a frozen database stays writable for rbk.
    fn config(&self, to: &Login) -> Config {
        let settings = [
            ("default_transaction_read_only", "off".to_owned()),
            (
                "default_transaction_isolation",
                r"read\ committed".to_owned(),
            ),
            ("statement_timeout", millis(self.limits.statement)),
            ("lock_timeout", millis(self.limits.lock)),
            (
                "idle_in_transaction_session_timeout",
                millis(self.limits.statement),
            ),
            ("client_min_messages", "warning".to_owned()),
            // Named last, or temporary tables would be found first.
            ("search_path", "pg_catalog,pg_temp".to_owned()),
            // Fails where a policy would hide rows, so that no count and no check is silently of a part.
            ("row_security", "off".to_owned()),
            ("synchronous_commit", "on".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
            ("TimeZone", "UTC".to_owned()),
            ("DateStyle", "ISO".to_owned()),
            ("IntervalStyle", "postgres".to_owned()),
        ];
        let options: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("-c {name}={value}"))
            .collect();
        let mut config = Config::new();
        config
            .user(&to.username)
            .password(to.password.expose_secret())
            .dbname(&to.database)
            .application_name(APPLICATION_NAME)
            .ssl_mode(SslMode::Require)
            .options(options.join(" "));
        config
    }
}

#[async_trait]
impl Postgres for Connector {
    async fn connect(&self, to: &Login) -> Result<Box<dyn Session>, PortError> {
        let connected = self.log_in(to, &logging_in(to)).await?;
        Ok(Box::new(PgSession::new(
            connected.client,
            to,
            connected.ended,
            self.limits,
            self.freezes.clone(),
        )))
    }

    async fn compare(
        &self,
        left: &Login,
        right: &Login,
        tables: &[TablePair],
        progress: &dyn Progress,
    ) -> Result<Vec<TableFinding>, PortError> {
        compare::compare(self, left, right, tables, progress).await
    }

    async fn copy(
        &self,
        from: &Login,
        to: &Login,
        tables: &[CopiedTable],
        marker: &Marker,
        progress: &dyn Progress,
    ) -> Result<CopyFacts, PortError> {
        copy::copy(self, from, to, tables, marker, progress).await
    }
}

fn logging_in(to: &Login) -> Doing {
    Doing {
        what: format!(
            "logging in to `{}` on `{}:{}` as `{}`",
            to.database, to.host, to.port, to.username
        ),
        effect: Effect::Reads,
    }
}

fn seconds(duration: Duration) -> String {
    rbk_core::value::duration_text(duration.as_secs())
}

fn millis(duration: Duration) -> String {
    duration.as_millis().min(i32::MAX as u128).to_string()
}
