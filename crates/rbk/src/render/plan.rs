//! A plan for the reviewer: every action in order with its exact parameters, holes and approvals in plain sight.

use super::colour::{Paint, printable};
use super::expression::{Wording, literal};
use rbk_core::ids::{DatabaseName, RoleName};
use rbk_core::plan::{
    Action, Freeze, InstanceSettings, Origin, Plan, PlannedAction, Preflight, Risk, SecretContent,
};
use rbk_core::value::{Value, duration_text};
use std::fmt::Write;

/// Draws the whole plan.
pub fn human(plan: &Plan, paint: Paint) -> String {
    let mut sheet = Sheet {
        plan,
        paint,
        wording: Wording::of(plan, paint),
        out: String::new(),
    };
    sheet.title();
    sheet.parameters();
    sheet.preflight();
    for step in &plan.steps {
        let heading = format!("Step \"{}\"", printable(step.path.as_str()));
        sheet.block(&heading, step.doc.as_deref(), &step.actions);
    }
    if !plan.on_failure.is_empty() {
        sheet.block("On failure", None, &plan.on_failure);
    }
    sheet.total();
    sheet.out
}

/// Upper bounds of actions, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Seconds of what is bounded.
    pub seconds: u64,
    /// How many actions wait for a person, for as long as that takes.
    pub people: usize,
}

impl Bound {
    /// Adds them up.
    pub fn of<'a>(actions: impl IntoIterator<Item = &'a PlannedAction>) -> Self {
        actions
            .into_iter()
            .fold(Self::default(), |sum, planned| match planned.upper_bound {
                Some(seconds) => Self {
                    seconds: sum.seconds.saturating_add(seconds),
                    ..sum
                },
                None => Self {
                    people: sum.people + 1,
                    ..sum
                },
            })
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.seconds, self.people) {
            (0, 0) => f.write_str("at once"),
            (0, _) => f.write_str("as long as a person takes"),
            (seconds, 0) => write!(f, "at most {}", duration_text(seconds)),
            (seconds, _) => write!(
                f,
                "at most {} and as long as a person takes",
                duration_text(seconds)
            ),
        }
    }
}

/// The word for a risk, with its mark, painted.
pub fn risk_word(risk: Risk, paint: Paint) -> String {
    match risk {
        Risk::Reads => paint.dim("· reads"),
        Risk::Creates => paint.green("+ creates"),
        Risk::Changes => paint.yellow("~ changes"),
        Risk::Destroys => paint.red("- destroys"),
    }
}

struct Sheet<'a> {
    plan: &'a Plan,
    paint: Paint,
    wording: Wording<'a>,
    out: String,
}

/// How far an action's parameters are indented.
const INDENT: &str = "      ";

