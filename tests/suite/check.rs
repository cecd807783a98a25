//! `rbk check` and `rbk env`: what is said about files, and as what exit code.

use crate::process::{rbk, root, said};
use std::path::Path;

#[track_caller]
fn output(arguments: &[&str]) -> std::process::Output {
    rbk(arguments).output().expect("rbk starts")
}

/// A folder with a runbook in it, beside the shipped environments.
fn runbook(text: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("it.rbk");
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("UTF-8").to_owned();
    (folder, file)
}

/// Without the name of the temporary folder.
fn stable(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

const PROD: &str = "runbooks/environments/prod.toml";

#[test]
fn a_right_runbook_is_told_in_one_line() {
    insta::assert_snapshot!(said(&output(&["check", "runbooks/quick-recovery.rbk"])), @r#"
    exit 0
    ---- stderr
    ✓ runbooks/quick-recovery.rbk: "Quick recovery" is right for prod: 3 steps, 20 actions
    "#);
}

#[test]
fn several_errors_are_told_in_one_go() {
    let (folder, file) = runbook(
        "runbook \"Wrong\"\n\nparam max: duration = 4\nstep \"A\" {\n  restor recovery\n  await orginal is available\n}\n",
    );
    let output = output(&["check", &file, "--env", PROD]);
    insta::assert_snapshot!(stable(&said(&output), folder.path()));
}

#[test]
fn the_json_document_is_alone_on_stdout() {
    let (folder, file) = runbook("runbook \"Wrong\"\nstep \"A\" {\n  restor recovery\n}\n");
    let output = output(&["check", &file, "--env", PROD, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    serde_json::from_str::<serde_json::Value>(&text).expect("one JSON document");
    insta::assert_snapshot!(stable(&text, folder.path()));
}

#[test]
fn all_files_are_checked_and_one_wrong_is_enough() {
    let (_folder, file) = runbook("runbook \"Wrong\"\nstep \"A\" {\n  restor recovery\n}\n");
    let output = output(&["check", "runbooks/quick-recovery.rbk", &file, "--env", PROD]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

#[test]
fn bad_files_end_in_a_diagnostic() {
    let deep = format!(
        "runbook \"Deep\"\nrequire {}true{}\n",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    let big = format!(
        "runbook \"Big\"\n{}",
        "# a comment that goes on and on\n".repeat(330_000)
    );
    let long_line = format!(
        "runbook \"Long\"\nrequire {}\n",
        "true and ".repeat(500_000)
    );
    let cases: &[(&str, &[u8])] = &[
        ("not UTF-8", b"runbook \"A\"\n\xff\xfe\n"),
        ("deep", deep.as_bytes()),
        ("big", big.as_bytes()),
        ("long line", long_line.as_bytes()),
        ("empty", b""),
        ("zero bytes", &[0; 4096]),
    ];
    for (name, text) in cases {
        let (_folder, file) = runbook(text);
        let begun = std::time::Instant::now();
        let output = output(&["check", &file, "--env", PROD]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(text.contains("RBK0"), "{name}: {text}");
        assert!(text.len() < 20_000, "{name}: {} bytes are told", text.len());
        assert!(
            begun.elapsed().as_secs() < 20,
            "{name} takes {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    for arguments in [
        ["check", "runbooks/no-such.rbk", "--env", "prod"],
        [
            "check",
            "runbooks/quick-recovery.rbk",
            "--env",
            "no/such.toml",
        ],
        ["check", "runbooks/quick-recovery.rbk", "--env", "prd"],
        ["plan", "runbooks", "--env", "prod"],
    ] {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("error:"), "{}", said(&output));
    }
    insta::assert_snapshot!(said(&output(&["check", "runbooks/quick-recovery.rbk", "--env", "prd"])), @r"
    exit 1
    ---- stderr
    error: there is no environment `prd`
      help: did you mean `prod`? `runbooks/environments` has `parcels`, `prod`, `stage`
    ");
}

#[test]
fn an_environment_is_named_by_path_or_name_and_by_default() {
    for arguments in [
        vec!["env", "check"],
        vec!["env", "check", "--env", "prod"],
        vec!["env", "check", "--env", PROD],
    ] {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(
            said(&output).contains("account 123456789012"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn mistakes_in_an_environment_point_into_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    let text = std::fs::read_to_string(root().join(PROD)).expect("prod.toml");
    let text = text
        .replace("protect = true ", "protec = true ")
        .replace("\"123456789012\"", "\"1234\"");
    std::fs::write(&file, text).expect("written");
    let output = output(&["env", "check", "--env", file.to_str().expect("UTF-8")]);
    insta::assert_snapshot!(stable(&said(&output), folder.path()));
}

#[test]
fn the_schema_of_environments_is_json() {
    let output = output(&["env", "schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["properties"]["databases"].is_object(), "{schema}");
}

/// What is wrong with a value points at the text behind `--set`, and tells the condition that refuses it.
#[test]
fn values_outside_of_their_bounds_are_refused_where_they_were_given() {
    let (folder, file) = runbook(
        "runbook \"Bounds\"\n\nparam patience: duration = 1h where patience <= 2h\nparam at: time where at < now and at > 2026-11-01T00:00:00Z\nparam \
         rows: integer\n\nstep \"A\" {\n  note \"{patience} {at} {rows}\"\n}\n",
    );
    let with = |given: &[&str]| {
        let mut arguments = vec!["check", file.as_str(), "--env", PROD];
        arguments.extend(given.iter().flat_map(|given| ["--set", given]));
        stable(&said(&output(&arguments)), folder.path())
    };
    let told = [
        // A hole is no mistake; what is given for it is judged as far as it is known.
        with(&[]),
        with(&["at=2026-11-22T09:15:00Z", "rows=3", "patience=2h"]),
        with(&["at=2026-10-22T09:15:00Z", "patience=3h"]),
        with(&["at=2026-11-22T09:15:00", "rows=many"]),
        with(&["att=2026-11-22T09:15:00Z"]),
    ];
    insta::assert_snapshot!(told.join("\n=====\n"));
}

/// Line ends of Windows and tabs are read as any others, and places are right behind them.
#[test]
fn line_ends_of_windows_and_tabs_are_read() {
    let text = "runbook \"It\"\r\n\r\nparam at: time\r\n\twhere at < now\r\n\r\nstep \"A\" {\r\n\tif at < now\r\n\t\tand true {\r\n\t\tnote \"\"\"\r\n\t\t\tso\r\n\t\t\tit \
                is\"\"\"\r\n\t}\r\n\telse\r\n\t{\r\n\t\tnote \"{it}\"\r\n\t}\r\n}\r\n";
    let (folder, file) = runbook(text);
    let output = output(&["check", &file, "--env", PROD]);
    insta::assert_snapshot!(stable(&said(&output), folder.path()).replace('\r', "␍"));
}
