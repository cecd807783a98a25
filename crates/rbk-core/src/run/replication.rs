//! How a replication stands: in words while it is awaited, in figures, and in full for the journal.

use super::evaluate::{Hope, Seen};
use super::failure::{Failure, ReplicationFailure};
use super::look::Look;
use crate::environment::TableName;
use crate::journal::{Facts, ReplicationFacts, TableFacts};
use crate::listing::{counted, first_few};
use crate::plan::{Figure, Plan, PlannedReplication, ReplicationMeans, ReplicationNames};
use crate::ports::{Dms, Replication, TableStatistics};
use crate::value::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Why DMS ends a full load by itself. Source: `Replication.StopReason`.
const FINISHED: &str = "FULL_LOAD_ONLY_FINISHED";
/// How many tables are named at most.
const NAMED: usize = 2;

/// What DMS says of a replication.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub is: Replication,
    pub tables: Vec<TableStatistics>,
}

/// Where a replication is in its life. Source: the statuses of `DescribeReplications`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It was never started.
    Created,
    /// It is on its way to running: metadata, connections, capacity.
    Preparing,
    /// Rows are moved.
    Running,
    /// It is about to stop.
    Stopping,
    /// It ended because all was loaded.
    Finished,
    /// It ended otherwise.
    Stopped,
    /// It failed.
    Failed,
    /// It is being deleted.
    Deleting,
    /// It is being changed: it can't be started or stopped now.
    Modifying,
    /// A status that rbk doesn't know.
    Unknown,
}

impl Life {
    pub fn of(is: &Replication) -> Self {
        match is
            .status
            .to_ascii_lowercase()
            .replace(['-', ' '], "_")
            .as_str()
        {
            "created" | "ready" => Life::Created,
            "initializing"
            | "preparing_metadata_resources"
            | "testing_connection"
            | "fetching_metadata"
            | "calculating_capacity"
            | "provisioning_capacity"
            | "replication_starting"
            | "starting" => Life::Preparing,
            "running" => Life::Running,
            "stopping" => Life::Stopping,
            "stopped" => match &is.stop_reason {
                Some(reason) if reason.contains(FINISHED) => Life::Finished,
                _ => Life::Stopped,
            },
            "failed" => Life::Failed,
            "deleting" => Life::Deleting,
            "modifying" => Life::Modifying,
            _ => Life::Unknown,
        }
    }

    /// Whether it will not move a row any more.
    pub fn is_over(self) -> bool {
        match self {
            Life::Finished | Life::Stopped | Life::Failed => true,
            Life::Created
            | Life::Preparing
            | Life::Running
            | Life::Stopping
            | Life::Deleting
            | Life::Modifying
            | Life::Unknown => false,
        }
    }
}

impl Standing {
    /// What DMS says now; nothing where there is no such replication.
    pub async fn read(dms: &dyn Dms, id: &str) -> Result<Option<Self>, Failure> {
        let Some(is) = dms.replication(id).await? else {
            return Ok(None);
        };
        let tables = match Life::of(&is) {
            // There are none yet, and asking costs a call.
            Life::Created | Life::Preparing | Life::Modifying | Life::Deleting => Vec::new(),
            Life::Running
            | Life::Stopping
            | Life::Finished
            | Life::Stopped
            | Life::Failed
            | Life::Unknown => dms.table_statistics(&is.arn).await?,
        };
        Ok(Some(Self { is, tables }))
    }

    pub fn life(&self) -> Life {
        Life::of(&self.is)
    }

    /// For the journal.
    pub fn facts(&self, now: jiff::Timestamp) -> ReplicationFacts {
        let elapsed = self.is.started_at.map_or(0, |start| {
            let end = self.is.stopped_at.filter(|stop| *stop >= start);
            seconds(start, end.unwrap_or(now))
        });
        let mut tables: Vec<TableFacts> = self.tables.iter().map(table_facts).collect();
        tables.sort_by(|one, other| one.table.cmp(&other.table));
        ReplicationFacts {
            status: self.is.status.clone(),
            stop_reason: self.is.stop_reason.clone(),
            messages: self.is.failure_messages.clone(),
            elapsed,
            tables,
            proven: false,
        }
    }

    /// `running, 61 %: 12 of 34 tables, public.embeddings 120 000 rows`
    fn text(&self, expected: usize) -> String {
        let loaded = self.tables.iter().filter(|it| is_loaded(&it.state)).count();
        let mut text = phase(&self.is);
        if let Some(percent) = self.is.percent {
            text.push_str(&format!(", {percent} %"));
        }
        text.push_str(&format!(": {loaded} of {} loaded", tables(expected)));
        let loading: Vec<String> = self
            .tables
            .iter()
            .filter(|it| it.state.eq_ignore_ascii_case("full load"))
            .map(|it| format!("{}.{} {} rows", it.schema, it.table, spaced(it.rows)))
            .collect();
        if !loading.is_empty() {
            text.push_str(", ");
            text.push_str(&first_few(&loading, NAMED, ", "));
        }
        let failed: Vec<String> = self
            .tables
            .iter()
            .filter(|it| is_failed(&it.state))
            .map(|it| format!("{}.{} (`{}`)", it.schema, it.table, it.state))
            .collect();
        if !failed.is_empty() {
            text.push_str("; not loaded: ");
            text.push_str(&first_few(&failed, NAMED, ", "));
        }
        text
    }
}

