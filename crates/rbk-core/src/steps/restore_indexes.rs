//! `restore indexes on …`: creates again what earlier statements dropped there; where they dropped nothing, what the
//! lock file says should be there.
//!
//! One action an index: building one may take an hour, and a resumed run goes on with those that are left.
//!
//! ```rbk
//! restore indexes on columns of type vector in original.public
//! ```

use super::Meaning;
use super::drop_indexes::{indexes, roots, with_parts};
use crate::catalog::SelectedIndex;
use crate::check::Checker;
use crate::ids::DatabaseName;
use crate::lower::{Lowering, by_size};
use crate::plan::{Change, Risk};
use crate::sql::create_index;
use crate::state::Flow;
use crate::value::Value;
use rbk_syntax::{Span, ast};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(crate) struct RestoreIndexes {
    database: DatabaseName,
    schema: String,
    indexes: Vec<SelectedIndex>,
}

impl RestoreIndexes {
    pub(super) fn check(on: &ast::Target, span: Span, checker: &mut Checker<'_>) -> Option<Self> {
        let (database, place) = checker.target(on)?;
        let indexes = indexes(&database, &place, span, checker)?;
        Some(Self { database, schema: place.schema().to_owned(), indexes })
    }
}

impl Meaning for RestoreIndexes {
    fn flow(&self, flow: &mut Flow<'_>, span: Span) {
        flow.restore_indexes(&self.database, &self.schema, &roots(&self.indexes), span);
    }

    fn lower(&self, lowering: &mut Lowering<'_>) {
        let Some(catalog) = lowering.catalog(&self.database) else {
            return;
        };
        let already = lowering.ledger.dropped(&self.database, &self.schema);
        let dropped: Vec<&SelectedIndex> = self.indexes.iter().filter(|index| already.contains(&index.facts.name)).collect();
        // In `on failure`, and where this runbook dropped nothing, an index may be there.
        let may_be_there = lowering.in_failure || dropped.is_empty();
        let indexes = if dropped.is_empty() { self.indexes.iter().collect() } else { dropped };
        if indexes.is_empty() {
            return;
        }
        lowering.relies_on_lock(&self.database, [self.schema.as_str()].into_iter());
        for index in indexes {
            let memory = maintenance_work_mem(index.bytes, catalog.shared_buffers);
            let summary = format!(
                "create index `{}` of `{}.{}` ({}, with {} of memory)",
                index.facts.name,
                self.database,
                index.facts.table,
                index.method,
                Value::Size(memory)
            );
            let settings = BTreeMap::from([("maintenance_work_mem".to_owned(), format!("{}MB", memory / MEGABYTE))]);
            let change = Change::CreateIndexes { indexes: with_parts([index]) };
            let bound = by_size(index.bytes, minutes_per_gigabyte(&index.method));
            lowering.change_schema_with(Risk::Creates, bound, summary, &self.database, (change, statements(index, may_be_there)), settings);
            lowering.ledger.restore_index(&self.database, &self.schema, &index.facts.name);
        }
    }
}

/// How long building an index may take: approximate nearest-neighbour indexes are built row by row through a graph or its
/// clusters, full-text and spatial ones through many small pieces, a B-tree by one sort.
fn minutes_per_gigabyte(method: &str) -> u64 {
    match method {
        "btree" | "hash" | "brin" => 10,
        "gin" | "gist" | "spgist" => 60,
        _ => 120,
    }
}

const MEGABYTE: u64 = 1 << 20;

/// Memory for building an index, in bytes: a quarter more than the index had, since an HNSW graph that doesn't fit into it
/// is built many times slower; never more than the server's own cache, nor than 2 GB; never less than Postgres's default.
fn maintenance_work_mem(index: u64, shared_buffers: u64) -> u64 {
    let (least, most) = (64 * MEGABYTE, 2048 * MEGABYTE);
    let wanted = (index.saturating_add(index / 4)).div_ceil(MEGABYTE).saturating_mul(MEGABYTE);
    let cap = shared_buffers / MEGABYTE * MEGABYTE;
    wanted.min(cap).clamp(least, most)
}

/// Parts are made first, each as it was: Postgres joins them to their whole when that is made, and finds no other to make.
/// Source: the manual's page of CREATE INDEX, on partitioned tables.
fn statements(index: &SelectedIndex, may_be_there: bool) -> Vec<String> {
    let parts = index.parts.iter().rev().map(|part| &part.definition);
    parts
        .chain([&index.facts.definition])
        .map(|definition| create_index(definition, may_be_there))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{MEGABYTE, maintenance_work_mem};

    #[test]
    fn memory_follows_the_index_between_its_limits() {
        let gigabyte = 1024 * MEGABYTE;
        for (index, cache, memory) in [
            (0, 4 * gigabyte, 64),
            (100 * MEGABYTE, 4 * gigabyte, 125),
            (100 * MEGABYTE + 1, 4 * gigabyte, 126),
            (gigabyte, 4 * gigabyte, 1280),
            (gigabyte, 512 * MEGABYTE, 512),
            (40 * gigabyte, 16 * gigabyte, 2048),
            (gigabyte, 16 * MEGABYTE, 64),
            (gigabyte, 0, 64),
            (u64::MAX, u64::MAX, 2048),
        ] {
            assert_eq!(maintenance_work_mem(index, cache) / MEGABYTE, memory, "{index} {cache}");
        }
    }
}
