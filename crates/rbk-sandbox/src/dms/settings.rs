//! The settings document: checked, and completed with DMS's defaults.

use serde_json::{Map, Value};

use super::{errors::DmsError, load::LoadSettings};

/// As a replication without settings has them (the shape that DMS echoes).
const DEFAULTS: &str = include_str!("settings_default.json");

const SEVERITIES: [&str; 6] = [
    "LOGGER_SEVERITY_ERROR",
    "LOGGER_SEVERITY_WARNING",
    "LOGGER_SEVERITY_INFO",
    "LOGGER_SEVERITY_DEFAULT",
    "LOGGER_SEVERITY_DEBUG",
    "LOGGER_SEVERITY_DETAILED_DEBUG",
];

fn invalid(why: impl std::fmt::Display) -> DmsError {
    DmsError::InvalidValue(format!("Replication Task Settings document error: {why}"))
}

/// The whole document that a replication runs with.
pub(super) fn expand(text: Option<&str>) -> Result<Value, DmsError> {
    let mut document: Value =
        serde_json::from_str(DEFAULTS).map_err(|_| DmsError::InternalFailure)?;
    let given = match text {
        None | Some("") => return Ok(document),
        Some(text) => serde_json::from_str::<Value>(text)
            .map_err(|error| invalid(format_args!("Invalid json: {error}")))?,
    };
    let Value::Object(given) = given else {
        return Err(invalid("Invalid json: not an object"));
    };
    refuse_log_places(&given)?;
    if let Some(defaults) = document.as_object_mut() {
        merge("", defaults, &given)?;
    }
    LoadSettings::parse(&document).map_err(invalid)?;
    Ok(document)
}

/// Where the logs are is for DMS to say.
fn refuse_log_places(given: &Map<String, Value>) -> Result<(), DmsError> {
    let logging = given.get("Logging");
    let set = |name: &str| {
        logging
            .and_then(|logging| logging.get(name))
            .is_some_and(|value| !value.is_null())
    };
    if set("CloudWatchLogGroup") || set("CloudWatchLogStream") {
        return Err(DmsError::InvalidValue(
            "Task Settings CloudWatchLogGroup or CloudWatchLogStream cannot be set on create."
                .into(),
        ));
    }
    Ok(())
}

/// Puts what was given over the defaults; what isn't known there is refused.
fn merge(
    path: &str,
    document: &mut Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<(), DmsError> {
    for (name, value) in given {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(slot) = document.get_mut(name) else {
            return Err(invalid(format_args!("Unknown setting {path}")));
        };
        match (slot, value) {
            (Value::Object(section), Value::Object(value)) => merge(&path, section, value)?,
            (Value::Array(components), Value::Array(value)) => log_components(components, value)?,
            // What has no default may be any document, or nothing.
            (slot @ Value::Null, value) => *slot = value.clone(),
            (Value::Object(_) | Value::Array(_), _) => {
                return Err(invalid(format_args!("{path} has the wrong type")));
            }
            (slot, value) if same_type(slot, value) => *slot = value.clone(),
            (_, _) => return Err(invalid(format_args!("{path} has the wrong type"))),
        }
    }
    Ok(())
}

fn same_type(one: &Value, other: &Value) -> bool {
    match one {
        Value::Bool(_) => other.is_boolean(),
        Value::Number(_) => other.is_i64() || other.is_u64(),
        Value::String(_) => other.is_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Severities are set component by component.
fn log_components(components: &mut [Value], given: &[Value]) -> Result<(), DmsError> {
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| invalid(format_args!("a log component has no {name}")))
    };
    for component in given {
        let (id, severity) = (text(component, "Id")?, text(component, "Severity")?);
        if !SEVERITIES.contains(&severity.as_str()) {
            return Err(invalid(format_args!("Unknown severity {severity} of {id}")));
        }
        let known = components
            .iter_mut()
            .find(|known| known.get("Id").and_then(Value::as_str) == Some(&id));
        match known.and_then(|known| known.get_mut("Severity")) {
            Some(slot) => *slot = Value::from(severity),
            None => return Err(invalid(format_args!("Unknown log component {id}"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        expand(Some(text)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let document = expand(Some(
            r#"{"TargetMetadata":{"FullLobMode":true,"LimitedSizeLobMode":false,"LobChunkSize":64},
                "Logging":{"EnableLogging":true,"LogComponents":[{"Id":"TARGET_LOAD","Severity":"LOGGER_SEVERITY_DEBUG"}]},
                "BeforeImageSettings":null}"#,
        ))
        .unwrap();
        assert_eq!(document["TargetMetadata"]["LobChunkSize"], 64);
        assert_eq!(document["TargetMetadata"]["SupportLobs"], true);
        assert_eq!(
            document["ErrorBehavior"]["TableErrorPolicy"],
            "SUSPEND_TABLE"
        );
        let components = document["Logging"]["LogComponents"].as_array().unwrap();
        assert_eq!(components.len(), 19);
        let severity = |id: &str| {
            let component = components.iter().find(|one| one["Id"] == id).unwrap();
            component["Severity"].as_str().unwrap().to_owned()
        };
        assert_eq!(severity("TARGET_LOAD"), "LOGGER_SEVERITY_DEBUG");
        assert_eq!(severity("COMMON"), "LOGGER_SEVERITY_DEFAULT");
        assert_eq!(expand(None).unwrap(), expand(Some("{}")).unwrap());
    }

    #[test]
    fn an_echoed_document_is_accepted_again() {
        let echoed = expand(Some("{}")).unwrap();
        assert_eq!(expand(Some(&echoed.to_string())).unwrap(), echoed);
    }

    #[test]
    fn each_mistake_is_named() {
        assert!(refusal("{").contains("Invalid json"));
        assert!(refusal("[]").contains("not an object"));
        assert!(refusal(r#"{"Fullload":{}}"#).contains("Unknown setting Fullload"));
        assert!(refusal(r#"{"FullLoadSettings":{"CommitRate":"9"}}"#).contains("wrong type"));
        assert!(refusal(r#"{"FullLoadSettings":{"CommitRate":0}}"#).contains("CommitRate"));
        assert!(
            refusal(r#"{"FullLoadSettings":{"TargetTablePrepMode":"KEEP"}}"#)
                .contains("DO_NOTHING")
        );
        assert!(
            refusal(r#"{"TargetMetadata":{"FullLobMode":true}}"#).contains("exclude each other")
        );
        assert!(
            refusal(r#"{"Logging":{"CloudWatchLogGroup":"x"}}"#)
                .contains("cannot be set on create")
        );
        assert!(
            refusal(
                r#"{"Logging":{"LogComponents":[{"Id":"X","Severity":"LOGGER_SEVERITY_DEBUG"}]}}"#
            )
            .contains("Unknown log component")
        );
    }
}
