//! Runbook files: found below folders, and written so that there is always a whole one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How runbooks and files of procedures end.
const EXTENSION: &str = "rbk";

/// The runbooks below a folder, in the order of their names. Hidden folders and links to folders are passed by.
///
/// # Errors
///
/// If a folder can't be read: with its path.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let told = |error| (folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(told)?;
            if kind.is_dir() {
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
                && path.is_file()
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Puts a text in the place of a file's, all of it or nothing: into a new file beside it, which takes its name when it is whole and
/// on the disk. Who may read and write the file stays as it was, and a link goes on leading to it. A file that may not be
/// written is refused, although its folder would allow it.
///
/// # Errors
///
/// Whatever the system says; the file is as it was then.
pub fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let permissions = match fs::metadata(file) {
        Ok(old) => Some(old.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
        let reason = "it may only be read";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = file.with_file_name(name);
    let written = File::create(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        if let Some(permissions) = permissions {
            new.set_permissions(permissions)?;
        }
        new.sync_all()
    });
    written
        .and_then(|()| fs::rename(&beside, file))
        .inspect_err(|_| {
            // Nothing more can be done about a file that can't be taken away.
            let _ = fs::remove_file(&beside);
        })
}
