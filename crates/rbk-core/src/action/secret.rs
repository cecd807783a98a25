//! Secrets: a version that nobody reads yet, proven by a login, made current by a compare-and-swap.

use super::gone::begun_to_destroy;
use super::rds::{log_in, staged_value, unprepared};
use super::{Once, Performed};
use crate::environment::{Active, Environment};
use crate::ids::{DatabaseName, RoleName, SecretName, StageLabel, VersionId};
use crate::journal::{How, Proof};
use crate::plan::SecretContent;
use crate::ports::{Login, PortError, PortErrorKind, SecretFacts, Which};
use crate::run::{Content, Effect, Failure, Probe, Scene, Since, pointed_at};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

/// `PutSecretValue` under the run's own label. Known by its token, which becomes the version's id.
pub(super) struct Stage<'a> {
    secret: &'a SecretName,
    content: &'a SecretContent,
    value: Option<SecretString>,
}

impl<'a> Stage<'a> {
    pub fn new(secret: &'a SecretName, content: &'a SecretContent) -> Self {
        Self {
            secret,
            content,
            value: None,
        }
    }

    /// The token of the intent that there is, else a new one. An intent's token stays the action's for good: the
    /// version that was put under it may hold a password that nobody else knows.
    fn version(scene: &Scene<'_>) -> VersionId {
        let known = scene.facts.action(&scene.planned.id);
        let intent = known.and_then(|known| known.intent.as_ref());
        match intent.and_then(|(intent, _)| intent.token.clone()) {
            Some(token) => token,
            None => token(scene, 1),
        }
    }

    /// Whether the current version says already what the new one would: not decidable for a new password.
    async fn is_current(&self, scene: &Scene<'_>) -> Result<bool, Failure> {
        let (target, current) = match self.content {
            SecretContent::NewPassword { .. } => return Ok(false),
            SecretContent::Pointer { to, field, .. } => {
                let current = scene.look().current(self.secret).await?;
                let named = pointed_at(self.secret, &current, field.as_deref())?;
                return Ok(named == *to);
            }
            SecretContent::CopyOf { from, .. } => (from, self.secret),
        };
        let mut look = scene.look();
        let target = look.current(target).await?;
        let current = look.current(current).await?;
        Ok(target.value.expose_secret() == current.value.expose_secret())
    }

    /// What the current version says; nothing where there is none yet.
    async fn current_content(&self, scene: &Scene<'_>) -> Result<Content, Failure> {
        match scene.facts.current.get(self.secret) {
            Some(None) => Ok(Content::empty()),
            _ => Content::parse(self.secret, &scene.look().current(self.secret).await?),
        }
    }

    async fn new_password(
        &self,
        scene: &Scene<'_>,
        database: &DatabaseName,
        username: Option<&RoleName>,
    ) -> Result<SecretString, Failure> {
        let mut look = scene.look();
        let mut content = self.current_content(scene).await?;
        let endpoint = look.endpoint(database).await?;
        let id = &look.database(database)?.instance;
        let instance = look.instance(database).await?;
        let instance = instance.ok_or_else(|| Failure::Vanished {
            instance: id.clone(),
        })?;
        content.set("engine", instance.engine);
        content.set("host", endpoint.host);
        content.set_port(endpoint.port);
        content.set("dbname", look.database(database)?.database.clone());
        match username {
            Some(role) => content.set("username", role.as_str()),
            None => content.set("username", instance.master_username),
        }
        content.set("password", password(scene));
        Ok(content.write())
    }
}

