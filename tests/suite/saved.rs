//! Saved plans: written, shown, performed exactly and once, or refused with what to do.

use crate::account::{Account, PATIENCE};
use crate::process::{finish, rbk, root, said};
use std::path::Path;
use std::process::Output;

/// What a runbook needs, away from the workspace, so that a test may change it.
struct Folder(tempfile::TempDir);

const RUNBOOK: &str = "runbook.rbk";
const ENVIRONMENT: &str = "./team.toml";
const PLAN: &str = "a.rbkplan";

const TEXT: &str = r#"runbook "Look and tell"
use "shared.rbk"
require original is available
step "Look" {
  do look_at(original)
  analyze original
}
"#;

const SHARED: &str = r#"procedure look_at(it: database) {
  assert it accepts connections
}
"#;

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for name in ["team.toml", "team.lock.toml"] {
            let text = std::fs::read_to_string(root().join("tests/lang").join(name)).unwrap();
            folder.write(name, &text);
        }
        folder.write(RUNBOOK, TEXT);
        folder.write("shared.rbk", SHARED);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    #[track_caller]
    fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{old}");
        self.write(name, &text.replace(old, new));
    }

    fn rbk(&self, arguments: &[&str]) -> Output {
        let mut command = rbk(arguments);
        command
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            // Nothing is ever reached: what gets so far fails at once.
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "canary-of-the-credentials");
        finish(&mut command, PATIENCE)
    }

    #[track_caller]
    fn save(&self) {
        let output = self.rbk(&["plan", RUNBOOK, "--env", ENVIRONMENT, "--out", PLAN]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }

    fn run(&self) -> String {
        self.stable(&self.rbk(&["run", PLAN]))
    }

    /// Without what is another each time.
    fn stable(&self, output: &Output) -> String {
        let mut text = said(output);
        if let Ok(plan) = std::fs::read_to_string(self.path().join(PLAN))
            && let Ok(plan) = serde_json::from_str::<serde_json::Value>(&plan)
        {
            for (key, name) in [("id", "‹id›"), ("saved_at", "‹time›")] {
                text = text.replace(plan[key].as_str().unwrap_or("?"), name);
            }
        }
        text.replace(env!("CARGO_PKG_VERSION"), "‹version›")
    }
}

#[test]
fn what_to_type_with_a_saved_plan_is_told_with_its_holes() {
    let folder = Folder::new();
    let arguments = ["plan", RUNBOOK, "--env", ENVIRONMENT, "--out", PLAN];
    let text = said(&folder.rbk(&arguments));
    assert!(
        text.contains("next, once it is reviewed: `rbk run a.rbkplan`"),
        "{text}"
    );
    folder.replace(
        RUNBOOK,
        "step \"Look\"",
        "param wait: duration\nstep \"Look\"",
    );
    folder.replace(RUNBOOK, "  analyze", "  note \"{wait}\"\n  analyze");
    let text = said(&folder.rbk(&arguments));
    assert!(text.contains("`rbk run a.rbkplan --set wait=…`"), "{text}");
    // Nobody reads more than seconds.
    let plan: serde_json::Value = serde_json::from_str(&folder.read(PLAN)).unwrap();
    assert_eq!(
        plan["saved_at"].as_str().unwrap().len(),
        "2026-11-22T09:15:00Z".len()
    );
}

