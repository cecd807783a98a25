//! What a rehearsal found: for people, and as one JSON document.

use super::compare::ComparedTable;
use crate::render::colour::{Paint, printable};
use crate::render::time;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// The version of the JSON document.
pub const VERSION: u32 = 1;

/// How a rehearsal came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The run is done, and the application has every row that was saved.
    Recovered,
    /// The run is done, and the data isn't what was saved.
    DataDiffers,
    /// The run failed.
    Failed,
    /// The run stopped and could be resumed.
    Stopped,
}

impl Outcome {
    fn words(self) -> &'static str {
        match self {
            Outcome::Recovered => "recovered: the application has every row that was saved",
            Outcome::DataDiffers => "the run is done, but the data is not what was saved",
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
    /// The runbook's title.
    pub runbook: String,
    /// The runbook's file.
    pub file: String,
    /// The environment.
    pub environment: String,
    /// What happened to the database.
    pub disaster: String,
    /// The run.
    pub run: String,
    /// The directory of its journal.
    pub journal: PathBuf,
    /// From the disaster to the end of the run; absent unless it recovered.
    pub rto_seconds: Option<f64>,
    /// From the time of the restored data to the disaster; absent unless it recovered.
    pub rpo_seconds: Option<f64>,
    /// Rows that were written after the snapshot, and are lost.
    pub rows_lost: u64,
    /// The database that the application uses now.
    pub database: Option<String>,
    /// How long each step took.
    pub steps: Vec<StepTime>,
    /// Every table.
    pub tables: Vec<ComparedTable>,
    /// What stopped the run.
    pub problem: Option<String>,
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
    let headline = format!(
        "Drill of \"{}\" in {}: {}",
        printable(&report.runbook),
        report.environment,
        report.outcome.words()
    );
    line(match report.outcome {
        Outcome::Recovered => paint.green(paint.bold(headline)),
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
    if let Some(rpo) = report.rpo_seconds {
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
    line(String::new());
    let width = report
        .steps
        .iter()
        .map(|step| step.name.chars().count())
        .max()
        .unwrap_or(0);
    for step in &report.steps {
        let padding = " ".repeat(width - step.name.chars().count());
        line(format!(
            "{}{padding}  {:>7}  {}",
            printable(&step.name),
            time::seconds(step.seconds),
            step.outcome
        ));
    }
    line(String::new());
    tables(&report.tables, paint, &mut line);
    line(format!("run        {}", report.run));
    line(format!("journal    {}", report.journal.display()));
    out
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
    line(String::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome) -> Report {
        let recovered = outcome == Outcome::Recovered;
        let table = |name: &str, rows_found: Option<u64>, checksum_equal| ComparedTable {
            name: name.to_owned(),
            rows_expected: 2000,
            rows_found,
            checksum_equal,
        };
        Report {
            version: VERSION,
            outcome,
            runbook: "Quick recovery".to_owned(),
            file: "quick-recovery.rbk".to_owned(),
            environment: "prod".to_owned(),
            disaster: "table public.embeddings of original is dropped, with all that depends on it"
                .to_owned(),
            run: "20261122t091500-1f3a9c02".to_owned(),
            journal: PathBuf::from("drills/1f3a9c02"),
            rto_seconds: recovered.then_some(12.34),
            rpo_seconds: recovered.then_some(1.5),
            rows_lost: 200,
            database: Some("recovery".to_owned()),
            steps: vec![
                StepTime {
                    name: "Restore".to_owned(),
                    seconds: 8.04,
                    outcome: "done".to_owned(),
                },
                StepTime {
                    name: "Switch the application".to_owned(),
                    seconds: 3.0,
                    outcome: "done".to_owned(),
                },
            ],
            tables: vec![
                table("public.documents", Some(2000), true),
                table(
                    "public.embeddings",
                    if recovered { Some(2000) } else { Some(0) },
                    recovered,
                ),
            ],
            problem: None,
        }
    }

    #[test]
    fn a_recovery_is_told_with_its_measures() {
        insta::assert_snapshot!(human(&report(Outcome::Recovered), Paint::new(false)));
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
