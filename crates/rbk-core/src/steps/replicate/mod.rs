//! `[let NAME =] replicate DB to DB with copy|dms { … }`: the rows of tables go from one database to another.
//!
//! | option of both | type | default |
//! | --- | --- | --- |
//! | `tables` | `schema.*`, `schema.table`, or a list of them | all tables of the source but the migration tool's own |
//! | `except` | the same, or a table's name alone: in whichever schema it is | none |

mod copy;
mod dms;
mod documents;
mod options;
mod tables;

use super::Meaning;
use crate::check::{Checker, SchemaError};
use crate::environment::{Migrations, TableName};
use crate::ids::DatabaseName;
use crate::lower::Lowering;
use crate::state::Flow;
use copy::ByCopy;
use dms::ByDms;
use options::Options;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;
use tables::{Picked, missing, picked};

#[derive(Debug, Clone)]
pub(crate) enum Replicate {
    Copy(ByCopy),
    Dms(Box<ByDms>),
}

/// As the runbook says it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) name: Option<&'a ast::Name>,
    pub(super) from: &'a ast::Path,
    pub(super) to: &'a ast::Path,
    pub(super) with: &'a ast::Name,
    pub(super) options: &'a [ast::Entry],
    pub(super) span: Span,
}

impl Replicate {
    pub(super) fn check(said: Said<'_>, checker: &mut Checker<'_>) -> Option<Self> {
        // The name is known from here on, whatever is wrong with the rest.
        let name = said.name.and_then(|name| checker.define_replication(name));
        let checked = match said.with.value.as_str() {
            "copy" => ByCopy::check(said, name, checker).map(Replicate::Copy),
            "dms" => ByDms::check(said, name, checker).map(|dms| Replicate::Dms(Box::new(dms))),
            word => {
                checker.report(SchemaError::UnknownMethod { span: said.with.span, name: word.to_owned() });
                None
            }
        };
        if let (None, Some(name)) = (&checked, said.name) {
            checker.breaks(name);
        }
        checked
    }
}

/// `let NAME = STATEMENT`, where the statement is one that yields something.
pub(super) fn check_named(name: &ast::Name, statement: &ast::Statement, checker: &mut Checker<'_>) -> Option<Replicate> {
    match &statement.kind {
        ast::StatementKind::Replicate { from, to, with, options } => {
            Replicate::check(Said { name: Some(name), from, to, with, options, span: statement.span }, checker)
        }
        // Nothing else is read as one.
        _ => {
            checker.unreadable();
            None
        }
    }
}

/// Which rows go where.
#[derive(Debug, Clone)]
struct Route {
    from: DatabaseName,
    to: DatabaseName,
    /// None of them a partition, in the order of their names.
    tables: Vec<TableName>,
    /// Those that the runbook leaves out by name.
    excepted: Vec<TableName>,
    /// The schemas that are named with all their tables.
    schemas: BTreeSet<String>,
}

impl Route {
    /// Resolves databases and tables. `None` where something was wrong; it has been reported.
    fn check(said: Said<'_>, options: &Options<'_>, checker: &mut Checker<'_>) -> Option<Self> {
        let (source, target) = (checker.database(said.from), checker.database(said.to));
        let (source, target) = (source?, target?);
        let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
        // Nothing can be picked out of a catalog that isn't there; that was reported.
        checker.catalog(&source, said.from.span)?;
        checker.catalog(&target, said.to.span)?;
        let wanted = match options.get("tables") {
            Some(entry) => picked("tables", &entry.value, &source, &own, checker),
            None => Some(Picked::all(checker.catalog(&source, said.from.span)?, &own)),
        };
        let excepted = match options.get("except") {
            Some(entry) => picked("except", &entry.value, &source, &own, checker),
            None => Some(Picked::default()),
        };
        let (wanted, excepted) = (wanted?, excepted?.tables);
        let tables: Vec<TableName> = wanted.tables.difference(&excepted).cloned().collect();
        if tables.is_empty() {
            checker.report(SchemaError::NothingToDo { span: said.span, why: "no table is left to copy".to_owned() });
        }
        // The migration tool's own are among them where the runbook names them: the state pass says that they aren't copied.
        Some(Self { from: source, to: target, tables, excepted: excepted.into_iter().collect(), schemas: wanted.schemas })
    }

    /// Demands that the target has these tables, with all columns that are copied.
    fn demand_there(&self, tables: &[TableName], to: &ast::Path, checker: &mut Checker<'_>) -> Option<()> {
        let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
        let here = checker.catalog(&self.from, to.span)?.clone();
        let there = checker.catalog(&self.to, to.span)?;
        let missing: Vec<String> = tables.iter().filter(|table| !own.contains(table)).filter_map(|table| missing(table, &here, there)).collect();
        let is_whole = missing.is_empty();
        for what in missing {
            checker.report(SchemaError::MissingThere { span: to.span, what, database: self.to.clone() });
        }
        is_whole.then_some(())
    }
}

impl Meaning for Replicate {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        match self {
            Replicate::Copy(copy) => copy.flow(flow, span),
            Replicate::Dms(dms) => dms.flow(flow, span),
        }
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        match self {
            Replicate::Copy(copy) => copy.lower(lowering),
            Replicate::Dms(dms) => dms.lower(lowering),
        }
    }
}

pub(in crate::steps) use dms::complete;

/// The cleanup of all replications of a plan that leave something at AWS, in the order of their names.
pub(crate) fn clean_up(lowering: &mut Lowering<'_>) {
    for name in lowering.begun() {
        dms::clean_up(&name, lowering);
    }
}