#[test]
fn every_refusal_says_what_is_wrong_and_what_to_do() {
    let folder = Folder::new();
    folder.save();
    let whole = folder.read(PLAN);
    let mut told = String::new();
    let mut tell = |what: &str, text: String| {
        told.push_str(&format!("==== {what}\n{text}\n"));
    };
    let json = folder.rbk(&["plan", RUNBOOK, "--env", ENVIRONMENT, "--format", "json"]);
    let json = String::from_utf8(json.stdout).unwrap();
    let middle = &whole[..whole.len() / 2];
    let newer = whole.replacen("\"rbk_plan\": 1", "\"rbk_plan\": 2", 1);
    let edited = whole.replacen("team-db", "team-bd", 1);
    let files: [(&str, &str); 8] = [
        ("a plan of Terraform", "PK\u{3}\u{4}\u{14}"),
        (
            "a plan of Terraform as JSON",
            "{\"format_version\":\"1.2\",\"terraform_version\":\"1.9.0\"}",
        ),
        ("the JSON of rbk plan", &json),
        ("any JSON", "{\"a\": [1, 2]}"),
        ("cut off", middle),
        ("empty", ""),
        ("changed", &edited),
        ("of a newer format", &newer),
    ];
    for (what, text) in files {
        folder.write(PLAN, text);
        tell(what, folder.run());
        let shown = folder.rbk(&["plan", PLAN]);
        assert_eq!(shown.status.code(), Some(1), "{what}: {}", said(&shown));
    }
    folder.write(PLAN, &whole);

    let change = |name: &str, old: &str, new: &str| {
        let before = folder.read(name);
        folder.replace(name, old, new);
        let text = folder.run();
        folder.write(name, &before);
        text
    };
    let text = change(RUNBOOK, "  analyze", "  note \"Now\"\n  analyze");
    tell("another runbook", text);
    tell(
        "a runbook that is wrong now",
        change(RUNBOOK, "step", "stepp"),
    );
    tell(
        "another used file",
        change("shared.rbk", "accepts connections", "is available"),
    );
    tell(
        "another environment",
        change("team.toml", "db.r6g.large", "db.r6g.xlarge"),
    );
    tell(
        "an environment that is wrong now",
        change("team.toml", "region", "regions"),
    );
    let lock = folder.read("team.lock.toml");
    let column = lock
        .lines()
        .find(|line| line.contains("jsonb"))
        .expect("a column of JSON")
        .to_owned();
    let text = change("team.lock.toml", &column, &column.replace("jsonb", "json"));
    tell("another lock file", text);

    std::fs::remove_file(folder.path().join("shared.rbk")).unwrap();
    tell("a file that isn't there", folder.run());
    folder.write("shared.rbk", SHARED);
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join(PLAN), elsewhere.path().join(PLAN)).unwrap();
    let output = finish(rbk(&["run", PLAN]).current_dir(elsewhere.path()), PATIENCE);
    tell("another folder", folder.stable(&output));

    let other = folder.rbk(&["run", PLAN, "--env", "./other.toml"]);
    tell("another --env", folder.stable(&other));
    let set = folder.rbk(&["run", PLAN, "--set", "loss=1h"]);
    tell("a value for no hole", folder.stable(&set));
    let twice = folder.rbk(&["run", PLAN, "--set", "a=1", "--set", "a=2"]);
    tell("given twice", folder.stable(&twice));
    let runbook = folder.rbk(&["run", RUNBOOK, "--env", ENVIRONMENT, "--without-inputs"]);
    tell("--without-inputs of a runbook", folder.stable(&runbook));
    let out = folder.rbk(&["plan", PLAN, "--out", "b.rbkplan"]);
    tell("saving a saved plan", folder.stable(&out));
    insta::assert_snapshot!(told);
    assert!(!folder.path().join("state").exists(), "a run was begun");
}

