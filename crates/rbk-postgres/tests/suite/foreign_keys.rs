//! Proving foreign keys.

use crate::server::{Server, table};
use rbk_core::plan::ForeignKeyFacts;
use rbk_core::ports::{Orphans, PortErrorKind};
use std::time::Duration;

fn key(of: &str, columns: &[&str], references: &str, referenced: &[&str]) -> ForeignKeyFacts {
    ForeignKeyFacts {
        name: "a_key".into(),
        table: table(of),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        references: table(references),
        referenced: referenced.iter().map(|&column| column.to_owned()).collect(),
        match_full: false,
    }
}

/// More than any of these takes.
const LONG: Duration = Duration::from_secs(60);

/// Runs statements with no trigger firing, as a copy does, and proves a key.
async fn orphans(create: &str, rows: &str, key: &ForeignKeyFacts) -> Orphans {
    let server = Server::start().await;
    server.sql(create).await;
    server
        .sql(&format!("SET session_replication_role = replica; {rows}"))
        .await;
    server.session().await.orphans(key, LONG).await.unwrap()
}

fn found(rows: u64, example: &str) -> Orphans {
    Orphans {
        rows,
        example: Some(example.to_owned()),
    }
}

const ONE: &str = "CREATE TABLE public.p (id bigint PRIMARY KEY); \
                   CREATE TABLE public.c (id int, p_id int REFERENCES public.p)";

#[tokio::test]
async fn a_row_that_refers_to_nothing_is_found_and_shown() {
    let key = key("public.c", &["p_id"], "public.p", &["id"]);
    let rows = "INSERT INTO public.p VALUES (1); INSERT INTO public.c VALUES (1, 1), (2, NULL)";
    assert_eq!(orphans(ONE, rows, &key).await, Orphans::default());
    let rows = format!("{rows}; INSERT INTO public.c VALUES (3, 17), (4, 17)");
    assert_eq!(orphans(ONE, &rows, &key).await, found(2, "p_id = 17"));
}

const TWO: &str = "CREATE TABLE public.p (a int, b text, PRIMARY KEY (a, b)); \
                   CREATE TABLE public.c (id int, y text, x int, FOREIGN KEY (x, y) REFERENCES public.p (a, b) MATCH SIMPLE)";
const TWO_ROWS: &str = "INSERT INTO public.p VALUES (1, 'one'), (2, 'two'); \
                        INSERT INTO public.c VALUES (1, 'one', 1), (2, NULL, 99), (3, 'nine', NULL), (4, NULL, NULL)";

#[tokio::test]
async fn a_key_of_two_columns_is_taken_as_a_whole() {
    let simple = key("public.c", &["x", "y"], "public.p", &["a", "b"]);
    assert_eq!(orphans(TWO, TWO_ROWS, &simple).await, Orphans::default());
    // Each half is there, and the whole isn't.
    let rows = format!("{TWO_ROWS}; INSERT INTO public.c VALUES (5, 'two', 1)");
    assert_eq!(
        orphans(TWO, &rows, &simple).await,
        found(1, "x = 1, y = two")
    );
}

#[tokio::test]
async fn a_key_that_has_to_match_in_full_is_broken_by_half_of_it() {
    let full = ForeignKeyFacts {
        match_full: true,
        ..key("public.c", &["x", "y"], "public.p", &["a", "b"])
    };
    let create = TWO.replace("SIMPLE", "FULL");
    let rows = "INSERT INTO public.p VALUES (1, 'one'); \
                INSERT INTO public.c VALUES (1, 'one', 1), (4, NULL, NULL)";
    assert_eq!(orphans(&create, rows, &full).await, Orphans::default());
    let rows = format!("{rows}; INSERT INTO public.c VALUES (2, NULL, 99)");
    assert_eq!(
        orphans(&create, &rows, &full).await,
        found(1, "x = 99, y = NULL")
    );
}

#[tokio::test]
async fn rows_of_partitions_are_looked_at_and_those_of_heirs_are_not() {
    let create = "CREATE TABLE public.p (id int PRIMARY KEY) PARTITION BY RANGE (id); \
                  CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (0) TO (10); \
                  CREATE TABLE public.p2 PARTITION OF public.p DEFAULT; \
                  CREATE TABLE public.c (id int, p_id int REFERENCES public.p) PARTITION BY HASH (id); \
                  CREATE TABLE public.c0 PARTITION OF public.c FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
                  CREATE TABLE public.c1 PARTITION OF public.c FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
    let key = key("public.c", &["p_id"], "public.p", &["id"]);
    let rows = "INSERT INTO public.p VALUES (1), (11); INSERT INTO public.c SELECT g, 1 + g % 2 * 10 FROM generate_series(1, 20) g";
    assert_eq!(orphans(create, rows, &key).await, Orphans::default());
    let rows = format!("{rows}; DELETE FROM public.p2");
    assert_eq!(orphans(create, &rows, &key).await, found(10, "p_id = 11"));

    let heirs = format!(
        "{ONE}; CREATE TABLE public.p_heir () INHERITS (public.p); CREATE TABLE public.c_heir () INHERITS (public.c)"
    );
    let rows = "INSERT INTO public.c_heir VALUES (1, 5); INSERT INTO public.p_heir VALUES (7); INSERT INTO public.c VALUES (2, 7)";
    assert_eq!(orphans(&heirs, rows, &key).await, found(1, "p_id = 7"));
}

