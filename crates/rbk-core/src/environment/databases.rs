//! `[databases.NAME]` as it is written.

use super::access::security_groups;
use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Fresh, RemovalPolicy, TableName};
use crate::ids::{DatabaseName, InstanceId, SecretName};
use rbk_syntax::Spanned;
use std::collections::BTreeMap;

/// The most tags that may be given: RDS takes fifty, and rbk adds four of its own.
pub(super) const MOST_TAGS: usize = 46;

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
    pub settings: Settings,
}

/// What `like` copies.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub database: Given<String>,
    pub class: Given<String>,
    pub subnet_group: Given<String>,
    pub security_groups: Given<Vec<String>>,
    pub parameter_group: Given<String>,
    pub multi_az: Given<bool>,
    pub publicly_accessible: Given<bool>,
    pub storage_type: Given<&'static str>,
    pub iam_authentication: Given<bool>,
    pub retention: Given<u64>,
    pub protect: Given<bool>,
    pub removal_policy: Given<RemovalPolicy>,
    pub not_empty: Given<Vec<TableName>>,
    pub fresh: Given<Fresh>,
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    /// What is said here, and otherwise there. Checks and tags are copied one by one.
    pub fn or(&self, other: &Settings) -> Settings {
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
    let mut table = reader.section("databases.*.checks", entry);
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
