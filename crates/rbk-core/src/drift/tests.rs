//! What is drift, and what is nobody's business.

use super::*;
use crate::environment::{Environment, load};
use crate::ids::{InstanceId, ResourceId, SecretName, StageLabel, VersionId};
use crate::plan::InstanceSettings;
use crate::ports::{DmsLeftover, Endpoint, Instance, SecretFacts};
use rbk_syntax::SourceId;
use std::path::Path;

fn prod() -> Environment {
    let text = include_str!("../../../../runbooks/environments/prod.toml");
    let loaded = load("prod", SourceId(0), text, Path::new(""));
    loaded.environment.expect("it is right")
}

fn original() -> (InstanceSettings, Instance) {
    let settings = InstanceSettings::of(&prod().databases[&"original".into()]);
    let instance = Instance {
        id: InstanceId::from("statistagptdb"),
        resource: ResourceId::from("db-1"),
        status: "available".to_owned(),
        endpoint: Some(Endpoint {
            host: "db.example".to_owned(),
            port: 5432,
        }),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        master_username: "postgres".to_owned(),
        created_at: None,
        tags: settings.tags.clone(),
        settings: settings.clone(),
        pending: Vec::new(),
        unsettled: Vec::new(),
        latest_restorable_time: None,
        managed_master_secret: false,
    };
    (settings, instance)
}

fn told(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn each_setting_of_an_instance_is_compared() {
    let (asked, mut is) = original();
    is.tags
        .insert("aws:cloudformation:stack".to_owned(), "x".to_owned());
    assert_eq!(instance(&asked, &is), []);

    is.settings.class = "db.t4g.micro".to_owned();
    is.settings.subnet_group = "default".to_owned();
    is.settings
        .security_groups
        .insert(0, "sg-00000000".to_owned());
    is.settings.parameter_group = "default.postgres16".to_owned();
    is.settings.multi_az = true;
    is.settings.publicly_accessible = true;
    is.settings.storage_type = Some("gp2".to_owned());
    is.settings.iam_authentication = true;
    is.settings.retention_days = 1;
    is.settings.deletion_protection = false;
    is.tags.insert("team".to_owned(), "other".to_owned());
    is.tags.remove("cost-centre");
    insta::assert_debug_snapshot!("settings", told(&instance(&asked, &is)));

    // The order of groups says nothing.
    let (mut asked, mut is) = original();
    asked.security_groups = vec!["sg-1".to_owned(), "sg-2".to_owned()];
    is.settings.security_groups = vec!["sg-2".to_owned(), "sg-1".to_owned()];
    assert_eq!(instance(&asked, &is), []);
}

#[test]
fn secrets_must_say_what_is_so() {
    let (_, is) = original();
    let name = SecretName::from("rds/statistagptdb");
    let says = |username: &str, host: &str, port| SecretSeen {
        facts: Some(SecretFacts::default()),
        content: Some(SecretContent::Says {
            username: Some(username.to_owned()),
            endpoint: Some(Endpoint {
                host: host.to_owned(),
                port,
            }),
        }),
    };
    let told = |used, seen: &SecretSeen| told(&secret(&name, used, &is, seen));
    let role = Use::Role("sgpt_app");
    assert_eq!(told(role, &says("sgpt_app", "db.example", 5432)), [""; 0]);
    assert_eq!(
        told(Use::Master, &says("postgres", "db.example", 5432)),
        [""; 0]
    );
    assert_eq!(
        told(role, &says("postgres", "old.example", 5433)),
        [
            "secret `rds/statistagptdb`: `username` is postgres, not sgpt_app",
            "secret `rds/statistagptdb`: `host` is old.example, not db.example",
            "secret `rds/statistagptdb`: `port` is 5433, not 5432",
        ]
    );
    let seen = |facts, content| SecretSeen { facts, content };
    assert_eq!(
        told(role, &seen(None, None)),
        ["secret `rds/statistagptdb` is missing"]
    );
    let deleted = SecretFacts {
        deleted: true,
        ..SecretFacts::default()
    };
    assert_eq!(
        told(role, &seen(Some(deleted), None)),
        ["secret `rds/statistagptdb` is scheduled for deletion, not kept"]
    );
    let unusable = SecretContent::Unusable("its value isn't a JSON object".to_owned());
    assert_eq!(
        told(role, &seen(Some(SecretFacts::default()), Some(unusable))),
        ["secret `rds/statistagptdb` is unusable (its value isn't a JSON object), not usable"]
    );
    let silent = SecretContent::Says {
        username: None,
        endpoint: None,
    };
    assert_eq!(
        told(role, &seen(Some(SecretFacts::default()), Some(silent))),
        ["secret `rds/statistagptdb`: `username` is absent, not sgpt_app"]
    );
    // What could not be read is told elsewhere.
    assert_eq!(
        told(role, &seen(Some(SecretFacts::default()), None)),
        [""; 0]
    );
}

#[test]
fn leftovers_are_what_nothing_names() {
    let environment = prod();
    let made = |id: &str, status: &str, of: Option<&str>| {
        let (_, mut instance) = original();
        instance.id = InstanceId::from(id);
        instance.status = status.to_owned();
        instance.tags = [("rbk:run".to_owned(), "20261122T091500Z-1f3a9c02".to_owned())].into();
        let named = of.map(|of| (ENVIRONMENT_TAG.to_owned(), of.to_owned()));
        instance.tags.extend(named);
        instance
    };
    let found = [
        made("statistagptdb-recovery", "available", Some("prod")),
        made("old-recovery", "available", Some("prod")),
        made("older-recovery", "stopped", None),
        made("going", "deleting", Some("prod")),
        made("parcels-recovery", "available", Some("parcels")),
    ];
    let told: Vec<String> = instances(&environment, &found)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "instance `old-recovery` is left over from run 20261122T091500Z-1f3a9c02, available",
            "instance `older-recovery` is left over from run 20261122T091500Z-1f3a9c02, stopped",
        ]
    );

    let left = |kind, status: &str| DmsLeftover {
        kind,
        id: "rbk-1f3a9c02-load".to_owned(),
        status: status.to_owned(),
        tags: [("rbk:run".to_owned(), "r".to_owned())].into(),
    };
    let found = [
        left("endpoint", "active"),
        left("endpoint", "deleting"),
        left("replication config", "stopped"),
    ];
    let told: Vec<String> = endpoints_and_configs(&environment, &found)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "endpoint `rbk-1f3a9c02-load` is left over from run r, active",
            "replication config `rbk-1f3a9c02-load` is left over from run r, stopped",
        ]
    );
}

