//! Evaluating a plan's expressions against the world: one value, what was seen, and whether waiting may help.

use super::active::{named, source_snapshot};
use super::backup::{
    newest_snapshot, oldest_snapshot, restorable_from, restorable_until, retention, snapshot_gap,
};
use super::compare::{drift, matches};
use super::compute::{age, negate};
use super::credentials::{Content, pointed_at};
use super::failure::Failure;
use super::look::{Look, Unreached, differences};
use super::replication::{complete, figure};
use super::survey::no_drift;
use crate::environment::Active;
use crate::ids::{ApplicationName, DatabaseName, SecretName, SnapshotId};
use crate::plan::{Action, Expr, InstanceSettings, Operator, Template, TemplatePart, combine};
use crate::ports::{PortErrorKind, Session};
use crate::value::{Snapshot, Type, Value};
use std::future::Future;
use std::pin::Pin;

/// A value, and how it came to be.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub value: Value,
    pub text: String,
    pub hope: Hope,
    /// How far it is, and of how much, where there is something to count.
    pub done: Option<(u64, u64)>,
}

/// Whether a condition that doesn't hold may come to hold by waiting.
#[derive(Debug, Clone)]
pub(crate) enum Hope {
    /// It may.
    Open,
    /// Not if it stays like this for a while.
    Doubtful(Failure),
    /// It can't.
    Gone(Failure),
}

impl Seen {
    pub fn of(value: Value) -> Self {
        Self {
            text: value.to_string(),
            value,
            hope: Hope::Open,
            done: None,
        }
    }

    pub fn condition(holds: bool, text: impl Into<String>) -> Self {
        Self {
            value: Value::Boolean(holds),
            text: text.into(),
            hope: Hope::Open,
            done: None,
        }
    }

    /// `done` of so many.
    pub(super) fn at(mut self, done: (u64, u64)) -> Self {
        self.done = Some(done);
        self
    }

    pub(super) fn hoping(mut self, hope: Hope) -> Self {
        self.hope = hope;
        self
    }

    pub fn holds(&self) -> Result<bool, Failure> {
        match self.value {
            Value::Boolean(holds) => Ok(holds),
            ref other => Err(Failure::Bug {
                message: format!("a condition is a {}", other.ty()),
            }),
        }
    }
}

type Evaluating<'f> = Pin<Box<dyn Future<Output = Result<Seen, Failure>> + Send + 'f>>;

/// Evaluates an expression.
pub(crate) fn evaluate<'f>(look: &'f mut Look<'_>, expr: &'f Expr) -> Evaluating<'f> {
    Box::pin(async move {
        match expr {
            Expr::Value(value) => Ok(Seen::of(value.clone())),
            Expr::Binding { name, .. } => match look.facts.bindings.get(name) {
                Some(value) => Ok(Seen::of(value.clone())),
                None => Err(Failure::Bug {
                    message: format!("`{name}` is used before it was observed"),
                }),
            },
            Expr::Parameter { name, .. } => parameter(look, name),
            Expr::RestorableFrom { database } => restorable_from(look, database).await,
            Expr::RestorableUntil { database } => restorable_until(look, database).await,
            Expr::Retention { database } => retention(look, database).await,
            Expr::SnapshotGap { database } => snapshot_gap(look, database).await,
            Expr::OldestSnapshot { database } => oldest_snapshot(look, database).await,
            Expr::Now => Ok(Seen::of(Value::Time(look.world.clock.now()))),
            Expr::Age(inner) => {
                let of = evaluate(look, inner).await?;
                age(&of.value, look.world.clock.now()).map(Seen::of)
            }
            Expr::Not(inner) => {
                let seen = evaluate(look, inner).await?;
                Ok(Seen::condition(!seen.holds()?, seen.text))
            }
            Expr::Negate(inner) => {
                let seen = evaluate(look, inner).await?;
                negate(&seen.value).map(Seen::of)
            }
            Expr::Binary {
                operator,
                left,
                right,
            } => two_sides(look, *operator, left, right).await,
            Expr::Count { database, table } => {
                let rows = session(look, database).await?.count(table).await?;
                let rows = i64::try_from(rows).map_err(|_| Failure::Evaluation {
                    doing: format!("counting {table}"),
                    reason: "more rows than a number can hold".to_owned(),
                })?;
                Ok(Seen::of(Value::Integer(rows)))
            }
            Expr::Query { database, sql, ty } => {
                let value = session(look, database).await?.query(sql, *ty).await?;
                Ok(Seen::of(value))
            }
            Expr::Size { database, table } => {
                let bytes = session(look, database).await?.size(table.as_ref()).await?;
                Ok(Seen::of(Value::Size(bytes)))
            }
            Expr::Matches {
                left,
                right,
                left_path,
                right_path,
                tables,
            } => {
                let left = (left, left_path.as_str());
                let right = (right, right_path.as_str());
                matches(look, left, right, tables).await
            }
            Expr::NoDrift { database } => no_drift(look, database.as_ref()).await,
            Expr::AsLocked { database } => as_locked(look, database).await,
            Expr::ActiveSecret { application } => named(look, application).await,
            Expr::SourceSnapshot { database } => source_snapshot(look, database).await,
            Expr::Complete { replication } => complete(look, replication).await,
            Expr::Figure {
                replication,
                figure: wanted,
            } => figure(look, replication, *wanted).await,
            Expr::LatestSnapshot { database } => newest_snapshot(look, database).await,
            Expr::Snapshot { id, database } => {
                let id = SnapshotId::new(render(look, id).await?);
                snapshot(look, database, id).await
            }
            Expr::Exists { database } => {
                let id = &look.database(database)?.instance;
                Ok(match look.instance(database).await? {
                    Some(is) => {
                        Seen::condition(true, format!("instance `{id}` is `{}`", is.status))
                    }
                    None => Seen::condition(false, format!("there is no instance `{id}`")),
                })
            }
            Expr::Available { database } => available(look, database).await,
            Expr::AcceptsConnections { database } => accepts_connections(look, database).await,
            Expr::ChecksPass { database } => checks_pass(look, database).await,
            Expr::Healthy { application } => healthy(look, application).await,
            Expr::Uses {
                application,
                database,
            } => uses(look, application, database).await,
            Expr::HasLeft {
                application,
                database,
            } => has_left(look, application, database).await,
        }
    })
}

