//! The database port against a real server with TLS and SCRAM.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails, in what its cases share too"
)]

mod beliefs;
mod bridge;
mod catalog;
mod change;
mod checks;
mod compare;
mod copy;
mod errors;
mod explained;
mod foreign_keys;
mod freeze;
mod inspect;
mod liquibase_tables;
mod login;
mod lowered;
mod query;
mod roles;
mod sequences;
mod server;
mod transactions;
mod tunnel;
