//! Proves foreign keys by looking for rows that refer to nothing: those that came while no trigger fired were never checked.

use crate::error::Failure;
use crate::session::{self, quoted};
use postgres_protocol::escape::escape_identifier;
use rbk_core::environment::TableName;
use rbk_core::plan::ForeignKeyFacts;
use rbk_core::ports::{Orphans, PortErrorKind};
use std::time::Duration;
use tokio_postgres::{Client, Transaction};

/// Letters of a value that are shown.
const SHOWN: usize = 80;

/// Rows of the key's table that refer to nothing, and one of them.
pub(crate) async fn orphans(
    client: &mut Client,
    key: &ForeignKeyFacts,
    within: Duration,
) -> Result<Orphans, Failure> {
    if key.columns.is_empty() || key.columns.len() != key.referenced.len() {
        return Err(Failure::invalid(
            "the key must have as many columns as it refers to",
        ));
    }
    // Counted, and then shown, as of one instant.
    let transaction = session::instant(client).await?;
    // 0 would be no limit at all.
    let limit = within.as_millis().clamp(1, i32::MAX as u128);
    transaction
        .batch_execute(&format!("SET LOCAL statement_timeout = {limit}"))
        .await?;
    let which = anti_join(&transaction, key).await?;
    let sql = format!("SELECT count(*) {which}");
    let rows: i64 = transaction.query_one(&sql, &[]).await?.try_get(0)?;
    if rows == 0 {
        return Ok(Orphans::default());
    }
    // What is shown is bounded by the server, so that no value of any size travels.
    let values: Vec<String> = key
        .columns
        .iter()
        .map(|column| {
            let column = escape_identifier(column);
            format!("left(r.{column}::text, {})", SHOWN + 1)
        })
        .collect();
    let sql = format!("SELECT {} {which} LIMIT 1", values.join(", "));
    let example = transaction.query_opt(&sql, &[]).await?;
    let example = example.map(|row| {
        let named = key.columns.iter().enumerate().map(|(number, column)| {
            let value: Option<String> = row.try_get(number)?;
            let value = value.map_or_else(|| "NULL".to_owned(), |value| shown(&value));
            Ok(format!("{} = {value}", shown(column)))
        });
        let named: Result<Vec<String>, tokio_postgres::Error> = named.collect();
        named.map(|named| named.join(", "))
    });
    Ok(Orphans {
        rows: rows.unsigned_abs(),
        example: example.transpose()?,
    })
}

/// On one line, and cut off where it is long.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (number, letter) in text.chars().enumerate() {
        match letter {
            _ if number == SHOWN => shown.push('…'),
            _ if number > SHOWN => break,
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// `FROM … WHERE …`: what refers is `r`.
async fn anti_join(
    transaction: &Transaction<'_>,
    key: &ForeignKeyFacts,
) -> Result<String, Failure> {
    let mut equal = Vec::new();
    let mut given = Vec::new();
    for (column, referenced) in key.columns.iter().zip(&key.referenced) {
        let (operator, collation) = equality(transaction, key, column, referenced).await?;
        let column = escape_identifier(column);
        equal.push(format!(
            "p.{} {operator} r.{column}{collation}",
            escape_identifier(referenced)
        ));
        given.push(format!("r.{column} IS NOT NULL"));
    }
    // A key of which nothing is given refers to nothing on purpose. One of which a part is given does, too, or, where it
    // has to match in full, breaks the key by that.
    let given = given.join(if key.match_full { " OR " } else { " AND " });
    Ok(format!(
        "FROM {} AS r WHERE ({given}) AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
        own_rows(transaction, &key.table).await?,
        own_rows(transaction, &key.references).await?,
        equal.join(" AND "),
    ))
}

/// The operator by which the key's index tells values apart, and what makes the two columns comparable where their
/// collations differ: the referenced one's decides. Source: what Postgres itself does in `RI_Initial_Check`.
async fn equality(
    transaction: &Transaction<'_>,
    key: &ForeignKeyFacts,
    column: &str,
    referenced: &str,
) -> Result<(String, String), Failure> {
    let found = transaction
        .query_opt(
            "WITH r AS ( \
               SELECT attrelid, attnum, attcollation FROM pg_attribute \
               WHERE attrelid = to_regclass($1) AND attname = $3 AND attnum > 0 AND NOT attisdropped \
             ), p AS ( \
               SELECT attrelid, attnum, attcollation FROM pg_attribute \
               WHERE attrelid = to_regclass($2) AND attname = $4 AND attnum > 0 AND NOT attisdropped \
             ) \
             SELECT operator.schema, operator.name, \
               CASE WHEN r.attcollation <> p.attcollation THEN cn.nspname::text END, c.collname::text \
             FROM r CROSS JOIN p \
             LEFT JOIN pg_collation c ON c.oid = p.attcollation LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace \
             LEFT JOIN LATERAL ( \
               SELECT n.nspname::text, o.oprname::text \
               FROM pg_constraint k \
               CROSS JOIN LATERAL unnest(k.conkey, k.confkey, k.conpfeqop) AS part(r, p, equal) \
               JOIN pg_operator o ON o.oid = part.equal JOIN pg_namespace n ON n.oid = o.oprnamespace \
               WHERE k.contype = 'f' AND k.conrelid = r.attrelid AND k.confrelid = p.attrelid \
                 AND part.r = r.attnum AND part.p = p.attnum \
               LIMIT 1 \
             ) AS operator(schema, name) ON true",
            &[
                &quoted(&key.table),
                &quoted(&key.references),
                &column,
                &referenced,
            ],
        )
        .await?;
    let Some(found) = found else {
        return Err(Failure::Refused(
            PortErrorKind::NotFound,
            format!(
                "`{}.{column}` or `{}.{referenced}`, which it refers to, isn't there",
                key.table, key.references
            ),
        ));
    };
    let schema: Option<String> = found.try_get(0)?;
    let name: Option<String> = found.try_get(1)?;
    // Without the constraint, as Postgres's own types have it.
    let operator = match (schema, name) {
        (Some(schema), Some(name)) => format!("OPERATOR({}.{name})", escape_identifier(&schema)),
        _ => "=".to_owned(),
    };
    let schema: Option<String> = found.try_get(2)?;
    let name: Option<String> = found.try_get(3)?;
    let collation = match (schema, name) {
        (Some(schema), Some(name)) => format!(
            " COLLATE {}.{}",
            escape_identifier(&schema),
            escape_identifier(&name)
        ),
        _ => String::new(),
    };
    Ok((operator, collation))
}

/// A key is of a table's own rows; those of a partitioned one are its partitions'.
async fn own_rows(transaction: &Transaction<'_>, table: &TableName) -> Result<String, Failure> {
    let name = quoted(table);
    let row = transaction
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'p')",
            &[&name],
        )
        .await?;
    Ok(match row.try_get(0)? {
        true => name,
        false => format!("ONLY {name}"),
    })
}
