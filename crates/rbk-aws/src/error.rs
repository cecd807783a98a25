//! What the SDK's errors mean for a run: the kind, by the code on the wire, and whether the request may have been applied.

use crate::call::{Call, Service};
use crate::redact::redact;
use crate::transport::Insecure;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rbk_core::ports::{PortError, PortErrorKind, Sent};
use std::error::Error;

/// Translates an error of the SDK.
pub(crate) fn port_error<E>(call: &Call, failure: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let request_id = failure.request_id().map(str::to_owned);
    let mut error = match failure {
        SdkError::ServiceError(answer) => refused(
            call,
            answer.raw().status().as_u16(),
            answer.err().code(),
            answer.err().message(),
            answer.err(),
        ),
        SdkError::ResponseError(answer) => PortError {
            sent: sent_by_status(answer.raw().status().as_u16()),
            ..unreachable(call, format!("the answer broke off: {}", reason(failure)))
        },
        SdkError::ConstructionFailure(_) => {
            PortError::new(PortErrorKind::InvalidRequest, &call.doing, reason(failure))
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => unanswered(call, failure),
        _ => PortError {
            sent: Sent::Maybe,
            ..PortError::new(PortErrorKind::Protocol, &call.doing, reason(failure))
        },
    };
    error.request_id = request_id;
    error.message = redact(&error.message, &call.hidden);
    error
}

/// There was an answer, and it is an error (or makes no sense).
fn refused(
    call: &Call,
    status: u16,
    code: Option<&str>,
    message: Option<&str>,
    error: &(dyn Error + 'static),
) -> PortError {
    if (200..300).contains(&status) {
        return call.nonsense(format!("the answer can't be read: {}", reason(error)));
    }
    let message = message.map(str::trim).filter(|text| !text.is_empty());
    let kind = kind(call.service, code, status, message.unwrap_or_default());
    let mut text = match (message, code) {
        (Some(message), _) => message.to_owned(),
        (None, Some(code)) => format!("`{code}`, without a message"),
        (None, None) => format!("HTTP status {status}, without a message"),
    };
    match kind {
        PortErrorKind::AccessDenied => {
            let action = call.action();
            // DMS's own fault may speak of the rights of DMS, not of the caller's.
            let is_of_dms = call.service == Service::Dms
                && code.is_some_and(|code| bare(code).ends_with("Fault"));
            if is_of_dms {
                if let Some(advice) = dms_advice(&text) {
                    text = format!("{text} ({advice})");
                }
            } else if !text.contains(&action) {
                text = format!("not allowed to perform {action}: {text}");
            }
        }
        PortErrorKind::Credentials => {
            if let Some(advice) = code.and_then(credentials_advice) {
                text = format!("{text} ({advice})");
            }
        }
        _ => {}
    }
    let sent = match kind {
        // Refused before anything was done, whatever the status.
        PortErrorKind::Throttled => Sent::No,
        // Also where it is a 4xx (`RequestTimeout`): how much of it was received is not known.
        PortErrorKind::Unreachable => Sent::Maybe,
        _ => sent_by_status(status),
    };
    PortError {
        sent,
        code: code.map(|code| bare(code).to_owned()),
        ..PortError::new(kind, &call.doing, text)
    }
}

/// There was no answer.
fn unanswered<E>(call: &Call, failure: &SdkError<E, HttpResponse>) -> PortError
where
    E: Error + 'static,
{
    if let Some(insecure) = find::<Insecure>(failure) {
        return PortError::new(
            PortErrorKind::InvalidRequest,
            &call.doing,
            insecure.to_string(),
        );
    }
    if let Some(tls) = find::<rustls::Error>(failure)
        && !call.was_connected()
    {
        let message = format!("no TLS with {}: {tls}", endpoint(call));
        return PortError::new(PortErrorKind::Tls, &call.doing, message);
    }
    if !call.was_attempted() {
        return unsent(call, failure);
    }
    let sent = if call.was_connected() {
        Sent::Maybe
    } else {
        Sent::No
    };
    let what = match sent {
        Sent::No => "can't be reached",
        Sent::Maybe => "gave no answer",
    };
    PortError {
        sent,
        ..unreachable(
            call,
            format!("{} {what}: {}", endpoint(call), reason(failure)),
        )
    }
}

/// It failed before an attempt was made: nearly always for want of credentials.
fn unsent<E>(call: &Call, failure: &SdkError<E, HttpResponse>) -> PortError
where
    E: Error + 'static,
{
    let reason = reason(failure);
    let (kind, message) = match find::<CredentialsError>(failure) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => (
            PortErrorKind::Credentials,
            format!(
                "no AWS credentials were found ({reason}); name a profile, set `AWS_PROFILE`, or sign in with `aws sso login`"
            ),
        ),
        Some(_) => (
            PortErrorKind::Credentials,
            format!(
                "no AWS credentials could be loaded: {reason} (where they come from SSO, `aws sso login` renews them)"
            ),
        ),
        None if reason.contains("identity resolver timed out") => (
            PortErrorKind::Credentials,
            format!("loading AWS credentials took too long: {reason}"),
        ),
        None if matches!(failure, SdkError::TimeoutError(_)) => {
            (PortErrorKind::Unreachable, reason)
        }
        None => (PortErrorKind::InvalidRequest, reason),
    };
    PortError::new(kind, &call.doing, message)
}

fn unreachable(call: &Call, message: String) -> PortError {
    PortError::new(PortErrorKind::Unreachable, &call.doing, message)
}

fn endpoint(call: &Call) -> String {
    match call.endpoint() {
        Some(endpoint) => format!("`{endpoint}`"),
        None => format!("the endpoint of `{}`", call.service.prefix()),
    }
}

/// A 4xx was refused; after anything else it may have been applied.
fn sent_by_status(status: u16) -> Sent {
    if (400..500).contains(&status) {
        Sent::No
    } else {
        Sent::Maybe
    }
}

/// The code without what JSON services put around it: `namespace#Code:http://…`.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code)
}

