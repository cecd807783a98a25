//! Reading databases without a run: who we are is proven first, nothing is changed and nothing is journaled.

use super::failure::Failure;
use super::look::{Look, Unreached};
use super::preflight::identity;
use crate::catalog::Catalog;
use crate::environment::Environment;
use crate::ids::DatabaseName;
use crate::journal::Facts;
use crate::plan::{PLAN_VERSION, Plan, RunbookFacts};
use crate::ports::World;
use std::collections::BTreeMap;

/// Why a database could not be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Unread {
    /// There is nothing to read: no instance, no address yet, or a state that it doesn't come back from. In words.
    Nothing(String),
    /// It could not be reached or did not answer.
    Failed(Failure),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Unread::Failed(failure)
    }
}

/// Proves that the credentials are of the environment's account, and the clients in its region.
pub async fn prove_identity(world: &World, environment: &Environment) -> Result<(), Failure> {
    identity(world, &environment.account, &environment.region).await?;
    Ok(())
}

/// Reads a database's catalog, logged in with the secret that it is administrated with.
pub async fn read_catalog(
    world: &World,
    environment: &Environment,
    database: &DatabaseName,
) -> Result<Catalog, Unread> {
    let (plan, facts) = (without_actions(environment), Facts::default());
    let mut look = Look::new(world, &plan, &facts);
    let secret = look.database(database)?.administration().clone();
    if look.instance(database).await?.is_some() && look.secret(&secret).await?.is_none() {
        return Err(Unread::Failed(Failure::SecretMissing { secret }));
    }
    let session = look.session(database).await.map_err(|error| match error {
        Unreached::Nothing(why) => Unread::Nothing(why),
        Unreached::Unreachable(error) => Unread::Failed(error.into()),
        Unreached::Failed(failure) => Unread::Failed(failure),
    })?;
    session
        .catalog()
        .await
        .map_err(|error| Unread::Failed(error.into()))
}

/// What a look is taken with: the environment, and nothing to do.
pub(super) fn without_actions(environment: &Environment) -> Plan {
    Plan {
        version: PLAN_VERSION,
        rbk: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: RunbookFacts {
            title: String::new(),
            doc: None,
            file: String::new(),
            sha256: String::new(),
            uses: Vec::new(),
        },
        environment: environment.clone(),
        parameters: Vec::new(),
        catalogs: BTreeMap::new(),
        preflight: Vec::new(),
        steps: Vec::new(),
        on_failure: Vec::new(),
        replications: BTreeMap::new(),
        cleanup: Vec::new(),
        stack: Vec::new(),
    }
}
