//! What DMS's operations share: reading members, identifiers, tags, filters, pages.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::errors::DmsError;
use crate::world::World;

/// Reads a body, which is a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, DmsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(DmsError::Serialization(
            "Unexpected value: not an object".into(),
        )),
        Err(error) => Err(DmsError::Serialization(error.to_string())),
    }
}

/// Reads the members of a request. A missing required one is a validation error; an unknown or mistyped one is a
/// serialization error, since it would otherwise be lost in silence.
pub(super) fn members<T: DeserializeOwned>(
    body: Map<String, Value>,
    required: &[&str],
) -> Result<T, DmsError> {
    for name in required {
        if body.get(*name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    serde_json::from_value(Value::Object(body))
        .map_err(|error| DmsError::Serialization(mask(&error.to_string())))
}

/// Serde quotes values of the wrong type, and one of them could be a password.
fn mask(message: &str) -> String {
    match message.split_once("invalid type: ") {
        Some((_, rest)) => match rest.rsplit_once(", expected ") {
            Some((_, expected)) => format!("a member has the wrong type: expected {expected}"),
            None => "a member has the wrong type".to_owned(),
        },
        None => message.to_owned(),
    }
}

/// The members of a structure within a request have required ones, too.
pub(super) fn missing(name: &str) -> DmsError {
    let mut letters = name.chars();
    let member: String = letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default();
    DmsError::Validation(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

/// Identifiers begin with a letter and consist of letters, digits and single hyphens.
pub(super) fn check_identifier(member: &str, text: &str, longest: usize) -> Result<(), DmsError> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if !valid {
        return Err(DmsError::InvalidValue(format!(
            "The parameter {member} must be provided and must not be blank. It must begin with a letter, contain only ASCII letters, digits and hyphens, not end with a hyphen and not contain two consecutive hyphens: {text}"
        )));
    }
    if text.len() > longest {
        return Err(DmsError::InvalidValue(format!(
            "The parameter {member} is too long: {} characters, at most {longest} are allowed.",
            text.len()
        )));
    }
    Ok(())
}

/// The last part of an ARN: what was asked for, or 26 random characters.
pub(super) fn resource_name(world: &World, wanted: Option<&str>) -> Result<String, DmsError> {
    match wanted {
        Some(name) => {
            check_identifier("ResourceIdentifier", name, 31)?;
            Ok(name.to_owned())
        }
        None => Ok(world.generated(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26)),
    }
}

/// Epoch seconds, as DMS writes times.
pub(super) fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}

/// A tag of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    key: Option<String>,
    value: Option<String>,
    /// Only set in answers; it is a member of the shape.
    #[serde(rename = "ResourceArn")]
    _resource_arn: Option<String>,
}

/// Tags by key.
pub(super) fn tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, DmsError> {
    let mut by_key = BTreeMap::new();
    for tag in tags {
        let key = tag.key.unwrap_or_default();
        let value = tag.value.unwrap_or_default();
        let letter = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        let prefixed = key.starts_with("aws:") || key.starts_with("dms:");
        if key.is_empty() || key.len() > 128 || prefixed || !key.chars().all(letter) {
            return Err(DmsError::InvalidValue(format!("Invalid tag key: {key}")));
        }
        if value.len() > 256 || !value.chars().all(letter) {
            return Err(DmsError::InvalidValue(format!(
                "Invalid tag value for key: {key}"
            )));
        }
        if by_key.insert(key.clone(), value).is_some() {
            return Err(DmsError::InvalidValue(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(by_key)
}

/// The request of an operation that lists.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Listing {
    #[serde(default)]
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Listing {
    /// Refuses filters that the operation doesn't know.
    pub(super) fn check(&self, known: &[&str]) -> Result<(), DmsError> {
        for filter in &self.filters {
            if !known.contains(&filter.name.as_str()) {
                return Err(DmsError::InvalidValue(format!(
                    "Unrecognized filter name: {}. Valid filter names: {}",
                    filter.name,
                    known.join(" | ")
                )));
            }
            if filter.values.is_empty() {
                return Err(DmsError::InvalidValue(format!(
                    "The filter {} must have at least one value.",
                    filter.name
                )));
            }
        }
        Ok(())
    }

    pub(super) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Whether something passes all filters; `member` is its value by filter name.
    pub(super) fn admits<'a>(&self, member: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.filters.iter().all(|filter| {
            member(&filter.name).is_some_and(|value| {
                let mut values = filter.values.iter();
                values.any(|wanted| wanted.eq_ignore_ascii_case(value))
            })
        })
    }

    /// One page, with the marker of the next one if there is more.
    pub(super) fn page(
        &self,
        name: &str,
        items: Vec<Value>,
        most: usize,
    ) -> Result<Value, DmsError> {
        let size = self.max_records.unwrap_or(100);
        if !(20..=most).contains(&size) {
            return Err(DmsError::InvalidValue(format!(
                "Invalid MaxRecords value: {size}. It must be between 20 and {most}."
            )));
        }
        let start = match &self.marker {
            None => 0,
            Some(marker) => position(marker)
                .ok_or_else(|| DmsError::InvalidValue(format!("Invalid Marker: {marker}")))?,
        };
        let more = items.len() > start.saturating_add(size);
        let page: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        let mut answer = Map::new();
        answer.insert(name.to_owned(), Value::Array(page));
        if more {
            let marker = BASE64_STANDARD.encode(format!("dms:{}", start + size));
            answer.insert("Marker".to_owned(), json!(marker));
        }
        Ok(Value::Object(answer))
    }
}

fn position(marker: &str) -> Option<usize> {
    let bytes = BASE64_STANDARD.decode(marker).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("dms:")?.parse().ok()
}

/// Members that are there.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn new() -> Members {
        Members(Map::new())
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Members {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Absent members are left out.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Into<Value>>) -> &mut Members {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    pub(super) fn time(&mut self, name: &str, time: Option<Timestamp>) -> &mut Members {
        self.maybe(name, time.map(seconds))
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let items = || (0..45).map(|n| json!(n)).collect::<Vec<_>>();
        let mut listing = Listing {
            max_records: Some(20),
            ..Listing::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = listing.page("Items", items(), 100).unwrap();
            seen.extend(page["Items"].as_array().unwrap().clone());
            match page.get("Marker") {
                Some(marker) => listing.marker = Some(marker.as_str().unwrap().to_owned()),
                None => break,
            }
        }
        assert_eq!(seen, items());
        listing.marker = Some("nonsense".into());
        assert!(listing.page("Items", items(), 100).is_err());
        listing.max_records = Some(5);
        assert!(listing.page("Items", items(), 100).is_err());
    }

    #[test]
    fn an_error_never_quotes_a_value_of_the_wrong_type() {
        #[derive(Debug, Deserialize)]
        struct Wanted {
            #[serde(rename = "Port")]
            _port: u16,
        }
        let body = object(br#"{"Port":"hunter2"}"#).unwrap();
        let error = members::<Wanted>(body, &[]).unwrap_err().to_string();
        assert!(
            !error.contains("hunter2") && error.contains("u16"),
            "{error}"
        );
    }
}
