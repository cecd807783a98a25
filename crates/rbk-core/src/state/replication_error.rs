//! What can be wrong with replications by DMS, and with what ends a database's life.

use super::error::relate;
use super::schema_error::{columns_are, in_use, list, pointless, tables_named, warning};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::{ApplicationName, DatabaseName};
use rbk_syntax::{Code, Diagnostic, Span};
use thiserror::Error;

/// What can be wrong with replications by DMS, and with what ends a database's life.
#[derive(Debug, Clone, Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub(super) enum ReplicationError {
    #[error("DMS can't write to {}: {} `{ty}`", list(["column", "columns"], .columns), if .columns.len() == 1 { "it is" } else { "they are" })]
    Refused {
        span: Span,
        columns: Vec<ColumnName>,
        ty: String,
        /// As a runbook says which columns it means.
        on: String,
        /// Whether their indexes must be dropped before.
        drop_first: bool,
        since: Option<Span>,
    },
    #[error("DMS doesn't carry {}", of_type(.columns, .ty))]
    NotCarried {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        columns: Vec<ColumnName>,
        ty: String,
    },
    #[error("{} of `numeric` without a precision, of which DMS carries six digits behind the point", columns_are(.columns))]
    Rounded {
        span: Span,
        columns: Vec<ColumnName>,
    },
    #[error("DMS would write to {}, {} Postgres makes itself", list(["column", "columns"], .columns), if .columns.len() == 1 { "whose value" } else { "whose values" })]
    MadeThere {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        columns: Vec<ColumnName>,
    },
    #[error("{} NOT NULL, and DMS inserts each row without it first", columns_are(.columns))]
    LargeNotNull {
        span: Span,
        columns: Vec<ColumnName>,
        /// As a runbook says where NOT NULLs are relaxed.
        on: String,
    },
    #[error("{} part of a primary key, and comes after its row in full LOB mode", columns_are(.columns))]
    LargeKey {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        columns: Vec<ColumnName>,
    },
    #[error("{} large values, and no key that both sides can tell a row by", match .tables.len() {
        1 => format!("{} has", tables_named(.tables)),
        _ => format!("{} have", tables_named(.tables)),
    })]
    NoKey {
        span: Span,
        from: DatabaseName,
        to: DatabaseName,
        tables: Vec<TableName>,
    },
    #[error("values of {} would be cut at {size} kB, with a line in a log at most", list(["column", "columns"], .columns))]
    Shortened {
        span: Span,
        size: u64,
        columns: Vec<ColumnName>,
    },
    #[error("{} left out", columns_are(.columns))]
    LeftOut {
        span: Span,
        columns: Vec<ColumnName>,
    },
    #[error(
        "chunks of {chunk} kB are more than AWS advises: above 64 kB they \"can cause task failures\""
    )]
    BigChunk { span: Span, chunk: u64 },
    #[error("{} checked while tables come in any order", match .keys.len() {
        1 => format!("{} is", list(["foreign key", "foreign keys"], .keys)),
        _ => format!("{} are", list(["foreign key", "foreign keys"], .keys)),
    })]
    KeysInTheWay {
        span: Span,
        keys: Vec<String>,
        /// Whether the statement says what each session begins with.
        said: bool,
    },
    #[error(
        "DMS would drop the tables of `{to}` and make its own: without indexes, defaults, keys and sequences"
    )]
    Recreates {
        span: Span,
        to: DatabaseName,
        migrated: Option<Span>,
    },
    #[error(
        "Postgres refuses to empty `{table}`: foreign keys refer to it, whatever the replica role says"
    )]
    Truncates { span: Span, table: TableName },
    #[error("DMS would empty tables of `{to}`, and nobody has agreed in this step")]
    TruncatesUnasked {
        span: Span,
        /// Where it is said.
        place: Span,
        to: DatabaseName,
        table: TableName,
    },
    #[error("{what}")]
    GoesOn { span: Span, what: &'static str },
    #[error("`{name}` is started, and nobody waits for it")]
    NeverAwaited { span: Span, name: String },
    #[error("`{database}` {} being loaded here", if *.in_failure { "may still be" } else { "is still" })]
    StillLoading {
        span: Span,
        database: DatabaseName,
        name: String,
        since: Span,
        in_failure: bool,
    },
    #[error("`{database}` is still being copied from here")]
    StillCopied {
        span: Span,
        database: DatabaseName,
        name: String,
        since: Span,
    },
    #[error("`{name}` is complete already")]
    AwaitedTwice {
        span: Span,
        name: String,
        since: Span,
    },
    #[error("`{name}` can't be complete yet")]
    Asserted {
        span: Span,
        name: String,
        since: Span,
    },
    #[error("`{name}` may not have begun by then: DMS takes 40 to 60 minutes to provide capacity")]
    TooSoon {
        span: Span,
        name: String,
        since: Span,
        from: DatabaseName,
        to: DatabaseName,
    },
    #[error("`{application}` {} `{database}`", if *.certain { "uses" } else { "may use" })]
    DestroyedInUse {
        span: Span,
        database: DatabaseName,
        application: ApplicationName,
        since: Option<Span>,
        certain: bool,
        other: Option<DatabaseName>,
    },
    #[error("`{database}` would be destroyed without anybody saying yes")]
    DestructionNotApproved { span: Span, database: DatabaseName },
    #[error("`{database}` {} destroyed", if *.certain { "has been" } else { "may have been" })]
    Destroyed {
        span: Span,
        database: DatabaseName,
        certain: bool,
        since: Span,
    },
    #[error("nothing proves that what was written to `{database}` is anywhere else")]
    NothingLeft { span: Span, database: DatabaseName },
    #[error("the writes of `{database}` aren't frozen here")]
    KeptOpen {
        span: Span,
        database: DatabaseName,
        if_reachable: bool,
        since: Option<Span>,
    },
}

