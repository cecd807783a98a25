//! What is done inside of a database: a role's password, and whether anybody can write.

use super::rds::{log_in, staged, unprepared};
use super::session::is_sent_again;
use crate::ids::{DatabaseName, RoleName, SecretName};
use crate::plan::Freeze;
use crate::ports::{Endpoint, FreezeState, Login, PortError, PortErrorKind, Session};
use crate::run::{Content, Effect, Failure, Probe, Scene, Since, Unreached};
use async_trait::async_trait;
use secrecy::SecretString;
use std::time::Duration;

/// `ALTER ROLE`. The proof is a login.
pub(super) struct RolePassword<'a> {
    database: &'a DatabaseName,
    role: &'a RoleName,
    secret: &'a SecretName,
    administration: &'a SecretName,
    address: Option<Endpoint>,
    password: Option<SecretString>,
    session: Option<Box<dyn Session>>,
}

impl<'a> RolePassword<'a> {
    pub fn new(
        database: &'a DatabaseName,
        role: &'a RoleName,
        secret: &'a SecretName,
        administration: &'a SecretName,
    ) -> Self {
        Self {
            database,
            role,
            secret,
            administration,
            address: None,
            password: None,
            session: None,
        }
    }

    async fn login(
        &mut self,
        scene: &Scene<'_>,
        username: &str,
        password: SecretString,
    ) -> Result<Login, Failure> {
        let mut look = scene.look();
        let address = match &self.address {
            Some(address) => address.clone(),
            None => look.endpoint(self.database).await?,
        };
        self.address = Some(address.clone());
        Ok(Login {
            host: address.host,
            port: address.port,
            database: look.database(self.database)?.database.clone(),
            username: username.to_owned(),
            password,
        })
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
impl Effect for RolePassword<'_> {
    fn call(&self) -> &'static str {
        "ALTER ROLE"
    }

    fn target(&self) -> String {
        format!("role {} on {}", self.role, self.database)
    }

    fn doing(&self) -> String {
        format!(
            "setting the password of role `{}` on {}",
            self.role, self.database
        )
    }

    fn look_at(&self) -> String {
        format!(
            "look whether role `{}` can log in to {} with the newest version of `{}`; then say so with `rbk resolve`",
            self.role, self.database, self.secret
        )
    }

