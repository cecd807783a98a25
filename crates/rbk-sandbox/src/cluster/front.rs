//! What clients of an instance meet: a TLS listener that asks the security groups first.
//!
//! Like a security group it decides by source address, before PostgreSQL hears anything; like RDS
//! with `rds.force_ssl` it refuses sessions without TLS. What is admitted goes on to the private
//! socket, where PostgreSQL asks for the password. Not every PostgreSQL build can do TLS itself, so
//! none has to.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::{ClusterError, SUPERUSER};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The first byte of a TLS handshake (PostgreSQL 17's direct negotiation).
const TLS_HANDSHAKE: u8 = 0x16;

/// PostgreSQL's own limit for the first packet.
const LONGEST_STARTUP: u32 = 10_000;

/// Whom an instance lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) admits: BTreeSet<IpAddr>,
    pub(crate) force_ssl: bool,
}

/// What somebody who isn't admitted sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The connection is reset.
    Reset,
    /// Nothing, as in a real network, until the client gives up.
    Silence,
}

/// An instance's listener; dropping it ends all its sessions.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) port: u16,
    admission: Arc<Mutex<Admission>>,
    listener: JoinHandle<()>,
}

/// What a listener needs.
#[derive(Clone)]
pub(crate) struct FrontSettings {
    pub(crate) port: Option<u16>,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) socket: PathBuf,
    pub(crate) refusal: Refusal,
}

impl Front {
    /// Opens the listener.
    pub(crate) async fn open(
        settings: FrontSettings,
        admission: Admission,
    ) -> Result<Front, ClusterError> {
        let port = settings.port.unwrap_or(0);
        let fail = |source| ClusterError::Port { port, source };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(fail)?;
        let port = listener.local_addr().map_err(fail)?.port();
        let admission = Arc::new(Mutex::new(admission));
        Ok(Front {
            port,
            admission: Arc::clone(&admission),
            listener: tokio::spawn(listen(listener, settings, admission)),
        })
    }

