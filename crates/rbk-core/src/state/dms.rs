//! What `replicate … with dms` says, as far as states depend on it.

use crate::environment::TableName;
use crate::ids::DatabaseName;
use rbk_syntax::Span;

/// A replication by DMS, as it is written.
#[derive(Debug, Clone)]
pub(crate) struct DmsLoad {
    /// `load` of `let load = replicate …`
    pub(crate) name: String,
    /// Where the rows come from.
    pub(crate) from: DatabaseName,
    /// Where they go.
    pub(crate) to: DatabaseName,
    /// The tables that are to be loaded; partitions, or the tables that they are partitions of.
    pub(crate) tables: Vec<TableName>,
    /// The tables that the statement leaves out by name.
    pub(crate) excepted: Vec<TableName>,
    /// `prepare`
    pub(crate) prepare: Chosen<Prepare>,
    /// `lob`
    pub(crate) lob: Chosen<LobMode>,
    /// `after_connect`, of the target; empty: none.
    pub(crate) after_connect: Chosen<String>,
    /// `on_error`
    pub(crate) on_error: Chosen<OnError>,
}

/// An option's value.
#[derive(Debug, Clone)]
pub(crate) struct Chosen<T> {
    /// What holds, said or by default.
    pub(crate) value: T,
    /// The option's value in the text; absent: it is the default.
    pub(crate) span: Option<Span>,
}

/// What becomes of the target's tables before the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prepare {
    /// `nothing`: `DO_NOTHING`
    Nothing,
    /// `truncate`: `TRUNCATE_BEFORE_LOAD`
    Truncate,
    /// `drop_and_create`: `DROP_AND_CREATE`
    DropAndCreate,
}

/// How large values travel. Sizes are in kilobytes of 1024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LobMode {
    /// `full, chunk 64kb`: whole, behind their rows, in pieces of this size.
    Full { chunk: u64 },
    /// `limited, max 32kb`: with their rows, cut at this size.
    Limited { max: u64 },
    /// `none`: not at all.
    Without,
}

/// What becomes of rows and tables that can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// `stop`: nothing goes on.
    Stop,
    /// `suspend_table`: the other tables go on.
    SuspendTable,
    /// `skip`: DMS's own default: a row that can't be written is logged and left out.
    SkipRow,
}
