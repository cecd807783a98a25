//! What Liquibase says, recorded and real.

use super::*;
use crate::adapters::tests::Told;
use rbk_core::environment::Access;
use rbk_core::ids::RunId;
use rbk_core::ports::Login;
use rbk_sandbox::tokio_postgres::Client;
use rbk_sandbox::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
use secrecy::ExposeSecret;
use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const RUN: &str = "20261122t091500-1f3a9c02";
const PASSWORD: &str = "the-masters-secret";

/// Liquibase 4.28.0, a change set that names a type that isn't there.
const FAILED: &str = r#"Starting Liquibase at 18:33:48 (version 4.28.0 #2272 built at 2024-05-16 19:00+0000)
Liquibase Version: 4.28.0
Liquibase Open Source 4.28.0 by Liquibase
Running Changeset: db.changelog.xml::documents::statistagpt
Running Changeset: db.changelog.xml::embeddings::statistagpt
ERROR: Exception Details
ERROR: Exception Primary Class:  PSQLException
ERROR: Exception Primary Reason:  ERROR: type "vectr" does not exist
  Position: 344
ERROR: Exception Primary Source:  PostgreSQL 16.14

Unexpected error running Liquibase: Migration failed for changeset db.changelog.xml::embeddings::statistagpt:
     Reason: liquibase.exception.DatabaseException: ERROR: type "vectr" does not exist
  Position: 344 [Failed SQL: (0) CREATE TABLE public.embeddings (
  embedding_vector vectr(1536) NOT NULL
)]

For more information, please use the --log-level flag"#;

/// Liquibase 4.28.0, after a minute behind somebody else's lock.
const LOCKED: &str = r"ERROR: Exception Details
ERROR: Exception Primary Class:  LockException
ERROR: Exception Primary Reason:  Could not acquire change log lock.  Currently locked by build-7 (10.0.0.7) since 11/22/26, 6:36 PM
ERROR: Exception Primary Source:  4.28.0

Unexpected error running Liquibase: Could not acquire change log lock.  Currently locked by build-7 (10.0.0.7) since 11/22/26, 6:36 PM

For more information, please use the --log-level flag";

/// Liquibase 4.28.0, a change set that was edited after it had been applied.
const EDITED: &str = r"ERROR: Exception Details
ERROR: Exception Primary Class:  ValidationFailedException
ERROR: Exception Primary Reason:  Validation Failed:
     1 changesets check sum
          db.changelog.xml::conversations::statistagpt was: 9:c2e4939e4b1374e98526421c3fc78c04 but is now: 9:dc0bdfe4b596373640e11c1457d57488

ERROR: Exception Primary Source:  4.28.0

Unexpected error running Liquibase: Validation Failed:
     1 changesets check sum";

/// Liquibase 4.28.0, a server that went away in the middle of a change set.
const CUT: &str = r"Running Changeset: db.changelog.xml::slow::anna
ERROR: Exception Details
ERROR: Exception Primary Class:  EOFException
ERROR: Exception Primary Reason:  An I/O error occurred while sending to the backend.
ERROR: Exception Primary Source:  PostgreSQL 16.14

Unexpected error running Liquibase: Migration failed for changeset db.changelog.xml::slow::anna:
     Reason: liquibase.exception.DatabaseException: An I/O error occurred while sending to the backend. [Failed SQL: (0) select 1]";

/// A bridge to nowhere: nobody connects to it.
async fn idle_bridge() -> Bridge {
    let access = Access {
        tunnel: None,
        ca: Some(Server::shared().sandbox.ca_pem_path().to_owned()),
        connect_timeout: 1,
    };
    let connector = Connector::new(&access).unwrap();
    connector.bridge("db.example", 5432).await.unwrap()
}

/// What is told of recorded lines and a status.
async fn verdict(recorded: &str, status: i32) -> MigrationError {
    let mut ear = Ear::default();
    let told = Told::default();
    for line in recorded
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        ear.hear(line, &told);
    }
    let ended = Ended {
        status: Some(ExitStatus::from_raw(status)),
        said: recorded.lines().map(str::to_owned).collect(),
    };
    Verdict {
        doing: "migrating".to_owned(),
        name: "liquibase",
        ended: &ended,
        bridge: &idle_bridge().await,
        password: &SecretString::from("10.0.0.7"),
        within: 60,
    }
    .of(ear)
}

