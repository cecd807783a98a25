//! Procedures: which there are, and their statements in the place of each `do`.
//!
//! A procedure is checked where it is done, with what it is given there: its parameters and the environment are all
//! that it sees. What is wrong inside points into the procedure and says where it was done.

use super::branches::{Said, is_read};
use super::error::CheckError;
use super::expressions::Typed;
use super::scope::{Meaning, Scope};
use super::{Checker, Input, Located, one_line};
use crate::ids::StepPath;
use crate::plan::{Expr, UsedFile};
use crate::steps::Statement;
use crate::value::{Type, Value};
use rbk_syntax::{Diagnostic, Label, SourceId, Sources, Span, ast};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How deep procedures do others.
const MAX_DEPTH: usize = 32;

/// How many statements all calls of a runbook amount to. A few calls in a few procedures multiply quickly.
const MAX_INLINED: usize = 10_000;

/// The files that a runbook uses, itself or through another one.
#[derive(Debug, Default)]
pub struct Uses {
    /// Each once, those that it uses itself before it.
    pub files: Vec<Used>,
    /// Whether one of them could not be read. That has been reported; a procedure that is missing may be in it.
    pub incomplete: bool,
}

/// A file that a runbook uses.
#[derive(Debug)]
pub struct Used {
    /// Its text.
    pub source: SourceId,
    /// What stands in it: `use` and `procedure`.
    pub items: Vec<ast::Item>,
}

impl Uses {
    /// What a plan says of them.
    pub(super) fn facts(&self, sources: &Sources) -> Vec<UsedFile> {
        let sources = self
            .files
            .iter()
            .filter_map(|used| sources.get(used.source));
        sources
            .map(|source| UsedFile {
                file: source.name.clone(),
                sha256: hex::encode(Sha256::digest(source.text.as_bytes())),
            })
            .collect()
    }
}

/// The `do` through which a statement came into its step.
#[derive(Debug)]
pub(crate) struct Via {
    /// The step's path, and behind it the labels of the calls, this one last.
    pub(crate) path: StepPath,
    /// As the runbook says it, on one line.
    pub(crate) text: String,
    label: String,
    span: Span,
    /// The call that this one stands in.
    outer: Option<Arc<Via>>,
}

impl Via {
    /// Says where the procedure was done that a diagnostic points into, the innermost call first.
    pub(crate) fn relate(&self, diagnostic: &mut Diagnostic) {
        let mut call = Some(self);
        let mut shown = 0;
        while let Some(via) = call {
            if shown < MAX_SHOWN || via.outer.is_none() {
                diagnostic.related.push(via.label());
                shown += 1;
            }
            call = via.outer.as_deref();
        }
    }

    fn label(&self) -> Label {
        let text = DONE_HERE.to_owned();
        let span = self.span;
        Label { span, text }
    }
}

const DONE_HERE: &str = "done here";

/// How many calls a diagnostic shows, innermost first; the outermost is always shown.
const MAX_SHOWN: usize = 2;

/// What is known of the procedures while a runbook is checked.
#[derive(Default)]
pub(super) struct Procedures<'a> {
    known: HashMap<&'a str, Procedure<'a>>,
    /// Whether a definition could not be read: a name that is missing may be its.
    incomplete: bool,
    /// The calls whose statements are being checked, outermost first.
    open: Vec<Open>,
    /// Every path that actions have: of steps, and of calls in them.
    paths: HashMap<String, Path>,
    /// What the values are called that procedures read when they run.
    bindings: HashSet<String>,
    inlined: usize,
}

struct Procedure<'a> {
    item: &'a ast::Procedure,
    /// The parameters' types; absent where one was wrong and has been reported.
    types: Vec<Option<Type>>,
    /// Whether it stands in the runbook itself, and not in a file that is used.
    is_own: bool,
    is_done: bool,
}

/// What has a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path {
    Step(Span),
    Call(Span),
}

struct Open {
    procedure: String,
    via: Arc<Via>,
    /// The names of where it is done.
    outside: Scope,
}

impl<'a> Checker<'a> {
    /// Learns which procedures there are.
    pub(super) fn procedures(&mut self, input: &Input<'a>) {
        self.procedures.incomplete = input.uses.incomplete;
        let own = input.runbook.items.iter().map(|item| (item, true));
        let used = input.uses.files.iter().flat_map(|used| &used.items);
        for (item, is_own) in own.chain(used.map(|item| (item, false))) {
            match item {
                ast::Item::Procedure(item) => self.procedure(item, is_own),
                ast::Item::Error(_) => self.procedures.incomplete = true,
                _ => {}
            }
        }
    }

