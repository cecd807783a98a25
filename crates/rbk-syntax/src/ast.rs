//! The tree of a runbook as it is written: names are not resolved, nothing has a type yet.

use crate::span::{Span, Spanned};
use serde::{Deserialize, Serialize};

/// A name as written: of a parameter, an entity, a function.
pub type Name = Spanned<String>;

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Runbook {
    /// `runbook "Quick recovery"`.
    pub title: Spanned<String>,
    /// The `##` lines that follow the title, without their marks.
    pub doc: Option<Doc>,
    /// In the order they are written.
    pub items: Vec<Item>,
    /// The whole text.
    pub span: Span,
}

/// Documentation: consecutive `##` lines, joined by newlines.
#[derive(Debug, Clone, PartialEq)]
pub struct Doc {
    /// The text without the marks.
    pub text: String,
    /// All its lines.
    pub span: Span,
}

/// What stands at the top level of a file.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a file has few items; boxing some of them would make every reader take them apart"
)]
pub enum Item {
    /// `param source: database = original`
    Param(Param),
    /// `let snap = latest snapshot of source`
    Let(Let),
    /// `require app uses source else "…"`
    Require(Require),
    /// `step "Restore" { … }`
    Step(Step),
    /// `parallel { step "Copy" { … } step "Warm" { … } }`
    Parallel(Parallel),
    /// `on failure { … }`
    OnFailure(OnFailure),
    /// `use "shared.rbk"`
    Use(Use),
    /// `procedure prove(db: database) { … }`
    Procedure(Procedure),
    /// Something that could not be read; its diagnostic was given. Later passes stay silent about it.
    Error(Span),
}

/// A value given from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The `##` lines above it.
    pub doc: Option<Doc>,
    /// Its name.
    pub name: Name,
    /// Its type's name.
    pub ty: Name,
    /// What it is when nothing is given.
    pub default: Option<Expr>,
    /// What must hold of it, behind `where`.
    pub bounds: Option<Expr>,
    /// The whole item.
    pub span: Span,
}

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Let {
    /// The name.
    pub name: Name,
    /// The value.
    pub value: Expr,
    /// The whole item.
    pub span: Span,
}

/// A precondition, proven before the first effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Require {
    /// What must hold.
    pub condition: Expr,
    /// What is said when it doesn't.
    pub otherwise: Option<Text>,
    /// The whole item.
    pub span: Span,
}

/// A named group of statements; the name is its identity in plan and journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The `##` lines above it.
    pub doc: Option<Doc>,
    /// The name.
    pub title: Spanned<String>,
    /// What it does, in order.
    pub body: Vec<Statement>,
    /// The whole block.
    pub span: Span,
}

/// Steps that are done together.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// In the order they are written.
    pub steps: Vec<Step>,
    /// The word `parallel`.
    pub keyword: Span,
    /// The whole block.
    pub span: Span,
}

/// What is done when a step fails.
#[derive(Debug, Clone, PartialEq)]
pub struct OnFailure {
    /// What it does, in order.
    pub body: Vec<Statement>,
    /// The words `on failure`.
    pub keyword: Span,
    /// The whole block.
    pub span: Span,
}

/// Another file whose procedures may be done here.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The file, beside this one unless it is an absolute path.
    pub file: Spanned<String>,
    /// The whole item.
    pub span: Span,
}

/// Statements with a name, put in the place of each `do`.
#[derive(Debug, Clone, PartialEq)]
pub struct Procedure {
    /// The `##` lines above it.
    pub doc: Option<Doc>,
    /// Its name.
    pub name: Name,
    /// What it is given; none has a default.
    pub params: Vec<Param>,
    /// What it does, in order.
    pub body: Vec<Statement>,
    /// The whole block.
    pub span: Span,
}

/// One statement of a step, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// All of it, continuation lines included.
    pub span: Span,
}

