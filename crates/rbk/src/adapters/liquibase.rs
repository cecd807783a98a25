//! Liquibase, the program: brings a schema up, and says which change set failed.
//!
//! It reaches the database through a bridge of rbk's own ([`rbk_postgres::Bridge`]), so that TLS is verified and the tunnel entered
//! as everywhere else, and logs in by itself with what stands in its environment. When rbk dies, the bridge is gone with it, and
//! Liquibase ends with a lost connection: what a change set had done is rolled back, and its lock stays. That lock names the run
//! (`rbk-<run>`), so that a resumed run knows it for its own.
//!
//! It runs in the folder that its paths are relative to; a `liquibase.properties` there is read, as the team's own calls would.

use super::child::{Ended, Hidden, Program, inherited};
use async_trait::async_trait;
use rbk_core::environment::{MigrationTool, Migrations};
use rbk_core::ports::{
    MigrateRequest, MigrationError, MigrationRunner, PortError, PortErrorKind, Progress, Sent,
};
use rbk_core::value::duration_text;
use rbk_postgres::{Bridge, Connector};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// The program where the environment names none.
const PROGRAM: &str = "liquibase";
/// How long it waits for its own lock, in minutes; less it does not know. rbk looks at the lock before it starts the program.
const LOCK_MINUTES: u32 = 1;
/// How often it tries, in seconds.
const LOCK_PAUSE: u32 = 2;
/// How long one of its statements may wait for a lock of the database: longer, and everybody behind it would wait, too.
const LOCK_TIMEOUT: &str = "10s";
/// How often the server looks whether Liquibase is still there while a statement runs. Source: Postgres ≥ 14.
const CLIENT_CHECK: &str = "2s";

/// How to come by Liquibase.
pub const GET_LIQUIBASE: &str = "install Liquibase 4.28 or newer (from npm: `npm install -g liquibase@4.28.1`, whose program is \
     `dist/liquibase/liquibase` in the package; or from liquibase.com), put `liquibase` on the PATH, or name it in `[migrations] \
     program`";
/// How to come by Java.
pub const GET_JAVA: &str = "install Java 17 or newer (Debian: `apt-get install openjdk-17-jre-headless`, macOS: `brew install \
     openjdk@17`), or set JAVA_HOME";

/// Runs Liquibase on this machine.
pub struct Liquibase {
    connector: Connector,
}

impl Liquibase {
    /// One that reaches databases as this connector does.
    pub fn new(connector: Connector) -> Self {
        Self { connector }
    }
}

#[async_trait]
impl MigrationRunner for Liquibase {
    async fn migrate(&self, request: &MigrateRequest<'_>) -> Result<(), MigrationError> {
        let MigrationTool::Liquibase = request.migrations.tool;
        let doing = format!(
            "migrating `{}` on `{}:{}` with Liquibase",
            request.login.database, request.login.host, request.login.port
        );
        let refused = |message: String| {
            MigrationError::Tool(PortError::new(
                PortErrorKind::InvalidRequest,
                &doing,
                message,
            ))
        };
        let changelog = Changelog::find(request.migrations).map_err(refused)?;
        let bridge = self
            .connector
            .bridge(&request.login.host, request.login.port)
            .await
            .map_err(MigrationError::Tool)?;
        let words = words(request.migrations, &changelog);
        let program = Program {
            words: &words,
            directory: Some(&changelog.search_path),
            variables: variables(request, &changelog, bridge.port()),
            secrets: &BTreeMap::from([(
                "LIQUIBASE_COMMAND_PASSWORD".to_owned(),
                request.login.password.clone(),
            )]),
            within: Duration::from_secs(request.migrations.within),
        };
        let name = words.first().map_or(PROGRAM, String::as_str);
        let mut ear = Ear::default();
        let ended = program
            .run(|line| ear.hear(line, request.progress))
            .await
            .map_err(|error| refused(not_started(name, &error)))?;
        if ended.is_success() {
            return Ok(());
        }
        Err(Verdict {
            doing,
            name,
            ended: &ended,
            bridge: &bridge,
            password: &request.login.password,
            within: request.migrations.within,
        }
        .of(ear))
    }
}

/// The changelog, and the folder that it is named relative to.
struct Changelog {
    name: String,
    search_path: PathBuf,
}

