//! The database port against a real server with TLS and SCRAM.

mod checks;
mod errors;
mod freeze;
mod inspect;
mod login;
mod query;
mod roles;
mod server;
mod tunnel;
