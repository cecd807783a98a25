//! Changes that fail: who holds the lock, which row, what stands in the way, which role lacks what.

use crate::catalog::{column, name};
use crate::change::{How, QUICKLY, change, change_as, marker, nothing_left, number, read, to_type};
use crate::server::Server;
use rbk_core::plan::{Change, IndexFacts};
use rbk_core::ports::{PortErrorKind, Postgres, Sent};

/// Belief: a queued ALTER blocks everybody behind it. So it gives up soon, and says whom it waited for.
#[tokio::test]
async fn a_held_lock_is_given_up_soon_and_its_holder_named() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id int); CREATE INDEX t_id ON public.t (id); INSERT INTO public.t VALUES (1)")
        .await;
    let before = read(&server).await;
    let session = server.session().await;
    let holder = server.administrator().connect().await.unwrap();
    let pid = number(&holder, "SELECT pg_backend_pid()::bigint").await;
    holder
        .batch_execute("BEGIN; UPDATE public.t SET id = 4711 WHERE 'a secret' <> ''")
        .await
        .unwrap();
    let index = |definition: &str| IndexFacts {
        name: "t_id".into(),
        table: name("public.t"),
        definition: definition.into(),
    };
    let there = index("CREATE INDEX t_id ON public.t USING btree (id)");
    for (wanted, statement) in [
        (
            to_type("public.t.id", "integer", "text"),
            "ALTER TABLE public.t ALTER id TYPE text",
        ),
        (
            Change::DropIndexes {
                indexes: vec![there.clone()],
            },
            "DROP INDEX public.t_id",
        ),
        (
            Change::CreateIndexes {
                indexes: vec![there.clone()],
            },
            "CREATE INDEX t_id2 ON public.t (id)",
        ),
        (
            Change::RelaxNotNull {
                columns: vec![column("public.t.id")],
            },
            "ALTER TABLE public.t ALTER id DROP NOT NULL",
        ),
        (
            Change::RecreateSchema {
                schema: "public".into(),
            },
            "DROP SCHEMA public CASCADE",
        ),
        (Change::Unchecked, "LOCK TABLE public.t"),
    ] {
        let error = change(&*session, "a", &wanted, &[statement])
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::InvalidState, Sent::No),
            "{error}"
        );
        assert_eq!(error.code.as_deref(), Some("55P03"));
        for part in [
            format!("`{statement}` failed"),
            format!("{pid} of `master` (`shop`), idle in transaction since 20"),
            "last said `BEGIN; UPDATE public.t SET id = … WHERE … <> …` (holds public.t".to_owned(),
            "no longer than 200ms for a lock".to_owned(),
        ] {
            assert!(error.message.contains(&part), "{part} in {error}");
        }
        assert!(
            !error.message.contains("secret") && !error.message.contains("4711 "),
            "{error}"
        );
    }
    // Nobody is left in the queue behind it.
    assert_eq!(session.count(&name("public.t")).await.unwrap(), 1);
    nothing_left(&server, "a", &before).await;
    holder.batch_execute("COMMIT").await.unwrap();
    change(
        &*session,
        "a",
        &to_type("public.t.id", "integer", "text"),
        &["ALTER TABLE public.t ALTER id TYPE text"],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn whoever_only_reads_is_not_blamed_for_an_index() {
    let server = Server::start().await;
    server.sql("CREATE TABLE public.t (id int)").await;
    let session = server.session().await;
    let reader = server.administrator().connect().await.unwrap();
    reader
        .batch_execute("BEGIN; SELECT 'reading' FROM public.t")
        .await
        .unwrap();
    let writer = server.administrator().connect().await.unwrap();
    writer
        .batch_execute("BEGIN; INSERT INTO public.t VALUES (1)")
        .await
        .unwrap();
    let wanted = Change::CreateIndexes {
        indexes: vec![IndexFacts {
            name: "i".into(),
            table: name("public.t"),
            definition: String::new(),
        }],
    };
    let error = change(
        &*session,
        "a",
        &wanted,
        &["CREATE INDEX i ON public.t (id)"],
    )
    .await
    .unwrap_err();
    assert!(
        error.message.contains("INSERT INTO") && !error.message.contains("SELECT"),
        "{error}"
    );
}

/// Rows whose vector is text, of which one can't be cast back.
async fn vectors(server: &Server, bad: &str) {
    server
        .sql(&format!(
            "CREATE EXTENSION vector; \
             CREATE TABLE public.e (tenant int, id bigint, filler text, v text, PRIMARY KEY (tenant, id)); \
             INSERT INTO public.e SELECT n % 3, n, repeat('x', 500), '[1,2,' || n || ']' FROM generate_series(1, 4000) n; \
             UPDATE public.e SET v = {bad} WHERE id = 2345"
        ))
        .await;
}

const BACK: &str =
    r#"ALTER TABLE public.e ALTER COLUMN v TYPE public.vector(3) USING "v"::public.vector(3)"#;

#[tokio::test]
async fn the_row_that_a_cast_fails_on_is_named_by_its_key() {
    for (bad, code, says) in [
        (
            "'[1,2,3'",
            "22P02",
            "invalid input syntax for type vector: \"[1,2,3\"",
        ),
        ("'[1,2,3,4]'", "22000", "expected 3 dimensions, not 4"),
        (
            "'the content of a letter, ' || repeat('very long ', 1000)",
            "22P02",
            "\"the content of a…\"",
        ),
    ] {
        let server = Server::start().await;
        vectors(&server, bad).await;
        let before = read(&server).await;
        let session = server.session().await;
        let wanted = to_type("public.e.v", "text", "public.vector(3)");
        let error = change(&*session, "a", &wanted, &[BACK]).await.unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::Statement, Sent::No),
            "{error}"
        );
        assert_eq!(error.code.as_deref(), Some(code), "{error}");
        assert!(error.message.contains(says), "{error}");
        assert!(
            error
                .message
                .contains("column `public.e.v` of the row tenant = 2, id = 2345 (ctid (")
                && error.message.contains("can't become `public.vector(3)`"),
            "{error}"
        );
        assert!(error.message.len() < 700, "{error}");
        nothing_left(&server, "a", &before).await;

        // Mended as the error says, it goes through.
        server
            .sql("UPDATE public.e SET v = '[0,0,0]' WHERE tenant = 2 AND id = 2345")
            .await;
        change(&*session, "a", &wanted, &[BACK]).await.unwrap();
    }
}

