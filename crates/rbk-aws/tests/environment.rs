//! What `connect` takes from environment variables and AWS's configuration files, each case in a process of its own.

use rbk_aws::{Options, connect};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What the child prints before what it took to connect and to be answered.
const TOOK: &str = "took ";

/// Not a test: what the tests below run in a child. Asks STS once.
#[test]
#[ignore = "runs as the child of other tests"]
fn child() {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options = Options {
            region: "eu-central-1".to_owned(),
            endpoint_url: std::env::var("CHILD_ENDPOINT").ok(),
            profile: std::env::var("CHILD_PROFILE").ok(),
            key: None,
        };
        let aws = connect(options).await.expect("clients");
        let caller = aws.identity.caller().await;
        println!("{TOOK}{}", started.elapsed().as_micros());
        match caller {
            Ok(caller) => println!("{}", caller.account),
            Err(error) => println!("{:?}: {error}", error.kind),
        }
    });
}

fn run(variables: &[(&str, &str)]) -> String {
    let Output { stdout, stderr, .. } =
        Command::new(std::env::current_exe().expect("this program"))
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env_clear()
            .env("HOME", "/nonexistent")
            .envs(variables.iter().copied())
            .output()
            .expect("the child");
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        stdout.contains(TOOK),
        "{stdout}{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDVARIABLES"),
    ("AWS_SECRET_ACCESS_KEY", "s"),
];

/// An STS that answers everybody alike; tells the heads of the requests that it got.
fn sts() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &sender);
        }
    });
    (url, receiver)
}

fn answer(mut stream: TcpStream, sender: &mpsc::Sender<String>) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !received.ends_with(b"Version=2011-06-15") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => received.extend(buffer.iter().take(count)),
        }
    }
    sender
        .send(String::from_utf8_lossy(&received).into_owned())
        .ok();
    let body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn><UserId>u</UserId>\
                <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok();
}

#[test]
fn the_endpoint_may_come_from_variables() {
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        let (url, requests) = sts();
        let told = run(&[KEYS.as_slice(), &[(name, &url)]].concat());
        assert!(told.contains("123456789012"), "{name}: {told}");
        let request = requests.recv().expect("a request");
        assert!(request.contains("AKIDVARIABLES"), "{name}: {request}");
    }
}

#[test]
fn an_endpoint_that_is_given_beats_those_of_variables() {
    let (url, _requests) = sts();
    let variables = [
        ("CHILD_ENDPOINT", url.as_str()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
    ];
    let told = run(&[KEYS.as_slice(), &variables].concat());
    assert!(told.contains("123456789012"), "{told}");
}

#[test]
fn an_endpoint_from_variables_may_not_be_plain_http_elsewhere_either() {
    let elsewhere = [("AWS_ENDPOINT_URL", "http://192.0.2.1:4566")];
    let told = run(&[KEYS.as_slice(), &elsewhere].concat());
    assert!(
        told.contains("InvalidRequest") && told.contains("in the clear"),
        "{told}"
    );
}

#[test]
fn a_profile_that_is_given_beats_keys_of_variables() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile");
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("credentials");
    std::fs::write(
        &file,
        "[recovery]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n",
    )
    .expect("a file");
    let file = file.display().to_string();
    let (url, requests) = sts();
    let variables = [
        ("AWS_SHARED_CREDENTIALS_FILE", file.as_str()),
        ("AWS_ENDPOINT_URL", &url),
    ];

    let given = [("CHILD_PROFILE", "recovery")];
    run(&[KEYS.as_slice(), &variables, &given].concat());
    let request = requests.recv().expect("a request");
    assert!(request.contains("AKIDPROFILE"), "{request}");

    let ambient = [("AWS_PROFILE", "recovery")];
    run(&[variables.as_slice(), &ambient].concat());
    let request = requests.recv().expect("a request");
    assert!(request.contains("AKIDPROFILE"), "{request}");

    let misspelt = [("CHILD_PROFILE", "recovry")];
    let told = run(&[KEYS.as_slice(), &variables, &misspelt].concat());
    assert!(
        told.contains("Credentials") && told.contains("`recovry`"),
        "{told}"
    );
}

#[test]
fn without_credentials_the_way_out_is_told() {
    let (url, _requests) = sts();
    let told = run(&[
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    assert!(
        told.contains("Credentials") && told.contains("AWS_PROFILE"),
        "{told}"
    );
}

/// Debug build, on a busy machine: the limit is far above the few milliseconds that it takes, and far below the second
/// that one attempt at EC2's metadata would.
#[test]
fn with_keys_in_variables_nothing_else_is_asked() {
    let (url, _requests) = sts();
    let told = run(&[KEYS.as_slice(), &[("AWS_ENDPOINT_URL", &url)]].concat());
    let microseconds = told
        .lines()
        .find_map(|line| line.split_once(TOOK))
        .and_then(|(_, number)| number.trim().parse().ok())
        .expect("a number");
    let took = Duration::from_micros(microseconds);
    println!("connected and answered in {took:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
}
