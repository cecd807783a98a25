//! Where the parts of an environment stand in its file, so that later passes can point there.

use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::Span;
use std::collections::BTreeMap;

/// Where databases, applications and keys were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    databases: BTreeMap<DatabaseName, Span>,
    applications: BTreeMap<ApplicationName, Span>,
    keys: BTreeMap<String, Span>,
}

impl Places {
    /// The name of a database in its header.
    pub fn database(&self, name: &DatabaseName) -> Option<Span> {
        self.databases.get(name).copied()
    }

    /// The name of an application in its header.
    pub fn application(&self, name: &ApplicationName) -> Option<Span> {
        self.applications.get(name).copied()
    }

    /// `key = value`, by the key behind its tables: `access.ca`, `parameters.source`.
    pub fn key(&self, path: &str) -> Option<Span> {
        self.keys.get(path).copied()
    }

    /// `key = value` of a database, also where it comes through `like` or from `[network]`.
    /// A key in a table of its own is given with a point: `checks.fresh`.
    pub fn database_key(&self, name: &DatabaseName, key: &str) -> Option<Span> {
        self.key(&format!("databases.{name}.{key}"))
    }

    /// `key = value` of an application.
    pub fn application_key(&self, name: &ApplicationName, key: &str) -> Option<Span> {
        self.key(&format!("applications.{name}.{key}"))
    }

    /// All databases with their places, also those that are wrong otherwise.
    pub fn databases(&self) -> impl Iterator<Item = (&DatabaseName, Span)> {
        self.databases.iter().map(|(name, span)| (name, *span))
    }

    /// All applications with their places, also those that are wrong otherwise.
    pub fn applications(&self) -> impl Iterator<Item = (&ApplicationName, Span)> {
        self.applications.iter().map(|(name, span)| (name, *span))
    }

    pub(super) fn new(keys: BTreeMap<String, Span>) -> Self {
        let mut places = Places::default();
        for (path, span) in &keys {
            match path.split('.').collect::<Vec<_>>().as_slice() {
                ["databases", name] => {
                    places.databases.insert(DatabaseName::new(*name), *span);
                }
                ["applications", name] => {
                    places
                        .applications
                        .insert(ApplicationName::new(*name), *span);
                }
                _ => {}
            }
        }
        Places { keys, ..places }
    }
}
