//! A plan for the reviewer: every action in order with its exact parameters, holes and approvals in plain sight.

mod documents;
mod parameters;
mod removal;
mod replication;
mod schema;
pub(super) mod words;

use super::colour::{Paint, printable};
pub(super) use parameters::parameters;
use rbk_core::plan::{Action, Bound, Expr, Plan, PlannedAction, Preflight, Risk, Wording};
use rbk_core::value::duration_text;
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
        let together = words::together_words(plan, step);
        sheet.block(&heading, &together, step.doc.as_deref(), &step.actions);
    }
    if !plan.on_failure.is_empty() {
        sheet.block("On failure", "", None, &plan.on_failure);
    }
    if !plan.cleanup.is_empty() {
        let doc = "Behind `on failure`, whatever became of it, so that nothing stays billed. What was never made is skipped.";
        sheet.block("Removed if the run fails", "", Some(doc), &plan.cleanup);
    }
    sheet.stack();
    sheet.total();
    sheet.out
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
                    words::parameter(self.plan, &self.wording, self.paint, parameter),
                    words::origin(parameter.origin, &self.plan.environment.name),
                ]
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.heading("Parameters", "");
        let bounds = self.plan.parameters.iter().map(|it| &it.bounds);
        for (line, bounds) in columns(&rows).into_iter().zip(bounds) {
            self.line(format_args!("  {line}"));
            if let Some(bounds) = bounds {
                let text = indent(&printable(&bounds.text), "    ");
                self.line(format_args!("    where {text}"));
            }
        }
    }

    fn preflight(&mut self) {
        self.heading("Read and proven before the first effect", "");
        for preflight in &self.plan.preflight {
            let text = words::preflight(&self.wording, preflight);
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

    fn block(
        &mut self,
        heading: &str,
        together: &str,
        doc: Option<&str>,
        actions: &[PlannedAction],
    ) {
        self.heading(heading, &format!("{}{together}", Bound::of(actions)));
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
        if let Some(guards) = words::guards(self.plan, &self.wording, planned) {
            self.line(format_args!("{INDENT}{}", self.paint.yellow(guards)));
        }
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
        let bound = Bound::of_steps(&self.plan.steps);
        self.line("");
        self.line(
            self.paint
                .bold(format_args!("{}. Takes {bound}.", words::count(self.plan))),
        );
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
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
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

/// The shipped runbook's plan.
#[cfg(test)]
pub fn quick_recovery() -> Plan {
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
