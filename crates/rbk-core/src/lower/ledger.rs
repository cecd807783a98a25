//! What the statements of a runbook have changed of schemas so far, so that `restore …` undoes just that.

use crate::catalog::ColumnName;
use crate::ids::DatabaseName;
use std::collections::{BTreeMap, BTreeSet};

/// The changes, by database and schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    schemas: BTreeMap<(DatabaseName, String), Changes>,
    /// Databases on which SQL ran that nobody understands.
    unchecked: BTreeSet<DatabaseName>,
    /// Databases that an action of the plan has proven to be as the lock file says.
    proven: BTreeSet<DatabaseName>,
}

/// What differs of a schema from the lock file.
#[derive(Debug, Clone, Default)]
struct Changes {
    recreated: bool,
    now: Differences,
    /// At one time or another.
    ever: Differences,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Differences {
    /// Indexes that are dropped.
    indexes: BTreeSet<String>,
    /// Types that columns have instead of the lock file's.
    types: BTreeMap<ColumnName, String>,
    /// Columns that may hold NULL.
    nullable: BTreeSet<ColumnName>,
}

impl Differences {
    fn join(&mut self, other: &Differences) {
        self.indexes.extend(other.indexes.iter().cloned());
        for (column, ty) in &other.types {
            self.types
                .entry(column.clone())
                .or_insert_with(|| ty.clone());
        }
        self.nullable.extend(other.nullable.iter().cloned());
    }
}

impl Ledger {
    /// Whether the runbook recreated the schema.
    pub(crate) fn is_recreated(&self, database: &DatabaseName, schema: &str) -> bool {
        self.of(database, schema)
            .is_some_and(|changes| changes.recreated)
    }

    /// The schemas of a database that the runbook recreated.
    pub(crate) fn recreated_schemas(&self, database: &DatabaseName) -> Vec<String> {
        self.schemas
            .iter()
            .filter(|((of, _), changes)| of == database && changes.recreated)
            .map(|((_, schema), _)| schema.clone())
            .collect()
    }

    /// Whether nothing of a database differs from the lock file as far as the runbook's own statements go.
    pub(crate) fn is_clean(&self, database: &DatabaseName) -> bool {
        let mut all = self.schemas.iter();
        !self.unchecked.contains(database)
            && all.all(|((of, _), changes)| of != database || changes.now == Differences::default())
    }

    /// Whether an action of the plan has proven a database to be as the lock file says but for the runbook's own changes.
    pub(crate) fn is_proven(&self, database: &DatabaseName) -> bool {
        self.proven.contains(database)
    }

    /// An action proves it.
    pub(crate) fn prove(&mut self, database: &DatabaseName) {
        self.proven.insert(database.clone());
    }

    /// The schema is made anew: what was changed before is gone.
    pub(crate) fn recreate(&mut self, database: &DatabaseName, schema: &str) {
        let changes = self.changes(database, schema);
        changes.recreated = true;
        changes.now = Differences::default();
    }

    /// The indexes of a schema that are dropped.
    pub(crate) fn dropped(&self, database: &DatabaseName, schema: &str) -> BTreeSet<String> {
        let changes = self.of(database, schema);
        changes
            .map(|changes| changes.now.indexes.clone())
            .unwrap_or_default()
    }

    /// An index is dropped.
    pub(crate) fn drop_index(&mut self, database: &DatabaseName, schema: &str, index: &str) {
        let changes = self.changes(database, schema);
        changes.now.indexes.insert(index.to_owned());
        changes.ever.indexes.insert(index.to_owned());
    }

    /// An index is there again.
    pub(crate) fn restore_index(&mut self, database: &DatabaseName, schema: &str, index: &str) {
        self.changes(database, schema).now.indexes.remove(index);
    }

    /// The type that a column has instead of the lock file's.
    pub(crate) fn type_of(&self, database: &DatabaseName, column: &ColumnName) -> Option<&str> {
        let changes = self.of(database, &column.table.schema)?;
        changes.now.types.get(column).map(String::as_str)
    }

    /// The columns of a schema whose types aren't the lock file's, with their types.
    pub(crate) fn altered(
        &self,
        database: &DatabaseName,
        schema: &str,
    ) -> BTreeMap<ColumnName, String> {
        let changes = self.of(database, schema);
        changes
            .map(|changes| changes.now.types.clone())
            .unwrap_or_default()
    }

    /// A column gets a type; `None`: the lock file's.
    pub(crate) fn alter(&mut self, database: &DatabaseName, column: &ColumnName, ty: Option<&str>) {
        let changes = self.changes(database, &column.table.schema);
        match ty {
            Some(ty) => {
                changes.now.types.insert(column.clone(), ty.to_owned());
                changes.ever.types.insert(column.clone(), ty.to_owned());
            }
            None => {
                changes.now.types.remove(column);
            }
        }
    }

    /// Whether a column was relaxed.
    pub(crate) fn is_relaxed(&self, database: &DatabaseName, column: &ColumnName) -> bool {
        let changes = self.of(database, &column.table.schema);
        changes.is_some_and(|changes| changes.now.nullable.contains(column))
    }

    /// A column may hold NULL.
    pub(crate) fn relax(&mut self, database: &DatabaseName, column: &ColumnName) {
        let changes = self.changes(database, &column.table.schema);
        changes.now.nullable.insert(column.clone());
        changes.ever.nullable.insert(column.clone());
    }

    /// A column may not hold NULL any more.
    pub(crate) fn tighten(&mut self, database: &DatabaseName, column: &ColumnName) {
        self.changes(database, &column.table.schema)
            .now
            .nullable
            .remove(column);
    }

    /// SQL runs that nobody understands.
    pub(crate) fn run_unchecked(&mut self, database: &DatabaseName) {
        self.unchecked.insert(database.clone());
    }

    /// `on failure` begins wherever a step has failed: whatever was changed at one time may be so then.
    pub(crate) fn begin_anywhere(&mut self) {
        for changes in self.schemas.values_mut() {
            changes.now = changes.ever.clone();
        }
    }

    /// Behind either of two ways: what one of them has changed may be so, what only one has proven isn't.
    pub(crate) fn join(&mut self, other: &Ledger) {
        for (key, theirs) in &other.schemas {
            let mine = self.schemas.entry(key.clone()).or_default();
            mine.recreated &= theirs.recreated;
            mine.now.join(&theirs.now);
            mine.ever.join(&theirs.ever);
        }
        for (key, mine) in &mut self.schemas {
            mine.recreated &= other.schemas.contains_key(key);
        }
        self.unchecked.extend(other.unchecked.iter().cloned());
        self.proven
            .retain(|database| other.proven.contains(database));
    }

    fn of(&self, database: &DatabaseName, schema: &str) -> Option<&Changes> {
        self.schemas.get(&(database.clone(), schema.to_owned()))
    }

    fn changes(&mut self, database: &DatabaseName, schema: &str) -> &mut Changes {
        self.schemas
            .entry((database.clone(), schema.to_owned()))
            .or_default()
    }
}
