//! What the application lived through: its own log of acknowledged commits, held against the database that it ends on.
//!
//! The log is the sandbox's, written as the server answered. Nothing that the run said of the data is believed here.

use super::seed::{StandIn, quoted};
use super::sql_failed;
use crate::exit::Failure;
use jiff::Timestamp;
use rbk_core::environment::DrillTraffic;
use rbk_sandbox::tokio_postgres::Client;
use rbk_sandbox::{Interruption, Log, Traffic};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many missing writes are named.
const NAMED: usize = 10;

/// How long the stand-in may take to write once more.
const NEXT_WRITE: Duration = Duration::from_secs(20);

/// What an application lived through.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApplicationReport {
    /// Its name in the environment.
    pub name: String,
    /// Its writes: acknowledged ones by when they were, and those that nobody answered.
    pub writes: Writes,
    /// When a recovered database acknowledged the first one.
    pub recovered_at: Option<Timestamp>,
    /// How many of its reads were answered.
    pub reads: u64,
    /// When it could not write.
    pub no_writes: Gaps,
    /// When it could not read.
    pub no_reads: Gaps,
}

/// Writes, by when they were acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// Behind the snapshot and before the instant that was restored to, where one was: all of them must be there in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_instant: Option<Survival>,
    /// Behind the snapshot, or the instant, and before the disaster.
    pub before_disaster: Survival,
    /// Behind the disaster, by the database that it happened to.
    pub until_recovery: Survival,
    /// By a database that was recovered: all of them must be there in the end.
    pub after_recovery: Survival,
    /// Sent, and not answered: each may be there or not.
    pub unknown: Survival,
    /// Numbers of the first writes that were acknowledged after the recovery and are not there.
    pub missing: Vec<u64>,
    /// Numbers of the first writes that are there more than once.
    pub doubled: Vec<u64>,
}

/// How many there were, and are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Survival {
    /// How many there were.
    pub writes: u64,
    /// How many of them are in the database that the application uses in the end.
    pub there: u64,
}

/// Times without.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Gaps {
    /// All of them together.
    pub seconds: f64,
    /// The longest.
    pub longest_seconds: f64,
    /// Each.
    pub gaps: Vec<Gap>,
}

/// A time without.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// How long; until the end of the drill if it lasts.
    pub seconds: f64,
    /// Whether it ended.
    pub over: bool,
    /// What went wrong first.
    pub reason: String,
    /// During which steps, in their order.
    pub steps: Vec<GapStep>,
}

/// The part of a gap that lies in a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapStep {
    /// The runbook's title.
    pub runbook: String,
    /// The step's title.
    pub step: String,
    /// How long.
    pub seconds: f64,
}

/// What it could do during one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RunTraffic {
    /// Acknowledged writes.
    pub writes: u64,
    /// Answered reads.
    pub reads: u64,
    /// How long it could not write.
    pub no_writes_seconds: f64,
    /// How long it could not read.
    pub no_reads_seconds: f64,
}

/// When what mattered happened.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// The instant that was restored to, where one was.
    pub instant: Option<Timestamp>,
    /// The disaster.
    pub disaster: Timestamp,
    /// The end of the drill.
    pub end: Timestamp,
}

/// When a step was under way.
#[derive(Debug, Clone)]
pub struct StepSpan {
    /// The runbook's title.
    pub runbook: String,
    /// The step's title.
    pub step: String,
    /// When it began and ended.
    pub span: Span,
}

/// From then to then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
}

impl Span {
    fn of(gap: &Interruption, end: Timestamp) -> Self {
        Self {
            from: gap.since,
            to: gap.until.unwrap_or(end),
        }
    }

    fn holds(self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }

    fn seconds(self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64().max(0.0)
    }

    fn overlap(self, other: Span) -> f64 {
        Span {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
        .seconds()
    }
}

impl ApplicationReport {
    /// What of the promised is not kept, in words.
    pub fn broken_promises(&self) -> Vec<String> {
        let Writes {
            before_instant,
            before_disaster,
            after_recovery,
            missing,
            doubled,
            ..
        } = &self.writes;
        let mut broken = Vec::new();
        if let Some(before) = before_instant {
            let gone = before.writes.saturating_sub(before.there);
            if gone > 0 {
                broken.push(format!(
                    "{gone} of {} writes that were acknowledged before the instant are not there",
                    before.writes
                ));
            }
            // One may have been committed before and acknowledged behind it.
            if before_disaster.there > 1 {
                broken.push(format!(
                    "{} writes that were acknowledged behind the instant are there",
                    before_disaster.there
                ));
            }
        }
        let gone = after_recovery.writes.saturating_sub(after_recovery.there);
        if gone > 0 {
            broken.push(format!(
                "{gone} of {} writes that were acknowledged after the recovery are not there: {}",
                after_recovery.writes,
                numbers(missing, gone)
            ));
        }
        if !doubled.is_empty() {
            broken.push(format!(
                "writes are there more than once: {}",
                numbers(doubled, 0)
            ));
        }
        broken
    }

