//! `[databases.NAME]`: reading, `like`, and what two databases may not share.

use super::access::{Network, security_groups};
use super::error::EnvironmentError;
use super::forms::{self, Form};
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Checks, Database, Fresh, RemovalPolicy, TableName};
use crate::ids::{DatabaseName, InstanceId, SecretName};
use rbk_syntax::{Span, Spanned};
use std::collections::BTreeMap;

/// The keys that make a database itself: `like` never copies them.
const IDENTITY: [&str; 3] = ["instance", "secret", "admin_secret"];

/// The most tags that may be given: RDS takes fifty, and rbk adds four of its own.
const MOST_TAGS: usize = 46;

const REMOVAL_POLICIES: &[(&str, RemovalPolicy)] = &[
    ("snapshot", RemovalPolicy::Snapshot),
    ("destroy", RemovalPolicy::Destroy),
    ("retain", RemovalPolicy::Retain),
];

const STORAGE_TYPES: &[(&str, &str)] = &[
    ("gp2", "gp2"),
    ("gp3", "gp3"),
    ("io1", "io1"),
    ("io2", "io2"),
    ("standard", "standard"),
];

/// A database as its table says it, before `like`.
#[derive(Debug)]
pub(super) struct Written {
    pub header: Header,
    pub like: Given<String>,
    pub instance: Given<InstanceId>,
    pub secret: Given<SecretName>,
    pub admin_secret: Given<SecretName>,
    settings: Settings,
}

/// What `like` copies.
#[derive(Debug, Clone)]
struct Settings {
    database: Given<String>,
    class: Given<String>,
    subnet_group: Given<String>,
    security_groups: Given<Vec<String>>,
    parameter_group: Given<String>,
    multi_az: Given<bool>,
    publicly_accessible: Given<bool>,
    storage_type: Given<&'static str>,
    iam_authentication: Given<bool>,
    retention: Given<u64>,
    protect: Given<bool>,
    removal_policy: Given<RemovalPolicy>,
    not_empty: Given<Vec<TableName>>,
    fresh: Given<Fresh>,
    tags: BTreeMap<String, String>,
}

impl Settings {
    /// What is said here, and otherwise there. Checks and tags are copied one by one.
    fn or(&self, other: &Settings) -> Settings {
        let mut tags = other.tags.clone();
        tags.extend(self.tags.clone());
        Settings {
            database: self.database.or(&other.database),
            class: self.class.or(&other.class),
            subnet_group: self.subnet_group.or(&other.subnet_group),
            security_groups: self.security_groups.or(&other.security_groups),
            parameter_group: self.parameter_group.or(&other.parameter_group),
            multi_az: self.multi_az.or(&other.multi_az),
            publicly_accessible: self.publicly_accessible.or(&other.publicly_accessible),
            storage_type: self.storage_type.or(&other.storage_type),
            iam_authentication: self.iam_authentication.or(&other.iam_authentication),
            retention: self.retention.or(&other.retention),
            protect: self.protect.or(&other.protect),
            removal_policy: self.removal_policy.or(&other.removal_policy),
            not_empty: self.not_empty.or(&other.not_empty),
            fresh: self.fresh.or(&other.fresh),
            tags,
        }
    }
}

/// Reads `[databases]`, by name.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<DatabaseName, Written> {
    let mut databases = BTreeMap::new();
    let Some(table) = reader.table("databases", entry) else {
        return databases;
    };
    for entry in table.take_all() {
        let name = reader.check_form(entry.name.clone(), &forms::NAME);
        let Some(table) = reader.table("databases.*", Some(entry)) else {
            continue;
        };
        let written = read_one(reader, table);
        if let Given::Value(name) = name {
            databases.insert(DatabaseName::new(name.value), written);
        }
    }
    databases
}

