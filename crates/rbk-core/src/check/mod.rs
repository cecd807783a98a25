//! From a tree to a [`Program`]: names and types first, then the state pass.
//!
//! Pure: it knows the runbook's text, the environment and what was given with `--set`, nothing else. It returns what it
//! could make of them and every diagnostic.

mod bounds;
mod branches;
mod column_type;
mod comparison;
mod error;
mod expressions;
mod functions;
mod objects;
mod parameters;
mod procedures;
mod replications;
mod schema_error;
mod scope;
mod setting;
mod statement_error;
mod uses;

pub(crate) use column_type::SqlType;
pub(crate) use error::CheckError;
pub(crate) use expressions::{Need, Typed};
pub(crate) use objects::Object;
pub(crate) use procedures::Via;
pub(crate) use schema_error::SchemaError;
pub(crate) use statement_error::StatementError;

use crate::catalog::Catalog;
use crate::environment::{Application, Database, Environment, LockSource, Places};
use crate::ids::{ApplicationName, DatabaseName, StepPath};
use crate::plan::{Expr, Parameter, StackValue, Template, UsedFile};
use crate::state;
use crate::steps::Statement;
use crate::value::Type;
use procedures::{Path, Procedures};
use rbk_syntax::{Diagnostic, Severity, Sources, Span, ast, has_errors};
use scope::Scope;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use crate::state::CODES as STATE_CODES;
pub use error::CODES;
pub use functions::{FUNCTIONS, Function};
pub use procedures::{Used, Uses};
pub use setting::{Setting, setting};
pub use uses::UseError;

/// What a check looks at.
pub struct Input<'a> {
    /// The tree.
    pub runbook: &'a ast::Runbook,
    /// What its names stand for.
    pub environment: &'a Environment,
    /// Where the environment's file says it.
    pub places: &'a Places,
    /// The lock file, asked only by a runbook that names schema objects; absent: there is none.
    pub lock: Option<&'a dyn LockSource>,
    /// `--set NAME=VALUE`, as given.
    pub given: &'a BTreeMap<String, String>,
    /// The files that it uses.
    pub uses: &'a Uses,
}

/// What came of a check.
pub struct Checked {
    /// The program, unless there were errors.
    pub program: Option<Program>,
    /// All of them, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// A runbook whose names, types and states are right, bound to an environment.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) title: String,
    pub(crate) doc: Option<String>,
    pub(crate) uses: Vec<UsedFile>,
    pub(crate) environment: Environment,
    /// What the lock file says of the databases that statements on schema objects name.
    pub(crate) catalogs: BTreeMap<DatabaseName, Catalog>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) preflight: Vec<Precondition>,
    pub(crate) steps: Vec<Step>,
    pub(crate) on_failure: Option<Block>,
    /// What the deployed stack's settings must say.
    pub(crate) stack: Vec<StackValue>,
}

impl Program {
    /// The call through which the statement came that a place is part of, if there is one.
    pub(crate) fn via(&self, place: Span) -> Option<Arc<Via>> {
        // Only files that are used and blocks outside of steps hold procedures: most programs have no call at all.
        let blocks = self.steps.iter().map(|step| &step.block);
        let mut blocks = blocks.chain(&self.on_failure);
        blocks.find_map(|block| block.via(place))
    }
}

/// A `let` or `require` at the top of a runbook.
#[derive(Debug, Clone)]
pub(crate) enum Precondition {
    Let {
        name: String,
        value: Typed,
        text: String,
    },
    Require {
        condition: Typed,
        otherwise: Option<Template>,
        text: String,
    },
}

/// A step whose statements are checked.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) path: StepPath,
    pub(crate) doc: Option<String>,
    /// With which others it is done together.
    pub(crate) parallel: Option<Together>,
    pub(crate) block: Block,
}

/// The `parallel` that a step stands in.
#[derive(Debug, Clone)]
pub(crate) struct Together {
    /// The same for all of its steps, another one for each `parallel`.
    pub(crate) number: u32,
    /// The word `parallel`.
    pub(crate) keyword: Span,
}

