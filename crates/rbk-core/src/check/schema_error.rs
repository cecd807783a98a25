//! What can be wrong with the schema objects that a statement names, as far as the lock file tells.

use super::error::{list, suggest};
use crate::catalog::ColumnName;
use crate::environment::TableName;
use crate::ids::DatabaseName;
use crate::value::Type;
use rbk_syntax::{Code, Diagnostic, Severity, Span};
use thiserror::Error;

/// What a path must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Schema,
    Column,
    Index,
    /// A schema, a table or a column.
    Place,
}

/// What can be wrong with schema objects.
#[derive(Debug, Clone, Error)]
pub(crate) enum SchemaError {
    #[error("`{path}` isn't {}", .wanted.words())]
    Path {
        span: Span,
        path: String,
        wanted: Wanted,
    },
    #[error("`{database}` has no schema `{name}`")]
    UnknownSchema {
        span: Span,
        name: String,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("schema `{schema}` of `{database}` has no table `{name}`")]
    UnknownTable {
        span: Span,
        name: String,
        schema: String,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("no schema of `{database}` has a table `{name}`")]
    UnknownTableAnywhere {
        span: Span,
        name: String,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("table `{table}` of `{database}` has no column `{name}`")]
    UnknownColumn {
        span: Span,
        name: String,
        table: TableName,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("schema `{schema}` of `{database}` has no index `{name}`")]
    UnknownIndex {
        span: Span,
        name: String,
        schema: String,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("index `{index}` stands behind constraint `{constraint}`")]
    BehindConstraint {
        span: Span,
        index: String,
        constraint: String,
        table: TableName,
    },
    #[error("index `{index}` is a part of index `{of}`")]
    PartOfIndex {
        span: Span,
        index: String,
        of: String,
    },
    #[error("there is no type of columns `{name}`")]
    UnknownType {
        span: Span,
        name: String,
        candidates: Vec<String>,
    },
    #[error("schema `{schema}` of `{database}` has no column of type `{ty}`")]
    NoSuchColumns {
        span: Span,
        ty: String,
        schema: String,
        database: DatabaseName,
        candidates: Vec<String>,
    },
    #[error("the type of `{column}` can't be changed: {by}")]
    InUse {
        span: Span,
        column: ColumnName,
        by: String,
    },
    #[error("`{column}` is `{locked}` in the lock file, not `{wanted}`")]
    OtherModifier {
        span: Span,
        column: ColumnName,
        wanted: String,
        locked: String,
        /// Whether values of another dimension can't be in it at all.
        exact: bool,
    },
    #[error("environment `{environment}` declares no command `{name}`")]
    UnknownCommand {
        span: Span,
        name: String,
        environment: String,
        candidates: Vec<String>,
    },
    #[error("command `{command}` needs `{name}`")]
    NoArgument {
        span: Span,
        command: String,
        name: String,
        ty: Type,
    },
    #[error("`{column}` can't hold NULL: it is {why}")]
    NeverNull {
        span: Span,
        column: ColumnName,
        why: &'static str,
    },
    #[error("`{column}` may hold NULL anyway")]
    NullableAnyway { span: Span, column: ColumnName },
    #[error("there is nothing to do: {why}")]
    NothingToDo { span: Span, why: String },
    #[error("{statement} has no option `{name}`")]
    UnknownOption {
        span: Span,
        statement: String,
        name: String,
        candidates: Vec<String>,
    },
    #[error("option `{name}` is {wanted}")]
    OptionValue {
        span: Span,
        name: String,
        wanted: &'static str,
        example: &'static str,
    },
    #[error("there is no way to replicate called `{name}`")]
    UnknownMethod { span: Span, name: String },
    #[error("`{database}` has no {what}")]
    MissingThere {
        span: Span,
        what: String,
        database: DatabaseName,
    },
    #[error("`{words}` can't run in the transaction that proves what was done")]
    NotInTransaction { span: Span, words: String },
    #[error("there is no SQL here")]
    EmptySql { span: Span },
    #[error("environment `{environment}` declares no migrations")]
    NoMigrations { span: Span, environment: String },
    #[error("this isn't one expression")]
    NotAnExpression { span: Span },
    #[error("`{table}` is a partition of `{root}`")]
    Partition {
        span: Span,
        table: TableName,
        root: TableName,
    },
}

impl Wanted {
    fn words(self) -> &'static str {
        match self {
            Wanted::Schema => "a schema",
            Wanted::Column => "a column",
            Wanted::Index => "an index",
            Wanted::Place => "a schema, a table or a column",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Wanted::Schema => {
                "a schema is written `database.schema`, for instance `original.public`"
            }
            Wanted::Column => {
                "a column is written `database.schema.table.column`, for instance `original.public.embeddings.embedding_vector`"
            }
            Wanted::Index => {
                "an index is written `database.schema.index`, for instance `original.public.documents_title_idx`"
            }
            Wanted::Place => {
                "they are written `database.schema`, `database.schema.table` and `database.schema.table.column`"
            }
        }
    }
}

