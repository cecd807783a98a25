//! The quick recovery, lowered by hand, and the world that it finds.

use super::world::{Fake, Secret, endpoint_of};
use crate::environment::{
    Access, Active, Application, Approvals, Checks, Database, Environment, Health, Journal,
    RemovalPolicy, TableName,
};
use crate::ids::{
    ActionId, ApplicationName, DatabaseName, InstanceId, ResourceId, RoleName, SecretName,
    SnapshotId, StepPath,
};
use crate::plan::{
    Action, Expr, Freeze, InstanceSettings, Operator, PLAN_VERSION, Plan, PlannedAction, Preflight,
    Risk, RunbookFacts, SecretContent, Step, Template, TemplatePart,
};
use crate::ports::Instance;
use crate::value::{Snapshot, Type, Value};
use std::collections::BTreeMap;

pub fn original() -> DatabaseName {
    DatabaseName::from("original")
}

pub fn recovery() -> DatabaseName {
    DatabaseName::from("recovery")
}

pub fn sgpt() -> ApplicationName {
    ApplicationName::from("sgpt")
}

pub fn text(text: &str) -> Template {
    Template(vec![TemplatePart::Text(text.to_owned())])
}

fn database(name: &str) -> Database {
    Database {
        like: None,
        instance: InstanceId::new(format!("db-{name}")),
        database: "statistagpt".to_owned(),
        class: "db.r6g.large".to_owned(),
        subnet_group: "subnets".to_owned(),
        security_groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        parameter_group: "pg16".to_owned(),
        multi_az: false,
        publicly_accessible: false,
        storage_type: None,
        iam_authentication: false,
        retention_days: 7,
        protect: false,
        removal_policy: RemovalPolicy::Snapshot,
        admin_secret: Some(SecretName::new(format!("{name}_admin"))),
        secret: SecretName::from(name),
        checks: Checks {
            not_empty: vec![TableName {
                schema: "public".to_owned(),
                table: "documents".to_owned(),
            }],
            fresh: None,
        },
        tags: BTreeMap::from([("team".to_owned(), "search".to_owned())]),
    }
}

pub fn environment() -> Environment {
    Environment {
        migrations: None,
        dms: None,
        stack: None,
        commands: BTreeMap::new(),
        name: "test".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "123456789012".to_owned(),
        access: Access {
            tunnel: None,
            ca: None,
            connect_timeout: 10,
        },
        databases: BTreeMap::from([
            (original(), database("original")),
            (recovery(), database("recovery")),
        ]),
        applications: BTreeMap::from([(
            sgpt(),
            Application {
                databases: vec![original(), recovery()],
                role: Some(RoleName::from("sgpt_app")),
                active: Active::Pointer {
                    secret: SecretName::from("active"),
                    field: Some("key".to_owned()),
                },
                health: Some(Health {
                    http: "https://sgpt.example/health".to_owned(),
                    expect: 200,
                }),
            },
        )]),
        parameters: BTreeMap::new(),
        approvals: Approvals::default(),
        journal: Journal::default(),
        drill: None,
    }
}

pub fn settings() -> InstanceSettings {
    let database = database("recovery");
    InstanceSettings {
        instance: database.instance,
        class: database.class,
        subnet_group: database.subnet_group,
        security_groups: database.security_groups,
        parameter_group: database.parameter_group,
        multi_az: database.multi_az,
        publicly_accessible: database.publicly_accessible,
        storage_type: database.storage_type,
        iam_authentication: database.iam_authentication,
        retention_days: database.retention_days,
        deletion_protection: database.protect,
        tags: database.tags,
    }
}

pub fn freeze() -> Freeze {
    Freeze::NoLogin {
        roles: vec![RoleName::from("sgpt_app")],
    }
}

/// Actions of a step, numbered.
pub fn actions(path: &str, actions: Vec<Action>) -> Vec<PlannedAction> {
    let planned = actions.into_iter().enumerate();
    planned
        .map(|(index, action)| {
            let json = serde_json::to_value(&action).unwrap();
            let name = json["action"].as_str().unwrap().to_owned();
            PlannedAction {
                id: ActionId::new(format!("{path}#{}", index + 1)),
                statement: name.clone(),
                summary: format!("does {name}"),
                risk: Risk::Changes,
                upper_bound: None,
                only_if: Vec::new(),
                action,
            }
        })
        .collect()
}