    fn procedure(&mut self, item: &'a ast::Procedure, is_own: bool) {
        if let Some(first) = self.procedures.known.get(item.name.value.as_str()) {
            let error = CheckError::SameProcedure {
                span: item.name.span,
                name: item.name.value.clone(),
                first: first.item.name.span,
            };
            self.report(error);
            return;
        }
        let mut types = Vec::with_capacity(item.params.len());
        let mut names: HashMap<&str, Span> = HashMap::new();
        for param in &item.params {
            types.push(self.procedure_type(&param.ty));
            if let Some(first) = names.insert(&param.name.value, param.name.span) {
                self.report(CheckError::Twice {
                    span: param.name.span,
                    name: param.name.value.clone(),
                    first,
                });
            }
        }
        if item.body.is_empty() {
            self.report(CheckError::EmptyBlock { span: item.span });
        }
        let procedure = Procedure {
            item,
            types,
            is_own,
            is_done: false,
        };
        self.procedures.known.insert(&item.name.value, procedure);
    }

    /// The type of a procedure's parameter: unlike a runbook's, it can be a snapshot, which a person can't give.
    fn procedure_type(&mut self, name: &ast::Name) -> Option<Type> {
        if name.value == Type::Snapshot.name() {
            return Some(Type::Snapshot);
        }
        self.parameter_type(name)
    }

    /// Warns of procedures that nothing does; those of used files are there for any runbook.
    pub(super) fn report_never_done(&mut self) {
        if self.broken {
            return;
        }
        let never_done: Vec<_> = self
            .procedures
            .known
            .values()
            .filter(|procedure| procedure.is_own && !procedure.is_done)
            .map(|procedure| CheckError::NeverDone {
                span: procedure.item.name.span,
                name: procedure.item.name.value.clone(),
            })
            .collect();
        never_done
            .into_iter()
            .for_each(|warning| self.report(warning));
    }

    /// Takes a path for a step or call, or says what has it already.
    pub(super) fn take_path(&mut self, path: &str, owner: Path) -> Option<Path> {
        if let Some(first) = self.procedures.paths.get(path) {
            return Some(*first);
        }
        self.procedures.paths.insert(path.to_owned(), owner);
        None
    }

    /// Checks statements of a step or procedure, and puts those of procedures in the place of their calls.
    pub(super) fn statements(
        &mut self,
        body: &'a [ast::Statement],
        step: &StepPath,
        sources: &Sources,
        into: &mut Vec<Located>,
    ) {
        for statement in body {
            if let ast::StatementKind::Do {
                procedure,
                arguments,
                label,
            } = &statement.kind
            {
                let call = Call {
                    procedure,
                    arguments,
                    label: label.as_ref(),
                    span: statement.span,
                };
                self.inline(&call, step, sources, into);
                continue;
            }
            if !self.procedures.open.is_empty() && self.is_too_much(statement.span) {
                return;
            }
            if let ast::StatementKind::If {
                condition,
                then,
                otherwise,
                keyword,
            } = &statement.kind
            {
                let via = self.procedures.open.last().map(|open| open.via.clone());
                let said = Said {
                    condition,
                    then,
                    otherwise: otherwise.as_ref(),
                    keyword: *keyword,
                };
                if let Some((branch, text)) = self.branch(said, step, sources) {
                    into.push(Located {
                        statement: branch,
                        // Its blocks' statements have places of their own.
                        span: keyword.to(condition.span),
                        text,
                        via,
                    });
                }
                continue;
            }
            self.refuse_person(statement);
            if let Some(checked) = Statement::check(statement, self) {
                into.push(Located {
                    statement: checked,
                    span: statement.span,
                    text: one_line(sources.text(statement.span)),
                    via: self.procedures.open.last().map(|open| open.via.clone()),
                });
            }
        }
    }

