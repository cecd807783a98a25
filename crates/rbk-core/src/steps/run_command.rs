//! `run COMMAND { … }`: a command that the environment declares, with typed arguments.

use super::Meaning;
use crate::check::{CheckError, Checker, Typed};
use crate::environment::Command;
use crate::lower::Lowering;
use crate::plan::{Action, Expr, Risk};
use crate::state::Flow;
use crate::value::Type;
use rbk_syntax::{Span, ast};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) struct RunCommand {
    name: String,
    declared: Command,
    arguments: BTreeMap<String, Typed>,
}

impl RunCommand {
    pub(super) fn check(
        command: &ast::Name,
        options: &[ast::Entry],
        checker: &mut Checker<'_>,
    ) -> Option<Self> {
        let commands = &checker.environment.commands;
        let Some(declared) = commands.get(&command.value).cloned() else {
            let candidates = commands.keys().cloned().collect();
            checker.report(CheckError::UnknownCommand {
                span: command.span,
                name: command.value.clone(),
                candidates,
                environment: checker.environment.name.clone(),
            });
            return None;
        };
        let arguments = arguments(command, &declared, options, checker)?;
        Some(Self {
            name: command.value.clone(),
            declared,
            arguments,
        })
    }
}

/// What the command is given: each argument, of its type, and none that it doesn't have. That none is said twice has been
/// seen to when the block was read.
fn arguments(
    command: &ast::Name,
    declared: &Command,
    options: &[ast::Entry],
    checker: &mut Checker<'_>,
) -> Option<BTreeMap<String, Typed>> {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    let mut values = BTreeMap::new();
    let mut good = true;
    for entry in options {
        let name = entry.name.value.as_str();
        let Some(ty) = declared.arguments.get(name) else {
            checker.report(CheckError::UnknownArgument {
                span: entry.name.span,
                command: command.value.clone(),
                name: name.to_owned(),
                candidates: declared.arguments.keys().cloned().collect(),
            });
            good = false;
            continue;
        };
        given.insert(name);
        match value(entry, *ty, checker) {
            Some(value) => {
                values.insert(name.to_owned(), value);
            }
            None => good = false,
        }
    }
    let missing: Vec<(String, Type)> = declared
        .arguments
        .iter()
        .filter(|(name, _)| !given.contains(name.as_str()))
        .map(|(name, ty)| (name.clone(), *ty))
        .collect();
    if !missing.is_empty() {
        checker.report(CheckError::ArgumentsMissing {
            span: command.span,
            command: command.value.clone(),
            missing,
            declared: checker
                .places
                .key(&format!("commands.{}.arguments", command.value)),
        });
        good = false;
    }
    good.then_some(values)
}

fn value(entry: &ast::Entry, ty: Type, checker: &mut Checker<'_>) -> Option<Typed> {
    match &entry.value {
        ast::EntryValue::Expr(expr) => checker.expression_of(expr, ty),
        other => {
            checker.report(CheckError::ArgumentNoValue {
                span: other.span(),
                name: entry.name.value.clone(),
                ty,
            });
            None
        }
    }
}

impl Meaning for RunCommand {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        for value in self.arguments.values() {
            flow.demand_reads(value);
        }
        flow.unchecked_command(span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let arguments: BTreeMap<String, Expr> = self
            .arguments
            .iter()
            .map(|(name, value)| (name.clone(), value.expr.clone()))
            .collect();
        let given: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{name} {}", lowering.describe(value)))
            .collect();
        let with = if given.is_empty() {
            String::new()
        } else {
            format!(" with {}", given.join(", "))
        };
        let again = if self.declared.repeatable {
            ""
        } else {
            "; one that is cut off is not run again by itself"
        };
        let summary = format!("run `{}`{with}{again}", self.name);
        let action = Action::RunCommand {
            command: self.name.clone(),
            declared: self.declared.clone(),
            arguments,
        };
        lowering.action(Risk::Changes, self.declared.within, summary, action);
    }
}
