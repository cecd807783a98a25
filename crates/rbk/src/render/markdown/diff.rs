//! What a change does to the actions, for the reviewer of a pull request.

use super::html::{clipped, code, table};
use super::page::{Item, Section, assemble};
use super::plan::action;
use super::{LINE, command, foot, mark};
use crate::render::colour::Paint;
use crate::render::plan_diff::{
    change_words, nothing, origin_words, path_words, planned, preflight_words, step_words, total,
    value_words,
};
use rbk_core::plan::diff::{ActionChange, PlanDiff, PreflightChange, StepChange, ValueChange};
use rbk_core::plan::{Plan, Risk, Wording};

/// All that differs, within the bound of a comment. `plan` is the new one.
pub fn diff(diff: &PlanDiff, plan: &Plan) -> String {
    let elsewhere = command(&diff.head.file, &diff.head.environment, " --diff BASE");
    let head = format!(
        "<h2>{}{}</h2>\n<p>{}</p>\n\n",
        if diff.base.is_none() {
            "New runbook: "
        } else {
            "What changes: "
        },
        clipped(&diff.head.title, LINE),
        clipped(&origin_words(diff), LINE)
    );
    let foot = foot(&format!("The same in a terminal: {elsewhere}"));
    if !diff.differs {
        let text = format!("<p>✅ {}</p>\n\n", nothing(diff));
        return assemble(&head, &[Section::plain(text)], &foot, &elsewhere);
    }
    let sheet = Sheet {
        plan,
        wording: Wording::of(plan, Paint::new(false)),
    };
    let mut sections = vec![Section::plain(format!("<p><b>{}</b></p>\n\n", total(diff)))];
    sections.extend(risks(diff));
    sections.extend(values("Environment", &diff.environment));
    sections.extend(values("Parameters", &diff.parameters));
    sections.extend(values("What the lock file says", &diff.catalogs));
    sections.extend(preflight(&diff.preflight));
    sections.extend(diff.steps.iter().map(|step| sheet.step(step)));
    sections.extend(sheet.actions("On failure", &diff.on_failure));
    sections.extend(sheet.actions("Removed if the run fails", &diff.cleanup));
    sections.extend(values("Replications", &diff.replications));
    sections.extend(values("What the deployed stack must say", &diff.stack));
    sections.extend(values("Elsewhere in the plan", &diff.other));
    assemble(&head, &sections, &foot, &elsewhere)
}

fn risks(diff: &PlanDiff) -> Option<Section> {
    let items: Vec<Item> = diff
        .risks
        .iter()
        .map(|risk| {
            let sign = if risk.worse { "⚠️" } else { "✅" };
            let line = format!("<li>{sign} {}</li>\n", clipped(&risk.text, LINE));
            Item {
                first: risk.worse,
                full: line.clone(),
                brief: line,
            }
        })
        .collect();
    (!items.is_empty()).then(|| Section {
        open: "<h3>Look at this first</h3>\n<ul>\n".to_owned(),
        items,
        close: "</ul>\n\n".to_owned(),
        names: ("risk", "risks"),
    })
}

fn row(change: &ValueChange) -> [String; 3] {
    let side = |value: &Option<serde_json::Value>| {
        value.as_ref().map_or_else(String::new, |value| {
            clipped(&value_words(&change.path, value), 2 * LINE)
        })
    };
    [
        clipped(path_words(&change.path), LINE),
        side(&change.old),
        side(&change.new),
    ]
}

fn values(heading: &str, changes: &[ValueChange]) -> Option<Section> {
    let items: Vec<Item> = changes
        .iter()
        .map(|change| {
            let [path, old, new] = row(change);
            Item::line(format!(
                "<tr><td>{path}</td><td>{old}</td><td>{new}</td></tr>\n"
            ))
        })
        .collect();
    (!items.is_empty()).then(|| Section {
        open: format!(
            "<h3>{heading}</h3>\n<table>\n<tr><th></th><th>before</th><th>now</th></tr>\n"
        ),
        items,
        close: "</table>\n\n".to_owned(),
        names: ("value", "values"),
    })
}

