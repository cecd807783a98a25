//! Parameters of the Query protocol. What an operation doesn't take is an error, never silence.

use std::collections::BTreeMap;

use super::RdsError;
use crate::model::InstanceId;

/// A request's parameters; each operation takes out what it knows, and then calls
/// [`Params::finish`].
#[derive(Debug, Clone)]
pub(crate) struct Params {
    operation: String,
    values: BTreeMap<String, String>,
}

/// A `Filters` member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

impl Params {
    /// `values` are all of the request's, with `Action` and `Version`.
    pub(crate) fn new(operation: &str, mut values: BTreeMap<String, String>) -> Params {
        values.remove("Action");
        values.remove("Version");
        Params {
            operation: operation.to_owned(),
            values,
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    pub(crate) fn required(&mut self, name: &str) -> Result<String, RdsError> {
        self.text(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| RdsError::MissingParameter(name.to_owned()))
    }

    pub(crate) fn instance_id(&mut self, name: &str) -> Result<InstanceId, RdsError> {
        InstanceId::parse(name, &self.required(name)?)
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, RdsError> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(RdsError::InvalidParameterValue(format!(
                "Invalid value {other} for {name}. Must be true or false"
            ))),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, RdsError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            RdsError::InvalidParameterValue(format!("Invalid value {text} for {name}"))
        })
    }

    pub(crate) fn timestamp(&mut self, name: &str) -> Result<Option<jiff::Timestamp>, RdsError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            RdsError::InvalidParameterValue(format!("Invalid timestamp {text} for {name}"))
        })
    }

    /// A list like `VpcSecurityGroupIds.VpcSecurityGroupId.1`; `None` where it isn't given.
    pub(crate) fn list(&mut self, name: &str, member: &str) -> Option<Vec<String>> {
        let empty = self.text(name).is_some();
        let mut items = Vec::new();
        while let Some(item) = self.text(&format!("{name}.{member}.{}", items.len() + 1)) {
            items.push(item);
        }
        (empty || !items.is_empty()).then_some(items)
    }

    pub(crate) fn tags(&mut self) -> Result<Option<BTreeMap<String, String>>, RdsError> {
        let empty = self.text("Tags").is_some();
        let mut tags = BTreeMap::new();
        for number in 1.. {
            let Some(key) = self.text(&format!("Tags.Tag.{number}.Key")) else {
                break;
            };
            let value = self
                .text(&format!("Tags.Tag.{number}.Value"))
                .unwrap_or_default();
            check_tag(&key, &value)?;
            tags.insert(key, value);
        }
        if tags.len() > 50 {
            return Err(RdsError::InvalidParameterValue(
                "The number of tags exceeds the limit of 50".into(),
            ));
        }
        Ok((empty || !tags.is_empty()).then_some(tags))
    }

    /// `known` are the names that the operation takes.
    pub(crate) fn filters(&mut self, known: &[&str]) -> Result<Vec<Filter>, RdsError> {
        self.text("Filters");
        let mut filters = Vec::new();
        for number in 1.. {
            let prefix = format!("Filters.Filter.{number}");
            let Some(name) = self.text(&format!("{prefix}.Name")) else {
                break;
            };
            if !known.contains(&name.as_str()) {
                return Err(RdsError::InvalidParameterValue(format!(
                    "Unrecognized filter name: {name}"
                )));
            }
            let values = self
                .list(&format!("{prefix}.Values"), "Value")
                .unwrap_or_default();
            filters.push(Filter { name, values });
        }
        Ok(filters)
    }

    pub(crate) fn page(&mut self) -> Result<Page, RdsError> {
        let size = self.number("MaxRecords")?.unwrap_or(100);
        if !(20..=100).contains(&size) {
            return Err(RdsError::InvalidParameterValue(format!(
                "Invalid value {size} for MaxRecords. Must be between 20 and 100"
            )));
        }
        let start = match self.text("Marker") {
            None => 0,
            Some(marker) => decode_marker(&marker).ok_or_else(|| {
                RdsError::InvalidParameterValue("The specified marker is invalid.".into())
            })?,
        };
        Ok(Page {
            start,
            size: size as usize,
        })
    }

    /// Refuses what is left.
    pub(crate) fn finish(self) -> Result<(), RdsError> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(name) => Err(RdsError::UnknownParameter(format!(
                "The parameter {name} isn't one that {} takes, or the sandbox doesn't support it.",
                self.operation
            ))),
        }
    }
}

/// A page of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    start: usize,
    size: usize,
}

impl Page {
    /// The page's items, and the marker of the next one.
    pub(crate) fn of<T>(self, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let end = self.start + self.size;
        let marker = (items.len() > end).then(|| encode_marker(end));
        let page = items.into_iter().skip(self.start).take(self.size).collect();
        (page, marker)
    }
}

/// Markers are opaque, so that nobody counts with them.
fn encode_marker(position: usize) -> String {
    hex::encode(format!("marker/{position}"))
}

fn decode_marker(marker: &str) -> Option<usize> {
    let text = String::from_utf8(hex::decode(marker).ok()?).ok()?;
    text.strip_prefix("marker/")?.parse().ok()
}

fn check_tag(key: &str, value: &str) -> Result<(), RdsError> {
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
    };
    let reserved = key.starts_with("aws:") || key.starts_with("rds:");
    if key.is_empty()
        || key.chars().count() > 128
        || value.chars().count() > 256
        || reserved
        || !allowed(key)
        || !allowed(value)
    {
        return Err(RdsError::InvalidParameterValue(format!(
            "Invalid tag key or value: {key}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let values = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Params::new("DescribeDBInstances", values)
    }

    #[test]
    fn what_an_operation_doesnt_take_is_an_error() {
        let mut given = params(&[("Action", "x"), ("Marker", "m"), ("Markr", "m")]);
        given.text("Marker");
        let error = given.finish().unwrap_err();
        assert_eq!(error.code(), "ValidationError");
        assert!(error.to_string().contains("Markr"));
    }

    #[test]
    fn a_list_with_the_wrong_member_name_is_an_error() {
        let mut given = params(&[("VpcSecurityGroupIds.member.1", "sg-1")]);
        assert_eq!(
            given.list("VpcSecurityGroupIds", "VpcSecurityGroupId"),
            None
        );
        assert!(given.finish().is_err());
    }

    #[test]
    fn an_empty_list_is_told_from_none() {
        let mut given = params(&[("Tags", "")]);
        assert_eq!(given.tags().unwrap(), Some(BTreeMap::new()));
        assert_eq!(params(&[]).tags().unwrap(), None);
    }

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let mut given = params(&[("MaxRecords", "20")]);
        let (first, marker) = given.page().unwrap().of((0..45).collect());
        let mut given = params(&[("MaxRecords", "20"), ("Marker", &marker.unwrap())]);
        let (second, marker) = given.page().unwrap().of((0..45).collect());
        let mut given = params(&[("Marker", &marker.unwrap())]);
        let (third, marker) = given.page().unwrap().of((0..45).collect());
        assert_eq!((first.len(), second.len(), third.len()), (20, 20, 5));
        assert_eq!(marker, None);
        assert!(params(&[("MaxRecords", "19")]).page().is_err());
        assert!(params(&[("Marker", "x")]).page().is_err());
    }

    #[test]
    fn reserved_tags_are_refused() {
        assert!(check_tag("rbk:run", "r1").is_ok());
        assert!(check_tag("aws:x", "y").is_err());
        assert!(check_tag("k", "a*b").is_err());
    }
}
