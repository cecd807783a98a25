//! The table mappings document: whether its rules can be read at all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::errors::DmsError;

fn invalid(why: impl std::fmt::Display) -> DmsError {
    DmsError::InvalidValue(format!("Table mappings document error: {why}"))
}

/// Checks the document's shape: rules with unique ids and names, and at least one selection that includes something.
pub(super) fn check(text: &str) -> Result<Value, DmsError> {
    let document: Value = serde_json::from_str(text)
        .map_err(|error| invalid(format_args!("Invalid json: {error}")))?;
    let Some(rules) = document.get("rules").and_then(Value::as_array) else {
        return Err(invalid("there are no rules"));
    };
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut includes = false;
    for rule in rules {
        let id = scalar(rule, "rule-id")?;
        let name = scalar(rule, "rule-name")?;
        if !ids.insert(id.clone()) {
            return Err(invalid(format_args!("rule-id {id} is used twice")));
        }
        if !names.insert(name.clone()) {
            return Err(invalid(format_args!("rule-name {name} is used twice")));
        }
        includes |= check_rule(rule, &id)?;
    }
    if !includes {
        return Err(invalid("no selection rule includes a table"));
    }
    Ok(document)
}

/// Whether it is a selection that includes something.
fn check_rule(rule: &Value, id: &str) -> Result<bool, DmsError> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match text(rule.get("rule-type")).as_deref() {
        Some("selection") => {}
        Some("transformation" | "table-settings") => {
            return Err(invalid(format_args!(
                "rule {id}: the sandbox has selection rules only"
            )));
        }
        other => {
            return Err(invalid(format_args!(
                "rule {id}: unknown rule-type {}",
                other.unwrap_or("(none)")
            )));
        }
    }
    let locator = rule.get("object-locator");
    for name in ["schema-name", "table-name"] {
        let part = locator.and_then(|locator| locator.get(name));
        if text(part).is_none_or(|part| part.is_empty()) {
            return Err(invalid(format_args!(
                "rule {id}: its object-locator has no {name}"
            )));
        }
    }
    if locator
        .and_then(|locator| locator.get("table-type"))
        .is_some_and(|kind| kind != "table")
    {
        return Err(invalid(format_args!(
            "rule {id}: views can't be replicated"
        )));
    }
    match rule.get("filters") {
        None => {}
        Some(Value::Array(filters)) if filters.is_empty() => {}
        Some(_) => {
            return Err(invalid(format_args!(
                "rule {id}: the sandbox has no filters of rows"
            )));
        }
    }
    match text(rule.get("rule-action")).as_deref() {
        Some("include" | "explicit") => Ok(true),
        Some("exclude") => Ok(false),
        other => Err(invalid(format_args!(
            "rule {id}: unknown rule-action {}",
            other.unwrap_or("(none)")
        ))),
    }
}

/// Ids and names may be numbers or text.
fn scalar(rule: &Value, name: &str) -> Result<String, DmsError> {
    match rule.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(invalid(format_args!("a rule has no {name}"))),
    }
}

/// The document with rules that leave these tables out, too.
pub(super) fn without<'a>(
    document: &Value,
    tables: impl Iterator<Item = &'a (String, String)>,
) -> Value {
    let mut document = document.clone();
    if let Some(rules) = document.get_mut("rules").and_then(Value::as_array_mut) {
        for (number, (schema, table)) in tables.enumerate() {
            let literal = |name: &str| name.replace('_', "[_]").replace('%', "[%]");
            let id = format!("sandbox-{number}");
            rules.push(serde_json::json!({
                "rule-type": "selection", "rule-id": id, "rule-name": id, "rule-action": "exclude",
                "object-locator": { "schema-name": literal(schema), "table-name": literal(table) },
                "filters": [],
            }));
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, action: &str) -> String {
        format!(
            r#"{{"rule-type":"selection","rule-id":"{id}","rule-name":"{id}","object-locator":{{"schema-name":"public","table-name":"%"}},"rule-action":"{action}","filters":[]}}"#
        )
    }

    fn document(rules: &[String]) -> String {
        format!(r#"{{"rules":[{}]}}"#, rules.join(","))
    }

    #[test]
    fn rules_have_unique_ids_and_include_something() {
        assert!(check(&document(&[rule("1", "include"), rule("2", "exclude")])).is_ok());
        for (text, why) in [
            ("nonsense".to_owned(), "Invalid json"),
            ("{}".to_owned(), "no rules"),
            (
                document(&[rule("1", "include"), rule("1", "exclude")]),
                "used twice",
            ),
            (
                document(&[rule("1", "exclude")]),
                "no selection rule includes",
            ),
            (
                document(&[rule("1", "include").replace("selection", "transformation")]),
                "selection rules only",
            ),
            (
                document(&[rule("1", "include").replace("table-name", "tablename")]),
                "no table-name",
            ),
            (document(&[rule("1", "keep")]), "unknown rule-action"),
        ] {
            let error = check(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn tables_are_left_out_by_literal_rules() {
        let document = check(&document(&[rule("1", "include")])).unwrap();
        let tables = [("public".to_owned(), "order_line".to_owned())];
        let less = without(&document, tables.iter());
        assert_eq!(
            less["rules"][1]["object-locator"]["table-name"],
            "order[_]line"
        );
        assert!(check(&less.to_string()).is_ok());
    }
}
