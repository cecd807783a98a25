//! The way through a declared command.

use crate::server::{Server, refused};
use rbk_core::environment::Access;
use rbk_core::ports::{Login, PortErrorKind, Postgres};
use rbk_postgres::Connector;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Forwards a port on another address of this machine to the server, and tells which.
pub async fn relay(address: &str, server: &Server) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = (server.host.clone(), server.port);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    port
}

/// Forwards like `ssm start-session` does: a command that starts another one, which does the work.
const FORWARDER: &str = r#"
import os, socket, subprocess, sys, threading
if sys.argv[1] != "--worker":
    with open(sys.argv[4], "a") as started:
        started.write("started\n")
    sys.exit(subprocess.call([sys.executable, __file__, "--worker"] + sys.argv[1:]))
host, port, local_port, started = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
with open(started, "a") as f:
    f.write("pid %d\n" % os.getpid())
server = socket.create_server(("127.0.0.1", local_port))
while True:
    near, _ = server.accept()
    far = socket.create_connection((host, port))
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, near), daemon=True).start()
"#;

pub struct Forwarder {
    folder: tempfile::TempDir,
}

impl Forwarder {
    pub fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("forward.py"), FORWARDER).unwrap();
        Self { folder }
    }

    pub fn access(&self, server: &Server) -> Access {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        Access {
            tunnel: Some(
                [
                    "python3",
                    &path("forward.py"),
                    "{host}",
                    "{port}",
                    "{local_port}",
                    &path("started"),
                ]
                .map(str::to_owned)
                .to_vec(),
            ),
            connect_timeout: 30,
            ..server.access()
        }
    }

    pub fn started(&self) -> PathBuf {
        self.folder.path().join("started")
    }
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn sessions_share_one_tunnel_which_ends_with_the_connector() {
    let server = Server::start().await;
    let forwarder = Forwarder::write();
    let connector = Connector::new(&forwarder.access(&server)).unwrap();
    let login = server.login();
    let (one, other) = tokio::join!(connector.connect(&login), connector.connect(&login));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.whoami().await.unwrap().role, server.master);
    assert_eq!(other.whoami().await.unwrap().role, server.master);

    let started = lines(&forwarder.started());
    let [first, worker] = started.as_slice() else {
        panic!("not one tunnel: {started:?}");
    };
    assert_eq!(first, "started");
    let worker: i32 = worker.strip_prefix("pid ").unwrap().parse().unwrap();
    assert!(alive(worker));
    drop(connector);
    // A kill takes effect a moment after it was sent.
    let sent = std::time::Instant::now();
    while alive(worker) {
        assert!(
            sent.elapsed() < Duration::from_secs(10),
            "the command's own child is still there"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_tunnel_that_has_ended_is_opened_again() {
    let server = Server::start().await;
    let forwarder = Forwarder::write();
    let connector = Connector::new(&forwarder.access(&server)).unwrap();
    let cut = connector.connect(&server.login()).await.unwrap();
    let worker = lines(&forwarder.started())[1]
        .strip_prefix("pid ")
        .unwrap()
        .parse()
        .unwrap();
    let worker = rustix::process::Pid::from_raw(worker).unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    while cut.whoami().await.is_ok() {}

    let session = connector.connect(&server.login()).await.unwrap();
    assert_eq!(session.whoami().await.unwrap().role, server.master);
    assert_eq!(lines(&forwarder.started()).len(), 4);
}

#[tokio::test]
async fn through_a_tunnel_the_real_name_is_verified() {
    let server = Server::start().await;
    let forwarder = Forwarder::write();
    let connector = Connector::new(&forwarder.access(&server)).unwrap();
    // The server is reached, and its certificate isn't for this name of it.
    let login = Login {
        host: "127.1.2.4".into(),
        port: relay("127.1.2.4", &server).await,
        ..server.login()
    };
    let error = refused(connector.connect(&login).await, &login);
    assert_eq!(error.kind, PortErrorKind::Tls, "{error}");
    assert!(error.message.contains("not for `127.1.2.4`"), "{error}");
}

#[tokio::test]
async fn a_tunnel_that_ends_early_is_unreachable_and_is_quoted() {
    let server = Server::start().await;
    let access = Access {
        tunnel: Some(
            [
                "sh",
                "-c",
                "echo 'An error occurred (TargetNotConnected)' >&2; echo {local_port} >/dev/null; exit 254",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        ..server.access()
    };
    let login = server.login();
    let error = refused(
        Connector::new(&access).unwrap().connect(&login).await,
        &login,
    );
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    for part in ["`sh`", "254", "An error occurred (TargetNotConnected)"] {
        assert!(error.message.contains(part), "{part} isn't in: {error}");
    }
}

#[tokio::test]
async fn a_tunnel_that_never_listens_is_unreachable_within_the_time_out() {
    let server = Server::start().await;
    let access = Access {
        tunnel: Some(
            ["sh", "-c", "echo waiting for {local_port}; exec sleep 600"]
                .map(str::to_owned)
                .to_vec(),
        ),
        connect_timeout: 1,
        ..server.access()
    };
    let login = server.login();
    let error = refused(
        Connector::new(&access).unwrap().connect(&login).await,
        &login,
    );
    assert_eq!(error.kind, PortErrorKind::Unreachable);
    assert!(error.message.contains("waiting for"), "{error}");
}

#[tokio::test]
async fn a_command_that_is_not_there_is_an_invalid_request() {
    let server = Server::start().await;
    let access = Access {
        tunnel: Some(vec!["no-such-program".into(), "{local_port}".into()]),
        ..server.access()
    };
    let login = server.login();
    let error = refused(
        Connector::new(&access).unwrap().connect(&login).await,
        &login,
    );
    assert_eq!(error.kind, PortErrorKind::InvalidRequest);
    assert!(error.message.contains("no-such-program"), "{error}");
}

/// Whether a process runs; one that has ended and was not yet waited for does not.
fn alive(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat
            .rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with('Z'),
        Err(_) => false,
    }
}
