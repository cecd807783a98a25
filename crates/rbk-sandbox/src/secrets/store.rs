//! Secrets as data: versions by id, labels on versions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::SecretsError;
use crate::model::Model;

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// Labels that one secret may have in all.
const MOST_LABELS: usize = 20;

/// A version's largest value.
const MOST_BYTES: usize = 65_536;

/// A secret.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    /// When a deletion was asked for.
    pub(crate) deleted_at: Option<Timestamp>,
    /// When the deletion becomes final.
    pub(crate) gone_at: Option<Timestamp>,
    /// The service that manages the secret; nobody else writes it.
    pub(crate) owner: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) versions: BTreeMap<VersionId, Version>,
}

/// A version's id, which is the token of the request that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VersionId(String);

impl VersionId {
    pub(crate) fn parse(token: &str) -> Result<VersionId, SecretsError> {
        if (32..=64).contains(&token.len()) {
            return Ok(VersionId(token.to_owned()));
        }
        Err(SecretsError::InvalidParameter(
            "ClientRequestToken must be 32-64 characters long.".into(),
        ))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a secret.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) value: SecretString,
    pub(crate) created_at: Timestamp,
    pub(crate) labels: BTreeSet<String>,
}

/// Whether a write changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    New,
    /// The same token with the same content came before.
    Already,
}

/// A secret without versions.
pub(crate) fn new_secret(name: &str, arn: String) -> Result<Secret, SecretsError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-!".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
        return Err(SecretsError::InvalidParameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!".into(),
        ));
    }
    let now = Timestamp::now();
    Ok(Secret {
        name: name.to_owned(),
        arn,
        description: None,
        created_at: now,
        changed_at: now,
        deleted_at: None,
        gone_at: None,
        owner: None,
        tags: BTreeMap::new(),
        versions: BTreeMap::new(),
    })
}

impl Secret {
    /// The version that has the label.
    pub(crate) fn labelled(&self, label: &str) -> Option<(&VersionId, &Version)> {
        self.versions
            .iter()
            .find(|(_, version)| version.labels.contains(label))
    }

    /// The text that applications get.
    pub(crate) fn current(&self) -> Option<&SecretString> {
        let (_, version) = self.labelled(CURRENT)?;
        Some(&version.value)
    }

    /// Refuses what is scheduled for deletion.
    pub(crate) fn usable(&self, doing: &str) -> Result<(), SecretsError> {
        match self.deleted_at {
            None => Ok(()),
            Some(_) => Err(SecretsError::InvalidRequest(format!(
                "You can't perform this operation on the secret because it was marked for deletion. ({doing})"
            ))),
        }
    }

    /// Refuses what another service manages.
    pub(crate) fn writable(&self, doing: &str) -> Result<(), SecretsError> {
        self.usable(doing)?;
        match &self.owner {
            None => Ok(()),
            Some(owner) => Err(SecretsError::InvalidRequest(format!(
                "You can't perform this operation on the secret because it is managed by another service: {owner}. ({doing})"
            ))),
        }
    }

    /// Adds a version, and moves its labels to it.
    pub(crate) fn put(
        &mut self,
        id: VersionId,
        value: SecretString,
        labels: &[String],
    ) -> Result<Written, SecretsError> {
        if value.expose_secret().len() > MOST_BYTES {
            return Err(SecretsError::InvalidParameter(format!(
                "SecretString can't be longer than {MOST_BYTES} bytes."
            )));
        }
        if let Some(version) = self.versions.get(&id) {
            if version.value.expose_secret() == value.expose_secret() {
                return Ok(Written::Already);
            }
            return Err(SecretsError::Exists(format!(
                "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
                self.arn
            )));
        }
        let now = Timestamp::now();
        self.versions.insert(
            id.clone(),
            Version {
                value,
                created_at: now,
                labels: BTreeSet::new(),
            },
        );
        for label in labels {
            self.attach(label, &id);
        }
        self.changed_at = now;
        self.check_labels().map(|()| Written::New)
    }

    fn check_labels(&self) -> Result<(), SecretsError> {
        let labels: usize = self
            .versions
            .values()
            .map(|version| version.labels.len())
            .sum();
        if labels <= MOST_LABELS {
            return Ok(());
        }
        Err(SecretsError::LimitExceeded(format!(
            "A secret can't have more than {MOST_LABELS} staging labels."
        )))
    }

    /// Moves a label; `AWSPREVIOUS` follows the version that was current.
    fn attach(&mut self, label: &str, to: &VersionId) {
        let from = self.labelled(label).map(|(id, _)| id.clone());
        if from.as_ref() == Some(to) {
            return;
        }
        self.detach(label);
        if let Some(version) = self.versions.get_mut(to) {
            version.labels.insert(label.to_owned());
        }
        if label == CURRENT
            && let Some(from) = from
        {
            self.detach(PREVIOUS);
            if let Some(version) = self.versions.get_mut(&from) {
                version.labels.insert(PREVIOUS.to_owned());
            }
        }
    }

    fn detach(&mut self, label: &str) {
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
    }

