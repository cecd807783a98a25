//! Changes of a schema: one transaction with its marker, whatever becomes of the session.

use crate::catalog::{column, name, without_figures};
use crate::server::Server;
use rbk_core::catalog::{Catalog, around};
use rbk_core::ids::{ActionId, RunId};
use rbk_core::plan::{Change, ColumnChange};
use rbk_core::ports::{ChangeRequest, Marker, PortError, PortErrorKind, Postgres, Sent, Session};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_postgres::Client;

/// The marker of an action in the first epoch of a run.
pub fn marker(action: &str) -> Marker {
    Marker {
        run: RunId::from("run-1"),
        action: ActionId::from(action),
        part: None,
        epoch: 1,
    }
}

/// What a change is made with.
pub struct How<'a> {
    pub settings: &'a [(&'a str, &'a str)],
    pub lock_timeout: Duration,
    pub deadline: Duration,
}

pub const QUICKLY: How<'static> = How {
    settings: &[],
    lock_timeout: Duration::from_millis(200),
    deadline: Duration::from_secs(30),
};

const PATIENTLY: How<'static> = How {
    lock_timeout: Duration::from_secs(30),
    ..QUICKLY
};

/// Runs statements for a change, with little patience for locks.
pub async fn change(
    session: &dyn Session,
    action: &str,
    change: &Change,
    statements: &[&str],
) -> Result<(), PortError> {
    change_as(session, &marker(action), change, statements, &QUICKLY).await
}

pub async fn change_as(
    session: &dyn Session,
    marker: &Marker,
    change: &Change,
    statements: &[&str],
    how: &How<'_>,
) -> Result<(), PortError> {
    let statements: Vec<String> = statements.iter().map(|s| (*s).to_owned()).collect();
    let settings: BTreeMap<String, String> = how
        .settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = ChangeRequest {
        change,
        statements: &statements,
        settings: &settings,
        lock_timeout: how.lock_timeout,
        deadline: how.deadline,
    };
    session.change(&request, marker).await
}

/// A change of one column's type.
pub fn to_type(of: &str, from: &str, to: &str) -> Change {
    Change::AlterColumns {
        columns: vec![ColumnChange {
            column: column(of),
            from: from.into(),
            to: to.into(),
            using: None,
        }],
    }
}

/// The catalog as statements on schema objects see it.
pub async fn read(server: &Server) -> Catalog {
    server.session().await.catalog().await.unwrap()
}

pub async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// That a failed change has left nothing behind: neither its marker nor anything else.
pub async fn nothing_left(server: &Server, action: &str, before: &Catalog) {
    let session = server.session().await;
    assert!(!session.has_marker(&marker(action)).await.unwrap());
    assert_eq!(
        without_figures(session.catalog().await.unwrap()),
        without_figures(before.clone())
    );
}

