//! A stand-in for the team's service: it follows its active secret, and says how it fares.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_postgres::{Client, tls::MakeTlsConnect};

use crate::{
    error::SandboxError,
    protocol::Reply,
    server::{serve_plain, url},
    traffic::{Kind, Traffic},
    world::World,
};

/// How long a query may take.
const QUERY_DEADLINE: Duration = Duration::from_secs(2);

/// An application to start.
#[derive(Debug, Clone)]
pub struct ApplicationBlueprint {
    /// Its sessions' `application_name`.
    pub name: String,
    /// How it finds its database.
    pub active: ActiveSecret,
    /// The source address of its sessions; 127.0.0.1 where it can't be bound.
    pub client_address: IpAddr,
    /// How often it looks at its secret and its database.
    pub refresh: Duration,
    /// How many sessions it keeps.
    pub sessions: usize,
    /// What it writes and reads each time that it looks, while that flows.
    pub traffic: Option<Traffic>,
}

impl ApplicationBlueprint {
    /// An application at 127.0.0.2 with two sessions, which looks ten times a second.
    pub fn new(name: impl Into<String>, active: ActiveSecret) -> ApplicationBlueprint {
        ApplicationBlueprint {
            name: name.into(),
            active,
            client_address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
            refresh: Duration::from_millis(100),
            sessions: 2,
            traffic: None,
        }
    }
}

/// The name of a secret that somebody else finds out; nothing until they know.
#[derive(Debug, Clone, Default)]
pub struct ToldSecret(Arc<Mutex<Option<String>>>);

