//! What state everything is in after what a journal tells, and what may be done by hand.

use super::schema::Schemas;
use crate::environment::Database;
use crate::ids::{ActionId, ApplicationName, DatabaseName, RunId, SecretName};
use crate::journal::{ActionFacts, Event, Facts, Outcome, Proof};
use crate::listing::counted;
use crate::plan::{Action, Plan, PlannedAction, ReplicationMeans, ReplicationNames, SecretContent};
use crate::run::EndingKind;
use crate::shell::shell_word;
use serde::Serialize;
use std::collections::BTreeSet;

/// What state an entity is in, as far as this run knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntityState {
    /// `database recovery (instance x)`, `application sgpt`.
    pub entity: String,
    /// In words.
    pub state: String,
}

/// What state everything is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// A line an entity.
    pub entities: Vec<EntityState>,
    /// What may be done by hand now, and what to type next.
    pub by_hand: Vec<String>,
}

/// Folds what is known into what people need in the middle of the night.
pub fn situation(plan: &Plan, facts: &Facts, run: &RunId, kind: EndingKind) -> Situation {
    let teller = Teller { plan, facts };
    let mut entities = Vec::new();
    for (name, database) in &plan.environment.databases {
        if let Some(state) = teller.database(name, database) {
            entities.push(EntityState {
                entity: format!("database {name} (instance `{}`)", database.instance),
                state,
            });
        }
    }
    for (name, application) in &plan.environment.applications {
        let state = match application.active.secret() {
            Some(secret) => teller.application(name, secret),
            None => teller.stack(name),
        };
        if let Some(state) = state {
            entities.push(EntityState {
                entity: format!("application {name}"),
                state,
            });
        }
    }
    for left in teller.replications(run) {
        entities.push(EntityState {
            entity: format!("replication {}", left.name),
            state: left.state(),
        });
    }
    Situation {
        entities,
        by_hand: teller.by_hand(run, kind),
    }
}

/// How many statements are shown.
const SHOWN: usize = 5;

struct Teller<'a> {
    plan: &'a Plan,
    facts: &'a Facts,
}

/// How far an action got.
pub(super) enum Got {
    NotBegun,
    /// A call may have been sent, and nothing is known of it.
    InFlight,
    Done,
    Skipped,
    /// Begun and not done.
    Not,
}

/// What is left of a replication: it is billed, or in the way.
struct Left {
    name: String,
    to: DatabaseName,
    capacity: u32,
    config: Option<String>,
    endpoints: Vec<String>,
    is_started: bool,
    is_proven: bool,
}

impl Left {
    fn state(&self) -> String {
        let mut parts = Vec::new();
        if let Some(config) = &self.config {
            parts.push(if self.is_started {
                format!(
                    "replication config `{config}` is there: up to {} are BILLED until it is deleted, also after its end",
                    counted(usize::try_from(self.capacity).unwrap_or(usize::MAX), "capacity unit", "capacity units")
                )
            } else {
                format!("replication config `{config}` is there, not started")
            });
        }
        if !self.endpoints.is_empty() {
            let ids: Vec<String> = self.endpoints.iter().map(|id| format!("`{id}`")).collect();
            let (endpoints, are) = if ids.len() == 1 {
                ("endpoint", "is")
            } else {
                ("endpoints", "are")
            };
            parts.push(format!("{endpoints} {} {are} there", ids.join(" and ")));
        }
        if self.is_started && !self.is_proven {
            parts.push(format!(
                "the tables that it loads in {} aren't proven to be complete",
                self.to
            ));
        }
        parts.join("; ")
    }

    fn by_hand(&self, run: &RunId, is_over: bool) -> String {
        if is_over {
            let config = self
                .config
                .iter()
                .map(|id| format!("replication config `{id}`"));
            let endpoints = self.endpoints.iter().map(|id| format!("endpoint `{id}`"));
            let all: Vec<String> = config.chain(endpoints).collect();
            format!(
                "delete what is left of replication {} in DMS, in this order: {}",
                self.name,
                all.join(", ")
            )
        } else {
            format!(
                "what replication {} is made of stays, and is billed as said above; `rbk abort {run}` removes it",
                self.name
            )
        }
    }
}

