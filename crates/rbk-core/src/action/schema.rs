//! Changes of a schema: statements in one transaction with the run's marker. The marker is the proof, also after a crash.

use super::session::{Committed, Kept};
use crate::ids::DatabaseName;
use crate::journal::Observation;
use crate::listing::first_few;
use crate::plan::{Change, IndexFacts};
use crate::ports::{ChangeRequest, PortError, PortErrorKind};
use crate::run::{Effect, Failure, Probe, Scene, Since, may_be_dropped};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long all of a change may take where the plan says nothing.
const UNBOUNDED: Duration = Duration::from_secs(900);

/// Statements in one transaction.
pub(super) struct ChangeSchema<'a> {
    database: &'a DatabaseName,
    change: &'a Change,
    statements: &'a [String],
    settings: &'a BTreeMap<String, String>,
    lock_timeout: Duration,
    session: Kept<'a>,
    seen: Option<Vec<IndexFacts>>,
}

impl<'a> ChangeSchema<'a> {
    pub fn new(
        database: &'a DatabaseName,
        change: &'a Change,
        statements: &'a [String],
        settings: &'a BTreeMap<String, String>,
        lock_timeout: u64,
    ) -> Self {
        Self {
            database,
            change,
            statements,
            settings,
            lock_timeout: Duration::from_secs(lock_timeout),
            session: Kept::new(database),
            seen: None,
        }
    }

    /// Reads indexes as they are; they must be as the plan says, since they are made again from what it says.
    async fn read_indexes(
        &mut self,
        scene: &Scene<'_>,
        indexes: &[IndexFacts],
    ) -> Result<(), Failure> {
        let found = self.session.get(scene).await?.indexes(indexes).await;
        let found = found.inspect_err(|_| self.session.lose())?;
        let differs = indexes
            .iter()
            .zip(found)
            .find(|(index, found)| found.as_ref() != Some(&index.definition));
        if let Some((index, found)) = differs {
            // An earlier attempt's transaction may have come to its end just now: then sending finds it so.
            let marker = scene.marker(None);
            if let Committed::Yes = self.session.committed(scene, &marker).await? {
                return Ok(());
            }
            return Err(Failure::IndexDiffers {
                database: self.database.clone(),
                index: Box::new(index.clone()),
                found,
            });
        }
        self.seen = Some(indexes.to_vec());
        Ok(())
    }
}

#[async_trait]
impl Effect for ChangeSchema<'_> {
    fn call(&self) -> &'static str {
        match self.change {
            Change::RecreateSchema { .. } => "recreate schema",
            Change::RestoreGrants { .. } => "restore grants",
            Change::DropIndexes { .. } => "drop indexes",
            Change::CreateIndexes { .. } => "create indexes",
            Change::AlterColumns { .. } => "alter columns",
            Change::RelaxNotNull { .. } => "relax not null",
            Change::RestoreNotNull { .. } => "restore not null",
            Change::Analyze { .. } => "analyze",
            Change::MakeControlSchema => "create schema",
            Change::DropControlTables { .. } => "drop control tables",
            Change::Unchecked => "sql",
        }
    }

    fn target(&self) -> String {
        format!("database {}", self.database)
    }

    fn doing(&self) -> String {
        format!("{} on {}", self.change.doing(), self.database)
    }

    fn look_at(&self) -> String {
        format!(
            "look in `rbk.markers` of {} for a row of this run and action: it is there if and only if the change is; then say so with `rbk resolve`",
            self.database
        )
    }

    fn grace(&self) -> Duration {
        // A transaction that is still open is seen as such, and one that comes late fails at the marker's key.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        if since == Since::Nothing {
            return Ok(Probe::Undone("nothing was sent".to_owned()));
        }
        let marker = scene.marker(None);
        Ok(match self.session.committed(scene, &marker).await? {
            Committed::Yes => Probe::Done {
                detail: done(self.change),
                proof: None,
            },
            Committed::No => Probe::Undone("its marker isn't there".to_owned()),
            Committed::Open(seen) => Probe::Pending(seen),
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        match self.change {
            Change::DropIndexes { indexes } => self.read_indexes(scene, indexes).await,
            Change::RecreateSchema { .. } => {
                let mut look = scene.look();
                may_be_dropped(&mut look, self.database, &scene.planned.statement).await?;
                self.session.get(scene).await.map(|_| ())
            }
            _ => self.session.get(scene).await.map(|_| ()),
        }
    }

    fn observations(&mut self) -> Vec<Observation> {
        let seen = self.seen.take().into_iter();
        seen.map(|indexes| Observation::Indexes {
            database: self.database.clone(),
            indexes,
        })
        .collect()
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let bound = scene.planned.upper_bound.map(Duration::from_secs);
        let request = ChangeRequest {
            change: self.change,
            statements: self.statements,
            settings: self.settings,
            lock_timeout: self.lock_timeout,
            deadline: bound.unwrap_or(UNBOUNDED),
        };
        let session = self.session.held(&self.doing())?;
        let sent = session.change(&request, &scene.marker(None)).await;
        // One that waits for a lock is tried again in the same session; the others ask anew.
        sent.inspect_err(|error| self.session.lose_for(error))
    }

    fn explain(&mut self, error: PortError) -> Failure {
        match error.kind {
            PortErrorKind::InvalidState => Failure::LockNotGiven {
                doing: self.doing(),
                reason: error.message,
            },
            _ => error.into(),
        }
    }
}

/// What is so when it is done.
fn done(change: &Change) -> String {
    match change {
        Change::RecreateSchema { schema } => {
            format!("schema `{schema}` is new and empty")
        }
        Change::RestoreGrants { schema } => {
            format!(
                "privileges on what is in schema `{schema}`, and owners of its tables, are as the lock file says"
            )
        }
        Change::DropIndexes { indexes } => format!(
            "dropped, and how they were made is journaled: {}",
            named(indexes, |index| index.name.clone())
        ),
        Change::CreateIndexes { indexes } => {
            format!("there: {}", named(indexes, |index| index.name.clone()))
        }
        Change::AlterColumns { columns } => {
            named(columns, |it| format!("{} is {}", it.column, it.to))
        }
        Change::RelaxNotNull { columns } => {
            format!("may hold NULL: {}", named(columns, ToString::to_string))
        }
        Change::RestoreNotNull { columns } => {
            format!("NOT NULL again: {}", named(columns, ToString::to_string))
        }
        Change::Analyze { tables } => {
            format!("analyzed: {}", named(tables, ToString::to_string))
        }
        Change::MakeControlSchema => "the schema is there".to_owned(),
        Change::DropControlTables { .. } => "DMS's control tables are gone".to_owned(),
        Change::Unchecked => "committed with its marker".to_owned(),
    }
}

/// The first few, and how many more there are.
pub(super) fn named<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    let names: Vec<String> = all.iter().map(name).collect();
    first_few(&names, 4, ", ")
}
