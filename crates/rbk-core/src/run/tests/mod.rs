//! Runs against a world in memory: undisturbed, killed anywhere, with every call failing in every way.

mod backups;
mod bench;
mod crash;
mod database;
mod dms;
mod endings;
mod faults;
mod lanes;
mod once;
mod online;
mod removals;
mod repair;
mod repairs;
mod replicate;
mod replications;
mod scenario;
mod undisturbed;
mod waits;
mod world;

pub(crate) use scenario::quick_recovery;
