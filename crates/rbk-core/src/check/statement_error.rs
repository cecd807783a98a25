//! What can be wrong with statements about replications and about what becomes of databases.

use super::error::{list, suggest};
use crate::ids::DatabaseName;
use crate::plan::Figure;
use rbk_syntax::{Code, Diagnostic, Span, near};
use thiserror::Error;

/// What can be wrong with them.
#[derive(Debug, Clone, Error)]
pub(crate) enum StatementError {
    #[error("a replication by DMS needs a name")]
    Unnamed { span: Span },
    #[error("a replication by DMS can't begin in `on failure`")]
    DmsInFailure { span: Span },
    #[error("environment `{environment}` doesn't say where DMS runs")]
    NoDms { span: Span, environment: String },
    #[error("option `{option}` is {}", words(allowed))]
    OptionWord {
        span: Span,
        option: &'static str,
        word: Option<String>,
        allowed: &'static [&'static str],
    },
    #[error("DMS has no capacity of {units} units")]
    Capacity {
        span: Span,
        units: i64,
        nearest: u32,
        allowed: &'static [u32],
    },
    #[error("a replication by DMS has no deadline of its own")]
    DeadlineElsewhere { span: Span },
    #[error("`lob: limited` doesn't say where it cuts")]
    LimitMissing { span: Span },
    #[error("`{of}` has no `{name}`")]
    UnknownQualifier {
        span: Span,
        of: String,
        name: String,
        /// The one that it has; may be empty.
        known: String,
    },
    #[error("`{name}` is a replication; it has no value")]
    NoValue { span: Span, name: String },
    #[error("`{name}` is not known in `on failure`")]
    ReplicationInFailure { span: Span, name: String },
    #[error("a replication has no figure `{figure}`")]
    UnknownFigure {
        span: Span,
        name: String,
        figure: String,
    },
    #[error("`{database}` is protected by the environment")]
    Protected {
        span: Span,
        database: DatabaseName,
        declared: Option<Span>,
    },
    #[error("the removal policy of `{database}` is to retain it")]
    Retained {
        span: Span,
        statement: Span,
        database: DatabaseName,
        declared: Option<Span>,
    },
    #[error("`{id}` can't be the identifier of a new snapshot")]
    SnapshotId { span: Span, id: String },
    #[error("a setting of the stack can't be of type {ty}")]
    SettingType { span: Span, ty: crate::value::Type },
}

impl From<StatementError> for Diagnostic {
    fn from(error: StatementError) -> Self {
        use StatementError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: &str| {
            Diagnostic::error(Code(code), message.clone(), span, label.to_owned())
        };
        let related = |diagnostic: Diagnostic, place: Option<Span>| match place {
            Some(span) => diagnostic.relate(span, "declared here"),
            None => diagnostic,
        };
        match error {
            E::Unnamed { span } => {
                let before = Span { end: span.start, ..span };
                make("RBK1056", span, "could not be awaited")
                    .help("it goes on when the statement is done: give it a name, `let load = replicate …`, and wait for it, `await load is complete within 4h`")
                    .fix(before, "let load = ")
            }
            E::DmsInFailure { span } => make("RBK1056", span, "takes an hour before its first row")
                .help("`on failure` brings back what serves; move rows in a step"),
            E::NoDms { span, .. } => make("RBK1013", span, "where?").help(
                "add to the environment: `[dms]` with `subnet_group = \"…\"` (a replication subnet group of DMS) and `security_groups = [\"sg-…\"]` (which the databases' own let in)",
            ),
            E::OptionWord { span, option, word, allowed } => {
                let diagnostic = make("RBK1051", span, "something else");
                let near = word.as_deref().and_then(|word| near(word, allowed.iter().copied()));
                match (option, near) {
                    (_, Some(near)) => diagnostic.help(format!("did you mean `{}`?", near.word)).fix_spelling(span, near),
                    ("mode", _) => diagnostic.help(
                        "rbk copies from a database whose writes are frozen: there are no changes to follow. Write `mode: full_load`, or leave it out",
                    ),
                    ("transformations", _) => diagnostic.help(
                        "rows arrive in the tables and columns that they come from. Write `transformations: none`, or leave it out",
                    ),
                    (_, None) => diagnostic.help(format!("for instance `{option}: {}`", allowed.first().copied().unwrap_or_default())),
                }
            }
            E::Capacity { span, nearest, allowed, .. } => {
                let allowed: Vec<String> = allowed.iter().map(u32::to_string).collect();
                make("RBK1051", span, "units at most")
                    .help(format!("it has {}; the nearest is {nearest}", allowed.join(", ")))
                    .fix(span, nearest.to_string())
            }
            E::DeadlineElsewhere { span } => make("RBK1051", span, "not an option of it")
                .help("it goes on when the statement is done: the deadline stands where it is waited for, `await load is complete within 4h`")
                .fix(span, ""),
            E::LimitMissing { span } => make("RBK1051", span, "behind how many kB?")
                .help("what is longer is cut: say `lob: limited, max 32kb` if nothing is, else `lob: full`"),
            E::UnknownQualifier { span, known, .. } if known.is_empty() => {
                make("RBK1051", span, "not known").help("nothing is carried: there is nothing to say about it")
            }
            E::UnknownQualifier { span, name, known, .. } => suggest(make("RBK1051", span, "not known"), span, &name, std::slice::from_ref(&known), || {
                format!("it has `{known}`")
            }),
            E::NoValue { span, name } => make("RBK1005", span, "of type replication").help(format!(
                "ask whether it is complete, `{name} is complete`, or for one of its figures: {}",
                figures(&name)
            )),
            E::ReplicationInFailure { span, .. } => make("RBK1001", span, "may never have begun").help(
                "`on failure` runs wherever a step has failed; what DMS still holds then is stopped and removed behind it anyway",
            ),
            E::UnknownFigure { span, name, figure } => {
                let candidates: Vec<String> = Figure::ALL.iter().map(|figure| figure.name().to_owned()).collect();
                suggest(make("RBK1001", span, "not one of its figures"), span, &figure, &candidates, || {
                    format!("its figures are {}", figures(&name))
                })
            }
            E::Protected { span, database, declared } => related(make("RBK1057", span, "stays"), declared).help(format!(
                "is it the right one? If it must go, set `protect = false` in `[databases.{database}]`, have that reviewed, and set it back"
            )),
            E::Retained { span, statement, database, declared } => related(make("RBK1057", span, "nothing would be destroyed"), declared)
                .help(format!(
                    "it stays: `keep {database} because \"…\"`; if it must go all the same, say `with final snapshot` instead"
                ))
                .fix(statement, format!("keep {database} because \"…\"")),
            E::SnapshotId { span, .. } => make("RBK1058", span, "RDS would refuse it").help(
                "1 to 255 letters, digits and hyphens; a letter first, no hyphen last, no two together. Without `as`, rbk makes one up",
            ),
            E::SettingType { span, ty } => make("RBK1005", span, &format!("of type {ty}"))
                .help("a setting is a boolean, an integer or text: `recovery exists`, `secret(recovery)`, `active_secret(app)`"),
        }
    }
}

/// `` `load.tables`, `load.rows` ``
fn figures(name: &str) -> String {
    list(
        &Figure::ALL
            .iter()
            .map(|figure| format!("{name}.{}", figure.name()))
            .collect::<Vec<_>>(),
    )
}

/// `` `a`, `b` or `c` ``
fn words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
