//! The parameters of an action as a reviewer reads them: all of them, each by name.

use super::{removal, replication, schema};
use crate::render::colour::{Paint, printable};
use rbk_core::ids::{DatabaseName, RoleName};
use rbk_core::plan::{
    Action, AsOf, Freeze, InstanceSettings, Plan, SecretContent, SnapshotName, Wording,
};
use rbk_core::value::duration_text;

/// Every parameter of an action, in words.
pub fn parameters(
    plan: &Plan,
    action: &Action,
    wording: &Wording<'_, Paint>,
) -> Vec<(&'static str, String)> {
    match action {
        Action::RestoreFromSnapshot {
            database,
            snapshot,
            settings,
        } => {
            let mut parameters = vec![
                ("database", database.to_string()),
                ("snapshot", wording.expr(snapshot)),
            ];
            parameters.extend(settings_parameters(settings, "rbk:source-snapshot"));
            parameters
        }
        Action::RestoreToPointInTime {
            database,
            source,
            at,
            settings,
        } => {
            let mut parameters = vec![
                ("database", database.to_string()),
                ("source", source.to_string()),
                (
                    "as of",
                    match at {
                        AsOf::Latest => "the newest instant, read when it begins".to_owned(),
                        AsOf::Time { at } => wording.expr(at),
                    },
                ),
            ];
            parameters.extend(settings_parameters(settings, "rbk:restored-to"));
            parameters
        }
        Action::CreateSnapshot {
            database,
            instance,
            id,
            binding: _,
        } => vec![
            ("database", database.to_string()),
            ("instance", instance.to_string()),
            (
                "snapshot",
                match id {
                    SnapshotName::Generated => format!("{instance}-‹run›"),
                    SnapshotName::Given { id } => wording.template(id),
                },
            ),
        ],
        Action::Decide { condition } => vec![("condition", wording.expr(condition))],
        Action::StageSecret { secret, content } => {
            let mut parameters = vec![
                ("secret", secret.to_string()),
                ("label", "RBK-‹run›, so that nobody reads it yet".to_owned()),
            ];
            parameters.extend(content_parameters(content));
            parameters
        }
        Action::SetMasterPassword {
            database,
            instance,
            secret,
        } => vec![
            ("database", database.to_string()),
            ("instance", instance.to_string()),
            ("password", format!("as staged in {secret}")),
        ],
        Action::SetRolePassword {
            database,
            role,
            secret,
            administration,
        } => vec![
            ("database", database.to_string()),
            ("role", role.to_string()),
            ("password", format!("as staged in {secret}")),
            ("logs in with", administration.to_string()),
        ],
        Action::ProveLogin {
            database,
            secret,
            through,
        } => {
            let mut parameters = vec![
                ("database", database.to_string()),
                ("logs in with", format!("what is staged in {secret}")),
            ];
            parameters.extend(
                through
                    .as_ref()
                    .map(|secret| ("through", secret.to_string())),
            );
            parameters
        }
        Action::PromoteSecret { secret } => vec![
            ("secret", secret.to_string()),
            (
                "moves",
                "AWSCURRENT, from the version seen at preflight to the staged one".to_owned(),
            ),
        ],
        Action::RevertSecret { secret } => vec![
            ("secret", secret.to_string()),
            (
                "moves",
                "AWSCURRENT back to the version seen at preflight, if this run moved it".to_owned(),
            ),
        ],
        Action::FreezeWrites {
            database,
            freeze,
            if_reachable,
        } => freeze_parameters(database, freeze_words(freeze), *if_reachable),
        Action::ThawWrites {
            database,
            freeze,
            if_reachable,
        } => freeze_parameters(database, thaw_words(freeze), *if_reachable),
        Action::Keep { database, because } => vec![
            ("database", database.to_string()),
            ("because", wording.template(because)),
        ],
        Action::Await {
            condition,
            within,
            every,
        } => vec![
            ("until", wording.expr(condition)),
            ("within", duration_text(*within)),
            ("every", duration_text(*every)),
        ],
        Action::Assert {
            condition,
            otherwise,
        } => {
            let mut parameters = vec![("that", wording.expr(condition))];
            parameters.extend(
                otherwise
                    .as_ref()
                    .map(|text| ("else", wording.template(text))),
            );
            parameters
        }
        Action::Approve { prompt, typed } => {
            let mut parameters = vec![("asks", wording.template(prompt))];
            parameters.extend(typed.as_ref().map(|name| ("must type", name.clone())));
            parameters
        }
        Action::ChangeSchema {
            database,
            change,
            statements,
            settings,
            lock_timeout,
        } => schema::change_parameters(database, change, statements, settings, *lock_timeout),
        Action::Migrate {
            database,
            migrations,
        } => schema::migrate_parameters(database, migrations),
        Action::SyncSequences {
            from,
            to,
            sequences,
        } => schema::sequence_parameters(from, to, sequences),
        Action::ProveForeignKeys { database, keys } => schema::key_parameters(database, keys),
        Action::Copy {
            replication,
            from,
            to,
            tables,
        } => {
            let name = replication.as_ref().map(|name| ("name", printable(name)));
            let mut parameters: Vec<_> = name.into_iter().collect();
            parameters.extend(schema::copy_parameters(from, to, tables));
            parameters
        }
        Action::RunCommand {
            command,
            declared,
            arguments,
        } => {
            let mut parameters = schema::command_parameters(command, declared);
            let arguments = arguments
                .iter()
                .map(|(name, value)| format!("{} = {}", printable(name), wording.expr(value)));
            parameters.extend(schema::rows("arguments", arguments));
            parameters
        }
        Action::ProveFrozen { database, freeze } => vec![
            ("database", database.to_string()),
            ("must be", frozen_words(freeze)),
        ],
        Action::KeepFrozen {
            database,
            freeze,
            because,
        } => vec![
            ("database", database.to_string()),
            ("must be", frozen_words(freeze)),
            ("because", wording.template(because)),
        ],
        Action::LiftProtection { database, instance } => {
            removal::lift_protection(database, instance)
        }
        Action::DestroyInstance {
            database,
            instance,
            final_snapshot,
        } => removal::destroy(database, instance, final_snapshot),
        Action::ApplyStack {
            application,
            database,
            value,
            apply,
            read,
        } => removal::apply_stack(application, database, value, apply.as_ref(), read),
        Action::CreateEndpoint {
            replication: name,
            side,
        } => replication::create_endpoint(plan, name, *side),
        Action::CreateReplication { replication: name } => replication::create(plan, name),
        Action::StartReplication { replication: name } => replication::start(name),
        Action::ProveReplication { replication: name } => replication::prove(plan, name),
        Action::StopReplication { replication: name } => replication::stop(name),
        Action::DeleteReplication { replication: name } => replication::delete(name),
        Action::DeleteEndpoint {
            replication: name,
            side,
        } => replication::delete_endpoint(name, *side),
        Action::Note { text } => vec![("says", wording.template(text))],
        Action::Observe { name, expr, ty } => vec![
            ("name", format!("{name} ({ty})")),
            ("reads", wording.expr(expr)),
        ],
    }
}

