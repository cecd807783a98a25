//! From the text of an environment file to its resolved form.

use super::error::{EnvironmentError, title};
use super::places::Places;
use super::reader::{Header, Reader};
use super::{
    Environment, access, applications, commands, databases, dms, drill, forms, like, migrations,
    secrets, stack,
};
use crate::check;
use rbk_syntax::nearest;
use rbk_syntax::{Diagnostic, SourceId, Span, has_errors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::de::DeTable;

/// What an environment file turned out to be.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The resolved form; absent where there is an error.
    pub environment: Option<Environment>,
    /// Where its parts stand; also of a file with errors, as far as it can be read.
    pub places: Places,
    /// Everything there is to say, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads an environment file.
///
/// `name` is the file's stem. Paths in the file are joined to `base`, the folder that it stands in.
/// Nothing but the text is looked at: no file, no environment variable, no clock.
pub fn load(name: &str, source: SourceId, text: &str, base: &Path) -> Loaded {
    let mut places = Places::default();
    let mut expressions = Vec::new();
    let (environment, mut diagnostics) = parse(source, text, |reader, document| {
        let environment = read(reader, document, name, base);
        find_homes(reader);
        places = Places::new(std::mem::take(&mut reader.keys));
        expressions = std::mem::take(&mut reader.expressions);
        environment
    });
    if let Some(environment) = &environment {
        diagnostics.extend(check_expressions(environment, &places, &expressions));
        diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span.start);
    }
    Loaded {
        environment: environment.filter(|_| !has_errors(&diagnostics)),
        places,
        diagnostics,
    }
}

/// What is wrong with the expressions of the stack's settings, which only the whole environment gives a meaning.
fn check_expressions(
    environment: &Environment,
    places: &Places,
    expressions: &[Span],
) -> Vec<Diagnostic> {
    let settings = environment.stack.iter().flat_map(|stack| &stack.settings);
    settings
        .zip(expressions)
        .filter_map(|(setting, written)| {
            // Without its quotes.
            let place = Span {
                start: written.start + 1,
                end: written.end.saturating_sub(1).max(written.start + 1),
                ..*written
            };
            check::setting(environment, places, &setting.expression, place).err()
        })
        .flatten()
        .collect()
}

/// Parses a TOML file and reads what it means. What was read is given only if nothing in it is wrong.
pub(super) fn parse<T>(
    source: SourceId,
    text: &str,
    read: impl for<'t> FnOnce(&mut Reader<'t>, &'t DeTable<'t>) -> Option<T>,
) -> (Option<T>, Vec<Diagnostic>) {
    let (document, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        return (None, syntax(&broken, source, text));
    }
    let mut reader = Reader::new(source, text);
    let value = read(&mut reader, document.get_ref());
    drop_consequences(&mut reader);
    let mut diagnostics: Vec<Diagnostic> = reader
        .errors
        .into_iter()
        .map(EnvironmentError::into_diagnostic)
        .collect();
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span.start);
    let whole = !has_errors(&diagnostics);
    (value.filter(|_| whole), diagnostics)
}

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    document: &'t DeTable<'t>,
    name: &str,
    base: &Path,
) -> Option<Environment> {
    let mut root = reader.root(document);
    let header = Header::from(&root);

    let region = reader.formed(root.take("region"), &forms::REGION);
    let account = reader.formed(root.take("account"), &forms::ACCOUNT);
    let network = access::network(reader, root.take("network"));
    let access = access::access(reader, root.take("access"), base);
    let databases = root.take("databases");
    let none_written = databases.is_none();
    let written_databases = databases::read(reader, databases);
    let commands = root.take("commands");
    let commands = commands::read(reader, commands);
    let written_applications = applications::read(reader, root.take("applications"), &commands);
    let parameters = access::parameters(reader, root.take("parameters"));
    let migrations = migrations::read(reader, root.take("migrations"), base);
    let dms = dms::read(reader, root.take("dms"), &network);
    let stack = stack::read(reader, root.take("stack"), base);
    let approvals = access::approvals(reader, root.take("approvals"));
    let journal = access::journal(reader, root.take("journal"), base);
    let drill = drill::read(
        reader,
        root.take("drill"),
        &written_databases,
        &written_applications,
        base,
    );
    reader.finish(root);

    if region.is_absent() {
        reader.missing(&header, "region", "region = \"eu-central-1\"");
    }
    if account.is_absent() {
        reader.missing(&header, "account", "account = \"123456789012\"");
    }
    if none_written {
        reader
            .errors
            .push(EnvironmentError::NoDatabase { span: header.span });
    }
    let databases = like::resolve(reader, &written_databases, &network);
    let applications = applications::resolve(reader, &written_applications, &written_databases);
    applications::check_roles(reader, &written_applications, &written_databases);
    secrets::check(reader, &written_databases, &written_applications);

    Some(Environment {
        name: name.to_owned(),
        region: region.into_inner()?,
        account: account.into_inner()?,
        access,
        databases,
        applications,
        parameters,
        migrations,
        dms,
        stack,
        commands,
        approvals,
        journal,
        drill,
    })
}