pub fn step(path: &str, of: Vec<Action>) -> Step {
    Step {
        path: StepPath::from(path),
        doc: None,
        parallel: None,
        actions: actions(path, of),
    }
}

pub fn plan_of(preflight: Vec<Preflight>, steps: Vec<Step>, on_failure: Vec<Action>) -> Plan {
    let mut all = vec![Preflight::Identity {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
    }];
    all.extend(preflight);
    Plan {
        replications: BTreeMap::new(),
        cleanup: Vec::new(),
        stack: Vec::new(),
        catalogs: BTreeMap::new(),
        version: PLAN_VERSION,
        rbk: "0.1.0".to_owned(),
        runbook: RunbookFacts {
            title: "Quick recovery".to_owned(),
            doc: None,
            file: "quick-recovery.rbk".to_owned(),
            sha256: "0".repeat(64),
            uses: Vec::new(),
        },
        environment: environment(),
        parameters: Vec::new(),
        preflight: all,
        steps,
        on_failure: actions("on failure", on_failure),
    }
}

pub fn uses_original() -> Expr {
    Expr::Uses {
        application: sgpt(),
        database: original(),
    }
}

fn secret_version(name: &str) -> Preflight {
    Preflight::SecretVersion {
        secret: SecretName::from(name),
    }
}

fn snap() -> Expr {
    Expr::Binding {
        name: "snap".to_owned(),
        ty: Type::Snapshot,
    }
}

pub fn preflight() -> Vec<Preflight> {
    vec![
        Preflight::Absent {
            database: recovery(),
            instance: InstanceId::from("db-recovery"),
        },
        secret_version("recovery_admin"),
        secret_version("recovery"),
        secret_version("active"),
        Preflight::ActiveDatabase {
            application: sgpt(),
        },
        Preflight::Observe {
            name: "snap".to_owned(),
            expr: Expr::LatestSnapshot {
                database: original(),
            },
            ty: Type::Snapshot,
            statement: "let snap = latest snapshot of original".to_owned(),
        },
        Preflight::Require {
            condition: uses_original(),
            otherwise: None,
            statement: "require sgpt uses original".to_owned(),
        },
        Preflight::Require {
            condition: Expr::Binary {
                operator: Operator::LessOrEqual,
                left: Box::new(Expr::Age(Box::new(snap()))),
                right: Box::new(Expr::Value(Value::Duration(86_400))),
            },
            otherwise: Some(Template(vec![
                TemplatePart::Text("the newest snapshot is ".to_owned()),
                TemplatePart::Expr(Expr::Age(Box::new(snap()))),
                TemplatePart::Text(" old".to_owned()),
            ])),
            statement: "require age(snap) <= 1d".to_owned(),
        },
    ]
}

pub fn quick_recovery() -> Plan {
    let stage = |secret: &str, content| Action::StageSecret {
        secret: SecretName::from(secret),
        content,
    };
    let promote = |secret: &str| Action::PromoteSecret {
        secret: SecretName::from(secret),
    };
    let new_password = |username| SecretContent::NewPassword {
        database: recovery(),
        username,
    };
    let role = RoleName::from("sgpt_app");
    let restore = step(
        "Restore",
        vec![
            Action::RestoreFromSnapshot {
                database: recovery(),
                snapshot: snap(),
                settings: settings(),
            },
            Action::Await {
                condition: Expr::Available {
                    database: recovery(),
                },
                within: 3600,
                every: 15,
            },
            stage("recovery_admin", new_password(None)),
            Action::SetMasterPassword {
                database: recovery(),
                instance: InstanceId::from("db-recovery"),
                secret: SecretName::from("recovery_admin"),
            },
            promote("recovery_admin"),
            Action::ThawWrites {
                database: recovery(),
                freeze: freeze(),
                if_reachable: false,
            },
            stage("recovery", new_password(Some(role.clone()))),
            Action::SetRolePassword {
                database: recovery(),
                role,
                secret: SecretName::from("recovery"),
                administration: SecretName::from("recovery_admin"),
            },
            Action::ProveLogin {
                database: recovery(),
                secret: SecretName::from("recovery"),
                through: None,
            },
            promote("recovery"),
            Action::Await {
                condition: Expr::AcceptsConnections {
                    database: recovery(),
                },
                within: 300,
                every: 10,
            },
        ],
    );
    let look = step(
        "Look at the data",
        vec![Action::Assert {
            condition: Expr::ChecksPass {
                database: recovery(),
            },
            otherwise: None,
        }],
    );
    let switch = step(
        "Switch the application",
        vec![
            Action::FreezeWrites {
                database: original(),
                freeze: freeze(),
                if_reachable: true,
            },
            Action::Approve {
                prompt: text("Point sgpt at recovery?"),
                typed: None,
            },
            stage(
                "active",
                SecretContent::Pointer {
                    database: recovery(),
                    to: SecretName::from("recovery"),
                    field: Some("key".to_owned()),
                },
            ),
            Action::ProveLogin {
                database: recovery(),
                secret: SecretName::from("active"),
                through: Some(SecretName::from("recovery")),
            },
            promote("active"),
            Action::Await {
                condition: Expr::Healthy {
                    application: sgpt(),
                },
                within: 600,
                every: 15,
            },
            Action::Await {
                condition: Expr::HasLeft {
                    application: sgpt(),
                    database: original(),
                },
                within: 900,
                every: 15,
            },
            Action::Keep {
                database: recovery(),
                because: text("it serves until the original is repaired"),
            },
        ],
    );
    let on_failure = vec![
        Action::RevertSecret {
            secret: SecretName::from("active"),
        },
        Action::ThawWrites {
            database: original(),
            freeze: freeze(),
            if_reachable: true,
        },
    ];
    plan_of(preflight(), vec![restore, look, switch], on_failure)
}

