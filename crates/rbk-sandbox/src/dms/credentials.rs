//! Who DMS logs in as: an endpoint's own words, or the current version of a secret.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    load::Party,
    state::{Endpoint, Login},
};
use crate::model::Model;

/// The endpoint with its credentials resolved; an error is what the failed connection test says.
pub(super) fn party(
    model: &Model,
    endpoint: &Endpoint,
    replication: &str,
) -> Result<Party, String> {
    let found = match &endpoint.login {
        Login::Plain {
            server,
            port,
            username,
            password,
        } => Found {
            host: server.clone(),
            port: *port,
            username: username.clone(),
            password: password.clone(),
        },
        Login::Secret { secret_id, .. } => by_secret(model, secret_id).map_err(|why| {
            format!(
                "Test connection failed for endpoint '{}' and replication config '{replication}'. \
                 Failure Message: 'Unable to use secret {secret_id}: {why}'",
                endpoint.id
            )
        })?,
    };
    let switched_on = |name| endpoint.settings.get(name).and_then(Value::as_bool) == Some(true);
    Ok(Party {
        endpoint: endpoint.id.clone(),
        host: found.host,
        port: found.port,
        database: endpoint.database.clone().unwrap_or_default(),
        username: found.username,
        password: found.password,
        ssl_mode: endpoint.ssl_mode.clone(),
        after_connect: endpoint.after_connect.clone(),
        map_boolean_as_boolean: switched_on("MapBooleanAsBoolean"),
        fail_on_lob_truncation: switched_on("FailTasksOnLobTruncation"),
    })
}

struct Found {
    host: String,
    port: u16,
    username: String,
    password: SecretString,
}

/// Reads `{"username":…,"password":…,"host":…,"port":…}`; further members don't matter. Errors never quote the secret.
fn by_secret(model: &Model, id: &str) -> Result<Found, String> {
    let secret = model.secret(id).map_err(|error| error.to_string())?;
    secret.usable("DMS").map_err(|error| error.to_string())?;
    let value = secret
        .current()
        .ok_or("the secret has no current version")?;
    let document: Value = serde_json::from_str(value.expose_secret())
        .map_err(|_| "the secret's value isn't a JSON document")?;
    let text = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("the secret has no {name}"))
    };
    let port = match document.get("port") {
        Some(Value::Number(number)) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    Ok(Found {
        host: text("host")?,
        port: port.ok_or("the secret has no usable port")?,
        username: text("username")?,
        password: SecretString::from(text("password")?),
    })
}
