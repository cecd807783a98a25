//! Changes of a schema: one transaction with its marker, and failures that say what to mend.

use crate::catalog::{column, name, without_figures};
use crate::server::Server;
use rbk_core::catalog::Catalog;
use rbk_core::ids::RunId;
use rbk_core::plan::{ActionId, Change, ColumnChange, IndexFacts, StepPath};
use rbk_core::ports::{ChangeRequest, Marker, PortError, PortErrorKind, Postgres, Sent, Session};
use rbk_postgres::Limits;
use std::collections::BTreeMap;
use std::time::Duration;

/// The marker of an action.
pub fn marker(action: &str) -> Marker {
    Marker {
        run: RunId::from("run-1"),
        action: action_id(action),
        part: None,
        epoch: 1,
    }
}

fn action_id(text: &str) -> ActionId {
    todo!("{text}")
}

/// Runs statements for a change, with little patience for locks.
pub async fn change(
    session: &dyn Session,
    marker: &Marker,
    change: &Change,
    statements: &[&str],
) -> Result<(), PortError> {
    with_settings(session, marker, change, statements, &[]).await
}

async fn with_settings(
    session: &dyn Session,
    marker: &Marker,
    change: &Change,
    statements: &[&str],
    settings: &[(&str, &str)],
) -> Result<(), PortError> {
    let statements: Vec<String> = statements.iter().map(|s| (*s).to_owned()).collect();
    let settings: BTreeMap<String, String> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = ChangeRequest {
        change,
        statements: &statements,
        settings: &settings,
        lock_timeout: Duration::from_millis(200),
        deadline: Duration::from_secs(30),
    };
    session.change(&request, marker).await
}
