//! DMS's faults; except for failures of the service they are all HTTP 400.

/// An error that DMS answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmsError {
    /// `ResourceNotFoundFault`
    #[error("{0}")]
    NotFound(String),
    /// `ResourceAlreadyExistsFault`
    #[error("{0}")]
    AlreadyExists(String),
    /// `InvalidResourceStateFault`
    #[error("{0}")]
    InvalidState(String),
    /// `AccessDeniedFault`: DMS itself may not, because a role is missing.
    #[error("{0}")]
    RoleMissing(String),
    /// `InvalidSubnet`
    #[error("{0}")]
    InvalidSubnet(String),
    /// `ReplicationSubnetGroupDoesNotCoverEnoughAZs`
    #[error("{0}")]
    TooFewZones(String),
    /// `ResourceQuotaExceededFault`
    #[error("{0}")]
    QuotaExceeded(String),
    /// `InvalidParameterValueException`
    #[error("{0}")]
    InvalidValue(String),
    /// `InvalidParameterCombinationException`
    #[error("{0}")]
    InvalidCombination(String),
    /// `ValidationException`: a required member is missing.
    #[error("{0}")]
    Validation(String),
    /// `SerializationException`
    #[error("{0}")]
    Serialization(String),
    /// `UnknownOperationException`
    #[error("DMS has no operation {0} here.")]
    UnknownOperation(String),
    /// `ThrottlingException`
    #[error("Rate exceeded")]
    Throttling,
    /// `InternalFailure`
    #[error("An error occurred on the server side.")]
    InternalFailure,
    /// `ServiceUnavailableException`
    #[error("The request has failed due to a temporary failure of the server.")]
    ServiceUnavailable,
    /// `AccessDeniedException`: the caller may not.
    #[error("{0}")]
    AccessDenied(String),
    /// `ExpiredTokenException`
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// `InvalidSignatureException`
    #[error("{0}")]
    InvalidSignature(String),
    /// `MissingAuthenticationTokenException`
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
}

impl DmsError {
    /// The `__type` on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            DmsError::NotFound(_) => "ResourceNotFoundFault",
            DmsError::AlreadyExists(_) => "ResourceAlreadyExistsFault",
            DmsError::InvalidState(_) => "InvalidResourceStateFault",
            DmsError::RoleMissing(_) => "AccessDeniedFault",
            DmsError::InvalidSubnet(_) => "InvalidSubnet",
            DmsError::TooFewZones(_) => "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            DmsError::QuotaExceeded(_) => "ResourceQuotaExceededFault",
            DmsError::InvalidValue(_) => "InvalidParameterValueException",
            DmsError::InvalidCombination(_) => "InvalidParameterCombinationException",
            DmsError::Validation(_) => "ValidationException",
            DmsError::Serialization(_) => "SerializationException",
            DmsError::UnknownOperation(_) => "UnknownOperationException",
            DmsError::Throttling => "ThrottlingException",
            DmsError::InternalFailure => "InternalFailure",
            DmsError::ServiceUnavailable => "ServiceUnavailableException",
            DmsError::AccessDenied(_) => "AccessDeniedException",
            DmsError::ExpiredToken => "ExpiredTokenException",
            DmsError::InvalidSignature(_) => "InvalidSignatureException",
            DmsError::MissingAuthenticationToken => "MissingAuthenticationTokenException",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            DmsError::InternalFailure => 500,
            DmsError::ServiceUnavailable => 503,
            _ => 400,
        }
    }
}