/// What became of a snapshot that this run takes.
fn taken(known: Option<&ActionFacts>, got: Got) -> Option<String> {
    let over = known.and_then(|known| known.over.as_ref());
    match (got, over) {
        (
            Got::Done,
            Some(Event::Outcome(Outcome::Done {
                proof: Some(Proof::Taken { snapshot, .. }),
                ..
            })),
        ) => Some(format!("this run took snapshot `{}` of it", snapshot.id)),
        (Got::InFlight, _) => Some("this run may be taking a snapshot of it".to_owned()),
        _ => None,
    }
}

/// How an instance went.
fn destroyed(known: Option<&ActionFacts>) -> String {
    let proof = match known.and_then(|known| known.over.as_ref()) {
        Some(Event::Outcome(Outcome::Done { proof, .. })) => proof.as_ref(),
        _ => None,
    };
    match proof {
        Some(Proof::Destroyed {
            final_snapshot: Some(snapshot),
            ..
        }) => format!("destroyed by this run; its final snapshot is `{snapshot}`"),
        _ => "destroyed by this run, without a final snapshot".to_owned(),
    }
}

impl Teller<'_> {
    fn got(&self, id: &ActionId) -> Got {
        let Some(known) = self.facts.action(id) else {
            return Got::NotBegun;
        };
        match &known.over {
            Some(Event::Outcome(Outcome::Done { .. }) | Event::Approved { .. }) => Got::Done,
            Some(Event::Skipped { .. }) => Got::Skipped,
            Some(_) => Got::Not,
            None if known.intent.is_some() => Got::InFlight,
            None => Got::Not,
        }
    }

    /// The actions that were begun, in the order in which they would have been.
    fn begun(&self) -> impl Iterator<Item = (&PlannedAction, Got)> {
        self.plan
            .actions()
            .map(|planned| (planned, self.got(&planned.id)))
            .filter(|(_, got)| !matches!(got, Got::NotBegun))
    }

    /// What became of a database's schemas.
    fn schemas(&self, name: &DatabaseName) -> Schemas {
        let begun = self.begun().map(|(planned, got)| {
            let known = self.facts.action(&planned.id);
            let attempted = known.is_some_and(|known| known.attempts > 0);
            (planned, got, attempted)
        });
        Schemas::of(name, &self.plan.replications, begun)
    }

    fn database(&self, name: &DatabaseName, database: &Database) -> Option<String> {
        let mut existence = None;
        let mut credentials = None;
        let mut writes = None;
        let mut kept = None;
        let mut protection = None;
        let mut is_gone = false;
        let mut snapshots = Vec::new();
        for (planned, got) in self.begun() {
            match &planned.action {
                Action::RestoreFromSnapshot { database, .. }
                | Action::RestoreToPointInTime { database, .. }
                    if database == name =>
                {
                    existence = match got {
                        Got::Done => Some("created by this run".to_owned()),
                        Got::InFlight => {
                            Some("this run may have created it: not decided yet".to_owned())
                        }
                        _ => Some("not created".to_owned()),
                    };
                }
                Action::SetMasterPassword { database, .. }
                | Action::SetRolePassword { database, .. }
                    if database == name =>
                {
                    credentials = match got {
                        Got::Done => Some("has its new password"),
                        Got::InFlight => Some("its password may have been changed"),
                        _ => credentials,
                    };
                }
                Action::PromoteSecret { secret }
                    if *secret == database.secret || *secret == *database.administration() =>
                {
                    if matches!(got, Got::Done) {
                        credentials = Some("its secret holds its new password");
                    }
                }
                Action::FreezeWrites { database, .. } if database == name => {
                    writes = match got {
                        Got::Done => Some("writes are FROZEN"),
                        Got::InFlight => Some("writes may be frozen"),
                        Got::Skipped => Some("writes were NOT frozen: it could not be reached"),
                        _ => writes,
                    };
                }
                Action::ThawWrites { database, .. } if database == name => {
                    writes = match (got, writes) {
                        (Got::Done, _) => Some("writes are open"),
                        (Got::Skipped, Some("writes are FROZEN" | "writes may be frozen")) => {
                            Some("writes are still FROZEN: it could not be reached to thaw them")
                        }
                        _ => writes,
                    };
                }
                Action::Keep { database, .. } if database == name => {
                    if matches!(got, Got::Done) {
                        kept = Some("stays on purpose");
                    }
                }
                Action::KeepFrozen { database, .. } if database == name => {
                    if matches!(got, Got::Done) {
                        kept = Some("its writes stay frozen on purpose");
                    }
                }
                Action::LiftProtection { database, .. } if database == name => {
                    protection = match got {
                        Got::Done => Some("its deletion protection is OFF"),
                        Got::InFlight => Some("its deletion protection may be off"),
                        _ => protection,
                    };
                }
                Action::CreateSnapshot { database, .. } if database == name => {
                    snapshots.extend(taken(self.facts.action(&planned.id), got));
                }
                Action::DestroyInstance { database, .. } if database == name => {
                    existence = match got {
                        Got::Done => Some(destroyed(self.facts.action(&planned.id))),
                        Got::InFlight => Some("it may be being deleted".to_owned()),
                        _ => existence,
                    };
                    is_gone = matches!(got, Got::Done);
                }
                _ => {}
            }
        }
        if is_gone {
            // Nothing else is to be said of what isn't there.
            return existence;
        }
        let parts: Vec<String> = existence
            .into_iter()
            .chain(
                [credentials, protection, writes, kept]
                    .into_iter()
                    .flatten()
                    .map(str::to_owned),
            )
            .chain(snapshots)
            .chain(self.schemas(name).states())
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn application(&self, name: &ApplicationName, active: &SecretName) -> Option<String> {
        let mut staged: Option<&DatabaseName> = None;
        let before = self.facts.active.get(name).cloned().flatten();
        let mut state = before.as_ref().map(|before| format!("uses {before}"));
        for (planned, got) in self.begun() {
            match &planned.action {
                Action::StageSecret { secret, content } if secret == active => {
                    staged = match content {
                        SecretContent::Pointer { database, .. }
                        | SecretContent::CopyOf { database, .. } => Some(database),
                        SecretContent::NewPassword { .. } => staged,
                    };
                }
                Action::RevertSecret { secret } if secret == active => {
                    if let (Got::Done, Some(before)) = (got, &before) {
                        state = Some(format!("uses {before}"));
                    }
                }
                Action::PromoteSecret { secret } if secret == active => {
                    let to = staged.map_or("another database".to_owned(), ToString::to_string);
                    let from = before.as_ref().filter(|before| Some(*before) != staged);
                    let from = from.map_or(String::new(), |from| format!(" (before: {from})"));
                    match got {
                        Got::Done => state = Some(format!("uses {to}{from}")),
                        Got::InFlight => {
                            state = Some(format!("may have been switched to {to}{from}"));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        state
    }

    /// An application that is told its database by the deployed stack.
    fn stack(&self, name: &ApplicationName) -> Option<String> {
        let before = self.facts.active.get(name).cloned().flatten();
        let mut state = before.map(|before| format!("uses {before}"));
        for (planned, got) in self.begun() {
            if let Action::ApplyStack {
                application,
                database,
                ..
            } = &planned.action
                && application == name
            {
                state = match got {
                    Got::Done => Some(format!("uses {database}, as the stack says")),
                    Got::InFlight => Some(format!("the stack may have moved it to {database}")),
                    Got::NotBegun | Got::Skipped | Got::Not => state,
                };
            }
        }
        state
    }

    /// What is left of the replications that this run began.
    fn replications(&self, run: &RunId) -> Vec<Left> {
        let replications = self.plan.replications.iter();
        let left = replications.filter_map(|(name, planned)| {
            let ReplicationMeans::Dms(dms) = &planned.with else {
                return None;
            };
            let names = ReplicationNames::new(run, name);
            let mut left = Left {
                name: name.clone(),
                to: planned.to.clone(),
                capacity: dms.capacity,
                config: None,
                endpoints: Vec::new(),
                is_started: false,
                is_proven: self
                    .facts
                    .replications
                    .get(name)
                    .is_some_and(|facts| facts.proven),
            };
            for (planned, got) in self.begun() {
                let known = self.facts.action(&planned.id);
                // What was sent and failed may have been made all the same: it counts until it is seen to be gone.
                let is_sent = known.is_some_and(|known| known.attempts > 0);
                let is_over = matches!(got, Got::Done | Got::Skipped);
                match &planned.action {
                    Action::CreateReplication { replication } if replication == name => {
                        left.config = is_sent.then(|| names.base.clone());
                    }
                    Action::StartReplication { replication } if replication == name => {
                        left.is_started |= is_sent || matches!(got, Got::Done);
                    }
                    Action::DeleteReplication { replication } if replication == name => {
                        left.config = left.config.filter(|_| !is_over);
                    }
                    Action::CreateEndpoint { replication, side }
                        if replication == name && is_sent =>
                    {
                        left.endpoints.push(names.endpoint(*side));
                    }
                    Action::DeleteEndpoint { replication, side } if replication == name => {
                        let gone = names.endpoint(*side);
                        left.endpoints.retain(|id| !is_over || *id != gone);
                    }
                    _ => {}
                }
            }
            (left.config.is_some() || !left.endpoints.is_empty()).then_some(left)
        });
        left.collect()
    }

    fn by_hand(&self, run: &RunId, kind: EndingKind) -> Vec<String> {
        let mut lines = Vec::new();
        match kind {
            EndingKind::Done => return lines,
            EndingKind::Failed | EndingKind::Aborted => {}
            EndingKind::Suspended | EndingKind::Interrupted => {
                lines.push(format!(
                    "`rbk resume {run}` goes on where it stopped; `rbk abort {run}` runs `on failure` and ends it"
                ));
                lines.push(
                    "looking at anything is safe; nothing changes until one of the two".to_owned(),
                );
            }
            EndingKind::Undecided => {
                for (id, known) in &self.facts.actions {
                    if let Some(failure) = &known.unknown {
                        lines.push(failure.help());
                        lines.push(format!(
                            "`rbk resolve {run} {} …` says what you found; then `rbk resume {run}`",
                            shell_word(id.as_str())
                        ));
                    }
                }
            }
        }
        let is_over = !kind.is_resumable();
        for left in self.replications(run) {
            lines.push(left.by_hand(run, is_over));
        }
        for database in self.facts.created.keys() {
            let Some(instance) = self.plan.environment.database(database) else {
                continue;
            };
            let id = &instance.instance;
            lines.push(if is_over {
                format!("instance `{id}` stays and is billed: delete it if nothing needs it")
            } else {
                format!("leave instance `{id}` as it is: the run builds on it")
            });
        }
        if is_over {
            for (name, database) in &self.plan.environment.databases {
                let state = self.database(name, database).unwrap_or_default();
                if state.contains("FROZEN") || state.contains("may be frozen") {
                    lines.push(format!("writes on {name} are still frozen: thaw them"));
                }
                let schemas = self.schemas(name);
                for schema in schemas.unfinished() {
                    lines.push(format!(
                        "keep applications away from {name}.{schema}: it is unfinished; run a runbook that rebuilds it, or finish it by hand"
                    ));
                }
                let dropped: Vec<&str> = schemas.dropped().collect();
                for definition in dropped.iter().take(SHOWN) {
                    lines.push(format!("an index of {name} is dropped: `{definition}`"));
                }
                if let Some(more) = dropped.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                    lines.push(format!(
                        "{more} more indexes of {name} are dropped: `rbk report {run}` shows how they are made"
                    ));
                }
            }
        } else {
            for name in self.plan.environment.databases.keys() {
                if self.schemas(name).are_touched() {
                    lines.push(format!(
                        "don't write to {name}, and leave its schema `rbk` alone: it says what is done there"
                    ));
                }
            }
            let changed: BTreeSet<&SecretName> = self.facts.staged.keys().collect();
            for secret in changed {
                lines.push(format!(
                    "don't change secret `{secret}`: the run would stop at it"
                ));
            }
        }
        lines
    }
}
