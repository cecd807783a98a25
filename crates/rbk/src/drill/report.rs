//! What a rehearsal found: for people, and as one JSON document.

use super::application::{ApplicationReport, Gaps, RunTraffic};
use super::compare::ComparedTable;
use super::proof::{Finding, Proof};
use crate::render::colour::{Paint, printable};
use crate::render::time;
use rbk_core::run::EndingKind;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// The version of the JSON document. 2: several runs, and a part for each database that was looked at. 3: what applications lived
/// through, of all and by run, and what is left in the account; outcomes `writes_lost` and `cut_off`. 4: the instant that was restored
/// to, writes before it, and the outcome `unchanged`.
pub const VERSION: u32 = 4;

/// How a rehearsal came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All runs are done, every row that was saved is there, and everything else is proven.
    Recovered,
    /// All runs are done, and nothing was changed, as it shall be.
    Unchanged,
    /// All runs are done, and the data isn't what was saved.
    DataDiffers,
    /// All runs are done and the data is what was saved, but something else of a database is not as it was.
    Unproven,
    /// All runs are done, and a write is gone that was acknowledged after the recovery.
    WritesLost,
    /// All runs are done, and the application can't write.
    CutOff,
    /// A run failed.
    Failed,
    /// A run stopped and could be resumed.
    Stopped,
}

impl Outcome {
    fn words(self) -> &'static str {
        match self {
            Outcome::Recovered => "recovered: the application has every row that was saved",
            Outcome::Unchanged => "done, and nothing was changed",
            Outcome::DataDiffers => "the run is done, but the data is not what was saved",
            Outcome::Unproven => "the data is what was saved, but a database is not as it was",
            Outcome::WritesLost => {
                "the run is done, but writes are gone that the application was promised"
            }
            Outcome::CutOff => "the run is done, but the application can't write",
            Outcome::Failed => "the run failed",
            Outcome::Stopped => "the run stopped before its end",
        }
    }
}

/// What a rehearsal found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The document's version.
    pub version: u32,
    /// How it came out.
    pub outcome: Outcome,
    /// The environment.
    pub environment: String,
    /// What happened to the database.
    pub disaster: String,
    /// From the disaster to the first write that a recovered database acknowledged, or to the end of the first run where nothing
    /// writes; absent unless it recovered.
    pub rto_seconds: Option<f64>,
    /// From the time of the restored data to the disaster; absent unless it recovered.
    pub rpo_seconds: Option<f64>,
    /// Rows that were written after the snapshot, and are lost.
    pub rows_lost: u64,
    /// The instant that was restored to, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<jiff::Timestamp>,
    /// The database that the application uses now.
    pub database: Option<String>,
    /// The runs, in order, up to the first that was not done.
    pub runs: Vec<RunReport>,
    /// What was looked at in the end: the database that is used, and those that were rebuilt.
    pub databases: Vec<DatabaseReport>,
    /// What applications lived through.
    pub applications: Vec<ApplicationReport>,
    /// What the runs have left in the account.
    pub account: Vec<Finding>,
    /// What stopped the last run.
    pub problem: Option<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The runbook's title.
    pub runbook: String,
    /// The runbook's file.
    pub file: String,
    /// The run.
    pub run: String,
    /// The directory of its journal.
    pub journal: PathBuf,
    /// How it ended.
    pub ending: EndingKind,
    /// How long it took.
    pub seconds: f64,
    /// How long each step took.
    pub steps: Vec<StepTime>,
    /// What the application could do meanwhile, where a stand-in writes and reads.
    pub application: Option<RunTraffic>,
}

/// What is there in a database now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseReport {
    /// Its name in the environment.
    pub name: String,
    /// Why it was looked at.
    pub role: Role,
    /// Every table, compared with the snapshot.
    pub tables: Vec<ComparedTable>,
    /// Everything else.
    pub proof: Proof,
}

impl DatabaseReport {
    /// Whether every row that was saved is there, and no other.
    pub fn is_equal(&self) -> bool {
        !self.tables.is_empty() && self.tables.iter().all(ComparedTable::is_equal)
    }
}

/// Why a database was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The application uses it.
    InUse,
    /// Rows were copied to it.
    Rebuilt,
}

impl Role {
    fn words(self) -> &'static str {
        match self {
            Role::InUse => "what the application uses now",
            Role::Rebuilt => "rebuilt",
        }
    }
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepTime {
    /// Its title.
    pub name: String,
    /// How long.
    pub seconds: f64,
    /// How it ended.
    pub outcome: String,
}

