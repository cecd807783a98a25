//! The drill's own proof of a database: it asks Postgres itself, as the superuser, and believes nothing that the run said.
//!
//! Rows are compared by `compare`. Here: an insert by each sequence, each foreign key by an anti-join, each index of vectors by the
//! plan of a nearest-neighbour query, and the whole schema, line by line, against what it was before the disaster.

use super::sql_failed;
use crate::exit::Failure;
use rbk_core::environment::TableName;
use rbk_sandbox::tokio_postgres::{Client, Row};
use serde::Serialize;
use std::collections::BTreeSet;

/// Something that must hold, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `public.documents_id_seq`.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen: `the next row of public.documents got id 2001`.
    pub seen: String,
}

/// What was found in a database besides its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// An insert by each sequence, tried and rolled back.
    pub next_inserts: Vec<Finding>,
    /// Each foreign key.
    pub foreign_keys: Vec<Finding>,
    /// Each index of vectors, asked for the nearest neighbours of a row.
    pub nearest_neighbours: Vec<Finding>,
    /// What the schema has and had not before the disaster (`+`), or the other way round (`-`).
    pub drift: Vec<String>,
}

impl Proof {
    /// Everything that doesn't hold, in words.
    pub fn failures(&self) -> Vec<String> {
        [
            &self.next_inserts,
            &self.foreign_keys,
            &self.nearest_neighbours,
        ]
        .into_iter()
        .flatten()
        .filter(|finding| !finding.holds)
        .map(|finding| format!("{}: {}", finding.what, finding.seen))
        .chain(self.drift.iter().map(|line| format!("drift: {line}")))
        .collect()
    }
}

/// Proves a database against the schema that it had. Inserts are rolled back; what they took from sequences isn't given back.
pub async fn prove(
    superuser: &mut Client,
    before: &BTreeSet<String>,
    own_tables: &[TableName],
) -> Result<Proof, Failure> {
    let now = schema(superuser, own_tables).await?;
    let gone = before.difference(&now).map(|line| format!("- {line}"));
    let new = now.difference(before).map(|line| format!("+ {line}"));
    Ok(Proof {
        drift: gone.chain(new).collect(),
        foreign_keys: foreign_keys(superuser).await?,
        nearest_neighbours: nearest_neighbours(superuser).await?,
        next_inserts: next_inserts(superuser).await?,
    })
}

/// Schemas that are nobody's business: Postgres's own, and rbk's.
const OURS: &str = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'rbk')";

