//! What stands behind tables' names: which relations hold the rows, how large they are, and their columns.

use crate::error::Failure;
use crate::inspect::PINNED;
use crate::session::quoted;
use rbk_core::environment::TableName;
use std::collections::BTreeMap;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

/// A table, or what may be read like one.
pub(crate) struct Relation {
    /// Whether it is partitioned: its rows are in its leaves.
    pub partitioned: bool,
    /// What holds the rows; itself, where it isn't partitioned.
    pub leaves: Vec<Leaf>,
    /// By name.
    pub columns: BTreeMap<String, ColumnShape>,
}

/// A relation that holds rows itself.
pub(crate) struct Leaf {
    pub name: TableName,
    /// Bytes on disk without indexes.
    pub bytes: u64,
    /// Its blocks, where rows can be read by ranges of them.
    pub blocks: Option<u64>,
    /// Whether it is an ordinary table, which can be locked.
    ordinary: bool,
}

/// A column as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnShape {
    /// `numeric(10,2)`, with its schema where that isn't `pg_catalog`.
    pub ty: String,
    /// The same without what is in brackets.
    pub base: String,
    /// Whether its value is always computed.
    pub generated: bool,
    /// Whether its type, and every type inside of it, has a binary form that another database reads.
    pub binary: bool,
}

/// Looks tables up, in the order given; `None` where there is none of that name.
pub(crate) async fn find(
    client: &Client,
    tables: &[TableName],
) -> Result<Vec<Option<Relation>>, Failure> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
    let wanted: [&(dyn ToSql + Sync); 2] = [&schemas, &names];
    let mut found: Vec<Option<Relation>> = tables.iter().map(|_| None).collect();
    for row in client.query(ROOTS, &wanted).await? {
        let number: i64 = row.try_get(0)?;
        if let Some(slot) = at(&mut found, number) {
            *slot = Some(Relation {
                partitioned: row.try_get(1)?,
                leaves: Vec::new(),
                columns: BTreeMap::new(),
            });
        }
    }
    for row in client.query(LEAVES, &wanted).await? {
        let number: i64 = row.try_get(0)?;
        let bytes: i64 = row.try_get(3)?;
        let blocks: Option<i64> = row.try_get(4)?;
        if let Some(Some(relation)) = at(&mut found, number) {
            relation.leaves.push(Leaf {
                name: TableName {
                    schema: row.try_get(1)?,
                    table: row.try_get(2)?,
                },
                bytes: bytes.unsigned_abs(),
                blocks: blocks.map(i64::unsigned_abs),
                ordinary: row.try_get(5)?,
            });
        }
    }
    for row in client.query(COLUMNS, &wanted).await? {
        let number: i64 = row.try_get(0)?;
        if let Some(Some(relation)) = at(&mut found, number) {
            let shape = ColumnShape {
                ty: row.try_get(2)?,
                base: row.try_get(3)?,
                generated: row.try_get(4)?,
                binary: row.try_get(5)?,
            };
            relation.columns.insert(row.try_get(1)?, shape);
        }
    }
    Ok(found)
}

fn at(found: &mut [Option<Relation>], number: i64) -> Option<&mut Option<Relation>> {
    found.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// Begins a transaction that reads one instant of these tables, with everything that the text of a value depends on
/// pinned, and looks the tables up in it.
///
/// They are locked before the instant is chosen: a table that is truncated or rewritten after it would look empty.
pub(crate) async fn begin_reading(
    client: &Client,
    tables: &[TableName],
) -> Result<Vec<Option<Relation>>, Failure> {
    let found = find(client, tables).await?;
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await?;
    client.batch_execute(PINNED).await?;
    let locked: Vec<String> = found
        .iter()
        .flatten()
        .flat_map(|relation| &relation.leaves)
        .filter(|leaf| leaf.ordinary)
        .map(|leaf| format!("ONLY {}", quoted(&leaf.name)))
        .collect();
    if !locked.is_empty() {
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", locked.join(", "));
        client.batch_execute(&sql).await?;
    }
    find(client, tables).await
}

/// `$1` and `$2`: schemas and names.
macro_rules! of_wanted {
    ($what:literal, $more:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, number) \
             JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema \
             JOIN pg_catalog.pg_class root ON root.relnamespace = n.oid AND root.relname = wanted.name \
               AND root.relkind IN ('r', 'p', 'f', 'v', 'm') ",
            $more
        )
    };
}

const ROOTS: &str = of_wanted!("wanted.number, root.relkind = 'p'", "");

// Rows are found by ranges of blocks in heaps only, and since version 14.
const LEAVES: &str = of_wanted!(
    "wanted.number, leaf_schema.nspname::text, leaf.relname::text, \
     coalesce(pg_catalog.pg_table_size(leaf.oid), 0), \
     CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 140000 AND access.amname = 'heap' \
       THEN pg_catalog.pg_relation_size(leaf.oid, 'main') / pg_catalog.current_setting('block_size')::int8 END, \
     leaf.relkind = 'r'",
    "CROSS JOIN LATERAL ( \
       SELECT root.oid AS oid WHERE root.relkind <> 'p' \
       UNION ALL \
       SELECT tree.relid::oid FROM pg_catalog.pg_partition_tree(root.oid) AS tree WHERE root.relkind = 'p' AND tree.isleaf \
     ) AS part \
     JOIN pg_catalog.pg_class leaf ON leaf.oid = part.oid \
     JOIN pg_catalog.pg_namespace leaf_schema ON leaf_schema.oid = leaf.relnamespace \
     LEFT JOIN pg_catalog.pg_am access ON access.oid = leaf.relam \
     ORDER BY wanted.number, leaf_schema.nspname COLLATE \"C\", leaf.relname COLLATE \"C\""
);

// The binary form of an array or a composite holds the numbers of the types in it, which differ between databases for
// types that aren't Postgres's own; since version 14 those aren't looked at.
const COLUMNS: &str = of_wanted!(
    "wanted.number, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
     pg_catalog.format_type(a.atttypid, -1), a.attgenerated <> '', \
     NOT EXISTS ( \
       WITH RECURSIVE part(oid) AS ( \
         SELECT a.atttypid \
         UNION \
         SELECT inner_type.oid FROM part CROSS JOIN LATERAL ( \
           SELECT t.typelem FROM pg_catalog.pg_type t WHERE t.oid = part.oid AND t.typcategory = 'A' AND t.typelem <> 0 \
           UNION ALL \
           SELECT t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = part.oid AND t.typtype = 'd' \
           UNION ALL \
           SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = part.oid \
           UNION ALL \
           SELECT f.atttypid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute f ON f.attrelid = t.typrelid \
           WHERE t.oid = part.oid AND t.typtype = 'c' AND f.attnum > 0 AND NOT f.attisdropped \
         ) AS inner_type(oid) \
       ) \
       SELECT FROM part JOIN pg_catalog.pg_type t ON t.oid = part.oid \
       WHERE t.typsend = 0::oid OR t.typreceive = 0::oid \
         OR (pg_catalog.current_setting('server_version_num')::int < 140000 AND t.oid >= 16384) \
     )",
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = root.oid AND a.attnum > 0 AND NOT a.attisdropped"
);
