//! Rows and what hangs on them: copying tables, moving sequences past them, proving that foreign keys hold for them.

use super::schema::named;
use super::session::{Committed, Kept};
use super::{Once, Performed};
use crate::ids::DatabaseName;
use crate::journal::{Proof, ReplicationFacts, TableFacts};
use crate::listing::counted;
use crate::plan::{CopiedTable, ForeignKeyFacts, SequenceFacts};
use crate::ports::{CopyFacts, Login, PortError, PortErrorKind, Progress, SequenceState};
use crate::run::{Effect, Failure, OrphanedKey, Probe, Scene, Since, may_be_copied};
use crate::value::rough_size_text;
use async_trait::async_trait;
use std::time::Duration;

/// Binary `COPY`, table by table; each table's marker says that it is there.
pub(super) struct Copy<'a> {
    /// The name of the replication that it is.
    replication: Option<&'a str>,
    from: &'a DatabaseName,
    to: &'a DatabaseName,
    tables: &'a [CopiedTable],
    target: Kept<'a>,
    logins: Option<(Login, Login)>,
    copied: Option<CopyFacts>,
    /// It was not done at its deadline: the statement, and how many seconds it had.
    late: Option<(String, u64)>,
}

impl<'a> Copy<'a> {
    pub fn new(
        replication: Option<&'a str>,
        from: &'a DatabaseName,
        to: &'a DatabaseName,
        tables: &'a [CopiedTable],
    ) -> Self {
        Self {
            replication,
            from,
            to,
            tables,
            target: Kept::new(to),
            logins: None,
            copied: None,
            late: None,
        }
    }

    /// What is there now, where somebody may ask for it by name. Each table's marker proves that all of it arrived.
    async fn replicated(&mut self, scene: &Scene<'_>) -> Result<Option<Proof>, Failure> {
        let Some(replication) = self.replication else {
            return Ok(None);
        };
        let known = scene.facts.action(&scene.planned.id);
        let began = known.and_then(|known| known.began);
        let now = scene.world.clock.now();
        let elapsed = began.and_then(|began| Duration::try_from(now.duration_since(began)).ok());
        let mut tables = Vec::new();
        for copied in self.tables {
            let counted = self.target.get(scene).await?.count(&copied.table).await;
            let rows = counted.inspect_err(|_| self.target.lose())?;
            tables.push(TableFacts {
                table: copied.table.to_string(),
                state: "Table completed".to_owned(),
                rows,
                seconds: None,
            });
        }
        tables.sort_by(|one, other| one.table.cmp(&other.table));
        Ok(Some(Proof::Replicated {
            replication: replication.to_owned(),
            facts: ReplicationFacts {
                status: "done".to_owned(),
                elapsed: elapsed.map_or(0, |elapsed| elapsed.as_secs()),
                tables,
                proven: true,
                ..ReplicationFacts::default()
            },
        }))
    }
}

#[async_trait]
impl Effect for Copy<'_> {
    fn call(&self) -> &'static str {
        "copy"
    }

    fn target(&self) -> String {
        format!("database {}", self.to)
    }

    fn doing(&self) -> String {
        format!(
            "copying {} from {} to {}",
            counted(self.tables.len(), "table", "tables"),
            self.from,
            self.to
        )
    }

    fn look_at(&self) -> String {
        format!(
            "look in `rbk.markers` of {} for rows of this run and action, one a table: a table is copied if and only if its row is there; then say so with `rbk resolve`",
            self.to
        )
    }

    fn grace(&self) -> Duration {
        // As with every marker: an open transaction is seen, and one that comes late fails at the marker's key.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, since: Since) -> Result<Probe, Failure> {
        if since == Since::Nothing {
            return Ok(Probe::Undone("nothing was sent".to_owned()));
        }
        let mut there = 0_usize;
        for copied in self.tables {
            let marker = scene.marker(Some(copied.table.to_string()));
            match self.target.committed(scene, &marker).await? {
                Committed::Yes => there += 1,
                Committed::No => {}
                Committed::Open(seen) => return Ok(Probe::Pending(seen)),
            }
        }
        let all = self.tables.len();
        if there < all {
            return Ok(Probe::Undone(format!("{there} of {all} tables are copied")));
        }
        let tables = counted(all, "table", "tables");
        Ok(Probe::Done {
            detail: match &self.copied {
                Some(CopyFacts { rows, bytes, .. }) => format!(
                    "{tables}, {rows} rows, {} copied by this attempt",
                    rough_size_text(*bytes)
                ),
                None => tables,
            },
            proof: self.replicated(scene).await?,
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let mut look = scene.look();
        let statement = &scene.planned.statement;
        may_be_copied(&mut look, self.from, self.tables, statement).await?;
        let from = look.login(self.from).await;
        let from = from.map_err(|unreached| unreached.into_failure(self.from))?;
        let to = look.login(self.to).await;
        let to = to.map_err(|unreached| unreached.into_failure(self.to))?;
        self.logins = Some((from, to));
        Ok(())
    }

    async fn send(&mut self, scene: &Scene<'_>) -> Result<(), PortError> {
        let Some((from, to)) = &self.logins else {
            return Err(super::rds::unprepared(&self.doing()));
        };
        // It may take hours, and an idle session may not live that long.
        self.target.lose();
        let (marker, progress) = (scene.marker(None), &scene.ticker);
        let postgres = &scene.world.postgres;
        let copied = postgres.copy(from, to, self.tables, &marker, progress);
        let Some(within) = scene.planned.upper_bound else {
            self.copied = Some(copied.await?);
            return Ok(());
        };
        let deadline = scene.world.clock.sleep(Duration::from_secs(within));
        tokio::select! {
            biased;
            copied = copied => self.copied = Some(copied?),
            () = deadline => {
                // Dropped, it is cut off: the table that was under way is rolled back, those before it stay.
                self.late = Some((scene.planned.statement.clone(), within));
                let error = PortErrorKind::Statement;
                return Err(PortError::new(error, self.doing(), "it was not done in time"));
            }
        }
        Ok(())
    }

    fn explain(&mut self, error: PortError) -> Failure {
        if let Some((statement, within)) = self.late.take() {
            return Failure::Deadline {
                statement,
                within,
                seen: "it was still copying; tables that were done by then stay".to_owned(),
            };
        }
        match error.kind {
            PortErrorKind::InvalidState => Failure::LockNotGiven {
                doing: self.doing(),
                reason: error.message,
            },
            _ => error.into(),
        }
    }
}

/// Sequences are moved past the source's, and past the rows. Values alone are looked at, so that it is proven in the same way
/// whoever did it.
pub(super) struct SyncSequences<'a> {
    from: &'a DatabaseName,
    to: &'a DatabaseName,
    sequences: &'a [SequenceFacts],
    source: Kept<'a>,
    target: Kept<'a>,
    next: Vec<(SequenceFacts, i64)>,
}

