//! The ports that need neither AWS nor Postgres: applications' health, the person at the terminal, and time.

mod clock;
mod commands;
mod health;
mod liquibase;
pub mod person;

pub use clock::SystemClock;
pub use commands::Processes;
pub use health::{HttpHealth, get, is_loopback};
pub use liquibase::Liquibase;
