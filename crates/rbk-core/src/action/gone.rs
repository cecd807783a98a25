//! What this run has begun to destroy: nothing is pointed at it any more.

use crate::ids::{DatabaseName, SecretName};
use crate::journal::Facts;
use crate::plan::{Action, Plan};

/// The database that a secret named at preflight, if this run has begun to destroy it: brought back, the secret would name an
/// instance that is being deleted.
pub(super) fn begun_to_destroy<'p>(
    plan: &'p Plan,
    facts: &Facts,
    secret: &SecretName,
) -> Option<&'p DatabaseName> {
    let applications = plan.environment.applications.iter();
    let mut named = applications
        .filter(|(_, application)| application.active.secret() == Some(secret))
        .filter_map(|(name, _)| facts.active.get(name)?.as_ref());
    named.find_map(|before| {
        plan.actions().find_map(|planned| match &planned.action {
            Action::DestroyInstance { database, .. } if database == before => {
                let known = facts.action(&planned.id)?;
                (known.intent.is_some() || known.over.is_some()).then_some(database)
            }
            _ => None,
        })
    })
}
