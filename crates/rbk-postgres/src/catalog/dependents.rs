//! What stands outside of schemas and would go with them.
//!
//! The walk is Postgres's own of `DROP … CASCADE` (`findDependentObjects` in `dependency.c`): from what is dropped to
//! what depends on it, and from a part or a member of an extension to the whole that it can't be dropped without.

use crate::error::Failure;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;

/// An object's class, number, and sub-number (a column's).
type Key = (u32, u32, i32);

/// An object that would be dropped.
struct Dropped {
    /// `view`, `table constraint`, `function`.
    kind: String,
    /// Its name in full.
    identity: String,
    /// Whether it is one of the schemas, or in one of them by its name. A trigger, for one, has no schema of its own.
    inside: bool,
    /// Whether it is a table, view or another relation.
    relation: bool,
    /// Whether it says what a publication publishes.
    published: bool,
    /// What it depends on and why, as letters of `pg_depend.deptype`.
    needs: Vec<(Key, String)>,
}

/// In words, a line each, in the order of their names.
pub(crate) async fn dependents(
    client: &mut Client,
    schemas: &[String],
) -> Result<Vec<String>, Failure> {
    let transaction = super::instant(client).await?;
    let rows = transaction
        .query(
            "WITH RECURSIVE dropped(classid, objid, objsubid) AS ( \
               SELECT 'pg_namespace'::regclass::oid, oid, 0 FROM pg_namespace WHERE nspname = ANY ($1::text[]) \
               UNION \
               SELECT next.classid, next.objid, next.objsubid FROM dropped x CROSS JOIN LATERAL ( \
                 SELECT d.classid, d.objid, d.objsubid FROM pg_depend d \
                 WHERE d.refclassid = x.classid AND d.refobjid = x.objid \
                   AND (x.objsubid = 0 OR d.refobjsubid = x.objsubid) \
                 UNION ALL \
                 SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d \
                 WHERE d.classid = x.classid AND d.objid = x.objid \
                   AND (x.objsubid = 0 OR d.objsubid = x.objsubid) AND d.deptype IN ('i', 'e')) AS next) \
             SELECT x.classid, x.objid, x.objsubid, o.type, o.identity, \
               coalesce(CASE x.classid WHEN 'pg_namespace'::regclass THEN o.name \
                 WHEN 'pg_extension'::regclass THEN (SELECT quote_ident(n.nspname) FROM pg_extension e \
                   JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.oid = x.objid) \
                 ELSE o.schema END = ANY (ARRAY(SELECT quote_ident(s) FROM unnest($1::text[]) s)), false), \
               x.classid = 'pg_class'::regclass AND x.objsubid = 0 \
                 AND (SELECT c.relkind IN ('r', 'p', 'v', 'm', 'f') FROM pg_class c WHERE c.oid = x.objid), \
               x.classid IN ('pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass), \
               ARRAY(SELECT d.refclassid || ' ' || d.refobjid || ' ' || d.refobjsubid || ' ' || d.deptype::text \
                     FROM pg_depend d WHERE d.classid = x.classid AND d.objid = x.objid AND d.objsubid = x.objsubid) \
             FROM dropped x CROSS JOIN LATERAL pg_identify_object(x.classid, x.objid, x.objsubid) AS o",
            &[&schemas],
        )
        .await?;
    transaction.rollback().await?;

    let mut all = BTreeMap::new();
    for row in rows {
        let key: Key = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let needs: Vec<String> = row.try_get(8)?;
        let dropped = Dropped {
            kind: row.try_get(3)?,
            identity: row.try_get::<_, Option<String>>(4)?.unwrap_or_default(),
            inside: row.try_get(5)?,
            relation: row.try_get::<_, Option<bool>>(6)?.unwrap_or(false),
            published: row.try_get(7)?,
            needs: needs.iter().filter_map(|need| edge(need)).collect(),
        };
        all.insert(key, dropped);
    }
    Ok(Walk { all: &all }.lines())
}

fn edge(text: &str) -> Option<(Key, String)> {
    let mut words = text.split(' ');
    let key = (
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    );
    Some((key, words.next()?.to_owned()))
}

