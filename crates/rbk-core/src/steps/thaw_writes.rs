//! `thaw writes on DB [if reachable]`: the reverse of `freeze writes`.
//!
//! ```rbk
//! thaw writes on original if reachable
//! ```

use super::Meaning;
use super::freeze_writes::names;
use crate::check::Checker;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Freeze, Risk};
use crate::state::{Flow, StateError, Writes};
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct ThawWrites {
    database: DatabaseName,
    if_reachable: bool,
}

impl ThawWrites {
    pub(super) fn check(database: &ast::Path, if_reachable: bool, checker: &mut Checker<'_>) -> Option<Self> {
        Some(Self { database: checker.database(database)?, if_reachable })
    }
}

impl Meaning for ThawWrites {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        if !self.if_reachable {
            flow.demand_available(&self.database, span);
        }
        flow.demand_not_copied(&self.database, span);
        let writes = flow.database(&self.database).writes;
        // One that nobody uses may have been left frozen by the runbook that switched away from it.
        let in_use = flow.possible_user(&self.database).is_some();
        if in_use && !writes.may_be(Writes::FrozenIfReachable) && (writes.is(Writes::Open) || writes.since().is_none()) {
            flow.error(StateError::NeverFrozen { span, database: self.database.clone() });
        }
        flow.change(&self.database, |state| state.writes.set(Writes::Open, span));
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let freeze = lowering.freeze(&self.database);
        let how = match &freeze {
            Freeze::NoLogin { roles } => format!("LOGIN for {}", names(roles)),
            Freeze::ReadOnly => "no longer read-only by default".to_owned(),
        };
        let skipped = if self.if_reachable { "; skipped where it can't be reached" } else { "" };
        lowering.action(
            Risk::Changes,
            2 * MINUTE,
            format!("let writes on `{}` again: {how}{skipped}", self.database),
            Action::ThawWrites { database: self.database.clone(), freeze, if_reachable: self.if_reachable },
        );
    }
}
