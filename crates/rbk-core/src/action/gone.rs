//! What this run has begun to destroy: nothing is pointed at it any more.

use crate::ids::{DatabaseName, SecretName};
use crate::journal::Facts;
use crate::plan::{Action, Plan};

/// The database that a secret named at preflight, if this run has begun to destroy it: brought back, the secret would name an
/// instance that is being deleted.
pub(super) fn begun_to_destroy<'f>(
    plan: &Plan,
    facts: &'f Facts,
    secret: &SecretName,
) -> Option<&'f DatabaseName> {
    let applications = plan.environment.applications.iter();
    let mut named = applications
        .filter(|(_, application)| application.active.secret() == Some(secret))
        .filter_map(|(name, _)| facts.active.get(name)?.as_ref());
    named.find(|before| is_begun(plan, facts, before))
}

/// Whether this run has begun to destroy a database.
pub(super) fn is_begun(plan: &Plan, facts: &Facts, database: &DatabaseName) -> bool {
    plan.actions().any(|planned| match &planned.action {
        Action::DestroyInstance { database: of, .. } if of == database => facts
            .action(&planned.id)
            .is_some_and(|known| known.intent.is_some() || known.over.is_some()),
        _ => false,
    })
}
