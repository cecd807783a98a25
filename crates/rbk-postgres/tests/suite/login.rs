//! Logging in, and everything that can keep rbk from it.

use crate::server::{Server, refused};
use rbk_core::environment::Access;
use rbk_core::ports::{Login, PortErrorKind, Postgres, Sent};
use rbk_postgres::{Connector, SetupError};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_login_tells_who_we_are() {
    let server = Server::start().await;
    let facts = server.session().await.whoami().await.unwrap();
    assert_eq!(facts.role, server.master);
    assert!(!facts.in_recovery);
    let major: u32 = facts
        .server_version
        .split('.')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(major >= 15, "{}", facts.server_version);
}

#[tokio::test]
async fn names_and_addresses_are_found_in_the_certificate() {
    let server = Server::start().await;
    assert_eq!(server.host, "127.0.0.1");
    server.connector().connect(&server.login()).await.unwrap();
    let login = Login {
        host: "localhost".into(),
        ..server.login()
    };
    let session = server.connector().connect(&login).await.unwrap();
    assert_eq!(session.whoami().await.unwrap().role, server.master);
}

#[tokio::test]
async fn a_wrong_password_is_a_refused_login() {
    let server = Server::start().await;
    let login = server.login_as(&server.master, "not-the-password");
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::LoginRefused);
    assert_eq!(error.code.as_deref(), Some("28P01"));
    assert_eq!(error.sent, Sent::No);
    let place = format!(
        "logging in to `{}` on `{}:{}`",
        server.database, server.host, server.port
    );
    assert!(error.doing.contains(&place), "{error}");
}