/// An exit status of 1 as `wait` gives it.
const ONE: i32 = 1 << 8;

#[tokio::test]
async fn a_failed_change_set_is_named_with_the_databases_own_reason() {
    assert_eq!(
        verdict(FAILED, ONE).await,
        MigrationError::ChangeSet {
            change_set: "db.changelog.xml::embeddings::statistagpt".to_owned(),
            reason: "ERROR: type \"vectr\" does not exist Position: 344".to_owned(),
        }
    );
}

#[track_caller]
fn tool(error: MigrationError) -> PortError {
    match error {
        MigrationError::Tool(error) => error,
        other => panic!("not the tool: {other}"),
    }
}

#[tokio::test]
async fn somebody_elses_lock_is_a_state_that_passes() {
    let error = tool(verdict(LOCKED, ONE).await);
    assert_eq!(error.kind, PortErrorKind::InvalidState);
    assert_eq!(error.sent, Sent::No);
    assert!(error.message.contains("locked by build-7"), "{error}");
    // It was given as the password.
    assert!(!error.message.contains("10.0.0.7"), "{error}");
}

#[tokio::test]
async fn an_edited_change_set_is_told_with_its_name_and_the_mend() {
    let error = tool(verdict(EDITED, ONE).await);
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    for part in [
        "db.changelog.xml::conversations::statistagpt",
        "add a new one",
    ] {
        assert!(error.message.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_lost_connection_decides_nothing() {
    let error = tool(verdict(CUT, ONE).await);
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert_eq!(error.sent, Sent::Maybe);
    let error = tool(verdict("Running Changeset: a::b::c", 9).await);
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    assert_eq!(error.sent, Sent::Maybe);
}

#[tokio::test]
async fn missing_java_is_told_with_how_to_get_it() {
    let said =
        "Cannot find java in your path. Install java or use the JAVA_HOME environment variable";
    let error = tool(verdict(said, ONE).await);
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert!(error.message.contains("install Java 17"), "{error}");
}

#[test]
fn a_change_sets_name_may_hold_colons_and_spaces() {
    let mut ear = Ear::default();
    let told = Told::default();
    ear.hear("Running Changeset: db.changelog.xml::slow::x::a b", &told);
    ear.hear(
        "Unexpected error running Liquibase: Migration failed for changeset db.changelog.xml::slow::x::a b:",
        &told,
    );
    assert_eq!(
        ear.failed.as_deref(),
        Some("db.changelog.xml::slow::x::a b")
    );
    assert_eq!(told.all(), ["change set `db.changelog.xml::slow::x::a b`"]);
}

#[test]
fn a_databases_name_is_a_part_of_the_address_and_no_more() {
    assert_eq!(percent("shop"), "shop");
    assert_eq!(percent("a b?x=1&ö/"), "a%20b%3Fx%3D1%26%C3%B6%2F");
}

/// A real server, shared by all tests of this file.
struct Server {
    sandbox: Sandbox,
    host: String,
    port: u16,
    program: PathBuf,
}

impl Server {
    fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (tell, told) = std::sync::mpsc::channel();
            // On a runtime that outlives each test's own.
            std::thread::spawn(move || {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    tell.send(Self::start().await).unwrap();
                    std::future::pending::<()>().await;
                });
            });
            told.recv().unwrap()
        })
    }

    async fn start() -> Self {
        let program = rbk_sandbox::liquibase(|_| {}).await.unwrap();
        let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
        sandbox.declare_security_group(SecurityGroupBlueprint {
            id: "sg-tests".into(),
            admits: vec!["127.0.0.1".parse().unwrap()],
        });
        let address = sandbox
            .create_instance(InstanceBlueprint {
                security_groups: vec!["sg-tests".into()],
                ..InstanceBlueprint::new("shop", "shop", "master", SecretString::from(PASSWORD))
            })
            .await
            .unwrap();
        Self {
            host: address.host,
            port: address.port,
            sandbox,
            program,
        }
    }
}

