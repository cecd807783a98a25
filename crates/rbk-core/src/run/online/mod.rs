//! What an account says about a plan before anybody runs it: `plan --online`.
//!
//! Read only, by the same ports as a run. What can't be seen is told as such: it is neither so nor not so.

mod finding;

pub use finding::{Bound, Check, NotSeen, Online, OnlineFinding, Verdict, Weight};

use super::evaluate::render;
use super::failure::{Failure, RemovalFailure};
use super::look::{Known, Look, Unreached};
use super::preflight::observe;
use crate::ids::{DatabaseName, SnapshotId};
use crate::journal::{Facts, Observation};
use crate::plan::{
    Action, AsOf, CatalogScope, Change, FinalSnapshot, InstanceSettings, Plan, Preflight,
    ReplicationMeans, SnapshotName, Undressed, Wording,
};
use crate::ports::{LongTransaction, PortErrorKind, World};
use crate::value::{Value, duration_text};
use finding::Found;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Reads everything that can be known about a plan before it is run. Stops only where the account or region is another, or nobody
/// can tell who we are: then nothing that is read would mean anything.
pub async fn look_further(world: &World, plan: &Plan) -> Online {
    let mut online = Online {
        at: world.clock.now(),
        checks: Vec::new(),
        findings: Vec::new(),
        unseen: Vec::new(),
    };
    let facts = Facts::default();
    let (facts, known) = preflight(world, plan, facts, &mut online).await;
    let is_lost = online
        .checks
        .first()
        .is_none_or(|check| check.verdict != Verdict::Holds);
    if is_lost {
        online.not_seen(
            "groups, quotas, names, roles, transactions and locks",
            "the account isn't proven",
        );
        return online;
    }
    let mut ahead = Ahead {
        look: Look::knowing(world, plan, &facts, known),
        online: &mut online,
    };
    ahead.groups().await;
    ahead.quotas().await;
    ahead.snapshot_names().await;
    ahead.roles().await;
    ahead.dms_leftovers().await;
    ahead.databases().await;
    ahead.credentials().await;
    online.findings.sort_by_key(|finding| finding.weight);
    online
}

async fn preflight(
    world: &World,
    plan: &Plan,
    mut facts: Facts,
    online: &mut Online,
) -> (Facts, Known) {
    let mut known = Known::default();
    let holes: Vec<&str> = plan.holes().map(|hole| hole.name.as_str()).collect();
    let mut unread: Vec<&str> = Vec::new();
    let mut entries = plan.preflight.iter();
    for preflight in entries.by_ref() {
        let asks = asks(plan, preflight);
        let check = if let Some(why) = unanswerable(preflight, &holes, &unread) {
            not_judged(asks, why)
        } else {
            let mut look = Look::knowing(world, plan, &facts, known);
            let result = observe(&mut look, preflight).await;
            known = look.into_known();
            judged(asks, result)
        };
        match (&check.binds, preflight) {
            (Some(bound), _) => {
                let value = bound.value.clone();
                facts.bindings.insert(bound.name.clone(), value);
            }
            (None, Preflight::Observe { name, .. }) => unread.push(name),
            (None, _) => {}
        }
        if check.verdict == Verdict::Unseen {
            online.unseen.push(NotSeen {
                what: check.asks.clone(),
                why: check.seen.clone(),
                needed: true,
            });
        }
        let is_over =
            check.verdict != Verdict::Holds && matches!(preflight, Preflight::Identity { .. });
        online.checks.push(check);
        if is_over {
            break;
        }
    }
    for left in entries {
        online.unseen.push(NotSeen {
            what: asks(plan, left),
            why: "the account isn't proven".to_owned(),
            needed: true,
        });
    }
    (facts, known)
}

/// What came of an entry that was asked.
fn judged(asks: String, result: Result<Observation, Failure>) -> Check {
    match result {
        Ok(observation) => Check {
            asks,
            verdict: Verdict::Holds,
            seen: seen(&observation),
            binds: bound(&observation),
            code: None,
            help: None,
        },
        Err(failure) if is_unseen(&failure) => not_judged(asks, failure.to_string()),
        Err(failure) => Check {
            asks,
            verdict: Verdict::Fails,
            seen: failure.to_string(),
            binds: None,
            code: Some(failure.code().to_owned()),
            help: Some(failure.help()),
        },
    }
}

/// Why an entry can't be asked: it builds upon what has no value yet, or upon what could not be read.
fn unanswerable(preflight: &Preflight, holes: &[&str], unread: &[&str]) -> Option<String> {
    if holes.is_empty() && unread.is_empty() {
        return None;
    }
    let document = serde_json::to_value(preflight).ok()?;
    if let Some(name) = named(&document, "parameter", holes) {
        return Some(format!("`{name}` is a hole: give it with `--set {name}=…`"));
    }
    named(&document, "binding", unread).map(|name| format!("`{name}` could not be read"))
}