#[test]
fn what_says_the_same_is_the_same() {
    let folder = Folder::new();
    folder.save();
    // It gets as far as AWS, which isn't there.
    let reaches_aws = |what: &str| {
        let output = folder.rbk(&["run", PLAN, "--alone"]);
        assert_eq!(output.status.code(), Some(4), "{what}: {}", said(&output));
        std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    };
    for name in [RUNBOOK, "shared.rbk", "team.toml", "team.lock.toml", PLAN] {
        let text = folder.read(name);
        folder.write(name, &text.replace('\n', "\r\n"));
    }
    let text = folder.read("team.toml");
    folder.write("team.toml", &format!("# a comment\r\n{text}\r\n"));
    reaches_aws("with other ends of lines, and a comment in the environment");
    folder.write("reviewed", &folder.read(PLAN));
    let output = folder.rbk(&["run", "reviewed", "--alone", "--env", ENVIRONMENT]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
}

#[test]
fn no_secret_is_in_it_and_nothing_but_a_saved_plan_is_overwritten() {
    let folder = Folder::new();
    let out = |file: &str| folder.rbk(&["plan", RUNBOOK, "--env", ENVIRONMENT, "--out", file]);
    folder.save();
    let first = folder.read(PLAN);
    assert!(first.starts_with("{\n  \"rbk_plan\": 1,\n"), "{first}");
    assert!(!first.contains("canary"));
    assert!(!first.contains(folder.path().to_str().unwrap()), "{first}");
    folder.save();
    assert_ne!(folder.read(PLAN), first, "each has an id of its own");
    for precious in [RUNBOOK, "team.toml"] {
        let before = folder.read(precious);
        let refused = out(precious);
        assert_eq!(refused.status.code(), Some(64), "{}", said(&refused));
        assert_eq!(folder.read(precious), before);
    }
    assert_eq!(out("no/such/folder.rbkplan").status.code(), Some(4));
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [PLAN, RUNBOOK, "shared.rbk", "team.lock.toml", "team.toml"]
    );
}