#[tokio::test]
async fn the_row_is_found_in_partitions_and_without_a_key_too() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.p (id int, v text) PARTITION BY HASH (id); \
             CREATE TABLE public.p0 PARTITION OF public.p FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
             CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
             INSERT INTO public.p SELECT n, n FROM generate_series(1, 100) n; \
             UPDATE public.p SET v = 'x' WHERE id = 77; \
             CREATE TABLE public.n (amount text, other text); \
             INSERT INTO public.n VALUES ('1', 'not looked at'), ('12', ''), ('many', '')",
        )
        .await;
    let session = server.session().await;
    let statement = "ALTER TABLE public.p ALTER v TYPE integer USING v::integer";
    let error = change(
        &*session,
        "a",
        &to_type("public.p.v", "text", "integer"),
        &[statement],
    )
    .await
    .unwrap_err();
    assert!(
        error.message.contains("which has no primary key")
            && error.message.contains("of `public.p"),
        "{error}"
    );

    let mut wanted = to_type("public.n.amount", "text", "integer");
    if let Change::AlterColumns { columns } = &mut wanted {
        columns[0].using = Some("amount::integer * twelve()".into());
    }
    server
        .sql("CREATE FUNCTION public.twelve() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 12'")
        .await;
    let statement =
        "ALTER TABLE public.n ALTER amount TYPE integer USING (amount::integer * twelve())";
    let how = How {
        settings: &[("search_path", "public")],
        ..QUICKLY
    };
    let error = change_as(&*session, &marker("a"), &wanted, &[statement], &how)
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("the row at ctid (0,3) of `public.n`"),
        "{error}"
    );
}