/// A replication of the plan.
pub(crate) fn planned<'p>(plan: &'p Plan, name: &str) -> Result<&'p PlannedReplication, Failure> {
    plan.replications.get(name).ok_or_else(|| Failure::Bug {
        message: format!("the plan names replication `{name}`, and doesn't say what it is"),
    })
}

/// How this run's replication is called at AWS.
pub(crate) fn names(facts: &Facts, name: &str) -> Result<ReplicationNames, Failure> {
    let run = facts.run.as_ref().ok_or_else(|| Failure::Bug {
        message: format!("replication `{name}` is looked at outside of a run"),
    })?;
    Ok(ReplicationNames::new(run, name))
}

/// Whether a replication is complete. What was proven is read from the journal: DMS has forgotten it by then.
pub(super) async fn complete(look: &mut Look<'_>, name: &str) -> Result<Seen, Failure> {
    let planned = planned(look.plan, name)?;
    if let Some(facts) = look.facts.replications.get(name)
        && facts.proven
    {
        let rows: u64 = facts.tables.iter().map(|table| table.rows).sum();
        let text = format!(
            "complete and proven: {}, {} rows",
            tables(facts.tables.len()),
            spaced(rows)
        );
        return Ok(Seen::condition(true, text));
    }
    match &planned.with {
        ReplicationMeans::Copy => Ok(Seen::condition(false, "the copy isn't done")),
        ReplicationMeans::Dms(_) => by_dms(look, name, planned.tables.len()).await,
    }
}

async fn by_dms(look: &mut Look<'_>, name: &str, expected: usize) -> Result<Seen, Failure> {
    let id = names(look.facts, name)?.base;
    let Some(standing) = Standing::read(look.world.dms.as_ref(), &id).await? else {
        let text = format!("there is no replication config `{id}`");
        return Ok(Seen::condition(false, text).hoping(Hope::Doubtful(gone(name, &id))));
    };
    let is = &standing.is;
    let total = count(expected);
    let loaded = standing.tables.iter().filter(|it| is_loaded(&it.state));
    let progress = (count(loaded.count()), total);
    let stopped = |reason: &str| {
        Failure::from(ReplicationFailure::Stopped {
            replication: name.to_owned(),
            reason: reason.to_owned(),
        })
    };
    Ok(match standing.life() {
        Life::Finished => Seen::condition(true, standing.text(expected)),
        Life::Failed => {
            let failure = Failure::from(ReplicationFailure::Failed {
                replication: name.to_owned(),
                messages: is.failure_messages.clone(),
            });
            Seen::condition(false, failure.to_string()).hoping(Hope::Gone(failure))
        }
        Life::Stopped => {
            let hope = match is.stop_reason.as_deref() {
                Some(reason) => Hope::Gone(stopped(reason)),
                // The reason may lag behind the status.
                None => Hope::Doubtful(stopped("DMS doesn't say why")),
            };
            Seen::condition(false, standing.text(expected)).hoping(hope)
        }
        // A status may lag behind the start.
        Life::Created => Seen::condition(false, "not started yet")
            .hoping(Hope::Doubtful(stopped("it was never started"))),
        Life::Deleting => {
            Seen::condition(false, "it is being deleted").hoping(Hope::Doubtful(gone(name, &id)))
        }
        Life::Preparing | Life::Modifying => Seen::condition(false, phase(is)),
        Life::Running | Life::Stopping | Life::Unknown => {
            Seen::condition(false, standing.text(expected)).at(progress)
        }
    })
}

/// A figure of a replication: from the journal where it is recorded, else as it stands.
pub(super) async fn figure(
    look: &mut Look<'_>,
    name: &str,
    figure: Figure,
) -> Result<Seen, Failure> {
    let planned = planned(look.plan, name)?;
    let expected = &planned.tables;
    let recorded = look.facts.replications.get(name).cloned();
    let (facts, is_over) = match (recorded, &planned.with) {
        (Some(facts), _) => (facts, true),
        (None, ReplicationMeans::Copy) => (ReplicationFacts::default(), false),
        (None, ReplicationMeans::Dms(_)) => {
            let id = names(look.facts, name)?.base;
            match Standing::read(look.world.dms.as_ref(), &id).await? {
                Some(standing) => (
                    standing.facts(look.world.clock.now()),
                    standing.life().is_over(),
                ),
                None => (ReplicationFacts::default(), false),
            }
        }
    };
    let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let value = match figure {
        Figure::Tables => number(expected.len()),
        Figure::TablesLoaded => number(loaded(&facts)),
        Figure::TablesFailed => number(failed(&facts, expected, is_over)),
        Figure::Rows => {
            let rows: u64 = facts.tables.iter().map(|table| table.rows).sum();
            Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX))
        }
        Figure::Elapsed => Value::Duration(facts.elapsed),
    };
    Ok(Seen::of(value))
}

