//! `rbk plan FILE`

use super::{plan_diff, unwritten};
use crate::cli::{PlanArgs, PlanFormat};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{self, diagnostics};
use rbk_core::plan::{Plan, Risk};

/// Prints every action in order, or what a change does to them, and performs none.
pub fn plan(screen: Screen, args: &PlanArgs) -> Result<Exit, Failure> {
    let given = Given::new(&args.set.set)?;
    let loaded = load(
        screen,
        &args.file,
        args.environment.env.as_deref(),
        &given,
        None,
    )?;
    let finding = loaded.finding();
    let Some(plan) = &loaded.plan else {
        // A pipeline that asked for a document gets its errors as one, too.
        match args.format {
            PlanFormat::Json => screen
                .data(&diagnostics::json(&[finding]))
                .map_err(unwritten)?,
            PlanFormat::Markdown => {
                let text = render::markdown::wrong(&args.file, &finding);
                screen.data(&text).map_err(unwritten)?;
                diagnostics::tell(screen, &[finding]);
            }
            PlanFormat::Human => diagnostics::tell(screen, &[finding]),
        }
        return Ok(Exit::Wrong);
    };
    diagnostics::tell(screen, &[finding]);
    let (text, differs) = match &args.diff {
        Some(base) => {
            let diff = plan_diff::compare(screen, args, &given, base, plan)?;
            let text = match args.format {
                PlanFormat::Json => render::json_text(&diff),
                PlanFormat::Human => render::plan_diff::human(&diff, screen.out),
                PlanFormat::Markdown => render::markdown::diff(&diff, plan),
            };
            (text, diff.differs)
        }
        None => {
            let text = match args.format {
                PlanFormat::Json => render::json_text(plan),
                PlanFormat::Human => render::plan::human(plan, screen.out),
                PlanFormat::Markdown => render::markdown::plan(plan),
            };
            (text, has_effects(plan))
        }
    };
    screen.data(&text).map_err(unwritten)?;
    let exit = if args.detailed_exitcode && differs {
        Exit::HoldsActions
    } else {
        Exit::Done
    };
    // The process ends here: taking the tree and the plan of a long runbook apart first would take a tenth of its time.
    std::mem::forget(loaded);
    Ok(exit)
}

/// Whether anything is created, changed or destroyed.
fn has_effects(plan: &Plan) -> bool {
    let mut actions = plan.steps.iter().flat_map(|step| &step.actions);
    actions.any(|planned| planned.risk > Risk::Reads)
}
