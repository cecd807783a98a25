//! `[applications.NAME]`: who uses which database, and where the active one is named.

use super::databases::{Written as Database, read_secret};
use super::error::EnvironmentError;
use super::forms;
use super::reader::{Entry, Given, Header, Reader, Table};
use super::{Active, Application, Command, Health};
use crate::ids::{ApplicationName, DatabaseName, RoleName};
use crate::value::Type;
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
    commands: &BTreeMap<String, Command>,
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
        let written = read_one(reader, table, commands);
        if let Given::Value(name) = name {
            applications.insert(ApplicationName::new(name.value), written);
        }
    }
    applications
}

fn read_one<'t>(
    reader: &mut Reader<'t>,
    mut table: Table<'t>,
    commands: &BTreeMap<String, Command>,
) -> Written {
    let header = Header::from(&table);
    let databases = reader.full_list(table.take("databases"), &forms::NAME);
    let role = reader.named(table.take("role"), &forms::ROLE, RoleName::new);
    let active = match table.take("active") {
        Some(entry) => read_active(reader, entry, commands),
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

fn read_active<'t>(
    reader: &mut Reader<'t>,
    entry: Entry<'t>,
    commands: &BTreeMap<String, Command>,
) -> Given<Active> {
    let (path, place) = (entry.path.clone(), entry.span);
    let Some(mut table) = reader.table("applications.*.active", Some(entry)) else {
        return Given::Bad;
    };
    let pointer = read_secret(reader, table.take("pointer"));
    let field = reader.formed(table.take("field"), &forms::FIELD);
    let copy = read_secret(reader, table.take("copy"));
    let stack = match table.take("stack") {
        Some(entry) => read_stack(reader, entry, commands),
        None => Given::Absent,
    };
    reader.finish(table);
    let mut bad = |problem, span| {
        reader.errors.push(EnvironmentError::Active {
            path: path.clone(),
            problem,
            span,
        });
        Given::Bad
    };
    let said = [pointer.is_absent(), copy.is_absent(), stack.is_absent()]
        .into_iter()
        .filter(|absent| !absent)
        .count();
    match said {
        0 => return bad("says neither `pointer`, `copy` nor `stack`", place),
        1 => {}
        _ => return bad("says more than one of `pointer`, `copy` and `stack`", place),
    }
    if let (Given::Absent, Some(field)) = (&pointer, field.value()) {
        return bad("has a `field`, which belongs to `pointer`", field.span);
    }
    if !stack.is_absent() {
        return stack;
    }
    if !copy.is_absent() {
        return copy.map(|secret| Active::Copy { secret });
    }
    if matches!(field, Given::Bad) {
        return Given::Bad;
    }
    let field = field.into_inner();
    pointer.map(|secret| Active::Pointer { secret, field })
}

/// `{ apply = "…", read = "…" }`: two of `[commands]`.
fn read_stack<'t>(
    reader: &mut Reader<'t>,
    entry: Entry<'t>,
    commands: &BTreeMap<String, Command>,
) -> Given<Active> {
    let place = entry.span;
    let Some(mut table) = reader.table("applications.*.active.stack", Some(entry)) else {
        return Given::Bad;
    };
    let header = Header::from(&table);
    let apply = reader.formed(table.take("apply"), &forms::NAME);
    let read = reader.formed(table.take("read"), &forms::NAME);
    reader.finish(table);
    if read.is_absent() {
        reader.missing(&header, "read", "read = \"active_secret\"");
    }
    for (name, purpose) in [(&apply, "deploys"), (&read, "reads")] {
        if let Some(name) = name.value() {
            check_command(reader, name, purpose, commands);
        }
    }
    match (apply, read) {
        (Given::Bad, _) | (_, Given::Absent | Given::Bad) => Given::Bad,
        (apply, Given::Value(read)) => Given::Value(Spanned {
            value: Active::Stack {
                apply: apply.into_inner(),
                read: read.value,
            },
            span: place,
        }),
    }
}

/// Whether a command is given what it will be given: the setting's value and nothing else, or nothing at all.
fn check_command(
    reader: &mut Reader<'_>,
    name: &Spanned<String>,
    purpose: &'static str,
    commands: &BTreeMap<String, Command>,
) {
    let Some(command) = commands.get(&name.value) else {
        // One that is wrong itself was told where it stands.
        if !reader
            .keys
            .contains_key(&format!("commands.{}", name.value))
        {
            reader.errors.push(EnvironmentError::UnknownName {
                kind: "command",
                name: name.value.clone(),
                span: name.span,
                known: commands.keys().cloned().collect(),
            });
        }
        return;
    };
    let deploys = purpose == "deploys";
    let value = command.arguments.get("value");
    let other = command
        .arguments
        .keys()
        .find(|argument| !deploys || argument.as_str() != "value");
    let problem = match (other, value) {
        (Some(other), _) => format!("nothing would fill its argument `{other}`"),
        (None, None) if deploys => "has no argument `value`".to_owned(),
        (None, Some(ty)) if *ty != Type::Text => {
            format!("its argument `value` is {}, not text", with_article(*ty))
        }
        (None, _) => return,
    };
    reader.errors.push(EnvironmentError::StackCommand {
        command: name.value.clone(),
        purpose,
        span: name.span,
        problem,
        help: if deploys {
            "declare it with `arguments = { value = \"text\" }`: it is given the name of the secret that the setting must hold"
        } else {
            "declare it without arguments: the last line that it prints is the name of the secret that is deployed"
        },
    });
}

/// `an integer`, `a duration`.
fn with_article(ty: Type) -> String {
    let name = ty.name();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
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
