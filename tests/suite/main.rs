//! The whole project from outside: the language through its cases, the command line through the binary that was just
//! built, runs and drills end to end against the sandbox.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod account;
mod architecture;
mod audit;
mod check;
mod cli;
mod crash;
mod deletion;
mod diff;
mod drill;
mod explain;
mod faults;
mod fix;
mod fmt;
mod hostile;
mod lang;
mod migration;
mod new;
mod online;
mod plan;
mod point_in_time;
mod process;
mod pull;
mod rebuild;
mod recovered;
mod reference;
mod repair;
mod replace;
mod review;
mod run;
mod said;
mod saved;
mod stack;