impl Sheet<'_> {
    fn line(&mut self, text: impl std::fmt::Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.out, "{text}");
    }

    fn title(&mut self) {
        let plan = self.plan;
        self.line(self.paint.bold(printable(&plan.runbook.title)));
        if let Some(doc) = &plan.runbook.doc {
            self.line(printable(doc));
        }
        self.line("");
        let hash = plan
            .runbook
            .sha256
            .get(..12)
            .unwrap_or(&plan.runbook.sha256);
        self.line(format_args!(
            "runbook      {} (sha256 {hash})",
            printable(&plan.runbook.file)
        ));
        let environment = &plan.environment;
        self.line(format_args!(
            "environment  {}: account {}, region {}",
            self.paint.bold(&environment.name),
            self.paint.bold(&environment.account),
            self.paint.bold(&environment.region),
        ));
        if let Some(tunnel) = &environment.access.tunnel {
            self.line(format_args!(
                "access       {}",
                printable(&tunnel.join(" "))
            ));
        }
    }

    fn parameters(&mut self) {
        let rows: Vec<[String; 4]> = self
            .plan
            .parameters
            .iter()
            .map(|parameter| {
                [
                    parameter.name.clone(),
                    parameter.ty.to_string(),
                    self.value(&parameter.value),
                    origin(parameter.origin, &self.plan.environment.name),
                ]
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.heading("Parameters", "");
        for line in columns(&rows) {
            self.line(format_args!("  {line}"));
        }
    }

    /// A value, with the instance behind a database's name.
    fn value(&self, value: &Value) -> String {
        let text = literal(value);
        match value {
            Value::Database(name) => match self.plan.environment.database(name) {
                Some(database) => format!("{text} (instance {})", database.instance),
                None => text,
            },
            _ => text,
        }
    }

    fn preflight(&mut self) {
        self.heading("Read and proven before the first effect", "");
        for preflight in &self.plan.preflight {
            let text = match preflight {
                Preflight::Identity { account, region } => {
                    format!("the credentials are of account {account}, the region is {region}")
                }
                Preflight::Absent { database, instance } => {
                    format!("there is no instance {instance} yet ({database})")
                }
                Preflight::SecretVersion { secret } => format!(
                    "the secret {secret} exists and isn't being rotated; its current version is remembered"
                ),
                Preflight::ActiveDatabase { application } => {
                    format!("which database {application} uses; remembered for `on failure`")
                }
                Preflight::Observe { statement, .. } | Preflight::Require { statement, .. } => {
                    printable(statement)
                }
            };
            self.line(format_args!(
                "  {} {}",
                self.paint.dim("·"),
                indent(&text, "    ")
            ));
            if let Preflight::Require { condition, .. } = preflight {
                let condition = self.wording.expr(condition);
                self.line(self.paint.dim(format_args!("    that is: {condition}")));
            }
        }
    }

    fn block(&mut self, heading: &str, doc: Option<&str>, actions: &[PlannedAction]) {
        self.heading(heading, &Bound::of(actions).to_string());
        if let Some(doc) = doc {
            self.line(format_args!("  {}", indent(&printable(doc), "  ")));
        }
        let mut statement = None;
        for (index, planned) in actions.iter().enumerate() {
            // A statement of several actions is said once, above the first of them.
            if statement != Some(&planned.statement) {
                let text = printable(&planned.statement);
                self.line("");
                self.line(format_args!("  {}", self.paint.cyan(indent(&text, "  "))));
                statement = Some(&planned.statement);
            }
            self.action(index + 1, planned);
        }
    }

    fn action(&mut self, number: usize, planned: &PlannedAction) {
        let summary = printable(&planned.summary);
        let (mark, summary) = match &planned.action {
            Action::Approve { .. } | Action::Note { .. } => {
                let paint = self.paint;
                (paint.magenta("? a person"), paint.magenta(&summary))
            }
            _ => (
                risk_word(planned.risk, self.paint),
                self.paint.bold(&summary),
            ),
        };
        self.line(format_args!("  {number:>2}. {}", indent(&summary, INDENT)));
        let bound = planned.upper_bound.filter(|seconds| *seconds > 0);
        let bound = bound.map_or_else(String::new, |seconds| {
            format!(", at most {}", duration_text(seconds))
        });
        let id = printable(planned.id.as_str());
        self.line(format_args!(
            "{INDENT}{mark}{}",
            self.paint.dim(format_args!("{bound}  [{id}]"))
        ));
        let parameters: Vec<[String; 2]> = self
            .action_parameters(&planned.action)
            .into_iter()
            .map(|(name, value)| [name.to_owned(), value])
            .collect();
        for line in columns(&parameters) {
            self.line(format_args!("{INDENT}  {}", indent(&line, INDENT)));
        }
    }

    /// Every parameter of an action, in words.
    fn action_parameters(&self, action: &Action) -> Vec<(&'static str, String)> {
        match action {
            Action::RestoreFromSnapshot {
                database,
                snapshot,
                settings,
            } => {
                let mut parameters = vec![
                    ("database", database.to_string()),
                    ("snapshot", self.wording.expr(snapshot)),
                ];
                parameters.extend(settings_parameters(settings));
                parameters
            }
            Action::StageSecret { secret, content } => {
                let mut parameters = vec![
                    ("secret", secret.to_string()),
                    ("label", "RBK-‹run›, so that nobody reads it yet".to_owned()),
                ];
                parameters.extend(content_parameters(content));
                parameters
            }
            Action::SetMasterPassword {
                database,
                instance,
                secret,
            } => vec![
                ("database", database.to_string()),
                ("instance", instance.to_string()),
                ("password", format!("as staged in {secret}")),
            ],
            Action::SetRolePassword {
                database,
                role,
                secret,
                administration,
            } => vec![
                ("database", database.to_string()),
                ("role", role.to_string()),
                ("password", format!("as staged in {secret}")),
                ("logs in with", administration.to_string()),
            ],
            Action::ProveLogin {
                database,
                secret,
                through,
            } => {
                let mut parameters = vec![
                    ("database", database.to_string()),
                    ("logs in with", format!("what is staged in {secret}")),
                ];
                parameters.extend(
                    through
                        .as_ref()
                        .map(|secret| ("through", secret.to_string())),
                );
                parameters
            }
            Action::PromoteSecret { secret } => vec![
                ("secret", secret.to_string()),
                (
                    "moves",
                    "AWSCURRENT, from the version seen at preflight to the staged one".to_owned(),
                ),
            ],
            Action::RevertSecret { secret } => vec![
                ("secret", secret.to_string()),
                (
                    "moves",
                    "AWSCURRENT back to the version seen at preflight, if this run moved it"
                        .to_owned(),
                ),
            ],
            Action::FreezeWrites {
                database,
                freeze,
                if_reachable,
            } => freeze_parameters(database, freeze_words(freeze), *if_reachable),
            Action::ThawWrites {
                database,
                freeze,
                if_reachable,
            } => freeze_parameters(database, thaw_words(freeze), *if_reachable),
            Action::Keep { database, because } => vec![
                ("database", database.to_string()),
                ("because", self.wording.template(because)),
            ],
            Action::Await {
                condition,
                within,
                every,
            } => vec![
                ("until", self.wording.expr(condition)),
                ("within", duration_text(*within)),
                ("every", duration_text(*every)),
            ],
            Action::Assert {
                condition,
                otherwise,
            } => {
                let mut parameters = vec![("that", self.wording.expr(condition))];
                parameters.extend(
                    otherwise
                        .as_ref()
                        .map(|text| ("else", self.wording.template(text))),
                );
                parameters
            }
            Action::Approve { prompt, typed } => {
                let mut parameters = vec![("asks", self.wording.template(prompt))];
                parameters.extend(typed.as_ref().map(|name| ("must type", name.clone())));
                parameters
            }
            Action::Note { text } => vec![("says", self.wording.template(text))],
            Action::Observe { name, expr, ty } => vec![
                ("name", format!("{name} ({ty})")),
                ("reads", self.wording.expr(expr)),
            ],
        }
    }

    fn total(&mut self) {
        let count = |wanted: Risk| {
            let actions = self.plan.steps.iter().flat_map(|step| &step.actions);
            actions.filter(|planned| planned.risk == wanted).count()
        };
        let parts: Vec<String> = [
            (Risk::Reads, "read"),
            (Risk::Creates, "create"),
            (Risk::Changes, "change"),
            (Risk::Destroys, "destroy"),
        ]
        .into_iter()
        .filter_map(|(risk, word)| {
            let count = count(risk);
            (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "s" } else { "" }))
        })
        .collect();
        let actions = self.plan.steps.iter().flat_map(|step| &step.actions);
        let (number, bound) = (actions.clone().count(), Bound::of(actions));
        self.line("");
        self.line(self.paint.bold(format_args!(
            "{number} action{}: {}. Takes {bound}.",
            if number == 1 { "" } else { "s" },
            if parts.is_empty() {
                "nothing to do".to_owned()
            } else {
                parts.join(", ")
            },
        )));
    }

    fn heading(&mut self, text: &str, aside: &str) {
        self.line("");
        if aside.is_empty() {
            self.line(self.paint.bold(text));
        } else {
            self.line(format_args!(
                "{}{}",
                self.paint.bold(text),
                self.paint.dim(format_args!(", {aside}"))
            ));
        }
    }
}

