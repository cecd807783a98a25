//! A plan for the reviewer: every action in order with its exact parameters, holes and approvals in plain sight.

mod documents;
mod parameters;
mod removal;
mod replication;
mod schema;

use super::colour::{Paint, printable};
use parameters::parameters;
use rbk_core::plan::{
    Action, AsOf, Dress, Expr, Origin, Plan, PlannedAction, Preflight, Risk, Wording,
};
use rbk_core::value::{Value, duration_text};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Draws the whole plan.
pub fn human(plan: &Plan, paint: Paint) -> String {
    human_seeing(plan, paint, &BTreeMap::new())
}

/// The same, with what its `let`s would be now, by name: `‹snap: latest snapshot of original = rds:… of 03:00›`.
pub fn human_seeing(plan: &Plan, paint: Paint, seen: &BTreeMap<String, String>) -> String {
    let mut sheet = Sheet {
        plan,
        paint,
        wording: Wording::seeing(plan, paint, seen),
        out: String::new(),
    };
    sheet.title();
    sheet.parameters();
    sheet.preflight();
    for step in &plan.steps {
        let heading = format!("Step \"{}\"", printable(step.path.as_str()));
        sheet.block(&heading, step.doc.as_deref(), &step.actions);
    }
    if !plan.on_failure.is_empty() {
        sheet.block("On failure", None, &plan.on_failure);
    }
    if !plan.cleanup.is_empty() {
        let doc = "Behind `on failure`, whatever became of it, so that nothing stays billed. What was never made is skipped.";
        sheet.block("Removed if the run fails", Some(doc), &plan.cleanup);
    }
    sheet.stack();
    sheet.total();
    sheet.out
}

/// Upper bounds of actions, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Seconds of what is bounded.
    pub seconds: u64,
    /// How many actions wait for a person, for as long as that takes.
    pub people: usize,
}

impl Bound {
    /// Adds them up.
    pub fn of<'a>(actions: impl IntoIterator<Item = &'a PlannedAction>) -> Self {
        actions
            .into_iter()
            .fold(Self::default(), |sum, planned| match planned.upper_bound {
                Some(seconds) => Self {
                    seconds: sum.seconds.saturating_add(seconds),
                    ..sum
                },
                None => Self {
                    people: sum.people + 1,
                    ..sum
                },
            })
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.seconds, self.people) {
            (0, 0) => f.write_str("at once"),
            (0, _) => f.write_str("as long as a person takes"),
            (seconds, 0) => write!(f, "at most {}", duration_text(seconds)),
            (seconds, _) => write!(
                f,
                "at most {} and as long as a person takes",
                duration_text(seconds)
            ),
        }
    }
}

/// The word for a risk, with its mark, painted.
pub fn risk_word(risk: Risk, paint: Paint) -> String {
    match risk {
        Risk::Reads => paint.dim("· reads"),
        Risk::Creates => paint.green("+ creates"),
        Risk::Changes => paint.yellow("~ changes"),
        Risk::Destroys => paint.red("- destroys"),
    }
}

struct Sheet<'a> {
    plan: &'a Plan,
    paint: Paint,
    wording: Wording<'a, Paint>,
    out: String,
}

/// How far an action's parameters are indented.
const INDENT: &str = "      ";

