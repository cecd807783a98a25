//! Types, functions and sequences.

use super::tables::{name, on_relations};
use super::{LISTED, grant, own};
use crate::error::Failure;
use rbk_core::catalog::{Catalog, ColumnName, Sequence};
use rbk_core::environment::TableName;
use std::collections::BTreeMap;
use tokio_postgres::Transaction;

/// Reads them all.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    catalog: &mut Catalog,
) -> Result<(), Failure> {
    for row in transaction.query(&types(), &[]).await? {
        let schema: String = row.try_get(0)?;
        if let Some(schema) = catalog.schemas.get_mut(&schema) {
            schema.types.insert(row.try_get(1)?, row.try_get(2)?);
        }
    }
    for row in transaction.query(&functions(), &[]).await? {
        let schema: String = row.try_get(0)?;
        if let Some(schema) = catalog.schemas.get_mut(&schema) {
            schema.functions.insert(row.try_get(1)?, row.try_get(2)?);
        }
    }
    let mut sequences = sequences(transaction).await?;
    for row in transaction
        .query(&on_relations("c.relkind = 'S'"), &[])
        .await?
    {
        if let Some(sequence) = sequences.get_mut(&name(&row, 0)?) {
            grant(&mut sequence.grants, &row, 2)?;
        }
    }
    for (name, sequence) in sequences {
        if let Some(schema) = catalog.schemas.get_mut(&name.schema) {
            schema.sequences.insert(name.table, sequence);
        }
    }
    Ok(())
}

/// Enums, domains, composite types and ranges, without the types that come with tables.
fn types() -> String {
    let collation = |collation: &str, of: &str| {
        format!(
            "CASE WHEN {collation} <> 0 AND {collation} <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = {of}) \
             THEN ' COLLATE ' || {collation}::regcollation::text ELSE '' END"
        )
    };
    format!(
        "SELECT n.nspname::text, t.typname::text, CASE t.typtype \
           WHEN 'e' THEN 'ENUM (' || coalesce((SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder) \
             FROM pg_enum l WHERE l.enumtypid = t.oid), '') || ')' \
           WHEN 'd' THEN 'DOMAIN ' || format_type(t.typbasetype, t.typtypmod) || {} \
             || coalesce(' DEFAULT ' || t.typdefault, '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END \
             || coalesce((SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), \
                  '' ORDER BY k.conname COLLATE \"C\") FROM pg_constraint k \
                  WHERE k.contypid = t.oid AND k.contype = 'c'), '') \
           WHEN 'c' THEN 'COMPOSITE (' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' \
               || format_type(a.atttypid, a.atttypmod) || {}, ', ' ORDER BY a.attnum) \
             FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')' \
           ELSE (SELECT 'RANGE (SUBTYPE = ' || format_type(g.rngsubtype, NULL) || \
               CASE WHEN o.opcdefault THEN '' ELSE ', SUBTYPE_OPCLASS = ' || quote_ident(o.opcname) END || \
               CASE WHEN g.rngcanonical = 0 THEN '' ELSE ', CANONICAL = ' || g.rngcanonical::text END || \
               CASE WHEN g.rngsubdiff = 0 THEN '' ELSE ', SUBTYPE_DIFF = ' || g.rngsubdiff::text END || ')' \
             FROM pg_range g JOIN pg_opclass o ON o.oid = g.rngsubopc WHERE g.rngtypid = t.oid) END \
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
         WHERE (t.typtype IN ('e', 'd', 'r') \
                OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) \
           AND {LISTED} AND {}",
        collation("t.typcollation", "t.typbasetype"),
        collation("a.attcollation", "a.atttypid"),
        own("pg_type", "t.oid")
    )
}

/// Without those that come with a range type. Postgres writes no statement for an aggregate: its parts are put in a row
/// instead.
fn functions() -> String {
    format!(
        "SELECT n.nspname::text, quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')', \
           encode(sha256(convert_to(CASE p.prokind WHEN 'a' THEN ( \
             SELECT concat_ws(E'\\n', 'AGGREGATE', a.aggkind, a.aggnumdirectargs, pg_get_function_arguments(p.oid), \
               pg_get_function_result(p.oid), a.aggtransfn::text, a.aggfinalfn::text, a.aggcombinefn::text, \
               a.aggserialfn::text, a.aggdeserialfn::text, a.aggmtransfn::text, a.aggminvtransfn::text, \
               a.aggmfinalfn::text, a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, \
               a.aggsortop::regoperator::text, format_type(a.aggtranstype, NULL), format_type(a.aggmtranstype, NULL), \
               coalesce(quote_literal(a.agginitval), 'NULL'), coalesce(quote_literal(a.aggminitval), 'NULL'), \
               p.proparallel) \
             FROM pg_aggregate a WHERE a.aggfnoid = p.oid) \
           ELSE pg_get_functiondef(p.oid) END, 'UTF8')), 'hex') \
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {LISTED} AND {} \
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid \
                           AND d.deptype = 'i')",
        own("pg_proc", "p.oid")
    )
}

async fn sequences(
    transaction: &Transaction<'_>,
) -> Result<BTreeMap<TableName, Sequence>, Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, \
           s.seqmax, s.seqcycle, tn.nspname::text, t.relname::text, a.attname::text \
         FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 \
           AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
         LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace \
         LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
         WHERE {LISTED} AND {}",
        own("pg_class", "c.oid")
    );
    let mut sequences = BTreeMap::new();
    for row in transaction.query(&sql, &[]).await? {
        let column: Option<String> = row.try_get(10)?;
        let owner = match column {
            Some(column) => Some(ColumnName {
                table: name(&row, 8)?,
                column,
            }),
            None => None,
        };
        let sequence = Sequence {
            ty: row.try_get(2)?,
            start: row.try_get(3)?,
            increment: row.try_get(4)?,
            min: row.try_get(5)?,
            max: row.try_get(6)?,
            cycle: row.try_get(7)?,
            owner,
            grants: BTreeMap::new(),
        };
        sequences.insert(name(&row, 0)?, sequence);
    }
    Ok(sequences)
}
