//! What DMS makes of the types of Postgres: what comes with its row, what as a large value, what as a mere string, what not at
//! all. Source: the DMS user guide, *Source data types for PostgreSQL* and the limitations of both sides.

use crate::catalog::{Catalog, Column, ConstraintKind, Identity, Table};
use crate::check::SqlType;

/// How a column travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carriage {
    /// With its row.
    Plain,
    /// As a large value (LOB), by the mode that the statement says.
    Large,
    /// As a string, since DMS doesn't know the type: an extension's.
    AsString,
    /// Not at all.
    Never,
}

/// How values of a type travel; the type is written as `format_type` does.
pub(super) fn carriage(ty: &str, catalog: &Catalog) -> Carriage {
    let Some(ty) = SqlType::parse(ty) else {
        return Carriage::AsString;
    };
    if ty.array {
        return Carriage::Large;
    }
    match ty.base.as_str() {
        // Extensions that DMS knows, in whichever schema they are.
        "citext" | "hstore" => return Carriage::Large,
        _ => {}
    }
    if let Some(schema) = &ty.schema {
        let defined = catalog
            .schemas
            .get(schema)
            .and_then(|schema| schema.types.get(&ty.base));
        return match defined {
            // An extension's.
            None => Carriage::AsString,
            Some(defined) => match defined.strip_prefix("DOMAIN ") {
                Some(base) => carriage(domain_base(base), catalog),
                None => Carriage::Never,
            },
        };
    }
    match ty.base.as_str() {
        "text" | "json" | "jsonb" | "bytea" | "xml" | "polygon" => Carriage::Large,
        "inet" | "macaddr" | "macaddr8" | "tsvector" | "tsquery" | "line" | "lseg" | "box"
        | "path" | "circle" => Carriage::Never,
        range if range.ends_with("range") => Carriage::Never,
        "boolean"
        | "smallint"
        | "integer"
        | "bigint"
        | "real"
        | "double precision"
        | "numeric"
        | "money"
        | "character"
        | "character varying"
        | "name"
        | "date"
        | "time without time zone"
        | "time with time zone"
        | "timestamp without time zone"
        | "timestamp with time zone"
        | "interval"
        | "bit"
        | "bit varying"
        | "uuid"
        | "cidr"
        | "point"
        | "oid" => Carriage::Plain,
        _ => Carriage::AsString,
    }
}

/// `text` of `text CONSTRAINT country_check CHECK (…)`.
fn domain_base(definition: &str) -> &str {
    [" CONSTRAINT ", " NOT NULL", " DEFAULT ", " COLLATE "]
        .iter()
        .filter_map(|clause| definition.find(clause))
        .min()
        .and_then(|end| definition.get(..end))
        .unwrap_or(definition)
}

/// How a column travels: what DMS doesn't know comes as a large value where the target takes it as one.
pub(super) fn between(source: &str, target: &str, (here, there): (&Catalog, &Catalog)) -> Carriage {
    match (carriage(source, here), carriage(target, there)) {
        (Carriage::AsString, Carriage::Large) => Carriage::Large,
        (own, _) => own,
    }
}

/// Whether a column is a number that DMS cuts after six digits: `numeric` without precision becomes `NUMERIC(28,6)`.
pub(super) fn is_cut(ty: &str) -> bool {
    SqlType::parse(ty).is_some_and(|ty| {
        !ty.array && ty.schema.is_none() && ty.base == "numeric" && ty.modifier.is_none()
    })
}

/// Whether Postgres refuses a value for a column: it makes them itself.
pub(super) fn is_made_there(column: &Column) -> bool {
    column.generated.is_some() || column.identity == Some(Identity::Always)
}

/// The columns that tell a row, of which both sides must have the same: the primary key first, then what else is unique.
pub(super) fn keys(table: &Table) -> Vec<Vec<String>> {
    let mut keys = Vec::new();
    if !table.primary_key().is_empty() {
        keys.push(table.primary_key().to_vec());
    }
    let unique = table.constraints.values();
    let unique = unique.filter(|constraint| constraint.kind == ConstraintKind::Unique);
    keys.extend(unique.map(|constraint| constraint.columns.clone()));
    for key in &mut keys {
        key.sort();
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::{Carriage, carriage, is_cut};
    use crate::catalog::{Catalog, Schema};

    #[test]
    fn types_travel_as_the_user_guide_says() {
        let mut catalog = Catalog::default();
        let mut schema = Schema::default();
        for (name, definition) in [
            ("role", "ENUM ('a', 'b')"),
            (
                "country",
                "DOMAIN text CONSTRAINT c CHECK ((VALUE <> ''::text))",
            ),
            ("amount", "DOMAIN numeric(10,2) NOT NULL"),
            ("period", "RANGE (SUBTYPE = date)"),
        ] {
            schema.types.insert(name.to_owned(), definition.to_owned());
        }
        catalog.schemas.insert("shop".to_owned(), schema);
        for (ty, expected) in [
            ("text", Carriage::Large),
            ("jsonb", Carriage::Large),
            ("integer[]", Carriage::Large),
            ("public.hstore", Carriage::Large),
            ("character varying(20)", Carriage::Plain),
            ("timestamp(3) with time zone", Carriage::Plain),
            ("public.vector(1536)", Carriage::AsString),
            ("shop.role", Carriage::Never),
            ("shop.period", Carriage::Never),
            ("tstzrange", Carriage::Never),
            ("inet", Carriage::Never),
            ("shop.country", Carriage::Large),
            ("shop.amount", Carriage::Plain),
        ] {
            assert_eq!(carriage(ty, &catalog), expected, "{ty}");
        }
        assert!(is_cut("numeric"));
        assert!(!is_cut("numeric(10,2)"));
    }
}
