//! Figures of a lock file: they are for people and estimates, so they stay as they are until they have really changed.

use super::Lock;
use crate::catalog::{Catalog, Index, Table};
use std::collections::BTreeMap;

impl Lock {
    /// Takes in what was read from a database. Figures that were there before stay while they are of the same magnitude, the
    /// server's version while it is of the same major one, so that a file doesn't change for nothing.
    pub fn insert(&mut self, database: crate::ids::DatabaseName, mut catalog: Catalog) {
        let before = self.databases.remove(&database);
        catalog.settle(before.as_ref());
        self.databases.insert(database, catalog);
    }
}

impl Catalog {
    fn settle(&mut self, before: Option<&Catalog>) {
        if let Some(before) = before
            && self.major() == before.major()
        {
            self.server_version.clone_from(&before.server_version);
        }
        settle(
            &mut self.shared_buffers,
            before.map(|before| before.shared_buffers),
        );
        settle(&mut self.bytes, before.map(|before| before.bytes));
        for (name, schema) in &mut self.schemas {
            let before = before.and_then(|before| before.schemas.get(name));
            for (name, table) in &mut schema.tables {
                table.settle(before.and_then(|before| before.tables.get(name)));
            }
            for (name, view) in &mut schema.views {
                let before = before.and_then(|before| before.views.get(name));
                settle_indexes(&mut view.indexes, before.map(|before| &before.indexes));
            }
        }
    }
}

impl Table {
    fn settle(&mut self, before: Option<&Table>) {
        settle(&mut self.rows, before.map(|before| before.rows));
        settle(&mut self.bytes, before.map(|before| before.bytes));
        settle_indexes(&mut self.indexes, before.map(|before| &before.indexes));
    }
}

fn settle_indexes(indexes: &mut BTreeMap<String, Index>, before: Option<&BTreeMap<String, Index>>) {
    for (name, index) in indexes {
        let before = before.and_then(|before| before.get(name));
        settle(&mut index.bytes, before.map(|before| before.bytes));
    }
}

/// A figure with two digits that count; the one before, while it is more than half and less than twice of what it is now.
fn settle(figure: &mut u64, before: Option<u64>) {
    match before {
        Some(before) if before / 2 < *figure && *figure / 2 < before => *figure = before,
        _ => *figure = rounded(*figure),
    }
}

/// `1_234_567` as `1_200_000`.
fn rounded(figure: u64) -> u64 {
    let digits = figure.checked_ilog10().map_or(1, |tens| tens + 1);
    let unit = 10_u64.pow(digits.saturating_sub(2));
    // Down, where up would be past the largest number.
    (figure / unit)
        .checked_add(u64::from(figure % unit >= unit.div_ceil(2) && unit > 1))
        .and_then(|count| count.checked_mul(unit))
        .unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_count() {
        for (figure, expected) in [
            (0, 0),
            (7, 7),
            (99, 99),
            (104, 100),
            (105, 110),
            (1_234_567, 1_200_000),
            (9_960, 10_000),
            (u64::MAX, 18_000_000_000_000_000_000),
        ] {
            assert_eq!(rounded(figure), expected, "{figure}");
        }
    }

    #[test]
    fn a_figure_stays_while_its_magnitude_does() {
        for (before, now, expected) in [
            (1_000, 1_999, 1_000),
            (1_000, 2_000, 2_000),
            (1_000, 501, 1_000),
            (1_000, 499, 500),
            (0, 0, 0),
            (0, 5_123, 5_100),
            (5_100, 0, 0),
        ] {
            let mut figure = now;
            settle(&mut figure, Some(before));
            assert_eq!(figure, expected, "{before} -> {now}");
        }
    }
}
