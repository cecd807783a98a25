//! RDS's error codes as they are on the wire, which aren't always the names of their shapes.

/// An error that RDS answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RdsError {
    /// `DBInstanceNotFound`
    #[error("DBInstance {0} not found.")]
    InstanceNotFound(String),
    /// `DBInstanceAlreadyExists`
    #[error("DB instance already exists")]
    InstanceAlreadyExists,
    /// `DBSnapshotNotFound`
    #[error("DBSnapshot {0} not found.")]
    SnapshotNotFound(String),
    /// `DBSnapshotAlreadyExists`
    #[error(
        "Cannot create the snapshot because a snapshot with the identifier {0} already exists."
    )]
    SnapshotAlreadyExists(String),
    /// `InvalidDBInstanceState`
    #[error("{0}")]
    InvalidInstanceState(String),
    /// `InvalidDBSnapshotState`
    #[error("{0}")]
    InvalidSnapshotState(String),
    /// `DBParameterGroupNotFound`
    #[error("DBParameterGroup not found: {0}")]
    ParameterGroupNotFound(String),
    /// `DBSubnetGroupNotFoundFault`
    #[error("DB subnet group '{0}' does not exist.")]
    SubnetGroupNotFound(String),
    /// `InstanceQuotaExceeded`
    #[error(
        "Requesting a new DB instance would exceed the quota of {0} DB instances in this region."
    )]
    InstanceQuotaExceeded(usize),
    /// `SnapshotQuotaExceeded`
    #[error("Cannot create more than {0} manual snapshots")]
    SnapshotQuotaExceeded(usize),
    /// `PointInTimeRestoreNotEnabled`
    #[error(
        "Point in time restore is not enabled for DB instance {0}: its backup retention period is 0."
    )]
    PointInTimeRestoreNotEnabled(String),
    /// `DBInstanceAutomatedBackupNotFound`
    #[error("No automated backup of the DB instance {0} was found.")]
    AutomatedBackupNotFound(String),
    /// `NoSuchEntity`, of IAM
    #[error("The role with name {0} cannot be found.")]
    NoSuchRole(String),
    /// `InvalidParameterValue`
    #[error("{0}")]
    InvalidParameterValue(String),
    /// `InvalidParameterCombination`
    #[error("{0}")]
    InvalidParameterCombination(String),
    /// `MissingParameter`
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(String),
    /// `ValidationError`: a parameter that the operation doesn't have.
    #[error("{0}")]
    UnknownParameter(String),
    /// `InvalidAction`
    #[error("Could not find operation {action} for version {version}")]
    InvalidAction {
        /// What was asked for.
        action: String,
        /// The API's version.
        version: String,
    },
    /// `Throttling`
    #[error("Rate exceeded")]
    Throttling,
    /// `InternalFailure`
    #[error("The request processing has failed because of an unknown error, exception or failure.")]
    InternalFailure,
    /// `ServiceUnavailable`
    #[error("The request has failed due to a temporary failure of the server.")]
    ServiceUnavailable,
    /// `AccessDenied`
    #[error("{0}")]
    AccessDenied(String),
    /// `ExpiredToken`
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// `InsufficientDBInstanceCapacity`
    #[error("The requested DB instance class is not available in the specified Availability Zone.")]
    InsufficientCapacity,
    /// `SignatureDoesNotMatch`
    #[error("{0}")]
    SignatureDoesNotMatch(String),
    /// `MissingAuthenticationToken`
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// `MalformedQueryString`
    #[error("{0}")]
    MalformedQuery(String),
}

impl RdsError {
    /// The code on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            RdsError::InstanceNotFound(_) => "DBInstanceNotFound",
            RdsError::InstanceAlreadyExists => "DBInstanceAlreadyExists",
            RdsError::SnapshotNotFound(_) => "DBSnapshotNotFound",
            RdsError::SnapshotAlreadyExists(_) => "DBSnapshotAlreadyExists",
            RdsError::InvalidInstanceState(_) => "InvalidDBInstanceState",
            RdsError::InvalidSnapshotState(_) => "InvalidDBSnapshotState",
            RdsError::ParameterGroupNotFound(_) => "DBParameterGroupNotFound",
            RdsError::SubnetGroupNotFound(_) => "DBSubnetGroupNotFoundFault",
            RdsError::InstanceQuotaExceeded(_) => "InstanceQuotaExceeded",
            RdsError::SnapshotQuotaExceeded(_) => "SnapshotQuotaExceeded",
            RdsError::PointInTimeRestoreNotEnabled(_) => "PointInTimeRestoreNotEnabled",
            RdsError::AutomatedBackupNotFound(_) => "DBInstanceAutomatedBackupNotFound",
            RdsError::NoSuchRole(_) => "NoSuchEntity",
            RdsError::InvalidParameterValue(_) => "InvalidParameterValue",
            RdsError::InvalidParameterCombination(_) => "InvalidParameterCombination",
            RdsError::MissingParameter(_) => "MissingParameter",
            RdsError::UnknownParameter(_) => "ValidationError",
            RdsError::InvalidAction { .. } => "InvalidAction",
            RdsError::Throttling => "Throttling",
            RdsError::InternalFailure => "InternalFailure",
            RdsError::ServiceUnavailable => "ServiceUnavailable",
            RdsError::AccessDenied(_) => "AccessDenied",
            RdsError::ExpiredToken => "ExpiredToken",
            RdsError::InsufficientCapacity => "InsufficientDBInstanceCapacity",
            RdsError::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
            RdsError::MissingAuthenticationToken => "MissingAuthenticationToken",
            RdsError::MalformedQuery(_) => "MalformedQueryString",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            RdsError::InstanceNotFound(_)
            | RdsError::SnapshotNotFound(_)
            | RdsError::ParameterGroupNotFound(_)
            | RdsError::SubnetGroupNotFound(_)
            | RdsError::AutomatedBackupNotFound(_)
            | RdsError::NoSuchRole(_)
            | RdsError::MalformedQuery(_) => 404,
            RdsError::AccessDenied(_)
            | RdsError::ExpiredToken
            | RdsError::SignatureDoesNotMatch(_)
            | RdsError::MissingAuthenticationToken => 403,
            RdsError::InternalFailure => 500,
            RdsError::ServiceUnavailable => 503,
            _ => 400,
        }
    }
}
