//! One value out of one statement, read in a transaction that can't write.

use crate::error::Failure;
use crate::session::read_only;
use jiff::Timestamp;
use postgres_protocol::types::{
    bool_from_sql, int2_from_sql, int4_from_sql, int8_from_sql, text_from_sql, timestamp_from_sql,
};
use rbk_core::ports::PortErrorKind;
use rbk_core::value::{Type, Value};
use std::error::Error;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Kind, Type as PgType};

/// Seconds from 1970 to 2000, where Postgres's timestamps begin.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// Runs a statement that must give exactly one row of one column, and makes a value of the language of it.
///
/// Names are looked up in `pg_catalog` and `public`, whatever the role's or the database's `search_path` says.
pub(crate) async fn one_value(client: &mut Client, sql: &str, ty: Type) -> Result<Value, Failure> {
    let transaction = read_only(client).await?;
    transaction
        .batch_execute("SET LOCAL search_path = pg_catalog, public, pg_temp")
        .await?;
    // The extended protocol takes a single statement only, so nothing in the text can end the transaction and go on.
    let statement = transaction.prepare(sql).await?;
    if !statement.params().is_empty() {
        return Err(Failure::invalid(
            "the statement has parameters (`$1`), and nothing to put into them",
        ));
    }
    let column = match statement.columns() {
        [column] => column,
        [] => return Err(Failure::invalid("the statement returns no value")),
        several => {
            let names: Vec<String> = several.iter().map(|c| format!("`{}`", c.name())).collect();
            return Err(Failure::invalid(format!(
                "the statement must return one column, and returns {}: {}",
                several.len(),
                names.join(", ")
            )));
        }
    };
    let wire = wire(ty, column.type_())?;

    let portal = transaction.bind(&statement, &[]).await?;
    let rows = transaction.query_portal(&portal, 2).await?;
    let row = match rows.as_slice() {
        [row] => row,
        [] => return Err(unfit("the statement returned no row, and must return one")),
        _ => {
            return Err(unfit(
                "the statement returned more than one row, and must return one",
            ));
        }
    };
    let raw: Option<Raw> = row.try_get(0)?;
    let Some(Raw(raw)) = raw else {
        return Err(unfit(
            "the statement returned NULL: say what it stands for, with coalesce(…, …)",
        ));
    };
    read(ty, wire, raw)
}

/// What the data is, not what the statement is, stands in the way.
fn unfit(message: impl Into<String>) -> Failure {
    Failure::Refused(PortErrorKind::Statement, message.into())
}

/// A value as the server sent it, in the binary format of its type.
pub(crate) struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &PgType, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &PgType) -> bool {
        true
    }
}

/// A binary format that a value of the language can be read from.
#[derive(Clone, Copy)]
enum Wire {
    Boolean,
    Int2,
    Int4,
    Int8,
    Numeric,
    Text,
    Interval,
    TimestampTz,
}

/// Whether a column of that type can become a value of that type; found before anything runs.
fn wire(wanted: Type, found: &PgType) -> Result<Wire, Failure> {
    let mut base = found;
    while let Kind::Domain(inner) = base.kind() {
        base = inner;
    }
    let wire = match *base {
        PgType::BOOL => Some(Wire::Boolean),
        PgType::INT2 => Some(Wire::Int2),
        PgType::INT4 => Some(Wire::Int4),
        PgType::INT8 => Some(Wire::Int8),
        PgType::NUMERIC => Some(Wire::Numeric),
        PgType::INTERVAL => Some(Wire::Interval),
        PgType::TIMESTAMPTZ => Some(Wire::TimestampTz),
        PgType::TEXT | PgType::VARCHAR | PgType::BPCHAR | PgType::NAME | PgType::UNKNOWN => {
            Some(Wire::Text)
        }
        _ if matches!(base.kind(), Kind::Enum(_)) || base.name() == "citext" => Some(Wire::Text),
        _ => None,
    };
    let fits = match (wanted, wire) {
        (Type::Boolean, Some(Wire::Boolean))
        | (Type::Text, Some(Wire::Text))
        | (Type::Duration, Some(Wire::Interval))
        | (Type::Time, Some(Wire::TimestampTz))
        | (
            Type::Integer | Type::Size,
            Some(Wire::Int2 | Wire::Int4 | Wire::Int8 | Wire::Numeric),
        ) => wire,
        _ => None,
    };
    fits.ok_or_else(|| {
        Failure::invalid(format!(
            "the statement returns `{}`, which is no {wanted}: {}",
            found.name(),
            mend(wanted, base)
        ))
    })
}

fn mend(wanted: Type, found: &PgType) -> &'static str {
    match (wanted, found) {
        (Type::Time, &PgType::TIMESTAMP) => {
            "it has no time zone; say which one it is in, with `AT TIME ZONE 'UTC'`"
        }
        (Type::Time, _) => "a time is a `timestamp with time zone`",
        (Type::Duration, &PgType::INT2 | &PgType::INT4 | &PgType::INT8 | &PgType::NUMERIC) => {
            "a number has no unit; multiply it by `interval '1 second'`"
        }
        (Type::Duration, _) => "a duration is an `interval`",
        (Type::Size, _) => "a size is a whole number of bytes",
        (Type::Integer, &PgType::FLOAT4 | &PgType::FLOAT8) => "round it, with `round(…)::bigint`",
        (Type::Integer, _) => "an integer is a `bigint`",
        (Type::Boolean, _) => "a boolean is a comparison, for instance",
        (Type::Text, _) => "turn it into text, with `(…)::text`",
        (
            Type::Database | Type::Application | Type::Snapshot | Type::Table | Type::Replication,
            _,
        ) => "no query can return that",
    }
}

