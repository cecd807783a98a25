//! Databases as digests.

use crate::server::Server;
use rbk_core::environment::TableName;
use rbk_core::ports::TableDigest;
use rbk_postgres::inspect::{digest_tables, tables};
use std::collections::BTreeMap;

async fn digests(server: &Server) -> BTreeMap<TableName, TableDigest> {
    let mut client = server.administrator().connect().await.unwrap();
    // Nothing that a session has set may matter.
    client
        .batch_execute(
            "SET \"DateStyle\" = 'German'; SET \"TimeZone\" = 'Asia/Tokyo'; SET extra_float_digits = -5; \
             SET bytea_output = 'escape'; SET search_path = public",
        )
        .await
        .unwrap();
    digest_tables(&mut client).await.unwrap()
}

/// The digest of a table `t` that these statements make.
async fn digest(statements: &str) -> TableDigest {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id int, a text, b text)")
        .await;
    server.sql(statements).await;
    let (_, digest) = digests(&server).await.pop_first().unwrap();
    digest
}

const THREE: &str = "INSERT INTO public.t VALUES (1, 'x', 'y'), (2, 'z', NULL), (3, 'v', '')";

#[tokio::test]
async fn the_order_of_rows_and_of_columns_does_not_matter() {
    let one = digest(THREE).await;
    let other = digest(
        "INSERT INTO public.t VALUES (3, 'v', ''); INSERT INTO public.t VALUES (2, 'z', NULL), (1, 'x', 'y'); \
         ALTER TABLE public.t ADD c int; ALTER TABLE public.t DROP c",
    )
    .await;
    assert_eq!(one, other);
    let columns = digest(
        "DROP TABLE public.t; CREATE TABLE public.t (b text, a varchar(5), id bigint); \
         INSERT INTO public.t VALUES ('y', 'x', 1), (NULL, 'z', 2), ('', 'v', 3)",
    )
    .await;
    assert_eq!(one, columns);
    assert_eq!(one.rows, 3);
}

#[tokio::test]
async fn each_difference_in_rows_is_seen() {
    let original = digest(THREE).await;
    for (what, change) in [
        (
            "values swapped between rows",
            "UPDATE public.t SET a = CASE id WHEN 1 THEN 'z' WHEN 2 THEN 'x' ELSE a END",
        ),
        (
            "values swapped between columns",
            "UPDATE public.t SET a = b, b = a WHERE id = 1",
        ),
        ("a row missing", "DELETE FROM public.t WHERE id = 3"),
        (
            "a row twice",
            "INSERT INTO public.t SELECT * FROM public.t WHERE id = 1",
        ),
        (
            "a row twice instead of another",
            "DELETE FROM public.t WHERE id = 3; INSERT INTO public.t VALUES (1, 'x', 'y')",
        ),
        (
            "two rows twice",
            "INSERT INTO public.t SELECT * FROM public.t WHERE id < 3",
        ),
        (
            "NULL for an empty text",
            "UPDATE public.t SET b = NULL WHERE id = 3",
        ),
        (
            "a value changed",
            "UPDATE public.t SET a = 'X' WHERE id = 1",
        ),
    ] {
        let changed = digest(&format!("{THREE}; {change}")).await;
        assert_ne!(original.checksum, changed.checksum, "{what}");
    }
}

#[tokio::test]
async fn an_empty_table_has_a_digest_too() {
    let empty = digest("SELECT").await;
    assert_eq!((empty.rows, empty.checksum.as_str()), (0, "0/0"));
}

#[tokio::test]
async fn ordinary_tables_and_leaves_of_all_user_schemas_are_listed() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE SCHEMA app; CREATE SCHEMA rbk; CREATE TABLE rbk.markers (id int); \
             CREATE TABLE app.\"T t\" (\"t\" int, \"Ä \"\"q\"\"\" text); INSERT INTO app.\"T t\" VALUES (1, 'x'); \
             CREATE TABLE public.parted (id int) PARTITION BY RANGE (id); \
             CREATE TABLE public.low PARTITION OF public.parted FOR VALUES FROM (0) TO (10); \
             CREATE TABLE public.mid PARTITION OF public.parted FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id); \
             CREATE TABLE public.leaf PARTITION OF public.mid FOR VALUES IN (11); \
             CREATE TABLE public.parent (id int); CREATE TABLE public.child () INHERITS (public.parent); \
             CREATE TABLE public.bare (); CREATE VIEW public.v AS SELECT 1; \
             INSERT INTO public.parted VALUES (1), (11); INSERT INTO public.child VALUES (1)",
        )
        .await;
    let client = server.administrator().connect().await.unwrap();
    let names: Vec<String> = tables(&client)
        .await
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "app.T t",
            "public.bare",
            "public.child",
            "public.leaf",
            "public.low",
            "public.parent"
        ]
    );
    let rows: Vec<u64> = digests(&server)
        .await
        .values()
        .map(|digest| digest.rows)
        .collect();
    assert_eq!(rows, [1, 0, 1, 1, 1, 0]);
}

#[tokio::test]
async fn a_superuser_over_a_socket_sees_the_same() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t AS SELECT g AS id, md5(g::text) AS text, now() - make_interval(secs => g) AS at, \
             g / 7.0::float8 AS f, ARRAY[g, NULL] AS list FROM generate_series(1, 5000) g; \
             ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
        )
        .await;
    let mut superuser = server.superuser().await;
    let seen = digest_tables(&mut superuser).await.unwrap();
    assert_eq!(seen, digests(&server).await);
    let rows: Vec<u64> = seen.values().map(|digest| digest.rows).collect();
    assert_eq!(rows, [5000]);
}
