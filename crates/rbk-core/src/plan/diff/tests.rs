//! Two plans side by side: what was done to one of them is found again, and nothing else.

use super::*;
use crate::check::{self, Input, Uses};
use crate::environment::{self, LockSource};
use crate::plan::{Action, Expr, FinalSnapshot, Guard, Preflight, Risk};
use crate::value::Value as Known;
use rbk_syntax::Sources;
use std::path::Path;

const QUICK: &str = include_str!("../../../../../runbooks/quick-recovery.rbk");
const FULL: &str = include_str!("../../../../../runbooks/full-recovery.rbk");
const PROD: &str = include_str!("../../../../../runbooks/environments/prod.toml");
const LOCK: &str = include_str!("../../../../../runbooks/environments/prod.lock.toml");

struct Locked(environment::Lock);

impl LockSource for Locked {
    fn lock(&self) -> Option<&environment::Lock> {
        Some(&self.0)
    }
}

#[track_caller]
fn plan_in(text: &str, environment: &str) -> Plan {
    let mut sources = Sources::default();
    let id = sources.add("prod.toml", environment);
    let loaded = environment::load("prod", id, environment, Path::new("runbooks/environments"));
    let environment = loaded.environment.expect("the environment is right");
    let lock = Locked(environment::Lock::read(LOCK).expect("the lock file is right"));
    let id = sources.add("it.rbk", text);
    let runbook = rbk_syntax::parse(id, text).runbook.expect("it can be read");
    let input = Input {
        runbook: &runbook,
        environment: &environment,
        places: &loaded.places,
        lock: Some(&lock),
        given: &BTreeMap::new(),
        uses: &Uses::default(),
    };
    let checked = check::check(&input, &mut sources);
    let program = checked.program;
    let program = program.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
    crate::lower::plan(&program, "it.rbk", text)
}

#[track_caller]
fn plan(text: &str) -> Plan {
    plan_in(text, PROD)
}

/// In a line each: what a reviewer would be told.
fn told(diff: &PlanDiff) -> Vec<String> {
    let value = |change: &ValueChange| {
        let side = |side: &Option<Value>| match side {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "nothing".to_owned(),
        };
        format!(
            "{}: {} to {}",
            change.path,
            side(&change.old),
            side(&change.new)
        )
    };
    let values = |changes: &[ValueChange]| changes.iter().map(value).collect::<Vec<_>>().join("; ");
    let action = |change: &ActionChange| match change {
        ActionChange::Added { action } => format!("+ {}", action.id),
        ActionChange::Removed { action } => format!("- {}", action.id),
        ActionChange::Moved { from, action, .. } => format!("> {from} to {}", action.id),
        ActionChange::Changed {
            was,
            action,
            changes,
            ..
        } => format!("~ {was} to {}: {}", action.id, values(changes)),
    };
    let mut lines = Vec::new();
    for changes in [
        &diff.environment,
        &diff.parameters,
        &diff.catalogs,
        &diff.replications,
        &diff.stack,
        &diff.other,
    ] {
        lines.extend(changes.iter().map(value));
    }
    lines.extend(diff.preflight.iter().map(|change| match change {
        PreflightChange::Added { .. } => "+ preflight".to_owned(),
        PreflightChange::Removed { .. } => "- preflight".to_owned(),
        PreflightChange::Changed { changes, .. } => format!("~ preflight: {}", values(changes)),
    }));
    for step in &diff.steps {
        let mut line = format!("step {} {:?}", step.path, step.step);
        if let Some(old) = &step.renamed_from {
            line.push_str(&format!(" from {old}"));
        }
        if let Some(moved) = step.moved {
            line.push_str(&format!(" moved {} to {}", moved.old, moved.new));
        }
        if !step.changes.is_empty() {
            line.push_str(&format!(": {}", values(&step.changes)));
        }
        lines.push(line);
        lines.extend(step.actions.iter().map(action));
    }
    lines.extend(diff.on_failure.iter().map(action));
    lines.extend(diff.cleanup.iter().map(action));
    lines
}

fn risks(diff: &PlanDiff) -> Vec<String> {
    let line = |risk: &RiskChange| format!("{} {}", if risk.worse { "!" } else { "ok" }, risk.text);
    diff.risks.iter().map(line).collect()
}

