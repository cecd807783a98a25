//! Instances: restoring one from a snapshot or to a point in time, and setting its master password.

use crate::drift::ENVIRONMENT_TAG;
use crate::ids::{ActionId, DatabaseName, InstanceId, SecretName};
use crate::journal::Proof;
use crate::plan::{AsOf, Expr, InstanceSettings};
use crate::ports::{
    Instance, Login, PointInTimeRequest, PortError, PortErrorKind, RestoreRequest, SecretValue,
    Session, Which,
};
use crate::run::{
    Content, Effect, Failure, Probe, Scene, Since, evaluate, foreign, owner, restorable_to,
};
use crate::value::Value;
use async_trait::async_trait;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an instance is made from.
#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    /// An expression of type snapshot.
    Snapshot(&'a Expr),
    /// Another instance's past.
    PointInTime {
        source: &'a DatabaseName,
        at: &'a AsOf,
    },
}

/// The call that is sent.
enum Request {
    Snapshot(RestoreRequest),
    PointInTime(PointInTimeRequest),
}

/// `RestoreDBInstanceFromDBSnapshot`, `RestoreDBInstanceToPointInTime`. Known by its name and by the tags that are sent with it;
/// done when it can be seen. Whether it becomes available is an `await`'s question.
pub(super) struct Restore<'a> {
    database: &'a DatabaseName,
    from: From<'a>,
    settings: &'a InstanceSettings,
    chosen: Option<Value>,
    request: Option<Request>,
    /// Why the instant that was asked for isn't to be had any more.
    out_of_reach: Option<Failure>,
}

impl<'a> Restore<'a> {
    pub fn new(database: &'a DatabaseName, from: From<'a>, settings: &'a InstanceSettings) -> Self {
        Self {
            database,
            from,
            settings,
            chosen: None,
            request: None,
            out_of_reach: None,
        }
    }

    /// What it is made from: the same in each attempt, since it is journaled with the first one.
    async fn choose(&self, scene: &Scene<'_>) -> Result<Value, Failure> {
        let known = scene.facts.action(&scene.planned.id);
        let intent = known.and_then(|known| known.intent.as_ref());
        let chosen = intent.and_then(|(intent, _)| intent.choice.clone());
        let mut look = scene.look();
        match (chosen, self.from) {
            (Some(chosen), From::Snapshot(_)) => Ok(chosen),
            (None, From::Snapshot(snapshot)) => Ok(evaluate(&mut look, snapshot).await?.value),
            (Some(Value::Time(time)), From::PointInTime { source, .. }) => {
                // The window may have moved on since.
                let at = AsOf::Time {
                    at: Expr::Value(Value::Time(time)),
                };
                restorable_to(&mut look, source, &at).await.map(Value::Time)
            }
            (_, From::PointInTime { source, at }) => {
                restorable_to(&mut look, source, at).await.map(Value::Time)
            }
        }
    }
}

#[async_trait]
impl Effect for Restore<'_> {
    fn call(&self) -> &'static str {
        match self.from {
            From::Snapshot(_) => "RestoreDBInstanceFromDBSnapshot",
            From::PointInTime { .. } => "RestoreDBInstanceToPointInTime",
        }
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
        let chosen = self.choose(scene).await?;
        self.chosen = Some(chosen.clone());
        let mut tags = own_tags(scene, self.settings.tags.clone());
        let settings = self.settings.clone();
        self.request = Some(match (chosen, self.from) {
            (Value::Snapshot(snapshot), From::Snapshot(_)) => {
                tags.insert("rbk:source-snapshot".to_owned(), snapshot.id.to_string());
                Request::Snapshot(RestoreRequest {
                    snapshot: snapshot.id,
                    settings,
                    tags,
                })
            }
            (Value::Time(at), From::PointInTime { source, .. }) => {
                let source = scene.look().database(source)?.instance.clone();
                tags.insert(RESTORED_TO.to_owned(), format!("{source}@{at}"));
                Request::PointInTime(PointInTimeRequest {
                    source,
                    at,
                    settings,
                    tags,
                })
            }
            (other, _) => {
                return Err(Failure::Bug {
                    message: format!("{}: from a {}", self.doing(), other.ty()),
                });
            }
        });
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let rds = &scene.world.rds;
        match &self.request {
            Some(Request::Snapshot(request)) => {
                rds.restore_from_snapshot(request).await?;
            }
            Some(Request::PointInTime(request)) => {
                let answer = rds.restore_to_point_in_time(request).await;
                // RDS says it in words only; whether it is the window that has moved on is looked at.
                if let Err(error) = &answer
                    && error.kind == PortErrorKind::InvalidRequest
                {
                    self.out_of_reach = self.choose(scene).await.err();
                }
                answer?;
            }
            None => return Err(unprepared(&self.doing())),
        }
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        match self.out_of_reach.take() {
            Some(failure @ Failure::Backup(_)) => failure,
            _ => error.into(),
        }
    }
}

/// The tag that says what an instance was restored to: `statistagptdb@2026-11-22T09:10:00Z`.
const RESTORED_TO: &str = "rbk:restored-to";

/// Tags, and those by which a run finds again what it made.
pub(super) fn own_tags(
    scene: &Scene<'_>,
    mut tags: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let action = tag_value(&scene.planned.id);
    for (key, value) in [
        ("rbk:run", scene.run.as_str()),
        (ENVIRONMENT_TAG, &scene.plan.environment.name),
        ("rbk:action", &action),
        ("rbk:plan", scene.plan_hash),
    ] {
        tags.insert(key.to_owned(), value.to_owned());
    }
    tags
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
