//! The ports that need neither AWS nor Postgres: applications' health, the person at the terminal, and time.

mod clock;
mod health;
pub mod person;

pub use clock::SystemClock;
pub use health::{HttpHealth, get, is_loopback};
