//! An account to run against: a sandbox of its own as `rbk sandbox up` furnishes it, a state directory of its own, and
//! eyes on both. Everything is gone when it is dropped.

use crate::process::{finish, rbk, root, said, stop};
use rbk_core::environment::{Access, TableName};
use rbk_core::ids::{InstanceId, SecretName};
use rbk_core::ports::{Login, PortErrorKind, Postgres, SecretFacts, Which};
use rbk_core::value::{Type, Value as Worth};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The runbook that is shipped.
pub const RUNBOOK: &str = "runbooks/quick-recovery.rbk";
/// The environment that is shipped, as a path.
pub const PROD: &str = "runbooks/environments/prod.toml";
/// The instance that it creates in `prod`.
pub const RECOVERY: &str = "statistagptdb-recovery";
/// The instance that is there.
pub const ORIGINAL: &str = "statistagptdb";
/// The secret that names the application's active database in `prod`.
pub const POINTER: &str = "sgpt/active_secret_key";

/// Longer than anything here takes, on a machine that has a lot to do.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// How many accounts of one test live at a time. Most of a case's time is waiting for what a lost call might still
/// come to.
const AT_A_TIME: usize = 8;

/// A running sandbox and a place for journals.
pub struct Account {
    sandbox: Child,
    exports: Vec<(String, String)>,
    home: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Account {
    /// The account of `prod`, with very few rows.
    pub fn start() -> Account {
        Account::with(&[])
    }

    /// The same with more options of `rbk sandbox up`.
    pub fn with(options: &[&str]) -> Account {
        Account::of("prod", options)
    }

    /// The same for an environment that is shipped.
    pub fn of(environment: &str, options: &[&str]) -> Account {
        let home = tempfile::tempdir().expect("a directory");
        let (out, err) = (home.path().join("up.out"), home.path().join("up.err"));
        let file = |path: &Path| std::fs::File::create(path).expect("a file");
        let sandbox = rbk(&["sandbox", "up", "--env", environment, "--rows", "20"])
            .args(options)
            .stdout(file(&out))
            .stderr(file(&err))
            .spawn()
            .expect("rbk starts");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut account = Account {
            sandbox,
            exports: Vec::new(),
            home,
            runtime,
        };
        let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
        eventually("the sandbox is ready", || {
            let ended = account.sandbox.try_wait().expect("a child").is_some();
            assert!(!ended, "the sandbox ended: {}", read(&err));
            read(&err).contains("ready;").then_some(())
        });
        account.exports = read(&out)
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        account
    }

    /// `rbk` with the exported lines and journals in this account's own place.
    pub fn rbk(&self, arguments: &[&str]) -> Command {
        let mut command = rbk(arguments);
        command
            .envs(self.exports.iter().cloned())
            .env("XDG_STATE_HOME", self.home.path().join("state"));
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn finish(&self, arguments: &[&str]) -> Output {
        finish(&mut self.rbk(arguments), PATIENCE)
    }

    /// `rbk run` of the shipped runbook, all approved, to its end.
    #[track_caller]
    pub fn run(&self) -> Output {
        self.finish(&["run", RUNBOOK, "--env", "prod", "--approve", "all"])
    }

    /// `rbk resume` of the only run there is, all approved, to its end.
    #[track_caller]
    pub fn resume(&self) -> Output {
        let run = self.only_run();
        self.finish(&["resume", &run, "--env", "prod", "--approve", "all"])
    }

    /// Writes a runbook that is the shipped one with one text in place of another, and returns its path.
    #[track_caller]
    pub fn runbook_with(&self, old: &str, new: &str) -> String {
        self.runbook_of(RUNBOOK, old, new)
    }

    /// The same of another runbook.
    #[track_caller]
    pub fn runbook_of(&self, file: &str, old: &str, new: &str) -> String {
        let text = std::fs::read_to_string(root().join(file)).expect("the runbook");
        self.written("changed.rbk", &replaced(&text, old, new))
    }

    /// Writes an environment that is `prod` with one text in place of another, and returns its path.
    #[track_caller]
    pub fn environment_with(&self, old: &str, new: &str) -> String {
        let text = std::fs::read_to_string(root().join(PROD)).expect("prod.toml");
        self.written("changed.toml", &replaced(&text, old, new))
    }

    fn written(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// An exported variable.
    pub fn variable(&self, name: &str) -> &str {
        let found = self.exports.iter().find(|(known, _)| known == name);
        &found.expect("it is exported").1
    }

    /// A place that goes with the account.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The sandbox's directory.
    pub fn directory(&self) -> PathBuf {
        let manifest = Path::new(self.variable("RBK_SANDBOX"));
        manifest.parent().expect("a folder").to_owned()
    }

    /// Takes the sandbox away; what was journaled stays.
    pub fn stop(&mut self) {
        stop(&mut self.sandbox, Signal::INT);
    }

    /// The sandbox's process.
    pub fn sandbox(&self) -> &Child {
        &self.sandbox
    }

    /// Where journals are by default.
    pub fn store(&self) -> PathBuf {
        self.home.path().join("state/rbk/123456789012/eu-central-1")
    }

    /// The names of all runs, oldest first.
    pub fn runs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.store()) else {
            return Vec::new();
        };
        let mut runs: Vec<String> = entries
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.join("journal.jsonl").is_file())
            .map(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.expect("UTF-8").to_owned()
            })
            .collect();
        runs.sort();
        runs
    }

    /// The name of the only run.
    #[track_caller]
    pub fn only_run(&self) -> String {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    /// The complete records of the only run's journal.
    #[track_caller]
    pub fn journal(&self) -> Vec<Value> {
        let path = self.store().join(self.only_run()).join("journal.jsonl");
        let text = std::fs::read_to_string(path).expect("a journal");
        // Of a run that goes on, the last line may be half written.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The same, of an account that may have no run yet.
    pub fn journal_or_none(&self) -> Vec<Value> {
        if self.runs().is_empty() {
            Vec::new()
        } else {
            self.journal()
        }
    }

    /// The effects that the sandbox has applied.
    pub fn ledger(&self) -> Vec<Value> {
        let answer = self.control("GET", "/_sandbox/ledger", "");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// The same as `SERVICE CALL TARGET` with what was passed; names that are made anew in each run are numbered by
    /// their first appearance, so that two runs can be compared.
    pub fn effects(&self) -> Vec<String> {
        let mut names = Names::default();
        self.ledger()
            .iter()
            .map(|effect| {
                let parameters = effect["parameters"].as_object().expect("an object");
                // What was current before comes first: it is older.
                let mut parts: Vec<String> = parameters
                    .iter()
                    .map(|(name, value)| {
                        let value = value.as_str().expect("text");
                        format!("{name}={}", names.stable(name, value))
                    })
                    .collect();
                parts.sort();
                format!(
                    "{} {} {}",
                    effect["operation"].as_str().expect("text"),
                    effect["target"].as_str().expect("text"),
                    parts.join(" ")
                )
            })
            .collect()
    }

    /// Plants faults, one a line.
    #[track_caller]
    pub fn plant(&self, faults: &str) {
        let answer = self.control("POST", "/_sandbox/faults", faults);
        assert!(answer.contains("planted"), "{answer}");
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.control("DELETE", "/_sandbox/faults", "");
    }

    /// Waits until a call is held under that name.
    #[track_caller]
    pub fn until_held(&self, name: &str) {
        eventually(&format!("`{name}` holds a call"), || {
            let answer = self.control("GET", "/_sandbox/holds", "");
            let holds: BTreeMap<String, u64> = serde_json::from_str(&answer).expect("JSON");
            holds.contains_key(name).then_some(())
        });
    }

    /// Lets held calls go on.
    pub fn release(&self, name: &str) {
        self.control("DELETE", &format!("/_sandbox/holds/{name}"), "");
    }

    /// Asks the sandbox itself.
    #[track_caller]
    pub fn control(&self, method: &str, path: &str, body: &str) -> String {
        let endpoint = self.variable("AWS_ENDPOINT_URL");
        let (_, body) = http(endpoint, method, path, body).expect("the sandbox answers");
        body
    }

    /// What the stand-in for the application says of itself: the status, and the secret that it follows.
    pub fn application(&self) -> (u16, String) {
        let text = std::fs::read_to_string(self.variable("RBK_SANDBOX")).expect("a manifest");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        let url = manifest["overlay"]["health"]["sgpt"].as_str().expect("one");
        let base = url.trim_end_matches("/health");
        let (status, body) = http(base, "GET", "/health", "").expect("the stand-in answers");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        (
            status,
            body["secret"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// The AWS ports, as rbk itself uses them.
    pub fn aws<T>(&self, ask: impl AsyncFnOnce(rbk_aws::Aws) -> T) -> T {
        let options = rbk_aws::Options {
            region: self.variable("AWS_REGION").to_owned(),
            endpoint_url: Some(self.variable("AWS_ENDPOINT_URL").to_owned()),
            profile: None,
            key: Some(rbk_aws::AccessKey {
                id: "AKIASOMEBODYELSE".to_owned(),
                secret: SecretString::from("any"),
            }),
        };
        self.runtime.block_on(async {
            let aws = rbk_aws::connect(options).await.expect("connected");
            ask(aws).await
        })
    }

    /// The current value of a secret.
    pub fn secret(&self, name: &str) -> String {
        let name = SecretName::from(name);
        self.aws(async |aws| {
            let value = aws.secrets.value(&name, &Which::current()).await;
            value.expect("a value").value.expose_secret().to_owned()
        })
    }

    /// The values of all versions of a secret.
    pub fn all_values(&self, name: &str) -> Vec<String> {
        let versions = self.versions(name).versions;
        let name = SecretName::from(name);
        self.aws(async |aws| {
            let mut values = Vec::new();
            for version in versions.into_keys() {
                let value = aws.secrets.value(&name, &Which::Version(version)).await;
                values.push(value.expect("a value").value.expose_secret().to_owned());
            }
            values
        })
    }

    /// A secret's versions.
    pub fn versions(&self, name: &str) -> SecretFacts {
        let name = SecretName::from(name);
        self.aws(async |aws| {
            let facts = aws.secrets.describe(&name).await.expect("an answer");
            facts.expect("a secret")
        })
    }

    /// Gives a secret another current value, as a colleague would.
    pub fn meddle_with(&self, name: &str, value: &str) {
        let name = SecretName::from(name);
        let facts = self.versions(name.as_str());
        let (before, count) = (facts.current().cloned(), facts.versions.len());
        self.aws(async |aws| {
            let version = format!("0badcafe-0000-4000-8000-{count:012}")
                .as_str()
                .into();
            let label = "BYHAND".into();
            let value = SecretString::from(value);
            let put = aws.secrets.put(&name, &version, &value, &label).await;
            put.expect("it is put");
            let current = "AWSCURRENT".into();
            let moved = aws
                .secrets
                .move_label(&name, &current, before.as_ref(), &version)
                .await;
            moved.expect("it is moved");
        });
    }

    /// The status of an instance, if it exists.
    pub fn status(&self, instance: &str) -> Option<String> {
        let id = InstanceId::from(instance);
        self.aws(async |aws| {
            let found = aws.rds.instance(&id).await.expect("an answer");
            found.map(|instance| instance.status)
        })
    }

    /// Whether the credentials in a secret open their own database.
    pub fn opens(&self, secret: &str) -> bool {
        self.session(secret, async |_| ()).is_some()
    }

    /// Whether the application's credentials in a secret may write to their own database.
    pub fn writes(&self, secret: &str) -> bool {
        let insert =
            "INSERT INTO public.sources (key, title) VALUES (gen_random_uuid()::text, 'x')";
        self.execute(secret, insert).is_ok()
    }

    /// Performs SQL with the credentials in a secret.
    pub fn execute(
        &self,
        secret: &str,
        sql: &str,
    ) -> Result<(), rbk_sandbox::tokio_postgres::Error> {
        let client = self.connected(secret)?;
        self.runtime.block_on(client.client.batch_execute(sql))
    }

    /// A session with the credentials in a secret, which stays until it is dropped.
    #[track_caller]
    pub fn client(&self, secret: &str) -> Client<'_> {
        self.connected(secret).expect("it can be logged in to")
    }

    fn connected(&self, secret: &str) -> Result<Client<'_>, rbk_sandbox::tokio_postgres::Error> {
        let login = self.login(secret);
        let mut config = rbk_sandbox::tokio_postgres::Config::new();
        config
            .host(&login.host)
            .port(login.port)
            .user(&login.username)
            .dbname(&login.database)
            .password(login.password.expose_secret())
            .ssl_mode(rbk_sandbox::tokio_postgres::config::SslMode::Require);
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(self.tls());
        self.runtime.block_on(async {
            let (client, connection) = config.connect(tls).await?;
            Ok(Client {
                account: self,
                client,
                connection: tokio::spawn(async { drop(connection.await) }),
            })
        })
    }

    /// Trusts the sandbox's own authority, as it must be done in AWS.
    fn tls(&self) -> rustls::ClientConfig {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let ca = self.directory().join("ca.pem");
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(ca).expect("a certificate");
        roots.add(certificate).expect("an authority");
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// How many rows each table of a secret's database has.
    pub fn rows(&self, secret: &str) -> BTreeMap<String, u64> {
        let list = "SELECT string_agg(schemaname || '.' || tablename, ' ') FROM pg_tables \
                    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        self.session(secret, async |session: &dyn rbk_core::ports::Session| {
            let Ok(Worth::Text(names)) = session.query(list, Type::Text).await else {
                panic!("the tables can't be listed");
            };
            let mut rows = BTreeMap::new();
            for name in names.split(' ') {
                let (schema, table) = name.split_once('.').expect("two names");
                let table = TableName {
                    schema: schema.to_owned(),
                    table: table.to_owned(),
                };
                rows.insert(name.to_owned(), session.count(&table).await.expect("rows"));
            }
            rows
        })
        .expect("it can be logged in to")
    }

    /// One value out of a secret's database; `None` where the login is refused or the statement fails.
    pub fn value(&self, secret: &str, sql: &str, ty: Type) -> Option<Worth> {
        self.session(secret, async |session: &dyn rbk_core::ports::Session| {
            let value = session.query(sql, ty).await.ok();
            // Answered behind the end of the query's transaction, whose locks would stay as long as nobody drives the session.
            let _ = session.whoami().await;
            value
        })
        .flatten()
    }

    /// A session on the original's server as its superuser, who can do what no client of RDS can.
    pub fn superuser(&self) -> Client<'_> {
        let clusters = std::fs::read_dir(self.directory().join("c")).expect("clusters");
        let first = clusters
            .filter_map(|entry| {
                let path = entry.expect("readable").path();
                let number: u64 = path.file_name()?.to_str()?.parse().ok()?;
                Some((number, path))
            })
            .min()
            .expect("the original's cluster")
            .1;
        let mut config = rbk_sandbox::tokio_postgres::Config::new();
        config
            .host_path(first.join("s"))
            .port(5432)
            .user("rdsadmin")
            .dbname("statistagpt")
            .application_name("rdsadmin");
        self.runtime.block_on(async {
            let (client, connection) = config
                .connect(rbk_sandbox::tokio_postgres::NoTls)
                .await
                .expect("connected");
            Client {
                account: self,
                client,
                connection: tokio::spawn(async { drop(connection.await) }),
            }
        })
    }

    fn session<T>(
        &self,
        secret: &str,
        ask: impl AsyncFnOnce(&dyn rbk_core::ports::Session) -> T,
    ) -> Option<T> {
        let login = self.login(secret);
        let access = Access {
            tunnel: None,
            ca: Some(self.directory().join("ca.pem")),
            connect_timeout: 20,
        };
        let connector = rbk_postgres::Connector::new(&access).expect("a connector");
        self.runtime.block_on(async {
            match connector.connect(&login).await {
                Ok(session) => Some(ask(session.as_ref()).await),
                Err(error) if error.kind == PortErrorKind::LoginRefused => None,
                Err(error) => panic!("{error}"),
            }
        })
    }

    /// The credentials in a secret.
    fn login(&self, secret: &str) -> Login {
        let content: Value = serde_json::from_str(&self.secret(secret)).expect("JSON");
        let text = |name: &str| content[name].as_str().expect(name).to_owned();
        Login {
            host: text("host"),
            port: u16::try_from(content["port"].as_u64().expect("a port")).expect("a port"),
            database: text("dbname"),
            username: text("username"),
            password: SecretString::from(text("password")),
        }
    }

    /// What a run leaves behind, as far as anybody but rbk can see it.
    pub fn end(&self) -> End {
        let secrets = [
            "rds/statistagptdb",
            "rds/statistagptdb_admin",
            "rds/statistagptdb_recovery",
            "rds/statistagptdb_recovery_admin",
        ];
        let exists = self.status(RECOVERY).is_some();
        End {
            active: self.secret(POINTER),
            recovery: self.status(RECOVERY),
            opens: secrets
                .iter()
                .filter(|secret| self.opens(secret))
                .map(|secret| (*secret).to_owned())
                .collect(),
            rows: if exists {
                self.rows("rds/statistagptdb_recovery_admin")
            } else {
                BTreeMap::new()
            },
            application: self.application(),
        }
    }
}

/// A session that stays for as long as this does.
pub struct Client<'a> {
    account: &'a Account,
    client: rbk_sandbox::tokio_postgres::Client,
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        self.connection.abort();
        let _ = self.account.runtime.block_on(&mut self.connection);
    }
}

