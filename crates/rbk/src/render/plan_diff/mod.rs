//! What a change does to the actions, for the terminal.

mod words;

pub use words::{
    change_words, nothing, origin_words, path_words, planned, preflight_words, step_words, total,
    value_words,
};

use super::colour::{Paint, printable};
use super::plan::risk_word;
use rbk_core::plan::diff::{
    ActionChange, PlanDiff, PreflightChange, StepChange, StepFate, ValueChange,
};
use rbk_core::plan::{Action, Bound, PlannedAction};
use std::fmt::Write;

/// Draws all that differs.
pub fn human(diff: &PlanDiff, paint: Paint) -> String {
    let mut sheet = Sheet {
        paint,
        out: String::new(),
    };
    sheet.title(diff);
    if !diff.differs {
        sheet.line("");
        sheet.line(paint.green(words::nothing(diff)));
        return sheet.out;
    }
    sheet.risks(diff);
    sheet.values("Environment", &diff.environment);
    sheet.values("Parameters", &diff.parameters);
    sheet.values("What the lock file says", &diff.catalogs);
    sheet.preflight(&diff.preflight);
    for step in &diff.steps {
        sheet.step(step);
    }
    sheet.actions("On failure", &diff.on_failure);
    sheet.actions("Removed if the run fails", &diff.cleanup);
    sheet.values("Replications", &diff.replications);
    sheet.values("What the deployed stack must say", &diff.stack);
    sheet.values("Elsewhere in the plan", &diff.other);
    sheet.line("");
    sheet.line(paint.bold(words::total(diff)));
    sheet.out
}

struct Sheet {
    paint: Paint,
    out: String,
}

impl Sheet {
    fn line(&mut self, text: impl std::fmt::Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.out, "{text}");
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        self.line(self.paint.bold(text));
    }

    fn title(&mut self, diff: &PlanDiff) {
        self.line(self.paint.bold(printable(&diff.head.title)));
        self.line(printable(&origin_words(diff)));
    }

    fn risks(&mut self, diff: &PlanDiff) {
        if diff.risks.is_empty() {
            return;
        }
        self.heading("Look at this first");
        for risk in &diff.risks {
            let text = printable(&risk.text);
            let at = risk.action.as_ref().map_or_else(String::new, |id| {
                self.paint
                    .dim(format_args!("  [{}]", printable(id.as_str())))
            });
            let line = if risk.worse {
                format!("  {} {text}{at}", self.paint.red("!"))
            } else {
                format!("  {} {text}{at}", self.paint.green("✓"))
            };
            self.line(line);
        }
    }

    fn values(&mut self, heading: &str, changes: &[ValueChange]) {
        if changes.is_empty() {
            return;
        }
        self.heading(heading);
        for change in changes {
            self.value("  ", change);
        }
    }

    fn value(&mut self, indent: &str, change: &ValueChange) {
        let path = printable(path_words(&change.path));
        let inner = format!("\n{indent}    ");
        let told = |value| printable(&value_words(&change.path, value)).replace('\n', &inner);
        let mark = self.paint.yellow("~");
        let line = match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!(
                "{indent}{mark} {path}: {} {} {}",
                self.paint.red(told(old)),
                self.paint.dim("→"),
                self.paint.green(told(new))
            ),
            (None, Some(new)) => format!(
                "{indent}{} {path}: {}",
                self.paint.green("+"),
                self.paint.green(told(new))
            ),
            (Some(old), None) => format!(
                "{indent}{} {path}: {}",
                self.paint.red("-"),
                self.paint.red(told(old))
            ),
            (None, None) => format!("{indent}{mark} {path}"),
        };
        self.line(line);
    }

    fn preflight(&mut self, changes: &[PreflightChange]) {
        if changes.is_empty() {
            return;
        }
        self.heading("Read and proven before the first effect");
        for change in changes {
            let text = printable(&preflight_words(change)).replace('\n', "\n    ");
            let mark = match change {
                PreflightChange::Added { .. } => self.paint.green("+"),
                PreflightChange::Removed { .. } => self.paint.red("-"),
                PreflightChange::Changed { .. } => self.paint.yellow("~"),
            };
            self.line(format_args!("  {mark} {text}"));
            if let PreflightChange::Changed { changes, .. } = change {
                for change in changes {
                    self.value("      ", change);
                }
            }
        }
    }

    fn step(&mut self, step: &StepChange) {
        self.heading(&printable(&step_words(step)));
        for change in &step.changes {
            self.value("  ", change);
        }
        for change in &step.actions {
            self.action(change);
        }
        if step.step != StepFate::Kept && step.actions.is_empty() {
            self.line(
                self.paint
                    .dim("  its actions are told where they stand now"),
            );
        }
    }

    fn actions(&mut self, heading: &str, changes: &[ActionChange]) {
        if changes.is_empty() {
            return;
        }
        self.heading(heading);
        for change in changes {
            self.action(change);
        }
    }

    fn action(&mut self, change: &ActionChange) {
        let paint = self.paint;
        let (mark, changes): (String, &[ValueChange]) = match change {
            ActionChange::Added { .. } => (paint.green("+"), &[]),
            ActionChange::Removed { .. } => (paint.red("-"), &[]),
            ActionChange::Moved { changes, .. } => (paint.cyan("»"), changes),
            ActionChange::Changed { changes, .. } => (paint.yellow("~"), changes),
        };
        let text = printable(&change_words(change)).replace('\n', "\n    ");
        self.line(format_args!("  {mark} {}", paint.bold(text)));
        self.about(words::planned(change));
        for change in changes {
            self.value("      ", change);
        }
    }

    fn about(&mut self, planned: &PlannedAction) {
        let bound = Bound::of([planned]);
        let id = printable(planned.id.as_str());
        let risk = match planned.action {
            Action::Approve { .. } | Action::Note { .. } => self.paint.magenta("? a person"),
            _ => risk_word(planned.risk, self.paint),
        };
        let about = self.paint.dim(format_args!(", {bound}  [{id}]"));
        self.line(format_args!("    {risk}{about}"));
    }
}
