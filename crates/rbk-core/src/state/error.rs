//! What can be wrong with the states of a runbook.

use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::{Code, Diagnostic, Severity, Span};
use thiserror::Error;

/// The diagnostics of this pass.
pub const CODES: &[(Code, &str)] = &[
    (
        Code("RBK2001"),
        "a database is used whose state isn't known",
    ),
    (Code("RBK2002"), "a restore onto a database that is there"),
    (
        Code("RBK2003"),
        "a database is used while it is still being created",
    ),
    (
        Code("RBK2004"),
        "a switch to a database that wasn't awaited and logged into",
    ),
    (
        Code("RBK2005"),
        "a switch that gives up data without saying so",
    ),
    (
        Code("RBK2006"),
        "something created is neither kept nor destroyed",
    ),
    (Code("RBK2007"), "something is kept that wasn't created"),
    (
        Code("RBK2008"),
        "a restored database still has its snapshot's password",
    ),
    (
        Code("RBK2009"),
        "a switch away from a database that can still be written to",
    ),
    (
        Code("RBK2010"),
        "an application is left on a frozen database",
    ),
    (Code("RBK2011"), "a thaw of what was never frozen"),
    (
        Code("RBK2012"),
        "a switch while nobody knows which database is active",
    ),
    (
        Code("RBK2013"),
        "a switch to the database that is active already",
    ),
    (
        Code("RBK2014"),
        "a restored database serves and nothing looked at its data",
    ),
    (Code("RBK2015"), "a switch whose effect is never awaited"),
    (
        Code("RBK2016"),
        "new credentials for the database that an application is using",
    ),
    (
        Code("RBK2017"),
        "a wait for an instance that nothing creates",
    ),
    (Code("RBK2018"), "a runbook without a step"),
    (
        Code("RBK2019"),
        "a schema is dropped that an application uses or may use",
    ),
    (
        Code("RBK2020"),
        "a schema is dropped without an `approve` in its step",
    ),
    (Code("RBK2021"), "a schema is recreated twice"),
    (Code("RBK2022"), "a schema without tables is worked on"),
    (
        Code("RBK2023"),
        "a column's type changes under what is made of it",
    ),
    (Code("RBK2024"), "a column gets the type that it has"),
    (
        Code("RBK2025"),
        "something is restored or relaxed that isn't changed",
    ),
    (
        Code("RBK2026"),
        "an index is dropped twice, or made where it stands",
    ),
    (
        Code("RBK2027"),
        "an index is made while its column has another type",
    ),
    (
        Code("RBK2028"),
        "a column is left with another type than the lock file's",
    ),
    (Code("RBK2029"), "an index is left dropped"),
    (Code("RBK2030"), "a column is left without its NOT NULL"),
    (Code("RBK2031"), "a proof is asked for that can't hold"),
    (Code("RBK2032"), "rows are loaded where rows may be"),
    (
        Code("RBK2033"),
        "rows are loaded into a database that an application uses or may use",
    ),
    (
        Code("RBK2034"),
        "the migration tool's own tables are named to be copied",
    ),
    (
        Code("RBK2035"),
        "rows are copied from a database that can be written to",
    ),
    (Code("RBK2036"), "a frozen database is written to"),
    (Code("RBK2037"), "rows are loaded while a slow index stands"),
    (Code("RBK2038"), "sequences are left behind their rows"),
    (Code("RBK2039"), "foreign keys are left unproven"),
    (
        Code("RBK2040"),
        "loaded rows are left without planner statistics",
    ),
    (
        Code("RBK2041"),
        "loaded rows are never compared with where they came from",
    ),
    (
        Code("RBK2042"),
        "sequences are read from another database than the rows",
    ),
    (
        Code("RBK2043"),
        "databases are compared while one can be written to",
    ),
    (
        Code("RBK2044"),
        "nothing proves what a migration or the runbook's own SQL has made",
    ),
    (
        Code("RBK2045"),
        "materialized views are left without the rows that were loaded",
    ),
    (
        Code("RBK2046"),
        "the migration tool takes a recreated schema for migrated",
    ),
    (
        Code("RBK2047"),
        "DMS would load into a column whose type it can't write",
    ),
    (
        Code("RBK2048"),
        "columns are of types that DMS doesn't carry",
    ),
    (Code("RBK2049"), "DMS would cut numbers without a precision"),
    (
        Code("RBK2050"),
        "DMS would load columns whose values Postgres makes itself",
    ),
    (
        Code("RBK2051"),
        "large values come after their row, and the target wants them at once",
    ),
    (
        Code("RBK2052"),
        "large values can't be put to their rows: there is no key for it",
    ),
    (
        Code("RBK2053"),
        "DMS would cut large values, or leave them out",
    ),
    (Code("RBK2054"), "large values come in chunks that can fail"),
    (
        Code("RBK2055"),
        "foreign keys are in the way of a load in any order",
    ),
    (
        Code("RBK2056"),
        "DMS would first destroy what the target's tables are or hold",
    ),
    (
        Code("RBK2057"),
        "a load goes on past what it couldn't write",
    ),
    (Code("RBK2058"), "a replication is never awaited"),
    (
        Code("RBK2059"),
        "loaded rows are used before the load is complete",
    ),
    (
        Code("RBK2060"),
        "a replication is awaited where it needn't be",
    ),
    (
        Code("RBK2061"),
        "a replication is asked for sooner than it can be complete",
    ),
    (
        Code("RBK2062"),
        "a database is destroyed that an application uses or may use",
    ),
    (
        Code("RBK2063"),
        "a database is destroyed without an `approve` in its step",
    ),
    (Code("RBK2064"), "a database is used that was destroyed"),
    (
        Code("RBK2065"),
        "a database is destroyed with what no other is proven to have",
    ),
    (Code("RBK2066"), "writes are kept frozen that aren't frozen"),
    (
        Code("RBK2067"),
        "steps are done together that touch the same",
    ),
    (
        Code("RBK2068"),
        "the ways of an `if` leave a schema different",
    ),
    (
        Code("RBK2069"),
        "a point in time of a database that has no past",
    ),
    (
        Code("RBK2070"),
        "a database is destroyed that its application may still be working on",
    ),
    (Code("RBK2071"), "two snapshots are given the same name"),
];

