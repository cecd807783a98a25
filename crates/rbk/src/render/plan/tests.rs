//! What a reviewer reads.

use super::{human, quick_recovery};
use crate::render::colour::Paint;
use insta::assert_snapshot;
use rbk_core::environment::{Command, DmsTls, TableName};
use rbk_core::ids::{
    ActionId, ApplicationName, DatabaseName, InstanceId, RoleName, SecretName, SnapshotId,
};
use rbk_core::plan::Bound;
use rbk_core::plan::{
    Action, DmsReplication, EndpointSettings, Expr, FinalSnapshot, Freeze, NamedCommand, Plan,
    PlannedAction, PlannedReplication, Preflight, ReplicationMeans, Risk, Side, StackValue,
    Template, TemplatePart,
};
use rbk_core::value::{Type, Value};
use serde_json::json;
use std::collections::BTreeMap;

fn name(text: &str) -> DatabaseName {
    DatabaseName::from(text)
}

fn table(text: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: text.to_owned(),
    }
}

fn freeze() -> Freeze {
    Freeze::NoLogin {
        roles: vec![RoleName::from("sgpt_app")],
    }
}

fn by_dms() -> DmsReplication {
    let end = |secret: &str| EndpointSettings {
        database: "statistagpt".to_owned(),
        secret: SecretName::from(secret),
        secret_access_role: None,
        tls: DmsTls::Require,
        certificate: None,
        after_connect: None,
    };
    let component = |id: &str| json!({ "Id": id, "Severity": "LOGGER_SEVERITY_DEBUG" });
    DmsReplication {
        source: end("rds/statistagptdb_recovery"),
        target: EndpointSettings {
            secret_access_role: Some("arn:aws:iam::123456789012:role/rbk-dms".to_owned()),
            tls: DmsTls::VerifyFull,
            certificate: Some("arn:aws:dms:eu-central-1:123456789012:cert:RDS".to_owned()),
            after_connect: Some("SET session_replication_role = 'replica'".to_owned()),
            ..end("rds/statistagptdb")
        },
        capacity: 4,
        multi_az: false,
        subnet_group: "sgpt-dms".to_owned(),
        security_groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        mappings: json!({ "rules": [{
            "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
            "object-locator": { "schema-name": "public", "table-name": "%" }, "filters": [],
        }] }),
        settings: json!({
            "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING", "MaxFullLoadSubTasks": 8 },
            "Logging": { "EnableLogging": true, "LogComponents": [
                component("SOURCE_UNLOAD"), component("TARGET_LOAD"),
            ] },
        }),
    }
}

/// Of one statement.
fn planned(statement: &str, actions: Vec<(Risk, &str, Action)>) -> Vec<PlannedAction> {
    actions
        .into_iter()
        .enumerate()
        .map(|(index, (risk, summary, action))| PlannedAction {
            id: ActionId::new(format!("{statement}#{index}")),
            statement: statement.to_owned(),
            summary: summary.to_owned(),
            risk,
            upper_bound: Some(60),
            only_if: Vec::new(),
            action,
        })
        .collect()
}

fn endpoint(side: Side) -> Action {
    Action::CreateEndpoint {
        replication: "load".to_owned(),
        side,
    }
}

fn cleanup() -> Vec<PlannedAction> {
    let replication = || "load".to_owned();
    let removed = |side| Action::DeleteEndpoint {
        replication: replication(),
        side,
    };
    planned(
        "let load = replicate recovery to original with dms",
        vec![
            (
                Risk::Changes,
                "stop load",
                Action::StopReplication {
                    replication: replication(),
                },
            ),
            (
                Risk::Destroys,
                "delete the config of load",
                Action::DeleteReplication {
                    replication: replication(),
                },
            ),
            (
                Risk::Destroys,
                "delete load's source endpoint",
                removed(Side::Source),
            ),
            (
                Risk::Destroys,
                "delete load's target endpoint",
                removed(Side::Target),
            ),
        ],
    )
}

