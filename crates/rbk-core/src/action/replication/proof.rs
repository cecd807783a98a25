//! The proof of a full load. That DMS calls it finished proves little: a table's error only suspends that table, a row's error is only
//! logged, and the replication ends as if all were well. So each expected table must be completed, no other may be there, and both
//! sides are counted.

use super::Subject;
use crate::action::{Once, Performed};
use crate::environment::TableName;
use crate::journal::{Event, How, Observation, Outcome, Proof, ReplicationFacts};
use crate::listing::counted;
use crate::ports::{Progress, TableStatistics};
use crate::run::{
    CountedTable, FailedTable, Failure, Life, ReplicationFailure, Scene, Standing, is_loaded,
    spaced,
};
use crate::sql::{quote_identifier, quote_literal};
use crate::value::{Type, Value};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

/// The schema of DMS's control tables where the settings don't say it.
const CONTROL_SCHEMA: &str = "rbk";

/// Proves a full load.
pub(in crate::action) struct ProveReplication<'a> {
    pub replication: &'a str,
}

#[async_trait]
impl Once for ProveReplication<'_> {
    async fn perform(&self, scene: &Scene<'_>) -> Result<Performed, Failure> {
        let subject = Subject::of(scene, self.replication)?;
        let id = &subject.names.base;
        let standing = Standing::read(scene.world.dms.as_ref(), id).await?;
        let standing =
            standing.ok_or_else(|| super::gone(self.replication, "replication config", id))?;
        let facts = standing.facts(scene.world.clock.now());
        match self.prove(scene, &subject, &standing).await {
            Ok(detail) => Ok(Performed {
                observations: Vec::new(),
                last: Event::Outcome(Outcome::Done {
                    how: How::Done,
                    detail,
                    proof: Some(Proof::Replicated {
                        replication: self.replication.to_owned(),
                        facts: ReplicationFacts {
                            proven: true,
                            ..facts
                        },
                    }),
                }),
            }),
            // What DMS says now is worth most when it isn't right.
            Err(failure @ Failure::Replication(_)) => Ok(Performed {
                observations: vec![Observation::Replication {
                    replication: self.replication.to_owned(),
                    facts,
                }],
                last: Event::Outcome(Outcome::Failed { failure }),
            }),
            Err(failure) => Err(failure),
        }
    }
}

