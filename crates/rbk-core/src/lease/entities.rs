//! What a plan touches: every instance and secret that it changes or reads a decision from.

use crate::environment::Environment;
use crate::ids::{ApplicationName, DatabaseName, RunId, SecretName};
use crate::plan::{
    Action, AsOf, Expr, Plan, PlannedReplication, Preflight, SecretContent, Template, TemplatePart,
};
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// Whether a run of it changes nothing at all: it looks, and says what it saw.
    pub fn changes_nothing(&self) -> bool {
        touched(self).changes.is_empty()
    }
}

/// What a run of a plan must have to itself, sorted. The run itself is among it, so that nobody resumes it twice. A run that changes
/// nothing needs nothing else: it may look on while a recovery is under way, and is in nobody's way.
pub fn entities(plan: &Plan, run: &RunId) -> Vec<String> {
    let touched = touched(plan);
    let mut names = BTreeSet::from([format!("run {run}")]);
    if !touched.changes.is_empty() {
        let all = touched.changes.iter().chain(&touched.reads);
        names.extend(all.flat_map(|entity| entity.leased(&plan.environment)));
    }
    names.into_iter().collect()
}

fn touched(plan: &Plan) -> Touched<'_> {
    let mut touched = Touched::new(&plan.environment, &plan.replications);
    for preflight in &plan.preflight {
        touched.preflight(preflight);
    }
    for planned in plan.actions() {
        touched.action(&planned.action);
    }
    for replication in plan.replications.values() {
        touched.change(Entity::Database(replication.to.clone()));
        touched.read(Entity::Database(replication.from.clone()));
    }
    touched
}

/// Something that plans change or read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entity {
    Database(DatabaseName),
    /// Which database an application uses.
    Application(ApplicationName),
    /// A secret that names no application's active database.
    Secret(SecretName),
    Command(String),
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entity::Database(name) => write!(f, "`{name}`"),
            Entity::Application(name) => write!(f, "which database `{name}` uses"),
            Entity::Secret(name) => write!(f, "secret `{name}`"),
            Entity::Command(name) => write!(f, "what command `{name}` changes"),
        }
    }
}

impl Entity {
    /// What a lease calls it; nothing where the environment doesn't know it.
    fn leased(&self, environment: &Environment) -> Option<String> {
        match self {
            Entity::Database(name) => {
                let database = environment.database(name)?;
                Some(format!("instance {}", database.instance))
            }
            Entity::Application(name) => {
                let application = environment.application(name)?;
                Some(match application.active.secret() {
                    Some(secret) => format!("secret {secret}"),
                    None => format!("application {name}"),
                })
            }
            Entity::Secret(name) => Some(format!("secret {name}")),
            Entity::Command(name) => Some(format!("command {name}")),
        }
    }
}

/// What actions change, and what they read.
pub(crate) struct Touched<'a> {
    environment: &'a Environment,
    replications: &'a BTreeMap<String, PlannedReplication>,
    pub(crate) changes: BTreeSet<Entity>,
    /// What is only read.
    pub(crate) reads: BTreeSet<Entity>,
    /// Whether they read all that the environment names.
    pub(crate) everything: bool,
}

impl<'a> Touched<'a> {
    pub(crate) fn new(
        environment: &'a Environment,
        replications: &'a BTreeMap<String, PlannedReplication>,
    ) -> Self {
        Self {
            environment,
            replications,
            changes: BTreeSet::new(),
            reads: BTreeSet::new(),
            everything: false,
        }
    }

    fn preflight(&mut self, preflight: &Preflight) {
        match preflight {
            Preflight::Identity { .. } | Preflight::ReplicationSubnetGroup { .. } => {}
            // It names nothing that exists.
            Preflight::SnapshotAbsent { .. } => {}
            Preflight::Absent { database, .. }
            | Preflight::Instance { database, .. }
            | Preflight::RestoreWindow { database, .. }
            | Preflight::Catalog { database, .. } => self.database(database),
            Preflight::SecretVersion { secret } => self.secret(secret),
            Preflight::ActiveDatabase { application } => self.application(application),
            Preflight::Observe { expr, .. } => self.expr(expr),
            Preflight::Require { condition, .. } => self.expr(condition),
        }
    }