/// The first of these names that an expression of that kind says, as plans write them: `{"parameter": {"name": …}}`.
fn named<'n>(document: &serde_json::Value, kind: &str, names: &[&'n str]) -> Option<&'n str> {
    match document {
        serde_json::Value::Object(map) => {
            let said = map.get(kind).and_then(|it| it.get("name"));
            let said = said.and_then(serde_json::Value::as_str);
            let found = names.iter().find(|name| Some(**name) == said).copied();
            found.or_else(|| map.values().find_map(|it| named(it, kind, names)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|it| named(it, kind, names)),
        _ => None,
    }
}

fn not_judged(asks: String, why: String) -> Check {
    Check {
        asks,
        verdict: Verdict::Unseen,
        seen: why,
        binds: None,
        code: None,
        help: None,
    }
}

/// Whether a failure says nothing about the world but that we could not look.
fn is_unseen(failure: &Failure) -> bool {
    match failure {
        Failure::Port(error) => matches!(
            error.kind,
            PortErrorKind::AccessDenied
                | PortErrorKind::Credentials
                | PortErrorKind::Unreachable
                | PortErrorKind::Throttled
                | PortErrorKind::Tls
                | PortErrorKind::Protocol
        ),
        _ => false,
    }
}

fn bound(observation: &Observation) -> Option<Bound> {
    let Observation::Binding { name, value } = observation else {
        return None;
    };
    let text = match value {
        Value::Snapshot(snapshot) => match snapshot.data_time() {
            Some(time) => format!("{} of {time}", snapshot.id),
            None => snapshot.id.to_string(),
        },
        other => other.to_string(),
    };
    Some(Bound {
        name: name.clone(),
        value: value.clone(),
        text,
    })
}

fn seen(observation: &Observation) -> String {
    match bound(observation) {
        Some(bound) => bound.text,
        None => observation.to_string(),
    }
}

/// What an entry asks, in a line.
fn asks(plan: &Plan, preflight: &Preflight) -> String {
    let wording = Wording::of(plan, Undressed);
    match preflight {
        Preflight::Identity { account, region } => {
            format!("account {account}, region {region}")
        }
        Preflight::Absent { database, instance } => {
            format!("no instance `{instance}` yet ({database})")
        }
        Preflight::SecretVersion { secret } => format!("secret `{secret}` can be written"),
        Preflight::ActiveDatabase { application } => {
            format!("the active database of {application}")
        }
        Preflight::Instance {
            database, instance, ..
        } => format!("instance `{instance}` ({database})"),
        Preflight::RestoreWindow {
            database,
            instance,
            at,
        } => match at {
            AsOf::Latest => format!("`{instance}` ({database}) can be restored to a point in time"),
            AsOf::Time { at } => format!(
                "`{instance}` ({database}) can be restored to {}",
                wording.expr(at)
            ),
        },
        Preflight::SnapshotAbsent { id } => {
            format!("no snapshot `{}` yet", wording.template(id))
        }
        Preflight::ReplicationSubnetGroup { name } => {
            format!("the DMS replication subnet group `{name}`")
        }
        Preflight::Catalog { database, scope } => match scope {
            CatalogScope::Whole => format!("{database} is as its lock file says"),
            CatalogScope::Around { schemas } => format!(
                "nothing of {database} would be lost around {}",
                schemas.join(", ")
            ),
        },
        Preflight::Observe { statement, .. } | Preflight::Require { statement, .. } => {
            statement.clone()
        }
    }
}

/// What is looked at behind the preflight.
struct Ahead<'a, 'o> {
    look: Look<'a>,
    online: &'o mut Online,
}

impl<'a> Ahead<'a, '_> {
    fn plan(&self) -> &'a Plan {
        self.look.plan
    }

    /// What the plan creates instances with.
    fn created(&self) -> impl Iterator<Item = (&'a DatabaseName, &'a InstanceSettings)> {
        self.plan()
            .actions()
            .filter_map(|planned| match &planned.action {
                Action::RestoreFromSnapshot {
                    database, settings, ..
                }
                | Action::RestoreToPointInTime {
                    database, settings, ..
                } => Some((database, settings)),
                _ => None,
            })
    }

    async fn groups(&mut self) {
        let mut subnets: BTreeMap<&str, BTreeSet<&DatabaseName>> = BTreeMap::new();
        let mut parameters = subnets.clone();
        for (database, settings) in self.created() {
            subnets
                .entry(&settings.subnet_group)
                .or_default()
                .insert(database);
            parameters
                .entry(&settings.parameter_group)
                .or_default()
                .insert(database);
        }
        let rds = &self.look.world.rds;
        for (name, of) in subnets {
            let is_there = rds.has_subnet_group(name).await;
            self.group("subnet", name, &of, is_there);
        }
        for (name, of) in parameters {
            let is_there = rds.has_parameter_group(name).await;
            self.group("parameter", name, &of, is_there);
        }
    }

    fn group(
        &mut self,
        kind: &'static str,
        name: &str,
        of: &BTreeSet<&DatabaseName>,
        is_there: Result<bool, crate::ports::PortError>,
    ) {
        match is_there {
            Ok(true) => {}
            Ok(false) => self.online.found(Found::NoGroup {
                kind,
                name: name.to_owned(),
                of: of.iter().map(ToString::to_string).collect(),
            }),
            Err(error) => self.online.not_seen(
                format!("whether there is a DB {kind} group `{name}`"),
                error,
            ),
        }
    }

    async fn quotas(&mut self) {
        let instances = self.created().count();
        let snapshots = self
            .plan()
            .actions()
            .filter(|planned| match &planned.action {
                Action::CreateSnapshot { .. } => true,
                Action::DestroyInstance { final_snapshot, .. } => {
                    *final_snapshot != FinalSnapshot::None
                }
                _ => false,
            })
            .count();
        // Names: `AccountQuota.AccountQuotaName` of `DescribeAccountAttributes`.
        let wanted = [
            ("DBInstances", "DB instances", instances),
            ("ManualSnapshots", "manual snapshots", snapshots),
        ];
        if wanted.iter().all(|(.., makes)| *makes == 0) {
            return;
        }
        let quotas = match self.look.world.rds.quotas().await {
            Ok(quotas) => quotas,
            Err(error) => return self.online.not_seen("the account's quotas", error),
        };
        for (name, what, makes) in wanted.into_iter().filter(|(.., makes)| *makes > 0) {
            let Some(quota) = quotas.iter().find(|quota| quota.name == name) else {
                self.online.not_seen(
                    format!("the quota of {what}"),
                    "RDS tells none of that name",
                );
                continue;
            };
            let more = i64::try_from(makes).unwrap_or(i64::MAX);
            if quota.used.saturating_add(more) > quota.max {
                self.online.found(Found::Quota {
                    what,
                    used: quota.used,
                    max: quota.max,
                    makes,
                });
            }
        }
    }

    /// Names that the plan's snapshots get; those that are proven at preflight are left to it.
    async fn snapshot_names(&mut self) {
        let named: Vec<SnapshotId> = self
            .plan()
            .actions()
            .filter_map(|planned| match &planned.action {
                Action::DestroyInstance {
                    final_snapshot: FinalSnapshot::Named { id },
                    ..
                } => Some(id.clone()),
                _ => None,
            })
            .collect();
        for id in named {
            match self.look.world.rds.snapshot(&id).await {
                Ok(None) => {}
                Ok(Some(_)) => {
                    let failure = RemovalFailure::SnapshotTaken { snapshot: id };
                    self.online.found(Found::WouldFail(failure.into()));
                }
                Err(error) => self
                    .online
                    .not_seen(format!("whether there is a snapshot `{id}`"), error),
            }
        }
        for planned in self.plan().actions() {
            let Action::CreateSnapshot {
                id: SnapshotName::Given { id },
                ..
            } = &planned.action
            else {
                continue;
            };
            if render(&mut self.look, id).await.is_err() {
                self.online.not_seen(
                    format!(
                        "whether the name of the snapshot that {} makes is taken",
                        planned.id
                    ),
                    "it is known only when the run is there",
                );
            }
        }
    }

    /// The roles that DMS needs: its own, and the one by which it reads secrets.
    async fn roles(&mut self) {
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for (name, replication) in &self.plan().replications {
            let ReplicationMeans::Dms(dms) = &replication.with else {
                continue;
            };
            // DMS asks for this very name where the API is used. Source: "Creating the IAM roles to use with DMS".
            wanted.insert(
                "dms-vpc-role".to_owned(),
                format!("without which DMS makes no replication (`{name}`)"),
            );
            for role in [&dms.source, &dms.target]
                .into_iter()
                .filter_map(|side| side.secret_access_role.as_ref())
            {
                let role = role.rsplit('/').next().unwrap_or(role);
                wanted.insert(
                    role.to_owned(),
                    format!("by which DMS reads the databases' secrets (`{name}`)"),
                );
            }
        }
        for (role, why) in wanted {
            match self.look.world.roles.has_role(&role).await {
                Ok(true) => {}
                Ok(false) => self.online.found(Found::NoRole { role, why }),
                Err(error) => self
                    .online
                    .not_seen(format!("whether there is a role `{role}`"), error),
            }
        }
    }

    /// What earlier runs left in DMS. A run's own names are made of its id, so they can't be taken.
    async fn dms_leftovers(&mut self) {
        let mut replications = self.plan().replications.values();
        if !replications.any(|replication| matches!(replication.with, ReplicationMeans::Dms(_))) {
            return;
        }
        match self.look.world.dms.leftovers().await {
            Ok(leftovers) => {
                for leftover in leftovers {
                    self.online.found(Found::Leftover {
                        kind: leftover.kind.to_string(),
                        id: leftover.id,
                        by: leftover.tags.get("rbk:run").cloned(),
                    });
                }
            }
            Err(error) => self.online.not_seen("what earlier runs left in DMS", error),
        }
    }

    /// Transactions and locks on the databases whose schema is changed, where they are there already.
    async fn databases(&mut self) {
        let created: BTreeSet<&DatabaseName> =
            self.created().map(|(database, _)| database).collect();
        let mut changed: BTreeMap<&DatabaseName, u64> = BTreeMap::new();
        let mut migrated: BTreeMap<&DatabaseName, &str> = BTreeMap::new();
        let mut recreated: BTreeSet<(&DatabaseName, &str)> = BTreeSet::new();
        for planned in self.plan().actions() {
            match &planned.action {
                Action::ChangeSchema {
                    database,
                    change,
                    lock_timeout,
                    ..
                } => {
                    let patience = changed.entry(database).or_insert(*lock_timeout);
                    *patience = (*patience).min(*lock_timeout);
                    if let Change::RecreateSchema { schema } = change {
                        recreated.insert((database, schema));
                    }
                }
                Action::Migrate {
                    database,
                    migrations,
                } => {
                    let schema = migrations.schema.as_str();
                    // With the schema, a lock in it goes.
                    if !recreated.contains(&(database, schema)) {
                        migrated.entry(database).or_insert(schema);
                    }
                }
                _ => {}
            }
        }
        let names: BTreeSet<&DatabaseName> =
            changed.keys().chain(migrated.keys()).copied().collect();
        for name in names.into_iter().filter(|name| !created.contains(name)) {
            if let Some(patience) = changed.get(name) {
                self.transactions(name, *patience).await;
            }
            if let Some(schema) = migrated.get(name) {
                self.migration_lock(name, schema).await;
            }
        }
    }

    async fn transactions(&mut self, database: &DatabaseName, patience: u64) {
        let what = format!("long transactions on {database}");
        let found = match self.look.session(database).await {
            Ok(session) => {
                session
                    .long_transactions(Duration::from_secs(patience))
                    .await
            }
            Err(unreached) => return self.online.not_seen(what, reason(unreached, database)),
        };
        match found {
            Ok(found) => {
                for transaction in found {
                    self.online.found(Found::LongTransaction {
                        database: database.to_string(),
                        open: duration_text(transaction.seconds),
                        who: who(&transaction),
                        pid: transaction.pid,
                        patience: duration_text(patience),
                    });
                }
            }
            Err(error) => self.online.not_seen(what, error),
        }
    }

    async fn migration_lock(&mut self, database: &DatabaseName, schema: &str) {
        let what = format!("the migration tool's lock on {database}");
        let found = match self.look.session(database).await {
            Ok(session) => session.migration_lock(schema).await,
            Err(unreached) => return self.online.not_seen(what, reason(unreached, database)),
        };
        match found {
            Ok(None) => {}
            Ok(Some(lock)) => self
                .online
                .found(Found::WouldFail(Failure::MigrationLocked {
                    database: database.clone(),
                    by: lock.by,
                    since: lock.since,
                })),
            Err(error) => self.online.not_seen(what, error),
        }
    }

    /// Whether the credentials that we have last as long as the plan may take.
    async fn credentials(&mut self) {
        let Some(expires) = self.look.world.identity.expires_at().await else {
            return;
        };
        let longest: u64 = self
            .plan()
            .steps
            .iter()
            .flat_map(|step| &step.actions)
            .filter_map(|planned| planned.upper_bound)
            .fold(0, u64::saturating_add);
        let seconds = i64::try_from(longest).unwrap_or(i64::MAX);
        let until = self
            .online
            .at
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap_or(jiff::Timestamp::MAX);
        if expires < until {
            self.online.found(Found::Expires {
                at: expires.to_string(),
                until: until.to_string(),
            });
        }
    }
}

fn reason(unreached: Unreached, database: &DatabaseName) -> String {
    match unreached {
        Unreached::Nothing(why) => why,
        other => other.into_failure(database).to_string(),
    }
}

fn who(transaction: &LongTransaction) -> String {
    let role = match &transaction.role {
        Some(role) => format!("role `{role}`"),
        None => "a role that Postgres doesn't tell".to_owned(),
    };
    let application = if transaction.application.is_empty() {
        String::new()
    } else {
        format!(" in `{}`", transaction.application)
    };
    format!(
        "{role}{application}, `{}`, process {}",
        transaction.state, transaction.pid
    )
}
