//! What a change of a runbook, its environment or its lock file does to the actions: two plans side by side.
//!
//! Text (comments, titles, layout, documentation) is no part of what is done; it is only said that it differs.

mod actions;
mod align;
mod risk;
mod values;

pub use actions::{ActionChange, PreflightChange};
pub use risk::{RiskChange, RiskKind};
pub use values::ValueChange;

use super::{Bound, Plan, PlannedAction, Step};
use crate::catalog;
use crate::ids::{ActionId, StepPath};
use actions::{Aligned, aligned, told};
use align::moved;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use values::{compare, document};

/// The version of the document that this build writes.
pub const PLAN_DIFF_VERSION: u32 = 1;

/// What differs between two plans in what is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDiff {
    /// The format's version.
    pub version: u32,
    /// The version of rbk that wrote it.
    pub rbk: String,
    /// What it is compared with; absent: there was nothing, and all is new.
    pub base: Option<Compared>,
    /// What is compared.
    pub head: Compared,
    /// Whether anything differs in what is done.
    pub differs: bool,
    /// Whether the texts differ: comments, titles, layout. They change nothing in what is done.
    pub text_differs: bool,
    /// What a reviewer looks at first, what is more dangerous before what is less.
    pub risks: Vec<RiskChange>,
    /// What the environment says otherwise, but for what a drill alone reads.
    pub environment: Vec<ValueChange>,
    /// Parameters, by `NAME.value`, `NAME.ty` and the like.
    pub parameters: Vec<ValueChange>,
    /// What the lock file says otherwise of databases that both plans name objects of.
    pub catalogs: Vec<ValueChange>,
    /// Replications, by name and setting.
    pub replications: Vec<ValueChange>,
    /// What is read and proven before the first effect.
    pub preflight: Vec<PreflightChange>,
    /// Steps in which something differs, in the order of the new plan; steps that are gone stand where they stood.
    pub steps: Vec<StepChange>,
    /// `on failure`.
    pub on_failure: Vec<ActionChange>,
    /// What is removed at the end of a run that failed.
    pub cleanup: Vec<ActionChange>,
    /// What the deployed stack must say, by setting.
    pub stack: Vec<ValueChange>,
    /// Parts of the plan that this version of the document has no member for, by path.
    pub other: Vec<ValueChange>,
}

/// One of two plans that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// The runbook's title.
    pub title: String,
    /// Its file, as it was given.
    pub file: String,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// The version of rbk that made the plan.
    pub rbk: String,
    /// The environment's name.
    pub environment: String,
    /// Twelve digits.
    pub account: String,
    /// `eu-central-1`.
    pub region: String,
    /// How many actions its steps have.
    pub actions: usize,
    /// How long they may take at most, in seconds; what waits for a person isn't in it.
    pub upper_bound: u64,
    /// How many of them wait for a person.
    pub people: usize,
}

/// A step in which something differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepChange {
    /// The step; one that is gone by its old name.
    pub path: StepPath,
    /// What became of the step itself.
    pub step: StepFate,
    /// What it was called before, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<StepPath>,
    /// Where it stood and stands, counted from 1, if it has another place among the steps that both have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What else differs of the step as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ValueChange>,
    /// Its actions that differ, in order.
    pub actions: Vec<ActionChange>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepFate {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is in both.
    Kept,
}

/// Another place among the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// Where it stood, counted from 1.
    pub old: usize,
    /// Where it stands, counted from 1.
    pub new: usize,
}

impl Compared {
    fn of(plan: &Plan) -> Self {
        let actions = || plan.steps.iter().flat_map(|step| &step.actions);
        let bound = Bound::of_steps(&plan.steps);
        Self {
            title: plan.runbook.title.clone(),
            file: plan.runbook.file.clone(),
            sha256: plan.runbook.sha256.clone(),
            rbk: plan.rbk.clone(),
            environment: plan.environment.name.clone(),
            account: plan.environment.account.clone(),
            region: plan.environment.region.clone(),
            actions: actions().count(),
            upper_bound: bound.seconds,
            people: bound.people,
        }
    }
}

