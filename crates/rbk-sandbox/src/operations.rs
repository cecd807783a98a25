//! The operations that are answered, by service.

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Dms,
    Iam,
    Rds,
    SecretsManager,
    Sts,
}

impl Service {
    /// The name in a signature's scope.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Service::Dms => "dms",
            Service::Iam => "iam",
            Service::Rds => "rds",
            Service::SecretsManager => "secretsmanager",
            Service::Sts => "sts",
        }
    }
}

pub(crate) const DMS: [&str; 18] = [
    "AddTagsToResource",
    "CreateEndpoint",
    "CreateReplicationConfig",
    "CreateReplicationSubnetGroup",
    "DeleteEndpoint",
    "DeleteReplicationConfig",
    "DescribeEndpoints",
    "DescribeReplicationConfigs",
    "DescribeReplicationSubnetGroups",
    "DescribeReplicationTableStatistics",
    "DescribeReplications",
    "ListTagsForResource",
    "ModifyReplicationConfig",
    "ReloadReplicationTables",
    "RemoveTagsFromResource",
    "StartReplication",
    "StopReplication",
    "TestConnection",
];

pub(crate) const IAM: [&str; 1] = ["GetRole"];

pub(crate) const RDS: [&str; 17] = [
    "AddTagsToResource",
    "CreateDBSnapshot",
    "DeleteDBInstance",
    "DeleteDBSnapshot",
    "DescribeAccountAttributes",
    "DescribeDBInstanceAutomatedBackups",
    "DescribeDBInstances",
    "DescribeDBParameterGroups",
    "DescribeDBSnapshots",
    "DescribeDBSubnetGroups",
    "DescribeEvents",
    "ListTagsForResource",
    "ModifyDBInstance",
    "RebootDBInstance",
    "RemoveTagsFromResource",
    "RestoreDBInstanceFromDBSnapshot",
    "RestoreDBInstanceToPointInTime",
];

pub(crate) const SECRETS_MANAGER: [&str; 11] = [
    "CreateSecret",
    "DeleteSecret",
    "DescribeSecret",
    "GetSecretValue",
    "ListSecretVersionIds",
    "ListSecrets",
    "PutSecretValue",
    "RestoreSecret",
    "TagResource",
    "UntagResource",
    "UpdateSecretVersionStage",
];

pub(crate) const STS: [&str; 1] = ["GetCallerIdentity"];

fn all() -> impl Iterator<Item = &'static str> {
    DMS.into_iter()
        .chain(IAM)
        .chain(RDS)
        .chain(SECRETS_MANAGER)
        .chain(STS)
}

/// Whether any service answers an operation of this name.
pub(crate) fn is_known(name: &str) -> bool {
    all().any(|known| known == name)
}

/// Whether work goes on after the answer.
pub(crate) fn goes_on(name: &str) -> bool {
    [
        "CreateDBSnapshot",
        "CreateReplicationConfig",
        "DeleteDBInstance",
        "DeleteEndpoint",
        "DeleteReplicationConfig",
        "ModifyDBInstance",
        "ModifyReplicationConfig",
        "RebootDBInstance",
        "RestoreDBInstanceFromDBSnapshot",
        "RestoreDBInstanceToPointInTime",
        "StartReplication",
    ]
    .contains(&name)
}

/// The operation that was probably meant.
pub(crate) fn similar(name: &str) -> Option<&'static str> {
    all()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
