//! From a [`Program`] to a [`Plan`]: statements become primitive actions with exact parameters.
//!
//! Pure, and done once: a run executes its stored plan and never lowers again.

mod bounds;
mod branches;
mod ledger;
mod replications;

pub(crate) use bounds::{LOCK_TIMEOUT, by_size};
pub(crate) use ledger::Ledger;
pub(crate) use replications::completed_by;

use crate::catalog::Catalog;
use crate::check::{Block, CLEANUP, ON_FAILURE, Precondition, Program};
use crate::environment::{Database, Environment, Migrations, TableName};
use crate::ids::{ActionId, ApplicationName, DatabaseName, SecretName, StepPath};
use crate::plan::{
    Action, CatalogScope, Change, Expr, Freeze, Guard, InstanceSettings, PLAN_VERSION, Plan,
    PlannedAction, PlannedReplication, Preflight, Risk, RunbookFacts, SecretContent, Step,
    Template, Wording,
};
use crate::state;
use crate::steps;
use branches::name_what_must_be_typed;
use rbk_syntax::Span;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A minute in seconds, the unit of upper bounds.
pub(crate) const MINUTE: u64 = 60;

/// What the actions of the cleanup are quoted with: no statement of the runbook says them.
const CLEANUP_STATEMENT: &str = "(cleanup when the run fails)";

/// What the statements of a step do, each with the place where it stands.
pub(crate) struct Doings {
    /// The actions of each step, in the order of the program.
    pub(crate) steps: Vec<Vec<(Span, Action)>>,
    /// What the replications are that they name.
    pub(crate) replications: BTreeMap<String, PlannedReplication>,
}

/// The actions of a program's steps, for those who must know what its statements touch.
pub(crate) fn doings(program: &Program) -> Doings {
    let active = state::active_at_preflight(program);
    let mut lowering = Lowering::of(program, &active);
    let steps = program.steps.iter();
    let steps = steps
        .map(|step| {
            let actions = lowering.block(step.path.clone(), &step.block);
            let places = std::mem::take(&mut lowering.places);
            let actions = actions.into_iter().map(|planned| planned.action);
            places.into_iter().zip(actions).collect()
        })
        .collect();
    Doings {
        steps,
        replications: lowering.replications,
    }
}

/// Lowers a program. `file` is the runbook's path as it was given, `text` its text.
pub fn plan(program: &Program, file: &str, text: &str) -> Plan {
    let active = state::active_at_preflight(program);
    let mut lowering = Lowering::of(program, &active);
    for precondition in &program.preflight {
        if let Precondition::Let { name, value, .. } = precondition {
            lowering.bindings.insert(name.clone(), value.expr.clone());
            lowering.observed_first.insert(name.clone());
        }
        match precondition {
            Precondition::Let { value: read, .. }
            | Precondition::Require {
                condition: read, ..
            } => lowering.relies_on_compared(&read.expr),
        }
    }
    let mut steps = Vec::with_capacity(program.steps.len());
    for step in &program.steps {
        let actions = lowering.block(step.path.clone(), &step.block);
        steps.push(Step {
            path: step.path.clone(),
            doc: step.doc.clone(),
            parallel: step.parallel.as_ref().map(|together| together.number),
            actions,
        });
    }
    lowering.in_failure = true;
    lowering.ledger.begin_anywhere();
    let on_failure = match &program.on_failure {
        Some(block) => lowering.block(StepPath::new(ON_FAILURE), block),
        None => Vec::new(),
    };
    let cleanup = lowering.cleanup();
    let preflight = preflight(program, lowering.preflight, lowering.behind);
    Plan {
        version: PLAN_VERSION,
        rbk: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: RunbookFacts {
            title: program.title.clone(),
            doc: program.doc.clone(),
            file: file.to_owned(),
            sha256: hex::encode(Sha256::digest(text.as_bytes())),
            uses: program.uses.clone(),
        },
        environment: program.environment.clone(),
        parameters: program.parameters.clone(),
        catalogs: program.catalogs.clone(),
        preflight,
        steps,
        on_failure,
        replications: lowering.replications,
        cleanup,
        stack: program.stack.clone(),
    }
}