impl PlanDiff {
    /// Compares two plans; without a base, everything is new.
    pub fn of(base: Option<&Plan>, head: &Plan) -> Self {
        let nothing = nothing_like(head);
        let old = base.unwrap_or(&nothing);
        let sides = Sides::of(old, head);
        let mut diff = Self {
            version: PLAN_DIFF_VERSION,
            rbk: env!("CARGO_PKG_VERSION").to_owned(),
            base: base.map(Compared::of),
            head: Compared::of(head),
            differs: false,
            text_differs: base.is_some_and(|base| texts(base) != texts(head)),
            risks: risk::risks(base, head, &sides),
            environment: compare("", &environment(old), &environment(head)),
            parameters: members("", &parameters(old), &parameters(head)),
            catalogs: catalogs(old, head),
            replications: compare(
                "",
                &document(&old.replications),
                &document(&head.replications),
            ),
            preflight: actions::preflight(&old.preflight, &head.preflight),
            steps: sides.steps(old, head),
            on_failure: sides.changes(&sides.on_failure),
            cleanup: sides.changes(&sides.cleanup),
            stack: members("", &stack(old), &stack(head)),
            other: compare("", &other(old), &other(head)),
        };
        diff.differs = base.is_none() || !diff.is_empty();
        diff
    }

    /// Whether nothing differs in what is done.
    fn is_empty(&self) -> bool {
        let values = [
            &self.environment,
            &self.parameters,
            &self.catalogs,
            &self.replications,
            &self.stack,
            &self.other,
        ];
        values.iter().all(|changes| changes.is_empty())
            && self.risks.is_empty()
            && self.preflight.is_empty()
            && self.steps.is_empty()
            && self.on_failure.is_empty()
            && self.cleanup.is_empty()
    }
}

/// A plan with nothing in it, for the same place.
fn nothing_like(head: &Plan) -> Plan {
    Plan {
        parameters: Vec::new(),
        replications: BTreeMap::new(),
        preflight: Vec::new(),
        steps: Vec::new(),
        on_failure: Vec::new(),
        cleanup: Vec::new(),
        stack: Vec::new(),
        ..head.clone()
    }
}

/// Steps and actions of two plans, aligned.
struct Sides<'p> {
    /// Each step's place in the old and in the new plan, and its actions.
    steps: Vec<(Option<usize>, Option<usize>, Vec<Aligned<'p>>)>,
    on_failure: Vec<Aligned<'p>>,
    cleanup: Vec<Aligned<'p>>,
    /// What an action that both have is called in the new plan, by what it was called.
    renamed: HashMap<ActionId, ActionId>,
    /// Actions that are gone in one place and new in another: the new identity by the old one.
    moved: HashMap<ActionId, ActionId>,
}