impl Changelog {
    /// Finds both, and says what is missing.
    fn find(migrations: &Migrations) -> Result<Self, String> {
        let found = |path: &Path| {
            path.canonicalize().map_err(|error| {
                format!(
                    "`{}`, which [migrations] names, can't be read: {error}",
                    path.display()
                )
            })
        };
        let search_path = found(&migrations.search_path)?;
        let changelog = found(&migrations.changelog)?;
        let name = changelog
            .strip_prefix(&search_path)
            .ok()
            .and_then(Path::to_str)
            .ok_or_else(|| {
                format!(
                    "the changelog `{}` is not in `search_path`, `{}`: change sets are known by the changelog's name relative to it",
                    changelog.display(),
                    search_path.display()
                )
            })?
            .to_owned();
        Ok(Self { name, search_path })
    }
}

fn words(migrations: &Migrations, changelog: &Changelog) -> Vec<String> {
    let mut words = migrations
        .program
        .clone()
        .unwrap_or_else(|| vec![PROGRAM.to_owned()]);
    words.extend([
        "update".to_owned(),
        format!("--changelog-file={}", changelog.name),
    ]);
    if !migrations.contexts.is_empty() {
        words.push(format!("--contexts={}", migrations.contexts.join(",")));
    }
    words
}

/// Everything that isn't secret. Source: Liquibase's documentation of environment variables and of `liquibase.hostDescription`.
fn variables(
    request: &MigrateRequest<'_>,
    changelog: &Changelog,
    port: u16,
) -> BTreeMap<String, OsString> {
    // A frozen database stays writable for rbk; a setting of the connection outranks the database's. And a server that looks
    // after its client ends the statement of a killed run, which would otherwise hold its locks until it is done.
    let options = [
        "default_transaction_read_only=off".to_owned(),
        format!("lock_timeout={LOCK_TIMEOUT}"),
        format!("client_connection_check_interval={CLIENT_CHECK}"),
    ]
    .map(|setting| format!("-c%20{setting}"))
    .join("%20");
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{port}/{}?sslmode=disable&ApplicationName={}&options={options}",
        percent(&request.login.database),
        request.run.signature()
    );
    let java = [
        format!("-Dliquibase.hostDescription={}", request.run.signature()),
        format!("-Dliquibase.changelogLockWaitTimeInMinutes={LOCK_MINUTES}"),
        format!("-Dliquibase.changelogLockPollRate={LOCK_PAUSE}"),
        "-Dliquibase.analytics.enabled=false".to_owned(),
        // It lives for seconds: less is compiled, and it starts in two thirds of the time.
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
    ];
    let mut variables = inherited();
    for (name, value) in [
        ("LIQUIBASE_COMMAND_URL", url),
        ("LIQUIBASE_COMMAND_USERNAME", request.login.username.clone()),
        (
            "LIQUIBASE_LIQUIBASE_SCHEMA_NAME",
            request.migrations.schema.clone(),
        ),
        ("LIQUIBASE_SHOW_BANNER", "false".to_owned()),
        ("JAVA_OPTS", java.join(" ")),
    ] {
        variables.insert(name.to_owned(), value.into());
    }
    variables.insert(
        "LIQUIBASE_SEARCH_PATH".to_owned(),
        changelog.search_path.clone().into(),
    );
    variables
}

/// A name as a part of an address.
fn percent(name: &str) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn not_started(name: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        format!("there is no `{name}` on this machine: {GET_LIQUIBASE}")
    } else {
        format!("`{name}` can't be started: {error}")
    }
}

/// What was heard of a run of Liquibase. Its lines are the same in all versions since 4.0 but for "changeset".
#[derive(Debug, Default, PartialEq, Eq)]
struct Ear {
    /// How many change sets were begun.
    begun: u64,
    /// The change set that is said to have failed.
    failed: Option<String>,
    /// The primary reason, a line each.
    reason: Vec<String>,
    /// Whether lines of the primary reason are coming in.
    in_reason: bool,
    /// What is said behind "Unexpected error".
    unexpected: Option<String>,
}

impl Ear {
    fn hear(&mut self, line: &str, progress: &dyn Progress) {
        const REASON: &str = "ERROR: Exception Primary Reason:";
        if let Some(change_set) = line.strip_prefix("Running Changeset: ") {
            self.begun += 1;
            progress.tell(&format!("change set `{change_set}`"), self.begun, 0);
            return;
        }
        if let Some(reason) = line.strip_prefix(REASON) {
            self.in_reason = true;
            self.reason = vec![reason.trim().to_owned()];
        } else if line.starts_with("ERROR: Exception Primary Source:") {
            self.in_reason = false;
        } else if self.in_reason && self.reason.len() < 20 {
            self.reason.push(line.trim().to_owned());
        }
        if let Some((_, error)) = line.split_once("Unexpected error running Liquibase: ") {
            self.unexpected = Some(error.trim().to_owned());
        }
        for words in [
            "Migration failed for changeset ",
            "Migration failed for change set ",
        ] {
            if let Some((_, rest)) = line.split_once(words) {
                self.failed = Some(rest.trim().trim_end_matches(':').to_owned());
            }
        }
    }