#[track_caller]
fn between(old: &str, new: &str) -> PlanDiff {
    let diff = PlanDiff::of(Some(&plan(old)), &plan(new));
    assert_eq!(diff.differs, !told(&diff).is_empty());
    diff
}

/// Numbers the actions anew, as a statement that is put in or taken out does.
fn numbered(mut plan: Plan) -> Plan {
    let mut names = HashMap::new();
    for step in &mut plan.steps {
        for (index, planned) in step.actions.iter_mut().enumerate() {
            let id = ActionId::new(format!("{}#{}", step.path, index + 1));
            names.insert(std::mem::replace(&mut planned.id, id.clone()), id);
        }
    }
    for planned in plan.steps.iter_mut().flat_map(|step| &mut step.actions) {
        for guard in &mut planned.only_if {
            guard.decision = names[&guard.decision].clone();
        }
    }
    plan
}

#[test]
fn a_plan_differs_in_nothing_from_itself() {
    for text in [QUICK, FULL] {
        let diff = between(text, text);
        assert!(!diff.differs && !diff.text_differs);
        assert!(diff.risks.is_empty());
    }
}

#[test]
fn comments_and_layout_change_nothing_in_what_is_done() {
    let other = QUICK
        .replace("\n  ", "\n      ")
        .replace("step \"Restore\"", "# first\nstep \"Restore\"")
        .replace("## Puts the", "## It puts the")
        .replace("runbook \"Quick recovery\"", "runbook \"Quick\"");
    let diff = between(QUICK, &other);
    assert!(!diff.differs && diff.text_differs, "{:?}", told(&diff));
}

#[test]
fn one_inserted_statement_is_one_new_action() {
    let new = QUICK.replace(
        "  set credentials of target\n",
        "  await source is available within 5m\n  set credentials of target\n",
    );
    let diff = between(QUICK, &new);
    assert_eq!(told(&diff), ["step Restore Kept", "+ Restore#3"]);
    let back = between(&new, QUICK);
    assert_eq!(told(&back), ["step Restore Kept", "- Restore#3"]);
    assert_eq!(
        risks(&back),
        ["! no longer proven: wait until original is available, at most 5m, looking every 15s"]
    );
}

#[test]
fn exact_parameters_that_changed_are_told() {
    let new = QUICK
        .replace("within 60m every 15s", "within 90m every 30s")
        .replace("max_loss: duration = 24h", "max_loss: duration = 12h");
    assert_eq!(
        told(&between(QUICK, &new)),
        [
            "max_loss.value: 1d to 12h",
            "~ preflight: condition: age(snap) <= 1d to age(snap) <= 12h",
            "step Restore Kept",
            "~ Restore#2 to Restore#2: every: 15 to 30; within: 3600 to 5400; upper_bound: 3600 to 5400",
        ]
    );
}

#[test]
fn steps_are_renamed_and_moved() {
    let new = QUICK.replace("step \"Look at the data\"", "step \"Look\"");
    assert_eq!(
        told(&between(QUICK, &new)),
        ["step Look Kept from Look at the data"]
    );
    let mut new = plan(FULL);
    let step = new.steps.remove(0);
    let name = step.path.clone();
    let last = new.steps.len() + 1;
    new.steps.push(step);
    let diff = PlanDiff::of(Some(&plan(FULL)), &new);
    assert_eq!(told(&diff), [format!("step {name} Kept moved 1 to {last}")]);
}

#[test]
fn what_is_no_longer_asked_comes_first() {
    let new = QUICK.replace("  approve \"Point {app} at {target}?\"\n", "");
    let diff = between(QUICK, &new);
    assert_eq!(
        risks(&diff),
        ["! no longer asks: ask a person: Point sgpt at recovery?"]
    );
    assert_eq!(
        told(&diff),
        [
            "step Switch the application Kept",
            "- Switch the application#2"
        ]
    );
}