#[tokio::test]
async fn a_change_is_committed_with_its_marker_and_made_once() {
    let server = Server::start().await;
    let session = server.session().await;
    assert!(!session.has_marker(&marker("a")).await.unwrap());
    let statements = [
        "CREATE TABLE public.t (id int)",
        "INSERT INTO public.t VALUES (1)",
    ];
    change(
        &*session,
        "a",
        &Change::Analyze { tables: vec![] },
        &statements,
    )
    .await
    .unwrap();
    assert!(session.has_marker(&marker("a")).await.unwrap());
    assert!(!session.has_marker(&marker("b")).await.unwrap());
    let part = Marker {
        part: Some("public.t".into()),
        ..marker("a")
    };
    assert!(!session.has_marker(&part).await.unwrap());

    let again = change(
        &*session,
        "a",
        &Change::Unchecked,
        &["INSERT INTO public.t VALUES (2)"],
    )
    .await;
    let again = again.unwrap_err();
    assert_eq!(
        (again.kind, again.sent),
        (PortErrorKind::AlreadySo, Sent::No),
        "{again}"
    );
    assert_eq!(session.count(&name("public.t")).await.unwrap(), 1);

    // A marker alone is a change, too.
    change(&*session, "none", &Change::Unchecked, &[])
        .await
        .unwrap();
    assert!(session.has_marker(&marker("none")).await.unwrap());

    // Nobody else may read or write markers, and the schema is no part of the catalog.
    let app = server.role("app").await;
    let app = app.connect().await.unwrap();
    for sql in ["SELECT * FROM rbk.markers", "DELETE FROM rbk.markers"] {
        let refused = app.execute(sql, &[]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501");
    }
    assert!(!read(&server).await.schemas.contains_key("rbk"));
}

#[tokio::test]
async fn changes_that_meet_an_untouched_database_at_once_all_succeed() {
    let server = Server::start().await;
    let sessions = [
        server.session().await,
        server.session().await,
        server.session().await,
        server.session().await,
    ];
    let changes: Vec<_> = ["a", "b", "c", "c"]
        .iter()
        .zip(&sessions)
        .map(|(action, session)| async move {
            let create = format!("CREATE TABLE public.{action} (id int)");
            let unchecked = Change::Unchecked;
            change_as(
                &**session,
                &marker(action),
                &unchecked,
                &[&create],
                &PATIENTLY,
            )
            .await
        })
        .collect();
    let [a, b, c, d] = changes.try_into().map_err(|_| "four").unwrap();
    let done = tokio::join!(a, b, c, d);
    done.0.unwrap();
    done.1.unwrap();
    // The same change twice: one made it, the other found it made.
    let kinds: Vec<_> = [done.2, done.3]
        .into_iter()
        .filter_map(Result::err)
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, [PortErrorKind::AlreadySo]);
    assert_eq!(read(&server).await.schemas["public"].tables.len(), 3);
}

#[tokio::test]
async fn an_earlier_epoch_is_refused_once_a_later_one_was_there() {
    let server = Server::start().await;
    let session = server.session().await;
    let second = Marker {
        epoch: 2,
        ..marker("a")
    };
    let how = QUICKLY;
    change_as(&*session, &second, &Change::Unchecked, &["SELECT 1"], &how)
        .await
        .unwrap();
    let before = read(&server).await;
    let stale = change(
        &*session,
        "b",
        &Change::Unchecked,
        &["CREATE TABLE public.t (id int)"],
    )
    .await
    .unwrap_err();
    assert_eq!(
        (stale.kind, stale.sent),
        (PortErrorKind::Conflict, Sent::No),
        "{stale}"
    );
    assert!(stale.message.contains("taken over"), "{stale}");
    nothing_left(&server, "b", &before).await;
    // Another run's epochs are its own.
    let other = Marker {
        run: RunId::from("run-2"),
        ..marker("b")
    };
    change_as(&*session, &other, &Change::Unchecked, &["SELECT 1"], &how)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_frozen_database_can_be_changed() {
    let server = Server::start().await;
    server
        .sql(&format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            server.database
        ))
        .await;
    let session = server.session().await;
    change(
        &*session,
        "a",
        &Change::Unchecked,
        &["CREATE TABLE t (id int)"],
    )
    .await
    .unwrap_err();
    change(
        &*session,
        "a",
        &Change::Unchecked,
        &["CREATE TABLE public.t (id int)"],
    )
    .await
    .unwrap();
    assert!(session.has_marker(&marker("a")).await.unwrap());
}