pub fn snapshot(id: &str, created_at: &str) -> Snapshot {
    Snapshot {
        id: SnapshotId::from(id),
        instance: InstanceId::from("db-original"),
        resource: None,
        created_at: Some(created_at.parse().unwrap()),
        data_as_of: None,
        kind: "automated".to_owned(),
        status: "available".to_owned(),
        engine: "postgres".to_owned(),
        engine_version: "16.4".to_owned(),
        allocated_storage: Some(100),
        master_username: Some("master".to_owned()),
    }
}

/// The incident, with few looks at an instance that is being created: for what is run a thousand times.
pub fn brisk_incident() -> Fake {
    let fake = incident();
    fake.lock().restore_takes = 2_000;
    fake
}

/// The original serves the application; there are two snapshots; nothing of the recovery is there but its secrets.
pub fn incident() -> Fake {
    let fake = Fake::new();
    let id = InstanceId::from("db-original");
    fake.add_server(
        Instance {
            endpoint: Some(endpoint_of(&id)),
            resource: ResourceId::from("db-ORIGINAL"),
            status: "available".to_owned(),
            engine: "postgres".to_owned(),
            engine_version: "16.4".to_owned(),
            master_username: "master".to_owned(),
            created_at: None,
            settings: InstanceSettings {
                instance: id.clone(),
                ..settings()
            },
            pending: Vec::new(),
            unsettled: Vec::new(),
            latest_restorable_time: None,
            managed_master_secret: false,
            tags: BTreeMap::new(),
            id,
        },
        "original-master",
    );
    let mut inner = fake.lock();
    let server = inner.server("db-original");
    server
        .roles
        .insert("sgpt_app".to_owned(), ("original-app".to_owned(), true));
    server.sessions = 3;
    inner.snapshots = vec![
        snapshot("older", "2026-11-21T03:00:00Z"),
        snapshot("newest", "2026-11-22T03:00:00Z"),
    ];
    let login = |host: &str, username: &str, password: &str, port: &str| {
        format!(
            r#"{{"engine":"postgres","host":"{host}","port":{port},"dbname":"statistagpt","username":"{username}","password":"{password}","extra":"kept"}}"#
        )
    };
    for (name, value) in [
        (
            "original_admin",
            login("db-original.example", "master", "original-master", "5432"),
        ),
        (
            "original",
            login("db-original.example", "sgpt_app", "original-app", "5432"),
        ),
        (
            "recovery_admin",
            login("gone.example", "master", "of long ago", "\"5433\""),
        ),
        (
            "recovery",
            login("gone.example", "sgpt_app", "of long ago", "5433"),
        ),
        ("active", r#"{"key":"original","note":"kept"}"#.to_owned()),
    ] {
        let secret = Secret::of(&format!("v0-{name}"), &value);
        inner.secrets.insert(SecretName::from(name), secret);
    }
    drop(inner);
    fake
}