/// A database's schema, a line each thing: whatever a `pg_dump --schema-only` would tell, without its order.
pub async fn schema(
    superuser: &Client,
    own_tables: &[TableName],
) -> Result<BTreeSet<String>, Failure> {
    // So that every name is told with its schema.
    superuser
        .batch_execute("SET search_path = pg_catalog")
        .await
        .map_err(sql_failed("reading the schema"))?;
    let own: Vec<String> = own_tables.iter().map(ToString::to_string).collect();
    let sql = SCHEMA.replace("{ours}", OURS);
    let rows = superuser
        .query(&sql, &[&own])
        .await
        .map_err(sql_failed("reading the schema"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// `$1`: tables that are left out. What belongs to an extension is the extension's.
const SCHEMA: &str = r"
WITH relations AS (
  SELECT c.*, n.nspname, n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE {ours} AND n.nspname || '.' || c.relname <> ALL ($1::text[])
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
),
tables AS (SELECT * FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'f'))
SELECT format('extension %s %s in %s', e.extname, e.extversion, n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'
UNION ALL
SELECT format('schema %s of %s', n.nspname, n.nspowner::regrole) FROM pg_namespace n WHERE {ours}
UNION ALL
SELECT format('grant %s on schema %s to %s by %s', a.privilege_type, n.nspname, a.grantee::regrole, a.grantor::regrole)
FROM pg_namespace n, aclexplode(n.nspacl) a WHERE {ours}
UNION ALL
SELECT format('default grant %s on %s in %s of %s to %s', a.privilege_type, d.defaclobjtype, n.nspname, d.defaclrole::regrole, a.grantee::regrole)
FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
UNION ALL
SELECT format('relation %s (%s%s) of %s%s%s%s', name, relkind, relpersistence, relowner::regrole, ' with ' || reloptions::text,
  ' by ' || pg_get_partkeydef(oid), ' ' || pg_get_expr(relpartbound, oid))
FROM relations WHERE relkind NOT IN ('i', 'I', 'c')
UNION ALL
SELECT format('grant %s on %s to %s by %s', a.privilege_type, name, a.grantee::regrole, a.grantor::regrole)
FROM relations, aclexplode(relacl) a
UNION ALL
SELECT format('column %s.%s is the %s., %s%s%s%s%s', t.name, a.attname,
  (SELECT count(*) FROM pg_attribute b WHERE b.attrelid = a.attrelid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped),
  format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
  ' default ' || pg_get_expr(d.adbin, d.adrelid), ' identity ' || nullif(a.attidentity::text, ''), ' generated ' || nullif(a.attgenerated::text, ''))
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('constraint %s of %s %s%s', c.conname, t.name, pg_get_constraintdef(c.oid), CASE WHEN NOT c.convalidated THEN ' not valid' END)
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
UNION ALL
SELECT format('%s%s%s', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN ' (invalid)' END, CASE WHEN i.indisclustered THEN ' (clustered)' END)
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT format('sequence %s of %s as %s from %s by %s within %s and %s%s', r.name, coalesce(d.refobjid::regclass::text || '.' || a.attname, 'nobody'),
  format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, CASE WHEN s.seqcycle THEN ' cycling' END)
FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
UNION ALL
SELECT format('view %s is %s', name, pg_get_viewdef(oid)) FROM relations WHERE relkind IN ('v', 'm')
UNION ALL
SELECT format('trigger of %s: %s', t.name, pg_get_triggerdef(g.oid)) FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT format('policy %s of %s', p.polname, t.name) FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT format('type %s.%s (%s)', n.nspname, y.typname, y.typtype)
FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace
WHERE {ours} AND y.typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = y.oid AND d.deptype = 'e')
UNION ALL
SELECT pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {ours} AND p.prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')";

/// Each foreign key, by looking for rows that refer to nothing. Partitions are looked at through their parents.
async fn foreign_keys(superuser: &Client) -> Result<Vec<Finding>, Failure> {
    const DOING: &str = "proving foreign keys";
    let keys = format!(
        "SELECT format('%s of %s', k.conname, k.conrelid::regclass), k.convalidated, format( \
           'SELECT count(*) FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)', k.conrelid::regclass, \
           string_agg(format('c.%I IS NOT NULL', a.attname), ' AND '), k.confrelid::regclass, \
           string_agg(format('c.%I = p.%I', a.attname, f.attname), ' AND ')) \
         FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace, \
           unnest(k.conkey, k.confkey) AS pair (conkey, confkey), pg_attribute a, pg_attribute f \
         WHERE {OURS} AND k.contype = 'f' AND k.conparentid = 0 AND a.attrelid = k.conrelid AND a.attnum = pair.conkey \
           AND f.attrelid = k.confrelid AND f.attnum = pair.confkey \
         GROUP BY k.oid, k.conname, k.conrelid, k.confrelid, k.convalidated ORDER BY 1"
    );
    let mut findings = Vec::new();
    for row in rows(superuser, &keys, DOING).await? {
        let (valid, sql): (bool, String) = (row.get(1), row.get(2));
        let orphans: i64 = one(superuser, &sql, DOING).await?.get(0);
        findings.push(Finding {
            what: row.get(0),
            holds: valid && orphans == 0,
            seen: match (orphans, valid) {
                (0, true) => "no row refers to nothing".to_owned(),
                (0, false) => "it is marked as not valid".to_owned(),
                (orphans, _) => format!("{orphans} rows refer to nothing"),
            },
        });
    }
    Ok(findings)
}

/// Each index of vectors: whether it is what answers "the five nearest to this row".
async fn nearest_neighbours(superuser: &mut Client) -> Result<Vec<Finding>, Failure> {
    const DOING: &str = "asking for nearest neighbours";
    let indexes = format!(
        "SELECT i.indexrelid::regclass::text, quote_ident(c.relname), format( \
           'SELECT 1 FROM %s t WHERE %s ORDER BY t.%I OPERATOR(%I.%s) (SELECT %I FROM %s LIMIT 1) LIMIT 5', \
           i.indrelid::regclass, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'), a.attname, m.nspname, o.oprname, \
           a.attname, i.indrelid::regclass) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_am am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat') \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
         JOIN pg_opclass oc ON oc.oid = i.indclass[0] \
         JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype AND ao.amoppurpose = 'o' \
         JOIN pg_operator o ON o.oid = ao.amopopr JOIN pg_namespace m ON m.oid = o.oprnamespace \
         WHERE {OURS} AND c.relkind = 'i' ORDER BY 1"
    );
    let indexes = rows(superuser, &indexes, DOING).await?;
    let mut findings = Vec::new();
    for row in indexes {
        let (what, name, sql): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let transaction = superuser.transaction().await.map_err(sql_failed(DOING))?;
        // Of few rows a scan is cheaper; whether the index can serve is what is asked.
        transaction
            .batch_execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            .await
            .map_err(sql_failed(DOING))?;
        let plan: Vec<String> = transaction
            .query(&format!("EXPLAIN {sql}"), &[])
            .await
            .map_err(sql_failed(DOING))?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let found = transaction
            .query(&sql, &[])
            .await
            .map_err(sql_failed(DOING))?;
        let serves = plan
            .iter()
            .any(|line| line.contains(&format!("Index Scan using {name}")));
        findings.push(Finding {
            what,
            holds: serves && !found.is_empty(),
            seen: if serves {
                format!("it serves a nearest-neighbour query: {} rows", found.len())
            } else {
                format!(
                    "it does not serve a nearest-neighbour query: {}",
                    plan.join(" / ")
                )
            },
        });
    }
    Ok(findings)
}

/// One more row by each sequence that makes a column's values: a copy of some row with the sequence's next value.
async fn next_inserts(superuser: &mut Client) -> Result<Vec<Finding>, Failure> {
    const DOING: &str = "finding sequences";
    let sequences = format!(
        "SELECT c.oid::regclass::text, t.oid::regclass::text, quote_ident(a.attname), a.attrelid, a.attnum, \
           (SELECT coalesce(string_agg(quote_ident(b.attname), ', '), '') FROM pg_attribute b WHERE b.attrelid = t.oid \
              AND b.attnum > 0 AND NOT b.attisdropped AND b.attnum <> a.attnum AND b.attgenerated = '' AND b.attidentity <> 'a') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass \
           AND d.deptype IN ('a', 'i') \
         JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
         WHERE {OURS} AND c.relkind = 'S' ORDER BY 1"
    );
    let sequences = rows(superuser, &sequences, DOING).await?;
    let mut findings = Vec::new();
    for row in sequences {
        let (table, column): (String, String) = (row.get(1), row.get(2));
        let (holds, seen) = match insert(superuser, &row).await {
            Ok(Some((value, 1))) => (
                true,
                format!("the next row of {table} got {column} {value}"),
            ),
            Ok(Some((value, rows))) => (
                false,
                format!("{column} {value} is in {rows} rows of {table} then"),
            ),
            Ok(None) => (true, format!("{table} has no row to try with")),
            Err(error) => (
                false,
                error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), ToString::to_string),
            ),
        };
        findings.push(Finding {
            what: row.get(0),
            holds,
            seen,
        });
    }
    Ok(findings)
}

