//! Instances: restoring one from a snapshot, and setting its master password.

use crate::drift::ENVIRONMENT_TAG;
use crate::ids::{ActionId, DatabaseName, InstanceId, SecretName};
use crate::journal::Proof;
use crate::plan::{Expr, InstanceSettings};
use crate::ports::{
    Instance, Login, PortError, PortErrorKind, RestoreRequest, SecretValue, Session, Which,
};
use crate::run::{Content, Effect, Failure, Probe, Scene, Since, evaluate, foreign, owner};
use crate::value::Value;
use async_trait::async_trait;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// `RestoreDBInstanceFromDBSnapshot`. Known by its name and by the tags that are sent with it; done when it can be seen.
/// Whether it becomes available is an `await`'s question.
pub(super) struct Restore<'a> {
    database: &'a DatabaseName,
    snapshot: &'a Expr,
    settings: &'a InstanceSettings,
    chosen: Option<Value>,
    request: Option<RestoreRequest>,
}

impl<'a> Restore<'a> {
    pub fn new(
        database: &'a DatabaseName,
        snapshot: &'a Expr,
        settings: &'a InstanceSettings,
    ) -> Self {
        Self {
            database,
            snapshot,
            settings,
            chosen: None,
            request: None,
        }
    }
}

#[async_trait]
impl Effect for Restore<'_> {
    fn call(&self) -> &'static str {
        "RestoreDBInstanceFromDBSnapshot"
    }

    fn target(&self) -> String {
        format!("instance {}", self.settings.instance)
    }

    fn doing(&self) -> String {
        format!("restoring instance `{}`", self.settings.instance)
    }

    fn look_at(&self) -> String {
        format!(
            "look whether instance `{}` exists, and at its tags `rbk:run` and `rbk:action`; then say so with `rbk resolve`",
            self.settings.instance
        )
    }

    fn is_known_by_name(&self) -> bool {
        true
    }

    fn choice(&self) -> Option<Value> {
        self.chosen.clone()
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let id = &self.settings.instance;
        let Some(is) = scene.world.rds.instance(id).await? else {
            return Ok(Probe::Undone(format!("there is no instance `{id}`")));
        };
        let is_ours = owner(&is).as_ref() == Some(scene.run)
            && is.tags.get("rbk:action") == Some(&tag_value(&scene.planned.id));
        if !is_ours {
            return Ok(Probe::Foreign(foreign(id, &is)));
        }
        Ok(Probe::Done {
            detail: format!("instance `{id}` is `{}`", is.status),
            proof: Some(Proof::Instance {
                database: self.database.clone(),
                instance: id.clone(),
                resource: is.resource,
            }),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let known = scene.facts.action(&scene.planned.id);
        let intent = known.and_then(|known| known.intent.as_ref());
        let chosen = match intent.and_then(|(intent, _)| intent.choice.clone()) {
            Some(chosen) => chosen,
            None => evaluate(&mut scene.look(), self.snapshot).await?.value,
        };
        let Value::Snapshot(snapshot) = chosen.clone() else {
            return Err(Failure::Bug {
                message: format!("{}: from something that is no snapshot", self.doing()),
            });
        };
        self.chosen = Some(chosen);
        let mut tags: BTreeMap<String, String> = self.settings.tags.clone();
        let action = tag_value(&scene.planned.id);
        let environment = scene.look().environment().name.clone();
        for (key, value) in [
            ("rbk:run", scene.run.as_str()),
            (ENVIRONMENT_TAG, &environment),
            ("rbk:action", &action),
            ("rbk:plan", scene.plan_hash),
            ("rbk:source-snapshot", snapshot.id.as_str()),
        ] {
            tags.insert(key.to_owned(), value.to_owned());
        }
        self.request = Some(RestoreRequest {
            snapshot: snapshot.id,
            settings: self.settings.clone(),
            tags,
        });
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let request = self
            .request
            .as_ref()
            .ok_or_else(|| unprepared(&self.doing()))?;
        scene.world.rds.restore_from_snapshot(request).await?;
        Ok(())
    }
}

/// `ModifyDBInstance` with a password. It takes effect later, in its own time, so the proof is a login.
pub(super) struct MasterPassword<'a> {
    database: &'a DatabaseName,
    instance: &'a InstanceId,
    secret: &'a SecretName,
    password: Option<SecretString>,
    last_error: Option<PortError>,
    /// Since when the settled instance can't be reached, by the monotonic clock.
    unreached_since: Option<Duration>,
}

/// For how long a settled instance may be out of reach before the run is suspended.
const UNREACHED: Duration = Duration::from_secs(60);

impl<'a> MasterPassword<'a> {
    pub fn new(
        database: &'a DatabaseName,
        instance: &'a InstanceId,
        secret: &'a SecretName,
    ) -> Self {
        Self {
            database,
            instance,
            secret,
            password: None,
            last_error: None,
            unreached_since: None,
        }
    }

    async fn try_login(
        &mut self,
        scene: &Scene<'_>,
        instance: &Instance,
    ) -> Result<Probe, Failure> {
        let Some(endpoint) = instance.endpoint.clone() else {
            return Ok(Probe::Pending(format!(
                "`{}` has no address",
                self.instance
            )));
        };
        let login = Login {
            host: endpoint.host,
            port: endpoint.port,
            database: scene.look().database(self.database)?.database.clone(),
            username: instance.master_username.clone(),
            password: self.password(scene).await?,
        };
        let session = match scene.world.postgres.connect(&login).await {
            Ok(session) => session,
            Err(error) => return self.not_yet(scene, error),
        };
        let facts = match session.whoami().await {
            Ok(facts) => facts,
            Err(error) => return self.not_yet(scene, error),
        };
        Ok(Probe::Done {
            detail: format!(
                "{} logs in to {} with the staged password",
                facts.role, self.database
            ),
            proof: None,
        })
    }