#[async_trait]
impl Effect for Stage<'_> {
    fn call(&self) -> &'static str {
        "PutSecretValue"
    }

    fn target(&self) -> String {
        format!("secret {}", self.secret)
    }

    fn doing(&self) -> String {
        format!("staging a version of secret `{}`", self.secret)
    }

    fn look_at(&self) -> String {
        format!(
            "look at the versions of secret `{}`; then say what you found with `rbk resolve`",
            self.secret
        )
    }

    fn token(&self, scene: &Scene<'_>) -> Option<VersionId> {
        Some(Self::version(scene))
    }

    fn grace(&self) -> std::time::Duration {
        // The same token can't make a second version, whatever became of the first call.
        std::time::Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let facts = described(scene, self.secret).await?;
        let version = Self::version(scene);
        let is_there = facts
            .versions
            .get(&version)
            .is_some_and(|labels| !labels.is_empty());
        if is_there {
            return Ok(staged(self.secret, version));
        }
        if let Some(moved) = moved(scene, self.secret, &facts) {
            return Ok(Probe::Foreign(moved));
        }
        if since == Since::Nothing
            && let Some(current) = facts.current()
            && self.is_current(scene).await?
        {
            return Ok(staged(self.secret, current.clone()));
        }
        Ok(Probe::Undone(format!("version `{version}` isn't there")))
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let value = match self.content {
            SecretContent::NewPassword { database, username } => {
                self.new_password(scene, database, username.as_ref())
                    .await?
            }
            SecretContent::Pointer {
                to, field: None, ..
            } => SecretString::from(to.as_str()),
            SecretContent::Pointer {
                to,
                field: Some(field),
                ..
            } => {
                let mut content = self.current_content(scene).await?;
                content.set(field, to.as_str());
                content.write()
            }
            SecretContent::CopyOf { from, .. } => scene.look().current(from).await?.value,
        };
        self.value = Some(value);
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let value = self.value.as_ref();
        let value = value.ok_or_else(|| unprepared(&self.doing()))?;
        let version = Self::version(scene);
        let label = scene.run.label();
        let secrets = &scene.world.secrets;
        match secrets.put(self.secret, &version, value, &label).await {
            // An earlier attempt of this action put another value under its token: that one counts.
            Err(error) if error.kind == PortErrorKind::Conflict => Ok(()),
            answer => answer,
        }
    }
}

/// `UpdateSecretVersionStage`, against the version that was current when the run last knew.
pub(super) struct Promote<'a> {
    secret: &'a SecretName,
}

impl<'a> Promote<'a> {
    pub fn new(secret: &'a SecretName) -> Self {
        Self { secret }
    }

    fn version<'s>(&self, scene: &'s Scene<'_>) -> Result<&'s VersionId, Failure> {
        scene
            .facts
            .staged
            .get(self.secret)
            .ok_or_else(|| Failure::Bug {
                message: format!("`{}` is switched before a version was staged", self.secret),
            })
    }
}

#[async_trait]
impl Effect for Promote<'_> {
    fn call(&self) -> &'static str {
        "UpdateSecretVersionStage"
    }

    fn target(&self) -> String {
        format!("secret {}", self.secret)
    }

    fn doing(&self) -> String {
        format!(
            "making the staged version of secret `{}` current",
            self.secret
        )
    }

    fn look_at(&self) -> String {
        current_version(self.secret)
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let version = self.version(scene)?;
        let facts = described(scene, self.secret).await?;
        if facts.current() == Some(version) {
            return Ok(promoted(self.secret, version));
        }
        Ok(match moved(scene, self.secret, &facts) {
            Some(failure) => Probe::Foreign(failure),
            None => Probe::Undone("the former version is current".to_owned()),
        })
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let version = self.version(scene).map_err(|_| unprepared(&self.doing()))?;
        let expected = scene.facts.current.get(self.secret);
        let expected = expected.and_then(Option::as_ref);
        let current = StageLabel::from("AWSCURRENT");
        scene
            .world
            .secrets
            .move_label(self.secret, &current, expected, version)
            .await
    }
}

/// `UpdateSecretVersionStage` back to the version of preflight, from a version of this run's own and from no other.
pub(super) struct Revert<'a> {
    secret: &'a SecretName,
    /// From, to.
    versions: Option<(VersionId, VersionId)>,
}