/// Writes a template with its parts evaluated.
pub(crate) async fn render(look: &mut Look<'_>, template: &Template) -> Result<String, Failure> {
    let mut text = String::new();
    for part in &template.0 {
        match part {
            TemplatePart::Text(part) => text.push_str(part),
            TemplatePart::Expr(expr) => {
                text.push_str(&evaluate(look, expr).await?.value.to_string());
            }
        }
    }
    Ok(text)
}

/// The application's active database, as its secret names it now. `None`: it names none that it may use.
pub(crate) async fn active_database(
    look: &mut Look<'_>,
    application: &ApplicationName,
) -> Result<Option<DatabaseName>, Failure> {
    for database in &look.application(application)?.databases {
        if uses(look, application, database).await?.holds()? {
            return Ok(Some(database.clone()));
        }
    }
    Ok(None)
}

async fn two_sides(
    look: &mut Look<'_>,
    operator: Operator,
    left: &Expr,
    right: &Expr,
) -> Result<Seen, Failure> {
    let left = evaluate(look, left).await?;
    match operator {
        Operator::And => {
            if !left.holds()? {
                return Ok(left);
            }
            let right = evaluate(look, right).await?;
            right.holds()?;
            Ok(right)
        }
        Operator::Or => {
            if left.holds()? {
                return Ok(left);
            }
            let right = evaluate(look, right).await?;
            if right.holds()? {
                return Ok(right);
            }
            // Hopeless only if both sides are.
            let hope = match (left.hope, right.hope) {
                (Hope::Open, _) | (_, Hope::Open) => Hope::Open,
                (doubt @ Hope::Doubtful(_), _) | (_, doubt) => doubt,
            };
            Ok(Seen::condition(false, format!("{}; {}", left.text, right.text)).hoping(hope))
        }
        operator => {
            let right = evaluate(look, right).await?;
            let value = combine(operator, &left.value, &right.value).map_err(|error| {
                Failure::Evaluation {
                    doing: format!("computing `{}`", operator.symbol()),
                    reason: error.to_string(),
                }
            })?;
            let mut seen = Seen::of(value);
            if seen.value.ty() == Type::Boolean {
                seen.text = format!("{} {} {}", left.text, operator.symbol(), right.text);
            }
            Ok(seen)
        }
    }
}

async fn as_locked(look: &mut Look<'_>, database: &DatabaseName) -> Result<Seen, Failure> {
    let drift = drift(look, database).await?;
    Ok(Seen::condition(drift.differences.is_empty(), drift.text()))
}

