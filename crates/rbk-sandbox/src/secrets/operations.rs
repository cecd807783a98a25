//! The operations, over JSON.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, ToSpan};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Secret, SecretsError, new_secret,
    store::{CURRENT, VersionId, Written},
};
use crate::world::{Call, World};

/// Answers an operation.
pub(crate) fn handle(world: &World, call: &Call, body: &[u8]) -> Result<Value, SecretsError> {
    match call.operation.as_str() {
        "CreateSecret" => create(world, call, parse(body)?),
        "DeleteSecret" => delete(world, call, parse(body)?),
        "DescribeSecret" => describe(world, call, parse(body)?),
        "GetSecretValue" => get(world, call, parse(body)?),
        "ListSecretVersionIds" => list_versions(world, call, parse(body)?),
        "ListSecrets" => list(world, call, parse(body)?),
        "PutSecretValue" => put(world, call, parse(body)?),
        "RestoreSecret" => restore(world, call, parse(body)?),
        "TagResource" => tag(world, call, parse(body)?),
        "UntagResource" => untag(world, call, parse(body)?),
        "UpdateSecretVersionStage" => update_stage(world, call, parse(body)?),
        other => Err(SecretsError::UnknownOperation(other.to_owned())),
    }
}

/// An unknown member is an error: it would otherwise be lost in silence.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SecretsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SecretsError::Serialization(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    secret_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<SecretString>,
    #[serde(default)]
    tags: Vec<Tag>,
}

fn create(world: &World, call: &Call, request: Create) -> Result<Value, SecretsError> {
    let id = token(request.client_request_token.clone())?;
    world.apply(|model| {
        if let Some(present) = model.secrets.get(&request.name) {
            return again(present, &id, &request);
        }
        let mut secret = new_secret(&request.name, new_arn(world, &request.name))?;
        secret.description = request.description;
        secret.tags = tags(request.tags);
        let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
        if let Some(value) = request.secret_string {
            secret.put(id.clone(), value, &[CURRENT.to_owned()])?;
            insert(&mut answer, "VersionId", json!(id.as_str()));
        }
        let entry = call.entry(&secret.name);
        model.secrets.insert(secret.name.clone(), secret);
        Ok((answer, Some(entry)))
    })
}

/// A repeated creation succeeds if it says the same.
fn again(
    present: &Secret,
    id: &VersionId,
    request: &Create,
) -> Result<(Value, Option<crate::ledger::Entry>), SecretsError> {
    if present.deleted_at.is_some() {
        return Err(SecretsError::InvalidRequest(
            "You can't create this secret because a secret with this name is already scheduled for deletion.".into(),
        ));
    }
    let same = present.versions.get(id).is_some_and(|version| {
        request
            .secret_string
            .as_ref()
            .is_some_and(|value| value.expose_secret() == version.value.expose_secret())
    });
    if same {
        let answer = json!({ "ARN": present.arn, "Name": present.name, "VersionId": id.as_str() });
        return Ok((answer, None));
    }
    Err(SecretsError::Exists(format!(
        "The operation failed because the secret {} already exists.",
        request.name
    )))
}

/// AWS appends six random characters to the name.
pub(crate) fn new_arn(world: &World, name: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let end = world.generated(alphabet, 6);
    world.arn("secretsmanager", &format!("secret:{name}-{end}"))
}

fn token(given: Option<String>) -> Result<VersionId, SecretsError> {
    let token = given.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    VersionId::parse(&token)
}

fn tags(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

fn get(world: &World, call: &Call, request: Get) -> Result<Value, SecretsError> {
    world.view(call, |model| {
        let secret = model.secret(&request.secret_id)?;
        secret.usable("GetSecretValue")?;
        let wanted = match (&request.version_id, &request.version_stage) {
            (Some(id), _) => format!("VersionId: {id}"),
            (None, label) => format!("staging label: {}", label.as_deref().unwrap_or(CURRENT)),
        };
        let found = match &request.version_id {
            Some(id) => secret.versions.iter().find(|(version, _)| version.as_str() == id),
            None => secret.labelled(request.version_stage.as_deref().unwrap_or(CURRENT)),
        };
        let (id, version) = found.ok_or(SecretsError::ValueNotFound(wanted))?;
        if let (Some(_), Some(label)) = (&request.version_id, &request.version_stage)
            && !version.labels.contains(label)
        {
            return Err(SecretsError::InvalidRequest(format!(
                "You provided a VersionStage {label} that is not associated to the provided VersionId."
            )));
        }
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": id.as_str(),
            "SecretString": version.value.expose_secret(),
            "VersionStages": version.labels,
            "CreatedDate": seconds(version.created_at),
        }))
    })
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<SecretString>,
    version_stages: Option<Vec<String>>,
}