fn read_one<'t>(reader: &mut Reader<'t>, mut table: Table<'t>) -> Written {
    let (not_empty, fresh) = read_checks(reader, table.take("checks"));
    let written = Written {
        header: Header::from(&table),
        like: reader.text(table.take("like")),
        instance: reader.named(table.take("instance"), &forms::INSTANCE, InstanceId::new),
        secret: read_secret(reader, table.take("secret")),
        admin_secret: read_secret(reader, table.take("admin_secret")),
        settings: Settings {
            database: reader.formed(table.take("database"), &forms::DATABASE),
            class: reader.formed(table.take("class"), &forms::CLASS),
            subnet_group: reader.formed(table.take("subnet_group"), &forms::SUBNET_GROUP),
            security_groups: security_groups(reader, table.take("security_groups")),
            parameter_group: reader.formed(table.take("parameter_group"), &forms::PARAMETER_GROUP),
            multi_az: reader.flag(table.take("multi_az")),
            publicly_accessible: reader.flag(table.take("publicly_accessible")),
            storage_type: reader.choice(table.take("storage_type"), STORAGE_TYPES),
            iam_authentication: reader.flag(table.take("iam_authentication")),
            retention: reader.duration(table.take("retention"), &forms::RETENTION),
            protect: reader.flag(table.take("protect")),
            removal_policy: reader.choice(table.take("removal_policy"), REMOVAL_POLICIES),
            not_empty,
            fresh,
            tags: read_tags(reader, table.take("tags")),
        },
    };
    reader.finish(table);
    written
}

/// A secret's name; warns where it ends as ARNs do.
pub(super) fn read_secret<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> Given<SecretName> {
    let name = reader.formed(entry, &forms::SECRET);
    if let Some(Spanned { value, span }) = name.value()
        && let Some(stem) = stem_of_arn(value)
    {
        reader.errors.push(EnvironmentError::EndsLikeArn {
            secret: value.clone(),
            span: *span,
            stem: stem.to_owned(),
        });
    }
    name.map(SecretName::new)
}

/// The name in front of `-` and six random characters, if that is how it ends. Words and numbers of six
/// characters aren't taken for random ones.
fn stem_of_arn(name: &str) -> Option<&str> {
    let (stem, end) = name.rsplit_once('-')?;
    let random = end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let word = end.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
        || end.bytes().all(|byte| byte.is_ascii_uppercase())
        || end.bytes().all(|byte| byte.is_ascii_digit());
    (random && !word && !stem.is_empty()).then_some(stem)
}

fn read_checks<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> (Given<Vec<TableName>>, Given<Fresh>) {
    let Some(mut table) = reader.table("databases.*.checks", entry) else {
        return (Given::Absent, Given::Absent);
    };
    let not_empty = reader
        .list(table.take("not_empty"), &forms::TABLE)
        .map(|tables| {
            tables
                .iter()
                .filter_map(|table| table_name(&table.value))
                .collect()
        });
    let fresh = table.take("fresh");
    let fresh = match fresh {
        Some(entry) => read_fresh(reader, entry),
        None => Given::Absent,
    };
    reader.finish(table);
    (not_empty, fresh)
}

fn read_fresh<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Given<Fresh> {
    let place = entry.span;
    let Some(mut table) = reader.table("databases.*.checks.fresh", Some(entry)) else {
        return Given::Bad;
    };
    let column = reader.formed(table.take("column"), &forms::COLUMN);
    let within = reader.duration(table.take("within"), &forms::DURATION);
    let header = Header::from(&table);
    if column.is_absent() {
        reader.missing(
            &header,
            "column",
            "column = \"public.documents.created_at\"",
        );
    }
    if within.is_absent() {
        reader.missing(&header, "within", "within = \"26h\"");
    }
    reader.finish(table);
    match (column, within) {
        (Given::Value(column), Given::Value(within)) => match column.value.rsplit_once('.') {
            Some((table, name)) => match table_name(table) {
                Some(table) => Given::Value(Spanned {
                    value: Fresh {
                        table,
                        column: name.to_owned(),
                        within: within.value,
                    },
                    span: place,
                }),
                None => Given::Bad,
            },
            None => Given::Bad,
        },
        _ => Given::Bad,
    }
}

/// The table that `schema.table` names.
pub(super) fn table_name(path: &str) -> Option<TableName> {
    let (schema, table) = path.split_once('.')?;
    Some(TableName {
        schema: schema.to_owned(),
        table: table.to_owned(),
    })
}