/// The statements of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `restore target from snap`
    Restore {
        /// The database that comes into being.
        database: Path,
        /// The snapshot.
        from: Expr,
    },
    /// `restore target from source as of 2026-11-22T09:15:00Z`, `restore target from source as of latest`
    RestoreAsOf {
        /// The database that comes into being.
        database: Path,
        /// The database whose past it gets.
        source: Path,
        /// Which instant.
        at: AsOf,
    },
    /// `snapshot source as "before-the-repair"`
    Snapshot {
        /// The database.
        database: Path,
        /// The snapshot's identifier; absent: one is made up.
        id: Option<Text>,
    },
    /// `if target exists { … } else { … }`
    If {
        /// What decides.
        condition: Expr,
        /// What is done where it holds.
        then: Vec<Statement>,
        /// What is done where it doesn't.
        otherwise: Option<Otherwise>,
        /// The word `if`.
        keyword: Span,
    },
    /// `set credentials of target`
    SetCredentials {
        /// Whose.
        database: Path,
    },
    /// `switch secret of app to target accepting loss`
    SwitchSecret {
        /// The application.
        application: Path,
        /// The database that becomes its active one.
        database: Path,
        /// The words `accepting loss`, where they stand.
        accepting_loss: Option<Span>,
    },
    /// `freeze writes on source if reachable`
    FreezeWrites {
        /// Where.
        database: Path,
        /// The words `if reachable`, where they stand.
        if_reachable: Option<Span>,
    },
    /// `thaw writes on source if reachable`
    ThawWrites {
        /// Where.
        database: Path,
        /// The words `if reachable`, where they stand.
        if_reachable: Option<Span>,
    },
    /// `keep target because "…"`
    Keep {
        /// What was created and stays.
        database: Path,
        /// Why.
        because: Text,
    },
    /// `await target is available within 60m every 15s`
    Await {
        /// What is waited for.
        condition: Expr,
        /// The deadline, a duration.
        within: Expr,
        /// The steady interval, a duration.
        every: Option<Expr>,
    },
    /// `assert checks of target pass else "…"`
    Assert {
        /// What must hold.
        condition: Expr,
        /// What is said when it doesn't.
        otherwise: Option<Text>,
    },
    /// `approve "Point {app} at {target}?"`
    Approve {
        /// What a person is asked.
        prompt: Text,
    },
    /// `note "…"`
    Note {
        /// An instruction for a person.
        text: Text,
    },
    /// `let n = count(target.public.documents)`
    Let {
        /// The name.
        name: Name,
        /// The value, observed on arrival.
        value: Expr,
    },
    /// `let load = replicate source to broken with dms { … }`
    Named {
        /// The name.
        name: Name,
        /// The statement that yields its value: one of those that yield something.
        statement: Box<Statement>,
    },
    /// `destroy target by its removal policy`
    Destroy {
        /// Whose instance.
        database: Path,
        /// What becomes of its data.
        how: Removal,
    },
    /// `keep writes frozen on source because "…"`
    KeepFrozen {
        /// Where.
        database: Path,
        /// Why.
        because: Text,
    },
    /// `recreate schema broken.public`
    RecreateSchema {
        /// A database and a schema of it.
        schema: Path,
    },
    /// `migrate broken`
    Migrate {
        /// The database.
        database: Path,
    },
    /// `drop index broken.public.documents_title_idx`
    DropIndex {
        /// A database, a schema and an index of it.
        index: Path,
    },
    /// `drop indexes on columns of type vector in broken.public`
    DropIndexes {
        /// Which.
        on: Target,
    },
    /// `restore indexes on columns of type vector in broken.public`
    RestoreIndexes {
        /// Which.
        on: Target,
    },
    /// `alter column broken.public.embeddings.embedding_vector to text using "…"`
    AlterColumn {
        /// A database, a schema, a table and a column of it.
        column: Path,
        /// Its new type.
        to: ColumnType,
        /// The expression that makes the new value of the old one.
        using: Option<Text>,
    },
    /// `alter columns of type vector in broken.public to text`
    AlterColumns {
        /// The type that they have.
        of: ColumnType,
        /// A database and a schema of it.
        schema: Path,
        /// The type that they get.
        to: ColumnType,
    },
    /// `restore column types in broken.public`
    RestoreColumnTypes {
        /// A database and a schema of it.
        schema: Path,
    },
    /// `relax not null on broken.public`
    RelaxNotNull {
        /// A schema, a table or a column.
        on: Path,
    },
    /// `restore not null on broken.public`
    RestoreNotNull {
        /// A schema, a table or a column.
        on: Path,
    },
    /// `sync sequences of broken from source`
    SyncSequences {
        /// Whose sequences are moved.
        of: Path,
        /// Whose are read.
        from: Path,
    },
    /// `validate constraints of broken.public`
    ValidateConstraints {
        /// A database and a schema of it.
        of: Path,
    },
    /// `analyze broken`
    Analyze {
        /// The database.
        database: Path,
    },
    /// `sql on broken "…"`
    Sql {
        /// The database.
        database: Path,
        /// Statements, shown and run as they are.
        sql: Text,
    },
    /// `replicate source to broken with copy { … }`
    Replicate {
        /// Where the rows come from.
        from: Path,
        /// Where they go.
        to: Path,
        /// `copy` or `dms`.
        with: Name,
        /// What stands in its braces.
        options: Vec<Entry>,
    },
    /// `run warm_cache { table: "documents" }`
    RunCommand {
        /// A command of the environment.
        command: Name,
        /// What it is given.
        options: Vec<Entry>,
    },
    /// `do prove(target) as "again"`
    Do {
        /// The procedure.
        procedure: Name,
        /// What it is given, in order.
        arguments: Vec<Expr>,
        /// What tells this call from another one in the same step.
        label: Option<Text>,
    },
    /// Something that could not be read; its diagnostic was given.
    Error,
}