/// Continues a text of several lines under its first one.
fn indent(text: &str, by: &str) -> String {
    text.trim_end().replace('\n', &format!("\n{by}"))
}

/// Aligns all columns but the last.
fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

fn origin(origin: Origin, environment: &str) -> String {
    match origin {
        Origin::Given => "given with --set".to_owned(),
        Origin::Environment => format!("from environment {environment}"),
        Origin::Default => "the runbook's default".to_owned(),
    }
}

fn freeze_parameters(
    database: &DatabaseName,
    how: String,
    if_reachable: bool,
) -> Vec<(&'static str, String)> {
    let unreachable = if if_reachable {
        "skipped, and reported so"
    } else {
        "fails"
    };
    vec![
        ("database", database.to_string()),
        ("how", how),
        ("unreachable", unreachable.to_owned()),
    ]
}

fn freeze_words(freeze: &Freeze) -> String {
    match freeze {
        Freeze::NoLogin { roles } => {
            format!("NOLOGIN for {}, and their sessions ended", list(roles))
        }
        Freeze::ReadOnly => {
            "default_transaction_read_only, and other sessions ended (weaker: a session can override it)".to_owned()
        }
    }
}

fn thaw_words(freeze: &Freeze) -> String {
    match freeze {
        Freeze::NoLogin { roles } => format!("LOGIN for {}", list(roles)),
        Freeze::ReadOnly => "default_transaction_read_only reset".to_owned(),
    }
}

