//! Whether a table of the source fits the target's, and the statements that follow from how.

use crate::error::Failure;
use crate::relations::{ColumnShape, Relation};
use crate::session::quoted;
use postgres_protocol::escape::escape_identifier;
use rbk_core::plan::{CopiedColumn, CopiedTable};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// How values are written between the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As the types' own send and receive functions have it.
    Binary,
    /// For types without these.
    Text,
}

/// How a table is read and written.
#[derive(Debug)]
pub(super) struct Fit {
    pub format: Format,
    /// Of each column of the plan: what the source casts to.
    casts: Vec<Option<String>>,
    /// What stands behind `FROM` on the source.
    source: String,
    /// What is locked and looked at on the target.
    target: String,
    /// What `COPY` names on the target.
    into: String,
}

/// The types that the plan casts to, as the source knows them: written so that no length is implied. `None`: it has no such
/// type.
pub(super) type Casts = BTreeMap<String, Option<String>>;

/// Looks up the types that columns are cast to. Leaves the transaction's `search_path` as it was.
pub(super) async fn casts(client: &Client, tables: &[&CopiedTable]) -> Result<Casts, Failure> {
    let columns = tables.iter().flat_map(|table| &table.columns);
    let wanted: Vec<&str> = columns
        .filter_map(|column| column.cast.as_deref())
        .collect();
    if wanted.is_empty() {
        return Ok(Casts::new());
    }
    // Where a name without a schema is looked for: types of extensions are mostly in `public`.
    client
        .batch_execute("SET LOCAL search_path = pg_catalog, public, pg_temp")
        .await?;
    let rows = client
        .query(
            "SELECT DISTINCT name, to_regtype(name)::oid FROM unnest($1::text[]) AS name",
            &[&wanted],
        )
        .await?;
    client
        .batch_execute("SET LOCAL search_path = pg_catalog, pg_temp")
        .await?;
    let mut casts = Casts::new();
    for row in rows {
        let oid: Option<u32> = row.try_get(1)?;
        // With its schema now, and without its length: the target's column has that, and refuses what is too long where
        // a cast would cut it off.
        let ty = client
            .query_one("SELECT format_type($1, -1)", &[&oid])
            .await?
            .try_get(0)?;
        casts.insert(row.try_get(0)?, ty);
    }
    Ok(casts)
}

/// How a table is copied, or all reasons why it can't be.
pub(super) fn fit(
    table: &CopiedTable,
    here: Option<&Relation>,
    there: Option<&Relation>,
    casts: &Casts,
) -> Result<Fit, Vec<String>> {
    let name = &table.table;
    let (here, there) = match (here, there) {
        (Some(here), Some(there)) => (here, there),
        (None, Some(_)) => return Err(vec![format!("`{name}` is missing in the source")]),
        (Some(_), None) => return Err(vec![format!("`{name}` is missing in the target")]),
        (None, None) => return Err(vec![format!("`{name}` is missing on both sides")]),
    };
    let mut wrong = Vec::new();
    let mut format = Format::Binary;
    let mut chosen = Vec::new();
    for column in &table.columns {
        let shapes = (
            here.columns.get(&column.name),
            there.columns.get(&column.name),
        );
        match fit_column(column, shapes, casts) {
            Ok((cast, binary)) => {
                if !binary {
                    format = Format::Text;
                }
                chosen.push(cast);
            }
            Err(reason) => wrong.push(format!("`{name}.{}` {reason}", column.name)),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let quoted = quoted(name);
    let from = |relation: &Relation| match table.only && !relation.partitioned {
        true => format!("ONLY {quoted}"),
        false => quoted.clone(),
    };
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| escape_identifier(&column.name))
        .collect();
    Ok(Fit {
        format,
        casts: chosen,
        source: from(here),
        target: from(there),
        // A list of no columns can't be written; a table of no columns has none to leave out.
        into: match columns.is_empty() {
            true => quoted.clone(),
            false => format!("{quoted} ({})", columns.join(", ")),
        },
    })
}

/// What the source casts the column to, and whether its values have a binary form.
fn fit_column(
    column: &CopiedColumn,
    shapes: (Option<&ColumnShape>, Option<&ColumnShape>),
    casts: &Casts,
) -> Result<(Option<String>, bool), String> {
    let (here, there) = match shapes {
        (Some(here), Some(there)) => (here, there),
        (None, Some(_)) => return Err("is missing in the source".to_owned()),
        (Some(_), None) => return Err("is missing in the target".to_owned()),
        (None, None) => return Err("is missing on both sides".to_owned()),
    };
    if there.generated {
        return Err("is generated in the target, so nothing can be copied into it".to_owned());
    }
    let Some(cast) = &column.cast else {
        return match here.ty == there.ty {
            true => Ok((None, here.binary && there.binary)),
            false => Err(format!(
                "is `{}` in the source and `{}` in the target",
                here.ty, there.ty
            )),
        };
    };
    match casts.get(cast) {
        Some(Some(ty)) if *ty == there.base => Ok((Some(ty.clone()), there.binary)),
        Some(Some(_)) => Err(format!(
            "is `{}` in the target, and the plan casts it to `{cast}`",
            there.ty
        )),
        _ => Err(format!(
            "should be cast to `{cast}`, and the source has no such type"
        )),
    }
}

impl Fit {
    pub fn copy_out(&self, columns: &[CopiedColumn]) -> String {
        let list: Vec<String> = columns
            .iter()
            .zip(&self.casts)
            .map(|(column, cast)| match cast {
                Some(cast) => format!("t.{}::{cast}", escape_identifier(&column.name)),
                None => format!("t.{}", escape_identifier(&column.name)),
            })
            .collect();
        format!(
            "COPY (SELECT {} FROM {} AS t) TO STDOUT WITH (FORMAT {})",
            list.join(", "),
            self.source,
            self.format.name()
        )
    }

    pub fn copy_in(&self) -> String {
        format!(
            "COPY {} FROM STDIN WITH (FORMAT {})",
            self.into,
            self.format.name()
        )
    }

    /// What is locked.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// An expression: whether the target has a row.
    pub fn holds_rows(&self) -> String {
        format!("EXISTS (SELECT FROM {})", self.target)
    }
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Binary => "binary",
            Format::Text => "text",
        }
    }
}
