//! Snapshots that the runbook takes, and restores to a point in time.

use super::Flow;
use crate::check::Typed;
use crate::ids::DatabaseName;
use rbk_syntax::Span;

impl Flow<'_> {
    /// `snapshot DB`
    pub(crate) fn take_snapshot(&mut self, database: &DatabaseName, span: Span) {
        let _ = (database, span);
        unimplemented!("contract: state")
    }

    /// `restore DB from SOURCE as of …`; `at` is absent for `latest`.
    pub(crate) fn restore_as_of(
        &mut self,
        database: &DatabaseName,
        source: &DatabaseName,
        at: Option<&Typed>,
        span: Span,
    ) {
        let _ = (database, source, at, span);
        unimplemented!("contract: state")
    }
}