impl Client<'_> {
    /// Performs SQL.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        let done = self
            .account
            .runtime
            .block_on(self.client.batch_execute(sql));
        done.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    }

    /// A number.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let row = self
            .account
            .runtime
            .block_on(self.client.query_one(sql, &[]));
        row.unwrap_or_else(|error| panic!("{error:?}: {sql}"))
            .get(0)
    }
}

impl Account {
    /// The application is well on the original and can write to it, as before the run.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(self.secret(POINTER), "rds/statistagptdb");
        eventually("the application is well on the original", || {
            (self.application() == (200, "rds/statistagptdb".to_owned())).then_some(())
        });
        assert!(self.writes("rds/statistagptdb"));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a run leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What the pointer names.
    pub active: String,
    /// The recovery instance's status.
    pub recovery: Option<String>,
    /// The secrets whose credentials open their databases.
    pub opens: BTreeSet<String>,
    /// Rows of the recovery's tables.
    pub rows: BTreeMap<String, u64>,
    /// How the application is, and what it uses.
    pub application: (u16, String),
}

impl End {
    /// The application is well on the recovery, the data is there, and nobody writes to the original any more.
    #[track_caller]
    pub fn assert_recovered(&self) {
        assert_eq!(self.active, "rds/statistagptdb_recovery");
        assert_eq!(self.application, (200, self.active.clone()));
        assert_eq!(self.recovery.as_deref(), Some("available"));
        let opens: Vec<&str> = self.opens.iter().map(String::as_str).collect();
        assert_eq!(
            opens,
            [
                "rds/statistagptdb_admin",
                "rds/statistagptdb_recovery",
                "rds/statistagptdb_recovery_admin"
            ]
        );
        assert!(self.rows["public.embeddings"] >= 20, "{:?}", self.rows);
    }
}

