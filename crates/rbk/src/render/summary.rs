//! What is said when a run stops or ends, and what `rbk status` says of one.

use super::colour::{Paint, printable};
use super::time;
use crate::journals::Journals;
use rbk_core::plan::Plan;
use rbk_core::run::{Ending, EndingKind, Failed};
use rbk_core::status::{ActionStatus, EntityState, RunPhase, Status, StepStatus, Word};
use std::fmt::Write;

/// The last words of a run.
pub fn ending(
    paint: Paint,
    journals: &Journals,
    ending: &Ending,
    status: Option<&Status>,
) -> String {
    let mut out = String::from("\n");
    let took = status.map_or_else(String::new, |status| {
        format!(" after {}", time::seconds(status.seconds))
    });
    let kind = ending.kind;
    line(
        &mut out,
        paint_kind(kind, paint, kind_words(kind, status, &took)),
    );
    let cleanup = status.map_or(&[][..], |status| &status.cleanup);
    let is_cleanup = |failed: &Failed| {
        let action = failed.action.as_ref();
        cleanup.iter().any(|removed| Some(&removed.id) == action)
    };
    let others = ending.second.iter().chain(&ending.more).map(|failed| {
        let words = if is_cleanup(failed) {
            "then, cleaning up: "
        } else {
            "then, in `on failure`: "
        };
        (failed, words)
    });
    let first = ending.first.iter().map(|failed| (failed, ""));
    for (failed, words) in first.chain(others) {
        let place = failed
            .action
            .as_ref()
            .map_or_else(String::new, |action| format!("{action}: "));
        line(
            &mut out,
            format!(
                "  {} {words}{place}{}",
                failed.failure.code(),
                printable(&failed.failure.to_string())
            ),
        );
        let help = journals.complete(&failed.failure.help(), &ending.run);
        line(
            &mut out,
            format!("  {} {}", paint.cyan("help:"), printable(&help)),
        );
    }
    if let Some(status) = status {
        line(&mut out, "");
        steps(&mut out, &status.steps);
    }
    let by_hand: Vec<String> = ending
        .by_hand
        .iter()
        .map(|words| journals.complete(words, &ending.run))
        .collect();
    whereabouts(&mut out, paint, &ending.entities, &by_hand);
    line(&mut out, "");
    line(
        &mut out,
        format!("journal    {}", journals.of_run(&ending.run).display()),
    );
    if kind.is_resumable() && kind != EndingKind::Undecided {
        line(
            &mut out,
            format!(
                "go on      {}",
                paint.bold(journals.command("resume", &ending.run))
            ),
        );
    }
    out.trim_end().to_owned()
}

