//! The wire: which service and operation a request means, and how answers and errors look there.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    dms::{self, DmsError},
    iam,
    operations::Service,
    rds::{self, RdsError, xml::Xml},
    secrets::SecretsError,
    sts,
    world::Call,
};

/// The prefix of Secrets Manager's `X-Amz-Target`.
const SECRETS_TARGET: &str = "secretsmanager.";

/// A request, before its operation looks at it.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) credential: Option<Credential>,
    /// Of the Query protocol.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Of the JSON protocol.
    pub(crate) body: Vec<u8>,
}

/// What a signature says about its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Finds out what a request means.
pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Incoming, Reply> {
    let credential = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(parse_authorization);
    if let Some(target) = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
    {
        let found = match target.strip_prefix(SECRETS_TARGET) {
            Some(operation) => Some((Service::SecretsManager, operation)),
            None => target
                .strip_prefix(dms::TARGET)
                .map(|operation| (Service::Dms, operation)),
        };
        let Some((service, operation)) = found else {
            let error = SecretsError::UnknownOperation(target.to_owned());
            return Err(Reply::of_secrets(&error));
        };
        return Ok(Incoming {
            service,
            operation: operation.to_owned(),
            credential,
            parameters: BTreeMap::new(),
            body: body.to_vec(),
        });
    }
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let version = parameters.get("Version").map(String::as_str);
    let service = match version {
        Some(rds::API_VERSION) => Service::Rds,
        Some(sts::API_VERSION) => Service::Sts,
        Some(iam::API_VERSION) => Service::Iam,
        _ => {
            let error = RdsError::MalformedQuery(
                "The sandbox answers RDS (Version 2014-10-31), STS (2011-06-15), IAM (2010-05-08), DMS and Secrets Manager (X-Amz-Target).".into(),
            );
            return Err(Reply::of_rds(rds::NAMESPACE, &error, ""));
        }
    };
    let Some(operation) = parameters.get("Action").cloned() else {
        let error = RdsError::MissingParameter("Action".into());
        return Err(Reply::of_rds(rds::NAMESPACE, &error, ""));
    };
    Ok(Incoming {
        service,
        operation,
        credential,
        parameters,
        body: Vec::new(),
    })
}

/// Reads `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn parse_authorization(text: &str) -> Option<Credential> {
    let (_, rest) = text.split_once("Credential=")?;
    let scope = rest.split(',').next()?;
    let mut parts = scope.split('/');
    let access_key = parts.next()?.to_owned();
    let region = parts.nth(1)?.to_owned();
    let service = parts.next()?.to_owned();
    Some(Credential {
        access_key,
        region,
        service,
    })
}

/// A refusal, whatever the service.
#[derive(Debug)]
pub(crate) enum Rejected {
    Throttling,
    InternalFailure,
    ServiceUnavailable,
    AccessDenied(String),
    ExpiredToken,
    InsufficientCapacity,
    InvalidSignature(String),
    MissingAuthenticationToken,
    Rds(RdsError),
    Secrets(SecretsError),
    Dms(DmsError),
}

impl From<RdsError> for Rejected {
    fn from(error: RdsError) -> Self {
        Rejected::Rds(error)
    }
}

impl From<SecretsError> for Rejected {
    fn from(error: SecretsError) -> Self {
        Rejected::Secrets(error)
    }
}

impl From<DmsError> for Rejected {
    fn from(error: DmsError) -> Self {
        Rejected::Dms(error)
    }
}

impl Rejected {
    fn into_rds(self) -> RdsError {
        match self {
            Rejected::Throttling => RdsError::Throttling,
            Rejected::InternalFailure => RdsError::InternalFailure,
            Rejected::ServiceUnavailable => RdsError::ServiceUnavailable,
            Rejected::AccessDenied(text) => RdsError::AccessDenied(text),
            Rejected::ExpiredToken => RdsError::ExpiredToken,
            Rejected::InsufficientCapacity => RdsError::InsufficientCapacity,
            Rejected::InvalidSignature(text) => RdsError::SignatureDoesNotMatch(text),
            Rejected::MissingAuthenticationToken => RdsError::MissingAuthenticationToken,
            Rejected::Rds(error) => error,
            Rejected::Secrets(_) | Rejected::Dms(_) => RdsError::InternalFailure,
        }
    }

