//! Entering on the board what the world sees of a load.

use std::sync::{MutexGuard, PoisonError};

use super::{Board, TableProgress, TableState, catalog::TableName};

/// How many lines the log keeps; older ones go.
const LONGEST_LOG: usize = 10_000;

impl Board {
    fn all(&self) -> MutexGuard<'_, Vec<TableProgress>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters the selected tables anew.
    pub(super) fn enter(&self, names: &[TableName]) {
        let progress = |name: &TableName| TableProgress {
            schema: name.schema.clone(),
            table: name.table.clone(),
            state: TableState::BeforeLoad,
            rows: 0,
            error_rows: 0,
            started_at: None,
            ended_at: None,
        };
        *self.all() = names.iter().map(progress).collect();
    }

    pub(super) fn names(&self) -> Vec<TableName> {
        let all = self.all();
        all.iter()
            .map(|it| TableName::new(&it.schema, &it.table))
            .collect()
    }

    pub(super) fn change(&self, name: &TableName, change: impl FnOnce(&mut TableProgress)) {
        let mut all = self.all();
        let found = all
            .iter_mut()
            .find(|it| it.schema == name.schema && it.table == name.table);
        if let Some(progress) = found {
            change(progress);
        }
    }

    pub(super) fn start(&self, name: &TableName) {
        self.change(name, |it| {
            it.state = TableState::FullLoad;
            it.rows = 0;
            it.error_rows = 0;
            it.started_at = Some(jiff::Timestamp::now());
            it.ended_at = None;
        });
    }

    pub(super) fn end(&self, name: &TableName, state: TableState) {
        self.change(name, |it| {
            it.state = state;
            it.ended_at = Some(jiff::Timestamp::now());
        });
    }

    /// What isn't done when the load ends never will be.
    pub(super) fn cancel_unfinished(&self) {
        for it in self.all().iter_mut() {
            match it.state {
                TableState::FullLoad | TableState::BeforeLoad => {
                    it.state = TableState::Cancelled;
                    it.ended_at = Some(jiff::Timestamp::now());
                }
                TableState::DoesNotExist
                | TableState::Completed
                | TableState::Cancelled
                | TableState::Error => {}
            }
        }
    }

    pub(super) fn say(&self, lines: impl IntoIterator<Item = String>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend(lines);
        if let Some(surplus) = log.len().checked_sub(LONGEST_LOG) {
            log.drain(..surplus);
        }
    }
}
