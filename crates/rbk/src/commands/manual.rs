//! `rbk completions` and `rbk man`: what shells and `man` know of the command line, made from the command line itself.

use super::unwritten;
use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::{Exit, Failure};
use crate::render::colour::Screen;
use clap::{Command, CommandFactory};
use std::path::Path;

/// Prints the completions of a shell.
pub fn completions(screen: Screen, args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rbk", &mut bytes);
    screen
        .data(&String::from_utf8_lossy(&bytes))
        .map_err(unwritten)?;
    Ok(Exit::Done)
}

/// Prints `rbk.1`, or writes the pages of all commands into a folder.
pub fn man(screen: Screen, args: &ManArgs) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    // Gives each subcommand its full name, `rbk env pull`.
    command.build();
    let Some(folder) = &args.folder else {
        let page = page(command)?;
        screen
            .data(&String::from_utf8_lossy(&page))
            .map_err(unwritten)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let mut written = 0_usize;
    write(&command, folder, &mut written)?;
    screen.say(format_args!(
        "{} {written} pages are in {}",
        screen.err.green("✓"),
        folder.display()
    ));
    Ok(Exit::Done)
}

/// The page of a command, and those of its subcommands.
fn write(command: &Command, folder: &Path, written: &mut usize) -> Result<(), Failure> {
    let name = full_name(command);
    let path = folder.join(format!("{name}.1"));
    let page = page(command.clone())?;
    std::fs::write(&path, page).map_err(|error| unwritable(&path, &error))?;
    *written += 1;
    let subcommands = command.get_subcommands();
    for subcommand in subcommands.filter(|subcommand| !subcommand.is_hide_set()) {
        write(subcommand, folder, written)?;
    }
    Ok(())
}

/// `rbk-env-pull`
fn full_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(unwritten)?;
    Ok(page)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::outside(format!("writing {}: {error}", path.display()))
}
