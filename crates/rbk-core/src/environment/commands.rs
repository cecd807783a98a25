//! `[commands.NAME]`: what `run NAME` runs.

use super::databases::read_secret;
use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Command, SecretField};
use crate::value::Type;
use rbk_syntax::{Span, Spanned, nearest};
use std::collections::BTreeMap;

/// How long a command may take where the file does not say.
const WITHIN: u64 = 10 * 60;

/// The types of arguments: those whose values can be a word of a command.
pub(super) const TYPES: &[(&str, Type)] = &[
    ("text", Type::Text),
    ("integer", Type::Integer),
    ("boolean", Type::Boolean),
    ("duration", Type::Duration),
    ("size", Type::Size),
    ("time", Type::Time),
    ("database", Type::Database),
    ("application", Type::Application),
    ("snapshot", Type::Snapshot),
];

/// Reads `[commands]`, by name.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<String, Command> {
    let mut commands = BTreeMap::new();
    let Some(table) = reader.table("commands", entry) else {
        return commands;
    };
    for entry in table.take_all() {
        let name = reader.check_form(entry.name.clone(), &forms::NAME);
        let Some(table) = reader.table("commands.*", Some(entry)) else {
            continue;
        };
        let command = read_one(reader, table);
        if let (Given::Value(name), Some(command)) = (name, command) {
            commands.insert(name.value, command);
        }
    }
    commands
}

fn read_one<'t>(reader: &mut Reader<'t>, mut table: Table<'t>) -> Option<Command> {
    let header = Header::from(&table);
    let program = table.take("program");
    let program = match &program {
        Some(entry) => read_program(reader, entry),
        None => {
            reader.missing(&header, "program", "program = [\"./warm-cache.sh\"]");
            Given::Bad
        }
    };
    let arguments = read_arguments(reader, table.take("arguments"));
    let secrets = read_secrets(reader, table.take("secrets"));
    let within = reader.duration(table.take("within"), &forms::DURATION);
    let repeatable = reader.flag(table.take("repeatable"));
    reader.finish(table);
    if let Given::Value(words) = &program {
        check_holes(reader, &words.value, &arguments, &secrets);
    }
    Some(Command {
        program: program
            .into_inner()?
            .into_iter()
            .map(|word| word.value)
            .collect(),
        arguments: arguments
            .into_iter()
            .map(|(name, argument)| Some((name, argument.ty?)))
            .collect::<Option<_>>()?,
        secrets,
        within: within.into_inner().unwrap_or(WITHIN),
        repeatable: repeatable.into_inner().unwrap_or(false),
    })
}

fn read_program<'t>(reader: &mut Reader<'t>, entry: &Entry<'t>) -> Given<Vec<Spanned<String>>> {
    let words = reader.texts(entry);
    let first = words.value().map(|words| words.value.first());
    match first {
        Some(Some(first)) if !first.value.trim().is_empty() => {
            if let Some(hole) = holes(&first.value).first() {
                reader.errors.push(EnvironmentError::HoleAsProgram {
                    hole: (*hole).to_owned(),
                    span: reader.narrowed(first, &format!("{{{hole}}}")),
                });
            }
        }
        Some(_) => {
            reader.errors.push(EnvironmentError::EmptyList {
                path: entry.path.clone(),
                span: entry.span,
                what: "a command",
                example: "./warm-cache.sh\", \"{table}",
            });
            return Given::Bad;
        }
        None => {}
    }
    words
}

/// An argument as it is declared.
struct Argument {
    name: Span,
    /// Absent where it is wrong, which was told.
    ty: Option<Type>,
}

fn read_arguments<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<String, Argument> {
    let mut arguments = BTreeMap::new();
    let Some(table) = reader.table("commands.*.arguments", entry) else {
        return arguments;
    };
    for entry in table.take_all() {
        let place = entry.name.span;
        let name = reader.check_form(entry.name.clone(), &forms::NAME);
        let ty = reader.choice(Some(entry), TYPES).into_inner();
        if let Given::Value(name) = name {
            arguments.insert(name.value, Argument { name: place, ty });
        }
    }
    arguments
}

fn read_secrets<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<String, SecretField> {
    let mut secrets = BTreeMap::new();
    let Some(table) = reader.table("commands.*.secrets", entry) else {
        return secrets;
    };
    for entry in table.take_all() {
        let variable = reader.check_form(entry.name.clone(), &forms::VARIABLE);
        let Some(mut table) = reader.table("commands.*.secrets.*", Some(entry)) else {
            continue;
        };
        let header = Header::from(&table);
        let secret = read_secret(reader, table.take("secret"));
        let field = reader.formed(table.take("field"), &forms::FIELD);
        reader.finish(table);
        if secret.is_absent() {
            let line = format!("secret = \"{}\"", forms::SECRET.example);
            reader.missing(&header, "secret", line);
        }
        if let (Given::Value(variable), Some(secret)) = (variable, secret.into_inner()) {
            let field = field.into_inner();
            secrets.insert(variable.value, SecretField { secret, field });
        }
    }
    secrets
}

/// Complains about holes that nothing fills and arguments that fill none.
fn check_holes(
    reader: &mut Reader<'_>,
    words: &[Spanned<String>],
    arguments: &BTreeMap<String, Argument>,
    secrets: &BTreeMap<String, SecretField>,
) {
    let mut filled: Vec<&str> = Vec::new();
    // A misspelt hole is one mistake, not two.
    let mut meant: Vec<&str> = Vec::new();
    for word in words {
        for hole in holes(&word.value) {
            if arguments.contains_key(hole) {
                filled.push(hole);
                continue;
            }
            meant.extend(nearest(hole, arguments.keys().map(String::as_str)));
            let span = reader.narrowed(word, &format!("{{{hole}}}"));
            let secret = secrets
                .keys()
                .find(|variable| variable.eq_ignore_ascii_case(hole));
            reader.errors.push(EnvironmentError::HoleWithout {
                hole: hole.to_owned(),
                span,
                secret: secret.cloned(),
                arguments: arguments.keys().cloned().collect(),
            });
        }
    }
    for (name, argument) in arguments {
        if !filled.contains(&name.as_str()) && !meant.contains(&name.as_str()) {
            reader.errors.push(EnvironmentError::ArgumentUnused {
                argument: name.clone(),
                span: argument.name,
            });
        }
    }
}

/// The names in the holes of a word. Braces around anything that is no name are the command's own.
fn holes(word: &str) -> Vec<&str> {
    word.match_indices('{')
        .filter_map(|(start, _)| {
            let behind = word.get(start + 1..)?;
            let name = behind.get(..behind.find('}')?)?;
            forms::NAME.fits(name).then_some(name)
        })
        .collect()
}