/// Which instant a restore goes back to.
#[derive(Debug, Clone, PartialEq)]
pub enum AsOf {
    /// `latest`: the newest that can be restored when it is done.
    Latest {
        /// The word.
        span: Span,
    },
    /// A time.
    Time(Expr),
}

/// `else { … }`; `else if … { … }` is one whose body is that `if` alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Otherwise {
    /// What is done.
    pub body: Vec<Statement>,
    /// The word `else`.
    pub keyword: Span,
}

/// What becomes of the data of an instance that is destroyed.
#[derive(Debug, Clone, PartialEq)]
pub enum Removal {
    /// `with final snapshot as "before-the-return"`
    FinalSnapshot {
        /// The snapshot's identifier; absent: one is made up.
        id: Option<Text>,
        /// These words.
        span: Span,
    },
    /// `without final snapshot`
    WithoutFinalSnapshot {
        /// These words.
        span: Span,
    },
    /// `by its removal policy`
    ByPolicy {
        /// These words.
        span: Span,
    },
}

/// What a statement about indexes is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A schema, a table or a column: `broken.public`, `broken.public.embeddings.embedding_vector`.
    Path(Path),
    /// `columns of type vector in broken.public`
    ColumnsOfType {
        /// Their type.
        ty: ColumnType,
        /// A database and a schema of it.
        schema: Path,
    },
}

/// A type of columns as Postgres writes it: `text`, `vector(1536)`, `timestamp with time zone`, `text[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnType {
    /// In lower case, words one blank apart, no blank around brackets and commas.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// `tables: public.*` of a block of options.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub value: EntryValue,
    /// All of it.
    pub span: Span,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryValue {
    /// Anything that is an expression; a bare word or path is [`ExprKind::Path`].
    Expr(Expr),
    /// `public.*`
    Pattern {
        /// The names before `.*`.
        of: Path,
        /// With the star.
        span: Span,
    },
    /// `[databasechangelog, public.*]`
    List {
        /// Its items, none of them a list.
        items: Vec<EntryValue>,
        /// With its brackets.
        span: Span,
    },
    /// `full, chunk 64kb`
    Qualified {
        /// What stands before the first comma; neither a list nor qualified.
        value: Box<EntryValue>,
        /// At least one.
        qualifiers: Vec<Qualifier>,
        /// All of it.
        span: Span,
    },
}

/// `chunk 64kb` behind the value of an option.
#[derive(Debug, Clone, PartialEq)]
pub struct Qualifier {
    /// `chunk`
    pub name: Name,
    /// `64kb`
    pub value: Expr,
    /// Both.
    pub span: Span,
}