    /// Whether it can't write in the end.
    pub fn is_cut_off(&self) -> Option<&str> {
        self.no_writes
            .gaps
            .iter()
            .find(|gap| !gap.over)
            .map(|gap| gap.reason.as_str())
    }
}

fn numbers(named: &[u64], all: u64) -> String {
    let words: Vec<String> = named.iter().map(|number| format!("#{number}")).collect();
    let more = if all > NAMED as u64 { ", …" } else { "" };
    format!("{}{more}", words.join(", "))
}

/// The traffic of a stand-in, as the environment says.
pub fn traffic(said: &DrillTraffic) -> Traffic {
    let table = quoted(&said.table);
    let read = format!(
        "SELECT max({}) FROM {table} WHERE {}",
        said.number, said.rows
    );
    Traffic::new(said.write.trim(), read)
}

/// Waits for an acknowledged write behind that time. Whether there was one in time.
pub async fn await_write(traffic: &Traffic, after: Timestamp) -> bool {
    let begun = Instant::now();
    loop {
        if traffic.last_write().is_some_and(|at| at > after) {
            return true;
        }
        if begun.elapsed() > NEXT_WRITE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How often each of the stand-in's numbers is in a database; nothing where the table is gone.
pub async fn numbers_there(
    superuser: &Client,
    said: &DrillTraffic,
) -> Result<BTreeMap<u64, u64>, Failure> {
    const DOING: &str = "looking for the application's writes";
    let table = quoted(&said.table);
    let exists: bool = superuser
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])
        .await
        .map_err(sql_failed(DOING))?
        .get(0);
    if !exists {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT CAST(n AS bigint), count(*) FROM (SELECT {} AS n FROM {table} WHERE {}) AS numbers \
         WHERE n IS NOT NULL GROUP BY 1",
        said.number, said.rows
    );
    let rows = superuser
        .query(&sql, &[])
        .await
        .map_err(sql_failed(DOING))?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(rows
        .iter()
        .map(|row| (unsigned(row.get(0)), unsigned(row.get(1))))
        .collect())
}

/// Holds the log against what is there.
pub fn report(
    stand_in: &StandIn,
    log: &Log,
    moments: Moments,
    there: &BTreeMap<u64, u64>,
    steps: &[StepSpan],
) -> ApplicationReport {
    let Moments { disaster, end, .. } = moments;
    ApplicationReport {
        name: stand_in.name.to_string(),
        writes: writes(log, moments, there),
        recovered_at: recovered_at(log, disaster),
        reads: log.reads.len() as u64,
        no_writes: gaps(&log.no_writes, end, steps),
        no_reads: gaps(&log.no_reads, end, steps),
    }
}

/// From its first commit on another server on, the application is on what was recovered, wherever it goes then.
fn recovered_at(log: &Log, disaster: Timestamp) -> Option<Timestamp> {
    let struck = log
        .writes
        .iter()
        .rfind(|write| write.acknowledged && write.at <= disaster)
        .map(|write| write.server.as_str());
    log.writes
        .iter()
        .find(|write| write.acknowledged && Some(write.server.as_str()) != struck)
        .map(|write| write.at)
}

fn writes(log: &Log, moments: Moments, there: &BTreeMap<u64, u64>) -> Writes {
    let Moments {
        instant, disaster, ..
    } = moments;
    let mut before_instant = Survival::default();
    let mut told = Writes::default();
    let recovered = recovered_at(log, disaster);
    for write in &log.writes {
        let is_there = there.contains_key(&write.number);
        let after = recovered.is_some_and(|recovered| write.at >= recovered);
        let kind = if !write.acknowledged {
            &mut told.unknown
        } else if after {
            &mut told.after_recovery
        } else if instant.is_some_and(|instant| write.at <= instant) {
            &mut before_instant
        } else if write.at <= disaster {
            &mut told.before_disaster
        } else {
            &mut told.until_recovery
        };
        kind.writes += 1;
        kind.there += u64::from(is_there);
        if write.acknowledged && after && !is_there && told.missing.len() < NAMED {
            told.missing.push(write.number);
        }
    }
    told.before_instant = instant.map(|_| before_instant);
    told.doubled = there
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(number, _)| *number)
        .take(NAMED)
        .collect();
    told
}

