//! What can be wrong with names and types.

use super::scope::Beyond;
use crate::ids::{ApplicationName, DatabaseName};
use crate::plan::{ArithmeticError, Operator};
use crate::value::Type;
use rbk_syntax::{Code, Diagnostic, Severity, Span, near};
use thiserror::Error;

/// The types, in the order in which they are listed to a person.
pub(super) const TYPES: [Type; 10] = [
    Type::Database,
    Type::Application,
    Type::Duration,
    Type::Time,
    Type::Size,
    Type::Integer,
    Type::Text,
    Type::Boolean,
    Type::Snapshot,
    Type::Table,
];

/// The diagnostics of this pass.
pub const CODES: &[(Code, &str)] = &[
    (Code("RBK1001"), "a name that means nothing here"),
    (Code("RBK1002"), "a name given twice"),
    (
        Code("RBK1003"),
        "two steps of one name, or a name that means something else",
    ),
    (
        Code("RBK1004"),
        "a type that doesn't exist or doesn't fit here",
    ),
    (Code("RBK1005"), "a value of another type"),
    (
        Code("RBK1006"),
        "an operator between types that don't go together",
    ),
    (Code("RBK1007"), "an unknown function or wrong arguments"),
    (
        Code("RBK1008"),
        "a parameter without a value, or a value for no parameter",
    ),
    (Code("RBK1009"), "two parameters that name the same entity"),
    (Code("RBK1010"), "a value that must be known when planning"),
    (Code("RBK1011"), "a calculation that leaves its range"),
    (
        Code("RBK1012"),
        "an application that may not use the database",
    ),
    (Code("RBK1013"), "something the environment doesn't declare"),
    (Code("RBK1014"), "a table written wrongly"),
    (
        Code("RBK1015"),
        "a deadline or interval that makes no sense",
    ),
    (Code("RBK1016"), "an empty title, block or reason"),
    (Code("RBK1017"), "a second `on failure`"),
    (Code("RBK1018"), "a name that is never used"),
    (
        Code("RBK1019"),
        "a statement on schema objects without a lock file",
    ),
    (Code("RBK1020"), "an unknown procedure"),
    (Code("RBK1021"), "wrong arguments of a procedure"),
    (
        Code("RBK1022"),
        "a procedure that comes back to itself, or calls without end",
    ),
    (Code("RBK1023"), "two procedures of one name"),
    (Code("RBK1024"), "a call that needs a label of its own"),
    (Code("RBK1025"), "a procedure that is never done"),
    (
        Code("RBK1026"),
        "a name of the runbook in a procedure, which doesn't see it",
    ),
    (
        Code("RBK1027"),
        "an argument that would be read more than once",
    ),
    (Code("RBK1028"), "a file that can't be used"),
    (Code("RBK1029"), "files that use each other in a circle"),
    (Code("RBK1030"), "what can't be compared"),
    (
        Code("RBK1040"),
        "a path that isn't what stands here: a schema, table, column or index",
    ),
    (Code("RBK1041"), "a schema that the lock file doesn't know"),
    (Code("RBK1042"), "a table that the lock file doesn't know"),
    (Code("RBK1043"), "a column that the lock file doesn't know"),
    (Code("RBK1044"), "an index that the lock file doesn't know"),
    (Code("RBK1045"), "an index that can't be dropped by itself"),
    (Code("RBK1046"), "a type of columns that nobody knows"),
    (
        Code("RBK1047"),
        "a type that can't be changed because something else uses the column",
    ),
    (
        Code("RBK1048"),
        "a type whose dimension or length isn't the lock file's",
    ),
    (
        Code("RBK1049"),
        "a NOT NULL that can't be relaxed or isn't there",
    ),
    (Code("RBK1050"), "a statement that has nothing to do"),
    (
        Code("RBK1051"),
        "an option that doesn't exist, or a value that doesn't fit it",
    ),
    (Code("RBK1052"), "a way to replicate that doesn't exist"),
    (
        Code("RBK1053"),
        "a table, column or sequence that one of two databases lacks",
    ),
    (
        Code("RBK1054"),
        "SQL that can't run in a transaction, or none at all",
    ),
    (Code("RBK1055"), "a partition where its parent is meant"),
    (
        Code("RBK1056"),
        "a replication by DMS without a name, or in `on failure`",
    ),
    (
        Code("RBK1057"),
        "a database that the environment doesn't let go",
    ),
    (
        Code("RBK1058"),
        "an identifier that no new snapshot can have",
    ),
    (
        Code("RBK1059"),
        "a name that isn't known outside of its `if`, or beside its step",
    ),
    (
        Code("RBK1060"),
        "a value that the parameter's `where` refuses",
    ),
    (Code("RBK1061"), "what can't stand in `where`"),
    (Code("RBK1062"), "a `parallel` that does nothing together"),
    (
        Code("RBK1063"),
        "a person's word among steps that are done together",
    ),
    (Code("RBK1064"), "blocks that are too deep in each other"),
];

