//! What is sent, and what `docs/permissions.md` says that a policy must allow, are the same.

use std::collections::BTreeSet;
use std::path::Path;

/// The actions that the sources name: a service and then, as text, an operation.
fn sent(folder: &Path, actions: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                sent(&path, actions);
            }
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        for (service, prefix) in [
            ("Service::Dms,", "dms"),
            ("Service::Iam,", "iam"),
            ("Service::Rds,", "rds"),
            ("Service::SecretsManager,", "secretsmanager"),
            ("Service::Sts,", "sts"),
        ] {
            for rest in text.split(service).skip(1) {
                let operation = rest.trim_start().strip_prefix('"');
                let operation = operation.and_then(|rest| rest.split_once('"'));
                actions.extend(operation.map(|(name, _)| format!("{prefix}:{name}")));
            }
        }
    }
}

#[test]
fn every_operation_that_is_sent_is_in_the_list_of_permissions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut actions = BTreeSet::new();
    sent(&root.join("src"), &mut actions);
    let some = [
        "dms:CreateEndpoint",
        "rds:DeleteDBInstance",
        "sts:GetCallerIdentity",
    ];
    assert!(some.iter().all(|one| actions.contains(*one)), "{actions:?}");
    let list = std::fs::read_to_string(root.join("../../docs/permissions.md")).expect("the list");
    // Implied by a call and authorised with it, without one of its own.
    let implied = [
        "dms:AddTagsToResource",
        "rds:AddTagsToResource",
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
        "rds:ListTagsForResource",
    ];
    let listed: BTreeSet<String> = list
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            let prefix = word.split(':').next().unwrap_or_default();
            ["dms", "iam", "rds", "secretsmanager", "sts"].contains(&prefix) && word.contains(':')
        })
        .filter(|word| !implied.contains(word))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, actions);
}