fn gaps(interruptions: &[Interruption], end: Timestamp, steps: &[StepSpan]) -> Gaps {
    let gaps: Vec<Gap> = interruptions
        .iter()
        .map(|one| {
            let span = Span::of(one, end);
            Gap {
                seconds: rounded(span.seconds()),
                over: one.until.is_some(),
                reason: one.reason.clone(),
                steps: steps
                    .iter()
                    .map(|step| (step, rounded(span.overlap(step.span))))
                    .filter(|(_, seconds)| *seconds > 0.0)
                    .map(|(step, seconds)| GapStep {
                        runbook: step.runbook.clone(),
                        step: step.step.clone(),
                        seconds,
                    })
                    .collect(),
            }
        })
        .collect();
    Gaps {
        seconds: rounded(gaps.iter().map(|gap| gap.seconds).sum()),
        longest_seconds: gaps.iter().map(|gap| gap.seconds).fold(0.0, f64::max),
        gaps,
    }
}

/// What it could do during a run.
pub fn during(log: &Log, run: Span, end: Timestamp) -> RunTraffic {
    let without = |interruptions: &[Interruption]| {
        rounded(
            interruptions
                .iter()
                .map(|one| Span::of(one, end).overlap(run))
                .sum(),
        )
    };
    let count = |mut times: Box<dyn Iterator<Item = Timestamp> + '_>| {
        times.by_ref().filter(|at| run.holds(*at)).count() as u64
    };
    let acknowledged = log.writes.iter().filter(|write| write.acknowledged);
    RunTraffic {
        writes: count(Box::new(acknowledged.map(|write| write.at))),
        reads: count(Box::new(log.reads.iter().copied())),
        no_writes_seconds: without(&log.no_writes),
        no_reads_seconds: without(&log.no_reads),
    }
}

/// To the millisecond.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbk_sandbox::Write;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn write(number: u64, second: i64, server: &str, acknowledged: bool) -> Write {
        Write {
            number,
            at: at(second),
            server: server.to_owned(),
            acknowledged,
        }
    }

    /// Two before the disaster, one behind it, two on the recovery, two back on the original.
    fn log() -> Vec<Write> {
        vec![
            write(1, 1, "original:5432", true),
            write(2, 2, "original:5432", true),
            write(3, 11, "original:5432", true),
            write(4, 12, "original:5432", false),
            write(5, 20, "recovery:5432", true),
            write(6, 21, "recovery:5432", true),
            write(7, 30, "original:5432", true),
            write(8, 31, "original:5432", false),
        ]
    }

    #[test]
    fn what_was_acknowledged_after_the_recovery_must_be_there_wherever_it_was() {
        let log = Log {
            writes: log(),
            ..Log::default()
        };
        let there = [(1, 1), (5, 1), (7, 2), (8, 1)].into();
        let moments = Moments {
            instant: None,
            disaster: at(10),
            end: at(40),
        };
        let told = writes(&log, moments, &there);
        let of = |writes, there| Survival { writes, there };
        assert_eq!(told.before_disaster, of(2, 1));
        assert_eq!(told.until_recovery, of(1, 0));
        assert_eq!(told.after_recovery, of(3, 2));
        assert_eq!(told.unknown, of(2, 1));
        assert_eq!(told.missing, [6]);
        assert_eq!(told.doubled, [7]);
        assert_eq!(told.before_instant, None);
        let moments = Moments {
            instant: Some(at(1)),
            ..moments
        };
        let told = writes(&log, moments, &there);
        assert_eq!(told.before_instant, Some(of(1, 1)));
        assert_eq!(told.before_disaster, of(1, 0));
    }

    #[test]
    fn a_gap_is_told_by_the_steps_that_it_lasted_for() {
        let step = |step: &str, from, to| StepSpan {
            runbook: "Quick recovery".to_owned(),
            step: step.to_owned(),
            span: Span {
                from: at(from),
                to: at(to),
            },
        };
        let steps = [step("Restore", 0, 10), step("Switch", 10, 14)];
        let interruptions = [
            Interruption {
                since: at(8),
                until: Some(at(13)),
                reason: "the server is gone".to_owned(),
            },
            Interruption {
                since: at(20),
                until: None,
                reason: "frozen".to_owned(),
            },
        ];
        let told = gaps(&interruptions, at(21), &steps);
        let parts: Vec<(&str, f64)> = told.gaps[0]
            .steps
            .iter()
            .map(|part| (part.step.as_str(), part.seconds))
            .collect();
        assert_eq!(parts, [("Restore", 2.0), ("Switch", 3.0)]);
        assert_eq!((told.longest_seconds, told.seconds), (5.0, 6.0));
        assert!(told.gaps[1].steps.is_empty() && !told.gaps[1].over);
    }
}
