//! What an endpoint is told beyond its address: `PostgreSQLSettings` and the extra connection attributes.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::errors::DmsError;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) after_connect_script: Option<String>,
    capture_ddls: Option<bool>,
    max_file_size: Option<u32>,
    pub(super) database_name: Option<String>,
    ddl_artifacts_schema: Option<String>,
    execute_timeout: Option<u32>,
    fail_tasks_on_lob_truncation: Option<bool>,
    heartbeat_enable: Option<bool>,
    heartbeat_schema: Option<String>,
    heartbeat_frequency: Option<u32>,
    pub(super) password: Option<SecretString>,
    pub(super) port: Option<u16>,
    pub(super) server_name: Option<String>,
    pub(super) username: Option<String>,
    slot_name: Option<String>,
    plugin_name: Option<String>,
    pub(super) secrets_manager_access_role_arn: Option<String>,
    pub(super) secrets_manager_secret_id: Option<String>,
    trim_space_in_char: Option<bool>,
    map_boolean_as_boolean: Option<bool>,
    map_jsonb_as_clob: Option<bool>,
    map_long_varchar_as: Option<String>,
    disable_unicode_source_filter: Option<bool>,
    authentication_method: Option<String>,
}

/// What has an effect among extra connection attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) after_connect: Option<String>,
    /// By the name that they have in `PostgreSQLSettings`.
    pub(super) flags: Vec<(&'static str, bool)>,
}

/// Reads `name=value;name=value`. Some attributes are known to DMS, and have no effect on a full load here.
pub(super) fn attributes(text: Option<&str>) -> Result<Attributes, DmsError> {
    const FLAGS: [(&str, &str); 2] = [
        ("failTasksOnLobTruncation", "FailTasksOnLobTruncation"),
        ("mapBooleanAsBoolean", "MapBooleanAsBoolean"),
    ];
    const WITHOUT_EFFECT: [&str; 11] = [
        "captureDdls",
        "databaseMode",
        "executeTimeout",
        "heartbeatEnable",
        "heartbeatFrequency",
        "heartbeatSchema",
        "mapJsonbAsClob",
        "maxFileSize",
        "pluginName",
        "secretsManagerEndpointOverride",
        "slotName",
    ];
    let mut found = Attributes::default();
    let pairs = text.unwrap_or_default().split(';');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(DmsError::InvalidValue(format!(
                "Extra connection attributes must be name=value pairs, separated by semicolons: {pair}"
            )));
        };
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if is("afterConnectScript") {
            found.after_connect = Some(value.to_owned());
        } else if let Some((_, setting)) = FLAGS.iter().find(|(known, _)| is(known)) {
            let flag = match value.to_ascii_lowercase().as_str() {
                "true" | "y" => true,
                "false" | "n" => false,
                other => {
                    return Err(DmsError::InvalidValue(format!(
                        "The extra connection attribute {name} is true or false, not {other}."
                    )));
                }
            };
            found.flags.push((setting, flag));
        } else if !WITHOUT_EFFECT.iter().any(|known| is(known)) {
            return Err(DmsError::InvalidValue(format!(
                "Unknown extra connection attribute: {name}"
            )));
        }
    }
    Ok(found)
}

pub(super) fn check_settings(settings: &Settings) -> Result<(), DmsError> {
    let one_of = |name: &str, value: &Option<String>, known: &[&str]| match value {
        Some(value) if !known.contains(&value.as_str()) => Err(DmsError::InvalidValue(format!(
            "Invalid {name}: {value}. Valid values: {}",
            known.join(" | ")
        ))),
        _ => Ok(()),
    };
    one_of(
        "PluginName",
        &settings.plugin_name,
        &["no-preference", "test-decoding", "pglogical"],
    )?;
    one_of(
        "MapLongVarcharAs",
        &settings.map_long_varchar_as,
        &["wstring", "clob", "nclob"],
    )?;
    if settings.authentication_method.as_deref() == Some("iam") {
        return Err(DmsError::InvalidValue(
            "The sandbox has no IAM authentication: set AuthenticationMethod to password.".into(),
        ));
    }
    one_of(
        "AuthenticationMethod",
        &settings.authentication_method,
        &["password", "iam"],
    )
}

/// The settings as they are shown: all that was given but the password.
pub(super) fn echo(settings: &Settings) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::from);
    set("AfterConnectScript", text(&settings.after_connect_script));
    set("CaptureDdls", settings.capture_ddls.map(Value::from));
    set("MaxFileSize", settings.max_file_size.map(Value::from));
    set("DatabaseName", text(&settings.database_name));
    set("DdlArtifactsSchema", text(&settings.ddl_artifacts_schema));
    set("ExecuteTimeout", settings.execute_timeout.map(Value::from));
    set(
        "FailTasksOnLobTruncation",
        settings.fail_tasks_on_lob_truncation.map(Value::from),
    );
    set(
        "HeartbeatEnable",
        settings.heartbeat_enable.map(Value::from),
    );
    set("HeartbeatSchema", text(&settings.heartbeat_schema));
    set(
        "HeartbeatFrequency",
        settings.heartbeat_frequency.map(Value::from),
    );
    set("Port", settings.port.map(Value::from));
    set("ServerName", text(&settings.server_name));
    set("Username", text(&settings.username));
    set("SlotName", text(&settings.slot_name));
    set("PluginName", text(&settings.plugin_name));
    set(
        "SecretsManagerAccessRoleArn",
        text(&settings.secrets_manager_access_role_arn),
    );
    set(
        "SecretsManagerSecretId",
        text(&settings.secrets_manager_secret_id),
    );
    set(
        "TrimSpaceInChar",
        settings.trim_space_in_char.map(Value::from),
    );
    set(
        "MapBooleanAsBoolean",
        settings.map_boolean_as_boolean.map(Value::from),
    );
    set(
        "MapJsonbAsClob",
        settings.map_jsonb_as_clob.map(Value::from),
    );
    set("MapLongVarcharAs", text(&settings.map_long_varchar_as));
    set(
        "DisableUnicodeSourceFilter",
        settings.disable_unicode_source_filter.map(Value::from),
    );
    set(
        "AuthenticationMethod",
        text(&settings.authentication_method),
    );
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_attributes_are_read_in_any_case() {
        let found = attributes(Some(
            "captureDdls=false;AfterConnectScript=SET session_replication_role='replica';MapBooleanAsBoolean=true;",
        ))
        .unwrap();
        assert_eq!(
            found,
            Attributes {
                after_connect: Some("SET session_replication_role='replica'".into()),
                flags: vec![("MapBooleanAsBoolean", true)],
            }
        );
        assert_eq!(attributes(None).unwrap(), Attributes::default());
        for bad in ["slot", "slotnam=x", "mapBooleanAsBoolean=perhaps"] {
            assert!(attributes(Some(bad)).is_err(), "{bad}");
        }
    }
}
