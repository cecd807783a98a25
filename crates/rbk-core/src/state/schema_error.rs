//! What can be wrong with the states of schemas and their rows.

use super::error::relate;
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::{Code, Diagnostic, Severity, Span};
use thiserror::Error;

/// `broken.public`
#[derive(Debug, Clone, Error)]
#[error("{database}.{schema}")]
pub(crate) struct SchemaName {
    pub(crate) database: DatabaseName,
    pub(crate) schema: String,
}

/// Where a schema must be whole.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// An application is switched to its database.
    Switch {
        span: Span,
        application: ApplicationName,
    },
    /// The runbook ends.
    End,
}

/// What can be wrong with the states of schemas and their rows.
#[derive(Debug, Clone, Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub(crate) enum SchemaError {
    #[error("`{application}` {} `{}`", if *.certain { "uses" } else { "may use" }, .schema.database)]
    DroppedInUse {
        span: Span,
        schema: SchemaName,
        application: ApplicationName,
        since: Option<Span>,
        certain: bool,
        other: Option<DatabaseName>,
    },
    #[error("`{application}` {} `{database}`", if *.certain { "uses" } else { "may use" })]
    LoadedInUse {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        since: Option<Span>,
        certain: bool,
        other: Option<DatabaseName>,
    },
    #[error("everything in `{schema}` would be dropped without anybody saying yes")]
    NotApproved { span: Span, schema: SchemaName },
    #[error("`{schema}` has been recreated already")]
    RecreatedTwice {
        span: Span,
        schema: SchemaName,
        since: Option<Span>,
    },
    #[error("`{schema}` has no tables here")]
    NoTables {
        span: Span,
        schema: SchemaName,
        since: Option<Span>,
    },
    #[error("{} made for the type that would change", names_are(.indexes))]
    IndexInTheWay {
        span: Span,
        indexes: Vec<String>,
        /// As a runbook says which indexes it means.
        on: String,
        since: Option<Span>,
    },
    #[error("{} would be rebuilt while {} locked", names(.indexes), tables(.columns))]
    IndexRebuilt {
        span: Span,
        indexes: Vec<String>,
        columns: Vec<ColumnName>,
        on: String,
    },
    #[error("{} `{ty}` already", columns_are(.columns))]
    SameType {
        span: Span,
        columns: Vec<ColumnName>,
        ty: String,
        since: Option<Span>,
    },
    #[error("`{schema}` has no {what} to {verb}")]
    Nothing {
        span: Span,
        schema: SchemaName,
        /// `changed column type`, `relaxed NOT NULL`, …
        what: &'static str,
        /// `restore`, `relax`
        verb: &'static str,
        since: Option<Span>,
    },
    #[error("{} dropped already", if *.certain { names_are(.indexes) } else { format!("{} may be", names(.indexes)) })]
    DroppedTwice {
        span: Span,
        indexes: Vec<String>,
        certain: bool,
        since: Span,
    },
    #[error("{} there already", names_are(.indexes))]
    StandsAlready {
        span: Span,
        indexes: Vec<String>,
        since: Option<Span>,
    },
    #[error("{} there already, unless the migration leaves {} out", names_are(.indexes), if .indexes.len() == 1 { "it" } else { "them" })]
    MayStand {
        span: Span,
        indexes: Vec<String>,
        since: Option<Span>,
    },
    #[error("{} can't be made: `{column}` is `{ty}` for now", names(.indexes))]
    IndexTooEarly {
        span: Span,
        schema: SchemaName,
        indexes: Vec<String>,
        column: ColumnName,
        ty: String,
        since: Span,
    },
    #[error("`{schema}` is left without tables")]
    TablesLeft {
        place: Place,
        schema: SchemaName,
        since: Span,
    },
    #[error("{} left as `{ty}`, which isn't what the lock file says", columns_are(.columns))]
    TypesLeft {
        place: Place,
        schema: SchemaName,
        columns: Vec<ColumnName>,
        ty: String,
        since: Span,
    },
    #[error("{} left dropped", names_are(.indexes))]
    IndexesLeft {
        place: Place,
        schema: SchemaName,
        indexes: Vec<String>,
        since: Span,
    },
    #[error("{} left without NOT NULL", columns_are(.columns))]
    NullsLeft {
        place: Place,
        schema: SchemaName,
        columns: Vec<ColumnName>,
        since: Span,
    },
    #[error("`{claim}` can't hold here: {why}")]
    CantHold {
        span: Span,
        claim: String,
        why: String,
        since: Option<(Span, &'static str)>,
        help: String,
    },
    #[error("{} may hold rows, and a load adds to them", tables_named(.tables))]
    NotEmpty {
        span: Span,
        to: DatabaseName,
        tables: Vec<TableName>,
        /// Where the runbook's own SQL has been at it; it was empty before.
        unchecked: Option<Span>,
    },
    #[error("{} loaded already", tables_are(.tables))]
    LoadedTwice {
        span: Span,
        tables: Vec<TableName>,
        since: Span,
    },
    #[error("the migration tool's own tables are never copied")]
    ToolTables {
        span: Span,
        tables: Vec<TableName>,
        /// Where the tool ran on the target, if this runbook lets it run there.
        migrated: Option<Span>,
    },
    #[error("`{from}` can be written to while it is copied")]
    SourceOpen {
        span: Span,
        from: DatabaseName,
        /// Frozen only where it could be reached.
        if_reachable: bool,
        since: Option<Span>,
    },
    #[error("`{to}` is frozen, and rows would be loaded into it")]
    TargetFrozen {
        span: Span,
        to: DatabaseName,
        since: Option<Span>,
    },
    #[error("the migration tool can't write to `{database}`: it is frozen")]
    ToolFrozen {
        span: Span,
        database: DatabaseName,
        since: Option<Span>,
    },
    #[error("{} would be kept up to date row by row", names(.indexes))]
    IndexSlowsLoad {
        span: Span,
        indexes: Vec<String>,
        on: String,
        since: Option<Span>,
    },
    #[error("the sequences of `{schema}` {} its rows", if *.certain { "are behind" } else { "may be behind" })]
    SequencesBehind {
        place: Place,
        schema: SchemaName,
        from: DatabaseName,
        certain: bool,
        since: Span,
    },
    #[error("nothing has proven the foreign keys of `{schema}`")]
    KeysUnproven {
        place: Place,
        schema: SchemaName,
        since: Span,
    },
    #[error("`{schema}` has no planner statistics of its rows")]
    NotAnalyzed {
        place: Place,
        schema: SchemaName,
        since: Span,
    },
    #[error("{} of `{database}` {} never compared with what was loaded", tables_named(.tables), if .tables.len() == 1 { "is" } else { "are" })]
    NeverMatched {
        place: Place,
        database: DatabaseName,
        schema: String,
        tables: Vec<TableName>,
        from: DatabaseName,
        since: Span,
    },
    #[error("`{of}` was loaded from `{loaded_from}`, not from `{from}`")]
    OtherSource {
        span: Span,
        of: DatabaseName,
        from: DatabaseName,
        loaded_from: DatabaseName,
        since: Span,
    },
    #[error("`{from}` can be written to while it is compared with what was loaded from it")]
    ComparedOpen {
        span: Span,
        from: DatabaseName,
        since: Option<Span>,
    },
    #[error("`{schema}` isn't proven to be what the lock file says")]
    Unproven {
        place: Place,
        schema: SchemaName,
        migrated: bool,
        since: Span,
    },
    #[error("{} still {} what was there before the load", list(["materialized view", "materialized views"], .views), if .views.len() == 1 { "shows" } else { "show" })]
    StaleViews {
        place: Place,
        database: DatabaseName,
        /// With their schemas.
        views: Vec<String>,
        since: Span,
    },
    #[error(
        "the migration tool would take `{schema}` for migrated: its own tables are in `{own}`, which stays"
    )]
    LogStays {
        span: Span,
        schema: SchemaName,
        own: String,
        since: Option<Span>,
    },
    #[error("that `{to}` has everything that was written to `{from}` isn't proven")]
    NotCarried {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        loaded: Option<Span>,
        why: String,
        since: Option<Span>,
    },
}

