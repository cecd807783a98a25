//! What runs of rbk made and nothing in the environment names: it may cost money, and a later run may trip over it.

use crate::environment::Environment;
use crate::ids::SecretName;
use crate::ports::{DmsLeftover, Instance, SecretFacts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The tag that names the environment of the run that made something.
pub const ENVIRONMENT_TAG: &str = "rbk:environment";

/// Something that is left over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// `instance`, `endpoint`, `replication config`, `secret label`, `control table`.
    pub kind: String,
    /// Its identifier.
    pub id: String,
    /// Its status, where it has one.
    pub status: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` is left over", self.kind, self.id)?;
        if let Some(run) = &self.run {
            write!(f, " from run {run}")?;
        }
        match &self.status {
            Some(status) => write!(f, ", {status}"),
            None => Ok(()),
        }
    }
}

/// Whether something with these tags may be of this environment: it names it, or names none. An account may hold several.
fn may_be_of(environment: &Environment, tags: &BTreeMap<String, String>) -> bool {
    tags.get(ENVIRONMENT_TAG)
        .is_none_or(|name| *name == environment.name)
}

/// Instances that no database of the environment is.
pub fn instances(environment: &Environment, created_by_rbk: &[Instance]) -> Vec<Leftover> {
    created_by_rbk
        .iter()
        .filter(|instance| {
            let mut named = environment.databases.values();
            !named.any(|database| database.instance == instance.id)
                && instance.status != "deleting"
                && may_be_of(environment, &instance.tags)
        })
        .map(|instance| Leftover {
            kind: "instance".to_owned(),
            id: instance.id.to_string(),
            status: Some(instance.status.clone()),
            run: instance.tags.get("rbk:run").cloned(),
        })
        .collect()
}

/// What DMS has of rbk: between runs it should be nothing.
pub fn endpoints_and_configs(environment: &Environment, found: &[DmsLeftover]) -> Vec<Leftover> {
    found
        .iter()
        .filter(|left| left.status != "deleting" && may_be_of(environment, &left.tags))
        .map(|left| Leftover {
            kind: left.kind.to_owned(),
            id: left.id.clone(),
            status: Some(left.status.clone()),
            run: left.tags.get("rbk:run").cloned(),
        })
        .collect()
}

/// Versions of a secret that a run staged and that never became, or have never been, the current one.
pub fn labels(secret: &SecretName, facts: &SecretFacts) -> Vec<Leftover> {
    facts
        .versions
        .values()
        .filter(|labels| {
            let of_use = |label: &str| matches!(label, "AWSCURRENT" | "AWSPREVIOUS");
            !labels.iter().any(|label| of_use(label.as_str()))
        })
        .flatten()
        .filter(|label| label.as_str().starts_with("RBK-"))
        .map(|label| Leftover {
            kind: "secret label".to_owned(),
            id: format!("{label} of {secret}"),
            status: None,
            run: None,
        })
        .collect()
}
