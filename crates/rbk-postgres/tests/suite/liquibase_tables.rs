//! Liquibase's own tables, as its version 4.28 makes them.

use crate::server::Server;
use rbk_core::ports::{ChangeSets, MigrationLock, PortErrorKind, Sent};

/// Source: the statements that Liquibase 4.28 sends to PostgreSQL.
const TABLES: &str = "\
    CREATE TABLE public.databasechangeloglock (id INTEGER NOT NULL, locked BOOLEAN NOT NULL, \
      lockgranted TIMESTAMP WITHOUT TIME ZONE, lockedby VARCHAR(255), \
      CONSTRAINT databasechangeloglock_pkey PRIMARY KEY (id)); \
    INSERT INTO public.databasechangeloglock (id, locked) VALUES (1, FALSE); \
    CREATE TABLE public.databasechangelog (id VARCHAR(255) NOT NULL, author VARCHAR(255) NOT NULL, \
      filename VARCHAR(255) NOT NULL, dateexecuted TIMESTAMP WITHOUT TIME ZONE NOT NULL, orderexecuted INTEGER NOT NULL, \
      exectype VARCHAR(10) NOT NULL, md5sum VARCHAR(35), description VARCHAR(255), comments VARCHAR(255), \
      tag VARCHAR(255), liquibase VARCHAR(20), contexts VARCHAR(255), labels VARCHAR(255), deployment_id VARCHAR(10))";

const HELD: &str = "UPDATE public.databasechangeloglock SET locked = TRUE, lockedby = 'rbk-run-1 (10.0.0.7)', \
                    lockgranted = '2026-11-22 18:00:01.123' WHERE id = 1";

#[tokio::test]
async fn a_database_without_the_tables_has_neither_lock_nor_change_sets() {
    let server = Server::start().await;
    let session = server.session().await;
    assert_eq!(session.migration_lock("public").await.unwrap(), None);
    assert_eq!(session.migration_lock("nowhere").await.unwrap(), None);
    assert_eq!(
        session.change_sets("public").await.unwrap(),
        ChangeSets::default()
    );
    let lock = MigrationLock {
        by: "x".into(),
        since: None,
    };
    let error = session
        .release_migration_lock("public", &lock)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (PortErrorKind::NotFound, Sent::No),
        "{error}"
    );
}

#[tokio::test]
async fn the_lock_is_released_only_where_it_is_still_that_one() {
    let server = Server::start().await;
    server.sql(TABLES).await;
    let session = server.session().await;
    assert_eq!(session.migration_lock("public").await.unwrap(), None);

    server.sql(HELD).await;
    let lock = session.migration_lock("public").await.unwrap().unwrap();
    let ours = MigrationLock {
        by: "rbk-run-1 (10.0.0.7)".into(),
        since: Some("2026-11-22 18:00:01.123".into()),
    };
    assert_eq!(lock, ours);

    for (other, says) in [
        (
            "lockedby = 'somebody else'",
            "`somebody else` holds it since 2026-11-22 18:00:01.123",
        ),
        (
            "lockedby = 'rbk-run-1 (10.0.0.7)', lockgranted = '2026-11-22 19:00'",
            "since 2026-11-22 19:00:00",
        ),
        (
            "locked = FALSE, lockedby = NULL, lockgranted = NULL",
            "it is free by now",
        ),
    ] {
        server
            .sql(&format!("UPDATE public.databasechangeloglock SET {other}"))
            .await;
        let there = session.migration_lock("public").await.unwrap();
        let error = session
            .release_migration_lock("public", &lock)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.sent),
            (PortErrorKind::Conflict, Sent::No),
            "{error}"
        );
        assert!(error.message.contains(says), "{error}");
        assert_eq!(session.migration_lock("public").await.unwrap(), there);
    }

    server.sql(HELD).await;
    session
        .release_migration_lock("public", &lock)
        .await
        .unwrap();
    assert_eq!(session.migration_lock("public").await.unwrap(), None);

    // Held by nobody who gave a name.
    server
        .sql("UPDATE public.databasechangeloglock SET locked = TRUE")
        .await;
    let nameless = session.migration_lock("public").await.unwrap().unwrap();
    assert_eq!(
        nameless,
        MigrationLock {
            by: String::new(),
            since: None
        }
    );
    session
        .release_migration_lock("public", &nameless)
        .await
        .unwrap();
}

#[tokio::test]
async fn change_sets_are_counted_and_the_last_is_named() {
    let server = Server::start().await;
    let tables = TABLES.replace("public.", "\"Odd schema\".");
    server
        .sql(&format!("CREATE SCHEMA \"Odd schema\"; {tables}"))
        .await;
    let session = server.session().await;
    assert_eq!(
        session.change_sets("Odd schema").await.unwrap(),
        ChangeSets::default()
    );
    server
        .sql(
            "INSERT INTO \"Odd schema\".databasechangelog (id, author, filename, dateexecuted, orderexecuted, exectype) VALUES \
             ('2', 'anna', 'db.changelog.xml', now(), 2, 'EXECUTED'), ('10', 'ben', 'sql/more.sql', now(), 10, 'EXECUTED'), \
             ('1', 'anna', 'db.changelog.xml', now(), 1, 'EXECUTED')",
        )
        .await;
    let last = Some("sql/more.sql::10::ben".to_owned());
    assert_eq!(
        session.change_sets("Odd schema").await.unwrap(),
        ChangeSets { count: 3, last }
    );
    assert_eq!(
        session.change_sets("public").await.unwrap(),
        ChangeSets::default()
    );
}

#[tokio::test]
async fn sessions_that_a_killed_tool_left_are_ended_and_gone() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut left = server.administrator().connect().await.unwrap();
    left.batch_execute("SET application_name = 'rbk-run-1'")
        .await
        .unwrap();
    let work = left.transaction().await.unwrap();
    work.batch_execute("CREATE TABLE public.unfinished (id integer)")
        .await
        .unwrap();

    session.end_sessions("rbk-run").await.unwrap();
    work.batch_execute("SELECT 1").await.unwrap();

    session.end_sessions("rbk-run-1").await.unwrap();
    // Nothing of it is left that would stand in the way, at once.
    server
        .sql("SET lock_timeout = '1ms'; CREATE TABLE public.unfinished (id integer)")
        .await;
    assert!(work.batch_execute("SELECT 1").await.is_err());
}
