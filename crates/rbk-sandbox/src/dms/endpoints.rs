//! Endpoints: creating, describing, deleting.

use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    endpoint_settings::{Settings, attributes, check_settings, echo},
    errors::DmsError,
    request::{Listing, Members, Tag, check_identifier, members, missing, resource_name, tags},
    state::{Endpoint, EndpointRole, Engine, Login},
};
use crate::{
    fault::Moment,
    world::{Call, World},
};

/// Members of other engines; the sandbox knows them, and refuses them.
const OTHER_ENGINES: [&str; 18] = [
    "DynamoDbSettings",
    "S3Settings",
    "DmsTransferSettings",
    "MongoDbSettings",
    "KinesisSettings",
    "KafkaSettings",
    "ElasticsearchSettings",
    "NeptuneSettings",
    "RedshiftSettings",
    "MySQLSettings",
    "OracleSettings",
    "SybaseSettings",
    "MicrosoftSQLServerSettings",
    "IBMDb2Settings",
    "DocDbSettings",
    "RedisSettings",
    "GcpMySQLSettings",
    "TimestreamSettings",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    endpoint_identifier: String,
    endpoint_type: String,
    engine_name: String,
    username: Option<String>,
    password: Option<SecretString>,
    server_name: Option<String>,
    port: Option<u16>,
    database_name: Option<String>,
    extra_connection_attributes: Option<String>,
    kms_key_id: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    certificate_arn: Option<String>,
    ssl_mode: Option<String>,
    #[serde(rename = "PostgreSQLSettings")]
    settings: Option<Settings>,
    resource_identifier: Option<String>,
}

pub(super) fn create(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    if let Some(name) = OTHER_ENGINES.iter().find(|name| body.contains_key(**name)) {
        return Err(DmsError::InvalidCombination(format!(
            "{name} does not go with a PostgreSQL endpoint."
        )));
    }
    for name in ["ServiceAccessRoleArn", "ExternalTableDefinition"] {
        if body.contains_key(name) {
            return Err(DmsError::InvalidCombination(format!(
                "The sandbox has no use for {name}."
            )));
        }
    }
    let required = ["EndpointIdentifier", "EndpointType", "EngineName"];
    let request: Create = members(body, &required)?;
    let endpoint = plan(world, request)?;
    world.apply(|model| {
        let dms = &mut model.dms;
        check_role(&endpoint, &dms.roles)?;
        let same = |present: &&Endpoint| {
            present.id.eq_ignore_ascii_case(&endpoint.id) || present.arn == endpoint.arn
        };
        if let Some(present) = dms.endpoints.values().find(same) {
            return Err(DmsError::AlreadyExists(format!(
                "Endpoint already exists: {}",
                present.id
            )));
        }
        let entry = call
            .entry(&endpoint.id)
            .with("EndpointArn", &endpoint.arn)
            .with("EndpointType", endpoint.role.as_str());
        let answer = json!({ "Endpoint": render(&endpoint) });
        dms.endpoints.insert(endpoint.arn.clone(), endpoint.clone());
        Ok((answer, Some(entry)))
    })
}

