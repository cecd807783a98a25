//! `[applications.NAME]`: who uses which database, and where the active one is named.

use super::databases::{Written as Database, read_secret};
use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Active, Application, Health};
use crate::ids::{ApplicationName, DatabaseName, RoleName};
use rbk_syntax::{Span, Spanned};
use std::collections::BTreeMap;

/// An application as its table says it.
#[derive(Debug)]
pub(super) struct Written {
    pub header: Header,
    pub databases: Given<Vec<Spanned<String>>>,
    pub role: Given<RoleName>,
    /// With the place of the secret's name.
    pub active: Given<Active>,
    health: Option<Health>,
}

/// Reads `[applications]`, by name.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
) -> BTreeMap<ApplicationName, Written> {
    let mut applications = BTreeMap::new();
    let Some(table) = reader.table("applications", entry) else {
        return applications;
    };
    for entry in table.take_all() {
        let name = reader.check_form(entry.name.clone(), &forms::NAME);
        let Some(table) = reader.table("applications.*", Some(entry)) else {
            continue;
        };
        let written = read_one(reader, table);
        if let Given::Value(name) = name {
            applications.insert(ApplicationName::new(name.value), written);
        }
    }
    applications
}

fn read_one<'t>(reader: &mut Reader<'t>, mut table: Table<'t>) -> Written {
    let header = Header::from(&table);
    let databases = reader.full_list(table.take("databases"), &forms::NAME);
    let role = reader.named(table.take("role"), &forms::ROLE, RoleName::new);
    let active = match table.take("active") {
        Some(entry) => read_active(reader, entry),
        None => {
            reader.missing(
                &header,
                "active",
                "active = { pointer = \"app/active_secret\" }",
            );
            Given::Bad
        }
    };
    let health = table.take("health");
    let health = health.and_then(|entry| read_health(reader, entry));
    if databases.is_absent() {
        reader.missing(
            &header,
            "databases",
            "databases = [\"original\", \"recovery\"]",
        );
    }
    reader.finish(table);
    Written {
        header,
        databases,
        role,
        active,
        health,
    }
}

fn read_active<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Given<Active> {
    let (path, place) = (entry.path.clone(), entry.span);
    let Some(mut table) = reader.table("applications.*.active", Some(entry)) else {
        return Given::Bad;
    };
    let pointer = read_secret(reader, table.take("pointer"));
    let field = reader.formed(table.take("field"), &forms::FIELD);
    let copy = read_secret(reader, table.take("copy"));
    let mut bad = |problem, span| {
        reader.errors.push(EnvironmentError::Active {
            path: path.clone(),
            problem,
            span,
        });
        Given::Bad
    };
    let active = match (pointer, copy) {
        (Given::Absent, Given::Absent) => bad("says neither `pointer` nor `copy`", place),
        (Given::Absent, copy) => match field.value() {
            Some(field) => bad("has a `field`, which belongs to `pointer`", field.span),
            None => copy.map(|secret| Active::Copy { secret }),
        },
        (pointer, Given::Absent) => {
            let whole = !matches!(field, Given::Bad);
            let field = field.into_inner();
            match pointer {
                Given::Value(Spanned { value, span }) if whole => Given::Value(Spanned {
                    value: Active::Pointer {
                        secret: value,
                        field,
                    },
                    span,
                }),
                _ => Given::Bad,
            }
        }
        _ => bad("says both `pointer` and `copy`", place),
    };
    reader.finish(table);
    active
}

fn read_health<'t>(reader: &mut Reader<'t>, entry: Entry<'t>) -> Option<Health> {
    let mut table = reader.table("applications.*.health", Some(entry))?;
    let http = reader.formed(table.take("http"), &forms::ADDRESS);
    let expect = reader.number(table.take("expect"), 100..=599);
    if http.is_absent() {
        reader.missing(
            &Header::from(&table),
            "http",
            format!("http = \"{}\"", forms::ADDRESS.example),
        );
    }
    reader.finish(table);
    Some(Health {
        http: http.into_inner()?,
        expect: match expect {
            Given::Absent => 200,
            other => u16::try_from(other.into_inner()?).ok()?,
        },
    })
}

/// Looks up what applications name and complains about what isn't there.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    written: &BTreeMap<ApplicationName, Written>,
    databases: &BTreeMap<DatabaseName, Database>,
) -> BTreeMap<ApplicationName, Application> {
    let mut applications = BTreeMap::new();
    for (name, application) in written {
        for database in used(application) {
            if !reader.has_database(&database.value) {
                reader.errors.push(EnvironmentError::UnknownName {
                    kind: "database",
                    name: database.value.clone(),
                    span: database.span,
                    known: databases.keys().map(ToString::to_string).collect(),
                });
            }
        }
        if let Some(active) = application.active.clone().into_inner() {
            let resolved = Application {
                databases: used(application)
                    .map(|database| DatabaseName::new(database.value.clone()))
                    .collect(),
                role: application.role.clone().into_inner(),
                active,
                health: application.health.clone(),
            };
            applications.insert(name.clone(), resolved);
        }
    }
    applications
}

/// Complains where what administrates and what logs in can't be told apart.
pub(super) fn check_roles(
    reader: &mut Reader<'_>,
    written: &BTreeMap<ApplicationName, Written>,
    databases: &BTreeMap<DatabaseName, Database>,
) {
    let mut roles: BTreeMap<&str, (&ApplicationName, &Spanned<RoleName>)> = BTreeMap::new();
    for (name, application) in written {
        let mut asked_for_role = false;
        for used in used(application) {
            let key = DatabaseName::new(used.value.clone());
            let Some(database) = databases.get(&key) else {
                continue;
            };
            match (&application.role, &database.admin_secret) {
                (Given::Value(role), Given::Absent) => {
                    reader.errors.push(EnvironmentError::RoleWithoutAdmin {
                        application: name.to_string(),
                        role: role.span,
                        database: used.value.clone(),
                        span: database.header.span,
                        insert: database.header.insert,
                        line: format!("admin_secret = \"rds/{}_admin\"", used.value),
                    });
                }
                (Given::Absent, Given::Value(admin)) if !asked_for_role => {
                    asked_for_role = true;
                    reader.errors.push(EnvironmentError::AdminWithoutRole {
                        database: used.value.clone(),
                        admin: admin.span,
                        application: name.to_string(),
                        span: application.header.span,
                        insert: application.header.insert,
                    });
                }
                _ => {}
            }
            let Some(role) = application.role.value() else {
                continue;
            };
            match roles.get(used.value.as_str()) {
                Some((other, first)) if first.value != role.value => {
                    reader.errors.push(EnvironmentError::RolesDiffer {
                        database: used.value.clone(),
                        application: name.to_string(),
                        span: role.span,
                        other: other.to_string(),
                        first: first.span,
                    });
                }
                Some(_) => {}
                None => {
                    roles.insert(&used.value, (name, role));
                }
            }
        }
    }
}

/// Where the application says which databases it uses.
pub(super) fn list_place(application: &Written) -> Span {
    match &application.databases {
        Given::Value(list) => list.span,
        Given::Absent | Given::Bad => application.header.span,
    }
}

/// The databases that an application names.
pub(super) fn used(application: &Written) -> impl Iterator<Item = &Spanned<String>> {
    application
        .databases
        .value()
        .into_iter()
        .flat_map(|list| &list.value)
}
