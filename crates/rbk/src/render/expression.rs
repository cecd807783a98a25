//! Expressions of a plan in the language's own words, with what is only known later marked as a hole.

use super::colour::{Paint, printable};
use rbk_core::plan::{Action, Expr, Operator, Plan, Preflight, Template, TemplatePart};
use rbk_core::value::Value;
use std::collections::BTreeMap;

/// Writes expressions of one plan.
pub struct Wording<'a> {
    /// What each `let` reads, and when.
    bindings: BTreeMap<&'a str, (&'a Expr, String)>,
    paint: Paint,
}

impl<'a> Wording<'a> {
    /// Learns the plan's `let`s.
    pub fn of(plan: &'a Plan, paint: Paint) -> Self {
        let mut bindings = BTreeMap::new();
        for preflight in &plan.preflight {
            if let Preflight::Observe { name, expr, .. } = preflight {
                bindings.insert(name.as_str(), (expr, "read at preflight".to_owned()));
            }
        }
        for planned in plan.actions() {
            if let Action::Observe { name, expr, .. } = &planned.action {
                bindings.insert(name.as_str(), (expr, format!("read by {}", planned.id)));
            }
        }
        Self { bindings, paint }
    }

    /// An expression; what isn't known yet stands in ‹…›.
    pub fn expr(&self, expr: &Expr) -> String {
        self.nested(expr, 0)
    }

    /// A text; its `{…}` parts that aren't known yet stand in ‹…›.
    pub fn template(&self, template: &Template) -> String {
        template
            .0
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => printable(text),
                TemplatePart::Expr(Expr::Value(value)) => printable(&value.to_string()),
                TemplatePart::Expr(expr @ Expr::Binding { .. }) => self.expr(expr),
                TemplatePart::Expr(expr) => self.hole(&self.plain().expr(expr)),
            })
            .collect()
    }

    fn hole(&self, text: &str) -> String {
        self.paint.cyan(format_args!("‹{text}›"))
    }

    /// For words within a hole.
    fn plain(&self) -> Wording<'static> {
        Wording {
            bindings: BTreeMap::new(),
            paint: Paint::PLAIN,
        }
    }

    /// What a `let` stands for, without a hole inside the hole.
    fn binding(&self, name: &str) -> String {
        match self.bindings.get(name) {
            Some((expr, when)) => {
                format!("{name}: {}, {when}", self.plain().expr(expr))
            }
            None => name.to_owned(),
        }
    }

    /// `around` is how tightly the operator outside binds; what binds looser gets parentheses.
    fn nested(&self, expr: &Expr, around: u8) -> String {
        match expr {
            Expr::Value(value) => literal(value),
            Expr::Binding { name, .. } if self.bindings.is_empty() => name.clone(),
            Expr::Binding { name, .. } => self.hole(&self.binding(name)),
            Expr::Now => "now".to_owned(),
            Expr::Age(of) => format!("age({})", self.nested(of, 0)),
            Expr::Count { database, table } => format!("count({database}.{table})"),
            Expr::Query { database, sql, ty } => {
                format!("query({database}, {}) as {ty}", quoted(sql))
            }
            Expr::LatestSnapshot { database } => format!("latest snapshot of {database}"),
            Expr::Snapshot { id, database } => {
                format!("snapshot \"{}\" of {database}", self.template(id))
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
            Expr::Not(inner) => format!("not {}", self.nested(inner, 6)),
            Expr::Negate(inner) => format!("-{}", self.nested(inner, 6)),
            Expr::Binary {
                operator,
                left,
                right,
            } => {
                let (symbol, strength) = operator_words(*operator);
                let text = format!(
                    "{} {symbol} {}",
                    self.nested(left, strength),
                    self.nested(right, strength + 1)
                );
                if strength < around {
                    format!("({text})")
                } else {
                    text
                }
            }
        }
    }
}

/// A value as it would be written in a runbook.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        other => printable(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        printable(&text.replace('\\', "\\\\").replace('"', "\\\""))
    )
}

/// How an operator is written, and how tightly it binds.
fn operator_words(operator: Operator) -> (&'static str, u8) {
    match operator {
        Operator::Or => ("or", 1),
        Operator::And => ("and", 2),
        Operator::Equal => ("==", 3),
        Operator::NotEqual => ("!=", 3),
        Operator::Less => ("<", 3),
        Operator::LessOrEqual => ("<=", 3),
        Operator::Greater => (">", 3),
        Operator::GreaterOrEqual => (">=", 3),
        Operator::Add => ("+", 4),
        Operator::Subtract => ("-", 4),
        Operator::Multiply => ("*", 5),
        Operator::Divide => ("/", 5),
    }
}
