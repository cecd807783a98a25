//! `restore DB from DB as of TIME`, `… as of latest`: a new instance as the environment describes it, with another one's past.
//!
//! Like one from a snapshot it has no endpoint and no known password yet: `await … is available` and `set credentials` follow. A time
//! that can't be reached is refused before anything happens. `latest` is read when the run gets there, journaled, and sent as a time;
//! it is usually about five minutes ago.
//!
//! ```rbk
//! restore recovery from original as of 2026-11-22T09:15:00Z
//! ```

use super::Meaning;
use crate::check::{Checker, Typed};
use crate::ids::{DatabaseName, InstanceId};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, AsOf, Risk};
use crate::state::Flow;
use crate::value::Type;
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct RestoreAsOf {
    database: DatabaseName,
    source: DatabaseName,
    source_instance: InstanceId,
    /// Absent: the newest.
    at: Option<Typed>,
}

impl RestoreAsOf {
    pub(super) fn check(database: &ast::Path, source: &ast::Path, at: &ast::AsOf, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, source_name) = (checker.database(database), checker.database(source));
        let at = match at {
            ast::AsOf::Latest { .. } => Some(None),
            ast::AsOf::Time(at) => checker.expression_of(at, Type::Time).map(Some),
        };
        let source_name = source_name?;
        let source_instance = checker.database_facts(&source_name)?.instance.clone();
        Some(Self { database: database?, source: source_name, source_instance, at: at? })
    }
}

impl Meaning for RestoreAsOf {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.restore_as_of(&self.database, &self.source, self.at.as_ref(), span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(facts) = lowering.environment.database(&self.database) else { return };
        let settings = lowering.settings(facts);
        let at = match &self.at {
            None => AsOf::Latest,
            Some(at) => AsOf::Time { at: at.expr.clone() },
        };
        let when = match &self.at {
            None => "the newest instant that can be restored then".to_owned(),
            Some(at) => lowering.describe(&at.expr),
        };
        let summary = format!(
            "create instance `{}` from `{}` (instance `{}`) as of {when}",
            facts.instance, self.source, self.source_instance
        );
        lowering.must_be_absent(&self.database);
        lowering.must_be_restorable(&self.source, &self.source_instance, &at);
        lowering.action(
            Risk::Creates,
            5 * MINUTE,
            summary,
            Action::RestoreToPointInTime { database: self.database.clone(), source: self.source.clone(), at, settings },
        );
    }
}
