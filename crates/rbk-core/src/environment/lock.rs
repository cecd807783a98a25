//! The lock file: what a checker can't see offline of an environment's databases. Written by `rbk env pull`, committed.

use super::Environment;
use crate::catalog::Catalog;
use crate::ids::DatabaseName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// By the database that they were read from.
    pub databases: BTreeMap<DatabaseName, Catalog>,
}

impl Lock {
    /// What is said of a database: of itself, or of the one that it is like.
    pub fn catalog<'l>(
        &'l self,
        environment: &Environment,
        database: &DatabaseName,
    ) -> Option<&'l Catalog> {
        let mut name = database;
        // A chain of `like` is finite: the environment was refused otherwise.
        for _ in 0..=environment.databases.len() {
            if let Some(catalog) = self.databases.get(name) {
                return Some(catalog);
            }
            name = environment
                .databases
                .get(name)
                .and_then(|database| database.like.as_ref())?;
        }
        None
    }
}
