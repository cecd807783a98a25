//! How a run ends, and why one isn't begun.

use super::failure::Failure;
use crate::ids::{ActionId, RunId};
use crate::journal::{AcquireError, Damage, Failed, JOURNAL_VERSION, JournalError, StoreError};
use crate::lease::Held;
use crate::plan::PLAN_VERSION;
use crate::shell::shell_word;
use crate::status::EntityState;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a run ended, or where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// The run.
    pub run: RunId,
    /// How.
    pub kind: EndingKind,
    /// What the process returns.
    pub exit_code: u8,
    /// What stopped it.
    pub first: Option<Failed>,
    /// What went wrong first in `on failure` or while cleaning up, or what stopped it there.
    pub second: Option<Failed>,
    /// What else went wrong there.
    pub more: Vec<Failed>,
    /// What state everything is in.
    pub entities: Vec<EntityState>,
    /// What may be done by hand now, and what to type next.
    pub by_hand: Vec<String>,
}

impl Ending {
    /// Whether `rbk resume` may go on.
    pub fn is_resumable(&self) -> bool {
        self.kind.is_resumable()
    }
}

/// How a run ended, or where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingKind {
    /// All steps are done.
    Done,
    /// Something failed, and `on failure` has run.
    Failed,
    /// A person gave it up, and `on failure` has run.
    Aborted,
    /// Something outside must be mended; nothing was undone.
    Suspended,
    /// A person stopped it.
    Interrupted,
    /// An outcome could not be decided.
    Undecided,
}

impl EndingKind {
    /// Whether `rbk resume` may go on.
    pub fn is_resumable(self) -> bool {
        matches!(
            self,
            EndingKind::Suspended | EndingKind::Interrupted | EndingKind::Undecided
        )
    }
}

/// Why nothing was begun, or gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Somebody else has what the plan touches.
    #[error(transparent)]
    Held(#[from] Held),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal is damaged before its end.
    #[error("the journal of run `{run}` is damaged at record {seq}: {damage}")]
    Damaged {
        /// The run.
        run: RunId,
        /// The record, from 0.
        seq: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The journal was written by a newer rbk.
    #[error(
        "record {seq} of run `{run}` is of journal format {found}, and this rbk knows {JOURNAL_VERSION}"
    )]
    NewerJournal {
        /// The run.
        run: RunId,
        /// The record, from 0.
        seq: u64,
        /// Its format.
        found: u64,
    },
    /// The plan was written by a newer rbk.
    #[error("the plan of run `{run}` is of format {found}, and this rbk knows {PLAN_VERSION}")]
    NewerPlan {
        /// The run.
        run: RunId,
        /// Its format.
        found: u32,
    },
    /// The stored plan isn't the one that the journal is about.
    #[error("the stored plan of run `{run}` isn't the one that was begun: {reason}")]
    PlanChanged {
        /// The run.
        run: RunId,
        /// What is different.
        reason: String,
    },
    /// The plan can't be stored so that it can be read again.
    #[error("the plan can't be stored: {reason}")]
    PlanUnfit {
        /// Why not.
        reason: String,
    },
    /// The saved plan was used.
    #[error("the saved plan was used: run `{run}` {}", if *is_over { "performed it" } else { "began it, and isn't over" })]
    PlanUsed {
        /// By whom.
        run: RunId,
        /// Whether that run is over.
        is_over: bool,
    },
    /// The plan has holes: nobody knows what it would do.
    #[error("{} no value", holes_text(parameters))]
    Holes {
        /// The parameters without a value.
        parameters: Vec<String>,
    },
    /// The store has no such run.
    #[error("there is no run `{run}`")]
    NoSuchRun {
        /// The run.
        run: RunId,
    },
    /// It died before its first record.
    #[error("run `{run}` did nothing: it died before its first record")]
    NeverBegan {
        /// The run.
        run: RunId,
    },
    /// It is over.
    #[error("run `{run}` is over")]
    Ended {
        /// The run.
        run: RunId,
    },
    /// A person must decide first.
    #[error("what became of action `{action}` isn't decided")]
    NeedsDecision {
        /// The run.
        run: RunId,
        /// The action.
        action: ActionId,
    },
    /// There is nothing to decide about that action.
    #[error("the outcome of action `{action}` isn't unknown")]
    NotUnknown {
        /// The action.
        action: ActionId,
    },
    /// `--extend`, and the run didn't stop in an await.
    #[error("run `{run}` did not stop in an `await`: there is nothing to extend")]
    NothingToExtend {
        /// The run.
        run: RunId,
    },
    /// A bug in rbk.
    #[error("a bug in rbk: {0}")]
    Bug(String),
}