/// Where a run is.
pub fn status(paint: Paint, journals: &Journals, plan: &Plan, status: &Status) -> String {
    let mut out = String::new();
    line(
        &mut out,
        format!(
            "{} in {}: {}",
            paint.bold(printable(&status.title)),
            status.environment,
            phase_word(status, paint)
        ),
    );
    line(&mut out, format!("run        {}", status.run));
    line(
        &mut out,
        format!("runbook    {}", printable(&plan.runbook.file)),
    );
    let alone = if status.alone {
        ", alone: its lock excluded this machine only"
    } else {
        ""
    };
    line(
        &mut out,
        format!("operator   {}{alone}", printable(&status.operator)),
    );
    if let (Some(started), Some(last)) = (status.started_at, status.last_at) {
        line(
            &mut out,
            format!(
                "began      {started:.0}, last record {last:.0}, attended for {}",
                time::seconds(status.seconds)
            ),
        );
    }
    line(
        &mut out,
        format!("journal    {}", journals.of_run(&status.run).display()),
    );
    let others = status.second.iter().chain(&status.more);
    let failures = status.first.iter().map(|failed| (failed, "stopped by"));
    for (failed, words) in failures.chain(others.map(|failed| (failed, "then      "))) {
        line(
            &mut out,
            format!(
                "{words} {} {}",
                failed.failure.code(),
                printable(&failed.failure.to_string())
            ),
        );
        let help = journals.complete(&failed.failure.help(), &status.run);
        line(
            &mut out,
            format!("  {} {}", paint.cyan("help:"), printable(&help)),
        );
    }
    if is_open(status.phase) {
        let resume = journals.command("resume", &status.run);
        line(
            &mut out,
            format!(
                "           its journal has no end: if nobody runs it any more, go on with `{resume}`"
            ),
        );
    }
    if !status.observed.is_empty() {
        line(&mut out, format!("\n{}", paint.bold("Preflight")));
        for seen in &status.observed {
            line(
                &mut out,
                format!("  {} {}", paint.green("✓"), printable(seen)),
            );
        }
    }
    for step in &status.steps {
        line(
            &mut out,
            format!(
                "\n{}  {} {}",
                paint.bold(printable(step.path.as_str())),
                step_word(step),
                time::seconds(step.seconds)
            ),
        );
        for action in &step.actions {
            line(&mut out, action_line(action, paint));
        }
    }
    if status
        .on_failure
        .iter()
        .any(|action| action.state != Word::Pending)
    {
        line(&mut out, format!("\n{}", paint.bold("On failure")));
        for action in &status.on_failure {
            line(&mut out, action_line(action, paint));
        }
    }
    if status
        .cleanup
        .iter()
        .any(|action| action.state != Word::Pending)
    {
        line(&mut out, format!("\n{}", paint.bold("Cleanup")));
        for action in &status.cleanup {
            line(&mut out, action_line(action, paint));
        }
    }
    let by_hand: Vec<String> = status
        .by_hand
        .iter()
        .map(|words| journals.complete(words, &status.run))
        .collect();
    whereabouts(&mut out, paint, &status.entities, &by_hand);
    out
}

/// Whether a run goes on now, or was killed: its journal can't tell.
fn is_open(phase: RunPhase) -> bool {
    matches!(
        phase,
        RunPhase::Preflight | RunPhase::Running | RunPhase::Failing | RunPhase::CleaningUp
    )
}

/// The word for where a run is, painted.
pub fn phase_word(status: &Status, paint: Paint) -> String {
    match (status.phase, status.ending) {
        (RunPhase::Ended, Some(kind)) => paint_kind(kind, paint, short_kind_word(kind)),
        (RunPhase::Preflight, _) => paint.yellow("preflight"),
        (RunPhase::Running, _) => paint.yellow("running"),
        (RunPhase::Failing, _) => paint.red("on failure"),
        (RunPhase::CleaningUp, _) => paint.red("cleaning up"),
        (RunPhase::Suspended, _) => paint.yellow("suspended"),
        (RunPhase::Interrupted, _) => paint.yellow("interrupted"),
        (RunPhase::Undecided, _) => paint.red("undecided"),
        (RunPhase::Ended, None) => "over".to_owned(),
    }
}

/// The word for a whole step: the gravest among its actions; what was left out is never passed over.
pub fn step_word(step: &StepStatus) -> &'static str {
    let any = |word: Word| step.actions.iter().any(|action| action.state == word);
    let all = |word: Word| step.actions.iter().all(|action| action.state == word);
    match () {
        () if any(Word::Failed) => "failed",
        () if any(Word::Unknown) => "undecided",
        () if any(Word::Stopped) => "stopped",
        () if any(Word::Running) => "running",
        () if all(Word::Pending) => "pending",
        () if any(Word::Pending) => "begun",
        () if all(Word::Skipped) => "skipped",
        () if all(Word::NotTaken) => "not taken",
        () if any(Word::Skipped) => "done, partly skipped",
        () if any(Word::ByHand) => "done, partly by hand",
        () => "done",
    }
}

