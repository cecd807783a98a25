//! The settings of a deployed stack: what they must be, and what the stack's own file says.

mod python;
mod token;

pub use python::{Entry, Literal, Module, Node, NotFound, Section, python_text};
pub use token::Broken;

use crate::environment::Stack;
use crate::value::Value;
use serde::Serialize;
use std::path::PathBuf;

/// What a setting must be, as far as that could be found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// `recovery_enabled`
    pub name: String,
    /// As the environment says it.
    pub expression: String,
    /// Its value, or why there is none.
    pub value: Result<Value, String>,
}

/// What a stack must say and what its file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The file that holds them.
    pub file: Option<PathBuf>,
    /// The keys that lead to them in it.
    pub section: Vec<String>,
    /// Why the file could not be read, if it could not.
    pub unread: Option<String>,
    /// In the environment's order.
    pub settings: Vec<Setting>,
}

/// A setting of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `recovery_enabled`
    pub name: String,
    /// As the environment says it.
    pub expression: String,
    /// What it must be, as the file would say it; absent: nothing can or need be said.
    pub wanted: Option<String>,
    /// Why nothing is wanted.
    pub why: Option<String>,
    /// What the file says; absent: nothing, or it could not be read.
    pub found: Option<String>,
    /// The line that says it, from 1.
    pub line: Option<usize>,
    /// Whether the file says something else than it must; absent: that can't be told.
    pub differs: Option<bool>,
}

impl Settings {
    /// Compares what is wanted with a file's text; `None`: the stack names no file. An error is why it could not be read.
    pub fn compare(
        stack: &Stack,
        wanted: &[Wanted],
        text: Option<Result<&str, String>>,
    ) -> Settings {
        let module = text.map(|text| {
            Module::read(text?).map_err(|broken| format!("line {}: {}", broken.line, broken.reason))
        });
        let mut unread = None;
        let section = match &module {
            None => None,
            Some(Err(reason)) => {
                unread = Some(reason.clone());
                None
            }
            Some(Ok(module)) => match module.section(&stack.section) {
                Ok(section) => Some(section),
                Err(error) => {
                    unread = Some(error.to_string());
                    None
                }
            },
        };
        let is_python = stack.file.is_some();
        let settings = wanted
            .iter()
            .map(|wanted| setting(wanted, section.as_ref(), is_python))
            .collect();
        Settings {
            file: stack.file.clone(),
            section: stack.section.clone(),
            unread,
            settings,
        }
    }

    /// Whether the file says something else than it must.
    pub fn differ(&self) -> bool {
        self.settings
            .iter()
            .any(|setting| setting.differs == Some(true))
    }

    /// The way to the settings, as Python writes it: `CONFIG['prod']`.
    pub fn path(&self) -> String {
        let mut keys = self.section.iter();
        let mut path = keys.next().cloned().unwrap_or_default();
        for key in keys {
            path.push_str(&format!("[{}]", python_text(key)));
        }
        path
    }
}

fn setting(wanted: &Wanted, section: Option<&Section<'_>>, is_python: bool) -> Setting {
    let found = section.map(|section| section.get(&wanted.name));
    let (node, mut why) = match found {
        Some(Ok(node)) => (node, None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let is_read = section.is_some() && why.is_none();
    let literal = node.map(|node| &node.literal);
    let is_policy = wanted.expression.trim_start().starts_with("removal_policy");
    let (text, differs) = match &wanted.value {
        Err(reason) => {
            why = Some(reason.clone());
            (None, None)
        }
        Ok(Value::Text(text)) if text.is_empty() => {
            why = Some("there is nothing that it could say now".to_owned());
            (None, None)
        }
        Ok(value) => {
            let text = match (is_python, is_policy) {
                (false, _) => plain(value),
                (true, true) => policy(&value.to_string(), literal),
                (true, false) => python(value),
            };
            let differs = match literal {
                Some(Literal::Computed(_)) => None,
                Some(literal) => Some(!says(literal, value, is_policy)),
                None => is_read.then_some(true),
            };
            (Some(text), differs)
        }
    };
    Setting {
        name: wanted.name.clone(),
        expression: wanted.expression.clone(),
        wanted: text,
        why,
        found: literal.map(ToString::to_string),
        line: node.map(|node| node.line),
        differs,
    }
}

/// Whether a literal of the file means the value.
fn says(literal: &Literal, value: &Value, is_policy: bool) -> bool {
    match (literal, value) {
        (Literal::Boolean(says), Value::Boolean(wanted)) => says == wanted,
        (Literal::Number(says), Value::Integer(wanted)) => {
            says.replace('_', "").parse::<i64>() == Ok(*wanted)
        }
        (Literal::Path(path), wanted) if is_policy => path
            .last()
            .is_some_and(|last| last.eq_ignore_ascii_case(&wanted.to_string())),
        (Literal::Text(says), wanted) if is_policy => {
            says.eq_ignore_ascii_case(&wanted.to_string())
        }
        (Literal::Text(_), Value::Boolean(_) | Value::Integer(_)) => false,
        (Literal::Text(says), wanted) => *says == wanted.to_string(),
        (
            Literal::None
            | Literal::Boolean(_)
            | Literal::Number(_)
            | Literal::List(_)
            | Literal::Dict(_)
            | Literal::Path(_)
            | Literal::Computed(_),
            _,
        ) => false,
    }
}

/// `RemovalPolicy.SNAPSHOT`, called as the file calls it now.
fn policy(value: &str, found: Option<&Literal>) -> String {
    let word = value.to_ascii_uppercase();
    match found {
        Some(Literal::Path(path)) if path.len() > 1 => {
            let class = path.get(..path.len() - 1).unwrap_or_default();
            format!("{}.{word}", class.join("."))
        }
        Some(Literal::Text(_)) => python_text(value),
        _ => format!("RemovalPolicy.{word}"),
    }
}

fn python(value: &Value) -> String {
    match value {
        Value::Boolean(true) => "True".to_owned(),
        Value::Boolean(false) => "False".to_owned(),
        Value::Integer(number) => number.to_string(),
        other => python_text(&other.to_string()),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Boolean(_) | Value::Integer(_) => value.to_string(),
        other => format!("{:?}", other.to_string()),
    }
}

#[cfg(test)]
mod tests;
