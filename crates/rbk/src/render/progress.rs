//! What a run shows while it goes: a subscriber to the journal's records. On a terminal each action that is under way is a line
//! that changes, one of each step that is done together; elsewhere every change is a line of its own, and says of which step.

use super::colour::{Screen, printable};
use super::replication;
use super::time::short;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rbk_core::ids::ActionId;
use rbk_core::journal::{Entry, Event, How, Observation, Outcome, Proof, Record, ReplicationFacts};
use rbk_core::plan::{Action, Expr, Guard, Plan, PlannedAction, Step};
use rbk_core::run::{Observer, Tick};
use rbk_core::value::duration_text;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often an unchanged observation is repeated where lines don't change.
const REPEAT: Duration = Duration::from_secs(60);
/// How often a line tells how far something is, where each line stays.
const FURTHER: Duration = Duration::from_secs(10);

/// Shows the records of one run.
pub struct Progress {
    screen: Screen,
    bars: MultiProgress,
    state: Mutex<State>,
}

struct State {
    actions: BTreeMap<ActionId, Known>,
    steps: usize,
    shown: Option<Place>,
    preflight_shown: bool,
    /// What is under way, in the order in which it was begun.
    current: Vec<Current>,
    /// Which way each `if` went.
    decisions: BTreeMap<ActionId, bool>,
}

/// What the plan says of an action.
struct Known {
    summary: String,
    limit: Option<u64>,
    place: Place,
    /// The step's title and a colon, where others go on beside it.
    whose: String,
    /// The action behind it in its step.
    next: Option<ActionId>,
    /// What comes behind its step.
    after: Option<String>,
    waits: bool,
    waits_for_person: bool,
    /// Whether what is seen of it says a lot, and so wants a line of its own.
    says_a_lot: bool,
    /// Which ways of an `if` it stands on.
    only_if: Vec<Guard>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Step {
        number: usize,
        title: String,
    },
    /// Steps that are done together, from this number on.
    Together {
        first: usize,
        titles: Vec<String>,
    },
    OnFailure,
    Cleanup,
}

