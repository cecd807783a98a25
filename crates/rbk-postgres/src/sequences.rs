//! How sequences stand beside the columns that they make values for, and how they are set.

use crate::error::Failure;
use crate::session::{quoted, read_only};
use postgres_protocol::escape::escape_identifier;
use rbk_core::catalog::ColumnName;
use rbk_core::environment::TableName;
use rbk_core::plan::SequenceFacts;
use rbk_core::ports::{PortErrorKind, SequenceState};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient, Transaction};

/// How each stands, in the order given.
pub(crate) async fn states(
    client: &mut Client,
    sequences: &[SequenceFacts],
) -> Result<Vec<SequenceState>, Failure> {
    let transaction = read_only(client).await?;
    let mut states = Vec::new();
    for sequence in sequences {
        let settings = settings(&transaction, sequence).await?;
        let furthest = match &sequence.owner {
            Some(owner) => furthest(&transaction, owner, settings.increment < 0).await?,
            None => None,
        };
        states.push(SequenceState {
            next: next(&transaction, sequence, &settings).await?,
            furthest,
        });
    }
    Ok(states)
}

/// Lets each next value be this one. All are looked at before the first is set.
pub(crate) async fn set(client: &Client, next: &[(SequenceFacts, i64)]) -> Result<(), Failure> {
    for (sequence, next) in next {
        let Settings { min, max, .. } = settings(client, sequence).await?;
        if !(min..=max).contains(next) {
            return Err(Failure::invalid(format!(
                "`{}` goes from {min} to {max}, so its next value can't be {next}; no sequence was set",
                name(sequence)
            )));
        }
    }
    for (number, (sequence, next)) in next.iter().enumerate() {
        let set = client
            .execute(
                "SELECT setval($1::text::regclass, $2, false)",
                &[&quoted(&name(sequence)), next],
            )
            .await;
        if let Err(error) = set {
            let Some(db) = error.as_db_error().filter(|_| !error.is_closed()) else {
                return Err(error.into());
            };
            let kind = match *db.code() {
                SqlState::INSUFFICIENT_PRIVILEGE => PortErrorKind::AccessDenied,
                SqlState::LOCK_NOT_AVAILABLE => PortErrorKind::InvalidState,
                // The session is ended, or worse.
                _ if db.code().code().starts_with("57") => return Err(error.into()),
                _ => PortErrorKind::Statement,
            };
            let message = format!("`{}`: {}", name(sequence), db.message());
            // No rollback takes the earlier ones back.
            return Err(match number {
                0 => Failure::Refused(kind, message),
                _ => Failure::Unfinished(kind, format!("{message}; {number} before it were set")),
            });
        }
    }
    Ok(())
}

/// How a sequence goes on.
struct Settings {
    increment: i64,
    min: i64,
    max: i64,
    cycles: bool,
}

async fn settings(
    client: &impl GenericClient,
    sequence: &SequenceFacts,
) -> Result<Settings, Failure> {
    let row = client
        .query_opt(
            "SELECT seqincrement, seqmin, seqmax, seqcycle FROM pg_sequence WHERE seqrelid = to_regclass($1)",
            &[&quoted(&name(sequence))],
        )
        .await?;
    let Some(row) = row else {
        return Err(Failure::Refused(
            PortErrorKind::NotFound,
            format!("there is no sequence `{}`", name(sequence)),
        ));
    };
    Ok(Settings {
        increment: row.try_get(0)?,
        min: row.try_get(1)?,
        max: row.try_get(2)?,
        cycles: row.try_get(3)?,
    })
}

/// What the next `nextval` gives; of a sequence that is at its end, what would come after it.
async fn next(
    transaction: &Transaction<'_>,
    sequence: &SequenceFacts,
    settings: &Settings,
) -> Result<i64, Failure> {
    let sql = format!(
        "SELECT last_value, is_called FROM {}",
        quoted(&name(sequence))
    );
    let row = transaction.query_one(&sql, &[]).await?;
    let last: i64 = row.try_get(0)?;
    if !row.try_get::<_, bool>(1)? {
        return Ok(last);
    }
    let next = last.saturating_add(settings.increment);
    let first = match settings.increment < 0 {
        true => settings.max,
        false => settings.min,
    };
    let ended = last.checked_add(settings.increment) != Some(next)
        || !(settings.min..=settings.max).contains(&next);
    Ok(match ended && settings.cycles {
        true => first,
        false => next,
    })
}

/// The largest value of the column, or the smallest; nothing where there is no row, or where its values aren't numbers.
async fn furthest(
    transaction: &Transaction<'_>,
    owner: &ColumnName,
    downwards: bool,
) -> Result<Option<i64>, Failure> {
    let row = transaction
        .query_opt(
            "SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END IN ('int2'::regtype, 'int4'::regtype, \
               'int8'::regtype, 'numeric'::regtype) \
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
             WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
            &[&quoted(&owner.table), &owner.column],
        )
        .await?;
    let Some(row) = row else {
        return Err(Failure::Refused(
            PortErrorKind::NotFound,
            format!("there is no column `{owner}`, which the sequence belongs to"),
        ));
    };
    if !row.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let column = escape_identifier(&owner.column);
    // Through `numeric`, which may lie between two integers, or beyond them all.
    let (which, value) = match downwards {
        true => ("min", "greatest(floor(value), -9223372036854775808)"),
        false => ("max", "least(ceil(value), 9223372036854775807)"),
    };
    // Not `ONLY`: tables that inherit from it share the sequence.
    let sql = format!(
        "SELECT {value}::int8 FROM (SELECT {which}({column})::numeric AS value FROM {}) AS furthest \
         WHERE value IS NOT NULL",
        quoted(&owner.table)
    );
    let row = transaction.query_opt(&sql, &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

fn name(sequence: &SequenceFacts) -> TableName {
    TableName {
        schema: sequence.schema.clone(),
        table: sequence.name.clone(),
    }
}