struct Walk<'a> {
    all: &'a BTreeMap<Key, Dropped>,
}

impl Walk<'_> {
    fn lines(&self) -> Vec<String> {
        // What a view's rule needs, the view needs; so with a table's row type, a column's default, …
        let mut reasons: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        for (key, dropped) in self.all {
            let whole = self.whole(*key);
            let needed = dropped.needs.iter().map(|(need, _)| *need);
            let needed = needed.filter(|need| self.whole(*need) != whole);
            reasons.entry(whole).or_default().extend(needed);
        }
        let mut lines: Vec<String> = self
            .all
            .iter()
            .filter(|(key, dropped)| self.is_told(**key, dropped))
            .map(|(key, dropped)| {
                let named = format!("{} {}", word(&dropped.kind), dropped.identity);
                match reasons.get(key).map(|needs| self.because(needs)) {
                    Some(needs) if !needs.is_empty() && !dropped.published => {
                        format!("{named} {} {needs}", verb(&dropped.kind))
                    }
                    _ => named,
                }
            })
            .collect();
        lines.sort();
        lines
    }

    /// Whether a line is worth it: it stands outside, and it doesn't go as a part of something that is told anyway.
    fn is_told(&self, key: Key, dropped: &Dropped) -> bool {
        if dropped.published {
            return true;
        }
        if dropped.inside {
            return false;
        }
        let is_part = dropped.needs.iter().any(|(need, why)| {
            self.goes(*need)
                && match why.as_str() {
                    // A partition goes with the table, and is a table all the same.
                    "a" | "P" | "S" => !dropped.relation,
                    "i" | "e" => true,
                    _ => false,
                }
        });
        // A column may go with its whole table.
        let (class, object, column) = key;
        !is_part && (column == 0 || !self.goes((class, object, 0)))
    }

    /// Whether it is dropped, by itself or as a column of a table that is.
    fn goes(&self, (class, object, column): Key) -> bool {
        self.all.contains_key(&(class, object, column))
            || self.all.contains_key(&(class, object, 0))
    }

    /// What something is an inner part of, or itself.
    fn whole(&self, key: Key) -> Key {
        let mut key = key;
        // Parts of parts end soon; the bound is for a catalog that makes no sense.
        for _ in 0..8 {
            let of = self.all.get(&key).and_then(|dropped| {
                let mut needs = dropped.needs.iter();
                needs.find(|(need, why)| why == "i" && self.all.contains_key(need))
            });
            match of {
                Some((next, _)) => key = *next,
                None => break,
            }
        }
        key
    }

    /// What something goes for, in words: the relations, which people know, or else what there is.
    fn because(&self, needs: &BTreeSet<Key>) -> String {
        let found = || {
            needs.iter().filter_map(|(class, object, column)| {
                let whole = self.all.get(&(*class, *object, 0));
                whole.or_else(|| self.all.get(&(*class, *object, *column)))
            })
        };
        let relations: BTreeSet<String> = found()
            .filter(|dropped| dropped.relation)
            .map(|dropped| dropped.identity.clone())
            .collect();
        let named: BTreeSet<String> = match relations.is_empty() {
            false => relations,
            true => found()
                .map(|dropped| format!("{} {}", word(&dropped.kind), dropped.identity))
                .collect(),
        };
        named.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// `pg_identify_object`'s word, where people have a better one.
fn word(kind: &str) -> &str {
    match kind {
        "table constraint" => "constraint",
        "table column" | "foreign table column" | "view column" | "materialized view column" => {
            "column"
        }
        "publication relation" => "published table",
        "publication namespace" => "published schema",
        "default value" => "default",
        "composite type" | "domain" => "type",
        other => other,
    }
}

fn verb(kind: &str) -> &'static str {
    match kind {
        "view" | "materialized view" => "reads",
        "table constraint" => "refers to",
        "table column" | "composite type" => "is of",
        "table" => "is a part of",
        "publication relation" | "publication namespace" => "publishes",
        _ => "uses",
    }
}
