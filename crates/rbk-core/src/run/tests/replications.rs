//! Loads by DMS: undisturbed, killed at every point, every call failing, and each way in which DMS calls something finished that isn't.

use super::bench::{Bench, Crash, Mortal, Watcher, until_death};
use super::dms::End;
use super::repair::{migrated, table};
use super::replicate::*;
use super::world::Fake;
use crate::journal::{Event, Observation, Outcome, Proof};
use crate::run::{Ending, EndingKind, Failure};

#[tokio::test]
async fn a_load_runs_to_its_end_and_leaves_nothing() {
    let bench = Bench::new(migrated());
    let ending = bench.start(&load()).await;
    assert_eq!(
        (ending.kind, ending.exit_code),
        (EndingKind::Done, 0),
        "{ending:?}"
    );
    assert_eq!(bench.ledger(), LEDGER);
    let inner = bench.fake.lock();
    assert!(inner.dms.configs.is_empty() && inner.dms.endpoints.is_empty());
}
