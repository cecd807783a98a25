//! What clients meet at an instance's port.

use rbk_sandbox::SecurityGroupBlueprint;
use tokio_postgres::config::SslMode;

use crate::client::{
    Login, connector, login, operator, refusal, sandbox_with_orders, value, wait_until,
};

#[tokio::test]
async fn the_master_user_can_do_what_runbooks_need_without_being_a_superuser() {
    let (sandbox, address) = sandbox_with_orders().await;
    let master = login(&sandbox, address.port, Login::master())
        .await
        .unwrap();
    assert_eq!(
        value(
            &master,
            "SELECT usesuper FROM pg_user WHERE usename = 'postgres'"
        )
        .await,
        "f"
    );
    master
        .batch_execute(
            "CREATE ROLE app LOGIN PASSWORD 'application-1'; GRANT SELECT ON item TO app",
        )
        .await
        .unwrap();
    let app = Login {
        user: "app",
        password: "application-1",
        ..Login::master()
    };
    let session = login(&sandbox, address.port, app.clone()).await.unwrap();
    assert_eq!(value(&session, "SELECT count(*) FROM item").await, "2");

    master
        .batch_execute("ALTER ROLE app NOLOGIN")
        .await
        .unwrap();
    let ended = value(
        &master,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'",
    )
    .await;
    assert_eq!(ended, "1");
    wait_until("the application's session has ended", async || {
        session.is_closed()
    })
    .await;
    let refused = login(&sandbox, address.port, app.clone())
        .await
        .err()
        .unwrap();
    assert!(
        refusal(&refused).contains("not permitted to log in"),
        "{refused:?}"
    );
    for statement in [
        "ALTER ROLE app LOGIN PASSWORD 'application-2'",
        "ALTER DATABASE shop SET default_transaction_read_only = on",
        "ALTER DATABASE shop RESET default_transaction_read_only",
        "SET session_replication_role = 'replica'",
        "SET session_replication_role = 'origin'",
        "CREATE TABLE embedding (v vector(3)); CREATE INDEX ON embedding USING hnsw (v vector_l2_ops)",
        "CHECKPOINT",
        "CREATE DATABASE other",
    ] {
        master
            .batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let refused = login(&sandbox, address.port, app).await.err().unwrap();
    assert!(refusal(&refused).contains("password authentication failed"));
    let denied = master
        .batch_execute("ALTER SYSTEM SET jit = on")
        .await
        .unwrap_err();
    assert!(refusal(&denied).contains("permission denied"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_schema_is_dropped_and_made_anew_with_its_extension() {
    if std::env::var_os(rbk_sandbox::POSTGRES_BIN_VARIABLE).is_some() {
        // An installation of the machine's own keeps `vector` for superusers.
        return;
    }
    let (sandbox, address) = sandbox_with_orders().await;
    let master = login(&sandbox, address.port, Login::master())
        .await
        .unwrap();
    master
        .batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION vector; CREATE TABLE e (v vector(3))")
        .await
        .unwrap();
    sandbox.shutdown().await;
}

#[tokio::test]
async fn sessions_without_tls_and_the_superusers_are_refused() {
    let (sandbox, address) = sandbox_with_orders().await;
    let plain = Login {
        ssl: SslMode::Disable,
        ..Login::master()
    };
    let refused = login(&sandbox, address.port, plain).await.err().unwrap();
    assert_eq!(
        refusal(&refused),
        "28000 no pg_hba.conf entry for host \"127.0.0.1\", user \"postgres\", database \"shop\", no encryption"
    );
    let superuser = Login {
        user: "rdsadmin",
        ..Login::master()
    };
    let refused = login(&sandbox, address.port, superuser)
        .await
        .err()
        .unwrap();
    assert!(
        refusal(&refused).contains("rejects connection"),
        "{refused:?}"
    );
    let wrong = Login {
        password: "not-the-password",
        ..Login::master()
    };
    let refused = login(&sandbox, address.port, wrong).await.err().unwrap();
    assert!(refusal(&refused).starts_with("28P01"), "{refused:?}");
    sandbox.shutdown().await;
}

#[cfg(target_os = "linux")] // Elsewhere there is only one loopback address to begin with.
#[tokio::test]
async fn a_security_group_decides_by_source_address() {
    let (sandbox, address) = sandbox_with_orders().await;
    let application = Login {
        source: "127.0.0.2".parse().unwrap(),
        ..Login::master()
    };
    let refused = login(&sandbox, address.port, application.clone()).await;
    assert!(refused.err().unwrap().as_db_error().is_none());
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![application.source],
    });
    login(&sandbox, address.port, application).await.unwrap();
    assert!(
        login(&sandbox, address.port, Login::master())
            .await
            .is_err()
    );
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator()],
    });
    login(&sandbox, address.port, Login::master())
        .await
        .unwrap();
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_running_query_is_cancelled_through_the_port() {
    let (sandbox, address) = sandbox_with_orders().await;
    let master = login(&sandbox, address.port, Login::master())
        .await
        .unwrap();
    let cancel = master.cancel_token();
    let long = tokio::spawn(async move { master.batch_execute("SELECT pg_sleep(60)").await });
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    wait_until("the query runs", async || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()";
        value(&superuser, count).await == "1"
    })
    .await;
    let stream = tokio::net::TcpStream::connect((operator(), address.port))
        .await
        .unwrap();
    let mut connector = connector(sandbox.ca_pem_path());
    let tls = tokio_postgres::tls::MakeTlsConnect::<tokio::net::TcpStream>::make_tls_connect(
        &mut connector,
        "127.0.0.1",
    )
    .unwrap();
    cancel.cancel_query_raw(stream, tls).await.unwrap();
    let error = long.await.unwrap().unwrap_err();
    assert!(refusal(&error).starts_with("57014"), "{error:?}");
    sandbox.shutdown().await;
}
