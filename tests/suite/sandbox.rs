//! A sandbox that `rbk sandbox up` keeps running, for the tests that need one.

use crate::process::rbk;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A running sandbox and a store of its own; both gone when dropped.
pub struct Up {
    child: Child,
    variables: Vec<(String, String)>,
    store: tempfile::TempDir,
}

impl Up {
    /// Starts one, and returns when its `export` lines are there.
    pub fn start(arguments: &[&str]) -> Self {
        let all: Vec<&str> = ["sandbox", "up"].iter().chain(arguments).copied().collect();
        let mut child = rbk(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("rbk starts");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut variables = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("UTF-8");
            if let Some((name, value)) = line
                .strip_prefix("export ")
                .and_then(|rest| rest.split_once('='))
            {
                variables.push((name.to_owned(), value.to_owned()));
            }
            // The last line tells how to reach the database with `psql`.
            if line.starts_with('#') {
                break;
            }
        }
        assert!(
            variables.len() >= 6,
            "the sandbox ended before it was ready: {variables:?}"
        );
        Self {
            child,
            variables,
            store: tempfile::tempdir().expect("a directory"),
        }
    }

    /// `rbk` aimed at the sandbox.
    pub fn rbk(&self, arguments: &[&str]) -> Command {
        let mut command = rbk(arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// The same, about the runs of this test.
    pub fn with_store(&self, arguments: &[&str]) -> Output {
        let store = self.store.path().to_str().expect("UTF-8");
        let all: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--store", store])
            .collect();
        self.rbk(&all).output().expect("rbk starts")
    }

    /// Where the runs of this test are.
    pub fn store(&self) -> PathBuf {
        self.store.path().to_owned()
    }

    /// The runs of this test.
    pub fn runs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store()).expect("the store is there");
        entries
            .map(|entry| entry.expect("readable"))
            .filter(|entry| entry.path().join("journal.jsonl").is_file())
            .map(|entry| entry.file_name().into_string().expect("UTF-8"))
            .collect()
    }

    /// The effects that were applied: operation and target.
    pub fn ledger(&self) -> Vec<(String, String)> {
        let output = self
            .rbk(&["sandbox", "ledger"])
            .output()
            .expect("rbk starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let word =
            |line: &serde_json::Value, key: &str| line[key].as_str().expect("text").to_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("one JSON document a line"))
            .map(|line: serde_json::Value| (word(&line, "operation"), word(&line, "target")))
            .collect()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        interrupt(&self.child);
        let _ = self.child.wait();
    }
}

/// Ctrl-C for another process.
pub fn interrupt(child: &Child) {
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
}
