//! A full load as DMS does it: real rows from one cluster to another, failing where DMS fails.
//!
//! The life-cycle (`dms/`) calls the three phases in order and shows what they record; nothing here knows of requests,
//! ARNs or clocks of states.
//!
//! - `mappings.rs`, `settings.rs`: the two documents, checked; `types.rs`: what DMS makes of PostgreSQL's types.
//! - `catalog.rs` asks a database what it has, `plan.rs` decides how a table travels, `target.rs` makes tables.
//! - `run.rs` goes through the tables, `read.rs` and `write.rs` move one, `batch.rs` is what moves between them.
//!
//! *Invariants*: a row's value is in no log line and no message; memory doesn't grow with a table.

mod batch;
mod board;
mod catalog;
mod mappings;
mod plan;
mod read;
mod run;
mod session;
mod settings;
mod target;
#[cfg(test)]
mod tests;
mod types;
mod write;

use secrecy::SecretString;
use std::{net::IpAddr, sync::Mutex};

pub(crate) use mappings::Mappings;
pub(crate) use session::Trust;
pub(crate) use settings::LoadSettings;

/// Everything that a load needs to know.
#[derive(Debug, Clone)]
pub(crate) struct LoadTask {
    /// The replication config's resource identifier: the task's name in messages and control tables.
    pub(crate) replication: String,
    pub(crate) source: Party,
    pub(crate) target: Party,
    /// The table mappings document, as it was accepted.
    pub(crate) mappings: serde_json::Value,
    /// The settings document, all defaults filled in.
    pub(crate) settings: serde_json::Value,
    /// Where DMS's sessions come from: the loopback address that stands for the replication's security groups.
    pub(crate) client_address: IpAddr,
    /// What the servers' certificates are verified with.
    pub(crate) trust: Trust,
}

/// One side of a load: an endpoint with its credentials resolved.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) endpoint: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) username: String,
    pub(crate) password: SecretString,
    /// `none`, `require`, `verify-ca`, `verify-full`
    pub(crate) ssl_mode: String,
    pub(crate) after_connect: Option<String>,
    /// `MapBooleanAsBoolean`; it has an effect if both endpoints have it.
    pub(crate) map_boolean_as_boolean: bool,
    /// `FailTasksOnLobTruncation`, of the source.
    pub(crate) fail_on_lob_truncation: bool,
}

impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at {}:{}/{}",
            self.username, self.host, self.port, self.database
        )
    }
}

/// How a table stands, as `DescribeReplicationTableStatistics` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableProgress {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) state: TableState,
    pub(crate) rows: u64,
    pub(crate) error_rows: u64,
    pub(crate) started_at: Option<jiff::Timestamp>,
    pub(crate) ended_at: Option<jiff::Timestamp>,
}

/// `TableState`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableState {
    DoesNotExist,
    BeforeLoad,
    FullLoad,
    Completed,
    Cancelled,
    Error,
}

/// What the world sees of a load while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) tables: Mutex<Vec<TableProgress>>,
    /// Lines of the task's log, newest last; never row data.
    pub(crate) log: Mutex<Vec<String>>,
}

/// How a load ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadEnd {
    /// All tables were gone through: `stopped`, `FULL_LOAD_ONLY_FINISHED`, even where tables have errors.
    Finished,
    /// A policy stopped it: `failed`, with messages.
    Failed { messages: Vec<String> },
    /// It was told to stop: `stopped`, `NORMAL`.
    Stopped,
}

/// `testing_connection`: logs in at both sides. The message of an error is what `FailureMessages` says.
pub(crate) async fn test_connections(task: &LoadTask) -> Result<(), String> {
    for party in [&task.source, &task.target] {
        task.open(party).await.map_err(|trouble| {
            format!(
                "Test connection failed for endpoint '{}' and replication config '{}'. Failure Message: \
                 'Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to connect \
                 Network error has occurred, Application-Detailed-Message: RetCode: SQL_ERROR  SqlState: 08001 \
                 NativeError: 101 Message: {trouble}'",
                party.endpoint, task.replication
            )
        })?;
    }
    Ok(())
}

/// `fetching_metadata`: the selected tables, entered on the board as `BeforeLoad`.
pub(crate) async fn fetch_metadata(task: &LoadTask, board: &Board) -> Result<(), String> {
    let mappings = Mappings::parse(&task.mappings)?;
    let settings = LoadSettings::parse(&task.settings)?;
    let source = task.open(&task.source).await.map_err(|it| it.to_string())?;
    let tables = catalog::tables(&source.client).await;
    let mut tables = tables.map_err(|trouble| trouble.to_string())?;
    tables.retain(|name| mappings.selects(&name.schema, &name.table));
    if tables.is_empty() && settings.fail_on_no_tables {
        return Err(NO_TABLES.to_owned());
    }
    board.enter(&tables);
    Ok(())
}

const NO_TABLES: &str = "No tables were found at task initialization. Either the selected table(s) or schemas(s) no longer exist or no match was found for the table selection pattern(s). If you would like to start a Task that does not initially capture any tables, set Task Setting FailOnNoTablesCaptured to false and restart task.";

/// `running`: moves the rows; keeps the board up to date; ends soon after `stop` is set.
pub(crate) async fn load(
    task: &LoadTask,
    board: &Board,
    stop: &tokio::sync::watch::Receiver<bool>,
) -> LoadEnd {
    let mut stop = stop.clone();
    let stopped = async {
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is there any more who could stop it.
            std::future::pending::<()>().await;
        }
    };
    let end = tokio::select! {
        () = stopped => LoadEnd::Stopped,
        end = run::run(task, board) => end,
    };
    board.cancel_unfinished();
    end
}

impl LoadTask {
    async fn open(&self, party: &Party) -> Result<session::Session, session::Trouble> {
        session::open(party, &self.trust, self.client_address).await
    }
}