/// Statements in order.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) statements: Vec<Located>,
    /// The block's own words, for diagnostics about all of it.
    pub(crate) span: Span,
}

impl Block {
    /// The call through which the statement came that a place is part of.
    fn via(&self, place: Span) -> Option<Arc<Via>> {
        let holds = |span: Span| {
            span.source == place.source && span.start <= place.start && place.end <= span.end
        };
        self.statements.iter().find_map(|located| {
            if holds(located.span) && located.via.is_some() {
                return located.via.clone();
            }
            let mut inner = located.statement.blocks();
            inner.find_map(|block| block.via(place))
        })
    }
}

/// A statement and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) statement: Statement,
    pub(crate) span: Span,
    /// As the runbook says it, on one line.
    pub(crate) text: String,
    /// The call that it came through, if it stands in a procedure.
    pub(crate) via: Option<Arc<Via>>,
}

/// Checks a runbook against an environment. `sources` must hold the texts of the
/// runbook and of the files that it uses; texts given with `--set` are added.
pub fn check(input: &Input<'_>, sources: &mut Sources) -> Checked {
    let mut checker = Checker::new(input.environment, input.places, input.lock);
    checker.later = names_of(input.runbook);
    let (parameters, mut preflight) = checker.parameters(input, sources);
    checker.procedures(input);
    let mut together = 0;
    let mut steps = Vec::new();
    let mut on_failure: Option<Block> = None;

    for item in &input.runbook.items {
        match item {
            ast::Item::Param(_) => {}
            ast::Item::Let(item) => {
                if let Some(value) = checker.define(&item.name, &item.value) {
                    preflight.push(Precondition::Let {
                        name: item.name.value.clone(),
                        value,
                        text: one_line(sources.text(item.span)),
                    });
                }
            }
            ast::Item::Require(item) => {
                let condition = checker.condition(&item.condition);
                let otherwise = item.otherwise.as_ref().map(|text| checker.template(text));
                if let Some(condition) = condition {
                    preflight.push(Precondition::Require {
                        condition,
                        otherwise,
                        text: one_line(sources.text(item.span)),
                    });
                }
            }
            ast::Item::Step(item) => {
                let step = checker.step(item, None, sources);
                steps.push(step);
            }
            ast::Item::OnFailure(item) => {
                let path = StepPath::new(ON_FAILURE);
                checker.in_failure = true;
                let block = checker.block(&path, &item.body, item.span, item.keyword, sources);
                checker.in_failure = false;
                match &on_failure {
                    Some(first) => checker.report(CheckError::SecondOnFailure {
                        span: item.keyword,
                        first: first.span,
                    }),
                    None => on_failure = Some(block),
                }
            }
            ast::Item::Parallel(item) => {
                together += 1;
                checker.together(item, together, sources, &mut steps);
            }
            ast::Item::Use(_) | ast::Item::Procedure(_) => {}
            ast::Item::Error(_) => checker.unreadable(),
        }
    }
    // A name may be used in what couldn't be read.
    if !checker.broken {
        checker.scope.report_unused(&mut checker.diagnostics);
    }
    checker.report_never_done();
    let excused = std::mem::take(&mut checker.excused);
    checker.diagnostics.retain(|diagnostic| {
        diagnostic.severity == Severity::Error || !excused.contains(&diagnostic.primary.span)
    });
    let stack = checker.stack();
    let (mut diagnostics, broken) = (checker.diagnostics, checker.broken);
    let program = Program {
        title: input.runbook.title.value.clone(),
        doc: input.runbook.doc.as_ref().map(|doc| doc.text.clone()),
        uses: input.uses.facts(sources),
        environment: input.environment.clone(),
        catalogs: checker.catalogs,
        parameters,
        preflight,
        steps,
        on_failure,
        stack,
    };
    // Behind an error of names or types the states are guesses: their diagnostics would be noise.
    if !broken && !has_errors(&diagnostics) {
        diagnostics.extend(state::analyse(&program, input.runbook));
    }
    diagnostics.sort_by_key(|diagnostic| {
        (
            diagnostic.primary.span.source,
            diagnostic.primary.span.start,
        )
    });
    // Whoever doesn't wait for a replication uses its name nowhere, either.
    let unawaited: Vec<Span> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.code.0 == "RBK2058")
        .map(|diagnostic| diagnostic.primary.span)
        .collect();
    diagnostics.retain(|diagnostic| {
        let Span { source, start, end } = diagnostic.primary.span;
        let within = |span: &Span| span.source == source && span.start <= start && end <= span.end;
        diagnostic.code.0 != "RBK1018" || !unawaited.iter().any(within)
    });
    // What is wrong in a procedure is wrong in each of its calls; it is said of the first.
    let mut told = HashSet::new();
    diagnostics.retain(|diagnostic| {
        let Diagnostic {
            code,
            message,
            primary,
            ..
        } = diagnostic;
        told.insert((*code, primary.span, message.clone()))
    });
    let program = (!broken && !has_errors(&diagnostics)).then_some(program);
    Checked {
        program,
        diagnostics,
    }
}

