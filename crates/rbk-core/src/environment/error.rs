//! What can be wrong with an environment file.

use super::forms::Form;
use rbk_syntax::{Code, Severity, Span, Spanned};

/// The codes of this pass, each with its title.
pub const CODES: &[(Code, &str)] = &[
    (Code("RBK3001"), "the file is not TOML"),
    (Code("RBK3002"), "unknown key"),
    (Code("RBK3003"), "a key is missing"),
    (Code("RBK3004"), "a value of the wrong type"),
    (Code("RBK3005"), "a text does not have its form"),
    (Code("RBK3006"), "not one of the choices"),
    (Code("RBK3007"), "a number is out of bounds"),
    (Code("RBK3008"), "a list is empty"),
    (Code("RBK3009"), "a list says something twice"),
    (
        Code("RBK3010"),
        "an unknown database, application or command",
    ),
    (Code("RBK3011"), "`like` goes in a circle"),
    (Code("RBK3012"), "two databases are the same instance"),
    (Code("RBK3013"), "two databases share a secret"),
    (
        Code("RBK3014"),
        "administration with the application's credentials",
    ),
    (Code("RBK3015"), "the active secret is a database's own"),
    (
        Code("RBK3016"),
        "a role of its own, but no secret to administrate with",
    ),
    (
        Code("RBK3017"),
        "a secret to administrate with, but no role",
    ),
    (Code("RBK3018"), "two roles for one secret"),
    (Code("RBK3019"), "a tunnel without a placeholder"),
    (Code("RBK3020"), "where the active database is named"),
    (Code("RBK3021"), "a database and an application of one name"),
    (Code("RBK3022"), "two applications share an active secret"),
    (Code("RBK3023"), "a secret's name ends like an ARN"),
    (
        Code("RBK3024"),
        "the drill's application does not use its database",
    ),
    (Code("RBK3025"), "a drill with two disasters"),
    (Code("RBK3031"), "no such environment"),
    (Code("RBK3032"), "no environment is named"),
    (Code("RBK3033"), "the project file is wrong"),
    (
        Code("RBK3034"),
        "the project file or the folder of environments can't be read",
    ),
    (Code("RBK3035"), "the lock file is not TOML"),
    (Code("RBK3036"), "the lock file is of a newer version"),
    (
        Code("RBK3037"),
        "the lock file says something else than rbk writes",
    ),
    (Code("RBK3038"), "a hole in a command that nothing fills"),
    (Code("RBK3039"), "an argument that no hole takes"),
    (
        Code("RBK3040"),
        "the changelog is outside of its search path",
    ),
    (
        Code("RBK3041"),
        "a command that the stack can't be deployed or read with",
    ),
    (Code("RBK3042"), "a certificate that nothing is verified by"),
];

/// Where a line can be added to a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insert {
    /// As a line of its own before this place.
    Before(Span),
    /// As a line of its own below this place.
    Below(Span),
}

