//! What differs between two documents, member by member, with expressions in the language's own words.

use super::align::{EQUAL, Pair, align};
use crate::plan::{Expr, Template, TemplatePart, Wording};
use crate::value::Value as Known;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueChange {
    /// Which, as a path: `settings.class`, `statements[2]`. Lists count from 0, in the new one where it has the item.
    pub path: String,
    /// As it was; absent: it wasn't there. An expression is a text, in the language's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub old: Option<Value>,
    /// As it is; absent: it isn't there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub new: Option<Value>,
}

impl ValueChange {
    pub(super) fn new(path: impl Into<String>, old: Option<Value>, new: Option<Value>) -> Self {
        Self {
            path: path.into(),
            old,
            new,
        }
    }
}

/// As JSON. The plan's own types always can be; the fallback keeps this total.
pub(super) fn document(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// Everything that differs, in the order of paths.
pub(super) fn compare(path: &str, old: &Value, new: &Value) -> Vec<ValueChange> {
    let mut found = Vec::new();
    walk(path, old, new, &mut found);
    found
}

fn walk(path: &str, old: &Value, new: &Value, found: &mut Vec<ValueChange>) {
    if old == new {
        return;
    }
    let (left, right) = (words(old), words(new));
    if (left.is_some() || right.is_some()) && left != right {
        let side = |words: Option<String>, value: &Value| match words {
            Some(words) => Some(Value::String(words)),
            None => shown(value),
        };
        found.push(ValueChange::new(path, side(left, old), side(right, new)));
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => objects(path, old, new, found),
        (Value::Array(old), Value::Array(new)) => lists(path, old, new, found),
        _ => found.push(ValueChange::new(path, shown(old), shown(new))),
    }
}

fn objects(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    found: &mut Vec<ValueChange>,
) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let inner = member(path, name);
        let (left, right) = (old.get(name), new.get(name));
        let absent = Value::Null;
        walk(
            &inner,
            left.unwrap_or(&absent),
            right.unwrap_or(&absent),
            found,
        );
    }
}

/// `settings.class`. A tag is called like what it is the tag of: `freeze`, not `freeze.freeze`.
fn member(path: &str, name: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    if path.is_empty() || last == name {
        name_of(path, name)
    } else {
        format!("{path}.{name}")
    }
}

fn name_of(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        path.to_owned()
    }
}

fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<ValueChange>) {
    let pairs = align(
        old,
        new,
        |left, right| if left == right { EQUAL } else { 0 },
    );
    // What was taken out and what was put in at the same place is one thing that changed.
    let (mut gone, mut come): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut flush = |gone: &mut Vec<usize>, come: &mut Vec<usize>| {
        for at in 0..gone.len().max(come.len()) {
            let left = gone.get(at).and_then(|index| old.get(*index));
            let right = come.get(at).and_then(|index| new.get(*index));
            let index = come.get(at).or(gone.get(at)).copied().unwrap_or_default();
            let inner = format!("{path}[{index}]");
            let absent = Value::Null;
            walk(
                &inner,
                left.unwrap_or(&absent),
                right.unwrap_or(&absent),
                found,
            );
        }
        gone.clear();
        come.clear();
    };
    for pair in pairs {
        match pair {
            Pair::Old(at) => gone.push(at),
            Pair::New(at) => come.push(at),
            Pair::Both(..) => flush(&mut gone, &mut come),
        }
    }
    flush(&mut gone, &mut come);
}

/// A value as it is told: what isn't there isn't told, expressions within are in words.
fn shown(value: &Value) -> Option<Value> {
    if value.is_null() {
        return None;
    }
    Some(in_words(value))
}

fn in_words(value: &Value) -> Value {
    if let Some(words) = words(value) {
        return Value::String(words);
    }
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), in_words(member)))
            .collect(),
        Value::Array(items) => items.iter().map(in_words).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// What an expression, a text with expressions in it or a value says; nothing for any other document.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) if members.len() == 1 => {
            let expr: Expr = serde_json::from_value(value.clone()).ok()?;
            Some(Wording::by_names().expr(&expr))
        }
        Value::Object(members) if members.len() == 2 && members.contains_key("type") => {
            let known: Known = serde_json::from_value(value.clone()).ok()?;
            Some(Wording::by_names().literal(&known))
        }
        Value::Array(parts) if !parts.is_empty() => {
            let template: Template = serde_json::from_value(value.clone()).ok()?;
            Some(template_words(&template))
        }
        _ => None,
    }
}

/// As it would be written in a runbook.
fn template_words(template: &Template) -> String {
    let wording = Wording::by_names();
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => text.clone(),
        TemplatePart::Expr(expr) => format!("{{{}}}", wording.expr(expr)),
    };
    template.0.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn told(old: &Value, new: &Value) -> Vec<String> {
        let text = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or("nothing".to_owned(), Value::to_string)
        };
        compare("", old, new)
            .iter()
            .map(|change| {
                format!(
                    "{}: {} to {}",
                    change.path,
                    text(&change.old),
                    text(&change.new)
                )
            })
            .collect()
    }

    #[test]
    fn members_are_compared_each_by_its_path() {
        assert_eq!(
            told(
                &json!({"settings": {"class": "db.t4g.micro", "multi_az": false, "storage_type": null}, "a": 1}),
                &json!({"settings": {"class": "db.r6g.large", "multi_az": false, "storage_type": "gp3"}, "a": 1}),
            ),
            [
                r#"settings.class: "db.t4g.micro" to "db.r6g.large""#,
                r#"settings.storage_type: nothing to "gp3""#
            ]
        );
    }

    #[test]
    fn an_item_of_a_list_is_told_alone() {
        assert_eq!(
            told(
                &json!({"statements": ["a", "b", "c"]}),
                &json!({"statements": ["a", "new", "b", "d"]})
            ),
            [
                r#"statements[1]: nothing to "new""#,
                r#"statements[3]: "c" to "d""#
            ]
        );
    }

    #[test]
    fn expressions_and_texts_are_told_in_the_languages_words() {
        let age = |seconds: u64| {
            json!({"condition": {"binary": {
                "operator": "<=",
                "left": {"age": {"binding": {"name": "snap", "ty": "snapshot"}}},
                "right": {"value": {"type": "duration", "value": seconds}},
            }}})
        };
        let operator = serde_json::to_value(crate::plan::Operator::LessOrEqual).unwrap();
        let with = |seconds| {
            let mut it = age(seconds);
            it["condition"]["binary"]["operator"] = operator.clone();
            it
        };
        assert_eq!(
            told(&with(3600), &with(86400)),
            [r#"condition: "age(snap) <= 1h" to "age(snap) <= 1d""#]
        );
        assert_eq!(
            told(
                &json!({"prompt": [{"text": "Point "}, {"expr": {"latest_snapshot": {"database": "a"}}}]}),
                &json!({"prompt": [{"text": "Send "}, {"expr": {"latest_snapshot": {"database": "a"}}}]}),
            ),
            [r#"prompt: "Point {latest snapshot of a}" to "Send {latest snapshot of a}""#]
        );
    }

    #[test]
    fn a_tag_is_called_like_what_it_is_the_tag_of() {
        assert_eq!(
            told(
                &json!({"final_snapshot": {"final_snapshot": "named", "id": "x"}}),
                &json!({"final_snapshot": {"final_snapshot": "none"}})
            ),
            [
                r#"final_snapshot: "named" to "none""#,
                r#"final_snapshot.id: "x" to nothing"#
            ]
        );
    }
}
