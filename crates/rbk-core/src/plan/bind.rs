//! Values for the holes of a plan: given by whoever runs it, within the plan's own bounds.

use super::{Expr, Operator, Origin, Parameter, Plan, combine};
use crate::shell::shell_word;
use crate::value::{Type, Value};
use rbk_syntax::ast::{self, ExprKind};
use rbk_syntax::{SourceId, nearest};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a value isn't taken, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BindError {
    /// Nobody gave it.
    #[error("`{name}` has no value: {}", hole_text(*ty, bounds.as_deref()))]
    Missing {
        /// The parameter.
        name: String,
        /// Its type.
        ty: Type,
        /// What must hold of it, as the runbook says it.
        bounds: Option<String>,
    },
    /// It is no value of the type.
    #[error("`{name}` is {}, and `{text}` is none: {reason}", with_article(*ty))]
    Malformed {
        /// The parameter.
        name: String,
        /// Its type.
        ty: Type,
        /// What was given.
        text: String,
        /// Why not.
        reason: String,
    },
    /// It is a value, but not within the bounds.
    #[error("`{name}` is `{value}`, and that isn't within its bounds: `{bounds}`")]
    OutOfBounds {
        /// The parameter.
        name: String,
        /// As the language writes it.
        value: String,
        /// As the runbook says them.
        bounds: String,
    },
    /// The plan has no such parameter.
    #[error("the plan has no parameter `{name}`")]
    Unknown {
        /// What was given.
        name: String,
        /// The plan's holes.
        holes: Vec<String>,
    },
    /// It has a value already.
    #[error("`{name}` is no hole: it is `{value}` in this plan")]
    NotAHole {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
    },
}

impl BindError {
    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            BindError::Missing { .. } => "RBK4096",
            BindError::Malformed { .. } | BindError::OutOfBounds { .. } => "RBK4114",
            BindError::Unknown { .. } | BindError::NotAHole { .. } => "RBK4115",
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            BindError::Missing { name, ty, .. } => {
                format!("say `--set {}`", shell_word(&format!("{name}={}", example(*ty))))
            }
            BindError::Malformed { name, ty, .. } => format!(
                "write it as in a runbook: `--set {}`",
                shell_word(&format!("{name}={}", example(*ty)))
            ),
            BindError::OutOfBounds { .. } => "give another value".to_owned(),
            BindError::Unknown { name, holes } => {
                match (nearest(name, holes.iter().map(String::as_str)), holes.as_slice()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, []) => "it has no hole: leave out `--set`".to_owned(),
                    (None, holes) => format!("its holes are {}", holes.join(", ")),
                }
            }
            BindError::NotAHole { .. } => {
                "a saved plan is performed as it was reviewed: leave out this `--set`, or plan it again with the other value".to_owned()
            }
        }
    }
}

/// The form of a value of that type.
fn example(ty: Type) -> &'static str {
    match ty {
        Type::Boolean => "true",
        Type::Integer => "100",
        Type::Duration => "12h",
        Type::Size => "10gb",
        Type::Time => "2026-11-22T09:15:00Z",
        Type::Text => "TEXT",
        // A plan has no hole of these: whatever depends on them was lowered.
        Type::Database | Type::Application | Type::Snapshot | Type::Table | Type::Replication => {
            "NAME"
        }
    }
}

fn hole_text(ty: Type, bounds: Option<&str>) -> String {
    match bounds {
        Some(bounds) => format!("{} where `{bounds}`", with_article(ty)),
        None => with_article(ty),
    }
}

fn with_article(ty: Type) -> String {
    match ty {
        Type::Integer | Type::Application => format!("an {ty}"),
        _ => format!("a {ty}"),
    }
}