fn read(wanted: Type, wire: Wire, raw: &[u8]) -> Result<Value, Failure> {
    let number = match wire {
        Wire::Boolean => return Ok(Value::Boolean(sound(bool_from_sql(raw))?)),
        Wire::Text => return Ok(Value::Text(sound(text_from_sql(raw))?.to_owned())),
        Wire::Interval => return Ok(Value::Duration(whole_seconds(raw)?)),
        Wire::TimestampTz => {
            let time = instant(sound(timestamp_from_sql(raw))?);
            return match time {
                Some(time) => Ok(Value::Time(time)),
                None => Err(unfit(
                    "the statement returned an infinite or impossible time",
                )),
            };
        }
        Wire::Int2 => i64::from(sound(int2_from_sql(raw))?),
        Wire::Int4 => i64::from(sound(int4_from_sql(raw))?),
        Wire::Int8 => sound(int8_from_sql(raw))?,
        Wire::Numeric => whole_numeric(raw)?,
    };
    if wanted == Type::Integer {
        return Ok(Value::Integer(number));
    }
    u64::try_from(number).map(Value::Size).map_err(|_| {
        unfit(format!(
            "the statement returned {number}, and a size is never negative"
        ))
    })
}

fn sound<T>(read: Result<T, Box<dyn Error + Sync + Send>>) -> Result<T, Failure> {
    read.map_err(|error| {
        Failure::Refused(
            PortErrorKind::Protocol,
            format!("the value can't be read: {error}"),
        )
    })
}

/// An instant out of microseconds since 2000; infinities are none.
pub(crate) fn instant(microseconds: i64) -> Option<Timestamp> {
    if matches!(microseconds, i64::MIN | i64::MAX) {
        return None;
    }
    let since_1970 = microseconds.checked_add(POSTGRES_EPOCH * 1_000_000)?;
    Timestamp::from_microsecond(since_1970).ok()
}

/// Seconds of an interval: microseconds, days, months. Source: `interval_send` in Postgres's `timestamp.c`.
fn whole_seconds(raw: &[u8]) -> Result<u64, Failure> {
    let broken = || {
        Failure::Refused(
            PortErrorKind::Protocol,
            "the interval can't be read".to_owned(),
        )
    };
    let (micros, rest) = raw.split_first_chunk::<8>().ok_or_else(broken)?;
    let (days, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
    let (months, _) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
    if i32::from_be_bytes(*months) != 0 {
        return Err(unfit(
            "the interval counts months, which have no fixed length: subtract the times (`now() - x`), which counts              days, rather than to use `age`",
        ));
    }
    let seconds = i64::from_be_bytes(*micros).div_euclid(1_000_000)
        + i64::from(i32::from_be_bytes(*days)) * 86_400;
    u64::try_from(seconds).map_err(|_| {
        unfit("the interval is negative, and a duration never is: turn the subtraction round")
    })
}

/// The whole number that a numeric is. Source: `numeric_send` in Postgres's `numeric.c`: digits to base 10000, the
/// first of which counts 10000^weight.
fn whole_numeric(raw: &[u8]) -> Result<i64, Failure> {
    const NEGATIVE: u16 = 0x4000;
    let broken = || {
        Failure::Refused(
            PortErrorKind::Protocol,
            "the number can't be read".to_owned(),
        )
    };
    let too_large = || unfit("the number is too large");

    let mut words = raw.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let count = words.next().ok_or_else(broken)?;
    let weight = words.next().ok_or_else(broken)?.cast_signed();
    let sign = words.next().ok_or_else(broken)?;
    let _scale = words.next().ok_or_else(broken)?;
    if sign != 0 && sign != NEGATIVE {
        return Err(unfit("the number is NaN or infinite"));
    }
    let mut number: i128 = 0;
    let mut power = i32::from(weight);
    for digit in words.take(usize::from(count)) {
        if power < 0 {
            if digit != 0 {
                return Err(unfit(
                    "the number has a fraction: round it, with `round(…)`",
                ));
            }
        } else {
            let value = i128::from(digit);
            let place = 10_000_i128
                .checked_pow(power.unsigned_abs())
                .ok_or_else(too_large)?;
            number = value
                .checked_mul(place)
                .and_then(|value| number.checked_add(value))
                .ok_or_else(too_large)?;
        }
        power -= 1;
    }
    if sign == NEGATIVE {
        number = -number;
    }
    i64::try_from(number).map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(digits: &[u16], weight: i16, sign: u16) -> Vec<u8> {
        [digits.len() as u16, weight.cast_unsigned(), sign, 0]
            .iter()
            .chain(digits)
            .flat_map(|word| word.to_be_bytes())
            .collect()
    }

    #[test]
    fn a_numeric_is_read_by_its_weight() {
        assert_eq!(whole_numeric(&numeric(&[], 0, 0)).unwrap(), 0);
        assert_eq!(whole_numeric(&numeric(&[7], 1, 0)).unwrap(), 70_000);
        assert_eq!(
            whole_numeric(&numeric(&[1, 2345], 1, 0x4000)).unwrap(),
            -12_345
        );
        assert_eq!(whole_numeric(&numeric(&[3, 0], 0, 0)).unwrap(), 3);
    }

    #[test]
    fn a_fraction_an_infinity_and_a_giant_are_no_integers() {
        for (digits, weight, sign) in [
            (&[1, 5000][..], 0, 0),
            (&[1], -1, 0),
            (&[], 0, 0xC000),
            (&[], 0, 0xD000),
            (&[1], 5, 0),
            (&[1], 4000, 0),
        ] {
            assert!(whole_numeric(&numeric(digits, weight, sign)).is_err());
        }
        assert!(whole_numeric(&[0]).is_err());
    }
}
