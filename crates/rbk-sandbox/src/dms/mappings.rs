//! The table mappings document: whether a load can follow it.

use serde_json::Value;

use super::{errors::DmsError, load::Mappings};

/// Reads a table mappings document, which has to be one that a load can follow.
pub(super) fn check(text: &str) -> Result<Value, DmsError> {
    let invalid =
        |why: String| DmsError::InvalidValue(format!("Table mappings document error: {why}"));
    let document: Value =
        serde_json::from_str(text).map_err(|error| invalid(format!("Invalid json: {error}")))?;
    Mappings::parse(&document).map_err(invalid)?;
    Ok(document)
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
    fn a_document_without_rules_is_refused() {
        for text in ["nonsense", "{}", r#"{"rules":[]}"#] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains("Table mappings document error"), "{error}");
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
