//! From data to words on the screen. Nothing here decides anything.

pub mod colour;
pub mod diagnostics;
pub mod expression;
pub mod plan;
pub mod progress;
pub mod summary;
pub mod time;

use serde::Serialize;

/// A document as indented JSON with a line break at its end.
pub fn json_text(document: &impl Serialize) -> String {
    // Our own types serialise; the fallback keeps this total.
    let mut text = serde_json::to_string_pretty(document)
        .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    text.push('\n');
    text
}

/// A word for a shell.
pub fn shell_word(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '+');
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn words_for_a_shell_are_quoted_where_they_must_be() {
        assert_eq!(shell_word("/tmp/rbk-1/x.json"), "/tmp/rbk-1/x.json");
        assert_eq!(shell_word("/tmp/it's here"), r"'/tmp/it'\''s here'");
    }
}
