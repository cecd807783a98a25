//! Runs the binary that was just built, cut off from the settings of whoever runs the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workspace's root.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .expect("the crate stands in crates/rbk")
        .to_owned()
}

/// `rbk`, in the workspace's root, without a terminal, colour, AWS or Postgres settings.
pub fn rbk(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbk"));
    command
        .args(arguments)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120");
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_")
            || name.starts_with("PG")
            || name.starts_with("RBK_")
            || name == "DATABASE_URL"
        {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// All that a finished process said, for snapshots: exit code, stdout, stderr.
pub fn said(output: &Output) -> String {
    let mut text = format!(
        "exit {}\n",
        output
            .status
            .code()
            .map_or("by a signal".to_owned(), |code| code.to_string())
    );
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("---- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    text
}
