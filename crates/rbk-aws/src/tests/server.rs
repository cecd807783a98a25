//! A loopback HTTP server that keeps what it was sent and answers by a script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answers.
    Status(u16, String),
    /// Closes the connection without a word.
    Cut,
    /// Begins a good answer and closes the connection within it.
    Torn,
    /// Says nothing and keeps the connection.
    Silence,
}

impl Answer {
    /// Of the Query protocol: `RESULT` within `<OPResponse><OPResult>`.
    pub fn xml(operation: &str, result: &str) -> Self {
        Answer::Status(
            200,
            format!(
                r#"<{operation}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><{operation}Result>{result}</{operation}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{operation}Response>"#
            ),
        )
    }

    pub fn xml_error(status: u16, code: &str, message: &str) -> Self {
        Answer::Status(
            status,
            format!(
                r#"<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"#
            ),
        )
    }

    pub fn json(body: serde_json::Value) -> Self {
        Answer::Status(200, body.to_string())
    }

    pub fn json_error(status: u16, code: &str, message: &str) -> Self {
        Answer::Status(
            status,
            serde_json::json!({ "__type": code, "message": message }).to_string(),
        )
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    /// The body's form fields, decoded.
    pub fn form(&self) -> BTreeMap<String, String> {
        self.body
            .split('&')
            .map(|field| {
                let (name, value) = field.split_once('=').expect("name=value");
                (decode(name), decode(value))
            })
            .collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// What was asked for, in either protocol.
    pub fn operation(&self) -> String {
        match self.headers.get("x-amz-target") {
            Some(target) => target.clone(),
            None => self.form()["Action"].clone(),
        }
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [high, low, tail @ ..]) = (first, rest) {
            let hex = [*high, *low];
            let hex = std::str::from_utf8(&hex).expect("hex digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("hex digits"));
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Ended when dropped.
pub struct Server {
    address: std::net::SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    script: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
}

impl Server {
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            script: Mutex::new(script.into_iter().collect()),
            requests: Mutex::new(Vec::new()),
        });
        let task = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, state.clone()));
                }
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect("requests").clone()
    }

    /// The one request that came.
    #[track_caller]
    pub fn only_request(&self) -> Request {
        match self.requests().as_slice() {
            [one] => one.clone(),
            many => panic!("{} requests instead of one", many.len()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut received = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut received).await {
        state.requests.lock().expect("requests").push(request);
        let answer = state.script.lock().expect("script").pop_front();
        let answer = answer.unwrap_or(Answer::Status(418, "beyond the script".to_owned()));
        match answer {
            Answer::Status(status, body) => {
                let text = format!(
                    "HTTP/1.1 {status} X\r\nx-amzn-requestid: request-of-the-header\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(text.as_bytes()).await.ok();
            }
            Answer::Cut => return,
            Answer::Torn => {
                let text = "HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n<half";
                stream.write_all(text.as_bytes()).await.ok();
                return;
            }
            Answer::Silence => {}
        }
    }
}

async fn next_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(request) = parse(received) {
            return Some(request);
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Takes a complete request off the front.
fn parse(received: &mut Vec<u8>) -> Option<Request> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(received[..end].to_vec()).expect("a textual head");
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().expect("a length"));
    let body_start = end + 4;
    if received.len() < body_start + length {
        return None;
    }
    let body = received[body_start..body_start + length].to_vec();
    received.drain(..body_start + length);
    Some(Request {
        headers,
        body: String::from_utf8(body).expect("a textual body"),
    })
}
