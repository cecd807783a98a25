//! `run COMMAND { … }`: a command that the environment declares, with typed arguments.
//!
//! What it does nobody checks. Secrets reach it through its environment; the runbook names none.
//!
//! ```rbk
//! run warm_cache { table: "public.documents", rows: 1_000 }
//! ```

use super::Meaning;
use crate::check::{Checker, SchemaError, Typed};
use crate::environment::Command;
use crate::lower::Lowering;
use crate::plan::{Action, Risk};
use crate::state::Flow;
use rbk_syntax::{Span, ast};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct RunCommand {
    command: String,
    declared: Command,
    arguments: BTreeMap<String, Typed>,
}

impl RunCommand {
    pub(super) fn check(command: &ast::Name, options: &[ast::Entry], span: Span, checker: &mut Checker<'_>) -> Option<Self> {
        let name = &command.value;
        let Some(declared) = checker.environment.commands.get(name).cloned() else {
            checker.report(SchemaError::UnknownCommand {
                span: command.span,
                name: name.clone(),
                environment: checker.environment.name.clone(),
                candidates: checker.environment.commands.keys().cloned().collect(),
            });
            return None;
        };
        let mut arguments = BTreeMap::new();
        let mut complete = true;
        for entry in options {
            let value = argument(name, &declared, entry, checker);
            complete &= value.is_some();
            arguments.extend(value.map(|value| (entry.name.value.clone(), value)));
        }
        for (argument, ty) in &declared.arguments {
            if !options.iter().any(|entry| entry.name.value == *argument) {
                checker.report(SchemaError::NoArgument { span, command: name.clone(), name: argument.clone(), ty: *ty });
                complete = false;
            }
        }
        complete.then(|| Self { command: name.clone(), declared, arguments })
    }
}

/// One argument, of the type that the environment says.
fn argument(command: &str, declared: &Command, entry: &ast::Entry, checker: &mut Checker<'_>) -> Option<Typed> {
    let Some(ty) = declared.arguments.get(&entry.name.value) else {
        checker.report(SchemaError::UnknownOption {
            span: entry.name.span,
            statement: format!("command `{command}`"),
            name: entry.name.value.clone(),
            candidates: declared.arguments.keys().cloned().collect(),
        });
        return None;
    };
    match &entry.value {
        ast::EntryValue::Expr(value) => checker.expression_of(value, *ty),
        other => {
            checker.report(SchemaError::OptionValue {
                span: other.span(),
                name: entry.name.value.clone(),
                wanted: "one value",
                example: "table: \"documents\"",
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
        let given: Vec<String> = self
            .arguments
            .iter()
            .map(|(name, value)| format!("{name} = {}", lowering.describe(&value.expr)))
            .collect();
        let with = if given.is_empty() { String::new() } else { format!(" with {}", given.join(", ")) };
        lowering.action(
            Risk::Changes,
            self.declared.within,
            format!("run the environment's command `{}`{with}", self.command),
            Action::RunCommand {
                command: self.command.clone(),
                declared: self.declared.clone(),
                arguments: self.arguments.iter().map(|(name, value)| (name.clone(), value.expr.clone())).collect(),
            },
        );
    }
}