    /// Compares and swaps: the label must be where the caller says it is.
    pub(crate) fn move_label(
        &mut self,
        label: &str,
        to: Option<&VersionId>,
        from: Option<&VersionId>,
    ) -> Result<(), SecretsError> {
        for id in [to, from].into_iter().flatten() {
            if !self.versions.contains_key(id) {
                return Err(SecretsError::ValueNotFound(format!("VersionId: {id}")));
            }
        }
        let holder = self.labelled(label).map(|(id, _)| id.clone());
        match (&holder, from) {
            (Some(holder), None) if Some(holder) != to => {
                return Err(SecretsError::InvalidParameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (holder, Some(from)) if holder.as_ref() != Some(from) => {
                let place = match holder {
                    Some(holder) => format!("is currently attached to version {holder}"),
                    None => "isn't attached to any version".to_owned(),
                };
                return Err(SecretsError::InvalidParameter(format!(
                    "Staging label {label} isn't attached to version {from}: it {place}."
                )));
            }
            _ => {}
        }
        match to {
            Some(to) => self.attach(label, to),
            None if label == CURRENT => {
                return Err(SecretsError::InvalidParameter(format!(
                    "You can't remove {CURRENT} without moving it to another version; give MoveToVersionId."
                )));
            }
            None => self.detach(label),
        }
        self.changed_at = Timestamp::now();
        self.check_labels()
    }
}

impl Model {
    /// Finds a secret by its name, its ARN, or its ARN without the random end.
    pub(crate) fn secret(&self, id: &str) -> Result<&Secret, SecretsError> {
        self.secrets
            .get(&self.secret_name(id)?)
            .ok_or(SecretsError::NotFound)
    }

    pub(crate) fn secret_mut(&mut self, id: &str) -> Result<&mut Secret, SecretsError> {
        let name = self.secret_name(id)?;
        self.secrets.get_mut(&name).ok_or(SecretsError::NotFound)
    }

    fn secret_name(&self, id: &str) -> Result<String, SecretsError> {
        self.secrets
            .values()
            .find(|secret| {
                let partial = secret
                    .arn
                    .len()
                    .checked_sub(7)
                    .and_then(|end| secret.arn.get(..end));
                secret.name == id || secret.arn == id || partial == Some(id)
            })
            .map(|secret| secret.name.clone())
            .ok_or(SecretsError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn version(id: &str) -> VersionId {
        VersionId::parse(id).unwrap()
    }

    fn secret(versions: &[(&str, &str)]) -> Secret {
        let mut secret = new_secret("rds/db", "arn:aws:x-Abc123".into()).unwrap();
        for (id, value) in versions {
            let value = SecretString::from(*value);
            secret.put(version(id), value, &[CURRENT.into()]).unwrap();
        }
        secret
    }

    fn holder(secret: &Secret, label: &str) -> Option<String> {
        secret.labelled(label).map(|(id, _)| id.to_string())
    }

    #[test]
    fn previous_follows_current() {
        let mut secret = secret(&[(A, "one"), (B, "two")]);
        assert_eq!(holder(&secret, CURRENT).as_deref(), Some(B));
        assert_eq!(holder(&secret, PREVIOUS).as_deref(), Some(A));
        secret
            .move_label(CURRENT, Some(&version(A)), Some(&version(B)))
            .unwrap();
        assert_eq!(holder(&secret, CURRENT).as_deref(), Some(A));
        assert_eq!(holder(&secret, PREVIOUS).as_deref(), Some(B));
    }

    #[test]
    fn a_label_moves_only_from_where_it_is() {
        let mut secret = secret(&[(A, "one"), (B, "two")]);
        let missing = secret
            .move_label(CURRENT, Some(&version(A)), None)
            .unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("currently attached to version bbbb")
        );
        let wrong = secret
            .move_label(CURRENT, Some(&version(A)), Some(&version(A)))
            .unwrap_err();
        assert_eq!(wrong.code(), "InvalidParameterException");
        assert_eq!(holder(&secret, CURRENT).as_deref(), Some(B));
        secret.move_label(CURRENT, Some(&version(B)), None).unwrap();
    }

    #[test]
    fn a_token_may_repeat_only_the_same_content() {
        let mut secret = secret(&[(A, "one")]);
        let put = |secret: &mut Secret, value: &str| {
            secret.put(version(A), SecretString::from(value), &["X".into()])
        };
        assert_eq!(put(&mut secret, "one"), Ok(Written::Already));
        assert_eq!(holder(&secret, "X"), None);
        let error = put(&mut secret, "two").unwrap_err();
        assert_eq!(error.code(), "ResourceExistsException");
    }

    #[test]
    fn a_labelled_version_leaves_the_current_one_alone() {
        let mut secret = secret(&[(A, "one")]);
        secret
            .put(version(B), SecretString::from("two"), &["RBK-1".into()])
            .unwrap();
        assert_eq!(holder(&secret, CURRENT).as_deref(), Some(A));
        assert_eq!(holder(&secret, PREVIOUS), None);
        assert_eq!(holder(&secret, "RBK-1").as_deref(), Some(B));
    }
}
