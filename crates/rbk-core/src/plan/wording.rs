//! Expressions of a plan in the language's own words, with what is only known later marked as a hole.

use super::{Action, Expr, Operator, Plan, Preflight, Template, TemplatePart};
use crate::value::Value;
use std::collections::BTreeMap;

/// How what is written is dressed: a terminal has colours, and must not be fed control characters.
pub trait Dress {
    /// What isn't known yet: `snap: latest snapshot of original`.
    fn hole(&self, text: &str) -> String {
        format!("‹{text}›")
    }

    /// Text that comes from outside.
    fn text(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// As it is, for what is stored.
#[derive(Debug, Clone, Copy)]
pub struct Undressed;

impl Dress for Undressed {}

/// Writes expressions of one plan.
pub struct Wording<'a, D> {
    bindings: Bindings<'a>,
    dress: D,
}

/// What each `let` reads.
enum Bindings<'a> {
    /// Within a hole, names stand for themselves.
    Names,
    /// Borrowed from whoever lowers: made anew for each action, it must not cost what all `let`s cost.
    Lowered(&'a BTreeMap<String, Expr>),
    /// And when.
    Planned(BTreeMap<&'a str, (&'a Expr, String)>),
}

impl Wording<'static, Undressed> {
    /// Names stand for themselves, and nothing is marked as a hole: as a runbook writes it.
    pub(crate) fn by_names() -> Self {
        Self {
            bindings: Bindings::Names,
            dress: Undressed,
        }
    }
}

impl<'a> Wording<'a, Undressed> {
    /// Knows what some `let`s read, but not when.
    pub(crate) fn knowing(bindings: &'a BTreeMap<String, Expr>) -> Self {
        Self {
            bindings: Bindings::Lowered(bindings),
            dress: Undressed,
        }
    }
}

impl<'a, D: Dress> Wording<'a, D> {
    /// Learns the plan's `let`s.
    pub fn of(plan: &'a Plan, dress: D) -> Self {
        let mut bindings = BTreeMap::new();
        for preflight in &plan.preflight {
            if let Preflight::Observe { name, expr, .. } = preflight {
                bindings.insert(name.as_str(), (expr, ", read at preflight".to_owned()));
            }
        }
        for planned in plan.actions() {
            if let Action::Observe { name, expr, .. } = &planned.action {
                bindings.insert(name.as_str(), (expr, format!(", read by {}", planned.id)));
            }
        }
        Self {
            bindings: Bindings::Planned(bindings),
            dress,
        }
    }

    /// Learns the plan's `let`s, and what some of them would be now.
    pub fn seeing(plan: &'a Plan, dress: D, seen: &BTreeMap<String, String>) -> Self {
        let mut wording = Self::of(plan, dress);
        if let Bindings::Planned(bindings) = &mut wording.bindings {
            for (name, text) in seen {
                if let Some((_, when)) = bindings.get_mut(name.as_str()) {
                    *when = format!(" = {text}");
                }
            }
        }
        wording
    }

    /// An expression; what isn't known yet stands in ‹…›.
    pub fn expr(&self, expr: &Expr) -> String {
        self.nested(expr, 0)
    }

    /// A text; its `{…}` parts that aren't known yet stand in ‹…›.
    pub fn template(&self, template: &Template) -> String {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => self.dress.text(text),
            TemplatePart::Expr(Expr::Value(value)) => self.dress.text(&value.to_string()),
            TemplatePart::Expr(expr @ (Expr::Binding { .. } | Expr::Parameter { .. })) => {
                self.expr(expr)
            }
            TemplatePart::Expr(expr) => self.dress.hole(&self.within_a_hole(expr)),
        };
        template.0.iter().map(part).collect()
    }

    /// An expression as it stands within a hole: without a hole inside the hole.
    fn within_a_hole(&self, expr: &Expr) -> String {
        self.dress.text(&Wording::by_names().expr(expr))
    }

    /// A `let`: what it stands for is a hole.
    fn binding(&self, name: &str) -> String {
        let (expr, when) = match &self.bindings {
            Bindings::Names => return name.to_owned(),
            Bindings::Lowered(bindings) => (bindings.get(name), ""),
            Bindings::Planned(bindings) => match bindings.get(name) {
                Some((expr, when)) => (Some(*expr), when.as_str()),
                None => (None, ""),
            },
        };
        self.dress.hole(&match expr {
            Some(expr) => format!("{name}: {}{when}", self.within_a_hole(expr)),
            None => name.to_owned(),
        })
    }

    /// `around` is how tightly the operator outside binds; what binds looser gets parentheses.
    fn nested(&self, expr: &Expr, around: u8) -> String {
        match expr {
            Expr::Value(value) => self.literal(value),
            Expr::Binding { name, .. } => self.binding(name),
            Expr::Parameter { name, .. } => match &self.bindings {
                Bindings::Names => name.clone(),
                Bindings::Lowered(_) | Bindings::Planned(_) => self.dress.hole(name),
            },
            Expr::RestorableFrom { database } => format!("restorable_from({database})"),
            Expr::RestorableUntil { database } => format!("restorable_until({database})"),
            Expr::Retention { database } => format!("retention({database})"),
            Expr::SnapshotGap { database } => format!("snapshot_gap({database})"),
            Expr::OldestSnapshot { database } => format!("oldest snapshot of {database}"),
            Expr::Now => "now".to_owned(),
            Expr::Age(of) => format!("age({})", self.nested(of, 0)),
            Expr::Count { database, table } => format!("count({database}.{table})"),
            Expr::Query { database, sql, ty } => {
                format!("query({database}, {}) as {ty}", self.quoted(sql))
            }
            Expr::LatestSnapshot { database } => format!("latest snapshot of {database}"),
            Expr::Snapshot { id, database } => {
                format!("snapshot \"{}\" of {database}", self.template(id))
            }
            Expr::Exists { database } => format!("{database} exists"),
            Expr::Available { database } => format!("{database} is available"),
            Expr::AcceptsConnections { database } => format!("{database} accepts connections"),
            Expr::ChecksPass { database } => format!("checks of {database} pass"),
            Expr::Matches {
                left_path,
                right_path,
                ..
            } => format!("{left_path} matches {right_path}"),
            Expr::NoDrift { database: None } => "no drift".to_owned(),
            Expr::NoDrift {
                database: Some(database),
            } => format!("no drift in {database}"),
            Expr::AsLocked { database } => format!("{database} is as the lock file says"),
            Expr::Complete { replication } => format!("{replication} is complete"),
            Expr::Figure {
                replication,
                figure,
            } => format!("{replication}.{}", figure.name()),
            Expr::ActiveSecret { application } => format!("active_secret({application})"),
            Expr::SourceSnapshot { database } => format!("source_snapshot({database})"),
            Expr::Size { database, table } => match table {
                Some(table) => format!("size({database}.{table})"),
                None => format!("size({database})"),
            },
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
                let (symbol, strength) = (operator.symbol(), strength(*operator));
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

    /// A value as it would be written in a runbook.
    pub fn literal(&self, value: &Value) -> String {
        match value {
            Value::Text(text) => self.quoted(text),
            other => self.dress.text(&other.to_string()),
        }
    }

    fn quoted(&self, text: &str) -> String {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", self.dress.text(&escaped))
    }
}

/// How tightly an operator binds.
fn strength(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 1,
        Operator::And => 2,
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => 3,
        Operator::Add | Operator::Subtract => 4,
        Operator::Multiply | Operator::Divide => 5,
    }
}