    /// What the database or the program said, in one line. The SQL that failed isn't part of it: it may hold data.
    fn reason(&self) -> Option<String> {
        let reason = self.reason.join(" ");
        let said = if reason.is_empty() {
            self.unexpected.clone()?
        } else {
            reason
        };
        let said = said.split(" [Failed SQL:").next().unwrap_or_default();
        Some(said.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// A run of Liquibase that failed.
struct Verdict<'a> {
    doing: String,
    name: &'a str,
    ended: &'a Ended,
    bridge: &'a Bridge,
    password: &'a SecretString,
    within: u64,
}

impl Verdict<'_> {
    fn of(self, ear: Ear) -> MigrationError {
        let sent = if ear.begun > 0 { Sent::Maybe } else { Sent::No };
        let tool = |kind, message: String, sent| {
            let message = Hidden::new([self.password]).hide(&message);
            MigrationError::Tool(PortError {
                sent,
                ..PortError::new(kind, &self.doing, message)
            })
        };
        let said = self.ended.said.join(" / ");
        let Some(status) = self.ended.status else {
            return tool(
                PortErrorKind::InvalidState,
                format!(
                    "`{}` was not done within {} and was ended (`within` of [migrations]); it said: {said}",
                    self.name,
                    duration_text(self.within)
                ),
                Sent::Maybe,
            );
        };
        if let Some(trouble) = self.bridge.trouble() {
            return MigrationError::Tool(PortError {
                doing: self.doing,
                sent,
                ..trouble
            });
        }
        let reason = ear.reason();
        let words = reason.as_deref().unwrap_or_default();
        if is_lost(words) || status.code().is_none() {
            return tool(
                PortErrorKind::Unreachable,
                lost(status, words, &said),
                Sent::Maybe,
            );
        }
        if let Some(change_set) = ear.failed {
            return MigrationError::ChangeSet {
                change_set,
                reason: reason.unwrap_or(said),
            };
        }
        let (kind, message) = explain(words, &said);
        tool(kind, message, sent)
    }
}

/// Whether that is what a driver says whose connection was cut, or a server that ends a session.
fn is_lost(reason: &str) -> bool {
    [
        "An I/O error occurred while sending to the backend",
        "This connection has been closed",
        "terminating connection due to",
        "the database system is shutting down",
        "the database system is starting up",
        "the database system is in recovery mode",
        "The connection attempt failed",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

fn lost(status: ExitStatus, reason: &str, said: &str) -> String {
    match status.code() {
        Some(_) => format!("the connection was lost: {reason}"),
        None => format!("Liquibase was ended ({status}); it had said: {said}"),
    }
}

/// The kind of a failure before or between change sets, and what to do.
fn explain(reason: &str, said: &str) -> (PortErrorKind, String) {
    let kinds: &[(&str, PortErrorKind, &str)] = &[
        (
            "password authentication failed",
            PortErrorKind::LoginRefused,
            "the secret's password isn't the role's, or there is no such role",
        ),
        (
            "is not permitted to log in",
            PortErrorKind::LoginRefused,
            "the role has NOLOGIN",
        ),
        (
            "Could not acquire change log lock",
            PortErrorKind::InvalidState,
            "another run of Liquibase is under way or was killed: let it end, or release its lock (`liquibase release-locks`)",
        ),
        (
            "Validation Failed",
            PortErrorKind::InvalidRequest,
            "a change set was edited after it had been applied: put it back, and add a new one",
        ),
    ];
    for (words, kind, mend) in kinds {
        if reason.contains(words) {
            return (*kind, format!("{reason}: {mend}"));
        }
    }
    let java = [
        "Cannot find java in your path",
        "JAVA_HOME environment variable is not defined correctly",
        "UnsupportedClassVersionError",
    ];
    if java.iter().any(|words| said.contains(words)) {
        return (
            PortErrorKind::InvalidRequest,
            format!("Liquibase needs Java: {GET_JAVA}; it said: {said}"),
        );
    }
    let message = if reason.is_empty() {
        format!("Liquibase failed; it said: {said}")
    } else {
        reason.to_owned()
    };
    (PortErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests;
