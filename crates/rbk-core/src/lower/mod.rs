//! From a [`Program`] to a [`Plan`]: statements become primitive actions with exact parameters.
//!
//! Pure, and done once: a run executes its stored plan and never lowers again.

use crate::catalog::Catalog;
use crate::check::{Block, ON_FAILURE, Precondition, Program};
use crate::environment::{Database, Environment};
use crate::ids::{ActionId, ApplicationName, DatabaseName, SecretName, StepPath};
use crate::plan::{
    Action, CatalogScope, Expr, Freeze, InstanceSettings, PLAN_VERSION, Plan, PlannedAction,
    Preflight, Risk, RunbookFacts, SecretContent, Step, Template, Wording,
};
use crate::state;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A minute in seconds, the unit of upper bounds.
pub(crate) const MINUTE: u64 = 60;

/// Lowers a program. `file` is the runbook's path as it was given, `text` its text.
pub fn plan(program: &Program, file: &str, text: &str) -> Plan {
    let active = state::active_at_preflight(program);
    let mut lowering = Lowering {
        environment: &program.environment,
        catalogs: &program.catalogs,
        in_failure: false,
        active: &active,
        preflight: Vec::new(),
        actions: Vec::new(),
        path: StepPath::new(""),
        statement: String::new(),
        bindings: BTreeMap::new(),
    };
    for precondition in &program.preflight {
        if let Precondition::Let { name, value, .. } = precondition {
            lowering.bindings.insert(name.clone(), value.expr.clone());
        }
    }
    let mut steps = Vec::with_capacity(program.steps.len());
    for step in &program.steps {
        let actions = lowering.block(step.path.clone(), &step.block);
        steps.push(Step {
            path: step.path.clone(),
            doc: step.doc.clone(),
            actions,
        });
    }
    lowering.in_failure = true;
    let on_failure = match &program.on_failure {
        Some(block) => lowering.block(StepPath::new(ON_FAILURE), block),
        None => Vec::new(),
    };
    let preflight = preflight(program, lowering.preflight);
    Plan {
        version: PLAN_VERSION,
        rbk: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: RunbookFacts {
            title: program.title.clone(),
            doc: program.doc.clone(),
            file: file.to_owned(),
            sha256: hex::encode(Sha256::digest(text.as_bytes())),
        },
        environment: program.environment.clone(),
        parameters: program.parameters.clone(),
        catalogs: program.catalogs.clone(),
        preflight,
        steps,
        on_failure,
    }
}

/// Who we are comes first, then what the actions need, then what the runbook itself reads and requires.
fn preflight(program: &Program, mut needed: Vec<Preflight>) -> Vec<Preflight> {
    let environment = &program.environment;
    let mut all = vec![Preflight::Identity {
        account: environment.account.clone(),
        region: environment.region.clone(),
    }];
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
    all
}

/// What statements lower into.
pub(crate) struct Lowering<'p> {
    pub(crate) environment: &'p Environment,
    /// What the lock file says.
    pub(crate) catalogs: &'p BTreeMap<DatabaseName, Catalog>,
    /// Whether the statements of `on failure` are being lowered.
    pub(crate) in_failure: bool,
    active: &'p BTreeMap<ApplicationName, DatabaseName>,
    preflight: Vec<Preflight>,
    actions: Vec<PlannedAction>,
    path: StepPath,
    statement: String,
    bindings: BTreeMap<String, Expr>,
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
        let id = ActionId::new(format!("{}#{}", self.path, self.actions.len() + 1));
        if let Action::Observe { name, expr, .. } = &action {
            self.bindings.insert(name.clone(), expr.clone());
        }
        self.actions.push(PlannedAction {
            id,
            statement: self.statement.clone(),
            summary,
            risk,
            upper_bound,
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

    /// Preflight proves that the catalog is as the lock file says.
    pub(crate) fn proves_catalog(&mut self, database: &DatabaseName, scope: CatalogScope) {
        self.prove(Preflight::Catalog {
            database: database.clone(),
            scope,
        });
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
        InstanceSettings {
            instance: database.instance.clone(),
            class: database.class.clone(),
            subnet_group: database.subnet_group.clone(),
            security_groups: database.security_groups.clone(),
            parameter_group: database.parameter_group.clone(),
            multi_az: database.multi_az,
            publicly_accessible: database.publicly_accessible,
            storage_type: database.storage_type.clone(),
            iam_authentication: database.iam_authentication,
            retention_days: database.retention_days,
            deletion_protection: database.protect,
            tags: database.tags.clone(),
        }
    }

    /// An expression in words, for summaries; what isn't known yet is shown as a hole.
    pub(crate) fn describe(&self, expr: &Expr) -> String {
        Wording::knowing(&self.bindings).expr(expr)
    }

    /// A text, with holes for what isn't known yet.
    pub(crate) fn template(&self, template: &Template) -> String {
        Wording::knowing(&self.bindings).template(template)
    }

    fn block(&mut self, path: StepPath, block: &Block) -> Vec<PlannedAction> {
        self.path = path;
        for located in &block.statements {
            self.statement.clone_from(&located.text);
            located.statement.lower(self);
        }
        std::mem::take(&mut self.actions)
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
