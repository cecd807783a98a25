//! Loads between real databases: what arrives, what doesn't, and what is said about it.

mod beliefs;
mod bench;
mod errors;
mod lobs;
mod sessions;
mod tables;
