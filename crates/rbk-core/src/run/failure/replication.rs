//! What goes wrong with a replication: refused, ended, not proven.

use crate::environment::TableName;
use crate::ids::{DatabaseName, RunId};
use crate::listing::first_few;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What goes wrong with a replication.
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum ReplicationFailure {
    #[error("there is no DMS replication subnet group `{name}`")]
    NoSubnetGroup { name: String },
    #[error("{kind} `{id}` is there already, {}", owner_text(owner))]
    NameTaken {
        kind: String,
        id: String,
        owner: Option<RunId>,
    },
    #[error("DMS refused: {reason}")]
    Refused { doing: String, reason: String },
    #[error("{replication} failed: {}", messages_text(messages))]
    Failed {
        replication: String,
        messages: Vec<String>,
    },
    #[error("{replication} stopped before its end: {reason}")]
    Stopped { replication: String, reason: String },
    #[error("{replication}: there is no {kind} `{id}` any more")]
    Gone {
        replication: String,
        kind: String,
        id: String,
    },
    #[error("{replication} did not load {}", tables_text(tables))]
    TablesFailed {
        replication: String,
        tables: Vec<FailedTable>,
    },
    #[error("{replication}: DMS says nothing of {}", names_text(tables))]
    StatisticsMissing {
        replication: String,
        tables: Vec<TableName>,
    },
    #[error("{replication}: DMS gave up its capacity, and what it knew of each table went with it")]
    StatisticsGone { replication: String },
    #[error(
        "{replication} loaded what it wasn't meant to: {}",
        first_few(tables, NAMED, ", ")
    )]
    TooMany {
        replication: String,
        tables: Vec<String>,
    },
    #[error(
        "{replication}: {from} and {to} don't hold the same rows: {}",
        counts_text(tables)
    )]
    RowsDiffer {
        replication: String,
        from: DatabaseName,
        to: DatabaseName,
        tables: Vec<CountedTable>,
    },
}

/// A table that wasn't loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTable {
    /// `public.documents`
    pub table: String,
    /// DMS's state of it: `Table error`.
    pub state: String,
    /// The first error that DMS wrote into its control tables, where it did.
    pub error: Option<String>,
}

/// A table whose rows were counted on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedTable {
    /// Which.
    pub table: TableName,
    /// Rows where they come from.
    pub from: u64,
    /// Rows where they went.
    pub to: u64,
}

/// How many are named at most.
const NAMED: usize = 5;

