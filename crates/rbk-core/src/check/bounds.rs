//! `param … where CONDITION`: what is known of it is judged at once, the rest is proven at preflight.

use super::error::CheckError;
use super::{Checker, Precondition, one_line};
use crate::plan::{Bounds, Expr, TemplatePart};
use crate::value::Value;
use rbk_syntax::{Sources, Span, ast};

impl Checker<'_> {
    /// The bounds of a parameter that was just defined. `value` is what it is and where that was given, unless it is a hole.
    pub(super) fn bounds(
        &mut self,
        param: &ast::Param,
        value: Option<(Value, Span)>,
        sources: &Sources,
        unproven: &mut Vec<Precondition>,
    ) -> Option<Bounds> {
        let written = param.bounds.as_ref()?;
        self.in_bounds = true;
        let condition = self.condition(written);
        self.in_bounds = false;
        // To be bounded is no use.
        self.scope.forget_use(&param.name.value);
        let condition = condition?;
        if let Some(what) = foreign(&condition.expr) {
            self.report(CheckError::NotInBounds {
                span: written.span,
                what,
            });
            return None;
        }
        let text = one_line(sources.text(written.span));
        let bounds = Bounds {
            condition: condition.expr.clone(),
            text: text.clone(),
        };
        match condition.expr {
            Expr::Value(Value::Boolean(true)) => {}
            Expr::Value(_) => {
                let (shown, span) = match value {
                    Some((value, span)) => (Some(value.to_string()), span),
                    None => (None, param.name.span),
                };
                self.report(CheckError::OutOfBounds {
                    span,
                    name: param.name.value.clone(),
                    value: shown,
                    bounds: written.span,
                    text,
                });
            }
            _ => unproven.push(Precondition::Require {
                text: format!("where {text}"),
                otherwise: None,
                condition,
            }),
        }
        Some(bounds)
    }
}

/// What a condition of `where` reads that can't be read there: it is judged before a login is tried, and whoever gives the
/// value should be able to judge it, too.
fn foreign(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Value(_)
        | Expr::Binding { .. }
        | Expr::Parameter { .. }
        | Expr::Now
        | Expr::RestorableFrom { .. }
        | Expr::RestorableUntil { .. }
        | Expr::Retention { .. }
        | Expr::SnapshotGap { .. }
        | Expr::OldestSnapshot { .. }
        | Expr::LatestSnapshot { .. }
        | Expr::Exists { .. }
        | Expr::Available { .. }
        | Expr::Uses { .. }
        | Expr::ActiveSecret { .. }
        | Expr::SourceSnapshot { .. } => None,
        Expr::Snapshot { id, .. } => id.0.iter().find_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Expr(expr) => foreign(expr),
        }),
        Expr::Age(inner) | Expr::Not(inner) | Expr::Negate(inner) => foreign(inner),
        Expr::Binary { left, right, .. } => foreign(left).or_else(|| foreign(right)),
        Expr::Query { .. } => Some("a query"),
        Expr::Count { .. } => Some("a count of rows"),
        Expr::Size { .. } => Some("a size"),
        Expr::Matches { .. } => Some("a comparison of rows"),
        Expr::ChecksPass { .. } => Some("a check of data"),
        Expr::NoDrift { .. } | Expr::AsLocked { .. } => Some("a comparison with the lock file"),
        Expr::AcceptsConnections { .. } => Some("a login"),
        Expr::HasLeft { .. } | Expr::Healthy { .. } => Some("the state of an application"),
        Expr::Complete { .. } | Expr::Figure { .. } => Some("a replication"),
    }
}
