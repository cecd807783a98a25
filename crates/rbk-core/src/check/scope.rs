//! The names that a runbook gives itself: parameters and `let`s.

use super::error::CheckError;
use super::expressions::Typed;
use crate::ids::DatabaseName;
use crate::value::{Type, Value};
use rbk_syntax::{Diagnostic, Span, ast};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Scope {
    symbols: HashMap<String, Symbol>,
}

pub(super) struct Symbol {
    pub(super) meaning: Meaning,
    span: Span,
    used: bool,
    word: &'static str,
}

/// What a name stands for.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "names are few")]
pub(super) enum Meaning {
    /// A parameter's value.
    Known(Value),
    /// A `let`, read when the runbook runs; of a snapshot it is known whose it is.
    Observed {
        /// What it is called in the plan.
        binding: String,
        ty: Type,
        origin: Option<DatabaseName>,
    },
    /// A replication, and what it is called in the plan.
    Replication(String),
    /// Its definition was wrong and has been reported.
    Broken,
}

impl Scope {
    pub(super) fn define_parameter(&mut self, name: &ast::Name, value: Option<Value>) {
        let meaning = value.map_or(Meaning::Broken, Meaning::Known);
        self.insert(name, meaning, "parameter");
    }

    /// A procedure's parameter, with what it was given.
    pub(super) fn define_argument(&mut self, name: &ast::Name, meaning: Option<Meaning>) {
        self.insert(name, meaning.unwrap_or(Meaning::Broken), "parameter");
    }

    pub(super) fn define_binding(
        &mut self,
        name: &ast::Name,
        value: Option<&Typed>,
        binding: String,
    ) {
        let meaning = match value {
            Some(value) => Meaning::Observed {
                binding,
                ty: value.ty,
                origin: value.origin.clone(),
            },
            None => Meaning::Broken,
        };
        self.insert(name, meaning, "value");
    }

    pub(super) fn define_replication(&mut self, name: &ast::Name, binding: String) {
        self.insert(name, Meaning::Replication(binding), "replication");
    }

    /// What a name stands for turned out to be wrong.
    pub(super) fn breaks(&mut self, name: &str) {
        if let Some(symbol) = self.symbols.get_mut(name) {
            symbol.meaning = Meaning::Broken;
        }
    }

    fn insert(&mut self, name: &ast::Name, meaning: Meaning, word: &'static str) {
        self.symbols.insert(
            name.value.clone(),
            Symbol {
                meaning,
                span: name.span,
                used: false,
                word,
            },
        );
    }

    pub(super) fn look_up(&mut self, name: &str) -> Option<Meaning> {
        let symbol = self.symbols.get_mut(name)?;
        symbol.used = true;
        Some(symbol.meaning.clone())
    }

    /// What a `let` is called in the plan.
    pub(super) fn binding(&self, name: &str) -> Option<&str> {
        match &self.symbols.get(name)?.meaning {
            Meaning::Observed { binding, .. } => Some(binding),
            _ => None,
        }
    }

    pub(super) fn span_of(&self, name: &str) -> Option<Span> {
        self.symbols.get(name).map(|symbol| symbol.span)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.symbols.keys().map(String::as_str)
    }

    pub(super) fn report_unused(&self, diagnostics: &mut Vec<Diagnostic>) {
        for (name, symbol) in &self.symbols {
            if !symbol.used && !matches!(symbol.meaning, Meaning::Broken) {
                let error = CheckError::Unused {
                    span: symbol.span,
                    name: name.clone(),
                    word: symbol.word,
                };
                diagnostics.push(error.into());
            }
        }
    }
}
