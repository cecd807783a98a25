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
    /// The names that were defined in each block that is open, outermost first.
    open: Vec<Vec<String>>,
    /// Names of blocks that were closed, and where they were defined.
    gone: HashMap<String, (Span, Beyond)>,
}

/// The symbols of a block that is closed.
pub(super) struct Closed(Vec<(String, Symbol)>);

/// What keeps a name from being known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It was defined in a block of `if`.
    Branch,
    /// It was defined in a step that is done at the same time.
    Sibling,
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
    /// A parameter that has no value yet.
    Hole { name: String, ty: Type },
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

    /// A parameter that has no value yet.
    pub(super) fn define_hole(&mut self, name: &ast::Name, ty: Type) {
        let meaning = Meaning::Hole {
            name: name.value.clone(),
            ty,
        };
        self.insert(name, meaning, "parameter");
    }

    /// What is defined from here on belongs to a block.
    pub(super) fn open(&mut self) {
        self.open.push(Vec::new());
    }

    /// The block ends, and its names with it.
    pub(super) fn close(&mut self, beyond: Beyond) -> Closed {
        let names = self.open.pop().unwrap_or_default();
        let mut closed = Vec::with_capacity(names.len());
        for name in names {
            if let Some(symbol) = self.symbols.remove(&name) {
                self.gone.insert(name.clone(), (symbol.span, beyond));
                closed.push((name, symbol));
            }
        }
        Closed(closed)
    }

    /// Makes the names of a closed block known again; returns those that another block has, too.
    pub(super) fn reopen(&mut self, closed: Closed) -> Vec<(String, Span, Span)> {
        let mut twice = Vec::new();
        for (name, symbol) in closed.0 {
            match self.symbols.get(&name) {
                Some(first) => twice.push((name, symbol.span, first.span)),
                None => {
                    self.gone.remove(&name);
                    if let Some(names) = self.open.last_mut() {
                        names.push(name.clone());
                    }
                    self.symbols.insert(name, symbol);
                }
            }
        }
        twice
    }

    /// Where a name was defined that isn't known here any more, and why it isn't.
    pub(super) fn gone(&self, name: &str) -> Option<(Span, Beyond)> {
        self.gone.get(name).copied()
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
        if let Some(names) = self.open.last_mut() {
            names.push(name.value.clone());
        }
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

    /// What was looked up so far was no use of a name.
    pub(super) fn forget_use(&mut self, name: &str) {
        if let Some(symbol) = self.symbols.get_mut(name) {
            symbol.used = false;
        }
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
        report_unused(self.symbols.iter(), diagnostics);
    }
}

impl Closed {
    pub(super) fn report_unused(&self, diagnostics: &mut Vec<Diagnostic>) {
        let symbols = self.0.iter().map(|(name, symbol)| (name, symbol));
        report_unused(symbols, diagnostics);
    }
}

fn report_unused<'s>(
    symbols: impl Iterator<Item = (&'s String, &'s Symbol)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (name, symbol) in symbols {
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