impl ProveReplication<'_> {
    async fn prove(
        &self,
        scene: &Scene<'_>,
        subject: &Subject<'_>,
        standing: &Standing,
    ) -> Result<String, Failure> {
        let replication = self.replication.to_owned();
        let is = &standing.is;
        match standing.life() {
            Life::Finished => {}
            Life::Failed => {
                let messages = is.failure_messages.clone();
                return Err(ReplicationFailure::Failed {
                    replication,
                    messages,
                }
                .into());
            }
            Life::Created
            | Life::Preparing
            | Life::Running
            | Life::Stopping
            | Life::Stopped
            | Life::Deleting
            | Life::Modifying
            | Life::Unknown => {
                let reason = is.stop_reason.as_ref().unwrap_or(&is.status).clone();
                return Err(ReplicationFailure::Stopped {
                    replication,
                    reason,
                }
                .into());
            }
        }
        let expected = &subject.planned.tables;
        if standing.tables.is_empty() && !expected.is_empty() {
            return Err(if is_given_up(standing) {
                ReplicationFailure::StatisticsGone { replication }
            } else {
                ReplicationFailure::StatisticsMissing {
                    replication,
                    tables: expected.clone(),
                }
            }
            .into());
        }
        self.prove_tables(scene, subject, standing).await?;
        self.prove_rows(scene, subject).await
    }

    /// Each expected table is completed, and there is no other.
    async fn prove_tables(
        &self,
        scene: &Scene<'_>,
        subject: &Subject<'_>,
        standing: &Standing,
    ) -> Result<(), Failure> {
        let replication = self.replication.to_owned();
        let expected: BTreeSet<(&str, &str)> = subject
            .planned
            .tables
            .iter()
            .map(|it| (it.schema.as_str(), it.table.as_str()))
            .collect();
        let told: BTreeMap<(&str, &str), &TableStatistics> = standing
            .tables
            .iter()
            .map(|it| ((it.schema.as_str(), it.table.as_str()), it))
            .collect();
        let not_loaded = told.values().filter(|it| !is_loaded(&it.state));
        let mut failed = Vec::new();
        for table in not_loaded {
            failed.push(FailedTable {
                table: format!("{}.{}", table.schema, table.table),
                state: table.state.clone(),
                error: first_error(scene, subject, table).await,
            });
        }
        if !failed.is_empty() {
            return Err(ReplicationFailure::TablesFailed {
                replication,
                tables: failed,
            }
            .into());
        }
        let missing: Vec<TableName> = subject
            .planned
            .tables
            .iter()
            .filter(|it| !told.contains_key(&(it.schema.as_str(), it.table.as_str())))
            .cloned()
            .collect();
        if !missing.is_empty() {
            return Err(ReplicationFailure::StatisticsMissing {
                replication,
                tables: missing,
            }
            .into());
        }
        let errored = standing.is.tables.map_or(0, |tables| tables.errored);
        if errored != 0 {
            let reason = format!("it counts {errored} tables with errors, and names none of them");
            return Err(ReplicationFailure::Stopped {
                replication,
                reason,
            }
            .into());
        }
        let unexpected: Vec<String> = told
            .keys()
            .filter(|name| !expected.contains(*name))
            .map(|(schema, table)| format!("{schema}.{table}"))
            .collect();
        if !unexpected.is_empty() {
            return Err(ReplicationFailure::TooMany {
                replication,
                tables: unexpected,
            }
            .into());
        }
        Ok(())
    }

    /// Both sides hold as many rows. DMS's own numbers are no proof: what it counts is what it read.
    async fn prove_rows(
        &self,
        scene: &Scene<'_>,
        subject: &Subject<'_>,
    ) -> Result<String, Failure> {
        let (from, to) = (&subject.planned.from, &subject.planned.to);
        let mut look = scene.look();
        let all = &subject.planned.tables;
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let mut rows = 0_u64;
        let mut different = Vec::new();
        for (done, table) in (0_u64..).zip(all) {
            scene.ticker.tell(&format!("counting {table}"), done, total);
            let mut counts = [0_u64; 2];
            for (database, count) in [from, to].into_iter().zip(&mut counts) {
                let session = look.session(database).await;
                let session = session.map_err(|unreached| unreached.into_failure(database))?;
                *count = session.count(table).await?;
            }
            let [from, to] = counts;
            rows = rows.saturating_add(to);
            if from != to {
                different.push(CountedTable {
                    table: table.clone(),
                    from,
                    to,
                });
            }
        }
        if different.is_empty() {
            return Ok(format!(
                "{}, {} rows on both sides",
                counted(all.len(), "table", "tables"),
                spaced(rows)
            ));
        }
        Err(ReplicationFailure::RowsDiffer {
            replication: self.replication.to_owned(),
            from: from.clone(),
            to: to.clone(),
            tables: different,
        }
        .into())
    }
}

/// Whether DMS has taken the capacity away, and with it what it knew of the tables.
fn is_given_up(standing: &Standing) -> bool {
    let state = standing.is.provision_state.as_deref().unwrap_or_default();
    state.to_ascii_lowercase().contains("deprovision") || standing.is.provisioned_units == Some(0)
}

/// The first error of a table that DMS wrote into its control tables. Best effort: whether they are there, and what they hold, is
/// up to its settings; the state alone is failure enough.
async fn first_error(
    scene: &Scene<'_>,
    subject: &Subject<'_>,
    table: &TableStatistics,
) -> Option<String> {
    let settings = &subject.dms.settings;
    let schema = settings.pointer("/ControlTablesSettings/ControlSchema");
    let schema = schema
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    let schema = if schema.is_empty() {
        CONTROL_SCHEMA
    } else {
        schema
    };
    let session = scene.look().into_session(&subject.planned.to).await.ok()?;
    for control in ["awsdms_full_load_exceptions", "awsdms_apply_exceptions"] {
        let sql = format!(
            "SELECT coalesce((SELECT left(\"ERROR\", 500) FROM {}.{control} WHERE \"TABLE_OWNER\" = {} AND \"TABLE_NAME\" = {} ORDER BY \"ERROR_TIME\" LIMIT 1), '')",
            quote_identifier(schema),
            quote_literal(&table.schema),
            quote_literal(&table.table)
        );
        if let Ok(Value::Text(error)) = session.query(&sql, Type::Text).await
            && !error.trim().is_empty()
        {
            return Some(error.trim().to_owned());
        }
    }
    None
}