fn plan(world: &World, request: Create) -> Result<Endpoint, DmsError> {
    let invalid = |text: String| Err(DmsError::InvalidValue(text));
    check_identifier("EndpointIdentifier", &request.endpoint_identifier, 255)?;
    let role = match request.endpoint_type.to_ascii_lowercase().as_str() {
        "source" => EndpointRole::Source,
        "target" => EndpointRole::Target,
        other => {
            return invalid(format!(
                "Invalid endpoint type: {other}. Valid values: source | target"
            ));
        }
    };
    let engine = match request.engine_name.as_str() {
        "postgres" => Engine::Postgres,
        "aurora-postgresql" => Engine::AuroraPostgres,
        other => {
            return invalid(format!(
                "Unsupported engine {other}: the sandbox has postgres and aurora-postgresql only."
            ));
        }
    };
    let ssl_mode = request.ssl_mode.clone().unwrap_or_else(|| "none".into());
    let verifies = match ssl_mode.as_str() {
        "none" | "require" => false,
        "verify-ca" | "verify-full" => true,
        other => {
            return invalid(format!(
                "Invalid SSL mode: {other}. Valid values: none | require | verify-ca | verify-full"
            ));
        }
    };
    match &request.certificate_arn {
        None if verifies => {
            return Err(DmsError::InvalidCombination(format!(
                "A certificate is required for SSL mode {ssl_mode}: set CertificateArn."
            )));
        }
        Some(arn) if !world.read(|model| model.dms.certificates.contains(arn)) => {
            return Err(DmsError::NotFound(format!("Certificate {arn} not found.")));
        }
        Some(_) | None => {}
    }
    let attributes = attributes(request.extra_connection_attributes.as_deref())?;
    let settings = request.settings.unwrap_or_default();
    check_settings(&settings)?;
    let mut echoed = echo(&settings);
    for (name, flag) in attributes.flags {
        let present = echoed.insert(name.to_owned(), json!(flag));
        if present.is_some_and(|present| present != json!(flag)) {
            return Err(DmsError::InvalidCombination(format!(
                "{name} is given twice, with different values."
            )));
        }
    }
    let database = agree(
        "DatabaseName",
        request.database_name,
        settings.database_name,
    )?;
    let after_connect = agree(
        "AfterConnectScript",
        settings.after_connect_script,
        attributes.after_connect,
    )?;
    let login = login(
        Plain {
            server: agree("ServerName", request.server_name, settings.server_name)?,
            port: agree("Port", request.port, settings.port)?,
            username: agree("Username", request.username, settings.username)?,
            password: match (request.password, settings.password) {
                (Some(_), Some(_)) => {
                    return Err(DmsError::InvalidCombination(
                        "Password is set twice: on the endpoint and in PostgreSQLSettings.".into(),
                    ));
                }
                (one, other) => one.or(other),
            },
        },
        settings.secrets_manager_access_role_arn,
        settings.secrets_manager_secret_id,
    )?;
    if database.is_none() {
        return Err(missing("DatabaseName"));
    }
    let resource = resource_name(world, request.resource_identifier.as_deref())?;
    Ok(Endpoint {
        id: request.endpoint_identifier,
        arn: world.arn("dms", &format!("endpoint:{resource}")),
        role,
        engine,
        deleting: false,
        ssl_mode,
        certificate_arn: request.certificate_arn,
        kms_key: request.kms_key_id.unwrap_or_else(|| default_key(world)),
        extra_attributes: request.extra_connection_attributes,
        database,
        login,
        after_connect,
        settings: echoed,
        tags: tags(request.tags)?,
    })
}

/// The account's own key for DMS.
pub(super) fn default_key(world: &World) -> String {
    world.arn("kms", "key/aws-dms")
}

/// A member that may be given in two places must be the same in both.
fn agree<T: PartialEq>(
    name: &str,
    one: Option<T>,
    other: Option<T>,
) -> Result<Option<T>, DmsError> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(DmsError::InvalidCombination(format!(
            "{name} is given twice, with different values."
        ))),
        (one, other) => Ok(one.or(other)),
    }
}

struct Plain {
    server: Option<String>,
    port: Option<u16>,
    username: Option<String>,
    password: Option<SecretString>,
}

/// Either clear text or a secret, never both.
fn login(
    plain: Plain,
    role_arn: Option<String>,
    secret_id: Option<String>,
) -> Result<Login, DmsError> {
    let any_plain = plain.server.is_some()
        || plain.port.is_some()
        || plain.username.is_some()
        || plain.password.is_some();
    match (role_arn, secret_id) {
        (Some(_), Some(_)) if any_plain => Err(DmsError::InvalidCombination(
            "You can specify one of two sets of values: SecretsManagerAccessRoleArn and SecretsManagerSecretId, or clear-text values for Username, Password, ServerName and Port. You can't specify both.".into(),
        )),
        (Some(role_arn), Some(secret_id)) => Ok(Login::Secret { role_arn, secret_id }),
        (None, None) => Ok(Login::Plain {
            server: plain.server.ok_or_else(|| missing("ServerName"))?,
            port: plain.port.ok_or_else(|| missing("Port"))?,
            username: plain.username.ok_or_else(|| missing("Username"))?,
            password: plain.password.ok_or_else(|| missing("Password"))?,
        }),
        (Some(_), None) => Err(DmsError::InvalidCombination(
            "SecretsManagerAccessRoleArn needs SecretsManagerSecretId.".into(),
        )),
        (None, Some(_)) => Err(DmsError::InvalidCombination(
            "SecretsManagerSecretId needs SecretsManagerAccessRoleArn.".into(),
        )),
    }
}

