//! How one operation is sent: watched, so that an error can say whether the request left this machine; logged, without
//! its parameters; and with the SDK's own logging switched off, since that prints bodies.

use crate::error;
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rbk_core::ports::{PortError, PortErrorKind, Sent};
use secrecy::SecretString;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// The services that this crate calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Dms,
    Iam,
    Rds,
    SecretsManager,
    Sts,
}

impl Service {
    /// As IAM's actions are prefixed.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Service::Dms => "dms",
            Service::Iam => "iam",
            Service::Rds => "rds",
            Service::SecretsManager => "secretsmanager",
            Service::Sts => "sts",
        }
    }
}

/// One operation, on its way.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    /// As IAM calls it: `DescribeDBInstances`.
    pub(crate) operation: &'static str,
    /// For people: ``describing instance `statistagptdb` ``.
    pub(crate) doing: String,
    /// What its errors must not repeat.
    pub(crate) hidden: Vec<SecretString>,
    watch: Watch,
}

impl Call {
    pub(crate) fn new(service: Service, operation: &'static str, doing: impl Into<String>) -> Self {
        Self {
            service,
            operation,
            doing: doing.into(),
            hidden: Vec::new(),
            watch: Watch::default(),
        }
    }

    /// Names a value that is sent and must not come back in an error.
    pub(crate) fn hiding(mut self, secret: &SecretString) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    /// What has to be among the operation's interceptors.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Sends it.
    pub(crate) async fn run<T, E>(
        &self,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, PortError>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let started = Instant::now();
        let result = sending.with_subscriber(NoSubscriber::default()).await;
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let attempts = self.watch.attempts();
        match result {
            Ok(output) => {
                tracing::debug!(
                    operation = %self.action(),
                    milliseconds,
                    attempts,
                    request_id = output.request_id(),
                    "called"
                );
                Ok(output)
            }
            Err(failure) => {
                let error = error::port_error(self, &failure);
                tracing::debug!(
                    operation = %self.action(),
                    milliseconds,
                    attempts,
                    request_id = error.request_id,
                    kind = ?error.kind,
                    sent = ?error.sent,
                    code = error.code,
                    "call failed"
                );
                Err(error)
            }
        }
    }

    /// The error for a well-formed answer that lacks something. The request was applied, or may have been.
    pub(crate) fn nonsense(&self, message: impl Into<String>) -> PortError {
        PortError {
            sent: Sent::Maybe,
            ..PortError::new(PortErrorKind::Protocol, &self.doing, message)
        }
    }

    /// As IAM calls it: `rds:DescribeDBInstances`.
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.service.prefix(), self.operation)
    }

    /// How far it came: whether any attempt got as far as being handed to the HTTP client.
    pub(crate) fn was_attempted(&self) -> bool {
        self.watch.attempts() > 0
    }

    /// Whether any attempt had a connection, so that its request may have been received.
    pub(crate) fn was_connected(&self) -> bool {
        self.watch.connected()
    }

    /// Where it was sent: `https://rds.eu-central-1.amazonaws.com`.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.watch.seen(|seen| seen.endpoint.clone())
    }
}

/// Sees each attempt on its way out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    attempts: u32,
    endpoint: Option<String>,
    /// Where the HTTP client puts the latest attempt's connection, once it has one.
    capture: Option<CaptureSmithyConnection>,
    /// Whether an earlier attempt had one.
    connected: bool,
}

impl Seen {
    fn connected(&self) -> bool {
        let latest = match &self.capture {
            Some(capture) => capture.get().is_some(),
            // Nobody captures connections: then we can't tell.
            None => self.attempts > 0,
        };
        self.connected || latest
    }
}

impl Watch {
    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn attempts(&self) -> u32 {
        self.seen(|seen| seen.attempts)
    }

    fn connected(&self) -> bool {
        self.seen(|seen| seen.connected())
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "rbk-watch"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let capture = config.load::<CaptureSmithyConnection>().cloned();
        let endpoint = context.request().uri().trim_end_matches('/').to_owned();
        self.seen(|seen| {
            seen.connected = seen.connected();
            seen.attempts += 1;
            seen.endpoint = Some(endpoint);
            seen.capture = capture;
        });
        Ok(())
    }
}
