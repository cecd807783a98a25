//! A throw-away AWS account with real PostgreSQL clusters.
//!
//! A [`Sandbox`] is one loopback HTTP listener that speaks RDS, DMS serverless, Secrets Manager and
//! STS, so that the AWS SDKs, `aws` and `boto3` talk to it unchanged through `AWS_ENDPOINT_URL`. Each
//! instance is a real cluster, each snapshot a real base backup, a restore really starts a server
//! from it, with RDS's defaults, and a replication moves real rows.
//!
//! ```no_run
//! use rbk_sandbox::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
//!
//! # async fn example() -> Result<(), rbk_sandbox::SandboxError> {
//! let sandbox = Sandbox::start(Options::default(), |step| println!("{step}")).await?;
//! sandbox.declare_security_group(SecurityGroupBlueprint {
//!     id: "sg-db".into(),
//!     admits: vec!["127.0.0.1".parse().expect("an address")],
//! });
//! let mut blueprint = InstanceBlueprint::new("orders", "shop", "postgres", "s3cret-pass".into());
//! blueprint.security_groups = vec!["sg-db".into()];
//! blueprint.extensions = vec!["vector".into()];
//! sandbox.create_instance(blueprint).await?;
//! sandbox.superuser("orders", "shop").await?;
//! let snapshot = sandbox.take_automated_snapshot("orders").await?;
//! println!("AWS_ENDPOINT_URL={}, restore {}", sandbox.endpoint_url(), snapshot.id);
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Finding the way
//!
//! - [`Sandbox`] (`sandbox.rs`): starting, furnishing, disturbing, shutting down; `watchdog.rs`
//!   cleans up even after `kill -9`.
//! - `server.rs` takes a request, `protocol.rs` finds out what it means, `rds/`, `dms/`, `secrets/`
//!   and `sts.rs` answer it. Another service is another folder, a line in `operations.rs` and an arm in
//!   `server.rs`.
//! - `model.rs` is the account as plain data; `world.rs` holds it together with the running
//!   clusters. All mutations of clients go through `World::apply`, which writes the ledger.
//! - `cluster/` is PostgreSQL: template, server, TLS front with security groups, base backups.
//!   `postgres/` finds or fetches the programs; `liquibase.rs` does the same for the migration tool of drills.
//! - [`Fault`] (`fault/`) and the ledger ([`Effect`]) are for tests of crash safety.
//! - `dms/` answers DMS and lets replications go through their states; `dms/load/` moves the rows, and knows nothing
//!   of requests. [`Sandbox::provisioned_capacity`] tells what is billed.
//!
//! *Invariants*: a client sees the master user only, never a superuser; nothing outside the
//! sandbox's directory and the cache is written; a secret's value is in no log, ledger or process
//! argument; no crate of the workspace is a dependency.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod application;
mod cluster;
mod control;
mod dms;
mod error;
mod fault;
mod iam;
mod ledger;
mod liquibase;
mod model;
mod operations;
mod options;
mod postgres;
mod protocol;
mod rds;
mod sandbox;
mod secrets;
mod server;
mod sts;
mod traffic;
mod watchdog;
mod world;

pub use application::{ActiveSecret, ApplicationAddress, ApplicationBlueprint, ToldSecret};
pub use cluster::{ClusterError, template::TemplateError, tls::TlsError};
pub use dms::{DmsError, ProvisionedCapacity};
pub use error::SandboxError;
pub use fault::{
    Calls, Fault, FaultError, FaultKind, Moment, OperationFault, Rejection, ReplicationPhase,
    TerminalState,
};
pub use ledger::{Effect, OperationStats, Stats};
pub use liquibase::{LIQUIBASE_VERSION, LiquibaseError, liquibase};
pub use options::{
    DEFAULT_SECURITY_GROUP, DEFAULT_VPC, DmsSubnetGroupBlueprint, InstanceAddress,
    InstanceBlueprint, Loss, Options, Pace, ParameterGroupBlueprint, Progress,
    SecurityGroupBlueprint, SnapshotEntry, SnapshotInfo, SubnetBlueprint, SubnetGroupBlueprint,
};
pub use postgres::{
    CACHE_VARIABLE, OLDEST_MAJOR, POSTGRES_BIN_VARIABLE, PostgresError, ProgramError, Unfit,
};
pub use rds::RdsError;
pub use sandbox::Sandbox;
pub use secrets::SecretsError;
/// The client type of [`Sandbox::superuser`].
pub use tokio_postgres;
pub use traffic::{Interruption, Log, Traffic, Write};
