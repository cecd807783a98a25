//! A panic is a bug in rbk, and is told as one.
//!
//! The process ends at once: to the journal that is a kill like any other. Each effect was recorded before it was sent,
//! so `rbk resume` finds out what became of it.

use crate::exit::Exit;
use std::io::Write;

/// Ends the process with a message and exit code 70 where anything panics, on whatever thread.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        let message = info.payload_as_str().unwrap_or("no message");
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(
            stderr,
            "\nthis is a bug in rbk {}: {message}{place}",
            env!("CARGO_PKG_VERSION")
        );
        let _ = writeln!(
            stderr,
            "  help: report it with this line; a run that was going on is resumed with `rbk resume RUN` (`rbk runs` lists them)"
        );
        std::process::exit(i32::from(Exit::Bug.code()));
    }));
}
