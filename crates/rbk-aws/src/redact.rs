//! Keeps secrets out of error texts: a service may repeat what it was sent.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

const HIDDEN: &str = "[hidden]";

/// Members of a secret's JSON that are no secrets and help in an error text.
/// Source: "JSON structure of Secrets Manager database credential secrets".
const HARMLESS: &[&str] = &[
    "engine",
    "host",
    "port",
    "username",
    "dbname",
    "dbInstanceIdentifier",
    "masterarn",
];

/// Replaces each of the secrets, and where one is a JSON document each text within it, in all their spellings.
pub(crate) fn redact(text: &str, secrets: &[SecretString]) -> String {
    let mut needles = Vec::new();
    for secret in secrets {
        let secret = secret.expose_secret();
        spell(secret, &mut needles);
        if let Ok(value) = serde_json::from_str::<Value>(secret) {
            collect(&value, &mut needles);
        }
    }
    needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    let mut text = text.to_owned();
    for needle in needles.iter().filter(|needle| !needle.is_empty()) {
        text = text.replace(needle.as_str(), HIDDEN);
    }
    text
}

fn collect(value: &Value, needles: &mut Vec<String>) {
    match value {
        Value::String(text) => spell(text, needles),
        Value::Array(items) => items.iter().for_each(|item| collect(item, needles)),
        Value::Object(members) => {
            for (_, member) in members
                .iter()
                .filter(|(name, _)| !HARMLESS.contains(&name.as_str()))
            {
                collect(member, needles);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// As it is, within JSON, and percent-encoded.
fn spell(text: &str, needles: &mut Vec<String>) {
    needles.push(text.to_owned());
    let quoted = Value::from(text).to_string();
    needles.push(quoted.trim_matches('"').to_owned());
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    needles.push(encoded);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_in_every_spelling() {
        let password = [SecretString::from(r#"a\b c"#)];
        assert_eq!(
            redact(r#"raw a\b c, json a\\b c, form a%5Cb%20c"#, &password),
            "raw [hidden], json [hidden], form [hidden]"
        );
    }

    #[test]
    fn the_parts_of_a_json_secret_are_hidden_but_not_where_it_points() {
        let secret = [SecretString::from(
            r#"{"host":"db.example","username":"app","password":"s3cret","nested":[{"token":"t0k"}]}"#,
        )];
        assert_eq!(
            redact("s3cret and t0k at db.example as app", &secret),
            "[hidden] and [hidden] at db.example as app"
        );
    }

    #[test]
    fn without_secrets_the_text_stays() {
        assert_eq!(redact("Rate exceeded", &[]), "Rate exceeded");
        assert_eq!(
            redact("Rate exceeded", &[SecretString::from("")]),
            "Rate exceeded"
        );
    }
}