#[tokio::test]
async fn what_uses_a_column_is_named() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int, d int, e int); \
             CREATE VIEW public.over AS SELECT c FROM public.t; \
             CREATE MATERIALIZED VIEW public.kept AS SELECT c + 1 AS c FROM public.t; \
             CREATE POLICY own ON public.t USING (d = 1); \
             CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$; \
             CREATE TRIGGER watched BEFORE UPDATE OF e ON public.t FOR EACH ROW EXECUTE FUNCTION public.f(); \
             CREATE TABLE public.parts (at int) PARTITION BY RANGE (at)",
        )
        .await;
    let before = read(&server).await;
    let session = server.session().await;
    for (of, says) in [
        ("public.t.a", "`public.t.a` is used by generated column `b`"),
        (
            "public.t.c",
            "`public.t.c` is used by materialized view `public.kept`, view `public.over`",
        ),
        ("public.t.d", "`public.t.d` is used by policy `own`"),
        ("public.t.e", "`public.t.e` is used by trigger `watched`"),
        (
            "public.parts.at",
            "`public.parts.at` is used by the partition key `RANGE (at)`",
        ),
    ] {
        let name = column(of);
        let statement = format!("ALTER TABLE {} ALTER {} TYPE text", name.table, name.column);
        let error = change(
            &*session,
            "a",
            &to_type(of, "integer", "text"),
            &[&statement],
        )
        .await
        .unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::Statement, Sent::No),
            "{error}"
        );
        assert!(error.message.contains(says), "{error}");
        nothing_left(&server, "a", &before).await;
    }
}

#[tokio::test]
async fn a_name_that_is_taken_says_by_what() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id int); CREATE INDEX there ON public.t (id) WHERE id > 1; CREATE VIEW public.v AS SELECT 1")
        .await;
    let session = server.session().await;
    for (index, says) in [
        (
            "there",
            "there is an index of that name: `CREATE INDEX there ON public.t USING btree (id) WHERE (id > 1)`",
        ),
        ("v", "there is something else of that name: view public.v"),
    ] {
        let definition = format!("CREATE INDEX {index} ON public.t USING btree (id)");
        let wanted = Change::CreateIndexes {
            indexes: vec![IndexFacts {
                name: index.into(),
                table: name("public.t"),
                definition: definition.clone(),
            }],
        };
        let error = change(&*session, "a", &wanted, &[&definition])
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::AlreadyExists, Sent::No),
            "{error}"
        );
        assert!(error.message.contains(says), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_as_planned_is_not_touched() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id int); CREATE INDEX i ON public.t (id) WHERE id > 1")
        .await;
    let before = read(&server).await;
    let session = server.session().await;
    let drop = |name_: &str, definition: &str| Change::DropIndexes {
        indexes: vec![IndexFacts {
            name: name_.into(),
            table: name("public.t"),
            definition: definition.into(),
        }],
    };
    for (wanted, statement, kind) in [
        (
            drop("i", "CREATE INDEX i ON public.t USING btree (id)"),
            "DROP INDEX public.i",
            PortErrorKind::Conflict,
        ),
        (
            drop("j", ""),
            "DROP INDEX public.j",
            PortErrorKind::NotFound,
        ),
        (
            to_type("public.t.id", "bigint", "text"),
            "ALTER TABLE public.t ALTER id TYPE text",
            PortErrorKind::Conflict,
        ),
        (
            to_type("public.t.no", "bigint", "text"),
            "ALTER TABLE public.t ALTER no TYPE text",
            PortErrorKind::NotFound,
        ),
    ] {
        let error = change(&*session, "a", &wanted, &[statement])
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, Sent::No), "{error}");
        nothing_left(&server, "a", &before).await;
    }
    // Where it is as it shall be already, the statement says so itself.
    let again = to_type("public.t.id", "bigint", "integer");
    change(
        &*session,
        "again",
        &again,
        &["ALTER TABLE public.t ALTER id TYPE integer"],
    )
    .await
    .unwrap();
    let right = drop(
        "i",
        "CREATE INDEX i ON public.t USING btree (id) WHERE (id > 1)",
    );
    change(&*session, "b", &right, &["DROP INDEX public.i"])
        .await
        .unwrap();
}

