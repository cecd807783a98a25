//! `[stack]`: the settings of the deployed stack that a recovery changes.

use super::error::{EnvironmentError, title};
use super::forms;
use super::reader::{Entry, Given, Header, Reader};
use super::{Stack, StackSetting};
use rbk_syntax::Spanned;
use std::path::Path;

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
    base: &Path,
) -> Option<Stack> {
    let mut table = reader.table("stack", entry)?;
    let header = Header::from(&table);
    let file = reader.formed(table.take("file"), &forms::PYTHON_FILE);
    let section = match table.take("section") {
        Some(entry) => read_section(reader, &entry),
        None => Given::Absent,
    };
    let settings = table.take("settings");
    let settings = match settings {
        Some(entry) => read_settings(reader, entry),
        None => {
            reader.missing(
                &header,
                "settings",
                "settings = { recovery_enabled = \"recovery exists\" }",
            );
            None
        }
    };
    reader.finish(table);
    // Each is of no use without the other.
    let mut needed = |key, line: &str, note| {
        reader.errors.push(EnvironmentError::MissingKey {
            key,
            table: title(&header.path),
            span: header.span,
            line: line.to_owned(),
            insert: header.insert,
            note: Some(note),
        });
    };
    match (&file, &section) {
        (Given::Absent, Given::Value(_)) => needed(
            "file",
            "file = \"../../stacks/config.py\"",
            "`section` says where the settings are in it",
        ),
        (Given::Value(_), Given::Absent) => needed(
            "section",
            "section = [\"CONFIG\", \"prod\"]",
            "the variable of the file that holds the settings, and the keys that lead to them in it",
        ),
        _ => {}
    }
    Some(Stack {
        file: file.into_inner().map(|file| base.join(file)),
        section: section.into_inner().unwrap_or_default(),
        settings: settings?,
    })
}

/// A variable of the file, then keys of nested dictionaries.
fn read_section<'t>(reader: &mut Reader<'t>, entry: &Entry<'t>) -> Given<Vec<String>> {
    let Given::Value(Spanned { value: keys, span }) = reader.texts(entry) else {
        return Given::Bad;
    };
    let Some(variable) = keys.first() else {
        reader.errors.push(EnvironmentError::EmptyList {
            path: entry.path.clone(),
            span,
            what: "the way to the settings",
            example: "CONFIG\", \"prod",
        });
        return Given::Bad;
    };
    match reader.check_form(variable.clone(), &forms::PYTHON_VARIABLE) {
        Given::Value(_) => Given::Value(Spanned {
            value: keys.into_iter().map(|key| key.value).collect(),
            span,
        }),
        Given::Absent | Given::Bad => Given::Bad,
    }
}

/// Names and expressions, in the order of the file: the stack's own file has them in that order, too.
fn read_settings<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Option<Vec<StackSetting>> {
    let table = reader.table("stack.settings", Some(entry))?;
    let mut entries = table.take_all();
    if entries.is_empty() {
        reader
            .errors
            .push(EnvironmentError::EmptyStack { span: table.span });
        return None;
    }
    entries.sort_by_key(|entry| entry.name.span.start);
    let mut settings = Vec::new();
    let mut whole = true;
    for entry in entries {
        let name = reader.check_form(entry.name.clone(), &forms::SETTING);
        let expression = reader.formed(Some(entry), &forms::EXPRESSION);
        match (name, expression) {
            (Given::Value(name), Given::Value(expression)) => {
                reader.expressions.push(expression.span);
                settings.push(StackSetting {
                    name: name.value,
                    expression: expression.value,
                });
            }
            _ => whole = false,
        }
    }
    whole.then_some(settings)
}
