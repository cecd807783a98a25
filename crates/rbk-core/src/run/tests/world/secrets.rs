//! Secrets, with versions and labels.

use super::{Fake, error};
use crate::ids::{SecretName, StageLabel, VersionId};
use crate::ports::{PortError, PortErrorKind, SecretFacts, SecretValue, Secrets, Which};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Secret {
    pub versions: BTreeMap<VersionId, (String, Vec<StageLabel>)>,
    pub owning_service: Option<String>,
    pub is_deleted: bool,
}

impl Secret {
    pub fn of(version: &str, value: &str) -> Self {
        let labels = vec![StageLabel::from("AWSCURRENT")];
        Self {
            versions: [(VersionId::from(version), (value.to_owned(), labels))].into(),
            ..Self::default()
        }
    }

    pub fn labelled(&self, label: &StageLabel) -> Option<VersionId> {
        let found = self
            .versions
            .iter()
            .find(|(_, (_, labels))| labels.contains(label));
        found.map(|(version, _)| version.clone())
    }

    /// Another operator makes another version current, which says the same.
    pub fn take_over(&mut self) {
        self.take_over_with(self.current_value());
    }

    /// The same, with another value.
    pub fn take_over_with(&mut self, value: String) {
        let current = StageLabel::from("AWSCURRENT");
        for (_, labels) in self.versions.values_mut() {
            labels.retain(|label| *label != current);
        }
        self.versions
            .insert(VersionId::from("somebody-elses"), (value, vec![current]));
    }

    pub fn current_value(&self) -> String {
        let current = self.labelled(&StageLabel::from("AWSCURRENT"));
        current.map_or(String::new(), |current| self.versions[&current].0.clone())
    }
}

#[async_trait]
impl Secrets for Fake {
    async fn describe(&self, name: &SecretName) -> Result<Option<SecretFacts>, PortError> {
        self.call("describe", |inner| {
            Ok(inner.secrets.get(name).map(|secret| {
                let versions = secret.versions.iter();
                SecretFacts {
                    versions: versions
                        .map(|(version, (_, labels))| (version.clone(), labels.clone()))
                        .collect(),
                    rotation_enabled: false,
                    owning_service: secret.owning_service.clone(),
                    deleted: secret.is_deleted,
                }
            }))
        })
    }

    async fn value(&self, name: &SecretName, which: &Which) -> Result<SecretValue, PortError> {
        self.call("value", |inner| {
            let secret = inner.secrets.get(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "reading"))?;
            let version = match which {
                Which::Label(label) => secret.labelled(label),
                Which::Version(version) => Some(version.clone()),
            };
            let found = version.and_then(|version| {
                let (value, _) = secret.versions.get(&version)?;
                Some(SecretValue {
                    version,
                    value: SecretString::from(value.as_str()),
                })
            });
            found.ok_or_else(|| error(PortErrorKind::NotFound, "reading"))
        })
    }

    async fn put(
        &self,
        name: &SecretName,
        token: &VersionId,
        value: &SecretString,
        label: &StageLabel,
    ) -> Result<(), PortError> {
        self.call("put", |inner| {
            let secret = inner.secrets.get_mut(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "putting"))?;
            let value = value.expose_secret().to_owned();
            if let Some((before, _)) = secret.versions.get(token) {
                return if *before == value {
                    Ok(())
                } else {
                    Err(error(PortErrorKind::Conflict, "putting"))
                };
            }
            for (_, labels) in secret.versions.values_mut() {
                labels.retain(|it| it != label);
            }
            secret
                .versions
                .insert(token.clone(), (value, vec![label.clone()]));
            inner.ledger.push(format!("version of {name}"));
            Ok(())
        })
    }

    async fn move_label(
        &self,
        name: &SecretName,
        label: &StageLabel,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), PortError> {
        self.call("move_label", |inner| {
            let secret = inner.secrets.get_mut(name);
            let secret = secret.ok_or_else(|| error(PortErrorKind::NotFound, "moving"))?;
            if secret.labelled(label).as_ref() != from {
                return Err(error(PortErrorKind::Conflict, "moving"));
            }
            for (_, labels) in secret.versions.values_mut() {
                labels.retain(|it| it != label);
            }
            let (_, labels) = secret.versions.get_mut(to).unwrap();
            labels.push(label.clone());
            let is_back = to.as_str().starts_with("v0");
            let what = if is_back { "back" } else { "switch" };
            inner.ledger.push(format!("{what} {name}"));
            Ok(())
        })
    }
}
