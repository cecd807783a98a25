//! Where the files of a runbook are read from: the disk, or a revision of the git repository that they are in.
//!
//! A revision is read by the real `git`, file by file; nothing is checked out, no hook runs, nothing is written.

use rbk_core::environment::{
    self, ENVIRONMENTS, EnvironmentFile, LookupError, PROJECT_FILE, Project, Surroundings,
};
use rbk_syntax::SourceId;
use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where files are read from.
#[derive(Debug, Clone)]
pub enum Files {
    /// As they are now.
    Disk,
    /// As they were committed.
    Revision(Revision),
}

impl Files {
    /// A file's bytes, but not much more of them than would be taken.
    pub fn bytes(&self, file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
        match self {
            Files::Disk => from_disk(file, most),
            Files::Revision(revision) => revision.bytes(file, most),
        }
    }

    /// Whether there is no such file. What is there and can't be looked at is told when it is read.
    pub fn is_absent(&self, file: &Path) -> bool {
        let looked = match self {
            Files::Disk => file.metadata().map(|_| ()),
            Files::Revision(revision) => revision.bytes(file, 0).map(|_| ()),
        };
        looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// What tells that two ways lead to one file; a file that isn't there is as it is written.
    pub fn identity(&self, file: &Path) -> PathBuf {
        match self {
            Files::Disk => std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()),
            Files::Revision(_) => real(file),
        }
    }

    /// The environment file that `--env` means for a runbook in `directory`.
    pub fn environment(
        &self,
        env: Option<&str>,
        directory: &Path,
    ) -> Result<EnvironmentFile, LookupError> {
        match self {
            Files::Disk => environment::find(env, directory),
            Files::Revision(revision) => revision.environment(env, directory),
        }
    }
}

fn from_disk(file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file)?;
    opened
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A commit of a repository.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The working tree's folder, without symbolic links.
    top: PathBuf,
    /// The commit, in hex.
    commit: String,
}

/// Why a revision can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// There is no `git` to ask.
    #[error("`git` can't be started: {0}")]
    GitMissing(Error),
    /// The file is in no repository, or in one that git refuses.
    #[error("`{}` is in no git repository: {reason}", folder.display())]
    Outside {
        /// Where was looked.
        folder: PathBuf,
        /// In git's words.
        reason: String,
    },
    /// No such commit.
    #[error("there is no revision `{revision}` in the repository `{}`, and no file of that name", top.display())]
    Unknown {
        /// As it was given.
        revision: String,
        /// The repository.
        top: PathBuf,
        /// Whether only a part of the history was fetched.
        shallow: bool,
    },
}

impl RevisionError {
    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            Self::GitMissing(_) => {
                "install git, or compare with a plan that was saved: `rbk plan FILE --format json > base.json`".to_owned()
            }
            Self::Outside { .. } => {
                "compare with a plan that was saved: `rbk plan FILE --format json > base.json`".to_owned()
            }
            Self::Unknown { shallow: true, .. } => {
                "only a part of the history is here: fetch the rest (`git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout)".to_owned()
            }
            Self::Unknown { .. } => {
                "fetch it (`git fetch origin`), or name another one, for instance `HEAD~1` or `origin/main`".to_owned()
            }
        }
    }
}

