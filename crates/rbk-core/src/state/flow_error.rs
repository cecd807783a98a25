//! What can be wrong with `if`, `parallel`, snapshots and points in time.

use super::error::relate;
use super::schema::Unlike;
use super::schema_error::{SchemaName, warning};
use crate::ids::{ApplicationName, DatabaseName, StepPath};
use rbk_syntax::{Code, Diagnostic, Span};
use thiserror::Error;

/// What can be wrong with `if`, `parallel`, snapshots and points in time.
#[derive(Debug, Clone, Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub(super) enum FlowError {
    #[error("steps `{first}` and `{second}` can't be done together: {what}")]
    Together {
        /// The statement in the second step.
        span: Span,
        /// The one in the first.
        other: Span,
        keyword: Span,
        first: StepPath,
        second: StepPath,
        /// ``both change `target` ``
        what: String,
        /// What the statement in the second step does: ``changes `target` ``
        does: String,
        other_does: String,
    },
    #[error("the ways of this `if` leave `{schema}` different: {}", match .what {
        Unlike::Tables => "its tables are made anew on one of them only",
        Unlike::Types => "columns have another type on one of them only",
        Unlike::Indexes => "indexes are missing on one of them only",
        Unlike::Nulls => "columns may hold NULL on one of them only",
    })]
    WaysDiffer {
        span: Span,
        schema: SchemaName,
        what: Unlike,
        since: Span,
    },
    #[error("`{of}` can't be restored from its own past: a restore makes a new instance")]
    OwnPast { span: Span, of: DatabaseName },
    #[error("there is no `{of}` whose past could be restored")]
    NoSource {
        span: Span,
        of: DatabaseName,
        since: Option<Span>,
    },
    #[error("`{of}` has no past yet: this runbook creates it")]
    NoPast {
        span: Span,
        of: DatabaseName,
        since: Span,
    },
    #[error("`{application}` may still be working on `{database}`")]
    NotLeft {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        since: Span,
    },
    #[error("two snapshots are called `{name}`")]
    SnapshotTwice {
        span: Span,
        name: String,
        since: Span,
    },
    #[error("what was written to `{database}` after its snapshot would be gone")]
    WrittenSinceSnapshot {
        span: Span,
        database: DatabaseName,
        since: Span,
    },
}

impl From<FlowError> for Diagnostic {
    fn from(error: FlowError) -> Self {
        use FlowError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: &str| {
            Diagnostic::error(Code(code), message.clone(), span, label)
        };
        match error {
            E::Together {
                span,
                other,
                keyword,
                second,
                does,
                other_does,
                ..
            } => make("RBK2067", span, &does)
                .relate(other, format!("{other_does} at the same time"))
                .relate(keyword, "done together here")
                .help(format!(
                    "one behind the other: move step \"{second}\" out of the `parallel` and behind it"
                )),
            E::WaysDiffer {
                span,
                schema,
                what,
                since,
            } => {
                let (label, line) = match what {
                    Unlike::Tables => ("made anew here", format!("prove before the way ends that it is what the lock file says: `assert no drift in {}`", schema.database)),
                    Unlike::Types => (
                        "changed here",
                        format!("undo it before the way ends: `restore column types in {schema}`; or change them on both"),
                    ),
                    Unlike::Indexes => (
                        "dropped here",
                        format!("undo it before the way ends: `restore indexes on {schema}`; or drop them on both"),
                    ),
                    Unlike::Nulls => (
                        "relaxed here",
                        format!("undo it before the way ends: `restore not null on {schema}`; or relax them on both"),
                    ),
                };
                make("RBK2068", span, "behind it nobody can tell what is there")
                    .relate(since, label)
                    .help(line)
            }
            E::OwnPast { span, of } => make("RBK2069", span, "onto itself").help(format!(
                "restore into another database of the environment, and switch the application to that one: `restore … from {of} as of latest`"
            )),
            E::NoSource {
                span,
                of,
                since,
            } => relate(
                make("RBK2069", span, "its automated backups are gone with its instance"),
                since,
                "known to be absent since here",
            )
            .help(format!(
                "restore from a snapshot instead: `let snap = latest snapshot of {of}` at the top, and `restore … from snap`"
            )),
            E::NoPast {
                span,
                of,
                since,
            } => make("RBK2069", span, "preflight could prove no time that it can be restored to")
                .relate(since, "created here")
                .help(format!(
                    "go back from the database that `{of}` is made of, or take a snapshot of it: `let snap = snapshot {of}`, then `restore … from snap`"
                )),
            E::NotLeft {
                span,
                database,
                application,
                since,
            } => {
                let line = format!("await {application} has left {database} within 15m");
                make("RBK2070", span, "its sessions would break, with what they are writing")
                    .relate(since, "switched away here, and nobody has looked since")
                    .help(format!("before it: `{line}`"))
                    .fix(
                        Span {
                            end: span.start,
                            ..span
                        },
                        line + "\n  ",
                    )
            }
            E::SnapshotTwice { span, since, .. } => {
                let made = make("RBK2071", span, "RDS would refuse it: names of snapshots are taken once an account and region");
                let made = match span == since {
                    true => made,
                    false => made.relate(since, "the name is taken here"),
                };
                made.help("give it another name; or leave out `as \"…\"`: rbk makes up one that no other has")
            }
            E::WrittenSinceSnapshot {
                span,
                database,
                since,
            } => warning(make("RBK2065", span, "it would be gone for good"))
                .relate(since, "not frozen when this snapshot is taken")
                .help(format!(
                    "freeze it before the snapshot: `freeze writes on {database}`; or keep all of it: `destroy {database} with final snapshot`"
                )),
        }
    }
}