fn put(world: &World, call: &Call, request: Put) -> Result<Value, SecretsError> {
    let id = token(request.client_request_token)?;
    let value = request.secret_string.ok_or_else(|| {
        SecretsError::InvalidParameter(
            "You must provide SecretString; the sandbox has no SecretBinary.".into(),
        )
    })?;
    let labels = request
        .version_stages
        .unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if labels.is_empty()
        || labels
            .iter()
            .any(|label| label.is_empty() || label.len() > 256)
    {
        return Err(SecretsError::InvalidParameter(
            "VersionStages must contain at least one label of 1 to 256 characters.".into(),
        ));
    }
    world.apply(|model| {
        let secret = model.secret_mut(&request.secret_id)?;
        secret.writable("PutSecretValue")?;
        let first = secret.versions.is_empty();
        let mut labels = labels;
        if first && !labels.iter().any(|label| label == CURRENT) {
            labels.push(CURRENT.to_owned());
        }
        let written = secret.put(id.clone(), value, &labels)?;
        let attached: Vec<_> = secret
            .versions
            .get(&id)
            .map(|version| version.labels.iter().cloned().collect())
            .unwrap_or_default();
        let entry = call
            .entry(&secret.name)
            .with("VersionId", &id)
            .with("VersionStages", labels.join(","));
        let answer = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": id.as_str(),
            "VersionStages": attached,
        });
        Ok((answer, (written == Written::New).then_some(entry)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateStage {
    secret_id: String,
    version_stage: String,
    move_to_version_id: Option<String>,
    remove_from_version_id: Option<String>,
}

fn update_stage(world: &World, call: &Call, request: UpdateStage) -> Result<Value, SecretsError> {
    let version = |id: &Option<String>| id.as_deref().map(VersionId::parse).transpose();
    let to = version(&request.move_to_version_id)?;
    let from = version(&request.remove_from_version_id)?;
    world.apply(|model| {
        let secret = model.secret_mut(&request.secret_id)?;
        secret.writable("UpdateSecretVersionStage")?;
        secret.move_label(&request.version_stage, to.as_ref(), from.as_ref())?;
        let none = String::from("-");
        let entry = call
            .entry(&secret.name)
            .with("VersionStage", &request.version_stage)
            .with(
                "MoveToVersionId",
                request.move_to_version_id.as_ref().unwrap_or(&none),
            )
            .with(
                "RemoveFromVersionId",
                request.remove_from_version_id.as_ref().unwrap_or(&none),
            );
        Ok((
            json!({ "ARN": secret.arn, "Name": secret.name }),
            Some(entry),
        ))
    })
}

fn describe(world: &World, call: &Call, request: Named) -> Result<Value, SecretsError> {
    world.view(call, |model| {
        Ok(metadata(model.secret(&request.secret_id)?))
    })
}

/// Members without a value are left out.
fn metadata(secret: &Secret) -> Value {
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "LastChangedDate": seconds(secret.changed_at),
        "CreatedDate": seconds(secret.created_at),
    });
    if let Some(description) = &secret.description {
        insert(&mut answer, "Description", json!(description));
    }
    if let Some(time) = secret.deleted_at {
        insert(&mut answer, "DeletedDate", json!(seconds(time)));
    }
    if let Some(owner) = &secret.owner {
        insert(&mut answer, "OwningService", json!(owner));
    }
    if !secret.tags.is_empty() {
        let tags: Vec<Value> = secret
            .tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        insert(&mut answer, "Tags", json!(tags));
    }
    let stages: Map<String, Value> = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.labels.is_empty())
        .map(|(id, version)| (id.to_string(), json!(version.labels)))
        .collect();
    if !stages.is_empty() {
        insert(&mut answer, "VersionIdsToStages", Value::Object(stages));
    }
    answer
}

