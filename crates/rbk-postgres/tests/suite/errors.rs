//! What becomes of a session that is ended, of locks that are held, and of statements that take too long.

use crate::server::Server;
use rbk_core::environment::TableName;
use rbk_core::ids::RoleName;
use rbk_core::ports::{PortErrorKind, Postgres, Sent};
use rbk_core::value::Type;
use rbk_postgres::Limits;
use secrecy::SecretString;
use std::time::Duration;

#[tokio::test]
async fn a_session_that_was_ended_says_so() {
    let server = Server::start().await;
    let session = server.session().await;
    server
        .sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'rbk'",
        )
        .await;
    let read = session.whoami().await.unwrap_err();
    assert_eq!(read.kind, PortErrorKind::Unreachable, "{read}");
    assert_eq!(read.code.as_deref(), Some("57P01"), "{read}");
    assert_eq!(read.sent, Sent::No);
    let change = session
        .set_role_password(&RoleName::new("anybody"), &SecretString::from("p"))
        .await
        .unwrap_err();
    assert_eq!(change.kind, PortErrorKind::Unreachable, "{change}");
    assert_eq!(change.sent, Sent::Maybe);
}

#[tokio::test]
async fn a_held_lock_is_a_state_that_may_pass() {
    let server = Server::start().await;
    server.sql("CREATE TABLE public.t (id int)").await;
    let connector = server.connector().with_limits(Limits {
        lock: Duration::from_millis(50),
        ..Limits::default()
    });
    let session = connector.connect(&server.login()).await.unwrap();
    let holder = server.administrator().connect().await.unwrap();
    holder
        .batch_execute("BEGIN; LOCK TABLE public.t")
        .await
        .unwrap();
    let table = TableName {
        schema: "public".into(),
        table: "t".into(),
    };
    let error = session.count(&table).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidState);
    assert_eq!(error.code.as_deref(), Some("55P03"));
    assert!(error.message.contains("pg_locks"), "{error}");
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(session.count(&table).await.unwrap(), 0);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let server = Server::start().await;
    let connector = server.connector().with_limits(Limits {
        statement: Duration::from_millis(50),
        ..Limits::default()
    });
    let session = connector.connect(&server.login()).await.unwrap();
    let error = session
        .query("SELECT count(*) FROM pg_sleep(60)", Type::Integer)
        .await
        .unwrap_err();
    assert_eq!(error.code.as_deref(), Some("57014"));
    assert_eq!(error.kind, PortErrorKind::Statement);
}

#[tokio::test]
async fn calls_on_one_session_take_turns() {
    let server = Server::start().await;
    let session = server.session().await;
    let (a, b, c) = tokio::join!(
        session.query("SHOW transaction_read_only", Type::Text),
        session.whoami(),
        session.query("SELECT 1/0", Type::Integer),
    );
    assert_eq!(a.unwrap().to_string(), "on");
    b.unwrap();
    assert_eq!(c.unwrap_err().code.as_deref(), Some("22012"));
    session.whoami().await.unwrap();
}
