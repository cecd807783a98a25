//! Rows on their way: columns of texts, so many at a time that memory stays flat.

use tokio_postgres::Row;

use super::{
    plan::{Planned, TablePlan, Way},
    session::Trouble,
    types::cut,
};

/// How many bytes a batch may have before it is written, whatever the commit rate.
const FULL_BATCH: usize = 1 << 20;

/// Some rows of one table.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    columns: Vec<Vec<Option<String>>>,
    pub(crate) rows: usize,
    bytes: usize,
}

/// What was cut off a row by limited LOB mode.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Truncation {
    /// The column's place in the plan.
    pub(crate) column: usize,
    /// In bytes
    pub(crate) longest: usize,
}

impl Batch {
    pub(crate) fn new(plan: &TablePlan) -> Batch {
        Batch {
            columns: plan.columns.iter().map(|_| Vec::new()).collect(),
            ..Batch::default()
        }
    }

    /// Takes a row of the plan's `select`.
    pub(crate) fn push(&mut self, plan: &TablePlan, row: &Row) -> Result<Vec<Truncation>, Trouble> {
        let mut truncations = Vec::new();
        let places = plan.columns.iter().zip(&mut self.columns).enumerate();
        for (place, (planned, column)) in places {
            let mut value: Option<String> = row.try_get(place)?;
            if let (Way::Cut { lob, longest }, Some(whole)) = (planned.way, &value)
                && let Some(head) = cut(lob, whole, longest)
            {
                value = Some(head);
                truncations.push(Truncation {
                    column: place,
                    longest,
                });
            }
            self.bytes += value.as_ref().map_or(0, String::len);
            column.push(value);
        }
        self.rows += 1;
        Ok(truncations)
    }

    pub(crate) fn is_full(&self, commit_rate: usize) -> bool {
        self.rows >= commit_rate || self.bytes >= FULL_BATCH
    }

    /// The rows' values of each column, without the LOBs that follow.
    pub(crate) fn inserted(
        &self,
        plan: &TablePlan,
        rows: std::ops::Range<usize>,
    ) -> Vec<Vec<Option<&str>>> {
        let columns = plan.columns.iter().zip(&self.columns);
        columns
            .map(|(planned, column)| {
                let values = column.get(rows.clone()).unwrap_or_default();
                let with_row = |value: &&str| !follows(planned, value);
                let values = values.iter().map(Option::as_deref);
                values.map(|value| value.filter(with_row)).collect()
            })
            .collect()
    }

    /// The values of `columns` of those rows whose LOBs follow.
    pub(crate) fn updated(
        &self,
        plan: &TablePlan,
        columns: &[usize],
        rows: std::ops::Range<usize>,
    ) -> Vec<Vec<Option<&str>>> {
        let late: Vec<usize> = rows
            .filter(|row| {
                let mut cells = plan.columns.iter().zip(&self.columns);
                cells.any(|(planned, column)| {
                    let value = column.get(*row).and_then(Option::as_deref);
                    value.is_some_and(|value| follows(planned, value))
                })
            })
            .collect();
        let column = |place: &usize| {
            let column = self.columns.get(*place).map(Vec::as_slice);
            let column = column.unwrap_or_default();
            late.iter()
                .map(|row| column.get(*row).and_then(Option::as_deref))
                .collect()
        };
        columns.iter().map(column).collect()
    }

    /// Forgets the rows, and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
        self.rows = 0;
        self.bytes = 0;
    }
}

fn follows(planned: &Planned, value: &str) -> bool {
    match planned.way {
        Way::After { inline } => value.len() > inline || inline == 0,
        Way::WithRow | Way::Cut { .. } => false,
    }
}