/// Who we are comes first, then what the actions need, then what the runbook itself reads and requires, which says better than a
/// failed login that a database isn't there yet; behind it what may be said in its values. Catalogs come last: reading them logs in.
fn preflight(program: &Program, needed: Vec<Preflight>, behind: Vec<Preflight>) -> Vec<Preflight> {
    let environment = &program.environment;
    let mut all = vec![Preflight::Identity {
        account: environment.account.clone(),
        region: environment.region.clone(),
    }];
    let (mut catalogs, mut needed): (Vec<_>, Vec<_>) = needed
        .into_iter()
        .partition(|preflight| matches!(preflight, Preflight::Catalog { .. }));
    all.append(&mut needed);
    for precondition in &program.preflight {
        all.push(match precondition {
            Precondition::Let { name, value, text } => Preflight::Observe {
                name: name.clone(),
                expr: value.expr.clone(),
                ty: value.ty,
                statement: text.clone(),
            },
            Precondition::Require {
                condition,
                otherwise,
                text,
            } => Preflight::Require {
                condition: condition.expr.clone(),
                otherwise: otherwise.clone(),
                statement: text.clone(),
            },
        });
    }
    all.extend(behind);
    all.append(&mut catalogs);
    all
}

/// What statements lower into.
pub(crate) struct Lowering<'p> {
    pub(crate) environment: &'p Environment,
    /// What the lock file says.
    pub(crate) catalogs: &'p BTreeMap<DatabaseName, Catalog>,
    /// What the statements before this one changed of schemas.
    pub(crate) ledger: Ledger,
    /// Whether the statements of `on failure` are being lowered.
    pub(crate) in_failure: bool,
    active: &'p BTreeMap<ApplicationName, DatabaseName>,
    /// What the applications use behind the statements that are lowered already, as far as it is known.
    active_now: BTreeMap<ApplicationName, DatabaseName>,
    /// What the replications are that were begun.
    replications: BTreeMap<String, PlannedReplication>,
    /// Those of them that were seen to be complete.
    completed: BTreeSet<String>,
    preflight: Vec<Preflight>,
    actions: Vec<PlannedAction>,
    /// Where the statements of the actions stand.
    places: Vec<Span>,
    /// Where the statement stands that is lowered.
    place: Option<Span>,
    /// Of the step, and behind it the labels of the calls that the statement came through.
    path: StepPath,
    /// Of the step.
    step: StepPath,
    /// The databases that the plan creates.
    created: BTreeSet<DatabaseName>,
    /// The databases that the plan destroys, or may.
    destroyed: BTreeSet<DatabaseName>,
    /// What the `let`s at the top are called.
    observed_first: BTreeSet<String>,
    /// What preflight proves behind the runbook's own values.
    behind: Vec<Preflight>,
    /// How many actions there are of each path.
    ordinals: BTreeMap<StepPath, usize>,
    statement: String,
    bindings: BTreeMap<String, Expr>,
    /// The `if`s around the statement that is lowered, outermost first.
    guards: Vec<Guard>,
}

impl<'p> Lowering<'p> {
    fn of(program: &'p Program, active: &'p BTreeMap<ApplicationName, DatabaseName>) -> Self {
        Self {
            environment: &program.environment,
            catalogs: &program.catalogs,
            ledger: Ledger::default(),
            in_failure: false,
            active,
            active_now: active.clone(),
            replications: BTreeMap::new(),
            completed: BTreeSet::new(),
            preflight: Vec::new(),
            actions: Vec::new(),
            places: Vec::new(),
            place: None,
            path: StepPath::new(""),
            step: StepPath::new(""),
            created: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            observed_first: BTreeSet::new(),
            behind: Vec::new(),
            ordinals: BTreeMap::new(),
            statement: String::new(),
            bindings: BTreeMap::new(),
            guards: Vec::new(),
        }
    }

    /// What the lock file says of a database that the check has looked up.
    pub(crate) fn catalog(&self, database: &DatabaseName) -> Option<&'p Catalog> {
        self.catalogs.get(database)
    }
}