/// What can be wrong with names and types.
#[derive(Debug, Clone, Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub(crate) enum CheckError {
    #[error("nothing here is called `{name}`")]
    UnknownName {
        span: Span,
        name: String,
        candidates: Vec<String>,
        environment: String,
    },
    #[error("nothing is known of the schema of `{database}`")]
    NoLock {
        span: Span,
        database: DatabaseName,
        environment: String,
        exists: bool,
    },
    #[error("`{name}` is defined twice")]
    Twice {
        span: Span,
        name: String,
        first: Span,
    },
    #[error("two steps are called `{title}`")]
    SameStep {
        span: Span,
        title: String,
        first: Span,
    },
    #[error("a call in another step has the name `{title}`")]
    StepLikeCall {
        span: Span,
        title: String,
        first: Span,
    },
    #[error("there is no type `{name}`")]
    UnknownType { span: Span, name: String },
    #[error("a parameter can't be of type `{ty}`")]
    NoParameterType { span: Span, ty: String },
    #[error("a query can't give a value of type `{ty}`")]
    NoQueryType { span: Span, ty: String },
    #[error("expected a value of type {expected}, found one of type {found}")]
    Mismatch {
        span: Span,
        expected: Type,
        found: Type,
        value: Option<String>,
    },
    #[error("`{operator}` can't stand between {left} and {right}")]
    Operands {
        span: Span,
        operator: &'static str,
        left: Type,
        left_span: Span,
        right: Type,
        right_span: Span,
        bare: Option<(Span, String, Type)>,
    },
    #[error("there is no function `{name}`")]
    UnknownFunction {
        span: Span,
        name: String,
        candidates: Vec<String>,
    },
    #[error("`{function}` takes one argument, found {found}")]
    Arguments {
        span: Span,
        function: String,
        found: usize,
    },
    #[error("parameter `{name}` has no value")]
    NoValue { span: Span, name: String, ty: Type },
    #[error("the runbook has no parameter `{name}`")]
    UnknownParameter {
        span: Span,
        name: String,
        candidates: Vec<String>,
    },
    #[error("`{name}` and `{other}` are the same entity, `{value}`")]
    SameEntity {
        span: Span,
        name: String,
        value: String,
        other: String,
        other_span: Span,
    },
    #[error("this must be known when the plan is made")]
    NotConstant { span: Span, hole: Option<String> },
    #[error("text that isn't known when the plan is made can't stand here")]
    TextNotConstant { span: Span, hole: Option<String> },
    #[error("`age` can't be asked of {found}")]
    NoAge { span: Span, found: Type },
    #[error("{error}")]
    Calculation { span: Span, error: ArithmeticError },
    #[error("`{application}` may not use `{database}`")]
    NotItsDatabase {
        span: Span,
        application: ApplicationName,
        database: DatabaseName,
        databases: Vec<DatabaseName>,
        declared: Option<Span>,
    },
    #[error("no checks are declared for `{database}`")]
    NoChecks {
        span: Span,
        database: DatabaseName,
        declared: Option<Span>,
    },
    #[error("no health check is declared for `{application}`")]
    NoHealth {
        span: Span,
        application: ApplicationName,
        declared: Option<Span>,
    },
    #[error("no application of `{database}` has a role of its own")]
    NoRole {
        span: Span,
        database: DatabaseName,
        declared: Option<Span>,
    },
    #[error("`{path}` is a table; a table can't stand here")]
    TableHere { span: Span, path: String },
    #[error("this isn't a table")]
    NotATable { span: Span },
    #[error("the deadline is zero")]
    ZeroDeadline { span: Span },
    #[error("the interval is longer than the deadline")]
    IntervalPastDeadline {
        span: Span,
        every: u64,
        within: u64,
        within_span: Span,
    },
    #[error("the interval is zero")]
    ZeroInterval { span: Span },
    #[error("a step needs a name")]
    EmptyTitle { span: Span },
    #[error("a step can't be called `{title}`")]
    ReservedTitle { span: Span, title: String },
    #[error("nothing is done here")]
    EmptyBlock { span: Span },
    #[error("the reason is empty")]
    EmptyReason { span: Span },
    #[error("a runbook has one `on failure`")]
    SecondOnFailure { span: Span, first: Span },
    #[error("`{path}` is compared with itself")]
    MatchesItself { span: Span, path: String },
    #[error("`{left}` and `{right}` can't be compared")]
    NotComparable {
        span: Span,
        left: String,
        right: String,
    },
    #[error("`{path}` holds no rows of its own")]
    NotRows { span: Span, path: String },
    #[error("`{path}` has no tables to compare")]
    NothingToCompare { span: Span, path: String },
    #[error("there is no procedure `{name}`")]
    UnknownProcedure {
        span: Span,
        name: String,
        candidates: Vec<String>,
    },
    #[error("`{name}` takes {}, found {found}", arguments(params.len()))]
    ProcedureArguments {
        span: Span,
        name: String,
        found: usize,
        params: Vec<String>,
        declared: Span,
    },
    #[error("`{name}` does itself{}", by_way_of(through))]
    Recursion {
        span: Span,
        name: String,
        through: Vec<String>,
    },
    #[error("the procedures of this runbook come to more than {limit} {unit}")]
    TooManyCalls {
        span: Span,
        limit: usize,
        unit: &'static str,
    },
    #[error("two procedures are called `{name}`")]
    SameProcedure {
        span: Span,
        name: String,
        first: Span,
    },
    #[error("a call in this step is named `{label}` already")]
    SameCall {
        span: Span,
        label: String,
        label_span: Option<Span>,
        first: Span,
        free: String,
    },
    #[error("the label is empty")]
    EmptyLabel { span: Span },
    #[error("nothing does the procedure `{name}`")]
    NeverDone { span: Span, name: String },
    #[error("the procedure `{procedure}` doesn't see `{name}`")]
    HiddenName {
        span: Span,
        name: String,
        procedure: String,
        defined: Span,
    },
    #[error("this argument has no name")]
    UnnamedArgument { span: Span },
    #[error("`{name}` is not known here")]
    Beyond {
        span: Span,
        name: String,
        defined: Span,
        beyond: Beyond,
    },
    #[error("`{name}` can't be {}", value.as_ref().map_or("anything".to_owned(), |value| format!("`{value}`")))]
    OutOfBounds {
        span: Span,
        name: String,
        value: Option<String>,
        bounds: Span,
        text: String,
    },
    #[error("`{name}` can't stand in this `where`")]
    NotYet {
        span: Span,
        name: String,
        defined: Span,
    },
    #[error("{what} can't stand in `where`")]
    NotInBounds { span: Span, what: &'static str },
    #[error("{}", too_few(*found))]
    TooFewTogether { span: Span, found: usize },
    #[error("`{word}` can't stand in a step that is done together with others")]
    PersonInParallel {
        span: Span,
        word: &'static str,
        keyword: Span,
    },
    #[error("the blocks of `if` stand in each other more than {limit} deep")]
    BlocksTooDeep { span: Span, limit: usize },
    #[error("{word} `{name}` is never used")]
    Unused {
        span: Span,
        name: String,
        word: &'static str,
    },
}

