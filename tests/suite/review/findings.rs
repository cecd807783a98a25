//! What `rbk check` finds, as SARIF, annotations and lines.

use super::shipped;
use crate::process::{rbk, root, said};
use fancy_regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

const PROD: &str = "runbooks/environments/prod.toml";

/// Runbooks with something wrong in each: names, types, states, a fix, a related place in another file, letters beyond ASCII.
fn wrong() -> Vec<String> {
    [
        "several_errors",
        "not_kept",
        "wrong_types",
        "units",
        "use_wrong",
        "unknown_name",
    ]
    .iter()
    .map(|name| format!("tests/lang/cases/{name}.rbk"))
    .collect()
}

fn check(format: &str, files: &[String], environment: &str) -> std::process::Output {
    let mut arguments = vec!["check", "--env", environment, "--format", format];
    arguments.extend(files.iter().map(String::as_str));
    rbk(&arguments).output().expect("rbk starts")
}

/// OASIS's schema without its descriptions; a bracket that its pattern of languages leaves open is escaped.
#[test]
fn sarif_is_what_its_own_schema_says() {
    let text = std::fs::read_to_string(root().join("tests/review/sarif-2.1.0.schema.json"))
        .expect("it is there");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for (files, environment, code) in [(wrong(), "tests/lang/team.toml", 1), (shipped(), PROD, 0)] {
        let output = check("sarif", &files, environment);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(output.stderr.is_empty(), "{}", said(&output));
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        agrees(&document, &files, environment);
    }
}

/// Against the JSON document: each diagnostic once, at its place, with its rule.
#[track_caller]
fn agrees(sarif: &Value, files: &[String], environment: &str) {
    let json = check("json", files, environment);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let told: BTreeSet<String> = json["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(Value::to_string)
        .collect();
    let run = &sarif["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().expect("a list");
    assert_eq!(results.len(), told.len());
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("a rule") as usize;
        let rule = &rules[index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .is_some_and(|page| page.len() > 80),
            "{rule}"
        );
        let place = &result["locations"][0]["physicalLocation"];
        let file = place["artifactLocation"]["uri"].as_str().expect("a file");
        assert!(
            root().join(file).is_file(),
            "{file} isn't relative to where rbk was started"
        );
        let region = &place["region"];
        let same = json["diagnostics"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|one| {
                one["code"] == result["ruleId"]
                    && one["file"] == file
                    && one["line"] == region["startLine"]
                    && one["column"] == region["startColumn"]
                    && one["end_line"] == region["endLine"]
                    && one["end_column"] == region["endColumn"]
                    && one["fix"].is_null() == result["fixes"].is_null()
                    && one["related"].as_array().map(Vec::len).unwrap_or(0)
                        == result["relatedLocations"]
                            .as_array()
                            .map(Vec::len)
                            .unwrap_or(0)
            });
        assert!(same, "{result}");
    }
}

#[test]
fn the_problem_matcher_reads_every_line() {
    let text =
        std::fs::read_to_string(root().join("action/problem-matcher.json")).expect("it is there");
    let matcher: Value = serde_json::from_str(&text).expect("JSON");
    let pattern = &matcher["problemMatcher"][0]["pattern"][0];
    let regex = Regex::new(pattern["regexp"].as_str().expect("a text")).expect("a pattern");
    let output = check("compact", &wrong(), "tests/lang/team.toml");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json: Value =
        serde_json::from_slice(&check("json", &wrong(), "tests/lang/team.toml").stdout)
            .expect("JSON");
    let diagnostics = json["diagnostics"].as_array().expect("a list");
    assert!(text.lines().count() > 10, "{text}");
    for line in text.lines() {
        let found = regex
            .captures(line)
            .expect("it can be matched")
            .unwrap_or_else(|| panic!("no match: {line}"));
        let group = |name: &str| {
            let index = pattern[name].as_u64().expect("a group") as usize;
            found.get(index).expect("it took part").as_str()
        };
        let same = diagnostics.iter().any(|one| {
            one["file"] == group("file")
                && one["line"].as_u64() == group("line").parse().ok()
                && one["column"].as_u64() == group("column").parse().ok()
                && one["severity"] == group("severity")
                && one["code"] == group("code")
        });
        assert!(same, "{line}");
        assert!(!group("message").is_empty());
    }
    assert!(check("compact", &shipped(), PROD).stdout.is_empty());
}

#[test]
fn annotations_are_a_command_each() {
    let output = check("github", &wrong(), "tests/lang/team.toml");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let regex = Regex::new(r"^::(error|warning|notice) file=([^,:]+),line=\d+,endLine=\d+(,col=\d+,endColumn=\d+)?,title=RBK\d{4}::.+$").expect("a pattern");
    let mut warned = false;
    for line in text.lines() {
        let found = regex
            .captures(line)
            .expect("it can be matched")
            .unwrap_or_else(|| panic!("no match: {line}"));
        let file = found.get(2).expect("a file").as_str();
        assert!(root().join(file).is_file(), "{file}");
        // Errors come first: GitHub shows ten of a step.
        warned |= line.starts_with("::warning");
        assert!(!warned || line.starts_with("::warning"), "{text}");
    }
    assert!(text.contains("%0Ahelp: "), "{text}");
}

#[test]
fn what_belongs_to_the_environment_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    let text = std::fs::read_to_string(root().join(PROD)).expect("prod.toml");
    std::fs::write(&file, text.replace("\"123456789012\"", "\"1234\"")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let output = check("compact", &shipped(), file);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.matches("RBK3").count(), 1, "{text}");
    // Outside of where rbk was started it is named from the root.
    let sarif: Value =
        serde_json::from_slice(&check("sarif", &shipped(), file).stdout).expect("JSON");
    let uri = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        ["uri"];
    assert_eq!(uri, &format!("file://{file}"));
}
