//! `rbk plan FILE`

use super::{online, plan_diff, saved, unwritten};
use crate::cli::{PlanArgs, PlanFormat};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::{self, diagnostics};
use rbk_core::plan::saved::SavedPlan;
use rbk_core::plan::{Plan, Risk};
use rbk_core::shell::shell_word;
use std::path::Path;

/// Prints every action in order, or what a change does to them, and performs none.
pub fn plan(screen: Screen, args: &PlanArgs) -> Result<Exit, Failure> {
    let given = Given::new(&args.set.set)?;
    if let Some(saved) = saved::recognise(&args.file)? {
        return show_saved(screen, args, &given, &saved);
    }
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
    // Saved first: it is there also where what is shown next can't be written. Told last, behind what may be long.
    let told = match &args.out {
        Some(out) => saved::save(screen, &loaded, args, out)?,
        None => Vec::new(),
    };
    let exit = show(screen, args, &given, plan)?;
    for line in told {
        screen.say(line);
    }
    // The process ends here: taking the tree and the plan of a long runbook apart first would take a tenth of its time.
    std::mem::forget(loaded);
    Ok(exit)
}

/// Shows a saved plan as it would be performed.
fn show_saved(
    screen: Screen,
    args: &PlanArgs,
    given: &Given,
    saved: &SavedPlan,
) -> Result<Exit, Failure> {
    if args.out.is_some() {
        return Err(Failure::usage(
            "`--out` saves the plan of a runbook, and this is a saved plan",
        )
        .help("copy the file; or plan its runbook again"));
    }
    if let Some(base) = args.diff.as_ref().filter(|base| !Path::new(base).is_file()) {
        return Err(Failure::usage(format!(
            "`--diff {base}` is no file, and a saved plan is compared with saved plans only"
        ))
        .help(format!(
            "compare its runbook with a revision: `rbk plan {} --diff {}`",
            shell_word(&saved.plan.runbook.file),
            shell_word(base)
        )));
    }
    saved::agree(saved, args.environment.env.as_deref())?;
    saved::tell(screen, saved)?;
    let plan = saved::bind(&saved.plan, &args.set.set)?;
    show(screen, args, given, &plan)
}

fn show(screen: Screen, args: &PlanArgs, given: &Given, plan: &Plan) -> Result<Exit, Failure> {
    if args.online {
        return online::look(screen, args, plan);
    }
    let (text, differs) = match &args.diff {
        Some(base) => {
            let diff = plan_diff::compare(screen, args, given, base, plan)?;
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
    Ok(detailed(args, differs))
}

/// 2 where that is asked for and there is something.
pub(super) fn detailed(args: &PlanArgs, is_something: bool) -> Exit {
    if args.detailed_exitcode && is_something {
        Exit::HoldsActions
    } else {
        Exit::Done
    }
}

/// Whether anything is created, changed or destroyed.
pub(super) fn has_effects(plan: &Plan) -> bool {
    let mut actions = plan.steps.iter().flat_map(|step| &step.actions);
    actions.any(|planned| planned.risk > Risk::Reads)
}
