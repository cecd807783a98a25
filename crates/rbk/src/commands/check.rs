//! `rbk check FILE…`

use super::unwritten;
use crate::cli::{CheckArgs, CheckFormat};
use crate::exit::{Exit, Failure};
use crate::load::{Given, load};
use crate::render::colour::Screen;
use crate::render::diagnostics::{self, Finding};
use rbk_syntax::has_errors;

/// Checks all files against one environment, and tells everything that was found.
pub fn check(screen: Screen, args: &CheckArgs) -> Result<Exit, Failure> {
    let given = Given::new(&args.set.set)?;
    let loaded = args
        .files
        .iter()
        .map(|file| load(screen, file, args.environment.env.as_deref(), &given, None))
        .collect::<Result<Vec<_>, _>>()?;
    let findings: Vec<Finding<'_>> = loaded.iter().map(crate::load::Loaded::finding).collect();
    let document = match args.format {
        CheckFormat::Json => Some(diagnostics::json(&findings)),
        CheckFormat::Sarif => Some(diagnostics::sarif(&findings)),
        CheckFormat::Github => Some(diagnostics::github(&findings)),
        CheckFormat::Compact => Some(diagnostics::compact(&findings)),
        CheckFormat::Human => None,
    };
    match document {
        Some(document) => screen.data(&document).map_err(unwritten)?,
        None => {
            diagnostics::tell(screen, &findings);
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