    /// Puts the statements of a procedure in the place of a `do`.
    fn inline(
        &mut self,
        call: &Call<'a>,
        step: &StepPath,
        sources: &Sources,
        into: &mut Vec<Located>,
    ) {
        let Some((item, types, is_first)) = self.done(call) else {
            return;
        };
        // Calls count as well: procedures that only do others multiply without a statement.
        if self.comes_back(call) || self.is_too_deep(call.span) || self.is_too_much(call.span) {
            return;
        }
        let Some(scope) = self.bind(call, item, &types) else {
            return;
        };
        let Some(via) = self.via(call, step, sources) else {
            return;
        };
        let open = Open {
            procedure: item.name.value.clone(),
            via: Arc::new(via),
            outside: std::mem::replace(&mut self.scope, scope),
        };
        self.procedures.open.push(open);
        let before = self.diagnostics.len();
        self.statements(&item.body, step, sources, into);
        if is_first && item.body.iter().all(is_read) {
            self.scope.report_unused(&mut self.diagnostics);
        }
        let is_outermost = self.procedures.open.len() == 1;
        for diagnostic in self.diagnostics.iter_mut().skip(before) {
            let shown = diagnostic.related.iter();
            let shown = shown.filter(|label| label.text == DONE_HERE).count();
            if shown < MAX_SHOWN || is_outermost {
                let text = DONE_HERE.to_owned();
                let span = call.span;
                diagnostic.related.push(Label { span, text });
            }
        }
        if let Some(open) = self.procedures.open.pop() {
            self.scope = open.outside;
        }
    }

    /// The procedure that a call names, and whether this is its first call.
    fn done(&mut self, call: &Call<'a>) -> Option<(&'a ast::Procedure, Vec<Option<Type>>, bool)> {
        let name = call.procedure.value.as_str();
        let Some(procedure) = self.procedures.known.get_mut(name) else {
            if self.procedures.incomplete {
                self.unreadable();
                return None;
            }
            let candidates = self.procedures.known.keys().map(|&name| name.to_owned());
            let error = CheckError::UnknownProcedure {
                span: call.procedure.span,
                name: name.to_owned(),
                candidates: candidates.collect(),
            };
            self.report(error);
            return None;
        };
        let is_first = !std::mem::replace(&mut procedure.is_done, true);
        Some((procedure.item, procedure.types.clone(), is_first))
    }

    /// Reports a procedure that does itself, directly or through others.
    fn comes_back(&mut self, call: &Call<'_>) -> bool {
        let name = call.procedure.value.as_str();
        let mut open = self.procedures.open.iter();
        if !open.any(|open| open.procedure == name) {
            return false;
        }
        let through = open.map(|open| open.procedure.clone()).collect();
        self.report(CheckError::Recursion {
            span: call.procedure.span,
            name: name.to_owned(),
            through,
        });
        true
    }

    /// Counts a statement of a procedure, and reports the first one that is too much.
    fn is_too_much(&mut self, span: Span) -> bool {
        self.procedures.inlined += 1;
        if self.procedures.inlined == MAX_INLINED + 1 {
            self.report(CheckError::TooManyCalls {
                span,
                limit: MAX_INLINED,
                unit: "statements",
            });
        }
        self.procedures.inlined > MAX_INLINED
    }

    fn is_too_deep(&mut self, span: Span) -> bool {
        let is_too_deep = self.procedures.open.len() >= MAX_DEPTH;
        if is_too_deep {
            self.report(CheckError::TooManyCalls {
                span,
                limit: MAX_DEPTH,
                unit: "calls within each other",
            });
        }
        is_too_deep
    }

    /// The names that a procedure sees: its parameters, with what they are given.
    fn bind(
        &mut self,
        call: &Call<'_>,
        item: &ast::Procedure,
        types: &[Option<Type>],
    ) -> Option<Scope> {
        if call.arguments.len() != item.params.len() {
            let params = item.params.iter();
            self.report(CheckError::ProcedureArguments {
                span: call.span,
                name: item.name.value.clone(),
                found: call.arguments.len(),
                params: params
                    .map(|param| format!("{}: {}", param.name.value, param.ty.value))
                    .collect(),
                declared: item.name.span,
            });
            return None;
        }
        let mut scope = Scope::default();
        let mut entities: HashMap<Value, (&str, Span)> = HashMap::new();
        for ((param, ty), argument) in item.params.iter().zip(types).zip(call.arguments) {
            let typed = match ty {
                Some(ty) => self.argument(argument, *ty, param),
                None => None,
            };
            let meaning = typed.and_then(|typed| self.meaning(typed));
            if let Some(Meaning::Known(value @ (Value::Database(_) | Value::Application(_)))) =
                &meaning
            {
                let name = param.name.value.as_str();
                match entities.get(value) {
                    Some((other, other_span)) => self.report(CheckError::SameEntity {
                        span: argument.span,
                        name: name.to_owned(),
                        value: value.to_string(),
                        other: (*other).to_owned(),
                        other_span: *other_span,
                    }),
                    None => {
                        entities.insert(value.clone(), (name, argument.span));
                    }
                }
            }
            scope.define_argument(&param.name, meaning);
        }
        Some(scope)
    }

