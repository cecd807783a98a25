//! Whether two databases hold the same rows, and whether one is as its lock file says.

use super::evaluate::{Seen, evaluate, session};
use super::failure::Failure;
use super::look::{Look, Unreached};
use crate::catalog::{Catalog, Difference, around, differences, unforeseen};
use crate::environment::{Migrations, TableName};
use crate::ids::DatabaseName;
use crate::journal::Observation;
use crate::listing::{counted, first_few};
use crate::plan::{Action, CatalogScope, Change, CopiedTable, Expr, TablePair};
use crate::ports::{FreezeState, TableFinding};
use std::collections::BTreeSet;

/// How much is told of what differs.
const TOLD: usize = 5;
/// How much of it is journaled.
const JOURNALED: usize = 100;

/// Compares tables of two databases, each named with the path that the runbook says.
pub(super) async fn matches(
    look: &mut Look<'_>,
    (left, left_path): (&DatabaseName, &str),
    (right, right_path): (&DatabaseName, &str),
    tables: &[TablePair],
) -> Result<Seen, Failure> {
    let left_login = look.login(left).await;
    let left_login = left_login.map_err(|unreached| unreached.into_failure(left))?;
    let right_login = look.login(right).await;
    let right_login = right_login.map_err(|unreached| unreached.into_failure(right))?;
    let postgres = &look.world.postgres;
    let findings = postgres
        .compare(&left_login, &right_login, tables, look.progress())
        .await?;
    if findings.len() != tables.len() {
        return Err(Failure::Bug {
            message: format!(
                "{} tables were to be compared, and {} were answered for",
                tables.len(),
                findings.len()
            ),
        });
    }
    let differing: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.is_equal())
        .map(|finding| told(finding, left_path, right_path))
        .collect();
    if !differing.is_empty() {
        let text = format!(
            "{} of {} tables differ: {}",
            differing.len(),
            tables.len(),
            first_few(&differing, TOLD, "; ")
        );
        return Ok(Seen::condition(false, text));
    }
    let rows: u64 = findings
        .iter()
        .filter_map(|finding| finding.left.as_ref())
        .map(|digest| digest.rows)
        .fold(0, u64::saturating_add);
    let tables = counted(tables.len(), "table", "tables");
    let rows = if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{rows} rows")
    };
    Ok(Seen::condition(
        true,
        format!("{tables} with {rows}: the same in {left_path} and {right_path}"),
    ))
}

/// What is wrong with one pair of tables.
fn told(finding: &TableFinding, left_path: &str, right_path: &str) -> String {
    let TablePair { left, right, .. } = &finding.pair;
    let table = if left == right {
        left.to_string()
    } else {
        format!("{left} and {right}")
    };
    match (&finding.left, &finding.right) {
        (Some(left), Some(right)) if left.rows == right.rows => {
            format!("{table}: {} rows on both sides, other values", left.rows)
        }
        (Some(left), Some(right)) => format!(
            "{table}: {} rows in {left_path}, {} in {right_path}",
            left.rows, right.rows
        ),
        (None, Some(_)) => format!("{left} or a column of it is missing in {left_path}"),
        (Some(_), None) => format!("{right} or a column of it is missing in {right_path}"),
        (None, None) => format!("{table}: it or a column of it is missing on both sides"),
    }
}

/// What a database and its lock file disagree about.
pub(super) struct Drift {
    pub differences: Vec<Difference>,
    /// What was compared.
    pub compared: String,
}

impl Drift {
    pub fn text(&self) -> String {
        if self.differences.is_empty() {
            return format!("as the lock file says: {}", self.compared);
        }
        let all: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        let things = if all.len() == 1 {
            "1 thing differs".to_owned()
        } else {
            format!("{} things differ", all.len())
        };
        format!(
            "{things} from the lock file: {}",
            first_few(&all, TOLD, "; ")
        )
    }
}

/// Compares all of a live catalog with the plan's copy of the lock file.
pub(super) async fn drift(look: &mut Look<'_>, database: &DatabaseName) -> Result<Drift, Failure> {
    let compared = schema(look, database).await;
    compared.map_err(|unreached| unreached.into_failure(database))
}

/// The same, and why there is no session where there is none.
pub(super) async fn schema(
    look: &mut Look<'_>,
    database: &DatabaseName,
) -> Result<Drift, Unreached> {
    let expected = locked(look, database)?;
    let session = look.session(database).await?;
    let found = session.catalog().await.map_err(Failure::from)?;
    let migrations = look.environment().migrations.as_ref();
    let ignored: Vec<TableName> = migrations.map_or(Vec::new(), Migrations::own_tables);
    Ok(Drift {
        differences: differences(expected, &found, &ignored),
        compared: compared(expected),
    })
}