/// The names that a runbook defines at its top, and where.
fn names_of(runbook: &ast::Runbook) -> HashMap<String, Span> {
    let names = runbook.items.iter().filter_map(|item| match item {
        ast::Item::Param(param) => Some(&param.name),
        ast::Item::Let(item) => Some(&item.name),
        _ => None,
    });
    names.map(|name| (name.value.clone(), name.span)).collect()
}

/// How plan and journal call the block of that name.
pub(crate) const ON_FAILURE: &str = "on failure";

/// How they call what is done behind it.
pub(crate) const CLEANUP: &str = "cleanup";

/// Names and types: what statements and expressions are checked with.
pub(crate) struct Checker<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) places: &'a Places,
    lock: Option<&'a dyn LockSource>,
    catalogs: BTreeMap<DatabaseName, Catalog>,
    /// Databases of which it was said that nothing is known of their schema: once is enough.
    unknown: BTreeSet<DatabaseName>,
    /// Names of which it was said that nobody knows them, and where first.
    unknown_names: BTreeMap<String, Span>,
    scope: Scope,
    diagnostics: Vec<Diagnostic>,
    /// Whether something could not be read; its diagnostic was given, and states behind it are guesses.
    broken: bool,
    procedures: Procedures<'a>,
    /// Whether the statements of `on failure` are being checked.
    in_failure: bool,
    /// The word `parallel` that the step stands in that is being checked.
    parallel: Option<Span>,
    /// How many blocks of `if` are open.
    blocks: usize,
    /// Whether a condition behind `where` is being checked.
    in_bounds: bool,
    /// The names that are defined at the top, for those conditions, which don't know them all.
    later: HashMap<String, Span>,
    /// Names that were used where they aren't known; they aren't unused as well.
    excused: Vec<Span>,
}

impl<'a> Checker<'a> {
    fn new(
        environment: &'a Environment,
        places: &'a Places,
        lock: Option<&'a dyn LockSource>,
    ) -> Self {
        Self {
            environment,
            places,
            lock,
            catalogs: BTreeMap::new(),
            unknown: BTreeSet::new(),
            unknown_names: BTreeMap::new(),
            scope: Scope::default(),
            diagnostics: Vec::new(),
            broken: false,
            procedures: Procedures::default(),
            in_failure: false,
            parallel: None,
            blocks: 0,
            in_bounds: false,
            later: HashMap::new(),
            excused: Vec::new(),
        }
    }

    /// Whether the statements of `on failure` are being checked.
    pub(crate) fn in_failure(&self) -> bool {
        self.in_failure
    }

    pub(crate) fn report(&mut self, error: impl Into<Diagnostic>) {
        self.diagnostics.push(error.into());
    }

    pub(crate) fn unreadable(&mut self) {
        self.broken = true;
    }

    /// The database that a path names, directly or through a parameter.
    pub(crate) fn database(&mut self, path: &ast::Path) -> Option<DatabaseName> {
        match self.entity(path, Type::Database)? {
            crate::value::Value::Database(name) => Some(name),
            _ => None,
        }
    }