impl Revision {
    /// The commit that a revision names in the repository of a file.
    pub fn of(file: &Path, revision: &str) -> Result<Self, RevisionError> {
        let folder = existing(&absolute(file.parent().unwrap_or(Path::new(""))));
        let found =
            git(&folder, &["rev-parse", "--show-toplevel"]).map_err(RevisionError::GitMissing)?;
        if !found.status.success() {
            return Err(RevisionError::Outside {
                folder,
                reason: first_line(&found.stderr),
            });
        }
        let top = PathBuf::from(line(&found.stdout));
        let wanted = format!("{revision}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        let found = git(&top, &arguments).map_err(RevisionError::GitMissing)?;
        let commit = line(&found.stdout);
        if !found.status.success() || commit.is_empty() {
            let shallow = git(&top, &["rev-parse", "--is-shallow-repository"])
                .is_ok_and(|output| line(&output.stdout) == "true");
            return Err(RevisionError::Unknown {
                revision: revision.to_owned(),
                top,
                shallow,
            });
        }
        Ok(Self { top, commit })
    }

    /// The commit, in hex.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// A file as it was committed; one outside of the repository as it is now.
    fn bytes(&self, file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
        let Some(path) = self.path(file)? else {
            return from_disk(file, most.max(1));
        };
        let mut child = command(&self.top)
            .args(["cat-file", "--batch", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A git that went away says so by what it answered.
            let _ = writeln!(stdin, "{}:{path}", self.commit);
        }
        // The answer's first line, the content, and a line break; no more of it is kept than would be taken.
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout
                .take(most.saturating_add(4096))
                .read_to_end(&mut answer)?;
        }
        child.wait()?;
        let end = answer.iter().position(|byte| *byte == b'\n');
        let (first, rest) = answer.split_at(end.unwrap_or(answer.len()));
        let first = String::from_utf8_lossy(first).into_owned();
        let mut words = first.rsplitn(3, ' ');
        let (size, kind) = (words.next(), words.next());
        let size: Option<u64> = size.and_then(|size| size.parse().ok());
        match (kind, size) {
            (Some("blob"), Some(size)) => {
                let wanted = size.min(most.saturating_add(1));
                let content = rest.iter().skip(1).copied();
                Ok(content
                    .take(usize::try_from(wanted).unwrap_or(usize::MAX))
                    .collect())
            }
            (Some("tree"), Some(_)) => Err(Error::new(ErrorKind::IsADirectory, "it is a folder")),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!("it isn't in commit {}", self.short()),
            )),
        }
    }

    fn short(&self) -> &str {
        self.commit.get(..12).unwrap_or(&self.commit)
    }

    /// A file's path in the repository; nothing for one outside of it.
    fn path(&self, file: &Path) -> std::io::Result<Option<String>> {
        let real = real(file);
        let Ok(inside) = real.strip_prefix(&self.top) else {
            return Ok(None);
        };
        match inside.to_str() {
            Some(path) if !path.contains('\n') => Ok(Some(path.to_owned())),
            _ => Err(Error::new(
                ErrorKind::InvalidFilename,
                "git can't be asked for a file of this name",
            )),
        }
    }

    fn environment(
        &self,
        env: Option<&str>,
        directory: &Path,
    ) -> Result<EnvironmentFile, LookupError> {
        let project = match env {
            Some(_) => None,
            None => self.project(&directory.join(PROJECT_FILE))?,
        };
        let folder = directory.join(ENVIRONMENTS);
        let names = self
            .names(&folder)
            .map_err(|error| LookupError::Unreadable {
                path: folder,
                reason: error.to_string(),
            })?;
        let surroundings = Surroundings {
            directory: directory.to_owned(),
            project,
            names,
        };
        surroundings.choose(env)
    }

    fn project(&self, file: &Path) -> Result<Option<Project>, LookupError> {
        let unreadable = |reason: String| LookupError::Unreadable {
            path: file.to_owned(),
            reason,
        };
        let bytes = match self.bytes(file, rbk_syntax::MAX_TEXT as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let text = String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
        match Project::parse(SourceId(0), &text) {
            (Some(project), _) => Ok(Some(project)),
            (None, diagnostics) => Err(LookupError::WrongProject {
                file: rbk_syntax::Source {
                    name: format!("{} in commit {}", file.display(), self.short()),
                    text,
                },
                diagnostics,
            }),
        }
    }

    /// The environments that a folder had.
    fn names(&self, folder: &Path) -> std::io::Result<Vec<String>> {
        let Some(path) = self.path(folder)? else {
            let entries = std::fs::read_dir(folder)?;
            let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
            return Ok(environments(names));
        };
        let tree = format!("{}:{path}", self.commit);
        let output = git(&self.top, &["ls-tree", "-z", "--name-only", &tree])?;
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(environments(
            names.split('\0').map(std::ffi::OsString::from),
        ))
    }
}

fn environments(names: impl Iterator<Item = impl AsRef<OsStr>>) -> Vec<String> {
    let mut names: Vec<String> = names
        .filter_map(|name| environment::environment_name(name.as_ref()))
        .collect();
    names.sort();
    names
}

/// `git`, as if it had been started in a folder: what a hook or a pipeline says of another repository is left out.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    for variable in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
    ] {
        command.env_remove(variable);
    }
    command
        .arg("-C")
        .arg(folder)
        .args(["-c", "core.fsmonitor=false"])
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null());
    command
}

fn git(folder: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    command(folder).args(arguments).output()
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

fn first_line(bytes: &[u8]) -> String {
    let text = line(bytes);
    let first = text.lines().next().unwrap_or("git says nothing");
    first.strip_prefix("fatal: ").unwrap_or(first).to_owned()
}

/// From the root, without `.` and `..`.
fn absolute(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let mut out = PathBuf::new();
    for component in here.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The nearest folder above that is there.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

/// From the root, with symbolic links followed as far as there is something now.
fn real(path: &Path) -> PathBuf {
    let path = absolute(path);
    let folder = path.parent().map_or_else(|| path.clone(), existing);
    let rest = path.strip_prefix(&folder).unwrap_or(Path::new(""));
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    folder.join(rest)
}