impl<'a> Revert<'a> {
    pub fn new(secret: &'a SecretName) -> Self {
        Self {
            secret,
            versions: None,
        }
    }

    /// Whether two versions say the same. One that can't be read any more says nothing.
    async fn are_alike(
        &self,
        scene: &Scene<'_>,
        one: &VersionId,
        other: &VersionId,
    ) -> Result<bool, Failure> {
        let mut values = Vec::new();
        for version in [one, other] {
            let which = Which::Version(version.clone());
            match scene.world.secrets.value(self.secret, &which).await {
                Ok(value) => values.push(value.value),
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(
            matches!(values.as_slice(), [one, other] if one.expose_secret() == other.expose_secret()),
        )
    }
}

#[async_trait]
impl Effect for Revert<'_> {
    fn call(&self) -> &'static str {
        "UpdateSecretVersionStage"
    }

    fn target(&self) -> String {
        format!("secret {}", self.secret)
    }

    fn doing(&self) -> String {
        format!(
            "bringing secret `{}` back to its former version",
            self.secret
        )
    }

    fn look_at(&self) -> String {
        current_version(self.secret)
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        if let Some(gone) = begun_to_destroy(scene.plan, scene.facts, self.secret) {
            return Ok(Probe::Skip(format!(
                "`{gone}`, which it named before, is destroyed by this run: `{}` stays where it is",
                self.secret
            )));
        }
        let original = scene.facts.original.get(self.secret).cloned().flatten();
        let Some(original) = original else {
            return Ok(Probe::Skip(format!(
                "`{}` had no version before this run",
                self.secret
            )));
        };
        let facts = described(scene, self.secret).await?;
        let current = facts.current().cloned();
        if current.as_ref() == Some(&original) {
            return Ok(promoted(self.secret, &original));
        }
        let own = scene.facts.own.get(self.secret);
        match current {
            Some(current) if own.is_some_and(|own| own.contains(&current)) => {
                self.versions = Some((current, original));
                Ok(Probe::Undone("this run's version is current".to_owned()))
            }
            // Somebody else brought it back, under a version of their own: there is nothing left to undo.
            Some(current) if self.are_alike(scene, &current, &original).await? => {
                Ok(promoted(self.secret, &current))
            }
            found => Ok(Probe::Foreign(Failure::SecretMoved {
                secret: self.secret.clone(),
                expected: Some(original),
                found,
            })),
        }
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some((from, to)) = &self.versions else {
            return Err(unprepared(&self.doing()));
        };
        let current = StageLabel::from("AWSCURRENT");
        let secrets = &scene.world.secrets;
        secrets
            .move_label(self.secret, &current, Some(from), to)
            .await
    }
}

/// Logs in with what the staged version says, as the application will.
pub(super) struct ProveLogin<'a> {
    pub database: &'a DatabaseName,
    pub secret: &'a SecretName,
    pub through: Option<&'a SecretName>,
}

#[async_trait]
impl Once for ProveLogin<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let version = scene.facts.staged.get(self.secret);
        let known = scene.facts.current.get(self.secret);
        if version.is_some() && known.and_then(Option::as_ref) == version {
            return Ok(Performed::how(
                How::AlreadySo,
                format!(
                    "`{}` is as it was: there is no new version to try",
                    self.secret
                ),
            ));
        }
        let content = self.content(scene).await?;
        let secret = self.through.unwrap_or(self.secret);
        let failed = |reason: String| Failure::ProofFailed {
            secret: secret.clone(),
            reason,
        };
        let mut look = scene.look();
        let address = look.endpoint(self.database).await?;
        let named = content
            .endpoint()
            .ok_or_else(|| failed("it names no host".to_owned()))?;
        if named != address {
            return Err(failed(format!(
                "it names {}:{}, and {} is at {}:{}",
                named.host, named.port, self.database, address.host, address.port
            )));
        }
        let database = &look.database(self.database)?.database;
        let dbname = content.text("dbname").unwrap_or(database);
        if dbname != database {
            return Err(failed(format!(
                "it names the database `{dbname}`, and not `{database}`"
            )));
        }
        let login = Login {
            host: address.host,
            port: address.port,
            database: database.clone(),
            username: content.need(secret, "username")?.to_owned(),
            password: content.password(secret)?,
        };
        let (_session, seen) = log_in(scene, &login).await?;
        Ok(Performed::done(seen))
    }
}

