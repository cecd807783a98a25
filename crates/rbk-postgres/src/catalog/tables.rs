//! Tables with all that hangs on them.

use super::{GRANT, LISTED, figure, grant, own};
use crate::error::Failure;
use rbk_core::catalog::{
    Catalog, Column, Constraint, ConstraintKind, Identity, Index, Partition, References, Table,
};
use rbk_core::environment::TableName;
use std::collections::BTreeMap;
use tokio_postgres::{Row, Transaction};

/// Figures wait no longer than that for a table that somebody has locked altogether.
const FIGURES_WAIT: &str = "SET LOCAL lock_timeout = '2s'";

/// Under which name a table's row-level security stands among its policies, where it is on.
pub(super) const ROW_SECURITY: &str = "(row level security)";

/// Bytes by the object's number.
type Sizes = BTreeMap<u32, u64>;

/// Reads all tables, and the indexes of materialized views, which [`super::views`] puts where they belong.
pub(super) async fn read(
    transaction: &mut Transaction<'_>,
    catalog: &mut Catalog,
) -> Result<(), Failure> {
    let sizes = sizes(transaction).await?;
    let mut tables = tables(transaction, &sizes).await?;
    inheritance(transaction, &mut tables).await?;
    columns(transaction, &mut tables).await?;
    constraints(transaction, &mut tables).await?;
    for (table, name, index) in indexes(transaction, &sizes, "c2.relkind IN ('r', 'p')").await? {
        if let Some(table) = tables.get_mut(&table) {
            table.indexes.insert(name, index);
        }
    }
    triggers(transaction, &mut tables).await?;
    policies(transaction, &mut tables).await?;
    grants(transaction, &mut tables).await?;
    add_up_partitions(&mut tables);
    for (name, table) in tables {
        if let Some(schema) = catalog.schemas.get_mut(&name.schema) {
            schema.tables.insert(name.table, table);
        }
    }
    Ok(())
}

/// The indexes of materialized views.
pub(super) async fn indexes_of_views(
    transaction: &Transaction<'_>,
) -> Result<Vec<(TableName, String, Index)>, Failure> {
    let sizes = Sizes::new();
    indexes(transaction, &sizes, "c2.relkind = 'm'").await
}

/// A table's name out of two columns.
pub(super) fn name(row: &Row, first: usize) -> Result<TableName, Failure> {
    Ok(TableName {
        schema: row.try_get(first)?,
        table: row.try_get(first + 1)?,
    })
}

/// Measured on disk. Where a table is locked altogether, what the planner last knew: a figure is not worth waiting for.
async fn sizes(transaction: &mut Transaction<'_>) -> Result<Sizes, Failure> {
    let measured = format!(
        "SELECT c.oid, CASE c.relkind WHEN 'r' THEN pg_total_relation_size(c.oid) ELSE pg_relation_size(c.oid) END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i') AND {LISTED}"
    );
    let savepoint = transaction.savepoint("figures").await?;
    savepoint.batch_execute(FIGURES_WAIT).await?;
    let rows = match savepoint.query(&measured, &[]).await.map_err(Failure::from) {
        Ok(rows) => rows,
        Err(failure) if failure.code() == Some("55P03") => {
            savepoint.rollback().await?;
            let known = format!(
                "SELECT c.oid, current_setting('block_size')::bigint * (c.relpages::bigint + \
                   coalesce((SELECT sum(p.relpages) FROM pg_class p WHERE p.oid = c.reltoastrelid), 0) + \
                   coalesce((SELECT sum(p.relpages) FROM pg_index i JOIN pg_class p ON p.oid = i.indexrelid \
                             WHERE i.indrelid = c.oid), 0))::bigint \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'i') AND {LISTED}"
            );
            return measure(transaction.query(&known, &[]).await?);
        }
        Err(failure) => return Err(failure),
    };
    // Back to the session's own patience for what follows.
    savepoint.rollback().await?;
    measure(rows)
}

fn measure(rows: Vec<Row>) -> Result<Sizes, Failure> {
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, figure(row, 1)?)))
        .collect()
}