/// Draws the summary.
pub fn human(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{text}");
    };
    let runbooks: Vec<String> = report
        .runs
        .iter()
        .map(|run| format!("\"{}\"", printable(&run.runbook)))
        .collect();
    let headline = format!(
        "Drill of {} in {}: {}",
        runbooks.join(" and "),
        report.environment,
        report.outcome.words()
    );
    line(match report.outcome {
        Outcome::Recovered | Outcome::Unchanged => paint.green(paint.bold(headline)),
        _ => paint.red(headline),
    });
    if let Some(problem) = &report.problem {
        line(format!("  {}", printable(problem)));
    }
    line(String::new());
    line(format!("disaster   {}", printable(&report.disaster)));
    if let Some(rto) = report.rto_seconds {
        line(format!(
            "RTO        {} from the disaster to a healthy application",
            time::seconds(rto)
        ));
    }
    if let (Some(rpo), Some(as_of)) = (report.rpo_seconds, report.as_of) {
        line(format!(
            "RPO        {}: what was committed after {as_of} is lost, as the runbook accepts",
            time::seconds(rpo),
        ));
    } else if let Some(rpo) = report.rpo_seconds {
        line(format!(
            "RPO        {}: {} row{} written after the snapshot {} lost, as the runbook accepts",
            time::seconds(rpo),
            report.rows_lost,
            if report.rows_lost == 1 { "" } else { "s" },
            if report.rows_lost == 1 { "is" } else { "are" },
        ));
    }
    if let Some(database) = &report.database {
        line(format!(
            "database   {database} is what the application uses now"
        ));
    }
    let lived_through = match report.outcome {
        // Nothing happened to them.
        Outcome::Unchanged => &[],
        _ => report.applications.as_slice(),
    };
    for application in lived_through {
        line(String::new());
        lived(application, paint, &mut line);
    }
    for run in &report.runs {
        line(String::new());
        steps(run, report.runs.len() > 1, paint, &mut line);
    }
    for database in &report.databases {
        line(String::new());
        line(paint.bold(format!("{}, {}", database.name, database.role.words())));
        tables(&database.tables, paint, &mut line);
        proof(&database.proof, paint, &mut line);
    }
    if !report.account.is_empty() {
        line(String::new());
        line(paint.bold("the account"));
        for finding in &report.account {
            let text = format!("{}: {}", finding.what, printable(&finding.seen));
            line(if finding.holds { text } else { paint.red(text) });
        }
    }
    line(String::new());
    for run in &report.runs {
        line(format!("run        {}", run.run));
        line(format!("journal    {}", run.journal.display()));
    }
    out
}

fn steps(run: &RunReport, titled: bool, paint: Paint, line: &mut impl FnMut(String)) {
    if titled {
        line(paint.bold(format!(
            "{}  {}",
            printable(&run.runbook),
            time::seconds(run.seconds)
        )));
    }
    let width = run
        .steps
        .iter()
        .map(|step| step.name.chars().count())
        .max()
        .unwrap_or(0);
    for step in &run.steps {
        let padding = " ".repeat(width - step.name.chars().count());
        line(format!(
            "{}{padding}  {:>7}  {}",
            printable(&step.name),
            time::seconds(step.seconds),
            step.outcome
        ));
    }
    if let Some(traffic) = run.application.filter(|_| titled) {
        line(paint.dim(format!(
            "the application meanwhile: {} acknowledged writes, none for {}; {} reads, none for {}",
            traffic.writes,
            time::seconds(traffic.no_writes_seconds),
            traffic.reads,
            time::seconds(traffic.no_reads_seconds),
        )));
    }
}

/// What an application was promised, and how long it could not write or read.
fn lived(application: &ApplicationReport, paint: Paint, line: &mut impl FnMut(String)) {
    line(paint.bold(format!(
        "{}, which kept writing and reading",
        application.name
    )));
    let writes = &application.writes;
    let before = match writes.before_instant {
        Some(_) => "between the instant and the disaster",
        None => "before the disaster",
    };
    for (when, survival, bound) in writes
        .before_instant
        .map(|survival| ("before the instant", survival, true))
        .into_iter()
        .chain([
            (before, writes.before_disaster, false),
            ("until the recovery", writes.until_recovery, false),
            ("after the recovery", writes.after_recovery, true),
        ])
    {
        let text = format!(
            "{:>6} writes acknowledged {when}, {} of them there{}",
            survival.writes,
            survival.there,
            if bound {
                ": all must be"
            } else if survival.there < survival.writes {
                ": the rest is lost, as the runbook accepts"
            } else {
                ""
            }
        );
        line(if bound && survival.there < survival.writes {
            paint.red(text)
        } else {
            text
        });
    }
    if writes.unknown.writes > 0 {
        line(format!(
            "{:>6} writes never answered, {} of them there: either is right",
            writes.unknown.writes, writes.unknown.there
        ));
    }
    for broken in application.broken_promises() {
        line(paint.red(format!("  {}", printable(&broken))));
    }
    gaps("no writes", &application.no_writes, paint, line);
    gaps("no reads", &application.no_reads, paint, line);
}

