//! What may not be the same: instances, secrets, names.

use super::applications::Written as Application;
use super::databases::Written as Database;
use super::error::EnvironmentError;
use super::reader::Reader;
use crate::ids::{ApplicationName, DatabaseName, InstanceId, SecretName};
use rbk_syntax::Span;
use std::collections::BTreeMap;

/// Who holds a secret.
struct Holder<'w> {
    database: &'w DatabaseName,
    key: &'static str,
    span: Span,
}

/// Complains about instances, secrets and names that stand for two things.
pub(super) fn check(
    reader: &mut Reader<'_>,
    databases: &BTreeMap<DatabaseName, Database>,
    applications: &BTreeMap<ApplicationName, Application>,
) {
    check_instances(reader, databases);
    let holders = check_credentials(reader, databases);
    check_active(reader, applications, &holders);
    for (name, application) in applications {
        if let Some(database) = databases.get(&DatabaseName::new(name.as_str())) {
            reader.errors.push(EnvironmentError::NamedTwice {
                name: name.to_string(),
                span: application.header.span,
                first: database.header.span,
            });
        }
    }
}

fn check_instances(reader: &mut Reader<'_>, databases: &BTreeMap<DatabaseName, Database>) {
    let mut seen: BTreeMap<&InstanceId, (&DatabaseName, Span)> = BTreeMap::new();
    for (name, database) in in_order(databases) {
        let Some(instance) = database.instance.value() else {
            continue;
        };
        match seen.get(&instance.value) {
            Some((other, first)) => reader.errors.push(EnvironmentError::SameInstance {
                instance: instance.value.to_string(),
                database: name.to_string(),
                span: instance.span,
                other: other.to_string(),
                first: *first,
            }),
            None => {
                seen.insert(&instance.value, (name, instance.span));
            }
        }
    }
}

fn check_credentials<'w>(
    reader: &mut Reader<'_>,
    databases: &'w BTreeMap<DatabaseName, Database>,
) -> BTreeMap<&'w SecretName, Holder<'w>> {
    let mut holders: BTreeMap<&SecretName, Holder<'_>> = BTreeMap::new();
    for (name, database) in in_order(databases) {
        let secrets = [
            ("secret", &database.secret),
            ("admin_secret", &database.admin_secret),
        ];
        for (key, secret) in secrets {
            let Some(secret) = secret.value() else {
                continue;
            };
            match holders.get(&secret.value) {
                Some(holder) if holder.database == name => {
                    reader.errors.push(EnvironmentError::AdminIsApplication {
                        database: name.to_string(),
                        secret: secret.value.to_string(),
                        span: secret.span,
                        first: holder.span,
                    });
                }
                Some(holder) => reader.errors.push(EnvironmentError::SharedSecret {
                    secret: secret.value.to_string(),
                    database: name.to_string(),
                    span: secret.span,
                    other: holder.database.to_string(),
                    first: holder.span,
                }),
                None => {
                    let holder = Holder {
                        database: name,
                        key,
                        span: secret.span,
                    };
                    holders.insert(&secret.value, holder);
                }
            }
        }
    }
    holders
}

fn check_active(
    reader: &mut Reader<'_>,
    applications: &BTreeMap<ApplicationName, Application>,
    holders: &BTreeMap<&SecretName, Holder<'_>>,
) {
    let mut seen: BTreeMap<&SecretName, (&ApplicationName, Span)> = BTreeMap::new();
    for (name, application) in applications {
        let Some(active) = application.active.value() else {
            continue;
        };
        let Some(secret) = active.value.secret() else {
            continue;
        };
        if let Some(holder) = holders.get(secret) {
            reader.errors.push(EnvironmentError::ActiveIsCredential {
                application: name.to_string(),
                span: active.span,
                database: holder.database.to_string(),
                key: holder.key,
                first: holder.span,
            });
        }
        match seen.get(secret) {
            Some((other, first)) => reader.errors.push(EnvironmentError::SharedActive {
                secret: secret.to_string(),
                application: name.to_string(),
                span: active.span,
                other: other.to_string(),
                first: *first,
            }),
            None => {
                seen.insert(secret, (name, active.span));
            }
        }
    }
}

/// As they stand in the file, so that the first one is the one that was there first.
fn in_order(
    databases: &BTreeMap<DatabaseName, Database>,
) -> impl Iterator<Item = (&DatabaseName, &Database)> {
    let mut ordered: Vec<_> = databases.iter().collect();
    ordered.sort_by_key(|(_, database)| database.header.span.start);
    ordered.into_iter()
}
