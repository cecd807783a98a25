//! Reading a journal back: every record is proven, only a torn last one is forgiven.

use super::encode::{Damage, decode, is_more_than_torn, line_hash, no_hash, plan_hash};
use super::event::{Event, Record};
use super::facts::Facts;
use super::state::State;
use super::store::Store;
use crate::ids::RunId;
use crate::plan::{PLAN_VERSION, Plan};
use crate::run::Refusal;

/// A run as its journal tells it.
#[derive(Debug, Clone)]
pub struct History {
    /// The run.
    pub run: RunId,
    /// The plan that it performs.
    pub plan: Plan,
    /// All records.
    pub records: Vec<Record>,
    /// Whether a torn record stood behind them.
    pub torn: bool,
    /// Where the run is.
    pub state: State,
    /// What is known.
    pub facts: Facts,
    /// The length of what is whole, in bytes.
    pub(crate) length: u64,
    /// The hash of the last line.
    pub(crate) last_hash: String,
}

/// Reads a run and proves it: checksums, chain, order, legality, and the plan against its hash.
pub async fn load(store: &dyn Store, run: &RunId) -> Result<History, Refusal> {
    let stored = store
        .read(run)
        .await?
        .ok_or_else(|| Refusal::NoSuchRun { run: run.clone() })?;
    let read = read_records(run, &stored.journal)?;
    let Some(Event::Header(header)) = read.records.first().map(|record| &record.entry.event) else {
        return Err(Refusal::NeverBegan { run: run.clone() });
    };
    if header.plan_version > PLAN_VERSION {
        return Err(Refusal::NewerPlan {
            run: run.clone(),
            found: header.plan_version,
        });
    }
    let changed = |reason: String| Refusal::PlanChanged {
        run: run.clone(),
        reason,
    };
    if plan_hash(&stored.plan) != header.plan {
        return Err(changed("its hash isn't the journal's".to_owned()));
    }
    let plan: Plan =
        serde_json::from_slice(&stored.plan).map_err(|error| changed(error.to_string()))?;
    Ok(History {
        run: run.clone(),
        plan,
        records: read.records,
        torn: read.torn,
        state: read.state,
        facts: read.facts,
        length: read.length,
        last_hash: read.last_hash,
    })
}

pub(crate) struct Read {
    pub records: Vec<Record>,
    pub torn: bool,
    pub state: State,
    pub facts: Facts,
    pub length: u64,
    pub last_hash: String,
}

pub(crate) fn read_records(run: &RunId, journal: &[u8]) -> Result<Read, Refusal> {
    let mut read = Read {
        records: Vec::new(),
        torn: false,
        state: State::default(),
        facts: Facts::default(),
        length: 0,
        last_hash: no_hash(),
    };
    for piece in journal.split_inclusive(|byte| *byte == b'\n') {
        let seq = read.records.len() as u64;
        let damaged = |damage: Damage| match damage {
            Damage::Newer { found } => Refusal::NewerJournal {
                run: run.clone(),
                seq,
                found,
            },
            damage => Refusal::Damaged {
                run: run.clone(),
                seq,
                damage,
            },
        };
        let Some(line) = piece.strip_suffix(b"\n") else {
            if is_more_than_torn(piece) {
                return Err(damaged(Damage::Trailing));
            }
            read.torn = true;
            break;
        };
        let record = decode(line).map_err(damaged)?;
        if record.seq != seq {
            return Err(damaged(Damage::Sequence { found: record.seq }));
        }
        if record.run != *run {
            return Err(damaged(Damage::OtherRun { found: record.run }));
        }
        if record.prev != read.last_hash {
            return Err(damaged(Damage::Chain));
        }
        let state = read.state.next(&record.entry).map_err(|illegal| {
            damaged(Damage::Illegal {
                reason: illegal.to_string(),
            })
        })?;
        if record.epoch != state.epoch {
            return Err(damaged(Damage::Illegal {
                reason: format!("its epoch is {}, not {}", record.epoch, state.epoch),
            }));
        }
        read.state = state;
        read.facts.apply(&record);
        read.length += piece.len() as u64;
        read.last_hash = line_hash(line);
        read.records.push(record);
    }
    Ok(read)
}