impl<'a> SyncSequences<'a> {
    pub fn new(
        from: &'a DatabaseName,
        to: &'a DatabaseName,
        sequences: &'a [SequenceFacts],
    ) -> Self {
        Self {
            from,
            to,
            sequences,
            source: Kept::new(from),
            target: Kept::new(to),
            next: Vec::new(),
        }
    }

    /// How they stand on both sides.
    async fn states(
        &mut self,
        scene: &Scene<'_>,
    ) -> Result<Vec<(SequenceState, SequenceState)>, Failure> {
        let source = self.source.get(scene).await?;
        let source = source.sequences(self.sequences).await;
        let source = source.inspect_err(|_| self.source.lose())?;
        let target = self.target.get(scene).await?;
        let target = target.sequences(self.sequences).await;
        let target = target.inspect_err(|_| self.target.lose())?;
        if source.len() != self.sequences.len() || target.len() != self.sequences.len() {
            return Err(Failure::Bug {
                message: "not every sequence was answered for".to_owned(),
            });
        }
        Ok(source.into_iter().zip(target).collect())
    }

    /// Those that must be moved, and to what.
    async fn behind(&mut self, scene: &Scene<'_>) -> Result<Vec<(SequenceFacts, i64)>, Failure> {
        let states = self.states(scene).await?;
        let mut behind = Vec::new();
        for (facts, (source, target)) in self.sequences.iter().zip(states) {
            let wanted = wanted(facts, &source, &target)?;
            if wanted != target.next {
                behind.push((facts.clone(), wanted));
            }
        }
        Ok(behind)
    }
}

#[async_trait]
impl Effect for SyncSequences<'_> {
    fn call(&self) -> &'static str {
        "sync sequences"
    }

    fn target(&self) -> String {
        format!("database {}", self.to)
    }

    fn doing(&self) -> String {
        format!(
            "moving {} of {} past those of {}",
            counted(self.sequences.len(), "sequence", "sequences"),
            self.to,
            self.from
        )
    }

    fn look_at(&self) -> String {
        format!(
            "compare the next values of the sequences of {} with the largest values of their columns; then say so with `rbk resolve`",
            self.to
        )
    }

    fn grace(&self) -> Duration {
        // Saying it again changes nothing.
        Duration::ZERO
    }

    async fn probe(&mut self, scene: &Scene<'_>, _since: Since) -> Result<Probe, Failure> {
        let behind = self.behind(scene).await?;
        let all = counted(self.sequences.len(), "sequence", "sequences");
        Ok(if behind.is_empty() {
            Probe::Done {
                detail: format!(
                    "next values of {all} are past the rows, and not before those of {}",
                    self.from
                ),
                proof: None,
            }
        } else {
            Probe::Undone(format!("{} of {all} are behind", behind.len()))
        })
    }

    async fn prepare(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        self.next = self.behind(scene).await?;
        Ok(())
    }

    async fn send(&mut self, _scene: &Scene<'_>) -> Result<(), PortError> {
        let session = self.target.held(&self.doing())?;
        let sent = session.set_sequences(&self.next).await;
        sent.inspect_err(|error| self.target.lose_for(error))
    }
}