/// Each step and its time, a line each.
fn steps(out: &mut String, steps: &[StepStatus]) {
    let name = |step: &StepStatus| printable(step.path.as_str());
    let width = steps
        .iter()
        .map(|step| name(step).chars().count())
        .max()
        .unwrap_or(0);
    for step in steps {
        let padding = " ".repeat(width - name(step).chars().count());
        line(
            out,
            format!(
                "  {}{padding}  {:>7}  {}",
                name(step),
                time::seconds(step.seconds),
                step_word(step)
            ),
        );
        for action in &step.actions {
            // "Done" needs no more words; what was left out, done by others or failed does.
            if !matches!(action.state, Word::Done | Word::Pending | Word::Approved) {
                let detail = action
                    .detail
                    .as_deref()
                    .map_or_else(String::new, |detail| format!(": {}", printable(detail)));
                line(
                    out,
                    format!(
                        "    {} {}{detail}",
                        printable(&action.summary),
                        action.state
                    ),
                );
            }
        }
    }
}

fn action_line(action: &ActionStatus, paint: Paint) -> String {
    let mark = match action.state {
        Word::Done | Word::Adopted | Word::AlreadySo | Word::ByHand | Word::Approved => {
            paint.green("✓")
        }
        Word::Failed => paint.red("✗"),
        Word::Skipped | Word::Unknown | Word::Stopped => paint.yellow("!"),
        Word::Running => paint.cyan("…"),
        Word::Pending | Word::NotTaken => paint.dim("·"),
    };
    let mut text = format!(
        "  {mark} {}  {}",
        printable(&action.summary),
        paint.dim(format_args!("[{}]", action.id))
    );
    if action.state != Word::Pending {
        let detail = action
            .detail
            .as_deref()
            .map_or_else(String::new, |detail| format!(": {}", printable(detail)));
        let _ = write!(
            text,
            "\n      {} {}{detail}",
            action.state,
            time::seconds(action.seconds)
        );
    }
    text
}

fn whereabouts(out: &mut String, paint: Paint, entities: &[EntityState], by_hand: &[String]) {
    if !entities.is_empty() {
        line(
            out,
            format!("\n{}", paint.bold("What state everything is in")),
        );
        for entity in entities {
            line(
                out,
                format!(
                    "  {}: {}",
                    printable(&entity.entity),
                    printable(&entity.state)
                ),
            );
        }
    }
    if !by_hand.is_empty() {
        line(out, format!("\n{}", paint.bold("What to do now")));
        for words in by_hand {
            line(out, format!("  - {}", printable(words)));
        }
    }
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{text}");
}

/// How a run ended. `on failure` is told of only where there is one and the run came so far.
fn kind_words(kind: EndingKind, status: Option<&Status>, took: &str) -> String {
    let any = |actions: &[ActionStatus]| actions.iter().any(|it| it.state != Word::Pending);
    let is_undone = status.is_none_or(|status| any(&status.on_failure));
    let is_begun = is_undone
        || status.is_some_and(|status| status.steps.iter().any(|step| any(&step.actions)));
    let (word, more) = match kind {
        EndingKind::Done => ("Done", ""),
        EndingKind::Failed if !is_begun => {
            ("Failed", ", before the first effect: nothing was changed")
        }
        EndingKind::Failed if is_undone => ("Failed", "; `on failure` has run"),
        EndingKind::Failed => ("Failed", ""),
        EndingKind::Aborted if is_undone => ("Given up", "; `on failure` has run"),
        EndingKind::Aborted => ("Given up", ""),
        EndingKind::Suspended => ("Suspended", "; nothing was undone"),
        EndingKind::Interrupted => ("Interrupted", "; nothing was undone"),
        EndingKind::Undecided => (
            "Stopped",
            ": what became of an action could not be decided, a person must look",
        ),
    };
    format!("{word}{took}{more}")
}

fn short_kind_word(kind: EndingKind) -> &'static str {
    match kind {
        EndingKind::Done => "done",
        EndingKind::Failed => "failed",
        EndingKind::Aborted => "given up",
        EndingKind::Suspended => "suspended",
        EndingKind::Interrupted => "interrupted",
        EndingKind::Undecided => "undecided",
    }
}

fn paint_kind(kind: EndingKind, paint: Paint, text: impl std::fmt::Display) -> String {
    match kind {
        EndingKind::Done => paint.green(text),
        EndingKind::Failed | EndingKind::Undecided => paint.red(text),
        EndingKind::Aborted | EndingKind::Suspended | EndingKind::Interrupted => paint.yellow(text),
    }
}
