//! `rbk.toml` beside a runbook, and which environment file a command means.
//!
//! [`find`] looks at the folder; what it finds there, [`Surroundings`], decides as a pure function.

use super::forms;
use super::reader::{Header, Reader};
use rbk_syntax::nearest;
use rbk_syntax::{Code, Diagnostic, Source, SourceId};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the project file.
pub const PROJECT_FILE: &str = "rbk.toml";

/// The folder of the environment files, beside the runbooks.
pub const ENVIRONMENTS: &str = "environments";

/// What `rbk.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The environment that is meant where `--env` doesn't say.
    pub environment: String,
}

impl Project {
    /// Reads the text of a project file. The project is absent where there is an error.
    pub fn parse(source: SourceId, text: &str) -> (Option<Project>, Vec<Diagnostic>) {
        super::load::parse(source, text, |reader: &mut Reader<'_>, document| {
            let mut root = reader.root(document);
            let header = Header::from(&root);
            let environment = reader.formed(root.take("environment"), &forms::ENVIRONMENT);
            reader.finish(root);
            if environment.is_absent() {
                reader.missing(&header, "environment", "environment = \"prod\"");
            }
            environment
                .into_inner()
                .map(|environment| Project { environment })
        })
    }
}

/// An environment file and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The file's stem, for instance `prod`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What stands beside a runbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The runbook's folder.
    pub directory: PathBuf,
    /// Its `rbk.toml`, if there is one.
    pub project: Option<Project>,
    /// The environments there, by name, in order.
    pub names: Vec<String>,
}

impl Surroundings {
    /// The environment file that `--env` means, or `rbk.toml` where it isn't given.
    ///
    /// A path (with a `/` in it, or ending in `.toml`) is taken as it is; whether it exists is for whoever reads it.
    pub fn choose(&self, env: Option<&str>) -> Result<EnvironmentFile, LookupError> {
        if let Some(path) = env.filter(|env| is_path(env)) {
            let path = PathBuf::from(path);
            let stem = path.file_stem().unwrap_or(OsStr::new("")).to_string_lossy();
            return Ok(EnvironmentFile {
                name: stem.into_owned(),
                path,
            });
        }
        let by_default = || self.project.as_ref().map(|project| &*project.environment);
        let Some(name) = env.or_else(by_default) else {
            return Err(LookupError::NoDefault {
                directory: self.directory.clone(),
                names: self.names.clone(),
            });
        };
        if !self.names.iter().any(|known| known == name) {
            return Err(LookupError::NoSuchEnvironment {
                name: name.to_owned(),
                by_default: env.is_none(),
                directory: self.directory.clone(),
                names: self.names.clone(),
            });
        }
        Ok(EnvironmentFile {
            name: name.to_owned(),
            path: self
                .directory
                .join(ENVIRONMENTS)
                .join(format!("{name}.toml")),
        })
    }
}

/// The environment file that `--env` means for a runbook in `directory`.
///
/// Looks only at what it needs: a path needs nothing, a name no `rbk.toml`.
pub fn find(env: Option<&str>, directory: &Path) -> Result<EnvironmentFile, LookupError> {
    let surroundings = if env.is_some_and(is_path) {
        Surroundings::default()
    } else {
        let project = match env {
            Some(_) => None,
            None => read_project(directory)?,
        };
        Surroundings {
            directory: directory.to_owned(),
            project,
            names: read_names(directory)?,
        }
    };
    surroundings.choose(env)
}

fn read_project(directory: &Path) -> Result<Option<Project>, LookupError> {
    let path = directory.join(PROJECT_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LookupError::unreadable(&path, &error)),
    };
    match Project::parse(SourceId(0), &text) {
        (Some(project), _) => Ok(Some(project)),
        (None, diagnostics) => Err(LookupError::WrongProject {
            file: Source {
                name: path.display().to_string(),
                text,
            },
            diagnostics,
        }),
    }
}

