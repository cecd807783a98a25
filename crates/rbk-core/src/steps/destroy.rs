//! `destroy DB by its removal policy|with final snapshot [as "id"]|without final snapshot`: an instance goes, with its automated
//! backups. What becomes of its data is decided here, once: the plan says it.
//!
//! ```rbk
//! destroy recovery by its removal policy
//! destroy recovery with final snapshot as "before-the-return"
//! destroy recovery without final snapshot
//! ```

use super::Meaning;
use super::snapshot::is_identifier;
use crate::check::{Checker, StatementError};
use crate::environment::RemovalPolicy;
use crate::ids::{DatabaseName, InstanceId, SnapshotId};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, FinalSnapshot, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct Destroy {
    database: DatabaseName,
    instance: InstanceId,
    final_snapshot: FinalSnapshot,
}

impl Destroy {
    pub(super) fn check(database: &ast::Path, how: &ast::Removal, span: Span, checker: &mut Checker<'_>) -> Option<Self> {
        let name = checker.database(database);
        let final_snapshot = match how {
            ast::Removal::FinalSnapshot { id: None, .. } => Some(FinalSnapshot::Generated),
            ast::Removal::FinalSnapshot { id: Some(id), .. } => snapshot_id(id, checker).map(|id| FinalSnapshot::Named { id }),
            ast::Removal::WithoutFinalSnapshot { .. } => Some(FinalSnapshot::None),
            ast::Removal::ByPolicy { span: words } => match checker.database_facts(name.as_ref()?)?.removal_policy {
                RemovalPolicy::Snapshot => Some(FinalSnapshot::Generated),
                RemovalPolicy::Destroy => Some(FinalSnapshot::None),
                RemovalPolicy::Retain => {
                    let name = name.clone()?;
                    let declared = checker.places.database_key(&name, "removal_policy");
                    checker.report(StatementError::Retained { span: *words, statement: span, database: name, declared });
                    None
                }
            },
        };
        let name = name?;
        let facts = checker.database_facts(&name)?;
        let (instance, is_protected) = (facts.instance.clone(), facts.protect);
        if is_protected {
            let declared = checker.places.database_key(&name, "protect").or_else(|| checker.places.database(&name));
            checker.report(StatementError::Protected { span: database.span, database: name, declared });
            return None;
        }
        Some(Self { database: name, instance, final_snapshot: final_snapshot? })
    }
}

/// The identifier of a snapshot that is made.
fn snapshot_id(text: &ast::Text, checker: &mut Checker<'_>) -> Option<SnapshotId> {
    let id = checker.constant_text(text)?;
    if !is_identifier(&id) {
        checker.report(StatementError::SnapshotId { span: text.span, id });
        return None;
    }
    // RDS stores it so.
    Some(SnapshotId::new(id.to_ascii_lowercase()))
}

impl Meaning for Destroy {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.destroy(&self.database, &self.final_snapshot, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let (database, instance) = (&self.database, &self.instance);
        lowering.must_be_there(database);
        lowering.destroys(database);
        lowering.action(
            Risk::Changes,
            15 * MINUTE,
            format!("lift RDS's deletion protection of `{database}` (instance `{instance}`), if it is on"),
            Action::LiftProtection { database: database.clone(), instance: instance.clone() },
        );
        let left = match &self.final_snapshot {
            FinalSnapshot::None => "without a final snapshot: its data is gone".to_owned(),
            FinalSnapshot::Generated => "once its final snapshot is available".to_owned(),
            FinalSnapshot::Named { id } => format!("once its final snapshot `{id}` is available"),
        };
        lowering.action(
            Risk::Destroys,
            // A final snapshot of a large volume that has none before it takes hours.
            6 * 60 * MINUTE,
            format!("destroy `{database}` (instance `{instance}`) and its automated backups, {left}"),
            Action::DestroyInstance { database: database.clone(), instance: instance.clone(), final_snapshot: self.final_snapshot.clone() },
        );
    }
}
