//! The journal's lines: JSON with a checksum at the end, each chained to the one before by its hash.
//!
//! The checksum covers the line's bytes up to itself, so it is judged before anything is parsed.

use super::event::{Entry, Event, JOURNAL_VERSION, Record};
use crate::ids::{ActionId, RunId, StepPath};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// `,"crc":"` + eight hex digits + `"}`.
const CRC_OPEN: &[u8] = b",\"crc\":\"";
const CRC_LENGTH: usize = CRC_OPEN.len() + 8 + 2;

/// The hash that the first record names.
pub(crate) fn no_hash() -> String {
    "0".repeat(64)
}

/// The plan as it is stored beside a journal.
pub fn plan_bytes(plan: &Plan) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(plan)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The name of a stored plan: SHA-256 in hex.
pub fn plan_hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The hash by which the next record names a line (without its newline).
pub(crate) fn line_hash(line: &[u8]) -> String {
    hex::encode(Sha256::digest(line))
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Damage {
    #[error("the line doesn't end in a checksum")]
    NoChecksum,
    #[error("the checksum doesn't fit")]
    Checksum,
    #[error("it is of format {found}, and this rbk knows {JOURNAL_VERSION}")]
    Newer { found: u64 },
    #[error("it can't be understood: {reason}")]
    NotARecord { reason: String },
    #[error("it is number {found}")]
    Sequence { found: u64 },
    #[error("it doesn't follow from the record before it")]
    Chain,
    #[error("it is of run `{found}`")]
    OtherRun { found: RunId },
    #[error("it isn't legal here: {reason}")]
    Illegal { reason: String },
    #[error("bytes follow it that are no record")]
    Trailing,
}

#[derive(Serialize, Deserialize)]
struct Line {
    v: u32,
    seq: u64,
    epoch: u64,
    run: RunId,
    step: Option<StepPath>,
    action: Option<ActionId>,
    attempt: u32,
    at: jiff::Timestamp,
    r#type: String,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    body: serde_json::Value,
    prev: String,
}

/// Writes a record as a line, without its newline.
pub(crate) fn encode(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let mut event = serde_json::to_value(&record.entry.event)?;
    let body = event
        .get_mut("body")
        .map(serde_json::Value::take)
        .unwrap_or_default();
    let line = Line {
        v: record.v,
        seq: record.seq,
        epoch: record.epoch,
        run: record.run.clone(),
        step: record.entry.step.clone(),
        action: record.entry.action.clone(),
        attempt: record.entry.attempt,
        at: record.at,
        r#type: record.entry.event.name().to_owned(),
        body,
        prev: record.prev.clone(),
    };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.pop(); // the closing brace
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(CRC_OPEN);
    bytes.extend_from_slice(format!("{crc:08x}\"}}").as_bytes());
    Ok(bytes)
}

/// Reads a line, without its newline.
pub(crate) fn decode(line: &[u8]) -> Result<Record, Damage> {
    let split = line
        .len()
        .checked_sub(CRC_LENGTH)
        .ok_or(Damage::NoChecksum)?;
    let (covered, suffix) = line.split_at(split);
    let digits = suffix
        .strip_prefix(CRC_OPEN)
        .and_then(|rest| rest.strip_suffix(b"\"}"))
        .ok_or(Damage::NoChecksum)?;
    if format!("{:08x}", crc32fast::hash(covered)).as_bytes() != digits {
        return Err(Damage::Checksum);
    }
    let not_a_record = |error: serde_json::Error| Damage::NotARecord {
        reason: error.to_string(),
    };
    let value: serde_json::Value = serde_json::from_slice(line).map_err(not_a_record)?;
    let version = value.get("v").and_then(serde_json::Value::as_u64);
    if let Some(found) = version
        && found > u64::from(JOURNAL_VERSION)
    {
        return Err(Damage::Newer { found });
    }
    let line: Line = serde_json::from_value(value).map_err(not_a_record)?;
    let mut event = serde_json::Map::new();
    event.insert("type".to_owned(), line.r#type.into());
    if !line.body.is_null() {
        event.insert("body".to_owned(), line.body);
    }
    let event: Event =
        serde_json::from_value(serde_json::Value::Object(event)).map_err(not_a_record)?;
    Ok(Record {
        v: line.v,
        seq: line.seq,
        epoch: line.epoch,
        run: line.run,
        at: line.at,
        entry: Entry {
            step: line.step,
            action: line.action,
            attempt: line.attempt,
            event,
        },
        prev: line.prev,
    })
}

/// Whether a journal's last bytes, behind its last newline, are more than a record that was cut short: a whole one with
/// something behind it.
pub(crate) fn is_more_than_torn(tail: &[u8]) -> bool {
    (0..tail.len()).any(|end| {
        tail.get(..end)
            .is_some_and(|part| part.ends_with(b"\"}") && decode(part).is_ok())
    })
}
