//! What a journal says, folded: everything that a resumed run decides by.

use super::event::{
    Decision, Entry, Event, Failed, Header, Intent, Observation, Outcome, Proof, Record,
    ReplicationFacts,
};
use crate::ids::{
    ActionId, ApplicationName, DatabaseName, ResourceId, RunId, SecretName, VersionId,
};
use crate::run::Failure;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a journal says.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The run.
    pub run: Option<RunId>,
    /// The header.
    pub header: Option<Header>,
    /// The observed `let`s.
    pub bindings: BTreeMap<String, Value>,
    /// The version of a secret that is current as far as this run knows: seen at preflight, or moved by itself.
    pub current: BTreeMap<SecretName, Option<VersionId>>,
    /// The version that was current at preflight.
    pub original: BTreeMap<SecretName, Option<VersionId>>,
    /// All versions that this run made.
    pub own: BTreeMap<SecretName, BTreeSet<VersionId>>,
    /// The version that this run staged last.
    pub staged: BTreeMap<SecretName, VersionId>,
    /// The applications' databases at preflight.
    pub active: BTreeMap<ApplicationName, Option<DatabaseName>>,
    /// The instances that this run created.
    pub created: BTreeMap<DatabaseName, ResourceId>,
    /// The instances' immutable identities at preflight.
    pub instances: BTreeMap<DatabaseName, ResourceId>,
    /// How replications stood when that was journaled last.
    pub replications: BTreeMap<String, ReplicationFacts>,
    /// Which way each `if` went.
    pub decisions: BTreeMap<ActionId, bool>,
    /// By action.
    pub actions: BTreeMap<ActionId, ActionFacts>,
    /// What stopped the steps.
    pub first: Option<Failed>,
    /// What went wrong first in `on failure` or while cleaning up.
    pub second: Option<Failed>,
    /// What else went wrong there.
    pub more: Vec<Failed>,
}

/// What a journal says of one action.
#[derive(Debug, Clone, Default)]
pub struct ActionFacts {
    /// The first record of it.
    pub began: Option<jiff::Timestamp>,
    /// Its last intent, and when.
    pub intent: Option<(Intent, jiff::Timestamp)>,
    /// How many intents there were.
    pub attempts: u32,
    /// Attended time in milliseconds.
    pub attended: u64,
    /// Seconds that a person added to its deadline.
    pub extended: u64,
    /// What was seen last while it was awaited.
    pub seen: Option<(bool, String)>,
    /// What a person said of its unknown outcome.
    pub resolved: Option<(Decision, String, String)>,
    /// Its last record is an unknown outcome.
    pub unknown: Option<Failure>,
    /// It is over: what its last record says.
    pub over: Option<Event>,
    /// When it was over.
    pub ended: Option<jiff::Timestamp>,
}

impl Facts {
    /// Takes one more record in.
    pub fn apply(&mut self, record: &Record) {
        let Entry {
            step,
            action,
            event,
            ..
        } = &record.entry;
        self.run.get_or_insert_with(|| record.run.clone());
        if let Some(id) = action {
            self.actions
                .entry(id.clone())
                .or_default()
                .apply(event, record.at);
        }
        match event {
            Event::Header(header) => self.header = Some(header.clone()),
            Event::Observed { observation, .. } => self.observe(observation),
            Event::Outcome(Outcome::Done { proof, .. }) => match proof {
                Some(Proof::Instance {
                    database, resource, ..
                }) => {
                    self.created.insert(database.clone(), resource.clone());
                }
                Some(Proof::Staged { secret, version }) => {
                    let own = self.own.entry(secret.clone()).or_default();
                    if self.original.get(secret) != Some(&Some(version.clone())) {
                        own.insert(version.clone());
                    }
                    self.staged.insert(secret.clone(), version.clone());
                }
                Some(Proof::Promoted { secret, version }) => {
                    self.current.insert(secret.clone(), Some(version.clone()));
                }
                Some(Proof::Replicated { replication, facts }) => {
                    self.replications.insert(replication.clone(), facts.clone());
                }
                Some(Proof::Destroyed { database, .. }) => {
                    self.created.remove(database);
                }
                Some(Proof::Taken {
                    snapshot, binding, ..
                }) => {
                    let binding = binding.clone();
                    let value = Value::Snapshot((**snapshot).clone());
                    self.bindings.extend(binding.map(|name| (name, value)));
                }
                Some(Proof::Decided { holds }) => {
                    self.decisions.extend(action.clone().map(|id| (id, *holds)));
                }
                None => {}
            },
            Event::Outcome(Outcome::Failed { failure }) => self.fail(Failed {
                step: step.clone(),
                action: action.clone(),
                failure: failure.clone(),
            }),
            Event::Aborted { by, reason } => self.fail(Failed {
                step: None,
                action: None,
                failure: Failure::Aborted {
                    by: by.clone(),
                    reason: reason.clone(),
                },
            }),
            Event::End {
                first,
                second,
                more,
                ..
            } => {
                self.first = first.clone();
                self.second = second.clone();
                self.more = more.clone();
            }
            _ => {}
        }
    }