    /// The application that a path names, directly or through a parameter.
    pub(crate) fn application(&mut self, path: &ast::Path) -> Option<ApplicationName> {
        match self.entity(path, Type::Application)? {
            crate::value::Value::Application(name) => Some(name),
            _ => None,
        }
    }

    /// What the environment says of a database whose name was resolved.
    pub(crate) fn database_facts(&self, name: &DatabaseName) -> Option<&Database> {
        self.environment.databases.get(name)
    }

    /// What the environment says of an application whose name was resolved.
    pub(crate) fn application_facts(&self, name: &ApplicationName) -> Option<&Application> {
        self.environment.applications.get(name)
    }

    /// What the lock file says of a database, of which the plan then keeps a copy; reports where it says nothing.
    pub(crate) fn catalog(&mut self, name: &DatabaseName, span: Span) -> Option<&Catalog> {
        if !self.catalogs.contains_key(name) {
            let lock = match self.lock.map(LockSource::lock) {
                // It is there and can't be read: whoever reads it says so.
                Some(None) => {
                    self.unreadable();
                    return None;
                }
                Some(lock) => lock,
                None => None,
            };
            let found = lock.and_then(|lock| lock.catalog(self.environment, name));
            let Some(catalog) = found else {
                let error = CheckError::NoLock {
                    span,
                    database: name.clone(),
                    environment: self.environment.name.clone(),
                    exists: self.lock.is_some(),
                };
                if self.unknown.insert(name.clone()) {
                    self.report(error);
                }
                return None;
            };
            self.catalogs.insert(name.clone(), catalog.clone());
        }
        self.catalogs.get(name)
    }

    /// Reports a database that the application has no right to use.
    pub(crate) fn may_use(
        &mut self,
        application: &ApplicationName,
        database: &DatabaseName,
        span: Span,
    ) -> Option<()> {
        let databases = &self.application_facts(application)?.databases;
        if databases.contains(database) {
            return Some(());
        }
        let error = CheckError::NotItsDatabase {
            span,
            application: application.clone(),
            database: database.clone(),
            databases: databases.clone(),
            declared: self.places.application(application),
        };
        self.report(error);
        None
    }

    /// Checks the value of a `let` and makes its name known; a name whose value is wrong is known, too, and stays quiet.
    pub(crate) fn define(&mut self, name: &ast::Name, value: &ast::Expr) -> Option<Typed> {
        let value = self.expression(value);
        if let Some(first) = self.scope.span_of(&name.value) {
            self.report(CheckError::Twice {
                span: name.span,
                name: name.value.clone(),
                first,
            });
            return None;
        }
        let binding = self.binding_of(&name.value);
        self.scope.define_binding(name, value.as_ref(), binding);
        value
    }

    /// Makes the name of a snapshot known that a statement takes, and returns what it is called in the plan.
    pub(crate) fn define_snapshot(
        &mut self,
        name: &ast::Name,
        of: Option<&DatabaseName>,
    ) -> Option<String> {
        if let Some(first) = self.scope.span_of(&name.value) {
            self.report(CheckError::Twice {
                span: name.span,
                name: name.value.clone(),
                first,
            });
            return None;
        }
        let binding = self.binding_of(&name.value);
        let expr = Expr::Binding {
            name: binding.clone(),
            ty: Type::Snapshot,
        };
        let typed = of.map(|of| Typed {
            expr,
            ty: Type::Snapshot,
            span: name.span,
            reads: Vec::new(),
            origin: Some(of.clone()),
        });
        self.scope
            .define_binding(name, typed.as_ref(), binding.clone());
        Some(binding)
    }

    /// Makes the name of a replication known, and returns what it is called in the plan.
    pub(crate) fn define_replication(&mut self, name: &ast::Name) -> Option<String> {
        if let Some(first) = self.scope.span_of(&name.value) {
            self.report(CheckError::Twice {
                span: name.span,
                name: name.value.clone(),
                first,
            });
            return None;
        }
        let binding = self.binding_of(&name.value);
        self.scope.define_replication(name, binding.clone());
        Some(binding)
    }