pub(super) async fn session<'l>(
    look: &'l mut Look<'_>,
    database: &DatabaseName,
) -> Result<&'l dyn Session, Failure> {
    look.session(database)
        .await
        .map_err(|unreached| unreached.into_failure(database))
}

/// A parameter that was a hole in the plan: whoever ran it gave the value.
fn parameter(look: &Look<'_>, name: &str) -> Result<Seen, Failure> {
    let value = look.plan.parameter(name).and_then(|it| it.value.clone());
    value.map(Seen::of).ok_or_else(|| Failure::Evaluation {
        doing: format!("reading parameter `{name}`"),
        reason: format!("it has no value: say it with `--set {name}=…`"),
    })
}

async fn snapshot(
    look: &mut Look<'_>,
    database: &DatabaseName,
    id: SnapshotId,
) -> Result<Seen, Failure> {
    let instance = &look.database(database)?.instance;
    let found = look
        .world
        .rds
        .snapshots(instance)
        .await?
        .into_iter()
        .find(|snapshot| snapshot.id == id && snapshot.instance == *instance);
    found.map(seen_snapshot).ok_or_else(|| Failure::NoSnapshot {
        instance: instance.clone(),
        wanted: Some(id),
    })
}

pub(super) fn seen_snapshot(snapshot: Snapshot) -> Seen {
    let mut seen = Seen::of(Value::Snapshot(snapshot.clone()));
    if let Some(time) = snapshot.data_time() {
        seen.text = format!("{} of {time}", snapshot.id);
    }
    seen
}

async fn available(look: &mut Look<'_>, database: &DatabaseName) -> Result<Seen, Failure> {
    let id = look.database(database)?.instance.clone();
    let Some(is) = look.instance(database).await? else {
        return Ok(
            Seen::condition(false, format!("there is no instance `{id}`"))
                .hoping(Hope::Doubtful(Failure::Vanished { instance: id })),
        );
    };
    if let Some(status) = is.terminal_status() {
        return Ok(
            Seen::condition(false, format!("status `{status}`")).hoping(Hope::Gone(
                Failure::Terminal {
                    instance: id,
                    status: status.to_owned(),
                },
            )),
        );
    }
    if !is.is_settled() {
        let mut text = format!("status `{}`", is.status);
        for pending in is.pending.iter().chain(&is.unsettled) {
            text.push_str(", pending: ");
            text.push_str(pending);
        }
        return Ok(Seen::condition(false, text));
    }
    // What this run created must be what it asked for, before anything is built upon it.
    if look.facts.created.contains_key(database)
        && let Some(asked) = asked_settings(look, database)
    {
        let differences = differences(asked, &is);
        if !differences.is_empty() {
            return Ok(
                Seen::condition(false, differences.join("; ")).hoping(Hope::Gone(
                    Failure::SettingsDiffer {
                        instance: id,
                        differences,
                    },
                )),
            );
        }
    }
    Ok(Seen::condition(true, "status `available`, settled"))
}

fn asked_settings<'p>(look: &Look<'p>, name: &DatabaseName) -> Option<&'p InstanceSettings> {
    let plan = look.plan;
    plan.actions().find_map(|planned| match &planned.action {
        Action::RestoreFromSnapshot {
            database, settings, ..
        }
        | Action::RestoreToPointInTime {
            database, settings, ..
        } if database == name => Some(settings),
        _ => None,
    })
}

async fn accepts_connections(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let session = match look.session(database).await {
        Ok(session) => session,
        Err(Unreached::Nothing(reason)) => {
            return terminal_or(look, database, Seen::condition(false, reason)).await;
        }
        Err(Unreached::Unreachable(error)) => return Ok(Seen::condition(false, error.message)),
        Err(Unreached::Failed(Failure::Port(error)))
            if error.kind == PortErrorKind::LoginRefused =>
        {
            return Ok(Seen::condition(false, error.message));
        }
        Err(Unreached::Failed(failure)) => return Err(failure),
    };
    match session.whoami().await {
        Ok(facts) if facts.in_recovery => Ok(Seen::condition(false, "the server still replays")),
        Ok(facts) => Ok(Seen::condition(
            true,
            format!("logged in as {} to {}", facts.role, facts.server_version),
        )),
        Err(error) if error.kind == PortErrorKind::Unreachable => {
            Ok(Seen::condition(false, error.message))
        }
        Err(error) => Err(error.into()),
    }
}

