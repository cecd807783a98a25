//! The listener: one loopback port, and the way of a request through faults to its service.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    control, dms,
    fault::{FaultKind, Moment, Rejection},
    iam,
    ledger::Outcome,
    operations::Service,
    protocol::{Credential, Incoming as Parsed, Rejected, Reply, parse},
    rds, secrets, sts,
    world::{Call, World},
};

/// Requests of AWS are small.
const MOST_BYTES: usize = 4 << 20;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(crate) struct Cut;

/// Serves until it is aborted.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let world = Arc::clone(&world);
                    connections.spawn(async move {
                        let service = service_fn(move |request| respond(Arc::clone(&world), request));
                        let connection = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service);
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "a connection ended");
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "a connection couldn't be accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A request is carried out to its end, even if its client goes away.
async fn respond(
    world: Arc<World>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BYTES).collect().await else {
        return Err(Cut);
    };
    let body = body.to_bytes();
    let answered = tokio::spawn(async move {
        if head.uri.path().starts_with("/_sandbox/") {
            return Ok(control::respond(&world, &head, &body));
        }
        if head.method != Method::POST {
            return Ok(Reply::plain(405, "AWS's services are called with POST").response());
        }
        answer(&world, &head.headers, &body).await
    });
    answered.await.unwrap_or(Err(Cut))
}

async fn answer(
    world: &Arc<World>,
    headers: &hyper::HeaderMap,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Cut> {
    let request = match parse(headers, body) {
        Ok(request) => request,
        Err(reply) => return Ok(reply.response()),
    };
    let call = Call {
        service: request.service,
        operation: request.operation.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        client_request: headers
            .get("amz-sdk-invocation-id")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        drawn: world.faults.draw(&request.operation),
    };
    world.faults.wait(&call.drawn, Moment::Before).await;
    let started = Instant::now();
    let outcome = match disturb(world, &call, &request, Moment::Before) {
        Err(Disturbance::Cut) => {
            world
                .ledger
                .count(&call.operation, started.elapsed(), Outcome::Error);
            return Err(Cut);
        }
        Err(Disturbance::Rejected(rejected)) => Err(rejected),
        Ok(()) => perform(world, &call, &request).await,
    };
    let kind = if outcome.is_ok() {
        Outcome::Answer
    } else {
        Outcome::Error
    };
    world.ledger.count(&call.operation, started.elapsed(), kind);
    let outcome = match outcome {
        Err(rejected) => Err(rejected),
        Ok(reply) => {
            world.faults.wait(&call.drawn, Moment::After).await;
            match disturb(world, &call, &request, Moment::After) {
                Ok(()) => Ok(reply),
                Err(Disturbance::Cut) => return Err(Cut),
                Err(Disturbance::Rejected(rejected)) => Err(rejected),
            }
        }
    };
    let reply = outcome.unwrap_or_else(|rejected| Reply::rejected(&call, rejected));
    Ok(reply.with_request_id(&call.request_id).response())
}

enum Disturbance {
    Cut,
    Rejected(Rejected),
}

/// What the planted faults and the credentials say.
fn disturb(
    world: &World,
    call: &Call,
    request: &Parsed,
    moment: Moment,
) -> Result<(), Disturbance> {
    if moment == Moment::Before {
        check_credential(world, call, &request.credential).map_err(Disturbance::Rejected)?;
    }
    for kind in call.drawn.at(moment) {
        let rejected = match kind {
            FaultKind::Cut => return Err(Disturbance::Cut),
            FaultKind::Throttle => Rejected::Throttling,
            FaultKind::InternalFailure => Rejected::InternalFailure,
            FaultKind::ServiceUnavailable => Rejected::ServiceUnavailable,
            FaultKind::AccessDenied => denied(world, call),
            FaultKind::ExpiredToken => Rejected::ExpiredToken,
            FaultKind::InsufficientCapacity => Rejected::InsufficientCapacity,
            FaultKind::Delay(_)
            | FaultKind::Hold(_)
            | FaultKind::StaleRead
            | FaultKind::EndsAs(_)
            | FaultKind::Flap
            | FaultKind::FailsIn { .. }
            | FaultKind::SuspendsTable { .. }
            | FaultKind::LosesTable { .. }
            | FaultKind::Deprovisions => continue,
        };
        return Err(Disturbance::Rejected(rejected));
    }
    Ok(())
}

fn denied(world: &World, call: &Call) -> Rejected {
    Rejected::AccessDenied(format!(
        "User: {} is not authorized to perform: {}:{} because no identity-based policy allows the action",
        sts::caller_arn(world),
        call.service.signing_name(),
        call.operation
    ))
}

/// Any signature is good, if it is for this region and service.
fn check_credential(
    world: &World,
    call: &Call,
    credential: &Option<Credential>,
) -> Result<(), Rejected> {
    let Some(credential) = credential else {
        return Err(Rejected::MissingAuthenticationToken);
    };
    let region = &world.options.region;
    // STS and IAM have global endpoints, which sign for this region.
    let global =
        matches!(call.service, Service::Sts | Service::Iam) && credential.region == "us-east-1";
    if credential.region != *region && !global {
        return Err(Rejected::InvalidSignature(format!(
            "Credential should be scoped to a valid region, not '{}'; this sandbox is {region}.",
            credential.region
        )));
    }
    let service = call.service.signing_name();
    if credential.service != service {
        return Err(Rejected::InvalidSignature(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    match world.faults.rejection(&credential.access_key) {
        None => Ok(()),
        Some(Rejection::Expired) => Err(Rejected::ExpiredToken),
        Some(Rejection::Denied) => Err(denied(world, call)),
    }
}

async fn perform(world: &Arc<World>, call: &Call, request: &Parsed) -> Result<Reply, Rejected> {
    match call.service {
        Service::Iam => {
            let params = rds::query::Params::new(&call.operation, request.parameters.clone());
            let result = iam::handle(world, call, params)?;
            Ok(Reply::xml(iam::NAMESPACE, call, Some(result)))
        }
        Service::Rds => {
            rds::archiving::look(world, &call.operation).await;
            let params = rds::query::Params::new(&call.operation, request.parameters.clone());
            let result = rds::handle(world, call, params)?;
            Ok(Reply::xml(rds::NAMESPACE, call, result))
        }
        Service::Sts => {
            let params = rds::query::Params::new(&call.operation, request.parameters.clone());
            let result = sts::handle(world, call, params)?;
            Ok(Reply::xml(sts::NAMESPACE, call, Some(result)))
        }
        Service::Dms => Ok(Reply::json(&dms::handle(world, call, &request.body)?)),
        Service::SecretsManager => Ok(Reply::json(&secrets::handle(world, call, &request.body)?)),
    }
}

/// Serves one plain answer at a path; used for health checks.
pub(crate) async fn serve_plain<F>(listener: TcpListener, respond: F)
where
    F: Fn(&str) -> Reply + Clone + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let respond = respond.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let response = respond(request.uri().path()).response();
                        async move { Ok::<_, Infallible>(response) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Where a listener is reached.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