impl<'p> Sides<'p> {
    fn of(old: &'p Plan, new: &'p Plan) -> Self {
        let steps: Vec<_> = pair_steps(&old.steps, &new.steps)
            .into_iter()
            .map(|(left, right)| {
                let actions = |steps: &'p [Step], at: Option<usize>| {
                    let step = at.and_then(|at| steps.get(at));
                    step.map_or(&[][..], |step| &step.actions)
                };
                let pairs = aligned(actions(&old.steps, left), actions(&new.steps, right));
                (left, right, pairs)
            })
            .collect();
        let mut sides = Self {
            steps,
            on_failure: aligned(&old.on_failure, &new.on_failure),
            cleanup: aligned(&old.cleanup, &new.cleanup),
            renamed: HashMap::new(),
            moved: HashMap::new(),
        };
        sides.moved = sides.find_moved();
        let pairs = sides.pairs().filter_map(|pair| match pair {
            Aligned::Both(left, right) => Some((left.id.clone(), right.id.clone())),
            Aligned::Old(_) | Aligned::New(_) => None,
        });
        let mut renamed: HashMap<ActionId, ActionId> = pairs.collect();
        renamed.extend(
            sides
                .moved
                .iter()
                .map(|(old, new)| (old.clone(), new.clone())),
        );
        sides.renamed = renamed;
        sides
    }

    /// All pairs, of steps, `on failure` and cleanup.
    fn pairs(&self) -> impl Iterator<Item = &Aligned<'p>> {
        self.of_steps().chain(&self.on_failure).chain(&self.cleanup)
    }

    /// The pairs of steps, in order.
    fn of_steps(&self) -> impl Iterator<Item = &Aligned<'p>> {
        self.steps.iter().flat_map(|(.., pairs)| pairs)
    }

    /// Equal actions of which one is gone and the other new were moved. Those of `on failure` are something else.
    fn find_moved(&self) -> HashMap<ActionId, ActionId> {
        let mut gone: HashMap<String, Vec<&PlannedAction>> = HashMap::new();
        for pair in self.of_steps() {
            if let Aligned::Old(planned) = pair {
                gone.entry(document(&planned.action).to_string())
                    .or_default()
                    .push(planned);
            }
        }
        let mut moved = HashMap::new();
        if gone.is_empty() {
            return moved;
        }
        for pair in self.of_steps() {
            if let Aligned::New(planned) = pair {
                let same = gone.get_mut(&document(&planned.action).to_string());
                if let Some(old) = same
                    .filter(|same| !same.is_empty())
                    .map(|same| same.remove(0))
                {
                    moved.insert(old.id.clone(), planned.id.clone());
                }
            }
        }
        moved
    }

    /// What differs among aligned actions.
    fn changes(&self, pairs: &[Aligned<'p>]) -> Vec<ActionChange> {
        let came: HashMap<&ActionId, &ActionId> =
            self.moved.iter().map(|(old, new)| (new, old)).collect();
        pairs
            .iter()
            .filter_map(|pair| told(pair, &self.renamed, &self.moved, &came))
            .collect()
    }

    fn steps(&self, old: &Plan, new: &Plan) -> Vec<StepChange> {
        let kept: Vec<(usize, usize)> = {
            let mut kept: Vec<_> = self
                .steps
                .iter()
                .filter_map(|(left, right, _)| left.zip(*right))
                .collect();
            kept.sort_by_key(|(_, right)| *right);
            kept
        };
        let positions: Vec<usize> = kept.iter().map(|(left, _)| *left).collect();
        let has_moved: HashSet<usize> = kept
            .iter()
            .zip(moved(&positions))
            .filter_map(|((_, right), moved)| moved.then_some(*right))
            .collect();
        let mut changes = Vec::new();
        for (left, right, pairs) in &self.steps {
            let before = left.and_then(|at| old.steps.get(at));
            let after = right.and_then(|at| new.steps.get(at));
            let Some(named) = after.or(before) else {
                continue;
            };
            let fate = match (before, after) {
                (None, _) => StepFate::Added,
                (_, None) => StepFate::Removed,
                (Some(_), Some(_)) => StepFate::Kept,
            };
            let renamed_from = before
                .filter(|before| fate == StepFate::Kept && before.path != named.path)
                .map(|before| before.path.clone());
            let moved = left
                .zip(*right)
                .filter(|(_, right)| has_moved.contains(right));
            let moved = moved.map(|(old, new)| Moved {
                old: old + 1,
                new: new + 1,
            });
            let whole = match (before, after) {
                (Some(before), Some(after)) => compare("", &as_a_whole(before), &as_a_whole(after)),
                _ => Vec::new(),
            };
            let actions = self.changes(pairs);
            let is_same = fate == StepFate::Kept
                && renamed_from.is_none()
                && moved.is_none()
                && whole.is_empty()
                && actions.is_empty();
            if !is_same {
                changes.push(StepChange {
                    path: named.path.clone(),
                    step: fate,
                    renamed_from,
                    moved,
                    changes: whole,
                    actions,
                });
            }
        }
        changes
    }
}

/// A step without its name, documentation and actions.
fn as_a_whole(step: &Step) -> Value {
    without(document(step), &["path", "doc", "actions"])
}

/// Above this many pairs of steps without a namesake nothing was renamed: it is another runbook.
const MOST_RENAMED: usize = 400;

/// Which step is which: by name, and otherwise by what it does. In the new order, what is gone where it stood.
fn pair_steps(old: &[Step], new: &[Step]) -> Vec<(Option<usize>, Option<usize>)> {
    let by_name: HashMap<&StepPath, usize> = old
        .iter()
        .enumerate()
        .map(|(at, step)| (&step.path, at))
        .collect();
    let mut before: Vec<Option<usize>> = new
        .iter()
        .map(|step| by_name.get(&step.path).copied())
        .collect();
    let mut taken: HashSet<usize> = before.iter().flatten().copied().collect();
    let unknown = before.iter().filter(|at| at.is_none()).count();
    let is_another_runbook = unknown.saturating_mul(old.len() - taken.len()) > MOST_RENAMED;
    for (at, step) in new.iter().enumerate() {
        if is_another_runbook || before.get(at).copied().flatten().is_some() {
            continue;
        }
        let candidates = old.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        let best = candidates
            .map(|(at, candidate)| (resemblance(candidate, step), at))
            .filter(|(resemblance, _)| *resemblance >= 50)
            .max_by_key(|(resemblance, at)| (*resemblance, std::cmp::Reverse(*at)));
        if let (Some((_, found)), Some(cell)) = (best, before.get_mut(at)) {
            taken.insert(found);
            *cell = Some(found);
        }
    }
    let mut pairs = Vec::new();
    let mut gone: Vec<usize> = (0..old.len()).filter(|at| !taken.contains(at)).collect();
    for (at, left) in before.into_iter().enumerate() {
        if let Some(left) = left {
            let stood_before = gone.iter().take_while(|gone| **gone < left).count();
            pairs.extend(gone.drain(..stood_before).map(|gone| (Some(gone), None)));
        }
        pairs.push((left, Some(at)));
    }
    pairs.extend(gone.into_iter().map(|gone| (Some(gone), None)));
    pairs
}