impl From<ReplicationError> for Diagnostic {
    fn from(error: ReplicationError) -> Self {
        use ReplicationError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: &str| {
            Diagnostic::error(Code(code), message.clone(), span, label)
        };
        match error {
            E::Refused {
                span,
                on,
                drop_first,
                since,
                columns,
                ..
            } => {
                let what = match columns.as_slice() {
                    [_] => format!("alter column {on} to text"),
                    _ => format!("alter {on} to text"),
                };
                let lines = match drop_first {
                    true => vec![format!("drop indexes on {on}"), what],
                    false => vec![what],
                };
                relate(
                    make("RBK2047", span, "it sends strings, and the type takes none"),
                    since,
                    "made here",
                )
                .help(format!(
                    "before it:\n  {}\nor copy the rows as they are: `with copy`",
                    lines.join("\n  ")
                ))
                .fix(before(span), lines.join("\n  ") + "\n  ")
            }
            E::NotCarried {
                span,
                from,
                to,
                columns,
                ..
            } => make("RBK2048", span, "they would be missing from each row")
                .help(copied_instead(&from, &to, &tables_of(&columns))),
            E::Rounded { span, .. } => {
                warning(make("RBK2049", span, "without an error")).help(
                    "compare them behind the load, as `matches` does, or copy their tables `with copy`",
                )
            }
            E::MadeThere {
                span,
                from,
                to,
                columns,
            } => make("RBK2050", span, "Postgres would refuse each row")
                .help(copied_instead(&from, &to, &tables_of(&columns))),
            E::LargeNotNull { span, on, .. } => {
                let line = format!("relax not null on {on}");
                make("RBK2051", span, "the target would refuse each row")
                    .help(format!(
                        "before it: `{line}`, and after it: `restore not null on {on}`"
                    ))
                    .fix(before(span), line + "\n  ")
            }
            E::LargeKey {
                span,
                from,
                to,
                columns,
            } => make("RBK2052", span, "a row can't be without its key")
                .help(copied_instead(&from, &to, &tables_of(&columns))),
            E::NoKey {
                span,
                from,
                to,
                tables,
            } => make("RBK2052", span, "DMS would leave them out")
                .help(copied_instead(&from, &to, &tables)),
            E::Shortened { span, .. } => {
                let whole = "lob: full, chunk 64kb";
                warning(make("RBK2053", span, "a longer value loses its end"))
                    .help(format!("say `{whole}`: it cuts nothing"))
            }
            E::LeftOut { span, .. } => make("RBK2053", span, "they would be NULL in each row")
                .help("say `lob: full, chunk 64kb`"),
            E::BigChunk { span, .. } => warning(make(
                "RBK2054",
                span,
                "a chunk is a piece, not a limit: nothing is cut",
            ))
            .help("`lob: full, chunk 64kb`: a vector of 1536 dimensions is about 20 kB of text"),
            E::KeysInTheWay { span, said, .. } => {
                let line = "after_connect: \"SET session_replication_role = 'replica'\"";
                let made = make("RBK2055", span, "a row fails that comes before what it refers to")
                    .help(format!("in its options: `{line}`"));
                match said {
                    true => made.fix(span, "\"SET session_replication_role = 'replica'\""),
                    false => made,
                }
            }
            E::Recreates { span, migrated, .. } => relate(
                make("RBK2056", span, "what the migration made would be gone"),
                migrated,
                "migrated here",
            )
            .help("say `prepare: nothing`, and recreate and migrate the schema before it"),
            E::Truncates { span, .. } => make("RBK2056", span, "the load would fail")
                .help("say `prepare: nothing`, and recreate and migrate the schema before it"),
            E::TruncatesUnasked {
                span,
                place,
                to,
                table,
            } => {
                let line = format!("approve \"The rows of tables of {to} will be deleted\"");
                make("RBK2056", place, "rows that are there would be gone")
                    .help(format!(
                        "before it, in the same step: `{line}`; or prove that there are none: `assert count({to}.{table}) == 0`"
                    ))
                    .fix(before(span), line + "\n  ")
            }
            E::GoesOn { span, .. } => {
                warning(make("RBK2057", span, "nobody is told until the rows are counted"))
                    .help("say `on_error: stop`")
                    .fix(span, "stop")
            }
            E::NeverAwaited { span, name } => {
                let line = format!("await {name} is complete within 4h every 30s");
                make("RBK2058", span, "started here, proven and removed nowhere")
                    .help(format!("after it: `{line}`"))
                    .fix(after(span), format!("\n  {line}"))
            }
            E::StillLoading {
                span, name, since, ..
            } => {
                let line = format!("await {name} is complete within 4h every 30s");
                make("RBK2059", span, "its rows may not be there yet")
                    .relate(since, "the load begins here")
                    .help(format!("before it: `{line}`"))
                    .fix(before(span), line + "\n  ")
            }
            E::StillCopied {
                span, name, since, ..
            } => {
                let line = format!("await {name} is complete within 4h every 30s");
                make("RBK2059", span, "what hasn't been read yet would change or be gone")
                    .relate(since, "the load begins here")
                    .help(format!("before it: `{line}`"))
                    .fix(before(span), line + "\n  ")
            }
            E::AwaitedTwice { span, since, .. } => {
                pointless("RBK2060", message, span, Some(since), "since here")
            }
            E::Asserted { span, name, since } => {
                let line = format!("await {name} is complete within 4h every 30s");
                make("RBK2061", span, "would fail")
                    .relate(since, "started here, and nobody has waited since")
                    .help(format!("wait for it: `{line}`"))
                    .fix(span, line)
            }
            E::TooSoon {
                span,
                since,
                from,
                to,
                ..
            } => warning(make("RBK2061", span, "would give up before the first row"))
                .relate(since, "started here")
                .help(format!(
                    "give it longer: `within 4h`; `replicate {from} to {to} with copy` starts at once"
                )),
            E::DestroyedInUse {
                span,
                application,
                since,
                certain,
                other,
                ..
            } => {
                let label = "it would lose its database".to_owned();
                let made = Diagnostic::error(Code("RBK2062"), message, span, label);
                in_use(made, &application, since, certain, other)
            }
            E::DestructionNotApproved { span, database } => {
                let line = format!("approve \"{database} will be destroyed\"");
                make("RBK2063", span, "nobody has agreed in this step")
                    .help(format!("before it, in the same step: `{line}`"))
                    .fix(before(span), line + "\n  ")
            }
            E::Destroyed { span, since, .. } => make("RBK2064", span, "isn't there any more")
                .relate(since, "destroyed here")
                .help("put it before the destruction"),
            E::NothingLeft { span, database } => {
                warning(make("RBK2065", span, "it would be gone for good")).help(format!(
                    "keep it: `destroy {database} with final snapshot`; or before the switch, while it is frozen, prove that another database has it: `assert {database}.SCHEMA matches …`"
                ))
            }
            E::KeptOpen {
                span,
                database,
                if_reachable,
                since,
            } => {
                let (text, help) = match if_reachable {
                    true => (
                        "frozen here only if it could be reached then",
                        format!("say it without `if reachable`: `freeze writes on {database}`"),
                    ),
                    false => (
                        "opened here",
                        format!("remove it, or freeze first: `freeze writes on {database}`"),
                    ),
                };
                relate(make("RBK2066", span, "nothing to keep"), since, text).help(help)
            }
        }
    }
}

