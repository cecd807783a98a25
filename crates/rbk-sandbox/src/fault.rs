//! Faults: what goes wrong, at which call of which operation, before or after its effect.

mod parse;
mod planted;

use std::{fmt, time::Duration};

pub use parse::FaultError;
pub(crate) use planted::{Drawn, Faults};

/// Something that goes wrong on purpose.
///
/// Parsed from text with [`str::parse`]; the manual (`docs/sandbox.md`) has the form:
///
/// ```
/// use rbk_sandbox::Fault;
/// let fault: Fault = "RestoreDBInstanceFromDBSnapshot:1:after:cut".parse()?;
/// assert_eq!(fault.to_string(), "RestoreDBInstanceFromDBSnapshot:1:after:cut");
/// # Ok::<(), rbk_sandbox::FaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An operation is disturbed.
    Operation(OperationFault),
    /// An access key is no longer good, whatever it asks for.
    AccessKey {
        /// The access key's id.
        id: String,
        /// What it is told.
        rejection: Rejection,
    },
}

/// A disturbance of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFault {
    /// The operation's name, or `*` for each.
    pub operation: String,
    /// Which calls are disturbed, counted from the moment at which the fault was planted.
    pub calls: Calls,
    /// When within the call.
    pub moment: Moment,
    /// How.
    pub kind: FaultKind,
}

/// Which calls of an operation are meant; the first one is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Every call.
    Every,
    /// The calls from `first` to `last`.
    Range {
        /// The first one.
        first: u32,
        /// The last one.
        last: u32,
    },
}

impl Calls {
    /// The `n`-th call alone.
    pub fn nth(n: u32) -> Calls {
        Calls::Range { first: n, last: n }
    }

    fn contain(self, call: u32) -> bool {
        match self {
            Calls::Every => true,
            Calls::Range { first, last } => (first..=last).contains(&call),
        }
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before anything was changed.
    Before,
    /// After the effect was applied, instead of its answer.
    After,
    /// In the work that goes on after the answer, like a restore in state `creating`.
    During,
}

/// How an operation is disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// `Throttling` or `ThrottlingException`: "Rate exceeded".
    Throttle,
    /// HTTP 500.
    InternalFailure,
    /// HTTP 503.
    ServiceUnavailable,
    /// The connection is closed without an answer.
    Cut,
    /// `AccessDenied` or `AccessDeniedException`.
    AccessDenied,
    /// `ExpiredToken` or `ExpiredTokenException`.
    ExpiredToken,
    /// `InsufficientDBInstanceCapacity` for a restore; a replication fails in
    /// `provisioning_capacity`.
    InsufficientCapacity,
    /// The call waits for a while.
    Delay(Duration),
    /// The call waits until [`crate::Sandbox::release_hold`] is called with this name.
    Hold(String),
    /// The answer is the one from before the last mutation.
    StaleRead,
    /// A restore (or a snapshot) ends in this state instead of `available`.
    EndsAs(TerminalState),
    /// A restored instance shows `available`, then `backing-up`, then `available` again.
    Flap,
    /// A replication fails in a phase; in `running`, after it moved its rows.
    FailsIn {
        /// The phase.
        phase: ReplicationPhase,
        /// What `FailureMessages` says; `None` is the phase's usual message.
        message: Option<String>,
    },
    /// A table is suspended: it isn't loaded, the statistics say `Table error`, and the replication
    /// finishes all the same.
    SuspendsTable {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
    },
    /// A table isn't loaded, and isn't in the statistics, although the replication finishes.
    LosesTable {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
    },
    /// A replication is deprovisioned as soon as it has ended: its statistics are gone.
    Deprovisions,
}

/// What a replication goes through after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicationPhase {
    /// `initializing`
    Initializing,
    /// `preparing_metadata_resources`
    PreparingMetadataResources,
    /// `testing_connection`
    TestingConnection,
    /// `fetching_metadata`
    FetchingMetadata,
    /// `calculating_capacity`
    CalculatingCapacity,
    /// `provisioning_capacity`
    ProvisioningCapacity,
    /// `replication_starting`
    ReplicationStarting,
    /// `running`
    Running,
}

impl ReplicationPhase {
    /// All of them, in their order.
    pub const ALL: [ReplicationPhase; 8] = [
        ReplicationPhase::Initializing,
        ReplicationPhase::PreparingMetadataResources,
        ReplicationPhase::TestingConnection,
        ReplicationPhase::FetchingMetadata,
        ReplicationPhase::CalculatingCapacity,
        ReplicationPhase::ProvisioningCapacity,
        ReplicationPhase::ReplicationStarting,
        ReplicationPhase::Running,
    ];