#[tokio::test]
async fn rows_with_null_are_counted_and_one_is_named() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t (id int PRIMARY KEY, a text, b text); \
             INSERT INTO public.t SELECT n, CASE WHEN n % 10 > 0 THEN 'x' END, 'y' FROM generate_series(1, 50) n",
        )
        .await;
    let session = server.session().await;
    let wanted = Change::RestoreNotNull {
        columns: vec![column("public.t.b"), column("public.t.a")],
    };
    let statements = [
        "ALTER TABLE public.t ALTER b SET NOT NULL",
        "ALTER TABLE public.t ALTER a SET NOT NULL",
    ];
    let error = change(&*session, "a", &wanted, &statements)
        .await
        .unwrap_err();
    assert!(error.message.starts_with("statement 2 of 2"), "{error}");
    assert!(
        error.message.contains("`public.t.a` is NULL in 5 rows, one of them the row id = 10 (ctid (0,10) of `public.t`)"),
        "{error}"
    );
    assert!(!error.message.contains("public.t.b` is"), "{error}");
}

#[tokio::test]
async fn a_role_that_may_not_is_named_with_what_it_lacks() {
    let server = Server::start().await;
    server.sql("CREATE TABLE public.t (id int)").await;
    let app = server.role("app").await;
    let session = server.connector().connect(&app.login).await.unwrap();
    let wanted = to_type("public.t.id", "integer", "text");
    let statement = "ALTER TABLE public.t ALTER id TYPE text";

    let error = change(&*session, "a", &wanted, &[statement])
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::AccessDenied, Sent::No),
        "{error}"
    );
    assert!(
        error.message.contains("schema `rbk`") && error.message.contains(&app.role),
        "{error}"
    );

    // The schema is there, but it is another role's.
    let master = server.session().await;
    change(&*master, "b", &Change::Unchecked, &["SELECT 1"])
        .await
        .unwrap();
    let error = change(&*session, "a", &wanted, &[statement])
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::AccessDenied, Sent::No),
        "{error}"
    );
    assert!(
        error.message.contains("rbk.markers") && error.message.contains(&app.role),
        "{error}"
    );
    let error = session.has_marker(&marker("b")).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");

    server
        .sql(&format!(
            "GRANT USAGE ON SCHEMA rbk TO {0}; GRANT ALL ON rbk.markers TO {0}",
            app.role
        ))
        .await;
    let error = change(&*session, "a", &wanted, &[statement])
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::AccessDenied, Sent::No),
        "{error}"
    );
    assert!(
        error.message.contains(&format!(
            "rbk is `{}` here, and `public.t` belongs to `master`",
            app.role
        )),
        "{error}"
    );
    // This one Postgres would leave out with a mere warning. Since 17, a grant of everything allows it.
    server
        .sql(&format!("REVOKE ALL ON public.t FROM {}", app.role))
        .await;
    let wanted_statistics = Change::Analyze {
        tables: vec![name("public.t")],
    };
    let error = change(&*session, "c", &wanted_statistics, &["ANALYZE public.t"])
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::AccessDenied, Sent::No),
        "{error}"
    );
    assert!(
        error.message.contains("ANALYZE would leave out `public.t`"),
        "{error}"
    );
    change(&*master, "c", &wanted_statistics, &["ANALYZE public.t"])
        .await
        .unwrap();
    change(&*master, "a", &wanted, &[statement]).await.unwrap();
}