/// Proves, before the first effect, that a catalog is what the plan was made from.
pub(super) async fn catalog(
    look: &mut Look<'_>,
    database: &DatabaseName,
    scope: &CatalogScope,
) -> Result<Observation, Failure> {
    let drift = match scope {
        CatalogScope::Whole => drift(look, database).await?,
        CatalogScope::Around { schemas } => {
            let expected = locked(look, database)?;
            let session = session(look, database).await?;
            let dependents = session.dependents(schemas).await?;
            if !dependents.is_empty() {
                return Err(Failure::Dependents {
                    database: database.clone(),
                    schemas: schemas.clone(),
                    dependents: journaled(dependents),
                });
            }
            Drift {
                differences: around(expected, &session.catalog().await?, schemas),
                compared: format!(
                    "what goes with {} and is put back; nothing outside depends on it",
                    schemas.join(", ")
                ),
            }
        }
    };
    if drift.differences.is_empty() {
        return Ok(Observation::Catalog {
            database: database.clone(),
            seen: drift.compared,
        });
    }
    let differences = drift.differences.iter().map(ToString::to_string).collect();
    Err(Failure::Drift {
        database: database.clone(),
        differences: journaled(differences),
    })
}

/// Proves once more, right before a schema is dropped, that nobody uses its database and that nothing goes with it that isn't
/// put back: since preflight a person was asked, and a night may have passed.
pub(crate) async fn may_be_dropped(
    look: &mut Look<'_>,
    database: &DatabaseName,
    statement: &str,
) -> Result<(), Failure> {
    for (name, application) in &look.environment().applications {
        if !application.databases.contains(database) {
            continue;
        }
        let uses = Expr::Uses {
            application: name.clone(),
            database: database.clone(),
        };
        let seen = evaluate(look, &uses).await?;
        if seen.holds()? {
            return Err(Failure::Assertion {
                statement: statement.to_owned(),
                message: Some(format!(
                    "nothing of {database} is dropped while it is in use"
                )),
                seen: seen.text,
            });
        }
    }
    // What two schemas have from each other goes and comes back with both.
    let dropped = look
        .plan
        .actions()
        .filter_map(|planned| match &planned.action {
            Action::ChangeSchema {
                database: of,
                change: Change::RecreateSchema { schema },
                ..
            } if of == database => Some(schema.clone()),
            _ => None,
        });
    let schemas: BTreeSet<String> = dropped.collect();
    let scope = CatalogScope::Around {
        schemas: schemas.into_iter().collect(),
    };
    catalog(look, database, &scope).await.map(|_| ())
}

/// Proves, right before rows are copied, that their database is still frozen as the plan has frozen it, and that it has no rows
/// but those that are copied and compared: a suspended run may be days old.
pub(crate) async fn may_be_copied(
    look: &mut Look<'_>,
    database: &DatabaseName,
    tables: &[CopiedTable],
    statement: &str,
) -> Result<(), Failure> {
    let freeze = look
        .plan
        .actions()
        .find_map(|planned| match &planned.action {
            Action::FreezeWrites {
                database: of,
                freeze,
                ..
            } if of == database => Some(freeze),
            _ => None,
        });
    let expected = locked(look, database)?;
    let migrations = look.environment().migrations.as_ref();
    let own: Vec<TableName> = migrations.map_or(Vec::new(), Migrations::own_tables);
    let session = session(look, database).await?;
    if let Some(freeze) = freeze
        && session.freeze_state(freeze).await? == FreezeState::Open
    {
        return Err(Failure::Assertion {
            statement: statement.to_owned(),
            message: Some(format!(
                "{database} was thawed since this run froze it, and what is written to it while it is copied would be missing"
            )),
            seen: "writes are open".to_owned(),
        });
    }
    let tables: Vec<&TableName> = tables.iter().map(|copied| &copied.table).collect();
    let unknown = unforeseen(expected, &session.catalog().await?, &tables, &own);
    if unknown.is_empty() {
        return Ok(());
    }
    let differences = unknown.iter().map(ToString::to_string).collect();
    Err(Failure::Drift {
        database: database.clone(),
        differences: journaled(differences),
    })
}

fn locked<'a>(look: &Look<'a>, database: &DatabaseName) -> Result<&'a Catalog, Failure> {
    look.plan
        .catalogs
        .get(database)
        .ok_or_else(|| Failure::Bug {
            message: format!("the plan has no copy of the lock file of {database}"),
        })
}

/// `34 tables, 51 indexes, 12 sequences`
fn compared(catalog: &Catalog) -> String {
    let tables = || {
        let schemas = catalog.schemas.values();
        schemas.flat_map(|schema| schema.tables.values())
    };
    let indexes: usize = tables().map(|table| table.indexes.len()).sum();
    let sequences: usize = catalog
        .schemas
        .values()
        .map(|schema| schema.sequences.len())
        .sum();
    let tables = counted(tables().count(), "table", "tables");
    let indexes = counted(indexes, "index", "indexes");
    let sequences = counted(sequences, "sequence", "sequences");
    format!("{tables}, {indexes}, {sequences}")
}

/// No more than a journal should hold; the rest is counted.
fn journaled(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(JOURNALED);
    if more > 0 {
        all.truncate(JOURNALED);
        all.push(format!("and {more} more"));
    }
    all
}
