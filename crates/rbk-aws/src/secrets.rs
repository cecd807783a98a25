//! The `Secrets` port over Secrets Manager.

use crate::Pace;
use crate::call::{Call, Service};
use crate::error::has_code;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rbk_core::ids::{SecretName, StageLabel, VersionId};
use rbk_core::ports::{PortError, PortErrorKind, SecretFacts, SecretValue, Secrets, Which};
use secrecy::{ExposeSecret, SecretString};

/// Secrets Manager in one region.
pub(crate) struct SecretsManager {
    client: Client,
    mutations: TimeoutConfig,
}

impl SecretsManager {
    pub(crate) fn new(config: &SdkConfig, pace: &Pace) -> Self {
        Self {
            client: Client::new(config),
            mutations: pace.mutations(),
        }
    }

    /// What makes an operation be sent once only.
    fn once(&self) -> aws_sdk_secretsmanager::config::Builder {
        aws_sdk_secretsmanager::Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.mutations.clone())
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn describe(&self, name: &SecretName) -> Result<Option<SecretFacts>, PortError> {
        let call = Call::new(
            Service::SecretsManager,
            "DescribeSecret",
            format!("describing secret `{name}`"),
        );
        let sending = self
            .client
            .describe_secret()
            .secret_id(name.as_str())
            .customize();
        let answer = match call.run(sending.interceptor(call.watch()).send()).await {
            Ok(answer) => answer,
            Err(error) if has_code(&error, "ResourceNotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
        let versions = answer
            .version_ids_to_stages
            .unwrap_or_default()
            .into_iter()
            .map(|(version, labels)| {
                let labels = labels.into_iter().map(StageLabel::new).collect();
                (VersionId::new(version), labels)
            })
            .collect();
        Ok(Some(SecretFacts {
            versions,
            rotation_enabled: answer.rotation_enabled.unwrap_or(false),
            owning_service: answer.owning_service,
            deleted: answer.deleted_date.is_some(),
        }))
    }

    async fn value(&self, name: &SecretName, which: &Which) -> Result<SecretValue, PortError> {
        let (label, version, which) = match which {
            Which::Label(label) => (
                Some(label.as_str().to_owned()),
                None,
                format!("the version labelled `{label}`"),
            ),
            Which::Version(version) => (
                None,
                Some(version.as_str().to_owned()),
                format!("version `{version}`"),
            ),
        };
        let call = Call::new(
            Service::SecretsManager,
            "GetSecretValue",
            format!("reading {which} of secret `{name}`"),
        );
        let sending = self
            .client
            .get_secret_value()
            .secret_id(name.as_str())
            .set_version_stage(label)
            .set_version_id(version)
            .customize();
        let answer = call.run(sending.interceptor(call.watch()).send()).await?;
        let version = answer
            .version_id
            .ok_or_else(|| call.nonsense("the answer names no version"))?;
        let value = answer
            .secret_string
            .ok_or_else(|| call.nonsense("the value is binary, not text"))?;
        Ok(SecretValue {
            version: VersionId::new(version),
            value: SecretString::from(value),
        })
    }

    async fn put(
        &self,
        name: &SecretName,
        token: &VersionId,
        value: &SecretString,
        label: &StageLabel,
    ) -> Result<(), PortError> {
        let call = Call::new(
            Service::SecretsManager,
            "PutSecretValue",
            format!("putting version `{token}` labelled `{label}` into secret `{name}`"),
        )
        .hiding(value);
        let sending = self
            .client
            .put_secret_value()
            .secret_id(name.as_str())
            .client_request_token(token.as_str())
            .secret_string(value.expose_secret())
            .version_stages(label.as_str())
            .customize()
            .config_override(self.once());
        let answer = call
            .run(sending.interceptor(call.watch()).send())
            .await
            .map_err(|error| match error.kind {
                // The token has been used, for another value.
                PortErrorKind::AlreadyExists => PortError {
                    kind: PortErrorKind::Conflict,
                    ..error
                },
                _ => error,
            })?;
        match answer.version_id() {
            Some(version) if version == token.as_str() => Ok(()),
            Some(version) => Err(call.nonsense(format!("the version became `{version}`"))),
            None => Err(call.nonsense("the answer names no version")),
        }
    }

    async fn move_label(
        &self,
        name: &SecretName,
        label: &StageLabel,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), PortError> {
        let call = Call::new(
            Service::SecretsManager,
            "UpdateSecretVersionStage",
            format!("moving label `{label}` of secret `{name}` to version `{to}`"),
        );
        let sending = self
            .client
            .update_secret_version_stage()
            .secret_id(name.as_str())
            .version_stage(label.as_str())
            .set_remove_from_version_id(from.map(|version| version.as_str().to_owned()))
            .move_to_version_id(to.as_str())
            .customize()
            .config_override(self.once());
        call.run(sending.interceptor(call.watch()).send())
            .await
            .map_err(|error| {
                if label_is_elsewhere(&error) {
                    PortError {
                        kind: PortErrorKind::Conflict,
                        ..error
                    }
                } else {
                    error
                }
            })?;
        Ok(())
    }
}

/// The compare of the compare-and-swap failed: the label isn't where `RemoveFromVersionId` says, or is somewhere though
/// it was left out. There is no code of its own for that; the message speaks of the parameter, or of what the label is
/// attached to. Source: `UpdateSecretVersionStage`.
fn label_is_elsewhere(error: &PortError) -> bool {
    let message = error.message.to_ascii_lowercase();
    has_code(error, "InvalidParameter")
        && (message.contains("removefromversionid")
            || message.contains("attached to")
            || message.contains("not attached"))
}
