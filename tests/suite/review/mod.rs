//! The review of a pull request: what a change does, as documents, annotations and comments.

mod action;
mod changes;
mod findings;
mod schemas;

use crate::process::{rbk, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Refused where the original is protected.
const NOT_FOR_PROD: &str = "runbooks/replace-original.rbk";

/// A git repository with the shipped runbooks in it, committed.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let it = Self(tempfile::tempdir().expect("a folder"));
        copy(&root().join("runbooks"), &it.path("runbooks"));
        std::fs::remove_file(it.path(NOT_FOR_PROD)).expect("it was there");
        it.git(&["init", "--quiet", "--initial-branch=main"]);
        it.commit("The runbooks");
        it
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it is there")
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    /// Replaces what must be there.
    #[track_caller]
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` isn't in {name}");
        self.write(name, text.replace(from, to));
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let output = git(self.0.path())
            .args(arguments)
            .output()
            .expect("git starts");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    /// rbk, started in the repository's folder.
    fn rbk(&self, arguments: &[&str]) -> Output {
        rbk(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("rbk starts")
    }
}

/// git without the settings of whoever runs the tests.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    for (name, value) in [("NAME", "A"), ("EMAIL", "a@example.com")] {
        command
            .env(format!("GIT_AUTHOR_{name}"), value)
            .env(format!("GIT_COMMITTER_{name}"), value);
    }
    command
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

/// The shipped runbooks that are right for `prod`, from the workspace's root.
fn shipped() -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(root().join("runbooks"))
        .expect("runbooks/ is there")
        .map(|entry| entry.expect("readable").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".rbk"))
        .map(|name| format!("runbooks/{name}"))
        .filter(|name| name != NOT_FOR_PROD)
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}
