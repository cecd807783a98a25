//! Values that a runbook computes with, at check time and while it runs.

use crate::ids::{ApplicationName, DatabaseName, InstanceId, ResourceId, SnapshotId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The types of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// An entry of `[databases]`.
    Database,
    /// An entry of `[applications]`.
    Application,
    /// A snapshot of an instance.
    Snapshot,
    /// A table of a database.
    Table,
    /// A replication that a statement of the runbook began.
    Replication,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// A length of time, in seconds.
    Duration,
    /// A number of bytes.
    Size,
    /// An instant.
    Time,
}

impl Type {
    /// As it is written in a runbook.
    pub fn name(self) -> &'static str {
        match self {
            Type::Database => "database",
            Type::Application => "application",
            Type::Snapshot => "snapshot",
            Type::Table => "table",
            Type::Replication => "replication",
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Text => "text",
            Type::Duration => "duration",
            Type::Size => "size",
            Type::Time => "time",
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A computed value. There is no secret among them, on purpose: values are printed and journaled.
#[allow(
    clippy::large_enum_variant,
    reason = "snapshots are few; boxing them would show in every use"
)]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Value {
    /// The name of a database.
    Database(DatabaseName),
    /// The name of an application.
    Application(ApplicationName),
    /// A snapshot and what is known of it.
    Snapshot(Snapshot),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Seconds.
    Duration(u64),
    /// Bytes.
    Size(u64),
    /// An instant.
    #[schemars(with = "String")]
    Time(jiff::Timestamp),
}

impl Value {
    /// Its type.
    pub fn ty(&self) -> Type {
        match self {
            Value::Database(_) => Type::Database,
            Value::Application(_) => Type::Application,
            Value::Snapshot(_) => Type::Snapshot,
            Value::Boolean(_) => Type::Boolean,
            Value::Integer(_) => Type::Integer,
            Value::Text(_) => Type::Text,
            Value::Duration(_) => Type::Duration,
            Value::Size(_) => Type::Size,
            Value::Time(_) => Type::Time,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Database(name) => name.fmt(f),
            Value::Application(name) => name.fmt(f),
            Value::Snapshot(snapshot) => snapshot.id.fmt(f),
            Value::Boolean(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Duration(seconds) => f.write_str(&duration_text(*seconds)),
            Value::Size(bytes) => f.write_str(&size_text(*bytes)),
            Value::Time(time) => time.fmt(f),
        }
    }
}

/// A snapshot as RDS describes it. Source: `DescribeDBSnapshots`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its identifier.
    pub id: SnapshotId,
    /// The instance that it was taken of, as it was called then.
    pub instance: InstanceId,
    /// That instance's immutable identity.
    pub resource: Option<ResourceId>,
    /// When it was taken (`SnapshotCreateTime`; absent while it is being made).
    #[schemars(with = "Option<String>")]
    pub created_at: Option<jiff::Timestamp>,
    /// The time of the newest transaction in it (`SnapshotDatabaseTime`): the honest "data as of".
    #[schemars(with = "Option<String>")]
    pub data_as_of: Option<jiff::Timestamp>,
    /// `automated` or `manual`.
    pub kind: String,
    /// `available`, `creating`, …: a free string in the API.
    pub status: String,
    /// `postgres`.
    pub engine: String,
    /// `16.4`.
    pub engine_version: String,
    /// Storage of the instance in GiB.
    pub allocated_storage: Option<i32>,
    /// The master user at that time; a restore can't change it.
    pub master_username: Option<String>,
}

impl Snapshot {
    /// The instant that its data is from, as well as it is known.
    pub fn data_time(&self) -> Option<jiff::Timestamp> {
        self.data_as_of.or(self.created_at)
    }
}

/// Writes seconds as the language does: `1h30m`, `45s`, `0s`.
pub fn duration_text(seconds: u64) -> String {
    let mut text = String::new();
    let mut rest = seconds;
    for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        let amount = rest / unit;
        rest %= unit;
        if amount > 0 {
            text.push_str(&amount.to_string());
            text.push(letter);
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// Writes bytes for people, as well as they need it: `1.4gb`, `512kb`, `12b`.
pub fn rough_size_text(bytes: u64) -> String {
    let units = [
        (1 << 40, "tb"),
        (1 << 30, "gb"),
        (1 << 20, "mb"),
        (1 << 10, "kb"),
    ];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes}b");
    };
    let (whole, rest) = (bytes / unit, bytes % unit);
    match rest.saturating_mul(10) / unit {
        tenths if whole < 10 && tenths > 0 => format!("{whole}.{tenths}{name}"),
        _ => format!("{whole}{name}"),
    }
}

/// Writes bytes in the largest unit that divides them: `512kb`, `1gb`, `100b`.
pub fn size_text(bytes: u64) -> String {
    for (unit, name) in [
        (1 << 40, "tb"),
        (1 << 30, "gb"),
        (1 << 20, "mb"),
        (1 << 10, "kb"),
    ] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    format!("{bytes}b")
}
