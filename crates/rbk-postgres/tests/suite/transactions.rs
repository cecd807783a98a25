//! Transactions that have been open for long.

use crate::server::Server;
use rbk_core::ports::{PortErrorKind, Postgres};
use std::time::Duration;

/// Long enough to be told from none, and no test waits for it: the transaction says itself when it began.
const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn open_transactions_are_told_with_who_and_since_when() {
    let server = Server::start().await;
    let session = server.session().await;
    assert_eq!(session.long_transactions(AT_ONCE).await.unwrap(), []);

    let other = server.role("app").await.connect().await.unwrap();
    other.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let pid: i32 = other
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let found = session.long_transactions(AT_ONCE).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pid, pid);
    assert_eq!(found[0].application, "shop");
    assert_eq!(found[0].state, "idle in transaction");
    assert!(found[0].role.is_some());
    assert!(found[0].seconds < 600);

    // Younger than asked for.
    let longer = session.long_transactions(Duration::from_secs(3600)).await;
    assert_eq!(longer.unwrap(), []);

    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(session.long_transactions(AT_ONCE).await.unwrap(), []);
}

#[tokio::test]
async fn a_role_that_may_not_see_others_does_not_say_that_there_are_none() {
    let server = Server::start().await;
    let app = server.role("app").await;
    let mere = server.connector().connect(&app.login).await.unwrap();
    let other = server.role("other").await.connect().await.unwrap();
    other.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let error = mere.long_transactions(AT_ONCE).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
    assert!(error.message.contains("pg_read_all_stats"), "{error}");
}
