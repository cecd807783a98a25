//! `rbk plan FILE`

use super::{online, saved, unwritten};
use crate::cli::{Format, PlanArgs};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{self, diagnostics};
use rbk_core::plan::saved::SavedPlan;
use rbk_core::plan::{Plan, Risk};

/// Prints every action in order, and performs none.
pub fn plan(screen: Screen, args: &PlanArgs) -> Result<Exit, Failure> {
    if let Some(saved) = saved::recognise(&args.file)? {
        return show(screen, args, &saved);
    }
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
    if let Some(out) = &args.out {
        saved::save(screen, &loaded, args, out)?;
    }
    if args.online {
        return online::look(screen, args, plan);
    }
    let text = match args.format.format {
        Format::Json => render::json_text(plan),
        Format::Human => render::plan::human(plan, screen.out),
    };
    screen.data(&text).map_err(unwritten)?;
    let exit = exit_of(args, plan);
    // The process ends here: taking the tree and the plan of a long runbook apart first would take a tenth of its time.
    std::mem::forget(loaded);
    Ok(exit)
}

/// Shows a saved plan as it would be performed.
fn show(screen: Screen, args: &PlanArgs, saved: &SavedPlan) -> Result<Exit, Failure> {
    if args.out.is_some() {
        return Err(Failure::usage(
            "`--out` saves the plan of a runbook, and this is a saved plan",
        )
        .help("copy the file; or plan its runbook again"));
    }
    saved::agree(saved, args.environment.env.as_deref())?;
    saved::tell(screen, saved)?;
    let plan = saved::bind(&saved.plan, &args.set.set)?;
    if args.online {
        return online::look(screen, args, &plan);
    }
    let text = match args.format.format {
        Format::Json => render::json_text(&plan),
        Format::Human => render::plan::human(&plan, screen.out),
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(exit_of(args, &plan))
}

/// 2 where that is asked for and the plan changes something.
pub(super) fn exit_of(args: &PlanArgs, plan: &Plan) -> Exit {
    if args.detailed_exitcode && has_effects(plan) {
        Exit::HoldsActions
    } else {
        Exit::Done
    }
}

/// Whether anything is created, changed or destroyed.
fn has_effects(plan: &Plan) -> bool {
    let mut actions = plan.steps.iter().flat_map(|step| &step.actions);
    actions.any(|planned| planned.risk > Risk::Reads)
}