/// What the parser says, the first of each line: what follows there is mostly its consequence.
fn syntax(broken: &[toml::de::Error], source: SourceId, text: &str) -> Vec<Diagnostic> {
    let mut told: BTreeMap<usize, EnvironmentError> = BTreeMap::new();
    let mut places: Vec<_> = broken
        .iter()
        .map(|error| (error.span().unwrap_or(text.len()..text.len()), error))
        .collect();
    places.sort_by_key(|(at, _)| at.start);
    for (at, error) in places {
        let line = text.get(..at.start).unwrap_or(text).matches('\n').count();
        let (problem, expected) = match error.message().split_once(", expected ") {
            Some((problem, expected)) => (problem, Some(expected)),
            None => (error.message(), None),
        };
        told.entry(line)
            .or_insert_with(|| EnvironmentError::Syntax {
                problem: match (problem, text.get(at.clone())) {
                    ("duplicate key", Some(key)) => format!("`{key}` is written twice"),
                    _ => problem.to_lowercase(),
                },
                expected: expected.map(str::to_owned),
                span: Span::new(source, at.start, at.end),
            });
    }
    told.into_values()
        .map(EnvironmentError::into_diagnostic)
        .collect()
}

/// Says of each unknown key which other tables know it.
fn find_homes(reader: &mut Reader<'_>) {
    for error in &mut reader.errors {
        let EnvironmentError::UnknownKey { key, homes, .. } = error else {
            continue;
        };
        *homes = reader
            .known
            .iter()
            .filter(|(_, keys)| keys.contains(key.as_str()))
            .map(|(shape, _)| match *shape {
                "" => "the top of the file, before the first `[table]`".to_owned(),
                shape => format!("`[{}]`", shape.replace('*', "NAME")),
            })
            .collect();
    }
}

/// Takes out what is only the consequence of another mistake: a key that is missing because it is misspelt, a role
/// without the secret for administration that is asked for anyway.
fn drop_consequences(reader: &mut Reader<'_>) {
    let mut misspelt = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for error in &reader.errors {
        match error {
            EnvironmentError::UnknownKey {
                key, table, free, ..
            } => {
                if let Some(near) = nearest(key, free.iter().copied()) {
                    misspelt.insert((table.clone(), near));
                }
            }
            EnvironmentError::MissingKey { table, key, .. } => {
                missing.insert((table.clone(), *key));
            }
            _ => {}
        }
    }
    reader.errors.retain(|error| match error {
        EnvironmentError::MissingKey { table, key, .. } => {
            !misspelt.contains(&(table.clone(), *key))
        }
        EnvironmentError::NoDatabase { .. } => !misspelt.contains(&(title(""), "databases")),
        EnvironmentError::RoleWithoutAdmin { database, .. } => {
            let table = title(&format!("databases.{database}"));
            !missing.contains(&(table.clone(), "admin_secret"))
                && !misspelt.contains(&(table, "admin_secret"))
        }
        _ => true,
    });
}