impl From<SchemaError> for Diagnostic {
    fn from(error: SchemaError) -> Self {
        use SchemaError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: &str| {
            Diagnostic::error(Code(code), message.clone(), span, label.to_owned())
        };
        let warn = |mut diagnostic: Diagnostic| {
            diagnostic.severity = Severity::Warning;
            diagnostic
        };
        let unknown = |code, span, name: &str, candidates: &[String], what: &str, of: &str| {
            suggest(
                make(code, span, "not in the lock file"),
                span,
                name,
                candidates,
                || {
                    if candidates.is_empty() {
                        format!("{of} has no {what}; if it was made since: `rbk env pull`")
                    } else {
                        format!(
                            "its {what} are {}; if it was made since: `rbk env pull`",
                            some(candidates)
                        )
                    }
                },
            )
        };
        match error {
            E::Path { span, wanted, .. } => make("RBK1040", span, "names something else").help(wanted.example()),
            E::UnknownSchema { span, name, database, candidates } => {
                unknown("RBK1041", span, &name, &candidates, "schemas", &format!("`{database}`"))
            }
            E::UnknownTable { span, name, schema, candidates, .. } => {
                unknown("RBK1042", span, &name, &candidates, "tables", &format!("`{schema}`"))
            }
            E::UnknownTableAnywhere { span, name, database, candidates } => {
                unknown("RBK1042", span, &name, &candidates, "tables", &format!("`{database}`"))
            }
            E::UnknownColumn { span, name, table, candidates, .. } => {
                unknown("RBK1043", span, &name, &candidates, "columns", &format!("`{table}`"))
            }
            E::UnknownIndex { span, name, schema, candidates, .. } => {
                unknown("RBK1044", span, &name, &candidates, "indexes", &format!("`{schema}`"))
            }
            E::BehindConstraint { span, constraint, table, .. } => make("RBK1045", span, "comes and goes with it").help(format!(
                "leave it; if it must go, drop the constraint by `sql`: `ALTER TABLE {table} DROP CONSTRAINT {constraint}`"
            )),
            E::PartOfIndex { span, of, .. } => make("RBK1045", span, "comes and goes with it")
                .help(format!("partitions follow their parent: drop `{of}`")),
            E::UnknownType { span, name, candidates } => {
                suggest(make("RBK1046", span, "not a type"), span, &name, &candidates, || {
                    "types are Postgres's own, and those of the lock file's columns, types and extensions".to_owned()
                })
            }
            E::NoSuchColumns { span, ty, candidates, .. } => {
                suggest(make("RBK1046", span, "no column has it in the lock file"), span, &ty, &candidates, || {
                    format!("its columns are of the types {}", some(&candidates))
                })
            }
            E::InUse { span, .. } => make("RBK1047", span, "Postgres refuses it").help(
                "leave the column as it is (`with copy` needs no other type), or take away by `sql` what uses it, and put it back afterwards",
            ),
            E::OtherModifier { span, locked, exact, .. } => {
                let diagnostic = make("RBK1048", span, "the application expects the lock file's")
                    .help(format!("write `{locked}`, or `restore column types in` its schema"));
                if exact { diagnostic } else { warn(diagnostic) }
            }
            E::NeverNull { span, .. } => make("RBK1049", span, "Postgres refuses it").help("leave it out"),
            E::NullableAnyway { span, .. } => make("RBK1049", span, "has no NOT NULL in the lock file").help("leave it out"),
            E::NothingToDo { span, .. } => warn(make("RBK1050", span, "changes nothing").help("remove it")),
            E::UnknownOption { span, name, candidates, .. } => {
                suggest(make("RBK1051", span, "not an option of it"), span, &name, &candidates, || {
                    format!("its options are {}", list(&candidates))
                })
            }
            E::OptionValue { span, example, .. } => make("RBK1051", span, "something else").help(format!("for instance `{example}`")),
            E::UnknownMethod { span, name } => {
                let candidates = ["copy".to_owned(), "dms".to_owned()];
                suggest(make("RBK1052", span, "not known"), span, &name, &candidates, || "write `with copy` or `with dms`".to_owned())
            }
            E::MissingThere { span, database, .. } => make("RBK1053", span, "is needed on both sides")
                .help(format!("leave it out, or bring the schema of `{database}` up and read its lock file anew: `rbk env pull`")),
            E::NotInTransaction { span, .. } => make("RBK1054", span, "runs in one transaction with the run's marker").help(
                "leave transactions to rbk, build indexes without CONCURRENTLY, and let a declared command do what can't be in a transaction",
            ),
            E::EmptySql { span } => make("RBK1054", span, "empty").help("write a statement, or remove the line"),
            E::NoMigrations { span, .. } => make("RBK1013", span, "with which tool?")
                .help("add it to the environment: `[migrations]` with `tool = \"liquibase\"` and `changelog = \"…\"`"),
            E::UnknownCommand { span, name, candidates, .. } => {
                suggest(make("RBK1013", span, "not declared"), span, &name, &candidates, || {
                    if candidates.is_empty() {
                        format!("declare it in the environment: `[commands.{name}]` with `program = [\"…\"]`")
                    } else {
                        format!("its commands are {}", list(&candidates))
                    }
                })
            }
            E::NoArgument { span, name, ty, .. } => make("RBK1051", span, "not all that it needs")
                .help(format!("add `{name}: …`, of type {ty}")),
            E::NotAnExpression { span } => make("RBK1054", span, "would end the statement that it stands in")
                .help("write one expression of the column, for instance `embedding_vector::text`"),
            E::Partition { span, root, .. } => {
                make("RBK1055", span, "follows its parent").help(format!("name the parent: `{root}`"))
            }
        }
    }
}

/// The first names of a list that may be long.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            format!("{} and {} more", list(first), names.len() - SHOWN)
        }
        _ => list(names),
    }
}