impl Plan {
    /// Gives holes their values, written as in a runbook, a text without its quotes. Bounds are judged as far as they are known without
    /// the world; the rest of them is in the plan's preflight.
    ///
    /// # Errors
    /// Everything that is wrong with what was given, in the order of the parameters.
    pub fn bind(&self, given: &BTreeMap<String, String>) -> Result<Plan, Vec<BindError>> {
        let mut errors: Vec<BindError> = Vec::new();
        for name in given.keys() {
            match self.parameter(name) {
                None => errors.push(BindError::Unknown {
                    name: name.clone(),
                    holes: self.holes().map(|hole| hole.name.clone()).collect(),
                }),
                Some(Parameter {
                    value: Some(value), ..
                }) => errors.push(BindError::NotAHole {
                    name: name.clone(),
                    value: value.to_string(),
                }),
                Some(_) => {}
            }
        }
        let mut bound = self.clone();
        for parameter in &mut bound.parameters {
            let Some(text) = given.get(&parameter.name) else {
                continue;
            };
            if parameter.value.is_some() {
                continue;
            }
            match value_of(text, parameter.ty) {
                Ok(value) => {
                    parameter.value = Some(value);
                    parameter.origin = Origin::Given;
                }
                Err(reason) => errors.push(BindError::Malformed {
                    name: parameter.name.clone(),
                    ty: parameter.ty,
                    text: text.clone(),
                    reason,
                }),
            }
        }
        let judged = bound
            .parameters
            .iter()
            .filter(|one| given.contains_key(&one.name));
        for parameter in judged {
            let (Some(value), Some(bounds)) = (&parameter.value, &parameter.bounds) else {
                continue;
            };
            if known(&bound, &bounds.condition) == Some(Value::Boolean(false)) {
                errors.push(BindError::OutOfBounds {
                    name: parameter.name.clone(),
                    value: value.to_string(),
                    bounds: bounds.text.clone(),
                });
            }
        }
        if errors.is_empty() {
            Ok(bound)
        } else {
            Err(errors)
        }
    }

    /// What is missing before the plan can be performed: one for each hole.
    pub fn unbound(&self) -> Vec<BindError> {
        self.holes()
            .map(|hole| BindError::Missing {
                name: hole.name.clone(),
                ty: hole.ty,
                bounds: hole.bounds.as_ref().map(|bounds| bounds.text.clone()),
            })
            .collect()
    }
}

fn value_of(text: &str, ty: Type) -> Result<Value, String> {
    if ty == Type::Text {
        return Ok(Value::Text(text.to_owned()));
    }
    let expr = rbk_syntax::parse_expression(SourceId(0), text).map_err(|diagnostics| {
        let first = diagnostics.into_iter().next();
        first.map_or_else(
            || "it can't be read".to_owned(),
            |diagnostic| diagnostic.message,
        )
    })?;
    let value = constant(&expr)?;
    if value.ty() == ty {
        Ok(value)
    } else {
        Err(format!("it is {}", with_article(value.ty())))
    }
}

/// What an expression of constants comes to.
fn constant(expr: &ast::Expr) -> Result<Value, String> {
    match &expr.kind {
        ExprKind::Integer(value) => Ok(Value::Integer(*value)),
        ExprKind::Boolean(value) => Ok(Value::Boolean(*value)),
        ExprKind::Duration(value) => Ok(Value::Duration(*value)),
        ExprKind::Size(value) => Ok(Value::Size(*value)),
        ExprKind::Time(value) => Ok(Value::Time(*value)),
        ExprKind::Negate(inner) => negate(&constant(inner)?)
            .ok_or_else(|| "only a whole number can be negative".to_owned()),
        ExprKind::Not(inner) => match constant(inner)? {
            Value::Boolean(value) => Ok(Value::Boolean(!value)),
            other => Err(format!("{} can't be negated", with_article(other.ty()))),
        },
        ExprKind::Binary {
            operator,
            left,
            right,
            ..
        } => combine(*operator, &constant(left)?, &constant(right)?)
            .map_err(|error| error.to_string()),
        ExprKind::Text(_) => Err("it is a text".to_owned()),
        _ => Err("a value must be written out: nothing is read for it".to_owned()),
    }
}

fn negate(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(value) => value.checked_neg().map(Value::Integer),
        _ => None,
    }
}

