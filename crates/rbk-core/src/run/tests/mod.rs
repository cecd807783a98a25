//! Runs against a world in memory: undisturbed, killed anywhere, with every call failing in every way.

mod bench;
mod crash;
mod database;
mod endings;
mod faults;
mod repair;
mod repairs;
mod scenario;
mod undisturbed;
mod waits;
mod world;
