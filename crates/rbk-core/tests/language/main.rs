//! What is said of runbooks with a mistake, and what its fixes make of them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod fixes;
mod mistakes;
mod world;
