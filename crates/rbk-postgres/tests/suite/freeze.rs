//! Stopping writes, against applications that don't want to stop.

use crate::server::{App, Server};
use rbk_core::environment::TableName;
use rbk_core::ids::RoleName;
use rbk_core::plan::Freeze;
use rbk_core::ports::{FreezeState, PortErrorKind, Postgres, Sent};
use rbk_core::value::{Type, Value};
use rbk_postgres::Limits;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A session that writes until it is ended. Resolves when the first row is written.
async fn writer(app: &App) -> JoinHandle<tokio_postgres::Error> {
    let client = app.connect().await.unwrap();
    let (first, written) = oneshot::channel();
    let writing = tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            if let Err(error) = client
                .execute("INSERT INTO public.t DEFAULT VALUES", &[])
                .await
            {
                return error;
            }
            if let Some(first) = first.take() {
                first.send(()).unwrap();
            }
        }
    });
    written.await.unwrap();
    writing
}

/// The server's farewell reaches whoever waits for an answer; the next statement finds the connection closed.
fn was_ended(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code().is_some_and(|state| state.code() == "57P01")
}

async fn shop() -> (Server, App) {
    let server = Server::start().await;
    server
        .sql("CREATE TABLE public.t (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now())")
        .await;
    let app = server.role("app").await;
    (server, app)
}

fn table() -> TableName {
    TableName {
        schema: "public".into(),
        table: "t".into(),
    }
}

fn barring(app: &App) -> Freeze {
    Freeze::NoLogin {
        roles: vec![RoleName::new(&app.role)],
    }
}

#[tokio::test]
async fn a_barred_role_loses_its_sessions_and_can_not_come_back() {
    let (server, app) = shop().await;
    let freeze = barring(&app);
    let session = server.quick().connect(&server.login()).await.unwrap();
    let writing = writer(&app).await;
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Open
    );
    assert_eq!(
        session
            .sessions(Some(&RoleName::new(&app.role)))
            .await
            .unwrap(),
        1
    );

    session.freeze(&freeze).await.unwrap();

    let ended = writing.await.unwrap();
    assert!(was_ended(&ended), "{ended:?}");
    let refused = app.connect().await.unwrap_err();
    assert_eq!(refused.code().map(|state| state.code()), Some("28000"));
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Frozen
    );
    assert_eq!(session.sessions(None).await.unwrap(), 0);
    let barred = format!(
        "SELECT rolcanlogin FROM pg_roles WHERE rolname = '{}'",
        app.role
    );
    assert_eq!(
        session.query(&barred, Type::Boolean).await.unwrap(),
        Value::Boolean(false)
    );
    let rows = session.count(&table()).await.unwrap();
    assert!(rows > 0);

    session.thaw(&freeze).await.unwrap();
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Open
    );
    writer(&app).await.abort();
    assert!(session.count(&table()).await.unwrap() > rows);
}

#[tokio::test]
async fn a_session_that_is_still_there_is_half_a_freeze() {
    let (server, app) = shop().await;
    let other = server.role("other").await;
    let freeze = Freeze::NoLogin {
        roles: vec![RoleName::new(&app.role), RoleName::new(&other.role)],
    };
    let session = server.session().await;
    let client = app.connect().await.unwrap();
    server
        .sql(&format!("ALTER ROLE {} NOLOGIN", other.role))
        .await;
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Partly
    );
    server
        .sql(&format!("ALTER ROLE {} NOLOGIN", app.role))
        .await;
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Partly
    );
    // Waits for the server's end of it: a session whose socket is closed may still be listed for a moment.
    server
        .sql(&format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{}'",
            app.role
        ))
        .await;
    drop(client);
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Frozen
    );
}

#[tokio::test]
async fn a_read_only_database_can_be_read_by_all_and_written_by_rbk() {
    let (server, app) = shop().await;
    let freeze = Freeze::ReadOnly;
    let connector = server.quick();
    let session = connector.connect(&server.login()).await.unwrap();
    let writing = writer(&app).await;
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Open
    );

    session.freeze(&freeze).await.unwrap();

    let ended = writing.await.unwrap();
    assert!(was_ended(&ended), "{ended:?}");
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Frozen
    );

    let reading = app.connect().await.unwrap();
    reading
        .query("SELECT id FROM public.t LIMIT 1", &[])
        .await
        .unwrap();
    let refused = reading
        .execute("INSERT INTO public.t DEFAULT VALUES", &[])
        .await
        .unwrap_err();
    assert_eq!(refused.code().map(|state| state.code()), Some("25006"));
    // It came after the freeze, and this process knows when that was.
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Frozen
    );
    // Another process can't know.
    let elsewhere = server.session().await;
    assert_eq!(
        elsewhere.freeze_state(&freeze).await.unwrap(),
        FreezeState::Partly
    );

    // rbk's own sessions write.
    let password = secrecy::SecretString::from("another-secret-of-the-app");
    elsewhere
        .set_role_password(&RoleName::new(&app.role), &password)
        .await
        .unwrap();

    session.thaw(&freeze).await.unwrap();
    assert_eq!(
        session.freeze_state(&freeze).await.unwrap(),
        FreezeState::Open
    );
    let settings = "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase \
                    WHERE d.datname = current_database()";
    assert_eq!(
        session.query(settings, Type::Integer).await.unwrap(),
        Value::Integer(0)
    );
    // A session that is read-only by default would stay so; it was ended.
    let stale = reading
        .execute("INSERT INTO public.t DEFAULT VALUES", &[])
        .await;
    assert!(stale.is_err());
    let app = App {
        login: server.login_as(&app.role, "another-secret-of-the-app"),
        ..app
    };
    writer(&app).await.abort();
}

