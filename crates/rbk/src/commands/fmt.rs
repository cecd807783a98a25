//! `rbk fmt [FILE|DIR…]`

use super::unwritten;
use crate::cli::FmtArgs;
use crate::exit::{Exit, Failure};
use crate::files::Files;
use crate::load;
use crate::render::colour::Screen;
use crate::render::diagnostics::{self, Finding};
use crate::runbooks;
use rbk_syntax::{Diagnostic, FormatError, MAX_TEXT, Sources};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// How stdin is called among the files.
const STDIN: &str = "-";

/// How stdin is called in what is told.
const STDIN_NAME: &str = "<stdin>";

/// Lays out files in their place, or stdin onto stdout.
pub fn fmt(screen: Screen, args: &FmtArgs) -> Result<Exit, Failure> {
    let is_stdin = |file: &PathBuf| file.as_os_str() == STDIN;
    if args.files.is_empty() && std::io::stdin().is_terminal() {
        return Err(Failure::usage("no file is given")
            .help("name the runbooks or their folder, for instance `rbk fmt runbooks`; `rbk fmt -` reads stdin"));
    }
    if args.files.is_empty() || args.files.iter().any(is_stdin) {
        if args.files.len() > 1 {
            return Err(
                Failure::usage("`-` stands for stdin, and other files are given as well")
                    .help("give either files or `-`"),
            );
        }
        return stdin(screen, args);
    }
    in_place(screen, args)
}

/// What became of a file.
enum Outcome {
    /// It is laid out already.
    Same,
    /// It would be, or was, written anew.
    Changed,
    /// It has errors.
    Wrong,
}

fn in_place(screen: Screen, args: &FmtArgs) -> Result<Exit, Failure> {
    let files = all(&args.files)?;
    let (mut changed, mut wrong) = (0_usize, 0_usize);
    let mut told = Vec::new();
    for file in &files {
        let bytes = load::bytes(&Files::Disk, file)
            .map_err(|error| Failure::wrong(format!("reading `{}`: {error}", file.display())))?;
        match one(screen, args, file, &bytes, &mut told)? {
            Outcome::Same => {}
            Outcome::Changed => changed += 1,
            Outcome::Wrong => wrong += 1,
        }
    }
    tell(screen, &told);
    let only_looks = args.check || args.diff;
    let count = |count: usize| format!("{count} file{}", if count == 1 { "" } else { "s" });
    let tick = screen.err.green("✓");
    match (changed, wrong) {
        (0, 0) => screen.say(format_args!(
            "{tick} {} laid out already",
            count(files.len())
        )),
        (0, _) => {}
        _ if only_looks => screen.say(format_args!(
            "{} would be laid out anew: `rbk fmt` does it",
            count(changed)
        )),
        _ => {}
    }
    Ok(if wrong > 0 || only_looks && changed > 0 {
        Exit::Wrong
    } else {
        Exit::Done
    })
}

/// Lays out one file, as far as the arguments want it.
fn one(
    screen: Screen,
    args: &FmtArgs,
    file: &Path,
    bytes: &[u8],
    told: &mut Vec<(Sources, Vec<Diagnostic>)>,
) -> Result<Outcome, Failure> {
    let (text, formatted) = match formatted(file, bytes)? {
        Ok(both) => both,
        Err(wrong) => {
            told.push(wrong);
            return Ok(Outcome::Wrong);
        }
    };
    if text == formatted {
        return Ok(Outcome::Same);
    }
    let name = file.display();
    if args.diff {
        screen
            .data(&diff(&name.to_string(), &text, &formatted))
            .map_err(unwritten)?;
    } else if args.check {
        screen.data(&format!("{name}\n")).map_err(unwritten)?;
    } else {
        runbooks::replace(file, &formatted)
            .map_err(|error| Failure::outside(format!("writing `{name}`: {error}")))?;
        screen.say(format_args!("{} {name} is laid out", screen.err.green("✓")));
    }
    Ok(Outcome::Changed)
}

fn stdin(screen: Screen, args: &FmtArgs) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_TEXT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::outside(format!("reading stdin: {error}")))?;
    let (text, formatted) = match formatted(Path::new(STDIN_NAME), &bytes)? {
        Ok(both) => both,
        Err(wrong) => {
            tell(screen, &[wrong]);
            return Ok(Exit::Wrong);
        }
    };
    let only_looks = args.check || args.diff;
    let shown = match (text == formatted, args.diff) {
        (true, _) if only_looks => return Ok(Exit::Done),
        (false, true) => diff(STDIN_NAME, &text, &formatted),
        (false, false) if args.check => format!("{STDIN_NAME}\n"),
        _ => formatted,
    };
    screen.data(&shown).map_err(unwritten)?;
    Ok(if only_looks { Exit::Wrong } else { Exit::Done })
}

/// The files, and those below the folders among them; each once.
fn all(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut known = BTreeSet::new();
    let mut files = Vec::new();
    for path in given {
        let found = if path.is_dir() {
            runbooks::below(path).map_err(|(folder, error)| {
                Failure::wrong(format!(
                    "reading the folder `{}`: {error}",
                    folder.display()
                ))
            })?
        } else {
            vec![path.clone()]
        };
        if found.is_empty() {
            return Err(
                Failure::wrong(format!("there is no runbook below `{}`", path.display()))
                    .help("a runbook's file ends in `.rbk`"),
            );
        }
        for file in found {
            // One file that two ways lead to is written once. One that isn't there is told when it is read.
            let identity = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if known.insert(identity) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// A text and how it is laid out, or what is wrong with it.
type Formatted = Result<(String, String), (Sources, Vec<Diagnostic>)>;

fn formatted(file: &Path, bytes: &[u8]) -> Result<Formatted, Failure> {
    let mut sources = Sources::default();
    let (source, text, undecodable) = load::add(&mut sources, file, bytes);
    if let Some(diagnostic) = undecodable {
        return Ok(Err((sources, vec![diagnostic])));
    }
    match rbk_syntax::format(source, &text) {
        Ok(formatted) => Ok(Ok((text, formatted))),
        Err(FormatError::Syntax(diagnostics)) => Ok(Err((sources, diagnostics))),
        Err(error @ FormatError::Unfaithful) => {
            let message = format!("laying out `{}`: {error}", file.display());
            Err(Failure::new(Exit::Bug, message)
                .help("the file is as it was; report it, with the file if you may"))
        }
    }
}

fn tell(screen: Screen, wrong: &[(Sources, Vec<Diagnostic>)]) {
    let findings: Vec<Finding<'_>> = wrong
        .iter()
        .map(|(sources, diagnostics)| Finding {
            sources,
            diagnostics,
        })
        .collect();
    diagnostics::tell(screen, &findings);
}

/// The difference of two texts, as `patch` reads it.
fn diff(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(name, name)
        .to_string()
}