    /// As in a replication's `Status`.
    pub fn status(self) -> &'static str {
        match self {
            ReplicationPhase::Initializing => "initializing",
            ReplicationPhase::PreparingMetadataResources => "preparing_metadata_resources",
            ReplicationPhase::TestingConnection => "testing_connection",
            ReplicationPhase::FetchingMetadata => "fetching_metadata",
            ReplicationPhase::CalculatingCapacity => "calculating_capacity",
            ReplicationPhase::ProvisioningCapacity => "provisioning_capacity",
            ReplicationPhase::ReplicationStarting => "replication_starting",
            ReplicationPhase::Running => "running",
        }
    }

    /// The phase with this status.
    pub(crate) fn of(status: &str) -> Option<ReplicationPhase> {
        ReplicationPhase::ALL
            .into_iter()
            .find(|phase| phase.status() == status)
    }
}

/// States in which a restore can end badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalState {
    /// `failed`
    Failed,
    /// `restore-error`
    RestoreError,
    /// `incompatible-restore`
    IncompatibleRestore,
    /// `incompatible-network`
    IncompatibleNetwork,
    /// `incompatible-parameters`
    IncompatibleParameters,
    /// `insufficient-capacity`
    InsufficientCapacity,
    /// `inaccessible-encryption-credentials`
    InaccessibleKey,
    /// `storage-full`
    StorageFull,
}

impl TerminalState {
    /// All of them.
    pub const ALL: [TerminalState; 8] = [
        TerminalState::Failed,
        TerminalState::RestoreError,
        TerminalState::IncompatibleRestore,
        TerminalState::IncompatibleNetwork,
        TerminalState::IncompatibleParameters,
        TerminalState::InsufficientCapacity,
        TerminalState::InaccessibleKey,
        TerminalState::StorageFull,
    ];

    /// As in `DBInstanceStatus`.
    pub fn status(self) -> &'static str {
        match self {
            TerminalState::Failed => "failed",
            TerminalState::RestoreError => "restore-error",
            TerminalState::IncompatibleRestore => "incompatible-restore",
            TerminalState::IncompatibleNetwork => "incompatible-network",
            TerminalState::IncompatibleParameters => "incompatible-parameters",
            TerminalState::InsufficientCapacity => "insufficient-capacity",
            TerminalState::InaccessibleKey => "inaccessible-encryption-credentials",
            TerminalState::StorageFull => "storage-full",
        }
    }
}

/// What the owner of a rejected access key is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The session has expired.
    Expired,
    /// Nothing is allowed.
    Denied,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Operation(fault) => fault.fmt(f),
            Fault::AccessKey { id, rejection } => {
                let rejection = match rejection {
                    Rejection::Expired => "expired",
                    Rejection::Denied => "denied",
                };
                write!(f, "key={id}:{rejection}")
            }
        }
    }
}

impl fmt::Display for OperationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.operation, self.calls)?;
        match self.moment {
            Moment::Before => {}
            Moment::After => write!(f, ":after")?,
            Moment::During => write!(f, ":during")?,
        }
        write!(f, ":{}", self.kind)
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Calls::Every => write!(f, "*"),
            Calls::Range { first, last } if first == last => write!(f, "{first}"),
            Calls::Range { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Throttle => write!(f, "throttle"),
            FaultKind::InternalFailure => write!(f, "500"),
            FaultKind::ServiceUnavailable => write!(f, "503"),
            FaultKind::Cut => write!(f, "cut"),
            FaultKind::AccessDenied => write!(f, "denied"),
            FaultKind::ExpiredToken => write!(f, "expired"),
            FaultKind::InsufficientCapacity => write!(f, "no-capacity"),
            FaultKind::Delay(time) => write!(f, "delay={}ms", time.as_millis()),
            FaultKind::Hold(name) => write!(f, "hold={name}"),
            FaultKind::StaleRead => write!(f, "stale"),
            FaultKind::EndsAs(state) => write!(f, "ends={}", state.status()),
            FaultKind::Flap => write!(f, "flap"),
            FaultKind::FailsIn {
                phase,
                message: None,
            } => write!(f, "fails={}", phase.status()),
            FaultKind::FailsIn {
                phase,
                message: Some(message),
            } => write!(f, "fails={}({message})", phase.status()),
            FaultKind::SuspendsTable { schema, table } => write!(f, "suspends={schema}.{table}"),
            FaultKind::LosesTable { schema, table } => write!(f, "loses={schema}.{table}"),
            FaultKind::Deprovisions => write!(f, "deprovisions"),
        }
    }
}
