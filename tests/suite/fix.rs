//! `rbk check --fix`: what is mended, what is only shown, and which files are touched.

use crate::process::{rbk, said};
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

const PROD: &str = "runbooks/environments/prod.toml";

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Checks files of a folder against the shipped environment.
fn check(folder: &TempDir, arguments: &[&str]) -> Output {
    let paths: Vec<String> = arguments
        .iter()
        .map(|argument| match argument.strip_prefix("--") {
            Some(_) => (*argument).to_owned(),
            None => folder.path().join(argument).display().to_string(),
        })
        .collect();
    let mut all = vec!["check", "--env", PROD];
    all.extend(paths.iter().map(String::as_str));
    rbk(&all).output().unwrap()
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

/// Without the name of the temporary folder.
fn stable(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

/// A runbook around preconditions that is right if they are.
fn requiring(lines: &str) -> String {
    format!(
        "runbook \"R\"\nparam max_loss: duration = 24h\nparam rows: integer = 1\nparam room: size = 1gb\nrequire original is available\n{lines}\nstep \"S\" {{\n  assert checks of original pass\n}}\n"
    )
}

/// What is mended without asking: the line as it was, the line as it is then, and the code that is gone.
const SAFE: &[(&str, &str, &str)] = &[
    (
        "requir original exists",
        "require original exists",
        "RBK0004",
    ),
    (
        "require orignal exists",
        "require original exists",
        "RBK1001",
    ),
    (
        "require original exits",
        "require original exists",
        "RBK0001",
    ),
    ("require rows = 1", "require rows == 1", "RBK0018"),
    ("require rows === 1", "require rows == 1", "RBK0018"),
    ("require rows <> 1", "require rows != 1", "RBK0018"),
    (
        "require rows == 1 && rows < 2",
        "require rows == 1 and rows < 2",
        "RBK0018",
    ),
    (
        "require rows == 1 || rows < 2",
        "require rows == 1 or rows < 2",
        "RBK0018",
    ),
    (
        "require max_loss < 5min",
        "require max_loss < 5m",
        "RBK0014",
    ),
    (
        "require max_loss < 5 hours",
        "require max_loss < 5h",
        "RBK0014",
    ),
    ("require max_loss < 2w", "require max_loss < 14d", "RBK0014"),
    ("require room < 10GB", "require room < 10gb", "RBK0014"),
    (
        "require now > 2026-01-01 09:15:00Z",
        "require now > 2026-01-01T09:15:00Z",
        "RBK0017",
    ),
    (
        "require rows == 1 else 'no'",
        "require rows == 1 else \"no\"",
        "RBK0013",
    ),
    (
        "require rows == 1 else “no”",
        "require rows == 1 else \"no\"",
        "RBK0013",
    ),
    ("require rows == 1;", "require rows == 1", "RBK0001"),
    ("require max-loss < 2h", "require max_loss < 2h", "RBK0023"),
    ("require agee(now) < 2h", "require age(now) < 2h", "RBK1007"),
];

#[test]
fn what_can_only_have_been_meant_is_mended() {
    for (wrong, right, code) in SAFE {
        let folder = folder(&[("it.rbk", &requiring(wrong))]);
        let before = said(&check(&folder, &["it.rbk"]));
        assert!(before.contains(code), "{wrong}: {code}\n{before}");
        let output = check(&folder, &["it.rbk", "--fix"]);
        assert_eq!(
            read(&folder, "it.rbk"),
            requiring(right),
            "{wrong}\n{}",
            said(&output)
        );
        assert_eq!(output.status.code(), Some(0), "{wrong}\n{}", said(&output));
        assert!(
            said(&output).contains(&format!("({code})")),
            "{wrong}\n{}",
            said(&output)
        );
    }
}

/// What is shown only: it guesses, adds something, or one of several is meant.
const SHOWN: &[&str] = &[
    "require rows == 1 else \"no",
    "require !original exists",
    "require max_loss < 5M",
    "require now > 2026-01-01T09:15:00",
    "require now > 2026-01-01",
    "require max_loss < 5",
    "require (rows == 1 and rows < 2",
    "require rows == 1 else \"a } b\"",
    "require rows == 1 else \"a \\d b\"",
];

#[test]
fn what_somebody_must_decide_is_left_alone() {
    for wrong in SHOWN {
        let text = requiring(wrong);
        let folder = folder(&[("it.rbk", &text)]);
        let output = check(&folder, &["it.rbk", "--fix"]);
        assert_eq!(output.status.code(), Some(1), "{wrong}\n{}", said(&output));
        assert_eq!(read(&folder, "it.rbk"), text, "{wrong}\n{}", said(&output));
    }
}

#[test]
fn a_statement_that_does_something_is_never_added() {
    let text = "runbook \"R\"\nrequire sgpt uses original\nstep \"S\" {\n  restore recovery from latest snapshot of original\n  await recovery is available\n}\n";
    let folder = folder(&[("it.rbk", text)]);
    let output = check(&folder, &["it.rbk", "--fix"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(read(&folder, "it.rbk"), text);
}

#[test]
fn mistakes_behind_others_are_mended_as_well_and_the_rest_is_told() {
    let text = "runbok \"R\"\r\nparam max-loss: duration = 5min\r\nrequir orignal is availabel && max_loss < 1h\r\nrequire sgpt uses nothing_like_it\r\nstep 'S' {\r\n\tassert checks of orignal pass;\r\n}\r\n";
    let folder = folder(&[("it.rbk", text)]);
    let output = check(&folder, &["it.rbk", "--fix"]);
    insta::assert_snapshot!(stable(&said(&output), folder.path()));
    insta::assert_snapshot!(read(&folder, "it.rbk").replace('\r', "␍"));
}

#[test]
fn without_fix_it_is_offered_and_nothing_is_written() {
    let text = requiring("requir orignal exists");
    let folder = folder(&[("it.rbk", &text)]);
    let output = check(&folder, &["it.rbk"]);
    assert!(
        said(&output).ends_with("1 of them can be mended by `rbk check --fix`\n"),
        "{}",
        said(&output)
    );
    assert_eq!(read(&folder, "it.rbk"), text);
}

#[test]
fn the_json_document_says_what_was_mended_and_what_is_left() {
    let folder = folder(&[(
        "it.rbk",
        &requiring("require orignal exists\nrequire nowhere exists"),
    )]);
    let output = check(&folder, &["it.rbk", "--fix", "--format=json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(output.stderr.is_empty(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    insta::assert_snapshot!(stable(&text, folder.path()));
}

#[test]
fn files_that_were_not_given_are_not_touched() {
    let main = "runbook \"R\"\nuse \"shared.rbk\"\nrequire original is available\nstep \"S\" {\n  do look(original)\n}\n";
    let shared = "procedure look(db: database) {\n  assrt checks of db pass\n}\n";
    let folder = folder(&[("main.rbk", main), ("shared.rbk", shared)]);
    let output = check(&folder, &["main.rbk", "--fix"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(read(&folder, "shared.rbk"), shared);
    // Given as well, it is mended, although it is no runbook on its own.
    let output = check(&folder, &["main.rbk", "shared.rbk", "--fix"]);
    assert_eq!(
        read(&folder, "shared.rbk"),
        shared.replace("assrt", "assert"),
        "{}",
        said(&output)
    );
    let output = check(&folder, &["main.rbk", "--fix"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn one_of_several_that_could_be_meant_is_only_shown() {
    let text =
        requiring("let one = age(latest snapshot of original)\nlet ond = one\nrequire onx < 2h");
    let folder = folder(&[("it.rbk", &text)]);
    let output = check(&folder, &["it.rbk", "--fix"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(read(&folder, "it.rbk"), text, "{}", said(&output));
}
