//! An instance's settings: as the environment says them, and as RDS describes them.

use super::Difference;
use crate::plan::InstanceSettings;
use crate::ports::Instance;

/// What an instance is otherwise than the environment says. Tags besides the environment's are nobody's drift.
pub fn instance(asked: &InstanceSettings, instance: &Instance) -> Vec<Difference> {
    let is = &instance.settings;
    let mut found = Vec::new();
    let mut compare = |what: &str, asked: &dyn ToString, is: &dyn ToString| {
        let (asked, is) = (asked.to_string(), is.to_string());
        if asked != is {
            found.push(Difference {
                object: what.to_owned(),
                expected: Some(asked),
                found: Some(is),
            });
        }
    };
    compare("the class", &asked.class, &is.class);
    compare("the subnet group", &asked.subnet_group, &is.subnet_group);
    compare(
        "the security groups",
        &sorted(&asked.security_groups),
        &sorted(&is.security_groups),
    );
    compare(
        "the parameter group",
        &asked.parameter_group,
        &is.parameter_group,
    );
    compare("multi-AZ", &asked.multi_az, &is.multi_az);
    compare(
        "a public address",
        &asked.publicly_accessible,
        &is.publicly_accessible,
    );
    if let (Some(asked), Some(is)) = (&asked.storage_type, &is.storage_type) {
        compare("the storage type", asked, is);
    }
    compare(
        "IAM authentication",
        &asked.iam_authentication,
        &is.iam_authentication,
    );
    compare(
        "the retention in days",
        &asked.retention_days,
        &is.retention_days,
    );
    compare(
        "deletion protection",
        &asked.deletion_protection,
        &is.deletion_protection,
    );
    for (key, value) in &asked.tags {
        let is = instance.tags.get(key).map_or("absent", String::as_str);
        compare(&format!("tag `{key}`"), value, &is);
    }
    found
}

fn sorted(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    names.join(", ")
}
