//! Codes and messages of AWS, and the kinds of failure that they are.

use super::*;
use PortErrorKind::*;

fn of(service: Service, code: &str, status: u16, message: &str) -> PortErrorKind {
    kind(service, Some(code), status, message)
}

#[test]
fn codes_of_rds_have_their_kinds() {
    for (code, status, message, expected) in [
        ("DBInstanceNotFound", 404, "", NotFound),
        ("DBSnapshotNotFound", 404, "", NotFound),
        ("DBInstanceAutomatedBackupNotFound", 404, "", NotFound),
        ("DBParameterGroupNotFound", 404, "", NotFound),
        ("DBSubnetGroupNotFoundFault", 404, "", NotFound),
        ("OptionGroupNotFoundFault", 404, "", NotFound),
        ("CertificateNotFound", 404, "", NotFound),
        ("BackupPolicyNotFoundFault", 404, "", NotFound),
        ("DomainNotFoundFault", 404, "", NotFound),
        ("AuthorizationNotFound", 404, "", NotFound),
        ("DBSecurityGroupNotFound", 404, "", NotFound),
        ("DBClusterNotFoundFault", 404, "", NotFound),
        ("DBInstanceAlreadyExists", 400, "", AlreadyExists),
        ("DBSnapshotAlreadyExists", 400, "", AlreadyExists),
        ("DBClusterAlreadyExistsFault", 400, "", AlreadyExists),
        ("InvalidDBInstanceState", 400, "", InvalidState),
        ("InvalidDBSnapshotState", 400, "", InvalidState),
        (
            "InvalidDBInstanceState",
            400,
            "Instance a is already being deleted.",
            AlreadySo,
        ),
        (
            "InvalidDBInstanceState",
            400,
            "RDS is configuring Enhanced Monitoring or Performance Insights for this DB instance. Try your request later.",
            InvalidState,
        ),
        (
            "InvalidParameterCombination",
            400,
            "RDS is configuring Enhanced Monitoring. Try your request later.",
            InvalidState,
        ),
        (
            "InvalidParameterCombination",
            400,
            "No modifications were requested",
            AlreadySo,
        ),
        (
            "InvalidParameterCombination",
            400,
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            InvalidRequest,
        ),
        (
            "InvalidParameterValue",
            400,
            "The parameter DBInstanceIdentifier is not a valid identifier.",
            InvalidRequest,
        ),
        ("MissingParameter", 400, "", InvalidRequest),
        ("InvalidRestoreFault", 400, "", InvalidRequest),
        ("PointInTimeRestoreNotEnabled", 400, "", InvalidRequest),
        (
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            400,
            "",
            InvalidRequest,
        ),
        ("InvalidSubnet", 400, "", InvalidRequest),
        ("InvalidVPCNetworkStateFault", 400, "", InvalidRequest),
        ("StorageTypeNotSupported", 400, "", InvalidRequest),
        ("InstanceQuotaExceeded", 400, "", Quota),
        ("StorageQuotaExceeded", 400, "", Quota),
        ("SnapshotQuotaExceeded", 400, "", Quota),
        ("DBInstanceAutomatedBackupQuotaExceeded", 400, "", Quota),
        ("TenantDatabaseQuotaExceeded", 400, "", Quota),
        ("InsufficientDBInstanceCapacity", 400, "", Quota),
        ("KMSKeyNotAccessibleFault", 400, "", AccessDenied),
        ("Throttling", 400, "Rate exceeded", Throttled),
        (
            "RequestLimitExceeded",
            503,
            "Request limit exceeded",
            Throttled,
        ),
        ("LimitExceededException", 400, "", Throttled),
        ("AccessDenied", 403, "", AccessDenied),
        ("UnauthorizedOperation", 403, "", AccessDenied),
        ("ExpiredToken", 403, "", Credentials),
        ("InvalidClientTokenId", 403, "", Credentials),
        ("SignatureDoesNotMatch", 403, "", Credentials),
        ("InternalFailure", 500, "", Unreachable),
        (
            "ServiceUnavailable",
            503,
            "Try your request later",
            Unreachable,
        ),
        ("NeverHeardOf", 400, "", InvalidRequest),
        ("NeverHeardOf", 403, "", AccessDenied),
        ("NeverHeardOf", 500, "", Unreachable),
    ] {
        assert_eq!(
            of(Service::Rds, code, status, message),
            expected,
            "{code}: {message}"
        );
    }
}

