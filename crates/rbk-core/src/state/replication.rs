//! Replications and what ends a database's life: what they need, and what they leave behind.

use super::{DmsLoad, Flow};
use crate::ids::DatabaseName;
use crate::plan::FinalSnapshot;
use rbk_syntax::Span;

impl Flow<'_> {
    /// `let NAME = replicate … with dms`: as [`Flow::replicate`], and what DMS needs besides. Nothing is loaded for certain before it
    /// is seen to be complete.
    pub(crate) fn replicate_by_dms(&mut self, _load: &DmsLoad, _span: Span) {
        unimplemented!("contract")
    }

    /// A replication has been seen to be complete.
    pub(super) fn completed(&mut self, _name: &str, _span: Span) {
        unimplemented!("contract")
    }

    /// `destroy DB …`
    pub(crate) fn destroy(
        &mut self,
        _database: &DatabaseName,
        _final_snapshot: &FinalSnapshot,
        _span: Span,
    ) {
        unimplemented!("contract")
    }

    /// `keep writes frozen on DB because "…"`
    pub(crate) fn keep_frozen(&mut self, _database: &DatabaseName, _span: Span) {
        unimplemented!("contract")
    }
}