fn command(program: &str) -> NamedCommand {
    NamedCommand {
        name: program.to_owned(),
        declared: Command {
            program: vec!["./deploy.sh".to_owned(), program.to_owned()],
            arguments: BTreeMap::new(),
            secrets: BTreeMap::new(),
            within: 600,
            repeatable: true,
        },
    }
}

/// A plan of these actions alone.
fn plan_of(actions: Vec<PlannedAction>) -> Plan {
    let mut plan = quick_recovery();
    plan.runbook.file = "runbooks/return.rbk".to_owned();
    plan.runbook.sha256 = "0123456789abcdef".to_owned();
    plan.parameters.clear();
    plan.preflight.clear();
    plan.on_failure.clear();
    plan.steps.truncate(1);
    plan.steps[0].doc = None;
    plan.steps[0].actions = actions;
    plan.replications = BTreeMap::from([(
        "load".to_owned(),
        PlannedReplication {
            from: name("recovery"),
            to: name("original"),
            tables: vec![table("documents"), table("embeddings")],
            with: ReplicationMeans::Dms(Box::new(by_dms())),
        },
    )]);
    plan
}

#[test]
fn a_replication_is_shown_with_all_that_dms_is_told_and_what_is_removed() {
    let replication = || "load".to_owned();
    let mut actions = planned(
        "let load = replicate recovery to original with dms",
        vec![
            (
                Risk::Creates,
                "create load's source endpoint",
                endpoint(Side::Source),
            ),
            (
                Risk::Creates,
                "create load's target endpoint",
                endpoint(Side::Target),
            ),
            (
                Risk::Creates,
                "create the config of load",
                Action::CreateReplication {
                    replication: replication(),
                },
            ),
            (
                Risk::Changes,
                "start load",
                Action::StartReplication {
                    replication: replication(),
                },
            ),
        ],
    );
    actions.extend(planned(
        "await load is complete within 4h",
        vec![
            (
                Risk::Reads,
                "await that load is complete",
                Action::Await {
                    condition: Expr::Complete {
                        replication: replication(),
                    },
                    within: 14_400,
                    every: 30,
                },
            ),
            (
                Risk::Reads,
                "prove that load is complete",
                Action::ProveReplication {
                    replication: replication(),
                },
            ),
        ],
    ));
    let mut plan = plan_of(actions);
    plan.cleanup = cleanup();
    plan.preflight = vec![
        Preflight::ReplicationSubnetGroup {
            name: "sgpt-dms".to_owned(),
        },
        Preflight::Instance {
            database: name("recovery"),
            instance: InstanceId::from("statistagptdb-recovery"),
            if_there: false,
        },
    ];
    assert_snapshot!("replication", human(&plan, Paint::new(false)));
}

#[test]
fn a_removal_says_what_is_left_and_what_vanishes() {
    let instance = || InstanceId::from("statistagptdb-recovery");
    let destroy = |final_snapshot| Action::DestroyInstance {
        database: name("recovery"),
        instance: instance(),
        final_snapshot,
    };
    let actions = planned(
        "destroy recovery by its removal policy",
        vec![
            (
                Risk::Reads,
                "prove that writes on recovery are frozen",
                Action::ProveFrozen {
                    database: name("recovery"),
                    freeze: freeze(),
                },
            ),
            (
                Risk::Changes,
                "lift the deletion protection of recovery",
                Action::LiftProtection {
                    database: name("recovery"),
                    instance: instance(),
                },
            ),
            (
                Risk::Destroys,
                "destroy recovery",
                destroy(FinalSnapshot::Generated),
            ),
            (
                Risk::Destroys,
                "destroy recovery",
                destroy(FinalSnapshot::Named {
                    id: SnapshotId::from("last-of-recovery"),
                }),
            ),
            (
                Risk::Destroys,
                "destroy recovery",
                destroy(FinalSnapshot::None),
            ),
            (
                Risk::Reads,
                "keep writes on original frozen",
                Action::KeepFrozen {
                    database: name("original"),
                    freeze: freeze(),
                    because: Template(vec![TemplatePart::Text("it is proven".to_owned())]),
                },
            ),
        ],
    );
    assert_snapshot!("removal", human(&plan_of(actions), Paint::new(false)));
}