/// What can be wrong with the states of a runbook.
#[derive(Debug, Clone, Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub(crate) enum StateError {
    #[error("the state of `{database}` isn't known here")]
    NotKnown {
        span: Span,
        database: DatabaseName,
        in_failure: bool,
    },
    #[error("`{database}` is there already")]
    Exists {
        span: Span,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error("`{database}` is what `{application}` uses")]
    RestoreOntoActive {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        since: Option<Span>,
    },
    #[error("`{database}` may still be being created")]
    StillCreating {
        span: Span,
        database: DatabaseName,
        since: Option<Span>,
        in_failure: bool,
    },
    #[error("`{application}` would be switched to `{database}` before {missing}")]
    SwitchTooEarly {
        span: Span,
        application: ApplicationName,
        database: DatabaseName,
        missing: &'static str,
        lines: Vec<String>,
        since: Option<Span>,
    },
    #[error(
        "what was written to `{from}` since its snapshot would be given up without anybody saying so"
    )]
    LossNotSaid {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        /// Whether nothing can be written to it any more.
        frozen: bool,
        since: Option<Span>,
    },
    #[error("`{database}` is created, and neither kept nor destroyed")]
    NotKept { span: Span, database: DatabaseName },
    #[error("`{database}` {} created by this runbook", if *.maybe { "may not be" } else { "wasn't" })]
    KeptNotCreated {
        span: Span,
        database: DatabaseName,
        /// Whether it is created on one way of an `if`.
        maybe: bool,
    },
    #[error("`{database}` still has the password of its snapshot")]
    StaleCredentials {
        span: Span,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error(
        "instances of `{application}` that haven't noticed the switch could go on writing to `{from}`"
    )]
    NotFrozen {
        span: Span,
        application: ApplicationName,
        from: DatabaseName,
        since: Option<Span>,
    },
    #[error("`{application}` couldn't write to `{database}`: its writes are frozen")]
    SwitchToFrozen {
        span: Span,
        application: ApplicationName,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error(
        "where a step fails, `{application}` is left unable to write: `{database}` stays frozen"
    )]
    LeftFrozenOnFailure {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
    },
    #[error("`{application}` {} left unable to write: `{database}` stays frozen", if *.maybe { "may be" } else { "is" })]
    LeftFrozen {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        /// Whether it is thawed on one way of an `if`.
        maybe: bool,
    },
    #[error("nothing froze the writes of `{database}`")]
    NeverFrozen { span: Span, database: DatabaseName },
    #[error("it isn't known which database `{application}` uses")]
    ActiveNotKnown {
        span: Span,
        application: ApplicationName,
        candidate: Option<DatabaseName>,
    },
    #[error("`{application}` uses `{database}` already")]
    SwitchToSame {
        span: Span,
        application: ApplicationName,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error("`{database}` serves, and nothing looked at its data")]
    NeverLookedAt { span: Span, database: DatabaseName },
    #[error("whether `{application}` is well after the switch is never awaited")]
    HealthNotAwaited {
        span: Span,
        application: ApplicationName,
    },
    #[error("`{application}` is using `{database}`, and would be locked out")]
    CredentialsInUse {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        since: Option<Span>,
    },
    #[error("nothing creates `{database}`")]
    NothingCreates {
        span: Span,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error("the runbook has no step")]
    NoSteps { span: Span },
}