#[test]
fn a_final_snapshot_that_is_given_up_comes_first() {
    let base = plan(FULL);
    let mut head = base.clone();
    let destroys = head
        .steps
        .iter_mut()
        .flat_map(|step| &mut step.actions)
        .find_map(|planned| match &mut planned.action {
            Action::DestroyInstance { final_snapshot, .. } => Some(final_snapshot),
            _ => None,
        });
    *destroys.expect("the full recovery destroys the recovery") = FinalSnapshot::None;
    let risks = risks(&PlanDiff::of(Some(&base), &head));
    assert_eq!(
        risks,
        ["! leaves no final snapshot of statistagptdb-recovery any more"]
    );
}

#[test]
fn another_place_comes_first() {
    let other = PROD
        .replace("\"123456789012\"", "\"210987654321\"")
        .replacen("protect = true", "protect = false", 1);
    let diff = PlanDiff::of(Some(&plan(QUICK)), &plan_in(QUICK, &other));
    assert_eq!(
        risks(&diff),
        [
            "! now in account 210987654321, not 123456789012",
            "! original isn't protected any more: what destroys it is allowed"
        ]
    );
    assert_eq!(
        told(&diff),
        [
            "account: 123456789012 to 210987654321",
            "databases.original.protect: true to false",
            "~ preflight: account: 123456789012 to 210987654321",
        ]
    );
}

#[test]
fn what_only_a_drill_reads_changes_nothing() {
    let other = PROD.replace("[drill]", "[drill]\n# another comment");
    let diff = PlanDiff::of(Some(&plan(QUICK)), &plan_in(QUICK, &other));
    assert!(!diff.differs);
    let mut head = plan(QUICK);
    head.environment.drill = None;
    assert!(!PlanDiff::of(Some(&plan(QUICK)), &head).differs);
}

#[test]
fn a_runbook_that_was_not_there_is_new_all_of_it() {
    let head = plan(FULL);
    let diff = PlanDiff::of(None, &head);
    assert!(diff.differs && diff.base.is_none());
    assert!(diff.environment.is_empty());
    let added: usize = diff.steps.iter().map(|step| step.actions.len()).sum();
    assert_eq!(added, diff.head.actions);
    assert!(diff.steps.iter().all(|step| step.step == StepFate::Added));
    assert!(
        diff.risks
            .iter()
            .any(|risk| risk.kind == RiskKind::Destroys && risk.worse)
    );
}

#[test]
fn a_hole_differs_from_a_value() {
    let base = plan(QUICK);
    let mut head = base.clone();
    for parameter in &mut head.parameters {
        if parameter.name == "max_loss" {
            parameter.value = None;
        }
    }
    let diff = PlanDiff::of(Some(&base), &head);
    assert_eq!(told(&diff), ["max_loss.value: 1d to nothing"]);
}

/// Each action of the shipped runbooks taken out alone, with all that follow numbered anew.
#[test]
fn whatever_is_taken_out_is_found_and_nothing_else() {
    for text in [QUICK, FULL] {
        let base = numbered(plan(text));
        let places: Vec<(usize, usize)> = base
            .steps
            .iter()
            .enumerate()
            .flat_map(|(at, step)| (0..step.actions.len()).map(move |action| (at, action)))
            .collect();
        for (step, action) in places {
            let mut head = base.clone();
            let gone = head.steps[step].actions.remove(action);
            let head = numbered(head);
            let there = PlanDiff::of(Some(&base), &head);
            let [change] = there.steps.as_slice() else {
                panic!("{}: {:?}", gone.id, told(&there));
            };
            let [ActionChange::Removed { action }] = change.actions.as_slice() else {
                panic!("{}: {:?}", gone.id, told(&there));
            };
            assert_eq!(action.action, gone.action);
            if gone.risk == Risk::Destroys {
                assert!(
                    there
                        .risks
                        .iter()
                        .any(|risk| risk.kind == RiskKind::Destroys && !risk.worse)
                );
            }
            let back = PlanDiff::of(Some(&head), &base);
            let added = back.steps.iter().flat_map(|step| &step.actions);
            assert!(
                matches!(added.collect::<Vec<_>>().as_slice(), [ActionChange::Added { action }] if action.action == gone.action),
                "{}: {:?}",
                gone.id,
                told(&back)
            );
        }
    }
}

