//! A program that rbk starts and waits for: without a shell, in a process group of its own, in an environment that says no more
//! than it must, with every line that it writes freed of secrets before anybody sees it.
//!
//! **What a child gets of rbk's own environment**: where programs, the home folder and temporary files are, the language, what the
//! machine says of proxies, certificates, Java and AWS ([`inherited`]). Nothing else: no `PG*`, no `DATABASE_URL`, no `RBK_*`.

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc;

/// How many lines are kept for an error, and how many letters of each.
const LINES_KEPT: usize = 12;
const LINE_LENGTH: usize = 500;
/// How long lines are waited for after the program has ended; what it started may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long it may take to end by itself when it is asked to.
const GRACE: Duration = Duration::from_secs(2);

/// What is started.
pub struct Program<'a> {
    /// The program and its arguments. Nothing secret.
    pub words: &'a [String],
    /// Where it runs; absent: where rbk does.
    pub directory: Option<&'a Path>,
    /// Its whole environment but for the secrets.
    pub variables: BTreeMap<String, OsString>,
    /// Variables that hold a secret.
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// How long it may take.
    pub within: Duration,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// With which status; absent: it was not done in time, and was ended.
    pub status: Option<ExitStatus>,
    /// The last lines that it wrote, secrets taken out, oldest first.
    pub said: Vec<String>,
}

impl Ended {
    /// Whether it says that it succeeded.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Variables of rbk's own environment that children get.
pub fn inherited() -> BTreeMap<String, OsString> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| is_inherited(name))
        .collect()
}

/// The account, region and credentials that rbk itself was started with go on to its children: `aws` in a command must not fall
/// back to another profile.
fn is_inherited(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "TZ",
        "TMPDIR",
        "JAVA_HOME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ];
    NAMES.contains(&name) || name.starts_with("LC_") || name.starts_with("AWS_")
}

impl Program<'_> {
    /// Starts it, tells each line that it writes, and waits for its end. Dropping the future ends it with all that it has
    /// started.
    ///
    /// # Errors
    /// It can't be started.
    pub async fn run(&self, mut tell: impl FnMut(&str) + Send) -> std::io::Result<Ended> {
        let (name, arguments) = self
            .words
            .split_first()
            .ok_or_else(|| std::io::Error::other("no program is named"))?;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, secret) in self.secrets {
            command.env(name, secret.expose_secret());
        }
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        let deadline = tokio::time::Instant::now() + self.within;
        let mut child = command.spawn()?;
        let mut group = Group::of(&child);
        let hidden = Hidden::new(self.secrets.values());
        let (sender, mut lines) = mpsc::channel(64);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read(stderr, sender.clone()));
        }
        drop(sender);

        let mut said = VecDeque::new();
        let mut hear = |line: String| {
            let line = hidden.hide(&line);
            tell(&line);
            if said.len() == LINES_KEPT {
                said.pop_front();
            }
            said.push_back(line.chars().take(LINE_LENGTH).collect());
        };
        let status = loop {
            tokio::select! {
                // The deadline before lines, which may never stop; and lines before the end, which is told last.
                biased;
                () = tokio::time::sleep_until(deadline) => break None,
                Some(line) = lines.recv() => hear(line),
                status = child.wait() => break Some(status?),
            }
        };
        if status.is_none() {
            group.signal(Signal::TERM);
            let _ = tokio::time::timeout(GRACE, child.wait()).await;
        }
        // What it has started and left behind ends with it.
        group.end();
        let rest = async {
            while let Some(line) = lines.recv().await {
                hear(line);
            }
        };
        // Late lines are lost, which is better than to wait for a pipe that somebody else holds open.
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        Ok(Ended {
            status,
            said: said.into(),
        })
    }
}

/// The program and all that it has started. Dropping it ends them.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        Self(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
        )
    }

    /// Whether anybody got it.
    fn signal(&self, signal: Signal) -> bool {
        self.0
            .is_some_and(|group| kill_process_group(group, signal).is_ok())
    }

    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.signal(Signal::TERM) {
            return;
        }
        // Time to clean up, but not long: somebody waits for rbk to go.
        let asked = Instant::now();
        while asked.elapsed() < LAST_WORDS && self.0.is_some_and(is_there) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end();
    }
}

fn is_there(group: Pid) -> bool {
    rustix::process::test_kill_process_group(group).is_ok()
}

/// Sends each line on, without control characters: they could move the cursor of whoever reads them.
async fn read(mut from: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    /// No line is remembered beyond this many bytes.
    const LONGEST: usize = 16 * 1024;
    let mut chunk = vec![0; 8 * 1024];
    let mut line = Vec::new();
    let mut open = true;
    while open {
        let read = from.read(&mut chunk).await.unwrap_or(0);
        open = read > 0;
        let bytes = chunk.get(..read).unwrap_or_default();
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = LONGEST.saturating_sub(line.len()).min(piece.len());
            line.extend_from_slice(piece.get(..room).unwrap_or_default());
            let complete = pieces.peek().is_some() || !open;
            if !complete {
                continue;
            }
            let text: String = String::from_utf8_lossy(&line)
                .trim_end()
                .chars()
                .map(|letter| if letter == '\t' { ' ' } else { letter })
                .filter(|letter| !letter.is_control())
                .collect();
            line.clear();
            if !text.is_empty() && to.send(text).await.is_err() {
                return;
            }
        }
    }
}

