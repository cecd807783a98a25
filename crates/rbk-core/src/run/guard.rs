//! The ways of an `if`: an action stands on one, and is left out where the other one was taken.

use crate::ids::ActionId;
use crate::journal::{ActionFacts, Event, Facts, Outcome};
use crate::plan::{Plan, PlannedAction};

/// Why an action isn't on the way that was taken, in words; `None`: it is, or there was no fork.
pub(crate) fn not_taken(plan: &Plan, facts: &Facts, planned: &PlannedAction) -> Option<String> {
    let guard = planned
        .only_if
        .iter()
        .find(|guard| facts.decisions.get(&guard.decision) != Some(&guard.holds))?;
    let statement = statement(plan, &guard.decision);
    Some(if facts.decisions.contains_key(&guard.decision) {
        let seen = facts.action(&guard.decision).and_then(seen);
        let seen = seen.map_or(String::new(), |seen| format!(" ({seen})"));
        let verb = if guard.holds { "doesn't hold" } else { "holds" };
        format!("`{statement}` {verb}{seen}")
    } else {
        format!("`{statement}` wasn't decided, so neither of its ways is taken")
    })
}

/// Whether an action stands on the way that wasn't taken.
pub(crate) fn is_other_way(facts: &Facts, planned: &PlannedAction) -> bool {
    let guards = planned.only_if.iter();
    let decided = guards.map(|guard| (facts.decisions.get(&guard.decision), guard.holds));
    decided
        .into_iter()
        .find(|(holds, wanted)| *holds != Some(wanted))
        .is_some_and(|(holds, _)| holds.is_some())
}

fn statement<'p>(plan: &'p Plan, decision: &'p ActionId) -> &'p str {
    let found = plan.actions().find(|planned| planned.id == *decision);
    found.map_or(decision.as_str(), |planned| planned.statement.as_str())
}

fn seen(known: &ActionFacts) -> Option<&str> {
    match &known.over {
        Some(Event::Outcome(Outcome::Done { detail, .. })) => Some(detail),
        _ => None,
    }
}