    /// A refused or unreachable login right after the change is what it looks like while it is being applied.
    /// A settled instance that stays out of reach has nothing more to apply: a network is in the way.
    fn not_yet(&mut self, scene: &Scene<'_>, error: PortError) -> Result<Probe, Failure> {
        let seen = error.to_string();
        match error.kind {
            PortErrorKind::LoginRefused => {
                self.unreached_since = None;
                self.last_error = Some(error);
                Ok(Probe::Undone(seen))
            }
            PortErrorKind::Unreachable => {
                let now = scene.world.clock.monotonic();
                let since = *self.unreached_since.get_or_insert(now);
                if now.saturating_sub(since) >= UNREACHED {
                    return Err(error.into());
                }
                self.last_error = Some(error);
                Ok(Probe::Pending(seen))
            }
            _ => Err(error.into()),
        }
    }

    async fn password(&mut self, scene: &Scene<'_>) -> Result<SecretString, Failure> {
        if let Some(password) = &self.password {
            return Ok(password.clone());
        }
        let password = staged(scene, self.secret).await?.password(self.secret)?;
        self.password = Some(password.clone());
        Ok(password)
    }
}

#[async_trait]
impl Effect for MasterPassword<'_> {
    fn call(&self) -> &'static str {
        "ModifyDBInstance"
    }

    fn target(&self) -> String {
        format!("instance {}", self.instance)
    }

    fn doing(&self) -> String {
        format!("setting the master password of `{}`", self.instance)
    }

    fn look_at(&self) -> String {
        format!(
            "look at instance `{}`: its status, what is pending, and whether the password of the newest version of `{}` logs in; then say so with `rbk resolve`",
            self.instance, self.secret
        )
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let Some(is) = scene.world.rds.instance(self.instance).await? else {
            return Ok(Probe::Foreign(Failure::Vanished {
                instance: self.instance.clone(),
            }));
        };
        if let Some(status) = is.terminal_status() {
            return Ok(Probe::Foreign(Failure::Terminal {
                instance: self.instance.clone(),
                status: status.to_owned(),
            }));
        }
        if since == Since::Nothing {
            return Ok(Probe::Undone(format!("status `{}`", is.status)));
        }
        if !is.is_settled() {
            return Ok(Probe::Pending(format!(
                "status `{}`, not settled yet",
                is.status
            )));
        }
        self.try_login(scene, &is).await
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        self.password(scene).await.map(drop)
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let password = self.password.clone();
        let password = password.ok_or_else(|| unprepared(&self.doing()))?;
        let rds = &scene.world.rds;
        rds.set_master_password(self.instance, &password).await?;
        Ok(())
    }

    fn overdue(&mut self, waited: Duration, seen: &str) -> Option<Failure> {
        // A network that is down says nothing about the password: the run is suspended, not failed.
        if let Some(error) = self.last_error.take()
            && error.kind == PortErrorKind::Unreachable
        {
            return Some(error.into());
        }
        Some(Failure::Overdue {
            doing: self.doing(),
            waited: waited.as_secs(),
            seen: seen.to_owned(),
        })
    }
}

/// An action's identity as a tag can hold it: letters, digits, spaces and some signs, at most 256 characters; the hash
/// tells those apart that look the same then. Source: RDS user guide, "Tagging Amazon RDS resources".
pub(super) fn tag_value(id: &ActionId) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    let readable: String = id
        .as_str()
        .chars()
        .take(200)
        .map(|c| if allowed(c) { c } else { '/' })
        .collect();
    let hash = hex::encode(Sha256::digest(id.as_str()));
    format!("{}:{}", readable.trim(), hash.get(..8).unwrap_or(&hash))
}

/// The version of a secret that this run staged.
pub(super) async fn staged_value(
    scene: &Scene<'_>,
    secret: &SecretName,
) -> Result<SecretValue, Failure> {
    let version = scene.facts.staged.get(secret).ok_or_else(|| Failure::Bug {
        message: format!("`{secret}` is used before a version was staged"),
    })?;
    let which = Which::Version(version.clone());
    Ok(scene.world.secrets.value(secret, &which).await?)
}

/// What the staged version of a database's secret says.
pub(super) async fn staged(scene: &Scene<'_>, secret: &SecretName) -> Result<Content, Failure> {
    let value = staged_value(scene, secret).await?;
    Content::parse(secret, &value)
}

/// Logs in and runs a query.
pub(super) async fn log_in(
    scene: &Scene<'_>,
    login: &Login,
) -> Result<(Box<dyn Session>, String), PortError> {
    let session = scene.world.postgres.connect(login).await?;
    let facts = session.whoami().await?;
    Ok((
        session,
        format!("logged in as {} to {}", facts.role, facts.server_version),
    ))
}

pub(super) fn unprepared(doing: &str) -> PortError {
    PortError::new(
        PortErrorKind::Protocol,
        doing,
        "a bug in rbk: sent before it was prepared",
    )
}

#[cfg(test)]
mod tests {
    use super::tag_value;
    use crate::ids::ActionId;

    #[test]
    fn any_action_has_a_tag_that_rds_takes_and_no_two_have_the_same() {
        assert_eq!(
            tag_value(&ActionId::from("Restore#1")),
            "Restore/1:86a7b024"
        );
        let hostile = format!("Zurück & \"los\" {}#1", "x".repeat(300));
        let tag = tag_value(&ActionId::from(hostile.as_str()));
        assert!(tag.len() <= 256 && tag.is_ascii() && !tag.contains(['"', '&', '#']));
        assert_ne!(
            tag_value(&ActionId::from("a!#1")),
            tag_value(&ActionId::from("a?#1"))
        );
    }
}
