//! `freeze writes on DB [if reachable]`: no application can write; proven by write counters that stand still.
//!
//! ```rbk
//! freeze writes on original if reachable
//! ```

use super::Meaning;
use crate::check::Checker;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Freeze, Risk};
use crate::state::{Flow, Writes};
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct FreezeWrites {
    database: DatabaseName,
    if_reachable: bool,
}

impl FreezeWrites {
    pub(super) fn check(database: &ast::Path, if_reachable: bool, checker: &mut Checker<'_>) -> Option<Self> {
        Some(Self { database: checker.database(database)?, if_reachable })
    }
}

impl Meaning for FreezeWrites {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        let writes = if self.if_reachable {
            Writes::FrozenIfReachable
        } else {
            flow.demand_available(&self.database, span);
            Writes::Frozen
        };
        flow.change(&self.database, |state| state.writes.set(writes, span));
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let freeze = lowering.freeze(&self.database);
        let how = match &freeze {
            Freeze::NoLogin { roles } => format!("NOLOGIN for {}, their sessions ended", names(roles)),
            Freeze::ReadOnly => "read-only by default, other sessions ended (the weaker kind: a session can override it)".to_owned(),
        };
        let skipped = if self.if_reachable { "; skipped where it can't be reached" } else { "" };
        lowering.action(
            Risk::Changes,
            3 * MINUTE,
            format!("stop writes on `{}`: {how}, and watch its write counters stand still{skipped}", self.database),
            Action::FreezeWrites { database: self.database.clone(), freeze, if_reachable: self.if_reachable },
        );
    }
}

pub(super) fn names(roles: &[crate::ids::RoleName]) -> String {
    roles.iter().map(|role| format!("role `{role}`")).collect::<Vec<_>>().join(" and ")
}
