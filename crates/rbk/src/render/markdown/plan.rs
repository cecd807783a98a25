//! A plan for the reviewer of a pull request: what it does first, then everything.

use super::html::{clipped, code, pre, table};
use super::page::{Item, Section, assemble};
use super::{LINE, command, foot, mark};
use crate::render::colour::Paint;
use crate::render::plan::{columns, parameters, words};
use rbk_core::plan::{
    Action, Bound, Expr, FinalSnapshot, Origin, Plan, PlannedAction, Preflight, Risk, Step, Wording,
};

/// How many effects of a kind are named at the top; those that destroy are all named as far as there is room.
const NAMED: usize = 12;

/// Everything a plan says, within the bound of a comment.
pub fn plan(plan: &Plan) -> String {
    let sheet = Sheet {
        plan,
        wording: Wording::of(plan, Paint::new(false)),
    };
    let mut sections = vec![sheet.effects()];
    sections.extend(sheet.parameters());
    sections.push(sheet.preflight());
    sections.extend(
        plan.steps
            .iter()
            .enumerate()
            .map(|(at, step)| sheet.step(at + 1, step)),
    );
    let on_failure = sheet.block("<b>On failure</b>".to_owned(), "", None, &plan.on_failure);
    sections.extend(on_failure);
    let doc = "Behind on failure, whatever became of it, so that nothing stays billed. What was never made is skipped.";
    let cleanup = sheet.block(
        "<b>Removed if the run fails</b>".to_owned(),
        "",
        Some(doc),
        &plan.cleanup,
    );
    sections.extend(cleanup);
    sections.extend(sheet.stack());
    let elsewhere = command(&plan.runbook.file, &plan.environment.name, "");
    let foot = foot(&format!("The same in a terminal: {elsewhere}"));
    assemble(&sheet.head(), &sections, &foot, &elsewhere)
}

/// An action with all that is known of it, and in a line.
pub(super) fn action(
    plan: &Plan,
    wording: &Wording<'_, Paint>,
    number: Option<usize>,
    statement: Option<&str>,
    planned: &PlannedAction,
) -> Item {
    let number = number.map_or_else(String::new, |number| format!("{number}. "));
    let bound = match planned.upper_bound {
        Some(0) => String::new(),
        _ => format!(", {}", Bound::of([planned])),
    };
    let guards = words::guards(plan, wording, planned).map_or_else(String::new, |guards| {
        format!("<br>↳ {}", clipped(&guards, LINE))
    });
    let head = format!(
        "{number}<b>{}</b>: {}{bound} <sub>{}</sub>{guards}",
        mark(planned),
        clipped(&planned.summary, LINE),
        code(planned.id.as_str())
    );
    let rows: Vec<[String; 2]> = parameters(plan, &planned.action, wording)
        .into_iter()
        .map(|(name, value)| [name.to_owned(), value])
        .collect();
    // The first column says which, so that a value of several lines goes on below its first one.
    let parameters: Vec<String> = columns(&rows)
        .iter()
        .map(|line| line.replace('\n', "\n    "))
        .collect();
    let parameters = if parameters.is_empty() {
        String::new()
    } else {
        pre(&parameters.join("\n"))
    };
    let statement = statement.map_or_else(String::new, |text| format!("<li>{}</li>\n", pre(text)));
    Item {
        first: planned.risk == Risk::Destroys || matches!(planned.action, Action::Approve { .. }),
        full: format!("{statement}<ul><li>{head}\n{parameters}</li></ul>\n"),
        brief: format!("<ul><li>{head}</li></ul>\n"),
    }
}

struct Sheet<'a> {
    plan: &'a Plan,
    wording: Wording<'a, Paint>,
}