#[test]
fn the_stack_is_shown_with_its_commands_and_values() {
    let apply = |apply| Action::ApplyStack {
        application: ApplicationName::from("sgpt"),
        database: name("original"),
        value: "rds/statistagptdb".to_owned(),
        apply,
        read: command("active"),
    };
    let actions = planned(
        "switch secret of sgpt to original",
        vec![
            (
                Risk::Changes,
                "deploy the stack",
                apply(Some(command("deploy"))),
            ),
            (Risk::Changes, "have the stack deployed", apply(None)),
        ],
    );
    let mut plan = plan_of(actions);
    let value = |setting: &str, expr, ty| StackValue {
        setting: setting.to_owned(),
        expr,
        ty,
        text: String::new(),
    };
    plan.stack = vec![
        value(
            "recovery_enabled",
            Expr::Exists {
                database: name("recovery"),
            },
            Type::Boolean,
        ),
        value(
            "recovery_removal_policy",
            Expr::Value(Value::Text("snapshot".to_owned())),
            Type::Text,
        ),
        value(
            "active_sgpt_secret_key",
            Expr::ActiveSecret {
                application: ApplicationName::from("sgpt"),
            },
            Type::Text,
        ),
    ];
    assert_snapshot!("stack", human(&plan, Paint::new(false)));
}

#[test]
fn a_plan_that_does_not_say_what_its_replication_is_can_still_be_shown() {
    let actions = planned(
        "replicate",
        vec![
            (Risk::Creates, "an endpoint", endpoint(Side::Source)),
            (
                Risk::Reads,
                "a proof",
                Action::ProveReplication {
                    replication: "load".to_owned(),
                },
            ),
        ],
    );
    let mut plan = plan_of(actions);
    plan.replications.clear();
    let sheet = human(&plan, Paint::new(false));
    let told = sheet.matches("`load`, of which the plan doesn't say what it is");
    assert_eq!(told.count(), 2, "{sheet}");
}

#[test]
fn destruction_and_approvals_stand_out() {
    let mut plan = quick_recovery();
    let step = &mut plan.steps[0];
    step.actions.truncate(2);
    step.actions[0].risk = Risk::Destroys;
    step.actions[1].action = Action::Approve {
        prompt: Template(vec![TemplatePart::Text("Really?".to_owned())]),
        typed: Some("original".to_owned()),
    };
    step.actions[1].upper_bound = None;
    let plain = human(&plan, Paint::new(false));
    assert!(plain.contains("- destroys"), "{plain}");
    assert!(plain.contains("? a person"), "{plain}");
    assert!(plain.contains("must type  original"), "{plain}");
    assert!(
        plain.contains("Step \"Restore\", at most 5m and as long as a person takes"),
        "{plain}"
    );
    assert!(human(&plan, Paint::new(true)).contains("\u{1b}[1m\u{1b}[31m- destroys"));
}

#[test]
fn nothing_from_a_file_moves_the_cursor_of_a_reviewer() {
    let mut plan = quick_recovery();
    plan.runbook.title = "Quick\u{1b}[2J recovery".to_owned();
    plan.steps[0].actions[0].summary = "\u{202e}yrevocer".to_owned();
    plan.environment.name = "prod\u{7}".to_owned();
    let sheet = human(&plan, Paint::new(false));
    let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!sheet.contains(hostile), "{sheet}");
}

#[test]
fn bounds_add_up_and_say_where_nobody_can() {
    let mut actions = quick_recovery().steps.remove(0).actions;
    actions.truncate(2);
    actions[0].upper_bound = Some(90);
    actions[1].upper_bound = Some(30);
    assert_eq!(Bound::of(&actions).to_string(), "at most 2m");
    actions[1].upper_bound = None;
    assert_eq!(
        Bound::of(&actions).to_string(),
        "at most 1m30s and as long as a person takes"
    );
    assert_eq!(
        Bound::of(&actions[1..]).to_string(),
        "as long as a person takes"
    );
    assert_eq!(Bound::of(&[]).to_string(), "at once");
}
