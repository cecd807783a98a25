//! The names that rbk deals in, each its own type, so that an instance never stands where a secret is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; whoever reads it from outside validates it there.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name_type!(
    /// A database as the environment and the runbook call it, for instance `original`.
    DatabaseName
);
name_type!(
    /// An application as the environment calls it, for instance `sgpt`.
    ApplicationName
);
name_type!(
    /// An RDS instance identifier: 1 to 63 letters, digits and hyphens, lowercase.
    InstanceId
);
name_type!(
    /// RDS's immutable identity of an instance, `db-…`; survives a rename, and a namesake has another.
    ResourceId
);
name_type!(
    /// An RDS snapshot identifier; automated ones look like `rds:instance-2026-11-22-03-00`.
    SnapshotId
);
name_type!(
    /// The name of a secret in Secrets Manager.
    SecretName
);
name_type!(
    /// The version id of a secret; equals the request token of the call that made it.
    VersionId
);
name_type!(
    /// A staging label of a secret version, for instance `AWSCURRENT` or `RBK-1f3a9c02`.
    StageLabel
);
name_type!(
    /// A Postgres role.
    RoleName
);
name_type!(
    /// A run: `20261122t091500-1f3a9c02`, start time in UTC and eight random hex digits.
    RunId
);
name_type!(
    /// A step's identity: its title, behind the titles of what encloses it, separated by `/`.
    StepPath
);
name_type!(
    /// An action's identity within a plan: step path, `#`, ordinal from 1.
    ActionId
);

impl RunId {
    /// The eight hex digits at its end, used in names and labels that must be short.
    pub fn short(&self) -> &str {
        self.0.rsplit('-').next().unwrap_or(&self.0)
    }

    /// The name that the sessions and locks of a tool carry which this run starts.
    pub fn signature(&self) -> String {
        format!("rbk-{}", self.0)
    }

    /// The label under which this run puts secret versions before they become current.
    pub fn label(&self) -> StageLabel {
        StageLabel(format!("RBK-{}", self.short()))
    }
}
