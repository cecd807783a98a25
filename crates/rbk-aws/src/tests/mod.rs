//! The ports over the wire: the real SDK clients against a loopback server that plays a script.

mod dms;
mod identity;
mod logging;
mod permissions;
mod point_in_time;
mod rds;
mod secrets;

mod server;

use crate::{Aws, Options, Pace, connect_at};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use server::{Answer, Server};
use std::time::Duration;

/// Impatient clients of an address, with credentials of their own: no variable and no file of the machine matters.
async fn clients_of(endpoint_url: String) -> Aws {
    connect_at(
        Options {
            region: "eu-central-1".to_owned(),
            endpoint_url: Some(endpoint_url),
            profile: None,
            key: None,
        },
        pace(),
        Some(SharedCredentialsProvider::new(credentials())),
    )
    .await
    .expect("clients")
}

async fn clients(script: impl IntoIterator<Item = Answer>) -> (Aws, Server) {
    let server = Server::start(script).await;
    (clients_of(server.url()).await, server)
}

fn credentials() -> Credentials {
    Credentials::new(
        "AKIDTEST",
        "SECRETTEST",
        Some("SESSIONTOKENTEST".to_owned()),
        None,
        "test",
    )
}

fn pace() -> Pace {
    Pace {
        connect: Duration::from_secs(2),
        read_attempt: Duration::from_secs(2),
        read: Duration::from_secs(10),
        mutation: Duration::from_millis(500),
        read_attempts: 3,
        first_backoff: Duration::from_millis(1),
        longest_backoff: Duration::from_millis(2),
    }
}
