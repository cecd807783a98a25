//! From the text of an environment file to its resolved form.

use super::error::EnvironmentError;
use super::places::Places;
use super::reader::{Header, Reader};
use super::{Environment, access, applications, databases, drill, forms, secrets};
use rbk_syntax::{Diagnostic, SourceId, Span, has_errors};
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
    let (environment, diagnostics) = parse(source, text, |reader, document| {
        let environment = read(reader, document, name, base);
        find_homes(reader);
        places = Places::new(std::mem::take(&mut reader.keys));
        environment
    });
    Loaded {
        environment,
        places,
        diagnostics,
    }
}

/// Parses a TOML file and reads what it means. What was read is given only if nothing in it is wrong.
pub(super) fn parse<T>(
    source: SourceId,
    text: &str,
    read: impl for<'t> FnOnce(&mut Reader<'t>, &'t DeTable<'t>) -> Option<T>,
) -> (Option<T>, Vec<Diagnostic>) {
    let (document, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        let broken = broken.iter().map(|error| syntax(error, source, text));
        return (
            None,
            broken.map(EnvironmentError::into_diagnostic).collect(),
        );
    }
    let mut reader = Reader::new(source, text);
    let value = read(&mut reader, document.get_ref());
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
    let written_databases = databases::read(reader, root.take("databases"));
    let written_applications = applications::read(reader, root.take("applications"));
    let parameters = access::parameters(reader, root.take("parameters"));
    let approvals = access::approvals(reader, root.take("approvals"));
    let journal = access::journal(reader, root.take("journal"), base);
    let drill = drill::read(
        reader,
        root.take("drill"),
        &written_databases,
        &written_applications,
        base,
    );
    let no_databases = root.take("databases").is_none();
    reader.finish(root);

    if region.is_absent() {
        reader.missing(&header, "region", "region = \"eu-central-1\"");
    }
    if account.is_absent() {
        reader.missing(&header, "account", "account = \"123456789012\"");
    }
    if no_databases {
        reader
            .errors
            .push(EnvironmentError::NoDatabase { span: header.span });
    }
    let databases = databases::resolve(reader, &written_databases, &network);
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
        approvals,
        journal,
        drill,
    })
}

fn syntax(error: &toml::de::Error, source: SourceId, text: &str) -> EnvironmentError {
    let at = error.span().unwrap_or(text.len()..text.len());
    EnvironmentError::Syntax {
        message: error.message().trim_end_matches('.').to_lowercase(),
        span: Span::new(source, at.start, at.end),
    }
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