impl From<StateError> for Diagnostic {
    fn from(error: StateError) -> Self {
        use StateError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: String| {
            Diagnostic::error(Code(code), message.clone(), span, label)
        };
        match error {
            E::NotKnown { span, in_failure: true, .. } | E::StillCreating { span, in_failure: true, since: None, .. } => {
                make("RBK2001", span, "a step may fail while it isn't available".to_owned()).help(FROM_ANYWHERE)
            }
            E::StillCreating { span, in_failure: true, since: Some(since), .. } => {
                make("RBK2003", span, "a step may fail before it is available".to_owned())
                    .relate(since, "its creation begins here")
                    .help(FROM_ANYWHERE)
            }
            E::NotKnown { span, database, .. } => make("RBK2001", span, format!("needs `{database}` to be available"))
                .help(format!("prove it before anything happens: `require {database} is available` at the top, or say `if reachable` where the statement can")),
            E::Exists { span, database, since } => relate(make("RBK2002", span, "can't be created again".to_owned()), since, "is there since here")
                .help(format!("a restore makes a new instance: restore into another database of the environment, or destroy `{database}` first")),
            E::RestoreOntoActive { span, database, application, since } => {
                relate(make("RBK2002", span, "an instance that is there can't be restored onto".to_owned()), since, format!("`{application}` uses it since here"))
                    .help(format!("restore into another database than `{database}` and switch the application to that one"))
            }
            E::StillCreating { span, database, since, .. } => {
                relate(make("RBK2003", span, "needs it to be available".to_owned()), since, "its creation begins here")
                    .help(format!("wait for it first: `await {database} is available within 60m every 15s`"))
            }
            E::SwitchTooEarly { span, database, lines, since, .. } => {
                relate(make("RBK2004", span, "the secret must not name what nobody has logged into".to_owned()), since, format!("`{database}` last changed here"))
                    .help(format!("before it:\n{}", lines.join("\n")))
            }
            E::LossNotSaid { span, from, to, frozen, since } => {
                let end = Span { start: span.end, ..span };
                let help = match frozen {
                    true => format!("prove before it that `{to}` has all of it, schema by schema: `assert {from}.public matches {to}.public`; or say that it may be lost: add `accepting loss`"),
                    false => "say that it is so: add `accepting loss`".to_owned(),
                };
                relate(make("RBK2005", span, format!("away from `{from}`")), since, format!("`{from}` is the active one since here"))
                    .help(help)
                    .fix(end, " accepting loss")
            }
            E::NotKept { span, database } => make("RBK2006", span, "created here, and billed until somebody finds it".to_owned())
                .help(format!("say that it stays: `keep {database} because \"…\"`")),
            E::KeptNotCreated { span, database, maybe: true } => make("RBK2007", span, "nothing to keep on the other way".to_owned())
                .help(format!("put `keep {database} because \"…\"` where it is created")),
            E::KeptNotCreated { span, database, .. } => make("RBK2007", span, "nothing to keep".to_owned())
                .help(format!("`keep` is for what this runbook created; `{database}` stays anyway")),
            E::StaleCredentials { span, database, since } => {
                relate(make("RBK2008", span, "the login would be refused".to_owned()), since, "restored here")
                    .help(format!("a restored instance has the password of the backup's instant: `set credentials of {database}` first"))
            }
            E::NotFrozen { span, from, since, .. } => {
                relate(make("RBK2009", span, format!("`{from}` is still open")), since, format!("`{from}` was opened here"))
                    .help(format!("before it: `freeze writes on {from} if reachable`"))
            }
            E::SwitchToFrozen { span, database, since, .. } => {
                relate(make("RBK2010", span, "would be read-only for the application".to_owned()), since, "frozen here")
                    .help(format!("before it: `thaw writes on {database}`"))
            }
            E::LeftFrozenOnFailure { span, database, .. } => {
                Diagnostic::warning(Code("RBK2010"), message, span, "frozen here, and `on failure` doesn't thaw it")
                    .help(format!("in `on failure`: `thaw writes on {database} if reachable`"))
            }
            E::LeftFrozen { span, database, maybe, .. } => make("RBK2010", span, if maybe { "frozen here" } else { "frozen here, never thawed" }.to_owned()).help(format!("at the end: `thaw writes on {database}`")),
            E::NeverFrozen { span, database } => {
                let mut diagnostic = make("RBK2011", span, "has nothing to undo".to_owned())
                    .help(format!("remove it, or freeze first: `freeze writes on {database}`"));
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::ActiveNotKnown { span, application, candidate } => {
                let candidate = candidate.map_or("…".to_owned(), |name| name.to_string());
                make("RBK2012", span, "from which database?".to_owned())
                    .help(format!("prove it before anything happens: `require {application} uses {candidate}` at the top"))
            }
            E::SwitchToSame { span, since, .. } => {
                let mut diagnostic = relate(make("RBK2013", span, "changes nothing".to_owned()), since, "since here").help("remove it");
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::NeverLookedAt { span, database } => {
                let mut diagnostic = make("RBK2014", span, "a login proves a server, not its data".to_owned())
                    .help(format!("before the switch: `assert checks of {database} pass`"));
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::HealthNotAwaited { span, application } => {
                let mut diagnostic = make("RBK2015", span, "switched here".to_owned()).help(format!("after it: `await {application} is healthy within 10m`"));
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::CredentialsInUse { span, database, application, since } => {
                relate(make("RBK2016", span, "its password would change under the application".to_owned()), since, format!("`{application}` uses it since here"))
                    .help(format!("switch `{application}` to another database first, or leave `{database}` its credentials"))
            }
            E::NothingCreates { span, since, .. } => {
                relate(make("RBK2017", span, "would wait until the deadline".to_owned()), since, "known to be absent since here")
                    .help("restore it first")
            }
            E::NoSteps { span } => {
                let mut diagnostic = make("RBK2018", span, "checks its preconditions and ends".to_owned()).help("add a step: `step \"Restore\" { … }`");
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
        }
    }
}

pub(super) const FROM_ANYWHERE: &str = "`on failure` begins wherever a step has failed: only what is legal in every such state can stand here, \
                             or what says `if reachable`";

pub(super) fn relate(
    diagnostic: Diagnostic,
    place: Option<Span>,
    text: impl Into<String>,
) -> Diagnostic {
    match place {
        Some(span) => diagnostic.relate(span, text),
        None => diagnostic,
    }
}