    /// The value of an argument; where its type is wrong, the parameter is shown as well.
    fn argument(&mut self, argument: &ast::Expr, ty: Type, param: &ast::Param) -> Option<Typed> {
        let before = self.diagnostics.len();
        let typed = self.expression_of(argument, ty);
        if typed.is_none() {
            for diagnostic in self.diagnostics.iter_mut().skip(before) {
                let text = "the parameter".to_owned();
                let span = param.span;
                diagnostic.related.push(Label { span, text });
            }
        }
        typed
    }

    /// What a parameter stands for: a value, or what a `let` has read. Anything else would be read again wherever the
    /// parameter stands.
    fn meaning(&mut self, typed: Typed) -> Option<Meaning> {
        match typed.expr {
            Expr::Value(value) => Some(Meaning::Known(value)),
            Expr::Binding { name, ty } => Some(Meaning::Observed {
                binding: name,
                ty,
                origin: typed.origin,
            }),
            Expr::Parameter { name, ty } => Some(Meaning::Hole { name, ty }),
            _ => {
                self.report(CheckError::UnnamedArgument { span: typed.span });
                None
            }
        }
    }

    /// A call's path, which no other one has.
    fn via(&mut self, call: &Call<'_>, step: &StepPath, sources: &Sources) -> Option<Via> {
        let outer = self.procedures.open.last().map(|open| open.via.clone());
        let label = match call.label {
            Some(label) => label.as_literal().unwrap_or_default(),
            None => call.procedure.value.as_str(),
        };
        if let Some(written) = call.label
            && label.trim().is_empty()
        {
            self.report(CheckError::EmptyLabel { span: written.span });
            return None;
        }
        let path = match &outer {
            Some(outer) => format!("{}/{label}", outer.path),
            None => format!("{step}/{label}"),
        };
        if let Some(Path::Step(first) | Path::Call(first)) =
            self.take_path(&path, Path::Call(call.span))
        {
            let label_span = call.label.map(|label| label.span);
            let free = (2..)
                .map(|number| format!("{label} {number}"))
                .find(|next| {
                    let path = path.strip_suffix(label).unwrap_or(&path);
                    !self.procedures.paths.contains_key(&format!("{path}{next}"))
                });
            self.report(CheckError::SameCall {
                span: call.span,
                label: label.to_owned(),
                label_span,
                first,
                free: free.unwrap_or_default(),
            });
            return None;
        }
        Some(Via {
            path: StepPath::new(path),
            text: one_line(sources.text(call.span)),
            label: label.to_owned(),
            span: call.span,
            outer,
        })
    }

    /// What a `let` is called in the plan: the name, behind a call's label where it stands in a procedure, so that
    /// each call has values of its own.
    pub(super) fn binding_of(&mut self, name: &str) -> String {
        let Some(open) = self.procedures.open.last() else {
            // Blocks of `if` may use a name again; the plan tells their values apart.
            let mut binding = name.to_owned();
            let mut number = 1;
            while !self.procedures.bindings.insert(binding.clone()) {
                number += 1;
                binding = format!("{name}#{number}");
            }
            return binding;
        };
        let short = format!("{}.{name}", open.via.label);
        let long = format!("{}.{name}", open.via.path);
        if self.procedures.bindings.insert(short.clone()) {
            return short;
        }
        let mut binding = long.clone();
        let mut number = 1;
        while !self.procedures.bindings.insert(binding.clone()) {
            number += 1;
            binding = format!("{long}#{number}");
        }
        binding
    }

    /// The procedure that is being checked, if a name means something outside of it.
    pub(super) fn hidden(&self, name: &str) -> Option<(&str, Span)> {
        let procedure = self.procedures.open.last()?;
        let outside = self.procedures.open.iter();
        let place = outside.rev().find_map(|open| open.outside.span_of(name))?;
        Some((&procedure.procedure, place))
    }
}

/// A `do` as it is written.
struct Call<'a> {
    procedure: &'a ast::Name,
    arguments: &'a [ast::Expr],
    label: Option<&'a ast::Text>,
    span: Span,
}
