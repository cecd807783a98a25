//! Names in commands that people paste into a shell: whatever a runbook calls its steps, it stays one harmless word.

/// A text as one word of a POSIX shell, quoted as lightly as possible.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+@%,=#".contains(c);
    let special = |c: char| matches!(c, '"' | '$' | '`' | '\\' | '!');
    if !text.is_empty() && !text.starts_with('#') && text.chars().all(plain) {
        text.to_owned()
    } else if !text.contains(special) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_text_stays_one_word_and_runs_nothing() {
        for (text, word) in [
            ("/tmp/rbk-1/x.json", "/tmp/rbk-1/x.json"),
            ("Restore#1", "Restore#1"),
            ("#1", "\"#1\""),
            ("", "\"\""),
            ("Switch the application", "\"Switch the application\""),
            ("/tmp/it's here", "\"/tmp/it's here\""),
            ("a $(rm -rf ~) b", "'a $(rm -rf ~) b'"),
            ("`id`", "'`id`'"),
            (r#""; it's over!"#, r#"'"; it'\''s over!'"#),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
