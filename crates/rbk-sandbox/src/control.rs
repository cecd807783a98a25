//! What isn't AWS: faults, the ledger and the counters, under `/_sandbox/`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, http::request::Parts};
use serde_json::json;

use crate::{
    fault::{Fault, FaultError},
    protocol::Reply,
    world::World,
};

/// Answers a request to the sandbox itself.
pub(crate) fn respond(world: &World, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let path = head.uri.path();
    let reply = match (&head.method, path) {
        (&Method::GET, "/_sandbox/ledger") => document(&world.ledger.effects()),
        (&Method::GET, "/_sandbox/capacity") => document(&world.read(|model| model.dms.capacity())),
        (&Method::GET, "/_sandbox/stats") => document(&world.ledger.stats()),
        (&Method::GET, "/_sandbox/faults") => document(&world.faults.list()),
        (&Method::POST, "/_sandbox/faults") => match plant(world, body) {
            Ok(planted) => Reply::json_document(200, &json!({ "planted": planted })),
            Err(error) => Reply::plain(400, error.to_string()),
        },
        (&Method::DELETE, "/_sandbox/faults") => {
            world.faults.clear();
            Reply::json_document(200, &json!({}))
        }
        (&Method::GET, "/_sandbox/holds") => document(&world.faults.holds()),
        (method, path) => match (method, named(path)) {
            (&Method::DELETE, Some(("holds", name))) => {
                world.faults.release(name);
                Reply::json_document(200, &json!({}))
            }
            (&Method::PUT, Some(("stalls", name))) => stalled(world, name, true),
            (&Method::DELETE, Some(("stalls", name))) => stalled(world, name, false),
            (&Method::PUT, Some(("roles", name))) => {
                world.change(|model| model.dms.roles.insert(name.to_owned()));
                Reply::json_document(200, &json!({}))
            }
            (&Method::DELETE, Some(("roles", name))) => {
                world.change(|model| model.dms.roles.remove(name));
                Reply::json_document(200, &json!({}))
            }
            _ => unknown(),
        },
    };
    reply.response()
}

/// Lets the transaction logs of an instance be stuck, or not any more.
fn stalled(world: &World, instance: &str, stalled: bool) -> Reply {
    let found = world.change(|model| model.stall(instance, stalled));
    match found {
        true => Reply::json_document(200, &json!({})),
        false => Reply::plain(
            404,
            "there is no such instance, or it has no transaction logs",
        ),
    }
}

/// The kind and the name in a path that has both.
fn named(path: &str) -> Option<(&str, &str)> {
    let (kind, name) = path.strip_prefix("/_sandbox/")?.split_once('/')?;
    (!name.is_empty()).then_some((kind, name))
}

fn unknown() -> Reply {
    Reply::plain(
        404,
        "the sandbox answers GET /_sandbox/ledger, GET /_sandbox/stats, GET /_sandbox/capacity, GET|POST|DELETE /_sandbox/faults, GET /_sandbox/holds, DELETE /_sandbox/holds/NAME, PUT|DELETE /_sandbox/roles/NAME, PUT|DELETE /_sandbox/stalls/INSTANCE",
    )
}

fn document(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_value(value) {
        Ok(value) => Reply::json_document(200, &value),
        Err(error) => Reply::plain(500, error.to_string()),
    }
}

/// One fault a line, in their textual form. All of them are good, or none is planted.
fn plant(world: &World, body: &[u8]) -> Result<usize, FaultError> {
    let text = String::from_utf8_lossy(body);
    let faults: Vec<Fault> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let count = faults.len();
    for fault in faults {
        world.faults.plant(fault)?;
    }
    Ok(count)
}