/// Names that are made anew in each run, in the order in which they were met.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn stable(&mut self, parameter: &str, value: &str) -> String {
        let kind = match parameter {
            "DbiResourceId" => "resource",
            "DBSnapshotIdentifier" => "snapshot",
            "VersionStages" => return value.split('-').next().unwrap_or(value).to_owned(),
            "VersionId" | "MoveToVersionId" | "RemoveFromVersionId" => "version",
            _ => return value.to_owned(),
        };
        let next = self.0.len() + 1;
        let known = self.0.entry(value.to_owned());
        known.or_insert_with(|| format!("{kind}-{next}")).clone()
    }
}

#[track_caller]
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "`{old}` isn't in it");
    text.replace(old, new)
}

/// Polls until there is something. Never sleeps for long, never for ever.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never came to be: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One plain request; the connection is closed after it.
pub fn http(base: &str, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    http_with(base, method, path, "accept: */*", body)
}

fn http_with(
    base: &str,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{header}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.unwrap_or(0), body.to_owned()))
}

/// A request of RDS's that rbk itself doesn't make; the answer's body.
#[track_caller]
pub fn query(account: &Account, body: &str) -> String {
    let endpoint = account.variable("AWS_ENDPOINT_URL");
    let signature = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIASOMEBODYELSE/20260102/{}/rds/aws4_request, SignedHeaders=host, Signature=00",
        account.variable("AWS_REGION")
    );
    let body = format!("Version=2014-10-31&Action={body}");
    let answer = http_with(endpoint, "POST", "/", &signature, &body).expect("the sandbox answers");
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1
}

