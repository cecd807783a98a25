//! `let NAME = replicate DB to DB with dms { … }`: a full load through DMS serverless. It is begun here, complete when an
//! `await NAME is complete` has seen it, and removed then; nothing of it stays billed.
//!
//! | option besides those of both | type | default |
//! | --- | --- | --- |
//! | `mode` | `full_load` | `full_load` |
//! | `prepare` | `nothing`, `truncate` or `drop_and_create`: what DMS does to the target's tables before | `nothing` |
//! | `lob` | `full, chunk SIZE` (1kb to 102400kb), `limited, max SIZE` (as much), or `none` | `full, chunk 64kb` |
//! | `capacity` | capacity units at most: 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384 | `4` |
//! | `multi_az` | whether a second zone stands by | `false` |
//! | `after_connect` | SQL that each session on the target begins with; empty: none | the replica role, so that no foreign key is checked |
//! | `logging` | `debug`, `error`, `warning`, `info`, `detailed_debug` or `off` | `debug` |
//! | `on_error` | `stop`, `suspend_table` or `skip` | `stop` |
//! | `transformations` | `none` | `none` |
//!
//! AWS advises pieces of at most 64kb: larger ones can make tasks fail; smaller ones are slower. DMS reads partitions as tables
//! of their own: they are what is expected to arrive, and the table above them isn't selected.
//!
//! ```rbk
//! let load = replicate recovery to original with dms {
//!   tables: public.*
//!   except: [databasechangelog, databasechangeloglock]
//!   lob: full, chunk 64kb
//!   capacity: 4
//! }
//! await load is complete within 4h every 30s
//! ```

use super::documents::{CONTROL_SCHEMA, CONTROL_TABLES, Settings, mappings, settings};
use super::options::{COMMON, Lob, Options};
use super::{Route, Said};
use crate::catalog::Catalog;
use crate::check::{Checker, StatementError};
use crate::environment::{Database, DmsPlace, Migrations, TableName};
use crate::ids::DatabaseName;
use crate::lower::{Lowering, MINUTE, by_size};
use crate::plan::{Action, Change, DmsReplication, EndpointSettings, PlannedReplication, ReplicationMeans, Risk, Side};
use crate::state::{DmsLoad, Flow, LobMode, OnError, Prepare};
use crate::steps::Meaning;
use rbk_syntax::Span;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct ByDms {
    /// As the plan calls it.
    load: DmsLoad,
    replication: PlannedReplication,
}

const STATEMENT: &str = "`replicate … with dms`";

const OPTIONS: &[&str] = &["mode", "prepare", "lob", "capacity", "multi_az", "after_connect", "logging", "on_error", "transformations"];

/// Foreign keys are triggers, and DMS loads tables in no order that they would like. Source: "Using PostgreSQL as a target".
const AFTER_CONNECT: &str = "SET session_replication_role = 'replica'";

/// Units at most where the runbook doesn't say.
const CAPACITY: u32 = 4;

