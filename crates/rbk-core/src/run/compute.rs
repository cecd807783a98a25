//! What operators of one side do with values; those of two sides are the plan's own [`crate::plan::combine`].

use super::failure::Failure;
use crate::value::Value;
use jiff::Timestamp;

/// How long ago: of a time, or of a snapshot's data. What is yet to come is `0s` old.
pub(crate) fn age(of: &Value, now: Timestamp) -> Result<Value, Failure> {
    let then = match of {
        Value::Time(time) => *time,
        Value::Snapshot(snapshot) => snapshot.data_time().ok_or_else(|| Failure::Evaluation {
            doing: format!("computing the age of snapshot `{}`", snapshot.id),
            reason: "RDS doesn't say when it was taken".to_owned(),
        })?,
        other => {
            return Err(Failure::Bug {
                message: format!("the age of a {} passed the type check", other.ty()),
            });
        }
    };
    let seconds = u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0);
    Ok(Value::Duration(seconds))
}

/// The other sign.
pub(crate) fn negate(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::Integer(number) => {
            number
                .checked_neg()
                .map(Value::Integer)
                .ok_or_else(|| Failure::Evaluation {
                    doing: format!("computing `-({number})`"),
                    reason: "the result can't be held".to_owned(),
                })
        }
        other => Err(Failure::Bug {
            message: format!("the negation of a {} passed the type check", other.ty()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_yet_to_come_is_no_time_old() {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let later = Value::Time(Timestamp::MAX);
        assert_eq!(age(&later, noon).unwrap(), Value::Duration(0));
        let earlier: Timestamp = "2026-11-22T11:00:00Z".parse().unwrap();
        let hour = age(&Value::Time(earlier), noon).unwrap();
        assert_eq!(hour, Value::Duration(3600));
    }

    #[test]
    fn the_smallest_number_has_no_other_sign() {
        let failure = negate(&Value::Integer(i64::MIN)).unwrap_err();
        assert_eq!(failure.code(), "RBK4019");
    }
}
