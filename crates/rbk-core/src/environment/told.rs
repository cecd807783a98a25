//! How each mistake in an environment file is told: labels, help and the edit that mends it.

use super::error::{EnvironmentError, Insert, PLACEHOLDERS};
use rbk_syntax::nearest;
use rbk_syntax::{Diagnostic, SourceId, Span};

impl EnvironmentError {
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
                "write `{ pointer = \"…\" }` for a secret that names the active database's secret, `{ copy = \"…\" }` for one that holds a copy of its credentials, or `{ stack = { apply = \"…\", read = \"…\" } }` for a setting of the deployed stack",
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
            Self::HoleWithout {
                span,
                secret: Some(variable),
                ..
            } => at(span, "would show in every list of processes").help(format!(
                "a secret never becomes an argument: the program finds it in its environment, as `{variable}`"
            )),
            Self::HoleWithout {
                hole,
                span,
                arguments,
                ..
            } => {
                let told = at(span, "none of the command's arguments");
                match nearest(&hole, arguments.iter().map(String::as_str)) {
                    Some(near) => told
                        .help(format!("did you mean `{{{near}}}`?"))
                        .fix(span, format!("{{{near}}}")),
                    None => told.help(format!(
                        "declare it: `arguments = {{ {hole} = \"text\" }}`"
                    )),
                }
            }
            Self::HoleAsProgram { span, .. } => at(span, "a runbook would choose what is run")
                .help("name the program here; declare a command for each"),
            Self::ArgumentUnused { argument, span } => at(span, "changes nothing").help(format!(
                "put `{{{argument}}}` where the program expects it, or take the argument out"
            )),
            Self::ChangelogOutside { span, folder } => at(span, "outside")
                .relate(folder, "of this folder")
                .help("change sets are known by their path from that folder: name one that the changelog is in, or leave `search_path` out"),
            Self::StackCommand {
                span,
                problem,
                help,
                ..
            } => at(span, &problem).help(help),
            Self::EmptyStack { span } => at(span, "nothing in it").help(
                "name at least one setting and what it must be: `recovery_enabled = \"recovery exists\"`; or leave `[stack]` out",
            ),
            Self::NothingVerified {
                span,
                written: Some(tls),
                ..
            } => at(span, "not looked at")
                .relate(tls, "encrypted at most, whoever answers")
                .help("write `tls = \"verify-full\"`, or leave `certificate` out")
                .fix(tls, "\"verify-full\""),
            Self::NothingVerified { span, .. } => at(span, "not looked at")
                .help("add `tls = \"verify-full\"`, or leave `certificate` out"),
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