/// Inserts a copy of some row with the sequence's next value, and takes it back. What else is unique in the table is let go of
/// for as long: the copy would always break it. Returns the value and how many rows have it then.
async fn insert(
    superuser: &mut Client,
    sequence: &Row,
) -> Result<Option<(String, i64)>, rbk_sandbox::tokio_postgres::Error> {
    let (table, column): (String, String) = (sequence.get(1), sequence.get(2));
    let (relation, number): (u32, i16) = (sequence.get(3), sequence.get(4));
    let others: String = sequence.get(5);
    let transaction = superuser.transaction().await?;
    // Neither triggers nor foreign keys are tried here.
    transaction
        .batch_execute("SET LOCAL session_replication_role = replica")
        .await?;
    let drops = transaction
        .query(
            "SELECT coalesce( \
               format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', i.indrelid::regclass, k.conname), \
               format('DROP INDEX %s', i.indexrelid::regclass)) \
             FROM pg_index i LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') \
             WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND $2 <> ALL (i.indkey::int2[])",
            &[&relation, &number],
        )
        .await?;
    for drop in drops {
        transaction.batch_execute(&drop.get::<_, String>(0)).await?;
    }
    let (columns, row) = if others.is_empty() {
        ("DEFAULT VALUES".to_owned(), String::new())
    } else {
        (
            format!("({others})"),
            format!("SELECT {others} FROM {table} LIMIT 1"),
        )
    };
    let inserted = transaction
        .query_opt(
            &format!("INSERT INTO {table} {columns} {row} RETURNING {column}::text"),
            &[],
        )
        .await?;
    let Some(row) = inserted else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let value: String = row.get(0);
    let count = format!("SELECT count(*) FROM {table} WHERE {column}::text = $1");
    let rows = transaction.query_one(&count, &[&value]).await?.get(0);
    transaction.rollback().await?;
    Ok(Some((value, rows)))
}

async fn rows(client: &Client, sql: &str, doing: &str) -> Result<Vec<Row>, Failure> {
    client.query(sql, &[]).await.map_err(sql_failed(doing))
}

async fn one(client: &Client, sql: &str, doing: &str) -> Result<Row, Failure> {
    client.query_one(sql, &[]).await.map_err(sql_failed(doing))
}
