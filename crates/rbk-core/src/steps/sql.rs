//! `sql on DB "…"`: the way out, for what no statement says. Shown in full, marked `unchecked`, never trusted by the checker.
//!
//! It runs in one transaction with the run's marker, like every change of a schema, so it can hold neither a `COMMIT` nor
//! what Postgres runs outside of transactions only. The plan takes the worst of it: that it destroys something.
//!
//! ```rbk
//! sql on original "UPDATE public.jobs SET state = 'idle'"
//! ```

use super::Meaning;
use super::alter_columns::plain_names;
use crate::check::{Checker, SchemaError};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Change, Risk};
use crate::sql::{is_empty, outside_a_transaction};
use crate::state::Flow;
use rbk_syntax::{Span, ast};

/// How long it may take: nobody knows what it does, so it is the longest that a person would still wait for.
const WITHIN: u64 = 6 * 60 * MINUTE;

#[derive(Debug, Clone)]
pub(crate) struct Sql {
    database: DatabaseName,
    sql: String,
}

impl Sql {
    pub(super) fn check(database: &ast::Path, sql: &ast::Text, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, text) = (checker.database(database), checker.constant_text(sql));
        let (database, text) = (database?, text?);
        let error = match outside_a_transaction(&text) {
            Some(words) => SchemaError::NotInTransaction { span: sql.span, words },
            None if is_empty(&text) => SchemaError::EmptySql { span: sql.span },
            None => return Some(Self { database, sql: text }),
        };
        checker.report(error);
        None
    }
}

impl Meaning for Sql {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.unchecked_sql(&self.database, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        lowering.ledger.run_unchecked(&self.database);
        lowering.change_schema_with(
            Risk::Destroys,
            WITHIN,
            format!("run SQL on `{}` that nobody has checked", self.database),
            &self.database,
            (Change::Unchecked, vec![self.sql.clone()]),
            plain_names(),
        );
    }
}
