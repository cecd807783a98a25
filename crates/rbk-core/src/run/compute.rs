//! Arithmetic and comparison of values, with every overflow an error.

use super::failure::Failure;
use crate::plan::Operator;
use crate::value::Value;
use jiff::Timestamp;
use std::cmp::Ordering;

/// How long ago: of a time, or of a snapshot's data. A time that is yet to come is `0s` old.
pub(crate) fn age(of: &Value, now: Timestamp) -> Result<Value, Failure> {
    let then = match of {
        Value::Time(time) => *time,
        Value::Snapshot(snapshot) => snapshot.data_time().ok_or_else(|| Failure::Evaluation {
            doing: format!("computing the age of snapshot `{}`", snapshot.id),
            reason: "RDS doesn't say when it was taken".to_owned(),
        })?,
        other => return Err(mistyped("age", &[other])),
    };
    Ok(Value::Duration(seconds_between(then, now).unwrap_or(0)))
}

pub(crate) fn negate(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::Integer(number) => number
            .checked_neg()
            .map(Value::Integer)
            .ok_or_else(|| outside("-", &[value])),
        other => Err(mistyped("-", &[other])),
    }
}

/// Every operator but `and` and `or`.
pub(crate) fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
    let ordered = |accept: fn(Ordering) -> bool, sign: &str| {
        compare(left, right)
            .map(|ordering| Value::Boolean(accept(ordering)))
            .ok_or_else(|| mistyped(sign, &[left, right]))
    };
    match operator {
        Operator::Equal | Operator::NotEqual if left.ty() != right.ty() => {
            Err(mistyped("==", &[left, right]))
        }
        Operator::Equal => Ok(Value::Boolean(left == right)),
        Operator::NotEqual => Ok(Value::Boolean(left != right)),
        Operator::Less => ordered(Ordering::is_lt, "<"),
        Operator::LessOrEqual => ordered(Ordering::is_le, "<="),
        Operator::Greater => ordered(Ordering::is_gt, ">"),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge, ">="),
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => multiply(left, right),
        Operator::Divide => divide(left, right),
        Operator::And | Operator::Or => Err(mistyped("and", &[left, right])),
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right))
        | (Value::Size(left), Value::Size(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn add(left: &Value, right: &Value) -> Result<Value, Failure> {
    let sum = match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => a.checked_add(*b).map(Value::Integer),
        (Value::Duration(a), Value::Duration(b)) => a.checked_add(*b).map(Value::Duration),
        (Value::Size(a), Value::Size(b)) => a.checked_add(*b).map(Value::Size),
        (Value::Time(time), Value::Duration(seconds))
        | (Value::Duration(seconds), Value::Time(time)) => {
            moved(*time, i64::try_from(*seconds).ok())
        }
        (Value::Text(a), Value::Text(b)) => Some(Value::Text(format!("{a}{b}"))),
        _ => return Err(mistyped("+", &[left, right])),
    };
    sum.ok_or_else(|| outside("+", &[left, right]))
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Failure> {
    let difference = match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => a.checked_sub(*b).map(Value::Integer),
        (Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration),
        (Value::Size(a), Value::Size(b)) => a.checked_sub(*b).map(Value::Size),
        (Value::Time(time), Value::Duration(seconds)) => moved(
            *time,
            i64::try_from(*seconds).ok().and_then(i64::checked_neg),
        ),
        (Value::Time(a), Value::Time(b)) => seconds_between(*b, *a).map(Value::Duration),
        _ => return Err(mistyped("-", &[left, right])),
    };
    difference.ok_or_else(|| outside("-", &[left, right]))
}

fn multiply(left: &Value, right: &Value) -> Result<Value, Failure> {
    let product = match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => a.checked_mul(*b).map(Value::Integer),
        (Value::Duration(a), Value::Integer(b)) | (Value::Integer(b), Value::Duration(a)) => {
            times(*a, *b).map(Value::Duration)
        }
        (Value::Size(a), Value::Integer(b)) | (Value::Integer(b), Value::Size(a)) => {
            times(*a, *b).map(Value::Size)
        }
        _ => return Err(mistyped("*", &[left, right])),
    };
    product.ok_or_else(|| outside("*", &[left, right]))
}