/// The next value that a sequence must give at least: not before the source's, beyond the furthest value in its column, and never
/// back.
fn wanted(
    facts: &SequenceFacts,
    source: &SequenceState,
    target: &SequenceState,
) -> Result<i64, Failure> {
    let further = |a: i64, b: i64| {
        if facts.increment < 0 {
            a.min(b)
        } else {
            a.max(b)
        }
    };
    let mut wanted = further(target.next, source.next);
    let furthest = [source.furthest, target.furthest];
    for value in furthest.into_iter().flatten() {
        let beyond = value.checked_add(facts.increment);
        let beyond = beyond.ok_or_else(|| Failure::Evaluation {
            doing: format!("moving sequence {}.{}", facts.schema, facts.name),
            reason: format!("there is no value beyond {value}"),
        })?;
        if is_taken(facts, wanted, value) {
            wanted = further(wanted, beyond);
        }
    }
    Ok(wanted)
}

/// Whether the next value, or one that comes after it, is in a row already.
fn is_taken(facts: &SequenceFacts, next: i64, furthest: i64) -> bool {
    if facts.increment < 0 {
        next >= furthest
    } else {
        next <= furthest
    }
}

/// How long all proofs may take where the plan says nothing.
const UNBOUNDED: Duration = Duration::from_secs(1800);

/// Looks for rows that refer to nothing, key by key.
pub(super) struct ProveForeignKeys<'a> {
    pub database: &'a DatabaseName,
    pub keys: &'a [ForeignKeyFacts],
}

#[async_trait]
impl Once for ProveForeignKeys<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let mut session = Kept::new(self.database);
        let mut broken = Vec::new();
        let total = u64::try_from(self.keys.len()).unwrap_or(u64::MAX);
        let clock = &scene.world.clock;
        let bound = scene.planned.upper_bound.map(Duration::from_secs);
        let until = clock.monotonic().saturating_add(bound.unwrap_or(UNBOUNDED));
        for (done, key) in (0_u64..).zip(self.keys) {
            let seen = format!("`{}` of {}", key.name, key.table);
            scene.ticker.tell(&seen, done, total);
            let session = session.get(scene).await?;
            let left = until.saturating_sub(clock.monotonic());
            let orphans = session.orphans(key, left).await?;
            if orphans.rows > 0 {
                broken.push(OrphanedKey {
                    table: key.table.clone(),
                    key: key.name.clone(),
                    references: key.references.clone(),
                    rows: orphans.rows,
                    example: orphans.example,
                });
            }
        }
        if broken.is_empty() {
            let keys = counted(self.keys.len(), "foreign key", "foreign keys");
            let names = named(self.keys, |key| key.name.clone());
            return Ok(Performed::done(format!("{keys} without orphans: {names}")));
        }
        Err(Failure::Orphans {
            database: self.database.clone(),
            keys: broken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{SequenceFacts, SequenceState, wanted};

    fn next(increment: i64, source: (i64, Option<i64>), target: (i64, Option<i64>)) -> i64 {
        let facts = SequenceFacts {
            schema: "public".to_owned(),
            name: "s".to_owned(),
            owner: None,
            increment,
        };
        let state = |(next, furthest)| SequenceState { next, furthest };
        wanted(&facts, &state(source), &state(target)).unwrap()
    }

    #[test]
    fn a_sequence_goes_past_the_source_and_past_the_rows_and_never_back() {
        assert_eq!(next(1, (2001, None), (1, None)), 2001);
        assert_eq!(next(1, (2001, None), (1, Some(2000))), 2001);
        assert_eq!(next(1, (2001, None), (1, Some(2500))), 2501);
        assert_eq!(next(1, (1, Some(2500)), (1, None)), 2501);
        assert_eq!(next(1, (2001, None), (3000, Some(2000))), 3000);
        // The source's has skipped values on purpose: they stay skipped.
        assert_eq!(next(10, (91, Some(81)), (1, Some(81))), 91);
        assert_eq!(next(10, (1, None), (1, Some(81))), 91);
    }

    #[test]
    fn one_that_goes_down_goes_down() {
        assert_eq!(next(-1, (-2001, None), (-1, Some(-2000))), -2001);
        assert_eq!(next(-1, (-1, None), (-1, Some(-7))), -8);
        assert_eq!(next(-1, (-1, None), (-9, Some(-7))), -9);
    }

    #[test]
    fn one_that_is_used_up_is_told() {
        let facts = SequenceFacts {
            schema: "public".to_owned(),
            name: "s".to_owned(),
            owner: None,
            increment: 1,
        };
        let full = SequenceState {
            next: 1,
            furthest: Some(i64::MAX),
        };
        let failure = wanted(&facts, &full, &full).unwrap_err();
        assert!(failure.to_string().contains("public.s"), "{failure}");
    }
}