#[test]
fn a_version_that_was_staged_and_never_used_is_left_over() {
    let labels_of = |labels: &[&str]| {
        labels
            .iter()
            .map(|label| StageLabel::from(*label))
            .collect()
    };
    let facts = SecretFacts {
        versions: [
            (
                VersionId::from("1"),
                labels_of(&["AWSCURRENT", "RBK-aaaaaaaa"]),
            ),
            (VersionId::from("2"), labels_of(&["AWSPREVIOUS"])),
            (VersionId::from("3"), labels_of(&["RBK-bbbbbbbb"])),
            (VersionId::from("4"), labels_of(&["AWSPENDING"])),
        ]
        .into(),
        ..SecretFacts::default()
    };
    let told: Vec<String> = labels(&SecretName::from("rds/a"), &facts)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, ["secret label `RBK-bbbbbbbb of rds/a` is left over"]);
}

#[test]
fn a_report_in_a_sentence() {
    let of = |status: Option<&str>| OfDatabase {
        instance: InstanceId::from("db"),
        status: status.map(str::to_owned),
        needed: false,
        compared: status.map(|_| "2 tables".to_owned()),
        differences: Vec::new(),
        unseen: Vec::new(),
    };
    let mut report = Report {
        databases: [
            ("original".into(), of(Some("available"))),
            ("recovery".into(), of(None)),
        ]
        .into(),
        applications: [("sgpt".into(), OfApplication::default())].into(),
        ..Report::default()
    };
    assert!(report.is_empty() && !report.is_blind());
    assert_eq!(
        report.text(),
        "no drift: original with 2 tables, recovery isn't there and need not be; the active secrets of 1 application"
    );
    let differences = (0..6).map(|number| Difference {
        object: format!("tag `{number}`"),
        expected: Some("a".to_owned()),
        found: Some("b".to_owned()),
    });
    if let Some(original) = report.databases.get_mut(&"original".into()) {
        original.differences = differences.collect();
    }
    report.leftovers.push(Leftover {
        kind: "endpoint".to_owned(),
        id: "e".to_owned(),
        status: None,
        run: None,
    });
    assert_eq!(
        report.text(),
        "7 things differ: original: tag `0` is b, not a; original: tag `1` is b, not a; original: tag `2` is b, not a; original: tag `3` is b, not a; original: tag `4` is b, not a; and 2 more"
    );
    report.unseen.push(Unseen {
        what: "DMS".to_owned(),
        why: "no permission".to_owned(),
    });
    assert!(report.is_blind() && !report.is_empty());
}