/// The environments in the folder beside the runbooks, in order; none where there is no such folder.
fn read_names(directory: &Path) -> Result<Vec<String>, LookupError> {
    let folder = directory.join(ENVIRONMENTS);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LookupError::unreadable(&folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| LookupError::unreadable(&folder, &error))?;
        names.extend(environment_name(&entry.file_name()));
    }
    names.sort();
    Ok(names)
}

/// Why no environment was found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// No file of that name.
    #[error("there is no environment `{name}`{}", if *by_default { ", which `rbk.toml` names" } else { "" })]
    NoSuchEnvironment {
        /// The name.
        name: String,
        /// Whether `rbk.toml` names it, not `--env`.
        by_default: bool,
        /// The runbook's folder.
        directory: PathBuf,
        /// The names that there are.
        names: Vec<String>,
    },
    /// Neither `--env` nor `rbk.toml` says.
    #[error("no environment is named")]
    NoDefault {
        /// The runbook's folder.
        directory: PathBuf,
        /// The names that there are.
        names: Vec<String>,
    },
    /// `rbk.toml` is wrong.
    #[error("`{}` is wrong", file.name)]
    WrongProject {
        /// The file.
        file: Source,
        /// What is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// A file or folder that is there and can't be read.
    #[error("`{}` can't be read: {reason}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// In the operating system's words.
        reason: String,
    },
}

impl LookupError {
    fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    /// Its number.
    pub fn code(&self) -> Code {
        Code(match self {
            Self::NoSuchEnvironment { .. } => "RBK3031",
            Self::NoDefault { .. } => "RBK3032",
            Self::WrongProject { .. } => "RBK3033",
            Self::Unreadable { .. } => "RBK3034",
        })
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            Self::NoSuchEnvironment {
                name,
                directory,
                names,
                ..
            } => {
                let there = list(directory, names);
                match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`? {there}"),
                    None => there,
                }
            }
            Self::NoDefault { directory, names } => {
                let example = names.first().map_or("prod", String::as_str);
                let project = directory.join(PROJECT_FILE);
                let say = format!(
                    "say `--env {example}`, or write `environment = \"{example}\"` into `{}`",
                    project.display()
                );
                if names.is_empty() {
                    let file = directory.join(ENVIRONMENTS).join("prod.toml");
                    format!("describe one in `{}`; then {say}", file.display())
                } else {
                    format!("{say}; {}", list(directory, names))
                }
            }
            Self::WrongProject { .. } => "mend it, or say `--env`".to_owned(),
            Self::Unreadable { .. } => "look at who may read it".to_owned(),
        }
    }
}

/// Whether `--env` gives a path rather than a name.
fn is_path(env: &str) -> bool {
    env.contains(['/', std::path::MAIN_SEPARATOR]) || env.ends_with(".toml")
}

/// The environment that a file in `environments/` describes; lock files describe none.
pub fn environment_name(file: &OsStr) -> Option<String> {
    let name = file.to_str()?.strip_suffix(".toml")?;
    (!name.is_empty() && !name.starts_with('.') && !name.ends_with(".lock"))
        .then(|| name.to_owned())
}