/// Whether an error has this code, in whichever of its spellings.
pub(crate) fn has_code(error: &PortError, wanted: &str) -> bool {
    error.code.as_deref().map(root) == Some(wanted)
}

/// The code without `Fault` or `Exception` at its end either.
fn root(code: &str) -> &str {
    let code = bare(code);
    code.strip_suffix("Fault")
        .or_else(|| code.strip_suffix("Exception"))
        .unwrap_or(code)
}

/// The kind, by the code on the wire. `Fault` and `Exception` at its end make no difference: services and their
/// emulators disagree about them. Unknown codes go by the status.
///
/// Sources: the services' models and "Common errors"; CloudFormation's RDS provider and Terraform for the fragments of
/// messages.
fn kind(service: Service, code: Option<&str>, status: u16, message: &str) -> PortErrorKind {
    let root = root(code.unwrap_or_default());
    match root {
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "TooManyRequests"
        | "ProvisionedThroughputExceeded"
        | "TransactionInProgress"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "KMSThrottling"
        | "EC2Throttled" => PortErrorKind::Throttled,
        // Elsewhere it means throttling; here, too many secrets, versions or labels.
        "LimitExceeded" if service == Service::SecretsManager => PortErrorKind::Quota,
        "LimitExceeded" => PortErrorKind::Throttled,

        "ExpiredToken"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "UnrecognizedClient"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "RequestTimeTooSkewed"
        | "MissingAuthenticationToken"
        | "InvalidToken"
        | "AuthFailure" => PortErrorKind::Credentials,

        // A key that may not be used: a person mends its policy, and the run goes on.
        "AccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "UnauthorizedAccess"
        | "OptInRequired"
        | "KMSKeyNotAccessible"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSInvalidState"
        | "S3AccessDenied"
        | "DecryptionFailure"
        | "EncryptionFailure" => PortErrorKind::AccessDenied,

        "InvalidDBInstanceState" | "InvalidResourceState"
            if message.contains("already being deleted") =>
        {
            PortErrorKind::AlreadySo
        }
        "InvalidParameterCombination" if message.contains("No modifications were requested") => {
            PortErrorKind::AlreadySo
        }
        "InvalidParameterCombination" | "InvalidParameterValue"
            if message.contains("your request later") =>
        {
            PortErrorKind::InvalidState
        }
        "InvalidDBInstanceState" | "InvalidDBSnapshotState" | "InvalidResourceState" => {
            PortErrorKind::InvalidState
        }

        // Not `InvalidState`: neither protection nor a missing setting passes by itself.
        "InvalidParameterValue"
        | "InvalidParameterCombination"
        | "MissingParameter"
        | "InvalidParameter"
        | "InvalidRequest"
        | "InvalidRestore"
        | "PointInTimeRestoreNotEnabled"
        | "DBSubnetGroupDoesNotCoverEnoughAZs"
        | "ReplicationSubnetGroupDoesNotCoverEnoughAZs"
        | "InvalidSubnet"
        | "InvalidVPCNetworkState"
        | "StorageTypeNotSupported"
        | "ProvisionedIopsNotAvailableInAZ"
        | "NetworkTypeNotSupported"
        | "VpcEncryptionControlViolation"
        | "PreconditionNotMet"
        | "MalformedPolicyDocument"
        | "InvalidNextToken"
        | "Validation"
        | "ValidationError"
        | "InvalidAction"
        | "InvalidQueryParameter"
        | "MalformedQueryString"
        | "UnknownOperation"
        | "Serialization" => PortErrorKind::InvalidRequest,

        "AuthorizationNotFound" | "ResourceNotFound" => PortErrorKind::NotFound,
        "InsufficientDBInstanceCapacity" | "InsufficientResourceCapacity" => PortErrorKind::Quota,
        "ResourceExists" => PortErrorKind::AlreadyExists,
        _ if root.ends_with("NotFound") => PortErrorKind::NotFound,
        _ if root.ends_with("AlreadyExists") => PortErrorKind::AlreadyExists,
        _ if root.ends_with("QuotaExceeded") => PortErrorKind::Quota,

        "RequestTimeout"
        | "InternalFailure"
        | "InternalError"
        | "InternalService"
        | "InternalServiceError"
        | "InternalServerError"
        | "ServiceUnavailable" => PortErrorKind::Unreachable,
        _ => match status {
            401 => PortErrorKind::Credentials,
            403 => PortErrorKind::AccessDenied,
            404 if root.is_empty() => PortErrorKind::Protocol,
            408 => PortErrorKind::Unreachable,
            429 => PortErrorKind::Throttled,
            400..500 => PortErrorKind::InvalidRequest,
            500.. => PortErrorKind::Unreachable,
            _ => PortErrorKind::Protocol,
        },
    }
}