#[test]
fn an_action_that_goes_to_another_step_is_moved() {
    let base = numbered(plan(QUICK));
    let mut head = base.clone();
    let action = head.steps[2].actions.remove(0);
    head.steps[1].actions.push(action);
    let diff = PlanDiff::of(Some(&base), &numbered(head));
    assert_eq!(
        told(&diff),
        [
            "step Look at the data Kept",
            "> Switch the application#1 to Look at the data#2"
        ]
    );
    assert!(diff.risks.is_empty());
}

#[test]
fn what_depends_on_a_decision_still_does_when_it_is_numbered_anew() {
    let mut base = numbered(plan(QUICK));
    let decision = base.steps[0].actions[3].id.clone();
    base.steps[0].actions[3].action = Action::Decide {
        condition: Expr::Value(Known::Boolean(true)),
    };
    base.steps[0].actions[5].only_if = vec![Guard {
        decision,
        holds: true,
    }];
    let mut head = base.clone();
    head.steps[0].actions.remove(1);
    let head = numbered(head);
    let diff = PlanDiff::of(Some(&base), &head);
    assert_eq!(told(&diff), ["step Restore Kept", "- Restore#2"]);

    let mut other_way = head.clone();
    other_way.steps[0].actions[4].only_if[0].holds = false;
    let diff = PlanDiff::of(Some(&head), &other_way);
    assert_eq!(
        told(&diff),
        [
            "step Restore Kept",
            "~ Restore#5 to Restore#5: only_if[0].holds: true to false"
        ]
    );
}

#[test]
fn steps_that_are_done_together_now_are_told() {
    let base = plan(QUICK);
    let mut head = base.clone();
    for step in head.steps.iter_mut().take(2) {
        step.parallel = Some(1);
    }
    let diff = PlanDiff::of(Some(&base), &head);
    assert_eq!(
        told(&diff),
        [
            "step Restore Kept: parallel: nothing to 1",
            "step Look at the data Kept: parallel: nothing to 1"
        ]
    );
    // The longer of the two counts.
    assert_eq!(diff.head.upper_bound + 30 * 60, base_bound(&base));
}

fn base_bound(plan: &Plan) -> u64 {
    Bound::of_steps(&plan.steps).seconds
}

#[test]
fn a_precondition_that_is_gone_comes_first() {
    let base = plan(QUICK);
    let mut head = base.clone();
    head.preflight.retain(|item| {
        !matches!(
            item,
            Preflight::Require {
                condition: Expr::Binary { .. },
                ..
            }
        )
    });
    let diff = PlanDiff::of(Some(&base), &head);
    assert_eq!(told(&diff), ["- preflight"]);
    let risks = risks(&diff);
    assert!(risks[0].starts_with("! no longer proven before the first effect: require age(snap)"));
}

#[test]
fn how_large_tables_were_changes_nothing() {
    let base = plan(&copying());
    let mut head = base.clone();
    for planned in head.steps.iter_mut().flat_map(|step| &mut step.actions) {
        if let Action::Copy { tables, .. } = &mut planned.action {
            for table in tables {
                table.bytes += 1;
            }
        }
    }
    assert_ne!(base, head);
    assert!(!PlanDiff::of(Some(&base), &head).differs);
}

#[test]
fn thousands_of_actions_are_compared_in_time() {
    let mut base = plan(QUICK);
    let of_await = base.steps[0].actions[1].clone();
    base.steps[0].actions = vec![of_await; 1500];
    let mut head = base.clone();
    for (index, planned) in head.steps[0].actions.iter_mut().enumerate() {
        if let Action::Await { within, .. } = &mut planned.action {
            *within += index as u64 % 2;
        }
    }
    let begun = std::time::Instant::now();
    let diff = PlanDiff::of(Some(&base), &head);
    assert!(diff.differs);
    let many = {
        let mut many = base.clone();
        many.steps = (0..1000)
            .map(|number| Step {
                path: StepPath::new(format!("{number}")),
                ..base.steps[1].clone()
            })
            .collect();
        many
    };
    assert!(PlanDiff::of(Some(&base), &many).differs);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

fn copying() -> String {
    include_str!("../../../../../runbooks/rebuild-schema.rbk").to_owned()
}
