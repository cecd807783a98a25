//! Who holds a lock: which session, of whom, since when, and what it last said, without what it said it about.

use crate::error::Failure;
use rbk_core::environment::TableName;
use rbk_core::value::duration_text;
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Row};

/// How many holders are told.
const NAMED: usize = 5;
/// How many characters of a statement are told.
const LENGTH: usize = 80;

/// What [`describe`] reads of `pg_stat_activity a`, beginning at its column.
const ACTIVITY: &str = "a.pid, a.usename::text, a.application_name, host(a.client_addr), a.backend_type, a.state, \
    to_char(coalesce(a.xact_start, a.state_change, a.backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.state_change, a.backend_start))::bigint, \
    left(a.query, 10000)";

/// Locks of tables that keep a change from its own.
pub(crate) enum Locks<'a> {
    /// Any on these tables or on a part of them.
    Any(&'a [TableName]),
    /// Those that a writer, another change or a vacuum holds: who only reads doesn't stand in the way.
    ByWriters(&'a [TableName]),
    /// Any on what is in these schemas.
    InSchemas(&'a [String]),
    /// Whichever; nobody knows which is wanted.
    Whichever,
}

/// Who holds such locks, the longest first; `None`: nobody any more.
pub(crate) async fn of_tables(
    client: &impl GenericClient,
    locks: &Locks<'_>,
) -> Result<Option<String>, Failure> {
    let names: (Vec<&str>, Vec<&str>) = match locks {
        Locks::Any(tables) | Locks::ByWriters(tables) => tables
            .iter()
            .map(|t| (t.schema.as_str(), t.table.as_str()))
            .unzip(),
        Locks::InSchemas(_) | Locks::Whichever => (Vec::new(), Vec::new()),
    };
    let schemas: &[String] = match locks {
        Locks::InSchemas(schemas) => schemas,
        _ => &[],
    };
    let wanted = match locks {
        Locks::Any(_) | Locks::ByWriters(_) => {
            "SELECT c.oid FROM unnest($1::text[], $2::text[]) AS w(nsp, name) \
             JOIN pg_namespace n ON n.nspname = w.nsp JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name \
             WHERE cardinality($3::text[]) = 0"
        }
        Locks::InSchemas(_) => {
            "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = ANY ($3::text[]) AND cardinality($1::text[]) + cardinality($2::text[]) = 0"
        }
        Locks::Whichever => {
            "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'rbk') \
               AND cardinality($1::text[]) + cardinality($2::text[]) + cardinality($3::text[]) = 0"
        }
    };
    let modes = match locks {
        Locks::ByWriters(_) => {
            "'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', \
             'AccessExclusiveLock'"
        }
        _ => {
            "'AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', \
             'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'"
        }
    };
    let sql = format!(
        "WITH RECURSIVE wanted(oid) AS ({wanted} UNION \
           SELECT i.inhrelid FROM wanted w JOIN pg_inherits i ON i.inhparent = w.oid), \
         held AS (SELECT l.pid, l.virtualtransaction, \
             (SELECT string_agg(t.name, ', ') FROM (SELECT DISTINCT l2.relation::regclass::text AS name FROM pg_locks l2 \
                WHERE l2.virtualtransaction = l.virtualtransaction AND l2.granted AND l2.mode IN ({modes}) \
                  AND l2.relation IN (SELECT oid FROM wanted) ORDER BY 1 LIMIT 3) t) AS tables \
           FROM pg_locks l \
           WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ({modes}) \
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND l.relation IN (SELECT oid FROM wanted) AND l.pid IS DISTINCT FROM pg_backend_pid() \
           GROUP BY l.pid, l.virtualtransaction) \
         SELECT {ACTIVITY}, h.tables, p.gid, to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
         FROM held h LEFT JOIN pg_stat_activity a ON a.pid = h.pid \
         LEFT JOIN pg_prepared_xacts p ON h.pid IS NULL AND h.virtualtransaction = '-1/' || p.transaction \
         ORDER BY coalesce(a.xact_start, p.prepared) NULLS LAST, a.pid"
    );
    let parameters: [&(dyn ToSql + Sync); 3] = [&names.0, &names.1, &schemas];
    let rows = client.query(&sql, &parameters).await?;
    let mut told = Vec::new();
    for row in rows.iter().take(NAMED) {
        let tables: Option<String> = row.try_get(9)?;
        let tables = tables.map(|tables| format!(" (holds {tables})"));
        let prepared: Option<String> = row.try_get(10)?;
        let who = match prepared {
            Some(gid) => {
                let since: Option<String> = row.try_get(11)?;
                format!(
                    "the prepared transaction `{gid}` since {}, which stays until somebody says COMMIT PREPARED or \
                     ROLLBACK PREPARED",
                    since.unwrap_or_default()
                )
            }
            None => describe(row)?,
        };
        told.push(format!("{who}{}", tables.unwrap_or_default()));
    }
    if rows.len() > NAMED {
        told.push(format!("{} more", rows.len() - NAMED));
    }
    Ok((!told.is_empty()).then(|| told.join("; ")))
}

/// Who holds the advisory lock of that name.
pub(crate) async fn of_advisory_lock(
    client: &impl GenericClient,
    name: &str,
) -> Result<String, Failure> {
    let sql = format!(
        "SELECT {ACTIVITY} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
           AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1, 0)"
    );
    let rows = client.query(&sql, &[&name]).await?;
    match rows.first() {
        Some(row) => describe(row),
        None => Ok("it has just ended".to_owned()),
    }
}

/// ``4711 of `app` (`shop`) from 192.0.2.1, idle in transaction since 2026-11-22T03:00:00Z (2m), last said `UPDATE …` ``.
fn describe(row: &Row) -> Result<String, Failure> {
    let pid: Option<i32> = row.try_get(0)?;
    let role: Option<String> = row.try_get(1)?;
    let application: Option<String> = row.try_get(2)?;
    let address: Option<String> = row.try_get(3)?;
    let backend: Option<String> = row.try_get(4)?;
    let state: Option<String> = row.try_get(5)?;
    let since: Option<String> = row.try_get(6)?;
    let age: Option<i64> = row.try_get(7)?;
    let query: Option<String> = row.try_get(8)?;
    let mut text = pid.map_or_else(|| "a session".to_owned(), |pid| pid.to_string());
    match (role, backend) {
        (Some(role), _) => text.push_str(&format!(" of `{role}`")),
        (None, Some(backend)) => text.push_str(&format!(" ({backend})")),
        (None, None) => {}
    }
    if let Some(application) = application.filter(|name| !name.is_empty()) {
        text.push_str(&format!(" (`{application}`)"));
    }
    if let Some(address) = address {
        text.push_str(&format!(" from {address}"));
    }
    if let Some(state) = state {
        text.push_str(&format!(", {state}"));
    }
    if let Some(since) = since {
        let age = u64::try_from(age.unwrap_or(0)).unwrap_or(0);
        text.push_str(&format!(" since {since} ({})", duration_text(age)));
    }
    if let Some(said) = query
        .map(|query| outline(&query))
        .filter(|said| !said.is_empty())
    {
        text.push_str(&format!(", last said `{said}`"));
    }
    Ok(text)
}

/// The first words of a statement, without comments and with `…` for each literal.
pub(crate) fn outline(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        if text.chars().count() > LENGTH {
            break;
        }
        let word_before = text.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (shown, length) = if rest.starts_with("--") {
            (" ".to_owned(), rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (
                " ".to_owned(),
                rest.find("*/").map_or(rest.len(), |end| end + 2),
            )
        } else if first == '\'' {
            (
                "…".to_owned(),
                end_of_quoted(rest, '\'', begins_escaped(&text)),
            )
        } else if first == '"' {
            let length = end_of_quoted(rest, '"', false);
            (rest.get(..length).unwrap_or_default().to_owned(), length)
        } else if let Some(length) = end_of_dollar_quoted(rest).filter(|_| !word_before) {
            ("…".to_owned(), length)
        } else if first.is_ascii_digit() && !word_before {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            ("…".to_owned(), length.unwrap_or(rest.len()))
        } else if first.is_whitespace() {
            (" ".to_owned(), first.len_utf8())
        } else {
            (first.to_string(), first.len_utf8())
        };
        if shown != " " || !(text.is_empty() || text.ends_with(' ')) {
            text.push_str(&shown);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    let mut short: String = text.trim_end().chars().take(LENGTH).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}

/// Whether what is read so far ends in the `E` of a literal in which a backslash means something.
fn begins_escaped(text: &str) -> bool {
    let mut before = text.chars().rev();
    matches!(before.next(), Some('E' | 'e'))
        && !before
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Where a text in quotes ends, its last quote included. A doubled quote goes on.
fn end_of_quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// Where a text in `$tag$` ends, if one begins here.
fn end_of_dollar_quoted(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('$')?;
    let tag = inner.find('$')?;
    let name = inner.get(..tag)?;
    if name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return None;
    }
    let delimiter = text.get(..tag + 2)?;
    let body = text.get(tag + 2..)?;
    Some(
        body.find(delimiter)
            .map_or(text.len(), |end| tag + 2 + end + delimiter.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::outline;

    #[test]
    fn an_outline_holds_no_literal() {
        for (sql, shown) in [
            (
                "UPDATE public.people\n  SET name = 'O''Neil', age = 42 WHERE id=7",
                "UPDATE public.people SET name = …, age = … WHERE id=…",
            ),
            ("-- mine\nSELECT /* hint */ 1.5e3", "SELECT …"),
            (
                "SELECT $a$it's $b$ secret$a$, $1, t1.c2",
                "SELECT …, $…, t1.c2",
            ),
            (r"SELECT E'it\'s secret', 'a\', 'b'", "SELECT E…, …, …"),
            (
                "SELECT \"it's\".\"a 1\" FROM t",
                "SELECT \"it's\".\"a 1\" FROM t",
            ),
            (
                "INSERT INTO t VALUES ('cut in the mid",
                "INSERT INTO t VALUES (…",
            ),
            ("", ""),
        ] {
            assert_eq!(outline(sql), shown, "{sql}");
        }
        let long = format!("SELECT {} FROM t", "column, ".repeat(50));
        assert_eq!(outline(&long).chars().count(), 81);
    }
}