/// A role that DMS can't assume is refused before anything is made.
fn check_role(
    endpoint: &Endpoint,
    roles: &std::collections::BTreeSet<String>,
) -> Result<(), DmsError> {
    let Login::Secret { role_arn, .. } = &endpoint.login else {
        return Ok(());
    };
    let known = role_arn.starts_with("arn:aws:iam::")
        && role_arn
            .rsplit_once('/')
            .is_some_and(|(_, name)| roles.contains(name));
    if known {
        return Ok(());
    }
    Err(DmsError::RoleMissing(format!(
        "The IAM Role {role_arn} is not configured properly."
    )))
}

fn render(endpoint: &Endpoint) -> Value {
    let mut settings = endpoint.settings.clone();
    let mut shown = Members::new();
    shown
        .set("EndpointIdentifier", endpoint.id.as_str())
        .set("EndpointArn", endpoint.arn.as_str())
        .set("EndpointType", endpoint.role.as_str().to_ascii_uppercase())
        .set("EngineName", endpoint.engine.as_str())
        .set("EngineDisplayName", endpoint.engine.display_name())
        .set(
            "Status",
            if endpoint.deleting {
                "deleting"
            } else {
                "active"
            },
        )
        .set("SslMode", endpoint.ssl_mode.as_str())
        .set("KmsKeyId", endpoint.kms_key.as_str())
        .set("IsReadOnly", false)
        .maybe("CertificateArn", endpoint.certificate_arn.clone())
        .maybe("DatabaseName", endpoint.database.clone())
        .maybe(
            "ExtraConnectionAttributes",
            endpoint.extra_attributes.clone(),
        );
    if let Some(database) = &endpoint.database {
        settings.insert("DatabaseName".into(), json!(database));
    }
    if let Login::Plain {
        server,
        port,
        username,
        ..
    } = &endpoint.login
    {
        shown
            .set("ServerName", server.as_str())
            .set("Port", *port)
            .set("Username", username.as_str());
        settings.insert("ServerName".into(), json!(server));
        settings.insert("Port".into(), json!(port));
        settings.insert("Username".into(), json!(username));
    }
    shown.set("PostgreSQLSettings", Value::Object(settings));
    shown.done()
}

pub(super) fn describe(
    world: &World,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let listing: Listing = members(body, &[])?;
    listing.check(&[
        "endpoint-arn",
        "endpoint-type",
        "endpoint-id",
        "engine-name",
    ])?;
    world.view(call, |model| {
        let endpoints: Vec<Value> = model
            .dms
            .endpoints
            .values()
            .filter(|endpoint| {
                listing.admits(|name| match name {
                    "endpoint-arn" => Some(&endpoint.arn),
                    "endpoint-id" => Some(&endpoint.id),
                    "endpoint-type" => Some(endpoint.role.as_str()),
                    _ => Some(endpoint.engine.as_str()),
                })
            })
            .map(render)
            .collect();
        if listing.is_filtered() && endpoints.is_empty() {
            return Err(DmsError::NotFound(
                "No Endpoints found matching provided filters".into(),
            ));
        }
        listing.page("Endpoints", endpoints, 100)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    endpoint_arn: String,
}

pub(super) fn delete(
    world: &Arc<World>,
    call: &Call,
    body: Map<String, Value>,
) -> Result<Value, DmsError> {
    let request: Delete = members(body, &["EndpointArn"])?;
    let arn = request.endpoint_arn;
    let answer = world.apply(|model| {
        let dms = &mut model.dms;
        let endpoint = dms.endpoint(&arn)?;
        if endpoint.deleting {
            return Err(DmsError::InvalidState(format!(
                "Endpoint {} is already being deleted.",
                endpoint.id
            )));
        }
        let uses =
            |config: &&super::state::Config| config.source_arn == arn || config.target_arn == arn;
        if let Some(config) = dms.configs.values().find(uses) {
            return Err(DmsError::InvalidState(format!(
                "Endpoint {} is part of one or more ReplicationConfigs: {}.",
                endpoint.id, config.id
            )));
        }
        let entry = call.entry(&endpoint.id).with("EndpointArn", &arn);
        let mut answer = Value::Null;
        if let Some(endpoint) = dms.endpoints.get_mut(&arn) {
            endpoint.deleting = true;
            answer = json!({ "Endpoint": render(endpoint) });
        }
        Ok((answer, Some(entry)))
    })?;
    let (work, drawn) = (Arc::clone(world), call.drawn.clone());
    world.spawn(async move {
        work.faults.wait(&drawn, Moment::During).await;
        tokio::time::sleep(work.durations.dms_deleting_endpoint).await;
        work.change(|model| model.dms.endpoints.remove(&arn));
    });
    Ok(answer)
}