#[tokio::test]
async fn a_statement_that_fails_is_named_and_nothing_is_left() {
    let server = Server::start().await;
    let before = read(&server).await;
    let session = server.session().await;
    let statements = [
        "CREATE TABLE public.t (id int)",
        "INSERT INTO public.t VALUES (1), ('a secret value')",
        "CREATE TABLE public.u (id int)",
    ];
    let error = change(
        &*session,
        "a",
        &Change::Analyze { tables: vec![] },
        &statements,
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::Statement, Sent::No),
        "{error}"
    );
    assert_eq!(error.code.as_deref(), Some("22P02"));
    assert!(
        error.message.starts_with(
            "statement 2 of 3, `INSERT INTO public.t VALUES (…), (…)`, failed: invalid input"
        ),
        "{error}"
    );
    nothing_left(&server, "a", &before).await;

    // One at a time: what stands behind a semicolon is never run.
    let error = change(
        &*session,
        "a",
        &Change::Analyze { tables: vec![] },
        &["ANALYZE; COMMIT; CREATE TABLE public.t ()"],
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest, "{error}");
    assert!(error.message.contains("more than one statement"), "{error}");
    nothing_left(&server, "a", &before).await;
}

#[tokio::test]
async fn a_column_that_has_its_new_type_already_isnt_computed_again() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.prices (cents bigint); INSERT INTO public.prices VALUES (1999)")
        .await;
    let session = server.session().await;
    // Somebody has made it by hand: from integer, by the same expression.
    let mut by_hand = to_type("public.prices.cents", "integer", "bigint");
    if let Change::AlterColumns { columns } = &mut by_hand {
        columns[0].using = Some("cents * 100".into());
    }
    let statement = "ALTER TABLE public.prices ALTER COLUMN cents TYPE bigint USING (cents * 100)";
    let error = change(session.as_ref(), "1.1", &by_hand, &[statement])
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Conflict, "{error}");
    assert!(error.message.contains("bigint"), "{error}");
    let cents = number(&server.superuser().await, "SELECT cents FROM public.prices").await;
    assert_eq!(cents, 1999);
}

#[tokio::test]
async fn a_text_may_hold_several_statements() {
    let server = Server::start().await;
    let session = server.session().await;
    let text = r#"
        CREATE TABLE notes (id int, "a;b" text DEFAULT 'it''s; fine');
        INSERT INTO notes (id) VALUES (1), (2);  -- COMMIT; not really
        SELECT * FROM notes;
        CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
        CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $rbk0$BEGIN RETURN 2; END$rbk0$;
        DO $$ BEGIN PERFORM one(); END $$;
        SET work_mem = '1234kB';
        SET ROLE pg_monitor; RESET ROLE
        -- the end"#;
    let how = How {
        settings: &[("search_path", "public")],
        ..QUICKLY
    };
    change_as(&*session, &marker("a"), &Change::Unchecked, &[text], &how)
        .await
        .unwrap();
    assert_eq!(session.count(&name("public.notes")).await.unwrap(), 2);
    assert!(session.has_marker(&marker("a")).await.unwrap());
    let setting = session
        .query("SHOW work_mem", rbk_core::value::Type::Text)
        .await
        .unwrap();
    assert_ne!(
        setting.to_string(),
        "1234kB",
        "what the text has set outlives it"
    );
    let path = session
        .query(
            "SELECT current_schemas(true)::text",
            rbk_core::value::Type::Text,
        )
        .await
        .unwrap();
    assert!(path.to_string().contains("pg_catalog"), "{path}");
}

