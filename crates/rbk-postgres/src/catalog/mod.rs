//! Reading a database's catalog: all of it as of one instant, in a fixed number of statements whatever the number of
//! tables, and in text that Postgres itself writes with every name in full.

mod dependents;
mod objects;
mod tables;
mod views;

pub(crate) use dependents::dependents;

use crate::error::Failure;
use crate::session;
use rbk_core::catalog::{Catalog, DefaultPrivileges, Extension, Grants, Schema};
use rbk_core::environment::TableName;
use rbk_core::plan::IndexFacts;
use std::collections::BTreeMap;
use tokio_postgres::{Client, GenericClient, Row, Transaction};

/// All that the text of a definition depends on. With nothing but `pg_catalog` in the path, all other names are written
/// with their schema.
pub(crate) const PINNED: &str = "\
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL quote_all_identifiers = off; \
    SET LOCAL standard_conforming_strings = on; \
    SET LOCAL extra_float_digits = 1; \
    SET LOCAL \"DateStyle\" = 'ISO, YMD'; \
    SET LOCAL \"TimeZone\" = 'UTC'; \
    SET LOCAL \"IntervalStyle\" = 'postgres'; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL lc_monetary = 'C'";

/// The schemas that a catalog lists, as a condition on `pg_namespace n`.
const LISTED: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND n.nspname <> 'rbk' \
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid \
                    AND e.deptype = 'e')";

/// That something is no part of an extension, as a condition.
fn own(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{class}'::regclass AND e.objid = {oid} \
         AND e.objsubid = 0 AND e.deptype = 'e')"
    )
}

/// Reads all of it.
pub(crate) async fn read(client: &mut Client) -> Result<Catalog, Failure> {
    let mut transaction = instant(client).await?;
    let mut catalog = about(&transaction).await?;
    tables::read(&mut transaction, &mut catalog).await?;
    views::read(&transaction, &mut catalog).await?;
    objects::read(&transaction, &mut catalog).await?;
    transaction.rollback().await?;
    Ok(catalog)
}

/// Definitions of indexes by name, in the order given.
pub(crate) async fn indexes(
    client: &mut Client,
    indexes: &[IndexFacts],
) -> Result<Vec<Option<String>>, Failure> {
    let transaction = instant(client).await?;
    let found = definitions(&transaction, indexes).await?;
    transaction.rollback().await?;
    Ok(found)
}