impl From<AcquireError> for Refusal {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Held(held) => Refusal::Held(held),
            AcquireError::Store(error) => Refusal::Store(error),
        }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Store(error) => Refusal::Store(error),
            error => Refusal::Bug(error.to_string()),
        }
    }
}

impl Refusal {
    /// What the process returns.
    pub fn exit_code(&self) -> u8 {
        match self {
            Refusal::Held(_) => 6,
            Refusal::Store(_) => 4,
            Refusal::Damaged { .. }
            | Refusal::PlanChanged { .. }
            | Refusal::NeedsDecision { .. } => 7,
            Refusal::PlanUnfit { .. } | Refusal::PlanUsed { .. } | Refusal::Holes { .. } => 1,
            Refusal::NewerJournal { .. }
            | Refusal::NewerPlan { .. }
            | Refusal::NoSuchRun { .. }
            | Refusal::NeverBegan { .. }
            | Refusal::Ended { .. }
            | Refusal::NotUnknown { .. }
            | Refusal::NothingToExtend { .. } => 64,
            Refusal::Bug(_) => 70,
        }
    }

    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Held(_) => "RBK4060",
            Refusal::Store(_) => Failure::Journal {
                message: String::new(),
            }
            .code(),
            Refusal::Damaged { .. } => "RBK4070",
            Refusal::NewerJournal { .. } | Refusal::NewerPlan { .. } => "RBK4071",
            Refusal::PlanChanged { .. } => "RBK4072",
            Refusal::PlanUnfit { .. } => "RBK4073",
            Refusal::PlanUsed { .. } => "RBK4112",
            Refusal::Holes { .. } => "RBK4096",
            Refusal::NoSuchRun { .. } => "RBK4074",
            Refusal::NeverBegan { .. } => "RBK4075",
            Refusal::Ended { .. } => "RBK4076",
            Refusal::NeedsDecision { .. } => "RBK4077",
            Refusal::NotUnknown { .. } => "RBK4078",
            Refusal::NothingToExtend { .. } => "RBK4079",
            Refusal::Bug(_) => "RBK4090",
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            Refusal::Held(Held {
                holder: Some(holder),
                ..
            }) => format!(
                "look at it with `rbk status {}`; wait for it, or ask {}",
                holder.run, holder.operator
            ),
            Refusal::Held(_) => "look at `rbk runs`".to_owned(),
            Refusal::Store(_) => "make room or mend the disk, then try again".to_owned(),
            Refusal::Damaged { seq, .. } => format!(
                "rbk goes on with no journal that it can't trust: restore the file from a copy, or look by hand at what was done up to record {seq}"
            ),
            Refusal::NewerJournal { .. } | Refusal::NewerPlan { .. } => {
                "go on with the rbk that began it, or a newer one".to_owned()
            }
            Refusal::PlanChanged { .. } => "restore the plan from a copy".to_owned(),
            Refusal::PlanUnfit { .. } => "make the runbook's conditions shallower".to_owned(),
            Refusal::PlanUsed { run, is_over: true } => format!(
                "a saved plan is performed once: look at `rbk status {run}`; to do it again, plan it again and have that reviewed"
            ),
            Refusal::PlanUsed {
                run,
                is_over: false,
            } => format!("go on with it: `rbk resume {run}`; or give it up with `rbk abort {run}`"),
            Refusal::Holes { parameters } => {
                let set: Vec<String> = parameters
                    .iter()
                    .map(|name| format!("`--set {name}=…`"))
                    .collect();
                format!("nothing was begun: say it with {}", set.join(" "))
            }
            Refusal::NoSuchRun { .. } => "look at `rbk runs`".to_owned(),
            Refusal::NeverBegan { .. } => "nothing was changed: run it again".to_owned(),
            Refusal::Ended { run } => format!("look at `rbk status {run}`"),
            Refusal::NeedsDecision { run, action } => {
                format!(
                    "look, then say what you found: `rbk resolve {run} {} …`",
                    shell_word(action.as_str())
                )
            }
            Refusal::NotUnknown { .. } => "look at `rbk status`".to_owned(),
            Refusal::NothingToExtend { run } => format!("`rbk resume {run}` without `--extend`"),
            Refusal::Bug(_) => "report it".to_owned(),
        }
    }
}

fn holes_text(parameters: &[String]) -> String {
    let names: Vec<String> = parameters.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [name] => format!("parameter {name} has"),
        names => format!("parameters {} have", names.join(", ")),
    }
}
