//! The functions of the language: how each is written, for whoever reads about them and for candidates of misspelt names.

/// A function, as the language reference tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written, with what it is given.
    pub form: &'static str,
    /// The type of its value.
    pub gives: &'static str,
    /// What its value is.
    pub about: &'static str,
}

/// All functions, in the order of their names.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "active_secret",
        form: "active_secret(APP)",
        gives: "text",
        about: "the name of the secret that the application's active database is known by",
    },
    Function {
        name: "age",
        form: "age(SNAPSHOT or TIME)",
        gives: "duration",
        about: "how long ago: of a snapshot, the time of the newest transaction in it",
    },
    Function {
        name: "count",
        form: "count(DB.SCHEMA.TABLE)",
        gives: "integer",
        about: "rows, counted exactly",
    },
    Function {
        name: "query",
        form: "query(DB, \"SQL\") as TYPE",
        gives: "TYPE",
        about: "one value out of one statement, in a read-only transaction",
    },
    Function {
        name: "removal_policy",
        form: "removal_policy(DB)",
        gives: "text",
        about: "what the environment says: `snapshot`, `destroy` or `retain`",
    },
    Function {
        name: "restorable_from",
        form: "restorable_from(DB)",
        gives: "time",
        about: "the oldest instant that its instance can be restored to",
    },
    Function {
        name: "restorable_until",
        form: "restorable_until(DB)",
        gives: "time",
        about: "the newest; usually about five minutes ago",
    },
    Function {
        name: "retention",
        form: "retention(DB)",
        gives: "duration",
        about: "how long RDS really keeps automated backups; `0s` where it makes none",
    },
    Function {
        name: "secret",
        form: "secret(DB)",
        gives: "text",
        about: "the name of its secret",
    },
    Function {
        name: "size",
        form: "size(DB or DB.SCHEMA.TABLE)",
        gives: "size",
        about: "bytes on disk; of a table with its indexes",
    },
    Function {
        name: "snapshot_gap",
        form: "snapshot_gap(DB)",
        gives: "duration",
        about: "the longest time without an available snapshot: between two neighbours, and from the newest until now",
    },
    Function {
        name: "source_snapshot",
        form: "source_snapshot(DB)",
        gives: "text",
        about: "the snapshot that rbk restored its instance from; empty where there is none",
    },
];
