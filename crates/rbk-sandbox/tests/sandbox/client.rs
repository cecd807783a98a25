//! What the tests look at a sandbox with: HTTP without an SDK, and sessions with TLS.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rbk_sandbox::{InstanceAddress, InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_postgres::{Client, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

pub const PASSWORD: &str = "first-Password1";

/// An answer of the sandbox.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The text of the first element or JSON member of that name.
    pub fn element(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

/// A sandbox without instances.
pub async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-db".into(),
        admits: vec![operator()],
    });
    sandbox
}

/// A sandbox with the instance `orders`, its database `shop` and the table `item`.
pub async fn sandbox_with_orders() -> (Sandbox, InstanceAddress) {
    let sandbox = sandbox().await;
    let address = sandbox.create_instance(orders()).await.unwrap();
    let superuser = sandbox.superuser("orders", "shop").await.unwrap();
    superuser
        .batch_execute("SET ROLE postgres; CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)")
        .await
        .unwrap();
    (sandbox, address)
}

pub fn orders() -> InstanceBlueprint {
    let mut blueprint = InstanceBlueprint::new("orders", "shop", "postgres", PASSWORD.into());
    blueprint.security_groups = vec!["sg-db".into()];
    blueprint.extensions = vec!["vector".into()];
    blueprint.deletion_protection = true;
    blueprint.multi_az = true;
    blueprint.tags = [("team".to_owned(), "shop".to_owned())].into();
    blueprint
}

pub fn operator() -> IpAddr {
    "127.0.0.1".parse().unwrap()
}

/// A request of the Query protocol; an error is a connection that was closed without an answer.
pub async fn query(sandbox: &Sandbox, body: &str) -> std::io::Result<Answer> {
    let body = format!("Version=2014-10-31&Action={body}");
    let signature = signature(sandbox.region(), "rds", "AKIAOPERATOR");
    request(sandbox, "POST", "/", &[&signature], &body).await
}

/// A request to IAM, whose endpoint is the same in all regions.
pub async fn iam(sandbox: &Sandbox, body: &str) -> Answer {
    let body = format!("Version=2010-05-08&Action={body}");
    let signature = signature("us-east-1", "iam", "AKIAOPERATOR");
    request(sandbox, "POST", "/", &[&signature], &body)
        .await
        .unwrap()
}

/// A request to Secrets Manager.
pub async fn secrets(sandbox: &Sandbox, operation: &str, body: &str) -> Answer {
    let signature = signature(sandbox.region(), "secretsmanager", "AKIAOPERATOR");
    let target = format!("X-Amz-Target: secretsmanager.{operation}");
    request(sandbox, "POST", "/", &[&signature, &target], body)
        .await
        .unwrap()
}

/// A request to DMS: its status and its JSON document.
pub async fn dms(sandbox: &Sandbox, operation: &str, body: &Value) -> (u16, Value) {
    let answer = dms_text(sandbox, operation, &body.to_string())
        .await
        .unwrap();
    let document = serde_json::from_str(&answer.body).unwrap();
    (answer.status, document)
}

/// A request to DMS with any body; an error is a connection that was closed without an answer.
pub async fn dms_text(sandbox: &Sandbox, operation: &str, body: &str) -> std::io::Result<Answer> {
    let signature = signature(sandbox.region(), "dms", "AKIAOPERATOR");
    let target = format!("X-Amz-Target: AmazonDMSv20160101.{operation}");
    let invocation = "amz-sdk-invocation-id: call-1";
    request(
        sandbox,
        "POST",
        "/",
        &[&signature, &target, invocation],
        body,
    )
    .await
}

pub fn signature(region: &str, service: &str, key: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={key}/20260102/{region}/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

pub async fn request(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let url = sandbox.endpoint_url();
    http(&url, method, path, headers, body).await
}

pub async fn http(
    url: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> std::io::Result<Answer> {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await?;
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Asks again until the instance has that status; a status that never comes ends the test.
pub async fn wait_for_status(sandbox: &Sandbox, id: &str, status: &str) {
    wait_until(&format!("`{id}` is {status}"), async || {
        sandbox.instance_status(id).as_deref() == Some(status)
    })
    .await;
}

/// Asks again until it is so.
pub async fn wait_until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Who logs in.
#[derive(Clone)]
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub source: IpAddr,
    pub ssl: SslMode,
}

impl Login<'_> {
    pub fn master() -> Login<'static> {
        Login {
            user: "postgres",
            password: PASSWORD,
            source: operator(),
            ssl: SslMode::Require,
        }
    }
}

/// A session through the instance's port, with the server's certificate verified.
pub async fn login(
    sandbox: &Sandbox,
    port: u16,
    login: Login<'_>,
) -> Result<Client, tokio_postgres::Error> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(login.source, 0)).unwrap();
    let stream = socket
        .connect(SocketAddr::new(operator(), port))
        .await
        .unwrap();
    let mut connector = connector(sandbox.ca_pem_path());
    let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, "127.0.0.1").unwrap();
    let (client, connection) = tokio_postgres::Config::new()
        .user(login.user)
        .password(login.password)
        .dbname("shop")
        .ssl_mode(login.ssl)
        .connect_raw(stream, tls)
        .await?;
    tokio::spawn(connection);
    Ok(client)
}

pub fn connector(ca: &Path) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

/// The only value of a query.
pub async fn value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap();
    messages
        .iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .unwrap()
}

/// The server's words when something was refused.
pub fn refusal(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}