impl Sheet<'_> {
    fn head(&self) -> String {
        let plan = self.plan;
        let doc = plan.runbook.doc.as_ref().map_or_else(String::new, |doc| {
            format!("<p>{}</p>\n", clipped(doc, 4 * LINE))
        });
        let environment = &plan.environment;
        let short = |sha256: &str| code(sha256.get(..12).unwrap_or(sha256));
        let mut rows = vec![
            [
                "environment".to_owned(),
                format!(
                    "<b>{}</b>, account <b>{}</b>, region <b>{}</b>",
                    clipped(&environment.name, LINE),
                    code(&environment.account),
                    code(&environment.region)
                ),
            ],
            [
                "runbook".to_owned(),
                format!(
                    "{} (sha256 {})",
                    clipped(&plan.runbook.file, LINE),
                    short(&plan.runbook.sha256)
                ),
            ],
        ];
        let uses = plan.runbook.uses.iter().take(NAMED).map(|used| {
            [
                "uses".to_owned(),
                format!(
                    "{} (sha256 {})",
                    clipped(&used.file, LINE),
                    short(&used.sha256)
                ),
            ]
        });
        rows.extend(uses);
        let more = plan.runbook.uses.len().saturating_sub(NAMED);
        if more > 0 {
            rows.push(["uses".to_owned(), format!("… and {more} more files")]);
        }
        if let Some(tunnel) = &environment.access.tunnel {
            rows.push(["access".to_owned(), clipped(&tunnel.join(" "), LINE)]);
        }
        rows.push(["in all".to_owned(), words::count(plan)]);
        rows.push(["takes".to_owned(), Bound::of_steps(&plan.steps).to_string()]);
        let holes = plan.holes().count();
        if holes > 0 {
            rows.push([
                "holes".to_owned(),
                format!("{holes}, given when it is run (<code>--set</code>)"),
            ]);
        }
        format!(
            "<h2>Plan: {}</h2>\n{doc}{}\n",
            clipped(&plan.runbook.title, LINE),
            table(None, rows)
        )
    }

    /// What is created, changed and destroyed, and what people are asked, as a short table.
    fn effects(&self) -> Section {
        let actions = || {
            let steps = self.plan.steps.iter();
            steps.flat_map(|step| step.actions.iter().map(move |planned| (step, planned)))
        };
        let is_asked = |planned: &PlannedAction| matches!(planned.action, Action::Approve { .. });
        let mut items = Vec::new();
        for wanted in [
            Some(Risk::Destroys),
            None,
            Some(Risk::Creates),
            Some(Risk::Changes),
        ] {
            let of_kind: Vec<(&Step, &PlannedAction)> = actions()
                .filter(|(_, planned)| match wanted {
                    Some(risk) => planned.risk == risk && !is_asked(planned),
                    None => is_asked(planned),
                })
                .collect();
            let named = match wanted {
                Some(Risk::Destroys) => of_kind.len(),
                _ => NAMED,
            };
            let last = of_kind.get(named.min(of_kind.len())..).unwrap_or_default();
            for (step, planned) in of_kind.iter().take(named) {
                let row = format!(
                    "<tr><td>{}</td><td>{}{}</td><td>{}</td></tr>\n",
                    mark(planned),
                    clipped(&planned.summary, LINE / 2),
                    left_behind(planned),
                    clipped(step.path.as_str(), LINE / 4)
                );
                items.push(Item {
                    first: planned.risk == Risk::Destroys || is_asked(planned),
                    full: row.clone(),
                    brief: row,
                });
            }
            if let Some((_, planned)) = last.first() {
                items.push(Item::line(format!(
                    "<tr><td>{}</td><td>… and {} more, in the steps below</td><td></td></tr>\n",
                    mark(planned),
                    last.len()
                )));
            }
        }
        if items.is_empty() {
            return Section::plain("<p>It changes nothing: it only reads.</p>\n\n");
        }
        Section {
            open: "<table>\n<tr><th></th><th>what</th><th>step</th></tr>\n".to_owned(),
            items,
            close: "</table>\n\n".to_owned(),
            names: ("effect", "effects"),
        }
    }

    fn parameters(&self) -> Option<Section> {
        let environment = &self.plan.environment.name;
        let row = |parameter: &rbk_core::plan::Parameter| {
            let value = words::parameter(self.plan, &self.wording, Paint::new(false), parameter);
            let bounds = parameter
                .bounds
                .as_ref()
                .map_or_else(String::new, |bounds| {
                    format!("<br>where {}", clipped(&bounds.text, LINE))
                });
            let doc = parameter.doc.as_ref().map_or_else(String::new, |doc| {
                format!("<br><sub>{}</sub>", clipped(doc, LINE))
            });
            let hole = if parameter.origin == Origin::Open {
                "⬚ "
            } else {
                ""
            };
            let start = format!(
                "<tr><td>{}</td><td>{}</td><td>{hole}{}{bounds}</td><td>{}",
                code(&parameter.name),
                parameter.ty,
                clipped(&value, LINE),
                code(&words::origin(parameter.origin, environment)),
            );
            Item {
                first: parameter.origin == Origin::Open,
                full: format!("{start}{doc}</td></tr>\n"),
                brief: format!("{start}</td></tr>\n"),
            }
        };
        let items: Vec<Item> = self.plan.parameters.iter().map(row).collect();
        (!items.is_empty()).then(|| Section {
            open: "<h3>Parameters</h3>\n<table>\n<tr><th>name</th><th>type</th><th>value</th><th>from</th></tr>\n"
                .to_owned(),
            items,
            close: "</table>\n\n".to_owned(),
            names: ("parameter", "parameters"),
        })
    }

    fn preflight(&self) -> Section {
        let items: Vec<Item> = self
            .plan
            .preflight
            .iter()
            .map(|preflight| {
                let text = clipped(&words::preflight(&self.wording, preflight), LINE);
                let meaning = match preflight {
                    Preflight::Require { condition, .. } => format!(
                        "<br><sub>that is: {}</sub>",
                        clipped(&self.wording.expr(condition), LINE)
                    ),
                    _ => String::new(),
                };
                Item {
                    first: matches!(preflight, Preflight::Require { .. }),
                    full: format!("<li>{text}{meaning}</li>\n"),
                    brief: format!("<li>{text}</li>\n"),
                }
            })
            .collect();
        let count = items.len();
        Section {
            open: format!(
                "<details><summary>Read and proven before the first effect: <b>{count}</b></summary>\n<ul>\n"
            ),
            items,
            close: "</ul>\n</details>\n\n".to_owned(),
            names: ("precondition", "preconditions"),
        }
    }

    fn step(&self, number: usize, step: &Step) -> Section {
        let destroys = step.actions.iter().any(|it| it.risk == Risk::Destroys);
        let heading = format!(
            "{}<b>Step {number}: {}</b>",
            if destroys { "🔴 " } else { "" },
            clipped(step.path.as_str(), LINE)
        );
        let together = words::together(self.plan, step);
        let names: Vec<String> = together
            .iter()
            .map(|other| clipped(other.path.as_str(), LINE))
            .collect();
        let together = if names.is_empty() {
            String::new()
        } else {
            format!(", together with {}", names.join(" and "))
        };
        let block = self.block(heading, &together, step.doc.as_deref(), &step.actions);
        block.unwrap_or_else(|| Section::plain(""))
    }

    fn block(
        &self,
        heading: String,
        together: &str,
        doc: Option<&str>,
        actions: &[PlannedAction],
    ) -> Option<Section> {
        if actions.is_empty() {
            return None;
        }
        let doc = doc.map_or_else(String::new, |doc| {
            format!("<p>{}</p>\n", clipped(doc, 2 * LINE))
        });
        let mut said = None;
        let items: Vec<Item> = actions
            .iter()
            .enumerate()
            .map(|(index, planned)| {
                // A statement of several actions is said once, above the first of them.
                let statement =
                    (said != Some(&planned.statement)).then_some(planned.statement.as_str());
                said = Some(&planned.statement);
                action(
                    self.plan,
                    &self.wording,
                    Some(index + 1),
                    statement,
                    planned,
                )
            })
            .collect();
        Some(Section {
            open: format!(
                "<details><summary>{heading}: {} action{}, {}{together}</summary>\n{doc}<ul>\n",
                actions.len(),
                if actions.len() == 1 { "" } else { "s" },
                Bound::of(actions)
            ),
            items,
            close: "</ul>\n</details>\n\n".to_owned(),
            names: ("action", "actions"),
        })
    }

    fn stack(&self) -> Option<Section> {
        let rows = self.plan.stack.iter().map(|value| {
            let known = match &value.expr {
                Expr::Value(known) => self.wording.literal(known),
                expr => format!("‹{}›", self.wording.expr(expr)),
            };
            Item::line(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                clipped(&value.setting, LINE),
                clipped(&known, LINE),
                value.ty
            ))
        });
        let items: Vec<Item> = rows.collect();
        (!items.is_empty()).then(|| Section {
            open: "<details><summary>What the deployed stack must say, told at the end</summary>\n<table>\n".to_owned(),
            items,
            close: "</table>\n</details>\n\n".to_owned(),
            names: ("setting", "settings"),
        })
    }
}

/// What is left of what is destroyed.
fn left_behind(planned: &PlannedAction) -> &'static str {
    match &planned.action {
        Action::DestroyInstance {
            final_snapshot: FinalSnapshot::None,
            ..
        } => "<br><b>without a final snapshot</b>",
        Action::DestroyInstance { .. } => "<br>leaves a final snapshot",
        _ => "",
    }
}
