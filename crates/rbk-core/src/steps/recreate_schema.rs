//! `recreate schema DB.SCHEMA`: drops a schema with all that is in it and creates it again, empty.
//!
//! `DROP SCHEMA … CASCADE` takes more than tables: extensions, grants and default privileges are put back in the same
//! transaction, as the lock file says them, and shown in the plan. What roles may do on tables follows `migrate`, when
//! the tables are there again. An extension gets the lock file's version: another one would be found out too late.
//!
//! ```rbk
//! recreate schema original.public
//! ```

use super::Meaning;
use crate::catalog::{Catalog, Grants};
use crate::check::Checker;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Change, Risk};
use crate::sql::{quote_identifier, quote_literal};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct RecreateSchema {
    database: DatabaseName,
    schema: String,
}

impl RecreateSchema {
    pub(super) fn check(schema: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, schema) = checker.schema(schema)?;
        Some(Self { database, schema })
    }
}

impl Meaning for RecreateSchema {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.recreate_schema(&self.database, &self.schema, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        lowering.relies_on_surroundings(&self.database, &self.schema);
        lowering.ledger.recreate(&self.database, &self.schema);
        let extensions = extensions(catalog, &self.schema);
        let names: Vec<String> = extensions.iter().map(|(name, _)| format!("`{name}`")).collect();
        let with = match names.as_slice() {
            [] => String::new(),
            [one] => format!("extension {one}, "),
            several => format!("extensions {}, ", several.join(", ")),
        };
        lowering.change_schema(
            Risk::Destroys,
            30 * MINUTE,
            format!(
                "drop schema `{}` of `{}` with everything in it and create it again, empty, with its owner, {with}grants and default privileges",
                self.schema, self.database
            ),
            &self.database,
            (
                Change::RecreateSchema { schema: self.schema.clone() },
                statements(catalog, &self.schema, &extensions),
            ),
        );
    }
}

/// Everything that drops a schema and makes it again but for its tables.
fn statements(catalog: &Catalog, name: &str, extensions: &[(&str, &str)]) -> Vec<String> {
    let Some(schema) = catalog.schemas.get(name) else {
        return Vec::new();
    };
    let quoted = quote_identifier(name);
    let mut all = vec![
        format!("DROP SCHEMA IF EXISTS {quoted} CASCADE"),
        format!("CREATE SCHEMA {quoted} AUTHORIZATION {}", quote_identifier(&schema.owner)),
    ];
    if let Some(comment) = &schema.comment {
        all.push(format!("COMMENT ON SCHEMA {quoted} IS {}", quote_literal(comment)));
    }
    for (extension, version) in extensions {
        all.push(format!(
            "CREATE EXTENSION {} WITH SCHEMA {quoted} VERSION {}",
            quote_identifier(extension),
            quote_literal(version)
        ));
    }
    all.extend(grants(&schema.grants, &format!("SCHEMA {quoted}"), ""));
    for defaults in &schema.default_privileges {
        let creator = quote_identifier(&defaults.creator);
        let prefix = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {creator} IN SCHEMA {quoted} ");
        all.extend(grants(&defaults.grants, &keyword(&defaults.objects), &prefix));
    }
    all
}

/// Extensions that need others whose names come later: all else goes by name.
/// Source: `requires` in the extensions' own control files.
const LATE: [&str; 3] = ["h3_postgis", "mobilitydb", "pgrouting"];

/// The extensions in a schema with their versions, each after those that it needs.
fn extensions<'c>(catalog: &'c Catalog, schema: &str) -> Vec<(&'c str, &'c str)> {
    let mut all: Vec<(&str, &str)> = catalog
        .extensions
        .iter()
        .filter(|(_, extension)| extension.schema == schema)
        .map(|(name, extension)| (name.as_str(), extension.version.as_str()))
        .collect();
    all.sort_by_key(|(name, _)| LATE.contains(name));
    all
}

/// `GRANT`s of privileges on an object: those that may be granted on apart from those that may not.
pub(super) fn grants(grants: &Grants, on: &str, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (role, privileges) in grants {
        let role = match role.as_str() {
            "PUBLIC" => "PUBLIC".to_owned(),
            role => quote_identifier(role),
        };
        let (on_too, plain): (BTreeSet<_>, BTreeSet<_>) =
            privileges.iter().partition(|privilege| privilege.ends_with('*'));
        for (privileges, option) in [(plain, ""), (on_too, " WITH GRANT OPTION")] {
            if privileges.is_empty() {
                continue;
            }
            let words: Vec<String> = privileges
                .into_iter()
                .map(|privilege| keyword(privilege.trim_end_matches('*')))
                .collect();
            all.push(format!("{prefix}GRANT {} ON {on} TO {role}{option}", words.join(", ")));
        }
    }
    all
}

/// A word of Postgres's own out of the lock file; anything else becomes a name, which Postgres refuses there.
fn keyword(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
        word.to_owned()
    } else {
        quote_identifier(word)
    }
}
