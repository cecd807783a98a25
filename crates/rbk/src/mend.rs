//! Applies the fixes of diagnostics that can only have been meant to the files that were given, and to no others.

use crate::exit::Failure;
use crate::files::Files;
use crate::load::{self, Loaded};
use crate::render::colour::printable;
use crate::runbooks;
use rbk_syntax::{Code, Diagnostic, Fix, Safety, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Something that was mended.
#[derive(Debug, Clone)]
pub struct Mended {
    /// The diagnostic's code.
    pub code: Code,
    /// What was wrong.
    pub message: String,
    /// The file, as it was given.
    pub file: String,
    /// The line in which it was mended, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// What stood there.
    pub written: String,
    /// What stands there now.
    pub replacement: String,
}

impl std::fmt::Display for Mended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (written, replacement) = (printable(&self.written), printable(&self.replacement));
        write!(f, "{}:{}:{} ", self.file, self.line, self.column)?;
        match (written.as_str(), replacement.as_str()) {
            ("", new) => write!(f, "`{new}` is put in"),
            (old, "") => write!(f, "`{old}` is taken out"),
            (old, new) => write!(f, "`{old}` is `{new}` now"),
        }?;
        write!(f, " ({})", self.code)
    }
}

/// Mends once what was found, and returns what that was. Of fixes that overlap, the first is applied; the others may be the next time.
pub fn mend(given: &[PathBuf], loaded: &[Loaded]) -> Result<Vec<Mended>, Failure> {
    let mut mended = Vec::new();
    for (file, edits) in edits(given, loaded) {
        let Some(source) = edits.first().map(|edit| edit.source) else {
            continue;
        };
        let name = &source.name;
        let unwritten = |error| Failure::outside(format!("writing `{name}`: {error}"));
        if load::bytes(&Files::Disk, &file).map_err(unwritten)? != source.text.as_bytes() {
            return Err(
                Failure::outside(format!("`{name}` changed while it was checked"))
                    .help("check it again when it is written"),
            );
        }
        let mut text = String::with_capacity(source.text.len());
        let mut taken = 0;
        for edit in &edits {
            let (start, end) = edit.range();
            text.push_str(source.text.get(taken..start).unwrap_or(""));
            text.push_str(&edit.fix.replacement);
            taken = end;
        }
        text.push_str(source.text.get(taken..).unwrap_or(""));
        runbooks::replace(&file, &text).map_err(unwritten)?;
        mended.extend(edits.iter().map(Edit::mended));
    }
    Ok(mended)
}

/// How many diagnostics would be mended.
pub fn mendable(given: &[PathBuf], loaded: &[Loaded]) -> usize {
    edits(given, loaded).values().map(Vec::len).sum()
}

struct Edit<'l> {
    source: &'l Source,
    diagnostic: &'l Diagnostic,
    fix: &'l Fix,
}

impl Edit<'_> {
    fn range(&self) -> (usize, usize) {
        (self.fix.span.start as usize, self.fix.span.end as usize)
    }

    fn mended(&self) -> Mended {
        let (start, end) = self.range();
        let before = self.source.text.get(..start).unwrap_or("");
        Mended {
            code: self.diagnostic.code,
            message: self.diagnostic.message.clone(),
            file: self.source.name.clone(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or("").chars().count() + 1,
            written: self.source.text.get(start..end).unwrap_or("").to_owned(),
            replacement: self.fix.replacement.clone(),
        }
    }
}

/// The fixes to apply to each of the given files, from its start to its end, none in the way of another.
fn edits<'l>(given: &[PathBuf], loaded: &'l [Loaded]) -> BTreeMap<PathBuf, Vec<Edit<'l>>> {
    let identity = |file: &Path| std::fs::canonicalize(file).ok();
    let given: BTreeSet<PathBuf> = given.iter().filter_map(|file| identity(file)).collect();
    let mut edits: BTreeMap<PathBuf, Vec<Edit<'l>>> = BTreeMap::new();
    for loaded in loaded {
        for diagnostic in &loaded.diagnostics {
            if let Some(fix) = diagnostic
                .fix
                .as_ref()
                .filter(|fix| fix.safety == Safety::Safe)
                && let Some(source) = loaded.sources.get(fix.span.source)
                && let Some(file) = identity(Path::new(&source.name))
                && given.contains(&file)
            {
                edits.entry(file).or_default().push(Edit {
                    source,
                    diagnostic,
                    fix,
                });
            }
        }
    }
    for edits in edits.values_mut() {
        edits.sort_by_key(Edit::range);
        let mut taken = None;
        edits.retain(|edit| {
            let (start, end) = edit.range();
            // Two that put something in at one place are in each other's way, too.
            let is_free = taken.is_none_or(|taken| start > taken);
            if is_free {
                taken = Some(end);
            }
            is_free
        });
    }
    edits
}
