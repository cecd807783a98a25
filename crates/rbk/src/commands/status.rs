//! `rbk status RUN`

use super::unwritten;
use crate::cli::{Format, StatusArgs};
use crate::exit::{Exit, Failure};
use crate::render::colour::Screen;
use crate::render::{json_text, summary};

/// Tells where a run is, what state everything is in, and what to type next.
pub async fn status(screen: Screen, args: StatusArgs) -> Result<Exit, Failure> {
    let journals = super::runs::journals(screen, &args.environment, &args.store)?;
    let run = journals.find(&args.run).await?;
    let (plan, status) = journals.status(&run).await?;
    let text = match args.format.format {
        Format::Json => json_text(&status),
        Format::Human => summary::status(screen.out, &journals, &plan, &status),
    };
    screen.data(&text).map_err(unwritten)?;
    Ok(Exit::Done)
}