impl ProveLogin<'_> {
    async fn content(&self, scene: &Scene<'_>) -> Result<Content, Failure> {
        let staged = staged_value(scene, self.secret).await?;
        let Some(through) = self.through else {
            return Content::parse(self.secret, &staged);
        };
        let field = field_of(&scene.plan.environment, self.secret);
        if pointed_at(self.secret, &staged, field)? != *through {
            return Err(Failure::ProofFailed {
                secret: self.secret.clone(),
                reason: format!("it doesn't name `{through}`"),
            });
        }
        let value = scene
            .world
            .secrets
            .value(through, &Which::current())
            .await?;
        Content::parse(through, &value)
    }
}

/// The key under which a pointer names a secret, where it has one.
fn field_of<'e>(environment: &'e Environment, pointer: &SecretName) -> Option<&'e str> {
    let mut applications = environment.applications.values();
    applications.find_map(|application| match &application.active {
        Active::Pointer { secret, field } if secret == pointer => field.as_deref(),
        _ => None,
    })
}

async fn described(scene: &Scene<'_>, secret: &SecretName) -> Result<SecretFacts, Failure> {
    let facts = scene.world.secrets.describe(secret).await?;
    facts.ok_or_else(|| Failure::SecretMissing {
        secret: secret.clone(),
    })
}

/// Whether somebody else moved the current version since this run last knew it.
fn moved(scene: &Scene<'_>, secret: &SecretName, facts: &SecretFacts) -> Option<Failure> {
    let expected = scene.facts.current.get(secret)?;
    (facts.current() != expected.as_ref()).then(|| Failure::SecretMoved {
        secret: secret.clone(),
        expected: expected.clone(),
        found: facts.current().cloned(),
    })
}

fn current_version(secret: &SecretName) -> String {
    format!(
        "look which version of secret `{secret}` is labelled AWSCURRENT; then say what you found with `rbk resolve`"
    )
}

fn promoted(secret: &SecretName, version: &VersionId) -> Probe {
    Probe::Done {
        detail: format!("version `{version}` of `{secret}` is current"),
        proof: Some(Proof::Promoted {
            secret: secret.clone(),
            version: version.clone(),
        }),
    }
}

fn staged(secret: &SecretName, version: VersionId) -> Probe {
    Probe::Done {
        detail: format!("version `{version}` of `{secret}` is staged"),
        proof: Some(Proof::Staged {
            secret: secret.clone(),
            version,
        }),
    }
}

/// A request token that the same action of the same run makes again.
fn token(scene: &Scene<'_>, attempt: u32) -> VersionId {
    let name = format!("rbk/{}/{}/{attempt}", scene.run, scene.planned.id);
    let token = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
    VersionId::new(token.to_string())
}

/// 32 letters and digits: about 190 bits, and nothing that RDS, DMS or an address would have to quote.
fn password(scene: &Scene<'_>) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut password = String::with_capacity(32);
    let mut bytes = [0_u8; 48];
    while password.len() < 32 {
        scene.world.clock.random(&mut bytes);
        // 248 is four times 62: what is above would favour the first letters.
        let even = bytes.iter().filter(|byte| **byte < 248);
        for byte in even.take(32 - password.len()) {
            let letter = ALPHABET.get(usize::from(*byte) % ALPHABET.len());
            password.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    password
}