    fn grace(&self) -> Duration {
        // A statement that was cut off is either committed by now or not at all; sending it again changes nothing.
        Duration::from_secs(5)
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        if since == Since::Nothing {
            return Ok(Probe::Undone("it isn't set yet".to_owned()));
        }
        let password = self.password(scene).await?;
        let login = self.login(scene, self.role.as_str(), password).await?;
        match log_in(scene, &login).await {
            Ok((_session, seen)) => Ok(Probe::Done {
                detail: seen,
                proof: None,
            }),
            Err(error) if error.kind == PortErrorKind::LoginRefused => {
                Ok(Probe::Undone(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        self.password(scene).await?;
        let value = scene.look().current(self.administration).await?;
        let content = Content::parse(self.administration, &value)?;
        let username = content.need(self.administration, "username")?;
        let administrator = content.password(self.administration)?;
        let login = self.login(scene, username, administrator).await?;
        self.session = Some(scene.world.postgres.connect(&login).await?);
        Ok(())
    }

    async fn send(&mut self, _scene: &Scene<'_>) -> Result<(), PortError> {
        match (&self.session, &self.password) {
            (Some(session), Some(password)) => session.set_role_password(self.role, password).await,
            _ => Err(unprepared(&self.doing())),
        }
    }

    fn overdue(&mut self, waited: Duration, seen: &str) -> Option<Failure> {
        Some(Failure::Overdue {
            doing: self.doing(),
            waited: waited.as_secs(),
            seen: seen.to_owned(),
        })
    }
}

/// Freezing or thawing writes. The catalog says how it stands.
pub(super) struct Writes<'a> {
    database: &'a DatabaseName,
    freeze: &'a Freeze,
    wanted: FreezeState,
    if_reachable: bool,
    first_try: Option<Duration>,
    session: Option<Box<dyn Session>>,
}

impl<'a> Writes<'a> {
    pub fn freeze(database: &'a DatabaseName, freeze: &'a Freeze, if_reachable: bool) -> Self {
        Self {
            database,
            freeze,
            wanted: FreezeState::Frozen,
            if_reachable,
            first_try: None,
            session: None,
        }
    }

    pub fn thaw(database: &'a DatabaseName, freeze: &'a Freeze, if_reachable: bool) -> Self {
        Self {
            wanted: FreezeState::Open,
            ..Self::freeze(database, freeze, if_reachable)
        }
    }
}

#[async_trait]
impl Effect for Writes<'_> {
    fn call(&self) -> &'static str {
        match self.wanted {
            FreezeState::Frozen => "freeze writes",
            FreezeState::Open | FreezeState::Partly => "thaw writes",
        }
    }

    fn target(&self) -> String {
        format!("database {}", self.database)
    }

    fn doing(&self) -> String {
        match self.wanted {
            FreezeState::Frozen => format!("freezing writes on {}", self.database),
            FreezeState::Open | FreezeState::Partly => {
                format!("thawing writes on {}", self.database)
            }
        }
    }

    fn look_at(&self) -> String {
        format!(
            "look whether applications can write to {}; then say so with `rbk resolve`",
            self.database
        )
    }

    fn grace(&self) -> Duration {
        // The catalog is its own proof, and doing it again changes nothing.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        if self.session.is_none() {
            match scene.look().into_session(self.database).await {
                Ok(session) => self.session = Some(session),
                Err(Unreached::Failed(failure)) => return Err(failure),
                Err(Unreached::Nothing(reason)) if self.if_reachable => {
                    return Ok(Probe::Skip(reason));
                }
                Err(Unreached::Unreachable(error)) if self.if_reachable => {
                    // One refusal is a blip; what lasts for as long as a connection may take is not.
                    let now = scene.world.clock.monotonic();
                    let since = *self.first_try.get_or_insert(now);
                    let timeout = scene.plan.environment.access.connect_timeout;
                    return Ok(if now.saturating_sub(since).as_secs() < timeout {
                        Probe::Pending(error.to_string())
                    } else {
                        Probe::Skip(error.to_string())
                    });
                }
                Err(Unreached::Unreachable(error)) => return Err(error.into()),
                Err(Unreached::Nothing(reason)) => {
                    return Err(Failure::Evaluation {
                        doing: self.doing(),
                        reason,
                    });
                }
            }
        }
        let Some(session) = &self.session else {
            return Err(unprepared(&self.doing()).into());
        };
        let state = match session.freeze_state(self.freeze).await {
            Ok(state) => state,
            Err(error) => {
                self.session = None;
                return Err(error.into());
            }
        };
        Ok(if state == self.wanted {
            Probe::Done {
                detail: detail(self.wanted, self.freeze),
                proof: None,
            }
        } else {
            Probe::Undone(
                match state {
                    FreezeState::Frozen => "writes are frozen",
                    FreezeState::Open => "writes are open",
                    FreezeState::Partly => "writes are partly frozen",
                }
                .to_owned(),
            )
        })
    }

    async fn prepare(&mut self, _scene: &Scene<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn send(&mut self, _scene: &Scene<'_>) -> Result<(), PortError> {
        let Some(session) = &self.session else {
            return Err(unprepared(&self.doing()));
        };
        let sent = match self.wanted {
            FreezeState::Frozen => session.freeze(self.freeze).await,
            FreezeState::Open | FreezeState::Partly => session.thaw(self.freeze).await,
        };
        sent.inspect_err(|error| {
            // What it was cut off from is asked anew.
            if !is_sent_again(error) {
                self.session = None;
            }
        })
    }

    fn overdue(&mut self, waited: Duration, seen: &str) -> Option<Failure> {
        Some(Failure::Overdue {
            doing: self.doing(),
            waited: waited.as_secs(),
            seen: seen.to_owned(),
        })
    }
}

fn detail(state: FreezeState, freeze: &Freeze) -> String {
    match (state, freeze) {
        (FreezeState::Frozen, Freeze::NoLogin { roles }) => {
            let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            format!("{} can't log in, and no session is left", roles.join(", "))
        }
        (FreezeState::Frozen, Freeze::ReadOnly) => {
            "the database is read-only by default (the weaker kind), and no session is left"
                .to_owned()
        }
        (FreezeState::Open | FreezeState::Partly, _) => "writes are open".to_owned(),
    }
}
