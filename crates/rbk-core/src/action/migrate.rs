//! The migration tool brings a schema up. Its own table knows what is applied, and its own lock keeps others out.

use super::session::{Committed, Kept};
use crate::environment::Migrations;
use crate::ids::{DatabaseName, RunId};
use crate::plan::Change;
use crate::ports::{
    ChangeRequest, ChangeSets, Login, MigrateRequest, MigrationError, MigrationLock, PortError,
    PortErrorKind,
};
use crate::run::{Class, Effect, Failure, Probe, Scene, Since};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;

/// A run of the migration tool. Running it again leaves out what is applied; the marker saves that.
pub(super) struct Migrate<'a> {
    database: &'a DatabaseName,
    migrations: &'a Migrations,
    session: Kept<'a>,
    login: Option<Login>,
    foreign: Option<MigrationLock>,
    /// The change set that failed, and why.
    failed: Option<(String, String)>,
}

impl<'a> Migrate<'a> {
    pub fn new(database: &'a DatabaseName, migrations: &'a Migrations) -> Self {
        Self {
            database,
            migrations,
            session: Kept::new(database),
            login: None,
            foreign: None,
            failed: None,
        }
    }

    /// Ends what an earlier attempt of this run left at work, and releases its lock: nobody else has the lease, and its tool
    /// ended with it. The server may not have noticed that yet.
    async fn release(&self, scene: &Scene<'_>) -> Result<(), PortError> {
        let schema = &self.migrations.schema;
        let session = self.session.held(&self.doing())?;
        session.end_sessions(&scene.run.signature()).await?;
        let Some(lock) = session.migration_lock(schema).await? else {
            return Ok(());
        };
        if !is_of(&lock, scene.run) {
            return Err(PortError::new(
                PortErrorKind::InvalidState,
                self.doing(),
                held_by(&lock),
            ));
        }
        let released = session.release_migration_lock(schema, &lock).await;
        released.map_err(|error| match error.kind {
            // Somebody took it in this very moment: looked at again.
            PortErrorKind::Conflict => PortError {
                kind: PortErrorKind::InvalidState,
                ..error
            },
            _ => error,
        })
    }

    /// Notes that the tool need not be started again. Without the note it is, and finds nothing to do.
    async fn mark(&self, scene: &Scene<'_>, login: &Login) -> Result<(), PortError> {
        let session = scene.world.postgres.connect(login).await?;
        let request = ChangeRequest {
            change: &Change::Unchecked,
            statements: &[],
            settings: &BTreeMap::new(),
            lock_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(60),
        };
        session.change(&request, &scene.marker(None)).await
    }

    async fn done(&mut self, scene: &Scene<'_>) -> Result<Probe, Failure> {
        let session = self.session.get(scene).await?;
        let found = session.change_sets(&self.migrations.schema).await;
        let ChangeSets { count, last } = found.inspect_err(|_| self.session.lose())?;
        let sets = if count == 1 { "set is" } else { "sets are" };
        let last = last.map_or(String::new(), |last| format!(", the last one `{last}`"));
        Ok(Probe::Done {
            detail: format!("{count} change {sets} applied{last}"),
            proof: None,
        })
    }
}

