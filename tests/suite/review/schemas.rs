//! What rbk writes is what its published schemas say.

use super::{Repository, shipped};
use crate::process::{rbk, root, said};
use jsonschema::Validator;
use serde_json::Value;

/// What the shipped runbooks have none of.
const WHOLE: &str = "runbook \"Whole\"
param most: integer where most > 0
require original is available
parallel {
  step \"One\" { assert count(original.public.documents) > most }
  step \"Other\" { await recovery is available within 7m }
}
step \"Last\" {
  if count(original.public.documents) > 5 { note \"many\" } else { note \"few\" }
  let taken = snapshot original
  note \"{taken}\"
}
";

#[track_caller]
fn schema(name: &str) -> Validator {
    let text = std::fs::read_to_string(root().join(format!("docs/schemas/{name}.schema.json")))
        .expect("it is shipped");
    let schema: Value = serde_json::from_str(&text).expect("it is JSON");
    let printed = rbk(&["schema", name]).output().expect("rbk starts");
    assert_eq!(
        text,
        String::from_utf8_lossy(&printed.stdout),
        "`rbk schema {name}` prints another one"
    );
    assert!(jsonschema::meta::is_valid(&schema), "{name} is no schema");
    jsonschema::validator_for(&schema).expect("it is a schema")
}

#[track_caller]
fn holds(schema: &Validator, document: &[u8], what: &str) {
    let document: Value =
        serde_json::from_slice(document).unwrap_or_else(|error| panic!("{what}: {error}"));
    let wrong: Vec<String> = schema
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

#[test]
fn plans_are_what_their_schema_says() {
    let schema = schema("plan");
    for file in shipped() {
        let output = rbk(&["plan", &file, "--format", "json"])
            .output()
            .expect("rbk starts");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        holds(&schema, &output.stdout, &file);
    }
    for (name, environment) in [
        ("rebuild", "team.toml"),
        ("schema_statements", "team.toml"),
        ("hostile", "plans/hostile.toml"),
        ("procedures", "team.toml"),
        ("return", "plans/return.toml"),
    ] {
        let file = format!("tests/lang/plans/{name}.rbk");
        let environment = format!("tests/lang/{environment}");
        let output = rbk(&["plan", &file, "--env", &environment, "--format", "json"])
            .output()
            .expect("rbk starts");
        holds(&schema, &output.stdout, &file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("whole.rbk");
    std::fs::write(&file, WHOLE).expect("written");
    let file = file.to_str().expect("UTF-8");
    let prod = "runbooks/environments/prod.toml";
    let output = rbk(&["plan", file, "--env", prod, "--format", "json"])
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    holds(
        &schema,
        &output.stdout,
        "holes, decisions, steps together, a snapshot",
    );
    // It says something: what isn't a plan isn't taken.
    let output = rbk(&["plan", &shipped()[0], "--format", "json"])
        .output()
        .expect("rbk starts");
    let mut plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    plan["steps"][0]["actions"][0]["risk"] = Value::from("harmless");
    assert!(!schema.is_valid(&plan));
}

#[test]
fn what_check_finds_is_what_its_schema_says() {
    let schema = schema("check");
    let cases = root().join("tests/lang/cases");
    let mut looked = 0;
    for entry in std::fs::read_dir(cases).expect("the cases are there") {
        let name = entry
            .expect("readable")
            .file_name()
            .into_string()
            .expect("UTF-8");
        if !name.ends_with(".rbk") {
            continue;
        }
        let file = format!("tests/lang/cases/{name}");
        let output = rbk(&[
            "check",
            &file,
            "--env",
            "tests/lang/team.toml",
            "--format",
            "json",
        ])
        .output()
        .expect("rbk starts");
        holds(&schema, &output.stdout, &file);
        looked += 1;
    }
    assert!(looked > 30);
    let files = shipped();
    let mut arguments = vec!["check", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    holds(
        &schema,
        &rbk(&arguments).output().expect("rbk starts").stdout,
        "the shipped ones",
    );
    // A pipeline that asked for a plan gets its errors in the same form.
    let output = rbk(&["plan", &files[0], "--set", "no_such=1", "--format", "json"])
        .output()
        .expect("rbk starts");
    assert_eq!(output.status.code(), Some(1));
    holds(&schema, &output.stdout, "a plan's errors");
}

#[test]
fn differences_are_what_their_schema_says() {
    let schema = schema("plan-diff");
    let repository = Repository::new();
    let bases: Vec<Vec<u8>> = shipped()
        .iter()
        .map(|file| repository.rbk(&["plan", file, "--format", "json"]).stdout)
        .collect();
    for (index, base) in bases.iter().enumerate() {
        repository.write(&format!("base-{index}.json"), base);
    }
    // Each against each: far apart, and equal.
    for file in shipped() {
        for index in 0..bases.len() {
            let base = format!("base-{index}.json");
            let output = repository.rbk(&["plan", &file, "--diff", &base, "--format", "json"]);
            holds(&schema, &output.stdout, &format!("{file} against {base}"));
        }
    }
    repository.write("new.rbk", repository.read("runbooks/quick-recovery.rbk"));
    let arguments = [
        "plan",
        "new.rbk",
        "--env",
        "runbooks/environments/prod.toml",
        "--diff",
        "HEAD",
        "--format",
        "json",
    ];
    holds(&schema, &repository.rbk(&arguments).stdout, "a new runbook");
}

#[test]
fn the_schema_of_environments_is_printed_by_both_commands() {
    let one = rbk(&["schema", "environment"])
        .output()
        .expect("rbk starts");
    let other = rbk(&["env", "schema"]).output().expect("rbk starts");
    assert_eq!(one.stdout, other.stdout);
    assert_eq!(one.status.code(), Some(0));
}