impl Sheet<'_> {
    fn line(&mut self, text: impl std::fmt::Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.out, "{text}");
    }

    fn title(&mut self) {
        let plan = self.plan;
        self.line(self.paint.bold(printable(&plan.runbook.title)));
        if let Some(doc) = &plan.runbook.doc {
            self.line(printable(doc));
        }
        self.line("");
        let hash = plan
            .runbook
            .sha256
            .get(..12)
            .unwrap_or(&plan.runbook.sha256);
        self.line(format_args!(
            "runbook      {} (sha256 {hash})",
            printable(&plan.runbook.file)
        ));
        for used in &plan.runbook.uses {
            let hash = used.sha256.get(..12).unwrap_or(&used.sha256);
            self.line(format_args!(
                "uses         {} (sha256 {hash})",
                printable(&used.file)
            ));
        }
        let environment = &plan.environment;
        self.line(format_args!(
            "environment  {}: account {}, region {}",
            self.paint.bold(printable(&environment.name)),
            self.paint.bold(&environment.account),
            self.paint.bold(&environment.region),
        ));
        if let Some(tunnel) = &environment.access.tunnel {
            self.line(format_args!(
                "access       {}",
                printable(&tunnel.join(" "))
            ));
        }
    }

    fn parameters(&mut self) {
        let rows: Vec<[String; 4]> = self
            .plan
            .parameters
            .iter()
            .map(|parameter| {
                [
                    parameter.name.clone(),
                    parameter.ty.to_string(),
                    match &parameter.value {
                        Some(value) => self.value(value),
                        None => self.paint.hole("given when it is run"),
                    },
                    origin(parameter.origin, &self.plan.environment.name),
                ]
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.heading("Parameters", "");
        for line in columns(&rows) {
            self.line(format_args!("  {line}"));
        }
    }

    /// A value, with the instance behind a database's name.
    fn value(&self, value: &Value) -> String {
        let text = self.wording.literal(value);
        match value {
            Value::Database(name) => match self.plan.environment.database(name) {
                Some(database) => format!("{text} (instance {})", database.instance),
                None => text,
            },
            _ => text,
        }
    }

    fn preflight(&mut self) {
        self.heading("Read and proven before the first effect", "");
        for preflight in &self.plan.preflight {
            let text = match preflight {
                Preflight::Identity { account, region } => {
                    format!("the credentials are of account {account}, the region is {region}")
                }
                Preflight::Absent { database, instance } => {
                    format!("there is no instance {instance} yet ({database})")
                }
                Preflight::SecretVersion { secret } => format!(
                    "the secret {secret} exists and isn't being rotated; its current version is remembered"
                ),
                Preflight::ActiveDatabase { application } => {
                    format!("which database {application} uses; remembered for `on failure`")
                }
                Preflight::Instance { database, instance } => {
                    format!("instance {instance} ({database}) is there; its identity is remembered")
                }
                Preflight::RestoreWindow {
                    database,
                    instance,
                    at,
                } => match at {
                    AsOf::Latest => format!(
                        "instance {instance} ({database}) can be restored to a point in time"
                    ),
                    AsOf::Time { at } => format!(
                        "instance {instance} ({database}) can be restored to {}",
                        self.wording.expr(at)
                    ),
                },
                Preflight::SnapshotAbsent { id } => {
                    format!("there is no snapshot {} yet", self.wording.template(id))
                }
                Preflight::ReplicationSubnetGroup { name } => {
                    format!("the DMS replication subnet group {name} is there")
                }
                Preflight::Catalog { database, scope } => schema::catalog_words(database, scope),
                Preflight::Observe { statement, .. } | Preflight::Require { statement, .. } => {
                    printable(statement)
                }
            };
            self.line(format_args!(
                "  {} {}",
                self.paint.dim("·"),
                indent(&text, "    ")
            ));
            if let Preflight::Require { condition, .. } = preflight {
                let condition = self.wording.expr(condition);
                self.line(self.paint.dim(format_args!("    that is: {condition}")));
            }
        }
    }

    fn block(&mut self, heading: &str, doc: Option<&str>, actions: &[PlannedAction]) {
        self.heading(heading, &Bound::of(actions).to_string());
        if let Some(doc) = doc {
            self.line(format_args!("  {}", indent(&printable(doc), "  ")));
        }
        let mut statement = None;
        for (index, planned) in actions.iter().enumerate() {
            // A statement of several actions is said once, above the first of them.
            if statement != Some(&planned.statement) {
                let text = printable(&planned.statement);
                self.line("");
                self.line(format_args!("  {}", self.paint.cyan(indent(&text, "  "))));
                statement = Some(&planned.statement);
            }
            self.action(index + 1, planned);
        }
    }

    fn action(&mut self, number: usize, planned: &PlannedAction) {
        let summary = printable(&planned.summary);
        let (mark, summary) = match &planned.action {
            Action::Approve { .. } | Action::Note { .. } => {
                let paint = self.paint;
                (paint.magenta("? a person"), paint.magenta(&summary))
            }
            _ => (
                risk_word(planned.risk, self.paint),
                self.paint.bold(&summary),
            ),
        };
        self.line(format_args!("  {number:>2}. {}", indent(&summary, INDENT)));
        let bound = planned.upper_bound.filter(|seconds| *seconds > 0);
        let bound = bound.map_or_else(String::new, |seconds| {
            format!(", at most {}", duration_text(seconds))
        });
        let id = printable(planned.id.as_str());
        self.line(format_args!(
            "{INDENT}{mark}{}",
            self.paint.dim(format_args!("{bound}  [{id}]"))
        ));
        let parameters: Vec<[String; 2]> = parameters(self.plan, &planned.action, &self.wording)
            .into_iter()
            .map(|(name, value)| [name.to_owned(), value])
            .collect();
        for line in columns(&parameters) {
            self.line(format_args!("{INDENT}  {}", indent(&line, INDENT)));
        }
    }

    fn stack(&mut self) {
        let rows: Vec<[String; 3]> = self
            .plan
            .stack
            .iter()
            .map(|value| {
                let known = match &value.expr {
                    Expr::Value(known) => self.wording.literal(known),
                    expr => format!("‹{}›", self.wording.expr(expr)),
                };
                [
                    printable(&value.setting),
                    known,
                    self.paint.dim(format_args!("({})", value.ty)),
                ]
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.heading("What the deployed stack must say, told at the end", "");
        for line in columns(&rows) {
            self.line(format_args!("  {line}"));
        }
    }

    fn total(&mut self) {
        let count = |wanted: Risk| {
            let actions = self.plan.steps.iter().flat_map(|step| &step.actions);
            actions.filter(|planned| planned.risk == wanted).count()
        };
        let parts: Vec<String> = [
            (Risk::Reads, "read"),
            (Risk::Creates, "create"),
            (Risk::Changes, "change"),
            (Risk::Destroys, "destroy"),
        ]
        .into_iter()
        .filter_map(|(risk, word)| {
            let count = count(risk);
            (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "s" } else { "" }))
        })
        .collect();
        let actions = self.plan.steps.iter().flat_map(|step| &step.actions);
        let (number, bound) = (actions.clone().count(), Bound::of(actions));
        self.line("");
        self.line(self.paint.bold(format_args!(
            "{number} action{}: {}. Takes {bound}.",
            if number == 1 { "" } else { "s" },
            if parts.is_empty() {
                "nothing to do".to_owned()
            } else {
                parts.join(", ")
            },
        )));
    }

    fn heading(&mut self, text: &str, aside: &str) {
        self.line("");
        if aside.is_empty() {
            self.line(self.paint.bold(text));
        } else {
            self.line(format_args!(
                "{}{}",
                self.paint.bold(text),
                self.paint.dim(format_args!(", {aside}"))
            ));
        }
    }
}

/// Continues a text of several lines under its first one.
fn indent(text: &str, by: &str) -> String {
    text.trim_end().replace('\n', &format!("\n{by}"))
}

/// Aligns all columns but the last.
fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

fn origin(origin: Origin, environment: &str) -> String {
    match origin {
        Origin::Given => "given with --set".to_owned(),
        Origin::Environment => format!("from environment {}", printable(environment)),
        Origin::Default => "the runbook's default".to_owned(),
        Origin::Open => "a hole".to_owned(),
    }
}

/// The shipped runbook's plan.
#[cfg(test)]
fn quick_recovery() -> Plan {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks/quick-recovery.rbk");
    let given = crate::load::Given::default();
    let loaded = crate::load::load(
        crate::render::colour::Screen::detect(),
        &file,
        None,
        &given,
        None,
    );
    loaded.unwrap().plan.unwrap()
}

#[cfg(test)]
mod tests;
