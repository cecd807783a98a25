//! The database port of rbk over tokio-postgres.
//!
//! [`Connector`] logs in (`connect`): over TLS that is always verified against the real host name (`tls`), directly or
//! through a declared command that forwards a local port (`tunnel`). What it hands out is a session (`session`), whose
//! larger pieces each have a room of their own: one value out of one statement (`query`), an environment's checks
//! (`checks`), who else is there (`others`), stopping writes (`freeze`), the catalog (`catalog`), changes of a schema with
//! the marker that proves them (`change`, `marker`) and who stands in their way (`holders`), the migration tool's own
//! tables (`liquibase_tables`), proving foreign keys (`foreign_keys`), sequences (`sequences`). What goes over whole
//! tables of two databases takes several sessions (`worker`): comparing (`compare`) and copying (`copy`). A [`Bridge`] is
//! a local port that takes the same way,
//! for programs that can't. [`inspect`] compares whole databases and works
//! on any client.
//!
//! Invariants:
//! - Nothing ambient is read: neither `PG*` nor `DATABASE_URL` nor a password file.
//! - No error text, at any level, holds a password or a connection string.
//! - Statements that rbk writes itself see `pg_catalog` only, so that nothing in a schema can stand in for what they name.

mod bridge;
mod catalog;
mod change;
mod checks;
mod compare;
mod connect;
mod copy;
mod error;
mod foreign_keys;
mod freeze;
mod holders;
pub mod inspect;
mod liquibase_tables;
mod marker;
mod others;
mod query;
mod relations;
mod sequences;
mod session;
mod tls;
mod tunnel;
mod worker;

pub use bridge::Bridge;
pub use connect::{APPLICATION_NAME, Connector, Limits};
pub use error::SetupError;