#[test]
fn codes_of_dms_have_their_kinds() {
    for (code, message, expected) in [
        ("ResourceNotFoundFault", "", NotFound),
        ("com.amazonaws.dms#ResourceNotFoundFault", "", NotFound),
        (
            "ResourceNotFoundFault:http://internal.amazon.com/",
            "",
            NotFound,
        ),
        ("ResourceAlreadyExistsFault", "", AlreadyExists),
        ("InvalidResourceStateFault", "", InvalidState),
        (
            "InvalidResourceStateFault",
            "Endpoint a is already being deleted",
            AlreadySo,
        ),
        ("AccessDeniedFault", "", AccessDenied),
        ("AccessDeniedException", "", AccessDenied),
        ("KMSKeyNotAccessibleFault", "", AccessDenied),
        ("KMSAccessDeniedFault", "", AccessDenied),
        ("KMSDisabledFault", "", AccessDenied),
        ("KMSInvalidStateFault", "", AccessDenied),
        ("KMSNotFoundFault", "", NotFound),
        ("KMSThrottlingFault", "", Throttled),
        ("S3AccessDeniedFault", "", AccessDenied),
        ("S3ResourceNotFoundFault", "", NotFound),
        ("ResourceQuotaExceededFault", "", Quota),
        ("InsufficientResourceCapacityFault", "", Quota),
        (
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            "",
            InvalidRequest,
        ),
        ("InvalidSubnet", "", InvalidRequest),
        ("InvalidParameterValueException", "", InvalidRequest),
        ("InvalidParameterCombinationException", "", InvalidRequest),
        ("ValidationException", "", InvalidRequest),
        ("ThrottlingException", "Rate exceeded", Throttled),
        ("NeverHeardOfFault", "", InvalidRequest),
    ] {
        let kind = of(Service::Dms, code, 400, message);
        assert_eq!(kind, expected, "{code}: {message}");
    }
}

#[test]
fn codes_of_secrets_manager_have_their_kinds() {
    for (code, status, expected) in [
        ("ResourceNotFoundException", 400, NotFound),
        ("InvalidParameterException", 400, InvalidRequest),
        ("InvalidRequestException", 400, InvalidRequest),
        ("ResourceExistsException", 400, AlreadyExists),
        ("LimitExceededException", 400, Quota),
        ("DecryptionFailure", 400, AccessDenied),
        ("EncryptionFailure", 400, AccessDenied),
        ("PreconditionNotMetException", 400, InvalidRequest),
        ("MalformedPolicyDocumentException", 400, InvalidRequest),
        ("InvalidNextTokenException", 400, InvalidRequest),
        ("InternalServiceError", 500, Unreachable),
        ("ThrottlingException", 400, Throttled),
        ("TooManyRequestsException", 429, Throttled),
        ("AccessDeniedException", 400, AccessDenied),
        ("UnrecognizedClientException", 400, Credentials),
        ("ExpiredTokenException", 400, Credentials),
        ("IncompleteSignatureException", 400, Credentials),
        ("MissingAuthenticationTokenException", 400, Credentials),
        ("ValidationException", 400, InvalidRequest),
        ("UnknownOperationException", 404, InvalidRequest),
        ("RequestTimeoutException", 408, Unreachable),
    ] {
        assert_eq!(
            of(Service::SecretsManager, code, status, ""),
            expected,
            "{code}"
        );
    }
}

#[test]
fn the_spelling_of_a_code_does_not_matter() {
    for code in [
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "DBInstanceNotFoundException",
        "com.amazonaws.rds#DBInstanceNotFoundFault",
        "DBInstanceNotFound:http://internal.amazon.com/coral/",
        "com.amazonaws.rds#DBInstanceNotFoundFault:http://internal.amazon.com/coral/",
    ] {
        assert_eq!(of(Service::Rds, code, 400, ""), NotFound, "{code}");
        let error = PortError {
            code: Some(code.to_owned()),
            ..PortError::new(NotFound, "", "")
        };
        assert!(has_code(&error, "DBInstanceNotFound"), "{code}");
        assert!(!has_code(&error, "DBSnapshotNotFound"), "{code}");
    }
}

#[test]
fn an_answer_without_a_code_goes_by_its_status() {
    for (status, expected) in [
        (301, Protocol),
        (400, InvalidRequest),
        (401, Credentials),
        (403, AccessDenied),
        (404, Protocol),
        (408, Unreachable),
        (429, Throttled),
        (500, Unreachable),
        (502, Unreachable),
        (504, Unreachable),
    ] {
        assert_eq!(kind(Service::Rds, None, status, ""), expected, "{status}");
    }
}

#[test]
fn only_a_refusal_was_certainly_not_applied() {
    assert_eq!(sent_by_status(400), Sent::No);
    assert_eq!(sent_by_status(404), Sent::No);
    for status in [200, 301, 500, 503] {
        assert_eq!(sent_by_status(status), Sent::Maybe, "{status}");
    }
}

#[test]
fn causes_are_told_once_and_without_headings() {
    let inner = std::io::Error::other("certificate expired");
    let outer = std::io::Error::new(std::io::ErrorKind::InvalidData, inner);
    let failure: SdkError<std::fmt::Error, HttpResponse> = SdkError::timeout_error(outer);
    assert_eq!(reason(&failure), "certificate expired");
}
