//! `rbk check FILE…`

use super::unwritten;
use crate::cli::{CheckArgs, CheckFormat};
use crate::exit::{Exit, Failure};
use crate::load::{Given, Loaded, load};
use crate::mend;
use crate::render::colour::Screen;
use crate::render::diagnostics::{self, Finding};
use rbk_syntax::has_errors;
use std::path::PathBuf;

/// How often files are mended and checked again before what is left is told. Each time all is mended that was found, and a
/// mistake hides others only so often.
const MOST_ROUNDS: usize = 50;

/// Checks all files against one environment, and tells everything that was found.
pub fn check(screen: Screen, args: &CheckArgs) -> Result<Exit, Failure> {
    let given = Given::new(&args.set.set)?;
    let load_all = || {
        args.files
            .iter()
            .map(|file| load(screen, file, args.environment.env.as_deref(), &given, None))
            .collect::<Result<Vec<_>, _>>()
    };
    let mut loaded = load_all()?;
    let mut mended = Vec::new();
    if args.fix {
        // What was mended may show what was hidden behind it.
        for _ in 0..MOST_ROUNDS {
            let more = mend::mend(&args.files, &loaded)?;
            if more.is_empty() {
                break;
            }
            mended.extend(more);
            loaded = load_all()?;
        }
    }
    let findings: Vec<Finding<'_>> = loaded.iter().map(Loaded::finding).collect();
    let document = match args.format {
        CheckFormat::Json => Some(diagnostics::json_mended(
            &findings,
            args.fix.then_some(mended.as_slice()),
        )),
        CheckFormat::Sarif => Some(diagnostics::sarif(&findings)),
        CheckFormat::Github => Some(diagnostics::github(&findings)),
        CheckFormat::Compact => Some(diagnostics::compact(&findings)),
        CheckFormat::Human => None,
    };
    if args.format != CheckFormat::Json {
        for mended in &mended {
            screen.say(format_args!("{} {mended}", screen.err.green("✓")));
        }
    }
    match document {
        Some(document) => screen.data(&document).map_err(unwritten)?,
        None => {
            diagnostics::tell(screen, &findings);
            if !args.fix {
                offer(screen, &args.files, &loaded);
            }
            if !findings
                .iter()
                .any(|finding| has_errors(finding.diagnostics))
            {
                for loaded in &loaded {
                    screen.say(format_args!("{} {}", screen.err.green("✓"), loaded.about()));
                }
            }
        }
    }
    let exit = if findings
        .iter()
        .any(|finding| has_errors(finding.diagnostics))
    {
        Exit::Wrong
    } else {
        Exit::Done
    };
    // The process ends here: taking the trees of a long runbook apart first would take a tenth of its time.
    std::mem::forget(loaded);
    Ok(exit)
}

/// Says that something could be mended without anybody having to decide.
fn offer(screen: Screen, files: &[PathBuf], loaded: &[Loaded]) {
    let count = mend::mendable(files, loaded);
    if count > 0 {
        screen.say(format_args!(
            "{count} of them can be mended by `rbk check --fix`"
        ));
    }
}
