//! A port of this machine that leads to one database: plain Postgres on the near side, verified TLS and the declared tunnel on
//! the far side.
//!
//! For programs that can't verify TLS or enter a tunnel as rbk does, such as a migration tool with a driver of its own. They
//! connect without TLS and log in by themselves: SCRAM goes through from end to end, and rbk sees no password. The port is of the
//! loopback address and gives nobody more than the server itself would: who connects must log in.

use crate::connect::Connector;
use crate::error::{Doing, Effect, Failure, NO_TLS, explain_io};
use rbk_core::ports::{Login, PortError, PortErrorKind};
use secrecy::SecretString;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::tls::TlsConnect;

/// Offers of encryption, which come before a start-up packet. Source: Postgres, "Message Formats", SSLRequest and GSSENCRequest.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// The shortest and the longest first packet, in bytes. Source: `MAX_STARTUP_PACKET_LENGTH` of the server.
const PACKET_LENGTHS: std::ops::RangeInclusive<usize> = 8..=10_000;
/// How long somebody who has connected may take to say what they want.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open port. Dropping it closes the port and cuts all connections through it.
pub struct Bridge {
    port: u16,
    trouble: Arc<Mutex<Option<PortError>>>,
    accepting: JoinHandle<()>,
}

impl Bridge {
    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why the last connection that came in could not be brought to the server, if it couldn't.
    pub fn trouble(&self) -> Option<PortError> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // The connections are the task's own, and end with it.
        self.accepting.abort();
    }
}

impl Connector {
    /// Opens a port of 127.0.0.1 that leads to the server. The server isn't contacted before somebody connects.
    pub async fn bridge(&self, host: &str, port: u16) -> Result<Bridge, PortError> {
        let doing = Doing {
            what: format!("opening a local port that leads to `{host}:{port}`"),
            effect: Effect::Reads,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| here(&error).while_doing(&doing))?;
        let local = listener
            .local_addr()
            .map_err(|error| here(&error).while_doing(&doing))?;
        let trouble = Arc::default();
        let far = Far {
            connector: self.clone(),
            to: Login {
                host: host.to_owned(),
                port,
                database: String::new(),
                username: String::new(),
                password: SecretString::default(),
            },
            trouble: Arc::clone(&trouble),
        };
        Ok(Bridge {
            port: local.port(),
            trouble,
            accepting: tokio::spawn(accept(listener, Arc::new(far))),
        })
    }
}

fn here(error: &io::Error) -> Failure {
    Failure::Refused(PortErrorKind::Unreachable, error.to_string())
}

async fn accept(listener: TcpListener, far: Arc<Far>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                let far = Arc::clone(&far);
                connections.spawn(async move {
                    if let Err(error) = far.carry(near).await {
                        tracing::debug!(%error, "a connection through the bridge ended");
                    }
                });
            }
            // Too many open files, or one that was gone before it was taken: it may pass.
            Err(error) => {
                tracing::debug!(%error, "the bridge could not accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// The server, and how it is reached.
struct Far {
    connector: Connector,
    /// Its host and port; nobody logs in here.
    to: Login,
    trouble: Arc<Mutex<Option<PortError>>>,
}

impl Far {
    /// Brings one connection to the server, and its bytes to and fro until either side ends it.
    async fn carry(&self, mut near: TcpStream) -> io::Result<()> {
        let _ = near.set_nodelay(true);
        let Some(first) = timeout(PATIENCE, first_packet(&mut near)).await?? else {
            return Ok(());
        };
        let mut server = match self.connect().await {
            Ok(server) => {
                self.remember(None);
                server
            }
            Err(error) => {
                let farewell = error_response(&error);
                self.remember(Some(error));
                near.write_all(&farewell).await?;
                return near.shutdown().await;
            }
        };
        server.write_all(&first).await?;
        server.flush().await?;
        copy_bidirectional(&mut near, &mut server).await.map(|_| ())
    }

    fn remember(&self, trouble: Option<PortError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    async fn connect(&self) -> Result<crate::tls::Stream, PortError> {
        let doing = Doing {
            what: format!(
                "connecting a local port to `{}:{}`",
                self.to.host, self.to.port
            ),
            effect: Effect::Reads,
        };
        let limit = self.connector.connect_timeout;
        let deadline = Instant::now() + limit;
        let stream = self.connector.stream(&self.to, &doing, deadline).await?;
        let handshake = async {
            let mut stream = stream;
            stream.write_u32(8).await?;
            stream.write_u32(SSL_REQUEST).await?;
            match stream.read_u8().await? {
                b'S' => self.connector.tls.to(&self.to.host).connect(stream).await,
                b'N' => Err(io::Error::other(NO_TLS)),
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "what answers is no Postgres server",
                )),
            }
        };
        match timeout_at(deadline, handshake).await {
            Ok(Ok(server)) => Ok(server),
            Ok(Err(error)) => Err(explain_io(&error, &doing)),
            Err(_) => Err(PortError::new(
                PortErrorKind::Unreachable,
                doing.what,
                format!("connected, but TLS wasn't agreed on within {limit:?}"),
            )),
        }
    }
}

/// Reads a start-up packet, or a request to cancel, which goes the same way. Offers of encryption are declined: the way to the
/// server is encrypted, and the near side doesn't leave this machine. `None`: they went away.
async fn first_packet(near: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    // A client asks for each kind of encryption once.
    for _ in 0..3 {
        let mut length = [0; 4];
        match near.read_exact(&mut length).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
        let size = u32::from_be_bytes(length) as usize;
        if !PACKET_LENGTHS.contains(&size) {
            return Err(invalid("the first packet has no possible length"));
        }
        let mut bytes = vec![0; size];
        let (head, body) = bytes
            .split_first_chunk_mut::<4>()
            .ok_or_else(|| invalid("the first packet is empty"))?;
        *head = length;
        near.read_exact(body).await?;
        let code = body
            .first_chunk::<4>()
            .map(|code| u32::from_be_bytes(*code));
        match code {
            Some(SSL_REQUEST | GSS_REQUEST) => near.write_all(b"N").await?,
            _ => return Ok(Some(bytes)),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "encryption is asked for again and again",
    ))
}

/// An error as a server would tell it before the login. Source: Postgres, "Message Formats", ErrorResponse.
fn error_response(error: &PortError) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', "08001"),
        (b'M', &*error.to_string().replace('\0', "")),
    ] {
        body.push(field);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = vec![b'E'];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&body);
    message
}