#[tokio::test]
async fn a_role_without_login_is_a_refused_login() {
    let server = Server::start().await;
    let app = server.role("app").await;
    server
        .sql(&format!("ALTER ROLE {} NOLOGIN", app.role))
        .await;
    let error = refused(server.connector().connect(&app.login).await, &app.login);
    assert_eq!(error.kind, PortErrorKind::LoginRefused);
    assert!(error.message.contains("NOLOGIN"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_found() {
    let server = Server::start().await;
    let login = Login {
        database: "no_such_database".into(),
        ..server.login()
    };
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::NotFound);
    assert_eq!(error.code.as_deref(), Some("3D000"));
}

#[tokio::test]
async fn another_authority_is_refused_with_who_issued_the_certificate() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("others.pem");
    std::fs::write(&ca, OTHER_AUTHORITY).unwrap();
    let access = Access {
        ca: Some(ca.clone()),
        ..server.access()
    };
    let login = server.login();
    let error = refused(
        Connector::new(&access).unwrap().connect(&login).await,
        &login,
    );
    assert_eq!(error.kind, PortErrorKind::Tls);
    for part in [
        "issued by `CN=",
        "others.pem",
        "access.ca",
        server.host.as_str(),
    ] {
        assert!(error.message.contains(part), "{part} isn't in: {error}");
    }
}

#[tokio::test]
async fn another_name_is_refused_with_the_names_that_were_presented() {
    let server = Server::start().await;
    // Another address of this machine, which the certificate isn't for.
    let login = Login {
        host: "127.1.2.3".into(),
        ..server.login()
    };
    let relay = crate::tunnel::relay("127.1.2.3", &server).await;
    let login = Login {
        port: relay,
        ..login
    };
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::Tls, "{error}");
    for part in ["not for `127.1.2.3`", "`localhost`", "`127.0.0.1`"] {
        assert!(error.message.contains(part), "{part} isn't in: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = Login {
        port: listener.local_addr().unwrap().port(),
        ..server.login()
    };
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::Tls);
    assert!(error.message.contains("offers no TLS"), "{error}");
    assert!(heard.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = Login {
        port: listener.local_addr().unwrap().port(),
        ..server.login()
    };
    drop(listener);
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable_within_the_time_out() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = Login {
        port: listener.local_addr().unwrap().port(),
        ..server.login()
    };
    let access = Access {
        connect_timeout: 1,
        ..server.access()
    };
    let error = refused(
        Connector::new(&access).unwrap().connect(&login).await,
        &login,
    );
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(error.message.contains("within 1s"), "{error}");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_unreachable() {
    let server = Server::start().await;
    let login = Login {
        host: "no-such-host.invalid".into(),
        ..server.login()
    };
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(error.message.contains("name"), "{error}");
}

#[tokio::test]
async fn a_path_is_no_host() {
    let server = Server::start().await;
    let login = Login {
        host: "/tmp".into(),
        ..server.login()
    };
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_login_that_the_host_rules_refuse_says_what_to_look_at() {
    let server = Server::start().await;
    let login = server.login_as("rdsadmin", "whatever-secret");
    let error = refused(server.connector().connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::LoginRefused);
    assert_eq!(error.code.as_deref(), Some("28000"));
    assert!(error.message.contains("security group"), "{error}");
}

#[test]
fn what_the_surroundings_say_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".pgpass"), "*:*:*:*:wrong").unwrap();
    let elsewhere = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "login::a_login_tells_who_we_are"])
        .envs([
            ("PGHOST", "192.0.2.1"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGPORT", "1"),
            ("PGUSER", "nobody"),
            ("PGDATABASE", "nothing"),
            ("PGPASSWORD", "wrong"),
            ("PGOPTIONS", "-c search_path=nowhere"),
            ("PGSSLMODE", "disable"),
            ("PGAPPNAME", "somebody"),
            ("DATABASE_URL", "postgres://nobody:wrong@192.0.2.1/nothing"),
        ])
        .env("PGPASSFILE", home.path().join(".pgpass"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&elsewhere.stdout);
    assert!(elsewhere.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn the_settings_of_a_session_are_ours_and_not_the_databases() {
    let server = Server::start().await;
    server
        .sql(&format!(
            "ALTER DATABASE {0} SET search_path = elsewhere; \
             ALTER DATABASE {0} SET default_transaction_read_only = on; \
             ALTER DATABASE {0} SET statement_timeout = 1; \
             ALTER DATABASE {0} SET \"TimeZone\" = 'Asia/Tokyo'",
            server.database
        ))
        .await;
    let session = server.session().await;
    let text = rbk_core::value::Type::Text;
    for (setting, value) in [
        ("default_transaction_read_only", "off"),
        ("statement_timeout", "30min"),
        ("lock_timeout", "10s"),
        ("TimeZone", "UTC"),
        ("application_name", "rbk"),
        ("client_min_messages", "warning"),
    ] {
        let sql = format!("SELECT current_setting('{setting}')");
        assert_eq!(
            session.query(&sql, text).await.unwrap().to_string(),
            value,
            "{setting}"
        );
    }
}

#[test]
fn an_access_that_can_not_work_is_refused_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let access = |tunnel: Option<&[&str]>, ca: Option<PathBuf>| Access {
        tunnel: tunnel.map(|parts| parts.iter().map(|part| (*part).to_owned()).collect()),
        ca,
        connect_timeout: 1,
    };
    let refusal = |access| Connector::new(&access).err().expect("a refusal");
    assert!(matches!(
        refusal(access(None, Some(folder.path().join("none.pem")))),
        SetupError::CaUnreadable { .. }
    ));
    assert!(matches!(
        refusal(access(None, Some(empty))),
        SetupError::CaEmpty { .. }
    ));
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, OTHER_AUTHORITY).unwrap();
    assert!(matches!(
        refusal(access(Some(&[]), Some(ca.clone()))),
        SetupError::TunnelEmpty
    ));
    assert!(matches!(
        refusal(access(Some(&["ssh", "{host}"]), Some(ca))),
        SetupError::TunnelWithoutLocalPort
    ));
}

/// A certificate authority that has issued nothing.
const OTHER_AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUHXRZwDYLhLEw1EkM2rAY2GXPvCcwCgYIKoZIzj0EAwIw
ITEfMB0GA1UEAwwWQW4gYXV0aG9yaXR5IG9mIG5vYm9keTAgFw0yNjExMjIxNTUx
MDJaGA8yMTI2MTAyOTE1NTEwMlowITEfMB0GA1UEAwwWQW4gYXV0aG9yaXR5IG9m
IG5vYm9keTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJIuDUy2EDaLxR+MBCUY
Bi36kq2aFXEUAsF089UlgwNs/PKY91kS2CL3Hc8kPgWrpj0VjYA/XVVBMhoUodKA
EgqjUzBRMB0GA1UdDgQWBBTV6MxG7pJyB7Mf0tyGsBg3vqGSczAfBgNVHSMEGDAW
gBTV6MxG7pJyB7Mf0tyGsBg3vqGSczAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
BAMCA0gAMEUCIQC8Rax7q/KwE8HSM30k6Qad45z5vardIYrMeCLUt0MJ0gIgA/pc
NVYsGwI3URsSZMKz6oD29wO0cp03gh4fzH4UyHA=
-----END CERTIFICATE-----";