/// The same in a transaction that is open already, with its text pinned by the caller.
pub(crate) async fn definitions(
    client: &impl GenericClient,
    indexes: &[IndexFacts],
) -> Result<Vec<Option<String>>, Failure> {
    let schemas: Vec<&str> = indexes.iter().map(|i| i.table.schema.as_str()).collect();
    let names: Vec<&str> = indexes.iter().map(|i| i.name.as_str()).collect();
    let sql = "SELECT pg_get_indexdef(i.indexrelid) FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(nsp, name, position) \
         LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid) \
           ON n.nspname = wanted.nsp AND c.relname = wanted.name \
         ORDER BY position";
    let rows = client.query(sql, &[&schemas, &names]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Bytes on disk: of a table with its indexes and partitions, or of the whole database; `None`: no such table.
pub(crate) async fn size(
    client: &mut Client,
    table: Option<&TableName>,
) -> Result<Option<u64>, Failure> {
    let transaction = crate::session::read_only(client).await?;
    let bytes: Option<i64> = match table {
        None => transaction
            .query_one("SELECT pg_database_size(current_database())", &[])
            .await?
            .try_get(0)?,
        Some(table) => transaction
            .query_opt(
                "WITH RECURSIVE parts(oid) AS ( \
                   SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'm') \
                   UNION \
                   SELECT i.inhrelid FROM parts JOIN pg_inherits i ON i.inhparent = parts.oid \
                   JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition) \
                 SELECT sum(pg_total_relation_size(oid))::bigint FROM parts HAVING count(*) > 0",
                &[&table.schema, &table.table],
            )
            .await?
            .map(|row| row.try_get(0))
            .transpose()?
            .flatten(),
    };
    Ok(bytes.map(i64::unsigned_abs))
}

/// A transaction that sees one instant, changes nothing, and writes definitions the same everywhere.
async fn instant(client: &mut Client) -> Result<Transaction<'_>, Failure> {
    let transaction = session::instant(client).await?;
    transaction.batch_execute(PINNED).await?;
    Ok(transaction)
}

/// The server, extensions and schemas, still without what is in them.
async fn about(transaction: &Transaction<'_>) -> Result<Catalog, Failure> {
    let row = transaction
        .query_one(
            "SELECT current_setting('server_version'), \
               (SELECT setting::bigint * current_setting('block_size')::bigint FROM pg_settings \
                WHERE name = 'shared_buffers'), \
               pg_database_size(current_database())",
            &[],
        )
        .await?;
    let version: String = row.try_get(0)?;
    let mut catalog = Catalog {
        // Distributions put their own version behind it.
        server_version: version.split_whitespace().next().unwrap_or("").to_owned(),
        shared_buffers: figure(&row, 1)?,
        bytes: figure(&row, 2)?,
        ..Catalog::default()
    };
    for row in transaction
        .query(
            "SELECT x.extname::text, x.extversion, n.nspname::text FROM pg_extension x \
             JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname <> 'plpgsql'",
            &[],
        )
        .await?
    {
        let extension = Extension {
            version: row.try_get(1)?,
            schema: row.try_get(2)?,
        };
        catalog.extensions.insert(row.try_get(0)?, extension);
    }
    let sql = format!(
        "SELECT n.nspname::text, pg_get_userbyid(n.nspowner)::text, obj_description(n.oid, 'pg_namespace') \
         FROM pg_namespace n WHERE {LISTED}"
    );
    for row in transaction.query(&sql, &[]).await? {
        let schema = Schema {
            owner: row.try_get(1)?,
            comment: row.try_get(2)?,
            ..Schema::default()
        };
        catalog.schemas.insert(row.try_get(0)?, schema);
    }
    grants_on_schemas(transaction, &mut catalog).await?;
    default_privileges(transaction, &mut catalog).await?;
    Ok(catalog)
}

async fn grants_on_schemas(
    transaction: &Transaction<'_>,
    catalog: &mut Catalog,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, {GRANT} FROM pg_namespace n, aclexplode(n.nspacl) a \
         WHERE a.grantee <> n.nspowner AND {LISTED}"
    );
    for row in transaction.query(&sql, &[]).await? {
        let name: String = row.try_get(0)?;
        if let Some(schema) = catalog.schemas.get_mut(&name) {
            grant(&mut schema.grants, &row, 1)?;
        }
    }
    Ok(())
}

async fn default_privileges(
    transaction: &Transaction<'_>,
    catalog: &mut Catalog,
) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.nspname::text, pg_get_userbyid(d.defaclrole)::text, \
           CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' \
                                WHEN 'T' THEN 'TYPES' ELSE d.defaclobjtype::text END, {GRANT} \
         FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a \
         WHERE {LISTED}"
    );
    let mut all: BTreeMap<(String, String, String), Grants> = BTreeMap::new();
    for row in transaction.query(&sql, &[]).await? {
        let key = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        grant(all.entry(key).or_default(), &row, 3)?;
    }
    for ((schema, creator, objects), grants) in all {
        if let Some(schema) = catalog.schemas.get_mut(&schema) {
            schema.default_privileges.push(DefaultPrivileges {
                creator,
                objects,
                grants,
            });
        }
    }
    Ok(())
}

/// The columns that [`grant`] reads, of a row `a` of `aclexplode`.
const GRANT: &str = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, \
    a.privilege_type, a.is_grantable";

/// Adds what one row says.
fn grant(grants: &mut Grants, row: &Row, first: usize) -> Result<(), Failure> {
    let role: String = row.try_get(first)?;
    let mut privilege: String = row.try_get(first + 1)?;
    if row.try_get(first + 2)? {
        privilege.push('*');
    }
    grants.entry(role).or_default().insert(privilege);
    Ok(())
}

/// A number that is never below zero.
fn figure(row: &Row, column: usize) -> Result<u64, Failure> {
    let number: Option<i64> = row.try_get(column)?;
    Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
}