impl EntryValue {
    /// All of it.
    pub fn span(&self) -> Span {
        match self {
            EntryValue::Expr(value) => value.span,
            EntryValue::Pattern { span, .. }
            | EntryValue::List { span, .. }
            | EntryValue::Qualified { span, .. } => *span,
        }
    }
}

/// Text with `{expr}` in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Its parts, in order; neighbours are never both literal.
    pub parts: Vec<TextPart>,
    /// With its quotes.
    pub span: Span,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum TextPart {
    /// Characters, escapes resolved.
    Literal(String),
    /// `{expr}`
    Expr(Expr),
}

impl Text {
    /// The text, if nothing is interpolated.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TextPart::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// `original.public.embeddings`: one or more names with dots between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// At least one.
    pub names: Vec<Name>,
    /// From the first to the last.
    pub span: Span,
}

impl Path {
    /// The first name. (There always is one; the fallback keeps this total.)
    pub fn first(&self) -> &str {
        self.names.first().map_or("", |name| name.value.as_str())
    }

    /// The name, if there is just one.
    pub fn single(&self) -> Option<&Name> {
        match self.names.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&name.value)?;
        }
        Ok(())
    }
}

/// An expression or condition, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// All of it.
    pub span: Span,
}

/// The expressions of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `42`, `1_000`
    Integer(i64),
    /// `true`, `false`
    Boolean(bool),
    /// `"text with {expr}"`
    Text(Text),
    /// `90s`, `5m`, `2h`, `7d`, in seconds.
    Duration(u64),
    /// `512kb`, `1gb`, in bytes; units are powers of 1024.
    Size(u64),
    /// `2026-11-22T09:15:00Z`
    Time(jiff::Timestamp),
    /// A name or a dotted path.
    Path(Path),
    /// `age(snap)`, `count(original.public.documents)`
    Call {
        /// The function.
        function: Name,
        /// What it is given.
        arguments: Vec<Expr>,
    },
    /// `now`
    Now,
    /// `latest snapshot of source`
    LatestSnapshot {
        /// Of which database.
        database: Path,
    },
    /// `oldest snapshot of source`
    OldestSnapshot {
        /// Of which database.
        database: Path,
    },
    /// `snapshot "id" of source`
    Snapshot {
        /// The snapshot's identifier.
        id: Text,
        /// Of which database.
        database: Path,
    },
    /// `query(target, "select max(id) from documents") as integer`
    Query {
        /// Where it runs.
        database: Path,
        /// One read-only statement that gives one value.
        sql: Text,
        /// The type of the value.
        ty: Name,
    },
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `a <= b`, `a and b`, `a + b`
    Binary {
        /// The operator.
        operator: Operator,
        /// Where the operator stands.
        operator_span: Span,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// `target is available`, `target exists`, `app is healthy`, `target accepts connections`
    Is {
        /// Of what.
        subject: Path,
        /// What is said of it.
        quality: Quality,
    },
    /// `app uses source`
    Uses {
        /// The application.
        application: Path,
        /// The database.
        database: Path,
    },
    /// `app has left source`
    HasLeft {
        /// The application.
        application: Path,
        /// The database.
        database: Path,
    },
    /// `source.public matches broken.public`
    Matches {
        /// A schema or a table.
        left: Path,
        /// A schema or a table.
        right: Path,
    },
    /// `no drift in broken`, `no drift`
    NoDrift {
        /// The database; absent: all that the environment names.
        database: Option<Path>,
    },
    /// `checks of target pass`
    ChecksPass {
        /// The database.
        database: Path,
    },
    /// Something that could not be read; its diagnostic was given.
    Error,
}

/// What can be said of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// `exists`
    Exists,
    /// `is available`
    Available,
    /// `accepts connections`
    AcceptsConnections,
    /// `is healthy`
    Healthy,
    /// `is complete`
    Complete,
}

/// Operators between two expressions, loosest first: `or`, `and`, comparisons, `+ -`, `* /`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl Operator {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Or => "or",
            Operator::And => "and",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
        }
    }
}