impl ByDms {
    pub(super) fn check(said: Said<'_>, name: Option<String>, checker: &mut Checker<'_>) -> Option<Self> {
        let options = Options::of(STATEMENT, &[COMMON, OPTIONS].concat(), said.options, checker);
        let place = checker.environment.dms.clone();
        if place.is_none() {
            checker.report(StatementError::NoDms { span: said.with.span, environment: checker.environment.name.clone() });
        }
        if checker.in_failure() {
            checker.report(StatementError::DmsInFailure { span: said.span });
        } else if said.name.is_none() {
            checker.report(StatementError::Unnamed { span: said.span });
        }
        options.word("mode", &["full_load"], checker);
        options.word("transformations", &["none"], checker);
        let chosen = (
            options.word("prepare", &["nothing", "truncate", "drop_and_create"], checker),
            options.lob(checker),
            options.word("logging", &["debug", "error", "warning", "info", "detailed_debug", "off"], checker),
            options.word("on_error", &["stop", "suspend_table", "skip"], checker),
        );
        let capacity = options.capacity(CAPACITY, checker);
        let multi_az = options.flag("multi_az", checker);
        let after_connect = options.plain_text("after_connect", AFTER_CONNECT, checker);
        let route = Route::check(said, &options, checker)?;
        let (Some(prepare), Some(lob), Some(logging), Some(on_error)) = chosen else {
            return None;
        };
        let load = name.map(|name| DmsLoad {
            name,
            from: route.from.clone(),
            to: route.to.clone(),
            tables: route.tables.clone(),
            excepted: route.excepted.clone(),
            prepare: options.chosen("prepare", prepare_of(prepare)),
            lob: options.chosen("lob", lob_of(lob)),
            after_connect: options.chosen("after_connect", after_connect.clone().flatten().unwrap_or_default()),
            on_error: options.chosen("on_error", on_error_of(on_error)),
        });
        let chosen = Settings { prepare, lob, logging, on_error };

        let own = checker.environment.migrations.as_ref().map(Migrations::own_tables).unwrap_or_default();
        let catalog = checker.catalog(&route.from, said.from.span)?;
        let tables = expected(catalog, &route.tables, &own);
        let mappings = mappings(&tables, &route.schemas, catalog, &own);
        route.demand_there(&tables, said.to, checker)?;
        let endpoint = |database: &DatabaseName, after_connect| {
            let facts = checker.database_facts(database)?;
            Some(endpoint(facts, place.as_ref()?, after_connect))
        };
        let (source, target) = (endpoint(&route.from, None)?, endpoint(&route.to, after_connect?)?);
        let place = place?;
        let dms = DmsReplication {
            source,
            target,
            capacity: capacity?,
            multi_az: multi_az?,
            subnet_group: place.subnet_group,
            security_groups: place.security_groups,
            mappings,
            settings: settings(chosen),
        };
        let with = ReplicationMeans::Dms(Box::new(dms));
        let replication = PlannedReplication { from: route.from, to: route.to, tables, with };
        Some(Self { load: load?, replication })
    }
}

fn prepare_of(word: &str) -> Prepare {
    match word {
        "truncate" => Prepare::Truncate,
        "drop_and_create" => Prepare::DropAndCreate,
        _ => Prepare::Nothing,
    }
}

fn lob_of(lob: Lob) -> LobMode {
    match lob {
        Lob::Full { chunk } => LobMode::Full { chunk },
        Lob::Limited { max } => LobMode::Limited { max },
        Lob::None => LobMode::Without,
    }
}

fn on_error_of(word: &str) -> OnError {
    match word {
        "suspend_table" => OnError::SuspendTable,
        "skip" => OnError::SkipRow,
        _ => OnError::Stop,
    }
}

/// The tables that DMS loads: in place of a partitioned one, those of its partitions that hold rows.
fn expected(catalog: &Catalog, tables: &[TableName], own: &[TableName]) -> Vec<TableName> {
    let roots: BTreeSet<&TableName> = tables.iter().filter(|table| !own.contains(table)).collect();
    let all = catalog.schemas.iter().flat_map(|(schema, found)| {
        found.tables.iter().map(|(table, facts)| (TableName { schema: schema.clone(), table: table.clone() }, facts))
    });
    let mut leaves: Vec<TableName> =
        all.filter(|(name, table)| table.partitioned.is_none() && roots.contains(&catalog.root_of(name))).map(|(name, _)| name).collect();
    leaves.sort();
    leaves
}

fn endpoint(database: &Database, place: &DmsPlace, after_connect: Option<String>) -> EndpointSettings {
    EndpointSettings {
        database: database.database.clone(),
        secret: database.administration().clone(),
        secret_access_role: place.secret_access_role.clone(),
        tls: place.tls,
        certificate: place.certificate.clone(),
        after_connect,
    }
}

