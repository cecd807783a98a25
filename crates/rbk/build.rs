//! Builds the pages of the diagnostics, `docs/diagnostics/RBKnnnn.md`, into the program: whatever is in the folder, no list kept by hand.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let folder = manifest.join("../../docs/diagnostics").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        files.push(entry?.path());
    }
    files.sort();
    let mut code = String::from("pub const PAGES: &[(&str, &str)] = &[\n");
    for file in &files {
        if let Some(number) = number(file) {
            writeln!(code, "    ({number:?}, include_str!({file:?})),")?;
        }
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("pages.rs"), code)?;
    Ok(())
}

/// `RBK2004` of `…/RBK2004.md`.
fn number(file: &Path) -> Option<&str> {
    let stem = file.file_stem()?.to_str()?;
    (stem.starts_with("RBK") && file.extension()? == "md").then_some(stem)
}