struct Current {
    action: ActionId,
    since: Instant,
    seen: String,
    told: Instant,
    /// How far it was when that was told last; absent where there is nothing to count.
    counted: Option<(u64, u64)>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Gets to know the plan's actions.
    pub fn new(screen: Screen, plan: &Plan) -> Self {
        let mut actions = BTreeMap::new();
        let mut learn =
            |list: &[PlannedAction], place: &Place, whose: &str, after: Option<&str>| {
                for (index, planned) in list.iter().enumerate() {
                    let next = list.get(index + 1).map(|next| next.id.clone());
                    actions.insert(
                        planned.id.clone(),
                        Known {
                            summary: printable(&planned.summary),
                            limit: planned.upper_bound.filter(|seconds| *seconds > 0),
                            place: place.clone(),
                            whose: whose.to_owned(),
                            next,
                            after: after.map(|title| format!("step \"{title}\"")),
                            waits: matches!(planned.action, Action::Await { .. }),
                            waits_for_person: matches!(planned.action, Action::Approve { .. }),
                            says_a_lot: matches!(
                                planned.action,
                                Action::Await {
                                    condition: Expr::Complete { .. },
                                    ..
                                }
                            ),
                            only_if: planned.only_if.clone(),
                        },
                    );
                }
            };
        let mut number = 1;
        let mut groups = plan.steps.chunk_by(Step::is_beside).peekable();
        while let Some(steps) = groups.next() {
            let title = |step: &Step| printable(step.path.as_str());
            let after = groups.peek().and_then(|next| next.first()).map(title);
            let titles: Vec<String> = steps.iter().map(title).collect();
            for step in steps {
                let title = title(step);
                match steps {
                    [_] => {
                        let place = Place::Step { number, title };
                        learn(&step.actions, &place, "", after.as_deref());
                    }
                    _ => {
                        let titles = titles.clone();
                        let place = Place::Together {
                            first: number,
                            titles,
                        };
                        learn(&step.actions, &place, &format!("{title}: "), None);
                    }
                }
            }
            number += steps.len();
        }
        learn(&plan.on_failure, &Place::OnFailure, "", None);
        learn(&plan.cleanup, &Place::Cleanup, "", None);
        Self {
            screen,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            state: Mutex::new(State {
                actions,
                steps: plan.steps.len(),
                shown: None,
                preflight_shown: false,
                current: Vec::new(),
                decisions: BTreeMap::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, state: &mut State, action: &ActionId) {
        if state.of(action).is_some() {
            return;
        }
        let Some(known) = state.actions.get(action) else {
            return;
        };
        if state.shown.as_ref() != Some(&known.place) {
            let heading = match &known.place {
                Place::Step { number, title } => {
                    format!("Step {number} of {}: {title}", state.steps)
                }
                Place::Together { first, titles } => format!(
                    "Steps {first} to {} of {}, together: {}",
                    first + titles.len().saturating_sub(1),
                    state.steps,
                    titles.join(", ")
                ),
                Place::OnFailure => "On failure".to_owned(),
                Place::Cleanup => "Removing what the run made for its own use".to_owned(),
            };
            self.say_above("");
            self.say_above(self.screen.err.bold(heading));
            state.shown = Some(known.place.clone());
        }
        let summary = state.named(action);
        let bar = (self.screen.live && !known.waits_for_person).then(|| {
            let bar = self.bars.add(ProgressBar::no_length());
            dress(&bar, &summary, state.next(action), known.says_a_lot);
            bar
        });
        if !self.screen.live {
            // A wait says its limit itself.
            let limit = known.limit.filter(|_| !known.waits);
            let limit = limit.map_or(String::new(), |seconds| {
                format!(" (at most {})", duration_text(seconds))
            });
            self.screen.say(format_args!("  - {summary}{limit}"));
        }
        let now = Instant::now();
        state.current.push(Current {
            action: action.clone(),
            since: now,
            seen: String::new(),
            told: now,
            counted: None,
            bar,
        });
    }

    /// Takes away the line that changes of an action.
    fn clear(&self, state: &mut State, action: &ActionId) {
        if let Some(at) = state.current.iter().position(|it| it.action == *action)
            && let Some(bar) = state.current.remove(at).bar
        {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    /// A line above those that change.
    fn say_above(&self, line: impl std::fmt::Display) {
        self.bars.suspend(|| self.screen.say(line));
    }

    /// A line between those of the run.
    pub fn say(&self, line: &str) {
        let _state = self.state();
        self.say_above(line);
    }

    /// The last lines of an action: its mark, how long it took, what it was for, and what was seen.
    fn finish(&self, state: &mut State, action: &ActionId, mark: &str, word: &str, detail: &str) {
        let current = state.of(action);
        let took = current.map_or_else(String::new, |current| short(current.since.elapsed()));
        let summary = state.named(action);
        self.clear(state, action);
        let paint = self.screen.err;
        let detail = printable(detail);
        if self.screen.live {
            self.say_above(format_args!("  {mark} {took:>7}  {summary}"));
            let rest = [if word == "done" { "" } else { word }, &detail];
            let rest: Vec<&str> = rest.into_iter().filter(|part| !part.is_empty()).collect();
            if !rest.is_empty() {
                self.say_above(format_args!("             {}", paint.dim(rest.join(": "))));
            }
        } else {
            let detail = if detail.is_empty() {
                detail
            } else {
                format!(": {detail}")
            };
            let took = if took.is_empty() {
                took
            } else {
                format!(" {took}")
            };
            let whose = state.whose(action);
            self.screen
                .say(format_args!("    {whose}{word}{took}{detail}"));
        }
    }

    fn seen(
        &self,
        state: &mut State,
        action: &ActionId,
        seen: &str,
        elapsed: Duration,
        limit: Option<Duration>,
        done: Option<(u64, u64)>,
    ) {
        let whose = state.whose(action);
        let mut all = state.current.iter_mut();
        let Some(current) = all.find(|current| current.action == *action) else {
            return;
        };
        let share = done.map_or(String::new(), |(done, total)| {
            format!("{}%  ", percent(done, total))
        });
        let seen = format!("{share}{}", printable(seen));
        let is_news = is_news(current, &seen, current.told.elapsed(), done);
        if let Some(bar) = &current.bar {
            let limit = limit.map_or(String::new(), |limit| {
                format!(" of {}", duration_text(limit.as_secs()))
            });
            bar.set_prefix(format!("{}{limit}", short(elapsed)));
            bar.set_message(seen);
        } else if !self.screen.live && is_news {
            self.screen
                .say(format_args!("    {whose}{} {seen}", short(elapsed)));
            current.seen = seen;
            current.told = Instant::now();
            current.counted = done.or(current.counted);
        }
    }

    /// Each table of a replication, above the line that changes.
    fn replicated(&self, facts: &ReplicationFacts) {
        const MARGIN: &str = "             ";
        let width = self.screen.width().saturating_sub(MARGIN.len());
        let lines: Vec<String> = replication::tables(facts, width)
            .into_iter()
            .map(|line| format!("{MARGIN}{}", self.screen.err.dim(line)))
            .collect();
        if lines.is_empty() {
            return;
        }
        self.say_above(lines.join("\n"));
    }

    fn preflight(&self, state: &mut State, observation: &Observation) {
        let paint = self.screen.err;
        if !state.preflight_shown {
            self.screen.say("");
            self.screen.say(paint.bold("Before the first effect"));
            state.preflight_shown = true;
        }
        self.screen.say(format_args!(
            "  {} {}",
            paint.green("✓"),
            printable(&observation.to_string())
        ));
    }

    /// What isn't about one action.
    fn whole_run(&self, state: &mut State, record: &Record) {
        let paint = self.screen.err;
        let line = match &record.entry.event {
            Event::Header(header) => format!(
                "Run {} of \"{}\" in {} (account {}, region {})",
                paint.bold(&record.run),
                printable(&header.title),
                printable(&header.environment),
                header.account,
                header.region
            ),
            Event::Lease(lease) if record.epoch > 1 => {
                format!("taken up again by {}", printable(&lease.operator))
            }
            Event::Aborted { by, reason } => {
                format!("given up by {}: {}", printable(by), printable(reason))
            }
            Event::Observed {
                preflight: Some(_),
                observation,
            } => {
                self.preflight(state, observation);
                return;
            }
            _ => return,
        };
        self.screen.say(line);
    }
}

impl State {
    /// An action that is under way.
    fn of(&self, action: &ActionId) -> Option<&Current> {
        self.current.iter().find(|it| it.action == *action)
    }

    /// The step that an action stands in, where others go on beside it: `Switch: `.
    fn whose(&self, action: &ActionId) -> String {
        let known = self.actions.get(action);
        known.map_or(String::new(), |known| known.whose.clone())
    }

    /// What an action is for, and of which step where others go on beside it.
    fn named(&self, action: &ActionId) -> String {
        let known = self.actions.get(action);
        let summary = known.map_or(action.as_str(), |known| known.summary.as_str());
        format!("{}{summary}", self.whose(action))
    }

    /// What comes behind an action, as far as that is decided.
    fn next(&self, action: &ActionId) -> Option<&str> {
        let mut known = self.actions.get(action)?;
        while let Some(next) = &known.next {
            known = self.actions.get(next)?;
            if !self.is_other_way(next) {
                return Some(&known.summary);
            }
        }
        known.after.as_deref()
    }

    /// Whether an action stands on the way of an `if` that wasn't taken.
    fn is_other_way(&self, action: &ActionId) -> bool {
        self.actions.get(action).is_some_and(|known| {
            known.only_if.iter().any(|guard| {
                let went = self.decisions.get(&guard.decision);
                went.is_some_and(|holds| *holds != guard.holds)
            })
        })
    }
}

impl Observer for Progress {
    fn record(&self, record: &Record) {
        let mut state = self.state();
        let state = &mut *state;
        let Entry {
            action: Some(action),
            event,
            ..
        } = &record.entry
        else {
            self.whole_run(state, record);
            return;
        };
        let paint = self.screen.err;
        let (good, bad, open) = (paint.green("✓"), paint.red("✗"), paint.yellow("!"));
        match event {
            Event::Started | Event::Intent(_) => self.begin(state, action),
            Event::Observed {
                observation: Observation::Condition { seen, attended, .. },
                ..
            } => {
                let elapsed = Duration::from_millis(*attended);
                self.seen(state, action, seen, elapsed, None, None);
            }
            Event::Observed {
                observation: Observation::Replication { facts, .. },
                ..
            } => self.replicated(facts),
            Event::Outcome(Outcome::Done { how, detail, proof }) => {
                self.finish(state, action, &good, how_word(*how), detail);
                match proof {
                    Some(Proof::Replicated { facts, .. }) => self.replicated(facts),
                    Some(Proof::Decided { holds }) => {
                        state.decisions.insert(action.clone(), *holds);
                    }
                    _ => {}
                }
            }
            Event::Outcome(Outcome::Failed { failure }) => {
                self.finish(
                    state,
                    action,
                    &bad,
                    &paint.red("failed"),
                    &failure.to_string(),
                );
            }
            Event::Unknown { failure } => {
                self.finish(
                    state,
                    action,
                    &open,
                    &paint.yellow("can't be decided"),
                    &failure.to_string(),
                );
            }
            Event::Approved { by, .. } => self.finish(state, action, &good, "approved", by),
            Event::Skipped { reason } if state.is_other_way(action) => {
                let (mark, word) = (paint.dim("·"), paint.dim("not taken"));
                self.finish(state, action, &mark, &word, reason);
            }
            Event::Skipped { reason } => {
                self.finish(state, action, &open, &paint.yellow("skipped"), reason)
            }
            Event::Suspended { failure, .. } => {
                self.finish(
                    state,
                    action,
                    &open,
                    &paint.yellow("suspended"),
                    &failure.to_string(),
                );
            }
            _ => {}
        }
    }

    fn tick(&self, tick: &Tick) {
        let mut state = self.state();
        self.begin(&mut state, &tick.action);
        let Tick { action, seen, .. } = tick;
        self.seen(
            &mut state,
            action,
            seen,
            tick.elapsed,
            tick.limit,
            tick.done,
        );
    }
}

/// Whether a line that stays is worth it: what moves on all the time is told when it got further, and from time to time.
fn is_news(current: &Current, seen: &str, told: Duration, done: Option<(u64, u64)>) -> bool {
    if current.seen.is_empty() || told >= REPEAT {
        return true;
    }
    match (done, current.counted) {
        // The first count is a change of what it is at.
        (Some(_), None) => seen != current.seen,
        (Some(_), Some(_)) => done != current.counted && told >= FURTHER,
        (None, Some(_)) => false,
        (None, None) => seen != current.seen,
    }
}

/// Whole percents; 100 only when all is done.
fn percent(done: u64, total: u64) -> u128 {
    if done >= total {
        return 100;
    }
    (u128::from(done) * 100 / u128::from(total)).min(99)
}

fn how_word(how: How) -> &'static str {
    match how {
        How::Done => "done",
        How::Adopted => "done by an earlier attempt",
        How::AlreadySo => "already so",
        How::ByHand => "done by hand",
    }
}

/// The lines that change: what is done, how long, what was last seen (on a line of its own, if that is a lot), and what is next.
fn dress(bar: &ProgressBar, summary: &str, next: Option<&str>, says_a_lot: bool) {
    let next = next.map_or(String::new(), |next| {
        format!("\n    next: {}", braces(next))
    });
    let template = format!(
        "  {{spinner}} {}  {{prefix:.cyan}}{}{{wide_msg:.dim}}{next}",
        braces(summary),
        if says_a_lot { "\n    " } else { " " }
    );
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
}

/// Keeps user text from being read as a part of the template.
fn braces(text: &str) -> String {
    text.replace('{', "{{")
        .replace('}', "}}")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{Current, Known, Place, State, is_news};
    use rbk_core::ids::ActionId;
    use rbk_core::plan::Guard;
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    fn told(seen: &str, counted: Option<(u64, u64)>) -> Current {
        Current {
            action: ActionId::from("copy#1"),
            since: Instant::now(),
            seen: seen.to_owned(),
            told: Instant::now(),
            counted,
            bar: None,
        }
    }

    /// `Look#1` decides, `#2` is done where it holds, `#3` where it doesn't, `#4` either way.
    fn deciding() -> State {
        let known = |number: u8, holds: Option<bool>| Known {
            summary: format!("action {number}"),
            limit: None,
            place: Place::OnFailure,
            whose: String::new(),
            next: (number < 4).then(|| ActionId::from(format!("Look#{}", number + 1).as_str())),
            after: Some("step \"Tell\"".to_owned()),
            waits: false,
            waits_for_person: false,
            says_a_lot: false,
            only_if: Vec::from_iter(holds.map(|holds| Guard {
                decision: ActionId::from("Look#1"),
                holds,
            })),
        };
        let ways = [(1, None), (2, Some(true)), (3, Some(false)), (4, None)];
        let id = |number: u8| ActionId::from(format!("Look#{number}").as_str());
        State {
            actions: ways
                .map(|(number, way)| (id(number), known(number, way)))
                .into(),
            steps: 1,
            shown: None,
            preflight_shown: false,
            current: Vec::new(),
            decisions: BTreeMap::new(),
        }
    }

    #[test]
    fn what_comes_next_is_never_on_the_way_that_was_not_taken() {
        let mut state = deciding();
        let next = |state: &State, action: &str| {
            let next = state.next(&ActionId::from(action));
            next.map(str::to_owned).unwrap()
        };
        state.decisions.insert(ActionId::from("Look#1"), true);
        assert_eq!(next(&state, "Look#1"), "action 2");
        assert_eq!(next(&state, "Look#2"), "action 4");
        assert_eq!(next(&state, "Look#4"), "step \"Tell\"");
        state.decisions.insert(ActionId::from("Look#1"), false);
        assert_eq!(next(&state, "Look#1"), "action 3");
        assert_eq!(next(&state, "Look#3"), "action 4");
    }

    #[test]
    fn a_long_load_does_not_flood_a_log() {
        let after = Duration::from_secs;
        let loading = told("running: 3 of 34 tables, 1 row", Some((3, 34)));
        let further = "running: 3 of 34 tables, 2 rows";
        assert!(!is_news(&loading, further, after(30), Some((3, 34))));
        assert!(!is_news(&loading, further, after(30), None));
        assert!(!is_news(&loading, further, after(9), Some((4, 34))));
        assert!(is_news(&loading, further, after(10), Some((4, 34))));
        assert!(is_news(&loading, further, after(60), Some((3, 34))));
        assert!(is_news(&loading, further, after(60), None));
    }

    #[test]
    fn a_new_phase_is_told_at_once_and_the_same_one_is_not() {
        let after = Duration::from_secs;
        let phase = told("initializing", None);
        assert!(is_news(&phase, "testing the connections", after(1), None));
        assert!(is_news(
            &phase,
            "running: 0 of 34 tables",
            after(1),
            Some((0, 34))
        ));
        assert!(!is_news(&phase, "initializing", after(59), None));
        assert!(is_news(&phase, "initializing", after(60), None));
        assert!(is_news(&told("", None), "initializing", after(0), None));
    }
}
