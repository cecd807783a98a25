//! `set credentials of DB`: new passwords, staged in its secrets, set, proven by logins, then made current.
//!
//! A restored instance has the master password of the backup's instant, and whatever freeze the snapshot carried.
//!
//! ```rbk
//! set credentials of recovery
//! ```

use super::Meaning;
use crate::check::{CheckError, Checker};
use crate::ids::{DatabaseName, RoleName};
use crate::lower::{Lowering, MINUTE};
use crate::plan::{Action, Risk, SecretContent};
use crate::state::{Flow, Login, StateError, Writes};
use rbk_syntax::{Span, ast};

#[derive(Debug, Clone)]
pub(crate) struct SetCredentials {
    database: DatabaseName,
    /// The application's own role, where administration has a secret of its own.
    role: Option<RoleName>,
}

impl SetCredentials {
    pub(super) fn check(path: &ast::Path, checker: &mut Checker<'_>) -> Option<Self> {
        let database = checker.database(path)?;
        let mut users = checker.environment.applications.values().filter(|application| application.databases.contains(&database));
        let separate = checker.database_facts(&database)?.admin_secret.is_some();
        let role = users.find_map(|application| application.role.clone());
        if separate && role.is_none() {
            let declared = checker.places.database(&database);
            checker.report(CheckError::NoRole { span: path.span, database, declared });
            return None;
        }
        Some(Self { database, role: role.filter(|_| separate) })
    }
}

impl Meaning for SetCredentials {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        let database = &self.database;
        if flow.demand_available(database, span)
            && let Some((application, since)) = flow.users(database)
        {
            flow.error(StateError::CredentialsInUse { span, database: database.clone(), application, since });
        }
        flow.change(database, |state| {
            state.login.set(Login::Works, span);
            state.writes.set(Writes::Open, span);
        });
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(facts) = lowering.environment.database(&self.database) else { return };
        let (database, instance) = (self.database.clone(), facts.instance.clone());
        let administration = facts.administration().clone();
        let freeze = lowering.freeze(&self.database);
        let application_secret = facts.secret.clone();

        let content = SecretContent::NewPassword { database: database.clone(), username: None };
        lowering.stage(administration.clone(), content, format!("put a new master password into secret `{administration}`, not current yet"));
        lowering.action(
            Risk::Changes,
            20 * MINUTE,
            format!("set it on instance `{instance}`, and prove it by a login"),
            Action::SetMasterPassword { database: database.clone(), instance, secret: administration.clone() },
        );
        lowering.promote(administration.clone());
        lowering.action(
            Risk::Changes,
            2 * MINUTE,
            format!("thaw `{database}`, in case its snapshot was taken while it was frozen"),
            Action::ThawWrites { database: database.clone(), freeze, if_reachable: false },
        );
        if let Some(role) = &self.role {
            let content = SecretContent::NewPassword { database: database.clone(), username: Some(role.clone()) };
            lowering.stage(application_secret.clone(), content, format!("put a new password for role `{role}` into secret `{application_secret}`, not current yet"));
            lowering.action(
                Risk::Changes,
                2 * MINUTE,
                format!("set it for role `{role}` of `{database}`"),
                Action::SetRolePassword { database: database.clone(), role: role.clone(), secret: application_secret.clone(), administration },
            );
            lowering.prove_login(&database, application_secret.clone(), None);
            lowering.promote(application_secret);
        }
    }
}
