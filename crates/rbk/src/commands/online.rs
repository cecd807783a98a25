//! `rbk plan --online`: what the account says about a plan. Reads, and changes nothing.

use super::plan::{detailed, has_effects};
use super::{block_on, unwritten};
use crate::adapters::person::Approver;
use crate::cli::{PlanArgs, PlanFormat};
use crate::exit::{Exit, Failure};
use crate::overlay;
use crate::render::colour::Screen;
use crate::render::{self, json_text, online};
use crate::wiring;
use rbk_core::plan::Plan;
use rbk_core::run::{NotSeen, Online, look_further};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Looks ahead of a run of that plan, and tells what it found beside the plan. What was saved with `--out` is the plan without it.
pub fn look(screen: Screen, args: &PlanArgs, plan: &Plan) -> Result<Exit, Failure> {
    let mut looked_at = plan.clone();
    if let Some(overlay) = overlay::from_variables(screen)? {
        overlay.apply_to_plan(&mut looked_at);
    }
    let found = block_on_result(see(screen, &looked_at))?;
    let text = match args.format {
        PlanFormat::Json => json_text(&online::Document::new(plan, &found)),
        PlanFormat::Markdown => format!(
            "{}\n{}",
            render::markdown::plan(plan),
            online::markdown(&found)
        ),
        PlanFormat::Human => {
            let seen: BTreeMap<String, String> = found
                .bound()
                .map(|bound| (bound.name.clone(), bound.text.clone()))
                .collect();
            let plan = render::plan::human_seeing(plan, screen.out, &seen);
            format!("{plan}\n{}", online::human(&found, screen.out))
        }
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(if found.stops() {
        Exit::Failed
    } else if found.is_blind() {
        Exit::Outside
    } else {
        detailed(args, has_effects(plan))
    })
}

fn block_on_result(work: impl Future<Output = Result<Online, Failure>>) -> Result<Online, Failure> {
    let mut found = None;
    block_on(async {
        found = Some(work.await?);
        Ok(Exit::Done)
    })?;
    found.ok_or_else(|| Failure::new(Exit::Bug, "looking ahead came to nothing"))
}

async fn see(screen: Screen, plan: &Plan) -> Result<Online, Failure> {
    let environment = &plan.environment;
    // Nobody is asked anything: no look asks.
    let person = Approver::new(screen, Vec::new(), false, environment.name.clone());
    let world = wiring::world(environment, wiring::aws_of(environment), Arc::new(person)).await?;
    let mut online = look_further(&world, plan).await;
    let ambient = wiring::ambient_addresses(environment);
    if !ambient.is_empty() {
        online.unseen.push(NotSeen {
            what: format!("the databases that {} name", ambient.join(", ")),
            why: format!(
                "rbk ignores these variables: databases are those of environment {}",
                environment.name
            ),
            needed: false,
        });
    }
    Ok(online)
}