impl ReplicationFailure {
    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            ReplicationFailure::NoSubnetGroup { .. } => "RBK4051",
            ReplicationFailure::NameTaken { .. } => "RBK4052",
            ReplicationFailure::Refused { .. } => "RBK4053",
            ReplicationFailure::Failed { .. } => "RBK4054",
            ReplicationFailure::Stopped { .. } => "RBK4055",
            ReplicationFailure::Gone { .. } => "RBK4056",
            ReplicationFailure::TablesFailed { .. } => "RBK4057",
            ReplicationFailure::StatisticsMissing { .. } => "RBK4058",
            ReplicationFailure::StatisticsGone { .. } => "RBK4059",
            ReplicationFailure::TooMany { .. } => "RBK4080",
            ReplicationFailure::RowsDiffer { .. } => "RBK4081",
        }
    }

    /// 4: DMS or somebody else stopped it; 3: rbk found that it isn't right.
    pub fn exit_code(&self) -> u8 {
        match self {
            ReplicationFailure::Refused { .. }
            | ReplicationFailure::Failed { .. }
            | ReplicationFailure::Stopped { .. }
            | ReplicationFailure::Gone { .. } => 4,
            ReplicationFailure::NoSubnetGroup { .. }
            | ReplicationFailure::NameTaken { .. }
            | ReplicationFailure::TablesFailed { .. }
            | ReplicationFailure::StatisticsMissing { .. }
            | ReplicationFailure::StatisticsGone { .. }
            | ReplicationFailure::TooMany { .. }
            | ReplicationFailure::RowsDiffer { .. } => 3,
        }
    }

    /// What was being done when it happened.
    pub fn doing(&self) -> String {
        match self {
            ReplicationFailure::NoSubnetGroup { .. } => {
                "looking for the replication subnet group".to_owned()
            }
            ReplicationFailure::NameTaken { kind, id, .. } => format!("creating {kind} `{id}`"),
            ReplicationFailure::Refused { doing, .. } => doing.clone(),
            ReplicationFailure::Failed { replication, .. }
            | ReplicationFailure::Stopped { replication, .. }
            | ReplicationFailure::Gone { replication, .. } => {
                format!("looking at replication {replication}")
            }
            ReplicationFailure::TablesFailed { replication, .. }
            | ReplicationFailure::StatisticsMissing { replication, .. }
            | ReplicationFailure::StatisticsGone { replication }
            | ReplicationFailure::TooMany { replication, .. }
            | ReplicationFailure::RowsDiffer { replication, .. } => {
                format!("proving replication {replication}")
            }
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            ReplicationFailure::NoSubnetGroup { .. } => {
                "nothing was changed; create it in DMS (it is not RDS's subnet group: two subnets in two zones at least), or correct `dms.subnet_group` in the environment; then run again"
            }
            ReplicationFailure::NameTaken { .. } => {
                "rbk leaves it alone: find out who made it and remove it, then run again"
            }
            ReplicationFailure::Refused { .. } => {
                "mend what DMS names: a role (`dms-vpc-role`, the one that reads secrets), a subnet or security group, a number of capacity units, a quota; what the run had made of it is removed; then run again"
            }
            ReplicationFailure::Failed { .. } => {
                "look at the log group `dms-serverless-replication-…` and at whether the databases let DMS's security groups in; what the run had made of it is removed; then run again into emptied tables"
            }
            ReplicationFailure::Stopped { .. } => {
                "find out who or what stopped it; what the run had made of it is removed; then run again into emptied tables"
            }
            ReplicationFailure::Gone { .. } => {
                "find out who deleted it, then run again into emptied tables"
            }
            ReplicationFailure::TablesFailed { .. } => {
                "mend the table or its rows, then run again into emptied tables; `with copy` carries types that DMS doesn't"
            }
            ReplicationFailure::StatisticsMissing { .. } => {
                "the selection didn't find these tables, or the role may not read them; what is there on the target isn't complete: run again into emptied tables"
            }
            ReplicationFailure::StatisticsGone { .. } => {
                "without them nothing proves which tables are complete: run again into emptied tables, and prove it within two days of its end"
            }
            ReplicationFailure::TooMany { .. } => {
                "they were filled beside what was planned: narrow the selection, look at what is in these tables now, then run again into emptied ones"
            }
            ReplicationFailure::RowsDiffer { .. } => {
                "rows were lost on the way, were there before, or somebody still writes to one side; find out which (`assert A matches B`), then run again into emptied tables"
            }
        }
        .to_owned()
    }
}

fn owner_text(owner: &Option<RunId>) -> String {
    match owner {
        Some(run) => format!("made by run `{run}`"),
        None => "without a tag of rbk".to_owned(),
    }
}

fn messages_text(messages: &[String]) -> String {
    match messages {
        [] => "DMS doesn't say why".to_owned(),
        messages => first_few(messages, NAMED, "; "),
    }
}

fn tables_text(tables: &[FailedTable]) -> String {
    let lines: Vec<String> = tables
        .iter()
        .map(|failed| {
            let error = failed.error.as_ref();
            let error = error.map_or(String::new(), |error| format!(": {error}"));
            format!("{} (`{}`{error})", failed.table, failed.state)
        })
        .collect();
    first_few(&lines, NAMED, ", ")
}

fn names_text(tables: &[TableName]) -> String {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    first_few(&names, NAMED, ", ")
}

fn counts_text(tables: &[CountedTable]) -> String {
    let lines: Vec<String> = tables
        .iter()
        .map(|it| format!("{}: {} and {}", it.table, it.from, it.to))
        .collect();
    first_few(&lines, NAMED, "; ")
}