/// Performs all cases, some at a time, and names those that failed.
pub fn in_parallel<T: Sync + std::fmt::Debug>(cases: &[T], perform: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let work = std::panic::AssertUnwindSafe(|| perform(case));
                    if std::panic::catch_unwind(work).is_err() {
                        failed.lock().expect("unpoisoned").push(format!("{case:?}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("unpoisoned");
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// Asserts how a process ended, and shows all that it said if it ended otherwise.
#[track_caller]
pub fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

/// Asserts what was printed, on either stream.
#[track_caller]
pub fn assert_says(output: &Output, words: &str) {
    let text = said(output);
    assert!(text.contains(words), "`{words}` isn't in:\n{text}");
}

/// A process that goes on while the test does something else; killed if the test forgets it.
pub struct Running {
    child: Child,
    streams: tempfile::TempDir,
}

impl Running {
    /// Starts it with both streams kept.
    pub fn start(mut command: Command) -> Running {
        let streams = tempfile::tempdir().expect("a directory");
        let file = |name: &str| std::fs::File::create(streams.path().join(name)).expect("a file");
        command.stdout(file("stdout")).stderr(file("stderr"));
        Running {
            child: command.spawn().expect("rbk starts"),
            streams,
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&self) -> bool {
        let process = format!("/proc/{}/stat", self.child.id());
        std::fs::read_to_string(process).is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Waits until it has said something on stderr.
    #[track_caller]
    pub fn until_says(&self, words: &str) {
        eventually(words, || {
            let said = String::from_utf8_lossy(&self.said("stderr")).contains(words);
            said.then_some(())
        });
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Output {
        let status = eventually("it ends", || self.child.try_wait().expect("a child"));
        Output {
            status,
            stdout: self.said("stdout"),
            stderr: self.said("stderr"),
        }
    }

    fn said(&self, stream: &str) -> Vec<u8> {
        std::fs::read(self.streams.path().join(stream)).expect("readable")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