/// What a person can do about it.
fn credentials_advice(code: &str) -> Option<&'static str> {
    Some(match root(code) {
        "ExpiredToken" | "RequestExpired" => {
            "the credentials have expired: sign in again, with SSO by `aws sso login`"
        }
        "InvalidClientTokenId" | "InvalidAccessKeyId" | "UnrecognizedClient" | "InvalidToken" => {
            "AWS doesn't know this access key: is it the right profile, is the key still active, is the region enabled?"
        }
        "SignatureDoesNotMatch" | "InvalidSignature" | "RequestTimeTooSkewed" => {
            "the secret access key is wrong, or this machine's clock is"
        }
        "MissingAuthenticationToken" | "IncompleteSignature" | "AuthFailure" => {
            "the request wasn't signed as AWS expects it: are the credentials complete?"
        }
        _ => return None,
    })
}

/// What a person can do about rights that DMS itself lacks. Source: "Creating the IAM roles to use with DMS".
fn dms_advice(text: &str) -> Option<&'static str> {
    ["dms-vpc-role", "dms-cloudwatch-logs-role"]
        .iter()
        .any(|role| text.contains(role))
        .then_some(
            "DMS needs roles of precisely these names in the account: `dms-vpc-role`, `dms-cloudwatch-logs-role`",
        )
}

/// All that is said along the chain of causes, without the SDK's own headings.
fn reason(error: &(dyn Error + 'static)) -> String {
    const HEADINGS: &[&str] = &[
        "dispatch failure",
        "request has timed out",
        "response error",
        "service error",
        "failed to construct request",
        "unhandled error",
        "io error",
        "timeout",
        "user error",
        "other",
        "client error (Connect)",
        "client error (SendRequest)",
        "TLS handshake failed",
    ];
    let mut said: Vec<String> = Vec::new();
    for cause in chain(error) {
        let text = cause.to_string();
        let repeats = said.iter().any(|earlier| earlier.contains(&text));
        if !repeats && !HEADINGS.contains(&text.as_str()) {
            said.push(text);
        }
    }
    if said.is_empty() {
        error.to_string()
    } else {
        said.join(": ")
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// The error and its causes. What an `io::Error` carries is skipped by its own `source`.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        match cause.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => cause.source(),
        }
    })
}

#[cfg(test)]
mod tests;
