//! `rbk plan FILE`

use super::unwritten;
use crate::cli::{Format, PlanArgs};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{self, diagnostics};
use rbk_core::plan::{Plan, Risk};

/// Prints every action in order, and performs none.
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
        // A pipeline that asked for JSON gets its errors as JSON, too.
        match args.format.format {
            Format::Json => screen
                .data(&diagnostics::json(&[finding]))
                .map_err(unwritten)?,
            Format::Human => diagnostics::tell(screen, &[finding]),
        }
        return Ok(Exit::Wrong);
    };
    diagnostics::tell(screen, &[finding]);
    let text = match args.format.format {
        Format::Json => render::json_text(plan),
        Format::Human => render::plan::human(plan, screen.out),
    };
    screen.data(&text).map_err(unwritten)?;
    let exit = if args.detailed_exitcode && has_effects(plan) {
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