fn before(span: Span) -> Span {
    Span {
        end: span.start,
        ..span
    }
}

fn after(span: Span) -> Span {
    Span {
        start: span.end,
        ..span
    }
}

/// What to say where DMS can't load tables at all.
fn copied_instead(from: &DatabaseName, to: &DatabaseName, tables: &[TableName]) -> String {
    let excepted: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
    let copied: Vec<String> = tables.iter().map(ToString::to_string).collect();
    format!(
        "leave {} out (`except: [{}]`) and copy {}:\n  replicate {from} to {to} with copy {{ tables: [{}] }}",
        if tables.len() == 1 { "it" } else { "them" },
        excepted.join(", "),
        if tables.len() == 1 {
            "its rows"
        } else {
            "their rows"
        },
        copied.join(", ")
    )
}

/// The tables of columns, each once.
fn tables_of(columns: &[ColumnName]) -> Vec<TableName> {
    let mut tables: Vec<TableName> = columns.iter().map(|column| column.table.clone()).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// ``column `public.messages.role` of type `public.message_role` ``
fn of_type(columns: &[ColumnName], ty: &str) -> String {
    let named = list(["column", "columns"], columns);
    match columns {
        [_] => format!("{named}: its type is `{ty}`"),
        _ => format!("{named}: their types, as `{ty}`, aren't among its own"),
    }
}
