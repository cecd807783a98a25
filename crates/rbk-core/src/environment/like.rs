//! From databases as they are written to their resolved form: `like`, `[network]`, defaults.

use super::access::Network;
use super::databases::{Settings, Written};
use super::error::{EnvironmentError, title};
use super::forms::{self, Form};
use super::reader::{Given, Header, Reader};
use super::{Checks, Database, RemovalPolicy};
use crate::ids::DatabaseName;
use rbk_syntax::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The keys that make a database itself: `like` never copies them.
const IDENTITY: [&str; 3] = ["instance", "secret", "admin_secret"];

/// A database with what it has from the one that it is like.
struct Settled {
    settings: Settings,
    /// Whether it, or one that it is like, has a secret for administration.
    administrated: bool,
}

/// Applies `like` and `[network]`, fills in defaults and complains about what is missing.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    written: &BTreeMap<DatabaseName, Written>,
    network: &Network,
) -> BTreeMap<DatabaseName, Database> {
    let settled = settle(reader, written);
    let mut databases = BTreeMap::new();
    for (name, own) in written {
        let Some(Settled {
            settings,
            administrated,
        }) = settled.get(name)
        else {
            continue;
        };
        let mut settings = settings.clone();
        settings.subnet_group = settings.subnet_group.or(&network.subnet_group);
        settings.security_groups = settings.security_groups.or(&network.security_groups);
        for key in ["subnet_group", "security_groups"] {
            if let Some(span) = reader.keys.get(&format!("network.{key}")).copied() {
                let path = format!("databases.{name}.{key}");
                reader.keys.entry(path).or_insert(span);
            }
        }
        missing_identity(reader, name, own, *administrated);
        if own.like.is_absent() {
            missing_settings(reader, &own.header, &settings);
        }
        if let Some(database) = complete(own, settings) {
            databases.insert(name.clone(), database);
        }
    }
    databases
}

/// Applies `like`, each base before those that are like it.
fn settle(
    reader: &mut Reader<'_>,
    written: &BTreeMap<DatabaseName, Written>,
) -> BTreeMap<DatabaseName, Settled> {
    let mut settled: BTreeMap<DatabaseName, Settled> = BTreeMap::new();
    for name in written.keys() {
        for (name, own) in path_to_base(reader, written, &settled, name) {
            let base = own.like.value().map(|base| DatabaseName::new(&*base.value));
            let found = base.as_ref().and_then(|base| settled.get(base));
            let combined = match found {
                Some(base) => Settled {
                    settings: own.settings.or(&base.settings),
                    administrated: base.administrated || !own.admin_secret.is_absent(),
                },
                None => Settled {
                    settings: own.settings.clone(),
                    administrated: !own.admin_secret.is_absent(),
                },
            };
            if let Some(base) = base {
                inherit_places(reader, name, &base);
            }
            settled.insert(name.clone(), combined);
        }
    }
    settled
}

/// The databases that a database is like and that aren't settled yet, the farthest first, itself last.
fn path_to_base<'w>(
    reader: &mut Reader<'_>,
    written: &'w BTreeMap<DatabaseName, Written>,
    settled: &BTreeMap<DatabaseName, Settled>,
    name: &DatabaseName,
) -> Vec<(&'w DatabaseName, &'w Written)> {
    let mut path: Vec<(&DatabaseName, &Written)> = Vec::new();
    let mut met: BTreeSet<&DatabaseName> = BTreeSet::new();
    let mut next = name.clone();
    while !settled.contains_key(&next) {
        let Some((name, here)) = written.get_key_value(&next) else {
            break;
        };
        if !met.insert(name) {
            let circle = path.iter().skip_while(|(member, _)| *member != name);
            reader.errors.push(EnvironmentError::LikeCircle {
                links: circle
                    .filter_map(|(_, member)| member.like.value().cloned())
                    .collect(),
            });
            break;
        }
        path.push((name, here));
        let Given::Value(like) = &here.like else {
            break;
        };
        next = DatabaseName::new(&*like.value);
        if !reader.has_database(&like.value) {
            let others = written.keys().filter(|other| *other != name);
            reader.errors.push(EnvironmentError::UnknownName {
                kind: "database",
                name: like.value.clone(),
                span: like.span,
                known: others.map(ToString::to_string).collect(),
            });
        }
    }
    path.reverse();
    path
}

