//! A full load as DMS does it: real rows from one cluster to another, failing where DMS fails.
//!
//! The life-cycle (`dms/`) calls the three phases in order and shows what they record; nothing here knows of requests,
//! ARNs or clocks of states.

#![allow(dead_code, reason = "contract: the life-cycle comes")]

use secrecy::SecretString;
use std::{net::IpAddr, sync::Mutex};

/// Everything that a load needs to know.
#[derive(Debug, Clone)]
pub(crate) struct LoadTask {
    pub(crate) source: Party,
    pub(crate) target: Party,
    /// The table mappings document, as it was accepted.
    pub(crate) mappings: serde_json::Value,
    /// The settings document, all defaults filled in.
    pub(crate) settings: serde_json::Value,
    /// Where DMS's sessions come from: the loopback address that stands for the replication's security groups.
    pub(crate) client_address: IpAddr,
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
pub(crate) async fn test_connections(_task: &LoadTask) -> Result<(), String> {
    Err("contract".to_owned())
}

/// `fetching_metadata`: the selected tables, entered on the board as `BeforeLoad`.
pub(crate) async fn fetch_metadata(_task: &LoadTask, _board: &Board) -> Result<(), String> {
    Err("contract".to_owned())
}

/// `running`: moves the rows; keeps the board up to date; ends soon after `stop` is set.
pub(crate) async fn load(
    _task: &LoadTask,
    _board: &Board,
    _stop: &tokio::sync::watch::Receiver<bool>,
) -> LoadEnd {
    LoadEnd::Stopped
}