/// `sql` hides what it does; at least it can't leave the transaction.
#[tokio::test]
async fn a_text_that_would_end_its_transaction_is_refused_whole() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id int); CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$")
        .await;
    let before = read(&server).await;
    let session = server.session().await;
    for (text, says) in [
        ("COMMIT", "leave out COMMIT"),
        (
            "CREATE TABLE public.half (id int); COMMIT; CREATE TABLE public.other (id int)",
            "leave out COMMIT",
        ),
        (
            "CREATE TABLE public.half (id int); /* now */ END; CREATE TABLE public.other (id int)",
            "leave out COMMIT",
        ),
        (
            "ROLLBACK; CREATE TABLE public.half (id int)",
            "leave out COMMIT",
        ),
        (
            "CREATE TABLE public.half (id int); ROLLBACK AND CHAIN; CREATE TABLE public.other (id int)",
            "leave out COMMIT",
        ),
        (
            "CREATE TABLE public.half (id int); PREPARE TRANSACTION 'x'",
            "leave out COMMIT",
        ),
        (
            "CREATE TABLE public.half (id int); SAVEPOINT s",
            "leave out COMMIT",
        ),
        (
            "CREATE TABLE public.half (id int); CALL public.commits()",
            "ends its transaction",
        ),
        (
            "CREATE TABLE public.half (id int); CREATE INDEX CONCURRENTLY i ON public.t (id)",
            "by hand",
        ),
        (
            "CREATE TABLE public.half (id int); VACUUM public.t",
            "by hand",
        ),
        (
            "CREATE TABLE public.half (id int); ALTER SYSTEM SET work_mem = '1MB'",
            "by hand",
        ),
        ("SELECT 1 AS id INTO public.half", "CREATE TABLE"),
        // What would end the fence around the text.
        (
            "$rbk0$; COMMIT; END $rbk1$; CREATE TABLE public.half (id int); --",
            "",
        ),
        ("'; COMMIT; CREATE TABLE public.half (id int); --", ""),
    ] {
        let error = change(&*session, "a", &Change::Unchecked, &[text])
            .await
            .unwrap_err();
        assert_eq!(error.sent, Sent::No, "{text}: {error}");
        if !says.is_empty() {
            assert_eq!(error.kind, PortErrorKind::InvalidRequest, "{text}: {error}");
            assert!(error.message.contains(says), "{text}: {error}");
            assert!(
                error.message.contains("nothing of the text was applied"),
                "{text}: {error}"
            );
        }
        nothing_left(&server, "a", &before).await;
    }
}

#[tokio::test]
async fn settings_hold_for_the_transaction_alone() {
    let server = Server::start().await;
    let session = server.session().await;
    let statement = "CREATE TABLE public.seen AS SELECT current_setting('maintenance_work_mem') AS memory, \
                     current_setting('lock_timeout') AS locks, current_setting('search_path') AS path";
    let how = How {
        settings: &[("maintenance_work_mem", "77MB"), ("lock_timeout", "0")],
        ..QUICKLY
    };
    let analyze = Change::Analyze { tables: vec![] };
    change_as(&*session, &marker("a"), &analyze, &[statement], &how)
        .await
        .unwrap();
    let text = rbk_core::value::Type::Text;
    let seen = session
        .query(
            "SELECT concat_ws('/', memory, locks, path) FROM public.seen",
            text,
        )
        .await
        .unwrap();
    assert_eq!(seen.to_string(), "77MB/200ms/pg_catalog, pg_temp");
    let after = session
        .query("SHOW maintenance_work_mem", text)
        .await
        .unwrap();
    assert_ne!(after.to_string(), "77MB");
    for (setting, kind) in [
        (
            ("maintenance_work_mem", "much"),
            PortErrorKind::InvalidRequest,
        ),
        (("no_such_setting", "1"), PortErrorKind::InvalidRequest),
        (("log_statement", "none"), PortErrorKind::AccessDenied),
    ] {
        let how = How {
            settings: &[setting],
            ..QUICKLY
        };
        let error = change_as(&*session, &marker("b"), &analyze, &["SELECT 1"], &how)
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No), "{error}");
        assert!(error.message.contains(setting.0), "{error}");
    }
}

#[tokio::test]
async fn a_change_that_takes_too_long_is_undone() {
    let server = Server::start().await;
    let session = server.session().await;
    let how = How {
        deadline: Duration::from_millis(1500),
        ..QUICKLY
    };
    let error = change_as(
        &*session,
        &marker("a"),
        &Change::Unchecked,
        &["SELECT pg_sleep(600)"],
        &how,
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.code.as_deref(), error.sent),
        (Some("57014"), Sent::No),
        "{error}"
    );
    assert!(error.message.contains("may take 1s in all"), "{error}");
    assert!(!session.has_marker(&marker("a")).await.unwrap());
}