fn insert(answer: &mut Value, name: &str, value: Value) {
    if let Some(members) = answer.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListVersions {
    secret_id: String,
    include_deprecated: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

fn list_versions(world: &World, call: &Call, request: ListVersions) -> Result<Value, SecretsError> {
    let deprecated = request.include_deprecated.unwrap_or(false);
    world.view(call, |model| {
        let secret = model.secret(&request.secret_id)?;
        let versions = secret
            .versions
            .iter()
            .filter(|(_, version)| deprecated || !version.labels.is_empty())
            .map(|(id, version)| {
                json!({
                    "VersionId": id.as_str(),
                    "VersionStages": version.labels,
                    "CreatedDate": seconds(version.created_at),
                })
            })
            .collect();
        let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
        paged(
            &mut answer,
            "Versions",
            versions,
            request.max_results,
            request.next_token,
        )?;
        Ok(answer)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    key: String,
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    include_planned_deletion: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
}

fn list(world: &World, call: &Call, request: List) -> Result<Value, SecretsError> {
    if let Some(filter) = request.filters.iter().find(|filter| filter.key != "name") {
        return Err(SecretsError::InvalidParameter(format!(
            "The sandbox filters secrets by `name` only, not by `{}`.",
            filter.key
        )));
    }
    let deleted = request.include_planned_deletion.unwrap_or(false);
    let wanted = |secret: &&Secret| {
        (deleted || secret.deleted_at.is_none())
            && request.filters.iter().all(|filter| {
                filter
                    .values
                    .iter()
                    .any(|value| secret.name.starts_with(value))
            })
    };
    world.view(call, |model| {
        let secrets = model.secrets.values().filter(wanted).map(listed).collect();
        let mut answer = json!({});
        paged(
            &mut answer,
            "SecretList",
            secrets,
            request.max_results,
            request.next_token.clone(),
        )?;
        Ok(answer)
    })
}

/// In a list the versions have another name than in a description.
fn listed(secret: &Secret) -> Value {
    let mut entry = metadata(secret);
    if let Some(members) = entry.as_object_mut()
        && let Some(versions) = members.remove("VersionIdsToStages")
    {
        members.insert("SecretVersionsToStages".into(), versions);
    }
    entry
}

fn paged(
    answer: &mut Value,
    name: &str,
    items: Vec<Value>,
    size: Option<usize>,
    token: Option<String>,
) -> Result<(), SecretsError> {
    let size = size.unwrap_or(100);
    if !(1..=100).contains(&size) {
        return Err(SecretsError::InvalidParameter(
            "MaxResults must be between 1 and 100.".into(),
        ));
    }
    let start = match token {
        None => 0,
        Some(token) => BASE64_STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or(SecretsError::InvalidNextToken)?,
    };
    let end = start.saturating_add(size);
    if items.len() > end {
        let token = BASE64_STANDARD.encode(end.to_string());
        insert(answer, "NextToken", json!(token));
    }
    let page: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    insert(answer, name, json!(page));
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

fn delete(world: &World, call: &Call, request: Delete) -> Result<Value, SecretsError> {
    let force = request.force_delete_without_recovery.unwrap_or(false);
    if force && request.recovery_window_in_days.is_some() {
        return Err(SecretsError::InvalidParameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
                .into(),
        ));
    }
    let days = request.recovery_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(SecretsError::InvalidParameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).".into(),
        ));
    }
    let now = Timestamp::now();
    world.apply(|model| {
        if force && model.secret(&request.secret_id).is_err() {
            // Forced deletions are silent about what isn't there.
            let answer = json!({ "Name": request.secret_id, "DeletionDate": seconds(now) });
            return Ok((answer, None));
        }
        let secret = model.secret_mut(&request.secret_id)?;
        secret.writable("DeleteSecret")?;
        let gone_at = if force {
            now
        } else {
            now + (24 * days).hours()
        };
        secret.deleted_at = Some(now);
        secret.gone_at = Some(gone_at);
        let answer = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "DeletionDate": seconds(gone_at),
        });
        let name = secret.name.clone();
        if force {
            model.secrets.remove(&name);
        }
        let entry = call.entry(&name).with("ForceDeleteWithoutRecovery", force);
        Ok((answer, Some(entry)))
    })
}

fn restore(world: &World, call: &Call, request: Named) -> Result<Value, SecretsError> {
    world.apply(|model| {
        let secret = model.secret_mut(&request.secret_id)?;
        secret.deleted_at = None;
        secret.gone_at = None;
        let answer = json!({ "ARN": secret.arn, "Name": secret.name });
        Ok((answer, Some(call.entry(&secret.name))))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagRequest {
    secret_id: String,
    tags: Vec<Tag>,
}

fn tag(world: &World, call: &Call, request: TagRequest) -> Result<Value, SecretsError> {
    world.apply(|model| {
        let secret = model.secret_mut(&request.secret_id)?;
        secret.usable("TagResource")?;
        let new = tags(request.tags);
        let names: Vec<&str> = new.keys().map(String::as_str).collect();
        let entry = call.entry(&secret.name).with("Tags", names.join(","));
        secret.tags.extend(new);
        Ok((json!({}), Some(entry)))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UntagRequest {
    secret_id: String,
    tag_keys: Vec<String>,
}

fn untag(world: &World, call: &Call, request: UntagRequest) -> Result<Value, SecretsError> {
    world.apply(|model| {
        let secret = model.secret_mut(&request.secret_id)?;
        secret.usable("UntagResource")?;
        let entry = call
            .entry(&secret.name)
            .with("TagKeys", request.tag_keys.join(","));
        secret.tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok((json!({}), Some(entry)))
    })
}
