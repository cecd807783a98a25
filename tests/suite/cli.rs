//! Using the command line, rightly and wrongly.

use crate::process::{rbk, said};
use std::process::Stdio;

#[track_caller]
fn says(arguments: &[&str]) -> String {
    said(&rbk(arguments).output().expect("rbk starts"))
}

#[test]
fn rbk_alone_tells_what_to_type() {
    insta::assert_snapshot!(says(&[]));
}

#[test]
fn every_wrong_use_exits_64_and_tells_what_to_type_next() {
    let cases: &[&[&str]] = &[
        &["pla"],
        &["plan"],
        &["plan", "a.rbk", "b.rbk"],
        &["run", "a.rbk", "--aprove", "all"],
        &["resume"],
        &["resolve", "1f3a9c02", "Restore#1"],
        &[
            "resolve",
            "1f3a9c02",
            "Restore#1",
            "--as",
            "perhaps",
            "--because",
            "x",
        ],
        &["drill", "a.rbk", "--rows", "0"],
        &["drill", "a.rbk", "--disaster", "flood"],
        &["drill", "a.rbk", "--tamper", "documents"],
        &["sandbox"],
        &["env"],
        &["check", "a.rbk", "--set", "max_loss"],
        &["check", "a.rbk", "--set", "a=1", "--set", "a=2"],
        &["sandbox", "ledger"],
        &[
            "sandbox",
            "ledger",
            "--endpoint",
            "https://rds.eu-central-1.amazonaws.com",
        ],
    ];
    for case in cases {
        let output = rbk(case).output().expect("rbk starts");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(64), "{case:?}: {text}");
        assert!(output.stdout.is_empty(), "{case:?}: {text}");
        let tells = ["Usage:", "help:", "--help", "for instance"];
        assert!(
            tells.iter().any(|word| text.contains(word)),
            "{case:?}: {text}"
        );
    }
}

#[test]
fn a_misspelt_command_is_suggested() {
    assert!(says(&["dril"]).contains("a similar subcommand exists: 'drill'"));
}

#[test]
fn help_is_data_and_names_the_exit_codes() {
    let output = rbk(&["--help"]).output().expect("rbk starts");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    insta::assert_snapshot!(String::from_utf8(output.stdout).expect("UTF-8"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = rbk(&["plan", "runbooks/quick-recovery.rbk"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rbk starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("rbk ends");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stderr.is_empty(), "{}", said(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let output = rbk(&["plan", "runbooks/quick-recovery.rbk"])
        .stdout(full)
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("writing the result"));
}
