//! `assert CONDITION [else "…"]`: fails the step unless the condition holds.
//!
//! ```rbk
//! assert checks of recovery pass
//! assert count(recovery.public.documents) > 0
//!   else "the snapshot is empty"
//! ```

use super::Meaning;
use super::replicate::complete;
use crate::check::{Checker, Typed};
use crate::lower::{Lowering, MINUTE, completed_by};
use crate::plan::{Action, Expr, Risk, Template};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Assert {
    condition: Typed,
    otherwise: Option<Template>,
}

impl Assert {
    pub(super) fn check(condition: &ast::Expr, otherwise: Option<&ast::Text>, checker: &mut Checker<'_>) -> Option<Self> {
        let condition = checker.condition(condition);
        let otherwise = otherwise.map(|text| checker.template(text));
        Some(Self { condition: condition?, otherwise })
    }
}

impl Meaning for Assert {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.demand_reads(&self.condition);
        flow.narrow(&self.condition.expr, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        lowering.relies_on_compared(&self.condition.expr);
        let summary = match &self.condition.expr {
            Expr::NoDrift { database: Some(database) } => {
                format!("prove that `{database}` has not drifted: its instance, its secrets and its schema are as the environment and its lock file say")
            }
            Expr::NoDrift { database: None } => nowhere_drifted(lowering),
            condition => format!("prove that {}", lowering.describe(condition)),
        };
        let action = Action::Assert { condition: self.condition.expr.clone(), otherwise: self.otherwise.clone() };
        // The first full scan of a restored volume fetches its blocks lazily: it may take long.
        lowering.action(Risk::Reads, 30 * MINUTE, summary, action);
        for replication in completed_by(&self.condition.expr) {
            complete(replication, lowering);
        }
    }
}

/// What `no drift` looks at: schemas as far as the lock file knows them.
fn nowhere_drifted(lowering: &Lowering<'_>) -> String {
    let databases = lowering.environment.databases.keys();
    let unknown: Vec<String> = databases.filter(|name| lowering.catalog(name).is_none()).map(|name| format!("`{name}`")).collect();
    let but = if unknown.is_empty() { String::new() } else { format!(" (but the schema of {}: the lock file doesn't know it)", unknown.join(", ")) };
    format!("prove that nothing has drifted: every database that is there, its secrets and its schema{but}, and that nothing of rbk's is left over")
}