impl Lowering<'_> {
    /// Adds an action that takes at most `upper_bound` seconds.
    pub(crate) fn action(&mut self, risk: Risk, upper_bound: u64, summary: String, action: Action) {
        self.push(risk, Some(upper_bound), summary, action);
    }

    /// Adds an action of which nobody can say how long it takes.
    pub(crate) fn open_ended(&mut self, risk: Risk, summary: String, action: Action) {
        self.push(risk, None, summary, action);
    }

    fn push(&mut self, risk: Risk, upper_bound: Option<u64>, summary: String, action: Action) {
        let ordinal = self.ordinals.entry(self.path.clone()).or_default();
        *ordinal += 1;
        let id = ActionId::new(format!("{}#{ordinal}", self.path));
        if let Action::Observe { name, expr, .. } = &action {
            self.bindings.insert(name.clone(), expr.clone());
        }
        self.places.extend(self.place);
        self.actions.push(PlannedAction {
            id,
            statement: self.statement.clone(),
            summary,
            risk,
            upper_bound,
            only_if: self.guards.clone(),
            action,
        });
    }

    /// Puts a new version into a secret, under the run's label.
    pub(crate) fn stage(&mut self, secret: SecretName, content: SecretContent, summary: String) {
        self.uses_secret(&secret);
        self.action(
            Risk::Changes,
            2 * MINUTE,
            summary,
            Action::StageSecret { secret, content },
        );
    }

    /// Makes the staged version current.
    pub(crate) fn promote(&mut self, secret: SecretName) {
        let summary = format!(
            "make it the current version of `{secret}`, unless somebody else has changed it meanwhile"
        );
        self.action(
            Risk::Changes,
            2 * MINUTE,
            summary,
            Action::PromoteSecret { secret },
        );
    }

    /// Logs in with what a staged version says.
    pub(crate) fn prove_login(
        &mut self,
        database: &DatabaseName,
        secret: SecretName,
        through: Option<SecretName>,
    ) {
        let summary = match &through {
            Some(through) => format!(
                "log in to `{database}` with what the new version of `{secret}` points to (`{through}`)"
            ),
            None => format!("log in to `{database}` with the new version of `{secret}`"),
        };
        self.action(
            Risk::Reads,
            5 * MINUTE,
            summary,
            Action::ProveLogin {
                database: database.clone(),
                secret,
                through,
            },
        );
    }

    /// The instance is created by the plan, so preflight proves that there is none of its name.
    pub(crate) fn must_be_absent(&mut self, database: &DatabaseName) {
        self.created.insert(database.clone());
        // Whether it is done at all is seen only when the run gets there, and what the plan destroys before may well be there: RDS
        // refuses a name that is taken.
        if self.is_guarded() || self.destroyed.contains(database) {
            return;
        }
        let Some(facts) = self.environment.database(database) else {
            return;
        };
        self.prove(Preflight::Absent {
            database: database.clone(),
            instance: facts.instance.clone(),
        });
    }

    /// The secret is changed by the plan, so preflight keeps its version.
    pub(crate) fn uses_secret(&mut self, secret: &SecretName) {
        self.prove(Preflight::SecretVersion {
            secret: secret.clone(),
        });
    }

    /// The application is switched by the plan, so preflight keeps what it uses.
    pub(crate) fn reads_active(&mut self, application: &ApplicationName) {
        self.prove(Preflight::ActiveDatabase {
            application: application.clone(),
        });
    }

    /// Statements are about to be lowered from what the lock file says of these schemas: sees to it that it is proven.
    /// `migrate` has done it for schemas that the runbook recreated, and for all others with them; a database that the
    /// runbook creates can't be looked at before the first effect, so it is proven here; of any other, preflight proves it.
    pub(crate) fn relies_on_lock<'s>(
        &mut self,
        database: &DatabaseName,
        mut schemas: impl Iterator<Item = &'s str>,
    ) {
        if self.ledger.is_proven(database)
            || schemas.all(|schema| self.ledger.is_recreated(database, schema))
        {
            return;
        }
        if !self.is_created_here(database) && !self.is_guarded() {
            self.prove(Preflight::Catalog {
                database: database.clone(),
                scope: CatalogScope::Whole,
            });
        } else if !self.in_failure {
            self.proves_no_drift(database);
        }
    }

    /// A comparison is of the tables and columns that the lock file knows: what it doesn't know would pass unseen.
    pub(crate) fn relies_on_compared(&mut self, expr: &Expr) {
        match expr {
            Expr::Matches {
                left,
                right,
                tables,
                ..
            } => {
                let schemas = tables.iter().map(|pair| pair.left.schema.as_str());
                self.relies_on_lock(left, schemas);
                let schemas = tables.iter().map(|pair| pair.right.schema.as_str());
                self.relies_on_lock(right, schemas);
            }
            Expr::Not(inner) => self.relies_on_compared(inner),
            Expr::Binary { left, right, .. } => {
                self.relies_on_compared(left);
                self.relies_on_compared(right);
            }
            _ => {}
        }
    }

    /// A schema is about to be recreated: what goes with it besides tables must be what the lock file says.
    pub(crate) fn relies_on_surroundings(&mut self, database: &DatabaseName, schema: &str) {
        if self.is_created_here(database) || self.is_guarded() {
            return self.relies_on_lock(database, [schema].into_iter());
        }
        let found = self
            .preflight
            .iter_mut()
            .find_map(|preflight| match preflight {
                Preflight::Catalog {
                    database: of,
                    scope: CatalogScope::Around { schemas },
                } if of == database => Some(schemas),
                _ => None,
            });
        // What two schemas have from each other goes and comes back with both: they are looked at together.
        match found {
            Some(schemas) if schemas.iter().any(|known| known == schema) => {}
            Some(schemas) => schemas.push(schema.to_owned()),
            None => self.prove(Preflight::Catalog {
                database: database.clone(),
                scope: CatalogScope::Around {
                    schemas: vec![schema.to_owned()],
                },
            }),
        }
    }

    /// Adds the proof that a database is as the lock file says.
    pub(crate) fn proves_no_drift(&mut self, database: &DatabaseName) {
        self.ledger.prove(database);
        let action = Action::Assert {
            condition: Expr::AsLocked {
                database: database.clone(),
            },
            otherwise: None,
        };
        let summary = format!("prove that `{database}` is as the lock file says");
        self.action(Risk::Reads, 10 * MINUTE, summary, action);
    }

    fn is_created_here(&self, database: &DatabaseName) -> bool {
        self.created.contains(database)
    }

    /// Adds statements for one transaction.
    pub(crate) fn change_schema(
        &mut self,
        risk: Risk,
        upper_bound: u64,
        summary: String,
        database: &DatabaseName,
        (change, statements): (Change, Vec<String>),
    ) {
        self.change_schema_with(
            risk,
            upper_bound,
            summary,
            database,
            (change, statements),
            BTreeMap::new(),
        );
    }

    /// The same, with settings of the transaction.
    pub(crate) fn change_schema_with(
        &mut self,
        risk: Risk,
        upper_bound: u64,
        summary: String,
        database: &DatabaseName,
        (change, statements): (Change, Vec<String>),
        settings: BTreeMap<String, String>,
    ) {
        let action = Action::ChangeSchema {
            database: database.clone(),
            change,
            statements,
            settings,
            lock_timeout: LOCK_TIMEOUT,
        };
        self.action(risk, upper_bound, summary, action);
    }

    /// The migration tool's own tables.
    pub(crate) fn own_tables(&self) -> Vec<TableName> {
        let migrations = self.environment.migrations.as_ref();
        migrations.map(Migrations::own_tables).unwrap_or_default()
    }

    fn prove(&mut self, preflight: Preflight) {
        if !self.preflight.contains(&preflight) {
            self.preflight.push(preflight);
        }
    }

    /// What the application uses before the run, where a `require` says so.
    pub(crate) fn active_at_preflight(
        &self,
        application: &ApplicationName,
    ) -> Option<&DatabaseName> {
        self.active.get(application)
    }

    /// How writes on a database are stopped: by its applications' own roles where all of them have one.
    pub(crate) fn freeze(&self, database: &DatabaseName) -> Freeze {
        freeze(self.environment, database)
    }

    /// What an instance is created with.
    pub(crate) fn settings(&self, database: &Database) -> InstanceSettings {
        InstanceSettings::of(database)
    }

    /// An expression in words, for summaries; what isn't known yet is shown as a hole.
    pub(crate) fn describe(&self, expr: &Expr) -> String {
        Wording::knowing(&self.bindings).expr(expr)
    }

    /// A text, with holes for what isn't known yet.
    pub(crate) fn template(&self, template: &Template) -> String {
        Wording::knowing(&self.bindings).template(template)
    }

    /// What removes whatever of the plan's own is left when a run fails.
    fn cleanup(&mut self) -> Vec<PlannedAction> {
        self.path = StepPath::new(CLEANUP);
        self.statement = CLEANUP_STATEMENT.to_owned();
        steps::clean_up(self);
        std::mem::take(&mut self.actions)
    }

    fn block(&mut self, path: StepPath, block: &Block) -> Vec<PlannedAction> {
        self.step = path;
        self.statements(block);
        let mut actions = std::mem::take(&mut self.actions);
        name_what_must_be_typed(&mut actions);
        actions
    }
}

/// How writes to a database are stopped: by taking the login from the roles of all applications that may use it, where each
/// has one.
pub(crate) fn freeze(environment: &Environment, database: &DatabaseName) -> Freeze {
    let users: Vec<_> = environment
        .applications
        .values()
        .filter(|application| application.databases.contains(database))
        .collect();
    let mut roles: Vec<_> = users
        .iter()
        .filter_map(|application| application.role.clone())
        .collect();
    if roles.is_empty() || roles.len() < users.len() {
        return Freeze::ReadOnly;
    }
    roles.sort();
    roles.dedup();
    Freeze::NoLogin { roles }
}