impl ToldSecret {
    /// Tells the application. It follows the next time that it looks.
    pub fn tell(&self, secret: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    /// What was told last.
    pub fn get(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How an application finds its database.
#[derive(Debug, Clone)]
pub enum ActiveSecret {
    /// The named secret holds the name of the secret with the credentials.
    Pointer {
        /// The pointing secret.
        secret: String,
        /// The key that holds the name where the value is a JSON object; `None`: the value is the name.
        field: Option<String>,
    },
    /// The named secret holds the credentials.
    Copy {
        /// The secret.
        secret: String,
    },
    /// It was deployed with the name of the secret with the credentials.
    Told(ToldSecret),
}

/// Where an application is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationAddress {
    /// Answers 200 while its database works, else 503 with the reason.
    pub health_url: String,
    /// The source address that its sessions really have.
    pub client_address: IpAddr,
}

/// The credentials in a secret, as RDS lays them out.
#[derive(Clone, Deserialize)]
struct Credentials {
    host: String,
    port: Value,
    username: String,
    password: SecretString,
    dbname: String,
}

/// What the health check shows.
#[derive(Debug, Clone)]
enum Health {
    Starting,
    Well {
        secret: String,
        host: String,
        port: u16,
        database: String,
        sessions: usize,
        seen: Instant,
    },
    Ill {
        reason: String,
    },
}

type SharedHealth = Arc<Mutex<Health>>;

pub(crate) async fn start(
    world: &Arc<World>,
    blueprint: ApplicationBlueprint,
) -> Result<ApplicationAddress, SandboxError> {
    let failed = |source| SandboxError::Port { port: 0, source };
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let source = usable_source(blueprint.client_address);
    let health = Arc::new(Mutex::new(Health::Starting));
    let stale = blueprint.refresh * 5 + QUERY_DEADLINE;
    let shown = Arc::clone(&health);
    world.spawn(async move {
        serve_plain(listener, move |path| show(path, &shown, stale)).await;
    });
    let application = Application {
        world: Arc::clone(world),
        blueprint,
        source,
        health,
    };
    world.spawn(application.run());
    Ok(ApplicationAddress {
        health_url: format!("{}/health", url(address)),
        client_address: source,
    })
}

/// Not every system has more than one loopback address.
fn usable_source(wanted: IpAddr) -> IpAddr {
    match std::net::UdpSocket::bind((wanted, 0)) {
        Ok(_) => wanted,
        Err(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

fn show(path: &str, health: &SharedHealth, stale: Duration) -> Reply {
    if path != "/health" {
        return Reply::plain(404, "the application answers /health");
    }
    let health = health
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match health {
        Health::Well { seen, .. } if seen.elapsed() > stale => {
            ill("the database didn't answer for a while")
        }
        Health::Well {
            secret,
            host,
            port,
            database,
            sessions,
            ..
        } => Reply::json_document(
            200,
            &json!({
                "status": "ok",
                "secret": secret,
                "host": host,
                "port": port,
                "database": database,
                "sessions": sessions,
            }),
        ),
        Health::Starting => ill("the application is starting"),
        Health::Ill { reason } => ill(&reason),
    }
}

fn ill(reason: &str) -> Reply {
    Reply::json_document(503, &json!({ "status": "unavailable", "reason": reason }))
}

struct Application {
    world: Arc<World>,
    blueprint: ApplicationBlueprint,
    source: IpAddr,
    health: SharedHealth,
}

/// Why the application has no database. Nothing of a secret's value is in it.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the secret `{0}` can't be read")]
    NoSecret(String),
    #[error("the secret `{0}` doesn't hold a database's credentials")]
    NotCredentials(String),
    #[error("the secret `{0}` names no secret")]
    NotPointer(String),
    #[error("nobody has said which secret is the active one")]
    Untold,
    #[error("can't connect to {host}:{port} ({source})")]
    Unreachable {
        host: String,
        port: u16,
        source: std::io::Error,
    },
    #[error("can't log in at {host}:{port} ({})", reason(.source))]
    NoLogin {
        host: String,
        port: u16,
        source: tokio_postgres::Error,
    },
    #[error("a query failed ({})", reason(.0))]
    Query(tokio_postgres::Error),
    #[error("a query took too long")]
    Slow,
}

/// The server's words, if it was the server.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

/// A session; its connection ends with it.
struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Where the sessions lead to.
struct Target {
    secret: String,
    text: SecretString,
    host: String,
    port: u16,
    database: String,
    sessions: Vec<Session>,
}

impl Application {
    async fn run(self) {
        let mut target = None;
        loop {
            let health = match self.step(&mut target).await {
                Ok(health) => health,
                Err(trouble) => {
                    target = None;
                    let reason = trouble.to_string();
                    if let Some(traffic) = self.traffic() {
                        traffic.could_not(Kind::Write, &reason);
                        traffic.could_not(Kind::Read, &reason);
                    }
                    Health::Ill { reason }
                }
            };
            *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
            tokio::time::sleep(self.blueprint.refresh).await;
        }
    }

    /// Looks at the secret, follows it, and asks the database something.
    async fn step(&self, target: &mut Option<Target>) -> Result<Health, Trouble> {
        let (secret, text) = self.credentials()?;
        let moved = target.as_ref().is_none_or(|target| {
            target.secret != secret || target.text.expose_secret() != text.expose_secret()
        });
        if moved {
            // The old sessions end first.
            *target = None;
            *target = Some(self.connect(secret, text).await?);
        }
        let Some(target) = target else {
            return Ok(Health::Starting);
        };
        for session in &target.sessions {
            let asked = session.client.simple_query("SELECT 1");
            match tokio::time::timeout(QUERY_DEADLINE, asked).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Trouble::Query(error)),
                Err(_) => return Err(Trouble::Slow),
            }
        }
        if let Some(traffic) = self.traffic() {
            let _turn = traffic.turn().await;
            target.write(traffic).await?;
            target.read(traffic).await?;
        }
        Ok(Health::Well {
            secret: target.secret.clone(),
            host: target.host.clone(),
            port: target.port,
            database: target.database.clone(),
            sessions: target.sessions.len(),
            seen: Instant::now(),
        })
    }

    /// The traffic, while it flows.
    fn traffic(&self) -> Option<&Traffic> {
        self.blueprint.traffic.as_ref().filter(|it| it.flows())
    }

    /// The name and the text of the secret with the credentials.
    fn credentials(&self) -> Result<(String, SecretString), Trouble> {
        let name = match &self.blueprint.active {
            ActiveSecret::Copy { secret } => secret.clone(),
            ActiveSecret::Told(told) => told.get().ok_or(Trouble::Untold)?,
            ActiveSecret::Pointer { secret, field } => {
                let text = self.read(secret)?;
                pointed(text.expose_secret(), field.as_deref())
                    .ok_or_else(|| Trouble::NotPointer(secret.clone()))?
            }
        };
        let text = self.read(&name)?;
        Ok((name, text))
    }

    fn read(&self, name: &str) -> Result<SecretString, Trouble> {
        self.world
            .read(|model| {
                let secret = model.secret(name).ok()?;
                secret.usable("GetSecretValue").ok()?;
                secret.current().cloned()
            })
            .ok_or_else(|| Trouble::NoSecret(name.to_owned()))
    }

    async fn connect(&self, secret: String, text: SecretString) -> Result<Target, Trouble> {
        let malformed = || Trouble::NotCredentials(secret.clone());
        let credentials: Credentials =
            serde_json::from_str(text.expose_secret()).map_err(|_| malformed())?;
        let port = port_number(&credentials.port).ok_or_else(malformed)?;
        let mut sessions = Vec::new();
        for _ in 0..self.blueprint.sessions.max(1) {
            sessions.push(self.open(&credentials, port).await?);
        }
        Ok(Target {
            secret,
            text,
            host: credentials.host,
            port,
            database: credentials.dbname,
            sessions,
        })
    }

    async fn open(&self, credentials: &Credentials, port: u16) -> Result<Session, Trouble> {
        let unreachable = |source| Trouble::Unreachable {
            host: credentials.host.clone(),
            port,
            source,
        };
        let login = |source| Trouble::NoLogin {
            host: credentials.host.clone(),
            port,
            source,
        };
        let address = tokio::net::lookup_host((credentials.host.as_str(), port))
            .await
            .map_err(unreachable)?
            .find(SocketAddr::is_ipv4)
            .ok_or_else(|| unreachable(std::io::ErrorKind::AddrNotAvailable.into()))?;
        let socket = TcpSocket::new_v4().map_err(unreachable)?;
        socket
            .bind(SocketAddr::new(self.source, 0))
            .map_err(unreachable)?;
        let stream = socket.connect(address).await.map_err(unreachable)?;
        let mut connector = self.world.identity.connector.clone();
        let tls = MakeTlsConnect::<tokio::net::TcpStream>::make_tls_connect(
            &mut connector,
            &credentials.host,
        )
        .map_err(|_| unreachable(std::io::ErrorKind::InvalidInput.into()))?;
        let (client, connection) = tokio_postgres::Config::new()
            .user(&credentials.username)
            .password(credentials.password.expose_secret())
            .dbname(&credentials.dbname)
            .application_name(&self.blueprint.name)
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect_raw(stream, tls)
            .await
            .map_err(login)?;
        let connection = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an application's session ended");
            }
        });
        Ok(Session { client, connection })
    }
}

