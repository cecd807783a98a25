//! The GitHub Action: its script for real, in a real repository, with a `gh` that keeps what it is told; its YAML as it is read.

use super::Repository;
use crate::process::root;
use saphyr::{LoadableYamlNode, Yaml};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

const QUICK: &str = "runbooks/quick-recovery.rbk";

/// A `gh` that keeps comments in a folder: `ID` holds a body, `ID.type` who wrote it. It answers and refuses as the real one does.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
printf '%q ' "$@" >> "$FAKE/calls"; printf '\n' >> "$FAKE/calls"
[[ ${GH_TOKEN:-} == token-of-the-job ]] || { echo 'gh: no token' >&2; exit 4; }
[[ $1 == api ]]; shift
method=GET; body=; jq=; url=
while (($# > 0)); do
  case $1 in
    --method) method=$2; shift 2 ;;
    -F) [[ $2 == body=@* ]]; body=${2#body=@}; shift 2 ;;
    --jq) jq=$2; shift 2 ;;
    --paginate | --silent) shift ;;
    repos/*) url=$1; shift ;;
    *) echo "gh: what is $1?" >&2; exit 1 ;;
  esac
done
case $method in
  GET)
    [[ $url == 'repos/octo/org/issues/7/comments?per_page=100' ]]
    [[ $jq =~ ^'.[] | select(.user.type == "Bot") | select(.body | startswith("'(.+)'")) | .id'$ ]]
    marker=${BASH_REMATCH[1]}
    for file in "$FAKE"/comments/*.type; do
      id=$(basename "$file" .type)
      [[ $(cat "$file") == Bot && $(head -c ${#marker} "$FAKE/comments/$id") == "$marker" ]] && echo "$id"
    done
    true ;;
  POST)
    [[ $url == repos/octo/org/issues/7/comments ]]
    [[ ! -e $FAKE/refuse ]] || { echo 'gh: Resource not accessible by integration (HTTP 403)' >&2; exit 1; }
    id=$((100 + $(ls "$FAKE/comments" | wc -l)))
    cp "$body" "$FAKE/comments/$id"; printf Bot > "$FAKE/comments/$id.type" ;;
  PATCH)
    [[ $url =~ ^repos/octo/org/issues/comments/([0-9]+)$ ]]
    cp "$body" "$FAKE/comments/${BASH_REMATCH[1]}" ;;
esac
"#;

/// A pull request: a repository with a base branch, a `gh`, and what GitHub sets.
struct PullRequest {
    repository: Repository,
    fake: tempfile::TempDir,
}

struct Reviewed {
    code: Option<i32>,
    log: String,
    summary: String,
    output: String,
}

impl PullRequest {
    fn new() -> Self {
        let repository = Repository::new();
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        let fake = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(fake.path().join("comments")).expect("it can be made");
        let gh = fake.path().join("gh");
        std::fs::write(&gh, GH).expect("it can be written");
        std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755))
            .expect("it can be run");
        Self { repository, fake }
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.fake.path().join(name)
    }

    fn review(&self, inputs: &[(&str, &str)]) -> Reviewed {
        let path = std::env::var("PATH").unwrap_or_default();
        let (summary, output) = (self.kept("summary"), self.kept("output"));
        for file in [&summary, &output] {
            std::fs::write(file, "").expect("it can be written");
        }
        let mut command = Command::new("bash");
        command
            .arg(root().join("action/review.sh"))
            .current_dir(self.repository.path(""))
            .env_clear()
            .env("PATH", format!("{}:{path}", self.fake.path().display()))
            .env("HOME", self.fake.path())
            .env("FAKE", self.fake.path())
            .env("CI", "true")
            .env("RBK_BINARY", env!("CARGO_BIN_EXE_rbk"))
            .env("RBK_FILES", "runbooks/*.rbk")
            .env("RBK_ENVIRONMENT", "prod")
            .env("RBK_COMMENT", "true")
            .env("RBK_DIFF_BASE", "main")
            .env("RBK_PULL_REQUEST", "7")
            .env("GH_TOKEN", "token-of-the-job")
            .env("GITHUB_REPOSITORY", "octo/org")
            .env("GITHUB_RUN_ID", "42")
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_OUTPUT", &output);
        for (name, value) in inputs {
            command.env(name, value);
        }
        let done = command.output().expect("bash starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Reviewed {
            code: done.status.code(),
            log: text(&done.stdout) + &text(&done.stderr),
            summary: std::fs::read_to_string(summary).expect("UTF-8"),
            output: std::fs::read_to_string(output).expect("UTF-8"),
        }
    }

    /// The comments, by their numbers.
    fn comments(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = std::fs::read_dir(self.kept("comments"))
            .expect("a folder")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_none())
            .map(|path| {
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                (name, std::fs::read_to_string(path).expect("UTF-8"))
            })
            .collect();
        found.sort();
        found
    }
}

#[test]
fn a_change_gets_one_comment_that_is_updated() {
    let pull = PullRequest::new();
    pull.repository.edit(QUICK, "within 60m", "within 90m");
    let first = pull.review(&[]);
    assert_eq!(first.code, Some(0), "{}", first.log);
    assert_eq!(first.output, "differs=true\n");
    let comments = pull.comments();
    let [(_, body)] = comments.as_slice() else {
        panic!("{comments:?} {}", first.log);
    };
    assert!(body.starts_with("<!-- rbk-review: prod -->\n"), "{body}");
    for words in [
        "<h2>What changes: <code>Quick recovery</code></h2>",
        "<code>1h</code></td><td><code>1h30m</code>",
        "<details><summary>The whole plan</summary>",
        "Nothing changes in what is done by <code>runbooks/backup-audit.rbk</code>",
        "https://github.com/octo/org/actions/runs/42",
    ] {
        assert!(body.contains(words), "no {words} in {body}");
        assert!(first.summary.contains(words), "no {words} in the summary");
    }

    pull.repository.edit(QUICK, "within 90m", "within 95m");
    assert_eq!(pull.review(&[]).code, Some(0));
    let comments = pull.comments();
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(comments[0].1.contains("<code>1h35m</code>"));

    // Taken back: the comment says so instead of staying wrong.
    pull.repository.edit(QUICK, "within 95m", "within 60m");
    let last = pull.review(&[]);
    assert_eq!(last.output, "differs=false\n");
    let comments = pull.comments();
    assert_eq!(comments.len(), 1);
    assert!(!comments[0].1.contains("What changes"));
    assert!(comments[0].1.contains("Nothing changes in what is done by"));
}

#[test]
fn somebody_elses_comment_and_another_environments_are_left_alone() {
    let pull = PullRequest::new();
    pull.repository.edit(QUICK, "within 60m", "within 90m");
    let theirs = "<!-- rbk-review: prod -->\nmine";
    std::fs::write(pull.kept("comments/50"), theirs).expect("written");
    std::fs::write(pull.kept("comments/50.type"), "User").expect("written");
    assert_eq!(pull.review(&[]).code, Some(0));
    assert_eq!(
        pull.review(&[("RBK_ENVIRONMENT", "parcels"), ("RBK_FILES", QUICK)])
            .code,
        Some(0)
    );
    assert_eq!(pull.review(&[]).code, Some(0));
    let comments = pull.comments();
    assert_eq!(comments.len(), 3, "{comments:?}");
    assert_eq!(
        comments.iter().filter(|(_, body)| body == theirs).count(),
        1
    );
    assert_eq!(
        comments
            .iter()
            .filter(|(_, body)| body.starts_with("<!-- rbk-review: parcels -->\n"))
            .count(),
        1
    );
}

#[test]
fn where_nothing_changes_nobody_is_bothered() {
    let pull = PullRequest::new();
    let done = pull.review(&[]);
    assert_eq!(done.code, Some(0), "{}", done.log);
    assert!(pull.comments().is_empty());
    assert!(done.summary.contains("Nothing changes in what is done by"));
    // Nor where no comment is wanted, or it is no pull request.
    pull.repository.edit(QUICK, "within 60m", "within 90m");
    assert_eq!(pull.review(&[("RBK_COMMENT", "false")]).code, Some(0));
    assert_eq!(pull.review(&[("RBK_PULL_REQUEST", "")]).code, Some(0));
    assert!(pull.comments().is_empty());
}

#[test]
fn what_is_wrong_fails_and_is_annotated_and_told() {
    let pull = PullRequest::new();
    pull.repository.edit(
        QUICK,
        "restore target from snap",
        "restore target form snap",
    );
    let done = pull.review(&[]);
    assert_eq!(done.code, Some(1), "{}", done.log);
    assert!(
        done.log
            .contains("::error file=runbooks/quick-recovery.rbk,line="),
        "{}",
        done.log
    );
    let comments = pull.comments();
    assert!(comments[0].1.contains("can't be planned"), "{comments:?}");
    assert!(comments[0].1.contains("RBK"));
}

#[test]
fn a_token_that_may_not_write_is_no_failure_of_the_review() {
    let pull = PullRequest::new();
    pull.repository.edit(QUICK, "within 60m", "within 90m");
    std::fs::write(pull.kept("refuse"), "").expect("written");
    let done = pull.review(&[]);
    assert_eq!(done.code, Some(0), "{}", done.log);
    assert!(
        done.log
            .contains("::warning title=rbk::the comment could not be written"),
        "{}",
        done.log
    );
    assert!(done.summary.contains("What changes"));
}

#[test]
fn without_something_to_compare_with_the_whole_plan_is_told() {
    let pull = PullRequest::new();
    for (base, reason) in [("no-such", "there is no revision `no-such`"), ("none", "")] {
        let done = pull.review(&[("RBK_DIFF_BASE", base), ("RBK_FILES", QUICK)]);
        assert_eq!(done.code, Some(0), "{}", done.log);
        assert!(
            done.summary
                .contains("<h2>Plan: <code>Quick recovery</code></h2>"),
            "{}",
            done.summary
        );
        assert!(done.summary.contains(reason), "{}", done.summary);
    }
}

#[test]
fn the_base_is_what_the_pull_request_is_merged_into() {
    let pull = PullRequest::new();
    pull.repository.edit(QUICK, "within 60m", "within 90m");
    pull.repository.commit("Wait longer");
    // GitHub's merge of both, while the base has gone on.
    pull.repository.git(&["checkout", "--quiet", "main"]);
    pull.repository.edit(
        "runbooks/repair-original.rbk",
        "runbook \"",
        "# a word\nrunbook \"",
    );
    pull.repository.commit("A word");
    pull.repository
        .git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "change"]);
    let done = pull.review(&[
        ("RBK_DIFF_BASE", ""),
        ("GITHUB_BASE_REF", "main"),
        ("GITHUB_REF", "refs/pull/7/merge"),
    ]);
    assert_eq!(done.code, Some(0), "{}", done.log);
    assert!(
        done.summary.contains("<code>1h30m</code>"),
        "{}",
        done.summary
    );

    // A clone of the last commit alone fetches it.
    let shallow = PullRequest::new();
    shallow.repository.edit(QUICK, "within 60m", "within 90m");
    shallow.repository.commit("Wait longer");
    let from = format!("file://{}", shallow.repository.path("").display());
    let clone = tempfile::tempdir().expect("a folder");
    let cloned = super::git(clone.path())
        .args([
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=change",
            &from,
            ".",
        ])
        .status()
        .expect("git starts");
    assert!(cloned.success());
    let there = PullRequest {
        repository: Repository(clone),
        fake: shallow.fake,
    };
    let done = there.review(&[("RBK_DIFF_BASE", ""), ("GITHUB_BASE_REF", "main")]);
    assert_eq!(done.code, Some(0), "{}", done.log);
    assert!(
        done.summary.contains("<code>1h30m</code>"),
        "{} {}",
        done.summary,
        done.log
    );
}

#[test]
fn nothing_that_comes_in_is_run() {
    let pull = PullRequest::new();
    let marker = pull.kept("owned");
    let command = format!(
        "$(touch {0}) `touch {0}`; touch {0}; \" ' || touch {0}",
        marker.display()
    );
    let name = "runbooks/$(touch owned) `touch owned` ; & <b>@octocat</b>\n::error::x.rbk";
    pull.repository.write(name, pull.repository.read(QUICK));
    pull.repository
        .write("runbooks/-rf.rbk", pull.repository.read(QUICK));
    pull.repository.write(
        "runbooks/told.rbk",
        "runbook \"Told\"\n\nstep \"A\" {\n  note \"x\n::add-mask::e\n::set-output name=a::b\n\"\n  restor\n}\n",
    );
    let done = pull.review(&[]);
    assert_eq!(done.code, Some(1), "{}", done.log);
    for input in [
        "RBK_FILES",
        "RBK_ENVIRONMENT",
        "RBK_DIFF_BASE",
        "RBK_COMMENT",
        "RBK_PULL_REQUEST",
        "GITHUB_BASE_REF",
    ] {
        pull.review(&[(input, &command)]);
        let before = pull.review(&[
            ("RBK_FILES", QUICK),
            (input, &format!("--version\n{command}")),
        ]);
        assert!(before.code.is_some());
    }
    assert!(!marker.exists());
    assert!(!pull.repository.path("owned").exists());
    // What a runbook says is no command to the runner: such lines stand only where commands are stopped.
    let mut stopped: Option<String> = None;
    for line in done.log.lines() {
        if let Some(token) = line.strip_prefix("::stop-commands::") {
            stopped = Some(format!("::{token}::"));
        } else if stopped.as_deref() == Some(line) {
            stopped = None;
        } else if stopped.is_none() && line.trim_start().starts_with("::") {
            assert!(
                line.starts_with("::error file=") || line.starts_with("::warning file="),
                "{line}"
            );
        }
    }
    let body = &pull.comments()[0].1;
    assert!(!body.contains("<b>@octocat"), "{body}");
}

#[test]
fn many_runbooks_fit_into_one_comment_and_what_does_not_is_counted() {
    let pull = PullRequest::new();
    let text = pull.repository.read("runbooks/full-recovery.rbk");
    for number in 0..12 {
        pull.repository
            .write(&format!("runbooks/copy-{number}.rbk"), &text);
    }
    let done = pull.review(&[(
        "RBK_FILES",
        "runbooks/copy-*.rbk\n\n  runbooks/quick-recovery.rbk  \n",
    )]);
    assert_eq!(done.code, Some(0), "{}", done.log);
    let body = &pull.comments()[0].1;
    assert!(body.len() < 65_536, "{} bytes", body.len());
    assert!(
        body.contains("of 12</b> runbooks did not fit in here"),
        "{}",
        &body[body.len() - 800..]
    );
    assert!(done.summary.len() > body.len() && done.summary.len() < 1 << 20);
}

#[test]
fn no_runbook_is_an_error() {
    let pull = PullRequest::new();
    let done = pull.review(&[("RBK_FILES", "nowhere/*.rbk")]);
    assert_eq!(done.code, Some(1));
    assert!(done.log.contains("::error title=rbk::no runbook matches"));
}

/// All texts below a node, with where they stand.
fn texts(node: &Yaml<'_>, path: &str, found: &mut Vec<(String, String)>) {
    if let Some(members) = node.as_mapping() {
        for (name, member) in members {
            texts(
                member,
                &format!("{path}.{}", name.as_str().unwrap_or("?")),
                found,
            );
        }
    } else if let Some(items) = node.as_vec() {
        for (index, item) in items.iter().enumerate() {
            texts(item, &format!("{path}[{index}]"), found);
        }
    } else if let Some(text) = node.as_str() {
        found.push((path.to_owned(), text.to_owned()));
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect("it is shipped")
}

#[test]
fn the_action_hands_its_inputs_over_as_variables_only() {
    let text = read("action.yml");
    let documents = Yaml::load_from_str(&text).expect("it is YAML");
    let [action] = documents.as_slice() else {
        panic!("one document");
    };
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    let mut all = Vec::new();
    texts(action, "", &mut all);
    let scripts: Vec<_> = all
        .iter()
        .filter(|(path, _)| path.ends_with(".run"))
        .collect();
    assert_eq!(scripts.len(), 2);
    for (path, script) in scripts {
        assert!(!script.contains("${{"), "{path}: {script}");
        let file = script
            .split("$GITHUB_ACTION_PATH/")
            .nth(1)
            .expect("a script of the action")
            .trim_end_matches('"');
        assert!(root().join(file).is_file(), "{file}");
    }
    for step in action["runs"]["steps"].as_vec().expect("steps") {
        assert_eq!(step["shell"].as_str(), Some("bash"));
    }
    // Each input is used, and each that is used is declared and described.
    let inputs = action["inputs"].as_mapping().expect("inputs");
    for (name, input) in inputs {
        let name = name.as_str().expect("a name");
        assert!(
            text.contains(&format!("inputs.{name}")),
            "{name} is never used"
        );
        assert!(
            input["description"]
                .as_str()
                .is_some_and(|words| words.len() > 20),
            "{name}"
        );
    }
    for used in text.split("inputs.").skip(1) {
        let name: String = used
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '-')
            .collect();
        assert!(
            inputs.keys().any(|key| key.as_str() == Some(&name)),
            "{name} isn't declared"
        );
    }
    // What the scripts read is what the action sets.
    let scripts = read("action/review.sh") + &read("action/install.sh");
    for (path, _) in all.iter().filter(|(path, _)| path.contains(".env.")) {
        let name = path.rsplit('.').next().expect("a name");
        assert!(
            name == "GH_TOKEN" || scripts.contains(name),
            "{name} is read by nothing"
        );
    }
}

#[test]
fn the_example_has_the_least_permissions_and_knows_the_action() {
    let text = read("docs/examples/pull-request.yml");
    let documents = Yaml::load_from_str(&text).expect("it is YAML");
    let workflow = &documents[0];
    let permissions = workflow["permissions"].as_mapping().expect("permissions");
    let granted: Vec<(&str, &str)> = permissions
        .iter()
        .filter_map(|(name, level)| Some((name.as_str()?, level.as_str()?)))
        .collect();
    assert_eq!(granted, [("contents", "read"), ("pull-requests", "write")]);
    assert!(workflow["on"].as_mapping().is_some_and(
        |on| on.len() == 1 && on.keys().all(|key| key.as_str() == Some("pull_request"))
    ));
    let steps = workflow["jobs"]["review"]["steps"].as_vec().expect("steps");
    let action_text = read("action.yml");
    let action = Yaml::load_from_str(&action_text).expect("it is YAML");
    let inputs = action[0]["inputs"].as_mapping().expect("inputs");
    let ours = steps.last().expect("a step");
    for name in ours["with"].as_mapping().expect("inputs").keys() {
        assert!(
            inputs.keys().any(|input| input == name),
            "{name:?} is no input of the action"
        );
    }
    let mut all = Vec::new();
    texts(workflow, "", &mut all);
    assert!(!all.iter().any(|(path, _)| path.ends_with(".run")));
}
