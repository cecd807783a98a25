//! Why a saved plan isn't performed.

use super::{InputKind, SAVED_PLAN_VERSION};
use crate::listing::first_few;
use thiserror::Error;

/// Why a file is no saved plan, or none that may be performed now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SavedPlanError {
    /// It is something else.
    #[error("it is {what}, and no saved plan of rbk")]
    Foreign {
        /// `the JSON of a Terraform plan`
        what: String,
    },
    /// A newer rbk wrote it.
    #[error(
        "the saved plan is of format {found}, and this rbk ({}) knows {SAVED_PLAN_VERSION}",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// Its version.
        found: String,
    },
    /// It ends too early, or isn't JSON any more.
    #[error("the saved plan isn't whole: {reason}")]
    CutOff {
        /// In the reader's words.
        reason: String,
    },
    /// Its hash isn't that of what it says.
    #[error("the saved plan was changed after it was saved: {reason}")]
    Edited {
        /// How that is known.
        reason: String,
    },
    /// It was saved by another rbk.
    #[error("the plan was saved by rbk {saved}, and this is rbk {running}")]
    OtherRbk {
        /// The version that saved it.
        saved: String,
        /// This one's.
        running: String,
    },
    /// What it was made from isn't what it was.
    #[error(
        "what the plan was made from has changed since it was saved:{}",
        lines(changed)
    )]
    InputsChanged {
        /// What, in the order of the plan's inputs.
        changed: Vec<Changed>,
    },
    /// What it was made from isn't here.
    #[error("what the plan was made from isn't here:{}", lines(missing))]
    InputsMissing {
        /// What.
        missing: Vec<Changed>,
    },
}

/// Something that a plan was made from, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What it is to the plan.
    pub input: InputKind,
    /// Where it was looked for.
    pub path: String,
    /// What is different, in words.
    pub said: Vec<String>,
}

/// How many differences of one input are told.
const TOLD: usize = 8;

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.input, self.path)?;
        if self.said.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", first_few(&self.said, TOLD, "; "))
    }
}

fn lines(all: &[Changed]) -> String {
    all.iter().map(|changed| format!("\n  {changed}")).collect()
}

impl SavedPlanError {
    /// Its code, for `rbk explain`.
    pub fn code(&self) -> &'static str {
        match self {
            SavedPlanError::Foreign { .. } => "RBK4105",
            SavedPlanError::Newer { .. } => "RBK4106",
            SavedPlanError::CutOff { .. } => "RBK4107",
            SavedPlanError::Edited { .. } => "RBK4108",
            SavedPlanError::OtherRbk { .. } => "RBK4109",
            SavedPlanError::InputsChanged { .. } => "RBK4110",
            SavedPlanError::InputsMissing { .. } => "RBK4111",
        }
    }

    /// What to do now.
    pub fn help(&self) -> String {
        match self {
            SavedPlanError::Foreign { .. } => {
                "name a runbook, or save a plan with `rbk plan FILE --out FILE.rbkplan`".to_owned()
            }
            SavedPlanError::Newer { .. } => {
                "take the rbk that saved it, or plan it again with this one".to_owned()
            }
            SavedPlanError::CutOff { .. } => {
                "copy it again from where it was saved, or plan it again".to_owned()
            }
            SavedPlanError::Edited { .. } => {
                "nothing of it is performed: take the file as it was saved, or change the runbook and plan it again".to_owned()
            }
            SavedPlanError::OtherRbk { saved, .. } => format!(
                "take rbk {saved}, or plan it again with this one and have that reviewed: another rbk may do the same actions otherwise"
            ),
            SavedPlanError::InputsChanged { .. } => {
                "nothing was begun: plan it again and have that reviewed, or bring the files back to what they were".to_owned()
            }
            SavedPlanError::InputsMissing { .. } => {
                "run it in the folder that it was planned in, where these files are; or, where they can't be, say --without-inputs: the plan holds all that is performed, but nobody can tell whether they have changed since".to_owned()
            }
        }
    }
}
