//! Reads what the environment describes and compares it: `no drift` in a run, and `rbk env diff` without one. Changes nothing.

use super::active::active_secret;
use super::compare::schema;
use super::credentials::Content;
use super::evaluate::Seen;
use super::failure::Failure;
use super::look::{Look, Unreached};
use super::reading::without_actions;
use crate::catalog::Catalog;
use crate::drift::{
    self, Difference, Leftover, OfApplication, OfDatabase, Report, SecretContent, SecretSeen,
    Unseen, Use,
};
use crate::environment::{Active, Environment};
use crate::ids::{ApplicationName, DatabaseName, SecretName};
use crate::journal::Facts;
use crate::plan::InstanceSettings;
use crate::ports::{Instance, World};
use crate::value::{Type, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Tables that DMS keeps for itself and leaves behind, where rbk lets it: in schema `rbk`.
const CONTROL_TABLES: &str = "SELECT count(*)::bigint FROM pg_catalog.pg_tables \
     WHERE schemaname = 'rbk' AND tablename LIKE 'awsdms%'";

/// Compares all that an environment describes with what is there. What can't be seen is told in the report, not an error.
///
/// `catalogs`: what the lock file says, by database.
pub async fn survey(
    world: &World,
    environment: &Environment,
    catalogs: BTreeMap<DatabaseName, Catalog>,
) -> Report {
    let mut plan = without_actions(environment);
    plan.catalogs = catalogs;
    let facts = Facts::default();
    let mut look = Look::new(world, &plan, &facts);
    whole(&mut look).await.0
}

/// `no drift`, `no drift in DB`. What can't be seen proves nothing: it is an error, unless something differs anyway.
pub(super) async fn no_drift(
    look: &mut Look<'_>,
    database: Option<&DatabaseName>,
) -> Result<Seen, Failure> {
    let (report, failure) = match database {
        Some(name) => one(look, name).await,
        None => whole(look).await,
    };
    match failure {
        Some(failure) if report.is_empty() => Err(failure),
        _ => Ok(Seen::condition(report.is_empty(), report.text())),
    }
}

/// The report, and the first thing that could not be seen.
type Surveyed = (Report, Option<Failure>);

async fn one(look: &mut Look<'_>, name: &DatabaseName) -> Surveyed {
    let mut report = Report::default();
    let mut blind = Blind::default();
    let mut needed = BTreeSet::new();
    for (application, described) in &look.environment().applications {
        if described.databases.contains(name) {
            let of = survey_application(look, application, &mut blind).await;
            needed.extend(of.active.clone());
        }
    }
    // The application itself isn't asked about: that it can't be seen is of no interest here.
    blind = Blind::default();
    let of = survey_database(look, name, needed.contains(name), &mut blind, &mut report).await;
    report.databases.insert(name.clone(), of);
    (report, blind.first)
}

async fn whole(look: &mut Look<'_>) -> Surveyed {
    let environment = look.environment();
    let mut report = Report::default();
    let mut blind = Blind::default();
    for name in environment.applications.keys() {
        let of = survey_application(look, name, &mut blind).await;
        report.applications.insert(name.clone(), of);
    }
    let active: BTreeSet<DatabaseName> = report
        .applications
        .values()
        .filter_map(|of| of.active.clone())
        .collect();
    for name in environment.databases.keys() {
        let used = active.contains(name);
        let of = survey_database(look, name, used, &mut blind, &mut report).await;
        report.databases.insert(name.clone(), of);
    }
    match look.world.rds.created_by_rbk().await {
        Ok(instances) => report
            .leftovers
            .extend(drift::instances(environment, &instances)),
        Err(error) => blind.on(&mut report.unseen, "instances that rbk made", error.into()),
    }
    // Where no runbook can replicate with DMS, it needs no permission to look either.
    if environment.dms.is_some() {
        match look.world.dms.leftovers().await {
            Ok(found) => report
                .leftovers
                .extend(drift::endpoints_and_configs(environment, &found)),
            Err(error) => blind.on(&mut report.unseen, "what rbk made in DMS", error.into()),
        }
    }
    (report, blind.first)
}

/// What could not be seen, the first failure of it kept.
#[derive(Default)]
struct Blind {
    first: Option<Failure>,
}

impl Blind {
    fn on(&mut self, unseen: &mut Vec<Unseen>, what: impl Into<String>, failure: Failure) {
        unseen.push(Unseen {
            what: what.into(),
            why: failure.to_string(),
        });
        self.first.get_or_insert(failure);
    }
}

async fn survey_application(
    look: &mut Look<'_>,
    name: &ApplicationName,
    blind: &mut Blind,
) -> OfApplication {
    let mut of = OfApplication::default();
    let Some(application) = look.environment().application(name) else {
        return of;
    };
    let what = match &application.active {
        Active::Pointer { secret, .. } | Active::Copy { secret } => {
            match look.secret(secret).await {
                Ok(None) => {
                    of.differences.push(Difference {
                        object: format!("active secret `{secret}`"),
                        expected: Some("there".to_owned()),
                        found: None,
                    });
                    return of;
                }
                Ok(Some(facts)) if facts.deleted => {
                    of.differences.push(Difference {
                        object: format!("active secret `{secret}`"),
                        expected: Some("kept".to_owned()),
                        found: Some("scheduled for deletion".to_owned()),
                    });
                    return of;
                }
                Ok(Some(_)) => {}
                Err(failure) => {
                    blind.on(&mut of.unseen, format!("active secret `{secret}`"), failure);
                    return of;
                }
            }
            format!("active secret `{secret}`")
        }
        Active::Stack { read, .. } => format!("what command `{read}` says is deployed"),
    };
    match active_secret(look, name).await {
        Ok(named) => {
            of.active = application
                .databases
                .iter()
                .find(|database| {
                    let described = look.environment().database(database);
                    named.is_some() && described.map(|is| &is.secret) == named.as_ref()
                })
                .cloned();
            of.active_secret = named.map(|named| named.to_string());
            if of.active.is_none() {
                let databases: Vec<String> = application
                    .databases
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                of.differences.push(Difference {
                    object: what,
                    expected: Some(format!("the secret of {}", databases.join(" or "))),
                    found: Some(
                        of.active_secret
                            .clone()
                            .unwrap_or_else(|| "that of none of them".to_owned()),
                    ),
                });
            }
        }
        Err(Failure::SecretUnusable { reason, .. }) => of.differences.push(Difference {
            object: what,
            expected: Some("usable".to_owned()),
            found: Some(format!("unusable ({reason})")),
        }),
        Err(failure) => blind.on(&mut of.unseen, what, failure),
    }
    of
}

async fn survey_database(
    look: &mut Look<'_>,
    name: &DatabaseName,
    used: bool,
    blind: &mut Blind,
    report: &mut Report,
) -> OfDatabase {
    let Some(database) = look.environment().database(name) else {
        return OfDatabase {
            instance: "".into(),
            status: None,
            needed: false,
            compared: None,
            differences: Vec::new(),
            unseen: Vec::new(),
        };
    };
    let mut of = OfDatabase {
        instance: database.instance.clone(),
        status: None,
        needed: used || database.like.is_none(),
        compared: None,
        differences: Vec::new(),
        unseen: Vec::new(),
    };
    let instance = match look.instance(name).await {
        Ok(Some(instance)) => instance,
        Ok(None) => {
            if of.needed {
                of.differences.push(Difference {
                    object: format!("instance `{}`", of.instance),
                    expected: Some("there".to_owned()),
                    found: None,
                });
            }
            return of;
        }
        Err(failure) => {
            blind.on(
                &mut of.unseen,
                format!("instance `{}`", of.instance),
                failure,
            );
            return of;
        }
    };
    of.status = Some(instance.status.clone());
    if let Some(status) = instance.terminal_status() {
        of.differences.push(Difference {
            object: "the status".to_owned(),
            expected: Some("available".to_owned()),
            found: Some(status.to_owned()),
        });
    }
    let asked = InstanceSettings::of(database);
    of.differences.extend(drift::instance(&asked, &instance));

    let role = look
        .environment()
        .applications
        .values()
        .filter(|application| application.databases.contains(name))
        .find_map(|application| application.role.as_ref());
    let mut secrets = vec![(
        &database.secret,
        role.map_or(Use::Master, |role| Use::Role(role.as_str())),
    )];
    secrets.extend(
        database
            .admin_secret
            .iter()
            .map(|secret| (secret, Use::Master)),
    );
    for (secret, used) in secrets {
        survey_secret(look, secret, used, &instance, blind, &mut of, report).await;
    }
    survey_schema(look, name, blind, &mut of, report).await;
    of
}

async fn survey_secret(
    look: &mut Look<'_>,
    secret: &SecretName,
    used: Use<'_>,
    instance: &Instance,
    blind: &mut Blind,
    of: &mut OfDatabase,
    report: &mut Report,
) {
    let what = || format!("secret `{secret}`");
    let facts = match look.secret(secret).await {
        Ok(facts) => facts,
        Err(failure) => return blind.on(&mut of.unseen, what(), failure),
    };
    let mut content = None;
    if let Some(facts) = &facts
        && !facts.deleted
    {
        report.leftovers.extend(drift::labels(secret, facts));
        let read = look.current(secret).await;
        match read.and_then(|value| Content::parse(secret, &value)) {
            Ok(says) => {
                content = Some(SecretContent::Says {
                    username: says.text("username").map(str::to_owned),
                    endpoint: says.endpoint(),
                });
            }
            Err(Failure::SecretUnusable { reason, .. }) => {
                content = Some(SecretContent::Unusable(reason));
            }
            Err(failure) => blind.on(&mut of.unseen, what(), failure),
        }
    }
    let seen = SecretSeen { facts, content };
    of.differences
        .extend(drift::secret(secret, used, instance, &seen));
}

async fn survey_schema(
    look: &mut Look<'_>,
    name: &DatabaseName,
    blind: &mut Blind,
    of: &mut OfDatabase,
    report: &mut Report,
) {
    if !look.plan.catalogs.contains_key(name) {
        // Known when the plan was checked: no failure of a run, but said in what it says.
        of.unseen.push(Unseen {
            what: "schema".to_owned(),
            why: "the lock file says nothing of it: `rbk env pull` writes it".to_owned(),
        });
        return;
    }
    let compared = schema(look, name).await;
    let compared = match compared {
        Ok(compared) => compared,
        Err(Unreached::Nothing(reason)) => {
            let failure = Failure::Evaluation {
                doing: format!("logging in to {name}"),
                reason,
            };
            return blind.on(&mut of.unseen, "schema", failure);
        }
        Err(Unreached::Unreachable(error)) => {
            return blind.on(&mut of.unseen, "schema", error.into());
        }
        Err(Unreached::Failed(failure)) => {
            return blind.on(&mut of.unseen, "schema", failure);
        }
    };
    of.compared = Some(compared.compared);
    of.differences.extend(compared.differences);
    if look.environment().dms.is_none() {
        return;
    }
    let Ok(session) = look.session(name).await else {
        return;
    };
    match session.query(CONTROL_TABLES, Type::Integer).await {
        Ok(Value::Integer(0)) => {}
        Ok(value) => report.leftovers.push(Leftover {
            kind: "control tables of DMS".to_owned(),
            id: format!("rbk.awsdms_* in {name}"),
            status: Some(value.to_string()),
            run: None,
        }),
        Err(error) => blind.on(&mut of.unseen, "control tables of DMS", error.into()),
    }
}
