//! What can be wrong with an environment file, and how each is told.

use super::forms::Form;
use super::suggest::nearest;
use rbk_syntax::{Code, Diagnostic, Severity, SourceId, Span, Spanned};

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
    (Code("RBK3010"), "an unknown database or application"),
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
    #[error("`{path}` must be {expected}, not {found}")]
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
    #[error("`{}` is no choice for `{path}`", shown(value))]
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
    #[error("`{path}` must be between {least} and {most}, not {value}")]
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
    #[error("`{path}` is empty")]
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
    #[error("`{path}` lists `{}` twice", shown(value))]
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
        /// `database` or `application`.
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
    #[error("the tunnel command has an unknown placeholder `{placeholder}`")]
    UnknownPlaceholder {
        /// The placeholder.
        placeholder: String,
        /// Its place.
        span: Span,
    },
    /// `active` that does not say one thing.
    #[error("`{path}` {problem}")]
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
        })
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::SharedActive { .. } | Self::EndsLikeArn { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// As it is shown.
    pub fn into_diagnostic(self) -> Diagnostic {
        let (code, severity, message) = (self.code(), self.severity(), self.to_string());
        let at = |span: Span, label: &str| Diagnostic {
            severity,
            ..Diagnostic::error(code, message.clone(), span, label)
        };
        match self {
            Self::Syntax { span, expected, .. } => match expected.as_deref() {
                Some("nothing") => at(span, "too much"),
                Some("literal string") => at(span, "put it in quotes"),
                Some(expected) => at(span, &format!("expected {expected}")),
                None => at(span, "here"),
            },
            Self::UnknownKey {
                key,
                span,
                free,
                homes,
                table,
            } => match nearest(&key, free.iter().copied()) {
                Some(near) => at(span, "not known")
                    .help(format!("did you mean `{near}`?"))
                    .fix(span, near),
                None if !homes.is_empty() => at(span, "not known here")
                    .help(format!("`{key}` belongs into {}", homes.join(" or "))),
                None if free.is_empty() => {
                    at(span, "not known").help(format!("{table} has every key that it can have"))
                }
                None => at(span, "not known").help(format!(
                    "{table} can also have {}",
                    ticked(free.iter().copied())
                )),
            },
            Self::MissingKey {
                span,
                line,
                insert,
                note,
                table,
                ..
            } => {
                let mut help = format!("add `{line}`");
                if insert.is_none() {
                    help.push_str(&format!(" to {table}"));
                }
                if let Some(note) = note {
                    help.push_str("; ");
                    help.push_str(note);
                }
                add(at(span, "missing here").help(help), insert, &line)
            }
            Self::WrongType {
                span,
                expected,
                replacement,
                ..
            } => {
                let told = at(span, &format!("must be {expected}"));
                match replacement {
                    Some(text) => told.help(format!("write `{text}`")).fix(span, text),
                    None => told,
                }
            }
            Self::BadForm {
                form,
                span,
                replacement,
                ..
            } => {
                let told = at(span, form.rule);
                match replacement {
                    Some(text) => told.help(format!("write `{text}`")).fix(span, text),
                    None => told.help(format!("one that fits: `{}`", form.example)),
                }
            }
            Self::NoSuchChoice {
                value,
                span,
                choices,
                ..
            } => {
                let told = at(span, "no such choice");
                match nearest(&value, choices.iter().copied()) {
                    Some(near) => told
                        .help(format!("did you mean `{near}`?"))
                        .fix(span, format!("{near:?}")),
                    None => told.help(format!("one of {}", ticked(choices))),
                }
            }
            Self::OutOfBounds {
                span, least, most, ..
            } => at(span, "out of bounds")
                .help(format!("write a number between {least} and {most}")),
            Self::EmptyList {
                span,
                what,
                example,
                ..
            } => at(span, "nothing in it").help(format!(
                "name at least one; {what} looks like this: `[\"{example}\"]`"
            )),
            Self::ListedTwice { span, first, .. } => at(span, "a second time")
                .relate(first, "the first time")
                .help("take one of them out"),
            Self::UnknownName {
                kind,
                name,
                span,
                known,
            } => {
                let told = at(span, "not in this file");
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                match nearest(&name, known.iter().copied()) {
                    Some(near) => told
                        .help(format!("did you mean `{near}`?"))
                        .fix(span, format!("{near:?}")),
                    None if known.is_empty() => {
                        told.help(format!("this file describes no {kind} yet"))
                    }
                    None => told.help(format!("this file has {}", ticked(known))),
                }
            }
            Self::LikeCircle { links } => {
                let mut links = links.into_iter();
                let (span, label) = match links.next() {
                    Some(first) => (first.span, format!("like `{}`", first.value)),
                    None => (Span::new(SourceId::default(), 0, 0), String::new()),
                };
                let told = at(span, &label).help(
                    "write one of them out in full, without `like`, and let the others be like it",
                );
                links.fold(told, |told, link| {
                    told.relate(link.span, format!("which is like `{}`", link.value))
                })
            }
            Self::SameInstance { span, first, .. } => at(span, "the same instance")
                .relate(first, "named here already")
                .help("give each an instance of its own: what is done to one would be done to the other"),
            Self::SharedSecret { span, first, .. } => at(span, "the same secret")
                .relate(first, "used here already")
                .help("give each database a secret of its own: setting the credentials of one would lock the other out"),
            Self::AdminIsApplication { span, first, .. } => at(span, "the application's")
                .relate(first, "used by the application")
                .help("name the master user's secret here; or leave `admin_secret` out, if the application logs in as the master user"),
            Self::ActiveIsCredential {
                span, first, key, ..
            } => at(span, "a switch would overwrite it")
                .relate(first, format!("the {key} of a database"))
                .help("name a secret that only says which database is active, or that holds a copy of its credentials"),
            Self::RoleWithoutAdmin {
                role,
                span,
                insert,
                line,
                ..
            } => add(
                at(span, "no `admin_secret`")
                    .relate(role, "a role that isn't the master user")
                    .help(format!(
                        "add `{line}` with the master user's credentials: rbk would administrate with the application's otherwise; or leave `role` out, if the application logs in as the master user"
                    )),
                insert,
                &line,
            ),
            Self::AdminWithoutRole {
                admin,
                span,
                insert,
                application,
                ..
            } => {
                let line = format!("role = \"{application}_app\"");
                add(
                    at(span, "no `role`")
                        .relate(admin, "so `secret` isn't the master user's")
                        .help(format!(
                            "add `{line}` with the role that it logs in with; or leave `admin_secret` out, if that is the master user"
                        )),
                    insert,
                    &line,
                )
            }
            Self::RolesDiffer { span, first, .. } => at(span, "one role")
                .relate(first, "another role")
                .help("a database has one `secret`, which holds one role: let both log in with the same, or describe them as one application"),
            Self::TunnelWithout { span, placeholder } => {
                at(span, "the tunnel command").help(format!(
                    "put `{placeholder}` where the command expects {}",
                    match placeholder {
                        "{host}" => "the database's host",
                        "{port}" => "the database's port",
                        _ => "the port on this machine",
                    }
                ))
            }
            Self::UnknownPlaceholder { placeholder, span } => {
                let told = at(span, "nothing is put in for it");
                match nearest(&placeholder, PLACEHOLDERS.iter().copied()) {
                    Some(near) => told.help(format!("did you mean `{near}`?")),
                    None => told.help(format!("there are {}", ticked(PLACEHOLDERS))),
                }
            }
            Self::Active { span, .. } => at(span, "here").help(
                "write `{ pointer = \"…\" }` for a secret that names the active database's secret, or `{ copy = \"…\" }` for one that holds a copy of its credentials",
            ),
            Self::NamedTwice { span, first, .. } => at(span, "an application")
                .relate(first, "a database")
                .help("give one of them another name, so that a runbook says what it means"),
            Self::SharedActive { span, first, .. } => at(span, "the same active secret")
                .relate(first, "used here already")
                .help("switching one switches the other: describe them as one application, or give each a secret of its own"),
            Self::EndsLikeArn { span, stem, .. } => at(span, "a hyphen and six characters")
                .help(format!(
                    "Secrets Manager adds such an end in ARNs: if it was copied from there, the name is `{stem}`"
                )),
            Self::NoDatabase { span } => at(span, "in all of it").help(
                "describe the database that there is and the one that a restore creates: `[databases.original]`, `[databases.recovery]`",
            ),
            Self::TwoDisasters { span } => at(span, "the second one")
                .help("take one of them out: each drill shows one"),
            Self::DrillApart {
                span,
                list,
                database,
                ..
            } => at(span, "drilled with")
                .relate(list, format!("`{database}` isn't among these"))
                .help(format!("add `{database}` to the application's databases, or drill another one")),
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

fn add(told: Diagnostic, insert: Option<Insert>, line: &str) -> Diagnostic {
    match insert {
        Some(Insert::Before(span)) => told.fix(span, format!("{line}\n")),
        Some(Insert::Below(span)) => told.fix(span, format!("\n{line}")),
        None => told,
    }
}

fn ticked<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// A user's text, short and on one line, whatever it holds.
fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            if c.is_control() {
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
