//! The documentation against the program: the language reference is made from the statements' own documentation, the
//! policies allow what is sent.

use crate::process::root;
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "docs/language.md";
const STEPS: &str = "crates/rbk-core/src/steps";

/// The chapters, and the files whose statements they are about, in the order of reading.
const CHAPTERS: [(&str, &[&str]); 6] = [
    (
        "Instances and snapshots",
        &[
            "restore",
            "restore_as_of",
            "snapshot",
            "keep",
            "destroy",
            "set_credentials",
        ],
    ),
    ("Branches", &["branch"]),
    (
        "Applications and writes",
        &[
            "switch_secret",
            "freeze_writes",
            "thaw_writes",
            "keep_frozen",
        ],
    ),
    (
        "Schemas",
        &[
            "recreate_schema",
            "migrate",
            "drop_indexes",
            "restore_indexes",
            "alter_columns",
            "restore_column_types",
            "relax_not_null",
            "restore_not_null",
            "sql",
        ],
    ),
    (
        "Rows",
        &[
            "replicate/mod",
            "replicate/copy",
            "replicate/dms",
            "sync_sequences",
            "validate_constraints",
            "analyze",
        ],
    ),
    (
        "Looking, waiting, people, programs",
        &[
            "wait",
            "assertion",
            "observe",
            "approve",
            "note",
            "run_command",
        ],
    ),
];

/// Files of that folder that are about no statement of their own.
const PARTS: [&str; 4] = [
    "mod",
    "replicate/documents",
    "replicate/options",
    "replicate/tables",
];

/// The `//!` lines at the top of a statement's file, without their marks.
fn documentation(file: &str) -> Vec<String> {
    let path = root().join(STEPS).join(format!("{file}.rs"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
        .collect()
}

/// A statement's section: its forms are the heading, the rest is as it is written.
fn section(file: &str) -> String {
    let lines = documentation(file);
    let first = lines
        .first()
        .unwrap_or_else(|| panic!("{file} has no documentation"));
    let (forms, rest) = first
        .split_once("`: ")
        .unwrap_or_else(|| panic!("{file}: the first line is `FORM`: what it does"));
    let mut letters = rest.chars();
    let rest: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    let mut text = format!("#### {forms}`\n\n{rest}\n");
    for line in lines.iter().skip(1) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn statements() -> String {
    let mut text = String::new();
    for (chapter, files) in CHAPTERS {
        text.push_str(&format!("\n### {chapter}\n"));
        for file in files {
            text.push_str(&format!("\n{}", section(file)));
        }
    }
    text
}

fn functions() -> String {
    let mut text = "\n| function | gives | is |\n| --- | --- | --- |\n".to_owned();
    for function in rbk_core::check::FUNCTIONS {
        text.push_str(&format!(
            "| `{}` | {} | {} |\n",
            function.form, function.gives, function.about
        ));
    }
    text
}

/// The page with its made parts made anew.
fn made(page: &str) -> String {
    let mut page = page.to_owned();
    for (name, part) in [("functions", functions()), ("statements", statements())] {
        let (begin, end) = (
            format!("<!-- {name} -->\n"),
            format!("<!-- end of {name} -->"),
        );
        let from = page.find(&begin).expect("where it begins") + begin.len();
        let to = page.find(&end).expect("where it ends");
        page.replace_range(from..to, &format!("{part}\n"));
    }
    page
}

#[test]
fn the_language_reference_is_what_the_statements_say() {
    let page = std::fs::read_to_string(root().join(FILE)).expect(FILE);
    assert!(
        page == made(&page),
        "{FILE} is old: write it with `cargo test -p rbk --test suite write_the_language_reference -- --ignored`"
    );
}

/// Not a test: it writes the page.
#[test]
#[ignore = "writes docs/language.md; the test above holds it"]
fn write_the_language_reference() {
    let path = root().join(FILE);
    let page = std::fs::read_to_string(&path).expect(FILE);
    std::fs::write(&path, made(&page)).expect("written");
}

#[test]
fn every_statement_has_its_section() {
    let mut files = BTreeSet::new();
    for folder in ["", "replicate"] {
        for entry in std::fs::read_dir(root().join(STEPS).join(folder)).expect("the folder") {
            let name = entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8");
            if let Some(name) = name.strip_suffix(".rs") {
                files.insert(if folder.is_empty() {
                    name.to_owned()
                } else {
                    format!("{folder}/{name}")
                });
            }
        }
    }
    let told: BTreeSet<String> = CHAPTERS
        .iter()
        .flat_map(|(_, files)| *files)
        .chain(&PARTS)
        .map(|&file| file.to_owned())
        .collect();
    assert_eq!(files, told);
}

#[test]
fn every_example_of_the_reference_is_read_without_a_mistake() {
    let page = std::fs::read_to_string(root().join(FILE)).expect(FILE);
    let mut examples = 0;
    for example in page.split("```rbk\n").skip(1) {
        let example = example.split("```").next().expect("its end");
        let text = match example.starts_with("runbook") {
            true => example.to_owned(),
            false => format!("runbook \"Example\"\n\nstep \"Example\" {{\n{example}}}\n"),
        };
        let mut sources = rbk_syntax::Sources::default();
        let source = sources.add("example.rbk", text.as_str());
        let parsed = rbk_syntax::parse(source, &text);
        assert!(
            parsed.diagnostics.is_empty(),
            "{example}\n{:?}",
            parsed.diagnostics
        );
        examples += 1;
    }
    assert!(examples > 25, "found only {examples}");
}

/// The actions that a policy allows.
fn allowed(policy: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/policies").join(policy)).expect(policy);
    let policy: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements");
    let mut actions = BTreeSet::new();
    for statement in statements {
        assert_eq!(statement["Effect"], "Allow");
        match &statement["Action"] {
            serde_json::Value::String(action) => {
                actions.insert(action.clone());
            }
            serde_json::Value::Array(several) => {
                actions.extend(
                    several
                        .iter()
                        .map(|action| action.as_str().expect("a text").to_owned()),
                );
            }
            other => panic!("{other}"),
        }
    }
    actions
}

#[test]
fn the_policies_allow_what_the_list_of_permissions_says() {
    let list = std::fs::read_to_string(root().join("docs/permissions.md")).expect("the list");
    let (plan, run) = list.split_once("## To run").expect("two parts");
    let services = ["dms", "iam", "rds", "secretsmanager", "sts"];
    // Only the tables: the texts name what others need.
    let named = |part: &str| -> BTreeSet<String> {
        let rows = part.lines().filter(|line| line.starts_with("| `"));
        let words = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
        words
            .filter(|word| {
                word.split_once(':')
                    .is_some_and(|(service, _)| services.contains(&service))
            })
            .map(str::to_owned)
            .collect()
    };
    let mut expected: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    expected.insert("plan.json", named(plan));
    expected.insert("run.json", named(run));
    for (policy, expected) in &expected {
        assert_eq!(&allowed(policy), expected, "{policy}");
    }
}