#[test]
fn a_saved_plan_is_shown_as_the_runbook_was_and_says_what_changed() {
    let folder = Folder::new();
    folder.save();
    let planned = folder.rbk(&["plan", RUNBOOK, "--env", ENVIRONMENT]);
    let shown = folder.rbk(&["plan", PLAN, "--env", ENVIRONMENT]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    assert_eq!(shown.stdout, planned.stdout);
    let detailed = folder.rbk(&["plan", PLAN, "--detailed-exitcode"]);
    assert_eq!(detailed.status.code(), Some(2));
    folder.replace("team.toml", "db.r6g.large", "db.r6g.xlarge");
    let shown = folder.rbk(&["plan", PLAN]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    assert_eq!(shown.stdout, planned.stdout);
    let warned = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(
        warned.contains("was `db.r6g.large`, is `db.r6g.xlarge`"),
        "{warned}"
    );
}

/// The actions of a plan file or of a stored plan.
fn actions(plan: &serde_json::Value) -> Vec<String> {
    plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["actions"].as_array().unwrap())
        .map(|action| action["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn exactly_the_saved_plan_is_performed_once() {
    let account = Account::start();
    let plan = account.home().join("quick.rbkplan");
    let plan = plan.to_str().unwrap();
    let saved = account.finish(&[
        "plan",
        crate::account::RUNBOOK,
        "--env",
        "prod",
        "--out",
        plan,
    ]);
    assert_eq!(saved.status.code(), Some(0), "{}", said(&saved));
    let run = |more: &[&str]| {
        let mut all = vec!["run", plan];
        all.extend(more);
        account.finish(&all)
    };

    // A run that changed nothing doesn't use it up.
    account.plant("GetCallerIdentity:1-9:denied");
    let early = run(&["--approve", "all"]);
    account.clear();
    let waiting = account.only_run();
    let held = run(&["--approve", "all"]);
    assert_eq!(
        held.status.code(),
        Some(1),
        "{}{}",
        said(&early),
        said(&held)
    );
    let text = said(&held);
    assert!(
        text.contains("RBK4112") && text.contains(&waiting),
        "{text}"
    );
    assert!(text.contains(&format!("rbk resume {waiting}")), "{text}");
    let given_up = account.finish(&["abort", &waiting, "--env", "prod"]);
    assert_eq!(
        account.effects(),
        Vec::<String>::new(),
        "{}",
        said(&given_up)
    );

    let done = run(&["--approve", "all"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let runs = account.runs();
    assert_eq!(runs.len(), 2);
    let last = runs.iter().find(|run| **run != waiting).unwrap();

    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    let planned = actions(&document["plan"]);
    let folder = account.store().join(last);
    let journal = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let performed: Vec<&str> = records
        .iter()
        // An approval is its own proof.
        .filter(|record| record["type"] == "outcome" || record["type"] == "approved")
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    assert_eq!(performed, planned);
    assert_eq!(records[0]["body"]["saved"]["id"], document["id"]);
    assert_eq!(records[0]["body"]["saved"]["sha256"], document["sha256"]);

    let effects = account.effects();
    let again = run(&["--approve", "all"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    let text = said(&again);
    assert!(text.contains("RBK4112") && text.contains(last), "{text}");
    assert_eq!(account.effects(), effects);
}

#[test]
fn a_plan_without_its_inputs_is_performed_where_that_is_said_and_the_journal_says_so() {
    let folder = Folder::new();
    folder.save();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join(PLAN), elsewhere.path().join(PLAN)).unwrap();
    let output = finish(
        rbk(&["run", PLAN, "--without-inputs", "--alone"])
            .current_dir(elsewhere.path())
            .env("XDG_STATE_HOME", elsewhere.path())
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "x"),
        PATIENCE,
    );
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("--without-inputs"),
        "{}",
        said(&output)
    );
    let store = elsewhere.path().join("rbk/123456789012/eu-central-1");
    let run = std::fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("journal.jsonl"))
        .find(|path| path.is_file())
        .unwrap();
    let journal = std::fs::read_to_string(run).unwrap();
    let header: serde_json::Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    let unseen = header["body"]["saved"]["unseen"].as_array().unwrap();
    assert_eq!(unseen.len(), 4, "{unseen:?}");
}

#[test]
fn holes_are_filled_within_their_bounds_or_nothing_is_begun() {
    let folder = Folder::new();
    let text = r#"runbook "With holes"
param loss: duration where loss <= 1d
param why: text
require age(latest snapshot of original) <= loss
step "Tell" {
  note "Because {why}"
}
"#;
    folder.write(RUNBOOK, text);
    folder.save();
    let mut told = String::new();
    let cases: [&[&str]; 6] = [
        &[],
        &["--set", "loss=1h"],
        &["--set", "loss=2d", "--set", "why=x"],
        &["--set", "loss=10gb", "--set", "why=x"],
        &["--set", "los=1h", "--set", "why=x"],
        &["--set", "loss=1h", "--set", "loss=2h"],
    ];
    for set in cases {
        let mut all = vec!["run", PLAN];
        all.extend(set);
        let text = folder.stable(&folder.rbk(&all));
        told.push_str(&format!("==== {}\n{text}\n", set.join(" ")));
    }
    for command in ["run", "drill"] {
        let output = folder.rbk(&[command, RUNBOOK, "--env", ENVIRONMENT]);
        told.push_str(&format!("==== rbk {command} FILE\n{}\n", said(&output)));
    }
    insta::assert_snapshot!(told);
    assert!(!folder.path().join("state").exists(), "a run was begun");

    let output = folder.rbk(&[
        "run",
        PLAN,
        "--alone",
        "--set",
        "loss=6h",
        "--set",
        "why=it 'was'",
    ]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let store = folder.path().join("state/rbk/123456789012/eu-central-1");
    let plan = std::fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("plan.json"))
        .find(|path| path.is_file())
        .unwrap();
    let performed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&folder.read(PLAN)).unwrap();
    assert_eq!(performed["parameters"][0]["value"]["value"], 21_600);
    assert_eq!(performed["parameters"][1]["value"]["value"], "it 'was'");
    for part in ["steps", "preflight", "on_failure", "environment", "runbook"] {
        assert_eq!(performed[part], saved["plan"][part], "{part}");
    }
}

#[test]
fn a_plan_of_another_rbk_is_shown_and_not_performed() {
    let folder = Folder::new();
    folder.save();
    let mut plan: serde_json::Value = serde_json::from_str(&folder.read(PLAN)).unwrap();
    plan["rbk"] = "0.0.9".into();
    plan.as_object_mut().unwrap().remove("sha256");
    let hash = rbk_core::plan::saved::digest(&plan).unwrap();
    plan["sha256"] = hash.into();
    folder.write(PLAN, &plan.to_string());
    insta::assert_snapshot!(folder.run());
    let shown = folder.rbk(&["plan", PLAN]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    assert!(
        said(&shown).contains("would refuse to run it"),
        "{}",
        said(&shown)
    );
}