fn read_tags<'t>(reader: &mut Reader<'t>, entry: Option<Entry<'t>>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let Some(table) = reader.table("databases.*.tags", entry) else {
        return tags;
    };
    let entries = table.take_all();
    if entries.len() > MOST_TAGS {
        reader.errors.push(EnvironmentError::OutOfBounds {
            path: table.path.clone(),
            value: format!("{} tags", entries.len()),
            span: table.span,
            least: 0,
            most: MOST_TAGS as u64,
        });
    }
    for entry in entries {
        let key = reader.check_form(entry.name.clone(), &forms::TAG_KEY);
        let value = reader.formed(Some(entry), &forms::TAG_VALUE);
        if let (Given::Value(key), Given::Value(value)) = (key, value) {
            tags.insert(key.value, value.value);
        }
    }
    tags
}

/// Applies `like` and `[network]`, fills in defaults and complains about what is missing.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    written: &BTreeMap<DatabaseName, Written>,
    network: &Network,
) -> BTreeMap<DatabaseName, Database> {
    let mut databases = BTreeMap::new();
    for (name, own) in written {
        let chain = chain(reader, written, name);
        if let Some(chain) = &chain {
            inherit_places(reader, name, chain);
        }
        let bases = chain.unwrap_or_default();
        let mut settings = bases
            .iter()
            .filter_map(|base| written.get(base))
            .fold(own.settings.clone(), |settings, base| {
                settings.or(&base.settings)
            });
        settings.subnet_group = settings.subnet_group.or(&network.subnet_group);
        settings.security_groups = settings.security_groups.or(&network.security_groups);

        let must_have_admin = bases
            .iter()
            .filter_map(|base| written.get(base))
            .any(|base| !base.admin_secret.is_absent());
        missing_identity(reader, name, own, must_have_admin);
        if own.like.is_absent() {
            missing_settings(reader, &own.header, &settings);
        }
        if let Some(database) = complete(own, settings) {
            databases.insert(name.clone(), database);
        }
    }
    databases
}

/// The databases that one is like, nearest first; none if that is unknown or circular.
fn chain(
    reader: &mut Reader<'_>,
    written: &BTreeMap<DatabaseName, Written>,
    name: &DatabaseName,
) -> Option<Vec<DatabaseName>> {
    let mut chain: Vec<DatabaseName> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    let mut here = written.get(name)?;
    loop {
        let like = match &here.like {
            Given::Absent => return Some(chain),
            Given::Bad => return None,
            Given::Value(like) => like,
        };
        let next = DatabaseName::new(like.value.clone());
        places.push(like.span);
        if next == *name {
            // Each member of the circle comes here; the first by name tells.
            if chain.iter().all(|other| name < other) {
                let names = std::iter::once(name).chain(&chain);
                reader.errors.push(EnvironmentError::LikeCircle {
                    names: names.map(|name| format!("`{name}`")).collect(),
                    spans: places,
                });
            }
            return None;
        }
        if chain.contains(&next) {
            return None;
        }
        let Some(base) = written.get(&next) else {
            if chain.is_empty() {
                reader.errors.push(EnvironmentError::UnknownName {
                    kind: "database",
                    name: like.value.clone(),
                    span: like.span,
                    known: written
                        .keys()
                        .filter(|other| *other != name)
                        .map(ToString::to_string)
                        .collect(),
                });
            }
            return None;
        };
        chain.push(next);
        here = base;
    }
}

/// Lets the keys that a database does not write itself point to where they come from.
fn inherit_places(reader: &mut Reader<'_>, name: &DatabaseName, chain: &[DatabaseName]) {
    for base in chain {
        let prefix = format!("databases.{base}.");
        let copied: Vec<(String, Span)> = reader
            .keys
            .iter()
            .filter_map(|(path, span)| Some((path.strip_prefix(&prefix)?.to_owned(), *span)))
            .filter(|(key, _)| key != "like" && !IDENTITY.contains(&key.as_str()))
            .collect();
        for (key, span) in copied {
            let path = format!("databases.{name}.{key}");
            reader.keys.entry(path).or_insert(span);
        }
    }
    for key in ["subnet_group", "security_groups"] {
        if let Some(span) = reader.keys.get(&format!("network.{key}")).copied() {
            let path = format!("databases.{name}.{key}");
            reader.keys.entry(path).or_insert(span);
        }
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
            table: super::error::title(&own.header.path),
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
    let everywhere = "or say it once for all databases in `[network]`";
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
            Some("a restored instance would get the default one"),
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
                table: super::error::title(&header.path),
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
