//! What a plan touches: every instance and secret that it changes or reads a decision from.

use crate::environment::Environment;
use crate::ids::{ApplicationName, DatabaseName, RunId, SecretName};
use crate::plan::{Action, AsOf, Expr, Plan, Preflight, SecretContent, Template, TemplatePart};
use std::collections::BTreeSet;

/// What a run of a plan must have to itself, sorted. The run itself is among it, so that nobody resumes it twice.
pub fn entities(plan: &Plan, run: &RunId) -> Vec<String> {
    let mut touched = Touched {
        environment: &plan.environment,
        names: BTreeSet::from([format!("run {run}")]),
    };
    for preflight in &plan.preflight {
        touched.preflight(preflight);
    }
    for planned in plan.actions() {
        touched.action(&planned.action);
    }
    for replication in plan.replications.values() {
        touched.database(&replication.from);
        touched.database(&replication.to);
    }
    touched.names.into_iter().collect()
}

struct Touched<'a> {
    environment: &'a Environment,
    names: BTreeSet<String>,
}

impl Touched<'_> {
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

    fn action(&mut self, action: &Action) {
        match action {
            Action::RestoreFromSnapshot {
                database, snapshot, ..
            } => {
                self.database(database);
                self.expr(snapshot);
            }
            Action::RestoreToPointInTime {
                database,
                source,
                at,
                ..
            } => {
                self.database(database);
                self.database(source);
                if let AsOf::Time { at } = at {
                    self.expr(at);
                }
            }
            Action::CreateSnapshot { database, .. } => self.database(database),
            Action::Decide { condition } => self.expr(condition),
            Action::StageSecret { secret, content } => {
                self.secret(secret);
                match content {
                    SecretContent::NewPassword { database, .. }
                    | SecretContent::Pointer { database, .. }
                    | SecretContent::CopyOf { database, .. } => self.database(database),
                }
            }
            Action::SetMasterPassword { database, .. }
            | Action::SetRolePassword { database, .. } => {
                self.database(database);
            }
            Action::ProveLogin { secret, .. }
            | Action::PromoteSecret { secret }
            | Action::RevertSecret { secret } => {
                self.secret(secret);
            }
            Action::FreezeWrites { database, .. }
            | Action::ThawWrites { database, .. }
            | Action::ChangeSchema { database, .. }
            | Action::Migrate { database, .. }
            | Action::ProveForeignKeys { database, .. }
            | Action::ProveFrozen { database, .. }
            | Action::KeepFrozen { database, .. }
            | Action::LiftProtection { database, .. }
            | Action::DestroyInstance { database, .. }
            | Action::Keep { database, .. } => self.database(database),
            Action::ApplyStack {
                application,
                database,
                ..
            } => {
                self.names.insert(format!("application {application}"));
                self.database(database);
            }
            // What it replicates from and to is covered by the plan's entry.
            Action::CreateEndpoint { .. }
            | Action::CreateReplication { .. }
            | Action::StartReplication { .. }
            | Action::ProveReplication { .. }
            | Action::StopReplication { .. }
            | Action::DeleteReplication { .. }
            | Action::DeleteEndpoint { .. } => {}
            Action::SyncSequences { from, to, .. } | Action::Copy { from, to, .. } => {
                self.database(from);
                self.database(to);
            }
            Action::RunCommand {
                command, arguments, ..
            } => {
                self.names.insert(format!("command {command}"));
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
            // Reading it all is no touch.
            Expr::NoDrift { database: None } | Expr::Complete { .. } | Expr::Figure { .. } => {}
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

    fn database(&mut self, name: &DatabaseName) {
        if let Some(database) = self.environment.database(name) {
            self.names.insert(format!("instance {}", database.instance));
        }
    }

    fn application(&mut self, name: &ApplicationName) {
        if let Some(application) = self.environment.application(name) {
            match application.active.secret() {
                Some(secret) => self.secret(secret),
                None => {
                    self.names.insert(format!("application {name}"));
                }
            }
        }
    }

    fn secret(&mut self, name: &SecretName) {
        self.names.insert(format!("secret {name}"));
    }
}
