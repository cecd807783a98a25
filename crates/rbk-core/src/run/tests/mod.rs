//! Runs against a world in memory: undisturbed, killed anywhere, with every call failing in every way.

mod bench;
mod crash;
mod endings;
mod faults;
mod scenario;
mod undisturbed;
mod waits;
mod world;
