//! A database's secret: whether it is there, and whether it says what is so.

use super::Difference;
use crate::ids::SecretName;
use crate::ports::{Endpoint, Instance, SecretFacts};

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use<'a> {
    /// The master user logs in with it.
    Master,
    /// This role does.
    Role(&'a str),
}

/// What was read of a secret; never its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSeen {
    /// Absent: there is no such secret.
    pub facts: Option<SecretFacts>,
    /// What its current version says; absent: it could not be read, or wasn't.
    pub content: Option<SecretContent>,
}

/// What a secret says of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretContent {
    /// Why it can't be used.
    Unusable(String),
    /// As far as it says.
    Says {
        /// `username`
        username: Option<String>,
        /// `host` and `port`
        endpoint: Option<Endpoint>,
    },
}

/// What is wrong with a secret of an instance that is there.
pub fn secret(
    name: &SecretName,
    used: Use<'_>,
    instance: &Instance,
    seen: &SecretSeen,
) -> Vec<Difference> {
    let object = format!("secret `{name}`");
    let differs = |what: &str, expected: &str, found: &str| Difference {
        object: format!("{object}{what}"),
        expected: Some(expected.to_owned()),
        found: Some(found.to_owned()),
    };
    let Some(facts) = &seen.facts else {
        return vec![Difference {
            object,
            expected: Some("there".to_owned()),
            found: None,
        }];
    };
    if facts.deleted {
        return vec![differs("", "kept", "scheduled for deletion")];
    }
    let (username, endpoint) = match &seen.content {
        None => return Vec::new(),
        Some(SecretContent::Unusable(reason)) => {
            return vec![differs("", "usable", &format!("unusable ({reason})"))];
        }
        Some(SecretContent::Says { username, endpoint }) => (username, endpoint),
    };
    let mut found = Vec::new();
    let role = match used {
        Use::Master => instance.master_username.as_str(),
        Use::Role(role) => role,
    };
    match username {
        Some(username) if username == role => {}
        Some(username) => found.push(differs(": `username`", role, username)),
        None => found.push(differs(": `username`", role, "absent")),
    }
    if let (Some(says), Some(is)) = (endpoint, &instance.endpoint) {
        if says.host != is.host {
            found.push(differs(": `host`", &is.host, &says.host));
        }
        if says.port != is.port {
            found.push(differs(
                ": `port`",
                &is.port.to_string(),
                &says.port.to_string(),
            ));
        }
    }
    found
}
