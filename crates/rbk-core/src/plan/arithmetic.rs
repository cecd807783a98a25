//! What operators do with values: the same code folds constants when checking and computes while running.

use super::Operator;
use crate::value::Value;
use std::cmp::Ordering;
use thiserror::Error;

/// Why two values can't be combined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArithmeticError {
    /// The result leaves the range of its type.
    #[error("`{operator}` of {left} and {right} leaves the range of {ty}", operator = .operator.symbol())]
    Overflow {
        /// The operator.
        operator: Operator,
        /// As it is written.
        left: String,
        /// As it is written.
        right: String,
        /// Of the result.
        ty: &'static str,
    },
    /// Division by zero.
    #[error("{left} can't be divided by zero")]
    DivisionByZero {
        /// As it is written.
        left: String,
    },
    /// The checker lets no such pair through; a damaged plan could hold one.
    #[error("`{operator}` can't combine {left} and {right}", operator = .operator.symbol())]
    Types {
        /// The operator.
        operator: Operator,
        /// Type's name.
        left: &'static str,
        /// Type's name.
        right: &'static str,
    },
}

/// Combines two values.
///
/// # Errors
/// Overflow, division by zero, types that don't fit.
pub fn combine(operator: Operator, left: &Value, right: &Value) -> Result<Value, ArithmeticError> {
    use Operator as O;
    match operator {
        O::Or | O::And => match (left, right) {
            (Value::Boolean(a), Value::Boolean(b)) => Ok(Value::Boolean(if operator == O::Or {
                *a || *b
            } else {
                *a && *b
            })),
            _ => Err(types(operator, left, right)),
        },
        O::Equal | O::NotEqual if left.ty() == right.ty() => {
            Ok(Value::Boolean((left == right) == (operator == O::Equal)))
        }
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => {
            let ordering = order(left, right).ok_or_else(|| types(operator, left, right))?;
            Ok(Value::Boolean(match operator {
                O::Less => ordering == Ordering::Less,
                O::LessOrEqual => ordering != Ordering::Greater,
                O::Greater => ordering == Ordering::Greater,
                _ => ordering != Ordering::Less,
            }))
        }
        _ => calculate(operator, left, right),
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) | (Value::Size(a), Value::Size(b)) => {
            Some(a.cmp(b))
        }
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn calculate(operator: Operator, left: &Value, right: &Value) -> Result<Value, ArithmeticError> {
    use Operator as O;
    if operator == O::Divide && matches!(right, Value::Integer(0)) {
        return Err(ArithmeticError::DivisionByZero {
            left: left.to_string(),
        });
    }
    let result = match (operator, left, right) {
        (O::Add, Value::Integer(a), Value::Integer(b)) => a.checked_add(*b).map(Value::Integer),
        (O::Subtract, Value::Integer(a), Value::Integer(b)) => {
            a.checked_sub(*b).map(Value::Integer)
        }
        (O::Multiply, Value::Integer(a), Value::Integer(b)) => {
            a.checked_mul(*b).map(Value::Integer)
        }
        (O::Divide, Value::Integer(a), Value::Integer(b)) => a.checked_div(*b).map(Value::Integer),
        (_, Value::Duration(a), Value::Duration(b)) => sum(operator, *a, *b)?.map(Value::Duration),
        (_, Value::Size(a), Value::Size(b)) => sum(operator, *a, *b)?.map(Value::Size),
        (O::Multiply | O::Divide, Value::Duration(a), Value::Integer(b)) => {
            scale(operator, *a, *b).map(Value::Duration)
        }
        (O::Multiply | O::Divide, Value::Size(a), Value::Integer(b)) => {
            scale(operator, *a, *b).map(Value::Size)
        }
        (O::Add | O::Subtract, Value::Time(time), Value::Duration(seconds)) => {
            i64::try_from(*seconds).ok().and_then(|s| {
                let length = jiff::SignedDuration::from_secs(s);
                if operator == O::Add {
                    time.checked_add(length).ok()
                } else {
                    time.checked_sub(length).ok()
                }
                .map(Value::Time)
            })
        }
        (O::Subtract, Value::Time(a), Value::Time(b)) => {
            u64::try_from(a.duration_since(*b).as_secs())
                .ok()
                .map(Value::Duration)
        }
        _ => return Err(types(operator, left, right)),
    };
    result.ok_or_else(|| ArithmeticError::Overflow {
        operator,
        left: left.to_string(),
        right: right.to_string(),
        ty: if matches!((left, right), (Value::Time(_), Value::Time(_))) {
            "duration"
        } else {
            left.ty().name()
        },
    })
}

fn sum(operator: Operator, a: u64, b: u64) -> Result<Option<u64>, ArithmeticError> {
    match operator {
        Operator::Add => Ok(a.checked_add(b)),
        Operator::Subtract => Ok(a.checked_sub(b)),
        _ => Err(ArithmeticError::Types {
            operator,
            left: "an amount",
            right: "an amount",
        }),
    }
}

fn scale(operator: Operator, amount: u64, by: i64) -> Option<u64> {
    let by = u64::try_from(by).ok()?;
    if operator == Operator::Multiply {
        amount.checked_mul(by)
    } else {
        amount.checked_div(by)
    }
}

fn types(operator: Operator, left: &Value, right: &Value) -> ArithmeticError {
    ArithmeticError::Types {
        operator,
        left: left.ty().name(),
        right: right.ty().name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operator: Operator, left: Value, right: Value, expected: &str) {
        let found = match combine(operator, &left, &right) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn amounts_are_added_and_scaled_within_their_range() {
        check(
            Operator::Add,
            Value::Duration(60),
            Value::Duration(30),
            "1m30s",
        );
        check(
            Operator::Multiply,
            Value::Size(512),
            Value::Integer(4),
            "2kb",
        );
        check(
            Operator::Subtract,
            Value::Duration(1),
            Value::Duration(2),
            "`-` of 1s and 2s leaves the range of duration",
        );
        check(
            Operator::Multiply,
            Value::Duration(1),
            Value::Integer(-2),
            "`*` of 1s and -2 leaves the range of duration",
        );
        check(
            Operator::Divide,
            Value::Integer(1),
            Value::Integer(0),
            "1 can't be divided by zero",
        );
        check(
            Operator::Add,
            Value::Integer(i64::MAX),
            Value::Integer(1),
            "`+` of 9223372036854775807 and 1 leaves the range of integer",
        );
    }

    #[test]
    fn comparisons_need_values_of_one_type() {
        check(
            Operator::LessOrEqual,
            Value::Duration(60),
            Value::Duration(60),
            "true",
        );
        check(
            Operator::Greater,
            Value::Integer(2),
            Value::Integer(3),
            "false",
        );
        check(
            Operator::Less,
            Value::Duration(60),
            Value::Integer(60),
            "`<` can't combine duration and integer",
        );
        check(
            Operator::Equal,
            Value::Text("a".into()),
            Value::Text("a".into()),
            "true",
        );
    }
}
