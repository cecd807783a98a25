//! The rehearsal: the same runbooks and environment against a sandbox with real Postgres.
//!
//! `seed` fills a sandbox whose `account` is as the environment describes it, `instant` notes the last good instant where one is restored, `disaster` breaks it, `rehearsal` runs the runbooks one
//! after the other by the very path of `rbk run`, `compare` looks at the rows that the application has now and that were copied,
//! `application` at those that it was promised meanwhile, `proof` at everything else of those databases, `leftovers` at what is
//! left in the account, and `report` says it.

pub mod account;
pub mod application;
pub mod compare;
pub mod disaster;
pub mod instant;
pub mod leftovers;
pub mod proof;
pub mod rehearsal;
pub mod report;
pub mod seed;

use crate::exit::Failure;
use rbk_sandbox::SandboxError;
use rbk_sandbox::tokio_postgres;

/// A sandbox that didn't do what it was asked for.
pub fn sandbox_failed(error: SandboxError) -> Failure {
    match error {
        SandboxError::Fault(error) => Failure::usage(format!("--fault: {error}")),
        error => Failure::outside(format!("the sandbox: {}", with_causes(&error))),
    }
}

/// A statement of the drill's own that failed.
pub fn sql_failed(doing: impl std::fmt::Display) -> impl FnOnce(tokio_postgres::Error) -> Failure {
    move |error| Failure::outside(format!("{doing}: {}", with_causes(&error)))
}

/// An error and what caused it, as far as the error doesn't say that itself.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}