#[async_trait]
impl Effect for Migrate<'_> {
    fn call(&self) -> &'static str {
        "migrate"
    }

    fn target(&self) -> String {
        format!("database {}", self.database)
    }

    fn doing(&self) -> String {
        format!("migrating the schema of {}", self.database)
    }

    fn look_at(&self) -> String {
        format!(
            "look at `{}.databasechangelog` of {} and at what Liquibase wrote; then say what you found with `rbk resolve`: running it again does no harm",
            self.migrations.schema, self.database
        )
    }

    fn grace(&self) -> Duration {
        // Running it again leaves out what is applied.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        let committed = match since {
            Since::Nothing => Committed::No,
            Since::Intent(_) => self.session.committed(scene, &scene.marker(None)).await?,
            Since::Accepted => Committed::Yes,
        };
        match committed {
            Committed::Yes => return self.done(scene).await,
            Committed::Open(seen) => return Ok(Probe::Pending(seen)),
            Committed::No => {}
        }
        let session = self.session.get(scene).await?;
        let lock = session.migration_lock(&self.migrations.schema).await;
        let lock = lock.inspect_err(|_| self.session.lose())?;
        self.foreign = lock.clone().filter(|lock| !is_of(lock, scene.run));
        Ok(match (&self.foreign, lock) {
            (Some(foreign), _) => Probe::Pending(held_by(foreign)),
            (None, Some(_)) => {
                Probe::Undone("an earlier attempt of this run left the tool's lock".to_owned())
            }
            (None, None) => Probe::Undone("it isn't known to be migrated".to_owned()),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let login = scene.look().login(self.database).await;
        self.login = Some(login.map_err(|unreached| unreached.into_failure(self.database))?);
        self.session.get(scene).await.map(|_| ())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        self.failed = None;
        let Some(login) = self.login.clone() else {
            return Err(super::rds::unprepared(&self.doing()));
        };
        // The tool's own end ends it: when it is started again, as after throttling, there is none.
        if let Err(failure) = self.session.get(scene).await {
            return Err(match failure {
                Failure::Port(error) => *error,
                failure => PortError::new(
                    PortErrorKind::Unreachable,
                    self.doing(),
                    failure.to_string(),
                ),
            });
        }
        if let Err(error) = self.release(scene).await {
            self.session.lose_for(&error);
            return Err(error);
        }
        // It may take an hour, and an idle session may not live that long.
        self.session.lose();
        let request = MigrateRequest {
            migrations: self.migrations,
            login: &login,
            run: scene.run,
            progress: &scene.ticker,
        };
        match scene.world.migrations.migrate(&request).await {
            Ok(()) => {}
            Err(MigrationError::Tool(error)) => return Err(error),
            Err(MigrationError::ChangeSet { change_set, reason }) => {
                let error = PortError::new(PortErrorKind::Statement, self.doing(), &reason);
                self.failed = Some((change_set, reason));
                return Err(error);
            }
        }
        if let Err(error) = self.mark(scene, &login).await {
            tracing::warn!(%error, "a resume will start the migration tool once more");
        }
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        let (change_set, reason) = match self.failed.take() {
            Some((change_set, reason)) => (Some(change_set), reason),
            None => (None, error.message.clone()),
        };
        let failure = Failure::from(error);
        // What the network or a permission stopped says more by itself.
        if change_set.is_none() && failure.class() == Class::Suspends {
            return failure;
        }
        Failure::MigrationFailed {
            database: self.database.clone(),
            change_set,
            reason,
        }
    }

    fn overdue(&mut self, _waited: Duration, _seen: &str) -> Option<Failure> {
        let lock = self.foreign.take()?;
        Some(Failure::MigrationLocked {
            database: self.database.clone(),
            by: lock.by,
            since: lock.since,
        })
    }
}

/// Whether the lock is one that this run took. Source: Liquibase writes `host#description (address)`, and rbk gives
/// `rbk-<run>` as the description.
fn is_of(lock: &MigrationLock, run: &RunId) -> bool {
    let name = run.signature();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    lock.by.match_indices(&name).any(|(at, _)| {
        let before = lock.by.get(..at).and_then(|text| text.chars().next_back());
        let after = lock.by.get(at + name.len()..);
        let after = after.and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn held_by(lock: &MigrationLock) -> String {
    let since = lock.since.as_ref();
    let since = since.map_or(String::new(), |since| format!(" since {since}"));
    format!("`{}` holds the migration tool's lock{since}", lock.by)
}

#[cfg(test)]
mod tests {
    use super::is_of;
    use crate::ids::RunId;
    use crate::ports::MigrationLock;

    #[test]
    fn only_a_lock_that_names_exactly_this_run_is_its_own() {
        let run = RunId::from("20261122t091500-0a1b2c3d");
        let held = |by: &str| {
            let lock = MigrationLock {
                by: by.to_owned(),
                since: None,
            };
            is_of(&lock, &run)
        };
        assert!(held("ip-10-0-0-1#rbk-20261122t091500-0a1b2c3d (10.0.0.1)"));
        assert!(held("rbk-20261122t091500-0a1b2c3d"));
        assert!(!held(
            "ip-10-0-0-1#rbk-20261122t091500-0a1b2c3d4 (10.0.0.1)"
        ));
        assert!(!held("ip-10-0-0-1#rbk-20261122t091500-0a1b2c3e (10.0.0.1)"));
        assert!(!held("xrbk-20261122t091500-0a1b2c3d"));
        assert!(!held("ci-runner (10.0.0.2)"));
    }
}