fn freeze_parameters(
    database: &DatabaseName,
    how: String,
    if_reachable: bool,
) -> Vec<(&'static str, String)> {
    let unreachable = if if_reachable {
        "skipped, and reported so"
    } else {
        "fails"
    };
    vec![
        ("database", database.to_string()),
        ("how", how),
        ("unreachable", unreachable.to_owned()),
    ]
}

fn freeze_words(freeze: &Freeze) -> String {
    match freeze {
        Freeze::NoLogin { roles } => {
            format!("NOLOGIN for {}, and their sessions ended", list(roles))
        }
        Freeze::ReadOnly => {
            "default_transaction_read_only, and other sessions ended (weaker: a session can override it)".to_owned()
        }
    }
}

fn frozen_words(freeze: &Freeze) -> String {
    match freeze {
        Freeze::NoLogin { roles } => {
            format!("NOLOGIN for {}, and no session of theirs", list(roles))
        }
        Freeze::ReadOnly => "default_transaction_read_only".to_owned(),
    }
}

fn thaw_words(freeze: &Freeze) -> String {
    match freeze {
        Freeze::NoLogin { roles } => format!("LOGIN for {}", list(roles)),
        Freeze::ReadOnly => "default_transaction_read_only reset".to_owned(),
    }
}

fn list(roles: &[RoleName]) -> String {
    let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    roles.join(", ")
}

fn content_parameters(content: &SecretContent) -> Vec<(&'static str, String)> {
    match content {
        SecretContent::NewPassword { database, username } => vec![
            (
                "password",
                "‹made when it is staged, shown nowhere›".to_owned(),
            ),
            (
                "username",
                username.as_ref().map_or_else(
                    || format!("‹the master user of {database}, read from its instance›"),
                    ToString::to_string,
                ),
            ),
            (
                "address",
                format!("‹of {database}, read from its instance›"),
            ),
            ("other keys", "as in the current version".to_owned()),
        ],
        SecretContent::Pointer {
            database,
            to,
            field,
        } => {
            let mut parameters = vec![
                ("database", database.to_string()),
                ("points to", to.to_string()),
            ];
            parameters.extend(field.as_ref().map(|field| ("in its key", field.clone())));
            parameters
        }
        SecretContent::CopyOf { database, from } => vec![
            ("database", database.to_string()),
            (
                "content",
                format!("a copy of the current version of {from}"),
            ),
        ],
    }
}

/// What an instance is created with; `origin` is the tag that says of what.
fn settings_parameters(settings: &InstanceSettings, origin: &str) -> Vec<(&'static str, String)> {
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let tags: Vec<String> = settings
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let own = format!("rbk:run, rbk:environment, rbk:action, rbk:plan, {origin}");
    vec![
        ("instance", settings.instance.to_string()),
        ("class", settings.class.clone()),
        ("subnet group", settings.subnet_group.clone()),
        ("security groups", settings.security_groups.join(", ")),
        ("parameter group", settings.parameter_group.clone()),
        ("multi-AZ", yes(settings.multi_az)),
        ("public address", yes(settings.publicly_accessible)),
        (
            "storage",
            settings
                .storage_type
                .clone()
                .unwrap_or_else(|| "as the source had it".to_owned()),
        ),
        ("IAM logins", yes(settings.iam_authentication)),
        ("retention", format!("{}d", settings.retention_days)),
        ("deletion protection", yes(settings.deletion_protection)),
        (
            "tags",
            if tags.is_empty() {
                own
            } else {
                format!("{}, and {own}", tags.join(", "))
            },
        ),
    ]
}