    /// Adds what an action changes and reads.
    pub(crate) fn action(&mut self, action: &Action) {
        match action {
            Action::RestoreFromSnapshot {
                database, snapshot, ..
            } => {
                self.changes_database(database);
                self.expr(snapshot);
            }
            Action::RestoreToPointInTime {
                database,
                source,
                at,
                ..
            } => {
                self.changes_database(database);
                self.database(source);
                if let AsOf::Time { at } = at {
                    self.expr(at);
                }
            }
            // While it is made the instance is busy: nothing else can be done with it.
            Action::CreateSnapshot { database, .. } => self.changes_database(database),
            Action::Decide { condition } => self.expr(condition),
            Action::StageSecret { secret, content } => {
                self.changes_secret(secret);
                match content {
                    SecretContent::NewPassword { database, .. }
                    | SecretContent::Pointer { database, .. }
                    | SecretContent::CopyOf { database, .. } => self.database(database),
                }
            }
            Action::SetMasterPassword { database, .. }
            | Action::SetRolePassword { database, .. } => self.changes_database(database),
            Action::ProveLogin { secret, .. } => self.secret(secret),
            Action::PromoteSecret { secret } | Action::RevertSecret { secret } => {
                self.changes_secret(secret);
            }
            Action::FreezeWrites { database, .. }
            | Action::ThawWrites { database, .. }
            | Action::ChangeSchema { database, .. }
            | Action::Migrate { database, .. }
            | Action::KeepFrozen { database, .. }
            | Action::LiftProtection { database, .. }
            | Action::DestroyInstance { database, .. }
            | Action::Keep { database, .. } => self.changes_database(database),
            Action::ProveForeignKeys { database, .. } | Action::ProveFrozen { database, .. } => {
                self.database(database);
            }
            Action::ApplyStack {
                application,
                database,
                ..
            } => {
                self.change(Entity::Application(application.clone()));
                self.database(database);
            }
            Action::CreateEndpoint { replication, .. }
            | Action::CreateReplication { replication }
            | Action::StartReplication { replication }
            | Action::ProveReplication { replication }
            | Action::StopReplication { replication }
            | Action::DeleteReplication { replication }
            | Action::DeleteEndpoint { replication, .. } => self.replication(replication, true),
            Action::SyncSequences { from, to, .. } | Action::Copy { from, to, .. } => {
                self.database(from);
                self.changes_database(to);
            }
            Action::RunCommand {
                command, arguments, ..
            } => {
                self.change(Entity::Command(command.clone()));
                for argument in arguments.values() {
                    self.expr(argument);
                }
            }
            Action::Await { condition, .. } | Action::Assert { condition, .. } => {
                self.expr(condition);
            }
            Action::Observe { expr, .. } => self.expr(expr),
            Action::Approve { prompt, .. } => self.template(prompt),
            Action::Note { text } => self.template(text),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Value(_) | Expr::Binding { .. } | Expr::Parameter { .. } | Expr::Now => {}
            Expr::Age(inner) | Expr::Not(inner) | Expr::Negate(inner) => self.expr(inner),
            Expr::Snapshot { id, database } => {
                self.template(id);
                self.database(database);
            }
            Expr::Count { database, .. }
            | Expr::Query { database, .. }
            | Expr::LatestSnapshot { database }
            | Expr::OldestSnapshot { database }
            | Expr::RestorableFrom { database }
            | Expr::RestorableUntil { database }
            | Expr::Retention { database }
            | Expr::SnapshotGap { database }
            | Expr::Exists { database }
            | Expr::Available { database }
            | Expr::AcceptsConnections { database }
            | Expr::ChecksPass { database }
            | Expr::AsLocked { database }
            | Expr::NoDrift {
                database: Some(database),
            }
            | Expr::SourceSnapshot { database }
            | Expr::Size { database, .. } => self.database(database),
            Expr::Matches { left, right, .. } => {
                self.database(left);
                self.database(right);
            }
            // Reading it all is no touch for a lease.
            Expr::NoDrift { database: None } => self.everything = true,
            Expr::Complete { replication } | Expr::Figure { replication, .. } => {
                self.replication(replication, false);
            }
            Expr::Healthy { application } | Expr::ActiveSecret { application } => {
                self.application(application);
            }
            Expr::Uses {
                application,
                database,
            }
            | Expr::HasLeft {
                application,
                database,
            } => {
                self.application(application);
                self.database(database);
            }
            Expr::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
        }
    }

    fn template(&mut self, template: &Template) {
        for part in &template.0 {
            if let TemplatePart::Expr(expr) = part {
                self.expr(expr);
            }
        }
    }

    fn replication(&mut self, name: &str, changes: bool) {
        let Some(replication) = self.replications.get(name) else {
            return;
        };
        let to = Entity::Database(replication.to.clone());
        if changes {
            self.change(to);
        } else {
            self.read(to);
        }
        self.read(Entity::Database(replication.from.clone()));
    }

    fn database(&mut self, name: &DatabaseName) {
        self.read(Entity::Database(name.clone()));
    }

    fn changes_database(&mut self, name: &DatabaseName) {
        self.change(Entity::Database(name.clone()));
    }

    fn application(&mut self, name: &ApplicationName) {
        self.read(Entity::Application(name.clone()));
    }

    fn secret(&mut self, name: &SecretName) {
        for entity in self.named_by(name) {
            self.read(entity);
        }
    }

    fn changes_secret(&mut self, name: &SecretName) {
        for entity in self.named_by(name) {
            self.change(entity);
        }
    }

    /// The applications whose active database a secret names, or else the secret itself.
    fn named_by(&self, secret: &SecretName) -> Vec<Entity> {
        let applications = self.environment.applications.iter();
        let named: Vec<Entity> = applications
            .filter(|(_, application)| application.active.secret() == Some(secret))
            .map(|(name, _)| Entity::Application(name.clone()))
            .collect();
        match named.is_empty() {
            true => vec![Entity::Secret(secret.clone())],
            false => named,
        }
    }

    fn change(&mut self, entity: Entity) {
        self.reads.remove(&entity);
        self.changes.insert(entity);
    }

    fn read(&mut self, entity: Entity) {
        if !self.changes.contains(&entity) {
            self.reads.insert(entity);
        }
    }
}
