//! What stands in the way of a change: views over a column, rows with NULL, a name that is taken, another owner.

use super::explain::limit;
use super::rows::{Row, key_columns};
use crate::error::Failure;
use crate::session::{quoted, read_only};
use postgres_protocol::escape::escape_identifier;
use rbk_core::catalog::ColumnName;
use rbk_core::environment::TableName;
use std::time::Duration;
use tokio_postgres::Client;

/// How long rows with NULL are counted.
const COUNTING: Duration = Duration::from_secs(30);

/// What uses a column so that its type can't be changed under it, in words. Indexes too: they are made anew by the change,
/// which fails where the new type has no operator class for them.
pub(super) async fn obstacles(
    client: &Client,
    column: &ColumnName,
) -> Result<Vec<String>, Failure> {
    let rows = client
        .query(
            "WITH this AS ( \
               SELECT a.attrelid, a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND a.attnum > 0), \
             uses AS ( \
               SELECT DISTINCT d.classid, d.objid FROM pg_depend d JOIN this ON d.refobjid = this.attrelid \
                 AND d.refobjsubid = this.attnum AND d.refclassid = 'pg_class'::regclass) \
             SELECT 1, CASE c.relkind WHEN 'm' THEN 'materialized view `' ELSE 'view `' END || n.nspname || '.' || c.relname || '`' \
             FROM uses u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid \
             JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace \
             UNION \
             SELECT 2, 'generated column `' || a.attname || '`' \
             FROM uses u JOIN pg_attrdef f ON u.classid = 'pg_attrdef'::regclass AND f.oid = u.objid \
             JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> '', this \
             WHERE a.attnum <> this.attnum \
             UNION \
             SELECT 3, 'the partition key `' || pg_get_partkeydef(p.partrelid) || '`' \
             FROM pg_partitioned_table p JOIN this ON p.partrelid = this.attrelid \
             WHERE this.attnum = ANY (p.partattrs::int2[]) OR p.partexprs IS NOT NULL \
             UNION \
             SELECT 4, 'policy `' || p.polname || '`' FROM uses u \
             JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid \
             UNION \
             SELECT 5, 'trigger `' || t.tgname || '`' FROM uses u \
             JOIN pg_trigger t ON u.classid = 'pg_trigger'::regclass AND t.oid = u.objid WHERE NOT t.tgisinternal \
             UNION \
             SELECT 6, pg_describe_object(u.classid, u.objid, 0) FROM uses u \
             WHERE u.classid IN ('pg_proc'::regclass, 'pg_publication_rel'::regclass) \
             UNION \
             SELECT 7, 'index `' || c.relname || '` (' || m.amname || ')' FROM this \
             JOIN pg_index i ON i.indrelid = this.attrelid JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_am m ON m.oid = c.relam \
             WHERE this.attnum = ANY (i.indkey::int2[]) \
               OR EXISTS (SELECT FROM uses u WHERE u.classid = 'pg_class'::regclass AND u.objid = i.indexrelid) \
             ORDER BY 1, 2",
            &[&column.table.schema, &column.table.table, &column.column],
        )
        .await?;
    let uses: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(1))
        .collect::<Result<_, _>>()?;
    Ok(match uses.is_empty() {
        true => Vec::new(),
        false => vec![format!("`{column}` is used by {}", uses.join(", "))],
    })
}

/// How many rows of a column are NULL and the key of one; nothing where none is.
pub(super) async fn null_rows(
    client: &mut Client,
    column: &ColumnName,
) -> Result<Option<String>, Failure> {
    let transaction = read_only(client).await?;
    transaction.batch_execute(&limit(COUNTING)).await?;
    let (table, name) = (quoted(&column.table), escape_identifier(&column.column));
    let sql = format!("SELECT count(*) FROM {table} WHERE {name} IS NULL");
    let rows: i64 = transaction.query_one(&sql, &[]).await?.try_get(0)?;
    if rows == 0 {
        return Ok(None);
    }
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, t.ctid::text \
         FROM (SELECT tableoid, ctid FROM {table} WHERE {name} IS NULL LIMIT 1) t \
         JOIN pg_class c ON c.oid = t.tableoid JOIN pg_namespace n ON n.oid = c.relnamespace"
    );
    let example = match transaction.query_opt(&sql, &[]).await? {
        Some(row) => {
            let leaf = TableName {
                schema: row.try_get(0)?,
                table: row.try_get(1)?,
            };
            let keys = key_columns(&transaction, &leaf).await?;
            let row = Row::read(&transaction, leaf, row.try_get(2)?, &keys).await?;
            row.map(|row| format!(", one of them {row}"))
                .unwrap_or_default()
        }
        None => String::new(),
    };
    let rows = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    Ok(Some(format!("`{column}` is NULL in {rows}{example}")))
}

/// What has a name already.
pub(super) async fn relation(
    client: &Client,
    schema: &str,
    name: &str,
) -> Result<Option<String>, Failure> {
    let row = client
        .query_opt(
            "SELECT CASE WHEN i.indexrelid IS NULL THEN \
                 'there is something else of that name: ' || pg_describe_object('pg_class'::regclass, c.oid, 0) \
               ELSE 'there is an index of that name' || CASE WHEN i.indisvalid THEN '' ELSE ', left invalid by a cancelled build' \
                 END || ': `' || pg_get_indexdef(c.oid) || '`' END \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid \
             WHERE n.nspname = $1 AND c.relname = $2",
            &[&schema, &name],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Who owns a table.
pub(super) async fn owner(client: &Client, table: &TableName) -> Result<Option<String>, Failure> {
    let row = client
        .query_opt(
            "SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = $2",
            &[&table.schema, &table.table],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}
