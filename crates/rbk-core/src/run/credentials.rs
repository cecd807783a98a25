//! What a database's secret says: JSON with `host`, `port`, `dbname`, `username`, `password` and whatever else others keep in it.
//! Source: the JSON structure of Secrets Manager's database secrets.

use super::failure::Failure;
use crate::ids::SecretName;
use crate::ports::{Endpoint, SecretValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// A secret's content, as an object. Has no `Debug`: it holds a password.
#[derive(Clone)]
pub(crate) struct Content(Map<String, Value>);

impl Content {
    pub fn empty() -> Self {
        Self(Map::new())
    }

    pub fn parse(secret: &SecretName, value: &SecretValue) -> Result<Self, Failure> {
        // The parser's own message could quote the text.
        match serde_json::from_str(value.value.expose_secret()) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            _ => Err(Failure::SecretUnusable {
                secret: secret.clone(),
                reason: "its value isn't a JSON object".to_owned(),
            }),
        }
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// A number, or text that is one: both are found in the wild.
    pub fn port(&self) -> Option<u16> {
        match self.0.get("port")? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint {
            host: self.text("host")?.to_owned(),
            port: self.port().unwrap_or(5432),
        })
    }

    pub fn need(&self, secret: &SecretName, key: &str) -> Result<&str, Failure> {
        self.text(key).ok_or_else(|| Failure::SecretUnusable {
            secret: secret.clone(),
            reason: format!("its value has no text `{key}`"),
        })
    }

    pub fn password(&self, secret: &SecretName) -> Result<SecretString, Failure> {
        self.need(secret, "password").map(SecretString::from)
    }

    pub fn set(&mut self, key: &str, text: impl Into<String>) {
        self.0.insert(key.to_owned(), Value::String(text.into()));
    }

    /// A port that was text stays text.
    pub fn set_port(&mut self, port: u16) {
        let value = match self.0.get("port") {
            Some(Value::String(_)) => Value::String(port.to_string()),
            _ => Value::from(port),
        };
        self.0.insert("port".to_owned(), value);
    }

    pub fn write(&self) -> SecretString {
        SecretString::from(Value::Object(self.0.clone()).to_string())
    }
}

/// What a pointer secret names: its whole value, or the text under a key of it.
pub(crate) fn pointed_at(
    secret: &SecretName,
    value: &SecretValue,
    field: Option<&str>,
) -> Result<SecretName, Failure> {
    match field {
        None => Ok(SecretName::new(value.value.expose_secret().trim())),
        Some(field) => {
            let content = Content::parse(secret, value)?;
            content.need(secret, field).map(SecretName::from)
        }
    }
}