/// Lets the keys that a database does not write itself point to where they come from.
fn inherit_places(reader: &mut Reader<'_>, name: &DatabaseName, base: &DatabaseName) {
    let prefix = format!("databases.{base}.");
    let copied: Vec<(String, Span)> = reader
        .keys
        .range(prefix.clone()..)
        .map_while(|(path, span)| Some((path.strip_prefix(&prefix)?.to_owned(), *span)))
        .filter(|(key, _)| key != "like" && !IDENTITY.contains(&key.as_str()))
        .collect();
    for (key, span) in copied {
        let path = format!("databases.{name}.{key}");
        reader.keys.entry(path).or_insert(span);
    }
}

fn missing_identity(
    reader: &mut Reader<'_>,
    name: &DatabaseName,
    own: &Written,
    must_have_admin: bool,
) {
    let note = (!own.like.is_absent()).then_some("`like` never copies it");
    let mut missing = |key, line| {
        reader.errors.push(EnvironmentError::MissingKey {
            key,
            table: title(&own.header.path),
            span: own.header.span,
            line,
            insert: own.header.insert,
            note,
        });
    };
    if own.instance.is_absent() {
        let id = name.as_str().to_lowercase().replace('_', "-");
        missing("instance", format!("instance = \"{id}\""));
    }
    if own.secret.is_absent() {
        missing("secret", format!("secret = \"rds/{name}\""));
    }
    if must_have_admin && own.admin_secret.is_absent() {
        missing(
            "admin_secret",
            format!("admin_secret = \"rds/{name}_admin\""),
        );
    }
}

fn missing_settings(reader: &mut Reader<'_>, header: &Header, settings: &Settings) {
    let everywhere = "or say it once for all databases, in `[network]`";
    let custom = "or the instance's own group, which a restore would silently leave behind";
    let wanted: [(&'static str, bool, &Form, Option<&'static str>); 6] = [
        (
            "database",
            settings.database.is_absent(),
            &forms::DATABASE,
            None,
        ),
        ("class", settings.class.is_absent(), &forms::CLASS, None),
        (
            "subnet_group",
            settings.subnet_group.is_absent(),
            &forms::SUBNET_GROUP,
            Some(everywhere),
        ),
        (
            "security_groups",
            settings.security_groups.is_absent(),
            &forms::SECURITY_GROUP,
            Some(everywhere),
        ),
        (
            "parameter_group",
            settings.parameter_group.is_absent(),
            &forms::PARAMETER_GROUP,
            Some(custom),
        ),
        (
            "retention",
            settings.retention.is_absent(),
            &forms::RETENTION,
            None,
        ),
    ];
    for (key, absent, form, note) in wanted {
        if absent {
            let line = if key == "security_groups" {
                format!("{key} = [\"{}\"]", form.example)
            } else {
                format!("{key} = \"{}\"", form.example)
            };
            reader.errors.push(EnvironmentError::MissingKey {
                key,
                table: title(&header.path),
                span: header.span,
                line,
                insert: header.insert,
                note,
            });
        }
    }
}

/// The resolved form, if everything that it needs is there. What isn't given is the careful choice.
fn complete(own: &Written, settings: Settings) -> Option<Database> {
    Some(Database {
        like: own.like.value().map(|base| DatabaseName::new(&*base.value)),
        instance: own.instance.clone().into_inner()?,
        database: settings.database.into_inner()?,
        class: settings.class.into_inner()?,
        subnet_group: settings.subnet_group.into_inner()?,
        security_groups: settings.security_groups.into_inner()?,
        parameter_group: settings.parameter_group.into_inner()?,
        multi_az: settings.multi_az.into_inner().unwrap_or(false),
        publicly_accessible: settings.publicly_accessible.into_inner().unwrap_or(false),
        storage_type: settings.storage_type.into_inner().map(str::to_owned),
        iam_authentication: settings.iam_authentication.into_inner().unwrap_or(false),
        retention_days: settings
            .retention
            .into_inner()
            .and_then(|seconds| u32::try_from(seconds / 86_400).ok())?,
        protect: settings.protect.into_inner().unwrap_or(true),
        removal_policy: settings
            .removal_policy
            .into_inner()
            .unwrap_or(RemovalPolicy::Snapshot),
        admin_secret: own.admin_secret.clone().into_inner(),
        secret: own.secret.clone().into_inner()?,
        checks: Checks {
            not_empty: settings.not_empty.into_inner().unwrap_or_default(),
            fresh: settings.fresh.into_inner(),
        },
        tags: settings.tags,
    })
}
