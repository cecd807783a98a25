//! Stopping, losing sessions, and large tables.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_postgres::Client;

use super::{
    super::{LoadEnd, fetch_metadata, load},
    bench::{Bench, bench, rows},
};

/// Asks again until it is so.
pub(super) async fn wait_until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A load that goes on while the test acts, and the word that stops it.
pub(super) async fn running(
    bench: &Bench,
) -> (tokio::task::JoinHandle<LoadEnd>, watch::Sender<bool>) {
    fetch_metadata(&bench.task, &bench.board).await.unwrap();
    let (tell, stop) = watch::channel(false);
    let (task, board) = (bench.task.clone(), Arc::clone(&bench.board));
    let going = tokio::spawn(async move { load(&task, &board, &stop).await });
    (going, tell)
}

/// Ends DMS's sessions at a database; how many they were.
async fn end_sessions(client: &Client) -> String {
    client.batch_execute("RESET ROLE").await.unwrap();
    rows(client, "SELECT pg_stat_clear_snapshot()").await;
    let ended = rows(
        client,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'AWS DMS'",
    );
    ended.await.remove(0)
}

/// DMS's sessions that wait for a lock.
pub(super) async fn waiting(client: &Client) -> String {
    // Within a transaction the first look would be repeated.
    rows(client, "SELECT pg_stat_clear_snapshot()").await;
    let waiting = rows(
        client,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'AWS DMS' AND wait_event_type = 'Lock'",
    );
    waiting.await.remove(0)
}

#[tokio::test]
async fn a_stop_ends_a_load_that_waits() {
    let schema = "CREATE TABLE item (id int PRIMARY KEY)";
    let bench = bench(
        &format!("{schema}; INSERT INTO item SELECT generate_series(1, 10)"),
        schema,
    )
    .await;
    // Somebody holds the table, so the load is certainly under way.
    bench
        .target
        .batch_execute("BEGIN; LOCK TABLE item")
        .await
        .unwrap();
    let (going, tell) = running(&bench).await;
    wait_until("the load waits", async || {
        waiting(&bench.source).await == "0" && waiting(&bench.target).await == "1"
    })
    .await;
    assert_eq!(bench.states(), ["item: FullLoad 0/0"]);
    tell.send(true).unwrap();
    assert_eq!(going.await.unwrap(), LoadEnd::Stopped);
    assert_eq!(bench.states(), ["item: Cancelled 0/0"]);
    bench.target.batch_execute("ROLLBACK").await.unwrap();
    bench.shutdown().await;
}

#[tokio::test]
async fn a_lost_session_is_retried_and_the_table_begins_anew() {
    let schema = "CREATE TABLE item (id int)";
    let mut bench = bench(
        &format!("{schema}; INSERT INTO item SELECT generate_series(1, 10)"),
        schema,
    )
    .await;
    bench
        .set("ErrorBehavior", "RecoverableErrorInterval", 0)
        .set("ErrorBehavior", "RecoverableErrorCount", 1);
    let lock = "BEGIN; LOCK TABLE item";
    bench.target.batch_execute(lock).await.unwrap();
    let (going, _tell) = running(&bench).await;
    wait_until("the load waits", async || {
        waiting(&bench.target).await == "1"
    })
    .await;
    assert_eq!(end_sessions(&bench.source).await, "1");
    end_sessions(&bench.target).await;
    wait_until("it waits again", async || {
        waiting(&bench.target).await == "1"
    })
    .await;
    bench.target.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(going.await.unwrap(), LoadEnd::Finished);
    assert_eq!(bench.states(), ["item: Completed 10/0"]);
    bench.logged("the connection was lost while table 'public'.'item' was loaded");

    // More often than the settings bear.
    bench.target.batch_execute(lock).await.unwrap();
    let (going, _tell) = running(&bench).await;
    for _ in 0..2 {
        wait_until("the load waits", async || {
            waiting(&bench.target).await == "1"
        })
        .await;
        end_sessions(&bench.target).await;
        wait_until("the session is gone", async || {
            waiting(&bench.target).await == "0"
        })
        .await;
    }
    let end = going.await.unwrap();
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(messages[0].contains("retries are used up"), "{messages:?}");
    bench.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_away_when_the_load_begins_is_waited_for() {
    let mut bench = bench("CREATE TABLE item (id int)", "CREATE TABLE item (id int)").await;
    bench
        .set("ErrorBehavior", "RecoverableErrorInterval", 0)
        .set("ErrorBehavior", "RecoverableErrorCount", 2);
    fetch_metadata(&bench.task, &bench.board).await.unwrap();
    bench.task.target.port = 1;
    let (_tell, stop) = watch::channel(false);
    let end = load(&bench.task, &bench.board, &stop).await;
    let LoadEnd::Failed { messages } = end else {
        panic!("{end:?}");
    };
    assert!(
        messages[0].contains(
            "endpoint 'rbk-original' can't be connected to: could not connect to server 127.0.0.1:1"
        ),
        "{messages:?}"
    );
    let tries = bench.log().matches("could not connect").count();
    assert_eq!(tries, 3, "{}", bench.log());
    bench.shutdown().await;
}

#[tokio::test]
async fn large_tables_flow_through_and_the_board_follows() {
    let schema = "CREATE TABLE wide (id int PRIMARY KEY, v text); CREATE TABLE long (id int PRIMARY KEY, a varchar(40), b int, c timestamptz)";
    let bench = bench(
        &format!(
            "{schema}; INSERT INTO wide SELECT i, repeat(md5(i::text), 600) FROM generate_series(1, 1500) i; \
             INSERT INTO long SELECT i, md5(i::text), i, now() FROM generate_series(1, 100000) i"
        ),
        schema,
    )
    .await;
    assert_eq!(
        bench.finish().await,
        ["long: Completed 100000/0", "wide: Completed 1500/0"]
    );
    let sum = "SELECT (SELECT md5(string_agg(md5(w::text), '' ORDER BY id)) FROM wide w), (SELECT md5(string_agg(md5(l::text), '' ORDER BY id)) FROM long l)";
    assert_eq!(
        rows(&bench.target, sum).await,
        rows(&bench.source, sum).await
    );
    bench.shutdown().await;
}