fn gaps(what: &str, gaps: &Gaps, paint: Paint, line: &mut impl FnMut(String)) {
    if gaps.gaps.is_empty() {
        line(format!("{what:<9}  never longer than a moment"));
        return;
    }
    line(format!(
        "{what:<9}  for {} in all, {} at a time",
        time::seconds(gaps.seconds),
        time::seconds(gaps.longest_seconds),
    ));
    for gap in &gaps.gaps {
        let steps: Vec<String> = gap
            .steps
            .iter()
            .map(|part| format!("{} {}", printable(&part.step), time::seconds(part.seconds)))
            .collect();
        let during = if steps.is_empty() {
            String::new()
        } else {
            format!(" ({})", steps.join(", "))
        };
        let text = format!(
            "  {}{during}: {}{}",
            time::seconds(gap.seconds),
            printable(&gap.reason),
            if gap.over { "" } else { "; it lasts" },
        );
        line(if gap.over { text } else { paint.red(text) });
    }
}

/// A line for each kind of proof, and one for each thing that does not hold.
fn proof(proof: &Proof, paint: Paint, line: &mut impl FnMut(String)) {
    let kinds = [
        ("the next insert works", "sequences", &proof.next_inserts),
        (
            "every row refers to one",
            "foreign keys",
            &proof.foreign_keys,
        ),
        (
            "nearest neighbours are served",
            "indexes of vectors",
            &proof.nearest_neighbours,
        ),
    ];
    for (what, nouns, findings) in kinds {
        if findings.is_empty() {
            continue;
        }
        let good = findings.iter().filter(|finding| finding.holds).count();
        let text = format!("{what}: {good} of {} {nouns}", findings.len());
        line(if good == findings.len() {
            text
        } else {
            paint.red(text)
        });
    }
    line(if proof.drift.is_empty() {
        "schema: nothing differs from what it was before the disaster".to_owned()
    } else {
        paint.red("schema: it differs from what it was before the disaster")
    });
    for failure in proof.failures() {
        line(format!("  {}", printable(&failure)));
    }
}