async fn tables(
    transaction: &Transaction<'_>,
    sizes: &Sizes,
) -> Result<BTreeMap<TableName, Table>, Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, c.oid, pg_get_userbyid(c.relowner)::text, \
           greatest(c.reltuples, 0)::bigint, CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END, \
           CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END, \
           CASE WHEN c.relforcerowsecurity THEN 'FORCED' WHEN c.relrowsecurity THEN 'ENABLED' END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND {LISTED} AND {}",
        own("pg_class", "c.oid")
    );
    let mut tables = BTreeMap::new();
    for row in transaction.query(&sql, &[]).await? {
        let oid: u32 = row.try_get(2)?;
        let bound: Option<String> = row.try_get(6)?;
        let row_security: Option<String> = row.try_get(7)?;
        let table = Table {
            owner: row.try_get(3)?,
            rows: figure(&row, 4)?,
            bytes: sizes.get(&oid).copied().unwrap_or(0),
            partitioned: row.try_get(5)?,
            // Whose it is comes with the inheritance.
            partition: bound.map(|bound| Partition {
                of: TableName {
                    schema: String::new(),
                    table: String::new(),
                },
                bound,
            }),
            inherits: Vec::new(),
            columns: Vec::new(),
            constraints: BTreeMap::new(),
            indexes: BTreeMap::new(),
            triggers: BTreeMap::new(),
            policies: row_security
                .map(|state| (ROW_SECURITY.to_owned(), state))
                .into_iter()
                .collect(),
            grants: BTreeMap::new(),
        };
        tables.insert(name(&row, 0)?, table);
    }
    Ok(tables)
}

async fn inheritance(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, pn.nspname::text, p.relname::text \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND {LISTED} ORDER BY i.inhrelid, i.inhseqno"
    );
    for row in transaction.query(&sql, &[]).await? {
        let parent = name(&row, 2)?;
        match tables.get_mut(&name(&row, 0)?) {
            Some(Table {
                partition: Some(partition),
                ..
            }) => partition.of = parent,
            Some(table) => table.inherits.push(parent),
            None => {}
        }
    }
    Ok(())
}

async fn columns(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
           pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> '', a.attidentity::text, \
           CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation \
                THEN a.attcollation::regcollation::text END \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND {LISTED} \
         ORDER BY a.attrelid, a.attnum"
    );
    for row in transaction.query(&sql, &[]).await? {
        let Some(table) = tables.get_mut(&name(&row, 0)?) else {
            continue;
        };
        let expression: Option<String> = row.try_get(5)?;
        let (default, generated) = if row.try_get(6)? {
            (None, expression)
        } else {
            (expression, None)
        };
        let identity: String = row.try_get(7)?;
        table.columns.push(Column {
            name: row.try_get(2)?,
            ty: row.try_get(3)?,
            not_null: row.try_get(4)?,
            default,
            generated,
            identity: match identity.as_str() {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            },
            collation: row.try_get(8)?,
        });
    }
    Ok(())
}

/// Without what stands for one key on each partition of the table that it refers to, under names that Postgres makes up.
async fn constraints(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    let columns = |table: &str, numbers: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY u(number, position) \
             JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = u.number ORDER BY u.position)"
        )
    };
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid), {}, \
           fn.nspname::text, f.relname::text, {}, k.confmatchtype = 'f' \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace \
         WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND c.relkind IN ('r', 'p') AND {LISTED} \
           AND NOT EXISTS (SELECT FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)",
        columns("k.conrelid", "k.conkey"),
        columns("k.confrelid", "k.confkey"),
    );
    for row in transaction.query(&sql, &[]).await? {
        let Some(table) = tables.get_mut(&name(&row, 0)?) else {
            continue;
        };
        let kind: String = row.try_get(3)?;
        let kind = match kind.as_str() {
            "p" => ConstraintKind::PrimaryKey,
            "u" => ConstraintKind::Unique,
            "f" => ConstraintKind::ForeignKey,
            "c" => ConstraintKind::Check,
            _ => ConstraintKind::Exclusion,
        };
        let references = match kind {
            ConstraintKind::ForeignKey => Some(References {
                table: name(&row, 6)?,
                columns: row.try_get(8)?,
                match_full: row.try_get(9)?,
            }),
            _ => None,
        };
        let constraint = Constraint {
            kind,
            definition: row.try_get(4)?,
            columns: row.try_get(5)?,
            references,
        };
        table.constraints.insert(row.try_get(2)?, constraint);
    }
    Ok(())
}