    fn into_secrets(self) -> SecretsError {
        match self {
            Rejected::Throttling => SecretsError::Throttling,
            Rejected::ServiceUnavailable => SecretsError::ServiceUnavailable,
            Rejected::AccessDenied(text) => SecretsError::AccessDenied(text),
            Rejected::ExpiredToken => SecretsError::ExpiredToken,
            Rejected::InvalidSignature(text) => SecretsError::InvalidSignature(text),
            Rejected::MissingAuthenticationToken => SecretsError::MissingAuthenticationToken,
            Rejected::Secrets(error) => error,
            Rejected::InternalFailure
            | Rejected::InsufficientCapacity
            | Rejected::Rds(_)
            | Rejected::Dms(_) => SecretsError::InternalFailure,
        }
    }

    fn into_dms(self) -> DmsError {
        match self {
            Rejected::Throttling => DmsError::Throttling,
            Rejected::ServiceUnavailable => DmsError::ServiceUnavailable,
            Rejected::AccessDenied(text) => DmsError::AccessDenied(text),
            Rejected::ExpiredToken => DmsError::ExpiredToken,
            Rejected::InvalidSignature(text) => DmsError::InvalidSignature(text),
            Rejected::MissingAuthenticationToken => DmsError::MissingAuthenticationToken,
            Rejected::Dms(error) => error,
            Rejected::InternalFailure
            | Rejected::InsufficientCapacity
            | Rejected::Rds(_)
            | Rejected::Secrets(_) => DmsError::InternalFailure,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    content_type: &'static str,
    error_type: Option<&'static str>,
    request_id: Option<String>,
    body: String,
}

impl Reply {
    fn new(status: u16, content_type: &'static str, body: String) -> Reply {
        Reply {
            status,
            content_type,
            error_type: None,
            request_id: None,
            body,
        }
    }

    pub(crate) fn plain(status: u16, body: impl Into<String>) -> Reply {
        Reply::new(status, "text/plain; charset=utf-8", body.into())
    }

    pub(crate) fn json_document(status: u16, body: &Value) -> Reply {
        Reply::new(status, "application/json", body.to_string())
    }

    pub(crate) fn json(body: &Value) -> Reply {
        Reply::new(200, "application/x-amz-json-1.1", body.to_string())
    }

    pub(crate) fn xml(namespace: &str, call: &Call, result: Option<Xml>) -> Reply {
        let body = rds::xml::answer(namespace, &call.operation, result, &call.request_id);
        Reply::new(200, "text/xml", body)
    }

    pub(crate) fn rejected(call: &Call, rejected: Rejected) -> Reply {
        match call.service {
            Service::Dms => {
                let error = rejected.into_dms();
                Reply::json_error(error.status(), error.code(), &error.to_string())
            }
            Service::SecretsManager => Reply::of_secrets(&rejected.into_secrets()),
            Service::Rds => Reply::of_rds(rds::NAMESPACE, &rejected.into_rds(), &call.request_id),
            Service::Iam => Reply::of_rds(iam::NAMESPACE, &rejected.into_rds(), &call.request_id),
            Service::Sts => Reply::of_rds(sts::NAMESPACE, &rejected.into_rds(), &call.request_id),
        }
    }

    fn of_rds(namespace: &str, error: &RdsError, request_id: &str) -> Reply {
        let message = error.to_string();
        let body = rds::xml::error(
            namespace,
            error.status(),
            error.code(),
            &message,
            request_id,
        );
        Reply::new(error.status(), "text/xml", body)
    }

    fn of_secrets(error: &SecretsError) -> Reply {
        Reply::json_error(error.status(), error.code(), &error.to_string())
    }

    fn json_error(status: u16, code: &'static str, message: &str) -> Reply {
        let body = json!({ "__type": code, "message": message });
        Reply {
            error_type: Some(code),
            ..Reply::new(status, "application/x-amz-json-1.1", body.to_string())
        }
    }

    pub(crate) fn with_request_id(mut self, id: &str) -> Reply {
        self.request_id = Some(id.to_owned());
        self
    }

    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let mut builder = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, self.content_type);
        if let Some(id) = self.request_id {
            builder = builder.header("x-amzn-requestid", id);
        }
        if let Some(error_type) = self.error_type {
            builder = builder.header("x-amzn-errortype", error_type);
        }
        builder
            .body(Full::new(Bytes::from(self.body)))
            .unwrap_or_else(|error| {
                tracing::error!(%error, "an answer couldn't be made");
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_its_key_region_and_service() {
        let text = "AWS4-HMAC-SHA256 Credential=AKIA/20260102/eu-central-1/rds/aws4_request, SignedHeaders=host, Signature=00";
        assert_eq!(
            parse_authorization(text).unwrap(),
            Credential {
                access_key: "AKIA".into(),
                region: "eu-central-1".into(),
                service: "rds".into(),
            }
        );
        assert_eq!(parse_authorization("Bearer x"), None);
    }
}