/// A mistake in an environment file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnvironmentError {
    /// The parser stopped there.
    #[error("this is not TOML: {problem}")]
    Syntax {
        /// In the parser's words.
        problem: String,
        /// What may stand there, in the parser's words.
        expected: Option<String>,
        /// Where.
        span: Span,
    },
    /// A key that means nothing there.
    #[error("unknown key `{}` in {table}", shown(key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table's title.
        table: String,
        /// The key's place.
        span: Span,
        /// Keys that the table knows and does not have yet.
        free: Vec<&'static str>,
        /// Other tables that know the key.
        homes: Vec<String>,
    },
    /// A key that a table must have.
    #[error("{table} has no `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table's title.
        table: String,
        /// The table's name.
        span: Span,
        /// What to write.
        line: String,
        /// Where to write it, if it can be a line of its own.
        insert: Option<Insert>,
        /// Why it is asked for, or where else it may stand.
        note: Option<&'static str>,
    },
    /// A value of another type.
    #[error("`{}` must be {expected}, not {found}", shown(path))]
    WrongType {
        /// The key behind its tables.
        path: String,
        /// The right type.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
        /// The value's place.
        span: Span,
        /// The value in the right type, where that is plain.
        replacement: Option<String>,
    },
    /// A text that breaks a rule.
    #[error("`{}` is not {}", shown(value), form.what)]
    BadForm {
        /// The text.
        value: String,
        /// The rule.
        form: &'static Form,
        /// Its place.
        span: Span,
        /// One that keeps the rule, where that is plain.
        replacement: Option<String>,
    },
    /// A word that is none of the choices.
    #[error("`{}` is no choice for `{}`", shown(value), shown(path))]
    NoSuchChoice {
        /// The key behind its tables.
        path: String,
        /// The word.
        value: String,
        /// Its place.
        span: Span,
        /// The choices.
        choices: Vec<&'static str>,
    },
    /// A number that is too small or too large.
    #[error(
        "`{}` must be between {least} and {most}, not {}",
        shown(path),
        shown(value)
    )]
    OutOfBounds {
        /// The key behind its tables.
        path: String,
        /// As written.
        value: String,
        /// Its place.
        span: Span,
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A list without anything in it.
    #[error("`{}` is empty", shown(path))]
    EmptyList {
        /// The key behind its tables.
        path: String,
        /// The list's place.
        span: Span,
        /// What belongs into it.
        what: &'static str,
        /// One of those.
        example: &'static str,
    },
    /// A list that says something twice.
    #[error("`{}` lists `{}` twice", shown(path), shown(value))]
    ListedTwice {
        /// The key behind its tables.
        path: String,
        /// What it says twice.
        value: String,
        /// The second place.
        span: Span,
        /// The first place.
        first: Span,
    },
    /// A name that nothing in the file has.
    #[error("there is no {kind} `{}`", shown(name))]
    UnknownName {
        /// `database`, `application` or `command`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Its place.
        span: Span,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Databases that describe each other.
    #[error("`like` goes in a circle")]
    LikeCircle {
        /// What each says behind `like`, and where.
        links: Vec<Spanned<String>>,
    },
    /// Two databases that are one.
    #[error("`{database}` and `{other}` are the same instance, `{instance}`")]
    SameInstance {
        /// The instance.
        instance: String,
        /// The later database.
        database: String,
        /// Its place.
        span: Span,
        /// The earlier database.
        other: String,
        /// Its place.
        first: Span,
    },
    /// Two databases with one secret.
    #[error("`{database}` and `{other}` share the secret `{secret}`")]
    SharedSecret {
        /// The secret.
        secret: String,
        /// The later database.
        database: String,
        /// Its place.
        span: Span,
        /// The earlier database.
        other: String,
        /// Its place.
        first: Span,
    },
    /// One secret for administration and for the application.
    #[error("`{database}` is administrated with the application's secret `{secret}`")]
    AdminIsApplication {
        /// The database.
        database: String,
        /// The secret.
        secret: String,
        /// Where `admin_secret` names it.
        span: Span,
        /// Where `secret` names it.
        first: Span,
    },
    /// An active secret that holds a database's own credentials.
    #[error("the active secret of `{application}` is the {key} of `{database}`")]
    ActiveIsCredential {
        /// The application.
        application: String,
        /// Where the active secret is named.
        span: Span,
        /// The database.
        database: String,
        /// `secret` or `admin_secret`.
        key: &'static str,
        /// Where the database names it.
        first: Span,
    },
    /// An application that logs in with a role of its own, on a database without a secret for administration.
    #[error("`{application}` has a role of its own, but `{database}` no `admin_secret`")]
    RoleWithoutAdmin {
        /// The application.
        application: String,
        /// Where `role` is.
        role: Span,
        /// The database.
        database: String,
        /// The database's name.
        span: Span,
        /// Where to write `admin_secret`.
        insert: Option<Insert>,
        /// A name for the secret to begin with.
        line: String,
    },
    /// A database with a secret for administration, and an application that names no role.
    #[error("`{database}` has an `admin_secret`, but `{application}` no `role`")]
    AdminWithoutRole {
        /// The database.
        database: String,
        /// Where `admin_secret` is.
        admin: Span,
        /// The application.
        application: String,
        /// The application's name.
        span: Span,
        /// Where to write `role`.
        insert: Option<Insert>,
    },
    /// Applications with different roles on one database.
    #[error("`{application}` and `{other}` log in to `{database}` with different roles")]
    RolesDiffer {
        /// The database.
        database: String,
        /// The later application.
        application: String,
        /// Its place.
        span: Span,
        /// The earlier application.
        other: String,
        /// Its place.
        first: Span,
    },
    /// A tunnel command that isn't told what it must know.
    #[error("the tunnel command has no `{placeholder}`")]
    TunnelWithout {
        /// The missing placeholder.
        placeholder: &'static str,
        /// The command's place.
        span: Span,
    },
    /// A placeholder that nothing is put in for.
    #[error(
        "the tunnel command has an unknown placeholder `{}`",
        shown(placeholder)
    )]
    UnknownPlaceholder {
        /// The placeholder.
        placeholder: String,
        /// Its place.
        span: Span,
    },
    /// `active` that does not say one thing.
    #[error("`{}` {problem}", shown(path))]
    Active {
        /// The key behind its tables.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
        /// Its place.
        span: Span,
    },
    /// A name that means two things.
    #[error("`{name}` names a database and an application")]
    NamedTwice {
        /// The name.
        name: String,
        /// Where the application is.
        span: Span,
        /// Where the database is.
        first: Span,
    },
    /// Two applications that are switched together.
    #[error("`{application}` and `{other}` share the active secret `{secret}`")]
    SharedActive {
        /// The secret.
        secret: String,
        /// The later application.
        application: String,
        /// Its place.
        span: Span,
        /// The earlier application.
        other: String,
        /// Its place.
        first: Span,
    },
    /// A secret's name with what looks like the random end of its ARN.
    #[error("`{secret}` ends like an ARN")]
    EndsLikeArn {
        /// The name.
        secret: String,
        /// Its place.
        span: Span,
        /// The name without that end.
        stem: String,
    },
    /// A hole in a command that is none of its arguments.
    #[error("nothing fills the hole `{{{}}}`", shown(hole))]
    HoleWithout {
        /// The name in it.
        hole: String,
        /// Its place.
        span: Span,
        /// The variable of that name that holds a secret.
        secret: Option<String>,
        /// What the command is given.
        arguments: Vec<String>,
    },
    /// A command whose program is chosen by whoever writes the runbook.
    #[error("the program is the hole `{{{}}}`", shown(hole))]
    HoleAsProgram {
        /// The name in it.
        hole: String,
        /// Its place.
        span: Span,
    },
    /// An argument that changes nothing.
    #[error("no hole takes the argument `{}`", shown(argument))]
    ArgumentUnused {
        /// Its name.
        argument: String,
        /// Its place.
        span: Span,
    },
    /// A changelog that can't be named relative to the folder that it must be in.
    #[error("the changelog is outside of `search_path`")]
    ChangelogOutside {
        /// The changelog's place.
        span: Span,
        /// The folder's place.
        folder: Span,
    },
    /// A command that can't be what `active.stack` names it for.
    #[error("the command `{command}` can't be what {purpose} the active database of a stack")]
    StackCommand {
        /// Its name.
        command: String,
        /// `deploys` or `reads`.
        purpose: &'static str,
        /// Where it is named.
        span: Span,
        /// What is wrong with it.
        problem: String,
        /// What it should be.
        help: &'static str,
    },
    /// A stack of which nothing is said.
    #[error("the stack has no settings")]
    EmptyStack {
        /// The table's name.
        span: Span,
    },
    /// A certificate beside a `tls` that looks at none.
    #[error("nothing is verified by the certificate: `tls` is `{tls}`")]
    NothingVerified {
        /// What `tls` is.
        tls: &'static str,
        /// Where it says so; absent: it is the default.
        written: Option<Span>,
        /// The certificate's place.
        span: Span,
    },
    /// A file without any database.
    #[error("the file has no `[databases.NAME]`")]
    NoDatabase {
        /// The top of the file.
        span: Span,
    },
    /// A drill with two disasters.
    #[error("a drill has one disaster")]
    TwoDisasters {
        /// The second one.
        span: Span,
    },
    /// A drill whose application does not use its database.
    #[error("the drill's application `{application}` does not use its database `{database}`")]
    DrillApart {
        /// The application.
        application: String,
        /// Where the drill names it.
        span: Span,
        /// The database.
        database: String,
        /// Where the application lists its databases.
        list: Span,
    },
}