/// Holds a lock that changes of these tests wait for, and waits until one does.
struct Gate(Client);

const WAIT_AT_GATE: &str = "SELECT pg_advisory_xact_lock(7)";

impl Gate {
    async fn close(server: &Server) -> Self {
        let client = server.administrator().connect().await.unwrap();
        client
            .batch_execute("SELECT pg_advisory_lock(7)")
            .await
            .unwrap();
        Self(client)
    }

    async fn somebody_waits(&self) {
        self.0
            .batch_execute(
                "DO $$ BEGIN \
                   WHILE NOT EXISTS (SELECT FROM pg_locks l WHERE NOT granted AND locktype = 'advisory' AND objid = 7 \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) LOOP \
                     PERFORM pg_sleep(0.01); \
                   END LOOP; END $$",
            )
            .await
            .unwrap();
    }

    /// Ends the backends that wait.
    async fn kill(&self) {
        let killed = number(
            &self.0,
            "SELECT count(*) FROM (SELECT pg_terminate_backend(pid, 10000) FROM pg_locks \
               WHERE NOT granted AND locktype = 'advisory' AND objid = 7 \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) k",
        )
        .await;
        assert_eq!(killed, 1);
    }

    async fn open(&self) {
        self.0
            .batch_execute("SELECT pg_advisory_unlock(7)")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_backend_killed_inside_a_change_has_applied_nothing() {
    let server = Server::start().await;
    server.sql("CREATE TABLE public.t (id int)").await;
    let before = read(&server).await;
    let session = server.session().await;
    let gate = Gate::close(&server).await;
    let statements = ["ALTER TABLE public.t ALTER id TYPE text", WAIT_AT_GATE];
    let marker = marker("a");
    let how = PATIENTLY;
    let (changed, ()) = tokio::join!(
        change_as(&*session, &marker, &Change::Unchecked, &statements, &how),
        async {
            gate.somebody_waits().await;
            gate.kill().await;
        }
    );
    let error = changed.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::Unreachable, Sent::Maybe),
        "{error}"
    );
    assert_eq!(error.code.as_deref(), Some("57P01"));
    nothing_left(&server, "a", &before).await;
}

/// A table whose transactions wait at the gate when they commit.
async fn waits_at_commit(server: &Server) {
    server
        .sql(
            "CREATE TABLE public.t (id int); \
             CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END$$; \
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
               EXECUTE FUNCTION public.wait()",
        )
        .await;
}

#[tokio::test]
async fn a_commit_that_fails_is_certain_and_a_killed_one_is_not() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.a (id int PRIMARY KEY); \
             CREATE TABLE public.b (id int REFERENCES public.a DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
    let session = server.session().await;
    let error = change(
        &*session,
        "a",
        &Change::Unchecked,
        &["INSERT INTO public.b VALUES (1)"],
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.code.as_deref(), error.sent),
        (Some("23503"), Sent::No),
        "{error}"
    );
    assert!(!session.has_marker(&marker("a")).await.unwrap());

    waits_at_commit(&server).await;
    let gate = Gate::close(&server).await;
    let b = marker("b");
    let how = PATIENTLY;
    let (changed, ()) = tokio::join!(
        change_as(
            &*session,
            &b,
            &Change::Unchecked,
            &["INSERT INTO public.t VALUES (1)"],
            &how
        ),
        async {
            gate.somebody_waits().await;
            gate.kill().await;
        }
    );
    let error = changed.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::Unreachable, Sent::Maybe),
        "{error}"
    );
    let session = server.session().await;
    assert!(!session.has_marker(&b).await.unwrap());
    assert_eq!(session.count(&name("public.t")).await.unwrap(), 0);
}

