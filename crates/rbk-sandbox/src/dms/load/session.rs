//! Sessions as DMS opens them: from the replication's address, with TLS, and with the endpoint's script.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use secrecy::ExposeSecret;
use tokio::{net::TcpSocket, task::JoinHandle};
use tokio_postgres::{Client, config::SslMode, error::DbError, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Party;

/// How values are written as text; the same on both sides, so that each reads what the other wrote.
const TEXT_FORMATS: &str = "SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1";

/// How long a server may take to answer; a security group that doesn't admit DMS is silent.
const LOGIN_DEADLINE: Duration = Duration::from_secs(30);

/// What servers' certificates are verified with: the sandbox's own authority.
#[derive(Clone)]
pub(crate) struct Trust(MakeRustlsConnect);

impl Trust {
    pub(crate) fn new(connector: MakeRustlsConnect) -> Trust {
        Trust(connector)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the sandbox's authority")
    }
}

/// A session; its connection ends with it.
pub(crate) struct Session {
    pub(crate) client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Why a session or a statement failed. No row's value is in it, nor a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("could not connect to server {host}:{port}: {source}")]
    Unreachable {
        host: String,
        port: u16,
        source: std::io::Error,
    },
    #[error("{}", server_words(.0))]
    Server(#[from] tokio_postgres::Error),
    #[error("the endpoint's ssl mode is `{0}`, which isn't one")]
    SslMode(String),
    #[error("the after-connect script failed: {}", server_words(.0))]
    AfterConnect(tokio_postgres::Error),
}

impl Trouble {
    /// Whether the session is gone, so that another one may succeed.
    pub(crate) fn lost_connection(&self) -> bool {
        match self {
            Trouble::Unreachable { .. } => true,
            Trouble::SslMode(_) => false,
            Trouble::Server(error) | Trouble::AfterConnect(error) => lost(error),
        }
    }

    pub(crate) fn db(&self) -> Option<&DbError> {
        match self {
            Trouble::Server(error) | Trouble::AfterConnect(error) => error.as_db_error(),
            Trouble::Unreachable { .. } | Trouble::SslMode(_) => None,
        }
    }
}

fn lost(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        // Connection exceptions, and servers that shut down, crash or start.
        Some(error) => {
            let code = error.code().code();
            code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05")
        }
        None => {
            use std::error::Error;
            error.is_closed() || error.source().is_some_and(|it| it.is::<std::io::Error>())
        }
    }
}

/// What the server said, without values of rows: they are in details, in what is quoted of bad
/// input, and in what functions say.
fn server_words(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else {
        return error.to_string();
    };
    let severity = error.severity();
    match error.code().code() {
        code if code.starts_with("22") => format!("{severity}: {}", unquoted(error.message())),
        code if code.starts_with("P0") => {
            format!("{severity}: a trigger or a function raised an exception ({code})")
        }
        _ => format!("{severity}: {}", error.message()),
    }
}

/// Leaves out what is between the first quote and the last.
fn unquoted(message: &str) -> String {
    match (message.split_once('"'), message.rsplit_once('"')) {
        (Some((before, _)), Some((_, after))) => format!("{before}\"…\"{after}"),
        _ => message.to_owned(),
    }
}

/// Logs in, sets how values are written as text, and runs the endpoint's script.
pub(crate) async fn open(party: &Party, trust: &Trust, from: IpAddr) -> Result<Session, Trouble> {
    let session = tokio::time::timeout(LOGIN_DEADLINE, log_in(party, trust, from))
        .await
        .map_err(|_| Trouble::Unreachable {
            host: party.host.clone(),
            port: party.port,
            source: std::io::Error::new(std::io::ErrorKind::TimedOut, "timeout expired"),
        })??;
    session.client.batch_execute(TEXT_FORMATS).await?;
    if let Some(script) = &party.after_connect {
        session
            .client
            .batch_execute(script)
            .await
            .map_err(Trouble::AfterConnect)?;
    }
    Ok(session)
}

async fn log_in(party: &Party, trust: &Trust, from: IpAddr) -> Result<Session, Trouble> {
    let unreachable = |source| Trouble::Unreachable {
        host: party.host.clone(),
        port: party.port,
        source,
    };
    let ssl_mode = match party.ssl_mode.as_str() {
        "none" => SslMode::Disable,
        "require" | "verify-ca" | "verify-full" => SslMode::Require,
        other => return Err(Trouble::SslMode(other.to_owned())),
    };
    let address = tokio::net::lookup_host((party.host.as_str(), party.port))
        .await
        .map_err(unreachable)?
        .find(SocketAddr::is_ipv4)
        .ok_or_else(|| unreachable(std::io::ErrorKind::AddrNotAvailable.into()))?;
    let socket = TcpSocket::new_v4().map_err(unreachable)?;
    socket.bind(SocketAddr::new(from, 0)).map_err(unreachable)?;
    let stream = socket.connect(address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let mut connector = trust.0.clone();
    let tls =
        MakeTlsConnect::<tokio::net::TcpStream>::make_tls_connect(&mut connector, &party.host)
            .map_err(|_| unreachable(std::io::ErrorKind::InvalidInput.into()))?;
    let (client, connection) = tokio_postgres::Config::new()
        .user(&party.username)
        .password(party.password.expose_secret())
        .dbname(&party.database)
        .application_name("AWS DMS")
        .ssl_mode(ssl_mode)
        .connect_raw(stream, tls)
        .await?;
    let connection = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a replication's session ended");
        }
    });
    Ok(Session { client, connection })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_of_a_row_is_left_out() {
        for (message, shown) in [
            (
                "invalid input syntax for type integer: \"a \"secret\"\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            (
                "value \"99999999999\" is out of range for type integer",
                "value \"…\" is out of range for type integer",
            ),
            (
                "value too long for type character varying(4)",
                "value too long for type character varying(4)",
            ),
        ] {
            assert_eq!(unquoted(message), shown);
        }
    }
}