impl From<CheckError> for Diagnostic {
    fn from(error: CheckError) -> Self {
        use CheckError as E;
        let message = error.to_string();
        let make = |code: &'static str, span: Span, label: String| {
            Diagnostic::error(Code(code), message.clone(), span, label)
        };
        match error {
            E::UnknownName { span, name, candidates, environment } => {
                let diagnostic = make("RBK1001", span, "not known".to_owned());
                suggest(diagnostic, span, &name, &candidates, || {
                    format!("names are parameters, `let`s, and the databases and applications of environment `{environment}`: {}", list(&candidates))
                })
            }
            E::NoLock { span, database, environment, exists } => {
                let (why, which) = if exists {
                    ("the lock file says nothing of it", format!(" {database}"))
                } else {
                    ("there is no lock file", String::new())
                };
                make("RBK1019", span, why.to_owned()).help(format!(
                    "read it from the database once and commit it: `rbk env pull --env {environment}{which}`"
                ))
            }
            E::Twice { span, name, first } => make("RBK1002", span, "defined again".to_owned())
                .relate(first, "defined here")
                .help(format!("give one of them another name than `{name}`")),
            E::SameStep { span, first, .. } => make("RBK1003", span, "the second".to_owned())
                .relate(first, "the first")
                .help("a step's name is its identity in plan, journal and report: give each its own"),
            E::StepLikeCall { span, first, .. } => make("RBK1003", span, "a step of the same name".to_owned())
                .relate(first, "its actions are known by step and label")
                .help("a step's name is its identity in plan, journal and report: give it another"),
            E::UnknownType { span, name } => {
                let candidates: Vec<String> = TYPES.iter().map(|ty| ty.name().to_owned()).collect();
                suggest(make("RBK1004", span, "not a type".to_owned()), span, &name, &candidates, || {
                    format!("the types are {}", list(&candidates))
                })
            }
            E::NoParameterType { span, ty } => make("RBK1004", span, "not a parameter's type".to_owned()).help(if ty == "snapshot" {
                "take a parameter of type text and name the snapshot in the runbook: `let snap = snapshot \"{id}\" of source`".to_owned()
            } else {
                "name the table in the runbook itself".to_owned()
            }),
            E::NoQueryType { span, .. } => make("RBK1004", span, "not a query's type".to_owned())
                .help("a query gives one value: boolean, integer, text, duration, size or time"),
            E::Mismatch { span, expected, found, value } => mismatch(make("RBK1005", span, format!("of type {found}")), span, expected, found, value),
            E::Operands { span, left, left_span, right, right_span, bare, .. } => {
                let diagnostic = make("RBK1006", span, String::new())
                    .relate(left_span, format!("of type {left}"))
                    .relate(right_span, format!("of type {right}"));
                match bare {
                    Some((_, number, Type::Duration)) => diagnostic.help(format!("give the number its unit: `{number}h`, `{number}m` or `{number}s`")),
                    Some((_, number, _)) => diagnostic.help(format!("give the number its unit: `{number}kb`, `{number}mb` or `{number}gb`")),
                    None => diagnostic.help("values of one type are compared; amounts of one unit are added"),
                }
            }
            E::UnknownFunction { span, name, candidates } => suggest(make("RBK1007", span, "not a function".to_owned()), span, &name, &candidates, || {
                "the functions are `age(snapshot or time)`, `count(database.schema.table)`, `size(database or table)`, `query(database, \"…\") as TYPE`, `active_secret(application)`, `source_snapshot(database)`, `secret(database)`, `removal_policy(database)`, `restorable_from(database)`, `restorable_until(database)`, `retention(database)` and `snapshot_gap(database)`".to_owned()
            }),
            E::Arguments { span, function, .. } => make("RBK1007", span, "wrong arguments".to_owned()).help(match function.as_str() {
                "count" => "write `count(database.schema.table)`",
                "size" => "write `size(database)` or `size(database.schema.table)`",
                "restorable_from" => "write `restorable_from(database)`",
                "restorable_until" => "write `restorable_until(database)`",
                "retention" => "write `retention(database)`",
                "snapshot_gap" => "write `snapshot_gap(database)`",
                "active_secret" => "write `active_secret(application)`",
                "source_snapshot" => "write `source_snapshot(database)`",
                "secret" => "write `secret(database)`",
                "removal_policy" => "write `removal_policy(database)`",
                _ => "write `age(snapshot)` or `age(time)`",
            }),
            E::NoValue { span, name, ty } => make("RBK1008", span, "has no default, and none was given".to_owned())
                .help(format!("give it: `--set {name}={}`", example(ty))),
            E::UnknownParameter { span, name, candidates } => suggest(make("RBK1008", span, "not a parameter".to_owned()), span, &name, &candidates, || {
                if candidates.is_empty() { "the runbook has no parameters".to_owned() } else { format!("its parameters are {}", list(&candidates)) }
            }),
            E::SameEntity { span, name, value, other, other_span } => make("RBK1009", span, format!("`{name}` is `{value}`"))
                .relate(other_span, format!("`{other}` is `{value}`"))
                .help(format!("a runbook that reads from and writes to one entity destroys it: let `{name}` and `{other}` name different ones")),
            E::NotConstant { span, hole: Some(name) } => make("RBK1010", span, format!("`{name}` has no value yet"))
                .help(format!("give it now, with `--set {name}=…`, or give the parameter a default")),
            E::NotConstant { span, hole: None } => make("RBK1010", span, "read only when the runbook runs".to_owned())
                .help("write a literal, or a parameter that is one"),
            E::TextNotConstant { span, hole: Some(name) } => make("RBK1010", span, format!("`{name}` has no value yet"))
                .help(format!("give it now, with `--set {name}=…`, or give the parameter a default")),
            E::TextNotConstant { span, hole: None } => make("RBK1010", span, "has a part that is read only when the runbook runs".to_owned())
                .help("write the text out, or use parameters only"),
            E::NoAge { span, found } => make("RBK1005", span, format!("of type {found}")).help("`age` takes a snapshot or a time"),
            E::Calculation { span, error } => {
                make("RBK1011", span, "calculated here".to_owned()).help(match error {
                    ArithmeticError::DivisionByZero { .. } => "divide by a number other than zero",
                    ArithmeticError::Overflow { operator: Operator::Subtract, ty: "duration" | "size", .. } => {
                        "an amount is never negative: take the smaller from the larger"
                    }
                    _ => "use smaller numbers",
                })
            }
            E::NotItsDatabase { span, application, database, databases, declared } => {
                let databases: Vec<String> = databases.iter().map(|name| name.to_string()).collect();
                relate(make("RBK1012", span, "not one of its databases".to_owned()), declared, "declared here").help(format!(
                    "its databases are {}; add `{database}` to `databases` of `[applications.{application}]` if it may use it",
                    list(&databases)
                ))
            }
            E::NoChecks { span, database, declared } => relate(make("RBK1013", span, "would pass whatever the data is".to_owned()), declared, "declared here")
                .help(format!("say what must hold for its data: `[databases.{database}.checks]` with `not_empty = [\"public.documents\"]`")),
            E::NoHealth { span, application, declared } => relate(make("RBK1013", span, "nobody could ask".to_owned()), declared, "declared here")
                .help(format!("add `health = {{ http = \"https://…/health\", expect = 200 }}` to `[applications.{application}]`")),
            E::NoRole { span, database, declared } => relate(make("RBK1013", span, "whose password goes into its `secret`?".to_owned()), declared, "declared here")
                .help(format!("`{database}` has an `admin_secret`, so its `secret` is for a role of its own: name it with `role = \"…\"` of the application")),
            E::TableHere { span, .. } => make("RBK1014", span, "a table".to_owned()).help("name the database alone, or count its rows: `count(database.schema.table)`"),
            E::NotATable { span } => make("RBK1014", span, "not a table".to_owned()).help("a table is written `database.schema.table`, for instance `original.public.documents`"),
            E::ZeroDeadline { span } => make("RBK1015", span, "passes at once".to_owned()).help("give it time, for instance `within 10m`"),
            E::ZeroInterval { span } => make("RBK1015", span, "would never pause".to_owned()).help("for instance `every 15s`; leave it out for the default"),
            E::IntervalPastDeadline { span, every, within, within_span } => make("RBK1015", span, format!("{} between observations", crate::value::duration_text(every)))
                .relate(within_span, format!("but only {} in all", crate::value::duration_text(within)))
                .help("observe more often, or wait longer"),
            E::EmptyTitle { span } => make("RBK1016", span, "empty".to_owned()).help("a step's name is its identity in plan, journal and report"),
            E::ReservedTitle { span, title } => make("RBK1003", span, if title == super::CLEANUP {
                "is how plan and journal call what is removed when a run fails".to_owned()
            } else {
                "is how plan and journal call the block of that name".to_owned()
            })
                .help("give the step another name"),
            E::EmptyBlock { span } => {
                let mut diagnostic = make("RBK1016", span, "empty".to_owned()).help("leave it out, or say what it does");
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::EmptyReason { span } => make("RBK1016", span, "empty".to_owned()).help("say why, for whoever reads the report"),
            E::SecondOnFailure { span, first } => make("RBK1017", span, "the second".to_owned()).relate(first, "the first").help("put both into one block"),
            E::MatchesItself { span, .. } => make("RBK1030", span, "is equal whatever is in it".to_owned())
                .help("name the same schema or table of two databases"),
            E::NotComparable { span, .. } => make("RBK1030", span, "not two of a kind".to_owned())
                .help("compare two schemas, `source.public matches target.public`, or two tables, `source.public.documents matches target.public.documents`"),
            E::NotRows { span, .. } => make("RBK1030", span, "a view".to_owned())
                .help("compare the tables that it reads"),
            E::NothingToCompare { span, .. } => make("RBK1030", span, "without tables in the lock file".to_owned())
                .help("an assertion that can't fail proves nothing: name a schema with tables"),
            E::UnknownProcedure { span, name, candidates } => suggest(make("RBK1020", span, "no such procedure".to_owned()), span, &name, &candidates, || {
                if candidates.is_empty() {
                    "say what it does: `procedure NAME(target: database) { … }`, here or in a file named with `use \"…\"`".to_owned()
                } else {
                    format!("the procedures are {}", list(&candidates))
                }
            }),
            E::ProcedureArguments { span, name, params, declared, .. } => make("RBK1021", span, "wrong arguments".to_owned())
                .relate(declared, "declared here")
                .help(format!("write `do {name}({})`", params.join(", "))),
            E::Recursion { span, .. } => make("RBK1022", span, "is being done already".to_owned())
                .help("a plan is finite and can be read whole: write the statements out"),
            E::TooManyCalls { span, .. } => make("RBK1022", span, "goes past it".to_owned())
                .help("nobody reads such a plan: do less, or make several runbooks of it"),
            E::SameProcedure { span, first, .. } => make("RBK1023", span, "the second".to_owned())
                .relate(first, "the first")
                .help("the runbook and all files that it uses share their procedures: give each its own name"),
            E::SameCall { span, label_span, first, free, .. } => {
                let diagnostic = make("RBK1024", span, "needs a label of its own".to_owned())
                    .relate(first, "has that name")
                    .help(format!("plan and journal know an action by step and label: `as \"{free}\"`, or better what this call is for"));
                let behind = Span { start: span.end, ..span };
                match label_span {
                    Some(label) => diagnostic.fix(label, format!("\"{free}\"")),
                    None => diagnostic.fix(behind, format!(" as \"{free}\"")),
                }
            }
            E::EmptyLabel { span } => make("RBK1024", span, "empty".to_owned()).help("plan and journal know an action by step and label: say what this call is for"),
            E::NeverDone { span, name } => {
                let mut diagnostic = make("RBK1025", span, "never done, and never checked".to_owned())
                    .help(format!("remove it, or put `do {name}(…)` into a step"));
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
            E::HiddenName { span, name, procedure, defined } => make("RBK1026", span, "not known in here".to_owned())
                .relate(defined, format!("`{name}` is defined here, outside of `{procedure}`"))
                .help("a procedure sees its own parameters and the environment, nothing of where it is done: add a parameter"),
            E::UnnamedArgument { span } => make("RBK1027", span, "would be read wherever the parameter stands".to_owned())
                .help("read it once, before: `let value = …`, and give `value`"),
            E::Beyond { span, name, defined, beyond } => match beyond {
                Beyond::Branch => make("RBK1059", span, "not known outside of the `if`".to_owned())
                    .relate(defined, "known up to the end of this block")
                    .help(format!("use it inside of that block, or read it before the `if`: a run goes one of the ways, and on the other `{name}` is never read")),
                Beyond::Sibling => make("RBK1059", span, "read at the same time, in another step".to_owned())
                    .relate(defined, "known in this step, and behind `parallel`")
                    .help("use it behind `parallel`, or read it before"),
            },
            E::OutOfBounds { span, name, value: Some(_), bounds, text } => make("RBK1060", span, "refused by `where`".to_owned())
                .relate(bounds, "must hold")
                .help(format!("give `{name}` a value for which `{text}` holds")),
            E::OutOfBounds { span, name, value: None, bounds, .. } => make("RBK1060", span, "no value is right".to_owned())
                .relate(bounds, "never holds")
                .help(format!("mend the condition: as it stands it refuses whatever is given for `{name}`")),
            E::NotYet { span, defined, name } => make("RBK1061", span, "not known yet".to_owned())
                .relate(defined, "read after the parameters are given")
                .help(format!("`where` knows the parameter itself and the parameters before it; write `require` for what is compared with `{name}`")),
            E::NotInBounds { span, .. } => make("RBK1061", span, "not here".to_owned()).help(
                "`where` is proven before anything is looked at closely: it compares the parameter with values, parameters before it, `now`, snapshots and what RDS says of a database; write a `require` for the rest",
            ),
            E::TooFewTogether { span, found } => make("RBK1062", span, if found == 0 { "empty" } else { "one step" }.to_owned())
                .help("put two steps or more into it, or leave `parallel` out"),
            E::PersonInParallel { span, keyword, .. } => make("RBK1063", span, "for a person".to_owned())
                .relate(keyword, "its steps are done at the same time")
                .help("put it before or behind `parallel`: whoever reads it must know what is going on, and the other steps would go on meanwhile"),
            E::BlocksTooDeep { span, .. } => make("RBK1064", span, "one too many".to_owned())
                .help("nobody can read that far: put the conditions together, or decide less"),
            E::Unused { span, name, word } => {
                let mut diagnostic = make("RBK1018", span, "never used".to_owned()).help(format!("remove {word} `{name}`, or use it"));
                diagnostic.severity = Severity::Warning;
                diagnostic
            }
        }
    }
}

fn mismatch(
    diagnostic: Diagnostic,
    span: Span,
    expected: Type,
    found: Type,
    value: Option<String>,
) -> Diagnostic {
    match (expected, found, value) {
        (Type::Duration, Type::Integer, Some(number)) => diagnostic
            .help(format!(
                "give the number its unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`"
            ))
            .fix(span, format!("{number}m")),
        (Type::Size, Type::Integer, Some(number)) => diagnostic.help(format!(
            "give the number its unit: `{number}kb`, `{number}mb` or `{number}gb`"
        )),
        (Type::Snapshot, Type::Database, Some(name)) => diagnostic
            .help(format!(
                "name one of its snapshots: `latest snapshot of {name}`"
            ))
            .fix(span, format!("latest snapshot of {name}")),
        (Type::Boolean, Type::Database, Some(name)) => diagnostic.help(format!(
            "say what must hold of it: `{name} is available`, `{name} accepts connections`"
        )),
        (Type::Boolean, Type::Application, Some(name)) => {
            diagnostic.help(format!("say what must hold of it: `{name} is healthy`"))
        }
        (Type::Boolean, ..) => diagnostic.help("a condition compares: `age(snap) <= 24h`"),
        (Type::Replication, ..) => {
            diagnostic.help("a replication is what `let load = replicate …` names: `load is complete`")
        }
        (_, Type::Replication, _) => diagnostic.help(
            "a replication is asked whether it `is complete`, and for its figures; databases are named themselves",
        ),
        (Type::Time, Type::Text, _) => diagnostic
            .help("a time is no text, and stands without quotes: `2026-11-22T09:15:00Z`"),
        (Type::Time, Type::Duration, Some(written)) => {
            diagnostic.help(format!("count from a time: `now - {written}`"))
        }
        (Type::Time, ..) => {
            diagnostic.help("a time is written as `2026-11-22T09:15:00Z`, or counted from one: `now - 1h`")
        }
        _ => diagnostic,
    }
}

pub(super) fn suggest(
    diagnostic: Diagnostic,
    span: Span,
    name: &str,
    candidates: &[String],
    otherwise: impl FnOnce() -> String,
) -> Diagnostic {
    match near(name, candidates.iter().map(String::as_str)) {
        Some(near) => diagnostic
            .help(format!("did you mean `{}`?", near.word))
            .fix_spelling(span, near),
        None => diagnostic.help(otherwise()),
    }
}

fn relate(diagnostic: Diagnostic, place: Option<Span>, text: &str) -> Diagnostic {
    match place {
        Some(span) => diagnostic.relate(span, text),
        None => diagnostic,
    }
}

pub(super) fn list(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.sort();
    names.join(", ")
}

/// `one argument`, `3 arguments`
fn too_few(found: usize) -> &'static str {
    match found {
        0 => "nothing is done in this `parallel`",
        _ => "nothing is done together with this step",
    }
}

fn arguments(count: usize) -> String {
    match count {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        count => format!("{count} arguments"),
    }
}

/// `` through `a` and `b` ``
fn by_way_of(procedures: &[String]) -> String {
    if procedures.is_empty() {
        return String::new();
    }
    let names: Vec<String> = procedures.iter().map(|name| format!("`{name}`")).collect();
    format!(" through {}", names.join(", "))
}

fn example(ty: Type) -> &'static str {
    match ty {
        Type::Duration => "24h",
        Type::Time => "2026-11-22T09:15:00Z",
        Type::Size => "1gb",
        Type::Integer => "42",
        Type::Boolean => "true",
        _ => "…",
    }
}
