//! What a load asks a database's catalog.

use tokio_postgres::Client;

use super::{session::Trouble, types::SqlType};

/// A table's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableName {
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl TableName {
    pub(crate) fn new(schema: &str, table: &str) -> TableName {
        TableName {
            schema: schema.to_owned(),
            table: table.to_owned(),
        }
    }

    /// As SQL writes it.
    pub(crate) fn quoted(&self) -> String {
        use super::types::quoted;
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

/// As DMS's log writes it.
impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'.'{}'", self.schema, self.table)
    }
}

/// A table's columns and keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relation {
    pub(crate) columns: Vec<Column>,
    /// The primary key, then the unique indexes on columns that can't be null.
    pub(crate) keys: Vec<Vec<String>>,
    pub(crate) has_primary_key: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) not_null: bool,
    pub(crate) of: SqlType,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// All tables, parents and children of partitions alike; no views, no foreign tables.
pub(crate) async fn tables(client: &Client) -> Result<Vec<TableName>, Trouble> {
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' ORDER BY 1, 2";
    let rows = client.query(sql, &[]).await?;
    let names = rows
        .iter()
        .map(|row| Ok(TableName::new(row.try_get(0)?, row.try_get(1)?)));
    names.collect()
}

/// Pairs of a referencing and a referenced table.
pub(crate) async fn references(client: &Client) -> Result<Vec<(TableName, TableName)>, Trouble> {
    let sql = "SELECT fn.nspname::text, f.relname::text, tn.nspname::text, t.relname::text \
               FROM pg_constraint k \
               JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace \
               JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
               WHERE k.contype = 'f'";
    let rows = client.query(sql, &[]).await?;
    let pairs = rows.iter().map(|row| {
        let from = TableName::new(row.try_get(0)?, row.try_get(1)?);
        let to = TableName::new(row.try_get(2)?, row.try_get(3)?);
        Ok((from, to))
    });
    pairs.collect()
}

pub(crate) async fn schema_exists(client: &Client, schema: &str) -> Result<bool, Trouble> {
    let sql = "SELECT 1 FROM pg_namespace WHERE nspname = $1::text";
    Ok(client.query_opt(sql, &[&schema]).await?.is_some())
}

/// A table's columns and keys; `None`: there is no such table.
pub(crate) async fn relation(
    client: &Client,
    name: &TableName,
) -> Result<Option<Relation>, Trouble> {
    let sql = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p')";
    let Some(row) = client.query_opt(sql, &[&name.schema, &name.table]).await? else {
        return Ok(None);
    };
    let oid: u32 = row.try_get(0)?;
    // A domain is what it is made of, so its base type is looked for.
    let sql = "WITH RECURSIVE base (number, type, modifier) AS ( \
                 SELECT attnum, atttypid, atttypmod FROM pg_attribute \
                 WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
               UNION ALL \
                 SELECT base.number, t.typbasetype, t.typtypmod \
                 FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd') \
               SELECT a.attname::text, a.attnotnull, n.nspname::text, t.typname::text, t.typtype::text, \
                 t.typcategory = 'A' AND t.typelem <> 0, base.modifier, \
                 format_type(t.oid, -1), format_type(t.oid, base.modifier) \
               FROM base \
               JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = base.number \
               JOIN pg_type t ON t.oid = base.type AND t.typtype <> 'd' \
               JOIN pg_namespace n ON n.oid = t.typnamespace \
               ORDER BY a.attnum";
    let mut relation = Relation::default();
    for row in client.query(sql, &[&oid]).await? {
        let kind: &str = row.try_get(4)?;
        relation.columns.push(Column {
            name: row.try_get(0)?,
            not_null: row.try_get(1)?,
            of: SqlType {
                schema: row.try_get(2)?,
                name: row.try_get(3)?,
                kind: kind.chars().next().unwrap_or('b'),
                array: row.try_get(5)?,
                modifier: row.try_get(6)?,
                bare: row.try_get(7)?,
                full: row.try_get(8)?,
            },
        });
    }
    let sql = "SELECT i.indisprimary, array_agg(a.attname::text ORDER BY k.place) \
               FROM pg_index i \
               CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) \
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
               WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid \
                 AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts \
               GROUP BY i.indexrelid, i.indisprimary HAVING bool_and(a.attnotnull) \
               ORDER BY i.indisprimary DESC, i.indexrelid";
    for row in client.query(sql, &[&oid]).await? {
        relation.has_primary_key |= row.try_get::<_, bool>(0)?;
        relation.keys.push(row.try_get(1)?);
    }
    Ok(Some(relation))
}