/// What must not be shown: the secrets, whole and in parts.
pub struct Hidden(Vec<String>);

impl Hidden {
    /// Shorter parts are no secrets, and taking them out would make texts unreadable.
    const SHORTEST: usize = 4;

    /// Hides these, each of their lines, and where one is a JSON document, the texts in it that aren't plain facts.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s SecretString>) -> Self {
        let mut hidden = Vec::new();
        for secret in secrets {
            let whole = secret.expose_secret();
            let mut parts: Vec<String> = vec![whole.to_owned(), whole.trim().to_owned()];
            parts.extend(whole.lines().map(|line| line.trim().to_owned()));
            if let Ok(document) = serde_json::from_str(whole) {
                parts.extend(passwords(&document));
            }
            for part in parts {
                // As it stands in JSON, where quotes and backslashes are escaped.
                if let Ok(escaped) = serde_json::to_string(&part) {
                    hidden.push(escaped.trim_matches('"').to_owned());
                }
                hidden.push(part);
            }
        }
        hidden.retain(|part| part.len() >= Self::SHORTEST);
        // The longest first, or a part would break up a whole.
        hidden.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        hidden.dedup();
        Self(hidden)
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), "***")
            } else {
                text
            }
        })
    }
}

/// The texts of a credentials document that open something. Host, user and the like stand in every error anyway.
fn passwords(document: &serde_json::Value) -> Vec<String> {
    const PLAIN: &[&str] = &[
        "host",
        "username",
        "engine",
        "dbname",
        "port",
        "dbInstanceIdentifier",
    ];
    let Some(fields) = document.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .filter(|(name, _)| !PLAIN.contains(&name.as_str()))
        .filter_map(|(_, value)| value.as_str())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    async fn run(script: &str, secrets: &[(&str, &str)], within: Duration) -> (Ended, Vec<String>) {
        let secrets = secrets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
            .collect();
        let words = words(&["sh", "-c", script]);
        let program = Program {
            words: &words,
            directory: None,
            variables: inherited(),
            secrets: &secrets,
            within,
        };
        let mut told = Vec::new();
        let ended = program
            .run(|line| told.push(line.to_owned()))
            .await
            .unwrap();
        (ended, told)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn lines_are_told_and_the_last_ones_kept() {
        let (ended, told) = run("seq 1 100; printf 'no newline'", &[], LONG).await;
        assert!(ended.is_success());
        assert_eq!(told.len(), 101);
        assert_eq!(ended.said.len(), LINES_KEPT);
        assert_eq!(ended.said.last().unwrap(), "no newline");
    }

    #[tokio::test]
    async fn secrets_reach_the_program_and_nobody_else() {
        let secret = r#"{"username":"app","password":"pa\"ss'word"}"#;
        let script = r#"echo "$TOKEN"; echo "it is hunter2!" >&2; echo "$DOCUMENT"; echo "pa\"ss'word"; tr '\0' ' ' </proc/$$/cmdline | wc -c"#;
        let (_, told) = run(script, &[("TOKEN", "hunter2!"), ("DOCUMENT", secret)], LONG).await;
        let text = told.join("\n");
        for part in ["hunter2", "ss'word"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("it is ***"), "{text}");
    }

    #[tokio::test]
    async fn a_child_inherits_what_it_needs_and_nothing_that_aims_elsewhere() {
        for name in ["PATH", "HOME", "LC_ALL", "AWS_PROFILE", "AWS_REGION"] {
            assert!(is_inherited(name), "{name}");
        }
        for name in ["PGHOST", "DATABASE_URL", "RBK_SANDBOX", "JAVA_OPTS"] {
            assert!(!is_inherited(name), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_not_done_in_time_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let (ended, _) = run(&script, &[], Duration::from_millis(500)).await;
        assert!(ended.status.is_none());
        gone(&file);
    }

    #[tokio::test]
    async fn what_is_no_longer_waited_for_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; echo there; wait", file.display());
        let words = words(&["sh", "-c", &script]);
        let secrets = BTreeMap::new();
        let program = Program {
            words: &words,
            directory: None,
            variables: inherited(),
            secrets: &secrets,
            within: LONG,
        };
        let (sender, mut there) = mpsc::unbounded_channel();
        tokio::select! {
            _ = program.run(move |_| { let _ = sender.send(()); }) => panic!("it ended"),
            _ = there.recv() => {}
        }
        gone(&file);
    }

    /// Waits until a process, whose number stands in the file, has ended.
    #[track_caller]
    fn gone(file: &Path) {
        let pid = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let asked = Instant::now();
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(asked.elapsed() < Duration::from_secs(10), "still there");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn endless_lines_cursor_moves_and_lost_pipes_do_no_harm() {
        let script = r#"head -c 3000000 /dev/zero | tr '\0' x; echo; printf 'a\033[2Jb\tc\n'; sleep 600 & exit 3"#;
        let begun = Instant::now();
        let (ended, told) = run(script, &[], LONG).await;
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        assert_eq!(told.first().unwrap().len(), 16 * 1024);
        assert_eq!(told.last().unwrap(), "a[2Jb c");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn stdin_is_closed() {
        let (ended, told) = run("read answer || echo nobody answers", &[], LONG).await;
        assert!(ended.is_success());
        assert_eq!(told, ["nobody answers"]);
    }
}