/// A database and a changelog of a test's own.
struct Shop {
    server: &'static Server,
    login: Login,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared();
        // A name that an address can't hold as it is.
        let database = format!("shop {}?x=&y", NUMBER.fetch_add(1, Ordering::Relaxed));
        let superuser = server.sandbox.superuser("shop", "shop").await.unwrap();
        superuser
            .batch_execute(&format!("CREATE DATABASE \"{database}\" OWNER master"))
            .await
            .unwrap();
        Self {
            server,
            login: Login {
                host: server.host.clone(),
                port: server.port,
                database,
                username: "master".to_owned(),
                password: SecretString::from(PASSWORD),
            },
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A changelog of these statements, each a change set named by its place.
    fn changelog(&self, statements: &[&str]) -> &Self {
        let mut text = "--liquibase formatted sql\n".to_owned();
        for (number, statement) in statements.iter().enumerate() {
            text.push_str(&format!("--changeset anna:{}\n{statement};\n", number + 1));
        }
        std::fs::write(self.folder.path().join("changelog.sql"), text).unwrap();
        self
    }

    fn migrations(&self) -> Migrations {
        Migrations {
            tool: MigrationTool::Liquibase,
            changelog: self.folder.path().join("changelog.sql"),
            search_path: self.folder.path().to_owned(),
            program: Some(vec![self.server.program.display().to_string()]),
            contexts: Vec::new(),
            schema: "public".to_owned(),
            within: 120,
        }
    }

    async fn migrate(&self, migrations: &Migrations, told: &Told) -> Result<(), MigrationError> {
        let access = Access {
            tunnel: None,
            ca: Some(self.server.sandbox.ca_pem_path().to_owned()),
            connect_timeout: 10,
        };
        Liquibase::new(Connector::new(&access).unwrap())
            .migrate(&MigrateRequest {
                migrations,
                login: &self.login,
                run: &RunId::from(RUN),
                progress: told,
            })
            .await
    }

    async fn superuser(&self) -> Client {
        let sandbox = &self.server.sandbox;
        sandbox
            .superuser("shop", &self.login.database)
            .await
            .unwrap()
    }

    async fn one<T>(&self, sql: &str) -> T
    where
        T: for<'a> rbk_sandbox::tokio_postgres::types::FromSql<'a>,
    {
        self.superuser()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

#[tokio::test]
async fn a_changelog_is_applied_once() {
    let shop = Shop::open().await;
    shop.changelog(&[
        "CREATE TABLE orders (id int)",
        "CREATE TABLE lines (id int)",
    ]);
    let (first, again) = (Told::default(), Told::default());
    shop.migrate(&shop.migrations(), &first).await.unwrap();
    assert_eq!(
        first.all(),
        [
            "change set `changelog.sql::1::anna`",
            "change set `changelog.sql::2::anna`"
        ]
    );
    shop.migrate(&shop.migrations(), &again).await.unwrap();
    assert_eq!(again.all(), Vec::<String>::new());
    let tables: i64 = shop
        .one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = 'master'")
        .await;
    assert_eq!(tables, 4, "two, and Liquibase's own two");
}

#[tokio::test]
async fn a_changelog_that_fails_half_way_goes_on_where_it_stopped_once_it_is_mended() {
    let shop = Shop::open().await;
    let good = [
        "CREATE TABLE orders (id int)",
        "CREATE TABLE lines (id int)",
    ];
    let error = shop
        .changelog(&[good[0], "CREATE TABLE lines (id nit)"])
        .migrate(&shop.migrations(), &Told::default())
        .await
        .unwrap_err();
    let MigrationError::ChangeSet { change_set, reason } = error else {
        panic!("{error}");
    };
    assert_eq!(change_set, "changelog.sql::2::anna");
    assert!(reason.contains("type \"nit\" does not exist"), "{reason}");
    let told = Told::default();
    shop.changelog(&good)
        .migrate(&shop.migrations(), &told)
        .await
        .unwrap();
    assert_eq!(told.all(), ["change set `changelog.sql::2::anna`"]);
}

#[tokio::test]
async fn a_killed_run_leaves_a_lock_that_names_it_and_nothing_half_done() {
    let shop = Shop::open().await;
    shop.changelog(&["CREATE TABLE orders (id int); SELECT pg_sleep(600)"]);
    let migrations = shop.migrations();
    let told = Told::default();
    let asleep = async {
        let watch = shop.superuser().await;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        while watch.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        command_lines()
    };
    let lines = tokio::select! {
        ended = shop.migrate(&migrations, &told) => panic!("{ended:?}"),
        lines = asleep => lines,
    };
    let ours: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("changelog.sql"))
        .collect();
    assert!(!ours.is_empty(), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains(PASSWORD)),
        "{ours:?}"
    );

    // Its session ends with the bridge, and what it had begun is rolled back.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'master' AND datname = current_database()";
    let watch = shop.superuser().await;
    while watch
        .query_one(sessions, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        tokio::task::yield_now().await;
    }
    let holder: String = shop
        .one("SELECT lockedby FROM databasechangeloglock WHERE locked")
        .await;
    assert!(holder.contains(&format!("rbk-{RUN}")), "{holder}");
    let orders: i64 = shop
        .one("SELECT count(*) FROM pg_tables WHERE tablename = 'orders'")
        .await;
    assert_eq!(orders, 0);
}

/// The command lines of all processes.
fn command_lines() -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

#[tokio::test]
async fn a_refused_login_is_one() {
    let mut shop = Shop::open().await;
    shop.changelog(&["SELECT 1"]);
    shop.login.password = SecretString::from("not-the-password");
    let error = tool(
        shop.migrate(&shop.migrations(), &Told::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(error.kind, PortErrorKind::LoginRefused, "{error}");
    assert_eq!(error.sent, Sent::No);
    assert!(!format!("{error:?}").contains(shop.login.password.expose_secret()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let mut shop = Shop::open().await;
    shop.changelog(&["SELECT 1"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    shop.login.port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = tool(
        shop.migrate(&shop.migrations(), &Told::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(error.kind, PortErrorKind::Unreachable, "{error}");
    assert_eq!(error.sent, Sent::No);
}

#[tokio::test]
async fn a_changelog_a_program_or_a_folder_that_is_not_there_is_told_before_anything_is_sent() {
    let shop = Shop::open().await;
    let told = Told::default();
    let error = tool(shop.migrate(&shop.migrations(), &told).await.unwrap_err());
    assert!(
        error
            .message
            .contains("changelog.sql`, which [migrations] names"),
        "{error}"
    );
    shop.changelog(&["SELECT 1"]);
    let program = Migrations {
        program: Some(vec!["no-such-liquibase".to_owned()]),
        ..shop.migrations()
    };
    let error = tool(shop.migrate(&program, &told).await.unwrap_err());
    assert!(error.message.contains("npm install"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = Migrations {
        search_path: elsewhere.path().to_owned(),
        ..shop.migrations()
    };
    let error = tool(shop.migrate(&folder, &told).await.unwrap_err());
    assert!(error.message.contains("is not in `search_path`"), "{error}");
}

#[tokio::test]
async fn contexts_leave_change_sets_out_and_the_tools_tables_go_where_they_should() {
    let shop = Shop::open().await;
    shop.superuser()
        .await
        .batch_execute("CREATE SCHEMA tools AUTHORIZATION master")
        .await
        .unwrap();
    shop.changelog(&["CREATE TABLE orders (id int)"]);
    let file = shop.folder.path().join("changelog.sql");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("--changeset anna:seed context:seed\nINSERT INTO orders VALUES (1);\n");
    std::fs::write(&file, text).unwrap();
    let migrations = Migrations {
        contexts: vec!["schema".to_owned()],
        schema: "tools".to_owned(),
        ..shop.migrations()
    };
    shop.migrate(&migrations, &Told::default()).await.unwrap();
    let rows: i64 = shop.one("SELECT count(*) FROM public.orders").await;
    assert_eq!(rows, 0);
    let sets: i64 = shop
        .one("SELECT count(*) FROM tools.databasechangelog")
        .await;
    assert_eq!(sets, 1);
}

#[tokio::test]
async fn the_shipped_changelog_makes_the_schema_of_the_drill() {
    let shop = Shop::open().await;
    let superuser = shop.superuser().await;
    superuser
        .batch_execute("CREATE EXTENSION vector")
        .await
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks/changelog/statistagpt");
    let migrations = Migrations {
        changelog: folder.join("db.changelog.xml"),
        search_path: folder,
        ..shop.migrations()
    };
    shop.migrate(&migrations, &Told::default()).await.unwrap();
    let index: String = shop
        .one("SELECT pg_get_indexdef('public.embeddings_embedding_vector_idx'::regclass)")
        .await;
    assert!(index.contains("USING hnsw"), "{index}");
    let rows: i64 = shop.one("SELECT count(*) FROM public.sources").await;
    assert_eq!(rows, 0, "it seeds no data");
}
