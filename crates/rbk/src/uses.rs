//! The files that a runbook uses: found, read and parsed, each once. What they mean is the check's business.

use crate::files::Files;
use crate::load;
use rbk_core::check::{UseError, Used, Uses};
use rbk_syntax::{Diagnostic, Sources, Span, ast, has_errors};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Reads the files that a runbook uses, and those that they use.
pub fn read(
    files: &Files,
    file: &Path,
    runbook: &ast::Runbook,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Uses {
    let mut reader = Reader {
        files,
        sources,
        diagnostics,
        uses: Uses::default(),
        known: BTreeSet::new(),
        open: vec![(files.identity(file), None)],
    };
    reader.follow(file, &runbook.items);
    reader.uses
}

struct Reader<'a> {
    files: &'a Files,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    uses: Uses,
    /// Files that were read, by their identity.
    known: BTreeSet<PathBuf>,
    /// The files that are being read, the runbook first, and the `use` that led to each.
    open: Vec<(PathBuf, Option<Span>)>,
}

impl Reader<'_> {
    fn follow(&mut self, file: &Path, items: &[ast::Item]) {
        for item in items {
            if let ast::Item::Use(item) = item
                && !item.file.value.is_empty()
            {
                self.file(file, &item.file.value, item.file.span);
            }
        }
    }

    /// Reads a file that `from` uses.
    fn file(&mut self, from: &Path, written: &str, span: Span) {
        let path = from.parent().unwrap_or(Path::new("")).join(written);
        let identity = self.files.identity(&path);
        if let Some(at) = self.open.iter().position(|(open, _)| *open == identity) {
            let through = self.open.iter().skip(at + 1);
            let error = UseError::Circle {
                file: written.to_owned(),
                through: through.filter_map(|(_, span)| *span).collect(),
            };
            self.refuse(&error, span);
            return;
        }
        if !self.known.insert(identity.clone()) {
            return;
        }
        let bytes = match load::bytes(self.files, &path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let error = UseError::Unreadable {
                    file: written.to_owned(),
                    path: path.display().to_string(),
                    reason: error.to_string(),
                };
                self.refuse(&error, span);
                return;
            }
        };
        let (source, text, undecodable) = load::add(self.sources, &path, &bytes);
        if let Some(diagnostic) = undecodable {
            self.uses.incomplete = true;
            self.diagnostics.push(diagnostic.relate(span, "used here"));
            return;
        }
        let parsed = rbk_syntax::parse_used(source, &text);
        self.uses.incomplete |= has_errors(&parsed.diagnostics);
        self.diagnostics.extend(parsed.diagnostics);
        let items = parsed.runbook.map(|runbook| runbook.items);
        let items = items.unwrap_or_default();
        self.open.push((identity, Some(span)));
        self.follow(&path, &items);
        self.open.pop();
        self.uses.files.push(Used { source, items });
    }

    fn refuse(&mut self, error: &UseError, span: Span) {
        self.uses.incomplete = true;
        self.diagnostics.push(error.at(span));
    }
}
