//! What became of something since a plan was saved, leaf by leaf, in words.

use crate::catalog::{self, Catalog};
use crate::environment::TableName;
use crate::ids::{ActionId, DatabaseName};
use crate::plan::{Plan, PlannedAction};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every leaf that differs: ``databases.recovery.class was `db.r6g.large`, is `db.r6g.xlarge` ``. What can't be written as JSON
/// differs in nothing that could be told.
pub fn changes(before: &impl Serialize, after: &impl Serialize) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let mut told = Vec::new();
    walk("", Some(&before), Some(&after), &mut told);
    told
}

fn walk(path: &str, before: Option<&Value>, after: Option<&Value>, told: &mut Vec<String>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let below = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            walk(&below, before.get(key), after.get(key), told);
        }
        return;
    }
    let is_there = |value: &&Value| !value.is_null();
    told.push(match (before.filter(is_there), after.filter(is_there)) {
        (Some(before), Some(after)) => {
            format!("{path} was {}, is {}", word(before), word(after))
        }
        (Some(before), None) => format!("{path} was {}, and is gone", word(before)),
        (None, Some(after)) => format!("{path} is new: {}", word(after)),
        (None, None) => return,
    });
}

fn word(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items.join(", ")
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

/// What the lock file says otherwise of the databases whose schemas a plan names.
pub fn catalog_changes(
    before: &BTreeMap<DatabaseName, Catalog>,
    after: &BTreeMap<DatabaseName, Catalog>,
) -> Vec<String> {
    let names: BTreeSet<&DatabaseName> = before.keys().chain(after.keys()).collect();
    let none: &[TableName] = &[];
    let mut told = Vec::new();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) if before != after => {
                let differences = catalog::differences(before, after, none);
                if differences.is_empty() {
                    told.push(format!(
                        "{name}: rows and sizes are others, which deadlines are made of"
                    ));
                }
                for difference in differences {
                    told.push(format!("{name}: {difference}"));
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) => told.push(format!("it says nothing of {name} any more")),
            (None, Some(_)) => told.push(format!("it says something of {name} now")),
        }
    }
    told
}

/// What would be done otherwise: actions by their identity, in the order of the plans, then parameters.
pub fn action_changes(before: &Plan, after: &Plan) -> Vec<String> {
    let (was, is) = (by_id(before), by_id(after));
    let mut told = Vec::new();
    for old in before.actions() {
        let id = &old.id;
        match is.get(id) {
            None => told.push(format!("{id} is gone: {}", old.summary)),
            Some(new) if new.action == old.action && new.only_if == old.only_if => {}
            Some(new) if new.summary == old.summary => told.extend(
                changes(&old.action, &new.action)
                    .into_iter()
                    .map(|change| format!("{id}: {change}")),
            ),
            Some(new) => told.push(format!("{id} was: {}; is: {}", old.summary, new.summary)),
        }
    }
    for new in after.actions().filter(|new| !was.contains_key(&new.id)) {
        told.push(format!("{} is new: {}", new.id, new.summary));
    }
    let values = |plan: &Plan| -> BTreeMap<String, Option<String>> {
        let parameters = plan.parameters.iter();
        parameters
            .map(|parameter| {
                let value = parameter.value.as_ref();
                (parameter.name.clone(), value.map(ToString::to_string))
            })
            .collect()
    };
    told.extend(changes(&values(before), &values(after)));
    if told.is_empty() && before.preflight != after.preflight {
        told.push("what is proven before the first effect is another".to_owned());
    }
    if told.is_empty() {
        told.push("no action differs".to_owned());
    }
    told
}

fn by_id(plan: &Plan) -> BTreeMap<&ActionId, &PlannedAction> {
    plan.actions()
        .map(|planned| (&planned.id, planned))
        .collect()
}
