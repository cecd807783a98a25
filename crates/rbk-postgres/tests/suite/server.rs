//! A server to test against, and clients on it that aren't rbk's.

use rbk_core::environment::Access;
use rbk_core::ports::{Login, PortError, Postgres, Session};
use rbk_postgres::{Connector, Limits};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_postgres::Client;

/// A server with a database of its own for this test.
pub struct Server {
    pub host: String,
    pub port: u16,
    pub ca: PathBuf,
    pub master: String,
    pub password: String,
    pub database: String,
}

impl Server {
    /// A fresh, empty database that the master owns.
    pub async fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut server = Self {
            host: "localhost".into(),
            port: 55432,
            ca: "/tmp/rbk-pg-scratch/ca.pem".into(),
            master: "master".into(),
            password: "m-secret".into(),
            database: "shop".into(),
        };
        let name = format!("t{}_{number}", std::process::id());
        server.sql(&format!("CREATE DATABASE {name}")).await;
        server.database = name;
        server
    }

    /// Direct access with this server's authority.
    pub fn access(&self) -> Access {
        Access {
            tunnel: None,
            ca: Some(self.ca.clone()),
            connect_timeout: 10,
        }
    }

    pub fn connector(&self) -> Connector {
        Connector::new(&self.access()).unwrap()
    }

    /// Limits that a test can wait for; counters are up to a second late.
    pub fn quick(&self) -> Connector {
        self.connector().with_limits(Limits {
            freeze: Duration::from_secs(8),
            still: Duration::from_millis(1500),
            ..Limits::default()
        })
    }

    pub fn login(&self) -> Login {
        self.login_as(&self.master, &self.password)
    }

    pub fn login_as(&self, username: &str, password: &str) -> Login {
        Login {
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            username: username.to_owned(),
            password: SecretString::from(password),
        }
    }

    pub async fn session(&self) -> Box<dyn Session> {
        self.connector().connect(&self.login()).await.unwrap()
    }

    /// A role of its own for this test, with a password, that may use everything in `public`.
    pub async fn role(&self, name: &str) -> App {
        let role = format!("{name}_{}", self.database);
        self.sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'app-secret-{role}'; \
             GRANT ALL ON SCHEMA public TO {role}; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; \
             GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
        ))
        .await;
        App {
            login: self.login_as(&role, &format!("app-secret-{role}")),
            ca: self.ca.clone(),
            role,
        }
    }

    /// The master as a client that isn't rbk's.
    pub fn administrator(&self) -> App {
        App {
            role: self.master.clone(),
            login: self.login(),
            ca: self.ca.clone(),
        }
    }

    /// Runs statements as the master, in a session that has ended when this returns.
    pub async fn sql(&self, statements: &str) {
        let client = self.administrator().connect().await.unwrap();
        client.batch_execute(statements).await.unwrap();
    }
}

/// An application that logs in on its own, without rbk.
pub struct App {
    pub role: String,
    pub login: Login,
    pub ca: PathBuf,
}

impl App {
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        use rustls_pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in rustls_pki_types::CertificateDer::pem_file_iter(&self.ca).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (client, connection) = tokio_postgres::Config::new()
            .host(&self.login.host)
            .port(self.login.port)
            .dbname(&self.login.database)
            .user(&self.login.username)
            .password(self.login.password.expose_secret())
            .application_name("shop")
            .connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls))
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The error of a login that must fail, in which no password may stand.
#[track_caller]
pub fn refused(result: Result<Box<dyn Session>, PortError>, login: &Login) -> PortError {
    let error = match result {
        Ok(_) => panic!("the login succeeded"),
        Err(error) => error,
    };
    let texts = format!("{error} {error:?}");
    assert!(
        !texts.contains(login.password.expose_secret()),
        "a password stands in: {texts}"
    );
    error
}
