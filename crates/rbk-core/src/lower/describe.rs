//! Expressions in words, as plans show them.

use crate::plan::{Expr, Template, TemplatePart};
use std::collections::BTreeMap;

/// An expression in words. A `let` is a hole: `‹snap: latest snapshot of original›`.
pub(super) fn expression(expr: &Expr, bindings: &BTreeMap<String, Expr>) -> String {
    let say = |expr: &Expr| expression(expr, bindings);
    match expr {
        Expr::Value(value) => value.to_string(),
        Expr::Binding { name, .. } => match bindings.get(name) {
            Some(bound) => format!("‹{name}: {}›", say(bound)),
            None => format!("‹{name}›"),
        },
        Expr::Now => "now".to_owned(),
        Expr::Age(inner) => format!("age of {}", say(inner)),
        Expr::Count { database, table } => format!("rows of {database}.{table}"),
        Expr::Query { database, sql, ty } => format!(
            "`{}` on {database} as {ty}",
            sql.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        Expr::LatestSnapshot { database } => format!("latest snapshot of {database}"),
        Expr::Snapshot { id, database } => {
            format!("snapshot {} of {database}", template(id, bindings))
        }
        Expr::Exists { database } => format!("{database} exists"),
        Expr::Available { database } => format!("{database} is available"),
        Expr::AcceptsConnections { database } => format!("{database} accepts connections"),
        Expr::ChecksPass { database } => format!("checks of {database} pass"),
        Expr::Healthy { application } => format!("{application} is healthy"),
        Expr::Uses {
            application,
            database,
        } => format!("{application} uses {database}"),
        Expr::HasLeft {
            application,
            database,
        } => format!("{application} has left {database}"),
        Expr::Not(inner) => format!("not ({})", say(inner)),
        Expr::Negate(inner) => format!("-{}", say(inner)),
        Expr::Binary {
            operator,
            left,
            right,
        } => format!(
            "{} {} {}",
            operand(left, bindings),
            operator.symbol(),
            operand(right, bindings)
        ),
    }
}

/// A text whose computed parts are holes.
pub(super) fn template(template: &Template, bindings: &BTreeMap<String, Expr>) -> String {
    let mut text = String::new();
    for part in &template.0 {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Expr(expr @ Expr::Binding { .. }) => {
                text.push_str(&expression(expr, bindings))
            }
            TemplatePart::Expr(expr) => {
                text.push('‹');
                text.push_str(&expression(expr, bindings));
                text.push('›');
            }
        }
    }
    text
}

fn operand(expr: &Expr, bindings: &BTreeMap<String, Expr>) -> String {
    match expr {
        Expr::Binary { .. } => format!("({})", expression(expr, bindings)),
        _ => expression(expr, bindings),
    }
}
