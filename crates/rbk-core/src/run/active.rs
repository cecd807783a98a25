//! Which database an application uses: what its active secret, or the deployed stack, names.

use super::credentials::{Content, pointed_at};
use super::evaluate::{Seen, active_database, evaluate};
use super::failure::Failure;
use super::look::Look;
use super::reading::without_actions;
use crate::environment::{Active, Environment};
use crate::ids::{ApplicationName, DatabaseName, InstanceId, SecretName};
use crate::journal::Facts;
use crate::plan::StackValue;
use crate::ports::World;
use crate::stack::Wanted;
use crate::value::Value;

/// The secret that the application's active database is known by. `None`: a copy that is of none of its databases.
pub(super) async fn active_secret(
    look: &mut Look<'_>,
    application: &ApplicationName,
) -> Result<Option<SecretName>, Failure> {
    match &look.application(application)?.active {
        Active::Pointer { secret, field } => {
            let value = look.current(secret).await?;
            pointed_at(secret, &value, field.as_deref()).map(Some)
        }
        Active::Copy { .. } => match active_database(look, application).await? {
            Some(database) => Ok(Some(look.database(&database)?.secret.clone())),
            None => Ok(None),
        },
        Active::Stack { .. } => {
            let named = look.stack(application).await?;
            Ok(Some(SecretName::new(named)))
        }
    }
}

/// Whether an application's active secret, or the deployed stack, leads to an instance, by whichever database of the environment.
/// A copy need not be of any of them: its address is enough.
pub(crate) async fn points_at(
    look: &mut Look<'_>,
    application: &ApplicationName,
    instance: &InstanceId,
) -> Result<bool, Failure> {
    let all = &look.environment().databases;
    let mut its = all.iter().filter(|(_, of)| of.instance == *instance);
    if let Active::Copy { secret } = &look.application(application)?.active {
        let value = look.current(secret).await?;
        let says = Content::parse(secret, &value)?.endpoint();
        for (name, _) in its.clone() {
            let found = look.instance(name).await?;
            let is = found.and_then(|found| found.endpoint);
            if let (Some(says), Some(is)) = (&says, is)
                && says.host.eq_ignore_ascii_case(&is.host)
            {
                return Ok(true);
            }
        }
    }
    let named = active_secret(look, application).await?;
    Ok(named.is_some_and(|named| {
        its.any(|(_, of)| of.secret == named || of.admin_secret.as_ref() == Some(&named))
    }))
}

/// `active_secret(APP)`
pub(super) async fn named(
    look: &mut Look<'_>,
    application: &ApplicationName,
) -> Result<Seen, Failure> {
    match active_secret(look, application).await? {
        Some(secret) => Ok(Seen::of(Value::Text(secret.to_string()))),
        None => Err(Failure::Evaluation {
            doing: format!("looking which database {application} uses"),
            reason: "its active secret holds the credentials of none of its databases".to_owned(),
        }),
    }
}

/// `source_snapshot(DB)`: empty where there is no instance, or rbk has not restored it.
pub(super) async fn source_snapshot(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let instance = look.instance(database).await?;
    let tag = instance.and_then(|instance| instance.tags.get("rbk:source-snapshot").cloned());
    Ok(Seen::of(Value::Text(tag.unwrap_or_default())))
}

/// What the settings of a stack must be now. What can't be found out is told in words: this never fails.
pub async fn stack_values(
    world: &World,
    environment: &Environment,
    values: &[StackValue],
) -> Vec<Wanted> {
    let (plan, facts) = (without_actions(environment), Facts::default());
    let mut look = Look::new(world, &plan, &facts);
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        let seen = evaluate(&mut look, &value.expr).await;
        all.push(Wanted {
            name: value.setting.clone(),
            expression: value.text.clone(),
            value: seen
                .map(|seen| seen.value)
                .map_err(|failure| failure.to_string()),
        });
    }
    all
}
