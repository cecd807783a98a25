//! A server to test against, and clients on it that aren't rbk's.

use rbk_core::environment::{Access, TableName};
use rbk_core::ports::{Login, PortError, Postgres, Progress, Session};
use rbk_postgres::{Connector, Limits};
use rbk_sandbox::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_postgres::Client;

/// A server with a database of its own for this test.
#[derive(Clone)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub ca: PathBuf,
    pub master: String,
    pub password: String,
    pub database: String,
    sandbox: Arc<Sandbox>,
}

impl Server {
    /// A fresh, empty database that the master owns, on an instance that all tests share.
    pub async fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut server = Self::shared();
        let database = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.sql(&format!("CREATE DATABASE {database}")).await;
        server.database = database;
        server
    }

    /// The instance, with the sandbox around it, on a runtime that outlives each test's own. The sandbox notices the
    /// end of this process, and cleans up.
    fn shared() -> Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED
            .get_or_init(|| {
                let (tell, told) = std::sync::mpsc::channel();
                std::thread::spawn(move || {
                    tokio::runtime::Runtime::new().unwrap().block_on(async {
                        tell.send(Self::create().await).unwrap();
                        std::future::pending::<()>().await;
                    });
                });
                told.recv().unwrap()
            })
            .clone()
    }

    async fn create() -> Self {
        let password = "the-masters-secret";
        let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
        sandbox.declare_security_group(SecurityGroupBlueprint {
            id: "sg-tests".into(),
            admits: vec!["127.0.0.1".parse().unwrap()],
        });
        let address = sandbox
            .create_instance(InstanceBlueprint {
                security_groups: vec!["sg-tests".into()],
                ..InstanceBlueprint::new("shop", "shop", "master", SecretString::from(password))
            })
            .await
            .unwrap();
        Self {
            host: address.host,
            port: address.port,
            ca: sandbox.ca_pem_path().to_owned(),
            master: "master".into(),
            password: password.into(),
            database: "shop".into(),
            sandbox: Arc::new(sandbox),
        }
    }

    /// The superuser over the private socket.
    pub async fn superuser(&self) -> Client {
        self.sandbox
            .superuser("shop", &self.database)
            .await
            .unwrap()
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

/// A table by its name with its schema.
pub fn table(name: &str) -> TableName {
    let (schema, table) = name.split_once('.').unwrap();
    TableName {
        schema: schema.to_owned(),
        table: table.to_owned(),
    }
}

/// What a long call has told.
#[derive(Default)]
pub struct Told(std::sync::Mutex<Vec<(String, u64, u64)>>);

impl Told {
    pub fn all(&self) -> Vec<(String, u64, u64)> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Told {
    fn tell(&self, seen: &str, done: u64, total: u64) {
        self.0.lock().unwrap().push((seen.to_owned(), done, total));
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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
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
