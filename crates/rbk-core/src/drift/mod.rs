//! What file, lock file and reality disagree about. Pure: what was read is compared here, reading it is a run's or a command's
//! business.
//!
//! A database that is `like` another one need not be there: it is what a recovery creates. Any other must be, and so must the
//! one that an application uses.

mod instance;
mod leftover;
mod secret;

pub use crate::catalog::Difference;
pub use instance::instance;
pub use leftover::{ENVIRONMENT_TAG, Leftover, endpoints_and_configs, instances, labels};
pub use secret::{SecretContent, SecretSeen, Use, secret};

use crate::ids::{ApplicationName, DatabaseName, InstanceId};
use crate::listing::{counted, first_few};
use serde::Serialize;
use std::collections::BTreeMap;

/// How much of a drift is told in a sentence.
const TOLD: usize = 5;

/// Everything that was compared, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// By name.
    pub databases: BTreeMap<DatabaseName, OfDatabase>,
    /// By name.
    pub applications: BTreeMap<ApplicationName, OfApplication>,
    /// What runs of rbk made, and what nothing in the environment names.
    pub leftovers: Vec<Leftover>,
    /// What could not be seen besides.
    pub unseen: Vec<Unseen>,
}

/// What was found about a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfDatabase {
    /// Its instance.
    pub instance: InstanceId,
    /// Its status; absent: there is none, or it could not be seen.
    pub status: Option<String>,
    /// Whether it must be there.
    pub needed: bool,
    /// How much of its schema was compared: `34 tables, 51 indexes, 12 sequences`.
    pub compared: Option<String>,
    /// What isn't as it should be.
    pub differences: Vec<Difference>,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
}

/// What was found about an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OfApplication {
    /// The secret that its active database is known by.
    pub active_secret: Option<String>,
    /// The database of that secret.
    pub active: Option<DatabaseName>,
    /// What isn't as it should be.
    pub differences: Vec<Difference>,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
}

/// Something that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// `schema`, `secret rds/orders`
    pub what: String,
    /// Why not.
    pub why: String,
}

impl Report {
    /// Whether nothing differs and nothing is left over. What could not be seen is no drift, and no proof either.
    pub fn is_empty(&self) -> bool {
        self.leftovers.is_empty() && self.differences().next().is_none()
    }

    /// Whether something could not be seen.
    pub fn is_blind(&self) -> bool {
        let databases = self.databases.values().map(|of| &of.unseen);
        let applications = self.applications.values().map(|of| &of.unseen);
        databases
            .chain(applications)
            .chain([&self.unseen])
            .any(|unseen| !unseen.is_empty())
    }

    /// What differs, each with what it is of.
    pub fn differences(&self) -> impl Iterator<Item = (&str, &Difference)> {
        let databases = self.databases.iter().flat_map(|(name, of)| {
            of.differences
                .iter()
                .map(|difference| (name.as_str(), difference))
        });
        let applications = self.applications.iter().flat_map(|(name, of)| {
            of.differences
                .iter()
                .map(|difference| (name.as_str(), difference))
        });
        databases.chain(applications)
    }

    /// In a sentence: the first few that differ, or what was compared.
    pub fn text(&self) -> String {
        let mut all: Vec<String> = self
            .differences()
            .map(|(of, difference)| format!("{of}: {difference}"))
            .collect();
        all.extend(self.leftovers.iter().map(ToString::to_string));
        if !all.is_empty() {
            let things = if all.len() == 1 {
                "1 thing differs".to_owned()
            } else {
                format!("{} things differ", all.len())
            };
            return format!("{things}: {}", first_few(&all, TOLD, "; "));
        }
        let seen: Vec<String> = self
            .databases
            .iter()
            .map(|(name, of)| match (&of.status, &of.compared) {
                (None, _) => format!("{name} isn't there and need not be"),
                (Some(_), Some(compared)) => format!("{name} with {compared}"),
                (Some(_), None) => format!("{name} without its schema"),
            })
            .collect();
        let applications = match self.applications.len() {
            0 => String::new(),
            number => format!(
                "; the active secrets of {}",
                counted(number, "application", "applications")
            ),
        };
        format!("no drift: {}{applications}", seen.join(", "))
    }
}

#[cfg(test)]
mod tests;