#[tokio::test]
async fn freezing_twice_is_freezing_once() {
    let (server, app) = shop().await;
    let session = server.quick().connect(&server.login()).await.unwrap();
    for freeze in [barring(&app), Freeze::ReadOnly] {
        session.freeze(&freeze).await.unwrap();
        session.freeze(&freeze).await.unwrap();
        assert_eq!(
            session.freeze_state(&freeze).await.unwrap(),
            FreezeState::Frozen
        );
        session.thaw(&freeze).await.unwrap();
        session.thaw(&freeze).await.unwrap();
        assert_eq!(
            session.freeze_state(&freeze).await.unwrap(),
            FreezeState::Open
        );
    }
}

#[tokio::test]
async fn a_counter_that_goes_on_moving_is_an_error_that_names_who_writes() {
    let (server, app) = shop().await;
    let other = server.role("other").await;
    let writing = writer(&other).await;
    let connector = server.connector().with_limits(Limits {
        freeze: Duration::from_secs(4),
        still: Duration::from_secs(2),
        ..Limits::default()
    });
    let session = connector.connect(&server.login()).await.unwrap();
    let error = session.freeze(&barring(&app)).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidState);
    // The role is barred all the same.
    assert_eq!(error.sent, Sent::Maybe);
    for part in ["`public.t`", other.role.as_str(), "(`shop`)"] {
        assert!(error.message.contains(part), "{part} isn't in: {error}");
    }
    writing.abort();
}

#[tokio::test]
async fn a_role_whose_setting_outranks_the_databases_is_named() {
    let (server, app) = shop().await;
    server
        .sql(&format!(
            "ALTER ROLE {} SET default_transaction_read_only = off",
            app.role
        ))
        .await;
    let session = server.quick().connect(&server.login()).await.unwrap();
    let error = session.freeze(&Freeze::ReadOnly).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidState);
    assert_eq!(error.sent, Sent::No);
    assert!(error.message.contains(&app.role), "{error}");
    server
        .sql(&format!(
            "ALTER ROLE {} RESET default_transaction_read_only",
            app.role
        ))
        .await;
}

#[tokio::test]
async fn a_role_that_is_not_there_or_is_our_own_is_not_barred() {
    let (server, app) = shop().await;
    let session = server.session().await;
    let freeze = |role: &str| Freeze::NoLogin {
        roles: vec![RoleName::new(&app.role), RoleName::new(role)],
    };
    let missing = session
        .freeze(&freeze("no \"such\" role"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind, PortErrorKind::NotFound);
    assert_eq!(missing.sent, Sent::No);
    let own = session.freeze(&freeze(&server.master)).await.unwrap_err();
    assert_eq!(own.kind, PortErrorKind::InvalidRequest);
    let none = Freeze::NoLogin { roles: Vec::new() };
    assert_eq!(
        session.freeze_state(&none).await.unwrap_err().kind,
        PortErrorKind::InvalidRequest
    );
    // Neither left half of it behind.
    app.connect().await.unwrap();
}

#[tokio::test]
async fn sessions_of_rbk_and_of_other_databases_do_not_count() {
    let (server, app) = shop().await;
    let elsewhere = Server::start().await;
    let session = server.session().await;
    let _own = server.session().await;
    let _others_database = elsewhere.administrator().connect().await.unwrap();
    assert_eq!(session.sessions(None).await.unwrap(), 0);
    let _one = app.connect().await.unwrap();
    let _two = server.administrator().connect().await.unwrap();
    assert_eq!(session.sessions(None).await.unwrap(), 2);
    let role = RoleName::new(&app.role);
    assert_eq!(session.sessions(Some(&role)).await.unwrap(), 1);
}

#[tokio::test]
async fn applications_that_come_back_to_read_do_not_hold_up_a_read_only_freeze() {
    let (server, app) = shop().await;
    let (first, connected) = oneshot::channel();
    let (refused, told) = oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        let mut sessions = 0;
        loop {
            let Ok(client) = app.connect().await else {
                continue;
            };
            sessions += 1;
            if let Some(first) = first.take() {
                first.send(()).unwrap();
            }
            while !client.is_closed() {
                let write = client
                    .execute("INSERT INTO public.t DEFAULT VALUES", &[])
                    .await;
                if write
                    .is_err_and(|error| error.code().is_some_and(|state| state.code() == "25006"))
                {
                    refused.send((sessions, client)).unwrap();
                    return;
                }
            }
        }
    });
    connected.await.unwrap();
    let session = server.quick().connect(&server.login()).await.unwrap();
    session.freeze(&Freeze::ReadOnly).await.unwrap();
    assert_eq!(
        session.freeze_state(&Freeze::ReadOnly).await.unwrap(),
        FreezeState::Frozen
    );
    // It was ended, came back, is still there, and was refused its write.
    let (sessions, client) = told.await.unwrap();
    assert!(sessions > 1);
    client.query("SELECT 1", &[]).await.unwrap();
    session.thaw(&Freeze::ReadOnly).await.unwrap();
}