fn divide(left: &Value, right: &Value) -> Result<Value, Failure> {
    let ratio = |a: u64, b: u64| {
        a.checked_div(b)
            .and_then(|ratio| i64::try_from(ratio).ok())
            .map(Value::Integer)
    };
    let quotient = match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => a.checked_div(*b).map(Value::Integer),
        (Value::Duration(a), Value::Integer(b)) => part(*a, *b).map(Value::Duration),
        (Value::Size(a), Value::Integer(b)) => part(*a, *b).map(Value::Size),
        (Value::Duration(a), Value::Duration(b)) | (Value::Size(a), Value::Size(b)) => {
            ratio(*a, *b)
        }
        _ => return Err(mistyped("/", &[left, right])),
    };
    quotient.ok_or_else(|| outside("/", &[left, right]))
}

fn times(amount: u64, by: i64) -> Option<u64> {
    amount.checked_mul(u64::try_from(by).ok()?)
}

fn part(amount: u64, by: i64) -> Option<u64> {
    amount.checked_div(u64::try_from(by).ok()?)
}

fn moved(time: Timestamp, seconds: Option<i64>) -> Option<Value> {
    time.checked_add(jiff::SignedDuration::from_secs(seconds?))
        .ok()
        .map(Value::Time)
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> Option<u64> {
    u64::try_from(later.duration_since(earlier).as_secs()).ok()
}

fn outside(sign: &str, sides: &[&Value]) -> Failure {
    Failure::Evaluation {
        doing: format!("computing `{}`", written(sign, sides)),
        reason: "the result can't be held".to_owned(),
    }
}

fn mistyped(sign: &str, sides: &[&Value]) -> Failure {
    Failure::Bug {
        message: format!("`{}` passed the type check", written(sign, sides)),
    }
}

fn written(sign: &str, sides: &[&Value]) -> String {
    let sides: Vec<String> = sides.iter().map(|side| side.to_string()).collect();
    match sides.as_slice() {
        [left, right] => format!("{left} {sign} {right}"),
        sides => format!("{sign} {}", sides.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operator::{Add, Divide, Less, Multiply, Subtract};

    #[track_caller]
    fn check(operator: Operator, left: Value, right: Value, expected: &str) {
        let is = match binary(operator, &left, &right) {
            Ok(value) => value.to_string(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(is, expected);
    }

    #[test]
    fn what_can_not_be_held_is_an_error_and_no_panic() {
        use Value::{Duration, Integer, Size};
        let held = |text: &str| format!("computing `{text}`: the result can't be held");
        check(
            Add,
            Integer(i64::MAX),
            Integer(1),
            &held("9223372036854775807 + 1"),
        );
        check(Divide, Integer(1), Integer(0), &held("1 / 0"));
        check(
            Divide,
            Integer(i64::MIN),
            Integer(-1),
            &held("-9223372036854775808 / -1"),
        );
        check(Subtract, Duration(1), Duration(2), &held("1s - 2s"));
        check(
            Multiply,
            Size(u64::MAX),
            Integer(2),
            &held("18446744073709551615b * 2"),
        );
        check(Multiply, Duration(5), Integer(-1), &held("5s * -1"));
        check(
            Add,
            Value::Time(Timestamp::MAX),
            Duration(u64::MAX),
            &held(&format!("{} + {}", Timestamp::MAX, Duration(u64::MAX))),
        );
        assert!(negate(&Integer(i64::MIN)).is_err());
    }

    #[test]
    fn units_are_kept() {
        use Value::{Duration, Integer};
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        check(Add, Value::Time(noon), Duration(60), "2026-11-22T12:01:00Z");
        check(
            Subtract,
            Value::Time(noon),
            Duration(60),
            "2026-11-22T11:59:00Z",
        );
        check(Divide, Duration(3600), Integer(2), "30m");
        check(Divide, Duration(3600), Duration(60), "60");
        check(Less, Duration(59), Duration(60), "true");
    }

    #[test]
    fn what_is_yet_to_come_is_no_time_old() {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(
            age(&Value::Time(Timestamp::MAX), noon).unwrap(),
            Value::Duration(0)
        );
    }
}
