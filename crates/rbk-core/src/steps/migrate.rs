//! `migrate DB`: the environment's migration tool brings the schema up.
//!
//! After a `recreate schema`, what roles may do on the new tables is put back, and who owns them: rbk's own login has made
//! them, and in production that may be another role. The result is proven to be what the
//! lock file says: everything that follows is lowered from it.
//!
//! ```rbk
//! migrate original
//! ```

use super::Meaning;
use super::recreate_schema::grants;
use crate::catalog::Catalog;
use crate::check::{Checker, SchemaError};
use crate::environment::{Migrations, MigrationTool, TableName};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Change, Risk};
use crate::sql::{quote_identifier, quote_name};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct Migrate {
    database: DatabaseName,
    migrations: Migrations,
}

impl Migrate {
    pub(super) fn check(database: &ast::Path, span: Span, checker: &mut Checker<'_>) -> Option<Self> {
        let database = checker.database(database)?;
        let Some(migrations) = checker.environment.migrations.clone() else {
            let environment = checker.environment.name.clone();
            checker.report(SchemaError::NoMigrations { span, environment });
            return None;
        };
        Some(Self { database, migrations })
    }
}

impl Meaning for Migrate {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.migrate(&self.database, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let tool = match self.migrations.tool {
            MigrationTool::Liquibase => "Liquibase",
        };
        lowering.action(
            Risk::Changes,
            self.migrations.within,
            format!(
                "let {tool} bring the schema of `{}` up, by `{}`",
                self.database,
                self.migrations.changelog.display()
            ),
            Action::Migrate { database: self.database.clone(), migrations: self.migrations.clone() },
        );
        let recreated = lowering.ledger.recreated_schemas(&self.database);
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        for schema in &recreated {
            let own = lowering.own_tables();
            let mut statements = object_grants(catalog, schema, &own);
            statements.extend(owners(catalog, schema, &own));
            if !statements.is_empty() {
                lowering.change_schema(
                    Risk::Changes,
                    10 * MINUTE,
                    format!("put back what roles may do on the tables, views and sequences of `{}.{schema}`, and who owns its tables", self.database),
                    &self.database,
                    (Change::RestoreGrants { schema: schema.clone() }, statements),
                );
            }
        }
        // Where something else was altered meanwhile, it can't be as the lock file says.
        if !recreated.is_empty() && lowering.ledger.is_clean(&self.database) {
            lowering.proves_no_drift(&self.database);
        }
    }
}

/// Privileges on tables, views and sequences, but for the migration tool's own tables.
fn object_grants(catalog: &Catalog, name: &str, ignored: &[TableName]) -> Vec<String> {
    let Some(schema) = catalog.schemas.get(name) else {
        return Vec::new();
    };
    let tables = schema.tables.iter().filter(|(table, _)| {
        !ignored.iter().any(|ignored| ignored.schema == name && ignored.table == **table)
    });
    let tables = tables.map(|(object, table)| ("TABLE", object, &table.grants));
    let views = schema.views.iter().map(|(object, view)| ("TABLE", object, &view.grants));
    let sequences = schema.sequences.iter().map(|(object, sequence)| ("SEQUENCE", object, &sequence.grants));
    tables
        .chain(views)
        .chain(sequences)
        .flat_map(|(kind, object, privileges)| grants(privileges, &format!("{kind} {}", quote_name(name, object)), ""))
        .collect()
}

/// Who owns tables. The migration tool's own tables belong to whom all others do, where that is one role: it is the one that
/// migrates in production, and could not do it any more otherwise. Their sequences follow them.
fn owners(catalog: &Catalog, name: &str, own: &[TableName]) -> Vec<String> {
    let Some(schema) = catalog.schemas.get(name) else {
        return Vec::new();
    };
    let own: Vec<&str> = own.iter().filter(|table| table.schema == name).map(|table| table.table.as_str()).collect();
    let tables = || schema.tables.iter().filter(|(table, _)| !own.contains(&table.as_str()));
    let owned = |how: &str, table: &str, owner: &str| {
        format!("ALTER TABLE {how}{} OWNER TO {}", quote_name(name, table), quote_identifier(owner))
    };
    let mut all: Vec<String> = tables().map(|(table, facts)| owned("", table, &facts.owner)).collect();
    let everybody: BTreeSet<&str> = tables().map(|(_, facts)| facts.owner.as_str()).collect();
    if let [owner] = everybody.into_iter().collect::<Vec<_>>().as_slice() {
        all.extend(own.iter().map(|table| owned("IF EXISTS ", table, owner)));
    }
    all
}