/// The connection is cut while the server commits; what came of it the marker says, and not before it is known.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_decided_by_its_marker() {
    let server = Server::start().await;
    waits_at_commit(&server).await;
    let gate = Gate::close(&server).await;
    let wire = Wire::to(server.port).await;
    let mut login = server.login();
    login.port = wire.port;
    let session = server.connector().connect(&login).await.unwrap();
    let a = marker("a");
    let how = PATIENTLY;
    let (changed, ()) = tokio::join!(
        change_as(
            &*session,
            &a,
            &Change::Unchecked,
            &["INSERT INTO public.t VALUES (1)"],
            &how
        ),
        async {
            gate.somebody_waits().await;
            wire.cut();
        }
    );
    let error = changed.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::Unreachable, Sent::Maybe),
        "{error}"
    );

    let other = server
        .connector()
        .with_limits(rbk_postgres::Limits {
            lock: Duration::from_millis(100),
            ..Default::default()
        })
        .connect(&server.login())
        .await
        .unwrap();
    let unknown = other.has_marker(&a).await.unwrap_err();
    assert_eq!(unknown.kind, PortErrorKind::InvalidState, "{unknown}");
    assert!(
        unknown.message.contains("still at work") && unknown.message.contains("COMMIT"),
        "{unknown}"
    );
    let twice = change(
        &*other,
        "a",
        &Change::Unchecked,
        &["INSERT INTO public.t VALUES (2)"],
    )
    .await
    .unwrap_err();
    assert_eq!(twice.kind, PortErrorKind::InvalidState, "{twice}");

    gate.open().await;
    let session = server.session().await;
    assert!(session.has_marker(&a).await.unwrap());
    assert_eq!(session.count(&name("public.t")).await.unwrap(), 1);
}

/// A way to a server that can be cut. The server's side stays open: it goes on as if nothing had happened.
struct Wire {
    port: u16,
    scissors: Arc<Notify>,
}

impl Wire {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scissors = Arc::new(Notify::new());
        let cut = scissors.clone();
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                () = cut.notified() => {}
            }
            drop(near);
            std::future::pending::<()>().await;
            drop(far);
        });
        Self { port, scissors }
    }

    fn cut(&self) {
        self.scissors.notify_one();
    }
}

#[tokio::test]
async fn a_recreated_schema_has_around_it_what_it_had() {
    let server = Server::start().await;
    let app = server.role("app").await.role;
    server
        .sql(&format!(
            "CREATE EXTENSION vector; COMMENT ON SCHEMA public IS 'it''s ours'; \
             GRANT USAGE ON SCHEMA public TO {app} WITH GRANT OPTION; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {app}; \
             CREATE TABLE public.e (id int PRIMARY KEY, v vector(3)); \
             CREATE TABLE public.f (e int REFERENCES public.e); \
             CREATE INDEX ON public.e USING hnsw (v vector_l2_ops)"
        ))
        .await;
    let before = read(&server).await;
    let (owner, version) = (
        &before.schemas["public"].owner,
        &before.extensions["vector"].version,
    );
    let create = format!("CREATE SCHEMA public AUTHORIZATION \"{owner}\"");
    let extension = format!("CREATE EXTENSION vector WITH SCHEMA public VERSION '{version}'");
    let grants = [
        format!("GRANT USAGE ON SCHEMA public TO {app} WITH GRANT OPTION"),
        format!("GRANT CREATE ON SCHEMA public TO {app}"),
        format!(
            "ALTER DEFAULT PRIVILEGES FOR ROLE master IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {app}"
        ),
    ];
    let session = server.session().await;
    let statements = [
        "DROP SCHEMA IF EXISTS public CASCADE",
        &create,
        "COMMENT ON SCHEMA public IS 'it''s ours'",
        &extension,
        "GRANT USAGE ON SCHEMA public TO PUBLIC",
        &grants[0],
        &grants[1],
        &grants[2],
    ];
    let wanted = Change::RecreateSchema {
        schema: "public".into(),
    };
    change(&*session, "a", &wanted, &statements).await.unwrap();
    let after = read(&server).await;
    assert!(after.schemas["public"].tables.is_empty());
    assert_eq!(around(&before, &after, &["public".into()]), []);
}
