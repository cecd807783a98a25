//! Secrets Manager's exceptions; except for failures of the service they are all HTTP 400.

/// An error that Secrets Manager answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// `ResourceNotFoundException`
    #[error("Secrets Manager can't find the specified secret.")]
    NotFound,
    /// `ResourceNotFoundException`, for a version or a label.
    #[error("Secrets Manager can't find the specified secret value for {0}")]
    ValueNotFound(String),
    /// `ResourceExistsException`
    #[error("{0}")]
    Exists(String),
    /// `InvalidParameterException`
    #[error("{0}")]
    InvalidParameter(String),
    /// `InvalidRequestException`
    #[error("{0}")]
    InvalidRequest(String),
    /// `LimitExceededException`
    #[error("{0}")]
    LimitExceeded(String),
    /// `InvalidNextTokenException`
    #[error("The NextToken value is invalid.")]
    InvalidNextToken,
    /// `SerializationException`
    #[error("{0}")]
    Serialization(String),
    /// `UnknownOperationException`
    #[error("Secrets Manager has no operation {0} here.")]
    UnknownOperation(String),
    /// `ThrottlingException`
    #[error("Rate exceeded")]
    Throttling,
    /// `InternalServiceError`
    #[error("An error occurred on the server side.")]
    InternalFailure,
    /// `ServiceUnavailableException`
    #[error("The request has failed due to a temporary failure of the server.")]
    ServiceUnavailable,
    /// `AccessDeniedException`
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

impl SecretsError {
    /// The `__type` on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            SecretsError::NotFound | SecretsError::ValueNotFound(_) => "ResourceNotFoundException",
            SecretsError::Exists(_) => "ResourceExistsException",
            SecretsError::InvalidParameter(_) => "InvalidParameterException",
            SecretsError::InvalidRequest(_) => "InvalidRequestException",
            SecretsError::LimitExceeded(_) => "LimitExceededException",
            SecretsError::InvalidNextToken => "InvalidNextTokenException",
            SecretsError::Serialization(_) => "SerializationException",
            SecretsError::UnknownOperation(_) => "UnknownOperationException",
            SecretsError::Throttling => "ThrottlingException",
            SecretsError::InternalFailure => "InternalServiceError",
            SecretsError::ServiceUnavailable => "ServiceUnavailableException",
            SecretsError::AccessDenied(_) => "AccessDeniedException",
            SecretsError::ExpiredToken => "ExpiredTokenException",
            SecretsError::InvalidSignature(_) => "InvalidSignatureException",
            SecretsError::MissingAuthenticationToken => "MissingAuthenticationTokenException",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            SecretsError::InternalFailure => 500,
            SecretsError::ServiceUnavailable => 503,
            _ => 400,
        }
    }
}