    /// Changes whom it lets in; sessions that are in stay.
    pub(crate) fn admit(&self, admission: Admission) {
        *self
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = admission;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, settings: FrontSettings, admission: Arc<Mutex<Admission>>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let admission = admission
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone();
                    let settings = settings.clone();
                    sessions.spawn(async move {
                        let session = Session { settings, admission, peer: peer.ip() };
                        if let Err(error) = session.serve(stream).await {
                            tracing::debug!(%error, %peer, "a session ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection couldn't be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}

struct Session {
    settings: FrontSettings,
    admission: Admission,
    peer: IpAddr,
}

/// The first packet after the negotiation of TLS.
struct Startup {
    code: u32,
    /// The packet as it came, for PostgreSQL.
    raw: Vec<u8>,
}

impl Session {
    async fn serve(self, mut stream: TcpStream) -> io::Result<()> {
        if !self.admission.admits.contains(&self.peer) {
            return self.refuse(stream).await;
        }
        stream.set_nodelay(true)?;
        let mut first = [0u8; 1];
        stream.peek(&mut first).await?;
        if first == [TLS_HANDSHAKE] {
            let tls = self.settings.acceptor.accept(stream).await?;
            return self.start_encrypted(tls).await;
        }
        loop {
            let startup = read_startup(&mut stream).await?;
            match startup.code {
                SSL_REQUEST => {
                    stream.write_all(b"S").await?;
                    let tls = self.settings.acceptor.accept(stream).await?;
                    return self.start_encrypted(tls).await;
                }
                GSS_REQUEST => stream.write_all(b"N").await?,
                _ => return self.start_plain(stream, startup).await,
            }
        }
    }

    async fn refuse(&self, mut stream: TcpStream) -> io::Result<()> {
        match self.settings.refusal {
            Refusal::Reset => stream.set_zero_linger(),
            Refusal::Silence => {
                let mut sink = [0u8; 512];
                while stream.read(&mut sink).await? > 0 {}
                Ok(())
            }
        }
    }

    async fn start_encrypted<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut tls: S,
    ) -> io::Result<()> {
        let startup = read_startup(&mut tls).await?;
        self.start(tls, startup).await
    }

    async fn start_plain(&self, mut stream: TcpStream, startup: Startup) -> io::Result<()> {
        if self.admission.force_ssl && startup.code != CANCEL_REQUEST {
            let message = format!(
                "no pg_hba.conf entry for host \"{}\", user \"{}\", database \"{}\", no encryption",
                self.peer,
                startup.parameter("user").unwrap_or_default(),
                startup.parameter("database").unwrap_or_default(),
            );
            return deny(&mut stream, "28000", &message).await;
        }
        self.start(stream, startup).await
    }

    async fn start<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut client: S,
        startup: Startup,
    ) -> io::Result<()> {
        if startup.code != CANCEL_REQUEST && startup.names_superuser() {
            let message = format!(
                "pg_hba.conf rejects connection for host \"{}\", user \"{SUPERUSER}\"",
                self.peer
            );
            return deny(&mut client, "28000", &message).await;
        }
        let mut server = match UnixStream::connect(&self.settings.socket).await {
            Ok(server) => server,
            Err(_) => {
                return deny(&mut client, "57P03", "the database system is starting up").await;
            }
        };
        server.write_all(&startup.raw).await?;
        relay(client, server).await
    }
}

/// Passes bytes on until the server has nothing more to say.
async fn relay<S: AsyncRead + AsyncWrite + Unpin>(client: S, server: UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let copied = tokio::io::copy(&mut from_client, &mut to_server).await;
        drop(to_server);
        copied
    };
    let down = async {
        let copied = tokio::io::copy(&mut from_server, &mut to_client).await;
        to_client.shutdown().await?;
        copied
    };
    tokio::pin!(up, down);
    tokio::select! {
        copied = &mut down => copied.map(drop),
        _ = &mut up => down.await.map(drop),
    }
}

async fn read_startup<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Startup> {
    let length = stream.read_u32().await?;
    if !(8..=LONGEST_STARTUP).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a PostgreSQL client",
        ));
    }
    let code = stream.read_u32().await?;
    let mut raw = Vec::new();
    raw.extend(length.to_be_bytes());
    raw.extend(code.to_be_bytes());
    let rest = u64::from(length - 8);
    if stream.take(rest).read_to_end(&mut raw).await? as u64 != rest {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Startup { code, raw })
}

impl Startup {
    fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        let text = self.raw.get(8..).unwrap_or_default();
        let mut words = text
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned());
        std::iter::from_fn(move || Some((words.next()?, words.next()?)))
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// On the private socket the superuser needs no password, so that name never passes. A
    /// repeated name counts, wherever it stands.
    fn names_superuser(&self) -> bool {
        self.parameters()
            .any(|(key, value)| key == "user" && value == SUPERUSER)
    }
}

/// Answers as PostgreSQL does when it refuses a session.
async fn deny<S: AsyncWrite + Unpin>(
    client: &mut S,
    sqlstate: &str,
    message: &str,
) -> io::Result<()> {
    let mut fields = Vec::new();
    for (kind, text) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', sqlstate),
        (b'M', message),
    ] {
        fields.push(kind);
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + 4).unwrap_or(u32::MAX);
    client.write_u8(b'E').await?;
    client.write_u32(length).await?;
    client.write_all(&fields).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup(words: &[&str]) -> Startup {
        let mut raw = vec![0u8; 8];
        for word in words {
            raw.extend(word.as_bytes());
            raw.push(0);
        }
        raw.push(0);
        Startup { code: 196_608, raw }
    }

    #[test]
    fn the_superuser_is_seen_wherever_its_name_stands() {
        assert!(startup(&["user", "rdsadmin"]).names_superuser());
        assert!(startup(&["user", "app", "database", "x", "user", "rdsadmin"]).names_superuser());
        assert!(!startup(&["user", "app", "database", "rdsadmin"]).names_superuser());
    }

    #[tokio::test]
    async fn an_absurd_first_packet_is_refused() {
        let mut packet: &[u8] = b"GET / HTTP/1.1\r\n";
        assert!(read_startup(&mut packet).await.is_err());
    }
}
