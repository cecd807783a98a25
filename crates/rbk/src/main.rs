//! The `rbk` command.
#![allow(missing_docs)]
fn main() {}