impl EnvironmentError {
    /// Its number.
    pub fn code(&self) -> Code {
        Code(match self {
            Self::Syntax { .. } => "RBK3001",
            Self::UnknownKey { .. } => "RBK3002",
            Self::MissingKey { .. } | Self::NoDatabase { .. } => "RBK3003",
            Self::WrongType { .. } => "RBK3004",
            Self::BadForm { .. } => "RBK3005",
            Self::NoSuchChoice { .. } => "RBK3006",
            Self::OutOfBounds { .. } => "RBK3007",
            Self::EmptyList { .. } => "RBK3008",
            Self::ListedTwice { .. } => "RBK3009",
            Self::TwoDisasters { .. } => "RBK3025",
            Self::UnknownName { .. } => "RBK3010",
            Self::LikeCircle { .. } => "RBK3011",
            Self::SameInstance { .. } => "RBK3012",
            Self::SharedSecret { .. } => "RBK3013",
            Self::AdminIsApplication { .. } => "RBK3014",
            Self::ActiveIsCredential { .. } => "RBK3015",
            Self::RoleWithoutAdmin { .. } => "RBK3016",
            Self::AdminWithoutRole { .. } => "RBK3017",
            Self::RolesDiffer { .. } => "RBK3018",
            Self::TunnelWithout { .. } | Self::UnknownPlaceholder { .. } => "RBK3019",
            Self::Active { .. } => "RBK3020",
            Self::NamedTwice { .. } => "RBK3021",
            Self::SharedActive { .. } => "RBK3022",
            Self::EndsLikeArn { .. } => "RBK3023",
            Self::DrillApart { .. } => "RBK3024",
            Self::HoleWithout { .. } | Self::HoleAsProgram { .. } => "RBK3038",
            Self::ArgumentUnused { .. } => "RBK3039",
            Self::ChangelogOutside { .. } => "RBK3040",
            Self::StackCommand { .. } => "RBK3041",
            Self::NothingVerified { .. } => "RBK3042",
            Self::EmptyStack { .. } => "RBK3008",
        })
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::SharedActive { .. } | Self::EndsLikeArn { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// What a tunnel command is told.
pub(super) const PLACEHOLDERS: [&str; 3] = ["{host}", "{port}", "{local_port}"];

/// How a table is called on the screen.
pub(super) fn title(path: &str) -> String {
    if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("`[{}]`", shown(path))
    }
}

/// A user's text, short and on one line, whatever it holds.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            if c.is_control() || turns_text(c) {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}

/// Whether a character shows nothing itself but changes how its neighbours are shown.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
