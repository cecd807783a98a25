//! Crashes: the quick recovery is killed around each of its effects and gone on with, and nobody can tell afterwards.
//!
//! The journal of an undisturbed run says how many effects there are; each of them gets a fresh account per kill point.

use crate::account::{Account, End, RUNBOOK, Running, assert_exit, assert_says, in_parallel};
use crate::process::said;
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// An undisturbed run: what it did, and how it left everything.
struct Undisturbed {
    intents: Vec<Value>,
    outcomes: Vec<Value>,
    effects: Vec<String>,
    end: End,
}

impl Undisturbed {
    fn run() -> Undisturbed {
        let account = Account::start();
        let output = account.run();
        assert_exit(&output, 0);
        let end = account.end();
        end.assert_recovered();
        let journal = account.journal();
        Undisturbed {
            outcomes: of_type(&journal, "outcome"),
            intents: of_type(&journal, "intent"),
            effects: account.effects(),
            end,
        }
    }

    /// Which of all outcomes, counted from 1, are those of effects that were sent.
    fn outcomes_of_effects(&self) -> Vec<usize> {
        let is_sent = |outcome: &Value| {
            let mut intents = self.intents.iter();
            intents.any(|intent| intent["action"] == outcome["action"])
        };
        let numbered = (1..).zip(&self.outcomes);
        numbered
            .filter(|(_, outcome)| is_sent(outcome))
            .map(|(nth, _)| nth)
            .collect()
    }

    /// Nothing twice, nothing forgotten, the same end, and a journal that is complete.
    fn assert_same(&self, account: &Account) {
        assert_eq!(account.effects(), self.effects);
        assert_eq!(account.end(), self.end);
        let journal = account.journal();
        let last = journal.last().expect("a record");
        assert_eq!(last["type"], "end", "{last}");
        assert_eq!(last["body"]["kind"], "done", "{last}");
        let outcomes = of_type(&journal, "outcome");
        assert_eq!(outcomes.len(), self.outcomes.len());
    }
}

#[test]
fn a_kill_around_any_effect_is_mended_by_resume() {
    let undisturbed = Undisturbed::run();
    let count = undisturbed.intents.len();
    assert!(count >= 10, "{:?}", undisturbed.intents);

    // What was never sent may still be on its way, which takes time to rule out: these go first.
    let mut cases: Vec<(String, Option<String>)> = Vec::new();
    for point in ["after-intent", "after-send"] {
        cases.extend((1..=count).map(|nth| (format!("{point}:{nth}"), None)));
    }
    let behind_effects = undisturbed.outcomes_of_effects();
    assert_eq!(behind_effects.len(), count);
    cases.extend(
        behind_effects
            .iter()
            .map(|nth| (format!("after-outcome:{nth}"), None)),
    );
    // A resume is killed like a run.
    let twice = |first: &str, second: &str| (first.to_owned(), Some(second.to_owned()));
    cases.push(twice("after-send:1", "after-send:1"));
    cases.push(twice("after-send:3", "after-intent:2"));
    cases.push(twice("after-intent:2", "after-send:1"));

    // The machine may die while an answer is on its way.
    for call in [
        "RestoreDBInstanceFromDBSnapshot",
        "PutSecretValue",
        "ModifyDBInstance",
        "UpdateSecretVersionStage",
    ] {
        cases.push((format!("{call}:1:after:hold=answer"), None));
    }

    in_parallel(&cases, |(first, second)| {
        if first.ends_with("hold=answer") {
            return killed_while_unanswered(first, &undisturbed);
        }
        let account = Account::start();
        let run = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
        assert_killed(&account, &run, first);
        let name = account.only_run();
        let resume = ["resume", &name, "--env", "prod", "--approve", "all"];
        if let Some(second) = second {
            assert_killed(&account, &resume, second);
        }
        let output = account.finish(&resume);
        assert_exit(&output, 0);
        undisturbed.assert_same(&account);
    });
}

/// Kills the process from outside, while the sandbox has applied a call and not yet answered it.
fn killed_while_unanswered(hold: &str, undisturbed: &Undisturbed) {
    let account = Account::start();
    account.plant(hold);
    let arguments = ["run", RUNBOOK, "--env", "prod", "--approve", "all"];
    let run = Running::start(account.rbk(&arguments));
    account.until_held("answer");
    run.signal(Signal::KILL);
    assert_eq!(run.end().status.signal(), Some(9));
    account.release("answer");
    let output = account.resume();
    assert_exit(&output, 0);
    undisturbed.assert_same(&account);
}

#[test]
fn a_kill_point_counts_for_sandboxes_only_and_must_be_one() {
    let output = crate::process::rbk(&["run", RUNBOOK, "--env", "prod", "--alone"])
        .env("RBK_KILL_AT", "sometime")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .expect("rbk starts");
    assert_exit(&output, 64);
    assert_says(&output, "RBK_KILL_AT is `sometime`, which is no kill point");
}

#[track_caller]
fn assert_killed(account: &Account, arguments: &[&str], point: &str) {
    let mut command = account.rbk(arguments);
    command.env("RBK_KILL_AT", point);
    let output: Output = crate::process::finish(&mut command, crate::account::PATIENCE);
    assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
}

fn of_type(journal: &[Value], name: &str) -> Vec<Value> {
    let records = journal.iter().filter(|record| record["type"] == name);
    records.cloned().collect()
}
