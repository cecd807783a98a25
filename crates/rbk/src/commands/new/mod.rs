//! `rbk new`: a runbook or an environment to begin with. Nothing that is there is ever written over.

mod environment;
mod runbook;

pub use environment::{TO_FILL_IN, environment};
pub use runbook::runbook;

use crate::exit::Failure;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a file that must not be there yet, with the folders that lead to it.
fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let failure = Failure::outside(format!("writing {}: {error}", path.display()));
        match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage(format!("{} is there already", path.display()))
                    .help("name another file: nothing is written over")
            }
            _ => failure,
        }
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
