//! An environment's checks: what must hold for a database's data to be believed.
//!
//! What isn't there doesn't hold, which is a finding; what can't be looked at is an error.

use crate::error::Failure;
use crate::query::{Raw, instant};
use crate::session::{quoted, read_only};
use jiff::Timestamp;
use postgres_protocol::escape::escape_identifier;
use rbk_core::environment::{Checks, Fresh, TableName};
use rbk_core::ports::CheckFinding;
use rbk_core::value::duration_text;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

/// Evaluates all checks, one finding each, in the environment's order.
pub(crate) async fn evaluate(
    client: &mut Client,
    checks: &Checks,
) -> Result<Vec<CheckFinding>, Failure> {
    let mut findings = Vec::new();
    for table in &checks.not_empty {
        let seen = not_empty(client, table).await;
        findings.push(finding(format!("{table} is not empty"), seen)?);
    }
    if let Some(fresh) = &checks.fresh {
        let check = format!(
            "{}.{} is at most {} old",
            fresh.table,
            fresh.column,
            duration_text(fresh.within)
        );
        let seen = newest(client, fresh).await;
        findings.push(finding(check, seen)?);
    }
    Ok(findings)
}

/// What was seen, and whether the check holds.
struct Seen {
    holds: bool,
    text: String,
}

impl Seen {
    fn good(text: impl Into<String>) -> Self {
        Self {
            holds: true,
            text: text.into(),
        }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self {
            holds: false,
            text: text.into(),
        }
    }
}

fn finding(check: String, seen: Result<Seen, Failure>) -> Result<CheckFinding, Failure> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(failure) => match failure.code() {
            // No such table, or no such schema.
            Some("42P01" | "3F000") => Seen::bad("does not exist"),
            Some("42703") => Seen::bad("the column does not exist"),
            _ => return Err(failure),
        },
    };
    Ok(CheckFinding {
        check,
        holds: seen.holds,
        seen: seen.text,
    })
}

async fn not_empty(client: &mut Client, table: &TableName) -> Result<Seen, Failure> {
    let transaction = read_only(client).await?;
    let sql = format!("SELECT EXISTS (SELECT FROM {})", quoted(table));
    let exists: bool = transaction.query_one(&sql, &[]).await?.try_get(0)?;
    Ok(if exists {
        Seen::good("has rows")
    } else {
        Seen::bad("0 rows")
    })
}

async fn newest(client: &mut Client, fresh: &Fresh) -> Result<Seen, Failure> {
    let transaction = read_only(client).await?;
    let column = escape_identifier(&fresh.column);
    let table = quoted(&fresh.table);
    // Of a table without rows it still tells the column's type, and that the column is there.
    let shape = transaction
        .prepare(&format!("SELECT {column} FROM {table}"))
        .await?;
    let ty = match shape.columns() {
        [column] => column.type_().clone(),
        _ => Type::UNKNOWN,
    };
    // The session's time zone is UTC, and so is a time that doesn't say what zone it is in.
    let zone = match ty {
        Type::TIMESTAMPTZ => "",
        Type::TIMESTAMP => " (it has no time zone and was read as UTC)",
        Type::DATE => " (a date, read as its midnight in UTC)",
        other => {
            return Ok(Seen::bad(format!(
                "the column is of type `{}`, which is no time",
                other.name()
            )));
        }
    };
    let sql = format!("SELECT max({column})::timestamptz, clock_timestamp() FROM {table}");
    let row = transaction.query_one(&sql, &[]).await?;
    let Some(newest) = time(&row, 0)? else {
        return Ok(Seen::bad("no row has a time"));
    };
    let (Some(newest), Some(Some(now))) = (newest, time(&row, 1)?) else {
        return Ok(Seen::bad("the newest is infinite"));
    };
    let age = now.as_second() - newest.as_second();
    Ok(match u64::try_from(age) {
        Ok(age) => Seen {
            holds: age <= fresh.within,
            text: format!(
                "newest is {}, {} old{zone}",
                whole(newest),
                duration_text(age)
            ),
        },
        Err(_) => Seen::good(format!(
            "newest is {}, {} in the future{zone}",
            whole(newest),
            duration_text(age.unsigned_abs())
        )),
    })
}

/// A column's time: `None` for NULL, and inside of it `None` for infinity.
fn time(row: &Row, column: usize) -> Result<Option<Option<Timestamp>>, Failure> {
    let raw: Option<Raw> = row.try_get(column)?;
    Ok(raw.map(|Raw(raw)| {
        let bytes = <[u8; 8]>::try_from(raw).ok()?;
        instant(i64::from_be_bytes(bytes))
    }))
}

/// Without the fraction, which nobody reads.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
