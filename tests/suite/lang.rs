//! Language cases: each `tests/lang/cases/NAME.rbk` is checked as a user would, and its snapshot shows all that was said.
//! A case with a `NAME.toml` beside it has an environment of its own; those whose names begin with `dms_` share one.

use crate::process::{rbk, root, said};
use std::collections::BTreeSet;

#[test]
fn every_case_says_what_its_snapshot_says() {
    let cases = root().join("tests/lang/cases");
    let mut names: Vec<String> = std::fs::read_dir(&cases)
        .expect("the cases are there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter_map(|name| name.strip_suffix(".rbk").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 160, "found only {names:?}");

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/lang/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut codes = BTreeSet::new();
    for name in &names {
        let file = format!("tests/lang/cases/{name}.rbk");
        let own = format!("tests/lang/cases/{name}.toml");
        let environment = match root().join(&own).exists() {
            true => own.as_str(),
            false if name.starts_with("dms_") => "tests/lang/dms.toml",
            false => "tests/lang/team.toml",
        };
        let output = rbk(&["check", &file, "--env", environment])
            .output()
            .expect("rbk starts");
        let text = said(&output);
        codes.extend(
            text.lines()
                .filter(|line| line.starts_with("RBK"))
                .map(|line| line.trim().to_owned()),
        );
        settings.bind(|| insta::assert_snapshot!(name.as_str(), text));
    }

    let untested: Vec<_> = rbk_core::check::CODES
        .iter()
        .chain(rbk_core::check::STATE_CODES)
        .map(|(code, title)| (code.0, title))
        .filter(|(code, _)| !codes.contains(*code))
        .collect();
    assert!(
        untested.is_empty(),
        "no case shows these diagnostics: {untested:?}"
    );
}

#[test]
fn the_shipped_runbooks_have_nothing_to_complain_about() {
    for environment in ["prod", "parcels"] {
        let output = rbk(&["check", "runbooks/quick-recovery.rbk", "--env", environment])
            .output()
            .expect("rbk starts");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let text = said(&output);
        assert!(!text.contains("RBK"), "{text}");
    }
}

/// The tests that show what the checker believes are where `tests/lang/beliefs.md` says.
#[test]
fn what_the_checker_believes_of_replications_is_shown_somewhere() {
    const TABLE: &str = "tests/lang/beliefs.md";
    let files = [
        (
            "beliefs",
            &["crates/rbk-postgres/tests/suite/beliefs.rs"][..],
        ),
        (
            "loads",
            &[
                "crates/rbk-sandbox/src/dms/load/tests/tables.rs",
                "crates/rbk-sandbox/src/dms/load/tests/lobs.rs",
                "crates/rbk-sandbox/src/dms/load/tests/errors.rs",
                "crates/rbk-sandbox/src/dms/load/tests/beliefs.rs",
            ],
        ),
        (
            "sandbox",
            &[
                "crates/rbk-sandbox/tests/sandbox/dms.rs",
                "crates/rbk-sandbox/tests/sandbox/dms_loads.rs",
                "crates/rbk-sandbox/tests/sandbox/dms_faults.rs",
                "crates/rbk-sandbox/tests/sandbox/applications.rs",
                "crates/rbk-sandbox/tests/sandbox/restores.rs",
            ],
        ),
    ];
    let read = |file: &str| std::fs::read_to_string(root().join(file)).expect(file);
    let texts: Vec<(&str, String)> = files
        .iter()
        .map(|(name, files)| (*name, files.iter().map(|file| read(file)).collect()))
        .collect();
    let table = read(TABLE);
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let words: Vec<&str> = line.split('`').collect();
        // The words in backticks are every second one.
        let quoted: Vec<&str> = words.iter().skip(1).step_by(2).copied().collect();
        for pair in quoted.windows(2) {
            let [place, test] = *pair else { continue };
            let Some((_, text)) = texts.iter().find(|(name, _)| *name == place) else {
                continue;
            };
            if !text.contains(&format!("async fn {test}()")) {
                wrong.push(format!("`{place}` has no test `{test}`"));
            }
        }
    }
    // The state pass's diagnostics of replications, destructions and frozen writes.
    let codes = rbk_core::check::STATE_CODES.iter();
    let of_replications = |code: &str| ("RBK2047"..="RBK2066").contains(&code);
    for (code, title) in codes.filter(|(code, _)| of_replications(code.0)) {
        if !table.contains(code.0) {
            wrong.push(format!("{code} isn't there: {title}"));
        }
    }
    assert!(wrong.is_empty(), "{TABLE}: {wrong:#?}");
}

/// Each rule of `rules.md` has tests, which are where it says, and cases that say the diagnostics of its row.
#[test]
fn every_rule_is_shown_somewhere() {
    const TABLE: &str = "tests/lang/rules.md";
    let read = |file: &str| std::fs::read_to_string(root().join(file)).ok();
    let file_of = |place: &str| match place.split_once('/') {
        Some(("suite", name)) => Some(format!("tests/suite/{name}.rs")),
        Some(("run", name)) => Some(format!("crates/rbk-core/src/run/tests/{name}.rs")),
        Some(("syntax", name)) => Some(format!("crates/rbk-syntax/tests/syntax/{name}.rs")),
        Some(("language", name)) => Some(format!("crates/rbk-core/tests/language/{name}.rs")),
        _ => match place {
            "saved" => Some("crates/rbk-core/src/plan/saved/tests.rs".to_owned()),
            "state" => Some("crates/rbk-core/src/state/tests.rs".to_owned()),
            _ => None,
        },
    };
    let table = read(TABLE).expect(TABLE);
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter(|line| !line.starts_with("| rule |") && !line.starts_with("| ---"));
    let (mut number, mut wrong) = (0, Vec::new());
    for row in rows {
        number += 1;
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [rule, codes, shown] = cells[..] else {
            wrong.push(format!("not three cells: {row}"));
            continue;
        };
        let mut said = String::new();
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() || !tests.len().is_multiple_of(2) {
            wrong.push(format!("{rule}: no pairs of place and test: {shown}"));
        }
        for pair in tests.chunks_exact(2) {
            let [place, test] = *pair else { continue };
            let is_there = if place == "case" {
                let snapshot = read(&format!("tests/lang/snapshots/{test}.snap"));
                said.push_str(snapshot.as_deref().unwrap_or_default());
                snapshot.is_some() && read(&format!("tests/lang/cases/{test}.rbk")).is_some()
            } else {
                let text = file_of(place).and_then(|file| read(&file));
                text.is_some_and(|text| text.contains(&format!("fn {test}()")))
            };
            if !is_there {
                wrong.push(format!("{rule}: `{place}` has no `{test}`"));
            }
        }
        let codes = codes.split([',', ' ']).filter(|code| !code.is_empty());
        for code in codes.filter(|code| !said.contains(&format!("{code}\n"))) {
            wrong.push(format!("{rule}: none of its cases says {code}"));
        }
    }
    assert!(number >= 50, "found only {number} rules");
    assert!(wrong.is_empty(), "{TABLE}: {wrong:#?}");
}