fn tables(tables: &[ComparedTable], paint: Paint, line: &mut impl FnMut(String)) {
    if tables.is_empty() {
        return;
    }
    let width = tables
        .iter()
        .map(|table| table.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    line(paint.dim(format!(
        "{:<width$}  {:>8}  {:>8}  checksum",
        "table", "saved", "now"
    )));
    for table in tables {
        let found = table
            .rows_found
            .map_or_else(|| "none".to_owned(), |rows| rows.to_string());
        let checksum = if table.checksum_equal {
            paint.green("equal")
        } else {
            paint.red("differs")
        };
        line(format!(
            "{:<width$}  {:>8}  {found:>8}  {checksum}",
            table.name, table.rows_expected
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::application::{Gap, GapStep, Survival, Writes};

    fn table(name: &str, rows_found: Option<u64>, checksum_equal: bool) -> ComparedTable {
        ComparedTable {
            name: name.to_owned(),
            rows_expected: 2000,
            rows_found,
            checksum_equal,
        }
    }

    fn finding(what: &str, holds: bool, seen: &str) -> Finding {
        Finding {
            what: what.to_owned(),
            holds,
            seen: seen.to_owned(),
        }
    }

    fn run(runbook: &str, file: &str, steps: &[(&str, f64)]) -> RunReport {
        RunReport {
            runbook: runbook.to_owned(),
            file: file.to_owned(),
            run: "20261122t091500-1f3a9c02".to_owned(),
            journal: PathBuf::from("drills/1f3a9c02"),
            ending: EndingKind::Done,
            seconds: steps.iter().map(|(_, seconds)| seconds).sum(),
            steps: steps
                .iter()
                .map(|(name, seconds)| StepTime {
                    name: (*name).to_owned(),
                    seconds: *seconds,
                    outcome: "done".to_owned(),
                })
                .collect(),
            application: Some(RunTraffic {
                writes: 118,
                reads: 119,
                no_writes_seconds: 2.25,
                no_reads_seconds: 1.5,
            }),
        }
    }

    /// An application that lost what was accepted, and could not write while it was switched.
    fn lived_through() -> ApplicationReport {
        let survival = |writes, there| Survival { writes, there };
        let gap = |seconds| Gaps {
            seconds,
            longest_seconds: seconds,
            gaps: vec![Gap {
                seconds,
                over: true,
                reason: "can't log in at db:5432 (role \"sgpt_app\" is not permitted to log in)"
                    .to_owned(),
                steps: vec![GapStep {
                    runbook: "Quick recovery".to_owned(),
                    step: "Switch the application".to_owned(),
                    seconds,
                }],
            }],
        };
        ApplicationReport {
            name: "sgpt".to_owned(),
            writes: Writes {
                before_disaster: survival(12, 0),
                until_recovery: survival(80, 0),
                after_recovery: survival(26, 26),
                unknown: survival(1, 0),
                ..Writes::default()
            },
            recovered_at: Some("2026-11-22T09:15:12Z".parse().unwrap()),
            reads: 119,
            no_writes: gap(2.25),
            no_reads: gap(1.5),
        }
    }

    fn report(outcome: Outcome) -> Report {
        let recovered = outcome == Outcome::Recovered;
        Report {
            version: VERSION,
            outcome,
            environment: "prod".to_owned(),
            disaster: "table public.embeddings of original is dropped, with all that depends on it"
                .to_owned(),
            rto_seconds: recovered.then_some(12.34),
            rpo_seconds: recovered.then_some(1.5),
            rows_lost: 200,
            as_of: None,
            database: Some("recovery".to_owned()),
            runs: vec![run(
                "Quick recovery",
                "quick-recovery.rbk",
                &[("Restore", 8.04), ("Switch the application", 3.0)],
            )],
            databases: vec![DatabaseReport {
                name: "recovery".to_owned(),
                role: Role::InUse,
                tables: vec![
                    table("public.documents", Some(2000), true),
                    table(
                        "public.embeddings",
                        if recovered { Some(2000) } else { Some(0) },
                        recovered,
                    ),
                ],
                proof: Proof {
                    next_inserts: vec![finding(
                        "public.documents_id_seq",
                        true,
                        "the next row of public.documents got id 2001",
                    )],
                    ..Proof::default()
                },
            }],
            applications: vec![lived_through()],
            account: vec![finding(
                "DMS",
                true,
                "no endpoint, no replication config, no capacity that is billed",
            )],
            problem: None,
        }
    }

    /// Two runbooks, of which the second left something behind.
    fn rebuilt() -> Report {
        let mut report = report(Outcome::Unproven);
        report.runs.push(run(
            "Rebuild the schema",
            "rebuild-schema.rbk",
            &[("A clean schema", 6.5), ("Copy", 1.25)],
        ));
        report.databases.push(DatabaseReport {
            name: "original".to_owned(),
            role: Role::Rebuilt,
            tables: vec![table("public.documents", Some(2000), true)],
            proof: Proof {
                next_inserts: vec![
                    finding("public.documents_id_seq", true, "the next row got id 2001"),
                    finding(
                        "public.embeddings_id_seq",
                        false,
                        "duplicate key value violates unique constraint \"embeddings_pkey\"",
                    ),
                ],
                foreign_keys: vec![finding("embeddings_document_id_fkey", true, "none")],
                nearest_neighbours: vec![finding("public.embeddings_idx", true, "it serves")],
                drift: vec![
                    "- grant SELECT on public.embeddings to sgpt_app by postgres".to_owned(),
                ],
            },
        });
        report
    }

    #[test]
    fn several_runs_and_what_does_not_hold_are_told() {
        insta::assert_snapshot!(human(&rebuilt(), Paint::new(false)));
    }

    #[test]
    fn a_broken_promise_is_told_by_its_numbers() {
        let mut report = report(Outcome::WritesLost);
        let application = &mut report.applications[0];
        application.writes.after_recovery.there = 24;
        application.writes.missing = vec![101, 107];
        application.writes.doubled = vec![99];
        application.no_writes.gaps[0].over = false;
        insta::assert_snapshot!(human(&report, Paint::new(false)));
    }

    #[test]
    fn a_recovery_is_told_with_its_measures() {
        insta::assert_snapshot!(human(&report(Outcome::Recovered), Paint::new(false)));
    }

    #[test]
    fn a_restore_to_an_instant_is_told_by_it() {
        let mut report = report(Outcome::Recovered);
        report.as_of = Some("2026-11-22T09:15:00Z".parse().unwrap());
        report.rows_lost = 0;
        let writes = &mut report.applications[0].writes;
        writes.before_instant = Some(Survival {
            writes: 40,
            there: 40,
        });
        insta::assert_snapshot!(human(&report, Paint::new(false)));
    }

    #[test]
    fn a_difference_is_told_as_one() {
        insta::assert_snapshot!(human(&report(Outcome::DataDiffers), Paint::new(false)));
    }

    #[test]
    fn the_json_document_has_the_promised_keys() {
        insta::assert_snapshot!(crate::render::json_text(&report(Outcome::Recovered)));
    }
}