impl Meaning for ByDms {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.replicate_by_dms(&self.load, span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let PlannedReplication { from, to, tables, with } = &self.replication;
        let ReplicationMeans::Dms(dms) = with else {
            return;
        };
        if tables.is_empty() {
            return;
        }
        let schemas: BTreeSet<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
        for database in [from, to] {
            lowering.relies_on_lock(database, schemas.iter().copied());
        }
        lowering.needs_subnet_group(&dms.subnet_group);
        lowering.replication(&self.load.name, self.replication.clone());
        lowering.change_schema(
            Risk::Creates,
            5 * MINUTE,
            format!("make schema `{CONTROL_SCHEMA}` on `{to}`, if it isn't there: DMS keeps its control tables in it"),
            to,
            (Change::MakeControlSchema, vec![format!("CREATE SCHEMA IF NOT EXISTS {CONTROL_SCHEMA}")]),
        );
        for (side, database, endpoint) in [(Side::Source, from, &dms.source), (Side::Target, to, &dms.target)] {
            let by = match &endpoint.secret_access_role {
                Some(role) => format!("which reads secret `{}` with role `{role}`", endpoint.secret),
                None => format!("with what secret `{}` says now", endpoint.secret),
            };
            lowering.action(
                Risk::Creates,
                10 * MINUTE,
                format!("create DMS's {} endpoint `{}` for `{database}`, {by}; TLS: {}", side.name(), self.load.name, endpoint.tls.name()),
                Action::CreateEndpoint { replication: self.load.name.clone(), side },
            );
        }
        lowering.action(
            Risk::Creates,
            10 * MINUTE,
            format!(
                "create DMS's replication `{}`: {} table{} from `{from}` to `{to}`, at most {} capacity unit{}, {}",
                self.load.name,
                tables.len(),
                plural(tables.len()),
                dms.capacity,
                if dms.capacity == 1 { "" } else { "s" },
                if dms.multi_az { "two zones" } else { "one zone" },
            ),
            Action::CreateReplication { replication: self.load.name.clone() },
        );
        lowering.action(
            Risk::Changes,
            30 * MINUTE,
            format!("start it: billed from here until it is removed; DMS takes 40 to 60 minutes to provision before the first row of `{to}`"),
            Action::StartReplication { replication: self.load.name.clone() },
        );
    }
}

/// What is done once a replication has been seen to be complete: it is proven, then nothing of it is left.
pub(in crate::steps) fn complete(name: &str, lowering: &mut Lowering<'_>) {
    let Some(replication) = lowering.completes(name) else {
        return;
    };
    let PlannedReplication { from, to, tables, .. } = &replication;
    let bytes = lowering.catalog(from).map_or(0, |catalog| {
        tables.iter().filter_map(|table| catalog.table(table)).map(|table| table.bytes).fold(0, u64::saturating_add)
    });
    lowering.action(
        Risk::Reads,
        by_size(bytes, 1),
        format!(
            "prove `{name}`: DMS says it has finished, each of {} table{} is complete, and `{from}` and `{to}` have as many rows; keep its statistics",
            tables.len(),
            plural(tables.len())
        ),
        Action::ProveReplication { replication: name.to_owned() },
    );
    removal(name, lowering);
    let tables: Vec<TableName> =
        CONTROL_TABLES.iter().map(|table| TableName { schema: CONTROL_SCHEMA.to_owned(), table: (*table).to_owned() }).collect();
    let statements = tables.iter().map(|table| format!("DROP TABLE IF EXISTS {table}")).collect();
    lowering.change_schema(
        Risk::Changes,
        5 * MINUTE,
        format!("drop the control tables that DMS left in schema `{CONTROL_SCHEMA}` of `{to}`"),
        to,
        (Change::DropControlTables { tables }, statements),
    );
}

/// What removes a replication at the end of a run that failed, however far it came.
pub(in crate::steps) fn clean_up(name: &str, lowering: &mut Lowering<'_>) {
    lowering.action(
        Risk::Changes,
        // DMS may not stop what it is still provisioning for.
        60 * MINUTE,
        format!("stop DMS's replication `{name}`, if it runs"),
        Action::StopReplication { replication: name.to_owned() },
    );
    removal(name, lowering);
}

fn removal(name: &str, lowering: &mut Lowering<'_>) {
    lowering.action(
        Risk::Changes,
        60 * MINUTE,
        format!("remove DMS's replication `{name}`: its capacity is billed no longer"),
        Action::DeleteReplication { replication: name.to_owned() },
    );
    for side in [Side::Source, Side::Target] {
        lowering.action(
            Risk::Changes,
            15 * MINUTE,
            format!("remove DMS's {} endpoint `{name}`", side.name()),
            Action::DeleteEndpoint { replication: name.to_owned(), side },
        );
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
