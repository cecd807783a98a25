//! The ports that need neither AWS nor Postgres: applications' health, programs, the person at the terminal, and time.

mod child;
mod clock;
mod commands;
#[cfg(test)]
mod dms_tests;
mod health;
pub mod liquibase;
pub mod person;
#[cfg(test)]
mod tests;

pub use clock::SystemClock;
pub use commands::Processes;
pub use health::{HttpHealth, get, is_loopback};
pub use liquibase::Liquibase;