fn loaded(facts: &ReplicationFacts) -> usize {
    let tables = facts.tables.iter();
    tables.filter(|table| is_loaded(&table.state)).count()
}

/// Tables with an error, and at the end those that it says nothing of, too.
fn failed(facts: &ReplicationFacts, expected: &[TableName], is_over: bool) -> usize {
    let with_error = facts
        .tables
        .iter()
        .filter(|it| is_failed(&it.state) || (is_over && !is_loaded(&it.state)));
    let told: BTreeSet<&str> = facts.tables.iter().map(|it| it.table.as_str()).collect();
    let missing = expected
        .iter()
        .filter(|table| is_over && !told.contains(table.to_string().as_str()));
    with_error.count() + missing.count()
}

/// `Table completed`.
pub(crate) fn is_loaded(state: &str) -> bool {
    state.eq_ignore_ascii_case("table completed")
}

/// What no waiting mends. Source: `TableStatistics.TableState`.
fn is_failed(state: &str) -> bool {
    let failed = ["table error", "table cancelled", "table does not exist"];
    failed.iter().any(|it| state.eq_ignore_ascii_case(it))
}

fn table_facts(table: &TableStatistics) -> TableFacts {
    let times = table.started_at.zip(table.ended_at);
    TableFacts {
        table: format!("{}.{}", table.schema, table.table),
        state: table.state.clone(),
        rows: table.rows,
        seconds: times.map(|(start, end)| seconds(start, end)),
    }
}

fn gone(name: &str, id: &str) -> Failure {
    ReplicationFailure::Gone {
        replication: name.to_owned(),
        kind: "replication config".to_owned(),
        id: id.to_owned(),
    }
    .into()
}

/// What DMS is at, in words.
fn phase(is: &Replication) -> String {
    match is
        .status
        .to_ascii_lowercase()
        .replace(['-', ' '], "_")
        .as_str()
    {
        "initializing" => "initializing",
        "preparing_metadata_resources" => {
            "preparing what it reads metadata with (15 to 20 minutes)"
        }
        "testing_connection" => "testing the connections to both databases",
        "fetching_metadata" => "fetching metadata",
        "calculating_capacity" => "calculating the capacity that it needs",
        "provisioning_capacity" => "provisioning capacity (15 to 20 minutes)",
        "replication_starting" | "starting" => "starting",
        "modifying" => "being modified",
        "stopped" if Life::of(is) == Life::Finished => "finished",
        other => return other.replace('_', " "),
    }
    .to_owned()
}

fn tables(count: usize) -> String {
    counted(count, "table", "tables")
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn seconds(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    Duration::try_from(to.duration_since(from)).map_or(0, |length| length.as_secs())
}

/// `120 000`
pub(crate) fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Life, Standing, spaced};
    use crate::ports::{Replication, TableStatistics};

    fn table(name: &str, state: &str, rows: u64) -> TableStatistics {
        TableStatistics {
            schema: "public".to_owned(),
            table: name.to_owned(),
            state: state.to_owned(),
            rows,
            ..TableStatistics::default()
        }
    }

    #[test]
    fn a_load_is_told_in_words() {
        let mut standing = Standing {
            is: Replication {
                status: "running".to_owned(),
                percent: Some(61),
                ..Replication::default()
            },
            tables: vec![
                table("documents", "Table completed", 2_000),
                table("embeddings", "Full load", 120_000),
                table("later", "Before load", 0),
            ],
        };
        assert_eq!(
            standing.text(34),
            "running, 61 %: 1 of 34 tables loaded, public.embeddings 120 000 rows"
        );
        standing.tables.push(table("broken", "Table error", 0));
        assert_eq!(
            standing.text(34),
            "running, 61 %: 1 of 34 tables loaded, public.embeddings 120 000 rows; not loaded: public.broken (`Table error`)"
        );
    }

    #[test]
    fn any_way_of_writing_a_status_is_understood_and_an_unknown_one_is_no_end() {
        let life = |status: &str| {
            Life::of(&Replication {
                status: status.to_owned(),
                ..Replication::default()
            })
        };
        assert_eq!(life("PROVISIONING-CAPACITY"), Life::Preparing);
        assert_eq!(life("Replication Starting"), Life::Preparing);
        assert_eq!(life("stopped"), Life::Stopped);
        assert_eq!(life("of next year"), Life::Unknown);
        assert!(!life("of next year").is_over());
    }

    #[test]
    fn numbers_can_be_read() {
        assert_eq!(spaced(7), "7");
        assert_eq!(spaced(120_000), "120 000");
        assert_eq!(spaced(1_234_567), "1 234 567");
    }
}