/// How much of two steps is equal, in percent. Long steps are told from each other by their first actions.
fn resemblance(old: &Step, new: &Step) -> usize {
    const LOOKED_AT: usize = 50;
    fn first(step: &Step) -> &[PlannedAction] {
        step.actions.get(..LOOKED_AT).unwrap_or(&step.actions)
    }
    let (left, right) = (first(old), first(new));
    if left.is_empty() && right.is_empty() {
        return 100;
    }
    let equal = aligned(left, right)
        .into_iter()
        .filter(|pair| match pair {
            Aligned::Both(left, right) => left.action == right.action,
            Aligned::Old(_) | Aligned::New(_) => false,
        })
        .count();
    200 * equal / (left.len() + right.len())
}

/// What is text and nothing else.
fn texts(plan: &Plan) -> Vec<&str> {
    let runbook = &plan.runbook;
    let uses = runbook.uses.iter().map(|used| used.sha256.as_str());
    [runbook.sha256.as_str(), &runbook.title]
        .into_iter()
        .chain(runbook.doc.as_deref())
        .chain(uses)
        .collect()
}

/// What differs of named things; of one that only one side has, each part.
fn members(path: &str, old: &Value, new: &Value) -> Vec<ValueChange> {
    let with_all = |one: &Value, other: &Value| {
        let mut all = one.clone();
        if let (Value::Object(all), Value::Object(other)) = (&mut all, other) {
            for name in other.keys() {
                let empty = || Value::Object(Map::new());
                all.entry(name.as_str()).or_insert_with(empty);
            }
        }
        all
    };
    compare(path, &with_all(old, new), &with_all(new, old))
}

/// What the environment says, without what a drill alone reads and what is a parameter's value already.
fn environment(plan: &Plan) -> Value {
    without(document(&plan.environment), &["drill", "parameters"])
}

fn without(mut document: Value, names: &[&str]) -> Value {
    if let Value::Object(members) = &mut document {
        for name in names {
            members.remove(*name);
        }
    }
    document
}

/// Parameters by name. Who gave a value, and what is written about it, changes nothing in what is done.
fn parameters(plan: &Plan) -> Value {
    let all = plan.parameters.iter().map(|parameter| {
        let mut document = without(document(parameter), &["name", "doc", "origin"]);
        if let Some(Value::Object(bounds)) = document.get_mut("bounds") {
            bounds.remove("text");
        }
        (parameter.name.clone(), document)
    });
    Value::Object(all.collect())
}

fn stack(plan: &Plan) -> Value {
    let all = plan.stack.iter().map(|value| {
        let document = without(document(value), &["setting", "text"]);
        (value.setting.clone(), document)
    });
    Value::Object(all.collect::<Map<_, _>>())
}

/// What no other member tells.
fn other(plan: &Plan) -> Value {
    const TOLD: [&str; 12] = [
        "version",
        "rbk",
        "runbook",
        "environment",
        "parameters",
        "catalogs",
        "replications",
        "preflight",
        "steps",
        "on_failure",
        "cleanup",
        "stack",
    ];
    without(document(plan), &TOLD)
}

/// What the lock file says otherwise of databases that both plans name objects of.
fn catalogs(old: &Plan, new: &Plan) -> Vec<ValueChange> {
    let both = old
        .catalogs
        .iter()
        .filter_map(|(name, before)| Some((name, before, new.catalogs.get(name)?)));
    both.flat_map(|(name, before, after)| {
        let differences = catalog::differences(before, after, &[]);
        differences.into_iter().map(move |difference| {
            ValueChange::new(
                format!("{name}: {}", difference.object),
                difference.expected.map(Value::String),
                difference.found.map(Value::String),
            )
        })
    })
    .collect()
}

#[cfg(test)]
mod tests;
