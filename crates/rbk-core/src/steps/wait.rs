//! `await CONDITION within DURATION [every DURATION]`: observes at once, then backs off to the steady interval.
//!
//! ```rbk
//! await recovery is available within 60m every 15s
//! ```

use super::Meaning;
use super::replicate::complete;
use crate::check::{CheckError, Checker, Need, Typed};
use crate::lower::{Lowering, completed_by};
use crate::plan::{Action, Expr, Risk};
use crate::state::{Existence, Flow, StateError};
use crate::value::duration_text;
use rbk_syntax::{Span, ast};

/// The steady interval where none is said, in seconds: RDS asks not to be polled much more often.
const EVERY: u64 = 15;

#[derive(Debug, Clone)]
pub(crate) struct Await {
    condition: Typed,
    within: u64,
    every: u64,
}

impl Await {
    pub(super) fn check(condition: &ast::Expr, within: &ast::Expr, every: Option<&ast::Expr>, checker: &mut Checker<'_>) -> Option<Self> {
        let condition = checker.condition(condition);
        let deadline = checker.duration(within);
        let interval = every.map(|every| (checker.duration(every), every.span));
        let deadline = deadline?;
        if deadline == 0 {
            checker.report(CheckError::ZeroDeadline { span: within.span });
        }
        let every = match interval {
            None => EVERY.min(deadline.max(1)),
            Some((seconds, span)) => {
                let seconds = seconds?;
                if seconds == 0 {
                    checker.report(CheckError::ZeroInterval { span });
                } else if seconds > deadline {
                    checker.report(CheckError::IntervalPastDeadline { span, every: seconds, within: deadline, within_span: within.span });
                }
                seconds
            }
        };
        Some(Self { condition: condition?, within: deadline, every })
    }
}

impl Meaning for Await {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        for read in &self.condition.reads {
            let existence = flow.database(&read.database).existence;
            let waits_for_it = read.need == Need::LoginTried || matches!(self.condition.expr, Expr::Available { .. });
            let parted = flow.parted_by(&read.database, |state| state.existence, Existence::Absent);
            if waits_for_it && (existence.is(Existence::Absent) || parted.is_some()) {
                flow.error(StateError::NothingCreates { span: read.span, database: read.database.clone(), since: existence.since() });
                flow.tell_parted(parted, "absent");
            }
        }
        flow.demand_reads(&self.condition);
        flow.narrow_by_waiting(&self.condition.expr, self.within, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        lowering.relies_on_compared(&self.condition.expr);
        let summary = format!(
            "wait until {}, at most {}, looking every {}",
            lowering.describe(&self.condition.expr),
            duration_text(self.within),
            duration_text(self.every)
        );
        let action = Action::Await { condition: self.condition.expr.clone(), within: self.within, every: self.every };
        lowering.action(Risk::Reads, self.within, summary, action);
        for replication in completed_by(&self.condition.expr) {
            complete(replication, lowering);
        }
    }
}