    /// What is known of an action.
    pub fn action(&self, id: &ActionId) -> Option<&ActionFacts> {
        self.actions.get(id)
    }

    fn observe(&mut self, observation: &Observation) {
        match observation {
            Observation::SecretVersion { secret, version } => {
                self.current.insert(secret.clone(), version.clone());
                self.original.insert(secret.clone(), version.clone());
            }
            Observation::ActiveDatabase {
                application,
                database,
            } => {
                self.active.insert(application.clone(), database.clone());
            }
            Observation::Binding { name, value } => {
                self.bindings.insert(name.clone(), value.clone());
            }
            Observation::Instance { database, resource } => {
                self.instances.insert(database.clone(), resource.clone());
            }
            Observation::Replication { replication, facts } => {
                self.replications.insert(replication.clone(), facts.clone());
            }
            Observation::Identity { .. }
            | Observation::ReplicationSubnetGroup { .. }
            | Observation::RestoreWindow { .. }
            | Observation::SnapshotAbsent { .. }
            | Observation::Absent { .. }
            | Observation::Required { .. }
            | Observation::Catalog { .. }
            | Observation::Indexes { .. }
            | Observation::Condition { .. } => {}
        }
    }

    fn fail(&mut self, failed: Failed) {
        // An abort gives up all that was under way: that is one failure.
        let is_abort = |failed: &Failed| matches!(failed.failure, Failure::Aborted { .. });
        if is_abort(&failed) && self.first.as_ref().is_some_and(is_abort) {
            return;
        }
        if self.first.is_none() {
            self.first = Some(failed);
        } else if self.second.is_none() {
            self.second = Some(failed);
        } else {
            self.more.push(failed);
        }
    }
}

impl ActionFacts {
    fn apply(&mut self, event: &Event, at: jiff::Timestamp) {
        self.began.get_or_insert(at);
        match event {
            Event::Intent(intent) => {
                self.intent = Some((intent.clone(), at));
                self.attempts += 1;
                self.resolved = None;
            }
            Event::Observed {
                observation:
                    Observation::Condition {
                        holds,
                        seen,
                        attended,
                        ..
                    },
                ..
            } => {
                self.attended = *attended;
                self.seen = Some((*holds, seen.clone()));
            }
            Event::Suspended { attended, .. } => self.attended = self.attended.max(*attended),
            Event::Extended { seconds, .. } => {
                self.extended = self.extended.saturating_add(*seconds);
            }
            Event::Unknown { failure } => {
                self.unknown = Some(failure.clone());
                self.resolved = None;
            }
            Event::Resolved {
                decision,
                by,
                reason,
            } => {
                self.unknown = None;
                self.resolved = Some((*decision, by.clone(), reason.clone()));
            }
            Event::Outcome(_) | Event::Approved { .. } | Event::Skipped { .. } => {
                self.over = Some(event.clone());
                self.ended = Some(at);
            }
            _ => {}
        }
    }
}