/// A table of what differs of one thing.
fn inner(changes: &[ValueChange]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let heads = Some(["", "before", "now"]);
    table(heads, changes.iter().map(row))
}

fn preflight(changes: &[PreflightChange]) -> Option<Section> {
    let items: Vec<Item> = changes
        .iter()
        .map(|change| {
            let (sign, changes): (&str, &[ValueChange]) = match change {
                PreflightChange::Added { .. } => ("➕ now", &[]),
                PreflightChange::Removed { .. } => ("➖ no longer", &[]),
                PreflightChange::Changed { changes, .. } => ("✏️ changed:", changes),
            };
            let line = format!("<li>{sign} {}", clipped(&preflight_words(change), LINE));
            Item {
                first: false,
                full: format!("{line}\n{}</li>\n", inner(changes)),
                brief: format!("{line}</li>\n"),
            }
        })
        .collect();
    (!items.is_empty()).then(|| Section {
        open: "<h3>Read and proven before the first effect</h3>\n<ul>\n".to_owned(),
        items,
        close: "</ul>\n\n".to_owned(),
        names: ("precondition", "preconditions"),
    })
}

struct Sheet<'a> {
    plan: &'a Plan,
    wording: Wording<'a, Paint>,
}

impl Sheet<'_> {
    fn step(&self, step: &StepChange) -> Section {
        let whole = inner(&step.changes);
        Section {
            open: format!(
                "<h3>{}</h3>\n{whole}{}",
                clipped(&step_words(step), LINE),
                if step.actions.is_empty() {
                    ""
                } else {
                    "<ul>\n"
                }
            ),
            items: step.actions.iter().map(|it| self.item(it)).collect(),
            close: if step.actions.is_empty() {
                "\n"
            } else {
                "</ul>\n\n"
            }
            .to_owned(),
            names: ("change", "changes"),
        }
    }

    fn actions(&self, heading: &str, changes: &[ActionChange]) -> Option<Section> {
        (!changes.is_empty()).then(|| Section {
            open: format!("<h3>{heading}</h3>\n<ul>\n"),
            items: changes.iter().map(|it| self.item(it)).collect(),
            close: "</ul>\n\n".to_owned(),
            names: ("change", "changes"),
        })
    }

    fn item(&self, change: &ActionChange) -> Item {
        let planned = planned(change);
        let line = |sign: &str| {
            format!(
                "<li>{sign} <b>{}</b>: {} <sub>{}</sub>",
                mark(planned),
                clipped(&change_words(change), LINE),
                code(planned.id.as_str())
            )
        };
        let first = planned.risk == Risk::Destroys;
        match change {
            ActionChange::Added { .. } => {
                let statement = Some(planned.statement.as_str());
                let details = action(self.plan, &self.wording, None, statement, planned).full;
                let line = line("➕ new:");
                Item {
                    first,
                    full: format!(
                        "{line}\n<details><summary>all of it</summary>\n<ul>\n{details}</ul>\n</details></li>\n"
                    ),
                    brief: format!("{line}</li>\n"),
                }
            }
            ActionChange::Removed { .. } => {
                let line = format!("{}</li>\n", line("➖ gone:"));
                Item {
                    first,
                    full: line.clone(),
                    brief: line,
                }
            }
            ActionChange::Moved { changes, .. } | ActionChange::Changed { changes, .. } => {
                let sign = match change {
                    ActionChange::Moved { .. } => "↕️ moved:",
                    _ => "✏️ changed:",
                };
                let line = line(sign);
                Item {
                    first,
                    full: format!("{line}\n{}</li>\n", inner(changes)),
                    brief: format!("{line}</li>\n"),
                }
            }
        }
    }
}