impl From<SchemaError> for Diagnostic {
    fn from(error: SchemaError) -> Self {
        use SchemaError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: String| {
            Diagnostic::error(Code(code), message.clone(), span, label)
        };
        match error {
            E::DroppedInUse {
                span,
                schema,
                application,
                since,
                certain,
                other,
            } => {
                let made = make(
                    "RBK2019",
                    span,
                    format!("everything in `{schema}` would be dropped"),
                );
                in_use(made, &application, since, certain, other)
            }
            E::NotApproved { span, schema } => {
                let line = format!("approve \"Everything in {schema} will be dropped\"");
                let start = Span {
                    end: span.start,
                    ..span
                };
                make("RBK2020", span, "nobody has agreed in this step".to_owned())
                    .help(format!("before it, in the same step: `{line}`"))
                    .fix(start, format!("{line}\n  "))
            }
            E::RecreatedTwice { span, since, .. } => relate(
                make("RBK2021", span, "would drop what was made since".to_owned()),
                since,
                "recreated here",
            )
            .help("remove one of them"),
            E::NoTables {
                span,
                schema,
                since,
            } => relate(
                make("RBK2022", span, "has nothing to work on".to_owned()),
                since,
                "recreated here, and nothing has made its tables since",
            )
            .help(format!("before it: `migrate {}`", schema.database)),
            E::IndexInTheWay {
                span, on, since, ..
            } => relate(
                make("RBK2023", span, "Postgres refuses the new type".to_owned()),
                since,
                "made here",
            )
            .help(format!("before it: `drop indexes on {on}`")),
            E::IndexRebuilt { span, on, .. } => warning(make(
                "RBK2023",
                span,
                "nobody can read the table until then".to_owned(),
            ))
            .help(format!(
                "before it: `drop indexes on {on}`, and after it: `restore indexes on {on}`"
            )),
            E::SameType { span, since, .. } => {
                pointless("RBK2024", message, span, since, "since here")
            }
            E::Nothing { span, since, .. } => {
                pointless("RBK2025", message, span, since, "done here")
            }
            E::DroppedTwice {
                span,
                certain: true,
                since,
                ..
            } => pointless("RBK2026", message, span, Some(since), "dropped here"),
            E::DroppedTwice { span, since, .. } => {
                make("RBK2026", span, "there may be nothing to drop".to_owned())
                    .relate(since, "dropped here")
            }
            E::StandsAlready { span, since, .. } => {
                pointless("RBK2026", message, span, since, "made here")
            }
            E::MayStand { span, since, .. } => {
                let help =
                    "remove it, unless the lock file has indexes that the migration doesn't make";
                pointless("RBK2026", message, span, since, "migrated here").help(help)
            }
            E::IndexTooEarly {
                span,
                schema,
                since,
                ..
            } => make(
                "RBK2027",
                span,
                "it is made for the lock file's type".to_owned(),
            )
            .relate(since, "has this type since here")
            .help(format!("before it: `restore column types in {schema}`")),
            E::TablesLeft {
                place,
                schema,
                since,
            } => left(
                "RBK2022",
                message,
                place,
                since,
                "recreated here",
                &format!("migrate {}", schema.database),
            ),
            E::TypesLeft {
                place,
                schema,
                since,
                ..
            } => left(
                "RBK2028",
                message,
                place,
                since,
                "changed here",
                &format!("restore column types in {schema}"),
            ),
            E::IndexesLeft {
                place,
                schema,
                since,
                ..
            } => left(
                "RBK2029",
                message,
                place,
                since,
                "dropped here",
                &format!("restore indexes on {schema}"),
            ),
            E::NullsLeft {
                place,
                schema,
                since,
                ..
            } => left(
                "RBK2030",
                message,
                place,
                since,
                "relaxed here",
                &format!("restore not null on {schema}"),
            ),
            E::CantHold {
                span, since, help, ..
            } => {
                let made = make("RBK2031", span, "would fail".to_owned()).help(help);
                match since {
                    Some((place, text)) => made.relate(place, text),
                    None => made,
                }
            }
            E::NotEmpty {
                span,
                to,
                tables,
                unchecked,
            } => {
                let Some(table) = tables.first() else {
                    return make("RBK2032", span, String::new());
                };
                let help = format!(
                    "`recreate schema {to}.{}` and `migrate {to}` before it, or prove it: `assert count({to}.{table}) == 0`",
                    table.schema
                );
                match unchecked {
                    Some(since) => warning(make("RBK2032", span, "would add to them".to_owned()))
                        .relate(since, "may have put rows there")
                        .help(format!(
                            "prove that it hasn't: `assert count({to}.{table}) == 0`"
                        )),
                    None => make("RBK2032", span, "would add to them".to_owned()).help(help),
                }
            }
            E::LoadedTwice { span, since, .. } => make(
                "RBK2032",
                span,
                "would have each row twice, or fail at the first key".to_owned(),
            )
            .relate(since, "loaded here")
            .help("remove one of them"),
            E::LoadedInUse {
                span,
                application,
                since,
                certain,
                other,
                ..
            } => {
                let made = make("RBK2033", span, "rows would be loaded under it".to_owned());
                in_use(made, &application, since, certain, other)
            }
            E::ToolTables {
                span,
                tables,
                migrated,
            } => {
                let list = tables
                    .iter()
                    .map(|table| table.table.as_str())
                    .collect::<Vec<_>>()
                    .join(", ");
                let label = match migrated {
                    Some(_) => "the target has its own already",
                    None => "names them",
                };
                let made = make("RBK2034", span, label.to_owned());
                // Where nobody knows whether the target has its own, leaving them out may be what was meant.
                let made = if migrated.is_some() {
                    made
                } else {
                    warning(made)
                };
                relate(made, migrated, "migrated here")
                    .help(format!("in its options: `except: [{list}]`"))
            }
            E::SourceOpen {
                span,
                from,
                if_reachable,
                since,
            } => {
                let (text, help) = match if_reachable {
                    true => (
                        "frozen here only if it could be reached then",
                        format!(
                            "say it without `if reachable`: what can't be reached can't be copied either: `freeze writes on {from}`"
                        ),
                    ),
                    false => (
                        "opened here",
                        format!("before it: `freeze writes on {from}`"),
                    ),
                };
                relate(
                    make(
                        "RBK2035",
                        span,
                        "what is written meanwhile would be missing".to_owned(),
                    ),
                    since,
                    text,
                )
                .help(help)
            }
            E::TargetFrozen { span, to, since } => relate(
                make(
                    "RBK2036",
                    span,
                    "is it the source that should be frozen?".to_owned(),
                ),
                since,
                "frozen here",
            )
            .help(format!(
                "freeze the source instead, or before it: `thaw writes on {to}`"
            )),
            E::ToolFrozen {
                span,
                database,
                since,
            } => relate(
                make(
                    "RBK2036",
                    span,
                    "every new session of it is read-only".to_owned(),
                ),
                since,
                "frozen here",
            )
            .help(format!("before it: `thaw writes on {database}`")),
            E::IndexSlowsLoad {
                span, on, since, ..
            } => {
                let quicker = "a load without them, then building them once, is quicker by far";
                warning(relate(
                    make("RBK2037", span, quicker.to_owned()),
                    since,
                    "made here",
                ))
                .help(format!(
                    "before it: `drop indexes on {on}`, and after it: `restore indexes on {on}`"
                ))
            }
            E::SequencesBehind {
                place,
                schema,
                from,
                certain,
                since,
            } => {
                let line = format!("sync sequences of {} from {from}", schema.database);
                let made = left(
                    "RBK2038",
                    message,
                    place,
                    since,
                    if certain {
                        "loaded here: the next insert would collide"
                    } else {
                        "may have changed here"
                    },
                    &line,
                );
                if certain { made } else { warning(made) }
            }
            E::KeysUnproven {
                place,
                schema,
                since,
            } => warning(left(
                "RBK2039",
                message,
                place,
                since,
                "loaded past them here",
                &format!("validate constraints of {schema}"),
            )),
            E::NotAnalyzed {
                place,
                schema,
                since,
            } => warning(left(
                "RBK2040",
                message,
                place,
                since,
                "its rows or their types changed here",
                &format!("analyze {}", schema.database),
            )),
            E::NeverMatched {
                place,
                database,
                schema,
                from,
                since,
                ..
            } => {
                let line = format!("assert {from}.{schema} matches {database}.{schema}");
                warning(left("RBK2041", message, place, since, "loaded here", &line))
            }
            E::OtherSource {
                span,
                of,
                loaded_from,
                since,
                ..
            } => make(
                "RBK2042",
                span,
                "would be put past the rows of another database".to_owned(),
            )
            .relate(since, "loaded here")
            .help(format!("`sync sequences of {of} from {loaded_from}`")),
            E::ComparedOpen { span, from, since } => warning(relate(
                make("RBK2043", span, "a single write makes it fail".to_owned()),
                since,
                "opened here",
            ))
            .help(format!(
                "keep `{from}` frozen until it is proven: thaw it behind"
            )),
            E::Unproven {
                place,
                schema,
                migrated,
                since,
            } => warning(left(
                "RBK2044",
                message,
                place,
                since,
                if migrated {
                    "made by the migration here"
                } else {
                    "nobody but you knows what this does to it"
                },
                &format!("assert no drift in {}", schema.database),
            )),
            E::StaleViews {
                place,
                database,
                views,
                since,
            } => {
                let refresh: Vec<String> = views
                    .iter()
                    .map(|view| format!("refresh materialized view {view}"))
                    .collect();
                let line = format!("sql on {database} \"{}\"", refresh.join("; "));
                warning(left("RBK2045", message, place, since, "loaded here", &line))
            }
            E::LogStays {
                span,
                schema,
                own,
                since,
            } => {
                let SchemaName { database, .. } = &schema;
                relate(
                    make("RBK2046", span, "nothing would be made".to_owned()),
                    since,
                    "recreated here",
                )
                .help(format!(
                    "recreate its tables, too: `recreate schema {database}.{own}`; or let it forget what it did: `sql on {database} \"truncate {own}.databasechangelog\"`"
                ))
            }
            E::NotCarried {
                span,
                from,
                why,
                loaded,
                since,
                ..
            } => {
                let end = Span {
                    start: span.end,
                    ..span
                };
                let made = relate(
                    make("RBK2005", span, format!("away from `{from}`")),
                    since,
                    "could be written to since here",
                );
                relate(made, loaded, "loaded here")
                    .help(format!(
                        "{why}, or say that it may be lost: add `accepting loss`"
                    ))
                    .fix(end, " accepting loss")
            }
        }
    }
}

