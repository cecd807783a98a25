//! The whole project from outside: the language through its cases, the command line through the binary that was just
//! built, runs and drills end to end against the sandbox.

mod account;
mod architecture;
mod check;
mod cli;
mod crash;
mod drill;
mod faults;
mod hostile;
mod lang;
mod plan;
mod process;
mod run;
