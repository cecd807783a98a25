//! The holes of a plan get their values.

use super::error::CheckError;
use super::{Checker, StatementError};
use crate::environment::Places;
use crate::plan::{ArithmeticError, Expr, Operator, Origin, Parameter, Plan, combine};
use crate::value::Value;
use rbk_syntax::{Diagnostic, SourceId, Sources, Span};
use std::collections::BTreeMap;

/// Gives the holes of a plan their values, written as after `--set`, and judges what of their `where`s is known with them. What
/// reads the world is left to the plan's preflight.
///
/// The texts that diagnostics point into are added to `sources`.
///
/// # Errors
/// A hole without a value, a value for what is no hole, one of another type, one that `where` refuses: all of them at once.
pub fn bind(
    plan: &Plan,
    given: &BTreeMap<String, String>,
    sources: &mut Sources,
) -> Result<Plan, Vec<Diagnostic>> {
    let places = Places::default();
    let mut checker = Checker::new(&plan.environment, &places, None);
    for (name, text) in given {
        refuse_unasked(plan, name, text, &mut checker, sources);
    }
    let mut bound = plan.clone();
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for parameter in &mut bound.parameters {
        let was_given = match given.get(&parameter.name) {
            Some(text) if parameter.value.is_none() => {
                let source = sources.add(format!("--set {}", parameter.name), text.as_str());
                match checker.value_of_text(text, source, parameter.ty) {
                    Some((value, span)) => {
                        parameter.value = Some(value);
                        parameter.origin = Origin::Given;
                        Some(span)
                    }
                    // It has been reported.
                    None => continue,
                }
            }
            None if parameter.value.is_none() => {
                let (source, name) = quoted(parameter, sources);
                checker.report(CheckError::NoValue {
                    span: Span { source, ..name },
                    name: parameter.name.clone(),
                    ty: parameter.ty,
                });
                continue;
            }
            _ => None,
        };
        let Some(value) = parameter.value.clone() else {
            continue;
        };
        values.insert(parameter.name.clone(), value.clone());
        if let Some(span) = was_given {
            judge(parameter, &value, span, &values, &mut checker, sources);
        }
    }
    match checker.diagnostics.is_empty() {
        true => Ok(bound),
        false => Err(checker.diagnostics),
    }
}

/// Reports a value for a name that is no hole of the plan.
fn refuse_unasked(
    plan: &Plan,
    name: &str,
    text: &str,
    checker: &mut Checker<'_>,
    sources: &mut Sources,
) {
    let known = plan.parameter(name);
    if known.is_some_and(|parameter| parameter.value.is_none()) {
        return;
    }
    let source = sources.add("--set", format!("{name}={text}"));
    let span = Span::new(source, 0, name.len());
    match known.and_then(|parameter| parameter.value.as_ref()) {
        Some(value) => checker.report(StatementError::AlreadyGiven {
            span,
            name: name.to_owned(),
            value: value.to_string(),
        }),
        None => checker.report(CheckError::UnknownParameter {
            span,
            name: name.to_owned(),
            candidates: plan
                .holes()
                .map(|parameter| parameter.name.clone())
                .collect(),
        }),
    }
}

/// Reports a value that what is known of its `where` refuses.
fn judge(
    parameter: &Parameter,
    value: &Value,
    span: Span,
    values: &BTreeMap<String, Value>,
    checker: &mut Checker<'_>,
    sources: &mut Sources,
) {
    let Some(bounds) = &parameter.bounds else {
        return;
    };
    let holds = match known(&bounds.condition, values) {
        Ok(Expr::Value(Value::Boolean(holds))) => holds,
        // The rest is proven at preflight.
        Ok(_) => return,
        Err(error) => return checker.report(CheckError::Calculation { span, error }),
    };
    if !holds {
        let (source, _) = quoted(parameter, sources);
        let whole = sources.get(source).map_or(0, |source| source.text.len());
        let start = whole.saturating_sub(bounds.text.len());
        checker.report(CheckError::OutOfBounds {
            span,
            name: parameter.name.clone(),
            value: format!("`{value}`"),
            bounds: Span::new(source, start, whole),
            text: bounds.text.clone(),
        });
    }
}

/// A parameter as the runbook says it, and where its name stands there.
fn quoted(parameter: &Parameter, sources: &mut Sources) -> (SourceId, Span) {
    let mut text = format!("param {}: {}", parameter.name, parameter.ty);
    if let Some(bounds) = &parameter.bounds {
        text.push_str(" where ");
        text.push_str(&bounds.text);
    }
    let source = sources.add("the plan", text);
    let start = "param ".len();
    (
        source,
        Span::new(source, start, start + parameter.name.len()),
    )
}

/// What is known of an expression with these values.
fn known(expr: &Expr, values: &BTreeMap<String, Value>) -> Result<Expr, ArithmeticError> {
    Ok(match expr {
        Expr::Parameter { name, .. } => match values.get(name) {
            Some(value) => Expr::Value(value.clone()),
            None => expr.clone(),
        },
        Expr::Not(inner) => match known(inner, values)? {
            Expr::Value(Value::Boolean(value)) => Expr::Value(Value::Boolean(!value)),
            inner => Expr::Not(Box::new(inner)),
        },
        Expr::Negate(inner) => match known(inner, values)? {
            Expr::Value(value) => {
                Expr::Value(combine(Operator::Subtract, &Value::Integer(0), &value)?)
            }
            inner => Expr::Negate(Box::new(inner)),
        },
        Expr::Binary {
            operator,
            left,
            right,
        } => {
            let (left, right) = (known(left, values)?, known(right, values)?);
            match one_side(*operator, &left, &right) {
                Some(Side::Left) => left,
                Some(Side::Right) => right,
                None => match (&left, &right) {
                    (Expr::Value(left), Expr::Value(right)) => {
                        Expr::Value(combine(*operator, left, right)?)
                    }
                    _ => Expr::Binary {
                        operator: *operator,
                        left: Box::new(left),
                        right: Box::new(right),
                    },
                },
            }
        }
        _ => expr.clone(),
    })
}

/// A side of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// The side that `and` and `or` amount to where only one side is known: `false and x` is `false`, `true and x` is `x`.
pub(super) fn one_side(operator: Operator, left: &Expr, right: &Expr) -> Option<Side> {
    let decides = match operator {
        Operator::And => false,
        Operator::Or => true,
        _ => return None,
    };
    match (left, right) {
        (Expr::Value(_), Expr::Value(_)) => None,
        (Expr::Value(Value::Boolean(value)), _) => Some(match *value == decides {
            true => Side::Left,
            false => Side::Right,
        }),
        (_, Expr::Value(Value::Boolean(value))) => Some(match *value == decides {
            true => Side::Right,
            false => Side::Left,
        }),
        _ => None,
    }
}