/// What an expression comes to without the world; `None`: nobody knows yet.
fn known(plan: &Plan, expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Value(value) => Some(value.clone()),
        Expr::Parameter { name, .. } => plan.parameter(name)?.value.clone(),
        Expr::Not(inner) => match known(plan, inner)? {
            Value::Boolean(value) => Some(Value::Boolean(!value)),
            _ => None,
        },
        Expr::Negate(inner) => negate(&known(plan, inner)?),
        Expr::Binary {
            operator,
            left,
            right,
        } => {
            let (left, right) = (known(plan, left), known(plan, right));
            let decides = match operator {
                Operator::And => Some(Value::Boolean(false)),
                Operator::Or => Some(Value::Boolean(true)),
                _ => None,
            };
            if decides.is_some() && (left == decides || right == decides) {
                return decides;
            }
            combine(*operator, &left?, &right?).ok()
        }
        // Everything else is of the world.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Bounds;
    use crate::run::tests_plan;

    fn parameter(name: &str, ty: Type) -> Expr {
        Expr::Parameter {
            name: name.to_owned(),
            ty,
        }
    }

    fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
        Expr::Binary {
            operator,
            left: Box::new(left),
            right: Box::new(right),
        }
    }

    /// `max_loss: duration where max_loss <= 1d and max_loss < age(now)`, `rows: integer`, `why: text`, and one that has a value.
    fn plan() -> Plan {
        let hole = |name: &str, ty, bounds| Parameter {
            name: name.to_owned(),
            doc: None,
            ty,
            value: None,
            origin: Origin::Open,
            bounds,
        };
        let loss = || parameter("max_loss", Type::Duration);
        let condition = binary(
            Operator::And,
            binary(
                Operator::LessOrEqual,
                loss(),
                Expr::Value(Value::Duration(86_400)),
            ),
            binary(Operator::Less, loss(), Expr::Age(Box::new(Expr::Now))),
        );
        let mut plan = tests_plan();
        plan.parameters = vec![
            hole(
                "max_loss",
                Type::Duration,
                Some(Bounds {
                    condition,
                    text: "max_loss <= 1d and max_loss < age(now)".to_owned(),
                }),
            ),
            hole("rows", Type::Integer, None),
            hole("why", Type::Text, None),
            Parameter {
                value: Some(Value::Integer(3)),
                origin: Origin::Default,
                ..hole("tries", Type::Integer, None)
            },
        ];
        plan
    }

    fn bind(given: &[(&str, &str)]) -> Result<Plan, Vec<BindError>> {
        let given = given
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        plan().bind(&given.collect())
    }

    fn told(given: &[(&str, &str)]) -> Vec<String> {
        let errors = bind(given).unwrap_err();
        errors
            .iter()
            .map(|error| format!("{} {error}; {}", error.code(), error.help()))
            .collect()
    }

    #[test]
    fn holes_get_their_values_and_nothing_else_changes() {
        let bound = bind(&[("max_loss", "6h * 2"), ("rows", "-5"), ("why", "a = 'b'")]).unwrap();
        let mut expected = plan();
        let values = [
            Value::Duration(43_200),
            Value::Integer(-5),
            Value::Text("a = 'b'".to_owned()),
        ];
        for (parameter, value) in expected.parameters.iter_mut().zip(values) {
            parameter.value = Some(value);
            parameter.origin = Origin::Given;
        }
        assert_eq!(bound, expected);
        assert!(bound.unbound().is_empty());
    }

    #[test]
    fn what_is_known_of_bounds_is_judged_and_what_is_not_is_left() {
        assert_eq!(
            told(&[("max_loss", "2d")]),
            [
                "RBK4114 `max_loss` is `2d`, and that isn't within its bounds: `max_loss <= 1d and max_loss < age(now)`; give another value"
            ]
        );
        assert!(bind(&[("max_loss", "1d")]).is_ok());
    }

    #[test]
    fn wrong_values_and_names_are_told_all_at_once() {
        assert_eq!(
            told(&[
                ("max_los", "1h"),
                ("tries", "4"),
                ("max_loss", "10gb"),
                ("rows", "now"),
            ]),
            [
                "RBK4115 the plan has no parameter `max_los`; did you mean `max_loss`?",
                "RBK4115 `tries` is no hole: it is `3` in this plan; a saved plan is performed as it was reviewed: leave out this `--set`, or plan it again with the other value",
                "RBK4114 `max_loss` is a duration, and `10gb` is none: it is a size; write it as in a runbook: `--set max_loss=12h`",
                "RBK4114 `rows` is an integer, and `now` is none: a value must be written out: nothing is read for it; write it as in a runbook: `--set rows=100`",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_told_with_type_bounds_and_what_to_type() {
        let told: Vec<String> = plan()
            .unbound()
            .iter()
            .map(|error| format!("{error}; {}", error.help()))
            .collect();
        assert_eq!(
            told,
            [
                "`max_loss` has no value: a duration where `max_loss <= 1d and max_loss < age(now)`; say `--set max_loss=12h`",
                "`rows` has no value: an integer; say `--set rows=100`",
                "`why` has no value: a text; say `--set why=TEXT`",
            ]
        );
    }
}
