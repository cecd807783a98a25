//! One value out of one statement.

use crate::server::Server;
use rbk_core::environment::TableName;
use rbk_core::ports::{PortErrorKind, Postgres, Sent};
use rbk_core::value::{Type, Value};

#[tokio::test]
async fn values_come_as_the_types_of_the_language() {
    let server = Server::start().await;
    server
        .sql("CREATE TYPE mood AS ENUM ('calm'); CREATE DOMAIN amount AS bigint")
        .await;
    let session = server.session().await;
    for (sql, ty, value) in [
        ("SELECT true", Type::Boolean, Value::Boolean(true)),
        ("SELECT 7::smallint", Type::Integer, Value::Integer(7)),
        ("SELECT -7", Type::Integer, Value::Integer(-7)),
        (
            "SELECT count(*) FROM pg_class WHERE false",
            Type::Integer,
            Value::Integer(0),
        ),
        (
            "SELECT sum(x) FROM (VALUES (9000000000), (1)) v(x)",
            Type::Integer,
            Value::Integer(9_000_000_001),
        ),
        ("SELECT -120000.00", Type::Integer, Value::Integer(-120_000)),
        (
            "SELECT 9223372036854775807::numeric",
            Type::Integer,
            Value::Integer(i64::MAX),
        ),
        ("SELECT 3::amount", Type::Integer, Value::Integer(3)),
        ("SELECT 'grün'", Type::Text, Value::Text("grün".into())),
        (
            "SELECT 'x'::varchar(9)",
            Type::Text,
            Value::Text("x".into()),
        ),
        (
            "SELECT 'calm'::mood",
            Type::Text,
            Value::Text("calm".into()),
        ),
        (
            "SELECT interval '1 day 2 hours 3.9 seconds'",
            Type::Duration,
            Value::Duration(93_603),
        ),
        ("SELECT 4096::bigint", Type::Size, Value::Size(4096)),
        (
            "SELECT timestamptz '2026-11-22 09:15:00.25+01'",
            Type::Time,
            Value::Time("2026-11-22T08:15:00.25Z".parse().unwrap()),
        ),
        (
            "SHOW transaction_read_only",
            Type::Text,
            Value::Text("on".into()),
        ),
    ] {
        assert_eq!(session.query(sql, ty).await.unwrap(), value, "{sql}");
    }
}

#[tokio::test]
async fn what_is_no_single_value_of_the_type_is_an_error_that_says_what_came() {
    let server = Server::start().await;
    let session = server.session().await;
    use PortErrorKind::{InvalidRequest, Statement};
    for (sql, ty, kind, part) in [
        ("SELECT 1 WHERE false", Type::Integer, Statement, "no row"),
        (
            "SELECT * FROM generate_series(1, 3)",
            Type::Integer,
            Statement,
            "more than one row",
        ),
        (
            "SELECT 1 AS a, 2 AS b",
            Type::Integer,
            InvalidRequest,
            "2: `a`, `b`",
        ),
        ("SELECT NULL::bigint", Type::Integer, Statement, "NULL"),
        ("SELECT 1.5", Type::Integer, Statement, "fraction"),
        ("SELECT 'NaN'::numeric", Type::Integer, Statement, "NaN"),
        (
            "SELECT 1e30::numeric",
            Type::Integer,
            Statement,
            "too large",
        ),
        ("SELECT 1.0::float8", Type::Integer, InvalidRequest, "round"),
        ("SELECT 1", Type::Text, InvalidRequest, "::text"),
        (
            "SELECT 'a'",
            Type::Boolean,
            InvalidRequest,
            "which is no boolean",
        ),
        (
            "SELECT localtimestamp",
            Type::Time,
            InvalidRequest,
            "AT TIME ZONE",
        ),
        (
            "SELECT 'infinity'::timestamptz",
            Type::Time,
            Statement,
            "infinite",
        ),
        (
            "SELECT 5",
            Type::Duration,
            InvalidRequest,
            "interval '1 second'",
        ),
        (
            "SELECT interval '1 month'",
            Type::Duration,
            Statement,
            "now() - x",
        ),
        (
            "SELECT interval '-1 second'",
            Type::Duration,
            Statement,
            "negative",
        ),
        ("SELECT -1", Type::Size, Statement, "never negative"),
        (
            "SELECT $1::bigint",
            Type::Integer,
            InvalidRequest,
            "parameters",
        ),
        ("", Type::Integer, InvalidRequest, "no value"),
        (
            "SELECT 1; SELECT 2",
            Type::Integer,
            Statement,
            "multiple commands",
        ),
        ("SELECT * FROM nowhere", Type::Integer, Statement, "42P01"),
    ] {
        let error = session.query(sql, ty).await.unwrap_err();
        assert_eq!(error.kind, kind, "{sql}: {error}");
        assert!(
            error.message.contains(part),
            "{sql}: {part} isn't in: {error}"
        );
        assert!(error.doing.contains("querying in `"), "{error}");
    }
    // The session is as good as before.
    assert!(session.whoami().await.is_ok());
}

#[tokio::test]
async fn nothing_can_be_written() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t (id int); \
             CREATE FUNCTION public.sly() RETURNS int LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO public.t VALUES (1); RETURN 1; END $$",
        )
        .await;
    let session = server.session().await;
    for sql in [
        "INSERT INTO t VALUES (1) RETURNING id",
        "SELECT sly()",
        "WITH a AS (SELECT set_config('transaction_read_only', 'off', true)) SELECT sly() FROM a",
    ] {
        let error = session.query(sql, Type::Integer).await.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Statement, "{sql}: {error}");
        assert_eq!(error.sent, Sent::No);
    }
    session.query("COMMIT", Type::Integer).await.unwrap_err();
    let table = TableName {
        schema: "public".into(),
        table: "t".into(),
    };
    assert_eq!(session.count(&table).await.unwrap(), 0);
}

#[tokio::test]
async fn names_are_found_in_public() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.documents AS SELECT generate_series(1, 5) AS id")
        .await;
    let value = server
        .session()
        .await
        .query("SELECT max(id) FROM documents", Type::Integer)
        .await;
    assert_eq!(value.unwrap(), Value::Integer(5));
}

#[tokio::test]
async fn rows_are_counted_exactly_whatever_the_table_is_called() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE SCHEMA \"My \"\"Schema\"; \
             CREATE TABLE \"My \"\"Schema\".\"SELECT; --\" AS SELECT generate_series(1, 1234)",
        )
        .await;
    let table = TableName {
        schema: "My \"Schema".into(),
        table: "SELECT; --".into(),
    };
    let session = server.session().await;
    assert_eq!(session.count(&table).await.unwrap(), 1234);
}

#[tokio::test]
async fn a_policy_that_would_hide_rows_is_an_error_and_no_count() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t AS SELECT generate_series(1, 9) AS id; \
             ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
        )
        .await;
    let app = server.role("app").await;
    let session = server.connector().connect(&app.login).await.unwrap();
    let table = TableName {
        schema: "public".into(),
        table: "t".into(),
    };
    let error = session.count(&table).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
}