fn list(roles: &[RoleName]) -> String {
    let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    roles.join(", ")
}

fn content_parameters(content: &SecretContent) -> Vec<(&'static str, String)> {
    match content {
        SecretContent::NewPassword { database, username } => vec![
            (
                "password",
                "‹made when it is staged, shown nowhere›".to_owned(),
            ),
            (
                "username",
                username.as_ref().map_or_else(
                    || format!("‹the master user of {database}, read from its instance›"),
                    ToString::to_string,
                ),
            ),
            (
                "address",
                format!("‹of {database}, read from its instance›"),
            ),
            ("other keys", "as in the current version".to_owned()),
        ],
        SecretContent::Pointer {
            database,
            to,
            field,
        } => {
            let mut parameters = vec![
                ("database", database.to_string()),
                ("points to", to.to_string()),
            ];
            parameters.extend(field.as_ref().map(|field| ("in its key", field.clone())));
            parameters
        }
        SecretContent::CopyOf { database, from } => vec![
            ("database", database.to_string()),
            (
                "content",
                format!("a copy of the current version of {from}"),
            ),
        ],
    }
}

fn settings_parameters(settings: &InstanceSettings) -> Vec<(&'static str, String)> {
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let tags: Vec<String> = settings
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let own = "rbk:run, rbk:action, rbk:plan, rbk:source-snapshot";
    vec![
        ("instance", settings.instance.to_string()),
        ("class", settings.class.clone()),
        ("subnet group", settings.subnet_group.clone()),
        ("security groups", settings.security_groups.join(", ")),
        ("parameter group", settings.parameter_group.clone()),
        ("multi-AZ", yes(settings.multi_az)),
        ("public address", yes(settings.publicly_accessible)),
        (
            "storage",
            settings
                .storage_type
                .clone()
                .unwrap_or_else(|| "as the source had it".to_owned()),
        ),
        ("IAM logins", yes(settings.iam_authentication)),
        ("retention", format!("{}d", settings.retention_days)),
        ("deletion protection", yes(settings.deletion_protection)),
        (
            "tags",
            if tags.is_empty() {
                own.to_owned()
            } else {
                format!("{}, and {own}", tags.join(", "))
            },
        ),
    ]
}