#[tokio::test]
async fn a_table_may_refer_to_itself() {
    let create = "CREATE TABLE public.t (id int PRIMARY KEY, parent int REFERENCES public.t)";
    let key = key("public.t", &["parent"], "public.t", &["id"]);
    let rows = "INSERT INTO public.t VALUES (1, NULL), (2, 1), (3, 3)";
    assert_eq!(orphans(create, rows, &key).await, Orphans::default());
    let rows = format!("{rows}; INSERT INTO public.t VALUES (4, 5)");
    assert_eq!(orphans(create, &rows, &key).await, found(1, "parent = 5"));
}

/// What counts as equal is what the key's own operator and collation say.
#[tokio::test]
async fn values_are_equal_as_the_key_has_it() {
    let create = "CREATE EXTENSION vector; \
                  CREATE TABLE public.p (a vector(2), b text COLLATE \"POSIX\", PRIMARY KEY (a, b)); \
                  CREATE TABLE public.c (a vector(2), b text COLLATE \"C\", FOREIGN KEY (a, b) REFERENCES public.p)";
    let key = key("public.c", &["a", "b"], "public.p", &["a", "b"]);
    let rows = "INSERT INTO public.p VALUES ('[1,2]', 'two'); INSERT INTO public.c VALUES ('[1,2.0]', 'two')";
    assert_eq!(orphans(create, rows, &key).await, Orphans::default());
    let rows = format!("{rows}; INSERT INTO public.c VALUES ('[1,2]', 'tvo')");
    assert_eq!(
        orphans(create, &rows, &key).await,
        found(1, "a = [1,2], b = tvo")
    );
}

#[tokio::test]
async fn a_key_is_proven_without_its_constraint_too() {
    let create = "CREATE TABLE public.p (id bigint); CREATE TABLE public.c (p_id smallint)";
    let key = key("public.c", &["p_id"], "public.p", &["id"]);
    let rows = "INSERT INTO public.p VALUES (1), (1); INSERT INTO public.c VALUES (1), (2)";
    assert_eq!(orphans(create, rows, &key).await, found(1, "p_id = 2"));
}

#[tokio::test]
async fn hostile_names_and_values_are_shown_on_one_bounded_line() {
    let create = "CREATE TABLE public.\"p\"\"; --\" (\"i d\" text PRIMARY KEY); \
                  CREATE TABLE public.\"c ' \" (\"x\"\"\n\" text REFERENCES public.\"p\"\"; --\")";
    let key = key("public.c ' ", &["x\"\n"], "public.p\"; --", &["i d"]);
    let rows = "INSERT INTO public.\"c ' \" VALUES (E'a\\nb' || repeat('x', 1000))";
    let found = orphans(create, rows, &key).await;
    assert_eq!(found.rows, 1);
    let example = found.example.unwrap();
    assert!(example.starts_with("x\"\\n = a\\nbxxx"), "{example}");
    assert!(example.ends_with("x…"), "{example}");
    assert!(example.chars().count() < 100, "{example}");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::start().await;
    server.sql(ONE).await;
    let session = server.session().await;
    let missing = key("public.c", &["q_id"], "public.p", &["id"]);
    let error = session.orphans(&missing, LONG).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound, "{error}");
    assert!(error.message.contains("public.c.q_id"), "{error}");
    let missing = key("public.c", &["p_id"], "public.q", &["id"]);
    let error = session.orphans(&missing, LONG).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_proof_takes_no_longer_than_it_may() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.p (id int PRIMARY KEY); CREATE TABLE public.r (p_id int REFERENCES public.p); \
             INSERT INTO public.p SELECT generate_series(1, 300000); INSERT INTO public.r SELECT id FROM public.p",
        )
        .await;
    let key = key("public.r", &["p_id"], "public.p", &["id"]);
    let session = server.session().await;
    let error = session
        .orphans(&key, Duration::from_millis(1))
        .await
        .unwrap_err();
    assert_eq!(error.code.as_deref(), Some("57014"), "{error}");
    session.orphans(&key, LONG).await.unwrap();
}
