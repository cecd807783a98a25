//! The declared command that forwards a local port to a database: one a host and port, shared by all sessions.
//!
//! The command is started without a shell, in a process group of its own, and must stay in the foreground for as long
//! as it forwards. It gets `{host}`, `{port}` and `{local_port}` and nothing secret. Dropping [`Tunnels`] ends it with all
//! that it has started.

use crate::error::SetupError;
use rbk_core::ports::PortErrorKind;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often the local port is tried: soon at first, then more patiently.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How many lines of a command's output are kept, and how much of each.
const LINES_KEPT: usize = 8;
const LINE_LENGTH: usize = 300;
/// How long the last lines of an exited command are waited for; what it started may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a command may take to end by itself when it is no longer needed.
const GRACE: Duration = Duration::from_millis(500);

/// All tunnels of a connector, by host and port.
pub(crate) struct Tunnels {
    program: String,
    arguments: Vec<String>,
    open: Mutex<BTreeMap<(String, u16), Slot>>,
}

/// One place for a tunnel. Held locked while it is being opened, so that others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Tunnel>>>;

impl Tunnels {
    /// Takes the command of `access.tunnel`.
    pub fn new(command: &[String]) -> Result<Self, SetupError> {
        let (program, arguments) = command.split_first().ok_or(SetupError::TunnelEmpty)?;
        if !command.iter().any(|part| part.contains("{local_port}")) {
            return Err(SetupError::TunnelWithoutLocalPort);
        }
        Ok(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            open: Mutex::default(),
        })
    }

    /// A connection through the tunnel to `host:port`, which is opened if there is none, or if it has ended.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, TunnelError> {
        let slot = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((host.to_owned(), port))
            .or_default()
            .clone();
        let mut slot = tokio::time::timeout_at(deadline, slot.lock())
            .await
            .map_err(|_| TunnelError::deaf(&self.program, Vec::new()))?;

        if let Some(tunnel) = slot.as_mut()
            && tunnel.exited().is_none()
            && let Ok(Ok(stream)) = tokio::time::timeout_at(deadline, tunnel.enter()).await
        {
            return Ok(stream);
        }
        // Ends the one before, if there was one.
        *slot = None;
        let mut tunnel = self.start(host, port).await?;
        let stream = tunnel.first_connection(deadline).await?;
        *slot = Some(tunnel);
        Ok(stream)
    }

    /// What the tunnel to `host:port` has said last, for the error of a connection that failed behind it.
    pub fn last_words(&self, host: &str, port: u16) -> Vec<String> {
        let slot = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(host.to_owned(), port))
            .cloned();
        match slot.as_deref().map(tokio::sync::Mutex::try_lock) {
            Some(Ok(tunnel)) => tunnel.as_ref().map(Tunnel::said).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    async fn start(&self, host: &str, port: u16) -> Result<Tunnel, TunnelError> {
        let broken = |error: io::Error| TunnelError {
            kind: PortErrorKind::InvalidRequest,
            message: format!(
                "the tunnel's command `{}` can't be started: {error}",
                self.program
            ),
            said: Vec::new(),
        };
        let local_port = free_port().await.map_err(broken)?;
        let fill = |part: &String| {
            part.replace("{host}", host)
                .replace("{port}", &port.to_string())
                .replace("{local_port}", &local_port.to_string())
        };
        let mut child = Command::new(fill(&self.program))
            .args(self.arguments.iter().map(fill))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(broken)?;

        let output = Output::default();
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(output.clone().keep(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(output.clone().keep(stderr));
        }
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(Tunnel {
            program: self.program.clone(),
            child,
            group,
            local_port,
            output,
            readers,
        })
    }
}

/// A port that nobody listens on just now. Somebody may before the tunnel does; then TLS finds out that it is the wrong
/// server.
async fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?.port())
}

/// A running command.
struct Tunnel {
    program: String,
    child: Child,
    /// The command and all that it has started.
    group: Option<Pid>,
    local_port: u16,
    output: Output,
    readers: JoinSet<()>,
}

impl Tunnel {
    /// Connects as soon as the local port accepts.
    async fn first_connection(&mut self, deadline: Instant) -> Result<TcpStream, TunnelError> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(status) = self.exited() {
                return Err(self.last_words(status).await);
            }
            if let Ok(Ok(stream)) = tokio::time::timeout_at(deadline, self.enter()).await {
                return Ok(stream);
            }
            if Instant::now() + pause >= deadline {
                return Err(TunnelError::deaf(&self.program, self.said()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn enter(&self) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.local_port)).await
    }

    /// How the command ended, if it has. What it leaves behind is ended too.
    fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten()?;
        self.signal(Signal::KILL);
        self.group = None;
        Some(status)
    }

    async fn last_words(&mut self, status: ExitStatus) -> TunnelError {
        let all_read = async { while self.readers.join_next().await.is_some() {} };
        // Late lines are lost, which is better than to wait for a pipe that somebody else holds open.
        let _ = tokio::time::timeout(LAST_WORDS, all_read).await;
        TunnelError {
            kind: PortErrorKind::Unreachable,
            message: format!(
                "the tunnel's command `{}` ended ({status}) instead of forwarding a port",
                self.program
            ),
            said: self.said(),
        }
    }

    fn said(&self) -> Vec<String> {
        self.output.lines()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Fails where nothing of the group is left, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        self.signal(Signal::TERM);
        let asked = std::time::Instant::now();
        while self.exited().is_none() {
            if asked.elapsed() > GRACE {
                self.signal(Signal::KILL);
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The last lines that a command wrote.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<VecDeque<String>>>);

impl Output {
    async fn keep(self, from: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
            let text: String = String::from_utf8_lossy(&line)
                .chars()
                .filter(|letter| !letter.is_control())
                .take(LINE_LENGTH)
                .collect();
            line.clear();
            if text.trim().is_empty() {
                continue;
            }
            tracing::debug!(line = text, "tunnel");
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            lines.push_back(text);
        }
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

/// Why there is no way through a tunnel.
#[derive(Debug)]
pub(crate) struct TunnelError {
    /// What kind of failure.
    pub kind: PortErrorKind,
    message: String,
    said: Vec<String>,
}

impl TunnelError {
    fn deaf(program: &str, said: Vec<String>) -> Self {
        Self {
            kind: PortErrorKind::Unreachable,
            message: format!(
                "the tunnel's command `{program}` runs, but its local port did not accept a connection in time: try the \
                 command by hand, or raise `access.connect_timeout`"
            ),
            said,
        }
    }
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.said.is_empty() {
            write!(f, "; it said: {}", self.said.join(" / "))?;
        }
        Ok(())
    }
}