/// A condition that can't come to hold on an instance that doesn't come back.
async fn terminal_or(
    look: &mut Look<'_>,
    database: &DatabaseName,
    seen: Seen,
) -> Result<Seen, Failure> {
    let id = look.database(database)?.instance.clone();
    Ok(match look.instance(database).await? {
        None => seen.hoping(Hope::Doubtful(Failure::Vanished { instance: id })),
        Some(is) => match is.terminal_status() {
            Some(status) => seen.hoping(Hope::Gone(Failure::Terminal {
                instance: id,
                status: status.to_owned(),
            })),
            None => seen,
        },
    })
}

async fn checks_pass(look: &mut Look<'_>, database: &DatabaseName) -> Result<Seen, Failure> {
    let checks = &look.database(database)?.checks;
    let findings = session(look, database).await?.checks(checks).await?;
    let failed = findings.iter().any(|finding| !finding.holds);
    let text: Vec<String> = findings
        .iter()
        .filter(|finding| finding.holds != failed)
        .map(|finding| format!("{}: {}", finding.check, finding.seen))
        .collect();
    Ok(Seen::condition(!failed, text.join("; ")))
}

async fn healthy(look: &mut Look<'_>, application: &ApplicationName) -> Result<Seen, Failure> {
    let health = look
        .application(application)?
        .health
        .as_ref()
        .ok_or_else(|| Failure::Bug {
            message: format!("application `{application}` has no health check"),
        })?;
    let answer = look.world.health.ask(health).await?;
    Ok(Seen::condition(
        answer.healthy,
        format!("it answers {}", answer.seen),
    ))
}

async fn uses(
    look: &mut Look<'_>,
    application: &ApplicationName,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let wanted = &look.database(database)?.secret;
    let holds = match &look.application(application)?.active {
        Active::Pointer { secret, field } => {
            let value = look.current(secret).await?;
            pointed_at(secret, &value, field.as_deref())? == *wanted
        }
        Active::Copy { secret } => same_credentials(look, secret, wanted, database).await?,
        Active::Stack { .. } => look.stack(application).await? == wanted.as_str(),
    };
    let verb = if holds { "uses" } else { "does not use" };
    Ok(Seen::condition(
        holds,
        format!("{application} {verb} {database}"),
    ))
}

/// Whether a copy says the same as a database's own secret, and means the instance's address where it has one.
async fn same_credentials(
    look: &mut Look<'_>,
    copy: &SecretName,
    original: &SecretName,
    database: &DatabaseName,
) -> Result<bool, Failure> {
    let value = look.current(copy).await?;
    let copy = Content::parse(copy, &value)?;
    let value = look.current(original).await?;
    let original = Content::parse(original, &value)?;
    let same = copy.endpoint() == original.endpoint()
        && copy.text("dbname") == original.text("dbname")
        && copy.text("username") == original.text("username");
    if !same {
        return Ok(false);
    }
    let address = look
        .instance(database)
        .await?
        .and_then(|instance| instance.endpoint);
    Ok(address.is_none() || copy.endpoint() == address)
}

async fn has_left(
    look: &mut Look<'_>,
    application: &ApplicationName,
    database: &DatabaseName,
) -> Result<Seen, Failure> {
    let role = look.application(application)?.role.clone();
    let id = look.database(database)?.instance.clone();
    match look.instance(database).await? {
        None => {
            return Ok(Seen::condition(
                true,
                format!("there is no instance `{id}`"),
            ));
        }
        Some(is) if is.terminal_status().is_some() => {
            return Ok(Seen::condition(
                true,
                format!("instance `{id}` is `{}`", is.status),
            ));
        }
        Some(_) => {}
    }
    let session = match look.session(database).await {
        Ok(session) => session,
        Err(Unreached::Nothing(reason)) => return Ok(Seen::condition(false, reason)),
        Err(Unreached::Unreachable(error)) => return Ok(Seen::condition(false, error.message)),
        Err(Unreached::Failed(failure)) => return Err(failure),
    };
    let sessions = session.sessions(role.as_ref()).await?;
    let whose = role.map_or("any role".to_owned(), |role| format!("role `{role}`"));
    Ok(Seen::condition(
        sessions == 0,
        format!("{sessions} sessions of {whose} on {database}"),
    ))
}
