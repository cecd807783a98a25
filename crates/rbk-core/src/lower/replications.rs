//! What lowering knows of replications, of instances that must be there, and of who uses what.

use super::Lowering;
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::{Expr, Operator, PlannedReplication, Preflight, ReplicationMeans};

impl Lowering<'_> {
    /// A replication that is begun, by the name that its actions know it by.
    pub(crate) fn replication(&mut self, name: &str, replication: PlannedReplication) {
        self.replications.insert(name.to_owned(), replication);
    }

    /// The names of the replications that leave something at AWS.
    pub(crate) fn begun(&self) -> Vec<String> {
        let all = self.replications.iter();
        all.filter(|(_, replication)| matches!(replication.with, ReplicationMeans::Dms(_)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// A replication that is seen to be complete and hasn't been before, if something of it is at AWS.
    pub(crate) fn completes(&mut self, name: &str) -> Option<PlannedReplication> {
        let replication = self.replications.get(name)?;
        if matches!(replication.with, ReplicationMeans::Copy) {
            return None;
        }
        let replication = replication.clone();
        self.completed
            .insert(name.to_owned())
            .then_some(replication)
    }

    /// DMS puts the replication into this subnet group.
    pub(crate) fn needs_subnet_group(&mut self, name: &str) {
        self.prove(Preflight::ReplicationSubnetGroup {
            name: name.to_owned(),
        });
    }

    /// The instance is destroyed by the plan: preflight keeps which one it is, unless the plan itself creates it before.
    pub(crate) fn must_be_there(&mut self, database: &DatabaseName) {
        let Some(facts) = self.environment.database(database) else {
            return;
        };
        if self.is_created_here(database) {
            return;
        }
        let needed = !self.is_guarded();
        let known = self
            .preflight
            .iter_mut()
            .find_map(|preflight| match preflight {
                Preflight::Instance {
                    database: of,
                    if_there,
                    ..
                } if of == database => Some(if_there),
                _ => None,
            });
        match known {
            Some(if_there) => *if_there &= !needed,
            None => self.preflight.push(Preflight::Instance {
                database: database.clone(),
                instance: facts.instance.clone(),
                if_there: !needed,
            }),
        }
    }

    /// The plan destroys the instance, or may.
    pub(crate) fn destroys(&mut self, database: &DatabaseName) {
        self.destroyed.insert(database.clone());
    }

    /// The database that an application uses at this point of the steps, as far as it is known.
    pub(crate) fn active_now(&self, application: &ApplicationName) -> Option<&DatabaseName> {
        self.active_now.get(application)
    }

    /// The application uses another database from here on.
    pub(crate) fn switches(&mut self, application: &ApplicationName, database: &DatabaseName) {
        self.active_now
            .insert(application.clone(), database.clone());
    }
}

/// The replications that are complete for certain once a condition has been seen to hold.
pub(crate) fn completed_by(condition: &Expr) -> Vec<&str> {
    match condition {
        Expr::Complete { replication } => vec![replication],
        Expr::Binary {
            operator: Operator::And,
            left,
            right,
        } => {
            let mut both = completed_by(left);
            both.extend(completed_by(right));
            both
        }
        _ => Vec::new(),
    }
}
