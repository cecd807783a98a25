//! JSON documents for a reader: in full, each member where it can be found, and what fits on a line on one line.

use crate::render::colour::printable;
use serde_json::Value;

/// How wide a line may become before its value is taken apart.
const WIDTH: usize = 88;

/// The lines of a document. Nothing is left out; read together they are the document.
pub(super) fn lines(document: &Value) -> Vec<String> {
    let mut lines = vec![String::new()];
    // The outermost members stand on lines of their own, however few they are.
    apart(document, 0, &mut lines);
    lines.iter().map(|line| printable(line)).collect()
}

/// Writes a value behind what the last line holds.
fn write(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let text = on_one_line(value);
    let taken = lines.last().map_or(0, |line| line.chars().count());
    if taken + text.chars().count() <= WIDTH {
        append(lines, &text);
    } else {
        apart(value, depth, lines);
    }
}

/// Writes each member on a line of its own.
fn apart(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let inner = "  ".repeat(depth + 1);
    match value {
        Value::Object(members) if !members.is_empty() => {
            append(lines, "{");
            for (index, (name, member)) in members.iter().enumerate() {
                lines.push(format!("{inner}{}: ", Value::from(name.as_str())));
                write(member, depth + 1, lines);
                if index + 1 < members.len() {
                    append(lines, ",");
                }
            }
            lines.push(format!("{}}}", "  ".repeat(depth)));
        }
        Value::Array(items) if !items.is_empty() => {
            append(lines, "[");
            for (index, item) in items.iter().enumerate() {
                lines.push(inner.clone());
                write(item, depth + 1, lines);
                if index + 1 < items.len() {
                    append(lines, ",");
                }
            }
            lines.push(format!("{}]", "  ".repeat(depth)));
        }
        leaf => append(lines, &leaf.to_string()),
    }
}

fn append(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// With a space behind each colon and comma.
fn on_one_line(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, member)| {
                    format!("{}: {}", Value::from(name.as_str()), on_one_line(member))
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(on_one_line).collect();
            format!("[{}]", items.join(", "))
        }
        leaf => leaf.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, lines};
    use serde_json::json;

    #[test]
    fn a_document_is_shown_in_full_and_can_be_read_back() {
        let document = json!({
            "rules": [{
                "rule-type": "selection", "rule-id": "1", "rule-action": "include", "filters": [],
                "object-locator": { "schema-name": "public", "table-name": "a\"b\\c\n" },
            }, { "rule-id": "2" }],
            "empty": {}, "none": null, "figure": -1,
            "long": "x".repeat(200),
        });
        let text = lines(&document);
        let read: serde_json::Value = serde_json::from_str(&text.join("\n")).expect("JSON");
        assert_eq!(read, document);
        let wide = text.iter().filter(|line| line.chars().count() > WIDTH + 1);
        assert_eq!(wide.count(), 1, "only the text that can't be divided");
    }

    #[test]
    fn what_fits_is_on_one_line() {
        let document = json!({ "Logging": { "LogComponents": [
            { "Id": "SOURCE_UNLOAD", "Severity": "LOGGER_SEVERITY_DEBUG" },
            { "Id": "TARGET_LOAD", "Severity": "LOGGER_SEVERITY_DEBUG" },
        ] } });
        assert_eq!(
            lines(&document),
            [
                "{",
                "  \"Logging\": {",
                "    \"LogComponents\": [",
                "      {\"Id\": \"SOURCE_UNLOAD\", \"Severity\": \"LOGGER_SEVERITY_DEBUG\"},",
                "      {\"Id\": \"TARGET_LOAD\", \"Severity\": \"LOGGER_SEVERITY_DEBUG\"}",
                "    ]",
                "  }",
                "}",
            ]
        );
        assert_eq!(lines(&json!({ "a": 1 })), ["{", "  \"a\": 1", "}"]);
    }

    #[test]
    fn nothing_in_it_moves_the_cursor() {
        let text = lines(&json!({ "a": "\u{202e}\u{1b}[2J" })).join("\n");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }
}