/// Indexes of relations of which `of` holds (`pg_class c2`), each with its table and its name.
async fn indexes(
    transaction: &Transaction<'_>,
    sizes: &Sizes,
    of: &str,
) -> Result<Vec<(TableName, String, Index)>, Failure> {
    // An expression's and a predicate's columns are known by what the index depends on; those of an index behind a
    // constraint by its keys.
    let sql = format!(
        "SELECT n.nspname::text, c2.relname::text, c.relname::text, c.oid, pg_get_indexdef(c.oid), \
           ARRAY(SELECT a.attname::text FROM ( \
                   SELECT k.number, min(k.position) AS position FROM ( \
                     SELECT number, position FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, position) \
                     WHERE number <> 0 \
                     UNION ALL \
                     SELECT d.refobjsubid::int2, 1000 + d.refobjsubid FROM pg_depend d \
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid \
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0) k \
                   GROUP BY k.number) r \
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = r.number ORDER BY r.position), \
           m.amname::text, i.indisunique, \
           (SELECT k.conname::text FROM pg_constraint k \
            WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')), \
           (SELECT p.relname::text FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent \
            WHERE h.inhrelid = i.indexrelid), \
           NOT (i.indisvalid AND i.indisready AND i.indislive) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam \
         JOIN pg_class c2 ON c2.oid = i.indrelid JOIN pg_namespace n ON n.oid = c2.relnamespace \
         WHERE {of} AND {LISTED}"
    );
    let mut indexes = Vec::new();
    for row in transaction.query(&sql, &[]).await? {
        let oid: u32 = row.try_get(3)?;
        let index = Index {
            definition: row.try_get(4)?,
            columns: row.try_get(5)?,
            method: row.try_get(6)?,
            unique: row.try_get(7)?,
            constraint: row.try_get(8)?,
            part_of: row.try_get(9)?,
            invalid: row.try_get(10)?,
            bytes: sizes.get(&oid).copied().unwrap_or(0),
        };
        indexes.push((name(&row, 0)?, row.try_get(2)?, index));
    }
    Ok(indexes)
}

/// A trigger that doesn't fire as usual says so in a comment behind its definition.
async fn triggers(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, t.tgname::text, pg_get_triggerdef(t.oid) || \
           CASE t.tgenabled WHEN 'D' THEN ' /* disabled */' WHEN 'R' THEN ' /* enabled for replicas only */' \
                            WHEN 'A' THEN ' /* enabled always */' ELSE '' END \
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT t.tgisinternal AND {LISTED} AND {}",
        own("pg_trigger", "t.oid")
    );
    for row in transaction.query(&sql, &[]).await? {
        if let Some(table) = tables.get_mut(&name(&row, 0)?) {
            table.triggers.insert(row.try_get(2)?, row.try_get(3)?);
        }
    }
    Ok(())
}

async fn policies(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, p.polname::text, \
           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR ' || \
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' \
                         ELSE 'ALL' END || ' TO ' || \
           (SELECT string_agg(role, ', ' ORDER BY role COLLATE \"C\") FROM ( \
              SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END AS role \
              FROM unnest(p.polroles) r) roles) || \
           coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '') || \
           coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') \
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE {LISTED}"
    );
    for row in transaction.query(&sql, &[]).await? {
        if let Some(table) = tables.get_mut(&name(&row, 0)?) {
            table.policies.insert(row.try_get(2)?, row.try_get(3)?);
        }
    }
    Ok(())
}

async fn grants(
    transaction: &Transaction<'_>,
    tables: &mut BTreeMap<TableName, Table>,
) -> Result<(), Failure> {
    for row in transaction
        .query(&on_relations("c.relkind IN ('r', 'p')"), &[])
        .await?
    {
        if let Some(table) = tables.get_mut(&name(&row, 0)?) {
            grant(&mut table.grants, &row, 2)?;
        }
    }
    Ok(())
}

/// Grants on relations of which `of` holds, and on single columns of them: `SELECT (email)`.
pub(super) fn on_relations(of: &str) -> String {
    format!(
        "SELECT n.nspname::text, c.relname::text, {GRANT} \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a \
         WHERE {of} AND a.grantee <> c.relowner AND {LISTED} \
         UNION ALL \
         SELECT n.nspname::text, c.relname::text, g.grantee, g.privilege_type || ' (' || quote_ident(g.attname) || ')', \
           g.is_grantable \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, \
         LATERAL (SELECT t.attname, {GRANT} FROM pg_attribute t, aclexplode(t.attacl) a \
                  WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL AND NOT t.attisdropped AND a.grantee <> c.relowner) \
           AS g(attname, grantee, privilege_type, is_grantable) \
         WHERE {of} AND {LISTED}"
    )
}

/// Figures of partitioned tables are those of their partitions.
fn add_up_partitions(tables: &mut BTreeMap<TableName, Table>) {
    let leaves: Vec<(TableName, u64, u64)> = tables
        .values()
        .filter(|table| table.partitioned.is_none())
        .filter_map(|table| {
            let partition = table.partition.as_ref()?;
            Some((partition.of.clone(), table.rows, table.bytes))
        })
        .collect();
    for table in tables.values_mut() {
        if table.partitioned.is_some() {
            table.rows = 0;
        }
    }
    for (parent, rows, bytes) in leaves {
        let mut next = Some(parent);
        while let Some(table) = next.and_then(|name| tables.get_mut(&name)) {
            table.rows += rows;
            table.bytes += bytes;
            next = table.partition.as_ref().map(|p| p.of.clone());
        }
    }
}
