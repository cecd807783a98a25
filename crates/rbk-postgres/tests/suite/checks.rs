//! An environment's checks.

use crate::server::Server;
use rbk_core::environment::{Checks, Fresh, TableName};
use rbk_core::ports::{CheckFinding, PortErrorKind, Postgres};

fn table(name: &str) -> TableName {
    let (schema, table) = name.split_once('.').unwrap();
    TableName {
        schema: schema.into(),
        table: table.into(),
    }
}

fn fresh(name: &str, column: &str, within: u64) -> Checks {
    Checks {
        not_empty: Vec::new(),
        fresh: Some(Fresh {
            table: table(name),
            column: column.into(),
            within,
        }),
    }
}

async fn one(server: &Server, checks: Checks) -> CheckFinding {
    let mut findings = server.session().await.checks(&checks).await.unwrap();
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

#[tokio::test]
async fn each_table_that_must_not_be_empty_is_a_finding() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.full AS SELECT 1 AS id; CREATE TABLE public.bare (id int)")
        .await;
    let checks = Checks {
        not_empty: ["public.full", "public.bare", "public.gone", "nowhere.gone"]
            .map(table)
            .to_vec(),
        fresh: None,
    };
    let findings = server.session().await.checks(&checks).await.unwrap();
    let seen: Vec<_> = findings
        .iter()
        .map(|f| (f.check.as_str(), f.holds, f.seen.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("public.full is not empty", true, "has rows"),
            ("public.bare is not empty", false, "0 rows"),
            ("public.gone is not empty", false, "does not exist"),
            ("nowhere.gone is not empty", false, "does not exist"),
        ]
    );
}

#[tokio::test]
async fn the_newest_row_decides_whether_data_is_fresh() {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t AS SELECT now() - make_interval(hours => h) AS at FROM generate_series(6, 9) h")
        .await;
    let finding = one(&server, fresh("public.t", "at", 7 * 3600)).await;
    assert_eq!(finding.check, "public.t.at is at most 7h old");
    assert!(finding.holds, "{}", finding.seen);
    assert!(finding.seen.contains(", 6h"), "{}", finding.seen);

    let finding = one(&server, fresh("public.t", "at", 5 * 3600)).await;
    assert!(!finding.holds, "{}", finding.seen);
}

#[tokio::test]
async fn what_has_no_newest_time_is_not_fresh() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t (at timestamptz, local timestamp, day date, name text, endless timestamptz); \
             INSERT INTO public.t VALUES (NULL, now() AT TIME ZONE 'UTC', current_date, 'x', 'infinity')",
        )
        .await;
    for (column, holds, seen) in [
        ("at", false, "no row has a time"),
        ("local", true, "read as UTC"),
        ("day", true, "midnight"),
        ("name", false, "`text`, which is no time"),
        ("endless", false, "infinite"),
        ("gone", false, "the column does not exist"),
    ] {
        let finding = one(&server, fresh("public.t", column, 2 * 86_400)).await;
        assert_eq!(finding.holds, holds, "{column}: {}", finding.seen);
        assert!(finding.seen.contains(seen), "{column}: {}", finding.seen);
    }
    let finding = one(&server, fresh("public.gone", "at", 60)).await;
    assert_eq!(
        (finding.holds, finding.seen.as_str()),
        (false, "does not exist")
    );
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_an_error() {
    let server = Server::start().await;
    let app = server.role("app").await;
    server.sql("CREATE TABLE public.secret (id int)").await;
    let session = server.connector().connect(&app.login).await.unwrap();
    let checks = Checks {
        not_empty: vec![table("public.secret")],
        fresh: None,
    };
    let error = session.checks(&checks).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
}