impl Target {
    /// Writes a row. What the server refuses is an interruption; what it doesn't answer may be committed, and is logged so.
    async fn write(&self, traffic: &Traffic) -> Result<(), Trouble> {
        let Some(session) = self.sessions.first() else {
            return Ok(());
        };
        let (number, sql) = traffic.next_write();
        let server = format!("{}:{}", self.host, self.port);
        let sent = session.client.simple_query(&sql);
        match tokio::time::timeout(QUERY_DEADLINE, sent).await {
            Ok(Ok(_)) => {
                traffic.wrote(number, &server, true);
                Ok(())
            }
            Ok(Err(error)) if is_refusal(&error) => {
                traffic.could_not(Kind::Write, &reason(&error));
                Ok(())
            }
            Ok(Err(error)) => {
                traffic.wrote(number, &server, false);
                Err(Trouble::Query(error))
            }
            Err(_) => {
                traffic.wrote(number, &server, false);
                Err(Trouble::Slow)
            }
        }
    }

    async fn read(&self, traffic: &Traffic) -> Result<(), Trouble> {
        let Some(session) = self.sessions.last() else {
            return Ok(());
        };
        let asked = session.client.simple_query(traffic.read_statement());
        match tokio::time::timeout(QUERY_DEADLINE, asked).await {
            Ok(Ok(_)) => {
                traffic.read();
                Ok(())
            }
            Ok(Err(error)) if is_refusal(&error) => {
                traffic.could_not(Kind::Read, &reason(&error));
                Ok(())
            }
            Ok(Err(error)) => Err(Trouble::Query(error)),
            Err(_) => Err(Trouble::Slow),
        }
    }
}

/// Whether the server answered that the statement has no effect, and goes on. An operator's intervention (class 57) or a lost
/// connection (class 08) may come right behind the commit.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        let code = error.code().code();
        !code.starts_with("57") && !code.starts_with("08")
    })
}

/// Plain text, or a key of a JSON object.
fn pointed(text: &str, field: Option<&str>) -> Option<String> {
    let name = match field {
        None => text.trim().to_owned(),
        Some(field) => {
            let document: Value = serde_json::from_str(text).ok()?;
            document.get(field)?.as_str()?.to_owned()
        }
    };
    (!name.is_empty()).then_some(name)
}

/// Both spellings are in the wild.
fn port_number(port: &Value) -> Option<u16> {
    match port {
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_plain_text_or_a_key_of_an_object() {
        assert_eq!(pointed("rds/db\n", None).as_deref(), Some("rds/db"));
        let object = r#"{"active":"rds/db"}"#;
        assert_eq!(pointed(object, Some("active")).as_deref(), Some("rds/db"));
        assert_eq!(pointed(object, Some("secret")), None);
        assert_eq!(pointed(" ", None), None);
    }

    #[test]
    fn a_port_is_a_number_or_a_string() {
        assert_eq!(port_number(&json!(5432)), Some(5432));
        assert_eq!(port_number(&json!("5432")), Some(5432));
        assert_eq!(port_number(&json!(null)), None);
    }
}
