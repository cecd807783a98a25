//! Views, and the columns of tables under them.

use super::tables::{indexes_of_views, name, on_relations};
use super::{LISTED, grant, own};
use crate::error::Failure;
use rbk_core::catalog::{Catalog, ColumnName, View};
use rbk_core::environment::TableName;
use std::collections::BTreeMap;
use tokio_postgres::Transaction;

/// Reads all views.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    catalog: &mut Catalog,
) -> Result<(), Failure> {
    let mut views: BTreeMap<TableName, View> = BTreeMap::new();
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, c.relkind = 'm', pg_get_viewdef(c.oid) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('v', 'm') AND {LISTED} AND {}",
        own("pg_class", "c.oid")
    );
    for row in transaction.query(&sql, &[]).await? {
        let view = View {
            materialized: row.try_get(2)?,
            definition: row.try_get(3)?,
            reads: Vec::new(),
            indexes: BTreeMap::new(),
            grants: BTreeMap::new(),
        };
        views.insert(name(&row, 0)?, view);
    }
    let sql = format!(
        "SELECT DISTINCT n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text, a.attname::text \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_rewrite r ON r.ev_class = c.oid \
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
           AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 \
         JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p') \
         JOIN pg_namespace tn ON tn.oid = t.relnamespace \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
         WHERE c.relkind IN ('v', 'm') AND {LISTED}"
    );
    for row in transaction.query(&sql, &[]).await? {
        if let Some(view) = views.get_mut(&name(&row, 0)?) {
            view.reads.push(ColumnName {
                table: name(&row, 2)?,
                column: row.try_get(4)?,
            });
        }
    }
    for (view, name, index) in indexes_of_views(transaction).await? {
        if let Some(view) = views.get_mut(&view) {
            view.indexes.insert(name, index);
        }
    }
    for row in transaction
        .query(&on_relations("c.relkind IN ('v', 'm')"), &[])
        .await?
    {
        if let Some(view) = views.get_mut(&name(&row, 0)?) {
            grant(&mut view.grants, &row, 2)?;
        }
    }
    for (name, mut view) in views {
        view.reads.sort();
        if let Some(schema) = catalog.schemas.get_mut(&name.schema) {
            schema.views.insert(name.table, view);
        }
    }
    Ok(())
}