    /// The statement that a name stands for is wrong: what is done with the name stays quiet.
    pub(crate) fn breaks(&mut self, name: &ast::Name) {
        self.scope.breaks(&name.value);
    }

    /// What a `let` whose name was defined is called in the plan.
    pub(crate) fn binding(&self, name: &ast::Name) -> String {
        let binding = self.scope.binding(&name.value);
        binding.unwrap_or(&name.value).to_owned()
    }

    fn step(&mut self, item: &'a ast::Step, parallel: Option<Together>, sources: &Sources) -> Step {
        self.title(&item.title);
        let path = StepPath::new(item.title.value.clone());
        let block = self.block(&path, &item.body, item.span, item.span, sources);
        Step {
            path,
            doc: item.doc.as_ref().map(|doc| doc.text.clone()),
            parallel,
            block,
        }
    }

    fn title(&mut self, title: &rbk_syntax::Spanned<String>) {
        if title.value.trim().is_empty() {
            // One that isn't there at all has been told.
            if title.span.start < title.span.end {
                self.report(CheckError::EmptyTitle { span: title.span });
            }
            return;
        }
        if let ON_FAILURE | CLEANUP = title.value.as_str() {
            self.report(CheckError::ReservedTitle {
                span: title.span,
                title: title.value.clone(),
            });
            return;
        }
        let (span, name) = (title.span, title.value.clone());
        match self.take_path(&name, Path::Step(span)) {
            Some(Path::Step(first)) => self.report(CheckError::SameStep {
                span,
                title: name,
                first,
            }),
            Some(Path::Call(first)) => self.report(CheckError::StepLikeCall {
                span,
                title: name,
                first,
            }),
            None => {}
        }
    }

    fn block(
        &mut self,
        path: &StepPath,
        body: &'a [ast::Statement],
        span: Span,
        words: Span,
        sources: &Sources,
    ) -> Block {
        let mut statements = Vec::with_capacity(body.len());
        self.statements(body, path, sources, &mut statements);
        if body.is_empty() {
            self.report(CheckError::EmptyBlock { span });
        }
        Block {
            statements,
            span: words,
        }
    }
}

/// A statement's text on one line, as plan and journal quote it, without its comments.
fn one_line(text: &str) -> String {
    if !text.contains('\n') {
        return text.trim().to_owned();
    }
    let mut line = String::with_capacity(text.len());
    let mut quotes = "";
    let mut braces = 0_usize;
    for part in text.lines() {
        let part = code_of(part, &mut quotes, &mut braces).trim();
        if line.is_empty() {
            line.push_str(part);
            continue;
        }
        if part.is_empty() {
            continue;
        }
        // A newline ends an option, as a comma does.
        let is_option = braces > 0 && quotes.is_empty() && !line.ends_with(['{', '[', '(', ',']);
        if is_option && !part.starts_with(['}', ']', ')']) {
            line.push(',');
        }
        if !line.ends_with(['(', '[']) && !part.starts_with([')', ']']) {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

/// A line up to its comment; `quotes` are the open ones of a text, `braces` how many are open outside of texts.
fn code_of<'t>(line: &'t str, quotes: &mut &'static str, braces: &mut usize) -> &'t str {
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match character {
            '#' if quotes.is_empty() => return line.get(..line.len() - rest.len()).unwrap_or(line),
            '\\' if !quotes.is_empty() => {
                length += rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            '"' if quotes.is_empty() => {
                *quotes = if rest.starts_with("\"\"\"") {
                    "\"\"\""
                } else {
                    "\""
                };
                length = quotes.len();
            }
            '"' if rest.starts_with(*quotes) => {
                length = quotes.len();
                *quotes = "";
            }
            '{' if quotes.is_empty() => *braces += 1,
            '}' if quotes.is_empty() => *braces = braces.saturating_sub(1),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or("");
    }
    line
}

#[cfg(test)]
mod tests;
