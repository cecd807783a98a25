//! A local port that leads to the database, for programs that can neither verify TLS nor enter a tunnel.

use crate::server::Server;
use crate::tunnel::{Forwarder, relay};
use rbk_core::environment::Access;
use rbk_core::ports::{Login, PortErrorKind};
use rbk_core::value::{Type, Value};
use rbk_postgres::{Bridge, Connector};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// A program that knows no TLS.
fn program(bridge: &Bridge, login: &Login) -> Config {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(bridge.port())
        .dbname(&login.database)
        .user(&login.username)
        .password(login.password.expose_secret())
        .ssl_mode(SslMode::Disable)
        .application_name("a tool");
    config
}

async fn log_in(bridge: &Bridge, login: &Login) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = program(bridge, login).connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn plain_connections_reach_the_server_over_tls() {
    let server = Server::start().await;
    let login = server.login();
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let (one, other) = tokio::join!(log_in(&bridge, &login), log_in(&bridge, &login));
    let (one, other) = (one.unwrap(), other.unwrap());
    // More than any buffer on the way holds, both ways at once.
    let text = "ä".repeat(3_000_000);
    let (there, back) = tokio::join!(
        async { one.query_one("SELECT length($1::text)", &[&text]).await },
        async { other.query_one("SELECT repeat('x', 5000000)", &[]).await },
    );
    assert_eq!(there.unwrap().get::<_, i32>(0), 3_000_000);
    assert_eq!(back.unwrap().get::<_, &str>(0).len(), 5_000_000);
    assert_eq!(bridge.trouble(), None);
}

#[tokio::test]
async fn the_server_itself_checks_the_password() {
    let server = Server::start().await;
    let login = server.login_as(&server.master, "not-the-password");
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let error = log_in(&bridge, &login).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
    assert_eq!(bridge.trouble(), None);
}

#[tokio::test]
async fn an_offer_of_encryption_is_declined_and_the_client_goes_on_without() {
    let server = Server::start().await;
    let login = server.login();
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", bridge.port()))
        .await
        .unwrap();
    // GSSENCRequest, then SSLRequest, as libpq and JDBC may ask.
    for code in [80_877_104_u32, 80_877_103] {
        stream.write_u32(8).await.unwrap();
        stream.write_u32(code).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'N');
    }
    let (client, connection) = program(&bridge, &login)
        .connect_raw(stream, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    assert_eq!(
        client
            .query_one("SELECT 1", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );
}

#[tokio::test]
async fn a_statement_is_cancelled_through_it() {
    let server = Server::start().await;
    let login = server.login();
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let client = log_in(&bridge, &login).await.unwrap();
    let cancel = client.cancel_token();
    let watcher = server.session().await;
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a tool' AND wait_event = 'PgSleep' \
                  AND datname = current_database()";
    let sleeping = client.batch_execute("SELECT pg_sleep(600)");
    let cancelling = async {
        while !watcher
            .query(asleep, Type::Integer)
            .await
            .is_ok_and(|seen| seen == Value::Integer(1))
        {
            tokio::task::yield_now().await;
        }
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleeping, cancelling);
    assert_eq!(slept.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
}

#[tokio::test]
async fn who_is_not_the_server_gets_nothing() {
    let server = Server::start().await;
    // The server's certificate isn't for this name of it.
    let login = Login {
        host: "127.1.2.5".into(),
        port: relay("127.1.2.5", &server).await,
        ..server.login()
    };
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let error = log_in(&bridge, &login).await.map(|_| ()).unwrap_err();
    let said = error.as_db_error().unwrap().message().to_owned();
    assert!(said.contains("not for `127.1.2.5`"), "{said}");
    let trouble = bridge.trouble().unwrap();
    assert_eq!(trouble.kind, PortErrorKind::Tls, "{trouble}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let server = Server::start().await;
    let closed = {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        listener.local_addr().unwrap().port()
    };
    let bridge = server
        .connector()
        .bridge("127.0.0.1", closed)
        .await
        .unwrap();
    let error = log_in(&bridge, &server.login())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION)
    );
    let trouble = bridge.trouble().unwrap();
    assert_eq!(trouble.kind, PortErrorKind::Unreachable, "{trouble}");
}

#[tokio::test]
async fn it_goes_through_the_declared_tunnel() {
    let server = Server::start().await;
    let forwarder = Forwarder::write();
    let access: Access = forwarder.access(&server);
    let login = server.login();
    let bridge = Connector::new(&access)
        .unwrap()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let client = log_in(&bridge, &login).await.unwrap();
    client.batch_execute("SELECT 1").await.unwrap();
    let started = std::fs::read_to_string(forwarder.started()).unwrap();
    assert!(started.starts_with("started\n"), "{started}");
}

#[tokio::test]
async fn its_connections_end_with_it() {
    let server = Server::start().await;
    let login = server.login();
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    let client = log_in(&bridge, &login).await.unwrap();
    client.batch_execute("SELECT 1").await.unwrap();
    let port = bridge.port();
    drop(bridge);
    // The task ends at its next turn.
    while !client.is_closed() {
        tokio::task::yield_now().await;
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn nonsense_is_cut_off() {
    let server = Server::start().await;
    let login = server.login();
    let bridge = server
        .connector()
        .bridge(&login.host, login.port)
        .await
        .unwrap();
    for nonsense in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0, 0, 0, 3],
        &[0, 0, 0, 0],
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", bridge.port()))
            .await
            .unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut answer = Vec::new();
        // Closed, or reset where bytes were left unread.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    // Others aren't bothered.
    log_in(&bridge, &login).await.unwrap();
}