pub(super) fn in_use(
    made: Diagnostic,
    application: &ApplicationName,
    since: Option<Span>,
    certain: bool,
    other: Option<DatabaseName>,
) -> Diagnostic {
    let help = match (certain, other) {
        (true, _) => {
            format!("switch `{application}` to another database first, or work on another one")
        }
        (false, Some(other)) => format!(
            "prove that it doesn't before anything happens: `require {application} uses {other}` at the top"
        ),
        (false, None) => format!(
            "the environment lets `{application}` use no other database: work on another one"
        ),
    };
    relate(made, since, "since here").help(help)
}

/// Something isn't whole: at the switch in the application's way, at the end where it was changed.
fn left(
    code: &'static str,
    message: String,
    place: Place,
    since: Span,
    changed: &str,
    line: &str,
) -> Diagnostic {
    match place {
        Place::Switch { span, application } => Diagnostic::error(
            Code(code),
            message,
            span,
            format!("`{application}` would find it so"),
        )
        .relate(since, changed)
        .help(format!("before it: `{line}`")),
        Place::End => Diagnostic::error(Code(code), message, since, changed)
            .help(format!("after it: `{line}`")),
    }
}

/// What does no harm, and is hardly what was meant.
pub(super) fn pointless(
    code: &'static str,
    message: String,
    span: Span,
    since: Option<Span>,
    changed: &str,
) -> Diagnostic {
    let made = Diagnostic::warning(Code(code), message, span, "changes nothing");
    relate(made, since, changed).help("remove it, or put it where it belongs")
}

