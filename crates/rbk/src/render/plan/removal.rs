//! The parameters of what removes an instance, and of what a deployed stack is told.

use super::schema;
use crate::render::colour::printable;
use rbk_core::ids::{ApplicationName, DatabaseName, InstanceId};
use rbk_core::plan::{FinalSnapshot, NamedCommand};

type Rows = Vec<(&'static str, String)>;

pub(super) fn lift_protection(database: &DatabaseName, instance: &InstanceId) -> Rows {
    vec![
        ("database", database.to_string()),
        ("instance", instance.to_string()),
        ("deletion protection", "off, at once".to_owned()),
    ]
}

pub(super) fn destroy(
    database: &DatabaseName,
    instance: &InstanceId,
    final_snapshot: &FinalSnapshot,
) -> Rows {
    let (left, done) = match final_snapshot {
        FinalSnapshot::None => (
            "no final snapshot: what isn't in an earlier manual one is gone for good".to_owned(),
            "the instance is gone",
        ),
        FinalSnapshot::Generated => (
            "a final snapshot ‹named after the instance and the run›".to_owned(),
            "the final snapshot is available, and then the instance is gone",
        ),
        FinalSnapshot::Named { id } => (
            format!("the final snapshot {id}"),
            "the final snapshot is available, and then the instance is gone",
        ),
    };
    vec![
        ("database", database.to_string()),
        ("instance", instance.to_string()),
        (
            "must be",
            "the one that was seen before, by its immutable identity, and used by no active secret"
                .to_owned(),
        ),
        ("leaves", printable(&left)),
        (
            "",
            "manual snapshots, which stay until somebody deletes them".to_owned(),
        ),
        (
            "vanishes",
            "automated backups: no point in time of it can be restored any more".to_owned(),
        ),
        ("is done when", done.to_owned()),
    ]
}

pub(super) fn apply_stack(
    application: &ApplicationName,
    database: &DatabaseName,
    value: &str,
    apply: Option<&NamedCommand>,
    read: &NamedCommand,
) -> Rows {
    let mut parameters = vec![
        ("application", application.to_string()),
        ("database", database.to_string()),
        ("deploys", printable(&format!("value = {value:?}"))),
    ];
    match apply {
        Some(command) => {
            parameters.extend(schema::command_parameters(&command.name, &command.declared));
        }
        None => parameters.push(("by", "a person, who is told what to deploy".to_owned())),
    }
    parameters.push((
        "proven by",
        printable(&format!(
            "`{}`, whose last line must be that value: {}",
            read.name,
            read.declared.program.join(" ")
        )),
    ));
    parameters
}
