//! `[migrations]`: the tool that brings schemas up.

use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader};
use super::{MigrationTool, Migrations};
use std::path::{Component, Path, PathBuf};

/// How long the tool may take where the file does not say.
const WITHIN: u64 = 30 * 60;

/// The schema of the tool's own tables where the file does not say.
const SCHEMA: &str = "public";

const TOOLS: &[(&str, MigrationTool)] = &[("liquibase", MigrationTool::Liquibase)];

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
    base: &Path,
) -> Option<Migrations> {
    let mut table = reader.table("migrations", entry)?;
    let header = Header::from(&table);
    let tool = reader.choice(table.take("tool"), TOOLS);
    let changelog = reader.formed(table.take("changelog"), &forms::PATH);
    let search_path = reader.formed(table.take("search_path"), &forms::PATH);
    let program = table.take("program");
    let program = match program {
        Some(entry) => read_program(reader, &entry),
        None => Given::Absent,
    };
    let contexts = reader.list(table.take("contexts"), &forms::CONTEXT);
    let schema = reader.formed(table.take("schema"), &forms::SCHEMA);
    let within = reader.duration(table.take("within"), &forms::DURATION);
    reader.finish(table);
    if tool.is_absent() {
        reader.missing(&header, "tool", "tool = \"liquibase\"");
    }
    if changelog.is_absent() {
        let line = format!("changelog = \"{}\"", forms::CHANGELOG_EXAMPLE);
        reader.missing(&header, "changelog", line);
    }
    let place = changelog.value().map(|changelog| changelog.span);
    let changelog = base.join(changelog.into_inner()?);
    let search_path = match &search_path {
        Given::Value(path) => {
            let folder = base.join(&path.value);
            if !plain(&changelog).starts_with(plain(&folder)) {
                reader.errors.push(EnvironmentError::ChangelogOutside {
                    span: place?,
                    folder: path.span,
                });
            }
            folder
        }
        Given::Bad => return None,
        Given::Absent => changelog.parent().unwrap_or(base).to_owned(),
    };
    Some(Migrations {
        tool: tool.into_inner()?,
        changelog,
        search_path,
        program: program.into_inner(),
        contexts: contexts
            .into_inner()
            .unwrap_or_default()
            .into_iter()
            .map(|context| context.value)
            .collect(),
        schema: schema.into_inner().unwrap_or_else(|| SCHEMA.to_owned()),
        within: within.into_inner().unwrap_or(WITHIN),
    })
}

/// A program and its arguments: words as they are, the first of them not empty.
fn read_program<'t>(reader: &mut Reader<'t>, entry: &Entry<'t>) -> Given<Vec<String>> {
    let words = reader.texts(entry);
    if words.value().is_some_and(|words| {
        words
            .value
            .first()
            .is_none_or(|word| word.value.trim().is_empty())
    }) {
        reader.errors.push(EnvironmentError::EmptyList {
            path: entry.path.clone(),
            span: entry.span,
            what: "a command",
            example: "/opt/liquibase/liquibase",
        });
        return Given::Bad;
    }
    words.map(|words| words.into_iter().map(|word| word.value).collect())
}

/// A path without `.` and, as far as the text tells, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