pub(super) fn warning(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        ..diagnostic
    }
}

/// How many things a message names before it says how many there are besides.
const NAMED: usize = 3;

pub(super) fn list<T: std::fmt::Display>(kinds: [&str; 2], things: &[T]) -> String {
    let shown: Vec<String> = things
        .iter()
        .take(NAMED)
        .map(|thing| format!("`{thing}`"))
        .collect();
    let more = things.len() - shown.len();
    let [one, many] = kinds;
    let names = match shown.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some(_) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    };
    format!("{} {names}", if things.len() == 1 { one } else { many })
}

fn are<T>(text: String, things: &[T]) -> String {
    format!("{text} {}", if things.len() == 1 { "is" } else { "are" })
}

fn names(indexes: &[String]) -> String {
    list(["index", "indexes"], indexes)
}

fn names_are(indexes: &[String]) -> String {
    are(names(indexes), indexes)
}

pub(super) fn columns_are(columns: &[ColumnName]) -> String {
    are(list(["column", "columns"], columns), columns)
}

pub(super) fn tables_named(named: &[TableName]) -> String {
    list(["table", "tables"], named)
}

fn tables_are(named: &[TableName]) -> String {
    are(tables_named(named), named)
}

/// The tables of columns, each once, and what is done to them.
fn tables(columns: &[ColumnName]) -> String {
    let mut tables: Vec<TableName> = columns.iter().map(|column| column.table.clone()).collect();
    tables.dedup();
    tables_are(&tables)
}
