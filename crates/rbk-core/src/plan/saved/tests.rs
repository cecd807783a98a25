//! Saved plans: what is refused, what counts as changed, what is used up.

use super::*;
use crate::ids::DatabaseName;
use crate::run::tests_plan;

fn saved() -> SavedPlan {
    let inputs = vec![Input {
        input: InputKind::Runbook,
        path: "runbooks/quick.rbk".to_owned(),
        sha256: text_hash("runbook \"Quick\"\n"),
    }];
    let at = "2026-11-22T09:15:00Z".parse().unwrap();
    SavedPlan::new("ab".repeat(16), at, inputs, BTreeMap::new(), tests_plan()).unwrap()
}

fn edited(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut document = serde_json::to_value(saved()).unwrap();
    change(&mut document);
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn what_is_saved_is_read_back() {
    let saved = saved();
    let text = saved.to_text().unwrap();
    assert!(text.starts_with("{\n  \"rbk_plan\": 1,\n"));
    assert_eq!(read(text.as_bytes()).unwrap(), saved);
}

#[test]
fn layout_line_ends_and_the_order_of_keys_say_nothing() {
    let saved = saved();
    let text = saved.to_text().unwrap();
    let crlf = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(read(crlf.as_bytes()).unwrap(), saved);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read(document.to_string().as_bytes()).unwrap(), saved);
}

#[test]
fn every_leaf_is_covered_by_the_hash() {
    fn leaves(at: String, value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    leaves(format!("{at}/{key}"), value, all);
                }
            }
            serde_json::Value::Array(values) if !values.is_empty() => {
                for (index, value) in values.iter().enumerate() {
                    leaves(format!("{at}/{index}"), value, all);
                }
            }
            _ => all.push(at),
        }
    }
    let document = serde_json::to_value(saved()).unwrap();
    let mut all = Vec::new();
    leaves(String::new(), &document, &mut all);
    assert!(all.len() > 100, "{}", all.len());
    for leaf in all {
        let bytes = edited(|document| {
            *document.pointer_mut(&leaf).unwrap() = "something else".into();
        });
        let error = read(&bytes).unwrap_err();
        assert!(
            matches!(error, SavedPlanError::Edited { .. }),
            "{leaf}: {error}"
        );
    }
}

#[test]
fn a_file_that_ends_anywhere_is_told_as_such() {
    let bytes = saved().to_text().unwrap().into_bytes();
    let whole = bytes.len() - 2;
    for end in (20..whole).step_by(97).chain([whole]) {
        let error = read(&bytes[..end]).unwrap_err();
        assert!(
            matches!(error, SavedPlanError::CutOff { .. }),
            "{end}: {error}"
        );
    }
}

#[test]
fn what_is_something_else_is_told_what_it_is() {
    let plan = serde_json::to_vec(&tests_plan()).unwrap();
    let cases: [(&[u8], &str); 6] = [
        (
            b"PK\x03\x04\x14\0",
            "a zip archive, as Terraform saves its plans",
        ),
        (
            br#"{"format_version":"1.2","terraform_version":"1.9.0","resource_changes":[]}"#,
            "the JSON of a Terraform plan",
        ),
        (
            &plan,
            "what `rbk plan --format json` prints, which is for reading",
        ),
        (b"[1, 2]", "JSON of something else"),
        (b"{\"a\": ", "broken JSON of something else"),
        (b"runbook \"x\"", "a text"),
    ];
    for (bytes, what) in cases {
        assert_eq!(
            read(bytes),
            Err(SavedPlanError::Foreign {
                what: what.to_owned()
            })
        );
        assert_eq!(is_meant_as_saved_plan(bytes), what != "a text");
    }
}

#[test]
fn newer_formats_are_left_to_newer_builds() {
    let newer = read(&edited(|document| document["rbk_plan"] = 2.into())).unwrap_err();
    assert_eq!(
        newer,
        SavedPlanError::Newer {
            found: "2".to_owned()
        }
    );
}

#[test]
fn a_difference_is_told_by_its_path_and_both_values() {
    let before = saved().plan.environment;
    let mut after = before.clone();
    let recovery = after
        .databases
        .get_mut(&DatabaseName::from("recovery"))
        .unwrap();
    recovery.class = "db.r6g.xlarge".to_owned();
    recovery.storage_type = Some("gp3".to_owned());
    recovery.security_groups.pop();
    after.applications.clear();
    let told = changes(&before, &after);
    assert_eq!(
        told[1..],
        [
            "databases.recovery.class was `db.r6g.large`, is `db.r6g.xlarge`",
            "databases.recovery.security_groups was `sg-1, sg-2`, is `sg-1`",
            "databases.recovery.storage_type is new: `gp3`",
        ]
    );
    assert!(
        told[0].starts_with("applications.sgpt was `{"),
        "{}",
        told[0]
    );
    assert!(told[0].ends_with("…`, and is gone"), "{}", told[0]);
    assert!(changes(&before, &before).is_empty());
}