fn list(directory: &Path, names: &[String]) -> String {
    let folder = directory.join(ENVIRONMENTS);
    if names.is_empty() {
        format!("`{}` has none", folder.display())
    } else {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("`{}` has {}", folder.display(), names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(default: Option<&str>) -> Surroundings {
        Surroundings {
            directory: PathBuf::from("runbooks"),
            project: default.map(|environment| Project {
                environment: environment.to_owned(),
            }),
            names: ["parcels", "prod", "stage"].map(str::to_owned).to_vec(),
        }
    }

    #[track_caller]
    fn chosen(default: Option<&str>, env: Option<&str>) -> String {
        match surroundings(default).choose(env) {
            Ok(file) => format!("{} in {}", file.name, file.path.display()),
            Err(error) => told(&error, Path::new("runbooks")),
        }
    }

    #[test]
    fn a_name_is_looked_up_beside_the_runbook() {
        insta::assert_snapshot!(
            chosen(None, Some("stage")),
            @"stage in runbooks/environments/stage.toml"
        );
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        insta::assert_snapshot!(chosen(None, Some("../other/dev.toml")), @"dev in ../other/dev.toml");
        insta::assert_snapshot!(chosen(None, Some("dev.toml")), @"dev in dev.toml");
        insta::assert_snapshot!(chosen(None, Some("./prod")), @"prod in ./prod");
    }

    #[test]
    fn the_project_file_names_the_default() {
        insta::assert_snapshot!(
            chosen(Some("prod"), None),
            @"prod in runbooks/environments/prod.toml"
        );
        insta::assert_snapshot!(
            chosen(Some("prod"), Some("stage")),
            @"stage in runbooks/environments/stage.toml"
        );
    }

    #[test]
    fn an_unknown_name_is_told_with_those_that_exist() {
        insta::assert_snapshot!(chosen(None, Some("prd")));
        insta::assert_snapshot!(chosen(None, Some("sandbox")));
    }

    #[test]
    fn an_unknown_default_is_told_as_such() {
        insta::assert_snapshot!(chosen(Some("production"), None));
    }

    #[test]
    fn nothing_named_is_told_with_what_to_type() {
        insta::assert_snapshot!(chosen(None, None));
    }

    #[test]
    fn lock_files_and_others_are_no_environments() {
        let names: Vec<_> = [
            "prod.toml",
            "prod.lock.toml",
            "README.md",
            ".toml",
            ".old.toml",
        ]
        .into_iter()
        .filter_map(|file| environment_name(OsStr::new(file)))
        .collect();
        assert_eq!(names, ["prod"]);
    }

    #[test]
    fn a_folder_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let runbooks = folder.path();
        let failed = |env| match find(env, runbooks) {
            Ok(file) => panic!("found {file:?}"),
            Err(error) => told(&error, runbooks),
        };
        insta::assert_snapshot!("empty_folder", failed(None));

        std::fs::create_dir(runbooks.join(ENVIRONMENTS)).expect("a folder in it");
        std::fs::write(runbooks.join("environments/stage.toml"), "").expect("a file");
        std::fs::write(runbooks.join("environments/stage.lock.toml"), "").expect("a file");
        std::fs::write(runbooks.join(PROJECT_FILE), "environment = \"stage\"\n").expect("a file");
        let file = find(None, runbooks).expect("rbk.toml names it");
        assert_eq!(file.name, "stage");
        assert!(file.path.is_file());

        std::fs::write(runbooks.join(PROJECT_FILE), "enviroment = \"stage\"\n").expect("a file");
        insta::assert_snapshot!("wrong_project", failed(None));
        find(Some("stage"), runbooks).expect("a name needs no project file");
        find(Some("elsewhere.toml"), runbooks).expect("a path needs nothing");

        std::fs::remove_file(runbooks.join(PROJECT_FILE)).expect("the file");
        std::fs::create_dir(runbooks.join(PROJECT_FILE)).expect("a folder in its place");
        insta::assert_snapshot!("unreadable", failed(None));
    }

    fn told(error: &LookupError, folder: &Path) -> String {
        format!("{} {error}\nhelp: {}", error.code(), error.help())
            .replace(&folder.display().to_string(), "runbooks")
    }

    #[test]
    fn the_shipped_project_file_names_a_shipped_environment() {
        let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks");
        let file = find(None, &runbooks).expect("it names one");
        assert_eq!(file.name, "prod");
        let names = read_names(&runbooks).expect("it is readable");
        assert_eq!(names, ["parcels", "prod", "stage"]);
    }

    #[test]
    fn a_wrong_project_file_is_told_at_its_place() {
        let (project, diagnostics) = Project::parse(SourceId(0), "enviroment = \"stage\"\n");
        assert_eq!(project, None);
        let told: Vec<_> = diagnostics
            .iter()
            .map(|diagnostic| (&*diagnostic.message, diagnostic.help.as_deref()))
            .collect();
        assert_eq!(
            told,
            [(
                "unknown key `enviroment` in the file",
                Some("did you mean `environment`?")
            )]
        );
    }
}
