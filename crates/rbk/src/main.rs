//! The `rbk` command.
mod adapters;
mod cli;
mod drill;
mod exit;
mod render;

fn main() -> std::process::ExitCode {
    use clap::Parser;
    let cli = cli::Cli::parse();
    println!("{cli:?}");
    exit::Exit::Done.into()
}
