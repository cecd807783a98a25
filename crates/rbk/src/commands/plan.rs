//! `rbk plan FILE`

use super::{online, plan_diff, saved, unwritten};
use crate::cli::{PlanArgs, PlanFormat};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{self, diagnostics};
use rbk_core::plan::diff::PlanDiff;
use rbk_core::plan::saved::SavedPlan;
use rbk_core::plan::{Plan, Risk};

/// Prints every action in order, or what a change does to them, and performs none.
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
    if let Some(out) = &args.out {
        saved::save(screen, &loaded, args, out)?;
    }
    if args.online {
        return online::look(screen, args, plan);
    }
    let exit = match &args.diff {
        Some(base) => {
            let diff = plan_diff::compare(screen, args, &given, base, plan)?;
            compared(screen, args, &diff, plan)?
        }
        None => shown(screen, args, plan)?,
    };
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
    match &args.diff {
        Some(base) => {
            let diff = plan_diff::compare_saved(base, &plan)?;
            compared(screen, args, &diff, &plan)
        }
        None => shown(screen, args, &plan),
    }
}

/// Prints a plan.
fn shown(screen: Screen, args: &PlanArgs, plan: &Plan) -> Result<Exit, Failure> {
    let text = match args.format {
        PlanFormat::Json => render::json_text(plan),
        PlanFormat::Human => render::plan::human(plan, screen.out),
        PlanFormat::Markdown => render::markdown::plan(plan),
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(exit_of(args, plan))
}

/// Prints what a change does to the actions.
fn compared(
    screen: Screen,
    args: &PlanArgs,
    diff: &PlanDiff,
    plan: &Plan,
) -> Result<Exit, Failure> {
    let text = match args.format {
        PlanFormat::Json => render::json_text(diff),
        PlanFormat::Human => render::plan_diff::human(diff, screen.out),
        PlanFormat::Markdown => render::markdown::diff(diff, plan),
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(if args.detailed_exitcode && diff.differs {
        Exit::HoldsActions
    } else {
        Exit::Done
    })
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
