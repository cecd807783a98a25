//! The invariants of `docs/architecture.md` that a machine can hold.

use crate::process::root;
use std::collections::{BTreeMap, BTreeSet};

/// Which crate may know which other of the workspace, and nothing else. Arrows point one way.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("rbk-syntax", &[]),
    ("rbk-core", &["rbk-syntax"]),
    ("rbk-aws", &["rbk-core"]),
    ("rbk-postgres", &["rbk-core"]),
    ("rbk-sandbox", &[]),
    (
        "rbk",
        &[
            "rbk-syntax",
            "rbk-core",
            "rbk-aws",
            "rbk-postgres",
            "rbk-sandbox",
        ],
    ),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("crates/ is there") {
        let path = entry.expect("readable").path();
        let text =
            std::fs::read_to_string(path.join("Cargo.toml")).expect("every crate has a manifest");
        // Only what is linked into the product: a test may reach further.
        let section = text
            .split("\n[dependencies]\n")
            .nth(1)
            .expect("[dependencies]");
        let section = section.split("\n[").next().unwrap_or(section);
        let names = section
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("UTF-8")
            .to_owned();
        all.insert(name, names);
    }
    all
}

#[test]
fn dependencies_between_crates_point_one_way() {
    let found: BTreeMap<String, BTreeSet<String>> = dependencies()
        .into_iter()
        .map(|(name, all)| {
            (
                name,
                all.into_iter()
                    .filter(|name| name.starts_with("rbk"))
                    .collect(),
            )
        })
        .collect();
    for (name, uses) in &found {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("`{name}` isn't in the table"));
        for used in uses {
            assert!(
                allowed.contains(&used.as_str()),
                "`{name}` must not know `{used}`"
            );
        }
    }
    assert_eq!(found.len(), ALLOWED.len(), "a crate of the table is gone");
}

#[test]
fn the_aws_sdk_is_in_one_crate_and_postgres_behind_its_port() {
    for (name, uses) in dependencies() {
        for used in uses {
            if used.starts_with("aws-") {
                assert_eq!(name, "rbk-aws", "`{name}` must not know `{used}`");
            }
            if used == "tokio-postgres" {
                assert!(
                    name != "rbk-core" && name != "rbk-aws" && name != "rbk-syntax",
                    "`{name}` must not know `{used}`"
                );
            }
        }
    }
}

#[test]
fn checking_and_planning_know_no_clock_no_file_and_no_network() {
    let core = root().join("crates/rbk-core/src");
    let syntax = root().join("crates/rbk-syntax/src");
    let mut looked = 0;
    for folder in [
        syntax,
        core.join("check"),
        core.join("state"),
        core.join("steps"),
        core.join("lower"),
        core.join("plan"),
    ] {
        for file in rust_files(&folder) {
            looked += 1;
            let text = std::fs::read_to_string(&file).expect("readable");
            for word in [
                "std::fs",
                "std::net",
                "std::env::",
                "tokio",
                "async fn",
                "Timestamp::now",
                "Instant::now",
                "SystemTime",
            ] {
                let code = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                for line in code {
                    assert!(
                        !line.contains(word),
                        "{}: `{word}` in a pure pass: {line}",
                        file.display()
                    );
                }
            }
        }
    }
    assert!(looked > 20, "looked at {looked} files only");
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
    files
}
