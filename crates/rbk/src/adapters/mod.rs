//! The ports that need neither AWS nor Postgres: applications' health, the person at the terminal, and time.

mod clock;
mod health;
pub mod person;

pub use clock::SystemClock;
pub use health::{HttpHealth, is_loopback};
