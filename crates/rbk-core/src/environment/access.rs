//! `[network]`, `[access]`, `[parameters]`, `[approvals]` and `[journal]`.

use super::error::{EnvironmentError, PLACEHOLDERS};
use super::forms;
use super::reader::{Entry, Given, Reader};
use super::{Access, Approvals, Journal};
use std::collections::BTreeMap;
use std::path::Path;

/// How long a connection attempt may take where the file does not say.
const CONNECT_TIMEOUT: u64 = 10;

/// What `[network]` gives to each database.
#[derive(Debug)]
pub(super) struct Network {
    pub subnet_group: Given<String>,
    pub security_groups: Given<Vec<String>>,
}

pub(super) fn network<'t>(reader: &mut Reader<'t>, entry: Option<Entry<'t>>) -> Network {
    let mut table = reader.section("network", entry);
    let network = Network {
        subnet_group: reader.formed(table.take("subnet_group"), &forms::SUBNET_GROUP),
        security_groups: security_groups(reader, table.take("security_groups")),
    };
    reader.finish(table);
    network
}

pub(super) fn security_groups<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> Given<Vec<String>> {
    reader
        .full_list(entry, &forms::SECURITY_GROUP)
        .map(|groups| groups.into_iter().map(|group| group.value).collect())
}

pub(super) fn access<'t>(reader: &mut Reader<'t>, entry: Option<Entry<'t>>, base: &Path) -> Access {
    let mut table = reader.section("access", entry);
    let tunnel = table.take("tunnel");
    let ca = reader.formed(table.take("ca"), &forms::PATH);
    let connect_timeout = reader.duration(table.take("connect_timeout"), &forms::DURATION);
    let access = Access {
        tunnel: tunnel.and_then(|tunnel| read_tunnel(reader, &tunnel)),
        ca: ca.into_inner().map(|path| base.join(path)),
        connect_timeout: connect_timeout.into_inner().unwrap_or(CONNECT_TIMEOUT),
    };
    reader.finish(table);
    access
}

fn read_tunnel<'t>(reader: &mut Reader<'t>, entry: &Entry<'t>) -> Option<Vec<String>> {
    let words = match reader.texts(entry) {
        Given::Value(words) => words.value,
        Given::Absent | Given::Bad => return None,
    };
    if words.iter().all(|word| word.value.trim().is_empty()) {
        reader.errors.push(EnvironmentError::EmptyList {
            path: entry.path.clone(),
            span: entry.span,
            what: "a command",
            example: "aws\", \"ssm\", \"start-session\", \"…\", \"{host}\", \"{port}\", \"{local_port}",
        });
        return None;
    }
    let mut named = Vec::new();
    for word in &words {
        for placeholder in placeholders(&word.value) {
            if PLACEHOLDERS.contains(&placeholder.as_str()) {
                named.push(placeholder);
            } else {
                reader.errors.push(EnvironmentError::UnknownPlaceholder {
                    span: reader.narrowed(word, &placeholder),
                    placeholder,
                });
            }
        }
    }
    for placeholder in PLACEHOLDERS {
        if !named.iter().any(|name| name == placeholder) {
            reader.errors.push(EnvironmentError::TunnelWithout {
                placeholder,
                span: entry.span,
            });
        }
    }
    Some(words.into_iter().map(|word| word.value).collect())
}

/// The `{words}` in a text. Braces around anything else are the command's own, for instance JSON's.
fn placeholders(text: &str) -> Vec<String> {
    text.match_indices('{')
        .filter_map(|(start, _)| {
            let behind = text.get(start + 1..)?;
            let name = behind.get(..behind.find('}')?)?;
            let word = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            word.then(|| format!("{{{name}}}"))
        })
        .collect()
}

pub(super) fn parameters<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let Some(table) = reader.table("parameters", entry) else {
        return parameters;
    };
    for entry in table.take_all() {
        let name = reader.check_form(entry.name.clone(), &forms::NAME);
        let value = reader.plain(entry);
        if let (Given::Value(name), Given::Value(value)) = (name, value) {
            parameters.insert(name.value, value.value);
        }
    }
    parameters
}

pub(super) fn approvals<'t>(reader: &mut Reader<'t>, entry: Option<Entry<'t>>) -> Approvals {
    let mut table = reader.section("approvals", entry);
    let unattended = reader.flag(table.take("unattended")).into_inner();
    reader.finish(table);
    Approvals {
        unattended: unattended.unwrap_or(false),
    }
}

pub(super) fn journal<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
    base: &Path,
) -> Journal {
    let mut table = reader.section("journal", entry);
    let directory = reader
        .formed(table.take("directory"), &forms::PATH)
        .into_inner();
    reader.finish(table);
    Journal {
        directory: directory.map(|path| base.join(path)),
    }
}
