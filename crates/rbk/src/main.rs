//! The `rbk` command: typed runbooks for database recovery. See `cli` for what can be typed, `commands` for what it does.

mod adapters;
mod cli;
mod commands;
mod drill;
mod exit;
mod files;
mod journals;
mod kill_point;
mod load;
mod lock;
mod mend;
mod overlay;
mod pages;
mod panic;
mod perform;
mod render;
mod runbooks;
mod signals;
mod stack;
mod uses;
mod wiring;

fn main() -> std::process::ExitCode {
    panic::install();
    commands::main().into()
}
