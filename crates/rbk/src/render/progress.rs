//! What a run shows while it goes: a subscriber to the journal's records. On a terminal the current action is a line
//! that changes; elsewhere every change is a line of its own.

use super::colour::{Screen, printable};
use super::replication;
use super::time::short;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rbk_core::ids::ActionId;
use rbk_core::journal::{Entry, Event, How, Observation, Outcome, Proof, Record, ReplicationFacts};
use rbk_core::plan::{Action, Expr, Plan, PlannedAction};
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
    state: Mutex<State>,
}

struct State {
    actions: BTreeMap<ActionId, Known>,
    steps: usize,
    shown_step: Option<Place>,
    preflight_shown: bool,
    current: Option<Current>,
}

/// What the plan says of an action.
struct Known {
    summary: String,
    limit: Option<u64>,
    place: Place,
    next: Option<String>,
    waits_for_person: bool,
    /// Whether what is seen of it says a lot, and so wants a line of its own.
    says_a_lot: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Step { number: usize, title: String },
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
        let mut learn = |list: &[PlannedAction], place: &Place, after: Option<&str>| {
            for (index, planned) in list.iter().enumerate() {
                let next = list.get(index + 1).map(|next| printable(&next.summary));
                actions.insert(
                    planned.id.clone(),
                    Known {
                        summary: printable(&planned.summary),
                        limit: planned.upper_bound.filter(|seconds| *seconds > 0),
                        place: place.clone(),
                        next: next.or_else(|| after.map(|title| format!("step \"{title}\""))),
                        waits_for_person: matches!(planned.action, Action::Approve { .. }),
                        says_a_lot: matches!(
                            planned.action,
                            Action::Await {
                                condition: Expr::Complete { .. },
                                ..
                            }
                        ),
                    },
                );
            }
        };
        for (index, step) in plan.steps.iter().enumerate() {
            let title = printable(step.path.as_str());
            let after = plan
                .steps
                .get(index + 1)
                .map(|next| printable(next.path.as_str()));
            let place = Place::Step {
                number: index + 1,
                title,
            };
            learn(&step.actions, &place, after.as_deref());
        }
        learn(&plan.on_failure, &Place::OnFailure, None);
        learn(&plan.cleanup, &Place::Cleanup, None);
        Self {
            screen,
            state: Mutex::new(State {
                actions,
                steps: plan.steps.len(),
                shown_step: None,
                preflight_shown: false,
                current: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, state: &mut State, action: &ActionId) {
        if state
            .current
            .as_ref()
            .is_some_and(|current| current.action == *action)
        {
            return;
        }
        self.clear(state);
        let Some(known) = state.actions.get(action) else {
            return;
        };
        if state.shown_step.as_ref() != Some(&known.place) {
            let heading = match &known.place {
                Place::Step { number, title } => {
                    format!("Step {number} of {}: {title}", state.steps)
                }
                Place::OnFailure => "On failure".to_owned(),
                Place::Cleanup => "Removing what the run made for its own use".to_owned(),
            };
            self.screen.say("");
            self.screen.say(self.screen.err.bold(heading));
            state.shown_step = Some(known.place.clone());
        }
        let bar = (self.screen.live && !known.waits_for_person)
            .then(|| bar(&known.summary, known.next.as_deref(), known.says_a_lot));
        if !self.screen.live {
            let limit = known.limit.map_or(String::new(), |seconds| {
                format!(" (at most {})", duration_text(seconds))
            });
            self.screen
                .say(format_args!("  - {}{limit}", known.summary));
        }
        let now = Instant::now();
        state.current = Some(Current {
            action: action.clone(),
            since: now,
            seen: String::new(),
            told: now,
            counted: None,
            bar,
        });
    }

    fn clear(&self, state: &mut State) {
        if let Some(bar) = state.current.take().and_then(|current| current.bar) {
            bar.finish_and_clear();
        }
    }

    /// A line between those of the run.
    pub fn say(&self, line: &str) {
        let state = self.state();
        match state
            .current
            .as_ref()
            .and_then(|current| current.bar.as_ref())
        {
            Some(bar) => bar.suspend(|| self.screen.say(line)),
            None => self.screen.say(line),
        }
    }

    /// The last lines of an action: its mark, how long it took, what it was for, and what was seen.
    fn finish(&self, state: &mut State, action: &ActionId, mark: &str, word: &str, detail: &str) {
        let current = state
            .current
            .as_ref()
            .filter(|current| current.action == *action);
        let took = current.map_or_else(String::new, |current| short(current.since.elapsed()));
        self.clear(state);
        let paint = self.screen.err;
        let detail = printable(detail);
        if self.screen.live {
            let summary = state
                .actions
                .get(action)
                .map_or(action.as_str(), |known| known.summary.as_str());
            self.screen
                .say(format_args!("  {mark} {took:>7}  {summary}"));
            let rest = [if word == "done" { "" } else { word }, &detail];
            let rest: Vec<&str> = rest.into_iter().filter(|part| !part.is_empty()).collect();
            if !rest.is_empty() {
                self.screen
                    .say(format_args!("             {}", paint.dim(rest.join(": "))));
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
            self.screen.say(format_args!("    {word}{took}{detail}"));
        }
    }

    fn seen(
        &self,
        state: &mut State,
        seen: &str,
        elapsed: Duration,
        limit: Option<Duration>,
        done: Option<(u64, u64)>,
    ) {
        let Some(current) = &mut state.current else {
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
                .say(format_args!("    {} {seen}", short(elapsed)));
            current.seen = seen;
            current.told = Instant::now();
            current.counted = done.or(current.counted);
        }
    }

    /// Each table of a replication, above the line that changes.
    fn replicated(&self, state: &State, facts: &ReplicationFacts) {
        const MARGIN: &str = "             ";
        let width = self.screen.width().saturating_sub(MARGIN.len());
        let lines: Vec<String> = replication::tables(facts, width)
            .into_iter()
            .map(|line| format!("{MARGIN}{}", self.screen.err.dim(line)))
            .collect();
        if lines.is_empty() {
            return;
        }
        let bar = state
            .current
            .as_ref()
            .and_then(|current| current.bar.as_ref());
        match bar {
            Some(bar) => bar.suspend(|| self.screen.say(lines.join("\n"))),
            None => self.screen.say(lines.join("\n")),
        }
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
                self.seen(state, seen, elapsed, None, None);
            }
            Event::Observed {
                observation: Observation::Replication { facts, .. },
                ..
            } => self.replicated(state, facts),
            Event::Outcome(Outcome::Done { how, detail, proof }) => {
                self.finish(state, action, &good, how_word(*how), detail);
                if let Some(Proof::Replicated { facts, .. }) = proof {
                    self.replicated(state, facts);
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
        self.seen(&mut state, &tick.seen, tick.elapsed, tick.limit, tick.done);
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
fn bar(summary: &str, next: Option<&str>, says_a_lot: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
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
    bar
}

/// Keeps user text from being read as a part of the template.
fn braces(text: &str) -> String {
    text.replace('{', "{{")
        .replace('}', "}}")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{Current, is_news};
    use rbk_core::ids::ActionId;
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
